"""The torch export: values, batches, source, errors."""

import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eostheory import derive
from eostheory.derive.torch_code import Unsupported, lower

x, y = sympy.symbols("x y", real=True)
a = sympy.Symbol("a", positive=True)
CASES = [
    x + y,
    x - 2 * y / 3,
    -x * y**3,
    sympy.sqrt(a) * x ** sympy.Rational(3, 1) / (1 + y**2),
    a ** sympy.Rational(5, 2) + a ** sympy.Rational(-1, 2),
    a ** sympy.Rational(1, 3),
    sympy.tanh(x) * sympy.exp(-(y**2)) + sympy.log(a) - sympy.sin(x) * sympy.cos(y),
    sympy.Abs(x - y) + sympy.sign(x),
    sympy.pi * x**17,
    sympy.Integer(3),
    x**y * 0 + a**x,
]


@pytest.mark.parametrize("expr", CASES, ids=str)
def test_values_agree_with_sympy_and_with_the_printed_source(expr):
    function = lower(expr, [x, y, a], "f")
    points = torch.tensor([[0.3, -1.2, 0.7], [1.5, 0.4, 2.0]], dtype=torch.float64)
    found = function.at(points)
    assert found.shape == (2,)
    for value, point in zip(found, points.tolist(), strict=True):
        exact = expr.subs(dict(zip((x, y, a), map(sympy.Float, point), strict=True)))
        assert float(value) == pytest.approx(float(exact), rel=1e-13, abs=1e-13)
    scope = {}
    exec(function.source, scope)
    assert torch.equal(scope["f"](*points.unbind(-1)), found)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 5), st.integers(0, 5)), min_size=1,
                max_size=6), st.floats(-2, 2), st.floats(-2, 2))  # fmt: skip
def test_polynomials(terms, u, v):
    expr = sympy.Add(*(c * x**i * y**j for c, i, j in terms))
    value = float(lower(expr, [x, y])(u, v))
    size = sum(abs(c) * abs(u) ** i * abs(v) ** j for c, i, j in terms)
    exact = sum(c * u**i * v**j for c, i, j in terms)
    assert value == pytest.approx(exact, abs=1e-13 * (1 + size))


def test_shapes_and_batches():
    matrix = sympy.Matrix([[x, 1], [y, x * y]])
    function = lower(matrix, [x, y], "m")
    assert function(1.0, 2.0).tolist() == [[1, 1], [2, 2]]
    assert function(torch.ones(4, 1), torch.ones(5)).shape == (4, 5, 2, 2)
    assert lower(sympy.Matrix([x, y]), [x, y])(1.0, 2.0).shape == (2,)
    assert lower((x, y, x), [x, y])(1.0, 2.0).shape == (3,)
    assert function(1.0, 2.0).dtype == torch.float64


def test_bad_calls_and_what_torch_lacks():
    function = lower(x + y, [x, y])
    for call, reason in (
        (lambda: function(1.0), "lacks y"),
        (lambda: function(1.0, 2.0, 3.0), "takes x, y"),
        (lambda: function(1.0, 2.0, x=1.0), "twice"),
        (lambda: function(1.0, z=2.0), "no input 'z'"),
    ):
        with pytest.raises(TypeError, match=reason):
            call()
    with pytest.raises(Unsupported, match="no torch form"):
        lower(sympy.zeta(x), [x])
    with pytest.raises(Unsupported, match="share a name"):
        lower(x + sympy.Symbol("x"), [x])


def test_names_that_python_reserves():
    reserved = sympy.Symbol("lambda", positive=True)
    function = lower(reserved**2, [reserved], "class")
    scope = {}
    exec(function.source, scope)
    two = torch.tensor(2.0, dtype=torch.float64)
    assert float(scope["class_"](two)) == 4
    assert float(function(2.0)) == 4


def test_results_print_and_convert():
    found = derive.loss(x**2 + y**2 / 2 + x**2 * y, [x, y], at={x: 0, y: 0}, eta=1)
    text = str(found)
    assert "sharpness" in text
    assert "[holds]" in text
    assert found._repr_latex_().startswith("$$")
    document = found.as_dict()
    assert document["values"]["sharpness"] == {"name": "S", "text": "2", "latex": "2"}
    assert {h["status"] for h in document["hypotheses"]} <= {"holds", "fails", "unknown", "given"}
    assert found.sympy("sharpness") == 2
    assert "r'" not in found.latex()


def test_entries_of_tuples_and_what_is_no_number():
    network = derive.linear_network()
    a, x_, d = (torch.randn(*s, dtype=torch.float64) for s in ((4,), (3, 5), (5,)))
    update = network.to_torch("gradients[0]")(A=a, X=x_, D=d)
    assert torch.allclose(update, torch.outer(a, x_ @ d) * 2 / 5 / 2, atol=1e-13)
    for name, reason in (("gradients[2]", "2 entries"), ("gram[0]", "tuple")):
        with pytest.raises(derive.DerivationError, match=reason):
            network.to_torch(name)
    with pytest.raises(Unsupported, match="no number"):
        derive.scale_invariance(x / y, [x, y]).to_torch("invariant")
