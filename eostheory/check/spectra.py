"""The spectrum of a dense Hessian; tangential to the sphere for scale-invariant losses."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from eostheory.check import batch
from eostheory.check.structure import hessian
from eostheory.check.subject import LossFunction
from eostheory.curvature import Products, dense_hessian


class Spectrum(NamedTuple):
    """Eigenvalues and eigenvectors at a point.

    Attributes:
        values: (n,), ascending; n = D, or D - 1 on the sphere.
        vectors: (D, n), orthonormal columns.
        noise: what rounding may do to an eigenvalue (0 if not asked for).
        gradient: (D,).
    """

    values: Tensor
    vectors: Tensor
    noise: float
    gradient: Tensor

    @property
    def size(self) -> float:
        """Largest eigenvalue in magnitude."""
        return float(self.values.abs().max()) if len(self.values) else 0.0


def spectrum(loss: LossFunction, w: Tensor, spherical: bool, *, noise: bool = True) -> Spectrum:
    """The spectrum at w (D,), dense.

    Args:
        spherical: leave out the direction of w, which must not be zero.
        noise: find out what rounding does, for three times the cost.

    Raises:
        BecameNaN, ValueError: as :class:`~eostheory.curvature.Products`.
    """
    with Products(loss, w) as products:
        slope = products.gradient
        if noise:
            matrix, off = hessian(loss, w)
        elif len(w) >= batch.ROWS:
            matrix, off = batch.hessian_at(loss, w), 0.0
        else:
            matrix, off = dense_hessian(products), 0.0
    if not spherical:
        values, vectors = torch.linalg.eigh(matrix)
        return Spectrum(values, vectors, off, slope)
    radial = w / torch.linalg.vector_norm(w)
    start = torch.cat([radial[:, None], torch.eye(len(w), dtype=w.dtype, device=w.device)], 1)
    tangent = torch.linalg.qr(start)[0][:, 1:]
    turned = tangent.T @ matrix @ tangent
    values, vectors = torch.linalg.eigh((turned + turned.T) / 2)
    eps = torch.finfo(w.dtype).eps
    off += 8 * math.sqrt(len(w)) * eps * float(torch.linalg.matrix_norm(matrix)) if noise else 0.0
    return Spectrum(values, tangent @ vectors, off, slope)
