"""Reductions are found, checked against the full update by sympy, and refuse what does not fit."""

import pytest
import sympy
import torch
from sympy import Matrix, Rational, Symbol, sqrt

from eostheory.derive.formula_out import exact_value
from eostheory.formula import substitute
from eostheory.numeric.batchnorm import normalised_regression, regression_data
from eostheory.numeric.losses import Draw
from eostheory.numeric.losses import scale_invariant as drawn_loss
from eostheory.numeric.toys import damian_toy
from eostheory.trajectories.recurrence import Recurrence
from eostheory.trajectories.reductions import (
    affine_batch_norm,
    closes,
    commutes,
    dropped_variables,
    linear_batch_norm,
    quadratic,
    reductions_of,
    scale_invariant,
    scale_invariant_3d,
    self_stabilisation,
    two_layer_linear,
)
from eostheory.trajectories.reductions_base import Coefficients
from eostheory.trajectories.reductions_batchnorm import rotated_recurrence
from eostheory.trajectories.reductions_linear import two_layer_recurrence
from eostheory.trajectories.rules import gradient_descent
from eostheory.trajectories.rules_losses import (
    batch_normalised_regression,
    linear_network,
    quadratic_ratio,
    self_stabilisation_toy,
    three_dimensional_example,
)
from eostheory.trajectories.simulation import simulate
from proofs.engine import _reductions as letters
from proofs.engine import reductions_batch_norm, reductions_network

ETA, DECAY = Symbol("eta", positive=True), Symbol("weight_decay", nonnegative=True)


def recurrence(closed):
    record = tuple(closed.observables.items())
    return Recurrence("r", closed.state, closed.update, closed.parameters, record, closed.locals)


def network_of_rank(r, fits, labels, count):
    """The reduced network with symbols for its data."""
    return recurrence(
        two_layer_recurrence(
            slopes=[2 * f**2 / count for f in fits],
            pulls=[2 * f * y / count for f, y in zip(fits, labels, strict=True)],
            fits=fits,
            labels=labels,
            rest=sympy.Integer(0),
            count=count,
            decay=True,
            coefficients=with_symbols(*fits, *labels),
        )
    )


def with_symbols(*expressions):
    """Coefficients that are the free symbols of these expressions."""
    found = Coefficients(as_parameters=True)
    free = set().union(*(sympy.sympify(e).free_symbols for e in expressions))
    found.symbols += sorted(free, key=str)
    return found


def spelled_out(recurrence):
    known = {}
    for symbol, expression in recurrence.locals:
        known[symbol] = expression.xreplace(known)
    return [e.xreplace(known) for e in recurrence.update]


# ------------------------------------------------------------- the formulas of the builders
def test_the_builder_of_networks_writes_the_proved_update_for_every_rank():
    for r in (1, 2, 3):
        fits = sympy.symbols(f"f_1:{r + 1}", positive=True)
        labels = sympy.symbols(f"y_1:{r + 1}", real=True)
        n, m = 5, 7
        built = network_of_rank(r, list(fits), list(labels), n)
        norm2, p = built.state[0], built.state[1 : r + 1]
        pairs = [(i, j) for i in range(r) for j in range(i, r)]
        rows = [[0] * r for _ in range(r)]
        for (i, j), letter in zip(pairs, built.state[r + 1 :], strict=True):
            rows[i][j] = rows[j][i] = letter
        values = {
            "N": norm2,
            "p_r": Matrix(p),
            "S_r": Matrix(rows),
            "Sigma": sympy.diag(*(sqrt(m) * f for f in fits)),
            "z": Matrix(labels),
            "eta": ETA,
            "lambda": DECAY,
            "n": sympy.Integer(n),
            "m": sympy.Integer(m),
        }
        proved = reductions_network.in_span
        # the claim's step, put into the claim's update
        step = {letters.u_r: proved["step"].rhs}
        after = {
            k: exact_value(substitute(proved[k].rhs, step), values) for k in ("|A|^2", "W'A", "W'W")
        }
        wanted = [after["|A|^2"], *after["W'A"], *(after["W'W"][i, j] for i, j in pairs)]
        for found, exact in zip(spelled_out(built), wanted, strict=True):
            assert sympy.expand(found - exact) == 0


def test_the_builder_of_normalised_regressions_writes_the_proved_update():
    for r, epsilon in ((1, Symbol("epsilon", positive=True)), (3, sympy.Integer(0))):
        sigma = sympy.symbols(f"sigma_1:{r + 1}", positive=True)
        aim = sympy.symbols(f"e_1:{r + 1}", real=True)
        gamma = Symbol("gamma", positive=True)
        built = recurrence(
            rotated_recurrence(
                lam=[s**2 for s in sigma],
                step=[s**2 * e for s, e in zip(sigma, aim, strict=True)],
                aim=list(aim),
                gamma=gamma,
                rest=sympy.Integer(0),
                count=4,
                null=True,
                decay=True,
                epsilon=epsilon or None,
                coefficients=with_symbols(*sigma, *aim, gamma, epsilon),
            )
        )
        values = {
            "epsilon": epsilon,
            "s": Matrix(built.state[:r]),
            "Sigma": sympy.diag(*sigma),
            "e": Matrix(aim),
            "gamma": gamma,
            "eta": ETA,
            "lambda": DECAY,
            "rest": sympy.Integer(0),
            "null": Matrix(built.state[r:]),
        }
        parts = (
            exact_value(reductions_batch_norm.normalised[k].rhs, values) for k in ("s", "null")
        )
        wanted = [entry for part in parts for entry in part]
        for found, exact in zip(spelled_out(built), wanted, strict=True):
            assert sympy.simplify(found - exact) == 0
        loss = exact_value(reductions_batch_norm.normalised["loss"].rhs, values)
        assert sympy.simplify(dict(built.record)["loss"] - loss) == 0


def test_gradient_descent_on_every_weight_commutes_with_the_reduction_of_networks():
    s1, s2 = sympy.symbols("sigma_1 sigma_2", positive=True)
    y = sympy.symbols("y_1 y_2", real=True)
    problem = linear_network([[s1, 0], [0, s2]], y, 2)
    full = gradient_descent(problem, weight_decay=True, record={"loss": problem.variables[0]})
    a, w = problem.variables[:2], Matrix(2, 2, problem.variables[2:])
    reduced = network_of_rank(2, [s1 / sqrt(2), s2 / sqrt(2)], list(y), 2)
    gram = w.T * w
    along = w.T * Matrix(a)
    image = [a[0] ** 2 + a[1] ** 2, *along, gram[0, 0], gram[0, 1], gram[1, 1]]
    mapping = dict(zip(reduced.state, image, strict=True))
    assert commutes(full, mapping, reduced) == {}
    # and a wrong map is noticed
    p_1 = reduced.state[1]
    assert set(commutes(full, {**mapping, p_1: 2 * along[0]}, reduced)) >= {p_1}
    with pytest.raises(ValueError, match="says nothing of p_1"):
        commutes(full, {s: e for s, e in mapping.items() if s != p_1}, reduced)


def test_gradient_descent_on_the_weight_commutes_with_the_rotation():
    # centred, orthogonal columns; the third input is a constant, so its weight is not seen
    inputs = [[3, 1, 7], [3, -1, 7], [-3, 1, 7], [-3, -1, 7]]
    targets = [5, 3, 1, -1]
    problem = batch_normalised_regression(inputs, targets)
    full = gradient_descent(problem, weight_decay=True, record={"w": problem.variables[0]})
    gamma = sqrt(5)
    aim = [Rational(2), Rational(1)]
    lam = [Rational(9), Rational(1)]
    reduced = recurrence(
        rotated_recurrence(
            lam=lam,
            step=[a * b for a, b in zip(lam, aim, strict=True)],
            aim=aim,
            gamma=gamma,
            rest=sympy.Integer(0),
            count=4,
            null=True,
            decay=True,
            coefficients=Coefficients(as_parameters=True),
        )
    )
    first, second, third = problem.variables
    mapping = dict(zip(reduced.state, (3 * first, second, third), strict=True))
    assert commutes(full, mapping, reduced) == {}
    # the numbers are those that the data give
    data = (torch.tensor(x, dtype=torch.float64) for x in (inputs, targets))
    found = linear_batch_norm(*data)
    assert torch.allclose(found.sigma**2, torch.tensor([9.0, 1.0], dtype=torch.float64))
    assert torch.allclose(found.aim.abs(), torch.tensor([2.0, 1.0], dtype=torch.float64))
    assert found.gamma == pytest.approx(5**0.5)
    assert len(found.state) == 3


# ---------------------------------------------------------------------------------- finding
def test_variables_that_nothing_recorded_needs_are_left_out():
    toy = gradient_descent(self_stabilisation_toy())
    small = closes(toy, ["x", "sharpness"])
    assert [str(s) for s in small.state] == ["x", "y"]
    assert closes(toy).state == toy.state
    x, y, _ = toy.state
    eta, beta = (p for p in small.parameters if str(p) in ("eta", "beta"))
    assert sympy.expand(small.update[0] + (1 + eta * sqrt(beta) * y) * x) == 0
    with pytest.raises(ValueError, match="not speed"):
        closes(toy, ["speed"])
    with pytest.raises(ValueError, match="no state variable"):
        closes(gradient_descent(x**2, (x,), eta=1, record={"one": sympy.Integer(1)}))


def test_locals_are_followed_when_variables_are_left_out():
    x, y, z, c, d = sympy.symbols("x y z c d", real=True)
    whole = Recurrence("r", (x, y, z), (c, y, d), (), (("x", x),), ((c, x + y), (d, c * z)))
    small = closes(whole)
    assert small.state == (x, y)
    assert small.locals == ((c, x + y),)


def kinds(found):
    return [r.name for r in found]


def test_known_models_say_which_reductions_apply():
    data = regression_data(1, 6, 4, "cpu")
    assert kinds(reductions_of(data)) == ["linear_batch_norm"]
    assert kinds(reductions_of(normalised_regression(data))) == ["linear_batch_norm"]
    drawn = drawn_loss("batch-normalised regression", 4, 1, "cpu")
    (found,) = reductions_of(drawn)
    w = drawn.point(3)
    assert float(found.loss(w)) == pytest.approx(float(drawn(w)), rel=1e-12)
    assert reductions_of(drawn_loss("cosine embedding", 4, 1, "cpu")) == ()
    assert reductions_of(damian_toy(0.1, 1.0, 1.0)) == ()
    values = {"eta": 0.1, "alpha": 1.0, "beta": 1.0}
    toys = reductions_of(self_stabilisation_toy(), values=values)
    assert kinds(toys) == ["self_stabilisation_toy_without_z"]
    found = reductions_of(three_dimensional_example())
    assert kinds(found) == ["scale_invariant_3d", "scale_invariant"]
    x, y = sympy.symbols("x y", real=True)
    assert kinds(reductions_of(x * y / (x**2 + y**2), variables=(x, y))) == ["scale_invariant"]
    assert reductions_of(x**2 + y**2, variables=(x, y)) == ()
    ratio = quadratic_ratio([[2, 1], [1, 0]], [[1, 0], [0, 3]])
    assert kinds(reductions_of(ratio)) == ["scale_invariant"]
    with pytest.raises(TypeError, match="no model that reductions are known for"):
        reductions_of("a network")


def test_built_in_problems_give_their_data_back():
    draw = Draw(4, "cpu")
    x, y = draw.normal(5, 3), draw.normal(5)
    (network,) = reductions_of(linear_network(x.tolist(), y.tolist(), 4))
    a, w = draw.normal(4), draw.normal(4, 3)
    wanted = ((a @ w @ x.T / 2 - y) ** 2).mean()
    assert float(network.loss(a, w)) == pytest.approx(float(wanted), rel=1e-13)
    found = reductions_of(batch_normalised_regression(x.tolist(), y.tolist()))
    assert kinds(found) == ["linear_batch_norm", "scale_invariant"]
    assert float(found[0].loss(a[:3])) == pytest.approx(
        float(linear_batch_norm(x, y).loss(a[:3])), rel=1e-13
    )
    assert float(found[1].loss(a[:3])) == pytest.approx(float(found[0].loss(a[:3])), rel=1e-13)
    c = Symbol("c", real=True)
    assert reductions_of(linear_network([[c]], [1], 1)) == ()
    (affine,) = reductions_of(batch_normalised_regression(x.tolist(), y.tolist(), affine=True))
    wanted = linear_batch_norm(x, y, gamma=0.3, beta=-0.2).loss(a[:3])
    given = torch.tensor([0.3, -0.2], dtype=torch.float64)
    assert float(affine.loss(a[:3], *given)) == pytest.approx(float(wanted), rel=1e-13)


def test_a_torch_module_follows_its_reduction():
    from torch import nn

    draw = Draw(8, "cpu")
    x, y = draw.normal(7, 3), draw.normal(7)
    norm = nn.Sequential(
        nn.Linear(3, 1, bias=False), nn.BatchNorm1d(1, eps=0.01, affine=False)
    ).double()
    deep = nn.Sequential(nn.Linear(3, 4, bias=False), nn.Linear(4, 1, bias=False)).double()
    affine = nn.Sequential(nn.Linear(3, 1, bias=False), nn.BatchNorm1d(1)).double()
    for module in (norm, affine, deep):
        (reduced,) = reductions_of(module, x, y[:, None])
        weights = list(module.parameters())
        with torch.no_grad():
            for p in weights:
                p.copy_(draw.normal(*p.shape))

        def full(weights=weights, module=module):
            found = [w.detach().clone() for w in weights]
            if module is deep:
                return found[1][0], found[0]
            return (found[0][0], *(x[0] for x in found[1:]))

        start = reduced.reduce(*full())
        for _ in range(30):
            loss = ((module(x)[:, 0] - y) ** 2).mean()
            slopes = torch.autograd.grad(loss, weights)
            with torch.no_grad():
                for p, g in zip(weights, slopes, strict=True):
                    p -= 0.02 * (g + 0.1 * p)
        run = simulate(
            reduced.recurrence(["loss"]), start, reduced.parameters(0.02, 0.1), 30, every=30
        )
        assert torch.allclose(run.state, reduced.reduce(*full()), rtol=1e-11, atol=1e-12)
        loss = ((module(x)[:, 0] - y) ** 2).mean().detach()
        assert float(run.records[0, 0]) == pytest.approx(float(loss), rel=1e-11)


def test_modules_that_are_something_else_have_no_known_reduction():
    from torch import nn

    x, y = torch.ones(3, 2, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    others = (
        nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 1, bias=False)),
        nn.Sequential(nn.Linear(2, 4, bias=False), nn.Tanh(), nn.Linear(4, 1, bias=False)),
        nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1)),
        nn.Sequential(nn.Linear(2, 1, bias=False), nn.BatchNorm1d(1, affine=False)).eval(),
        nn.Linear(2, 1),
    )
    for module in others:
        assert reductions_of(module, x, y) == ()
    with pytest.raises(TypeError, match="a module alone has no loss"):
        reductions_of(others[0])


# ---------------------------------------------------------------------------------- refusing
def test_what_does_not_fit_is_refused_by_name():
    draw = Draw(1, "cpu")
    reduced = two_layer_linear(draw.normal(3, 4), draw.normal(4), 5, decay=False)
    a, w = draw.normal(5), draw.normal(5, 3)
    with pytest.raises(ValueError, match=r"W has shape \(3, 5\); expected \(5, 3\)"):
        reduced.reduce(a, w.T)
    with pytest.raises(TypeError, match="takes the tensors A"):
        reduced.reduce(a)
    with pytest.raises(ValueError, match=r"pass A.double\(\)"):
        reduced.reduce(a.float(), w)
    with pytest.raises(ValueError, match="batch sides differ"):
        reduced.reduce(a, w.expand(2, 5, 3))
    with pytest.raises(ValueError, match="speed is not closed in the reduced variables"):
        reduced.recurrence(["speed"])
    with pytest.raises(ValueError, match="decay=True"):
        reduced.parameters(0.1, 0.2)
    with pytest.raises(ValueError, match="one sample per column"):
        two_layer_linear(draw.normal(3, 4), draw.normal(3), 5)
    with pytest.raises(ValueError, match="one sample per row"):
        linear_batch_norm(draw.normal(3, 4), draw.normal(4))
    with pytest.raises(ValueError, match="all inputs are equal"):
        linear_batch_norm(torch.ones(3, 4, dtype=torch.float64), draw.normal(3))
    with pytest.raises(ValueError, match=r"the targets hold nan at \(1,\)"):
        linear_batch_norm(draw.normal(3, 4), torch.tensor([1.0, float("nan"), 2.0]))
    with pytest.raises(ValueError, match="all inputs are zero"):
        two_layer_linear(torch.zeros(3, 4, dtype=torch.float64), draw.normal(4), 5)
    with pytest.raises(ValueError, match="symmetric"):
        quadratic(draw.normal(3, 3))
    x, y = sympy.symbols("x y", real=True)
    with pytest.raises(ValueError, match="not known to be scale-invariant"):
        scale_invariant(x**2 / (1 + y**2), (x, y))
    with pytest.raises(ValueError, match="one number"):
        self_stabilisation(0.1, 1.0, 1.0).parameters(0.2)


def test_every_reduction_says_what_it_reduces():
    draw = Draw(2, "cpu")
    x, y = sympy.symbols("x y", real=True)
    found = [
        two_layer_linear(draw.normal(3, 4), draw.normal(4), 5),
        linear_batch_norm(draw.normal(4, 3), draw.normal(4)),
        affine_batch_norm(draw.normal(4, 3), draw.normal(4), as_parameters=True),
        scale_invariant_3d(),
        self_stabilisation(0.1, 1.0, 1.0),
        scale_invariant(x / sqrt(x**2 + y**2), (x, y)),
        quadratic(torch.eye(2, dtype=torch.float64)),
        dropped_variables(x**2 + sympy.cos(y), (x, y), ["x"]),
    ]
    for reduced in found:
        assert reduced.model.startswith("gradient descent")
        assert reduced.hypotheses
        assert reduced.observables
        assert set(reduced.recurrence().observables) == set(reduced.observables)
        names = {str(s) for s in reduced.state}
        assert len(names) == len(reduced.state)
        given = set(reduced.parameters(0.1))
        assert given == {str(p) for p in reduced.recurrence().parameters}


def test_public_names_of_reductions_are_those_of_the_package():
    from eostheory import trajectories
    from eostheory.trajectories import reductions

    assert set(reductions.__all__) <= set(trajectories.__all__)
    for name in reductions.__all__:
        assert getattr(trajectories, name) is getattr(reductions, name)
