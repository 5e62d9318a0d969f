"""A claim: one numbered statement of a paper, with the two witnesses that look at it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eostheory.claims.verdict import PROFILES
from eostheory.formula import (
    Equation,
    Inequality,
    OrderBound,
    Predicate,
    Statement,
    Symbol,
    symbols_of,
)

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.symbolic import Model

Parts = Mapping[str, Statement]


class ClaimError(ValueError):
    """A claim whose parts contradict each other."""


def parts_of(statement: Statement | Parts) -> dict[str, Statement]:
    """The named parts of a statement; a single statement is the part ``""``."""
    if isinstance(statement, Equation | Inequality | OrderBound | Predicate):
        return {"": statement}
    return dict(statement)


def symbols_in(statement: Statement) -> frozenset[Symbol]:
    """Every symbol of a statement."""
    if isinstance(statement, Predicate):
        sides = statement.args
    elif isinstance(statement, OrderBound):
        sides = (statement.lhs, statement.rhs, statement.order)
    else:
        sides = (statement.lhs, statement.rhs)
    return frozenset().union(*(symbols_of(side) for side in sides))


@dataclass(frozen=True)
class Claim:
    """What a paper states, and how two independent witnesses interpret its symbols.

    Args:
        id: the claim's id in ``claims.yaml``.
        statement: the statement exactly as printed, or named parts of it.
        hypotheses: name -> text.  Everything a witness adds to its interpretation under a name
            is left out when the engine withholds that hypothesis.
        derive: gives the symbols exact values from definitions and hypotheses.
        simulate: gives the symbols measured values on one drawn instance.
        corrected: the true form, when the statement is false as printed.
        corrected_hypotheses: name -> text of what the paper leaves unsaid; withheld from the
            witnesses while they judge the printed statement.
        waive: ``"part:mutant"`` or ``"mutant"`` -> reason, for mutants that survive rightly.
            A key may begin with ``derivation:`` or ``simulation:`` to concern one witness only.
        reading: how an ambiguous formula was read.
        extraction: what the conversion of the paper to text broke.
        rests_on: ids used beyond those that the derivation names.
        examples: instances per profile (default 6, 20 and 100).
        budget: seconds after which the suite gives the claim up.
        since: the least profile that judges it: quick, default or thorough.  A run in a lesser one
            leaves it out, unless it is named.

    Raises:
        ClaimError: no witness, no part, symbols of one name and two shapes, a correction
            without its statement.
    """

    id: str
    statement: Statement | Parts
    hypotheses: Mapping[str, str] = field(default_factory=dict)
    derive: Callable[[Model], None] | None = None
    simulate: Callable[[Sample], None] | None = None
    corrected: Statement | Parts | None = None
    corrected_hypotheses: Mapping[str, str] = field(default_factory=dict)
    waive: Mapping[str, str] = field(default_factory=dict)
    reading: str = ""
    extraction: str = ""
    rests_on: tuple[str, ...] = ()
    examples: Mapping[str, int] = field(default_factory=dict)
    budget: float = 120.0
    since: str = PROFILES[0]

    def __post_init__(self) -> None:
        if self.since not in PROFILES:
            raise ClaimError(f"{self.id}: since={self.since!r}; profiles are {', '.join(PROFILES)}")
        if self.derive is None and self.simulate is None:
            raise ClaimError(f"{self.id}: no witness; give derive=, simulate= or both")
        if not self.parts:
            raise ClaimError(f"{self.id}: the statement has no part")
        for parts in (self.parts, self.corrected_parts or {}):
            self._check_symbols(parts)
        if both := set(self.hypotheses) & set(self.corrected_hypotheses):
            raise ClaimError(f"{self.id}: {sorted(both)} are both stated and missing hypotheses")
        for key, reason in self.waive.items():
            if not reason.strip():
                raise ClaimError(f"{self.id}: the waiver {key!r} gives no reason")

    def _check_symbols(self, parts: Parts) -> None:
        shapes: dict[str, Symbol] = {}
        for name, part in parts.items():
            for symbol in symbols_in(part):
                other = shapes.setdefault(symbol.name, symbol)
                if other.shape != symbol.shape:
                    raise ClaimError(
                        f"{self.id}, part {name!r}: {symbol.name} has shape {symbol.shape} here "
                        f"and {other.shape} elsewhere"
                    )

    @property
    def parts(self) -> dict[str, Statement]:
        """The statement as named parts."""
        return parts_of(self.statement)

    @property
    def corrected_parts(self) -> dict[str, Statement] | None:
        """The corrected statement as named parts; the printed one if only a hypothesis lacks."""
        if self.corrected is not None:
            return parts_of(self.corrected)
        return self.parts if self.corrected_hypotheses else None
