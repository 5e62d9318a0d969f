"""Slopes of the values of a loss at one point, along coordinates and blocks of coordinates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from eostheory.check.differences import (
    Comparison,
    noise,
    reliable,
    scale_of,
    shown,
    value_along,
)
from eostheory.check.finding import Violated
from eostheory.check.subject import Subject

ONE_BY_ONE = 24
"""Up to this many coordinates of a gradient are compared one by one."""

SINGLY = 128
"""Blocks up to this length are gone through one by one where their halves do not tell."""

LARGE = 4096
"""Beyond this many coordinates the blocks are a sample."""

DENSE, DENSE_OF_LARGE = 2, 4
"""Directions of random signs on all coordinates, at each point."""

SAMPLED = 16
"""Blocks of a large loss that are looked at, at all points together."""

TRIES = 4
"""Random signs that are tried where neither half of a wrong block tells."""


class Parts:
    """Which coordinates are looked at together, point after point.

    An error m of one coordinate shows along random signs on all D as ``m / sqrt(D)`` or more, with
    a probability of at least one half whatever the others are: for given signs of the others, only
    one of the two signs of that coordinate can make less of it.

    Args:
        inputs: points over which the blocks of a large loss are shared out.
        recorded: details of a recorded violation, where that is looked at again; it is one point,
            and gets all blocks.
        draw: random numbers by name.

    Attributes:
        wrong: the coordinates on which a gradient was wrong; the points of shrinking look there.
        seen: the largest error of one coordinate that may not have shown along all coordinates.
    """

    def __init__(
        self,
        size: int,
        inputs: int,
        recorded: Mapping[str, Any] | None,
        draw: Callable[[str], torch.Generator],
    ) -> None:
        self.size, self._draw = size, draw
        everywhere = torch.arange(size)
        every = recorded is not None or size <= ONE_BY_ONE
        count = DENSE_OF_LARGE if size > LARGE else DENSE
        self._dense = [] if size <= ONE_BY_ONE else [everywhere] * count
        length = 1 if size <= ONE_BY_ONE else max(1, round(size**0.5))
        self._blocks = list(torch.split(everywhere, length))
        self._all = len(self._blocks)
        if size > LARGE:
            chosen = torch.randperm(self._all, generator=draw("blocks"))[:SAMPLED].tolist()
            self._blocks = [self._blocks[i] for i in sorted(chosen)]
        self._share = len(self._blocks) if every else -(-len(self._blocks) // inputs)
        self._next = self._points = 0
        self.wrong: Tensor | None = None
        self.seen = 0.0
        self._first = _recorded(recorded, size)

    def take(self) -> list[Tensor]:
        """The blocks of the next point."""
        begin, self._next = self._next, self._next + self._share
        self._points += 1
        if self._next >= len(self._blocks):
            self._next = 0
        if self.wrong is not None:
            return [self.wrong]
        return self._first + self._dense + self._blocks[begin : begin + self._share]

    def signs(self, number: int) -> Tensor:
        """Random bits (D,) for the block of that number at this point."""
        return torch.randint(0, 2, (self.size,), generator=self._draw(f"g{self._points}.{number}"))

    def other_signs(self, number: int) -> Tensor:
        """Bits beside those of all blocks."""
        return self.signs(len(self._blocks) + len(self._dense) + number)

    def note(self, block: Tensor, found: Comparison) -> None:
        """Remember what the comparison along all coordinates would have seen."""
        if len(block) == self.size:
            self.seen = max(self.seen, found.allowed * self.size**0.5)

    @property
    def covered(self) -> str:
        """What was looked at, where that is not every coordinate or block."""
        if self.size <= LARGE:
            return ""
        return (
            f"; at each along {DENSE_OF_LARGE} directions of random signs on all {self.size} "
            f"coordinates, which overlook an error of more than {self.seen:.1g} in any of them "
            f"with a probability of at most 1/{2**DENSE_OF_LARGE}, and in all along "
            f"{len(self._blocks)} of {self._all} blocks of coordinates"
        )


def _recorded(details: Mapping[str, Any] | None, size: int) -> list[Tensor]:
    """The coordinates that a recorded violation names."""
    given = details or {}
    first = given.get("coordinate", given.get("first"))
    last = given.get("coordinate", given.get("last"))
    if not (isinstance(first, int) and isinstance(last, int) and 0 <= first <= last < size):
        return []
    return [torch.arange(first, last + 1)]


class Slopes:
    """Slopes of the values at one point, along blocks of coordinates."""

    def __init__(self, subject: Subject, w: Tensor, exact: Tensor) -> None:
        self.subject, self.w, self.exact = subject, w, exact
        self.scale = scale_of(w)
        # A direction along which nothing is flat by symmetry.
        dense = torch.cos(1.0 + 1.7 * torch.arange(len(w), dtype=w.dtype, device=w.device))
        at, _ = value_along(subject, w, dense / torch.linalg.vector_norm(dense))
        self.scatter = noise(at, self.scale)

    def direction(self, block: Tensor, signs: Tensor) -> Tensor:
        """The unit vector of equal entries up to sign on ``block``."""
        u = torch.zeros_like(self.w)
        entries = 2.0 * signs[block].to(u) - 1.0 if len(block) > 1 else torch.ones(1).to(u)
        u[block.to(u.device)] = entries / len(block) ** 0.5
        return u

    def along(self, block: Tensor, signs: Tensor) -> Comparison | None:
        u = self.direction(block, signs)
        at, taken = value_along(self.subject, self.w, u)
        return reliable(torch.dot(self.exact, u), at, taken, self.scale, self.scatter)

    def narrowed(
        self, block: Tensor, signs: Tensor, found: Comparison, other: Callable[[int], Tensor]
    ) -> tuple[Tensor, Comparison]:
        """The smallest block on which the slope is still wrong.

        Args:
            other: other signs to try, by number.
        """
        tries = 0
        while len(block) > 1:
            wrong = self._wrong(block.chunk(2), signs)
            if not wrong and len(block) <= SINGLY:
                wrong = self._wrong(torch.split(block, 1), signs)
            if not wrong and tries < TRIES:
                tries += 1
                signs = other(tries)
                continue
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
