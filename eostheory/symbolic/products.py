"""The terms that a contradiction between polynomial conditions may be made of."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, combinations_with_replacement, islice

from eostheory.symbolic.smt import ONE, Monomial, Polynomial, Sign, degree, product, times

COLUMNS = 6000
_ROOTS = 24


@dataclass(frozen=True)
class Term:
    """``monomial * square**2`` times a product of conditions, with its place in the identity."""

    factors: tuple[int, ...]
    monomial: Monomial
    square: Polynomial
    value: Polynomial
    strict: bool
    sign: int = 1


class Columns:
    """The terms of degree at most ``top`` that the linear program may use."""

    def __init__(self, known: list[Sign], top: int) -> None:
        self.known, self.top = known, top
        self.letters = sorted({v for k in known for mono in k.poly for v, _ in mono})
        self.signs: dict[str, tuple[int, bool]] = {}
        for i, k in enumerate(known):
            if len(k.poly) == 1 and k.relation != "==":
                ((mono, c),) = k.poly.items()
                if len(mono) == 1 and mono[0][1] == 1 and c > 0:
                    self.signs[mono[0][0]] = (i, k.relation == ">")

    def monomials(self, room: int) -> Iterator[tuple[Monomial, tuple[int, ...], Monomial, bool]]:
        """``(monomial, sign conditions in it, rest, strict)``; the rest has even exponents."""
        for d in range(room + 1):
            for letters in combinations_with_replacement(self.letters, d):
                odd: Monomial = ONE
                factors: list[int] = []
                strict = True
                for name, e in _monomial(letters):
                    if name in self.signs:
                        factors += [self.signs[name][0]] * e
                        strict = strict and self.signs[name][1]
                    elif e % 2 == 0:
                        odd = product(odd, ((name, e // 2),))
                        strict = False
                    else:
                        break
                else:
                    yield _monomial(letters), tuple(factors), odd, strict

    def products(self) -> Iterator[tuple[tuple[int, ...], Polynomial, bool]]:
        """Products of at most three conditions other than signs of letters and equations."""
        signs = {i for i, _ in self.signs.values()}
        plain = [i for i, k in enumerate(self.known) if i not in signs and k.relation != "=="]
        yield (), {ONE: Fraction(1)}, True
        for size in (1, 2, 3):
            for chosen in combinations_with_replacement(plain, size):
                if sum(degree(self.known[i].poly) for i in chosen) > self.top:
                    continue
                value: Polynomial = {ONE: Fraction(1)}
                for i in chosen:
                    value = times(value, self.known[i].poly)
                yield chosen, value, all(self.known[i].relation == ">" for i in chosen)

    def of_products(self) -> Iterator[Term]:
        """Products of conditions times monomials of known sign."""
        for chosen, value, strict in self.products():
            for mono, factors, root, positive in self.monomials(self.top - degree(value)):
                yield Term(
                    chosen + factors,
                    ONE,
                    {root: Fraction(1)},
                    times(value, {mono: Fraction(1)}),
                    strict and positive,
                )

    def of_equations(self) -> Iterator[Term]:
        """Equations times any monomial, with either sign."""
        for i, k in enumerate(self.known):
            if k.relation != "==":
                continue
            for d in range(self.top - degree(k.poly) + 1):
                for letters in combinations_with_replacement(self.letters, d):
                    mono = _monomial(letters)
                    for sign in (1, -1):
                        value = times(k.poly, {mono: Fraction(sign)})
                        yield Term((i,), mono, {ONE: Fraction(1)}, value, False, sign)

    def of_squares(self) -> Iterator[Term]:
        """Single conditions times squares of sums and differences of two monomials."""
        one = Fraction(1)
        monomials = [
            _monomial(letters)
            for d in range(self.top // 2 + 1)
            for letters in combinations_with_replacement(self.letters, d)
        ][:_ROOTS]
        pool: list[tuple[tuple[int, ...], Polynomial]] = [((), {ONE: one})]
        pool += [((i,), k.poly) for i, k in enumerate(self.known) if k.relation != "=="]
        for chosen, value in pool:
            for a, b in combinations(monomials, 2):
                if degree(value) + 2 * max(degree({a: one}), degree({b: one})) > self.top:
                    continue
                for root in ({a: one, b: one}, {a: one, b: -one}):
                    yield Term(chosen, ONE, root, times(value, times(root, root)), False)


def terms_of(known: list[Sign], top: int, deadline: float) -> list[Term]:
    """Terms of degree at most ``top``, a bounded number of each kind, made before ``deadline``."""
    columns = Columns(known, top)
    sources = (columns.of_equations(), columns.of_products(), columns.of_squares())
    found: list[Term] = []
    for source in sources:
        for term in islice(source, COLUMNS):
            found.append(term)
            if len(found) % 64 == 0 and time.process_time() > deadline:
                return found
    return found


def _monomial(letters: tuple[str, ...]) -> Monomial:
    mono = ONE
    for letter in letters:
        mono = product(mono, ((letter, 1),))
    return mono
