"""Records after every few steps: many of them in one sweep, without a look at each.

A sweep takes a tile through many records on trial: all of the tile to the next record, so that
what is stored lies in long runs of memory.  It counts only if no look at any of its records would
have found an event: of each trajectory that is not ended, the sum of sizes stayed below the bound
and the least size was a normal number.  Both err towards an event.  Otherwise nothing has
happened but stores, and the same records are taken again in the way that looks at each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

from llvmlite import ir  # type: ignore[import-untyped]

from eostheory.trajectories.emitter import DOUBLE, I32, I64
from eostheory.trajectories.run import SMALLEST_NORMAL, Status

if TYPE_CHECKING:
    from eostheory.trajectories.llvm import Kernel

SWEEP = 128
"""Records of a sweep."""

_PAGE = 512
"""Doubles in 4 KiB."""

LEAST = 4
"""Fewer records are not worth a sweep."""


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

    def make_rooms(self) -> None:
        """Rooms beside those of the kernel.

        A load waits for a recent store around the cache that agrees with it modulo 4 KiB, a page.
        So rows are whole pages apart, all advance as the records do, and stay half a page away.
        """
        k = self.k
        self.rows = k.n + len(k.kept) + 2  # state, hoisted, who has diverged, who is alive
        half = _PAGE // 2
        self.stride = -(-k.groups * self.group // half) * half if k.groups > 1 else self.group
        self.room = k.scratch(DOUBLE, self.rows * self.stride + _PAGE)
        self.spare = k.scratch(DOUBLE, self.shown * self.group)

    def _align(self, place: ir.Value) -> None:
        """Choose where the rows begin, given where records are to go."""
        k, b = self.k, self.k.b
        goal = b.ptrtoint(k.at(k.arg["records"], b.add(place, k.offset)), I64)
        apart = b.sub(b.add(goal, ir.Constant(I64, 2 * _PAGE)), b.ptrtoint(self.room, I64))
        shift = b.and_(b.lshr(apart, ir.Constant(I64, 3)), ir.Constant(I64, (_PAGE - 1) & ~7))
        self.base = k.at(self.room, shift)

    def _place(self, group: ir.Value, row: int, c: int, kind: ir.Type) -> ir.Value:
        b, k = self.k.b, self.k
        base = b.mul(group, ir.Constant(I64, self.group))
        shift = ir.Constant(I64, row * self.stride + c * k.lanes)
        return k.at(self.base, b.add(base, shift), kind)

    def _load(self, group: ir.Value, rows: range, c: int) -> list[ir.Value]:
        k = self.k
        return [k.b.load(self._place(group, row, c, k.real), align=8 * k.lanes) for row in rows]

    def _keep(self, group: ir.Value, first: int, c: int, values: Sequence[ir.Value]) -> None:
        for row, value in enumerate(values, start=first):
            place = self._place(group, row, c, value.type)
            self.k.b.store(value, place, align=8 * self.k.lanes)

    def wanted(self, left: ir.Value, total: ir.Value, wait: ir.Value) -> ir.Value:
        """Whether a sweep can begin here, given steps left to the next record and in all."""
        b, every = self.k.b, self.k.arg["every"]
        enough = b.icmp_signed(">=", total, b.mul(every, ir.Constant(I64, LEAST)))
        free = b.icmp_signed("<=", wait, ir.Constant(I64, 0))
        whole = b.icmp_signed("==", left, every)
        return b.and_(b.and_(enough, free), b.and_(whole, b.icmp_signed("==", self.k.steps, every)))

    def write(self, now: ir.Value, place: ir.Value, total: ir.Value) -> tuple[ir.Value, ir.Value]:
        """Records from the state in ``now`` on; their number, and whether to take them again.

        At least one record is left to be taken with a look.
        """
        k, b = self.k, self.k.b
        count = b.sub(b.sdiv(total, k.arg["every"]), ir.Constant(I64, 1))
        count = k.min(count, ir.Constant(I64, SWEEP))
        size = b.mul(k.arg["size"], ir.Constant(I64, self.shown))
        self._align(place)
        self._begin(now)
        groups, zero = ir.Constant(I64, k.groups), ir.Constant(I64, 0)
        full = k.min(b.sdiv(k.count, ir.Constant(I64, self.group)), groups)
        with k.loop(count) as record:
            goal = b.add(place, b.mul(record, size))
            self._groups(zero, full, goal)
            with b.if_then(b.icmp_signed("<", full, groups), likely=False):
                self._groups(full, groups, goal, spare=True)
        with k.loop(k.groups) as group:
            for c, chain in enumerate(self._chains(group)):
                k.store(self._load(group, range(k.n), c), k.previous, chain)
        return count, k.any(b.icmp_signed("!=", b.load(k.happened), k.ints(0)))

    def _chains(self, group: ir.Value) -> list[ir.Value]:
        k, b = self.k, self.k.b
        first = b.mul(group, ir.Constant(I64, k.unrolled))
        return [b.add(first, ir.Constant(I64, c)) for c in range(k.unrolled)]

    def _begin(self, now: ir.Value) -> None:
        """All to its place, and masks: who has diverged, and who is alive."""
        k, b = self.k, self.k.b
        b.store(k.ints(0), k.happened)
        with k.loop(k.groups) as group:
            found = []
            for c, chain in enumerate(self._chains(group)):
                state = k.load(now, k.n, chain)
                (code,) = k.load(k.codes, 1, chain, k.int)
                over = b.sext(b.icmp_signed("==", code, k.ints(Status.DIVERGED)), k.int)
                alive = b.sext(b.icmp_signed("<", code, k.ints(Status.FIXED_POINT)), k.int)
                hoisted = k.load(k.hoisted, len(k.kept), chain)
                self._keep(group, 0, c, [*state, *hoisted, over, alive])
                found.append(self._look(state, alive))
            b.store(reduce(b.or_, found, b.load(k.happened)), k.happened)

    def _look(self, state: list[ir.Value], alive: ir.Value) -> ir.Value:
        """In which lanes a look at a state could find something."""
        k, b = self.k, self.k.b
        sizes = [k.size(x) for x in state]
        least = reduce(lambda x, y: b.select(b.fcmp_ordered("<", x, y), x, y), sizes)
        small = b.fcmp_unordered("<", least, k.reals(SMALLEST_NORMAL))
        far = b.fcmp_unordered(">=", reduce(b.fadd, sizes), k.bound)
        return b.and_(b.or_(b.sext(small, k.int), b.sext(far, k.int)), alive)

    def _groups(self, first: ir.Value, end: ir.Value, place: ir.Value, spare: bool = False) -> None:
        """One record of groups of chains; beyond the last trajectory by way of a spare place.

        The loop of full groups touches no memory but rows and records, see `make_rooms`.
        """
        k, b = self.k, self.k.b
        start = b.load(k.happened)
        head, turn, done = (b.append_basic_block(n) for n in ("groups", "group", "all"))
        before = b.block
        b.branch(head)
        b.position_at_end(head)
        group, happened = b.phi(I64), b.phi(k.int)
        b.cbranch(b.icmp_signed("<", group, end), turn, done)
        b.position_at_end(turn)
        found = self._group(group, place, happened, spare)
        for phi, value, new in (
            (group, first, b.add(group, ir.Constant(I64, 1))),
            (happened, start, found),
        ):
            phi.add_incoming(value, before)
            phi.add_incoming(new, b.block)
        b.branch(head)
        b.position_at_end(done)
        b.store(happened, k.happened)

    def _group(self, group: ir.Value, place: ir.Value, happened: ir.Value, spare: bool) -> ir.Value:
        k, b = self.k, self.k.b
        wide = ir.Constant(I64, self.group)
        shift = b.mul(group, wide)
        offset = b.add(k.offset, shift)
        if spare:
            goal, row = self.spare, wide
        else:
            goal, row = k.at(k.arg["records"], b.add(place, offset)), k.arg["size"]
        columns = range(k.unrolled)
        given = [k.known(self._load(group, range(k.n, self.rows - 2), c)) for c in columns]
        states = self._steps([self._load(group, range(k.n), c) for c in columns], given)
        rows: list[list[ir.Value]] = []
        for c, state in enumerate(states):
            self._keep(group, 0, c, state)
            known = given[c] | dict(enumerate(state))
            k.run(k.program.observed, known)
            masks = self._load(group, range(self.rows - 2, self.rows), c)
            over, alive = (b.bitcast(m, k.int) for m in masks)
            bits = [b.bitcast(known[i], k.int) for i in k.program.observations]
            rows.append([b.bitcast(b.or_(x, over), k.real) for x in bits])  # all bits: a NaN
            happened = b.or_(happened, self._look(state, alive))
        # whole lines one after the other: memory is slow to take parts of them in turn
        for j, values in enumerate(zip(*rows, strict=True)):
            for c, value in enumerate(values):
                at = b.add(b.mul(row, ir.Constant(I64, j)), ir.Constant(I64, c * k.lanes))
                self._store(value, k.at(goal, at, k.real))
        if spare:
            k.support(
                "eostheory_scatter",
                room=goal, goal=k.at(k.arg["records"], place), rows=self.shown, offset=offset,
                count=b.sub(k.count, shift), lanes=self.group, stride=self.group, streaming=0,
            )  # fmt: skip
        return happened

    def _steps(
        self, begin: list[list[ir.Value]], given: list[dict[int, ir.Value]]
    ) -> list[list[ir.Value]]:
        """The states of chains at the next record."""
        k, b, zero, one = self.k, self.k.b, ir.Constant(I64, 0), ir.Constant(I64, 1)
        if self.single:
            return [self._step(g, state) for g, state in zip(given, begin, strict=True)]
        before, loop, done = b.block, b.append_basic_block("steps"), b.append_basic_block("taken")
        b.branch(loop)
        b.position_at_end(loop)
        to_go = b.phi(I64)
        states = [[b.phi(k.real) for _ in range(k.n)] for _ in begin]
        results = [self._step(g, state) for g, state in zip(given, states, strict=True)]
        fewer = b.sub(to_go, one)
        to_go.add_incoming(k.arg["every"], before)
        to_go.add_incoming(fewer, loop)
        for phis, values, new in zip(states, begin, results, strict=True):
            for phi, value, result in zip(phis, values, new, strict=True):
                phi.add_incoming(value, before)
                phi.add_incoming(result, loop)
        b.cbranch(b.icmp_signed(">", fewer, zero), loop, done)
        b.position_at_end(done)
        return results

    def _step(self, given: dict[int, ir.Value], state: list[ir.Value]) -> list[ir.Value]:
        known = given | dict(enumerate(state))
        self.k.run(self.k.program.body, known)
        return [known[i] for i in self.k.program.next]

    def _store(self, value: ir.Value, place: ir.Value) -> None:
        k = self.k
        stored = k.b.store(value, place, align=8 * k.lanes if self.streaming else 8)
        if self.streaming:
            stored.set_metadata("nontemporal", k.module.add_metadata([ir.Constant(I32, 1)]))
