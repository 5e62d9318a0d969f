"""How the figures of li22 are drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from eostheory.experiments.li22.descent import Array, thin
from eostheory.experiments.li22.facts import PHASES
from eostheory.experiments.plots import COLOURS, EDGE, label, legend
from eostheory.training import Records, anomalies


def beside(axes: Axes, step: Array, values: Array, name: str, colour: str, **more: Any) -> Axes:
    """A curve with an axis of its own at the right, in its colour."""
    right = axes.twinx()
    right.spines["top"].set_visible(False)
    right.tick_params(labelsize=8, colors=colour)
    right.plot(step, values, color=colour, linewidth=0.9, **more)
    right.set_ylabel(name, fontsize=9, color=colour)
    assert isinstance(right, Axes)
    return right


def sharpness(axes: Axes, found: Records, title: str = "", name: str = "sharpness") -> None:
    """Sharpness against the step, with 2/eta."""
    rows = thin(len(found[name]))
    axes.plot(found["step"][rows], found[name][rows], linewidth=1.0, label="sharpness")
    axes.axhline(found["edge"][0], label="2/eta", **EDGE)
    label(axes, "step", "sharpness", title)


def output_norm(axes: Axes, found: Records, title: str = "") -> None:
    """Sharpness and |A|^2, with a point where they move in opposite directions."""
    sharpness(axes, found, title)
    where, share = anomalies(found["sharpness"], found["output norm"])
    axes.plot(
        found["step"][where], found["sharpness"][where], ".", markersize=4, color=COLOURS[4],
        label=f"anomalies ({100 * share:.1f} %)",
    )  # fmt: skip
    rows = thin(len(found["step"]))
    beside(axes, found["step"][rows], found["output norm"][rows] ** 2, "|A|²", COLOURS[2])
    legend(axes, loc="lower right")


def residuals(axes: Axes, found: Records, title: str = "") -> None:
    """Loss and |R|^2/n."""
    rows = thin(len(found["step"]))
    for name, text in (("loss", "loss |D|²/n"), ("rest", "|R|²/n")):
        axes.semilogy(found["step"][rows], found[name][rows], linewidth=1.0, label=text)
    label(axes, "step", "", title)
    legend(axes)


def shade(axes: Axes, step: Array, phase: Any) -> None:
    """Colour the steps by their phase, each named once."""
    begins = [0, *(np.flatnonzero(np.diff(phase)) + 1)]
    named: set[int] = set()
    for begin, end in zip(begins, [*begins[1:], len(step) - 1], strict=True):
        number = int(phase[begin])
        name = "_" if number in named else f"phase {PHASES[number - 1]}"
        named.add(number)
        axes.axvspan(
            step[begin], step[end], color=COLOURS[number - 1], alpha=0.25, linewidth=0, label=name
        )
