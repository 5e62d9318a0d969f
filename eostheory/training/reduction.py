"""The sharpness-reduction flow on a manifold of minimizers (lyu22), for real models.

With Gamma the minimizers and ``g = grad_Gamma log lambda_1`` the tangential part of the gradient
of the logarithm of the (spherical) sharpness::

    d zeta / d tau = -2 g / (4 + |g|^2)               gradient descent with weight decay, (3)
    d zeta / d tau = -g / (4 + (2 / c_b) |g|^2)       a quasi-RMSprop scheduler, (8)

A step of gradient descent with weight decay takes the time ``eta decay``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from scipy.integrate import RK45
from torch import Tensor

from eostheory.curvature import Tracker
from eostheory.numeric.autodiff import LossFunction
from eostheory.numeric.events import NoConvergence
from eostheory.numeric.objective import Objective
from eostheory.training.center import demand_third_derivatives
from eostheory.training.descent import Tracked, gradient_descent
from eostheory.training.flow import METHODS, Array, follow, increasing
from eostheory.training.minimizers import Minimizers
from eostheory.training.quantities import is_scale_invariant
from eostheory.training.recording import objective_at, open_recorder


class _Field:
    """The right-hand side of (3) or (8), at the minimizer next to the point that is asked for."""

    def __init__(self, minimizers: Minimizers, c_b: float | None) -> None:
        self.calls = 0
        self.minimizers = minimizers
        self.c_b = c_b

    def __call__(self, _time: float, y: Array) -> Array:
        self.calls += 1
        point = self.minimizers.nearest(self.minimizers.tensor(y))
        slope = self.minimizers.slope(point)
        square = slope.length**2
        if self.c_b is None:
            rate = 2 / (4 + square)
        else:
            rate = 1 / (4 + 2 / self.c_b * square)
        found: Array = (-rate * slope.direction).cpu().to(torch.float64).numpy()
        return found


def _prepared(
    loss: Objective | LossFunction, start: Tensor, spherical: bool | None, dense_below: int
) -> tuple[Objective, Minimizers]:
    objective = objective_at(loss, start)
    if spherical is None:
        spherical = is_scale_invariant(objective, start)
    demand_third_derivatives(objective, start)
    return objective, Minimizers(objective, start, spherical=spherical, dense_below=dense_below)


def sharpness_reduction_flow(
    loss: Objective | LossFunction,
    start: Tensor,
    times: Sequence[float] | Array,
    *,
    spherical: bool | None = None,
    c_b: float | None = None,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    method: str = "RK45",
    stationary: float = 1e-6,
    dense_below: int = 600,
    maximum: int = 100_000,
    folder: Path | str | None = None,
    resume: bool = False,
    changed_code: bool = False,
    checkpoint_every: int | None = None,
) -> Tracked:
    """The sharpness-reduction flow from the minimizer that gradient flow from ``start`` reaches.

    Args:
        start: (D,), near the manifold of minimizers.
        times: (T,), increasing; ``times[0]`` is that of the start.
        spherical: the loss is scale-invariant, and the manifold lies on the unit sphere; None to
            find out.  Otherwise the manifold lies in R^D.
        c_b: None for gradient descent with weight decay, equation (3); or the constant with
            ``1 - beta = c_b eta^2`` of a quasi-RMSprop scheduler, equation (8).
        rtol, atol, method: of the integrator.
        stationary: length of the tangential gradient at which a point counts as stationary.
        dense_below: number of parameters up to which the Hessian is dense.
        maximum: steps after which the flow is given up.
        folder, resume, changed_code, checkpoint_every: see
            :class:`~eostheory.training.record.Recorder`.

    Returns:
        The trajectory with columns "time", "evaluations", "loss", "sharpness" (of the minimizer;
        spherical for a scale-invariant loss), "slope" (length of the tangential gradient of
        its logarithm), "stationary" (0 or 1) and "moved" (distance from the first minimizer).
        ``event``: RepeatedTopEigenvalue where the top two eigenvalues meet (assumption 4.6),
        NoConvergence where the manifold could not be followed.

    Raises:
        NoConvergence, BecameNaN: ``start`` leads to no minimizer.
        ValueError, TypeError: bad input.
    """
    grid = increasing(times)
    if method not in METHODS:
        raise ValueError(f"method is {method!r}, expected one of {', '.join(METHODS)}")
    if c_b is not None and not c_b > 0:
        raise ValueError(f"c_b is {c_b!r}, expected a positive number or None")
    if not (rtol > 0 and atol > 0):
        raise ValueError(f"rtol is {rtol!r} and atol {atol!r}, expected positive tolerances")
    objective, minimizers = _prepared(loss, start, spherical, dense_below)
    settings = {
        "kind": "sharpness-reduction flow",
        "method": method,
        "rtol": rtol,
        "atol": atol,
        "c_b": c_b,
        "spherical": minimizers.spherical,
        "dense_below": dense_below,
    }
    columns = ("time", "evaluations", "loss", "sharpness", "slope", "stationary", "moved")
    with open_recorder(
        objective,
        start,
        columns,
        settings,
        folder=folder,
        resume=resume,
        changed_code=changed_code,
        checkpoint_every=checkpoint_every,
    ) as recorder:
        field = _Field(minimizers, c_b)
        first = minimizers.relaxed(start)

        def line(number: int, y: Array) -> dict[str, float]:
            point = minimizers.nearest(minimizers.tensor(y))
            slope = minimizers.slope(point)
            return {
                "time": float(grid[number]),
                "evaluations": float(field.calls),
                "loss": float(objective.value_and_gradient(point)[0]),
                "sharpness": slope.sharpness,
                "slope": slope.length,
                "stationary": float(slope.length <= stationary),
                "moved": float(torch.linalg.vector_norm(point - first)),
            }

        def restore(state: object) -> None:
            assert isinstance(state, dict)
            minimizers.tracker = Tracker.restored(state["tracker"])

        followed = follow(
            field,
            first.cpu().to(torch.float64).numpy(),
            grid,
            line,
            recorder,
            method=method,
            rtol=rtol,
            atol=atol,
            maximum=maximum,
            state=lambda: {"tracker": minimizers.tracker.state()},
            restore=restore,
        )
        end = minimizers.tensor(followed.end)
        if followed.event is None:
            end = minimizers.nearest(end)
        return Tracked(recorder.records(), end, followed.steps, followed.event, {})


def compare_with_reduction_flow(
    loss: Objective | LossFunction,
    start: Tensor,
    eta: float,
    decay: float,
    steps: int,
    *,
    every: int = 1,
    rtol: float = 1e-6,
    dense_below: int = 600,
    folder: Path | str | None = None,
) -> Tracked:
    """Gradient descent with weight decay on a scale-invariant loss, beside the flow (3).

    Args:
        start: (D,), near the manifold of minimizers and its direction slightly off it, at the edge
            of stability: ``eta / ((1 - eta decay) |w|^2)`` near 2 over the spherical sharpness.

    Returns:
        The tracked descent with columns "distance" (of ``w / |w|`` from the flow at time
        ``eta decay step``) and "flow sharpness" beside its own; theorem 4.7 of lyu22 bounds the
        distance by ``O((eta decay)^(1/4 - o(1)))``.

    Raises:
        ValueError: the loss is not scale-invariant, or there is no weight decay.
        NoConvergence, RepeatedTopEigenvalue: the flow cannot be followed.
    """
    if not decay > 0:
        raise ValueError(f"decay is {decay!r}; without weight decay there is no such flow")
    objective, minimizers = _prepared(loss, start, None, dense_below)
    if not minimizers.spherical:
        raise ValueError("the loss is not scale-invariant at the start, expected L(c w) = L(w)")
    field = _Field(minimizers, None)
    first = minimizers.relaxed(start).cpu().to(torch.float64).numpy()
    solver = RK45(field, 0.0, first, math.inf, rtol=rtol, atol=rtol * 1e-2)
    found: dict[str, float] = {}

    def distance(step: int, w: Tensor) -> float:
        time = step * eta * decay
        while solver.t < time:
            solver.step()
            if solver.status == "failed":
                raise NoConvergence("time of the flow", float(solver.t), time)
        y = solver.dense_output()(time) if solver.t > 0 else first
        point = minimizers.nearest(minimizers.tensor(y))
        found["sharpness"] = minimizers.slope(point).sharpness
        return float(torch.linalg.vector_norm(w / torch.linalg.vector_norm(w) - point))

    return gradient_descent(
        objective,
        start,
        eta,
        steps,
        decay=decay,
        every=every,
        scale_invariant=True,
        observe={"distance": distance, "flow sharpness": lambda *_: found["sharpness"]},
        folder=folder,
    )
