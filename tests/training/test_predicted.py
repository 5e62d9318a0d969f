"""The predicted dynamics carry their past in one vector, and predict what theorem 1 says."""

from collections import deque
from itertools import islice

import numpy as np
import pytest
import torch

from eostheory.numeric import autodiff
from eostheory.numeric.events import BecameNaN, Diverged
from eostheory.numeric.toys import damian_toy
from eostheory.training.checkpoint import dump, load
from eostheory.training.constrained import ConstrainedTrajectory
from eostheory.training.generalized import GeneralizedDynamics
from eostheory.training.predicted import PredictedDynamics, Transfers, advance
from eostheory.training.several_losses import block_quartic

ETA = 0.5


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


def noise(size, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(size, dtype=torch.float64, generator=draw)


def begun(eps=0.1, seed=3, kind=PredictedDynamics, window=0, **settings):
    loss = block_quartic(1, seed, ETA, eps, bulk=1)
    start = eps * (0.5 * loss.data["basis"][0] + 0.2 * noise(loss.dim, seed))
    trajectory = ConstrainedTrajectory(
        loss, start, ETA, inactive="manifold", tolerance=1e-7, c=None
    )
    transfers = None
    if window:
        transfers = Transfers(ETA, start - trajectory.here.point, window, **settings)
    return loss, start, kind(trajectory, start, transfers=transfers)


def test_on_the_toy_of_appendix_b_it_is_gradient_descent():
    loss, w = damian_toy(0.1, 0.5, 2.0), tensor(0.4, 0.0, 0.0)
    dynamics = PredictedDynamics(ConstrainedTrajectory(loss, w, 0.1), w)
    away = 0.0
    for _ in range(60):
        w = w - 0.1 * autodiff.gradient(loss, w)
        seen = dynamics.advance()
        here = dynamics.trajectory.here
        assert torch.allclose(here.point + seen.v, w, atol=1e-9)
        assert seen.deviation == pytest.approx(float((w - here.point).norm()), abs=1e-9)
        assert seen.loss - here.center.value == pytest.approx(seen.x**2 / 0.1)
        away = max(away, abs(seen.y))
    assert away > 0.3  # the sharpness has left the edge meanwhile


def test_the_recursion_is_the_unrolled_sum_9_and_its_coefficients_are_10():
    _, _, dynamics = begun(window=7)
    dense = []  # (I - eta H_t) P_t, grad S_t^perp, (delta_t^2 - x_t^2)/2, by eigh and third
    start = dynamics.v.clone()
    for _ in range(9):
        center = dynamics.here.center
        h = autodiff.hessian(dynamics.trajectory.loss, center.point)
        u = autodiff.top_eigenpair(h).vector
        off = torch.eye(len(u), dtype=u.dtype) - torch.outer(u, u)
        slope = off @ autodiff.third(dynamics.trajectory.loss, center.point, u, u)
        alpha = -torch.dot(center.gradient, center.slope)
        x = torch.dot(u, dynamics.v)
        dense.append(
            ((torch.eye(len(u), dtype=u.dtype) - ETA * h) @ off, slope,
             alpha / torch.dot(slope, slope) - x * x / 2)
        )  # fmt: skip
        seen = dynamics.advance()
        after = dynamics.here.center
        total, vector = after.across.new_zeros(()), start
        beta = {}
        for a, _, _ in dense:
            vector = a @ vector
        for s in range(len(dense)):
            carried = dense[s][1]
            for a, _, _ in dense[s + 1 :]:
                carried = a @ carried
            beta[s] = torch.dot(after.across, carried)
            total = total + ETA * beta[s] * dense[s][2]
        # the printed (5) lacks what is left of the initial displacement
        total = total + torch.dot(after.across, vector)
        assert seen.y == pytest.approx(float(total), rel=1e-9)
        transfers = dynamics.transfers
        assert transfers.times == list(range(len(dense)))[-7:]
        assert torch.allclose(transfers.values, torch.stack([beta[s] for s in transfers.times]))
        assert transfers.y == pytest.approx(seen.y, rel=1e-9)


@pytest.mark.parametrize(("window", "prune"), [(1, 0.0), (4, 0.0), (30, 0.9)])
def test_what_is_let_go_is_not_lost(window, prune):
    _, _, dynamics = begun(window=window, prune=prune)
    for _ in range(8):
        seen = dynamics.advance()
        assert dynamics.transfers.y == pytest.approx(seen.y, rel=1e-9, abs=1e-12)
        assert len(dynamics.transfers.times) <= window


def test_a_step_costs_one_product_whatever_the_time():
    _, _, dynamics = begun()
    counts = []
    for _ in range(7):
        before = dynamics.products
        dynamics.advance()
        counts.append(dynamics.products - before)
    assert set(counts) == {1}
    _, _, wide = begun(window=5)
    for _ in range(7):
        wide.advance()
    before = wide.products
    wide.advance()
    assert wide.products - before == 1 + 1 + 5  # v, the rest, the window


def test_errors_have_the_orders_of_theorem_1():
    scales, errors = [0.08 * 2.0**-k for k in range(3)], []
    for eps in scales:
        loss = block_quartic(1, 3, ETA, eps, bulk=1)
        w = 0.7 * eps * loss.data["basis"][0]
        trajectory = ConstrainedTrajectory(
            loss, w, ETA, inactive="manifold", tolerance=1e-5, c=None
        )
        both = PredictedDynamics(trajectory, w), GeneralizedDynamics(trajectory, w)
        worst = np.zeros((2, 3))
        for _ in range(int(1.5 / eps)):
            value, gradient = autodiff.value_and_gradient(loss, w)
            top = float(autodiff.sharpness(loss, w))
            seen = [dynamics.prediction() for dynamics in both]
            off = [float((w - trajectory.here.point - one.v).norm()) for one in seen]
            now = [
                [far, top - one.sharpness, float(value) - one.loss]
                for far, one in zip(off, seen, strict=True)
            ]
            worst = np.maximum(worst, np.abs(now))
            w = w - ETA * gradient
            advance(trajectory, *both)
        errors.append(worst.ravel())
    slopes = np.polyfit(np.log(scales), np.log(np.array(errors)), 1)[0]
    # delta = O(epsilon): deviation epsilon delta, sharpness epsilon^2, loss epsilon delta^2
    assert slopes == pytest.approx([2, 2, 3, 2, 2, 3], abs=0.25)


def test_an_anchor_starts_the_displacement_again():
    _, start, dynamics = begun(window=3)
    for _ in range(2):
        dynamics.advance()
    w = dynamics.here.point + 2 * dynamics.v
    dynamics.anchor(w)
    assert torch.equal(dynamics.v, w - dynamics.here.point)
    for _ in range(3):
        seen = dynamics.advance()
        assert dynamics.transfers.y == pytest.approx(seen.y, rel=1e-9)
    assert dynamics.transfers.times == [2, 3, 4]
    with pytest.raises(ValueError, match="the start has shape"):
        PredictedDynamics(dynamics.trajectory, start[:1])
    with pytest.raises(TypeError, match=r"the start is torch.float32"):
        PredictedDynamics(dynamics.trajectory, start.float())


def test_where_the_constraint_is_inactive_nothing_drives_it():
    loss, w = damian_toy(0.1, 0.5, 2.0), tensor(0.05, -0.5, 0.0)
    trajectory = ConstrainedTrajectory(loss, tensor(0.0, -0.5, 0.0), 0.1)
    dynamics = PredictedDynamics(trajectory, w)
    for _ in range(6):
        w = w - 0.1 * autodiff.gradient(loss, w)
        seen = dynamics.advance()
        assert not trajectory.here.active
        assert torch.allclose(trajectory.here.point + seen.v, w, atol=1e-12)


def test_divergence_of_the_prediction_is_an_event():
    loss = damian_toy(0.1, 0.5, 2.0)
    trajectory = ConstrainedTrajectory(loss, tensor(0.0, 0.0, 0.0), 0.1)
    dynamics = PredictedDynamics(trajectory, tensor(1e4, -1e9, 0.0))
    with pytest.raises((Diverged, BecameNaN)):
        deque(islice(dynamics, 50), maxlen=0)


def test_it_goes_on_from_a_checkpoint_bit_for_bit(tmp_path):
    _, start, straight = begun(window=3)
    for _ in range(4):
        straight.advance()
    state = {"trajectory": straight.trajectory.state(), "dynamics": straight.state()}
    (tmp_path / "state").write_bytes(dump(state, {}))
    state, _ = load(tmp_path / "state")
    trajectory = ConstrainedTrajectory.restored(
        straight.trajectory.loss, ETA, state["trajectory"],
        inactive="manifold", tolerance=1e-7, c=None,
    )  # fmt: skip
    other = PredictedDynamics(trajectory, start, transfers=Transfers(ETA, start, 3))
    other.restore(state["dynamics"])
    for _ in range(3):
        a, b = straight.advance(), other.advance()
        assert torch.equal(a.v, b.v)
        assert a[2:] == b[2:]
        assert straight.transfers.y == other.transfers.y
    with pytest.raises(ValueError, match="window is 0"):
        Transfers(ETA, start, 0)
