"""Losses that meet the standing assumptions of section 4, in any number of dimensions.

L(theta) = <g, w> + <w, H w>/2 + T(w, w, w)/6 + quartic(w), with w = theta - theta*, and

    H u = (2/eta) u,  the rest of the spectrum below;   alpha = -<g, T(u, u)> > 0;
    H g = 0 and H T(u, u) = 0, which makes both orthogonal to u.

The data are laid out along coordinates, so that the assumptions hold exactly in floating point,
and the coordinates are then shuffled.  Everything else (the rest of H, T and the quartic) is
generic.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor

from eostheory.agree import Sample
from eostheory.numeric.losses import Draw
from eostheory.numeric.toys import symmetric

DOUBLE = torch.float64


@dataclass(frozen=True)
class SelfStabilising:
    """One drawn loss.

    Args:
        eta: learning rate; the top eigenvalue of H is 2/eta.
        star: the reference point, shape (d,).
        g: gradient there.
        h: Hessian there, (d, d).
        t3: third derivative there, (d, d, d), symmetric.
        rows: (k, d); the quartic part is the sum of <row, w>^4 / 24, or None for a cubic.
        u: the top eigenvector of H.
        kernel: orthonormal rows that span the kernel of H.
    """

    eta: float
    star: Tensor
    g: Tensor
    h: Tensor
    t3: Tensor
    rows: Tensor | None
    u: Tensor
    kernel: Tensor

    def loss(self, theta: Tensor) -> Tensor:
        """The loss at ``theta`` of shape (d,)."""
        w = theta - self.star
        cubic = torch.dot((self.t3 @ w) @ w, w) / 6
        value = torch.dot(self.g, w) + torch.dot(w, self.h @ w) / 2 + cubic
        if self.rows is None:
            return value
        return value + ((self.rows @ w) ** 4).sum() / 24

    @property
    def dim(self) -> int:
        """Number of parameters."""
        return len(self.star)


def drawn_loss(
    sample: Sample, *, kernel: bool, transverse: bool = False, largest: int = 50
) -> SelfStabilising:
    """A generic loss with its reference point on the edge, in 2 to ``largest`` dimensions.

    Args:
        kernel: grad L and grad S lie in the kernel of the Hessian; otherwise both are generic.
        transverse: the loss is cubic and its third derivative vanishes on pairs of vectors
            orthogonal to u.
    """
    dim = sample.draw(st.integers(2, largest), "dimension")
    seed = sample.draw(st.integers(0, 2**20), "seed")
    eta = sample.draw(st.floats(0.25, 2.0), "eta")
    draw = Draw(seed)
    # coordinate 0 is u; then the kernel of H (at least one); then the rest of the spectrum
    flat = 1 + (seed + dim) % (dim - 1)
    basis = range(1, 1 + flat)
    g, h, t3 = (
        draw.normal(dim),
        torch.zeros(dim, dim, dtype=DOUBLE),
        symmetric(draw.normal(dim, dim, dim)) / dim**0.5,
    )
    rest = dim - 1 - flat
    if rest:
        h[1 + flat :, 1 + flat :] = _bulk(draw, rest, 1.6 / eta)
    h[0, 0] = 2.0 / eta
    if kernel:
        for k in (0, *range(1 + flat, dim)):
            g[k] = 0.0
            _put(t3, 0, 0, k, 0.0)
    if transverse:
        t3[1:, 1:, :] = 0.0
        t3[1:, :, 1:] = 0.0
        t3[:, 1:, 1:] = 0.0
    # alpha = -<g, grad S> > 0
    slope = t3[0, 0]
    if float(torch.dot(g, slope)) > 0:
        g = -g
    order = torch.randperm(dim, generator=torch.Generator().manual_seed(seed))
    rows = 0.5 * draw.normal(3, dim)[:, order] if not transverse else None
    eye = torch.eye(dim, dtype=DOUBLE)[:, order]
    return SelfStabilising(
        eta,
        draw.normal(dim),
        g[order],
        h[order][:, order],
        t3[order][:, order][:, :, order],
        rows,
        eye[0],
        eye[list(basis)],
    )


def _bulk(draw: Draw, size: int, top: float) -> Tensor:
    """A symmetric matrix with eigenvalues between -top/2 and top."""
    turn = draw.orthogonal(size)
    spectrum = draw.uniform(-top / 2, top, size)
    half = turn @ torch.diag(spectrum) @ turn.T
    return (half + half.T) / 2


def _put(t3: Tensor, i: int, j: int, k: int, value: float) -> None:
    """Set one entry of a symmetric tensor."""
    for p in ((i, j, k), (i, k, j), (j, i, k), (j, k, i), (k, i, j), (k, j, i)):
        t3[p] = value
