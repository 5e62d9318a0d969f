"""The networks of the experiments, from elementary layers whose third derivatives are right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

ACTIVATIONS = {"tanh": nn.Tanh, "swish": nn.SiLU, "elu": nn.ELU, "linear": nn.Identity}
"""Smooth activations, by the name that the papers use."""


def mlp(sizes: Sequence[int], activation: str = "tanh", *, bias: bool = True) -> nn.Sequential:
    """A perceptron on flattened inputs; ``sizes`` from the input to the output."""
    layers: list[nn.Module] = [nn.Flatten()]
    for index, (before, after) in enumerate(pairwise(sizes)):
        if index:
            layers.append(ACTIVATIONS[activation]())
        layers.append(nn.Linear(before, after, bias=bias))
    return nn.Sequential(*layers)


def cnn(channels: int, width: int, side: int, outputs: int, activation: str = "swish") -> nn.Module:
    """Two convolutions with average pooling and a linear layer, as locuslab's (damian23, D.1).

    Args:
        channels: of the images (N, channels, side, side).
        width: channels within.
        side: of the images, a multiple of 4.
    """
    act = ACTIVATIONS[activation]
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1),
        act(),
        nn.AvgPool2d(2),
        nn.Conv2d(width, width, 3, padding=1),
        act(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(width * (side // 4) ** 2, outputs),
    )


class LayerNorm(nn.Module):
    """Layer normalization from elementary operations: torch's fused one has wrong third
    derivatives."""

    def __init__(self, width: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """``x`` of shape (..., width), normalized over the last axis."""
        centred = x - x.mean(-1, keepdim=True)
        spread = (centred * centred).mean(-1, keepdim=True)
        return centred / torch.sqrt(spread + self.eps) * self.weight + self.bias


class Attention(nn.Module):
    """Self-attention from elementary operations, so that it can be differentiated thrice."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is no multiple of {heads} heads")
        self.heads = heads
        self.mix = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, width) to (N, L, width)."""
        n, length, width = x.shape
        parts = self.mix(x).reshape(n, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-1, -2) / math.sqrt(width // self.heads)
        mixed = torch.softmax(scores, -1) @ value
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(n, length, width))
        return out


class Block(nn.Module):
    """A layer of a Transformer, normalization first."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.first, self.second = LayerNorm(width), LayerNorm(width)
        self.attention = Attention(width, heads)
        self.feed = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, width) to (N, L, width)."""
        x = x + self.attention(self.first(x))
        out: Tensor = x + self.feed(self.second(x))
        return out


class Transformer(nn.Module):
    """A Transformer with one output for a sequence.

    Args:
        length: of the sequences.
        width, heads, depth: of the layers (the paper: 64, 2 and 2).
        vocabulary: number of tokens; 0 for sequences of vectors (N, length, features).
        features: entries of a vector of the sequence.
    """

    def __init__(
        self,
        length: int,
        *,
        width: int = 64,
        heads: int = 2,
        depth: int = 2,
        vocabulary: int = 0,
        features: int = 0,
        outputs: int = 1,
    ) -> None:
        super().__init__()
        self.embed: nn.Module = (
            nn.Embedding(vocabulary, width) if vocabulary else nn.Linear(features, width)
        )
        self.place = nn.Parameter(0.02 * torch.randn(length, width))
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.out = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (N, L) or vectors (N, L, features) to (N, outputs)."""
        out: Tensor = self.out(self.blocks(self.embed(x) + self.place).mean(1))
        return out
