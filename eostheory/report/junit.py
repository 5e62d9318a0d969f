"""The run report as JUnit XML, in the form that Jenkins, GitLab and GitHub actions read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from eostheory.report.explain import explain
from eostheory.report.json_report import write_text
from eostheory.report.records import Record, by_paper, claims_of, unwaived

_CONTROL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(report: Mapping[str, Any], path: Path | str) -> Path:
    """Write ``report`` to ``path``: one suite per paper, one case per claim.

    Failures are: a conflict, a verdict that differs from its expectation (an improvement only if
    the run is strict), a verdict below the demanded level, and a mutant that survived unexcused.
    A script that failed is an error; a claim that nobody encoded is skipped.

    Raises:
        OSError: the file cannot be written.
    """
    return write_text(path, junit(report))


def junit(report: Mapping[str, Any]) -> str:
    """The document that :func:`write_junit` writes."""
    summary = report.get("summary") or {}
    root = Element("testsuites", name="eostheory")
    totals = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for paper, claims in by_paper(claims_of(report)).items():
        suite = SubElement(root, "testsuite", name=legal(paper))
        suite.set("timestamp", str(report.get("created", ""))[:19])
        facts = {"profile": report.get("profile"), "seed": report.get("seed")}
        properties(suite, {**facts, "eostheory": report.get("eostheory")})
        outcomes = [_case(suite, claim, summary) for claim in claims]
        counts = {
            "tests": len(outcomes),
            "failures": outcomes.count("failure"),
            "errors": outcomes.count("error"),
            "skipped": outcomes.count("skipped"),
        }
        for key, value in counts.items():
            suite.set(key, str(value))
            totals[key] += value
        suite.set("time", f"{sum(float(claim['seconds']) for claim in claims):.3f}")
    totals["errors"] += _broken(root, summary.get("broken_scripts") or {})
    totals["tests"] += len(summary.get("broken_scripts") or {})
    for key, value in totals.items():
        root.set(key, str(value))
    root.set("time", f"{float(summary.get('seconds') or 0):.3f}")
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _broken(root: Element, scripts: Mapping[str, str]) -> int:
    """A suite of the proof scripts that could not be imported; how many there are."""
    if not scripts:
        return 0
    count = str(len(scripts))
    suite = SubElement(root, "testsuite", name="proof scripts", tests=count, errors=count)
    for key in ("failures", "skipped"):
        suite.set(key, "0")
    for path, trace in scripts.items():
        case = SubElement(suite, "testcase", classname="import", name=legal(path), time="0.000")
        SubElement(case, "error", message="cannot be imported").text = legal(trace)
    return len(scripts)


def outcome(record: Record, summary: Mapping[str, Any]) -> tuple[str, str]:
    """``failure``, ``error``, ``skipped`` or ``passed``, and why, for one completed record."""
    verdict, expected = record["verdict"], record["expected"]
    if verdict == "error":
        last = str(record["error"] or "").strip().splitlines()
        return "error", last[-1] if last else "the proof script failed"
    if verdict == "conflict":
        return "failure", "the two witnesses disagree: this is an error of eostheory"
    if record["improved"] or record["id"] in (summary.get("improved") or ()):
        if summary.get("strict"):
            return "failure", f"improved: {verdict} instead of {expected}; update expected.toml"
    elif not record["as_expected"]:
        return "failure", f"{verdict} instead of {expected}"
    if record["id"] in (summary.get("below_level") or ()):
        return "failure", f"{verdict} is below the demanded level, {summary.get('level')}"
    if record["id"] in (summary.get("survivors") or ()):
        names = ", ".join(str(item.get("mutant")) for item in unwaived(record))
        return "failure", f"mutants survive without a reason: {names}"
    if verdict == "open":
        return "skipped", "not encoded yet"
    return "passed", ""


def _case(suite: Element, claim: Record, summary: Mapping[str, Any]) -> str:
    paper, _, name = str(claim["id"]).partition("/")
    case = SubElement(suite, "testcase", classname=legal(paper), name=legal(name or paper))
    case.set("time", f"{float(claim['seconds']):.3f}")
    facts = {key: claim[key] for key in ("verdict", "expected", "kind", "check", "where")}
    for witness, score in (claim["mutants"] or {}).items():
        score = score or {}
        facts[f"mutants.{witness}"] = f"{score.get('killed', 0)}/{score.get('total', 0)}"
    if claim["improved"]:
        facts["improved"] = "true"
    properties(case, {**facts, "nature": claim["nature"], "reason": claim["expected_reason"]})
    result, why = outcome(claim, summary)
    if result in ("failure", "error"):
        problem = SubElement(case, result, message=legal(why), type=legal(str(claim["verdict"])))
        problem.text = legal(explain(claim))
    elif result == "skipped":
        SubElement(case, "skipped", message=why)
    elif claim["verdict"] in ("refuted", "undecided"):
        SubElement(case, "system-out").text = legal(explain(claim))
    return result


def properties(parent: Element, facts: Mapping[str, Any]) -> None:
    """Enter facts as properties; those without a value are left out."""
    box = SubElement(parent, "properties")
    for name, value in facts.items():
        if value not in (None, ""):
            SubElement(box, "property", name=legal(name), value=legal(str(value)))


def legal(text: str) -> str:
    """``text`` without the characters that XML 1.0 forbids."""
    return _CONTROL.sub("\ufffd", text)
