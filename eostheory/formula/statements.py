"""Statements as data: what a paper says, before anybody judges it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from eostheory.formula.latex import to_latex
from eostheory.formula.nodes import Expr, ShapeError

Relation = Literal["<=", "<", ">=", ">", "!="]

_LATEX = {"<=": r"\le", "<": "<", ">=": r"\ge", ">": ">", "!=": r"\ne"}


@dataclass(frozen=True)
class Equation:
    """``lhs = rhs`` for every value of the symbols that the hypotheses allow."""

    lhs: Expr
    rhs: Expr

    def __post_init__(self) -> None:
        _same_shape(self.lhs, self.rhs)

    @property
    def latex(self) -> str:
        return f"{to_latex(self.lhs)} = {to_latex(self.rhs)}"

    def __str__(self) -> str:
        return f"{self.lhs} = {self.rhs}"


@dataclass(frozen=True)
class Inequality:
    """``lhs relation rhs`` between scalars, for every allowed value of the symbols."""

    lhs: Expr
    relation: Relation
    rhs: Expr

    def __post_init__(self) -> None:
        _same_shape(self.lhs, self.rhs)
        if self.lhs.shape != ():
            raise ShapeError(f"inequality between {self.lhs} and {self.rhs}: both must be scalars")
        if self.relation not in _LATEX:
            raise ValueError(f"unknown relation {self.relation!r}; known: {', '.join(_LATEX)}")

    @property
    def latex(self) -> str:
        return f"{to_latex(self.lhs)} {_LATEX[self.relation]} {to_latex(self.rhs)}"

    def __str__(self) -> str:
        return f"{self.lhs} {self.relation} {self.rhs}"


@dataclass(frozen=True)
class OrderBound:
    """``lhs = rhs + O(order)`` as the small symbols of ``order`` tend to zero.

    Args:
        order: a monomial in scalar symbols, e.g. ``alpha * h**2 * eta**3``.  An order may be a
            sum of monomials, ``(1 + h**2) * eta**2``.
    """

    lhs: Expr
    rhs: Expr
    order: Expr

    def __post_init__(self) -> None:
        _same_shape(self.lhs, self.rhs)
        if self.order.shape != ():
            raise ShapeError(f"the order {self.order} must be a scalar")

    @property
    def latex(self) -> str:
        return (
            f"{to_latex(self.lhs)} = {to_latex(self.rhs)} + O\\left({to_latex(self.order)}\\right)"
        )

    def __str__(self) -> str:
        return f"{self.lhs} = {self.rhs} + O({self.order})"


@dataclass(frozen=True)
class Predicate:
    """A named property of some expressions that is no equation or bound (``unique zero``).

    Each witness brings its own decision procedure for ``name``; the statement only carries the
    arguments, which is what mutation changes.
    """

    name: str
    args: tuple[Expr, ...]
    text: str = field(default="", compare=False)

    @property
    def latex(self) -> str:
        inside = r",\; ".join(to_latex(a) for a in self.args)
        return rf"\text{{{self.text or self.name}}}:\; {inside}"

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.args))})"


Statement = Equation | Inequality | OrderBound | Predicate


def _same_shape(lhs: Expr, rhs: Expr) -> None:
    if lhs.shape != rhs.shape:
        raise ShapeError(f"{lhs} has shape {lhs.shape}, but {rhs} has shape {rhs.shape}")
