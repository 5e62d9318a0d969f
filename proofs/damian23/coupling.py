r"""From gradient descent to the limiting flow, and how far it stays from the constrained trajectory.

Setting:  eq. (3) for the cubic model of section 4.1 and for the toy loss of appendix B, where it is
          exact; eq. (4) in the time eta t.
Claims:   (|x_t|, y_t) follows X' = X Y, Y' = alpha - beta X^2/2 (eq. 4), on the toy loss too; the
          displacement from the constrained trajectory is of the order of delta, up to logarithms.
Source:   Damian, Nichani, Lee, arXiv:2209.15594, sections 4.2, 4.3 and appendix B.

Eq. (3) is the explicit Euler method for eq. (4) with step eta, so it follows it with an error of
order eta over any fixed time eta t.  It does not follow it for ever: see lemma 3 for the quantity
that eq. (4) keeps and every step of eq. (3) raises.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from hypothesis import strategies as st

from eostheory.agree import Measured, Sample
from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Expr,
    Inequality,
    OrderBound,
    absolute,
    as_expr,
    dot,
    log,
    norm,
    scalar,
    sqrt,
    substitute,
    vector,
)
from eostheory.numeric.dynamics import gd, gd_step
from eostheory.numeric.losses import Draw

from ._common import D, alpha, beta, delta, eta, gradS, u, x, x_next, y, y_next
from ._flow import SPEED_X, SPEED_Y, X0, Flow, X, Y
from ._jet import scalar_map
from ._losses import SelfStabilising, drawn_loss
from ._section4_runs import at_reference
from ._toy import Toy, constrained
from ._toy_letters import e1, e2, point
from .corollary_1 import C_x, C_y, ell, level_set, z
from .stages import cubic_loss, level, one_step
from .toy_model import toy

if TYPE_CHECKING:
    from eostheory.symbolic import Model

zero, one = as_expr(0), as_expr(1)
rate_X = scalar("rate_X", r"X'(t)")
rate_Y = scalar("rate_Y", r"Y'(t)")
flow_X = scalar("flow_X", r"X(\eta)", positive=True)
flow_Y = scalar("flow_Y", r"Y(\eta)")
late_x = scalar("late_x", r"x_{T/\eta}")
late_y = scalar("late_y", r"y_{T/\eta}")
late_X = scalar("late_X", "X(T)", positive=True)
late_Y = scalar("late_Y", "Y(T)")
apart = vector("apart", D, r"\theta_t - \theta_t^\dagger")
shift = vector("shift", D, r"\theta_t - \theta^*")

# -------------------------------------------------------------------------------- statements
equation_4 = {
    "X": Equation(rate_X, X * Y),
    "Y": Equation(rate_Y, alpha - beta * X**2 / 2),
}
follows = {
    "one step, x": OrderBound(absolute(x_next), flow_X, eta**2),
    "one step, y": OrderBound(y_next, flow_Y, eta**2),
    "time T, x": OrderBound(absolute(late_x), late_X, eta),
    "time T, y": OrderBound(late_y, late_Y, eta),
}
size = log(delta / X0)
normalised = Inequality(
    absolute(dot((1 / norm(gradS)) * gradS, shift)), "<=", C_y * delta * sqrt(size)
)
tracking = Inequality(norm(apart), "<=", C_x * delta * sqrt(1 + size))


# -------------------------------------------------------------------------------- derivation
def derive_equation_4(m: Model) -> None:
    """The change of |x| and y per unit eta in one step of eq. (3)."""
    scalar_map(m)
    m.define(X, absolute(x))
    m.define(Y, y)
    m.assume(Inequality(1 + eta * y, ">", zero), by="small step")
    m.define(rate_X, (absolute(x_next) - absolute(x)) / eta)
    m.define(rate_Y, (y_next - y) / eta)
    m.step("eq. (3) is the explicit Euler method for these rates, with step eta, in time eta t")


def derive_follows(m: Model) -> None:
    """A gradient step on the toy loss, and the flow for the time eta by its Taylor series."""
    for a, b, value in ((e1, e1, 1), (e2, e2, 1), (e1, e2, 0)):
        m.relation(dot(a, b), value, by="orthonormal coordinates")
    from ._toy_letters import e3

    m.relation(dot(e1, e3), 0, by="orthonormal coordinates")
    m.relation(dot(e2, e3), 0, by="orthonormal coordinates")
    m.uses("damian23/appB.toy-model")
    m.uses("damian23/eq-4")
    table: dict[Expr, Expr] = {point: X * e1 + (Y / sqrt(beta)) * e2}
    slope = substitute(m.gradient(toy(), point), table)
    m.define(x_next, X - eta * dot(e1, slope))
    m.define(y_next, Y - eta * sqrt(beta) * dot(e2, slope))
    m.assume(Inequality(1 + eta * Y, ">", zero), by="eta small")
    m.bound(eta)
    for symbol, value in ((flow_X, X), (flow_Y, Y)):
        first = along_flow(m, value)
        second = along_flow(m, first)
        rest = m.landau(f"rest_{symbol.name}")
        m.define(symbol, value + eta * first + eta**2 * second / 2 + eta**3 * rest)
    m.step(
        "one step errs by O(eta^2), the field is smooth on the compact level set, hence (explicit "
        "Euler) the error after a fixed time T is O(eta)"
    )
    m.define(late_x, -(late_X + eta * m.landau("error_x")))
    m.define(late_y, late_Y + eta * m.landau("error_y"))
    m.assume(Inequality(late_x, "<", zero), by="eta small")


def along_flow(m: Model, value: Expr) -> Expr:
    """The time derivative along eq. (4)."""
    return m.differentiate(value, X, SPEED_X) + m.differentiate(value, Y, SPEED_Y)


def on_level_set(m: Model) -> tuple[Expr, Expr]:
    """X(t) and Y(t) on the level set of lemma 3."""
    level_set(m)
    return delta * sqrt(z), sqrt(alpha * (level_height()))


def level_height() -> Expr:
    """h at the start less h now: Y^2/alpha."""
    from eostheory.formula import exp

    from ._flow import h

    return h(exp(-2 * ell)) - h(z)


def derive_normalised(m: Model) -> None:
    """Y over the norm of grad S, with Y from the level set."""
    m.uses("damian23/cor-1.y")
    _, height = on_level_set(m)
    m.relation(dot(gradS, gradS), beta, by="definition of beta")
    m.relation(dot(gradS, shift), height, by="definition of y")
    m.define(C_y, one)


def derive_tracking(m: Model) -> None:
    """The displacement is x u + y grad S/beta: the rest moves as the constrained trajectory does."""
    m.uses("damian23/lemma-13")
    m.uses("damian23/sec4.orthogonal-update")
    wide, height = on_level_set(m)
    m.relation(dot(u, u), 1, by="unit eigenvector")
    m.relation(dot(gradS, gradS), beta, by="definition of beta")
    m.relation(dot(u, gradS), 0, by="kernel")
    m.define(apart, wide * u + (height / beta) * gradS)
    m.define(C_x, as_expr(2))


# -------------------------------------------------------------------------------- simulation
def simulate_equation_4(sample: Sample) -> None:
    """One real gradient step on a cubic loss in 2 to 50 dimensions."""
    loss = cubic_loss(sample)
    low, high = (-0.95, 2.0) if sample.holds("small step") else (-4.0, -1.1)
    place = level(sample, 0.2, 2.0, "x") * sample.draw(st.sampled_from([1.0, -1.0]), "side")
    found = one_step(sample, loss, place, level(sample, low, high, "y") / loss.eta)
    before, after = found[x], found[x_next]
    low_y, high_y = found[y], found[y_next]
    assert isinstance(before, Measured) and isinstance(after, Measured)
    assert isinstance(low_y, Measured) and isinstance(high_y, Measured)
    rates = {
        rate_X: (modulus(after) - modulus(before)) / loss.eta,
        rate_Y: (high_y - low_y) / loss.eta,
    }
    sample.observe({**found, X: modulus(before), Y: low_y, **rates})


def modulus(value: Measured) -> Measured:
    """The absolute value."""
    return Measured(abs(float(value.value)), float(value.error))


def simulate_follows(sample: Sample) -> None:
    """Gradient descent on the toy loss against eq. (4) integrated, as eta tends to zero."""
    flow = Flow.drawn(sample)
    draw = Draw(sample.draw(st.integers(0, 2**20), "start"))
    first = float(draw.uniform(0.3, 1.5, 1)[0]) * flow.delta
    height = float(draw.uniform(0.2, 0.8, 1)[0]) * flow.a**0.5
    end = 1.0 / flow.a**0.5
    for k in range(6):
        steps = 8 * 2**k
        rate = end / steps
        sample.observe(toy_against_flow(flow, first, height, rate, steps), scale=rate)
    four_stages(sample)


def toy_against_flow(
    flow: Flow, first: float, height: float, rate: float, steps: int
) -> dict[object, object]:
    """One step and ``steps`` steps of gradient descent, and the flow after the same times."""
    toy_, root = Toy(rate, flow.a, flow.b), flow.b**0.5
    start = torch.tensor([first, height / root, 0.0], dtype=torch.float64)
    path = [step.after for step in gd(toy_.loss, start, rate, steps)]

    def seen(theta: torch.Tensor, count: int) -> tuple[Measured, Measured]:
        # a few roundings per step, of numbers of order one
        off = 16 * count * 2.0**-53 * (2 + float(theta.abs().max()))
        return Measured(float(theta[0]), off), Measured(float(theta[1]) * root, off * (1 + root))

    (x1, y1), (xn, yn) = seen(path[0], 1), seen(path[-1], steps)
    soon, late = flow.states((first, height), [0.0, rate, rate * steps])[1:]
    return {
        **toy_.table(),
        X: first,
        Y: height,
        x_next: x1,
        y_next: y1,
        late_x: xn,
        late_y: yn,
        flow_X: soon[0],
        flow_Y: soon[1],
        late_X: late[0],
        late_Y: late[1],
    }


@lru_cache(maxsize=1)
def long_run() -> tuple[np.ndarray, np.ndarray]:
    """Gradient descent on the toy loss from (0.1, 0, 0): x_t and y_t over two cycles."""
    toy_ = Toy(0.02, 1.0, 1.0)
    start = torch.tensor([0.1, 0.0, 0.0], dtype=torch.float64)
    path = [step.w for step in gd(toy_.loss, start, 0.02, 620)]
    return np.array([float(w[0]) for w in path]), np.array([float(w[1]) for w in path])


def four_stages(sample: Sample) -> None:
    """Figures 2 and 3: the four stages in time, and around the level set of the flow."""
    xs, ys = long_run()
    steps = np.arange(len(xs))
    sample.plot(
        "gradient descent on the toy loss (eta sqrt(alpha) = 0.02): the four stages",
        "step",
        "|x| and y = S - 2/eta",
        [{"label": "|x|", "x": steps, "y": abs(xs)}, {"label": "y", "x": steps, "y": ys}],
    )
    flow = Flow(1.0, 1.0)
    states = flow.states((0.1, 0.0), np.linspace(0.0, flow.period((0.1, 0.0)), 160))
    sample.plot(
        "the same run around the level set of eq. (4)",
        "|x|",
        "y",
        [
            {"label": "gradient descent", "x": abs(xs), "y": ys},
            {"label": "eq. (4)", "x": [s[0].value for s in states],
             "y": [s[1].value for s in states]},
        ],
    )  # fmt: skip


def slow_losses(sample: Sample, epsilon: float = 0.02) -> Iterator[SelfStabilising]:
    """Two cubic losses with eta sqrt(alpha) = epsilon and delta twenty times apart.

    The gradient is scaled to epsilon, and the third derivative so that no unit of length is special.
    """
    loss = drawn_loss(sample, kernel=True, transverse=True, largest=16)
    for unit in (1.0, 0.05):
        bent = unit * loss.t3
        scale = -((epsilon / loss.eta) ** 2) / float(torch.dot(loss.g, bent @ loss.u @ loss.u))
        yield replace(loss, g=scale * loss.g, t3=bent)


def descent(sample: Sample, loss: SelfStabilising, ell_: float) -> tuple[float, list[torch.Tensor]]:
    """delta and a bit more than one cycle of gradient descent from theta* + delta e^-ell u."""
    slope = loss.t3 @ loss.u @ loss.u
    a, b = -float(torch.dot(loss.g, slope)), float(torch.dot(slope, slope))
    flow = Flow(a, b)
    first = flow.delta * float(np.exp(-ell_))
    steps = int(1.1 * flow.period((first, 0.0)) / loss.eta)
    start = loss.star + first * loss.u
    if not sample.holds("start"):
        start = start + 5 * (a * (1 + ell_)) ** 0.5 * slope / b
    return flow.delta, [s.w for s in gd(loss.loss, start, loss.eta, steps)][:: max(1, steps // 60)]


def simulate_normalised(sample: Sample) -> None:
    """Gradient descent on a cubic loss over one cycle."""
    ell_ = level(sample, 0.3, 4.0, "ell")
    for loss in slow_losses(sample):
        width, path = descent(sample, loss, ell_)
        slope = at_reference(loss)[gradS]
        for theta in path:
            about = {gradS: slope, delta: width, X0: width * float(np.exp(-ell_)), C_y: 1.0}
            sample.observe({**about, shift: theta - loss.star})


def simulate_tracking(sample: Sample) -> None:
    """Gradient descent against projected gradient descent, both run on the loss."""
    ell_ = level(sample, 0.1, 4.0, "ell")
    for loss in slow_losses(sample):
        width, path = descent(sample, loss, ell_)
        stride = stride_of(path, loss)
        # the stable set and the gradient along it do not change from step to step: the
        # constrained trajectory is a straight line, of which two steps are run
        line = [at for at, _ in constrained(loss.loss, loss.star, loss.eta, 2)]
        if float((line[1] - 2 * line[0] + loss.star).norm()) > 1e-9 * float(loss.star.norm()):
            sample.reject("the constrained trajectory is not straight")
        for index, theta in enumerate(path):
            there = loss.star + stride * index * (line[0] - loss.star)
            about = {delta: width, X0: width * float(np.exp(-ell_)), C_x: 2.0}
            sample.observe({**about, apart: theta - there})


def stride_of(path: list[torch.Tensor], loss: SelfStabilising) -> int:
    """How many steps lie between two points of a thinned path."""
    at, count = path[0], 0
    while not torch.equal(at, path[1]):
        at, count = gd_step(loss.loss, at, loss.eta), count + 1
    return count


START = {"start": "theta_0 - theta* = x_0 u with |x_0| < delta: y_0 = 0"}
HORIZON = (
    "Over times that eq. (4) covers, a number of cycles that does not grow as eta sqrt(alpha) tends "
    "to 0: eq. (3) leaves every bounded region in the end, since each step raises the quantity of "
    "lemma 3. "
)

LIMIT_ONLY = (
    "the constant 1 is the best one, but the bound is approached only as x_0/delta tends to 0: to "
    "a thousandth from exp(-250) on, too small for gradient descent in float64"
)

CLAIMS = [
    Claim(
        "damian23/eq-4",
        equation_4,
        hypotheses={"small step": "eta y_t > -1, as soon as eta is small"},
        derive=derive_equation_4,
        simulate=simulate_equation_4,
        reading="X = |x_t| and Y = y_t, in the time eta t: the rates are the change per step of "
        "eq. (3), exact for the cubic model, over eta.",
    ),
    Claim(
        "damian23/appB.dynamics",
        follows,
        derive=derive_follows,
        simulate=simulate_follows,
        rests_on=("damian23/eq-3",),
        reading="'This process will then follow eq. (4)': one step errs by O(eta^2), any fixed "
        "time T = eta t by O(eta), with |x_t| for X. Not for ever: with eta sqrt(alpha) = 0.1 and "
        "x_0 = 0.3 the toy loss diverges after some 500 steps.",
    ),
    Claim(
        "damian23/sec4.normalized-displacement",
        normalised,
        hypotheses=START,
        derive=derive_normalised,
        simulate=simulate_normalised,
        examples={"quick": 2, "default": 6},
        waive={"simulation:*x1.001": LIMIT_ONLY},
        reading=HORIZON + "The tilde of O hides sqrt(log(delta/|x_0|)); the constant is 1.",
    ),
    Claim(
        "damian23/sec4.tracking",
        tracking,
        hypotheses=START,
        derive=derive_tracking,
        simulate=simulate_tracking,
        examples={"quick": 2, "default": 6},
        reading=HORIZON + "The tilde of O hides sqrt(1 + log(delta/|x_0|)); the constant is 2.",
    ),
]
