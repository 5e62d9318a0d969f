"""Figures 2 and 3: the experiments, run again in their quick form.

Setting: gradient descent on the loss of appendix B; the ODE (4) with alpha = beta = 1.
Claim: what a reader sees in the figures, as facts about the recorded runs.
Reference: damian23, figures 2 and 3, sections 4.1 and 4.2.

The paper gives neither coefficients, learning rate nor start of figure 2, nor the values of X(0)
in figure 3; the experiments say what was chosen, and their sweeps how much that matters.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.path import Path

from eostheory.agree import Measured
from eostheory.agree.facts import ONCE
from eostheory.claims import Claim
from eostheory.experiments.damian23.four_stages import STAGES, stages
from eostheory.experiments.damian23.phase_portrait import gap_allowed, part_of
from eostheory.experiments.evidence import gather
from eostheory.formula import Equation, Predicate, Statement, as_expr, scalar, vector

if TYPE_CHECKING:
    from eostheory.agree import Sample

stage = vector("stage", "visits", r"\text{stage}")
period = as_expr(4)
above = scalar("steps_above", r"\#\{t:S_t>2/\eta\}")
grow = scalar("growing_above", r"\#\{t:S_t>2/\eta,|x_{t+1}|>|x_t|\}")
below = scalar("steps_below", r"\#\{t:S_t<2/\eta\}")
shrink = scalar("shrinking_below", r"\#\{t:S_t<2/\eta,|x_{t+1}|<|x_t|\}")

FIGURE_2: dict[str, Statement] = {
    "stages 1 to 4 in order": Predicate(
        "cyclic", (stage, period), "each stage follows the one before, and the first comes again"
    ),
    "blowup": Equation(grow, above),
    "return to stability": Equation(shrink, below),
}

start, after = vector("start", "curves", "X(0)"), vector("after_a_turn", "curves", "X(T)")
enclosed = scalar(
    "points_enclosed", r"\#\{\text{points within the curve of the next smaller }X(0)\}"
)
points = scalar("points", r"\#\{\text{points}\}")

FIGURE_3_LEFT: dict[str, Statement] = {
    "closed curves": Equation(after, start),
    "smaller X(0), larger curve": Equation(enclosed, points),
}
FIGURE_3_RIGHT: dict[str, Statement] = {
    "stages are arcs of the curve": FIGURE_2["stages 1 to 4 in order"],
    "blowup": FIGURE_2["blowup"],
    "return to stability": FIGURE_2["return to stability"],
}


def figure_2(sample: Sample) -> None:
    """The recorded run, cut into stages."""
    found = gather(sample, "damian23/fig-2")
    run = found.parts["descent"]
    x, y, sharpness = run["x"], run["y"], run["sharpness"]
    numbers = stages(x, sharpness, 2 / found.settings.eta)
    turns = np.flatnonzero(np.diff(numbers, prepend=0))
    grows, over = np.diff(np.abs(x)) > 0, y[:-1] > 0
    counts = {above: over, grow: over & grows, below: ~over, shrink: ~over & ~grows}
    sample.observe(
        {stage: numbers[turns]} | {of: float(np.count_nonzero(at)) for of, at in counts.items()}
    )
    sample.predicate("cyclic", _cyclic)
    lines = {"sharpness": sharpness, "displacement along u": x}
    for label, values in lines.items():
        sample.plot(label, "step", label, [{"label": label, "x": run["step"], "y": values}])


def figure_3_left(sample: Sample) -> None:
    """The curves, from X(0) until Y rises through zero again."""
    found = gather(sample, "damian23/fig-3")
    curves = [found.parts[part_of(x)] for x in sorted(found.settings.starts)]
    ends = np.array([curve["X"][[0, -1]] for curve in curves])
    errors = np.array([gap_allowed(curve["time"][-1]) for curve in curves]) * ends[:, 0]
    lines = [np.column_stack((curve["X"], curve["Y"])) for curve in curves]
    within = [Path(outer).contains_points(inner) for outer, inner in pairwise(lines)]
    sample.observe(
        {
            start: ends[:, 0],
            after: Measured(ends[:, 1], errors),
            enclosed: float(np.count_nonzero(within)),
            points: float(np.size(within)),
        }
    )
    shown = [{"label": f"X(0) = {c['X'][0]:g}", "x": c["X"], "y": c["Y"]} for c in curves]
    sample.plot("The effect of X(0)", "X", "Y", shown)


def figure_3_right(sample: Sample) -> None:
    """The steps between the points of the largest curve, gone through twice, cut into stages."""
    found = gather(sample, "damian23/fig-3")
    curve = found.parts[part_of(min(found.settings.starts))]
    moves = np.diff(curve["time"]) > 0  # where Y = 0 a point is recorded twice
    dx, dy = np.diff(curve["X"])[moves], np.diff(curve["Y"])[moves]
    # A point lies on Y = 0, so that every step is on one side of it.
    over = (curve["Y"][1:] + curve["Y"][:-1])[moves] > 0
    numbers = np.where(over, np.where(dy > 0, 2, 3), np.where(dy > 0, 1, 4))
    twice = np.tile(np.roll(numbers, -int(np.flatnonzero(numbers == 1)[0])), 2)
    turns = np.flatnonzero(np.diff(twice, prepend=0))
    counts = {above: over, grow: over & (dx > 0), below: ~over, shrink: ~over & (dx < 0)}
    sample.observe(
        {stage: twice[turns].astype(float)}
        | {of: float(np.count_nonzero(at)) for of, at in counts.items()}
    )
    sample.predicate("cyclic", _cyclic)
    x, y = curve["X"][:-1][moves], curve["Y"][:-1][moves]
    arcs = [
        {"label": f"{n}: {name}", "x": x[numbers == n], "y": y[numbers == n]}
        for n, name in enumerate(STAGES, 1)
    ]
    sample.plot("The four stages", "X", "Y", arcs)


def _cyclic(series: Measured, around: Measured) -> bool:
    visits = np.asarray(series.value)
    onward = (b == a % around.value + 1 for a, b in pairwise(visits))
    return bool(len(visits) > around.value) and bool(visits[0] == 1) and all(map(bool, onward))


CLAIMS = [
    Claim(
        id="damian23/fig-2",
        statement=FIGURE_2,
        simulate=figure_2,
        examples=ONCE,
        since="default",
        rests_on=("damian23/appB.toy-model",),
        reading=(
            "the sharpness above or below 2/eta, rising or falling, makes four stages; for this "
            "loss the curvature along u is 2/eta + sqrt(beta) y, so that y > 0 is 'above'"
        ),
    ),
    Claim(
        id="damian23/fig-3.left",
        statement=FIGURE_3_LEFT,
        simulate=figure_3_left,
        examples=ONCE,
        since="default",
        rests_on=("damian23/eq-4", "damian23/lemma-3"),
        reading=(
            "'larger' is: the curve encloses that of every greater X(0); all curves begin on "
            "Y = 0; that they close is measured to the accuracy of the integrator"
        ),
    ),
    Claim(
        id="damian23/fig-3.right",
        statement=FIGURE_3_RIGHT,
        simulate=figure_3_right,
        examples=ONCE,
        since="default",
        rests_on=("damian23/eq-4", "damian23/lemma-3"),
        reading=(
            "the stages are those of figure 2, with Y for the sharpness less 2/eta and X for |x|; "
            "each is one arc, and the curve is gone through twice"
        ),
    ),
]
