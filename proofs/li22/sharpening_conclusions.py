r"""What the appendix on progressive sharpening concludes: Lemma C.3, Corollary C.1, Theorem 2.2.

Setting:  the two-layer linear network; Gamma as in (10), e as in property 2 of Lemma C.3.
Claims:   properties 1 and 2 of Lemma C.3 from the steps of its proof; Corollary C.1, that v_1 is
          nearly the top eigenvector of M; the growth of the top component of the residual above
          the raised threshold (Theorem 2, second part).
Source:   Li, Wang, Li, "Analyzing Sharpness along GD Trajectory", sections 4.2 and C.2.

Property 1 is left undecided as printed: its proof bounds (G3) by D^T F <= 0, which is not shown.
Theorem 2.2 holds with a threshold that leaves room for c_7, unlike that of Lemma C.11.
"""

from __future__ import annotations

from fractions import Fraction
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

from ._linear_net import A, D, D_next, Gamma, M_star, M_tilde, Y, at, d, eta, lam1, n, v1, width
from ._sharpening import (
    WIDTH,
    Pi,
    Pi_next,
    R_w,
    constants,
    e,
    e_next,
    error_unit,
    lam_r,
    norm_of,
    triangle,
    unit,
)
from ._sharpening_band import on_trajectories
from ._sharpening_runs import FAR, drawn, spectral, top_eigenvector
from ._sharpening_runs import norm as length

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.symbolic import Model

Parts = dict[str, Statement]

A_0 = vector("A_0", "m", at(r"\mathbf A", "0"))
norm_Gamma = norm_of("Gamma", r"\|\boldsymbol\Gamma(t)\|")
norm_e = norm_of("e", r"\|\mathbf e(t)\|")
norm_1, norm_2, norm_3 = (norm_of(f"G{k}", rf"\|\mathrm{{(G{k})}}\|") for k in (1, 2, 3))
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
    """(#) and the three bounds of the change of Gamma, of which (G3) needs D^T F <= 0."""
    constants(m)
    on_trajectories(m, norm_Gamma)
    m.relation(norm2(A_0), width, by="initialisation")
    m.assume(Inequality(norm2(A) - norm2(A_0), ">=", -width / 2), by="(#)")
    m.step("Gamma(0) = 0, so that Gamma(t) is the change of Gamma")
    triangle(m, norm_Gamma, norm_1, norm_2, norm_3)
    m.assume(Inequality(norm_1, "<=", 8 / width + 32 * error_unit), by="(G1), (G2)")
    m.assume(Inequality(norm_2, "<=", 8 / width + 8 * error_unit), by="(G1), (G2)")
    m.assume(Inequality(norm_3, "<=", 4 / width + 16 * error_unit), by="descent")


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
        | {"initialisation": "|A(0)|^2 = m, Gamma(0) = 0", "(#)": "p8"}
        | {"(G1), (G2)": "p26 and p31"},
        derive=derive_property_1,
        simulate=at_time_t,
        waive=FAR,
        corrected_hypotheses={"descent": "D^T F <= 0 when |A|^2 is largest, which bounds (G3)"},
        rests_on=tuple(f"li22/lemma-C.3.p{k}" for k in ("8", "16", "26", "31", "33")),
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
            "width": "m >= n",
        },
        derive=derive_corollary,
        simulate=at_time_t,
        waive=FAR
        | {f"derivation:*{end}": WEAKER for end in ("x1/2", "Lambda sign", "Lambda dropped")}
        | {"derivation:direction:right c_4 -> m": "then the right-hand side is not positive"},
        reading="c_4 = 2 c_2 d n/lambda_1 is constant for fixed d; m >= n by the width",
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
