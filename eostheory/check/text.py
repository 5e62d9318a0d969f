"""A report of ``check_loss`` as text: a table, what fails with its counterexample, what applies."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

GLYPHS = {"pass": "✓", "fail": "✗", "unknown": "?", "not-applicable": "·"}
VERDICTS = {"applies": "✓", "fails": "✗", "unknown": "?"}

AS_CORRECTED = "as corrected only: false as printed, see ERRATA.md"
_VERDICTS = {"applies": "apply", "fails": "do not apply", "unknown": "undecided"}
_NAMED = 8
_SHORT = 200
_MANY = 32
_DIGITS = 10
_WIDTH = 100
Record = Mapping[str, Any]


def render(report: Record) -> str:
    """The report (``LossReport.as_dict``) as text without colours."""
    size = report["size"]
    parts = [
        f"{report['name']}: {report['kind']}, {size} parameter{'' if size == 1 else 's'}; "
        f"profile {report['profile']}, seed {report['seed']}.",
        "",
        *_table(report["findings"]),
    ]
    shown = [f for f in report["findings"] if f["status"] == "fail" or f["unexpected"]]
    # what a selected check needs is told where it fails
    shown += [f for f in report["also_run"] if f["status"] == "fail"]
    if shown:
        parts += ["", *_joined(_failure(f) for f in shown)]
    if broken := [f for f in (*report["findings"], *report["also_run"]) if f["error"]]:
        parts += [
            "",
            *_joined([f"internal error in {f['check']}", f["error"].rstrip()] for f in broken),
        ]
    if report["applicability"]:
        told = _applicability(report["applicability"])
        parts += ["", *(told if report["summary"]["complete"] else told[:1])]
    parts += ["", _last(report)]
    return "\n".join(parts)


def one(finding: Record) -> str:
    """One finding (``Finding.as_dict``) with its counterexample, as text without colours."""
    return "\n".join(_failure(finding))


def number(value: Any) -> str:
    """A number in few digits; texts as they are."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if value is None else str(value)
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def _table(findings: Iterable[Record]) -> list[str]:
    listed = list(findings)
    order = list(dict.fromkeys(f["group"] for f in listed))
    listed.sort(key=lambda f: order.index(f["group"]))
    width = max((len(f["check"]) for f in listed), default=0)
    lines, group = [], None
    for f in listed:
        if f["group"] != group:
            group = f["group"]
            lines.append(f" {group}")
        head = f"  {GLYPHS[f['status']]} {f['check']:<{width}}  "
        lines += _hanging(head, _told(f))
    return lines


def _told(f: Record) -> str:
    text = str(f["message"])
    if f["expected_failure"] is not None:
        expected = f"expected to fail: {f['expected_failure']}"
        text += f" [{expected}]" if not f["unexpected"] else f" [but {expected}]"
    return text


def _failure(f: Record) -> list[str]:
    lines = [f"{GLYPHS[f['status']]} {f['check']}: {f['summary']}"]
    lines += _hanging("  ", str(f["message"]))
    rows = [(k, number(f[k])) for k in ("measured", "expected", "tolerance") if f[k] is not None]
    case = f["counterexample"]
    if case is not None:
        rows += [(k, _input(v)) for k, v in case["inputs"].items()]
        rows += [(k.replace("_", " "), number(v)) for k, v in case["details"].items()]
    width = max((len(k) for k, _ in rows), default=0)
    for key, value in rows:
        lines += _hanging(f"    {key:<{width}}  ", value)
    if case is not None and case["python"]:
        lines += [
            "    reproduce",
            *(f"      {line}".rstrip() for line in case["python"].splitlines()),
        ]
    return lines


def _input(value: Any) -> str:
    if not isinstance(value, Mapping):
        return number(value)
    code, numbers = str(value["code"]), value["data"].get("values", ())
    if value["data"].get("kind") != "coordinates":
        return code
    if len(numbers) > _MANY:
        first = ", ".join(number(x) for x in numbers[:4])
        return f"{len(numbers)} numbers: {first}, ... (all in the report as JSON)"
    if any(len(repr(x)) > _DIGITS for x in numbers):
        return f"[{', '.join(number(x) for x in numbers)}], rounded"
    return code


def _applicability(entries: Mapping[str, Record]) -> list[str]:
    """Theorems by paper, those of one verdict for one reason together."""
    counts = Counter(str(entry["verdict"]) for entry in entries.values())
    said = [f"{counts[v]} {word}" for v, word in _VERDICTS.items() if counts[v]]
    lines = [f" theorems: {', '.join(said)}"]
    papers: dict[str, dict[tuple[str, str], list[str]]] = {}
    for name, entry in entries.items():
        paper, _, local = name.partition("/")
        reason = str(entry.get("hypothesis") or "")
        if not reason and entry.get("verdict_of_claim") == "refuted":
            reason = AS_CORRECTED
        key = (str(entry["verdict"]), reason)
        papers.setdefault(paper, {}).setdefault(key, []).append(local or paper)
    for paper, groups in papers.items():
        lines.append(f"  {paper}")
        for verdict in _VERDICTS:
            for (found, reason), names in groups.items():
                if found == verdict:
                    lines += _theorems(paper, verdict, reason, names, entries)
    return lines


def _theorems(
    paper: str, verdict: str, reason: str, names: list[str], entries: Mapping[str, Record]
) -> list[str]:
    listed = ", ".join(names[:_NAMED])
    if len(names) > _NAMED:
        listed += f" and {len(names) - _NAMED} more"
    lines = _hanging(f"   {VERDICTS[verdict]} ", f"{_VERDICTS[verdict]}: {listed}")
    if verdict == "applies":
        return lines + (_hanging("       ", reason) if reason else [])
    entry = entries.get(f"{paper}/{names[0]}") or entries[names[0]]
    message = str(entry["message"]).partition(". But the statement")[0]
    message = textwrap.shorten(message, _SHORT, placeholder=" ...", break_long_words=False)
    lines += _hanging("       ", f"{reason}: {message}" if reason else message)
    if point := entry.get("point"):
        lines += _hanging("       at ", str(point["code"]))
    return lines


def _last(report: Record) -> str:
    counts = report["summary"]["counts"]
    said = [f"{n} {status}" for status, n in counts.items() if n]
    stopped = "interrupted; " if report["summary"]["interrupted"] else ""
    return f"{stopped}{', '.join(said) or 'nothing was run'}; {report['summary']['seconds']:.1f} s"


def _hanging(head: str, text: str) -> list[str]:
    """``text`` after ``head``, further lines below its first."""
    room = max(_WIDTH - len(head), 30)
    lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    return [(head + lines[0]).rstrip(), *(" " * len(head) + line for line in lines[1:])]


def _joined(blocks: Iterable[list[str]]) -> list[str]:
    found: list[str] = []
    for block in blocks:
        found += ["", *block] if found else block
    return found
