"""Hessian-vector products against dense oracles; what is refused, and how."""

import gc
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eostheory.curvature import Products, Tracker, dense_hessian
from eostheory.numeric.autodiff import gradient, hessian, third_tensor, value
from eostheory.numeric.events import BecameNaN
from eostheory.numeric.losses import scale_invariant


class Sum:
    """A loss in chunks."""

    def __init__(self, *chunks):
        self.chunks = chunks

    def __call__(self, w):
        return sum(chunk(w) for chunk in self.chunks)


def smooth(seed, dim, dtype=torch.float64):
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(dim + 3, dim, generator=draw, dtype=torch.float64).to(dtype)
    y = torch.randn(dim + 3, generator=draw, dtype=torch.float64).to(dtype)
    return lambda w: ((torch.tanh(x @ w) - y) ** 2).mean() + (w**4).sum() / 7


def point(seed, dim, dtype=torch.float64):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(dim, generator=draw, dtype=torch.float64).to(dtype)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(0, 1000), st.integers(1, 3))
def test_products_are_those_of_the_dense_hessian(dim, seed, count):
    losses = [smooth(seed + i, dim) for i in range(count)]
    w = point(seed, dim)
    products = Products(Sum(*losses), w)
    whole = Sum(*losses)
    exact = hessian(whole, w)
    vectors = torch.stack([point(seed + 7 + i, dim) for i in range(3)])
    bound = 1e3 * 2.0**-53 * float(exact.abs().max()) * dim * float(vectors.abs().max())
    assert float((products.block(vectors) - vectors @ exact).abs().max()) <= bound
    assert float((products(vectors[0]) - exact @ vectors[0]).abs().max()) <= bound
    assert products.count == 4
    assert torch.allclose(products.value, value(whole, w), rtol=1e-14)
    assert torch.allclose(products.gradient, gradient(whole, w), rtol=1e-12, atol=1e-14)
    assert products.kept == (count == 1)


@pytest.mark.parametrize("count", [1, 3])
def test_third_derivatives_are_those_of_the_dense_tensor(count):
    losses = [smooth(i, 5) for i in range(count)]
    w, a, b = point(1, 5), point(2, 5), point(3, 5)
    exact = torch.einsum("ijk,i,j->k", third_tensor(Sum(*losses), w), a, b)
    with Products(Sum(*losses), w) as products:
        assert torch.allclose(products.third(a, b), exact, rtol=1e-10, atol=1e-12)


def test_chunks_are_read_anew_in_every_sweep_and_one_at_a_time():
    class Lazy:
        """A sequence that makes its chunks while it is iterated, and counts how often."""

        reads = 0
        alive = 0

        def __len__(self):
            return 3

        def __getitem__(self, i):
            raise AssertionError("chunks are iterated, not indexed")

        def __iter__(self):
            self.reads += 1
            return (smooth(i, 4) for i in range(3))

    class Loss:
        chunks = Lazy()

    products = Products(Loss(), point(0, 4))
    assert Loss.chunks.reads == 1
    products.block(torch.eye(4, dtype=torch.float64))
    assert Loss.chunks.reads == 2
    exact = hessian(Sum(*(smooth(i, 4) for i in range(3))), point(0, 4))
    assert torch.allclose(dense_hessian(products), exact, rtol=1e-12)


def test_a_graph_dies_with_its_products_and_not_by_the_garbage_collector():
    live = []

    class Counted(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            token = torch.zeros(1)
            live.append(token.untyped_storage()._weak_ref())
            ctx.token = token
            return x.clone()

        @staticmethod
        def backward(ctx, g):
            assert ctx.token is not None
            return g.clone()

    def alive():
        return sum(not torch.UntypedStorage._expired(ref) for ref in live)

    gc.disable()
    try:
        products = Products(lambda w: (Counted.apply(w) ** 3).sum(), point(0, 5))
        products(point(1, 5))
        products.third(point(1, 5), point(2, 5))
        assert alive() == 1
        products.close()
        assert alive() == 0
    finally:
        gc.enable()
    assert torch.equal(products.gradient, 3 * point(0, 5) ** 2)
    with pytest.raises(ValueError, match="closed"):
        products(point(1, 5))


def test_a_linear_loss_has_zero_products_and_a_constant_one_too():
    a = point(0, 4)
    assert torch.equal(Products(lambda w: torch.dot(a, w), point(1, 4))(a), torch.zeros_like(a))
    assert torch.equal(Products(lambda w: (0 * w).sum(), point(1, 4))(a), torch.zeros_like(a))


class OnceOnly(torch.autograd.Function):
    """A square whose backward autograd cannot differentiate."""

    @staticmethod
    def forward(ctx, w):
        ctx.save_for_backward(w)
        return (w.detach() ** 2).sum()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        return 2 * g * ctx.saved_tensors[0]


class Opaque(torch.autograd.Function):
    """A square whose backward is computed outside of autograd."""

    @staticmethod
    def forward(ctx, w):
        ctx.kept = w.detach()
        return (w.detach() ** 2).sum()

    @staticmethod
    def backward(ctx, g):
        return g.detach() * 2 * ctx.kept


@pytest.mark.parametrize("loss", [OnceOnly.apply, Opaque.apply])
def test_a_loss_without_second_derivative_is_refused(loss):
    with pytest.raises(ValueError, match=r"second derivative|differentiated twice"):
        Products(loss, point(0, 4))(point(1, 4))


class Skew(torch.autograd.Function):
    """A loss whose backward is the gradient of nothing."""

    @staticmethod
    def forward(ctx, w):
        ctx.save_for_backward(w)
        return (w * w).sum()

    @staticmethod
    def backward(ctx, g):
        (w,) = ctx.saved_tensors
        return g * (w + torch.roll(w, 1))


def test_a_gradient_of_nothing_is_refused_for_its_hessian_is_not_symmetric():
    with pytest.raises(ValueError, match="not symmetric"):
        dense_hessian(Products(Skew.apply, point(0, 5)))
    with pytest.raises(ValueError, match="not symmetric"):
        Tracker(dense_below=0)(Products(Skew.apply, point(0, 50)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int64, torch.complex128])
def test_dtypes_without_curvature_are_refused_by_name(dtype):
    with pytest.raises(TypeError, match=rf"{dtype}.*float64"):
        Products(lambda w: (w * w).sum(), torch.ones(3).to(dtype))


@pytest.mark.parametrize(
    "loss, w, error, words",
    [
        (lambda w: w * w, torch.ones(3), ValueError, r"shape \(3,\).*no scalar"),
        (lambda w: (w * w).sum()[None], torch.ones(3), ValueError, r"shape \(1,\)"),
        (lambda w: 1.0, torch.ones(3), TypeError, "float; it must"),
        (lambda w: (w.detach() ** 2).sum(), torch.ones(3), ValueError, "does not depend on w"),
        (lambda w: (w.double() ** 2).sum(), torch.ones(3), TypeError, "float64 at a torch.float32"),
        (lambda w: (w * w).sum(), torch.ones(3, 2), ValueError, r"shape \(3, 2\)"),
        (lambda w: (w * w).sum(), torch.ones(0), ValueError, "D > 0"),
        (lambda w: (w * w).sum(), [1.0, 2.0], TypeError, "list"),
    ],
)
def test_what_cannot_be_used_is_named(loss, w, error, words):
    with pytest.raises(error, match=words):
        Products(loss, w)


def test_vectors_of_wrong_shape_or_dtype_are_named():
    products = Products(lambda w: (w**4).sum(), point(0, 3))
    with pytest.raises(ValueError, match=r"\(4,\)|\(1, 4\)"):
        products(point(0, 4))
    with pytest.raises(ValueError, match="block"):
        products(torch.eye(3, dtype=torch.float64))
    with pytest.raises(TypeError, match="float32"):
        products(torch.ones(3))
    assert products.count == 0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_is_an_event_that_names_the_step(bad):
    with pytest.raises(BecameNaN, match="the loss is not finite at step 17"):
        Products(lambda w: (w * w).sum() * bad, point(0, 3), step=17)
    with pytest.raises(BecameNaN, match="gradient"):
        Products(lambda w: torch.sqrt(w).sum(), torch.zeros(3))
    products = Products(lambda w: (w**1.5).sum(), torch.zeros(3))
    with pytest.raises(BecameNaN, match="Hessian-vector product"):
        products(torch.ones(3))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_products_live_where_the_point_lives():
    loss = scale_invariant("cosine embedding", 6, 0, "cuda")
    w, v = loss.point(0), loss.point(1)
    found = Products(loss, w)(v)
    assert found.device.type == "cuda"
    assert torch.allclose(found, hessian(loss, w) @ v, rtol=1e-10)
