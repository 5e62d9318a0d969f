"""What ``eostheory run`` does."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from eostheory.cli.guard import fail

if TYPE_CHECKING:
    from eostheory.experiments import Experiment, Outcome

_DIFFERS, _USAGE, _FAULT = 1, 2, 4


def list_experiments() -> None:
    """Print every experiment with what it shows."""
    from eostheory.experiments import experiment, names

    found = [experiment(name) for name in names()]
    _columns([(one.name, one.title + (" *" if one.shared else "")) for one in found], "")
    if any(one.shared for one in found):
        typer.echo("\n* several processes may share it: torchrun -m eostheory run NAME")
    typer.echo(
        "\neostheory run NAME --describe tells its settings, and what the paper leaves open."
    )


def describe_experiment(name: str) -> None:
    """Print settings, variants, choices and what a run writes."""
    found = _experiment(name)
    typer.echo(f"{found.name}: {found.title}")
    typer.echo(f"claims: {', '.join(found.claims)}")
    _heading("Settings (--set NAME=VALUE), with the paper's values where it gives them")
    usual = found.defaults()
    for field in found.fields():
        about = field.metadata
        paper = "" if about["paper"] is None else f" (paper: {_written(about['paper'])})"
        value = _written(getattr(usual, field.name))
        _columns([(f"{field.name}={value}", about["text"] + paper)], width=24)
    if found.variants:
        _heading("Other forms (--variant NAME)")
        _columns(
            (variant, ", ".join(f"{k}={_written(v)}" for k, v in changes.items()))
            for variant, changes in found.variants.items()
        )
    if found.sweep:
        _heading("How much a choice matters (--sweep NAME for these values, or NAME=V1,V2,...)")
        _columns(
            (name, (";" if isinstance(values[0], tuple) else ",").join(map(_written, values)))
            for name, values in found.sweep.items()
        )
    if found.choices:
        _heading("What the paper leaves open")
        _columns([("", found.choices)], width=0)
    _heading("Plots")
    _columns((plot.name, plot.caption) for plot in found.plots)
    _heading("Records")
    _columns(_records(found.parts(usual)))
    if found.shared:
        _heading("Several processes share it")
        typer.echo(f"  torchrun --nproc-per-node 2 -m eostheory run {found.name}")


def _records(parts: Mapping[str, int]) -> list[tuple[str, str]]:
    """The parts with their rows; several of the same length in one line."""
    lines = []
    for rows, names in groupby(parts, key=lambda part: parts[part]):
        first, *others = names
        if len(others) > 2:
            lines.append((f"runs/{first} ... runs/{others[-1]}", f"{rows} rows each"))
        else:
            lines += [(f"runs/{name}", f"{rows} rows") for name in (first, *others)]
    return lines


def _heading(text: str) -> None:
    typer.echo(f"\n{text}")


def _written(value: object) -> str:
    """A value as --set takes it."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _columns(pairs: Iterable[tuple[str, str]], indent: str = "  ", width: int = -1) -> None:
    """Print names beside texts, which are wrapped; a long name has a line of its own."""
    listed = list(pairs)
    wide = max((len(name) for name, _ in listed), default=0) if width < 0 else width
    space = indent + " " * (wide + 2 if wide else 0)
    for name, text in listed:
        first = f"{indent}{name:<{wide}}  " if len(name) <= wide else f"{indent}{name}\n{space}"
        lines = textwrap.wrap(text, max(40, 100 - len(space)), break_on_hyphens=False) or [""]
        typer.echo((first if wide else indent) + f"\n{space}".join(lines))


def run_experiment(
    name: str,
    out: Path | None,
    device: str,
    assignments: Sequence[str],
    variant: str,
    resume: bool,
    changed_code: bool,
    report_only: bool,
    to_json: bool,
) -> None:
    """Run, show the findings; exit code 1 where one differs from the paper."""
    from eostheory.experiments import (
        CheckpointError,
        DataError,
        DeviceError,
        DistributedError,
        NumericEvent,
        OutputError,
        ProcessLost,
        RecordError,
        SettingError,
        processes,
    )
    from eostheory.experiments import describe as again
    from eostheory.experiments import run as run_one
    from eostheory.experiments.progress import Bars
    from eostheory.experiments.settings import chosen

    found = _experiment(name)
    folder = out or Path("runs") / found.name.replace("/", "-")
    first = os.environ.get("RANK", "0") == "0"
    readable = "what was recorded is readable, go on with --resume"
    try:
        if report_only:
            outcome = again(found, folder)
        else:
            settings = chosen(found, assignments, variant=variant)
            with processes(device or None) as group:
                first = group is None or group.first
                with Bars(quiet=not first) as bars:
                    outcome = run_one(
                        found,
                        settings,
                        folder=folder,
                        resume=resume,
                        device=device or None,
                        changed_code=changed_code,
                        watch=bars.watch,
                        processes=group,
                    )
    except (
        OutputError, SettingError, CheckpointError, DataError, DeviceError, DistributedError,
    ) as reason:  # fmt: skip
        fail(_who() + str(reason), _USAGE)
    except ProcessLost as reason:
        fail(f"{_who()}{reason}; {readable}", _FAULT)
    except NumericEvent as reason:
        fail(f"{_who()}{found.name} stopped: {reason}; {readable}", _FAULT)
    except OSError as reason:
        told = str(reason) if isinstance(reason, RecordError) else f"{folder}: {reason}"
        fail(f"{_who()}{told}; {readable}", _FAULT)
    except KeyboardInterrupt:
        fail(f"interrupted; go on with: eostheory run {name} --out {folder} --resume", 130)
    if first:
        _show(outcome, to_json)


def _who() -> str:
    """Which of several processes speaks."""
    rank, world = os.environ.get("RANK"), os.environ.get("WORLD_SIZE", "1")
    return f"process {rank} of {world}: " if rank and world != "1" else ""


def _show(outcome: Outcome, to_json: bool) -> None:
    """Print the findings; end with exit code 1 where one differs from the paper."""
    from eostheory.experiments.report import GLYPHS, shown

    folder = outcome.folder
    if to_json:
        typer.echo((folder / "report.json").read_text(encoding="utf-8"))
    else:
        for one in outcome.findings:
            typer.echo(f"{GLYPHS[one.agrees]} {one.name}: {shown(one.measured)}")
            typer.echo(f"    paper: {one.paper}" + (f"  ({one.note})" if one.note else ""))
        typer.echo(f"report: {folder / 'report.md'}")
    if not outcome.agrees:
        raise typer.Exit(_DIFFERS)


def run_sweep(
    name: str,
    out: Path | None,
    assignments: Sequence[str],
    variant: str,
    grid: Sequence[str],
    processes: int,
    scheduler: str,
) -> None:
    """Run all combinations of the settings in ``grid``, texts ``name=value,value``."""
    from rich.console import Console

    from eostheory.experiments import CheckpointError, OutputError, SettingError
    from eostheory.experiments.settings import listed
    from eostheory.experiments.sweep import SweepError, sweep

    if _who():
        fail("a sweep starts its own processes: call it without torchrun", _USAGE)
    found = _experiment(name)
    folder = out or Path("runs") / f"{found.name.replace('/', '-')}-sweep"
    try:
        with (
            _executor(scheduler) as executor,
            Console(stderr=True).status("points done: 0") as status,
        ):
            result = sweep(
                found.name,
                listed(found, grid),
                folder=folder,
                variant=variant,
                assignments=assignments,
                executor=executor,
                processes=processes,
                tell=lambda done, total: status.update(f"points done: {done} of {total}"),
            )
    except (OutputError, SettingError, CheckpointError) as reason:
        fail(str(reason), _USAGE)
    except SweepError as reason:
        fail(f"{reason}; the same command tries them again", _FAULT)
    except KeyboardInterrupt:
        fail("interrupted; the same command goes on", 130)
    typer.echo(result.markdown().partition("\n## All")[0])
    typer.echo(f"\nevery run: {folder / 'sweep.md'}")


@contextmanager
def _executor(scheduler: str) -> Iterator[Executor | None]:
    """Dask's executor at an address, or none."""
    if not scheduler:
        yield None
        return
    try:
        from distributed import Client
    except ImportError:
        fail("--scheduler needs Dask: pip install eostheory[cluster]", _USAGE)
    try:
        client = Client(scheduler, timeout=20)
    except (OSError, ValueError) as reason:
        fail(f"no Dask scheduler answers at {scheduler}: {reason}", _USAGE)
    with client:
        yield client.get_executor()


def _experiment(name: str) -> Experiment:
    from eostheory.experiments import UnknownExperiment, experiment

    try:
        return experiment(name)
    except UnknownExperiment as reason:
        fail(str(reason), _USAGE)
    raise AssertionError("fail() ends the command")  # pragma: no cover
