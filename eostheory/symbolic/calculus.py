"""Inequalities with logarithms and exponentials: monotone ladders, and balls on boxes.

Ladder: ``p >= 0`` on an interval follows from ``p(c) >= 0``, ``p' >= 0`` right of ``c`` and
``p' <= 0`` left of it, when ``p`` is smooth between ``c`` and the point; each premise is a smaller
inequality.  Boxes: on a bounded box the sign is certified by subdivision with Arb balls.
"""

from __future__ import annotations

import time
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from eostheory.formula import Expr, Inequality, Symbol, as_expr, substitute, symbols_of
from eostheory.formula.core import Number
from eostheory.symbolic.balls import NotEnclosed, enclose, rational_ball
from eostheory.symbolic.decision import Decision
from eostheory.symbolic.scalars import Poly, Undefined, to_fraction
from eostheory.symbolic.signs import SHOWS
from eostheory.symbolic.solving import Condition, assumptions, relevant, solve

if TYPE_CHECKING:
    from eostheory.symbolic.model import Model

_SECONDS, _DEPTH, _BOXES = 4.0, 3, 4000
_ANCHORS = (Fraction(0), Fraction(1), Fraction(-1))


def decide_by_calculus(
    model: Model, statement: Inequality, gap: Poly, tried: list[str]
) -> Decision | None:
    """A decision by a ladder or by balls; None, with ``tried`` extended, when neither works."""
    field = model.kernel.field
    kinds = {field.atoms[a].kind for a in _all_atoms(model, gap)}
    if statement.relation == "!=" or not kinds & {"exp", "function"}:
        return None
    if kinds & {"pair", "form", "trace", "pow", "size", "sign"}:
        return None
    up = statement.relation in (">", ">=")
    target = model.lift.poly(gap if up else -gap)
    strict = statement.relation in (">", "<")
    ladder = Ladder(model, tried)
    used = ladder.prove(target, strict)
    if used is not None:
        certificate = {"kind": "ladder", "steps": ladder.steps}
        return Decision("holds", "proved", "monotone ladder", certificate, used=used)
    tried.append("monotone ladder: no anchor works")
    boxes = certify(model, gap if up else -gap)
    if boxes is not None:
        count, tags = boxes
        certificate = {"kind": "balls", "boxes": str(count)}
        return Decision("holds", "certified", "Arb balls on a box", certificate, used=tags)
    tried.append("Arb balls: no bounded box, or the sign changes")
    return None


def _all_atoms(model: Model, poly: Poly) -> set[int]:
    field = model.kernel.field
    found: set[int] = set()
    todo = list(poly.atoms())
    while todo:
        atom = todo.pop()
        if atom in found:
            continue
        found.add(atom)
        info = field.atoms[atom]
        if info.kind in ("base", "abs", "sign"):
            todo += info.key.atoms()
        elif info.kind == "function":
            todo += info.key[1].atoms()
        elif info.kind == "exp":
            todo += [a for a, _ in info.key]
        elif info.kind == "pow":
            todo += [*info.key[0].atoms(), *(a for a, _ in info.key[1])]
    return found


def scratch(model: Model, extra: list[Inequality]) -> Model:
    """A model of the generators only, with the same assumptions and ``extra`` ones."""
    fresh = type(model)()
    fresh.patience = 0.2
    kernel = model.kernel
    for condition, tag in (*model.assumptions, *model.facts):
        left = kernel.scalar(condition.lhs) - kernel.scalar(condition.rhs)
        fresh.assume(Inequality(model.lift.poly(left), condition.relation, as_expr(0)), tag)
    for condition in extra:
        fresh.assume(condition)
    return fresh


class Ladder:
    """One proof search; ``steps`` tells the story of the proof that succeeded."""

    def __init__(self, model: Model, tried: list[str]) -> None:
        self.model = model
        self.tried = tried
        self.deadline = time.process_time() + min(_SECONDS, 4 * model.patience)
        self.steps: list[str] = []

    def prove(self, target: Expr, strict: bool) -> frozenset[str] | None:
        """The hypotheses used in a proof of ``target > 0`` (``>= 0``), or None."""
        return self._prove(scratch(self.model, []), target, strict, _DEPTH)

    def _direct(self, model: Model, target: Expr, relation: str) -> frozenset[str] | None:
        """By signs or by nlsat."""
        kernel = model.kernel
        outer, kernel.field.tags = kernel.field.tags, set()
        try:
            gap = kernel.scalar(target)
            if kernel.field.is_zero(gap):
                return frozenset() if relation in (">=", "<=") else None
            if kernel.signs.factored(gap) in SHOWS[relation]:
                return frozenset(kernel.field.tags - {""})
            negated = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}[relation]
            goal = Condition(gap, negated)
            query = solve(model, [goal, *relevant(model, [goal], assumptions(model))], 0.2)
            return query.used if query.verdict == "unsat" else None
        except (Undefined, ValueError):
            return None
        finally:
            kernel.field.tags = outer

    def _prove(self, model: Model, target: Expr, strict: bool, depth: int) -> frozenset[str] | None:
        found = self._direct(model, target, ">" if strict else ">=")
        if found is not None or depth == 0:
            return found
        symbols = [s for s in symbols_of(target) if not s.traits & {"integer"}]
        for symbol in sorted(symbols, key=lambda s: s.name):
            if not self._interval(model, symbol):
                continue
            for anchor in self._anchors(model, symbol):
                if time.process_time() > self.deadline:
                    return None
                used = self._from(model, target, strict, symbol, anchor, depth)
                if used is not None:
                    self.steps.append(f"{target}: monotone in {symbol.name} from {anchor}")
                    return used
        return None

    def _from(
        self, model: Model, target: Expr, strict: bool, x: Symbol, c: Fraction, depth: int
    ) -> frozenset[str] | None:
        point = Number(c)
        at_c = substitute(target, {x: point})
        closed = self._closure(model, x, point)
        if closed is None or not self._smooth(model, target, x, point):
            return None
        outside = self._direct(model, x - point, ">"), self._direct(model, x - point, "<")
        start = self._direct(model, at_c, ">") if strict else None
        rising = strict and start is None
        if start is None:
            if strict and outside == (None, None):
                return None
            start = self._direct(model, at_c, ">=")
            if start is None:
                return None
        used = start | closed
        slope = model.differentiate(target, x, as_expr(1))
        slope = model.normal(slope)
        for side, opposite, sign in ((">", 1, 1), ("<", 0, -1)):
            if outside[opposite] is not None:
                continue
            deeper = scratch(model, [Inequality(x, side, point)])  # type: ignore[arg-type]
            part = self._prove(deeper, sign * slope, rising, depth - 1)
            if part is None:
                return None
            used |= part
        return used

    def _interval(self, model: Model, x: Symbol) -> bool:
        """Whether the assumptions leave an interval for ``x``: each is affine in it."""
        if "nonzero" in x.traits and "positive" not in x.traits:
            return False
        for condition, _ in model.assumptions:
            gap = condition.lhs - condition.rhs
            if x not in symbols_of(gap):
                continue
            if condition.relation == "!=":
                return False
            slope = model.normal(model.differentiate(gap, x, as_expr(1)))
            if x in symbols_of(slope):
                return False
        return True

    def _anchors(self, model: Model, x: Symbol) -> list[Fraction]:
        found = dict.fromkeys(_ANCHORS)
        for condition, _ in model.assumptions:
            if condition.lhs - condition.rhs and symbols_of(condition.lhs - condition.rhs) == {x}:
                low, high = _bounds(model, x)
                found.update(dict.fromkeys(b for b in (low, high) if b is not None))
        return list(found)

    def _closure(self, model: Model, x: Symbol, point: Expr) -> frozenset[str] | None:
        """The hypotheses by which ``x = point`` is in the closure of the domain."""
        used: frozenset[str] = frozenset()
        assert isinstance(point, Number)
        if x.traits & {"positive", "nonnegative"} and point.value < 0:
            return None
        for condition, tag in model.assumptions:
            gap = condition.lhs - condition.rhs
            if x in symbols_of(gap):
                weak = {">": ">=", "<": "<="}.get(condition.relation, condition.relation)
                found = self._direct(model, substitute(gap, {x: point}), weak)
                if found is None:
                    return None
                used |= found | ({tag} if tag else set())
        return used

    def _smooth(self, model: Model, target: Expr, x: Symbol, point: Expr) -> bool:
        """No denominator, root or logarithm degenerates on the domain or at the anchor."""
        kernel = model.kernel
        poly = kernel.scalar(target)
        for atom in _all_atoms(model, poly):
            info = kernel.field.atoms[atom]
            if info.kind in ("abs", "sign"):
                return False
            if info.kind == "function":
                name, inner = info.key
                if name in ("lambertw", "lambertwm1"):
                    return False
                if name != "log":
                    continue
                critical = model.lift.poly(inner)
            elif info.kind == "base":
                critical = model.lift.poly(info.key)
            elif info.kind == "symbol" and info.key == x:
                if not any(
                    not isinstance(e, int) or e < 0
                    for p in (poly, *_inner_polys(model, poly))
                    for mono in p.terms
                    for a, e in mono
                    if a == atom
                ):
                    continue
                critical = x
            else:
                continue
            for place in (critical, substitute(critical, {x: point})):
                positive = self._direct(model, place, ">") is not None
                root_free = info.kind == "base" or info.kind == "symbol"
                negative = root_free and self._direct(model, place, "<") is not None
                if not positive and not negative:
                    return False
        return True


def _inner_polys(model: Model, poly: Poly) -> list[Poly]:
    field = model.kernel.field
    found = []
    for atom in _all_atoms(model, poly):
        info = field.atoms[atom]
        if info.kind == "base":
            found.append(info.key)
        elif info.kind == "function":
            found.append(info.key[1])
        elif info.kind == "exp":
            found.append(Poly(field, {info.key: 1}))
    return found


# --------------------------------------------------------------------------- balls on boxes
def _bounds(model: Model, x: Symbol) -> tuple[Fraction | None, Fraction | None]:
    """Rational bounds of ``x`` from assumptions in ``x`` alone."""
    kernel = model.kernel
    low: Fraction | None = Fraction(0) if x.traits & {"positive", "nonnegative"} else None
    high: Fraction | None = None
    own = kernel.scalar(x)
    if own.single is None:
        return None, None
    mono = own.single[0]
    for condition, _ in model.assumptions:
        poly = kernel.scalar(condition.lhs) - kernel.scalar(condition.rhs)
        if set(poly.terms) - {mono, ()} or mono not in poly.terms or condition.relation == "!=":
            continue
        slope = to_fraction(poly.terms[mono])
        bound = -to_fraction(poly.terms[()]) / slope if () in poly.terms else Fraction(0)
        if (condition.relation in (">", ">=")) == (slope > 0):
            low = bound if low is None else max(low, bound)
        else:
            high = bound if high is None else min(high, bound)
    return low, high


def certify(model: Model, gap: Poly) -> tuple[int, frozenset[str]] | None:
    """The number of boxes on which balls show ``gap > 0``, and the hypotheses used."""
    field = model.kernel.field
    symbols = sorted(a for a in _all_atoms(model, gap) if field.atoms[a].kind == "symbol")
    if not 1 <= len(symbols) <= 2:
        return None
    box = []
    for atom in symbols:
        low, high = _bounds(model, field.atoms[atom].key)
        if low is None or high is None or low >= high:
            return None
        box.append((low, high))
    keys = {field.atoms[a].key for a in symbols}
    tags = {t for c, t in model.assumptions if symbols_of(c.lhs) & keys or symbols_of(c.rhs) & keys}
    count = 0
    todo = [tuple(box)]
    while todo:
        current = todo.pop()
        count += 1
        if count > _BOXES:
            return None
        balls = {a: rational_ball(*side) for a, side in zip(symbols, current, strict=True)}
        try:
            value: Any = enclose(field, gap, balls.__getitem__)
            if value > 0:
                continue
            if value < 0:
                return None
        except NotEnclosed:
            pass
        widest = max(range(len(current)), key=lambda i: current[i][1] - current[i][0])
        low, high = current[widest]
        middle = (low + high) / 2
        for part in ((low, middle), (middle, high)):
            todo.append((*current[:widest], part, *current[widest + 1 :]))
    return count, frozenset(tags - {""})
