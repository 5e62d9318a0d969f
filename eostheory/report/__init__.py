"""Renderers of a run: terminal, JSON, JUnit and an HTML companion, all from the same report."""

from eostheory.report.errata import errata_markdown
from eostheory.report.explain import explain
from eostheory.report.html import write_html
from eostheory.report.json_report import schema, write_json
from eostheory.report.junit import write_junit
from eostheory.report.show import render_show
from eostheory.report.terminal import TerminalReporter

__all__ = [
    "TerminalReporter",
    "errata_markdown",
    "explain",
    "render_show",
    "schema",
    "write_html",
    "write_json",
    "write_junit",
]
