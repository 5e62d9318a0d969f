r"""Sizes along the alignment phase, in the proof of Theorem H.10 (appendix L.2).

Setting:  a bounded, at most O(1/delta)-misaligned state takes steps near the critical rate; Q
          stands for (1 - 1.9 gamma_min)^t, p for the length of the middle part of x.
Claims:   the sizes of p, x and h in stage one (t <= T_0, where Q falls to delta) and stage two.
Source:   Lyu, Li, Arora, arXiv:2206.07085, appendix L.2.

Found: in stage one neither p nor |x| decays with Q alone.  The top part of x keeps its length, and
feeds the middle part with terms of its square: both belong into the bounds, as stage two has it.
At the end of stage two h_t is compared with 1 instead of h_{T_0}.  T_0 and T_1 lack a minus sign,
and T_1 is of the order of alpha_max^2, where alpha_max = alpha_0 sqrt(log(1/delta)), not alpha_max.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from eostheory.agree import measured
from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Expr,
    Inequality,
    OrderBound,
    Statement,
    absolute,
    as_expr,
    log,
    scalar,
)

from ._notation import eta, h0
from ._orders import bound, giant, unless

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.symbolic import Model

Parts = dict[str, Statement]
ZERO, ONE = as_expr(0), as_expr(1)
HALF, QUARTER = Fraction(1, 2), Fraction(1, 4)

Q = scalar("Q", r"(1-1.9\gamma_{\min})^t", positive=True)
p_0 = scalar("p_0", r"\lVert P_{NZT}^H(\phi_0)x_0\rVert_2", nonnegative=True)
p_t = scalar("p_t", r"\lVert P_{NZT}^H(\phi_t)x_t\rVert_2", nonnegative=True)
length_0 = scalar("length_0", r"\lVert x_0\rVert_2", nonnegative=True)
length_t = scalar("length_t", r"\lVert x_t\rVert_2", nonnegative=True)
alpha_max = scalar("alpha_max", r"\alpha_{\max}", positive=True)
delta = scalar("delta", r"\delta", positive=True)
turn = scalar("turn", "h_t-(-1)^th_0")
h_T0, h_T1 = scalar("h_T0", "h_{T_0}"), scalar("h_T1", "h_{T_1}")
sign_0, sign_1 = scalar("sign_0", "(-1)^{T_0}"), scalar("sign_1", "(-1)^{T_1}")

T_0, T_1 = scalar("T_0", "T_0", positive=True), scalar("T_1", "T_1", positive=True)
gamma = scalar("gamma", r"\gamma_{\min}", positive=True)
alpha_0 = scalar("alpha_0", r"\alpha_0", positive=True)
root_delta = scalar("root_log_delta", r"\sqrt{\log(1/\delta)}", positive=True)
root_eta = scalar("root_log_eta", r"\sqrt{\log(1/\eta)}", positive=True)
BASE = 1 - Fraction(19, 10) * gamma

STAGE_ONE = {"misaligned": "|x_0| = O(h_0 eta/delta)", "T_0": "(1 - 1.9 gamma_min)^{T_0} <= delta"}
LARGE = {"C_0": "delta = C_0 alpha_0 eta sqrt(log(1/eta)) with C_0 large, and delta >= eta"}
SMALL = {"small": "eta is small: K alpha_max T_1 eta <= 1/4"}
TIME = {"time": "T_1 = O(alpha_max^2), which follows from its definition"}

# ------------------------------------------------------------------------------- statements
middle_one = OrderBound(p_t, ZERO, Q * p_0)
middle = OrderBound(p_t, ZERO, Q * p_0 + h0**2 * eta**2)
length_one = OrderBound(length_t, ZERO, Q * length_0)
length_corrected = OrderBound(length_t, ZERO, Q * length_0 + h0 * eta)
end_of_one: Parts = {
    "displacement": OrderBound(length_t, ZERO, h0 * eta),
    "turn": OrderBound(turn, ZERO, alpha_max * h0 * eta / delta),
    "quarter": Inequality(absolute(turn), "<=", absolute(h0) / 4),
    "middle": OrderBound(p_t, ZERO, h0 * eta),
}
half = Inequality(absolute(h_T1 - sign_1 * h0), "<=", absolute(h0) / 2)
end_of_two: Parts = {"turn": OrderBound(h_T1 - 1, ZERO, alpha_max**2 * h0 * eta), "half": half}
end_of_two_corrected: Parts = {
    "turn": OrderBound(h_T1 - sign_1 * sign_0 * h_T0, ZERO, alpha_max**3 * h0 * eta),
    "half": half,
}


def falls(time: Expr, sign: int, level: Expr) -> Equation:
    """When (1 - 1.9 gamma)^t has fallen to a level, apart from rounding up."""
    return Equation(time, sign / log(BASE) * log(1 / level))


first_time, first_time_corrected = (falls(T_0, sign, delta) for sign in (1, -1))
second_time = OrderBound(T_1, ZERO, alpha_max)
second_time_corrected = OrderBound(T_1, ZERO, alpha_max**2)


# ------------------------------------------------------------------------------ derivations
def recursion(m: Model, stage: int = 1) -> None:
    """The middle part after t steps, from (20), and the length of the displacement."""
    m.uses("lyu22/eq-20")
    for small in (eta, p_0, Q, h0 / alpha_max, 1 / alpha_max, alpha_max**12 * eta):
        m.bound(small)
    if stage == 1:
        m.bound(eta / Q)  # Q >= delta >= eta up to T_0
    bound(m, h0 / giant)
    letters = [scalar(f"share_{k}") for k in range(5)]
    m.step("|x_0|^2 is at most a constant times p_0^2 + h_0^2 eta^2")
    share = scalar("share_start", positive=True)
    m.bound(share)
    m.bound(1 / share)
    m.define(length_0, (p_0 + h0 * eta) * share)
    m.step(
        "p_{s+1} <= q p_s + C |x_s|^2 with |x_s| <= C (q^s |x_0| + h_0 eta): the sum of "
        "q^{t-1-s} |x_s|^2 is at most C (q^t |x_0|^2 + h_0^2 eta^2), q being below one."
    )
    fed = Q * (p_0**2 + h0**2 * eta**2) * letters[0] + h0**2 * eta**2 * letters[1]
    m.define(p_t, Q * p_0 * letters[2] + fed)
    m.step("the top part keeps its length, |h_t| eta = h_0 eta (1 + ...)")
    m.define(length_t, h0 * eta * (1 + eta * letters[3]) + p_t * letters[4])
    table: dict[Any, Any] = dict.fromkeys(letters, QUARTER)
    m.example({**table, Q: QUARTER, p_0: QUARTER, h0: 1, eta: QUARTER, alpha_max: 1})


def derive_end_of_one(m: Model) -> None:
    """Stage one ends when Q has fallen to delta."""
    m.uses("lyu22/eq-19")
    root_d, root_e = root_delta, root_eta
    big, constant = (scalar(k, positive=True) for k in ("C_0", "K"))
    m.define(delta, big * alpha_0 * eta * root_e)
    m.define(alpha_max, alpha_0 * root_d)
    for small in (eta, h0 * eta, 1 / alpha_0, alpha_0 / giant, root_d / giant):
        m.bound(small)
    bound(m, h0 / giant)
    m.step("|x_0| = O(h_0 eta/delta), and p_0 <= |x_0| is bounded")
    wild = unless(m, "misaligned") * h0 * eta / delta
    m.bound(h0 * eta / delta)
    m.bound(1 / root_e)
    size_0 = scalar("size_0", nonnegative=True) * wild
    shrunk = delta * scalar("shrink", nonnegative=True) * unless(m, "T_0")
    letters = [scalar(f"share_{k}") for k in range(4)]
    m.define(p_t, shrunk * size_0 * letters[0] + shrunk * size_0**2 * letters[1]
             + h0**2 * eta**2 * letters[2])  # fmt: skip
    m.define(length_t, h0 * eta * (1 + eta * letters[3]) + p_t)
    m.step(
        "by (19) all turns of h add up to O(alpha_max (|x_0| + T_0 h_0 eta)), and T_0 <= 1/delta"
    )
    part = scalar("part")
    m.assume(Inequality(absolute(part), "<=", ONE))
    m.assume(Inequality(root_d, "<=", root_e), by="C_0")
    m.assume(Inequality(big, ">=", 4 * constant), by="C_0")
    m.define(turn, constant * part * alpha_max * wild)


def derive_end_of_two(m: Model) -> None:
    """The turns of h in both stages, with their signs."""
    m.uses("lyu22/thm-H.10.p10")
    relative, part, constant = scalar("relative"), scalar("part"), scalar("K", positive=True)
    before = h0 * relative
    m.step("stage two takes T_1 steps at most, and each turns h by O(alpha_max h_0 eta)")
    m.bound(T_1 / alpha_max**2, by="time")
    m.bound(1 / T_1)
    m.relation(sign_0**2, 1, by="signs")
    m.relation(sign_1**2, 1, by="signs")
    m.bound(alpha_max**12 * eta)
    m.bound(1 / alpha_max)
    m.bound(h0 / alpha_max)
    bound(m, h0 / giant)
    m.assume(Inequality(absolute(relative), "<=", as_expr(QUARTER)), by="stage one")
    m.assume(Inequality(absolute(part), "<=", ONE))
    m.assume(Inequality(4 * constant * alpha_max * T_1 * eta, "<=", ONE), by="small")
    m.define(h_T0, sign_1 * sign_0 * (sign_1 * h0 + before))
    m.define(h_T1, sign_1 * h0 + before + constant * part * alpha_max * T_1 * h0 * eta)
    m.example({
        sign_0: 1, sign_1: 1, relative: 0, part: 0, constant: 1, h0: 2, alpha_max: 1, T_1: 1,
        eta: QUARTER,
    })  # fmt: skip


def derive_first_time(m: Model) -> None:
    """The time at which the power has fallen to delta."""
    m.assume(Inequality(BASE, ">", ZERO))
    m.step("T_0 log(1 - 1.9 gamma) = log(delta), a quotient of two negative numbers")
    m.define(T_0, log(delta) / log(BASE))
    m.generic = False
    m.example({gamma: Fraction(5, 19), delta: Fraction(1, 4)})


def derive_second_time(m: Model) -> None:
    """The same for delta h_0 eta, whose logarithm is that of eta at least."""
    m.uses("lyu22/def-H.5")
    m.uses("lyu22/def-H.7")
    m.define(alpha_max, alpha_0 * root_delta)
    for small in (1 / alpha_0, 1 / root_delta, 1 / root_eta, root_eta / giant, alpha_0 / giant):
        m.bound(small)
    m.step("delta = C_0 alpha_0 eta sqrt(log(1/eta)) = eta^(1-o(1)): the two roots are alike")
    m.bound(root_delta / root_eta)
    m.bound(root_eta / root_delta)
    rate, share = (scalar(k, positive=True) for k in ("rate", "share"))
    m.step(
        "the state is O(alpha_max)-deviated, |x_0| >= eta exp(-O(alpha_max^2)), and at most "
        "O(1/delta)-misaligned, h_0 eta >= Omega(delta |x_0|)"
    )
    logs = root_eta**2 + 2 * root_delta**2 + share * alpha_max**2
    m.define(T_1, logs * rate)
    m.generic = False
    m.example({alpha_0: 1, root_delta: 1, root_eta: 1, share: 1, rate: 1})


# ------------------------------------------------------------------------------- simulation
def simulate(sample: Sample) -> None:
    """Real steps at the critical rate from a nearly aligned state, until Q has fallen to eta."""
    sharp = sample.draw(st.sampled_from([1.0, 2.0]), "lambda_1")
    ratio = sample.draw(st.sampled_from([0.3, 0.4, 0.6]), "lambda_2/lambda_1")
    bend = sample.draw(st.sampled_from([-0.5, 0.5]), "bend")
    height = sample.draw(st.sampled_from([0.5, 1.0]), "h_0")
    base = 1 - 1.9 * min(ratio, 1 - ratio)
    for k in range(6, 13):
        e = 2.0**-k
        steps = round(math.log(e) / math.log(base))
        a, b = height * e, e**3
        start = math.hypot(a, b)
        for _ in range(steps):
            # the gradient of sharp (a^2 + ratio b^2)/2 + bend a^2 b
            slopes = sharp * a + 2 * bend * a * b, sharp * ratio * b + bend * a * a
            a, b = a - 2 / sharp * slopes[0], b - 2 / sharp * slopes[1]
        sample.observe(
            {
                eta: e,
                h0: height,
                Q: measured(base**steps, 200),
                p_0: e**3,
                p_t: measured(abs(b), 20 * steps, 4 * e**2),
                length_0: measured(start, 4),
                length_t: measured(math.hypot(a, b), 20 * steps),
            },
            scale=e,
        )


CLAIMS = [
    Claim(
        "lyu22/thm-H.10.p2",
        middle_one,
        derive=recursion,
        simulate=simulate,
        corrected=middle,
        reading=(
            "The terms O(|x_t|^2) of (20) do not vanish with the middle part. The bound holds for "
            "a start whose middle part is comparable to |x_0|, but the theorem allows any."
        ),
    ),
    Claim(
        "lyu22/thm-H.10.p3",
        length_one,
        derive=recursion,
        simulate=simulate,
        corrected=length_corrected,
        reading=(
            "The top part of x_t only changes its sign: a state that is aligned from the start, "
            "which is O(1/delta)-misaligned too, keeps its length."
        ),
    ),
    Claim(
        "lyu22/thm-H.10.p6",
        end_of_one,
        STAGE_ONE | LARGE,
        derive=derive_end_of_one,
    ),
    Claim("lyu22/thm-H.10.p8", middle, derive=partial(recursion, stage=2), simulate=simulate),
    Claim(
        "lyu22/thm-H.10.p12",
        end_of_two,
        {"stage one": "|h_{T_0} - (-1)^{T_0} h_0| <= |h_0|/4"} | SMALL | TIME,
        derive=derive_end_of_two,
        corrected=end_of_two_corrected,
        reading=(
            "At t = T_1 the printed (-1)^{t-T_1} is 1; the step before has (-1)^{t-T_0} h_{T_0}. "
            "T_1 is O(alpha_max^2), not O(alpha_max): the turn is O(alpha_max^3 h_0 eta)."
        ),
    ),
    Claim(
        "lyu22/thm-H.10.p1",
        first_time,
        derive=derive_first_time,
        corrected=first_time_corrected,
        reading="Apart from rounding up. The logarithm of 1 - 1.9 gamma_min is negative.",
    ),
    Claim(
        "lyu22/thm-H.10.p7",
        second_time,
        derive=derive_second_time,
        corrected=second_time_corrected,
        reading=(
            "The order claimed for T_1 = log(1/(delta h_0 eta))/|log(1 - 1.9 gamma_min)|; its "
            "formula has the sign of T_0's. With alpha_0 of order one alpha_max is of the order "
            "of sqrt(log(1/eta)), but T_1 of log(1/eta)."
        ),
        waive={
            "*alpha_max+1": "a higher power of a large number says less",
            "*right 0 +1": "one is of smaller order",
            "*right 0 -1": "one is of smaller order",
        },
    ),
]
