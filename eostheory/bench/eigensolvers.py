"""The field's ways to the top eigenpair, with their products counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor

from eostheory.curvature import Products

Found = tuple[float, Tensor, int]
"""Eigenvalue, unit eigenvector (D,), products."""


def scipy_eigsh(products: Products, start: Tensor, tolerance: float) -> Found:
    """ARPACK's restarted Lanczos method, at its default size of basis."""
    before = products.count

    def multiply(x: Any) -> Any:
        return products(torch.from_numpy(np.ascontiguousarray(x.reshape(-1)))).numpy()

    size = products.size
    operator = LinearOperator((size, size), matvec=multiply, dtype=np.float64)
    values, vectors = eigsh(operator, k=1, which="LA", v0=start.numpy(), tol=tolerance, maxiter=50)
    return float(values[0]), torch.from_numpy(vectors[:, 0].copy()), products.count - before


class _Operator(torch.Tensor):
    """A symmetric operator where torch.lobpcg wants a matrix: only products with it are taken."""

    block: Callable[[Tensor], Tensor]

    @staticmethod
    def __new__(cls, products: Products) -> _Operator:
        size = products.size
        made: _Operator = torch.Tensor._make_wrapper_subclass(
            cls, (size, size), dtype=products.point.dtype, device=products.point.device
        )
        made.block = products.block
        return made

    def __init__(self, products: Products) -> None:
        pass

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if function in (torch.ops.aten.mm.default, torch.ops.aten.matmul.default):
            operator, vectors = args
            return operator.block(vectors.T.contiguous()).T.contiguous()
        raise NotImplementedError(f"torch.lobpcg asked the operator for {function}")


def torch_lobpcg(products: Products, start: Tensor, tolerance: float, limit: int = 400) -> Found:
    """torch's block method with one vector."""
    before = products.count
    # its own test divides by the norms of operator and vector; a third is about the same here
    values, vectors = torch.lobpcg(
        _Operator(products), k=1, X=start[:, None].clone(), niter=limit, tol=tolerance / 3,
        largest=True,
    )  # fmt: skip
    vector = vectors[:, 0]
    return float(values[0]), vector / vector.norm(), products.count - before


def residual(products: Products, value: float, vector: Tensor) -> float:
    """``|H u - value u| / |value|``, by one more product, which is not counted."""
    off = products(vector) - value * vector
    products.count -= 1
    return float(off.norm()) / abs(value)
