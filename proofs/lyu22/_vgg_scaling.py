"""Small convolutional networks in the paper's three layouts, with batch norm written out (Q.1)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from hypothesis import strategies as st
from torch.nn.functional import avg_pool2d, conv2d, relu, silu

from eostheory.agree import measured
from eostheory.formula import scalar, vector

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from eostheory.agree import Sample

c = scalar("c", "c", positive=True)
out, out_c = vector("out", "n", r"\Phi(\cdot;w)"), vector("out_c", "n", r"\Phi(\cdot;cw)")

SIZE, WIDTH = 4, 3
"""Side of the images, and channels of every layer."""


def batch_norm(x: Tensor) -> Tensor:
    """Each channel's batch to mean zero and variance one, without affine parameters."""
    axes = [k for k in range(x.dim()) if k != 1]
    centred = x - x.mean(axes, keepdim=True)
    return centred / torch.sqrt((centred**2).mean(axes, keepdim=True))


def keep(x: Tensor) -> Tensor:
    """No normalization."""
    return x


def affine(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Trainable affine parameters, one of each per channel."""
    shape = (1, -1) + (1,) * (x.dim() - 2)
    return x * scale.reshape(shape) + shift.reshape(shape)


def vgg(x: Tensor, w: list[Tensor], z: list[Tensor], norm: Callable[[Tensor], Tensor]) -> Tensor:
    """Convolution, batch norm, Swish, mean pooling; a linear layer and a fixed batch norm."""
    del z
    for weight in w[:2]:
        x = avg_pool2d(silu(norm(conv2d(x, weight, padding=1))), 2)
    return 1.353 * norm(x.flatten(1) @ w[2].flatten(1)[:, : x.flatten(1).shape[1]].T)


def resnet(x: Tensor, w: list[Tensor], z: list[Tensor], norm: Callable[[Tensor], Tensor]) -> Tensor:
    """Pre-activation blocks whose batch norms and linear layer have parameters in ``z``."""
    x = conv2d(x, w[0], padding=1)
    inner = conv2d(relu(affine(norm(x), z[0], z[1])), w[1], padding=1)
    x = x + conv2d(relu(affine(norm(inner), z[2], z[3])), w[2], padding=1)
    x = relu(affine(norm(x), z[4], z[5])).mean((2, 3))
    return affine(x @ z[6], torch.ones_like(z[7]), z[7])


def invariant_resnet(
    x: Tensor, w: list[Tensor], z: list[Tensor], norm: Callable[[Tensor], Tensor]
) -> Tensor:
    """The same with no affine parameters but those of the shortcut, and a final batch norm."""
    del z
    x = conv2d(x, w[0], padding=1)
    inner = conv2d(relu(norm(x)), w[1], padding=1, stride=2)
    short = affine(norm(conv2d(x, w[3], padding=1, stride=2)), w[4].flatten(), w[5].flatten())
    x = short + conv2d(relu(norm(inner)), w[2], padding=1)
    x = relu(norm(x)).mean((2, 3))
    return 1.353 * norm(x @ w[6].flatten(1)[:, :WIDTH].T)


LAYOUTS = {"vgg": vgg, "resnet": resnet, "invariant_resnet": invariant_resnet}


def observe_scaling(sample: Sample, layout: str) -> None:
    """Outputs of one unit on a batch, before and after all weights are multiplied by c."""
    seed = sample.draw(st.integers(0, 10**6), "seed")
    factor = sample.draw(st.sampled_from([0.25, 0.5, 2.0, 4.0]), "c")
    batch = sample.draw(st.integers(4, 7), "n")
    numbers = torch.Generator().manual_seed(seed)
    draw = partial(torch.randn, generator=numbers, dtype=torch.float64)
    images = draw(batch, WIDTH, SIZE, SIZE)
    weights = [draw(WIDTH, WIDTH, 3, 3) for _ in range(4)]
    weights += [draw(WIDTH, 1, 1, 1), draw(WIDTH, 1, 1, 1), draw(WIDTH, WIDTH, 1, 1)]
    # Scales near one and small shifts, so that no channel dies behind its ReLU.
    rest = [(1 - k % 2) + 0.2 * draw(WIDTH) for k in range(6)] + [draw(WIDTH, WIDTH), draw(WIDTH)]
    norm = batch_norm if sample.holds("normalized") else keep
    network = LAYOUTS[layout]
    before = network(images, weights, rest, norm)[:, 0]
    after = network(images, [factor * x for x in weights], rest, norm)[:, 0]
    # Some hundred operations in each of a handful of layers, on numbers of order one.
    sample.observe(
        {
            c: factor,
            out: measured(before, 10**5, 100.0),
            out_c: measured(after, 10**5, 100.0),
        }
    )
