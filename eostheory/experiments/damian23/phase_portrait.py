"""damian23, figure 3: closed curves of the ODE (4), and the four stages on one of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from scipy.integrate import solve_ivp

from eostheory.experiments.damian23.four_stages import STAGES
from eostheory.experiments.experiment import Experiment, Finding, Plot, setting
from eostheory.experiments.plots import COLOURS, label, legend, panels
from eostheory.experiments.results import Results
from eostheory.experiments.session import Session
from eostheory.experiments.settings import SettingError

Array = npt.NDArray[np.float64]
ACCURACY = 1e-11
"""Relative error that the integrator allows itself in a step."""

STEP = 0.05
"""Longest step, in units of the time in which Y changes by the root of alpha."""


@dataclass(frozen=True)
class Settings:
    """Of figure 3."""

    alpha: float = setting(1.0, "progressive sharpening coefficient", paper=1, least=1e-9)
    beta: float = setting(1.0, "squared length of grad S", paper=1, least=1e-9)
    starts: tuple[float, ...] = setting((0.01, 0.05, 0.2, 0.6, 1.0), "values of X(0)", least=1e-12)
    points: int = setting(400, "points recorded of each curve", least=50, most=1_000_000)


def part_of(start: float) -> str:
    """The name of the part with the curve from ``X(0) = start``."""
    return f"start-{start:g}"


def _rows(settings: Settings) -> int:
    return settings.points // 2 * 2


def _curve(settings: Settings, start: float) -> dict[str, Array]:
    """One turn of the ODE from (X(0), 0), until Y rises through zero again."""

    def field(_: float, state: Array) -> list[float]:
        x, y = state
        return [x * y, settings.alpha - settings.beta * x * x / 2]

    delta = math.sqrt(2 * settings.alpha / settings.beta)
    if not start < delta:
        raise SettingError(f"starts has {start}, expected X(0) below delta = {delta:.4g}")

    def level(_: float, state: Array) -> float:
        return float(state[1])

    level.terminal = True  # type: ignore[attr-defined]
    state, begin, times, values = np.array([start, 0.0]), 0.0, [], []
    # Y falls through zero where X is largest, and rises through it where the turn is complete.
    for sense in (-1.0, 1.0):
        level.direction = sense  # type: ignore[attr-defined]
        found = solve_ivp(
            field,
            (begin, math.inf),
            state,
            method="DOP853",
            rtol=ACCURACY,
            atol=ACCURACY * start,
            events=level,
            dense_output=True,
            max_step=STEP / math.sqrt(settings.alpha),
        )
        points = settings.points // 2
        time = np.linspace(begin, found.t[-1], points)
        times.append(time)
        values.append(found.sol(time))
        state, begin = found.y[:, -1], float(found.t[-1])
    x, y = np.concatenate(values, axis=1)
    return {"time": np.concatenate(times), "X": x, "Y": y}


def run(settings: Settings, session: Session) -> None:
    """One curve for each start."""
    for start in settings.starts:
        part = part_of(start)
        if session.finished(part) is None:
            with session.follow(part, _rows(settings)):
                session.store(part, _curve(settings, start))


def stages(settings: Settings, x: Array, y: Array) -> Array:
    """The stage, 1 to 4, at each point: which of X and Y grow."""
    sharper = settings.alpha - settings.beta * x**2 / 2 > 0
    found: Array = np.where(y > 0, np.where(sharper, 2, 3), np.where(sharper, 1, 4))
    return found


def draw(settings: Settings, results: Results) -> Figure:
    """Curves by start, and the smallest start's by stage."""
    figure, (left, right) = panels(1, 2, width=4.6, height=4.0)
    delta = math.sqrt(2 * settings.alpha / settings.beta)
    for start in settings.starts:
        found = results[part_of(start)]
        left.plot(found["X"], found["Y"], linewidth=1.2, label=f"X(0) = {start:g}")
    left.plot([delta], [0], "k*", label="fixed point")
    label(left, "X", "Y", "The effect of X(0)")
    legend(left, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)
    found = results[part_of(min(settings.starts))]
    stage = stages(settings, found["X"], found["Y"])
    for number, name in enumerate(STAGES, 1):
        here = np.where(stage == number, 1.0, np.nan)
        # The end of one stage is the beginning of the next: no gap between their arcs.
        here[1:] = np.where(stage[:-1] == number, 1.0, here[1:])
        right.plot(
            found["X"] * here, found["Y"] * here, color=COLOURS[number - 1], linewidth=2,
            label=f"{number}: {name}",
        )  # fmt: skip
    label(right, "X", "Y", "The four stages")
    legend(right, loc="center")
    return figure


def findings(settings: Settings, results: Results) -> list[Finding]:
    """Whether curves close, grow as X(0) falls, and go through the stages in order."""
    order = sorted(settings.starts)
    ends = {s: float(results[part_of(s)]["X"][-1]) for s in order}
    gaps = [abs(ends[s] - s) / s for s in order]
    largest = [float(np.max(np.abs(results[part_of(s)]["Y"]))) for s in order]
    passed = set()
    for start in order:
        found = results[part_of(start)]
        stage = stages(settings, found["X"], found["Y"])[1:-1]
        passed.add((int(stage[0]), *(int(b) for a, b in pairwise(stage) if a != b)))
    turns = [float(results[part_of(s)]["time"][-1]) for s in order]
    allowed = [gap_allowed(t) for t in turns]
    sizes = ", ".join(f"{s:g}: {y:.3g}" for s, y in zip(order, largest, strict=True))
    times = ", ".join(f"{s:g}: {t:.3g}" for s, t in zip(order, turns, strict=True))
    return [
        Finding(
            "the curves close: largest relative gap after a turn",
            "closed curves (the quantity of Lemma 3 is conserved)",
            max(gaps),
            all(gap <= most for gap, most in zip(gaps, allowed, strict=True)),
        ),
        Finding(
            "largest |Y| of the curve of the least X(0), over that of the greatest",
            "smaller X(0)'s correspond to larger curves",
            largest[0] / largest[-1],
            bool(np.all(np.diff(largest) < 0)) if len(order) > 1 else None,
            f"largest |Y| by X(0): {sizes}",
        ),
        Finding(
            "stages along each curve, from X(0) on",
            "the four stages correspond to different parts of the curve",
            "; ".join(" ".join(map(str, p)) for p in sorted(passed)),
            passed <= {(2, 3, 4, 1), (1, 2, 3, 4, 1)},
        ),
        Finding(
            "duration of a turn from the least X(0)",
            "not printed",
            turns[0],
            None,
            f"by X(0): {times}",
        ),
    ]


def gap_allowed(duration: float) -> float:
    """Relative gap that a closed curve may show after a turn.

    Errors of the steps add up, and a difference in Y shows in log X times the duration of a turn.
    """
    return ACCURACY * duration / STEP * max(1.0, duration)


EXPERIMENT = Experiment(
    name="damian23/fig-3",
    title="closed curves of the ODE that models |x| and y",
    claims=("damian23/fig-3.left", "damian23/fig-3.right"),
    settings=Settings,
    run=run,
    parts=lambda settings: {part_of(start): _rows(settings) for start in settings.starts},
    plots=(Plot("portrait", "Curves of the ODE (4); the four stages on the largest.", draw),),
    findings=findings,
    variants={"quick": {"starts": (0.05, 0.2, 0.8), "points": 200}},
    choices="The values of X(0) are not printed. All curves start with Y(0) = 0, where the "
    "sharpness has just reached 2/eta.",
    sweep={"starts": ((0.001, 0.01, 0.1), (0.05, 0.2, 0.8), (0.3, 0.9, 1.3))},
)
