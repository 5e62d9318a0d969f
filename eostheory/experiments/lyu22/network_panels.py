"""Panels and findings of the scale-invariant networks (lyu22, figures 2, 9 and 11)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from eostheory.experiments.experiment import Finding
from eostheory.experiments.plots import EDGE, label, legend, panels
from eostheory.experiments.results import Results

if TYPE_CHECKING:
    from eostheory.experiments.lyu22.scale_invariant import Common

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Printed:
    """What a figure's caption says.

    Args:
        fitted: the step at which the training images are fitted.
        then, last: the test accuracy at that step, and at the end.
        early: whether the beginning is judged too (figure 11).
    """

    fitted: str
    then: str
    last: str
    early: bool = False


def edge(settings: Common, length: Array) -> Array:
    """2 over the effective learning rate."""
    found: Array = 2 * (1 - settings.eta * settings.decay) * length**2 / settings.eta
    return found


def fitted(accuracy: Array) -> int | None:
    """The first row at which all training images are classified rightly."""
    return int(np.argmax(accuracy >= 1)) if bool((accuracy >= 1).any()) else None


def draw(settings: Common, results: Results) -> Figure:
    """The four panels of the figures, with a dotted line where the training images are fitted."""
    found = results["descent"]
    step = found["step"]
    figure, axes = panels(2, 2, width=4.6)
    a, b, c, d = axes
    a.plot(step, 100 * found["train accuracy"], label="train accuracy")
    a.plot(step, 100 * found["test accuracy"], label="test accuracy")
    label(a, "step", "%", "(a) accuracy")
    b.semilogy(step, found["spherical sharpness"], linewidth=0.9, label="spherical sharpness")
    b.semilogy(
        step, edge(settings, found["length"]), linewidth=1.2, label="2 / effective learning rate"
    )
    label(b, "step", "", "(b) spherical sharpness")
    c.semilogy(step, found["sharpness"], linewidth=0.9, label="sharpness at w")
    c.axhline(2 / settings.eta, label="2 / learning rate", **EDGE)
    label(c, "step", "", "(c) sharpness")
    d.semilogy(step, found["loss"], linewidth=0.9)
    label(d, "step", "train loss", "(d) train loss")
    row = fitted(found["train accuracy"])
    for one in axes:
        if row is not None:
            one.axvline(step[row], color="black", linestyle=":", linewidth=0.9)
    for one in (a, b, c):
        legend(one)
        one.tick_params(which="minor", labelsize=6)
    return figure


def findings(settings: Common, results: Results, printed: Printed) -> list[Finding]:
    """What the figure shows."""
    found = results["descent"]
    step, test = found["step"], found["test accuracy"]
    known = np.isfinite(found["spherical sharpness"])
    steep = found["spherical sharpness"]
    ratio = steep / edge(settings, found["length"])
    row = fitted(found["train accuracy"])
    tail = slice(-max(len(step) // 10, 1), None)
    end = float(np.median(test[tail]))
    note = "other data" if settings.data != "cifar10" else ""
    late = ratio[known][known.sum() // 2 :]
    started = [
        Finding(
            "spherical sharpness over 2 / effective rate at the start",
            "much larger than 1 (figure 11)",
            float(ratio[0]),
            bool(ratio[0] > np.quantile(late, 0.95)),
            "larger than nearly ever at the edge",
        )
    ] if printed.early else []  # fmt: skip
    rises = None if row is None else float(test[row])
    last = float(np.median(steep[known][tail]))
    tests = settings.tests or (10_000 if settings.data == "cifar10" else 1797 - settings.examples)
    error = math.sqrt(end * (1 - end) / tests)
    return [
        *started,
        Finding(
            "spherical sharpness over 2 / effective rate in the second half, median",
            "stays at the same level, about 1",
            float(np.median(late)),
            # At the same level: it is off by less than the sharpness has fallen.
            bool(np.max(np.abs(np.log(np.quantile(late, [0.05, 0.95])))) < np.log(steep[0] / last)),
            "nine tenths lie in {:.3g} to {:.3g}; agrees where that is nearer to 1 than the "
            "sharpness at the start is to the last".format(*np.quantile(late, [0.05, 0.95])),
        ),
        Finding(
            "step at which all training images are classified rightly",
            printed.fitted,
            "never" if row is None else int(step[row]),
            None,
            note or "recorded every few steps",
        ),
        Finding(
            "test accuracy then, in %",
            printed.then,
            "never" if rises is None else round(100 * rises, 1),
            None,
            note,
        ),
        Finding(
            "test accuracy at the end, in %",
            printed.last,
            round(100 * end, 1),
            None,
            note,
        ),
        Finding(
            "gain of test accuracy after the training images are fitted, in points",
            "goes on increasing",
            "never fitted" if rises is None else round(100 * (end - rises), 1),
            None if rises is None or abs(end - rises) < error else end > rises,
            f"median of the last tenth of the records; {tests} test images tell differences of "
            f"{100 * error:.1f} points",
        ),
        Finding(
            "spherical sharpness at the end over that when the training images are fitted",
            "decreases over time",
            "never fitted" if row is None else last / float(steep[row]),
            None if row is None else bool(last < steep[row]),
            "median of the last tenth of the records",
        ),
    ]
