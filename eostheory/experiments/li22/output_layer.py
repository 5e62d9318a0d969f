"""li22, figure 2: sharpness and norm of the output layer move together, save at anomalies."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure
from torch import Tensor

from eostheory.curvature import Products, Tracker
from eostheory.experiments.experiment import Experiment, Finding, Plot, setting
from eostheory.experiments.li22 import drawing, facts
from eostheory.experiments.li22.descent import (
    CHECKPOINT,
    CHOICES,
    PAPER,
    Common,
    Problem,
    crossing,
    descend,
    problem,
)
from eostheory.experiments.li22.networks import NETWORKS
from eostheory.experiments.plots import panels
from eostheory.experiments.results import Results
from eostheory.experiments.session import Session
from eostheory.experiments.settings import SettingError
from eostheory.training import gradient_descent


@dataclass(frozen=True)
class Settings(Common):
    """Of figure 2."""

    examples: int = setting(60, "number of examples, half of each class", paper=1000, least=4)
    networks: tuple[str, ...] = setting(
        ("linear", "tanh", "resnet"), "one panel each", paper="names of ResNet18 only",
        choices=NETWORKS,
    )  # fmt: skip
    widths: tuple[int, ...] = setting((20, 40, 4), "of each network", paper="200, 200, 64", least=1)
    rises: tuple[float, ...] = setting(
        (1.5, 40.0, 1.5), "2/eta over the sharpness at the start, of each network", least=1.0
    )
    steps: tuple[int, ...] = setting(
        (600, 400, 80), "steps of gradient descent, of each network", least=1
    )


def run(settings: Settings, session: Session) -> None:
    """Descent on each network; the sharpness is that of M, for the ResNet that of the Hessian."""
    several = (settings.widths, settings.rises, settings.steps)
    if any(len(values) != len(settings.networks) for values in several):
        raise SettingError("widths, rises and steps need a value for each of the networks")
    for kind, width, rise, steps in zip(settings.networks, *several, strict=True):
        if session.finished(kind) is None:
            task = problem(settings, kind, width, session.device)
            if kind == "resnet":
                _hessian(session, kind, task, rise, steps)
            else:
                descend(session, kind, task, rise, steps)


def _hessian(session: Session, part: str, task: Problem, rise: float, steps: int) -> None:
    """Batch norm mixes the examples: as the paper does, the top eigenvalue of the Hessian."""
    with Products(task.objective, task.start) as products:
        edge = rise * float(Tracker(1, repeated="keep")(products).values[0])

    def constant(_: int, __: Tensor) -> float:
        return edge

    with session.follow(part, steps + 1):
        gradient_descent(
            task.objective,
            task.start,
            2 / edge,
            steps,
            measure=("sharpness", "output"),
            observe={"edge": constant},
            **session.recording(part, checkpoint_every=CHECKPOINT),
        )


def draw(settings: Settings, results: Results) -> Figure:
    """A panel for each network."""
    figure, axes = panels(1, len(settings.networks), width=4.6, height=3.0)
    for one, kind, letter in zip(axes, settings.networks, "abcdefgh", strict=False):
        drawing.output_norm(one, results[kind], f"({letter}) {kind}")
    return figure


def findings(settings: Settings, results: Results) -> list[Finding]:
    """The share of anomalies, and where they are."""
    found = []
    for kind in settings.networks:
        records = results[kind]
        reached = crossing(records) is not None
        found.append(
            Finding(
                f"{kind}: largest sharpness over 2/eta",
                "reaches 2/eta",
                float((records["sharpness"] / records["edge"]).max()),
                reached,
                "" if reached else facts.NEVER,
            )
        )
        found += facts.output_layer(records, kind)
    return found


EXPERIMENT = Experiment(
    name="li22/fig-2",
    title="sharpness and norm of the output layer, with the steps at which they move apart",
    claims=("li22/fig-2",),
    settings=Settings,
    run=run,
    parts=lambda settings: {
        kind: steps + 1 for kind, steps in zip(settings.networks, settings.steps, strict=False)
    },
    plots=(Plot("output-layer", "Sharpness and |A|² along training; anomalies marked.", draw),),
    findings=findings,
    variants={
        "quick": {
            "examples": 20,
            "steps": (150, 100, 20),
            "widths": (20, 20, 2),
            "rises": (1.5, 20.0, 1.15),
        },
        "paper": {**PAPER, "widths": (200, 200, 64), "steps": (2000, 2000, 1000)},
    },
    choices=CHOICES + " Of the panels only the ResNet18 is named. Here batch norm takes the "
    "statistics of the full batch, and a small ResNet with two stages stands for ResNet18.",
    sweep={"seed": tuple(range(5)), "inputs": ("raw", "centred", "standardized")},
)
