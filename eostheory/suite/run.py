"""A run: load, select, judge in workers, judge the verdicts, report.  Events go to listeners."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import eostheory
from eostheory.claims.verdict import PROFILES, Verdict
from eostheory.suite import worker
from eostheory.suite.cache import Cache, default_folder
from eostheory.suite.crew import Crew, Outcome, Task
from eostheory.suite.errors import NothingSelected
from eostheory.suite.events import ClaimFinished, ClaimStarted, Listener, RunFinished, RunStarted
from eostheory.suite.fingerprint import environment
from eostheory.suite.index import Index, build_index
from eostheory.suite.library import Library, load_library
from eostheory.suite.outcome import complete, summarise
from eostheory.suite.plan import topological
from eostheory.suite.records import (
    Record,
    blank_record,
    checked_record,
    error_record,
    unfinished_record,
)
from eostheory.suite.results import Results
from eostheory.suite.selection import Selection, select

SCHEMA = "eostheory-report/1"


@dataclass(frozen=True)
class Request:
    """What a user asks for.

    Attributes:
        paths: folders of proofs; none means the bundled ones.
        jobs: worker processes; 0 means one per core.
        cache: where results are kept; ``None`` keeps and trusts none.
        simulate: without it the derivations judge alone, wherever there is one.
        reuse: take verdicts from the cache; without it they are found anew, and kept.
        level: verdict that every selected claim must reach.
        strict: an unexpected improvement fails, too.
    """

    paths: tuple[Path, ...] = ()
    selection: Selection = field(default_factory=Selection)
    profile: str = "default"
    seed: int = 0
    mutate: bool = True
    simulate: bool = True
    jobs: int = 0
    level: Verdict | None = None
    strict: bool = False
    cache: Path | None = field(default_factory=default_folder)
    reuse: bool = True

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise ValueError(f"unknown profile {self.profile!r}; known: {', '.join(PROFILES)}")

    @property
    def settings(self) -> dict[str, object]:
        """The part of the request that a verdict depends on."""
        return {
            "profile": self.profile,
            "seed": self.seed,
            "mutate": self.mutate,
            "simulate": self.simulate,
        }


def run(
    request: Request,
    listeners: Sequence[Listener] = (),
    make_executor: Callable[[], Executor] | None = None,
) -> dict[str, Any]:
    """Judge the selected claims and return the run report.

    Ctrl-C ends the run early: the report then holds what has finished, and says so.

    Args:
        make_executor: makes the executor of one worker, e.g. on a cluster.

    Raises:
        LoadError: broken lists, expectations or scripts that contradict the list.
        UnknownClaim: an id that no list has.
        NothingSelected: no claim meets the selection.
        ExpressionError: a ``-k`` that cannot be read.
    """
    jobs = request.jobs or usable_cores()
    crew = Crew(jobs, make_executor)
    try:
        return _Run(request, load_library(request.paths), crew, jobs, listeners).go()
    except BaseException:
        crew.close(now=True)
        raise
    finally:
        crew.close()


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Run:
    def __init__(
        self,
        request: Request,
        library: Library,
        crew: Crew,
        jobs: int,
        listeners: Iterable[Listener],
    ) -> None:
        self.request, self.library, self.crew, self.jobs = request, library, crew, jobs
        self.listeners = list(listeners)
        self.entries = library.entries
        self.cache = Cache(request.cache)
        self.index = Index()
        self.results = Results(self.cache, self.entries, self.index, request.settings)
        self.records: dict[str, Record] = {}
        self.postponed: list[str] = []
        self.total = 0
        self.interrupted = False
        self.began = time.perf_counter()

    def go(self) -> dict[str, Any]:
        chosen = select(self.entries, self.request.selection)
        self.index = build_index(self.library, self.crew, self.cache)
        self.results = Results(self.cache, self.entries, self.index, self.request.settings)
        self.postponed = [i for i in chosen if self._is_for_later(i)]
        chosen = [i for i in chosen if i not in set(self.postponed)]
        if not chosen:
            raise NothingSelected(
                f"what is selected ({self.postponed[0]}, ...) is for a greater profile than "
                f"{self.request.profile}; choose it with --profile, or name the claims"
            )
        plan = [i for i in topological(self.entries, chosen) if self._to_judge(i)]
        self.total = len(plan)
        self._emit(
            RunStarted(
                tuple(plan),
                len(self.entries),
                self.request.profile,
                self.request.seed,
                self.request.mutate,
                self.jobs,
            )
        )
        try:
            left = [i for i in plan if not self._is_known(i)]
            self.crew.run(map(self._task, left), self._started, self._finished)
        except KeyboardInterrupt:
            self.interrupted = True
            self.crew.close(now=True)
        records = {i: self.records.get(i) or self._unjudged(i) for i in chosen}
        complete(self.library, records, self._elsewhere(records))
        wanted = self.request.selection.verdicts
        if wanted:
            records = {i: r for i, r in records.items() if r["verdict"] in wanted}
            if not records and not self.interrupted:
                names = ", ".join(v.value for v in wanted)
                raise NothingSelected(f"no selected claim has the verdict {names}")
        report = self._report(records)
        self.cache.prune()
        self._emit(RunFinished(report))
        return report

    def _is_for_later(self, name: str) -> bool:
        """Whether a greater profile is for the claim, and nobody has named it."""
        encoding = self.index.claims.get(name)
        if encoding is None or name in self.request.selection.patterns:
            return False
        return encoding.since in PROFILES[PROFILES.index(self.request.profile) + 1 :]

    def _to_judge(self, name: str) -> bool:
        """Only un-encoded claims are open, so that verdict needs no judging."""
        if self.request.selection.verdicts == (Verdict.OPEN,):
            return False
        return name in self.index.claims

    def _task(self, name: str) -> Task:
        encoding = self.index.claims[name]
        settings = {**self.request.settings, "script": encoding.script}
        arguments = (str(encoding.folder), name, settings)
        # a worker that is new to the script also imports it
        patience = 5.0 + 3.0 * encoding.import_seconds
        budget = encoding.budget
        return Task(name, encoding.group, worker.judge_one, arguments, budget, patience)

    def _is_known(self, name: str) -> bool:
        encoding = self.index.claims[name]
        if encoding.error:
            self._done(error_record(self.entries[name], encoding.script, encoding.error))
            return True
        record = self.results.get(name) if self.request.reuse else None
        if record is not None:
            self._done(record)
        return record is not None

    def _started(self, task: Task) -> None:
        self._emit(ClaimStarted(task.name))

    def _finished(self, outcome: Outcome) -> None:
        name = outcome.task.name
        encoding, entry = self.index.claims[name], self.entries[name]
        if outcome.value is None:
            self._done(error_record(entry, encoding.script, outcome.failure, outcome.seconds))
            return
        record = checked_record(entry, encoding.script, outcome.value)
        self.results.put(record)
        self._done(record)

    def _done(self, record: Record) -> None:
        self.records[str(record["id"])] = record
        self._emit(ClaimFinished(record, len(self.records), self.total))

    def _unjudged(self, name: str) -> Record:
        encoding = self.index.claims.get(name)
        if encoding is None:
            return blank_record(self.entries[name])
        return unfinished_record(self.entries[name], encoding.script)

    def _elsewhere(self, records: Mapping[str, Record]) -> dict[str, str]:
        """Verdicts of claims outside the selection, as earlier runs left them in the cache."""
        found: dict[str, str] = {}
        for name in self.entries.keys() - records.keys():
            encoding = self.index.claims.get(name)
            if encoding is None:
                found[name] = Verdict.OPEN.value
            elif (record := self.results.get(name)) is not None:
                found[name] = str(record["verdict"])
        return found

    def _report(self, records: Mapping[str, Record]) -> dict[str, Any]:
        summary = summarise(
            self.library,
            records.values(),
            self.index.claims,
            mutate=self.request.mutate,
            level=self.request.level,
            strict=self.request.strict,
            broken=self.index.broken,
            interrupted=self.interrupted,
        )
        summary["postponed"] = self.postponed
        summary["seconds"] = round(time.perf_counter() - self.began, 3)
        return {
            "schema": SCHEMA,
            "eostheory": eostheory.__version__,
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            **self.request.settings,
            "jobs": self.jobs,
            "environment": dict(environment()),
            "summary": summary,
            "claims": list(records.values()),
        }

    def _emit(self, event: RunStarted | ClaimStarted | ClaimFinished | RunFinished) -> None:
        for listener in self.listeners:
            listener(event)
