"""The manifold of minimizers of a loss, found and differentiated on for real models.

Minimizers are reached by gradient flow and kept by Newton steps in the range of the Hessian, whose
kernel at a minimizer is the tangent space: dense for few parameters, conjugate gradients on
Hessian-vector products for many.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy.integrate import RK45
from torch import Tensor

from eostheory.curvature import Products, Tracker, dense_hessian
from eostheory.numeric.autodiff import LossFunction
from eostheory.numeric.events import NoConvergence, RepeatedTopEigenvalue
from eostheory.numeric.objective import Objective

Array = npt.NDArray[np.float64]

RANK = 1e-6
"""Eigenvalues below this part of the largest belong to the tangent space."""


class Slope(NamedTuple):
    """The top eigenvalue at a minimizer, the tangential gradient of its logarithm (D,) and the
    length of that: zero at a stationary point of the flow."""

    sharpness: float
    direction: Tensor
    length: float


class Minimizers:
    """The manifold of minimizers of a loss, found from points near it.

    Args:
        loss: an objective, or any loss of a flat vector.
        like: (D,), a point of the right size, precision and device.
        spherical: the loss is scale-invariant and minimizers are taken on the unit sphere.
        tolerance: length of the last Newton step.
        dense_below: number of parameters up to which the Hessian is dense.
        maximum: products for one solution by conjugate gradients.
    """

    def __init__(
        self,
        loss: Objective | LossFunction,
        like: Tensor,
        *,
        spherical: bool,
        tolerance: float = 1e-9,
        dense_below: int = 600,
        maximum: int = 2000,
    ) -> None:
        self.objective = Objective.of(loss, len(like), like.dtype, like.device)
        self.spherical = spherical
        self.tolerance = tolerance
        self.dense = len(like) <= dense_below
        self.maximum = maximum
        self.tracker = Tracker(1)

    def relaxed(self, w: Tensor, rtol: float = 1e-7, steps: int = 20_000) -> Tensor:
        """Where gradient flow from ``w`` ends, up to ``rtol``, polished onto the manifold.

        Newton's method takes over where it converges; its steps are then short against the way
        that the flow has left.

        Raises:
            NoConvergence: no minimizer within ``steps`` steps of the flow.
        """
        start = self._unit(w)

        def field(_time: float, y: Array) -> Array:
            _, gradient = self.objective.value_and_gradient(self.tensor(y))
            found: Array = -gradient.cpu().to(torch.float64).numpy()
            return found

        y = start.cpu().to(torch.float64).numpy()
        solver = RK45(field, 0.0, y, math.inf, rtol=rtol, atol=rtol * 1e-2)
        noise = 1e3 * torch.finfo(self.objective.dtype).eps
        goal = max(1e-2 * float(np.linalg.norm(solver.f)), noise)
        for _ in range(steps):
            left = float(np.linalg.norm(solver.f))
            if left <= goal:
                here = self.tensor(solver.y)
                way = float(torch.linalg.vector_norm(here - start))
                try:
                    found = self.nearest(here)
                    # What Newton's method misses along the manifold is of second order.
                    short = float(torch.linalg.vector_norm(found - here)) <= 1e-3 * way
                    if short or left <= noise:
                        return found
                except NoConvergence:  # still too far for Newton's method
                    if left <= noise:
                        raise
                goal = max(0.1 * left, noise)
            solver.step()
            if solver.status == "failed":
                break
        raise NoConvergence("the gradient along the flow to a minimizer", left, goal)

    def nearest(self, w: Tensor, steps: int = 12) -> Tensor:
        """The minimizer near ``w``, by Newton steps in the range of the Hessian.

        Raises:
            NoConvergence: the steps do not become shorter than the tolerance.
        """
        point, size = self._unit(w), math.inf
        floor = 64 * torch.finfo(w.dtype).eps * float(torch.linalg.vector_norm(point))
        for _ in range(steps):
            with Products(self.objective, point) as products:
                step = self._solve(products, products.gradient, 1e-5)
            size = float(torch.linalg.vector_norm(step))
            point = self._unit(point - step)
            # What is left is quadratic in the last step.
            if size <= max(floor, self.tolerance):
                return point
        raise NoConvergence("the Newton step to the manifold of minimizers", size, self.tolerance)

    def slope(self, point: Tensor) -> Slope:
        """How the sharpness changes along the manifold at the minimizer ``point``.

        Raises:
            RepeatedTopEigenvalue: the sharpness has no gradient there.
            NoConvergence: the tangent space could not be resolved.
        """
        with Products(self.objective, point) as products:
            pair = self.tracker(products)
            u, sharpness = pair.vectors[0], float(pair.values[0])
            if not sharpness > 0:
                raise RepeatedTopEigenvalue(sharpness, pair.gap, abs(sharpness))
            along = products.third(u, u) / sharpness
            if self.spherical:
                along = along - torch.dot(along, point) * point
            direction = along - self._solve(products, products(along), 1e-9)
        if self.spherical:
            direction = direction - torch.dot(direction, point) * point
        return Slope(sharpness, direction, float(torch.linalg.vector_norm(direction)))

    def _solve(self, products: Products, right: Tensor, accuracy: float) -> Tensor:
        """``H^+ right``, in the range of the Hessian; residual relative to ``right``."""
        across = self._across(products.point)
        right = across(right)
        if self.dense:
            matrix = across(across(dense_hessian(products)).T)
            values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
            kept = values > RANK * values.abs().max()
            inside = vectors[:, kept]
            found: Tensor = inside @ ((inside.T @ right) / values[kept])
            return found
        return self._conjugate(products, right, across, accuracy)

    def _across(self, point: Tensor) -> Callable[[Tensor], Tensor]:
        """Removes the radial part of vectors in rows: along it a spherical loss is constant, and
        off the manifold that direction couples to the gradient."""
        if not self.spherical:
            return lambda v: v
        radial = point / torch.linalg.vector_norm(point)
        return lambda v: v - (v @ radial)[..., None] * radial

    def _conjugate(
        self,
        products: Products,
        right: Tensor,
        across: Callable[[Tensor], Tensor],
        accuracy: float,
    ) -> Tensor:
        """Conjugate gradients from zero stay in the range, where the Hessian is positive."""
        found = torch.zeros_like(right)
        residual, direction = right.clone(), right.clone()
        square = float(torch.dot(residual, residual))
        goal = accuracy * math.sqrt(square)
        # Below this a residual is the rounding of the products, tangential or not.
        noise = 64 * torch.finfo(right.dtype).eps * float(torch.linalg.vector_norm(products.point))
        scale = 0.0
        for _ in range(self.maximum):
            if math.sqrt(square) <= max(goal, noise * scale):
                return found
            image = across(products(direction))
            curvature = float(torch.dot(direction, image) / torch.dot(direction, direction))
            scale = max(scale, curvature)
            if not curvature > 1e-3 * RANK * scale:
                break  # only the tangent space is left
            rate = square / (curvature * float(torch.dot(direction, direction)))
            found = found + rate * direction
            residual = residual - rate * image
            after = float(torch.dot(residual, residual))
            direction = residual + (after / square) * direction
            square = after
        # Off the manifold a gradient has a tangential part, which no Newton step has to remove.
        if math.sqrt(square) <= 1e3 * goal:
            return found
        raise NoConvergence(
            "the residual of conjugate gradients on the Hessian (is there a minimizer, and is its "
            "Hessian resolved within maximum products?)",
            math.sqrt(square),
            max(goal, noise * scale),
        )

    def _unit(self, w: Tensor) -> Tensor:
        return w / torch.linalg.vector_norm(w) if self.spherical else w.detach().clone()

    def tensor(self, y: Array) -> Tensor:
        """A NumPy point as a tensor where the objective lives."""
        w = torch.from_numpy(np.array(y)).clone()
        return w.to(self.objective.device, self.objective.dtype)
