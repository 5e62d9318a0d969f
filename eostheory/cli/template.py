"""``eostheory template``: a folder of proofs to start a new paper from."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import typer

from eostheory.cli.guard import fail

_FILES = ("claims.yaml", "expected.toml", "quadratic.py", "README.md")


def write_template(folder: Path, paper: str) -> None:
    """Write the template into ``folder``, which must be new or empty, and say what is next.

    Args:
        paper: prefix of the ids; the folder's name if empty.
    """
    name = paper or re.sub(r"[^A-Za-z0-9_-]+", "-", folder.resolve().name).strip("-")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        fail(f"{name!r} cannot begin the ids of a paper; choose letters and digits: --paper", 2)
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            fail(f"{folder} exists and is not empty; nothing was written", 2)
        folder.mkdir(parents=True, exist_ok=True)
        for file in _FILES:
            text = files("eostheory.cli").joinpath("new_paper", file).read_text("utf-8")
            (folder / file).write_text(text.replace("PAPER", name), encoding="utf-8")
    except OSError as reason:
        fail(f"the template could not be written: {reason}", 2)
    typer.echo(f"wrote {folder}: {', '.join(_FILES)}")
    typer.echo(f"next: eostheory verify {folder}")
