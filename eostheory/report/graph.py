"""Layered layout of the claims' dependencies: what rests on nothing at the left.

Every claim gets a layer (one more than the deepest claim it rests on) and a place in its layer
that keeps edges short and crossings few.  The layer of a claim depends only on its ancestors, so
the layout of any set that contains its ancestors (a claim in focus, for instance) is a part of
this one: the page only closes the gaps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from eostheory.report.records import Record, by_paper, parents_of

_SWEEPS = 8


@dataclass(frozen=True)
class Place:
    """Where a claim stands: its layer, and its order within the layer."""

    layer: int
    order: int


def layout(claims: Sequence[Record]) -> dict[str, Place]:
    """Places of all claims.  Papers are kept together; edges to unlisted claims are ignored."""
    known = {str(claim["id"]) for claim in claims}
    parents = {
        str(c["id"]): [p for p in parents_of(c) if p in known and p != c["id"]] for c in claims
    }
    layers = _layers(parents)
    placed: dict[str, Place] = {}
    offset: dict[int, int] = {}
    for group in by_paper(claims).values():
        names = [str(claim["id"]) for claim in group]
        for layer, members in _ordered(names, parents, layers).items():
            start = offset.get(layer, 0)
            for position, name in enumerate(members):
                placed[name] = Place(layer, start + position)
            offset[layer] = start + len(members)
    return placed


def _layers(parents: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Longest distance from a claim that rests on nothing; edges that close a cycle are ignored."""
    layers: dict[str, int] = {}
    entered: set[str] = set()
    for root in parents:
        stack = [root]
        while stack:
            name = stack[-1]
            if name in layers:
                stack.pop()
                continue
            entered.add(name)
            waiting = [p for p in parents[name] if p not in layers and p not in entered]
            if waiting:
                stack.extend(waiting)
                continue
            below = [layers[p] for p in parents[name] if p in layers]
            layers[name] = 1 + max(below, default=-1)
            stack.pop()
    return layers


def _ordered(
    names: Sequence[str], parents: Mapping[str, Sequence[str]], layers: Mapping[str, int]
) -> dict[int, list[str]]:
    """Members of each layer, ordered by repeated averages of their neighbours' heights."""
    rows: dict[int, list[str]] = {}
    for name in names:
        rows.setdefault(layers[name], []).append(name)
    children: dict[str, list[str]] = {name: [] for name in names}
    for name in names:
        for parent in parents[name]:
            if parent in children:
                children[parent].append(name)
    height = {name: _centred(i, len(row)) for row in rows.values() for i, name in enumerate(row)}
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        neighbours = parents if forward else children
        for layer in sorted(rows, reverse=not forward):
            average = {n: _mean(height, neighbours[n], height[n]) for n in rows[layer]}
            rows[layer].sort(key=average.__getitem__)
            for i, name in enumerate(rows[layer]):
                height[name] = _centred(i, len(rows[layer]))
    return rows


def _centred(index: int, count: int) -> float:
    return index - (count - 1) / 2


def _mean(height: Mapping[str, float], names: Iterable[str], own: float) -> float:
    values = [height[name] for name in names if name in height]
    return sum(values) / len(values) if values else own
