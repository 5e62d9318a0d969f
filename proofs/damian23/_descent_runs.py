"""Autograd and real gradient steps for section 1: the simulations of ``descent``."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from eostheory.agree import Measured, Sample, derivatives
from eostheory.agree.torch import Rounding
from eostheory.formula import scalar, vector
from eostheory.numeric.autodiff import gradient, value
from eostheory.numeric.losses import Draw

from ._common import D, T, alpha, eta, gradL, gradS, hess, probe, sharpness, u
from ._flow import Table
from ._losses import drawn_loss
from ._section4_runs import exact, inner

ell = scalar("ell", r"\ell", positive=True)
loss_now = scalar("loss_now", r"L(\theta_t)")
loss_next = scalar("loss_next", r"L(\theta_{t+1})")
best = scalar("eta_best", r"\eta_*")
along_u = scalar("x_t", "x_t")
x_after = scalar("x_after", "x_{t+1}")
theta_now = vector("theta_now", D, r"\theta_t")
curve_loss = scalar("quadratic_loss", r"L(\theta_t)")
grad_alone = vector("grad_stationary", D, r"\nabla L")
multiplier_x = scalar("x_multiplier", "x")
one, two = vector("u_1", D, "u^1"), vector("u_2", D, "u^2")
direction = vector("direction", D, r"\dot\theta")
step = vector("step", D, r"\Delta\theta")
rate_11 = scalar("rate_11", r"\dot B_{11}")
rate_12 = scalar("rate_12", r"\dot B_{12}")
rate_22 = scalar("rate_22", r"\dot B_{22}")


def sharpness_at_point(sample: Sample) -> None:
    """The top eigenpair of a Hessian by autograd, against other directions."""
    loss = drawn_loss(sample, kernel=False, largest=6)
    sunk = sample.draw(st.sampled_from([0.0, 3 / loss.eta]), "curvature taken away")

    def lowered(theta: torch.Tensor) -> torch.Tensor:
        return loss.loss(theta) - sunk * ((theta - loss.star) ** 2).sum() / 2

    h = derivatives.hessian(lowered, loss.star)
    top = derivatives.top_eigenpair(h)
    table: Table = {hess: h, u: top.vector, sharpness: top.value}
    draw = Draw(sample.draw(st.integers(0, 2**20), "vector a"))
    axis = torch.as_tensor(np.asarray(top.vector.value))
    for size in (1.0, 1e-3):
        sample.observe({**table, probe: exact(axis + size * draw.normal(loss.dim))})


def sharpening(sample: Sample) -> None:
    """alpha by differences of the sharpness along -grad L."""
    loss = drawn_loss(sample, kernel=False, largest=3)
    g = derivatives.gradient(loss.loss, loss.star)
    table: Table = {u: loss.u, T: loss.t3.numpy(), gradL: g}
    slope = torch.as_tensor(np.asarray(g.value))
    size = float(slope.norm())

    def along(s: float) -> Measured:
        return derivatives.sharpness(loss.loss, loss.star - s / size * slope)

    rate = size * derivatives.derivative(along, step=2.0**-5)
    bend = derivatives.third(loss.loss, loss.star, loss.u, loss.u)
    sample.observe({**table, gradS: bend, alpha: rate})


def sharpness_slope(sample: Sample) -> None:
    """The gradient of the sharpness by differences, at a generic point."""
    loss = drawn_loss(sample, kernel=False, largest=3)
    top = derivatives.top_eigenpair(derivatives.hessian(loss.loss, loss.star))
    slope = derivatives.sharpness_gradient(loss.loss, loss.star, step=2.0**-5)
    sample.observe({gradS: slope, u: top.vector, T: loss.t3.numpy()})


def descent(sample: Sample) -> None:
    """One step on a loss with bounded curvature: a quadratic, or one with waves on it."""
    dim = sample.draw(st.integers(2, 20), "d")
    draw = Draw(sample.draw(st.integers(0, 2**20), "seed"))
    rate = float(draw.uniform(0.05, 3.0, 1)[0])
    turn, top = draw.orthogonal(dim), float(draw.uniform(0.5, 2.0, 1)[0])
    spectrum = draw.uniform(-top, top, dim)
    spectrum[0] = top
    h = turn @ torch.diag(spectrum) @ turn.T
    bound = top * (1 if sample.holds("bounded") else 0.5)
    waves = 0.5 * float(draw.uniform(0.0, 1.0, 1)[0])
    axis = turn[:, 0]
    for size, point, base in ((0.0, axis, 3.0), (waves, draw.normal(dim), 0.0), (0.0, axis, -3.0)):

        def loss(w: torch.Tensor, size: float = size, base: float = base) -> torch.Tensor:
            # the waves bend by at most |size|
            return torch.dot(w, h @ w) / 2 + size * torch.cos(w[0]) + base

        with Rounding() as bounds:
            slope = gradient(loss, point)
            before, after = value(loss, point), value(loss, point - rate * slope)
            found = {gradL: bounds(slope), loss_now: bounds(before), loss_next: bounds(after)}
        # the spectrum is exact up to rounding of the rotation
        slack = 2.0**-48 * top * dim
        table: Table = {eta: rate, ell: Measured(bound + size, slack)}
        sample.observe({**table, **found})


def best_rate(sample: Sample) -> None:
    """Minimise the guaranteed decrease numerically."""
    bound = sample.draw(st.floats(0.3, 4.0), "ell")
    found = minimize_scalar(
        lambda e: -e * (2 - e * bound), bounds=(0, 4 / bound), method="bounded",
        options={"xatol": 1e-10},
    )  # fmt: skip
    place = Measured(float(found.x), 1e-7)
    for rate in (0.5, 1.0, 1.0 + 1e-4, 1.5):
        sample.observe({ell: bound, best: place, eta: rate / bound})


def beyond(sample: Sample) -> None:
    """Ten steps of gradient descent on a convex quadratic."""
    dim = sample.draw(st.integers(2, 20), "d")
    draw = Draw(sample.draw(st.integers(0, 2**20), "seed"))
    spectrum = draw.uniform(0.0, 1.0, dim)
    if not sample.holds("semidefinite"):
        spectrum = -4 * spectrum
    spectrum[0] = 1.0 + float(draw.uniform(0.1, 1.0, 1)[0])
    top = float(spectrum[0])
    factor = 1.0001 if sample.holds("above") else 0.9
    theta = draw.normal(dim)
    if not sample.holds("moving"):
        theta[0] = 0.0
    rate = factor * 2 / top
    for _ in range(4):
        slope = spectrum * theta
        after = theta - rate * slope
        size = 1 + float(theta.abs().max() + slope.abs().max())
        off = 2.0**-46 * size**2 * dim
        axis = torch.zeros(dim, dtype=torch.float64)
        axis[0] = 1.0
        table: Table = {eta: rate, ell: top, u: axis, theta_now: exact(theta)}
        table |= {along_u: float(theta[0]), x_after: Measured(float(after[0]), off)}
        found = float((spectrum * theta**2).sum()) / 2
        sample.observe({**table, curve_loss: Measured(found, off), hess: torch.diag(spectrum)})
        theta = after


def stationary(sample: Sample) -> None:
    """A loss with -grad L = mu grad S at its reference point on the edge."""
    aligned = sample.holds("aligned")
    loss = drawn_loss(sample, kernel=aligned, largest=6)
    bend = derivatives.third(loss.loss, loss.star, loss.u, loss.u)
    slope = torch.as_tensor(np.asarray(bend.value))
    mu = sample.draw(st.floats(0.2, 2.0), "mu")

    def tilted(theta: torch.Tensor) -> torch.Tensor:
        w = theta - loss.star
        return loss.loss(theta) - torch.dot(loss.g + mu * slope, w)

    found = derivatives.gradient(tilted, loss.star)
    off = Measured(np.asarray(found.value), np.asarray(found.error) + mu * np.asarray(bend.error))
    sample.observe({u: loss.u, gradS: bend, grad_alone: off})


def block(sample: Sample) -> None:
    """The rates of the block of the Hessian along a projected gradient step."""
    dim = sample.draw(st.integers(6, 9), "d")
    draw = Draw(sample.draw(st.integers(0, 2**20), "seed"))
    rate = float(draw.uniform(0.3, 1.5, 1)[0])
    turn = draw.orthogonal(dim)
    spectrum = draw.uniform(-1.0, 1.0, dim) / rate
    spectrum[0] = spectrum[1] = 2 / rate
    h = turn @ torch.diag(spectrum) @ turn.T
    rows, g = draw.normal(4, dim), draw.normal(dim)

    def loss(w: torch.Tensor) -> torch.Tensor:
        return torch.dot(g, w) + torch.dot(w, h @ w) / 2 + ((rows @ w) ** 3).sum() / 6

    a, b = turn[:, 0], turn[:, 1]
    origin = torch.zeros(dim, dtype=torch.float64)
    tensor = torch.einsum("ki,kj,kl->ijl", rows, rows, rows)
    entries = ((a, a), (a, b), (b, b))
    span = torch.linalg.qr(torch.stack([tensor @ p @ q for p, q in entries], 1))[0]
    move = -rate * gradient(loss, origin)
    if sample.holds("projected"):
        move = move - span @ (span.T @ move)
    along = draw.normal(dim)

    def entry(s: float) -> Measured:
        around = derivatives.hessian(loss, s * along)
        found = [inner(exact(p), around @ exact(q)) for p, q in entries]
        return Measured(
            np.array([f.value for f in found]), np.array([f.error for f in found]) + 2.0**-44
        )

    rates = derivatives.derivative(entry, step=2.0**-3)
    values, errors = np.asarray(rates.value), np.asarray(rates.error)
    table: Table = {eta: rate, gradL: exact(g), T: tensor.numpy(), direction: along}
    table |= {one: exact(a), two: exact(b), step: Measured(move.numpy(), 2.0**-42)}
    for k, letter in enumerate((rate_11, rate_12, rate_22)):
        table[letter] = Measured(float(values[k]), float(errors[k]))
    sample.observe(table)
