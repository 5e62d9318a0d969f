"""What ``eostheory bench`` does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import typer

from eostheory.bench import Settings, UnknownCase, catalogue, run, select, show
from eostheory.cli.guard import fail, writable

_USAGE, _MISSED = 2, 1


def list_cases() -> None:
    """Print every case with what it judges."""
    for case in catalogue().values():
        typer.echo(f"{case.name}: {case.title}")
        for target in case.targets:
            bound = f"{target.relation} {show.number(target.bound)} {target.unit}"
            typer.echo(f"  {target.name}: {target.text}, {bound}")


def run_cases(names: Sequence[str], repeat: int, quick: bool, json_file: str) -> None:
    """Measure and print; exit code 1 where a target is missed."""
    # standard output is for the JSON document then
    to_stdout = json_file == "-"
    if json_file and not to_stdout:
        writable(Path(json_file), folder=False)
    try:
        cases = select(names, catalogue())
    except UnknownCase as reason:
        fail(str(reason), _USAGE)

    def echo(lines: Sequence[str]) -> None:
        for line in lines:
            typer.echo(line, err=to_stdout)

    settings = Settings(3 if quick else repeat, quick, lambda line: typer.echo(line, err=True))
    report = run(cases, settings, lambda outcome: echo(list(show.outcome(outcome, quick=quick))))
    echo([*show.machine(report.machine), *show.summary(report)])
    document = json.dumps(report.as_dict(), indent=2, allow_nan=False)
    if to_stdout:
        typer.echo(document)
    elif json_file:
        Path(json_file).write_text(document + "\n", encoding="utf-8")
    if report.failed and not quick:
        raise typer.Exit(_MISSED)
