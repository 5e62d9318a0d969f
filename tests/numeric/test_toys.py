"""Losses with prescribed derivatives."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eostheory.agree.instances import positive, seeds
from eostheory.numeric.autodiff import gradient, hessian, third, top_eigenpair
from eostheory.numeric.toys import damian_toy, self_stabilising

laws = settings(max_examples=20, deadline=None, derandomize=True)


@laws
@given(seeds(), st.integers(3, 6), positive(0.01, 0.5), positive(0.5, 2), positive(0.5, 2))
def test_the_self_stabilising_quartic_meets_the_standing_assumptions(
    seed: int, dim: int, eta: float, alpha: float, beta: float
) -> None:
    loss = self_stabilising(dim, seed, eta, alpha, beta, device="cpu")
    w = torch.zeros(dim, dtype=torch.float64)
    table, grad = hessian(loss, w), gradient(loss, w)
    top = top_eigenpair(table)
    slope = third(loss, w, top.vector, top.vector)
    tiny = {"abs": 1e-10 / eta}
    assert float(top.value) == pytest.approx(2 / eta)
    assert abs(float(torch.dot(top.vector, loss.data["u"]))) == pytest.approx(1)
    assert float(torch.dot(slope, top.vector)) == pytest.approx(0, **tiny)
    assert float((table @ slope).norm()) == pytest.approx(0, **tiny)
    assert float((table @ grad).norm()) == pytest.approx(0, **tiny)
    assert -float(torch.dot(slope, grad)) == pytest.approx(alpha)
    assert float(torch.dot(slope, slope)) == pytest.approx(beta)


@laws
@given(positive(0.01, 0.5), positive(0.5, 2), positive(0.5, 2), positive(0.1, 2))
def test_the_toy_loss_is_the_printed_one(eta: float, alpha: float, beta: float, x: float) -> None:
    w = torch.tensor([x, -2 * x, 3.0], dtype=torch.float64)
    value = (2 / eta - beta**0.5 * 2 * x) * x * x / 2 + alpha / beta**0.5 * 2 * x - 3
    assert float(damian_toy(eta, alpha, beta)(w)) == pytest.approx(value, rel=1e-12, abs=1e-12)


def test_a_rotated_toy_is_the_toy_in_rotated_coordinates() -> None:
    turn = torch.linalg.qr(torch.arange(9.0, dtype=torch.float64).reshape(3, 3) + torch.eye(3))[0]
    w = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64)
    plain, turned = damian_toy(0.1, 1.0, 2.0), damian_toy(0.1, 1.0, 2.0, turn)
    torch.testing.assert_close(turned(turn @ w), plain(w))
