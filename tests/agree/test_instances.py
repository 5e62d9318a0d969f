"""Strategies: in range, few digits, every family."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from eostheory.agree.instances import (
    dimensions,
    directions,
    positive,
    scale_invariant_losses,
    scales,
    signed,
    vectors,
)
from eostheory.numeric.losses import FAMILIES


@given(st.floats(1e-6, 1e3), st.floats(1.1, 1e4), st.data())
def test_positive_reals_lie_in_their_interval_and_are_dyadic(
    low: float, factor: float, data: st.DataObject
) -> None:
    high = low * factor
    x = data.draw(positive(low, high))
    assert low <= x <= high
    assert Fraction(x).denominator.bit_count() == 1
    assert Fraction(x).numerator < 2**40


def test_positive_reals_shrink_to_one() -> None:
    assert find(positive(2.0**-10, 8), lambda x: True) == 1.0


def test_an_empty_interval_is_refused() -> None:
    with pytest.raises(ValueError, match="no number of 1 bits"):
        positive(1.1, 1.2, bits=1)
    with pytest.raises(ValueError, match="need 0 < low"):
        positive(0, 1)


@given(signed(0.5, 2), dimensions().flatmap(vectors), directions(5))
def test_other_strategies_meet_their_promises(x: float, v: np.ndarray, d: np.ndarray) -> None:
    assert 0.5 <= abs(x) <= 2
    assert np.any(v != 0)
    assert np.linalg.norm(d) == pytest.approx(1)


@settings(deadline=None)
@given(st.data())
def test_every_family_is_drawn(data: st.DataObject) -> None:
    loss = data.draw(scale_invariant_losses())
    assert loss.name in FAMILIES
    assert 2 <= loss.dim <= 50


def test_at_least_five_unlike_families_exist() -> None:
    assert len(FAMILIES) >= 5


def test_scales_halve() -> None:
    assert scales(0.5, 3) == [0.5, 0.25, 0.125]
