"""Update rules made from sympy losses against autograd and the real updates of torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import sympy
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from eostheory.numeric import schedulers as real_schedulers
from eostheory.numeric.autodiff import hessian
from eostheory.numeric.dynamics import gd, gd_step, projected_gd, projected_step
from eostheory.numeric.rounding import RunningError
from eostheory.numeric.toys import damian_toy
from eostheory.trajectories import Recurrence, lower, simulate
from eostheory.trajectories.rules import (
    gradient_descent,
    projected_gradient_descent,
    recurrence_of,
    rmsprop,
)
from eostheory.trajectories.rules_gradient import Problem
from eostheory.trajectories.rules_losses import (
    batch_normalised_regression,
    linear_network,
    quadratic_ratio,
    self_stabilisation_toy,
    three_dimensional_example,
)
from eostheory.trajectories.rules_record import direction, effective_rate
from eostheory.trajectories.rules_schedulers import (
    SQUARE,
    Scheduler,
    constant_rate,
    gwsi_scheduler,
    quasi_rmsprop_scheduler,
    rmsprop_scheduler,
    weight_decay_scheduler,
)

# ---------------------------------------------------------------- losses in two languages
Tree = tuple[Any, ...]
"""A formula: ("x", k), ("c", number) or (operation, formulas...)."""

SYMPY: dict[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / (2 + b**2),
    "sqrt": lambda a: sympy.sqrt(1 + a**2),
    "cube": lambda a: a**3,
    "tanh": sympy.tanh,
    "sin": sympy.sin,
    "bell": lambda a: sympy.exp(-(a**2)),
}
TORCH: dict[str, Callable[..., Tensor]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / (2 + b * b),
    "sqrt": lambda a: torch.sqrt(1 + a * a),
    "cube": lambda a: a * a * a,
    "tanh": torch.tanh,
    "sin": torch.sin,
    "bell": lambda a: torch.exp(-a * a),
}
VARIABLES = sympy.symbols("x_0 x_1 x_2", real=True)


def trees() -> st.SearchStrategy[Tree]:
    leaves = st.one_of(
        st.tuples(st.just("x"), st.integers(0, 2)),
        st.tuples(st.just("c"), st.integers(-12, 12).map(lambda k: k / 4)),
    )

    def branches(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
        two = st.tuples(st.sampled_from("+-*/"), inner, inner)
        one = st.tuples(st.sampled_from(["sqrt", "cube", "tanh", "sin", "bell"]), inner)
        return st.one_of(two, one)

    return st.recursive(leaves, branches, max_leaves=8)


def in_sympy(tree: Tree) -> sympy.Expr:
    if tree[0] == "x":
        return VARIABLES[tree[1]]
    if tree[0] == "c":
        return sympy.Rational(int(4 * tree[1]), 4)
    return SYMPY[tree[0]](*map(in_sympy, tree[1:]))


def in_torch(tree: Tree, w: Tensor) -> Tensor:
    if tree[0] == "x":
        return w[tree[1]]
    if tree[0] == "c":
        return torch.full_like(w[0], tree[1])
    return TORCH[tree[0]](*(in_torch(t, w) for t in tree[1:]))


# ------------------------------------------------------------------- rounding of both legs
OPERATIONS: dict[str, Callable[..., Tensor]] = {
    "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "neg": torch.neg,
    "sqrt": torch.sqrt, "tanh": torch.tanh, "sin": torch.sin, "cos": torch.cos, "exp": torch.exp,
}  # fmt: skip


def rounding(rule: Recurrence, state: Tensor, parameters: Mapping[str, float]) -> Tensor:
    """Bound on the rounding of one compiled step at a state of shape (n,)."""
    program = lower(rule)
    with RunningError() as run:
        values: dict[int, Tensor] = dict(enumerate(state.clone().unbind()))
        for index, name in enumerate(program.parameters, start=len(program.state)):
            values[index] = torch.tensor(parameters[name], dtype=torch.float64)
        for index, number in program.constants.items():
            constant = torch.tensor(number, dtype=torch.float64)
            values[index] = run.declare(constant, abs(number) * 2.0**-53)
        for target, operation, operands in (*program.hoisted, *program.body):
            values[target] = OPERATIONS[operation](*(values[i] for i in operands))
        return torch.stack([run.error(values[i]) for i in program.next])


def agrees(
    rule: Recurrence,
    state: Tensor,
    parameters: Mapping[str, float],
    real: Callable[[Tensor], Tensor],
) -> None:
    """One compiled step is the real one, up to what the two roundings explain."""
    with RunningError() as run:
        after = real(state.clone())
        bound = run.error(after)
    bound = bound + rounding(rule, state, parameters)
    assume(bool(torch.isfinite(bound).all()) and bool((after.abs() < 1e100).all()))
    mine = simulate(rule, state, dict(parameters), 1, backend="eager").state
    assert bool(((mine - after).abs() <= bound + 1e-300).all()), (mine, after, bound)


points = st.lists(st.integers(-64, 64).map(lambda k: k / 32), min_size=3, max_size=3).map(
    lambda p: torch.tensor(p, dtype=torch.float64)
)
rates = st.integers(1, 64).map(lambda k: k / 64)


@settings(max_examples=25, deadline=None)
@given(trees(), points, rates, st.sampled_from([None, 0.0625]))
def test_a_step_of_gradient_descent_is_the_step_of_torch_within_rounding(tree, point, eta, decay):
    loss = in_sympy(tree)
    assume(loss.free_symbols)
    rule = gradient_descent(loss, VARIABLES, weight_decay=decay, record={"x": VARIABLES[0]})
    parameters = {"eta": eta} if "eta" in map(str, rule.parameters) else {}
    agrees(
        rule, point, parameters, lambda w: gd_step(lambda v: in_torch(tree, v), w, eta, decay or 0)
    )


@settings(max_examples=12, deadline=None)
@given(trees(), points, rates)
def test_a_projected_step_is_the_step_of_torch_within_rounding(tree, point, eta):
    loss = in_sympy(tree)
    assume(loss.free_symbols and float(point @ point) > 0.1)
    rule = projected_gradient_descent(loss, VARIABLES, record={"x": VARIABLES[0]})
    start = point / torch.sqrt(point @ point)
    agrees(
        rule,
        start,
        {"eta": eta},
        lambda w: projected_step(lambda v: in_torch(tree, v), w, eta),
    )


@settings(max_examples=12, deadline=None)
@given(trees(), points, rates, st.integers(1, 15).map(lambda k: k / 16), rates)
def test_a_step_of_rmsprop_moves_with_the_moment_before_the_gradient(tree, point, eta, beta, v):
    loss = in_sympy(tree)
    assume(loss.free_symbols)
    rule = rmsprop(loss, VARIABLES, record={"x": VARIABLES[0]})

    def real(state: Tensor) -> Tensor:
        step = real_schedulers.rmsprop_step(
            lambda w: in_torch(tree, w), state[:3], state[3], eta, beta
        )
        return torch.cat([step.after, step.moment_after.reshape(1)])

    start = torch.cat([point, torch.tensor([v], dtype=torch.float64)])
    agrees(rule, start, {"eta": eta, "beta": beta}, real)


# ----------------------------------------------------------------------- built-in losses
def draw(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def batch_normalised(x: Tensor, y: Tensor, affine: bool) -> Callable[[Tensor], Tensor]:
    def loss(w: Tensor) -> Tensor:
        scale, shift = torch.sqrt(((y - y.mean()) ** 2).mean()), y.mean()
        if affine:
            w, scale, shift = w[:-2], w[-2], w[-1]
        scores = x @ w
        centred = scores - scores.mean()
        deviation = torch.sqrt((centred * centred).mean())
        return ((scale * centred / deviation + shift - y) ** 2).mean()

    return loss


def two_layers(x: Tensor, y: Tensor, width: int) -> Callable[[Tensor], Tensor]:
    def loss(w: Tensor) -> Tensor:
        outer, inner = w[:width], w[width:].reshape(width, x.shape[1])
        return ((x @ inner.T @ outer / width**0.5 - y) ** 2).mean()

    return loss


def ratio(a: Tensor, b: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda w: torch.dot(w, a @ w) / torch.dot(w, b @ w)


def figure_four(w: Tensor) -> Tensor:
    root = torch.sqrt(w[0] * w[0] - w[0] * w[1] + w[1] * w[1])
    return 2 - (w[0] + w[1]) / root


X, Y = draw(5, 3), draw(5, seed=1)
A, B = X.T @ X, torch.eye(3, dtype=torch.float64) + draw(3, 3, seed=2) @ draw(3, 3, seed=2).T
BUILT_IN = {
    "figure 4": (three_dimensional_example(), figure_four),
    "batch norm": (batch_normalised_regression(X, Y), batch_normalised(X, Y, False)),
    "affine": (batch_normalised_regression(X, Y, affine=True), batch_normalised(X, Y, True)),
    "linear network": (linear_network(X, Y, 2), two_layers(X, Y, 2)),
    "one datum": (linear_network([[1]], [1], 1), lambda w: (w[0] * w[1] - 1) ** 2),
    "ratio": (quadratic_ratio(A, B), ratio(A, B)),
}


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("decay", [None, 0.125])
def test_descent_on_a_built_in_loss_follows_autograd(name, decay):
    problem, loss = BUILT_IN[name]
    rule = gradient_descent(problem, weight_decay=decay)
    start = 0.5 + draw(len(problem.variables), seed=7).abs()
    run = simulate(rule, start, {"eta": 0.0625}, 8, backend="eager")
    real = torch.stack([s.after for s in gd(loss, start, 0.0625, 8, decay or 0)])
    assert torch.allclose(run.records[:, : len(start)], real, rtol=1e-12, atol=1e-12)
    values = torch.stack([loss(w) for w in real])
    assert torch.allclose(run["loss"], values, rtol=1e-11, atol=1e-13)


def test_the_toy_descends_with_the_step_size_in_its_loss():
    rule = gradient_descent(self_stabilisation_toy())
    assert [str(p) for p in rule.parameters] == ["eta", "alpha", "beta"]
    start = torch.tensor([0.1, -0.05, 0.0], dtype=torch.float64)
    eta, alpha, beta = 0.05, 1.5, 0.75
    run = simulate(rule, start, [eta, alpha, beta], 60, backend="eager")
    real = [s.after for s in gd(damian_toy(eta, alpha, beta), start, eta, 60)]
    assert torch.allclose(run.records[:, :3], torch.stack(real), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", ["figure 4", "one datum", "toy"])
def test_the_recorded_sharpness_is_the_top_eigenvalue_of_the_hessian(name):
    problem, loss = BUILT_IN.get(name, (self_stabilisation_toy(), damian_toy(0.05, 1.5, 0.75)))
    given = {"eta": 0.05, "alpha": 1.5, "beta": 0.75}
    rule = gradient_descent(problem)
    start = torch.tensor([0.7, 0.4, 0.2], dtype=torch.float64)[: len(problem.variables)]
    parameters = {str(p): given[str(p)] for p in rule.parameters}
    run = simulate(rule, start, parameters, 30, backend="eager")
    for record in run.records:
        top = torch.linalg.eigvalsh(hessian(loss, record[: len(start)]))[-1]
        assert float(record[rule.observables.index("sharpness")]) == pytest.approx(
            float(top), rel=1e-11, abs=1e-12
        )


def test_hand_sized_losses_cost_what_one_would_write_by_hand():
    assert len(lower(gradient_descent(self_stabilisation_toy(), record={"x": 1})).body) <= 8
    figure = gradient_descent(three_dimensional_example(), weight_decay=True)
    operations = [i.operation for i in lower(figure).body]
    assert len(operations) <= 21
    assert operations.count("sqrt") == operations.count("div") == 1


def test_backwards_through_definitions_costs_a_few_losses():
    x, y = draw(20, 10), draw(20, seed=3)
    problem = batch_normalised_regression(x, y)
    forward = 2 * x.numel()
    assert len(lower(gradient_descent(problem)).body) <= 4 * forward


def test_a_large_loss_is_differentiated_backwards_without_definitions():
    w = sympy.symbols("w_1:4", real=True)
    x, y = draw(6, 3), draw(6, seed=4)

    def scores(row: Sequence[float]) -> sympy.Expr:
        return sympy.Add(*(sympy.Rational(a) * b for a, b in zip(row, w, strict=True)))

    total = [
        (sympy.tanh(scores(row.tolist())) - sympy.Rational(t.item())) ** 2
        for row, t in zip(x, y, strict=True)
    ]
    rule = gradient_descent(sympy.Add(*total) / 6, w, eta=0.25)
    assert rule.parameters == ()
    start = torch.tensor([0.5, -0.25, 1.0], dtype=torch.float64)
    run = simulate(rule, start, (), 20, backend="eager")

    def loss(v: Tensor) -> Tensor:
        return ((torch.tanh(x @ v) - y) ** 2).mean()

    real = torch.stack([s.after for s in gd(loss, start, 0.25, 20)])
    assert torch.allclose(run.records[:, :3], real, rtol=1e-12, atol=1e-13)


def test_rounded_coefficients_are_taken_for_the_numbers_they_are():
    u, w = sympy.symbols("u w", real=True)
    rule = gradient_descent((0.1 * u**2 - 0.3 * w) ** 2 / (1.7 + u**2) + 0.7 * u * w, [u, w], 0.1)

    def loss(p: Tensor) -> Tensor:
        inner = 0.1 * p[0] * p[0] - 0.3 * p[1]
        return inner * inner / (1.7 + p[0] * p[0]) + 0.7 * p[0] * p[1]

    start = torch.tensor([0.9, -1.1], dtype=torch.float64)
    run = simulate(rule, start, (), 10, backend="eager")
    real = torch.stack([s.after for s in gd(loss, start, 0.1, 10)])
    assert torch.allclose(run.records[:, :2], real, rtol=1e-13, atol=1e-14)


def test_an_update_of_ones_own_needs_no_more_than_its_formulas():
    w, m, g, rate, keep = sympy.symbols("w m g eta mu", real=True)
    heavy_ball = recurrence_of(
        {w: w - rate * (keep * m + g), m: keep * m + g}, locals=[(g, w**3 - w)], name="heavy ball"
    )
    assert [str(p) for p in heavy_ball.parameters] == ["eta", "mu"]
    run = simulate(heavy_ball, [0.5, 0.0], {"eta": 0.1, "mu": 0.9}, 3, backend="eager")
    place, speed = 0.5, 0.0
    for record in run.records:
        speed = 0.9 * speed + place**3 - place
        place = place - 0.1 * speed
        assert float(record[0]) == pytest.approx(place, rel=1e-14)
        assert float(record[1]) == pytest.approx(speed, rel=1e-14)


# -------------------------------------------------------------------------- schedulers
ETA_HAT, DECAY = 0.25, 0.05
INTRINSIC = ETA_HAT * DECAY
BETA = (1 - INTRINSIC) ** 4
START = torch.tensor([0.3, 1.3, 1.2], dtype=torch.float64)
NORM = float(START @ START)
MOMENT = ((1 - INTRINSIC) * NORM / ETA_HAT) ** 2
SCHEDULED = {
    "gwsi": (gwsi_scheduler(), [((1 / BETA - 1) / 2) ** 0.5, BETA], MOMENT),
    "quasi": (quasi_rmsprop_scheduler(), [(2 * INTRINSIC) ** 0.5], MOMENT),
    "norm": (weight_decay_scheduler(), [ETA_HAT, DECAY], NORM),
}


@pytest.mark.parametrize("name", SCHEDULED)
def test_projected_descent_with_the_rate_of_weight_decay_is_weight_decay_on_the_direction(name):
    scheduler, parameters, memory = SCHEDULED[name]
    rule = projected_gradient_descent(three_dimensional_example(), scheduler=scheduler)
    start = torch.cat([START / NORM**0.5, torch.tensor([memory], dtype=torch.float64)])
    run = simulate(rule, start, parameters, 40, backend="eager")
    real = torch.stack([s.after for s in gd(figure_four, START, ETA_HAT, 40, DECAY)])
    square = (real * real).sum(1)
    assert torch.allclose(run.records[:, :3], real / square.sqrt()[:, None], rtol=0, atol=1e-11)
    rates = ETA_HAT / ((1 - INTRINSIC) * square)
    assert torch.allclose(run["effective rate"], rates, rtol=1e-11, atol=0)


def test_the_direction_and_effective_rate_of_full_descent_can_be_recorded():
    problem = three_dimensional_example()
    eta, decay = sympy.symbols("eta weight_decay", real=True)
    record = {**direction(problem.variables), **effective_rate(problem.variables, eta, decay)}
    rule = gradient_descent(problem, eta=eta, weight_decay=decay, record=record)
    run = simulate(rule, START, {"eta": ETA_HAT, "weight_decay": DECAY}, 40, backend="eager")
    assert run.observables == ("theta_x", "theta_y", "theta_z", "effective rate")
    real = torch.stack([s.after for s in gd(figure_four, START, ETA_HAT, 40, DECAY)])
    square = (real * real).sum(1)
    assert torch.allclose(run.records[:, :3], real / square.sqrt()[:, None], rtol=0, atol=1e-11)
    assert torch.allclose(
        run["effective rate"], ETA_HAT / ((1 - INTRINSIC) * square), rtol=1e-11, atol=0
    )


def test_projected_descent_with_rmsprop_uses_the_old_moment():
    rule = projected_gradient_descent(three_dimensional_example(), scheduler=rmsprop_scheduler())
    theta = START / NORM**0.5
    start = torch.cat([theta, torch.tensor([9.0], dtype=torch.float64)])
    run = simulate(rule, start, {"eta": 0.125, "beta": 0.96875}, 40, backend="eager")
    scheduler = real_schedulers.RmspropScheduler(9.0, 0.96875, 0.125)
    steps = list(projected_gd(figure_four, theta, scheduler, 40))
    real = torch.stack([s.after for s, _ in steps])
    assert torch.allclose(run.records[:, :3], real, rtol=0, atol=1e-11)
    rates = torch.tensor([rate for _, rate in steps[1:]], dtype=torch.float64)
    assert torch.allclose(run["effective rate"][:-1], rates, rtol=1e-11, atol=0)


def test_scalar_rmsprop_and_its_alternative_form_are_one_method():
    # v = eta^2 v~ (lyu22, Definitions B.1 and B.4)
    problem, eta, beta = three_dimensional_example(), 0.125, 0.9375
    first = rmsprop(problem)
    second = gradient_descent(problem, scheduler=rmsprop_scheduler())
    one = simulate(first, [*START.tolist(), 1.0], [eta, beta], 50, backend="eager")
    two = simulate(second, [*START.tolist(), eta**-2], [eta, beta], 50, backend="eager")
    assert torch.allclose(one.records[:, :3], two.records[:, :3], rtol=1e-11, atol=1e-12)
    assert torch.allclose(one["v"], two["v"] * eta**2, rtol=1e-11, atol=0)
    real = real_schedulers.rmsprop(figure_four, START, 1.0, eta, beta, 50)
    after = torch.stack([s.after for s in real])
    assert torch.allclose(one.records[:, :3], after, rtol=1e-11, atol=1e-12)


def test_a_scheduler_of_ones_own_may_read_the_gradient_before_its_step():
    # the root of AdaGrad's sum, the new gradient included
    s, eta = sympy.symbols("s eta", positive=True)
    adagrad = Scheduler("AdaGrad", eta / sympy.sqrt(s + SQUARE), (s,), (s + SQUARE,))
    rule = projected_gradient_descent(three_dimensional_example(), scheduler=adagrad)
    assert "effective rate" not in rule.observables
    theta = START / NORM**0.5
    total, real = [0.5], []

    def rate(grad: Tensor) -> float:
        total[0] += float(grad @ grad)
        return 0.25 / total[0] ** 0.5

    real = [step.after for step, _ in projected_gd(figure_four, theta, rate, 30)]
    run = simulate(rule, [*theta.tolist(), 0.5], {"eta": 0.25}, 30, backend="eager")
    assert torch.allclose(run.records[:, :3], torch.stack(real), rtol=0, atol=1e-11)


def test_projected_descent_stays_on_the_sphere_and_a_constant_rate_is_the_default():
    rule = projected_gradient_descent(three_dimensional_example())
    same = projected_gradient_descent(three_dimensional_example(), scheduler=constant_rate())
    assert lower(rule).key == lower(same).key
    run = simulate(rule, START / NORM**0.5, {"eta": 0.3}, 500, every=50, backend="eager")
    sizes = (run.records[:, :3] ** 2).sum(1)
    assert torch.allclose(sizes, torch.ones_like(sizes), rtol=0, atol=1e-15)


# --------------------------------------------------------------------------- bad input
x, y, c = sympy.symbols("x y c", real=True)
BAD: dict[str, tuple[type[Exception], str, Callable[[], object]]] = {
    "no variables": (ValueError, "name the variables", lambda: gradient_descent(x**2)),
    "empty": (ValueError, "needs variables", lambda: gradient_descent(x**2, [])),
    "twice": (ValueError, "listed twice", lambda: gradient_descent(x**2, [x, x])),
    "a string": (TypeError, "the variable 'x'", lambda: gradient_descent(x**2, ["x"])),
    "no expression": (TypeError, "the loss is 'x", lambda: gradient_descent("x**2", [x])),
    "other assumptions": (
        ValueError,
        "different symbols",
        lambda: gradient_descent(sympy.Symbol("x") ** 2 + x, [x]),
    ),
    "constant": (ValueError, "depends on none of y", lambda: gradient_descent(x**2, [y])),
    "undefined": (
        ValueError,
        "undefined symbols: eta",
        lambda: gradient_descent(c * x**2, [x], parameters=[c]),
    ),
    "imaginary": (ValueError, "not real", lambda: gradient_descent(sympy.I * x, [x])),
    "imaginary symbol": (
        ValueError,
        "not real",
        lambda: gradient_descent(sympy.Symbol("w", imaginary=True) * x, [x]),
    ),
    "infinite": (ValueError, "not finite", lambda: gradient_descent(x + sympy.oo, [x])),
    "matrix": (
        TypeError,
        "a matrix",
        lambda: gradient_descent(sympy.MatrixSymbol("M", 2, 2), [x]),
    ),
    "unknown function": (
        ValueError,
        "f",
        lambda: gradient_descent(sympy.Function("f")(x), [x]),
    ),
    "special function": (
        ValueError,
        "besselj",
        lambda: gradient_descent(sympy.besselj(1, x), [x]),
    ),
    "record": (TypeError, "record is", lambda: gradient_descent(x**2, [x], record=[x])),
    "record symbol": (
        ValueError,
        "record uses c",
        lambda: gradient_descent(x**2, [x], record={"c": c}),
    ),
    "rate and scheduler": (
        ValueError,
        "both eta and a scheduler",
        lambda: gradient_descent(x**2, [x], eta=1, scheduler=constant_rate()),
    ),
    "memory's name": (
        ValueError,
        "has the name of a symbol of the loss",
        lambda: rmsprop(x**2, [x], moment=sympy.Symbol("x")),
    ),
    "two betas": (
        ValueError,
        "decay rate another symbol",
        lambda: rmsprop(self_stabilisation_toy()),
    ),
    "variables twice": (
        ValueError,
        "brings its variables",
        lambda: gradient_descent(three_dimensional_example(), [x]),
    ),
    "memory": (ValueError, "1 memory", lambda: Scheduler("s", x, (x,))),
    "memory symbol": (TypeError, "not a sympy Symbol", lambda: Scheduler("s", x, (2 * x,), (x,))),
    "circle": (
        ValueError,
        "uses itself",
        lambda: gradient_descent(Problem(y, (x,), ((y, c * x), (c, y)))),
    ),
    "shapes": (ValueError, r"\(D, D\)", lambda: quadratic_ratio([[1, 2]], [[1, 2]])),
    "targets": (ValueError, "1 targets", lambda: linear_network([[1], [2]], [1], 1)),
    "width": (ValueError, "hidden unit", lambda: linear_network([[1]], [1], 0)),
    "one datum": (ValueError, "at least two", lambda: batch_normalised_regression([[1]], [1])),
    "a variable eta": (
        ValueError,
        "variable eta .* hyperparameter",
        lambda: gradient_descent(
            sympy.Symbol("eta", real=True) ** 2, sympy.Symbol("eta", real=True)
        ),
    ),
    "a variable beta": (
        ValueError,
        "variable beta .* hyperparameter",
        lambda: rmsprop(sympy.Symbol("beta", real=True) ** 2, sympy.Symbol("beta", real=True)),
    ),
    "a boolean": (TypeError, "eta is True", lambda: gradient_descent(x**2, [x], eta=True)),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_with_the_reason(name):
    kind, message, make = BAD[name]
    with pytest.raises(kind, match=message):
        make()


def test_symbols_without_assumptions_are_read_as_real():
    u = sympy.Symbol("u")
    rule = gradient_descent(sympy.sqrt(u**2) ** 3, [u], eta=0.5)
    run = simulate(rule, [-0.5], (), 1, backend="eager")
    assert float(run.state[0]) == -0.5 + 0.5 * 3 * 0.25


def test_parameters_keep_the_order_wanted_and_one_variable_needs_no_list():
    eta = sympy.Symbol("eta", real=True)
    rule = gradient_descent(c * x**2, x, parameters=[c, eta])
    assert rule.parameters == (c, eta)
    assert gradient_descent(c * x**2, x, weight_decay=True).parameters[1].name == "weight_decay"
