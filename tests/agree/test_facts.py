"""Facts that hold at every record, counted."""

import numpy as np
import pytest

from eostheory.agree import compare, simulate
from eostheory.agree.facts import always, line, observe_counts

GROWS = always("grows", "t", "x_{t+1}>x_t")


def outcome(seen: list[bool]) -> str:
    record = simulate(
        lambda sample: observe_counts(sample, {GROWS: np.array(seen, dtype=bool)}),
        seed=0,
        examples=1,
    )
    return compare(GROWS, record).outcome if record.instances else "nothing"


@pytest.mark.parametrize(
    ("seen", "expected"),
    [([True] * 3, "same"), ([True, False, True], "differs"), ([False], "differs"), ([], "nothing")],
)
def test_a_fact_holds_if_every_record_shows_it_and_there_is_one(seen, expected):
    assert outcome(seen) == expected


def test_a_line_skips_what_is_not_finite_and_keeps_its_ends_in_bounds():
    x, y = np.arange(1000.0), np.arange(1000.0)
    y[::2] = np.nan
    thin = line("y", x, y, most=100)
    assert thin["label"] == "y"
    assert 50 <= len(thin["x"]) <= 100
    assert np.array_equal(thin["x"], thin["y"])
    assert len(line("y", x[:3], y[:3])["x"]) == 1
    assert len(line("none", x[:1], y[:1])["x"]) == 0
