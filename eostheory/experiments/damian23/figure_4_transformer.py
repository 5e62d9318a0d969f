"""damian23, figure 4: the predicted dynamics of a Transformer.

Not in the catalogue: on the digits the loss along u is far from quadratic where the small network
reaches the edge, and the prediction explains little more than half of the first cycle.
"""

from __future__ import annotations

from dataclasses import dataclass

from eostheory.experiments.damian23.predicted_dynamics import (
    CHOICES,
    SWEEP,
    DynamicsSettings,
    experiment,
)
from eostheory.experiments.experiment import setting


@dataclass(frozen=True)
class Settings(DynamicsSettings):
    """Of the third block of figure 4."""

    model: str = setting("transformer", "the network", choices=("mlp", "cnn", "transformer"))
    eta: float = setting(0.005, "learning rate", paper=0.001, least=1e-9)
    width: int = setting(8, "hidden dimension", paper=64, least=2)
    steps: int = setting(50, "steps after the edge, at most", least=2, most=1_000_000)
    kick: float = setting(0.6, "displacement along u at the edge, in units of delta")
    examples: int = setting(
        40, "examples, the first ones: digits, whose rows are a sequence", least=2
    )


EXPERIMENT = experiment(
    "damian23/fig-4.transformer",
    "predicted dynamics of a 2-layer Transformer with squared error",
    Settings,
    variants={
        "quick": {"steps": 8},
        "paper": {
            "data": "sst2",
            "labels": "two",
            "examples": 1000,
            "width": 64,
            "eta": 0.001,
            "steps": 2000,
            "before": 1_000_000,
            "chunk": 250,
        },
    },
    choices=CHOICES
    + " For the Transformer the number of sentences and its details are not said: here "
    "normalization comes first in a layer, and the activation is GELU (the authors' code: "
    "normalization last, swish).",
    sweep=SWEEP,
)
