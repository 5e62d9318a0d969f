"""The exact judge and the exact top eigenpair, against floating point."""

import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eostheory.derive.constants import sign_of_number
from eostheory.derive.eigen import RepeatedTop, adjugate, top_pair
from eostheory.derive.judge import Judge

x = sympy.Symbol("x", real=True)
a, b = sympy.symbols("a b", positive=True)


@st.composite
def symmetric(draw):
    size = draw(st.integers(1, 4))
    entries = {(i, j): draw(st.integers(-3, 3)) for i in range(size) for j in range(i + 1)}
    return sympy.Matrix(size, size, lambda i, j: entries[max(i, j), min(i, j)])


def attempt(matrix, judge):
    try:
        return top_pair(matrix, judge)
    except RepeatedTop:
        return None


@settings(max_examples=20, deadline=None)
@given(symmetric())
def test_the_top_pair_of_whole_matrices(matrix):
    numbers = torch.tensor(matrix.tolist(), dtype=torch.float64)
    values, vectors = torch.linalg.eigh(numbers)
    judge = Judge()
    found = attempt(matrix, judge)
    if found is None:
        assert len(values) > 1
        assert float(values[-1] - values[-2]) < 1e-6
        return
    assert float(judge.leave(found.value)) == pytest.approx(float(values[-1]), abs=1e-9)
    assert len(found.below) == len(values) - 1
    direct = torch.outer(vectors[:, -1], vectors[:, -1])
    exact = torch.tensor(
        [[float(judge.leave(e)) for e in found.projection.row(i)] for i in range(len(values))],
        dtype=torch.float64,
    )
    gap = float(values[-1] - values[-2]) if len(values) > 1 else 1.0
    assert torch.allclose(exact, direct, atol=1e-9 / gap)
    assert judge.zeros(found.projection * found.projection - found.projection)


@settings(max_examples=30, deadline=None)
@given(symmetric())
def test_the_adjugate_is_the_adjugate(matrix):
    polynomial, adjoint = adjugate(matrix)
    letter = next(iter(polynomial.free_symbols))
    shifted = letter * sympy.eye(matrix.shape[0]) - matrix
    assert sympy.expand(shifted * adjoint - polynomial * sympy.eye(matrix.shape[0])).is_zero_matrix
    assert sympy.expand(adjoint.trace() - sympy.diff(polynomial, letter)) == 0


@pytest.mark.parametrize(
    "expr, sign",
    [
        (sympy.sqrt(2) + sympy.sqrt(3) - sympy.sqrt(5 + 2 * sympy.sqrt(6)) - 1, -1),
        (sympy.exp(sympy.pi) - sympy.pi - 20, -1),
        (sympy.pi - sympy.Rational(355, 113), -1),
        (sympy.log(2) - sympy.Rational(69, 100), 1),
        (sympy.CRootOf(sympy.Poly(x**3 - x - 1), 0) - sympy.Rational(13247, 10000), 1),
        (sympy.Integer(0), 0),
        (sympy.sqrt(2) * sympy.sqrt(3) - sympy.sqrt(6), 0),
        (sympy.sin(1) ** 2 + sympy.cos(1) ** 2 - 1, None),
    ],
)
def test_signs_of_numbers(expr, sign):
    assert sign_of_number(expr) == sign


def test_the_judge():
    judge = Judge([x > 1])
    assert judge.zero(sympy.sin(x) ** 2 + sympy.cos(x) ** 2 - 1)
    assert not judge.zero(x - 1)
    assert judge.status(x > 0) == "holds"
    assert judge.status(x < 1) == "fails"
    assert judge.status(x > 2) == "unknown"
    assert judge.status(sympy.Eq(x, 0, evaluate=False)) == "fails"
    assert judge.status(sympy.Ne(x, 0, evaluate=False)) == "holds"
    assert judge.root((x - 1) ** 2 * a) == (x - 1) * sympy.sqrt(a)
    assert Judge().root((x - 1) ** 2) == sympy.Abs(x - 1)
    assert judge.tidy((x**2 - 1) / (x - 1)) == x + 1
    assert judge.status(sympy.Ge(sympy.sin(1) ** 2 + sympy.cos(1) ** 2, 1, evaluate=False)) == (
        "holds"
    )
