r"""The limiting flow of section 4.2: its equilibrium, its conserved quantity, its kinship.

Setting:  X' = X Y, Y' = alpha - beta X^2/2 on X > 0 (eq. 4), the limit of (|x_t|, y_t) in eq. (3).
Claims:   (delta, 0) with delta = sqrt(2 alpha/beta) is its only equilibrium; it is a Lotka-Volterra
          system after a change of variables (see ``kinship``); h(beta X^2/(2 alpha)) + Y^2/alpha is
          conserved (Lemma 3).
Source:   Damian, Nichani, Lee, arXiv:2209.15594, section 4.2.

The conserved quantity is found from the vector field, not taken from the lemma.  The discrete map
does not conserve it: one step of eq. (3) raises it by

    eta^2 [z Y^2 + alpha (1 - z)^2] + 2 [eta Y - log(1 + eta Y)],   z = beta X^2/(2 alpha),

which is positive everywhere but at the equilibrium, so that discrete orbits spiral outwards.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from hypothesis import strategies as st
from scipy import optimize

from eostheory.agree import Measured, Sample, derivatives
from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Expr,
    Inequality,
    as_expr,
    log,
    scalar,
    sqrt,
    substitute,
    to_latex,
)
from eostheory.numeric.dynamics import gd, gd_step
from eostheory.numeric.events import Diverged
from eostheory.numeric.losses import Draw

from ._common import alpha, beta, eta
from ._flow import SPEED_X, SPEED_Y, X0, Y0, Flow, Table, X, Xt, Y, Yt, field, g, h
from ._toy import Toy

if TYPE_CHECKING:
    from eostheory.symbolic import Model

zero = as_expr(0)
X_star = scalar("X_star", r"X^\star", positive=True)
Y_star = scalar("Y_star", r"Y^\star")
h_rate = scalar("h_rate", r"\frac{d}{dt} h\left(\frac{\beta X(t)^2}{2\alpha}\right)")
square_rate = scalar("square_rate", r"\frac{d}{dt} \frac{Y(t)^2}{\alpha}")
side = scalar("side", r"\pm 1", nonzero=True)

# -------------------------------------------------------------------------------- statements
fixed_point = {"X": Equation(X_star, sqrt(2 * alpha / beta)), "Y": Equation(Y_star, zero)}
conserved = Equation(g(Xt, Yt), g(X0, Y0))
along_x = beta * X**2 * Y / alpha - 2 * Y
along_y = 2 / alpha * Y * (alpha - beta * X**2 / 2)
term_by_term = {
    "first term": Equation(h_rate, along_x),
    "second term": Equation(square_rate, along_y),
    "sum": Equation(along_x + along_y, zero),
}


# -------------------------------------------------------------------------------- derivation
def derive_fixed_point(m: Model) -> None:
    """All points of X > 0 where both speeds vanish."""
    from eostheory.symbolic.vectorfield import equilibria, frequency_squared

    found = equilibria(field())
    if len(found) != 1:
        raise AssertionError(f"not one equilibrium but {found}")
    m.uses("damian23/eq-4")
    place = found[0]
    for symbol, value in zip((X_star, Y_star), place, strict=True):
        m.define(symbol, formula(m, value))
    m.step("the speeds vanish together in one point of X > 0; on X = 0 the speed Y' is alpha > 0")
    frequency = frequency_squared(field(), place)
    m.step("the linearisation has no trace: a centre, of squared frequency", f"{frequency}")


def formula(m: Model, value: object) -> Expr:
    """A sympy result as a formula."""
    from eostheory.symbolic.convert import from_sympy

    return from_sympy(value, {s.name: s for s in (X, Y, alpha, beta)})


def found_integral(m: Model) -> Expr:
    """A conserved quantity, searched for in the vector field."""
    from eostheory.symbolic.vectorfield import first_integral

    found = first_integral(field())
    if found is None:
        raise AssertionError("no conserved quantity was found")
    value = formula(m, found.value)
    m.step(f"conserved quantity found by: {found.method}", to_latex(value))
    return value


def derive_conserved(m: Model) -> None:
    """Y(t) on the level set of the quantity that was found; then what the discrete map does."""
    m.uses("damian23/eq-4")
    value = found_integral(m)
    # the quantity is c Y^2 plus a function of X: solve it for Y(t)^2
    curvature = m.normal(m.differentiate(m.differentiate(value, Y, as_expr(1)), Y, as_expr(1)) / 2)
    start, now = at(value, X0, Y0), at(value, Xt, zero)
    m.relation(side**2, 1, by="branch of the square root")
    m.define(Yt, side * sqrt((start - now) / curvature))
    m.step("Y(t)^2 from the level set, as a function of X(t) and the start", to_latex(Yt))
    discrete_drift(m)


def at(value: Expr, x: Expr, y: Expr) -> Expr:
    """A function of (X, Y) at another point."""
    return substitute(value, {X: x, Y: y})


def discrete_drift(m: Model) -> None:
    """The change of the conserved quantity in one step of eq. (3), and its sign."""
    m.assume(Inequality(1 + eta * Y, ">", zero), by="small step")
    z = beta * X**2 / (2 * alpha)
    after = g(X * (1 + eta * Y), Y + eta * SPEED_Y)
    rise = eta**2 * (z * Y**2 + alpha * (1 - z) ** 2) + 2 * (eta * Y - log(1 + eta * Y))
    same = m.decide(Equation(after - g(X, Y), rise))
    upward = m.decide(Inequality(rise, ">=", zero))
    m.step(
        "one step of eq. (3) with |x| = X > 0 and 1 + eta Y > 0 changes the quantity by the "
        f"following ({same.outcome}); it is never negative ({upward.outcome}, {upward.method}), "
        "and zero only at the equilibrium: the discrete orbit climbs from level to level",
        to_latex(rise),
    )


def derive_term_by_term(m: Model) -> None:
    """The chain rule along eq. (4), for each term of the printed quantity."""
    m.uses("damian23/eq-4")
    one = as_expr(1)
    first = h(beta * X**2 / (2 * alpha))
    m.define(h_rate, m.differentiate(first, X, one) * SPEED_X)
    m.define(square_rate, m.differentiate(Y**2 / alpha, Y, one) * SPEED_Y)


# -------------------------------------------------------------------------------- simulation
def simulate_fixed_point(sample: Sample) -> None:
    """Points that gradient descent on the toy loss maps to (-x, y), found from many starts."""
    toy = Toy.drawn(sample)
    draw = Draw(sample.draw(st.integers(0, 2**20), "starts"))
    root = float(toy.beta) ** 0.5
    size = float(toy.alpha / toy.beta) ** 0.5

    def moved(state: np.ndarray) -> np.ndarray:
        theta = torch.tensor([state[0], state[1] / root, 0.0], dtype=torch.float64)
        after = gd_step(toy.loss, theta, float(toy.eta))
        return np.array([float(after[0]) + state[0], float(after[1]) * root - state[1]])

    for _ in range(4):
        start = draw.uniform(0.3, 3.0, 2).numpy() * size
        found = optimize.root(moved, start, tol=1e-14)
        if not found.success and float(np.abs(found.fun).max()) > 1e-10:
            continue
        slope = optimize.approx_fprime(found.x, moved, 1e-6)
        # the residual over the smallest singular value bounds the distance to the root
        worst = float(np.abs(found.fun).max()) + 64 * 2.0**-53 * (1 + float(np.abs(found.x).max()))
        off = 4 * worst / float(np.linalg.svd(slope, compute_uv=False).min())
        x_found, y_found = (float(v) for v in found.x)
        sample.observe(
            {**toy.table(), X_star: Measured(abs(x_found), off), Y_star: Measured(y_found, off)}
        )


def simulate_conserved(sample: Sample) -> None:
    """Eq. (4), integrated from a generic start over more than one period."""
    flow, start = Flow.drawn(sample), drawn_start(sample)
    times = np.linspace(0.0, 9.0, 10)
    for now_x, now_y in flow.states(start, times)[1:]:
        branch = 1.0 if float(now_y.value) > 0 else -1.0
        sample.observe(
            {**flow.table, X0: start[0], Y0: start[1], Xt: now_x, Yt: now_y, side: branch}
        )
    pictures(sample)


def drawn_start(sample: Sample) -> tuple[float, float]:
    """A generic start: neither coordinate is special."""
    draw = Draw(sample.draw(st.integers(0, 2**20), "start"))
    return float(draw.uniform(0.2, 2.5, 1)[0]), float(draw.uniform(-1.5, 1.5, 1)[0])


def simulate_term_by_term(sample: Sample) -> None:
    """Rates along an integrated solution, by differences in time."""
    flow, start = Flow.drawn(sample), drawn_start(sample)

    def state(s: float) -> tuple[Measured, Measured]:
        return flow.states(start, [0.0, s])[-1]

    def first(s: float) -> Measured:
        x = state(s)[0]
        z = (flow.b / (2 * flow.a)) * x * x
        value = float(z.value)
        return z - Measured(np.log(value), 2 * float(z.error) / value + 1e-15) - 1.0

    def second(s: float) -> Measured:
        y = state(s)[1]
        return y * y / flow.a

    rates: Table = {
        h_rate: derivatives.derivative(first, step=2.0**-5),
        square_rate: derivatives.derivative(second, step=2.0**-5),
    }
    sample.observe({**flow.table, X: start[0], Y: start[1], **rates})


Curve = tuple[str, np.ndarray, np.ndarray]


@lru_cache(maxsize=1)
def level_sets() -> list[Curve]:
    """Closed orbits of eq. (4) for alpha = beta = 1, as figure 3 draws them."""
    flow, curves = Flow(1.0, 1.0), []
    for share in (0.8, 0.4, 0.1, 0.01):
        start = (share * flow.delta, 0.0)
        states = flow.orbit(start, np.linspace(0.0, flow.period(start), 120)).states
        curves.append((f"X(0) = {share:g} delta", np.exp(states[:, 0]), states[:, 1]))
    return curves


@lru_cache(maxsize=1)
def drift() -> np.ndarray:
    """The conserved quantity along gradient descent on the toy loss, until it diverges."""
    toy = Toy(0.1, 1.0, 1.0)
    start = torch.tensor([0.3, 0.0, 0.0], dtype=torch.float64)
    levels = []
    try:
        for step in gd(toy.loss, start, 0.1, 1000):
            z = float(step.w[0]) ** 2 / 2
            levels.append(z - float(np.log(z)) - 1 + float(step.w[1]) ** 2)
    except Diverged:
        pass
    return np.array(levels)


def pictures(sample: Sample) -> None:
    """The level sets, and how gradient descent leaves them."""
    curves = [{"label": label, "x": x, "y": y} for label, x, y in level_sets()]
    sample.plot("level sets of g for alpha = beta = 1 (eq. 4)", "X", "Y", curves)
    levels = drift()
    falls = int(np.count_nonzero(np.diff(levels[:200]) <= 0))
    sample.note(
        "gradient descent on the toy loss, eta sqrt(alpha) = 0.1, X(0) = 0.3: g, which eq. (4) "
        f"keeps at {levels[0]:.2f}, falls in {falls} of the first 200 steps and is at "
        f"{levels[200]:.2f} after them; after {len(levels)} steps the iterates have diverged"
    )
    shown = levels[:200]
    line = {"label": "g(|x_t|, y_t)", "x": np.arange(len(shown)), "y": shown}
    sample.plot("the flow's invariant along gradient descent", "step", "g", [line])


CLAIMS = [
    Claim(
        "damian23/sec4.fixed-point",
        fixed_point,
        derive=derive_fixed_point,
        simulate=simulate_fixed_point,
        reading="X > 0, since X stands for |x_t|; alpha and beta are positive. The simulation "
        "looks for orbits of period two of gradient descent itself.",
    ),
    Claim(
        "damian23/lemma-3",
        conserved,
        derive=derive_conserved,
        simulate=simulate_conserved,
        reading="Conserved: the same at every time t as at time 0.",
    ),
    Claim(
        "damian23/lemma-3.p1",
        term_by_term,
        derive=derive_term_by_term,
        simulate=simulate_term_by_term,
        rests_on=("damian23/lemma-3",),
        reading="The first two terms are the rate of h, the third that of Y^2/alpha.",
    ),
]
