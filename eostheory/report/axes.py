"""Axes of small plots: ranges, ticks and the text of ticks, linear and logarithmic."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_SUPER = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


@dataclass(frozen=True)
class Axis:
    """One axis: data in ``[low, high]`` is drawn between pixels ``start`` and ``end``."""

    low: float
    high: float
    start: float
    end: float
    log: bool

    def place(self, value: float) -> float | None:
        """Pixel of ``value``; ``None`` if it cannot be drawn on this axis."""
        if not math.isfinite(value) or (self.log and value <= 0):
            return None
        low, high, here = self.low, self.high, value
        if self.log:
            low, high, here = math.log10(low), math.log10(high), math.log10(value)
        return self.start + (here - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        """(value, text) of each tick, at most about six."""
        return _log_ticks(self.low, self.high) if self.log else _ticks(self.low, self.high)


def fit(values: Iterable[float], start: float, end: float, scale: str) -> Axis:
    """An axis on which every drawable value of ``values`` has a place, with a little air."""
    log = scale == "log"
    usable = [v for v in values if math.isfinite(v) and (v > 0 or not log)]
    low, high = (min(usable), max(usable)) if usable else (1.0, 10.0) if log else (0.0, 1.0)
    if log:
        air = max((math.log10(high) - math.log10(low)) * 0.04, 0.02)
        if high / low < 1.01:
            air = 0.3
        return Axis(max(low * 10**-air, 1e-307), min(high * 10**air, 1e307), start, end, True)
    spread = high - low
    if spread <= 1e-12 * max(abs(low), abs(high)):
        spread = abs(high) or 1.0
    return Axis(low - 0.04 * spread, high + 0.04 * spread, start, end, False)


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    raw = (high - low) / 5
    size = 10 ** math.floor(math.log10(raw))
    step = next(size * m for m in (1, 2, 2.5, 5, 10) if size * m >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    values = [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]
    largest = max((abs(v) for v in values), default=0.0)
    if largest >= 1e5 or 0 < largest < 1e-3:
        power = math.floor(math.log10(largest))
        return [(v, _scientific(v / 10**power, power)) for v in values]
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    if round(step, digits) != step:
        digits += 1
    return [(v, f"{v:.{digits}f}".replace("-", "\u2212")) for v in values]


def _scientific(mantissa: float, power: int) -> str:
    if abs(mantissa) < 1e-9:
        return "0"
    text = f"{mantissa:.3g}".replace("-", "\u2212")
    return f"{'' if text == '1' else text + '·'}10{str(power).translate(_SUPER)}"


def _log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    decades = last - first + 1
    if decades >= 2:
        step = max(1, math.ceil(decades / 6))
        return [(10.0**k, f"10{str(k).translate(_SUPER)}") for k in range(first, last + 1, step)]
    around = range(first - 1, last + 1)
    values = [m * 10.0**k for k in around for m in (1, 2, 5) if low <= m * 10.0**k <= high]
    return [(v, f"{v:g}") for v in values] if len(values) > 1 else _ticks(low, high)
