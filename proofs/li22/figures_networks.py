"""Figures 4 to 10: sharpness and output norm, loss and residual, of seven networks.

Setting: gradient descent on few digits; tables 1 to 3 give the networks, and their widths.
Claim: what a reader sees in the figures, as facts about the recorded runs.
Reference: li22, figures 4 to 10, appendix B.1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from eostheory.agree.facts import ONCE
from eostheory.claims import Claim
from eostheory.experiments.evidence import gather
from eostheory.experiments.li22.facts import first_oscillation
from eostheory.formula import Statement

from . import _figures as f

if TYPE_CHECKING:
    from eostheory.agree import Sample

STEADY = "the residual off v1 decreases more steadily than the loss"
TOGETHER = "sharpness and output norm move together most of the time"
EARLY = "together most of the time, up to the end of the first oscillation"
AROUND = "the sharpness oscillates around 2/eta"
PHASES = "the four phases come cyclically"

CYCLIC: dict[str, Statement] = {TOGETHER: f.TOGETHER, STEADY: f.STEADIER, PHASES: f.CYCLE}
CONNECTED: dict[str, Statement] = {EARLY: f.TOGETHER, STEADY: f.STEADIER, AROUND: f.AROUND}


def figure(variant: str, *, early: bool = False) -> Callable[[Sample], None]:
    """The run of a variant; ``early`` for what holds in the first oscillations only."""

    def simulate(sample: Sample) -> None:
        run: Any = f.only(gather(sample, "li22/fig-4", variant))
        rows = slice(first_oscillation(run) + 1 if early else None)
        sample.observe(f.moves_of(run, rows) | f.rises_of(run) | f.phases_of(run))
        sample.observe({f.ratio: f.over_edge(run)})
        f.tests(sample)
        f.plot_norm(sample, "(a) sharpness and output norm", run)
        f.plot_sharpness(sample, "(a) sharpness beside 2/eta", run)
        f.plot_residual(sample, "(b) loss, and residual without v1", run)

    return simulate


STEADILY = "'more steadily': all rises added up, over the value at the start, are less"
RELU = " (though they are more frequent here, as the two largest eigenvalues are close)"
CLAIMS = [
    Claim(
        id="li22/fig-4",
        statement=CYCLIC,
        simulate=figure("quick"),
        examples=ONCE,
        since="default",
        reading=f"{f.DIGITS}; {STEADILY}; the four phases are 'quite apparent'",
        waive=f.lax(STEADY, f.rest_rises, f.loss_rises),
    ),
    *(
        Claim(
            id=f"li22/fig-{number}",
            statement=CONNECTED,
            simulate=figure(f"fig-{number}", early=True),
            examples=ONCE,
            since="default",
            reading=(
                f"{f.DIGITS}; {STEADILY}{RELU if number == 6 else ''}; that anomalies become more "
                "frequent later is left to the findings: no number is printed, the run is short"
            ),
            waive=f.lax(STEADY, f.rest_rises, f.loss_rises, wide=number != 6) | f.level(AROUND),
        )
        for number in (5, 6, 7)
    ),
    *(
        Claim(
            id=f"li22/fig-{number}",
            statement=CYCLIC,
            simulate=figure(f"fig-{number}"),
            examples=ONCE,
            since="default",
            reading=(
                f"{f.DIGITS}; {STEADILY}; the text, not the caption, says that the four phases are "
                "'also valid' in the first few oscillations; the run shows the first one"
            ),
            waive=f.lax(STEADY, f.rest_rises, f.loss_rises),
        )
        for number in (8, 9, 10)
    ),
]
