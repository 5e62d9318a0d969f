"""Records after every few steps: many of them in one sweep, without a look at each.

A sweep takes a tile through many records on trial: group after group of its chains through a few
records each time, so that state and parameters are seldom moved and what is stored goes forward
in few streams.  It counts only if no look at any of its records would have found an event: of
each trajectory that is not ended, every variable was a normal number below the bound as far as
half of its bits tell, which errs towards an event.  Otherwise nothing has happened but stores,
and the same records are taken again in the way that looks at each of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llvmlite import ir  # type: ignore[import-untyped]

from eostheory.trajectories.emitter import DOUBLE, I1, I64
from eostheory.trajectories.run import Status
from eostheory.trajectories.strip import Pace, Strip, begin_extremes, extreme, heads_type
from eostheory.trajectories.support import QUIET

if TYPE_CHECKING:
    from eostheory.trajectories.llvm import Kernel

SWEEP = 256
"""Records of a sweep at most."""

STREAMS = 8
"""Rows of records that are written side by side."""

_PAGE = 512
"""Doubles in 4 KiB."""

_FAR = (2, 4, 8, 16, 32)
"""Lines that rows would better be behind records, modulo a page; as many as can be are."""


def _behind(far: int) -> int:
    """Bits of the lines of a page that are too near behind line 0; what lies before it is free."""
    return sum(1 << (-line % 64) for line in range(far + 1))


class Sweep:
    """Writes sweeps into a kernel.

    Args:
        kernel: whose rooms and hoisted values are used; the sweep ends in ``kernel.previous``.
        single: there is one step from record to record.
        streaming: store around the cache; rows of records are then aligned to vectors.
    """

    def __init__(self, kernel: Kernel, single: bool, streaming: bool) -> None:
        self.k, self.single, self.streaming = kernel, single, streaming
        self.shown = len(kernel.program.observables)
        self.group = kernel.lanes * kernel.unrolled
        self.turn = max(1, STREAMS // max(1, self.shown))  # 8, 4, 2 or 1: divides SWEEP

    def make_rooms(self) -> None:
        """Rooms beside those of the kernel, and the functions that work on them.

        What is written and the rows go forward alike.  So rows are whole pages apart, and begin
        away from where records do, see `Strip`.
        """
        k = self.k
        self.rows = k.n + len(k.kept) + 2
        self.stride = -(-k.groups * self.group // _PAGE) * _PAGE if k.groups > 1 else self.group
        self.room = k.scratch(DOUBLE, self.rows * self.stride + _PAGE)
        self.spare = k.scratch(DOUBLE, self.turn * self.shown * self.group)
        self.extremes = k.scratch(heads_type(k.lanes), 2)
        self.plain, self.masked = (
            Strip(k, self.stride, Pace(self.turn, self.single, self.streaming, masked)).function
            for masked in (False, True)
        )
        self.last = self.masked
        if self.streaming:  # what is read again soon
            self.last = Strip(k, self.stride, Pace(self.turn, self.single, False, True)).function

    def _align(self, place: ir.Value) -> None:
        """Choose where the rows begin: far from where the first records go, modulo a page."""
        k, b = self.k, self.k.b
        six = ir.Constant(I64, 6)
        goal = b.ptrtoint(k.at(k.arg["records"], b.add(place, k.offset)), I64)
        bytes_ = b.mul(k.arg["size"], ir.Constant(I64, 8))

        def near(index: ir.Value, taken: list[ir.Value]) -> list[ir.Value]:
            # bits are the 64 lines of a page; those that a row that goes forward must not be in
            line = b.lshr(b.add(goal, b.mul(index, bytes_)), six)
            return [
                b.or_(t, k.call("llvm.fshl.i64", I64, m, m, line))
                for t, m in zip(taken, lines, strict=True)
            ]

        lines = [ir.Constant(I64, _behind(far)) for far in _FAR]
        none = [ir.Constant(I64, 0) for _ in lines]
        streams = min(self.turn * self.shown, STREAMS)
        line = ir.Constant(I64, 0)
        for taken in k.repeat(streams, none, near):
            free = b.not_(taken)
            first = k.call("llvm.cttz.i64", I64, free, ir.Constant(I1, 0))
            line = b.select(b.icmp_signed("!=", free, ir.Constant(I64, 0)), first, line)
        room = b.lshr(b.ptrtoint(self.room, I64), six)
        shift = b.and_(b.sub(line, room), ir.Constant(I64, 63))
        self.base = k.at(self.room, b.mul(shift, ir.Constant(I64, 8)))

    def _place(self, group: ir.Value, row: int, c: int, kind: ir.Type) -> ir.Value:
        b, k = self.k.b, self.k
        first = b.mul(group, ir.Constant(I64, self.group))
        shift = ir.Constant(I64, row * self.stride + c * k.lanes)
        return k.at(self.base, b.add(first, shift), kind)

    def wanted(self, left: ir.Value, total: ir.Value, wait: ir.Value) -> ir.Value:
        """Whether a sweep can begin here, given steps left to the next record and in all."""
        b, every = self.k.b, self.k.arg["every"]
        enough = b.icmp_signed(">=", total, b.mul(every, ir.Constant(I64, self.turn + 1)))
        free = b.icmp_signed("<=", wait, ir.Constant(I64, 0))
        whole = b.icmp_signed("==", left, every)
        return b.and_(b.and_(enough, free), b.and_(whole, b.icmp_signed("==", self.k.steps, every)))

    def write(self, now: ir.Value, place: ir.Value, total: ir.Value) -> tuple[ir.Value, ir.Value]:
        """Records from the state in ``now`` on; their number, and whether to take them again.

        At least one record is left to be taken with a look.
        """
        k, b = self.k, self.k.b
        zero, turn = ir.Constant(I64, 0), ir.Constant(I64, self.turn)
        most = k.min(
            b.sub(b.sdiv(total, k.arg["every"]), ir.Constant(I64, 1)), ir.Constant(I64, SWEEP)
        )
        turns = b.sdiv(most, turn)
        count = b.mul(turns, turn)
        record = b.mul(k.arg["size"], ir.Constant(I64, self.shown))
        further = b.mul(record, turn)
        self._align(place)
        self._begin(now)
        begin_extremes(k, self.extremes)
        quiet = b.icmp_signed("!=", b.and_(b.load(k.summary), ir.Constant(I64, QUIET)), zero)
        strip = b.select(quiet, self.plain, self.masked)
        wide = ir.Constant(I64, self.group)
        full = b.sdiv(k.count, wide)
        rest = b.sub(k.count, b.mul(full, wide))
        with k.loop(turns) as index:
            goal = b.add(place, b.mul(index, further))
            self._call(
                strip, zero, k.at(k.arg["records"], b.add(goal, k.offset)), k.arg["size"], full
            )
            with b.if_then(b.icmp_signed(">", rest, zero), likely=False):
                self._rest(full, rest, goal, record)
        with k.loop(k.groups) as group:
            for c, chain in enumerate(self._chains(group)):
                places = [self._place(group, row, c, k.real) for row in range(k.n)]
                state = [b.load(p, align=8 * k.lanes) for p in places]
                k.store(state, k.previous, chain)
        return count, extreme(k, self.extremes, k.arg["bound"])

    def _call(
        self, strip: ir.Value, group: ir.Value, goal: ir.Value, size: ir.Value, groups: ir.Value
    ) -> None:
        rows = self._place(group, 0, 0, DOUBLE)
        self.k.b.call(strip, [rows, goal, size, groups, self.k.arg["every"], self.extremes])

    def _rest(self, full: ir.Value, rest: ir.Value, goal: ir.Value, record: ir.Value) -> None:
        """What the last trajectories of the batch leave of a group, by way of a spare room."""
        k, b = self.k, self.k.b
        wide, one = ir.Constant(I64, self.group), ir.Constant(I64, 1)
        self._call(self.last, full, self.spare, wide, one)
        offset = b.add(k.offset, b.mul(full, wide))
        with k.loop(self.turn) as index:
            there = b.add(goal, b.mul(index, record))
            k.support(
                "eostheory_scatter",
                room=k.at(self.spare, b.mul(index, ir.Constant(I64, self.shown * self.group))),
                goal=k.at(k.arg["records"], there), rows=self.shown, offset=offset, count=rest,
                lanes=self.group, stride=self.group, streaming=0,
            )  # fmt: skip

    def _chains(self, group: ir.Value) -> list[ir.Value]:
        k, b = self.k, self.k.b
        first = b.mul(group, ir.Constant(I64, k.unrolled))
        return [b.add(first, ir.Constant(I64, c)) for c in range(k.unrolled)]

    def _begin(self, now: ir.Value) -> None:
        """All to its place, and masks: who has diverged, and who is alive."""
        k, b = self.k, self.k.b
        with k.loop(k.groups) as group:
            for c, chain in enumerate(self._chains(group)):
                state = k.load(now, k.n, chain)
                (code,) = k.load(k.codes, 1, chain, k.int)
                over = b.sext(b.icmp_signed("==", code, k.ints(Status.DIVERGED)), k.int)
                alive = b.sext(b.icmp_signed("<", code, k.ints(Status.FIXED_POINT)), k.int)
                hoisted = k.load(k.hoisted, len(k.kept), chain)
                for row, value in enumerate([*state, *hoisted, over, alive]):
                    b.store(value, self._place(group, row, c, value.type), align=8 * k.lanes)
