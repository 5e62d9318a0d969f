"""What every kernel calls at the ends of a tile and when something happened.

This code knows neither formula nor number of lanes: it is compiled once per process, so that a
new formula costs only its own operations.  It works on rooms: rows of W doubles on the stack of
the kernel, one per variable, each ``stride`` doubles after the one before.
"""

from __future__ import annotations

from llvmlite import ir  # type: ignore[import-untyped]

from eostheory.trajectories.emitter import DOUBLE, I1, I8, I32, I64, Emitter
from eostheory.trajectories.run import SMALLEST_NORMAL, Status

_REALS, _INTS, _BYTES = DOUBLE.as_pointer(), I64.as_pointer(), I8.as_pointer()

QUIET, DEAD = 1, 2
"""Bits of a summary: all lanes run and nothing happened to them; all lanes have ended."""

EVENT = 4
"""Bit added by ``note`` when the status of a trajectory changed."""

GATHER = ("source", "room", "codes", "rows", "size", "offset", "count", "lanes", "stride", "bound")
SCATTER = ("room", "goal", "rows", "size", "offset", "count", "lanes", "stride", "streaming")
STATUS = ("status", "codes", "offset", "count", "lanes")
NOTE = (
    "old", "before_last", "new", "codes", "status", "at", "begin", "before",
    "rows", "size", "offset", "count", "lanes", "stride",
    "bound", "first", "last",
)  # fmt: skip

_TYPES = dict.fromkeys(("source", "room", "goal", "old", "before_last", "new", "before"), _REALS)
_TYPES |= dict.fromkeys(("codes", "at", "begin"), _INTS)
_TYPES |= {"status": _BYTES, "bound": DOUBLE}


def signature(arguments: tuple[str, ...]) -> ir.FunctionType:
    """The type of a function by the names of its arguments; all return bits."""
    return ir.FunctionType(I64, [_TYPES.get(name, I64) for name in arguments])


FUNCTIONS = {
    "eostheory_gather": GATHER,
    "eostheory_scatter": SCATTER,
    "eostheory_status": STATUS,
    "eostheory_note": NOTE,
}


def assembly(doubles: int) -> str:
    """The module of all these functions, for vectors of so many doubles."""
    module = ir.Module("support")
    for writer, (name, arguments) in zip(
        (_Gather, _Scatter, _Status, _Note), FUNCTIONS.items(), strict=True
    ):
        function = ir.Function(module, signature(arguments), name)
        support = writer(function, arguments)
        support.vector = ir.VectorType(DOUBLE, doubles)
        support.write()
    return str(module)


class _Support(Emitter):
    vector: ir.Type

    def __init__(self, function: ir.Function, arguments: tuple[str, ...]) -> None:
        super().__init__(function, 1, False)
        self.arg = dict(zip(arguments, function.args, strict=True))
        self.bits = self.b.alloca(I64, name="bits")
        self.b.store(ir.Constant(I64, 0), self.bits)

    def write(self) -> None:
        raise NotImplementedError

    def finish(self) -> None:
        self.b.ret(self.b.load(self.bits))

    def alive(self, lane: ir.Value) -> ir.Value:
        code = self.b.load(self.at(self.arg["codes"], lane))
        return self.b.icmp_signed("<", code, ir.Constant(I64, Status.FIXED_POINT))

    def raise_bit(self, bit: int) -> None:
        self.b.store(self.b.or_(self.b.load(self.bits), ir.Constant(I64, bit)), self.bits)

    def summarize(self) -> None:
        """Add the summary of the codes to the bits."""
        b, yes = self.b, ir.Constant(I1, 1)
        quiet, dead = b.alloca(I1), b.alloca(I1)
        b.store(yes, quiet)
        b.store(yes, dead)
        with self.loop(self.arg["lanes"]) as j:
            code = b.load(self.at(self.arg["codes"], j))
            running = b.icmp_signed("==", code, ir.Constant(I64, Status.RUNNING))
            b.store(b.and_(b.load(quiet), running), quiet)
            b.store(b.and_(b.load(dead), b.not_(self.alive(j))), dead)
        for flag, bit in ((quiet, QUIET), (dead, DEAD)):
            with b.if_then(b.load(flag)):
                self.raise_bit(bit)


class _Gather(_Support):
    """Rows of a tile into a room; lanes beyond the last trajectory repeat it.

    Returns 1 when a trajectory that is to run has a value not below the bound.
    """

    def write(self) -> None:
        b, a = self.b, self.arg
        last = b.sub(a["count"], ir.Constant(I64, 1))
        with self.loop(a["rows"]) as row:
            begin = b.add(b.mul(row, a["size"]), a["offset"])
            goal = b.mul(row, a["stride"])
            with self.loop(a["lanes"]) as j:
                value = b.load(self.at(a["source"], b.add(begin, self.min(j, last))))
                b.store(value, self.at(a["room"], b.add(goal, j)))
                good = b.fcmp_ordered("<", self.size(value), a["bound"])
                with b.if_then(b.not_(b.or_(good, b.not_(self.alive(j)))), likely=False):
                    self.raise_bit(1)
        self.finish()


class _Scatter(_Support):
    """Rows of a room to where the tile belongs, around the cache if wanted."""

    def write(self) -> None:
        b, a, zero = self.b, self.arg, ir.Constant(I64, 0)
        width = ir.Constant(I64, self.vector.count)
        vectors = b.sdiv(a["lanes"], width)
        whole = b.icmp_signed("==", a["count"], b.mul(vectors, width))
        around = b.and_(whole, b.icmp_signed("!=", a["streaming"], zero))
        streamed = b.select(around, vectors, zero)
        vectors = b.select(b.and_(whole, b.not_(around)), vectors, zero)
        singles = b.select(whole, zero, a["count"])
        with self.loop(a["rows"]) as row:
            room = self.at(a["room"], b.mul(row, a["stride"]))
            goal = self.at(a["goal"], b.add(b.mul(row, a["size"]), a["offset"]))
            for count, align in ((streamed, 8 * self.vector.count), (vectors, 8)):
                with self.loop(count) as i:
                    shift = b.mul(i, width)
                    value = b.load(self.at(room, shift, self.vector), align=8 * self.vector.count)
                    stored = b.store(value, self.at(goal, shift, self.vector), align=align)
                    if count is streamed:
                        once = self.module.add_metadata([ir.Constant(I32, 1)])
                        stored.set_metadata("nontemporal", once)
            with self.loop(singles) as j:
                b.store(b.load(self.at(room, j)), self.at(goal, j))
        self.finish()


class _Status(_Support):
    """Status of the tile's trajectories into codes; returns their summary."""

    def write(self) -> None:
        b, a = self.b, self.arg
        last = b.sub(a["count"], ir.Constant(I64, 1))
        with self.loop(a["lanes"]) as j:
            code = b.load(self.at(a["status"], b.add(a["offset"], self.min(j, last))))
            b.store(b.zext(code, I64), self.at(a["codes"], j))
        self.summarize()
        self.finish()


class _Note(_Support):
    """Judge lane by lane; keep where the block of an event began, for a replay."""

    def write(self) -> None:
        b, a, zero = self.b, self.arg, ir.Constant(I64, 0)
        all_inside, all_same, any_lost = (b.alloca(I1) for _ in range(3))
        yes, no = ir.Constant(I1, 1), ir.Constant(I1, 0)
        with self.loop(a["lanes"]) as j:
            for place, value in ((all_inside, yes), (all_same, yes), (any_lost, no)):
                b.store(value, place)
            with self.loop(a["rows"]) as row:
                index = b.add(b.mul(row, a["stride"]), j)
                old, before, new = (
                    b.load(self.at(a[room], index)) for room in ("old", "before_last", "new")
                )
                size = self.size(new)
                inside = b.fcmp_ordered("<", size, a["bound"])
                same = b.icmp_signed("==", b.bitcast(before, I64), b.bitcast(new, I64))
                small = b.fcmp_ordered("<", size, ir.Constant(DOUBLE, SMALLEST_NORMAL))
                lost = b.and_(small, b.fcmp_unordered("!=", old, new))
                b.store(b.and_(b.load(all_inside), inside), all_inside)
                b.store(b.and_(b.load(all_same), same), all_same)
                b.store(b.or_(b.load(any_lost), lost), any_lost)
            event = b.select(b.load(any_lost), ir.Constant(I64, Status.UNDERFLOW), zero)
            event = b.select(b.load(all_same), ir.Constant(I64, Status.FIXED_POINT), event)
            event = b.select(b.load(all_inside), event, ir.Constant(I64, Status.DIVERGED))
            code = b.load(self.at(a["codes"], j))
            with b.if_then(b.and_(self.alive(j), b.icmp_signed(">", event, code))):
                b.store(event, self.at(a["codes"], j))
                with b.if_then(b.icmp_signed("<", j, a["count"])):
                    self.raise_bit(EVENT)
                    lane = b.add(a["offset"], j)
                    b.store(b.trunc(event, I8), self.at(a["status"], lane))
                    b.store(a["last"], self.at(a["at"], lane))
                    b.store(a["first"], self.at(a["begin"], lane))
                    with self.loop(a["rows"]) as row:
                        index = b.add(b.mul(row, a["stride"]), j)
                        goal = b.add(b.mul(row, a["size"]), lane)
                        b.store(b.load(self.at(a["old"], index)), self.at(a["before"], goal))
        self.summarize()
        self.finish()
