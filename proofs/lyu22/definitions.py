r"""Definitions and assumptions of the main text and of appendix B.3, and that they can be met.

Setting:  a scale-invariant loss, or any loss on R^D; a manifold of minimizers.
Claims:   spherical sharpness (Definition 1.1), the top eigenvalue, the stable regime, the intrinsic
          rate, projected and plain gradient descent (9), (11), Assumptions 4.5, 4.6, B.11, B.12.
Source:   Lyu, Li, Arora, arXiv:2206.07085, sections 1.1 and 4, appendix B.3.

Each derivation shows what the definition is for, or a loss that meets the assumption.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Inequality,
    Statement,
    as_expr,
    dot,
    matrix,
    norm2,
    scalar,
    substitute,
    vector,
)

from ._descent_letters import g, lam_max, rate, theta, theta_next
from ._example_3d_runs import H_xx, H_xy, H_xz, H_yy, H_yz, H_zz, loss, x, y, z
from ._gwsi import D, eta_hat, lam_hat, project, real_step, w, w_next
from .example_3d import GAMMA, F, derive_hessian

if TYPE_CHECKING:
    from eostheory.symbolic import Model

zero, one = as_expr(0), as_expr(1)
H_w = matrix("hessian_w", D, D, r"\nabla^2\mathcal{L}(w)", symmetric=True)
H_theta = matrix("hessian_theta", D, D, r"\nabla^2\mathcal{L}(w/\|w\|_2)", symmetric=True)
top = vector("v_1", D)
other = vector("u", D)
sharpness = scalar("spherical", r"\lambda_1(\nabla^2\mathcal{L}(w/\|w\|_2))")
lam_w = scalar("lambda_w", r"\lambda_1^H(w)")
lam_1, lam_2 = scalar("lambda_1", r"\lambda_1^H"), scalar("lambda_2", r"\lambda_2^H")
intrinsic = scalar("eta_in", r"\eta_{\mathrm{in}}")

# -------------------------------------------------------------------------------- statements
spherical: dict[str, Statement] = {
    "eigenvalue": Equation(H_theta @ top, sharpness * top),
    "largest": Inequality(dot(other, H_theta @ other), "<=", sharpness * norm2(other)),
}
notation: dict[str, Statement] = {
    "eigenvalue": Equation(H_w @ top, lam_w * top),
    "largest": Inequality(dot(other, H_w @ other), "<=", lam_w * norm2(other)),
}
stable = Inequality(rate, "<", 2 / lam_max)
intrinsic_rate = Equation(intrinsic, eta_hat * lam_hat)
projected = Equation(theta_next, project(theta - rate * g))
plain = Equation(theta_next, theta - rate * g)
simple = Inequality(lam_1, ">", lam_2)
rank_one: dict[str, Statement] = {
    "at least one": Inequality(H_xx, ">", zero),
    "at most one": Equation(H_xx * H_yy, H_xy**2),
    "xz": Equation(H_xz, zero),
    "yz": Equation(H_yz, zero),
    "zz": Equation(H_zz, zero),
}
full_space: dict[str, Statement] = {
    "minimizer": Inequality(loss, ">=", zero),
    "at least one": Inequality(lam_1, ">", zero),
    "at most one": Equation(lam_2, zero),
}


# -------------------------------------------------------------------------------- derivations
def derive_notation(m: Model) -> None:
    """The largest Rayleigh quotient, attained at an eigenvector."""
    m.relation(H_w @ top, lam_w * top, by="top")
    m.assume(Inequality(dot(other, H_w @ other), "<=", lam_w * norm2(other)), by="top")


def derive_spherical(m: Model) -> None:
    """|w|^2 times the largest eigenvalue at w, as the Hessian is homogeneous of degree -2."""
    m.uses("lyu22/lemma-D.1")
    derive_notation(m)
    m.define(H_theta, norm2(w) * H_w)
    m.define(sharpness, norm2(w) * lam_w)


def derive_stable(m: Model) -> None:
    """The descent lemma guarantees a decrease: its coefficient is positive."""
    m.uses("lyu22/lemma-4.1")
    m.assume(Inequality(rate * (1 - rate * lam_max / 2), ">", zero), by="decrease")


def derive_intrinsic(m: Model) -> None:
    """The share of w that a step of gradient descent with weight decay takes off along w."""
    real_step(m)
    m.define(intrinsic, 1 - dot(w_next, w) / norm2(w))


def derive_plain(m: Model) -> None:
    """The stationary point of the loss's linear model with a quadratic penalty."""
    free = vector("y", D)
    model = dot(g, free) + norm2(free - theta) / (2 * rate)
    at_theta = substitute(m.gradient(model, free), {free: theta})
    m.step("the model's Hessian is I/rate, so that its stationary point is a Newton step away")
    m.define(theta_next, theta - rate * at_theta)


def derive_projected(m: Model) -> None:
    """The same, scaled to length one."""
    free = vector("y", D)
    model = dot(g, free) + norm2(free - theta) / (2 * rate)
    at_theta = substitute(m.gradient(model, free), {free: theta})
    m.define(theta_next, project(theta - rate * at_theta))


def derive_example(m: Model) -> None:
    """Appendix F: the trace of the Hessian of F on Gamma is its only non-zero eigenvalue."""
    m.step("two derivatives of F, and then x = y > 0")
    along = [m.differentiate(m.differentiate(F(x, y), a, one), a, one) for a in (x, y)]
    m.define(lam_1, substitute(along[0] + along[1], {y: x}))
    m.step("the directions (1, 1, 0) and (0, 0, 1) are annihilated")
    m.define(lam_2, m.differentiate(m.differentiate(F(x, y), z, one), z, one))


def derive_valley(m: Model) -> None:
    """L = x^2 (1 + y^2)/2 vanishes on the plane x = 0, where H = diag(1 + y^2, 0, 0)."""
    value = x**2 * (1 + y**2) / 2
    m.define(loss, value)
    curves = [m.differentiate(m.differentiate(value, a, one), a, one) for a in (x, y)]
    at = [substitute(c, {x: zero}) for c in curves]
    m.define(lam_1, at[0])
    m.define(lam_2, at[1])


TOP = {"top": "v_1 is a top eigenvector: no Rayleigh quotient exceeds its eigenvalue"}

ZERO = {"*left lambda_1 x1/2": "true in the example: lambda_2 is zero"}
ROUND = {
    f"at most one:left {a} -> {b}": "H_xx and H_yy agree"
    for a, b in (("H_xx", "H_yy"), ("H_yy", "H_xx"))
}

CLAIMS = [
    Claim(
        "lyu22/def-1.1",
        spherical,
        TOP,
        derive=derive_spherical,
        reading="The largest eigenvalue: an eigenvalue that no Rayleigh quotient exceeds.",
    ),
    Claim("lyu22/sec4.1.notation", notation, TOP, derive=derive_notation),
    Claim(
        "lyu22/sec4.1.stable-regime",
        stable,
        {"decrease": "the descent lemma guarantees a decrease"},
        derive=derive_stable,
        reading="The stable regime is where the descent lemma guarantees a decrease; the edge is "
        "where its bound is about an equation.",
    ),
    Claim(
        "lyu22/sec4.2.2.intrinsic-lr",
        intrinsic_rate,
        {"scale_invariant": "L(c w) = L(w) for every c > 0"},
        derive=derive_intrinsic,
    ),
    Claim("lyu22/eq-9", projected, derive=derive_projected),
    Claim("lyu22/eq-11", plain, derive=derive_plain),
    Claim(
        "lyu22/assumption-4.6",
        simple,
        derive=derive_example,
        reading="Can be met: the loss of appendix F does.",
        waive=ZERO,
    ),
    Claim(
        "lyu22/assumption-B.12",
        simple,
        derive=derive_valley,
        reading="Can be met: x^2 (1 + y^2)/2 does, whose minimizers are the plane x = 0.",
        waive=ZERO,
    ),
    Claim(
        "lyu22/assumption-4.5",
        rank_one,
        GAMMA,
        derive=derive_hessian,
        waive=ROUND,
        reading="Can be met: the loss of appendix F has rank D - D_Gamma = 1 on its manifold of "
        "minimizers, of dimension D_Gamma - 1 = 1 on the sphere.",
    ),
    Claim(
        "lyu22/assumption-B.11",
        full_space,
        derive=derive_valley,
        reading="Can be met: x^2 (1 + y^2)/2 in R^3 has the plane x = 0 for its minimizers, and "
        "rank D - D_Gamma = 1 there. Printed with Gamma in the unit sphere, a slip for R^D: "
        "D_Gamma may be D, and the points of Gamma are minimizers on R^D.",
    ),
]
