"""damian23, figure 4: gradient descent at the edge beside its prediction, for three networks."""

from __future__ import annotations

from dataclasses import dataclass

from eostheory.experiments.damian23.predicted_dynamics import DynamicsSettings, experiment
from eostheory.experiments.experiment import setting

NETWORKS = ("mlp", "cnn", "transformer")
CIFAR10 = {
    "data": "cifar10", "labels": "all", "examples": 5000, "steps": 2000, "before": 1_000_000,
}  # fmt: skip


@dataclass(frozen=True)
class MlpSettings(DynamicsSettings):
    """Of the first block of figure 4."""

    eta: float = setting(0.05, "learning rate", paper=0.002, least=1e-9)
    width: int = setting(16, "units of a layer", paper=200, least=1)
    steps: int = setting(400, "steps after the edge, at most", least=2, most=1_000_000)


@dataclass(frozen=True)
class CnnSettings(DynamicsSettings):
    """Of the second block."""

    model: str = setting("cnn", "the network", choices=NETWORKS)
    eta: float = setting(0.05, "learning rate", paper=0.005, least=1e-9)
    width: int = setting(4, "channels within", paper=32, least=1)
    steps: int = setting(260, "steps after the edge, at most", least=2, most=1_000_000)


@dataclass(frozen=True)
class TransformerSettings(DynamicsSettings):
    """Of the third block."""

    model: str = setting("transformer", "the network", choices=NETWORKS)
    eta: float = setting(0.01, "learning rate", paper=0.001, least=1e-9)
    width: int = setting(32, "hidden dimension", paper=64, least=2)
    steps: int = setting(100, "steps after the edge, at most", least=2, most=1_000_000)
    kick: float = setting(0.6, "displacement along u at the edge, in units of delta")
    examples: int = setting(
        20, "examples, the first ones: digits, whose rows are a sequence", least=2
    )


MLP = experiment(
    "damian23/fig-4.mlp",
    "predicted dynamics of a 3-layer MLP with squared error",
    MlpSettings,
    variants={
        "quick": {"examples": 24, "width": 4, "steps": 45},
        "paper": {**CIFAR10, "width": 200, "eta": 0.002, "chunk": 5000},
    },
    also=("damian23/fig-1",),
)
CNN = experiment(
    "damian23/fig-4.cnn",
    "predicted dynamics of a 3-layer CNN with squared error",
    CnnSettings,
    variants={
        "quick": {"examples": 40, "eta": 0.06, "steps": 40},
        "paper": {**CIFAR10, "width": 32, "eta": 0.005, "chunk": 1000},
    },
)
TRANSFORMER = experiment(
    "damian23/fig-4.transformer",
    "predicted dynamics of a 2-layer Transformer with squared error",
    TransformerSettings,
    variants={
        "quick": {"examples": 8, "width": 16, "eta": 0.02, "kick": 0.5, "steps": 8},
        "paper": {
            **CIFAR10,
            "data": "sst2",
            "labels": "two",
            "examples": 1000,
            "width": 64,
            "eta": 0.001,
            "chunk": 250,
        },
    },
    more_choices=" For the Transformer the number of sentences and its details are not said: here "
    "normalization comes first in a layer, and the activation is GELU (the authors' code: "
    "normalization last, swish). The digits' rows are its words. Narrow networks are far from "
    "quadratic along u: with width 8 and eta = 0.005 the prediction explains 0.65, 0.67 and 0.53 "
    "of loss, sharpness and distance in the first 40 steps. With the defaults eq. (5) tracks the "
    "first of three cycles; generalized=true, which has no quadratic expansion along u, explains "
    "0.86, 0.67 and 0.89 over all 100 steps.",
)
