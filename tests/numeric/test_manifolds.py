"""Losses with a manifold of minimizers."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eostheory.numeric.autodiff import gradient, hessian
from eostheory.numeric.manifolds import flat_manifold, spherical_manifold

shapes = st.sampled_from([(2, 1), (4, 2), (6, 3), (9, 4)])
laws = settings(max_examples=25, deadline=None, derandomize=True)


@laws
@given(st.integers(0, 9999), st.integers(0, 9999), shapes, st.booleans())
def test_minimizers_have_no_gradient_and_a_hessian_of_full_rank_across(
    seed: int, other: int, shape: tuple[int, int], spherical: bool
) -> None:
    dim, tangent = shape
    loss = (spherical_manifold if spherical else flat_manifold)(dim, tangent, seed, "cpu")
    point = loss.some_minimizer(other)
    assert float(gradient(loss, point).norm()) < 1e-13
    values = torch.linalg.eigvalsh(hessian(loss, point))
    assert float(values[:tangent].abs().max()) < 1e-12
    assert float(values[tangent]) > 1e-2
    if spherical:
        assert float(point.norm()) == pytest.approx(1)
        torch.testing.assert_close(loss(2 * point + 0.1), loss(4 * point + 0.2))


@laws
@given(st.integers(0, 9999), st.booleans())
def test_the_top_eigenvalue_varies_in_several_directions_of_the_manifold(
    seed: int, spherical: bool
) -> None:
    loss = (spherical_manifold if spherical else flat_manifold)(7, 3, seed, "cpu")
    z = torch.tensor([0.6, 0.5, -0.4], dtype=torch.float64)
    h = 1e-4

    def top(moved: torch.Tensor) -> float:
        return float(torch.linalg.eigvalsh(hessian(loss, loss.minimizer(moved)))[-1])

    slopes = [(top(z + h * e) - top(z - h * e)) / (2 * h) for e in torch.eye(3, dtype=z.dtype)]
    assert sum(abs(s) > 1e-3 for s in slopes) >= 2


@laws
@given(st.integers(0, 9999), shapes, st.booleans())
def test_a_batch_of_points_gives_the_values_of_its_rows(
    seed: int, shape: tuple[int, int], spherical: bool
) -> None:
    loss = (spherical_manifold if spherical else flat_manifold)(*shape, seed, "cpu")
    rows = torch.stack([loss.some_minimizer(k) + 0.01 for k in range(3)])
    torch.testing.assert_close(loss(rows), torch.stack([loss(r) for r in rows]))


def test_a_manifold_must_have_a_dimension_between() -> None:
    with pytest.raises(ValueError, match="1 <= tangent < dim"):
        flat_manifold(3, 3, 0)
