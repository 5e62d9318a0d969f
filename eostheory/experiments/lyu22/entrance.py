"""lyu22, figure 12: the run of figure 1, step by step, where it enters the edge of stability."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
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
from eostheory.experiments.lyu22.printed import as_printed
from eostheory.experiments.results import Results
from eostheory.experiments.session import Session
from eostheory.training import gradient_descent


@dataclass(frozen=True)
class Settings(Common):
    """Of figure 12."""

    observations: int = setting(800, "known entries of the matrix", paper=800, least=1)
    begin: int = setting(1800, "step at which the close-up begins", paper=1800, least=0)
    steps: int = setting(600, "steps of the close-up", paper=600, least=10, most=1_000_000)
    seed: int = setting(0, "of the matrix, the entries and the start", least=0)


def parts(settings: Settings) -> dict[str, int]:
    """The way to the edge, of which only the end is kept, and the close-up."""
    return {"approach": 2, "close-up": settings.steps + 1}


def run(settings: Settings, session: Session) -> None:
    """Descent up to the close-up, and from there with every step measured."""
    if session.finished("close-up") is not None:
        return
    problem = settings.problem([settings.seed], settings.observations, session.device)
    objective = problem.objective()
    with session.follow("approach", 2):
        # Where it has ended before, it is only read.
        before = gradient_descent(
            objective,
            problem.start,
            settings.eta,
            settings.begin,
            decay=settings.decay,
            every=max(settings.begin, 1),
            measure=(),
            **session.recording("approach", checkpoint_every=1000),
        )
    with session.follow("close-up", settings.steps + 1):
        gradient_descent(
            objective,
            before.w,
            settings.eta,
            settings.steps,
            decay=settings.decay,
            measure=("sharpness", "spherical"),
            scale_invariant=True,
            tracker=settings.tracker(),
            observe=problem.observed(SINGULAR),
            **session.recording("close-up", checkpoint_every=25),
        )


def draw(settings: Settings, results: Results) -> Figure:
    """The panels of the figure."""
    return four_panels(settings, results["close-up"], settings.begin)


def findings(settings: Settings, results: Results) -> list[Finding]:
    """How often sharpness and 2 / effective rate cross, and what the train loss does meanwhile."""
    found = results["close-up"]
    train, sharpness = found["train loss"], found["spherical sharpness"]
    known = np.isfinite(sharpness)
    above = sharpness[known] > edge(settings, found["length"])[known]
    crossings = np.flatnonzero(np.diff(above))
    entered = bool(above.any())
    turns = _turns(train[known], above)
    lowest, highest = float(train.min()), float(train.max())
    rate = edge(settings, found["length"])
    note = "" if as_printed(settings) else "other settings than the paper's"
    return [
        Finding(
            "2 / effective rate crosses the spherical sharpness",
            "switches back and forth between smaller and larger",
            len(crossings),
            len(crossings) >= 2 if entered else None,
            "" if entered else "the edge is not reached: begin later",
        ),
        Finding(
            "share of the stretches between crossings in which the train loss goes the way of its "
            "sub-regime",
            "grows while 2 / effective rate is smaller, shrinks while it is larger",
            turns[0] / turns[1] if turns[1] else "no stretch",
            turns[0] > turns[1] / 2 if turns[1] else None,
            f"{turns[0]} of {turns[1]} stretches of ten steps or more; over shorter ones the "
            "oscillation of period two hides the trend; agrees where most do",
        ),
        Finding(
            "least train loss",
            "about 1e-13 (axis of the figure)",
            lowest,
            None,
            note or "the paper's precision is not known",
        ),
        Finding("largest train loss", "about 1e-3 (axis)", highest, None, note),
        Finding(
            "2 / effective rate at the beginning and at the end",
            "from above 40 to below 20 (axis)",
            f"{rate[0]:.3g} to {rate[-1]:.3g}",
            bool(rate[0] > 40 and rate[-1] < 20) if as_printed(settings) else None,
            note,
        ),
    ]


def _turns(train: Array, above: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Stretches of ten steps or more on one side, and those in which the loss grows (above) or
    shrinks (below) as it should; the pair of steps at each end is averaged."""
    cuts = [0, *(np.flatnonzero(np.diff(above)) + 1), len(above)]
    right = total = 0
    for begin, end in pairwise(cuts):
        if end - begin < 10:
            continue
        total += 1
        grows = train[end - 2 : end].mean() > train[begin : begin + 2].mean()
        right += bool(grows) == bool(above[begin])
    return right, total


EXPERIMENT = Experiment(
    name="lyu22/fig-12",
    title="matrix completion with batch normalization, close to where it enters the edge",
    claims=("lyu22/fig-12", "lyu22/appP3.subregimes"),
    settings=Settings,
    run=run,
    parts=parts,
    plots=(Plot("panels", "The panels of figure 12, every step.", draw),),
    findings=findings,
    variants={
        "quick": {"side": 16, "observations": 128, "decay": 0.05, "begin": 280, "steps": 120},
    },
    choices=UNSAID
    + ". The spherical sharpness is that of the iterate, as in the paper, not of the "
    "minimizer next to it, which the sub-regimes of section 4.2.3 are about.",
    sweep={"spread": (0.5, 1.0, 2.0), "precision": ("float32", "float64"), "seed": (0, 1, 2)},
)
