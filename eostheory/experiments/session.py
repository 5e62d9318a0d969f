"""Where a run of an experiment writes, and what of it is there already."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eostheory.experiments.distributed import Processes
from eostheory.numeric.events import OutOfMemory
from eostheory.numeric.objective import Objective
from eostheory.training import Recorder, Records, read_records
from eostheory.training.checkpoint import differences, write_atomically

Watch = Callable[[str, Path, int], AbstractContextManager[None]]

_INTERRUPTED = OutOfMemory.__name__
"""How a part ends that another try, with more room, goes on with."""


class OutputError(ValueError):
    """A folder that cannot be written to, or that holds something else."""


class Session:
    """One run of an experiment in a folder.

    Args:
        folder: made if need be; ``configuration.json`` says what runs there.
        configuration: all that decides the numbers, as JSON holds it.
        resume: go on with what is there.
        device: where tensors live.
        changed_code: resume although the code has changed.
        watch: called with the name of a part, its folder and its number of rows when it begins; the
            context it returns spans the part (a progress bar).
        processes: those that share the run; None for this one alone.

    Raises:
        OutputError: the folder holds a run and ``resume`` is false, or another run.
    """

    def __init__(
        self,
        folder: Path | str,
        configuration: Mapping[str, Any],
        *,
        resume: bool = False,
        device: torch.device | str = "cpu",
        changed_code: bool = False,
        watch: Watch | None = None,
        processes: Processes | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.device = torch.device(device)
        self.resume = resume
        self.changed_code = changed_code
        self.processes = processes
        self._watch = watch or (lambda part, path, rows: nullcontext())
        self._open(json.loads(json.dumps(dict(configuration))))

    def path(self, part: str) -> Path:
        """The folder of the records of a part."""
        return self.folder / "runs" / part

    def finished(self, part: str) -> Records | None:
        """The records of a part that has ended, or None."""
        if not (self.path(part) / "end.json").exists():
            return None
        records = read_records(self.path(part))
        return records if ended(records) else None

    def share(self, objective: Objective) -> Objective:
        """What this process evaluates of an objective: its share of the chunks, summed with those
        of the others; all of it where there are no others."""
        return objective if self.processes is None else self.processes.share(objective)

    def recording(self, part: str, checkpoint_every: int | None = None) -> dict[str, Any]:
        """Arguments of the functions of :mod:`eostheory.training` that record a part.

        Args:
            checkpoint_every: steps between checkpoints; None for one a minute.
        """
        there = (self.path(part) / "columns.json").exists()
        return {
            "folder": self.path(part),
            "resume": self.resume and there,
            "changed_code": self.changed_code,
            "checkpoint_every": checkpoint_every,
        }

    @contextmanager
    def follow(self, part: str, rows: int) -> Iterator[None]:
        """A context in which the part runs: shows how far it is of its ``rows`` rows.

        Raises:
            ProcessLost: at its end, the processes that share the run have recorded other bits.
        """
        self.path(part).mkdir(parents=True, exist_ok=True)
        with self._watch(part, self.path(part), rows):
            yield
        if self.processes is not None:
            self.processes.agree_on(part, read_records(self.path(part)))

    def store(self, part: str, columns: Mapping[str, npt.ArrayLike]) -> None:
        """Record a part that was computed at once.

        Raises:
            ValueError: columns of different lengths.
        """
        rows = {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}
        lengths = {name: values.shape for name, values in rows.items()}
        if len(set(lengths.values())) != 1 or len(next(iter(lengths.values()))) != 1:
            raise ValueError(f"columns must be vectors of one length, got {lengths}")
        with Recorder(list(rows), configuration={}, **self.recording(part)) as recorder:
            for values in zip(*rows.values(), strict=True):
                recorder.append(dict(zip(rows, values, strict=True)))
            recorder.finish()

    def _open(self, configuration: dict[str, Any]) -> None:
        place = self.folder / "configuration.json"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make {self.folder}: {error.strerror}") from error
        if not place.exists():
            if any(self.folder.iterdir()):
                raise OutputError(f"{self.folder} holds something else; choose another --out")
            try:
                write_atomically(place, json.dumps(configuration, indent=1).encode())
            except OSError as error:
                raise OutputError(f"cannot write to {self.folder}: {error.strerror}") from error
            return
        before = {"processes": 1, **configuration_of(self.folder)}
        if not self.resume:
            raise OutputError(
                f"{self.folder} holds a run of {before.get('experiment')} already: go on with "
                "--resume, or choose another --out"
            )
        changes = differences(_flat(before), _flat({"processes": 1} | configuration))
        if changes:
            raise OutputError(
                f"{self.folder} holds another run: {'; '.join(changes)}. Restore that, or choose "
                "another --out"
            )


def ended(records: Records) -> bool:
    """Whether a part is over: not where it is still running, was killed, or ran out of memory."""
    return records.end is not None and records.end["end"] != _INTERRUPTED


def configuration_of(folder: Path) -> dict[str, Any]:
    """What runs in a folder.

    Raises:
        OutputError: no run is there, or its configuration is damaged.
    """
    place = Path(folder) / "configuration.json"
    try:
        found = json.loads(place.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise OutputError(f"{folder} holds no run (no configuration.json)") from None
    except (OSError, ValueError) as error:
        raise OutputError(f"{place} is damaged: {error}") from error
    if not isinstance(found, dict) or "experiment" not in found:
        raise OutputError(f"{place} is not of a run of an experiment")
    return found


def _flat(configuration: Mapping[str, Any]) -> dict[str, Any]:
    found = {k: v for k, v in configuration.items() if k != "settings"}
    return found | {f"setting {k}": v for k, v in configuration.get("settings", {}).items()}
