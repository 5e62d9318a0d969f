"""Losses with a manifold of minimizers, measured without cancellation near one of its points.

Points are stored as *offsets* from a base minimizer: the origin of the flat space, or the last
axis vector of the sphere.  An offset of size 1e-5 then keeps all its digits, so that third-order
remainders of one step are visible in double precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Valley:
    """``L = |F|^2 / 2`` with ``F`` zero on a manifold through the base point.

    Args:
        sphere: whether ``L`` is scale-invariant, with its minimizers on the unit sphere.
        rows: Jacobian of ``F`` at the base point, (k, D); its rows are orthogonal.
        bends: second derivatives of ``F``, (k, D, D).
        waves: (k, D) directions of a sine added to ``F``.
    """

    sphere: bool
    rows: torch.Tensor
    bends: torch.Tensor
    waves: torch.Tensor

    @property
    def dim(self) -> int:
        """Number of parameters."""
        return int(self.rows.shape[1])

    @property
    def base(self) -> Array:
        """The minimizer from which offsets are taken."""
        base = np.zeros(self.dim)
        if self.sphere:
            base[-1] = 1.0
        return base

    def loss(self, offset: torch.Tensor) -> torch.Tensor:
        """Loss at base + offset for offsets of shape (..., D)."""
        if self.sphere:
            offset = normalized(offset)
        bent = torch.einsum("kij,...i,...j->...k", self.bends, offset, offset) / 2
        phase = offset @ self.waves.T
        residual = offset @ (self.rows - self.waves).T + bent + torch.sin(phase)
        return (residual**2).sum(-1) / 2

    def gradient(self, offset: Array) -> Array:
        """Gradients at offsets of shape (..., D), by autograd."""
        point = torch.tensor(offset, requires_grad=True)
        (slope,) = torch.autograd.grad(self.loss(point).sum(), point)
        return np.asarray(slope.numpy())

    def _second(self, point: torch.Tensor) -> torch.Tensor:
        # Reverse mode throughout: torch's forward mode loads parts of torch that warn.
        found: torch.Tensor = torch.func.jacrev(torch.func.jacrev(self.loss))(point)
        return found

    def hessian(self, offset: Array) -> Array:
        """Hessian (D, D) at one offset, by autograd twice."""
        matrix = self._second(torch.tensor(offset))
        return np.asarray(((matrix + matrix.T) / 2).numpy())

    def third(self, offset: Array) -> Array:
        """Third derivative (D, D, D) at one offset, by autograd thrice."""
        third = torch.func.jacrev(self._second)(torch.tensor(offset))
        return np.asarray(third.numpy())

    def log_sharpness_gradient(self, offset: Array) -> Array:
        """Gradient of the logarithm of the top Hessian eigenvalue, through the eigensolver."""

        def log_top(point: torch.Tensor) -> torch.Tensor:
            matrix = self._second(point)
            return torch.log(torch.linalg.eigvalsh((matrix + matrix.T) / 2)[-1])

        return np.asarray(torch.func.grad(log_top)(torch.tensor(offset)).numpy())

    def project(self, offset: Array, accuracy: float = 1e-8, unit: bool = True) -> Array:
        """Limits of gradient flow from offsets of shape (n, D).

        ``unit`` says that the points are on the sphere, if there is one.
        """
        shape = offset.shape

        def slope(_: float, flat: Array) -> Array:
            return -self.gradient(flat.reshape(shape)).ravel()

        size = np.abs(offset).max(axis=1, keepdims=True)
        floor = np.broadcast_to(1e-2 * accuracy * np.maximum(size, 1e-9) ** 2, shape).ravel()
        least = float((self.rows**2).sum(1).min())
        run = solve_ivp(
            slope, (0.0, 34.0 / least), offset.ravel(), method="DOP853", rtol=accuracy, atol=floor
        )
        end = np.asarray(run.y[:, -1]).reshape(shape)
        return renormalized(end) if self.sphere and unit else end


def normalized(offset: torch.Tensor) -> torch.Tensor:
    """Offset of (base + offset)/|base + offset| on the sphere, without cancellation."""
    excess = (offset**2).sum(-1, keepdim=True) + 2 * offset[..., -1:]
    length = torch.sqrt(1 + excess)
    axis = torch.zeros_like(offset)
    axis[..., -1] = 1
    return offset / length - axis * (excess / (length * (1 + length)))


def renormalized(offset: Array) -> Array:
    """The last coordinate of a point of the sphere from its other ones."""
    side = (offset[..., :-1] ** 2).sum(-1)
    fixed = offset.copy()
    fixed[..., -1] = -side / (1 + np.sqrt(1 - side))
    return fixed


@cache
def valley(sphere: bool, dim: int, rank: int, seed: int) -> Valley:
    """A drawn loss in ``dim`` parameters with ``rank`` positive curvatures, the first on top."""
    rng = np.random.default_rng([int(sphere), dim, rank, seed])
    free = dim - 1 if sphere else dim
    frame = np.linalg.qr(rng.normal(size=(free, free)))[0][:rank]
    rows = np.zeros((rank, dim))
    rows[:, :free] = frame
    shares = np.concatenate([[1.0], rng.uniform(0.3, 0.7, size=rank - 1)])
    rows *= np.sqrt(rng.uniform(1.0, 2.5) * shares)[:, None]
    bends = rng.normal(size=(rank, dim, dim))
    waves = rng.normal(size=(rank, dim)) / np.sqrt(dim)
    if sphere:
        waves[:, -1] = 0.0
    return Valley(
        sphere,
        torch.tensor(rows),
        torch.tensor((bends + bends.transpose(0, 2, 1)) / 4),
        torch.tensor(waves),
    )
