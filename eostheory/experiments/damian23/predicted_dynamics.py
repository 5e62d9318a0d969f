"""damian23, figure 4: gradient descent at the edge beside its predicted dynamics, for a network.

Three parts: the *approach* of gradient descent to the edge; from there the *deviation* of gradient
descent from the constrained trajectory, with the predicted one; and the gradient *flow* from the
same point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eostheory.experiments.damian23.approach import Beside, displaced, to_the_edge
from eostheory.experiments.damian23.networks import NetworkSettings, problem
from eostheory.experiments.damian23.predicted_findings import findings
from eostheory.experiments.damian23.predicted_plot import draw
from eostheory.experiments.experiment import Experiment, Plot, setting
from eostheory.experiments.session import Session
from eostheory.training import gradient_flow, track_deviation

Array = npt.NDArray[np.float64]
FLOW_EVERY = 5
"""Steps of gradient descent between two rows of the flow."""


CHOICES = (
    "The paper does not print the scale of the loss, the initialization, the number of steps nor "
    "the displacement with which the comparison starts. The loss is that of its authors' code "
    "(squares summed over outputs, no factor 1/2), the initialization torch's. Gradient descent "
    "in double precision arrives at the edge with an oscillation along u that is down to rounding; "
    "theorem 1 asks for |x| of the order of delta, and the kick gives it (0 for none). Rows of "
    "the flow show its distance from gradient descent, of which the text speaks."
)
SWEEP = {"kick": (0.1, 0.3, 1.0), "seed": (0, 1, 2)}


@dataclass(frozen=True)
class DynamicsSettings(NetworkSettings):
    """Of figure 4."""

    steps: int = setting(200, "steps after the edge, at most", least=2, most=1_000_000)
    before: int = setting(20_000, "steps to the edge, at most", least=0)
    stop: float = setting(
        1.9, "ends when the second eigenvalue reaches this over eta", paper=1.9, least=0.1, most=2
    )
    kick: float = setting(0.3, "displacement along u at the edge, in units of delta")
    generalized: bool = setting(False, "predict with the loss along u as it is", paper=False)


def flow_rows(settings: DynamicsSettings) -> int:
    """Rows of the gradient flow."""
    return settings.steps // FLOW_EVERY + 1


def parts(settings: DynamicsSettings) -> dict[str, int]:
    """The parts with the rows that they have at most."""
    return {
        "approach": settings.before + 1,
        "deviation": settings.steps + 1,
        "flow": flow_rows(settings),
    }


def run(settings: DynamicsSettings, session: Session) -> None:
    """Approach, deviation and flow."""
    if all(session.finished(part) is not None for part in parts(settings)):
        return
    objective, start = problem(settings, session.device)
    objective = session.share(objective)
    eta = settings.eta
    with session.follow("approach", settings.before + 1):
        # Finished or not: it returns the edge, from its checkpoint if it can.
        _, edge = to_the_edge(
            objective, start, eta, settings.before, **session.recording("approach")
        )
    if session.finished("deviation") is None:
        with session.follow("deviation", settings.steps + 1):
            track_deviation(
                objective,
                edge,
                eta,
                settings.steps,
                generalized=settings.generalized,
                before=1,
                c=settings.stop,
                kick=settings.kick,
                **session.recording("deviation"),
            )
    deviation = session.finished("deviation")
    if session.finished("flow") is None and deviation is not None:
        last = int(deviation["step"][-1])
        times: Array = eta * np.arange(0, last + 1, FLOW_EVERY, dtype=np.float64)
        begin = displaced(objective, edge, eta, settings.kick)
        with session.follow("flow", len(times)):
            gradient_flow(
                objective,
                begin,
                times,
                rtol=1e-6,
                method="RK45",
                measure=["sharpness"],
                observe={"distance": Beside(objective, begin, eta, FLOW_EVERY)},
                **session.recording("flow"),
            )


def experiment(
    name: str,
    title: str,
    settings: type,
    variants: Mapping[str, Mapping[str, Any]],
    more_choices: str = "",
    also: tuple[str, ...] = (),
) -> Experiment:
    """The experiment of one network; ``also`` names other statements that it is evidence for."""
    return Experiment(
        name=name,
        title=title,
        claims=(name, *also),
        settings=settings,
        run=run,
        shared=True,
        parts=parts,
        plots=(
            Plot(
                "dynamics",
                "Loss, sharpness (mean of two steps) and distance from the constrained trajectory "
                "(of the flow: from gradient descent); above one cycle, below the whole run.",
                draw,
            ),
        ),
        findings=findings,
        variants=variants,
        choices=CHOICES + more_choices,
        sweep=SWEEP,
    )
