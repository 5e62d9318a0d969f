"""The predicted dynamics of gradient descent around the constrained trajectory (damian23 5, C).

With the displacement ``v_t = theta_t - theta_t'``, ``x_t = u_t . v_t``, and
``y_t = grad S_t^perp . v_t``:

    v_{t+1} = P_{t+1} [ (I - eta H_t) P_t v_t + eta grad S_t^perp (delta_t^2 - x_t^2)/2 ]
              - (1 + eta y_t) x_t u_{t+1}                                                (6)

where ``P_t`` projects off ``u_t``.  The vector carries the sum over the past: one Hessian-vector
product per step, whatever t.  ``beta_{s->t}`` (10) need not be known for it; :class:`Transfers`
gives them for the last steps, with the rest of the past in one vector, so that nothing is lost.

Where the constraint is inactive the reference takes the whole gradient step, so that nothing of it
is left for the displacement: the term with ``delta^2`` is absent from steps whose end is not held.
Where the sharpness is below the edge ``-(1 + eta y)`` is ``1 - eta (S_t + y)``, which it equals at
``S_t = 2/eta``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from eostheory.numeric.dynamics import LIMIT
from eostheory.numeric.events import BecameNaN, Diverged
from eostheory.training.center import Center, check_vector
from eostheory.training.constrained import ConstrainedStep, ConstrainedTrajectory


class Prediction(NamedTuple):
    """What the predicted dynamics say about gradient descent at a step (theorem 1).

    Attributes:
        step: t.
        v: (D,) predicted displacement from the constrained trajectory.
        x: its part along u.
        y: its part along ``grad S^perp``, the predicted excess of the two-step mean of the
            sharpness.
        loss: ``L(theta') + x^2/eta``.
        sharpness: ``2/eta + y + (grad S . u) x``.
        deviation: ``|v|``.
    """

    step: int
    v: Tensor
    x: float
    y: float
    loss: float
    sharpness: float
    deviation: float


class Follower(Protocol):
    """What moves along with a constrained trajectory, see :func:`advance`."""

    def push(self, here: ConstrainedStep) -> None:
        """Before the trajectory advances from ``here``: its products are open."""
        ...  # pragma: no cover

    def land(self, after: ConstrainedStep) -> None:
        """After it has: the new eigenvector is known."""
        ...  # pragma: no cover


def advance(trajectory: ConstrainedTrajectory, *followers: Follower) -> ConstrainedStep:
    """One step of the constrained trajectory and of all that follow it."""
    for follower in followers:
        follower.push(trajectory.here)
    after = trajectory.advance()
    for follower in followers:
        follower.land(after)
    return after


def transfer(center: Center, rows: Tensor, eta: float) -> Tensor:
    """``A_t r = (I - eta H_t) P_t r`` for each of the ``rows`` (k, D); k products."""
    off = rows - (rows @ center.u)[:, None] * center.u
    moved: Tensor = off - eta * center.products.block(off)
    return moved


class Transfers:
    """``beta_{s->t}``, the change of the sharpness at t + 1 by a displacement ``grad S_s^perp`` at
    s, for the last steps s.

    Args:
        eta: learning rate.
        start: (D,) the initial displacement ``v_0``.
        window: number of steps s that are kept; each costs a product per step.
        prune: a step is let go when its vector has shrunk below this part of what it was.

    Attributes:
        times: the s that are kept, ascending.
        values: (k,) ``beta_{s->t}`` after :meth:`land`.
        weights: ``(delta_s^2 - x_s^2)/2`` of each.
        rest: what all other steps, and the initial displacement, add to ``y / eta``.

    The printed (5) drops what is left of the initial displacement, which vanishes for ``v_0`` along
    ``u_0`` only; it is kept here.
    """

    def __init__(self, eta: float, start: Tensor, window: int = 20, prune: float = 0.0) -> None:
        if not isinstance(window, int) or window < 1 or not 0 <= prune < 1:
            raise ValueError(
                f"window is {window!r} and prune {prune!r}; give an integer of at least 1 and a "
                "number in [0, 1)"
            )
        self.eta, self.window, self.prune = eta, window, prune
        self.begin(start)

    def begin(self, start: Tensor) -> None:
        """Forget all steps: the displacement is ``start`` (D,) now."""
        self.times: list[int] = []
        self.weights: list[float] = []
        self.values = start.new_zeros(0)
        self.rest = 0.0
        self._lengths: list[float] = []
        self._rows = start.new_zeros(0, len(start))
        self._tail = start.detach() / self.eta

    def push(self, here: ConstrainedStep) -> None:
        """Carry what is there through step t, and add that step."""
        rows = transfer(here.center, torch.cat([self._tail[None], self._rows]), self.eta)
        slope = here.center.across
        self._tail, self._rows = rows[0], torch.cat([rows[1:], slope[None]])
        self.times.append(here.step)
        self._lengths.append(float(torch.linalg.vector_norm(slope)))

    def land(self, after: ConstrainedStep, weight: float) -> None:
        """Weigh the step that was added; read off the coefficients at the new point."""
        self.weights.append(weight)
        sizes = torch.linalg.vector_norm(self._rows, dim=1).tolist()
        excess = len(sizes) - self.window
        kept = []
        for k, (size, length) in enumerate(zip(sizes, self._lengths, strict=True)):
            if k < excess or size < self.prune * length:
                self._tail = self._tail + self.weights[k] * self._rows[k]
            else:
                kept.append(k)
        self._rows = self._rows[kept]
        self.times = [self.times[k] for k in kept]
        self.weights = [self.weights[k] for k in kept]
        self._lengths = [self._lengths[k] for k in kept]
        self._read(after)

    def _read(self, after: ConstrainedStep) -> None:
        slope = after.center.across
        self.values = self._rows @ slope
        self.rest = float(torch.dot(self._tail, slope))

    @property
    def y(self) -> float:
        """``eta sum_s beta_{s->t} (delta_s^2 - x_s^2)/2`` with everything let go added."""
        weights = self.values.new_tensor(self.weights)
        return self.eta * (float(torch.dot(self.values, weights)) + self.rest)

    def state(self) -> dict[str, Any]:
        """What later values depend on."""
        numbers = {"times": self.times, "weights": self.weights, "lengths": self._lengths}
        made: dict[str, Any] = {
            name: torch.tensor(part, dtype=torch.float64) for name, part in numbers.items()
        }
        return {**made, "rows": self._rows, "tail": self._tail}

    def restore(self, state: dict[str, Any], here: ConstrainedStep) -> None:
        """Go on from a :meth:`state` at a point of the trajectory."""
        self.times = [int(s) for s in state["times"].tolist()]
        self.weights, self._lengths = state["weights"].tolist(), state["lengths"].tolist()
        self._rows, self._tail = state["rows"].clone(), state["tail"].clone()
        self._read(here)


class PredictedDynamics:
    """The recursion (6) beside a constrained trajectory.

    Args:
        trajectory: what it follows; its ``here`` is where the displacement is measured from.
        start: (D,) where gradient descent is; the displacement starts as ``start - theta_0'``.
        transfers: finds the ``beta_{s->t}`` meanwhile, at ``window`` products per step more.

    Attributes:
        v: (D,) predicted displacement at :attr:`here`.
        products: Hessian-vector products spent by the recursion (and the transfers).

    Drive it with :meth:`advance`, with :func:`advance` when several follow one trajectory, or
    iterate over it.

    Raises (from :meth:`advance`):
        Diverged, BecameNaN: the predicted displacement left every reasonable region.
    """

    def __init__(
        self,
        trajectory: ConstrainedTrajectory,
        start: Tensor,
        *,
        transfers: Transfers | None = None,
    ) -> None:
        self.trajectory = trajectory
        self.eta = trajectory.eta
        self.here = trajectory.here
        here = self.here.point
        self.v: Tensor = check_vector(start, "the start", here).detach() - here
        self.transfers = transfers
        self.products = 0
        self._moved = self.v
        self._next = self._x = 0.0

    @property
    def x(self) -> float:
        """``u_t . v_t``."""
        return float(torch.dot(self.here.center.u, self.v))

    @property
    def y(self) -> float:
        """``grad S_t^perp . v_t``."""
        return float(torch.dot(self.here.center.across, self.v))

    def anchor(self, w: Tensor) -> None:
        """Start again from where gradient descent is, ``w`` (D,): ``v = w - theta'`` exactly."""
        here = self.here.point
        self.v = check_vector(w, "the anchor", here).detach() - here
        if self.transfers is not None:
            self.transfers.begin(self.v)

    def push(self, here: ConstrainedStep) -> None:
        """Steps (7) and (8), but for what depends on where the trajectory goes."""
        center, x, y = here.center, self.x, self.y
        before = center.products.count
        if self.transfers is not None:
            self.transfers.push(here)
        self._moved = transfer(center, self.v[None], self.eta)[0]
        self._next = self._next_x(here, x, y)
        self._x = x
        self.products += center.products.count - before

    def land(self, after: ConstrainedStep) -> None:
        """The driving term, the projection off the new eigenvector, the component along it."""
        before, u = self.here.center, after.center.u
        weight = -self._x * self._x / 2
        if after.active:
            found = before.coefficients(self.eta)
            # delta^2/2, which as alpha/beta has a meaning where alpha is negative too
            weight += found.alpha / found.beta if found.beta > 0 else 0.0
        moved = self._moved + (self.eta * weight) * before.across
        self.v = moved - torch.dot(moved, u) * u + self._next * u
        self.here = after
        if self.transfers is not None:
            self.transfers.land(after, weight)
        size = float(torch.linalg.vector_norm(self.v))
        if size != size:
            raise BecameNaN(after.step, "the predicted displacement")
        if size > LIMIT:
            raise Diverged(after.step, size)

    def advance(self) -> Prediction:
        """One step of the trajectory and of the recursion."""
        advance(self.trajectory, self)
        return self.prediction()

    def __iter__(self) -> Iterator[Prediction]:
        """The prediction here, then step by step, without end."""
        yield self.prediction()
        while True:
            yield self.advance()

    def prediction(self) -> Prediction:
        """Loss, sharpness and deviation of gradient descent, as predicted."""
        center, x, y = self.here.center, self.x, self.y
        size = float(torch.linalg.vector_norm(self.v))
        loss, sharpness = self._seen(center, x)
        return Prediction(self.here.step, self.v, x, y, loss, sharpness + y, size)

    def _next_x(self, here: ConstrainedStep, x: float, y: float) -> float:
        return (1 - self.eta * (here.center.sharpness + y)) * x

    def _seen(self, center: Center, x: float) -> tuple[float, float]:
        """Loss, and sharpness less y."""
        edge = center.sharpness
        return center.value + edge * x * x / 2, edge + center.along * x

    def state(self) -> dict[str, Any]:
        """What later predictions depend on besides the trajectory."""
        held: dict[str, Any] = {"v": self.v, "products": self.products}
        if self.transfers is not None:
            held["transfers"] = self.transfers.state()
        return held

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a :meth:`state`, beside a restored trajectory; bit for bit."""
        self.v, self.products = state["v"].clone(), int(state["products"])
        self.here = self.trajectory.here
        if self.transfers is not None:
            self.transfers.restore(state["transfers"], self.here)
