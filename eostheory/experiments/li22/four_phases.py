"""li22, figure 1: sharpness and loss of a linear network, and the four phases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from eostheory.experiments.experiment import Experiment, Finding, Plot, setting
from eostheory.experiments.li22 import drawing, facts
from eostheory.experiments.li22.descent import (
    CHOICES,
    PAPER,
    Common,
    crossing,
    descend,
    problem,
    thin,
)
from eostheory.experiments.plots import COLOURS, label, legend, panels
from eostheory.experiments.results import Results
from eostheory.experiments.session import Session

CYCLES = 2
"""Turns through the phases that the close-up shows."""


@dataclass(frozen=True)
class Settings(Common):
    """Of figure 1."""

    hidden: int = setting(2, "hidden layers; table 1 has one", paper=2, least=1, most=9)
    width: int = setting(20, "neurons of a hidden layer", paper=200, least=1)
    rise: float = setting(5.0, "2/eta over the sharpness at the start", least=1.0)
    steps: int = setting(1000, "steps of gradient descent", least=20)


def run(settings: Settings, session: Session) -> None:
    """Descent with M at every step."""
    task = problem(settings, "linear", settings.width, session.device, settings.hidden)
    descend(session, "descent", task, settings.rise, settings.steps)


def draw(settings: Settings, results: Results) -> Figure:
    """Sharpness and loss; the phases in the first cycles."""
    found = results["descent"]
    figure, (left, right) = panels(1, 2, width=5.2, height=3.2)
    rows = thin(len(found["step"]))
    drawing.sharpness(left, found, "(a) sharpness and loss")
    over = drawing.beside(left, found["step"][rows], found["loss"][rows], "loss", COLOURS[1])
    over.set_yscale("log")
    legend(left, loc="lower right")
    phase = facts.phases(found)
    first = crossing(found) or 0
    ends = np.flatnonzero((phase[:-1] == 4) & (phase[1:] != 4))
    last = int(ends[min(CYCLES, len(ends)) - 1]) + 1 if len(ends) else len(phase) - 1
    margin = max(5, (last - first) // 6)
    window = slice(max(0, first - margin), last + margin)
    step = found["step"][window]
    right.plot(step, found["sharpness"][window], "k.-", markersize=3, linewidth=1.0)
    right.axhline(found["edge"][0], color="black", linestyle="--", linewidth=0.9)
    drawing.shade(right, step, phase[window])
    label(right, "step", "sharpness", "(b) the four phases")
    legend(right, loc="upper right")
    return figure


def findings(settings: Settings, results: Results) -> list[Finding]:
    """Sharpening, overshoot, oscillation, and the order of the phases."""
    found = results["descent"]
    return [*facts.sharpening(found), *facts.cycle(found)]


EXPERIMENT = Experiment(
    name="li22/fig-1",
    title="sharpness and loss of a linear network, and the four phases",
    claims=("li22/fig-1",),
    settings=Settings,
    run=run,
    parts=lambda settings: {"descent": settings.steps + 1},
    plots=(Plot("phases", "Sharpness and loss; the four phases of the first cycles.", draw),),
    findings=findings,
    variants={
        "quick": {"examples": 40, "steps": 250},
        "paper": {**PAPER, "width": 200, "steps": 2000},
    },
    choices=CHOICES + " The caption speaks of two hidden layers, table 1 and the text of one: "
    "here the caption counts. Phases go by the mean of the sharpness over two steps.",
    sweep={"hidden": (1, 2), "rise": (3.0, 5.0, 6.0), "seed": tuple(range(5))},
)
