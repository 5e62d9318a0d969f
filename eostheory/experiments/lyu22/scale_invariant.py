"""Scale-invariant networks on images (lyu22, appendix P.2): what figures 2 and 9 share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from eostheory.experiments.data import Data
from eostheory.experiments.experiment import Experiment, Finding, Plot, setting
from eostheory.experiments.lyu22.images import split
from eostheory.experiments.normalized import Classifier
from eostheory.experiments.plots import EDGE, label, legend, panels
from eostheory.experiments.results import Results
from eostheory.experiments.session import Session
from eostheory.numeric.objective import Objective, module_objective
from eostheory.training import gradient_descent

Array = npt.NDArray[np.float64]
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


@dataclass(frozen=True)
class Printed:
    """What a figure's caption says.

    Args:
        fitted: the step at which the training images are fitted.
        then, last: the test accuracy at that step, and at the end.
        early: whether the beginning is judged too (figure 11).
    """

    fitted: str
    then: str
    last: str
    early: bool = False


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
            ready.objective,
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


def edge(settings: Common, length: Array) -> Array:
    """2 over the effective learning rate."""
    found: Array = 2 * (1 - settings.eta * settings.decay) * length**2 / settings.eta
    return found


def fitted(accuracy: Array) -> int | None:
    """The first row at which all training images are classified rightly."""
    return int(np.argmax(accuracy >= 1)) if bool((accuracy >= 1).any()) else None


def draw(settings: Common, results: Results) -> Figure:
    """The four panels of the figures, with a dotted line where the training images are fitted."""
    found = results["descent"]
    step = found["step"]
    figure, axes = panels(2, 2, width=4.6)
    a, b, c, d = axes
    a.plot(step, 100 * found["train accuracy"], label="train accuracy")
    a.plot(step, 100 * found["test accuracy"], label="test accuracy")
    label(a, "step", "%", "(a) accuracy")
    b.semilogy(step, found["spherical sharpness"], linewidth=0.9, label="spherical sharpness")
    b.semilogy(
        step, edge(settings, found["length"]), linewidth=1.2, label="2 / effective learning rate"
    )
    label(b, "step", "", "(b) spherical sharpness")
    c.semilogy(step, found["sharpness"], linewidth=0.9, label="sharpness at w")
    c.axhline(2 / settings.eta, label="2 / learning rate", **EDGE)
    label(c, "step", "", "(c) sharpness")
    d.semilogy(step, found["loss"], linewidth=0.9)
    label(d, "step", "train loss", "(d) train loss")
    row = fitted(found["train accuracy"])
    for one in axes:
        if row is not None:
            one.axvline(step[row], color="black", linestyle=":", linewidth=0.9)
    for one in (a, b, c):
        legend(one)
        one.tick_params(which="minor", labelsize=6)
    return figure


def findings(settings: Common, results: Results, printed: Printed) -> list[Finding]:
    """What the figure shows."""
    found = results["descent"]
    step, test = found["step"], found["test accuracy"]
    known = np.isfinite(found["spherical sharpness"])
    steep = found["spherical sharpness"]
    ratio = steep / edge(settings, found["length"])
    row = fitted(found["train accuracy"])
    tail = slice(-max(len(step) // 10, 1), None)
    end = float(np.median(test[tail]))
    note = "other data" if settings.data != "cifar10" else ""
    late = ratio[known][known.sum() // 2 :]
    started = [
        Finding(
            "spherical sharpness over 2 / effective rate at the start",
            "much larger than 1 (figure 11)",
            float(ratio[0]),
            bool(ratio[0] > np.quantile(late, 0.95)),
            "larger than nearly ever at the edge",
        )
    ] if printed.early else []  # fmt: skip
    rises = None if row is None else float(test[row])
    last = float(np.median(steep[known][tail]))
    tests = settings.tests or (10_000 if settings.data == "cifar10" else 1797 - settings.examples)
    error = math.sqrt(end * (1 - end) / tests)
    return [
        *started,
        Finding(
            "spherical sharpness over 2 / effective rate in the second half, median",
            "stays at the same level, about 1",
            float(np.median(late)),
            # At the same level: it is off by less than the sharpness has fallen.
            bool(np.max(np.abs(np.log(np.quantile(late, [0.05, 0.95])))) < np.log(steep[0] / last)),
            "nine tenths lie in {:.3g} to {:.3g}; agrees where that is nearer to 1 than the "
            "sharpness at the start is to the last".format(*np.quantile(late, [0.05, 0.95])),
        ),
        Finding(
            "step at which all training images are classified rightly",
            printed.fitted,
            "never" if row is None else int(step[row]),
            None,
            note or "recorded every few steps",
        ),
        Finding(
            "test accuracy then",
            printed.then,
            "never" if rises is None else f"{100 * rises:.1f} %",
            None,
            note,
        ),
        Finding(
            "test accuracy at the end",
            printed.last,
            f"{100 * end:.1f} %",
            None,
            note,
        ),
        Finding(
            "test accuracy after the training images are fitted",
            "goes on increasing",
            "never fitted" if rises is None else f"{100 * (end - rises):+.1f} points",
            None if rises is None or abs(end - rises) < error else end > rises,
            f"median of the last tenth of the records; {tests} test images tell differences of "
            f"{100 * error:.1f} points",
        ),
        Finding(
            "spherical sharpness at the end over that when the training images are fitted",
            "decreases over time",
            "never fitted" if row is None else last / float(steep[row]),
            None if row is None else bool(last < steep[row]),
            "median of the last tenth of the records",
        ),
    ]
