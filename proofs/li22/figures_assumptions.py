"""Figures 13, 14, 17 and 20: what the assumptions say, along training.

Setting: gradient descent on digits; networks as wide as the printed ones (13, 14 and 17), two-layer
linear networks of the printed widths with a factor 1/sqrt(m) (20).
Claim: what a reader sees in the figures, as facts about the recorded runs.
Reference: li22, figures 13, 14, 17 and 20, appendix D.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eostheory.agree.facts import ONCE
from eostheory.claims import Claim
from eostheory.experiments.evidence import gather
from eostheory.experiments.li22.alignment import SIMILAR
from eostheory.formula import Equation, Inequality, Statement, scalar

from . import _figures as f

if TYPE_CHECKING:
    from eostheory.agree import Sample

EDGE = "the edge of stability is reached"
CONSTANT = "m |Gamma| has one bound for all widths"

second_below = scalar("second_below_edge", r"\#\{t:\lambda_2<2/\eta\}")
outlier = scalar("outlier", r"\#\{t:\lambda_2<\Lambda/2\}")
near = scalar("similar", r"\#\{t:|\langle v_1(t),v_1(0)\rangle|\ge0.98\}")
narrower = scalar("neighbouring_widths", r"\#\{m\}-1")
falls = scalar("gamma_falls", r"\#\{m<m':\max_t\|\Gamma_m\|>\max_t\|\Gamma_{m'}\|\}")
most = scalar("greatest_scaled_gamma", r"\max_m\max_t m\|\Gamma\|")
least = scalar("least_scaled_gamma", r"\min_m\max_t m\|\Gamma\|")

NETWORKS = ("linear", "tanh", "conv-tanh")
counted = {
    kind: scalar(f"small_{kind}", rf"\#\{{t:\lambda_{{\max}}(M_A)<\Lambda/2\}}\ (\text{{{kind}}})")
    for kind in NETWORKS
}
FIGURE_13: dict[str, Statement] = {
    f"{kind}: the output part is much smaller than the sharpness": Equation(small, f.steps)
    for kind, small in counted.items()
}
FIGURE_14: dict[str, Statement] = {
    "the second eigenvalue never reaches 2/eta": Equation(second_below, f.steps),
    "nor 1/eta": f.SECOND,
    "and is much smaller than the sharpness": Equation(outlier, f.steps),
    EDGE: f.REACHED,
}
FIGURE_17: dict[str, Statement] = {
    "similarity of v1 with its start": Equation(near, f.steps),
    EDGE: f.REACHED,
}
FIGURE_20: dict[str, Statement] = {
    "Gamma decreases as m grows": Equation(falls, narrower),
    CONSTANT: Inequality(most, "<", 2 * least),
    EDGE: f.REACHED,
}


def figure_13(sample: Sample) -> None:
    """The linear network of figure 4, and two of figure 17."""
    runs = {"linear": f.only(gather(sample, "li22/fig-4", label="linear"))}
    others = gather(sample, "li22/fig-17").parts
    for kind, run in (runs | {kind: others[kind] for kind in NETWORKS[1:]}).items():
        small = 2 * run["output part"] < run["sharpness"]
        sample.observe({counted[kind]: f.number(small), f.steps: float(len(small))})
        f.plot_sharpness(sample, kind, run, "output part")
        share = np.max(run["output part"] / run["sharpness"])
        sample.note(f"{kind}: largest eigenvalue of M_A over the sharpness at most {share:.3g}")


def figure_14(sample: Sample) -> None:
    """The networks of figure 17, of which the paper draws three."""
    for kind, run in gather(sample, "li22/fig-17").parts.items():
        counts = {
            second_below: f.number(run["second"] < run["edge"]),
            outlier: f.number(2 * run["second"] < run["sharpness"]),
        }
        sample.observe(f.spectrum_of(run) | counts | {f.ratio: f.over_edge(run)})
        f.plot_sharpness(sample, kind, run, "second")
    f.tests(sample)


def figure_17(sample: Sample) -> None:
    """Networks as wide as printed; beside them, and not judged, one that is far narrower."""
    parts = gather(sample, "li22/fig-17").parts
    for run in parts.values():
        alike = {near: f.number(run["alignment"] >= SIMILAR), f.steps: float(len(run["step"]))}
        sample.observe(alike | {f.ratio: f.over_edge(run)})
    f.tests(sample)
    lines = [f.line(run, run["alignment"], kind) for kind, run in parts.items()]
    sample.plot("similarity of v1(t) with v1(0)", "step", "|<v1(t), v1(0)>|", lines)
    for kind, run in parts.items():
        f.plot_sharpness(sample, kind, run)
    changes = {
        "networks": ("tanh",), "widths": (40,), "rises": (40.0,), "examples": 100, "steps": 160,
    }  # fmt: skip
    narrow = gather(sample, "li22/fig-17", "narrow", changes, label="40 instead of 200 neurons")
    run = f.only(narrow)
    lines = [f.line(run, run["alignment"], "|<v1(t), v1(0)>|")]
    lines += [
        f.line(run, run[name] / run["edge"], f"{text} over 2/eta")
        for name, text in (("sharpness", "sharpness"), ("second", "second eigenvalue"))
    ]
    sample.plot("not judged: a tanh network with 40 neurons to a layer", "step", "", lines)


WEAKER = tuple(
    f"{CONSTANT}:{change}"
    for change in (
        *(f"right 2*{least} {name}" for name in ("x2", "x1.001")),
        "right 2 +1",
        *(f"left {most} {name}" for name in ("x1/2", "x1.001", "sign")),
    )
)


def figure_20(sample: Sample) -> None:
    """Four widths."""
    found = gather(sample, "li22/fig-20")
    widths = sorted(found.settings.widths)
    runs = {m: found.parts[f"width-{m}"] for m in widths}
    largest = np.array([np.max(run["gamma"]) for run in runs.values()])
    scaled = largest * np.array(widths)
    sample.observe(
        {
            narrower: float(len(widths) - 1),
            falls: f.number(np.diff(largest) < 0),
            most: float(scaled.max()),
            least: float(scaled.min()),
        }
    )
    for run in runs.values():
        sample.observe({f.ratio: f.over_edge(run)})
    f.tests(sample)
    lines = [f.line(run, m * run["gamma"], f"m = {m}") for m, run in runs.items()]
    sample.plot("Gamma times the width", "step", "m |Gamma|", lines)
    lines = [f.line(run, f.over_edge(run), f"m = {m}") for m, run in runs.items()]
    sample.plot("the edge of stability", "step", "sharpness over 2/eta", lines)


CLAIMS = [
    Claim(
        id="li22/fig-13",
        statement=FIGURE_13,
        simulate=figure_13,
        examples=ONCE,
        since="default",
        budget=240.0,
        reading=(
            f"{f.DIGITS}; 'much smaller': less than half, at every step; 'hardly increases' is not "
            "judged; linear is the network of table 1, not the one of figure 1"
        ),
    ),
    Claim(
        id="li22/fig-14",
        statement=FIGURE_14,
        simulate=figure_14,
        examples=ONCE,
        since="default",
        budget=240.0,
        reading=(
            f"{f.DIGITS}; the caption says 2/eta, the text 1/eta; 'much smaller': less than half, "
            "at every step; the tanh convolutional network is not in the figure"
        ),
        waive=f.level(EDGE),
    ),
    Claim(
        id="li22/fig-17",
        statement=FIGURE_17,
        simulate=figure_17,
        examples=ONCE,
        since="default",
        budget=240.0,
        reading=(
            f"{f.DIGITS}; the architectures are not named: four of appendix A, as wide as printed. "
            "The width matters: a tanh network with 40 instead of 200 neurons to a layer leaves "
            "the direction for good, after the edge, when the second eigenvalue comes near the "
            "first; the notes and the last plot show it, the statement is not about it"
        ),
        waive=f.level(EDGE),
    ),
    Claim(
        id="li22/fig-20",
        statement=FIGURE_20,
        simulate=figure_20,
        examples=ONCE,
        since="default",
        reading=(
            f"{f.DIGITS}; 'of order 1/m', 'almost 24/m in all these experiments': the largest "
            "m |Gamma| differs by less than a factor of two, while the width does by five; 24 is "
            "for CIFAR-10, and grows with the scale of the inputs; Gamma is the change since the "
            "start, which is the one of appendix C.1 but for the Gram matrix of W"
        ),
        waive=f.level(EDGE) | dict.fromkeys(WEAKER, "a weaker bound, or a thousandth more"),
    ),
]
