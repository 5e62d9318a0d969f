"""Compiled trajectories beside a torch loop, a JAX scan and C."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from eostheory.bench.cases import Case, Settings, at_least, judge
from eostheory.bench.compiled import CompiledLoop
from eostheory.bench.jax_peer import JaxFailed, JaxProcess, JaxScan
from eostheory.bench.native import Unbuildable
from eostheory.bench.peers import NativeLoop, Peer, TorchLoop, best_vectors
from eostheory.bench.race import Race, race
from eostheory.bench.result import Outcome, Target
from eostheory.bench.tasks import Task, tasks
from eostheory.bench.timing import Interval

OURS, JAX = "compiled", "JAX scan"
C = ("C vectors", "C scalar")
TOLERANCE = 1e-9
"""States after :data:`CHECK` steps differ by rounding alone, which has not grown this far."""
CHECK = 200

TARGETS: dict[str, tuple[Target, ...]] = {
    "scale-invariant": (
        at_least("scale-invariant/1/c", "speed of C without FMA, 1 trajectory", 0.9),
        at_least("scale-invariant/1024/c", "speed of C without FMA, 1024 trajectories", 0.9),
        at_least("scale-invariant/1/jax", "speed of JAX's scan of grad, 1 trajectory", 1.8),
        at_least(
            "scale-invariant/1024/jax", "speed of JAX's scan of vmap(grad), 1024 trajectories", 3.3
        ),
    ),
    "toy": (
        at_least("toy/1024/c", "speed of C without FMA, 1024 trajectories", 0.7),
        at_least("toy/1024/jax", "speed of JAX's scan of vmap(grad), 1024 trajectories", 7.0),
    ),
    "batch-norm": (
        at_least("batch-norm/1/jax", "reduced, to JAX on the full model, 1 trajectory", 20.0),
        at_least("batch-norm/1024/jax", "reduced, to JAX on the full model, 1024", 20.0),
    ),
}

TITLES = {
    "scale-invariant": "the 3-D scale-invariant loss of lyu22, appendix F",
    "toy": "the self-stabilisation toy of damian23, appendix B",
    "batch-norm": "linear regression with batch norm (lyu22, section 5), d = 40, n = 20",
}


def cases() -> list[Case]:
    """One case for each model."""
    return [
        Case(name, TITLES[name], TARGETS[name], partial(measure, name, TARGETS[name]))
        for name in TARGETS
    ]


def measure(name: str, targets: tuple[Target, ...], settings: Settings) -> Outcome:
    """Race one model with 1 and with 1024 trajectories."""
    tables, found, notes = [], {}, []
    wanted = [(key, make) for key, make in tasks().items() if key.partition("/")[0] == name]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="eostheory-bench-")))
        process: JaxProcess | str
        try:
            process = stack.enter_context(JaxProcess())
        except JaxFailed as reason:
            process = str(reason)
        for key, make in wanted:
            settings.say(f"{key}: building the peers")
            task = make(settings.scale)
            peers, absent = line_up(task, process, folder)
            settings.say(f"{key}: {len(peers)} peers in turn, {settings.repeat} times")
            ran = race(peers, absent, check=CHECK, tolerance=TOLERANCE, repeats=settings.repeat)
            title = (
                f"{TITLES[name]}: {task.batch} trajectories, {task.steps} steps, a record every "
            )
            tables.append(ran.table(f"{title}{task.every}", OURS))
            found.update(_compared(key, ran))
            notes += [f"{key}: {who} {why}" for who, why in ran.wrong.items()]
    judged = tuple(judge(target, found[target.name]) for target in targets)
    return Outcome(name, tuple(tables), judged, tuple(notes))


def _compared(key: str, ran: Race) -> dict[str, Interval | str]:
    return {f"{key}/c": ran.against(OURS, C), f"{key}/jax": ran.ratio(OURS, JAX)}


def line_up(
    task: Task, process: JaxProcess | str, folder: Path
) -> tuple[list[Peer], dict[str, str]]:
    """Who can run the task here, the torch loop first; and who cannot, with the reason.

    Args:
        process: where JAX runs, or why it does not.
        folder: where C is built.
    """
    peers: list[Peer] = [TorchLoop(task), CompiledLoop(task), CompiledLoop(task, fma=True)]
    absent: dict[str, str] = {}
    if isinstance(process, str):
        absent[JAX] = process
    else:
        try:
            peers.append(JaxScan(process, task))
        except JaxFailed as reason:
            absent[JAX] = str(reason)
    if task.name == "batch-norm":
        return peers, absent
    native: dict[str, Callable[[], Peer | None]] = {
        C[1]: lambda: NativeLoop(task, folder),
        C[0]: lambda: best_vectors(task, folder),
        f"{C[0]} FMA": lambda: best_vectors(task, folder, fma=True),
    }
    for name, make in native.items():
        try:
            if (peer := make()) is not None:
                peers.append(peer)
        except Unbuildable as reason:
            absent[name] = str(reason)
    return peers, absent
