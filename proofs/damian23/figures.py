"""Figure 2: the experiment, run again in its quick form.

Setting: gradient descent on the loss of appendix B.
Claim: what a reader sees in the figure, as facts about the recorded run.
Reference: damian23, figure 2, section 4.1.

The paper gives neither the coefficients nor the learning rate nor the start; the experiment says
what was chosen, and its sweep how much that matters.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from eostheory.claims import Claim
from eostheory.experiments.damian23.four_stages import stages
from eostheory.experiments.evidence import gather
from eostheory.formula import Equation, Predicate, as_expr, scalar, vector

if TYPE_CHECKING:
    from eostheory.agree import Measured, Sample

stage = vector("stage", "visits", r"\text{stage}")
period = as_expr(4)
above = scalar("steps_above", r"\#\{t:S_t>2/\eta\}")
grow = scalar("growing_above", r"\#\{t:S_t>2/\eta,|x_{t+1}|>|x_t|\}")
below = scalar("steps_below", r"\#\{t:S_t<2/\eta\}")
shrink = scalar("shrinking_below", r"\#\{t:S_t<2/\eta,|x_{t+1}|<|x_t|\}")

FIGURE_2 = {
    "stages 1 to 4 in order": Predicate(
        "cyclic", (stage, period), "each stage follows the one before, and the first comes again"
    ),
    "blowup": Equation(grow, above),
    "return to stability": Equation(shrink, below),
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


def _cyclic(series: Measured, around: Measured) -> bool:
    visits = np.asarray(series.value)
    onward = (b == a % around.value + 1 for a, b in pairwise(visits))
    return len(visits) > around.value and bool(visits[0] == 1) and all(onward)


CLAIMS = [
    Claim(
        id="damian23/fig-2",
        statement=FIGURE_2,
        simulate=figure_2,
        examples={"quick": 1, "default": 1, "thorough": 1},
        rests_on=("damian23/appB.toy-model",),
        reading=(
            "the sharpness above or below 2/eta, rising or falling, makes four stages; for this "
            "loss the curvature along u is 2/eta + sqrt(beta) y, so that y > 0 is 'above'"
        ),
    ),
]
