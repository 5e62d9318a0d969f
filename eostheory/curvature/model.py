"""A model of low rank of the Hessian, corrected by every product: it proposes where to look next.

Products of earlier steps are out of date, yet as a model they are worth keeping.  The model is
changed least to agree with the products of this step; its eigenvectors, minus what the basis
already holds, are the next direction of Davidson's method.  It never enters a result: residuals
are those of true products.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

HELD = 1e4
"""Roundings of squared length outside the basis below which the basis holds a row already."""


class Corrected(NamedTuple):
    """The model that agrees with the products, in the basis V, the rest of W, further rows.

    Attributes:
        values: (n,), ascending.
        vectors: (n, n), in columns.
        lift: (m, q): the rest of W is ``lift' (W - A V)``.
        extra: (e, D) orthonormal rows outside both.
    """

    values: Tensor
    vectors: Tensor
    lift: Tensor
    extra: Tensor


class LowRank:
    """``H ~ W' diag(c) W`` with orthonormal rows W of shape (m, D), zero elsewhere.

    Small matrices are float64 on the CPU; the basis V (j, D) is orthonormal, ``images`` are its
    products V H, and ``small`` is V H V'.
    """

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.rows: Tensor | None = None
        self.values: Tensor | None = None
        self.begin()

    def begin(self) -> None:
        """A new basis: forget inner products with the old one."""
        self._across = torch.zeros(0, 0, dtype=torch.float64)
        self._images = self._across

    def propose(self, basis: Tensor, images: Tensor, small: Tensor, index: int) -> Tensor:
        """The part outside the basis of the model's eigenvector number ``index`` from the top.

        ``index`` is also the Ritz pair whose residual spans, with the model, where to look.
        """
        values, turn = torch.linalg.eigh(small)
        ritz = turn[:, -1 - index].to(basis)
        off = ritz @ images - values[-1 - index].to(basis) * (ritz @ basis)
        model = self._corrected(basis, images, small, off[None])
        return self._outside(basis, model, model.vectors[:, -1 - index][None])[0]

    def learn(self, basis: Tensor, images: Tensor, small: Tensor) -> None:
        """Take in the products and forget what matters least."""
        off = images - small.to(basis) @ basis
        model = self._corrected(basis, images, small, off)
        most = torch.argsort(model.values.abs(), descending=True)[: self.rank]
        chosen = model.vectors[:, most].T
        inside = chosen[:, : len(basis)].to(basis) @ basis
        self.rows = inside + self._outside(basis, model, chosen)
        self.values = model.values[most].clone()
        self.begin()

    def _outside(self, basis: Tensor, model: Corrected, chosen: Tensor) -> Tensor:
        """The parts outside the basis of the vectors with coefficients ``chosen`` (c, n)."""
        held = len(basis)
        rest = held + model.lift.shape[1]
        out = chosen[:, rest:].to(basis) @ model.extra
        if self.rows is not None:
            old = chosen[:, held:rest] @ model.lift.T
            out = out + old.to(basis) @ self.rows - (old @ self._across).to(basis) @ basis
        return out

    def _corrected(self, basis: Tensor, images: Tensor, small: Tensor, off: Tensor) -> Corrected:
        """The model on the span of the basis, of its own rows and of the rows of ``off``."""
        self._observe(basis, images)
        lift = torch.zeros(0, 0, dtype=torch.float64)
        cross = torch.zeros(0, len(basis), dtype=torch.float64)
        inner = lift
        if self.rows is not None and self.values is not None:
            across = self._across
            gram = torch.eye(len(across), dtype=torch.float64) - across @ across.T
            sizes, turn = torch.linalg.eigh(gram)
            kept = sizes > max(1e-6, HELD * torch.finfo(basis.dtype).eps)
            lift = turn[:, kept] / torch.sqrt(sizes[kept])
            cross = lift.T @ (self._images - across @ small)
            seen = gram @ lift
            inner = (seen.T * self.values) @ seen
        extra = self._orthogonal(basis, lift, off)
        more = cpu(extra @ images.T)
        zero = torch.zeros(len(extra), len(inner), dtype=torch.float64)
        corner = torch.zeros(len(extra), len(extra), dtype=torch.float64)
        whole = torch.cat(
            [
                torch.cat([small, cross.T, more.T], 1),
                torch.cat([cross, inner, zero.T], 1),
                torch.cat([more, zero, corner], 1),
            ]
        )
        values, vectors = torch.linalg.eigh((whole + whole.T) / 2)
        return Corrected(values, vectors, lift, extra)

    def _observe(self, basis: Tensor, images: Tensor) -> None:
        """Inner products of the model's rows with directions and products not yet seen."""
        if self.rows is None:
            return
        seen = self._across.shape[1]
        if seen > len(basis) or not seen:
            seen = 0
            self._across = self._images = torch.zeros(len(self.rows), 0, dtype=torch.float64)
        if seen < len(basis):
            across, products = self.rows @ basis[seen:].T, self.rows @ images[seen:].T
            self._across = torch.cat([self._across, cpu(across)], 1)
            self._images = torch.cat([self._images, cpu(products)], 1)

    def _orthogonal(self, basis: Tensor, lift: Tensor, off: Tensor) -> Tensor:
        """Orthonormal rows that span ``off`` outside the basis and the model's rows."""
        off = off / torch.linalg.vector_norm(off, dim=1, keepdim=True).clamp_min(1e-300)
        for _ in range(2):
            inside = off @ basis.T
            if self.rows is not None:
                old = (cpu(off @ self.rows.T) - cpu(inside) @ self._across.T) @ lift @ lift.T
                off = off - old.to(off) @ self.rows + (old @ self._across).to(off) @ basis
            off = off - inside @ basis
            if len(off) > 1:
                turned, _ = torch.linalg.qr(off.T)
                off = turned.T
            else:
                size = torch.linalg.vector_norm(off)
                off = off / size if bool(size > 0) else off
        return off.contiguous()


def cpu(x: Tensor) -> Tensor:
    """Where and how small matrices are kept."""
    return x.to("cpu", torch.float64)
