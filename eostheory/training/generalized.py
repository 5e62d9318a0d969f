"""The generalized predicted dynamics: the loss along u as it is (damian23, appendix F).

``F_t(x) = L(theta_t' + x u_t) - L(theta_t') - x^2/eta`` is what the quadratic expansion along the
top eigenvector misses, and

    x_{t+1} = -(1 + eta y_t) x_t - eta F_t'(x_t),

with the rest as in (6).  (The printed update of v has ``- x_{t+1} u_{t+1}``; it must be ``+``.)
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from eostheory.curvature import Products
from eostheory.training.center import Center, Loss
from eostheory.training.constrained import ConstrainedStep, ConstrainedTrajectory
from eostheory.training.predicted import PredictedDynamics, Transfers


class Excess:
    """``F`` along the top eigenvector of a point, and its first two derivatives.

    Args:
        loss: the loss.
        center: Taylor data at the point.  Away from the stable set ``2/eta`` is the sharpness there
            and the slope of the loss along u is taken off, so that F always begins with x^3.
        even: take the even part of F: the odd one adds oscillations of period two only.
    """

    def __init__(self, loss: Loss, center: Center, *, even: bool = False) -> None:
        self.loss, self.center, self.even = loss, center, even

    def _at(self, x: float) -> Products:
        return Products(self.loss, self.center.point + x * self.center.u, step=0)

    def value(self, x: float) -> float:
        """``F(x)``."""
        c = self.center
        slope = float(torch.dot(c.gradient, c.u))

        def one(x: float) -> float:
            with self._at(x) as there:
                rise = float(there.value) - c.value
            return rise - slope * x - c.sharpness * x * x / 2

        return (one(x) + one(-x)) / 2 if self.even else one(x)

    def derivatives(self, x: float, second: bool = True) -> tuple[float, float]:
        """``F'(x)`` and ``F''(x)`` (NaN unless ``second``); one product, two for the even part."""
        c = self.center

        def one(x: float) -> tuple[float, float]:
            with self._at(x) as there:
                first = float(torch.dot(there.gradient - c.gradient, c.u)) - c.sharpness * x
                bend = float(torch.dot(there(c.u), c.u)) - c.sharpness if second else float("nan")
            return first, bend

        first, bend = one(x)
        if not self.even:
            return first, bend
        mirrored, other = one(-x)
        return (first - mirrored) / 2, (bend + other) / 2


class Limit(NamedTuple):
    """Where the generalized predicted dynamics come to rest around a point (appendix F.2).

    Attributes:
        sharpness: ``S - F'(delta)/delta + F''(delta)``, with ``S = 2/eta``.
        y: ``-F'(delta)/delta``.
        x: delta.
        first, second: ``F'(delta)`` and ``F''(delta)``.
    """

    sharpness: float
    y: float
    x: float
    first: float
    second: float


def limiting_sharpness(loss: Loss, center: Center, eta: float) -> Limit:
    """The orbit of period two ``(delta, y)`` of (11), with the even part of F.

    Whether it attracts is another question (it does for F'/x decreasing at delta, or a Hessian that
    damps ``grad S``).  The sharpness is that along u; the largest eigenvalue is larger by
    ``O(eta alpha)``, through the part of u's derivative along ``grad S``.

    Raises:
        ValueError: alpha is negative or beta zero: there is no such orbit.
    """
    found = center.coefficients(eta)
    if not 0 <= found.delta < float("inf"):
        raise ValueError(
            f"alpha = {found.alpha:.3g}, beta = {found.beta:.3g} at the point: without progressive "
            "sharpening (alpha > 0, beta > 0) there is no fixed point delta"
        )
    first, second = Excess(loss, center, even=True).derivatives(found.delta)
    if found.delta == 0:
        return Limit(center.sharpness, 0.0, 0.0, 0.0, 0.0)
    y = -first / found.delta
    return Limit(center.sharpness + y + second, y, found.delta, first, second)


class GeneralizedDynamics(PredictedDynamics):
    """The recursion of appendix F beside a constrained trajectory.

    Args:
        trajectory, start, transfers: see
            :class:`~eostheory.training.predicted.PredictedDynamics`.
        even: use the even part of F (two gradients per step in place of one).

    Each step costs a gradient more than the predicted dynamics; a :meth:`prediction` costs one
    product at the displaced point.  Its sharpness is ``2/eta + y + F''(x)``, which contains the
    ``(grad S . u) x`` of theorem 1 unless ``even``, when it is added.
    """

    def __init__(
        self,
        trajectory: ConstrainedTrajectory,
        start: Tensor,
        *,
        transfers: Transfers | None = None,
        even: bool = False,
    ) -> None:
        super().__init__(trajectory, start, transfers=transfers)
        self.even = even

    def excess(self, center: Center) -> Excess:
        """F at a point of the trajectory."""
        return Excess(self.trajectory.loss, center, even=self.even)

    def _next_x(self, here: ConstrainedStep, x: float, y: float) -> float:
        first, _ = self.excess(here.center).derivatives(x, second=False)
        return super()._next_x(here, x, y) - self.eta * first

    def _seen(self, center: Center, x: float) -> tuple[float, float]:
        found = self.excess(center)
        _, second = found.derivatives(x)
        loss, sharpness = super()._seen(center, x)
        if not self.even:
            sharpness -= center.along * x
        return loss + found.value(x), sharpness + second

    def state(self) -> dict[str, Any]:
        """What later predictions depend on besides the trajectory."""
        return {**super().state(), "even": self.even}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a :meth:`state`."""
        super().restore(state)
        self.even = bool(state["even"])
