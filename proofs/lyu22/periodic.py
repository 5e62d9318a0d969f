r"""The motion in the potential well is periodic, and its energy is conserved.

Setting:  the flow of eq. (16): log|h| and -u are position and velocity of a particle of unit mass
          in the potential U(x) = K^2 exp(2x) - C_b x.
Claims:   the motion is periodic; h^2 averages to C_b / (2 K^2) over a period; Definition H.21 is
          the particle's energy.
Source:   Lyu, Li, Arora, arXiv:2206.07085, appendices H.2 and H.5.

The derivation argues with closed level curves of a convex potential, and finds the energy in the
field.  The simulation waits for the flow to come back, and measures energy as work done.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Expr,
    Inequality,
    Predicate,
    Statement,
    absolute,
    as_expr,
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
    draw_well,
    du,
    energy_found,
    eta,
    first_order,
    glog,
    h,
    period,
    phi,
    quadrature,
    states_at,
    u,
    well_of,
    x,
    x_0,
)

if TYPE_CHECKING:
    from eostheory.agree import Measured, Sample
    from eostheory.symbolic import Decision, Model

ZERO = as_expr(0)

# ---------------------------------------------------------------------- period and average
mean_h2, mean_step = (
    scalar("mean_h2", r"\overline{h^2}"),
    scalar("mean_step", r"\overline{2\eta^2h^2}"),
)
average = {
    "h^2": Equation(mean_h2, C_b / (2 * K**2)),
    "rate": Equation(mean_step, C_b / K**2 * eta**2),
}


def derive_average(m: Model) -> None:
    """Over a period u returns, so the mean of du/dtau vanishes; it is affine in h^2."""
    m.uses("lyu22/eq-16")
    m.uses("lyu22/appH2.periodic")
    square = scalar("square", nonnegative=True)
    speed_of_u = 2 * K**2 * square - C_b
    m.step("(u(T) - u(0)) / T = 0 is the mean of 2 K^2 h^2 - C_b: solve for the mean of h^2")
    slope = m.differentiate(speed_of_u, square, as_expr(1))
    at_none = substitute(speed_of_u, {square: ZERO})
    m.define(mean_h2, -at_none / slope)
    m.define(mean_step, 2 * eta**2 * mean_h2)
    m.example({K: 2, C_b: 3, eta: Fraction(1, 10)})


def simulate_average(sample: Sample) -> None:
    """Wait for the flow to come back, and average over that time."""
    from eostheory.agree import Measured, measured

    well = draw_well(sample, at_rest=True)
    time = period(well)
    (_, (size, speed, area)) = states_at(well, (0.0, time))
    came_back = abs(float(size.value) - well.h) + abs(float(speed.value))
    rate = max(1.0, well.h**2)
    slack = float(area.error) + rate * (came_back + 1e-11)
    mean = Measured(float(area.value), slack) / time
    rate_eta = 2.0 ** -sample.draw(st.integers(2, 8), "-log2 eta")
    sample.observe({K: measured(well.k2, 0).sqrt(), C_b: well.c_b, eta: rate_eta, mean_h2: mean,
                    mean_step: mean * (2 * rate_eta**2)})  # fmt: skip
    sample.note(f"period {time:.12g}; the state came back to within {came_back:.1e}")


# -------------------------------------------------------------------------- periodicity
u_0 = scalar("u_0", "u_0")
turns = scalar("turns", r"\#\text{turning points of a motion in a unimodal well}")
periodic: dict[str, Statement] = {
    "this well": Predicate(
        "one closed curve",
        (u**2 / 2 + well_of(x), u_0**2 / 2 + well_of(x_0)),
        "these agree along the motion, on a closed curve that it runs round and round",
    ),
    "every unimodal well": Equation(turns, as_expr(2)),
}


def derive_periodic(m: Model) -> None:
    """Conserved energy, a strictly convex potential that grows at both ends: closed curves."""
    from eostheory.symbolic import Decision

    first_order(m)
    m.uses("lyu22/appH2.potential")
    m.step(
        "energy is conserved, U is strictly convex, and U' takes both signs: so every level of "
        "the energy above the minimum is one closed curve without a resting point on it"
    )
    m.define(K, sqrt(m.normal(m.differentiate(du, h, as_expr(1)) / (4 * h))))

    def closed_curve(now: Expr, start: Expr) -> Decision:
        slope = m.differentiate(now, x, as_expr(1))
        bend = m.differentiate(slope, x, as_expr(1))
        at_h = substitute(now, {x: log(h**2) / 2})
        right, left = log(C_b / K**2) / 2, log(C_b / (4 * K**2)) / 2
        questions: dict[str, Statement] = {
            "both sides are one function": Equation(substitute(now, {x: x_0, u: u_0}), start),
            "conserved": Equation(along_flow(m, at_h), ZERO),
            "kinetic energy is convex": Inequality(
                m.differentiate(m.differentiate(now, u, as_expr(1)), u, as_expr(1)), ">", ZERO
            ),
            "potential is strictly convex": Inequality(bend, ">", ZERO),
            "rises on the right": Inequality(substitute(slope, {x: right}), ">", ZERO),
            "rises on the left": Inequality(substitute(slope, {x: left}), "<", ZERO),
        }
        answers = {name: m.decide(question) for name, question in questions.items()}
        doubtful = [name for name, d in answers.items() if d.outcome != "holds"]
        if not doubtful:
            checked = {name: d.method for name, d in answers.items()}
            return Decision("holds", method="closed level curves", certificate={"checked": checked})
        refuted = answers[doubtful[0]].outcome == "fails"
        return Decision("fails" if refuted else "undecided", method=doubtful[0],
                        witness=answers[doubtful[0]].witness, tried=tuple(doubtful))  # fmt: skip

    if "holds_the_particle" not in m.withheld:
        m.step("left of its minimum a unimodal U falls from above the energy to below it, right of "
               "it U rises back: one turning point on each side")  # fmt: skip
        m.define(turns, as_expr(1) + 1)
    else:
        import sympy

        z = sympy.Symbol("z", real=True)
        m.step("U = z^2/(1 + z^2) is unimodal; at energy 2 the particle turns where 2 - U = 0")
        speed = sympy.together(2 - z**2 / (1 + z**2))
        m.define(turns, as_expr(len(sympy.real_roots(sympy.numer(speed)))))
    m.predicate("one closed curve", closed_curve)
    m.example({h: 2, u: 1, u_0: 1, x: 0, x_0: 1, C_b: 1, glog: (1, 2), phi: (0, 1),
               eta: Fraction(1, 8)})  # fmt: skip


def simulate_periodic(sample: Sample) -> None:
    """The flow over one period, and a particle in wells of unlike shapes."""

    from eostheory.agree import evaluate, measured
    from eostheory.numeric.flows import integrate

    well = draw_well(sample, at_rest=True)
    time = period(well)
    states = states_at(well, [time * k / 8 for k in range(9)])
    begin = states[3]
    start = evaluate(log(absolute(h)), {h: begin[0]})
    for size, speed, _ in (*states[:3], *states[4:]):
        at = evaluate(log(absolute(h)), {h: size})
        sample.observe({u: speed, u_0: begin[1], x: at, x_0: start,
                        K: measured(well.k2, 0).sqrt(), C_b: well.c_b})  # fmt: skip
    final = states[-1]
    back = abs(float(final[0].value) - well.h) + abs(float(final[1].value)) < 1e-8

    def closed_curve(now: Measured, before: Measured) -> bool:
        gap = abs(float(now.value) - float(before.value))
        return back and gap <= float(now.error) + float(before.error)

    forces: dict[str, Callable[[float], float]] = {
        "z^2/2": lambda z: -z,
        "z^4/4": lambda z: -(z**3),
        "exp(z) - z": lambda z: 1 - math.exp(z),
    }
    if not sample.holds("holds_the_particle"):
        forces = {"z^2/(1+z^2)": lambda z: -2 * z / (1 + z * z) ** 2}
    name = sample.draw(st.sampled_from(sorted(forces)), "potential")
    fast = sample.draw(st.sampled_from([1.75, 2.5, 3.0]), "speed at the bottom")
    count = 0
    for direction in (1.0, -1.0):
        found = integrate(lambda _, y: (y[1], forces[name](y[0])), (0.0, fast), (0.0, 40.0),
                          event=lambda _, y: float(y[1]), direction=direction)  # fmt: skip
        count += len(found.crossings) > 0
    sample.observe({turns: count})
    sample.predicate("one closed curve", closed_curve)


# ------------------------------------------------------------------------- Definition H.21
energy = scalar("E", "E(S)")
definition_h21 = Equation(
    energy, u**2 / 2 + (2 * C_b + norm2(glog)) * h**2 + C_b * log(1 / absolute(h))
)


def derive_energy(m: Model) -> None:
    """Found, not checked: what the field of eq. (16) conserves, with kinetic energy u^2 / 2."""
    first_order(m)
    m.uses("lyu22/eq-16")
    m.define(K, sqrt(m.normal(m.differentiate(du, h, as_expr(1)) / (4 * h))))
    m.define(energy, energy_found(m, u))
    m.example({h: -1, u: 3, C_b: 1, glog: (1, 2), phi: (0, 1), eta: Fraction(1, 8)})


def simulate_energy(sample: Sample) -> None:
    """Kinetic energy, and the work of the measured force from h = 0 and from |h| = 1."""
    from eostheory.agree import Measured, exact

    well = draw_well(sample)
    times = (0.0, 0.5, 1.0, 1.5)
    root = (well.k2 - 2 * well.c_b) ** 0.5
    rest = well.speeds(0.0, 0.0)[1]
    half = exact(0.5)
    for size, speed, _ in states_at(well, times):
        top = abs(float(size.value))
        push = quadrature(lambda s: (well.speeds(s, 0.0)[1] - rest) / s, 0.0, top)
        fall = quadrature(lambda s: rest / s, 1.0, top)
        slack = float(size.error) * (2 * well.k2 * top + well.c_b / top) * 4
        value = half * speed * speed + push + fall + Measured(0.0, slack)
        sample.observe({energy: value, u: speed, h: size, C_b: well.c_b, glog: [root / 2] * 4})


CLAIMS = [
    Claim("lyu22/appH2.periodic", examples=FEW, statement=periodic, derive=derive_periodic,
          simulate=simulate_periodic,
          corrected_hypotheses={"holds_the_particle": "the energy lies below the potential far "
                                "out on both sides (as it does for this U)"},
          reading="The paper's sentence is about every unimodal potential; periodic is read as "
          "turning on both sides. For the potential at hand it is right; in general the well "
          "must hold the particle, which a bounded unimodal potential does not."),
    Claim("lyu22/def-H.21", statement=definition_h21, derive=derive_energy,
          simulate=simulate_energy,
          reading="The law behind the definition: it is what the flow of eq. (16) conserves, with "
          "kinetic energy u^2/2 of a unit mass."),
    Claim("lyu22/appH2.average", statement=average, derive=derive_average,
          simulate=simulate_average),
]  # fmt: skip
