"""Laws of scale-invariant losses, on every family."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eostheory.agree.instances import lengths, positive, scale_invariant_losses, seeds
from eostheory.agree.torch import Rounding
from eostheory.numeric.autodiff import gradient, hessian, value
from eostheory.numeric.losses import FAMILIES, Draw, Loss, scale_invariant

laws = settings(max_examples=25, deadline=None, derandomize=True)


@laws
@given(scale_invariant_losses(high=6), seeds(), lengths(), st.sampled_from([0.25, 0.5, 2.0, 8.0]))
def test_value_gradient_and_hessian_have_degrees_0_minus_1_and_minus_2(
    loss: Loss, seed: int, size: float, factor: float
) -> None:
    w = loss.point(seed, size)
    # A power of two scales exactly, so that only the rounding inside the loss remains.
    for degree, part in ((0, value), (-1, gradient), (-2, hessian)):
        with Rounding() as rounding:
            here, there = part(loss, w), part(loss, factor * w)
            gap = rounding(there - factor**degree * here)
        assert np.all(np.abs(gap.value) <= gap.error)


@laws
@given(scale_invariant_losses(), seeds(), lengths())
def test_the_gradient_is_orthogonal_to_the_parameters(loss: Loss, seed: int, size: float) -> None:
    w = loss.point(seed, size)
    with Rounding() as rounding:
        found = rounding(torch.dot(gradient(loss, w), w))
    assert abs(found.value) <= found.error < 1e-9


@laws
@given(scale_invariant_losses(high=8), seeds())
def test_the_hessian_is_symmetric_and_not_zero(loss: Loss, seed: int) -> None:
    w = loss.point(seed)
    with Rounding() as rounding:
        table = hessian(loss, w)
        gap = rounding(table - table.T)
    assert np.all(np.abs(gap.value) <= gap.error)
    assert float(table.abs().max()) > 0


@pytest.mark.parametrize("family", FAMILIES)
def test_families_depend_on_their_seed_and_on_nothing_else(family: str) -> None:
    w = Draw(5, "cpu").normal(6)
    values = [scale_invariant(family, 6, seed, "cpu")(w) for seed in (1, 1, 2)]
    assert values[0] == values[1] != values[2]


def test_families_are_unlike_each_other() -> None:
    w = Draw(5, "cpu").normal(6)
    found = {float(scale_invariant(f, 6, 1, "cpu")(w)) for f in FAMILIES}
    assert len(found) == len(FAMILIES)


def test_an_unknown_family_or_too_few_dimensions_are_refused() -> None:
    with pytest.raises(KeyError, match="known: quadratic ratio"):
        scale_invariant("cubic", 5, 0)
    with pytest.raises(ValueError, match="at least 2"):
        scale_invariant("quadratic ratio", 1, 0)


@laws
@given(positive(0.1, 10), seeds())
def test_points_have_the_length_that_was_asked_for(size: float, seed: int) -> None:
    loss = scale_invariant("quadratic ratio", 7, seed, "cpu")
    assert float(loss.point(seed, size).norm()) == pytest.approx(size)
