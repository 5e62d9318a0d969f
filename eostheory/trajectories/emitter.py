"""LLVM values of one lane or of several, and a section of the program in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager

from llvmlite import ir  # type: ignore[import-untyped]

from eostheory.trajectories.program import ARITHMETIC, TRANSCENDENTAL, Instruction

DOUBLE = ir.DoubleType()
I1, I8, I32, I64 = (ir.IntType(n) for n in (1, 8, 32, 64))


class Emitter:
    """Writes into one function; a value is a scalar, or a vector with a lane per trajectory.

    Args:
        function: where to.
        lanes: trajectories per value.
        fma: let products be contracted into sums.
    """

    def __init__(self, function: ir.Function, lanes: int, fma: bool) -> None:
        self.module, self.lanes = function.module, lanes
        self.flags = ("contract",) if fma else ()
        self.b = ir.IRBuilder(function.append_basic_block("entry"))
        self.real, self.int, self.bool = (
            t if lanes == 1 else ir.VectorType(t, lanes) for t in (DOUBLE, I64, I1)
        )

    def reals(self, x: float) -> ir.Constant:
        return ir.Constant(self.real, x if self.lanes == 1 else [x] * self.lanes)

    def ints(self, x: int) -> ir.Constant:
        return ir.Constant(self.int, x if self.lanes == 1 else [x] * self.lanes)

    def call(self, name: str, result: ir.Type, *arguments: ir.Value) -> ir.Value:
        function = self.module.globals.get(name)
        if function is None:
            signature = ir.FunctionType(result, [a.type for a in arguments])
            function = ir.Function(self.module, signature, name)
        return self.b.call(function, arguments)

    def _suffix(self, base: str) -> str:
        return base if self.lanes == 1 else f"v{self.lanes}{base}"

    def any(self, mask: ir.Value) -> ir.Value:
        if self.lanes == 1:
            return mask
        return self.call(f"llvm.vector.reduce.or.v{self.lanes}i1", I1, mask)

    def size(self, x: ir.Value) -> ir.Value:
        return self.call(f"llvm.fabs.{self._suffix('f64')}", self.real, x)

    def min(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return self.b.select(self.b.icmp_signed("<", x, y), x, y)

    def at(self, pointer: ir.Value, index: ir.Value, kind: ir.Type | None = None) -> ir.Value:
        place = self.b.gep(pointer, [index])
        return place if kind is None else self.b.bitcast(place, kind.as_pointer())

    def scratch(self, kind: ir.Type, size: int) -> ir.Value:
        """Room for ``size`` values on the stack; a function makes all of its rooms at once."""
        room = self.b.alloca(kind, ir.Constant(I32, max(1, size)))
        room.align = 64
        return room

    @contextmanager
    def loop(self, count: ir.Value | int) -> Iterator[ir.Value]:
        """A loop of ``count`` >= 0 turns; yields the index."""
        b = self.b
        limit = ir.Constant(I64, count) if isinstance(count, int) else count
        head, turn, done = (b.append_basic_block(n) for n in ("head", "turn", "done"))
        before = b.block
        b.branch(head)
        b.position_at_end(head)
        index = b.phi(I64)
        index.add_incoming(ir.Constant(I64, 0), before)
        b.cbranch(b.icmp_signed("<", index, limit), turn, done)
        b.position_at_end(turn)
        yield index
        index.add_incoming(b.add(index, ir.Constant(I64, 1)), b.block)
        b.branch(head)
        b.position_at_end(done)

    def repeat(
        self,
        count: ir.Value | int,
        values: Sequence[ir.Value],
        turn: Callable[[ir.Value, list[ir.Value]], Sequence[ir.Value]],
    ) -> list[ir.Value]:
        """A loop that carries values in registers; what they are after it."""
        b = self.b
        head, inside, done = (b.append_basic_block(n) for n in ("repeat", "inside", "over"))
        before = b.block
        b.branch(head)
        b.position_at_end(head)
        limit = ir.Constant(I64, count) if isinstance(count, int) else count
        phis = [b.phi(I64), *(b.phi(value.type) for value in values)]
        b.cbranch(b.icmp_signed("<", phis[0], limit), inside, done)
        b.position_at_end(inside)
        results = turn(phis[0], phis[1:])
        first = [ir.Constant(I64, 0), *values]
        following = [b.add(phis[0], ir.Constant(I64, 1)), *results]
        for phi, value, new in zip(phis, first, following, strict=True):
            phi.add_incoming(value, before)
            phi.add_incoming(new, b.block)
        b.branch(head)
        b.position_at_end(done)
        return phis[1:]

    def run(self, code: Sequence[Instruction], values: dict[int, ir.Value]) -> None:
        """Append a section; ``values`` grows by its results."""
        b = self.b
        binary: dict[str, Callable[..., ir.Value]] = {
            "add": b.fadd, "sub": b.fsub, "mul": b.fmul, "div": b.fdiv,
        }  # fmt: skip
        compare = {"lt": "<", "le": "<=", "eq": "=="}
        for target, operation, operands in code:
            x = [values[i] for i in operands]
            if operation in binary:
                result = binary[operation](*x, flags=self.flags)
            elif operation == "neg":
                result = b.fneg(*x)
            elif operation in ARITHMETIC:
                name = {"sqrt": "sqrt", "abs": "fabs"}[operation]
                result = self.call(f"llvm.{name}.{self._suffix('f64')}", self.real, *x)
            elif operation in compare:
                result = b.fcmp_ordered(compare[operation], *x)
            elif operation == "ne":
                result = b.fcmp_unordered("!=", *x)
            elif operation == "select":
                result = b.select(*x)
            elif operation in TRANSCENDENTAL:
                result = self.library(operation, x)
            else:
                result = {"and": b.and_, "or": b.or_, "not": b.not_}[operation](*x)
            values[target] = result

    def recall(
        self, kept: Sequence[int], rows: Sequence[ir.Value], truths: Set[int]
    ) -> dict[int, ir.Value]:
        """Values by number that were kept as doubles; a truth value is one that is not zero."""
        zero = self.reals(0.0)
        return {
            i: self.b.fcmp_unordered("!=", x, zero) if i in truths else x
            for i, x in zip(kept, rows, strict=True)
        }

    def library(self, operation: str, x: list[ir.Value]) -> ir.Value:
        """A function of the mathematics library, lane by lane."""
        name = library_name(operation)
        if self.lanes == 1:
            return self.call(name, DOUBLE, *x)
        result: ir.Value = ir.Constant(self.real, ir.Undefined)
        for j in range(self.lanes):
            lane = ir.Constant(I32, j)
            one = self.call(name, DOUBLE, *(self.b.extract_element(v, lane) for v in x))
            result = self.b.insert_element(result, one, lane)
        return result

    def splat(self, scalar: ir.Value) -> ir.Value:
        if self.lanes == 1:
            return scalar
        empty, lane = ir.Constant(self.real, ir.Undefined), ir.Constant(I32, 0)
        one = self.b.insert_element(empty, scalar, lane)
        mask = ir.Constant(ir.VectorType(I32, self.lanes), [0] * self.lanes)
        return self.b.shuffle_vector(one, empty, mask)


def library_name(operation: str) -> str:
    """The symbol under which a function of the mathematics library is made known."""
    return f"eostheory_{operation}"
