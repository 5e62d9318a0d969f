"""A report of ``check_loss`` as one ``<section>`` of HTML that needs nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from eostheory.check.plots import Plot
from eostheory.check.text import AS_CORRECTED, GLYPHS, VERDICTS, number

if TYPE_CHECKING:
    from jinja2 import Environment


_SAID = {"applies": "apply", "fails": "do not apply", "unknown": "undecided"}


def render(report: Mapping[str, Any]) -> str:
    """The fragment for a report in JSON data."""
    plots = {}
    for finding in report["findings"]:
        if finding["series"]:
            try:
                plots[finding["check"]] = Markup(Plot.of(finding).svg)
            except ValueError:  # nothing finite to draw
                continue
    template = _environment().get_template("report.html.j2")
    found: str = template.render(
        report=report,
        plots=plots,
        glyphs=GLYPHS,
        verdicts=VERDICTS,
        theorems=_theorems(report["applicability"]),
    )
    return found


def _theorems(applicability: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """What the theorems of each paper say, those of one verdict for one reason together."""
    found: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}
    for name, entry in applicability.items():
        paper, _, local = name.partition("/")
        verdict = str(entry["verdict"])
        reason = str(entry.get("hypothesis") or "")
        if verdict == "applies":
            reason = AS_CORRECTED if entry.get("verdict_of_claim") == "refuted" else ""
        said = _SAID.get(verdict, verdict) + (f" ({reason})" if reason else "")
        empty = {"verdict": verdict, "said": said, "names": [], "entries": {}}
        group = found.setdefault(paper, {}).setdefault((verdict, reason), empty)
        group["names"].append(local or name)
        group["entries"][name] = entry
    order = list(_SAID)
    return {
        paper: sorted(groups.values(), key=lambda g: order.index(g["verdict"]))
        for paper, groups in found.items()
    }


@lru_cache
def _environment() -> Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_text),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["number"] = number
    return environment


def _text(name: str) -> str:
    place = files("eostheory.check").joinpath("templates", name)
    return place.read_text(encoding="utf-8")
