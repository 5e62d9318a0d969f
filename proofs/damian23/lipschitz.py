r"""Lipschitz properties near the constrained trajectory (Lemma 12).

Setting:  |D^3 L|_op <= rho_3, D^3 L is rho_4-Lipschitz with rho_4 <= K_4 eta rho_3^2; the balls S_t
          of radius (2 - c)/(4 eta rho_3) around theta_t^dagger, where the top eigenvalue is 2/eta
          and the second is below c/eta, c < 2.
Claims:   the Lipschitz constants of grad L, Hess L, its eigenvalues, u and grad S on the balls; the
          eigengap there and the derivatives of u and grad S.
Source:   Damian, Nichani, Lee, arXiv:2209.15594, appendix I.1.

Norms are tested on arbitrary vectors.  O(x) is K x with the constant K that the proof gives.

Found: the middle of the display on the eigengap is printed at theta; it must be at theta_t^dagger.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Inequality,
    Statement,
    absolute,
    dot,
    eye,
    matrix,
    norm,
    norm2,
    outer,
    scalar,
    substitute,
    vector,
)

from . import _lipschitz_runs as runs
from ._common import D, T, eta, hess, sharpness, u
from ._constants import (
    ASSUMPTION_2,
    ASSUMPTION_3,
    BALL,
    RADIUS,
    below_two,
    c,
    d,
    gap,
    rho3,
    rho4,
    wide_gap,
    zero,
)
from ._lipschitz_runs import du, inverse

if TYPE_CHECKING:
    from eostheory.symbolic import Model

K = scalar("K", "K", positive=True)
K4 = scalar("K_4", "K_4", positive=True)
a = vector("a", D)
hess_there = matrix("hess_there", D, D, r"\nabla^2 L(\theta')", symmetric=True)
grad_change = vector("grad_change", D, r"\nabla L(\theta') - \nabla L(\theta)")
u_change = vector("u_change", D, r"u(\theta') - u(\theta)")
slope_change = vector("slope_change", D, r"\nabla S(\theta') - \nabla S(\theta)")
eigen_here = scalar("lambda_i", r"\lambda_i(\theta)")
eigen_there = scalar("lambda_i_there", r"\lambda_i(\theta')")
first = scalar("lambda_1", r"\lambda_1(\theta_t^\dagger)")
second = scalar("lambda_2", r"\lambda_2(\theta_t^\dagger)")
first_there = scalar("lambda_1_there", r"\lambda_1(\theta)")
second_there = scalar("lambda_2_there", r"\lambda_2(\theta)")
norm_3 = scalar("norm_3", r"\|\nabla^3 L(\theta)\|_{op}", nonnegative=True)
norm_4 = scalar("norm_4", r"\|\nabla^4 L(\theta)\|_{op}", nonnegative=True)
norm_u = scalar("norm_u", r"\|\nabla u(\theta)\|_2", nonnegative=True)
norm_S = scalar("norm_S", r"\|\nabla^2 S(\theta)\|_2", nonnegative=True)
slope_rate = scalar("slope_rate", r"\|\nabla^2 S(\theta)\,d\|", nonnegative=True)
reach = scalar("reach", r"\|d\|", nonnegative=True)

# -------------------------------------------------------------------------------- statements
gradient = Inequality(norm(grad_change), "<=", K / eta * norm(d))
hessian = Inequality(
    absolute(dot(a, hess_there @ a) - dot(a, hess @ a)), "<=", rho3 * norm(d) * norm2(a)
)
eigenvalues = Inequality(absolute(eigen_there - eigen_here), "<=", rho3 * norm(d))
eigenvector = Inequality(norm(u_change), "<=", K * eta * rho3 * norm(d))
slope = Inequality(norm(slope_change), "<=", K * eta * rho3**2 * norm(d))
taken = 2 * rho3 * ((2 - c) / (4 * eta * rho3))
gap_printed: dict[str, Statement] = {
    "first": Inequality(first_there - second_there, ">=", first_there - second_there - taken),
    "second": Inequality(first_there - second_there - taken, ">=", (2 - c) / (2 * eta)),
}
gap_true: dict[str, Statement] = {
    "first": Inequality(first_there - second_there, ">=", first - second - taken),
    "second": Inequality(first - second - taken, ">=", (2 - c) / (2 * eta)),
}
turning: dict[str, Statement] = {
    "formula": Equation(du, inverse @ T(u, d)),
    "bound": Inequality(norm(du), "<=", rho3 / gap * norm(d)),
    "gap": Inequality(rho3 / gap, "<=", 2 * eta * rho3 / (2 - c)),
}
bending: dict[str, Statement] = {
    "product rule": Inequality(slope_rate, "<=", (norm_4 + 2 * norm_3 * norm_u) * reach),
    "bounds": Inequality(norm_4 + 2 * norm_3 * norm_u, "<=", K * (rho4 + eta * rho3**2)),
    "Assumption 3": Inequality(K * (rho4 + eta * rho3**2), "<=", K * (K4 + 1) * eta * rho3**2),
}


# -------------------------------------------------------------------------------- derivation
def derive_gradient(m: Model) -> None:
    """The change of the gradient is the mean Hessian on the segment, applied to d."""
    below_two(m)
    m.uses("damian23/lemma-12.2")
    here = scalar("norm_H", r"\|\nabla^2 L(\theta_t^\dagger)\|", nonnegative=True)
    most = scalar("norm_M", nonnegative=True)
    m.assume(Inequality(here, "<=", 2 / eta), by="edge")
    m.assume(Inequality(most, "<=", here + rho3 * RADIUS), by="third derivative")
    m.define(K, (10 - c) / 4)
    m.lemma("norm of the Hessian on the ball", Inequality(most, "<=", K / eta))
    size, found = (scalar(name, nonnegative=True) for name in ("size", "found"))
    m.assume(Inequality(norm(grad_change), "<=", most * norm(d)), by="norm of the mean Hessian")
    m.lemma(
        "applied to d",
        Inequality(found, "<=", K_bound * size),
        given=(Inequality(found, "<=", most_letter * size), Inequality(most_letter, "<=", K_bound)),
        where={found: norm(grad_change), size: norm(d), most_letter: most, K_bound: K / eta},
    )


most_letter = scalar("most", nonnegative=True)
K_bound = scalar("K_bound", positive=True)


def derive_hessian(m: Model) -> None:
    """Mean value theorem for s -> a . Hess L(theta + s d) a."""
    bent = scalar("bent", r"\nabla^3 L(a, a)\cdot d")
    m.define(hess_there, hess + (bent / norm2(a) ** 2) * outer(a, a))
    m.step("a . Hess L(theta') a = a . Hess L(theta) a + D^3 L(a, a, d) at a point in between")
    m.assume(Inequality(norm2(a), ">", zero), by="a is not zero")
    bound = Inequality(absolute(bent), "<=", rho3 * norm(d) * norm2(a))
    m.assume(bound, by="third derivative")


def derive_eigenvalues(m: Model) -> None:
    """Courant and Fischer: unit vectors on which the quadratic forms compare."""
    m.uses("damian23/lemma-12.2")
    low, high, low_there, high_there = (scalar(f"quotient_{k}") for k in range(4))
    m.step("a unit vector in (top i at theta') and (i-th and lower at theta), and conversely")
    by = "Courant-Fischer"
    m.assume(Inequality(eigen_there, "<=", high_there), by=by)
    m.assume(Inequality(high, "<=", eigen_here), by=by)
    m.assume(Inequality(eigen_here, "<=", low), by=by)
    m.assume(Inequality(low_there, "<=", eigen_there), by=by)
    m.assume(Inequality(absolute(high_there - high), "<=", rho3 * norm(d)), by="third derivative")
    m.assume(Inequality(absolute(low_there - low), "<=", rho3 * norm(d)), by="third derivative")


def derive_gap(m: Model) -> None:
    """Weyl's inequality from theta_t^dagger to theta."""
    below_two(m)
    m.uses("damian23/lemma-12.3")
    distance = scalar("distance", nonnegative=True)
    m.assume(Inequality(distance, "<=", RADIUS), by="ball")
    m.define(first, 2 / eta)
    m.assume(Inequality(second, "<", c / eta), by="eigengap")
    for there, here in ((first_there, first), (second_there, second)):
        moved = Inequality(absolute(there - here), "<=", rho3 * distance)
        m.assume(moved, by="third derivative")
    quarter = Fraction(1, 4)
    m.example(
        {eta: 1, c: 1, rho3: 1, distance: quarter, second: Fraction(9, 10),
         first_there: 2 - quarter, second_there: Fraction(9, 10) + quarter}
    )  # fmt: skip


def derive_turning(m: Model) -> None:
    """The eigenvalue equation differentiated along d and inverted off u."""
    below_two(m)
    wide_gap(m)
    rate = scalar("rate", r"\dot S")
    m.relation(norm2(u), 1, by="unit eigenvector")
    m.relation(dot(u, du), 0, by="unit eigenvector")
    m.relation(inverse @ u, 0 * u, by="pseudo-inverse")
    m.relation(inverse @ hess, sharpness * inverse - eye(D) + outer(u, u), by="pseudo-inverse")
    m.step("(S I - H)^+ (S I - H) = I - u u^T")
    m.relation(T(d, u), rate * u + sharpness * du - hess @ du, by="eigenvalue equation")
    m.assume(Inequality(norm(T(u, d)), "<=", rho3 * norm(d)), by="third derivative")
    m.assume(Inequality(norm(du), "<=", norm(T(u, d)) / gap), by="norm of the pseudo-inverse")


def derive_u(m: Model) -> None:
    """Mean value inequality along the segment."""
    below_two(m)
    wide_gap(m)
    m.uses("damian23/lemma-12.p2")
    m.define(K, 2 / (2 - c))
    m.assume(Inequality(norm(u_change), "<=", rho3 / gap * norm(d)), by="third derivative")
    m.lemma("gap", Inequality(rho3 / gap, "<=", K * eta * rho3))


@cache
def product_rule() -> bool:
    """|d/ds D^3 L(u, u)| <= |D^4 L(u, u, d)| + 2 |D^3 L(u, du)| for du = grad u d, in any size."""
    from eostheory.symbolic import Model

    m = Model()
    axis, fourth, rate = vector("axis", D), vector("fourth", D), vector("rate", D)
    # the third derivative changes along d by D^4 L(., ., d), and its arguments by du
    turned = substitute(m.differentiate(T(axis, axis), axis, du), {axis: u})
    m.define(rate, fourth + turned)
    m.lemma(
        "triangle",
        Inequality(norm(fourth + 2 * a), "<=", norm(fourth) + 2 * norm(a)),
        where={a: T(u, du)},
    )
    bound = Inequality(norm(rate), "<=", norm(fourth) + 2 * norm(T(u, du)))
    return m.decide(bound).outcome == "holds"


def lengths(m: Model) -> None:
    """The lengths of both parts of the derivative of grad S along d."""
    m.uses("damian23/lemma-2")
    fourth, mixed, turned = (scalar(f"length_{k}", nonnegative=True) for k in range(3))
    if product_rule():
        m.step("d grad S = D^4 L(u, u, d) + 2 D^3 L(u, du), du = grad u d")
        m.assume(Inequality(slope_rate, "<=", fourth + 2 * mixed), by="product rule")
    m.assume(Inequality(fourth, "<=", norm_4 * reach), by="norm of D^4 L")
    m.assume(Inequality(mixed, "<=", norm_3 * turned), by="norm of D^3 L")
    m.assume(Inequality(turned, "<=", norm_u * reach), by="norm of grad u")
    m.lemma("second length", Inequality(mixed, "<=", norm_3 * norm_u * reach))


def bounds_on_derivatives(m: Model) -> None:
    """The sizes that Assumptions 2 and 3 allow."""
    below_two(m)
    m.uses("damian23/lemma-12.p2")
    m.assume(Inequality(norm_4, "<=", rho4), by="third derivative")
    m.assume(Inequality(norm_3, "<=", rho3), by="third derivative")
    m.assume(Inequality(norm_u, "<=", 2 * eta * rho3 / (2 - c)), by="eigengap")
    m.assume(Inequality(rho4, "<=", K4 * eta * rho3**2), by="fourth derivative")


def derive_bending(m: Model) -> None:
    """O(x) is K x with K = 1 + 4/(2 - c)."""
    lengths(m)
    bounds_on_derivatives(m)
    m.define(K, 1 + 4 / (2 - c))
    room = scalar("letter_room", positive=True)
    low, turn, product, unit = (scalar(f"letter_{k}", nonnegative=True) for k in range(4))
    m.lemma(
        "second part",
        Inequality(turn * norm_u, "<=", rho3 * room),
        given=(Inequality(turn, "<=", rho3), Inequality(norm_u, "<=", room)),
        where={turn: norm_3, room: 2 * eta * rho3 / (2 - c)},
    )
    m.lemma(
        "both parts",
        Inequality(low + 2 * product, "<=", (1 + 2 * room) * (rho4 + unit)),
        given=(Inequality(low, "<=", rho4), Inequality(product, "<=", room * unit)),
        where={low: norm_4, product: norm_3 * norm_u, room: 2 / (2 - c), unit: eta * rho3**2},
    )
    m.patience = 0.2


def derive_slope(m: Model) -> None:
    """Mean value inequality for grad S."""
    bounds_on_derivatives(m)
    m.uses("damian23/lemma-12.p3")
    m.assume(Inequality(norm_S, "<=", norm_4 + 2 * norm_3 * norm_u), by="lemma-12.p3")
    m.define(K, K4 + 4 / (2 - c))
    m.assume(Inequality(norm(slope_change), "<=", norm_S * norm(d)), by="mean value")
    m.lemma("Hessian of S", Inequality(norm_S, "<=", K * eta * rho3**2))
    found, most, bound_ = (scalar(f"letter_{k}", nonnegative=True) for k in range(3))
    size = scalar("letter_size", nonnegative=True)
    m.lemma(
        "applied to d",
        Inequality(found, "<=", bound_ * size),
        given=(Inequality(found, "<=", most * size), Inequality(most, "<=", bound_)),
        where={found: norm(slope_change), most: norm_S, bound_: K * eta * rho3**2, size: norm(d)},
    )


FOURTH = {"fourth derivative": "rho_4 <= K_4 eta rho_3^2 (Assumption 3)"}

CLAIMS = [
    Claim(
        "damian23/lemma-12.2",
        hessian,
        hypotheses=ASSUMPTION_3,
        derive=derive_hessian,
    ),
    Claim(
        "damian23/lemma-12.3",
        eigenvalues,
        hypotheses=ASSUMPTION_3,
        derive=derive_eigenvalues,
    ),
    Claim(
        "damian23/lemma-12.p1",
        gap_printed,
        hypotheses=ASSUMPTION_2 | ASSUMPTION_3 | BALL,
        derive=derive_gap,
        corrected=gap_true,
    ),
    Claim(
        "damian23/lemma-12.p2",
        turning,
        hypotheses=ASSUMPTION_2 | ASSUMPTION_3,
        derive=derive_turning,
        simulate=runs.turning,
        examples={"quick": 2, "default": 6},
    ),
    Claim(
        "damian23/lemma-12.1",
        gradient,
        hypotheses={**ASSUMPTION_3, "edge": "|Hess L(theta_t^dagger)| <= 2/eta"},
        derive=derive_gradient,
        reading="K = (10 - c)/4. That the norm of the Hessian is its top eigenvalue follows from "
        "Assumption 5 on lambda_min.",
    ),
    Claim(
        "damian23/lemma-12.4",
        eigenvector,
        hypotheses=ASSUMPTION_2 | ASSUMPTION_3,
        derive=derive_u,
        reading="K = 2/(2 - c).",
    ),
    Claim(
        "damian23/lemma-12.5",
        slope,
        hypotheses=ASSUMPTION_2 | ASSUMPTION_3 | FOURTH,
        derive=derive_slope,
        reading="K = K_4 + 4/(2 - c).",
    ),
    Claim(
        "damian23/lemma-12.p3",
        bending,
        hypotheses=ASSUMPTION_2 | ASSUMPTION_3 | FOURTH,
        derive=derive_bending,
        reading="K = 1 + 4/(2 - c). The norm of Hess S is tested on an arbitrary direction d.",
    ),
]
