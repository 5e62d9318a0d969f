"""Measured exponents of known remainders."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import strategies as st

from eostheory.agree import Sample, compare, exact, measured, simulate
from eostheory.agree.instances import positive, scales, seeds
from eostheory.formula import Expr, OrderBound, as_expr, scalar, vector

ETA, A, Y = scalar("eta", positive=True), scalar("a"), scalar("y")
H = scalar("h", positive=True)
V, W = vector("v", "n"), vector("w", "n")


def exponential(sample: Sample) -> None:
    """y = exp(a eta) with a fixed and eta -> 0."""
    a = sample.draw(positive(0.25, 4), "a")
    for eta in scales():
        sample.observe({ETA: eta, A: a, Y: measured(math.exp(a * eta), 4)}, scale=eta)


RECORD = simulate(exponential, seed=2, examples=20)
FIRST = 1 + A * ETA


def test_the_exponent_of_a_taylor_remainder_is_measured() -> None:
    found = compare(OrderBound(Y, FIRST, ETA**2), RECORD)
    assert found.outcome == "same"
    low, high = found.detail["exponent"]
    assert 1.9 < low <= high < 2.1
    assert found.detail["claimed"] == [2.0, 2.0]
    assert found.detail["constant"] < 16


def test_a_claim_of_one_order_more_differs() -> None:
    found = compare(OrderBound(Y, FIRST, ETA**3), RECORD)
    assert found.outcome == "differs"
    assert found.detail["witness"]["slopes"]


def test_a_true_but_loose_claim_holds_and_its_exponent_says_so() -> None:
    found = compare(OrderBound(Y, FIRST, ETA ** Fraction(3, 2)), RECORD)
    assert found.outcome == "same"
    assert found.detail["exponent"][0] > 1.9


@pytest.mark.parametrize("factor", [2, Fraction(1, 2), -1, Fraction(11, 10)])
def test_a_wrong_coefficient_breaks_the_order(factor: Fraction | int) -> None:
    wrong = OrderBound(Y, 1 + as_expr(factor) * A * ETA, ETA**2)
    assert compare(wrong, RECORD).outcome == "differs"


def test_a_coefficient_off_by_a_thousandth_does_not_pass() -> None:
    wrong = OrderBound(Y, 1 + as_expr(Fraction(1001, 1000)) * A * ETA, ETA**2)
    assert compare(wrong, RECORD).outcome != "same"


def test_an_error_below_rounding_counts_as_any_order() -> None:
    def linear(sample: Sample) -> None:
        a = sample.draw(positive(0.25, 4), "a")
        for eta in scales():
            sample.observe({ETA: eta, A: a, Y: measured(1 + a * eta, 2)}, scale=eta)

    found = compare(OrderBound(Y, FIRST, ETA**3), simulate(linear, seed=0, examples=5))
    assert found.outcome == "same"
    assert found.detail["exact"] == 5


def test_rounding_larger_than_the_order_says_nothing() -> None:
    def coarse(sample: Sample) -> None:
        a = sample.draw(positive(0.25, 4), "a")
        for eta in scales():
            sample.observe({ETA: eta, A: a, Y: measured(1 + a * eta, 2, 1e16)}, scale=eta)

    found = compare(OrderBound(Y, FIRST, ETA**3), simulate(coarse, seed=0, examples=5))
    assert found.outcome == "undecided"


def test_small_scales_where_rounding_dominates_are_dropped() -> None:
    def cubic(sample: Sample) -> None:
        a = sample.draw(positive(1, 4), "a")
        for eta in scales(0.25, 30):
            sample.observe({ETA: eta, A: a, Y: measured(math.exp(a * eta), 4)}, scale=eta)

    bound = OrderBound(Y, 1 + A * ETA + A**2 * ETA**2 / 2, ETA**3)
    found = compare(bound, simulate(cubic, seed=0, examples=10))
    assert found.outcome == "same"
    assert 2.9 < found.detail["exponent"][0] <= found.detail["exponent"][1] < 3.1


def test_an_order_in_two_small_parameters_is_evaluated_along_the_path() -> None:
    def along(sample: Sample) -> None:
        power = sample.draw(st.sampled_from([1, 2]), "power")
        for eta in scales(0.25, 8):
            h = eta**power
            sample.observe({ETA: eta, H: h, Y: exact(3 * eta * h**2 + eta * eta**3)}, scale=eta)

    record = simulate(along, seed=0, examples=4)
    zero: Expr = as_expr(0) * ETA
    assert compare(OrderBound(Y, zero, ETA * (H**2 + ETA**3)), record).outcome == "same"
    assert compare(OrderBound(Y, zero, ETA * H**2), record).outcome == "differs"


def test_vectors_are_measured_by_their_norm() -> None:
    def rotating(sample: Sample) -> None:
        rng = np.random.default_rng(sample.draw(seeds(), "seed"))
        v, d = rng.standard_normal(4), rng.standard_normal(4)
        for eta in scales():
            w = measured(v + eta**2 * d, 3, np.abs(v) + np.abs(d))
            sample.observe({ETA: eta, V: v, W: w}, scale=eta)

    record = simulate(rotating, seed=0, examples=5)
    assert compare(OrderBound(W, V, ETA**2), record).outcome == "same"
    assert compare(OrderBound(W, V, ETA**3), record).outcome == "differs"


def test_two_limits_on_one_instance_are_kept_apart() -> None:
    def twice(sample: Sample) -> None:
        for name, a in (("small", 0.5), ("large", 64.0)):
            for eta in scales(2.0**-8):
                sample.observe(
                    {ETA: eta, A: a, Y: measured(math.exp(a * eta), 4)}, scale=eta, series=name
                )

    found = compare(OrderBound(Y, FIRST, ETA**2), simulate(twice, seed=0, examples=1))
    assert found.outcome == "same"
    assert found.detail["count"] == 2


def test_slopes_that_have_not_settled_are_undecided() -> None:
    def logarithmic(sample: Sample) -> None:
        phase = sample.draw(positive(1, 2), "phase")
        for eta in scales():
            wave = 2 + math.sin(4 * phase * math.log(eta))
            sample.observe({ETA: eta, A: 0.0, Y: exact(eta**2 * wave)}, scale=eta)

    bound = OrderBound(Y, as_expr(0) * A, ETA ** Fraction(5, 2))
    assert compare(bound, simulate(logarithmic, seed=0, examples=4)).outcome == "undecided"
