r"""From two steps to all times in the proof of Theorem 1: its exact steps.

Setting:  an auxiliary trajectory v^ that takes the two-step errors r_t as kicks at odd times, and
          the predicted one v*; a hat and a dot mark them in the paper.
Claims:   v^ meets the true displacement at even times (16.p1), the size of the kicks (16.p2), the
          recursions of the errors (16.p3, p5), the growth of |x*| (17.p3).
Source:   Damian, Nichani, Lee, arXiv:2209.15594, appendix I.3, proofs of Lemmas 16 and 17.

Each O(...) is written with the constant that the constants of the hypotheses give.

16.p2 prints |w_t| <= 2 c_2 delta where |v_{t-1}| is meant, to which Lemma 15 applies; the printed
bound holds all the same once epsilon is small.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Expr,
    Inequality,
    Statement,
    absolute,
    as_expr,
    dot,
    exp,
    eye,
    norm,
    norm2,
    scalar,
    vector,
)
from eostheory.numeric.losses import Draw

from . import _predicted as p
from ._common import D, eta
from ._flow import Table
from ._section4_runs import exact

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.symbolic import Model

# --------------------------------------------------------------------------------------- letters
now, then, last = (p.Time.named(f"_{k}", i) for k, i in (("t", "t"), ("t1", "t+1"), ("t2", "t+2")))
v_true, v_aux = vector("v_true", D, "v_t"), vector("v_aux", D, r"\hat v_t")
v_true_0, v_aux_0 = vector("v_true_0", D, "v_0"), vector("v_aux_0", D, r"\hat v_0")
v_true_last, v_aux_last = vector("v_true_2", D, "v_{t+2}"), vector("v_aux_2", D, r"\hat v_{t+2}")
two_predicted = vector("two_steps", D, r"\mathrm{step}_{t+1}(\mathrm{step}_t(v_t))")
w_now, w_next = vector("w_t", D, "w_t"), vector("w_next", D, "w_{t+1}")
kick = vector("r_t", D, "r_t")

epsilon = scalar("epsilon", r"\epsilon", positive=True)
width = scalar("delta", r"\delta", positive=True)
rho_3 = scalar("rho_3", r"\rho_3", positive=True)
c_1 = scalar("c_1", positive=True)
c_2 = scalar("c_2", positive=True)
C = scalar("C_15", "C_{15}", positive=True)
K = scalar("K", positive=True)
c_max = scalar("max_1_c2", r"\max(1,c_2)", positive=True)
lam_min = scalar("lambda_min", r"|\lambda_{\min}(\nabla^2L_t)|", nonnegative=True)

x_dot = scalar("x_dot", r"\dot x_t", nonzero=True)
x_dot_next = scalar("x_dot_next", r"\dot x_{t+1}")
x_dot_0 = scalar("x_dot_0", r"\dot x_0")
y_dot = scalar("y_dot", r"\dot y_t")
a = scalar("a_t", r"\|\hat v_t^\perp-\dot v_t^\perp\|", nonnegative=True)
a_next = scalar("a_next", r"\|\hat v_{t+1}^\perp-\dot v_{t+1}^\perp\|", nonnegative=True)
b = scalar("b_t", r"|(\hat x_t-\dot x_t)/\dot x_t|", nonnegative=True)
b_next = scalar("b_next", r"|(\hat x_{t+1}-\dot x_{t+1})/\dot x_{t+1}|", nonnegative=True)
d, d_next = scalar("d_t"), scalar("d_next", "d_{t+1}")
K_1, K_2, K_3, K_4 = (scalar(f"K_{k}", positive=True) for k in range(1, 5))
slack = scalar("slack")
time, horizon = scalar("t", nonnegative=True), scalar("T", positive=True)
test = vector("test", D, "a")

# ------------------------------------------------------------------------------------ statements
zero = as_expr(0)
meets: dict[str, Statement] = {
    "w even": Equation(dot(test, w_now), zero),
    "w odd": Equation(w_next, kick),
    "start": Equation(v_aux_0, v_true_0),
    "even times": Equation(v_aux_last, v_true_last),
}
injected = {
    "size": Inequality(norm(w_now), "<=", 2 * c_2 * width),
    "order": Inequality(norm(w_now), "<=", 8 * C * epsilon**2 * width * c_max**3),
}
off_u = Inequality(
    a_next,
    "<=",
    (1 + eta * lam_min) * a
    + as_expr(3) / 2 * c_2**2 * K * (epsilon * width) * b
    + C * epsilon**2 * width,
)
joint = Inequality(
    d_next, "<=", (1 + (K_1 + K_3 + K_4) * epsilon) * d + (K_2 + K_3) * epsilon**2 * width
)
growth: dict[str, Statement] = {
    "factor": Equation(absolute(x_dot_next), (1 + eta * y_dot) * absolute(x_dot)),
    "rate": Inequality(
        (1 + eta * y_dot) * absolute(x_dot), "<=", (1 + K * epsilon) * absolute(x_dot)
    ),
    "bounded": Inequality(absolute(x_dot_next), "<=", exp(K * horizon) * c_2 * width),
}


# ----------------------------------------------------------------------------------- derivations
def step(t: p.Time, nxt: p.Time, v: Expr) -> Expr:
    """The map step_t of eqs. (7) and (8)."""
    x = dot(t.u, v)
    pulled = (eye(D) - eta * t.H) @ t.P @ v + eta * ((t.delta**2 - x**2) / 2) * t.perp
    return nxt.P @ pulled - (1 + eta * dot(t.perp, v)) * x * nxt.u


def maximum(m: Model, letter: Expr, one: Expr, other: Expr) -> None:
    """``letter = max(one, other)``: at least both, and not above both."""
    m.assume(Inequality(letter, ">=", one), by="maximum")
    m.assume(Inequality(letter, ">=", other), by="maximum")
    m.assume(Inequality((letter - one) * (letter - other), "<=", zero), by="maximum")


def derive_meets(m: Model) -> None:
    """Two steps of the auxiliary trajectory from an even time at which it meets the true one."""
    p.frame(m, now, then, last)
    m.uses("damian23/def-8")
    m.define(two_predicted, step(then, last, step(now, then, v_true)))
    m.define(kick, v_true_last - two_predicted)
    m.step("the time t is even: no kick at t, the two-step error r_t at t+1")
    m.define(w_now, 0 * now.u)
    m.define(w_next, kick)
    m.define(v_aux_0, v_true_0)
    m.relation(v_aux, v_true, by="induction")
    middle = step(now, then, v_aux) + w_now
    m.define(v_aux_last, step(then, last, middle) + w_next)
    axes = p.on_axis(now) | p.on_axis(then) | p.on_axis(last)
    apart = {} if "induction" not in m.withheld else {v_aux: (1, 2)}
    m.example({**axes, v_true: (1, 1), v_true_last: (1, 3), eta: 1, **({v_aux: (1, 1)} | apart)})


def derive_injected(m: Model) -> None:
    """Lemma 15 at an odd time: the displacement before it is at most 2 c_2 delta."""
    ratio = scalar("ratio", positive=True)
    before, dotted, off = (scalar(k, nonnegative=True) for k in ("before", "dotted", "off"))
    m.step("|v_{t-1}| is at most |v*_{t-1}| + |v^_{t-1} - v*_{t-1}|")
    m.assume(Inequality(before, "<=", dotted + off))
    m.assume(Inequality(dotted, "<=", c_2 * width), by="bounded")
    m.assume(Inequality(off, "<=", c_2 * width), by="induction")
    m.assume(Inequality(c_max, ">=", as_expr(1)), by="maximum")
    m.assume(Inequality(c_max, ">=", c_2), by="maximum")
    m.step("the factor max(1, |v_{t-1}|/delta) of Lemma 15 is one of the two")
    m.assume(Inequality((ratio - 1) * (ratio * width - before), "<=", zero), by="lemma 15")
    m.assume(Inequality(norm(w_now), "<=", C * epsilon**2 * width * ratio**3), by="lemma 15")
    m.lemma(
        "the displacement",
        Inequality(before, "<=", 2 * c_2 * width),
        given=[
            Inequality(before, "<=", dotted + off),
            Inequality(dotted, "<=", c_2 * width),
            Inequality(off, "<=", c_2 * width),
        ],
    )
    m.lemma(
        "the factor",
        Inequality(ratio, "<=", 2 * c_max),
        given=[
            Inequality((ratio - 1) * (ratio * width - before), "<=", zero),
            Inequality(before, "<=", 2 * c_2 * width),
            Inequality(c_max, ">=", as_expr(1)),
            Inequality(c_max, ">=", c_2),
        ],
    )
    m.lemma(
        "its cube",
        Inequality(ratio**3, "<=", 8 * c_max**3),
        given=[Inequality(ratio, "<=", 2 * c_max)],
    )
    small = Inequality(8 * C * epsilon**2 * c_max**3, "<=", 2 * c_2)
    m.assume(small, by="epsilon small")
    m.uses("damian23/lemma-15")


@cache
def triangle() -> bool:
    """|z - <e, z> e| <= |z_1| + |z_2| + |z_3| for z = z_1 + z_2 + z_3 and |e| <= 1, any size."""
    from eostheory.symbolic import Model

    m = Model()
    e, z, *parts = (vector(k, D) for k in ("e", "z", "z_1", "z_2", "z_3"))
    whole = parts[0] + parts[1] + parts[2]
    shorter = Inequality(norm(z - dot(e, z) * e), "<=", norm(z))
    unit = Inequality(norm2(e), "<=", as_expr(1))
    one, other = vector("one", D), vector("other", D)
    both = Inequality(norm(one + other), "<=", norm(one) + norm(other))
    m.assume(unit, by="unit")
    chain = (
        m.lemma("shorter", shorter, given=[unit], where={z: whole}),
        m.lemma("two", both, where={one: parts[0], other: parts[1] + parts[2]}),
        m.lemma("three", both, where={one: parts[1], other: parts[2]}),
    )
    return all(step.outcome == "holds" for step in chain)


def derive_off_u(m: Model) -> None:
    """The difference of two steps off the next eigenvector, term by term."""
    size, carried, pull, kicked = (
        scalar(k, nonnegative=True) for k in ("size", "carried", "pull", "kicked")
    )
    if triangle():
        m.step("the difference of two steps from the same time is at most the sum of three lengths")
        pulled = eta / 2 * size**2 * b * (2 + b) * pull
        m.assume(Inequality(a_next, "<=", carried + pulled + kicked), by="unit eigenvector")
    m.assume(Inequality(carried, "<=", (1 + eta * lam_min) * a), by="spectrum")
    m.assume(Inequality(pull, "<=", rho_3), by="assumption 3")
    m.assume(Inequality(eta * rho_3 * width, "<=", K * epsilon), by="assumption 4")
    m.step("size is |x*|, and |x^^2 - x*^2| is at most size^2 b (2 + b) for the relative error b")
    m.assume(Inequality(size, "<=", c_2 * width), by="bounded")
    m.assume(Inequality(size * b, "<=", c_2 * width), by="induction")
    m.assume(Inequality(kicked, "<=", C * epsilon**2 * width), by="kick")


def derive_joint(m: Model) -> None:
    """Both recursions, with the larger of the two errors."""
    maximum(m, d, a, width * b)
    maximum(m, d_next, a_next, width * b_next)
    first = (1 + eta * lam_min) * a + K_1 * epsilon * width * b + K_2 * epsilon**2 * width
    second = b + K_3 * (epsilon**2 + epsilon / width * a)
    m.assume(Inequality(a_next, "<=", first), by="off u")
    m.assume(Inequality(b_next, "<=", second), by="along u")
    m.assume(Inequality(eta * lam_min, "<=", K_4 * epsilon), by="assumption 5")
    m.uses("damian23/lemma-16.p3")
    m.uses("damian23/lemma-16.p4")


def derive_growth(m: Model) -> None:
    """x_{t+1} = -(1 + eta y) x with eta y at most of size epsilon, for a time T/epsilon."""
    m.define(x_dot_next, -(1 + eta * y_dot) * x_dot)
    m.assume(Inequality(1 + eta * y_dot, ">", zero), by="small step")
    m.assume(Inequality(eta * y_dot, "<=", K * epsilon), by="bound of y")
    m.assume(Inequality(slack, ">=", zero), by="horizon")
    m.define(horizon, (time + 1) * epsilon + slack)
    m.assume(Inequality(absolute(x_dot_0), "<=", c_2 * width), by="start")
    sofar = Inequality(absolute(x_dot), "<=", exp(K * epsilon * time) * absolute(x_dot_0))
    m.assume(sofar, by="induction")
    z = scalar("z", nonnegative=True)
    at_least = Inequality(1 + z, "<=", exp(z))
    m.lemma("one step", at_least, where={z: K * epsilon})
    m.lemma("the rest of the time", at_least, where={z: K * slack})


# ------------------------------------------------------------------------------------ simulation
def two_trajectories(sample: Sample) -> None:
    """step_t on real Taylor data from a point, and with kicks: the auxiliary trajectory."""
    rate, readings = p.taylor_data(sample, 3)
    draw = Draw(sample.draw(st.integers(0, 2**20), "displacements"))
    size = len(np.asarray(readings[0].u.value))
    widths = [float(k) for k in draw.uniform(0.3, 1.5, 3)]
    true, true_last, elsewhere, any_vector = (exact(draw.normal(size)) for _ in range(4))
    start = true if sample.holds("induction") else elsewhere
    plain, kicked = p.Run(rate, readings, widths), p.Run(rate, readings, widths)
    plain.start(true)
    kicked.start(start)
    error = true_last - plain.v[2]
    half = p.Run(rate, readings[1:], widths[1:])
    half.start(kicked.v[1] + 0.0 * error)
    table: Table = {eta: rate, test: any_vector, v_true: true, v_aux: start}
    for k, letters in enumerate((now, then, last)):
        table |= plain.table(k, letters)
    table |= {v_true_0: true, v_aux_0: true, v_true_last: true_last, two_predicted: plain.v[2]}
    table |= {kick: error, w_now: 0.0 * error, w_next: error, v_aux_last: half.v[1] + error}
    sample.observe(table)


BOUNDED = {"bounded": "|v*_t| <= c_2 delta"}
INDUCTION = {"induction": "the claim of the induction at the time before"}
WITH_CONSTANTS = "O(...) is written with the constant that those of the hypotheses give"
WEAKER = "a weaker bound: epsilon is positive"

CLAIMS = [
    Claim(
        "damian23/lemma-16.p1",
        meets,
        hypotheses=INDUCTION,
        derive=derive_meets,
        simulate=two_trajectories,
        waive={"w even:left test -> w_t": "a consequence: w_t = 0"},
        reading="the induction over even times: its start and its step",
    ),
    Claim(
        "damian23/lemma-16.p2",
        injected,
        hypotheses={
            "lemma 15": "the two-step error is at most C epsilon^2 delta max(1, |v|/delta)^3",
            **BOUNDED,
            **INDUCTION,
            "epsilon small": "8 C epsilon^2 max(1, c_2)^3 <= 2 c_2",
        },
        derive=derive_injected,
        reading=WITH_CONSTANTS + "; |w_t| <= 2 c_2 delta is judged as printed",
    ),
    Claim(
        "damian23/lemma-16.p3",
        off_u,
        hypotheses={
            "spectrum": "|(I - eta H) z| <= (1 + eta |lambda_min|) |z| off u: Assumption 2",
            "assumption 3": "|grad S^perp| <= rho_3",
            "assumption 4": "eta rho_3 delta <= K epsilon",
            "kick": "|w_t| <= C epsilon^2 delta",
            **BOUNDED,
            **INDUCTION,
        },
        derive=derive_off_u,
        reading=WITH_CONSTANTS,
    ),
    Claim(
        "damian23/lemma-16.p5",
        joint,
        hypotheses={
            "off u": "the recursion of the error off u (p3)",
            "along u": "the recursion of the relative error along u (p4)",
            "assumption 5": "eta |lambda_min| <= K_4 epsilon",
        },
        derive=derive_joint,
        reading=WITH_CONSTANTS,
    ),
    Claim(
        "damian23/lemma-17.p3",
        growth,
        hypotheses={
            "small step": "1 + eta y > 0",
            "bound of y": "eta y <= K epsilon (p2)",
            "horizon": "(t + 1) epsilon <= T",
            "start": "|x_0| <= c_2 delta",
            **INDUCTION,
        },
        derive=derive_growth,
        waive={f"rate:left eta*y_dot {x}": WEAKER for x in ("x1/2", "dropped")},
        reading=WITH_CONSTANTS + "; |x_t| <= exp(K epsilon t) |x_0| by induction on t",
    ),
]
