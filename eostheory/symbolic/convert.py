"""Between sympy's scalars and formulas.  sympy is the language in and out, never the judge."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import sympy

from eostheory.formula import Expr, Symbol, absolute, exp, lambertw, log, scalar, sign
from eostheory.formula.core import Add, Function, Mul, Number, Power, add, mul

_TO = {
    sympy.log: log,
    sympy.exp: exp,
    sympy.Abs: absolute,
    sympy.sign: sign,
}
_NAMED = {sympy.sin: "sin", sympy.cos: "cos", sympy.tanh: "tanh"}


def from_sympy(value: sympy.Expr, known: Mapping[str, Symbol]) -> Expr:
    """A scalar sympy expression as a formula.

    Raises:
        TypeError: for what the language of formulas lacks.
    """
    if value.is_Rational:
        return Number(Fraction(int(value.p), int(value.q)))
    if value == sympy.E:
        return exp(1)
    if isinstance(value, sympy.Symbol):
        found = known.get(value.name)
        if found is not None:
            return found
        traits = {
            "positive": bool(value.is_positive),
            "nonnegative": bool(value.is_nonnegative) and not value.is_positive,
            "integer": bool(value.is_integer),
        }
        return scalar(value.name, "", **traits)
    args = [from_sympy(a, known) for a in value.args]
    if isinstance(value, sympy.Add):
        return add(*args)
    if isinstance(value, sympy.Mul):
        return mul(*args)
    if isinstance(value, sympy.Pow):
        return Function("sqrt", args[0]) if value.exp == sympy.Rational(1, 2) else Power(*args)
    if isinstance(value, sympy.LambertW):
        return lambertw(args[0], int(value.args[1]) if len(value.args) > 1 else 0)
    for kind, build in _TO.items():
        if isinstance(value, kind):
            return build(args[0])
    for kind, name in _NAMED.items():
        if isinstance(value, kind):
            return Function(name, args[0])
    raise TypeError(f"{value} ({type(value).__name__}) has no form in the language of statements")


def to_sympy(expr: Expr, table: Mapping[Symbol, sympy.Expr] | None = None) -> sympy.Expr:
    """A scalar formula in sympy; symbols become real sympy symbols of the same name."""
    match expr:
        case Number(value):
            return sympy.Rational(value.numerator, value.denominator)
        case Symbol(name=name, dims=()):
            if table is not None and expr in table:
                return table[expr]
            positive = True if "positive" in expr.traits else None
            return sympy.Symbol(name, real=True, positive=positive)
        case Add(terms):
            return sympy.Add(*(to_sympy(t, table) for t in terms))
        case Mul(factors):
            return sympy.Mul(*(to_sympy(f, table) for f in factors))
        case Power(base, exponent):
            return to_sympy(base, table) ** to_sympy(exponent, table)
        case Function(name, arg):
            inner = to_sympy(arg, table)
            if name == "lambertwm1":
                return sympy.LambertW(inner, -1)
            named = {
                "log": sympy.log, "exp": sympy.exp, "sqrt": sympy.sqrt, "abs": sympy.Abs,
                "sign": sympy.sign, "lambertw": sympy.LambertW, "sin": sympy.sin,
                "cos": sympy.cos, "tanh": sympy.tanh,
            }  # fmt: skip
            return named[name](inner)
    raise TypeError(f"{expr} of shape {expr.shape} is no scalar of sympy")
