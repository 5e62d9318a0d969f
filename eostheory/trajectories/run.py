"""What a run leaves: records, the state to resume from, and what became of each trajectory."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from eostheory.trajectories.simulation import Compiled

CHECK_INTERVAL = 1024
"""Trajectories are looked at after every record and at least after so many steps."""

SMALLEST_NORMAL = 2.0**-1022

FORMAT = "eostheory trajectories 1"


class Status(IntEnum):
    """What became of a trajectory; the larger of two that apply stands.

    A trajectory is looked at where it is recorded, at least every 1024 steps in between, and
    where the run stops.  The step of the event is exact nevertheless.
    """

    RUNNING = 0
    """Nothing happened."""
    UNDERFLOW = 1
    """A state variable became subnormal or zero: relative accuracy is lost.  The trajectory goes
    on in IEEE arithmetic, nothing is flushed; follow the logarithm of that variable instead."""
    FIXED_POINT = 2
    """A step changed no bit of the state: the trajectory is constant from here."""
    DIVERGED = 3
    """A state variable reached the bound or is not a number: it ended here."""


class Fates:
    """What became of the trajectories of a batch.

    Most often nothing happened to any of them; so the tensors are made when somebody asks.

    Args:
        size: how many trajectories.
        device: where they are.
        status, at: see `Run`; both or none.
    """

    __slots__ = ("_at", "_device", "_size", "_status")

    def __init__(
        self,
        size: int,
        device: torch.device,
        status: Tensor | None = None,
        at: Tensor | None = None,
    ) -> None:
        self._size, self._device = size, device
        self._status, self._at = status, at

    @property
    def unwritten(self) -> bool:
        """Nothing happened yet, and nobody asked."""
        return self._status is None and self._at is None

    @property
    def status(self) -> Tensor:
        """(B,) int8 of `Status`."""
        if self._status is None:
            self._status = torch.zeros(self._size, dtype=torch.int8, device=self._device)
        return self._status

    @property
    def at(self) -> Tensor:
        """(B,) int64, step of the event, or -1."""
        if self._at is None:
            self._at = torch.full((self._size,), -1, dtype=torch.int64, device=self._device)
        return self._at

    def write(self, status: Tensor, at: Tensor) -> None:
        """Take these tensors for what was not written yet."""
        self._status, self._at = status, at

    def copy(self) -> Fates:
        """The same, to be written on."""
        if self.unwritten:
            return Fates(self._size, self._device)
        return Fates(self._size, self._device, self.status.clone(), self.at.clone())


@dataclass(slots=True)
class Stretch:
    """Steps for a backend to take, in place.

    Attributes:
        state: (n_state, B), before and then after the steps; that of a trajectory that ended is
            the one at its end.
        parameters: (n_parameters, B).
        fates: status and step of the event of each trajectory; from FIXED_POINT on a trajectory
            takes no steps.
        records: (n_records, n_observables, B), written at the steps that are multiples of
            ``every``: NaN from divergence on.
        step: steps taken before.
        steps: steps to take.
        every: steps between records.
        bound: size of a state variable at which a trajectory has diverged.
        threads: number of threads that may be used.
    """

    state: Tensor
    parameters: Tensor
    fates: Fates
    records: Tensor
    step: int
    steps: int
    every: int
    bound: float
    threads: int = 1


@dataclass(slots=True, repr=False)
class Run:
    """Recorded trajectories.

    Attributes:
        records: (n_records, n_observables, B), or (n_records, n_observables) of a single start.
        state: (n_state, B) or (n_state,) after the last step; of a trajectory that ended, where
            it ended.
        status: (B,) or () int8 of `Status`.
        at: (B,) or () int64, the step of that event counted from the start, or -1.
        first: steps taken before this run.
        step: steps taken in all.
    """

    compiled: Compiled
    parameters: Tensor
    records: Tensor
    state: Tensor
    fates: Fates
    first: int
    step: int
    every: int
    bound: float
    threads: int

    @property
    def status(self) -> Tensor:
        status = self.fates.status
        return status[0] if self.state.dim() == 1 else status

    @property
    def at(self) -> Tensor:
        at = self.fates.at
        return at[0] if self.state.dim() == 1 else at

    def __repr__(self) -> str:
        counts = torch.bincount(self.status.reshape(-1).long(), minlength=len(Status)).tolist()
        found = ", ".join(f"{n} {s.name.lower()}" for s, n in zip(Status, counts, strict=True) if n)
        return (
            f"<Run of {self.compiled.program.name!r}: steps {self.first} to {self.step}, "
            f"{found or 'no trajectories'}; records {tuple(self.records.shape)} of "
            f"{', '.join(self.observables)}>"
        )

    @property
    def steps(self) -> Tensor:
        """(n_records,) int64: the step after which each record was taken."""
        begin = (self.first // self.every + 1) * self.every
        return torch.arange(begin, max(begin, self.step + 1), self.every)

    @property
    def observables(self) -> tuple[str, ...]:
        """Names of the rows of a record."""
        return self.compiled.program.observables

    def __getitem__(self, observable: str) -> Tensor:
        """(n_records, B) or (n_records,): the history of one observable."""
        if observable not in self.observables:
            raise KeyError(f"{observable!r} was not recorded; there are {self.observables}")
        return self.records[:, self.observables.index(observable)]

    def resume(self, steps: int, *, out: Tensor | None = None, threads: int | None = None) -> Run:
        """The next steps: bit for bit what one longer run would have given.

        Records stay at multiples of ``every`` of the whole trajectory.  Trajectories that ended
        stay ended.  A run looks at its trajectories where it stops, too: what happened there for
        a moment, a bound exceeded or an underflow, one longer run passes over if it does not look
        at that step.

        Args:
            steps: how many.
            out: buffer for the new records, as in `simulate`.
            threads: as in `simulate`; those of this run by default.
        """
        return self.compiled.resume(self, steps, out=out, threads=threads)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file that `load` reads; whatever stood there is replaced as a whole or not."""
        path = Path(path)
        about = {
            "format": FORMAT,
            "program": self.compiled.program.key,
            "name": self.compiled.program.name,
            "first": self.first,
            "step": self.step,
            "every": self.every,
            "bound": float(self.bound).hex(),
            "threads": self.threads,
        }
        tensors = {n: getattr(self, n).cpu().numpy() for n in TENSORS}
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as file:
                np.savez(file, allow_pickle=False, about=np.array(json.dumps(about)), **tensors)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


TENSORS = {
    "parameters": torch.float64,
    "records": torch.float64,
    "state": torch.float64,
    "status": torch.int8,
    "at": torch.int64,
}
