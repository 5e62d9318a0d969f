"""Tracked gradient descent: exact trajectories, what is measured, faults, and resuming."""

import itertools
import math
import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from eostheory.curvature import Tracker
from eostheory.numeric import autodiff
from eostheory.numeric.dynamics import gd
from eostheory.numeric.events import BecameNaN, Diverged, OutOfMemory
from eostheory.numeric.losses import scale_invariant
from eostheory.numeric.objective import Objective, module_objective
from eostheory.numeric.toys import damian_toy, self_stabilising
from eostheory.training.checkpoint import CheckpointError
from eostheory.training.descent import gradient_descent
from eostheory.training.quantities import (
    Reference,
    coefficients,
    effective_learning_rate,
    is_scale_invariant,
)
from eostheory.training.record import read_records

EPS = 2.0**-53


def vector(*entries):
    return torch.tensor(entries, dtype=torch.float64)


def quadratic(*values):
    scale = vector(*values)
    return lambda w: (scale * w * w).sum() / 2


def network(seed=0, hidden=16):
    torch.manual_seed(seed)
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(12, 4, generator=draw, dtype=torch.float64)
    net = nn.Sequential(nn.Linear(4, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(),
                        nn.Linear(hidden, 1))  # fmt: skip
    return module_objective(net, nn.MSELoss(), x, torch.sin(x.sum(1, keepdim=True)))


@settings(max_examples=8, deadline=None)
@given(
    st.floats(0.01, 0.9),
    st.floats(0.0, 0.5),
    st.integers(0, 20),
    st.integers(1, 7),
)
def test_on_a_quadratic_every_entry_is_a_power(eta, decay, steps, every):
    start = vector(1.0, -2.0, 0.5)
    values = vector(2.0, 0.5, -0.25)
    run = gradient_descent(quadratic(2.0, 0.5, -0.25), start, eta, steps, decay=decay, every=every)
    factor = (1 - eta * decay) - eta * values
    # A step rounds terms of size 1 + eta |value|, which may cancel in the factor.
    slack = 16 * EPS * (1 + eta * values.abs())
    room = start.abs() * ((factor.abs() + slack) ** steps - factor.abs() ** steps)
    assert bool(((run.w - start * factor**steps).abs() <= room).all())
    assert run.step == steps
    assert run.event is None
    times = run.records["step"]
    assert times.tolist() == [float(t) for t in range(0, steps + 1, every)]
    losses = [float((values * (start * factor**t) ** 2).sum() / 2) for t in times]
    assert np.allclose(run.records["loss"], losses, rtol=1e-12, atol=1e-15)
    assert np.allclose(run.records["sharpness"], 2.0, rtol=1e-14)
    assert np.allclose(run.records["next eigenvalue"], 0.5, rtol=1e-14)


def test_the_trajectory_is_that_of_the_plain_step_whatever_is_measured():
    loss = scale_invariant("cosine embedding", 4, 3)
    start = loss.point(5)
    plain = [step.after for step in gd(loss, start, 0.05, 30, decay=0.1)][-1]
    for every, measure in ((1, "all"), (7, "free"), (30, ()), (50, ("coefficients",))):
        run = gradient_descent(loss, start, 0.05, 30, decay=0.1, every=every, measure=measure)
        # 1 - eta decay is one rounding here, and on tensors there
        assert torch.allclose(run.w, plain, rtol=0, atol=100 * EPS)
    undecayed = [step.after for step in gd(loss, start, 0.05, 30)][-1]
    assert torch.equal(gradient_descent(loss, start, 0.05, 30).w, undecayed)


def test_on_the_toy_of_appendix_b_the_measures_are_those_of_section_4():
    eta, alpha, beta = 0.01, 1.5, 3.0
    toy = damian_toy(eta, alpha, beta)
    start = vector(0.02, -0.3, 0.0)
    origin = Reference.at(Objective.of(toy, 3), vector(0.0, 0.0, 0.0))
    sign = float(origin.vector[0])
    run = gradient_descent(toy, start, eta, 150, measure="all", reference=origin)
    x, y = 0.02, -0.3 * math.sqrt(beta)
    for row in range(151):
        assert run.records["x"][row] * sign == pytest.approx(x, rel=1e-9, abs=1e-13)
        assert run.records["y"][row] == pytest.approx(y, rel=1e-9, abs=1e-11)
        # equation (3), which gradient descent on the toy obeys exactly
        x, y = -(1 + eta * y) * x, y + eta * (alpha - beta * x * x / 2)
    first = coefficients(origin.slope, origin.slope, origin.vector, eta)
    assert first.beta == pytest.approx(beta, rel=1e-12)
    flat = gradient_descent(toy, vector(0.0, -0.3, 0.0), eta, 3, measure=("coefficients",)).records
    assert np.allclose(flat["alpha"], alpha, rtol=1e-12)
    assert np.allclose(flat["beta"], beta, rtol=1e-12)
    assert np.allclose(flat["delta"], math.sqrt(2 * alpha / beta), rtol=1e-12)
    assert np.allclose(flat["epsilon"], eta * math.sqrt(alpha), rtol=1e-12)


@pytest.mark.parametrize("eta", [0.04, 0.02, 0.01])
def test_local_displacements_agree_with_those_from_the_reference_up_to_epsilon_squared(eta):
    toy = self_stabilising(6, 1, eta)
    origin = Reference.at(Objective.of(toy, 6), torch.zeros(6, dtype=torch.float64))
    w = 1e-7 * origin.vector
    row = gradient_descent(toy, w, eta, 0, measure=("displacement",)).records
    # u turns by grad S / S along u, towards the gradient: alpha / S^2 of x, with alpha = 1 here
    lost = 1 - abs(row["x"][0]) / 1e-7
    assert lost == pytest.approx((eta / 2) ** 2, rel=1e-3)
    assert abs(row["y"][0]) < 1e-10


def test_the_reference_of_section_4_is_taken_where_the_sharpness_passes_the_edge():
    eta, alpha, beta = 0.01, 1.0, 1.0
    toy = damian_toy(eta, alpha, beta)
    run = gradient_descent(
        toy, vector(0.001, -0.2, 0.0), eta, 100, measure="all", reference="crossing"
    )
    crossing = run.crossing
    before = run.records["step"] < crossing
    assert before.sum() > 0
    assert np.isnan(run.records["x"][before]).all()
    at = crossing
    assert abs(run.records["y"][at]) < 1e-3
    assert np.isfinite(run.records["deviation"][at:]).all()
    # y is the change of the sharpness, up to the oscillation
    gained = run.records["sharpness"][at:] - run.records["sharpness"][at]
    assert np.allclose(run.records["y"][at:], gained, atol=1e-3)


def test_the_four_phases_follow_each_other_on_the_toy():
    eta = 0.04
    run = gradient_descent(damian_toy(eta, 4.0, 4.0), vector(0.1, -1.0, 0.0), eta, 130)
    phases = run.records["phase"]
    order = [int(p) for p, q in zip(phases, np.append(phases[1:], 0), strict=True) if p != q]
    assert order[:5] == [1, 2, 3, 4, 1]
    assert all((b - a) % 4 == 1 for a, b in itertools.pairwise(order))


def test_spherical_sharpness_and_effective_rate_are_those_of_the_definitions():
    loss = scale_invariant("quadratic ratio", 5, 2)
    points = {}
    run = gradient_descent(
        loss,
        loss.point(3, 1.7),
        0.1,
        20,
        decay=0.3,
        every=4,
        observe={"first": lambda step, w: points.setdefault(step, w.clone())[0]},
    )
    for row, (step, w) in enumerate(points.items()):
        unit = w / w.norm()
        assert run.records["step"][row] == step
        wanted = float(autodiff.sharpness(loss, unit))
        assert run.records["spherical sharpness"][row] == pytest.approx(wanted, rel=1e-11)
        rate = 0.1 / ((1 - 0.1 * 0.3) * float(w @ w))
        assert run.records["effective learning rate"][row] == pytest.approx(rate, rel=1e-14)
        assert run.records["length"][row] == pytest.approx(float(w.norm()), rel=1e-14)
    assert effective_learning_rate(vector(3.0, 4.0), 0.5) == 0.02


def test_scale_invariance_is_told_from_its_absence():
    for family in ("quadratic ratio", "log-quartic ratio", "weight-normalised tanh"):
        loss = scale_invariant(family, 4, 1)
        assert is_scale_invariant(Objective.of(loss, 4), loss.point(2))
    objective, start = network()
    assert not is_scale_invariant(objective, start)
    assert "spherical sharpness" not in gradient_descent(objective, start, 0.1, 0).records


def test_eigenvalues_and_output_norm_of_a_network():
    objective, start = network(hidden=8)
    run = gradient_descent(objective, start, 0.05, 4, k=3, every=2)
    values = torch.linalg.eigvalsh(autodiff.hessian(objective, run.w)).flip(0)
    last = [run.records[n][-1] for n in ("sharpness", "eigenvalue 2", "eigenvalue 3",
                                         "next eigenvalue")]  # fmt: skip
    assert np.allclose(last, values[:4], rtol=1e-10, atol=1e-12)
    weight = objective.layout.unflatten(run.w)["4.weight"]
    assert run.records["output norm"][-1] == pytest.approx(float(weight.norm()), rel=1e-14)


def test_divergence_is_an_event_and_the_rows_before_it_are_there(tmp_path):
    run = gradient_descent(quadratic(30.0), vector(1.0), 0.1, 100, folder=tmp_path)
    assert isinstance(run.event, Diverged)
    # |1 - 3| = 2: the first iterate beyond 1e12 is the 40th
    assert run.step == 39
    assert len(run.records.rows) == 40
    assert torch.equal(run.w, vector(-(2.0**39)))
    assert run.records.end["end"] == "Diverged"
    assert read_records(tmp_path).end["message"].startswith("diverged at step 39")


def test_what_is_not_finite_is_an_event_that_names_the_step():
    run = gradient_descent(lambda w: torch.log(w).sum(), vector(1.0), 0.7, 50)
    assert isinstance(run.event, BecameNaN)
    assert run.event.step == run.step
    assert len(run.records.rows) == run.step
    assert np.isfinite(run.records["loss"]).all()


def test_a_repeated_eigenvalue_costs_its_vector_but_not_the_run():
    run = gradient_descent(quadratic(2.0, 2.0, 1.0), vector(1.0, 1.0, 1.0), 0.1, 5, measure="all")
    assert run.event is None
    assert np.allclose(run.records["sharpness"], 2.0)
    assert np.isnan(run.records["x"]).all()
    missed = run.missed["eigenvector"]
    assert (missed.times, missed.step) == (6, 0)
    assert "not simple" in missed.reason


def test_an_unconverged_pair_costs_its_row_but_not_the_run():
    objective, start = network()
    tracker = Tracker(1, dense_below=0, maximum=2, tolerance=1e-13)
    run = gradient_descent(objective, start, 0.05, 3, tracker=tracker)
    assert run.event is None
    assert np.isnan(run.records["sharpness"]).all()
    assert np.isfinite(run.records["loss"]).all()
    assert run.missed["sharpness"].times == 4


def test_running_out_of_memory_is_raised_and_the_rows_are_kept(tmp_path):
    calls = []

    def hungry(w):
        calls.append(1)
        if len(calls) > 20:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return (w * w).sum()

    with pytest.raises(OutOfMemory, match=r"\(chunk=\)"):
        gradient_descent(hungry, vector(1.0, 2.0), 0.1, 50, folder=tmp_path)
    found = read_records(tmp_path)
    assert 3 < len(found.rows) < 20
    assert found.end["end"] == "OutOfMemory"


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"eta": 0.0}, "eta is 0.0"),
        ({"eta": math.nan}, "eta is nan"),
        ({"steps": 2.5}, r"steps is 2\.5 .* whole numbers"),
        ({"start": torch.tensor(1.0)}, r"shape \(\), expected a flat vector"),
        ({"start": torch.ones(2, 2)}, r"shape \(2, 2\), expected a flat vector"),
        ({"start": torch.ones(0)}, r"shape \(0,\), expected a flat vector"),
        ({"tracker": Tracker(3)}, "the tracker follows 3 pairs, k is 1"),
        ({"checkpoint_every": 0}, "checkpoint_every is 0"),
        ({"decay": -1.0}, r"decay is -1\.0"),
        ({"decay": 20.0}, "expected 0 <= decay < 1/eta = 10"),
        ({"steps": -1}, "steps is -1"),
        ({"every": 0}, "every 0"),
        ({"start": vector(1.0, math.inf)}, "start has entries that are not finite"),
        ({"measure": "most"}, "give 'free', 'all' or"),
        ({"measure": ("sharpnes",)}, r"\['sharpnes'\], unknown"),
        ({"measure": ("output",)}, "known output layer"),
        ({"reference": "origin"}, "reference is 'origin'"),
    ],
)
def test_bad_input_is_refused_by_name(options, match):
    arguments = {"loss": quadratic(1.0, 2.0), "start": vector(1.0, 1.0), "eta": 0.1, "steps": 3}
    with pytest.raises(ValueError, match=match):
        gradient_descent(**{**arguments, **options})


def test_a_start_that_is_no_tensor_is_refused():
    with pytest.raises(TypeError, match="the start is ndarray, expected a tensor"):
        gradient_descent(quadratic(1.0, 2.0), np.ones(2), 0.1, 3)


def test_a_loss_that_is_not_finite_at_the_start_is_an_event(tmp_path):
    run = gradient_descent(lambda w: torch.log(w).sum(), vector(-1.0), 0.1, 5, folder=tmp_path)
    assert isinstance(run.event, BecameNaN)
    assert (run.step, len(run.records.rows)) == (0, 0)
    assert read_records(tmp_path).end["end"] == "BecameNaN"


def test_without_curvature_along_u_there_is_no_displacement():
    for loss, at in ((lambda w: 3 * w.sum(), 1.0), (lambda w: (w**4).sum(), 0.0)):
        run = gradient_descent(loss, vector(at), 0.1, 2, measure="all")
        assert run.event is None
        assert (run.records["sharpness"] == 0).all()
        assert np.isnan(run.records["x"]).all()


def test_third_derivatives_that_are_wrong_cost_what_needs_them():
    x = torch.randn(7, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    start = torch.linspace(-1, 1, 20, dtype=torch.float64)

    def fused(w):
        return torch.tanh(functional.layer_norm(x @ w.view(4, 5).T, (4,))).square().mean()

    def smooth(w):
        return torch.tanh(x @ w.view(4, 5).T).square().mean()

    run = gradient_descent(fused, start, 0.1, 3, measure="all")
    assert run.missed["third derivative"].times == 4
    assert "elementary operations" in run.missed["third derivative"].reason
    assert np.isnan(run.records["alpha"]).all()
    assert np.isfinite(run.records["sharpness"]).all()
    assert gradient_descent(smooth, start, 0.1, 3, measure="all").missed == {}


def test_a_tracker_that_is_handed_in_is_not_changed_by_the_run():
    objective, start = network()
    tracker = Tracker(1, repeated="keep", dense_below=0)
    one, two = (gradient_descent(objective, start, 0.1, 3, tracker=tracker) for _ in range(2))
    assert tracker.calls == 0
    assert one.records.rows.tobytes() == two.records.rows.tobytes()


def test_coarse_precisions_are_refused():
    with pytest.raises(TypeError, match=r"dtype is torch\.float16"):
        gradient_descent(quadratic(1.0), vector(1.0).half(), 0.1, 1)


RATE = 0.4


class Stop(Exception):
    pass


def tracked(objective, start, folder, steps=14, stop=None, **options):
    def observed(step, _w):
        if stop is not None and step == stop:
            raise Stop
        return step

    return gradient_descent(
        objective, start, RATE, steps, folder=folder, every=2, measure="all", k=2,
        reference="crossing", observe={"number": observed}, checkpoint_every=3,
        resume=os.path.exists(folder), **options,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    objective, start = network()
    assert objective.size > 200  # so that the tracker iterates
    run = tracked(objective, start, tmp_path_factory.mktemp("whole") / "run")
    assert 0 < run.crossing < 8  # so that what is taken at the crossing has to be kept
    return run


def test_an_interrupted_run_resumes_bit_for_bit(tmp_path, whole):
    objective, start = network()
    for stop in (2, 10):
        with pytest.raises(Stop):
            tracked(objective, start, tmp_path / "stopped", stop=stop)
    again = tracked(objective, start, tmp_path / "stopped")
    assert torch.equal(again.w, whole.w)
    assert again.records.rows.tobytes() == whole.records.rows.tobytes()


def test_a_finished_run_goes_on_to_more_steps_as_if_it_had_not_stopped(tmp_path, whole):
    objective, start = network()
    for steps in (7, 10, 14):
        longer = tracked(objective, start, tmp_path / "pieces", steps=steps)
    assert torch.equal(longer.w, whole.w)
    assert longer.records.rows.tobytes() == whole.records.rows.tobytes()


def test_resuming_another_run_is_refused_and_says_what_differs(tmp_path):
    objective, start = network()
    tracked(objective, start, tmp_path, steps=4)
    with pytest.raises(CheckpointError, match="start was"):
        tracked(objective, start + 1, tmp_path, steps=6)
    other, _ = network(seed=1)
    with pytest.raises(CheckpointError, match="loss and gradient at the start was"):
        tracked(other, start, tmp_path, steps=6)
    with pytest.raises(CheckpointError, match="holds a run already"):
        gradient_descent(objective, start, RATE, 4, folder=tmp_path)


def _slow(folder):
    objective, start = network()

    def pause(step, _w):
        time.sleep(0.004)
        return step

    return gradient_descent(
        objective, start, 0.3, 32, folder=folder, observe={"number": pause},
        checkpoint_every=4, resume=True, measure=("coefficients",),
    )  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")
def test_a_run_that_is_killed_again_and_again_ends_as_if_it_had_not_been(tmp_path):
    whole = _slow(tmp_path / "whole")
    context = multiprocessing.get_context("fork")
    draw = torch.Generator().manual_seed(0)
    kills = 0
    while True:
        process = context.Process(target=_slow, args=(tmp_path / "killed",))
        process.start()
        # Longer each time, so that it ends on any machine.
        process.join((0.1 + 0.3 * float(torch.rand((), generator=draw))) * 1.3**kills)
        if not process.is_alive():
            assert process.exitcode == 0
            break
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        kills += 1
        if (tmp_path / "killed" / "columns.json").exists():
            read = read_records(tmp_path / "killed")
            assert (read["step"] == np.arange(len(read.rows))).all()
        assert kills < 60
    assert kills > 0
    found = read_records(tmp_path / "killed")
    assert found.rows.tobytes() == whole.records.rows.tobytes()
    assert found.end["end"] == "finished"


def test_nothing_grows_with_the_number_of_steps(tmp_path):
    import gc

    counts = []

    def count(step, _w):
        if step % 30 == 15:
            gc.collect()
            counts.append(sum(type(x) is torch.Tensor for x in gc.get_objects()))
        return 0.0

    run = gradient_descent(
        damian_toy(0.01, 1.0, 1.0), vector(0.01, -0.1, 0.0), 0.01, 90, measure="all",
        observe={"count": count}, folder=tmp_path,
    )  # fmt: skip
    assert run.event is None
    assert len(set(counts)) == 1
    assert len(counts) == 3


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_run_on_a_gpu_resumes_bit_for_bit(tmp_path):
    net = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))
    x = torch.randn(12, 4)
    objective, start = module_objective(net, nn.MSELoss(), x, x[:, :1], device="cuda")
    whole = tracked(objective, start, tmp_path / "whole")
    with pytest.raises(Stop):
        tracked(objective, start, tmp_path / "stopped", stop=10)
    again = tracked(objective, start, tmp_path / "stopped")
    assert torch.equal(again.w, whole.w)
    assert again.records.rows.tobytes() == whole.records.rows.tobytes()
