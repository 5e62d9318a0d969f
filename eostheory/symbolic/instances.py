"""Exact instances of a derivation: the author's examples, checked, and random ones."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations_with_replacement, permutations, product
from typing import TYPE_CHECKING, Any

from eostheory.formula import Expr, FormSymbol, Symbol, substitute, symbols_of
from eostheory.symbolic.exact import Instance, InstanceError
from eostheory.symbolic.scalars import Undefined

if TYPE_CHECKING:
    from eostheory.symbolic.model import Model

_WANTED, _TRIES = 4, 60


class Supply:
    """The checked instances of a model, made when first needed."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.failed: list[str] = []
        self.rng = random.Random(20240229)
        self._made: list[tuple[Instance, dict[Any, Any], str]] | None = None

    def instances(self) -> list[tuple[Instance, dict[Any, Any], str]]:
        """``(instance, its table, where it comes from)``.

        Raises:
            InstanceError: when an example of the author breaks a relation or an assumption.
        """
        if self._made is None:
            self._made = list(self._examples())
            if not self._made:
                self._made = list(self._random())
        return self._made

    # ------------------------------------------------------------------ author's examples
    def _examples(self) -> Iterator[tuple[Instance, dict[Any, Any], str]]:
        for example in self.model.examples:
            table = dict(example())
            instance = self.complete(table)
            check(self.model, instance)
            yield instance, table, "example"

    def complete(self, table: dict[Any, Any]) -> Instance:
        """Fill in what no relation and no assumption mentions."""
        instance = Instance(table, self.model.kernel.definitions)
        symbols, forms = self._generators()
        bound = self._constrained()
        missing = [s for s in symbols if s not in table and s not in self.model.kernel.definitions]
        for symbol in sorted(missing, key=lambda s: s.name):
            if symbol not in bound and symbol not in self.model.landaus:
                table[symbol] = self._value(symbol, instance.sizes)
        for form in sorted(forms, key=lambda f: f.name):
            if form not in table and form not in bound:
                table[form] = self._tensor(form, instance.sizes)
        return Instance(table, self.model.kernel.definitions)

    # ----------------------------------------------------------------------- random ones
    def _random(self) -> Iterator[tuple[Instance, dict[Any, Any], str]]:
        made = 0
        for _ in range(_TRIES):
            try:
                sizes: dict[str, int] = {}
                table: dict[Any, Any] = {}
                solved = self._solved_symbols()
                symbols, forms = self._generators()
                for symbol in sorted(symbols, key=lambda s: s.name):
                    if symbol not in solved and symbol not in self.model.landaus:
                        table[symbol] = self._value(symbol, sizes)
                for form in sorted(forms, key=lambda f: f.name):
                    table[form] = self._tensor(form, sizes)
                draft = Instance(table, {**self.model.kernel.definitions, **solved})
                for symbol in solved:
                    table[symbol] = draft.evaluate(symbol)
                    draft.text(table[symbol])
                instance = Instance(_rational(table), self.model.kernel.definitions)
                check(self.model, instance)
            except (InstanceError, Undefined, ValueError) as error:
                reason = f"random instance: {error}"
                if reason not in self.failed and len(self.failed) < 3:
                    self.failed.append(reason)
                continue
            yield instance, table, "random rationals"
            made += 1
            if made == _WANTED:
                return

    def _solved_symbols(self) -> dict[Symbol, Expr]:
        """Relations ``symbol -> formula`` fix the symbol."""
        return {lhs: rhs for lhs, rhs, _ in self.model.relations if isinstance(lhs, Symbol)}

    def _generators(self) -> tuple[set[Symbol], set[FormSymbol]]:
        model = self.model
        exprs = [e for lhs, rhs, _ in model.relations for e in (lhs, rhs)]
        exprs += [e for c, _ in model.assumptions for e in (c.lhs, c.rhs)]
        exprs += list(model.kernel.definitions.values())
        exprs += list(model.seen)
        symbols, forms = model.free(*exprs)
        return symbols - model.patterns, forms

    def _constrained(self) -> set[Any]:
        model = self.model
        exprs = [e for lhs, rhs, _ in model.relations for e in (lhs, rhs)]
        exprs += [e for c, _ in model.assumptions for e in (c.lhs, c.rhs)]
        symbols, forms = model.free(*exprs)
        return symbols | forms

    def _number(self, traits: frozenset[str]) -> Fraction:
        if "integer" in traits:
            low = 1 if traits & {"positive", "nonzero"} else 0
            return Fraction(self.rng.randint(low, 4))
        value = Fraction(self.rng.randint(1, 12), self.rng.randint(1, 8))
        signed = not traits & {"positive", "nonnegative"}
        return -value if signed and self.rng.random() < 0.5 else value

    def _value(self, symbol: Symbol, sizes: dict[str, int]) -> Any:
        if symbol.shape == ():
            return self._number(symbol.traits)
        shape = [self._side(d, sizes) for d in symbol.shape]
        if len(shape) == 1:
            return tuple(Fraction(self.rng.randint(-4, 4)) for _ in range(shape[0]))
        rows = [
            [Fraction(self.rng.randint(-4, 4)) for _ in range(shape[1])] for _ in range(shape[0])
        ]
        if "symmetric" in symbol.traits:
            for i in range(shape[0]):
                for j in range(i):
                    rows[i][j] = rows[j][i]
        return tuple(tuple(row) for row in rows)

    def _side(self, dim: Any, sizes: dict[str, int]) -> int:
        if isinstance(dim, int):
            return dim
        return sizes.setdefault(dim, 2 + len(sizes) % 3 if sizes else 3)

    def _tensor(self, form: FormSymbol, sizes: dict[str, int]) -> Any:
        size = self._side(form.dim, sizes)
        full = form in self.model.kernel.words.symmetric_forms
        table: dict[tuple[int, ...], Fraction] = {}
        depth = form.arity + 1
        for index in product(range(size), repeat=depth):
            head = tuple(sorted(index)) if full else (*sorted(index[:-1]), index[-1])
            if head not in table:
                table[head] = Fraction(self.rng.randint(-3, 3))
            table[index] = table[head]

        def level(index: tuple[int, ...]) -> Any:
            if len(index) == depth:
                return table[index]
            return tuple(level((*index, i)) for i in range(size))

        return level(())


def _rational(table: dict[Any, Any]) -> dict[Any, Any]:
    """Values of one instance for another: scalars must be rational."""

    def number(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(number(v) for v in value)
        constant = getattr(value, "constant", value)
        if constant is None:
            raise InstanceError("a symbol fixed by a relation is irrational at random values")
        return Fraction(int(constant.p), int(constant.q)) if hasattr(constant, "p") else constant

    return {key: number(value) for key, value in table.items()}


# ------------------------------------------------------------------------------ checking
_GOOD = {">": {"+"}, ">=": {"+", "0"}, "<": {"-"}, "<=": {"-", "0"}, "!=": {"+", "-"}}
_TRAITS = {"positive": {"+"}, "nonnegative": {"+", "0"}, "nonzero": {"+", "-"}}


def check(model: Model, instance: Instance) -> None:
    """Every trait, relation and assumption, exactly.

    Raises:
        InstanceError: naming the first one that fails.
    """
    for symbol, value in instance.values.items():
        for trait in symbol.traits & set(_TRAITS):
            if instance.sign(value) not in _TRAITS[trait]:
                raise InstanceError(f"{symbol.name} is declared {trait}, not so in the instance")
        if "integer" in symbol.traits:
            constant = value.constant
            if constant is None or constant.q != 1:
                raise InstanceError(f"{symbol.name} is declared integer, not so in the instance")
    for symbol in model.kernel.definitions:
        if symbol.traits and symbol.shape == ():
            value = instance.evaluate(symbol)
            for trait in symbol.traits & set(_TRAITS):
                if instance.sign(value) not in _TRAITS[trait]:
                    raise InstanceError(f"{symbol.name} is declared {trait}; its value is not")
    for form in model.kernel.words.symmetric_forms:
        if form in instance.forms:
            _check_full_symmetry(form, instance)
    for lhs, rhs, name in model.relations:
        patterns = sorted(
            (symbols_of(lhs) | symbols_of(rhs)) & model.patterns, key=lambda s: s.name
        )
        for table in _units(patterns, instance):
            left = instance.evaluate(substitute(lhs, table))
            right = instance.evaluate(substitute(rhs, table))
            if instance.compare(left, right) != "same":
                raise InstanceError(f"the relation {lhs} -> {rhs} (by {name}) does not hold")
    for condition, name in model.assumptions:
        gap = instance.evaluate(condition.lhs) - instance.evaluate(condition.rhs)
        if instance.sign(gap) not in _GOOD[condition.relation]:
            raise InstanceError(f"the assumption {condition} (by {name or 'domain'}) does not hold")


def _units(patterns: list[Symbol], instance: Instance) -> Iterator[dict[Expr, Expr]]:
    """Unit vectors for the patterns: both sides are linear in them."""
    if not patterns:
        yield {}
        return
    sizes = [instance._size(p.shape[0]) for p in patterns]
    for index in product(*(range(n) for n in sizes)):
        table: dict[Expr, Expr] = {}
        for pattern, i, n in zip(patterns, index, sizes, strict=True):
            unit = Symbol(f"unit_{i}_of_{n}", pattern.shape)
            instance.values[unit] = tuple(instance.constant(int(i == j)) for j in range(n))
            table[pattern] = unit
        yield table


def _check_full_symmetry(form: FormSymbol, instance: Instance) -> None:
    tensor = instance.forms[form]

    def entry(index: tuple[int, ...]) -> Any:
        value = tensor
        for i in index:
            value = value[i]
        return value

    for index in combinations_with_replacement(range(len(tensor)), form.arity + 1):
        if len({entry(other) for other in permutations(index)}) != 1:
            raise InstanceError(f"the form {form.name} is not fully symmetric at {index}")
