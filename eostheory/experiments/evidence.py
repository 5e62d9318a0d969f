"""A run of an experiment as evidence for a claim: what it recorded, and its findings as notes.

The claims of one process that look at the same run share it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from eostheory.experiments.catalogue import experiment
from eostheory.experiments.experiment import Finding
from eostheory.experiments.report import GLYPHS, shown
from eostheory.experiments.runner import run
from eostheory.experiments.settings import chosen

Array = npt.NDArray[np.float64]
KEPT = 4
"""Runs that are kept for further claims."""


class Notebook(Protocol):
    """What takes lines of evidence: the sample of a simulation."""

    def note(self, text: str) -> None:
        """Keep a line."""


@dataclass(frozen=True)
class Evidence:
    """A run that is over.

    Args:
        settings: it ran with.
        parts: recorded columns by name, by the part's name; not to be written to.
    """

    settings: Any
    parts: Mapping[str, Mapping[str, Array]]


def gather(
    notebook: Notebook,
    name: str,
    variant: str = "quick",
    changes: Mapping[str, Any] | None = None,
    label: str = "",
) -> Evidence:
    """Run an experiment in a folder that goes away; note each finding beside what the paper says.

    Args:
        notebook: takes the notes.
        name: of the experiment.
        variant: of its settings.
        changes: further settings by name.
        label: of the run, at the head of its notes; for a claim with several runs.

    Raises:
        UnknownExperiment, SettingError: no such experiment, variant or setting.
    """
    evidence, findings = _ran(name, chosen(experiment(name), variant=variant, values=changes))
    head = f"{label}: " if label else ""
    for finding in findings:
        note = f" ({finding.note})" if finding.note else ""
        notebook.note(
            f"{GLYPHS[finding.agrees]} {head}{finding.name}: measured {shown(finding.measured)}; "
            f"paper: {finding.paper}{note}"
        )
    return evidence


@lru_cache(maxsize=KEPT)
def _ran(name: str, settings: Any) -> tuple[Evidence, tuple[Finding, ...]]:
    """The run and its findings; a run depends on nothing but these."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(experiment(name), settings, folder=Path(folder) / "run", plots=())
        parts = {
            part: {column: _fixed(records[column]) for column in records.columns}
            for part, records in outcome.results.items()
        }
    return Evidence(settings, parts), outcome.findings


def _fixed(values: npt.ArrayLike) -> Array:
    column = np.array(values)
    column.flags.writeable = False
    return column
