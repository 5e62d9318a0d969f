"""The gradient of the sharpness, and the check that catches wrong third derivatives."""

import math

import pytest
import torch
from torch.nn import functional as F

from eostheory.curvature import (
    Products,
    Tracker,
    second_derivative_error,
    sharpness_gradient,
    third_derivative_error,
)
from eostheory.numeric.events import BecameNaN, WrongDerivative
from eostheory.numeric.losses import FAMILIES, scale_invariant
from eostheory.numeric.toys import damian_toy, self_stabilising


def top(loss, w):
    return Tracker()(Products(loss, w))


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_the_derivative_of_the_eigenvalue(family):
    loss = scale_invariant(family, 8, 3)
    w = loss.point(1)
    pair = top(loss, w)
    found = sharpness_gradient(loss, w, pair.vectors[0])
    errors, steps = [], [2.0**-k for k in range(8, 13)]
    direction = loss.point(2)
    for h in steps:
        ahead, behind = (float(top(loss, w + s * h * direction).values[0]) for s in (1, -1))
        slope = (ahead - behind) / (2 * h)
        errors.append(abs(slope - float(torch.dot(found, direction))))
    # Second order in h, as central differences of a smooth function are.
    order = math.log2(errors[0] / errors[2]) / 2
    assert order == pytest.approx(2, abs=0.2)


def test_the_toy_of_damian23_has_the_gradient_it_was_built_with():
    loss = damian_toy(0.1, 1.0, 4.0)
    w = torch.tensor([0.0, 0.3, -0.2], dtype=torch.float64)
    u = top(loss, w).vectors[0]
    assert sharpness_gradient(loss, w, u).tolist() == pytest.approx([0, 2, 0])
    loss = self_stabilising(9, 4, 0.2)
    w = torch.zeros(9, dtype=torch.float64)
    u = top(loss, w).vectors[0]
    assert torch.allclose(sharpness_gradient(loss, w, u), loss.data["gradS"], atol=1e-9)


def test_an_eigenvector_off_by_its_residual_puts_it_off_in_proportion():
    loss = self_stabilising(9, 4, 0.2)
    w = torch.zeros(9, dtype=torch.float64)
    u = loss.data["u"]
    aside = loss.data["rotation"][:, 4]
    exact = sharpness_gradient(loss, w, u)
    offs = []
    for angle in (1e-3, 1e-4, 1e-5):
        tilted = math.cos(angle) * u + math.sin(angle) * aside
        offs.append(float((sharpness_gradient(loss, w, tilted) - exact).norm()) / angle)
    assert offs == pytest.approx([offs[-1]] * 3, rel=1e-2)
    with Products(loss, w) as products:
        slope = 2 * float(products.third(u, aside).norm())
    assert offs[-1] == pytest.approx(slope, rel=1e-3)


def test_a_vector_that_is_no_unit_vector_is_refused():
    w = torch.ones(3, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"\|u\| is 1\.73"):
        sharpness_gradient(lambda w: (w**4).sum(), w, w)
    with pytest.raises(ValueError, match=r"\(2,\)"):
        sharpness_gradient(lambda w: (w**4).sum(), w, w[:2])


def layer(h):
    return F.layer_norm(h, (8,))


def batch(h):
    return F.batch_norm(h, None, None, training=True)


def standard(dim):
    def apply(h):
        centred = h - h.mean(dim, keepdim=True)
        return centred / torch.sqrt((centred * centred).mean(dim, keepdim=True) + 1e-5)

    return apply


def network(norm, dtype=torch.float64):
    draw = torch.Generator().manual_seed(0)
    x, y, w = (
        torch.randn(*shape, generator=draw, dtype=torch.float64).to(dtype)
        for shape in ((20, 6), (20,), (56,))
    )

    def loss(w):
        hidden = torch.tanh(norm(x @ w[:48].view(8, 6).T))
        return ((hidden @ w[48:] - y) ** 2).mean()

    return loss, w / 2


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("norm", [layer, batch])
def test_fused_norms_have_wrong_third_derivatives_and_right_second_ones(norm, dtype):
    loss, w = network(norm, dtype)
    with Products(loss, w) as products:
        u = products.gradient / products.gradient.norm()
    for direction in (None, u):
        check = third_derivative_error(loss, w, direction)
        if not check.wrong:
            pytest.fail(f"torch has mended its norm ({check}): say so in the documentation")
        assert 0.02 < check.error < 1
        assert not second_derivative_error(loss, w, direction).wrong
    with pytest.raises(WrongDerivative, match="elementary operations"):
        check.demand()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("norm", [standard(0), standard(1), lambda h: h, torch.sigmoid])
def test_elementary_norms_pass_at_an_accuracy_that_would_show_any_error(norm, dtype):
    loss, w = network(norm, dtype)
    for seed in range(5):
        check = third_derivative_error(loss, w, seed=seed)
        assert not check.wrong
        assert check.conclusive
        assert check.allowed < (1e-8 if dtype == torch.float64 else 1e-2)
        check.demand()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_right_losses_pass_at_every_scale(family, size):
    loss = scale_invariant(family, 7, 1)
    w = loss.point(0, size)
    assert not third_derivative_error(loss, w).wrong
    assert not second_derivative_error(loss, w).wrong


def test_losses_without_third_derivative_pass_and_zero_is_a_point_as_any_other():
    a = torch.linspace(1, 2, 6, dtype=torch.float64)
    for loss in (lambda w: torch.dot(a, w), lambda w: torch.dot(a * w, w)):
        for w in (a, torch.zeros_like(a)):
            assert not third_derivative_error(loss, w).wrong


def test_steps_at_which_the_loss_has_no_value_are_left_out():
    w = torch.tensor([10.0, 1e-2], dtype=torch.float64)
    check = third_derivative_error(lambda w: -torch.log(w).sum(), w)
    assert check.conclusive
    assert not check.wrong
    with pytest.raises(BecameNaN, match="to w"):
        third_derivative_error(lambda w: -torch.log(w).sum(), w * torch.tensor([1.0, 1e-6]))


@pytest.mark.parametrize("bad", [0.0, math.nan, math.inf])
def test_a_direction_that_is_none_is_named(bad):
    w = torch.ones(3, dtype=torch.float64)
    with pytest.raises(ValueError, match=f"length {bad}"):
        third_derivative_error(lambda w: (w**3).sum(), w, bad * w)


class Cubic(torch.autograd.Function):
    """``x^3`` whose derivative of order ``flaw`` is off by one percent."""

    @staticmethod
    def forward(ctx, x, order, flaw):
        ctx.save_for_backward(x)
        ctx.order, ctx.flaw = order, flaw
        return x**3 if order == 0 else 3 * x**2 if order == 1 else 6 * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        off = 1.01 if ctx.order + 1 == ctx.flaw else 1.0
        if ctx.order == 2:
            return 6 * off * g, None, None
        return g * off * Cubic.apply(x, ctx.order + 1, ctx.flaw), None, None


@pytest.mark.parametrize("flaw", [2, 3])
def test_one_percent_in_one_derivative_is_seen_in_that_derivative(flaw):
    w = torch.linspace(1, 2, 6, dtype=torch.float64)

    def loss(w):
        return Cubic.apply(w, 0, flaw).sum() + (w**4).sum() / 50

    assert second_derivative_error(loss, w).wrong == (flaw == 2)
    assert third_derivative_error(loss, w).wrong == (flaw == 3)
    check = {2: second_derivative_error, 3: third_derivative_error}[flaw]
    assert check(loss, w).error > 0.005


def test_a_part_that_is_hidden_from_autograd_is_seen_in_the_second_derivative():
    def loss(w):
        return torch.dot(w, w) + (w[0].detach() * w[1:]).sum() ** 2

    assert second_derivative_error(loss, torch.linspace(1, 2, 6, dtype=torch.float64)).wrong
