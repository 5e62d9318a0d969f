"""Exponents of remainders, measured as a scale tends to zero.

For "lhs = rhs + O(order)" an instance gives errors e_k at scales s_k = s_0 2^-k.  The local
slopes log(e_k / e_{k+1}) / log(s_k / s_{k+1}) tend to the exponent of the remainder; the same
slopes of the order itself are what is claimed.  Scales at which rounding could move a slope by
much are dropped; slopes must have settled before they say anything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

CLEAR = 32.0
"""A scale is used while its error exceeds the rounding bound by this factor: two such errors
move a slope by at most 2 / (32 ln 2) < 0.1."""

QUARTER = 0.25
"""Orders are multiples of one half; one is told from the next halfway between."""

SETTLED = 0.25
"""The last slopes may differ by this much; the interval of the exponent widens accordingly."""

Kind = Literal["meets", "breaks", "exact", "unclear"]


@dataclass(frozen=True)
class Limit:
    """The errors of one limit on one instance, largest scale first.

    Args:
        exponent: interval of the measured exponent, or None (``exact``, ``unclear``).
        claimed: exponent of the claimed order along this limit.
        ratios: error / order at the scales used; what must stay bounded.
    """

    instance: int
    series: str
    draws: dict[str, str]
    kind: Kind
    exponent: tuple[float, float] | None
    claimed: float
    slopes: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    scales: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)

    @staticmethod
    def of(
        instance: int,
        series: str,
        draws: dict[str, str],
        points: list[tuple[float, float, float, float]],
    ) -> Limit:
        """Judge points (scale, error, rounding bound, order)."""
        points = sorted(points, reverse=True)
        usable = []
        for point in points:
            # Once rounding dominates it does so at every smaller scale.
            if not (point[1] > CLEAR * point[2] and point[3] > 0):
                break
            usable.append(point)
        ratios = [p[1] / p[3] for p in usable]

        def limit(
            kind: Kind, slopes: list[float], interval: tuple[float, float] | None, claimed: float
        ) -> Limit:
            scales, errors = [p[0] for p in usable], [p[1] for p in usable]
            return Limit(
                instance, series, draws, kind, interval, claimed, slopes, ratios, scales, errors
            )

        if not usable:
            return limit(_rounding_only(points), [], None, math.inf)
        slopes = _slopes(usable, [p[1] for p in usable])
        orders = _slopes(usable, [p[3] for p in usable])
        if len(slopes) < 3:
            return limit("unclear", slopes, None, orders[-1] if orders else math.inf)
        a, b = usable[-2:]
        noise = (a[2] / a[1] + b[2] / b[1]) / math.log(a[0] / b[0])
        # What must not be negative in the limit: the slopes of error / order.  An order that is
        # a sum of monomials bends with the scale, and the ratio takes that out.
        excess = [s - o for s, o in zip(slopes, orders, strict=True)]
        # A remainder c s^p + d s^(p+1) has slopes whose distance to p halves per scale, so the
        # limit lies one more step ahead; the interval allows for twice that.
        step = excess[-1] - excess[-2]
        low, high = sorted((excess[-1], excess[-1] + 2 * step))
        low, high = low - noise, high + noise
        settled = abs(step) <= SETTLED and abs(step) <= abs(excess[-2] - excess[-3]) + 0.05
        kind: Kind = "unclear"
        if settled and low > -QUARTER:
            kind = "meets"
        elif settled and high < -QUARTER:
            kind = "breaks"
        claimed = orders[-1]
        return limit(kind, slopes, (claimed + low, claimed + high), claimed)


def _slopes(points: list[tuple[float, float, float, float]], sizes: list[float]) -> list[float]:
    """Local slopes of log(sizes) against log(scale)."""
    scales = [p[0] for p in points]
    return [
        math.log(sizes[k] / sizes[k + 1]) / math.log(scales[k] / scales[k + 1])
        for k in range(len(points) - 1)
    ]


def _rounding_only(points: list[tuple[float, float, float, float]]) -> Kind:
    """Errors that rounding explains at every scale: exact, if rounding is small against the order.

    The bound must fall below the order itself at some scale, or nothing has been measured.
    """
    explained = all(p[1] <= p[2] for p in points)
    telling = any(p[2] <= 1e-3 * p[3] for p in points)
    return "exact" if explained and telling else "unclear"


def judge_limits(
    limits: list[Limit],
) -> tuple[Literal["same", "differs", "undecided"], dict[str, Any]]:
    """One outcome for all limits: every clear one must meet the order, and most must be clear."""
    kinds = [limit.kind for limit in limits]
    measured = [limit for limit in limits if limit.exponent and limit.kind in ("meets", "breaks")]
    detail: dict[str, Any] = {
        "count": len(limits),
        **{kind: kinds.count(kind) for kind in ("meets", "breaks", "exact", "unclear")},
    }
    if measured:
        lows = [limit.exponent[0] for limit in measured if limit.exponent]
        highs = [limit.exponent[1] for limit in measured if limit.exponent]
        detail["exponent"] = [min(lows), max(highs)]
        detail["claimed"] = [
            min(limit.claimed for limit in measured),
            max(limit.claimed for limit in measured),
        ]
        detail["constant"] = max(max(limit.ratios) for limit in measured)
    worst = [limit for limit in limits if limit.kind == "breaks"]
    worst = worst or [limit for limit in limits if limit.kind == "unclear"]
    if worst:
        detail["witness"] = _witness(worst[0])
    elif measured:
        detail["example"] = _witness(measured[0])
    if "breaks" in kinds:
        return "differs", detail
    clear = len(kinds) - kinds.count("unclear")
    unclear_bounded = all(_bounded(limit) for limit in limits if limit.kind == "unclear")
    # An error that happens to pass through zero has wild slopes; a few such limits are borne
    # when their error / order does not grow either.
    if clear >= 3 * kinds.count("unclear") and clear > 0 and unclear_bounded:
        return "same", detail
    return "undecided", detail


def _bounded(limit: Limit) -> bool:
    ratios = limit.ratios
    return len(ratios) >= 2 and max(ratios[len(ratios) // 2 :]) <= 1.5 * max(ratios[:2])


def _witness(limit: Limit) -> dict[str, Any]:
    return {
        "instance": limit.instance,
        "series": limit.series,
        "draws": limit.draws,
        "kind": limit.kind,
        "exponent": list(limit.exponent) if limit.exponent else None,
        "claimed": limit.claimed if math.isfinite(limit.claimed) else None,
        "scales": limit.scales,
        "errors": limit.errors,
        "slopes": limit.slopes,
        "ratios": limit.ratios,
    }
