"""A run of an experiment as evidence for a claim: what it recorded, and its findings as notes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from eostheory.experiments.catalogue import experiment
from eostheory.experiments.report import GLYPHS, shown
from eostheory.experiments.runner import run
from eostheory.experiments.settings import chosen

Array = npt.NDArray[np.float64]


class Notebook(Protocol):
    """What takes lines of evidence: the sample of a simulation."""

    def note(self, text: str) -> None:
        """Keep a line."""


@dataclass(frozen=True)
class Evidence:
    """A run that is over.

    Args:
        settings: it ran with.
        parts: recorded columns by name, by the part's name.
    """

    settings: Any
    parts: Mapping[str, Mapping[str, Array]]


def gather(
    notebook: Notebook, name: str, variant: str = "quick", changes: Mapping[str, Any] | None = None
) -> Evidence:
    """Run an experiment in a folder that goes away; note each finding beside what the paper says.

    Args:
        notebook: takes the notes.
        name: of the experiment.
        variant: of its settings.
        changes: further settings by name.

    Raises:
        UnknownExperiment, SettingError: no such experiment, variant or setting.
    """
    one = experiment(name)
    settings = chosen(one, variant=variant, values=changes)
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(one, settings, folder=Path(folder) / "run", plots=())
        parts = {
            part: {column: np.array(records[column]) for column in records.columns}
            for part, records in outcome.results.items()
        }
    for finding in outcome.findings:
        note = f" ({finding.note})" if finding.note else ""
        notebook.note(
            f"{GLYPHS[finding.agrees]} {finding.name}: measured {shown(finding.measured)}; "
            f"paper: {finding.paper}{note}"
        )
    return Evidence(settings, parts)
