"""Errata of the papers, from what a run has refuted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from eostheory.report.explain import corrected_lines, witness_lines
from eostheory.report.records import Record, by_paper, changed_parts, claims_of, dependents_of
from eostheory.report.verdicts import NATURES

_ORIGIN = (
    "{} statements are false as printed. Written by `eostheory verify --errata`: every witness is "
    "exact, every corrected form has its own verdict.\n"
)


def errata_markdown(report: Mapping[str, Any]) -> str:
    """One entry for every refuted claim: as printed, witness, corrected form, what survives.

    Claims that only the conversion of the paper to text had broken are listed apart: they are no
    mistakes of the paper.
    """
    refuted = [claim for claim in claims_of(report) if claim["verdict"] == "refuted"]
    if not refuted:
        return "# Errata\n\nThis run refuted nothing.\n"
    ours = [claim for claim in refuted if claim["nature"] == "extraction"]
    dependents = dependents_of(claims_of(report))
    parts = ["# Errata\n", _ORIGIN.format(len(refuted) - len(ours)), _tally(refuted)]
    for paper, claims in by_paper([c for c in refuted if c["nature"] != "extraction"]).items():
        parts.append(f"## {paper}\n")
        parts.extend(_entry(claim, dependents.get(claim["id"], [])) for claim in claims)
    if ours:
        parts.append("## Broken by the conversion to text, not by the paper\n")
        parts.extend(_entry(claim, dependents.get(claim["id"], [])) for claim in ours)
    return "\n".join(parts)


def _tally(refuted: Sequence[Record]) -> str:
    """How many of each nature."""
    counts = Counter(claim["nature"] for claim in refuted)
    lines = [f"- {counts[nature]}: {text}" for nature, text in NATURES.items() if counts[nature]]
    return "\n".join(lines) + "\n" if lines else ""


def _entry(claim: Record, dependents: Sequence[str]) -> str:
    lines = [
        f"### {claim['id']} ({claim['where']})\n" if claim["where"] else f"### {claim['id']}\n"
    ]
    if claim["says"]:
        lines.append(f"{_plain(claim['says'])}\n")
    lines.append(_formulas("As printed", {"": claim["formula"]}))
    if claim["nature"]:
        lines.append(f"**What is wrong:** {NATURES.get(claim['nature'], claim['nature'])}.\n")
    if claim["expected_reason"]:
        lines.append(f"{_plain(claim['expected_reason'])}\n")
    if claim["extraction"]:
        lines.append(f"**Text conversion:** {_plain(claim['extraction'])}\n")
    if found := witness_lines(claim["witness"]):
        lines.append("**Witness:**\n\n" + _fenced("\n".join(found)))
    corrected = claim["corrected"]
    if corrected:
        lines.append(_formulas("Corrected", changed_parts(claim)))
        notes = [n for n in corrected_lines(claim) if n.startswith(("under the", "which is"))]
        if notes:
            lines.append(f"{_plain('; '.join(notes))}.\n")
    lines.append(f"**What survives:** {what_survives(claim)}\n")
    if dependents:
        lines.append(f"**Used by:** {', '.join(f'`{name}`' for name in dependents)}\n")
    return "\n".join(line for line in lines if line)


def what_survives(claim: Record) -> str:
    """What is left of a refuted claim, in words."""
    corrected = claim["corrected"]
    if corrected and corrected.get("verdict") in ("proved", "certified", "supported", "assumed"):
        kind = "under the added hypothesis" if corrected.get("hypothesis") else "in corrected form"
        return f"the claim {kind} ({corrected['verdict']})."
    if claim["nature"] == "slip":
        return "the conclusion of the proof; only this step is wrong as printed."
    return "nothing is known to survive."


def _formulas(title: str, parts: Mapping[str, str]) -> str:
    shown = [(name, latex) for name, latex in parts.items() if latex]
    if not shown:
        return ""
    blocks = [
        f"{_plain(name)}:\n\n$$\n{latex}\n$$" if name else f"$$\n{latex}\n$$"
        for name, latex in shown
    ]
    return f"**{title}:**\n\n" + "\n\n".join(blocks) + "\n"


def _fenced(text: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text}\n{fence}\n"


def _plain(text: str) -> str:
    """``text`` with the characters that Markdown and HTML would read as structure escaped."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    for char in "\\`*_[]":
        escaped = escaped.replace(char, f"\\{char}")
    return escaped
