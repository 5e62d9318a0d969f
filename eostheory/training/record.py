"""Records of a run: named columns, appended while it runs, readable while it runs, resumable.

A folder of records holds

- ``columns.json``: the names of the columns and the configuration of the run;
- ``records.f64``: the rows, one after the other, each the columns as little-endian float64; a row
  that is not complete (the process was killed while it wrote) is not there for a reader;
- ``checkpoint.npz``: the state from which the run resumes bit for bit, replaced atomically;
- ``end.json``: how the run ended, once it has.

So memory does not grow with the number of rows, and ``numpy.fromfile(path, "<f8")`` reads them.
Without a folder rows are kept in memory, eight bytes per value.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from eostheory.training.checkpoint import (
    CheckpointError,
    State,
    code,
    differences,
    dump,
    load,
    write_atomically,
)

Array = npt.NDArray[np.float64]

BUFFER = 64
"""Rows that are held back at most."""

DELAY = 1.0
"""Seconds for which a row is held back at most, when another one comes."""


class RecordError(OSError):
    """Records could not be written; what was recorded before is intact and readable."""


class Records(Mapping[str, Array]):
    """What a run recorded: a mapping from the name of a column to its values, float64, (n,)."""

    def __init__(
        self, columns: Sequence[str], rows: Array, end: Mapping[str, Any] | None = None
    ) -> None:
        self.columns = tuple(columns)
        self.rows = rows
        self.end = None if end is None else dict(end)

    def __getitem__(self, name: str) -> Array:
        if name not in self.columns:
            raise KeyError(f"no column {name!r}; the columns are {', '.join(self.columns)}")
        column: Array = self.rows[:, self.columns.index(name)]
        return column

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        """The number of columns; ``len(records.rows)`` is that of rows."""
        return len(self.columns)

    def __repr__(self) -> str:
        return f"Records({len(self.rows)} rows of {', '.join(self.columns)})"


def read_records(folder: Path | str) -> Records:
    """What the run in ``folder`` has recorded up to now; it may still be running.

    Raises:
        FileNotFoundError: no run was recorded there.
    """
    about = _about(Path(folder))
    width = len(about["columns"])
    flat = np.fromfile(Path(folder) / "records.f64", dtype="<f8")
    rows = flat[: len(flat) // width * width].reshape(-1, width).astype(np.float64)
    ending = Path(folder) / "end.json"
    end = json.loads(ending.read_text(encoding="utf-8")) if ending.exists() else None
    return Records(about["columns"], rows, end)


def _about(folder: Path) -> dict[str, Any]:
    path = folder / "columns.json"
    try:
        about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        about["columns"], about["configuration"]
    except FileNotFoundError:
        raise FileNotFoundError(f"{folder} holds no records (no columns.json)") from None
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is damaged or foreign: {error}") from error
    return about


class Recorder:
    """Writes the rows of a run and the checkpoints it resumes from.

    Use it as a context manager, or call :meth:`close`.  A loop looks like this::

        with Recorder(["step", "loss"], folder, resume=True) as recorder:
            step, w = 0, start
            if recorder.restored is not None:
                step, w = recorder.restored["step"], recorder.restored["w"]
            while step < steps:
                recorder.append({"step": step, "loss": loss})
                ...
                recorder.checkpoint_if_due(step, lambda: {"step": step, "w": w})
            recorder.finish()
        return recorder.records()

    Args:
        columns: their names.
        folder: where to write, made if need be; None to keep rows in memory.
        configuration: all that the run depends on, as JSON can hold it (digests for data, see
            :func:`~eostheory.training.checkpoint.digest`); resuming under another one is refused.
        resume: go on from the checkpoint in ``folder``, if there is one.
        changed_code: resume although the code is not what it was; results may then differ from
            those of an uninterrupted run.
        checkpoint_every: steps between checkpoints; None for one every ``checkpoint_seconds``.

    Attributes:
        restored: the state of the checkpoint that is resumed, or None.

    Raises:
        CheckpointError: the folder holds a run and ``resume`` is false; it holds another run, or
            the code has changed (the message says what); its checkpoint is damaged.
        RecordError: another process records there; or the disk refuses.
    """

    def __init__(
        self,
        columns: Sequence[str],
        folder: Path | str | None = None,
        *,
        configuration: Mapping[str, Any] | None = None,
        resume: bool = False,
        changed_code: bool = False,
        checkpoint_every: int | None = None,
        checkpoint_seconds: float = 60.0,
    ) -> None:
        if len(set(columns)) != len(columns) or not columns:
            raise ValueError(f"columns must be different names, got {list(columns)}")
        if checkpoint_every is not None and checkpoint_every < 1:
            raise ValueError(f"checkpoint_every is {checkpoint_every}, expected at least 1 step")
        if resume and folder is None:
            raise ValueError("resume=True needs the folder that the run was recorded in")
        self.columns = tuple(columns)
        self.folder = None if folder is None else Path(folder)
        self.restored: dict[str, Any] | None = None
        self.configuration = json.loads(json.dumps(dict(configuration or {})))
        self._place = {name: i for i, name in enumerate(self.columns)}
        self._buffer = np.empty((BUFFER, len(self.columns)), dtype="<f8")
        self._held = 0
        self._written = 0
        self._flushed = self._saved = time.monotonic()
        self._every = checkpoint_every
        self._seconds = checkpoint_seconds
        self._last_step = 0
        self._file: IO[bytes] | None = None
        if self.folder is not None:
            self._open(self.folder, resume, changed_code)

    # -- rows

    def append(self, values: Mapping[str, float]) -> None:
        """Add a row; columns that ``values`` lacks become NaN.

        Raises:
            KeyError: a column that was not announced.
            RecordError: the disk refuses (it is full, say).
        """
        if self._held == len(self._buffer):
            self.flush()
        row = self._buffer[self._held]
        row[:] = np.nan
        for name, value in values.items():
            if name not in self._place:
                raise KeyError(f"no column {name!r}; the columns are {', '.join(self.columns)}")
            row[self._place[name]] = float(value)
        self._held += 1
        if self._held == len(self._buffer) or time.monotonic() - self._flushed > DELAY:
            self.flush()

    def flush(self) -> None:
        """Hand the rows that are held back to the operating system, where readers see them."""
        self._flushed = time.monotonic()
        if self.folder is None:
            if self._held == len(self._buffer):  # in memory the buffer is the store: double it
                self._buffer = np.concatenate([self._buffer, np.empty_like(self._buffer)])
            return
        if self._held == 0:
            return
        if self._file is None:
            raise RecordError(f"the records in {self.folder} are closed")
        content = memoryview(self._buffer[: self._held].tobytes())
        try:
            while content:
                content = content[self._file.write(content) :]
        except OSError as error:
            lost, self._held = self._held, 0
            with contextlib.suppress(OSError):
                os.ftruncate(self._file.fileno(), self._written * self._row_bytes)
            raise RecordError(
                error.errno,
                f"cannot write {lost} rows to {self.folder}: {error.strerror or error}; the "
                f"{self._written} rows before them are intact; make room and resume",
            ) from error
        self._written += self._held
        self._held = 0

    def records(self) -> Records:
        """All rows up to now (of all sittings of the run)."""
        if self.folder is None:
            return Records(self.columns, self._buffer[: self._held].astype(np.float64))
        if self._file is not None:
            self.flush()
        return read_records(self.folder)

    def __len__(self) -> int:
        """The number of rows up to now."""
        return self._written + self._held

    # -- checkpoints

    def checkpoint(self, state: State) -> None:
        """Replace the checkpoint by ``state``: nested mappings of tensors, numbers and texts.

        Without a folder nothing happens.

        Raises:
            TypeError: something in ``state`` that a checkpoint cannot hold.
            RecordError: the disk refuses; the checkpoint before stays.
        """
        self._saved = time.monotonic()
        if self.folder is None or self._file is None:
            return
        self.flush()
        header = {"rows": self._written, "configuration": self.configuration, "code": code()}
        try:
            os.fsync(self._file.fileno())
            write_atomically(self.folder / "checkpoint.npz", dump(state, header))
        except OSError as error:
            raise RecordError(
                error.errno,
                f"cannot write a checkpoint to {self.folder}: {error.strerror or error}; the one "
                f"before and {self._written} rows are intact; make room and resume",
            ) from error

    def due(self, step: int) -> bool:
        """Whether a checkpoint is due after ``step`` steps."""
        if self.folder is None:
            return False
        if self._every is not None:
            return step - self._last_step >= self._every
        return time.monotonic() - self._saved >= self._seconds

    def checkpoint_if_due(self, step: int, state: Any) -> None:
        """:meth:`checkpoint` of ``state()`` when one is due after ``step`` steps."""
        if self.due(step):
            self.checkpoint(state())
            self._last_step = step

    # -- beginning and end

    def finish(self, event: BaseException | None = None, state: State | None = None) -> None:
        """Note how the run ended: ``event``, or as planned; with its last ``state``, if given."""
        if state is not None:
            self.checkpoint(state)
        if self.folder is None:
            return
        self.flush()
        end = {"end": "finished" if event is None else type(event).__name__, "rows": self._written}
        if event is not None:
            end["message"] = str(event)
        try:
            write_atomically(self.folder / "end.json", json.dumps(end, indent=1).encode())
        except OSError as error:
            raise RecordError(error.errno, f"cannot write to {self.folder}: {error}") from error

    def close(self) -> None:
        """Write what is held back and let go of the folder."""
        if self._file is not None:
            try:
                self.flush()
            finally:
                self._file.close()
                self._file = None

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _row_bytes(self) -> int:
        return 8 * len(self.columns)

    def _open(self, folder: Path, resume: bool, changed_code: bool) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecordError(error.errno, f"cannot make {folder}: {error.strerror}") from error
        exists = (folder / "columns.json").exists()
        if exists and not resume:
            raise CheckpointError(
                f"{folder} holds a run already: pass resume=True to go on with it, or another "
                "folder"
            )
        # Records without a row are those of a run that was killed before it wrote its columns.
        rows_there = (folder / "records.f64").exists() and (folder / "records.f64").stat().st_size
        if not exists and (rows_there or (folder / "checkpoint.npz").exists()):
            raise CheckpointError(f"{folder} holds records of something else (no columns.json)")
        rows = self._resume(folder, changed_code) if exists else 0
        about = {"format": 1, "columns": self.columns, "configuration": self.configuration}
        try:
            file = open(folder / "records.f64", "ab", buffering=0)  # noqa: SIM115
            _lock(file, folder)
            os.ftruncate(file.fileno(), rows * self._row_bytes)
            (folder / "end.json").unlink(missing_ok=True)
            if not exists:
                write_atomically(folder / "columns.json", json.dumps(about, indent=1).encode())
        except RecordError:
            raise
        except OSError as error:
            raise RecordError(error.errno, f"cannot write to {folder}: {error.strerror}") from error
        self._file = file
        self._written = rows

    def _resume(self, folder: Path, changed_code: bool) -> int:
        about = _about(folder)
        changes = differences(about["configuration"], self.configuration)
        if list(about["columns"]) != list(self.columns):
            changes.append(f"columns were {about['columns']}, are {list(self.columns)}")
        if changes:
            raise CheckpointError(
                f"{folder} holds another run: {'; '.join(changes)}. Restore that, or record "
                "into another folder"
            )
        if not (folder / "checkpoint.npz").exists():
            return 0
        state, header = load(folder / "checkpoint.npz")
        changes = differences(header["configuration"], self.configuration)
        if changes:
            raise CheckpointError(
                f"{folder}/checkpoint.npz is of another run: {'; '.join(changes)}"
            )
        changed = differences(header["code"], code())
        if changed and not changed_code:
            raise CheckpointError(
                f"the code has changed since {folder}/checkpoint.npz was written: "
                f"{'; '.join(changed)}. Pass changed_code=True to resume all the same, with "
                "results that may differ from an uninterrupted run"
            )
        rows = int(header["rows"])
        there = (folder / "records.f64").stat().st_size // self._row_bytes
        if there < rows:
            raise CheckpointError(
                f"{folder} holds {there} rows, but its checkpoint was written after {rows}"
            )
        self.restored = state
        self._last_step = int(state.get("step", 0))
        return rows


def _lock(file: IO[bytes], folder: Path) -> None:
    try:
        import fcntl
    except ImportError:  # no such locks on this system
        return
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise RecordError(
            error.errno, f"another process records into {folder}: wait for it, or take another"
        ) from error
