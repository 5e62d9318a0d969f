"""Definition B.5 of lyu22: bounds that make a scheduler quasi-RMSprop.

Candidates for ``delta`` and ``P`` are read off the coefficients; the kernel accepts them.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy
from sympy.polys.polyerrors import BasePolynomialError

from eostheory.derive.judge import Judge

BETA = sympy.Symbol("_beta", positive=True)
GBAR = sympy.Symbol("_gbar", nonnegative=True)
_HALF = sympy.Rational(1, 2)


@dataclass(frozen=True)
class Bound:
    """``delta(v)`` and ``P(gbar)``."""

    delta: sympy.Expr
    polynomial: sympy.Expr


def in_terms_of_beta(expr: sympy.Expr, decay: sympy.Expr, judge: Judge) -> sympy.Expr | None:
    """``expr`` with the hyperparameters expressed by the decay rate; None when that fails.

    Accepted when putting the decay rate back gives the same expression.
    """
    if decay == BETA or not (decay.free_symbols & expr.free_symbols):
        return expr
    if decay.is_Symbol:
        return expr.subs(decay, BETA)
    for letter in sorted(decay.free_symbols & expr.free_symbols, key=str):
        try:
            solutions = sympy.solve(decay - BETA, letter)
        except NotImplementedError:
            continue
        for solution in solutions:
            if solution.has(sympy.I):
                continue
            found = sympy.powsimp(sympy.expand(expr.subs(letter, solution)))
            found = _shorter(found)
            if found.free_symbols & decay.free_symbols:
                continue
            if judge.same(found.subs(BETA, decay), expr):
                return found
    return None


def _shorter(expr: sympy.Expr) -> sympy.Expr:
    forms = [expr]
    for search in (sympy.simplify, sympy.factor):
        try:
            forms.append(search(expr))
        except (BasePolynomialError, NotImplementedError):
            continue
    return min(forms, key=sympy.count_ops)


def _judge() -> Judge:
    return Judge([sympy.GreaterThan(BETA, _HALF), sympy.StrictLessThan(BETA, 1)])


def bound_moment(remainder: sympy.Expr, v: sympy.Symbol) -> Bound | None:
    """``delta`` and ``P`` with ``|remainder| <= delta(v) (1 - beta)^2 P(gbar)``, beta >= 1/2."""
    return _bound(remainder, v, 2, None)


def bound_rate(error: sympy.Expr, v: sympy.Symbol) -> Bound | None:
    """``delta`` with ``|error| <= delta(v) (1 - beta) (1 + gbar^2)``, beta >= 1/2."""
    shape = 1 + GBAR**2
    found = _bound(error, v, 1, shape)
    return found if found is not None else _bound_root(error, v, shape)


def _bound_root(error: sympy.Expr, v: sympy.Symbol, shape: sympy.Expr) -> Bound | None:
    """For a rate ``1/sqrt(w)`` with ``w >= v/2`` and ``|w - v| <= delta' (1 - beta) (1 + gbar^2)``.

    Then ``|1/sqrt(w) - 1/sqrt(v)| = |w - v|/(sqrt(v w) (sqrt(v) + sqrt(w)))``, in which
    ``sqrt(v w) >= v/sqrt(2)`` and the last factor is at least ``sqrt(v)``.
    """
    judge = _judge()
    square = sympy.cancel(1 / (error + v**-_HALF) ** 2)
    if not judge.same(square**-_HALF - v**-_HALF, error):
        return None
    if judge.status(sympy.GreaterThan(square - v / 2, 0, evaluate=False)) != "holds":
        return None
    found = _bound(square - v, v, 1, shape)
    if found is None:
        return None
    return Bound(sympy.expand(sympy.sqrt(2) * found.delta * v ** (-3 * _HALF)), shape)


def _bound(expr: sympy.Expr, v: sympy.Symbol, order: int, shape: sympy.Expr | None) -> Bound | None:
    judge = _judge()
    if judge.zero(expr):
        return Bound(sympy.Integer(0), sympy.Integer(1) if shape is None else shape)
    delta, powers = sympy.Integer(0), set()
    for term in sympy.Add.make_args(sympy.expand(sympy.cancel(expr / (1 - BETA) ** order))):
        size = _coefficient(sympy.factor(term), v)
        if size is None:
            return None
        delta += size[0]
        powers.add(size[1])
    polynomial = shape if shape is not None else sympy.Add(*(GBAR**k for k in sorted(powers)))
    delta = sympy.expand(delta)
    return Bound(delta, polynomial) if _accepted(expr, delta, polynomial, order, judge) else None


def _coefficient(term: sympy.Expr, v: sympy.Symbol) -> tuple[sympy.Expr, int] | None:
    """A bound in ``v`` alone for beta in [1/2, 1), and the power of ``gbar``."""
    size: sympy.Expr = sympy.Integer(1)
    power = 0
    for factor in sympy.Mul.make_args(term):
        base, exponent = factor.as_base_exp()
        if base == GBAR and exponent.is_Integer and exponent >= 0:
            power = int(exponent)
        elif base == v:
            size *= factor
        elif base == BETA and exponent.is_Rational:
            size *= 1 if exponent >= 0 else _HALF**exponent
        elif factor.is_number:
            size *= abs(factor)
        elif base in (1 - BETA, BETA - 1) and exponent.is_nonnegative:
            size *= _HALF**exponent
        else:
            return None
    return size, power


def _accepted(
    expr: sympy.Expr, delta: sympy.Expr, polynomial: sympy.Expr, order: int, judge: Judge
) -> bool:
    """Both signs of ``|expr| <= delta (1 - beta)^order P``, decided by the kernel."""
    limit = delta * (1 - BETA) ** order * polynomial
    return all(
        judge.status(sympy.GreaterThan(limit + sign * expr, 0, evaluate=False)) == "holds"
        for sign in (1, -1)
    )
