"""Gradient flow of real losses: exact solutions, orders, events, resuming."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from eostheory.numeric.events import BecameNaN, Diverged, NoConvergence
from eostheory.numeric.objective import module_objective
from eostheory.training.checkpoint import CheckpointError
from eostheory.training.descent import gradient_descent
from eostheory.training.flow import gradient_flow
from eostheory.training.record import read_records


def vector(*entries):
    return torch.tensor(entries, dtype=torch.float64)


def network():
    torch.manual_seed(0)
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(12, 4, generator=draw, dtype=torch.float64)
    net = nn.Sequential(nn.Linear(4, 12), nn.Tanh(), nn.Linear(12, 12), nn.Tanh(),
                        nn.Linear(12, 1))  # fmt: skip
    return module_objective(net, nn.MSELoss(), x, torch.sin(x.sum(1, keepdim=True)))


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.floats(-1.0, 5.0), min_size=1, max_size=4),
    st.lists(st.floats(0.01, 1.0), min_size=1, max_size=5),
    st.sampled_from(["DOP853", "RK45"]),
)
def test_on_a_quadratic_the_flow_is_an_exponential(values, gaps, method):
    scale = vector(*values)
    start = torch.ones_like(scale)
    times = np.concatenate([[0.0], np.cumsum(gaps)])
    seen = []
    run = gradient_flow(
        lambda w: (scale * w * w).sum() / 2, start, times, rtol=1e-10, atol=1e-12, method=method,
        measure=(), observe={"seen": lambda _n, w: seen.append(w.clone()) or 0.0},
    )  # fmt: skip
    assert run.event is None
    assert run.records["time"].tolist() == times.tolist()
    for time, w in zip(times, seen, strict=True):
        wanted = torch.exp(-scale * float(time))
        # one step errs by rtol; growing components amplify what was lost before
        assert torch.allclose(w, wanted, rtol=1e-7, atol=1e-9)
    assert torch.equal(run.w, seen[-1])
    assert (np.diff(run.records["evaluations"]) >= 0).all()


def test_the_recorded_times_do_not_change_the_trajectory():
    objective, start = network()
    few = gradient_flow(objective, start, [0.0, 3.0], measure=())
    many = gradient_flow(objective, start, np.linspace(0, 3, 31), measure=())
    assert few.step == many.step
    assert torch.equal(few.w, many.w)


def test_gradient_descent_converges_to_the_flow_with_order_one():
    objective, start = network()
    flow = gradient_flow(objective, start, [0.0, 1.0], measure=(), rtol=1e-11, atol=1e-13)
    rates = [0.1 * 2.0**-k for k in range(4)]
    errors = [
        float((gradient_descent(objective, start, rate, round(1 / rate), measure=()).w - flow.w)
              .norm())
        for rate in rates
    ]  # fmt: skip
    slope = np.polyfit(np.log(rates), np.log(errors), 1)[0]
    assert slope == pytest.approx(1.0, abs=0.1)


def test_the_loss_falls_along_the_flow_and_everything_is_measured():
    objective, start = network()
    run = gradient_flow(
        objective, start, np.linspace(0, 3, 4), eta=0.2, measure="all", k=2, rtol=1e-4
    )
    assert (np.diff(run.records["loss"]) < 0).all()
    for name in ("sharpness", "eigenvalue 2", "alpha", "beta", "x", "y", "phase", "output norm"):
        assert np.isfinite(run.records[name]).all(), name


def test_a_flow_that_ends_in_finite_time_is_an_event_and_its_rows_are_kept():
    # w' = w^3 from 1 is 1 / sqrt(1 - 2 t), which ends at t = 1/2
    times = np.linspace(0, 1, 10)
    run = gradient_flow(lambda w: -(w**4).sum() / 4, vector(1.0), times, rtol=1e-6, measure=())
    assert isinstance(run.event, Diverged | NoConvergence)
    assert run.records["time"].tolist() == times[:5].tolist()
    assert float(run.w) == pytest.approx(3.0, rel=1e-5)


def test_a_flow_that_diverges_names_its_step():
    run = gradient_flow(lambda w: -(w * w).sum() / 2, vector(1.0), [0.0, 100.0], rtol=1e-3)
    assert isinstance(run.event, Diverged)
    assert run.event.step == run.step > 0
    run = gradient_flow(lambda w: torch.log(w).sum(), vector(-1.0), [0.0, 1.0])
    assert isinstance(run.event, BecameNaN)
    assert len(run.records.rows) == 0


def test_a_flow_that_was_recorded_at_other_times_is_not_resumed(tmp_path):
    def flow(*times):
        return gradient_flow(
            lambda w: (w * w).sum(), vector(1.0), times, measure=(), folder=tmp_path,
            resume=tmp_path.joinpath("columns.json").exists(),
        )  # fmt: skip

    flow(0.0, 1.0, 2.0)
    with pytest.raises(CheckpointError, match=r"number 1 was 1, is 0\.5"):
        flow(0.0, 0.5, 1.0, 2.0, 3.0)
    assert flow(0.0, 1.0).records["time"].tolist() == [0.0, 1.0, 2.0]
    assert flow(0.0, 1.0, 2.0, 2.5).records["time"].tolist() == [0.0, 1.0, 2.0, 2.5]


def test_what_is_not_finite_and_what_takes_too_long_are_events():
    run = gradient_flow(lambda w: -torch.sqrt(1 - w).sum() + w.sum(), vector(0.5), [0.0, 9.0])
    assert run.event is None or isinstance(run.event, BecameNaN)
    run = gradient_flow(lambda w: torch.sqrt(w).sum(), vector(1.0), np.linspace(0, 3, 31))
    assert isinstance(run.event, BecameNaN | NoConvergence)
    # sqrt reaches zero at t = 4/3
    assert 1.2 < run.records["time"][-1] < 1.34
    run = gradient_flow(lambda w: (w * w).sum(), vector(1.0), [0.0, 100.0], maximum=5)
    assert isinstance(run.event, NoConvergence)
    assert run.step == 5


class Stop(Exception):
    pass


@pytest.mark.parametrize("method", ["DOP853", "RK45", "RK23"])
def test_an_interrupted_flow_resumes_bit_for_bit(tmp_path, method):
    objective, start = network()

    def flow(folder, stop=None, last=3.0):
        def observed(number, _w):
            if number == stop:
                raise Stop
            return number

        return gradient_flow(
            objective, start, np.arange(0.0, last, 0.25), method=method, rtol=1e-3,
            observe={"number": observed}, folder=folder, resume=folder.exists(),
            checkpoint_every=1, measure=("output",),
        )  # fmt: skip

    whole = flow(tmp_path / "whole")
    for stop in (1, 9):
        with pytest.raises(Stop):
            flow(tmp_path / "pieces", stop)
    again = flow(tmp_path / "pieces")
    assert torch.equal(again.w, whole.w)
    assert again.records.rows.tobytes() == whole.records.rows.tobytes()
    for last in (0.5, 2.0, 3.0):
        longer = flow(tmp_path / "extended", last=last)
    assert torch.equal(longer.w, whole.w)
    assert longer.records.rows.tobytes() == whole.records.rows.tobytes()
    assert read_records(tmp_path / "extended").end["end"] == "finished"


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"times": [0.0, 0.0]}, "times must increase"),
        ({"times": []}, "non-empty"),
        ({"times": [0.0, np.nan]}, "finite"),
        ({"method": "Euler"}, "method is 'Euler', expected one of DOP853"),
        ({"rtol": 0.0}, "rtol is 0"),
        ({"start": vector(np.inf)}, "not finite"),
    ],
)
def test_bad_input_to_a_flow_is_refused_by_name(options, match):
    arguments = {"loss": lambda w: (w * w).sum(), "start": vector(1.0), "times": [0.0, 1.0]}
    with pytest.raises(ValueError, match=match):
        gradient_flow(**{**arguments, **options})
