r"""The corrected Gram matrix M* between M(t) and M(t+1) (Lemma C.8).

Setting:  the two-layer linear network, one step of gradient descent, |Gamma| <= c_2/m at t and
          t+1 (C.3), labels +-1, learning rate below (5), d > 2.
Claims:   the steps of the proof of Lemma C.8.
Source:   Li, Wang, Li, arXiv:2207.12678, appendix C.3.

A bound of a spectral norm is stated for the image of any vector w.

Found: X^T W^T W X is (m/d) X^T X + (mn/2) Gamma, the factor mn/2 is not printed.  Lemma C.8 names
no dimension, while its thresholds divide by d - 2: its two cases prove it for d > 2 (for d = 1 the
second one ends in no contradiction).
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Expr,
    Inequality,
    OrderBound,
    Statement,
    absolute,
    as_expr,
    dot,
    norm,
    norm2,
    scalar,
)

from ._edge import (
    LABELS,
    PATIENCE,
    RATE,
    SMALL_GAMMA,
    bounded,
    c2,
    k_s,
    rate_bound,
    small_gamma,
    w,
)
from ._linear_net import (
    A,
    A_next,
    D,
    F,
    Gamma,
    Gamma_next,
    K,
    M,
    M_next,
    M_star,
    W,
    X,
    Y,
    d,
    eta,
    gradient_step,
    gram,
    hidden_deviation,
    lam1,
    n,
    width,
)
from ._linear_runs import one_step

if TYPE_CHECKING:
    from eostheory.symbolic import Model

Parts = dict[str, Statement]

a, a_next = (
    scalar("a", r"\|\mathbf A(t)\|^2", nonnegative=True),
    scalar("a_next", r"\|\mathbf A(t+1)\|^2", nonnegative=True),
)
one = as_expr(1)

# ------------------------------------------------------------------------------- statements
ratio = (d + 1) / (d - 2)
moderate = ratio * (1 + ratio) * n
"""Where the two cases of Lemma C.8 meet."""

inner = dot(F, D)
hidden = norm2(W @ X @ D)
"""D^T X^T W^T W X D."""

top_rate = 2 * eta / (width * n) * (width / d) * lam1 + c2 * eta / width
moved = 4 * eta * lam1 / (width * n**2) * moderate
first_case: Parts = {
    "norm": Inequality(norm((M_star - M) @ w), "<=", moved * norm(w)),
    "first order": OrderBound(moved, 0 * eta, eta * lam1 / (width * n)),
    "second order": OrderBound(eta * lam1 / (width * n), 0 * eta, 1 / width),
}
second_case: Parts = {
    "labels": Inequality(
        norm(Y), ">=", norm(D) * (1 - 2 * eta / (width * n) * (width / d) * lam1 - c2 * eta / width)
    ),
    "inserted": Inequality(
        norm(D) * (1 - 2 * eta * lam1 / (n * d) - eta * c2 / width),
        ">=",
        norm(D) * (1 - 2 / (d + 1) - 1 / (d + 1)),
    ),
    "contradiction": Inequality(absolute(inner), "<=", moderate),
}


def hidden_part(factor: Expr) -> Equation:
    """The hidden layer's Gram matrix in terms of Gamma."""
    return Equation(X.T @ W.T @ W @ X, width / d * K + factor * Gamma)


dominated = Inequality(inner, ">", 2 * eta / (width * n) * hidden)
interpolation = inner / (2 * inner - 2 * eta / (width * n) * hidden)
below_one = Inequality(interpolation, "<", one)
increments: Parts = {
    "Gram matrix": Equation(
        M_next - M, 2 / (width * n) * (norm2(A_next) - norm2(A)) * K + (Gamma_next - Gamma)
    ),
    "output layer": Equation(
        norm2(A_next) - norm2(A),
        -4 * eta / n * inner + 4 * eta**2 / n**2 * (1 / width) * hidden,
    ),
}
interpolated: Parts = {
    "identity": Equation(M_star, M + k_s * (M_next - M - (Gamma_next - Gamma))),
    "norm": Inequality(
        norm((M_star - (1 - k_s) * M - k_s * M_next) @ w), "<=", 2 * c2 / width * norm(w)
    ),
}


# ------------------------------------------------------------------------------ derivations
def derive_first_case(m: Model) -> None:
    """M* - M is a multiple of X^T X."""
    m.patience = PATIENCE
    m.define(M_star, M - 4 * eta / (n**2 * width) * dot(D, F) * K)
    m.assume(Inequality(d, ">", as_expr(2)), by="d")
    m.assume(Inequality(norm(K @ w), "<=", lam1 * norm(w)), by="spectrum")
    m.assume(Inequality(absolute(inner), "<=", moderate), by="case 1")
    m.bound(ratio)
    m.bound(eta * lam1 / n, by="(5)")


def derive_second_case(m: Model) -> None:
    """F = D + Y, and the negation of what case 2 claims."""
    m.patience = PATIENCE
    rate_bound(m)
    m.define(F, D + Y)
    m.relation(norm2(Y), n, by="labels")
    m.assume(Inequality(width, ">=", eta * c2 * (d + 1)), by="width")
    m.assume(Inequality(inner, "<=", top_rate * norm2(D)), by="otherwise")
    m.assume(Inequality(d, ">", as_expr(2)), by="d")
    if "d" in m.withheld:
        sizes = {n: 1, d: 1, width: 2, c2: 1, eta: 1, lam1: Fraction(9, 20)}
        m.example({**sizes, D: (3,), Y: (1,)})


def derive_network(m: Model) -> None:
    """One gradient step and the Gram matrices."""
    gradient_step(m)
    gram(m)


def derive_dominated(m: Model) -> None:
    """Gamma by (10), with norms on D."""
    m.patience = PATIENCE
    m.define(Gamma, hidden_deviation(W))
    bounded(m, Gamma, c2 / width, D, D, by="C.3")
    m.assume(Inequality(dot(D, K @ D), "<=", lam1 * norm2(D)), by="spectrum")
    m.assume(Inequality(inner, ">", top_rate * norm2(D)), by="case 2")


def derive_below_one(m: Model) -> None:
    """The step before."""
    m.patience = PATIENCE
    m.assume(dominated, by="case 2")


def derive_interpolated(m: Model) -> None:
    """Both Gram matrices as multiples of X^T X plus Gamma; the weight k_s."""
    m.patience = PATIENCE
    m.uses("li22/cor-C.2.p1")
    m.uses("li22/lemma-C.8.p6")
    m.define(a_next, a - 4 * eta / n * inner + 4 * eta**2 / n**2 * (1 / width) * hidden)
    m.define(M, 2 / (width * n) * (a + width / d) * K + Gamma)
    m.define(M_next, 2 / (width * n) * (a_next + width / d) * K + Gamma_next)
    m.define(M_star, M - 4 * eta / (n**2 * width) * dot(D, F) * K)
    m.define(k_s, interpolation)
    m.assume(dominated, by="case 2")
    small_gamma(m, Gamma, c2 / width, w)
    small_gamma(m, Gamma_next, c2 / width, w)
    m.lemma("k_s < 1", Inequality(k_s, "<", one))


INPUTS = {"d": "d > 2: the thresholds divide by d - 2"}
DIMENSION = (
    "d > 2, which the printed quotients presuppose and Lemma C.8 does not say: d = 2 leaves them "
    "undefined, and for d = 1 the inequalities of the second case allow any |D|."
)

CLAIMS = [
    Claim(
        "li22/lemma-C.8.p1",
        first_case,
        RATE | INPUTS | {"case 1": "|D^T F| <= (d+1)/(d-2) (1 + (d+1)/(d-2)) n"},
        derive=derive_first_case,
        reading=DIMENSION,
        waive={"second order:order m+1": "says less: 1/m = O(1)"},
    ),
    Claim(
        "li22/lemma-C.8.p2",
        second_case,
        RATE
        | LABELS
        | INPUTS
        | {
            "width": "m >= eta c_2 (d+1)",
            "otherwise": "the inequality that case 2 claims does not hold",
        },
        derive=derive_second_case,
        reading=DIMENSION,
    ),
    Claim(
        "li22/lemma-C.8.p3",
        hidden_part(one),
        derive=derive_network,
        simulate=one_step,
        corrected=hidden_part(width * n / 2),
    ),
    Claim("li22/lemma-C.8.p4", dominated, derive=derive_dominated),
    Claim("li22/lemma-C.8.p5", below_one, derive=derive_below_one),
    Claim("li22/lemma-C.8.p6", increments, derive=derive_network, simulate=one_step),
    Claim("li22/lemma-C.8.p7", interpolated, SMALL_GAMMA, derive=derive_interpolated),
]
