"""Batch-normalized linear regression: all sizes, data, and autograd."""

import pytest
import sympy
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from eostheory import derive
from eostheory.numeric import autodiff

X = [[3, 1, 0], [1, -1, 2], [0, 0, 1]]
Y = [1, 2, 5]


@pytest.fixture(scope="module")
def data():
    return derive.batchnorm(X, Y)


def numeric_loss(inputs, targets):
    x = torch.tensor(inputs, dtype=torch.float64)
    t = torch.tensor(targets, dtype=torch.float64)
    spread = ((t - t.mean()) ** 2).mean().sqrt()

    def loss(w):
        scores = x @ w
        shifted = scores - scores.mean()
        out = spread * shifted / (shifted**2).mean().sqrt() + t.mean()
        return ((out - t) ** 2).mean()

    return loss


def test_all_sizes_give_lemma_o1():
    found = derive.batchnorm()
    assert {h.status for h in found.hypotheses} == {"given", "holds"}
    # the formula at data of its own: three samples, two inputs, centred, fitted by w = (1, 0)
    xt = torch.tensor([[1.0, 0.5], [1.0, -0.5], [-2.0, 0.0]], dtype=torch.float64)
    q = xt[:, 0] / (xt[:, 0] ** 2).mean().sqrt()
    width = (xt[:, 0] ** 2).mean().sqrt()
    hessian = found.to_torch("hessian")(Xt=xt, q=q, width=width, sigma_y=0.7)
    loss = numeric_loss(xt.tolist(), (0.7 * q).tolist())
    weight = torch.tensor([1.0, 0.0], dtype=torch.float64)
    assert torch.allclose(hessian, autodiff.hessian(loss, weight), atol=1e-12)
    assert torch.allclose(autodiff.gradient(loss, weight), torch.zeros(2, dtype=torch.float64),
                          atol=1e-12)  # fmt: skip


def test_data_agree_with_autograd(data):
    weight = torch.tensor([float(e) for e in data.weight], dtype=torch.float64)
    matrix = autodiff.hessian(numeric_loss(X, Y), weight)
    exact = torch.tensor([[float(e) for e in data.hessian.row(i)] for i in range(3)],
                         dtype=torch.float64)  # fmt: skip
    assert torch.allclose(matrix, exact, atol=1e-11)
    assert float(data.sharpness) == pytest.approx(float(torch.linalg.eigvalsh(matrix)[-1]))


def test_sharpness_along_the_manifold(data):
    move = data.to_torch("sharpness_on_manifold")
    for c in (-1.0, 0.0, 2.0):
        weight = data.flattest_scale * data.flattest + c * data.null_space
        w = torch.tensor([float(e) for e in weight], dtype=torch.float64)
        matrix = autodiff.hessian(numeric_loss(X, Y), w / w.norm())
        assert float(move(c)) == pytest.approx(float(torch.linalg.eigvalsh(matrix)[-1]))


def test_the_flattest_minimizer_is_the_least_norm_interpolation(data):
    centred = sympy.Matrix(X) - sympy.ones(3, 1) * data.mean.T
    targets = sympy.Matrix(Y) - sympy.ones(3, 1) * sympy.Rational(8, 3)
    assert centred * data.coefficients == targets
    assert (data.null_space.T * data.coefficients)[0] == 0


@settings(max_examples=4, deadline=None)
@given(st.lists(st.lists(st.integers(-3, 3), min_size=2, max_size=2), min_size=3, max_size=4),
       st.tuples(st.integers(-3, 3), st.integers(-3, 3)))  # fmt: skip
def test_drawn_data(rows, truth):
    targets = [sum(a * b for a, b in zip(row, truth, strict=True)) for row in rows]
    assume(len(set(targets)) > 1)
    found = derive.batchnorm(rows, targets)
    weight = torch.tensor([float(e) for e in found.weight], dtype=torch.float64)
    top = torch.linalg.eigvalsh(autodiff.hessian(numeric_loss(rows, targets), weight))[-1]
    assert float(found.sharpness) == pytest.approx(float(top), abs=1e-9)


def test_symbolic_data():
    a = sympy.Symbol("a", positive=True)
    found = derive.batchnorm([[a, 0], [0, 1], [0, -1]], [0, 1, -1])
    assert found.sharpness.has(a)
    known = derive.batchnorm([[2, 0], [0, 1], [0, -1]], [0, 1, -1])
    assert sympy.simplify(found.sharpness.subs(a, 2) - known.sharpness) == 0


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: derive.batchnorm(X), "both"),
        (lambda: derive.batchnorm(X, [1, 1, 1]), "all equal"),
        (lambda: derive.batchnorm([[1], [1], [2]], [1, 2, 3]), "no weight fits"),
        (lambda: derive.batchnorm([[1, 2], [1]], [1, 2]), "one row"),
        (lambda: derive.batchnorm(X, Y, at=[1, 2, 3]), "does not fit"),
        (lambda: derive.batchnorm(X, Y, at=[1, 2]), "2 entries"),
        (lambda: derive.batchnorm([[0.5]], [1]), "expression was expected"),
    ],
)
def test_bad_data(call, message):
    with pytest.raises(derive.DerivationError, match=message):
        call()
