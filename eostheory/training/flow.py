"""Gradient flow of a loss, by an adaptive Runge-Kutta method, measured at given times."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from scipy.integrate import DOP853, RK23, RK45
from torch import Tensor

from eostheory.curvature import Tracker
from eostheory.numeric.autodiff import LossFunction
from eostheory.numeric.dynamics import LIMIT
from eostheory.numeric.events import BecameNaN, Diverged, NoConvergence, NumericEvent, OutOfMemory
from eostheory.numeric.objective import Objective
from eostheory.training.checkpoint import CheckpointError
from eostheory.training.descent import Tracked
from eostheory.training.measure import Measurer, Observation, Reach
from eostheory.training.record import Recorder
from eostheory.training.recording import objective_at, open_recorder

Array = npt.NDArray[np.float64]

METHODS: dict[str, Any] = {"DOP853": DOP853, "RK45": RK45, "RK23": RK23}
"""Explicit pairs of orders 8(5, 3), 5(4) and 3(2), of SciPy."""


class _Field:
    """``-grad L`` on arrays, with the number of evaluations."""

    def __init__(self, objective: Objective) -> None:
        self.calls = 0
        self._objective = objective

    def __call__(self, _time: float, y: Array) -> Array:
        self.calls += 1
        w = torch.from_numpy(np.array(y)).to(self._objective.device, self._objective.dtype)
        _, gradient = self._objective.value_and_gradient(w)
        found: Array = -gradient.cpu().to(torch.float64).numpy()
        return found


def gradient_flow(
    loss: Objective | LossFunction,
    start: Tensor,
    times: Sequence[float] | Array,
    *,
    rtol: float = 1e-8,
    atol: float = 1e-10,
    method: str = "DOP853",
    eta: float | None = None,
    measure: str | Sequence[str] = "free",
    k: int = 1,
    reference: Reach = None,
    scale_invariant: bool | None = None,
    observe: Mapping[str, Observation] | None = None,
    tracker: Tracker | None = None,
    maximum: int = 1_000_000,
    folder: Path | str | None = None,
    resume: bool = False,
    changed_code: bool = False,
    checkpoint_every: int | None = None,
) -> Tracked:
    """``dw/dt = -grad L(w)``, measured at each of ``times``.

    The integrator chooses its own steps; what is recorded between them comes from its
    interpolant, so that the times do not change the trajectory.  One time unit is 1/eta steps of
    gradient descent: ``times = eta * steps`` compares the two.

    Args:
        start: (D,), the point at ``times[0]``.
        times: (T,), increasing.
        rtol, atol: error per step and component, relative and absolute; float32 objectives
            cannot keep less than about 1e-5.
        method: "DOP853", "RK45" or "RK23".  They are explicit: their steps stay below about
            6 / 3.3 / 2.5 over the sharpness.
        eta: for the phases and measures that speak of 2/eta; None for none.
        maximum: accepted steps after which the flow is given up.
        measure, k, reference, scale_invariant, tracker: see
            :class:`~eostheory.training.measure.Measurer`.
        observe: further columns, functions of the number of the time and the point.
        folder, resume, changed_code, checkpoint_every: see
            :class:`~eostheory.training.record.Recorder`; steps are those of the integrator.

    Returns:
        The trajectory, with columns "time" and "evaluations" (of the gradient by steps; the
        interpolant of DOP853 takes three more per step) beside the measured ones.  ``w`` is the
        point at the last time that was recorded, ``step`` counts accepted steps, ``event`` is
        BecameNaN, Diverged, or NoConvergence when the integrator gave up (the flow ends in finite
        time, or takes more than ``maximum`` steps).

    Raises:
        OutOfMemory: the device has no room; rows up to there are recorded.
        ValueError, TypeError: bad input.
    """
    objective = objective_at(loss, start)
    grid = increasing(times)
    if method not in METHODS:
        raise ValueError(f"method is {method!r}, expected one of {', '.join(METHODS)}")
    if not (rtol > 0 and atol > 0):
        raise ValueError(f"rtol is {rtol!r} and atol {atol!r}, expected positive tolerances")
    measurer = Measurer(
        objective,
        eta,
        measure=measure,
        k=k,
        reference=reference,
        scale_invariant=scale_invariant,
        start=start,
        tracker=tracker,
        observe=observe,
    )
    settings = {"method": method, "rtol": rtol, "atol": atol, "eta": eta, **measurer.settings()}
    with open_recorder(
        objective,
        start,
        ("time", "evaluations", *measurer.columns),
        {"kind": "gradient flow", **settings},
        folder=folder,
        resume=resume,
        changed_code=changed_code,
        checkpoint_every=checkpoint_every,
    ) as recorder:
        field = _Field(objective)

        def tensor(y: Array) -> Tensor:
            return torch.from_numpy(np.array(y)).clone().to(objective.device, objective.dtype)

        def line(number: int, y: Array) -> dict[str, float]:
            row = {"time": float(grid[number]), "evaluations": float(field.calls)}
            return row | measurer(number, tensor(y))

        followed = follow(
            field,
            start.detach().cpu().to(torch.float64).numpy(),
            grid,
            line,
            recorder,
            method=method,
            rtol=rtol,
            atol=atol,
            maximum=maximum,
            state=measurer.state,
            restore=measurer.restore,
        )
        return Tracked(
            recorder.records(),
            tensor(followed.end),
            followed.steps,
            followed.event,
            dict(measurer.missed),
            math.nan if eta is None else eta,
        )


class Counted(Protocol):
    """A vector field that counts how often it is evaluated."""

    calls: int

    def __call__(self, time: float, y: Array, /) -> Array:
        """The velocity at ``y`` of shape (n,)."""


class Followed(NamedTuple):
    """The solution at the last time that was recorded, accepted steps, and what ended it."""

    end: Array
    steps: int
    event: NumericEvent | None


def follow(
    field: Counted,
    begin: Array,
    grid: Array,
    line: Callable[[int, Array], Mapping[str, float]],
    recorder: Recorder,
    *,
    method: str,
    rtol: float,
    atol: float,
    maximum: int,
    state: Callable[[], Mapping[str, Any]],
    restore: Callable[[Mapping[str, Any]], None],
) -> Followed:
    """Integrate ``y' = field(t, y)`` and append ``line(i, y(grid[i]))`` for every i.

    Checkpoints hold the integrator and ``state()``, which ``restore`` takes back.

    Raises:
        OutOfMemory: the device has no room; the records are finished first.
        CheckpointError: the run that is resumed was recorded at other times.
    """
    settings: dict[str, Any] = {"rtol": max(rtol, 2.3e-14), "atol": atol}
    restored = recorder.restored
    steps, row, end = 0, 0, begin
    if restored is not None:
        steps, row, end = restored["step"], restored["row"], restored["end"]
        settings["first_step"] = restored["h"]
        known = recorder.records()["time"]
        common = min(len(known), len(grid))
        for i in np.flatnonzero(known[:common] != grid[:common])[:1]:
            raise CheckpointError(
                f"{recorder.folder} was recorded at other times: number {i} was {known[i]:g}, is "
                f"{grid[i]:g}. Give those and later ones, or record into another folder"
            )
    event: NumericEvent | None = None
    solver: Any = None
    before: dict[str, Any] = {}

    def integrator() -> dict[str, Any]:
        return {
            "step": steps,
            "t": float(solver.t),
            "y": np.array(solver.y),
            "h": float(solver.h_abs),
            "calls": field.calls,
        }

    def everything() -> dict[str, Any]:
        return integrator() | {"row": row, "end": end, "more": state()}

    try:
        if restored is None:
            solver = METHODS[method](field, grid[0], begin, math.inf, **settings)
            recorder.append(line(0, begin))
            row = 1
        else:
            # The step after a restart needs nothing but point, time and proposed length.
            solver = METHODS[method](field, restored["t"], restored["y"], math.inf, **settings)
            restore(restored["more"])
            field.calls = restored["calls"]
        before = integrator()
        while row < len(grid):
            if solver.t < grid[row]:
                if steps >= maximum:
                    raise NoConvergence("time of the flow", float(solver.t), float(grid[-1]))
                before = integrator()
                _advance(solver, float(grid[-1]))
                steps += 1
            inside = None
            while row < len(grid) and grid[row] <= solver.t:
                if inside is None:
                    calls, inside = field.calls, solver.dense_output()
                    field.calls = calls
                end = inside(grid[row])
                recorder.append(line(row, end))
                row += 1
            recorder.checkpoint_if_due(steps, everything)
    except OutOfMemory as error:
        recorder.finish(error)
        raise
    except NumericEvent as found:
        event = found
        if isinstance(found, BecameNaN):
            event = BecameNaN(steps, found.what)
        elif isinstance(found, Diverged):
            event = Diverged(steps, found.size)
    # The last step is done again by whoever goes on to more times: they may lie within it.
    recorder.finish(event, everything() | before if event is None else None)
    return Followed(end, steps, event)


def _advance(solver: Any, end: float) -> None:
    with np.errstate(all="ignore"):
        solver.step()
    if solver.status == "failed":
        raise NoConvergence("time of the flow", float(solver.t), end)
    size = float(np.linalg.norm(solver.y))
    if math.isnan(size):
        raise BecameNaN(0, "the point on the flow")
    if size > LIMIT:
        raise Diverged(0, size)


def increasing(times: Sequence[float] | Array) -> Array:
    """``times`` as an array (T,).

    Raises:
        ValueError: unless they are finite, increasing, and at least one.
    """
    grid = np.asarray(times, dtype=np.float64)
    if grid.ndim != 1 or len(grid) == 0 or not np.all(np.isfinite(grid)):
        raise ValueError("times must be a non-empty sequence of finite numbers")
    if np.any(np.diff(grid) <= 0):
        raise ValueError("times must increase")
    return grid
