"""Linear regression with batch normalisation (lyu22, section 5 and appendix Q.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from eostheory.numeric.losses import Draw, Loss


@dataclass(frozen=True)
class RegressionData:
    """Inputs ``x`` of shape (n, d) and targets ``y = x @ truth + offset`` of shape (n,)."""

    x: Tensor
    y: Tensor
    truth: Tensor
    offset: Tensor
    spread: Tensor

    @property
    def count(self) -> int:
        """Number n of data."""
        return len(self.y)

    def test_loss(self, slope: Tensor, intercept: Tensor) -> Tensor:
        """Expected squared error of ``x -> slope.x + intercept`` on fresh inputs, exactly."""
        gap = slope - self.truth
        return (gap * gap * self.spread).sum() + (intercept - self.offset) ** 2


def regression_data(
    seed: int, dim: int = 40, count: int = 20, device: str | None = None
) -> RegressionData:
    """Data as in appendix Q.2: ``w ~ Unif(S^{d-1})``, ``b ~ N(0, 0.01)``, ``x ~ N(0, diag(i/d))``.

    0.01 is read as a variance.
    """
    draw = Draw(seed, device, dim)
    truth = draw.normal(dim)
    truth = truth / torch.sqrt(torch.dot(truth, truth))
    offset = 0.1 * draw.normal(1)[0]
    spread = torch.arange(1, dim + 1, dtype=torch.float64, device=truth.device) / dim
    x = draw.normal(count, dim) * torch.sqrt(spread)
    return RegressionData(x, x @ truth + offset, truth, offset, spread)


@dataclass(frozen=True)
class NormalisedModel:
    """``gamma (w.x - mu_1) / sigma_1 + beta``, normalised over the training inputs."""

    x: Tensor
    gamma: Tensor
    beta: Tensor

    def statistics(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of ``w.x_i`` over the data."""
        z = self.x @ w
        mean = z.sum() / len(z)
        centred = z - mean
        return mean, torch.sqrt(torch.dot(centred, centred) / len(z))

    def outputs(self, w: Tensor, inputs: Tensor | None = None) -> Tensor:
        """The model on ``inputs`` of shape (m, d) (default: the training inputs)."""
        mean, deviation = self.statistics(w)
        points = self.x if inputs is None else inputs
        return self.gamma * (points @ w - mean) / deviation + self.beta


def normalised_model(data: RegressionData) -> NormalisedModel:
    """The model with gamma and beta frozen at the targets' deviation and mean."""
    beta = data.y.sum() / data.count
    centred = data.y - beta
    return NormalisedModel(data.x, torch.sqrt(torch.dot(centred, centred) / data.count), beta)


def normalised_regression(data: RegressionData) -> Loss:
    """``mean (Phi(x_i; w) - y_i)^2``: the training loss of section 5, scale-invariant in w."""
    model = normalised_model(data)

    def function(w: Tensor) -> Tensor:
        residual = model.outputs(w) - data.y
        return torch.dot(residual, residual) / data.count

    return Loss("normalised regression", data.x.shape[1], function, 0, {"x": data.x, "y": data.y})
