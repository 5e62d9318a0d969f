"""Real losses and steps behind ``homogeneity``: symbols and simulations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from eostheory.formula import matrix, scalar, vector

from ._gwsi import (
    D,
    eta_hat,
    grad_theta,
    grad_w,
    lam_hat,
    rate,
    theta,
    theta_next,
    w,
    w_next,
)
from ._run import draw_loss, draw_setup, reader, run
from .gwsi import c, grad_cw, hessian_cw, hessian_w

if TYPE_CHECKING:
    from torch import Tensor

    from eostheory.agree import Sample

loss_w = scalar("loss_w", r"\mathcal{L}(w)")
loss_cw = scalar("loss_cw", r"\mathcal{L}(cw)")
hessian_theta = matrix("hessian_theta", D, D, r"\nabla^2\mathcal{L}(w/\|w\|_2)", symmetric=True)
flow_alone = vector("flow_alone", D, r"\dot\theta_{\mathrm{GF}}")
flow_decayed = vector("flow_decayed", D, r"\dot\theta_{\mathrm{GF+WD}}")
start = vector("w_0", D)
later = vector("w_later", D, "w_t")
number = scalar("t", "t")
w_small = vector("w_small", D, r"w_{t+1}^{(a)}")
w_large = vector("w_large", D, r"w_{t+1}^{(b)}")
grad_small = vector("grad_small", D, r"\nabla\mathcal{L}(w_t)^{(a)}")
grad_large = vector("grad_large", D, r"\nabla\mathcal{L}(w_t)^{(b)}")


def simulate_values(sample: Sample) -> None:
    """Losses at w and at c w."""
    from eostheory.numeric.rounding import RunningError

    drawn = draw_loss(sample, tilted=not sample.holds("scale_invariant"))
    factor = sample.draw(st.sampled_from([0.25, 0.75, 1.5, 3.0, 8.0]), "c")
    loss, point = drawn.loss, drawn.loss.point(drawn.seed + 1, 1.5)
    with RunningError() as running:
        read = reader(running)
        values = {loss_w: read(loss(point)), loss_cw: read(loss(factor * point))}
    sample.observe({c: factor, w: point, **values})


def simulate_any(sample: Sample) -> None:
    """Runs on losses that are scale-invariant or not."""
    setup = draw_setup(sample, tilted=sample.draw(st.booleans(), "tilted"))
    for s in run(setup, 40).steps:
        sample.observe({eta_hat: setup.eta, lam_hat: setup.decay, w: s.w, w_next: s.w_next,
                        grad_w: s.grad_w})  # fmt: skip


def simulate_rate(sample: Sample) -> None:
    """The rate at which the next direction is reached from the present one, by trigonometry."""
    invariant, shrinks = sample.holds("scale_invariant"), sample.holds("decay_below_one")
    setup = draw_setup(sample, tilted=not invariant, reversing=not shrinks)
    for s in run(setup, 40).steps:
        slope = s.grad_theta
        steep = float((slope @ slope).value)
        if steep < 1e-12:
            continue
        along = -1.0 * (s.theta_next @ slope)
        found = along / ((s.theta_next @ s.theta) * (slope @ slope))
        sign = 1.0 if shrinks else -1.0
        sample.observe({eta_hat: setup.eta, lam_hat: setup.decay, w: s.w, w_next: s.w_next,
                        theta: s.theta, theta_next: s.theta_next, grad_w: s.grad_w,
                        grad_theta: slope, rate: sign * found})  # fmt: skip


def simulate_directions(sample: Sample) -> None:
    """Gradients and Hessians by autograd at w, at c w and at the direction of w."""
    from eostheory.numeric.autodiff import gradient, hessian
    from eostheory.numeric.rounding import RunningError

    bowl = 0.0 if sample.holds("scale_invariant") else 1.0
    drawn = draw_loss(sample, tilted=False)
    factor = sample.draw(st.sampled_from([0.25, 0.75, 1.5, 3.0, 8.0]), "c")
    point = drawn.loss.point(drawn.seed + 1, 1.5)

    def loss(v: Tensor) -> Tensor:
        return drawn.loss(v) + bowl * (v * v).sum()

    with RunningError() as running:
        read = reader(running)
        unit, scaled = point / point.norm(), factor * point
        slopes = {grad_w: point, grad_cw: scaled, grad_theta: unit}
        bends = {hessian_w: point, hessian_cw: scaled, hessian_theta: unit}
        found = {s: read(gradient(loss, x)) for s, x in slopes.items()}
        found |= {s: read(hessian(loss, x)) for s, x in bends.items()}
    sample.observe({c: factor, w: point, **found})


def simulate_flow(sample: Sample) -> None:
    """The velocity of the direction by forward differentiation along both flows."""
    import torch

    from eostheory.numeric.autodiff import gradient
    from eostheory.numeric.rounding import RunningError

    drawn = draw_loss(sample, tilted=not sample.holds("scale_invariant"))
    loss, point = drawn.loss, drawn.loss.point(drawn.seed + 1, 1.5)
    decay = sample.draw(st.integers(1, 64), "16 lambda") / 16
    with RunningError() as running:
        read = reader(running)
        length = torch.sqrt(torch.dot(point, point))
        unit = point / length
        slope = gradient(loss, point)

        def turning(velocity: Tensor) -> Tensor:
            # quotient rule for w / |w|, as a program would apply it
            stretch = torch.dot(point, velocity) / length
            return (velocity * length - point * stretch) / (length * length)

        found = {
            grad_w: read(slope),
            grad_theta: read(gradient(loss, unit)),
            flow_alone: read(turning(-slope)),
            flow_decayed: read(turning(-slope - decay * point)),
        }
    sample.observe({w: point, lam_hat: decay, **found})


def simulate_shrinking(sample: Sample) -> None:
    """A run from a multiple of a minimizer: the all-ones direction of a quotient of forms."""
    import torch

    from eostheory.agree import Measured
    from eostheory.numeric.dynamics import gd

    dim = sample.draw(st.integers(2, 12), "D")
    axis = torch.zeros(dim, dtype=torch.float64)
    axis[0] = 2.0
    weights = torch.arange(dim, dtype=torch.float64)
    if not sample.holds("minimizer"):
        axis[1] = 1.0
    eta, high = 0.25, (0.9, 1.9)[not sample.holds("decay_below_one")]
    decay = sample.draw(st.integers(1, 256), "256 eta lambda / high") / 256 * high / eta

    def loss(v: Tensor) -> Tensor:
        return (weights * v * v).sum() / (v * v).sum()

    for t, step in enumerate(gd(loss, axis, eta, 12, decay)):
        if t in (1, 2, 5, 11):
            value = step.w.numpy().copy()
            reached = Measured(value, 2.0**-50 * (t + 2) * abs(value).max())
            known = {eta_hat: eta, lam_hat: decay, start: axis, number: t}
            sample.observe({**known, later: reached})


def simulate_norms(sample: Sample) -> None:
    """Real steps at one point; the loss times a constant gives a small or a large gradient."""
    from eostheory.numeric.autodiff import gradient
    from eostheory.numeric.rounding import RunningError

    drawn = draw_loss(sample, tilted=not sample.holds("scale_invariant"))
    size = sample.draw(st.sampled_from([0.5, 2.0]), "|w|")
    loss, point = drawn.loss, drawn.loss.point(drawn.seed + 1, size)
    eta = 0.25
    decay = sample.draw(st.integers(1, 200), "256 eta lambda") / 256 / eta
    slope = gradient(loss, point)
    square = float((slope**2).sum())
    if square < 1e-8:
        sample.reject("a stationary point")
    edge = (decay * (2 - eta * decay) / eta * float((point**2).sum()) / square) ** 0.5
    near = 2.0**-12  # so close to the threshold that a thousandth shows
    low, high = (1 - near) * edge, (1 + near) * edge
    if not sample.holds("small"):
        low = 1.2 * edge
    if not sample.holds("large"):
        high = 0.8 * edge
    with RunningError() as running:
        read = reader(running)
        slope = gradient(loss, point)
        shrunk = (1 - eta * decay) * point
        found = {
            grad_small: read(low * slope),
            grad_large: read(high * slope),
            w_small: read(shrunk - eta * (low * slope)),
            w_large: read(shrunk - eta * (high * slope)),
        }
    sample.observe({w: point, eta_hat: eta, lam_hat: decay, **found})
