"""``expected.toml``: what a run is judged against, and why."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from eostheory.claims.catalogue import Catalogue, CatalogueEntry, nearest
from eostheory.claims.verdict import Verdict
from eostheory.suite.errors import LoadError

FILE_NAME = "expected.toml"

LADDER = (
    Verdict.ERROR,
    Verdict.OPEN,
    Verdict.UNDECIDED,
    Verdict.SUPPORTED,
    Verdict.CERTIFIED,
    Verdict.PROVED,
)
"""Verdicts that say more and more of the same; the others are different in kind."""


@dataclass(frozen=True)
class Expectation:
    """The verdict a claim is expected to get; ``reason`` where it is not the default."""

    verdict: Verdict
    reason: str = ""


def load_expectations(folder: Path, catalogue: Catalogue) -> dict[str, Expectation]:
    """Read ``expected.toml`` of a paper folder; a folder without one expects the defaults.

    Raises:
        LoadError: broken TOML, an unknown id, field or verdict, or a missing reason; with file,
            line and field.
    """
    path = folder / FILE_NAME
    if not path.exists():
        return {}
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as reason:
        raise LoadError(f"{path}: cannot be read: {reason}") from reason
    except tomllib.TOMLDecodeError as reason:
        line = re.search(r"line (\d+)", str(reason))
        where = line[1] if line else str(text.count("\n") + 1)
        raise LoadError(f"{path}:{where}: broken TOML: {reason}") from reason
    for name in data:
        if name != "claims":
            raise _error(path, text, name, name, 'unknown; only [claims."id"] tables belong here')
    claims = data.get("claims", {})
    if not isinstance(claims, Mapping):
        raise _error(path, text, "claims", "claims", 'must be tables [claims."id"]')
    return {i: _expectation(path, text, catalogue, i, table) for i, table in claims.items()}


def default_verdict(entry: CatalogueEntry, encoded: bool) -> Verdict:
    """What is expected of a claim that ``expected.toml`` does not mention."""
    if not encoded:
        return Verdict.OPEN
    if entry.check == "definition":
        return Verdict.ASSUMED
    return Verdict.SUPPORTED if entry.check == "empirical" else Verdict.PROVED


def is_improvement(verdict: Verdict, expected: Verdict) -> bool:
    """Whether ``verdict`` says more than ``expected`` did (``proved`` where ``supported`` was)."""
    if verdict not in LADDER or expected not in LADDER:
        return False
    return LADDER.index(verdict) > LADDER.index(expected)


def _expectation(
    path: Path, text: str, catalogue: Catalogue, name: str, table: object
) -> Expectation:
    entry = catalogue.entries.get(name)
    if entry is None:
        hint = nearest(name, catalogue.entries)
        raise _error(path, text, name, "claims", f"{name!r} is in no list{hint}")
    if not isinstance(table, Mapping):
        raise _error(path, text, name, name, "must be a table with 'verdict' and 'reason'")
    for key, value in table.items():
        if key not in ("verdict", "reason"):
            raise _error(path, text, name, key, f"unknown field of {name!r}")
        if not isinstance(value, str):
            raise _error(path, text, name, key, f"of {name!r} must be a text")
    if "verdict" not in table:
        raise _error(path, text, name, "verdict", f"missing for {name!r}")
    if table["verdict"] not in set(Verdict):
        allowed = ", ".join(Verdict)
        raise _error(path, text, name, "verdict", f"{table['verdict']!r} is none of {allowed}")
    verdict, reason = Verdict(table["verdict"]), str(table.get("reason", "")).strip()
    ordinary = {default_verdict(entry, True), Verdict.OPEN}
    if verdict not in ordinary and not reason:
        usual = default_verdict(entry, True)
        raise _error(
            path, text, name, "reason", f"missing: {name!r} is expected {verdict}, usually {usual}"
        )
    return Expectation(verdict, reason)


def _error(path: Path, text: str, name: str, field: str, message: str) -> LoadError:
    """tomllib keeps no positions, so the line is the first that mentions ``name``."""
    lines = text.splitlines()
    header = next((k for k, s in enumerate(lines) if name in s.partition("#")[0]), 0)
    inside = range(header, len(lines))
    own = next((k for k in inside if re.match(rf"\s*{re.escape(field)}\s*=", lines[k])), header)
    return LoadError(f"{path}:{own + 1}: field '{field}': {message}")
