"""Losses with a manifold of minimizers along which the top eigenvalue varies.

In adapted coordinates ``(z, y)`` the minimizers are the graph ``y = q(z)`` of a quadratic map.
The loss is ``|M(z) s|^2 / 2`` plus cubic and quartic terms in ``s = y - q(z)``; M varies with z
in several directions, so that eigenvalues and eigenvectors do; a random rotation hides the
coordinates.  The spherical version composes this with ``w -> w / |w|``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from eostheory.numeric.losses import Draw, Loss
from eostheory.numeric.toys import symmetric


@dataclass(frozen=True)
class ManifoldLoss(Loss):
    """A loss whose minimizers are known.

    Args:
        tangent: dimension of the manifold (of its cone, for a spherical one).
        spherical: whether the loss is scale-invariant and the manifold lies on the sphere.

    The function also accepts a batch of points, shape (B, D), and returns B values.
    """

    tangent: int = 0
    spherical: bool = False
    batched: bool = True
    parts: dict[str, Tensor] = field(default_factory=dict, repr=False, compare=False)

    def minimizer(self, z: Tensor) -> Tensor:
        """The minimizer over the chart point ``z`` of shape (tangent,).

        Spherical: the point of the sphere with ``z`` scaled to fit.
        """
        q = self.parts["q"]
        height = torch.einsum("jkl,k,l->j", q, z, z)
        if self.spherical:
            # |t z|^2 + |t^2 q(z)|^2 = 1 is quadratic in t^2.
            a, b = torch.dot(height, height), torch.dot(z, z)
            square = 2 / (b + torch.sqrt(b * b + 4 * a))
            z, height = z * torch.sqrt(square), height * square
        point = self.parts["rotation"] @ torch.cat([z, height])
        if self.spherical:
            point = point / torch.sqrt(torch.dot(point, point))
        return point

    def some_minimizer(self, seed: int, spread: float = 0.5) -> Tensor:
        """A random minimizer."""
        z = spread * Draw(seed, self.device).normal(self.tangent)
        if self.spherical:
            z = z / torch.sqrt(torch.dot(z, z))
        return self.minimizer(z)


def _build(dim: int, tangent: int, seed: int, device: str | None, spherical: bool) -> ManifoldLoss:
    normal = dim - tangent
    if tangent < 1 or normal < 1:
        raise ValueError(
            f"dimension {dim} with a manifold of dimension {tangent}: need 1 <= tangent < dim"
        )
    draw = Draw(seed, device, dim)
    turn = draw.orthogonal(dim)
    curve = draw.normal(normal, tangent, tangent) * (0.3 / tangent)
    curve = (curve + curve.transpose(1, 2)) / 2
    # Singular values well apart at z = 0: a top one near 1.3, the others in [0.6, 0.9].
    stretch = draw.uniform(0.6, 0.9, normal)
    stretch[0] = draw.uniform(1.2, 1.4, 1)[0]
    left, right = draw.orthogonal(normal), draw.orthogonal(normal)
    base = left @ torch.diag(stretch) @ right
    vary = draw.normal(tangent, normal, normal) * (0.15 / (normal * tangent) ** 0.5)
    # The top singular value gets a slope of its own, in every direction of the manifold.
    slope = draw.uniform(0.1, 0.3, tangent) * torch.sign(draw.normal(tangent))
    vary = vary + torch.einsum("k,i,j->kij", slope, left[:, 0], right[0])
    cubic = symmetric(draw.normal(normal, normal, normal)) * 0.3
    quartic = draw.uniform(0.1, 0.5, normal)
    parts = {"rotation": turn, "q": curve, "M": base, "dM": vary, "cubic": cubic}

    def flat(w: Tensor) -> Tensor:
        c = w @ turn
        z, y = c[..., :tangent], c[..., tangent:]
        # q(z)_j = z' Q_j z, with the pairs (k, l) as one axis: plain products of matrices.
        pairs = (z.unsqueeze(-1) * z.unsqueeze(-2)).reshape(*z.shape[:-1], tangent * tangent)
        s = y - pairs @ curve.reshape(normal, tangent * tangent).T
        mixed = (z.unsqueeze(-1) * s.unsqueeze(-2)).reshape(*s.shape[:-1], tangent * normal)
        r = s @ base.T + mixed @ vary.permute(0, 2, 1).reshape(tangent * normal, normal)
        square = (s.unsqueeze(-1) * s.unsqueeze(-2)).reshape(*s.shape[:-1], normal * normal)
        third = ((square @ cubic.reshape(normal * normal, normal)) * s).sum(-1)
        value: Tensor = (r * r).sum(-1) / 2 + third / 6 + (s**4 * quartic).sum(-1)
        return value

    def sphere(w: Tensor) -> Tensor:
        return flat(w / torch.sqrt((w * w).sum(-1, keepdim=True)))

    return ManifoldLoss(
        "spherical manifold" if spherical else "flat manifold",
        dim,
        sphere if spherical else flat,
        seed,
        {"rotation": turn},
        tangent=tangent,
        spherical=spherical,
        parts=parts,
    )


def flat_manifold(dim: int, tangent: int, seed: int, device: str | None = None) -> ManifoldLoss:
    """A loss on R^dim whose local minimizers form a manifold of dimension ``tangent``.

    Raises:
        ValueError: unless 1 <= tangent < dim.
    """
    return _build(dim, tangent, seed, device, spherical=False)


def spherical_manifold(
    dim: int, tangent: int, seed: int, device: str | None = None
) -> ManifoldLoss:
    """A scale-invariant loss on R^dim whose minimizers form a manifold of dimension
    ``tangent - 1`` on the unit sphere.

    Raises:
        ValueError: unless 1 <= tangent < dim.
    """
    return _build(dim, tangent, seed, device, spherical=True)
