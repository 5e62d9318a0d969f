r"""Figures 1, 7 and 12: matrix completion with batch normalization, run again in a small form.

Setting:  a matrix of rank two, some of whose entries are known; gradient descent with weight decay.
Claims:   what captions and text say of the panels, as facts about the records of the run.
Source:   Lyu, Li, Arora, arXiv:2206.07085, section 1 and appendices P.1 and P.3.

The matrix is smaller than the paper's and the weight decay larger, so that the edge of stability is
reached in some three hundred steps.  So the printed numbers cannot be judged here: they stand in
the notes.  The experiments' default form has the paper's settings and ten draws.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from eostheory.agree.facts import ONCE, always, line, observe_counts
from eostheory.claims import Claim
from eostheory.experiments.evidence import Evidence, gather
from eostheory.formula import Predicate, Statement, as_expr, vector

from ._figures import Array, Mask, edge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eostheory.agree import Measured, Sample

SMALL = (
    "a matrix of side 16 and a weight decay of 0.05 show in 600 steps what the paper's show in "
    "tens of thousands; "
)

# ------------------------------------------------------------------------------ figure 1
drops = always("sharpness_drop", r"t\ \text{late}", r"\lambda^H_1(\theta_t)<\lambda^H_1/2")
lowers = always("low_rank", r"\text{draws}", r"\sigma_3/\sigma_2\ \text{falls}")
halves = always("test_loss", r"\text{draws}", r"\bar{\mathcal L}\ \text{falls below half}")
FIGURE_1 = {
    "spherical sharpness drops": drops,
    "which encourages low rank": lowers,
    "and the test loss decreases": halves,
}

falls = always("falls", r"\text{draws}", r"\bar{\mathcal L}\ \text{falls}")
widens = always("gap", r"\text{draws}", r"\sigma_2-\sigma_3\ \text{grows}")
softens = always("sharpness", r"t\ \text{late}", r"\lambda^H_1\ \text{below that at the edge}")
LOW_RANK = {
    "the test loss falls": falls,
    "the gap of singular values is enlarged": widens,
    "as the spherical sharpness falls": softens,
}


def figure_1(sample: Sample) -> None:
    """What drops and falls from where the sharpness meets 2/eta, or the train loss leaves zero."""
    found = gather(sample, "lyu22/fig-1")
    first = found.parts["draw-0"]
    sharp, rate = first["spherical sharpness"], edge(found.settings, first["length"])
    met = int(np.argmax(sharp > rate))
    late = sharp[met + (len(sharp) - met) // 2 :]
    draws = _from_the_edge(found)
    facts = {
        drops: late < sharp[met] / 2,
        lowers: np.array([d["s3"][-1] / d["s2"][-1] < d["s3"][0] / d["s2"][0] for d in draws]),
        halves: np.array([d["test loss"][-1] < d["test loss"][0] / 2 for d in draws]),
    }
    observe_counts(sample, facts, {})
    _panels(sample, first, rate, values=10)


def low_rank(sample: Sample) -> None:
    """The gap of singular values, where more entries are known."""
    found = gather(sample, "lyu22/fig-1", changes={"observations": 160})
    first, draws = found.parts["draw-0"], _from_the_edge(found)
    sharp, start = first["spherical sharpness"], _leaves_zero(first["train loss"])
    gaps = [d["s2"] - d["s3"] for d in draws]
    facts = {
        falls: np.array([d["test loss"][-1] < d["test loss"][0] for d in draws]),
        widens: np.array([g[-1] > g[0] for g in gaps]),
        softens: sharp[start + (len(sharp) - start) // 2 :] < sharp[start],
    }
    observe_counts(sample, facts, {})
    for name, columns in (("test loss", [d["test loss"] for d in draws]), ("s2 - s3", gaps)):
        lines = [
            line(f"draw {i}", np.arange(len(y), dtype=float), y) for i, y in enumerate(columns)
        ]
        sample.plot(f"{name} from the edge on", "record", name, lines)


def _from_the_edge(found: Evidence) -> list[dict[str, Array]]:
    """Columns of every draw from the record before the train loss leaves zero."""
    names = ("train loss", "test loss", "s2", "s3")
    first, others = found.parts["draw-0"], found.parts["others"]
    draws = [{name: first[name] for name in names}]
    for place in range(found.settings.draws - 1):
        draws.append({name: others[f"{name} {place}"] for name in names})
    starts = [_leaves_zero(one["train loss"]) - 1 for one in draws]
    return [
        {name: one[name][start:] for name in names}
        for one, start in zip(draws, starts, strict=True)
    ]


def _leaves_zero(train: Array) -> int:
    """The row at which a train loss exceeds its least value so far a thousandfold."""
    again = train > 1000 * np.minimum.accumulate(train)
    if not again.any():
        raise ArithmeticError("a draw has not reached the edge of stability")
    return int(np.argmax(again))


def _panels(sample: Sample, run: Mapping[str, Array], rate: Array, values: int) -> None:
    """Test loss, sharpness, train loss and singular values, as figures 1 and 12 have them."""
    step = run["step"]
    sample.plot("(a) Test loss", "step", "test loss", [line("test loss", step, run["test loss"])])
    two = {"spherical sharpness": run["spherical sharpness"], "2 / effective LR": rate}
    sample.plot(
        "(b) The edge of stability", "step", "value", [line(n, step, y) for n, y in two.items()]
    )
    train = [line("train loss", step, run["train loss"])]
    sample.plot("(c) Train loss", "step", "train loss", train, yscale="log")
    lines = [line(f"s{i}", step, run[f"s{i}"]) for i in range(1, values + 1)]
    sample.plot("(d) Singular values of the recovered matrix", "step", "value", lines)


# ------------------------------------------------------------------------------ figure 7
FIGURE_7 = {
    "the test loss starts to fall as soon as the sharpness": always(
        "together", r"\text{runs}", r"\text{both fall from the same record on, or the next}"
    ),
    "faster than before": always("faster", r"\text{runs}", r"\text{falls more after than before}"),
    "significantly": always("halves", r"\text{runs}", r"\text{falls below half}"),
}


def figure_7(sample: Sample) -> None:
    """Few and many entries, of one matrix."""
    found = gather(sample, "lyu22/fig-7")
    rows: list[tuple[bool, bool, bool]] = []
    for part, run in found.parts.items():
        sharp, test = run["spherical sharpness"], run["test loss"]
        rate = edge(found.settings, run["length"])
        met = int(np.argmax(sharp > rate))
        falls = [met + int(np.argmax(y[met:] < 0.95 * y[met])) for y in (sharp, test)]
        last = falls[0] - 1
        early, late = test[last - 2] - test[last], test[last] - test[last + 2]
        together = min(falls) > met and abs(falls[1] - falls[0]) <= 1
        rows.append((together, bool(late > max(early, 0.0)), bool(test[-1] < test[last] / 2)))
        _column(sample, part.replace("-", " "), run, rate)
    masks: list[Mask] = list(np.array(rows).T)
    observe_counts(sample, dict(zip(FIGURE_7.values(), masks, strict=True)), {})


def _column(sample: Sample, name: str, run: Mapping[str, Array], rate: Array) -> None:
    """What the figure has in a column for one number of entries."""
    step = run["step"]
    sample.plot(f"Test loss, {name}", "step", "test loss", [line(name, step, run["test loss"])])
    two = {"spherical sharpness": run["spherical sharpness"], "2 / effective LR": rate}
    lines = [line(label, step, y) for label, y in two.items()]
    sample.plot(f"The edge of stability, {name}", "step", "value", lines)


# ----------------------------------------------------------------------------- figure 12
ratio = vector("ratio", "steps", r"\frac{\lambda^H_1(\theta_t)}{2/\tilde\eta_t}")
turns = always(
    "regime",
    r"\text{stretches on one side}",
    r"\mathcal L\ \text{grows where}\ 2/\tilde\eta_t<\lambda^H_1,\ \text{else shrinks}",
)
FIGURE_12: dict[str, Statement] = {
    "2/eta switches back and forth": Predicate(
        "switches", (ratio, as_expr(1)), "crosses the printed value at least four times"
    ),
    "which causes the train loss to oscillate": turns,
}
LONG = 10
"""Steps of a stretch that tells: over fewer the oscillation of period two hides the trend."""


def figure_12(sample: Sample) -> None:
    """Every step around the entrance of the edge."""
    found = gather(sample, "lyu22/fig-12")
    run = found.parts["close-up"]
    rate = edge(found.settings, run["length"])
    above = run["spherical sharpness"] / rate
    observe_counts(sample, {turns: _turns(run["train loss"], above > 1)}, {ratio: above})
    sample.predicate("switches", _switches)
    _panels(sample, run, rate, values=10)


def _switches(series: Measured, level: Measured) -> bool:
    above = np.asarray(series.value) > level.value
    return int(np.count_nonzero(above[1:] != above[:-1])) >= 4


def _turns(train: Array, above: Mask) -> Mask:
    """Whether the loss grew over each long stretch above, and shrank over each below."""
    cuts = [0, *(np.flatnonzero(above[1:] != above[:-1]) + 1), len(above)]
    stretches = [(a, b) for a, b in pairwise(cuts) if b - a >= LONG]
    grew = [train[b - 2 : b].mean() > train[a : a + 2].mean() for a, b in stretches]
    return np.array([up == above[a] for up, (a, _) in zip(grew, stretches, strict=True)])


CLAIMS = [
    Claim(
        id="lyu22/fig-1",
        statement=FIGURE_1,
        simulate=figure_1,
        examples=ONCE,
        since="default",
        rests_on=("lyu22/eq-1", "lyu22/appP1.train-loss"),
        reading=SMALL + "'drops significantly' and 'decreases' are read as: to less than half, "
        "the sharpness in the second half of the time after it met 2/eta, the test loss in the "
        "end; 'low rank': the third singular value loses against the second",
    ),
    Claim(
        id="lyu22/appP1.lowrank",
        statement=LOW_RANK,
        simulate=low_rank,
        examples=ONCE,
        since="default",
        rests_on=("lyu22/appP1.train-loss",),
        reading=SMALL + "from where the train loss leaves zero to the end of the run; 160 entries "
        "are known, as with fewer the gap hardly grows for a matrix as small",
    ),
    Claim(
        id="lyu22/fig-7",
        statement=FIGURE_7,
        simulate=figure_7,
        examples=ONCE,
        since="default",
        rests_on=("lyu22/appP1.train-loss",),
        reading=SMALL + "two numbers of entries stand for 400 to 1600; 'starts' is where a "
        "twentieth is lost since the sharpness met 2/eta, 'significantly' a half in the end",
    ),
    Claim(
        id="lyu22/fig-12",
        statement=FIGURE_12,
        simulate=figure_12,
        examples=ONCE,
        since="default",
        rests_on=("lyu22/appP1.train-loss",),
        reading=SMALL + "that one causes the other is read as: in each of the two sub-regimes of "
        "appendix P.3 the loss goes the way that they say",
        waive={"*x1.001": "a series that crosses one crosses 1.001"},
    ),
]
