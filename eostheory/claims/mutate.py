"""Small changes of a statement that must turn its verdict.

A verdict that survives a changed coefficient was not earned.  Mutation knows nothing of what a
statement means: it walks the expression and changes one thing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from eostheory.formula.nodes import (
    Add,
    Expr,
    Function,
    MatMul,
    Mul,
    Number,
    Power,
    ShapeError,
    Symbol,
    Transpose,
    replace_at,
    walk,
)
from eostheory.formula.statements import (
    Equation,
    Inequality,
    OrderBound,
    Predicate,
    Relation,
    Statement,
)

_REVERSED: dict[Relation, Relation] = {"<=": ">", "<": ">=", ">=": "<", ">": "<=", "!=": "!="}
_SCALES = (("x2", Fraction(2)), ("x1/2", Fraction(1, 2)), ("x1.001", Fraction(1001, 1000)))


@dataclass(frozen=True)
class Mutant:
    """One changed statement.  ``kind`` groups mutants so that a sample covers every kind."""

    name: str
    kind: str
    statement: Statement


def mutants(statement: Statement, limit: int | None = None) -> list[Mutant]:
    """The mutants of ``statement``, without repetitions, at most ``limit`` of them.

    A sample takes kinds in turn and spreads over the statement, so that it is deterministic and
    no kind is left out.
    """
    seen: set[Statement] = {statement}
    found: list[Mutant] = []
    for mutant in _all(statement):
        if mutant.statement not in seen:
            seen.add(mutant.statement)
            found.append(mutant)
    if limit is None or len(found) <= limit:
        return found
    by_kind: dict[str, list[Mutant]] = {}
    for mutant in found:
        by_kind.setdefault(mutant.kind, []).append(mutant)
    share = max(1, limit // len(by_kind))
    chosen: list[Mutant] = []
    spare: list[Mutant] = []
    for group in by_kind.values():
        stride = max(1, len(group) // share)
        picked = group[::stride][:share]
        chosen.extend(picked)
        spare.extend(m for m in group if m not in picked)
    chosen.extend(spare[: max(0, limit - len(chosen))])
    order = {id(m): i for i, m in enumerate(found)}
    return sorted(chosen[:limit], key=lambda m: order[id(m)])


def _all(statement: Statement) -> Iterator[Mutant]:
    match statement:
        case Equation(lhs, rhs):
            for side, expr, other in (("right", rhs, lhs), ("left", lhs, rhs)):
                for where, kind, new in _changes(expr, scale_whole=not _is_zero(other)):
                    changed = (
                        replace(statement, rhs=new)
                        if side == "right"
                        else replace(statement, lhs=new)
                    )
                    yield Mutant(f"{side} {where}", kind, changed)
        case Inequality(lhs, relation, rhs):
            yield Mutant("reversed", "reversed", replace(statement, relation=_REVERSED[relation]))
            for where, kind, new in _changes(rhs, scale_whole=not _is_zero(lhs)):
                yield Mutant(f"right {where}", kind, replace(statement, rhs=new))
            for where, kind, new in _changes(lhs, scale_whole=not _is_zero(rhs)):
                yield Mutant(f"left {where}", kind, replace(statement, lhs=new))
        case OrderBound(_, rhs, order):
            for symbol, higher in _raised(order):
                yield Mutant(f"order {symbol}+1", "order", replace(statement, order=higher))
            for where, kind, new in _changes(rhs, scale_whole=True):
                yield Mutant(f"right {where}", kind, replace(statement, rhs=new))
        case Predicate(_, args):
            for i, arg in enumerate(args):
                for where, kind, new in _changes(arg, scale_whole=True):
                    changed_args = (*args[:i], new, *args[i + 1 :])
                    yield Mutant(
                        f"argument {i + 1} {where}", kind, replace(statement, args=changed_args)
                    )


def _is_zero(expr: Expr) -> bool:
    return isinstance(expr, Number) and expr.value == 0


def _vanishes(expr: Expr) -> bool:
    """Whether a printed zero makes the whole term nothing, so that changing it changes nothing."""
    return _is_zero(expr) or (isinstance(expr, Mul) and any(map(_is_zero, expr.factors)))


def _scaled(expr: Expr, factor: Fraction) -> Expr:
    match expr:
        case Number(value):
            return Number(value * factor)
        case Mul((Number(value), *rest)):
            return Mul((Number(value * factor), *rest))
    return Mul((Number(factor), expr))


def _terms(expr: Expr) -> Iterator[tuple[tuple[int, ...], Expr, bool]]:
    """Path, term and whether the term can be dropped: the terms of every sum, or the whole."""
    if not isinstance(expr, Add):
        yield (), expr, False
    for path, node in walk(expr):
        if isinstance(node, Add):
            for i, term in enumerate(node.terms):
                if not isinstance(term, Add) and not _vanishes(term):
                    yield (*path, i), term, True


def _changes(expr: Expr, scale_whole: bool) -> Iterator[tuple[str, str, Expr]]:
    """(description, kind, changed expression) for one side of a statement."""
    for path, term, droppable in _terms(expr):
        if not droppable and not scale_whole:
            continue
        if not _is_zero(term):
            for label, factor in _SCALES:
                yield f"{term} {label}", label, replace_at(expr, path, _scaled(term, factor))
            yield f"{term} sign", "sign", replace_at(expr, path, -term)
        if droppable:
            yield f"{term} dropped", "dropped", _without(expr, path)
    for path, node in walk(expr):
        if isinstance(node, Number) and not _inside_exponent(expr, path):
            whole_factor = (
                not scale_whole and path and all(isinstance(n, Mul) for n in _ancestors(expr, path))
            )
            if whole_factor:
                continue
            for step in (1, -1):
                yield (
                    f"{node} {'+' if step > 0 else '-'}1",
                    "plus-minus one",
                    replace_at(expr, path, Number(node.value + step)),
                )
        if isinstance(node, Power) and isinstance(node.exponent, Number):
            for step in (1, -1):
                raised = Number(node.exponent.value + step)
                new = Number(Fraction(1)) if raised.value == 0 else Power(node.base, raised)
                yield (
                    f"{node} exponent {'+' if step > 0 else '-'}1",
                    "exponent",
                    replace_at(expr, path, new),
                )
        if isinstance(node, Function) and node.name == "sqrt":
            yield f"{node} without root", "exponent", replace_at(expr, path, node.arg)
        if isinstance(node, Transpose) and node.shape[0] == node.shape[1]:
            yield f"{node} not transposed", "transposed", replace_at(expr, path, node.arg)
        if isinstance(node, Symbol) and _transposable(node, expr, path):
            yield f"{node} transposed", "transposed", replace_at(expr, path, Transpose(node))
    yield from _swaps(expr)


def _ancestors(expr: Expr, path: tuple[int, ...]) -> Iterator[Expr]:
    for step in path:
        yield expr
        expr = expr.children[step]


def _inside_exponent(expr: Expr, path: tuple[int, ...]) -> bool:
    return any(
        isinstance(node, Power) and step == 1
        for node, step in zip(_ancestors(expr, path), path, strict=True)
    )


def _without(expr: Expr, path: tuple[int, ...]) -> Expr:
    """``expr`` less the term at ``path`` of a sum."""
    parent: Expr = expr
    for step in path[:-1]:
        parent = parent.children[step]
    rest = parent.children[: path[-1]] + parent.children[path[-1] + 1 :]
    shorter = rest[0] if len(rest) == 1 else Add(rest)
    return replace_at(expr, path[:-1], shorter)


def _transposable(node: Symbol, expr: Expr, path: tuple[int, ...]) -> bool:
    if len(node.shape) != 2 or node.shape[0] != node.shape[1] or "symmetric" in node.traits:
        return False
    parent = list(_ancestors(expr, path))[-1:] or [expr]
    return isinstance(parent[0], MatMul | Add | Mul)


def _swaps(expr: Expr) -> Iterator[tuple[str, str, Expr]]:
    """Each symbol once exchanged for the next one of its shape in the expression."""
    leaves = [
        (p, n)
        for p, n in walk(expr)
        if isinstance(n, Symbol) and not any(map(_vanishes, _ancestors(expr, p)))
    ]
    names = sorted({n for _, n in leaves}, key=lambda s: s.name)
    for i, symbol in enumerate(names):
        rivals = [s for s in names[i + 1 :] + names[:i] if s.shape == symbol.shape]
        if not rivals:
            continue
        path = next(p for p, n in leaves if n == symbol)
        try:
            yield f"{symbol} -> {rivals[0]}", "swapped", replace_at(expr, path, rivals[0])
        except ShapeError:
            continue


def _raised(order: Expr) -> Iterator[tuple[str, Expr]]:
    """The order with the exponent of its smallest parameter (the last symbol) raised by one."""
    symbols = [n for _, n in walk(order) if isinstance(n, Symbol)]
    if symbols:
        last = symbols[-1]
        yield str(last), Mul((*(order.factors if isinstance(order, Mul) else (order,)), last))
