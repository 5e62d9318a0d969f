"""The constrained trajectory ``theta' <- proj_M(theta' - eta grad L(theta'))`` (damian23 (2)).

Where the constraint is inactive (the gradient step stays at ``S <= 2/eta``) it is that gradient
step: a trajectory that starts long before the edge of stability runs as gradient descent up to it,
and leaves it again when the progressive sharpening coefficient alpha turns negative.  With
``inactive="manifold"`` the condition ``grad L . u = 0`` is kept there too, as M is printed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from eostheory.curvature import Products, Tracker
from eostheory.numeric.dynamics import checked
from eostheory.numeric.events import NumericEvent
from eostheory.training.center import (
    Center,
    Loss,
    check_rate,
    check_vector,
    demand_third_derivatives,
)
from eostheory.training.projection import Projected, Projector
from eostheory.training.quantities import local_displacement


class EigengapClosed(NumericEvent):
    """The second eigenvalue came so near the edge that one direction is not enough
    (damian23, assumption 2)."""

    def __init__(self, step: int, second: float, eta: float, c: float) -> None:
        super().__init__(
            f"the second eigenvalue is {second:.6g} at step {step} of the constrained trajectory, "
            f"not below {c:g}/eta = {c / eta:.6g}: go on with several unstable directions, or "
            f"raise c= (below 2)"
        )
        self.step = step
        self.second = second
        self.edge = 2 / eta


class EdgeNotReached(NumericEvent):
    """Gradient descent stayed below the edge of stability."""

    def __init__(self, steps: int, sharpness: float, eta: float) -> None:
        super().__init__(
            f"the sharpness is {sharpness:.6g} after {steps} steps, the edge 2/eta = {2 / eta:.6g} "
            f"was not reached: take more steps, or a larger eta"
        )
        self.step = steps
        self.sharpness = sharpness


class ConstrainedStep(NamedTuple):
    """A point of the constrained trajectory.

    Attributes:
        step: its number t.
        center: loss, gradient, sharpness, eigenvector and ``grad S`` there; its products stay open
            until the trajectory advances.
        active: whether the sharpness is held at 2/eta.
        multipliers: ``(lambda_g, lambda_S)`` of the two conditions.
        residual: length of the correction that the projection did not make any more.
        distance: how far the projection moved the gradient step.
        overlap: ``u_t . u_{t-1}``; NaN at the start.
        iterations, products, thirds: what the projection took: points, Hessian-vector products,
            third derivatives.
    """

    step: int
    center: Center
    active: bool
    multipliers: tuple[float, float]
    residual: float
    distance: float
    overlap: float
    iterations: int
    products: int
    thirds: int

    @property
    def point(self) -> Tensor:
        """(D,) ``theta_t'``."""
        return self.center.point


class ConstrainedTrajectory:
    """Projected gradient descent on the stable set, one :meth:`advance` at a time.

    Args:
        loss: a function of a flat (D,) tensor, or an objective.
        start: (D,), float64 or float32; it is projected first.
        eta: learning rate.
        c: the trajectory ends when the second eigenvalue reaches c/eta (the paper runs to 1.9);
            None to go on regardless.
        tolerance, maximum, exact, inactive, tracker: see
            :class:`~eostheory.training.projection.Projector`.

    Attributes:
        here: the :class:`ConstrainedStep` that was reached.

    Raises (when made, and from :meth:`advance`):
        UnconvergedProjection, RepeatedTopEigenvalue, EigengapClosed, UnconvergedEigenpair,
        BecameNaN, Diverged, OutOfMemory.  After any, ``here`` is the point before.
    """

    def __init__(
        self,
        loss: Loss,
        start: Tensor,
        eta: float,
        *,
        c: float | None = 1.9,
        tolerance: float = 1e-6,
        maximum: int = 40,
        exact: bool = True,
        inactive: str = "gradient",
        tracker: Tracker | None = None,
    ) -> None:
        self._prepare(loss, eta, c, tolerance, maximum, exact, inactive, tracker)
        demand_third_derivatives(loss, start)
        self._place(self.projector(start, 0), 0, None)

    def _prepare(
        self, loss: Loss, eta: float, c: float | None, tolerance: float, maximum: int,
        exact: bool, inactive: str, tracker: Tracker | None,
    ) -> None:  # fmt: skip
        if c is not None and not 0 < c <= 2:
            raise ValueError(f"c is {c!r}, expected a number in (0, 2], or None")
        self.loss, self.eta, self.c = loss, eta, c
        self.projector = Projector(
            loss, eta, tolerance=tolerance, maximum=maximum, exact=exact, inactive=inactive,
            tracker=tracker,
        )  # fmt: skip
        self.here: ConstrainedStep

    def advance(self) -> ConstrainedStep:
        """One step; the products of the point before are closed."""
        before = self.here
        center, number = before.center, before.step + 1
        target = checked(center.point - self.eta * center.gradient, number)
        guess = self.projector.first_order(center, before.active, target)
        found = self.projector(target, number, guess)
        self._place(found, number, center.u)
        center.products.close()
        return self.here

    def _place(self, found: Projected, number: int, earlier: Tensor | None) -> None:
        center = found.center
        if self.c is not None and center.next_value >= self.c / self.eta:
            center.products.close()
            raise EigengapClosed(number, center.next_value, self.eta, self.c)
        overlap = float("nan") if earlier is None else float(torch.dot(center.u, earlier))
        self.here = ConstrainedStep(
            number, center, found.active, found.multipliers, found.residual, found.distance,
            overlap, found.iterations, found.products, found.thirds,
        )  # fmt: skip

    def __iter__(self) -> Iterator[ConstrainedStep]:
        """The point reached, then one step after the other, without end."""
        yield self.here
        while True:
            yield self.advance()

    def state(self) -> dict[str, Any]:
        """What the rest of the trajectory depends on, for a checkpoint."""
        here = self.here
        return {
            "step": here.step, "center": here.center.state(), "active": here.active,
            "lambda_g": here.multipliers[0], "lambda_S": here.multipliers[1],
            "residual": here.residual, "distance": here.distance, "overlap": here.overlap,
            "iterations": here.iterations, "products": here.products, "thirds": here.thirds,
            "projector": self.projector.state(),
        }  # fmt: skip

    @classmethod
    def restored(
        cls, loss: Loss, eta: float, state: dict[str, Any], *, c: float | None = 1.9,
        tolerance: float = 1e-6, maximum: int = 40, exact: bool = True, inactive: str = "gradient",
    ) -> ConstrainedTrajectory:  # fmt: skip
        """The trajectory whose :meth:`state` this is, under the same settings; bit for bit."""
        made = cls.__new__(cls)
        made._prepare(loss, eta, c, tolerance, maximum, exact, inactive, None)
        made.projector.restore(state["projector"])
        made.here = ConstrainedStep(
            int(state["step"]), Center.restored(loss, state["center"]), bool(state["active"]),
            (float(state["lambda_g"]), float(state["lambda_S"])), float(state["residual"]),
            float(state["distance"]), float(state["overlap"]), int(state["iterations"]),
            int(state["products"]), int(state["thirds"]),
        )  # fmt: skip
        return made


class Edge(NamedTuple):
    """Where gradient descent reaches the edge of stability: step, point (D,) and sharpness."""

    step: int
    point: Tensor
    sharpness: float


def reach_edge(
    loss: Loss, start: Tensor, eta: float, steps: int, *, tracker: Tracker | None = None
) -> Edge:
    """The first iterate of gradient descent whose projection onto M has sharpness 2/eta.

    To first order that is where ``S - (grad S . u) x >= 2/eta`` with ``x = grad L . u / S``; the
    third derivative is taken only near the edge.

    Raises:
        EdgeNotReached: not within ``steps`` steps.
        UnconvergedEigenpair, BecameNaN, Diverged, OutOfMemory.
        ValueError, TypeError: bad input.
    """
    check_rate(eta)
    check_vector(start, "the start")
    if not isinstance(steps, int) or steps < 0:
        raise ValueError(f"steps is {steps!r}, expected an integer of at least 0")
    follow = Tracker(1, repeated="keep") if tracker is None else tracker
    w, top = start.detach().clone(), float("nan")
    for step in range(steps + 1):
        with Products(loss, w, step=step) as products:
            pair = follow(products)
            top, u = float(pair.values[0]), pair.vectors[0]
            if top >= 1.8 / eta:
                slope = products.third(u, u)
                if local_displacement(products.gradient, slope, u, top, eta).y >= 0:
                    return Edge(step, w, top)
            w = checked(w - eta * products.gradient, step)
    raise EdgeNotReached(steps, top, eta)
