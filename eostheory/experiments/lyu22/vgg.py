"""lyu22, figure 2: a scale-invariant VGG whose test accuracy rises while its sharpness falls."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure

from eostheory.experiments.experiment import Experiment, Finding, Plot, setting
from eostheory.experiments.lyu22 import scale_invariant
from eostheory.experiments.lyu22.scale_invariant import SHORT, UNSAID, Common
from eostheory.experiments.normalized import CONFIGURATION_A, VGG
from eostheory.experiments.results import Results
from eostheory.experiments.session import Session

SMALL = (1, 0, 2, 0, 4, 4, 0)
"""The plan for images of side 8, which can be halved thrice."""


@dataclass(frozen=True)
class Settings(Common):
    """Of figure 2."""

    width: int = setting(4, "channels of the first convolution", paper=64, least=1)
    plan: tuple[int, ...] = setting(
        SMALL, "channels by layer as multiples of the width, 0 for mean pooling",
        paper=str(CONFIGURATION_A), least=0,
    )  # fmt: skip
    steps: int = setting(1200, "steps of gradient descent", paper=75_000, least=10, most=10_000_000)


def run(settings: Settings, session: Session) -> None:
    """Full-batch descent of the network."""
    scale_invariant.run(
        settings,
        settings.steps,
        lambda data: VGG(
            data.inputs.shape[1], data.inputs.shape[2], settings.width, data.classes, settings.plan
        ),
        session,
    )


def draw(settings: Settings, results: Results) -> Figure:
    """The panels of the figure."""
    return scale_invariant.draw(settings, results)


def findings(settings: Settings, results: Results) -> list[Finding]:
    """What figures 2 and 11 show."""
    printed = ("about 680", "69.1 %", "72.0 % at 47k steps, then 84.3 %")
    return scale_invariant.findings(settings, results, printed, True)


EXPERIMENT = Experiment(
    name="lyu22/fig-2",
    title="a scale-invariant VGG: test accuracy rises while the spherical sharpness falls",
    claims=("lyu22/fig-2", "lyu22/fig-11"),
    settings=Settings,
    run=run,
    parts=lambda settings: {"descent": settings.steps // settings.every + 1},
    plots=(Plot("panels", "The panels of figure 2; dotted: all training images fitted.", draw),),
    findings=findings,
    variants={
        "quick": {
            "examples": 40, "batch": 40, "tests": 1000, "width": 2, "plan": (1, 0, 2, 0, 2, 0),
            "decay": 0.05, "steps": 300, "every": 20,
        },
        "paper": {
            **SHORT, "width": 64, "plan": CONFIGURATION_A, "steps": 75_000, "every": 100,
            "precision": "float32",
        },
    },
    choices=UNSAID + ".",
    sweep={"scale": (0.3, 1.0, 3.0), "decay": (0.0, 0.005, 0.01), "seed": (0, 1, 2)},
)  # fmt: skip
