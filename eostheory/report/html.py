"""The HTML companion of a run: one self-contained page that opens from a file, offline.

Everything is rendered here (text escaped, mathematics as MathML, plots as SVG, the layers of the
dependency graph); the page's script only filters, moves between claims, and spaces out the part of
the graph that is on show.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from eostheory.report.errata import what_survives
from eostheory.report.explain import leg_lines, short, witness_facts
from eostheory.report.graph import layout
from eostheory.report.json_report import write_text
from eostheory.report.mathml import inline, math
from eostheory.report.plots import figure
from eostheory.report.records import (
    Record,
    by_paper,
    changed_parts,
    claims_of,
    dependents_of,
    duration,
    is_encoded,
    needs_attention,
    parents_of,
    statements,
    survivors,
)
from eostheory.report.summary import EXITS
from eostheory.report.verdicts import LOOKS, NATURES, look, urgency

if TYPE_CHECKING:
    from jinja2 import Environment

_KNOWN = {seen.name for seen in LOOKS}
_TEXT_KINDS = ("step", "note", "order", "count", "certificate", "table")


def write_html(report: Mapping[str, Any], folder: Path | str) -> Path:
    """Write the companion into ``folder`` (made if missing) and return the page's path.

    Raises:
        OSError: the page cannot be written.
    """
    return write_text(Path(folder) / "index.html", render_html(report))


def render_html(report: Mapping[str, Any]) -> str:
    """The companion page as text."""
    claims = claims_of(report)
    papers = by_paper(claims)
    page = _environment().get_template("page.html.j2")
    return page.render(
        report=report,
        summary=report.get("summary") or {},
        claims=claims,
        papers=papers,
        coverage={p: (sum(map(is_encoded, group)), len(group)) for p, group in papers.items()},
        counts=_counts(claims),
        encoded=sum(map(is_encoded, claims)),
        attention=sorted(filter(needs_attention, claims), key=lambda c: urgency(c["verdict"])),
        refuted=[c for c in claims if c["verdict"] == "refuted" and not needs_attention(c)],
        dependents=dependents_of(claims),
        improved=[c for c in claims if c["improved"]],
        kinds=sorted({c["kind"] for c in claims if c["kind"]}),
        checks=sorted({c["check"] for c in claims if c["check"]}),
        looks=LOOKS,
        exits=EXITS,
        data=Markup(_data(claims)),
        style=Markup(_asset("style.css")),
        script=Markup(_asset("app.js")),
        glyphs=Markup(_asset("glyphs.svg")),
    )


def _counts(claims: Sequence[Record]) -> list[tuple[str, int]]:
    """(verdict, how many) for the verdicts that occur, in the order in which they are listed."""
    present = {str(claim["verdict"]) for claim in claims}
    names = [seen.name for seen in LOOKS if seen.name in present] + sorted(present - _KNOWN)
    return [(name, sum(claim["verdict"] == name for claim in claims)) for name in names]


def _data(claims: Sequence[Record]) -> str:
    """What the page's script needs, as JSON that is safe inside a script element."""
    places = layout(claims)
    rows = [
        {
            "id": claim["id"],
            "paper": claim["paper"],
            "kind": claim["kind"],
            "check": claim["check"],
            "verdict": claim["verdict"],
            "class": verdict_class(claim["verdict"]),
            "says": claim["says"],
            "text": f"{claim['id']} {claim['says']} {claim['where']} {claim['formula']}".lower(),
            "encoded": is_encoded(claim),
            "parents": parents_of(claim),
            "layer": places[claim["id"]].layer,
            "order": places[claim["id"]].order,
        }
        for claim in claims
    ]
    text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def verdict_class(verdict: str) -> str:
    """The verdict's name if the page has a glyph and a colour for it, else ``other``."""
    return verdict if verdict in _KNOWN else "other"


def evidence_of(record: Record, witness: str) -> list[dict[str, Any]]:
    """What one witness did, plots apart; each item with ``rows``, its further facts as text."""
    found = []
    for item in record["evidence"]:
        if item.get("kind") == "plot" or item.get("witness", "simulation") != witness:
            continue
        known = {"kind", "witness", "text", "title", "latex", "columns", "rows"}
        more = {k: v for k, v in item.items() if k not in known and v not in (None, "", [], {})}
        kind = item.get("kind") if item.get("kind") in _TEXT_KINDS else "note"
        found.append({**item, "kind": kind, "more": {k: short(v, 1200) for k, v in more.items()}})
    return found


def plots_of(record: Record) -> list[Markup]:
    """The claim's plots, drawn.  One that cannot be drawn says so and hides no other."""
    drawn = []
    for item in record["evidence"]:
        if item.get("kind") != "plot":
            continue
        try:
            drawn.append(Markup(figure(item)))
        except (TypeError, ValueError, AttributeError, OverflowError) as problem:
            text = Markup('<p class="empty">This plot is broken: {}</p>').format(problem)
            drawn.append(Markup('<figure class="plot">{}</figure>').format(text))
    return drawn


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader

    environment = Environment(
        loader=PackageLoader("eostheory.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        math=lambda latex: Markup(math(str(latex))),
        inline=lambda text: Markup(inline(str(text))),
        duration=lambda seconds: duration(float(seconds or 0)),
        short=short,
        verdict_class=verdict_class,
        meaning=lambda verdict: look(verdict).meaning,
        tail=lambda name: str(name).partition("/")[2] or str(name),
    )
    environment.globals.update(
        evidence_of=evidence_of,
        plots_of=plots_of,
        leg_lines=leg_lines,
        witness_facts=witness_facts,
        statements=statements,
        changed_parts=changed_parts,
        survivors=survivors,
        natures=NATURES,
        survives=what_survives,
    )
    return environment


def _asset(name: str) -> str:
    return files("eostheory.report").joinpath("templates", name).read_text("utf-8")
