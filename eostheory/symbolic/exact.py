"""Formulas evaluated on an exact instance, component by component.

This evaluator shares nothing with the words: it multiplies matrices entry by entry.  Entries are
scalars of a fresh field (rationals, fractional powers of primes, functions of constants), so that
equality is decided exactly; inequality is certified by a ball that excludes zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import permutations, product
from typing import Any

from eostheory.formula import Expr, FormSymbol, Symbol
from eostheory.formula.core import Add, Dim, Function, Mul, Number, Power
from eostheory.formula.tensors import (
    Apply,
    Dot,
    Identity,
    MatMul,
    Norm,
    Outer,
    Trace,
    Transpose,
)
from eostheory.symbolic.balls import sign_of_constant
from eostheory.symbolic.lower import Kernel
from eostheory.symbolic.scalars import Poly

Entries = Any
"""A :class:`Poly`, or nested tuples of them."""


class InstanceError(ValueError):
    """An instance that does not fit the symbols, the relations or the assumptions."""


class OpenInstance(InstanceError):
    """An instance that leaves a symbol open (a remainder letter, say)."""


class Instance:
    """Exact values for the free symbols and forms, with concrete sizes.

    Args:
        table: values (int, Fraction, sympy number, constant formula, nested tuples of these);
            a form has nested tuples of depth ``arity + 1`` or a callable of Fraction vectors.
        definitions: the model's definitions, evaluated when needed.
    """

    def __init__(self, table: Mapping[Any, Any], definitions: Mapping[Symbol, Expr]) -> None:
        self.kernel = Kernel()
        self.kernel.signs.oracle = self._oracle
        self.definitions = definitions
        self.sizes: dict[str, int] = {}
        self.values: dict[Symbol, Entries] = {}
        self.forms: dict[FormSymbol, Entries] = {}
        self._memo: dict[Expr, Entries] = {}
        for symbol, value in table.items():
            if isinstance(symbol, Symbol):
                self.values[symbol] = self._entries(value, symbol)
        for form, value in table.items():
            if isinstance(form, FormSymbol):
                self.forms[form] = self._form(form, value)

    def _oracle(self, poly: Poly) -> tuple[str, frozenset[str]]:
        return sign_of_constant(self.kernel.field, poly), frozenset()

    # -------------------------------------------------------------------- the table
    def constant(self, value: Any) -> Poly:
        """An exact number as a scalar."""
        if isinstance(value, Poly):
            return value
        if isinstance(value, int | Fraction):
            return self.kernel.field.const(value)
        if isinstance(value, Expr):
            return self.kernel.scalar(value)
        if hasattr(value, "free_symbols"):
            from eostheory.symbolic.convert import from_sympy

            if value.free_symbols:
                raise InstanceError(f"{value} is not a number")
            return self.kernel.scalar(from_sympy(value, {}))
        raise InstanceError(
            f"{value!r} ({type(value).__name__}) is no exact number: use an int, a Fraction, a "
            "sympy number or a constant formula"
        )

    def _entries(self, value: Any, symbol: Symbol) -> Entries:
        shape = symbol.shape
        entries = self._nested(value, len(shape), symbol.name)
        self._fit(symbol.name, shape, entries)
        if "symmetric" in symbol.traits and entries != _transpose(entries):
            raise InstanceError(f"{symbol.name} is declared symmetric, its value is not")
        return entries

    def _nested(self, value: Any, depth: int, name: str) -> Entries:
        if depth == 0:
            return self.constant(value)
        try:
            return tuple(self._nested(v, depth - 1, name) for v in value)
        except TypeError:
            raise InstanceError(f"{name} needs {depth} levels of tuples, got {value!r}") from None

    def _fit(self, name: str, shape: tuple[Dim, ...], entries: Entries) -> None:
        for side in shape:
            have = len(entries)
            want = side if isinstance(side, int) else self.sizes.setdefault(side, have)
            if have != want:
                raise InstanceError(f"{name} has a side of {have}, but {side} is {want}")
            entries = entries[0]

    def _form(self, form: FormSymbol, value: Any) -> Entries:
        size = form.dim if isinstance(form.dim, int) else self.sizes.get(form.dim)
        if size is None:
            raise InstanceError(f"give a vector of size {form.dim} before the form {form.name}")
        if callable(value):
            units = [tuple(Fraction(int(i == j)) for i in range(size)) for j in range(size)]
            value = _tabulate(value, units, form.arity)
        entries = self._nested(value, form.arity + 1, form.name)
        self._fit(form.name, (form.dim,) * (form.arity + 1), entries)
        for index in product(range(size), repeat=form.arity):
            for other in permutations(index):
                if _at(entries, index) != _at(entries, other):
                    raise InstanceError(f"the form {form.name} is not symmetric at {index}")
        return entries

    # -------------------------------------------------------------------- evaluation
    def evaluate(self, expr: Expr) -> Entries:
        """The exact value of a formula.

        Raises:
            InstanceError: when a symbol has no value.
            Undefined: where the formula has none.
        """
        found = self._memo.get(expr)
        if found is None:
            found = self._evaluate(expr)
            self._memo[expr] = found
        return found

    def _evaluate(self, expr: Expr) -> Entries:
        field, get = self.kernel.field, self.evaluate
        match expr:
            case Number(value):
                return field.const(value)
            case Symbol():
                if expr in self.values:
                    return self.values[expr]
                if expr in self.definitions:
                    return get(self.definitions[expr])
                raise OpenInstance(f"the instance gives no value for {expr.name}")
            case Identity(dim):
                size = self.size(dim)
                return tuple(
                    tuple(field.const(int(i == j)) for j in range(size)) for i in range(size)
                )
            case Add(terms):
                return _sum([get(t) for t in terms])
            case Mul(factors) if expr.shape != () and Number(Fraction(0)) in factors:
                return self._zeros(expr.shape)
            case Mul(factors):
                return self._product([(f.shape, get(f)) for f in factors])
            case Power(base, exponent):
                return self.kernel.functions.general_power(get(base), get(exponent))
            case MatMul(factors):
                value = get(factors[0])
                for factor in factors[1:]:
                    value = self._matmul(value, get(factor))
                return value
            case Transpose(arg):
                return _transpose(get(arg))
            case Dot(left, right):
                return self._dot(get(left), get(right))
            case Norm(arg):
                value = get(arg)
                flat = value if len(arg.shape) == 1 else tuple(x for row in value for x in row)
                return self.kernel.powers.power(self._dot(flat, flat), Fraction(1, 2))
            case Trace(arg):
                value = get(arg)
                return field.sum(value[i][i] for i in range(len(value)))
            case Outer(left, right):
                a, b = get(left), get(right)
                return tuple(tuple(x * y for y in b) for x in a)
            case Function(name, arg):
                return self.kernel.functions.apply(name, get(arg))
            case Apply(form, args):
                return self._apply(form, [get(a) for a in args])
        raise TypeError(f"cannot evaluate {type(expr).__name__}")

    def _zeros(self, shape: tuple[Dim, ...]) -> Entries:
        if not shape:
            return self.kernel.field.zero
        return tuple(self._zeros(shape[1:]) for _ in range(self.size(shape[0])))

    def size(self, dim: Dim) -> int:
        """The number for a side; an open size is three."""
        return dim if isinstance(dim, int) else self.sizes.setdefault(dim, 3)

    def _product(self, factors: list[tuple[tuple[Dim, ...], Entries]]) -> Entries:
        scalar = self.kernel.field.const(1)
        big: Entries = None
        for shape, value in factors:
            if shape == ():
                scalar = scalar * value
            else:
                big = value
        return scalar if big is None else _scale(big, scalar)

    def _dot(self, a: Entries, b: Entries) -> Poly:
        return self.kernel.field.sum(x * y for x, y in zip(a, b, strict=True))

    def _matmul(self, a: Entries, b: Entries) -> Entries:
        if isinstance(b[0], tuple):
            columns = _transpose(b)
            return tuple(tuple(self._dot(row, column) for column in columns) for row in a)
        return tuple(self._dot(row, b) for row in a)

    def _apply(self, form: FormSymbol, args: list[Entries]) -> Entries:
        if form not in self.forms:
            raise OpenInstance(f"the instance gives no value for the form {form.name}")
        tensor = self.forms[form]
        size = len(tensor)
        total = [self.kernel.field.zero] * size
        for index in product(range(size), repeat=form.arity):
            coefficient = self.kernel.field.const(1)
            for arg, i in zip(args, index, strict=True):
                coefficient = coefficient * arg[i]
            if coefficient.terms:
                out = _at(tensor, index)
                total = [t + coefficient * x for t, x in zip(total, out, strict=True)]
        return tuple(total)

    # -------------------------------------------------------------------- comparison
    def sign(self, value: Poly) -> str:
        """``0``, ``+`` or ``-`` exactly, else ``?``."""
        if self.kernel.field.is_zero(value):
            return "0"
        return sign_of_constant(self.kernel.field, value)

    def compare(self, left: Entries, right: Entries) -> str:
        """``same`` (exactly), ``differ`` (a ball excludes zero) or ``?``."""
        if isinstance(left, tuple):
            verdicts = {self.compare(a, b) for a, b in zip(left, right, strict=True)}
            if "differ" in verdicts:
                return "differ"
            return "?" if "?" in verdicts else "same"
        sign = self.sign(left - right)
        return {"0": "same", "?": "?"}.get(sign, "differ")

    def text(self, value: Entries) -> Any:
        """Exact values as strings, nested like the value."""
        if isinstance(value, tuple):
            return [self.text(v) for v in value]
        from eostheory.symbolic.lift import Lift

        return str(Lift(self.kernel.field, self.kernel.words).poly(value))


def _at(entries: Entries, index: tuple[int, ...]) -> Entries:
    for i in index:
        entries = entries[i]
    return entries


def _tabulate(form: Callable[..., Any], units: list[Any], arity: int) -> Any:
    def level(chosen: tuple[Any, ...]) -> Any:
        if len(chosen) == arity:
            return form(*chosen)
        return tuple(level((*chosen, unit)) for unit in units)

    return level(())


def _transpose(entries: Entries) -> Entries:
    return tuple(zip(*entries, strict=True))


def _sum(values: list[Entries]) -> Entries:
    first = values[0]
    if isinstance(first, tuple):
        return tuple(_sum([v[i] for v in values]) for i in range(len(first)))
    return first.field.sum(values)


def _scale(value: Entries, factor: Poly) -> Entries:
    if isinstance(value, tuple):
        return tuple(_scale(v, factor) for v in value)
    return value * factor
