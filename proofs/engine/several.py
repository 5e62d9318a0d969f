r"""Several directions at the edge of stability: what two steps of gradient descent do.

Setting:  theta - theta* = U x + w near a reference point whose Hessian has k eigenvalues near
          2/eta, H U = U ((2/eta) I + r K); Y is the block U^T Hess L(theta) U less 2/eta.
Claims:   the slope of the block; x and Y over two steps, with remainders of third order; what is
          left for one direction; averages, fixed points and conserved quantities of
          x' = -(I + eta Y) x, Y' = Y + eta (A - B[x x^T]/2).

The rule leaves out U^T T(U x, U x)/2, which is of second order like what it keeps.  It is even in
x, and x changes sign, so that it cancels over two steps; the same holds for T(U x, w) across U.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from hypothesis import strategies as st

from eostheory.agree import Measured, derivatives
from eostheory.agree.torch import Rounding
from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    OrderBound,
    dot,
    log,
    matrix,
    norm2,
    outer,
    scalar,
    trace,
    vector,
)
from eostheory.numeric.dynamics import gd_step
from eostheory.numeric.flows import integrate
from eostheory.numeric.losses import Draw
from eostheory.numeric.toys import symmetric

from . import _several as v
from ._several import T, U, a, b, eta, r

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.symbolic import Model

# ---------------------------------------------------------------------------------- two steps
along = vector("v", "d", "v")
rate_of_block = scalar("block_rate", r"\frac{d}{ds}\langle Ua, \nabla^2 L(\theta^*+sv) Ub\rangle")
slope = Equation(rate_of_block, dot(T(U @ a, U @ b), along))
x_two_steps = OrderBound(
    v.x_two, v.x + 2 * eta * (r * (v.K @ v.x) + U.T @ T(v.w, U @ v.x)), r**3
)
y_two_steps = OrderBound(
    v.y_two,
    v.y + 2 * eta * (-dot(v.gradL, v.s_ab) - dot(v.s_ab, T(U @ v.x, U @ v.x)) / 2),
    r**3,
)


def derive_slope(m: Model) -> None:
    """The loss by its Taylor polynomial; differentiated twice along U, once along v."""
    m.fully_symmetric(T)
    place = vector("place", "d")
    cubic = dot(v.gradL, place) + dot(place, v.H @ place) / 2 + dot(T(place, place), place) / 6
    twice = m.differentiate(m.differentiate(cubic, place, U @ a), place, U @ b)
    m.define(rate_of_block, m.differentiate(twice, place, along))
    m.step("higher terms of Taylor's formula vanish at the reference point")


def simulate_slope(sample: Sample) -> None:
    """Differences of second derivatives by autograd."""
    block = v.drawn_block(sample, slopes_flat=False, transverse=False)
    draw = Draw(sample.draw(st.integers(0, 2**20), "directions"))
    left, right, direction = draw.normal(block.k), draw.normal(block.k), draw.normal(block.dim)
    place = torch.eye(block.dim, dtype=torch.float64)[:, : block.k]

    def at(s: float) -> Measured:
        with Rounding() as rounding:
            bent = derivatives.autodiff.hessian(block.loss(0.5), s * direction)
            return rounding(torch.dot(place @ left, bent @ (place @ right)))

    measured = derivatives.derivative(at, step=2.0**-5)
    sample.observe(
        {T: block.T.numpy(), U: place, a: left, b: right, along: direction, rate_of_block: measured}
    )


def derive_x(m: Model) -> None:
    """Two steps, along U."""
    v.reference(m)
    m.define(v.x_two, U.T @ v.two_steps(m))


def derive_y(m: Model) -> None:
    """Two steps, across U, paired with the slope of the block."""
    m.uses("engine/several.slope")
    v.reference(m)
    bent = T(U @ a, U @ b)
    m.relation(v.H @ bent, v.H @ (U @ (U.T @ bent)), by="slope in the kernel")
    m.relation(T(v.omega, v.omega), U @ v.bend, by="transverse")
    m.define(v.y, v.block_of(v.w))
    m.define(v.y_two, v.block_of(v.across(v.two_steps(m))))


# ------------------------------------------------------------------------- what follows from it
MORE = {"quick": 4, "default": 12, "thorough": 40}
CLAIMS = [
    Claim("engine/several.slope", slope, derive=derive_slope, simulate=simulate_slope),
    Claim(
        "engine/several.x-two-steps",
        x_two_steps,
        hypotheses=v.EDGE | v.KERNEL,
        derive=derive_x,
        simulate=partial(v.run, asks=("edge", "kernel")),
        examples=MORE,
    ),
    Claim(
        "engine/several.y-two-steps",
        y_two_steps,
        hypotheses=v.EDGE | v.KERNEL | v.SLOPE | v.TRANSVERSE,
        derive=derive_y,
        simulate=partial(v.run, asks=tuple(v.EDGE | v.KERNEL | v.SLOPE | v.TRANSVERSE)),
        examples=MORE,
    ),
]
