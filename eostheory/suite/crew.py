"""Worker processes: each slot is an executor of one process, so a dead worker names its claim."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any

from eostheory.suite import worker

_POLL = 0.2
_START_BUDGET = 300.0
_STATUS_LOST = 255  # what multiprocessing says when the fork server could not tell it
_SLOW_IMPORTS = ("torch", "sympy", "scipy.integrate", "hypothesis", "z3", "flint")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Task:
    """One call in a worker.

    Attributes:
        name: for events and messages.
        group: tasks of one group go to one worker as far as possible, which then shares what
            it has imported and memoised.
        budget: seconds.  The worker's own alarm rings then.
        patience: seconds more after which a worker that has not heard the alarm is killed.
    """

    name: str
    group: str
    function: Callable[..., Mapping[str, Any]]
    arguments: tuple[Any, ...]
    budget: float
    patience: float = 5.0


@dataclass(frozen=True)
class Outcome:
    """What became of a task: a value, or why there is none."""

    task: Task
    value: Mapping[str, Any] | None
    failure: str
    seconds: float


class _Queue:
    """Tasks by group; a worker stays with its group, then takes the next, then helps others."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._groups: dict[str, deque[Task]] = {}
        for task in tasks:
            self._groups.setdefault(task.group, deque()).append(task)
        self._taken: set[str] = set()

    def take(self, group: str) -> Task | None:
        left = {name: tasks for name, tasks in self._groups.items() if tasks}
        if not left:
            return None
        if group in left:
            return left[group].popleft()
        fresh = next((name for name in left if name not in self._taken), None)
        if fresh is not None:
            self._taken.add(fresh)
            return left[fresh].popleft()
        # every group has its worker: take from the end of the longest one
        return max(left.values(), key=len).pop()


@dataclass
class _Slot:
    make: Callable[[], Executor]
    executor: Executor | None = None
    starting: Future[int] | None = None
    task: Task | None = None
    future: Future[Any] | None = None
    since: float = 0.0
    group: str = ""
    killed: bool = False
    process: BaseProcess | None = None

    def start(self) -> None:
        self.executor = self.make()
        self.process, self.killed = None, False
        self.starting = self.executor.submit(worker.warm_up)
        self.since = time.monotonic()

    def pending(self) -> Future[Any] | None:
        return self.starting or self.future

    def overdue(self) -> bool:
        limit = _START_BUDGET if self.starting else 0.0
        if self.task is not None and not self.starting:
            limit = self.task.budget + self.task.patience
        return self.pending() is not None and time.monotonic() - self.since > limit

    def kill(self) -> bool:
        """End the worker, whatever it does; its future then fails.

        Only a process that is known to be ours: a number from elsewhere may be anybody's here.
        """
        if self.process is None:
            return False
        self.killed = True
        self.process.kill()
        return True

    def discard(self) -> None:
        """Forget the executor; wait for it where its process has nothing left to do.

        An executor that is still ending when the interpreter does makes noise, or never ends.
        """
        if self.executor is not None:
            pending = self.pending()
            ending = self.killed or pending is None or pending.done()
            self.executor.shutdown(wait=ending, cancel_futures=True)
        self.executor = self.starting = self.future = self.task = None


class Crew:
    """Up to ``jobs`` workers that outlive single claims and are replaced when one dies.

    A claim whose worker crashed is tried once more.

    Args:
        jobs: number of slots.
        make: makes an executor for one slot; processes of this machine unless given.  Any
            ``concurrent.futures.Executor`` that runs one task at a time per slot will do.
    """

    def __init__(self, jobs: int, make: Callable[[], Executor] | None = None) -> None:
        self._crashed_once: set[str] = set()
        self._slots = [_Slot(make or _one_process) for _ in range(max(1, jobs))]

    def run(
        self,
        tasks: Iterable[Task],
        started: Callable[[Task], None],
        finished: Callable[[Outcome], None],
    ) -> None:
        """Run every task; call back in this thread as they start and finish."""
        queue = _Queue(tasks)
        while True:
            for slot in self._slots:
                self._feed(slot, queue, started)
            pending = [f for s in self._slots if (f := s.pending()) is not None]
            if not pending:
                return
            wait(pending, timeout=_POLL, return_when=FIRST_COMPLETED)
            for slot in self._slots:
                self._collect(slot, finished)

    def close(self, *, now: bool = False) -> None:
        """End the workers; ``now`` kills those that are still at work."""
        for slot in self._slots:
            if now:
                slot.kill()
            slot.discard()

    def _feed(self, slot: _Slot, queue: _Queue, started: Callable[[Task], None]) -> None:
        if slot.task is None:
            slot.task = queue.take(slot.group)
            if slot.task is None:
                return
            slot.group = slot.task.group
        if slot.executor is None:
            slot.start()
        if slot.starting is None and slot.future is None:
            assert slot.executor is not None
            slot.since = time.monotonic()
            slot.future = slot.executor.submit(slot.task.function, *slot.task.arguments)
            started(slot.task)

    def _collect(self, slot: _Slot, finished: Callable[[Outcome], None]) -> None:
        if slot.overdue() and not slot.kill():
            self._give_up(slot, finished)
            return
        future = slot.pending()
        if future is None or not future.done():
            return
        task, seconds = slot.task, time.monotonic() - slot.since
        assert task is not None
        try:
            value = future.result()
        except BrokenProcessPool:
            failure = _cause_of_death(slot, task, seconds)
            again = _crashed(slot) and task.name not in self._crashed_once
            slot.discard()
            if again:
                # native libraries crash now and then; twice at one claim is no accident
                self._crashed_once.add(task.name)
                slot.task = task
                return
            finished(Outcome(task, None, failure, seconds))
            return
        except Exception as reason:  # e.g. a result that cannot be sent back
            slot.starting = slot.future = slot.task = None
            finished(Outcome(task, None, f"{type(reason).__name__}: {reason}", seconds))
            return
        if slot.starting is not None:
            slot.starting = None
            if isinstance(slot.executor, ProcessPoolExecutor):
                slot.process = _process(value)
            return
        slot.future = slot.task = None
        finished(Outcome(task, value, "", seconds))

    @staticmethod
    def _give_up(slot: _Slot, finished: Callable[[Outcome], None]) -> None:
        task, seconds = slot.task, time.monotonic() - slot.since
        assert task is not None
        what = "no worker was ready" if slot.starting else "no answer and no way to end the worker"
        slot.discard()
        finished(Outcome(task, None, f"{task.name}: {what} after {seconds:.1f} s", seconds))


def _one_process() -> Executor:
    for name in _THREADS:
        # one thread per worker: there are as many workers as cores
        os.environ.setdefault(name, "1")
    return ProcessPoolExecutor(1, mp_context=_context(), initializer=worker.prepare)


def _context() -> BaseContext:
    """A fork server that has the slow imports behind it, where the system has one."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*_SLOW_IMPORTS, "eostheory.suite.worker"])
    return context


def _process(pid: int) -> BaseProcess | None:
    children = multiprocessing.active_children()
    return next((child for child in children if child.pid == pid), None)


def _cause_of_death(slot: _Slot, task: Task, seconds: float) -> str:
    if slot.killed:
        return (
            f"{task.name}: the worker process was killed after {seconds:.1f} s: it was past its "
            f"budget of {task.budget:g} s and did not react"
        )
    if slot.executor is not None:
        # its manager thread collects the exit status; two readers would get one each
        slot.executor.shutdown(wait=True)
    code = None if slot.process is None else slot.process.exitcode
    how = "ended without a result"
    if code is not None and code < 0:
        how = f"was killed by signal {-code} ({_signal_name(-code)})"
    elif code is not None and code != _STATUS_LOST:
        how = f"exited with status {code}"
    return f"{task.name}: the worker process {how} after {seconds:.1f} s"


def _crashed(slot: _Slot) -> bool:
    """Whether the worker died of a fault of its own, and was not killed."""
    code = None if slot.process is None else slot.process.exitcode
    return not slot.killed and code in (-signal.SIGSEGV, -signal.SIGABRT)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
