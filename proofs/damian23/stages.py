r"""What the simplified map of eq. (3) does to the signs and sizes of x and y, stage by stage.

Setting:  the cubic model of section 4.1 in any dimension: x' = -(1 + eta y) x and
          y' = y + eta (alpha - beta x^2/2), exactly.
Claims:   |x| grows when y > 0 (stage 2) and shrinks when y < 0 (stage 4); the sharpness falls once
          x > sqrt(2 alpha/beta) (stage 3); x changes sign at every step (section 4.2).
Source:   Damian, Nichani, Lee, arXiv:2209.15594, sections 4.1 and 4.2.

Two of these lack a hypothesis.  |x| shrinks only while -2/eta < y < 0, that is while the sharpness
2/eta + y is positive, and x changes sign only while y > -1/eta.  Neither is far-fetched: eq. (4)
takes |y| up to sqrt(2 alpha log(delta/X(0))), which passes 1/eta when eta sqrt(alpha) is not small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from hypothesis import strategies as st

from eostheory.agree import Measured, Sample, derivatives
from eostheory.agree.torch import Rounding
from eostheory.claims import Claim
from eostheory.formula import Equation, Inequality, absolute, as_expr, sign, sqrt
from eostheory.numeric.autodiff import gradient
from eostheory.numeric.losses import Draw

from ._common import alpha, beta, eta, x, x_next, y, y_next
from ._flow import Table
from ._jet import scalar_map
from ._losses import SelfStabilising, drawn_loss
from ._section4_runs import at_reference, exact, from_star, inner

if TYPE_CHECKING:
    from eostheory.symbolic import Model

zero = as_expr(0)

# -------------------------------------------------------------------------------- statements
growth = Inequality(absolute(x_next), ">", absolute(x))
threshold = Inequality((x - sqrt(2 * alpha / beta)) * (y - y_next), ">", zero)
shrinking = Inequality(absolute(x_next), "<", absolute(x))
sign_flip = Equation(sign(x_next), -sign(x))


# -------------------------------------------------------------------------------- derivation
def derive_growth(m: Model) -> None:
    """y > 0."""
    scalar_map(m)
    m.assume(Inequality(x, "!=", zero), by="moving")
    m.assume(Inequality(y, ">", zero), by="above")


def derive_threshold(m: Model) -> None:
    """x > 0, on either side of the threshold."""
    scalar_map(m)
    m.assume(Inequality(x, ">", zero), by="positive")
    m.assume(Inequality(beta * x**2, "!=", 2 * alpha), by="off the threshold")


def derive_shrinking(m: Model) -> None:
    """y < 0, and the sharpness 2/eta + y still positive."""
    scalar_map(m)
    m.assume(Inequality(x, "!=", zero), by="moving")
    m.assume(Inequality(y, "<", zero), by="below")
    m.assume(Inequality(2 / eta + y, ">", zero), by="positive sharpness")


def derive_sign_flip(m: Model) -> None:
    """The sharpness 2/eta + y is more than half of 2/eta."""
    scalar_map(m)
    m.assume(Inequality(1 + eta * y, ">", zero), by="small step")


# -------------------------------------------------------------------------------- simulation
def one_step(sample: Sample, loss: SelfStabilising, x_before: float, y_before: float) -> Table:
    """A real gradient step from the point with the given coordinates (and a generic rest)."""
    table = at_reference(loss)
    bend = loss.t3 @ loss.u @ loss.u
    side = Draw(sample.draw(st.integers(0, 2**20), "rest")).normal(loss.dim)
    for fixed in (loss.u, bend / bend.norm()):
        side = side - torch.dot(fixed, side) * fixed
    theta = loss.star + x_before * loss.u + y_before * bend / torch.dot(bend, bend) + side
    with Rounding() as bounds:
        after = bounds(theta - loss.eta * gradient(loss.loss, theta))
    slope = derivatives.third(loss.loss, loss.star, loss.u, loss.u)
    axis, before, moved = exact(loss.u), from_star(loss, theta), after - exact(loss.star)
    return table | {
        x: inner(axis, before),
        y: inner(slope, before),
        x_next: inner(axis, moved),
        y_next: inner(slope, moved),
    }


def cubic_loss(sample: Sample) -> SelfStabilising:
    """A cubic loss in 2 to 50 dimensions for which eq. (3) is exact."""
    return drawn_loss(sample, kernel=True, transverse=True)


def level(sample: Sample, low: float, high: float, name: str) -> float:
    """A number between ``low`` and ``high``, generic."""
    part = float(Draw(sample.draw(st.integers(0, 2**20), name)).uniform(0.02, 0.98, 1)[0])
    return low + part * (high - low)


def simulate_growth(sample: Sample) -> None:
    """One step above the edge."""
    loss = cubic_loss(sample)
    edge = 1 / loss.eta
    side = 1.0 if sample.holds("above") else -1.0
    size = level(sample, 0.1, 2.0, "x") if sample.holds("moving") else 0.0
    flip = sample.draw(st.sampled_from([1.0, -1.0]), "side")
    for height in (level(sample, 0.01, 3.0, "y"), 1e-4):
        sample.observe(one_step(sample, loss, flip * size, side * height * edge))


def simulate_threshold(sample: Sample) -> None:
    """One step from close to the threshold, on either side."""
    loss = cubic_loss(sample)
    table = at_reference(loss)
    a, b = table[alpha], table[beta]
    assert isinstance(a, Measured)
    assert isinstance(b, Measured)
    edge = (2 * float(a.value) / float(b.value)) ** 0.5
    for part in (0.2, -0.2, 1e-2, -1e-2, 2e-4, -2e-4):
        place = edge * (1 + part)
        if not sample.holds("positive"):
            place = -place
        sample.observe(one_step(sample, loss, place, level(sample, -0.5, 0.5, "y") / loss.eta))


def simulate_shrinking(sample: Sample) -> None:
    """One step below the edge."""
    loss = cubic_loss(sample)
    heights = [level(sample, -1.99, -0.01, "y"), -1e-4, -2 + 1e-4]
    if not sample.holds("positive sharpness"):
        heights = [level(sample, -4.0, -2.1, "y")]
    if not sample.holds("below"):
        heights = [level(sample, 0.1, 1.0, "y")]
    size = level(sample, 0.1, 2.0, "x") if sample.holds("moving") else 0.0
    for height in heights:
        sample.observe(one_step(sample, loss, size, height / loss.eta))


def simulate_sign_flip(sample: Sample) -> None:
    """One step, above or below the edge."""
    loss = cubic_loss(sample)
    low, high = (-0.98, 1.0) if sample.holds("small step") else (-4.0, -1.1)
    flip = sample.draw(st.sampled_from([1.0, -1.0]), "side")
    size = flip * level(sample, 0.1, 2.0, "x")
    sample.observe(one_step(sample, loss, size, level(sample, low, high, "y") / loss.eta))


MODEL = (
    "Eq. (3) is taken as exact, which it is for the cubic model: the loss is cubic and its third "
    "derivative vanishes on pairs of vectors orthogonal to u. "
)
MOVING = {"moving": "x is not zero: a point with x = 0 stays there, and neither grows nor shrinks"}

CLAIMS = [
    Claim(
        "damian23/sec4.stage-2.growth",
        growth,
        hypotheses={"above": "y_t > 0", **MOVING},
        derive=derive_growth,
        simulate=simulate_growth,
        reading=MODEL + "'|x_t| begins to grow' is said of an x_t that is not zero.",
    ),
    Claim(
        "damian23/sec4.stage-3.threshold",
        threshold,
        hypotheses={"positive": "x_t > 0; for x_t < 0 read |x_t| (x changes sign at every step)"},
        derive=derive_threshold,
        simulate=simulate_threshold,
        reading=MODEL + "'once x_t > sqrt(2 alpha/beta) the sharpness begins to decrease', and "
        "not before: x_t - sqrt(2 alpha/beta) and y_t - y_{t+1} have the same sign.",
    ),
    Claim(
        "damian23/sec4.stage-4",
        shrinking,
        hypotheses={"below": "y_t < 0", "moving": "|x_t| is large from stages 1 and 2, so not 0"},
        derive=derive_shrinking,
        simulate=simulate_shrinking,
        corrected_hypotheses={
            "positive sharpness": "y_t > -2/eta: the sharpness 2/eta + y_t is positive"
        },
        reading=MODEL + "'y_t < 0, |x_t| begins to shrink': |x_{t+1}| < |x_t|.",
    ),
    Claim(
        "damian23/sec4.sign-flip",
        sign_flip,
        derive=derive_sign_flip,
        simulate=simulate_sign_flip,
        corrected_hypotheses={"small step": "eta y_t > -1"},
        reading=MODEL + "'x_t changes sign at every iteration' is said of every solution of "
        "eq. (3); the printed x_{t+1} = -x_t up to eta x_t y_t hints at small eta |y_t|.",
    ),
]
