"""damian23, figure 4: the predicted dynamics of a convolutional network."""

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
    """Of the second block of figure 4."""

    model: str = setting("cnn", "the network", choices=("mlp", "cnn", "transformer"))
    eta: float = setting(0.05, "learning rate", paper=0.005, least=1e-9)
    width: int = setting(4, "channels within", paper=32, least=1)
    steps: int = setting(260, "steps after the edge, at most", least=2, most=1_000_000)


EXPERIMENT = experiment(
    "damian23/fig-4.cnn",
    "predicted dynamics of a 3-layer CNN with squared error",
    Settings,
    variants={
        "quick": {"examples": 40, "eta": 0.06, "steps": 40},
        "paper": {
            "data": "cifar10",
            "labels": "all",
            "examples": 5000,
            "width": 32,
            "eta": 0.005,
            "steps": 2000,
            "before": 1_000_000,
            "chunk": 1000,
        },
    },
    choices=CHOICES,
    sweep=SWEEP,
)
