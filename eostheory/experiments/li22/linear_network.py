"""li22, figure 4: a linear network with one hidden layer (table 1)."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure

from eostheory.experiments.experiment import Experiment, Finding, Plot, setting
from eostheory.experiments.li22 import drawing, facts
from eostheory.experiments.li22.descent import CHOICES, PAPER, Common, descend, problem
from eostheory.experiments.plots import panels
from eostheory.experiments.results import Results
from eostheory.experiments.session import Session


@dataclass(frozen=True)
class Settings(Common):
    """Of figure 4."""

    width: int = setting(20, "neurons of the hidden layer", paper=200, least=1)
    rise: float = setting(1.3, "2/eta over the sharpness at the start", least=1.0)
    steps: int = setting(600, "steps of gradient descent", least=20)


def run(settings: Settings, session: Session) -> None:
    """Descent with M at every step."""
    task = problem(settings, "linear", settings.width, session.device)
    descend(session, "descent", task, settings.rise, settings.steps)


def draw(settings: Settings, results: Results) -> Figure:
    """(a) sharpness and |A|^2, (b) loss and |R|^2/n."""
    found = results["descent"]
    figure, (left, right) = panels(1, 2, width=4.8, height=3.2)
    drawing.output_norm(left, found, "(a) sharpness and output layer")
    drawing.residuals(right, found, "(b) loss and residual without v1")
    return figure


def findings(settings: Settings, results: Results) -> list[Finding]:
    """Figures 1 to 3's statements, on this network."""
    found = results["descent"]
    return [*facts.sharpening(found)[-1:], *facts.output_layer(found), *facts.residual(found)]


EXPERIMENT = Experiment(
    name="li22/fig-4",
    title="a two-layer linear network: sharpness and output norm, loss and residual without v1",
    claims=("li22/fig-4",),
    settings=Settings,
    run=run,
    parts=lambda settings: {"descent": settings.steps + 1},
    plots=(Plot("linear", "Sharpness and |A|²; loss and |R|²/n.", draw),),
    findings=findings,
    variants={
        "quick": {"examples": 40, "steps": 200},
        "paper": {**PAPER, "width": 200, "steps": 2000},
    },
    choices=CHOICES,
    sweep={"width": (10, 20, 40), "rise": (1.3, 1.5, 2.0), "seed": tuple(range(5))},
)
