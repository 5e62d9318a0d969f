"""Linear regression with batch normalization (lyu22, appendix Q.2): data, losses, distances."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from eostheory.numeric.objective import Objective

Array = npt.NDArray[np.float64]
DIM, EXAMPLES = 40, 20


class Draw(NamedTuple):
    """Inputs (n, d), targets (n,), the true weight (d,) and bias, and a first weight (d,)."""

    inputs: Tensor
    targets: Tensor
    weight: Tensor
    bias: float
    start: Tensor
    variances: Tensor

    @classmethod
    def of(cls, seed: int, length: float) -> Draw:
        """As appendix Q.2 draws data; the direction of the start is uniform."""
        draw = torch.Generator().manual_seed(seed)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=draw, dtype=torch.float64)

        variances = torch.arange(1, DIM + 1, dtype=torch.float64) / DIM
        weight = normal(DIM)
        weight = weight / torch.linalg.vector_norm(weight)
        bias = 0.1 * float(normal(1))
        inputs = normal(EXAMPLES, DIM) * torch.sqrt(variances)
        start = normal(DIM)
        start = length * start / torch.linalg.vector_norm(start)
        return cls(inputs, inputs @ weight + bias, weight, bias, start, variances)

    def objective(self, dtype: torch.dtype) -> Objective:
        """The training loss: normalized scores, with the targets' deviation and mean."""
        inputs, targets = self.inputs.to(dtype), self.targets.to(dtype)
        mean, deviation = targets.mean(), targets.std(unbiased=False)

        def loss(w: Tensor) -> Tensor:
            scores = inputs @ w
            centred = scores - scores.mean()
            residual = deviation * centred / torch.sqrt((centred * centred).mean()) + mean - targets
            return (residual * residual).mean()

        return Objective.of(loss, DIM, dtype)

    def distance(self, weights: Tensor) -> Array:
        """How far the slopes of the functions of weights (T, d) are from that of least norm, which
        the flattest minimizer has (theorem 5.1)."""
        centred = self.inputs - self.inputs.mean(0)
        least = torch.linalg.pinv(centred) @ (self.targets - self.targets.mean())
        scores = (weights @ self.inputs.T).std(1, unbiased=False, keepdim=True)
        slopes = weights * (self.targets.std(unbiased=False) / scores)
        found: Array = torch.linalg.vector_norm(slopes - least, dim=1).numpy()
        return found

    def test_loss(self, w: Tensor) -> float:
        """Expected squared error on a fresh input, for the weight w."""
        w = w.to(torch.float64)
        scores = self.inputs @ w
        slope = w * (self.targets.std(unbiased=False) / scores.std(unbiased=False))
        offset = self.targets.mean() - torch.dot(slope, self.inputs.mean(0))
        error = slope - self.weight
        return float(torch.dot(error * error, self.variances) + (offset - self.bias) ** 2)
