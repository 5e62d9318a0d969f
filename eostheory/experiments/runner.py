"""Run an experiment in a folder, draw its plots and write its report."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

import eostheory
from eostheory.experiments import report
from eostheory.experiments.device import usable
from eostheory.experiments.distributed import DistributedError, Processes
from eostheory.experiments.experiment import Experiment, Finding
from eostheory.experiments.results import Results
from eostheory.experiments.session import OutputError, Session, Watch, configuration_of, ended
from eostheory.experiments.settings import as_json, from_json
from eostheory.training.checkpoint import code, write_atomically


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
    processes: Processes | None = None,
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
        processes: that share the run, each of which calls this with the same arguments; the first
            one writes to ``folder``, the others to a copy.  None for this process alone; see
            :func:`~eostheory.experiments.distributed.processes`.

    Raises:
        OutputError: the folder holds something else.
        DeviceError: the device is not there.
        DistributedError: the experiment runs on one process.
        ProcessLost: another process ended or hangs, or holds something else.
        OutOfMemory: the device has no room; what was recorded before is readable, and the run can
            be resumed.
        RecordError: the disk refuses; what was recorded before is readable.
        CheckpointError: a checkpoint is damaged or foreign, or the code has changed.
        DataError: data that are absent or not what they should be.
    """
    if processes is not None and not experiment.shared:
        raise DistributedError(
            f"{experiment.name} runs on one process: start it without torchrun ('eostheory run "
            "--list' marks those that several may share)"
        )
    settings = experiment.defaults() if settings is None else settings
    device = usable(device) if processes is None else processes.device
    configuration = {
        "format": 1,
        "experiment": experiment.name,
        "settings": as_json(settings),
        "device": device.type,
        "eostheory": eostheory.__version__,
        "torch": torch.__version__,
    }
    opened = partial(Session, changed_code=changed_code, device=device, processes=processes)
    if processes is None:
        session = opened(folder, configuration, resume=resume, watch=watch)
    else:
        configuration["processes"] = processes.world
        about = {"settings": configuration, "code, versions or threads": code()}
        processes.agree({name: json.dumps(what, sort_keys=True) for name, what in about.items()})
        if processes.first:
            with processes.handing_out(Path(folder)):
                session = opened(folder, configuration, resume=resume, watch=watch)
        else:
            folder, plots = processes.receive(), ()
            session = opened(folder, configuration, resume=True)
    experiment.run(settings, session)
    return describe(experiment, folder, plots=plots)


def complete(experiment: Experiment, settings: Any, folder: Path | str) -> bool:
    """Whether a folder holds all parts of a run, ended, and their report."""
    results = Results(folder)
    there = set(results)
    over = (part in there and ended(results[part]) for part in experiment.parts(settings))
    return (Path(folder) / "report.json").exists() and all(over)


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
