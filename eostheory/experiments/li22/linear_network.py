"""li22, figures 4 to 10: sharpness and output norm, loss and residual of several networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from eostheory.experiments.experiment import Experiment, Finding, Plot, setting
from eostheory.experiments.li22 import drawing, facts
from eostheory.experiments.li22.descent import CHOICES, PAPER, Common, descend, problem
from eostheory.experiments.li22.networks import NETWORKS
from eostheory.experiments.plots import panels
from eostheory.experiments.results import Results
from eostheory.experiments.session import Session


@dataclass(frozen=True)
class Settings(Common):
    """Of figures 4 to 10."""

    network: str = setting(
        "linear", "architecture", choices=tuple(n for n in NETWORKS if n != "resnet")
    )
    width: int = setting(20, "neurons of a hidden layer, or channels", paper="200 or 32", least=1)
    rise: float = setting(1.3, "2/eta over the sharpness at the start", least=1.0)
    steps: int = setting(600, "steps of gradient descent", least=20)


def run(settings: Settings, session: Session) -> None:
    """Descent with M at every step."""
    task = problem(settings, settings.network, settings.width, session.device)
    descend(session, "descent", task, settings.rise, settings.steps)


def draw(settings: Settings, results: Results) -> Figure:
    """(a) sharpness and |A|^2, (b) loss and |R|^2/n."""
    found = results["descent"]
    figure, (left, right) = panels(1, 2, width=4.8, height=3.2)
    drawing.output_norm(left, found, f"(a) {settings.network}: sharpness and output layer")
    drawing.residuals(right, found, "(b) loss and residual without v1")
    return figure


def findings(settings: Settings, results: Results) -> list[Finding]:
    """Figures 1 to 3's statements, on this network."""
    found = results["descent"]
    return [*facts.sharpening(found)[-1:], *facts.output_layer(found), *facts.residual(found)]


def _figure(network: str, rise: float, steps: int) -> dict[str, Any]:
    width = 32 if network.startswith("conv-") else 200
    return {"network": network, "width": width, "rise": rise, "steps": steps, "examples": 30}


EXPERIMENT = Experiment(
    name="li22/fig-4",
    title="sharpness and output norm, loss and residual without v1: a linear network, or others",
    claims=tuple(f"li22/fig-{number}" for number in range(4, 11)),
    settings=Settings,
    run=run,
    parts=lambda settings: {"descent": settings.steps + 1},
    plots=(Plot("linear", "Sharpness and |A|²; loss and |R|²/n.", draw),),
    findings=findings,
    variants={
        "quick": {"examples": 40, "steps": 200},
        "fig-5": _figure("tanh", 8.0, 300),
        "fig-6": _figure("relu", 40.0, 300),
        "fig-7": _figure("elu", 12.0, 300),
        "fig-8": _figure("conv-tanh", 2.5, 150),
        "fig-9": _figure("conv-relu", 4.0, 150),
        "fig-10": _figure("conv-elu", 2.5, 150),
        "paper": {**PAPER, "width": 200, "steps": 2000},
    },
    choices=CHOICES + " The variants fig-5 to fig-10 are the other networks of appendix B.1, as "
    "wide as printed, on few examples.",
    sweep={"width": (10, 20, 40), "rise": (1.3, 1.5, 2.0), "seed": tuple(range(5))},
)
