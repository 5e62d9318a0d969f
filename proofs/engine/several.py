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

from dataclasses import replace
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
    norm2,
    scalar,
    vector,
)
from eostheory.numeric import autodiff
from eostheory.numeric.losses import Draw

from . import _several as v
from ._several import T, U, a, b, eta, r

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.symbolic import Model

# ---------------------------------------------------------------------------------- two steps
along = vector("v", "d", "v")
rate_of_block = scalar("block_rate", r"\frac{d}{ds}\langle Ua, \nabla^2 L(\theta^*+sv) Ub\rangle")
slope = Equation(rate_of_block, dot(T(U @ a, U @ b), along))
x_two_steps = OrderBound(v.x_two, v.x + 2 * eta * (r * (v.K @ v.x) + U.T @ T(v.w, U @ v.x)), r**3)
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
            bent = autodiff.hessian(block.loss(0.5), s * direction)
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


# ------------------------------------------------------------------------------- one direction
x_now, x_next = scalar("x_now", "x_t"), scalar("x_next", "x_{t+1}")
y_now, y_next = scalar("y_now", "y_t"), scalar("y_next", "y_{t+1}")
alpha, beta = scalar("alpha", r"\alpha"), scalar("beta", r"\beta")
one_direction = {
    "x": Equation(x_next, -(1 + eta * y_now) * x_now),
    "y": Equation(y_next, y_now + eta * (alpha - beta * x_now**2 / 2)),
}


def derive_one_direction(m: Model) -> None:
    """The rule for k directions, with U = u and K = 0."""
    m.uses("engine/several.slope")
    u, aside, moved = vector("u", "d"), vector("w_aside", "d"), vector("w_moved", "d")
    m.fully_symmetric(T)
    m.relation(norm2(u), 1, by="unit eigenvector")
    bent = T(u, u) - dot(u, T(u, u)) * u
    m.relation(v.H @ u, (2 / eta) * u, by="on the edge")
    m.relation(v.H @ T(u, u), dot(u, T(u, u)) * (v.H @ u), by="slope in the kernel")
    m.define(alpha, -dot(v.gradL, bent))
    m.define(beta, norm2(bent))
    m.define(y_now, dot(bent, aside))
    m.define(x_next, -x_now - eta * (x_now * y_now))
    push = v.gradL - dot(u, v.gradL) * u + x_now**2 / 2 * bent
    m.define(moved, aside - eta * (v.H @ aside) - eta * push)
    m.define(y_next, dot(bent, moved))


def simulate_one_direction(sample: Sample) -> None:
    """The rules for k = 1 on a quartic whose slope is in the kernel, derivatives by autograd."""
    block = v.drawn_block(sample, slopes_flat=True, transverse=False, k=1)
    block = replace(block, K=torch.zeros(1, 1, dtype=torch.float64))
    place, aside = drawn_displacement(sample, block)
    one = torch.ones(1, dtype=torch.float64)
    with Rounding() as rounding:
        rule = block.rule()
        rates = {alpha: rule.gained(one, one), beta: rule.lost(one, one, one)}
        for _ in range(3):
            before = {x_now: place[0], y_now: rule.block(aside)[0, 0]}
            place, aside = rule.step(place, aside)
            after = {x_next: place[0], y_next: rule.block(aside)[0, 0]}
            measured = {k: rounding(t) for k, t in (before | after | rates).items()}
            sample.observe({eta: block.eta, **measured})


def drawn_displacement(sample: Sample, block: v.Block) -> tuple[torch.Tensor, torch.Tensor]:
    """x and w, somewhere off the reference point."""
    draw = Draw(sample.draw(st.integers(0, 2**20), "displacement"))
    return draw.uniform(0.2, 0.6, block.k), v.across_first(0.2 * draw.normal(block.dim), block.k)


# ---------------------------------------------------------------------------------- averages
steps = scalar("T", "T", positive=True)
A_ab = scalar("A_ab", "A(a, b)")
sigma = scalar("sum_ab", r"\sum_{t<T} B[x_t x_t^T](a, b)")
lost = [scalar(f"lost_{t}", rf"B[x_{t} x_{t}^T](a, b)") for t in range(2)]
lost_now = scalar("lost_T", r"B[x_T x_T^T](a, b)")
Y_0, Y_2, Y_T, Y_next = (scalar(f"Y_{t}", f"Y_{{{t}}}(a, b)") for t in ("0", "2", "T", "T+1"))
averages = {
    "T = 2": Equation(A_ab - (lost[0] + lost[1]) / 2 / 2, (Y_2 - Y_0) / (2 * eta)),
    "step": Equation(
        A_ab - (sigma + lost_now) / (steps + 1) / 2, (Y_next - Y_0) / (eta * (steps + 1))
    ),
}


def derive_averages(m: Model) -> None:
    """Two steps of the rule; and the step from T to T + 1, given the statement for T."""
    m.define(Y_2, Y_0 + eta * (A_ab - lost[0] / 2) + eta * (A_ab - lost[1] / 2))
    m.define(Y_T, Y_0 + eta * steps * (A_ab - sigma / steps / 2))
    m.step("the statement for T, solved for Y_T")
    m.define(Y_next, Y_T + eta * (A_ab - lost_now / 2))


def simulate_averages(sample: Sample) -> None:
    """The rules for two or three directions, derivatives by autograd."""
    k = sample.draw(st.integers(2, 3), "k")
    block = v.drawn_block(sample, slopes_flat=True, transverse=False, k=k)
    place, aside = drawn_displacement(sample, block)
    draw = Draw(sample.draw(st.integers(0, 2**20), "a, b"))
    left, right = draw.normal(k), draw.normal(k)
    count = sample.draw(st.integers(2, 6), "T")
    with Rounding() as rounding:
        rule = block.rule()
        heights, drops = [torch.dot(left, rule.block(aside) @ right)], []
        for _ in range(count + 1):
            drops.append(rule.lost(left, right, place))
            place, aside = rule.step(place, aside)
            heights.append(torch.dot(left, rule.block(aside) @ right))
        table = {A_ab: rule.gained(left, right), sigma: torch.stack(drops[:count]).sum(),
                 Y_0: heights[0], lost[0]: drops[0], lost[1]: drops[1], lost_now: drops[count],
                 Y_2: heights[2], Y_T: heights[count], Y_next: heights[count + 1]}  # fmt: skip
        measured = {letter: rounding(value) for letter, value in table.items()}
    sample.observe({eta: block.eta, steps: count, **measured})


# --------------------------------------------------------------------------------- fixed points
c11, c12, c22 = (scalar(f"c_{i}", f"c_{{{i}}}") for i in ("11", "12", "22"))
rank_one = Equation(c11 * c22, c12**2)
REST = {"at rest": "A = B[x x^T]/2"}


def derive_rank_one(m: Model) -> None:
    """B[C] = A = B[x x^T]/2, and B is invertible."""
    x_one, x_two = scalar("x_1"), scalar("x_2")
    slopes = [vector(f"s_{i}", "d") for i in ("11", "12", "22")]
    square = [x_one**2 / 2, x_one * x_two / 2, x_two**2 / 2]
    for letter, entry in zip((c11, c12, c22), square, strict=True):
        m.relation(letter, entry, by="at rest")
    found = c11 * slopes[0] + 2 * c12 * slopes[1] + c22 * slopes[2]
    lost_there = square[0] * slopes[0] + 2 * square[1] * slopes[1] + square[2] * slopes[2]
    for slope_there in slopes:
        same = m.decide(Equation(dot(slope_there, found), dot(slope_there, lost_there)))
        if same.outcome != "holds" and "at rest" not in m.withheld:
            raise AssertionError("C = x x^T/2 does not solve B[C] = B[x x^T]/2")
    m.step(
        "with independent slopes B[M] = 0 gives |sum M_ij s_ij|^2 = <M, B[M]> = 0, so M = 0: "
        "C = x x^T/2 is the only solution of B[C] = B[x x^T]/2"
    )


def simulate_rank_one(sample: Sample) -> None:
    """C by least squares from drawn slopes and the gradient that holds x at rest."""
    draw = Draw(sample.draw(st.integers(0, 2**20), "seed"))
    slopes = draw.normal(3, 6).numpy()
    place = draw.normal(2).numpy()
    weights = np.array([1.0, 2.0, 1.0])
    square = np.array([place[0] ** 2, place[0] * place[1], place[1] ** 2]) / 2
    if not sample.holds("at rest"):
        square = draw.normal(3).numpy()
    rates = slopes @ slopes.T @ (weights * square)
    gram = slopes @ slopes.T * weights
    slack = 256 * float(np.linalg.cond(gram)) * 2.0**-53
    found = np.linalg.solve(gram, rates)
    errors = slack * (1 + np.abs(found).max())
    sample.observe(
        {c: Measured(float(f), errors) for c, f in zip((c11, c12, c22), found, strict=True)}
    )


# -------------------------------------------------------------------------------------- claims
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
    Claim(
        "engine/several.one-direction",
        one_direction,
        derive=derive_one_direction,
        simulate=simulate_one_direction,
        reading="'The rules' are those that training/several.py runs, here with derivatives by "
        "autograd; the slope is in the kernel of the Hessian, as section 4 of damian23 assumes.",
    ),
    Claim(
        "engine/several.mean",
        averages,
        derive=derive_averages,
        simulate=simulate_averages,
        reading="Entry by entry, M(a, b) = <a, M b>; written out for T = 2, and 'step' is the step "
        "of the induction from T to T + 1.",
    ),
    Claim(
        "engine/several.no-fixed-point",
        rank_one,
        hypotheses=REST,
        derive=derive_rank_one,
        simulate=simulate_rank_one,
    ),
]
