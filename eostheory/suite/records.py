"""Claim records: the empty one, and the check of what a worker hands back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from eostheory.claims.catalogue import CatalogueEntry
from eostheory.claims.verdict import Verdict

Record = dict[str, Any]

_SHAPES: dict[str, tuple[type, ...]] = {
    "encoded": (dict, type(None)),
    "evidence": (list,),
    "rests_on": (list,),
    "hypotheses_used": (list,),
    "hypotheses_unused": (list,),
    "mutants": (dict,),
    "legs": (dict,),
    "seconds": (int, float),
    "witness": (dict, type(None)),
    "corrected": (dict, type(None)),
    "nature": (str, type(None)),
    "replay": (str, type(None)),
    "python": (str, type(None)),
    "error": (str, type(None)),
}


class NotARecord(ValueError):
    """A worker handed back something that is no claim record."""


def blank_record(entry: CatalogueEntry, script: str | None = None) -> Record:
    """The record of a listed claim about which nothing is known: ``open``."""
    return {
        "id": entry.id,
        "paper": entry.paper,
        "kind": entry.kind,
        "check": entry.check,
        "where": entry.where,
        "says": entry.says,
        "formula": entry.formula,
        "hypotheses": entry.hypotheses,
        "needs": list(entry.needs),
        "script": script,
        "encoded": None,
        "encoded_text": None,
        "reading": "",
        "extraction": "",
        "verdict": Verdict.OPEN.value,
        "conditional": [],
        "expected": Verdict.OPEN.value,
        "expected_reason": "",
        "as_expected": True,
        "improved": False,
        "nature": None,
        "corrected": None,
        "witness": None,
        "rests_on": [],
        "legs": {
            "derivation_statement": "none",
            "simulation_statement": "none",
            "derivation_simulation": "none",
        },
        "hypotheses_used": [],
        "hypotheses_unused": [],
        "mutants": {"derivation": _no_score(), "simulation": _no_score()},
        "evidence": [],
        "replay": None,
        "python": None,
        "seconds": 0.0,
        "error": None,
        "cached": False,
    }


def error_record(
    entry: CatalogueEntry, script: str | None, error: str, seconds: float = 0.0
) -> Record:
    """The record of a claim whose script, or worker, failed; ``error`` is shown as it is."""
    record = blank_record(entry, script)
    record.update(verdict=Verdict.ERROR.value, error=error, seconds=round(seconds, 3))
    return record


def unfinished_record(entry: CatalogueEntry, script: str | None) -> Record:
    """The record of a claim that an interrupted run did not get to."""
    record = blank_record(entry, script)
    text = "not judged: the run was interrupted before this claim was finished"
    record["verdict"] = Verdict.UNDECIDED.value
    record["unfinished"] = True
    record["evidence"] = [{"kind": "note", "witness": "derivation", "text": text}]
    return record


def checked_record(entry: CatalogueEntry, script: str | None, value: object) -> Record:
    """``value`` completed to a full record.

    Raises:
        NotARecord: no mapping, another claim's id, an unknown verdict, a member of the wrong
            type, or something that JSON cannot hold.
    """
    if not isinstance(value, Mapping):
        raise NotARecord(f"expected a record (a mapping), got {type(value).__name__}")
    try:
        plain = json.loads(json.dumps(_finite(value), allow_nan=False))
    except (TypeError, ValueError) as reason:
        raise NotARecord(f"the record is not plain data: {reason}") from reason
    if plain.get("id", entry.id) != entry.id:
        raise NotARecord(f"the record is about {plain['id']!r}")
    if plain.get("verdict") not in set(Verdict):
        raise NotARecord(f"{plain.get('verdict')!r} is no verdict; known: {', '.join(Verdict)}")
    for name, types in _SHAPES.items():
        if name in plain and not isinstance(plain[name], types):
            raise NotARecord(f"member {name!r} is {type(plain[name]).__name__}")
    return {**blank_record(entry, script), **plain, "script": script}


def _no_score() -> dict[str, Any]:
    return {"killed": 0, "total": 0, "waived": 0, "survivors": []}


def _finite(value: object) -> object:
    """JSON has no number for NaN and the infinities: they are written as texts."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value
