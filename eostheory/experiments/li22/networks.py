"""The networks of li22, appendix A.2, with the initialisation of PyTorch, and their data."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from eostheory.experiments.data import Data, DataError, load

ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "elu": nn.ELU, "linear": nn.Identity}
NETWORKS = (
    "linear", "tanh", "relu", "elu", "conv-tanh", "conv-relu", "conv-elu", "resnet",
)  # fmt: skip
"""Table 1, table 2 with three activations, table 3 with three, and a ResNet."""


def two_classes(
    name: str, folder: str, count: int, inputs: str = "raw", classes: Sequence[int] = (0, 1)
) -> Data:
    """The first examples of two classes, half each (appendix A.1).

    Args:
        inputs: ``raw`` for values 0 to 1, or ``centred``, or ``standardized``.

    Raises:
        DataError: an odd count, or more examples than there are.
    """
    found = load(name, folder).only(*classes)
    half = count // 2
    rows = [(found.labels == label).nonzero()[:, 0] for label in (0, 1)]
    if count % 2 or half > min(map(len, rows)):
        raise DataError(
            f"{name} has {' and '.join(str(len(r)) for r in rows)} examples of the classes, "
            f"{count} were asked for, half of each"
        )
    kept = torch.cat([r[:half] for r in rows])
    data = Data(name, found.inputs[kept], found.labels[kept], 2)
    if inputs == "standardized":
        return data.standardized()
    if inputs == "centred":
        centred = data.inputs - data.inputs.mean(0, keepdim=True)
        return Data(name, centred, data.labels, 2)
    return data


def network(
    kind: str, shape: Sequence[int], width: int, seed: int, hidden: int | None = None
) -> nn.Module:
    """A network with one output, drawn anew from ``seed``.

    Args:
        kind: one of :data:`NETWORKS`.
        shape: of an input, (channels, side, side).
        width: neurons of a hidden layer, or channels; for ``resnet`` those of the first stage.
        hidden: number of hidden layers of a perceptron; None for the paper's.
    """
    channels, side, _ = shape
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if kind == "resnet":
            return ResNet(channels, width, stages=4 if side > 16 else 2)
        if kind.startswith("conv-"):
            return convolutional(channels, width, side, kind.removeprefix("conv-"))
        size = channels * side * side
        if kind == "linear":
            return perceptron([size, *[width] * (hidden or 1), 1], "linear", bias=True)
        return perceptron([size, *[width] * (hidden or 4), 1], kind, bias=False)


def perceptron(sizes: Sequence[int], activation: str, *, bias: bool) -> nn.Sequential:
    """Tables 1 and 2."""
    layers: list[nn.Module] = [nn.Flatten()]
    for index, (before, after) in enumerate(pairwise(sizes)):
        if index:
            layers.append(ACTIVATIONS[activation]())
        layers.append(nn.Linear(before, after, bias=bias))
    return nn.Sequential(*layers)


def convolutional(channels: int, width: int, side: int, activation: str) -> nn.Sequential:
    """Table 3."""
    act = ACTIVATIONS[activation]
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1),
        act(),
        nn.MaxPool2d(2),
        nn.Conv2d(width, width, 3, padding=1),
        act(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(width * (side // 4) ** 2, 1, bias=False),
    )


class BatchNorm(nn.Module):
    """Batch normalization by the statistics of the full batch, from elementary operations."""

    def __init__(self, width: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape, normalized by channel."""
        centred = x - x.mean((0, 2, 3), keepdim=True)
        spread = (centred * centred).mean((0, 2, 3), keepdim=True)
        scaled = centred / torch.sqrt(spread + self.eps)
        return scaled * self.weight[:, None, None] + self.bias[:, None, None]


class _Basic(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, 1, bias=False),
            BatchNorm(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, 1, 1, bias=False),
            BatchNorm(after),
        )
        straight = stride == 1 and before == after
        self.short: nn.Module = (
            nn.Identity()
            if straight
            else nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), BatchNorm(after))
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = torch.relu(self.main(x) + self.short(x))
        return out


class ResNet(nn.Module):
    """ResNet18 where ``width`` is 64 and there are four stages, as torchvision builds it.

    With two stages, for images of up to 16 by 16, the first convolution keeps their size.
    """

    def __init__(self, channels: int, width: int, stages: int) -> None:
        super().__init__()
        large = stages == 4
        first: list[nn.Module] = [
            nn.Conv2d(channels, width, 7, 2, 3, bias=False)
            if large
            else nn.Conv2d(channels, width, 3, 1, 1, bias=False),
            BatchNorm(width),
            nn.ReLU(),
        ]
        if large:
            first.append(nn.MaxPool2d(3, 2, 1))
        self.first = nn.Sequential(*first)
        blocks: list[nn.Module] = []
        for stage in range(stages):
            after = width * 2**stage
            before = after if stage == 0 else after // 2
            blocks.append(_Basic(before, after, 1 if stage == 0 else 2))
            if large:
                blocks.append(_Basic(after, after, 1))
        for module in (*first, *(m for block in blocks for m in block.modules())):
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        self.blocks = nn.Sequential(*blocks)
        self.out = nn.Linear(width * 2 ** (stages - 1), 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, 1)."""
        out: Tensor = self.out(self.blocks(self.first(x)).mean((2, 3)))
        return out
