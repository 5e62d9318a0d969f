"""The short report of a run: the paper's numbers beside the measured ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from eostheory.experiments.experiment import Experiment, Finding
from eostheory.experiments.settings import as_json

GLYPHS = {True: "✓", False: "✗", None: "·"}
"""Of a finding: agrees with the paper, differs, cannot be judged."""


def shown(value: float | int | str) -> str:
    """A measured value with four digits."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if math.isfinite(value) else str(value)
    return str(value)


def document(
    experiment: Experiment,
    configuration: dict[str, Any],
    findings: Sequence[Finding],
    ends: dict[str, str],
    plots: Sequence[str],
) -> dict[str, Any]:
    """The report as JSON: what ran, how its parts ended, findings, files of plots."""
    return {
        "format": "eostheory-experiment/1",
        "experiment": experiment.name,
        "title": experiment.title,
        "claims": list(experiment.claims),
        "configuration": configuration,
        "parts": ends,
        "findings": [
            {
                "name": f.name,
                "paper": f.paper,
                # JSON has no NaN and no infinity.
                "measured": f.measured
                if not isinstance(f.measured, float) or math.isfinite(f.measured)
                else str(f.measured),
                "agrees": f.agrees,
                "note": f.note,
            }
            for f in findings
        ],
        "plots": list(plots),
    }


def markdown(
    experiment: Experiment,
    settings: Any,
    findings: Sequence[Finding],
    ends: dict[str, str],
    plots: Sequence[str],
) -> str:
    """The report as Markdown, with the plots."""
    lines = [f"# {experiment.name}: {experiment.title}", ""]
    for plot, name in zip(experiment.plots, plots, strict=False):
        lines += [f"![{plot.caption}]({name})", "", plot.caption, ""]
    lines += ["| | quantity | paper | measured | |", "|---|---|---|---|---|"]
    lines += [
        f"| {GLYPHS[f.agrees]} | {_cell(f.name)} | {_cell(f.paper)} | {_cell(shown(f.measured))} "
        f"| {_cell(f.note)} |"
        for f in findings
    ]
    lines += ["", "✓ agrees, ✗ differs, · cannot be decided here", "", "## Settings", ""]
    lines += ["| setting | value | paper | |", "|---|---|---|---|"]
    values = as_json(settings)
    for field in experiment.fields():
        paper = field.metadata["paper"]
        lines.append(
            f"| `{field.name}` | {_cell(str(values[field.name]))} "
            f"| {'not said' if paper is None else _cell(str(paper))} "
            f"| {_cell(field.metadata['text'])} |"
        )
    if experiment.choices:
        lines += ["", experiment.choices]
    lines += ["", "## Parts", ""]
    lines += [f"- `{part}`: {end}" for part, end in ends.items()]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "&#124;").replace("\n", " ")
