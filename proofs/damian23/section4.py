r"""The four stages of the edge of stability (section 4.1) for a general loss.

Setting:  theta' = theta - eta grad L(theta) near theta*, where S(theta*) = 2/eta, grad S is
          orthogonal to u, and grad L and grad S lie in the kernel of the Hessian; coordinates
          x = <u, theta - theta*> and y = <grad S, theta - theta*>.
Claims:   the sharpness is 2/eta + y; y climbs by eta alpha per step; x flips and is multiplied by
          1 + eta y; the cubic term pulls y down by eta beta x^2/2; together, eq. (3).
Source:   Damian, Nichani, Lee, arXiv:2209.15594, section 4.1.

The paper writes "approximately" and ignores higher-order terms without saying of what order.  Here
each such sign carries the order that the text's own argument leaves out, with two sizes: r for the
whole displacement and q <= r for its part transverse to u.  Every one of these orders is sharp.

The derivation takes a generic loss by its Taylor data in any dimension and differentiates the
eigenvalue equation; the simulation runs autograd on drawn losses in 2 to 50 dimensions.
"""

from __future__ import annotations

from eostheory.claims import Claim
from eostheory.formula import Equation, OrderBound, Statement, as_expr, dot, norm2

from . import _jet as jet
from . import _section4_runs as runs
from ._common import (
    KERNEL,
    STANDING,
    P,
    T,
    alpha,
    beta,
    eta,
    grad_theta,
    gradL,
    gradS,
    hess,
    probe,
    q,
    r,
    sharpness,
    sharpness_star,
    star,
    theta,
    theta_next,
    u,
    x,
    x_next,
    y,
    y_next,
)

zero = as_expr(0)

# -------------------------------------------------------------------------------- statements
quantities = {
    "u": Equation(hess @ u, sharpness_star * u),
    "alpha": Equation(alpha, -dot(gradL, gradS)),
    "beta": Equation(beta, norm2(gradS)),
}
assumptions = {
    "perpendicular": Equation(dot(gradS, u), zero),
    "gradient": Equation(dot(probe, hess @ gradL), zero),
    "sharpness gradient": Equation(dot(probe, hess @ gradS), zero),
}
coordinates = {
    "x": Equation(x, dot(u, theta - star)),
    "y": Equation(y, dot(gradS, theta - star)),
}
taylor: dict[str, Statement] = {
    "first order": OrderBound(sharpness, sharpness_star + dot(gradS, theta - star), r**2),
    "y": Equation(sharpness_star + dot(gradS, theta - star), 2 / eta + y),
}
stage_1: dict[str, Statement] = {
    "increment": Equation(y_next - y, dot(gradS, theta_next - theta)),
    "slope": OrderBound(dot(gradS, theta_next - theta), -(eta * dot(gradL, gradS)), eta * r**2),
    "alpha": Equation(-(eta * dot(gradL, gradS)), eta * alpha),
}
stage_2: dict[str, Statement] = {
    "step": Equation(x_next, x - eta * dot(u, grad_theta)),
    "quadratic": OrderBound(
        x - eta * dot(u, grad_theta), x - eta * sharpness * x, eta * (q**2 + r**3)
    ),
    "sharpness": OrderBound(x - eta * sharpness * x, x - eta * (2 / eta + y) * x, eta * r**3),
    "flip": Equation(x - eta * (2 / eta + y) * x, -(1 + eta * y) * x),
}
stage_3_cubic: dict[str, Statement] = {
    "along u": OrderBound(T(theta - star, theta - star) / 2, x**2 / 2 * T(u, u), r * q),
    "Lemma 2": Equation(x**2 / 2 * T(u, u), x**2 / 2 * gradS),
}
stage_3_update: dict[str, Statement] = {
    "with the cubic term": OrderBound(
        y_next - y, eta * alpha + dot(gradS, -(eta * x**2 / 2) * T(u, u)), eta * (r * q + r**3)
    ),
    "collected": Equation(
        eta * alpha + dot(gradS, -(eta * x**2 / 2) * T(u, u)), eta * (alpha - beta * x**2 / 2)
    ),
}
equation_3 = {
    "x": OrderBound(x_next, -(1 + eta * y) * x, eta * (q**2 + r**3)),
    "y": OrderBound(y_next, y + eta * (alpha - beta * x**2 / 2), eta * (r * q + r**3)),
}
orthogonal_update = OrderBound(P @ (theta_next - theta), -eta * (P @ gradL), eta * (r * q + r**3))


# -------------------------------------------------------------------------------- readings
TWO_SIZES = "r is the size of the displacement, q <= r the size of its part transverse to u. "
CONSEQUENCE = "a consequence: the vector H grad vanishes, so its product with every vector does"

TOO_SMALL = (
    "a thousandth of eta x y exceeds eta (q^2 + r^3) by a factor of at most r^(-1/2)/2000, which "
    "shows for r below 1e-7, where rounding rules"
)

CLAIMS = [
    Claim(
        "damian23/sec4.reference-quantities",
        quantities,
        derive=jet.derive_quantities,
        simulate=runs.quantities,
        examples={"quick": 3, "default": 12},
        reading="alpha and beta are derived as rates of the sharpness: along -grad L, and along "
        "grad S; u from the eigenvalue equation.",
    ),
    Claim(
        "damian23/sec4.standing-assumptions",
        assumptions,
        hypotheses=STANDING,
        derive=jet.derive_assumptions,
        simulate=runs.assumptions,
        waive={
            "gradient:left a -> grad_L": CONSEQUENCE,
            "sharpness gradient:left a -> grad_S": CONSEQUENCE,
        },
        examples={"quick": 4, "default": 12},
        reading="'in the kernel' is tested against an arbitrary vector a. The second assumption "
        "contains the first: what the Hessian maps to zero is orthogonal to its eigenvector u. A "
        "generic loss meets neither.",
    ),
    Claim(
        "damian23/sec4.xy",
        coordinates,
        derive=jet.derive_coordinates,
        simulate=runs.coordinates,
        examples={"quick": 4, "default": 12},
        reading="x is the coefficient of u in the displacement, y the first-order change of the "
        "sharpness; both are interpreted as such and compared with the printed products.",
    ),
    Claim(
        "damian23/sec4.sharpness-taylor",
        taylor,
        derive=jet.derive_sharpness,
        simulate=runs.sharpness_near,
        examples={"quick": 3, "default": 12},
        reading="'approximately' is first-order Taylor expansion: up to the square of the "
        "displacement r.",
    ),
    Claim(
        "damian23/sec4.stage-1",
        stage_1,
        hypotheses=KERNEL,
        derive=jet.derive_step,
        simulate=runs.step_kernel,
        examples={"quick": 4, "default": 12},
        reading="'While x, y are small': up to eta times the square of the displacement, which is "
        "the size of the term that stage 3 adds.",
    ),
    Claim(
        "damian23/sec4.stage-2",
        stage_2,
        hypotheses=STANDING,
        derive=jet.derive_step_and_sharpness,
        simulate=runs.step_and_sharpness,
        examples={"quick": 3, "default": 12},
        reading=TWO_SIZES + "'gradient descent on a quadratic with sharpness S(theta_t)' leaves "
        "out the pull of transverse displacements on x (q^2) and fourth derivatives (r^3).",
    ),
    Claim(
        "damian23/sec4.stage-3.cubic",
        stage_3_cubic,
        derive=jet.derive_step,
        simulate=runs.step_anywhere,
        examples={"quick": 4, "default": 12},
        reading=TWO_SIZES + "'approximately' is 'the displacement is dominated by u': the terms "
        "left out hold the transverse part at least once.",
    ),
    Claim(
        "damian23/sec4.stage-3.y-update",
        stage_3_update,
        hypotheses=KERNEL,
        derive=jet.derive_step,
        simulate=runs.step_kernel,
        examples={"quick": 4, "default": 12},
        reading=TWO_SIZES + "The first '=' sign of the display inherits the approximations of "
        "stages 1 and 3; the second is an identity.",
    ),
    Claim(
        "damian23/eq-3",
        equation_3,
        hypotheses=STANDING,
        derive=jet.derive_step,
        simulate=runs.equation_3,
        examples={"quick": 4, "default": 12},
        waive={"simulation:x:right eta*y x1.001": TOO_SMALL},
        reading=TWO_SIZES + "The orders are what stages 2 and 3 leave out. They are sharp: the "
        "errors are of higher order than eta x y and eta (alpha - beta x^2/2) only where the "
        "displacement is dominated by u, q << r. Over a whole cycle q is as large as r, and there "
        "eq. (3) needs, beyond the standing assumptions, that the third derivative be small on "
        "pairs of vectors orthogonal to u (assumption 5 of section 5, the toy loss of appendix B).",
    ),
    Claim(
        "damian23/sec4.orthogonal-update",
        orthogonal_update,
        hypotheses=KERNEL,
        derive=jet.derive_orthogonal,
        simulate=runs.orthogonal,
        examples={"quick": 4, "default": 12},
        reading=TWO_SIZES + "The transverse displacement lies in the kernel of the Hessian, where "
        "steps along grad L and grad S put it; other transverse components would add -eta P H v.",
    ),
]
