"""What ``eostheory check-loss`` does."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from eostheory.cli.guard import fail, writable
from eostheory.suite import Exit

if TYPE_CHECKING:
    from eostheory.check.report import LossReport
    from eostheory.cli.progress import Progressing

_STDOUT = "-"


@dataclass(frozen=True)
class LossReports:
    """Where the reports on a loss go; ``json_file`` is ``"-"`` for stdout, ``""`` for nowhere."""

    json_file: str = ""
    junit: Path | None = None
    html: Path | None = None
    plots: Path | None = None

    def check(self) -> None:
        """Refuse destinations that cannot be written, before any work."""
        if self.json_file not in ("", _STDOUT):
            writable(Path(self.json_file), folder=False)
        if self.junit is not None:
            writable(self.junit, folder=False)
        for folder in (self.html, self.plots):
            if folder is not None:
                writable(folder, folder=True)

    def write(self, report: LossReport, strict: bool) -> None:
        """Write them."""
        from eostheory.report.json_report import write_text
        from eostheory.report.loss_junit import write_loss_junit
        from eostheory.report.loss_page import write_loss_page

        document = report.as_dict()
        written: list[Path] = []
        try:
            if self.json_file == _STDOUT:
                typer.echo(report.to_json(), nl=False)
            elif self.json_file:
                written.append(write_text(self.json_file, report.to_json()))
            if self.junit is not None:
                written.append(write_loss_junit(document, self.junit, strict=strict))
            if self.html is not None:
                written.append(write_loss_page(document, report.html(), self.html))
            if self.plots is not None:
                for finding in report.findings:
                    if finding.series:
                        path = self.plots / f"{finding.check}.svg"
                        written.append(report.plot(finding.check).save(path))
        except OSError as reason:
            fail(f"a report could not be written: {reason}", Exit.INTERNAL)
        for path in written:
            typer.echo(f"wrote {path}", err=True)


def list_checks() -> None:
    """Print every check with what it says, by group."""
    from eostheory.check.catalogue import all_checks

    checks = all_checks().values()
    width = max(len(check.name) for check in checks)
    for group in dict.fromkeys(check.group for check in checks):
        typer.echo(group)
        for check in checks:
            if check.group == group:
                typer.echo(f"  {check.name:<{width}}  {check.summary}")


def check_target(
    text: str,
    options: dict[str, Any],
    expect: Sequence[str],
    strict: bool,
    reports: LossReports,
    *,
    full: bool = False,
) -> None:
    """Import a loss, check it, show and write the report, and end with its exit code.

    Args:
        options: arguments of ``check_loss`` that the command line gives; they come before the
            target's own.
        full: show every check, and all theorems.
    """
    from rich.console import Console

    from eostheory.cli.progress import Progressing
    from eostheory.report.terminal import forgive

    reports.check()
    expected = expectations(expect)
    # a cancelled CI job sends SIGTERM; it should leave the same reports as Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    report: LossReport | None
    try:
        console = Console(highlight=False, stderr=True)
        # what the loss prints is no part of the report, which may be JSON on the standard output
        with Progressing(console) as progress, contextlib.redirect_stdout(sys.stderr):
            report = _run(text, options, expected, progress)
    except KeyboardInterrupt as stop:
        report = getattr(stop, "report", None)
    if report is None:
        fail("interrupted", Exit.INTERRUPTED)
    forgive(Console())
    typer.echo(report.text(full=full), err=reports.json_file == _STDOUT)
    reports.write(report, strict)
    raise typer.Exit(int(report.exit_code_for(strict=strict)))


def _run(
    text: str, options: dict[str, Any], expected: dict[str, str], progress: Progressing
) -> LossReport:
    from eostheory.check.engine import Examination
    from eostheory.check.targets import load
    from eostheory.suite import NothingSelected

    try:
        arguments = dict(load(text).arguments)
        own = arguments.pop("expected_failures", None) or {}
        arguments = {**arguments, **options, "expected_failures": {**own, **expected}}
        examination = Examination(**{**arguments, "target": text})
        # what the arguments describe is looked at here, so that later errors are not the user's
        _ = examination.context
    except NothingSelected as reason:
        fail(str(reason), Exit.NOTHING_SELECTED)
    except (ValueError, TypeError) as reason:
        fail(_as_options(str(reason)), Exit.USAGE)
    return examination.report(progress)


def _as_options(message: str) -> str:
    """A message about arguments of ``check_loss``, in the words of the command line."""
    for name in (
        "size", "start", "learning_rate", "weight_decay", "domain", "name", "checks", "exclude",
    ):  # fmt: skip
        message = message.replace(f"{name}=", f"--{name.replace('_', '-')} ")
    return message.replace("expected_failures:", "--expect:")


def replay_counterexample(case: str, target: str) -> None:
    """Try a recorded counterexample again; 1 if it is still one, 0 if it is none any more.

    Args:
        case: ``FILE.json``, a report with one counterexample, or ``FILE.json#CHECK``.
        target: the loss, where the report does not say it, or another one.
    """
    from eostheory.check import ReplayError, replay
    from eostheory.check.targets import load

    recorded = _recorded(case)
    try:
        arguments = dict(load(target).arguments) if target else {}
        found = replay(recorded, **arguments)
    except (ReplayError, ValueError, TypeError) as reason:
        fail(str(reason), Exit.USAGE)
    typer.echo(f"{found.check}: {found.status}; {found.message}")
    shown = found.counterexample
    if shown is not None:
        for name, value in {**shown.inputs, **shown.details}.items():
            typer.echo(f"  {name} = {value}")
    if found.error:
        typer.echo(found.error, err=True)
        raise typer.Exit(int(Exit.INTERNAL))
    raise typer.Exit(int(Exit.UNEXPECTED if str(found.status) == "fail" else Exit.AS_EXPECTED))


def _recorded(case: str) -> dict[str, Any]:
    """The counterexample that ``FILE.json#CHECK`` means."""
    from eostheory.claims.catalogue import nearest

    name, _, check = case.partition("#")
    try:
        document = json.loads(Path(name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as reason:
        fail(f"{name} cannot be read: {reason}", Exit.USAGE)
    if not isinstance(document, dict) or not isinstance(document.get("findings"), list):
        if isinstance(document, dict) and {"check", "inputs"} <= set(document):
            return document
        fail(f"{name} is no report of check-loss (--json writes one)", Exit.USAGE)
    cases = {f["check"]: f["replay"] for f in document["findings"] if f.get("replay")}
    if not cases:
        fail(f"{name} has no counterexample", Exit.USAGE)
    if check and check not in cases:
        where = nearest(check, cases) or f"; it has {', '.join(cases)}"
        fail(f"{name} has no counterexample of {check!r}{where}", Exit.USAGE)
    if not check and len(cases) > 1:
        fail(f"{name} has counterexamples of {', '.join(cases)}: say {name}#CHECK", Exit.USAGE)
    found: dict[str, Any] = cases[check or next(iter(cases))]
    return found


def expectations(given: Iterable[str]) -> dict[str, str]:
    """``NAME=REASON`` as a mapping."""
    found = {}
    for text in given:
        name, equals, reason = text.partition("=")
        if not equals or not name.strip() or not reason.strip():
            fail(
                f"--expect {text!r}: expected NAME=REASON, the name of a check and why it fails",
                Exit.USAGE,
            )
        found[name.strip()] = reason.strip()
    return found


def words(given: Iterable[str] | None) -> tuple[str, ...]:
    """Names that were given one by one, or with commas between them."""
    return tuple(w.strip() for text in given or () for w in text.split(",") if w.strip())


def bounds(text: str) -> tuple[float, float]:
    """``LOW,HIGH`` of ``--domain``."""
    found = numbers(text, "--domain")
    if len(found) != 2:
        fail(f"--domain: {text!r} is not LOW,HIGH, two numbers, as in --domain=-2,2", Exit.USAGE)
    return found[0], found[1]


def numbers(text: str, option: str) -> list[float]:
    """Numbers with commas between them."""
    found = []
    for word in text.split(","):
        try:
            found.append(float(word))
        except ValueError:
            fail(f"{option}: {word.strip()!r} is no number; expected e.g. 1,-0.5,2", Exit.USAGE)
    return found
