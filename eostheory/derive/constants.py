"""The sign of a constant, by balls of growing precision."""

from __future__ import annotations

from typing import Any

import sympy
from flint import arb, ctx, fmpq


def sign_of_number(expr: sympy.Expr) -> int | None:
    """The sign of a constant by balls that exclude zero; None when they do not."""
    if expr.is_zero:
        return 0
    outer = ctx.prec
    try:
        for bits in (64, 256, 1024):
            ctx.prec = bits
            try:
                ball = _ball(expr, bits)
            except (ValueError, TypeError, ZeroDivisionError):
                return None
            if ball > 0:
                return 1
            if ball < 0:
                return -1
    finally:
        ctx.prec = outer
    return None


_BALLS = {
    sympy.exp: "exp", sympy.log: "log", sympy.sin: "sin", sympy.cos: "cos", sympy.tanh: "tanh",
    sympy.sinh: "sinh", sympy.cosh: "cosh", sympy.atan: "atan", sympy.tan: "tan",
}  # fmt: skip


def _ball(expr: sympy.Expr, bits: int) -> Any:
    if expr.is_Rational:
        return arb(fmpq(int(expr.p), int(expr.q)))
    if expr == sympy.pi:
        return arb.pi()
    if expr == sympy.E:
        return arb(1).exp()
    if isinstance(expr, sympy.CRootOf):
        width = sympy.Rational(1, 2**bits)
        near = expr.eval_rational(dx=width)
        return arb(fmpq(int(near.p), int(near.q)), arb(fmpq(1, 2 ** (bits - 1))))
    if expr.is_Add:
        return sum((_ball(a, bits) for a in expr.args), arb(0))
    if expr.is_Mul:
        total = arb(1)
        for factor in expr.args:
            total *= _ball(factor, bits)
        return total
    if expr.is_Pow:
        return _power(expr, bits)
    if isinstance(expr, sympy.Abs):
        return abs(_ball(expr.args[0], bits))
    for kind, name in _BALLS.items():
        if isinstance(expr, kind):
            return _finite(getattr(_ball(expr.args[0], bits), name)())
    raise TypeError(f"no ball for {expr}")


def _power(expr: sympy.Expr, bits: int) -> Any:
    base, exponent = expr.args
    if base == sympy.E:
        return _ball(exponent, bits).exp()
    value = _ball(base, bits)
    if exponent.is_Integer:
        return _finite(value ** int(exponent))
    if not value >= 0:
        raise ValueError(f"{expr} may not be real")
    if exponent.is_Rational and exponent.q == 2:
        root = value.sqrt()
        return _finite(root ** int(exponent.p))
    return _finite(value ** _ball(exponent, bits))


def _finite(ball: Any) -> Any:
    if not ball.is_finite():
        raise ValueError("no finite ball")
    return ball
