"""Gradient descent up to the edge of stability, recorded, so that a killed run goes on from there.

:func:`~eostheory.training.track_deviation` finds the edge by itself, but keeps no checkpoint on the
way; from the point that is found here it begins at once.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from eostheory.curvature import Products, Tracker
from eostheory.numeric.dynamics import checked
from eostheory.numeric.events import NumericEvent
from eostheory.numeric.objective import Objective
from eostheory.training import (
    ConstrainedTrajectory,
    EdgeNotReached,
    Recorder,
    local_displacement,
)
from eostheory.training.recording import fingerprint

FAR, STRIDE = 0.8, 10
"""Up to this part of 2/eta the sharpness is looked at every tenth step."""

NEAR = 0.9
"""Part of 2/eta from which the gradient of the sharpness is looked at, too."""


def to_the_edge(
    objective: Objective, start: Tensor, eta: float, steps: int, **recording: Any
) -> tuple[int, Tensor]:
    """The first step of gradient descent at which ``y >= 0``, and the point (D,).

    Args:
        steps: after which the edge is given up.
        recording: of :class:`~eostheory.training.Recorder`; rows "step", "loss", "sharpness".

    Raises:
        EdgeNotReached, Diverged, BecameNaN, UnconvergedEigenpair: rows up to there are recorded.
    """
    about = {"kind": "approach", "eta": eta, **fingerprint(objective, start)}
    with Recorder(["step", "loss", "sharpness"], configuration=about, **recording) as recorder:
        step, w, look, arrived = 0, start.detach().clone(), 0, False
        tracker, top = Tracker(1, repeated="keep"), float("nan")
        if recorder.restored is not None:
            held = recorder.restored
            step, w, look = int(held["step"]), held["w"].to(start.device), int(held["look"])
            arrived, top = bool(held["arrived"]), float(held["top"])
            tracker = Tracker.restored(held["tracker"])

        def state() -> dict[str, Any]:
            return {
                "step": step, "w": w, "look": look, "arrived": arrived, "top": top,
                "tracker": tracker.state(),
            }  # fmt: skip

        try:
            while not arrived:
                with Products(objective, w, step=step) as products:
                    if step >= look:
                        pair = tracker(products)
                        top, u = float(pair.values[0]), pair.vectors[0]
                        row = {"step": step, "loss": float(products.value), "sharpness": top}
                        recorder.append(row)
                        look = step + (STRIDE if top < FAR * 2 / eta else 1)
                        if top >= NEAR * 2 / eta:
                            slope = products.third(u, u)
                            arrived = (
                                local_displacement(products.gradient, slope, u, top, eta).y >= 0
                            )
                    if arrived:
                        break
                    if step >= steps:
                        raise EdgeNotReached(steps, top, eta)
                    w = checked(w - eta * products.gradient, step)
                step += 1
                recorder.checkpoint_if_due(step, state)
        except NumericEvent as event:
            recorder.finish(event)
            raise
        recorder.finish(None, state())
        return step, w


def displaced(objective: Objective, edge: Tensor, eta: float, kick: float) -> Tensor:
    """The edge (D,) displaced by ``kick * delta`` along u, as ``track_deviation`` does it."""
    if kick == 0:
        return edge
    trajectory = ConstrainedTrajectory(
        objective,
        edge,
        eta,
        tracker=Tracker(1, tolerance=1e-9, dense_below=64),
        inactive="manifold",
    )
    center = trajectory.here.center
    moved: Tensor = edge + kick * center.coefficients(eta).delta * center.u
    return moved


class Beside:
    """Distance of a point from gradient descent at the same step; for the columns of a flow.

    Gradient descent is run along, from its start again when the flow is resumed.

    Args:
        start: (D,) of gradient descent at step 0.
        every: steps of gradient descent between two calls.
    """

    def __init__(self, objective: Objective, start: Tensor, eta: float, every: int) -> None:
        self.objective, self.eta, self.every = objective, eta, every
        self._w, self._step = start, 0

    def __call__(self, number: int, point: Tensor) -> float:
        """``|point - w|`` at step ``number * every``."""
        while self._step < number * self.every:
            _, gradient = self.objective.value_and_gradient(self._w)
            self._w = checked(self._w - self.eta * gradient, self._step)
            self._step += 1
        return float(torch.linalg.vector_norm(point - self._w))
