"""Full-batch gradient descent on a network of li22 with its Gram matrix recorded at every step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from eostheory.experiments.experiment import setting
from eostheory.experiments.li22.gram import GramMatrix, Watch
from eostheory.experiments.li22.networks import network, two_classes
from eostheory.experiments.session import Session
from eostheory.numeric.objective import Objective, module_objective
from eostheory.training import Records, gradient_descent

Array = npt.NDArray[np.float64]
CHECKPOINT = 200
"""Steps between checkpoints."""


@dataclass(frozen=True)
class Common:
    """What all experiments on two classes of images share."""

    data: str = setting("digits", "data set", paper="cifar10", choices=("digits", "cifar10"))
    data_folder: str = setting("", "folder of the user's copy of CIFAR-10")
    classes: tuple[int, ...] = setting(
        (3, 8), "the two classes, labelled -1 and 1", paper="0 and 1", least=0, most=9
    )
    examples: int = setting(100, "number of examples, half of each class", paper=1000, least=4)
    inputs: str = setting(
        "raw", "values 0 to 1, or without their mean, or standardized",
        choices=("raw", "centred", "standardized"),
    )  # fmt: skip
    seed: int = setting(0, "of the initial weights", least=0)


PAPER = {"data": "cifar10", "classes": (0, 1), "examples": 1000}
"""The data as printed."""

NARROW = "; hidden layers are narrow beside the 64 inputs, as the paper's are beside 3072"
"""Of the choices: what does not hold where widths are the printed ones."""

CHOICES = (
    "The paper prints no step size, only that the sharpness at the start is below 2/eta: here eta "
    "is given by how far. Nor does it say how inputs are scaled (here values 0 to 1, for which its "
    "ratio of about 38 between the first two eigenvalues is plausible), nor which seed. Of the "
    "digits the two classes are 3 and 8, as 0 and 1 are told apart too easily for the sharpness to "
    "rise much" + NARROW + "."
)


@dataclass(frozen=True, eq=False)
class Problem:
    """A network on its data.

    Args:
        objective: the mean squared error.
        start: (D,).
        module: the network.
        inputs, labels: (n, ...) and (n,).
    """

    objective: Objective
    start: Tensor
    module: nn.Module
    inputs: Tensor
    labels: Tensor

    def gram(self) -> GramMatrix:
        """The Gram matrix by layers."""
        assert self.objective.layout is not None
        return GramMatrix(self.module, self.inputs, self.objective.layout)


def problem(
    settings: Common, kind: str, width: int, device: torch.device, hidden: int | None = None
) -> Problem:
    """The network ``kind`` on the data of the settings.

    Raises:
        DataError: data that are absent or too few.
    """
    found = two_classes(
        settings.data, settings.data_folder, settings.examples, settings.inputs, settings.classes
    )
    module = network(kind, found.inputs.shape[1:], width, settings.seed, hidden)
    inputs, labels = found.inputs.to(device), found.signs().to(device)
    # The paper's networks with ReLU and pooling have kinks: the objective is not asked whether
    # it is smooth.
    objective, start = module_objective(
        module, nn.MSELoss(), inputs, labels[:, None], device=device, probe=False
    )
    return Problem(objective, start, module, inputs, labels)


def descend(session: Session, part: str, task: Problem, rise: float, steps: int) -> None:
    """Record a part: gradient descent with ``2/eta = rise`` times the sharpness at the start.

    Columns are those of :class:`~eostheory.experiments.li22.gram.Watch`, ``edge`` (2/eta) and
    ``loss``.
    """
    if session.finished(part) is not None:
        return
    watch = Watch(task.gram(), task.labels, task.start)
    edge = rise * watch.sharpness
    with session.follow(part, steps + 1):
        gradient_descent(
            task.objective,
            task.start,
            2 / edge,
            steps,
            measure=(),
            observe={"edge": lambda *_: edge, **watch.observations()},
            **session.recording(part, checkpoint_every=CHECKPOINT),
        )


def above(found: Records, name: str = "sharpness") -> npt.NDArray[np.bool_]:
    """At which rows the sharpness is above 2/eta."""
    flags: npt.NDArray[np.bool_] = found[name] > found["edge"]
    return flags


def crossing(found: Records) -> int | None:
    """The first row above 2/eta."""
    flags = above(found)
    return int(np.argmax(flags)) if flags.any() else None


def eta_of(found: Records) -> float:
    """The learning rate of a part."""
    return 2 / float(found["edge"][0])


def thin(count: int, most: int = 4000) -> slice:
    """Rows to draw, of ``count``."""
    return slice(None, None, max(1, -(-count // most)))
