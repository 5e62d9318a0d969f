"""The side of the benchmark that talks to the JAX process."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from eostheory.bench.tasks import Task
from eostheory.bench.timing import Sample

NOT_INSTALLED = "not installed: pip install eostheory[bench]"
"""What a row says where JAX is absent."""

WORKER = Path(__file__).with_name("jax_worker.py")
COMMAND = (sys.executable, "-P", str(WORKER))
"""By its path, and without that folder among the modules: it needs nothing else of ours."""


class JaxFailed(Exception):
    """JAX is absent, or its process ended."""


class JaxProcess:
    """A JAX process with one thread on the core of this one; a context manager.

    Raises:
        JaxFailed: JAX is not installed, or the process ended; the message says which.
    """

    def __init__(self) -> None:
        if importlib.util.find_spec("jax") is None:
            raise JaxFailed(NOT_INSTALLED)
        # a file, not a pipe: nobody reads it while the process runs
        self._errors = TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self._child = subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        try:
            self.version = str(self._answer().get("version", ""))
        except JaxFailed:
            self.close()
            raise
        if not self.version:
            self.close()
            raise JaxFailed(NOT_INSTALLED)

    def __enter__(self) -> JaxProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, t: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._errors.close()

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send one request and wait for its answer."""
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps(request) + "\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            pass  # the answer says what happened
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        self._errors.seek(0)
        said = self._errors.read().strip().splitlines()
        raise JaxFailed(f"the JAX process ended: {said[-1] if said else 'it said nothing'}")


class JaxScan:
    """A task as a scan of ``vmap(grad)``, or of ``grad`` for a single trajectory."""

    name = "JAX scan"

    def __init__(self, process: JaxProcess, task: Task) -> None:
        self._process = process
        loaded = process.ask(
            do="load",
            model=task.name,
            start=task.start.tolist(),
            parameters=task.parameters.tolist(),
            data={name: value.tolist() for name, value in task.data.items()},
            decay=task.decay,
            recorded=task.recorded,
            steps=task.steps,
            every=task.every,
        )
        self._id = loaded["id"]
        self.note = f"jax {process.version}, compiled in {loaded['compile']:.2g} s"
        self.work = float(task.steps * task.batch)

    def time(self) -> Sample:
        """One run of the task."""
        taken = self._process.ask(do="time", id=self._id)
        return Sample(taken["cpu"], taken["wall"])

    def final(self, steps: int) -> Tensor:
        """The state after ``steps``."""
        rows = self._process.ask(do="final", id=self._id, steps=steps)["final"]
        return torch.tensor(rows, dtype=torch.float64)
