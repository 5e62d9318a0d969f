"""Does a statement hold on what a simulation observed?

The tolerance of an equation is the error bound of its two sides, nothing else.  The answer is
``same``, ``differs`` (with the violating instance), ``undecided`` (the bounds are too wide to
tell) or ``none`` (the simulation observes no instance of the statement's symbols).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from eostheory.agree.evaluate import EvaluationError, Val, evaluate_batch
from eostheory.agree.measured import UNIT, Array, Measured
from eostheory.agree.order import Limit, judge_limits
from eostheory.agree.record import Instance, Observation, Record
from eostheory.agree.sample import describe
from eostheory.formula.nodes import Expr, FormSymbol, Symbol, forms_of, symbols_of
from eostheory.formula.statements import (
    Equation,
    Inequality,
    OrderBound,
    Predicate,
    Statement,
)

Outcome = Literal["same", "differs", "undecided", "none"]
Needed = frozenset["Symbol | FormSymbol"]

SHARP = 1e-6
"""Two sides count as equal in a ``!=`` only if the bound is this small against them."""


@dataclass(frozen=True)
class Comparison:
    """Outcome of judging one statement on a record.

    Args:
        outcome: same, differs, undecided or none.
        detail: counts, the worst ratio, the violating instance, the measured order: JSON-able.
    """

    outcome: Outcome
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> Literal["order", "count"]:
        """``order`` for a measured exponent, ``count`` for a tally of observations."""
        return "order" if "meets" in self.detail else "count"

    @property
    def violation(self) -> dict[str, Any] | None:
        """The worst instance, if there is one."""
        found: dict[str, Any] | None = self.detail.get("witness")
        if found is None:
            inner = (d.get("witness") for d in self.detail.values() if isinstance(d, dict))
            found = next((w for w in inner if w is not None), None)
        return found

    @property
    def text(self) -> str:
        """One line that says what was measured."""
        detail = self.detail
        if self.outcome == "none":
            return f"not measured: {detail.get('why', 'nothing observed')}"
        if "meets" in detail:
            line = (
                f"{self.outcome} in {detail['count']} limits: {detail['meets']} meet the order, "
                f"{detail['exact']} exact, {detail['breaks']} break it, "
                f"{detail['unclear']} unclear"
            )
            if "exponent" in detail:
                low, high = detail["exponent"]
                least, most = detail["claimed"]
                claimed = f"{least:.3g}" if most - least < 0.005 else f"{least:.3g} to {most:.3g}"
                line += f"; exponent {low:.3f} to {high:.3f}, claimed {claimed}"
            return line
        if "count" in detail:
            return (
                f"{self.outcome} on {detail['count']} observations of "
                f"{detail.get('instances', '?')} instances; worst deviation "
                f"{detail.get('worst', 0)} of the error bound"
            )
        return f"{self.outcome}: " + ", ".join(f"{k} {d['outcome']}" for k, d in detail.items())


@dataclass
class _Tally:
    """Running account over observations."""

    count: int = 0
    unclear: int = 0
    worst: float = 0.0
    violation: dict[str, Any] | None = None
    weight: float = 0.0


def needed_by(*sides: Expr) -> Needed:
    """Symbols and multilinear maps that occur in ``sides``."""
    found: frozenset[Any] = frozenset()
    for side in sides:
        found |= symbols_of(side) | forms_of(side)
    return found


def compare(statement: Statement, record: Record, *, first: bool = False) -> Comparison:
    """``statement`` against every observation of ``record`` that covers its symbols.

    Args:
        first: stop at the first violation (for mutants, where only the outcome counts).
    """
    match statement:
        case Equation(lhs, rhs):
            return _pointwise(statement, needed_by(lhs, rhs), record, first)
        case Inequality(lhs=lhs, rhs=rhs):
            return _pointwise(statement, needed_by(lhs, rhs), record, first)
        case Predicate(args=args):
            return _pointwise(statement, needed_by(*args), record, first)
        case OrderBound():
            return _order(statement, record)
    raise TypeError(f"{type(statement).__name__} is no statement")


def compare_derivation(derived: Mapping[Symbol, Expr], record: Record) -> Comparison:
    """What a derivation found for some symbols against what was observed for them.

    Symbols whose derived form the observations do not cover are left out; ``none`` when all are.
    """
    outcomes = {
        symbol.name: compare(Equation(symbol, expr), record) for symbol, expr in derived.items()
    }
    detail = {name: {"outcome": c.outcome, **c.detail} for name, c in outcomes.items()}
    kinds = {c.outcome for c in outcomes.values()}
    ranked: tuple[Outcome, ...] = ("differs", "undecided", "same")
    return Comparison(next((kind for kind in ranked if kind in kinds), "none"), detail)


def _none(needed: Needed, record: Record) -> Comparison:
    if not record.instances:
        why = "no instance was accepted"
    else:
        seen = {k for i in record.instances for o in i.observations for k in o.table}
        lacking = sorted(s.name for s in needed - seen)
        why = f"never observed: {', '.join(lacking)}" if lacking else "never observed together"
    return Comparison("none", {"count": 0, "why": why})


def _pointwise(statement: Any, needed: Needed, record: Record, first: bool) -> Comparison:
    tally = _Tally()
    for instance in record.instances:
        for batch, seen in instance.batches(needed):
            try:
                if isinstance(statement, Predicate):
                    sides = [evaluate_batch(a, batch) for a in statement.args]
                    _predicate(statement, sides, instance, seen, tally)
                else:
                    lhs = evaluate_batch(statement.lhs, batch)
                    rhs = evaluate_batch(statement.rhs, batch)
                    _relation(getattr(statement, "relation", "="), lhs, rhs, instance, seen, tally)
            except EvaluationError as problem:
                # A statement without a real value where its hypotheses hold is violated there.
                tally.count += len(seen)
                _violate(tally, np.inf, instance, seen[0], {"problem": str(problem)})
            if first and tally.violation is not None:
                return Comparison("differs", {"count": tally.count, "witness": tally.violation})
    if not tally.count:
        return _none(needed, record)
    detail: dict[str, Any] = {
        "count": tally.count,
        "instances": len(record.instances),
        "unclear": tally.unclear,
        "worst": _number(tally.worst),
    }
    if tally.violation is not None:
        return Comparison("differs", {**detail, "witness": tally.violation})
    return Comparison("undecided" if tally.unclear else "same", detail)


def _relation(
    relation: str,
    lhs: Val,
    rhs: Val,
    instance: Instance,
    seen: list[Observation],
    tally: _Tally,
) -> None:
    """Enter ``lhs relation rhs`` on every observation of a batch."""
    value, other = np.broadcast_arrays(lhs.value, rhs.value)
    rows = len(seen)
    gap = value - other
    bound = lhs.error + rhs.error + UNIT * np.abs(gap)
    value, other, gap, bound = (
        np.broadcast_to(a, (rows, *gap.shape[1:])).reshape(rows, -1)
        for a in (value, other, gap, bound)
    )
    size = np.maximum(np.abs(value), np.abs(other))
    violated, unclear = _verdict(relation, gap, bound, size)
    with np.errstate(divide="ignore", invalid="ignore"):
        excess = np.where(gap == 0, 0.0, np.abs(gap) / bound)
    one_sided = {"<=": gap > 0, "<": gap >= 0, ">=": gap < 0, ">": gap <= 0}
    excess = np.where(one_sided.get(relation, True), excess, 0.0)
    tally.count += rows
    tally.unclear += int(np.count_nonzero(unclear.any(axis=1)))
    if relation != "!=":
        tally.worst = max(tally.worst, float(excess.max(initial=0.0)))
    if violated.any():
        row, column = np.unravel_index(
            int(np.argmax(np.where(violated, excess, -1.0))), excess.shape
        )
        sides = {
            "lhs": value[row, column],
            "rhs": other[row, column],
            "bound": bound[row, column],
        }
        where = {k: _number(v) for k, v in sides.items()}
        if gap.shape[1] > 1:
            where["entry"] = int(column)
        if abs(gap[row, column]) < 64 * UNIT * size[row, column]:
            where["hint"] = (
                "the sides differ by a few roundings only: a computed quantity was observed as "
                "exact; give it its error with measured(...)"
            )
        _violate(tally, float(excess[row, column]), instance, seen[row], where)


def _verdict(
    relation: str, gap: Array, bound: Array, size: Array
) -> tuple[np.ndarray[Any, np.dtype[np.bool_]], np.ndarray[Any, np.dtype[np.bool_]]]:
    """Where the relation is violated for certain, and where it cannot be told."""
    never = np.zeros(gap.shape, dtype=bool)
    blind = ~np.isfinite(bound)
    near = np.abs(gap) <= bound
    match relation:
        case "=":
            return ~near & ~blind, blind
        case "<=":
            return (gap > bound) & ~blind, blind
        case ">=":
            return (-gap > bound) & ~blind, blind
        case "<" | ">":
            signed = gap if relation == "<" else -gap
            tie = (gap == 0) & (bound == 0)
            return ((signed > bound) | tie) & ~blind, blind | (near & ~tie)
        case "!=":
            equal = near & (bound <= SHARP * size)
            return (equal | ((gap == 0) & (bound == 0))), near & ~equal & (bound > 0)
    return never, ~never


def _predicate(
    statement: Predicate,
    sides: list[Val],
    instance: Instance,
    seen: list[Observation],
    tally: _Tally,
) -> None:
    test = instance.tests.get(statement.name)
    if test is None:
        raise LookupError(
            f"the simulation has no test for the predicate {statement.name!r}: "
            "give one with sample.predicate(name, test)"
        )
    for row, observation in enumerate(seen):
        args = [_row(side, row) for side in sides]
        answer = test(*args)
        tally.count += 1
        if answer is None:
            tally.unclear += 1
        elif not answer:
            _violate(tally, np.inf, instance, observation, {"args": [describe(a) for a in args]})


def _row(side: Val, row: int) -> Measured:
    value = side.value[row % len(side.value)]
    error = np.broadcast_to(side.error, side.value.shape)[row % len(side.value)]
    return Measured(float(value), float(error)) if value.ndim == 0 else Measured(value, error)


def _violate(
    tally: _Tally, excess: float, instance: Instance, seen: Observation, sides: dict[str, Any]
) -> None:
    if tally.violation is not None and excess <= tally.weight:
        return
    tally.weight = excess
    tally.violation = {
        **instance.describe(),
        **sides,
        "excess": _number(excess),
        "observed": {k.name: describe(v) for k, v in seen.table.items()},
    }


def _number(x: Any) -> float | str:
    value = float(x)
    return value if np.isfinite(value) else str(value)


def _order(statement: OrderBound, record: Record) -> Comparison:
    needed = needed_by(statement.lhs, statement.rhs, statement.order)
    limits: list[Limit] = []
    for instance in record.instances:
        points: dict[str, list[tuple[float, float, float, float]]] = {}
        for batch, seen in instance.batches(needed):
            try:
                lhs = evaluate_batch(statement.lhs, batch)
                rhs = evaluate_batch(statement.rhs, batch)
                order = evaluate_batch(statement.order, batch)
            except EvaluationError as problem:
                witness = {**instance.describe(), "problem": str(problem)}
                return Comparison("differs", {"count": 1, "witness": witness})
            gap = np.abs(lhs.value - rhs.value)
            bound = np.broadcast_to(lhs.error + rhs.error + UNIT * gap, gap.shape)
            for row, observation in enumerate(seen):
                if observation.scale is None:
                    continue
                one = row % len(gap)
                points.setdefault(observation.series, []).append(
                    (
                        observation.scale,
                        float(np.linalg.norm(gap[one])),
                        float(np.linalg.norm(bound[one])),
                        float(abs(order.value[row % len(order.value)])),
                    )
                )
        for series, found in points.items():
            limits.append(Limit.of(instance.number, series, dict(instance.draws), found))
    if not limits:
        return _none(needed, record)
    outcome, detail = judge_limits(limits)
    return Comparison(outcome, detail)
