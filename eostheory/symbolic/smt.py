"""Reading the polynomial conditions of an SMT-LIB query, without the solver that wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

Monomial = tuple[tuple[str, int], ...]
Polynomial = dict[Monomial, Fraction]
"""Sorted (variable, exponent) pairs -> coefficient; no zero coefficients."""

ONE: Monomial = ()


@dataclass(frozen=True)
class Sign:
    """``poly relation 0`` with relation ``>``, ``>=`` or ``==``."""

    poly: Polynomial
    relation: str


class UnreadableQuery(ValueError):
    """A query that is not made of polynomial conditions."""


# ------------------------------------------------------------------------- polynomials
def add(p: Polynomial, q: Polynomial, factor: Fraction = Fraction(1)) -> Polynomial:
    """``p + factor * q``."""
    total = dict(p)
    for mono, c in q.items():
        value = total.get(mono, Fraction(0)) + factor * c
        if value:
            total[mono] = value
        else:
            total.pop(mono, None)
    return total


def times(p: Polynomial, q: Polynomial) -> Polynomial:
    """``p * q``."""
    total: Polynomial = {}
    for a, c in p.items():
        for b, d in q.items():
            mono = product(a, b)
            value = total.get(mono, Fraction(0)) + c * d
            if value:
                total[mono] = value
            else:
                total.pop(mono, None)
    return total


def product(a: Monomial, b: Monomial) -> Monomial:
    """The product of two monomials."""
    if not a or not b:
        return a or b
    powers = dict(a)
    for name, e in b:
        powers[name] = powers.get(name, 0) + e
    return tuple(sorted(powers.items()))


def degree(p: Polynomial) -> int:
    """The total degree; 0 for a constant."""
    return max((sum(e for _, e in mono) for mono in p), default=0)


# ------------------------------------------------------------------------------ reading
_TOKEN = re.compile(r"[()]|\|[^|]*\||[^\s()]+")


def conditions(text: str) -> list[Sign]:
    """The polynomial conditions that the query asserts; disjunctions are left out.

    Leaving a condition out is safe where a contradiction is wanted.
    """
    lines = (line for line in text.splitlines() if not line.lstrip().startswith(";"))
    found: list[Sign] = []
    for form in _forms(_TOKEN.findall("\n".join(lines))):
        if isinstance(form, list) and form and form[0] == "assert":
            found += _signs(form[1], {}, True)
    return found


def _forms(tokens: list[str]) -> Iterator[Any]:
    stack: list[list[Any]] = []
    for token in tokens:
        if token == "(":
            stack.append([])
            continue
        if token == ")":
            if not stack:
                raise UnreadableQuery("a closing parenthesis too many")
            done: Any = stack.pop()
        else:
            done = token
        if stack:
            stack[-1].append(done)
        else:
            yield done
    if stack:
        raise UnreadableQuery("an open parenthesis")


def _bind(form: Any, bound: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**bound, **{name: (value, bound) for name, value in form[1]}}


def _signs(form: Any, bound: Mapping[str, Any], positive: bool) -> list[Sign]:
    if isinstance(form, str):
        if form in bound:
            inner, outer = bound[form]
            return _signs(inner, outer, positive)
        return []
    head = form[0]
    if head == "let":
        return _signs(form[2], _bind(form, bound), positive)
    if head == "not":
        return _signs(form[1], bound, not positive)
    if head == "and" and positive:
        return [s for part in form[1:] for s in _signs(part, bound, True)]
    if head == "distinct":
        return _signs(["=", *form[1:]], bound, not positive)
    if head not in ("<", "<=", ">", ">=", "=") or len(form) != 3:
        return []
    try:
        gap = add(_poly(form[1], bound), _poly(form[2], bound), Fraction(-1))
    except UnreadableQuery:
        return []
    if head == "=":
        return [Sign(gap, "==") if positive else Sign(times(gap, gap), ">")]
    if not positive:
        head = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}[head]
    if head[0] == "<":
        gap = {m: -c for m, c in gap.items()}
    return [Sign(gap, ">" if len(head) == 1 else ">=")]


def _poly(form: Any, bound: Mapping[str, Any]) -> Polynomial:
    if isinstance(form, str):
        if form in bound:
            return _poly(*bound[form])
        if re.fullmatch(r"\d+(\.\d*)?", form):
            value = Fraction(form)
            return {ONE: value} if value else {}
        return {((form, 1),): Fraction(1)}
    head, *rest = form
    if head == "let":
        return _poly(form[2], _bind(form, bound))
    parts = [_poly(part, bound) for part in rest]
    if head == "-":
        if len(parts) == 1:
            return {m: -c for m, c in parts[0].items()}
        total = parts[0]
        for part in parts[1:]:
            total = add(total, part, Fraction(-1))
        return total
    if head == "+":
        total = {}
        for part in parts:
            total = add(total, part)
        return total
    if head == "*":
        total = {ONE: Fraction(1)}
        for part in parts:
            total = times(total, part)
        return total
    if head == "/" and len(parts) == 2 and set(parts[1]) == {ONE}:
        return {m: c / parts[1][ONE] for m, c in parts[0].items()}
    if head == "^" and len(parts) == 2 and set(parts[1]) <= {ONE}:
        exponent = parts[1].get(ONE, Fraction(0))
        if exponent.denominator == 1 and 0 <= exponent <= 32:
            total = {ONE: Fraction(1)}
            for _ in range(int(exponent)):
                total = times(total, parts[0])
            return total
    raise UnreadableQuery(f"{head} is not polynomial")
