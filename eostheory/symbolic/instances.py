"""Exact instances of a derivation: the author's examples, checked, and random ones."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations_with_replacement, permutations
from typing import TYPE_CHECKING, Any

from eostheory.formula import Expr, FormSymbol, Symbol, substitute, symbols_of
from eostheory.symbolic.building import Builder, unit_vectors
from eostheory.symbolic.exact import Instance, InstanceError, OpenInstance
from eostheory.symbolic.scalars import Undefined

if TYPE_CHECKING:
    from eostheory.symbolic.model import Model

_WANTED, _TRIES, _FILLINGS = 4, 60, 20


class Supply:
    """The checked instances of a model, made when first needed."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.failed: list[str] = []
        self.builder = Builder(model, random.Random(20240229))
        self._made: list[tuple[Instance, dict[Any, Any], str]] | None = None

    def instances(self) -> list[tuple[Instance, dict[Any, Any], str]]:
        """``(instance, its table, where it comes from)``.

        Raises:
            InstanceError: when an example of the author breaks a relation or an assumption.
        """
        if self._made is None:
            self._made = list(self._examples())
            if not self._made and self.model.generic:
                self._made = list(self._random())
        return self._made

    # ------------------------------------------------------------------ author's examples
    def _examples(self) -> Iterator[tuple[Instance, dict[Any, Any], str]]:
        for example in self.model.examples:
            table = dict(example())
            try:
                instance = self.complete(table)
                check(self.model, instance)
            except OpenInstance as error:
                self.failed.append(f"example: {error}")
                continue
            yield instance, table, "example"

    def complete(self, table: dict[Any, Any]) -> Instance:
        """Values for what the table leaves open, respecting the relations where possible.

        Raises:
            InstanceError: when no value is found that satisfies relations and assumptions.
        """
        definitions = self.model.kernel.definitions
        symbols, forms = self._generators()
        wanted = symbols - self.model.landaus | forms
        missing = sorted((g for g in wanted if g not in table), key=lambda g: g.name)
        tied = [g.name for g in missing if g in self._constrained()]
        for attempt in range(_FILLINGS if tied else 1):
            try:
                full = self.builder.draw(missing, table) if missing else table
                instance = Instance(full, definitions)
                if tied:
                    check(self.model, instance)
            except (InstanceError, Undefined) as error:
                if attempt == _FILLINGS - 1 or not tied:
                    raise InstanceError(
                        f"no values of {', '.join(tied)} complete the instance: {error}"
                    ) from error
                continue
            table.update(full)
            return instance
        raise InstanceError(f"no values of {', '.join(tied)} complete the instance")

    # ----------------------------------------------------------------------- random ones
    def _random(self) -> Iterator[tuple[Instance, dict[Any, Any], str]]:
        made = 0
        self.builder.deadline = time.process_time() + self.model.patience
        proposal: dict[Any, Any] = {}
        for attempt in range(_TRIES):
            if time.process_time() > self.builder.deadline:
                self.failed.append("random instance: out of time")
                return
            if attempt == _TRIES // 2 and not made:
                proposal = self._proposal()
            try:
                instance, table = self._draw(proposal)
            except (InstanceError, Undefined, ValueError) as error:
                reason = f"random instance: {error}"
                if reason not in self.failed and len(self.failed) < 3:
                    self.failed.append(reason)
                continue
            yield instance, table, "random rationals"
            made += 1
            if made == _WANTED:
                return

    def _draw(self, proposal: dict[Any, Any]) -> tuple[Instance, dict[Any, Any]]:
        definitions = self.model.kernel.definitions
        solved = self._solved_symbols()
        symbols, forms = self._generators()
        wanted = sorted((symbols - set(solved) - self.model.landaus) | forms, key=lambda g: g.name)
        table = self.builder.draw(wanted, {g: v for g, v in proposal.items() if g in wanted})
        draft = Instance(table, {**definitions, **solved})
        for symbol in solved:
            table[symbol] = draft.evaluate(symbol)
        table = _rational(table)
        instance = Instance(table, definitions)
        check(self.model, instance)
        return instance, table

    def _proposal(self) -> dict[Any, Any]:
        """Scalars that satisfy the assumptions, from Z3."""
        from eostheory.symbolic.solving import assumptions, solve

        if not self.model.assumptions:
            return {}
        try:
            query = solve(self.model, assumptions(self.model), self.model.patience)
        except (ValueError, Undefined):
            return {}
        field = self.model.kernel.field
        return {
            field.atoms[a].key: v
            for a, v in query.values.items()
            if field.atoms[a].kind == "symbol"
        }

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
            if model.free(symbol)[0] & model.landaus:
                continue  # as good as the author's word: a remainder has no value to check with
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
        for table in unit_vectors(patterns, instance):
            left = instance.evaluate(substitute(lhs, table))
            right = instance.evaluate(substitute(rhs, table))
            if instance.compare(left, right) != "same":
                raise InstanceError(f"the relation {lhs} -> {rhs} (by {name}) does not hold")
    for condition, name in model.assumptions:
        gap = instance.evaluate(condition.lhs) - instance.evaluate(condition.rhs)
        if instance.sign(gap) not in _GOOD[condition.relation]:
            raise InstanceError(f"the assumption {condition} (by {name or 'domain'}) does not hold")


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
