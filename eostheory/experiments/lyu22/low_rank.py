"""lyu22, figure 1: matrix completion with batch normalization finds the low rank at the edge."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from eostheory.experiments.experiment import Experiment, Finding, Plot, setting
from eostheory.experiments.lyu22.matrix_completion import (
    SINGULAR,
    UNSAID,
    Array,
    Common,
    edge,
    four_panels,
)
from eostheory.experiments.lyu22.printed import beside, edge_start
from eostheory.experiments.plots import COLOURS, label, panels
from eostheory.experiments.results import Results
from eostheory.experiments.session import Session
from eostheory.training import gradient_descent

COARSE = 20
"""Steps between records of all draws but the first."""


@dataclass(frozen=True)
class Settings(Common):
    """Of figure 1."""

    observations: int = setting(800, "known entries of the matrix", paper=800, least=1)
    steps: int = setting(20_000, "steps of gradient descent", least=100, most=10_000_000)
    every: int = setting(20, "steps between records of the first draw", least=1)
    draws: int = setting(
        10, "draws of matrix, entries and start, by their seeds 0, 1, ...", least=1, most=999
    )


def parts(settings: Settings) -> dict[str, int]:
    """The first draw, whose sharpness is measured, and the others, side by side."""
    found = {"draw-0": settings.steps // settings.every + 1}
    return found | ({"others": settings.steps // COARSE + 1} if settings.draws > 1 else {})


def run(settings: Settings, session: Session) -> None:
    """Descent on each draw."""
    for part, rows in parts(settings).items():
        if session.finished(part) is not None:
            continue
        first = part == "draw-0"
        seeds = range(1) if first else range(1, settings.draws)
        problem = settings.problem(seeds, settings.observations, session.device)
        with session.follow(part, rows):
            gradient_descent(
                problem.objective(),
                problem.start,
                settings.eta,
                settings.steps,
                decay=settings.decay,
                every=settings.every if first else COARSE,
                measure=("sharpness", "spherical") if first else (),
                scale_invariant=True,
                tracker=settings.tracker(),
                observe=problem.observed(SINGULAR if first else 3),
                **session.recording(part, checkpoint_every=2000),
            )


class Draw(NamedTuple):
    """What is recorded of every draw."""

    step: Array
    train: Array
    test: Array
    second: Array
    third: Array


def draws(settings: Settings, results: Results) -> list[Draw]:
    """The draws that were run; of those side by side each has its own columns."""
    names = ("train loss", "test loss", "s2", "s3")
    found = results["draw-0"]
    read = [Draw(found["step"], *(found[name] for name in names))]
    if "others" in set(results):
        others = results["others"]
        # A single other draw has no place in the names of its columns.
        ends = [f" {i}" for i in range(settings.draws - 1)] if settings.draws > 2 else [""]
        read += [Draw(others["step"], *(others[n + end] for n in names)) for end in ends]
    return read


def draw(settings: Settings, results: Results) -> Figure:
    """The panels of the figure, of the first draw."""
    return four_panels(settings, results["draw-0"])


def draw_all(settings: Settings, results: Results) -> Figure:
    """Test losses of all draws, and where the paper's begins and ends."""
    figure, (left, right) = panels(1, 2, width=4.6)
    for number, one in enumerate(draws(settings, results)):
        width, colour = 1.6 if number == 0 else 0.7, COLOURS[number % 7]
        left.semilogy(one.step, one.test, linewidth=width, color=colour)
        right.plot(one.step, one.second - one.third, linewidth=width, color=colour)
    for value in (1.12, 0.013):
        left.axhline(value, color="black", linewidth=0.7, linestyle=":")
    label(left, "step", "test loss", "Test loss of every draw (dotted: the paper's 1.12, 0.013)")
    label(right, "step", "", "Second less third singular value")
    return figure


def findings(settings: Settings, results: Results) -> list[Finding]:
    """The numbers of the caption, over the draws, and what happens at the edge."""
    read = draws(settings, results)
    starts = [edge_start(one.train) for one in read]
    begun = [(one, s) for one, s in zip(read, starts, strict=True) if s is not None]
    steps = [
        math.inf if s is None else float(one.step[s]) for one, s in zip(read, starts, strict=True)
    ]
    falls = sum(float(one.test[-1]) < float(one.test[s]) for one, s in begun)
    widens = sum(
        float(one.second[-1] - one.third[-1]) > float(one.second[s] - one.third[s])
        for one, s in begun
    )
    late = len(read) - len(begun)
    missing = f"{late} draws have not reached the edge: take more steps" if late else ""
    found = [
        beside(
            settings, "test loss before the edge", "1.12", (1.115, 1.125),
            [
                math.inf if s is None else float(one.test[max(s - 1, 0)])
                for one, s in zip(read, starts, strict=True)
            ],
        ),
        beside(
            settings, "test loss at the end", "0.013", (0.0125, 0.0135),
            [
                math.inf if s is None else float(one.test[-1])
                for one, s in zip(read, starts, strict=True)
            ],
            "most draws go on falling: the text does not say after how many steps",
        ),
        beside(settings, "step at which the edge begins", "about 2k", (1500, 2500), steps),
        Finding(
            "draws whose test loss falls from there to the end",
            "decreases",
            f"{falls} of {len(read)}",
            falls == len(read) if len(begun) == len(read) else None,
            missing,
        ),
        Finding(
            "draws in which the second singular value leaves the third further behind",
            "the gap is enlarged: low rank",
            f"{widens} of {len(read)}",
            widens == len(read) if len(begun) == len(read) else None,
            missing,
        ),
    ]  # fmt: skip
    return found + _sharpness(settings, results, starts[0])


def _sharpness(settings: Settings, results: Results, start: int | None) -> list[Finding]:
    """The spherical sharpness of the first draw from the edge on."""
    name = "spherical sharpness, at the end over at the beginning of the edge"
    if start is None:
        return [Finding(name, "drops significantly", "never", None, "take more steps")]
    found = results["draw-0"]
    known = np.isfinite(found["spherical sharpness"])
    known[:start] = False
    sharpness = found["spherical sharpness"][known]
    ratio = sharpness / edge(settings, found["length"][known])
    fall = float(sharpness[-1] / sharpness[0])
    low, high = np.quantile(ratio, [0.05, 0.95])
    return [
        Finding(name, "drops significantly", fall, fall < 1),
        Finding(
            "spherical sharpness over 2 / effective rate at the edge, median",
            "roughly 1",
            float(np.median(ratio)),
            # It follows 2 / effective rate where it is off by less than it falls.
            bool(max(high, 1 / low) < 1 / fall),
            f"nine tenths lie in {low:.3g} to {high:.3g}",
        ),
    ]


EXPERIMENT = Experiment(
    name="lyu22/fig-1",
    title="matrix completion with batch normalization: rank and test loss fall at the edge",
    claims=("lyu22/fig-1", "lyu22/appP1.lowrank"),
    settings=Settings,
    run=run,
    parts=parts,
    plots=(
        Plot("panels", "The panels of figure 1, of the first draw.", draw),
        Plot("draws", "Test loss and gap of singular values of every draw.", draw_all),
    ),
    findings=findings,
    variants={
        "quick": {
            "side": 16, "observations": 128, "decay": 0.05, "steps": 600, "draws": 3, "every": 20,
        },
    },
    choices=UNSAID + ", nor how many steps there are. Numbers are over draws of the matrix, of the "
    "known entries and of the start.",
    sweep={"spread": (0.5, 1.0, 2.0), "precision": ("float32", "float64")},
)  # fmt: skip
