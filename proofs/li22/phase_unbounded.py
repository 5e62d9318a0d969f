r"""Phases II and III over many steps: the residual outgrows the labels, the loss any bound.

Setting:  |D.v_1| grows by a factor at each step (Lemma 3.2); for the loss, along a fixed v_1.
Claims:   the residual norm will exceed that of the labels; arbitrarily large loss above 2/eta.
Source:   Li, Wang, Li, arXiv:2207.12678, section 3.3.2.

"By Lemma 3.2, if the sharpness stays above 2/eta", the loss becomes arbitrarily large: the lemma
asks for a margin tau.  Without one, with tau_j = 1/((j+1)(j+3)) > 0, all factors 1 + tau_j together
stay below 2.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Expr,
    Inequality,
    Statement,
    absolute,
    as_expr,
    dot,
    norm,
    norm2,
    scalar,
    vector,
)

from ._phase import EIGEN, D, Y, n, v1, zero

if TYPE_CHECKING:
    from eostheory.symbolic import Model

# ------------------------------------------------------------------------- letters and statements
D_k, v_k = vector("D_k", "n", r"\mathbf D(t+k)"), vector("v_k", "n", r"\mathbf v_1(t+k)")
k = scalar("k", "k", nonnegative=True)
g = scalar("g", "g", positive=True)
product = scalar("G_k", r"\prod_{j<k}(1+\tau_j)", positive=True)
least = scalar("tau_min", r"\tau", positive=True)
loss_k = scalar("loss_k", r"\mathcal L(t+k)")
level = scalar("B", "B", positive=True)
now = dot(D, v1)
exceeds: dict[str, Statement] = {
    "Cauchy": Inequality(norm(D), ">=", now),
    "eventually": Inequality(norm(D_k), ">", norm(Y)),
}
unbounded = Inequality(loss_k, ">", level)


def bernoulli(m: Model, ratio: Expr) -> None:
    """ratio^k >= 1 + k (ratio - 1), by induction on k."""
    following = Inequality(ratio * (1 + k * (ratio - 1)), ">=", 1 + (k + 1) * (ratio - 1))
    if m.decide(following).outcome != "holds":
        raise ArithmeticError("the induction step fails")
    m.step("g^(k+1) >= g (1 + k (g - 1)) >= 1 + (k + 1)(g - 1): Bernoulli", following.latex)


def derive_exceeds(m: Model) -> None:
    """k steps, each of which multiplies the magnitude by g > 1 at least."""
    m.relation(norm2(v1), 1, by="unit")
    m.relation(norm2(v_k), 1, by="unit")
    bernoulli(m, 1 + g)
    m.assume(Inequality(absolute(dot(D_k, v_k)), ">=", (1 + k * g) * now), by="geometric growth")
    m.assume(Inequality(now, ">", zero), by="geometric growth")
    m.assume(Inequality(k * g * now, ">=", norm(Y)), by="late")
    m.lemma("Cauchy", Inequality(dot(D_k, v_k) ** 2, "<=", norm2(D_k)))


def derive_unbounded(m: Model) -> None:
    """k steps with factors 1 + tau_j > 1 along a fixed v_1; tau_j >= tau with the margin."""
    m.relation(norm2(v1), 1, by="unit")
    m.relation(dot(D_k, v1) ** 2, product**2 * now**2, by="above")
    m.define(loss_k, norm2(D_k) / n)
    m.assume(Inequality(product, ">", as_expr(1)), by="above")
    bernoulli(m, 1 + least)
    m.assume(Inequality(product, ">=", 1 + k * least), by="margin")
    m.assume(Inequality(now, ">", zero), by="above")
    m.assume(Inequality((k * least * now) ** 2, ">", n * level), by="late")
    m.step("tau_j = 1/((j+1)(j+3)) > 0 gives the product 2(k+1)/(k+2) < 2 for every k")
    if m.decide(Inequality(2 * (k + 1) / (k + 2), "<", as_expr(2))).outcome != "holds":
        raise ArithmeticError("the product is not bounded")
    p, q = vector("p", "n"), vector("q", "n")
    cauchy = Inequality(dot(p, q) ** 2, "<=", norm2(p) * norm2(q))
    m.lemma("Cauchy", cauchy, where={p: D_k, q: v1})
    grown, a, t, wanted = (scalar(letter) for letter in ("G", "a", "t", "N"))
    given = (
        Inequality(grown, ">=", 1 + k * t),
        Inequality(t, ">", zero),
        Inequality(a, ">", zero),
        Inequality((k * t * a) ** 2, ">", wanted),
    )
    m.lemma(
        "squares",
        Inequality(grown**2 * a**2, ">", wanted),
        given=given,
        where={grown: product, a: now, t: least, wanted: n * level},
    )
    length = scalar("L", nonnegative=True)
    m.lemma(
        "loss",
        Inequality(length / n, ">", level),
        given=(Inequality(length, ">", n * level),),
        where={length: norm2(D_k)},
    )
    factors = 9 if "margin" not in m.withheld else Fraction(9, 5)
    m.example({k: 8, least: 1, product: factors, v1: (1,), D: (1,), D_k: (factors,), n: 1,
               level: 4})  # fmt: skip


# ---------------------------------------------------------------------------------------- claims
CLAIMS = [
    Claim(
        "li22/claim-3.3.exceed",
        exceeds,
        hypotheses={
            "unit": EIGEN["unit"],
            "geometric growth": "|D(t+k).v_1(t+k)| >= g^k D(t).v_1(t) > 0, g > 1",
            "late": "k (g - 1) D(t).v_1(t) >= |Y|",
        },
        derive=derive_exceeds,
        reading="'eventually': for every k from a bound on.  In the formulas g stands for g - 1.",
    ),
    Claim(
        "li22/claim-3.3.III",
        unbounded,
        hypotheses={
            "unit": EIGEN["unit"],
            "above": "the sharpness is above 2/eta at all times, v_1 is fixed, D.v_1 > 0",
            "late": "k is as large as one likes: (k tau D.v_1)^2 > n B",
            "margin": "the sharpness stays above (2 + tau)/eta, tau > 0 fixed, as in Lemma 3.2",
        },
        derive=derive_unbounded,
        reading="'arbitrarily large loss': above any B after enough steps.  'By Lemma 3.2' brings "
        "its margin tau; above 2/eta without a margin the loss can stay bounded.",
    ),
]
