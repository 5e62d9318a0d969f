"""The dense Hessian, for models small enough that it is cheaper and safer than any iteration."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from eostheory.curvature.products import SymmetricOperator
from eostheory.numeric.events import OutOfScale

ASYMMETRY = {torch.float64: 1e-6, torch.float32: 1e-2}
"""Relative asymmetry beyond which a matrix of products is no Hessian."""


def dense_hessian(products: SymmetricOperator) -> Tensor:
    """``Hess L(w)`` of shape (D, D), exactly symmetric, by D products.

    Raises:
        ValueError: the products are not symmetric, so the gradient is that of no function; or
            too large or small for their residuals to be numbers of the dtype (OutOfScale).
    """
    eye = torch.eye(products.size, dtype=products.point.dtype, device=products.point.device)
    matrix = products.block(eye)
    check_size(matrix)
    check_symmetric(matrix)
    return (matrix + matrix.T) / 2


def check_symmetric(matrix: Tensor, size: Tensor | float | None = None) -> None:
    """Refuse a matrix that is not symmetric to (generous) rounding.

    Args:
        size: what the asymmetry is compared with; the largest entry if not given.
    """
    if size is None:
        size = matrix.abs().max()
    off = float((matrix - matrix.T).abs().max())
    if off > ASYMMETRY.get(matrix.dtype, 1e-2) * float(size):
        raise ValueError(
            f"the Hessian is not symmetric: entries differ by {off:.3g} where they are up to "
            f"{float(size):.3g}; is a custom backward in the loss the derivative of its forward?"
        )


def check_size(products: Tensor) -> None:
    """Refuse products whose lengths, or those of their residuals, over- or underflow if squared."""
    size = float(products.abs().max())
    kind = torch.finfo(products.dtype)
    least, most = math.sqrt(kind.tiny) / (64 * kind.eps), math.sqrt(kind.max) / 1e3
    if size > 0 and not least <= size <= most:
        raise OutOfScale(
            f"Hessian-vector products are of size {size:.3g}, where {products.dtype} can give no "
            f"residuals (it can from {least:.0e} to {most:.0e}); multiply the loss by a constant"
            f"{' or use float64' if products.dtype == torch.float32 else ''}"
        )
