"""The sharpness-reduction flow: equation (3) on known manifolds, and descent that follows it."""

import functools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from torch import nn

from eostheory.numeric import autodiff
from eostheory.numeric.events import NoConvergence, RepeatedTopEigenvalue
from eostheory.numeric.losses import scale_invariant
from eostheory.numeric.manifolds import flat_manifold, spherical_manifold
from eostheory.numeric.objective import module_objective
from eostheory.training.minimizers import Minimizers
from eostheory.training.reduction import compare_with_reduction_flow, sharpness_reduction_flow


def vector(*entries):
    return torch.tensor(entries, dtype=torch.float64)


def curved(w):
    """Minimizers y = 0, where the top eigenvalue is exp(a . z)."""
    z, y = w[:2], w[2:]
    return torch.exp(0.5 * z[0] - 0.25 * z[1]) * y[0] ** 2 / 2 + 0.1 * y[1] ** 2 / 2


def test_along_a_flat_manifold_with_exponential_sharpness_the_flow_is_a_line():
    slope = vector(0.5, -0.25)
    square = float(slope @ slope)
    for c_b, rate in ((None, 2 / (4 + square)), (1.5, 1 / (4 + 2 / 1.5 * square))):
        times = [0.0, 0.3, 1.0]
        run = sharpness_reduction_flow(
            curved, vector(0.3, 0.1, 0.2, -0.1), times, spherical=False, c_b=c_b
        )
        assert run.event is None
        start = run.records["sharpness"][0]
        wanted = start * np.exp(-rate * square * np.array(times))
        assert np.allclose(run.records["sharpness"], wanted, rtol=1e-6)
        assert np.allclose(run.records["slope"], square**0.5, rtol=1e-8)
        assert np.allclose(run.records["moved"], rate * square**0.5 * np.array(times), atol=1e-6)
        assert float(run.w[2:].norm()) < 1e-8
        assert not run.records["stationary"].any()


@functools.cache
def explicit(make, times):
    """Equation (3) in the ambient space, with the dense derivatives of autograd."""
    loss = make(5, 3, 2)
    zeta = loss.some_minimizer(1)

    def field(_t, y):
        w = torch.from_numpy(y.copy())
        values, vectors = torch.linalg.eigh(autodiff.hessian(loss, w))
        tangent = vectors[:, values.abs() < 1e-4 * values.max()]
        u = vectors[:, -1]
        slope = autodiff.third(loss, w, u, u) / values[-1]
        g = tangent @ (tangent.T @ slope)
        if loss.spherical:
            g = g - torch.dot(g, w) * w
        return (-2 * g / (4 + g @ g)).numpy()

    return solve_ivp(field, (times[0], times[-1]), zeta.numpy(), t_eval=times, rtol=1e-7,
                     atol=1e-9).y.T  # fmt: skip


@pytest.mark.parametrize("make", [flat_manifold, spherical_manifold])
@pytest.mark.parametrize("dense_below", [600, 0])
def test_the_flow_is_equation_3_on_curved_manifolds(make, dense_below):
    loss = make(5, 3, 2)
    zeta = loss.some_minimizer(1)
    times = (0.0, 0.4)
    run = sharpness_reduction_flow(loss, zeta, times, dense_below=dense_below, rtol=1e-6)
    assert run.event is None
    wanted = explicit(make, times)
    assert np.abs(run.w.numpy() - wanted[-1]).max() < 3e-6
    sharpness = [float(autodiff.sharpness(loss, torch.from_numpy(w))) for w in wanted]
    assert np.allclose(run.records["sharpness"], sharpness, rtol=3e-6)
    assert (np.diff(run.records["sharpness"]) < 0).all()
    assert (run.records["loss"] < 1e-15).all()


@settings(max_examples=2, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_the_sharpness_never_rises_along_the_flow(seed, spherical):
    loss = (spherical_manifold if spherical else flat_manifold)(5, 3, seed)
    start = loss.some_minimizer(seed + 1) + 1e-3 * loss.point(seed + 2)
    run = sharpness_reduction_flow(loss, start, [0.0, 0.1, 0.2], rtol=1e-3)
    count = len(run.records.rows)
    assert count == 3 or isinstance(run.event, RepeatedTopEigenvalue | NoConvergence)
    assert (np.diff(run.records["sharpness"]) < 1e-9).all()
    if spherical and run.event is None:
        assert float(run.w.norm()) == pytest.approx(1.0, abs=1e-12)


def test_a_stationary_point_is_told():
    def bowl(w):
        return (1 + w[0] ** 2) * w[1] ** 2 / 2

    run = sharpness_reduction_flow(bowl, vector(0.0, 0.1), [0.0, 1.0], spherical=False)
    assert run.records["stationary"].all()
    away = sharpness_reduction_flow(
        bowl, vector(0.5, 0.1), [0.0, 1.0, 15.0], spherical=False, rtol=1e-3
    )
    assert away.records["stationary"].tolist() == [0.0, 0.0, 1.0]
    assert away.records["sharpness"][-1] == pytest.approx(1.0, abs=1e-9)


def test_descent_with_weight_decay_follows_the_flow():
    loss = spherical_manifold(5, 3, 3)
    zeta = loss.some_minimizer(1)
    eta, intrinsic = 0.1, 4e-4
    sharpness = float(autodiff.sharpness(loss, zeta))
    length = (eta * sharpness / 2 / (1 - intrinsic)) ** 0.5
    start = length * (zeta + 1e-3 * loss.point(5))
    run = compare_with_reduction_flow(loss, start, eta, intrinsic / eta, 700, every=100, rtol=1e-4)
    assert run.event is None
    gone = run.records["flow sharpness"][0] - run.records["flow sharpness"][-1]
    assert gone > 0.02
    # oscillations are of the size of the root of the intrinsic rate, 0.02
    assert run.records["distance"].max() < 0.06
    last = run.records["spherical sharpness"][-3:].mean()
    assert last == pytest.approx(run.records["flow sharpness"][-1], abs=0.4 * gone)


def test_the_manifold_of_a_network_is_found_and_kept():
    torch.manual_seed(0)
    x = torch.randn(3, 2, dtype=torch.float64)
    net = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 1)).double()
    objective, start = module_objective(net, nn.MSELoss(), x, torch.sin(x.sum(1, keepdim=True)))
    run = sharpness_reduction_flow(objective, start, [0.0, 0.2], rtol=1e-4)
    assert run.event is None
    assert (run.records["loss"] < 1e-18).all()
    assert run.records["sharpness"][1] < run.records["sharpness"][0]
    # the tangential gradient is that of the projection: difference along it
    manifold = Minimizers(objective, start, spherical=False)
    slope = manifold.slope(run.w)
    h = 1e-4
    step = slope.direction / slope.length
    ahead = manifold.slope(manifold.nearest(run.w + h * step)).sharpness
    back = manifold.slope(manifold.nearest(run.w - h * step)).sharpness
    found = (np.log(ahead) - np.log(back)) / (2 * h)
    assert found == pytest.approx(slope.length, rel=1e-5)


class Stop(Exception):
    pass


def test_an_interrupted_reduction_flow_resumes_bit_for_bit(tmp_path, monkeypatch):
    loss = flat_manifold(5, 3, 1)
    zeta = loss.some_minimizer(2)

    def flow(folder):
        return sharpness_reduction_flow(
            loss, zeta, [0.0, 0.2, 0.3], folder=folder, resume=folder.exists(), rtol=1e-4,
            checkpoint_every=1,
        )  # fmt: skip

    whole = flow(tmp_path / "whole")
    calls = []
    slope = Minimizers.slope

    def failing(self, point):
        calls.append(1)
        if len(calls) == 10:
            raise Stop
        return slope(self, point)

    with monkeypatch.context() as patched:
        patched.setattr(Minimizers, "slope", failing)
        with pytest.raises(Stop):
            flow(tmp_path / "pieces")
    again = flow(tmp_path / "pieces")
    assert torch.equal(again.w, whole.w)
    assert again.records.rows.tobytes() == whole.records.rows.tobytes()


def test_what_is_no_manifold_and_bad_input_are_told():
    with pytest.raises(NoConvergence, match="gradient along the flow to a minimizer"):
        Minimizers(lambda w: torch.exp(-w).sum(), vector(0.0), spherical=False).relaxed(
            vector(0.0), steps=50
        )
    run = sharpness_reduction_flow(
        lambda w: (w[1:] ** 2).sum() / 2, vector(0.0, 0.1, 0.1), [0.0, 1.0], spherical=False
    )
    assert isinstance(run.event, RepeatedTopEigenvalue)
    assert len(run.records.rows) == 0
    loss = scale_invariant("quadratic ratio", 3, 1)
    with pytest.raises(ValueError, match="without weight decay"):
        compare_with_reduction_flow(loss, loss.point(1), 0.1, 0.0, 5)
    with pytest.raises(ValueError, match="not scale-invariant"):
        compare_with_reduction_flow(curved, vector(0.3, 0.1, 0.2, -0.1), 0.1, 0.1, 5)
    with pytest.raises(ValueError, match=r"c_b is -1\.0"):
        sharpness_reduction_flow(curved, vector(0.3, 0.1, 0.2, -0.1), [0.0], c_b=-1.0)
