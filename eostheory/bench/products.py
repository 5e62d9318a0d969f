"""Hessian-vector products per tracked step, beside what eigensolvers without memory need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from statistics import mean, median
from typing import NamedTuple

import torch
from torch import Tensor

from eostheory.bench.cases import Case, Settings, Wrong, at_most, judge
from eostheory.bench.digits import REGIMES, Regime, iterates, problem
from eostheory.bench.eigensolvers import Found, residual, scipy_eigsh, torch_lobpcg
from eostheory.bench.result import Cell, Judged, Outcome, Table, Target
from eostheory.bench.timing import Interval, clocked, stretches
from eostheory.curvature import Eigenpairs, Products, Tracker
from eostheory.numeric.objective import Objective

TOLERANCE = 1e-8
WARM_UP = 10
"""Steps before the count: the first one is cold by nature, and the history fills."""

TARGETS = {
    regime.name: at_most(
        f"products/{regime.name.replace(' ', '-')}",
        f"Hessian-vector products per step, {regime.name}, residual 1e-8",
        bound,
        "products",
    )
    for regime, bound in zip(REGIMES, (6, 17, 17), strict=True)
}

Solver = Callable[[Products, Tensor, float], Found]


def case() -> Case:
    """The case."""
    title = "Hessian-vector products per tracked step, digits perceptron"
    return Case("products", title, tuple(TARGETS.values()), measure)


class Followed(NamedTuple):
    """What tracking a stretch of iterates took.

    Args:
        pairs: of each step.
        gradients: processor time of each step in units of one gradient.
    """

    pairs: list[Eigenpairs]
    gradients: list[float]


def measure(settings: Settings) -> Outcome:
    """All three regimes."""
    if settings.quick:
        objective, start = problem(hidden=12, count=100)
        count, seldom = 2, 2
    else:
        objective, start = problem()
        count, seldom = 40, 10
    judged: list[Judged] = []
    tables: list[Table] = []
    for regime in REGIMES:
        settings.say(f"products: {regime.name}, {regime.begin + WARM_UP + count} steps of descent")
        if settings.quick:
            regime = Regime(regime.name, regime.eta, 3)
        points = iterates(objective, start, regime, WARM_UP + count)
        followed = follow(objective, points)
        settings.say(f"products: {regime.name}, the peers at every {seldom}th step")
        rows, wrong = peers(objective, points, followed, seldom)
        kept = followed.pairs[WARM_UP:]
        tables.append(Table(_title(regime, kept, len(start)), COLUMNS, (_ours(followed), *rows)))
        target: Target = TARGETS[regime.name]
        judged.append(judge(target, wrong or stretches([float(p.products) for p in kept])))
    return Outcome("products", tuple(tables), tuple(judged))


COLUMNS = ("who", "products per step", "median", "largest", "gradients per step", "residual")


def _title(regime: Regime, kept: Sequence[Eigenpairs], size: int) -> str:
    edge = [float(p.values[0]) * regime.eta / 2 for p in kept]
    gaps = [p.gap / float(p.values[0]) for p in kept]
    return (
        f"{regime.name}: D = {size}, eta = {regime.eta}, steps {regime.begin + WARM_UP} to "
        f"{regime.begin + WARM_UP + len(kept) - 1}; eta sharpness/2 in [{min(edge):.3f}, "
        f"{max(edge):.3f}], relative gap in [{min(gaps):.4f}, {max(gaps):.4f}]"
    )


def follow(objective: Objective, points: Sequence[Tensor]) -> Followed:
    """Track the top pair along the points."""
    tracker = Tracker(k=1, tolerance=TOLERANCE)
    gradient = median(
        clocked(partial(objective.value_and_gradient, w)).cpu for w in points[:WARM_UP]
    )
    pairs: list[Eigenpairs] = []
    cost: list[float] = []
    for w in points:

        def step(w: Tensor = w) -> None:
            with Products(objective, w) as products:
                pairs.append(tracker(products))

        cost.append(clocked(step).cpu / gradient)
    return Followed(pairs, cost)


def _ours(followed: Followed) -> tuple[Cell, ...]:
    kept = followed.pairs[WARM_UP:]
    spent = [float(p.products) for p in kept]
    worst = max(float(p.residuals[0]) / abs(float(p.values[0])) for p in kept)
    gradients = Interval.of(followed.gradients[WARM_UP:])
    return ("Tracker", mean(spent), median(spent), max(spent), gradients, worst)


def peers(
    objective: Objective, points: Sequence[Tensor], followed: Followed, seldom: int
) -> tuple[list[tuple[Cell, ...]], str]:
    """Rows of the other solvers, and what is wrong with our values if they are."""
    draw = torch.Generator().manual_seed(0)
    spent: dict[str, list[int]] = {}
    worst: dict[str, float] = {}
    off = 0.0
    for i in range(WARM_UP, len(points), seldom):
        with Products(objective, points[i]) as products:
            blind = torch.randn(products.size, generator=draw, dtype=torch.float64)
            last = followed.pairs[i - 1].vectors[0]
            starts: dict[str, tuple[Solver, Tensor]] = {
                "scipy eigsh, cold": (scipy_eigsh, blind),
                "scipy eigsh, warm": (scipy_eigsh, last),
                "torch.lobpcg, cold": (torch_lobpcg, blind),
                "torch.lobpcg, warm": (torch_lobpcg, last),
            }
            for name, (solve, begin) in starts.items():
                value, vector, count = solve(products, begin, TOLERANCE)
                spent.setdefault(name, []).append(count)
                worst[name] = max(worst.get(name, 0.0), residual(products, value, vector))
                if name == "scipy eigsh, cold":
                    ours = float(followed.pairs[i].values[0])
                    off = max(off, abs(ours - value) / abs(value))
    rows: list[tuple[Cell, ...]] = [
        (name, mean(counts), float(median(counts)), float(max(counts)), None, worst[name])
        for name, counts in spent.items()
    ]
    # an eigenvalue is closer than the residual of its vector
    wrong = f"the tracked eigenvalue is off by {off:.2g} from eigsh's: not counted"
    return rows, Wrong(wrong) if off > 2 * TOLERANCE else ""
