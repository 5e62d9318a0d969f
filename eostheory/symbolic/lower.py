"""From formulas to the normal form and back.

:class:`Kernel` owns one field of scalars and one algebra of words, the definitions and the
relations.  Lowering is cached per sub-formula together with the hypotheses that it used.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from eostheory.formula import Expr, ShapeError, Symbol
from eostheory.formula.nodes import (
    Add,
    Apply,
    Dot,
    Function,
    Identity,
    MatMul,
    Mul,
    Norm,
    Number,
    Outer,
    Power,
    Trace,
    Transpose,
)
from eostheory.symbolic.functions import Functions
from eostheory.symbolic.letters import UNIT, Tensor
from eostheory.symbolic.powers import Powers
from eostheory.symbolic.scalars import Field, Poly
from eostheory.symbolic.signs import Signs
from eostheory.symbolic.words import Words

Value = Poly | Tensor


class CircularDefinition(ValueError):
    """A symbol that is met again while its own definition is lowered."""


class Kernel:
    """The normal form of formulas under definitions and relations."""

    def __init__(self) -> None:
        self.field = Field()
        self.signs = Signs(self.field)
        self.powers = Powers(self.field, self.signs)
        self.functions = Functions(self.field, self.powers, self.signs)
        self.words = Words(self.field)
        self.definitions: dict[Symbol, Expr] = {}
        self._cache: dict[int, tuple[Value, frozenset[str]]] = {}
        self._shared: dict[Any, Expr] = {}
        self._known: dict[int, tuple[Expr, Expr]] = {}
        self.memo: dict[Any, Any] = {}
        self.owed: dict[Symbol, frozenset[str]] = {}
        self._open: set[Symbol] = set()
        self._traits: dict[Symbol, frozenset[str]] = {}

    def forget(self) -> None:
        """Drop cached results; call after every new definition, relation or assumption."""
        self._cache.clear()
        self.memo.clear()
        self.words.clear()
        self.powers.clear()

    # -------------------------------------------------------------------- lowering
    def lower(self, expr: Expr) -> Value:
        """``expr`` in normal form."""
        shared = self.share(expr)
        found = self._cache.get(id(shared))
        if found is None:
            outer, self.field.tags = self.field.tags, set()
            try:
                value = self._lower(shared)
                found = (value, frozenset(self.field.tags))
            finally:
                self.field.tags = outer
            self._cache[id(shared)] = found
        self.field.tags |= found[1]
        return found[0]

    def share(self, expr: Expr) -> Expr:
        """One object for all equal formulas, so that they can be told by identity.

        Hashing a formula costs its size at every node; sharing costs its size once.
        """
        known = self._known.get(id(expr))
        if known is not None and known[0] is expr:
            return known[1]
        if isinstance(expr, Symbol):
            self._check_traits(expr)
        children = expr.children
        if children:
            own = getattr(expr, "name", None) or getattr(expr, "form", None)
            key: Any = (type(expr), own, tuple([id(self.share(c)) for c in children]))
        else:
            key = expr
        shared = self._shared.setdefault(key, expr)
        self._known[id(expr)] = (expr, shared)
        return shared

    def scalar(self, expr: Expr) -> Poly:
        """A scalar formula in normal form."""
        value = self.lower(expr)
        if not isinstance(value, Poly):
            raise ShapeError(f"{expr} has shape {expr.shape}, a scalar was expected")
        return value

    def tensor(self, expr: Expr) -> Tensor:
        """A vector or matrix formula in normal form."""
        value = self.lower(expr)
        if not isinstance(value, Tensor):
            raise ShapeError(f"{expr} is a scalar, a vector or matrix was expected")
        return value

    def _lower(self, expr: Expr) -> Value:
        words, field = self.words, self.field
        match expr:
            case Number(value):
                return field.const(value)
            case Symbol():
                return self._symbol(expr)
            case Identity(dim):
                return words.identity(dim)
            case Add(terms):
                return self._sum([self.lower(t) for t in terms])
            case Mul(factors):
                return self._product([self.lower(f) for f in factors])
            case Power(base, exponent):
                inner = self.scalar(base)
                if isinstance(exponent, Number):
                    return self.powers.power(inner, exponent.value)
                return self.functions.general_power(inner, self.scalar(exponent))
            case MatMul(factors):
                product: Value = self.tensor(factors[0])
                for factor in factors[1:]:
                    assert isinstance(product, Tensor)
                    product = words.matmul(product, self.tensor(factor))
                return product
            case Transpose(arg):
                return words.transpose(self.tensor(arg))
            case Dot(left, right):
                return self.dot(self.tensor(left), self.tensor(right))
            case Norm(arg):
                square = self.square(self.tensor(arg))
                self.powers.note_nonnegative(square)
                return self.powers.power(square, Fraction(1, 2))
            case Trace(arg):
                return words.trace(self.tensor(arg))
            case Outer(left, right):
                outer = words.matmul(self.tensor(left), words.transpose(self.tensor(right)))
                return outer
            case Function(name, arg):
                return self.functions.apply(name, self.scalar(arg))
            case Apply(form, args):
                return words.apply(form, tuple(self.tensor(a) for a in args))
        raise TypeError(f"no normal form for {type(expr).__name__}: {expr}")

    def dot(self, left: Tensor, right: Tensor) -> Poly:
        """The inner product of two vectors."""
        value = self.words.matmul(self.words.transpose(left), right)
        assert isinstance(value, Poly)
        return value

    def square(self, tensor: Tensor) -> Poly:
        """The squared (Frobenius) norm."""
        if tensor.col == UNIT:
            return self.dot(tensor, tensor)
        product = self.words.matmul(self.words.transpose(tensor), tensor)
        assert isinstance(product, Tensor)
        return self.words.trace(product)

    def _sum(self, values: list[Value]) -> Value:
        if isinstance(values[0], Poly):
            return self.field.sum(v for v in values if isinstance(v, Poly))
        total = values[0]
        for value in values[1:]:
            assert isinstance(value, Tensor)
            total = total + value
        return total

    def _product(self, values: list[Value]) -> Value:
        scalar = self.field.const(1)
        big: Tensor | None = None
        for value in values:
            if isinstance(value, Poly):
                scalar = scalar * value
            else:
                big = value
        return scalar if big is None else big.scale(scalar)

    def _check_traits(self, symbol: Symbol) -> None:
        known = self._traits.setdefault(symbol, symbol.traits)
        if known != symbol.traits:
            raise ValueError(
                f"{symbol.name} is declared with traits {sorted(known)} in one place and with "
                f"{sorted(symbol.traits)} in another: make the symbol once and reuse it"
            )

    def _symbol(self, symbol: Symbol) -> Value:
        # what a letter owes to hypotheses counts wherever it occurs
        self.field.tags |= self.owed.get(symbol, frozenset())
        definition = self.definitions.get(symbol)
        if definition is not None:
            if symbol in self._open:
                raise CircularDefinition(f"the definition of {symbol.name} refers to itself")
            self._open.add(symbol)
            try:
                return self.lower(definition)
            finally:
                self._open.discard(symbol)
        if symbol.shape == ():
            return self.field.gen(self.field.atom("symbol", symbol, symbol.traits))
        return self.words.of_symbol(symbol)

    # ------------------------------------------------------------------ comparison
    def minus(self, left: Value, right: Value) -> Value:
        """The difference of two values of one shape."""
        if isinstance(left, Poly) and isinstance(right, Poly):
            return left - right
        assert isinstance(left, Tensor)
        assert isinstance(right, Tensor)
        return left + right.scale(self.field.const(-1))

    def is_zero(self, value: Value) -> bool:
        """Whether a value is zero for every size and every value of the generators (exact)."""
        if isinstance(value, Poly):
            return self.field.is_zero(value)
        return all(self.field.is_zero(c) for c in value.terms.values())

    def parts(self, value: Value) -> list[tuple[Any, Poly]]:
        """``(word, coefficient)`` pairs; the word of a scalar is None."""
        if isinstance(value, Poly):
            return [(None, value)]
        return list(value.terms.items())
