"""Figures 1 to 3: the experiments, run again in their quick form.

Setting: gradient descent on two classes of digits, the Gram matrix M at every step.
Claim: what a reader sees in the figures, as facts about the recorded runs.
Reference: li22, figures 1 to 3, sections 3.1, 3.2 and 3.4.

The paper prints no step sizes; the experiments say what was chosen, and their sweeps how much that
matters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eostheory.agree.facts import ONCE
from eostheory.claims import Claim
from eostheory.experiments.evidence import gather
from eostheory.formula import Equation, Inequality, Statement, scalar

from . import _figures as f

if TYPE_CHECKING:
    from eostheory.agree import Sample

rest_first = scalar("rest_at_the_start", r"\|R(0)\|^2/n")
rest_last = scalar("rest_at_the_end", r"\|R(T)\|^2/n")
sharp = scalar("outlier", r"\#\{t:\lambda_2<\Lambda/2\}")

QUICKLY = "it drops quickly, back below 2/eta"
AROUND = "it oscillates around 2/eta"
EDGE = "2/eta is reached"
FALLS = "the residual off v1 decreases"
STEADY = "more steadily than the loss"

FIGURE_1: dict[str, Statement] = {
    "the sharpness increases until 2/eta": f.RISES,
    "the loss decreases until then": f.FALLS,
    QUICKLY: f.DROPS,
    AROUND: f.AROUND,
    "the four phases come cyclically": f.CYCLE,
}
FIGURE_3A: dict[str, Statement] = {
    "the second eigenvalue is below 1/eta": f.SECOND,
    "and much smaller than the sharpness": Equation(sharp, f.steps),
    "the output part is much smaller than the sharpness": f.OUTPUT,
}
FIGURE_3B: dict[str, Statement] = {
    FALLS: Inequality(rest_last, "<", rest_first),
    STEADY: f.STEADIER,
}


def figure_1(sample: Sample) -> None:
    """The run, and the order of its phases."""
    run = f.only(gather(sample, "li22/fig-1"))
    sample.observe(f.start_of(run))
    sample.observe(f.fall_of(run))
    sample.observe({f.ratio: f.over_edge(run)} | f.phases_of(run))
    f.tests(sample)
    f.plot_sharpness(sample, "(a) sharpness", run)
    sample.plot("(a) loss", "step", "loss", [f.line(run, run["loss"], "loss")], yscale="log")


def figure_2(sample: Sample) -> None:
    """Three networks, one after the other."""
    for kind, run in gather(sample, "li22/fig-2").parts.items():
        sample.observe(f.moves_of(run) | {f.ratio: f.over_edge(run)})
        f.plot_norm(sample, kind, run)
    f.tests(sample)


def figure_3a(sample: Sample) -> None:
    """Two eigenvalues of M, and its output part."""
    run = f.only(gather(sample, "li22/fig-3"))
    outlier = {sharp: f.number(2 * run["second"] < run["sharpness"])}
    sample.observe(f.spectrum_of(run) | outlier)
    f.plot_sharpness(sample, "spectrum", run, "second", "output part")


def figure_3b(sample: Sample) -> None:
    """Loss and residual."""
    run = f.only(gather(sample, "li22/fig-3"))
    ends = {rest_first: float(run["rest"][0]), rest_last: float(run["rest"][-1])}
    sample.observe(f.rises_of(run) | ends)
    f.plot_residual(sample, "loss, and residual without v1", run)


CLAIMS = [
    Claim(
        id="li22/fig-1",
        statement=FIGURE_1,
        simulate=figure_1,
        examples=ONCE,
        since="default",
        reading=(
            f"{f.DIGITS}; two hidden layers, as the caption says; phases go by the mean of the "
            "sharpness over two steps; 'quickly': in fewer steps than it took to rise from 2/eta; "
            "for one draw of the weights: of others the sweep shows some whose sharpness falls in "
            "a step before 2/eta, or which have gone through the phases only once when the run ends"
        ),
        waive=f.lax(QUICKLY, f.down, f.up) | f.level(AROUND),
    ),
    Claim(
        id="li22/fig-2",
        statement={"most of the time in the same direction": f.TOGETHER, EDGE: f.REACHED},
        simulate=figure_2,
        examples=ONCE,
        since="default",
        reading=(
            f"{f.DIGITS}; of the panels only the ResNet18 is named, for which a small ResNet "
            "stands; the others are a linear and a tanh network; 'most of the time' is more than "
            "half of the steps"
        ),
        waive=f.level(EDGE),
    ),
    Claim(
        id="li22/fig-3a",
        statement=FIGURE_3A,
        simulate=figure_3a,
        examples=ONCE,
        since="default",
        reading=f"{f.DIGITS}; 'negligible' and 'far below': less than half, at every step",
    ),
    Claim(
        id="li22/fig-3b",
        statement=FIGURE_3B,
        simulate=figure_3b,
        examples=ONCE,
        since="default",
        reading=(
            f"{f.DIGITS}; 'more steadily': all its rises, added up, over the value at the start, "
            "are less than those of the loss"
        ),
        waive=(f.lax(STEADY, f.rest_rises, f.loss_rises) | f.lax(FALLS, rest_last, rest_first)),
    ),
]
