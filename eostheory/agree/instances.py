"""Hypothesis strategies for the instances on which claims are tried.

Numbers are dyadic with few digits: exact in float64 and as fractions, readable in a report, and
quick to shrink (towards 1).  Everything large is drawn through a seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from eostheory.agree.measured import Array
from eostheory.numeric.losses import FAMILIES, Loss, scale_invariant

DIMENSIONS = (2, 50)
"""Smallest and largest dimension of drawn instances."""


def dimensions(low: int = DIMENSIONS[0], high: int = DIMENSIONS[1]) -> SearchStrategy[int]:
    """Dimensions from ``low`` to ``high``; shrinks to ``low``."""
    return st.integers(low, high)


def seeds() -> SearchStrategy[int]:
    """Seeds for everything large; shrinks to 0."""
    return st.integers(0, 9999)


def positive(low: float, high: float, bits: int = 4) -> SearchStrategy[float]:
    """Reals ``(1 + m / 2^bits) 2^e`` in ``[low, high]``, spread evenly over the binades.

    Raises:
        ValueError: when no such number lies in the interval.
    """
    if not 0 < low <= high < math.inf:
        raise ValueError(f"positive({low}, {high}): need 0 < low <= high")
    first, last = math.floor(math.log2(low)), math.floor(math.log2(high))
    size = 2**bits
    ranges: dict[int, tuple[int, int]] = {}
    for e in range(first, last + 1):
        a = max(0, math.ceil((Fraction(low) / Fraction(2) ** e - 1) * size))
        b = min(size - 1, math.floor((Fraction(high) / Fraction(2) ** e - 1) * size))
        if a <= b:
            ranges[e] = (a, b)
    if not ranges:
        raise ValueError(f"positive({low}, {high}): no number of {bits} bits lies there")
    ordered = sorted(ranges, key=lambda e: (abs(e), e))

    def number(e: int) -> SearchStrategy[float]:
        return st.integers(*ranges[e]).map(lambda m: math.ldexp(1 + m / size, e))

    return st.sampled_from(ordered).flatmap(number)


def signed(low: float, high: float, bits: int = 4) -> SearchStrategy[float]:
    """As :func:`positive`, with either sign."""
    return st.tuples(st.sampled_from([1.0, -1.0]), positive(low, high, bits)).map(
        lambda pair: pair[0] * pair[1]
    )


def step_sizes(low: float = 2.0**-10, high: float = 0.5) -> SearchStrategy[float]:
    """Learning rates."""
    return positive(low, high)


def weight_decays(low: float = 2.0**-10, high: float = 0.5) -> SearchStrategy[float]:
    """Weight decays."""
    return positive(low, high)


def lengths(low: float = 0.25, high: float = 4.0) -> SearchStrategy[float]:
    """Lengths of parameter vectors."""
    return positive(low, high)


def vectors(dim: int, top: int = 8) -> SearchStrategy[Array]:
    """Non-zero vectors whose entries are multiples of 1/4 up to ``top / 4``."""
    entries = st.lists(st.integers(-top, top), min_size=dim, max_size=dim).filter(any)
    return entries.map(lambda row: np.array(row, dtype=np.float64) / 4)


def gaussian(*shape: int) -> SearchStrategy[Array]:
    """Standard normal arrays, drawn through a seed."""
    return seeds().map(lambda seed: np.random.default_rng(seed).standard_normal(shape))


def directions(dim: int) -> SearchStrategy[Array]:
    """Unit vectors, uniform on the sphere, drawn through a seed."""

    def unit(row: Array) -> Array:
        return row / np.linalg.norm(row)

    return gaussian(dim).map(unit)


def scale_invariant_losses(
    low: int = DIMENSIONS[0],
    high: int = DIMENSIONS[1],
    families: Sequence[str] = tuple(FAMILIES),
    device: str | None = None,
) -> SearchStrategy[Loss]:
    """Scale-invariant losses of every family, dimensions ``low`` to ``high``."""
    return st.builds(
        lambda family, dim, seed: scale_invariant(family, dim, seed, device),
        st.sampled_from(list(families)),
        dimensions(low, high),
        seeds(),
    )


def scales(start: float = 2.0**-4, count: int = 7) -> list[float]:
    """The scales ``start 2^-k`` of one limit."""
    return [math.ldexp(start, -k) for k in range(count)]
