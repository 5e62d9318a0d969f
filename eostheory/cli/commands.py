"""What ``verify``, ``show`` and ``replay`` do."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer

from eostheory.claims.verdict import Verdict
from eostheory.cli.guard import fail, guard, writable
from eostheory.suite import Exit, Request, Selection, load_library, run, split_targets
from eostheory.suite.cache import default_folder

_STDOUT = "-"


@dataclass(frozen=True)
class Reports:
    """Where a run's reports go; ``json_file`` is ``"-"`` for stdout and ``""`` for nowhere."""

    json_file: str = ""
    junit: Path | None = None
    html: Path | None = None
    errata: Path | None = None

    def check(self) -> None:
        """Refuse destinations that cannot be written, before any work."""
        if self.json_file not in ("", _STDOUT):
            writable(Path(self.json_file), folder=False)
        if self.junit is not None:
            writable(self.junit, folder=False)
        if self.html is not None:
            writable(self.html, folder=True)
        if self.errata is not None:
            writable(self.errata, folder=False)

    def write(self, report: dict[str, Any]) -> None:
        """Write them."""
        from eostheory.report import write_json, write_junit
        from eostheory.report.records import finite

        written: list[Path] = []
        try:
            if self.json_file == _STDOUT:
                json.dump(finite(report), sys.stdout, indent=2, default=str)
                sys.stdout.write("\n")
            elif self.json_file:
                written.append(write_json(report, self.json_file))
            if self.junit is not None:
                written.append(write_junit(report, self.junit))
            if self.html is not None:
                from eostheory.report.html import write_html

                written.append(write_html(report, self.html))
            if self.errata is not None:
                from eostheory.report import errata_markdown

                self.errata.write_text(errata_markdown(report), encoding="utf-8")
                written.append(self.errata)
        except OSError as reason:
            fail(f"a report could not be written: {reason}", Exit.INTERNAL)
        for path in written:
            typer.echo(f"wrote {path}", err=True)


def make_request(
    targets: Sequence[str] | None,
    papers: Sequence[str] | None,
    kinds: Sequence[str] | None,
    verdicts: Sequence[str] | None,
    expression: str,
    profile: str,
    seed: int,
    jobs: int,
    mutate: bool,
    no_cache: bool,
) -> Request:
    """The request that the options of a command describe."""
    paths, patterns = split_targets(targets or ())
    selection = Selection(
        patterns=tuple(patterns),
        papers=tuple(papers or ()),
        kinds=tuple(str(k) for k in kinds or ()),
        expression=expression,
        verdicts=tuple(Verdict(v) for v in verdicts or ()),
    )
    return Request(
        paths=tuple(paths),
        selection=selection,
        profile=str(profile),
        seed=seed,
        mutate=mutate,
        jobs=jobs,
        cache=None if no_cache else default_folder(),
    )


def verify_claims(
    request: Request, exact: bool, level: str | None, strict: bool, reports: Reports
) -> None:
    """Run, show, write the reports, and end with the run's exit code."""
    from rich.console import Console

    from eostheory.report import TerminalReporter

    reports.check()
    # a cancelled CI job sends SIGTERM; it should leave the same reports as Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    chosen = Verdict(level) if level else None
    request = replace(request, simulate=not exact, level=chosen, strict=strict)
    console = Console(highlight=False, soft_wrap=False, stderr=reports.json_file == _STDOUT)
    with guard(), TerminalReporter(console) as reporter:
        report = run(request, [reporter])
    _tell_broken(report)
    reports.write(report)
    raise typer.Exit(int(report["summary"]["exit_code"]))


def one_claim(
    claim: str, folder: Path | None, profile: str, seed: int, mutate: bool, no_cache: bool
) -> Request:
    """The request for a single claim."""
    paths = (folder,) if folder else ()
    cache = None if no_cache else default_folder()
    return Request(paths, Selection((claim,)), profile, seed, mutate, jobs=1, cache=cache)


def show_claim(request: Request) -> None:
    """Judge one claim, or take it from the cache, and show its record."""
    report = _run_quietly(request)
    for record in report["claims"]:
        _print_record(request, record)
    raise typer.Exit(int(Exit.INTERRUPTED if report["summary"]["interrupted"] else 0))


def replay_case(case: str, folder: Path | None) -> None:
    """Judge ``ID@PROFILE:SEED`` without earlier results; ends like ``verify``."""
    claim, at, how = case.rpartition("@")
    profile, colon, seed = how.partition(":")
    if not at:
        claim, profile, seed = case, "default", "0"
    elif not colon or profile not in ("quick", "default", "thorough") or not seed.isdecimal():
        fail(f"{case!r} is no case; expected ID, or ID@PROFILE:SEED as reports print it", 2)
    request = one_claim(claim, folder, profile, int(seed), False, False)
    report = _run_quietly(replace(request, reuse=False))
    for record in report["claims"]:
        _print_record(request, record)
    raise typer.Exit(int(report["summary"]["exit_code"]))


def _run_quietly(request: Request) -> dict[str, Any]:
    """Run with a spinner only."""
    from rich.console import Console

    name = request.selection.patterns[0]
    with guard(), Console(stderr=True).status(f"judging {name}"):
        return run(request)
    raise AssertionError("guard() ends the command")  # pragma: no cover


def _print_record(request: Request, record: dict[str, Any]) -> None:
    from rich.console import Console

    from eostheory.report import render_show

    entries = load_library(request.paths).entries
    dependents = [i for i, e in entries.items() if record["id"] in e.needs]
    Console(highlight=False).print(render_show(record, dependents))


def _tell_broken(report: dict[str, Any]) -> None:
    """Name every script that could not be imported, also if its claims are not selected."""
    for path, error in report["summary"]["broken_scripts"].items():
        last = error.strip().splitlines()[-1] if error.strip() else "unknown reason"
        typer.echo(f"eostheory: {path} cannot be imported: {last}", err=True)
