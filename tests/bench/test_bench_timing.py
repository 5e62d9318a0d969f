"""Repeats, medians, intervals, ratios and growth."""

import math
import random
from statistics import mean, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eostheory.bench.timing import (
    Interval,
    Sample,
    clocked,
    growth,
    interleaved,
    ratios,
    speeds,
    stretches,
    walls,
)

POSITIVE = st.floats(1e-3, 1e3)


@given(st.lists(POSITIVE, min_size=1, max_size=40), st.randoms())
def test_an_interval_holds_the_median_and_does_not_see_the_order(values, order):
    seen = Interval.of(values)
    assert seen.low <= seen.median <= seen.high
    assert seen.median == median(values)
    assert {seen.low, seen.high} <= set(values)
    shuffled = values.copy()
    order.shuffle(shuffled)
    assert Interval.of(shuffled) == seen


@pytest.mark.parametrize(
    ("count", "out"), [(3, 0), (6, 0), (8, 0), (9, 1), (11, 1), (12, 2), (20, 5)]
)
def test_the_interval_is_that_of_the_sign_test(count, out):
    # Conover, Practical Nonparametric Statistics: order statistics for the median, 95 %
    seen = Interval.of([float(i) for i in range(count)])
    assert (seen.low, seen.high) == (out, count - 1 - out)


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf]])
def test_what_is_not_finite_is_no_measurement(values):
    with pytest.raises(ValueError, match="finite values were expected"):
        Interval.of(values)


def test_a_decreasing_map_swaps_the_ends():
    assert Interval(2.0, 1.0, 4.0, 5).map(lambda x: 1 / x) == Interval(0.5, 0.25, 1.0, 5)


def test_peers_run_in_turn_and_begin_in_turn():
    calls = []

    def peer(name):
        def run():
            calls.append(name)
            return Sample(len(calls), len(calls))

        return run

    taken = interleaved({name: peer(name) for name in "abc"}, repeats=3, warm=1)
    rounds = [calls[i : i + 3] for i in range(0, len(calls), 3)]
    assert [sorted(r) for r in rounds] == [["a", "b", "c"]] * 4
    assert len({r[0] for r in rounds[1:]}) == 3
    assert all(len(samples) == 3 for samples in taken.values())
    # the warm round does not count
    assert min(s.cpu for samples in taken.values() for s in samples) == 4


def test_a_ratio_is_taken_repeat_by_repeat():
    # a machine that slows down by a factor meets both alike
    ours = [Sample(1.0 * f, 9.0) for f in (1, 5, 2)]
    theirs = [Sample(3.0 * f, 9.0) for f in (1, 5, 2)]
    assert ratios(ours, theirs) == Interval(3.0, 3.0, 3.0, 3)
    assert ratios(ours, theirs, (2.0, 1.0)).median == 6.0
    assert speeds(ours, 10.0).median == 5.0
    assert walls(ours, 18.0).median == 2.0


def test_a_call_is_timed_by_both_clocks():
    spent = clocked(lambda: sum(range(200_000)))
    assert spent.cpu > 0
    assert spent.wall > 0


def test_what_is_rare_and_expensive_shows_in_the_mean():
    seen = stretches([1.0] * 70 + [11.0] + [1.0] * 9)
    assert seen.median == mean([1.0] * 79 + [11.0]) > seen.low
    assert seen.high > seen.median
    assert stretches([2.0] * 5) == Interval(2.0, 2.0, 2.0, 5)


@given(st.floats(-5, 5), st.floats(-5, 5), st.integers(0, 10**6))
def test_growth_finds_a_planted_slope_beside_a_planted_covariate(rise, weight, seed):
    draw = random.Random(seed)
    other = [draw.random() for _ in range(400)]
    values = [3 + rise * i / 399 + weight * other[i] for i in range(400)]
    seen = growth(values, (other,))
    # the means of the stretches reach from 0.5/50 to 1 - 0.5/50 of the way
    assert seen.median == pytest.approx(rise * 392 / 399, abs=1e-9)
    assert seen.low <= seen.median <= seen.high


def test_growth_of_noise_has_an_interval_that_holds_zero():
    draw = random.Random(7)
    held = 0
    for _ in range(200):
        seen = growth([draw.gauss(0, 1) for _ in range(500)])
        held += seen.low <= 0 <= seen.high
    assert 180 <= held <= 199


def test_a_covariate_that_never_changes_explains_nothing():
    values = [float(i) for i in range(100)]
    assert growth(values, ([1.0] * 100,)) == growth(values)
    with pytest.raises(ValueError, match="too few"):
        growth([1.0, 2.0, 3.0])
