r"""Figures 2, 9, 11 and 13: scale-invariant networks, run again in a small form on digits.

Setting:  full-batch gradient descent with weight decay on a VGG and a ResNet, scale-invariant.
Claims:   what captions say of sharpness and test accuracy, as facts about the records of the run.
Source:   Lyu, Li, Arora, arXiv:2206.07085, section 1, appendices P.2 and P.3.

The paper's images are those of CIFAR-10.  Its steps and accuracies cannot be judged on others: they
stand in the notes, beside what was measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eostheory.agree.facts import ONCE, always, line, observe_counts
from eostheory.claims import Claim
from eostheory.experiments.evidence import Evidence, gather

from ._figures import Array, edge, medians

if TYPE_CHECKING:
    from eostheory.agree import Sample

DIGITS = (
    "digits and a small network instead of CIFAR-10, so that the printed steps and accuracies are "
    "no part of the statement; "
)
AFTER = (
    "after all training images are classified rightly, the medians of three equal stretches "
    "of time fall, the first below the value at that step; and every record of the second half "
    "has a higher test accuracy than that step"
)
PIECES = 3

FIGURE_2 = {
    "the spherical sharpness keeps decreasing": always(
        "sharpness_falls", r"\text{stretches}", r"\lambda^H_1\ \text{lower than before}"
    ),
    "and the test accuracy increases": always(
        "accuracy_rises", r"t\ \text{late}", r"\text{accuracy above that when fitted}"
    ),
}


def figure_2(sample: Sample) -> None:
    """The VGG."""
    _after_fitting(sample, gather(sample, "lyu22/fig-2"))


def figure_9(sample: Sample) -> None:
    """The ResNet."""
    _after_fitting(sample, gather(sample, "lyu22/fig-9"))


def _after_fitting(sample: Sample, found: Evidence) -> None:
    run = found.parts["descent"]
    accuracy, sharp = run["test accuracy"], run["spherical sharpness"]
    if not (run["train accuracy"] == 1).any():
        sample.reject("the training images are not fitted")
    fitted = int(np.argmax(run["train accuracy"] == 1))
    levels = np.append(sharp[fitted], medians(sharp[fitted + 1 :], PIECES))
    late = accuracy[fitted + (len(accuracy) - fitted) // 2 :]
    facts = (np.diff(levels) < 0, late > accuracy[fitted])
    observe_counts(sample, dict(zip(FIGURE_2.values(), facts, strict=True)), {})
    step = run["step"]
    sample.note(f"all training images are classified rightly from step {step[fitted]:.0f} on")
    shares = {name: 100 * run[name] for name in ("train accuracy", "test accuracy")}
    sample.plot("(a) Accuracy", "step", "%", [line(n, step, y) for n, y in shares.items()])
    _edge(sample, "(b) The edge of stability", step, sharp, edge(found.settings, run["length"]))
    train = [line("train loss", step, run["loss"])]
    sample.plot("Train loss", "step", "train loss", train, yscale="log")


def _edge(sample: Sample, title: str, step: Array, sharp: Array, rate: Array) -> None:
    two = {"spherical sharpness": sharp, "2 / effective LR": rate}
    lines = [line(name, step, y) for name, y in two.items()]
    sample.plot(title, "step", "value", lines, yscale="log")


# ----------------------------------------------------------------------------- figure 11
FEW, DECADE = 5, 10.0
FIGURE_11 = {
    "much larger initially": always(
        "large", r"t<5:\ \text{another level}", r"\lambda^H_1>10\cdot2/\tilde\eta_t"
    ),
    "then reduced to the same level": always(
        "level", r"t\ge5", r"\lambda^H_1\ \text{at the level of}\ 2/\tilde\eta_t"
    ),
}


def figure_11(sample: Sample) -> None:
    """The VGG's first steps, each measured."""
    found = gather(sample, "lyu22/fig-2", changes={"every": 1, "steps": 30})
    run = found.parts["descent"]
    sharp, rate = run["spherical sharpness"], edge(found.settings, run["length"])
    ratio = sharp / rate
    level = np.abs(np.log10(ratio)) < 0.5
    facts = (ratio[:FEW][~level[:FEW]] > DECADE, level[FEW:])
    observe_counts(sample, dict(zip(FIGURE_11.values(), facts, strict=True)), {})
    sample.note(f"spherical sharpness over 2 / effective rate: {ratio[0]:.3g} at first")
    sample.note(f"from step {FEW} on {ratio[FEW:].min():.3g} to {ratio[FEW:].max():.3g}")
    _edge(sample, "The first steps", run["step"], sharp, rate)


# ----------------------------------------------------------------------------- figure 13
MIDDLE, WINDOW = 200, 36
FIGURE_13 = {
    "2/eta is always smaller than the spherical sharpness": always(
        "above", r"t", r"2/\tilde\eta_t<\lambda^H_1"
    ),
    "the loss still fluctuates periodically": always(
        "periods", r"\text{peaks of}\ \mathcal L", r"\text{the next comes within two periods}"
    ),
    "and so does the gradient norm": always(
        "together", r"\text{peaks of}\ \mathcal L", r"\text{a peak of}\ \|\nabla\mathcal L\|"
    ),
}


def figure_13(sample: Sample) -> None:
    """The VGG's run is followed unseen to its middle; from there every step is measured."""
    import torch

    from eostheory.experiments.lyu22.scale_invariant import prepared
    from eostheory.experiments.lyu22.vgg import EXPERIMENT, network
    from eostheory.experiments.settings import chosen
    from eostheory.training import gradient_descent

    settings = chosen(EXPERIMENT, variant="quick")
    ready = prepared(settings, network, torch.device("cpu"))
    eta, decay = settings.eta, settings.decay
    way = gradient_descent(
        ready.objective, ready.start, eta, MIDDLE, decay=decay, every=MIDDLE, measure=()
    )
    run = gradient_descent(
        ready.objective,
        way.w,
        eta,
        WINDOW,
        decay=decay,
        measure=("sharpness", "spherical"),
        scale_invariant=True,
    ).records
    sharp, rate = run["spherical sharpness"], edge(settings, run["length"])
    sizes = {"train loss": run["loss"], "gradient norm": run["gradient"]}
    loss, gradient = (_peaks(values) for values in sizes.values())
    gaps = np.diff(loss)
    if len(gaps) < 2:
        raise ArithmeticError("fewer than three peaks: the loss does not fluctuate")
    period = float(np.median(gaps))
    beside = np.abs(loss[:, None] - gradient).min(axis=1) <= 2
    facts = (sharp > rate, gaps < 2 * period, beside)
    observe_counts(sample, dict(zip(FIGURE_13.values(), facts, strict=True)), {})
    sample.note(f"the loss has {len(loss)} peaks, {gaps.min()} to {gaps.max()} steps apart")
    step = run["step"] + MIDDLE
    _edge(sample, "2 / effective LR and spherical sharpness", step, sharp, rate)
    for name, values in sizes.items():
        sample.plot(name, "step", name, [line(name, step, values)])


def _peaks(values: Array) -> npt.NDArray[np.int_]:
    """Where the mean of two consecutive steps, which has no oscillation of period two, peaks."""
    mean = (values[1:] + values[:-1]) / 2
    return 1 + np.flatnonzero((mean[1:-1] > mean[:-2]) & (mean[1:-1] > mean[2:]))


CLAIMS = [
    Claim(
        id="lyu22/fig-2",
        statement=FIGURE_2,
        simulate=figure_2,
        examples=ONCE,
        since="default",
        rests_on=("lyu22/eq-1", "lyu22/appP2.setup"),
        reading=DIGITS + AFTER,
    ),
    Claim(
        id="lyu22/fig-9",
        statement=FIGURE_2,
        simulate=figure_9,
        examples=ONCE,
        since="default",
        rests_on=("lyu22/appP2.setup",),
        reading=DIGITS + AFTER + "; first weights of seed 0 (so it is with seed 1; with seed 2 "
        "one of six late records equals that step's)",
    ),
    Claim(
        id="lyu22/fig-11",
        statement=FIGURE_11,
        simulate=figure_11,
        examples=ONCE,
        since="default",
        rests_on=("lyu22/appP2.setup",),
        reading=DIGITS + "'much larger' is more than ten times, 'the same level' the same power of "
        "ten, 'a few' fewer than five; 30 steps stand for 1500",
    ),
    Claim(
        id="lyu22/fig-13",
        statement=FIGURE_13,
        simulate=figure_13,
        examples=ONCE,
        since="default",
        rests_on=("lyu22/appP2.setup",),
        reading=DIGITS + "36 steps from step 200 on stand for 200 in the middle of the training; "
        "peaks are those of the mean of two consecutive steps; 'periodically' is read as: the next "
        "comes within twice the median distance; the gradient's lie within two steps of the loss's",
    ),
]
