"""The predicted dynamics and the generalized ones, against the paper's cases and real runs."""

import pytest
import sympy
import torch

from eostheory import derive
from eostheory.derive.errors import NotDerived

x, y, z = sympy.symbols("x y z")
eta, alpha, beta, rho = sympy.symbols("eta alpha beta rho", positive=True)
TOY = (2 / eta + sympy.sqrt(beta) * y) * x**2 / 2 - alpha / sympy.sqrt(beta) * y - z


@pytest.fixture(scope="module")
def toy():
    return derive.loss(TOY, [x, y, z], at={x: 0, y: 0}, eta=eta)


def same(left, right):
    return sympy.simplify(left - right) == 0


def test_the_toy_follows_the_plane_equations(toy):
    found = toy.predicted_dynamics()
    s, t = found.x, found.y
    assert same(found.x_next, -(1 + eta * t) * s)
    assert same(found.y_next, t + eta * (alpha - beta * s**2 / 2))
    assert found.decay == 0
    assert found.fixed_point == (sympy.sqrt(2 * alpha / beta), 0)
    X, Y = (next(q for q in found.speeds.free_symbols if q.name == name) for name in "XY")
    h = beta * X**2 / (2 * alpha) - sympy.log(beta * X**2 / (2 * alpha)) - 1
    ratio = sympy.diff(found.invariant, Y) / sympy.diff(h + Y**2 / alpha, Y)
    assert same(sympy.diff(found.invariant, X), ratio * sympy.diff(h, X))
    assert all(found.beta(k, m) == beta for k, m in ((0, 0), (0, 3), (2, 5)))


def test_the_toy_step_is_gradient_descent_against_the_constrained_trajectory(toy):
    step = toy.predicted_dynamics().to_torch("step")
    numbers = {"alpha": 0.5, "beta": 2.0, "eta": 0.25}
    theta = torch.tensor([0.1, -0.05, 0.0], dtype=torch.float64)

    def loss(w):
        first = (2 / 0.25 + 2**0.5 * w[1]) * w[0] ** 2 / 2
        return first - 0.5 / 2**0.5 * w[1] - w[2]

    v = theta.clone()
    for _ in range(5):
        leaf = theta.clone().requires_grad_(True)
        (grad,) = torch.autograd.grad(loss(leaf), leaf)
        theta = theta - 0.25 * grad
        v = step.at(v, **numbers)
        # the constrained trajectory moves by eta along z
        assert torch.allclose(v[:2], theta[:2], atol=1e-14)


def test_memory_shows_where_the_sharpness_gradient_is_no_eigenvector():
    loss = 2 * x**2 * (1 + y + z) + y**2 + z**2 / 2 - y - z
    here = derive.loss(loss, [x, y, z], at={x: 0, y: 0, z: 0}, eta=sympy.Rational(1, 2))
    found = here.predicted_dynamics()
    assert found.y_next is None
    with pytest.raises(NotDerived, match="memory"):
        found.latex("y_next")
    # unfolding the step gives eta * sum of beta_{s -> t} (delta^2 - x_s^2)/2 (equation 5)
    step = found.to_torch("step")
    v = torch.tensor([0.3, 0.0, 0.0], dtype=torch.float64)
    past = []
    side = torch.tensor([float(e) for e in here.transverse], dtype=torch.float64)
    for t in range(4):
        past.append(float(v[0]))
        v = step.at(v)
        terms = (
            float(found.beta(s, t)) * (float(here.delta) ** 2 - past[s] ** 2) / 2
            for s in range(t + 1)
        )
        assert float(side @ v) == pytest.approx(0.5 * sum(terms), abs=1e-12)


def test_a_moving_reference_point_turns_the_step():
    loss = x**2 * (2 + y) + (x * z) ** 2 - y - z
    points = [derive.loss(loss, [x, y, z], at={x: 0, y: k, z: k}, eta=1) for k in (0, 1)]
    found = points[0].predicted_dynamics(points[1])
    assert found.y_next is None
    assert found.beta(0, 0) == (points[1].transverse.T * points[0].transverse)[0]
    with pytest.raises(derive.DerivationError, match="forward"):
        found.beta(2, 1)


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_quartic_along_the_top_direction_moves_the_limiting_sharpness(sign):
    here = derive.loss(TOY + sign * rho * x**4 / 24, [x, y, z], at={x: 0, y: 0}, eta=eta)
    found = here.generalized_dynamics()
    delta = sympy.sqrt(2 * alpha / beta)
    assert same(found.limit_sharpness, 2 / eta + sign * rho * delta**2 / 3)
    assert found.orbit[0] == delta
    assert same(found.orbit[1], -sign * rho * delta**2 / 6)
    conditions = {same(c.args[0], -(-sign * -rho * 2 * alpha * eta / (3 * beta))
                       - 2 * eta**2 * alpha) for c in found.stability}  # fmt: skip
    assert True in conditions  # 1 - det = -eta (F'' - F'/delta) - 2 eta^2 alpha


def test_the_stability_condition_is_what_a_run_shows():
    half = sympy.Rational(1, 2)
    for factor, attracts in ((1, False), (6, True)):
        loss = TOY.subs({alpha: half, beta: 1, eta: half}) - factor * x**4 / 24
        found = derive.loss(loss, [x, y, z], at={x: 0, y: 0}, eta=half).generalized_dynamics()
        verdicts = [h.status for h in found.hypotheses if "orbit attracts" in h.text]
        assert all(v == "holds" for v in verdicts) == attracts
        run_x, run_y = found.to_torch("x_next"), found.to_torch("y_next")
        s, t = float(found.orbit[0]) + 1e-3, float(found.orbit[1])
        names = run_x.inputs
        for _ in range(200):
            table = {"x_t": s, "y_t": t}
            s, t = (
                float(run_x(**{k: table[k] for k in names})),
                float(run_y(**{k: table[k] for k in run_y.inputs})),
            )
        moved = abs(abs(s) - float(found.orbit[0]))
        assert (moved < 1e-4) == attracts


def test_the_uneven_part_is_left_out_and_said():
    here = derive.loss(TOY + x**3, [x, y, z], at={x: 0, y: 0}, eta=eta)
    found = here.generalized_dynamics()
    assert found.excess == 0
    assert any(h.status == "fails" and "even" in h.text for h in found.hypotheses)


def test_without_step_size_or_stabilization_nothing_is_predicted():
    with pytest.raises(NotDerived, match="eta"):
        derive.loss(TOY, [x, y, z], at={x: 0, y: 0}).predicted_dynamics()
    with pytest.raises(NotDerived, match="beta = 0"):
        derive.loss(x**2, [x], eta=1).predicted_dynamics()


def test_an_eigenvalue_without_radicals_still_gives_a_step():
    loss = x**2 + x * y + y * z + x**2 * z / 2 - z
    here = derive.loss(loss, [x, y, z], at={x: 0, y: 0, z: 0}, eta=sympy.Rational(1, 3))
    assert here.sharpness.has(sympy.CRootOf)
    found = here.predicted_dynamics()
    assert found.to_torch("step")(0.1, 0.0, 0.0).shape == (3,)
    with pytest.raises(NotDerived, match="radicals"):
        here.generalized_dynamics()
