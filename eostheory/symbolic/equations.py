"""Deciding equations: the difference is zero in normal form, or an exact witness refutes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eostheory.formula import Equation, Expr
from eostheory.symbolic.decision import Decision

if TYPE_CHECKING:
    from eostheory.symbolic.model import Model


def decide_equation(model: Model, statement: Equation, refute: bool = True) -> Decision:
    """``holds`` for every size when the normal forms agree; ``fails`` only with a witness."""
    kernel = model.kernel
    outer, kernel.field.tags = kernel.field.tags, set()
    try:
        left = kernel.lower(statement.lhs)
        right = kernel.lower(statement.rhs)
        difference = kernel.minus(left, right)
        zero = kernel.is_zero(difference)
        used = frozenset(kernel.field.tags - {""})
    finally:
        kernel.field.tags = outer
    derived = derived_side(model, statement.lhs)
    if zero:
        terms = sum(len(c.terms) for _, c in kernel.parts(left))
        certificate = {"kind": "normal form", "terms": terms}
        return Decision("holds", "proved", "normal form", certificate, None, derived, used)
    witness = None
    tried: tuple[str, ...] = ("normal form: the sides differ",)
    if refute:
        from eostheory.symbolic import witnesses

        witness, more = witnesses.refute(model, statement)
        tried = (*tried, *more)
    if witness is not None:
        return Decision("fails", "proved", witness["how"], {}, witness, derived, used, tried)
    return Decision("undecided", "proved", "", {}, None, derived, used, tried)


def derived_side(model: Model, lhs: Expr) -> Expr | None:
    """The derivation's own value of the left-hand side, when it has one."""
    memo = model.kernel.memo
    key = ("derived", id(lhs))
    found = memo.get(key)
    if found is None or found[0] is not lhs:
        normal = model.normal(lhs)
        found = memo[key] = (lhs, None if normal == lhs else normal)
    derived: Expr | None = found[1]
    return derived
