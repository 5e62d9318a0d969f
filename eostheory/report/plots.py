"""Evidence plots as small inline SVG drawings that follow the colours of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from eostheory.report.axes import Axis, fit
from eostheory.report.mathml import inline
from eostheory.report.plain import plain_math, plain_text

_WIDTH, _HEIGHT = 380, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 12, 10, 44
_COLOURS = 6
_MOST_POINTS = 1500
_DASHES = {"dashed": "6 4", "--": "6 4", "dotted": "1.5 3.5", ":": "1.5 3.5", "-.": "7 3 1.5 3"}
_MARKS = frozenset({"points", "markers", "scatter", "o", ".", "x", "+"})
_BOTH = frozenset({"line+points", "linespoints", "-o", "o-", ".-", "-."}) - {"-."}


def figure(plot: Mapping[str, Any]) -> str:
    """A plot of the report as one ``<figure>``: title, drawing, legend.

    ``plot`` has ``title``, ``xlabel``, ``ylabel``, ``xscale``, ``yscale`` (``linear`` or ``log``)
    and ``series``, a list of ``{label, x, y, style}``.  Points that cannot be drawn (NaN, infinite,
    or not positive on a logarithmic axis) interrupt the line and are counted below it.
    """
    series = [_read(item) for item in plot.get("series") or ()]
    title = str(plot.get("title") or plot.get("text") or "")
    name = escape(plain_text(title) or "plot", quote=True)
    caption = f"<figcaption>{inline(title)}</figcaption>" if title else ""
    if not any(points for _, points, _ in series):
        return f'<figure class="plot">{caption}<p class="empty">No data was recorded.</p></figure>'
    across = fit(
        [x for _, points, _ in series for x, _ in points],
        _LEFT,
        _WIDTH - _RIGHT,
        str(plot.get("xscale", "linear")),
    )
    upward = fit(
        [y for _, points, _ in series for _, y in points],
        _HEIGHT - _BOTTOM,
        _TOP,
        str(plot.get("yscale", "linear")),
    )
    drawn, lost = [], 0
    for index, (_, points, style) in enumerate(series):
        text, missing = _draw(points, style, index % _COLOURS, across, upward)
        drawn.append(text)
        lost += missing
    count = "1 point" if lost == 1 else f"{lost} points"
    note = f'<p class="lost">{count} could not be drawn here.</p>' if lost else ""
    return (
        f'<figure class="plot">{caption}'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{name}">'
        f"{_frame(across, upward, plot)}{''.join(drawn)}</svg>{_legend(series)}{note}</figure>"
    )


def _read(item: Mapping[str, Any]) -> tuple[str, list[tuple[float, float]], str]:
    def numbers(values: Sequence[Any]) -> list[float]:
        return [float("nan") if value is None else float(value) for value in values]

    pairs = list(zip(numbers(item.get("x") or ()), numbers(item.get("y") or ()), strict=False))
    step = -(-len(pairs) // _MOST_POINTS) if pairs else 1
    kept = pairs[::step] + ([pairs[-1]] if pairs and (len(pairs) - 1) % step else [])
    return str(item.get("label") or ""), kept, str(item.get("style") or "line")


def _draw(
    points: list[tuple[float, float]], style: str, colour: int, across: Axis, upward: Axis
) -> tuple[str, int]:
    runs: list[list[tuple[float, float]]] = [[]]
    lost = 0
    for x, y in points:
        here, there = across.place(x), upward.place(y)
        if here is None or there is None:
            lost += 1
            if runs[-1]:
                runs.append([])
            continue
        spot = (round(here, 1), round(there, 1))
        if not runs[-1] or runs[-1][-1] != spot:
            runs[-1].append(spot)
    marks = style in _MARKS or style in _BOTH
    parts = []
    if style not in _MARKS:
        dash = f' stroke-dasharray="{_DASHES[style]}"' if style in _DASHES else ""
        for run in runs:
            if len(run) > 1:
                path = "M" + "L".join(f"{x:g} {y:g}" for x, y in run)
                parts.append(f'<path class="line s{colour}" d="{path}"{dash}/>')
            elif run:
                marks = True
    if marks:
        size = 2.6 if len(points) <= 80 else 1.5
        spots = [spot for run in runs for spot in run]
        dots = "".join(f'<circle cx="{x:g}" cy="{y:g}" r="{size}"/>' for x, y in spots)
        parts.append(f'<g class="dots s{colour}">{dots}</g>')
    return "".join(parts), lost


def _frame(across: Axis, upward: Axis, plot: Mapping[str, Any]) -> str:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = []
    for value, text in across.ticks():
        x = across.place(value)
        if x is not None:
            parts.append(f'<path class="grid" d="M{x:.1f} {_TOP}V{bottom}"/>')
            parts.append(f'<text x="{x:.1f}" y="{bottom + 15}" text-anchor="middle">{text}</text>')
    for value, text in upward.ticks():
        y = upward.place(value)
        if y is not None:
            parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{right}"/>')
            parts.append(f'<text x="{_LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{text}</text>')
    parts.append(f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{right}"/>')
    middle = (_LEFT + right) / 2
    xlabel, ylabel = _label(plot.get("xlabel")), _label(plot.get("ylabel"))
    parts.append(f'<text class="name" x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{xlabel}')
    parts.append("</text>")
    height = (_TOP + bottom) / 2
    parts.append(
        f'<text class="name" transform="translate(13 {height}) rotate(-90)" '
        f'text-anchor="middle">{ylabel}</text>'
    )
    return "".join(parts)


def _label(value: object) -> str:
    text = str(value or "")
    return escape(plain_text(text) if "$" in text else plain_math(text) if "\\" in text else text)


def _legend(series: list[tuple[str, list[tuple[float, float]], str]]) -> str:
    if not any(label for label, _, _ in series):
        return ""
    items = []
    for index, (label, points, style) in enumerate(series):
        if not points or not label:
            continue
        dash = f' stroke-dasharray="{_DASHES[style]}"' if style in _DASHES else ""
        mark = f'<path class="line s{index % _COLOURS}" d="M1 6H21"{dash}/>'
        if style in _MARKS:
            mark = f'<g class="dots s{index % _COLOURS}"><circle cx="11" cy="6" r="3"/></g>'
        drawing = f'<svg viewBox="0 0 22 12" aria-hidden="true">{mark}</svg>'
        items.append(f"<li>{drawing}{inline(label) if '$' in label else _label(label)}</li>")
    return f'<ul class="legend">{"".join(items)}</ul>'
