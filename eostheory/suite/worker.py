"""What runs inside a worker process: reading a script's claims, and judging one claim."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import Any

from eostheory.claims.catalogue import FILE_NAME, Catalogue, load_catalogue
from eostheory.suite.records import Record, checked_record, error_record
from eostheory.suite.scripts import claims_of_script

IMPORT_BUDGET = 120.0
"""Seconds that importing a script may take."""


_TRACEBACK_LINES = 60


class OutOfTime(BaseException):
    """Raised by the alarm.

    Not an ``Exception``, so that a witness that catches everything it knows does not catch this.
    """


def prepare() -> None:
    """Initialise a worker: Ctrl-C is the parent's business, and orphans end themselves."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def end_with_parent() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=end_with_parent, daemon=True).start()


def warm_up() -> int:
    """Do the slow imports before any claim's time runs; the process id."""
    import torch

    import eostheory.agree
    import eostheory.symbolic  # noqa: F401

    torch.set_num_threads(1)
    return os.getpid()


def index_script(folder: str, script: str) -> dict[str, Any]:
    """What a script encodes: ``claims`` with what the suite needs of each, or ``error``."""
    started = time.perf_counter()
    output = io.StringIO()
    try:
        with _alarm(IMPORT_BUDGET, f"importing {script}"), _captured(output):
            claims = claims_of_script(Path(folder), script)
    except BaseException as failure:  # a script may raise anything, SystemExit included
        return {"claims": [], "seconds": 0.0, "error": _traceback(failure, output)}
    found = [{"id": c.id, "budget": float(c.budget), "since": c.since} for c in claims]
    return {"claims": found, "seconds": time.perf_counter() - started, "error": None}


def judge_one(folder: str, claim_id: str, settings: Mapping[str, Any]) -> Record:
    """Judge one claim and return its record; whatever goes wrong becomes an ``error`` record.

    Args:
        settings: ``profile``, ``seed``, ``mutate``, and ``script``, the file that encodes it.
    """
    started = time.perf_counter()
    script = str(settings["script"])
    entry = _catalogue(folder, os.stat(Path(folder) / FILE_NAME).st_mtime_ns).entries[claim_id]
    output = io.StringIO()
    try:
        with _captured(output):
            with _alarm(IMPORT_BUDGET, f"importing {script}"):
                claims = claims_of_script(Path(folder), script)
            from eostheory.claims import Settings, judge

            claim = next(c for c in claims if c.id == claim_id)
            with _alarm(claim.budget, f"judging {claim_id}"):
                chosen = Settings(
                    settings["profile"],
                    settings["seed"],
                    settings["mutate"],
                    bool(settings.get("simulate", True)),
                )
                value = judge(claim, entry, chosen)
        record = checked_record(entry, script, value)
    except BaseException as failure:  # see index_script
        seconds = time.perf_counter() - started
        return error_record(entry, script, _traceback(failure, output), seconds)
    record["seconds"] = round(time.perf_counter() - started, 3)
    return record


@lru_cache(maxsize=8)
def _catalogue(folder: str, stamp: int) -> Catalogue:
    return load_catalogue(folder)


@contextlib.contextmanager
def _alarm(seconds: float, doing: str) -> Iterator[None]:
    """Raise :class:`OutOfTime` in the block after ``seconds``.

    Code that does not return to the interpreter is not interrupted; the parent kills it later.
    Systems without this signal rely on the parent alone.
    """
    if not hasattr(signal, "setitimer"):
        yield
        return

    def ring(signum: int, frame: FrameType | None) -> None:
        raise OutOfTime(f"{doing} took longer than its budget of {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _captured(output: io.StringIO) -> Iterator[None]:
    """Keep what scripts print out of the progress display; errors show it."""
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        yield


def _traceback(failure: BaseException, output: io.StringIO) -> str:
    lines = "".join(traceback.format_exception(failure)).splitlines()
    if len(lines) > 2 * _TRACEBACK_LINES:
        # endless recursion: its ends tell the story
        between = f"  ... {len(lines) - 2 * _TRACEBACK_LINES} lines ..."
        lines = [*lines[:_TRACEBACK_LINES], between, *lines[-_TRACEBACK_LINES:]]
    text = "\n".join(lines) + "\n"
    if printed := output.getvalue().strip():
        text += f"\nprinted before that:\n{printed[-2000:]}\n"
    return text
