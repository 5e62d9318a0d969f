"""damian23, figure 4: the predicted dynamics of a multilayer perceptron."""

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
    """Of the first block of figure 4."""

    eta: float = setting(0.05, "learning rate", paper=0.002, least=1e-9)
    width: int = setting(16, "units of a layer", paper=200, least=1)
    steps: int = setting(400, "steps after the edge, at most", least=2, most=1_000_000)


EXPERIMENT = experiment(
    "damian23/fig-4.mlp",
    "predicted dynamics of a 3-layer MLP with squared error",
    Settings,
    variants={
        "quick": {"examples": 24, "width": 4, "steps": 45},
        "paper": {
            "data": "cifar10",
            "labels": "all",
            "examples": 5000,
            "width": 200,
            "eta": 0.002,
            "steps": 2000,
            "before": 1_000_000,
            "chunk": 5000,
        },
    },
    choices=CHOICES,
    sweep=SWEEP,
)
