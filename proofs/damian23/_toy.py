"""The toy loss of appendix B as a program, and projected gradient descent by autograd."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from hypothesis import strategies as st
from torch import Tensor

from eostheory.agree import Sample
from eostheory.formula import FormSymbol, Symbol
from eostheory.numeric.autodiff import gradient, hessian, third, top_eigenpair

from ._common import alpha, beta, eta

LossFunction = Callable[[Tensor], Tensor]


class Toy:
    """One instance: its numbers, and the loss on (x, y, z)."""

    def __init__(self, eta_: float, alpha_: float, beta_: float) -> None:
        numbers = (eta_, alpha_, beta_)
        self.eta, self.alpha, self.beta = (torch.tensor(v, dtype=torch.float64) for v in numbers)

    @staticmethod
    def drawn(sample: Sample) -> Toy:
        """Generic parameters."""
        size = st.floats(0.2, 3.0, exclude_min=True)
        return Toy(*(sample.draw(size, name) for name in ("eta", "alpha", "beta")))

    def loss(self, theta: Tensor) -> Tensor:
        """The loss at ``theta`` of shape (3,)."""
        root = self.beta.sqrt()
        a, b, c = theta[0], theta[1], theta[2]
        return (2 / self.eta + root * b) * a * a / 2 - self.alpha / root * b - c

    def table(self) -> dict[Symbol | FormSymbol, object]:
        """The parameters as observations."""
        return {eta: float(self.eta), alpha: float(self.alpha), beta: float(self.beta)}


def constrained(
    loss: LossFunction, start: Tensor, eta_: float, steps: int
) -> Iterator[tuple[Tensor, float]]:
    """Projected gradient descent of eq. (2), with the residual of each projection."""
    at = start
    for _ in range(steps):
        at, residual = stable_projection(loss, at - eta_ * gradient(loss, at), at, eta_)
        yield at, residual


def stable_projection(
    loss: LossFunction, target: Tensor, guess: Tensor, eta_: float
) -> tuple[Tensor, float]:
    """The point of {S <= 2/eta, grad L . u = 0} nearest to ``target``, and its residual.

    Gauss-Newton on the conditions from ``guess``: first without the bound on the sharpness, then,
    if that violates it, with equality.
    """
    at, residual = guess, torch.inf
    for active in (1, 2):
        at = guess
        for _ in range(30):
            values, rows = (part[:active] for part in conditions(loss, at, eta_))
            multiplier = torch.linalg.solve(rows @ rows.T, values + rows @ (target - at))
            new = target - rows.T @ multiplier
            done = bool((new - at).abs().max() <= 4e-16 * (1 + new.abs().max()))
            at = new
            if done:
                break
        values, _ = conditions(loss, at, eta_)
        residual = float(values[:active].abs().max())
        if float(values[1]) <= 1e-12 * 2 / eta_:
            break
    return at, residual


def conditions(loss: LossFunction, at: Tensor, eta_: float) -> tuple[Tensor, Tensor]:
    """(grad L . u, S - 2/eta) and their Jacobian, differentiating the eigenpair implicitly."""
    h, g = hessian(loss, at), gradient(loss, at)
    top = top_eigenpair(h)
    eye = torch.eye(len(at), dtype=at.dtype)
    turn = torch.linalg.pinv(top.value * eye - h)
    bends = [g @ (turn @ third(loss, at, top.vector, e)) for e in eye]
    slope = h @ top.vector + torch.stack(bends)
    values = torch.stack([g @ top.vector, top.value - 2 / eta_])
    return values, torch.stack([slope, third(loss, at, top.vector, top.vector)])
