"""Follow trajectories of a recurrence: tensors in, tensors out."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from eostheory.trajectories.inputs import Rows, buffer, columns, count, positive
from eostheory.trajectories.lowering import lower
from eostheory.trajectories.program import Program
from eostheory.trajectories.recurrence import Recurrence
from eostheory.trajectories.run import Fates, Run, Stretch

BACKENDS = ("eager", "llvm", "triton")


class Compiled:
    """A recurrence lowered for one backend; call it as often as needed.

    Attributes:
        program: the operations of a step.
        backend: "eager", "llvm" or "triton"; None is LLVM for tensors on a CPU and Triton for
            tensors on a CUDA device.
        fma: products and sums may be fused.
    """

    def __init__(self, program: Program, backend: str | None, fma: bool) -> None:
        if backend not in (None, *BACKENDS):
            raise ValueError(f"backend = {backend!r}; there are {', '.join(BACKENDS)} and None")
        if fma and backend == "eager":
            raise ValueError("torch has no fused multiply-add; use fma with llvm or triton")
        self.program = program
        self.backend = backend
        self.fma = fma
        self._advance: dict[str, Callable[[Stretch], None]] = {}

    def __call__(
        self,
        start: Rows,
        parameters: Rows = (),
        steps: int = 0,
        *,
        every: int = 1,
        threads: int = 1,
        bound: float = 1e150,
        out: Tensor | None = None,
    ) -> Run:
        """As `simulate`, which see."""
        program = self.program
        count("steps", steps, 0)
        count("every", every, 1)
        count("threads", threads, 1)
        if type(bound) is not float or not bound > 0:
            bound = positive("bound", bound)
        state, given, single = columns(program, start, parameters)
        lanes, device = state.shape[1], state.device
        shape = (steps // every, len(program.observables), lanes)
        stretch = Stretch(
            _copied(state),
            _copied(given),  # a resumed run needs them again
            Fates(lanes, device),
            state.new_empty(*shape) if out is None else buffer(out, shape, single, device),
            0,
            steps,
            every,
            bound,
            threads,
        )
        return self._run(stretch, single)

    def resume(
        self, run: Run, steps: int, *, out: Tensor | None = None, threads: int | None = None
    ) -> Run:
        """Continue a run of the same program; see `Run.resume`."""
        program = self.program
        if run.compiled.program.key != program.key:
            raise ValueError(
                f"the run is of {run.compiled.program.name!r}, whose program differs from that "
                f"of {program.name!r}"
            )
        count("steps", steps, 0)
        threads = run.threads if threads is None else threads
        count("threads", threads, 1)
        single = run.state.dim() == 1
        state = run.state.unsqueeze(1) if single else run.state
        records = (run.step + steps) // run.every - run.step // run.every
        shape = (records, len(program.observables), state.shape[1])
        stretch = Stretch(
            _copied(state),
            run.parameters,
            run.fates.copy(),
            state.new_empty(*shape) if out is None else buffer(out, shape, single, state.device),
            run.step,
            steps,
            run.every,
            run.bound,
            threads,
        )
        return self._run(stretch, single)

    def _run(self, s: Stretch, single: bool) -> Run:
        kind = self.backend or ("llvm" if s.state.is_cpu else "triton")
        advance = self._advance.get(kind)
        if advance is None:
            advance = self._advance[kind] = _backend(kind, self.program, self.fma)
        advance(s)
        records, state = s.records, s.state
        if single:
            records, state = records[..., 0], state[:, 0]
        return Run(
            self, s.parameters, records, state, s.fates,
            s.step, s.step + s.steps, s.every, s.bound, s.threads,
        )  # fmt: skip


def _copied(x: Tensor) -> Tensor:
    """A contiguous copy; asking for what is already so takes longer than the copy of a few."""
    return x.clone() if x.is_contiguous() else x.clone(memory_format=torch.contiguous_format)


def _backend(kind: str, program: Program, fma: bool) -> Callable[[Stretch], None]:
    """What takes the steps; each backend is imported when it is first used."""
    if kind == "eager":
        from eostheory.trajectories.eager import advance

        return lambda stretch: advance(program, stretch)
    if kind == "llvm":
        from eostheory.trajectories.machine import Machine

        return Machine(program, fma).advance
    from eostheory.trajectories.triton import Kernel

    return Kernel(program, fma).advance


@lru_cache(maxsize=128)
def compile(recurrence: Recurrence, backend: str | None = None, fma: bool = False) -> Compiled:
    """Lower a recurrence once, to be run many times.

    Args:
        recurrence: what is iterated.
        backend: "eager" (torch, one operation at a time: slow, and the oracle), "llvm" (CPU),
            "triton" (CUDA), or None for what suits the tensors.
        fma: let the compiler fuse products into sums.  That is faster, and gives up bitwise
            agreement with the other backends: in a chaotic regime the end states are others.

    Raises:
        ValueError: an expression without a counterpart, or an unknown backend.
    """
    return Compiled(lower(recurrence), backend, fma)


def simulate(
    recurrence: Recurrence,
    start: Rows,
    parameters: Rows = (),
    steps: int = 0,
    *,
    every: int = 1,
    backend: str | None = None,
    threads: int = 1,
    bound: float = 1e150,
    fma: bool = False,
    out: Tensor | None = None,
) -> Run:
    """Follow one trajectory for each column of start and parameters.

    For algebraic recurrences the CPU backends agree bit for bit, whatever the batch size, the
    number of threads or the place at which a run was stopped and resumed; with transcendental
    functions (`Program.algebraic` is false) they agree to a few ulps per step.

    Args:
        recurrence: what is iterated.
        start: (n_state,) or (n_state, B) float64, or a number or (B,) tensor for each variable
            by name or in order.
        parameters: likewise; broadcast to the trajectories of the start, or the start to them.
        steps: how many steps to take.
        every: record after each so many steps.  Memory does not depend on it.
        backend, fma: see `compile`.
        threads: batches are shared out among so many threads.
        bound: a trajectory with a state variable of this size has diverged.
        out: buffer for the records, (steps // every, n_observables, B) contiguous float64; it
            saves the time that fresh memory costs.

    Returns:
        Records, last state, and status and step of each trajectory that hit an exact fixed
        point, underflowed or diverged.

    Raises:
        ValueError, TypeError: input that does not fit, naming what was expected.
    """
    return compile(recurrence, backend, fma)(
        start, parameters, steps, every=every, threads=threads, bound=bound, out=out
    )
