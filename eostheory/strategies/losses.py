"""Strategies of losses by family, of data sets and of step sizes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from hypothesis import strategies as st
from torch import Tensor

from eostheory.strategies.families import (
    SCALE_INVARIANT,
    loss_with_manifold,
    positive,
    quadratic_loss,
    scale_invariant_loss,
    self_stabilizing_loss,
    spherical_loss_with_manifold,
    two_layer_linear_loss,
)
from eostheory.strategies.loss import DrawnLoss
from eostheory.strategies.numbers import Strategy, between, count, plain, plain_numbers

SEEDS = st.integers(0, 99)
"""Seeds of generic losses."""


def _sizes(least: int, most: int, floor: int, why: str, what: str = "size") -> Strategy[int]:
    count(f"min_{what}", least, floor, why)
    count(f"max_{what}", most, least, f"min_{what} is {least}")
    return st.integers(least, most)


def _amounts(low: float, high: float) -> Strategy[float]:
    """Positive few-digit numbers, 1 first where it is between the bounds."""
    return st.sampled_from([x for x in plain_numbers(low, high) if x > 0])


def step_sizes(
    low: float = 0.01, high: float = 1.0, *, sharpness: float | None = None
) -> Strategy[float]:
    """Step sizes between the bounds, few digits, the plainest first; never 0.

    Args:
        sharpness: draw ``2/sharpness`` times a number between the bounds instead: below 1 is
            stable, above it not.
    """
    bottom, top = between("step_sizes", low, high)
    if bottom < 0 or top <= 0:
        raise ValueError(f"step sizes are positive, low = {low!r} and high = {high!r} are not")
    if sharpness is None:
        return _amounts(bottom, top)
    edge = 2 / positive("sharpness", sharpness)
    return _amounts(bottom, top).map(lambda part: part * edge)


def data_sets(
    min_examples: int = 1,
    max_examples: int = 8,
    *,
    min_features: int = 1,
    max_features: int = 4,
    labels: str = "numbers",
    classes: int = 2,
    low: float = -2.0,
    high: float = 2.0,
) -> Strategy[tuple[Tensor, Tensor]]:
    """Inputs (n, d) float64 of few digits and targets (n,).

    Args:
        labels: "numbers" (float64 between the bounds), "signs" (float64, -1 and 1, as in li22) or
            "classes" (int64 below ``classes``, for a cross-entropy).
        low, high: bounds of the entries.
    """
    known = ("numbers", "signs", "classes")
    if labels not in known:
        raise ValueError(f"labels = {labels!r}; known: {', '.join(known)}")
    count("classes", classes, 2)
    bottom, top = between("data_sets", low, high)
    rows = _sizes(min_examples, max_examples, 1, "a data set has one", "examples")
    columns = _sizes(min_features, max_features, 1, "an example has one", "features")
    entry = plain(bottom, top)
    target: Strategy[float] | Strategy[int]
    if labels == "numbers":
        target, dtype = entry, torch.float64
    elif labels == "signs":
        target, dtype = st.sampled_from([1.0, -1.0]), torch.float64
    else:
        target, dtype = st.integers(0, classes - 1), torch.int64

    @st.composite
    def drawn(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
        n, d = draw(rows), draw(columns)
        y = torch.tensor([draw(target) for _ in range(n)], dtype=dtype)
        x = torch.tensor([draw(entry) for _ in range(n * d)], dtype=torch.float64)
        return x.reshape(n, d), y

    return drawn()


def self_stabilizing_losses(
    min_size: int = 3, max_size: int = 6, *, generic: bool = True
) -> Strategy[DrawnLoss]:
    """Losses at the edge of stability (:func:`~eostheory.strategies.self_stabilizing_loss`).

    Args:
        generic: quartics with every other derivative random too, not only the toy.
    """
    sizes = _sizes(min_size, max_size, 3, "u, grad S and one more direction")
    seeds = st.none() | SEEDS if generic else st.none()
    rates = st.sampled_from([0.1, 0.2, 0.5, 0.05, 0.01])
    amounts = st.sampled_from([1.0, 2.0, 0.5, 0.1])
    return st.builds(self_stabilizing_loss, sizes, rates, amounts, amounts, seeds)


def scale_invariant_losses(
    min_size: int = 2, max_size: int = 6, *, families: Sequence[str] = SCALE_INVARIANT
) -> Strategy[DrawnLoss]:
    """Scale-invariant losses (:func:`~eostheory.strategies.scale_invariant_loss`).

    Args:
        families: of which names; the first is what they shrink to.

    Raises:
        ValueError: an unknown name, or none.
    """
    names = list(families) if not isinstance(families, str) else [families]
    strange = [name for name in names if name not in SCALE_INVARIANT]
    if strange or not names:
        what = f"unknown {strange[0]!r}" if strange else "none given"
        raise ValueError(f"families: {what}; known: {', '.join(SCALE_INVARIANT)}")
    sizes = _sizes(min_size, max_size, 2, "with one parameter they are locally constant")
    return st.builds(scale_invariant_loss, st.sampled_from(names), sizes, SEEDS)


def losses_with_manifold(
    min_size: int = 2,
    max_size: int = 6,
    *,
    dimension: int | None = None,
    generic: bool = True,
    spherical: bool = False,
) -> Strategy[DrawnLoss]:
    """Losses whose minimizers are a manifold that is known.

    Args:
        dimension: of the manifold (of its cone, for spherical ones); None for any.
        generic: generic ones too, not only paraboloids.
        spherical: scale-invariant ones instead (always generic).
    """
    least = max(min_size, 2 if dimension is None else count("dimension", dimension, 1) + 1)
    sizes = _sizes(least, max_size, 2, "one parameter along the manifold, one across")
    shapes = sizes.flatmap(
        lambda size: st.tuples(
            st.just(size), st.integers(1, size - 1) if dimension is None else st.just(dimension)
        )
    )
    if spherical:
        return st.builds(lambda s, k: spherical_loss_with_manifold(s[0], s[1], k), shapes, SEEDS)
    amounts = st.sampled_from([0.0, 1.0, 0.5, 0.1])
    seeds = st.none() | SEEDS if generic else st.none()
    return st.builds(
        lambda s, seed, b, g: loss_with_manifold(s[0], s[1], b, g, seed),
        *(shapes, seeds, amounts, amounts),
    )


def two_layer_linear_losses(
    max_examples: int = 4, max_features: int = 3, max_width: int = 3
) -> Strategy[DrawnLoss]:
    """Two-layer linear networks on few-digit data with labels -1 and 1 (li22, section 4)."""
    count("max_width", max_width, 1)
    sets = data_sets(1, max_examples, max_features=max_features, labels="signs")
    return st.builds(
        lambda data, width: two_layer_linear_loss(data[0].tolist(), data[1].tolist(), width),
        sets.filter(lambda data: bool(data[0].any())),
        st.integers(1, max_width),
    )


def quadratic_losses(
    min_size: int = 1, max_size: int = 6, *, low: float = 0.0, high: float = 10.0
) -> Strategy[DrawnLoss]:
    """Quadratic losses with curvatures between the bounds, diagonal or turned."""
    _sizes(min_size, max_size, 1, "one parameter")
    bottom, top = between("quadratic_losses", low, high)
    curvatures = st.lists(plain(bottom, top), min_size=min_size, max_size=max_size)
    return st.builds(quadratic_loss, curvatures, st.none() | SEEDS)


def losses(max_size: int = 6) -> Strategy[DrawnLoss]:
    """Losses of every family."""
    count("max_size", max_size, 3)
    return st.one_of(
        quadratic_losses(1, max_size),
        two_layer_linear_losses(max_features=min(3, max_size - 1), max_width=max(1, max_size // 4)),
        losses_with_manifold(2, max_size),
        scale_invariant_losses(2, max_size),
        self_stabilizing_losses(3, max_size),
    )
