"""Real steps of the constrained trajectory: the simulations of ``constrained``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import permutations

import numpy as np
import torch
from hypothesis import strategies as st

from eostheory.agree import Measured, Sample, derivatives
from eostheory.formula import matrix, scalar, vector
from eostheory.numeric import autodiff
from eostheory.numeric.losses import Draw

from ._common import D, eta, gradL, gradS, sharpness, u
from ._constants import c
from ._flow import Table
from ._losses import SelfStabilising, drawn_loss
from ._section4_runs import exact
from ._toy import constrained

dagger = vector("theta_dagger", D, r"\theta_t^\dagger")
dagger_next = vector("theta_dagger_next", D, r"\theta_{t+1}^\dagger")
target = vector("target", D, r"\theta'")
normal = vector("normal", D, r"\nabla[\nabla L\cdot u]")
turn = matrix("grad_u", D, D, r"\nabla u_{t+1}")
u_next = vector("u_after", D, "u_{t+1}")
grad_next = vector("grad_next", D, r"\nabla L_{t+1}")
sharpness_next = scalar("S_next", "S_{t+1}")
perp = vector("gradS_perp", D, r"\nabla S_t^\perp")
s = vector("s_t", D, "s_t")
x = scalar("x", "x")
y = scalar("y", "y")
x_prime = scalar("x_prime", "x'")
y_prime = scalar("y_prime", "y'")

size = scalar("size_L", r"\|\nabla L_t\|", positive=True)
part = scalar("p", r"\|P_{u_t,\nabla S_t}^\perp\nabla L_t\|", nonnegative=True)
gamma = scalar("gamma", r"\gamma", positive=True)
K = scalar("K", "K", positive=True)
K_far = scalar("K_gamma", r"K_\gamma", positive=True)

loss_now = scalar("loss", r"L(\theta_t^\dagger)")
loss_next = scalar("loss_next", r"L(\theta_{t+1}^\dagger)")
omega = scalar("omega", r"\Omega", positive=True)

Cubic = Callable[[torch.Tensor], torch.Tensor]


def gentle(sample: Sample, largest: int) -> SelfStabilising:
    """A loss with small gradient, so that epsilon is small; theta* lies in M."""
    loss = drawn_loss(sample, kernel=True, largest=largest)
    return replace(loss, g=0.02 * loss.g)


def projection(sample: Sample) -> None:
    """One projected step from theta*, or no projection but a step too far."""
    loss = gentle(sample, largest=3)
    g = derivatives.gradient(loss.loss, loss.star)
    slope = torch.as_tensor(np.asarray(g.value))
    aim = loss.star - loss.eta * slope
    (found, residual), *_ = constrained(loss.loss, loss.star, loss.eta, 1)
    if not sample.holds("projection on M"):
        found = aim + 2 * (loss.star - aim)
    off = 4 * residual + 2.0**-40
    fixed: Table = {eta: loss.eta, gradL: exact(slope)}
    for part in (-0.5, 0.5, 1.5, -1.5):
        # the same loss elsewhere: everything moves along
        shift = part * loss.eta * slope - loss.star
        table: Table = {dagger: Measured((loss.star + shift).numpy(), 2.0**-48)}
        table |= {target: Measured((aim + shift).numpy(), 2.0**-48)}
        sample.observe({**fixed, **table, dagger_next: Measured((found + shift).numpy(), off)})


def normal_vector(sample: Sample) -> None:
    """The gradient of grad L . u by differences, and the Jacobian of u."""
    loss = drawn_loss(sample, kernel=False, largest=4)

    def axis(at: torch.Tensor) -> torch.Tensor:
        h = autodiff.hessian(loss.loss, at)
        found: torch.Tensor = torch.linalg.eigh((h + h.T) / 2)[1][:, -1]
        return found if float(torch.dot(found, loss.u)) > 0 else -found

    slopes, columns = [], []
    for e in torch.eye(loss.dim, dtype=torch.float64):

        def along(t: float, e: torch.Tensor = e) -> Measured:
            at = loss.star + t * e
            a = axis(at)
            value = torch.dot(autodiff.gradient(loss.loss, at), a)
            both = np.append(a.numpy(), float(value))
            return Measured(both, 2.0**-45 * (1 + np.abs(both)))

        found = derivatives.derivative(along, step=2.0**-7)
        values, errors = np.asarray(found.value), np.asarray(found.error)
        columns.append((values[:-1], errors[:-1]))
        slopes.append((values[-1], errors[-1]))
    jacobian = Measured(np.array([c[0] for c in columns]).T, np.array([c[1] for c in columns]).T)
    slope = Measured(np.array([c[0] for c in slopes]), np.array([c[1] for c in slopes]))
    table: Table = {u_next: exact(loss.u), turn: jacobian, normal: slope}
    table |= {sharpness_next: Measured(2 / loss.eta, 2.0**-48 / loss.eta)}
    sample.observe({**table, grad_next: derivatives.gradient(loss.loss, loss.star)})


def variables(sample: Sample) -> None:
    """x S u + y grad S on real Taylor data, split by least squares."""
    loss = drawn_loss(sample, kernel=False, largest=6)
    bend = derivatives.third(loss.loss, loss.star, loss.u, loss.u)
    draw = Draw(sample.draw(st.integers(0, 2**20), "multipliers"))
    a, b = (float(v) for v in draw.normal(2))
    slope = torch.as_tensor(np.asarray(bend.value))
    across = slope - torch.dot(slope, loss.u) * loss.u
    top = 2 / loss.eta
    total = a * top * loss.u + b * slope
    frame = torch.stack([loss.u, across / across.norm()], 1).numpy()
    found = np.linalg.lstsq(frame, total.numpy(), rcond=None)[0]
    off = 2.0**-40 * (1 + float(total.norm()))
    table: Table = {u: exact(loss.u), gradS: exact(slope), perp: Measured(across.numpy(), 2.0**-44)}
    table |= {x: a, y: b, sharpness: Measured(top, 2.0**-50 * top)}
    table |= {x_prime: Measured(float(found[0]), off), y_prime: Measured(float(found[1]), off)}
    sample.observe(table)


def alignment(sample: Sample) -> None:
    """|grad L| and its part off u and grad S: in two dimensions nothing is left of it."""
    far = sample.holds("not aligned")
    loss = drawn_loss(sample, kernel=True, largest=12 if far else 2)
    g = np.asarray(derivatives.gradient(loss.loss, loss.star).value)
    bend = np.asarray(derivatives.third(loss.loss, loss.star, loss.u, loss.u).value)
    axis = bend / np.linalg.norm(bend)
    left = g - axis * (axis @ g)
    whole, rest = float(np.linalg.norm(g)), float(np.linalg.norm(left))
    off = 2.0**-44 * (1 + whole)
    if far and rest < 1e-3 * whole:
        sample.reject("aligned")
    constant = whole / rest if far else 10.0
    table: Table = {size: Measured(whole, off), part: Measured(rest, off)}
    sample.observe({**table, K_far: Measured(constant, constant * 2.0**-30 if far else 0.0)})


def descent(sample: Sample) -> None:
    """One real step of the constrained trajectory, and its loss before and after."""
    if sample.holds("not aligned"):
        gently = gentle(sample, largest=5)
        if gently.dim < 4:
            sample.reject("no direction is left")
        start, rate, limit = gently.star, gently.eta, 1.7
        function: Cubic = gently.loss
        g, bend, axis = gently.g, gently.t3 @ gently.u @ gently.u, gently.u
    else:
        rate, limit = 1.0, 0.5
        function, g, bend, axis = stationary_loss(sample.draw(st.floats(0.3, 1.0), "tilt"))
        start = torch.zeros(3, dtype=torch.float64)
    across = bend - torch.dot(bend, axis) * axis
    across = across / across.norm()
    left = g - torch.dot(g, across) * across
    (found, residual), *_ = constrained(function, start, rate, 1)
    for base in (0.0, 1.0, -1.0):
        before, after = (float(function(at)) for at in (start, found))
        # the step is orthogonal to the level of the constraints up to its residual
        off = 2.0**-44 + 4 * residual
        table: Table = {loss_now: Measured(base + before, off), eta: rate, c: limit}
        table |= {loss_next: Measured(base + after, off), omega: (2 - limit) / 4}
        sample.observe({**table, part: Measured(float(left.norm()), 2.0**-46)})


def at_rest() -> Fraction:
    """The length p of P grad L at a stationary point of the constrained problem, exactly.

    eta = 1, the point is 0, u = e_0, the Hessian diag(2, 0, 0), and the third derivative has the
    entries T_000 = 190/99, T_001 = 1 and T_012 = 1, so that grad S = (190/99, 1, 0).
    """
    x_, y_ = Fraction(-1, 5), Fraction(99, 500)
    g = (Fraction(0), Fraction(-1, 5), Fraction(-1, 50))
    bend = (Fraction(190, 99), Fraction(1), Fraction(0))
    # grad u^T grad L = T(u, (2 - H)^+ grad L), with (2 - H)^+ = diag(0, 1/2, 1/2)
    turned = (g[1] / 2, g[2] / 2, g[1] / 2)
    top = (2, 0, 0)
    for k in range(3):
        if -g[k] != x_ * (top[k] + turned[k]) + y_ * bend[k]:
            raise ArithmeticError("the point is not stationary")
    # off u = e_0 and the part of grad S orthogonal to it, which is along e_1
    return abs(g[2])


def stationary_loss(tilt: float) -> tuple[Cubic, torch.Tensor, torch.Tensor, torch.Tensor]:
    """A cubic loss with a stationary point of the constrained problem at 0, eta = 1.

    grad S = (tilt, 1, 0) there; grad L solves -grad L = x (2 u + grad u^T grad L) + y grad S with
    grad L . u = 0, and has a component off u and grad S: p > 0.
    """
    third = torch.zeros(3, 3, 3, dtype=torch.float64)
    for entry, value in (((0, 0, 0), tilt), ((0, 0, 1), 1.0), ((0, 1, 2), 0.8)):
        for place in permutations(entry):
            third[place] = value
    h = torch.diag(torch.tensor([2.0, 0.0, -0.3], dtype=torch.float64))
    inverse = torch.diag(torch.tensor([0.0, 1 / 2.0, 1 / 2.3], dtype=torch.float64))
    multiplier = 0.05
    g = torch.tensor([0.0, -multiplier, 0.0], dtype=torch.float64)
    for _ in range(100):
        turned = third[0] @ (inverse @ g)
        other = -multiplier * tilt / (2 + float(turned[0]))
        g = -other * turned - multiplier * third[0, 0]
        g[0] = 0.0

    def loss(w: torch.Tensor) -> torch.Tensor:
        return torch.dot(g, w) + torch.dot(w, h @ w) / 2 + torch.dot((third @ w) @ w, w) / 6

    axis = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    return loss, g, third[0, 0], axis
