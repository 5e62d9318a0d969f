r"""Growth of the top component at the edge of stability (Lemma C.11, Theorem 4's second statement).

Setting:  D = x v_1 + R with |R| <= c_7 sqrt n (19); M* = gamma* X^T X + Gamma* with |Gamma*| <
          (c_2 + c_6)/m (Corollary C.3); Lambda(t), Lambda(t+1) > (2/eta)(1 + rho); |x| > c_3 sqrt
          n/m (Assumption C.4, at the time t of the step).
Claims:   the step of the top component, its growth, the lines between, Theorem 4's statement.
Source:   Li, Wang, Li, arXiv:2207.12678, appendix C.3.

Found: with rho* = (c_2 + c_6) c_7/(2 c_3) the factor 1 + epsilon_1 is exactly one: the constants of
Lemma C.11 give no rate of growth.  They also mix 2 rho* and 2 eta rho*, so that even |x(t+1)| >
|x(t)| needs eta <= 1, while (5) bounds eta by about n/lambda_1.  The second line of the last chain
lacks |D^T v_1| and the term with R.  Theorem 4's second statement survives with a larger rho*: eta
(c_2 + c_6) c_7/(2 c_3) + c/2 gives the factor 1 + c, for any c > 0.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Expr,
    Inequality,
    Statement,
    absolute,
    as_expr,
    dot,
    norm,
    norm2,
    scalar,
    sqrt,
)

from ._edge import (
    D1,
    EIGENVECTOR,
    PATIENCE,
    SMALL_GAMMA,
    Gamma_star,
    Lambda,
    Lambda_next,
    c2,
    c3,
    c6,
    c7,
    gamma_star,
    k_s,
    split,
    x,
)
from ._edge_runs import at_step
from ._linear_net import (
    D,
    D_next,
    Gamma,
    Gamma_next,
    K,
    Lambda_star,
    Lambda_star_next,
    M,
    M_next,
    M_star,
    R,
    R_next,
    eta,
    lam1,
    n,
    v1,
    width,
)

if TYPE_CHECKING:
    from eostheory.symbolic import Model

Parts = dict[str, Statement]

rho = scalar("rho", r"\rho")
rho_star = scalar("rho_star", r"\rho^*", positive=True)
eps1 = scalar("epsilon_1", r"\epsilon_1")
growth = scalar("c_growth", "c_7", positive=True)
top, top_next = absolute(D1), absolute(dot(D_next, v1))
noise = (c2 + c6) / width
turned = dot(D, Gamma_star @ v1)
turn = scalar("turn", r"\mathbf D^\top\boldsymbol\Gamma^*\mathbf v_1")
one = as_expr(1)

# ------------------------------------------------------------------------------- statements
step = Equation(dot(D_next, v1), (1 - eta * gamma_star * lam1) * D1 - eta * turned)
mean = dot(v1, (k_s * (M_next - Gamma_next) + (1 - k_s) * (M - Gamma)) @ v1)
surrogates = k_s * Lambda_star_next + (1 - k_s) * Lambda_star - 2 * c2 / width
rate: Parts = {
    "value": Equation(gamma_star * lam1, mean),
    "surrogates": Inequality(mean, ">=", surrogates),
    "threshold": Inequality(surrogates, ">=", 2 * (1 + rho) / eta - 4 * c2 / width),
}
perturbation: Parts = {
    "norm": Inequality(absolute(turned), "<=", noise * norm(D)),
    "parts": Inequality(noise * norm(D), "<=", noise * (top + norm(R))),
}
first_line = Inequality(
    top_next, ">=", absolute(1 - eta * gamma_star * lam1) * top - eta * absolute(turned)
)
factor = absolute(-1 - 2 * rho + 4 * c2 * eta / width + (c2 + c6) * eta / width)
second_line = Inequality(top_next, ">=", factor)
true_second_line = Inequality(top_next, ">=", factor * top - eta * noise * norm(R))


def third_line(rate: Expr) -> Inequality:
    """The chain's third line with the growth that rho* leaves."""
    return Inequality(top_next, ">=", (1 + 2 * rate) * top - eta * noise * c7 * sqrt(n))


last = (1 + eps1) * top
last_line = Inequality((1 + 2 * eta * rho_star) * top - eta * noise * c7 * sqrt(n), ">=", last)
grows = Inequality(top_next, ">", last)
theorem = Inequality(top_next, ">", top * (1 + growth))


# ------------------------------------------------------------------------------ derivations
def derive_step(m: Model) -> None:
    """(12) along v_1."""
    m.patience = PATIENCE
    m.uses("li22/eq-12")
    m.uses("li22/cor-C.3")
    m.relation(K @ v1, lam1 * v1, by="eigenvector")
    m.define(M_star, gamma_star * K + Gamma_star)
    m.define(D_next, D - eta * (M_star @ D))


def above(m: Model) -> None:
    """Both sharpness values above the threshold."""
    for sharpness, name in ((Lambda, "t"), (Lambda_next, "t+1")):
        m.assume(Inequality(eta * sharpness, ">", 2 * (1 + rho)), by=f"above at {name}")


def derive_rate(m: Model) -> None:
    """M = gamma X^T X + Gamma at both times, gamma* their mean; Corollary C.2."""
    m.patience = PATIENCE
    m.uses("li22/cor-C.2.b")
    gammas = scalar("gamma_t", positive=True), scalar("gamma_next", positive=True)
    m.relation(K @ v1, lam1 * v1, by="eigenvector")
    m.relation(norm2(v1), 1, by="unit eigenvector")
    m.define(M, gammas[0] * K + Gamma)
    m.define(M_next, gammas[1] * K + Gamma_next)
    m.define(gamma_star, (1 - k_s) * gammas[0] + k_s * gammas[1])
    m.define(Lambda_star, dot(v1, M @ v1))
    m.define(Lambda_star_next, dot(v1, M_next @ v1))
    m.assume(Inequality(k_s, "<", one), by="C.8")
    above(m)
    for deviation in (Gamma, Gamma_next):
        m.assume(Inequality(dot(v1, deviation @ v1), "<=", c2 / width), by="C.3")
        m.assume(Inequality(dot(v1, deviation @ v1), ">=", -c2 / width), by="C.3")
    m.assume(Inequality(Lambda_star, ">=", Lambda - 2 * c2 / width), by="C.2")
    m.assume(Inequality(Lambda_star_next, ">=", Lambda_next - 2 * c2 / width), by="C.2")


def small_rest(m: Model) -> None:
    """|Gamma*| is at most (c_2 + c_6)/m: on D and v_1."""
    m.uses("li22/cor-C.3")
    m.assume(Inequality(turned, "<=", noise * norm(D)), by="Gamma*")
    m.assume(Inequality(turned, ">=", -noise * norm(D)), by="Gamma*")


def derive_perturbation(m: Model) -> None:
    """|D| <= |x| + |R|."""
    split(m)
    small_rest(m)


def third(m: Model) -> None:
    """The chain up to its third line, in the numbers x, |R|, gamma* lambda_1 and D^T Gamma* v_1."""
    split(m)
    for number in (1, 2, 3):
        m.uses(f"li22/lemma-C.11.p{number}")
    m.define(rho, rho_star + eta / 2 * (5 * c2 + c6) / width)
    m.relation(dot(v1, R_next), 0, by="split")
    m.define(D_next, ((1 - eta * gamma_star * lam1) * x - eta * turn) * v1 + R_next)
    m.assume(
        Inequality(eta * gamma_star * lam1, ">=", 2 * (1 + rho) - 4 * c2 * eta / width), by="p2"
    )
    m.assume(Inequality(absolute(turn), "<=", noise * (top + norm(R))), by="p3")


def derive_second_line(m: Model) -> None:
    """The rate and the perturbation inserted."""
    third(m)
    m.define(rho_star, (c2 + c6) * c7 / (2 * c3))
    m.example(COUNTEREXAMPLE)


def residual_rest(m: Model) -> None:
    """(19)."""
    m.assume(Inequality(norm(R), "<=", c7 * sqrt(n)), by="(19)")


def derive_third_line(m: Model) -> None:
    """(19) inserted; the value of rho* plays no role."""
    third(m)
    residual_rest(m)
    m.example({**COUNTEREXAMPLE, rho_star: _quarter})


def lemma_constants(m: Model) -> None:
    """rho* and epsilon_1 of Lemma C.11, and Assumption C.4."""
    m.define(rho_star, (c2 + c6) * c7 / (2 * c3))
    m.define(eps1, 2 * eta * (rho_star - (c2 + c6) * c7 / (2 * c3)))
    initial(m)


def initial(m: Model) -> None:
    """Assumption C.4 at the time of the step."""
    m.assume(Inequality(top, ">", c3 * sqrt(n) / width), by="C.4")


def derive_last_line(m: Model) -> None:
    """Assumption C.4 absorbs the perturbation by R."""
    split(m)
    lemma_constants(m)


def derive_growth(m: Model) -> None:
    """The chain with 2 rho* where it prints 2 eta rho*."""
    third(m)
    residual_rest(m)
    lemma_constants(m)
    if "rate" in m.withheld:
        m.example(COUNTEREXAMPLE)
    m.assume(Inequality(eta, "<=", one), by="rate")


def derive_theorem(m: Model) -> None:
    """A larger rho*."""
    third(m)
    residual_rest(m)
    initial(m)
    m.define(rho_star, eta * (c2 + c6) * c7 / (2 * c3) + growth / 2)


_quarter = Fraction(1, 4)
COUNTEREXAMPLE = {
    n: 4,
    width: 100,
    eta: 2,
    lam1: 1,
    c2: _quarter,
    c6: _quarter,
    c3: 1,
    c7: 1,
    gamma_star: Fraction(251, 200),
    v1: (1, 0, 0, 0),
    R: (0, -2, 0, 0),
    R_next: (0, 0, 0, 0),
    x: Fraction(3, 100),
    turn: Fraction(-1, 100),
}
"""Everything within its bounds, D^T Gamma* v_1 as large as |Gamma*||R|: |x| falls to 0.0253."""

ABOVE = {
    "above at t": "Lambda(t) > (2/eta) (1 + rho)",
    "above at t+1": "Lambda(t+1) > (2/eta) (1 + rho)",
}
RATE_OF_GROWTH = {
    "p2": "gamma* lambda_1 >= 2 (1 + rho)/eta - 4 c_2/m, as Lambda(t), Lambda(t+1) > (2/eta) (1 + "
    "rho)",
    "p3": "|D^T Gamma* v_1| <= (c_2 + c_6)/m (|D^T v_1| + |R|)",
}
C4 = {"C.4": "|D^T v_1| > c_3 sqrt n/m at the time of the step"}
REST = {"(19)": "|R| <= c_7 sqrt n"}
AT_T = (
    "Assumption C.4 is stated for one time t_0; growth carries it on while the sharpness stays "
    "above the threshold, and it is used at the time t of the step."
)

LOOSE = {
    "surrogates:right k_s*Lambda_star_next x1/2": "true: gamma lambda_1 is positive and the "
    "printed slack is twice what is needed",
    "threshold:right 2*(1 + rho)*eta**(-1) x1/2": "says less where 1 + rho > 0, and Lambda* > "
    "-c_2/m where not",
}

CLAIMS = [
    Claim("li22/lemma-C.11.p1", step, EIGENVECTOR, derive=derive_step, simulate=at_step),
    Claim("li22/lemma-C.11.p2", rate, SMALL_GAMMA | ABOVE, derive=derive_rate, waive=LOOSE),
    Claim("li22/lemma-C.11.p3", perturbation, derive=derive_perturbation),
    Claim(
        "li22/lemma-C.11.p4",
        first_line,
        EIGENVECTOR,
        derive=derive_step,
        simulate=at_step,
    ),
    Claim("li22/lemma-C.11.p5", second_line, derive=derive_second_line, corrected=true_second_line),
    Claim(
        "li22/lemma-C.11.p6",
        third_line(eta * rho_star),
        REST | RATE_OF_GROWTH,
        derive=derive_third_line,
        corrected=third_line(rho_star),
    ),
    Claim("li22/lemma-C.11.p7", last_line, C4, derive=derive_last_line, reading=AT_T),
    Claim(
        "li22/lemma-C.11",
        grows,
        C4 | REST | RATE_OF_GROWTH,
        derive=derive_growth,
        corrected_hypotheses={"rate": "eta <= 1"},
        reading=AT_T + " epsilon_1 is zero by the definition of rho*, so that the statement is "
        "|D(t+1)^T v_1| > |D(t)^T v_1|; (5) allows eta > 1 where lambda_1 < n.",
    ),
    Claim(
        "li22/thm-4.2",
        theorem,
        C4 | REST | RATE_OF_GROWTH,
        derive=derive_theorem,
        reading=AT_T + " c_7 of the theorem is any positive number; c_7 of (19) is another one.",
    ),
]
