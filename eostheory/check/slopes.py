"""Slopes of the values of a loss at one point, along coordinates and blocks of coordinates."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from eostheory.check.differences import (
    Comparison,
    noise,
    reliable,
    sampler,
    scale_of,
    shown,
    value_at,
)
from eostheory.check.finding import Violated
from eostheory.check.subject import Subject

ONE_BY_ONE = 24
"""Up to this many coordinates of a gradient are compared one by one."""

SINGLY = 128
"""Blocks up to this length are gone through one by one where their halves do not tell."""


class Parts:
    """Which coordinates are looked at together, point after point.

    Args:
        inputs: points over which the blocks of a large loss are shared out.
        every: look at all blocks at each point (a replay has one point).

    Attributes:
        wrong: the coordinates on which a gradient was wrong; the points of shrinking look there.
    """

    def __init__(self, size: int, inputs: int, every: bool) -> None:
        everywhere = torch.arange(size)
        self._dense = [everywhere, everywhere]
        self._blocks = list(torch.split(everywhere, max(1, round(size**0.5))))
        if size <= ONE_BY_ONE:
            self._dense, self._blocks = [], [torch.tensor([i]) for i in range(size)]
            every = True
        self._share = len(self._blocks) if every else -(-len(self._blocks) // inputs)
        self._next = 0
        self.wrong: Tensor | None = None

    def take(self) -> list[Tensor]:
        """The blocks of the next point."""
        begin, self._next = self._next, self._next + self._share
        if self._next >= len(self._blocks):
            self._next = 0
        if self.wrong is not None:
            return [self.wrong]
        return self._dense + self._blocks[begin : begin + self._share]


class Slopes:
    """Slopes of the values at one point, along blocks of coordinates."""

    def __init__(self, subject: Subject, w: Tensor, exact: Tensor) -> None:
        self.subject, self.w, self.exact = subject, w, exact
        self.scale = scale_of(w)
        self.value = lambda x: value_at(subject, x)
        # A direction along which nothing is flat by symmetry.
        dense = torch.cos(1.0 + 1.7 * torch.arange(len(w), dtype=w.dtype, device=w.device))
        at, _ = sampler(subject, self.value, w, dense / torch.linalg.vector_norm(dense))
        self.scatter = noise(at, self.scale)

    def direction(self, block: Tensor, signs: Tensor) -> Tensor:
        """The unit vector of equal entries up to sign on ``block``."""
        u = torch.zeros_like(self.w)
        entries = 2.0 * signs[block].to(u) - 1.0 if len(block) > 1 else torch.ones(1).to(u)
        u[block.to(u.device)] = entries / len(block) ** 0.5
        return u

    def along(self, block: Tensor, signs: Tensor) -> Comparison | None:
        u = self.direction(block, signs)
        at, taken = sampler(self.subject, self.value, self.w, u)
        return reliable(torch.dot(self.exact, u), at, taken, self.scale, self.scatter)

    def narrowed(
        self, block: Tensor, signs: Tensor, found: Comparison
    ) -> tuple[Tensor, Comparison]:
        """The smallest block on which the slope is still wrong."""
        while len(block) > 1:
            wrong = self._wrong(block.chunk(2), signs)
            if not wrong and len(block) <= SINGLY:
                wrong = self._wrong(torch.split(block, 1), signs)
            if not wrong:
                break
            # Along a block of n, what one coordinate is off by shows over sqrt(n).
            block, found = max(wrong, key=lambda item: item[1].error * len(item[0]) ** 0.5)
        return block, found

    def _wrong(self, parts: Iterable[Tensor], signs: Tensor) -> list[tuple[Tensor, Comparison]]:
        found = [(part, self.along(part, signs)) for part in parts]
        return [(part, c) for part, c in found if c is not None and c.wrong]


def wrong_gradient(slopes: Slopes, block: Tensor, found: Comparison) -> Violated:
    remedy = "is there a wrong backward(), a detach() or a no_grad() in the loss?"
    layout = slopes.subject.objective.layout
    relative = found.error / found.size
    if len(block) == 1:
        i = int(block)
        measured, expected = float(slopes.exact[i]), float(found.found)
        name = f", in {layout.where(i)}," if layout is not None else ""
        return Violated(
            f"coordinate {i}{name} of the gradient is {shown(measured, relative)} by autograd, "
            f"but the values of the loss rise by {shown(expected, relative)}: it is off by "
            f"{measured - expected:.3g} ({relative:.2g} of it); {remedy}",
            measured=measured,
            expected=expected,
            tolerance=found.allowed,
            coordinate=i,
            error=measured - expected,
            relative_error=relative,
        )
    return Violated(
        f"the slope of the values along coordinates {int(block[0])} to {int(block[-1])} is "
        f"{shown(found.found)}, which autograd's gradient misses by {found.error:.3g} "
        f"({relative:.2g} of it); {remedy}",
        tolerance=found.allowed,
        first=int(block[0]),
        last=int(block[-1]),
        error=found.error,
        relative_error=relative,
    )
