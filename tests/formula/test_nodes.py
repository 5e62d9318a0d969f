"""Formulas are typed, inert and printed as written."""

from fractions import Fraction

import pytest

from eostheory.formula import (
    Equation,
    Inequality,
    Number,
    ShapeError,
    dot,
    eye,
    form,
    log,
    matrix,
    norm,
    norm2,
    outer,
    scalar,
    sqrt,
    substitute,
    symbols_of,
    to_latex,
    trace,
    vector,
    walk,
)
from eostheory.formula.nodes import replace_at

a, b, c = scalar("a"), scalar("b"), scalar("c")
u, v = vector("u", "n"), vector("v", "n")
x = vector("x", "m")
M = matrix("M", "m", "n")
H = matrix("H", "n", "n", symmetric=True)


@pytest.mark.parametrize(
    "build",
    [
        lambda: a + u,
        lambda: u + x,
        lambda: M @ x,
        lambda: M.T @ v,
        lambda: u @ v,
        lambda: u * v,
        lambda: dot(u, x),
        lambda: trace(M),
        lambda: norm(a),
        lambda: log(u),
        lambda: u**2,
        lambda: form("T", "n")(u),
        lambda: form("T", "n")(u, x),
        lambda: a.T,
        lambda: outer(a, u),
        lambda: Equation(u, x),
        lambda: Inequality(u, "<=", v),
    ],
)
def test_ill_shaped_expressions_are_errors_at_construction(build):
    with pytest.raises(ShapeError):
        build()


def test_shapes_follow_from_the_parts():
    assert (M @ v).shape == ("m",)
    assert (M.T @ x).shape == ("n",)
    assert (M.T @ M).shape == ("n", "n")
    assert outer(u, x).shape == ("n", "m")
    assert (2 * a * u).shape == ("n",)
    assert form("T", "n")(u, v).shape == ("n",)
    assert (eye("n") - H).shape == ("n", "n")


def test_floats_are_refused_because_they_are_not_exact():
    with pytest.raises(TypeError, match="floats are not exact"):
        a * 0.5
    assert str(a * Fraction(1, 2)) == "a*(1/2)"


def test_nothing_is_simplified():
    assert str(a + a - a) == "a + a - a"
    assert a + b != b + a
    assert (a * b) / b != a


@pytest.mark.parametrize(
    ("expr", "text", "latex"),
    [
        (a - b - c, "a - b - c", r"\mathrm{a} -\mathrm{b} -\mathrm{c}"),
        (a - (b - c), "a - (b - c)", None),
        (-(a + b), "-(a + b)", None),
        (2 * (a + b) ** 2, "2*(a + b)**2", None),
        (a / (b * c), "a*(b*c)**(-1)", r"\frac{\mathrm{a}}{\mathrm{b} \, \mathrm{c}}"),
        (norm2(u), "norm(u)**2", r"\lVert \mathrm{u} \rVert^{2}"),
        (sqrt(a) * log(b), "sqrt(a)*log(b)", None),
        ((eye("n") - H) @ v, "(I[n] - H) @ v", None),
    ],
)
def test_text_and_latex_show_the_formula_as_written(expr, text, latex):
    assert str(expr) == text
    assert latex is None or to_latex(expr) == latex


def test_walk_and_replace_reach_every_node():
    expr = a * (b + 2 * c) ** 3
    for path, node in walk(expr):
        assert replace_at(expr, path, node) == expr
    threes = [p for p, n in walk(expr) if n == Number(Fraction(3))]
    assert str(replace_at(expr, threes[0], Number(Fraction(4)))) == "a*(b + 2*c)**4"
    assert symbols_of(expr) == {a, b, c}
    assert str(substitute(expr, {c: a + 1})) == "a*(b + 2*(a + 1))**3"
