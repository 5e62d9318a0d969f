r"""The limit map of gradient flow at its minimizers, and the displacement split by it (I.2, H.1).

Setting:  Phi(theta) is where gradient flow from theta ends; Gamma a manifold of minimizers, with
          the Hessian H of full rank across it.  On the sphere the loss is scale-invariant.
Claims:   the first derivative of Phi projects on the tangent space (I.1, I.4); its second
          derivative on normal vectors (I.5); the notation of appendix H.1.
Source:   Lyu, Li, Arora, arXiv:2206.07085, appendices H.1, H.3.1, I.2 and L.2.

Found: as Lemma I.2, Lemma I.5 is false.  At the top eigenvector v_1 the second derivative is
phi - grad_Gamma log(lambda_1)/2; its part tangent to Gamma is the one of the flat case.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    OrderBound,
    Statement,
    dot,
    eye,
    matrix,
    norm2,
    outer,
    scalar,
    vector,
)

from ._jets import minimizer, sharpness
from ._notation import P0, PN0, B, D, H, T, U, eta, foot, glog, h0, lam, moment0, mu, r, u0, v1, x0
from ._projection_map import (
    PT,
    dPhi,
    draw_slope,
    draw_spherical_bend,
    draw_state,
    x,
)
from ._states import scattered
from ._two_step_algebra import multiples_of_zero

if TYPE_CHECKING:
    from eostheory.symbolic import Model

Parts = dict[str, Statement]
HALF = Fraction(1, 2)
side = eye(D) - outer(foot, foot)

MAP = {
    "projection": "P_0 projects onto the null space of H(phi)",
    "flow": "Phi is constant along gradient flow and the identity on Gamma",
    "rank": "the Hessian is of full rank across Gamma: its null space is the tangent space",
}
SPHERICAL = {"scale invariance": "the loss is scale-invariant", "sphere": "|phi| = 1"}
AXES = {
    "eigenpair": "v_1 is a unit eigenvector of H(phi) for lambda_1",
    "null space": "P_0 projects onto the null space of H(phi)",
}
SPLIT = {
    "projection": "P_0 and P_NZT project onto the spaces of the zero and of the other eigenvalues",
    "eigenpair": "v_1 is a unit vector that spans the top eigenspace",
}
ITSELF = {
    f"*{x}": "the Jacobian of Phi at a minimizer is a projection, hence its own transpose"
    for x in ("dPhi transposed", "left U -> dPhi")
}
FEW = {"quick": 2, "default": 6}

# ------------------------------------------------------------------------------- statements
first_derivative: Parts = {
    "null space": Equation(dPhi @ x, P0 @ x),
    "tangent space": Equation(P0 @ x, PT @ x),
}
on_the_sphere: Parts = {
    "null space": Equation(side @ (dPhi @ x), side @ (P0 @ x)),
    "tangent space": Equation(side @ (P0 @ x), PT @ x),
}
second_derivative = Equation(B(v1, v1), 0 * v1)
second_derivative_corrected = Equation(B(v1, v1), foot - HALF * glog)
linear_term: Parts = {
    "unchanged": Equation(dPhi @ (U @ x0), dPhi @ x0),
    "quadratic": OrderBound(dPhi @ x0, 0 * x0, r**2 * eta**2),
}
decomposition = Equation(x0, h0 * eta * v1 + P0 @ x0 + PN0 @ x0)
projections: Parts = {
    "null space": Equation(H @ (P0 @ x0), 0 * x0),
    "neither null nor top": Equation(PN0 @ x0, x0 - P0 @ x0 - dot(v1, x0) * v1),
}
hidden: Parts = {
    "h": Equation(h0, (1 / eta) * dot(v1, x0)),
    "u": Equation(u0, (1 / eta) * ((2 / lam) ** 2 * moment0 - 1)),
}
critical = Equation(mu, 2 / lam)
notation: Parts = {"mu": critical, "U": Equation(U @ v1, -v1)}


# ------------------------------------------------------------------------------ derivations
def derive_map(m: Model, sphere: bool) -> None:
    """Every vector is a null vector plus a vector H b; Phi is differentiated on each."""
    m.step("H is symmetric: x = P_0 a + H b for some a and b")
    m.relation(P0 @ H, 0 * H, by="projection")
    m.relation(P0 @ P0, P0, by="projection")
    m.define(x, P0 @ vector("a", D) + H @ vector("b", D))
    m.step("dPhi(theta) grad L(theta) = 0, differentiated at phi: dPhi H = 0")
    m.relation(dPhi @ H, 0 * H, by="flow")
    if not sphere:
        m.step("Phi is the identity on Gamma, whose tangent space is the null space of H")
        m.relation(dPhi @ P0, P0, by="flow")
        if "rank" not in m.withheld:
            m.define(PT, P0)
        return
    m.step(
        "The minimizers of the scale-invariant loss are the cone over Gamma; Phi is the identity "
        "there, and the null space of H is the tangent space of the cone, that of Gamma and phi."
    )
    m.uses("lyu22/appI2.cone")
    m.relation(dPhi @ P0, P0, by="flow")
    m.relation(P0 @ foot, foot, by="scale invariance")
    m.relation(H @ foot, 0 * foot, by="scale invariance")
    if "rank" not in m.withheld:
        m.define(PT, P0 - outer(foot, foot))


def derive_bend(m: Model) -> None:
    """The second derivative of Phi along v_1, at a minimizer of a scale-invariant loss."""
    minimizer(m, True)
    sharpness(m, True)
    m.step(
        "dPhi(theta) grad L(theta) = 0, differentiated twice along v_1 at phi: "
        "2 d2Phi[H v_1, v_1] + dPhi T[v_1, v_1] = 0, with H v_1 = lambda v_1 and dPhi = P_0."
    )
    m.uses("lyu22/lemma-I.1")
    m.relation(B(v1, v1), -(1 / (2 * lam)) * (P0 @ T(v1, v1)), by="flow")
    m.step("T[v_1, v_1] may have any part along Gamma, so that even that of d2Phi is not zero")
    m.example(_bent_valley())


def _bent_valley() -> dict[Any, Any]:
    """phi is the third axis, v_1 the first; the sharpness grows along the second."""
    none = (0, 0, 0)
    third: list[list[tuple[Any, ...]]] = [
        [none, (2, 0, 0), (-4, 0, 0)],
        [(2, 0, 0), none, none],
        [(-4, 0, 0), none, none],
    ]
    third[0][0] = (0, 2, -4)
    bent: list[list[tuple[Any, ...]]] = [[none] * 3 for _ in range(3)]
    bent[0][0] = (0, -HALF, 1)
    return {
        H: ((2, 0, 0), none, none),
        P0: (none, (0, 1, 0), (0, 0, 1)),
        v1: (1, 0, 0),
        foot: (0, 0, 1),
        lam: 2,
        T: tuple(map(tuple, third)),
        B: tuple(map(tuple, bent)),
    }


def derive_linear_term(m: Model) -> None:
    """The displacement of a state seen from its own projection."""
    scattered(m, False, True)
    m.uses("lyu22/lemma-I.1")
    m.define(dPhi, P0 if "flow" not in m.withheld else matrix("other", D, D))


def derive_decomposition(m: Model) -> None:
    """The spectral theorem: every vector has one part in each of the three spaces."""
    m.step("x = a v_1 + P_0 b + P_NZT c, and the three spaces are orthogonal to one another")
    for lhs, rhs in ((P0 @ P0, P0), (PN0 @ PN0, PN0), (P0 @ PN0, 0 * P0)):
        m.relation(lhs, rhs, by="projection")
    m.relation(P0 @ v1, 0 * v1, by="projection")
    m.relation(PN0 @ v1, 0 * v1, by="projection")
    m.relation(H @ P0, 0 * H, by="projection")
    m.relation(norm2(v1), 1, by="eigenpair")
    m.define(x0, scalar("a") * v1 + P0 @ vector("b", D) + PN0 @ vector("c", D))
    m.define(h0, dot(v1, x0) / eta)


def derive_hidden(m: Model) -> None:
    """The hidden variables, from the displacement's top part and the moment at the edge."""
    derive_decomposition(m)
    m.step("h eta v_1 is the top part; the moment at which the rate is critical is 1/mu^2")
    m.define(moment0, (1 + eta * scalar("relative")) * (lam / 2) ** 2)
    m.define(u0, scalar("relative"))


def derive_notation(m: Model) -> None:
    """The critical rate turns the top component round, and what else follows from it."""
    m.relation(H @ v1, lam * v1, by="eigenpair")
    m.step("1 - mu lambda_1 = -1")
    m.define(mu, 2 / lam)
    m.define(U, eye(D) - mu * H)


CLAIMS = [
    Claim(
        "lyu22/lemma-I.1",
        first_derivative,
        MAP,
        derive=partial(derive_map, sphere=False),
        simulate=partial(draw_slope, sphere=False),
        waive=ITSELF,
        examples=FEW,
    ),
    Claim(
        "lyu22/lemma-I.4",
        on_the_sphere,
        MAP | {"scale invariance": SPHERICAL["scale invariance"]},
        derive=partial(derive_map, sphere=True),
        simulate=partial(draw_slope, sphere=True),
        waive=ITSELF,
        examples=FEW,
    ),
    Claim(
        "lyu22/lemma-I.5",
        second_derivative,
        {k: (AXES | SPHERICAL | MAP)[k] for k in ("eigenpair", "scale invariance", "flow")},
        derive=derive_bend,
        simulate=draw_spherical_bend,
        corrected=second_derivative_corrected,
        reading=(
            "At x = v_1, which is normal to Gamma and to phi; Phi as the limit of the flow in the "
            "whole space, as in the proof. Its part tangent to Gamma is not zero either."
        ),
        examples=FEW,
    ),
    Claim(
        "lyu22/lemma-H.9.p2",
        linear_term,
        {"null space": AXES["null space"], "flow": MAP["flow"]},
        derive=derive_linear_term,
        simulate=draw_state,
        waive=ITSELF,
        examples=FEW,
    ),
    Claim(
        "lyu22/appH3.decomposition",
        decomposition,
        SPLIT,
        derive=derive_decomposition,
        simulate=draw_state,
        examples=FEW,
    ),
    Claim(
        "lyu22/appH1.projections",
        projections,
        SPLIT,
        derive=derive_decomposition,
        simulate=draw_state,
        waive=multiples_of_zero("P0 @ x0"),
        examples=FEW,
        reading="What the definition of the two projections amounts to.",
    ),
    Claim(
        "lyu22/eq-15",
        hidden,
        SPLIT,
        derive=derive_hidden,
        simulate=draw_state,
        examples=FEW,
        reading="h is the coordinate along v_1; u says how far the moment is from (lambda_1/2)^2.",
    ),
    Claim(
        "lyu22/appH1.mu",
        critical,
        derive=derive_notation,
        simulate=draw_state,
        examples=FEW,
    ),
    Claim(
        "lyu22/appH1.notation",
        notation,
        {"eigenpair": SPLIT["eigenpair"]},
        derive=derive_notation,
        simulate=draw_state,
        examples=FEW,
        reading="Of the abbreviations, those that say something: the rate mu and the matrix U.",
    ),
]
