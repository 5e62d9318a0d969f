"""Real steps of the constrained trajectory: the simulations of ``constrained``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from hypothesis import strategies as st

from eostheory.agree import Measured, Sample, derivatives
from eostheory.formula import matrix, scalar, vector
from eostheory.numeric import autodiff
from eostheory.numeric.losses import Draw

from ._common import D, eta, gradL, gradS, sharpness, u
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
