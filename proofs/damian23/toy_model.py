r"""The toy loss of appendix B: its derivatives, its constrained trajectory, its directions.

Setting:  L(x, y, z) = (2/eta + sqrt(beta) y) x^2/2 - (alpha/sqrt(beta)) y - z, start (x_0, 0, 0).
Claims:   gradient, top eigenvector, sharpness, Hessian and sharpness gradient along the constrained
          trajectory x = y = 0; the standing assumptions of section 4; the direction of drift.
Source:   Damian, Nichani, Lee, arXiv:2209.15594, appendix B.

The derivation differentiates the printed loss as a function of a vector in any dimension, with
coordinates along orthonormal e_1, e_2, e_3.  The simulation runs autograd, dense eigenpairs and
projected gradient descent on the loss as a program.

A row [a, b, c] of the paper is a e_1 + b e_2 + c e_3.

One sign is wrong: with the printed "- z" the third component of the gradient is -1, the
constrained trajectory is z = +eta t and the drift is [0, 0, +1].  All three formulas would be right
for "+ z".  The sentence that explains the trajectory has its direction reversed as well: moving up
in y, not down, would raise the sharpness past 2/eta.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Expr,
    Inequality,
    Symbol,
    absolute,
    as_expr,
    dot,
    eye,
    norm2,
    outer,
    scalar,
    sqrt,
    substitute,
    to_latex,
)
from eostheory.formula.core import add

from . import _toy_runs as runs
from ._common import D, alpha, beta, eta
from ._toy_letters import (
    P,
    S_down,
    S_t,
    S_up,
    e1,
    e2,
    e3,
    grad_S_t,
    grad_t,
    h,
    hess_t,
    loss,
    point,
    t,
    test,
    u_t,
    x,
    x_dagger,
    y,
    y_dagger,
    z,
    z_dagger,
)

if TYPE_CHECKING:
    from eostheory.symbolic import Model

zero = as_expr(0)

# -------------------------------------------------------------------------------- statements
printed_loss = Equation(loss, (2 / eta + sqrt(beta) * y) * x**2 / 2 - alpha / sqrt(beta) * y - z)
printed_trajectory = {
    "x": Equation(x_dagger, zero),
    "y": Equation(y_dagger, zero),
    "z": Equation(z_dagger, -eta * t),
}
true_trajectory = {**printed_trajectory, "z": Equation(z_dagger, eta * t)}
printed_blocked = Inequality(S_down, ">", 2 / eta)
true_blocked = Inequality(S_up, ">", 2 / eta)
printed_gradient = Equation(grad_t, -(alpha / sqrt(beta)) * e2 + e3)
true_gradient = Equation(grad_t, -(alpha / sqrt(beta)) * e2 - e3)
printed_eigenvector = Equation(u_t, e1)
printed_sharpness = Equation(S_t, 2 / eta + sqrt(beta) * y)
printed_hessian = Equation(hess_t, S_t * outer(u_t, u_t))
printed_grad_sharpness = Equation(grad_S_t, sqrt(beta) * e2)
printed_alpha_beta = {
    "alpha": Equation(alpha, -dot(grad_t, grad_S_t)),
    "beta": Equation(beta, norm2(grad_S_t)),
}
printed_assumptions = {
    "perpendicular": Equation(dot(grad_S_t, u_t), zero),
    "gradient in the kernel": Equation(dot(test, hess_t @ grad_t), zero),
    "sharpness gradient in the kernel": Equation(dot(test, hess_t @ grad_S_t), zero),
}
printed_drift = Equation(-(P @ grad_t), -e3)
true_drift = Equation(-(P @ grad_t), e3)


# -------------------------------------------------------------------------------- derivation
def toy(at: Expr = point) -> Expr:
    """The printed loss as a function of a vector with coordinates along e_1, e_2, e_3."""
    a, b, c = dot(e1, at), dot(e2, at), dot(e3, at)
    return (2 / eta + sqrt(beta) * b) * a**2 / 2 - alpha / sqrt(beta) * b - c


def derive_loss(m: Model) -> None:
    """The loss whose gradient steps are eq. (3) with y measured in units of sqrt(beta)."""
    s = scalar("s", "s")
    x_after = -(1 + eta * sqrt(beta) * y) * x
    y_after = y + eta * (alpha - beta * x**2 / 2) / sqrt(beta)
    slopes = {x: (x - x_after) / eta, y: (y - y_after) / eta, z: as_expr(-1)}
    m.step("gradient from one step of eq. (3), and a third coordinate that moves by +eta per step")
    ray: dict[Expr, Expr] = {c: s * c for c in slopes}
    along = add(*(substitute(slope, ray) * c for c, slope in slopes.items()))
    # the integrand is a polynomial of degree two in s: its integral over [0, 1] from its jet
    total: Expr = zero
    for weight in (1, 2, 6):
        total = total + substitute(along, {s: zero}) / weight
        along = m.differentiate(along, s, as_expr(1))
    m.define(loss, total)
    m.step("the integral of <grad L(s theta), theta> over s in [0, 1]", printed_loss.latex)


def along_trajectory(m: Model, at: Expr) -> tuple[Expr, Expr, Expr]:
    """Gradient, Hessian and third derivative along e_1, e_1 of the printed loss at a point."""
    frame = (e1, e2, e3)
    for i, a in enumerate(frame):
        for b in frame[i:]:
            m.relation(dot(a, b), 1 if a == b else 0, by="orthonormal coordinates")
    gradient, hessian = m.gradient(toy(), point), m.hessian(toy(), point)
    third = m.gradient(dot(e1, hessian @ e1), point)
    m.step("the printed loss, differentiated in every dimension", to_latex(gradient))
    table: dict[Expr, Expr] = {point: at}
    return substitute(gradient, table), substitute(hessian, table), substitute(third, table)


def derive_jet(m: Model) -> None:
    """Hessian, top eigenpair and sharpness gradient at a point (0, y, z) of the line x = 0."""
    m.uses("damian23/appB.toy-model")
    _, hessian, third = along_trajectory(m, y * e2 + z * e3)
    m.assume(Inequality(2 / eta + sqrt(beta) * y, ">", zero), by="near")
    m.define(hess_t, hessian)
    slope = m.normal(dot(e1, hessian @ e1))
    m.step("the Hessian is slope * e_1 e_1^T: its top eigenvalue is slope, or 0 if slope < 0")
    m.define(S_t, (slope + absolute(slope)) / 2)
    m.define(u_t, (1 / slope) * (hessian @ e1))
    m.define(grad_S_t, (1 + absolute(slope) / slope) / 2 * third)
    m.step("gradient of an eigenvalue: the third derivative contracted twice with its eigenvector")


def derive_on_trajectory(m: Model) -> None:
    """The same and the gradient on the constrained trajectory itself, where y = 0."""
    m.uses("damian23/appB.toy-model")
    gradient, hessian, third = along_trajectory(m, z * e3)
    m.define(grad_t, gradient)
    m.define(hess_t, hessian)
    m.define(u_t, (eta / 2) * (hessian @ e1))
    m.define(grad_S_t, third)
    m.define(P, eye(D) - outer(e1, e1) - outer(e2, e2))
    m.step("P projects out u = e_1 and e_2, the direction of grad S")
    m.example({eta: 2, alpha: 3, beta: 4, z: 5, **frame_in(3)})


def derive_trajectory(m: Model) -> None:
    """One projected step from (0, 0, z), then t of them."""
    m.uses("damian23/appB.toy-model")
    gradient, _, _ = along_trajectory(m, z * e3)
    step = -eta * gradient
    m.step(
        "near x = 0 the stable set is {x = 0, y <= 0}: u . grad L = (2/eta + sqrt(beta) y) x "
        "and S = 2/eta + sqrt(beta) y; it does not depend on z"
    )
    m.step(
        "a gradient step from (0, 0, z) has y = eta alpha/sqrt(beta) > 0, which the projection "
        "puts back to 0; z moves by its whole step, and t steps add up",
        to_latex(m.normal(dot(e3, step))),
    )
    rise = dot(e2, step)
    m.define(x_dagger, t * dot(e1, step))
    m.define(y_dagger, t * (rise - absolute(rise)) / 2)
    m.define(z_dagger, t * dot(e3, step))
    m.example({eta: 1, alpha: 1, beta: 1, t: 1, z: 0, **frame_in(3)})


def derive_blocked(m: Model) -> None:
    """Sharpness below and above the trajectory."""
    m.uses("damian23/appB.sharpness")
    for symbol, height in ((S_down, -h), (S_up, h)):
        slope = (2 / eta) + sqrt(beta) * height
        m.define(symbol, (slope + absolute(slope)) / 2)
    m.example({eta: 1, alpha: 1, beta: 1, h: 1, z: 0})


def frame_in(dim: int) -> dict[Symbol, tuple[int, ...]]:
    """e_1, e_2, e_3 as exact vectors."""
    return {e: tuple(int(i == k) for i in range(dim)) for k, e in enumerate((e1, e2, e3))}


# -------------------------------------------------------------------------------- claims
NEAR = {"near": "2/eta + sqrt(beta) y > 0: y near its value 0 on the trajectory"}
ON_LINE = (
    "Read on the line x = 0 around the constrained trajectory, where y = 0: far below it, for "
    "y < -2/(eta sqrt(beta)), the top eigenvalue is 0 and not 2/eta + sqrt(beta) y."
)
ONE_SIGN = (
    "The printed loss ends in '- z'. With '+ z' this formula, like the other two that involve the "
    "third coordinate, would be right as printed."
)

CONSEQUENCE = "a consequence: the vector H grad vanishes, so its product with every vector does"

CLAIMS = [
    Claim("damian23/appB.toy-model", printed_loss, derive=derive_loss, simulate=runs.loss_value),
    Claim(
        "damian23/appB.constrained",
        printed_trajectory,
        derive=derive_trajectory,
        simulate=runs.constrained_path,
        corrected=true_trajectory,
        reading=ONE_SIGN,
    ),
    Claim(
        "damian23/appB.blocked-direction",
        printed_blocked,
        derive=derive_blocked,
        simulate=runs.above_and_below,
        corrected=true_blocked,
        reading="'it cannot decrease y without increasing the sharpness past 2/eta', from y = 0 "
        "by any h > 0. Increasing y is what the argument needs.",
    ),
    Claim(
        "damian23/appB.gradient",
        printed_gradient,
        derive=derive_on_trajectory,
        simulate=runs.on_trajectory,
        corrected=true_gradient,
        reading=ONE_SIGN,
    ),
    Claim(
        "damian23/appB.eigenvector",
        printed_eigenvector,
        derive=derive_on_trajectory,
        simulate=runs.on_trajectory,
        reading="The sign of an eigenvector is free; the one along +e_1 is meant.",
    ),
    Claim(
        "damian23/appB.sharpness",
        printed_sharpness,
        hypotheses=NEAR,
        derive=derive_jet,
        simulate=runs.on_line,
        reading=ON_LINE,
    ),
    Claim(
        "damian23/appB.hessian",
        printed_hessian,
        hypotheses=NEAR,
        derive=derive_jet,
        simulate=runs.on_line,
        reading=ON_LINE,
    ),
    Claim(
        "damian23/appB.grad-sharpness",
        printed_grad_sharpness,
        hypotheses=NEAR,
        derive=derive_jet,
        simulate=runs.on_line,
        reading=ON_LINE,
    ),
    Claim(
        "damian23/appB.alpha-beta",
        printed_alpha_beta,
        derive=derive_on_trajectory,
        simulate=runs.on_trajectory,
    ),
    Claim(
        "damian23/appB.assumptions",
        printed_assumptions,
        derive=derive_on_trajectory,
        simulate=runs.on_trajectory,
        reading="'in the kernel' is tested against an arbitrary vector a.",
        waive={
            "gradient in the kernel:left a -> grad_L_t": CONSEQUENCE,
            "sharpness gradient in the kernel:left a -> grad_S_t": CONSEQUENCE,
        },
    ),
    Claim(
        "damian23/appB.drift-direction",
        printed_drift,
        derive=derive_on_trajectory,
        simulate=runs.on_trajectory,
        corrected=true_drift,
        reading=ONE_SIGN,
    ),
]
