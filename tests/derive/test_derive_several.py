"""Predicted dynamics of several directions: derived, and compared with autograd and with one."""

import pytest
import sympy
import torch

from eostheory import derive
from eostheory.numeric import autodiff

a, b, p, q, r, s = LETTERS = sympy.symbols("a b p q r s")
eta, alpha, beta, m = sympy.symbols("eta alpha beta m", positive=True)
c1, c2 = sympy.symbols("c1 c2", positive=True)
ORIGIN = dict.fromkeys(LETTERS, 0)
PLANE = [[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0]]


def two(mixing=m, decay=0):
    """Two directions at the edge; ``mixing`` is the size of the slope of the mixed entry."""
    own = (2 / eta + p + q) * a**2 / 2 + (2 / eta + p - q) * b**2 / 2 + mixing * r * a * b
    return own - c1 * p - c2 * q - m * r / 3 + s**2 / eta / 4 + decay * (p**2 + q**2 + r**2) / 2


def statuses(result):
    return {h.text.split(":")[0]: h.status for h in result.hypotheses}


def test_one_direction_is_the_predicted_dynamics_of_the_paper():
    x, y, z = sympy.symbols("x y z")
    # the toy of damian23, appendix B, in rotated coordinates
    u, w = (3 * x + 4 * y) / 5, (4 * x - 3 * y) / 5
    toy = (2 / eta + sympy.sqrt(beta) * w) * u**2 / 2 - alpha / sympy.sqrt(beta) * w - z + z**2 / 7
    at = {x: 0, y: 0, z: 0}
    paper = derive.loss(toy, [x, y, z], at=at, eta=eta, top=2 / eta).predicted_dynamics()
    ours = derive.several_dynamics(toy, [x, y, z], [[3, 4, 0]], at=at, eta=eta)
    assert (ours.step - paper.step).applyfunc(sympy.simplify) == sympy.zeros(3, 1)
    same = {ours.x[0]: paper.x, ours.y[0]: paper.y}
    assert sympy.simplify(ours.x_next[0].xreplace(same) - paper.x_next) == 0
    assert sympy.simplify(ours.y_next[0].xreplace(same) - paper.y_next) == 0
    here = paper.path[0]
    assert ours.alpha[0] == here.alpha
    assert ours.beta[0] == here.beta
    assert sympy.simplify(ours.covariance[0] - here.delta**2) == 0
    assert (ours.drift - here.drift).applyfunc(sympy.simplify) == sympy.zeros(3, 1)
    assert ours.fixed_point[0] == paper.fixed_point[0]
    for gap in (0, 1, 3):
        assert sympy.simplify(ours.response(0, gap)[0] - paper.beta(0, gap)) == 0
    letters = {str(v): v for v in paper.invariant.free_symbols | ours.invariant.free_symbols}
    same = {letters["X_1"]: letters["X"], letters["y_11"]: letters["Y"]}
    slopes = [
        [sympy.diff(g, letters[v]) for v in "XY"]
        for g in (paper.invariant, ours.invariant.xreplace(same))
    ]
    assert sympy.simplify(sympy.Matrix(slopes).det()) == 0  # one is a function of the other


def test_two_directions_that_mix():
    found = derive.several_dynamics(two(), LETTERS, 2, at=ORIGIN, eta=eta, given=[c1 > c2])
    x1, x2 = found.x
    y11, y21, y22 = found.y
    assert found.beta == sympy.diag(2, m**2, 2)
    assert found.covariance == sympy.ImmutableMatrix(
        [[c1 + c2, sympy.Rational(1, 3)], [sympy.Rational(1, 3), c1 - c2]]
    )
    expected = [
        y11 + eta * (c1 + c2 - x1**2),
        y21 + eta * m**2 * (sympy.Rational(1, 3) - x1 * x2),
        y22 + eta * (c1 - c2 - x2**2),
    ]
    assert [sympy.expand(u - v) for u, v in zip(found.y_next, expected, strict=True)] == [0] * 3
    assert sympy.expand(found.x_next[0] + x1 * (1 + eta * y11) + eta * y21 * x2) == 0
    assert found.fixed_point is None
    assert found.invariant is None
    assert r"\Sigma" in found.latex()
    with pytest.raises(derive.DerivationError, match="mix"):
        found.latex("invariant")


def test_directions_that_do_not_mix_conserve_a_potential_and_come_to_rest():
    found = derive.several_dynamics(two(mixing=0), LETTERS, PLANE, at=ORIGIN, eta=eta)
    assert found.covariance is None
    assert statuses(found)["the slopes of the block are independent, so that the covariance is "
                           "unique"] == "fails"  # fmt: skip
    assert [sympy.expand(e**2) for e in found.fixed_point] == [c1 + c2, c1 - c2]
    rest = dict(zip(found.x, found.fixed_point, strict=True)) | dict.fromkeys(found.y, 0)
    assert [sympy.expand(e.subs(rest)) for e in found.y_next] == [0, 0, 0]
    large = [v for v in found.invariant.free_symbols if str(v).startswith("X_")]
    assert len(large) == 2


def test_slopes_that_are_eigenvectors_make_the_block_forget():
    found = derive.several_dynamics(two(decay=m), LETTERS, 2, at=ORIGIN, eta=eta,
                                    given=[m * eta < 2])  # fmt: skip
    assert found.decay == m * sympy.eye(3)
    assert found.invariant is None
    gap = found.response(0, 2) - (1 - eta * m) ** 2 * found.beta
    assert gap.applyfunc(sympy.expand) == sympy.zeros(3, 3)


def test_a_covariance_that_is_not_semidefinite_is_a_failed_hypothesis():
    table = {c1: 1, c2: 2}
    loss = two().subs(table)
    found = derive.several_dynamics(loss, LETTERS, 2, at=ORIGIN, eta=eta)
    assert statuses(found)["every direction stays at the edge"] == "fails"


def test_directions_that_do_not_fit_are_refused():
    with pytest.raises(derive.DerivationError, match="no invariant subspace"):
        derive.several_dynamics(two(), LETTERS, [[1, 0, 0, 0, 0, 1]], at=ORIGIN, eta=eta)
    with pytest.raises(derive.DerivationError, match="depends on those before"):
        derive.several_dynamics(two(), LETTERS, [PLANE[0], PLANE[0]], at=ORIGIN, eta=eta)
    with pytest.raises(derive.DerivationError, match="ask for 2"):
        derive.several_dynamics(two(), LETTERS, 1, at=ORIGIN, eta=eta)
    with pytest.raises(derive.DerivationError, match="fewer"):
        derive.several_dynamics(two(), LETTERS, [], at=ORIGIN, eta=eta)
    with pytest.raises(derive.DerivationError, match="shape"):
        derive.several_dynamics(two(), LETTERS, [[1, 0]], at=ORIGIN, eta=eta)


def test_two_derived_steps_are_two_real_steps_of_gradient_descent_to_third_order():
    # terms along the top directions that the step leaves out cancel over two steps
    expr = two().subs({m: 1, eta: sympy.Rational(1, 2)}) + r / 3 - c1 * r
    expr += (a**3 / 3 + a**2 * b + a * p * q + b * p * s) / 2
    found = derive.several_dynamics(expr, LETTERS, PLANE, at=ORIGIN, eta=sympy.Rational(1, 2))
    step = found.to_torch("step")
    function = sympy.lambdify([*LETTERS, c1, c2], expr, "math")
    directions = torch.tensor(
        [[0.7, -0.4, 0.3, 0.2, -0.5, 0.0], [-0.3, 0.9, 0.0, -0.6, 0.4, 0.0]], dtype=torch.float64
    )
    for direction in directions:
        errors = []
        for scale in (2.0**-6, 2.0**-9):
            # the gradient is of second order, like what the oscillation does
            rates = torch.tensor([scale**2, scale**2 / 3], dtype=torch.float64)
            here = predicted = scale * direction
            for _ in range(2):
                here = here - autodiff.gradient(lambda w, c=rates: function(*w, *c), here) / 2
                predicted = step(*predicted, *rates)
            errors.append(float((here - predicted)[:5].norm()))
        assert torch.tensor(errors).log2().diff().item() < -8.5  # third order would be -9
