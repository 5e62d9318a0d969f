"""``eostheory show ID``: one claim, complete, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from eostheory.report.explain import Section, details, qualified
from eostheory.report.records import Record, complete
from eostheory.report.verdicts import look

if TYPE_CHECKING:
    from rich.console import RenderableType

_CODE = frozenset({"python", "error"})


def render_show(record: Record, dependents: Iterable[str] = ()) -> RenderableType:
    """The record of one claim as something a ``rich`` console prints.

    Args:
        dependents: ids of the claims that directly depend on it (see ``records.dependents_of``).
    """
    from rich.console import Group
    from rich.text import Text

    full = complete(record)
    seen = look(full["verdict"])
    head = Text.assemble((str(full["id"]), "bold"), "  ", (full["verdict"], seen.style))
    return Group(
        head, Text(qualified(full), style="dim"), sections_table(details(full, dependents))
    )


def sections_table(sections: Iterable[Section]) -> RenderableType:
    """Sections as two columns, titles at the left.  Text is printed as it is, never as markup."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for title, lines in sections:
        table.add_row(title, Text("\n".join(lines), style="cyan" if title in _CODE else ""))
    return table
