"""The report on a loss as one page that opens from the file, offline."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from markupsafe import Markup

from eostheory.report.json_report import write_text


def write_loss_page(report: Mapping[str, Any], fragment: str, folder: Path | str) -> Path:
    """Write the page into ``folder`` (made if missing) and return its path.

    Args:
        report: the JSON form of the report.
        fragment: its HTML, already escaped.

    Raises:
        OSError: the page cannot be written.
    """
    return write_text(Path(folder) / "index.html", render_loss_page(report, fragment))


def render_loss_page(report: Mapping[str, Any], fragment: str) -> str:
    """The page as text."""
    from jinja2 import Environment, PackageLoader

    environment = Environment(
        loader=PackageLoader("eostheory.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = files("eostheory.report").joinpath("templates", "style.css").read_text("utf-8")
    failed = sum(bool(f.get("unexpected")) for f in report["findings"])
    return environment.get_template("loss.html.j2").render(
        report=report,
        name=report.get("name") or "loss",
        headline=f"{failed} to look at" if failed else "as expected",
        fragment=Markup(fragment),
        style=Markup(style),
    )
