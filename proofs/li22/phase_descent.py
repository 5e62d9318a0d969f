r"""Phase IV: below 2/eta the map I - eta M contracts; the residual splits along the top direction.

Setting:  M symmetric with eigenvalues in [lambda_min, Lambda], D(t+1) = (I - eta M) D, F = D + Y,
          R = (I - v_1 v_1^T) D.
Claims:   Lemma 3.3 = Lemma E.3 with its proof, what Phase IV concludes from it, equation (4).
Source:   Li, Wang, Li, arXiv:2207.12678, section 3.3.2 and appendix E.1.

The second part of Lemma 3.3 has (1 - eta alpha)^2 where the first part gives 1 - eta alpha: the
square belongs to |D|^2.  In "replacing u with D v_1 v_1^T" a transpose is missing.
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
    dot,
    matrix,
    norm,
    norm2,
    outer,
    scalar,
    vector,
)

from ._phase import (
    EIGEN,
    FIRST_ORDER,
    PSD,
    D,
    D_next,
    F,
    Lam,
    M,
    R,
    Y,
    alpha,
    descend,
    eta,
    lam_min,
    off,
    residual,
    spectrum,
    top,
    v1,
    zero,
)
from ._phase_step import descent

if TYPE_CHECKING:
    from eostheory.symbolic import Model

# --------------------------------------------------------------------------------------- letters
u = vector("u", "n", r"\mathbf u")
w = vector("w", "n", r"\mathbf u")
V = matrix("V", "n", "n", r"\mathbf V")
levels = matrix("levels", "n", "n", r"\mathrm{diag}(\lambda_i)", symmetric=True)
x, x_next = scalar("x", r"\mathbf D(t)^\top\mathbf v_1"), scalar("x_next")
along, along_next = scalar("T_1", "T_1(t)"), scalar("T_1_next", "T_1(t+1)")

# ------------------------------------------------------------------------------------ statements
rate = 1 - eta * alpha


def image(z: Expr) -> Expr:
    """(I - eta M) z."""
    return z - eta * (M @ z)


contracts = Inequality(norm(image(u)), "<=", rate * norm(u))
loss_contracts = Inequality(norm(D_next), "<=", rate**2 * norm(D))
loss_corrected = Inequality(norm(D_next), "<=", rate * norm(D))
coordinates = V.T @ u
squares: dict[str, Statement] = {
    "eigenbasis": Equation(
        norm2(image(u)),
        dot(coordinates, coordinates - 2 * eta * (levels @ coordinates))
        + eta**2 * dot(levels @ coordinates, levels @ coordinates),
    ),
    "bound": Inequality(norm2(image(u)), "<=", rate**2 * norm2(u)),
}
decreases = Inequality(norm(D_next), "<", norm(D))
substituted: dict[str, Statement] = {
    "vector": Equation(w, outer(v1, v1) @ D),
    "decay": Inequality(norm(image(w)), "<=", rate * norm(w)),
}
top_part = dot(v1, D) * v1
split = Equation(dot(D, F), dot(top_part, top_part + Y) + dot(R, R + Y))
rest = Equation(R, D - outer(v1, v1) @ D)
envelope: dict[str, Statement] = {
    "component": Inequality(absolute(x_next), "<=", rate * absolute(x)),
    "term": Equation(along, dot(top_part, top_part + Y)),
    "envelope": Inequality(absolute(along_next), "<=", rate * (x**2 + absolute(x) * norm(Y))),
}


# ----------------------------------------------------------------------------------- derivations
def smallest(m: Model) -> None:
    """alpha is at most 2/eta - Lambda and at most lambda_min."""
    m.assume(Inequality(alpha, "<=", 2 / eta - Lam), by="alpha")
    m.assume(Inequality(alpha, "<=", lam_min), by="alpha")


def contraction(m: Model, z: Expr) -> None:
    """|z - eta M z| <= (1 - eta alpha) |z|."""
    spectrum(m, z, low=lam_min)
    smallest(m)
    p, q, r = (scalar(letter, nonnegative=True) for letter in "pqr")
    at_most = Inequality(p - 2 * eta * q + eta**2 * r, "<=", rate**2 * p)
    both = Inequality((Lam + lam_min) * q - Lam * lam_min * p - r, ">=", zero)
    given = (
        both,
        Inequality(q, ">=", lam_min * p),
        Inequality(q, "<=", Lam * p),
        Inequality(Lam, ">=", lam_min),
        Inequality(alpha, "<=", 2 / eta - Lam),
        Inequality(alpha, "<=", lam_min),
    )
    m.assume(Inequality(dot(z, M @ z), ">=", zero), by="psd")
    place: dict[Expr, Expr] = {p: norm2(z), q: dot(z, M @ z), r: norm2(M @ z)}
    m.lemma("each (1 - eta lambda_i)^2", at_most, given=given, where=place)
    m.lemma("positive", Inequality(rate, ">=", zero))
    a, b = (scalar(letter, nonnegative=True) for letter in "ab")
    root = (Inequality(a**2, "<=", rate**2 * b**2), Inequality(rate, ">=", zero))
    m.lemma(
        "root", Inequality(a, "<=", rate * b), given=root, where={a: norm(image(z)), b: norm(z)}
    )


def derive_contraction(m: Model) -> None:
    """Any vector."""
    contraction(m, u)


def derive_loss(m: Model) -> None:
    """The residual."""
    descend(m)
    contraction(m, D)
    m.example({eta: 1, M: ((Fraction(1, 2), 0), (0, Fraction(1, 2))), D: (1, 1),
               Lam: Fraction(1, 2), lam_min: Fraction(1, 2), alpha: Fraction(1, 2)})  # fmt: skip


def derive_both(m: Model) -> None:
    """Any vector, and the residual."""
    derive_loss(m)
    contraction_again(m)


def contraction_again(m: Model) -> None:
    """The first part for a second vector, from the same bounds."""
    spectrum(m, u, low=lam_min)
    m.uses("li22/lemma-3.3")
    m.assume(contracts, by="psd")


def derive_squares(m: Model) -> None:
    """M = V diag(lambda) V^T with orthonormal columns."""
    m.relation(V.T @ V, matrix_one(), by="frame")
    m.relation(V @ V.T, matrix_one(), by="frame")
    m.relation(M @ u, V @ levels @ V.T @ u, by="frame")
    contraction(m, u)


def matrix_one() -> Expr:
    """The identity."""
    from eostheory.formula import eye

    return eye("n")


def derive_decrease(m: Model) -> None:
    """|D'|^2 = |D|^2 - 2 eta D^T M D + eta^2 |M D|^2, |M D|^2 <= Lambda D^T M D."""
    descend(m)
    spectrum(m, D)
    m.assume(Inequality(Lam, "<", 2 / eta), by="below")
    m.assume(Inequality(norm2(M @ D), ">", zero), by="training")


def derive_substituted(m: Model) -> None:
    """The part of the residual along v_1."""
    top(m)
    m.define(w, dot(D, v1) * v1)
    m.assume(Inequality(alpha, "<=", 2 / eta - Lam), by="alpha")
    m.assume(Inequality(alpha, "<=", Lam), by="alpha")
    m.lemma("eigenvalue", Inequality(absolute(1 - eta * Lam), "<=", rate))
    a = scalar("a", nonnegative=True)
    m.lemma(
        "scaled",
        Inequality(absolute(1 - eta * Lam) * a, "<=", rate * a),
        given=(Inequality(absolute(1 - eta * Lam), "<=", rate),),
        where={a: absolute(dot(D, v1))},
    )


def derive_split(m: Model) -> None:
    """F = D + Y and R = D - v_1 v_1^T D."""
    residual(m)
    m.relation(norm2(v1), 1, by="unit")
    m.define(R, off(v1, D))


def derive_rest(m: Model) -> None:
    """R is what remains of D when its component along the unit vector v_1 is taken off."""
    m.relation(norm2(v1), 1, by="unit")
    m.define(R, D - dot(D, v1) / norm2(v1) * v1)


def derive_envelope(m: Model) -> None:
    """A fixed v_1: x' = (1 - eta Lambda) x, and the term is x^2 + x y with y = Y.v_1."""
    top(m)
    descend(m)
    m.define(x, dot(D, v1))
    m.define(x_next, dot(D_next, v1))
    m.define(along, x**2 + x * dot(Y, v1))
    m.define(along_next, x_next**2 + x_next * dot(Y, v1))
    m.assume(Inequality(alpha, "<=", 2 / eta - Lam), by="alpha")
    m.assume(Inequality(alpha, "<=", Lam), by="alpha")
    m.assume(Inequality(alpha, ">=", zero), by="alpha")
    m.lemma("Cauchy", Inequality(absolute(dot(Y, v1)), "<=", norm(Y)))
    a, q, r, y, s = (scalar(letter) for letter in ("a", "q", "r", "y", "s"))
    m.lemma("eigenvalue", Inequality(absolute(1 - eta * Lam), "<=", rate))
    m.lemma("below one", Inequality(rate, "<=", 1 + zero))
    given = (Inequality(absolute(q), "<=", r), Inequality(r, "<=", 1 + zero),
             Inequality(absolute(y), "<=", s))  # fmt: skip
    place: dict[Expr, Expr] = {a: dot(D, v1), q: 1 - eta * Lam, r: rate, y: dot(Y, v1), s: norm(Y)}
    m.lemma(
        "component", Inequality(absolute(q * a), "<=", r * absolute(a)), given=given, where=place
    )
    bound = Inequality(absolute((q * a) ** 2 + q * a * y), "<=", r * (a**2 + absolute(a) * s))
    m.lemma("envelope", bound, given=given, where=place)


# ---------------------------------------------------------------------------------------- claims
SPECTRUM = {
    "psd": "the eigenvalues of M lie in [lambda_min, Lambda]",
    "alpha": "alpha is the smaller one of 2/eta - Lambda and lambda_min",
}
LEAST = {"alpha": "alpha is at most 2/eta - Lambda and, as lambda_min is, at most Lambda"}
FRAME = {"frame": "M = V diag(lambda_i) V^T with orthonormal eigenvectors"}
BELOW = {"below": "Lambda < 2/eta"}
NO_SQUARE = (
    "The first part with u = D gives |D(t+1)| <= (1 - eta alpha)|D(t)|; the square holds for "
    "squared norms."
)
UNIT = {"unit": EIGEN["unit"]}

CLAIMS = [
    Claim(
        "li22/lemma-3.3",
        contracts,
        hypotheses=SPECTRUM,
        derive=derive_contraction,
        simulate=descent("alpha"),
        reading="Holds without Lambda < 2/eta too; alpha is negative then.",
    ),
    Claim(
        "li22/lemma-3.3.b",
        loss_contracts,
        hypotheses=FIRST_ORDER | SPECTRUM,
        derive=derive_loss,
        simulate=descent(),
        corrected=loss_corrected,
        reading=NO_SQUARE,
    ),
    Claim(
        "li22/lemma-E.3",
        {"any vector": contracts, "residual": loss_contracts},
        hypotheses=FIRST_ORDER | SPECTRUM,
        derive=derive_both,
        simulate=descent(),
        corrected={"any vector": contracts, "residual": loss_corrected},
        reading=NO_SQUARE,
    ),
    Claim(
        "li22/lemma-E.3.p1",
        squares,
        hypotheses=SPECTRUM | FRAME,
        derive=derive_squares,
        simulate=descent("alpha"),
        reading="The sum over i of (1 - eta lambda_i)^2 (u.v_i)^2, multiplied out, with the "
        "coordinates V^T u.",
    ),
    Claim(
        "li22/claim-3.3.IV",
        decreases,
        hypotheses=FIRST_ORDER
        | PSD
        | BELOW
        | {"training": "the gradient has not vanished: M D is not 0"},
        derive=derive_decrease,
        simulate=descent("below"),
        waive={"simulation:left norm(D_next) x1.001": "no draw shrinks by less than a thousandth"},
        reading="'the loss decreases' in Phase IV, where D.v_1 is large and Lambda > 0, so that "
        "M D is not 0 (Lemma 3.3 alone gives this for lambda_min > 0 only).",
    ),
    Claim(
        "li22/claim-3.3.u-shape",
        substituted,
        hypotheses=EIGEN | LEAST,
        derive=derive_substituted,
        simulate=descent(),
        reading="D v_1 v_1^T does not multiply; meant is the row D^T v_1 v_1^T, that is "
        "v_1 v_1^T D as a column.",
    ),
    Claim("li22/eq-4", split, hypotheses=UNIT, derive=derive_split, simulate=descent()),
    Claim("li22/def-3.3.R", rest, hypotheses=UNIT, derive=derive_rest, simulate=descent()),
    Claim(
        "li22/claim-3.3.term1",
        envelope,
        hypotheses=FIRST_ORDER | EIGEN | LEAST,
        derive=derive_envelope,
        simulate=descent(),
        reading="Geometric decrease is read as a geometric bound, with v_1 fixed: the term itself, "
        "x^2 + x Y.v_1, can grow in a step, for x changes its sign where eta Lambda > 1.",
    ),
]
