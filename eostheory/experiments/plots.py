"""One look for all plots: drawn without a display, colours that all readers can tell apart."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from eostheory.training.checkpoint import write_atomically

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's colours, in the order in which curves take them."""

EDGE: dict[str, Any] = {"color": "#000000", "linestyle": "--", "linewidth": 0.9}
"""How the line 2/eta is drawn."""


def panels(
    rows: int, columns: int, *, width: float = 4.2, height: float = 2.9
) -> tuple[Figure, list[Axes]]:
    """A figure of ``rows`` times ``columns`` axes, the axes row by row."""
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    FigureCanvasAgg(figure)
    found = figure.subplots(rows, columns, squeeze=False)
    axes: list[Axes] = list(found.ravel())
    for one in axes:
        one.set_prop_cycle(color=COLOURS)
        one.spines[["top", "right"]].set_visible(False)
        one.tick_params(labelsize=8)
    return figure, axes


def label(axes: Axes, x: str, y: str, title: str = "") -> None:
    """Name both axes, and the panel."""
    axes.set_xlabel(x, fontsize=9)
    axes.set_ylabel(y, fontsize=9)
    if title:
        axes.set_title(title, fontsize=10)


def legend(axes: Axes, **more: Any) -> None:
    """A small legend without a frame."""
    axes.legend(fontsize=8, frameon=False, **more)


def save(figure: Figure, path: Path) -> None:
    """Write a figure, whole or not at all."""
    content = io.BytesIO()
    figure.savefig(content, format=path.suffix[1:], dpi=150)
    write_atomically(path, content.getvalue())
