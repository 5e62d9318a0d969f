"""The generalized predicted dynamics: exact along u, and where the sharpness comes to rest."""

import math

import pytest
import torch

from eostheory.numeric import autodiff
from eostheory.numeric.toys import damian_toy
from eostheory.training.constrained import ConstrainedTrajectory
from eostheory.training.generalized import Excess, GeneralizedDynamics, limiting_sharpness
from eostheory.training.predicted import PredictedDynamics, advance

ETA, ALPHA, BETA = 0.1, 0.5, 2.0


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


def toy(cubic=0.0, quartic=0.0):
    base = damian_toy(ETA, ALPHA, BETA)
    return lambda w: base(w) + cubic * w[0] ** 3 + quartic * w[0] ** 4


def held(loss):
    return ConstrainedTrajectory(loss, tensor(0.0, 0.0, 0.0), ETA)


def test_the_excess_is_what_the_quadratic_expansion_along_u_misses():
    center = held(toy(cubic=0.7, quartic=-0.4)).here.center
    sign = float(torch.sign(center.u[0]))
    full, even = Excess(toy(0.7, -0.4), center), Excess(toy(0.7, -0.4), center, even=True)
    for x in (-0.3, 0.2):
        assert full.value(x) == pytest.approx(sign * 0.7 * x**3 - 0.4 * x**4, abs=1e-12)
        first, second = full.derivatives(x)
        assert first == pytest.approx(sign * 2.1 * x**2 - 1.6 * x**3, abs=1e-12)
        assert second == pytest.approx(sign * 4.2 * x - 4.8 * x**2, abs=1e-12)
        assert math.isnan(full.derivatives(x, second=False)[1])
        assert even.value(x) == pytest.approx(-0.4 * x**4, abs=1e-12)
        assert even.derivatives(x) == pytest.approx((-1.6 * x**3, -4.8 * x**2), abs=1e-12)


def test_without_excess_it_is_the_predicted_dynamics():
    # the printed sign of the last term (appendix F) would turn x around
    loss, w = toy(), tensor(0.4, 0.0, 0.0)
    trajectory = held(loss)
    plain, general = PredictedDynamics(trajectory, w), GeneralizedDynamics(trajectory, w)
    for _ in range(20):
        advance(trajectory, plain, general)
        assert torch.allclose(plain.v, general.v, atol=1e-12)
        assert general.prediction()[2:] == pytest.approx(plain.prediction()[2:], abs=1e-10)


@pytest.mark.parametrize("quartic", [-1.5, 0.3])
def test_a_quartic_along_u_is_followed_exactly_and_missed_without(quartic):
    loss, w = toy(quartic=quartic), tensor(0.4, 0.0, 0.0)
    trajectory = held(loss)
    plain, general = PredictedDynamics(trajectory, w), GeneralizedDynamics(trajectory, w)
    missed = 0.0
    for _ in range(20):
        w = w - ETA * autodiff.gradient(loss, w)
        advance(trajectory, plain, general)
        assert torch.allclose(trajectory.here.point + general.v, w, atol=1e-10)
        missed = max(missed, float((trajectory.here.point + plain.v - w).norm()))
    assert missed > 0.01


def test_gradient_descent_comes_to_rest_at_the_corrected_limiting_sharpness():
    loss = toy(cubic=0.2, quartic=-1.0)
    limit = limiting_sharpness(loss, held(loss).here.center, ETA)
    w = tensor(0.5, 0.0, 0.0)
    tail, u = [], tensor(1.0, 0.0, 0.0)
    for step in range(700):
        w = w - ETA * autodiff.gradient(loss, w)
        if step >= 698:
            tail.append((w, float(torch.dot(u, autodiff.hessian_vector(loss, w, u)))))
    delta = math.sqrt(2 * ALPHA / BETA)
    assert limit.x == pytest.approx(delta)
    # -F'/delta + F'' with F = -x^4
    assert limit.sharpness == pytest.approx(2 / ETA + 4 * delta**2 - 12 * delta**2)
    measured = (tail[0][1] + tail[1][1]) / 2
    # the odd part shifts the orbit at second order in its coefficient over the edge
    assert measured == pytest.approx(limit.sharpness, abs=0.03)
    assert float(abs(tail[0][0][0] - tail[1][0][0])) / 2 == pytest.approx(delta, abs=0.01)
    # the printed criterion F'' - delta F' has the right sign here but not this value
    assert limit.sharpness < 2 / ETA
    assert limit.y == pytest.approx(4 * delta**2)


def test_without_progressive_sharpening_there_is_no_limit():
    loss = toy()
    center = held(lambda w: loss(w) + 2 * ALPHA / BETA**0.5 * w[1]).here.center
    with pytest.raises(ValueError, match="without progressive sharpening"):
        limiting_sharpness(loss, center, ETA)
