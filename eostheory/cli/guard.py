"""From exceptions to messages and exit codes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import typer


@contextlib.contextmanager
def guard() -> Iterator[None]:
    """Turn what a user can do wrong into one line on stderr and the documented exit code."""
    from eostheory.suite import Exit, ExpressionError, LoadError, NothingSelected, UnknownClaim

    try:
        yield
    except (LoadError, UnknownClaim, ExpressionError) as reason:
        fail(str(reason), Exit.USAGE)
    except NothingSelected as reason:
        fail(str(reason), Exit.NOTHING_SELECTED)
    except KeyboardInterrupt:
        fail("interrupted", Exit.INTERRUPTED)


def fail(message: str, code: int) -> NoReturn:
    """Print ``message`` to stderr and end with ``code``."""
    typer.echo(f"eostheory: {message}", err=True)
    raise typer.Exit(int(code))


def writable(path: Path, *, folder: bool) -> None:
    """Refuse a report's destination before the run, not after it.

    Args:
        folder: the destination is a folder, not a file.
    """
    parent = path if folder else path.parent
    try:
        if not folder and path.is_dir():
            raise IsADirectoryError(f"{path} is a folder")
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as reason:
        fail(f"cannot write a report to {path}: {reason}", 2)
