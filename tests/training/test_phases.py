"""The four phases of li22 on rows whose phases are known."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eostheory.training.phases import PhaseTracker, anomalies, four_phases

ETA = 0.5  # the edge is at 4

# sharpness, loss, phase; each value held for two rows, so that means of two rows follow it
CYCLE = [
    (3.0, 1.0, 1),
    (3.6, 0.8, 1),
    (4.4, 0.6, 2),
    (4.8, 0.5, 2),
    (4.6, 0.9, 3),
    (4.2, 2.0, 3),
    (3.5, 1.5, 4),
    (3.0, 0.8, 4),
    (3.2, 0.4, 1),
    (3.9, 0.3, 1),
    (4.5, 0.2, 2),
]


def doubled():
    return [row for row in CYCLE for _ in range(2)]


def test_one_cycle_goes_through_all_four():
    found = four_phases([s for s, _, _ in doubled()], [loss for _, loss, _ in doubled()], ETA)
    assert found[1::2].tolist() == [phase for _, _, phase in CYCLE]


def test_the_oscillation_of_the_sharpness_with_period_two_does_not_count():
    sharpness = [s + 0.7 * (-1) ** i for i, (s, _, _) in enumerate(doubled())]
    found = four_phases(sharpness, [loss for _, loss, _ in doubled()], ETA)
    assert found[1::2].tolist() == [phase for _, _, phase in CYCLE]


def test_the_norm_of_the_output_layer_may_tell_rising_from_falling():
    sharpness, loss = [3.0, 5.0, 5.0, 5.0, 5.0], [1.0] * 5
    assert four_phases(sharpness, loss, ETA).tolist() == [1, 2, 2, 2, 2]
    output = [1.0, 2.0, 3.0, 2.5, 2.0]
    assert four_phases(sharpness, loss, ETA, output).tolist() == [1, 2, 2, 3, 3]


def test_rows_without_a_sharpness_have_no_phase_and_change_none():
    found = four_phases([3.0, math.nan, 3.1, 5.0, math.nan, 5.2], [1.0] * 6, ETA)
    assert found.tolist() == [1, 0, 1, 2, 0, 2]


rows = st.lists(st.tuples(st.floats(0, 8), st.floats(0, 5)), min_size=1, max_size=40)


@given(rows, st.integers(0, 40))
def test_above_the_edge_is_two_or_three_below_is_one_or_four_and_resuming_changes_nothing(
    pairs, cut
):
    tracker, found = PhaseTracker(ETA), []
    for i, (sharpness, loss) in enumerate(pairs):
        if i == cut:
            tracker = PhaseTracker.restored(tracker.state())
        found.append(tracker(sharpness, loss))
    straight = four_phases([s for s, _ in pairs], [x for _, x in pairs], ETA)
    assert found == straight.tolist()
    sharpness = np.array([s for s, _ in pairs])
    means = np.append(sharpness[:1], (sharpness[1:] + sharpness[:-1]) / 2)
    assert ((means >= 4) == np.isin(straight, (2, 3))).all()
    assert not set(itertools.pairwise(found)) & {(1, 3), (1, 4), (3, 2), (4, 3)}


def test_rows_that_move_in_opposite_directions_are_anomalies():
    index, share = anomalies([1.0, 2.0, 3.0, 2.0], [1.0, 2.0, 1.5, 1.0])
    assert index.tolist() == [1]
    assert share == pytest.approx(1 / 3)


def test_a_learning_rate_must_be_positive():
    with pytest.raises(ValueError, match=r"eta is -1\.0"):
        PhaseTracker(-1.0)
