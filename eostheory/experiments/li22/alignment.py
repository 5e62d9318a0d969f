"""li22, figure 17: the top eigenvector of M stays near its initial direction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from eostheory.experiments.experiment import Experiment, Finding, Plot, setting
from eostheory.experiments.li22 import drawing
from eostheory.experiments.li22.descent import (
    CHOICES,
    PAPER,
    Common,
    crossing,
    descend,
    problem,
    thin,
)
from eostheory.experiments.li22.networks import NETWORKS
from eostheory.experiments.plots import label, panels
from eostheory.experiments.results import Results
from eostheory.experiments.session import Session
from eostheory.experiments.settings import SettingError


@dataclass(frozen=True)
class Settings(Common):
    """Of figure 17."""

    networks: tuple[str, ...] = setting(
        ("linear", "tanh", "conv-tanh"), "one curve each",
        choices=tuple(n for n in NETWORKS if n != "resnet"),
    )  # fmt: skip
    widths: tuple[int, ...] = setting((20, 40, 8), "of each network", paper="200, 200, 32", least=1)
    rises: tuple[float, ...] = setting(
        (1.5, 40.0, 4.0), "2/eta over the sharpness at the start, of each network", least=1.0
    )
    steps: int = setting(400, "steps of gradient descent", least=1)


def run(settings: Settings, session: Session) -> None:
    """Descent on each network."""
    if not len(settings.networks) == len(settings.widths) == len(settings.rises):
        raise SettingError("widths and rises need a value for each of the networks")
    for kind, width, rise in zip(settings.networks, settings.widths, settings.rises, strict=True):
        if session.finished(kind) is None:
            task = problem(settings, kind, width, session.device)
            descend(session, kind, task, rise, settings.steps)


def draw(settings: Settings, results: Results) -> Figure:
    """Similarity above, sharpness below."""
    names = settings.networks
    figure, axes = panels(2, len(names), width=4.0, height=2.4)
    for index, kind in enumerate(names):
        found, rows = results[kind], thin(len(results[kind]["step"]))
        top, bottom = axes[index], axes[len(names) + index]
        top.plot(found["step"][rows], found["alignment"][rows], linewidth=1.0)
        top.axhline(0.98, color="grey", linestyle=":", linewidth=0.9)
        top.set_ylim(0, 1.02)
        label(top, "", "|<v1(t), v1(0)>|" if index == 0 else "", kind)
        drawing.sharpness(bottom, found)
    return figure


def findings(settings: Settings, results: Results) -> list[Finding]:
    """The least similarity, before and at the edge."""
    found = []
    printed = settings.data == "cifar10"
    for kind in settings.networks:
        records = results[kind]
        first, least = crossing(records), float(np.min(records["alignment"]))
        found += [
            Finding(
                f"{kind}: least |<v1(t), v1(0)>|",
                ">= 0.98",
                least,
                least >= 0.98 if printed and first is not None else None,
                "" if printed else "printed for CIFAR-10",
            ),
            Finding(
                f"{kind}: v1 is nearer to its initial direction than any other",
                "the first eigenvector changes slowly, even at the edge of stability",
                f"{100 * float((records['alignment'] ** 2 > 0.5).mean()):.1f} % of steps",
                # Squares of the components along a basis add up to one.
                least**2 > 0.5 if first is not None else None,
                "where the data are fitted the labels' direction may take over"
                if first is not None
                else "has not reached 2/eta",
            ),
            Finding(
                f"{kind}: least |<v1(t), v1(0)>| before 2/eta",
                ">= 0.98",
                float(np.min(records["alignment"][: (first or len(records["step"]) - 1) + 1])),
                None,
                "where phase I ends",
            ),
        ]
    return found


EXPERIMENT = Experiment(
    name="li22/fig-17",
    title="the top eigenvector of M beside its initial direction",
    claims=("li22/fig-17",),
    settings=Settings,
    run=run,
    parts=lambda settings: dict.fromkeys(settings.networks, settings.steps + 1),
    plots=(Plot("alignment", "|<v1(t), v1(0)>| and sharpness along training.", draw),),
    findings=findings,
    variants={
        "quick": {"examples": 20, "steps": 80, "widths": (20, 20, 4), "rises": (1.5, 20.0, 4.0)},
        "paper": {**PAPER, "widths": (200, 200, 32), "steps": 1000},
    },
    choices=CHOICES + " The architectures of figure 17 are not named.",
    sweep={"inputs": ("raw", "centred", "standardized"), "seed": tuple(range(3))},
)
