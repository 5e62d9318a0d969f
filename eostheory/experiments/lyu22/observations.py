"""lyu22, figure 7: matrix completion with batch normalization from few and from many entries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from eostheory.experiments.experiment import Experiment, Finding, Plot, setting
from eostheory.experiments.lyu22.matrix_completion import (
    UNSAID,
    Common,
    edge,
    sharpness,
)
from eostheory.experiments.plots import COLOURS, label, legend, panels
from eostheory.experiments.results import Results
from eostheory.experiments.session import Session
from eostheory.training import Records, gradient_descent


@dataclass(frozen=True)
class Settings(Common):
    """Of figure 7."""

    observations: tuple[int, ...] = setting(
        (400, 800, 1200, 1600), "known entries of the matrix, one run for each number",
        paper="400 to 1600", least=1,
    )  # fmt: skip
    steps: int = setting(5000, "steps of gradient descent", least=100, most=10_000_000)
    every: int = setting(20, "steps between records", least=1)
    seed: int = setting(0, "of the matrix, the entries and the start", least=0)


def _part(count: int) -> str:
    return f"entries-{count}"


def parts(settings: Settings) -> dict[str, int]:
    """One run for each number of entries."""
    return {_part(n): settings.steps // settings.every + 1 for n in settings.observations}


def run(settings: Settings, session: Session) -> None:
    """Descent for each number of known entries, of the same matrix from the same start."""
    for count in settings.observations:
        part = _part(count)
        if session.finished(part) is not None:
            continue
        problem = settings.problem([settings.seed], count, session.device)
        with session.follow(part, parts(settings)[part]):
            gradient_descent(
                problem.objective(),
                problem.start,
                settings.eta,
                settings.steps,
                decay=settings.decay,
                every=settings.every,
                measure=("sharpness", "spherical"),
                scale_invariant=True,
                tracker=settings.tracker(),
                observe=problem.observed(4),
                **session.recording(part, checkpoint_every=500),
            )


def fall_start(settings: Settings, read: Records) -> int | None:
    """The first row at which the spherical sharpness has fallen by a twentieth from what it was
    where it met 2 / effective rate."""
    steep = read["spherical sharpness"]
    met = steep > edge(settings, read["length"])
    if not met.any():
        return None
    first = int(np.argmax(met))
    fallen = steep[first:] < 0.95 * steep[first]
    return first + int(np.argmax(fallen)) if fallen.any() and first else None


def draw(settings: Settings, results: Results) -> Figure:
    """A column for each number of entries: test loss, sharpness and singular values."""
    there = [n for n in settings.observations if _part(n) in set(results)]
    figure, axes = panels(3, max(len(there), 1), width=3.2, height=2.3)
    for column, count in enumerate(there):
        top, middle, bottom = axes[column :: len(there)]
        found = results[_part(count)]
        top.plot(found["step"], found["test loss"], linewidth=1.0)
        label(top, "", "" if column else "test loss", f"{count} observations")
        sharpness(middle, settings, found)
        label(middle, "", "")
        for index in range(4):
            colour = COLOURS[0] if index < settings.rank else COLOURS[1]
            bottom.plot(found["step"], found[f"s{index + 1}"], linewidth=0.9, color=colour)
        label(bottom, "step", "" if column else "first four singular values")
        if column == 0:
            legend(middle)
        start = fall_start(settings, found)
        if start is not None:
            for one in (top, middle, bottom):
                one.axvline(found["step"][start], color="black", linewidth=0.6, linestyle=":")
    return figure


def findings(settings: Settings, results: Results) -> list[Finding]:
    """Whether test loss and sharpness begin to fall together, for each number of entries."""
    found = []
    for count in settings.observations:
        read = results[_part(count)]
        start = fall_start(settings, read)
        if start is None:
            name = f"{count} entries: the edge"
            found.append(Finding(name, "is reached", "not reached", None, "take more steps"))
        else:
            found += _at_edge(count, read, start)
    return found


def _at_edge(count: int, read: Records, start: int) -> list[Finding]:
    step, test = read["step"], read["test loss"]
    # As long a stretch before the sharpness falls as after, of a fifth of the way there.
    width = max(start // 5, 2)
    before, last = max(start - width, 0), max(start - 1, 0)
    after = min(last + width, len(step) - 1)
    early, late = 1 - test[last] / test[before], 1 - test[after] / test[last]
    gap = read["s2"] - read["s3"]
    return [
        Finding(
            f"{count} entries: step at which the sharpness begins to fall",
            "the process enters the edge of stability",
            int(step[start]),
            None,
            "the paper does not say when",
        ),
        Finding(
            f"{count} entries: share of the test loss that is lost right after that",
            "starts to decrease significantly as soon as the sharpness does",
            float(late),
            bool(late > early),
            f"in {int(step[last] - step[before])} steps; in as many before {early:.2g}; agrees "
            "where it loses more after than before",
        ),
        Finding(
            f"{count} entries: test loss at the end, over that when the sharpness begins to fall",
            "decreases significantly",
            float(test[-1] / test[last]),
            bool(test[-1] < test[last]),
            f"{test[last]:.3g} to {test[-1]:.3g}",
        ),
        Finding(
            f"{count} entries: gap of second and third singular value, likewise at the end over "
            "then",
            "is enlarged",
            float(gap[-1] / gap[last]),
            bool(gap[-1] > gap[last]),
            f"{gap[last]:.3g} to {gap[-1]:.3g}",
        ),
    ]


EXPERIMENT = Experiment(
    name="lyu22/fig-7",
    title="matrix completion with batch normalization from few and from many entries",
    claims=("lyu22/fig-7",),
    settings=Settings,
    run=run,
    parts=parts,
    plots=(Plot("columns", "A column for each number of known entries.", draw),),
    findings=findings,
    variants={
        "quick": {
            "side": 16, "observations": (128, 160), "decay": 0.05, "steps": 600, "every": 20,
        },
        "paper": {"steps": 20_000},
        "figure-8": {"side": 100, "observations": (1600, 2000, 2400, 2800, 3200)},
    },
    choices=UNSAID + ", nor which numbers of entries the figure has, nor how many steps there are. "
    "The text gives figure 8 matrices of side 100, its caption of side 50: the variant figure-8 "
    "has the text's.",
    sweep={"seed": (0, 1, 2), "precision": ("float32", "float64")},
)  # fmt: skip
