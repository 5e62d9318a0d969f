"""A few records in a row of many chains: the inner loop where most steps are recorded.

It is a function of its own, so that its loops have the registers for themselves: a load from the
stack would now and then wait for a store around the cache, see `Strip`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from llvmlite import ir  # type: ignore[import-untyped]

from eostheory.trajectories.emitter import DOUBLE, I32, I64, Emitter
from eostheory.trajectories.run import SMALLEST_NORMAL

if TYPE_CHECKING:
    from eostheory.trajectories.llvm import Kernel

Values = list[ir.Value]

_ARGUMENTS = ("rows", "records", "size", "groups", "every", "extremes")


class Pace(NamedTuple):
    """How a strip goes.

    Attributes:
        records: that many in a row.
        single: there is one step from record to record.
        streaming: store around the cache; rows of records are aligned to vectors.
        masked: some trajectories may have ended.
    """

    records: int
    single: bool
    streaming: bool
    masked: bool


class Strip(Emitter):
    """Writes the function; it takes what its arguments name.

    ``rows`` hold state, hoisted values and two masks (who has diverged, who is alive), each
    ``stride`` doubles after the one before; the state is advanced in them.  ``records`` go to
    rows of ``size`` doubles, so many ``groups`` of chains in each.  ``extremes`` are the least and
    the largest `heads` seen in states of who is alive.

    A processor takes a load for one of what was just stored around the cache if both agree modulo
    4 KiB, and has it wait; so rows begin where the caller knows this not to happen.

    Args:
        kernel: whose program it is.
        stride: see above.
        pace: what it is made for.
    """

    def __init__(self, kernel: Kernel, stride: int, pace: Pace) -> None:
        real = DOUBLE.as_pointer()
        self.head = heads_type(kernel.lanes)
        kinds = [real, real, I64, I64, I64, self.head.as_pointer()]
        name = kernel.module.get_unique_name("strip")
        function = ir.Function(kernel.module, ir.FunctionType(ir.VoidType(), kinds), name)
        function.linkage = "internal"
        super().__init__(function, kernel.lanes, bool(kernel.flags))
        for argument in (function.args[0], function.args[1], function.args[5]):
            argument.add_attribute("noalias")
        self.arg = dict(zip(_ARGUMENTS, function.args, strict=True))
        self.k, self.stride, self.pace, self.function = kernel, stride, pace, function
        self.chains, self.n = range(kernel.unrolled), kernel.n
        self._write()

    def _write(self) -> None:
        b, extremes = self.b, self.arg["extremes"]
        places = [self.at(extremes, ir.Constant(I64, i)) for i in range(2)]
        seen = [b.load(place, align=8 * self.lanes) for place in places]
        seen = self.repeat(self.arg["groups"], seen, self._group)
        for place, value in zip(places, seen, strict=True):
            b.store(value, place, align=8 * self.lanes)
        b.ret_void()

    def _place(self, group: ir.Value, row: int, c: int) -> ir.Value:
        b = self.b
        first = b.mul(group, ir.Constant(I64, self.lanes * len(self.chains)))
        shift = ir.Constant(I64, row * self.stride + c * self.lanes)
        return self.at(self.arg["rows"], b.add(first, shift), self.real)

    def _load(self, group: ir.Value, first: int, count: int, c: int) -> Values:
        return [
            self.b.load(self._place(group, row, c), align=8 * self.lanes)
            for row in range(first, first + count)
        ]

    def _by_chain(self, values: Sequence[ir.Value]) -> list[Values]:
        return [list(values[c * self.n : (c + 1) * self.n]) for c in self.chains]

    def _group(self, group: ir.Value, seen: Values) -> Values:
        """The records of one group of chains."""
        b, shown = self.b, len(self.k.program.observations)
        first = b.mul(group, ir.Constant(I64, self.lanes * len(self.chains)))
        further = b.mul(self.arg["size"], ir.Constant(I64, shown))

        def record(index: ir.Value, carried: Values) -> Values:
            *states, least, most = carried
            goal = self.at(self.arg["records"], b.add(first, b.mul(index, further)))
            kept = len(self.k.kept)
            given = [self._given(self._load(group, self.n, kept, c)) for c in self.chains]
            new = self._steps(self._by_chain(states), given)
            rows = [self._shown(state, known) for state, known in zip(new, given, strict=True)]
            alive = None
            if self.pace.masked:
                masks = [self._load(group, self.n + kept, 2, c) for c in self.chains]
                rows = [[self._or(x, m[0]) for x in r] for r, m in zip(rows, masks, strict=True)]
                alive = [m[1] for m in masks]
            self._store(rows, goal)
            return [x for state in new for x in state] + self._look(new, alive, least, most)

        begin = [x for c in self.chains for x in self._load(group, 0, self.n, c)]
        *states, least, most = self.repeat(self.pace.records, [*begin, *seen], record)
        for c, state in enumerate(self._by_chain(states)):
            for row, value in enumerate(state):
                b.store(value, self._place(group, row, c), align=8 * self.lanes)
        return [least, most]

    def _given(self, hoisted: Values) -> dict[int, ir.Value]:
        return self.k.constants | self.recall(self.k.kept, hoisted, self.k.truths)

    def _steps(self, begin: list[Values], given: list[dict[int, ir.Value]]) -> list[Values]:
        """The states of chains at the next record."""

        def step(_: ir.Value, states: Values) -> Values:
            new = []
            for known, state in zip(given, self._by_chain(states), strict=True):
                values = known | dict(enumerate(state))
                self.run(self.k.program.body, values)
                new += [values[i] for i in self.k.program.next]
            return new

        states = [x for state in begin for x in state]
        if self.pace.single:
            return self._by_chain(step(ir.Constant(I64, 0), states))
        return self._by_chain(self.repeat(self.arg["every"], states, step))

    def _shown(self, state: Values, given: dict[int, ir.Value]) -> Values:
        values = given | dict(enumerate(state))
        self.run(self.k.program.observed, values)
        return [values[i] for i in self.k.program.observations]

    def _or(self, x: ir.Value, mask: ir.Value) -> ir.Value:
        """NaN, all of its bits, where the mask is set."""
        b = self.b
        bits = b.or_(b.bitcast(x, self.int), b.bitcast(mask, self.int))
        return b.bitcast(bits, self.real)

    def _store(self, rows: list[Values], goal: ir.Value) -> None:
        """Observables of chains; memory is slow to take parts of lines in turn."""
        b = self.b
        once = self.module.add_metadata([ir.Constant(I32, 1)])
        for j, values in enumerate(zip(*rows, strict=True)):
            row = b.mul(self.arg["size"], ir.Constant(I64, j))
            for c, value in enumerate(values):
                place = self.at(goal, b.add(row, ir.Constant(I64, c * self.lanes)), self.real)
                if self.pace.streaming:
                    stored = b.store(value, place, align=8 * self.lanes)
                    stored.set_metadata("nontemporal", once)
                else:
                    b.store(value, place, align=8)

    def _look(
        self, states: list[Values], alive: Values | None, least: ir.Value, most: ir.Value
    ) -> Values:
        """Least and largest heads so far."""
        b = self.b
        every = [(x, c) for row in zip(*states, strict=True) for c, x in enumerate(row)]
        step = 1 if self.lanes == 1 else 2
        for i in range(0, len(every), step):
            (x, c), (y, d) = every[i], every[min(i + step, len(every)) - 1]
            head = self._heads(x, y)
            low = high = b.add(head, head)  # without the sign
            if alive:
                mask = self._heads(alive[c], alive[d])
                low, high = b.or_(low, b.not_(mask)), b.and_(high, mask)
            least = b.select(b.icmp_unsigned("<", low, least), low, least)
            most = b.select(b.icmp_unsigned(">", high, most), high, most)
        return [least, most]

    def _heads(self, x: ir.Value, y: ir.Value) -> ir.Value:
        """The first half of each double's bits, of two vectors; of one number without lanes."""
        b = self.b
        if self.lanes == 1:
            return b.trunc(b.lshr(b.bitcast(x, I64), ir.Constant(I64, 32)), I32)
        # pairs of lanes stay together, as processors have it
        chosen = [
            2 * pair + side
            for pair in range(0, self.lanes, 2)
            for side in (1, 3, 2 * self.lanes + 1, 2 * self.lanes + 3)
        ]
        halves = (b.bitcast(v, self.head) for v in (x, y))
        return b.shuffle_vector(*halves, ir.Constant(self.head, chosen))


def heads_type(lanes: int) -> ir.Type:
    """Upper halves of the bits of two vectors, or of one number."""
    return I32 if lanes == 1 else ir.VectorType(I32, 2 * lanes)


def begin_extremes(e: Emitter, extremes: ir.Value) -> None:
    """Nothing seen yet."""
    kind = heads_type(e.lanes)
    for i, number in enumerate((2**32 - 1, 0)):
        value = ir.Constant(kind, number if e.lanes == 1 else [number] * kind.count)
        e.b.store(value, e.at(extremes, ir.Constant(I64, i)), align=8 * e.lanes)


def extreme(e: Emitter, extremes: ir.Value, bound: ir.Value) -> ir.Value:
    """Whether something was seen that is not normal, or, as far as heads tell, not below."""
    b = e.b
    least, most = (b.load(e.at(extremes, ir.Constant(I64, i)), align=8 * e.lanes) for i in range(2))
    if e.lanes > 1:
        kind = f"v{least.type.count}i32"
        least = e.call(f"llvm.vector.reduce.umin.{kind}", I32, least)
        most = e.call(f"llvm.vector.reduce.umax.{kind}", I32, most)

    def head(x: ir.Value) -> ir.Value:
        upper = b.trunc(b.lshr(b.bitcast(x, I64), ir.Constant(I64, 32)), I32)
        return b.add(upper, upper)

    small = b.icmp_unsigned("<", least, head(ir.Constant(DOUBLE, SMALLEST_NORMAL)))
    return b.or_(small, b.icmp_unsigned(">=", most, head(bound)))
