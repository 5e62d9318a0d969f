"""damian23, figure 2: the four stages of the edge of stability on the loss of appendix B."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eostheory.experiments.experiment import Experiment, Finding, Plot, setting
from eostheory.experiments.plots import COLOURS, EDGE, label, legend, panels
from eostheory.experiments.results import Results
from eostheory.experiments.session import Session
from eostheory.numeric.toys import damian_toy
from eostheory.training import gradient_descent

Array = npt.NDArray[np.float64]
STAGES = ("progressive sharpening", "blowup", "self-stabilization", "return to stability")


@dataclass(frozen=True)
class Settings:
    """Of figure 2."""

    eta: float = setting(0.1, "learning rate", least=1e-6)
    alpha: float = setting(1.0, "progressive sharpening coefficient", least=1e-9)
    beta: float = setting(1.0, "squared length of the gradient of the sharpness", least=1e-9)
    x: float = setting(0.1, "coordinate along the top eigenvector at the start")
    y: float = setting(-2.0, "at the start the sharpness is 2/eta + sqrt(beta) y")
    steps: int = setting(160, "steps of gradient descent", least=10, most=100_000)


def run(settings: Settings, session: Session) -> None:
    """Gradient descent on the loss as autograd sees it, measured at every step."""
    if session.finished("descent") is not None:
        return
    toy = damian_toy(settings.eta, settings.alpha, settings.beta)
    start = torch.tensor([settings.x, settings.y, 0.0], dtype=torch.float64)
    with session.follow("descent", settings.steps + 1):
        gradient_descent(
            toy,
            start,
            settings.eta,
            settings.steps,
            measure=["sharpness"],
            observe={"x": lambda _, w: float(w[0]), "y": lambda _, w: float(w[1])},
            **session.recording("descent", checkpoint_every=200),
        )


def stages(x: Array, sharpness: Array, edge: float) -> Array:
    """The stage, 1 to 4, of each step (section 4.1): the sharpness is below or above the edge, and
    rises or falls; above it ``|x|`` grows, below it ``|x|`` shrinks."""
    rises = np.diff(sharpness, append=2 * sharpness[-1] - sharpness[-2]) > 0
    above = sharpness > edge
    found: Array = np.where(above, np.where(rises, 2, 3), np.where(rises, 1, 4)).astype(np.float64)
    return found


def _read(settings: Settings, results: Results) -> tuple[Array, Array, Array, Array]:
    found = results["descent"]
    x, sharpness = found["x"], found["sharpness"]
    return found["step"], x, sharpness, stages(x, sharpness, 2 / settings.eta)


def draw(settings: Settings, results: Results) -> Figure:
    """Sharpness and x over the steps, the stages shaded."""
    step, x, sharpness, stage = _read(settings, results)
    figure, (top, bottom) = panels(2, 1, width=6.0, height=2.4)
    for axes, values in ((top, sharpness), (bottom, x)):
        axes.plot(step, values, color="black", linewidth=1.2)
        shade(axes, step, stage)
    top.axhline(2 / settings.eta, **EDGE)
    label(top, "", "sharpness", "The four stages of edge of stability")
    label(bottom, "step", "displacement along u")
    legend(bottom, loc="upper left")
    return figure


def shade(axes: Axes, step: Array, stage: Array) -> None:
    """Colour the steps by their stage, each named once."""
    begins = [0, *(np.flatnonzero(np.diff(stage)) + 1)]
    named: set[int] = set()
    for begin, end in zip(begins, [*begins[1:], len(step) - 1], strict=True):
        number = int(stage[begin])
        name = "_" if number in named else f"{number}: {STAGES[number - 1]}"
        named.add(number)
        axes.axvspan(
            step[begin], step[end], color=COLOURS[number - 1], alpha=0.25, linewidth=0, label=name
        )


def findings(settings: Settings, results: Results) -> list[Finding]:
    """Whether the stages come in order, and come again."""
    _, x, _, stage = _read(settings, results)
    # For this loss the curvature along u is 2/eta + sqrt(beta) y; off x = 0 the top eigenvalue is
    # a little larger.
    above = results["descent"]["y"][:-1] > 0
    order = [int(a) for a, b in zip(stage, np.append(stage[1:], 0), strict=True) if a != b]
    in_order = all(b == a % 4 + 1 for a, b in pairwise(order))
    grows = np.diff(np.abs(x)) > 0
    delta = (2 * settings.alpha / settings.beta) ** 0.5
    least = np.sqrt(settings.beta) * results["descent"]["y"].min()
    rising = np.flatnonzero(np.diff(above.astype(np.int8)) == 1)
    return [
        Finding(
            "order of the stages",
            "1, 2, 3, 4, then 1 again",
            _listed(order),
            in_order if not in_order or len(order) > 4 else None,
            "" if len(order) > 4 else "the run ends within the first cycle: take more steps",
        ),
        Finding(
            "share of the steps with y > 0 in which |x| grows",
            "all: it grows exponentially (stage 2)",
            _share(grows, above),
            bool(grows[above].all()) if above.any() else None,
            f"of {int(above.sum())} steps",
        ),
        Finding(
            "share of the steps with y < 0 in which |x| shrinks",
            "all: it shrinks exponentially (stage 4)",
            _share(~grows, ~above),
            bool((~grows)[~above].all()) if (~above).any() else None,
            f"of {int((~above).sum())} steps; eq. (3) says so where the sharpness is above zero: "
            f"the least is {1 + float(least) * settings.eta / 2:.3g} of 2/eta",
        ),
        Finding(
            "steps from one rise above 2/eta to the next",
            "not printed",
            float(np.diff(rising).mean()) if len(rising) > 1 else "more than are run",
            None,
            f"{max(0, len(rising) - 1)} whole cycles",
        ),
        Finding("largest |x| over delta", "not printed", float(np.abs(x).max()) / delta, None),
        Finding(
            "largest sharpness over 2/eta",
            "not printed",
            float(results["descent"]["sharpness"].max()) * settings.eta / 2,
            None,
        ),
    ]


def _share(held: npt.NDArray[np.bool_], where: npt.NDArray[np.bool_]) -> float:
    return float(held[where].mean()) if where.any() else float("nan")


def _listed(order: list[int]) -> str:
    shown = ", ".join(map(str, order[:9]))
    return shown + (", ..." if len(order) > 9 else "")


EXPERIMENT = Experiment(
    name="damian23/fig-2",
    title="the four stages of the edge of stability on a simple loss",
    claims=("damian23/fig-2",),
    settings=Settings,
    run=run,
    parts=lambda settings: {"descent": settings.steps + 1},
    plots=(Plot("stages", "Sharpness and displacement of gradient descent, by stage.", draw),),
    findings=findings,
    variants={"quick": {"steps": 100}},
    choices="The paper gives the loss, but neither its coefficients, nor the learning rate, nor "
    "where the figure starts. Any start off the top eigenvector's zero gives the same cycle; "
    "smaller |x| makes it larger (figure 3). Eq. (3) in steps is no ODE: each cycle is larger than "
    "the one before, the more so the larger eta, until the sharpness falls below zero and the run "
    "diverges (with eta = 0.2 in the first cycle).",
    sweep={"x": (0.01, 0.1, 0.3), "eta": (0.05, 0.1, 0.2)},
)
