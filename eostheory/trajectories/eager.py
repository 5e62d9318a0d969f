"""The program in torch, one operation at a time: the oracle of every other backend."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eostheory.trajectories.inputs import reject
from eostheory.trajectories.program import Instruction, Program
from eostheory.trajectories.run import CHECK_INTERVAL, SMALLEST_NORMAL, Status, Stretch


def square_root(x: Tensor) -> Tensor:
    """The correctly rounded square root; torch's own is not, for float64 on a CPU."""
    if x.device.type != "cpu":
        return torch.sqrt(x)
    with np.errstate(invalid="ignore"):
        return torch.from_numpy(np.sqrt(x.detach().numpy()))


OPERATIONS: dict[str, Callable[..., Tensor]] = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "neg": torch.neg,
    "sqrt": square_root,
    "abs": torch.abs,
    "lt": torch.lt,
    "le": torch.le,
    "eq": torch.eq,
    "ne": torch.ne,
    "and": torch.logical_and,
    "or": torch.logical_or,
    "not": torch.logical_not,
    "select": torch.where,
    "exp": torch.exp,
    "log": torch.log,
    "sin": torch.sin,
    "cos": torch.cos,
    "tan": torch.tan,
    "asin": torch.asin,
    "acos": torch.acos,
    "atan": torch.atan,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "tanh": torch.tanh,
    "asinh": torch.asinh,
    "acosh": torch.acosh,
    "atanh": torch.atanh,
    "erf": torch.erf,
    "atan2": torch.atan2,
    "pow": torch.pow,
}


class Interpreter:
    """Runs a program's sections on rows of shape (B,).

    Args:
        program: what to run.
        parameters: (n_parameters, B).
    """

    def __init__(self, program: Program, parameters: Tensor) -> None:
        self._program = program
        size = parameters.shape[1]
        self._values: dict[int, Any] = {
            i: torch.full((size,), c, dtype=parameters.dtype, device=parameters.device)
            for i, c in program.constants.items()
        }
        for i, row in enumerate(parameters, start=len(program.state)):
            self._values[i] = row
        self._run(program.hoisted)

    def _run(self, code: Sequence[Instruction]) -> None:
        values = self._values
        for target, operation, operands in code:
            values[target] = OPERATIONS[operation](*(values[i] for i in operands))

    def step(self, state: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The state after one step."""
        self._values.update(enumerate(state))
        self._run(self._program.body)
        return tuple(self._values[i] for i in self._program.next)

    def observe(self, state: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The observables of a state."""
        self._values.update(enumerate(state))
        self._run(self._program.observed)
        return tuple(self._values[i] for i in self._program.observations)


def advance(program: Program, stretch: Stretch) -> None:
    """Take the steps of a stretch, watching every one of them."""
    reject(program, stretch)
    machine = Interpreter(program, stretch.parameters)
    state = tuple(stretch.state.unbind())
    status, at, nan = stretch.fates.status, stretch.fates.at, math.nan
    record, last = 0, stretch.step + stretch.steps
    watch = _Watch(state)
    for t in range(stretch.step + 1, last + 1):
        alive = status < Status.FIXED_POINT
        new = tuple(
            torch.where(alive, n, s) for n, s in zip(machine.step(state), state, strict=True)
        )
        watch.step(t, state, new, stretch.bound)
        previous, state = state, new
        offset = t % stretch.every
        if offset % CHECK_INTERVAL == 0 or t == last:
            event, step, ended = watch.verdict(previous, state, stretch.bound)
            event = torch.where(alive, torch.maximum(event, status), status)
            changed = event != status
            at.copy_(torch.where(changed, step, at))
            over = changed & (event == Status.DIVERGED)
            state = tuple(torch.where(over, e, s) for e, s in zip(ended, state, strict=True))
            status.copy_(event)
            watch = _Watch(state)
        if offset == 0:
            dead = status == Status.DIVERGED
            for row, value in zip(stretch.records[record], machine.observe(state), strict=True):
                row.copy_(torch.where(dead, nan, value))
            record += 1
    stretch.state.copy_(torch.stack(state))


class _Watch:
    """First steps of each kind of event since the last look, for every trajectory."""

    def __init__(self, state: Sequence[Tensor]) -> None:
        self._begin = state
        self._at_bound = state
        none = torch.full_like(state[0], -1, dtype=torch.int64)
        self._first = dict.fromkeys(Status, none)

    def step(self, t: int, old: Sequence[Tensor], new: Sequence[Tensor], bound: float) -> None:
        diverged, fixed, lost = _diverged(new, bound), _same(old, new), _lost(old, new)
        fresh = diverged & (self._first[Status.DIVERGED] < 0)
        pairs = zip(new, self._at_bound, strict=True)
        self._at_bound = tuple(torch.where(fresh, n, s) for n, s in pairs)
        for kind, seen in (
            (Status.DIVERGED, diverged),
            (Status.FIXED_POINT, fixed),
            (Status.UNDERFLOW, lost),
        ):
            first = self._first[kind]
            self._first[kind] = torch.where(seen & (first < 0), t, first)

    def verdict(
        self, previous: Sequence[Tensor], state: Sequence[Tensor], bound: float
    ) -> tuple[Tensor, Tensor, Sequence[Tensor]]:
        """Status (B,), step of it (B,), and the state where a trajectory reached the bound."""
        event = torch.zeros_like(state[0], dtype=torch.int8)
        step = self._first[Status.RUNNING]
        for kind, seen in (
            (Status.UNDERFLOW, _lost(self._begin, state)),
            (Status.FIXED_POINT, _same(previous, state)),
            (Status.DIVERGED, _diverged(state, bound)),
        ):
            event = torch.where(seen, int(kind), event).to(torch.int8)
            step = torch.where(seen, self._first[kind], step)
        return event, step, self._at_bound


def _diverged(state: Sequence[Tensor], bound: float) -> Tensor:
    return torch.stack([~(s.abs() < bound) for s in state]).any(0)


def _same(old: Sequence[Tensor], new: Sequence[Tensor]) -> Tensor:
    return torch.stack(
        [o.view(torch.int64) == n.view(torch.int64) for o, n in zip(old, new, strict=True)]
    ).all(0)


def _lost(old: Sequence[Tensor], new: Sequence[Tensor]) -> Tensor:
    return torch.stack(
        [(n.abs() < SMALLEST_NORMAL) & (n != o) for o, n in zip(old, new, strict=True)]
    ).any(0)
