"""Linear regression with batch normalisation."""

from __future__ import annotations

import pytest
import torch

from eostheory.numeric.autodiff import gradient
from eostheory.numeric.batchnorm import normalised_model, normalised_regression, regression_data


@pytest.mark.parametrize("seed", range(5))
def test_outputs_have_the_frozen_mean_and_deviation(seed: int) -> None:
    data = regression_data(seed, 12, 7, "cpu")
    model, loss = normalised_model(data), normalised_regression(data)
    out = model.outputs(loss.point(seed))
    torch.testing.assert_close(out.mean(), data.y.mean())
    torch.testing.assert_close(out.std(correction=0), data.y.std(correction=0))


@pytest.mark.parametrize("seed", range(5))
def test_the_truth_is_a_global_minimizer(seed: int) -> None:
    data = regression_data(seed, device="cpu")
    loss = normalised_regression(data)
    assert float(loss(data.truth)) < 1e-28
    assert float(gradient(loss, data.truth).norm()) < 1e-13
    assert float(data.test_loss(data.truth, data.offset)) == 0


def test_the_data_are_those_of_the_appendix() -> None:
    data = regression_data(0, device="cpu")
    assert data.x.shape == (20, 40)
    assert float(data.truth.norm()) == pytest.approx(1)
    assert data.spread.tolist() == [i / 40 for i in range(1, 41)]


def test_the_loss_is_scale_invariant() -> None:
    loss = normalised_regression(regression_data(3, 9, 5, "cpu"))
    w = loss.point(1)
    torch.testing.assert_close(loss(7 * w), loss(w))
    assert float(torch.dot(gradient(loss, w), w)) == pytest.approx(0, abs=1e-14)
