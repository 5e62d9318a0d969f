"""Elementary functions of scalars in normal form.

Logarithms of products expand over factors of known sign, exponentials are products of atoms
``exp(monomial)``, powers with symbolic exponents go through both.  Every step is an identity
wherever the expression is defined on the assumed domain.
"""

from __future__ import annotations

from fractions import Fraction

from flint import fmpq

from eostheory.symbolic.powers import Powers
from eostheory.symbolic.scalars import (
    ONE,
    Exponent,
    Field,
    Monomial,
    Poly,
    Reducer,
    Undefined,
    tidy,
    to_fraction,
)
from eostheory.symbolic.signs import Signs, flip

LAMBERT = ("lambertw", "lambertwm1")


class Functions:
    """Functions over one :class:`Field`."""

    def __init__(self, field: Field, powers: Powers, signs: Signs) -> None:
        self.field = field
        self.powers = powers
        self.signs = signs

    def apply(self, name: str, arg: Poly) -> Poly:
        """The function ``name`` (one of ``formula.FUNCTIONS``) of ``arg``."""
        if name == "sqrt":
            return self.powers.power(arg, Fraction(1, 2))
        arg = self.powers.canonical(arg)
        if name == "log":
            return self.log(arg)
        if name == "exp":
            return self.exp(arg)
        if name == "abs":
            return self.powers.absolute(arg)
        if name == "sign":
            return self.sign(arg)
        if name in LAMBERT:
            return self.lambert(name, arg)
        if name in ("sin", "cos"):
            return self.circular(name, arg)
        if name == "tanh":
            twice = self.exp(arg.scale(2))
            one = self.field.const(1)
            return (twice - one) * self.powers.inverse(twice + one)
        raise ValueError(f"no normal form for the function {name!r}")

    def _opaque(self, name: str, arg: Poly, traits: tuple[str, ...] = ()) -> Poly:
        return self.field.gen(self.field.atom("function", (name, arg), traits))

    # ------------------------------------------------------------------ logarithms
    def log(self, arg: Poly) -> Poly:
        """The natural logarithm."""
        if self.field.is_zero(arg):
            raise Undefined("the logarithm of zero")
        c, factors = self.powers.factor(arg)
        total = self.field.zero
        open_: list[tuple[int, int]] = []
        for atom, e in factors.items():
            sign = self.signs.of_atom(atom)
            if sign in ("-", "0-"):
                if not isinstance(e, int) or e % 2:
                    c = -c
                total = total + self._log_atom(atom, True).scale(_q(e))
            elif sign in ("+", "0+") or not isinstance(e, int):
                total = total + self._log_atom(atom, False).scale(_q(e))
            elif e % 2:
                open_.append((atom, e))
            else:
                inner = self.powers.absolute_atom(atom)
                total = total + self._opaque("log", inner).scale(_q(e))
        if len(open_) == 1 and c > 0:
            atom, e = open_[0]
            return total + self._log_atom(atom, False).scale(_q(e)) + self._log_number(c)
        if open_:
            inner = self.field.const(1).scale(1 if c > 0 else -1)
            for atom, e in open_:
                inner = inner * self.powers.as_poly(atom)
                absolute = self.powers.absolute_atom(atom)
                if e != 1:
                    total = total + self._opaque("log", absolute).scale(_q(e - 1))
            return total + self._opaque("log", inner) + self._log_number(abs(c))
        if c < 0:
            raise Undefined("the logarithm of a negative quantity")
        return total + self._log_number(c)

    def _log_number(self, value: object) -> Poly:
        total = self.field.zero
        q = to_fraction(value)
        for part, sign in ((fmpq(q.numerator).p, 1), (fmpq(q.denominator).p, -1)):
            if part == 1:
                continue
            for prime, multiplicity in part.factor():
                own = self._opaque("log", self.field.const(int(prime)), ("positive",))
                total = total + own.scale(fmpq(int(multiplicity) * sign))
        return total

    def _log_atom(self, atom: int, negative: bool) -> Poly:
        """``log(atom)``, or ``log(-atom)``."""
        info = self.field.atoms[atom]
        if info.kind == "exp":
            return Poly(self.field, {info.key: fmpq(1)})
        if info.kind == "prime":
            return self._log_number(fmpq(info.key))
        if info.kind == "base" and info.key.single is not None:  # the opposite of a lone atom
            return self.log(-info.key if negative else info.key)
        inner = self.powers.as_poly(atom)
        if info.kind == "function" and info.key[0] in LAMBERT:
            # w exp(w) = x: log|w| = log|x| - w
            return self.log(-info.key[1] if negative else info.key[1]) - inner
        return self._opaque("log", -inner if negative else inner)

    # ---------------------------------------------------------------- exponentials
    def exp(self, arg: Poly) -> Poly:
        """The exponential: a product of atoms ``exp(monomial)``."""
        result = self.field.const(1)
        for mono, c in self.powers.canonical(arg).terms.items():
            result = result * self._exp_monomial(mono, tidy(to_fraction(c)))
        return result

    def _exp_monomial(self, mono: Monomial, c: Exponent) -> Poly:
        if len(mono) == 1 and mono[0][1] == 1:
            info = self.field.atoms[mono[0][0]]
            if info.kind == "function":
                name, inner = info.key
                if name == "log":
                    return self.powers.power(inner, c)
                if name in LAMBERT:
                    ratio = inner * self.powers.inverse(self.field.gen(mono[0][0]))
                    return self.powers.power(ratio, c) if isinstance(c, int) else self._exp_raw(
                        mono, c
                    )  # fmt: skip
        return self._exp_raw(mono, c)

    def _exp_raw(self, mono: Monomial, c: Exponent) -> Poly:
        return self.field.gen(self.field.atom("exp", mono, ("positive",)), c)

    def general_power(self, base: Poly, exponent: Poly) -> Poly:
        """``base ** exponent`` for a symbolic exponent."""
        value = exponent.constant
        if value is not None:
            return self.powers.power(base, tidy(to_fraction(value)))
        if self.field.is_zero(base):
            raise Undefined("zero to a symbolic power")
        exponent = self.powers.canonical(exponent)
        if not self._whole(exponent):
            return self.exp(exponent * self.log(base))
        c, factors = self.powers.factor(base)
        result = self.exp(exponent * self._log_number(abs(c)))
        if c < 0:
            result = result * self._whole_power(self.field.const(-1), exponent)
        for atom, e in factors.items():
            inner = self.powers.as_poly(atom)
            sign = self.signs.of_atom(atom)
            if sign == "+" or not isinstance(e, int):
                result = result * self.exp(exponent.scale(_q(e)) * self._log_atom(atom, False))
            else:
                result = result * self._whole_power(inner, exponent.scale(_q(e)))
        return result

    def _whole(self, exponent: Poly) -> bool:
        return all(
            c.q == 1 and all(isinstance(e, int) and e > 0 and self._is_integer(a) for a, e in mono)
            for mono, c in exponent.terms.items()
        )

    def _is_integer(self, atom: int) -> bool:
        return "integer" in self.field.atoms[atom].traits

    def _whole_power(self, inner: Poly, exponent: Poly) -> Poly:
        result = self.field.const(1)
        for mono, c in exponent.terms.items():
            times = int(c.p)
            if mono == ONE:
                result = result * self.powers.power(inner, times)
                continue
            found = self.field.find("pow", (inner, mono))
            if found is None:
                traits = ("nonzero",) if inner.constant is not None else ()
                found = self.field.atom("pow", (inner, mono), traits)
                if inner.constant == -1:
                    self.field.reducers[found] = self._sign_reducer(found)
            result = result * self.field.gen(found, times)
        return result

    def _sign_reducer(self, atom: int) -> Reducer:
        def reduce(exponent: Exponent) -> Poly | None:
            if not isinstance(exponent, int) or exponent in (0, 1):
                return None
            return self.field.gen(atom, exponent % 2)

        return reduce

    # ---------------------------------------------------------------------- others
    def sign(self, arg: Poly) -> Poly:
        """The sign, multiplicative over factors."""
        if self.field.is_zero(arg):
            return self.field.zero
        c, factors = self.powers.factor(arg)
        result = self.field.const(1 if c > 0 else -1)
        for atom, e in factors.items():
            known = self.signs.of_atom(atom)
            if known == "+":
                continue
            if known == "-":
                result = result.scale(-1 if not isinstance(e, int) or e % 2 else 1)
                continue
            inner = self.powers.as_poly(atom)
            if known == "!":
                if isinstance(e, int) and e % 2:
                    ratio = self.powers.absolute(inner) * self.powers.inverse(inner)
                    result = result * ratio
                continue
            found = self.field.find("sign", inner)
            if found is None:
                found = self.field.atom("sign", inner)
                self.field.reducers[found] = self._cube_reducer(found)
            power = abs(e) if isinstance(e, int) else 1
            result = result * self.field.gen(found, 2 - power % 2)
        return result

    def _cube_reducer(self, atom: int) -> Reducer:
        def reduce(exponent: Exponent) -> Poly | None:
            if not isinstance(exponent, int) or exponent in (0, 1, 2):
                return None
            return self.field.gen(atom, 2 - exponent % 2)

        return reduce

    def lambert(self, name: str, arg: Poly) -> Poly:
        """Lambert W; its sign is that of the argument (branch 0) or negative (branch -1)."""
        if self.field.is_zero(arg):
            if name == "lambertw":
                return self.field.zero
            raise Undefined("W_{-1}(0)")
        atom = self.field.atom("function", (name, arg))
        own = self.field.gen(atom)
        sign = "-" if name == "lambertwm1" else self.signs.of(arg)
        if sign != "?" and own not in self.signs.laws:
            self.signs.laws[own] = sign
            self.signs.laws[-own] = flip(sign)
        return own

    def circular(self, name: str, arg: Poly) -> Poly:
        """Sine and cosine, with sin**2 = 1 - cos**2."""
        if not arg.terms:
            return self.field.const(1 if name == "cos" else 0)
        negative = arg.terms[max(arg.terms)] < 0
        if negative:
            arg = -arg
        cosine = self._opaque("cos", arg)
        if name == "cos":
            return cosine
        atom = self.field.atom("function", ("sin", arg))
        if atom not in self.field.reducers:

            def reduce(exponent: Exponent) -> Poly | None:
                if not isinstance(exponent, int) or 0 <= exponent < 2:
                    return None
                if exponent < 0:
                    return None
                square = self.field.const(1) - cosine * cosine
                return square.whole_power(exponent // 2) * self.field.gen(atom, exponent % 2)

            self.field.reducers[atom] = reduce
        result = self.field.gen(atom)
        return -result if negative else result


def _q(exponent: Exponent) -> object:
    return fmpq(Fraction(exponent).numerator, Fraction(exponent).denominator)
