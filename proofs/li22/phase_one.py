r"""Phase I under fixed eigenvectors: the inner product of residual and output.

Setting:  dD/dt = -M(t) D (Assumption 3.3), eigenvectors of M fixed (Assumption 3.5 (i)),
          eigenvalues lambda_i(t) >= 0, F(0) = 0.
Claims:   Lemma 3.1 = Lemma E.1 with its proof; the order of the three assumptions 3.5.
Source:   Li, Wang, Li, arXiv:2207.12678, section 3.3 and appendix E.1.

The sign in Lemma 3.1 is strict: it is read for the times after F(0) = 0 at which the loss has
decreased, as it does in Phase I by the words of section 3.1.

"Clearly" (i) => (ii) => (iii) is not so: (ii) bounds the turning of v_i by F only (not at all where
F = 0), and from one side, so that v_1 may turn by a large angle, and (iii) does not follow.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Inequality,
    Statement,
    as_expr,
    dot,
    exp,
    eye,
    norm2,
    scalar,
    vector,
)

from ._phase import D, F, M, Y, eps, residual, v1, v1_next, zero
from ._phase_flow import (
    D_0,
    EIGEN_I,
    FIXED,
    FLOW,
    FRAME,
    SOLVED,
    START,
    STARTED,
    P,
    V,
    component,
    decayed,
    lam,
    rate,
    run,
    solution,
    spent,
    v,
    v_dot,
)

if TYPE_CHECKING:
    from eostheory.symbolic import Model

# ------------------------------------------------------------------------------------ statements
inner = Inequality(dot(D, F), "<", zero)
components = {
    "Gram": Equation(rate, -dot(D, M @ v)),
    "eigenvalue": Equation(rate, -lam * dot(D, v)),
}
solved = {
    "start": Equation(dot(D, v), exp(-spent) * dot(D_0, v)),
    "labels": Equation(dot(D, v), -exp(-spent) * dot(Y, v)),
}
closed_form = {
    "components": Equation(dot(D, F), dot(V.T @ D, V.T @ D + V.T @ Y)),
    "labels": Equation(dot(D, F), -dot(V.T @ Y, P @ (eye("n") - P) @ (V.T @ Y))),
}
summand = Inequality(dot(Y, v) ** 2 * exp(-spent) * (1 - exp(-spent)), ">", zero)

turned = vector("u_dot", "n", r"\frac{d\mathbf v_1}{dt}")
fixed_next = vector("w_1_next", "n", r"\mathbf w_1(t+1)")
fixed_v1 = vector("w_1", "n", r"\mathbf w_1(t)")
lam1 = scalar("lambda_1", r"\lambda_1", positive=True)
i_to_ii = Inequality(dot(F, v_dot), "<", lam * dot(D, v))
order: dict[str, Statement] = {
    "(i) => (ii)": i_to_ii,
    "(ii) => (iii)": Inequality(dot(v1, v1_next), ">=", 1 - eps),
}
order_corrected: dict[str, Statement] = {
    "(i) => (ii)": i_to_ii,
    "(i) => (iii)": Inequality(dot(fixed_v1, fixed_next), ">=", 1 - eps),
}


# ----------------------------------------------------------------------------------- derivations
def derive_rate(m: Model) -> None:
    """The rate of one component."""
    component(m)


def derive_solution(m: Model) -> None:
    """The component at time t."""
    solution(m)


def derive_summand(m: Model) -> None:
    """One summand; I >= 0 because lambda_i >= 0."""
    m.assume(Inequality(spent, ">", zero), by="moved")
    m.assume(Inequality(dot(Y, v), "!=", zero), by="component")
    m.example({spent: 0 if "moved" in m.withheld else 1, Y: (1, -1), v: (1, 0)})


def derive_order(m: Model) -> None:
    """(i): v_i and w_1 are fixed.  (ii): for v_1, which turns into v_1(t+1) in one unit of time."""
    residual(m)
    m.relation(v_dot, as_expr(0) * v, by="(i)")
    m.assume(Inequality(lam * dot(D, v), ">", zero), by="positive")
    m.step("D(0) = (1, 1), M nearly the identity over 100, so that D(s) is nearly exp(-s/100) D(0)")
    m.step("v_1, v_2 turn steadily from (15, -8)/17, (8, 15)/17 to (1, 0), (0, 1) within s <= 1")
    m.step(
        "(ii) for v_2 reads 100 (exp(s/100) - 1) w cos x < sin x, x >= 45 degrees the angle from "
        "v_1 to D, w < 1/2 the rate of the turn: it holds; for v_1 the left side is negative"
    )
    m.assume(Inequality(dot(F, turned), "<", lam1 * dot(D, v1)), by="(ii)")
    m.relation(norm2(v1), 1, by="unit")
    m.relation(norm2(fixed_v1), 1, by="unit")
    m.relation(fixed_next, fixed_v1, by="(i)")
    part = Fraction(1, 17)
    m.example(
        {
            D: (1, 1),
            Y: (-1, -1),
            v: (1, 0),
            lam: 0 if "positive" in m.withheld else 1,
            lam1: Fraction(1, 100),
            v1: (15 * part, -8 * part),
            v1_next: (1, 0),
            turned: (4 * part, Fraction(15, 2) * part),
            fixed_v1: (1, 0),
            eps: Fraction(1, 10),
        }
    )


# ---------------------------------------------------------------------------------------- claims
CONDITIONS = FLOW | FIXED | START
ALL = FRAME | SOLVED
AFTER_ZERO = (
    "'For all t in Phase I': for the times after F(0) = 0, where the inner product is 0, at which "
    "the loss has decreased; 'during this phase the loss keeps decreasing' (section 3.1)."
)
SUM = (
    "A sum over i of g_i (Y.v_i)^2 is written with diagonal matrices, as <V^T Y, diag(g) V^T Y>; "
    "the columns of V are the eigenvectors."
)

CLAIMS = [
    *(
        Claim(
            name,
            inner,
            hypotheses=ALL | STARTED,
            derive=decayed,
            simulate=run("started"),
            reading=AFTER_ZERO,
            rests_on=("li22/lemma-E.1.p2",),
        )
        for name in ("li22/lemma-3.1", "li22/lemma-E.1")
    ),
    Claim(
        "li22/lemma-E.1.p1",
        components,
        hypotheses=EIGEN_I | FLOW | FIXED,
        derive=derive_rate,
        simulate=run("3.5(i)"),
    ),
    Claim(
        "li22/lemma-E.1.p2",
        solved,
        hypotheses={"3.3": "D.v_i solves the equation of the step before"} | START,
        derive=derive_solution,
        simulate=run("F(0)=0"),
    ),
    Claim(
        "li22/lemma-E.1.p3",
        closed_form,
        hypotheses=FRAME,
        derive=decayed,
        simulate=run(),
        reading=SUM,
        rests_on=("li22/lemma-E.1.p2",),
    ),
    Claim(
        "li22/lemma-E.1.p4",
        summand,
        derive=derive_summand,
        simulate=run("moved"),
        hypotheses={
            "moved": "t > 0 and lambda_i, a Gram eigenvalue, has not been 0 all the time",
            "component": "Y.v_i is not 0, as assumed in E.2.2",
        },
        waive={
            "left -1 -1": "true: powers of exp(-I) are all positive",
            "left Y -> v_i": "true: |v_i| > 0",
        },
        reading="'for all i in [n]' in general position, as in E.2.2: for i with lambda_i = 0 or "
        "Y.v_i = 0 the summand is 0 and does not matter to the sum.",
    ),
    Claim(
        "li22/claim-3.5.order",
        order,
        hypotheses={
            "(i)": "Assumption 3.5 (i): v_i, w_1 are fixed",
            "(ii)": "Assumption 3.5 (ii): F.dv_1/dt < lambda_1 D.v_1",
            "unit": "eigenvectors are of unit length",
            "positive": "lambda_i D.v_i > 0, as in E.2.2: fixed eigenvectors meet the strict (ii)",
        },
        derive=derive_order,
        corrected=order_corrected,
        waive={
            "(i) => (ii):right lambda_i*dot(D, v_i) x1/2": "true: the left side is 0",
            "(i) => (ii):right lambda_i*dot(D, v_i) x1.001": "true: the left side is 0",
            "(i) => (ii):right D -> v_i": "true: the left side is 0 and |v_i| > 0",
        },
        reading="'small constant' epsilon_2: any constant. v_1 turns under (ii), w_1 is fixed.",
    ),
]
