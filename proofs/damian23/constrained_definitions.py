r"""Gradient descent, the stable set and the constrained trajectory, defined (sections 1.2 and 3).

Setting:  any loss; the stable set M = {S <= 2/eta, grad L . u = 0}, which for the toy loss of
          appendix B is {x = 0, y <= 0} around the origin.
Claims:   the definitions, met by what they define.
Source:   Damian, Nichani, Lee, arXiv:2209.15594, sections 1.2, 3 and appendix I.1.

A projection is compared with every rival: member is an arbitrary point of M.
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
    norm,
    norm2,
    scalar,
    substitute,
    vector,
)

from ._common import D, alpha, beta, eta, grad_theta, theta, theta_next, y
from ._constants import BALL, RADIUS, below_two, c, rho3, zero
from ._constrained_runs import dagger, dagger_next, target
from ._toy_letters import S_t, e1, e2, e3, grad_t, point, u_t, z
from .toy_model import along_trajectory, derive_jet, frame_in, toy

if TYPE_CHECKING:
    from eostheory.formula import Expr
    from eostheory.symbolic import Model

member = vector("member", D, r"\theta'\in\mathcal M")
below = scalar("below", "h", nonnegative=True)
where = scalar("where", "w")
start = vector("theta_0", D, r"\theta_0")
first_point = vector("theta_dagger_0", D, r"\theta_0^\dagger")
inside = vector("inside", D, r"\theta\in\mathcal S_t")

# -------------------------------------------------------------------------------- statements
descent = Equation(theta_next, theta - eta * grad_theta)
stable: dict[str, Statement] = {
    "sharpness": Inequality(S_t, "<=", 2 / eta),
    "gradient": Equation(dot(grad_t, u_t), zero),
}
projected: dict[str, Statement] = {
    "target": Equation(target, dagger - eta * grad_t),
    "nearest": Inequality(norm(target - dagger_next), "<=", norm(target - member)),
}
initial: dict[str, Statement] = {
    "nearest": Inequality(norm(start - first_point), "<=", norm(start - member)),
    "on the edge": Equation(S_t, 2 / eta),
}
ball = Inequality(norm(inside - dagger), "<=", (2 - c) / (4 * eta * rho3))


# -------------------------------------------------------------------------------- derivation
def derive_descent(m: Model) -> None:
    """The minimiser of the linear model plus |w - theta|^2/(2 eta)."""
    w = vector("w", D)
    model = dot(grad_theta, w) + norm2(w - theta) / (2 * eta)
    slope = m.gradient(model, w)
    m.define(theta_next, w - eta * slope)
    m.step("one Newton step: the Hessian of the model is I/eta")


def derive_stable(m: Model) -> None:
    """A point (0, y, z) with y <= 0 of the toy loss."""
    derive_jet(m)
    m.assume(Inequality(y, "<=", zero), by="member")
    at: dict[Expr, Expr] = {point: y * e2 + z * e3}
    m.define(grad_t, substitute(m.gradient(toy(), point), at))


def rivals(m: Model) -> None:
    """An arbitrary point of M, for the toy loss."""
    m.step("near the origin M is {x = 0, y <= 0} for the toy loss")
    m.define(member, -below * e2 + where * e3)


def derive_projected(m: Model) -> None:
    """One step of the toy loss from (0, 0, z)."""
    m.uses("damian23/appB.constrained")
    gradient, _, _ = along_trajectory(m, z * e3)
    m.define(grad_t, gradient)
    m.define(dagger, z * e3)
    m.define(target, z * e3 - eta * gradient)
    m.define(dagger_next, dot(e3, target) * e3)
    rivals(m)
    m.example({eta: 1, alpha: 1, beta: 1, z: 0, below: 0, where: 0, **frame_in(3)})


def derive_initial(m: Model) -> None:
    """The start (x_0, 0, 0) of appendix B."""
    x_0 = scalar("x_0", "x_0")
    derive_jet(m)
    m.relation(y, zero, by="the start of appendix B")
    m.define(start, x_0 * e1)
    m.define(first_point, 0 * e1)
    rivals(m)


def derive_ball(m: Model) -> None:
    """A share of the radius in some direction."""
    below_two(m)
    heading, part = vector("heading", D, "e"), scalar("share", nonnegative=True)
    m.relation(norm2(heading), 1, by="unit vector")
    m.assume(Inequality(part, "<=", as_expr(1)), by="ball")
    m.define(inside, dagger + part * RADIUS * heading)


CONE = {
    f"nearest:right {change}": "a multiple of a point of M is a point of M for the toy loss"
    for change in ("-member x2", "-member x1/2", "-member x1.001", "-member dropped", "-1 +1")
} | {"nearest:right target x2": "twice the target is farther from M"}
TOY = "For the toy loss of appendix B, around its constrained trajectory. "

CLAIMS = [
    Claim("damian23/sec3.gd", descent, derive=derive_descent),
    Claim(
        "damian23/sec1.stable-set",
        stable,
        hypotheses={"member": "y <= 0"},
        derive=derive_stable,
        reading=TOY + "Its points (0, y, z) with y <= 0 meet both conditions.",
    ),
    Claim(
        "damian23/eq-2",
        projected,
        derive=derive_projected,
        waive=CONE,
        reading=TOY + "The projection of the gradient step, against every point of M.",
    ),
    Claim(
        "damian23/sec3.constrained-init",
        initial,
        derive=derive_initial,
        waive=CONE,
        reading=TOY + "The start (x_0, 0, 0) projects to the origin, which is on the edge.",
    ),
    Claim("damian23/def-9", ball, hypotheses=BALL, derive=derive_ball),
]
