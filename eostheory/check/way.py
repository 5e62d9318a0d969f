"""The way of gradient flow, as far as a learning rate is chosen from it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from eostheory.curvature import Tracker
from eostheory.numeric.events import NumericEvent
from eostheory.numeric.objective import Objective
from eostheory.training.center import expand

SMALL = 0.1
"""The epsilon that is looked for where no learning rate is given."""

STEADY = 0.5
"""Steps of the way there, times the sharpness: a quarter of the stability limit, so that the way
is that of gradient flow up to a part of it."""

FAR = 10.0
"""The way ends at a distance of so many times the size of its beginning (at least 1)."""


@dataclass(frozen=True, eq=False)
class Waypoint:
    """A point of the way to the edge.

    Args:
        w: (D,).
        time: of gradient flow.
        sharpness: top eigenvalue.
        alpha: ``-grad L . grad S`` without the part along u, which is zero on the stable set.
        noise: what rounding may make of alpha.
        value: of the loss.
    """

    w: Tensor = field(repr=False)
    time: float
    value: float
    sharpness: float
    alpha: float
    noise: float

    @property
    def epsilon(self) -> float:
        """``eta sqrt(alpha)`` were the edge here, ``eta = 2/S``."""
        return 2 * math.sqrt(self.alpha) / self.sharpness if self.rising else math.nan

    @property
    def rising(self) -> bool:
        """Progressive sharpening, beyond rounding, of a positive sharpness."""
        return self.sharpness > 0 and self.alpha > self.noise


def level(way: tuple[Waypoint, ...]) -> tuple[int, int, float] | None:
    """Where the sharpness begins to rise, a point above the edge, and the edge.

    The sharpness rises from where it begins, or from its lowest point if it never gets above
    that.  Of the places on the rise with progressive sharpening, the first with an epsilon of at
    most ``SMALL``, or the one with the smallest.
    """
    values = [at.sharpness for at in way]
    for low in (0, min(range(len(way)), key=values.__getitem__)):
        high = max(range(low, len(way)), key=values.__getitem__)
        rise = values[high] - values[low]
        if not values[low] > 0 or rise <= 1e-6 * values[low]:
            continue
        records = [k for k in range(low + 1, high + 1) if values[k] > max(values[low:k])]
        places = [
            k for k in records if way[k].rising and 0.1 <= (values[k] - values[low]) / rise <= 0.99
        ]
        places = places or [k for k in records if way[k].rising][:1]
        if not places:
            continue
        small = [k for k in places if way[k].epsilon <= SMALL]
        best = small[0] if small else min(places, key=lambda k: way[k].epsilon)
        edge = (max(values[low:best]) + values[best]) / 2
        return low, best, min(edge, values[low] + 0.99 * rise)
    return None


def descend(
    objective: Objective,
    begin: Tensor,
    contains: Callable[[Tensor], bool] | None,
    follow: Tracker,
    large: bool,
) -> tuple[Waypoint, ...]:
    """Descent with steps of ``1/(2 S)``, measured now and then; ends where the loss does.

    Args:
        contains: whether a point is in the domain.
        large: a loss of many parameters: fewer steps and measurements.

    Raises:
        NumericEvent: there is nothing to measure at the beginning.
    """
    count, every = (160, 8) if large else (200, 2)
    found: list[Waypoint] = []
    far = FAR * max(1.0, float(torch.linalg.vector_norm(begin)))
    w, time, rate = begin, 0.0, 0.0
    try:
        for step in range(count + 1):
            if step % every == 0:
                at, value, gradient, stiffness = _waypoint(objective, w, time, follow)
                found.append(at)
                rate = STEADY / stiffness
            else:
                value, gradient = objective.value_and_gradient(w)
            size = float(torch.linalg.vector_norm(gradient))
            if size == 0.0:
                break
            # No step longer than a tenth of the weights, where there is no curvature.
            reach = 0.1 * max(1.0, float(torch.linalg.vector_norm(w)))
            h = min(rate, reach / size)
            after = w - h * gradient
            if contains is not None and not contains(after):
                break
            if h < rate and float(objective(after).detach()) > float(value):
                break
            if float(torch.linalg.vector_norm(after - begin)) > far:
                break
            w, time = after, time + h
    except NumericEvent:
        if not found:
            raise
    return tuple(found)


def _waypoint(
    objective: Objective, w: Tensor, time: float, follow: Tracker
) -> tuple[Waypoint, Tensor, Tensor, float]:
    """The point, its value and gradient, and the size of the Hessian there: its top eigenvalue,
    or along the gradient where that is larger."""
    center = expand(objective, w, follow)
    with center.products:
        # Along u the stable set has no gradient.
        off = center.gradient - torch.dot(center.gradient, center.u) * center.u
        alpha = -float(torch.dot(off, center.slope))
        lengths = torch.linalg.vector_norm(center.gradient) * torch.linalg.vector_norm(center.slope)
        # u is off by residual/gap, and grad S by as much of the third derivative.
        gap = max(center.sharpness - center.next_value, 1e-300)
        part = 1e-12 + min(1.0, center.residual / gap)
        scale = float(torch.linalg.vector_norm(center.gradient)) * abs(center.sharpness)
        noise = part * float(lengths) + 1e-13 * scale
        size = torch.linalg.vector_norm(center.gradient)
        image = center.products(center.gradient / size) if float(size) > 0 else center.gradient
        stiffness = max(abs(center.sharpness), float(torch.linalg.vector_norm(image)), 1e-12)
        at = Waypoint(w, time, center.value, center.sharpness, alpha, noise)
        return at, center.products.value, center.gradient, stiffness
