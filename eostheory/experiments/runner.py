"""Run an experiment in a folder, draw its plots and write its report."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

import eostheory
from eostheory.experiments import report
from eostheory.experiments.experiment import Experiment, Finding
from eostheory.experiments.results import Results
from eostheory.experiments.session import OutputError, Session, Watch, configuration_of
from eostheory.experiments.settings import as_json, from_json
from eostheory.training.checkpoint import write_atomically


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a run came to.

    Args:
        experiment: its name.
        folder: where everything lies.
        findings: what the paper reports, beside what was measured.
        plots: files of the plots, in the folder.
        results: the records.
    """

    experiment: str
    folder: Path
    findings: tuple[Finding, ...]
    plots: tuple[Path, ...]
    results: Results = field(repr=False)

    @property
    def agrees(self) -> bool:
        """Whether nothing that could be decided differs from the paper."""
        return all(f.agrees is not False for f in self.findings)


def run(
    experiment: Experiment,
    settings: Any = None,
    *,
    folder: Path | str,
    resume: bool = False,
    device: torch.device | str | None = None,
    changed_code: bool = False,
    plots: Sequence[str] = ("png", "svg"),
    watch: Watch | None = None,
) -> Outcome:
    """Run ``experiment`` in ``folder``, which may be killed at any time and resumed.

    Args:
        settings: of the experiment's class; None for its defaults.
        resume: go on with the run that the folder holds; the records are then bit for bit those of
            a run that was never interrupted.
        device: where tensors live; None for the CPU.
        changed_code: resume although the code is another one.
        plots: file formats; empty for no plots.
        watch: see :class:`~eostheory.experiments.session.Session`.

    Raises:
        OutputError: the folder holds something else.
        RecordError: the disk refuses; what was recorded before is readable.
        CheckpointError: a checkpoint is damaged or foreign, or the code has changed.
        DataError: data that are absent or not what they should be.
    """
    settings = experiment.defaults() if settings is None else settings
    device = torch.device("cpu" if device is None else device)
    configuration = {
        "format": 1,
        "experiment": experiment.name,
        "settings": as_json(settings),
        "device": device.type,
        "eostheory": eostheory.__version__,
        "torch": torch.__version__,
    }
    session = Session(
        folder,
        configuration,
        resume=resume,
        device=device,
        changed_code=changed_code,
        watch=watch,
    )
    experiment.run(settings, session)
    return describe(experiment, folder, plots=plots)


def complete(experiment: Experiment, settings: Any, folder: Path | str) -> bool:
    """Whether a folder holds all parts of a run, ended, and their report."""
    results = Results(folder)
    there = set(results)
    ended = (part in there and results[part].end for part in experiment.parts(settings))
    return (Path(folder) / "report.json").exists() and all(ended)


def describe(
    experiment: Experiment, folder: Path | str, *, plots: Sequence[str] = ("png", "svg")
) -> Outcome:
    """Draw the plots and write the report from what a folder holds, finished or not.

    Raises:
        OutputError: the folder holds no run of this experiment.
    """
    folder = Path(folder)
    configuration = configuration_of(folder)
    if configuration["experiment"] != experiment.name:
        raise OutputError(
            f"{folder} holds a run of {configuration['experiment']}, not of {experiment.name}"
        )
    settings = from_json(experiment, configuration["settings"])
    results = Results(folder)
    findings = experiment.findings(settings, results)
    drawn = _draw(experiment, settings, results, folder, plots) if plots else []
    ends = {part: _end(results, part, rows) for part, rows in experiment.parts(settings).items()}
    files = [path.relative_to(folder).as_posix() for path in drawn]
    text = report.markdown(experiment, settings, findings, ends, files)
    write_atomically(folder / "report.md", text.encode())
    content = report.document(experiment, configuration, findings, ends, files)
    write_atomically(
        folder / "report.json", json.dumps(content, indent=1, allow_nan=False).encode()
    )
    return Outcome(experiment.name, folder, tuple(findings), tuple(drawn), results)


def _draw(
    experiment: Experiment, settings: Any, results: Results, folder: Path, kinds: Sequence[str]
) -> list[Path]:
    from eostheory.experiments.plots import save

    place = folder / "plots"
    place.mkdir(exist_ok=True)
    first = []
    for plot in experiment.plots:
        figure = plot.draw(settings, results)
        paths = [place / f"{plot.name}.{kind}" for kind in kinds]
        for path in paths:
            save(figure, path)
        first.append(paths[0])
    return first


def _end(results: Results, part: str, rows: int) -> str:
    if part not in set(results):
        return "not begun"
    records = results[part]
    if records.end is None:
        share = 100 * len(records.rows) / rows if rows else math.nan
        return f"not finished: {len(records.rows)} of {rows} rows ({share:.0f} %)"
    message = records.end.get("message", "")
    return f"{records.end['end']}, {len(records.rows)} rows" + (f": {message}" if message else "")
