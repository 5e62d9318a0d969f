r"""The descent lemma, the gradient of the sharpness, and what the constraints keep (section 1).

Setting:  any loss with enough derivatives, in any number of dimensions.
Claims:   one gradient step lowers the loss if the sharpness is bounded (Lemma 1), with its best
          learning rate and what happens beyond 2/ell; grad S = D^3 L(u, u) (Lemma 2); adding
          grad L . u = 0 to the constraint (footnote 1); several unstable eigenvalues (8.2).
Source:   Damian, Nichani, Lee, arXiv:2209.15594, sections 1.1, 1.2, 3 and 8.2.

Found: the footnote needs that grad S is orthogonal to u.  At a stationary point of min L subject to
S <= 2/eta, -grad L = mu grad S, which is orthogonal to u only then.
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
    vector,
)

from . import _descent_runs as runs
from ._common import D, T, alpha, eta, gradL, gradS, hess, probe, sharpness, sharpness_star, u
from ._descent_runs import (
    along_u,
    best,
    curve_loss,
    direction,
    ell,
    grad_alone,
    loss_next,
    loss_now,
    multiplier_x,
    one,
    rate_11,
    rate_12,
    rate_22,
    step,
    theta_now,
    two,
    x_after,
)

if TYPE_CHECKING:
    from eostheory.formula import Expr
    from eostheory.symbolic import Model

zero = as_expr(0)

# -------------------------------------------------------------------------------- statements
sharpness_defined: dict[str, Statement] = {
    "eigenvector": Equation(hess @ u, sharpness * u),
    "largest": Inequality(dot(probe, hess @ probe), "<=", sharpness * norm2(probe)),
    "unit": Equation(norm2(u), as_expr(1)),
}
sharpening = Equation(alpha, -dot(gradL, gradS))
descent_lemma = Inequality(loss_next, "<=", loss_now - eta * (2 - eta * ell) / 2 * norm2(gradL))
best_rate: dict[str, Statement] = {
    "arg max": Equation(best, 1 / ell),
    "largest": Inequality(eta * (2 - eta * ell), "<=", best * (2 - best * ell)),
}
beyond: dict[str, Statement] = {
    "step": Equation(x_after, (1 - eta * ell) * along_u),
    "factor": Inequality(x_after**2, ">", along_u**2),
    "loss": Inequality(curve_loss, ">=", ell * along_u**2 / 2),
}
sharpness_gradient = Equation(gradS, T(u, u))
same_points: dict[str, Statement] = {
    "with, if without": Equation(dot(grad_alone, u), zero),
    "without, if with": Equation(multiplier_x, zero),
}
block: dict[str, Statement] = {
    "rate 11": Equation(rate_11, dot(T(one, one), direction)),
    "rate 12": Equation(rate_12, dot(T(one, two), direction)),
    "rate 22": Equation(rate_22, dot(T(two, two), direction)),
    "kept 11": Equation(dot(T(one, one), step), zero),
    "kept 12": Equation(dot(T(one, two), step), zero),
    "kept 22": Equation(dot(T(two, two), step), zero),
}


# -------------------------------------------------------------------------------- derivation
def derive_sharpness(m: Model) -> None:
    """An eigenvalue of the Hessian that bounds every Rayleigh quotient."""
    top = scalar("lambda_max", r"\lambda_{\max}")
    m.relation(hess @ u, top * u, by="eigenvector")
    m.relation(norm2(u), 1, by="unit eigenvector")
    m.assume(
        Inequality(dot(probe, hess @ probe), "<=", top * norm2(probe)), by="largest eigenvalue"
    )
    m.define(sharpness, top)


def rate_of_sharpness(m: Model, along: Expr) -> Expr:
    """From the eigenvalue equation H u = S u, differentiated and paired with u."""
    du = vector("du", D, r"\dot u")
    m.fully_symmetric(T)
    m.relation(hess @ u, sharpness_star * u, by="eigenvector")
    m.relation(norm2(u), 1, by="unit eigenvector")
    return m.normal(dot(u, T(along, u) + hess @ du) - sharpness_star * dot(u, du))


def derive_sharpness_gradient(m: Model) -> None:
    """The vector that represents the rate of the sharpness."""
    along = vector("along", D, r"\dot\theta")
    m.define(gradS, m.gradient(rate_of_sharpness(m, along), along))
    m.step("a simple eigenvalue and its eigenvector are differentiable; the terms with du cancel")


def derive_sharpening(m: Model) -> None:
    """The rate of the sharpness along -grad L."""
    m.uses("damian23/lemma-2")
    m.define(alpha, -rate_of_sharpness(m, gradL))
    m.define(gradS, T(u, u))


def derive_descent(m: Model) -> None:
    """Taylor's formula with Lagrange's remainder along the step."""
    m.define(loss_next, loss_now - eta * norm2(gradL) + eta**2 / 2 * dot(gradL, hess @ gradL))
    m.step("L(theta - eta g) = L - eta |g|^2 + eta^2/2 <g, H g>, H at some point of the step")
    quotient = Inequality(dot(gradL, hess @ gradL), "<=", sharpness * norm2(gradL))
    m.assume(quotient, by="the sharpness is the largest eigenvalue")
    m.assume(Inequality(sharpness, "<=", ell), by="bounded")
    m.lemma("curvature", Inequality(dot(gradL, hess @ gradL), "<=", ell * norm2(gradL)))


def derive_best(m: Model) -> None:
    """The zero of the derivative of a concave parabola."""
    slope = m.differentiate(eta * (2 - eta * ell), eta, as_expr(1))
    bend = m.differentiate(slope, eta, as_expr(1))
    m.define(best, eta - slope / bend)
    m.step("one Newton step finds the zero of a linear slope")


def derive_beyond(m: Model) -> None:
    """A quadratic with Hessian H >= 0: theta = x u + w."""
    rest = vector("w", D)
    m.relation(norm2(u), 1, by="unit eigenvector")
    m.relation(hess @ u, ell * u, by="top eigenvector")
    m.relation(dot(u, rest), 0, by="the rest")
    m.define(theta_now, along_u * u + rest)
    m.define(curve_loss, dot(theta_now, hess @ theta_now) / 2)
    slope = hess @ theta_now
    m.define(x_after, dot(u, theta_now - eta * slope))
    m.assume(Inequality(eta * ell, ">", as_expr(2)), by="above")
    m.assume(Inequality(along_u, "!=", zero), by="moving")
    m.assume(Inequality(dot(rest, hess @ rest), ">=", zero), by="semidefinite")


def derive_footnote(m: Model) -> None:
    """Lagrange multipliers with and without the condition grad L . u = 0."""
    m.uses("damian23/lemma-2")
    mu = scalar("mu", r"\mu", nonnegative=True)
    y = scalar("y_multiplier", "y", nonnegative=True)
    tilt = scalar("tilt", r"u\cdot\nabla u^T\nabla L")
    m.relation(norm2(u), 1, by="unit eigenvector")
    m.relation(dot(u, gradS), 0, by="aligned")
    m.step("a stationary point of min L subject to S <= 2/eta: -grad L = mu grad S")
    m.define(grad_alone, -mu * gradS)
    m.step("with the condition: -grad L = x (S u + grad u^T grad L) + y grad S, u . grad L = 0")
    m.assume(Inequality(2 / eta + tilt, "!=", zero), by="qualified")
    m.define(multiplier_x, -(y * dot(u, gradS)) / (2 / eta + tilt))
    m.step("paired with u: 0 = x (2/eta + tilt) + y u . grad S")
    if "aligned" in m.withheld:
        m.example({u: (1, 0), gradS: (1, 1), eta: 1, tilt: 0, mu: 1, y: 1})


def derive_block(m: Model) -> None:
    """The block of the Hessian on the span of u_1, u_2, both with eigenvalue 2/eta."""
    m.fully_symmetric(T)
    P = matrix("P", D, D, symmetric=True)
    vectors = (one, two)
    for i, a in enumerate(vectors):
        m.relation(hess @ a, (2 / eta) * a, by="unstable")
        m.relation(norm2(a), 1, by="unit eigenvectors")
        for b in vectors[i:]:
            m.relation(P @ T(a, b), 0, by="projected")
    m.relation(dot(one, two), 0, by="unit eigenvectors")
    m.define(step, -eta * (P @ gradL))

    def rate(a: Expr, b: Expr) -> Expr:
        turning = vector("du", D, r"\dot u")
        return dot(a, T(direction, b) + hess @ turning) - (2 / eta) * dot(a, turning)

    m.step("H U = U B differentiated and paired with U: the terms with U' cancel, B = (2/eta) I")
    m.define(rate_11, rate(one, one))
    m.define(rate_12, rate(one, two))
    m.define(rate_22, rate(two, two))


# -------------------------------------------------------------------------------- claims
CLAIMS = [
    Claim(
        "damian23/def-1",
        sharpness_defined,
        derive=derive_sharpness,
        simulate=runs.sharpness_at_point,
        waive={
            f"unit:left norm(u)**2 exponent {k}": "one to any power is one" for k in ("+1", "-1")
        },
        reading="Tested on an arbitrary vector a.",
    ),
    Claim(
        "damian23/def-2",
        sharpening,
        derive=derive_sharpening,
        simulate=runs.sharpening,
        examples={"quick": 1, "default": 5},
    ),
    Claim(
        "damian23/lemma-1",
        descent_lemma,
        hypotheses={"bounded": "S <= ell everywhere"},
        derive=derive_descent,
        simulate=runs.descent,
    ),
    Claim(
        "damian23/lemma-1.lr-max",
        best_rate,
        derive=derive_best,
        simulate=runs.best_rate,
    ),
    Claim(
        "damian23/lemma-1.quadratic-tight",
        beyond,
        hypotheses={
            "above": "eta > 2/ell, where ell is the largest eigenvalue of the Hessian",
            "moving": "the start has a component along the top eigenvector",
            "semidefinite": "the Hessian is positive semidefinite, as in linear regression",
        },
        derive=derive_beyond,
        simulate=runs.beyond,
        reading="'Exponentially': the component along u is multiplied by 1 - eta ell < -1 in every "
        "step, and the loss is at least ell/2 times its square.",
    ),
    Claim(
        "damian23/lemma-2",
        sharpness_gradient,
        derive=derive_sharpness_gradient,
        simulate=runs.sharpness_slope,
        examples={"quick": 1, "default": 5},
    ),
    Claim(
        "damian23/sec1.footnote-1",
        same_points,
        derive=derive_footnote,
        simulate=runs.stationary,
        corrected_hypotheses={
            "aligned": "grad S is orthogonal to u at the stationary points",
            "qualified": "the derivative of grad L . u along u is not zero there (true for small "
            "epsilon)",
        },
        reading="Stationary: minus the gradient of L is a combination of the gradients of the "
        "active constraints, with a non-negative multiplier for S.",
    ),
    Claim(
        "damian23/sec8.multi-eig",
        block,
        hypotheses={"projected": "the step is -eta grad L with the span projected out"},
        derive=derive_block,
        simulate=runs.block,
        reading="Two eigenvalues at 2/eta; every entry of a larger block is such a rate. "
        "'Roughly': to first order in the step, which keeps the block of the Hessian on the "
        "unstable directions.",
        waive={"kept 12:left u_1 -> u_2": "the changed equation is also a printed one"},
        examples={"quick": 2, "default": 6},
    ),
]
