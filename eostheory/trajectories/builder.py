"""Straight-line code under construction: each operation once, parameters first, exact folding."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence

from eostheory.trajectories.program import TRANSCENDENTAL, Instruction

_CONSTANT, _ONCE, _STEP = range(3)

# Rough latencies: they only decide in which order sums and products are formed, so that what is
# ready late (a quotient, a root) is used late.
_LATENCY = {"sqrt": 20, "div": 14, "neg": 1, "abs": 1}
_SLOW = 60


def latency(operation: str) -> int:
    """Rough number of cycles after which a result can be used."""
    return _LATENCY.get(operation, _SLOW if operation in TRANSCENDENTAL else 4)


def latest_first_needed(code: Sequence[Instruction]) -> list[Instruction]:
    """The same operations, each as late as the longest way to the end of the step allows.

    A processor serves what stands first; so nothing that could wait delays what others wait for.
    """
    distance: dict[int, int] = {}
    for target, operation, operands in reversed(code):
        own = distance.setdefault(target, 0) + latency(operation)
        distance[target] = own
        for value in operands:
            distance[value] = max(distance.get(value, 0), own)
    return sorted(code, key=lambda i: -distance[i.target])


class Builder:
    """Emits instructions into the hoisted part, or into the section now open."""

    def __init__(self, n_state: int, n_parameters: int) -> None:
        self.constants: dict[int, float] = {}
        self.hoisted: list[Instruction] = []
        self.section: list[Instruction] = []
        self._level = [_STEP] * n_state + [_ONCE] * n_parameters
        self._ready = [0] * (n_state + n_parameters)
        self._constant_of: dict[str, int] = {}
        self._known_once: dict[tuple[object, ...], int] = {}
        self._known: dict[tuple[object, ...], int] = {}

    def open_section(self) -> list[Instruction]:
        """Start a section in which nothing of the last one is known; returns the last one."""
        done, self.section, self._known = self.section, [], {}
        return done

    def depends_on_state(self, value: int) -> bool:
        return self._level[value] == _STEP

    def _new(self, level: int, ready: int) -> int:
        self._level.append(level)
        self._ready.append(ready)
        return len(self._level) - 1

    def constant(self, number: float) -> int:
        # by its digits: -0.0 is not 0.0
        found = self._constant_of.get(text := number.hex())
        if found is None:
            found = self._constant_of[text] = self._new(_CONSTANT, 0)
            self.constants[found] = number
        return found

    def emit(self, operation: str, *operands: int) -> int:
        """The value of an operation, shared with an earlier one on the same operands."""
        if operation in ("add", "mul", "eq", "ne", "and", "or"):
            operands = tuple(sorted(operands))  # these commute bit for bit
        folded = self._fold(operation, operands)
        if folded is not None:
            return folded
        level = max(_ONCE, *(self._level[i] for i in operands))
        known = self._known if level == _STEP else self._known_once
        found = known.get(key := (operation, *operands))
        if found is None:
            start = max(self._ready[i] for i in operands)
            late = start + latency(operation) if level == _STEP else 0
            found = known[key] = self._new(level, late)
            code = self.section if level == _STEP else self.hoisted
            code.append(Instruction(found, operation, operands))
        return found

    def _fold(self, operation: str, operands: tuple[int, ...]) -> int | None:
        """What arithmetic leaves without rounding or with the rounding it would have anyway."""
        numbers = [self.constants.get(i) for i in operands]
        one, *rest = numbers
        if operation == "mul":
            for number, other in zip(numbers, reversed(operands), strict=True):
                if number == 1.0:
                    return other
                if number == -1.0:
                    return self.emit("neg", other)
        if operation == "div" and numbers[1] == 1.0:
            return operands[0]
        if one is None:
            return None
        if operation == "neg":
            return self.constant(-one)
        if operation == "sqrt" and one >= 0.0:
            return self.constant(math.sqrt(one))
        if rest and rest[0] is not None:
            two = rest[0]
            if operation == "add":
                return self.constant(one + two)
            if operation == "sub":
                return self.constant(one - two)
            if operation == "mul":
                return self.constant(one * two)
            if operation == "div" and two != 0.0:
                return self.constant(one / two)
        return None

    def product(self, factors: Iterable[int]) -> int:
        """The product of one or more values, early ones first."""
        waiting = [(self._ready[v], v) for v in factors]
        heapq.heapify(waiting)
        while len(waiting) > 1:
            _, a = heapq.heappop(waiting)
            _, b = heapq.heappop(waiting)
            c = self.emit("mul", a, b)
            heapq.heappush(waiting, (self._ready[c], c))
        return waiting[0][1]

    def total(self, terms: Sequence[tuple[int, int]]) -> tuple[int, int]:
        """The sum of one or more (sign, value), early ones first, as (sign, value)."""
        waiting = [(self._ready[v], v, sign) for sign, v in terms]
        heapq.heapify(waiting)
        while len(waiting) > 1:
            _, a, sign = heapq.heappop(waiting)
            _, b, other = heapq.heappop(waiting)
            if sign == other:
                c = self.emit("add", a, b)
            elif sign > 0:
                c = self.emit("sub", a, b)
            else:
                c, sign = self.emit("sub", b, a), 1
            heapq.heappush(waiting, (self._ready[c], c, sign))
        return waiting[0][2], waiting[0][1]

    def power(self, base: int, exponent: int) -> int:
        """``base**exponent`` for exponent >= 1 by squaring."""
        result: int | None = None
        square = base
        while True:
            if exponent & 1:
                result = square if result is None else self.emit("mul", result, square)
            exponent >>= 1
            if not exponent:
                assert result is not None
                return result
            square = self.emit("mul", square, square)
