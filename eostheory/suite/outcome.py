"""From single records to a run report: expectations, conditions, summary, exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any

from eostheory.claims.verdict import Verdict
from eostheory.suite.expectations import Expectation, default_verdict, is_improvement
from eostheory.suite.library import Library
from eostheory.suite.records import Record


class Exit(IntEnum):
    """What the exit code of a run says."""

    AS_EXPECTED = 0
    UNEXPECTED = 1
    USAGE = 2
    BELOW_LEVEL = 3
    INTERNAL = 4
    NOTHING_SELECTED = 5
    INTERRUPTED = 130


EXIT_MEANINGS = {
    Exit.AS_EXPECTED: "all as expected",
    Exit.UNEXPECTED: "a verdict differs from its expectation, witnesses conflict, or a mutant "
    "survives without a waiver",
    Exit.USAGE: "usage, unknown id, or a broken list",
    Exit.BELOW_LEVEL: "below the demanded level",
    Exit.INTERNAL: "a proof script failed, or an internal error",
    Exit.NOTHING_SELECTED: "nothing selected",
    Exit.INTERRUPTED: "interrupted",
}

LEVELS = (Verdict.SUPPORTED, Verdict.CERTIFIED, Verdict.PROVED)
_STRENGTH = {
    Verdict.PROVED: 3,
    # a definition has nothing to prove, so what rests on it is none the weaker
    Verdict.ASSUMED: 3,
    Verdict.CERTIFIED: 2,
    Verdict.SUPPORTED: 1,
}


def strength(verdict: str | None) -> int:
    """How much a verdict establishes: 0 for nothing, 3 for a proof or a definition."""
    return _STRENGTH.get(Verdict(verdict), 0) if verdict else 0


def complete(
    library: Library,
    records: Mapping[str, Record],
    elsewhere: Mapping[str, str],
) -> None:
    """Fill in what depends on other claims or on expectations, in place.

    Args:
        records: id -> record of every selected claim.
        elsewhere: id -> verdict of claims that were not selected, as far as known.
    """
    entries = library.entries
    verdicts = {**elsewhere, **{i: str(r["verdict"]) for i, r in records.items()}}
    for name, record in records.items():
        encoded = record["script"] is not None
        usual = Expectation(default_verdict(entries[name], encoded))
        expected = library.paper(entries[name].paper).expectations.get(name, usual)
        verdict = Verdict(record["verdict"])
        better = is_improvement(verdict, expected.verdict)
        record.update(
            expected=expected.verdict.value,
            expected_reason=expected.reason,
            as_expected=verdict is expected.verdict or better,
            improved=better,
            conditional=_weaker_ancestors(library, name, verdicts),
            nature=_nature(library, record, verdicts, records),
        )


def _weaker_ancestors(library: Library, name: str, verdicts: Mapping[str, str]) -> list[str]:
    own = strength(verdicts.get(name))
    if not own:
        return []
    entries = library.entries
    seen: dict[str, None] = {}
    pending = list(entries[name].needs)
    while pending:
        need = pending.pop()
        if need not in seen:
            seen[need] = None
            pending.extend(entries[need].needs if need in entries else ())
    return sorted(i for i in seen if strength(verdicts.get(i)) < own)


_SURVIVES = {Verdict.PROVED, Verdict.CERTIFIED, Verdict.SUPPORTED, Verdict.ASSUMED}


def _nature(
    library: Library,
    record: Record,
    verdicts: Mapping[str, str],
    records: Mapping[str, Record],
) -> str | None:
    """What kind of mistake a refuted claim is; a step is never called a false conclusion."""
    if record["verdict"] != Verdict.REFUTED:
        return None
    if record["extraction"]:
        return "extraction"
    if _lacks_hypothesis_only(record):
        return "hypothesis"
    if library.entries[str(record["id"])].kind != "proof-step":
        return "conclusion"
    conclusions = _conclusions_of(library, str(record["id"]))
    survive = all(
        verdicts.get(name) in _SURVIVES
        or (name in records and _lacks_hypothesis_only(records[name]))
        for name in conclusions
    )
    return "slip" if conclusions and survive else "step"


def _lacks_hypothesis_only(record: Record) -> bool:
    """Whether the statement is right as printed under what the paper leaves unsaid."""
    corrected = record["corrected"] or {}
    same = corrected.get("latex") in (None, {}, record["encoded"])
    return bool(corrected.get("hypothesis")) and same


def _conclusions_of(library: Library, name: str) -> list[str]:
    """The listed statements that a proof step belongs to.

    ``thm-B.7`` for ``thm-B.7.p3``; ``lemma-C.3.1`` and its like for ``lemma-C.3.p2`` where the
    lemma is listed in parts.
    """
    statements = [e.id for e in library.entries.values() if e.kind != "proof-step"]
    while "." in name.partition("/")[2]:
        name = name.rpartition(".")[0]
        if name in statements:
            return [name]
        if parts := [s for s in statements if s.startswith(f"{name}.")]:
            return parts
    return []


def summarise(
    library: Library,
    records: Iterable[Record],
    encoded: Iterable[str],
    *,
    mutate: bool,
    level: Verdict | None,
    strict: bool,
    broken: Mapping[str, str],
    interrupted: bool,
) -> dict[str, Any]:
    """The summary of a report, with the exit code that follows from it."""
    records = list(records)
    encoded = set(encoded)
    coverage = {
        p.name: {
            "listed": len(p.catalogue.entries),
            "encoded": sum(i in encoded for i in p.catalogue.entries),
        }
        for p in library.papers
    }
    summary: dict[str, Any] = {
        "listed": sum(c["listed"] for c in coverage.values()),
        "selected": len(records),
        "encoded": sum(r["script"] is not None for r in records),
        "verdicts": dict(Counter(str(r["verdict"]) for r in records)),
        "coverage": coverage,
        "unexpected": [r["id"] for r in records if not r["as_expected"]],
        "improved": [r["id"] for r in records if r["improved"]],
        "errors": _with(records, Verdict.ERROR),
        "conflicts": _with(records, Verdict.CONFLICT),
        "survivors": [r["id"] for r in records if mutate and has_survivors(r)],
        "below_level": [r["id"] for r in records if level and _below(r, level)],
        "broken_scripts": dict(broken),
        "mutants": {w: _total(records, w) for w in ("derivation", "simulation")},
        "level": level.value if level else None,
        "strict": strict,
        "interrupted": interrupted,
    }
    summary["exit_code"] = int(exit_code(summary))
    return summary


def exit_code(summary: Mapping[str, Any]) -> Exit:
    """The worst that a summary tells."""
    if summary["interrupted"]:
        return Exit.INTERRUPTED
    if summary["conflicts"]:
        return Exit.UNEXPECTED
    if summary["errors"] or summary["broken_scripts"]:
        return Exit.INTERNAL
    if summary["unexpected"] or summary["survivors"]:
        return Exit.UNEXPECTED
    if summary["improved"] and summary["strict"]:
        return Exit.UNEXPECTED
    return Exit.BELOW_LEVEL if summary["below_level"] else Exit.AS_EXPECTED


def has_survivors(record: Record) -> bool:
    """Whether a mutant of a claim that counts as established survived without a waiver."""
    if not strength(record["verdict"]) and record["verdict"] != Verdict.REFUTED:
        return False
    scores = record["mutants"].values()
    return any(not s.get("reason") for score in scores for s in score.get("survivors", ()))


def _with(records: Iterable[Record], verdict: Verdict) -> list[str]:
    return [str(r["id"]) for r in records if r["verdict"] == verdict]


def _below(record: Record, level: Verdict) -> bool:
    return strength(record["verdict"]) < strength(level)


def _total(records: Iterable[Record], witness: str) -> dict[str, int]:
    total = {"killed": 0, "total": 0, "waived": 0, "survivors": 0}
    for record in records:
        score = record["mutants"].get(witness, {})
        for name in ("killed", "total", "waived"):
            total[name] += int(score.get(name, 0))
        total["survivors"] += sum(not s.get("reason") for s in score.get("survivors", ()))
    return total
