"""Davidson's basis: directions, their products, and the Ritz pairs in their span."""

from __future__ import annotations

import torch
from torch import Tensor

from eostheory.curvature.dense import check_size, check_symmetric
from eostheory.curvature.products import SymmetricOperator


class Space:
    """A basis with its products and the Ritz pairs in it."""

    LIMIT = 48
    KEEP = 16

    def __init__(self, products: SymmetricOperator, k: int) -> None:
        self.products = products
        self.k = k
        self.before = products.count
        self.basis = torch.zeros_like(products.point)[None][:0]
        self.images = self.basis
        self.small = torch.zeros(0, 0, dtype=torch.float64)
        self.values = torch.zeros(0, dtype=torch.float64)
        self.turn = self.small
        self.scale = 0.0

    def extend(self, *directions: Tensor) -> bool:
        """Add directions, all products in one block; False if the basis holds them already."""
        whole = self.basis
        for v in directions:
            new = _outside(whole, v)
            if new is not None:
                whole = torch.cat([whole, new[None]])
        added = whole[len(self.basis) :]
        if not len(added):
            return False
        self.images = torch.cat([self.images, self.products.block(added)])
        self.basis = whole
        check_size(self.images)
        self._project()
        return True

    def krylov(self, start: Tensor, count: int) -> None:
        """Add the Krylov space of ``start`` of dimension ``count``, whole: it is not deflated."""
        if self.full(count):
            self.restart()
        chain = (start / torch.linalg.vector_norm(start))[None]
        for _ in range(count):
            self.extend(chain[-1])
            # The basis holds the newest vector, so its image is a combination of images.
            new = _outside(chain, (self.basis @ chain[-1]) @ self.images)
            if new is None:
                return
            chain = torch.cat([chain, new[None]])

    def _project(self) -> None:
        small = (self.basis @ self.images.T).to("cpu")
        size = torch.linalg.vector_norm(self.images, dim=1).max().to("cpu")
        if bool(size > 0):
            check_symmetric(small, size)
        small = small.to(torch.float64)
        self.small = (small + small.T) / 2
        values, turn = torch.linalg.eigh(self.small)
        self.values, self.turn = values.flip(0), turn.flip(1)
        self.scale = float(self.values.abs().max())

    def ritz(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Values and residuals (float64, CPU) and vectors of the top ``count`` Ritz pairs."""
        turn = self.turn[:, :count].T.to(self.basis)
        vectors = turn @ self.basis
        values = self.values[:count]
        off = turn @ self.images - values.to(self.basis)[:, None] * vectors
        residuals = torch.linalg.vector_norm(off, dim=1).to("cpu", torch.float64)
        return values, vectors, residuals

    def residual(self, index: int) -> Tensor:
        """``H u - value u`` of one Ritz pair."""
        turn = self.turn[:, index].to(self.basis)
        value = self.values[index].to(self.basis)
        off: Tensor = turn @ self.images - value * (turn @ self.basis)
        return off

    def worst(self, wanted: int, tolerance: float, guard: float, further: int = 0) -> int | None:
        """The first pair that has not converged; None when all ``wanted`` have.

        The ``further`` ones are asked for a residual of twice the ``guard`` only.
        """
        if len(self.basis) < wanted:
            return max(len(self.basis) - 1, 0)
        values, _, residuals = self.ritz(wanted + further)
        for index, residual in enumerate(residuals.tolist()):
            allowed = tolerance * self.scale
            if index >= wanted:
                allowed = max(allowed, 2 * guard * self.scale)
            elif index >= self.k:
                # A gap is a gap only if the next pair is known well within it.
                gap = float(values[self.k - 1] - values[index])
                allowed = max(allowed, min(guard * self.scale, gap / 2))
            if residual > allowed:
                return index
        return None

    def full(self, more: int = 0) -> bool:
        return len(self.basis) + more >= self.LIMIT + 2 * self.k

    def restart(self) -> None:
        """Keep the best Ritz vectors only; their products are combinations, no new ones."""
        turn = self.turn[:, : self.KEEP + self.k].T.to(self.basis)
        self.basis, self.images = turn @ self.basis, turn @ self.images
        self._project()


def _outside(basis: Tensor, v: Tensor) -> Tensor | None:
    """The unit vector along the part of v outside the basis, None if that is rounding."""
    length = torch.linalg.vector_norm(v)
    if not bool(length > 0):
        return None
    v = v / length
    least = 1e3 * torch.finfo(v.dtype).eps
    for _ in range(3):
        v = v - (basis @ v) @ basis
        left = torch.linalg.vector_norm(v)
        if not bool(left > least):
            return None
        v = v / left
        least = 0.5
        if bool(left > 0.5):
            break
    return v
