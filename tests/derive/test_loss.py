"""Sharpness, its gradient and the coefficients of self-stabilization, against known cases."""

import pytest
import sympy
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from eostheory import derive
from eostheory.derive.eigen import RepeatedTop
from eostheory.derive.errors import NotDerived
from eostheory.numeric import autodiff

x, y, z = sympy.symbols("x y z")
eta, alpha, beta = sympy.symbols("eta alpha beta", positive=True)
TOY = (2 / eta + sympy.sqrt(beta) * y) * x**2 / 2 - alpha / sympy.sqrt(beta) * y - z


def statuses(result):
    return {h.text.split(":")[0]: h.status for h in result.hypotheses}


def test_the_toy_of_appendix_b():
    found = derive.loss(TOY, [x, y, z], at={x: 0, y: 0}, eta=eta)
    assert found.sharpness == 2 / eta
    assert list(found.eigenvector) == [1, 0, 0]
    assert list(found.sharpness_gradient) == [0, sympy.sqrt(beta), 0]
    assert list(found.gradient) == [0, -alpha / sympy.sqrt(beta), -1]
    assert (found.alpha, found.beta) == (alpha, beta)
    assert found.delta == sympy.sqrt(2 * alpha / beta)
    assert found.epsilon == eta * sympy.sqrt(alpha)
    assert list(found.drift) == [0, 0, 1]
    assert set(statuses(found).values()) == {"holds"}


def test_off_the_edge_the_toy_keeps_its_slope_and_says_that_it_is_off():
    condition = 2 / eta + sympy.sqrt(beta) * y > 0
    found = derive.loss(TOY, [x, y, z], at={x: 0}, eta=eta, given=[condition])
    assert sympy.simplify(found.sharpness - 2 / eta - sympy.sqrt(beta) * y) == 0
    assert list(found.sharpness_gradient) == [0, sympy.sqrt(beta), 0]
    assert statuses(found)["the point is at the edge"] == "unknown"
    moved = derive.loss(TOY, [x, y, z], at={x: 0, y: 1}, eta=eta)
    assert statuses(moved)["the point is at the edge"] == "fails"


def test_which_eigenvalue_is_the_largest_is_never_assumed():
    with pytest.raises(derive.DerivationError, match="depends on the symbols"):
        derive.loss(TOY, [x, y, z], at={x: 0})
    chosen = derive.loss(TOY, [x, y, z], at={x: 0}, top=2 / eta + sympy.sqrt(beta) * y)
    assert any(h.status == "unknown" and "simple" in h.text for h in chosen.hypotheses)
    with pytest.raises(derive.DerivationError, match="not known to be an eigenvalue"):
        derive.loss(TOY, [x, y, z], at={x: 0}, top=1 / eta)


def test_a_repeated_top_eigenvalue_is_an_error_of_its_own():
    with pytest.raises(RepeatedTop, match="repeated"):
        derive.loss(x**2 + y**2 + x**3, [x, y], at={x: 0, y: 0})
    with pytest.raises(derive.DerivationError, match="not the top"):
        derive.loss(x**2 + 2 * y**2, [x, y], at={x: 0, y: 0}, top=sympy.Integer(2))


def test_a_symbolic_point_on_a_manifold():
    a = sympy.Symbol("a", positive=True)
    found = derive.loss((x * y - 1) ** 2, [x, y], at={x: a, y: 1 / a}, eta=eta)
    assert sympy.simplify(found.sharpness - 2 * a**2 - 2 / a**2) == 0
    assert list(found.gradient) == [0, 0]
    assert found.alpha == 0
    assert statuses(found)["progressive sharpening (Assumption 1)"] == "fails"
    flattest = found.sharpness_gradient.subs(a, 1)
    assert flattest[0] == flattest[1]  # along the manifold nothing gets flatter at a = 1


def test_irrational_eigenvalues_are_exact():
    found = derive.loss(x**2 + x * y + x**3 / 3 + y**3, [x, y], at={x: 0, y: 0})
    assert sympy.simplify(found.sharpness - 1 - sympy.sqrt(2)) == 0
    u = found.eigenvector
    assert sympy.simplify((u.T * u)[0] - 1) == 0
    direct = sympy.Matrix([2 * u[0] ** 2, 6 * u[1] ** 2])
    assert sympy.simplify(direct - found.sharpness_gradient) == sympy.zeros(2, 1)
    cubic = x**4 + 3 * x * y + y**3 * z + z**2 * x
    deep = derive.loss(cubic, [x, y, z], at={x: 1, y: 2, z: -1})
    assert deep.sharpness.has(sympy.CRootOf)
    assert "where r_1 = " in str(deep)
    assert r"\approx" in deep.latex()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: derive.loss(0.5 * x**2, [x]), "float"),
        (lambda: derive.loss("x**2", [x]), "derive.parse"),
        (lambda: derive.loss(x**2, []), "needs parameters"),
        (lambda: derive.loss(x**2, [x, x]), "twice"),
        (lambda: derive.loss(x**2, [x], at={y: 1}), "no parameter"),
        (lambda: derive.loss(sympy.I * x**2, [x]), "not real"),
        (lambda: derive.loss(x**2 + sympy.Symbol("x", real=True), [x]), "two different symbols"),
        (lambda: derive.loss(sympy.sqrt(x), [x], at={x: 0}), "not smooth"),
        (lambda: derive.loss(1 / x, [x], at={x: 0}), "not smooth"),
        (lambda: derive.loss(abs(x), [x], at={x: 0}), "not smooth"),
        (lambda: derive.loss(x**2, [x], given=[x > 1, x < 0]), "contradict"),
        (lambda: derive.loss(x**2, [x], given=[x + 1]), "no condition"),
        (lambda: derive.loss(x**2, [x], given=[sympy.Eq(x, 1)]), "no condition"),
        (lambda: derive.loss(x**2, [x], given=[eta < 0]), "never holds"),
        (lambda: derive.loss(x**2, [x], eta="eta"), "derive.parse"),
        (lambda: derive.loss(x**2, [x], at={x: sympy.oo}), "not real and finite"),
    ],
)
def test_bad_input_says_what_is_wrong(call, message):
    with pytest.raises(derive.DerivationError, match=message):
        call()


@pytest.mark.parametrize(
    "loss",
    [
        sympy.Max(x, 0) ** 2,
        sympy.Function("f")(x) + x**2,
        sympy.Piecewise((x**2, x > 0), (0, True)),
    ],
    ids=str,
)
def test_smoothness_is_no_silent_assumption(loss):
    found = derive.loss(loss, [x], at={x: 1})
    assert any("smooth" in h.text and h.status == "unknown" for h in found.hypotheses)


def test_transcendental_points_are_exact():
    found = derive.loss(sympy.cos(x) + x * y + y**4, [x, y], at={x: sympy.pi, y: 1})
    assert sympy.simplify(found.sharpness - (13 + 5 * sympy.sqrt(5)) / 2) == 0
    error = derive.loss(sympy.erf(x) ** 2 + x**2, [x], at={x: 1}, given=[eta > 0])
    value = (
        2 + 8 * sympy.exp(-2) / sympy.pi - 8 * sympy.exp(-1) * sympy.erf(1) / sympy.sqrt(sympy.pi)
    )
    assert float(error.sharpness) == pytest.approx(float(value))


def test_what_is_not_there_says_why():
    found = derive.loss(x**2, [x])
    with pytest.raises(NotDerived, match="beta = 0"):
        found.to_torch("delta")
    with pytest.raises(NotDerived, match="eta"):
        found.sympy("epsilon")
    with pytest.raises(NotDerived, match="it has value"):
        found.latex("momentum")


# ------------------------------------------------------------------------------ laws
def polynomials(size):
    """Sparse polynomials of degree up to four with small whole coefficients."""
    exponent = st.tuples(*[st.integers(0, 3)] * size).filter(lambda e: 0 < sum(e) <= 4)
    return st.dictionaries(exponent, st.integers(-3, 3).filter(bool), min_size=3, max_size=7)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.sampled_from([2, 3]))
def test_the_sharpness_gradient_agrees_with_autograd_of_the_top_eigenvalue(data, size):
    letters = sympy.symbols(f"t0:{size}", real=True)
    terms = data.draw(polynomials(size))
    loss = sympy.Add(
        *(c * sympy.Mul(*(v**k for v, k in zip(letters, e, strict=True))) for e, c in terms.items())
    )
    point = data.draw(st.tuples(*[st.integers(-2, 2)] * size))
    try:
        found = derive.loss(loss, letters, at=dict(zip(letters, point, strict=True)))
    except RepeatedTop:
        assume(False)
    theta = torch.tensor(point, dtype=torch.float64)
    value = found_function(loss, letters)
    matrix = autodiff.hessian(value, theta)
    values = torch.linalg.eigvalsh(matrix)
    assume(float(values[-1] - values[-2]) > 1e-2)
    assert float(found.sharpness) == pytest.approx(float(values[-1]), abs=1e-9)
    u = torch.linalg.eigh(matrix).eigenvectors[:, -1]
    slope = autodiff.third(value, theta, u, u)
    exact = torch.tensor([float(g) for g in found.sharpness_gradient], dtype=torch.float64)
    leaf = theta.clone().requires_grad_(True)
    numbers = derive.hessian(loss, letters).to_torch("hessian").at(leaf)
    through = torch.zeros_like(theta)
    if numbers.requires_grad:  # the Hessian of a quadratic does not depend on the point
        (through,) = torch.autograd.grad(torch.linalg.eigvalsh(numbers)[-1], leaf)
    assert torch.allclose(through, slope, atol=1e-7 * (1 + float(slope.abs().max())))
    scale = 1 + float(autodiff.third_tensor(value, theta).abs().max())
    assert torch.allclose(exact, slope, atol=1e-8 * scale)
    descent = -autodiff.gradient(value, theta)
    assert float(found.alpha) == pytest.approx(float(descent @ slope), abs=1e-7 * scale**2)


def found_function(loss, letters):
    from eostheory.derive.torch_code import lower

    function = lower(loss, letters)
    return lambda theta: function.at(theta)


@settings(max_examples=3, deadline=None)  # a Hessian of such a loss takes seconds
@given(st.data())
def test_the_torch_export_of_the_gradient_is_autograd_of_the_loss(data):
    letters = sympy.symbols("a b", real=True)
    terms = data.draw(polynomials(2))
    loss = sympy.Add(*(c * letters[0] ** e[0] * letters[1] ** e[1] for e, c in terms.items()))
    loss = loss + sympy.tanh(letters[0]) * sympy.exp(-(letters[1] ** 2))
    found = derive.hessian(loss, letters)
    theta = torch.tensor(data.draw(st.lists(st.tuples(*[st.floats(-2, 2)] * 2), min_size=1,
                                            max_size=4)), dtype=torch.float64)  # fmt: skip
    leaf = theta.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(found.to_torch("value").at(leaf).sum(), leaf)
    exact = found.to_torch("gradient").at(theta)
    assert exact.shape == theta.shape
    assert torch.allclose(exact, slope, rtol=1e-12, atol=1e-12)
    assert found.to_torch("hessian").at(theta).shape == (len(theta), 2, 2)
