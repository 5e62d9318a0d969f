"""One loss at several epsilon: the same derivatives at the edge, a smaller gradient.

With the gradient at a point theta of the stable set replaced by ``s^2`` times itself,

    L_s(w) = L(w) - (1 - s^2) grad L(theta) . (w - theta),

Hessian, ``grad S`` and all higher derivatives stay what they are everywhere, theta stays in the
stable set, and alpha is ``s^2 alpha``: epsilon and delta are s times theirs (damian23, definitions
2, 4 and 6).  ``s = 1`` is the loss itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from eostheory.check.batch import DenseTracker
from eostheory.curvature import Products, Tracker
from eostheory.numeric.dynamics import checked
from eostheory.numeric.objective import Objective
from eostheory.training.center import Center
from eostheory.training.constrained import ConstrainedStep, ConstrainedTrajectory
from eostheory.training.generalized import GeneralizedDynamics
from eostheory.training.predicted import PredictedDynamics, advance

DYNAMICS = PredictedDynamics, GeneralizedDynamics
"""What predicts: eq. (6), and appendix F with the loss along u as it is."""

KICK = 0.7
"""Where gradient descent starts, in delta along u: theorem 1 wants |x| of the size of delta."""


@dataclass(frozen=True, eq=False)
class Compared:
    """Gradient descent beside its prediction at one scale.

    Args:
        scale: s.
        epsilon, delta: at the start.
        errors: largest error of deviation, sharpness and loss.
        noise: how far these may be off, by the projections that the trajectory did not finish.
        second: largest second eigenvalue, times eta/2.
        series: columns by step.
    """

    scale: float
    epsilon: float
    delta: float
    errors: tuple[float, float, float]
    noise: tuple[float, float, float]
    second: float
    series: Mapping[str, list[float]] = field(repr=False)


def with_decay(objective: Objective, decay: float) -> Objective:
    """``L(w) + decay |w|^2/2``."""
    if decay == 0.0:
        return objective
    if len(objective.chunks) == 1:
        only = next(iter(objective.chunks))
        return replace(objective, chunks=(lambda w: only(w) + decay / 2 * torch.dot(w, w),))
    chunks = (*objective.chunks, lambda w: decay / 2 * torch.dot(w, w))
    return replace(objective, chunks=chunks, predictors=objective.predictors)


def tilted(objective: Objective, center: Center, change: Tensor) -> Objective:
    """``L(w) - change . (w - theta)``, in one chunk more or in the only one."""
    theta = center.point.clone()
    if len(objective.chunks) == 1:
        only = next(iter(objective.chunks))
        chunks = (lambda w: only(w) - torch.dot(change, w - theta),)
        return replace(objective, chunks=chunks)
    more = (*objective.chunks, lambda w: -torch.dot(change, w - theta))
    return replace(objective, chunks=more)


def compare(
    objective: Objective,
    center: Center,
    eta: float,
    scale: float,
    time: float,
    *,
    general: bool = False,
    complete: bool = False,
) -> Compared:
    """Gradient descent on ``L_s`` from ``theta + KICK delta u``, for ``time / epsilon`` steps.

    Args:
        general: predict with the generalized dynamics.
        complete: put the terms back that assumption 5 excludes: a third derivative more per step.

    Raises:
        NumericEvent: there is no constrained trajectory, or descent diverges.
    """
    loss = tilted(objective, center, (1 - scale**2) * center.gradient)
    found = center.coefficients(eta)
    epsilon, delta = scale * found.epsilon, scale * found.delta
    w = center.point + KICK * delta * center.u
    trajectory = ConstrainedTrajectory(
        loss, center.point, eta, inactive="manifold", tolerance=1e-4, c=None,
        tracker=DenseTracker(loss, tolerance=1e-9, dense_below=64),
    )  # fmt: skip
    if float(torch.dot(trajectory.here.center.u, center.u)) < 0:
        w = 2 * center.point - w
    made = completed(DYNAMICS[general]) if complete else DYNAMICS[general]
    dynamics = made(trajectory, w)
    follow = DenseTracker(loss, repeated="keep", dense_below=64)
    rows: list[tuple[float, ...]] = []
    worst = [0.0, 0.0, 0.0]
    off_by, noise, second = 0.0, [0.0, 0.0, 0.0], 0.0
    for step in range(math.ceil(time / epsilon) + 1):
        here = trajectory.here
        with Products(loss, w, step=step) as products:
            top = float(follow(products).values[0])
            value, gradient = float(products.value), products.gradient
        seen, v = dynamics.prediction(), w - here.point
        off = float(torch.linalg.vector_norm(v - seen.v))
        errors = (off, abs(top - seen.sharpness), abs(value - seen.loss))
        worst = [max(a, b) for a, b in zip(worst, errors, strict=True)]
        second = max(second, here.center.next_value * eta / 2)
        rows.append(
            (step, top, seen.sharpness, value, seen.loss, float(torch.linalg.vector_norm(v)),
             seen.deviation)
        )  # fmt: skip
        at = here.center
        length = float(torch.linalg.vector_norm(v))
        # theta' itself, and u by the residual over the gap, which turns what is along u.
        off_by += here.residual + length * at.residual / max(top - at.next_value, at.residual)
        steep = float(torch.linalg.vector_norm(at.slope))
        slope = float(torch.linalg.vector_norm(at.gradient)) + 2 / eta * length
        worse = (off_by, steep * off_by + at.residual, slope * off_by)
        noise = [max(a, b) for a, b in zip(noise, worse, strict=True)]
        w = checked(w - eta * gradient, step)
        advance(trajectory, dynamics)
    trajectory.here.center.products.close()
    names = ("step", "sharpness", "predicted sharpness", "loss", "predicted loss", "deviation",
             "predicted deviation")  # fmt: skip
    series = {name: [float(row[k]) for row in rows] for k, name in enumerate(names)}
    return Compared(
        scale, epsilon, delta, (worst[0], worst[1], worst[2]), (noise[0], noise[1], noise[2]),
        second, series,
    )  # fmt: skip


def completed(base: type[PredictedDynamics]) -> type[PredictedDynamics]:
    """Predicted dynamics with ``-eta/2 D^3 L[v_perp, v_perp, .]``, which assumption 5 excludes."""

    class Completed(base):  # type: ignore[misc, valid-type]
        v: Tensor

        def push(self, here: ConstrainedStep) -> None:
            u = here.center.u
            v: Tensor = self.v
            off = v - torch.dot(u, v) * u
            push = -self.eta / 2 * here.center.products.third(off, off)
            self._along = float(torch.dot(push, u))
            self._across = push - self._along * u
            super().push(here)

        def land(self, after: ConstrainedStep) -> None:
            super().land(after)
            u = after.center.u
            across = self._across - torch.dot(self._across, u) * u
            self.v = self.v + across + self._along * u

    return Completed


class Minus:
    """``v -> -Hess L v``, for a tracker: its top pair is the lowest of the Hessian."""

    def __init__(self, products: Products) -> None:
        self.products = products
        self.count, self.step, self.point = 0, products.step, products.point

    @property
    def size(self) -> int:
        """D."""
        return self.products.size

    def block(self, vectors: Tensor) -> Tensor:
        """(k, D) rows to their products."""
        self.count += len(vectors)
        return -self.products.block(vectors)


def lowest(center: Center) -> float:
    """The smallest eigenvalue of the Hessian at a point."""
    pair = Tracker(1, repeated="keep", dense_below=64, tolerance=1e-3)(Minus(center.products))
    return -float(pair.values[0])
