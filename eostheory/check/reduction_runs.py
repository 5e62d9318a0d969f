"""Descent at the edge of stability near a manifold of minimizers, at ever smaller rates (lyu22).

On a scale-invariant loss it is gradient descent with learning rate 1 and weight decay ``r`` (its
direction depends on ``eta decay`` only), which moves ``theta = w / |w|`` as projected gradient
descent with the rates ``1 / sqrt(v)`` of theorem B.7:

    v_t = (1 - r)^2 |w_t|^4,   beta = (1 - r)^4,   eta = sqrt((1/beta - 1) / 2)

On any other loss it is scalar RMSprop (definition B.4) with ``beta = 1 - 2 eta^2``:

    theta <- theta - g / sqrt(v),   v <- beta v + (1 - beta) |g|^2 / eta^2

Both have ``C_b = 2`` and follow the flow ``-grad_Gamma log lambda_1 / (4 + |.|^2)`` of (8), a step
in the time ``eta^2``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.integrate import LSODA, RK45
from torch import Tensor

from eostheory.check.batch import hessian_at
from eostheory.curvature import Products, Tracker, dense_hessian
from eostheory.numeric.dynamics import checked
from eostheory.numeric.events import NoConvergence, RepeatedTopEigenvalue
from eostheory.numeric.objective import Objective
from eostheory.training.minimizers import RANK, Array, Minimizers, Slope

FASTER = 1.0
"""Times the speed of the flow that is compared with: 1 but for tests."""

OFFSET = 0.5
"""h at the start."""

C_B = 2.0
"""``(1 - beta) / eta^2``."""

BUDGET = 12_000
"""Gradients (a Hessian counts as D) that all flows to the manifold of one loss may take."""

STEPS = 200
"""Steps of the sharpness-reduction flow, each with some Hessians."""

ACCURACY = 1e-10
"""Of the flow to the manifold, a step."""


class Valley:
    """A minimizer on a manifold, with what the dynamics near it are made of.

    Args:
        objective: the loss.
        spherical: it is scale-invariant; minimizers are taken on the unit sphere.
        near: (D,), from where gradient flow finds the minimizer.

    Attributes:
        point: (D,) the minimizer.
        dimension: of the manifold there.
        sharpness, u: top eigenpair.

    Raises:
        NoConvergence: no minimizer.
        RepeatedTopEigenvalue: no single direction of the largest eigenvalue.
    """

    def __init__(self, objective: Objective, near: Tensor, *, spherical: bool) -> None:
        self.objective, self.spherical = objective, spherical
        self.minimizers = Minimizers(objective, near, spherical=spherical)
        self.spent = 0
        try:
            self.point = self.minimizers.nearest(near)
        except NoConvergence:
            self.point = self.relaxed(near)
        with Products(objective, self.point) as products:
            pair = Tracker(1)(products)
            self.sharpness, self.u = float(pair.values[0]), pair.vectors[0]
            values = torch.linalg.eigvalsh(dense_hessian(products))
        if not self.sharpness > 0:
            raise RepeatedTopEigenvalue(self.sharpness, pair.gap, abs(self.sharpness))
        flat = int((values.abs() <= RANK * self.sharpness).sum())
        self.dimension = flat - int(spherical)
        self._pieces: list[tuple[float, Callable[[float], Array]]] = []
        first = self.point.cpu().to(torch.float64).numpy()
        self._solver = RK45(self._field, 0.0, first, math.inf, rtol=1e-5, atol=1e-7)

    def slope(self, point: Tensor) -> Slope:
        """The largest eigenvalue at a minimizer and the tangential gradient of its logarithm."""
        return self.minimizers.slope(point)

    def _field(self, _time: float, y: Array) -> Array:
        slope = self.slope(self.minimizers.nearest(self.minimizers.tensor(y)))
        rate = FASTER / (4 + 2 / C_B * slope.length**2)
        found: Array = (-rate * slope.direction).cpu().to(torch.float64).numpy()
        return found

    def relaxed(self, w: Tensor) -> Tensor:
        """Where gradient flow from ``w`` ends: along stiff directions too, so implicitly, and by
        Newton's method where that is short against the way.

        Raises:
            NoConvergence: not within ``BUDGET``.
        """
        one = self.minimizers
        start = w / torch.linalg.vector_norm(w) if self.spherical else w.detach().clone()
        lengths: list[float] = []

        def field(_time: float, y: Array) -> Array:
            self.spent += 1
            _, gradient = self.objective.value_and_gradient(one.tensor(y))
            found: Array = -gradient.cpu().to(torch.float64).numpy()
            lengths.append(float(np.linalg.norm(found)))
            return found

        def slopes(_time: float, y: Array) -> Array:
            self.spent += len(start)
            matrix = hessian_at(self.objective, one.tensor(y))
            found: Array = -matrix.cpu().to(torch.float64).numpy()
            return found

        y = start.cpu().to(torch.float64).numpy()
        # How far there is to go says what is accurate.
        size = float(np.linalg.norm(field(0.0, y)))
        noise = 1e3 * torch.finfo(self.objective.dtype).eps
        goal = max(1e-2 * size, noise)
        flow = LSODA(field, 0.0, y, math.inf, jac=slopes, rtol=ACCURACY, atol=1e-2 * ACCURACY)
        while self.spent < BUDGET:
            # The solver has just been next to here; where that was steep, so is here.
            left = (
                float(np.linalg.norm(field(0.0, flow.y))) if lengths[-1] <= 2 * goal else math.inf
            )
            if left <= goal:
                here = one.tensor(flow.y)
                way = float(torch.linalg.vector_norm(here - start))
                try:
                    found = one.nearest(here)
                except NoConvergence:  # still too far for Newton's method
                    if left <= noise:
                        raise
                else:
                    # What Newton's method misses along the manifold is of second order.
                    if float(torch.linalg.vector_norm(found - here)) <= 1e-3 * way or left <= noise:
                        return found
                goal = max(0.1 * left, noise)
            flow.step()
            if flow.status == "failed":
                break
        raise NoConvergence(
            f"the gradient along the flow to a minimizer (within {BUDGET} gradients in all)",
            float(np.linalg.norm(field(0.0, flow.y))), goal,
        )  # fmt: skip

    def flow(self, time: float) -> Tensor:
        """The minimizer that the sharpness-reduction flow is at."""
        while self._solver.t < time:
            self._solver.step()
            if self._solver.status == "failed" or len(self._pieces) >= STEPS:
                raise NoConvergence("time of the flow", float(self._solver.t), time)
            self._pieces.append((float(self._solver.t), self._solver.dense_output()))
        if time == 0.0:
            return self.point
        piece = next(piece for end, piece in self._pieces if time <= end)
        return self.minimizers.nearest(self.minimizers.tensor(np.asarray(piece(time))))

    def start(self, eta: float, h: float, u: float) -> Descent:
        """Descent from the point displaced by ``eta h`` along the top eigenvector, at
        ``mu^2 v = 1 + eta u`` with ``mu = 2/lambda_1``."""
        theta = self.point + eta * h * self.u
        if self.spherical:
            theta = theta / torch.linalg.vector_norm(theta)
        return Descent(
            self.objective, theta, (1 + eta * u) * (self.sharpness / 2) ** 2, eta, self.spherical
        )


class Descent:
    """Gradient descent with weight decay, or scalar RMSprop, seen as theta and v."""

    def __init__(
        self, objective: Objective, theta: Tensor, v: float, eta: float, spherical: bool
    ) -> None:
        self.objective, self.eta, self.spherical = objective, eta, spherical
        self.decay = 1 - (1 + 2 * eta**2) ** -0.25
        self.steps, self._v, self._w = 0, v, theta
        if spherical:
            self._w = theta * (math.sqrt(v) / (1 - self.decay)) ** 0.5

    @property
    def theta(self) -> Tensor:
        """The parameters, or their direction."""
        return self._w / torch.linalg.vector_norm(self._w) if self.spherical else self._w

    @property
    def v(self) -> float:
        """``1/sqrt(v)`` is the learning rate of theta."""
        if self.spherical:
            return float(((1 - self.decay) * torch.dot(self._w, self._w)) ** 2)
        return self._v

    @property
    def time(self) -> float:
        """Of the flow."""
        return self.steps * self.eta**2

    def step(self) -> None:
        """One step of the real dynamics."""
        _, g = self.objective.value_and_gradient(self._w)
        if self.spherical:
            self._w = checked((1 - self.decay) * self._w - g, self.steps)
        else:
            self._w = checked(self._w - g / math.sqrt(self._v), self.steps)
            part = C_B * self.eta**2
            self._v = (1 - part) * self._v + C_B * float(torch.dot(g, g))
        self.steps += 1


@dataclass(frozen=True)
class Followed:
    """Descent beside the flow at one rate.

    Args:
        eta: rate; a step takes the time ``eta^2``.
        distance: the largest, of theta from the flow.
        drift: of the mean of two steps, without the oscillation along u.
        moved: how far the flow went.
        series: by time of the flow.
    """

    eta: float
    distance: float
    drift: float
    moved: float
    series: dict[str, list[float]]


def follow(valley: Valley, eta: float, time: float) -> Followed:
    """Descent over a time of the flow.

    Raises:
        NoConvergence, RepeatedTopEigenvalue: the flow cannot be followed.
        BecameNaN, Diverged: descent ends.
    """
    descent = valley.start(eta, OFFSET, 0.0)
    steps = math.ceil(time / eta**2)
    looks = {round(k * steps / 8) for k in range(9)}
    columns: dict[str, list[float]] = {k: [] for k in ("time", "distance", "drift", "moved")}
    for step in range(steps + 1):
        if step not in looks:
            descent.step()
            continue
        there, theta, now = valley.flow(descent.time), descent.theta, descent.time
        descent.step()
        mean = (theta + descent.theta) / 2
        sizes = (theta - there, mean - there, there - valley.point)
        row = (now, *(float(torch.linalg.vector_norm(x)) for x in sizes))
        for name, value in zip(columns, row, strict=True):
            columns[name].append(value)
    largest = [max(columns[k]) for k in ("distance", "drift", "moved")]
    return Followed(eta, largest[0], largest[1], largest[2], columns)


@dataclass(frozen=True)
class Transition:
    """Two real steps of ``(h, u)`` beside the RMS-drift transition (22), (24).

    Args:
        eta: rate.
        h, u: before, as read off.
        changes: of h and u, as they were.
        predicted: as (22) and (24) say.
        noise: of the changes of h and u, by the accuracy of the flow to the manifold.
    """

    eta: float
    h: float
    u: float
    changes: tuple[float, float]
    predicted: tuple[float, float]
    noise: tuple[float, float]


def transition(valley: Valley, eta: float, h: float, u: float) -> Transition:
    """Two steps from the state near ``(h, u)``, read off through the projection of gradient flow.

    Raises:
        NoConvergence, RepeatedTopEigenvalue, BecameNaN, Diverged.
    """
    descent = valley.start(eta, h, u)
    before, slope = _state(valley, descent)
    descent.step()
    descent.step()
    after, _ = _state(valley, descent)
    h0, u0 = before
    change_h = -2 * eta * u0 * h0
    change_u = FASTER * 4 * eta * h0**2 * (2 * C_B + slope**2) - 2 * eta * C_B
    # Two projections, each off by the accuracy; u moves with 2 log lambda_1, over eta.
    off = 2 * ACCURACY * float(torch.linalg.vector_norm(valley.point)) / eta
    return Transition(
        eta, h0, u0, (after[0] - h0, after[1] - u0), (change_h, change_u),
        (off, 2 * (1 + slope) * off),
    )  # fmt: skip


def _state(valley: Valley, descent: Descent) -> tuple[tuple[float, float], float]:
    """``(h, u)`` of (15), and ``|grad_Gamma log lambda_1|``, at the projection phi of theta."""
    theta = descent.theta
    phi = valley.relaxed(theta)
    with Products(valley.objective, phi) as products:
        pair = Tracker(1)(products)
    v1 = pair.vectors[0]
    if float(torch.dot(v1, valley.u)) < 0:
        v1 = -v1
    h = float(torch.dot(v1, theta - phi)) / descent.eta
    mu = 2 / float(pair.values[0])
    u = (mu**2 * descent.v - 1) / descent.eta
    return (h, u), valley.slope(phi).length
