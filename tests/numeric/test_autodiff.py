"""Derivatives against independent oracles."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eostheory.agree import derivatives
from eostheory.agree.instances import scale_invariant_losses, seeds
from eostheory.agree.measured import Measured
from eostheory.numeric.autodiff import (
    gradient,
    hessian,
    hessian_vector,
    third,
    third_tensor,
    top_eigenpair,
    value,
)
from eostheory.numeric.events import BecameNaN, RepeatedTopEigenvalue
from eostheory.numeric.losses import Draw, Loss
from eostheory.numeric.toys import jet_loss, symmetric

laws = settings(max_examples=15, deadline=None, derandomize=True)


def cubic(seed: int, dim: int) -> tuple[Loss, dict[str, torch.Tensor]]:
    draw = Draw(seed, "cpu")
    half = draw.normal(dim, dim)
    jets = {
        "gradient": draw.normal(dim),
        "hessian": half + half.T,
        "third": symmetric(draw.normal(dim, dim, dim)),
        "fourth": symmetric(draw.normal(dim, dim, dim, dim)),
    }
    return jet_loss(torch.zeros(dim, dtype=torch.float64), **jets), jets


@laws
@given(seeds(), st.integers(1, 5))
def test_a_jet_has_the_derivatives_it_was_given(seed: int, dim: int) -> None:
    loss, jets = cubic(seed, dim)
    w = torch.zeros(dim, dtype=torch.float64)
    torch.testing.assert_close(gradient(loss, w), jets["gradient"])
    torch.testing.assert_close(hessian(loss, w), jets["hessian"])
    torch.testing.assert_close(third_tensor(loss, w), jets["third"])
    a, b = Draw(seed + 1, "cpu").normal(2, dim)
    torch.testing.assert_close(third(loss, w, a, b), jets["third"] @ a @ b)
    torch.testing.assert_close(hessian_vector(loss, w, a), jets["hessian"] @ a)


def test_a_jet_must_be_symmetric_and_fit() -> None:
    zero = torch.zeros(2, dtype=torch.float64)
    with pytest.raises(ValueError, match="not symmetric"):
        jet_loss(zero, zero, [[0, 1], [2, 0]])
    with pytest.raises(ValueError, match="shape"):
        jet_loss(zero, zero, torch.zeros(3, 3))


@laws
@given(scale_invariant_losses(high=6), seeds())
def test_autograd_agrees_with_central_differences(loss: Loss, seed: int) -> None:
    w = loss.point(seed)
    direction = loss.point(seed + 1)
    along = derivatives.derivative(lambda s: derivatives.value(loss, w + s * direction))
    slope = derivatives.gradient(loss, w) @ Measured(direction.numpy(), 0.0)
    assert abs(along.value - slope.value) <= along.error + slope.error
    assert along.error < 1e-6


@settings(max_examples=4, deadline=None, derandomize=True)
@given(scale_invariant_losses(low=3, high=4), seeds())
def test_the_sharpness_gradient_by_differences_is_informative(loss: Loss, seed: int) -> None:
    w = loss.point(seed)
    top = derivatives.top_eigenpair(derivatives.hessian(loss, w))
    if top.gap < 0.5:
        return
    found = derivatives.sharpness_gradient(loss, w, 2.0**-8)
    by_vector = third(loss, w, *(2 * (torch.as_tensor(top.vector.value),)))
    assert np.abs(found.value - by_vector.numpy()).max() <= 1e-5 * max(1, np.abs(found.value).max())


def test_a_repeated_top_eigenvalue_is_a_typed_event() -> None:
    with pytest.raises(RepeatedTopEigenvalue, match="not simple"):
        top_eigenpair(torch.eye(3, dtype=torch.float64))


@laws
@given(seeds(), st.integers(2, 8))
def test_top_eigenpairs_come_with_bounds_that_hold(seed: int, dim: int) -> None:
    draw = Draw(seed, "cpu")
    turn = draw.orthogonal(dim).numpy()
    spectrum = np.sort(draw.uniform(-1, 1, dim).numpy())
    spectrum[-1] += 1
    blur = 1e-9
    table = turn @ np.diag(spectrum) @ turn.T
    found = derivatives.top_eigenpair(Measured(table, np.full((dim, dim), blur)))
    assert abs(found.value.value - spectrum[-1]) <= found.value.error
    truth = turn[:, -1] * np.sign(turn[:, -1] @ found.vector.value)
    assert np.all(np.abs(truth - found.vector.value) <= found.vector.error)


def test_not_a_number_is_a_typed_event() -> None:
    w = torch.zeros(2, dtype=torch.float64)
    with pytest.raises(BecameNaN, match="gradient"):
        gradient(lambda x: torch.sqrt(x).sum() * 0 + torch.log(x).sum(), w)
    with pytest.raises(BecameNaN, match="loss"):
        value(lambda x: torch.log(-1 - x).sum(), w)


def test_a_loss_that_is_linear_has_a_zero_hessian() -> None:
    w = torch.ones(3, dtype=torch.float64)
    assert torch.equal(hessian(lambda x: x.sum(), w), torch.zeros(3, 3, dtype=torch.float64))
    assert float(third(lambda x: torch.dot(x, x), w, w, w).norm()) == 0
