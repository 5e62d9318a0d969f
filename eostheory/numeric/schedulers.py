"""Scalar adaptive rates: RMSprop with one rate for all parameters, and gradient descent with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from eostheory.numeric.autodiff import LossFunction, gradient
from eostheory.numeric.dynamics import checked


class MomentStep(NamedTuple):
    """One step: iterate, second moment and gradient before it; iterate and moment after it."""

    number: int
    theta: Tensor
    moment: Tensor
    grad: Tensor
    after: Tensor
    moment_after: Tensor


def rmsprop_step(
    loss: LossFunction, theta: Tensor, moment: Tensor, eta: float, beta: float
) -> MomentStep:
    """``theta - eta / sqrt(v) g`` and ``beta v + (1 - beta) |g|^2``; g the gradient at theta.

    The iterate moves with the moment *before* the gradient enters it (lyu22, def-B.1).
    """
    grad = gradient(loss, theta)
    after = checked(theta - eta / torch.sqrt(moment) * grad, 0)
    keep = torch.as_tensor(beta, dtype=moment.dtype, device=moment.device)
    moment_after = keep * moment + (1 - keep) * torch.dot(grad, grad)
    return MomentStep(0, theta, moment, grad, after, moment_after)


def rmsprop(
    loss: LossFunction, start: Tensor, moment: float, eta: float, beta: float, steps: int
) -> Iterator[MomentStep]:
    """Scalar RMSprop from ``start`` with second moment ``moment``.

    Raises:
        Diverged, BecameNaN: as gradient descent does.
    """
    theta = start.detach().clone()
    v = torch.as_tensor(moment, dtype=theta.dtype, device=theta.device)
    for number in range(steps):
        step = rmsprop_step(loss, theta, v, eta, beta)._replace(number=number)
        yield step
        theta, v = step.after, step.moment_after


@dataclass
class RmspropScheduler:
    """Rate ``1 / sqrt(v)`` before a gradient enters ``v <- beta v + (1 - beta) |g|^2 / eta^2``."""

    moment: float
    beta: float
    eta: float

    def __call__(self, grad: Tensor) -> float:
        rate = float(self.moment**-0.5)
        square = float(torch.dot(grad, grad)) / self.eta**2
        self.moment = self.beta * self.moment + (1 - self.beta) * square
        return rate
