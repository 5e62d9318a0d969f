"""Hypotheses of theorems as data: a text of the paper, and how it is decided for one loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from eostheory.check.finding import Outcome, Recipe, Status
from eostheory.check.registry import CHECKS

if TYPE_CHECKING:
    from eostheory.check.facts import Facts

HELD, FAILS, UNKNOWN = "held", "fails", "unknown"

COMPUTED = (
    "evaluates", "pure", "deterministic", "double-precision",
    "differentiable", "gradient", "hessian", "third-derivative", "symmetric-hessian",
)  # fmt: skip
"""Checks of how the loss is computed: their failure says nothing about the loss that was meant."""


class Decision(NamedTuple):
    """Whether a hypothesis holds for a loss.

    Attributes:
        verdict: held, fails or unknown.
        message: what was seen; for unknown, what would decide it.
        point: where it fails, if that is at a point.
    """

    verdict: str
    message: str
    point: Recipe | None = None


def held(message: str) -> Decision:
    """The hypothesis holds, as far as the message says."""
    return Decision(HELD, message)


def fails(message: str, point: Recipe | None = None) -> Decision:
    """The hypothesis does not hold."""
    return Decision(FAILS, message, point)


def undecided(message: str) -> Decision:
    """Nothing tells; the message says what would."""
    return Decision(UNKNOWN, message)


Decide = Callable[["Facts"], Decision]


@dataclass(frozen=True)
class Hypothesis:
    """One condition of a theorem.

    Args:
        name: of the condition, unique: whoever uses a name means the same condition.
        text: what the paper demands.
        how: what decides it, for the documentation: ``check: name``, ``measured: ...`` or
            ``choice: ...`` (the user's to make, so that it never stands in the way).
        decide: from the facts about one loss.
        checks: names of the checks whose outcomes it reads.
    """

    name: str
    text: str
    how: str
    decide: Decide
    checks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Hypothesis({self.name!r})"


@dataclass(frozen=True)
class Theorem:
    """A statement about losses, and everything that it assumes of one.

    Args:
        id: of the claim, ``paper/local-name``.
        title: the statement in a few words.
        hypotheses: in the order in which a failing one is reported.
    """

    id: str
    title: str
    hypotheses: tuple[Hypothesis, ...]


def table(paper: str, hypotheses: Iterable[Hypothesis], *rows: tuple[str, str]) -> list[Theorem]:
    """Theorems of ``paper`` with the same hypotheses; a row is (name, title)."""
    conditions = tuple(hypotheses)
    return [Theorem(f"{paper}/{name}", title, conditions) for name, title in rows]


def chosen(name: str, text: str, advice: str) -> Hypothesis:
    """A condition on the run or on the number of steps: the theorem speaks of runs that meet it."""
    return Hypothesis(name, text, f"choice: {advice}", lambda _: held(advice))


def open_question(name: str, text: str, decides: str) -> Hypothesis:
    """A condition that no measurement of the training loss decides."""
    return Hypothesis(name, text, f"not measured: {decides}", lambda _: undecided(decides))


def measured(name: str, text: str, how: str, decide: Decide, *checks: str) -> Hypothesis:
    """A condition that is decided by a small measurement."""
    return Hypothesis(name, text, f"measured: {how}", decide, checks)


def by_check(
    name: str,
    text: str,
    check: str,
    *,
    without: str = UNKNOWN,
    spare: tuple[str, ...] = (),
) -> Hypothesis:
    """A condition that is the property of one check.

    Args:
        without: the verdict where the check does not apply although everything it needs passed:
            "fails" where that itself says that the loss lacks the property.
        spare: needs of the check whose failure does not contradict the condition.
    """

    def decide(facts: Facts) -> Decision:
        return from_check(facts, check, without=without, spare=spare)

    return Hypothesis(name, text, f"check: {check}", decide, (check,))


def either(name: str, text: str, *settings: tuple[Hypothesis, ...]) -> Hypothesis:
    """One of several sets of conditions holds entirely."""

    def decide(facts: Facts) -> Decision:
        found = [conjunction(setting, facts) for setting in settings]
        for verdict in (HELD, UNKNOWN):
            for decision in found:
                if decision.verdict == verdict:
                    return decision
        first = next((d for d in found if d.point is not None), found[0])
        return first._replace(message="; and ".join(d.message for d in found))

    checks = tuple(dict.fromkeys(c for s in settings for h in s for c in h.checks))
    how = "either " + " or ".join(", ".join(h.name for h in s) for s in settings)
    return Hypothesis(name, text, how, decide, checks)


def conjunction(hypotheses: Iterable[Hypothesis], facts: Facts) -> Decision:
    """The first that fails, else the first that is unknown, else held; the message names it."""
    decisions = [(h, facts.decision(h)) for h in hypotheses]
    for verdict in (FAILS, UNKNOWN):
        for hypothesis, decision in decisions:
            if decision.verdict == verdict:
                message = f"{hypothesis.name}: {decision.message}"
                return decision._replace(message=message)
    return held("; ".join(f"{h.name}: {d.message}" for h, d in decisions))


def from_check(
    facts: Facts, check: str, *, without: str = UNKNOWN, spare: tuple[str, ...] = ()
) -> Decision:
    """What the outcome of a check says about the property that it checks."""
    outcome = facts.outcomes.get(check)
    if outcome is None:
        return undecided(f"run check {check}")
    if outcome.status is Status.PASS:
        return held(f"{check} {tried(outcome)}")
    if outcome.status is Status.FAIL:
        wrong = unmended(facts.outcomes, (check,))
        return wrong or fails(f"{check} failed: {outcome.message}", point_of(outcome))
    if outcome.status is Status.UNKNOWN:
        return undecided(f"{check} could not tell: {outcome.message}")
    return _through_needs(facts, check, outcome, without, spare)


def _through_needs(
    facts: Facts, check: str, outcome: Outcome, without: str, spare: tuple[str, ...]
) -> Decision:
    if (ground := unmended(facts.outcomes, needs_of(check))) is not None:
        return ground
    blocking = [(n, facts.outcomes.get(n)) for n in needs_of(check)]
    stopped: Decision | None = None
    for need, found in blocking:
        if found is not None and found.status is Status.FAIL and need not in spare:
            return fails(f"{check} needs {need}, which failed: {found.message}", point_of(found))
        if stopped is None and found is not None and found.status is not Status.PASS:
            verb = "failed" if found.status is Status.FAIL else "did not pass"
            stopped = undecided(f"{check} needs {need}, which {verb}: {found.message}")
        if stopped is None and found is None:
            stopped = undecided(f"{check} needs {need}: run check {need}")
    if stopped is not None:
        return stopped
    if without == FAILS:
        return fails(outcome.message, point_of(outcome))
    return undecided(f"{check} does not apply: {outcome.message}")


def unmended(outcomes: Mapping[str, Outcome], checks: Iterable[str]) -> Decision | None:
    """What to mend before anything is known of the loss; None where it is computed rightly."""
    for name in checks:
        found = outcomes.get(name)
        if name in COMPUTED and found is not None and found.status is Status.FAIL:
            return undecided(f"mend {name} first: {found.message}")
    return None


def needs_of(check: str) -> list[str]:
    """Names of all checks that ``check`` rests on, the nearest to the ground first."""
    found: list[str] = []

    def visit(name: str) -> None:
        for need in CHECKS[name].needs if name in CHECKS else ():
            if need not in found:
                visit(need)
                found.append(need)

    visit(check)
    return found


def tried(outcome: Outcome) -> str:
    """``held on n points``, as a check saw it."""
    return f"held on {outcome.examples} points" if outcome.examples else "held"


def point_of(outcome: Outcome) -> Recipe | None:
    """The point of a counterexample: its input ``w``, else its first recipe."""
    if outcome.counterexample is None:
        return None
    inputs = outcome.counterexample.inputs
    first = inputs.get("w")
    if isinstance(first, Recipe):
        return first
    return next((value for value in inputs.values() if isinstance(value, Recipe)), None)
