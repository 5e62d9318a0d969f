"""The cases by name, and how they are run."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence

from eostheory.bench import calls, products, stores, tracked, trajectories
from eostheory.bench.cases import Case, Settings
from eostheory.bench.machine import describe, one_core
from eostheory.bench.native import compiler_version
from eostheory.bench.result import Outcome, Report


class UnknownCase(Exception):
    """No case has that name."""


def catalogue() -> dict[str, Case]:
    """Every case, in the order in which they run."""
    return {
        case.name: case
        for case in [
            *trajectories.cases(),
            stores.case(),
            calls.case(),
            products.case(),
            *tracked.cases(),
        ]
    }


def select(names: Sequence[str], among: dict[str, Case]) -> list[Case]:
    """The named cases, or all.

    Raises:
        UnknownCase: a name that there is not; the message lists those there are.
    """
    for name in names:
        if name not in among:
            near = difflib.get_close_matches(name, among, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise UnknownCase(f"no case {name!r}; {hint}there are {', '.join(among)}")
    return [among[name] for name in dict.fromkeys(names)] if names else list(among.values())


def run(
    cases: Sequence[Case],
    settings: Settings,
    done: Callable[[Outcome], None] = lambda _: None,
) -> Report:
    """Measure the cases on one core, one after the other.

    Args:
        done: is given each outcome as soon as it is there.
    """
    about = describe()
    report = Report(
        {**about, "compiler": compiler_version()},
        {"repeat": settings.repeat, "quick": settings.quick},
    )
    for outcome in _outcomes(cases, settings):
        report.outcomes.append(outcome)
        done(outcome)
    return report


def _outcomes(cases: Sequence[Case], settings: Settings) -> Iterator[Outcome]:
    for case in cases:
        settings.say(f"{case.name}: {case.title}")
        with one_core():
            outcome = case.run(settings)
        yield outcome
