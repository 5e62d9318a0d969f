"""Figures 1, 4 and 5: networks at the edge of stability, trained again in the quick form.

Setting: full-batch gradient descent on digits, with squared error, in place of CIFAR-10 and SST-2.
Claim: what a reader sees in the figures, as facts about the recorded runs.
Reference: damian23, figures 1, 4 and 5, sections 1.2, 6 and 8.2, appendix D.

What the paper leaves unsaid (initialization, scale of the loss, displacement at the edge) the
experiments list, and their sweeps show how much it matters.  The paper's learning rates, steps and
sharpnesses belong to its data: they stand in the notes and are no part of the statements.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eostheory.agree.facts import ONCE, always, line, observe_counts
from eostheory.claims import Claim
from eostheory.experiments.damian23.predicted_findings import (
    LARGER_PART,
    explained,
    first_cycle,
    two_step,
)
from eostheory.experiments.evidence import gather
from eostheory.formula import Predicate, Statement, as_expr, vector

if TYPE_CHECKING:
    from collections.abc import Callable

    from eostheory.agree import Measured, Sample

# ------------------------------------------------------------------------------ figure 4
tracked = always(
    "tracked",
    r"\text{loss, sharpness, distance}",
    r"\text{the prediction explains the larger part of its variation over a cycle}",
)
nearer = always("nearer", r"t\ \text{in a cycle}", r"\|v_t-\mathring v_t\|<\|v_t\|")
FIGURE_4: dict[str, Statement] = {
    "the predicted dynamics track gradient descent": tracked,
    "nearer than the constrained trajectory": nearer,
}


def figure_4(network: str) -> Callable[[Sample], None]:
    """The run of a network from the edge on."""

    def simulate(sample: Sample) -> None:
        found = gather(sample, f"damian23/fig-4.{network}")
        run, flow = found.parts["deviation"], found.parts["flow"]
        step, reference = run["step"], run["constrained loss"]
        cycle = slice(0, first_cycle(run["y"])[1] + 1)
        curves = {
            "loss": (run["loss"], run["predicted loss"]),
            "sharpness": (run["mean sharpness"], two_step(run["predicted sharpness"])),
            "distance": (run["deviation"], run["predicted deviation"]),
        }
        # The loss above the constrained trajectory's: that falls, whatever the prediction says.
        base = {"loss": reference, "sharpness": 0 * step, "distance": 0 * step}
        shares = [
            explained((true - base[name])[cycle], (said - base[name])[cycle])
            for name, (true, said) in curves.items()
        ]
        facts = {
            tracked: np.array(shares) > LARGER_PART,
            nearer: run["error"][cycle] < run["deviation"][cycle],
        }
        observe_counts(sample, facts, {})
        time = flow["time"] / found.settings.eta
        others = {
            "loss": [line("constrained trajectory", step, reference)],
            "sharpness": [line("constrained trajectory", step, run["constrained sharpness"])],
            "distance": [line("delta", step, run["delta"])],
        }
        others["loss"].append(line("gradient flow", time, flow["loss"]))
        others["sharpness"].append(line("gradient flow", time, flow["sharpness"]))
        for name, (true, said) in curves.items():
            both = [line("gradient descent", step, true), line("predicted dynamics", step, said)]
            sample.plot(name, "steps after the edge", name, both + others[name])

    return simulate


# ------------------------------------------------------------------------------ figure 1
sharpness = vector("S", "steps", r"\tfrac{\eta}{2}S_t")
rises = always("rises", r"t\ \text{up to instability}", r"S_{t+1}>S_t")
FIGURE_1: dict[str, Statement] = {
    "progressive sharpening": rises,
    "then the sharpness hovers at 2/eta": Predicate(
        "hovers", (sharpness, as_expr(1)), "falls below and comes back above"
    ),
}


def figure_1(sample: Sample) -> None:
    """The way to the edge, and the cycle after it."""
    found = gather(sample, "damian23/fig-4.mlp")
    way, run = found.parts["approach"], found.parts["deviation"]
    edge = 2 / found.settings.eta
    # Of two steps, as figure 4 has it: the single ones oscillate, as x does.
    mean = run["mean sharpness"][1:] / edge
    observe_counts(sample, {rises: np.diff(way["sharpness"]) > 0}, {sharpness: mean})
    sample.predicate("hovers", _hovers)
    step = np.concatenate((way["step"], way["step"][-1] + run["step"][1:]))
    for name in ("sharpness", "loss"):
        values = np.concatenate((way[name], run[name][1:]))
        sample.plot(name, "step", name, [line("gradient descent", step, values)])


def _hovers(series: Measured, level: Measured) -> bool:
    above = np.asarray(series.value) > level.value
    return bool(above[0] and np.count_nonzero(above[1:] != above[:-1]) >= 2)


# ------------------------------------------------------------------------------ figure 5
entered = always(
    "entered",
    r"\lambda_1,\lambda_2,\dots",
    r"\lambda_i\ \text{comes to}\ 2/\eta,\ \text{after}\ \lambda_{i-1}",
)
chaos = always(
    "chaos",
    r"0,\ \chi_{\text{one unstable}}",
    r"\text{less than}\ \chi_{\text{several unstable}}",
)
FIGURE_5: dict[str, Statement] = {
    "successively enter the edge of stability": entered,
    "more chaotic when several are unstable": chaos,
}


def figure_5(sample: Sample) -> None:
    """The top eigenvalues, and the rate at which neighbouring runs part."""
    found = gather(sample, "damian23/fig-5")
    run, settings = found.parts["descent"], found.settings
    names = ["sharpness", *(f"eigenvalue {i}" for i in range(2, settings.eigenvalues + 1))]
    step, values = run["step"], np.stack([run[name] * settings.eta / 2 for name in names])
    # From below: at the initial weights some may be above, and gradient descent leaves there.
    comes = (values[:, :-1] < 1) & (values[:, 1:] >= 1)
    rows = np.where(comes.any(1), comes.argmax(1) + 1, len(step))
    order = np.diff(rows, prepend=0) > 0
    first = int(rows[0])
    unstable = (values >= 1).sum(0)[first:-1]
    rate = (np.diff(run["growth"]) / np.diff(step))[first:]
    one, several = (float(rate[at].mean()) for at in (unstable == 1, unstable >= 2))
    facts = {entered: order & comes.any(1), chaos: several > np.array([0, one])}
    observe_counts(sample, facts, {})
    lines = [line(f"eigenvalue {i}", step, value) for i, value in enumerate(values, 1)]
    sample.plot("eigenvalues over 2/eta", "step", "eigenvalue eta/2", lines)
    sample.plot("training loss", "step", "loss", [line("loss", step, run["loss"])])


BUDGET = 480.0
"""Seconds: a run takes ten on a core that does nothing else."""

DIGITS = "on digits, with a small network and a larger learning rate, in place of "
CLAIMS = [
    *(
        Claim(
            id=f"damian23/fig-4.{network}",
            statement=FIGURE_4,
            simulate=figure_4(network),
            examples=ONCE,
            since="default",
            budget=BUDGET,
            rests_on=("damian23/lemma-4", "damian23/thm-1"),
            reading=(
                f"{DIGITS}{data}; 'track' is: over the first cycle (over all steps, where they end "
                "within it) the prediction explains more than half of the variation; the loss is "
                "taken above that of the constrained trajectory"
            ),
        )
        for network, data in (
            ("mlp", "CIFAR-10"),
            ("cnn", "CIFAR-10"),
            ("transformer", "SST-2 (the rows of an image are its words)"),
        )
    ),
    Claim(
        id="damian23/fig-1",
        statement=FIGURE_1,
        simulate=figure_1,
        examples=ONCE,
        since="default",
        budget=BUDGET,
        reading=(
            f"{DIGITS}CIFAR-10, so that the printed step (2200) and level (100) are not judged; "
            "'hovers' is: once it has passed 2/eta the mean of two steps falls below and comes "
            "back; as in figure 4 the run is displaced along u at the edge, by 0.3 delta"
        ),
        waive={"*x1.001": "a thousandth is small against the swing of a tenth"},
    ),
    Claim(
        id="damian23/fig-5",
        statement=FIGURE_5,
        simulate=figure_5,
        examples=ONCE,
        since="default",
        budget=BUDGET,
        reading=(
            f"{DIGITS}the data of the figure, which the paper does not name; 'chaotic' is measured "
            "by the growth rate chi of a small difference between two runs, averaged over the rows "
            "with one or with several eigenvalues above 2/eta"
        ),
    ),
]
