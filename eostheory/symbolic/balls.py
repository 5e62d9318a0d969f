"""Scalars in Arb balls: rigorous enclosures, used for signs and for witnesses."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from flint import arb, ctx, fmpq

from eostheory.symbolic.scalars import Exponent, Field, Monomial, Poly

PRECISIONS = (64, 256, 1024)


class NotEnclosed(ArithmeticError):
    """The enclosure fails: a division by a ball around zero, a logarithm of one."""


def enclose(field: Field, poly: Poly, value: Callable[[int], Any]) -> Any:
    """A ball that holds ``poly``, given balls for the free atoms (symbols, pairings, sizes)."""
    return _Balls(field, value).poly(poly)


def sign_of_constant(field: Field, poly: Poly) -> str:
    """The sign of a scalar without free atoms; ``?`` when balls of 1024 bits cannot tell."""

    def nothing(atom: int) -> Any:
        raise NotEnclosed(f"{field.atoms[atom].kind} has no value")

    old = ctx.prec
    try:
        for precision in PRECISIONS:
            ctx.prec = precision
            try:
                ball = enclose(field, poly, nothing)
            except NotEnclosed:
                continue
            if ball > 0:
                return "+"
            if ball < 0:
                return "-"
    finally:
        ctx.prec = old
    return "?"


class _Balls:
    def __init__(self, field: Field, value: Callable[[int], Any]) -> None:
        self.field = field
        self.value = value
        self.known: dict[int, Any] = {}

    def poly(self, poly: Poly) -> Any:
        total = arb(0)
        for mono, c in poly.terms.items():
            total += self.mono(mono) * arb(fmpq(c))
        if not total.is_finite():
            raise NotEnclosed("not finite")
        return total

    def mono(self, mono: Monomial) -> Any:
        result = arb(1)
        for atom, exponent in mono:
            result *= self.power(self.atom(atom), exponent)
        return result

    @staticmethod
    def power(ball: Any, exponent: Exponent) -> Any:
        if isinstance(exponent, int):
            if exponent < 0 and ball.contains(0):
                raise NotEnclosed("division by a ball around zero")
            return _whole(ball, exponent)
        if exponent.denominator == 2:
            if ball < 0:
                raise NotEnclosed("root of a negative ball")
            # where the ball reaches below zero, only its non-negative part has a root
            root = ball.nonnegative_part().sqrt()
            return _Balls.power(root, exponent.numerator)
        if not ball > 0:
            raise NotEnclosed("root of a ball around zero")
        return (ball.log() * arb(fmpq(exponent.numerator, exponent.denominator))).exp()

    def atom(self, atom: int) -> Any:
        found = self.known.get(atom)
        if found is None:
            found = self._atom(atom)
            self.known[atom] = found
        return found

    def _atom(self, atom: int) -> Any:
        info = self.field.atoms[atom]
        match info.kind:
            case "prime":
                return arb(info.key)
            case "base":
                return self.poly(info.key)
            case "abs":
                return abs(self.poly(info.key))
            case "sign":
                ball = self.poly(info.key)
                if ball.contains(0):
                    raise NotEnclosed("sign of a ball around zero")
                return arb(1) if ball > 0 else arb(-1)
            case "exp":
                return self.mono(info.key).exp()
            case "pow":
                inner, mono = info.key
                exponent = self.mono(mono)
                whole = exponent.unique_fmpz()
                if whole is None:
                    raise NotEnclosed("a power with an exponent that is no whole number")
                return _whole(self.poly(inner), int(whole))
            case "function":
                return self.function(*info.key)
        return self.value(atom)

    def function(self, name: str, arg: Poly) -> Any:
        ball = self.poly(arg)
        match name:
            case "log":
                if not ball > 0:
                    raise NotEnclosed("logarithm of a ball that is not positive")
                result = ball.log()
            case "sin":
                result = ball.sin()
            case "cos":
                result = ball.cos()
            case "lambertw":
                result = ball.lambertw()
            case "lambertwm1":
                result = ball.lambertw(-1)
            case _:
                raise NotEnclosed(f"no ball for {name}")
        if not result.is_finite():
            raise NotEnclosed(f"{name} outside its domain")
        return result


def _whole(ball: Any, exponent: int) -> Any:
    """Integer powers; even ones are never negative."""
    result = ball**exponent
    if exponent > 0 and exponent % 2 == 0 and ball.contains(0):
        top = max(abs(ball.lower()), abs(ball.upper()), key=lambda b: float(b))
        return (arb(top) ** exponent).union(arb(0))
    return result


def rational_ball(low: Fraction, high: Fraction) -> Any:
    """A ball that holds the interval."""
    a = arb(fmpq(low.numerator, low.denominator))
    b = arb(fmpq(high.numerator, high.denominator))
    return a.union(b)
