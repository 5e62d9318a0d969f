"""What a decision procedure answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from eostheory.formula import Expr

Outcome = Literal["holds", "fails", "undecided"]
Rigor = Literal["proved", "certified"]


@dataclass
class Decision:
    """The answer to one statement.

    Args:
        outcome: ``holds`` only from an exact checker, ``fails`` only with an exact witness.
        rigor: ``proved`` by algebra or logic, ``certified`` when rigorous numerics take part.
        method: the procedure that decided.
        certificate: what a re-check needs; plain JSON.
        witness: for ``fails``, exact values as strings and both sides; plain JSON.
        derived: the derivation's own right-hand side, where there is one.
        used: names of the hypotheses that took part.
        tried: what was tried, in order.
    """

    outcome: Outcome
    rigor: Rigor = "proved"
    method: str = ""
    certificate: dict[str, Any] = field(default_factory=dict)
    witness: dict[str, Any] | None = None
    derived: Expr | None = None
    used: frozenset[str] = frozenset()
    tried: tuple[str, ...] = ()
