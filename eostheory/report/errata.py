"""Errata of the papers, from what a run has refuted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eostheory.report.explain import corrected_lines, witness_lines
from eostheory.report.records import Record, by_paper, changed_parts, claims_of
from eostheory.report.verdicts import NATURES


def errata_markdown(report: Mapping[str, Any]) -> str:
    """One entry for every refuted claim: as printed, witness, corrected form, what survives.

    Claims that only the conversion of the paper to text had broken are listed apart: they are no
    mistakes of the paper.
    """
    refuted = [claim for claim in claims_of(report) if claim["verdict"] == "refuted"]
    if not refuted:
        return "# Errata\n\nThis run refuted nothing.\n"
    ours = [claim for claim in refuted if claim["nature"] == "extraction"]
    parts = ["# Errata\n"]
    for paper, claims in by_paper([c for c in refuted if c["nature"] != "extraction"]).items():
        parts.append(f"## {paper}\n")
        parts.extend(_entry(claim) for claim in claims)
    if ours:
        parts.append("## Broken by the conversion to text, not by the paper\n")
        parts.extend(_entry(claim) for claim in ours)
    return "\n".join(parts)


def _entry(claim: Record) -> str:
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
    lines.append(f"**What survives:** {_survives(claim)}\n")
    return "\n".join(line for line in lines if line)


def _survives(claim: Record) -> str:
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
