"""Products that have several factors in common, so that those are multiplied once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from sympy import Expr

_CROWD = 64
"""A factor of more products than this is not looked up: the work stays linear."""


class Factors(NamedTuple):
    """A product as a sign, constants of the trajectory, and what depends on the state.

    Attributes:
        sign: 1 or -1.
        number: size of the numeric factor.
        parameters: factors of parameters only.
        others: factors with the state in them.
    """

    sign: int
    number: float
    parameters: tuple[Expr, ...]
    others: tuple[Expr, ...]

    def parts(self) -> list[object]:
        """What may be shared; the constants count as one factor, since they are hoisted."""
        constant = (self.number, frozenset(self.parameters))
        return [*self.others, *([constant] if constant != (1.0, frozenset()) else [])]


class Group(NamedTuple):
    """Factors that several products share.

    Attributes:
        factors: the constants, if they are shared, and the others.
        members: how many products there are.
    """

    factors: Factors
    members: int


def groups(products: Sequence[tuple[Expr, Factors]]) -> dict[Expr, Group]:
    """For each product that shares two factors or more with another, what it shares."""
    parts = [frozenset(factors.parts()) for _, factors in products]
    where: dict[object, list[int]] = defaultdict(list)
    for i, (_, factors) in enumerate(products):
        for part in factors.parts():
            where[part].append(i)
    pairs: list[tuple[int, int, int]] = []
    for i, (_, factors) in enumerate(products):
        common: Counter[int] = Counter()
        for part in factors.parts():
            if len(where[part]) <= _CROWD:
                common.update(j for j in where[part] if j > i)
        pairs += [(-size, i, j) for j, size in common.items() if size >= 2]
    found: dict[Expr, Group] = {}
    for _, i, j in sorted(pairs):
        if products[i][0] in found or products[j][0] in found:
            continue
        shared = parts[i] & parts[j]
        some = next(p for p in products[i][1].parts() if p in shared)
        members = [k for k in where[some] if shared <= parts[k] and products[k][0] not in found]
        group = Group(_restricted(products[i][1], shared), len(members))
        found.update((products[k][0], group) for k in members)
    return found


def _restricted(factors: Factors, shared: frozenset[object]) -> Factors:
    others = tuple(f for f in factors.others if f in shared)
    if (factors.number, frozenset(factors.parameters)) in shared:
        return Factors(1, factors.number, factors.parameters, others)
    return Factors(1, 1.0, (), others)
