"""The program as LLVM IR: a loop that carries several trajectories as the lanes of one vector.

For each tile of W trajectories::

    gather state, parameters, status; hoisted part
    for each block of steps, which ends at a record, at a look in between, or at the last step:
        steps of the block
        look: did any lane diverge, stand still or underflow?   (rarely: note it, freeze the lane)
        at a record: observables, store
    scatter state and status

The last step of a block stands apart from the loop over the others, so that only there the
state before the step is kept for comparison.  A lane that ended goes on being computed and is
thrown away, until all lanes of the tile have ended; so no lane depends on its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from llvmlite import ir

from eostheory.trajectories.emitter import DOUBLE, I1, I8, I32, I64, Emitter
from eostheory.trajectories.program import Program
from eostheory.trajectories.run import SMALLEST_NORMAL, Status

ARGUMENTS = (
    "state", "parameters", "records", "status", "at", "begin", "before",
    "lanes", "step", "steps", "left", "block", "every", "look", "bound", "streaming", "tile", "tiles",
)  # fmt: skip
"""Pointers to rows of ``lanes`` values; then the number of trajectories, of steps taken and to
take, of steps to the next record, in the first block, between records, and between looks; the
bound; whether full tiles may be stored around the cache; first tile and the one after the last.
"""

_POINTEES = (DOUBLE, DOUBLE, DOUBLE, I8, I64, I64, DOUBLE)

QUIET, EVENT, BAD_START = 0, 1, 2
"""Bits of what the kernel returns."""


def assembly(program: Program, lanes: int, fma: bool) -> str:
    """The module of a program, for ``lanes`` trajectories at a time."""
    module = ir.Module("trajectories")
    types = [t.as_pointer() for t in _POINTEES] + [I64] * 7 + [DOUBLE] + [I64] * 3
    function = ir.Function(module, ir.FunctionType(I64, types), "run")
    for argument in function.args[:7]:
        argument.add_attribute("noalias")
    _Kernel(program, lanes, fma, function).write()
    return str(module)


class _Kernel(Emitter):
    """Writes the function; methods follow the order of a tile's life."""

    def __init__(self, program: Program, lanes: int, fma: bool, function: ir.Function) -> None:
        super().__init__(function, lanes, fma)
        self.program, self.n = program, len(program.state)
        self.arg = dict(zip(ARGUMENTS, function.args, strict=True))

    def write(self) -> None:
        b, a = self.b, self.arg
        program, n, zero = self.program, self.n, ir.Constant(I64, 0)
        rows = max(n, len(program.parameters), len(program.observables))
        self.room = self.scratch(DOUBLE, rows, "room")
        self.codes = self.scratch(I64, 1, "codes")
        self.marks = self.scratch(I64, 1, "marks")
        self.flag = b.alloca(I64, name="flag")
        b.store(zero, self.flag)
        self.constants = {i: self.reals(c) for i, c in program.constants.items()}
        self.bound = self.splat(a["bound"])
        names = ("tile", "header", "first", "loop", "last", "look", "after", "record", "next",
                 "end", "following", "return")  # fmt: skip
        self.blocks = {name: b.append_basic_block(name) for name in names}
        at = self.blocks
        entry = b.block
        b.cbranch(b.icmp_signed("<", a["tile"], a["tiles"]), at["tile"], at["return"])

        b.position_at_end(at["tile"])
        tile = b.phi(I64)
        tile.add_incoming(a["tile"], entry)
        self.offset = b.mul(tile, ir.Constant(I64, self.lanes))
        room_left = b.sub(a["lanes"], self.offset)
        self.count = self.min(room_left, ir.Constant(I64, self.lanes))
        self._tile()

        b.position_at_end(at["following"])
        tile_after = b.add(tile, ir.Constant(I64, 1))
        tile.add_incoming(tile_after, at["following"])
        b.cbranch(b.icmp_signed("<", tile_after, a["tiles"]), at["tile"], at["return"])
        b.position_at_end(at["return"])
        b.ret(b.load(self.flag))

    def _gather(self, source: ir.Value, rows: int) -> list[ir.Value]:
        """Rows of the tile's lanes; lanes beyond the last trajectory repeat it."""
        b, last = self.b, self.b.sub(self.count, ir.Constant(I64, 1))
        if not rows:
            return []
        with self.loop(rows) as row:
            begin = b.add(b.mul(row, self.arg["lanes"]), self.offset)
            goal = b.mul(row, ir.Constant(I64, self.lanes))
            with self.loop(self.lanes) as j:
                value = b.load(self.at(source, b.add(begin, self.min(j, last))))
                b.store(value, self.at(self.room, b.add(goal, j)))
        return [self.load_row(self.room, i, self.real) for i in range(rows)]

    def _scatter(self, values: Sequence[ir.Value], goal: ir.Value, marked: bool) -> None:
        """Rows of the tile's lanes to where they belong: all lanes, or the marked ones."""
        b = self.b
        for i, value in enumerate(values):
            self.store_row(value, self.room, i)
        with self.loop(self.count) as j:
            wanted = ir.Constant(I1, 1)
            if marked:
                wanted = b.icmp_signed("!=", b.load(self.at(self.marks, j)), ir.Constant(I64, 0))
            with b.if_then(wanted), self.loop(len(values)) as row:
                source = b.add(b.mul(row, ir.Constant(I64, self.lanes)), j)
                place = b.add(b.add(b.mul(row, self.arg["lanes"]), self.offset), j)
                b.store(b.load(self.at(self.room, source)), self.at(goal, place))

    def _raise_flag(self, bit: int) -> None:
        self.b.store(self.b.or_(self.b.load(self.flag), ir.Constant(I64, bit)), self.flag)

    def _tile(self) -> None:
        b, a, at, program = self.b, self.arg, self.blocks, self.program
        state = self._gather(a["state"], self.n)
        parameters = self._gather(a["parameters"], len(program.parameters))
        last = b.sub(self.count, ir.Constant(I64, 1))
        with self.loop(self.lanes) as j:
            place = b.add(self.offset, self.min(j, last))
            b.store(b.zext(b.load(self.at(a["status"], place)), I64), self.at(self.codes, j))
        codes = self.load_row(self.codes, 0, self.int)
        alive = b.icmp_signed("<", codes, self.ints(Status.FIXED_POINT))
        good = [b.fcmp_ordered("<", self.size(x), self.bound) for x in state]
        good += [b.fcmp_ordered("<", self.size(x), self.reals(float("inf"))) for x in parameters]
        bad = self.any(b.and_(alive, b.not_(reduce(b.and_, good))))
        with b.if_then(bad, likely=False):
            self._raise_flag(BAD_START)
        begin_steps = b.not_(b.or_(bad, b.icmp_signed("==", a["steps"], ir.Constant(I64, 0))))
        self.given = self.constants | dict(enumerate(parameters, start=self.n))
        self.run(program.hoisted, self.given)
        quiet = self.all(b.icmp_signed("==", codes, self.ints(Status.RUNNING)))
        dead = self.all(b.not_(alive))
        came_from = b.block
        b.cbranch(begin_steps, at["header"], at["following"])

        b.position_at_end(at["header"])
        self.s = [b.phi(self.real) for _ in state]
        self.total, self.left, self.steps, self.place = (b.phi(I64) for _ in range(4))
        self.quiet, self.dead = b.phi(I1), b.phi(I1)
        first = [*state, a["steps"], a["left"], a["block"], ir.Constant(I64, 0), quiet, dead]
        phis = [*self.s, self.total, self.left, self.steps, self.place, self.quiet, self.dead]
        for phi, value in zip(phis, first, strict=True):
            phi.add_incoming(value, came_from)
        b.cbranch(self.dead, at["after"], at["first"])
        self._block_of_steps()
        looked = self._look()
        self._after(looked, phis)

    def _step(self, state: Sequence[ir.Value]) -> list[ir.Value]:
        values = self.given | dict(enumerate(state))
        self.run(self.program.body, values)
        return self.results(self.program.next, values)

    def _block_of_steps(self) -> None:
        b, at, one = self.b, self.blocks, ir.Constant(I64, 1)
        b.position_at_end(at["first"])
        before_last = b.sub(self.steps, one)
        b.cbranch(b.icmp_signed(">", before_last, ir.Constant(I64, 0)), at["loop"], at["last"])

        b.position_at_end(at["loop"])
        to_go = b.phi(I64)
        now = [b.phi(self.real) for _ in self.s]
        new = self._step(now)
        fewer = b.sub(to_go, one)
        b.cbranch(b.icmp_signed(">", fewer, ir.Constant(I64, 0)), at["loop"], at["last"])
        for phi, begin, following in zip(
            [to_go, *now], [before_last, *self.s], [fewer, *new], strict=True
        ):
            phi.add_incoming(begin, at["first"])
            phi.add_incoming(following, at["loop"])

        b.position_at_end(at["last"])
        self.previous = [b.phi(self.real) for _ in self.s]
        for phi, begin, following in zip(self.previous, self.s, new, strict=True):
            phi.add_incoming(begin, at["first"])
            phi.add_incoming(following, at["loop"])
        self.new = self._step(self.previous)

    def _look(self) -> list[tuple[list[ir.Value], ir.Value, ir.Value, ir.Block]]:
        """Did anything happen?  Returns state, quiet, dead and block of the ways on."""
        b, at = self.b, self.blocks
        sizes = [self.size(x) for x in self.new]
        tiny = self.reals(SMALLEST_NORMAL)
        inside = reduce(b.and_, [b.fcmp_ordered("<", x, self.bound) for x in sizes])
        normal = reduce(b.and_, [b.fcmp_ordered(">=", x, tiny) for x in sizes])
        same = reduce(
            b.and_,
            [
                b.icmp_signed("==", b.bitcast(x, self.int), b.bitcast(y, self.int))
                for x, y in zip(self.new, self.previous, strict=True)
            ],
        )
        usual = b.and_(b.and_(inside, normal), b.not_(same))
        came_from = b.block
        still_quiet = b.and_(self.quiet, self.all(usual))
        b.cbranch(still_quiet, at["after"], at["look"])

        b.position_at_end(at["look"])
        lost = reduce(b.or_, [self._lost(x, y) for x, y in zip(self.s, self.new, strict=True)])
        event = b.select(lost, self.ints(Status.UNDERFLOW), self.ints(Status.RUNNING))
        event = b.select(same, self.ints(Status.FIXED_POINT), event)
        event = b.select(inside, event, self.ints(Status.DIVERGED))
        codes = self.load_row(self.codes, 0, self.int)
        alive = b.icmp_signed("<", codes, self.ints(Status.FIXED_POINT))
        more = b.and_(alive, b.icmp_signed(">", event, codes))
        following = b.select(more, event, codes)
        kept = [b.select(alive, x, s) for x, s in zip(self.new, self.s, strict=True)]
        with b.if_then(self.any(more), likely=False):
            self.store_row(following, self.codes, 0)
            marks = b.zext(more, self.int)
            self.store_row(marks, self.marks, 0)
            self._note()
        quiet = self.all(b.icmp_signed("==", following, self.ints(Status.RUNNING)))
        dead = self.all(b.icmp_signed(">=", following, self.ints(Status.FIXED_POINT)))
        slow = b.block
        b.branch(at["after"])
        yes, no = ir.Constant(I1, 1), ir.Constant(I1, 0)
        return [
            (self.s, self.quiet, self.dead, at["header"]),
            (self.new, yes, no, came_from),
            (kept, quiet, dead, slow),
        ]

    def _lost(self, old: ir.Value, new: ir.Value) -> ir.Value:
        b, zero = self.b, self.reals(0.0)
        something = b.or_(b.fcmp_unordered("!=", new, zero), b.fcmp_unordered("!=", old, zero))
        return b.and_(b.fcmp_ordered("<", self.size(new), self.reals(SMALLEST_NORMAL)), something)

    def _note(self) -> None:
        """Status of the marked lanes, and where their block began, for the caller to replay."""
        b, a = self.b, self.arg
        self._raise_flag(EVENT)
        begin = b.sub(b.add(a["step"], a["steps"]), self.total)
        end = b.add(begin, self.steps)
        with self.loop(self.count) as j:
            place = b.add(self.offset, j)
            marked = b.icmp_signed("!=", b.load(self.at(self.marks, j)), ir.Constant(I64, 0))
            with b.if_then(marked):
                code = b.trunc(b.load(self.at(self.codes, j)), I8)
                b.store(code, self.at(a["status"], place))
                b.store(end, self.at(a["at"], place))
                b.store(begin, self.at(a["begin"], place))
        self._scatter(self.s, a["before"], marked=True)

    def _after(
        self,
        ways: list[tuple[list[ir.Value], ir.Value, ir.Value, ir.Block]],
        phis: list[ir.PhiInstr],
    ) -> None:
        b, a, at, zero = self.b, self.arg, self.blocks, ir.Constant(I64, 0)
        b.position_at_end(at["after"])
        state, quiet, dead = [b.phi(self.real) for _ in self.s], b.phi(I1), b.phi(I1)
        for new, is_quiet, is_dead, block in ways:
            for phi, value in zip([*state, quiet, dead], [*new, is_quiet, is_dead], strict=True):
                phi.add_incoming(value, block)
        total = b.sub(self.total, self.steps)
        left = b.sub(self.left, self.steps)
        b.cbranch(b.icmp_signed("==", left, zero), at["record"], at["next"])

        b.position_at_end(at["record"])
        place_after = self._record(state, quiet)
        recorded = b.block
        b.branch(at["next"])

        b.position_at_end(at["next"])
        new_left, new_place = b.phi(I64), b.phi(I64)
        new_left.add_incoming(left, at["after"])
        new_left.add_incoming(a["every"], recorded)
        new_place.add_incoming(self.place, at["after"])
        new_place.add_incoming(place_after, recorded)
        steps = self.min(self.min(new_left, total), a["look"])
        again = [*state, total, new_left, steps, new_place, quiet, dead]
        for phi, value in zip(phis, again, strict=True):
            phi.add_incoming(value, at["next"])
        b.cbranch(b.icmp_signed(">", total, zero), at["header"], at["end"])

        b.position_at_end(at["end"])
        self._scatter(state, a["state"], marked=False)
        b.branch(at["following"])

    def _record(self, state: list[ir.Value], quiet: ir.Value) -> ir.Value:
        """Store the observables of a state; returns the place of the next record."""
        b, a = self.b, self.arg
        values = self.given | dict(enumerate(state))
        self.run(self.program.observed, values)
        observed = self.results(self.program.observations, values)
        plain = b.block
        blank, store, ready = (b.append_basic_block(n) for n in ("blank", "store", "stored"))
        b.cbranch(quiet, store, blank)
        b.position_at_end(blank)
        over = b.icmp_signed(
            "==", self.load_row(self.codes, 0, self.int), self.ints(Status.DIVERGED)
        )
        blanked = [b.select(over, self.reals(float("nan")), x) for x in observed]
        b.branch(store)
        b.position_at_end(store)
        shown = []
        for x, y in zip(observed, blanked, strict=True):
            phi = b.phi(self.real)
            phi.add_incoming(x, plain)
            phi.add_incoming(y, blank)
            shown.append(phi)
        goals = [b.add(self.place, b.mul(a["lanes"], ir.Constant(I64, i)))
                 for i in range(len(shown) + 1)]  # fmt: skip
        whole, part = b.append_basic_block("whole"), b.append_basic_block("part")
        b.cbranch(b.icmp_signed("==", self.count, ir.Constant(I64, self.lanes)), whole, part)
        b.position_at_end(part)
        self._scatter(shown, self.at(a["records"], self.place), marked=False)
        b.branch(ready)
        b.position_at_end(whole)
        places = [self.at(a["records"], b.add(g, self.offset), self.real) for g in goals[:-1]]
        if self.lanes > 1:
            around, through = b.append_basic_block("around"), b.append_basic_block("through")
            b.cbranch(b.icmp_signed("!=", a["streaming"], ir.Constant(I64, 0)), around, through)
            b.position_at_end(around)
            once = self.module.add_metadata([ir.Constant(I32, 1)])
            for x, place in zip(shown, places, strict=True):
                b.store(x, place, align=64).set_metadata("nontemporal", once)
            b.branch(ready)
            b.position_at_end(through)
        for x, place in zip(shown, places, strict=True):
            b.store(x, place, align=8)
        b.branch(ready)
        b.position_at_end(ready)
        return goals[-1]
