r"""The residual stays bounded at the edge of stability (Lemma C.9 and its proof).

Setting:  the two-layer linear network; Gamma of size c_2/m (C.3), sharpness at most
          4 (1 - beta)/eta (C.5), learning rate below (5); D = x v_1 + R.
Claims:   the change of Lambda* bounded by a quadratic in |D| (p1 to p5), its lower bound (p6),
          and what follows for |D| (p7, p8, the lemma).
Source:   Li, Wang, Li, arXiv:2207.12678, appendix C.3, proof of Lemma C.9.

Found: the first two lines print lambda_1 = |X^T X| where (17) has Lambda*(t), and with lambda_1 the
third line does not follow; the third line lacks an absolute value; the fourth has a factor n that
the fifth does not survive; the threshold of the last step lacks a factor 1/sqrt(c_5); (5) gives eta
< n/lambda_1, printed is the quotient upside down.  The lemma holds, with another constant, which
contains 1/eta: (5) bounds eta from above only.
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
    sqrt,
)

from ._edge import (
    BELOW,
    D1,
    EIGEN,
    LABELS,
    PATIENCE,
    RATE,
    SMALL_GAMMA,
    Y1,
    Lambda,
    beta,
    bounded,
    c2,
    c5,
    c_D,
    increment,
    known,
    network_step,
    norm_Gamma,
    per_step,
    proved,
    rate_bound,
    sharpness_below,
    split,
    summed,
    weighted,
    x,
)
from ._edge_runs import SLACK, at_step
from ._linear_net import (
    A,
    A_next,
    D,
    Gamma,
    K,
    Lambda_star,
    Lambda_star_next,
    M,
    M_next,
    R,
    W,
    W_next,
    Y,
    d,
    eta,
    gram_matrix,
    lam1,
    n,
    top_direction,
    v1,
    width,
)
from ._linear_runs import one_step

if TYPE_CHECKING:
    from eostheory.symbolic import Model

r, s, y = norm(R), norm(D), norm(Y)


# ------------------------------------------------------------------------------- statements
def with_norms(sharpness: Expr) -> Expr:
    """The bracket of the second line."""
    return (
        norm2(D)
        + D1**2
        - eta / 2 * D1**2 * sharpness
        - eta / 2 * r**2 * norm_Gamma
        - eta * r * s * norm_Gamma
        - eta * lam1 / (n * d) * r**2
        + dot(Y, D)
        + Y1 * D1
    )


def third(top: Expr) -> Expr:
    """The bracket of the third line."""
    return (
        2 * beta * D1**2
        + r**2
        - c2 * eta / (2 * width) * r**2
        - c2 * eta / width * r * s
        - 1 / (d + 1) * r**2
        - y * s
        - y * top
    )


def fourth(count: Expr) -> Expr:
    """The bracket of the fourth line."""
    return (
        2 * beta * D1**2
        + (d / (d + 1) - eta * c2 * count / (2 * width)) * r**2
        - c2 * eta / width * s**2
        - 2 * y * s
    )


fifth = c5 * s**2 - 2 * y * s
one = as_expr(1)


def step(before: Expr, after: Expr) -> Inequality:
    """One line of the chain."""
    return Inequality(-per_step * before, "<=", -per_step * after)


shift = Lambda_star_next - Lambda_star


# ------------------------------------------------------------------------------- statements
printed_bracket = Equation(shift, -per_step * increment(lam1))
lower: dict[str, Statement] = {
    "left side": Inequality(shift, ">=", 0 - Lambda),
    "sharpness": Inequality(0 - Lambda, ">", -4 / eta),
}
combined = Inequality(8 / n**2 * (eta * lam1 / width) * fifth, "<", 4 / eta)


def threshold(extra: Expr) -> Inequality:
    """|D| below the value past which the combined inequality cannot hold."""
    return Inequality(s, "<=", 2 * y / c5 + n * sqrt(width) / (eta * sqrt(2 * extra * lam1)))


bound = Inequality(s, "<=", c_D * sqrt(n * width))


def magnitudes(rate: Expr) -> dict[str, Statement]:
    """What ends the proof: sizes of the labels and of the learning rate."""
    return {
        "labels": Equation(y, sqrt(n)),
        "rate": Inequality(eta, "<", rate),
        "order": OrderBound(rate, 0 * n, one),
    }


# ------------------------------------------------------------------------------ derivations
def derive_norms(m: Model) -> None:
    """Cauchy and Schwarz, and the norms of Gamma and X^T X."""
    split(m)
    bounded(m, Gamma, norm_Gamma, R, R, by="norm")
    bounded(m, Gamma, norm_Gamma, R, x * v1, by="norm")
    m.assume(Inequality(dot(R, K @ R), "<=", lam1 * norm2(R)), by="norm")
    proved(m, "the top component is shorter", absolute(x), s)


def third_line(m: Model) -> None:
    """C.3, C.5 and (5) inserted, term by term."""
    sharpness_below(m)
    rate_bound(m)
    m.assume(Inequality(norm_Gamma * width, "<=", c2), by="C.3")
    proved(m, "labels along the residual", -dot(Y, D), y * s)
    proved(m, "labels along the top", absolute(Y1), y)
    proved(m, "C.5 inserted", eta / 2 * Lambda_star, 2 * (1 - beta))
    proved(m, "C.3 inserted", norm_Gamma, c2 / width)
    proved(m, "(5) inserted", eta * lam1 / (n * d), 1 / (d + 1))
    weighted(m, "labels times top", absolute(D1), absolute(Y1), y)
    weighted(m, "C.5, times the top", D1**2, eta / 2 * Lambda_star, 2 * (1 - beta))
    weighted(m, "C.3 on R and D", eta * r * s, norm_Gamma, c2 / width)
    weighted(m, "C.3 on R twice", eta / 2 * r**2, norm_Gamma, c2 / width)
    weighted(m, "(5) on R", r**2, eta * lam1 / (n * d), 1 / (d + 1))
    summed(
        m,
        "third line",
        (D1**2 * (eta / 2 * Lambda_star), D1**2 * (2 * (1 - beta))),
        (eta * r * s * norm_Gamma, eta * r * s * (c2 / width)),
        (eta / 2 * r**2 * norm_Gamma, eta / 2 * r**2 * (c2 / width)),
        (r**2 * (eta * lam1 / (n * d)), r**2 * (1 / (d + 1))),
        (-dot(Y, D), y * s),
        (-Y1 * D1, absolute(D1) * absolute(Y1)),
        (absolute(D1) * absolute(Y1), absolute(D1) * y),
    )


def derive_assumptions(m: Model) -> None:
    """The third line alone."""
    split(m)
    third_line(m)
    sizes = {n: 4, width: 1, d: 3, eta: 1, lam1: Fraction(5, 2), beta: Fraction(1, 2)}
    spectrum = {Lambda: 2, Lambda_star: 2, c2: 1, norm_Gamma: 0}
    labels = {Y: (-1, 1, 1, 1), v1: (1, 0, 0, 0), R: (0, 0, 0, 0), x: 10}
    m.example({**sizes, **spectrum, **labels})


def derive_collected(m: Model) -> None:
    """|R|, |x| <= |D|, and n >= 1."""
    split(m)
    m.assume(Inequality(n, ">=", one), by="samples")
    proved(m, "the top component is shorter", absolute(x), s)
    proved(m, "the rest is shorter", r, s)


def derive_uniform(m: Model) -> None:
    """Both coefficients exceed c_5."""
    split(m)
    m.assume(Inequality(2 * beta - c2 * eta / width, ">", c5), by="width")
    m.assume(Inequality(d / (d + 1) - 3 * eta * c2 / (2 * width), ">", c5), by="width")
    m.assume(Inequality(n, ">=", one), by="samples")
    tenth, half = Fraction(1, 10), Fraction(1, 2)
    sizes = {n: 4, width: 1, d: 3, eta: 1, lam1: 1, c2: tenth, c5: half, beta: half, x: 0}
    m.example({**sizes, v1: (1, 0, 0, 0), R: (0, 1, 0, 0), Y: (1, 1, 1, 1)})


def derive_lower(m: Model) -> None:
    """The Gram matrix after the step is positive semidefinite; Lambda is a Rayleigh maximum."""
    top_direction(m, following=False)
    m.define(M, gram_matrix(A, W))
    m.define(M_next, gram_matrix(A_next, W_next))
    m.define(Lambda_star_next, dot(v1, M_next @ v1))
    m.assume(Inequality(dot(v1, M @ v1), "<=", Lambda * norm2(v1)), by="Rayleigh")
    m.assume(Inequality(eta * Lambda, "<=", 4 * (1 - beta)), by="C.5")


def derive_combined(m: Model) -> None:
    """The end of the chain (its true form) and the lower bound."""
    m.uses("li22/lemma-C.9.p5")
    m.uses("li22/lemma-C.9.p6")
    m.patience = PATIENCE
    m.assume(Inequality(shift, "<=", -per_step * fifth), by="p5")
    m.assume(Inequality(shift, ">", -4 / eta), by="p6")


def derive_threshold(m: Model) -> None:
    """A quadratic inequality in |D|."""
    m.patience = PATIENCE
    m.assume(combined, by="combined inequality")
    m.assume(Inequality(c5, "<", one), by="c_5")
    # one sample, eight neurons: the threshold is 12
    sizes = {n: 1, width: 8, eta: Fraction(1, 4), lam1: 1, c5: Fraction(1, 2)}
    m.example({**sizes, D: (13,), Y: (1,)})


def derive_bound(m: Model) -> None:
    """From the fourth line (its true form): coefficients, threshold, |Y|^2 = n and m >= 1."""
    m.uses("li22/lemma-C.9.p3")
    m.uses("li22/lemma-C.9.p6")
    split(m)
    m.relation(norm2(Y), n, by="labels")
    m.define(c_D, 2 / c5 + sqrt(n / lam1) / (eta * sqrt(2 * c5)))
    m.assume(Inequality(width, ">=", one), by="neurons")
    # the printed quotients m > a/b, with b > 0 by c_5 < min(2 beta, d/(d+1))
    m.assume(Inequality(width * (2 * d / (d + 1) - 2 * c5), ">", 3 * eta * c2), by="width")
    m.assume(Inequality(width * (2 * beta - c5), ">", eta * c2), by="width")
    small = c2 * eta / width
    m.assume(Inequality(shift, "<=", -per_step * fourth(one)), by="fourth line")
    m.assume(Inequality(shift, ">", -4 / eta), by="p6")
    if not (
        proved(m, "beta", c5 + small, 2 * beta)
        and proved(m, "inputs", c5 + Fraction(3, 2) * small, d / (d + 1))
    ):
        return
    weighted(m, "on the top", D1**2, c5 + small, 2 * beta)
    weighted(m, "on the rest", r**2, c5 + Fraction(3, 2) * small, d / (d + 1))
    summed(
        m,
        "coefficients",
        (D1**2 * (c5 + small), D1**2 * (2 * beta)),
        (r**2 * (c5 + Fraction(3, 2) * small), r**2 * (d / (d + 1))),
    )
    weighted(m, "scaled", per_step, fifth, fourth(one))
    low, high, end = scalar("low"), scalar("high"), scalar("end")
    given = [
        Inequality(low, "<=", high),
        Inequality(shift, "<=", -high),
        Inequality(shift, ">", -end),
    ]
    where = {low: per_step * fifth, high: per_step * fourth(one), end: 4 / eta}
    known(m, "combined", Inequality(low, "<", end), given, where)
    long, excess, q = scalar("long"), scalar("excess"), scalar("q", positive=True)
    given = [Inequality(long * excess, "<", q**2), Inequality(excess, "<=", long)]
    past = n * sqrt(width) / (eta * sqrt(2 * c5 * lam1))
    where = {long: s, excess: s - 2 * y / c5, q: past}
    known(m, "threshold", Inequality(excess, "<=", q), given, where)


def derive_magnitudes(m: Model) -> None:
    """(5) with d >= 1, and lambda_1 between multiples of n."""
    m.patience = PATIENCE
    m.relation(norm2(Y), n, by="labels")
    rate_bound(m)
    m.assume(Inequality(d, ">=", one), by="inputs")
    m.bound(lam1 / n)
    m.bound(n / lam1)
    m.example({n: 2, d: 3, eta: 1, lam1: 1, Y: (1, 1)})


COEFFICIENTS = {"width": "2 beta - c_2 eta/m > c_5 and d/(d+1) - 3 eta c_2/(2m) > c_5"}
LINE = "This line is compared with the one before it."
CONSTANT = (
    "c_3 = 2/c_5 + sqrt(n/lambda_1)/(eta sqrt(2 c_5)): it contains 1/eta, which (5) does not bound."
)

CLAIMS = [
    Claim(
        "li22/lemma-C.9.p1",
        printed_bracket,
        EIGEN,
        derive=network_step,
        simulate=one_step,
        corrected=Equation(shift, -per_step * increment()),
        reading="The right-hand side of (17), as written in the first line.",
    ),
    Claim(
        "li22/lemma-C.9.p2",
        step(increment(lam1), with_norms(lam1)),
        derive=derive_norms,
        simulate=at_step,
        waive=SLACK,
        reading=LINE,
    ),
    Claim(
        "li22/lemma-C.9.p3",
        step(with_norms(lam1), third(D1)),
        SMALL_GAMMA | BELOW | RATE,
        derive=derive_assumptions,
        corrected=step(with_norms(Lambda_star), third(absolute(D1))),
        reading=LINE,
    ),
    Claim("li22/lemma-C.9.p4", step(third(D1), fourth(n)), derive=derive_collected, reading=LINE),
    Claim(
        "li22/lemma-C.9.p5",
        step(fourth(n), fifth),
        COEFFICIENTS,
        derive=derive_uniform,
        corrected=step(fourth(one), fifth),
        reading=LINE,
    ),
    Claim("li22/lemma-C.9.p6", lower, BELOW, derive=derive_lower, simulate=at_step, waive=SLACK),
    Claim("li22/lemma-C.9.p7", combined, derive=derive_combined),
    Claim("li22/lemma-C.9.p8", threshold(one), derive=derive_threshold, corrected=threshold(c5)),
    Claim(
        "li22/lemma-C.9",
        bound,
        LABELS
        | {
            "width": "c_5 < min(2 beta, d/(d+1)), m > 3 eta c_2/(2d/(d+1) - 2c_5) and "
            "m > eta c_2/(2 beta - c_5)",
        },
        derive=derive_bound,
        reading=CONSTANT + " From the lines of the proof as corrected.",
    ),
    Claim(
        "li22/lemma-C.9.p9",
        magnitudes(lam1 / n),
        LABELS | RATE,
        derive=derive_magnitudes,
        corrected=magnitudes(n / lam1),
        reading="lambda_1 = Theta(n) is the standing assumption on the data.",
    ),
]
