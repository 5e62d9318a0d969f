"""Gram matrices against dense Jacobians, and their relation to the Hessian."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eostheory.curvature import GaussNewtonProducts, Products, Tracker, dense_hessian, gram_matrix


def two_layer(d=3, m=4, n=5, outputs=1, seed=0):
    """A two-layer network: outputs of shape (n, outputs), a point, and where its layers lie."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(n, d, generator=draw, dtype=torch.float64)
    w = torch.randn(m * d + outputs * m, generator=draw, dtype=torch.float64)

    def apply(w, rows=slice(None)):
        hidden = torch.tanh(x[rows] @ w[: m * d].view(m, d).T)
        return hidden @ w[m * d :].view(outputs, m).T

    return apply, w, slice(0, m * d), slice(m * d, None)


def jacobian(outputs, w):
    table = torch.autograd.functional.jacobian(outputs, w)
    return table.reshape(-1, len(w))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(1, 3), st.integers(0, 100), st.integers(1, 20))
def test_it_is_the_jacobian_times_its_transpose_in_blocks_of_any_size(n, outputs, seed, rows):
    apply, w, inner, outer = two_layer(n=n, outputs=outputs, seed=seed)
    table = jacobian(apply, w)
    found = gram_matrix(apply, w, {"output": outer, "inner": inner}, scale=2 / n, rows=rows)
    for matrix, where in (
        (found.matrix, slice(None)), (found.parts["output"], outer), (found.parts["inner"], inner),
    ):  # fmt: skip
        exact = 2 / n * table[:, where] @ table[:, where].T
        assert torch.allclose(matrix, exact, rtol=1e-12, atol=1e-13)
        assert torch.equal(matrix, matrix.T)
    assert torch.allclose(sum(found.parts.values()), found.matrix, rtol=1e-13, atol=1e-14)


def test_chunks_of_the_data_give_the_same_matrix():
    apply, w, _, outer = two_layer(n=6, outputs=2)
    whole = gram_matrix(apply, w, {"output": outer})
    chunks = [lambda w, r=slice(i, i + 2): apply(w, r) for i in range(0, 6, 2)]
    parts = gram_matrix(chunks, w, {"output": outer}, rows=5)
    assert torch.allclose(parts.matrix, whole.matrix, rtol=1e-12)
    assert list(parts.parts) == ["output", "rest"]


def test_its_nonzero_eigenvalues_are_those_of_the_gauss_newton_matrix():
    apply, w, *_ = two_layer(n=3)
    gram = gram_matrix(apply, w, scale=2 / 3)
    operator = GaussNewtonProducts(apply, w, scale=2 / 3)
    values, vectors = gram.top(3)
    pairs = Tracker(3)(operator)
    assert pairs.values.tolist() == pytest.approx(values.tolist(), rel=1e-10)
    image = operator.outputs_along(pairs.vectors[0])
    assert abs(float(torch.dot(image / image.norm(), vectors[0]))) == pytest.approx(1)
    chunks = [lambda w, r=slice(i, i + 1): apply(w, r) for i in range(3)]
    again = Tracker(3)(GaussNewtonProducts(chunks, w, scale=2 / 3))
    assert again.values.tolist() == pytest.approx(values.tolist(), rel=1e-10)


def test_the_hessian_of_the_squared_error_is_gauss_newton_where_the_model_fits():
    apply, w, *_ = two_layer(n=3)
    target = apply(w).detach()
    hessian = dense_hessian(Products(lambda v: ((apply(v) - target) ** 2).sum() / 3, w))
    sharpness = torch.linalg.eigvalsh(hessian)[-1]
    assert float(sharpness) == pytest.approx(float(gram_matrix(apply, w, scale=2 / 3).top()[0]))


def test_a_linear_network_has_the_parts_of_li22():
    draw = torch.Generator().manual_seed(1)
    d, m, n = 4, 3, 5
    x = torch.randn(d, n, generator=draw, dtype=torch.float64)
    w = torch.randn(m * d + m, generator=draw, dtype=torch.float64)
    weights, a = w[: m * d].view(m, d), w[m * d :]

    def outputs(w):
        return x.T @ w[: m * d].view(m, d).T @ w[m * d :] / m**0.5

    found = gram_matrix(outputs, w, {"A": slice(m * d, None)}, scale=2 / n)
    inner = 2 / (m * n) * torch.dot(a, a) * (x.T @ x)
    output = 2 / (m * n) * x.T @ weights.T @ weights @ x
    assert torch.allclose(found.parts["A"], output, rtol=1e-12)
    assert torch.allclose(found.parts["rest"], inner, rtol=1e-12)


def test_what_cannot_be_used_is_named():
    apply, w, inner, outer = two_layer()
    with pytest.raises(ValueError, match="overlaps"):
        gram_matrix(apply, w, {"a": inner, "b": slice(0, 3)})
    with pytest.raises(ValueError, match="do not depend"):
        gram_matrix(lambda w: torch.ones(3), w)
    for none in ([], lambda w: w[:0]):
        with pytest.raises(ValueError, match=r"no chunks|are empty"):
            gram_matrix(none, w)
    with pytest.raises(ValueError, match="no chunks"):
        GaussNewtonProducts([], w)
    for use in (gram_matrix, GaussNewtonProducts):
        with pytest.raises(TypeError, match="float16"):
            use(apply, w.half())
    with pytest.raises(ValueError, match="rows is 0"):
        gram_matrix(apply, w, rows=0)
    with pytest.raises(ValueError, match="'rest' is taken"):
        gram_matrix(apply, w, {"rest": outer})
    with pytest.raises(ValueError, match="k is 9"):
        gram_matrix(apply, w).top(9)
