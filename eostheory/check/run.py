"""Real runs that several checks share: gradient descent to the edge of stability and past it.

Every run has a budget of steps, so that what is found does not depend on the machine.
"""

from __future__ import annotations

import math
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from eostheory.check.batch import DenseTracker
from eostheory.check.edge import EdgePoint, approach
from eostheory.check.finding import Status
from eostheory.check.tilted import with_decay
from eostheory.check.way import Waypoint, descend, level
from eostheory.curvature import Products, Tracker
from eostheory.numeric.dynamics import checked
from eostheory.numeric.events import NumericEvent
from eostheory.numeric.objective import Objective
from eostheory.training.center import Center, expand
from eostheory.training.constrained import ConstrainedTrajectory, EdgeNotReached
from eostheory.training.projection import Projector
from eostheory.training.quantities import is_scale_invariant

if TYPE_CHECKING:
    from eostheory.check.context import Context

DECAY = 5e-4
"""Weight decay over the sharpness where none is given: epsilon = 2 sqrt(2 DECAY) = 0.06."""


class _Choice(NamedTuple):
    """Learning rate, why, where descent starts (None where it meets no edge), its steps."""

    eta: float
    why: str
    start: Tensor | None
    steps: int = 0


class RealRun:
    """Gradient descent on the loss of a context, with weight decay if the loss is scale-invariant.

    Attributes (made when first asked for):
        decay: weight decay; the loss of the run is ``L(w) + decay |w|^2 / 2``.
        objective: that.
        way: points along descent with steps far below the edge, as gradient flow goes.
        eta, why: learning rate, and where it comes from.
        edge: where descent meets the edge, or None where no sharpness is positive.
        constrained: points of the constrained trajectory from there; ``ended`` says what ended it.
        center: Taylor data at the point of the stable set next to it, or None; ``missing`` says
            why not.

    Raises (from most attributes):
        NumericEvent: the loss is not finite, or an eigenpair did not converge.
    """

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self._missing = ""
        self.ended = ""

    @property
    def missing(self) -> str:
        """Why there is no edge, or no point of the stable set next to it; '' where there is."""
        with suppress(NumericEvent):
            _ = self.center
        return self._missing

    @cached_property
    def large(self) -> bool:
        """Many parameters: fewer steps, fewer measurements."""
        return self.ctx.subject.size > 200

    @cached_property
    def steps(self) -> int:
        """Steps of gradient descent in a run past the edge."""
        return max(60, self.ctx.profile.steps // (5 if self.large else 2))

    def tracker(self, repeated: str = "keep") -> Tracker:
        """A fresh tracker of the top pair."""
        return DenseTracker(self.objective, repeated=repeated, dense_below=64)

    @cached_property
    def begin(self) -> Tensor:
        """(D,) where the way begins: the start, or a point beside it where the start is stationary
        (nothing moves from there)."""
        w = self.ctx.subject.start.detach().clone()
        _, gradient = self.ctx.subject.objective.value_and_gradient(w)
        eps = torch.finfo(w.dtype).eps
        length = max(1.0, float(torch.linalg.vector_norm(w)))
        if float(torch.linalg.vector_norm(gradient)) > 1e3 * eps * length:
            return w
        draw = torch.Generator().manual_seed(0)
        beside = torch.randn(len(w), generator=draw, dtype=torch.float64).to(w)
        return w + (0.5 * length / float(torch.linalg.vector_norm(beside))) * beside

    @cached_property
    def scale_invariant(self) -> bool:
        """Whether the loss depends on the direction of w only."""
        found = self.ctx.outcomes.get("scale-invariant")
        if found is not None:
            return found.status is Status.PASS
        if self.ctx.subject.declared.scale_invariant is not None:
            return self.ctx.subject.declared.scale_invariant
        return is_scale_invariant(self.ctx.subject.objective, self.begin)

    @cached_property
    def decay(self) -> float:
        """Weight decay: as given, or small for a scale-invariant loss (whose weights, and with
        them 1/sharpness, grow without bound otherwise), or none."""
        given = self.ctx.subject.weight_decay
        if given is not None:
            return given
        if not self.scale_invariant:
            return 0.0
        with Products(self.ctx.subject.objective, self.begin) as products:
            tracker = DenseTracker(self.ctx.subject.objective, repeated="keep", dense_below=64)
            top = float(tracker(products).values[0])
        return DECAY * abs(top) if top else DECAY

    @cached_property
    def objective(self) -> Objective:
        """``L(w) + decay |w|^2/2``."""
        return with_decay(self.ctx.subject.objective, self.decay)

    @cached_property
    def way(self) -> tuple[Waypoint, ...]:
        """Descent with steps of ``1/(2 S)``, measured now and then; ends where the loss does."""
        contains = self.ctx.subject.domain.contains
        return descend(self.objective, self.begin, contains, self.tracker(), self.large)

    @cached_property
    def _chosen(self) -> _Choice | None:
        """None without positive sharpness."""
        given = self.ctx.subject.learning_rate
        if given is not None:
            most = self.ctx.profile.steps // (2 if self.large else 1)
            return _Choice(given, f"eta = {given:g} as given", self.begin, most)
        way = self.way
        positive = [at for at in way if at.sharpness > 0]
        if not positive:
            return None
        found = level(way)
        if found is None:
            top = max(positive, key=lambda at: at.sharpness)
            return _Choice(2 / top.sharpness, "gradient flow has no progressive sharpening", None)
        low, at, edge = found
        spread = math.log10(edge / (edge - way[low].sharpness))
        eta = float(f"{2 / edge:.{max(3, 2 + math.ceil(spread))}g}")
        why = (
            f"eta = {eta:g}, chosen so that 2/eta is a sharpness that gradient flow rises to: it "
            f"goes from {way[low].sharpness:.4g} to {max(p.sharpness for p in way[low:]):.4g}"
        )
        # An oscillation along u, which dies away slowly near the edge, holds the sharpness down.
        patience = self.ctx.profile.steps // (5 if self.large else 1)
        steps = int(4 * (way[at].time - way[at - 1].time) / eta) + patience
        return _Choice(eta, why, way[at - 1].w, steps)

    @property
    def eta(self) -> float:
        """The learning rate; NaN where no sharpness is positive."""
        return self._chosen.eta if self._chosen else math.nan

    @property
    def launch(self) -> Tensor:
        """(D,) where gradient descent with ``eta`` starts: below the edge if there is one."""
        choice = self._chosen
        return self.begin if choice is None or choice.start is None else choice.start

    @property
    def why(self) -> str:
        """Where the learning rate comes from."""
        return self._chosen.why if self._chosen else "no point with a positive sharpness was met"

    @cached_property
    def edge(self) -> EdgePoint | None:
        """Where descent meets the edge; ``reached`` tells whether it did."""
        choice = self._chosen
        if choice is None:
            self._missing = self.why
            return None
        if choice.start is None:
            self._missing = choice.why
        else:
            try:
                found = approach(
                    self.objective, choice.start, choice.eta, choice.steps, self.tracker, self.large
                )
            except EdgeNotReached as event:
                self._missing = str(event)
            except NumericEvent as event:
                self._missing = f"descent with eta = {choice.eta:g} did not reach the edge: {event}"
            else:
                how = f"gradient descent meets 2/eta = {2 / choice.eta:.6g} ({choice.why})"
                return self._edge_at(found[1], choice.eta, True, found[0], how)
        positive = [at for at in self.way if at.sharpness > 0]
        if not positive:
            return None
        top = max(positive, key=lambda at: at.sharpness)
        how = f"the edge was not met; the largest sharpness on the way is {top.sharpness:.6g}"
        return self._edge_at(top.w, 2 / top.sharpness, False, 0, how)

    def _edge_at(self, w: Tensor, eta: float, reached: bool, step: int, how: str) -> EdgePoint:
        center = expand(self.objective, w, self.tracker())
        with center.products:
            return EdgePoint.of(center, eta, reached, step, how)

    @cached_property
    def center(self) -> Center | None:
        """The point of the stable set next to the edge: ``S = 2/eta``, ``grad L . u = 0``."""
        edge = self.edge
        if edge is None or not edge.reached:
            return None
        project = Projector(
            self.objective, edge.eta, tolerance=1e-8, inactive="manifold", tracker=self.tracker(),
        )  # fmt: skip
        try:
            found = project(edge.point)
        except NumericEvent as event:
            self._missing = f"no point of the stable set next to the edge: {event}"
            return None
        if not found.active:
            self._missing = "the stable set next to the edge has a sharpness below 2/eta"
            found.center.products.close()
            return None
        return found.center

    @cached_property
    def constrained(self) -> tuple[EdgePoint, ...]:
        """Some steps of the constrained trajectory (damian23 (2)) from the edge on."""
        center, eta = self.center, self.eta
        if center is None:
            return ()
        trajectory = ConstrainedTrajectory(
            self.objective, center.point, eta, inactive="manifold", tolerance=1e-4, c=None,
            tracker=self.tracker("raise"),
        )  # fmt: skip
        count, every = (6, 1) if self.large else (8, 4)
        found = []
        try:
            for step in range((count - 1) * every + 1):
                here = trajectory.here.center
                if step % every == 0:
                    active = here.sharpness >= (1 - 1e-4) * 2 / eta
                    how = f"step {step} of the constrained trajectory"
                    found.append(EdgePoint.of(here, eta, active, step, how))
                trajectory.advance()
        except NumericEvent as event:
            self.ended = str(event)
        return tuple(found)

    @cached_property
    def path(self) -> Tensor:
        """(k, D), at most 50 iterates of gradient descent with ``eta``, from the edge if it is met
        and else from the beginning."""
        met = self.edge is not None and self.edge.reached
        w = self.edge.point if self.edge is not None and met else self.begin
        found = [w]
        with suppress(NumericEvent):
            for step in range(49):
                _, gradient = self.objective.value_and_gradient(w)
                w = checked(w - self.eta * gradient, step)
                found.append(w)
        return torch.stack(found)

    @property
    def points(self) -> tuple[Tensor, ...]:
        """At most 12 points of the way, evenly spaced, the first one first."""
        way = self.way
        every = max(1, math.ceil(len(way) / 12))
        return tuple(at.w for at in way[::every])
