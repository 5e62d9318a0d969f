"""Gradient descent on a loss, tracked: every k-th iterate is measured and recorded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from eostheory.curvature import Tracker
from eostheory.numeric.autodiff import LossFunction
from eostheory.numeric.dynamics import checked
from eostheory.numeric.events import BecameNaN, NumericEvent, OutOfMemory
from eostheory.numeric.objective import Objective
from eostheory.training.measure import Measurer, Missed, Observation, Reach
from eostheory.training.record import Records
from eostheory.training.recording import objective_at, open_recorder


@dataclass(frozen=True)
class Tracked:
    """A trajectory that was measured.

    Args:
        records: what was measured; ``records["step"]`` (or "time") and the columns of
            :class:`~eostheory.training.measure.Measurer`.
        w: (D,), the point at the end.
        step: number of steps that were taken.
        event: what ended it before its time, or None.
        missed: measurements that were not possible, by what they lack.
        eta: learning rate; NaN for a flow.
    """

    records: Records
    w: Tensor = field(repr=False)
    step: int
    event: NumericEvent | None
    missed: dict[str, Missed]
    eta: float = math.nan

    @property
    def crossing(self) -> int | None:
        """The first recorded step at which the sharpness is at least 2/eta."""
        above = self.records["sharpness"] >= 2 / self.eta
        return int(self.records["step"][above.argmax()]) if bool(above.any()) else None


def gradient_descent(
    loss: Objective | LossFunction,
    start: Tensor,
    eta: float,
    steps: int,
    *,
    decay: float = 0.0,
    every: int = 1,
    measure: str | Sequence[str] = "free",
    k: int = 1,
    reference: Reach = None,
    scale_invariant: bool | None = None,
    observe: Mapping[str, Observation] | None = None,
    tracker: Tracker | None = None,
    folder: Path | str | None = None,
    resume: bool = False,
    changed_code: bool = False,
    checkpoint_every: int | None = None,
) -> Tracked:
    """``w <- (1 - eta decay) w - eta grad L(w)``, measured at steps 0, every, 2 every, ...

    What is measured never changes the trajectory.  Time and memory per step do not grow with the
    number of steps.  A run in a folder may be killed at any time and resumed bit for bit, and
    continued to more steps.

    Args:
        loss: an objective, or any loss function of a flat vector.
        start: (D,).
        steps: number of steps; the iterate after the last is measured too when it is due.
        measure, k, reference, scale_invariant, tracker: see
            :class:`~eostheory.training.measure.Measurer`.
        observe: further columns, functions of step and iterate.
        folder: where to record; None for memory.  See
            :class:`~eostheory.training.record.Recorder` for what may be raised, and for
            ``resume``, ``changed_code`` and ``checkpoint_every``.

    Returns:
        The trajectory.  Divergence and what is not finite end it early as its ``event``; all rows
        before are there.  A kink of the loss (ReLU) is not noticed as such: its derivatives are
        those of one side, and what they miss shows as eigenpairs that jump between rows.

    Raises:
        OutOfMemory: the device has no room; rows up to there are recorded.
        ValueError, TypeError: bad input.
    """
    objective = objective_at(loss, start)
    _check(eta, steps, decay, every)
    measurer = Measurer(
        objective,
        eta,
        decay=decay,
        measure=measure,
        k=k,
        reference=reference,
        scale_invariant=scale_invariant,
        start=start,
        tracker=tracker,
        observe=observe,
    )
    settings = {"eta": eta, "decay": decay, "every": every, **measurer.settings()}
    with open_recorder(
        objective,
        start,
        ("step", *measurer.columns),
        {"kind": "gradient descent", **settings},
        folder=folder,
        resume=resume,
        changed_code=changed_code,
        checkpoint_every=checkpoint_every,
    ) as recorder:
        step, w, measured = 0, start.detach().clone(), -1
        if recorder.restored is not None:
            step, w = recorder.restored["step"], recorder.restored["w"]
            measured = recorder.restored["measured"]
            measurer.restore(recorder.restored["measurer"])

        def state() -> dict[str, Any]:
            return {"step": step, "w": w, "measured": measured, "measurer": measurer.state()}

        event: NumericEvent | None = None
        try:
            while True:
                if step % every == 0 and step > measured:
                    recorder.append({"step": step, **measurer(step, w)})
                    measured = step
                if step >= steps:
                    break
                _, gradient = objective.value_and_gradient(w)
                w = checked(_updated(w, gradient, eta, decay), step)
                step += 1
                recorder.checkpoint_if_due(step, state)
        except OutOfMemory as error:
            recorder.finish(error)
            raise
        except NumericEvent as found:
            event = BecameNaN(step, found.what) if isinstance(found, BecameNaN) else found
        recorder.finish(event, state())
        return Tracked(recorder.records(), w, step, event, dict(measurer.missed), eta)


def _updated(w: Tensor, gradient: Tensor, eta: float, decay: float) -> Tensor:
    if decay == 0.0:
        return w - eta * gradient
    return (1 - eta * decay) * w - eta * gradient


def _check(eta: float, steps: int, decay: float, every: int) -> None:
    if not (math.isfinite(eta) and eta > 0):
        raise ValueError(f"eta is {eta!r}, expected a positive learning rate")
    if not (math.isfinite(decay) and decay >= 0 and eta * decay < 1):
        raise ValueError(f"decay is {decay!r}, expected 0 <= decay < 1/eta = {1 / eta:g}")
    if steps < 0 or every < 1 or steps != int(steps) or every != int(every):
        raise ValueError(
            f"steps is {steps} and every {every}, expected whole numbers, at least 0 and 1"
        )
