"""The run report as a JSON file, and the published schema of that file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from eostheory.report.records import finite

SCHEMA = "eostheory-report/1"


def write_json(report: Mapping[str, Any], path: Path | str) -> Path:
    """Write ``report`` to ``path``, whole or not at all; missing folders are made.

    Numbers that JSON does not have (NaN, infinities) are written as strings.

    Raises:
        OSError: the file cannot be written.
    """
    text = json.dumps(finite(report), indent=2, ensure_ascii=False, default=str)
    return write_text(path, text + "\n")


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) that every report of this version meets."""
    text = files("eostheory.report").joinpath("schema", "report-1.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def write_text(path: Path | str, text: str) -> Path:
    """Write a file through a temporary one beside it, so that no half-written report is left."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        draft.write_text(text, encoding="utf-8", errors="backslashreplace")
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return target
