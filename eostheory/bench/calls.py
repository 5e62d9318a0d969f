"""What it costs to begin: a new formula, and a call when everything is warm."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import sympy
import torch
from sympy import Rational, Symbol

from eostheory.bench.cases import Case, Settings, at_most, judge
from eostheory.bench.compiled import recurrence_of
from eostheory.bench.result import Cell, Outcome, Table
from eostheory.bench.tasks import scale_invariant, toy
from eostheory.bench.timing import Interval, Sample, clocked, interleaved

COMPILE = at_most("calls/compile", "a new formula, derivation done, to its first result", 50, "ms")
WARM = at_most("calls/warm", "a warm call, one trajectory and one step", 20, "us")
_CALLS, _WIDE = 200, 1024

if TYPE_CHECKING:
    from eostheory.trajectories import Recurrence


def case() -> Case:
    """The case."""
    return Case(
        "calls", "compiling a new formula, and calling a warm one", (COMPILE, WARM), measure
    )


def fresh_loss(number: int) -> tuple[sympy.Expr, list[Symbol]]:
    """A loss that nobody has compiled: the papers' two, with other numbers and one more term."""
    draw = random.Random(number)

    def some() -> Rational:
        return Rational(draw.randint(1000, 9999), draw.randint(1000, 9999))

    x, y, z = (Symbol(name, real=True) for name in "xyz")
    if number % 2:
        inner = x**2 - some() / 10 * x * y + some() * y**2
        loss = 2 - (some() * x + some() * y) / sympy.sqrt(inner + some() * z**2)
    else:
        loss = (some() + some() * y) * x**2 / 2 - some() * y - z + some() * x**2 * z**2
    return loss, [x, y, z]


def measure(settings: Settings) -> Outcome:
    """Both costs."""
    from eostheory.trajectories import compile, gradient_descent

    start = torch.tensor([0.3, 0.7, 0.5], dtype=torch.float64)
    eta = torch.tensor([1e-3], dtype=torch.float64)
    formulas = 3 if settings.quick else max(settings.repeat, 20)
    derived: list[Sample] = []
    first: list[Sample] = []
    wide: list[Sample] = []
    many = start[:, None].expand(3, _WIDE)
    for number in range(formulas + 1):
        loss, variables = fresh_loss(number)
        settings.say(f"calls: formula {number} of {formulas}")
        made: list[Recurrence] = []

        def derive(
            loss: sympy.Expr = loss, w: list[Symbol] = variables, to: list[Recurrence] = made
        ) -> None:
            to.append(gradient_descent(loss, w, record={"x": w[0]}))

        def begin(of: list[Recurrence] = made) -> None:
            compile(of[0])(start, eta, 1)

        def widen(of: list[Recurrence] = made) -> None:
            compile(of[0])(many, eta, 1)

        derived.append(clocked(derive))
        first.append(clocked(begin))
        wide.append(clocked(widen))
    rows: list[tuple[Cell, ...]] = [
        ("first formula of the process", 1e3 * first[0].cpu, "starts LLVM, too"),
        ("a new formula", _of(first[1:], 1e3), f"compile and first call, {formulas} formulas"),
        (
            f"its first call with {_WIDE} trajectories",
            _of(wide[1:], 1e3),
            "in addition: machine code for tiles of vectors",
        ),
        ("its derivation before", _of(derived[1:], 1e3), "gradient, simplification"),
    ]
    warm = _warm(settings)
    calls = {
        "1 trajectory, 1 step": "tensors (n, 1)",
        "1 trajectory, 1 step, simulate()": "the same by the function that compiles",
        "32 trajectories, 100 steps": "toy",
    }
    more = tuple((name, warm[name], note) for name, note in calls.items())
    tables = (
        Table("a new formula, ms of processor time", ("what", "ms", "note"), tuple(rows)),
        Table("a warm call, us of processor time", ("what", "us", "note"), more),
    )
    targets = (judge(COMPILE, _of(first[1:], 1e3)), judge(WARM, warm["1 trajectory, 1 step"]))
    return Outcome("calls", tables, targets)


def _of(samples: list[Sample], unit: float) -> Interval:
    return Interval.of([unit * sample.cpu for sample in samples])


def _warm(settings: Settings) -> dict[str, Interval]:
    """Microseconds of a call, over :data:`_CALLS` calls at a time."""
    from eostheory.trajectories import compile, simulate

    one, many = scale_invariant(1, 0.01), toy(32, 0.01)
    single, several = recurrence_of(one), recurrence_of(many)
    quick, wide = compile(single), compile(several)
    runs: dict[str, Callable[[], object]] = {
        "1 trajectory, 1 step": partial(quick, one.start, one.parameters, 1),
        "1 trajectory, 1 step, simulate()": partial(simulate, single, one.start, one.parameters, 1),
        "32 trajectories, 100 steps": partial(wide, many.start, many.parameters, 100, every=100),
    }

    def repeated(run: Callable[[], object]) -> Sample:
        def calls() -> None:
            for _ in range(_CALLS):
                run()

        return clocked(calls)

    turns = {name: partial(repeated, run) for name, run in runs.items()}
    taken = interleaved(turns, settings.repeat)
    return {name: _of(samples, 1e6 / _CALLS) for name, samples in taken.items()}
