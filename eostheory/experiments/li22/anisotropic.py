"""li22, figure 12: how far the sharpness rises on Gaussian data with the moments of images."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor

from eostheory.experiments.data import Data, DataError, load
from eostheory.experiments.experiment import Experiment, Finding, Plot, setting
from eostheory.experiments.li22 import two_layers
from eostheory.experiments.li22.networks import two_classes
from eostheory.experiments.plots import label, legend, panels
from eostheory.experiments.results import Results
from eostheory.experiments.session import Session
from eostheory.experiments.settings import SettingError

PARTS = ("random", "images", "images-random", "top", "bottom")
TITLES = {
    "random": "Gaussian, random labels",
    "images": "images, labels by class",
    "images-random": "images, random labels",
    "top": "Gaussian, labels along v1",
    "bottom": "Gaussian, labels along a late v",
}


@dataclass(frozen=True)
class Settings:
    """Of figure 12."""

    data: str = setting("digits", "data set", paper="cifar10", choices=("digits", "cifar10"))
    data_folder: str = setting("", "folder of the user's copy of CIFAR-10")
    moments: int = setting(1797, "images whose mean and covariance count", paper=5000, least=2)
    examples: int = setting(40, "number of examples, even", paper=500, least=4)
    aligned: int = setting(32, "which eigenvector labels of panel (c) take", paper=400, least=2)
    width: int = setting(40, "hidden neurons", paper=400, least=1)
    eta: float = setting(0.004, "learning rate", paper=2 / 20000, least=1e-9)
    steps: int = setting(20_000, "steps of gradient descent", least=10)
    every: int = setting(100, "steps between records", least=1)
    classes: tuple[int, ...] = setting(
        (3, 8), "of the images that are compared", paper="0 and 1", least=0, most=9
    )
    seed: int = setting(0, "of data and initial weights", least=0)


def gaussian(data: Data, settings: Settings, draw: torch.Generator) -> Tensor:
    """Examples (n, d) from the normal distribution with the mean and covariance of the data."""
    images = data.first(settings.moments).inputs.flatten(1)
    centred = images - images.mean(0)
    values, vectors = torch.linalg.eigh(centred.T @ centred / (len(images) - 1))
    root = vectors * torch.sqrt(values.clamp_min(0))
    noise = torch.randn(settings.examples, images.shape[1], generator=draw, dtype=torch.float64)
    found: Tensor = images.mean(0) + noise @ root.T
    return found


def run(settings: Settings, session: Session) -> None:
    """Descent on each kind of data and labels, all from the same weights."""
    if settings.aligned > settings.examples:
        raise SettingError(f"aligned is {settings.aligned}, there are {settings.examples} examples")
    if all(session.finished(part) is not None for part in PARTS):
        return
    draw = torch.Generator().manual_seed(settings.seed)
    data = load(settings.data, settings.data_folder)
    inputs = gaussian(data, settings, draw)
    n, size = inputs.shape
    random = 2.0 * torch.randint(0, 2, (n,), generator=draw).to(torch.float64) - 1
    vectors, values, _ = torch.linalg.svd(inputs, full_matrices=False)
    if settings.aligned > len(values):
        raise DataError(f"the data have {len(values)} eigenvectors, not {settings.aligned}")
    images = two_classes(
        settings.data, settings.data_folder, settings.examples, classes=settings.classes
    )
    flat = images.inputs.flatten(1)
    outer, inner = two_layers.default_start(settings.width, size, draw)
    cases = {
        "random": (inputs, random),
        "images": (flat, images.signs()),
        "images-random": (flat, random),
        "top": (inputs, math.sqrt(n) * vectors[:, 0]),
        "bottom": (inputs, math.sqrt(n) * vectors[:, settings.aligned - 1]),
    }
    on = session.device
    for part, (x, y) in cases.items():
        task = two_layers.TwoLayers.of(x.to(on), y.to(on), outer.to(on), inner.to(on))
        two_layers.descend(session, part, task, settings.eta, settings.steps, every=settings.every)


def draw(settings: Settings, results: Results) -> Figure:
    """A panel for each kind of labels."""
    figure, axes = panels(1, 3, width=4.2, height=3.0)
    kinds = (("random", "images", "images-random"), ("top",), ("bottom",))
    titles = ("(a) random labels", "(b) labels along v1", f"(c) labels along v{settings.aligned}")
    for one, parts, title in zip(axes, kinds, titles, strict=True):
        for part in parts:
            found = results[part]
            one.plot(found["step"], found["sharpness"], linewidth=1.1, label=TITLES[part])
        label(one, "step", "sharpness", title)
        one.set_ylim(bottom=0)
        legend(one, loc="upper left" if len(parts) > 1 else "lower right")
    return figure


def findings(settings: Settings, results: Results) -> list[Finding]:
    """The degrees of sharpening, compared."""
    degree = {
        part: float(results[part]["sharpness"].max() / results[part]["sharpness"][0])
        for part in PARTS
    }
    fitted = max(float(results[p]["loss"][-1] / results[p]["loss"][0]) for p in PARTS)
    edge = max(float((results[p]["sharpness"] / results[p]["edge"]).max()) for p in PARTS)
    note = "" if settings.data == "cifar10" else "of digits, whose classes are easy to tell apart"
    return [
        Finding(
            "largest sharpness over 2/eta",
            "training converges before the edge",
            edge,
            edge < 1,
        ),
        Finding(
            "largest share of the first loss that is left",
            "training converges",
            fitted,
            None,
            "the slowest directions take far longer than is shown",
        ),
        Finding(
            "growth of the sharpness, random labels",
            "similar to that on CIFAR-10",
            degree["random"],
            None,
            f"images by class: {degree['images']:.3g}, images with random labels: "
            f"{degree['images-random']:.3g}; {note or 'the paper gives no number'}",
        ),
        Finding(
            "growth of the sharpness, labels along v1",
            "relatively small",
            degree["top"],
            degree["top"] < min(degree["random"], degree["bottom"]),
        ),
        Finding(
            f"growth of the sharpness, labels along v{settings.aligned}",
            "relatively large",
            degree["bottom"],
            degree["bottom"] > max(degree["random"], degree["top"]),
        ),
    ]


EXPERIMENT = Experiment(
    name="li22/fig-12",
    title="progressive sharpening on anisotropic Gaussian data, by kind of labels",
    claims=("li22/fig-12",),
    settings=Settings,
    run=run,
    parts=lambda s: dict.fromkeys(PARTS, s.steps // s.every + 1),
    plots=(Plot("labels", "Sharpness along training for three kinds of labels.", draw),),
    findings=findings,
    variants={
        "quick": {"examples": 20, "aligned": 16, "width": 20, "steps": 1500, "every": 50},
        "paper": {
            "data": "cifar10", "moments": 5000, "examples": 500, "aligned": 400, "width": 400,
            "eta": 2 / 20000, "classes": (0, 1), "every": 20,
        },
    },
    choices="The paper says neither for how long it trains, nor which labels the 500 images that "
    "it compares with have: here both those of two classes and random ones. The digits have 64 "
    "entries and a covariance of rank 61: 40 examples, v32 and 2/eta = 500 stand for 500, v400 "
    "and 20000. The network has no biases.",
    sweep={"seed": tuple(range(5)), "width": (20, 40, 80), "aligned": (8, 16, 24, 32)},
)  # fmt: skip
