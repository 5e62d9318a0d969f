"""Eigenvalues near the edge along gradient descent, and the prediction past the second crossing."""

import numpy as np
import pytest
import torch

from eostheory.numeric import autodiff
from eostheory.numeric.dynamics import gd
from eostheory.training.several_losses import block_quartic
from eostheory.training.several_top import TooManyUnstable
from eostheory.training.several_track import compare_several, track_unstable

ETA, EPS = 0.5, 2.0**-6
LOSS = block_quartic(2, 3, ETA, EPS, below=(0.0, 1.0))
START = EPS * torch.tensor([0.7, 0.4], dtype=torch.float64) @ LOSS.data["basis"]


def spectra(steps, every):
    for step in gd(LOSS.function, START, ETA, steps):
        if step.number % every == 0:
            yield torch.linalg.eigvalsh(autodiff.hessian(LOSS.function, step.w)).flip(0)


def test_all_eigenvalues_near_the_edge_are_followed_and_crossings_are_seen():
    run = track_unstable(LOSS.function, START, ETA, 160, band=0.002, every=4)
    records, found = run.records, list(spectra(160, 4))
    for row, values in enumerate(found):
        near = max(1, int((values >= (1 - 0.002) * 2 / ETA).sum()))
        assert records["near"][row] == int((values >= (1 - 0.002) * 2 / ETA).sum())
        assert records["above"][row] == int((values[:near] >= 2 / ETA).sum())
        for i in range(4):
            seen = records[f"sharpness_{i + 1}"][row]
            assert np.isnan(seen) if i >= near else abs(seen - float(values[i])) < 1e-10
            assert np.isnan(records[f"x_{i + 1}"][row]) == (i >= near)
    assert {1, 2} <= set(records["near"])
    second = next(row for row, values in enumerate(found) if values[1] >= 2 / ETA)
    assert run.crossings[2] == 4 * second
    assert run.crossings[1] < run.crossings[2]
    assert run.event is None
    assert run.step == 160


def test_coordinates_along_a_continuous_basis_change_sign_at_every_step():
    records = track_unstable(LOSS.function, START, ETA, 60, band=0.02).records
    assert (records["near"] == 2).all()
    assert (records["turn"][1:] < 3).all()
    for name in ("x_1", "x_2"):
        flips = np.sign(records[name][1:]) == -np.sign(records[name][:-1])
        assert flips.mean() > 0.9


def test_more_eigenvalues_at_the_edge_than_allowed_end_the_run_readably():
    run = track_unstable(LOSS.function, START, ETA, 160, band=0.002, most=1)
    assert isinstance(run.event, TooManyUnstable)
    assert run.event.step == run.step == len(run.records.rows)
    assert "most=" in str(run.event)
    assert np.isfinite(run.records["sharpness_1"]).all()


def test_a_run_goes_on_from_its_checkpoint_bit_for_bit(tmp_path):
    straight = track_unstable(LOSS.function, START, ETA, 40, band=0.02)
    track_unstable(LOSS.function, START, ETA, 25, band=0.02, folder=tmp_path / "run")
    resumed = track_unstable(
        LOSS.function, START, ETA, 40, band=0.02, folder=tmp_path / "run", resume=True
    )
    assert np.array_equal(straight.records.rows, resumed.records.rows, equal_nan=True)
    assert torch.equal(straight.w, resumed.w)


def test_the_prediction_holds_past_the_second_crossing():
    run = compare_several(LOSS.function, START, ETA, 260, 2, every=20, record_every=20)
    records = run.records
    assert run.event is None
    after = records["step"] >= run.crossings[2]
    assert after.sum() > 5
    assert (records["k"] == 2).all()
    # of second order, while the displacement is of first order
    assert records["deviation"].max() < 6 * EPS**2
    assert records["size"].max() > 1.5 * EPS
    gaps = records["predicted_sharpness_2"] - 2 / ETA
    assert gaps[0] < 0 < gaps.max()
    # one direction alone misses what the second does
    alone = compare_several(LOSS.function, START, ETA, 81, 1, every=20, record_every=20)
    last = alone.records["deviation"][-1]
    assert last > 30 * records["deviation"][len(alone.records.rows) - 1]


def test_directions_join_the_prediction_when_they_come_near_the_edge():
    run = compare_several(LOSS.function, START, ETA, 120, band=0.002, every=10, record_every=5)
    counts = run.records["k"]
    assert counts[0] == 1
    assert counts.max() == 2
    assert np.isnan(run.records["predicted_x_2"][0])
    assert run.records["deviation"].max() < 30 * EPS**2


def test_what_ends_a_comparison_is_an_event_and_the_rows_before_it_stay():
    loss = block_quartic(2, 3, ETA, 0.5)
    start = 2.0 * torch.ones(2, dtype=torch.float64) @ loss.data["basis"]
    run = compare_several(loss.function, start, ETA, 50, 2, every=None)
    assert run.event is not None
    assert len(run.records.rows) == run.step + (1 if len(run.records.rows) > run.step else 0)


BAD = {
    "eta": ("eta = 0", {"eta": 0.0}),
    "negative": ("eta = -1", {"eta": -1.0}),
    "steps": ("steps = -3", {"steps": -3}),
    "most": ("most = 0", {"most": 0}),
    "band": ("band = nan", {"band": float("nan")}),
    "shape": (r"shape \(1, 8\)", {"start": START[None]}),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments_are_named(name):
    message, given = BAD[name]
    for run, often in ((track_unstable, "every"), (compare_several, "record_every")):
        with pytest.raises(ValueError, match=message):
            run(**{"loss": LOSS.function, "start": START, "eta": ETA, "steps": 3, **given})
        with pytest.raises(ValueError, match="every = 0"):
            run(LOSS.function, START, ETA, 3, **{often: 0})
        with pytest.raises(TypeError, match="type list"):
            run(LOSS.function, START.tolist(), ETA, 3)


def test_more_directions_than_columns_are_refused():
    with pytest.raises(ValueError, match="raise most="):
        compare_several(LOSS.function, START, ETA, 3, 5)
    with pytest.raises(ValueError, match="every"):
        compare_several(LOSS.function, START, ETA, 3, 2, every=0)
