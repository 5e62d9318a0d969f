"""Linear regression with batch normalisation whose scale and shift are trained as well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from eostheory.trajectories.reductions_base import Closed, Coefficients, Reduction
from eostheory.trajectories.reductions_batchnorm import (
    LinearBatchNorm,
    linear_batch_norm,
    rotated_recurrence,
)

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class AffineBatchNorm(Reduction):
    """GD on the weight, gamma and beta of a batch-normalised regression, in rotated coordinates.

    Args:
        frozen: the same regression with constants, for its data and rotation.
        decay: the recurrence has the parameter ``weight_decay``; it acts on gamma and beta too.
        as_parameters: data are parameters of the recurrence, not numbers in it.
    """

    frozen: LinearBatchNorm
    decay: bool = True
    as_parameters: bool = False

    @property
    def name(self) -> str:
        return "affine_batch_norm"

    @property
    def model(self) -> str:
        f = self.frozen
        return (
            "gradient descent on weight, gamma and beta of linear regression with batch "
            f"normalisation: d = {f.dim} inputs, n = {f.count} samples, rank {f.rank}"
        )

    @property
    def hypotheses(self) -> tuple[str, ...]:
        return (
            "one step size and one weight decay for weight, gamma and beta",
            "the statistics are over the full batch",
            "the scores are not all equal: s is not zero",
        )

    @property
    def full(self) -> Mapping[str, tuple[int, ...]]:
        return {"w": (self.frozen.dim,), "gamma": (), "beta": ()}

    @cached_property
    def closed(self) -> Closed:
        f = self.frozen
        coefficient = Coefficients(self.as_parameters)
        lam = [float(s) ** 2 for s in f.sigma]
        aim = [float(e) for e in f.aim]
        return rotated_recurrence(
            lam=coefficient("lambda", lam),
            step=coefficient("lambda_e", [a * b for a, b in zip(lam, aim, strict=True)]),
            aim=coefficient("e", aim),
            gamma=None,
            rest=coefficient("rest", [f.rest])[0],
            epsilon=coefficient("epsilon", [f.epsilon])[0] if f.epsilon else None,
            mean=coefficient("mean", [f.beta])[0],
            count=f.count,
            null=f.rank < f.dim,
            decay=self.decay,
            coefficients=coefficient,
        )

    def loss(self, *full: Tensor) -> Tensor:
        """The mean squared error of the normalised scores, from the data."""
        import torch

        w, gamma, beta = full
        scores = self.frozen.X.to(w.device) @ w
        centred = scores - scores.mean()
        deviation = torch.sqrt((centred * centred).mean() + self.frozen.epsilon)
        error = gamma * centred / deviation + beta - self.frozen.y.to(w.device)
        return (error * error).mean()

    def _reduced(self, *full: Tensor) -> Tensor:
        import torch

        w, gamma, beta = full
        return torch.cat([self.frozen.reduce(w), torch.stack([gamma, beta])])

    def restore(self, states: Tensor, start: Tensor) -> Tensor:
        """The weights (..., d) of states (n_state, ...), given the weight (d,) they began from."""
        return self.frozen.restore(states[:-2], start)


def affine_batch_norm(
    X: Tensor,
    y: Tensor,
    *,
    epsilon: float = 0.0,
    decay: bool = True,
    as_parameters: bool = False,
) -> AffineBatchNorm:
    """Linear regression with batch normalisation, gamma and beta trained, in rotated coordinates.

    Args:
        X: inputs, one per row, (n, d).
        y: targets, (n,).
        epsilon: added to the variance of the scores, as libraries do.
        decay: the recurrence has the parameter ``weight_decay``, for all variables.
        as_parameters: data as parameters of the recurrence instead of numbers in it: one
            compiled formula for all data sets of one shape and rank, many of them in one run.

    Raises:
        TypeError, ValueError: as :func:`linear_batch_norm`.
    """
    # with beta at the mean of the targets, e and the rest are those of the centred targets
    frozen = linear_batch_norm(X, y, epsilon=epsilon)
    return AffineBatchNorm(frozen, decay, as_parameters)
