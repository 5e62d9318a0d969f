r"""The limiting flow of eq. (4) as a Lotka-Volterra system (section 4.2).

Setting:  X' = X Y, Y' = alpha - beta X^2/2 on X > 0.
Claim:    after a change of variables (X, Y) -> (p, q) it reads p' = p (a - b q), q' = q (c p - d).
Source:   Damian, Nichani, Lee, arXiv:2209.15594, section 4.2.

No change of each variable by itself does it: with q = Q(X) and p = P(Y) the second equation
forces Q = X^k and P affine in Y, and then p' does not depend on p.  (The system p' = a - b q with
the same q' is what eq. (4) is, in q = X^2 and p = (2 Y + d)/c.)  But both flows are centres: each
is a circle of phases over an interval of energies, and its period increases from that of the
linearisation, 2 pi/sqrt(2 alpha) here and 2 pi/sqrt(a d) there, to infinity.  With a d = 2 alpha
the two intervals of periods agree, and sending each orbit to the orbit of equal period, point by
point in time, is the change of variables: a diffeomorphism of X > 0 onto p, q > 0, analytic, but
not elementary.

Why periods increase: time is the derivative of area by energy, and with V(s) = e^s - s - 1 the
width of {V <= e} grows like sqrt(e) times an increasing factor because V/V'^2 is convex, that is
t^2 + 4 t - 4 t s - 2 s - 5 >= 0 for t = e^s.  The area is that of two such wells here (one of
them a parabola), and of two of them for Lotka-Volterra: convolutions of increasing factors.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st
from scipy import optimize

from eostheory.agree import Measured, Sample, derivatives
from eostheory.claims import Claim
from eostheory.formula import Equation, Inequality, as_expr, exp, scalar, to_latex
from eostheory.numeric.flows import integrate
from eostheory.numeric.losses import Draw

from ._common import alpha
from ._flow import SPEED_X, SPEED_Y, Flow, X, Y, field
from .corollary_1 import prove
from .lotka_volterra import found_integral

if TYPE_CHECKING:
    from eostheory.symbolic import Model

zero, one = as_expr(0), as_expr(1)
a, b, c, d, p, q = (scalar(name, positive=True) for name in "abcdpq")
rate_p = scalar("rate_p", "p'")
rate_q = scalar("rate_q", "q'")

# -------------------------------------------------------------------------------- statement
predator_prey = {
    "prey": Equation(rate_p, p * (a - b * q)),
    "predator": Equation(rate_q, q * (c * p - d)),
}


# -------------------------------------------------------------------------------- derivation
def derive_kinship(m: Model) -> None:
    """Energy and phase: along eq. (4) the energy rests and the phase runs with the time."""
    m.uses("damian23/eq-4")
    no_separate_change(m)
    periods_increase(m)
    energy = found_integral(m)
    rest = m.differentiate(energy, X, SPEED_X) + m.differentiate(energy, Y, SPEED_Y)
    m.step("the rate of the energy along eq. (4)", to_latex(m.normal(rest)))
    if "equal frequencies" in m.withheld:
        # no orbit of equal period near the equilibrium: the map is not there
        return
    # p and q as functions of energy and phase: by energy anything, by phase Lotka-Volterra's flow
    for symbol, speed in ((rate_p, p * (a - b * q)), (rate_q, q * (c * p - d))):
        by_energy = scalar(f"{symbol.name}_by_energy")
        m.define(symbol, by_energy * rest + speed * one)
    m.step("a d = 2 alpha: both periods start from 2 pi/sqrt(2 alpha), and both reach infinity")


def no_separate_change(m: Model) -> None:
    """Exact: the field is not Lotka-Volterra in any P(Y), Q(X)."""
    from eostheory.symbolic.orbits import lotka_volterra, separable_lotka_volterra

    if separable_lotka_volterra(field()):
        raise AssertionError("a change of each coordinate by itself was found after all")
    m.step("no change q = Q(X), p = P(Y) of each coordinate by itself makes it Lotka-Volterra")
    found = lotka_volterra(field())
    if found is not None:
        m.step(
            f"in monomials it is a Lotka-Volterra system of {len(found.monomials)} species: "
            + ", ".join(map(str, found.monomials))
        )


def periods_increase(m: Model) -> None:
    """V/V'^2 is convex for V = e^s - s - 1: the numerator vanishes to second order at 0 only."""
    s = scalar("s")
    convexity = exp(2 * s) + 4 * exp(s) - 4 * s * exp(s) - 2 * s - 5
    slope = m.differentiate(convexity, s, one)
    bend = m.differentiate(slope, s, one)
    m.step("V/V'^2 is convex: this and its slope vanish at 0", to_latex(convexity))
    prove(Inequality(exp(s), ">=", 1 + s))
    same = m.decide(Equation(bend, 4 * exp(s) * (exp(s) - 1 - s)))
    if same.outcome != "holds":
        raise AssertionError(f"the second derivative is {to_latex(m.normal(bend))}")
    m.step("its second derivative is not negative: e^s >= 1 + s", to_latex(m.normal(bend)))


# -------------------------------------------------------------------------------- simulation
class Rival:
    """Lotka-Volterra with numbers, integrated in the logarithms of p and q."""

    def __init__(self, *numbers: float) -> None:
        self.a, self.b, self.c, self.d = numbers

    def field(self, _: float, state: np.ndarray) -> list[float]:
        """The speeds of log p and log q."""
        return [self.a - self.b * np.exp(state[1]), self.c * np.exp(state[0]) - self.d]

    def start(self, depth: float) -> list[float]:
        """The point with p at rest level and log q lower than its rest level by ``depth``."""
        return [float(np.log(self.d / self.c)), float(np.log(self.a / self.b)) - depth]

    def period(self, depth: float) -> float:
        """Time from log q lowest to log q lowest."""
        level = float(np.log(self.d / self.c))
        first = self.start(depth)
        end = 12.0 / np.sqrt(self.a * self.d) * (1 + depth)
        found = integrate(
            self.field, first, [0.0, end], 1e-11, lambda _, s: float(s[0] - level), direction=1.0
        )
        return float(next(t for t in found.crossings if t > 1e-6))

    def after(self, depth: float, time: float) -> tuple[Measured, Measured]:
        """(p, q) at a time after the lowest q."""
        found = integrate(self.field, self.start(depth), [0.0, time], 1e-11)
        error = float(found.error[-1]) + 1e-14
        low, high = (float(np.exp(v)) for v in found.states[-1])
        return Measured(low, 2 * low * error), Measured(high, 2 * high * error)


def simulate_kinship(sample: Sample) -> None:
    """The change of variables, orbit by orbit; its rates along eq. (4), across the period's end."""
    flow = Flow.drawn(sample)
    draw = Draw(sample.draw(st.integers(0, 2**20), "a, b, c"))
    first, second, third = (float(v) for v in 10 ** draw.uniform(-0.4, 0.4, 3))
    fourth = 2 * flow.a / first * (1.0 if sample.holds("equal frequencies") else 0.25)
    rival = Rival(first, second, third, fourth)
    ell = float(draw.uniform(0.3, 1.5, 1)[0])
    period = flow.period((flow.delta * float(np.exp(-ell)), 0.0))

    def gap(depth: float) -> float:
        return rival.period(depth) - period

    # near the equilibrium there is no orbit of equal period without equal frequencies
    depth = 0.05
    if sample.holds("equal frequencies"):
        if gap(0.05) > 0 or gap(8.0) < 0:
            sample.reject("no orbit of equal period in reach")
        depth = float(optimize.brentq(gap, 0.05, 8.0, xtol=1e-13))
    # what the two orbits' periods may still differ by, times the speeds, is an error of the image
    slack = 1e-9 + (4 * abs(gap(depth)) if sample.holds("equal frequencies") else 0.0)

    def image(time: float, which: int) -> Measured:
        """p (0) or q (1) of the point of eq. (4) at a time, by its phase in [0, period)."""
        found = rival.after(depth, time % period)[which]
        return Measured(found.value, found.error + slack * (1 + float(found.value)))

    for phase in (0.003 * period, 0.3 * period, 0.7 * period):
        now = (image(phase, 0), image(phase, 1))
        rates = [
            derivatives.derivative(partial(image_at, image, phase, which), 0.01 * period)
            for which in (0, 1)
        ]
        sample.observe(
            {
                alpha: flow.a,
                **dict(zip((a, b, c, d), (first, second, third, fourth), strict=True)),
                p: now[0],
                q: now[1],
                rate_p: rates[0],
                rate_q: rates[1],
            }
        )


def image_at(
    image: Callable[[float, int], Measured], phase: float, which: int, s: float
) -> Measured:
    """The image a little later."""
    return image(phase + s, which)


CLAIMS = [
    Claim(
        "damian23/sec4.lotka-volterra",
        predator_prey,
        hypotheses={"equal frequencies": "a d = 2 alpha, a choice that the claim leaves open"},
        derive=derive_kinship,
        simulate=simulate_kinship,
        examples={"quick": 2, "default": 5, "thorough": 12},
        reading="'can be written as ... after a change of variables': some diffeomorphism of X > 0 "
        "onto p, q > 0 carries eq. (4) into a predator-prey system, for any a, b, c, d with "
        "a d = 2 alpha. It is not elementary: no change of X and Y each by itself does it.",
    ),
]
