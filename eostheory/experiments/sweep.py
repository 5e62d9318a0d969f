"""An experiment at many settings, on any executor: processes here, Dask's on a cluster.

Every point has a folder of its own, named by its settings, and is run so that it can be resumed; a
point that is complete is not run again.  So a worker may be killed, a point be tried twice or
the whole sweep be started again: each point counts once.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import product
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

from eostheory.experiments import sweep_report
from eostheory.experiments.catalogue import experiment
from eostheory.experiments.experiment import Experiment
from eostheory.experiments.session import OutputError
from eostheory.experiments.settings import as_json, chosen, from_json
from eostheory.training.checkpoint import digest, write_atomically

ATTEMPTS = 4
"""How often a point is begun whose worker dies."""


class SweepError(RuntimeError):
    """Points that could not be run; those that could are there."""


@dataclass(frozen=True)
class Sweep:
    """What a sweep found.

    Args:
        experiment: its name.
        usual: the settings that a run without the sweep would have.
        varied: the settings that differ.
        points: their values, in the order of the grid.
        reports: the report of each point.
    """

    experiment: str
    usual: Any
    varied: tuple[str, ...]
    points: tuple[tuple[Any, ...], ...]
    reports: tuple[Mapping[str, Any], ...]

    def measured(self, finding: str) -> list[Any]:
        """What each point measured, by the name of a finding.

        Raises:
            KeyError: no report has it.
        """
        found = [
            next((f["measured"] for f in report["findings"] if f["name"] == finding), None)
            for report in self.reports
        ]
        if all(value is None for value in found):
            raise KeyError(f"no finding {finding!r}")
        return found

    def findings(self) -> tuple[str, ...]:
        """The names of what was measured."""
        return tuple(dict.fromkeys(f["name"] for r in self.reports for f in r["findings"]))

    def markdown(self) -> str:
        """Tables: how much each setting matters, and every point."""
        found = experiment(self.experiment)
        return sweep_report.markdown(found, self.usual, self.varied, self.points, self.reports)


def sweep(
    name: str,
    grid: Mapping[str, Sequence[Any]],
    *,
    folder: Path | str,
    variant: str = "",
    assignments: Sequence[str] = (),
    executor: Executor | None = None,
    processes: int = 1,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Sweep:
    """Run an experiment at every point of a grid of settings.

    Args:
        grid: values by the name of a setting; all combinations are run.
        folder: of the sweep; a sweep that was begun there is gone on with.
        variant, assignments: what else is set, at all points.
        executor: where the points run, on machines that see ``folder`` under the same path; None
            for processes of this machine.  Dask's is ``Client(...).get_executor()``.
        processes: how many, without an executor.
        tell: called with the number of points done and that of all.

    Raises:
        SettingError: unknown names or values that do not fit.
        OutputError: the folder holds another sweep.
        SweepError: points failed; the message says which and why, the others are there.
    """
    found = experiment(name)
    points = tuple(product(*grid.values()))
    jobs: dict[Path, dict[str, Any]] = {}
    for point in points:
        values = dict(zip(grid, point, strict=True))
        written = [f"{k}={_text(v)}" for k, v in values.items()]
        settings = as_json(chosen(found, [*assignments, *written], variant=variant))
        jobs[Path(folder) / "points" / digest(json.dumps(settings, sort_keys=True))] = settings
    _announce(Path(folder), {"format": 1, "experiment": name, "grid": _plain(grid)})
    failures: dict[Path, str] = {}
    for done, (place, reason) in enumerate(_run(found, jobs, executor, processes), 1):
        if reason:
            failures[place] = reason
        tell(done, len(jobs))
    if failures:
        listed = "; ".join(f"{jobs[place]}: {reason}" for place, reason in failures.items())
        raise SweepError(f"{len(failures)} of {len(jobs)} points failed: {listed}")
    reports = tuple(json.loads((place / "report.json").read_text("utf-8")) for place in jobs)
    usual = chosen(found, assignments, variant=variant)
    result = Sweep(name, usual, tuple(grid), points, reports)
    write_atomically(Path(folder) / "sweep.md", result.markdown().encode())
    return result


def _run(
    found: Experiment,
    jobs: Mapping[Path, dict[str, Any]],
    executor: Executor | None,
    processes: int,
) -> Iterator[tuple[Path, str]]:
    """Each place once, with the reason of its failure or nothing."""
    waiting = dict(jobs)
    for attempt in range(1, ATTEMPTS + 1):
        own = executor is None
        workers = executor or _pool(processes)
        again: dict[Path, dict[str, Any]] = {}
        try:
            futures: dict[Future[None], Path] = {
                workers.submit(run_point, found.name, settings, str(place)): place
                for place, settings in waiting.items()
            }
            for future in as_completed(futures):
                place = futures[future]
                error = future.exception()
                # A pool whose worker was killed fails all that waited; their next try goes on
                # from their checkpoints.
                if isinstance(error, BrokenProcessPool) and attempt < ATTEMPTS:
                    again[place] = waiting[place]
                else:
                    yield place, "" if error is None else f"{type(error).__name__}: {error}"
        finally:
            if own:
                workers.shutdown(cancel_futures=True)
        waiting = again
        if not waiting:
            return


def _pool(processes: int) -> ProcessPoolExecutor:
    """Processes that need not load torch anew each, where the system can fork them."""
    context: BaseContext = multiprocessing.get_context("spawn")
    if "forkserver" in multiprocessing.get_all_start_methods():
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(
            ["eostheory.experiments.runner", "eostheory.experiments.plots"]
        )
    # The server keeps the environment of when it was started; the workers take that of now.
    return ProcessPoolExecutor(
        processes, mp_context=context, initializer=_environment, initargs=(dict(os.environ),)
    )


def _environment(wanted: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(wanted)


def run_point(name: str, settings: Mapping[str, Any], folder: str) -> None:
    """Run one point in its folder, unless it is complete; what a worker does."""
    from eostheory.experiments.runner import complete, run

    found, place = experiment(name), Path(folder)
    wanted = from_json(found, settings)
    if not complete(found, wanted, place):
        run(found, wanted, folder=place, resume=True, plots=("png",))


def _announce(folder: Path, about: dict[str, Any]) -> None:
    place = folder / "sweep.json"
    about = json.loads(json.dumps(about))
    if place.exists():
        before = json.loads(place.read_text("utf-8"))
        if before.get("experiment") != about["experiment"]:
            raise OutputError(f"{folder} holds a sweep of {before.get('experiment')}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(place, json.dumps(about, indent=1).encode())
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {error.strerror}") from error


def _plain(grid: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    return {name: [list(v) if isinstance(v, tuple) else v for v in grid[name]] for name in grid}


def _text(value: Any) -> str:
    return ",".join(map(repr, value)) if isinstance(value, tuple) else str(value)
