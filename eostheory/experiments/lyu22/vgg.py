"""lyu22, figure 2: a scale-invariant VGG whose test accuracy rises while its sharpness falls."""

from __future__ import annotations

from dataclasses import dataclass

from eostheory.experiments.data import Data
from eostheory.experiments.experiment import setting
from eostheory.experiments.lyu22.network_panels import Printed
from eostheory.experiments.lyu22.scale_invariant import SHORT, Common, figure
from eostheory.experiments.normalized import CONFIGURATION_A, VGG

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


def network(settings: Settings, data: Data) -> VGG:
    """For the images at hand."""
    channels, side = data.inputs.shape[1:3]
    return VGG(channels, side, settings.width, data.classes, settings.plan)


EXPERIMENT = figure(
    2,
    "a scale-invariant VGG",
    Settings,
    network,
    Printed("about 680", "69.1 %", "72.0 % at 47k steps, then 84.3 %", early=True),
    claims=("lyu22/fig-2", "lyu22/fig-11"),
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
    choices="",
    sweep={"scale": (0.3, 1.0, 3.0), "decay": (0.0, 0.005, 0.01), "seed": (0, 1, 2)},
)  # fmt: skip
