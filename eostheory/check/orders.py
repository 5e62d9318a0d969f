"""Whether errors shrink with a scale as fast as a theorem says."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, TypeVar

from eostheory.numeric.events import NumericEvent

QUARTER = 0.25
"""Expansions are in powers of the square root of a scale, so that orders are multiples of one half:
one is told from the next half-way between."""

EXACT = 1e-3
"""With errors below this part of the bound at every scale the constant of ``O`` is no more than
that: there is nothing that could break it."""

RUN = TypeVar("RUN")


@dataclass(frozen=True)
class Order:
    """A measured exponent.

    Args:
        kind: "meets" the claimed order, "breaks" it, is "exact" (no error to speak of), or is
            "unclear" because the slopes have not settled.
        claimed: exponent.
        interval: of the measured exponent, see :func:`measure_order`.  (NaN, NaN) when exact or
            when there are fewer than three scales.
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
    noise: Sequence[float] | None = None,
) -> Order:
    """The exponent of ``errors`` as ``scales`` fall, beside the claimed one.

    The interval holds the slopes of the last three scales (and so the regression over them), and
    what further scales may add: of an error ``c s^p + d s^q`` with ``q >= p + 1/2`` the changes of
    the slope shrink by ``(s/s')^(1/2)`` from scale to scale or faster, which adds up to
    ``change / ((s/s')^(1/2) - 1)``.  The order has *settled* when that is no more than
    ``QUARTER``: only then may it be too low.

    Args:
        scales: descending, three or more.
        errors: at each.
        bounds: what the theorem says each is ``O`` of, ``constant * scale^claimed``.
        noise: how far each error may be off; widens the interval.
    """
    nan = (math.nan, math.nan)
    noise = [0.0] * len(errors) if noise is None else noise
    ratios = [e / b for e, b in zip(errors, bounds, strict=True)]
    if not all(math.isfinite(r) for r in ratios):
        return Order("unclear", claimed, nan, math.inf)
    if max(ratios) <= EXACT or all(e <= n for e, n in zip(errors, noise, strict=True)):
        return Order("exact", claimed, nan, max(ratios))
    if len(scales) < 3 or min(errors) <= 0:
        return Order("unclear", claimed, nan, max(ratios))
    lasts, wide = [], 0.0
    for k in (len(scales) - 3, len(scales) - 2):
        length = math.log(scales[k] / scales[k + 1])
        lasts.append(math.log(errors[k] / errors[k + 1]) / length)
        wide = max(wide, (noise[k] / errors[k] + noise[k + 1] / errors[k + 1]) / length)
    ahead = (lasts[1] - lasts[0]) / (math.sqrt(scales[-2] / scales[-1]) - 1)
    low, high = min(*lasts, lasts[1] + ahead) - wide, max(*lasts, lasts[1] + ahead) + wide
    if low > claimed - QUARTER:
        return Order("meets", claimed, (low, high), max(ratios))
    if high < claimed - QUARTER and abs(ahead) + wide <= QUARTER:
        return Order("breaks", claimed, (low, high), max(ratios))
    return Order("unclear", claimed, (low, high), max(ratios))


def until_settled(
    run: Callable[[float], RUN],
    scales: Sequence[float],
    judge: Callable[[list[RUN]], dict[str, Order]],
    most: int,
    done: Sequence[RUN] = (),
) -> tuple[list[RUN], dict[str, Order]]:
    """Runs at ever smaller scales, each half of the one before, until the orders tell.

    Args:
        scales: that are looked at in any case.
        judge: the orders of some runs.
        most: number of scales.
        done: runs at the first scales, if there are some.

    Raises:
        NumericEvent: one of ``scales`` cannot be run.
    """
    runs = [*done, *(run(scale) for scale in scales[len(done) :])]
    orders, scale = judge(runs), scales[-1] / 2 ** (len(runs) - len(scales))
    with suppress(NumericEvent):
        while len(runs) < most and not all_met(orders):
            scale = scale / 2
            runs.append(run(scale))
            orders = judge(runs)
    return runs, orders


def all_met(orders: dict[str, Order]) -> bool:
    """Whether every order is as claimed."""
    return all(order.kind in ("meets", "exact") for order in orders.values())


def told(orders: dict[str, Order]) -> str:
    """All orders in one line."""
    return "; ".join(f"{name} {order}" for name, order in orders.items())
