"""li22, figure 20: the norm of Gamma along training for several widths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure

from eostheory.experiments.experiment import Experiment, Finding, Plot, setting
from eostheory.experiments.li22 import two_layers
from eostheory.experiments.li22.descent import PAPER, Common, crossing, thin
from eostheory.experiments.li22.networks import two_classes
from eostheory.experiments.plots import COLOURS, label, legend, panels
from eostheory.experiments.results import Results
from eostheory.experiments.session import Session
from eostheory.experiments.settings import SettingError

PRINTED = 24.0
"""The constant c_2 that the figure gives: |Gamma| <= c_2/m."""


@dataclass(frozen=True)
class Settings(Common):
    """Of figure 20."""

    widths: tuple[int, ...] = setting(
        (40, 80, 160, 200), "hidden neurons, even", paper="40, 80, 160, 200", least=2
    )
    rise: float = setting(1.005, "2/eta over the sharpness at the start", least=1.0)
    steps: int = setting(1000, "steps of gradient descent", least=20)


def _part(width: int) -> str:
    return f"width-{width}"


def run(settings: Settings, session: Session) -> None:
    """Descent for each width from the symmetric initialisation of section C.1."""
    if any(width % 2 for width in settings.widths):
        raise SettingError("widths must be even: the two halves of the neurons start alike")
    if all(session.finished(_part(width)) is not None for width in settings.widths):
        return
    data = two_classes(
        settings.data, settings.data_folder, settings.examples, settings.inputs, settings.classes
    )
    inputs, labels, on = data.inputs.flatten(1), data.signs(), session.device
    for width in settings.widths:
        draw = torch.Generator().manual_seed(settings.seed)
        outer, inner = two_layers.symmetric_start(width, inputs.shape[1], draw)
        task = two_layers.TwoLayers.of(
            inputs.to(on), labels.to(on), outer.to(on), inner.to(on), width**-0.5
        )
        eta = 2 / (settings.rise * task.sharpness(task.start))
        two_layers.descend(session, _part(width), task, eta, settings.steps, movement=True)


def draw(settings: Settings, results: Results) -> Figure:
    """Gamma with the largest value times m as a bound, sharpness, and the movement of W."""
    figure, (left, middle, right) = panels(1, 3, width=4.4, height=3.1)
    for width, colour in zip(settings.widths, COLOURS * 9, strict=False):
        found = results[_part(width)]
        step, rows = found["step"], thin(len(found["step"]))
        left.plot(
            step[rows], found["gamma"][rows] * width, color=colour, linewidth=1.0,
            label=f"m = {width}",
        )  # fmt: skip
        middle.plot(
            step[rows], (found["sharpness"] / found["edge"])[rows], color=colour, linewidth=0.9
        )
        right.plot(step[rows], (found["moved"] / found["inner"])[rows], color=colour, linewidth=1.0)
    if settings.data == "cifar10":
        left.axhline(PRINTED, color="grey", linestyle=":", linewidth=1.0)
    middle.axhline(1, color="black", linestyle="--", linewidth=0.9)
    label(left, "step", "m |Gamma|", "(a) Gamma times the width")
    label(middle, "step", "sharpness / (2/eta)", "(b) the edge of stability")
    label(right, "step", "|W - W(0)| / |W|", "(c) W moves")
    legend(left)
    return figure


def findings(settings: Settings, results: Results) -> list[Finding]:
    """The bound, and how it falls with the width."""
    widths = np.array(settings.widths, dtype=np.float64)
    parts = [results[_part(width)] for width in settings.widths]
    most = np.array([float(found["gamma"].max()) for found in parts])
    before = [float(f["gamma"][: (crossing(f) or 0) + 1].max()) for f in parts]
    reached = all(crossing(found) is not None for found in parts)
    printed = settings.data == "cifar10" and reached
    slope = float(np.polyfit(np.log(widths), np.log(most), 1)[0]) if len(widths) > 1 else np.nan
    spread = float((widths * most).max() / (widths * most).min())
    order = np.argsort(widths)
    factors = [b / a for a, b in zip(before, most, strict=True) if a > 0]
    return [
        Finding(
            "largest m |Gamma|",
            "almost 24",
            float((widths * most).max()),
            bool((widths * most).max() <= PRINTED) if printed else None,
            "" if printed else "printed for CIFAR-10; it grows with the scale of the inputs",
        ),
        Finding(
            "share of the widths that reach 2/eta",
            "all",
            sum(crossing(f) is not None for f in parts) / len(parts),
            reached,
        ),
        Finding(
            "largest m |Gamma|, greatest over least of the widths",
            "the largest |Gamma| is almost 24/m in all these experiments",
            spread,
            spread < 2 if reached and len(widths) > 1 else None,
            "read as: within a factor of two" if reached else "2/eta is not reached",
        ),
        Finding(
            "largest |Gamma| falls as the width grows",
            "decreases as m grows",
            ", ".join(f"m = {int(widths[i])}: {most[i]:.3g}" for i in order),
            bool((np.diff(most[order]) < 0).all()),
        ),
        Finding(
            "exponent of the largest |Gamma| in the width",
            "-1: of order 1/m along the whole trajectory",
            slope,
            None,
            "four widths, one draw each: the sweep over seeds shows the spread",
        ),
        Finding(
            "largest |Gamma|, over that before 2/eta",
            "increases by a constant factor at most, despite spikes",
            max(factors) if factors and reached else "2/eta is not reached",
            None,
            "the factor is not printed",
        ),
        Finding(
            "largest |W - W(0)| / |W|, for each width",
            "close to 1: W moves considerably (figure 21)",
            ", ".join(f"{float((f['moved'] / f['inner']).max()):.3g}" for f in parts),
            None,
            "on the span of the data; digits are fitted with smaller weights, so that W moves less",
        ),
    ]


EXPERIMENT = Experiment(
    name="li22/fig-20",
    title="the norm of Gamma along training, for several widths",
    claims=("li22/fig-20",),
    settings=Settings,
    run=run,
    parts=lambda settings: {_part(width): settings.steps + 1 for width in settings.widths},
    plots=(Plot("gamma", "m |Gamma(t)|, sharpness and movement of W for several widths.", draw),),
    findings=findings,
    variants={"quick": {"steps": 150}, "paper": {**PAPER, "steps": 2000}},
    choices="The initial Gram matrix (m/d) I of W that makes Gamma(0) = 0 needs m >= 2d, which no "
    "printed width has: here rows of W are normal with variance 1/d, halves alike, signs opposite, "
    "and Gamma is the change since the start, as the paper's remark on (10) reads. The step size "
    "is not printed: at this scale of A the sharpness grows by a few percent only, so that it "
    "begins right below 2/eta. How inputs are scaled is not printed either. Of the digits the "
    "classes are 3 and 8.",
    sweep={
        "seed": tuple(range(5)),
        "rise": (1.002, 1.005, 1.01),
        "inputs": ("raw", "standardized"),
    },
)
