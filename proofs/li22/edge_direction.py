r"""The top eigenvector of the Gram matrix stays close to that of the data (Corollary C.2).

Setting:  the two-layer linear network at any weights with |Gamma| <= c_2/m (C.3); lambda_1 is at
          least twice lambda_2 (C.1) and of order n; u is a top eigenvector of M, Lambda its
          eigenvalue, and Lambda* = v_1^T M v_1; m >= C_2 d^2 n^2/lambda_r^2 (Theorem 4) with
          lambda_r of order one.
Claims:   the corollary and the steps of its proof.
Source:   Li, Wang, Li, arXiv:2207.12678, appendix C.3.

Found: the last member of the angle bound is printed 2 c_2^2 d/(m lambda_1); from gamma >= 2/(nd) it
is 2 c_2 n d/(m lambda_1), larger by n/c_2.  So the proof gives 1 - <v_1, u>^2 = O(d/m) and not
O(1/(nm)).  The corollary stands at the width of Theorem 4, since d/m <= 1/sqrt(nm) once m >= d^2 n.
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
    norm2,
    scalar,
    sqrt,
    vector,
)

from ._edge import (
    GAP,
    PATIENCE,
    SMALL_GAMMA,
    Lambda,
    bounded,
    c2,
    gamma,
    known,
    lam_r,
    proved,
    u,
)
from ._edge_runs import SLACK, at_step
from ._linear_net import (
    A,
    Gamma,
    K,
    Lambda_star,
    M,
    W,
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

c4 = scalar("c_4", positive=True)
C2 = scalar("C_2", positive=True)
C_r = scalar("C_r", positive=True)
cos, sin = scalar("cos", r"\cos\theta"), scalar("sin", r"\sin\theta")
v_perp = vector("v_perp", "n", r"\mathbf v_\perp")
alignment = dot(v1, u) ** 2
weight = 2 / (width * n) * (norm2(A) + width / d)
slack = c2 / width

# ------------------------------------------------------------------------------- statements
decomposition: dict[str, Statement] = {
    "split": Equation(M, weight * K + Gamma),
    "weight": Inequality(weight, ">=", 2 / (n * d)),
}
through_angle: dict[str, Statement] = {
    "eigenvector": Equation(Lambda, dot(u, M @ u)),
    "bound": Inequality(
        dot(u, M @ u), "<=", lam1 * gamma * cos**2 + lam1 / 2 * sin**2 * gamma + slack
    ),
}
from_below: dict[str, Statement] = {
    "Rayleigh": Inequality(Lambda, ">=", dot(v1, M @ v1)),
    "bound": Inequality(dot(v1, M @ v1), ">=", gamma * lam1 - slack),
}
first_angle = Inequality(sin**2, "<=", 2 * c2 / (width * gamma) * (2 / lam1))


def angle(last: Statement) -> dict[str, Statement]:
    """The angle bound with its last member."""
    return {"first": first_angle, "second": last}


_first = 2 * c2 / (width * gamma) * (2 / lam1)
printed_angle = angle(Inequality(_first, "<=", 2 * c2**2 * d / (width * lam1)))
true_angle = angle(Inequality(_first, "<=", 2 * c2 * n * d / (width * lam1)))
cosine: dict[str, Statement] = {
    "root": Inequality(cos, ">=", sqrt(1 - c4**2 / (n * width))),
    "linear": Inequality(sqrt(1 - c4**2 / (n * width)), ">=", 1 - c4 * sqrt(1 / (width * n))),
}
comparison: dict[str, Statement] = {
    "first": Inequality(dot(v1, M @ v1), ">=", dot(u, (M - Gamma) @ u) - slack),
    "second": Inequality(dot(u, (M - Gamma) @ u) - slack, ">=", dot(u, M @ u) - 2 * slack),
}
aligned = Inequality(alignment, ">=", 1 - c4 * sqrt(1 / (n * width)))
surrogate: dict[str, Statement] = {
    "above": Inequality(Lambda, ">=", Lambda_star),
    "below": Inequality(Lambda_star, ">=", Lambda - 2 * c2 / width),
}


# ------------------------------------------------------------------------------ derivations
def network(m: Model) -> None:
    """Gram matrix and Gamma by (8) and (10), with the top eigenpair of the data."""
    m.patience = PATIENCE
    m.define(M, gram_matrix(A, W))
    m.define(Gamma, hidden_deviation(W))
    m.relation(K @ v1, lam1 * v1, by="eigenvector")
    m.relation(norm2(v1), 1, by="unit eigenvector")


def top(m: Model) -> None:
    """u is a unit vector at which the Rayleigh quotient of M is largest; Gamma is small on both."""
    m.relation(norm2(u), 1, by="top of M")
    m.define(Lambda, dot(u, M @ u))
    m.define(Lambda_star, dot(v1, M @ v1))
    m.assume(Inequality(dot(v1, M @ v1), "<=", dot(u, M @ u)), by="top of M")
    bounded(m, Gamma, slack, u, u, by="C.3")
    bounded(m, Gamma, slack, v1, v1, by="C.3")


def derive_split(m: Model) -> None:
    """The definitions."""
    network(m)


def derive_surrogate(m: Model) -> None:
    """X^T X is at most lambda_1 on u."""
    network(m)
    top(m)
    m.assume(Inequality(dot(u, K @ u), "<=", lam1 * norm2(u)), by="spectrum")
    proved(m, "of the data", weight * dot(u, K @ u), weight * lam1)


def in_angle(m: Model) -> None:
    """u = cos v_1 + sin v_perp, where X^T X is at most lambda_1/2 on v_perp."""
    m.patience = PATIENCE
    m.uses("li22/cor-C.2.p1")
    m.relation(K @ v1, lam1 * v1, by="eigenvector")
    m.relation(norm2(v1), 1, by="unit eigenvector")
    m.relation(norm2(v_perp), 1, by="angle")
    m.relation(dot(v1, v_perp), 0, by="angle")
    m.relation(cos**2, 1 - sin**2, by="angle")
    m.define(u, cos * v1 + sin * v_perp)
    m.define(M, gamma * K + Gamma)
    m.define(Lambda, dot(u, M @ u))
    m.assume(Inequality(dot(v_perp, K @ v_perp), "<=", lam1 / 2), by="C.1")
    m.assume(Inequality(gamma, ">=", 2 / (n * d)), by="weight")
    m.assume(Inequality(dot(v1, M @ v1), "<=", dot(u, M @ u)), by="top of M")
    bounded(m, Gamma, slack, u, u, by="C.3")
    bounded(m, Gamma, slack, v1, v1, by="C.3")


def derive_angle(m: Model) -> None:
    """The upper and the lower bound of the sharpness together."""
    in_angle(m)
    m.example(ALONG_V1)
    proved(m, "upper", dot(u, M @ u), lam1 * gamma * (1 - sin**2 / 2) + slack)
    proved(m, "lower", gamma * lam1 - slack, dot(v1, M @ v1))


def derive_cosine(m: Model) -> None:
    """From the angle bound as printed; u points to the side of v_1."""
    m.patience = PATIENCE
    m.define(c4, sqrt(2 * c2**2 * d * n / lam1))
    m.assume(Inequality(cos, ">=", 0 * cos), by="side of u")
    m.assume(Inequality(c4**2, "<=", n * width), by="root")
    m.assume(Inequality(1 - cos**2, "<=", 2 * c2**2 * d / (width * lam1)), by="angle bound")


def derive_aligned(m: Model) -> None:
    """The angle bound with its true last member, and d <= sqrt(m/n)."""
    network(m)
    top(m)
    m.define(c4, 2 * c2 * n / lam1 * C_r / sqrt(C2))
    rest = u - dot(v1, u) * v1
    m.assume(Inequality(dot(rest, K @ rest), "<=", lam1 / 2 * norm2(rest)), by="C.1")
    m.assume(Inequality(width * lam_r**2, ">=", C2 * d**2 * n**2), by="width")
    m.assume(Inequality(lam_r, "<=", C_r), by="lambda_r")
    m.assume(Inequality(n, ">=", as_expr(1)), by="samples")
    if m.withheld & {"width", "lambda_r"}:
        sizes = {lam_r: 1, C_r: Fraction(1, 10), C2: Fraction(1, 100)}
        m.example(
            {**_orthogonal, **({lam_r: 1, C_r: 1, C2: 1} if "width" in m.withheld else sizes)}
        )
        return
    proved(m, "angle bound", weight * lam1 * (1 - alignment), 4 * slack)
    g, part = scalar("g"), scalar("part")
    given = [
        Inequality(g * lam1 * part, "<=", 4 * slack),
        Inequality(g, ">=", 2 / (n * d)),
        Inequality(part, ">=", 0 * part),
    ]
    last = 2 * c2 * n * d / (width * lam1)
    known(
        m, "its last member", Inequality(part, "<=", last), given, {g: weight, part: 1 - alignment}
    )
    samples, wide, size = (scalar(letter, positive=True) for letter in ("s", "w", "z"))
    given = [
        Inequality(wide * size**2, ">=", C2 * d**2 * samples**2),
        Inequality(size, "<=", C_r),
        Inequality(samples, ">=", as_expr(1)),
    ]
    known(
        m,
        "wide enough",
        Inequality(d, "<=", C_r / sqrt(C2) * sqrt(wide / samples)),
        given,
        {samples: n, wide: width, size: lam_r},
    )
    long = scalar("long")
    given = [Inequality(d, "<=", long)]
    known(
        m,
        "inserted",
        Inequality(last, "<=", 2 * c2 * n * long / (width * lam1)),
        given,
        {long: C_r / sqrt(C2) * sqrt(width / n)},
    )


ALONG_V1 = {
    n: 2,
    width: 4,
    d: 2,
    lam1: 4,
    c2: Fraction(1, 4),
    gamma: Fraction(1, 2),
    X: ((2, 0), (0, 1)),
    Gamma: ((0, 0), (0, 0)),
    v1: (1, 0),
    v_perp: (0, 1),
    cos: 1,
    sin: 0,
}
"""Two samples along the axes, M a multiple of X^T X."""

_orthogonal = {
    n: 5,
    width: 1,
    d: 2,
    eta: 1,
    lam1: 4,
    c2: Fraction(4, 5),
    X: ((2, 0, 0, 0, 0), (0, 1, 0, 0, 0)),
    A: (0,),
    W: ((0, 1),),
    v1: (1, 0, 0, 0, 0),
    u: (0, 1, 0, 0, 0),
}
"""One neuron that sees only the second direction of the data."""

WIDE = {
    "width": "m >= C_2 d^2 n^2/lambda_r^2 (Theorem 4)",
    "lambda_r": "lambda_r <= C_r: it is of order one (Remark 3 on Theorem 3)",
}

CLAIMS = [
    Claim("li22/cor-C.2.p1", decomposition, derive=derive_split, simulate=at_step, waive=SLACK),
    Claim("li22/cor-C.2.p2", through_angle, SMALL_GAMMA | GAP, derive=in_angle),
    Claim(
        "li22/cor-C.2.p3", from_below, SMALL_GAMMA, derive=in_angle, simulate=at_step, waive=SLACK
    ),
    Claim(
        "li22/cor-C.2.p4",
        printed_angle,
        SMALL_GAMMA | GAP,
        derive=derive_angle,
        corrected=true_angle,
    ),
    Claim(
        "li22/cor-C.2.p5",
        cosine,
        {
            "angle bound": "sin^2 <= 2 c_2^2 d/(m lambda_1), as the step before prints it; that "
            "member is refuted there",
            "root": "n m >= c_4^2, so that the root is real",
        },
        derive=derive_cosine,
        rests_on=("li22/cor-C.2.p4",),
        reading="Only the inference is proved, from a bound that is false as printed. c_4 is the "
        "constant that this bound gives, c_4^2 = 2 c_2^2 d n/lambda_1, and u points to the side of "
        "v_1. The true bound has c_4^2 = 2 c_2 d n^2/lambda_1, which is no constant; the corollary "
        "stands at the width of Theorem 4.",
    ),
    Claim(
        "li22/cor-C.2.p6",
        comparison,
        SMALL_GAMMA,
        derive=derive_surrogate,
        simulate=at_step,
        waive=SLACK,
    ),
    Claim(
        "li22/cor-C.2.a",
        aligned,
        SMALL_GAMMA | GAP | WIDE,
        derive=derive_aligned,
        reading="The width is the one that the section works with (Theorem 4; 'our current bound "
        "requires that m = Omega(n^2)', C.4), with lambda_r = Theta(1) (Remark 3); the corollary "
        "itself names no width. c_4 = 2 c_2 (n/lambda_1) C_r/sqrt(C_2), a constant since lambda_1 "
        "is of order n. Weights alone do not give it without a width: one neuron can have u "
        "orthogonal to v_1 with c_2 and lambda_1/n fixed, for every n.",
    ),
    Claim(
        "li22/cor-C.2.b",
        surrogate,
        SMALL_GAMMA,
        derive=derive_surrogate,
        simulate=at_step,
        waive=SLACK,
    ),
]
