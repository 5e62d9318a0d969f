"""damian23, figure 5: the top eigenvalues enter the edge of stability one after the other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from eostheory.curvature import Products
from eostheory.experiments.damian23.networks import NetworkSettings, problem
from eostheory.experiments.experiment import Experiment, Finding, Plot, setting
from eostheory.experiments.plots import COLOURS, EDGE, label, legend, panels
from eostheory.experiments.results import Results
from eostheory.experiments.session import Session
from eostheory.numeric.objective import Objective
from eostheory.training import gradient_descent

Array = npt.NDArray[np.float64]
PRECISIONS = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class Settings(NetworkSettings):
    """Of figure 5."""

    labels: str = setting(
        "all", "'all' classes, one output each, or 'two': one output", choices=("two", "all")
    )
    examples: int = setting(200, "examples, the first ones", least=2)
    eta: float = setting(1 / 6, "learning rate", least=1e-9)
    eigenvalues: int = setting(4, "top eigenvalues followed", least=2, most=20)
    steps: int = setting(250, "steps of gradient descent", least=20, most=1_000_000)
    precision: str = setting(
        "float32",
        "of the arithmetic: its rounding is what the oscillation grows from",
        choices=("float32", "float64"),
    )
    every: int = setting(1, "steps between two looks at the Hessian", least=1)


class Divergence:
    """How fast runs of gradient descent that begin next to each other leave each other.

    A vector v follows the linearized step ``v <- v - eta H v`` along the run; a column holds the
    logarithm of its length, whose slope is the largest Lyapunov exponent.  The run is repeated
    here, bit for bit, from its start when it is resumed.
    """

    def __init__(self, objective: Objective, start: Tensor, eta: float, seed: int) -> None:
        self.objective, self.eta = objective, eta
        draw = torch.Generator().manual_seed(seed)
        v = torch.randn(len(start), generator=draw, dtype=torch.float64).to(start)
        self._w, self._v = start, v / torch.linalg.vector_norm(v)
        self._step, self._growth = 0, 0.0

    def __call__(self, step: int, _: Tensor) -> float:
        """The logarithm of the growth up to ``step``."""
        while self._step < step:
            with Products(self.objective, self._w, step=self._step) as products:
                v = self._v - self.eta * products(self._v)
            _, gradient = self.objective.value_and_gradient(self._w)
            self._w = self._w - self.eta * gradient
            size = float(torch.linalg.vector_norm(v))
            self._growth += math.log(size)
            self._v = v / size
            self._step += 1
        return self._growth


def rows(settings: Settings) -> int:
    """Rows of the records."""
    return settings.steps // settings.every + 1


def run(settings: Settings, session: Session) -> None:
    """Gradient descent with its top eigenvalues."""
    if session.finished("descent") is not None:
        return
    objective, start = problem(settings, session.device, PRECISIONS[settings.precision])
    objective = session.share(objective)
    with session.follow("descent", rows(settings)):
        gradient_descent(
            objective,
            start,
            settings.eta,
            settings.steps,
            every=settings.every,
            measure=["sharpness"],
            k=settings.eigenvalues,
            observe={"growth": Divergence(objective, start, settings.eta, settings.seed)},
            **session.recording("descent"),
        )


def eigenvalues(settings: Settings, results: Results) -> list[Array]:
    """The eigenvalues over the rows, the largest first."""
    found = results["descent"]
    rest = [found[f"eigenvalue {i}"] for i in range(2, settings.eigenvalues + 1)]
    return [found["sharpness"], *rest]


def crossings(settings: Settings, results: Results) -> list[int | None]:
    """The row at which each eigenvalue first comes from below to 2/eta or more.

    At the initial weights some may be above: gradient descent leaves there at once.
    """
    found: list[int | None] = []
    for values in eigenvalues(settings, results):
        edge = 2 / settings.eta
        passed = np.flatnonzero((values[:-1] < edge) & (values[1:] >= edge)) + 1
        found.append(int(passed[0]) if len(passed) else None)
    return found


def draw(settings: Settings, results: Results) -> Figure:
    """Eigenvalues and loss over the steps, with a vertical line where each becomes unstable."""
    found = results["descent"]
    figure, (top, bottom) = panels(2, 1, width=6.4, height=2.6)
    step = found["step"]
    for number, values in enumerate(eigenvalues(settings, results)):
        colour = COLOURS[number % len(COLOURS)]
        top.plot(step, values, color=colour, linewidth=1.0, label=rf"$\lambda_{{{number + 1}}}$")
    bottom.semilogy(step, found["loss"], color="black", linewidth=1.0)
    for axes in (top, bottom):
        for number, row in enumerate(crossings(settings, results)):
            if row is not None:
                colour = COLOURS[number % len(COLOURS)]
                axes.axvline(step[row], color=colour, linewidth=1.0, linestyle="-.")
    top.axhline(2 / settings.eta, **EDGE)
    label(top, "", "eigenvalues of the Hessian", "Several unstable eigenvalues")
    label(bottom, "step", "training loss")
    legend(top, ncols=settings.eigenvalues)
    return figure


def findings(settings: Settings, results: Results) -> list[Finding]:
    """Whether several reach the edge, one after the other, stay there, and bring chaos."""
    found, values = results["descent"], eigenvalues(settings, results)
    step, edge = found["step"], 2 / settings.eta
    rows_ = [row for row in crossings(settings, results) if row is not None]
    at = [int(step[row]) for row in rows_]
    made = [
        Finding(
            "steps at which eigenvalues become unstable",
            "all of the top eigenvalues successively enter the edge of stability",
            ", ".join(map(str, at)) or "none",
            len(at) >= 2 and all(a < b for a, b in pairwise(at)),
            f"{len(at)} of {settings.eigenvalues} within {int(step[-1])} steps",
        )
    ]
    means = [float(v[row:].mean()) / edge for v, row in zip(values, rows_, strict=False)]
    made.append(
        Finding(
            "mean of each eigenvalue over 2/eta, once it is unstable",
            "at the edge of stability",
            ", ".join(f"{mean:.3f}" for mean in means) or "none",
            None,
            "the figure shows it, without a number",
        )
    )
    made += _chaos(found["growth"], step, values, edge, rows_)
    return made


def _chaos(
    growth: Array, step: Array, values: list[Array], edge: float, crossed: list[int]
) -> list[Finding]:
    """Growth of small differences while several eigenvalues are unstable, and while one is."""
    if not crossed:
        return []
    above = (np.stack(values) >= edge).sum(0)[crossed[0] : -1]
    rate = (np.diff(growth) / np.diff(step))[crossed[0] :]
    one, several = rate[above == 1], rate[above >= 2]
    if not (len(one) and len(several)):
        return []
    most = float(several.mean())
    return [
        Finding(
            "growth rate per step of the distance of neighbouring runs, while several eigenvalues "
            "are unstable",
            "significantly more chaotic than with one",
            most,
            most > max(float(one.mean()), 0.0),
            f"{len(several)} rows; while one is: {float(one.mean()):.3g}, {len(one)} rows",
        )
    ]


EXPERIMENT = Experiment(
    name="damian23/fig-5",
    title="several eigenvalues become unstable one after the other",
    claims=("damian23/fig-5",),
    settings=Settings,
    run=run,
    shared=True,
    parts=lambda settings: {"descent": rows(settings)},
    plots=(
        Plot(
            "eigenvalues",
            "Top eigenvalues of the Hessian and the loss; vertical lines in an eigenvalue's colour "
            "where it first passes 2/eta.",
            draw,
        ),
    ),
    findings=findings,
    variants={
        "quick": {
            "examples": 20,
            "width": 6,
            "steps": 120,
            "every": 2,
            "eigenvalues": 2,
            "eta": 0.2,
        },
        "paper": {
            "data": "cifar10",
            "examples": 5000,
            "width": 200,
            "eta": 0.02,
            "steps": 10_000,
            "eigenvalues": 4,
        },
    },
    choices="The paper says neither the network, nor the data, the learning rate or the number of "
    "eigenvalues of figure 5. Here it is the MLP of figure 4 with one output per class, so that "
    "eigenvalues lie close; the paper's variant takes the setting of its figure 1 "
    "(MLP, CIFAR-10, 2/eta = 100).",
    sweep={"seed": (0, 1, 2), "eta": (1 / 9, 1 / 6, 2 / 9)},
)
