"""What runs a task: a torch loop, hand-written C, and the compiled trajectories themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from eostheory.bench.machine import vector_doubles
from eostheory.bench.native import UNROLLS, Kernel, build
from eostheory.bench.tasks import Task
from eostheory.bench.timing import Sample, clocked


class Peer(Protocol):
    """One way to run a task.

    Attributes:
        name: in the table.
        note: what else a reader of the table should know.
        work: steps times trajectories of one timed run.
    """

    name: str
    note: str
    work: float

    def time(self) -> Sample:
        """Run it once."""

    def final(self, steps: int) -> Tensor:
        """The state (n, B) of the full model after ``steps``, a multiple of the task's every."""


class TorchLoop:
    """Autograd step by step, over the whole batch at once."""

    name = "torch loop"

    def __init__(self, task: Task) -> None:
        self._task = task
        self._records = task.records(task.slow)
        self.note = "autograd"
        self.work = float(task.slow * task.batch)

    def time(self) -> Sample:
        """One run of the task, over fewer steps."""
        return clocked(lambda: self._run(self._task.slow, self._records))

    def final(self, steps: int) -> Tensor:
        """The state after ``steps``."""
        return self._run(steps, self._task.records(steps))

    def _run(self, steps: int, records: Tensor) -> Tensor:
        task = self._task
        w, p = task.start.clone(), task.parameters
        shrink = 1.0 if task.decay is None else 1 - p[0] * p[task.decay]
        for step in range(steps):
            w.requires_grad_(True)
            (gradient,) = torch.autograd.grad(task.loss(w, p).sum(), w)
            w = shrink * w.detach() - p[0] * gradient
            if (step + 1) % task.every == 0:
                records[step // task.every] = w[: task.recorded]
        return w


class NativeLoop:
    """Hand-written C."""

    def __init__(
        self, task: Task, folder: Path, *, unroll: int = 0, fma: bool = False, name: str = ""
    ) -> None:
        """``unroll`` 0 is the scalar loop, else that many vectors are advanced together."""
        self._task = task
        source = task.name.replace("-", "_")
        library = build(source, folder, unroll=unroll or 1, fma=fma)
        self._kernel = Kernel(library, "vectors" if unroll else "scalar")
        self._records = task.records()
        self._start, self._parameters = task.start.contiguous(), task.parameters.contiguous()
        self._end = torch.empty_like(self._start)
        width = vector_doubles() * 64
        self.unroll = unroll
        self.name = name or ("C vectors" if unroll else "C scalar") + (" FMA" if fma else "")
        self.note = f"{unroll} x {width}-bit vectors" if unroll else "one trajectory at a time"
        self.work = float(task.steps * task.batch)

    def time(self) -> Sample:
        """One run of the task."""
        return clocked(lambda: self._run(self._records))

    def final(self, steps: int) -> Tensor:
        """The state after ``steps``."""
        self._run(self._task.records(steps))
        return self._end.clone()

    def _run(self, records: Tensor) -> None:
        self._kernel(self._start, self._parameters, self._task.every, records, self._end)


def best_vectors(task: Task, folder: Path, *, fma: bool = False) -> NativeLoop | None:
    """The fastest unrolling of the vector loop, or None where the batch does not fill one."""
    lanes = vector_doubles()
    fitting = [u for u in UNROLLS if task.batch % (u * lanes) == 0]
    loops = [NativeLoop(task, folder, unroll=unroll, fma=fma) for unroll in fitting]
    return min(loops, key=lambda loop: min(loop.time().cpu for _ in range(2)), default=None)
