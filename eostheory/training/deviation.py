"""Gradient descent beside the constrained trajectory and the predicted dynamics, recorded.

This is the experiment of damian23, section 6 and figure 4: gradient descent runs to the edge of
stability, and from there on its displacement from the constrained trajectory is compared with the
predicted one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eostheory.curvature import Products, Tracker
from eostheory.numeric.dynamics import checked
from eostheory.numeric.events import BecameNaN, NumericEvent, OutOfMemory
from eostheory.numeric.objective import Objective
from eostheory.training.center import Loss, check_rate, check_vector
from eostheory.training.constrained import ConstrainedTrajectory, reach_edge
from eostheory.training.generalized import GeneralizedDynamics
from eostheory.training.predicted import PredictedDynamics, Transfers, advance
from eostheory.training.record import Records
from eostheory.training.recording import open_recorder

CONSTRAINED = (
    "active", "constrained loss", "constrained sharpness", "next eigenvalue", "alpha", "beta",
    "delta", "epsilon", "alignment", "grad S . u", "multiplier", "overlap", "residual",
)  # fmt: skip
DESCENT = ("loss", "sharpness", "mean sharpness", "x", "y", "deviation")
PREDICTED = (
    "predicted loss", "predicted sharpness", "predicted x", "predicted y", "predicted deviation",
    "error",
)  # fmt: skip
COSTS = ("iterations", "constrained products", "thirds", "predicted products", "descent products")


@dataclass(frozen=True)
class Deviation:
    """Gradient descent and its prediction, side by side.

    Args:
        records: one row per recorded step; see :func:`track_deviation` for the columns.
        edge: the step of gradient descent at which the comparison starts.
        eta: learning rate.
        event: what ended it before its time, or None.
        w: (D,) where gradient descent is at the end.
        constrained: (D,) where the constrained trajectory is.
    """

    records: Records
    edge: int
    eta: float
    event: NumericEvent | None
    w: Tensor = field(repr=False)
    constrained: Tensor = field(repr=False)

    def cycles(self) -> int:
        """How often the sharpness of gradient descent (mean of two steps) came back below 2/eta
        from above: the number of times the self-stabilization has closed."""
        mean = self.records["mean sharpness"]
        above = mean[~(mean != mean)] > 2 / self.eta
        return int((above[:-1] & ~above[1:]).sum())


def track_deviation(
    loss: Loss,
    start: Tensor,
    eta: float,
    steps: int,
    *,
    generalized: bool = False,
    before: int = 100_000,
    every: int = 1,
    c: float | None = 1.9,
    inactive: str = "manifold",
    tolerance: float = 1e-6,
    maximum: int = 40,
    exact: bool = True,
    window: int = 0,
    anchor: int = 0,
    kick: float = 0.0,
    dense_below: int = 64,
    folder: Path | str | None = None,
    resume: bool = False,
    changed_code: bool = False,
    checkpoint_every: int | None = None,
) -> Deviation:
    """Run gradient descent to the edge, then beside its prediction for ``steps`` steps.

    Time and memory per step do not grow with the number of steps.

    Args:
        loss: an objective, or any function of a flat vector.
        start: (D,), float64 (float32 is too coarse for x, which decides when the next cycle comes).
        eta: learning rate.
        steps: after the edge.
        generalized: predict with the loss along u as it is (appendix F).
        before: steps allowed to reach the edge.
        every: steps between rows; each costs the sharpness of gradient descent.
        c: end when the second eigenvalue on the constrained trajectory reaches c/eta.
        inactive, tolerance, maximum, exact: of the projection, see
            :class:`~eostheory.training.projection.Projector`.
        window: number of ``beta_{s->t}`` to find (records the oldest and the one of s = t).
        anchor: steps after which the predicted displacement starts again from the true one, again
            and again; 0 for never.  The row of such a step is the prediction before.
        kick: displace gradient descent at the edge by ``kick * delta`` along u.  Below the edge the
            oscillation along u dies out down to rounding; when it is back, one cycle later, is then
            decided by rounding, not by the loss.  Theorem 1 asks for ``|x|`` of the order of delta.
        dense_below: number of parameters up to which dense Hessians replace Davidson's method.
        folder, resume, changed_code, checkpoint_every: see
            :class:`~eostheory.training.record.Recorder`.

    Returns:
        Columns: ``step`` (after the edge); of the constrained trajectory ``active``, loss,
        sharpness, next eigenvalue, alpha, beta, delta, epsilon, ``alignment`` (alpha over
        ``|grad L| |grad S^perp|``, assumption 4), ``grad S . u``, multiplier, overlap of u with
        the last one, residual of the projection; of gradient descent loss, sharpness, its mean
        with that of the step before, ``x``, ``y`` and ``deviation = |v|``; the predicted ones, and
        ``error = |v - v*|``; counts of Hessian-vector products and third derivatives in the last
        step.

    Events end the run early, as ``event``; all rows before are there.  The way to the edge has no
    rows and no checkpoints: a run that is killed there starts again.

    Raises:
        EdgeNotReached: gradient descent does not reach the edge within ``before`` steps.
        UnconvergedProjection, EigengapClosed, RepeatedTopEigenvalue, UnconvergedEigenpair,
        BecameNaN, Diverged: there is no constrained trajectory to start with.
        OutOfMemory: rows up to there are recorded.
        ValueError, TypeError: bad input.
    """
    check_vector(start, "the start")
    check_rate(eta)
    objective = Objective.of(loss, len(start), start.dtype, start.device)
    objective.check(start)
    for name, number, least in (
        ("steps", steps, 0), ("before", before, 0), ("every", every, 1), ("window", window, 0),
        ("anchor", anchor, 0),
    ):  # fmt: skip
        if not isinstance(number, int) or number < least:
            raise ValueError(f"{name} = {number!r}: expected an integer of at least {least}")
    if not math.isfinite(kick):
        raise ValueError(f"kick = {kick!r}: expected a finite number")
    columns: tuple[str, ...] = ("step", *CONSTRAINED, *DESCENT, *PREDICTED, *COSTS)
    columns += ("beta now", "beta oldest") if window else ()
    about = {
        "kind": "deviation", "eta": eta, "generalized": generalized, "every": every, "c": c,
        "inactive": inactive, "tolerance": tolerance, "maximum": maximum, "exact": exact,
        "window": window, "anchor": anchor, "kick": kick, "dense_below": dense_below,
    }  # fmt: skip
    with open_recorder(
        objective, start, columns, about, folder=folder, resume=resume, changed_code=changed_code,
        checkpoint_every=checkpoint_every,
    ) as recorder:  # fmt: skip
        settings = {
            "c": c, "inactive": inactive, "tolerance": tolerance, "maximum": maximum,
            "exact": exact,
        }  # fmt: skip
        begin = {"before": before, "kick": kick, "dense_below": dense_below}
        if recorder.restored is not None:
            run = _Run.restored(objective, eta, generalized, window, settings, recorder.restored)
        else:
            try:
                run = _Run.begun(objective, start, eta, generalized, window, settings, begin)
            except NumericEvent as error:
                recorder.finish(error)
                raise
        event: NumericEvent | None = None
        try:
            while True:
                if run.step % every == 0 and run.step > run.measured:
                    recorder.append(run.row())
                if run.step >= steps:
                    break
                if anchor and run.step and run.step % anchor == 0:
                    run.dynamics.anchor(run.w)
                run.advance(every)
                recorder.checkpoint_if_due(run.step, run.state)
        except OutOfMemory as error:
            recorder.finish(error)
            raise
        except NumericEvent as found:
            event = BecameNaN(run.step, found.what) if isinstance(found, BecameNaN) else found
        recorder.finish(event, run.state() if event is None else None)
        here = run.trajectory.here.point
        return Deviation(recorder.records(), run.edge, eta, event, run.w, here)


class _Run:
    """Everything that moves."""

    def __init__(
        self,
        objective: Objective,
        trajectory: ConstrainedTrajectory,
        w: Tensor,
        edge: int,
        generalized: bool,
        window: int,
    ) -> None:
        self.objective, self.trajectory, self.edge = objective, trajectory, edge
        self.w = w
        self.step, self.measured = trajectory.here.step, -1
        self.tracker = Tracker(1, repeated="keep")
        self.last = math.nan
        self.spent = 0
        transfers = None
        if window:
            transfers = Transfers(trajectory.eta, w - trajectory.here.point, window)
        kind = GeneralizedDynamics if generalized else PredictedDynamics
        self.dynamics = kind(trajectory, w, transfers=transfers)

    @classmethod
    def begun(
        cls, objective: Objective, start: Tensor, eta: float, generalized: bool, window: int,
        settings: dict[str, Any], begin: dict[str, Any],
    ) -> _Run:  # fmt: skip
        few = begin["dense_below"]
        edge = reach_edge(
            objective, start, eta, begin["before"],
            tracker=Tracker(1, repeated="keep", dense_below=few),
        )  # fmt: skip
        trajectory = ConstrainedTrajectory(
            objective, edge.point, eta, tracker=Tracker(1, tolerance=1e-9, dense_below=few),
            **settings,
        )  # fmt: skip
        w, kick = edge.point, begin["kick"]
        if kick:
            center = trajectory.here.center
            delta = center.coefficients(eta).delta
            if not 0 < delta < math.inf:
                raise ValueError(f"kick = {kick}: there is no delta at the edge (it is {delta})")
            w = w + kick * delta * center.u
        run = cls(objective, trajectory, w, edge.step, generalized, window)
        run.tracker = Tracker(1, repeated="keep", dense_below=few)
        return run

    @classmethod
    def restored(
        cls, objective: Objective, eta: float, generalized: bool, window: int,
        settings: dict[str, Any], state: dict[str, Any],
    ) -> _Run:  # fmt: skip
        trajectory = ConstrainedTrajectory.restored(objective, eta, state["trajectory"], **settings)
        run = cls(objective, trajectory, state["w"], int(state["edge"]), generalized, window)
        run.measured, run.last = int(state["measured"]), float(state["last"])
        run.spent = int(state["spent"])
        run.tracker = Tracker.restored(state["tracker"])
        run.dynamics.restore(state["dynamics"])
        return run

    def state(self) -> dict[str, Any]:
        """What the rest of the run depends on."""
        return {
            "step": self.step, "edge": self.edge, "measured": self.measured, "w": self.w,
            "last": self.last, "spent": self.spent, "tracker": self.tracker.state(),
            "trajectory": self.trajectory.state(), "dynamics": self.dynamics.state(),
        }  # fmt: skip

    def advance(self, every: int) -> None:
        """One step of everything."""
        if self.step > self.measured and every > 1 and (self.step + 1) % every == 0:
            self._sharpness()  # the mean over two steps of the next row needs it
        _, gradient = self.objective.value_and_gradient(self.w)
        w = checked(self.w - self.trajectory.eta * gradient, self.step)
        spent = self.dynamics.products
        advance(self.trajectory, self.dynamics)
        self.w, self.step = w, self.step + 1
        self.spent = self.dynamics.products - spent

    def _sharpness(self) -> tuple[float, float, int]:
        """Loss and sharpness of gradient descent, and the products that took."""
        with Products(self.objective, self.w, step=self.step) as products:
            pair = self.tracker(products)
            self.last = float(pair.values[0])
            return float(products.value), self.last, pair.products

    def row(self) -> dict[str, float]:
        """What is recorded at this step."""
        here, eta = self.trajectory.here, self.trajectory.eta
        center, v = here.center, self.w - here.point
        before = self.last
        value, top, used = self._sharpness()
        found, seen = center.coefficients(eta), self.dynamics.prediction()
        lengths = torch.linalg.vector_norm(center.gradient) * math.sqrt(found.beta)
        row = {
            "step": self.step, "active": here.active, "constrained loss": center.value,
            "constrained sharpness": center.sharpness, "next eigenvalue": center.next_value,
            **found._asdict(), "alignment": found.alpha / float(lengths),
            "grad S . u": center.along, "multiplier": here.multipliers[1],
            "overlap": here.overlap, "residual": here.residual,
            "loss": value, "sharpness": top, "mean sharpness": (top + before) / 2,
            "x": float(torch.dot(center.u, v)), "y": float(torch.dot(center.across, v)),
            "deviation": float(torch.linalg.vector_norm(v)),
            "predicted loss": seen.loss, "predicted sharpness": seen.sharpness,
            "predicted x": seen.x, "predicted y": seen.y, "predicted deviation": seen.deviation,
            "error": float(torch.linalg.vector_norm(v - seen.v)),
            "iterations": here.iterations, "constrained products": here.products,
            "thirds": here.thirds, "predicted products": self.spent, "descent products": used,
        }  # fmt: skip
        transfers = self.dynamics.transfers
        if transfers is not None and len(transfers.values):
            row["beta now"] = float(transfers.values[-1])
            row["beta oldest"] = float(transfers.values[0])
        self.measured = self.step
        return row
