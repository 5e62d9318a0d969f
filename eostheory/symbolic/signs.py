"""What is known about the sign of a scalar, from traits and assumptions.

Signs are ``+``, ``0+`` (non-negative), ``-``, ``0-``, ``!`` (non-zero) and ``?``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from eostheory.symbolic.scalars import Exponent, Field, Poly

if TYPE_CHECKING:
    from eostheory.symbolic.powers import Powers

POSITIVE, NONNEGATIVE, NEGATIVE, NONPOSITIVE, NONZERO, UNKNOWN = "+", "0+", "-", "0-", "!", "?"

SHOWS = {
    ">": ("+",),
    ">=": ("+", "0+"),
    "<": ("-",),
    "<=": ("-", "0-"),
    "!=": ("+", "-", "!"),
}
"""The signs that show how a scalar compares with zero."""

_ORACLE_TERMS = 24
"""Longer scalars are not worth a query to a prover."""

_DEEPEST = 24
"""Roots in facts about roots: a sign that needs more turns is not known."""

_FLIP = {"+": "-", "-": "+", "0+": "0-", "0-": "0+", "!": "!", "?": "?"}


def flip(sign: str) -> str:
    """The sign of the negative."""
    return _FLIP[sign]


def times(a: str, b: str) -> str:
    """The sign of a product."""
    if "?" in (a, b):
        return "?"
    if "!" in (a, b):
        return "!" if "0" not in a + b else "?"
    negative = ("-" in a) != ("-" in b)
    weak = "0" in a or "0" in b
    return ("0" if weak else "") + ("-" if negative else "+")


def power_sign(sign: str, exponent: Exponent) -> str:
    """The sign of a power, wherever it is defined."""
    if not isinstance(exponent, int):
        return "+" if exponent < 0 or sign == "+" else "0+"
    if exponent % 2 == 0:
        return "+" if exponent < 0 or sign in "+-!" else "0+"
    if exponent < 0:  # where it is defined, the base is not zero
        return {"0+": "+", "0-": "-", "?": "!"}.get(sign, sign)
    return sign


class Signs:
    """Signs over one :class:`Field`.

    ``oracle`` may be set to a prover of last resort: it gets a scalar and answers with a sign.
    """

    def __init__(self, field: Field) -> None:
        self.field = field
        self.powers: Powers | None = None
        self.facts: dict[Poly, tuple[str, str]] = {}
        self.laws: dict[Poly, str] = {}
        self.oracle: Callable[[Poly], tuple[str, frozenset[str]]] | None = None
        self._asked: dict[Poly, tuple[str, frozenset[str]]] = {}
        self._asking = False
        self._depth = 0

    @contextmanager
    def bare(self) -> Iterator[None]:
        """Only traits count, neither assumptions nor the oracle."""
        facts, asking = self.facts, self._asking
        self.facts, self._asking = {}, True
        try:
            yield
        finally:
            self.facts, self._asking = facts, asking

    def learn(self, poly: Poly, sign: str, tag: str) -> None:
        """Note that ``poly`` has ``sign`` by the hypothesis ``tag``."""
        self._asked.clear()
        for key, value in ((poly, sign), (-poly, flip(sign))):
            old = self.facts.get(key)
            if old is not None:
                value = _meet(old[0], value)
            self.facts[key] = (value, tag)
        if self.powers is None or not poly.terms:
            return
        c, factors = self.powers.factor(poly)
        # an assumption about a product fixes the one factor whose sign is open; no prover is asked
        asking, self._asking = self._asking, True
        try:
            self._learn_factor(c, factors, sign, tag)
        finally:
            self._asking = asking

    def _learn_factor(self, c: Any, factors: Mapping[int, Exponent], sign: str, tag: str) -> None:
        assert self.powers is not None
        open_ = [(a, e) for a, e in factors.items() if self.of_atom(a) == "?"]
        if len(open_) == 1 and isinstance(open_[0][1], int) and open_[0][1] % 2:
            rest = "+" if c > 0 else "-"
            for a, e in factors.items():
                if a != open_[0][0]:
                    rest = times(rest, power_sign(self.of_atom(a), e))
            if rest in "+-":
                own = sign if rest == "+" else flip(sign)
                single = self.powers.as_poly(open_[0][0])
                for key, value in ((single, own), (-single, flip(own))):
                    self.facts.setdefault(key, (value, tag))

    def of_atom(self, atom: int) -> str:
        """The sign of an atom; of the polynomial, for a base."""
        info = self.field.atoms[atom]
        traits = info.traits
        if "nonnegative" in traits:
            return "+" if "nonzero" in traits else "0+"
        if info.kind == "base":
            return self.of(info.key)
        known = self._known(self.field.gen(atom))
        if known != "?":
            return known
        return "!" if "nonzero" in traits else "?"

    def _known(self, poly: Poly) -> str:
        law = self.laws.get(poly)
        if law is not None:
            return law
        found = self.facts.get(poly)
        if found is None:
            return "?"
        if found[1]:
            self.field.tags.add(found[1])
        return found[0]

    def quick(self, poly: Poly) -> str:
        """The sign from the signs of the terms."""
        if not poly.terms:
            return "0+"
        total: str | None = None
        for mono, c in poly.terms.items():
            sign = "+" if c > 0 else "-"
            for atom, exponent in mono:
                sign = times(sign, power_sign(self.of_atom(atom), exponent))
                if sign == "?":
                    return "?"
            if total is None:
                total = sign
            elif "!" in (total, sign) or ("-" in total) != ("-" in sign):
                return "?"
            elif "0" not in sign:
                total = sign
        return total or "?"

    def of(self, poly: Poly) -> str:
        """The sign of ``poly`` wherever it is defined and the assumptions hold."""
        known = self._known(poly)
        if known != "?" or self._depth > _DEEPEST:
            return known
        self._depth += 1
        try:
            return self._of(poly)
        finally:
            self._depth -= 1

    def _of(self, poly: Poly) -> str:
        tags = set(self.field.tags)
        sign = self.quick(poly)
        if sign in "+-":
            return sign
        self.field.tags = tags
        if self.powers is not None and poly.single is None and poly.terms:
            c, factors = self.powers.factor(poly)
            if self._opposite(c, factors):
                # the factor of a negative is read off without factoring: that may turn back here
                (atom,) = factors
                own = flip(self.cheap(self.field.atoms[atom].key))
                if own != "?":
                    return own
            elif len(factors) > 1 or c < 0 or any(e != 1 for e in factors.values()):
                product = "+" if c > 0 else "-"
                for atom, exponent in factors.items():
                    product = times(product, power_sign(self.of_atom(atom), exponent))
                if product != "?":
                    return product
                self.field.tags = tags
        shifted = self._by_shift(poly)
        if shifted != "?":
            return shifted
        self.field.tags = tags
        if self.oracle is not None and not self._asking and len(poly.terms) <= _ORACLE_TERMS:
            answer = self._asked.get(poly)
            if answer is None:
                self._asking = True
                try:
                    answer = self.oracle(poly)
                finally:
                    self._asking = False
                self._asked[poly] = answer
            self.field.tags |= answer[1]
            if answer[0] != "?":
                return answer[0]
        return self.quick(poly) if poly.single is not None or sign != "?" else "?"

    def factored(self, poly: Poly) -> str:
        """The sign of ``poly``, if need be from its factor form; the oracle is not asked."""
        if not poly.terms:
            return "0+"
        assert self.powers is not None
        self._asking = True
        try:
            known = self.of(poly)
            if known != "?":
                return known
            c, factors = self.powers.factor(poly)
            sign = "+" if c > 0 else "-"
            for atom, e in factors.items():
                sign = times(sign, power_sign(self.of_atom(atom), e))
            return sign
        finally:
            self._asking = False

    def _opposite(self, c: Any, factors: Mapping[int, Exponent]) -> bool:
        """Whether a factor form says no more than ``p = c * (a base)`` with negative ``c``."""
        if len(factors) != 1:
            return False
        ((atom, e),) = factors.items()
        return e == 1 and self.field.atoms[atom].kind == "base" and bool(c < 0)

    def cheap(self, poly: Poly) -> str:
        """The sign as far as it is known without factoring."""
        tags = set(self.field.tags)
        for known in (self._known(poly), self.quick(poly), self._by_shift(poly)):
            if known != "?":
                return known
        for known in (self._known(-poly), self._by_shift(-poly)):
            if known != "?":
                return flip(known)
        self.field.tags = tags
        return "?"

    def _by_shift(self, poly: Poly) -> str:
        """Add a known fact: ``p = fact + (terms of one sign)``."""
        for fact, (sign, tag) in self.facts.items():
            if sign in ("+", "0+") and len(fact.terms) > 1:
                rest = self.quick(poly - fact)
                if rest in ("+", "0+"):
                    if tag:
                        self.field.tags.add(tag)
                    return "+" if "+" in (rest, sign) else "0+"
        return "?"


def _meet(a: str, b: str) -> str:
    if a == b:
        return a
    pair = {a, b}
    if "?" in pair:
        return (pair - {"?"}).pop()
    if pair == {"0+", "!"} or pair == {"0+", "+"} or pair == {"+", "!"}:
        return "+"
    if pair == {"0-", "!"} or pair == {"0-", "-"} or pair == {"-", "!"}:
        return "-"
    return a
