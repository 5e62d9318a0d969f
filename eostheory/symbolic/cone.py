"""Exact cone membership: is a monomial dominated by an order, given that others are bounded?

``m = O(o_1 + ... + o_k)`` holds when ``m = sum theta_j o_j + sum c_i f_i`` in exponents, with
``theta`` a convex combination and ``c >= 0``: the weighted mean of the ``o_j`` is at most their
sum, and every ``f_i`` is O(1).  By Farkas' lemma the condition is also necessary for monomials in
independent quantities, and a separating direction is the curve along which the bound fails.  Both
come out of one run of the simplex method in exact rationals.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from flint import fmpq

from eostheory.symbolic.scalars import Exponent, to_fmpq, to_fraction
from eostheory.symbolic.sizes import Size, Var


@dataclass(frozen=True)
class Weights:
    """Weights of the orders (a convex combination) and of the facts, by position."""

    orders: tuple[tuple[int, Fraction], ...]
    facts: tuple[tuple[int, Fraction], ...]


def member(size: Size, orders: tuple[Size, ...], facts: tuple[Size, ...]) -> Weights | None:
    """The weights, or None when there are none."""
    quick = _quick(size, orders, facts)
    return quick if quick is not None else _solve(size, orders, facts)[0]


def direction(
    size: Size, orders: tuple[Size, ...], facts: tuple[Size, ...], still: frozenset[Var]
) -> dict[Var, Exponent] | None:
    """Growth rates ``y`` with ``y.f <= 0`` for every fact and ``y.size > y.o`` for every order.

    The variables in ``still`` have rate zero.
    """
    held = (((v, Fraction(s)),) for v in sorted(still) for s in (1, -1))
    rates = _solve(size, orders, (*facts, *held))[1]
    return None if rates is None else dict(rates)


@lru_cache(maxsize=50_000)
def _quick(size: Size, orders: tuple[Size, ...], facts: tuple[Size, ...]) -> Weights | None:
    """One order, and facts that are powers of a single quantity."""
    single: dict[tuple[Var, bool], tuple[int, Exponent]] = {}
    for i, fact in enumerate(facts):
        if len(fact) == 1:
            var, e = fact[0]
            single.setdefault((var, e > 0), (i, e))
    for j, order in enumerate(orders):
        rest = dict(size)
        for var, e in order:
            rest[var] = rest.get(var, Fraction(0)) - e
        weights: dict[int, Fraction] = {}
        for var, e in rest.items():
            if not e:
                continue
            found = single.get((var, e > 0))
            if found is None:
                break
            weights[found[0]] = Fraction(e) / found[1]
        else:
            return Weights(((j, Fraction(1)),), tuple(weights.items()))
    return None


@lru_cache(maxsize=50_000)
def _solve(
    size: Size, orders: tuple[Size, ...], facts: tuple[Size, ...]
) -> tuple[Weights | None, tuple[tuple[Var, Fraction], ...] | None]:
    """Weights, or else rates: phase one of the simplex method with Bland's rule."""
    columns = [dict(c) for c in (*orders, *facts)]
    target = dict(size)
    rows: list[Var | None] = [*sorted({v for c in (*columns, target) for v in c}), None]

    def entry(column: dict[Var, Exponent], index: int, row: Var | None) -> Any:
        if row is None:  # the weights of the orders sum to one
            return fmpq(1 if index < len(orders) else 0)
        return to_fmpq(Fraction(column.get(row, 0)))

    count = len(columns)
    table: list[list[Any]] = []
    flips: list[int] = []
    for i, row in enumerate(rows):
        right = fmpq(1) if row is None else to_fmpq(Fraction(target.get(row, 0)))
        flip = -1 if right < 0 else 1
        line = [entry(c, j, row) * flip for j, c in enumerate(columns)]
        line += [fmpq(int(k == i)) for k in range(len(rows))]
        table.append([*line, right * flip])
        flips.append(flip)
    basis = [count + i for i in range(len(rows))]
    # reduced costs of "minimise the sum of the artificial variables"
    cost = [-sum((r[j] for r in table), fmpq(0)) for j in range(count)]
    cost += [fmpq(0)] * len(rows)
    cost.append(-sum((r[-1] for r in table), fmpq(0)))
    while True:
        enter = next((j for j in range(count) if cost[j] < 0), None)
        if enter is None:
            break
        ratios = [(r[-1] / r[enter], basis[i], i) for i, r in enumerate(table) if r[enter] > 0]
        if not ratios:
            break
        leave = min(ratios)[2]
        _pivot(table, cost, leave, enter)
        basis[leave] = enter
    if cost[-1] != 0:
        # multipliers of the rows: y.column <= 0 for every column, y.target > 0
        rates = []
        for i, row in enumerate(rows):
            if row is not None:
                rates.append((row, to_fraction((1 - cost[count + i]) * flips[i])))
        return None, tuple(rates)
    values = {b: table[i][-1] for i, b in enumerate(basis) if b < count and table[i][-1]}
    found = Weights(
        tuple((j, to_fraction(v)) for j, v in values.items() if j < len(orders)),
        tuple((j - len(orders), to_fraction(v)) for j, v in values.items() if j >= len(orders)),
    )
    return (found, None) if verify(size, orders, facts, found) else (None, None)


def _pivot(table: list[list[Any]], cost: list[Any], leave: int, enter: int) -> None:
    scale = table[leave][enter]
    line = [x / scale for x in table[leave]]
    table[leave] = line
    for row in (*table[:leave], *table[leave + 1 :], cost):
        factor = row[enter]
        if factor:
            for j, x in enumerate(line):
                if x:
                    row[j] -= factor * x


def verify(size: Size, orders: tuple[Size, ...], facts: tuple[Size, ...], weights: Weights) -> bool:
    """Check the certificate by exact arithmetic."""
    theta, cone = dict(weights.orders), dict(weights.facts)
    if sum(theta.values()) != 1 or any(v < 0 for v in (*theta.values(), *cone.values())):
        return False
    total: dict[Var, Exponent] = {}
    for column, table in ((orders, theta), (facts, cone)):
        for index, weight in table.items():
            for var, e in column[index]:
                total[var] = total.get(var, Fraction(0)) + weight * e
    return {v: e for v, e in total.items() if e} == {v: e for v, e in size if e}
