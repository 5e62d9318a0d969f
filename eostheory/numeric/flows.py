"""Continuous time: ordinary differential equations and the projection by gradient flow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.integrate import DOP853, solve_ivp
from torch import Tensor

from eostheory.numeric.autodiff import LossFunction, gradient, hessian
from eostheory.numeric.events import BecameNaN, NoConvergence
from eostheory.numeric.rounding import RunningError

Array = npt.NDArray[np.float64]
Field = Callable[[float, Array], Any]


@dataclass(frozen=True)
class Orbit:
    """A solution at given times with an estimate of its global error.

    Args:
        times: (T,).
        states: (T, n).
        error: (T,), the largest change of any component when the tolerance was relaxed a
            thousandfold.  The error of these integrators is proportional to their tolerance, so
            the finer solution errs by about a thousandth of that.
        crossings: times after the start at which the event function vanished.
    """

    times: Array
    states: Array
    error: Array
    crossings: Array


def integrate(
    field: Field,
    start: Sequence[float] | Array,
    times: Sequence[float] | Array,
    rtol: float = 1e-12,
    event: Callable[[float, Array], float] | None = None,
    direction: float = 0.0,
    method: str = "DOP853",
) -> Orbit:
    """Solve ``y' = field(t, y)`` from ``y(times[0]) = start`` at all ``times``.

    Args:
        event: scalar function whose zeros (crossed in ``direction``) are located as well.

    Raises:
        NoConvergence: the integrator gave up (blow-up in finite time, say).
        BecameNaN: the solution is not finite.
    """
    grid = np.asarray(times, dtype=np.float64)
    fine = _solve(field, start, grid, rtol, event, direction, method)
    rough = _solve(field, start, grid, 1000 * rtol, None, direction, method)
    error = np.max(np.abs(fine.y - rough.y), axis=0)
    crossings = np.asarray(fine.t_events[0]) if event is not None else np.empty(0)
    crossings = crossings[crossings > grid[0]]
    return Orbit(grid, fine.y.T.copy(), error, crossings)


def _solve(
    field: Field,
    start: Any,
    grid: Array,
    rtol: float,
    event: Callable[[float, Array], float] | None,
    direction: float,
    method: str,
) -> Any:
    events = None
    if event is not None:

        def watched(t: float, y: Array) -> float:
            return event(t, y)

        watched.direction = direction  # type: ignore[attr-defined]
        events = [watched]
    with np.errstate(all="ignore"):
        found = solve_ivp(
            field,
            (float(grid[0]), float(grid[-1])),
            np.asarray(start, dtype=np.float64),
            method=method,
            t_eval=grid,
            rtol=max(rtol, 2.3e-14),
            atol=rtol * 1e-3,
            events=events,
        )
    if not found.success:
        raise NoConvergence(f"integration ({found.message})", float(found.t[-1]), float(grid[-1]))
    if not np.all(np.isfinite(found.y)):
        raise BecameNaN(0, "the solution of the differential equation")
    return found


NOISE = 1e-13
"""Gradients of losses of order one are rounding errors below this."""


def _batch_gradient(loss: LossFunction, points: Tensor, batched: bool) -> Tensor:
    leaf = points.detach().clone().requires_grad_(True)
    total = loss(leaf).sum() if batched else torch.stack([loss(p) for p in leaf]).sum()
    return torch.autograd.grad(total, leaf)[0].detach()


@dataclass(frozen=True)
class Projection:
    """Limits of gradient flow: ``points`` of shape (B, D), with an ``error`` for each (2-norm)."""

    points: Tensor
    error: Tensor


def gradient_flow_limit(
    loss: LossFunction,
    starts: Tensor,
    rtol: float = 1e-10,
    horizon: float = 400.0,
    spherical: bool = False,
) -> Projection:
    """``Phi(theta)``: where gradient flow from each row of ``starts`` converges.

    All starts flow together; the displacement from the start is integrated, so that the relative
    tolerance is relative to the way that is travelled.  When the gradient has shrunk a
    hundred-thousandfold, Newton steps in the range of the Hessian finish: what
    they miss along the manifold is quadratic in what is left, and is put into the error.

    Args:
        starts: (B, D), near a manifold of minimizers; may be (D,) for one start.
        spherical: the loss is scale-invariant and starts have unit length; limits then do too.

    Raises:
        NoConvergence: no minimizer within time ``horizon``.
    """
    single = starts.dim() == 1
    rows = starts.detach().reshape(-1, starts.shape[-1])
    fine, left, time = _flow(loss, rows, rtol, horizon, spherical)
    rough, _, _ = _flow(loss, rows, 300 * rtol, horizon, spherical)
    error = torch.linalg.vector_norm(fine - rough, dim=1) / 10
    # Rounding of the gradient pushes along the manifold all the way.
    slack = torch.stack([_gradient_noise(loss, row) for row in rows])
    error = error + left + time * slack + 4 * 2.0**-53
    return Projection(fine[0] if single else fine, error[0] if single else error)


def _gradient_noise(loss: LossFunction, point: Tensor) -> Tensor:
    with RunningError() as run:
        grad = gradient(loss, point)
    size: Tensor = torch.linalg.vector_norm(run.error(grad))
    return size


def _flow(
    loss: LossFunction, rows: Tensor, rtol: float, horizon: float, spherical: bool
) -> tuple[Tensor, Tensor, float]:
    """Limits, a bound on what the last Newton steps missed, and the time that was needed."""
    shape, batched = rows.shape, bool(getattr(loss, "batched", False))
    sizes = torch.linalg.vector_norm(_batch_gradient(loss, rows, batched), dim=1)
    # Newton's quadratic remainder is then below 1e-9 of the smallest way travelled.  Below NOISE
    # a gradient is its own rounding, and Newton's remainder far below that.
    goal = max(1e-5 * float(sizes.min()), NOISE)

    def field(_t: float, flat: Array) -> Array:
        moved = rows + torch.as_tensor(flat, device=rows.device).reshape(shape)
        grad: Array = _batch_gradient(loss, moved, batched).reshape(-1).cpu().numpy()
        return -grad

    # Stepping by hand spares the interpolant that an event search would build at every step.
    tolerance = {
        "rtol": max(rtol, 2.3e-14),
        "atol": max(rtol * 1e-3 * float(sizes.min()), NOISE / 1e3),
    }
    solver = DOP853(field, 0.0, np.zeros(rows.numel()), horizon, **tolerance)
    left = float(sizes.max())
    while solver.status == "running" and left > goal:
        solver.step()
        left = float(np.max(np.linalg.norm(solver.f.reshape(shape), axis=1)))
    flat = solver.y
    if not left <= goal or not np.all(np.isfinite(flat)):
        raise NoConvergence("the gradient along the flow", left, goal)
    ends = rows + torch.as_tensor(flat, device=rows.device).reshape(shape)
    polished = [_polish(loss, end, spherical) for end in ends]
    return torch.stack([p[0] for p in polished]), torch.stack([p[1] for p in polished]), solver.t


def _polish(loss: LossFunction, point: Tensor, spherical: bool) -> tuple[Tensor, Tensor]:
    """Newton steps across the manifold; returns the minimizer and (first step)^2 as its error."""
    first = torch.zeros((), dtype=point.dtype, device=point.device)
    for k in range(2):
        values, vectors = torch.linalg.eigh(hessian(loss, point))
        kept = values > 1e-6 * values.abs().max()
        inside = vectors[:, kept]
        step = inside @ ((inside.T @ gradient(loss, point)) / values[kept])
        if k == 0:
            size = torch.linalg.vector_norm(step)
            first = 10 * size * size
        point = point - step
        if spherical:
            point = point / torch.sqrt(torch.dot(point, point))
    return point, first
