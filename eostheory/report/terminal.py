"""The terminal's view of a run: progress while it lasts, then a table and what needs attention."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from eostheory.report.records import complete, duration
from eostheory.report.summary import print_summary
from eostheory.report.verdicts import Look, glyph, look
from eostheory.suite.events import ClaimFinished, ClaimStarted, Event, RunFinished, RunStarted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

_SHOWN_RUNNING = 4


class TerminalReporter:
    """A listener that shows a run.

    On a terminal: a progress bar with what is running, what remains and the time; elsewhere a
    plain line for each finished claim.  ``NO_COLOR`` is respected.  Use it as a context manager, so
    that an interrupted run leaves the terminal as it was.
    """

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console as RichConsole

        self.console = console or RichConsole(highlight=False, soft_wrap=False)
        forgive(self.console)
        self._running: dict[str, None] = {}
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._start(event)
            case ClaimStarted(id=name):
                self._running[name] = None
                self._advance(None)
            case ClaimFinished(record=record, done=done, total=total):
                self._running.pop(str(record.get("id")), None)
                self._finished(complete(record), done, total)
            case RunFinished(report=report):
                self.close()
                print_summary(report, self.console)

    def __enter__(self) -> TerminalReporter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop drawing.  Harmless when nothing is drawn."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _start(self, event: RunStarted) -> None:
        count = len(event.plan)
        mutants = "with mutants" if event.mutate else "without mutants"
        self.console.print(
            f"Judging {count} of {event.listed} listed claims: profile {event.profile}, "
            f"seed {event.seed}, {mutants}, {event.jobs} {'job' if event.jobs == 1 else 'jobs'}.",
            markup=False,
        )
        if not self.console.is_terminal or not count:
            return
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.table import Column

        self._progress = Progress(
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn(
                "{task.description}", markup=False, table_column=Column(no_wrap=True, ratio=1)
            ),
            console=self.console,
            transient=True,
            expand=True,
        )
        self._task = self._progress.add_task("starting", total=count)
        self._progress.start()

    def _advance(self, done: int | None) -> None:
        if self._progress is None or self._task is None:
            return
        names = list(self._running)
        text = ", ".join(names[:_SHOWN_RUNNING])
        if len(names) > _SHOWN_RUNNING:
            text += f" and {len(names) - _SHOWN_RUNNING} more"
        self._progress.update(self._task, description=text or "finishing")
        if done is not None:
            self._progress.update(self._task, completed=done)

    def _finished(self, record: dict[str, Any], done: int, total: int) -> None:
        seen = look(record["verdict"])
        if self._progress is None:
            cached = " (cached)" if record["cached"] else ""
            took = duration(float(record["seconds"]))
            width = len(str(total))
            line = f"[{done:>{width}}/{total}] {self.mark(seen)} {record['verdict']:<9} "
            self.console.print(
                f"{line}{record['id']}  {took}{cached}", markup=False, soft_wrap=True
            )
        elif record["verdict"] in ("conflict", "error", "undecided", "vacuous"):
            from rich.text import Text

            text = Text.assemble((f"{self.mark(seen)} {record['verdict']:<9} ", seen.style))
            self.console.print(text.append(str(record["id"])))
        self._advance(done)

    def mark(self, seen: Look) -> str:
        """The verdict's glyph, or its ASCII stand-in where the output cannot carry it."""
        return glyph(self.console, seen)


def forgive(console: Console) -> None:
    """Let characters that the output cannot carry become ``?`` instead of ending the run."""
    reconfigure = getattr(console.file, "reconfigure", None)
    if reconfigure is not None and "utf" not in console.encoding:
        reconfigure(errors="replace")
