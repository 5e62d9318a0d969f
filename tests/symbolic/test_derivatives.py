"""Exact derivatives in vectors and matrices of symbolic size."""

import pytest

from eostheory.formula import (
    Equation,
    as_expr,
    dot,
    exp,
    eye,
    form,
    log,
    matrix,
    norm,
    norm2,
    outer,
    scalar,
    sqrt,
    vector,
)
from eostheory.symbolic import Model

w, v, u = vector("w", "d"), vector("v", "d"), vector("u", "d")
A = matrix("A", "d", "d")
H = matrix("H", "d", "d", symmetric=True)
T = form("T", "d", 2)
s = scalar("s", positive=True)


def same(model, lhs, rhs):
    return model.decide(Equation(lhs, rhs)).outcome == "holds"


def test_gradients_of_quadratic_forms_and_quotients():
    m = Model()
    assert same(m, m.gradient(dot(w, A @ w), w), (A + A.T) @ w)
    quotient = dot(w, H @ w) / norm2(w)
    gradient = m.gradient(quotient, w)
    assert same(m, gradient, 2 * (H @ w) / norm2(w) - 2 * dot(w, H @ w) / norm2(w) ** 2 * w)
    assert same(m, dot(gradient, w), as_expr(0))
    assert same(m, m.hessian(quotient, w) @ w, -1 * gradient)


def test_the_hessian_of_the_norm_projects():
    m = Model()
    assert same(m, m.hessian(norm(w), w), (eye("d") - outer(w, w) / norm2(w)) / norm(w))


def test_gradients_in_matrices():
    m = Model()
    W, X = matrix("W", "m", "d"), matrix("X", "d", "n")
    y = vector("y", "m")
    loss = norm2(X.T @ W.T @ y)
    assert same(m, m.gradient(loss, W), 2 * outer(y, X @ X.T @ W.T @ y))


def test_scalar_functions_follow_the_chain_rule():
    m = Model()
    for expr, slope in (
        (log(s), 1 / s),
        (exp(s**2), 2 * s * exp(s**2)),
        (sqrt(1 + s), 1 / (2 * sqrt(1 + s))),
        (s**s, s**s * (log(s) + 1)),
    ):
        assert same(m, m.gradient(expr, s), slope)


def test_a_relation_at_a_point_is_not_differentiated():
    m = Model()
    m.relation(norm2(w), 1, by="on the sphere")
    assert same(m, m.gradient(norm2(w), w), 2 * w)


def test_definitions_are_differentiated_through():
    m = Model()
    t = scalar("t")
    m.define(t, norm2(w) + 1)
    assert same(m, m.gradient(log(t), w), 2 * w / (norm2(w) + 1))
    with pytest.raises(ValueError, match="is defined as"):
        m.gradient(t**2, t)


def test_forms_have_gradients_when_they_are_derivative_tensors():
    m = Model()
    cubic = dot(T(w, w), w) / 6
    with pytest.raises(ValueError, match="fully_symmetric"):
        m.gradient(cubic, w)
    m.fully_symmetric(T)
    assert same(m, m.gradient(cubic, w), T(w, w) / 2)
    along = m.differentiate(m.gradient(cubic, w), w, v)
    assert same(m, along, T(w, v))
    assert same(m, m.gradient(dot(u, T(u, v)), v), T(u, u))


def test_directional_derivatives_of_vectors_and_matrices():
    m = Model()
    assert same(m, m.differentiate(outer(w, w), w, v), outer(w, v) + outer(v, w))
    assert same(m, m.differentiate(A @ w, A, outer(u, v)), dot(v, w) * u)
    assert same(m, m.differentiate(u, w, v), 0 * u)
