"""The list of IEEE operations that a recurrence is lowered to, and that every backend prints."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

ARITHMETIC = frozenset({"add", "sub", "mul", "div", "neg", "sqrt", "abs"})
"""Correctly rounded on every backend, so that all of them agree bit for bit."""

COMPARISONS = frozenset({"lt", "le", "eq", "ne"})
"""Truth values; with a NaN all are false, but for ``ne``."""

LOGIC = frozenset({"and", "or", "not"})

EXACT = ARITHMETIC | COMPARISONS | LOGIC | {"select"}

TRANSCENDENTAL = {
    "exp": 1,
    "log": 1,
    "sin": 1,
    "cos": 1,
    "tan": 1,
    "asin": 1,
    "acos": 1,
    "atan": 1,
    "sinh": 1,
    "cosh": 1,
    "tanh": 1,
    "asinh": 1,
    "acosh": 1,
    "atanh": 1,
    "erf": 1,
    "atan2": 2,
    "pow": 2,
}
"""Number of operands of what comes from a mathematics library: equal to a few ulps only."""


class Instruction(NamedTuple):
    """``target = operation(*operands)``; all are indices of values."""

    target: int
    operation: str
    operands: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Program:
    """One step, as straight-line code in values 0, 1, 2, ... each assigned once.

    Values ``0 .. n_state-1`` are the state and the next ``n_parameters`` the parameters; then
    come constants and instructions.  In ``body`` the state is the one before the step, in
    ``observed`` the one after it; ``hoisted`` sees parameters only and runs once per trajectory.
    ``select(c, a, b)`` is a where c holds, else b.

    Attributes:
        next: the value of each state variable after the step.
        observations: the value of each observable.
        constants: double of each constant's index.
        algebraic: every operation is correctly rounded, so that backends agree bit for bit;
            otherwise a transcendental function makes them agree to a few ulps per step only.
        key: digest of names, numbers and operations; equal keys run the same operations on the
            same rows.
    """

    name: str
    state: tuple[str, ...]
    parameters: tuple[str, ...]
    observables: tuple[str, ...]
    constants: dict[int, float]
    hoisted: tuple[Instruction, ...]
    body: tuple[Instruction, ...]
    observed: tuple[Instruction, ...]
    next: tuple[int, ...]
    observations: tuple[int, ...]
    algebraic: bool = field(init=False)
    key: str = field(init=False)

    def __post_init__(self) -> None:
        every = (*self.hoisted, *self.body, *self.observed)
        object.__setattr__(self, "algebraic", all(i.operation in EXACT for i in every))
        numbers = [(i, c.hex()) for i, c in sorted(self.constants.items())]
        code = [[tuple(i) for i in section] for section in (self.hoisted, self.body, self.observed)]
        # a name that is not used holds a row of the parameters nevertheless
        names = (self.state, self.parameters, self.observables)
        listing = repr((names, numbers, code, self.next, self.observations))
        object.__setattr__(self, "key", hashlib.sha256(listing.encode()).hexdigest())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def lines(self) -> Iterator[str]:
        """The program as text, for a reader."""

        def name(value: int) -> str:
            if value < len(self.state):
                return self.state[value]
            if value < len(self.state) + len(self.parameters):
                return self.parameters[value - len(self.state)]
            if value in self.constants:
                return self.constants[value].hex()
            return f"%{value}"

        for title, section in (
            ("once", self.hoisted),
            ("step", self.body),
            ("record", self.observed),
        ):
            yield f"{title}:"
            for target, operation, operands in section:
                yield f"  %{target} = {operation} " + ", ".join(map(name, operands))
            if section is self.body:
                for variable, value in zip(self.state, self.next, strict=True):
                    yield f"  {variable} <- {name(value)}"
        for observable, value in zip(self.observables, self.observations, strict=True):
            yield f"  {observable} = {name(value)}"
