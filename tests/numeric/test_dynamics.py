"""Trajectories: the updates as written, and typed events."""

from __future__ import annotations

import math

import pytest
import torch

from eostheory.numeric.autodiff import gradient
from eostheory.numeric.dynamics import gd, gd_step, projected_gd, projected_step
from eostheory.numeric.events import BecameNaN, Diverged
from eostheory.numeric.losses import scale_invariant
from eostheory.numeric.schedulers import RmspropScheduler, rmsprop


def bowl(w: torch.Tensor) -> torch.Tensor:
    return torch.dot(w, w) / 2


def ones(n: int) -> torch.Tensor:
    return torch.ones(n, dtype=torch.float64)


def test_gradient_descent_on_a_bowl_contracts_by_one_minus_eta() -> None:
    steps = list(gd(bowl, ones(3), 0.25, 4))
    assert [s.number for s in steps] == [0, 1, 2, 3]
    torch.testing.assert_close(steps[-1].after, 0.75**4 * ones(3))


def test_weight_decay_shrinks_before_the_gradient_moves() -> None:
    torch.testing.assert_close(gd_step(bowl, ones(2), 0.5, 0.25), (0.875 - 0.5) * ones(2))


def test_divergence_is_an_event_with_its_step() -> None:
    with pytest.raises(Diverged) as caught:
        list(gd(bowl, ones(2), 12.0, 1000))
    assert 0 < caught.value.step < 50
    assert caught.value.size > 1e12


def test_a_gradient_that_is_not_a_number_is_an_event() -> None:
    with pytest.raises(BecameNaN):
        list(gd(lambda w: torch.log(w).sum(), ones(1), 1.0, 5))


def test_projected_steps_stay_on_the_sphere() -> None:
    loss = scale_invariant("quadratic ratio", 5, 3, "cpu")
    theta = projected_step(loss, loss.point(1), 0.3)
    assert float(theta.norm()) == pytest.approx(1)
    run = list(projected_gd(loss, loss.point(1, 3.0), lambda g: 0.3, 5))
    torch.testing.assert_close(run[0][0].after, theta)
    assert all(float(step.after.norm()) == pytest.approx(1) for step, _ in run)


def test_rmsprop_moves_with_the_moment_before_it_sees_the_gradient() -> None:
    first, second = rmsprop(bowl, ones(1), 4.0, eta=0.5, beta=0.75, steps=2)
    assert float(first.after) == 1 - 0.5 / 2
    assert float(first.moment_after) == 0.75 * 4 + 0.25
    assert float(second.after) == pytest.approx(0.75 - 0.5 / math.sqrt(3.25) * 0.75)


def test_the_rmsprop_scheduler_gives_the_rates_of_rmsprop() -> None:
    eta, beta = 0.5, 0.75
    scheduler = RmspropScheduler(moment=4.0 / eta**2, beta=beta, eta=eta)
    for step in rmsprop(bowl, ones(2), 4.0, eta, beta, 6):
        rate = scheduler(gradient(bowl, step.theta))
        torch.testing.assert_close(step.theta - rate * step.grad, step.after)
