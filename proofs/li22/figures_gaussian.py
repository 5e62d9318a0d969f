"""Figures 11 and 12: two-layer linear networks on Gaussian data.

Setting: gradient descent on data drawn from a normal distribution.
Claim: what a reader sees in the figures, as facts about the recorded runs.
Reference: li22, figures 11 and 12, appendix B.1.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eostheory.agree.facts import ONCE
from eostheory.claims import Claim
from eostheory.experiments.evidence import gather
from eostheory.experiments.li22.anisotropic import TITLES
from eostheory.experiments.li22.gaussian import ZERO
from eostheory.formula import Equation, Inequality, Statement, scalar

from . import _figures as f

if TYPE_CHECKING:
    from eostheory.agree import Sample

late = scalar("steps_from_hundred", r"\#\{t\ge100\}")
gone = scalar("loss_is_gone", r"\#\{t\ge100:\mathcal L(t)<10^{-3}\mathcal L(0)\}")
below = scalar("steps_below_edge", r"\#\{t:\Lambda<2/\eta\}")
along_first = scalar("growth_along_first", r"\max_t\Lambda/\Lambda(0)\ (v_1)")
along_late = scalar("growth_along_late", r"\max_t\Lambda/\Lambda(0)\ (v_{400})")
at_random = scalar("growth_at_random", r"\max_t\Lambda/\Lambda(0)\ (\mathrm{Unif})")

RISES = "the sharpness rises above 2/eta"
AROUND = "the edge of stability is seen"
SMALL = "the sharpness grows little for labels along v1, beside a late eigenvector"
SMALLER = "and beside random labels"

FIGURE_11: dict[str, Statement] = {
    RISES: f.REACHED,
    AROUND: f.AROUND,
    "within tens of epochs the loss is zero": Equation(gone, late),
}
FIGURE_12: dict[str, Statement] = {
    "training stays below the edge": Equation(below, f.steps),
    SMALL: Inequality(along_first, "<", along_late),
    SMALLER: Inequality(along_first, "<", at_random),
}


def figure_11(sample: Sample) -> None:
    """A run of more than a hundred steps."""
    run = f.only(gather(sample, "li22/fig-11"))
    loss = run["loss"]
    tail = loss[100:]
    sample.observe({f.ratio: f.over_edge(run)})
    sample.observe({late: float(len(tail)), gone: f.number(tail < ZERO * loss[0])})
    f.tests(sample)
    f.plot_sharpness(sample, "(a) sharpness", run)
    sample.plot("(b) loss", "step", "loss", [f.line(run, loss, "loss")], yscale="log")


def figure_12(sample: Sample) -> None:
    """Runs on three kinds of labels, and on images."""
    parts = gather(sample, "li22/fig-12").parts
    for run in parts.values():
        ratio = f.over_edge(run)
        sample.observe({f.steps: float(len(ratio)), below: f.number(ratio < 1)})
    kinds = {at_random: "random", along_first: "top", along_late: "bottom"}
    growth = {part: np.max(run["sharpness"]) / run["sharpness"][0] for part, run in parts.items()}
    sample.observe({letter: float(growth[part]) for letter, part in kinds.items()})
    lines = [f.line(run, run["sharpness"], TITLES[part]) for part, run in parts.items()]
    sample.plot("sharpness, by the kind of labels", "step", "sharpness", lines)


CLAIMS = [
    Claim(
        id="li22/fig-11",
        statement=FIGURE_11,
        simulate=figure_11,
        examples=ONCE,
        since="default",
        reading=(
            "fewer data of a smaller dimension, about as many examples to an entry as printed; "
            "'within tens of epochs': from the hundredth step on, the loss is less than a "
            "thousandth of the first; 2/eta is not printed"
        ),
        waive=f.level(RISES) | f.level(AROUND),
    ),
    Claim(
        id="li22/fig-12",
        statement=FIGURE_12,
        simulate=figure_12,
        examples=ONCE,
        since="default",
        reading=(
            "mean and covariance are those of the digits, 20 examples and v16 stand for 500 and "
            "v400; that random labels on Gaussian data and the images show 'a similar degree' of "
            "sharpening is in the findings: no number is printed, and the images are others"
        ),
        waive=(f.lax(SMALL, along_first, along_late) | f.lax(SMALLER, along_first, at_random)),
    ),
]
