"""Scalars: exact sums of monomials in atoms, with rational exponents.

A :class:`Poly` is a finite sum ``c * a1**e1 * a2**e2 ...`` with rational ``c``.  An *atom* is a
symbol, a canonical inner product or trace, a transcendental function of a canonical argument, or a
*base*: an irreducible polynomial that stands under a negative or fractional exponent.  A base
never carries an exponent of one or more (it is multiplied out), so that clearing the negative
integer parts of the bases turns equality into equality of polynomials: a zero is a zero.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from flint import fmpq

Exponent = int | Fraction
Monomial = tuple[tuple[int, Exponent], ...]
"""``((atom, exponent), ...)``, sorted by atom."""

ONE: Monomial = ()


class Undefined(ArithmeticError):
    """A scalar operation without a value: division by zero, the root of a negative number."""


@dataclass(frozen=True)
class Atom:
    """A generator of the scalars.

    Args:
        kind: ``symbol``, ``size``, ``pair``, ``trace``, ``form``, ``base``, ``prime``,
            ``abs``, ``sign``, ``exp``, ``pow`` or ``function``.
        key: what it is, in canonical form (per kind).
        traits: subset of ``nonnegative``, ``nonzero``, ``integer``; positive is the first two.
    """

    kind: str
    key: Any
    traits: frozenset[str] = field(default=frozenset(), compare=False)


def tidy(exponent: Exponent) -> Exponent:
    """Whole exponents as ``int``."""
    if isinstance(exponent, Fraction) and exponent.denominator == 1:
        return exponent.numerator
    return exponent


def mono_mul(left: Monomial, right: Monomial) -> Monomial:
    """The product of two monomials."""
    if not left:
        return right
    if not right:
        return left
    merged = dict(left)
    for atom, exponent in right:
        total = tidy(merged.get(atom, 0) + exponent)
        if total:
            merged[atom] = total
        else:
            del merged[atom]
    return tuple(sorted(merged.items()))


def mono_pow(mono: Monomial, exponent: Exponent) -> Monomial:
    """``mono ** exponent``."""
    return tuple((a, tidy(e * exponent)) for a, e in mono)


def to_fmpq(value: Any) -> Any:
    """An int or Fraction as FLINT's rational."""
    if isinstance(value, Fraction):
        return fmpq(value.numerator, value.denominator)
    return fmpq(value)


def to_fraction(value: Any) -> Fraction:
    """FLINT's rational as a Fraction."""
    return Fraction(int(value.p), int(value.q))


class Poly:
    """An element of a :class:`Field`; immutable."""

    __slots__ = ("_hash", "field", "terms")

    def __init__(self, field_: Field, terms: dict[Monomial, Any]) -> None:
        self.field = field_
        self.terms = terms
        self._hash: int | None = None

    def __bool__(self) -> bool:
        return bool(self.terms)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Poly) and self.terms == other.terms

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self.terms.items()))
        return self._hash

    def __add__(self, other: Poly) -> Poly:
        if not self.terms:
            return other
        if not other.terms:
            return self
        total = dict(self.terms)
        for mono, c in other.terms.items():
            value = total.get(mono)
            value = c if value is None else value + c
            if value:
                total[mono] = value
            else:
                del total[mono]
        return Poly(self.field, total)

    def __neg__(self) -> Poly:
        return Poly(self.field, {m: -c for m, c in self.terms.items()})

    def __sub__(self, other: Poly) -> Poly:
        return self + (-other)

    def scale(self, factor: Any) -> Poly:
        """The multiple by a rational."""
        if not factor:
            return Poly(self.field, {})
        return Poly(self.field, {m: c * factor for m, c in self.terms.items()})

    def __mul__(self, other: Poly) -> Poly:
        return self.field.product(self, other)

    def whole_power(self, exponent: int) -> Poly:
        """A non-negative whole power."""
        result, base = self.field.const(1), self
        while exponent:
            if exponent & 1:
                result = result * base
            exponent >>= 1
            if exponent:
                base = base * base
        return result

    @property
    def constant(self) -> Any | None:
        """The value, if it is a rational number."""
        if not self.terms:
            return fmpq(0)
        if len(self.terms) == 1 and ONE in self.terms:
            return self.terms[ONE]
        return None

    @property
    def single(self) -> tuple[Monomial, Any] | None:
        """``(monomial, coefficient)``, if there is one term only."""
        if len(self.terms) == 1:
            return next(iter(self.terms.items()))
        return None

    def atoms(self) -> set[int]:
        """The atoms that occur."""
        return {a for mono in self.terms for a, _ in mono}


Reducer = Callable[[Exponent], "Poly | None"]
"""Value of ``atom ** exponent`` when that is not in normal form, else None."""


@dataclass
class MonomialRule:
    """A hypothesis ``monomial = value`` used as a rewriting rule."""

    mono: Monomial
    value: Poly
    tag: str


class Field:
    """Atoms and the reductions that hold between them.

    ``tags`` collects the names of the hypotheses that reductions have used.
    """

    def __init__(self) -> None:
        self.atoms: list[Atom] = []
        self._index: dict[tuple[str, Hashable], int] = {}
        self.reducers: dict[int, Reducer] = {}
        self.rules: list[MonomialRule] = []
        self.tags: set[str] = set()
        self.zero = Poly(self, {})

    def atom(self, kind: str, key: Hashable, traits: Iterable[str] = ()) -> int:
        """The number of the atom ``(kind, key)``, made when new."""
        found = self._index.get((kind, key))
        if found is None:
            found = len(self.atoms)
            known = set(traits)
            if "positive" in known:
                known |= {"nonnegative", "nonzero"}
            self.atoms.append(Atom(kind, key, frozenset(known)))
            self._index[(kind, key)] = found
        return found

    def find(self, kind: str, key: Hashable) -> int | None:
        """The number of an atom, if it exists."""
        return self._index.get((kind, key))

    def const(self, value: Any) -> Poly:
        """A rational number."""
        q = to_fmpq(value)
        return Poly(self, {ONE: q}) if q else self.zero

    def gen(self, atom: int, exponent: Exponent = 1) -> Poly:
        """``atom ** exponent``, reduced."""
        exponent = tidy(exponent)
        if not exponent:
            return self.const(1)
        return self.settle(((atom, exponent),), fmpq(1))

    def settle(self, mono: Monomial, coefficient: Any) -> Poly:
        """``coefficient * mono`` in normal form."""
        for position, (atom, exponent) in enumerate(mono):
            reducer = self.reducers.get(atom)
            if reducer is not None:
                new = reducer(exponent)
                if new is not None:
                    rest = mono[:position] + mono[position + 1 :]
                    return self.settle(rest, coefficient) * self.refreshed(new)
        for rule in self.rules:
            times = self._divides(rule.mono, mono)
            if times:
                self.tags.add(rule.tag)
                rest = mono_mul(mono, mono_pow(rule.mono, -times))
                value = self.refreshed(rule.value).whole_power(times)
                return self.settle(rest, coefficient) * value
        return Poly(self, {mono: coefficient})

    def refreshed(self, poly: Poly) -> Poly:
        """``poly`` reduced by the rules of now (it may be older than some of them)."""
        if not self.rules and not any(a in self.reducers for m in poly.terms for a, _ in m):
            return poly
        return self.sum(self.settle(m, c) for m, c in poly.terms.items())

    @staticmethod
    def _divides(pattern: Monomial, mono: Monomial) -> int:
        powers = dict(mono)
        times: int | None = None
        for atom, exponent in pattern:
            here = powers.get(atom, 0) // exponent
            if here < 1:
                return 0
            times = int(here) if times is None else min(times, int(here))
        return times or 0

    def product(self, left: Poly, right: Poly) -> Poly:
        """The product, in normal form."""
        if not left.terms or not right.terms:
            return self.zero
        if len(right.terms) == 1 and ONE in right.terms:
            return left.scale(right.terms[ONE])
        if len(left.terms) == 1 and ONE in left.terms:
            return right.scale(left.terms[ONE])
        plain: dict[Monomial, Any] = {}
        extra = self.zero
        active, rules = self.reducers, self.rules
        for ma, ca in left.terms.items():
            for mb, cb in right.terms.items():
                mono = mono_mul(ma, mb)
                c = ca * cb
                if rules or any(a in active for a, _ in mono):
                    settled = self.settle(mono, c)
                    if len(settled.terms) != 1 or mono not in settled.terms:
                        extra = extra + settled
                        continue
                value = plain.get(mono)
                plain[mono] = c if value is None else value + c
        return Poly(self, {m: c for m, c in plain.items() if c}) + extra

    def sum(self, parts: Iterable[Poly]) -> Poly:
        """The sum of many."""
        total: dict[Monomial, Any] = {}
        for part in parts:
            for mono, c in part.terms.items():
                value = total.get(mono)
                total[mono] = c if value is None else value + c
        return Poly(self, {m: c for m, c in total.items() if c})

    def cleared(self, poly: Poly) -> tuple[Poly, Monomial]:
        """``(numerator, monomial)`` with ``poly = numerator / monomial``.

        The monomial is a product of bases, and the numerator has no base under a negative
        exponent; it vanishes as a polynomial exactly when ``poly`` is zero wherever defined.
        """
        denominator: Monomial = ONE
        while True:
            lowest: dict[int, int] = {}
            for mono in poly.terms:
                for atom, exponent in mono:
                    if exponent < 0 and self.atoms[atom].kind == "base":
                        up = -(exponent.__floor__())
                        lowest[atom] = max(lowest.get(atom, 0), up)
            if not lowest:
                return poly, denominator
            # bases may be nested: clear the newest first, its polynomial holds the older ones
            atom = max(lowest)
            factor: Monomial = ((atom, lowest[atom]),)
            denominator = mono_mul(denominator, factor)
            poly = self.sum(self.settle(mono_mul(m, factor), c) for m, c in poly.terms.items())

    def is_zero(self, poly: Poly) -> bool:
        """Whether ``poly`` is identically zero (exact)."""
        return not poly.terms or not self.cleared(poly)[0].terms
