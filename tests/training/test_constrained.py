"""The constrained trajectory stays on the stable set, at the nearest point, or says why not."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.optimize import root

from eostheory.curvature import Tracker
from eostheory.numeric import autodiff
from eostheory.numeric.events import RepeatedTopEigenvalue, WrongDerivative
from eostheory.numeric.toys import damian_toy
from eostheory.training.checkpoint import dump, load
from eostheory.training.constrained import (
    ConstrainedTrajectory,
    EdgeNotReached,
    EigengapClosed,
    reach_edge,
)
from eostheory.training.projection import Projector, UnconvergedProjection, project
from eostheory.training.reduction import sharpness_reduction_flow
from eostheory.training.several import SeveralDynamics
from eostheory.training.several_losses import block_quartic

ETA = 0.5


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


def noise(size, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(size, dtype=torch.float64, generator=draw)


def conditions(loss, w, u):
    """(grad L . u, S) from the dense Hessian."""
    values, vectors = torch.linalg.eigh(autodiff.hessian(loss, w))
    axis = vectors[:, -1] * torch.sign(torch.dot(vectors[:, -1], u))
    return np.array([float(torch.dot(autodiff.gradient(loss, w), axis)), float(values[-1])])


def nearest(loss, target, guess, u, eta):
    """Oracle: the conditions of Karush, Kuhn and Tucker with differenced normals, by Powell."""
    size, edge = len(target), 2 / eta

    def equations(z):
        w = torch.as_tensor(z[:size])
        h = 1e-5
        normals = np.array(
            [
                (conditions(loss, w + h * e, u) - conditions(loss, w - h * e, u)) / (2 * h)
                for e in torch.eye(size, dtype=torch.float64)
            ]
        ).T
        stationary = z[:size] - target.numpy() + z[size:] @ normals
        return np.concatenate([stationary, conditions(loss, w, u) - [0.0, edge]])

    found = root(equations, np.concatenate([guess.numpy(), [0.0, 0.0]]), tol=1e-12)
    return found.x[:size], found.x[size:]


@pytest.mark.parametrize("turn", [None, 0])
def test_on_the_toy_it_moves_along_z_alone(turn):
    rotation = None
    if turn is not None:
        rotation = torch.linalg.qr(noise(9, turn).reshape(3, 3))[0]
    loss = damian_toy(0.1, 0.5, 2.0, rotation)
    frame = torch.eye(3, dtype=torch.float64) if rotation is None else rotation
    trajectory = ConstrainedTrajectory(loss, frame @ tensor(0.3, 0.0, 0.0), 0.1)
    for t in range(1, 6):
        step = trajectory.advance()
        assert step.active
        assert step.step == t
        # the printed loss ends in -z, so that z grows (the paper's sign is a slip)
        assert torch.allclose(frame.T @ step.point, tensor(0.0, 0.0, 0.1 * t), atol=1e-12)
        assert step.center.coefficients(0.1).alpha == pytest.approx(0.5, rel=1e-12)
        assert step.multipliers[1] == pytest.approx(0.1 * 0.5 / 2.0, rel=1e-10)


@pytest.mark.parametrize("seed", [3])
def test_a_projection_solves_the_dense_kkt_conditions(seed):
    loss = block_quartic(1, seed, ETA, 0.05, bulk=0)
    target = 0.03 * noise(loss.dim, seed) + 0.05 * loss.data["slopes"][0, 0]
    found = project(loss, target, ETA, tolerance=1e-9)
    assert found.active
    wanted, multipliers = nearest(loss, target, found.center.point, found.center.u, ETA)
    assert np.allclose(found.center.point.numpy(), wanted, atol=1e-8)
    assert np.allclose(found.multipliers, multipliers, rtol=1e-4)
    assert multipliers[1] > 0
    assert found.distance == pytest.approx(float((target - found.center.point).norm()))


@pytest.mark.parametrize("inactive", ["gradient", "manifold"])
@pytest.mark.parametrize(
    ("loss", "start"),
    [
        (lambda w: 15 * w[0] ** 2 + w[1] ** 2 + 0.1 * w[2], (0.1, 0.2, 0.3)),  # S = 30 everywhere
        (lambda w: 5 * (w[0] ** 2 - 1) ** 2, (0.9,)),  # grad S along u only
    ],
)
def test_where_no_point_is_stable_nothing_is_returned(loss, start, inactive):
    with pytest.raises(UnconvergedProjection, match="contradict each other") as caught:
        project(loss, tensor(*start), 0.1, inactive=inactive)
    assert caught.value.feasibility == math.inf


def test_a_projection_is_the_same_bits_every_time():
    loss = damian_toy(0.1, 0.5, 2.0, torch.linalg.qr(noise(9).reshape(3, 3))[0])
    target = 0.3 * noise(3)
    first, held = None, []
    for k in range(25):
        held.append(torch.empty(7 * k + 1))  # so that memory lies elsewhere
        found = project(loss, target, 0.1).center.point
        first = found if first is None else first
        assert torch.equal(found, first)


def test_no_point_of_the_set_nearby_is_nearer():
    loss = block_quartic(1, 5, ETA, 0.05, bulk=1)
    target = 0.03 * noise(loss.dim, 5)
    found = project(loss, target, ETA)
    for seed in range(3):
        rival = project(loss, found.center.point + 0.02 * noise(loss.dim, seed), ETA)
        assert float((target - rival.center.point).norm()) >= found.distance - 1e-9


def test_the_leading_normal_is_feasible_and_almost_as_near():
    loss = block_quartic(1, 4, ETA, 0.1)
    target = 0.05 * noise(loss.dim, 4)
    full = project(loss, target, ETA, tolerance=1e-9)
    cheap = project(loss, target, ETA, tolerance=1e-9, exact=False)
    values = conditions(loss, cheap.center.point, cheap.center.u)
    assert np.allclose(values, [0.0, 2 / ETA], atol=1e-8)
    assert full.distance <= cheap.distance <= 1.01 * full.distance
    assert not torch.equal(full.center.point, cheap.center.point)


def test_below_the_edge_it_is_gradient_descent_bit_for_bit_and_then_it_is_held():
    loss = damian_toy(0.1, 0.5, 2.0)
    w = tensor(1e-3, -0.12, 0.0)
    trajectory = ConstrainedTrajectory(loss, w, 0.1)
    states = []
    for _ in range(8):
        step = trajectory.advance()
        states.append(step.active)
        if not step.active:
            w = w - 0.1 * autodiff.gradient(loss, w)
            assert torch.equal(step.point, w)
        assert step.center.sharpness <= 20 * (1 + 1e-9)
    assert states == sorted(states)
    assert states[0] is False
    assert states[-1] is True


def test_below_the_edge_the_manifold_may_be_kept():
    loss = damian_toy(0.1, 0.5, 2.0)
    trajectory = ConstrainedTrajectory(loss, tensor(1e-2, -0.2, 0.0), 0.1, inactive="manifold")
    for _ in range(3):
        step = trajectory.advance()
        center = step.center
        assert not step.active
        assert step.multipliers[1] == 0.0
        assert abs(float(torch.dot(center.gradient, center.u))) < 1e-8


def test_it_follows_projected_gradient_to_the_order_of_lemma_13():
    scales, errors = [0.2 * 2.0**-k for k in range(3)], []
    for eps in scales:
        loss = block_quartic(1, 2, ETA, eps)
        start = torch.zeros(loss.dim, dtype=torch.float64)
        trajectory = ConstrainedTrajectory(loss, start, ETA, tolerance=1e-10, c=None)
        for _ in range(2):
            before = trajectory.here.center
            g = before.gradient
            frame = torch.linalg.qr(torch.stack([before.u, before.slope], 1))[0]
            first = before.point - ETA * (g - frame @ (frame.T @ g))
            after = trajectory.advance()
        errors.append(float((after.point - first).norm()) / (ETA * float(g.norm())))
    slope = np.polyfit(np.log(scales), np.log(errors), 1)[0]
    assert slope > 1.8  # O(epsilon^2) of a step


def test_the_eigenvector_keeps_its_sign_and_the_loss_goes_down():
    loss = block_quartic(1, 3, ETA, 0.1)
    trajectory = ConstrainedTrajectory(loss, 0.1 * noise(loss.dim), ETA)
    values = []
    for _ in range(8):
        step = trajectory.advance()
        assert step.overlap > 0.99
        values.append(step.center.value)
    assert all(b < a for a, b in itertools.pairwise(values))


def test_a_repeated_top_eigenvalue_is_an_event():
    def loss(w):
        return (w[0] ** 2 + w[1] ** 2) + 0.1 * w[2] ** 2 - 0.01 * w[2]

    with pytest.raises(RepeatedTopEigenvalue, match="not simple"):
        ConstrainedTrajectory(loss, tensor(0.1, 0.1, 0.1), 0.5)


def test_a_second_eigenvalue_at_the_edge_ends_it():
    loss = block_quartic(2, 0, ETA, 0.05, below=(0.0, 0.5))
    start = torch.zeros(loss.dim, dtype=torch.float64)
    with pytest.raises(EigengapClosed, match="several unstable directions") as caught:
        ConstrainedTrajectory(loss, start, ETA)
    assert caught.value.second >= 1.9 / ETA
    assert ConstrainedTrajectory(loss, start, ETA, c=None).here.center.next_value < 2 / ETA


def test_a_projection_that_does_not_converge_says_how_far_it_came():
    loss = block_quartic(1, 3, ETA, 0.1)
    with pytest.raises(UnconvergedProjection, match="maximum=") as caught:
        project(loss, 0.1 * noise(loss.dim), ETA, maximum=2)
    event = caught.value
    assert event.reached > event.wanted > 0
    assert event.reached == pytest.approx(math.hypot(event.feasibility, event.stationarity))


def test_bad_settings_name_the_value_and_the_remedy():
    loss, start = damian_toy(0.1, 0.5, 2.0), tensor(0.1, 0.0, 0.0)
    with pytest.raises(ValueError, match="eta is -1"):
        project(loss, start, -1)
    with pytest.raises(ValueError, match="inactive is 'flow'; known are"):
        project(loss, start, 0.1, inactive="flow")
    with pytest.raises(ValueError, match="tolerance is 0"):
        project(loss, start, 0.1, tolerance=0.0)
    with pytest.raises(ValueError, match="eta is inf"):
        project(loss, start, math.inf)
    with pytest.raises(ValueError, match="tolerance is inf"):
        project(loss, start, 0.1, tolerance=math.inf)
    with pytest.raises(ValueError, match=r"the guess has shape \(1,\), expected \(3,\)"):
        project(loss, start, 0.1, guess=tensor(0.0))
    with pytest.raises(TypeError, match=r"the guess is torch.float32"):
        project(loss, start, 0.1, guess=start.float())
    with pytest.raises(TypeError, match="the target is ndarray"):
        project(loss, start.numpy(), 0.1)
    with pytest.raises(ValueError, match="follows 2 pairs"):
        Projector(loss, 0.1, tracker=Tracker(2))
    with pytest.raises(ValueError, match=r"eta is -0.1"):
        reach_edge(loss, start, -0.1, 5)
    with pytest.raises(ValueError, match="steps is -1"):
        reach_edge(loss, start, 0.1, -1)
    with pytest.raises(ValueError, match="c is 3"):
        ConstrainedTrajectory(loss, start, 0.1, c=3)


@pytest.mark.parametrize("dense_below", [200, 0])
def test_a_trajectory_goes_on_from_a_checkpoint_bit_for_bit(tmp_path, dense_below):
    loss = block_quartic(1, 3, ETA, 0.1)
    tracker = Tracker(1, tolerance=1e-9, dense_below=dense_below)
    straight = ConstrainedTrajectory(loss, 0.1 * noise(loss.dim), ETA, tracker=tracker)
    for _ in range(3):
        straight.advance()
    (tmp_path / "state").write_bytes(dump(straight.state(), {}))
    other = ConstrainedTrajectory.restored(loss, ETA, load(tmp_path / "state")[0])
    for _ in range(4):
        a, b = straight.advance(), other.advance()
        assert torch.equal(a.point, b.point)
        assert torch.equal(a.center.u, b.center.u)
        assert a[2:] == b[2:]


def test_gradient_descent_reaches_the_edge_where_y_turns_positive():
    loss = damian_toy(0.1, 0.5, 2.0)
    edge = reach_edge(loss, tensor(1e-4, -0.3, 0.0), 0.1, 100)
    # y moves by eta alpha / sqrt(beta) a step
    assert edge.step == math.ceil(0.3 / (0.1 * 0.5 / 2**0.5))
    assert edge.sharpness >= 20
    with pytest.raises(EdgeNotReached, match="take more steps, or a larger eta"):
        reach_edge(loss, tensor(1e-4, -0.3, 0.0), 0.1, 3)


def test_a_loss_whose_third_derivative_torch_gets_wrong_is_refused_by_every_dynamics():
    layer = torch.randn(5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def fused(w):
        hidden = torch.nn.functional.layer_norm(layer * w, (6,))
        return (torch.tanh(hidden) ** 2).sum() / 5 + 0.1 * torch.dot(w, w)

    start = torch.linspace(0.5, 1.5, 6, dtype=torch.float64)
    for made in (
        lambda: ConstrainedTrajectory(fused, start, 0.1),
        lambda: SeveralDynamics(fused, start, 0.1, 2),
        lambda: sharpness_reduction_flow(fused, start, [0.0, 1.0], spherical=False),
    ):
        with pytest.raises(WrongDerivative, match="derivative 3"):
            made()
