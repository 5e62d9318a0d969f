"""The running error bound encloses the truth, computed with sixty digits."""

from __future__ import annotations

from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eostheory.agree import EvaluationError, Measured, evaluate, exact, measured
from eostheory.formula import (
    Expr,
    absolute,
    as_expr,
    dot,
    exp,
    eye,
    form,
    lambertw,
    log,
    matrix,
    norm,
    norm2,
    outer,
    scalar,
    sqrt,
    trace,
    vector,
)
from eostheory.formula.nodes import (
    Add,
    Apply,
    Dot,
    Function,
    Identity,
    MatMul,
    Mul,
    Norm,
    Number,
    Outer,
    Power,
    Symbol,
    Trace,
    Transpose,
)

A, B, C = scalar("a"), scalar("b"), scalar("c")
U, V = vector("u", "n"), vector("v", "n")
M, N = matrix("M", "n", "n"), matrix("N", "n", "n", symmetric=True)
T = form("T", "n")
SIZE = 3

numbers = st.fractions(-3, 3, max_denominator=7).map(as_expr)


def _extend_scalars(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    vectors = st.one_of(
        st.sampled_from([U, V, M @ U, N @ V, T(U, V)]),
        st.tuples(inner, st.sampled_from([U, V])).map(lambda p: p[0] * p[1] + V),
        st.tuples(inner, inner).map(lambda p: T(p[0] * U + V, p[1] * V)),
    )
    matrices = st.one_of(
        st.sampled_from([M, N, M @ N, M.T @ M - eye("n"), outer(U, V)]),
        inner.map(lambda x: x * N + M @ M),
    )
    return st.one_of(
        st.tuples(inner, inner).map(lambda p: p[0] + p[1]),
        st.tuples(inner, inner).map(lambda p: p[0] - p[1]),
        st.tuples(inner, inner).map(lambda p: p[0] * p[1]),
        st.tuples(inner, inner).map(lambda p: p[0] / (1 + p[1] * p[1])),
        st.tuples(inner, st.sampled_from([2, 3, 5])).map(lambda p: p[0] ** p[1]),
        inner.map(lambda x: (1 + x * x) ** Fraction(-3, 2)),
        inner.map(lambda x: sqrt(x * x)),
        inner.map(lambda x: log(1 + x * x)),
        inner.map(lambda x: exp(-x * x / 9)),
        inner.map(lambda x: Function("tanh", x)),
        inner.map(lambda x: Function("sin", x)),
        inner.map(absolute),
        inner.map(lambda x: lambertw(x * x)),
        st.tuples(vectors, vectors).map(lambda p: dot(*p)),
        vectors.map(norm),
        vectors.map(norm2),
        matrices.map(norm),
        matrices.map(trace),
    )


expressions = st.recursive(
    st.one_of(numbers, st.sampled_from([A, B, C, A - B])), _extend_scalars, max_leaves=8
)


def reference(expr: Expr, table: dict) -> mp.mpf | mp.matrix:
    """The value in mpmath's precision, written independently of the evaluator."""
    match expr:
        case Number(value):
            return mp.mpf(value.numerator) / value.denominator
        case Symbol():
            return table[expr]
        case Identity():
            return mp.eye(SIZE)
    parts = [reference(c, table) for c in expr.children]
    match expr:
        case Add():
            total = parts[0]
            for part in parts[1:]:
                total = total + part
            return total
        case Mul() | MatMul():
            total = parts[0]
            for part in parts[1:]:
                total = total * part
            return total
        case Power():
            return mp.power(parts[0], parts[1])
        case Transpose():
            return parts[0].T
        case Dot():
            return (parts[0].T * parts[1])[0]
        case Outer():
            return parts[0] * parts[1].T
        case Norm():
            return mp.sqrt(sum(x * x for x in parts[0]))
        case Trace():
            return sum(parts[0][i, i] for i in range(SIZE))
        case Function(name):
            return {
                "sqrt": mp.sqrt,
                "log": mp.log,
                "exp": mp.exp,
                "tanh": mp.tanh,
                "sin": mp.sin,
                "abs": abs,
                "lambertw": lambda x: mp.re(mp.lambertw(x)),
            }[name](parts[0])
        case Apply(form=symbol):
            tensor = table[symbol]
            return mp.matrix(
                [
                    sum(
                        tensor[i][j][k] * parts[0][j] * parts[1][k]
                        for j in range(SIZE)
                        for k in range(SIZE)
                    )
                    for i in range(SIZE)
                ]
            )
    raise AssertionError(expr)


def draw_table(seed: int) -> dict:
    rng = np.random.default_rng(seed)
    table: dict = {s: float(x) for s, x in zip((A, B, C), rng.standard_normal(3), strict=True)}
    # Two nearly equal numbers, so that differences cancel.
    table[B] = table[A] * (1 + 1e-9)
    for symbol in (U, V):
        table[symbol] = rng.standard_normal(SIZE)
    table[M] = rng.standard_normal((SIZE, SIZE))
    half = rng.standard_normal((SIZE, SIZE))
    table[N] = half + half.T
    table[T] = rng.standard_normal((SIZE, SIZE, SIZE))
    return table


def to_mp(value: object) -> object:
    array = np.asarray(value)
    if array.ndim == 0:
        return mp.mpf(float(array))
    return (
        mp.matrix(array.tolist())
        if array.ndim < 3
        else [mp.matrix(r.tolist()).tolist() for r in array]
    )


@settings(max_examples=300, deadline=None, derandomize=True)
@given(expressions, st.integers(0, 10**6))
def test_the_bound_encloses_a_sixty_digit_evaluation(expr: Expr, seed: int) -> None:
    table = draw_table(seed)
    with mp.workdps(60):
        truth = reference(expr, {k: to_mp(v) for k, v in table.items()})
        found = evaluate(expr, table)
        assert abs(mp.mpf(found.value) - truth) <= mp.mpf(found.error)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(expressions, st.integers(0, 10**6), st.integers(0, 10**6))
def test_the_bound_encloses_every_truth_within_the_errors_of_the_inputs(
    expr: Expr, seed: int, other: int
) -> None:
    table = draw_table(seed)
    rng = np.random.default_rng(other)
    blurred, moved = {}, {}
    for symbol, value in table.items():
        error = 1e-6 * np.abs(value)
        blurred[symbol] = Measured(value, error)
        # A truth at distance of at most nine tenths of the error, so that the addition's own
        # rounding does not matter.
        moved[symbol] = value + 0.9 * error * rng.uniform(-1, 1, np.shape(value))
    with mp.workdps(60):
        truth = reference(expr, {k: to_mp(v) for k, v in moved.items()})
        found = evaluate(expr, blurred)
        assert abs(mp.mpf(found.value) - truth) <= mp.mpf(found.error)


def test_the_bound_is_not_much_larger_than_a_few_roundings() -> None:
    rng = np.random.default_rng(0)
    table = {
        M: rng.standard_normal((40, 40)),
        U: rng.standard_normal(40),
        V: rng.standard_normal(40),
    }
    found = evaluate(dot(U, M @ V), table)
    size = np.abs(table[U]) @ np.abs(table[M]) @ np.abs(table[V])
    assert found.error <= 100 * 2.0**-53 * size


def test_a_map_given_as_a_callable_carries_the_errors_of_its_arguments() -> None:
    rng = np.random.default_rng(3)
    tensor = rng.standard_normal((SIZE, SIZE, SIZE))
    tensor = sum(
        tensor.transpose(p)
        for p in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
    )
    u = rng.standard_normal(SIZE)
    blurred = Measured(u, 1e-6 * np.ones(SIZE))
    dense = evaluate(T(U, U), {T: tensor, U: blurred})
    lazy = evaluate(T(U, U), {T: lambda a, b: tensor @ b @ a, U: blurred})
    np.testing.assert_allclose(lazy.value, dense.value, rtol=1e-12)
    moved = tensor @ (u + 1e-6) @ (u + 1e-6)
    assert np.all(np.abs(moved - lazy.value) <= lazy.error)


def test_sizes_that_disagree_are_refused() -> None:
    with pytest.raises(EvaluationError, match="n = 3"):
        evaluate(dot(U, V), {U: np.ones(3), V: np.ones(4)})


def test_a_symbol_without_value_is_named() -> None:
    with pytest.raises(EvaluationError, match="no value given for b"):
        evaluate(A + B, {A: 1.0})


def test_a_logarithm_of_a_negative_number_has_no_value() -> None:
    with pytest.raises(EvaluationError, match="domain"):
        evaluate(log(A), {A: -1.0})


def test_an_argument_that_may_be_zero_makes_a_quotient_boundless() -> None:
    found = evaluate(1 / A, {A: Measured(1e-3, 1e-2)})
    assert found.error == np.inf


def test_fractions_are_exact_up_to_their_nearest_float() -> None:
    assert exact(Fraction(1, 4)).error == 0.0
    assert 0 < exact(Fraction(1, 3)).error <= 2.0**-54


def test_measured_bounds_a_sum_by_the_magnitude_of_its_terms() -> None:
    rng = np.random.default_rng(1)
    terms = rng.standard_normal(1000) * 10.0 ** rng.uniform(-8, 8, 1000)
    found = measured(sum(terms), len(terms), np.abs(terms).sum())
    with mp.workdps(60):
        truth = mp.fsum(mp.mpf(float(t)) for t in terms)
        assert abs(mp.mpf(float(found.value)) - truth) <= found.error


@pytest.mark.parametrize("function", [log, sqrt, lambda x: x ** Fraction(-3, 2)])
def test_an_error_below_the_last_digit_of_an_argument_is_not_lost(function) -> None:
    tiny = 2.0**-55
    found = evaluate(function(A), {A: Measured(1 + 2.0**-30, tiny)})
    with mp.workdps(60):
        truth = reference(function(A), {A: mp.mpf(1 + 2.0**-30) + mp.mpf(tiny)})
        assert abs(mp.mpf(found.value) - truth) <= mp.mpf(found.error)
    assert found.error < 2.0**-48


def test_an_exponential_that_underflows_is_not_taken_for_zero() -> None:
    assert evaluate(exp(A), {A: -800.0}).error > 0
