"""What happens during a run, as data.  The suite emits events; every renderer is a listener."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RunStarted:
    """A run begins.

    Attributes:
        plan: ids of the encoded claims that will be judged, in the order they are planned.
        listed: how many claims the selected lists hold, encoded or not.
        profile: ``quick``, ``default`` or ``thorough``.
        seed: root seed of every drawn instance.
        mutate: whether statements are mutated and the mutants judged.
        jobs: number of worker processes.
    """

    plan: tuple[str, ...]
    listed: int
    profile: str
    seed: int
    mutate: bool
    jobs: int


@dataclass(frozen=True)
class ClaimStarted:
    """A worker process is about to judge a claim."""

    id: str


@dataclass(frozen=True)
class ClaimFinished:
    """A claim has its record (from a worker, from the cache, or because its worker died).

    Attributes:
        record: the claim record, JSON-able.  ``conditional``, ``nature`` and ``as_expected`` are
            only final in the report of :class:`RunFinished`, because they depend on other claims.
        done: finished claims of the plan, this one included.
        total: claims in the plan.
    """

    record: Mapping[str, Any]
    done: int
    total: int


@dataclass(frozen=True)
class RunFinished:
    """The run is over; ``report`` is the complete run report (also after an interruption)."""

    report: Mapping[str, Any]


Event = RunStarted | ClaimStarted | ClaimFinished | RunFinished
Listener = Callable[[Event], None]
