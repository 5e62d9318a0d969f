"""What a run has found, for a terminal: a table, then every claim that needs attention."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from eostheory.report.explain import Section, findings, qualified
from eostheory.report.records import (
    Record,
    by_paper,
    claims_of,
    duration,
    is_encoded,
    needs_attention,
)
from eostheory.report.show import sections_table
from eostheory.report.verdicts import LOOKS, glyph, look, urgency

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

EXITS = {
    0: "everything is as expected",
    1: "a verdict differs from its expectation, or the witnesses conflict",
    2: "wrong usage, or an unknown id",
    3: "a verdict is below the demanded level",
    4: "a proof script failed, or eostheory itself",
    5: "nothing was selected",
    130: "interrupted; what had finished is kept",
}

_SHOWN = 12
_TRACE = 7
_BRIEF = frozenset({"place", "printed", "encoded", "witness", "corrected"})


def print_summary(report: Mapping[str, Any], console: Console) -> None:
    """Print the end of a run: table by paper and verdict, explanations, and the last word."""
    claims = claims_of(report)
    summary = report.get("summary") or {}
    attention = sorted(filter(needs_attention, claims), key=lambda c: urgency(c["verdict"]))
    improved = [c for c in claims if c["improved"] and c not in attention]
    known = [c for c in claims if c["verdict"] == "refuted" and c not in attention]
    console.print()
    if claims:
        console.print(verdict_table(claims, console))
        console.print(_mutants(summary), markup=False, highlight=False)
    _explain(console, "Refuted, as expected", known, brief=True)
    if improved:
        console.print(f"\nBetter than expected: {len(improved)}", markup=False)
    for claim in improved:
        line = f"  {claim['id']}: {claim['verdict']}, expected {claim['expected']}"
        console.print(line, markup=False)
    _explain(console, "Needs attention", attention, brief=False)
    below = list(summary.get("below_level") or ())
    if below:
        shown = ", ".join(below[:_SHOWN]) + (" ..." if len(below) > _SHOWN else "")
        console.print(
            f"\n{len(below)} below the demanded level, {summary.get('level')}: {shown}",
            markup=False,
        )
    if later := list(summary.get("postponed") or ()):
        what = "1 claim is" if len(later) == 1 else f"{len(later)} claims are"
        console.print(
            f"\n{what} for a greater profile than this one, such as {later[0]}: choose it with "
            "--profile, or name the claim.",
            markup=False,
        )
    code = int(summary.get("exit_code") or 0)
    counts = [f"{len(attention)} need attention"] if attention else []
    counts += [f"{len(known)} refuted as expected"] if known else []
    unfinished = sum(bool(claim.get("unfinished")) for claim in claims)
    counts += [f"{unfinished} not judged"] if unfinished else []
    took = duration(float(summary.get("seconds") or 0))
    tail = f" ({', '.join(counts)})" if counts else ""
    console.print(f"\nexit code {code}: {EXITS.get(code, 'unknown')}{tail}; {took}.", markup=False)


def verdict_table(claims: Iterable[Record], console: Console | None = None) -> RenderableType:
    """Claims counted by verdict and paper.  Verdicts that nobody has are left out."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    groups = by_paper(claims)
    if len(groups) > 1:
        groups = {**groups, "all": [claim for group in groups.values() for claim in group]}
    present = {str(claim["verdict"]) for group in groups.values() for claim in group}
    rows = [seen for seen in LOOKS if seen.name in present]
    rows += [look(name) for name in sorted(present - {seen.name for seen in LOOKS})]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("verdict", no_wrap=True)
    for paper in groups:
        table.add_column(paper, justify="right", overflow="fold")
    for seen in rows:
        mark = glyph(console, seen) if console is not None else seen.glyph
        counts = [sum(c["verdict"] == seen.name for c in group) for group in groups.values()]
        cells = [Text(str(count), style=seen.style) if count else "" for count in counts]
        table.add_row(Text(f"{mark} {seen.name}", style=seen.style), *cells)
    table.add_section()
    shares = [f"{sum(map(is_encoded, group))} of {len(group)}" for group in groups.values()]
    table.add_row("encoded", *shares)
    return table


def _mutants(summary: Mapping[str, Any]) -> str:
    parts = []
    for witness, score in (summary.get("mutants") or {}).items():
        if score and score.get("total"):
            waived = f", {score['waived']} waived" if score.get("waived") else ""
            parts.append(f"{witness} {score.get('killed', 0)}/{score['total']}{waived}")
    return f"mutants killed: {'; '.join(parts)}" if parts else "no mutants were judged"


def _explain(console: Console, title: str, claims: Sequence[Record], brief: bool) -> None:
    from rich.rule import Rule
    from rich.text import Text

    if not claims:
        return
    console.print()
    console.print(Rule(f"{title}: {len(claims)}", align="left", style="dim"))
    for claim in claims:
        seen = look(str(claim["verdict"]))
        console.print()
        console.print(Text.assemble((str(claim["id"]), "bold"), "  ", (seen.name, seen.style)))
        console.print(Text(qualified(claim), style="dim"))
        console.print(sections_table(_sections(claim, brief)))


def _sections(claim: Record, brief: bool) -> list[Section]:
    found = [section for section in findings(claim) if section[0] != "verdict"]
    found = [(title, _end(lines) if title == "error" else lines) for title, lines in found]
    return [section for section in found if section[0] in _BRIEF] if brief else found


def _end(lines: list[str]) -> list[str]:
    """The end of a traceback, without the lines that only underline others."""
    rows = [row for line in lines for row in line.splitlines() if row.strip(" ^~")]
    return rows if len(rows) <= _TRACE else ["... (all of it: eostheory show)", *rows[-_TRACE:]]
