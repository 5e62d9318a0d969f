"""li22, figure 11: a two-layer linear network on standard Gaussian data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure

from eostheory.experiments.experiment import Experiment, Finding, Plot, setting
from eostheory.experiments.li22 import drawing, two_layers
from eostheory.experiments.li22.descent import above, crossing
from eostheory.experiments.plots import label, panels
from eostheory.experiments.results import Results
from eostheory.experiments.session import Session

ZERO = 1e-3
"""A loss below this share of the one at the start counts as zero, as it would look in the plot."""


@dataclass(frozen=True)
class Settings:
    """Of figure 11."""

    examples: int = setting(1000, "number of examples", paper=1000, least=4)
    inputs: int = setting(3072, "entries of an input", paper=3072, least=2)
    width: int = setting(200, "hidden neurons", paper=200, least=1)
    rise: float = setting(1.5, "2/eta over the sharpness at the start", least=1.0)
    steps: int = setting(120, "steps of gradient descent", least=10)
    seed: int = setting(0, "of data and initial weights", least=0)


def run(settings: Settings, session: Session) -> None:
    """Descent with the sharpness at every step."""
    if session.finished("descent") is not None:
        return
    draw = torch.Generator().manual_seed(settings.seed)
    shape = (settings.examples, settings.inputs)
    inputs = torch.randn(*shape, generator=draw, dtype=torch.float64)
    labels = 2.0 * torch.randint(0, 2, shape[:1], generator=draw).to(torch.float64) - 1
    outer, inner = two_layers.default_start(settings.width, settings.inputs, draw)
    on = session.device
    task = two_layers.TwoLayers.of(inputs.to(on), labels.to(on), outer.to(on), inner.to(on))
    eta = 2 / (settings.rise * task.sharpness(task.start))
    two_layers.descend(session, "descent", task, eta, settings.steps)


def draw(settings: Settings, results: Results) -> Figure:
    """Sharpness and loss."""
    found = results["descent"]
    figure, (left, right) = panels(1, 2)
    drawing.sharpness(left, found, "(a) sharpness")
    right.semilogy(found["step"], found["loss"], linewidth=1.0)
    label(right, "step", "loss", "(b) loss")
    return figure


def findings(settings: Settings, results: Results) -> list[Finding]:
    """Sharpening, the edge, and how soon the loss has gone."""
    found = results["descent"]
    first, loss = crossing(found), found["loss"]
    small = loss < ZERO * loss[0]
    gone = int(np.argmax(small)) if small.any() else None
    growth = float(found["sharpness"][: (first or len(loss) - 1) + 1].max() / found["sharpness"][0])
    turns = int(np.count_nonzero(np.diff(above(found))))
    return [
        Finding(
            "growth of the sharpness until 2/eta",
            "progressive sharpening can still be observed",
            growth,
            growth > 1,
        ),
        Finding(
            "crossings of 2/eta",
            "the edge of stability can still be observed",
            turns,
            # Up, down, and up again.
            turns >= 3,
        ),
        Finding(
            f"steps until the loss is below {ZERO:g} of its first value",
            "within tens of epochs the training loss converges to zero",
            "never" if gone is None else gone,
            gone is not None and gone < 100,
        ),
    ]


EXPERIMENT = Experiment(
    name="li22/fig-11",
    title="a two-layer linear network on standard Gaussian data",
    claims=("li22/fig-11",),
    settings=Settings,
    run=run,
    parts=lambda settings: {"descent": settings.steps + 1},
    plots=(Plot("gaussian", "Sharpness and loss on standard Gaussian data.", draw),),
    findings=findings,
    variants={
        "quick": {"examples": 150, "inputs": 460, "width": 30, "rise": 1.7},
        "paper": {},
    },
    choices="The step size is not printed: here 2/eta is 1.5 times the sharpness at the start. "
    "Larger steps end in an oscillation that lasts, smaller ones converge before the edge. The "
    "network has no biases.",
    sweep={"rise": (1.2, 1.5, 2.0), "seed": tuple(range(5))},
)
