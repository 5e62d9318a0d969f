"""Random exact instances that satisfy the relations.

Generators get values one by one.  A relation is used when its last generator is due: nearly always
it is affine in that one (``<g, w> = 0`` in ``g``, ``H w = -g`` in ``H``, ``T(w, x) = ...`` in
``T``), so the values are a random point of the solution set of an exact linear system.  Unit
vectors and projections come from lists of candidates.  Whatever comes out is checked against every
relation and assumption before it is used.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import combinations_with_replacement, permutations, product
from typing import TYPE_CHECKING, Any

from flint import fmpq, fmpq_mat

from eostheory.formula import Expr, FormSymbol, Symbol, substitute, symbols_of
from eostheory.formula.tensors import Apply
from eostheory.symbolic.exact import Instance, InstanceError
from eostheory.symbolic.scalars import Undefined, to_fmpq, to_fraction

if TYPE_CHECKING:
    from eostheory.symbolic.model import Model

Generator = Symbol | FormSymbol
_UNITS = (
    (1, 0, 0),
    (0, 1, 0),
    (0, 0, 1),
    (Fraction(3, 5), Fraction(4, 5), 0),
    (Fraction(-4, 5), Fraction(3, 5), 0),
    (Fraction(2, 3), Fraction(2, 3), Fraction(1, 3)),
)
"""Candidates for unit vectors; those that are none in a small size are refused by the check."""


class Builder:
    """Draws tables of values for the generators of a model."""

    def __init__(self, model: Model, rng: random.Random) -> None:
        self.model = model
        self.rng = rng
        self.deadline = float("inf")
        forms = any(isinstance(r[0], Apply) for r in model.relations)
        self.sizes = (2, 3) if forms else (2, 3, 3, 4)

    # ---------------------------------------------------------------- single values
    def number(self, traits: frozenset[str]) -> Fraction:
        """A small rational with the given traits."""
        if "integer" in traits:
            low = 1 if traits & {"positive", "nonzero"} else 0
            return Fraction(self.rng.randint(low, 4))
        value = Fraction(self.rng.randint(1, 12), self.rng.randint(1, 8))
        signed = not traits & {"positive", "nonnegative"}
        return -value if signed and self.rng.random() < 0.5 else value

    def side(self, dim: Any, sizes: dict[str, int]) -> int:
        """The number for a symbolic size, drawn when new."""
        if isinstance(dim, int):
            return dim
        return sizes.setdefault(dim, self.rng.choice(self.sizes))

    def value(self, generator: Generator, sizes: dict[str, int]) -> Any:
        """A random value of the right shape and symmetry."""
        if isinstance(generator, Symbol) and generator.shape == ():
            return self.number(generator.traits)
        basis = self.basis(generator, sizes)
        weights = [Fraction(self.rng.randint(-4, 4)) for _ in basis]
        return combine(weights, basis)

    def basis(self, generator: Generator, sizes: dict[str, int]) -> list[Any]:
        """A basis of the values that a generator may take."""
        if isinstance(generator, FormSymbol):
            return self._form_basis(generator, self.side(generator.dim, sizes))
        shape = [self.side(d, sizes) for d in generator.shape]
        if len(shape) == 1:
            return [tuple(Fraction(int(i == k)) for i in range(shape[0])) for k in range(shape[0])]
        cells = [
            {(i, j), (j, i)} if "symmetric" in generator.traits else {(i, j)}
            for i in range(shape[0])
            for j in range(shape[1])
            if "symmetric" not in generator.traits or i <= j
        ]
        return [
            tuple(
                tuple(Fraction(int((i, j) in cell)) for j in range(shape[1]))
                for i in range(shape[0])
            )
            for cell in cells
        ]

    def _form_basis(self, form: FormSymbol, size: int) -> list[Any]:
        depth = form.arity + 1
        full = form in self.model.kernel.words.symmetric_forms
        groups: list[set[tuple[int, ...]]] = []
        if full:
            for index in combinations_with_replacement(range(size), depth):
                groups.append(set(permutations(index)))
        else:
            for index in combinations_with_replacement(range(size), form.arity):
                for out in range(size):
                    groups.append({(*other, out) for other in permutations(index)})

        def level(group: set[tuple[int, ...]], index: tuple[int, ...]) -> Any:
            if len(index) == depth:
                return Fraction(int(index in group))
            return tuple(level(group, (*index, i)) for i in range(size))

        return [level(group, ()) for group in groups]

    # --------------------------------------------------------------- the whole table
    def draw(self, generators: list[Generator], given: dict[Any, Any]) -> dict[Any, Any]:
        """Values for ``generators``, respecting the relations where they are affine.

        Raises:
            InstanceError: when a linear system has no solution.
        """
        table = dict(given)
        sizes = dict(Instance(table, {}).sizes)
        order = sorted(generators, key=lambda g: (self._rank(g), self.rng.random()))
        pending = list(self.model.relations)
        for generator in order:
            if generator in table:
                continue
            known = set(table) | {generator}
            due = [r for r in pending if self._leaves(r[0], r[1]) <= known]
            due = [r for r in due if generator in self._leaves(r[0], r[1])]
            pending = [r for r in pending if r not in due]
            table[generator] = self._fit(generator, due, table, sizes)
        return table

    def _rank(self, generator: Generator) -> int:
        if isinstance(generator, FormSymbol):
            return 4
        if generator.shape == ():
            return 0
        if len(generator.shape) == 2:
            return 3
        quadratic = any(
            self._leaves(lhs, rhs) == {generator} and self._twice(lhs, generator)
            for lhs, rhs, _ in self.model.relations
        )
        return 1 if quadratic else 2

    @staticmethod
    def _twice(lhs: Expr, symbol: Symbol) -> bool:
        from eostheory.formula import walk
        from eostheory.formula.tensors import Norm

        times = sum(node == symbol for _, node in walk(lhs))
        return times >= 2 or any(isinstance(node, Norm) for _, node in walk(lhs))

    def _leaves(self, lhs: Expr, rhs: Expr) -> set[Generator]:
        symbols, forms = self.model.free(lhs, rhs)
        return (symbols - self.model.patterns) | forms

    def _fit(
        self, generator: Generator, due: list[Any], table: dict[Any, Any], sizes: dict[str, int]
    ) -> Any:
        if not due:
            return self.value(generator, sizes)
        for candidate in self._candidates(generator, due, sizes):
            if not any(self._residual({**table, generator: candidate}, due)):
                return candidate
        if isinstance(generator, Symbol) and generator.shape == ():
            raise InstanceError(f"no value of {generator.name} fits the relations")
        basis = self.basis(generator, sizes)
        origin = combine([Fraction(0)] * len(basis), basis)
        start = self._residual({**table, generator: origin}, due)
        columns = [
            [a - b for a, b in zip(self._residual({**table, generator: unit}, due), start,
                                   strict=True)]
            for unit in basis
        ]  # fmt: skip
        weights = solve_affine(columns, [-x for x in start], self._free_weight)
        if weights is None:
            raise InstanceError(f"no value of {generator.name} fits the relations")
        return combine(weights, basis)

    def _free_weight(self) -> Fraction:
        return Fraction(self.rng.randint(-3, 3))

    def _candidates(
        self, generator: Generator, due: list[Any], sizes: dict[str, int]
    ) -> Iterator[Any]:
        """Unit vectors and coordinate projections, when a relation is quadratic."""
        if isinstance(generator, FormSymbol):
            return
        if not any(self._twice(lhs, generator) for lhs, _, _ in due):
            return
        shape = [self.side(d, sizes) for d in generator.shape]
        if len(shape) == 1:
            units = [tuple(Fraction(x) for x in (*u, *[0] * shape[0])[: shape[0]]) for u in _UNITS]
            self.rng.shuffle(units)
            yield from units
        elif len(shape) == 2 and shape[0] == shape[1]:
            choices = list(product((0, 1), repeat=shape[0]))
            self.rng.shuffle(choices)
            for diagonal in choices:
                if 0 < sum(diagonal) < shape[0]:
                    yield tuple(
                        tuple(Fraction(int(i == j) * diagonal[i]) for j in range(shape[0]))
                        for i in range(shape[0])
                    )

    def _residual(self, table: dict[Any, Any], due: list[Any]) -> list[Fraction]:
        if time.process_time() > self.deadline:
            raise InstanceError("the relations are too many to solve in the time allowed")
        instance = Instance(table, self.model.kernel.definitions)
        flat: list[Fraction] = []
        for lhs, rhs, _ in due:
            patterns = sorted(
                (symbols_of(lhs) | symbols_of(rhs)) & self.model.patterns, key=lambda s: s.name
            )
            for units in unit_vectors(patterns, instance):
                left = instance.evaluate(substitute(lhs, units))
                right = instance.evaluate(substitute(rhs, units))
                flat += _flatten(left, right)
        return flat


def unit_vectors(patterns: list[Symbol], instance: Instance) -> Iterator[dict[Expr, Expr]]:
    """Unit vectors for the patterns of a relation: both of its sides are linear in them."""
    if not patterns:
        yield {}
        return
    sizes = [instance.size(p.shape[0]) for p in patterns]
    for index in product(*(range(n) for n in sizes)):
        table: dict[Expr, Expr] = {}
        for pattern, i, n in zip(patterns, index, sizes, strict=True):
            unit = Symbol(f"unit_{i}_of_{n}", pattern.shape)
            instance.values[unit] = tuple(instance.constant(int(i == j)) for j in range(n))
            table[pattern] = unit
        yield table


def _flatten(left: Any, right: Any) -> list[Fraction]:
    if isinstance(left, tuple):
        return [x for a, b in zip(left, right, strict=True) for x in _flatten(a, b)]
    constant = (left - right).constant
    if constant is None:
        raise Undefined("irrational at a rational point")
    return [to_fraction(constant)]


def combine(weights: list[Fraction], basis: list[Any]) -> Any:
    """``sum weights_i basis_i`` for nested tuples."""
    if isinstance(basis[0], tuple):
        return tuple(combine(weights, [b[i] for b in basis]) for i in range(len(basis[0])))
    return sum((w * b for w, b in zip(weights, basis, strict=True)), Fraction(0))


def solve_affine(
    columns: list[list[Fraction]], target: list[Fraction], free: Callable[[], Fraction]
) -> list[Fraction] | None:
    """A solution of ``sum x_k columns_k = target`` with the free unknowns drawn, or None."""
    rows, size = len(target), len(columns)
    entries = [to_fmpq(c[i]) for i in range(rows) for c in (*columns, target)]
    reduced, rank = fmpq_mat(rows, size + 1, entries).rref()
    pivots: list[int] = []
    for i in range(int(rank)):
        pivot = next(j for j in range(size + 1) if reduced[i, j] != 0)
        if pivot == size:
            return None
        pivots.append(pivot)
    values = [fmpq(0)] * size
    for k in range(size):
        if k not in pivots:
            values[k] = to_fmpq(free())
    for i, pivot in enumerate(pivots):
        rest = reduced[i, size]
        for k in range(size):
            if k not in pivots:
                rest -= reduced[i, k] * values[k]
        values[pivot] = rest
    return [to_fraction(v) for v in values]
