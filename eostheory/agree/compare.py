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

from eostheory.agree.evaluate import evaluate_batch
from eostheory.agree.functions import EvaluationError, Val
from eostheory.agree.measured import UNIT, Measured
from eostheory.agree.order import Limit, judge_limits
from eostheory.agree.record import Instance, Observation, Record
from eostheory.agree.sample import describe
from eostheory.agree.tally import Tally, enter_relation, number, violate
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
                f"{float(detail.get('worst', 0)):.3g} of the error bound"
            )
        return f"{self.outcome}: " + ", ".join(f"{k} {d['outcome']}" for k, d in detail.items())


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
    tally = Tally()
    for instance in record.instances:
        for batch, seen in instance.batches(needed):
            try:
                if isinstance(statement, Predicate):
                    sides = [evaluate_batch(a, batch) for a in statement.args]
                    _predicate(statement, sides, instance, seen, tally)
                else:
                    lhs = evaluate_batch(statement.lhs, batch)
                    rhs = evaluate_batch(statement.rhs, batch)
                    enter_relation(
                        getattr(statement, "relation", "="), lhs, rhs, instance, seen, tally
                    )
            except EvaluationError as problem:
                # A statement without a real value where its hypotheses hold is violated there.
                tally.count += len(seen)
                violate(tally, np.inf, instance, seen[0], {"problem": str(problem)})
            if first and tally.violation is not None:
                return Comparison("differs", {"count": tally.count, "witness": tally.violation})
    if not tally.count:
        return _none(needed, record)
    detail: dict[str, Any] = {
        "count": tally.count,
        "instances": len(record.instances),
        "unclear": tally.unclear,
        "worst": number(tally.worst),
    }
    if tally.violation is not None:
        return Comparison("differs", {**detail, "witness": tally.violation})
    return Comparison("undecided" if tally.unclear else "same", detail)


def _predicate(
    statement: Predicate,
    sides: list[Val],
    instance: Instance,
    seen: list[Observation],
    tally: Tally,
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
            violate(tally, np.inf, instance, observation, {"args": [describe(a) for a in args]})


def _row(side: Val, row: int) -> Measured:
    value = side.value[row % len(side.value)]
    error = np.broadcast_to(side.error, side.value.shape)[row % len(side.value)]
    return Measured(float(value), float(error)) if value.ndim == 0 else Measured(value, error)


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
