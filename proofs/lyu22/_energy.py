"""States of an RMS-drift process: its letters, its real transition and its first-order flow."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from eostheory.formula import Expr, absolute, as_expr, exp, norm2, scalar, substitute, vector

if TYPE_CHECKING:
    from eostheory.agree import Measured, Sample
    from eostheory.numeric.flows import Orbit
    from eostheory.symbolic import Model
    from eostheory.symbolic.vectorfield import FirstIntegral

D = "D"
FEW = {"quick": 4, "default": 12}
"""Instances of claims whose every instance is a long run."""
h = scalar("h", "h", nonzero=True)
u = scalar("u", "u")
phi = vector("phi", D, r"\phi")
C_b = scalar("C_b", "C_b", positive=True)
eta = scalar("eta", r"\eta", positive=True)
glog = vector("glog", D, r"\nabla_\Gamma\log\lambda_1^H(\phi)")
K = scalar("K", "K", positive=True)
curvature = 2 * C_b + norm2(glog)
"""What the paper prints under the root of K."""

h_next, u_next = scalar("h_next", "h_{t+2}"), scalar("u_next", "u_{t+2}")
phi_next = vector("phi_next", D, r"\phi_{t+2}")
dh, du = scalar("dh", r"\tfrac{dh}{d\tau}"), scalar("du", r"\tfrac{du}{d\tau}")
dphi = vector("dphi", D, r"\tfrac{d\phi}{d\tau}")

x, x_0 = scalar("x", "x"), scalar("x_0", "x_0")


def well_of(position: Expr) -> Expr:
    """The potential as printed."""
    return K**2 * exp(2 * position) - C_b * position


# ------------------------------------------------------------------------------ derivation
def transition(m: Model, alpha: Expr) -> None:
    """Definition H.2: the next state is the auxiliary one up to bounded remainders."""
    m.uses("lyu22/def-H.2")
    m.step("a transition of Definition H.2, with its three remainders as bounded letters")
    rest = [m.landau("rest_h"), m.landau("rest_u"), m.landau("rest_phi", (D,))]
    m.define(h_next, (1 - 2 * eta * u) * h + rest[0] * alpha**2 * h * eta**2)
    force = 4 * eta * h**2 * curvature - 2 * eta * C_b
    m.define(u_next, u + force + rest[1] * alpha * (1 + h**2) * eta**2)
    drift = -2 * eta**2 * h**2 * glog
    m.define(phi_next, phi + drift + alpha * h**2 * eta**3 * rest[2])


def first_order(m: Model) -> None:
    """Speeds in tau = eta t: two steps advance tau by 2 eta; the rate of change at eta = 0."""
    transition(m, scalar("alpha", r"\alpha", positive=True))
    m.step("tau = eta t: one transition is two steps, 2 eta; d/dtau is half the slope in eta at 0")
    for speed, state in ((dh, h_next), (du, u_next), (dphi, phi_next)):
        slope = m.differentiate(state, eta, as_expr(1))
        half = as_expr(1) / 2
        m.define(speed, half * substitute(m.normal(slope), {eta: as_expr(0)}))


def along_flow(m: Model, value: Expr) -> Expr:
    """The derivative of a function of h and u along the flow."""
    return m.differentiate(value, h, dh) + m.differentiate(value, u, du)


@lru_cache(maxsize=4)
def conserved(canonical: bool) -> FirstIntegral:
    """What the flow conserves, found from its speeds: in (h, u), or in x = log h and v = -u."""
    import sympy

    from eostheory.symbolic.vectorfield import VectorField, first_integral

    k, c = sympy.symbols("K C_b", positive=True)
    if canonical:
        x, v = sympy.symbols("x v", real=True)
        field = VectorField((x, v), (v, -(2 * k**2 * sympy.exp(2 * x) - c)))
    else:
        a, b = sympy.Symbol("h", positive=True), sympy.Symbol("u", real=True)
        field = VectorField((a, b), (-b * a, 2 * k**2 * a**2 - c))
    found = first_integral(field)
    if found is None:
        raise LookupError("no conserved quantity was found")
    return found


def energy_found(m: Model, mass: Expr) -> Expr:
    """The conserved quantity with kinetic energy ``mass^2 / 2``, for h of either sign."""
    found = conserved(canonical=False)
    m.step(f"conserved, found by {found.method}: {found.value}; {found.check}")
    value = found.formula()
    size, speed = scalar("h"), scalar("u")
    unit = m.differentiate(m.differentiate(value, speed, as_expr(1)), speed, as_expr(1))
    return substitute(value / unit, {size: absolute(h), speed: mass})


# ------------------------------------------------------------------------------ simulation
@dataclass(frozen=True)
class Well:
    """Parameters and a starting state of the first-order flow."""

    k2: float
    c_b: float
    h: float
    u: float

    def step(self, size: float, speed: float, eta_value: float) -> tuple[float, float]:
        """The auxiliary transition of Definition H.2."""
        force = 4 * eta_value * size**2 * self.k2 - 2 * eta_value * self.c_b
        return (1 - 2 * eta_value * speed) * size, speed + force

    def speeds(self, size: float, speed: float) -> tuple[float, float]:
        """Change per unit of tau; the auxiliary transition is affine in eta, so any eta will do."""
        after = self.step(size, speed, 1.0)
        return (after[0] - size) / 2, (after[1] - speed) / 2

    def field(self, _: float, y: Any) -> Any:
        """The flow with the running integral of h^2."""
        return (*self.speeds(y[0], y[1]), y[0] ** 2)


def draw_well(sample: Sample, at_rest: bool = False) -> Well:
    """Parameters and a state away from the resting point, with h of either sign."""
    c_b = sample.draw(st.sampled_from([0.5, 1.0, 2.0, 3.0]), "C_b")
    k2 = 2 * c_b + sample.draw(st.sampled_from([0.25, 1.0, 4.0]), "|grad log lambda|^2")
    start = sample.draw(st.sampled_from([-1.25, -0.5, 0.125, 0.25, 1.5]), "h")
    speed = 0.0 if at_rest else sample.draw(st.sampled_from([-1.0, -0.25, 0.5, 1.5]), "u")
    return Well(k2, c_b, start, speed)


@lru_cache(maxsize=256)
def orbit(well: Well, times: tuple[float, ...]) -> Orbit:
    """The real flow at given times."""
    from eostheory.numeric.flows import integrate

    return integrate(well.field, (well.h, well.u, 0.0), times)


@lru_cache(maxsize=256)
def period(well: Well) -> float:
    """When the flow, started at rest (u = 0), comes back to u = 0 in the same direction."""
    from eostheory.numeric.flows import integrate

    rising = 1.0 if well.speeds(well.h, 0.0)[1] > 0 else -1.0
    found = integrate(
        well.field,
        (well.h, 0.0, 0.0),
        (0.0, 40 / math.sqrt(well.c_b)),
        event=lambda _, y: float(y[1]),
        direction=rising,
    )
    return float(found.crossings[found.crossings > 1e-6][0])


def states_at(well: Well, times: Sequence[float]) -> list[tuple[Measured, Measured, Measured]]:
    """h, u and the integral of h^2 at ``times``, with the integrator's estimate of its error."""
    from eostheory.agree import Measured

    found = orbit(well, tuple(times))
    # The finer of two solutions errs by about a thousandth of their difference; all of it counts.
    slack = [
        float(e) + 1e-13 * (1 + float(abs(y).max()))
        for e, y in zip(found.error, found.states, strict=True)
    ]
    return [
        (Measured(float(y[0]), e), Measured(float(y[1]), e), Measured(float(y[2]), e))
        for y, e in zip(found.states, slack, strict=True)
    ]


def quadrature(function: Callable[[float], float], low: float, high: float) -> Measured:
    """An integral with scipy's error estimate."""
    from scipy.integrate import quad

    from eostheory.agree import Measured

    value, error = quad(function, low, high, epsabs=1e-13, epsrel=1e-13)
    return Measured(float(value), float(error) + 1e-13 * (1 + abs(value)))
