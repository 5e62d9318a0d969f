"""Plots of a report as one SVG drawing each, which carries its own colours and opens anywhere."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

_WIDTH, _HEIGHT = 460, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 14, 12, 46
_COLOURS = ("#2463b4", "#c2410c", "#15803d", "#7e22ce", "#a16207", "#0f766e")
_DASHES = ("", "6 4", "1.5 3.5", "7 3 1.5 3", "2 2", "9 3")
_MOST = 1500

Point = tuple[float, float]


@dataclass(frozen=True)
class Plot:
    """One drawing.

    Args:
        title: what it shows.
        svg: the drawing, an ``<svg>`` element.
    """

    title: str
    svg: str

    @classmethod
    def of(cls, finding: Mapping[str, Any]) -> Plot:
        """The curves of a finding in JSON data.

        Raises:
            ValueError: it has none.
        """
        found = curves(finding)
        if not found:
            raise ValueError(
                f"{finding['check']} recorded no curves: {finding['status']}, {finding['message']}"
            )
        across = abscissa(finding["series"])
        title = f"{finding['check']}: {finding['status']}"
        return cls(title, draw(found, across, title))

    def save(self, path: str | Path) -> Path:
        """Write the drawing to a file, ``.svg``.

        Raises:
            OSError: it cannot be written.
        """
        place = Path(path)
        place.write_text(self.svg + "\n", encoding="utf-8")
        return place

    def _repr_svg_(self) -> str:
        return self.svg


def abscissa(series: Mapping[str, Any]) -> str:
    """The name of what the curves are drawn over: ``step``, or the first there is."""
    return "step" if "step" in series else next(iter(series), "")


def curves(finding: Mapping[str, Any]) -> list[tuple[str, list[Point]]]:
    """The curves of a finding, by name."""
    series = finding["series"]
    across = abscissa(series)
    found = []
    for name, values in series.items():
        if name != across:
            points = [(float(x), float(y)) for x, y in zip(series[across], values, strict=False)]
            if any(map(_finite, points)):
                found.append((name, points))
    return found


def draw(found: Sequence[tuple[str, list[Point]]], across: str, title: str) -> str:
    """An ``<svg>`` of curves; what is not finite, or turns back, interrupts a curve."""
    drawn = [p for _, points in found for p in points if _finite(p)]
    ys = [y for _, y in drawn]
    log = min(ys) > 0 and max(ys) > 1e3 * min(ys)
    x_axis = _Axis.fit([x for x, _ in drawn], _LEFT, _WIDTH - _RIGHT, False)
    y_axis = _Axis.fit(ys, _HEIGHT - _BOTTOM, _TOP, log)
    parts = [_frame(x_axis, y_axis, across)]
    for number, (_, points) in enumerate(found):
        parts.append(_curve(points, number, x_axis, y_axis))
    rows = -(-len(found) // 2)
    for number, (name, _) in enumerate(found):
        x, y = _LEFT + (number % 2) * 190, _HEIGHT + 12 + 16 * (number // 2)
        parts.append(f'<path d="M{x} {y}h22" {_style(number)}/>')
        parts.append(f'<text x="{x + 28}" y="{y + 4}">{escape(name.replace("_", " "))}</text>')
    height = _HEIGHT + 16 * rows + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" role="img" font-family="sans-serif" font-size="11" '
        f'fill="currentColor"><title>{escape(title)}</title>{"".join(parts)}</svg>'
    )


@dataclass(frozen=True)
class _Axis:
    """Data from ``low`` to ``high`` (their logarithms, if ``log``) between two pixels."""

    low: float
    high: float
    begin: float
    end: float
    log: bool

    @classmethod
    def fit(cls, values: Iterable[float], begin: float, end: float, log: bool) -> _Axis:
        listed = [math.log10(v) if log else v for v in values]
        low, high = min(listed), max(listed)
        spread = high - low
        if spread <= 1e-12 * max(abs(low), abs(high)):
            spread = abs(high) or 1.0
        return cls(low - 0.04 * spread, high + 0.04 * spread, begin, end, log)

    def place(self, value: float) -> float:
        at = math.log10(value) if self.log else value
        return self.begin + (at - self.low) / (self.high - self.low) * (self.end - self.begin)

    def ticks(self) -> list[tuple[float, str]]:
        raw = (self.high - self.low) / 5
        size = 10.0 ** math.floor(math.log10(raw))
        step = next(size * m for m in (1, 2, 2.5, 5, 10) if size * m >= raw * 0.999)
        if self.log:
            step = max(1.0, round(step))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        marks = [k * step for k in range(first, last + 1)]
        if self.log:
            return [(10.0**m, f"1e{m:.0f}") for m in marks]
        return [(m, f"{m:.10g}" if abs(m) > 1e-12 * abs(self.high) else "0") for m in marks]


def _frame(across: _Axis, upward: _Axis, name: str) -> str:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = []
    for value, text in across.ticks():
        x = across.place(value)
        parts.append(f'<path d="M{x:.1f} {_TOP}V{bottom}" stroke="#8884"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 15}" text-anchor="middle">{text}</text>')
    for value, text in upward.ticks():
        y = upward.place(value)
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="#8884"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
    parts.append(f'<path d="M{_LEFT} {_TOP}V{bottom}H{right}" fill="none" stroke="currentColor"/>')
    middle = (_LEFT + right) / 2
    parts.append(f'<text x="{middle}" y="{bottom + 32}" text-anchor="middle">{escape(name)}</text>')
    return "".join(parts)


def _curve(points: list[Point], number: int, across: _Axis, upward: _Axis) -> str:
    step = -(-len(points) // _MOST)
    runs: list[list[str]] = [[]]
    last: list[float] = []
    for point in points[::step]:
        if not _finite(point):
            runs.append([])
            last = []
            continue
        if len(last) > 1 and (point[0] - last[-1]) * (last[-1] - last[-2]) < 0:
            runs.append([])  # it turns back: another run over the same abscissa
            last = []
        last.append(point[0])
        runs[-1].append(f"{across.place(point[0]):.1f} {upward.place(point[1]):.1f}")
    parts = []
    for run in runs:
        if len(run) > 1:
            parts.append(f'<path d="M{"L".join(run)}" {_style(number)}/>')
        elif run:
            x, y = run[0].split()
            parts.append(f'<circle cx="{x}" cy="{y}" r="2.5" fill="{_colour(number)}"/>')
    return "".join(parts)


def _style(number: int) -> str:
    dash = _DASHES[number % len(_DASHES)]
    return f'fill="none" stroke="{_colour(number)}" stroke-width="1.5"' + (
        f' stroke-dasharray="{dash}"' if dash else ""
    )


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


def _finite(point: Point) -> bool:
    return math.isfinite(point[0]) and math.isfinite(point[1])
