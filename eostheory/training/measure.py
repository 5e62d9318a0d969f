"""What is measured along a trajectory, row by row; see :mod:`eostheory.training.quantities`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from eostheory.curvature import Eigenpairs, Products, Tracker
from eostheory.numeric.events import (
    BecameNaN,
    NumericEvent,
    OutOfMemory,
    RepeatedTopEigenvalue,
    WrongDerivative,
)
from eostheory.numeric.objective import Objective
from eostheory.training.center import demand_third_derivatives
from eostheory.training.checkpoint import digest
from eostheory.training.phases import PhaseTracker
from eostheory.training.quantities import (
    Reference,
    coefficients,
    effective_learning_rate,
    is_scale_invariant,
    local_displacement,
)


class Missed(NamedTuple):
    """Measurements that were not possible: how often, the first step, and why then."""

    times: int
    step: int
    reason: str


FREE = ("sharpness", "output", "spherical", "phase")
"""Measures that cost no more than the sharpness."""

ALL = (*FREE, "coefficients", "displacement")

Observation = Callable[[int, Tensor], float]

Reach = Reference | str | Callable[[int], Reference] | None


class Measurer:
    """Measures a point into a row of named numbers.

    Args:
        objective: the loss.
        eta: learning rate; None where there is none (a flow): no phases, coefficients without
            epsilon, no displacement unless from a reference.
        decay: weight decay.
        measure: "free" for what the sharpness gives away, "all", or names out of
            "sharpness" (the top k eigenvalues, the next one, the residual of the top pair,
            Hessian-vector products), "output" (norm of the output layer's weight),
            "spherical" (spherical sharpness and effective learning rate, of scale-invariant
            losses), "phase" (li22; rows an even number of steps apart see the oscillation of
            period two at one side only), "coefficients" (alpha, beta, delta, epsilon: one third
            derivative) and "displacement" (x, y, deviation).  Loss and the lengths of gradient
            and parameters are always there.
        k: number of eigenvalues.
        reference: where displacements are measured from: None for the nearest point of the stable
            set to first order, anew in every row (:func:`local_displacement`); "crossing" for
            the point at which the sharpness passes 2/eta (damian23, section 4); a
            :class:`Reference`; or a callable from the step to one (section 5).
        scale_invariant: None to find out at the first point.
        tracker: what follows the eigenpairs, of which a copy is taken; None for a default one.
        observe: further columns, functions of step and point.

    A measurement that is not possible at a point (a repeated top eigenvalue has no eigenvector, a
    pair did not converge) leaves NaN in its columns and is counted in :attr:`missed`.  Third
    derivatives are compared with differences of Hessian-vector products once, where they are first
    wanted; when they are wrong (torch's fused norms), what needs them is missed throughout.

    Raises:
        ValueError, TypeError: bad input.
    """

    def __init__(
        self,
        objective: Objective,
        eta: float | None,
        *,
        decay: float = 0.0,
        measure: str | Sequence[str] = "free",
        k: int = 1,
        reference: Reach = None,
        scale_invariant: bool | None = None,
        start: Tensor | None = None,
        tracker: Tracker | None = None,
        observe: Mapping[str, Observation] | None = None,
    ) -> None:
        self.objective = objective
        self.eta = eta
        self.decay = decay
        self.k = k
        self.missed: dict[str, Missed] = {}
        chosen = _chosen(measure)
        layout = objective.layout
        if layout is None or layout.output is None:
            if "output" in chosen and not isinstance(measure, str):
                raise ValueError("measure 'output' needs an objective with a known output layer")
            chosen.discard("output")
            self._output = None
        else:
            self._output = layout.slice(layout.output)
        if "spherical" in chosen and scale_invariant is None:
            point = torch.ones(objective.size) if start is None else start
            scale_invariant = start is not None and is_scale_invariant(objective, point)
        if not scale_invariant:
            chosen.discard("spherical")
        if eta is None:
            chosen.discard("phase")
            if reference is None:
                chosen.discard("displacement")
        if isinstance(reference, str) and reference != "crossing":
            raise ValueError(f"reference is {reference!r}; the only one with a name is 'crossing'")
        self.chosen = chosen
        self._reference = reference
        self._crossing: Reference | None = None
        if tracker is not None and tracker.k != k:
            raise ValueError(f"the tracker follows {tracker.k} pairs, k is {k}: give both the same")
        self._tracker = (
            Tracker(k, repeated="keep") if tracker is None else Tracker.restored(tracker.state())
        )
        self._checked = False
        self._wrong: WrongDerivative | None = None
        self._phases = PhaseTracker(eta if eta is not None else 1.0)
        self._observed = dict(observe or {})
        self.columns = (*self._columns(), *self._observed)

    def _columns(self) -> tuple[str, ...]:
        names = ["loss", "gradient", "length"]
        if self._curved:
            names.append("sharpness")
            names += [f"eigenvalue {i}" for i in range(2, self.k + 1)]
            names += ["next eigenvalue", "residual", "products"]
        groups = {
            "coefficients": ("alpha", "beta", "delta", "epsilon"),
            "displacement": ("x", "y", "deviation"),
            "output": ("output norm",),
            "spherical": ("spherical sharpness", "effective learning rate"),
            "phase": ("phase",),
        }
        for group, members in groups.items():
            if group in self.chosen:
                names += members
        return tuple(names)

    @property
    def _curved(self) -> bool:
        return bool(self.chosen - {"output"})

    def __call__(self, step: int, w: Tensor) -> dict[str, float]:
        """The row of point ``w``; graphs are freed before it returns.

        Raises:
            BecameNaN: the loss or gradient is not finite.
            OutOfMemory: the device has no room.
        """
        row = self._measured(step, w)
        return row | {name: float(f(step, w)) for name, f in self._observed.items()}

    def _measured(self, step: int, w: Tensor) -> dict[str, float]:
        row: dict[str, float] = {"length": float(torch.linalg.vector_norm(w))}
        if self._output is not None and "output" in self.chosen:
            row["output norm"] = float(torch.linalg.vector_norm(w[self._output]))
        if not self._curved:
            value, gradient = self.objective.value_and_gradient(w)
            row["loss"] = float(value)
            row["gradient"] = float(torch.linalg.vector_norm(gradient))
            return row
        with Products(self.objective, w, step=step) as products:
            row["loss"] = float(products.value)
            row["gradient"] = float(torch.linalg.vector_norm(products.gradient))
            try:
                pair = self._tracker(products)
            except (BecameNaN, OutOfMemory):
                raise
            except NumericEvent as event:
                self._miss("sharpness", step, event)
                return row
            self._eigenvalues(row, pair, w)
            try:
                self._derived(row, step, w, products, pair)
            except (BecameNaN, OutOfMemory):
                raise
            except WrongDerivative as event:
                self._miss("third derivative", step, event)
            except NumericEvent as event:
                self._miss("eigenvector", step, event)
        return row

    def _eigenvalues(self, row: dict[str, float], pair: Eigenpairs, w: Tensor) -> None:
        sharpness = float(pair.values[0])
        row["sharpness"] = sharpness
        for i in range(1, self.k):
            row[f"eigenvalue {i + 1}"] = float(pair.values[i])
        row["next eigenvalue"] = pair.next_value
        row["residual"] = float(pair.residuals[0])
        row["products"] = float(pair.products)
        if "phase" in self.chosen:
            row["phase"] = float(self._phases(sharpness, row["loss"]))
        if "spherical" in self.chosen:
            # The Hessian of a scale-invariant loss is homogeneous of degree -2.
            row["spherical sharpness"] = sharpness * row["length"] ** 2
            if self.eta is not None:
                rate = effective_learning_rate(w, self.eta, self.decay)
                row["effective learning rate"] = rate

    def _derived(
        self, row: dict[str, float], step: int, w: Tensor, products: Products, pair: Eigenpairs
    ) -> None:
        """What needs the eigenvector, and mostly the gradient of the sharpness."""
        wanted = self.chosen & {"coefficients", "displacement"}
        if not wanted:
            return
        second = float(pair.values[1]) if self.k > 1 else pair.next_value
        sharpness, gap = float(pair.values[0]), float(pair.values[0]) - second
        eps = torch.finfo(self.objective.dtype).eps
        error = float(pair.residuals[0]) + 16 * eps * abs(sharpness)
        if gap <= 2 * error:
            raise RepeatedTopEigenvalue(sharpness, gap, error)
        u, gradient = pair.vectors[0], products.gradient
        slope: Tensor | None = None
        local = self._reference is None
        crossing = self._reference == "crossing" and self._crossing is None
        crossing = crossing and self.eta is not None and sharpness >= 2 / self.eta
        if "coefficients" in wanted or local or crossing:
            slope = self._slope(products, u)
        if "coefficients" in wanted and slope is not None:
            eta = math.nan if self.eta is None else self.eta
            row.update(coefficients(gradient, slope, u, eta)._asdict())
        if "displacement" in wanted:
            if crossing and slope is not None:
                # To first order the nearest point where the gradient along u vanishes.
                point = w - (torch.dot(gradient, u) / sharpness) * u
                self._crossing = Reference(point, u.clone(), slope, sharpness)
            if local and slope is not None and self.eta is not None:
                found = local_displacement(gradient, slope, u, sharpness, self.eta)
                row.update(found._asdict())
            elif (reference := self._at(step)) is not None:
                row.update(reference.displacement(w)._asdict())

    def _slope(self, products: Products, u: Tensor) -> Tensor:
        """``grad S``, if third derivatives of this loss are right."""
        if not self._checked:
            self._checked = True
            try:
                demand_third_derivatives(self.objective, products.point, u)
            except WrongDerivative as event:
                self._wrong = event
        if self._wrong is not None:
            raise self._wrong
        return products.third(u, u)

    def _at(self, step: int) -> Reference | None:
        if isinstance(self._reference, Reference):
            return self._reference
        if callable(self._reference):
            return self._reference(step)
        return self._crossing

    def _miss(self, what: str, step: int, event: NumericEvent) -> None:
        known = self.missed.get(what)
        if known is None:
            self.missed[what] = Missed(1, step, f"{type(event).__name__}: {event}")
        else:
            self.missed[what] = known._replace(times=known.times + 1)

    def settings(self) -> dict[str, Any]:
        """How eigenpairs are followed, and from where, for the configuration of a run."""
        state = self._tracker.state()
        return {
            "tracker": {n: x for n, x in state.items() if isinstance(x, int | float | str)},
            "reference": _described(self._reference),
        }

    def state(self) -> dict[str, Any]:
        """What later rows depend on, for a checkpoint."""
        missed = {k: {"times": m.times, "step": m.step, "reason": m.reason}
                  for k, m in self.missed.items()}  # fmt: skip
        crossing: dict[str, Any] = {} if self._crossing is None else vars(self._crossing)
        return {
            "tracker": self._tracker.state(),
            "phases": self._phases.state(),
            "crossing": dict(crossing),
            "missed": missed,
            "checked": self._checked,
            "wrong": {}
            if self._wrong is None
            else {n: getattr(self._wrong, n) for n in ("order", "error", "allowed")},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state`."""
        self._tracker = Tracker.restored(dict(state["tracker"]))
        self._phases = PhaseTracker.restored(state["phases"])
        self._crossing = Reference(**state["crossing"]) if state["crossing"] else None
        self.missed = {k: Missed(**m) for k, m in state["missed"].items()}
        self._checked = bool(state["checked"])
        self._wrong = WrongDerivative(**state["wrong"]) if state["wrong"] else None


def _described(reference: Reach) -> str:
    if isinstance(reference, Reference):
        return digest(reference.point, reference.vector, reference.slope)
    return "a callable" if callable(reference) else str(reference)


def _chosen(measure: str | Sequence[str]) -> set[str]:
    if isinstance(measure, str):
        if measure not in ("free", "all"):
            raise ValueError(f"measure is {measure!r}; give 'free', 'all' or a sequence of {ALL}")
        return set(FREE if measure == "free" else ALL)
    unknown = [name for name in measure if name not in ALL]
    if unknown:
        raise ValueError(f"measure has {unknown}, unknown; known are {list(ALL)}")
    return set(measure)
