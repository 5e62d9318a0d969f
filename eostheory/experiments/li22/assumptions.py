"""li22, figure 3: the spectrum of M beside its output part, and the residual without v1."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure

from eostheory.experiments.experiment import Experiment, Finding, Plot, setting
from eostheory.experiments.li22 import drawing, facts
from eostheory.experiments.li22.descent import CHOICES, PAPER, Common, descend, problem, thin
from eostheory.experiments.li22.networks import NETWORKS
from eostheory.experiments.plots import EDGE, label, legend, panels
from eostheory.experiments.results import Results
from eostheory.experiments.session import Session


@dataclass(frozen=True)
class Settings(Common):
    """Of figure 3."""

    network: str = setting(
        "linear", "architecture", choices=tuple(n for n in NETWORKS if n != "resnet")
    )
    hidden: int = setting(2, "hidden layers of a perceptron", least=1, most=9)
    width: int = setting(20, "neurons of a hidden layer, or channels", least=1)
    rise: float = setting(5.0, "2/eta over the sharpness at the start", least=1.0)
    steps: int = setting(600, "steps of gradient descent", least=20)


def run(settings: Settings, session: Session) -> None:
    """Descent with M at every step."""
    task = problem(settings, settings.network, settings.width, session.device, settings.hidden)
    descend(session, "descent", task, settings.rise, settings.steps)


def draw(settings: Settings, results: Results) -> Figure:
    """(a) eigenvalues, (b) loss and |R|^2/n."""
    found = results["descent"]
    figure, (left, right) = panels(1, 2, width=4.8, height=3.2)
    rows = thin(len(found["step"]))
    for name, text in (
        ("sharpness", "sharpness: largest of M"),
        ("second", "second of M"),
        ("output part", "largest of M_A"),
    ):
        left.plot(found["step"][rows], found[name][rows], linewidth=1.0, label=text)
    left.axhline(found["edge"][0], label="2/eta", **EDGE)
    left.axhline(found["edge"][0] / 2, label="1/eta", **{**EDGE, "linestyle": ":"})
    label(left, "step", "eigenvalue", "(a) spectrum")
    legend(left, loc="upper right")
    drawing.residuals(right, found, "(b) loss and residual without v1")
    return figure


def findings(settings: Settings, results: Results) -> list[Finding]:
    """Assumption 3.7, the small output part, and the steady fall of R."""
    found = results["descent"]
    return [*facts.sharpening(found)[-1:], *facts.spectrum(found), *facts.residual(found)]


EXPERIMENT = Experiment(
    name="li22/fig-3",
    title="two eigenvalues of M beside its output part; loss and residual without v1",
    claims=("li22/fig-3a", "li22/fig-3b"),
    settings=Settings,
    run=run,
    parts=lambda settings: {"descent": settings.steps + 1},
    plots=(Plot("assumptions", "Eigenvalues of M and M_A; loss and |R|²/n.", draw),),
    findings=findings,
    variants={
        "quick": {"examples": 40, "steps": 200},
        "paper": {**PAPER, "width": 200, "steps": 2000},
    },
    choices=CHOICES + " The network of figure 3 is not named: here that of figure 1.",
    sweep={"hidden": (1, 2, 3), "width": (5, 20, 80), "rise": (3.0, 5.0, 6.0)},
)
