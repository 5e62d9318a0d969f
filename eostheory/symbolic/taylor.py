"""Taylor expansions with an explicit bounded remainder letter.

An O-term is an exact product ``letter * z**n`` with a bounded letter, so that the calculus of
orders stays exact polynomial algebra.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import factorial
from typing import TYPE_CHECKING

from eostheory.formula import Expr, ShapeError, Symbol
from eostheory.formula.core import Number, Power, add, mul
from eostheory.symbolic.orders import facts_for

if TYPE_CHECKING:
    from eostheory.symbolic.model import Model

FUNCTIONS = ("1/(1+z)", "sqrt(1+z)", "1/sqrt(1+z)", "log(1+z)", "exp(z)")
"""The functions that can be expanded, by name."""


@dataclass(frozen=True)
class Expansion:
    """``polynomial + remainder * z**order``, with ``|remainder| <= constant`` for |z| <= 1/2."""

    value: Expr
    polynomial: Expr
    remainder: Symbol
    order: int
    constant: Fraction


def coefficient(name: str, k: int) -> Fraction:
    """The ``k``-th Taylor coefficient at 0."""
    match name:
        case "1/(1+z)":
            return Fraction((-1) ** k)
        case "sqrt(1+z)":
            return _binomial(Fraction(1, 2), k)
        case "1/sqrt(1+z)":
            return _binomial(Fraction(-1, 2), k)
        case "log(1+z)":
            return Fraction((-1) ** (k + 1), k) if k else Fraction(0)
        case "exp(z)":
            return Fraction(1, factorial(k))
    raise ValueError(f"no expansion of {name!r}; known: {', '.join(FUNCTIONS)}")


def _binomial(exponent: Fraction, k: int) -> Fraction:
    value = Fraction(1)
    for i in range(k):
        value *= (exponent - i) / (i + 1)
    return value


def constant(name: str, order: int) -> Fraction:
    """A bound of the remainder letter for |z| <= 1/2.

    The remainder is ``sum c_(order+k) z**k``; the coefficients are at most one in absolute value,
    so the geometric series bounds it by two.
    """
    largest = max(abs(coefficient(name, order + k)) for k in range(2))
    return 2 * largest


def expand(
    model: Model, name: str, z: Expr, order: int, letter: str = "", small: Expr | None = None
) -> Expansion:
    """``name`` at the small scalar ``z``, up to (not including) ``z**order``.

    The remainder letter is bounded as long as |z| <= 1/2.  With ``small`` this is checked: the
    bounds must give ``z = O(small)``, else nothing is known about the letter.  Without, it is the
    caller's promise.
    """
    if z.shape != ():
        raise ShapeError(f"expansion at {z} of shape {z.shape}: a scalar was expected")
    if order < 1:
        raise ValueError(f"order {order}: at least 1")
    remainder = model.landau(letter or f"R{next(model._fresh)}")
    if small is not None:
        facts = facts_for(model, z, small)
        if facts is None:
            model.unbounded.add(remainder)
        else:
            model.kernel.owed[remainder] = facts
    terms: list[Expr] = []
    for k in range(order):
        c = coefficient(name, k)
        if c:
            terms.append(Number(c) if k == 0 else mul(c, z if k == 1 else z**k))
    polynomial = add(*terms) if terms else Number(Fraction(0))
    tail = mul(remainder, z if order == 1 else Power(z, Number(Fraction(order))))
    bound = constant(name, order)
    model.step(
        f"{name} = polynomial of degree {order - 1} + {remainder.name} * z**{order}, "
        f"|{remainder.name}| <= {bound} for |z| <= 1/2"
    )
    return Expansion(add(polynomial, tail), polynomial, remainder, order, bound)
