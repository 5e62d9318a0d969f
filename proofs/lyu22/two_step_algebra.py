r"""The exact steps behind the one-step and two-step lemmas (appendix J), and their uses in L.

Setting:  a minimizer phi of a C^4 loss with a simple top eigenvalue of its Hessian H; U and V are
          I - (2/lambda_1) H and 2I - (2/lambda_1) H.  On the sphere the loss is scale-invariant.
Claims:   what U and V do to the top eigenvector, to phi and to null vectors; the parts of the
          two-step quadratic term psi_phi; its null-space component, where the radial parts cancel.
Source:   Lyu, Li, Arora, arXiv:2206.07085, appendices J.1, J.2 and L.3.

Found: three slips in the proof of Lemma J.6, which itself stands: a missing square, an identity
where a projection is meant, and a number added to a vector.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Expr,
    Predicate,
    Statement,
    as_expr,
    dot,
    eye,
    log,
    matrix,
    norm2,
    substitute,
    vector,
)

from ._jets import minimizer, quadratic, sharpness
from ._notation import (
    P0,
    D,
    H,
    T,
    U,
    foot,
    glog,
    glog_full,
    lam,
    psi_v1,
    rate0,
    rate1,
    v1,
    x0,
)
from ._two_step_algebra import (
    V,
    c,
    draw_minimum,
    draw_ray,
    grad_lam,
    grad_phi,
    lam_c,
    multiples_of_zero,
    radial,
)
from .two_step import SPHERE

if TYPE_CHECKING:
    from eostheory.agree import Measured, Sample
    from eostheory.symbolic import Decision, Model

Parts = dict[str, Statement]
ZERO = as_expr(0)
ANY_RATE = {f"*{x}": "steps at any rate, also at none, leave null vectors alone" for x in (
    *(f"{term} {change}" for term in ("rate0*H", "rate1*H") for change in
      ("x2", "x1/2", "x1.001", "sign", "dropped")), "-1 +1", "-1 -1", "rate0 -> rate1",
    "rate1 -> rate0",
)}  # fmt: skip
ON_ZERO = "a multiple of zero is zero"
ON_PHI = {
    f"*{x}": "H(phi) phi and the gradient at phi are zero, whatever multiplies them"
    for x in ("H dropped", "2 +1", "2 -1", "exponent +1", "exponent -1", "grad_phi dropped")
}
STATIONARY = {"minimizer": "phi is a minimizer, so that the gradient vanishes there"}


def keep(names: str) -> dict[str, str]:
    """Some of the hypotheses on the sphere."""
    return {k: (SPHERE | STATIONARY)[k] for k in names.split(", ")}


# ------------------------------------------------------------------------------- statements
reflected = Equation(U @ v1, -v1)
slope_of_top = Equation(T(v1, v1), grad_lam)
fixed: Parts = {
    "U": Equation(U @ foot, (eye(D) - (2 / lam) * H) @ foot),
    "Lemma D.1": Equation((eye(D) - (2 / lam) * H) @ foot, foot + (2 / lam) * grad_phi),
    "minimizer": Equation(foot + (2 / lam) * grad_phi, foot),
}
third_part: Parts = {
    "V": Equation(V, 2 * eye(D) - (2 / lam) * H),
    "third derivatives": Equation((1 / lam) * (U @ T(v1, v1) + T(-1 * v1, -1 * v1)), V @ glog_full),
}


def normalization(power: int) -> Parts:
    """The part of psi that comes from normalizing, with lambda_1 to some power in the middle."""
    squares = norm2(H @ v1) + norm2(H @ (U @ v1))
    middle = (2 / lam**power) * (lam**2 + lam**2) * foot
    return {
        "eigenvector": Equation((2 / lam**2) * squares * foot, middle),
        "sum": Equation(middle, 4 * foot),
    }


null_vector: Parts = {
    "homogeneity": Equation(H @ foot, -grad_phi),
    "minimizer": Equation(-grad_phi, 0 * foot),
    "orthogonal": Equation(dot(foot, v1), ZERO),
    "projection": Equation(P0 @ foot, foot),
}
top_annihilated = Equation(V @ v1, 0 * v1)
projected: Parts = {
    "V": Equation(P0 @ V, 2 * eye(D)),
    "psi": Equation(P0 @ psi_v1, 2 * (P0 @ glog_full) + 4 * foot),
}
projected_corrected: Parts = {**projected, "V": Equation(P0 @ V, 2 * P0)}
radial_split = Predicate(
    "sum of vectors", (P0 @ glog_full, glog, radial), "the first is the sum of the other two"
)
radial_split_corrected = Equation(P0 @ glog_full, glog + radial * foot)
along_ray: Parts = {
    "sharpness": Equation(lam_c, lam / c**2),
    "slope": Equation(radial, as_expr(-2)),
}
cancelled = Equation(P0 @ psi_v1, 2 * (glog - 2 * foot) + 4 * foot)
tangential = Equation(dot(glog, v1), ZERO)
linear_steps = (eye(D) - rate1 * H) @ (eye(D) - rate0 * H) @ x0
null_part = Equation(P0 @ linear_steps, P0 @ x0)


# ------------------------------------------------------------------------------ derivations
def derive_minimum(m: Model, sphere: bool) -> None:
    """The spectral picture at a minimizer, the sharpness gradient and the quadratic term."""
    minimizer(m, sphere)
    sharpness(m, sphere)
    m.step("V = I + U: what multiplies the two equal third derivatives")
    m.define(V, eye(D) + U)
    m.define(psi_v1, quadratic(v1, sphere))
    if sphere:
        m.define(radial, dot(glog_full, foot))


def derive_slope_of_top(m: Model) -> None:
    """The eigen-relation is differentiated along w and paired with the eigenvector."""
    minimizer(m, False)
    w, turn = vector("w", D), vector("turn", D, r"\dot v")
    m.step("H v = lambda v along w: T[v, w] + H v' = lambda' v + lambda v'; paired with v")
    change = dot(T(v1, w) + H @ turn - lam * turn, v1)
    if m.decide(Equation(change, dot(T(v1, w), v1))).outcome == "holds":
        m.define(grad_lam, m.gradient(dot(T(v1, w), v1), w))


def derive_fixed(m: Model) -> None:
    """The radial derivative of the gradient, and the gradient at a minimizer."""
    m.step("grad L(c w) = grad L(w)/c, differentiated at c = 1: H(phi) phi = -grad L(phi)")
    m.uses("lyu22/lemma-D.1")
    m.relation(H @ foot, -grad_phi, by="scale invariance")
    m.relation(grad_phi, 0 * foot, by="minimizer")
    m.define(U, eye(D) - (2 / lam) * H)


def derive_null_vector(m: Model) -> None:
    """phi in the null space; eigenvectors of different eigenvalues are orthogonal."""
    derive_fixed(m)
    m.relation(H @ v1, lam * v1, by="eigenpair")
    m.step("lambda_1 <phi, v_1> = <phi, H v_1> = <H phi, v_1> = 0, and lambda_1 > 0")
    if m.decide(Equation(dot(foot, H @ v1), lam * dot(foot, v1))).outcome == "holds":
        m.relation(dot(foot, v1), 0, by="scale invariance")
    m.step("P_0 = I - H^+ H")
    m.define(P0, eye(D) - matrix("pseudo", D, D, "H^+", symmetric=True) @ H)


def derive_ray(m: Model) -> None:
    """The Hessian along a ray through phi, its quadratic form at v_1, and its derivative."""
    minimizer(m, True)
    m.uses("lyu22/lemma-D.1")
    m.step("H(c phi) = H(phi)/c^2 has the same eigenvectors")
    power = -2 if "scale invariance" not in m.withheld else -1
    m.define(lam_c, dot(v1, (c**power * H) @ v1))
    slope = m.differentiate(log(c**power * dot(v1, H @ v1)), c, as_expr(1))
    m.define(radial, substitute(m.normal(slope), {c: as_expr(1)}))


def derive_split(m: Model) -> None:
    """The projected gradient of the log-sharpness; a number is no vector."""
    derive_minimum(m, True)

    def sum_of_vectors(whole: Expr, first: Expr, second: Expr) -> Decision:
        from eostheory.symbolic import Decision

        if whole.shape != second.shape:
            shapes = {"vector": str(whole.shape), "added": str(second.shape)}
            return Decision("fails", method="shapes", witness={"how": "shapes", **shapes})
        return m.decide(Equation(whole, first + second))

    m.predicate("sum of vectors", sum_of_vectors)


def simulate_split(sample: Sample) -> None:
    """A drawn minimizer of the sphere; a number is no vector."""
    draw_minimum(sample, True)

    def sum_of_vectors(whole: Measured, first: Measured, second: Measured) -> bool:
        return whole.shape == first.shape == second.shape

    sample.predicate("sum of vectors", sum_of_vectors)


# ------------------------------------------------------------------------------- the claims
def _at_minimum(
    name: str,
    sphere: bool,
    statement: Statement | Parts,
    needs: str,
    corrected: Statement | Parts | None = None,
    reading: str = "",
    waive: dict[str, str] | None = None,
) -> Claim:
    return Claim(
        f"lyu22/{name}",
        statement,
        keep(needs),
        derive=partial(derive_minimum, sphere=sphere),
        simulate=partial(draw_minimum, sphere=sphere),
        corrected=corrected,
        reading=reading,
        waive=waive or {},
    )


CLAIMS = [
    _at_minimum("lemma-J.3.p1", False, reflected, "eigenpair"),
    Claim(
        "lyu22/lemma-J.3.p2",
        slope_of_top,
        keep("eigenpair"),
        derive=derive_slope_of_top,
        simulate=partial(draw_minimum, sphere=False),
    ),
    Claim(
        "lyu22/lemma-J.5.p4",
        fixed,
        keep("scale invariance, minimizer"),
        derive=derive_fixed,
        simulate=partial(draw_minimum, sphere=True),
        waive=multiples_of_zero("grad_phi", "*H") | ON_PHI,
        reading="A matrix cannot equal a vector: the left side is U_phi applied to phi.",
        extraction=(
            "The conversion prints the product of U_phi and phi as 'U phi phi' one line above and "
            "as 'U phi' here; whether the paper itself drops the vector cannot be told."
        ),
    ),
    _at_minimum("lemma-J.6.p1", True, third_part, "eigenpair"),
    _at_minimum(
        "lemma-J.6.p2",
        True,
        normalization(1),
        "eigenpair",
        normalization(2),
        "Printed with 2/lambda_1 in the middle, 2/lambda_1^2 to its left.",
    ),
    Claim(
        "lyu22/lemma-J.6.p3",
        null_vector,
        keep("eigenpair, scale invariance, minimizer"),
        derive=derive_null_vector,
        simulate=partial(draw_minimum, sphere=True),
        waive=multiples_of_zero("grad_phi", "H @ foot", "dot(foot, v1)")
        | {"*right -1 +1": ON_ZERO, "*left -1 +1": ON_ZERO},
    ),
    _at_minimum(
        "lemma-J.6.p5",
        True,
        top_annihilated,
        "eigenpair",
        waive=multiples_of_zero("left V @ v1"),
    ),
    _at_minimum(
        "lemma-J.6.p6",
        True,
        projected,
        "eigenpair, null space, scale invariance",
        projected_corrected,
        "The product of a projection and V is no multiple of the identity; 2 P_0 is meant.",
    ),
    Claim(
        "lyu22/lemma-J.6.p8",
        radial_split,
        keep("eigenpair, null space, scale invariance"),
        derive=derive_split,
        simulate=simulate_split,
        corrected=radial_split_corrected,
        reading="Printed with a number added to a vector; the line before has the factor phi.",
    ),
    Claim(
        "lyu22/lemma-J.6.p9",
        along_ray,
        keep("scale invariance"),
        derive=derive_ray,
        simulate=draw_ray,
    ),
    _at_minimum("lemma-J.6.p10", True, cancelled, "eigenpair, null space, scale invariance"),
    _at_minimum(
        "lemma-H.11.p2",
        False,
        tangential,
        "eigenpair, null space",
        waive=multiples_of_zero("dot(glog, v1)"),
    ),
    _at_minimum("lemma-L.5.p4", False, null_part, "null space", waive=ANY_RATE),
]
