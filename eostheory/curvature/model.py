"""A model of low rank of the Hessian, corrected by every product: it proposes where to look next.

Products of earlier steps are out of date, yet as a model they are worth keeping.  The model is
changed least to agree with the products of this step; its eigenvectors, minus what the basis
already holds, are the next direction of Davidson's method.  It never enters a result: residuals
are those of true products.
"""

from __future__ import annotations

import torch
from torch import Tensor


class LowRank:
    """``H ~ W' diag(c) W`` with orthonormal rows W of shape (m, D), zero elsewhere."""

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.rows: Tensor | None = None
        self.values: Tensor | None = None

    def corrected(
        self, basis: Tensor, images: Tensor, small: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Eigenvalues (ascending) and eigenvectors of the model that agrees with the products.

        Args:
            basis: (j, D) orthonormal rows V.
            images: (j, D) their products V H.
            small: (j, j) V H V', float64 on the CPU.

        Returns:
            values (n,), coefficients (n, n) in columns, and the rows (n - j, D) that they refer to
            after those of the basis.
        """
        rest = images - _cpu(small).to(basis) @ basis
        if self.rows is not None:
            rest = torch.cat([rest, self.rows])
        for _ in range(2):
            rest = rest - (rest @ basis.T) @ basis
        q, _ = torch.linalg.qr(rest.T)
        rest = q.T.contiguous()
        # A row of rest that vanished came back as noise, which need not be orthogonal to V.
        rest = rest - (rest @ basis.T) @ basis
        cross = _cpu(rest @ images.T)
        inner = torch.zeros(len(rest), len(rest), dtype=torch.float64)
        if self.rows is not None and self.values is not None:
            old = _cpu(rest @ self.rows.T)
            inner = (old * self.values) @ old.T
        whole = torch.cat([torch.cat([small, cross.T], 1), torch.cat([cross, inner], 1)])
        values, vectors = torch.linalg.eigh((whole + whole.T) / 2)
        return values, vectors, rest

    def learn(self, basis: Tensor, images: Tensor, small: Tensor) -> None:
        """Take in the products and forget what matters least."""
        values, vectors, rest = self.corrected(basis, images, small)
        most = torch.argsort(values.abs(), descending=True)[: self.rank]
        self.rows = vectors[:, most].T.to(basis) @ torch.cat([basis, rest])
        self.values = values[most].clone()

    def propose(self, basis: Tensor, images: Tensor, small: Tensor, index: int) -> Tensor:
        """The part outside the basis of the model's eigenvector number ``index`` from the top."""
        _, vectors, rest = self.corrected(basis, images, small)
        proposed: Tensor = vectors[len(basis) :, -1 - index].to(basis) @ rest
        return proposed


def _cpu(x: Tensor) -> Tensor:
    return x.to("cpu", torch.float64)
