"""The way of gradient flow, as far as a learning rate is chosen from it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from torch import Tensor

SMALL = 0.1
"""The epsilon that is looked for where no learning rate is given."""


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
