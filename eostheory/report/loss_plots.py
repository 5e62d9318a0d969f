"""The curves of the report on a loss: inside its page, and as files of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from eostheory.report.json_report import write_text
from eostheory.report.plots import figure

_WIDTH, _HEIGHT, _ROW = 380, 260, 16
_COLOURS = ("#1f5fa8", "#c4500c", "#0a7a50", "#a8137a", "#8a6200", "#51555a")
_STYLE = (
    "text{font:11px system-ui,sans-serif;fill:#6b7077}text.name{fill:#50555b;font-size:12px}"
    "text.title{fill:#1d1f22;font-size:13px}.grid{stroke:#e2dfd8}.axis{fill:none;stroke:#6b7077}"
    ".line{fill:none;stroke-width:1.6;stroke-linejoin:round}"
    + "".join(
        f".line.s{k}{{stroke:{colour}}}.dots.s{k}{{fill:{colour}}}"
        for k, colour in enumerate(_COLOURS)
    )
)


def plot_of(finding: Mapping[str, Any]) -> dict[str, Any] | None:
    """What :func:`~eostheory.report.plots.figure` draws of a finding; None where it has no curves.

    The abscissa is the series ``step``, or else the first one.
    """
    series = {k: v for k, v in (finding.get("series") or {}).items() if v}
    if len(series) < 2:
        return None
    across = "step" if "step" in series else next(iter(series))
    return {
        "title": f"{finding['check']}: {finding['status']}",
        "xlabel": across,
        "series": [
            {"label": name, "x": series[across], "y": values}
            for name, values in series.items()
            if name != across
        ],
    }


def write_plots(report: Mapping[str, Any], folder: Path | str) -> list[Path]:
    """Write the curves of each finding as ``CHECK.svg`` into ``folder``; the files written.

    Raises:
        OSError: a file cannot be written.
    """
    written = []
    for finding in report["findings"]:
        plot = plot_of(finding)
        if plot is not None:
            path = Path(folder) / f"{finding['check']}.svg"
            written.append(write_text(path, standalone(plot)))
    return written


def standalone(plot: Mapping[str, Any]) -> str:
    """A plot as an SVG document that needs no page around it."""
    drawn = re.search(r"<svg[^>]*>(.*?)</svg>", figure({**plot, "title": ""}), re.S)
    inside = drawn.group(1) if drawn else '<text x="20" y="40">No data was recorded.</text>'
    names = [str(item["label"]) for item in plot["series"]]
    height = _HEIGHT + 24 + _ROW * len(names)
    legend = "".join(
        f'<path class="line s{k % len(_COLOURS)}" d="M62 {_HEIGHT + 28 + _ROW * k}h20"/>'
        f'<text x="88" y="{_HEIGHT + 32 + _ROW * k}">{escape(name)}</text>'
        for k, name in enumerate(names)
    )
    title = f'<text class="title" x="12" y="17">{escape(str(plot.get("title") or ""))}</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{2 * _WIDTH}" height="{2 * height}"><style>{_STYLE}</style>'
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>{title}'
        f'<g transform="translate(0 22)">{inside}</g>{legend}</svg>\n'
    )
