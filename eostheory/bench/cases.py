"""The frame of a case: how thoroughly to measure, and what every case has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from eostheory.bench.result import Judged, Outcome, Relation, Target
from eostheory.bench.timing import Interval

Say = Callable[[str], None]
"""Where progress goes: one short line at a time."""


@dataclass(frozen=True)
class Settings:
    """How thoroughly to measure.

    Args:
        repeat: how often each peer is timed.
        quick: small sizes, to see that everything runs; its figures judge nothing.
        say: where progress goes.
    """

    repeat: int = 11
    quick: bool = False
    say: Say = lambda _: None

    def __post_init__(self) -> None:
        if self.repeat < 1:
            raise ValueError(f"repeat = {self.repeat}; at least one measurement is needed")

    @property
    def scale(self) -> float:
        """Factor for the lengths of runs."""
        return 0.02 if self.quick else 1.0


@dataclass(frozen=True)
class Case:
    """One part of the benchmark.

    Args:
        name: what selects it.
        title: one line.
        targets: what it judges, so that a case that cannot run still answers for each of them.
        measure: runs it.
    """

    name: str
    title: str
    targets: tuple[Target, ...]
    measure: Callable[[Settings], Outcome]

    def run(self, settings: Settings) -> Outcome:
        """Measure; what is missing on this machine becomes the reason of every target.

        Raises:
            KeyError: the outcome does not judge exactly the targets of the case.
        """
        try:
            outcome = self.measure(settings)
        except Missing as reason:
            judged = tuple(Judged(target, None, str(reason)) for target in self.targets)
            return Outcome(self.name, targets=judged, notes=(str(reason),))
        judged_names = [judged.target.name for judged in outcome.targets]
        if sorted(judged_names) != sorted(target.name for target in self.targets):
            raise KeyError(f"{self.name} judged {judged_names}")
        return outcome


class Missing(Exception):
    """What the whole case needs is not on this machine; the message says how to get it."""


def at_least(name: str, text: str, bound: float, unit: str = "x") -> Target:
    """A target for a ratio."""
    return Target(name, text, ">=", bound, unit)


def at_most(name: str, text: str, bound: float, unit: str, *, below: bool = False) -> Target:
    """A target for a cost."""
    relation: Relation = "<" if below else "<="
    return Target(name, text, relation, bound, unit)


class Wrong(str):
    """The reason why a figure would mean nothing: somebody's result is not right."""


def judge(target: Target, measured: Interval | str) -> Judged:
    """With what was measured, or the reason why nothing was."""
    if isinstance(measured, Interval):
        return Judged(target, measured)
    return Judged(target, None, str(measured), isinstance(measured, Wrong))
