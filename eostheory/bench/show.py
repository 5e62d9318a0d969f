"""The report as text: aligned columns, plain characters, the same on a terminal and in a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from eostheory.bench.result import Cell, Judged, Outcome, Report, Table
from eostheory.bench.timing import Interval

_MARK = {"met": "met", "missed": "MISSED", "not measured": "not measured", "wrong": "WRONG"}


def number(value: float) -> str:
    """Three or four digits that a reader can compare."""
    if value == 0 or 1e-2 <= abs(value) < 1e4:
        return f"{value:.4g}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:.2e}"


def interval(seen: Interval) -> str:
    """``median [low, high]``; only the median where all repeats agree."""
    if seen.low == seen.high:
        return number(seen.median)
    return f"{number(seen.median)} [{number(seen.low)}, {number(seen.high)}]"


def cell(value: Cell) -> str:
    """One cell of a table."""
    if value is None:
        return ""
    if isinstance(value, Interval):
        return interval(value)
    return value if isinstance(value, str) else number(value)


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows under one another, two spaces between columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def table(shown: Table) -> Iterator[str]:
    """Title, header and rows."""
    yield shown.title
    rows = [list(shown.columns), *([cell(value) for value in row] for row in shown.rows)]
    header, *body = aligned(rows)
    yield f"  {header}"
    yield from (f"  {line}" for line in body)


def targets(judged: Iterable[Judged], *, quick: bool = False) -> Iterator[str]:
    """One line for each target: what is asked, what was measured, whether it is met.

    Args:
        quick: the sizes were too small for a verdict, so there is none.
    """
    rows = [["target", "what", "asked", "measured [interval]", "verdict"]]
    for one in judged:
        bound = f"{one.target.relation} {number(one.target.bound)}{_unit(one.target.unit)}"
        verdict = _MARK[one.state]
        if one.measured is None:
            seen = one.reason
        else:
            seen = interval(one.measured) + _unit(one.target.unit)
            if not one.clear:
                verdict += " (the interval reaches across)"
        if quick and one.measured is not None:
            verdict = "not judged"
        rows.append([one.target.name, one.target.text, bound, seen, verdict])
    yield from aligned(rows)


def _unit(unit: str) -> str:
    return unit if unit in {"", "x"} else f" {unit}"


def outcome(found: Outcome, *, quick: bool = False) -> Iterator[str]:
    """All that one case found; `targets` says what ``quick`` is."""
    for one in found.tables:
        yield from table(one)
        yield ""
    for note in found.notes:
        yield f"note: {note}"
    if found.targets:
        yield from targets(found.targets, quick=quick)
    yield ""


def machine(about: dict[str, object]) -> Iterator[str]:
    """What it was measured on."""
    versions = about.get("versions")
    listed = ""
    if isinstance(versions, dict):
        listed = ", ".join(f"{name} {version or 'absent'}" for name, version in versions.items())
    bits = about.get("vector_doubles")
    yield (
        f"{about.get('cpu')} ({about.get('cores')} cores, one of them used; {bits} doubles in a "
        f"vector; load {about.get('load')}), {about.get('system')}"
    )
    yield f"Python {about.get('python')}; {listed}; C: {about.get('compiler') or 'no C compiler'}"


def summary(report: Report) -> Iterator[str]:
    """Every target once more, and how many are met."""
    judged = report.targets
    if report.settings.get("quick"):
        yield "--quick: sizes too small for a verdict; run without it to judge the targets"
        return
    if not judged:
        return
    counts = {state: sum(one.state == state for one in judged) for state in _MARK}
    listed = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    yield f"{len(judged)} targets: {listed}"
    yield from (f"  {one.state}: {one.target.name}" for one in judged if one.state != "met")
