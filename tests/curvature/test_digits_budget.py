"""What tracking costs on a real network, in Hessian-vector products (8k parameters, digits)."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from eostheory.curvature import Products, Tracker

SIZES = (64, 64, 48, 10)


def digits(dtype):
    """The squared error of a tanh network on all of the digits, and a start."""
    inputs, labels = load_digits(return_X_y=True)
    inputs = (inputs - inputs.mean(0)) / (inputs.std(0) + 1e-8)
    x = torch.from_numpy(inputs).to(dtype)
    y = torch.nn.functional.one_hot(torch.from_numpy(labels), 10).to(dtype)
    shapes = list(pairwise(SIZES))

    def loss(w):
        hidden, at = x, 0
        for i, (a, b) in enumerate(shapes):
            weight, bias = w[at : at + a * b].view(b, a), w[at + a * b : at + a * b + b]
            hidden, at = torch.addmm(bias, hidden, weight.T), at + a * b + b
            hidden = torch.tanh(hidden) if i < 2 else hidden
        return ((hidden - y) ** 2).sum(1).mean() / 2

    draw = torch.Generator().manual_seed(0)
    start = [
        torch.cat([torch.randn(a * b, generator=draw) / a**0.5, torch.zeros(b)]) for a, b in shapes
    ]
    return loss, torch.cat(start).to(dtype)


@cache
def descend(eta, steps):
    """Where gradient descent comes to, in float32, whatever the dtype that goes on from there."""
    loss, w = digits(torch.float32)
    for _ in range(steps):
        leaf = w.clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(loss(leaf), leaf)
        w = w - eta * gradient
    return w


@pytest.mark.slow
@pytest.mark.parametrize(
    "eta, before, dtype, budget",
    [
        (0.1, 150, torch.float64, 6),  # below the edge, sharpening
        (0.1, 150, torch.float32, 6),
        (0.5, 100, torch.float64, 17),  # several eigenvalues at the edge, gaps of 1 %
    ],
)
def test_products_per_step_stay_within_the_budget(eta, before, dtype, budget):
    loss, _ = digits(dtype)
    w = descend(eta, before).to(dtype)
    tracker, spent = Tracker(), []
    for _ in range(14):
        with Products(loss, w) as products:
            found = tracker(products)
            spent.append(found.products)
            assert products.count == found.products
            w = w - eta * products.gradient
        floor = 64 * torch.finfo(dtype).eps
        assert float(found.residuals[0]) <= max(1e-8, floor) * float(found.values[0])
    # The first steps fill the history; the cold check comes every 50 steps and is shared by them.
    warm = spent[6:]
    assert np.mean(warm) + 2 * tracker.cold_products / tracker.cold_every <= budget
    assert np.percentile(warm, 90) <= budget
    if eta == 0.5:
        assert float(found.values[0]) > 0.9 * 2 / eta
