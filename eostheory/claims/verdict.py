"""How the three comparisons become one verdict (the table of the design, row by row)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from eostheory.formula import Equation, OrderBound, Statement

PROFILES = ("quick", "default", "thorough")
"""How thoroughly to judge, each more than the one before."""


class Verdict(StrEnum):
    """What a run has found out about a claim."""

    PROVED = "proved"
    CERTIFIED = "certified"
    SUPPORTED = "supported"
    REFUTED = "refuted"
    CONFLICT = "conflict"
    UNDECIDED = "undecided"
    VACUOUS = "vacuous"
    ASSUMED = "assumed"
    OPEN = "open"
    ERROR = "error"


class Leg(StrEnum):
    """The outcome of one comparison."""

    SAME = "same"
    DIFFERS = "differs"
    UNDECIDED = "undecided"
    NONE = "none"


@dataclass(frozen=True)
class Legs:
    """The three comparisons of one claim."""

    derivation_statement: Leg = Leg.NONE
    simulation_statement: Leg = Leg.NONE
    derivation_simulation: Leg = Leg.NONE


def verdict_of(legs: Legs, *, rigor: str, definition: bool, exact_form: bool) -> Verdict:
    """The verdict that follows from three comparisons.

    Args:
        rigor: ``proved`` or ``certified``, what the derivation reached if it agrees.
        definition: agreement on a definition is ``assumed``: a definition is nothing to prove.
        exact_form: the statement is an equation or an order bound, which a sound derivation and
            a sound simulation cannot judge differently.  A bound can be false at one exact
            witness and hold at every drawn instance.
    """
    derived, simulated, between = (
        legs.derivation_statement,
        legs.simulation_statement,
        legs.derivation_simulation,
    )
    if between is Leg.DIFFERS:
        return Verdict.CONFLICT
    if derived is Leg.SAME:
        if simulated is Leg.DIFFERS:
            return Verdict.CONFLICT
        if simulated is Leg.UNDECIDED:
            return Verdict.UNDECIDED
        return Verdict.ASSUMED if definition else Verdict(rigor)
    if derived is Leg.DIFFERS:
        if simulated is Leg.SAME and exact_form:
            return Verdict.CONFLICT
        return Verdict.REFUTED
    if derived is Leg.UNDECIDED:
        return Verdict.UNDECIDED
    return Verdict.SUPPORTED if simulated is Leg.SAME else Verdict.UNDECIDED


def is_exact_form(statement: Statement) -> bool:
    """Whether generic instances must show that the statement is false when it is."""
    return isinstance(statement, Equation | OrderBound)


def combine(outcomes: list[Leg]) -> Leg:
    """The comparison of a conjunction from the comparisons of its parts."""
    known = [o for o in outcomes if o is not Leg.NONE]
    if not known:
        return Leg.NONE
    for decisive in (Leg.DIFFERS, Leg.UNDECIDED):
        if decisive in known:
            return decisive
    return Leg.SAME
