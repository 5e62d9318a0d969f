"""Spherical sharpness of scale-invariant losses (lyu22, Definition 1.1).

``lambda_1(Hess L(w / |w|))``; scale invariance makes this ``|w|^2 lambda_1(Hess L(w))``, so that
eigenpairs tracked at w itself serve.  In the radial direction the Hessian of such a loss is known,
``Hess L(w) w = -grad L(w)``; what it does to directions along the sphere alone is the tangential
sharpness, equal to the spherical one where the gradient vanishes and never above it elsewhere.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from eostheory.curvature.products import Chunked, Products
from eostheory.curvature.tracker import Eigenpairs, Tracker
from eostheory.numeric.autodiff import LossFunction


class SphericalSharpness(NamedTuple):
    """Spherical sharpness at a point.

    Attributes:
        value: ``|w|^2 lambda_1(Hess L(w))``.
        vector: (D,), the unit eigenvector.
        residual: of ``|w|^2 Hess L(w)``; an eigenvalue of it lies within that of ``value``.
        gap: to the next eigenvalue of ``|w|^2 Hess L(w)``.
        defect: how far the loss is from scale invariance, see :func:`scale_defect`.
        products: Hessian-vector products spent.
    """

    value: float
    vector: Tensor
    residual: float
    gap: float
    defect: float
    products: int


class TangentProducts:
    """``|w|^2 P Hess L(w) P`` on the tangent space of the sphere, P the projection along w.

    In D - 1 orthonormal coordinates, so that no eigenvalue of P itself mixes in; :meth:`embed`
    takes rows in these coordinates to R^D.  An operator for :class:`Tracker`.
    """

    def __init__(self, products: Products) -> None:
        w = products.point
        size = _length(w)
        if len(w) < 2:
            raise ValueError("D is 1: a sphere in R^1 has no tangent directions; use D > 1")
        self.products = products
        self.step = products.step
        self.count = 0
        self.point = w[1:]
        # The reflection that takes the first axis to the direction of w, up to sign.
        mirror = w / size
        mirror[0] += 1.0 if float(mirror[0]) >= 0 else -1.0
        self._mirror = mirror / torch.linalg.vector_norm(mirror)
        self._scale = size * size

    @property
    def size(self) -> int:
        """D - 1."""
        return len(self.point)

    def embed(self, rows: Tensor) -> Tensor:
        """(k, D - 1) coordinates to (k, D) tangent vectors at w, lengths kept."""
        padded = torch.cat([torch.zeros_like(rows[:, :1]), rows], 1)
        rows = padded - 2 * (padded @ self._mirror)[:, None] * self._mirror
        return rows

    def block(self, vectors: Tensor) -> Tensor:
        """(k, D - 1) rows to their products."""
        images = self.products.block(self.embed(vectors))
        self.count += len(vectors)
        turned = images - 2 * (images @ self._mirror)[:, None] * self._mirror
        tangent: Tensor = self._scale * turned[:, 1:]
        return tangent


def scale_defect(products: Products) -> float:
    """``|Hess L w + grad L| + |<grad L, w>| / |w|``, over ``|w|`` times the size of the Hessian.

    Zero, up to rounding, for a scale-invariant loss.  The size of the Hessian is measured along
    the gradient and along w.  Two products.

    Raises:
        ValueError: w = 0.
    """
    w, gradient = products.point, products.gradient
    size = _length(w)
    radial = products(w / size)
    slope = float(torch.linalg.vector_norm(gradient))
    along = products(gradient / slope) if slope > 0 else torch.zeros_like(w)
    scale = max(
        slope / size,
        float(torch.linalg.vector_norm(radial)),
        float(torch.linalg.vector_norm(along)),
    )
    if scale == 0.0:
        return 0.0
    off = float(torch.linalg.vector_norm(radial * size + gradient))
    inward = abs(float(torch.dot(gradient, w))) / size
    return (off + inward) / (size * scale)


def spherical_sharpness(
    loss: LossFunction | Chunked,
    w: Tensor,
    tracker: Tracker | None = None,
    *,
    defect_tolerance: float | None = None,
) -> SphericalSharpness:
    """Spherical sharpness of a scale-invariant loss at w (D,), of any length but zero.

    Args:
        tracker: a tracker (of one pair or more) that followed the trajectory so far; the
            eigenpairs are found from a random start if not given.
        defect_tolerance: how much scale dependence is accepted (an epsilon in the denominator of
            a norm makes some); 1e-8 in float64 and 1e-3 in float32 if not given.

    Raises:
        ValueError: w = 0, or the loss is not scale-invariant.
        UnconvergedEigenpair, RepeatedTopEigenvalue, BecameNaN: as the tracker.
    """
    with Products(loss, w) as products:
        defect = scale_defect(products)
        if defect_tolerance is None:
            defect_tolerance = 1e-8 if w.dtype == torch.float64 else 1e-3
        if not defect <= defect_tolerance:
            raise ValueError(
                f"the loss is not scale-invariant: it misses Hess L w = -grad L by {defect:.3g} "
                f"(relative), over {defect_tolerance:.3g}; spherical sharpness is defined for "
                f"L(c w) = L(w) only, so leave out parameters that no normalisation follows, or "
                f"raise defect_tolerance if a small epsilon in a norm explains it"
            )
        pairs = (Tracker() if tracker is None else tracker)(products)
        return on_sphere(pairs, w, defect, products.count)


def on_sphere(
    pairs: Eigenpairs, w: Tensor, defect: float = 0.0, products: int = 0
) -> SphericalSharpness:
    """The spherical sharpness that eigenpairs at w mean."""
    scale = _length(w) ** 2
    return SphericalSharpness(
        scale * float(pairs.values[0]),
        pairs.vectors[0],
        scale * float(pairs.residuals[0]),
        scale * (float(pairs.values[0]) - _second(pairs)),
        defect,
        products or pairs.products,
    )


def _second(pairs: Eigenpairs) -> float:
    return float(pairs.values[1]) if len(pairs.values) > 1 else pairs.next_value


def _length(w: Tensor) -> float:
    size = float(torch.linalg.vector_norm(w))
    if size == 0.0:
        raise ValueError("w is zero, where a scale-invariant loss has no direction; move it")
    return size
