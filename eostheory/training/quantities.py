"""The quantities of damian23 sections 4 and 5, and of lyu22, at a point.

With ``u`` the top eigenvector of the Hessian and ``S`` its eigenvalue, the sharpness,
``grad S = D^3 L[u, u, .]``, and ``grad S^perp`` its part orthogonal to u:

- ``alpha = -grad L . grad S``, the progressive sharpening coefficient (definition 2);
- ``beta = |grad S^perp|^2``, ``delta = sqrt(2 alpha / beta)`` (definition 4);
- ``epsilon = eta sqrt(alpha)`` (definition 6);
- ``x = u . v``, ``y = grad S^perp . v`` of a displacement v from a reference point (definition 5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from eostheory.curvature import Products, Tracker
from eostheory.numeric.events import BecameNaN
from eostheory.numeric.objective import Objective


class Coefficients(NamedTuple):
    """Coefficients of the self-stabilizing dynamics at a point (damian23, definitions 2, 4, 6).

    ``delta`` and ``epsilon`` are NaN where ``alpha`` is negative: there is no progressive
    sharpening there, and no oscillation that balances it.
    """

    alpha: float
    beta: float
    delta: float
    epsilon: float


def coefficients(gradient: Tensor, slope: Tensor, u: Tensor, eta: float) -> Coefficients:
    """Coefficients from ``grad L``, ``grad S`` and the unit top eigenvector, each (D,)."""
    across = slope - torch.dot(slope, u) * u
    alpha = -float(torch.dot(gradient, slope))
    beta = float(torch.dot(across, across))
    if alpha < 0 or math.isnan(alpha):
        return Coefficients(alpha, beta, math.nan, math.nan)
    delta = math.sqrt(2 * alpha / beta) if beta > 0 else math.inf
    return Coefficients(alpha, beta, delta, eta * math.sqrt(alpha))


class Displacement(NamedTuple):
    """A displacement v in the directions that matter, and its length ``deviation = |v|``."""

    x: float
    y: float
    deviation: float


@dataclass(frozen=True)
class Reference:
    """A point that displacements are measured from, with what its Taylor expansion needs.

    Args:
        point: (D,), on the constrained trajectory, or near it.
        vector: (D,), unit top eigenvector u there.
        slope: (D,), grad S there.
        sharpness: S there.
    """

    point: Tensor
    vector: Tensor
    slope: Tensor
    sharpness: float

    @classmethod
    def at(cls, objective: Objective, point: Tensor, *, tolerance: float = 1e-8) -> Reference:
        """The reference at ``point``.

        Raises:
            RepeatedTopEigenvalue: the sharpness has no gradient there.
        """
        products = Products(objective, point)
        pair = Tracker(1, tolerance=tolerance)(products)
        u = pair.vectors[0]
        return cls(point.detach().clone(), u, products.third(u, u), float(pair.values[0]))

    def displacement(self, w: Tensor) -> Displacement:
        """``(u . v, grad S^perp . v, |v|)`` with ``v = w - point`` (definition 5)."""
        v = w - self.point
        x = torch.dot(self.vector, v)
        y = torch.dot(self.slope, v) - torch.dot(self.slope, self.vector) * x
        return Displacement(float(x), float(y), float(torch.linalg.vector_norm(v)))


def local_displacement(
    gradient: Tensor, slope: Tensor, u: Tensor, sharpness: float, eta: float
) -> Displacement:
    """Displacement from the nearest point where ``grad L . u`` vanishes, to first order.

    ``x = grad L . u / S`` is the Newton step along u, and ``y = S - 2/eta - (grad S . u) x`` is
    theorem 1's sharpness solved for y.  No trajectory is needed besides the iterate; the length of
    the displacement in all other directions is not known and NaN.  So are x and y where the
    sharpness is not positive: there is no valley along u.
    """
    if not sharpness > 0:
        return Displacement(math.nan, math.nan, math.nan)
    x = float(torch.dot(gradient, u)) / sharpness
    return Displacement(x, sharpness - 2 / eta - float(torch.dot(slope, u)) * x, math.nan)


def effective_learning_rate(w: Tensor, eta: float, decay: float = 0.0) -> float:
    """``eta / ((1 - eta decay) |w|^2)`` (lyu22, lemma 3.1); infinite at the origin."""
    square = float(torch.dot(w, w))
    return eta / ((1 - eta * decay) * square) if square > 0 else math.inf


def is_scale_invariant(objective: Objective, w: Tensor) -> bool:
    """Whether ``L(c w) = L(w)`` and ``grad L(w) . w = 0`` hold at ``w``, up to rounding.

    Two evaluations; best effort, as every test of a law at points is.  False at the
    origin, and where loss or gradient is not finite.
    """
    eps = torch.finfo(objective.dtype).eps
    try:
        value, gradient = objective.value_and_gradient(w)
    except BecameNaN:
        return False
    if not bool(w.any()):
        return False
    along = abs(float(torch.dot(gradient, w)))
    lengths = float(torch.linalg.vector_norm(gradient) * torch.linalg.vector_norm(w))
    if along > max(1e5 * eps * lengths, 1e3 * eps * abs(float(value))):
        return False
    with torch.no_grad():
        scaled = torch.stack(list(objective.parts(1.7 * w))).sum()
    return abs(float(scaled - value)) <= 1e5 * eps * max(abs(float(value)), eps)
