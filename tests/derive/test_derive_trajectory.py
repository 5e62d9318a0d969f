"""What was derived runs: results as recurrences, against autograd and the real updates."""

from __future__ import annotations

import subprocess
import sys
from functools import cache

import pytest
import sympy
import torch
from torch import Tensor

from eostheory import derive
from eostheory.numeric.autodiff import gradient, hessian
from eostheory.numeric.dynamics import gd, projected_gd
from eostheory.numeric.toys import damian_toy
from eostheory.trajectories import lower, simulate, three_dimensional_example

x, y, z, s = sympy.symbols("x y z s")
n, v, g = sympy.symbols("n v g")
eta, alpha, beta = sympy.symbols("eta alpha beta", positive=True)
lr, wd, beta_2 = sympy.symbols("lr wd beta_2", positive=True)
TOY = (2 / eta + sympy.sqrt(beta) * y) * x**2 / 2 - alpha / sympy.sqrt(beta) * y - z
NUMBERS = {"eta": 0.05, "alpha": 1.5, "beta": 0.75}


@cache
def weight_decay() -> object:
    return derive.scheduler(
        (1 - lr * wd) ** 2 * n + lr**2 * g**2 / n,
        state=n,
        gradient=g,
        rate=lr / ((1 - lr * wd) * n),
        given=[lr * wd < 1],
    )


@cache
def newest_moment() -> object:
    newest = beta_2 * v + (1 - beta_2) * g**2
    return derive.scheduler(
        newest,
        state=v,
        gradient=g,
        rate=lr / sympy.sqrt(newest),
        moment=v / lr**2,
        given=[beta_2 < 1],
    )


@cache
def toy() -> derive.LossGeometry:
    return derive.loss(TOY, [x, y, z], at={x: 0, y: 0}, eta=eta)


def figure_four(w: Tensor) -> Tensor:
    root = torch.sqrt(w[0] * w[0] - w[0] * w[1] + w[1] * w[1])
    return 2 - (w[0] + w[1]) / root


def own(w: Tensor) -> Tensor:
    a, b, c = w
    return 4 * a**2 + b**2 + c**2 / 2 + a**2 * (b + c) - b + a * b * c


def test_a_loss_descends_with_its_step_size():
    rule = derive.trajectory(toy())
    start = torch.tensor([0.1, -0.05, 0.0], dtype=torch.float64)
    run = simulate(rule, start, NUMBERS, 40, backend="eager")
    real = [t.after for t in gd(damian_toy(0.05, 1.5, 0.75), start, 0.05, 40)]
    assert torch.allclose(run.records[:, :3], torch.stack(real), rtol=1e-11, atol=1e-12)
    assert {"loss", "sharpness"} <= set(run.observables)


def test_the_predicted_dynamics_of_the_toy_are_the_toy():
    geometry = toy()
    start = torch.tensor([0.1, 0.0, 0.0], dtype=torch.float64)
    real = torch.stack([t.after for t in gd(damian_toy(0.05, 1.5, 0.75), start, 0.05, 40)])
    for derived in (geometry.predicted_dynamics(), geometry.generalized_dynamics()):
        run = simulate(derive.trajectory(derived), start[:2], NUMBERS, 40, backend="eager")
        assert torch.allclose(run.records[:, 0], real[:, 0], rtol=1e-11, atol=1e-12)
        assert torch.allclose(run.records[:, 1], 0.75**0.5 * real[:, 1], rtol=1e-11, atol=1e-12)


def test_a_displacement_that_does_not_close_up_is_followed_as_a_whole():
    # Definition 8 of damian23 with every derivative by autograd
    a, b, c = sympy.symbols("a b c")
    loss = 4 * a**2 + b**2 + c**2 / 2 + a**2 * (b + c) - b + a * b * c
    step = 0.125
    here = derive.loss(loss, [a, b, c], at={a: 0, b: 0, c: 0}, eta=sympy.Rational(1, 8))
    rule = derive.trajectory(here.predicted_dynamics())
    assert rule.observables == ("v_1", "v_2", "v_3", "x_t", "y_t")
    point = torch.zeros(3, dtype=torch.float64)
    bend, slope = hessian(own, point), gradient(own, point)

    def top(w: Tensor) -> Tensor:
        return torch.linalg.eigvalsh(torch.func.jacrev(torch.func.grad(own))(w))[-1]

    u = torch.linalg.eigh(bend).eigenvectors[:, -1]
    whole = torch.func.grad(top)(point)
    side = whole - (whole @ u) * u
    level, strength = -float(slope @ whole), float(side @ side)
    displacement = torch.tensor([0.01, -0.02, 0.005], dtype=torch.float64)
    run = simulate(rule, displacement, (), 5, backend="eager")
    for record in run.records:
        along, across = displacement @ u, displacement @ side
        rest = displacement - along * u
        moved = rest - step * (bend @ rest)
        moved = moved - (moved @ u) * u
        moved = moved + step * side * (2 * level / strength - along**2) / 2
        displacement = moved - (1 + step * across) * along * u
        assert torch.allclose(record[:3], displacement, rtol=0, atol=1e-12)
        assert float(record[3].abs()) == pytest.approx(float((displacement @ u).abs()), abs=1e-12)
        assert float(record[4]) == pytest.approx(float(displacement @ side), abs=1e-11)


def test_a_derived_weight_decay_moves_the_direction_as_weight_decay_does():
    problem = three_dimensional_example()
    derived = weight_decay()
    rule = derive.trajectory(derived, loss=problem.loss, variables=problem.variables)
    assert [str(p) for p in rule.parameters] == ["lr", "wd"]
    rate, decay = 0.25, 0.05
    w = torch.tensor([0.3, 1.3, 1.2], dtype=torch.float64)
    square = float(w @ w)
    moment = derived.moment.subs({lr: rate, wd: decay, n: square})
    start = [*(w / square**0.5).tolist(), float(moment)]
    run = simulate(rule, start, {"lr": rate, "wd": decay}, 40, backend="eager")
    real = torch.stack([t.after for t in gd(figure_four, w, rate, 40, decay)])
    norms = (real * real).sum(1)
    assert torch.allclose(run.records[:, :3], real / norms.sqrt()[:, None], rtol=0, atol=1e-10)
    rates = rate / ((1 - rate * decay) * norms)
    assert torch.allclose(run["effective rate"], rates, rtol=1e-10, atol=0)


@pytest.mark.parametrize("sphere", [True, False])
def test_a_derived_rate_may_read_the_newest_gradient(sphere):
    problem = three_dimensional_example()
    rule = derive.trajectory(
        newest_moment(), loss=problem.loss, variables=problem.variables, sphere=sphere
    )
    w = torch.tensor([0.3, 0.8, 0.5], dtype=torch.float64)
    w = w / w.norm()
    rate, keep, moment = 0.125, 0.9375, 0.5
    run = simulate(
        rule, [*w.tolist(), moment / rate**2], {"lr": rate, "beta_2": keep}, 30, backend="eager"
    )
    state = [moment]

    def scheduler(grad: Tensor) -> float:
        state[0] = keep * state[0] + (1 - keep) * float(grad @ grad)
        return rate / state[0] ** 0.5

    if sphere:
        real = [t.after for t, _ in projected_gd(figure_four, w, scheduler, 30)]
    else:
        real = []
        for _ in range(30):
            slope = gradient(figure_four, w)
            w = w - scheduler(slope) * slope
            real.append(w)
    assert torch.allclose(run.records[:, :3], torch.stack(real), rtol=0, atol=1e-10)


def test_a_rule_without_a_base_rate_runs_when_its_gradient_is_named():
    adagrad = derive.scheduler(v + g**2, state=v, gradient=g, rate=lr / sympy.sqrt(v))
    with pytest.raises(derive.DerivationError, match="name the symbol of the gradient"):
        derive.update_rule(adagrad)
    rule = derive.update_rule(adagrad, g)
    total = 2.0
    (update,) = rule.update
    numbers = {rule.state[0]: total / 0.25**2, rule.square: 1.5, lr: 0.25}
    assert float(update.subs(numbers)) == pytest.approx((total + 1.5) / 0.25**2)
    assert float(rule.rate.subs(numbers)) == pytest.approx(0.25 / total**0.5)
    with pytest.raises(derive.DerivationError, match="RMS-drift"):
        derive.trajectory(adagrad)


def test_a_sharpness_flow_goes_to_the_flattest_minimizer():
    flow = derive.sharpness_flow(
        (x * y - 1) ** 2, [x, y], at={x: s, y: 1 / s}, coords=[s], scheduler=newest_moment(),
        given=[s > 0],
    )  # fmt: skip
    run = simulate(derive.trajectory(flow), [3.0], {"C_b": 1.0, "dt": 0.1}, 600, backend="llvm")
    assert float(run["s"][-1]) == pytest.approx(1.0, abs=1e-9)
    assert float(run["sharpness"][-1]) == pytest.approx(4.0, abs=1e-9)
    assert bool((run["sharpness"][1:] <= run["sharpness"][:-1] + 1e-12).all())


def test_a_flow_keeps_its_invariant_to_at_least_fourth_order():
    large, level = sympy.symbols("X Y", positive=True)
    field = derive.vector_field((large, level), (large * level, 1 - large**2 / 2))
    rule = derive.trajectory(field)
    errors, sizes = [], [2.0**-k for k in range(3, 7)]
    for dt in sizes:
        run = simulate(rule, [0.5, 0.25], {"dt": dt}, round(8 / dt), backend="llvm")
        errors.append(float((run["invariant"] - run["invariant"][0]).abs().max()))
    logs = torch.tensor([sizes, errors], dtype=torch.float64).log()
    centred = logs - logs.mean(1, keepdim=True)
    slope = float(centred[0] @ centred[1] / (centred[0] @ centred[0]))
    assert 3.7 < slope < 5.5


def test_roots_without_radicals_become_numbers():
    root = sympy.CRootOf(x**3 - x - 1, 0)
    level = sympy.Symbol("level", real=True)
    rule = derive.trajectory(derive.vector_field((level,), (-root * level,), orbits=False))
    run = simulate(rule, [1.0], {"dt": 2.0**-6}, 64, backend="eager")
    assert float(run.state[0]) == pytest.approx(float(sympy.exp(-root.evalf())), rel=1e-7)


def test_batch_norm_on_data_descends_its_loss():
    inputs, targets = [[1, 0], [0, 1], [1, 1], [2, -1]], [1, -1, 0, 3]
    rule = derive.trajectory(derive.batchnorm(inputs, targets))
    data = torch.tensor(inputs, dtype=torch.float64), torch.tensor(targets, dtype=torch.float64)

    def loss(w: Tensor) -> Tensor:
        scores = data[0] @ w
        centred = scores - scores.mean()
        spread = torch.sqrt((centred * centred).mean())
        scale = torch.sqrt(((data[1] - data[1].mean()) ** 2).mean())
        return ((scale * centred / spread + data[1].mean() - data[1]) ** 2).mean()

    start = torch.tensor([0.5, 1.5], dtype=torch.float64)
    run = simulate(rule, start, {"eta": 0.125}, 20, backend="eager")
    real = [t.after for t in gd(loss, start, 0.125, 20)]
    assert torch.allclose(run.records[:, :2], torch.stack(real), rtol=1e-11, atol=1e-12)


def test_observables_are_the_callers_choice():
    derived = toy().predicted_dynamics()
    rule = derive.trajectory(derived, record={"square": derived.x**2})
    assert rule.observables == ("square",)
    assert lower(rule).algebraic


def test_what_has_no_trajectory_is_refused_with_the_reason():
    geometry = toy()
    with pytest.raises(derive.DerivationError, match="scale invariance has no trajectory"):
        derive.trajectory(derive.scale_invariance(x / y, [x, y]))
    with pytest.raises(derive.DerivationError, match="give both or neither"):
        derive.trajectory(weight_decay(), loss=x**2)
    with pytest.raises(derive.DerivationError, match="belongs to a scheduler"):
        derive.trajectory(geometry, loss=x**2, variables=[x])
    with pytest.raises(derive.DerivationError, match="belongs to a loss"):
        derive.trajectory(weight_decay(), eta=1)


def test_the_bridge_hides_no_function_of_the_package():
    code = (
        "from eostheory import derive; derive.update_rule; derive.trajectory; "
        "assert callable(derive.batchnorm) and callable(derive.trajectory)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
