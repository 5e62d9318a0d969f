"""Whether errors shrink with a scale as fast as a theorem says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

QUARTER = 0.25
"""Orders are multiples of one half; one is told from the next half-way between."""

SETTLED = 0.5
"""Slopes that still change by more than this tell of no order that is too low."""

EXACT = 1e-3
"""Errors below this part of the bound at every scale have no order to measure: what is left is
the accuracy of projections and eigenpairs."""


@dataclass(frozen=True)
class Order:
    """A measured exponent.

    Args:
        kind: "meets" the claimed order, "breaks" it, is "exact" (no error to speak of), or is
            "unclear" because the slopes have not settled.
        claimed: exponent.
        interval: of the measured exponent; the last slope, give or take its change from the one
            before.  (NaN, NaN) when exact or when there are fewer than three scales.
        worst: largest error over bound.
    """

    kind: Literal["meets", "breaks", "exact", "unclear"]
    claimed: float
    interval: tuple[float, float]
    worst: float

    def __str__(self) -> str:
        if self.kind == "exact":
            return f"no error (claimed order {self.claimed:g})"
        low, high = self.interval
        return f"order {low:.2f} to {high:.2f} (claimed {self.claimed:g})"


def measure_order(
    scales: Sequence[float],
    errors: Sequence[float],
    bounds: Sequence[float],
    claimed: float,
    margin: float = QUARTER,
) -> Order:
    """The exponent of ``errors`` as ``scales`` fall, beside the claimed one.

    Args:
        scales: descending, three or more.
        errors: at each.
        bounds: what the theorem says each is ``O`` of, ``constant * scale^claimed``.
        margin: how much lower an order may be measured.
    """
    nan = (math.nan, math.nan)
    ratios = [e / b for e, b in zip(errors, bounds, strict=True)]
    if not all(math.isfinite(r) for r in ratios):
        return Order("unclear", claimed, nan, math.inf)
    if max(ratios) <= EXACT:
        return Order("exact", claimed, nan, max(ratios))
    if len(scales) < 3 or min(errors) <= 0:
        return Order("unclear", claimed, nan, max(ratios))
    slopes = [
        math.log(errors[k] / errors[k + 1]) / math.log(scales[k] / scales[k + 1])
        for k in range(len(scales) - 1)
    ]
    # A remainder c s^p + d s^(p + 1/2) or more: the next change is no larger than the last.
    change = slopes[-1] - slopes[-2]
    low, high = sorted((slopes[-1], slopes[-1] + change))
    # Regression over all scales as a second opinion, so that one lucky pair decides nothing.
    xs, ys = [math.log(s) for s in scales], [math.log(e) for e in errors]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    fit = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / sum(
        (x - mean_x) ** 2 for x in xs
    )
    low, high = min(low, fit), max(high, fit)
    if low > claimed - margin:
        return Order("meets", claimed, (low, high), max(ratios))
    if high < claimed - margin and abs(change) <= SETTLED:
        return Order("breaks", claimed, (low, high), max(ratios))
    return Order("unclear", claimed, (low, high), max(ratios))
