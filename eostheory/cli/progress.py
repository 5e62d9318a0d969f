"""Which check of a loss is running, on standard error."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from eostheory.report.records import duration
from eostheory.report.terminal import forgive

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from eostheory.check.report import Finding


class Progressing:
    """A bar on a terminal; elsewhere a line for each finished check.

    Use it as a context manager, so that an interrupted run leaves the terminal as it was.
    """

    def __init__(self, console: Console) -> None:
        forgive(console)
        self.console = console
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __call__(self, done: int, total: int, name: str, finding: Finding | None) -> None:
        """Show that ``name``, of ``total`` checks, is being run, or what it found."""
        if self.console.is_terminal:
            self._draw(done, total, name)
        elif finding is not None:
            took = duration(finding.seconds)
            line = f"[{done:>{len(str(total))}}/{total}] {finding.status:<14} {name}  {took}"
            self.console.print(line, markup=False, soft_wrap=True)

    def __enter__(self) -> Progressing:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _draw(self, done: int, total: int, name: str) -> None:
        if self._bar is None:
            self._start(total)
        assert self._bar is not None
        assert self._task is not None
        text = f"check {min(done + 1, total)} of {total}: {name}"
        self._bar.update(self._task, completed=done, description=text)

    def _start(self, total: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=self.console,
            transient=True,
        )
        self._task = self._bar.add_task("", total=total)
        self._bar.start()
