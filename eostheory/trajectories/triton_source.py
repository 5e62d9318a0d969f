"""Triton source text of a program: one block of lanes per program instance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from eostheory.trajectories.program import Instruction, Program
from eostheory.trajectories.run import CHECK_INTERVAL, SMALLEST_NORMAL, Status

_INFIX = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "lt": "<", "le": "<=", "eq": "==", "ne": "!=",
    "and": "&", "or": "|",
}  # fmt: skip
_LANGUAGE = frozenset({"sqrt", "abs", "exp", "log", "sin", "cos", "erf"})
"""Functions that Triton's own language has for float64."""

_LIBRARY = frozenset(
    {"tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "atan2",
     "pow"}
)  # fmt: skip
"""Functions of the CUDA mathematics library; Triton's interpreter does not have them."""


def source(program: Program) -> str:
    """The module whose ``run`` is the kernel of a program.

    The kernel takes the steps of a stretch as the eager backend does: it looks at its lanes at
    every record and every 1024 steps in between, and when one of them has met something it goes
    through those steps again, to say which one it was.
    """
    uses_library = any(
        i.operation in _LIBRARY for i in (*program.hoisted, *program.body, *program.observed)
    )
    lines = [
        f'"""Trajectories of {_quoted(program.name)}, printed by eostheory; do not edit."""',
        "",
        "import triton",
        "import triton.language as tl",
        *(["from triton.language.extra import libdevice"] if uses_library else []),
        "",
        *_helper("once", program, program.hoisted, _kept(program)),
        *_helper("step", program, program.body, program.next),
        *_helper("observe", program, program.observed, program.observations),
        *_kernel(program),
    ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Fit to stand in a docstring."""
    return "".join(c if c.isalnum() or c in " -_,.()" else "?" for c in text)


def _kept(program: Program) -> tuple[int, ...]:
    """Hoisted values that the sections use."""
    once = {i.target for i in program.hoisted}
    used = {
        *program.next,
        *program.observations,
        *(o for i in (*program.body, *program.observed) for o in i.operands),
    }
    return tuple(sorted(once & used))


def _values(count: int, name: str) -> list[str]:
    return [f"{name}{k}" for k in range(count)]


def _arguments(program: Program, section: str) -> list[str]:
    """What a helper is called with: parameters, and but for ``once`` state and hoisted values."""
    given = _values(len(program.parameters), "p")
    if section == "once":
        return given
    return [*_values(len(program.state), "s"), *given, *(f"h{v}" for v in _kept(program))]


def _helper(
    name: str, program: Program, code: Sequence[Instruction], results: Sequence[int]
) -> Iterator[str]:
    """A device function for one section, returning a tuple of values."""
    names = _names(program)
    if name == "once" and not results:
        return
    inside = {i.target for i in code}
    used = {*results, *(o for i in code for o in i.operands)}
    yield "@triton.jit"
    yield f"def {name}({', '.join([*_arguments(program, name), 'BLOCK: tl.constexpr'])}):"
    for value, constant in program.constants.items():
        if value in used:
            yield f"    c{value} = tl.full([BLOCK], {_literal(constant)}, tl.float64)"
    for value in inside:
        names[value] = f"t{value}"
    for target, operation, operands in code:
        yield f"    t{target} = {_operation(operation, [names[o] for o in operands])}"
    yield f"    return {', '.join(names[r] for r in results)}"
    yield ""


def _names(program: Program) -> dict[int, str]:
    n = len(program.state)
    names = {k: f"s{k}" for k in range(n)}
    names |= {n + k: f"p{k}" for k in range(len(program.parameters))}
    names |= {v: f"c{v}" for v in program.constants}
    return names | {i.target: f"h{i.target}" for i in program.hoisted}


def _literal(constant: float) -> str:
    text = repr(constant)
    return f'float("{text}")' if text in ("inf", "-inf", "nan") else text


def _operation(operation: str, x: Sequence[str]) -> str:
    if operation in _INFIX:
        return f"{x[0]} {_INFIX[operation]} {x[1]}"
    if operation == "neg":
        return f"{x[0]} * -1.0"  # Triton's minus is 0 - x, which loses the sign of zero
    if operation == "not":
        return f"{x[0]} == 0"
    if operation == "select":
        return f"tl.where({x[0]}, {x[1]}, {x[2]})"
    if operation in _LANGUAGE:
        return f"tl.{operation}({x[0]})"
    if operation in _LIBRARY:
        return f"libdevice.{operation}({', '.join(x)})"
    raise ValueError(f"the operation {operation} has no counterpart in Triton")


class _Rows:
    """Text for every state variable."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.count = len(program.state)

    def each(self, text: str) -> list[str]:
        """The line for each variable, with its number for ``@``."""
        return [text.replace("@", str(j)) for j in range(self.count)]

    def any(self, text: str) -> str:
        return " | ".join(f"({line})" for line in self.each(text))

    def every(self, text: str) -> str:
        return " & ".join(f"({line})" for line in self.each(text))

    def call(self, helper: str, state: str) -> str:
        """A call of a section's function on the state variables of a name."""
        given = [*self.each(f"{state}@"), *_values(len(self.program.parameters), "p")]
        kept = [f"h{v}" for v in _kept(self.program)]
        return f"{helper}({', '.join([*given, *kept, 'BLOCK'])})"

    def diverged(self, x: str) -> str:
        return self.any(f"(tl.abs({x}@) < bound) == 0")

    def lost(self, old: str, new: str) -> str:
        """A variable became subnormal or zero."""
        small = f"tl.abs({new}@) < {SMALLEST_NORMAL!r}"
        return self.any(f"({small}) & ({new}@ != {old}@)")

    def same(self, old: str, new: str) -> str:
        bits = ".to(tl.int64, bitcast=True)"
        return self.every(f"{old}@{bits} == {new}@{bits}")


_UNDERFLOW, _FIXED, _DIVERGED = int(Status.UNDERFLOW), int(Status.FIXED_POINT), int(Status.DIVERGED)


def _kernel(program: Program) -> Iterator[str]:
    rows = _Rows(program)
    yield '@triton.jit(do_not_specialize=["lanes", "first", "last", "every"])'
    yield "def run("
    yield "    state, parameters, status, at, records, limit, lanes, first, last, every,"
    yield "    BLOCK: tl.constexpr,"
    yield "):"
    lines = [
        *_begin(rows),
        "while t < last:",
        *_indented(_walk(rows)),
        "    t = end",
        "    if t % every == 0:",
        *_indented(_recording(rows), 2),
        *rows.each("tl.store(state + @ * lanes + lane, s@, mask=inside)"),
        "tl.store(status + lane, event.to(tl.int8), mask=inside)",
        "tl.store(at + lane, when, mask=inside)",
    ]
    yield from _indented(lines)


def _indented(lines: Iterable[str], depth: int = 1) -> list[str]:
    return ["    " * depth + line for line in lines]


def _begin(rows: _Rows) -> list[str]:
    """Load a block of lanes."""
    count, kept = len(rows.program.parameters), _kept(rows.program)
    given = [f"p{j} = tl.load(parameters + {j} * lanes + lane, mask=inside, other=0.0)"
             for j in range(count)]  # fmt: skip
    once = f"once({', '.join([*_values(count, 'p'), 'BLOCK'])})"
    return [
        "lane = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)",
        "inside = lane < lanes",
        "bound = tl.load(limit)",
        *rows.each("s@ = tl.load(state + @ * lanes + lane, mask=inside, other=0.0)"),
        *given,
        *([f"{', '.join(f'h{v}' for v in kept)} = {once}"] if kept else []),
        f"event = tl.load(status + lane, mask=inside, other={_DIVERGED}).to(tl.int32)",
        "when = tl.load(at + lane, mask=inside, other=-1)",
        "t = first.to(tl.int64)",
        "record = t * 0",
    ]


def _walk(rows: _Rows) -> list[str]:
    """From one look at the lanes to the next; lanes that ended are restored afterwards."""
    new = ", ".join(rows.each("n@"))
    return [
        "offset = t % every",
        f"look = t + {CHECK_INTERVAL} - offset % {CHECK_INTERVAL}",
        "end = tl.minimum(tl.minimum(look, t + every - offset), last)",
        f"alive = event < {_FIXED}",
        *rows.each("b@ = s@"),
        *rows.each("q@ = s@"),
        "if tl.max(alive.to(tl.int32), axis=0) > 0:",
        "    for _ in range(t, end):",
        *_indented(rows.each("q@ = s@"), 2),
        f"        {new} = {rows.call('step', 'q')}",
        *_indented(rows.each("s@ = n@"), 2),
        *_indented(rows.each("s@ = tl.where(alive, s@, b@)")),
        f"    seen = tl.where({rows.lost('b', 's')}, {_UNDERFLOW}, 0)",
        f"    seen = tl.where({rows.same('q', 's')}, {_FIXED}, seen)",
        f"    seen = tl.where({rows.diverged('s')}, {_DIVERGED}, seen)",
        "    seen = tl.where(alive, tl.maximum(seen, event), event)",
        "    changed = seen != event",
        "    if tl.max(changed.to(tl.int32), axis=0) > 0:",
        *_indented(_again(rows), 2),
    ]


def _again(rows: _Rows) -> list[str]:
    """The same steps once more, watching each, to say at which one a lane met what it met."""
    new = ", ".join(rows.each("n@"))
    first = f"tl.where(seen == {_DIVERGED}, far, tl.where(seen == {_FIXED}, still, low))"
    return [
        *rows.each("r@ = b@"),
        *rows.each("e@ = b@"),
        *(f"{name} = when * 0 - 1" for name in ("low", "still", "far")),
        "for k in range(t, end):",
        f"    {new} = {rows.call('step', 'r')}",
        f"    fresh = ({rows.diverged('n')}) & (far < 0)",
        *_indented(rows.each("e@ = tl.where(fresh, n@, e@)")),
        "    far = tl.where(fresh, k + 1, far)",
        f"    still = tl.where(({rows.same('r', 'n')}) & (still < 0), k + 1, still)",
        f"    low = tl.where(({rows.lost('r', 'n')}) & (low < 0), k + 1, low)",
        *_indented(rows.each("r@ = n@")),
        f"when = tl.where(changed, {first}, when)",
        *rows.each(f"s@ = tl.where(changed & (seen == {_DIVERGED}), e@, s@)"),
        "event = seen",
    ]


def _recording(rows: _Rows) -> list[str]:
    count = len(rows.program.observations)
    lines = [f"{', '.join(_values(count, 'o'))} = {rows.call('observe', 's')}"]
    for j in range(count):
        lines.append(f'o{j} = tl.where(event == {_DIVERGED}, float("nan"), o{j})')
        place = f"records + (record * {count} + {j}) * lanes + lane"
        lines.append(f"tl.store({place}, o{j}, mask=inside)")
    return [*lines, "record += 1"]
