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

from llvmlite import ir  # type: ignore[import-untyped]

from eostheory.trajectories import support
from eostheory.trajectories.emitter import DOUBLE, I1, I8, I32, I64, Emitter
from eostheory.trajectories.program import Instruction, Program
from eostheory.trajectories.run import SMALLEST_NORMAL, Status

ARGUMENTS = (
    "state", "parameters", "records", "status", "at", "begin", "before",
    "lanes", "step", "steps", "left", "block", "every", "look", "bound", "streaming",
    "tile", "tiles",
)  # fmt: skip
"""Pointers to rows of ``lanes`` values; then the number of trajectories, of steps taken and to
take, of steps to the next record, in the first block, between records, and between looks; the
bound; whether full tiles may be stored around the cache; first tile and the one after the last.
"""

_POINTEES = (DOUBLE, DOUBLE, DOUBLE, I8, I64, I64, DOUBLE)

EVENT, BAD_START = support.EVENT, 1
"""Bits of what the kernel returns; after a bad start, it does not go on."""


def assembly(program: Program, lanes: int, chains: int, fma: bool) -> str:
    """The module of a program, for ``chains`` vectors of ``lanes`` trajectories at a time."""
    module = ir.Module("trajectories")
    types = [t.as_pointer() for t in _POINTEES] + [I64] * 7 + [DOUBLE] + [I64] * 3
    function = ir.Function(module, ir.FunctionType(I64, types), "run")
    for argument in function.args[:7]:
        argument.add_attribute("noalias")
    _Kernel(program, lanes, chains, fma, function).write()
    return str(module)


class _Kernel(Emitter):
    """Writes the function; methods follow the order of a tile's life."""

    def __init__(
        self, program: Program, lanes: int, chains: int, fma: bool, function: ir.Function
    ) -> None:
        super().__init__(function, lanes, chains, fma)
        self.width = ir.Constant(I64, lanes * chains)
        self.program, self.n = program, len(program.state)
        self.arg = dict(zip(ARGUMENTS, function.args, strict=True))

    def write(self) -> None:
        b, a = self.b, self.arg
        program, n, zero = self.program, self.n, ir.Constant(I64, 0)
        rows = max(n, len(program.parameters), len(program.observables))
        self.room = self.scratch(DOUBLE, rows, "room")
        self.rooms = [self.scratch(DOUBLE, n, name) for name in ("old", "before", "new")]
        self.codes = self.scratch(I64, 1, "codes")
        self.summary, self.events, self.bad = (
            b.alloca(I64, name=name) for name in ("summary", "events", "bad")
        )
        b.store(zero, self.events)
        b.store(zero, self.bad)
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
        self.offset = b.mul(tile, self.width)
        room_left = b.sub(a["lanes"], self.offset)
        self.count = self.min(room_left, self.width)
        self.tile = {
            "room": self.room,
            "codes": self.codes,
            "size": a["lanes"],
            "offset": self.offset,
            "count": self.count,
            "lanes": self.width,
        }
        self._tile()

        b.position_at_end(at["following"])
        tile_after = b.add(tile, ir.Constant(I64, 1))
        tile.add_incoming(tile_after, at["following"])
        b.cbranch(b.icmp_signed("<", tile_after, a["tiles"]), at["tile"], at["return"])
        b.position_at_end(at["return"])
        happened = b.and_(b.load(self.events), ir.Constant(I64, EVENT))
        b.ret(b.or_(happened, b.load(self.bad)))

    def _support(self, name: str, arguments: tuple[str, ...], **given: ir.Value) -> ir.Value:
        """Call what is compiled once for all programs."""
        known = self.arg | self.tile | given
        function = self.module.globals.get(name)
        if function is None:
            function = ir.Function(self.module, support.signature(arguments), name)
        return self.b.call(function, [known[a] for a in arguments])

    def _gather(self, source: ir.Value, rows: int, bound: ir.Value) -> list[ir.Value]:
        """Rows of the tile's lanes."""
        if not rows:
            return []
        count = ir.Constant(I64, rows)
        bad = self._support(
            "eostheory_gather", support.GATHER, source=source, rows=count, bound=bound
        )
        self.b.store(self.b.or_(self.b.load(self.bad), bad), self.bad)
        return self.load_rows(self.room, rows, self.real)

    def _scatter(self, values: Sequence[ir.Value], goal: ir.Value) -> None:
        """Rows of the tile's lanes to where they belong."""
        self.store_rows(values, self.room)
        rows = ir.Constant(I64, len(values) // self.chains)
        self._support("eostheory_scatter", support.SCATTER, goal=goal, rows=rows)

    def _tile(self) -> None:
        b, a, at, program, zero = self.b, self.arg, self.blocks, self.program, ir.Constant(I64, 0)
        b.store(self._support("eostheory_status", support.STATUS), self.summary)
        state = self._gather(a["state"], self.n, a["bound"])
        infinity = ir.Constant(DOUBLE, float("inf"))
        parameters = self._gather(a["parameters"], len(program.parameters), infinity)
        self.given = []
        for chain in self.by_chain(parameters):
            values = self.constants | dict(enumerate(chain, start=self.n))
            self.run(program.hoisted, values)
            self.given.append(values)
        came_from = b.block
        b.cbranch(b.icmp_signed("!=", b.load(self.bad), zero), at["return"], at["header"])

        b.position_at_end(at["header"])
        self.s = [b.phi(self.real) for _ in state]
        self.total, self.left, self.steps, self.place = (b.phi(I64) for _ in range(4))
        first = [*state, a["steps"], a["left"], a["block"], zero]
        phis = [*self.s, self.total, self.left, self.steps, self.place]
        for phi, value in zip(phis, first, strict=True):
            phi.add_incoming(value, came_from)
        b.cbranch(self._says(support.DEAD), at["after"], at["first"])
        self._block_of_steps()
        self._after(self._look(), phis)

    def _says(self, bit: int) -> ir.Value:
        """Whether the summary of the lanes has this bit."""
        b = self.b
        bits = b.and_(b.load(self.summary), ir.Constant(I64, bit))
        return b.icmp_signed("!=", bits, ir.Constant(I64, 0))

    def _step(self, state: Sequence[ir.Value]) -> list[ir.Value]:
        return self._each(self.program.body, self.program.next, state)

    def _each(
        self, code: Sequence[Instruction], wanted: Sequence[int], state: Sequence[ir.Value]
    ) -> list[ir.Value]:
        """A section chain after chain, so that a slow operation of one hides behind the rest."""
        results = []
        for given, chain in zip(self.given, self.by_chain(state), strict=True):
            values = given | dict(enumerate(chain))
            self.run(code, values)
            results += [values[i] for i in wanted]
        return results

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

    def _look(self) -> list[tuple[list[ir.Value], ir.Block]]:
        """Did anything happen?  Returns the state and block of each way on."""
        b, at = self.b, self.blocks
        tiny = self.reals(SMALLEST_NORMAL)
        moving, normal = [], []  # masks of each chain
        for chain in zip(*map(self.by_chain, (self.s, self.previous, self.new)), strict=True):
            inside, same, large = [], [], []
            for old, before, new in zip(*chain, strict=True):
                size = self.size(new)
                inside.append(b.fcmp_ordered("<", size, self.bound))
                same.append(b.icmp_signed("==", *(b.bitcast(x, self.int) for x in (before, new))))
                unchanged = b.fcmp_ordered("==", new, old)
                large.append(b.or_(b.fcmp_ordered(">=", size, tiny), unchanged))
            moving.append(b.and_(reduce(b.and_, inside), b.not_(reduce(b.and_, same))))
            normal.append(reduce(b.and_, large))
        eventful = self.any(b.not_(reduce(b.and_, moving + normal)))
        came_from = b.block
        usual = b.and_(self._says(support.QUIET), b.not_(eventful))
        b.cbranch(usual, at["after"], at["look"])

        b.position_at_end(at["look"])
        fresh, kept = [], []
        for code, s, new, moves, large in zip(
            self.load_rows(self.codes, 1, self.int),
            self.by_chain(self.s),
            self.by_chain(self.new),
            moving,
            normal,
            strict=True,
        ):
            alive = b.icmp_signed("<", code, self.ints(Status.FIXED_POINT))
            known = b.icmp_signed(">=", code, self.ints(Status.UNDERFLOW))
            kept += [b.select(alive, x, old) for x, old in zip(new, s, strict=True)]
            fresh.append(b.and_(alive, b.not_(b.and_(moves, b.or_(large, known)))))
        with b.if_then(self.any(reduce(b.or_, fresh)), likely=False):
            self._note()
        slow = b.block
        b.branch(at["after"])
        return [(self.s, at["header"]), (self.new, came_from), (kept, slow)]

    def _note(self) -> None:
        """Status of the lanes to which something happened."""
        b, a = self.b, self.arg
        rooms = dict(zip(("old", "before_last", "new"), self.rooms, strict=True))
        for room, values in zip(self.rooms, (self.s, self.previous, self.new), strict=True):
            self.store_rows(values, room)
        first = b.sub(b.add(a["step"], a["steps"]), self.total)
        bits = self._support(
            "eostheory_note",
            support.NOTE,
            **rooms,
            rows=ir.Constant(I64, self.n),
            first=first,
            last=b.add(first, self.steps),
        )
        b.store(bits, self.summary)
        b.store(b.or_(b.load(self.events), bits), self.events)

    def _after(
        self, ways: list[tuple[list[ir.Value], ir.Block]], phis: list[ir.PhiInstr]
    ) -> None:
        b, a, at, zero = self.b, self.arg, self.blocks, ir.Constant(I64, 0)
        b.position_at_end(at["after"])
        state = [b.phi(self.real) for _ in self.s]
        for new, block in ways:
            for phi, value in zip(state, new, strict=True):
                phi.add_incoming(value, block)
        total = b.sub(self.total, self.steps)
        left = b.sub(self.left, self.steps)
        b.cbranch(b.icmp_signed("==", left, zero), at["record"], at["next"])

        b.position_at_end(at["record"])
        place_after = self._record(state)
        recorded = b.block
        b.branch(at["next"])

        b.position_at_end(at["next"])
        new_left, new_place = b.phi(I64), b.phi(I64)
        new_left.add_incoming(left, at["after"])
        new_left.add_incoming(a["every"], recorded)
        new_place.add_incoming(self.place, at["after"])
        new_place.add_incoming(place_after, recorded)
        steps = self.min(self.min(new_left, total), a["look"])
        again = [*state, total, new_left, steps, new_place]
        for phi, value in zip(phis, again, strict=True):
            phi.add_incoming(value, at["next"])
        b.cbranch(b.icmp_signed(">", total, zero), at["header"], at["end"])

        b.position_at_end(at["end"])
        self._scatter(state, a["state"])
        b.branch(at["following"])

    def _record(self, state: list[ir.Value]) -> ir.Value:
        """Store the observables of a state; returns the place of the next record."""
        b, a = self.b, self.arg
        observed = self._each(self.program.observed, self.program.observations, state)
        plain = b.block
        blank, store, ready = (b.append_basic_block(n) for n in ("blank", "store", "stored"))
        b.cbranch(self._says(support.QUIET), store, blank)
        b.position_at_end(blank)
        nan, blanked = self.reals(float("nan")), []
        codes = self.load_rows(self.codes, 1, self.int)
        for code, chain in zip(codes, self.by_chain(observed), strict=True):
            over = b.icmp_signed("==", code, self.ints(Status.DIVERGED))
            blanked += [b.select(over, nan, x) for x in chain]
        b.branch(store)
        b.position_at_end(store)
        shown = []
        for x, y in zip(observed, blanked, strict=True):
            phi = b.phi(self.real)
            phi.add_incoming(x, plain)
            phi.add_incoming(y, blank)
            shown.append(phi)
        rows = len(self.program.observations)
        goals = [b.add(self.place, b.mul(a["lanes"], ir.Constant(I64, i)))
                 for i in range(rows + 1)]  # fmt: skip
        whole, part = b.append_basic_block("whole"), b.append_basic_block("part")
        b.cbranch(b.icmp_signed("==", self.count, self.width), whole, part)
        b.position_at_end(part)
        self._scatter(shown, self.at(a["records"], self.place))
        b.branch(ready)
        b.position_at_end(whole)
        places = [
            self.at(a["records"], b.add(b.add(g, self.offset), shift), self.real)
            for shift in (ir.Constant(I64, c * self.lanes) for c in range(self.chains))
            for g in goals[:-1]
        ]
        if self.lanes > 1:
            around, through = b.append_basic_block("around"), b.append_basic_block("through")
            b.cbranch(b.icmp_signed("!=", a["streaming"], ir.Constant(I64, 0)), around, through)
            b.position_at_end(around)
            once = self.module.add_metadata([ir.Constant(I32, 1)])
            for x, place in zip(shown, places, strict=True):
                b.store(x, place, align=8 * self.lanes).set_metadata("nontemporal", once)
            b.branch(ready)
            b.position_at_end(through)
        for x, place in zip(shown, places, strict=True):
            b.store(x, place, align=8)
        b.branch(ready)
        b.position_at_end(ready)
        return goals[-1]
