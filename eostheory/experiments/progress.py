"""How far a run is: read from the rows that it records, so that no run has to tell."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from eostheory.training import read_records

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

INTERVAL = 0.5
"""Seconds between two looks at the records."""


def rows_there(folder: Path) -> int:
    """Rows recorded in ``folder`` up to now."""
    try:
        return len(read_records(folder).rows)
    except (OSError, ValueError):  # not begun
        return 0


class Bars:
    """A bar for every part, with rate and remaining time; a context manager.

    The rows that a resumed part has already are not counted into its rate.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._progress: Progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=Console(stderr=True),
            disable=quiet,
        )

    def __enter__(self) -> Bars:
        self._progress.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    @contextmanager
    def watch(self, part: str, folder: Path, rows: int) -> Iterator[None]:
        """Show a part while the context lasts."""
        begun = rows_there(folder)
        task = self._progress.add_task(part, total=rows, completed=begun, rate="")
        over = threading.Event()
        thread = threading.Thread(
            target=self._follow, args=(task, folder, begun, over), daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            done = rows_there(folder)
            # A part that ended before its time (diverged, reached its stop) is done all the same.
            self._progress.update(task, completed=done, total=done)

    def _follow(self, task: TaskID, folder: Path, begun: int, over: threading.Event) -> None:
        from time import monotonic

        start = monotonic()
        while not over.wait(INTERVAL):
            done = rows_there(folder)
            rate = (done - begun) / (monotonic() - start)
            self._progress.update(task, completed=done, rate=f"{rate:.3g} rows/s")
