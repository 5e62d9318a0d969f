"""Losses whose values are no good: they change, raise, or are not numbers of double precision."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .valley import broken, valley


class Dropout:
    """A loss with a mask that is drawn anew: a module left in training mode."""

    def __call__(self, w: Tensor) -> Tensor:
        return valley(w) + nn.functional.dropout(w, 0.5).square().sum() / 100


class Remembers:
    """A loss with a running mean, which every evaluation moves."""

    def __init__(self) -> None:
        self.mean = torch.zeros((), dtype=torch.float64)

    def __call__(self, w: Tensor) -> Tensor:
        self.mean = 0.9 * self.mean + 0.1 * w[2].detach()
        return valley(w) + (w[2] - self.mean) ** 2


def projects(w: Tensor) -> Tensor:
    """Keeps its weights in a box, by writing to them."""
    w.data.clamp_(-0.25, 0.25)
    return valley(w)


def raises(w: Tensor) -> Tensor:
    if float(w.detach()[2]) > 0.9:
        raise ValueError("z is too large")
    return valley(w)


def not_a_number_in_a_corner(w: Tensor) -> Tensor:
    # The run comes from z = 0.5 and goes to z = 0, so that it does not see the corner.
    return torch.where(w[2] > 0.9, math.nan, valley(w))


def single_constant(w: Tensor) -> Tensor:
    # 0.1 in float32 is 0.1 + 1.5e-9: the derivatives are right, of a slightly other loss.
    return valley(w) + (torch.tensor([0.1, 0.2, 0.3]) * w).square().sum() / 10


broken("stochastic dropout", Dropout, "deterministic")
broken("a running mean", Remembers, "deterministic")
broken("a projection in place", lambda: projects, "pure")
broken("NaN in a corner of the domain", lambda: not_a_number_in_a_corner, "finite")
broken("an exception at some points", lambda: raises, "evaluates", says={"evaluates": "z is too"})
broken("a value of shape (1, 1)", lambda: lambda w: valley(w).reshape(1, 1), "evaluates")
broken("a vector of values", lambda: lambda w: valley(w) * w, "evaluates")
broken("a Python float", lambda: lambda w: valley(w).item(), "evaluates")
broken("a complex value", lambda: lambda w: valley(w).to(torch.complex128), "evaluates")
broken("a float32 constant inside", lambda: single_constant, "double-precision")
broken("computed in float32", lambda: lambda w: valley(w.float()), "double-precision")
broken(
    "computed in float32 and returned in float64",
    lambda: lambda w: valley(w.float()).double(),
    "double-precision",
)
