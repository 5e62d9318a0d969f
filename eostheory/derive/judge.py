"""Exact answers about sympy scalars: the kernel decides, sympy only searches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sympy
from sympy.polys.polyerrors import BasePolynomialError

from eostheory.derive.constants import sign_of_number
from eostheory.derive.errors import DerivationError
from eostheory.derive.result import Hypothesis, Status
from eostheory.formula import Inequality, Symbol, as_expr, scalar
from eostheory.symbolic import Model
from eostheory.symbolic.convert import from_sympy
from eostheory.symbolic.scalars import Undefined

_RELATIONS = {
    sympy.StrictGreaterThan: ">",
    sympy.GreaterThan: ">=",
    sympy.StrictLessThan: "<",
    sympy.LessThan: "<=",
    sympy.Unequality: "!=",
}
_OPPOSITE = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}
_MOST_OPERATIONS = 200
"""Larger expressions are not simplified."""
_MOST_SIMPLIFIED = 60
"""Larger ones are not given to sympy's simplify; with functions in them, a third of it."""
_MOST_DECIDED = 400
"""Larger inequalities between symbols are left unknown: each would cost seconds."""


# ------------------------------------------------------------------------------ reading
def read(value: Any, what: str = "the expression") -> sympy.Expr:
    """An exact sympy scalar.

    Raises:
        DerivationError: for floats, matrices, relations and text.
    """
    if isinstance(value, bool) or not isinstance(value, int | sympy.Expr):
        raise DerivationError(
            f"{what} is {value!r} ({type(value).__name__}), a sympy expression was expected; "
            "eostheory.derive.parse reads text"
        )
    expr = sympy.Integer(value) if isinstance(value, int) else value
    if floats := expr.atoms(sympy.Float):
        raise DerivationError(
            f"{what} holds the float {min(floats, key=str)}: results are exact, so write it as "
            "a fraction (sympy.Rational)"
        )
    if expr.has(sympy.I, sympy.zoo, sympy.nan, sympy.oo, -sympy.oo):
        raise DerivationError(f"{what} is not real and finite: {expr}")
    return expr.rewrite(sympy.exp) if expr.has(sympy.sinh, sympy.cosh) else expr


def conditions(given: Iterable[Any]) -> list[sympy.Basic]:
    """Checked conditions, without those that hold anyway.

    Raises:
        DerivationError: for what is no inequality, or never holds.
    """
    found = []
    for condition in given:
        if condition is False or condition == sympy.false:
            raise DerivationError("a given condition never holds")
        if condition is True or condition == sympy.true:
            continue
        if type(condition) not in _RELATIONS:
            raise DerivationError(
                f"{condition} is no condition; write an inequality between scalars, like x > 0"
            )
        for side in condition.args:
            read(side, "a side of a given condition")
        found.append(condition)
    return found


class Scope:
    """Real stand-ins for symbols that were not declared real, and the way back."""

    def __init__(self, values: Iterable[sympy.Basic]) -> None:
        seen: dict[str, sympy.Symbol] = {}
        self.inside: dict[sympy.Symbol, sympy.Symbol] = {}
        for symbol in sorted(set().union(*(v.free_symbols for v in values)), key=str):
            if seen.setdefault(str(symbol.name), symbol) != symbol:
                raise DerivationError(f"two different symbols are called {symbol.name}")
            if not symbol.is_extended_real:
                if symbol.is_extended_real is False:
                    raise DerivationError(f"{symbol.name} is declared not to be real")
                self.inside[symbol] = sympy.Symbol(str(symbol.name), real=True)
        self.outside = {v: k for k, v in self.inside.items()}

    def enter(self, value: Any) -> Any:
        """With real symbols."""
        return value.xreplace(self.inside) if self.inside else value


# ------------------------------------------------------------------------------ judging
class Judge:
    """Decides about scalars in real symbols under ``given`` conditions.

    Args:
        given: inequalities between scalars that may be used.
    """

    def __init__(self, given: Sequence[sympy.Basic] = ()) -> None:
        self.given = tuple(given)
        self.algebraic: Algebraic | None = None
        self.model = Model()
        self.model.patience = 0.5
        for condition in self.given:
            self.model.assume(self._inequality(condition))
        if self.given and self.model.satisfiable() is False:
            raise DerivationError("the given conditions contradict each other")

    def _inequality(self, condition: sympy.Basic) -> Inequality:
        relation = _RELATIONS[type(condition)]
        left, right = (self._formula(a) for a in condition.args)
        return Inequality(left, relation, right)  # type: ignore[arg-type]

    def _formula(self, expr: sympy.Expr) -> Any:
        known: dict[str, Symbol] = {}
        if expr.has(sympy.pi):
            # a zero for every positive number is one for pi
            expr = expr.subs(sympy.pi, sympy.Symbol("pi", positive=True))
            known["pi"] = scalar("pi", r"\pi", positive=True)
        if expr.has(sympy.CRootOf):
            raise TypeError("a root of a polynomial has no form in the language of statements")
        return from_sympy(expr, known)

    # -------------------------------------------------------------------------- zero
    def zero(self, expr: sympy.Expr) -> bool:
        """Whether ``expr`` vanishes wherever it is defined; False when that is not known."""
        if expr == 0:
            return True
        if self.algebraic is not None and expr.has(self.algebraic.letter):
            return self.algebraic.vanishes(expr, self)
        try:
            kernel = self.model.kernel
            return kernel.is_zero(kernel.scalar(self._formula(expr)))
        except (TypeError, ValueError, ArithmeticError, Undefined):
            return False

    def same(self, left: sympy.Expr, right: sympy.Expr) -> bool:
        """Whether two scalars are equal wherever both are defined."""
        return left == right or self.zero(left - right)

    def zeros(self, matrix: sympy.MatrixBase) -> bool:
        """Whether every entry is zero."""
        return all(self.zero(e) for e in matrix)

    # ------------------------------------------------------------------------- signs
    def status(self, condition: sympy.Basic) -> Status:
        """``holds`` or ``fails`` for all values of the symbols, else ``unknown``."""
        if condition == sympy.true:
            return "holds"
        if condition == sympy.false:
            return "fails"
        if self.algebraic is not None and condition.has(self.algebraic.letter):
            if isinstance(condition, sympy.Equality) and self.same(*condition.args):
                return "holds"
            condition = condition.func(*(self.leave(a) for a in condition.args), evaluate=False)
        if isinstance(condition, sympy.Equality):
            if self.same(*condition.args):
                return "holds"
            return "fails" if self._never_zero(condition.lhs - condition.rhs) else "unknown"
        gap = condition.args[0] - condition.args[1]
        relation = _RELATIONS[type(condition)]
        if relation == "!=":
            return "fails" if self.zero(gap) else "holds" if self._never_zero(gap) else "unknown"
        if not gap.free_symbols:
            sign = sign_of_number(gap)
            if sign == 0 or self.zero(gap):
                return "holds" if relation in (">=", "<=") else "fails"
            if sign is not None:
                return "holds" if (sign > 0) == (relation[0] == ">") else "fails"
        if self._decides(gap, relation):
            return "holds"
        return "fails" if self._decides(gap, _OPPOSITE[relation]) else "unknown"

    def all_zero(self, entries: Iterable[sympy.Expr]) -> Status:
        """``holds`` if every entry vanishes, ``fails`` if some entry never does."""
        left = [e for e in entries if not self.zero(e)]
        if not left:
            return "holds"
        never = sympy.Unequality
        some = any(self.status(never(e, 0, evaluate=False)) == "holds" for e in left)
        return "fails" if some else "unknown"

    def identity(self, entries: Sequence[sympy.Expr], letters: Sequence[sympy.Symbol]) -> Status:
        """Whether every entry vanishes for all values of ``letters``; ``fails`` by an example."""
        if all(self.zero(e) for e in entries):
            return "holds"
        for start in (1, 2):
            place = {v: sympy.Rational(k + start, 3) for k, v in enumerate(letters)}
            if self.all_zero([e.subs(place, simultaneous=True) for e in entries]) == "fails":
                return "fails"
        return "unknown"

    def _never_zero(self, gap: sympy.Expr) -> bool:
        if not gap.free_symbols and sign_of_number(gap) in (1, -1):
            return True
        return any(self._decides(gap, r) for r in (">", "<", "!="))

    def _decides(self, gap: sympy.Expr, relation: str) -> bool:
        if gap.count_ops() > _MOST_DECIDED:
            return False
        try:
            statement = Inequality(self._formula(gap), relation, as_expr(0))  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return False
        return self.model.decide(statement, refute=False).outcome == "holds"

    def hypothesis(self, text: str, condition: sympy.Basic) -> Hypothesis:
        """A hypothesis with the status of its condition."""
        return Hypothesis(text, self.status(condition))

    def inputs(self) -> tuple[Hypothesis, ...]:
        """What the caller gave."""
        return tuple(Hypothesis(str(c), "given") for c in self.given)

    # -------------------------------------------------------------- algebraic numbers
    def adjoin(self, value: sympy.Expr, polynomial: sympy.Expr, letter: sympy.Symbol) -> None:
        """Let ``letter`` stand for ``value``, a root of ``polynomial`` (in ``letter``)."""
        self.algebraic = Algebraic(letter, value, polynomial)

    def leave(self, value: Any) -> Any:
        """With the algebraic number for its letter."""
        if self.algebraic is None or not value.has(self.algebraic.letter):
            return value
        return value.xreplace({self.algebraic.letter: self.algebraic.value})

    # ------------------------------------------------------------------ simplification
    def tidy(self, expr: sympy.Expr) -> sympy.Expr:
        """A shorter form that the kernel confirms to be equal; else ``expr`` itself."""
        if self.algebraic is not None and expr.has(self.algebraic.letter):
            reduced = self.algebraic.reduce(expr)
            return expr if reduced is None else reduced
        best = expr
        if expr.is_Atom or expr.has(sympy.CRootOf) or expr.count_ops() > _MOST_OPERATIONS:
            return expr
        if len(expr.atoms(sympy.Function)) > 1 and expr.count_ops() > _MOST_SIMPLIFIED:
            return expr
        for search in (sympy.factor, sympy.cancel, sympy.radsimp, _simplified):
            try:
                other = search(best)
            except (BasePolynomialError, NotImplementedError, ZeroDivisionError, ValueError):
                continue
            if other != best and other.count_ops() < best.count_ops() and self.same(other, expr):
                best = other
        return best

    def root(self, square: sympy.Expr) -> sympy.Expr:
        """The non-negative square root, with even powers taken out of it."""
        outside, inside = sympy.Integer(1), sympy.Integer(1)
        for factor in sympy.Mul.make_args(sympy.factor(square)):
            base, exponent = factor.as_base_exp()
            if not (exponent.is_Integer and exponent % 2 == 0):
                inside *= factor
                continue
            if exponent % 4:
                if self.status(sympy.StrictGreaterThan(base, 0, evaluate=False)) == "holds":
                    pass
                elif self.status(sympy.StrictLessThan(base, 0, evaluate=False)) == "holds":
                    base = -base
                else:
                    base = sympy.Abs(base)
            outside *= base ** (exponent / 2)
        found = outside * sympy.sqrt(inside)
        return found if self.same(found**2, square) else sympy.sqrt(square)

    def tidy_matrix(self, matrix: sympy.MatrixBase) -> sympy.ImmutableMatrix:
        """Entry by entry."""
        return sympy.ImmutableMatrix(matrix.applyfunc(self.tidy))


def _simplified(expr: sympy.Expr) -> sympy.Expr:
    most = _MOST_SIMPLIFIED // 3 if expr.has(sympy.Function) else _MOST_SIMPLIFIED
    return expr if expr.count_ops() > most else sympy.simplify(expr)


class Algebraic:
    """A root of a polynomial with coefficients in the symbols, handled through a letter.

    Rational functions of the root become polynomials of lower degree in it, with rational
    functions of the symbols as coefficients.
    """

    def __init__(self, letter: sympy.Symbol, value: sympy.Expr, polynomial: sympy.Expr) -> None:
        self.letter = letter
        self.value = value
        self.polynomial = polynomial

    def reduce(self, expr: sympy.Expr) -> sympy.Expr | None:
        """The unique form of lower degree; None when there is none."""
        # roots of positive symbols become symbols, so that coefficients are rational functions
        halves = {
            p.base: sympy.Symbol(f"_half_{p.base.name}", positive=True)
            for p in (expr + self.polynomial).atoms(sympy.Pow)
            if p.base.is_Symbol and p.base.is_positive and not p.exp.is_Integer
        }
        squares = {k: v**2 for k, v in halves.items()}
        back = {v: sympy.sqrt(k) for k, v in halves.items()}
        try:
            top, bottom = sympy.fraction(sympy.together(expr.subs(squares)))
            over, under, modulus = (
                sympy.Poly(e, self.letter, field=True)
                for e in (top, bottom, self.polynomial.subs(squares))
            )
            if under.degree() > 0:
                over, under = over * under.rem(modulus).invert(modulus), None
            rest = over.rem(modulus)
            coefficients = [
                sympy.factor(c if under is None else c / under.as_expr()) for c in rest.all_coeffs()
            ]
        except (BasePolynomialError, ZeroDivisionError, NotImplementedError, ValueError):
            return None
        degree = len(coefficients) - 1
        terms = (c * self.letter ** (degree - k) for k, c in enumerate(coefficients))
        return sympy.Add(*terms).xreplace(back)

    def vanishes(self, expr: sympy.Expr, judge: Judge) -> bool:
        """Whether ``expr`` is zero, by its reduced form."""
        bases = {
            p.base
            for p in expr.atoms(sympy.Pow)
            if p.base.has(self.letter) and p.exp.is_Rational and p.exp.q == 2
        }
        if bases:
            return len(bases) == 1 and self._with_root(expr, bases.pop(), judge)
        reduced = self.reduce(expr)
        if reduced is None:
            return False
        poly = sympy.Poly(reduced, self.letter)
        return all(judge.zero(c) for c in poly.all_coeffs())

    def _with_root(self, expr: sympy.Expr, base: sympy.Expr, judge: Judge) -> bool:
        """The same with one square root of the letter: even and odd part both vanish."""
        half = sympy.Symbol("_half", positive=True)
        free = expr.replace(
            lambda e: e.is_Pow and e.base == base,
            lambda e: half ** (2 * e.exp),
        )
        top = sympy.expand(sympy.fraction(sympy.together(free))[0])
        parts = [sympy.Integer(0), sympy.Integer(0)]
        for (power,), c in sympy.Poly(top, half).terms():
            parts[power % 2] += c * base ** (power // 2)
        return all(p == 0 or judge.zero(p) for p in parts)
