"""``eostheory list``."""

from __future__ import annotations

from collections import Counter

import typer

from eostheory.cli.guard import guard
from eostheory.suite import Known, Request, survey


def print_list(request: Request) -> None:
    """Print one line per selected claim: a table on a terminal, tab-separated elsewhere."""
    from rich.console import Console

    with guard(), Console(stderr=True).status("reading the proof scripts"):
        found = survey(request)
    console = Console(highlight=False, soft_wrap=True)
    if console.is_terminal:
        _print_table(console, found)
    else:
        for known in found:
            typer.echo("\t".join(_cells(known)))


def _cells(known: Known) -> tuple[str, ...]:
    entry = known.entry
    verdict = known.verdict.value if known.verdict else "not judged"
    differs = known.verdict is not None and known.verdict is not known.expected.verdict
    note = f"expected {known.expected.verdict.value}" if differs else ""
    return (entry.id, entry.kind, entry.check, verdict, note, known.script or "", entry.where)


def _print_table(console: object, found: list[Known]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from eostheory.report.verdicts import look

    assert isinstance(console, Console)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("id", "kind", "check", "verdict", "", "script", "where"):
        table.add_column(title, no_wrap=title == "id", overflow="fold")
    for known in found:
        cells = [Text(cell) for cell in _cells(known)]
        if known.verdict is not None:
            cells[3].stylize(look(known.verdict.value).style)
        table.add_row(*cells)
    console.print(table)
    counts = Counter(k.verdict.value if k.verdict else "not judged" for k in found)
    console.print(f"{len(found)} claims: " + ", ".join(f"{n} {v}" for v, n in counts.items()))
