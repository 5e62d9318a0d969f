"""Top eigenvectors of which several matter: as many as are near the edge, with a continuous basis."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from eostheory.curvature import Products


class Top(NamedTuple):
    """The top k eigenpairs and the value below them."""

    values: Tensor
    vectors: Tensor
    next_value: float


def aligned(vectors: Tensor, earlier: Tensor) -> Tensor:
    """The basis of the span of ``vectors`` that is closest to ``earlier`` (orthogonal Procrustes).

    Args:
        vectors: (k, D) orthonormal rows.
        earlier: (k, D) orthonormal rows.

    Eigenvectors turn quickly where eigenvalues cross; the span of all of them does not.
    """
    left, _, right = torch.linalg.svd(earlier @ vectors.T)
    turned: Tensor = (left @ right) @ vectors
    return turned


class TopPairs:
    """Finds top eigenpairs at one point after the other, dense where there are few parameters.

    Args:
        dense_below: the whole Hessian is formed for fewer parameters.
    """

    def __init__(self, dense_below: int = 200) -> None:
        self.dense_below = dense_below

    def __call__(self, products: Products, k: int) -> Top:
        """The top k eigenpairs, values (k,) descending and vectors (k, D)."""
        identity = torch.eye(
            products.size, dtype=products.point.dtype, device=products.point.device
        )
        dense = products.block(identity)
        values, vectors = torch.linalg.eigh((dense + dense.T) / 2)
        values, vectors = values.flip(0), vectors.T.flip(0)
        below = float(values[k]) if k < len(values) else float("-inf")
        return Top(values[:k], vectors[:k].contiguous(), below)

    def near_edge(self, products: Products, eta: float, band: float, most: int) -> Top:
        """Enough eigenpairs to hold all within ``band`` of ``2/eta``, and one more; ``most`` + 1."""
        k = min(most + 1, products.size)
        return self(products, k)
