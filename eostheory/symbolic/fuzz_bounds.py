"""A fuzz of what ``decide`` says about inequalities, against numbers that SymPy computes.

A random statement under random assumptions is decided.  ``holds`` must survive random points that
meet the assumptions; the values of a ``fails`` must meet them and break the statement; and the
statement rewritten by a law of order must not get the opposite answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import TYPE_CHECKING, Any

from eostheory.formula import Expr, Inequality, absolute, scalar, sqrt, symbols_of
from eostheory.formula.core import Number
from eostheory.formula.statements import Relation
from eostheory.symbolic.model import Model

if TYPE_CHECKING:
    import sympy

LETTERS = (scalar("p", positive=True), scalar("q", nonnegative=True), scalar("x"), scalar("y"))
_RELATIONS: tuple[Relation, ...] = ("<=", "<", ">=", ">", "!=")
_MIRROR: dict[Relation, Relation] = {"<=": ">=", "<": ">", ">=": "<=", ">": "<", "!=": "!="}
_POINTS, _DIGITS = 25, 40


@dataclass
class Wrong:
    """An answer that numbers contradict."""

    kind: str
    statement: Inequality
    assumptions: tuple[Inequality, ...]
    point: dict[str, str]


class Bounds:
    """Random inequalities, and their truth at points."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng

    def number(self) -> Expr:
        """A small rational."""
        return Number(Fraction(self.rng.randint(-4, 4), self.rng.choice((1, 1, 2, 3))))

    def formula(self, depth: int) -> Expr:
        """A scalar formula."""
        r = self.rng
        if depth <= 0:
            return r.choice([*LETTERS, self.number()])
        match r.randrange(11):
            case 0 | 1 | 2:
                return self.formula(depth - 1) + self.formula(depth - 1)
            case 3 | 4:
                return self.formula(depth - 1) * self.formula(depth - 1)
            case 5:
                return self.formula(depth - 1) ** 2
            case 6:
                return sqrt(self.formula(depth - 1) ** 2 + r.randint(0, 2))
            case 7 | 8 | 9:
                return absolute(self.formula(1) - self.formula(0))
        return self.formula(depth - 1) / (1 + self.formula(depth - 2) ** 2)

    def assumptions(self) -> tuple[Inequality, ...]:
        """Bounds of single letters, and sometimes of a product or a sum."""
        r = self.rng
        found = []
        for letter in LETTERS:
            if r.random() < 0.6:
                relation: Relation = r.choice(("<=", "<", ">=", ">"))
                value = Number(Fraction(r.randint(1, 6), r.choice((1, 2))))
                found.append(Inequality(letter, relation, value))
        if r.random() < 0.5:
            a, b = r.sample(LETTERS, 2)
            both = a * b if r.random() < 0.5 else a + b
            found.append(
                Inequality(both, r.choice(("<=", ">=")), Number(Fraction(r.randint(1, 4))))
            )
        return tuple(found)

    def statement(self, assumptions: tuple[Inequality, ...]) -> Inequality:
        """A statement that is often near the truth: a formula against one of its values."""
        left = self.formula(2)
        right: Expr = self.formula(1)
        points = list(self.points(assumptions, 3))
        if points and self.rng.random() < 0.6:
            value = truth(left, self.rng.choice(points))
            if value is not None and abs(value) < 1000:
                right = Number(Fraction(round(float(value))))
        return Inequality(left, self.rng.choice(_RELATIONS), right)

    def points(
        self, assumptions: tuple[Inequality, ...], wanted: int = _POINTS
    ) -> list[dict[str, Fraction]]:
        """Random points that meet the assumptions; corners and simple numbers are likely."""
        r, found = self.rng, []
        for _ in range(20 * wanted):
            point = {}
            for letter in LETTERS:
                value = Fraction(r.randint(-12, 12), r.choice((1, 2, 2, 4)))
                if r.random() < 0.1:
                    value *= 40
                if letter.traits & {"positive", "nonnegative"}:
                    value = abs(value)
                if "positive" in letter.traits and not value:
                    value = Fraction(1, 7)
                point[letter.name] = value
            if all(holds(a, point) for a in assumptions):
                found.append(point)
                if len(found) == wanted:
                    break
        return found


def truth(expr: Expr, point: dict[str, Fraction]) -> sympy.Expr | None:
    """The value of a formula, to many digits; None where it is undefined."""
    import sympy

    from eostheory.symbolic.convert import to_sympy

    converted = to_sympy(expr)
    table = {
        s: sympy.Rational(point[s.name].numerator, point[s.name].denominator)
        for s in converted.free_symbols
    }
    value = sympy.N(converted.subs(table), _DIGITS)
    return value if value.is_real and value.is_finite else None


def holds(statement: Inequality, point: dict[str, Fraction]) -> bool | None:
    """Whether it holds at a point; None where that cannot be told."""
    left, right = truth(statement.lhs, point), truth(statement.rhs, point)
    if left is None or right is None:
        return None
    gap: Any = left - right
    if abs(gap) < 10 ** (10 - _DIGITS):
        gap = 0
    return bool(
        {"<=": gap <= 0, "<": gap < 0, ">=": gap >= 0, ">": gap > 0, "!=": gap != 0}[
            statement.relation
        ]
    )


def meets(assumptions: tuple[Inequality, ...], point: dict[str, Fraction]) -> bool:
    """Whether a point lies in the domain, as far as that can be told."""
    for letter in LETTERS:
        low = point.get(letter.name, Fraction(1))
        if ("positive" in letter.traits and low <= 0) or (
            "nonnegative" in letter.traits and low < 0
        ):
            return False
    known = [a for a in assumptions if {s.name for s in symbols_of(a.lhs)} <= set(point)]
    return all(holds(a, point) is not False for a in known)


def rewritten(statement: Inequality, rng: Random) -> Inequality:
    """The statement under a law of order."""
    left, right, relation = statement.lhs, statement.rhs, statement.relation
    match rng.randrange(4):
        case 0:
            return Inequality(right, _MIRROR[relation], left)
        case 1:
            return Inequality(-left, _MIRROR[relation], -right)
        case 2:
            shift = rng.choice(LETTERS)
            return Inequality(left + shift, relation, right + shift)
    factor = 1 + rng.choice(LETTERS) ** 2
    return Inequality(left * factor, relation, right * factor)


def decided(statement: Inequality, assumptions: tuple[Inequality, ...]) -> tuple[Model, Any]:
    """What a fresh model says."""
    model = Model()
    model.patience = 0.3
    for number, assumption in enumerate(assumptions):
        model.assume(assumption, by=f"h{number}")
    return model, model.decide(statement)


def examine(rng: Random) -> Wrong | None:
    """One random statement; None when nothing contradicts the answers."""
    bounds = Bounds(rng)
    assumptions = bounds.assumptions()
    statement = bounds.statement(assumptions)
    _, decision = decided(statement, assumptions)
    if decision.outcome == "holds":
        for point in bounds.points(assumptions):
            if holds(statement, point) is False:
                shown = {name: str(value) for name, value in point.items()}
                return Wrong("holds, but not here", statement, assumptions, shown)
    if decision.outcome == "fails":
        shown = dict(decision.witness["values"])
        point = {
            k: Fraction(v) for k, v in shown.items() if v.replace("/", "").lstrip("-").isdigit()
        }
        if len(point) == len(shown):
            known = {s.name: Fraction(0) for s in LETTERS} | point
            if holds(statement, known) or not meets(assumptions, point):
                return Wrong("fails, but not where it says", statement, assumptions, shown)
    other = rewritten(statement, rng)
    _, again = decided(other, assumptions)
    if {decision.outcome, again.outcome} == {"holds", "fails"}:
        return Wrong(f"rewritten as {other} it is {again.outcome}", statement, assumptions, {})
    return None


def fuzz_bounds(seed: int, rounds: int) -> Wrong | None:
    """The first contradiction among ``rounds`` random statements."""
    for number in range(rounds):
        wrong = examine(Random(seed * 100_003 + number))
        if wrong is not None:
            return wrong
    return None
