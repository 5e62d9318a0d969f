"""Bookkeeping of a statement over observations: what is violated, and what cannot be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from eostheory.agree.functions import Val
from eostheory.agree.measured import UNIT, Array
from eostheory.agree.record import Instance, Observation
from eostheory.agree.sample import describe

SHARP = 1e-6
"""Two sides count as equal in a ``!=`` only if the bound is this small against them."""


@dataclass
class Tally:
    """Running account over observations."""

    count: int = 0
    unclear: int = 0
    worst: float = 0.0
    violation: dict[str, Any] | None = None
    weight: float = 0.0


def enter_relation(
    relation: str,
    lhs: Val,
    rhs: Val,
    instance: Instance,
    seen: list[Observation],
    tally: Tally,
) -> None:
    """Enter ``lhs relation rhs`` on every observation of a batch."""
    value, other = np.broadcast_arrays(lhs.value, rhs.value)
    rows = len(seen)
    gap = value - other
    bound = lhs.error + rhs.error + UNIT * np.abs(gap)
    value, other, gap, bound = (
        np.broadcast_to(a, (rows, *gap.shape[1:])).reshape(rows, -1)
        for a in (value, other, gap, bound)
    )
    size = np.maximum(np.abs(value), np.abs(other))
    violated, unclear = _verdict(relation, gap, bound, size)
    with np.errstate(divide="ignore", invalid="ignore"):
        excess = np.where(gap == 0, 0.0, np.abs(gap) / bound)
    one_sided = {"<=": gap > 0, "<": gap >= 0, ">=": gap < 0, ">": gap <= 0}
    excess = np.where(one_sided.get(relation, True), excess, 0.0)
    tally.count += rows
    tally.unclear += int(np.count_nonzero(unclear.any(axis=1)))
    if relation != "!=":
        tally.worst = max(tally.worst, float(excess.max(initial=0.0)))
    if violated.any():
        row, column = np.unravel_index(
            int(np.argmax(np.where(violated, excess, -1.0))), excess.shape
        )
        sides = {
            "lhs": value[row, column],
            "rhs": other[row, column],
            "bound": bound[row, column],
        }
        where = {k: number(v) for k, v in sides.items()}
        if gap.shape[1] > 1:
            where["entry"] = int(column)
        if abs(gap[row, column]) < 64 * UNIT * size[row, column]:
            where["hint"] = (
                "the sides differ by a few roundings only: a computed quantity was observed as "
                "exact; give it its error with measured(...)"
            )
        violate(tally, float(excess[row, column]), instance, seen[row], where)


def _verdict(
    relation: str, gap: Array, bound: Array, size: Array
) -> tuple[np.ndarray[Any, np.dtype[np.bool_]], np.ndarray[Any, np.dtype[np.bool_]]]:
    """Where the relation is violated for certain, and where it cannot be told."""
    never = np.zeros(gap.shape, dtype=bool)
    blind = ~np.isfinite(bound)
    near = np.abs(gap) <= bound
    match relation:
        case "=":
            return ~near & ~blind, blind
        case "<=":
            return (gap > bound) & ~blind, blind
        case ">=":
            return (-gap > bound) & ~blind, blind
        case "<" | ">":
            signed = gap if relation == "<" else -gap
            tie = (gap == 0) & (bound == 0)
            return ((signed > bound) | tie) & ~blind, blind | (near & ~tie)
        case "!=":
            equal = near & (bound <= SHARP * size)
            return (equal | ((gap == 0) & (bound == 0))), near & ~equal & (bound > 0)
    return never, ~never


def violate(
    tally: Tally, excess: float, instance: Instance, seen: Observation, sides: dict[str, Any]
) -> None:
    """Keep the violation if it is the worst so far."""
    if tally.violation is not None and excess <= tally.weight:
        return
    tally.weight = excess
    tally.violation = {
        **instance.describe(),
        **sides,
        "excess": number(excess),
        "observed": {k.name: describe(v) for k, v in seen.table.items()},
    }


def number(x: Any) -> float | str:
    """A float, or its name where JSON has none."""
    value = float(x)
    return value if np.isfinite(value) else str(value)
