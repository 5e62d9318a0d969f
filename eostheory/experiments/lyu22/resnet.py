"""lyu22, figure 9: a scale-invariant ResNet whose test accuracy rises while its sharpness falls."""

from __future__ import annotations

from dataclasses import dataclass

from eostheory.experiments.data import Data
from eostheory.experiments.experiment import setting
from eostheory.experiments.lyu22.network_panels import Printed
from eostheory.experiments.lyu22.scale_invariant import SHORT, Common, figure
from eostheory.experiments.normalized import ACTIVATIONS, ResNet


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


def network(settings: Settings, data: Data) -> ResNet:
    """For the images at hand."""
    channels, side = data.inputs.shape[1:3]
    return ResNet(
        channels, side, settings.width, data.classes, settings.blocks, settings.activation
    )


EXPERIMENT = figure(
    9,
    "a scale-invariant ResNet",
    Settings,
    network,
    Printed("about 4700", "60.8 %", "77.4 %"),
    claims=("lyu22/fig-9",),
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
    choices=" ReLU has kinks, at which the Hessian is that of one side; the activation 'swish' has "
    "none.",
    sweep={"activation": ("relu", "swish"), "scale": (0.3, 1.0, 3.0), "seed": (0, 1, 2)},
)  # fmt: skip
