r"""M* as a multiple of the data's Gram matrix plus a small rest (Corollary C.3).

Setting:  M* is (1 - k_s) M(t) + k_s M(t+1) + Gamma' with |Gamma'| <= c_6/m (Lemma C.8); |Gamma|
          <= c_2/m (C.3), lambda_1 >= 2 lambda_2 (C.1), sharpness at most 4 (1 - beta)/eta (C.5),
          and Theorem 4's conditions n > C_1 lambda_r eta, m > C_3 eta.
Claims:   the corollary and the steps of its proof.
Source:   Li, Wang, Li, arXiv:2207.12678, appendix C.3.

Found: the first line of the proof prints 2m/d where M(t) and M(t+1) contribute m/d together.  The
corollary holds.  Its first half is also immediate from (11): M* - Gamma(t) is a multiple of X^T X.
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
    as_expr,
    dot,
    norm,
    norm2,
    scalar,
)

from ._edge import (
    BELOW,
    GAP,
    PATIENCE,
    SMALL_GAMMA,
    Gamma_rest,
    Gamma_star,
    Lambda,
    Lambda_next,
    beta,
    c2,
    c6,
    gamma_star,
    k_s,
    known,
    lam_i,
    lam_r,
    proved,
    small_gamma,
    summed,
    triangle,
    u,
    w,
    weighted,
)
from ._edge_runs import at_step
from ._linear_net import (
    A,
    A_next,
    Gamma,
    Gamma_next,
    K,
    M,
    M_next,
    M_star,
    W,
    W_next,
    X,
    d,
    eta,
    gram_matrix,
    hidden_deviation,
    lam1,
    n,
    v1,
    width,
)

if TYPE_CHECKING:
    from eostheory.symbolic import Model

Parts = dict[str, Statement]

a = scalar("a", r"\|\mathbf A(t)\|^2", nonnegative=True)
a_next = scalar("a_next", r"\|\mathbf A(t+1)\|^2", nonnegative=True)
one = as_expr(1)
slack = c2 / width


# ------------------------------------------------------------------------------- statements
def explicit(start: Expr) -> Equation:
    """The decomposition of M*, up to what the initial hidden layer contributes."""
    weight = 2 / (width * n) * (k_s * norm2(A_next) + (1 - k_s) * norm2(A) + start)
    return Equation(M_star, weight * K + k_s * Gamma_next + (1 - k_s) * Gamma + Gamma_rest)


output = norm2(A) + width / d
along_top = dot(v1, (M - Gamma) @ v1)
compared: Parts = {
    "value": Equation(along_top, 2 * lam1 / (width * n) * output),
    "gap": Inequality(2 * lam1 / (width * n) * output, ">=", 4 * lam_i / (width * n) * output),
}
from_above: Parts = {
    "gap": Inequality(2 * lam_i / (width * n) * output, "<=", along_top / 2),
    "Gamma": Inequality(along_top / 2, "<=", (Lambda + slack) / 2),
    "sharpness": Inequality((Lambda + slack) / 2, "<=", 2 / eta * (1 - beta) + c2 / (2 * width)),
}
margin = 2 * beta / eta - c2 / (2 * width)
tau = 2 * lam_r / (n * d)
lower_direction = dot(u, (M_star - Gamma_star) @ u)
upper_end = Inequality(lower_direction, "<=", 2 / eta - margin)
lower_end = Inequality(2 * lam_i / (width * n) * output, ">=", tau)
smaller = Inequality(tau, "<=", margin)
corollary: Parts = {
    "decomposition": Equation(M_star, gamma_star * K + Gamma_star),
    "size": Inequality(norm(Gamma_star @ w), "<", (c2 + c6) / width),
    "above zero": Inequality(tau, "<=", lower_direction),
    "below 2/eta": Inequality(lower_direction, "<=", 2 / eta - tau),
}


# ------------------------------------------------------------------------------ derivations
def definitions(m: Model, following: bool = False) -> None:
    """The Gram matrices by (8) and Gamma by (10)."""
    m.patience = PATIENCE
    m.define(M, gram_matrix(A, W))
    m.define(Gamma, hidden_deviation(W))
    if following:
        m.define(M_next, gram_matrix(A_next, W_next))
        m.define(Gamma_next, hidden_deviation(W_next))


def spectrum(m: Model) -> None:
    """v_1 and another eigenvalue lambda_i of X^T X."""
    m.relation(K @ v1, lam1 * v1, by="eigenvector")
    m.relation(norm2(v1), 1, by="unit eigenvector")
    m.assume(Inequality(2 * lam_i, "<=", lam1), by="C.1")
    m.assume(Inequality(lam_r, "<=", lam_i), by="spectrum")


def mean(m: Model) -> None:
    """Gamma' is what M* differs by from the mean of M(t) and M(t+1)."""
    m.uses("li22/lemma-C.8")
    m.define(M_star, (1 - k_s) * M + k_s * M_next + Gamma_rest)


def derive_explicit(m: Model) -> None:
    """Any weight k_s."""
    definitions(m, following=True)
    mean(m)


def sharpness(m: Model, gram: Expr, deviation: Expr, top: Expr) -> None:
    """Lambda is at least v_1^T M v_1 and at most 4 (1 - beta)/eta; Gamma is small along v_1."""
    m.assume(Inequality(dot(v1, gram @ v1), "<=", top), by="Rayleigh")
    m.assume(Inequality(eta * top, "<=", 4 * (1 - beta)), by="C.5")
    m.assume(Inequality(dot(v1, deviation @ v1), ">=", -slack), by="C.3")


def derive_above(m: Model) -> None:
    """At time t."""
    definitions(m)
    spectrum(m)
    sharpness(m, M, Gamma, Lambda)


def theorem(m: Model) -> None:
    """Theorem 4's conditions on n and m, with C_1 = 2/beta and C_3 = c_2/(2 beta)."""
    m.assume(Inequality(n, ">", 2 / beta * lam_r * eta), by="n")
    m.assume(Inequality(width, ">=", c2 / (2 * beta) * eta), by="m")
    m.assume(Inequality(d, ">=", one), by="inputs")


def derive_margin(m: Model) -> None:
    """(5) is not needed."""
    m.patience = PATIENCE
    theorem(m)


def directions(m: Model) -> bool:
    """Both ends at both times; u is a unit eigenvector of X^T X off v_1."""
    m.patience = PATIENCE
    m.uses("li22/cor-C.2.p1")
    spectrum(m)
    weights = [2 / (width * n) * (size + width / d) for size in (a, a_next)]
    m.define(M, weights[0] * K + Gamma)
    m.define(M_next, weights[1] * K + Gamma_next)
    mean(m)
    m.define(gamma_star, (1 - k_s) * weights[0] + k_s * weights[1])
    m.define(Gamma_star, k_s * Gamma_next + (1 - k_s) * Gamma + Gamma_rest)
    m.relation(K @ u, lam_i * u, by="lower eigenvector")
    m.relation(norm2(u), 1, by="lower eigenvector")
    m.assume(Inequality(k_s, "<", one), by="C.8")
    sharpness(m, M, Gamma, Lambda)
    sharpness(m, M_next, Gamma_next, Lambda_next)
    return all(
        proved(m, f"above, {name}", weight * lam_i, 2 / eta - margin)
        for name, weight in zip(("t", "t+1"), weights, strict=True)
    )


def derive_upper_end(m: Model) -> None:
    """The mean of both times."""
    directions(m)


def derive_corollary(m: Model) -> None:
    """The ends, the margin and the triangle inequality; w is any unit vector."""
    m.generic = False  # the instance serves; random ones are costly
    m.example(ALONG_AXES)
    if not directions(m):
        return
    theorem(m)
    if not (
        known(m, "margin", smaller)
        and proved(m, "above zero", tau, lower_direction)
        and proved(m, "below 2/eta", lower_direction, 2 / eta - tau)
    ):
        return
    m.relation(norm2(w), 1, by="unit w")
    small_gamma(m, Gamma, slack, w)
    small_gamma(m, Gamma_next, slack, w)
    m.assume(Inequality(norm(Gamma_rest @ w), "<", c6 / width), by="C.8")
    now, then = norm(Gamma @ w), norm(Gamma_next @ w)
    between = k_s * (Gamma_next @ w) + (1 - k_s) * (Gamma @ w)
    triangle(m, "mean of both", k_s * (Gamma_next @ w), (1 - k_s) * (Gamma @ w))
    triangle(m, "with the rest", between, Gamma_rest @ w)
    weighted(m, "at t", 1 - k_s, now, slack)
    weighted(m, "at t+1", k_s, then, slack)
    summed(
        m,
        "both and the rest",
        (norm(Gamma_star @ w), norm(between) + norm(Gamma_rest @ w)),
        (norm(between), k_s * then + (1 - k_s) * now),
        ((1 - k_s) * now, (1 - k_s) * slack),
        (k_s * then, k_s * slack),
    )
    whole, rest = scalar("whole"), scalar("rest")
    given = [Inequality(whole, "<=", slack + rest), Inequality(rest, "<", c6 / width)]
    where = {whole: norm(Gamma_star @ w), rest: norm(Gamma_rest @ w)}
    known(m, "size", Inequality(whole, "<", (c2 + c6) / width), given, where)
    m.patience = PATIENCE / 10  # all parts are facts by now


_flat = ((0, 0), (0, 0))
ALONG_AXES = {
    n: 2,
    width: 4,
    d: 2,
    eta: Fraction(1, 4),
    beta: Fraction(1, 2),
    c2: 1,
    c6: 1,
    X: ((2, 0), (0, 1)),
    v1: (1, 0),
    lam1: 4,
    u: (0, 1),
    lam_i: 1,
    lam_r: 1,
    w: (0, 1),
    a: 0,
    a_next: 0,
    k_s: Fraction(1, 2),
    Lambda: 2,
    Lambda_next: 2,
    Gamma: _flat,
    Gamma_next: _flat,
    Gamma_rest: _flat,
}
"""Two samples along the axes, the Gram matrix a multiple of theirs at both times."""

THEOREM = {
    "n": "n > C_1 lambda_r eta (Theorem 4), C_1 = 2/beta",
    "m": "m >= C_3 eta (Theorem 4), C_3 = c_2/(2 beta)",
}
INDEX = (
    "The text at hand has lambda_1 where the sentence around it speaks of lambda_i, i > 1: read as "
    "a damaged index."
)

CLAIMS = [
    Claim(
        "li22/cor-C.3.p1",
        explicit(2 * width / d),
        derive=derive_explicit,
        simulate=at_step,
        corrected=explicit(width / d),
    ),
    Claim("li22/cor-C.3.p2", compared, GAP, derive=derive_above, extraction=INDEX),
    Claim(
        "li22/cor-C.3.p3",
        from_above,
        GAP | SMALL_GAMMA | BELOW,
        derive=derive_above,
        extraction=INDEX,
    ),
    Claim("li22/cor-C.3.p4", upper_end, GAP | SMALL_GAMMA | BELOW, derive=derive_upper_end),
    Claim(
        "li22/cor-C.3.p5",
        lower_end,
        derive=derive_above,
        waive={"left norm(A)**2 dropped": "true: the term m/d alone gives the bound"},
    ),
    Claim("li22/cor-C.3.p6", smaller, THEOREM, derive=derive_margin),
    Claim(
        "li22/cor-C.3",
        corollary,
        GAP | SMALL_GAMMA | BELOW | THEOREM,
        derive=derive_corollary,
        reading="c_6 is larger than the best constant of Lemma C.8, so that the bound of Gamma* is "
        "strict; the norm as its action on a unit vector w; u is a unit eigenvector with an "
        "eigenvalue lambda_i >= lambda_r > 0.",
    ),
]
