"""Factoring, division and roots of scalars.

A factor form is ``c * atom1**e1 * ... * base1**k1 * ...`` with irreducible primitive bases; it is
unique, so it serves as canonical form for the arguments of functions.
"""

from __future__ import annotations

from fractions import Fraction
from math import gcd, lcm
from typing import Any

from flint import Ordering, fmpq, fmpq_mpoly_ctx

from eostheory.symbolic.scalars import (
    Exponent,
    Field,
    Monomial,
    Poly,
    Undefined,
    mono_pow,
    tidy,
    to_fmpq,
)
from eostheory.symbolic.signs import Signs

Factors = tuple[Any, dict[int, Exponent]]
"""A rational and the exponent of each atom (bases among them, also with positive exponents)."""


class Powers:
    """Powers of scalars over one :class:`Field`, using what :class:`Signs` knows."""

    def __init__(self, field: Field, signs: Signs) -> None:
        self.field = field
        self.signs = signs
        signs.powers = self
        self._factors: dict[Poly, Factors] = {}

    def clear(self) -> None:
        """Forget factor forms: what is known about signs has changed."""
        self._factors.clear()

    # ---------------------------------------------------------------- factor form
    def factor(self, poly: Poly) -> Factors:
        """The factor form of a non-zero ``poly``."""
        found = self._factors.get(poly)
        if found is None:
            found = self._factor(poly)
            self._factors[poly] = found
        return found

    def _factor(self, poly: Poly) -> Factors:
        if poly.single is not None:
            mono, c = poly.single
            return c, dict(mono)
        poly, denominator = self.field.cleared(poly)
        if not poly.terms:
            raise Undefined("a quantity that is identically zero stands in a denominator, "
                            "under a root or in a logarithm")  # fmt: skip
        exponents: dict[int, Exponent] = {a: -e for a, e in denominator}
        c, rest = self._flint_factor(poly)
        for atom, exponent in rest:
            exponents[atom] = tidy(exponents.get(atom, 0) + exponent)
        return c, {a: e for a, e in sorted(exponents.items()) if e}

    def _flint_factor(self, poly: Poly) -> tuple[Any, list[tuple[int, Exponent]]]:
        atoms = sorted(poly.atoms())
        if not atoms:
            return poly.constant, []
        column = {a: i for i, a in enumerate(atoms)}
        scale = [1] * len(atoms)
        low: list[Exponent | None] = [None] * len(atoms)
        for mono in poly.terms:
            powers = dict(mono)
            for a, i in column.items():
                e = powers.get(a, 0)
                scale[i] = lcm(scale[i], Fraction(e).denominator)
                known = low[i]
                low[i] = e if known is None else min(known, e)
        result = [(a, e) for a, e in zip(atoms, low, strict=True) if e]
        table = {}
        for mono, c in poly.terms.items():
            row = [0] * len(atoms)
            powers = dict(mono)
            for a, i in column.items():
                row[i] = int((Fraction(powers.get(a, 0)) - Fraction(low[i] or 0)) * scale[i])
            table[tuple(row)] = c
        if len(table) == 1:
            return next(iter(table.values())), result
        context = fmpq_mpoly_ctx.get([f"x{i}" for i in range(len(atoms))], Ordering.lex)
        content, factors = context.from_dict(table).factor()
        for factor, multiplicity in factors:
            terms: dict[Monomial, Any] = {}
            for row, c in factor.to_dict().items():
                mono = tuple(
                    (a, tidy(Fraction(int(row[i]), scale[i]))) for a, i in column.items() if row[i]
                )
                terms[mono] = c
            unit, base = self.primitive(Poly(self.field, terms))
            if self.signs.cheap(base) in ("-", "0-"):
                unit, base = -unit, -base
            content = content * unit ** int(multiplicity)
            result.append((self.base(base), int(multiplicity)))
        return content, result

    @staticmethod
    def primitive(poly: Poly) -> tuple[Any, Poly]:
        """``(unit, p)`` with ``poly = unit * p``; ``p`` has coprime whole coefficients."""
        denominator, numerator = 1, 0
        for c in poly.terms.values():
            denominator = lcm(denominator, int(c.q))
        for c in poly.terms.values():
            numerator = gcd(numerator, int((c * denominator).p))
        unit = fmpq(numerator, denominator)
        if poly.terms[max(poly.terms)] < 0:
            unit = -unit
        return unit, poly.scale(1 / unit)

    def base(self, poly: Poly) -> int:
        """The atom that stands for an irreducible polynomial, or for a lone atom itself."""
        if poly.single is not None:
            mono, c = poly.single
            if c == 1 and len(mono) == 1 and mono[0][1] == 1:
                return mono[0][0]
        atom = self.field.find("base", poly)
        if atom is None:
            atom = self.field.atom("base", poly)

            def reduce(exponent: Exponent, atom: int = atom, poly: Poly = poly) -> Poly | None:
                if exponent < 1:
                    return None
                whole = exponent.__floor__()
                return poly.whole_power(whole) * self.field.gen(atom, exponent - whole)

            self.field.reducers[atom] = reduce
        return atom

    def expand(self, factors: Factors) -> Poly:
        """The scalar that has this factor form."""
        c, exponents = factors
        result = self.field.const(1).scale(c)
        for atom, exponent in exponents.items():
            result = result * self.field.gen(atom, exponent)
        return result

    def canonical(self, poly: Poly) -> Poly:
        """The unique representative: numerator and denominator without common factor."""
        if not any(e < 0 and self.field.atoms[a].kind == "base" for m in poly.terms for a, e in m):
            return poly
        if self.field.is_zero(poly):
            return self.field.zero
        return self.expand(self.factor(poly))

    # --------------------------------------------------------------------- powers
    def inverse(self, poly: Poly) -> Poly:
        """``1 / poly``."""
        return self.power(poly, -1)

    def power(self, poly: Poly, exponent: Exponent) -> Poly:
        """``poly ** exponent`` for a rational exponent, where it is defined."""
        exponent = tidy(exponent)
        if isinstance(exponent, int) and exponent >= 0:
            return poly.whole_power(exponent)
        if self.field.is_zero(poly):
            if exponent > 0:
                return self.field.zero
            raise Undefined("division by a quantity that is identically zero")
        if isinstance(exponent, int):
            if poly.single is not None:
                mono, c = poly.single
                return self.field.settle(mono_pow(mono, exponent), c**exponent)
            c, factors = self.factor(poly)
            return self.expand((c**exponent, {a: e * exponent for a, e in factors.items()}))
        return self._root(poly, exponent)

    def _root(self, poly: Poly, exponent: Fraction) -> Poly:
        c, factors = self.factor(poly)
        result = self.field.const(1)
        unknown: list[tuple[int, int]] = []
        for atom, e in factors.items():
            sign = self.signs.of_atom(atom)
            if sign in ("+", "0+") or not isinstance(e, int):
                result = result * self.field.gen(atom, tidy(e * exponent))
            elif sign in ("-", "0-"):
                if e % 2:
                    c = -c
                opposite = self.base(-self.as_poly(atom))
                result = result * self.field.gen(opposite, tidy(e * exponent))
            elif e % 2:
                unknown.append((atom, e))
            else:
                result = result * self.absolute_atom(atom, tidy(e * exponent))
        if c < 0 and not unknown:
            raise Undefined("an even root of a negative quantity")
        if not unknown:
            return result * self.rational_power(c, exponent)
        if len(unknown) == 1 and c > 0:
            # the other factors are non-negative: so is this one, wherever the root is defined
            atom, e = unknown[0]
            own = self.field.gen(atom, tidy(e * exponent))
            return result * own * self.rational_power(c, exponent)
        inner = self.field.const(1)
        for atom, e in unknown:
            inner = inner * self.as_poly(atom)
            result = result * self.absolute_atom(atom, tidy((e - 1) * exponent))
        unit, inner = self.primitive(inner if c > 0 else -inner)
        if unit < 0:
            unit, inner = -unit, -inner
        value = self.rational_power(abs(c) * unit, exponent)
        return result * value * self.field.gen(self.base(inner), exponent)

    def as_poly(self, atom: int) -> Poly:
        """An atom (a base among them) as a scalar."""
        return self.field.gen(atom)

    def rational_power(self, value: Any, exponent: Exponent) -> Poly:
        """A positive rational to a rational power: fractional powers of primes."""
        exponent = tidy(exponent)
        if isinstance(exponent, int):
            return self.field.const(1).scale(to_fmpq(value) ** exponent)
        result = self.field.const(1)
        for part, sign in ((value.p, 1), (value.q, -1)):
            if part == 1:
                continue
            for prime, multiplicity in part.factor():
                atom = self.prime(int(prime))
                result = result * self.field.gen(atom, exponent * int(multiplicity) * sign)
        return result

    def prime(self, value: int) -> int:
        """The atom of a prime number, for its fractional powers."""
        atom = self.field.find("prime", value)
        if atom is None:
            atom = self.field.atom("prime", value, ("positive",))

            def reduce(exponent: Exponent, atom: int = atom) -> Poly | None:
                whole = exponent.__floor__()
                if whole == 0:
                    return None
                rest = self.field.gen(atom, exponent - whole)
                return rest.scale(fmpq(value) ** whole)

            self.field.reducers[atom] = reduce
        return atom

    def note_nonnegative(self, square: Poly) -> None:
        """A sum of squares is non-negative whatever its expansion looks like."""
        if len(square.terms) > 1:
            unit, base = self.primitive(square)
            for poly in (square, base if unit > 0 else -base):
                self.signs.laws.setdefault(poly, "0+")

    # ------------------------------------------------------------- absolute values
    def absolute_atom(self, atom: int, exponent: Exponent = 1) -> Poly:
        """``|atom| ** exponent`` for an atom of unknown sign."""
        inner = self.as_poly(atom)
        found = self.field.find("abs", inner)
        if found is None:
            traits = {"nonnegative"} | (self.field.atoms[atom].traits & {"nonzero", "integer"})
            found = self.field.atom("abs", inner, traits)

            def reduce(exponent: Exponent, own: int = found) -> Poly | None:
                if not isinstance(exponent, int) or exponent in (0, 1):
                    return None
                odd = exponent % 2
                return self.power(inner, exponent - odd) * self.field.gen(own, odd)

            self.field.reducers[found] = reduce
        return self.field.gen(found, exponent)

    def absolute(self, poly: Poly) -> Poly:
        """``|poly|``; the absolute value is multiplicative."""
        if self.field.is_zero(poly):
            return self.field.zero
        c, factors = self.factor(poly)
        result = self.field.const(1).scale(abs(c))
        for atom, e in factors.items():
            sign = self.signs.of_atom(atom)
            if sign in ("+", "0+") or not isinstance(e, int) or e % 2 == 0:
                result = result * self.field.gen(atom, e)
            elif sign in ("-", "0-"):
                result = result * -self.field.gen(atom, e)
            else:
                result = result * self.absolute_atom(atom, e)
        return result
