"""The report on a loss as JUnit XML: one suite per group of checks, one case per check."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from eostheory.report.json_report import write_text
from eostheory.report.junit import legal, properties

Found = Mapping[str, Any]
_COUNTED = ("failures", "errors", "skipped")
_PLURAL = {"failure": "failures", "error": "errors", "skipped": "skipped"}


def write_loss_junit(report: Mapping[str, Any], path: Path | str, *, strict: bool = False) -> Path:
    """Write ``report``, the JSON form of a report on a loss, to ``path``.

    Failures are a check that fails although nobody expected it, and one that passes although its
    failure was expected; with ``strict`` also one that could not be decided.  What is not
    applicable, not decided, or fails as expected is skipped, with its reason.

    Raises:
        OSError: the file cannot be written.
    """
    return write_text(path, loss_junit(report, strict=strict))


def loss_junit(report: Mapping[str, Any], *, strict: bool = False) -> str:
    """The document that :func:`write_loss_junit` writes."""
    root = Element("testsuites", name="eostheory")
    findings = list(report["findings"])
    totals = _suites(root, report, findings, strict)
    root.set("tests", str(len(findings)))
    for key, value in totals.items():
        root.set(key, str(value))
    root.set("time", _seconds(findings))
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def loss_outcome(finding: Found, *, strict: bool = False) -> tuple[str, str]:
    """``failure``, ``error``, ``skipped`` or ``passed``, and why, for one finding."""
    status, message = finding["status"], str(finding["message"])
    if finding.get("error"):
        return "error", message
    reason = finding.get("expected_failure")
    if finding.get("unexpected"):
        if status == "fail":
            return "failure", message
        return "failure", f"expected to fail ({reason}), but: {message}"
    if status == "fail":
        return "skipped", f"fails as expected ({reason}): {message}"
    if status == "unknown":
        return ("failure" if strict else "skipped"), f"undecided: {message}"
    if status == "not-applicable":
        return "skipped", f"not applicable: {message}"
    return "passed", message


def _suites(
    root: Element, report: Mapping[str, Any], findings: list[Found], strict: bool
) -> dict[str, int]:
    totals = dict.fromkeys(_COUNTED, 0)
    name = str(report.get("name") or "loss")
    facts = {key: report.get(key) for key in ("target", "kind", "size", "profile", "seed")}
    for group in dict.fromkeys(str(f["group"]) for f in findings):
        members = [f for f in findings if f["group"] == group]
        suite = SubElement(root, "testsuite", name=legal(f"{name}: {group}"))
        properties(suite, {**facts, "eostheory": report.get("eostheory")})
        counts = dict.fromkeys(_COUNTED, 0)
        for finding in members:
            result = _case(suite, f"{name}.{group}", finding, strict)
            if result in _PLURAL:
                counts[_PLURAL[result]] += 1
        suite.set("tests", str(len(members)))
        for key, value in counts.items():
            suite.set(key, str(value))
            totals[key] += value
        suite.set("time", _seconds(members))
    return totals


def _case(suite: Element, place: str, finding: Found, strict: bool) -> str:
    case = SubElement(suite, "testcase", classname=legal(place), name=legal(finding["check"]))
    case.set("time", _seconds([finding]))
    keys = ("status", "measured", "expected", "tolerance", "examples", "expected_failure")
    properties(case, {key: finding.get(key) for key in keys})
    result, why = loss_outcome(finding, strict=strict)
    if result in ("failure", "error"):
        problem = SubElement(case, result, message=legal(why), type=legal(finding["status"]))
        more = [str(finding["error"])] if result == "error" else _counterexample(finding)
        problem.text = legal("\n".join([why, *more]))
    elif result == "skipped":
        SubElement(case, "skipped", message=legal(why))
    return result


def _counterexample(finding: Found) -> list[str]:
    found = finding.get("counterexample") or {}
    facts = {**(found.get("inputs") or {}), **(found.get("details") or {})}
    lines = [f"{name} = {_written(value)}" for name, value in facts.items()]
    if found.get("python"):
        lines += ["", "reproduce:", str(found["python"])]
    return lines


def _written(value: Any) -> str:
    return str(value["code"]) if isinstance(value, Mapping) and "code" in value else str(value)


def _seconds(findings: list[Found]) -> str:
    return f"{sum(float(f.get('seconds') or 0) for f in findings):.3f}"
