"""Differential equations and the projection by gradient flow."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eostheory.numeric.autodiff import gradient
from eostheory.numeric.events import NoConvergence
from eostheory.numeric.flows import gradient_flow_limit, integrate
from eostheory.numeric.losses import Draw
from eostheory.numeric.manifolds import ManifoldLoss, flat_manifold, spherical_manifold


def test_a_rotation_returns_after_two_pi() -> None:
    grid = np.linspace(0, 7, 9)
    orbit = integrate(
        lambda t, y: [y[1], -y[0]], [1.0, 0.0], grid, event=lambda t, y: y[1], direction=-1
    )
    np.testing.assert_allclose(orbit.states[:, 0], np.cos(grid), atol=1e-10)
    assert np.all(np.abs(orbit.states[:, 0] - np.cos(grid)) <= orbit.error + 1e-14)
    assert orbit.crossings[-1] == pytest.approx(2 * np.pi, abs=1e-9)


def test_blow_up_in_finite_time_is_an_event() -> None:
    with pytest.raises(NoConvergence):
        integrate(lambda t, y: y * y, [1.0], [0.0, 2.0])


def test_the_limit_of_a_flow_with_a_known_invariant() -> None:
    # Along the flow of (xy - 1)^2 / 2 the difference x^2 - y^2 is conserved.
    def loss(w: torch.Tensor) -> torch.Tensor:
        return (w[0] * w[1] - 1) ** 2 / 2

    start = torch.tensor([1.3, 0.9], dtype=torch.float64)
    found = gradient_flow_limit(loss, start)
    x, y = found.points.tolist()
    gap = 1.3**2 - 0.9**2
    truth = ((gap + (gap * gap + 4) ** 0.5) / 2) ** 0.5
    assert x * y == pytest.approx(1, abs=1e-14)
    assert abs(x - truth) <= float(found.error) + 1e-15
    assert float(found.error) < 1e-10


@settings(max_examples=4, deadline=None, derandomize=True)
@given(st.integers(0, 9999), st.booleans(), st.sampled_from([(4, 2), (6, 3)]))
def test_limits_are_minimizers_that_do_not_depend_on_the_point_of_the_orbit(
    seed: int, spherical: bool, sizes: tuple[int, int]
) -> None:
    loss: ManifoldLoss
    loss = (spherical_manifold if spherical else flat_manifold)(*sizes, seed, "cpu")
    start = loss.some_minimizer(seed) + 0.05 * Draw(seed, "cpu").normal(sizes[0])
    if spherical:
        start = start / start.norm()
    found = gradient_flow_limit(loss, start.reshape(1, -1), spherical=spherical)
    assert float(gradient(loss, found.points[0]).norm()) < 1e-13

    # Following the flow for a while by another method does not move the limit.
    def field(t: float, w: np.ndarray) -> np.ndarray:
        return -gradient(loss, torch.as_tensor(w)).numpy()

    later = torch.as_tensor(
        integrate(field, start.numpy(), [0, 1.5], 1e-11, method="LSODA").states[-1]
    )
    again = gradient_flow_limit(loss, later, spherical=spherical)
    gap = float((again.points - found.points[0]).norm())
    assert gap <= float(again.error) + float(found.error[0]) + 1e-12
    assert float(found.error[0]) < 1e-10


def test_points_of_the_manifold_are_their_own_limits() -> None:
    loss = flat_manifold(5, 2, 1, "cpu")
    point = loss.some_minimizer(3)
    found = gradient_flow_limit(loss, point)
    assert float((found.points - point).norm()) <= float(found.error) + 1e-14


def test_a_flow_without_minimizer_is_an_event() -> None:
    with pytest.raises(NoConvergence, match="gradient along the flow"):
        gradient_flow_limit(
            lambda w: w[0] + w[1] ** 2, torch.ones(2, dtype=torch.float64), horizon=5
        )
