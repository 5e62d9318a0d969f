r"""The residual off the top direction at the edge of stability (Lemma C.10 up to its spectra).

Setting:  R = (I - v_1 v_1^T) D; M* = gamma* X^T X + Gamma* (Corollary C.3), tau = 2 lambda_r/(nd),
          tau' = tau/2.
Claims:   the update (18), the error e_1 and its size, the spectra, the contraction.
Source:   Li, Wang, Li, arXiv:2207.12678, appendix C.3.

Found: I - eta M (I - v_1 v_1^T) leaves v_1 as it is, so that its norm is at least one; the bound
1 - eta tau' holds on vectors of the range of X^T X orthogonal to v_1.  "lambda_r/(nd) <
(c_2+c_6)/m" must be the reverse, which a large m gives.
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
    eye,
    norm,
    norm2,
    outer,
    scalar,
    sqrt,
    vector,
)

from ._edge import (
    EIGEN,
    EIGENVECTOR,
    PATIENCE,
    SMALL_GAMMA,
    Gamma_star,
    bounded,
    c2,
    c6,
    c_D,
    gamma,
    gamma_star,
    known,
    lam_i,
    lam_r,
    network_step,
    norm_Gamma,
    proved,
    small_gamma,
    summed,
    triangle,
    u,
    w,
    weighted,
)
from ._linear_net import (
    D,
    Gamma,
    K,
    M,
    M_star,
    R,
    R_next,
    X,
    at,
    d,
    eta,
    lam1,
    n,
    off_top,
    v1,
    width,
)
from ._linear_runs import one_step

if TYPE_CHECKING:
    from eostheory.symbolic import Model

Parts = dict[str, Statement]

e1 = vector("e_1", "n", at(r"\mathbf e_1"))
one, top = eye("n"), outer(v1, v1)
tau_half = lam_r / (n * d)
tau = 2 * lam_r / (n * d)
nothing = as_expr(0)

# ------------------------------------------------------------------------------- statements
turned = eta * ((top @ Gamma - Gamma @ top) @ D)
update = Equation(R_next, (one - eta * M_star) @ R + turned)
error: Parts = {
    "definition": Equation(
        R_next - (one - eta * M_star @ (one - top)) @ R, -eta * (M_star @ top @ R) + turned
    ),
    "R off the top": Equation(-eta * (M_star @ top @ R) + turned, turned),
}
size = 2 * c2 * c_D * eta * sqrt(n / width)
error_size: Parts = {
    "norms": Inequality(norm(turned), "<=", 2 * eta * norm_Gamma * norm(D)),
    "assumption": Inequality(
        2 * eta * norm_Gamma * norm(D), "<=", 2 * eta * (c2 / width) * (c_D * sqrt(n * width))
    ),
    "value": Equation(2 * eta * (c2 / width) * (c_D * sqrt(n * width)), size),
}
quotient = dot(u, (M_star - Gamma_star) @ off_top(u))
spectrum: Parts = {
    "lower": Inequality(quotient, ">", tau),
    "upper": Inequality(quotient, "<", 2 / eta - tau),
}
closed_spectrum: Parts = {
    "lower": Inequality(quotient, ">=", tau),
    "upper": Inequality(quotient, "<=", 2 / eta - tau),
}
perturbed_quotient = dot(w, M_star @ off_top(w))
perturbed: Parts = {
    "let": Inequality(tau_half, "<", (c2 + c6) / width),
    "lower": Inequality(perturbed_quotient, ">", tau_half),
    "upper": Inequality(perturbed_quotient, "<", 2 / eta - tau_half),
}
true_perturbed = perturbed | {"let": Inequality(tau_half, ">=", (c2 + c6) / width)}
contraction = Inequality(norm(w - eta * (M @ off_top(w))), "<=", (1 - eta * tau_half) * norm(w))


# ------------------------------------------------------------------------------ derivations
def unit_top(m: Model) -> None:
    """The top eigenvector of the data."""
    m.patience = PATIENCE
    m.relation(K @ v1, lam1 * v1, by="eigenvector")
    m.relation(norm2(v1), 1, by="unit eigenvector")


def derive_size(m: Model) -> None:
    """|v_1^T Gamma D| and |Gamma v_1| |v_1^T D| are at most |Gamma||D|."""
    m.patience = PATIENCE
    m.uses("li22/lemma-C.9")
    m.relation(norm2(v1), 1, by="unit eigenvector")
    bounded(m, Gamma, norm_Gamma, v1, D, by="norm")
    m.assume(Inequality(norm(Gamma @ v1), "<=", norm_Gamma), by="norm")
    m.assume(Inequality(norm_Gamma, "<=", c2 / width), by="C.3")
    m.assume(Inequality(norm(D), "<=", c_D * sqrt(n * width)), by="C.9")
    along, across = dot(v1, Gamma @ D), dot(v1, D)
    proved(m, "Cauchy-Schwarz", absolute(across), norm(D))
    triangle(m, "triangle", along * v1, -across * (Gamma @ v1))
    a, b, c, x, y = (scalar(name, nonnegative=True) for name in ("a", "b", "c", "x", "y"))
    total = scalar("total", nonnegative=True)
    given = [
        Inequality(total, "<=", x + a * b),
        Inequality(x, "<=", y * c),
        Inequality(a, "<=", c),
        Inequality(b, "<=", y),
    ]
    where = {
        total: norm(along * v1 - across * (Gamma @ v1)),
        x: absolute(along),
        a: absolute(across),
        b: norm(Gamma @ v1),
        c: norm(D),
        y: norm_Gamma,
    }
    known(m, "both terms", Inequality(total, "<=", 2 * y * c), given, where)


half = Fraction(1, 2)
flat = ((0, 0), (0, 0))
PLANE = {
    n: 2,
    d: 2,
    eta: half,
    X: ((2, 0), (0, 1)),
    v1: (1, 0),
    lam1: 4,
    lam_r: 1,
}
"""Two samples along the axes: tau = 1/2."""


def derive_spectrum(m: Model) -> None:
    """Corollary C.3 on an eigenvector of X^T X."""
    unit_top(m)
    m.uses("li22/cor-C.3")
    m.define(M_star, gamma_star * K + Gamma_star)
    m.relation(K @ u, lam_i * u, by="lower eigenvector")
    m.relation(norm2(u), 1, by="lower eigenvector")
    if "off the top" in m.withheld:
        m.example({**PLANE, u: (1, 0), lam_i: 4, gamma_star: half, Gamma_star: flat})
    m.relation(dot(v1, u), 0, by="off the top")
    m.assume(Inequality(gamma_star * lam_i, ">=", tau), by="off the top")
    m.assume(Inequality(gamma_star * lam_i, "<=", 2 / eta - tau), by="off the top")


def derive_perturbed(m: Model) -> None:
    """Weyl's inequality, on a unit vector w of the range of X^T X orthogonal to v_1."""
    unit_top(m)
    m.uses("li22/cor-C.3")
    m.define(M_star, gamma_star * K + Gamma_star)
    m.relation(norm2(w), 1, by="unit w")
    m.relation(dot(v1, w), 0, by="off the top")
    m.assume(Inequality(gamma_star * dot(w, K @ w), ">=", tau), by="C.3 corollary")
    m.assume(Inequality(gamma_star * dot(w, K @ w), "<=", 2 / eta - tau), by="C.3 corollary")
    small = (c2 + c6) / width
    m.assume(Inequality(dot(w, Gamma_star @ w), "<", small), by="C.3 corollary")
    m.assume(Inequality(dot(w, Gamma_star @ w), ">", -small), by="C.3 corollary")
    m.assume(Inequality(width * lam_r, ">=", (c2 + c6) * n * d), by="width")
    m.example({**PLANE, w: (0, 1), gamma_star: half, Gamma_star: flat, width: 8, c2: 1, c6: 1})


def derive_contraction(m: Model) -> None:
    """(I - eta gamma X^T X) w shrinks by 1 - eta tau, Gamma adds at most eta tau'."""
    unit_top(m)
    m.generic = False  # the instances below serve; random ones are costly
    m.define(M, gamma * K + Gamma)
    m.assume(Inequality(c2 / width, "<=", tau_half), by="width")
    small_gamma(m, Gamma, c2 / width, w)
    m.assume(Inequality(eta * tau, "<=", as_expr(1)), by="rate")
    if "off the top" in m.withheld:
        m.example({**PLANE, w: (1, 0), gamma: half, width: 4, c2: 1, Gamma: flat})
        return
    m.relation(dot(v1, w), 0, by="off the top")
    m.example({**PLANE, w: (0, 1), gamma: half, width: 4, c2: 1, Gamma: flat})
    contracted(m, w, gamma * (K @ w), Gamma, c2 / width)
    m.patience = PATIENCE / 10  # the conclusion is a fact by now


def shrinks(m: Model, vec: Expr, image: Expr) -> None:
    """|vec - eta image| <= (1 - eta tau)|vec|, by the ends of the spectrum (Corollary C.3)."""
    high = (2 / eta - tau) * vec - image
    m.assume(Inequality(dot(image - tau * vec, high), ">=", nothing), by="C.3 corollary")
    a, b = vector("vec", "n"), vector("image", "n")
    low = scalar("low", positive=True)
    given = [
        Inequality(dot(b - low * a, (2 / eta - low) * a - b), ">=", nothing),
        Inequality(eta * low, "<=", as_expr(1)),
    ]
    known(
        m,
        "shrinks",
        Inequality(norm(a - eta * b), "<=", (1 - eta * low) * norm(a)),
        given,
        {a: vec, b: image, low: tau},
    )


def contracted(m: Model, vec: Expr, image: Expr, rest: Expr, small: Expr) -> None:
    """|vec - eta image - eta rest vec| <= (1 - eta tau')|vec|."""
    shrinks(m, vec, image)
    triangle(m, "triangle", vec - eta * image, -eta * (rest @ vec))
    moved = vec - eta * image
    weighted(m, "of Gamma", eta, norm(rest @ vec), small * norm(vec))
    weighted(m, "of the width", eta * norm(vec), small, tau_half)
    summed(
        m,
        "contraction",
        (norm(moved - eta * (rest @ vec)), norm(moved) + eta * norm(rest @ vec)),
        (norm(moved), (1 - eta * tau) * norm(vec)),
        (eta * norm(rest @ vec), eta * (small * norm(vec))),
        (eta * norm(vec) * small, eta * norm(vec) * tau_half),
    )


_turned_r = "-eta*(M_star @ outer(v_1, v_1) @ R)"
_ENDS = [f"{_turned_r} {end}" for end in ("x2", "x1/2", "x1.001", "sign", "dropped")]
_ENDS += ["-1 +1", "-1 -1"]
ZERO = "v_1^T R = 0, as the next part says: the term vanishes"
HALF = "true: the commutator of Gamma with a projection is no larger than Gamma"

OFF_TOP = {"off the top": "on vectors orthogonal to v_1 in the range of X^T X"}

CLAIMS = [
    Claim("li22/eq-18", update, EIGENVECTOR, derive=network_step, simulate=one_step),
    Claim(
        "li22/lemma-C.10.p1",
        error,
        EIGEN,
        derive=network_step,
        simulate=one_step,
        waive={f"definition:right {end}": ZERO for end in _ENDS},
    ),
    Claim(
        "li22/lemma-C.10.p2",
        error_size,
        SMALL_GAMMA,
        derive=derive_size,
        waive={"norms:right 2*eta*norm_Gamma*norm(D) x1/2": HALF},
    ),
    Claim(
        "li22/lemma-C.10.p3",
        spectrum,
        derive=derive_spectrum,
        reading="Eigenvalues as Rayleigh quotients of the unit eigenvectors u of X^T X. With the "
        "correction the interval is closed, as Corollary C.3 gives it.",
        corrected=closed_spectrum,
        corrected_hypotheses=OFF_TOP,
    ),
    Claim(
        "li22/lemma-C.10.p4",
        perturbed,
        {"width": "m >= (c_2+c_6) nd/lambda_r"},
        derive=derive_perturbed,
        corrected=true_perturbed,
        reading="The condition after 'let' is compared with the width that makes the conclusion "
        "true. Eigenvalues as Rayleigh quotients of unit vectors w orthogonal to v_1 in the range "
        "of X^T X; on v_1 the matrix vanishes (see the step before).",
    ),
    Claim(
        "li22/lemma-C.10.p5",
        contraction,
        derive=derive_contraction,
        corrected_hypotheses=OFF_TOP,
        reading="The norm as its action on a vector w; M(t) as printed, where the recursion of R' "
        "has M*(t).",
    ),
]
