r"""The fast motion at the edge of stability is a particle in a potential well.

Setting:  a state (h, u, phi) moves by RMS-drift transitions (Definition H.2); tau = eta t.
Claims:   to first order in eta, log|h| and -u are position and velocity of a particle of unit
          mass in the potential U(x) = K^2 exp(2x) - C_b x (eq. 16).
Source:   Lyu, Li, Arora, arXiv:2206.07085, appendices H.2 and H.5, figure 6.

The derivation takes the transitions' slope at eta = 0 and finds what the resulting field
conserves.  The simulation integrates the field that the transition itself gives, finds the
period by waiting for it, and measures energy as work done.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    OrderBound,
    absolute,
    as_expr,
    exp,
    log,
    norm2,
    scalar,
    sqrt,
    substitute,
)

from ._energy import (
    FEW,
    C_b,
    K,
    along_flow,
    conserved,
    dh,
    dphi,
    draw_well,
    du,
    eta,
    first_order,
    glog,
    h,
    h_next,
    phi,
    states_at,
    u,
    u_next,
    well_of,
    x,
    x_0,
)

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.symbolic import Model

ZERO = as_expr(0)

# -------------------------------------------------------------- the flow of first order, eq. (16)
h_flow, u_flow = scalar("h_flow", r"h(\tau+2\eta)"), scalar("u_flow", r"u(\tau+2\eta)")
dlog_h, dminus_u = (
    scalar("dlog_h", r"\tfrac{d\log|h|}{d\tau}"),
    scalar("dminus_u", r"\tfrac{d(-u)}{d\tau}"),
)
ode_scaling = {
    "h": OrderBound(h_next, h_flow, eta**2),
    "u": OrderBound(u_next, u_flow, eta**2),
}
ode_h = Equation(dh, -u * h)
ode_u = Equation(du, 2 * h**2 * (2 * C_b + norm2(glog)) - C_b)
ode_phi = Equation(dphi, 0 * phi)
big_k = Equation(K, sqrt(2 * C_b + norm2(glog)))
eq_16 = {
    "position": Equation(dlog_h, -u),
    "velocity": Equation(dminus_u, -(2 * K**2 * h**2 - C_b)),
}


def derive_flow(m: Model) -> None:
    """Speeds from the transitions, K from the coefficient of h^2, and the canonical variables."""
    first_order(m)
    m.step("2 K^2 is the coefficient of h^2 in du/dtau")
    m.define(K, sqrt(m.normal(m.differentiate(du, h, as_expr(1)) / (4 * h))))
    m.define(dlog_h, along_flow(m, log(h**2) / 2))
    m.define(dminus_u, along_flow(m, -u))
    m.example({h: -2, u: 3, C_b: 1, glog: (1, 2), phi: (0, 1), eta: Fraction(1, 8)})


def derive_scaling(m: Model) -> None:
    """One transition against the Taylor expansion of the flow over 2 eta."""
    derive_flow(m)
    bend_h, bend_u = m.landau("bend_h"), m.landau("bend_u")
    m.step("the flow over the time 2 eta of two steps, with a bounded second derivative")
    m.define(h_flow, h + 2 * eta * dh + eta**2 * bend_h)
    m.define(u_flow, u + 2 * eta * du + eta**2 * bend_u)
    m.bound(eta)


def observe_speeds(sample: Sample) -> None:
    """Speeds of the real transition, in time eta per step."""
    from eostheory.agree import measured

    well = draw_well(sample)
    root = (well.k2 - 2 * well.c_b) ** 0.5
    size = abs(well.h) + abs(well.u) + well.k2 + 1
    speed_h, speed_u = well.speeds(well.h, well.u)
    pull = well.speeds(1.0, 0.0)[1] - well.speeds(0.0, 0.0)[1]
    ops = 20
    dh_now = measured(speed_h, ops, size**3)
    sample.observe({
        h: well.h, u: well.u, C_b: well.c_b, glog: [root / 2] * 4, phi: [1.0, 2.0, 0.5, -1.0],
        dh: dh_now, du: measured(speed_u, ops, size**3), dphi: [0.0] * 4,
        K: measured(pull / 2, ops, size).sqrt(),
        dlog_h: dh_now / well.h, dminus_u: measured(-speed_u, ops, size**3),
    })  # fmt: skip


def simulate_scaling(sample: Sample) -> None:
    """Real transitions with remainders inside their bounds, against the integrated flow."""
    from eostheory.agree import Measured

    well = draw_well(sample)
    kicks = [sample.draw(st.sampled_from([-1.0, 0.5, 1.0]), x) for x in ("rest of h", "rest of u")]
    for k in range(3, 10):
        e = 2.0**-k
        size, speed = well.step(well.h, well.u, e)
        size += kicks[0] * abs(well.h) * e**2
        speed += kicks[1] * (1 + well.h**2) * e**2
        _, (at_h, at_u, _) = states_at(well, (0.0, 2 * e))
        sample.observe({eta: e, h_next: Measured(size, 1e-14), u_next: Measured(speed, 1e-13),
                        h_flow: at_h, u_flow: at_u}, scale=e)  # fmt: skip


# ------------------------------------------------------------------------ the potential well
acceleration, gained = scalar("a", "a"), scalar("gained", r"\tfrac12v^2-\tfrac12v_0^2")


potential = {
    "a = -U'": Equation(acceleration, -(2 * K**2 * exp(2 * x) - C_b)),
    "U": Equation(gained, well_of(x_0) - well_of(x)),
}


def derive_potential(m: Model) -> None:
    """The acceleration from eq. (16), the potential from the conserved quantity."""
    m.uses("lyu22/eq-16")
    size = scalar("size", positive=True)
    m.step("acceleration is the speed of -u, at |h| = exp(x)")
    velocity = -(2 * K**2 * size**2 - C_b)
    m.define(acceleration, substitute(velocity, {size: exp(x)}))
    found = conserved(canonical=True)
    m.step(f"conserved by x' = v, v' = a, found by {found.method}: {found.value}")
    value, v = found.formula(), scalar("v")
    unit = m.differentiate(m.differentiate(value, v, as_expr(1)), v, as_expr(1))
    stored = substitute(value / unit, {v: ZERO})
    m.define(gained, substitute(stored, {x: x_0}) - stored)
    m.example({K: 2, C_b: 1, x: 0, x_0: 1})


def simulate_potential(sample: Sample) -> None:
    """Kinetic energy gained along the real flow, and its acceleration."""
    from eostheory.agree import evaluate, measured

    well = draw_well(sample)
    times = [0.0, *(0.25 * k for k in range(1, 9))]
    states = states_at(well, times)
    root = measured(well.k2, 0).sqrt()
    half = as_expr(1) / 2
    start = evaluate(log(absolute(h)), {h: well.h})
    for size, speed, _ in states[1:]:
        force = well.speeds(float(size.value), float(speed.value))[1]
        scale = (abs(float(size.value)) + abs(well.u) + 1) ** 2 * (well.k2 + 1)
        slack = 20 * float(size.error) * scale
        kinetic = evaluate(half * u**2, {u: speed}) - evaluate(half * u**2, {u: well.u})
        sample.observe({
            K: root, C_b: well.c_b, x_0: start, x: evaluate(log(absolute(h)), {h: size}),
            acceleration: measured(-force, 20, scale) + measured(0.0, 1, slack / 2.0**-53),
            gained: kinetic,
        })  # fmt: skip
    fine = [0.05 * k for k in range(161)]
    path = states_at(well, fine)
    sample.plot(
        "Phase portrait", "log|h|", "-u",
        [{"label": f"K^2={well.k2}, C_b={well.c_b}",
          "x": [float(evaluate(log(absolute(h)), {h: p[0]}).value) for p in path],
          "y": [-float(p[1].value) for p in path]}],
    )  # fmt: skip


ZERO_SCALED = "a multiple of zero is zero"
CLAIMS = [
    Claim("lyu22/appH2.ode-scaling", statement=ode_scaling, derive=derive_scaling,
          simulate=simulate_scaling,
          reading="One transition is two steps; h and u of the flow are taken at tau + 2 eta, and "
          "the sign for 'about equal' is read as equal up to O(eta^2)."),
    Claim("lyu22/appH2.ode-h", statement=ode_h, derive=derive_flow, simulate=observe_speeds),
    Claim("lyu22/appH2.ode-u", statement=ode_u, derive=derive_flow, simulate=observe_speeds),
    Claim("lyu22/appH2.ode-phi", statement=ode_phi, derive=derive_flow, simulate=observe_speeds,
          waive={f"left dphi {x}": ZERO_SCALED for x in ("x2", "x1/2", "x1.001", "sign")}),
    Claim("lyu22/appH2.K", statement=big_k, derive=derive_flow, simulate=observe_speeds,
          reading="The law behind the definition: 2 K^2 is the coefficient of h^2 in du/dtau."),
    Claim("lyu22/eq-16", statement=eq_16, derive=derive_flow, simulate=observe_speeds),
    Claim("lyu22/appH2.potential", examples=FEW, statement=potential, derive=derive_potential,
          simulate=simulate_potential,
          reading="A potential is fixed up to a constant: U is tested by the kinetic energy that "
          "the particle gains between two positions, a = -U' with the derivative written out."),
]  # fmt: skip
