"""Queries to Z3's nlsat: whether sign conditions can hold together, and a simple point if so."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from eostheory.symbolic.letters import Word
from eostheory.symbolic.lower import CircularDefinition
from eostheory.symbolic.nlsat import Translation
from eostheory.symbolic.scalars import Poly

if TYPE_CHECKING:
    from eostheory.symbolic.model import Model

_CORE_SECONDS, _SIMPLER_SECONDS = 0.15, 1.5
_WORK_PER_SECOND = 1_500_000
"""Z3's resource units."""


@dataclass
class Condition:
    """``poly relation 0``, by a hypothesis (empty: the domain)."""

    poly: Poly
    relation: str
    tag: str = ""


@dataclass
class Query:
    """What Z3 said."""

    verdict: str
    used: frozenset[str] = frozenset()
    smt: str = ""
    values: dict[int, Fraction] = field(default_factory=dict)
    surds: dict[int, tuple[Fraction, Fraction, int]] = field(default_factory=dict)
    vectors: tuple[Word, ...] = ()
    seconds: float = 0.0


NEGATED = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "!=": "=="}


def relate(term: Any, relation: str) -> Any:
    """``term relation 0`` in Z3."""
    match relation:
        case ">":
            return term > 0
        case ">=":
            return term >= 0
        case "<":
            return term < 0
        case "<=":
            return term <= 0
        case "==":
            return term == 0
    return term != 0


def limited(seconds: float) -> Any:
    """A fresh solver that gives up after a fixed amount of work, about ``seconds`` on one core.

    Work, not time, so that an answer does not depend on what else the machine does.
    """
    import z3

    solver = z3.SolverFor("QF_NRA")
    limit(solver, seconds)
    return solver


def limit(solver: Any, seconds: float) -> None:
    """Set how much work the next checks may take; a clock stops only what has got stuck."""
    solver.set("rlimit", max(1, int(seconds * _WORK_PER_SECOND)))
    solver.set("timeout", int(seconds * 2_000) + 50)


def assumptions(model: Model) -> list[Condition]:
    """The model's assumptions, and what is proved from them, as sign conditions."""
    kernel = model.kernel
    found = []
    for c, tag in (*model.assumptions, *model.facts):
        try:
            gap = kernel.scalar(c.lhs) - kernel.scalar(c.rhs)
        except CircularDefinition:
            continue  # asked for while one of its symbols is being lowered: no help there
        found.append(Condition(gap, c.relation, tag))
    return found


def relevant(model: Model, goal: list[Condition], pool: list[Condition]) -> list[Condition]:
    """The conditions that share a generator, directly or not, with the goal."""

    def leaves(condition: Condition) -> set[Any]:
        poly = condition.poly
        symbols, forms = model.free(model.lift.poly(poly))
        return symbols | forms

    reached = set().union(*(leaves(g) for g in goal))
    left = [(c, leaves(c)) for c in pool]
    chosen: list[Condition] = []
    grown = True
    while grown:
        grown = False
        for item in list(left):
            if item[1] & reached or not item[1]:
                reached |= item[1]
                chosen.append(item[0])
                left.remove(item)
                grown = True
    return chosen


def solve(model: Model, conditions: list[Condition], seconds: float) -> Query:
    """Whether all ``conditions`` can hold together."""
    import z3

    start = time.process_time()
    translation = Translation(model)
    outer, model.kernel.field.tags = model.kernel.field.tags, set()
    try:
        polys = [translation.polynomial(c.poly) for c in conditions]
        for poly in polys:
            translation.note(poly)
        while True:  # notes made while terms are built may ask for finer roots
            before = dict(translation.roots)
            translation.names.clear()
            translation.constraints.clear()
            translation.gram()
            formulas = [
                relate(translation.term(p), c.relation)
                for p, c in zip(polys, conditions, strict=True)
            ]
            if translation.roots == before:
                break
        tags = frozenset(model.kernel.field.tags - {""})
    finally:
        model.kernel.field.tags = outer
    solver = limited(seconds)
    solver.add(*translation.constraints, *formulas)
    answer = solver.check()
    if answer == z3.sat:
        values, surds = _simple_values(z3, translation, solver)
        spent = time.process_time() - start
        vectors = tuple(translation.vectors)
        return Query("sat", tags, solver.to_smt2(), values, surds, vectors, spent)
    spent = time.process_time() - start
    if answer == z3.unsat:
        used = _core(z3, translation, formulas, conditions, spent)
        return Query("unsat", used | tags, solver.to_smt2(), seconds=spent)
    every = frozenset(c.tag for c in conditions) | tags
    return Query("unknown", every - {""}, solver.to_smt2(), seconds=spent)


def _core(
    z3: Any,
    translation: Translation,
    formulas: list[Any],
    conditions: list[Condition],
    spent: float,
) -> frozenset[str]:
    """Hypotheses that cannot be dropped, found by dropping each (skipped when that is slow)."""
    tags = list(dict.fromkeys(c.tag for c in conditions if c.tag))
    if spent > _CORE_SECONDS:
        return frozenset(tags)
    kept = set(tags)
    for tag in tags:
        solver = limited(0.3)
        solver.add(*translation.constraints)
        solver.add(*(f for f, c in zip(formulas, conditions, strict=True)
                     if not c.tag or c.tag in kept - {tag}))  # fmt: skip
        if solver.check() == z3.unsat:
            kept.discard(tag)
    return frozenset(kept)


_SIMPLE = ("1", "2", "1/2", "3", "0", "-1", "4", "1/4", "3/2", "-1/2")


def _simple_values(
    z3: Any, translation: Translation, solver: Any
) -> tuple[dict[int, Fraction], dict[int, tuple[Fraction, Fraction, int]]]:
    """Rational values of the atoms, simple where possible, and surds ``p + s*sqrt(q)``.

    Variables are fixed one by one to simple numbers as long as the query stays satisfiable; what
    is still irrational then is a surd, or rounded (the instance is checked exactly later).
    """
    model = solver.model()
    solver.set("timeout", 100)
    deadline = time.process_time() + _SIMPLER_SECONDS
    free = {a: v for a, v in translation.names.items() if a >= 0}
    plain = [a for a in free if translation.field.atoms[a].kind == "symbol"]
    plain.sort(key=lambda a: -translation.roots.get(a, 1))  # rational roots leave surds to others
    for atom in plain + [a for a in free if a not in plain]:
        variable = free[atom]
        value = model.eval(variable, model_completion=True)
        if z3.is_rational_value(value) and value.denominator_as_long() < 1000:
            solver.add(variable == value)
            continue
        for simple in _SIMPLE:
            if time.process_time() > deadline:
                break
            solver.push()
            solver.add(variable == z3.RealVal(simple))
            if solver.check() == z3.sat:
                model = solver.model()
                break
            solver.pop()
    values: dict[int, Fraction] = {}
    surds: dict[int, tuple[Fraction, Fraction, int]] = {}
    for atom, variable in free.items():
        value = model.eval(variable, model_completion=True)
        root = translation.roots.get(atom, 1)
        if z3.is_algebraic_value(value):
            surd = _surd(value)
            if surd is not None and root == 1:
                surds[atom] = surd
            elif surd is not None and surd[0] == 0 and root % 2 == 0:
                values[atom] = surd[1] ** (root // 2)
                continue
            value = value.approx(20)
        if z3.is_rational_value(value):
            values[atom] = Fraction(value.numerator_as_long(), value.denominator_as_long()) ** root
    return values, surds


def _surd(value: Any) -> tuple[Fraction, Fraction, int] | None:
    """``p + s*sqrt(q)`` for a root of a quadratic."""
    c = [Fraction(x.numerator_as_long(), x.denominator_as_long()) for x in value.poly()]
    if len(c) != 3:
        return None
    middle, square = -c[1] / (2 * c[2]), (c[1] ** 2 - 4 * c[0] * c[2]) / (4 * c[2] ** 2)
    low = value.approx(20)
    own = Fraction(low.numerator_as_long(), low.denominator_as_long())
    return middle, square, 1 if own > middle else -1
