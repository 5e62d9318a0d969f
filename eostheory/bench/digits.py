"""The model of the curvature cases: a perceptron with 8170 parameters on scikit-learn's digits."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from eostheory.bench.cases import Missing
from eostheory.numeric.objective import Objective, module_objective

NOT_INSTALLED = "not installed: pip install eostheory[bench] (scikit-learn brings the digits)"


@dataclass(frozen=True)
class Regime:
    """A stretch of gradient descent on the model.

    Args:
        name: what it is called.
        eta: step size.
        begin: step at which it begins.
    """

    name: str
    eta: float
    begin: int


SMOOTH = Regime("smooth", 0.5, 100)
"""Before the edge; the gap is 6 %."""
OSCILLATING = Regime("oscillating", 0.8, 270)
"""One unstable direction swings out and back."""
CROSSING = Regime("nearly crossing", 1.0, 300)
"""Past the edge, where the two largest eigenvalues come within 0.1 % of each other."""
REGIMES = (SMOOTH, OSCILLATING, CROSSING)


def problem(
    dtype: torch.dtype = torch.float64, *, hidden: int = 60, count: int = 1000
) -> tuple[Objective, Tensor]:
    """Squared error of a tanh perceptron, 64 - hidden - hidden - 10, and its flat start.

    Args:
        hidden: width of both hidden layers; 60 gives 8170 parameters.
        count: how many of the 1797 digits are used.

    Raises:
        Missing: scikit-learn is not installed.
    """
    try:
        data: Any = import_module("sklearn.datasets")
    except ImportError:
        raise Missing(NOT_INSTALLED) from None
    pixels, labels = data.load_digits(return_X_y=True)
    inputs = torch.tensor(pixels[:count], dtype=dtype) / 16
    targets = torch.nn.functional.one_hot(torch.tensor(labels[:count]), 10).to(dtype)
    layers = torch.nn.Sequential(
        torch.nn.Linear(64, hidden),
        torch.nn.Tanh(),
        torch.nn.Linear(hidden, hidden),
        torch.nn.Tanh(),
        torch.nn.Linear(hidden, 10),
    ).double()
    # torch's initialisation, from a generator of our own
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for layer in layers:
            if isinstance(layer, torch.nn.Linear):
                bound = layer.in_features**-0.5
                for parameter in (layer.weight, layer.bias):
                    drawn = torch.rand(parameter.shape, generator=draw, dtype=torch.float64)
                    parameter.copy_((2 * drawn - 1) * bound)
    return module_objective(
        layers.to(dtype), torch.nn.MSELoss(), inputs, targets, dtype=dtype, device="cpu"
    )


def iterates(objective: Objective, start: Tensor, regime: Regime, count: int) -> list[Tensor]:
    """``count`` iterates of gradient descent in a row, from the beginning of a regime."""
    w, kept = start, []
    for step in range(regime.begin + count):
        if step >= regime.begin:
            kept.append(w)
        _, gradient = objective.value_and_gradient(w)
        w = w - regime.eta * gradient
    return kept
