"""A report of ``check_loss`` as one ``<section>`` of HTML that needs nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from eostheory.check.plots import Plot
from eostheory.check.text import GLYPHS, VERDICTS, number

if TYPE_CHECKING:
    from jinja2 import Environment


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
    found: str = template.render(report=report, plots=plots, glyphs=GLYPHS, verdicts=VERDICTS)
    return found


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
