"""A claim's record in words: titled sections of plain text that every textual renderer shares."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from eostheory.report.plain import plain_math, plain_text
from eostheory.report.records import (
    Record,
    changed_parts,
    complete,
    duration,
    statements,
    survivors,
)
from eostheory.report.verdicts import LEGS, NATURES, look

Section = tuple[str, list[str]]

_WITNESS_FIRST = ("how", "part", "values", "draws", "lhs", "rhs")


def explain(record: Record) -> str:
    """Why the claim has its verdict: statement, witness, correction, how to repeat it."""
    return as_text(findings(complete(record)))


def as_text(sections: Iterable[Section]) -> str:
    """Sections as text: the title, then its lines indented below it or beside it."""
    parts = []
    for title, lines in sections:
        if len(lines) == 1 and "\n" not in lines[0]:
            parts.append(f"{title}: {lines[0]}")
        else:
            body = "\n".join(f"    {row}" for line in lines for row in line.splitlines() or [""])
            parts.append(f"{title}:\n{body}")
    return "\n".join(parts)


def findings(record: Record) -> list[Section]:
    """What a reader needs to act on a verdict.  Empty sections are left out."""
    return _kept(
        [
            ("verdict", [verdict_line(record)]),
            ("place", [place(record)]),
            ("says", [plain_text(record["says"])]),
            ("printed", [plain_math(record["formula"])]),
            ("encoded", _named(statements(record, plain=True))),
            ("reading", [plain_text(record["reading"])]),
            ("text conversion", [plain_text(record["extraction"])]),
            ("comparisons", leg_lines(record)),
            ("witness", witness_lines(record["witness"])),
            ("corrected", corrected_lines(record)),
            ("surviving mutants", survivor_lines(record)),
            ("error", [str(record["error"] or "").strip()]),
            ("replay", [f"eostheory replay '{record['replay']}'" if record["replay"] else ""]),
            ("python", [str(record["python"] or "").strip("\n")]),
        ]
    )


def details(record: Record, dependents: Iterable[str] = ()) -> list[Section]:
    """Everything known about a claim, for ``eostheory show``."""
    found = dict(findings(record))
    needs = list(record["needs"])
    beyond = [name for name in record["rests_on"] if name not in needs]
    order: list[Section] = [
        ("says", found.get("says", [])),
        ("place", found.get("place", [])),
        ("printed", found.get("printed", [])),
        ("encoded", found.get("encoded", [])),
        ("reading", found.get("reading", [])),
        ("text conversion", found.get("text conversion", [])),
        ("hypotheses", [plain_text(record["hypotheses"])]),
        ("used", [", ".join(record["hypotheses_used"])]),
        ("unused", [", ".join(record["hypotheses_unused"])]),
        ("expected", [_expectation(record)]),
        ("comparisons", found.get("comparisons", [])),
        ("witness", found.get("witness", [])),
        ("corrected", found.get("corrected", [])),
        ("derivation", evidence_lines(record, "derivation")),
        ("simulation", evidence_lines(record, "simulation")),
        ("mutants", mutant_lines(record)),
        ("survivors", survivor_lines(record)),
        ("rests on", [", ".join(needs)]),
        ("derived from", [", ".join(beyond)]),
        ("conditional on", [", ".join(record["conditional"])]),
        ("used by", [", ".join(dependents)]),
        ("script", [_script(record)]),
        ("error", found.get("error", [])),
        ("replay", found.get("replay", [])),
        ("python", found.get("python", [])),
    ]
    return _kept(order)


def verdict_line(record: Record) -> str:
    """The verdict and what qualifies it."""
    return f"{record['verdict']}: {qualified(record)}"


def qualified(record: Record) -> str:
    """What qualifies a verdict: its meaning or its nature, and its expectation."""
    text = NATURES.get(record["nature"] or "", look(record["verdict"]).meaning)
    text = text[:1].upper() + text[1:].rstrip(".") + "."
    if record["improved"] or not record["as_expected"]:
        text += f" Expected: {record['expected'] or 'nothing'}."
    if record["expected_reason"]:
        text += f" Reason: {record['expected_reason']}"
    return text


def place(record: Record) -> str:
    """Where in which paper the claim stands."""
    where = record["where"]
    kind = f" ({record['kind']}, {record['check']})" if record["kind"] else ""
    return f"{record['paper']}{', ' + where if where else ''}{kind}"


def leg_lines(record: Record) -> list[str]:
    """The three comparisons, one line each; none if the claim has not been judged."""
    legs = record["legs"] or {}
    return [f"{name}: {legs[key]}" for key, name in LEGS.items() if legs.get(key, "none") != "none"]


def witness_lines(witness: Mapping[str, Any] | None) -> list[str]:
    """A witness as lines of text."""
    return [f"{name}{sign}{value}" for name, sign, value in witness_facts(witness)]


def witness_facts(witness: Mapping[str, Any] | None) -> list[tuple[str, str, str]]:
    """(name, sign, value) of a witness: how it was found, the values, both sides, then the rest."""
    if not witness:
        return []
    keys = [k for k in _WITNESS_FIRST if k in witness]
    keys += [k for k in witness if k not in keys]
    found: list[tuple[str, str, str]] = []
    for key in keys:
        value = witness[key]
        if isinstance(value, Mapping):
            found += [(str(name), " = ", short(item)) for name, item in value.items()]
        elif value not in (None, "", [], ()):
            found.append((key, ": ", short(value)))
    return found


def corrected_lines(record: Record) -> list[str]:
    """The corrected form, the hypothesis that was missing, and the verdict on it."""
    corrected = record["corrected"]
    if not corrected:
        return []
    changed = changed_parts(record, plain=True)
    if not corrected.get("text"):
        changed = {name: plain_math(latex) for name, latex in changed.items()}
    lines = _named(changed)
    if corrected.get("hypothesis"):
        lines.append(f"under the hypothesis: {corrected['hypothesis']}")
    if corrected.get("verdict"):
        lines.append(f"which is {corrected['verdict']}")
    return lines


def survivor_lines(record: Record) -> list[str]:
    """Mutants that survived, each with its waiver or the lack of one."""
    return [
        f"{item['witness']}, {item.get('mutant', '?')}: {item.get('statement', '')}"
        f" [{item.get('reason') or 'NOT WAIVED'}]"
        for item in survivors(record)
    ]


def mutant_lines(record: Record) -> list[str]:
    """How many mutants each witness noticed."""
    lines = []
    for witness, score in (record["mutants"] or {}).items():
        if score and score.get("total"):
            waived = f", {score['waived']} waived" if score.get("waived") else ""
            lines.append(f"{witness}: {score.get('killed', 0)}/{score['total']} killed{waived}")
    return lines


def evidence_lines(record: Record, witness: str) -> list[str]:
    """What one witness did, a line for each item; plots are named only."""
    lines = []
    for item in record["evidence"]:
        if item.get("witness", "simulation") != witness:
            continue
        text = plain_text(str(item.get("text") or item.get("title") or ""))
        if item.get("kind") == "plot":
            text = f"[plot] {text}"
        if item.get("latex"):
            text = f"{text}{'  ' if text else ''}{plain_math(str(item['latex']))}"
        if text:
            lines.append(text)
    return lines


def short(value: Any, most: int = 400) -> str:
    """One readable line for a JSON value."""
    text = _shown(value)
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


def _shown(value: Any) -> str:
    """A number, a vector as ``(1, 2)``, a matrix as ``(1, 2; 3, 4)``, anything else as JSON."""
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and value:
        if all(isinstance(item, str | int | float) for item in value):
            return f"({', '.join(map(_shown, value))})"
        if all(isinstance(row, list | tuple) and row for row in value):
            return f"({'; '.join(_shown(row)[1:-1] for row in value)})"
    return json.dumps(value, ensure_ascii=False, default=str)


def _named(parts: Mapping[str, str]) -> list[str]:
    return [f"{name}: {text}" if name else text for name, text in parts.items()]


def _expectation(record: Record) -> str:
    if not record["expected"]:
        return ""
    state = "" if record["as_expected"] else " (NOT met)"
    reason = f": {record['expected_reason']}" if record["expected_reason"] else ""
    return f"{record['expected']}{state}{reason}"


def _script(record: Record) -> str:
    if not record["script"]:
        return ""
    cached = ", from the cache" if record["cached"] else ""
    return f"{record['script']}, judged in {duration(float(record['seconds']))}{cached}"


def _kept(sections: Iterable[Section]) -> list[Section]:
    kept = ((title, [line for line in lines if line]) for title, lines in sections)
    return [(title, lines) for title, lines in kept if lines]
