"""Where gradient descent meets the edge of stability."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from eostheory.curvature import Products, Tracker
from eostheory.numeric.dynamics import checked
from eostheory.numeric.events import NumericEvent
from eostheory.numeric.objective import Objective
from eostheory.training.center import Center
from eostheory.training.constrained import EdgeNotReached, reach_edge
from eostheory.training.quantities import Coefficients, coefficients

ABOVE = 1.05
"""A start with more than this times the edge is above it."""


class EdgeAbove(NumericEvent):
    """Descent starts above the edge of stability, or jumps over it."""

    def __init__(self, sharpness: float, eta: float, step: int = 0) -> None:
        where = f"is {sharpness:.6g} at the start" if step == 0 else f"jumps to {sharpness:.6g}"
        super().__init__(
            f"the sharpness {where}, above the edge 2/eta = {2 / eta:.6g}: lower the learning rate "
            f"below {2 / sharpness:.3g}, or start elsewhere"
        )


@dataclass(frozen=True, eq=False)
class EdgePoint:
    """Where the sharpness is 2/eta.

    Args:
        point: (D,).
        u: (D,) unit top eigenvector.
        slope: (D,) ``grad S = D^3 L[u, u, .]``.
        gradient: (D,) ``grad L``.
        sharpness: S, near ``2/eta``.
        next_value: the second eigenvalue.
        eta: learning rate.
        reached: whether gradient descent with ``eta`` came here from below.  If not it is the
            point of the largest sharpness on the way, and ``eta = 2/S``.
        step: of gradient descent.
        how: a sentence for the report.
    """

    point: Tensor = field(repr=False)
    u: Tensor = field(repr=False)
    slope: Tensor = field(repr=False)
    gradient: Tensor = field(repr=False)
    sharpness: float
    next_value: float
    eta: float
    reached: bool
    step: int
    how: str

    @property
    def coefficients(self) -> Coefficients:
        """alpha, beta, delta, epsilon here."""
        return coefficients(self.gradient, self.slope, self.u, self.eta)

    @classmethod
    def of(cls, center: Center, eta: float, reached: bool, step: int, how: str) -> EdgePoint:
        """The point of Taylor data."""
        return cls(
            center.point, center.u, center.slope, center.gradient.clone(), center.sharpness,
            center.next_value, eta, reached, step, how,
        )  # fmt: skip


def approach(
    objective: Objective,
    w: Tensor,
    eta: float,
    most: int,
    tracker: Callable[[], Tracker],
    large: bool,
) -> tuple[int, Tensor]:
    """Step and iterate at which the edge is met: long strides, then step by step.

    Args:
        most: steps.
        tracker: makes a fresh one.
        large: a loss of many parameters.

    Raises:
        EdgeNotReached, EdgeAbove, BecameNaN: descent does not meet the edge from below.
    """
    stride = 8 if large else 4
    follow, step, top, mark, at = tracker(), 0, math.nan, w, 0
    while step <= most:
        with Products(objective, w, step=step) as products:
            top = float(follow(products).values[0])
        if top >= 1.9 / eta:
            break
        mark, at = w, step
        for _ in range(stride):
            _, gradient = objective.value_and_gradient(w)
            w = checked(w - eta * gradient, step)
        step += stride
    else:
        raise EdgeNotReached(step, top, eta)
    if step == 0 and top > ABOVE * 2 / eta:
        raise EdgeAbove(top, eta)
    # The stride before may have passed the place already.
    found = reach_edge(objective, mark, eta, max(most - at, stride), tracker=tracker())
    if found.sharpness > ABOVE * 2 / eta:
        raise EdgeAbove(found.sharpness, eta, at + found.step)
    return at + found.step, found.point
