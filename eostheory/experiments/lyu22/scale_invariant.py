"""Scale-invariant networks on images (lyu22, appendix P.2): what figures 2 and 9 share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from eostheory.experiments.data import Data
from eostheory.experiments.experiment import Experiment, Plot, setting
from eostheory.experiments.lyu22.images import split
from eostheory.experiments.lyu22.network_panels import Printed, draw, findings
from eostheory.experiments.normalized import Classifier
from eostheory.experiments.session import Session
from eostheory.numeric.objective import Objective, module_objective
from eostheory.training import gradient_descent

PRECISIONS = {"float32": torch.float32, "float64": torch.float64}

UNSAID = (
    "The first weights are those of the code that the paper names, times `scale`; their length "
    "decides the first effective learning rate only (figure 17). No epsilon stands in the "
    "normalizations, which would break the scale invariance that the theory needs. Test images are "
    "normalized by the statistics of the training images, averaged over batches. The paper "
    "measures the Hessian on the first 5000 images; here it is that of all. On the digits "
    "a larger weight decay brings in a thousand steps what takes CIFAR-10 tens of thousands"
)

SHORT = {"data": "cifar10", "examples": 0, "tests": 0, "batch": 1000, "decay": 5e-4}
"""What the printed configurations have in common."""


@dataclass(frozen=True)
class Common:
    """Settings of both networks."""

    data: str = setting("digits", "images", paper="cifar10", choices=("digits", "cifar10"))
    data_folder: str = setting("", "folder of CIFAR-10; empty for EOSTHEORY_DATA/cifar10")
    examples: int = setting(200, "training images; 0 for all", paper=50_000, least=0)
    tests: int = setting(400, "test images at most; 0 for all", paper=10_000, least=0)
    batch: int = setting(200, "images that are normalized together", paper=1000, least=2)
    eta: float = setting(0.1, "learning rate", paper=0.1, least=1e-6)
    decay: float = setting(0.01, "weight decay", paper=5e-4, least=0.0)
    scale: float = setting(1.0, "what the first weights are multiplied with", least=1e-6)
    steps: int = setting(1200, "steps of gradient descent", paper=75_000, least=10, most=10_000_000)
    every: int = setting(20, "steps between records", least=1)
    seed: int = setting(0, "of the first weights", least=0)
    precision: str = setting("float64", "of the arithmetic", choices=tuple(PRECISIONS))


Network = Callable[[Any, Data], nn.Module]


def figure(
    number: int,
    title: str,
    settings: type[Common],
    network: Network,
    printed: Printed,
    *,
    claims: tuple[str, ...],
    variants: Mapping[str, Mapping[str, Any]],
    choices: str,
    sweep: Mapping[str, Sequence[Any]],
) -> Experiment:
    """The experiment of a figure.

    Args:
        network: makes the module, from the settings and the training images.
        choices: what is to be said beside :data:`UNSAID`.
    """
    caption = f"The panels of figure {number}; dotted: all training images fitted."
    return Experiment(
        name=f"lyu22/fig-{number}",
        title=f"{title}: test accuracy rises while the spherical sharpness falls",
        claims=claims,
        settings=settings,
        run=lambda chosen, session: run(chosen, network, session),
        shared=True,
        parts=lambda chosen: {"descent": chosen.steps // chosen.every + 1},
        plots=(Plot("panels", caption, draw),),
        findings=lambda chosen, results: findings(chosen, results, printed),
        variants=variants,
        choices=f"{UNSAID}.{choices}",
        sweep=sweep,
    )


class Prepared(NamedTuple):
    """A network on its training images, ready to be trained: first weights and accuracies too."""

    objective: Objective
    start: Tensor
    accuracies: dict[str, Callable[[int, Tensor], float]]


def prepared(settings: Common, network: Network, device: torch.device) -> Prepared:
    """The network with seeded first weights.

    Raises:
        ValueError: the images cannot be split into batches.
    """
    train, test = split(settings.data, settings.data_folder, settings.examples, settings.tests)
    if len(train) % settings.batch:
        raise ValueError(
            f"{len(train)} images cannot be split into batches of {settings.batch}: set another "
            "batch, or another number of examples"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        module = network(settings, train)
    dtype = PRECISIONS[settings.precision]
    objective, start = module_objective(
        module,
        nn.CrossEntropyLoss(),
        train.inputs,
        train.labels,
        chunk=settings.batch,
        dtype=dtype,
        device=device,
        # The criterion on all images at once would normalize them together.
        probe=False,
    )
    assert objective.layout is not None
    batches = torch.split(train.inputs.to(device, dtype), settings.batch)
    images = test.inputs.to(device, dtype)
    classifier = Classifier(module.to(device, dtype), objective.layout, batches)
    accuracies = _accuracies(classifier, images, train.labels, test.labels)
    return Prepared(objective, settings.scale * start, accuracies)


def run(settings: Common, network: Network, session: Session) -> None:
    """Full-batch descent with weight decay from seeded weights."""
    if session.finished("descent") is not None:
        return
    ready = prepared(settings, network, session.device)
    with session.follow("descent", settings.steps // settings.every + 1):
        gradient_descent(
            session.share(ready.objective),
            ready.start,
            settings.eta,
            settings.steps,
            decay=settings.decay,
            every=settings.every,
            measure=("sharpness", "spherical"),
            scale_invariant=True,
            observe=ready.accuracies,
            **session.recording("descent", checkpoint_every=10 * settings.every),
        )


def _accuracies(
    classifier: Classifier, images: Tensor, train: Tensor, test: Tensor
) -> dict[str, Callable[[int, Tensor], float]]:
    """Columns of the shares of images that are classified rightly, computed once for both."""
    known: dict[int, tuple[float, float]] = {}

    def both(step: int, w: Tensor) -> tuple[float, float]:
        if step not in known:
            known.clear()
            scores = classifier.scores(w, images)
            known[step] = (_share(scores[0], train), _share(scores[1], test))
        return known[step]

    return {
        "train accuracy": lambda step, w: both(step, w)[0],
        "test accuracy": lambda step, w: both(step, w)[1],
    }


def _share(scores: Tensor, labels: Tensor) -> float:
    return float((scores.argmax(1).cpu() == labels).to(torch.float64).mean())
