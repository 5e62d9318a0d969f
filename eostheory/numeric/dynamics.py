"""The real updates, one step at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from eostheory.numeric.autodiff import LossFunction, gradient
from eostheory.numeric.events import BecameNaN, Diverged

LIMIT = 1e12
"""An iterate longer than this has diverged."""


class Step(NamedTuple):
    """An iterate before the step, the gradient there and the iterate after it."""

    number: int
    w: Tensor
    grad: Tensor
    after: Tensor


def gd_step(loss: LossFunction, w: Tensor, eta: float, decay: float = 0.0) -> Tensor:
    """``(1 - eta * decay) w - eta grad L(w)``; ``decay`` is the weight decay."""
    return checked(_update(w, gradient(loss, w), eta, decay), 0)


def projected_step(loss: LossFunction, theta: Tensor, rate: float | Tensor) -> Tensor:
    """Gradient step of size ``rate``, then back to the unit sphere."""
    moved = theta - rate * gradient(loss, theta)
    return checked(moved / torch.sqrt(torch.dot(moved, moved)), 0)


def _update(w: Tensor, grad: Tensor, eta: float, decay: float) -> Tensor:
    if decay == 0.0:
        return w - eta * grad
    # On tensors, so that a running error analysis sees the rounding of 1 - eta * decay too.
    rate = torch.as_tensor(eta, dtype=w.dtype, device=w.device)
    return (1 - rate * decay) * w - rate * grad


def checked(w: Tensor, step: int) -> Tensor:
    size = float(torch.linalg.vector_norm(w.detach()))
    if size != size:
        raise BecameNaN(step, "the iterate")
    if size > LIMIT:
        raise Diverged(step, size)
    return w


def gd(
    loss: LossFunction, start: Tensor, eta: float, steps: int, decay: float = 0.0
) -> Iterator[Step]:
    """Gradient descent with weight decay from ``start``, step by step.

    Raises:
        Diverged: an iterate longer than ``LIMIT``.
        BecameNaN: an iterate or gradient that is not finite.
    """
    w = start.detach().clone()
    for number in range(steps):
        grad = gradient(loss, w)
        after = checked(_update(w, grad, eta, decay), number)
        yield Step(number, w, grad, after)
        w = after


def projected_gd(
    loss: LossFunction, start: Tensor, scheduler: Callable[[Tensor], float], steps: int
) -> Iterator[tuple[Step, float]]:
    """Projected gradient descent on the sphere; ``scheduler`` maps each gradient to a rate.

    The scheduler sees the gradients in order, once each, and keeps its own state.
    """
    theta = start.detach() / torch.sqrt(torch.dot(start.detach(), start.detach()))
    for number in range(steps):
        grad = gradient(loss, theta)
        rate = float(scheduler(grad))
        moved = theta - rate * grad
        after = checked(moved / torch.sqrt(torch.dot(moved, moved)), number)
        yield Step(number, theta, grad, after), rate
        theta = after
