"""lyu22, figure 9: a scale-invariant ResNet whose test accuracy rises while its sharpness falls."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure

from eostheory.experiments.experiment import Experiment, Finding, Plot, setting
from eostheory.experiments.lyu22 import scale_invariant
from eostheory.experiments.lyu22.scale_invariant import SHORT, UNSAID, Common
from eostheory.experiments.normalized import ACTIVATIONS, ResNet
from eostheory.experiments.results import Results
from eostheory.experiments.session import Session


@dataclass(frozen=True)
class Settings(Common):
    """Of figure 9."""

    examples: int = setting(100, "training images; 0 for all", paper=50_000, least=0)
    batch: int = setting(100, "images that are normalized together", paper=1000, least=2)
    width: int = setting(4, "channels of the first stage", paper=16, least=1)
    blocks: int = setting(1, "blocks in each of the three stages", paper=3, least=1)
    activation: str = setting(
        "relu", "activation", paper="relu", choices=tuple(sorted(ACTIVATIONS))
    )
    steps: int = setting(1000, "steps of gradient descent", least=10, most=10_000_000)


def run(settings: Settings, session: Session) -> None:
    """Full-batch descent of the network."""
    scale_invariant.run(
        settings,
        settings.steps,
        lambda data: ResNet(
            data.inputs.shape[1],
            data.inputs.shape[2],
            settings.width,
            data.classes,
            settings.blocks,
            settings.activation,
        ),
        session,
    )


def draw(settings: Settings, results: Results) -> Figure:
    """The panels of the figure."""
    return scale_invariant.draw(settings, results)


def findings(settings: Settings, results: Results) -> list[Finding]:
    """What figure 9 shows."""
    printed = ("about 4700", "60.8 %", "77.4 %")
    return scale_invariant.findings(settings, results, printed, False)


EXPERIMENT = Experiment(
    name="lyu22/fig-9",
    title="a scale-invariant ResNet: test accuracy rises while the spherical sharpness falls",
    claims=("lyu22/fig-9",),
    settings=Settings,
    run=run,
    parts=lambda settings: {"descent": settings.steps // settings.every + 1},
    plots=(Plot("panels", "The panels of figure 9; dotted: all training images fitted.", draw),),
    findings=findings,
    variants={
        "quick": {
            "examples": 40, "batch": 40, "tests": 1000, "width": 2, "decay": 0.05, "steps": 240,
            "every": 20,
        },
        "paper": {
            **SHORT, "width": 16, "blocks": 3, "steps": 75_000, "every": 100,
            "precision": "float32",
        },
    },
    choices=UNSAID + ". ReLU has kinks, at which the Hessian is that of one side; the activation "
    "'swish' has none.",
    sweep={"activation": ("relu", "swish"), "scale": (0.3, 1.0, 3.0), "seed": (0, 1, 2)},
)  # fmt: skip
