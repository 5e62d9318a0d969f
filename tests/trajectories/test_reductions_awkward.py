"""Reductions on data of awkward shapes: the right result, or an error that says what is wrong."""

import pytest
import torch
from torch import nn

from eostheory.numeric.losses import Draw
from eostheory.trajectories import (
    Status,
    affine_batch_norm,
    batch_normalised_regression,
    gradient_descent,
    linear_batch_norm,
    quadratic,
    quasi_rmsprop_scheduler,
    reductions_of,
    scale_invariant,
    self_stabilisation_toy,
    simulate,
    three_dimensional_example,
    two_layer_linear,
)

DRAW = Draw(5)
ROW = DRAW.normal(1, 4)
DATA = {
    "two samples": (DRAW.normal(2, 3), DRAW.normal(2)),
    "more samples than inputs": (DRAW.normal(8, 2), DRAW.normal(8)),
    "rank two of five": (DRAW.normal(6, 2) @ DRAW.normal(2, 5), DRAW.normal(6)),
    "rows twice": (DRAW.normal(2, 4).repeat(2, 1), DRAW.normal(4)),
    "a constant column": (torch.cat([DRAW.normal(5, 2), torch.full_like(ROW.new_ones(5, 1), 3.0)],
                                    1), DRAW.normal(5)),
    "one input": (DRAW.normal(5, 1), DRAW.normal(5)),
    "targets of zero": (DRAW.normal(5, 3), ROW.new_zeros(5)),
    "equal targets": (DRAW.normal(5, 3), ROW.new_full((5,), 0.1)),
    "single precision": (DRAW.normal(5, 3).float(), DRAW.normal(5).float()),
}  # fmt: skip
CONSTANT = {
    "one sample": (ROW, DRAW.normal(1)),
    "equal samples": (ROW.repeat(3, 1), DRAW.normal(3)),
}
ETA, DECAY, STEPS = 0.1, 0.02, 12


def descend(function, *full):
    """Gradient descent with weight decay, by autograd."""
    for _ in range(STEPS):
        leaves = [x.detach().requires_grad_(True) for x in full]
        slopes = torch.autograd.grad(function(*leaves), leaves)
        pairs = zip(leaves, slopes, strict=True)
        full = tuple((1 - ETA * DECAY) * x.detach() - ETA * g for x, g in pairs)
    return full


def normalised(x, y, gamma, beta):
    x, y = x.double(), y.double()

    def function(w, scale=gamma, shift=beta):
        score = x @ w - (x @ w).mean()
        return ((scale * score / torch.sqrt((score * score).mean()) + shift - y) ** 2).mean()

    return function


def network(x, y, width):
    x, y = x.double(), y.double()
    return lambda a, w: ((a @ w @ x.T / width**0.5 - y) ** 2).mean()


def run(reduced, *full):
    return simulate(
        reduced.recurrence(["loss"]), reduced.reduce(*full), reduced.parameters(ETA, DECAY), STEPS,
        backend="eager",
    )  # fmt: skip


@pytest.mark.parametrize("name", DATA)
def test_the_weight_of_a_normalised_regression_ends_where_autograd_takes_it(name):
    x, y = DATA[name]
    mean = y.double().mean()
    loss = normalised(x, y, ((y.double() - mean) ** 2).mean().sqrt(), mean)
    w = Draw(1).normal(x.shape[1])
    (end,) = descend(loss, w)
    reduced = linear_batch_norm(x, y)
    found = run(reduced, w)
    assert torch.allclose(reduced.restore(found.state, w), end, rtol=1e-12, atol=1e-12)
    assert float(found["loss"][-1]) == pytest.approx(float(loss(end)), rel=1e-11, abs=1e-13)
    trained = affine_batch_norm(x, y)
    full = (w, torch.tensor(0.7).double(), torch.tensor(-0.2).double())
    end = descend(loss, *full)
    found = run(trained, *full)
    assert torch.allclose(trained.restore(found.state, w), end[0], rtol=1e-12, atol=1e-12)
    assert torch.allclose(found.state[-2:], torch.stack(end[1:]), rtol=1e-12, atol=1e-12)
    assert float(found["loss"][-1]) == pytest.approx(float(loss(*end)), rel=1e-11, abs=1e-13)


@pytest.mark.parametrize("name", [*DATA, *CONSTANT])
def test_a_network_and_its_sharpness_are_those_of_autograd(name):
    x, y = {**DATA, **CONSTANT}[name]
    loss, (a, w) = network(x, y, 2), (Draw(2).normal(2), Draw(3).normal(2, x.shape[1]))
    end = descend(loss, a, w)
    reduced = two_layer_linear(x.T, y, 2)
    found = run(reduced, a, w)
    assert torch.allclose(found.state, reduced.reduce(*end), rtol=1e-11, atol=1e-12)
    assert float(found["loss"][-1]) == pytest.approx(float(loss(*end)), rel=1e-11, abs=1e-13)
    flat = torch.cat([end[0], end[1].reshape(-1)])
    bend = torch.autograd.functional.hessian(lambda v: loss(v[:2], v[2:].reshape(2, -1)), flat)
    top = torch.linalg.eigvalsh(bend)[-1]
    assert float(reduced.sharpness(found.state)) == pytest.approx(float(top), rel=1e-10)


@pytest.mark.parametrize("name", CONSTANT)
def test_samples_that_cannot_be_normalised_are_refused(name):
    for build in (linear_batch_norm, affine_batch_norm):
        with pytest.raises(ValueError, match="all inputs are equal"):
            build(*CONSTANT[name])


def test_equal_targets_make_the_built_in_loss_a_constant_that_only_decays():
    problem = batch_normalised_regression([[1, 2], [2, 1], [3, 5]], [1, 1, 1])
    (found,) = reductions_of(problem)
    w = torch.tensor([3.0, 4.0], dtype=torch.float64)
    end = run(found, w).state
    assert torch.equal(end[:2], w / 5)
    assert float(end[2]) == pytest.approx(25 * (1 - ETA * DECAY) ** (2 * STEPS), rel=1e-13)


def test_a_trajectory_that_diverged_keeps_no_other_from_its_sharpness():
    x, y = DATA["more samples than inputs"]
    well, zero = Draw(1).normal(2), ROW.new_zeros(2)
    reduced = linear_batch_norm(x, y)
    found = run(reduced, torch.stack([well, zero]))
    assert found.status.tolist() == [Status.RUNNING, Status.DIVERGED]
    sharp = reduced.spherical_sharpness(found.state)
    assert torch.equal(sharp[0], reduced.spherical_sharpness(run(reduced, well).state))
    assert torch.isnan(sharp[1])
    wide = two_layer_linear(x.T, y, 2)
    states = wide.reduce(Draw(2).normal(3, 2), Draw(3).normal(3, 2, 2))
    before = wide.sharpness(states)
    states[:, 1] = torch.inf
    after = wide.sharpness(states)
    assert torch.isnan(after[1])
    assert torch.equal(after[[0, 2]], before[[0, 2]])


class Twice(nn.Linear):
    """A layer that is no linear layer."""

    def forward(self, x):
        return 2 * super().forward(x) ** 2


def frozen(layer):
    return layer.requires_grad_(False)


LINEAR = {"bias": False}
ELSE = {
    "a frozen first layer": lambda: (frozen(nn.Linear(3, 2, **LINEAR)), nn.Linear(2, 1, **LINEAR)),
    "a frozen last layer": lambda: (nn.Linear(3, 2, **LINEAR), frozen(nn.Linear(2, 1, **LINEAR))),
    "a frozen normalised layer": lambda: (
        frozen(nn.Linear(3, 1, **LINEAR)), nn.BatchNorm1d(1, affine=False)),
    "two outputs": lambda: (nn.Linear(3, 2, **LINEAR), nn.Linear(2, 2, **LINEAR)),
    "two normalised outputs": lambda: (nn.Linear(3, 2, **LINEAR), nn.BatchNorm1d(2, affine=False)),
    "weight norm": lambda: (
        nn.utils.parametrizations.weight_norm(nn.Linear(3, 2, **LINEAR)),
        nn.Linear(2, 1, **LINEAR)),
    "a subclass": lambda: (Twice(3, 2, **LINEAR), nn.Linear(2, 1, **LINEAR)),
}  # fmt: skip


@pytest.mark.parametrize("name", ELSE)
def test_modules_that_move_otherwise_have_no_known_reduction(name):
    x, y = DATA["targets of zero"]
    assert reductions_of(nn.Sequential(*ELSE[name]()), x, y) == ()


X, Y = DATA["more samples than inputs"]
EYE, NAN = torch.eye(3), float("nan")
BAD = {
    "epsilon": (ValueError, "epsilon = -1", lambda: linear_batch_norm(X, Y, epsilon=-1.0)),
    "epsilon nan": (ValueError, "epsilon = nan", lambda: affine_batch_norm(X, Y, epsilon=NAN)),
    "gamma": (ValueError, "gamma = inf", lambda: linear_batch_norm(X, Y, gamma=float("inf"))),
    "list": (TypeError, "inputs are list", lambda: linear_batch_norm(X.tolist(), Y)),
    "complex": (TypeError, "complex", lambda: two_layer_linear(X.T, Y * 1j, 2)),
    "width": (ValueError, r"width = 2\.5", lambda: two_layer_linear(X.T, Y, 2.5)),
    "b": (ValueError, r"b \(2,\)", lambda: quadratic(EYE, torch.ones(2))),
    "b nan": (ValueError, "b hold nan", lambda: quadratic(EYE, torch.full((3,), NAN))),
    "empty": (ValueError, "D at least one", lambda: quadratic(EYE[:0, :0])),
    "samples": (
        ValueError, r"targets \(7,\)", lambda: reductions_of(nn.Linear(2, 1), X, Y[1:])),
    "batch": (
        ValueError, "one set of weights",
        lambda: linear_batch_norm(X, Y).step(torch.ones(3, 2).double(), eta=0.1)),
    "zero": (
        ValueError, "w is zero",
        lambda: scale_invariant(three_dimensional_example()).reduce(torch.zeros(3).double())),
    "turns": (
        ValueError, r"reaches 1\.5",
        lambda: scale_invariant(three_dimensional_example()).parameters(0.5, 3.0)),
    "base rate": (ValueError, r"1/sqrt\(2\)", lambda: quasi_rmsprop_scheduler(0.75)),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit_says_why(name):
    kind, message, make = BAD[name]
    with pytest.raises(kind, match=message):
        make()


def test_a_step_size_that_is_given_is_the_one_that_the_loss_mentions():
    toy = self_stabilisation_toy()
    fixed, free = gradient_descent(toy, eta=0.125), gradient_descent(toy)
    assert [str(p) for p in fixed.parameters] == ["alpha", "beta"]
    start = [0.5, 0.25, 0.0]
    one = simulate(fixed, start, {"alpha": 1.0, "beta": 0.5}, 20, backend="eager")
    two = simulate(free, start, {"eta": 0.125, "alpha": 1.0, "beta": 0.5}, 20, backend="eager")
    assert torch.allclose(one.records, two.records, rtol=1e-12, atol=1e-12)
