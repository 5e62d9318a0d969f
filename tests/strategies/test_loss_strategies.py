"""Strategies draw losses that are what they say, print as what makes them, and shrink."""

import pytest
import torch
from hypothesis import find, given, settings
from hypothesis import strategies as st

from eostheory import strategies
from eostheory.curvature import Products, dense_hessian

QUIET = settings(database=None, deadline=None, max_examples=2000)
TRIES = settings(database=None, deadline=None, max_examples=30)

FAMILIES = {
    "quadratic": strategies.quadratic_losses(),
    "two-layer": strategies.two_layer_linear_losses(),
    "manifold": strategies.losses_with_manifold(),
    "spherical manifold": strategies.losses_with_manifold(spherical=True),
    "scale-invariant": strategies.scale_invariant_losses(),
    "self-stabilizing": strategies.self_stabilizing_losses(),
}


def smallest(strategy, condition=lambda _: True):
    return find(strategy, condition, settings=QUIET)


def hessian(loss, w):
    with Products(loss, w) as products:
        return dense_hessian(products)


def gradient(loss, w):
    leaf = w.clone().requires_grad_(True)
    return torch.autograd.grad(loss(leaf), leaf)[0]


@TRIES
@given(st.data(), st.sampled_from(sorted(FAMILIES)))
def test_a_loss_is_a_scalar_of_a_flat_vector_with_a_gradient(data, family):
    loss = data.draw(FAMILIES[family])
    assert loss.start.shape == (loss.size,)
    value = loss(loss.start)
    assert value.shape == ()
    assert value.dtype == torch.float64
    assert bool(torch.isfinite(value))
    assert bool(torch.isfinite(gradient(loss, loss.start)).all())


@TRIES
@given(st.data(), st.sampled_from(sorted(FAMILIES)))
def test_a_loss_prints_as_the_expression_that_makes_it(data, family):
    loss = data.draw(FAMILIES[family])
    again = eval(repr(loss), {"strategies": strategies})
    w = data.draw(strategies.points(loss.size, loss.start, spread=0.5))
    assert repr(again) == repr(loss)
    assert torch.equal(again(w), loss(w))
    assert torch.equal(again.start, loss.start)


@TRIES
@given(strategies.scale_invariant_losses() | strategies.losses_with_manifold(spherical=True))
def test_a_scale_invariant_loss_is_scale_invariant(loss):
    assert loss.declarations["scale_invariant"] is True
    assert float(loss(3 * loss.start)) == pytest.approx(float(loss(loss.start)), rel=1e-12)


@TRIES
@given(strategies.self_stabilizing_losses())
def test_a_self_stabilizing_loss_is_at_the_edge_at_its_origin(loss):
    origin = torch.zeros(loss.size, dtype=torch.float64)
    values, vectors = torch.linalg.eigh(hessian(loss, origin))
    edge = 2 / loss.declarations["learning_rate"]
    assert float(values[-1]) == pytest.approx(edge)
    assert float(values[-2]) <= edge / 2 + 1e-9
    u = vectors[:, -1]

    def sharpness(w):
        return float(u @ hessian(loss, w) @ u)

    # -<grad L, grad S> = alpha > 0, by a difference along the gradient.
    g = gradient(loss, origin)
    h = 1e-4
    assert (sharpness(h * g) - sharpness(-h * g)) / (2 * h) < 0


@TRIES
@given(strategies.losses_with_manifold(), st.data())
def test_the_declared_manifold_holds_minimizers_of_constant_rank(loss, data):
    chart = loss.declarations["manifold"]
    dimension = next(k for k in range(1, loss.size) if _maps(chart, k, loss.size))
    t = data.draw(strategies.points(dimension, low=-1.0, high=1.0))
    w = chart(t)
    scale = max(1.0, float(torch.linalg.matrix_norm(hessian(loss, w))))
    assert float(gradient(loss, w).abs().max()) <= 1e-12 * scale
    values = torch.linalg.eigvalsh(hessian(loss, w))
    # Some curvature of the generic ones may be small, none is zero.
    assert int((values > 1e-3).sum()) == loss.size - dimension
    assert int((values.abs() < 1e-9 * scale).sum()) == dimension


def _maps(chart, k, size):
    try:
        return chart(torch.zeros(k, dtype=torch.float64)).shape == (size,)
    except ValueError:
        return False


@TRIES
@given(strategies.quadratic_losses())
def test_a_quadratic_declares_its_hessian(loss):
    exact = loss.declarations["hessian"](loss.start)
    assert torch.allclose(hessian(loss, loss.start), exact, atol=1e-12)


@TRIES
@given(strategies.two_layer_linear_losses())
def test_a_two_layer_network_is_the_one_of_the_paper(loss):
    x, y = loss.data["inputs"], loss.data["targets"]
    width = loss.size // (1 + x.shape[1])
    a, hidden = loss.start[:width], loss.start[width:].reshape(width, -1)
    outputs = torch.stack([a @ (hidden @ row) for row in x]) / width**0.5
    assert float(loss(loss.start)) == pytest.approx(float(((outputs - y) ** 2).mean()))


@pytest.mark.parametrize(
    "strategy, condition, printed",
    [
        (
            strategies.quadratic_losses(),
            None,
            "strategies.quadratic_loss(curvatures=[0], seed=None)",
        ),
        (
            strategies.quadratic_losses(),
            lambda loss: loss.size > 1 and float(loss.data["H"].trace()) > 3,
            "strategies.quadratic_loss(curvatures=[0, 4], seed=None)",
        ),
        (
            strategies.two_layer_linear_losses(),
            None,
            "strategies.two_layer_linear_loss(inputs=[[1]], targets=[1], width=1)",
        ),
        (
            strategies.losses_with_manifold(),
            None,
            "strategies.loss_with_manifold(size=2, dimension=1, bend=0, growth=0)",
        ),
        (
            strategies.losses_with_manifold(),
            lambda loss: loss.size > 2 and "bend=0," not in repr(loss),
            "strategies.loss_with_manifold(size=3, dimension=1, bend=1, growth=0)",
        ),
        (
            strategies.scale_invariant_losses(),
            lambda loss: loss.size > 3,
            "strategies.scale_invariant_loss(family='quadratic ratio', size=4, seed=0)",
        ),
        (
            strategies.self_stabilizing_losses(),
            None,
            "strategies.self_stabilizing_loss("
            "size=3, learning_rate=0.1, alpha=1, beta=1, seed=None)",
        ),
        (
            strategies.self_stabilizing_losses(),
            lambda loss: loss.declarations["learning_rate"] < 0.07,
            "strategies.self_stabilizing_loss("
            "size=3, learning_rate=0.05, alpha=1, beta=1, seed=None)",
        ),
    ],
)
def test_losses_shrink_to_the_smallest_and_plainest(strategy, condition, printed):
    assert repr(smallest(strategy, condition or (lambda _: True))) == printed


def test_step_sizes_are_few_digits_between_the_bounds():
    assert smallest(strategies.step_sizes()) == 1.0
    assert smallest(strategies.step_sizes(0.01, 0.9)) == 0.5
    assert smallest(strategies.step_sizes(), lambda eta: eta < 0.3) == 0.1
    assert smallest(strategies.step_sizes(0.0, 1.0, sharpness=4.0)) == 0.5


def test_data_sets_shrink_to_one_plain_example():
    x, y = smallest(strategies.data_sets())
    assert (x.tolist(), y.tolist()) == ([[0.0]], [0.0])
    x, y = smallest(strategies.data_sets(labels="signs"), lambda d: len(d[1]) > 1 and d[0].any())
    assert x.shape == (2, 1)
    assert sorted(x.flatten().tolist()) == [0.0, 1.0]
    assert y.tolist() == [1.0, 1.0]
    _, y = smallest(strategies.data_sets(labels="classes", classes=3), lambda d: 2 in d[1].tolist())
    assert y.dtype == torch.int64
    assert y.tolist() == [2]


@TRIES
@given(strategies.losses(max_size=4))
def test_losses_of_every_family_keep_to_the_size(loss):
    assert 1 <= loss.size <= 4


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: strategies.scale_invariant_losses(1), "min_size = 1; it is at least 2"),
        (lambda: strategies.scale_invariant_losses(families=["relu"]), "unknown 'relu'; known: "),
        (lambda: strategies.scale_invariant_losses(families=[]), "none given; known: "),
        (lambda: strategies.losses_with_manifold(5, 4), "max_size = 4; it is at least 5"),
        (lambda: strategies.loss_with_manifold(3, 3), "dimension = 3 of the manifold is not below"),
        (lambda: strategies.loss_with_manifold(growth=-1.0), "growth = -1.0 is negative"),
        (lambda: strategies.self_stabilizing_loss(2), "size = 2; it is at least 3"),
        (lambda: strategies.self_stabilizing_loss(alpha=-1.0), "alpha = -1.0 is not positive"),
        (lambda: strategies.two_layer_linear_loss([[1.0]], [1.0, 2.0]), "targets 2 numbers"),
        (lambda: strategies.two_layer_linear_loss([["1"]], [1.0]), "'1' is str, not a number"),
        (lambda: strategies.quadratic_loss([]), "one number for each parameter"),
        (lambda: strategies.step_sizes(-1.0, 1.0), "low = -1.0"),
        (lambda: strategies.step_sizes(2.0, 1.0), "low = 2.0 and high = 1.0"),
        (lambda: strategies.data_sets(labels="words"), "labels = 'words'; known: numbers"),
        (lambda: strategies.data_sets(0), "min_examples = 0; it is at least 1"),
    ],
)
def test_arguments_of_losses_that_are_none_are_named(make, message):
    with pytest.raises((TypeError, ValueError, KeyError)) as caught:
        make()
    assert message in str(caught.value)
