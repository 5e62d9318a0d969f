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


def _part(start: float) -> str:
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
        part = _part(start)
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
        found = results[_part(start)]
        left.plot(found["X"], found["Y"], linewidth=1.2, label=f"X(0) = {start:g}")
    left.plot([delta], [0], "k*", label="fixed point")
    label(left, "X", "Y", "The effect of X(0)")
    legend(left, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)
    found = results[_part(min(settings.starts))]
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
    ends = {s: float(results[_part(s)]["X"][-1]) for s in order}
    gaps = [abs(ends[s] - s) / s for s in order]
    largest = [float(np.max(np.abs(results[_part(s)]["Y"]))) for s in order]
    passed = []
    for start in order:
        found = results[_part(start)]
        stage = stages(settings, found["X"], found["Y"])[1:-1]
        passed.append([int(stage[0]), *(int(b) for a, b in pairwise(stage) if a != b)])
    steps = [float(results[_part(s)]["time"][-1]) for s in order]
    # Errors of the steps add up, and a difference in Y shows in log X times the duration of a turn.
    allowed = [ACCURACY * t / STEP * max(1.0, t) for t in steps]
    return [
        Finding(
            "the curves close: largest relative gap after a turn",
            "closed curves (the quantity of Lemma 3 is conserved)",
            max(gaps),
            all(gap <= most for gap, most in zip(gaps, allowed, strict=True)),
        ),
        Finding(
            "smaller X(0) gives a larger curve",
            "smaller X(0)'s correspond to larger curves",
            ", ".join(f"{s:g}: |Y| <= {y:.3g}" for s, y in zip(order, largest, strict=True)),
            bool(np.all(np.diff(largest) < 0)),
        ),
        Finding(
            "stages along each curve, from X(0) on",
            "the four stages correspond to different parts of the curve",
            "; ".join(sorted({" ".join(map(str, p)) for p in passed})),
            all(p in ([2, 3, 4, 1], [1, 2, 3, 4, 1]) for p in passed),
        ),
    ]


EXPERIMENT = Experiment(
    name="damian23/fig-3",
    title="closed curves of the ODE that models |x| and y",
    claims=("damian23/fig-3.left", "damian23/fig-3.right"),
    settings=Settings,
    run=run,
    parts=lambda settings: {_part(start): _rows(settings) for start in settings.starts},
    plots=(Plot("portrait", "Curves of the ODE (4); the four stages on the largest.", draw),),
    findings=findings,
    variants={"quick": {"starts": (0.05, 0.5), "points": 200}},
    choices="The values of X(0) are not printed. All curves start with Y(0) = 0, where the "
    "sharpness has just reached 2/eta.",
    sweep={"alpha": (0.5, 1.0, 2.0)},
)
