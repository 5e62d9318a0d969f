r"""What the appendix on progressive sharpening concludes: Lemma C.3, Corollary C.1, Theorem 2.2.

Setting:  the two-layer linear network; Gamma as in (10), e as in property 2 of Lemma C.3.
Claims:   properties 1 and 2 of Lemma C.3 from the steps of its proof; Corollary C.1, that v_1 is
          nearly the top eigenvector of M; the growth of the top component of the residual above
          the raised threshold (Theorem 2, second part).
Source:   Li, Wang, Li, "Analyzing Sharpness along GD Trajectory", sections 4.2 and C.2.

Property 1 holds with the printed constant although its proof has a gap: (G3) is bounded as if
eta (2/mn)|A|^2 lambda_1 <= 1, which the horizon of M* gives only up to the second-order term (p33).
That term costs a fourteenth of (G3); (A4), bounded by the sum of (A6), gives more than that back.
Theorem 2.2 holds with a threshold that leaves room for c_7, unlike that of Lemma C.11.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

import torch

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Inequality,
    Statement,
    absolute,
    as_expr,
    dot,
    norm2,
    scalar,
    sqrt,
    vector,
)
from eostheory.symbolic import Model

from . import _linear_net as net
from ._linear_net import (
    A,
    D,
    D_next,
    F,
    Gamma,
    K,
    M_star,
    M_tilde,
    W,
    Y,
    at,
    d,
    eta,
    lam1,
    n,
    v1,
    width,
)
from ._sharpening import (
    BY_INDUCTION,
    WIDTH,
    Pi,
    Pi_next,
    R_w,
    bounded_rate,
    constants,
    e,
    e_next,
    error_unit,
    labels,
    lam_r,
    norm_of,
    proved,
    triangle,
    unit,
)
from ._sharpening_runs import FAR, drawn, spectral, top_eigenvector
from ._sharpening_runs import norm as length

if TYPE_CHECKING:
    from eostheory.agree import Sample

Parts = dict[str, Statement]

A_0 = vector("A_0", "m", at(r"\mathbf A", "0"))
norm_Gamma = norm_of("Gamma", r"\|\boldsymbol\Gamma(t)\|")
norm_e = norm_of("e", r"\|\mathbf e(t)\|")
norm_1, norm_2, norm_3 = (norm_of(f"G{k}", rf"\|\mathrm{{(G{k})}}\|") for k in (1, 2, 3))
norm_A4 = norm_of("A4", r"\|\mathrm{(A4)}\|")
c2, c3, c4, c6, c7 = (scalar(f"c_{k}", positive=True) for k in (2, 3, 4, 6, 7))
c_R = scalar("c_R", positive=True)
cosine = scalar("cosine", r"\langle\mathbf v_1,\mathbf u\rangle")
sharpness = scalar("Lambda", at(r"\Lambda"))
surrogate = scalar("Lambda_star", at(r"\Lambda^*"))
rho = scalar("rho", r"\rho", positive=True)

# ------------------------------------------------------------------------------- statements
property_1: Parts = {
    "output norm": Inequality(norm2(A), ">=", width / 2),
    "Gamma": Inequality(norm_Gamma, "<=", R_w),
    "R_w": Equation(R_w, 40 / width),
}
property_2: Parts = {
    "residual": Equation(D_next, -(Pi_next @ Y) + e_next),
    "error": Inequality(norm_e, "<=", 40 * n ** Fraction(3, 2) / (lam_r * width)),
}
corollary: Parts = {
    "direction": Inequality(cosine**2, ">=", 1 - c4 * sqrt(1 / (n * width))),
    "from above": Inequality(sharpness, ">=", surrogate),
    "from below": Inequality(surrogate, ">=", sharpness - 2 * c2 / width),
}
top, top_next = dot(D, v1), dot(D_next, v1)
growth = Inequality(absolute(top_next), ">", absolute(top) * (1 + c7))


# ------------------------------------------------------------------------------ derivations
def derive_property_1(m: Model) -> None:
    """(#), and one step of the induction for Gamma: the bounds of (G1), (G2) and (G3)."""
    _cuts()
    constants(m)
    m.relation(norm2(A_0), width, by="initialisation")
    m.assume(Inequality(norm2(A) - norm2(A_0), ">=", -width / 2), by="(#)")
    m.step("Gamma(0) = 0, so that Gamma(t) is the change of Gamma")
    triangle(m, norm_Gamma, norm_1, norm_2, norm_3)
    own = 4 / width + 16 * error_unit
    m.assume(Inequality(norm_1, "<=", 8 / width + 16 * error_unit + norm_A4), by="(G1), (G2)")
    m.assume(Inequality(norm_A4, "<=", Fraction(20, 7) * error_unit), by="(A4)")
    m.assume(Inequality(norm_2, "<=", 8 / width + 8 * error_unit), by="(G1), (G2)")
    m.step("(G3) is at most eta (2/mn) max|A|^2 lambda_1 <= 15/14 times half of (G1)")
    m.assume(Inequality(norm_3, "<=", Fraction(15, 14) * own), by="(G3)")
    m.lemma("error unit", Inequality(error_unit, "<=", 5 / (14 * width)))


@cache
def _cuts() -> None:
    """What the bounds of (A4) and (G3) above rest on, from the hypotheses that their text names.

    Raises:
        ArithmeticError: a proof fails.
    """
    squared_errors(Model())
    curvature(Model())


def squared_errors(m: Model) -> None:
    """(A4) is at most 20/7 units: the largest error times the sum of the errors."""
    constants(m)
    squares, sizes = norm_of("squares", r"\sum_k\|\mathbf e\|^2"), norm_of("errors", "")
    m.assume(Inequality(sizes, "<=", n**2 / (eta * lam_r**2) * sqrt(n) * R_w), by="p29, p30")
    m.assume(Inequality(squares, "<=", n ** Fraction(3, 2) / lam_r * R_w * sizes), by="(E1)")
    m.assume(Inequality(norm_A4, "<=", 8 * eta / (n**2 * width) * lam1 * squares), by="norms")
    share = n * R_w / lam_r
    proved(m, "largest error", share, as_expr(Fraction(5, 14)))
    proved(m, "sum of squares", squares, n**4 / (eta * lam_r**3) * R_w**2)
    proved(m, "(A4) by both", norm_A4, 8 * error_unit * share)
    proved(m, "(A4)", norm_A4, Fraction(20, 7) * error_unit)


def curvature(m: Model) -> None:
    """eta (2/mn)|A|^2 lambda_1 <= 15/14 at the time k when |A|^2 is largest."""
    constants(m)
    bounded_rate(m)
    labels(m)
    m.relation(K @ v1, lam1 * v1, by="eigenvector")
    m.relation(norm2(v1), 1, by="unit eigenvector")
    inner = scalar("inner", r"\mathbf D(k)^\top\mathbf F(k)")
    m.define(F, net.output(A, W))
    m.define(inner, dot(F - Y, F))
    star = net.gram_matrix(A, W) - 4 * eta / (n**2 * width) * inner * K
    m.assume(Inequality(eta * dot(v1, star @ v1), "<=", as_expr(1)), by="horizon")
    m.assume(Inequality(norm2(F - Y), "<=", n), by="(D)")
    top_rate = eta * (2 / (width * n)) * norm2(A) * lam1
    second_order = 4 * eta**2 / (n**2 * width) * lam1
    proved(m, "inner product", inner, 2 * n)
    proved(m, "rate times top", eta * lam1, n)
    proved(m, "up to the second-order term", top_rate, 1 + second_order * inner)
    proved(m, "second-order term", second_order * (2 * n), 8 * eta / width)
    proved(m, "width for the rate", 8 * eta / width, as_expr(Fraction(1, 14)))
    proved(m, "top rate", top_rate, as_expr(Fraction(15, 14)))


def derive_property_2(m: Model) -> None:
    """The recursion of e by (12), and the last line of (E1)."""
    m.uses("li22/eq-12")
    m.define(M_star, M_tilde + Gamma)
    m.define(D, -(Pi @ Y) + e)
    m.define(D_next, (unit - eta * M_star) @ D)
    m.define(Pi_next, (unit - eta * M_tilde) @ Pi)
    m.step("e is what D differs by from the product: this defines it")
    m.define(e_next, (unit - eta * M_star) @ e + eta * Gamma @ Pi @ Y)
    m.define(R_w, 40 / width)
    m.assume(Inequality(norm_e, "<=", sqrt(n) / (lam_r / n) * R_w), by="(E1)")


def derive_corollary(m: Model) -> None:
    """M = gamma X^T X + Gamma on its top eigenvector u and on v_1; lambda_1 >= 2 lambda_2."""
    gamma = scalar("gamma", r"\gamma(t)", positive=True)
    form_u = scalar("form_u", r"\mathbf u^\top\mathbf X^\top\mathbf X\mathbf u")
    rest_u = scalar("rest_u", r"\mathbf u^\top\boldsymbol\Gamma\mathbf u")
    rest_v = scalar("rest_v", r"\mathbf v_1^\top\boldsymbol\Gamma\mathbf v_1")
    m.define(sharpness, gamma * form_u + rest_u)
    m.define(surrogate, gamma * lam1 + rest_v)
    m.define(c4, 2 * c2 * d / (lam1 / n))
    m.assume(Inequality(sharpness, ">=", surrogate), by="top eigenvector")
    for rest in (rest_u, rest_v):
        m.assume(Inequality(absolute(rest), "<=", c2 / width), by="assumption C.3")
    m.step("u has at most half of lambda_1 off v_1")
    m.assume(Inequality(form_u, "<=", lam1 * (1 - (1 - cosine**2) / 2)), by="gap")
    m.assume(Inequality(cosine**2, "<=", as_expr(1)), by="unit vectors")
    m.assume(Inequality(gamma * n * d, ">=", as_expr(2)), by="gamma")
    m.assume(Inequality(width, ">=", n), by="width")
    sine = 1 - cosine**2
    m.lemma("angle", Inequality(sine * gamma * lam1, "<=", 4 * c2 / width))
    m.lemma("its size", Inequality(sine, "<=", 2 * c2 * n * d / (width * lam1)))
    m.lemma("square root", Inequality(n / width, "<=", sqrt(n / width)))


def derive_growth(m: Model) -> None:
    """Steps p1 to p3 of Lemma C.11, with rho large enough for c_7."""
    m.uses("li22/lemma-C.11.p1")
    m.uses("li22/lemma-C.11.p2")
    m.uses("li22/lemma-C.11.p3")
    factor = scalar("factor", r"\eta\gamma^*\lambda_1", positive=True)
    kick = scalar("kick", r"\mathbf D^\top\boldsymbol\Gamma^*\mathbf v_1")
    R = norm_of("R", r"\|\mathbf R\|")
    m.define(
        rho,
        (c7 + 4 * c2 * eta / width + eta * (c2 + c6) / width + eta * (c2 + c6) * c_R / c3) / 2,
    )
    start = scalar("start", r"\mathbf D^\top\mathbf v_1")
    m.relation(dot(D, v1), start, by="top component")
    m.relation(dot(D_next, v1), (1 - factor) * start - eta * kick, by="p1")
    least = 2 * (1 + rho) - 4 * c2 * eta / width
    m.assume(Inequality(factor, ">=", least), by="sharpness")
    m.assume(Inequality(absolute(kick), "<=", (c2 + c6) / width * (absolute(start) + R)), by="p3")
    m.assume(Inequality(R, "<=", c_R * sqrt(n)), by="(19)")
    m.assume(Inequality(absolute(start), ">", c3 * sqrt(n) / width), by="assumption 4.5")


# ------------------------------------------------------------------------------------- runs
def at_time_t(s: Sample) -> None:
    """A run, its Gram matrix's top eigenpair, and c_2 = m ||Gamma||."""
    h = drawn(s)
    with h.run:
        gram, v = h.grams[h.t], h.data.V[:, 0]
        u = h.run.fresh(top_eigenvector(gram))
        size = spectral(h.run, h.hidden[h.t])
        count, inputs, units = len(h.data.Y), len(h.data.X), len(h.nets[0].A)
        found = {
            A_0: h.nets[0].A,
            norm_Gamma: size,
            norm_e: length(h.error(h.t)),
            sharpness: spectral(h.run, gram),
            surrogate: v @ gram @ v,
            cosine: torch.dot(u, v),
            c2: units * size,
            c4: 2 * units * size * inputs * count / h.data.lam[0],
        }
        s.observe({**h.letters(), **h.measured(found)})


WEAKER = "M is positive semidefinite: half of its form, or of its eigenvalue, says less"
CLAIMS = [
    Claim(
        "li22/lemma-C.3.1",
        property_1,
        WIDTH
        | {
            "initialisation": "|A(0)|^2 = m, Gamma(0) = 0",
            "(#)": "p8",
            "(G1), (G2)": "p21, p23 and p31",
            "(A4)": "(E1), and its unrolled line summed as in p29 and p30",
            "(G3)": "p32, half of p26, and the horizon with (5), (D) and y_i = +-1",
        },
        derive=derive_property_1,
        simulate=at_time_t,
        waive=FAR,
        rests_on=tuple(
            f"li22/lemma-C.3.p{k}"
            for k in ("3", "7", "8", "16", "21", "23", "26", "29", "30", "31", "32")
        ),
        reading=(
            "one step of the paper's induction, with (A4) bounded by the sum of (A6) and with the "
            "second-order term of M* kept in (G3); " + BY_INDUCTION
        ),
    ),
    Claim(
        "li22/lemma-C.3.2",
        property_2,
        {"(E1)": "the bound of the error, given property 1"},
        derive=derive_property_2,
        simulate=at_time_t,
        waive=FAR,
        rests_on=("li22/lemma-C.3.1", "li22/lemma-C.3.p7"),
        reading="one step of the induction for the residual; e is defined by the equation",
    ),
    Claim(
        "li22/cor-C.1",
        corollary,
        {
            "top eigenvector": "u is a top eigenvector of M",
            "assumption C.3": "||Gamma|| <= c_2/m",
            "gap": "lambda_1 >= 2 lambda_2",
            "unit vectors": "|u| = |v_1| = 1",
            "gamma": "gamma = 2(|A|^2 + m/d)/(mn) >= 2/(nd)",
            "width": "m >= n (Remark 3)",
        },
        derive=derive_corollary,
        simulate=at_time_t,
        waive=FAR
        | {f"derivation:*{end}": WEAKER for end in ("x1/2", "Lambda sign", "Lambda dropped")}
        | {"derivation:direction:right c_4 -> m": "then the right-hand side is not positive"},
        reading=(
            "c_4 = 2 c_2 d n/lambda_1, a constant for fixed d as lambda_1 is of order n; m >= n as "
            "m = Omega(n^2) where lambda_r is of order one (Remark 3); the corollary names no width"
        ),
    ),
    Claim(
        "li22/thm-2.2",
        growth,
        {
            "p1": "Lemma C.11, p1: one step of the top component",
            "sharpness": "Lambda(t), Lambda(t+1) > 2(1+rho)/eta, through Lemma C.11, p2",
            "p3": "||Gamma*|| <= (c_2 + c_6)/m",
            "(19)": "|R| <= c_R sqrt(n)",
            "assumption 4.5": "|D^T v_1| > c_3 sqrt(n)/m, from t_0 on as it grows",
        },
        derive=derive_growth,
        reading="rho and c_7 are to be chosen: for any c_7, a rho with room for it",
    ),
]
