"""The predicted dynamics of several directions, against autograd, gradient descent and one."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eostheory.numeric import autodiff
from eostheory.numeric.dynamics import gd
from eostheory.numeric.events import BecameNaN, Diverged, NoConvergence
from eostheory.numeric.losses import Draw
from eostheory.numeric.objective import Objective
from eostheory.numeric.toys import self_stabilising
from eostheory.training.several import SeveralDynamics, block_reference
from eostheory.training.several_losses import block_quartic
from eostheory.training.several_top import TopPairs, aligned

ETA = 0.5


def displaced(loss, k, size):
    return size * torch.tensor([0.7, 0.4, 0.3][:k], dtype=torch.float64) @ loss.data["basis"]


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_quartic_has_the_directions_it_says(k):
    eps = 0.01
    below = tuple(0.5 * i for i in range(k))
    loss = block_quartic(k, 4, ETA, eps, below=below)
    origin = torch.zeros(loss.dim, dtype=torch.float64)
    hessian = autodiff.hessian(loss.function, origin)
    values = torch.linalg.eigvalsh(hessian).flip(0)
    edge = 2 / ETA - eps * torch.tensor(below, dtype=torch.float64)
    assert torch.allclose(values[:k], edge, rtol=1e-13)
    assert float(values[k]) <= 0.6 * 2 / ETA + 1e-12
    basis, gradient = loss.data["basis"], autodiff.gradient(loss.function, origin)
    assert torch.allclose(hessian @ basis.T, basis.T * edge, atol=1e-12)
    expected = -(eps**2) * torch.einsum("ij,ijd->d", loss.data["C"], loss.data["slopes"])
    assert torch.allclose(gradient, expected, atol=1e-15)
    for i in range(k):
        for j in range(k):
            slope = autodiff.third(loss.function, origin, basis[i], basis[j])
            across = slope - (basis @ slope) @ basis
            assert torch.allclose(across, loss.data["slopes"][i, j], atol=1e-12)
            assert float((hessian @ across).abs().max()) < 1e-12
    with pytest.raises(ValueError, match="at least 1"):
        block_quartic(0, 0, ETA, eps)
    with pytest.raises(ValueError, match="one for each"):
        block_quartic(2, 0, ETA, eps, below=(0.0,))


def test_the_reference_point_has_no_gradient_along_its_directions_and_the_slopes_of_its_block():
    loss = block_quartic(2, 7, ETA, 0.02, below=(0.0, 1.0)).function
    start = 0.01 * Draw(1).normal(8)
    here = block_reference(loss, start, ETA, 2)
    hessian = autodiff.hessian(loss, here.point)
    assert float((here.basis @ autodiff.gradient(loss, here.point)).abs().max()) < 1e-9
    block = here.basis @ hessian @ here.basis.T - 2 / ETA * torch.eye(2, dtype=torch.float64)
    assert torch.allclose(block, here.excess, atol=1e-11)
    x, w = here.coordinates(start)
    assert torch.allclose(here.point + x @ here.basis + w, start, atol=1e-15)
    assert float((here.basis @ w).abs().max()) < 1e-15
    v = Draw(2).normal(8)
    v = v - (here.basis @ v) @ here.basis
    step = 1e-4
    ahead, behind = (
        here.basis @ autodiff.hessian(loss, here.point + s * v) @ here.basis.T
        for s in (step, -step)
    )
    assert torch.allclose((ahead - behind) / (2 * step), here.slopes @ v, atol=1e-6)
    assert torch.allclose(here.alpha, -(here.slopes @ here.gradient))
    assert torch.allclose(here.beta, here.beta.permute(2, 3, 0, 1))


def test_the_limiting_covariance_is_what_the_loss_was_made_with():
    eps = 0.01
    for k in (1, 2, 3):
        loss = block_quartic(k, 3, ETA, eps)
        here = block_reference(loss.function, torch.zeros(loss.dim, dtype=torch.float64), ETA, k,
                               basis=loss.data["basis"])  # fmt: skip
        assert torch.allclose(here.limiting_covariance(), 2 * eps**2 * loss.data["C"], rtol=1e-9)


def test_one_direction_is_definition_7():
    loss = self_stabilising(6, 3, ETA, alpha=1e-4)
    origin = torch.zeros(6, dtype=torch.float64)
    start = 0.02 * Draw(5).normal(6)
    ours = SeveralDynamics(loss.function, origin, ETA, 1, every=None, linear=True)
    u = ours.reference.basis[0]
    ours.x, ours.w = u[None] @ start, start - torch.dot(u, start) * u
    # damian23 (6) with the reference point of the constrained trajectory: it moves by the drift
    hessian, gradient = autodiff.hessian(loss.function, origin), loss.data["gradL"]
    slope = autodiff.third(loss.function, origin, u, u)
    slope = slope - torch.dot(u, slope) * u
    alpha, beta = -torch.dot(gradient, slope), torch.dot(slope, slope)
    drift = gradient - torch.dot(gradient, u) * u + alpha / beta * slope
    across = torch.eye(6, dtype=torch.float64) - torch.outer(u, u)
    v = start
    for step in range(5):
        x, y = torch.dot(u, v), torch.dot(slope, v)
        push = ETA * (2 * alpha / beta - x**2) / 2 * slope
        v = across @ (v - ETA * hessian @ across @ v) + push - (1 + ETA * y) * x * u
        ours.step()
        # the drift is in the kernel of the Hessian and across grad S, so that it only adds up
        assert torch.allclose(ours.point + ETA * (step + 1) * drift, v, atol=1e-14)


def test_the_mean_of_the_squares_is_tied_to_the_change_of_the_block():
    k, steps = 2, 300
    loss = block_quartic(k, 3, ETA, 2.0**-6)
    start = displaced(loss, k, 2.0**-6)
    dynamics = SeveralDynamics(loss.function, start, ETA, k, every=None, linear=True)
    first, total = dynamics.block, torch.zeros(k, k, dtype=torch.float64)
    for _ in range(steps):
        total = total + torch.outer(dynamics.x, dynamics.x)
        dynamics.step()
    here = dynamics.reference
    lost = torch.einsum("ijkl,kl->ij", here.beta, total / steps) / 2
    gained = (dynamics.block - first) / (ETA * steps)
    # the slopes are in the kernel of the Hessian at the origin; the reference point is eps^2 off
    assert torch.allclose(here.alpha - lost, gained, atol=2e-2 * float(here.alpha.abs().max()))


@pytest.mark.parametrize(
    "k, below, exponents, linear",
    [
        (2, (0.0, 1.0), (4, 5, 6), True),
        (3, (0.0, 0.5, 1.0), (4, 5, 6), False),
    ],
)
def test_the_error_over_inverse_epsilon_steps_is_of_second_order(k, below, exponents, linear):
    errors, scales = [], [2.0**-e for e in exponents]
    for eps in scales:
        loss = block_quartic(k, 3, ETA, eps, below=below)
        start = displaced(loss, k, eps)
        dynamics = SeveralDynamics(loss.function, start, ETA, k, every=None, linear=linear)
        worst = 0.0
        for step in gd(loss.function, start, ETA, int(2.5 / eps)):
            dynamics.step()
            worst = max(worst, float((dynamics.point - step.after).norm()))
        errors.append(worst)
    slope = float(np.polyfit(np.log(scales), np.log(errors), 1)[0])
    assert 1.85 < slope < 2.3


def test_new_reference_points_change_nothing_but_the_error():
    eps = 2.0**-6
    loss = block_quartic(2, 3, ETA, eps)
    start = displaced(loss, 2, eps)
    ends = []
    for every in (None, 7):
        dynamics = SeveralDynamics(loss.function, start, ETA, 2, every=every)
        for _ in range(64):
            dynamics.step()
        ends.append(dynamics.point)
    assert dynamics.reference.point.norm() > 0
    assert float((ends[0] - ends[1]).norm()) < 8 * eps**2


@given(seed=st.integers(0, 2**20), k=st.integers(1, 4), extra=st.integers(0, 2))
@settings(max_examples=20, deadline=None)
def test_an_aligned_basis_spans_the_same_and_depends_only_on_the_span(seed, k, extra):
    draw = Draw(seed)
    rows, earlier = draw.orthogonal(8)[: k + extra], draw.orthogonal(8)[:k]
    found = aligned(rows, earlier)
    eye = torch.eye(k + extra, dtype=torch.float64)
    assert torch.allclose(found @ found.T, eye, atol=1e-12)
    assert torch.allclose(found.T @ found, rows.T @ rows, atol=1e-12)
    turned = aligned(draw.orthogonal(k + extra) @ rows, earlier)
    # Procrustes' solution is unique where the singular values are not tiny
    if float(torch.linalg.svdvals(earlier @ rows.T).min()) > 1e-3:
        assert torch.allclose(turned[:k], found[:k], atol=1e-9)
    assert torch.allclose(aligned(rows, rows), rows, atol=1e-12)


def test_fewer_vectors_than_before_cannot_be_aligned():
    with pytest.raises(ValueError, match="at least as many"):
        aligned(torch.eye(4, dtype=torch.float64)[:1], torch.eye(4, dtype=torch.float64)[:2])


def test_iterated_eigenvectors_give_the_same_reference_as_dense_ones():
    loss = block_quartic(2, 5, ETA, 0.02, below=(0.0, 3.0), bulk=12).function
    near = 0.005 * Draw(3).normal(18)
    found = [
        block_reference(loss, near, ETA, 2, pairs=TopPairs(dense_below=limit), tolerance=1e-9)
        for limit in (200, 0)
    ]
    assert torch.allclose(found[0].point, found[1].point, atol=1e-8)
    assert torch.allclose(found[0].excess.diagonal(), found[1].excess.diagonal(), atol=1e-7)


def test_a_loss_in_chunks_is_their_sum_and_products_are_counted():
    first, second = (block_quartic(2, 5, ETA, 0.02 * i).function for i in (1, 2))
    chunks = (lambda w: first(w) / 2, lambda w: second(w) / 2)
    start = 0.01 * Draw(4).normal(8)
    found = []
    for loss in (Objective(chunks, 8), lambda w: chunks[0](w) + chunks[1](w)):
        dynamics = SeveralDynamics(loss, start, ETA, 2, every=2, linear=True)
        before = dynamics.products
        for _ in range(2):
            dynamics.step()
        assert dynamics.products == before + 2
        dynamics.step()
        assert dynamics.products > before + 3
        found.append(dynamics.point)
    assert torch.allclose(*found, atol=1e-13)


def test_bad_input_and_faults_are_named():
    loss = block_quartic(2, 5, ETA, 0.02)
    origin = torch.zeros(loss.dim, dtype=torch.float64)
    for k in (0, loss.dim):
        with pytest.raises(ValueError, match=f"k = {k} directions"):
            block_reference(loss.function, origin, ETA, k)
    with pytest.raises(ValueError, match="eta"):
        block_reference(loss.function, origin, -1.0, 1)
    with pytest.raises(ValueError, match="every"):
        SeveralDynamics(loss.function, origin, ETA, 2, every=0)
    with pytest.raises(NoConvergence, match="reference point"):
        block_reference(loss.function, origin + 1e-3, ETA, 2, maximum=1)
    with pytest.raises(BecameNaN):
        block_reference(lambda w: (w * math.nan).sum(), origin, ETA, 1)
    dynamics = SeveralDynamics(loss.function, origin, ETA, 2, every=None)
    dynamics.x = torch.full((2,), 1e9, dtype=torch.float64)
    with pytest.raises(Diverged):
        dynamics.step()


def test_float32_is_followed_as_far_as_it_goes():
    eps = 2.0**-5
    loss = block_quartic(2, 3, ETA, eps)
    start = displaced(loss, 2, eps)
    wide = SeveralDynamics(loss.function, start, ETA, 2, every=None)

    def narrow(w):
        return loss.function(w.double()).to(w.dtype)

    short = SeveralDynamics(narrow, start.float(), ETA, 2, every=None)
    for _ in range(20):
        wide.step()
        short.step()
    assert short.point.dtype == torch.float32
    assert torch.allclose(short.point.double(), wide.point, atol=3e-4)
