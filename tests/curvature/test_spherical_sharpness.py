"""Spherical sharpness of scale-invariant losses against dense Hessians on the sphere."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eostheory.curvature import (
    Products,
    TangentProducts,
    Tracker,
    scale_defect,
    spherical_sharpness,
)
from eostheory.numeric.autodiff import hessian
from eostheory.numeric.losses import FAMILIES, scale_invariant

families = st.sampled_from(list(FAMILIES))


@settings(max_examples=30, deadline=None)
@given(families, st.integers(2, 9), st.integers(0, 100), st.floats(-2, 2))
def test_it_is_the_top_eigenvalue_at_the_direction_whatever_the_length(family, dim, seed, power):
    loss = scale_invariant(family, dim, seed)
    w = loss.point(seed + 1, 10.0**power)
    exact = torch.linalg.eigvalsh(hessian(loss, w / w.norm()))
    found = spherical_sharpness(loss, w, Tracker(repeated="keep"))
    size = float(exact.abs().max())
    assert found.value == pytest.approx(float(exact[-1]), abs=1e-9 * size)
    assert found.residual <= 1e-8 * size
    assert found.gap == pytest.approx(float(exact[-1] - exact[-2]), abs=1e-8 * size)
    assert found.defect <= 1e-9


@settings(max_examples=30, deadline=None)
@given(families, st.integers(2, 9), st.integers(0, 100))
def test_the_tangential_hessian_is_the_projected_one(family, dim, seed):
    loss = scale_invariant(family, dim, seed)
    w = loss.point(seed + 1, 3.0)
    theta = w / w.norm()
    tangent = TangentProducts(Products(loss, w))
    assert tangent.size == dim - 1
    rows = tangent.embed(torch.eye(dim - 1, dtype=torch.float64))
    assert float((rows @ theta).abs().max()) <= 1e-14
    assert torch.allclose(rows @ rows.T, torch.eye(dim - 1, dtype=torch.float64), atol=1e-13)
    full = hessian(loss, theta)
    size = float(full.abs().max())
    exact = rows @ full @ rows.T
    found = tangent.block(torch.eye(dim - 1, dtype=torch.float64))
    assert float((found - exact).abs().max()) <= 1e-10 * size
    pair = Tracker(repeated="keep")(tangent)
    assert float(pair.values[0]) <= float(torch.linalg.eigvalsh(full)[-1]) + 1e-9 * size
    assert float(pair.values[0]) == pytest.approx(
        float(torch.linalg.eigvalsh(exact)[-1]), abs=1e-9 * size
    )


def test_one_tracker_serves_along_a_trajectory():
    loss = scale_invariant("weight-normalised tanh", 210, 0)
    w, tracker = loss.point(0), Tracker()
    for _ in range(5):
        # Longer by a tenth, and turned a little, in every step.
        w = 1.1 * (w + 0.01 * w.norm() * loss.point(1))
        found = spherical_sharpness(loss, w, tracker)
        exact = torch.linalg.eigvalsh(hessian(loss, w / w.norm()))[-1]
        assert found.value == pytest.approx(float(exact), rel=1e-8)
    assert found.products < 0.7 * spherical_sharpness(loss, w).products


def test_a_loss_that_is_not_scale_invariant_is_refused_with_its_defect():
    w = torch.linspace(1, 2, 5, dtype=torch.float64)
    with pytest.raises(ValueError, match="not scale-invariant: it misses"):
        spherical_sharpness(lambda w: (w**4).sum(), w)
    # Even where the gradient happens to vanish.
    with pytest.raises(ValueError, match="not scale-invariant"):
        spherical_sharpness(lambda w: ((w - w.detach() / 1) ** 2).sum(), w)


def test_an_epsilon_in_a_norm_is_a_defect_of_its_size_that_can_be_accepted():
    inner = scale_invariant("cosine embedding", 5, 0)
    w = inner.point(1)

    def loss(w):
        x = inner.data["X"]
        return torch.tanh(x @ w / torch.sqrt(torch.dot(w, w) + 1e-5)).pow(2).mean()

    with Products(loss, w) as products:
        defect = scale_defect(products)
    assert 1e-7 < defect < 1e-4
    with pytest.raises(ValueError, match="epsilon"):
        spherical_sharpness(loss, w)
    assert spherical_sharpness(loss, w, defect_tolerance=1e-4).defect == defect


def test_zero_has_no_direction():
    with pytest.raises(ValueError, match="no direction"):
        spherical_sharpness(lambda w: (w * w).sum(), torch.zeros(3))
    with pytest.raises(ValueError, match="no tangent"):
        TangentProducts(Products(lambda w: (w * w).sum(), torch.ones(1)))
