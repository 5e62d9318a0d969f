"""Walking a formula and exchanging its parts."""

from __future__ import annotations

from collections.abc import Iterator

from eostheory.formula.core import Expr, Symbol
from eostheory.formula.tensors import Apply, FormSymbol


def walk(expr: Expr) -> Iterator[tuple[tuple[int, ...], Expr]]:
    """Every node with its path from the root, parents first."""
    stack: list[tuple[tuple[int, ...], Expr]] = [((), expr)]
    while stack:
        path, node = stack.pop()
        yield path, node
        stack.extend(((*path, i), c) for i, c in reversed(list(enumerate(node.children))))


def replace_at(expr: Expr, path: tuple[int, ...], new: Expr) -> Expr:
    """``expr`` with the node at ``path`` exchanged for ``new`` (shapes re-checked)."""
    if not path:
        return new
    children = list(expr.children)
    children[path[0]] = replace_at(children[path[0]], path[1:], new)
    return expr.rebuild(tuple(children))


def substitute(expr: Expr, table: dict[Expr, Expr]) -> Expr:
    """``expr`` with every occurrence of a key of ``table`` exchanged for its value."""
    return _exchanged(expr, table, tuple({type(key) for key in table}), {})


def _exchanged(
    expr: Expr, table: dict[Expr, Expr], kinds: tuple[type, ...], seen: dict[int, Expr]
) -> Expr:
    # derivations share their parts: each is rebuilt once, and stays shared
    found = seen.get(id(expr))
    if found is None:
        # hashing a node costs its size: only nodes that could be a key are looked up
        if isinstance(expr, kinds) and expr in table:
            found = table[expr]
        elif expr.children:
            found = expr.rebuild(tuple(_exchanged(c, table, kinds, seen) for c in expr.children))
        else:
            found = expr
        seen[id(expr)] = found
    return found


def symbols_of(expr: Expr) -> frozenset[Symbol]:
    """The symbols that occur in ``expr``."""
    return frozenset(node for _, node in walk(expr) if isinstance(node, Symbol))


def forms_of(expr: Expr) -> frozenset[FormSymbol]:
    """The multilinear maps that occur in ``expr``."""
    return frozenset(node.form for _, node in walk(expr) if isinstance(node, Apply))
