"""Points and directions lie where they should, are few digits, and can be made again."""

import json
import math

import pytest
import torch
from hypothesis import find, given, settings
from hypothesis import strategies as st

from eostheory import strategies

QUIET = settings(database=None, deadline=None, max_examples=2000)
ONES = torch.ones(40, dtype=torch.float64)


def smallest(strategy, condition=lambda _: True):
    return find(strategy, condition, settings=QUIET)


def code_of(drawn, start=None):
    """What the printed expression makes: it is what a reader would paste."""
    names = {"torch": torch, "strategies": strategies, "start": start}
    return eval(drawn.code, names)


@settings(database=None, deadline=None, max_examples=50)
@given(st.data(), st.sampled_from([1, 2, 5, 16, 17, 40]), st.booleans())
def test_a_point_is_made_again_from_its_code_and_from_its_data(data, size, around):
    start = ONES[:size] * 0.3 if around else None
    drawn = data.draw(strategies.drawn_points(size, start))
    assert drawn.tensor.shape == (size,)
    assert drawn.tensor.dtype == torch.float64
    stored = json.loads(json.dumps(dict(drawn.data)))
    assert torch.equal(strategies.rebuild(stored, start), drawn.tensor)
    assert torch.equal(code_of(drawn, start), drawn.tensor)


@settings(database=None, deadline=None, max_examples=50)
@given(st.data(), st.sampled_from([1, 2, 5, 16, 17, 40]))
def test_a_direction_has_length_one_and_is_made_again(data, size):
    drawn = data.draw(strategies.drawn_directions(size))
    assert float(torch.linalg.vector_norm(drawn.tensor)) == pytest.approx(1, abs=1e-15)
    stored = json.loads(json.dumps(dict(drawn.data)))
    assert torch.equal(strategies.rebuild(stored), drawn.tensor)
    assert torch.equal(code_of(drawn), drawn.tensor)


@settings(database=None, deadline=None, max_examples=100)
@given(
    st.data(), st.sampled_from([(-3.0, 1.0), (0.5, 0.75), (7.0, 1e4), (-1e-6, 2e-6), (2.0, 2.0)])
)
def test_points_keep_within_the_bounds(data, bounds):
    low, high = bounds
    w = data.draw(strategies.points(3, low=low, high=high))
    assert bool((w >= low).all())
    assert bool((w <= high).all())


@settings(database=None, deadline=None, max_examples=100)
@given(st.data())
def test_one_bound_is_enough(data):
    assert bool((data.draw(strategies.points(3, low=5.0)) >= 5).all())
    assert bool((data.draw(strategies.points(3, high=-5.0)) <= -5).all())
    assert bool((data.draw(strategies.points(3, low=0.0, high=math.inf)) >= 0).all())


@settings(database=None, deadline=None, max_examples=100)
@given(st.data(), st.sampled_from([3, 40]))
def test_points_stay_near_the_start(data, size):
    start = 2.5 * ONES[:size]
    w = data.draw(strategies.points(size, start))
    assert float((w - start).abs().max()) <= 2.5
    w = data.draw(strategies.points(size, start, spread=0.25))
    assert float((w - start).abs().max()) <= 0.25


@settings(database=None, deadline=None, max_examples=100)
@given(st.data(), st.sampled_from([2, 40]))
def test_points_avoid_the_hole_and_what_is_not_contained(data, size):
    w = data.draw(strategies.points(size, hole=0.5, contains=lambda w: w[0] >= 0))
    assert float(torch.linalg.vector_norm(w)) >= 0.5
    assert w[0] >= 0


def test_points_of_few_coordinates_shrink_to_plain_numbers():
    points = strategies.drawn_points(3)
    assert smallest(points).code == "torch.tensor([0, 0, 0], dtype=torch.float64)"
    long = smallest(points, lambda p: float(p.tensor.norm()) > 0.1)
    assert long.code == "torch.tensor([0, 0, 1], dtype=torch.float64)"
    mixed = smallest(points, lambda p: float(p.tensor[0] * p.tensor[1]) < -0.37)
    assert mixed.code == "torch.tensor([1, -1, 0], dtype=torch.float64)"
    between = smallest(points, lambda p: 0.4 < float(p.tensor[1]) < 0.6)
    assert between.code == "torch.tensor([0, 0.5, 0], dtype=torch.float64)"
    narrow = smallest(points, lambda p: 0.28 < float(p.tensor[2]) < 0.35)
    assert narrow.code == "torch.tensor([0, 0, 0.3], dtype=torch.float64)"


def test_points_of_many_coordinates_shrink_to_the_start():
    assert smallest(strategies.drawn_points(40, ONES)).code == "start"
    assert torch.equal(smallest(strategies.points(40)), torch.zeros(40, dtype=torch.float64))
    away = smallest(strategies.drawn_points(40, ONES), lambda p: float(p.tensor[3]) != 1)
    assert away.code == "start + 1 * strategies.direction(40, seed=0)"
    far = smallest(strategies.drawn_points(40, hole=0.1))
    assert far.code == "1 * strategies.direction(40, seed=0)"


def test_directions_shrink_to_the_axes():
    assert smallest(strategies.drawn_directions(3)).code == "strategies.basis(3, 0)"
    last = smallest(strategies.drawn_directions(3), lambda u: float(u.tensor[2]) > 0.1)
    assert last.code == "strategies.basis(3, 2)"
    slanted = smallest(
        strategies.drawn_directions(3), lambda u: float(u.tensor[0] * u.tensor[2]) < -0.1
    )
    assert slanted.code == "strategies.unit([1, 0, -1])"


def test_random_directions_do_not_depend_on_the_state_of_torch():
    torch.manual_seed(0)
    first = strategies.direction(9, seed=4)
    torch.rand(3)
    assert torch.equal(first, strategies.direction(9, seed=4))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: strategies.points(0), "size = 0; it is at least 1"),
        (lambda: strategies.points(2.0), "size = 2.0 is float, not an int"),
        (lambda: strategies.points(2, ONES), "start has 40 coordinates, size is 2"),
        (lambda: strategies.points(2, [1.0, 2.0]), "is list, not a tensor"),
        (lambda: strategies.points(1, ONES[:1] * math.nan), "start is not finite"),
        (lambda: strategies.points(2, low=1.0, high=0.0), "no point is between low = 1.0"),
        (lambda: strategies.points(2, ONES[:2], low=5.0), "coordinate 0 of start is 1.0"),
        (lambda: strategies.points(2, hole=9.0), "no point of the box is as long as hole = 9.0"),
        (lambda: strategies.points(2, hole=-1.0), "hole = -1.0 is negative"),
        (lambda: strategies.points(2, spread=0.0), "spread = 0.0 is not positive"),
        (lambda: strategies.basis(3, 3), "index = 3 of 3 coordinates, which are 0 to 2"),
        (lambda: strategies.unit([0, 0]), "has no direction"),
        (lambda: strategies.direction(3, -1), "seed = -1; it is at least 0"),
        (lambda: strategies.rebuild({"kind": "spiral"}), "kind = 'spiral' of a vector; known"),
        (
            lambda: strategies.rebuild(
                {"kind": "around", "size": 3, "start": True, "radius": 1, "seed": 0}
            ),
            "pass start=",
        ),
    ],
)
def test_arguments_that_are_none_are_named(make, message):
    with pytest.raises((TypeError, ValueError)) as caught:
        make()
    assert message in str(caught.value)
