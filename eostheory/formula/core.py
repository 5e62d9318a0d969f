"""Typed expressions: the one language in which statements are written.

An :class:`Expr` is inert data.  Nothing is simplified, sorted or cancelled, so that a formula
stays exactly as a paper prints it, mistakes included.  Every node knows its shape, and an
ill-shaped expression is an error at construction.  The two witnesses give the symbols their
meaning: the derivation an exact one, the simulation a measured one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

Dim = int | str
"""One side of a shape: a number, or the name of a symbolic size."""

Shape = tuple[Dim, ...]
"""``()`` is a scalar, ``(n,)`` a vector, ``(m, n)`` a matrix."""

Operand: TypeAlias = "Expr | int | Fraction"
"""What Python's operators accept beside an expression."""

FUNCTIONS = ("log", "exp", "sqrt", "abs", "sign", "lambertw", "lambertwm1", "sin", "cos", "tanh")
"""Scalar functions that both witnesses can evaluate (``lambertwm1`` is the branch W_{-1})."""


class ShapeError(TypeError):
    """An expression whose parts do not fit together."""


class Expr:
    """A node; immutable, hashable, with a ``shape``."""

    @property
    def shape(self) -> Shape:
        raise NotImplementedError

    @property
    def children(self) -> tuple[Expr, ...]:
        """The sub-expressions, in printing order."""
        return ()

    def rebuild(self, children: tuple[Expr, ...]) -> Expr:
        """The same node over other children (re-checked for shape)."""
        if children:
            raise ShapeError(f"{self} has no children to replace")
        return self

    # Python's operators build; they never evaluate.
    def __add__(self, other: Operand) -> Expr:
        return add(self, other)

    def __radd__(self, other: Operand) -> Expr:
        return add(other, self)

    def __sub__(self, other: Operand) -> Expr:
        return add(self, -as_expr(other))

    def __rsub__(self, other: Operand) -> Expr:
        return add(other, -self)

    def __neg__(self) -> Expr:
        if isinstance(self, Number):
            return Number(-self.value)
        if isinstance(self, Mul) and isinstance(self.factors[0], Number):
            value = -self.factors[0].value
            rest = self.factors[1:]
            if value == 1:
                return rest[0] if len(rest) == 1 else Mul(rest)
            return Mul((Number(value), *rest))
        return mul(-1, self)

    def __mul__(self, other: Operand) -> Expr:
        return mul(self, other)

    def __rmul__(self, other: Operand) -> Expr:
        return mul(other, self)

    def __truediv__(self, other: Operand) -> Expr:
        other = as_expr(other)
        if isinstance(other, Number) and isinstance(self, Number):
            return Number(self.value / other.value)
        return mul(self, Power(other, Number(Fraction(-1))))

    def __rtruediv__(self, other: Operand) -> Expr:
        return as_expr(other) / self

    def __pow__(self, other: Operand) -> Expr:
        return Power(self, as_expr(other))

    def __matmul__(self, other: Expr) -> Expr:
        from eostheory.formula.tensors import matmul

        return matmul(self, other)

    @property
    def T(self) -> Expr:
        """Transpose of a matrix."""
        from eostheory.formula.tensors import transpose

        return transpose(self)

    def __str__(self) -> str:
        from eostheory.formula.text import to_text

        return to_text(self)

    def __repr__(self) -> str:
        return f"<{self}>"

    def _repr_latex_(self) -> str:
        from eostheory.formula.latex import to_latex

        return f"${to_latex(self)}$"


def as_expr(value: object) -> Expr:
    """``value`` as an expression; whole numbers and fractions become :class:`Number`.

    Raises:
        TypeError: for anything else, floats among them: a statement has exact coefficients.
    """
    if isinstance(value, Expr):
        return value
    if isinstance(value, int | Fraction) and not isinstance(value, bool):
        return Number(Fraction(value))
    raise TypeError(
        f"{value!r} ({type(value).__name__}) is no part of a formula: "
        "use an Expr, an int or a Fraction (floats are not exact)"
    )


@dataclass(frozen=True, repr=False)
class Number(Expr):
    """An exact rational constant."""

    value: Fraction

    @property
    def shape(self) -> Shape:
        return ()


@dataclass(frozen=True, repr=False)
class Symbol(Expr):
    """A named quantity.  Two symbols are the same when name and shape agree.

    Args:
        name: plain identifier, spelled out (``eta``, ``w_next``).
        dims: its shape.
        latex: how the paper prints it (default: the name).
        traits: of a scalar: ``positive``, ``nonnegative``, ``nonzero``, ``integer``;
            of a matrix: ``symmetric``.
    """

    name: str
    dims: Shape = ()
    latex: str = field(default="", compare=False)
    traits: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def shape(self) -> Shape:
        return self.dims


@dataclass(frozen=True, repr=False)
class Add(Expr):
    """A sum of terms of one shape."""

    terms: tuple[Expr, ...]

    def __post_init__(self) -> None:
        first = self.terms[0].shape
        for term in self.terms[1:]:
            if term.shape != first:
                raise ShapeError(
                    f"cannot add {self.terms[0]} of shape {first} and {term} of shape {term.shape}"
                )

    @property
    def shape(self) -> Shape:
        return self.terms[0].shape

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.terms

    def rebuild(self, children: tuple[Expr, ...]) -> Expr:
        return Add(children)


@dataclass(frozen=True, repr=False)
class Mul(Expr):
    """A product of scalars and at most one vector or matrix."""

    factors: tuple[Expr, ...]

    def __post_init__(self) -> None:
        big = [f for f in self.factors if f.shape != ()]
        if len(big) > 1:
            raise ShapeError(
                f"{' and '.join(map(str, big))}: use @ between matrices, dot() between vectors"
            )

    @property
    def shape(self) -> Shape:
        return next((f.shape for f in self.factors if f.shape != ()), ())

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.factors

    def rebuild(self, children: tuple[Expr, ...]) -> Expr:
        return Mul(children)


@dataclass(frozen=True, repr=False)
class Power(Expr):
    """A scalar to a scalar power."""

    base: Expr
    exponent: Expr

    def __post_init__(self) -> None:
        if self.base.shape != () or self.exponent.shape != ():
            raise ShapeError(f"({self.base}) ** ({self.exponent}): both must be scalars")

    @property
    def shape(self) -> Shape:
        return ()

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.base, self.exponent)

    def rebuild(self, children: tuple[Expr, ...]) -> Expr:
        return Power(*children)


@dataclass(frozen=True, repr=False)
class Function(Expr):
    """A named scalar function of a scalar (one of :data:`FUNCTIONS`)."""

    name: str
    arg: Expr

    def __post_init__(self) -> None:
        if self.name not in FUNCTIONS:
            raise ValueError(f"unknown function {self.name!r}; known: {', '.join(FUNCTIONS)}")
        if self.arg.shape != ():
            raise ShapeError(f"{self.name} of {self.arg} of shape {self.arg.shape}")

    @property
    def shape(self) -> Shape:
        return ()

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.arg,)

    def rebuild(self, children: tuple[Expr, ...]) -> Expr:
        return Function(self.name, *children)


def add(*terms: Operand) -> Expr:
    """A flat sum of ``terms``."""
    flat: list[Expr] = []
    for term in map(as_expr, terms):
        flat.extend(term.terms if isinstance(term, Add) else (term,))
    return Add(tuple(flat))


def mul(*factors: Operand) -> Expr:
    """A flat product of ``factors``."""
    flat: list[Expr] = []
    for factor in map(as_expr, factors):
        flat.extend(factor.factors if isinstance(factor, Mul) else (factor,))
    return Mul(tuple(flat))
