"""A report of ``check_loss`` as text: a table, what fails with its counterexample, what applies.

In short nothing is said twice: checks that say the same share a line, and so do theorems; in full
every check has its own line, and theorems are listed by paper and hypothesis.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

GLYPHS = {"pass": "✓", "fail": "✗", "unknown": "?", "not-applicable": "·"}
VERDICTS = {"applies": "✓", "fails": "✗", "unknown": "?"}

AS_CORRECTED = "only as corrected; false as printed, see ERRATA.md"
_VERDICTS = {"applies": "apply", "fails": "do not apply", "unknown": "undecided"}
_NAMED = 8
_FEW = 5
_SHORT = 200
_MANY = 32
_DIGITS = 10
_WIDTH = 100
Record = Mapping[str, Any]


def render(report: Record, *, full: bool = False) -> str:
    """The report (``LossReport.as_dict``) as text without colours."""
    size = report["size"]
    shown = [f for f in report["findings"] if f["status"] == "fail" or f["unexpected"]]
    # what a selected check needs is told where it fails
    shown += [f for f in report["also_run"] if f["status"] == "fail"]
    parts = [
        f"{report['name']}: {report['kind']}, {size} parameter{'' if size == 1 else 's'}; "
        f"profile {report['profile']}, seed {report['seed']}.",
    ]
    if table := _table(report["findings"], full):
        parts += ["", *table]
    if shown:
        parts += ["", *_joined(_failure(f) for f in shown)]
    if broken := [f for f in (*report["findings"], *report["also_run"]) if f["error"]]:
        parts += [
            "",
            *_joined([f"internal error in {f['check']}", f["error"].rstrip()] for f in broken),
        ]
    if errors := report["summary"]["errors"]:
        parts += ["", *_joined(["internal error", e.rstrip()] for e in errors)]
    if entries := report["applicability"]:
        told = _listed(entries) if full else _in_short(entries, shown)
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


def _table(findings: Iterable[Record], full: bool) -> list[str]:
    listed = list(findings)
    order = list(dict.fromkeys(f["group"] for f in listed))
    listed.sort(key=lambda f: order.index(f["group"]))
    rows: dict[tuple[str, str, str], list[str]] = {}
    for f in listed:
        same = f["check"] if full or f["status"] not in ("pass", "not-applicable") else _told(f)
        rows.setdefault((f["group"], f["status"], same), []).append(f["check"])
    told = {f["check"]: _told(f) for f in listed}
    if not full:  # the failures follow
        told |= {f["check"]: _short(f) for f in listed if f["status"] == "fail"}
    single = [names[0] for names in rows.values() if len(names) == 1]
    width = max(map(len, single), default=0)
    lines, group = [], None
    for (within, status, _), names in rows.items():
        if within != group:
            group = within
            lines.append(f" {group}")
        glyph, text = GLYPHS[status], told[names[0]]
        if len(names) == 1:
            lines += _hanging(f"  {glyph} {names[0]:<{width}}  ", text)
        else:
            lines += _hanging(f"  {glyph} ", f"{', '.join(names)}: {_plural(text)}")
    return lines


def _plural(text: str) -> str:
    """What several checks say: they hold, and need."""
    for one, many in (("holds ", "hold "), ("needs ", "need ")):
        if text.startswith(one):
            return many + text.removeprefix(one)
    return text


def _short(f: Record) -> str:
    """What the table says of a failure that is told below it."""
    expected = f["expected_failure"]
    return "see below" if expected is None else f"see below [expected to fail: {expected}]"


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
        rows += [
            (k.replace("_", " "), number(v))
            for k, v in case["details"].items()
            if v not in (f["measured"], f["expected"])
        ]
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


def _count(entries: Iterable[Record]) -> str:
    counts = Counter(str(entry["verdict"]) for entry in entries)
    return ", ".join(f"{counts[v]} {word}" for v, word in _VERDICTS.items() if counts[v])


def _in_short(entries: Mapping[str, Record], shown: Iterable[Record]) -> list[str]:
    """What applies by paper, the main theorems first; then what stands in the way, each once."""
    lines = [f" theorems: {_count(entries.values())}"]
    for paper, names in _by_paper(entries).items():
        lines.append(f"  {paper}: {_count(entries[n] for n in names)}")
        true: list[str] = []
        corrected: list[str] = []
        for name in names:
            if entries[name]["verdict"] == "applies":
                false = entries[name].get("verdict_of_claim") == "refuted"
                (corrected if false else true).append(name)
        if true:
            lines += _hanging("   ✓ ", _names(true))
        if corrected:
            lines += _hanging("   ✓ ", f"{AS_CORRECTED}: {_names(corrected)}")
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for name, entry in entries.items():
        if entry["verdict"] != "applies":
            reason = _reason(entry, shown)
            reasons.setdefault((str(entry["verdict"]), *reason), []).append(name)
    for verdict in ("fails", "unknown"):
        found = {k: names for k, names in reasons.items() if k[0] == verdict}
        if found:
            lines.append("  " + ("what fails" if verdict == "fails" else "what is undecided"))
        for (_, message, point), names in found.items():
            hypotheses = dict.fromkeys(str(entries[n]["hypothesis"]) for n in names)
            what = ", ".join(list(hypotheses)[:_FEW]) + (", ..." if len(hypotheses) > _FEW else "")
            lines += _hanging(f"   {VERDICTS[verdict]} ", f"{what}: {message}")
            lines += _hanging("       at ", point) if point else []
            by_paper = _by_paper(names).items()
            text = "; ".join(f"{paper} {_names(group)}" for paper, group in by_paper)
            lines += _hanging("       for ", text)
    return lines


def _reason(entry: Record, shown: Iterable[Record]) -> tuple[str, str]:
    """Why a theorem does not apply, and where; a failure that was told is named only."""
    message = str(entry["message"]).partition(". But the statement")[0]
    message = message.partition(". Whether the statement")[0]
    for f in shown:
        if message.endswith(str(f["message"])):
            said = message.removesuffix(str(f["message"])).rstrip(": ")
            to_mend = said.rfind("mend ")  # whichever of several hypotheses asks for it
            return f"{said[max(to_mend, 0) :]}, see above", ""
    message = textwrap.shorten(message, _SHORT, placeholder=" ...", break_long_words=False)
    point = entry.get("point")
    return message, str(point["code"]) if point else ""


def _by_paper(names: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(name.partition("/")[0], []).append(name)
    return found


def _names(names: Iterable[str]) -> str:
    """Names without their paper: theorems before lemmas, statements before their parts."""
    given = [name.partition("/")[2] or name for name in names]
    local = sorted(
        given, key=lambda n: (n.rpartition(".")[0] in given, not n.startswith(("thm", "prop")))
    )
    more = f" and {len(local) - _FEW} more" if len(local) > _FEW + 1 else ""
    return ", ".join(local[: _FEW if more else None]) + more


def _listed(entries: Mapping[str, Record]) -> list[str]:
    """Theorems by paper, those of one verdict for one reason together."""
    lines = [f" theorems: {_count(entries.values())}"]
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
