r"""The two-step lemma of Theorem 1: its exact steps.

Setting:  v_t = theta_t - theta_t^dagger = x u + v^perp with v^perp orthogonal to u; the loss has
          third derivative rho_3 T and rho_4-Lipschitz third derivative; Assumptions 3 to 5.
Claims:   the displacement after one step (p1, p2), the leakage of one top eigenvector out of the
          next (p7), the displacement after two steps, true (p10, p14) and predicted (p18).
Source:   Damian, Nichani, Lee, arXiv:2209.15594, appendix I.3, proof of Lemma 15.

Three slips.  p7: for unit vectors |P u| <= |u - u'|, without the square (at a small angle a the
left side is about a, the printed bound a^2); only the unsquared bound is used.  p14 and p18 print
epsilon_{t+1}^2 for delta_{t+1}^2 in the last bracket.  In p10 the factor y_t should be y_{t+1}:
that changes the formula by less than its error term, so the statement stands.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from eostheory.agree import Measured
from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Expr,
    Inequality,
    OrderBound,
    Statement,
    as_expr,
    dot,
    eye,
    norm,
    norm2,
    scalar,
    sqrt,
)
from eostheory.numeric.losses import Draw

from . import _predicted as p
from ._common import D, T, eta, gradL, gradS, hess, u, x, y
from ._flow import Table
from ._section4_runs import inner
from ._theorem1_letters import (
    E_next,
    E_t,
    delta_t,
    eps_next,
    epsilon,
    g,
    g_next,
    last,
    last_bar,
    last_bar_time,
    last_perp,
    leak,
    mixed,
    now,
    perp,
    projected,
    rho_3,
    rho_4,
    size,
    slope,
    then,
    then_bar,
    transverse,
    u_next,
    v,
    v_next,
    v_perp,
    w,
    width,
    x_last,
    x_next,
    y_next,
)
from ._theorem1_runs import from_real_steps

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.symbolic import Model

# ------------------------------------------------------------------------------------ statements
moved = (eye(D) - eta * hess) @ v
one_step = OrderBound(
    v_next,
    moved
    - eta * (gradL - projected)
    - eta / 2 * x**2 * gradS
    - eta * x * mixed
    - eta / 2 * transverse,
    eta * rho_4 * size**3 + epsilon**2 * (eta * slope),
)
combined = OrderBound(
    v_next,
    moved
    + eta * ((delta_t**2 - x**2) / 2) * perp
    - eta / 2 * x**2 * dot(gradS, u) * u
    - eta * x * mixed,
    epsilon**2 * size**2 / width + epsilon**2 * size**3 / width**2 + epsilon**3 * width,
)
in_full = Equation(norm(leak), norm(u - dot(u_next, u) * u_next))
linear = Inequality(norm(u - dot(u_next, u) * u_next), "<=", norm(u - u_next))
leakage: dict[str, Statement] = {
    "projection": in_full,
    "square": Inequality(norm(u - dot(u_next, u) * u_next), "<=", norm2(u - u_next)),
    "order": Inequality(norm2(u - u_next), "<=", 2 * norm(u - u_next)),
}
true_leakage: dict[str, Statement] = {"projection": in_full, "linear": linear}
two_steps_x = OrderBound(
    x_last,
    x * (1 + eta * y) * (1 + eta * y_next)
    + eta / 2 * (eta * y * x**2 * g + x**2 * g - x_next**2 * g_next),
    (1 + eta * rho_3 * size) * E_t + E_next,
)


def two_steps(then: p.Time, last: p.Time, width_then: Expr) -> Expr:
    """The two-step update off the top eigenvector."""
    twice = last.P @ (eye(D) - eta * then.H) @ then.P
    return (
        twice @ (eye(D) - eta * now.H) @ now.P @ now.v
        + eta * now.drive * (twice @ now.perp)
        + eta * ((width_then**2 - then.x**2) / 2) * (last.P @ then.perp)
    )


true_two_steps, printed_two_steps = (
    OrderBound(last_perp, two_steps(then, last, w), E_t) for w in (then.delta, eps_next)
)
true_predicted, printed_predicted = (
    Equation(last_bar, two_steps(then_bar, last_bar_time, w)) for w in (then_bar.delta, eps_next)
)


# ----------------------------------------------------------------------------------- derivations
def displacement(m: Model) -> None:
    """One step of gradient descent less one of the constrained trajectory, by Taylor's formula."""
    xi = scalar("xi", nonzero=True)
    m.define(x, size * xi)
    m.define(v_perp, size * w)
    m.define(v, x * u + v_perp)
    m.define(gradS, rho_3 * T(u, u))
    m.define(perp, gradS - dot(u, gradS) * u)
    m.define(mixed, rho_3 * T(u, v_perp))
    m.define(transverse, rho_3 * T(v_perp, v_perp))
    m.define(projected, gradL - dot(gradL, perp) / norm2(perp) * perp)
    taylor = gradL + hess @ v + rho_3 / 2 * T(v, v) + rho_4 * size**3 * m.landau("Taylor", (D,))
    constrained = eta * projected + epsilon**2 * eta * slope * m.landau("Lemma 13", (D,))
    m.define(v_next, v - eta * taylor + constrained)
    m.step("Taylor's formula for grad L at theta_t about theta_t^dagger, and Lemma 13")
    m.uses("damian23/lemma-13")


def sizes(m: Model) -> None:
    """What the definitions of delta and epsilon with Assumptions 3 and 4 say about sizes."""
    m.bound(epsilon)
    m.bound(eta * rho_3 * width / epsilon, by="assumption 4")
    m.bound(eta * slope / (epsilon * width), by="assumption 4")
    m.bound(rho_4 / (eta * rho_3**2), by="assumption 3")


def derive_combined(m: Model) -> None:
    """alpha = -grad L . grad S and delta^2 = 2 alpha/beta turn the projected part of grad L."""
    displacement(m)
    sizes(m)
    m.relation(dot(gradL, u), 0, by="constraint")
    m.relation(T(w, w), epsilon * m.landau("off u", (D,)), by="assumption 5")
    alpha = -dot(gradL, gradS)
    m.define(delta_t, sqrt(2 * alpha / norm2(perp)))
    m.uses("damian23/def-4")


def derive_leakage(m: Model) -> None:
    """Two unit vectors."""
    m.relation(norm2(u), 1, by="unit vectors")
    m.relation(norm2(u_next), 1, by="unit vectors")
    m.define(leak, u - dot(u_next, u) * u_next)
    m.example({u: (1, 0), u_next: (Fraction(4, 5), Fraction(3, 5))})


def derive_two_steps_x(m: Model) -> None:
    """The one-step update of x (p6) twice, and the sizes of its parts."""
    first, second = m.landau("first error"), m.landau("second error")
    m.define(x, size * scalar("xi", nonzero=True))
    m.define(g, rho_3 * m.landau("slope along u"))
    m.define(y, rho_3 * size * m.landau("height"))
    m.define(y_next, rho_3 * (size * m.landau("next height") + epsilon * width * m.landau("rise")))
    m.define(x_next, -x * (1 + eta * y) - eta / 2 * x**2 * g + E_t * first)
    m.define(x_last, -x_next * (1 + eta * y_next) - eta / 2 * x_next**2 * g_next + E_next * second)
    m.uses("damian23/lemma-15.p6")
    m.bound(epsilon)
    m.bound(eta * rho_3 * width / epsilon, by="assumption 4")
    m.step("E_t is at least epsilon^2 |v|^3/delta^2 and epsilon^2 |v|^2/delta, by its definition")
    m.bound(epsilon**2 * size**3 / (width**2 * E_t), by="definition of E_t")
    m.bound(epsilon**2 * size**2 / (width * E_t), by="definition of E_t")


def derive_two_steps(m: Model) -> None:
    """The one-step update of the part off u (p9) twice."""
    p.frame(m, now, then, last)
    m.define(eps_next, eta * then.delta * norm(then.perp) / sqrt(as_expr(2)))
    m.step(
        "epsilon^2 = eta^2 alpha and delta^2 = 2 alpha/beta: epsilon = eta delta |grad S|/2^(1/2)"
    )
    off = then.P @ (update_off(now, then) + E_t * m.landau("first step", (D,)))
    m.define(then.v, off + then.x * then.u)
    m.define(last_perp, last.P @ (update_off(then, last) + E_next * m.landau("second step", (D,))))
    m.bound(E_next / E_t, by="E_{t+1} = O(E_t)")
    m.uses("damian23/lemma-15.p9")
    axes = p.on_axis(now) | p.on_axis(then) | p.on_axis(last)
    m.example({**axes, now.v: (1, 1), now.x: 1, then.x: 1, eta: 1, E_t: 1, E_next: 1})


def update_off(t: p.Time, nxt: p.Time) -> Expr:
    """(I - eta H) P v + eta grad S^perp (delta^2 - x^2)/2, off the next eigenvector."""
    return nxt.P @ ((eye(D) - eta * t.H) @ t.P @ t.v + eta * t.drive * t.perp)


def derive_predicted(m: Model) -> None:
    """The map step_t of eqs. (7) and (8) twice."""
    p.frame(m, now, then_bar, last_bar_time)
    m.define(eps_next, eta * then_bar.delta * norm(then_bar.perp) / sqrt(as_expr(2)))
    for t, nxt in ((now, then_bar), (then_bar, last_bar_time)):
        m.define(t.x, dot(t.u, t.v))
        m.define(t.y, dot(t.perp, t.v))
        m.define(nxt.v, p.update(t, nxt))
    m.define(last_bar, last_bar_time.P @ last_bar_time.v)
    m.uses("damian23/def-8")
    axes = p.on_axis(now) | p.on_axis(then_bar) | p.on_axis(last_bar_time)
    m.example({**axes, now.v: (1, 1), eta: 1})


# ----------------------------------------------------------------------------------- simulations
def unit_vectors(sample: Sample) -> None:
    """Two unit vectors at any distance, small ones included."""
    dim = sample.draw(st.integers(2, 8), "d")
    close = 10.0 ** -sample.draw(st.integers(0, 4), "distance")
    draw = Draw(sample.draw(st.integers(0, 2**20), "seed"))
    one, other = draw.normal(dim).numpy(), draw.normal(dim).numpy()
    one = one / np.linalg.norm(one)
    other = one + close * other
    other = other / np.linalg.norm(other) * (1 if sample.holds("unit vectors") else 3)
    off = np.full(dim, 2.0**-50)
    a, b = Measured(one, off), Measured(other, off)
    product = inner(a, b)
    sample.observe({u: a, u_next: b, leak: a - product * b})


def predicted_steps(sample: Sample) -> None:
    """The predicted dynamics on real Taylor data, from anywhere."""
    run = p.drawn_run(sample, along=False)
    table: Table = {eta: run.rate}
    for k, letters in enumerate((now, then_bar, last_bar_time)):
        table |= run.table(k, letters)
    perp_next = run.perps[1]
    table[eps_next] = run.rate * run.widths[1] * (0.5 * inner(perp_next, perp_next)).sqrt()
    sample.observe({**table, last_bar: run.readings[2].P @ run.v[2]})


FEW = {"quick": 3, "default": 8, "thorough": 24}
UNIT = {"unit vectors": "u_t and u_{t+1} are unit vectors"}
CHANGES = ("x2", "x1/2", "x1.001", "sign", "dropped")
HALVES = ("2**(-1) exponent +1", "2**(-1) exponent -1", "2 +1", "2 -1")


def waived(reason: str, *mutants: str, witness: str = "simulation:") -> dict[str, str]:
    """One reason for several mutants of the right side."""
    return {f"{witness}right {mutant}": reason for mutant in mutants}


def term(formula: str) -> tuple[str, ...]:
    """Every change of the coefficient of a term."""
    return tuple(f"{formula} {change}" for change in CHANGES)


LATER = "true: the term is O(E_t) itself, as the paper shows right after; any factor will do"
BRACKET = "true: the whole bracket is O(E_t), as the paper goes on to show"
CLOSE = "true: what belongs to one time is within O(epsilon^2) of the next, relatively"
OFF_U = "the runs meet Assumption 5, which makes the term as small as the error"
WHOLE = "eta*2**(-1)*(eta*y*x**2*g_t + x**2*g_t - x_next**2*g_next)"
HARMLESS = {
    **waived(LATER, *term("eta*y*x**2*g_t"), witness=""),
    **waived(LATER, "x**2 exponent +1", "x**2 exponent -1", "g_t -> x", "y -> y_next", "y -> x"),
    **waived(BRACKET, *term(WHOLE), *HALVES),
    **waived(CLOSE, "g_next -> g_t", "g_t -> g_next", "x_next -> x", "x -> x_next"),
}
FINE = {"simulation:*x1.001": "a thousandth of a term shows at smaller scales only"}
NEIGHBOURS = tuple(
    f"{letter}{a} -> {letter}{b}"
    for letter in ("H", "P", "gradS_perp", "delta", "x")
    for a, b in (("_t", "_t1"), ("_t1", "_t"), ("_t1", "_t2"), ("_t2", "_t1"))
)
SHORTEST = "true: |P u| is the distance of either vector to the line of the other one"
SHORTER = (
    *("left u -> u_next", "left u_next -> u", "right u x1/2", "right u sign", "right u dropped"),
    *("right -u_next x1/2", "right -u_next sign", "right -u_next dropped", "right -1 +1"),
)
WITH_DELTA = "delta_{t+1}, as in the one-step update, is meant; printed is epsilon_{t+1}."

CLAIMS = [
    Claim(
        "damian23/lemma-15.p1",
        one_step,
        derive=displacement,
        simulate=from_real_steps,
        examples=FEW,
        waive=FINE | waived(OFF_U, *term("-eta*2**(-1)*transverse"), *HALVES),
    ),
    Claim(
        "damian23/lemma-15.p2",
        combined,
        hypotheses={
            "assumption 3": "rho_4 = O(eta rho_3^2)",
            "assumption 4": "grad S^perp is of size rho_3, aligned with grad L",
            "assumption 5": "the third derivative off u is O(epsilon rho_3)",
            "constraint": "grad L_t is orthogonal to u_t",
        },
        derive=derive_combined,
        simulate=from_real_steps,
        examples=FEW,
        waive=FINE,
    ),
    Claim(
        "damian23/lemma-15.p7",
        leakage,
        hypotheses=UNIT,
        derive=derive_leakage,
        simulate=unit_vectors,
        corrected=true_leakage,
        reading="O(|u - u'|) with its least constant, 2",
        waive={f"linear:{x}": SHORTEST for x in SHORTER},
    ),
    Claim(
        "damian23/lemma-15.p10",
        two_steps_x,
        hypotheses={
            "assumption 4": "grad S^perp is of size rho_3",
            "definition of E_t": "E_t = epsilon^2 delta max(1, |v_t|/delta)^3",
        },
        derive=derive_two_steps_x,
        simulate=from_real_steps,
        examples=FEW,
        waive=FINE | HARMLESS,
    ),
    Claim(
        "damian23/lemma-15.p14",
        printed_two_steps,
        hypotheses={"E_{t+1} = O(E_t)": "|v_{t+1}| = O(|v_t| + epsilon delta)"},
        derive=derive_two_steps,
        simulate=from_real_steps,
        examples=FEW,
        corrected=true_two_steps,
        waive=FINE | waived(CLOSE, *NEIGHBOURS),
        reading=WITH_DELTA,
    ),
    Claim(
        "damian23/lemma-15.p18",
        printed_predicted,
        derive=derive_predicted,
        simulate=predicted_steps,
        corrected=true_predicted,
        reading=WITH_DELTA,
    ),
]
