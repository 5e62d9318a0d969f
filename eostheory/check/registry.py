"""The checks that there are, by name, and how they rest on each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eostheory.check.context import Context
    from eostheory.check.finding import Outcome


@dataclass(frozen=True)
class Check:
    """One check of a loss.

    Args:
        name: lower case, words joined by hyphens; unique.
        group: evaluation, derivatives, smoothness, structure or prediction.
        summary: the property, as a sentence.
        needs: names of checks without whose pass this one is not applicable.
        claims: ids of the statements that this is about.
        body: finds the outcome.
    """

    name: str
    group: str
    summary: str
    needs: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    body: Callable[[Context], Outcome] = field(default=lambda _: NotImplemented, repr=False)


CHECKS: dict[str, Check] = {}
"""All checks, in the order in which they are run."""


def check(
    name: str,
    *,
    group: str,
    summary: str,
    needs: tuple[str, ...] = (),
    claims: tuple[str, ...] = (),
) -> Callable[[Callable[[Context], Outcome]], Callable[[Context], Outcome]]:
    """Enter a function of a context as a check."""

    def enter(body: Callable[[Context], Outcome]) -> Callable[[Context], Outcome]:
        if name in CHECKS:
            raise ValueError(f"there are two checks of the name {name!r}")
        CHECKS[name] = Check(name, group, summary, needs, claims, body)
        return body

    return enter
