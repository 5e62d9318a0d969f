"""Reading a run report: completed records, and the relations between them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Record = Mapping[str, Any]

_DEFAULTS: dict[str, Any] = {
    "paper": "",
    "kind": "",
    "check": "",
    "where": "",
    "says": "",
    "formula": "",
    "hypotheses": "",
    "needs": (),
    "script": None,
    "encoded": None,
    "encoded_text": None,
    "reading": "",
    "extraction": "",
    "verdict": "open",
    "conditional": (),
    "expected": "",
    "expected_reason": "",
    "as_expected": True,
    "improved": False,
    "nature": None,
    "corrected": None,
    "witness": None,
    "rests_on": (),
    "legs": None,
    "hypotheses_used": (),
    "hypotheses_unused": (),
    "mutants": None,
    "evidence": (),
    "replay": None,
    "python": None,
    "seconds": 0.0,
    "error": None,
    "cached": False,
}


def complete(record: Record) -> dict[str, Any]:
    """``record`` with every member a renderer asks for; ``None`` where a list belongs is empty.

    Raises:
        ValueError: the record has no id.
    """
    if not record.get("id"):
        raise ValueError(f"a claim record without an id: {dict(record)!r:.200}")
    full = {**_DEFAULTS, **record}
    for key, default in _DEFAULTS.items():
        if full[key] is None and default is not None:
            full[key] = default
    full["paper"] = full["paper"] or str(full["id"]).split("/")[0]
    return full


def claims_of(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The completed records of a run report, in its order."""
    return [complete(record) for record in report.get("claims") or ()]


def by_paper(claims: Iterable[Record]) -> dict[str, list[Record]]:
    """Claims grouped by paper, papers and claims in order of appearance."""
    groups: dict[str, list[Record]] = {}
    for claim in claims:
        groups.setdefault(str(claim["paper"]), []).append(claim)
    return groups


def parents_of(record: Record) -> list[str]:
    """Ids a claim depends on: those its paper uses (``needs``), then those its witnesses use."""
    return list(dict.fromkeys([*(record.get("needs") or ()), *(record.get("rests_on") or ())]))


def dependents_of(claims: Iterable[Record]) -> dict[str, list[str]]:
    """id -> ids of the claims that directly depend on it."""
    found: dict[str, list[str]] = {}
    for claim in claims:
        for parent in parents_of(claim):
            found.setdefault(parent, []).append(str(claim["id"]))
    return found


def ancestors_of(claims: Sequence[Record]) -> dict[str, list[str]]:
    """id -> every claim it rests on, directly or not, nearest first."""
    parents = {str(claim["id"]): parents_of(claim) for claim in claims}
    result: dict[str, list[str]] = {}
    for claim in parents:
        seen: dict[str, None] = {}
        frontier = parents[claim]
        while frontier:
            fresh = [name for name in frontier if name not in seen and name != claim]
            seen.update(dict.fromkeys(fresh))
            frontier = list(dict.fromkeys(p for name in fresh for p in parents.get(name, ())))
        result[claim] = list(seen)
    return result


def is_encoded(record: Record) -> bool:
    """Whether somebody has written witnesses for the claim."""
    return bool(record.get("script") or record.get("encoded")) or record.get("verdict") != "open"


def changed_parts(record: Record, plain: bool = False) -> dict[str, str]:
    """Part name -> corrected statement, of the parts that the correction changes."""
    corrected = record.get("corrected") or {}
    new = (corrected.get("text") if plain else None) or corrected.get("latex") or {}
    old = statements(record, plain=new is corrected.get("text"))
    return {str(k): str(v) for k, v in new.items() if old.get(str(k)) != str(v)}


def needs_attention(record: Record) -> bool:
    """Whether the claim makes, or should make, somebody look at it."""
    if record.get("unfinished"):
        return False
    return (
        not record["as_expected"]
        or record["verdict"] in ("conflict", "error")
        or bool(unwaived(record))
    )


def unwaived(record: Record) -> list[dict[str, Any]]:
    """Mutants that a witness did not notice and that nobody excused."""
    return [s for s in survivors(record) if not s.get("reason")]


def survivors(record: Record) -> list[dict[str, Any]]:
    """Every surviving mutant, each with the witness that let it live."""
    found: list[dict[str, Any]] = []
    for witness, score in (record.get("mutants") or {}).items():
        found.extend({"witness": witness, **item} for item in (score or {}).get("survivors") or ())
    return found


def statements(record: Record, plain: bool = False) -> dict[str, str]:
    """Part name -> encoded statement, in LaTeX or (where recorded) plain text."""
    encoded = (record.get("encoded_text") if plain else None) or record.get("encoded") or {}
    return {str(name): str(text) for name, text in encoded.items()}


def finite(value: Any) -> Any:
    """``value`` with what JSON has no number for (NaN, infinities) written as strings."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def duration(seconds: float) -> str:
    """A time as people say it: ``0.31 s``, ``42 s``, ``3 min 05 s``."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
