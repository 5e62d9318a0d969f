"""The networks and losses of damian23, figures 4 and 5, on digits or on the paper's data.

What the paper leaves open is as in its authors' code (github.com/adamian98/EOS): inputs with mean
zero and deviation one, squared errors summed over outputs and averaged over examples, without a
factor 1/2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from eostheory.experiments import models
from eostheory.experiments.data import Data, DataError, load
from eostheory.experiments.experiment import setting
from eostheory.numeric.objective import Objective, module_objective

CATS_AND_DOGS = (3, 5)
"""Classes of CIFAR-10."""


@dataclass(frozen=True)
class NetworkSettings:
    """What is trained, on what."""

    model: str = setting("mlp", "the network", choices=("mlp", "cnn", "transformer"))
    data: str = setting("digits", "the data", choices=("digits", "cifar10", "sst2"))
    data_folder: str = setting("", "where the data lie; empty for EOSTHEORY_DATA or ./data")
    examples: int = setting(100, "examples, the first ones", paper=5000, least=2)
    labels: str = setting(
        "two", "'all' classes, one output each, or 'two': one output, whose target is 1 or -1 (odd "
        "and even digits, dogs and cats, good and bad reviews)",
        choices=("two", "all"),
    )  # fmt: skip
    width: int = setting(16, "units (MLP, Transformer) or channels (CNN) of a layer", least=1)
    chunk: int = setting(0, "examples in memory at a time; 0 for all", least=0)
    seed: int = setting(0, "of the initial weights", least=0)
    eta: float = setting(0.05, "learning rate", least=1e-9)


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """``|f(x) - y|^2``, averaged over the examples."""
    return ((outputs - targets) ** 2).sum(-1).mean()


def problem(
    settings: NetworkSettings, device: torch.device, dtype: torch.dtype = torch.float64
) -> tuple[Objective, Tensor]:
    """The training loss, and the initial weights (D,) that torch draws.

    Raises:
        DataError: data that are absent, not what they should be, or do not fit the network.
    """
    data, targets = examples(settings)
    torch_state = torch.get_rng_state()
    try:
        torch.manual_seed(settings.seed)
        network = _network(settings, data, targets.shape[1])
    finally:
        torch.set_rng_state(torch_state)
    inputs = data.inputs
    if settings.model == "transformer" and not data.vocabulary:
        inputs = inputs.movedim(1, 2).flatten(2)  # the rows of an image, one after the other
    return module_objective(
        network.to(dtype),
        squared_error,
        inputs.to(device) if data.vocabulary else inputs.to(device, dtype),
        targets.to(device, dtype),
        chunk=settings.chunk or None,
        reduction="mean",
        dtype=dtype,
        device=device,
    )


def examples(settings: NetworkSettings) -> tuple[Data, Tensor]:
    """The examples and their targets (N, outputs).

    Raises:
        DataError: see :func:`problem`.
    """
    data = load(settings.data, settings.data_folder)
    if bool(data.vocabulary) and settings.model != "transformer":
        raise DataError(f"the {settings.model} takes images, {settings.data} are texts")
    if settings.labels == "all":
        data = data.first(settings.examples)
        targets = data.one_hot()
    elif settings.data == "digits":
        data = data.first(settings.examples)
        targets = 2.0 * (data.labels % 2).to(torch.float64)[:, None] - 1.0
    else:
        if settings.data == "cifar10":
            data = data.only(*CATS_AND_DOGS)
        data = data.first(settings.examples)
        targets = data.signs()[:, None]
    return (data if data.vocabulary else data.standardized()), targets


def _network(settings: NetworkSettings, data: Data, outputs: int) -> nn.Module:
    width, shape = settings.width, data.inputs.shape[1:]
    if settings.model == "mlp":
        return models.mlp((shape.numel(), width, width, outputs), "swish")
    if settings.model == "cnn":
        return models.cnn(shape[0], width, shape[-1], outputs)
    if data.vocabulary:
        return models.Transformer(
            shape[0], width=width, vocabulary=data.vocabulary, outputs=outputs
        )
    return models.Transformer(
        shape[1], width=width, features=shape[0] * shape[2], outputs=outputs
    )  # fmt: skip
