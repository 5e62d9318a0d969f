"""Two gradient steps near a minimizer and their quadratic term (lemmas J.2, J.3, J.5, J.6)."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import Equation, Expr, Number, OrderBound, dot, eye, norm2, sqrt, substitute

from ._jets import minimizer, near, quadratic, sharpness, two_steps
from ._near import draw_near, draw_quadratic, draw_spectrum
from ._notation import (
    P0,
    D,
    H,
    T,
    alpha,
    eta,
    foot,
    glog,
    glog_full,
    lam,
    psi_v1,
    psi_x,
    r,
    rate0,
    rate1,
    step0,
    step2,
    v1,
)

if TYPE_CHECKING:
    from eostheory.symbolic import Model

ZERO = Number(Fraction(0))
HALF = Fraction(1, 2)

STEPS = {
    "near": "|theta_t - phi| = O(r eta)",
    "rate": "both effective rates are 2/lambda_1 + O(alpha eta)",
    "r": "r = O(alpha)",
    "alpha": "1 <= alpha <= eta^{-o(1)}",
}
PRINTED_H = "H_t is H(phi), as in the line before."
FLAT = {
    "eigenpair": "v_1 is a unit eigenvector of H(phi) for lambda_1",
    "null space": "P_0 projects onto the null space of H(phi)",
}
SPHERE = FLAT | {"scale invariance": "the loss is scale-invariant", "sphere": "|phi| = 1"}


def _at_top(m: Model, sphere: bool) -> None:
    """The quadratic term at the top eigenvector."""
    minimizer(m, sphere)
    sharpness(m, sphere)
    m.step("U v_1 = -v_1, so that both third derivatives are taken at v_1.")
    m.define(psi_v1, quadratic(v1, sphere))


def _definition(m: Model, sphere: bool) -> None:
    """The quadratic term as what two real steps add to their linear parts."""
    minimizer(m, sphere)
    m.step(
        "Two steps at the critical rate are differentiated twice along a curve of admissible "
        "points; what exceeds the linear steps is minus twice the quadratic term."
    )
    start, along = step2, step0
    if sphere:
        m.relation(dot(foot, along), ZERO, by="sphere")
    at = _on_sphere(start) if sphere else start
    excess = _critical(_critical(at, sphere), sphere) - _linear(_linear(at))
    twice = m.differentiate(m.differentiate(excess, start, along), start, along)
    m.define(psi_x, m.normal(substitute(-HALF * twice, {start: 0 * along})))


def _on_sphere(y: Expr) -> Expr:
    return (foot + y) / sqrt(norm2(foot + y)) - foot


def _linear(x: Expr) -> Expr:
    return x - (2 / lam) * (H @ x)


def _critical(x: Expr, sphere: bool) -> Expr:
    """One step at the rate 2/lambda_1 on the loss's third-order jet."""
    moved = x - (2 / lam) * (H @ x + HALF * T(x, x))
    return _on_sphere(moved) if sphere else moved


def _two(m: Model, sphere: bool) -> None:
    near(m, sphere)
    two_steps(m, sphere)


def _expansion(sphere: bool) -> OrderBound:
    """The two-step expansion with its quadratic term written out."""
    linear = (eye(D) - rate1 * H) @ (eye(D) - rate0 * H) @ step0
    return OrderBound(step2, linear - quadratic(step0, sphere), alpha * r**2 * eta**3)


def _claims(sphere: bool, two: str, psi: str, top: str, along: str, null: str) -> list[Claim]:
    """The claims of one geometry, in the order in which the paper has them."""
    known = SPHERE if sphere else FLAT
    at_top = (2 * eye(D) - (2 / lam) * H) @ glog_full

    def at_minimizer(name: str, statement: Equation) -> Claim:
        return Claim(
            f"lyu22/{name}",
            statement,
            known,
            derive=partial(_at_top, sphere=sphere),
            simulate=partial(draw_spectrum, sphere=sphere),
            reading="H_t is H(phi), as in the line before."
            if sphere and statement is whole
            else "",
        )

    whole = Equation(psi_v1, at_top + 4 * foot if sphere else at_top)
    return [
        Claim(
            f"lyu22/{two}",
            _expansion(sphere),
            STEPS,
            derive=partial(_two, sphere=sphere),
            simulate=partial(draw_near, sphere=sphere),
            reading="The quadratic term psi_phi is written out from its definition.",
        ),
        Claim(
            f"lyu22/{psi}",
            Equation(psi_x, quadratic(step0, sphere)),
            {k: known[k] for k in ("scale invariance", "sphere") if sphere},
            derive=partial(_definition, sphere=sphere),
            simulate=partial(draw_quadratic, sphere=sphere),
            reading=(
                "A definition; what makes it the right one is that psi_phi is the quadratic part "
                "of two steps at the critical rate, at displacements along the unit sphere."
                if sphere
                else "A definition; what makes it the right one is that psi_phi is the quadratic "
                "part of two steps at the critical rate."
            ),
        ),
        at_minimizer(top, whole),
        at_minimizer(along, Equation(dot(psi_v1, v1), ZERO)),
        at_minimizer(null, Equation(P0 @ psi_v1, 2 * glog)),
    ]


CLAIMS = [
    *_claims(False, "lemma-J.2", "lemma-J.2.psi", "lemma-J.3", "lemma-J.3.b", "lemma-J.3.c"),
    *_claims(True, "lemma-J.5", "lemma-J.5.psi", "lemma-J.6", "eq-26", "eq-27"),
]
