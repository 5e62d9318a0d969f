"""Scale-invariant networks (lyu22, appendix Q.1): batch normalization from elementary operations.

``Phi(x; c w) = Phi(x; w)`` for all c > 0 and all of the parameters w, because no epsilon stands in
the denominator, and normalization follows whatever would scale the output.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.func import functional_call

from eostheory.numeric.objective import Layout

GAMMA = 0.3 * math.log(91.0)
"""Fixed scale of the final normalization (appendix R.2: label smoothing of 0.1 for ten classes)."""

ACTIVATIONS = {"swish": nn.SiLU, "relu": nn.ReLU}
CONFIGURATION_A = (1, 0, 2, 0, 4, 4, 0, 8, 8, 0, 8, 8, 0)
"""VGG-11: channels as multiples of the first, 0 for a pooling layer."""


class BatchNorm(nn.Module):
    """Normalization of each channel over the batch, all that is given at once.

    Args:
        channels: of inputs (N, channels, ...).
        affine: whether scale and shift are trained.
        scale: what the result is multiplied with, fixed.
    """

    def __init__(self, channels: int, *, affine: bool = False, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None
        self.collect: list[tuple[Tensor, Tensor]] | None = None
        self.given: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, ...) to the same."""
        over = [axis for axis in range(x.dim()) if axis != 1]
        if self.given is None:
            mean = x.mean(over, keepdim=True)
            variance = ((x - mean) * (x - mean)).mean(over, keepdim=True)
        else:
            mean, variance = self.given
        if self.collect is not None:
            self.collect.append((mean, variance))
        out: Tensor = self.scale * (x - mean) / torch.sqrt(variance)
        if self.weight is None or self.bias is None:
            return out
        shape = (1, -1, *[1] * (x.dim() - 2))
        return out * self.weight.reshape(shape) + self.bias.reshape(shape)


class VGG(nn.Sequential):
    """The scale-invariant VGG of figure 18: convolution, normalization, activation; mean pooling;
    one linear layer and a normalization that is not trained.

    Args:
        channels: of the images (N, channels, side, side).
        side: of the images.
        width: channels of the first convolution (the paper: 64).
        outputs: number of classes.
        plan: multiples of the width, 0 for pooling (the paper: :data:`CONFIGURATION_A`).
    """

    def __init__(
        self,
        channels: int,
        side: int,
        width: int,
        outputs: int,
        plan: Sequence[int] = CONFIGURATION_A,
        activation: str = "swish",
    ) -> None:
        pools = sum(step == 0 for step in plan)
        if side % 2**pools:
            raise ValueError(f"images of side {side} cannot be halved {pools} times")
        layers: list[nn.Module] = []
        before = channels
        for step in plan:
            if step == 0:
                layers.append(nn.AvgPool2d(2))
                continue
            layers += [
                nn.Conv2d(before, step * width, 3, padding=1, bias=False),
                BatchNorm(step * width),
                ACTIVATIONS[activation](),
            ]
            before = step * width
        layers += [
            nn.Flatten(),
            nn.Linear(before * (side // 2**pools) ** 2, outputs, bias=False),
            BatchNorm(outputs, scale=GAMMA),
        ]
        super().__init__(*layers)
        initialize(self)


class Residual(nn.Module):
    """A block of a pre-activation ResNet, with a normalized shortcut where the size changes."""

    def __init__(self, before: int, width: int, stride: int, activation: str) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            BatchNorm(before),
            ACTIVATIONS[activation](),
            nn.Conv2d(before, width, 3, stride, padding=1, bias=False),
            BatchNorm(width),
            ACTIVATIONS[activation](),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
        )
        # Without the normalization the shortcut would scale twice: by its input and by its weight.
        # Its scale and shift are trained, and so grow with all other parameters.
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or before != width:
            self.shortcut = nn.Sequential(
                nn.Conv2d(before, width, 1, stride, bias=False), BatchNorm(width, affine=True)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, s, s) to (N, width, s / stride, s / stride)."""
        out: Tensor = self.shortcut(x) + self.branch(x)
        return out


class ResNet(nn.Sequential):
    """The scale-invariant pre-activation ResNet of figure 19b.

    Args:
        channels: of the images (N, channels, side, side).
        side: of the images, a multiple of 4.
        width: channels of the first stage (the paper: 16).
        outputs: number of classes.
        blocks: in each of the three stages (the paper's ResNet-20: 3).
    """

    def __init__(
        self,
        channels: int,
        side: int,
        width: int,
        outputs: int,
        blocks: int = 3,
        activation: str = "relu",
    ) -> None:
        if side % 4:
            raise ValueError(f"images of side {side} cannot be halved twice")
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1, bias=False)]
        before = width
        for stage in range(3):
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                layers.append(Residual(before, width * 2**stage, stride, activation))
                before = width * 2**stage
        layers += [
            BatchNorm(before),
            ACTIVATIONS[activation](),
            nn.AvgPool2d(side // 4),
            nn.Flatten(),
            nn.Linear(before, outputs),
            BatchNorm(outputs, scale=GAMMA),
        ]
        super().__init__(*layers)
        initialize(self)


def initialize(module: nn.Module) -> None:
    """Normal weights of variance 2 / (entries that one input reaches), as in the code that the
    paper names; of deviation 0.01 in linear layers."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            height, width = part.weight.shape[2:]
            nn.init.normal_(part.weight, 0.0, math.sqrt(2 / (height * width * part.out_channels)))
        elif isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, 0.0, 0.01)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


class Classifier:
    """A normalized network applied to training and test images, with parameters from a vector.

    At test images it uses the statistics of the training images, averaged over the batches within
    which it normalizes.

    Args:
        module: with :class:`BatchNorm` layers.
        layout: of its parameters.
        batches: the training images, in the batches within which they are normalized.
    """

    def __init__(self, module: nn.Module, layout: Layout, batches: Sequence[Tensor]) -> None:
        self.module, self.layout, self.batches = module, layout, batches
        self.norms = [part for part in module.modules() if isinstance(part, BatchNorm)]

    def scores(self, w: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
        """(N, classes) of the training images and (M, classes) of ``images``."""
        parameters = self.layout.unflatten(w)
        with torch.no_grad(), self._collecting():
            found = [functional_call(self.module, parameters, (batch,)) for batch in self.batches]
            for norm in self.norms:
                assert norm.collect is not None
                means, variances = zip(*norm.collect, strict=True)
                norm.given = (torch.stack(means).mean(0), torch.stack(variances).mean(0))
            size = len(self.batches[0])
            other = [
                functional_call(self.module, parameters, (b,)) for b in torch.split(images, size)
            ]
        return torch.cat(found), torch.cat(other)

    @contextmanager
    def _collecting(self) -> Iterator[None]:
        for norm in self.norms:
            norm.collect = []
        try:
            yield
        finally:
            for norm in self.norms:
                norm.collect, norm.given = None, None
