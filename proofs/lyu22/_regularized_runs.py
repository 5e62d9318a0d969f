"""Real steps and Hessians of regularised losses: symbols and simulations of ``regularized``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from eostheory.formula import matrix, scalar, vector

from ._gwsi import D, eta_hat, grad_w, lam_hat, w, w_next
from ._run import draw_loss, draw_setup, reader, run

if TYPE_CHECKING:
    from torch import Tensor

    from eostheory.agree import Sample

grad_tilde = vector("grad_tilde", D, r"\nabla\tilde{\mathcal{L}}(w_t)")
hess = matrix("hess", D, D, r"\nabla^2\mathcal{L}(w_t)", symmetric=True)
probe = vector("probe", D, "a")
lam_top = scalar("lambda_top", r"\lambda_1(\nabla^2\mathcal{L}(w_t))")
lam_tilde = scalar("lambda_tilde", r"\lambda_1(\nabla^2\tilde{\mathcal{L}}(w_t))")
lam_star = scalar("lambda_star", r"\lambda_1^H(\theta^*)", positive=True)
rate = scalar("rate", r"\tilde\eta_t")
rate_next = scalar("rate_next", r"\tilde\eta_{t+1}")
sum_grad = scalar("sum_grad", r"\sum_t\|\nabla\mathcal{L}(w_t)\|_2^2")
sum_norm = scalar("sum_norm", r"\sum_t\|w_t\|_2^2", positive=True)
average_loss = scalar("average_loss", r"\tfrac1{T_1-T_0}\sum_t\mathcal{L}(w_t)")
average_norm = scalar("average_norm", r"\tfrac1{T_1-T_0}\sum_t\|w_t\|_2^2")
average_grad = scalar("average_grad", r"\tfrac1{T_1-T_0}\sum_t\|\nabla\mathcal{L}(w_t)\|_2^2")


def update(sample: Sample) -> None:
    """Autograd on the loss and on the regularised loss."""
    from eostheory.numeric.autodiff import gradient
    from eostheory.numeric.rounding import RunningError

    drawn = draw_loss(sample, tilted=sample.draw(st.booleans(), "tilted"))
    loss, point = drawn.loss, drawn.loss.point(drawn.seed + 1, 1.5)
    decay = sample.draw(st.integers(1, 64), "16 lambda") / 16
    rate_hat = sample.draw(st.integers(1, 32), "32 eta") / 32

    def regularised(v: Tensor) -> Tensor:
        return loss(v) + decay / 2 * (v * v).sum()

    with RunningError() as running:
        read = reader(running)
        slopes = {
            grad_w: read(gradient(loss, point)),
            grad_tilde: read(gradient(regularised, point)),
        }
    sample.observe({w: point, eta_hat: rate_hat, lam_hat: decay, **slopes})


def sharpness(sample: Sample) -> None:
    """Top eigenvalues of both Hessians by autograd."""
    from eostheory.agree import derivatives

    drawn = draw_loss(sample, tilted=sample.draw(st.booleans(), "tilted"))
    loss, point = drawn.loss, drawn.loss.point(drawn.seed + 1, 1.5)
    decay = sample.draw(st.integers(1, 64), "16 lambda") / 16
    rate_hat = sample.draw(st.integers(1, 32), "32 eta") / 32

    def regularised(v: Tensor) -> Tensor:
        return loss(v) + decay / 2 * (v * v).sum()

    tops = {lam_top: derivatives.sharpness(loss, point),
            lam_tilde: derivatives.sharpness(regularised, point)}  # fmt: skip
    sample.observe({eta_hat: rate_hat, lam_hat: decay, **tops})


def norms(sample: Sample) -> None:
    """Steps of long runs."""
    setup = draw_setup(sample, tilted=not sample.holds("scale_invariant"))
    for s in run(setup, 40).steps:
        sample.observe({eta_hat: setup.eta, lam_hat: setup.decay, w: s.w, w_next: s.w_next,
                        grad_w: s.grad_w})  # fmt: skip
