r"""The quadratic part of one step and of two, on the sphere and off it (appendix J).

Setting:  a minimizer phi of a C^4 loss with a simple top eigenvalue of its Hessian; steps at the
          critical rate 2/lambda_1, on the sphere of a scale-invariant loss with normalization.
Claims:   the length of an unprojected step; what one step adds to its linear part, how two such
          terms compose, and the short form psi_t in which appendices L.3 and M.3 use them.
Source:   Lyu, Li, Arora, arXiv:2206.07085, appendices J.2, L.3 and M.3.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Expr,
    OrderBound,
    Statement,
    as_expr,
    dot,
    norm,
    norm2,
    sqrt,
    substitute,
    vector,
)

from ._jets import minimizer, quadratic
from ._notation import D, H, T, U, eta, foot, lam, mu, psi_x, r, rate0, step0
from ._two_step_algebra import (
    bent_Ux,
    bent_x,
    draw_bends,
    draw_norms,
    grad,
    hat,
    hat_norm,
    theta,
)
from .two_step import SPHERE

if TYPE_CHECKING:
    from eostheory.symbolic import Model

Parts = dict[str, Statement]
NEAR = {"near": "|theta_t - phi| = O(r eta)"}
ROUND = {k: SPHERE[k] for k in ("scale invariance", "sphere")}

# ------------------------------------------------------------------------------- statements
norm_of_step: Parts = {
    "norm": Equation(norm(hat), sqrt(norm2(theta) + rate0**2 * norm2(grad))),
    "size": OrderBound(hat_norm, as_expr(1), r**2 * eta**2),
}
third_sum = U @ T(step0, step0) + T(U @ step0, U @ step0)
flat_term = (mu / 2) * third_sum
lengths = norm2(H @ step0) + norm2(H @ (U @ step0))
in_short = {
    False: Equation(psi_x, flat_term),
    True: Equation(psi_x, flat_term + (mu**2 / 2) * lengths * foot),
}
one_step = Equation(bent_x, (1 / lam) * T(step0, step0) + (2 / lam**2) * norm2(H @ step0) * foot)
composed = Equation(psi_x, U @ bent_x + bent_Ux)


# ------------------------------------------------------------------------------ derivations
def derive_norm(m: Model) -> None:
    """Pythagoras: the gradient of a scale-invariant loss is orthogonal to the point."""
    m.uses("lyu22/lemma-D.1")
    m.relation(dot(grad, theta), 0, by="scale invariance")
    m.relation(norm2(theta), 1, by="sphere")
    m.define(hat, theta - rate0 * grad)
    m.bound(r * eta)
    m.step("the gradient is O(r eta), being zero at phi, and the rate is bounded")
    size = 1 if "near" not in m.withheld else 1 / (r * eta)
    slope = r * eta * size * m.landau("slope")
    excess = m.normal(norm2(theta) - 1 - 2 * rate0 * dot(grad, theta)) + rate0**2 * slope**2
    m.define(hat_norm, m.taylor("sqrt(1+z)", excess, 1))


def derive_composed(m: Model) -> None:
    """The quadratic terms of one step, put together as the linear parts are."""
    minimizer(m, True)
    m.uses("lyu22/lemma-J.5.psi")
    m.define(psi_x, quadratic(step0, True))
    for name, x in ((bent_x, step0), (bent_Ux, U @ step0)):
        m.define(name, (1 / lam) * T(x, x) + (2 / lam**2) * norm2(H @ x) * foot)


def derive_notation(m: Model, sphere: bool) -> None:
    """The quadratic term of Lemma J.2 or J.5, with mu_t for 2/lambda_1."""
    minimizer(m, sphere)
    m.uses("lyu22/lemma-J.5.psi" if sphere else "lyu22/lemma-J.2.psi")
    m.define(psi_x, quadratic(step0, sphere))


def derive_bend(m: Model) -> None:
    """What one real step at the critical rate adds to its linear part."""
    minimizer(m, True)
    m.relation(dot(foot, step0), 0, by="sphere")
    start = vector("start", D)

    def place(y: Expr) -> Expr:
        return (foot + y) / sqrt(norm2(foot + y)) - foot

    at = place(start)
    moved = place(at - (2 / lam) * (H @ at + Fraction(1, 2) * T(at, at)))
    m.step("differentiated twice along a curve of the sphere; minus half of what is left")
    excess = moved - (at - (2 / lam) * (H @ at))
    twice = m.differentiate(m.differentiate(excess, start, step0), start, step0)
    m.define(bent_x, m.normal(substitute(Fraction(-1, 2) * twice, {start: 0 * start})))


CLAIMS = [
    Claim(
        "lyu22/lemma-J.4.p1",
        norm_of_step,
        ROUND | NEAR,
        derive=derive_norm,
        simulate=draw_norms,
        waive={f"*norm(theta)**2 exponent {x}": "theta_t has norm one" for x in ("+1", "-1")},
    ),
    Claim(
        "lyu22/lemma-J.5.p3",
        composed,
        {"scale invariance": SPHERE["scale invariance"]},
        derive=derive_composed,
        simulate=partial(draw_bends, sphere=True),
    ),
    Claim(
        "lyu22/lemma-J.5.p1",
        one_step,
        ROUND,
        derive=derive_bend,
        simulate=partial(draw_bends, sphere=True),
        reading=(
            "A definition; what makes it the right one is that it is the quadratic part of one "
            "step at the critical rate."
        ),
    ),
    Claim(
        "lyu22/appL3.psi",
        in_short[False],
        derive=partial(derive_notation, sphere=False),
        simulate=partial(draw_bends, sphere=False),
    ),
    Claim(
        "lyu22/eq-50",
        in_short[True],
        derive=partial(derive_notation, sphere=True),
        simulate=partial(draw_bends, sphere=True),
        reading="The second third derivative is printed at phi; phi_t is meant, as in the first.",
    ),
]
