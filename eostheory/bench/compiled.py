"""Compiled trajectories as one of the peers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from eostheory.bench.tasks import Task
from eostheory.bench.timing import Sample, clocked

if TYPE_CHECKING:
    from eostheory.trajectories import Recurrence, Run


class CompiledLoop:
    """A task through the public interface, records into a buffer that is handed in."""

    def __init__(self, task: Task, *, fma: bool = False, backend: str | None = None) -> None:
        from eostheory.trajectories import compile

        self._task = task
        recurrence, self._start, self._restore = _reduced(task)
        self._parameters = _parameters(task, recurrence)
        self.compiled = compile(recurrence, backend=backend, fma=fma)
        self.records = task.records()
        if len(recurrence.record) != task.recorded:
            self.records = self.buffer(task.steps, len(recurrence.record))
        self.name = "compiled" + (" FMA" if fma else "")
        rows = f"{len(self._start)} of {len(task.start)} variables"
        self.note = "" if len(self._start) == len(task.start) else rows
        self.work = float(task.steps * task.batch)

    def buffer(self, steps: int, rows: int) -> Tensor:
        """Memory for records of another shape than the task's."""
        return replace(self._task, recorded=rows).records(steps)

    def time(self) -> Sample:
        """One run of the task."""
        return clocked(lambda: self._run(self._task.steps, self.records))

    def final(self, steps: int) -> Tensor:
        """The state of the full model after ``steps``."""
        run = self._run(steps, self.buffer(steps, self.records.shape[1]))
        return self._restore(run.state)

    def faults(self) -> str:
        """What stopped trajectories of the task before its end, or nothing.

        Whoever stops early takes no steps and must not be called fast for it.
        """
        from eostheory.trajectories import Status

        status = self._run(self._task.steps, self.records).status
        stopped = int((status >= int(Status.FIXED_POINT)).sum())
        return f"{stopped} of {self._task.batch} trajectories stopped early" if stopped else ""

    def _run(self, steps: int, records: Tensor) -> Run:
        return self.compiled(
            self._start, self._parameters, steps, every=self._task.every, out=records
        )


def recurrence_of(task: Task) -> Recurrence:
    """What the compiler is given for a task."""
    return _reduced(task)[0]


def _reduced(task: Task) -> tuple[Recurrence, Tensor, Callable[[Tensor], Tensor]]:
    """The recurrence, its start, and the way back to the full model."""
    from eostheory.trajectories import (
        gradient_descent,
        linear_batch_norm,
        self_stabilisation_toy,
        three_dimensional_example,
    )

    if task.name == "batch-norm":
        reduction = linear_batch_norm(task.data["x"], task.data["y"])
        rows = [str(s) for s in reduction.state]
        start = reduction.reduce(task.start.T.contiguous())

        def restore(state: Tensor) -> Tensor:
            whole = [
                reduction.restore(one, w)
                for one, w in zip(state.T, task.start.T.contiguous(), strict=True)
            ]
            return torch.stack(whole, dim=1)

        return reduction.recurrence(rows), start, restore
    problem = {
        "scale-invariant": three_dimensional_example,
        "toy": self_stabilisation_toy,
    }[task.name]()
    recurrence = gradient_descent(
        problem,
        weight_decay=task.decay is not None or None,
        record={str(v): v for v in problem.variables[: task.recorded]},
    )
    return recurrence, task.start, lambda state: state


def _parameters(task: Task, recurrence: Recurrence) -> Tensor:
    """The task's parameters in the order of the recurrence."""
    given = {
        "weight_decay" if n == "lam" else n: row
        for n, row in zip(task.names, task.parameters, strict=True)
    }
    return torch.stack([given[str(p)] for p in recurrence.parameters])
