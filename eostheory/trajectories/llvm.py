"""The program as LLVM IR: a loop that carries several trajectories as the lanes of vectors.

A tile is vectors of ``lanes`` trajectories, ``chains`` of them in a group.  Its state lives in
rooms on the stack, but for the inner loop, where that of a group lives in registers::

    for each tile:
        gather state, parameters, status; hoisted part
        for each block of steps, which ends at a record, at a look in between, or at the last step:
            all steps but one, for all chains in turn
            one more, and a look: did any lane diverge, stand still or underflow?
            rarely: note it
            at a record: observables, store
        scatter state

The last step of a block stands apart, so that only there the state before it is kept for
comparison.  It and all that follows is written once for one chain and loops over the chains: it
is the inner loop that pays for being long.  A lane that ended goes on being computed and is
thrown away until all lanes of the tile have ended; so no lane depends on its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

from llvmlite import ir  # type: ignore[import-untyped]

from eostheory.trajectories import support
from eostheory.trajectories.dense import Sweep
from eostheory.trajectories.emitter import DOUBLE, I8, I64, Emitter
from eostheory.trajectories.program import COMPARISONS, LOGIC, Program
from eostheory.trajectories.run import SMALLEST_NORMAL, Status

ARGUMENTS = (
    "state", "parameters", "records", "status", "at", "begin", "before",
    "size", "step", "steps", "left", "block", "every", "look", "bound", "streaming",
    "tile", "tiles",
)  # fmt: skip
"""Pointers to rows of ``size`` values; then the number of trajectories, of steps taken and to
take, of steps to the next record, in the first block, between records, and between looks; the
bound; whether full tiles may be stored around the cache; first tile and the one after the last.
"""

POINTEES = (DOUBLE, DOUBLE, DOUBLE, I8, I64, I64, DOUBLE)

EVENT, BAD_START = support.EVENT, 1
"""Bits of what the kernel returns; after a bad start, it does not go on."""


class Shape(NamedTuple):
    """What a kernel is made for.

    Attributes:
        lanes: trajectories in a vector.
        chains: vectors whose steps are taken together.
        groups: of so many chains, in a tile.
        dense: 1 where a record follows each step, 2 where it follows a few, else 0.
        streaming: dense records are stored around the cache; their rows are aligned to vectors.
    """

    lanes: int
    chains: int
    groups: int
    dense: int = 0
    streaming: bool = False


class Kernel(Emitter):
    """Writes the function; methods follow the order of a tile's life."""

    def __init__(self, program: Program, shape: Shape, fma: bool, function: ir.Function) -> None:
        lanes, self.unrolled, self.groups = shape[:3]
        super().__init__(function, lanes, fma)
        self.program, self.n = program, len(program.state)
        self.chains = self.unrolled * self.groups
        # rows of long tiles would otherwise compete for the same lines of the cache
        self.stride = lanes * self.chains + (16 if self.groups > 1 else 0)
        self.arg = dict(zip(ARGUMENTS, function.args, strict=True))
        self.sweep = Sweep(self, shape.dense == 1, shape.streaming) if shape.dense else None
        self.constants = {i: self.reals(c) for i, c in program.constants.items()}
        # what the step and the observables need of the hoisted part
        first = range(self.n + len(program.parameters))
        defined = {*first[self.n :], *(i.target for i in program.hoisted)}
        used = {*program.next, *program.observations}
        for instruction in (*program.body, *program.observed):
            used.update(instruction.operands)
        self.kept = sorted(defined & used)
        self.truths = {i.target for i in program.hoisted if i.operation in COMPARISONS | LOGIC}

    def _place(self, room: ir.Value, row: int, chain: ir.Value | int, kind: ir.Type) -> ir.Value:
        if isinstance(chain, int):
            shift = ir.Constant(I64, row * self.stride + chain * self.lanes)
        else:
            shift = self.b.mul(chain, ir.Constant(I64, self.lanes))
            shift = self.b.add(shift, ir.Constant(I64, row * self.stride))
        return self.at(room, shift, kind)

    def load(
        self, room: ir.Value, rows: int, chain: ir.Value | int, kind: ir.Type | None = None
    ) -> list[ir.Value]:
        kind = kind or self.real
        return [
            self.b.load(self._place(room, row, chain, kind), align=8 * self.lanes)
            for row in range(rows)
        ]

    def _keep(self, values: dict[int, ir.Value], chain: ir.Value) -> None:
        """Store what was hoisted; a truth value is a double that is not zero."""
        one, zero = self.reals(1.0), self.reals(0.0)
        kept = [
            self.b.select(values[i], one, zero) if i in self.truths else values[i]
            for i in self.kept
        ]
        self.store(kept, self.hoisted, chain)

    def store(self, values: Sequence[ir.Value], room: ir.Value, chain: ir.Value | int) -> None:
        for row, value in enumerate(values):
            place = self._place(room, row, chain, value.type)
            self.b.store(value, place, align=8 * self.lanes)

    def given(self, chain: ir.Value | int) -> dict[int, ir.Value]:
        """Constants, and what was hoisted for a chain."""
        return self.known(self.load(self.hoisted, len(self.kept), chain))

    def known(self, hoisted: Sequence[ir.Value]) -> dict[int, ir.Value]:
        """Constants, and what was hoisted, from its rows."""
        return self.constants | self.recall(self.kept, hoisted, self.truths)

    def support(self, name: str, **given: ir.Value | int) -> ir.Value:
        """Call what is compiled once for all programs."""
        known = self.arg | self.tile | given
        arguments = support.FUNCTIONS[name]
        function = self.module.globals.get(name)
        if function is None:
            function = ir.Function(self.module, support.signature(arguments), name)
        values = [known[a] for a in arguments]
        return self.b.call(
            function, [ir.Constant(I64, v) if isinstance(v, int) else v for v in values]
        )

    def room(self, rows: int, kind: ir.Type = DOUBLE) -> ir.Value:
        """Rows of one value per trajectory of a tile."""
        return self.scratch(kind, rows * self.stride)

    def write(self) -> None:
        b, a, program, n = self.b, self.arg, self.program, self.n
        width = self.lanes * self.chains

        self.rooms = [self.room(n), self.room(n)]
        self.previous, self.observed = self.room(n), self.room(len(program.observables))
        self.parameters = self.room(len(program.parameters))
        self.hoisted = self.room(len(self.kept))
        self.codes = self.room(1, I64)
        if self.sweep:
            self.sweep.make_rooms()
        self.happened = b.alloca(self.int)
        self.summary, self.bits = b.alloca(I64), b.alloca(I64)
        b.store(ir.Constant(I64, 0), self.bits)
        self.bound = self.splat(a["bound"])
        self.failed = b.append_basic_block("failed")
        count = b.sub(a["tiles"], a["tile"])
        with self.loop(count) as index:
            self.offset = b.mul(b.add(index, a["tile"]), ir.Constant(I64, width))
            self.count = self.min(b.sub(a["size"], self.offset), ir.Constant(I64, width))
            self.tile = {
                "codes": self.codes, "offset": self.offset, "count": self.count,
                "lanes": width, "stride": self.stride,
            }  # fmt: skip
            self._begin()
            self._blocks()
        if self.sweep:
            b.fence("seq_cst")  # what went around the cache is seen by other threads
        b.ret(b.load(self.bits))
        b.position_at_end(self.failed)
        b.ret(ir.Constant(I64, BAD_START))

    def _begin(self) -> None:
        b, a, program = self.b, self.arg, self.program
        infinity = ir.Constant(DOUBLE, float("inf"))
        rows = len(program.parameters)
        b.store(self.support("eostheory_status"), self.summary)
        bad = self.support("eostheory_gather", source=a["state"], room=self.rooms[0], rows=self.n)
        worse = self.support(
            "eostheory_gather", source=a["parameters"], room=self.parameters, rows=rows,
            bound=infinity,
        )  # fmt: skip
        fine = b.append_basic_block("fine")
        wrong = b.icmp_signed("!=", b.or_(bad, worse), ir.Constant(I64, 0))
        b.cbranch(wrong, self.failed, fine)
        b.position_at_end(fine)
        with self.loop(self.chains) as chain:
            loaded = self.load(self.parameters, rows, chain)
            values = self.constants | dict(enumerate(loaded, start=self.n))
            self.run(program.hoisted, values)
            self._keep(values, chain)

    def _blocks(self) -> None:
        """All steps of a tile."""
        b, a, zero = self.b, self.arg, ir.Constant(I64, 0)
        names = ("header", "live", "after", "record", "next", "end")
        header, live, after, record, following, end = (b.append_basic_block(x) for x in names)
        came_from = b.block
        b.branch(header)

        b.position_at_end(header)
        kinds = [self.rooms[0].type] * 2 + [I64] * 5
        phis = [b.phi(kind) for kind in kinds]
        now, other, self.total, left, self.steps, place, wait = phis
        first = [*self.rooms, a["steps"], a["left"], a["block"], zero, ir.Constant(I64, 1)]
        for phi, value in zip(phis, first, strict=True):
            phi.add_incoming(value, came_from)
        dead = b.and_(b.load(self.summary), ir.Constant(I64, support.DEAD))
        b.cbranch(b.icmp_signed("!=", dead, zero), after, live)

        b.position_at_end(live)
        begin, swept = now, zero
        if self.sweep:
            begin, swept = self._swept(phis, header)
        eventful = self._last_step(now, other, self._steps(begin))
        if self.sweep:
            # again from where the sweep began, but slowly
            again, fine = b.append_basic_block("again"), b.append_basic_block("fine")
            tried = b.icmp_signed("!=", swept, zero)
            b.cbranch(b.and_(eventful, tried), again, fine)
            b.position_at_end(again)
            slowly = b.add(swept, ir.Constant(I64, 1))
            for phi, value in zip(phis, [*phis[:-1], slowly], strict=True):
                phi.add_incoming(value, again)
            b.branch(header)
            b.position_at_end(fine)
        with b.if_then(eventful, likely=False):
            self._note(now, other)
        lived = b.block
        b.branch(after)

        b.position_at_end(after)
        new, old, passed = b.phi(now.type), b.phi(now.type), b.phi(I64)
        for phi, if_dead, if_live in (
            (new, now, other), (old, other, now), (passed, zero, swept),
        ):  # fmt: skip
            phi.add_incoming(if_dead, header)
            phi.add_incoming(if_live, lived)
        total = b.sub(b.sub(self.total, self.steps), b.mul(passed, a["every"]))
        fewer = b.sub(left, self.steps)
        rows = ir.Constant(I64, len(self.program.observables))
        here = b.add(place, b.mul(b.mul(a["size"], rows), passed))
        b.cbranch(b.icmp_signed("==", fewer, zero), record, following)

        b.position_at_end(record)
        self._record(new, here)
        further = b.add(here, b.mul(a["size"], rows))
        recorded = b.block
        b.branch(following)

        b.position_at_end(following)
        new_left, new_place = b.phi(I64), b.phi(I64)
        for phi, value, next_value in ((new_left, fewer, a["every"]), (new_place, here, further)):
            phi.add_incoming(value, after)
            phi.add_incoming(next_value, recorded)
        steps = self.min(self.min(new_left, total), a["look"])
        waited = b.sub(wait, ir.Constant(I64, 1))
        following_phis = [new, old, total, new_left, steps, new_place, waited]
        for phi, value in zip(phis, following_phis, strict=True):
            phi.add_incoming(value, following)
        b.cbranch(b.icmp_signed(">", total, zero), header, end)

        b.position_at_end(end)
        self.support("eostheory_scatter", room=new, goal=a["state"], rows=self.n, streaming=0)

    def _swept(self, phis: list[ir.Value], header: ir.Block) -> tuple[ir.Value, ir.Value]:
        """Try a sweep; the room of the state after it, and how many records it took, maybe 0.

        A sweep that met an event goes back to the header, to be taken again with looks.
        """
        b, zero = self.b, ir.Constant(I64, 0)
        assert self.sweep is not None
        now, _, total, left, _, place, wait = phis
        names = ("try", "failed", "plain")
        attempt, failed, plain = (b.append_basic_block(x) for x in names)
        skipped = b.block
        b.cbranch(self.sweep.wanted(left, total, wait), attempt, plain)
        b.position_at_end(attempt)
        count, found = self.sweep.write(now, place, total)
        succeeded = b.block
        b.cbranch(found, failed, plain)
        b.position_at_end(failed)
        for phi, value in zip(phis, [*phis[:-1], count], strict=True):
            phi.add_incoming(value, failed)
        b.branch(header)
        b.position_at_end(plain)
        begin, swept = b.phi(now.type), b.phi(I64)
        for phi, value, after in ((begin, now, self.previous), (swept, zero, count)):
            phi.add_incoming(value, skipped)
            phi.add_incoming(after, succeeded)
        return begin, swept

    def _steps(self, now: ir.Value) -> ir.Value:
        """All steps of a block but the last; returns the room of the state before that."""
        b, one, zero = self.b, ir.Constant(I64, 1), ir.Constant(I64, 0)
        several, done = b.append_basic_block("several"), b.append_basic_block("done")
        before, repeats = b.block, b.sub(self.steps, one)
        b.cbranch(b.icmp_signed(">", repeats, zero), several, done)
        b.position_at_end(several)
        with self.loop(self.groups) as group:
            self._group_of_steps(now, group, repeats)
        stored = b.block
        b.branch(done)
        b.position_at_end(done)
        room = b.phi(now.type)
        room.add_incoming(now, before)
        room.add_incoming(self.previous, stored)
        self.before_last = room
        return room

    def _group_of_steps(self, now: ir.Value, group: ir.Value, repeats: ir.Value) -> None:
        """The inner loop: steps from ``now`` to the room of previous states."""
        b, zero = self.b, ir.Constant(I64, 0)
        first = b.mul(group, ir.Constant(I64, self.unrolled))
        chains = [b.add(first, ir.Constant(I64, c)) for c in range(self.unrolled)]
        begin = [self.load(now, self.n, chain) for chain in chains]
        given = [self.given(chain) for chain in chains]
        before, loop, done = b.block, b.append_basic_block("loop"), b.append_basic_block("left")
        b.branch(loop)
        b.position_at_end(loop)
        to_go = b.phi(I64)
        to_go.add_incoming(repeats, before)
        states = [[b.phi(self.real) for _ in range(self.n)] for _ in chains]
        results = []
        # Chain after chain: what is slow in one hides behind the rest.
        for start, hoisted, state in zip(begin, given, states, strict=True):
            values = hoisted | dict(enumerate(state))
            self.run(self.program.body, values)
            results.append([values[i] for i in self.program.next])
            for phi, value, new in zip(state, start, results[-1], strict=True):
                phi.add_incoming(value, before)
                phi.add_incoming(new, loop)
        fewer = b.sub(to_go, ir.Constant(I64, 1))
        to_go.add_incoming(fewer, loop)
        b.cbranch(b.icmp_signed(">", fewer, zero), loop, done)
        b.position_at_end(done)
        for chain, result in zip(chains, results, strict=True):
            self.store(result, self.previous, chain)

    def _last_step(self, now: ir.Value, other: ir.Value, room: ir.Value) -> ir.Value:
        """One step from ``room`` to ``other``; whether anything happened since ``now``."""
        b, tiny = self.b, self.reals(SMALLEST_NORMAL)
        happened = self.happened
        b.store(self.ints(0), happened)
        with self.loop(self.chains) as chain:
            before, begin = self.load(room, self.n, chain), self.load(now, self.n, chain)
            (code,) = self.load(self.codes, 1, chain, self.int)
            values = self.given(chain) | dict(enumerate(before))
            self.run(self.program.body, values)
            new = [values[i] for i in self.program.next]
            inside, same, large = [], [], []
            for x, old, start in zip(new, before, begin, strict=True):
                size = self.size(x)
                inside.append(b.fcmp_ordered("<", size, self.bound))
                same.append(b.icmp_signed("==", *(b.bitcast(y, self.int) for y in (x, old))))
                unchanged = b.fcmp_ordered("==", x, start)
                large.append(b.or_(b.fcmp_ordered(">=", size, tiny), unchanged))
            moving = b.and_(reduce(b.and_, inside), b.not_(reduce(b.and_, same)))
            alive = b.icmp_signed("<", code, self.ints(Status.FIXED_POINT))
            known = b.icmp_signed(">=", code, self.ints(Status.UNDERFLOW))
            usual = b.and_(moving, b.or_(reduce(b.and_, large), known))
            fresh = b.sext(b.and_(alive, b.not_(usual)), self.int)
            b.store(b.or_(b.load(happened), fresh), happened)
            kept = [b.select(alive, x, start) for x, start in zip(new, begin, strict=True)]
            self.store(kept, other, chain)
        return self.any(b.icmp_signed("!=", b.load(happened), self.ints(0)))

    def _note(self, now: ir.Value, new: ir.Value) -> None:
        """Status of the lanes to which something happened."""
        b, a = self.b, self.arg
        first = b.sub(b.add(a["step"], a["steps"]), self.total)
        bits = self.support(
            "eostheory_note", old=now, before_last=self.before_last, new=new, rows=self.n,
            first=first, last=b.add(first, self.steps),
        )  # fmt: skip
        b.store(bits, self.summary)
        event = b.and_(bits, ir.Constant(I64, EVENT))
        b.store(b.or_(b.load(self.bits), event), self.bits)

    def _record(self, state: ir.Value, place: ir.Value) -> None:
        """Store the observables of a state, row after row."""
        b, program, nan = self.b, self.program, self.reals(float("nan"))
        with self.loop(self.chains) as chain:
            loaded = self.load(state, self.n, chain)
            (code,) = self.load(self.codes, 1, chain, self.int)
            values = self.given(chain) | dict(enumerate(loaded))
            self.run(program.observed, values)
            over = b.icmp_signed("==", code, self.ints(Status.DIVERGED))
            shown = [b.select(over, nan, values[i]) for i in program.observations]
            self.store(shown, self.observed, chain)
        self.support(
            "eostheory_scatter",
            room=self.observed,
            goal=self.at(self.arg["records"], place),
            rows=len(program.observables),
        )
