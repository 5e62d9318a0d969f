"""Projection onto the stable set ``M = {S <= 2/eta, grad L . u = 0}`` (damian23, section 3).

The nearest point theta' of M to a target solves the conditions of Karush, Kuhn and Tucker
``theta' = target - lambda_g grad(grad L . u) - lambda_S grad S`` with ``lambda_S >= 0``.  Each
iteration solves them with both conditions linearized at the iterate.  What is left shrinks in each
by the curvature of M times the distance, which is O(epsilon^2) along the constrained trajectory.

The normal ``grad(grad L . u) = S u + D^3 L[u, q, .]`` needs ``q = (S - H)^+ grad L``, a linear
system that conjugate gradients solve on the complement of u, as exactly as the multiplier calls
for: with ``lambda_g`` small (it is of order epsilon^2), a few products do.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from eostheory.curvature import Tracker
from eostheory.numeric.events import NoConvergence
from eostheory.training.center import Center, Loss, check_rate, check_vector, expand

MODES = ("gradient", "manifold")
"""Where the constraint is inactive: leave the target as it is, or keep ``grad L . u = 0``."""


ALIKE = 1e-10
"""Normals whose directions differ by less than this are taken for one."""


class UnconvergedProjection(NoConvergence):
    """No point of the stable set was found near the target.

    Attributes:
        step: of the trajectory.
        reached: length of the last correction, ``wanted`` what it should have been.
        feasibility: its part across the stable set (how far the iterate is from the set); infinite
            where both conditions cannot be met to first order (the sharpness is above 2/eta and
            has no slope across u, say).
        stationarity: its part along the set (how far it is from the nearest point in it).
        iterations: how many were made.
    """

    def __init__(
        self, step: int, feasibility: float, stationarity: float, wanted: float, iterations: int
    ) -> None:
        reached = (feasibility**2 + stationarity**2) ** 0.5
        how = (
            f"{feasibility:.3g} off the set and {stationarity:.3g} off the nearest point; start "
            "nearer to it, lower eta, or allow more: maximum=, tolerance="
        )
        if reached == math.inf:
            how = (
                "the two conditions contradict each other to first order, for instance because "
                "the sharpness is above 2/eta and has no slope across u; lower eta"
            )
        super().__init__(
            f"the projection onto the stable set at step {step} (after {iterations} iterations "
            f"{how})",
            reached,
            wanted,
        )
        self.step = step
        self.feasibility = feasibility
        self.stationarity = stationarity
        self.iterations = iterations


class Projected(NamedTuple):
    """The nearest point of the stable set.

    Attributes:
        center: Taylor data at the point (open products).
        active: whether ``S = 2/eta`` holds there as an equality.
        multipliers: ``(lambda_g, lambda_S)``.
        residual: length of the correction that was not made any more.
        distance: from the target.
        iterations: points at which the conditions were linearized.
        products: Hessian-vector products of all of them, eigenpairs and linear systems.
        thirds: third derivatives contracted twice.
    """

    center: Center
    active: bool
    multipliers: tuple[float, float]
    residual: float
    distance: float
    iterations: int
    products: int
    thirds: int


class _Correction(NamedTuple):
    """The solution of the conditions linearized at an iterate, less the iterate."""

    step: Tensor
    active: bool
    multipliers: tuple[float, float]
    feasibility: float
    stationarity: float


class Projector:
    """Projects onto the stable set, again and again along a trajectory.

    Args:
        loss: a function of a flat (D,) tensor, or an objective.
        eta: learning rate; the edge is 2/eta.
        tolerance: length of the last correction, relative to that of a gradient step.
        maximum: iterations of a projection.
        exact: False to take ``S u`` for the normal of ``grad L . u = 0``.  The point is then in M,
            but the nearest one to order epsilon^4 only; each iteration saves one third derivative
            and a linear system.
        inactive: what a target with ``S <= 2/eta`` becomes: "gradient" leaves it as it is,
            "manifold" moves it to where ``grad L . u = 0``, as the paper defines M.
        tracker: follows the top eigenpair; it keeps the sign of u continuous.

    Attributes:
        normals: rows ``grad(grad L . u)`` and ``grad S`` at the last point, or None.
    """

    def __init__(
        self,
        loss: Loss,
        eta: float,
        *,
        tolerance: float = 1e-6,
        maximum: int = 40,
        exact: bool = True,
        inactive: str = "gradient",
        tracker: Tracker | None = None,
    ) -> None:
        check_rate(eta)
        if not 0 < tolerance < 1 or not isinstance(maximum, int) or maximum < 1:
            raise ValueError(
                f"tolerance is {tolerance!r} and maximum {maximum!r}; give a number in (0, 1) and "
                "a positive integer"
            )
        if inactive not in MODES:
            raise ValueError(f"inactive is {inactive!r}; known are {MODES}")
        self.loss, self.eta = loss, eta
        self.tolerance, self.maximum = tolerance, maximum
        self.exact, self.inactive = exact, inactive
        self.tracker = Tracker(1, tolerance=1e-9) if tracker is None else tracker
        if self.tracker.k != 1:
            raise ValueError(f"the tracker follows {self.tracker.k} pairs; give one with k=1")
        self.normals: Tensor | None = None
        self._q: Tensor | None = None
        self._turn = 0.0
        self._accuracy = 0.1
        self._thirds = 0

    def __call__(self, target: Tensor, step: int = 0, guess: Tensor | None = None) -> Projected:
        """The point of M nearest to ``target`` (D,), searched from ``guess`` (the target).

        A local minimizer of the distance: M is not convex.

        Raises:
            UnconvergedProjection: with what was reached.
            RepeatedTopEigenvalue, UnconvergedEigenpair, BecameNaN, OutOfMemory.
            TypeError, ValueError: a target or guess that is no flat vector, or not alike.
        """
        target = check_vector(target, "the target").detach()
        if guess is not None:
            check_vector(guess, "the guess", target)
        self._thirds = 0
        found, used = None, 0
        if self.inactive == "gradient" and (guess is None or torch.equal(guess, target)):
            found = self._free(target, step)
            if found.center.sharpness <= 2 / self.eta:
                return found
            used = found.products
            found.center.products.close()
        held = self._held(target, step, target if guess is None else guess.detach(), used)
        if self.inactive == "gradient" and not held.active and found is None:
            # The guess was wrong about the constraint: the target itself may do.
            found = self._free(target, step)
            kept, other = found, held
            if found.center.sharpness > 2 / self.eta:
                kept, other = held, found
            other.center.products.close()
            return kept._replace(products=found.products + held.products, thirds=self._thirds)
        return held

    def _free(self, target: Tensor, step: int) -> Projected:
        """The target as it is."""
        center = expand(self.loss, target, self.tracker, step)
        self._thirds += 1
        used = center.products.count
        return Projected(center, False, (0.0, 0.0), 0.0, 0.0, 1, used, self._thirds)

    def _held(self, target: Tensor, step: int, here: Tensor, used: int) -> Projected:
        """The nearest point of M, searched from ``here``."""
        base, base_move, reach = here, torch.zeros_like(here), float("inf")
        damping, allowed = 1.0, 0.0
        move: _Correction | None = None
        for iteration in range(1, self.maximum + 1):
            center = expand(self.loss, here, self.tracker, step)
            self._thirds += 1
            if iteration == 1:
                allowed = self._allowed(center)
            multiplier = 0.0 if move is None else abs(move.multipliers[0])
            move = self._correct(center, target, allowed, multiplier)
            used += center.products.count
            size = math.hypot(move.feasibility, move.stationarity)
            if size == math.inf:
                break
            doubt = abs(move.multipliers[0]) * self._turn * self._accuracy
            if size <= allowed and (doubt <= allowed or not self.exact):
                return Projected(
                    center, move.active, move.multipliers, size,
                    float(torch.linalg.vector_norm(here - target)), iteration, used, self._thirds,
                )  # fmt: skip
            center.products.close()
            if size >= reach and damping > 1 / 16 and size > allowed:
                # Too far for the linearization: half of the last move.
                damping /= 2
                here = base + damping * base_move
                continue
            base, base_move, reach = here, move.step, size
            damping = min(1.0, 2 * damping)
            here = here + damping * move.step
        assert move is not None
        raise UnconvergedProjection(step, move.feasibility, move.stationarity, allowed, iteration)

    def first_order(self, center: Center, active: bool, target: Tensor) -> Tensor:
        """Where the projection of ``target`` is, to first order around ``center`` (lemma 13).

        Free: it uses the normals of the last projection, which ended at ``center``.
        """
        free = not active or self._excess(center, target) <= 0
        if self.normals is None or (free and self.inactive == "gradient"):
            return target
        found = self._solved(center, self.normals, target)
        return target if found.feasibility == math.inf else center.point + found.step

    def _allowed(self, center: Center) -> float:
        eps = torch.finfo(center.point.dtype).eps
        length = float(torch.linalg.vector_norm(center.point))
        scale = self.eta * float(torch.linalg.vector_norm(center.gradient))
        return max(self.tolerance * scale, 32 * eps * (length + scale))

    def _correct(
        self, center: Center, target: Tensor, allowed: float, multiplier: float
    ) -> _Correction:
        self.normals = torch.stack([self._normal(center, allowed, multiplier), center.slope])
        return self._solved(center, self.normals, target)

    def _excess(self, center: Center, point: Tensor) -> float:
        """``S - 2/eta`` at ``point``, to first order around ``center``."""
        over = center.sharpness - 2 / self.eta
        return over + float(torch.dot(center.slope, point - center.point))

    def _solved(self, center: Center, normals: Tensor, target: Tensor) -> _Correction:
        """The nearest point to ``target`` under the linearized conditions.

        By orthogonalization of the two normals: a library's least squares are not the same bits
        from call to call.
        """
        back = center.point - target
        first, across = _unit(normals[0])
        tilt = torch.dot(normals[1], across)
        second, outward = _unit(normals[1] - tilt * across)
        if float(second) <= ALIKE * float(torch.linalg.vector_norm(normals[1])):
            second, outward = torch.zeros_like(second), torch.zeros_like(outward)
        # distances of the target from the two planes, along orthonormal directions
        slant = torch.dot(center.gradient, center.u) - torch.dot(normals[0], back)
        a = _over(float(slant), float(first))
        found = target - a * across
        over, active = self._excess(center, found), False
        b, multipliers = 0.0, (_over(a, float(first)), 0.0)
        if over > 0:
            active = True
            b = _over(over, float(second))
            found = found - b * outward
            pull = _over(b, float(second))
            multipliers = (_over(a - pull * float(tilt), float(first)), pull)
        move = found - center.point
        if not math.isfinite(a) or not math.isfinite(b):
            return _Correction(move, active, multipliers, math.inf, 0.0)
        parts = [
            torch.dot(move, across),
            torch.dot(move, outward) if active else move.new_zeros(()),
        ]
        feasibility = math.hypot(*(float(part) for part in parts))
        along = move - parts[0] * across - parts[1] * outward
        return _Correction(
            move, active, multipliers, feasibility, float(torch.linalg.vector_norm(along))
        )

    def _normal(self, center: Center, allowed: float, multiplier: float) -> Tensor:
        """``grad(grad L . u)``, as accurate as ``multiplier`` makes its error harmless."""
        leading = center.sharpness * center.u
        if not self.exact:
            return leading
        weight = multiplier * self._turn
        self._accuracy = 0.1 if weight == 0 else min(0.1, max(1e-12, 0.3 * allowed / weight))
        self._q = self._system(center, self._accuracy)
        turn = center.products.third(center.u, self._q)
        self._thirds += 1
        self._turn = float(torch.linalg.vector_norm(turn))
        return leading + turn

    def _system(self, center: Center, accuracy: float) -> Tensor:
        """``q`` with ``(S - H) q = grad L`` on the complement of u, by conjugate gradients."""
        u, top = center.u, center.sharpness

        def off(v: Tensor) -> Tensor:
            return v - torch.dot(u, v) * u

        def apply(v: Tensor) -> Tensor:
            return off(top * v - center.products(v))

        right = off(center.gradient)
        size = float(torch.linalg.vector_norm(right))
        if size == 0.0:
            return torch.zeros_like(right)
        q = torch.zeros_like(right) if self._q is None else off(self._q)
        rest = right - apply(q) if self._q is not None else right
        if float(torch.linalg.vector_norm(rest)) > size:
            q, rest = torch.zeros_like(right), right
        way, square = rest, torch.dot(rest, rest)
        for _ in range(2 * len(u)):
            if float(square) ** 0.5 <= accuracy * size:
                break
            image = apply(way)
            bend = torch.dot(way, image)
            if float(bend) <= 0:  # rounding, or a pair below that is not below
                break
            length = square / bend
            q, rest = q + length * way, rest - length * image
            square, last = torch.dot(rest, rest), square
            way = rest + (square / last) * way
        return off(q)

    def state(self) -> dict[str, object]:
        """What later projections depend on."""
        held: dict[str, object] = {
            "tracker": self.tracker.state(), "turn": self._turn, "accuracy": self._accuracy,
        }  # fmt: skip
        if self.normals is not None:
            held["normals"] = self.normals
        if self._q is not None:
            held["q"] = self._q
        return held

    def restore(self, state: dict[str, object]) -> None:
        """Go on from a :meth:`state`, bit for bit."""
        tracker, normals, q = state["tracker"], state.get("normals"), state.get("q")
        if not isinstance(tracker, dict):
            raise TypeError("the state of a projector holds that of its tracker")
        self.tracker = Tracker.restored(tracker)
        self._turn, self._accuracy = float(str(state["turn"])), float(str(state["accuracy"]))
        self.normals = normals.clone() if isinstance(normals, Tensor) else None
        self._q = q.clone() if isinstance(q, Tensor) else None


def _unit(v: Tensor) -> tuple[Tensor, Tensor]:
    """Length and direction of ``v``; the direction of nothing is nothing."""
    length = torch.linalg.vector_norm(v)
    return length, v / length if float(length) > 0 else torch.zeros_like(v)


def _over(a: float, b: float) -> float:
    """``a / b``, where nothing of nothing is nothing."""
    if b == 0.0:
        return 0.0 if a == 0.0 else math.inf
    return a / b


def project(
    loss: Loss,
    target: Tensor,
    eta: float,
    *,
    tolerance: float = 1e-6,
    maximum: int = 40,
    exact: bool = True,
    inactive: str = "manifold",
    guess: Tensor | None = None,
) -> Projected:
    """``proj_M(target)``; see :class:`Projector`.

    Where the constraint is inactive the default is M as the paper defines it, not what a
    trajectory does by default.
    """
    projector = Projector(
        loss, eta, tolerance=tolerance, maximum=maximum, exact=exact, inactive=inactive
    )
    return projector(target, guess=guess)
