"""Which theorems of the papers apply to a loss, and if not, which hypothesis fails, and where."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eostheory.check.facts import Facts
from eostheory.check.finding import Outcome, Recipe
from eostheory.check.hypotheses import FAILS, HELD, UNKNOWN, Decision, Hypothesis, Theorem

if TYPE_CHECKING:
    from eostheory.check.context import Context

APPLIES = "applies"
PAPERS = ("damian23", "lyu22", "li22")


@dataclass(frozen=True, eq=False)
class Applicability:
    """Whether a theorem speaks about a loss.

    Attributes:
        claim: id of the theorem.
        verdict: applies, fails or unknown.
        hypothesis: the first that fails, or else the first that is unknown; None if it applies.
        message: what was seen; for unknown, what would decide it.
        point: where the hypothesis fails, if that is at a point.
        verdict_of_claim: what the suite says about the statement as printed, where it says
            anything but that it is proved or open (``refuted``, ``undecided``); None otherwise.
    """

    claim: str
    verdict: str
    hypothesis: str | None
    message: str
    point: Recipe | None = field(default=None, repr=False)
    verdict_of_claim: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The same for JSON."""
        point = None
        if self.point is not None:
            point = {"code": self.point.code, "data": dict(self.point.data)}
        return {
            "claim": self.claim,
            "verdict": self.verdict,
            "hypothesis": self.hypothesis,
            "message": self.message,
            "point": point,
            "verdict_of_claim": self.verdict_of_claim,
        }


@functools.cache
def _all() -> tuple[Theorem, ...]:
    from eostheory.check import theorems_damian23, theorems_li22, theorems_lyu22

    modules = (theorems_damian23, theorems_lyu22, theorems_li22)
    return tuple(theorem for module in modules for theorem in module.THEOREMS)


def theorems() -> tuple[Theorem, ...]:
    """Every theorem with a hypothesis on the loss: id, title and hypotheses, paper by paper."""
    return _all()


def excluded() -> dict[str, str]:
    """The other theorems by id, and why their applicability is no question to a loss."""
    from eostheory.check import theorems_damian23, theorems_li22, theorems_lyu22

    found: dict[str, str] = {}
    for module in (theorems_damian23, theorems_lyu22, theorems_li22):
        found.update(module.EXCLUDED)
    return found


def hypotheses() -> dict[str, Hypothesis]:
    """Every hypothesis by name."""
    return {h.name: h for theorem in theorems() for h in theorem.hypotheses}


def applicability(
    ctx: Context, outcomes: Mapping[str, Outcome] | None = None
) -> dict[str, Applicability]:
    """Decide for every theorem whether its hypotheses hold for the loss of ``ctx``.

    A hypothesis that fails decides, then one that is unknown; what only holds on the points that
    were tried says on how many.  Nothing raises: what cannot be measured is unknown.

    Args:
        outcomes: of the checks that were run, by name; those of ``ctx`` if None.
    """
    facts = Facts(ctx, ctx.outcomes if outcomes is None else outcomes)
    known = printed()
    return {t.id: judge(t, facts.decision, known.get(t.id)) for t in theorems()}


def judge(
    theorem: Theorem,
    decide: Any,
    known: tuple[str, str] | None = None,
) -> Applicability:
    """The verdict on one theorem.

    Args:
        decide: from a hypothesis to its :class:`~eostheory.check.hypotheses.Decision`.
        known: verdict on the statement as printed and its reason, if it is not simply true.
    """
    decisions: list[tuple[Hypothesis, Decision]] = [(h, decide(h)) for h in theorem.hypotheses]
    about = known[0] if known else None
    for verdict in (FAILS, UNKNOWN):
        for hypothesis, decision in decisions:
            if decision.verdict == verdict:
                message = decision.message + _aside(known)
                return Applicability(
                    theorem.id, verdict, hypothesis.name, message, decision.point, about
                )
    assert all(d.verdict == HELD for _, d in decisions)
    message = "; ".join(f"{h.name}: {d.message}" for h, d in decisions)
    return Applicability(theorem.id, APPLIES, None, message + _aside(known), None, about)


def _aside(known: tuple[str, str] | None) -> str:
    if known is None:
        return ""
    verdict, reason = known
    if verdict == "refuted":
        return (
            ". But the statement is false as printed, and holds only as corrected: see ERRATA.md. "
            f"{reason}"
        )
    return f". Whether the statement itself is true is {verdict}: {reason}"


@functools.cache
def _printed() -> tuple[tuple[str, str, str], ...]:
    from eostheory.claims.catalogue import load_catalogue
    from eostheory.suite.expectations import load_expectations
    from eostheory.suite.library import bundled_proofs

    rows = []
    for paper in PAPERS:
        folder = bundled_proofs() / paper
        for name, expected in load_expectations(folder, load_catalogue(folder)).items():
            if str(expected.verdict) in ("refuted", "undecided"):
                rows.append((name, str(expected.verdict), expected.reason))
    return tuple(rows)


def printed() -> dict[str, tuple[str, str]]:
    """Statements that are not simply true as printed: verdict and reason by claim id.

    Read from the lists that come with eostheory; empty where the installation lacks them.
    """
    from eostheory.claims.catalogue import CatalogueError
    from eostheory.suite.errors import LoadError

    try:
        return {name: (verdict, reason) for name, verdict, reason in _printed()}
    except (LoadError, CatalogueError):
        return {}


def summary(found: Iterable[Applicability]) -> dict[str, int]:
    """How many theorems apply, fail and are unknown."""
    counts = {APPLIES: 0, FAILS: 0, UNKNOWN: 0}
    for one in found:
        counts[one.verdict] += 1
    return counts
