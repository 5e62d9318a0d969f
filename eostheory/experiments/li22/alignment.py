"""li22, figures 13, 14 and 17: M of several architectures along training.

The largest eigenvalue of its output part (13), its second eigenvalue (14), and its top
eigenvector beside the initial one (17).  How far v1 turns depends on the width: the networks here
are as wide as the printed ones, the variant ``narrow`` shows a fifth of it or less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from eostheory.experiments.experiment import Experiment, Finding, Plot, setting
from eostheory.experiments.li22 import drawing, facts
from eostheory.experiments.li22.descent import (
    CHOICES,
    NARROW,
    PAPER,
    Common,
    crossing,
    descend,
    problem,
    thin,
)
from eostheory.experiments.li22.networks import NETWORKS
from eostheory.experiments.plots import label, legend, panels
from eostheory.experiments.results import Results
from eostheory.experiments.session import Session
from eostheory.experiments.settings import SettingError

SIMILAR = 0.98
"""What the paper reads off figure 17."""


def printed_width(kind: str) -> int:
    """Neurons of a hidden layer, or channels, of tables 1 to 3."""
    return 32 if kind.startswith("conv-") else 200


@dataclass(frozen=True)
class Settings(Common):
    """Of figure 17."""

    networks: tuple[str, ...] = setting(
        ("linear", "tanh", "conv-tanh", "conv-elu"), "one curve each",
        choices=tuple(n for n in NETWORKS if n != "resnet"),
    )  # fmt: skip
    widths: tuple[int, ...] = setting(
        (200, 200, 32, 32), "of each network", paper="200, 200, 32, 32", least=1
    )
    rises: tuple[float, ...] = setting(
        (1.1, 10.0, 2.5, 2.5), "2/eta over the sharpness at the start, of each network", least=1.0
    )
    steps: int = setting(300, "steps of gradient descent", least=1)


def run(settings: Settings, session: Session) -> None:
    """Descent on each network."""
    if not len(settings.networks) == len(settings.widths) == len(settings.rises):
        raise SettingError("widths and rises need a value for each of the networks")
    for kind, width, rise in zip(settings.networks, settings.widths, settings.rises, strict=True):
        if session.finished(kind) is None:
            task = problem(settings, kind, width, session.device)
            descend(session, kind, task, rise, settings.steps)


def draw(settings: Settings, results: Results) -> Figure:
    """Similarity above, eigenvalues below."""
    names = settings.networks
    figure, axes = panels(2, len(names), width=4.0, height=2.4)
    for index, kind in enumerate(names):
        found, rows = results[kind], thin(len(results[kind]["step"]))
        top, bottom = axes[index], axes[len(names) + index]
        top.plot(found["step"][rows], found["alignment"][rows], linewidth=1.0)
        top.axhline(SIMILAR, color="grey", linestyle=":", linewidth=0.9)
        top.set_ylim(0, 1.02)
        label(top, "", "|<v1(t), v1(0)>|" if index == 0 else "", kind)
        drawing.sharpness(bottom, found)
        for name, text in (("second", "second of M"), ("output part", "largest of M_A")):
            bottom.plot(found["step"][rows], found[name][rows], linewidth=1.0, label=text)
        if index == 0:
            legend(bottom, loc="center right")
    return figure


def findings(settings: Settings, results: Results) -> list[Finding]:
    """Of each network: the edge, the similarity, the second eigenvalue and the output part."""
    found = []
    for kind, width in zip(settings.networks, settings.widths, strict=True):
        records = results[kind]
        first = crossing(records)
        there, wide = first is not None, width >= printed_width(kind)
        narrow = "" if wide else f"printed are {printed_width(kind)} neurons, here are {width}"
        least, before = (
            float(np.min(records["alignment"][rows]))
            for rows in (slice(None), slice((first or len(records["step"]) - 1) + 1))
        )
        peak = float(np.max(records["sharpness"] / records["edge"]))
        found += [
            Finding(
                f"{kind}: largest sharpness over 2/eta",
                "edge of stability occurs",
                peak,
                there,
                "" if there else facts.NEVER,
            ),
            Finding(
                f"{kind}: least |<v1(t), v1(0)>|",
                ">= 0.98",
                least,
                least >= SIMILAR if wide and there else None,
                narrow or ("" if there else "has not reached 2/eta"),
            ),
            Finding(
                f"{kind}: least |<v1(t), v1(0)>| before 2/eta",
                ">= 0.98",
                before,
                before >= SIMILAR if wide else None,
                narrow or "where phase I ends",
            ),
            Finding(
                f"{kind}: largest second eigenvalue of M over 2/eta",
                "never reaches 2/eta (figure 14)",
                float(np.max(records["second"] / records["edge"])),
                bool(np.all(records["second"] < records["edge"])),
                "the text says 1/eta, which is 0.5 here",
            ),
            Finding(
                f"{kind}: largest eigenvalue of M_A over the sharpness, at most",
                "much smaller (figure 13)",
                float(np.max(records["output part"] / records["sharpness"])),
                None,
                f"{records['output part'][0]:.3g} at the start, at most "
                f"{records['output part'].max():.3g}; in a linear network the share is that of "
                "the hidden neurons to the inputs",
            ),
        ]
    return found


EXPERIMENT = Experiment(
    name="li22/fig-17",
    title="M of several architectures: top eigenvector, second eigenvalue, output part",
    claims=("li22/fig-13", "li22/fig-14", "li22/fig-17"),
    settings=Settings,
    run=run,
    parts=lambda settings: dict.fromkeys(settings.networks, settings.steps + 1),
    plots=(Plot("alignment", "|<v1(t), v1(0)>|; eigenvalues of M and of M_A.", draw),),
    findings=findings,
    variants={
        "quick": {"examples": 20, "steps": 60},
        "narrow": {"widths": (20, 40, 8, 8), "rises": (1.5, 40.0, 4.0, 4.0), "steps": 400},
        "paper": {**PAPER, "steps": 1000},
    },
    choices=CHOICES.replace(NARROW, "") + " The architectures of figure 17 are not named: here "
    "those of figures 13 and 14. Their widths are the printed ones. Where they are a fifth of "
    "that (the variant narrow), v1 of the tanh network leaves its direction for good: on digits "
    "the second eigenvalue comes near the first when the classes are told apart.",
    sweep={"inputs": ("raw", "centred", "standardized"), "seed": tuple(range(3))},
)
