"""A tracked step of gradient descent, beside the figures of adamian98/EOS; flat over many."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from statistics import mean, median
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from eostheory.bench.cases import Case, Settings, Wrong, at_most, judge
from eostheory.bench.digits import OSCILLATING, Regime, iterates, problem
from eostheory.bench.machine import resident_bytes
from eostheory.bench.products import WARM_UP
from eostheory.bench.result import Cell, Judged, Outcome, Table
from eostheory.bench.timing import Interval, clocked, growth, stretches
from eostheory.curvature import Products
from eostheory.numeric.objective import Objective
from eostheory.training import Tracked, gradient_descent

PRODUCTS = at_most("tracked/products", "products per step at the edge", 20, "products", below=True)
MILLISECONDS = {
    torch.float32: at_most("tracked/float32", "a tracked step, float32", 87, "ms", below=True),
    torch.float64: at_most("tracked/float64", "a tracked step, float64", 154, "ms", below=True),
}
THEIRS = {torch.float32: 87.0, torch.float64: 154.0}
"""Milliseconds of adamian98/EOS on a model of this size, on one core of this kind of machine."""
THEIR_PRODUCTS, THEIR_THIRDS = 42, 8

TIME = at_most("flat/time", "growth of the time per step over 10,000 tracked steps", 10, "%")
MEMORY = at_most("flat/memory", "growth of memory over 10,000 tracked steps", 4, "MiB")


def cases() -> list[Case]:
    """Cost of a step, and whether it stays what it is."""
    targets = (PRODUCTS, *MILLISECONDS.values())
    return [
        Case("tracked", "a tracked step of gradient descent, digits perceptron", targets, cost),
        Case("flat", "time and memory over 10,000 tracked steps", (TIME, MEMORY), flat),
    ]


def _run(objective: Objective, start: Tensor, eta: float, steps: int, folder: str) -> Tracked:
    """Everything tracked and recorded; with the processor time and the memory at each row."""
    observe: dict[str, Callable[[int, Tensor], float]] = {
        "cpu": lambda step, w: time.process_time(),
        # how fast the machine is at this step
        "one gradient": lambda step, w: clocked(lambda: objective.value_and_gradient(w)).cpu,
        "memory": lambda step, w: float(resident_bytes() or 0),
    }
    return gradient_descent(
        objective, start, eta, steps, measure="all", observe=observe, folder=folder
    )


def cost(settings: Settings) -> Outcome:
    """Products and milliseconds of a tracked step, where the sharpness swings about 2/eta."""
    hidden, count, steps = (12, 100, 6) if settings.quick else (60, 1000, 60)
    regime = Regime("quick", 0.8, 3) if settings.quick else OSCILLATING
    rows: list[tuple[Cell, ...]] = []
    judged: list[Judged] = []
    for dtype, target in MILLISECONDS.items():
        name = str(dtype).removeprefix("torch.")
        settings.say(f"tracked: {name}, {regime.begin + WARM_UP + steps} steps")
        objective, start = problem(dtype, hidden=hidden, count=count)
        begin = iterates(objective, start, regime, 1)[0]
        with TemporaryDirectory(prefix="eostheory-bench-") as folder:
            run = _run(objective, begin, regime.eta, WARM_UP + steps, folder)
        spent = [float(x) for x in run.records["products"]][WARM_UP:]
        each = _milliseconds(run)[0][WARM_UP - 1 :]
        seen = stretches(each)
        rows.append((f"tracked step, {name}", mean(spent), 1.0, seen, median(each), max(each)))
        rows += _theirs(objective, begin, dtype, name)
        fault = "" if run.event is None else Wrong(f"the run ended early: {run.event}")
        judged.append(judge(target, fault or seen))
        if dtype == torch.float64:
            judged.insert(0, judge(PRODUCTS, fault or stretches(spent)))
    title = (
        f"loss, sharpness, next eigenvalue, x, y, alpha, beta, delta, epsilon, phase, output norm; "
        f"D = {len(start)}, {count} digits, eta = {regime.eta}, from step {regime.begin}"
    )
    columns = ("who", "products", "third derivatives", "ms per step", "median ms", "largest ms")
    return Outcome("tracked", (Table(title, columns, tuple(rows)),), tuple(judged))


def _milliseconds(run: Tracked) -> tuple[list[float], list[float]]:
    """Of each step after the first row, and of the one gradient that was timed beside it."""
    clock, beside = (run.records[name].tolist() for name in ("cpu", "one gradient"))
    # a row reads the clock before it times its gradient
    each = [1e3 * (b - a - g) for (a, b), g in zip(pairwise(clock), beside, strict=False)]
    return each, [1e3 * g for g in beside[1:]]


def _ends(values: list[float], size: int) -> tuple[float, float]:
    """Means of the first and of the last ``size``."""
    return mean(values[:size]), mean(values[-size:])


def _theirs(
    objective: Objective, w: Tensor, dtype: torch.dtype, name: str
) -> list[tuple[Cell, ...]]:
    """The figures of adamian98/EOS, and what its counts cost on this machine."""
    with Products(objective, w) as products:
        v = products.gradient
        product = median(clocked(partial(products, v)).cpu for _ in range(5))
        third = median(clocked(partial(products.third, v, v)).cpu for _ in range(5))
    here = 1e3 * (THEIR_PRODUCTS * product + THEIR_THIRDS * third)
    counts = (float(THEIR_PRODUCTS), float(THEIR_THIRDS))
    return [
        (f"adamian98/EOS as measured elsewhere, {name}", *counts, THEIRS[dtype], None, None),
        (f"adamian98/EOS's counts at the cost of ours, {name}", *counts, here, None, None),
    ]


def flat(settings: Settings) -> Outcome:
    """A long run of a small model: what grows with the number of steps shows soonest there."""
    steps = 150 if settings.quick else 10_000
    objective, start = problem(hidden=4, count=50)
    settings.say(f"flat: {steps} tracked steps, D = {len(start)}")
    gc.collect()
    with TemporaryDirectory(prefix="eostheory-bench-") as folder:
        run = _run(objective, start, 0.1, steps, folder)
    skip = steps // 10  # libraries settle
    each, gradients = (x[skip:] for x in _milliseconds(run))
    spent = [float(x) for x in run.records["products"]][skip + 1 :]
    memory = [float(x) / 2**20 for x in run.records["memory"]][skip:]
    per_run = 1.0 if settings.quick else steps / (steps - skip)
    rise = growth(each, (spent, gradients)).map(lambda ms: 100 * per_run * ms / mean(each))
    held = growth(memory).map(lambda mib: per_run * mib)
    rows: list[tuple[Cell, ...]] = [
        ("time per step, ms", mean(each), *_ends(each, skip)),
        ("one gradient then, ms", mean(gradients), *_ends(gradients, skip)),
        ("products per step", mean(spent), *_ends(spent, skip)),
        ("memory, MiB", mean(memory), memory[0], memory[-1]),
    ]
    title = f"{steps} tracked steps, D = {len(start)}, recorded to a folder"
    table = Table(title, ("what", "mean", "first tenth", "last tenth"), tuple(rows))
    absent = "" if resident_bytes() else "this system does not say how much memory is in use"
    fault: str = Wrong(f"the run ended early: {run.event}") if run.event is not None else ""
    time_seen: Interval | str = fault or rise
    memory_seen: Interval | str = fault or absent or held
    note = (
        "growth: least squares on step, number of products and the time of one gradient then (the "
        "machine's speed), without the first tenth; interval: two standard errors"
    )
    judged = (judge(TIME, time_seen), judge(MEMORY, memory_seen))
    return Outcome("flat", (table,), judged, (note,))
