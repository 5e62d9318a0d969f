"""What autograd sees of one data set: loss, slope, curvature, and the least-norm solution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eostheory.formula import vector

from ._batch_norm import Data, Observed, batch_norm, jacobian, statistics

if TYPE_CHECKING:
    from torch import Tensor

    from eostheory.agree import Measured
    from eostheory.numeric.autodiff import TopEigen

coefficients = vector("coefficients", "n", "a")

FLAT = 1e-7
"""Hessian eigenvalues below this share of the largest one belong to the tangent space."""
ROUGH = 1e-3
"""Data whose smallest positive Hessian eigenvalue is a smaller share of the top one are refused."""


class Landscape:
    """Loss, slope and curvature of one data set, all by autograd through the forward pass."""

    def __init__(self, data: Data) -> None:
        self.data = data

    def outputs(self, weight: Tensor) -> Tensor:
        """Outputs on the data, (n,)."""
        scores = self.data.X @ weight
        centre, spread = statistics(self.data.y)
        return batch_norm(scores, scores, spread, centre)

    def loss(self, weight: Tensor) -> Tensor:
        """Mean squared error."""
        error = self.outputs(weight) - self.data.y
        return (error * error).mean()

    def linear(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Slope and offset of the model: its outputs at the unit vectors and at zero."""
        centre, spread = statistics(self.data.y)
        scores = self.data.X @ weight
        offset = batch_norm(scores, 0 * weight.sum(), spread, centre)
        return batch_norm(scores, weight, spread, centre) - offset, offset

    def norm2(self, weight: Tensor) -> Tensor:
        """Squared norm of the slope."""
        slope, _ = self.linear(weight)
        return (slope * slope).sum()

    def curved(self, weight: Tensor) -> tuple[TopEigen, Tensor]:
        """Top eigenpair of the Hessian, and the projector onto the tangent space of Gamma.

        Raises:
            RepeatedTopEigenvalue: where the flow is not defined.
            Rejected: where no gap separates the tangent space.
        """
        import torch

        from eostheory.agree import Rejected
        from eostheory.numeric.autodiff import hessian, top_eigenpair

        matrix_ = hessian(self.loss, weight)
        top = top_eigenpair(matrix_, error=1e-12)
        values, vectors = torch.linalg.eigh(matrix_)
        flat = values < FLAT * top.value
        if bool((values[~flat] < ROUGH * top.value).any()):
            raise Rejected("the data are nearly degenerate")
        kernel = vectors[:, flat]
        return top, kernel @ kernel.T - torch.outer(weight, weight) / weight.dot(weight)

    def onto_gamma(self, weight: Tensor) -> Tensor:
        """Gauss-Newton to zero residuals, then back to the sphere."""
        import torch

        for _ in range(3):
            weight = weight / torch.linalg.vector_norm(weight)
            miss = self.outputs(weight) - self.data.y
            if float(miss.abs().max()) < 1e-14 * float(self.data.y.abs().max()):
                return weight
            slopes = jacobian(self.outputs, weight)
            weight = weight - torch.linalg.lstsq(slopes, miss, driver="gelsd", rcond=1e-9).solution
        on_sphere: Tensor = weight / torch.linalg.vector_norm(weight)
        return on_sphere

    def velocity(self, weight: Tensor) -> Tensor:
        """Right-hand side of the sharpness-reduction flow (3)."""
        from eostheory.numeric.autodiff import third

        top, tangent = self.curved(weight)
        gradient = tangent @ third(self.loss, weight, top.vector, top.vector) / top.value
        return -2 * gradient / (4 + gradient.dot(gradient))


@dataclass(frozen=True)
class LeastNorm:
    """The least-norm solution of the shifted data, by lstsq and a singular value decomposition.

    ``point`` (d,) its direction, ``coefficients`` (n,) those of its standardised form in the
    shifted inputs, ``kernel`` (d, k) a basis of what the data do not see, ``slack`` a bound on the
    relative error.
    """

    point: Tensor
    coefficients: Tensor
    kernel: Tensor
    slack: float

    @classmethod
    def of(cls, data: Data, worst: float = 1e3) -> LeastNorm:
        """Raises Rejected for data of a condition number beyond ``worst``."""
        import torch

        from eostheory.agree import Rejected

        centre, spread = statistics(data.y)
        shifted = data.X - data.X.mean(0)
        found = torch.linalg.lstsq(shifted, data.y - centre, driver="gelsd", rcond=1e-11).solution
        left, sizes, right = torch.linalg.svd(shifted)
        rank = int((sizes > 1e-11 * sizes[0]).sum())
        condition = float(sizes[0] / sizes[rank - 1])
        if condition > worst:
            raise Rejected("the data are nearly degenerate")
        part = left[:, :rank]
        solved = part @ (part.T @ ((data.y - centre) / spread) / sizes[:rank] ** 2)
        slack = 256 * len(found) * 2.0**-53 * condition**2
        return cls(found / torch.linalg.vector_norm(found), solved, right[rank:].T, slack)

    def observed(self) -> Observed:
        """The coefficients with their error."""
        return {coefficients: rounded(self.coefficients, self.slack)}


def rounded(value: Tensor, share: float) -> Measured:
    """A value known up to ``100 * share`` of its largest entry."""
    from eostheory.agree import Measured

    entries = value.numpy().copy()
    return Measured(entries, np.full(entries.shape, 100 * share * np.abs(entries).max()))
