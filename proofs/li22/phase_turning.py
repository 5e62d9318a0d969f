r"""Phase I when the eigenvectors turn slowly: Lemma E.7 with its proof.

Setting:  dD/dt = -M(t) D, F(0) = 0, eigenvectors with F.dv_i/dt < lambda_i D.v_i (20), signs with
          D(0).v_i(0) > 0, times t < t_1 up to which all D.v_i stay positive.
Claims:   condition (20), Lemma E.7, the steps of its proof, its special case of fixed eigenvectors.
Source:   Li, Wang, Li, arXiv:2207.12678, appendix E.2.2.

As in Lemma 3.1 the strict sign is that of the times after F(0) = 0.  With fixed eigenvectors (20)
reads 0 < lambda_i D.v_i, so that the lemma reduces to Lemma 3.1 where every lambda_i > 0.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import Equation, Inequality, Statement, as_expr, dot, norm2, vector

from ._phase import D, F, Y, residual, zero
from ._phase_flow import (
    EIGEN_I,
    FIXED,
    FLOW,
    FRAME,
    SOLVED,
    STARTED,
    Q,
    T,
    U,
    V,
    component,
    decayed,
    elapsed,
    frame,
    lam,
    lowest,
    rate,
    rate_F,
    run,
    slow_turn,
    v,
    v_dot,
)

if TYPE_CHECKING:
    from eostheory.symbolic import Model

# ------------------------------------------------------------------------------------ statements
slow = Inequality(dot(F, v_dot), "<", lam * dot(D, v))
inner = Inequality(dot(D, F), "<", zero)
as_sum = Equation(dot(D, F), dot(V.T @ D, V.T @ F))
residual_rate = Equation(rate, -lam * dot(D, v) + dot(D, v_dot))
output_rate: dict[str, Statement] = {
    "rate": Equation(rate_F, -lam * dot(D, v) + dot(F, v_dot)),
    "decreases": Inequality(rate_F, "<", zero),
}
conclusion: dict[str, Statement] = {
    "component": Inequality(dot(D, v) * dot(F, v), "<", zero),
    "south": Inequality(dot(D, v), ">=", zero),
    "north": Inequality(dot(D, v), "<=", -dot(Y, v)),
    "ball": Inequality(norm2(D + Y / 2), "<=", norm2(Y) / 4),
}
reduced: dict[str, Statement] = {"(20)": slow, "sign": inner}


# ----------------------------------------------------------------------------------- derivations
def derive_slow(m: Model) -> None:
    """The condition as it stands."""
    residual(m)
    m.assume(slow, by="(20)")


def derive_sum(m: Model) -> None:
    """The eigenvectors are an orthonormal basis."""
    frame(m)


def derive_rates(m: Model) -> None:
    """Components along a turning eigenvector."""
    component(m, fixed=False)
    m.define(F, D + Y)
    m.assume(slow, by="(20)")


def derive_conclusion(m: Model) -> None:
    """All components at once, and v_i = V e for one of them."""
    slow_turn(m)
    e = vector("e_i", "n")
    m.define(v, V @ e)
    m.assume(Inequality(dot(D, v), ">", zero), by="before t_1")
    m.step("minus the mean rate of F.v_i is q_i^2 D.v_i > 0")
    m.assume(Inequality(dot(e, Q @ Q @ V.T @ D), ">", zero), by="(20)")
    m.lemma("sum of q_i^2 (D.v_i)^2", Inequality(norm2(Q @ V.T @ D), ">=", zero))
    late = 0 if "later" in m.withheld else 1
    sides = ((1, 0), (0, 1))
    m.example({V: sides, Q: sides, D: (1, 2), e: (1, 0), elapsed: late})


def derive_reduced(m: Model) -> None:
    """Fixed eigenvectors; all components at once, and v_i = V e for one of them."""
    decayed(m)
    e = vector("e_i", "n")
    m.define(v, V @ e)
    m.relation(v_dot, as_expr(0) * v, by="3.5(i)")
    m.step("D.v_i = -p_i Y.v_i is positive with D(0).v_i = -Y.v_i")
    m.assume(Inequality(dot(e, T @ T @ V.T @ Y), "<", zero), by="signs")
    m.assume(Inequality(lam, ">", zero), by="positive")
    still = "started" in m.withheld
    part, rest = (1, 0) if still else (Fraction(3, 5), Fraction(4, 5))
    m.examples.clear()
    m.example(
        {
            V: ((1, 0), (0, 1)),
            T: ((part, 0), (0, part)),
            U: ((rest, 0), (0, rest)),
            Y: (-1, -1),
            lowest: Fraction(part) ** 2,
            e: (1, 0),
            lam: 0 if "positive" in m.withheld else 1,
        }
    )


# ---------------------------------------------------------------------------------------- claims
SLOW = {"(20)": "the eigenvectors turn slowly: F.dv_i/dt < lambda_i D.v_i"}
BEFORE = {"before t_1": "D.v_i > 0 for t < t_1"}
LATER = {"later": "t > 0"}
AFTER_ZERO = "'for all t < t_1': for the times after F(0) = 0, where the inner product is 0."
POSITIVE = {"positive": "lambda_i > 0, which (20) itself says at t = 0, where F = 0"}

CLAIMS = [
    Claim("li22/eq-20", slow, hypotheses=SLOW, derive=derive_slow),
    Claim(
        "li22/lemma-E.7",
        inner,
        hypotheses=SLOW | LATER,
        derive=slow_turn,
        simulate=run("later", turning=True),
        reading=AFTER_ZERO,
        rests_on=("li22/lemma-E.7.p3",),
    ),
    Claim(
        "li22/lemma-E.7.p1",
        as_sum,
        hypotheses=FRAME,
        derive=derive_sum,
        simulate=run(turning=True),
        reading="The sum is over all eigenvectors, r = n; it is <V^T D, V^T F>.",
    ),
    Claim(
        "li22/lemma-E.7.p2",
        residual_rate,
        hypotheses=EIGEN_I | FLOW,
        derive=derive_rates,
        simulate=run(turning=True),
    ),
    Claim(
        "li22/lemma-E.7.p3",
        output_rate,
        hypotheses=EIGEN_I | FLOW | SLOW,
        derive=derive_rates,
        simulate=run("(20)", turning=True, worst=True),
    ),
    Claim(
        "li22/lemma-E.7.p4",
        conclusion,
        hypotheses=FRAME | SLOW | BEFORE | LATER,
        derive=derive_conclusion,
        simulate=run("later", turning=True),
        reading="D^T F^T v_i is read as (D^T v_i)(F^T v_i), as in the sum.  " + AFTER_ZERO,
        waive={
            "south:left D -> v_i": "true: |v_i|^2 >= 0",
            "south:left v_i -> D": "true: |D|^2 >= 0",
            "ball:left D dropped": "true: O is in the ball",
        },
        rests_on=("li22/lemma-E.7.p3", "li22/formula-E.2.box-sphere"),
    ),
    Claim(
        "li22/claim-E.7.reduce",
        reduced,
        hypotheses=FRAME
        | SOLVED
        | FIXED
        | {"signs": "D(0).v_i > 0, as assumed before the lemma"}
        | POSITIVE
        | STARTED,
        derive=derive_reduced,
        simulate=run("started", "positive"),
        reading="'reduces to': (20), which is strict, is met where all lambda_i > 0, and the "
        "conclusion is that of Lemma 3.1.",
        waive={
            "(20):right lambda_i*dot(D, v_i) x1/2": "true: the left side is 0",
            "(20):right lambda_i*dot(D, v_i) x1.001": "true: the left side is 0",
            "(20):right D -> v_i": "true: the left side is 0 and |v_i| > 0",
        },
    ),
]
