r"""Definitions of sections 3, 5 and appendix C, and the predicted dynamics in special cases.

Setting:  Taylor data along the constrained trajectory, and eq. (6).
Claims:   the definitions; the map step_t (eqs. 7, 8) is eq. (6); in the setting of section 4 the
          response beta_{s->t} is constant and eq. (5) is eq. (3); epsilon has no units; eq. (5)
          with constant coefficients and the potential of Lemma 3.
Source:   Damian, Nichani, Lee, arXiv:2209.15594, sections 3, 5, 7.1 and appendix C.

Found: eq. (5) with constant coefficients is a map; it turns around its fixed point, but keeps the
potential of Lemma 3, which belongs to the limiting flow, only to first order in eta.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Expr,
    Inequality,
    OrderBound,
    Statement,
    absolute,
    as_expr,
    dot,
    eye,
    log,
    norm2,
    outer,
    scalar,
    sqrt,
    substitute,
    vector,
)

from . import _predicted as p
from . import _predicted_runs as runs
from ._common import D, T, alpha, beta, eta, gradL, gradS, hess, x, x_next, y, y_next
from ._flow import g
from ._predicted import after, now, response, second, third
from ._predicted_runs import (
    at_rest,
    epsilon,
    epsilon_scaled,
    potential,
    potential_next,
    step_now,
    turning,
    u_one,
    u_two,
)

if TYPE_CHECKING:
    from eostheory.symbolic import Model

zero = as_expr(0)

# -------------------------------------------------------------------------------- statements
coefficients: dict[str, Statement] = {
    "alpha": Equation(alpha, -dot(gradL, now.gradS)),
    "beta": Equation(beta, norm2(now.perp)),
    "delta": Equation(now.delta, sqrt(2 * alpha / beta)),
}
projected = Equation(now.perp, now.P @ now.gradS)
response_defined: dict[str, Statement] = {
    "s = t": Equation(response[0, 0], dot(second.perp, p.first.perp)),
    "t = s + 2": Equation(
        response[0, 2], dot(p.fourth.perp, third.factor @ second.factor @ p.first.perp)
    ),
}
displacement: dict[str, Statement] = {
    "x": Equation(now.x, dot(now.u, now.v)),
    "y": Equation(now.y, dot(now.perp, now.v)),
}
predicted: dict[str, Statement] = {
    **displacement,
    "update": Equation(after.v, p.update(now, after)),
}
bracket = (eye(D) - eta * now.H) @ now.P @ now.v + now.drive * (eta * now.perp)
step_across = Equation(after.P @ step_now, after.P @ bracket)
step_along = Equation(dot(after.u, step_now), -(1 + eta * now.y) * now.x)
step_map: dict[str, Statement] = {"across": step_across, "along": step_along}
iterates = Equation(after.v, step_now)
constant_response: dict[str, Statement] = {
    "s = t": Equation(response[0, 0], beta),
    "t = s + 2": Equation(response[0, 2], beta),
    "beta": Equation(beta, norm2(at_rest)),
}
simplified: dict[str, Statement] = {
    "x": Equation(x_next, -(1 + eta * y) * x),
    "y": Equation(y_next, y + eta * (alpha - beta * x**2 / 2)),
}
small_parameter = Equation(epsilon, eta * sqrt(alpha))
unitless = Equation(epsilon_scaled, epsilon)
level = beta * x**2 / (2 * alpha)
cycles: dict[str, Statement] = {
    "cycles": Inequality(turning, "<=", zero),
    "conserved": OrderBound(potential_next, potential, eta**2),
}


# -------------------------------------------------------------------------------- derivation
def derive_coefficients(m: Model) -> None:
    """alpha as a rate of the sharpness; delta where the drive of y vanishes."""
    m.fully_symmetric(T)
    m.relation(norm2(now.u), 1, by="unit eigenvector")
    m.relation(hess @ now.u, (2 / eta) * now.u, by="edge of stability")
    m.define(now.gradS, T(now.u, now.u))
    m.define(now.P, eye(D) - outer(now.u, now.u))
    m.define(now.perp, now.P @ now.gradS)
    m.define(alpha, -dot(now.u, T(gradL, now.u)))
    m.step("alpha is the rate of the top eigenvalue along -grad L, by the eigenvalue equation")
    m.define(beta, norm2(now.gradS) - dot(now.u, now.gradS) ** 2)
    m.assume(Inequality(alpha, ">", zero), by="progressive sharpening")
    m.assume(Inequality(beta, ">", zero), by="grad S is not along u")
    m.define(now.delta, sqrt(alpha / (beta / 2)))
    m.step("alpha - beta x^2/2 = 0 at x = delta")


def derive_projected(m: Model) -> None:
    """The part orthogonal to u."""
    m.define(now.perp, now.gradS - dot(now.u, now.gradS) * now.u)
    m.define(now.P, eye(D) - outer(now.u, now.u))


def derive_response(m: Model) -> None:
    """A displacement carried from time s to t + 1."""
    p.frame(m, *p.at_times)
    p.define_responses(m)


def derive_displacement(m: Model) -> None:
    """Coordinates of v = x u + w along u and grad S^perp."""
    rest = vector("rest", D)
    p.frame(m, now)
    m.define(now.v, now.x * now.u + now.P @ rest)
    m.define(now.y, dot(now.gradS, now.P @ rest))


def derive_step(m: Model) -> None:
    """Eq. (6) from the two parts of step_t, and the converse."""
    p.frame(m, now, after)
    m.define(now.x, dot(now.u, now.v))
    m.define(now.y, dot(now.perp, now.v))
    m.define(after.v, p.update(now, after))
    m.define(step_now, after.P @ bracket - ((1 + eta * now.y) * now.x) * after.u)
    m.step("a vector is the sum of its parts (7) orthogonal to u and (8) along u")


def derive_rest(m: Model) -> None:
    """grad S constant and in the kernel of every Hessian."""
    m.relation(norm2(u_one), 1, by="unit eigenvector")
    m.relation(norm2(u_two), 1, by="unit eigenvector")
    for t, axis in ((second, u_one), (third, u_two)):
        m.define(t.P, eye(D) - outer(axis, axis))
        m.relation(t.H @ gradS, 0, by="kernel")
        m.relation(dot(axis, gradS), 0, by="kernel")
    m.step("(2/eta) <u, grad S> = <H u, grad S> = <u, H grad S> = 0 at every time")
    m.define(at_rest, gradS)
    moved = third.factor @ second.factor @ gradS
    m.define(response[0, 0], dot(gradS, gradS))
    m.define(response[0, 2], dot(gradS, moved))
    m.define(beta, norm2(gradS))


def derive_reduced(m: Model) -> None:
    """Eq. (5) at t and t + 1 with one constant beta: all but one term of the sums cancel."""
    m.uses("damian23/lemma-4")
    m.define(now.delta, sqrt(2 * alpha / beta))
    m.define(y, eta * beta * p.responses)
    m.define(y_next, eta * beta * (p.responses + (now.delta**2 - x**2) / 2))
    m.define(x_next, -(1 + eta * y) * x)
    m.step("eq. (5) at t and at t + 1; the sum over s < t is common")


def derive_epsilon(m: Model) -> None:
    """The definition."""
    m.define(epsilon, eta * sqrt(alpha))


def derive_unitless(m: Model) -> None:
    """Units of length c and of loss k: theta = c theta', L = k L', read off Taylor's formula."""
    m.fully_symmetric(T)
    m.relation(norm2(now.u), 1, by="unit eigenvector")
    m.relation(hess @ now.u, (2 / eta) * now.u, by="edge of stability")
    m.define(alpha, -sharpness_slope_at(m))
    m.assume(Inequality(alpha, ">", zero), by="progressive sharpening")
    at, along, bent = (vector(name, D) for name in ("at", "along", "bent"))
    inside = at / runs.length
    cubic = dot(T(inside, inside), inside) / 6
    loss = runs.height * (dot(gradL, inside) + dot(inside, hess @ inside) / 2 + cubic)
    slope = m.gradient(loss, at)
    curved = m.gradient(dot(slope, along), at)
    third_derivative = m.gradient(dot(curved, bent), at)
    table: dict[Expr, Expr] = {at: 0 * at, along: now.u, bent: now.u}
    new_slope, new_bend = substitute(slope, table), substitute(third_derivative, table)
    m.step("a step of gradient descent is the same step in the new units: eta' = eta c^2/k")
    new_rate = eta * runs.length**2 / runs.height
    m.define(epsilon, eta * sqrt(alpha))
    m.define(epsilon_scaled, new_rate * sqrt(-dot(new_slope, new_bend)))


def sharpness_slope_at(m: Model) -> Expr:
    """The rate of the top eigenvalue along grad L."""
    return dot(now.u, T(gradL, now.u))


def derive_cycles(m: Model) -> None:
    """One step of eq. (5) around the fixed point, in the plane of a = log(|x|/delta) and y."""
    m.uses("damian23/sec5.reduces")
    m.uses("damian23/lemma-3")
    m.assume(Inequality(x, "!=", zero), by="moving")
    m.assume(Inequality(1 + eta * y, ">", zero), by="small step")
    m.define(x_next, -(1 + eta * y) * x)
    m.define(y_next, y + eta * (alpha - beta * x**2 / 2))
    size = log(level) / 2
    m.step("log(|x|/delta) = log(beta x^2/(2 alpha))/2 grows by log(1 + eta y)")
    m.define(turning, size * y_next - (size + log(1 + eta * y)) * y)
    z, rise = scalar("z", positive=True), scalar("rise")
    m.lemma("pull", Inequality((1 - z) * log(z), "<=", zero), where={z: level})
    m.lemma(
        "push",
        Inequality(rise * log(1 + eta * rise), ">=", zero),
        given=(Inequality(1 + eta * rise, ">", zero),),
        where={rise: y},
    )
    m.bound(eta)
    m.define(potential, g(absolute(x), y))
    rest = m.landau("rest")
    m.step("log(1 + eta y) = eta y + O(eta^2) in the potential of Lemma 3 after the step")
    grown = level * (1 + eta * y) ** 2
    logarithm = log(level) + 2 * (eta * y + eta**2 * y**2 * rest)
    m.define(potential_next, grown - logarithm - 1 + y_next**2 / alpha)


# -------------------------------------------------------------------------------- claims
FEW = {"quick": 3, "default": 10, "thorough": 40}
KERNEL = {"kernel": "grad S lies in the kernel of the Hessian at every time"}

CLAIMS = [
    Claim("damian23/def-3", projected, derive=derive_projected, simulate=runs.steps),
    Claim(
        "damian23/def-4",
        coefficients,
        derive=derive_coefficients,
        simulate=runs.coefficients,
        examples=FEW,
    ),
    Claim(
        "damian23/def-4.beta-st",
        response_defined,
        derive=derive_response,
        simulate=runs.responses,
        examples=FEW,
        reading="Written out for s = t, where the product is empty, and for t = s + 2.",
    ),
    Claim("damian23/def-5", displacement, derive=derive_displacement, simulate=runs.steps),
    Claim("damian23/def-6", small_parameter, derive=derive_epsilon),
    Claim(
        "damian23/def-7",
        predicted,
        derive=derive_step,
        simulate=runs.steps,
        reading="The index of grad S^perp in y_t = grad S^perp . v_t is t.",
    ),
    Claim("damian23/def-8", step_map, derive=derive_step, simulate=runs.steps),
    Claim("damian23/eq-7", step_across, derive=derive_step, simulate=runs.steps),
    Claim("damian23/eq-8", step_along, derive=derive_step, simulate=runs.steps),
    Claim("damian23/appC.step-iteration", iterates, derive=derive_step, simulate=runs.steps),
    Claim(
        "damian23/sec5.beta-constant",
        constant_response,
        hypotheses=KERNEL,
        derive=derive_rest,
        simulate=runs.at_rest_run,
        reading="Written out for s = t and t = s + 2: every factor of the product leaves grad S as "
        "it is.",
    ),
    Claim("damian23/sec5.reduces", simplified, derive=derive_reduced, simulate=runs.reduced),
    Claim(
        "damian23/def-6.unitless",
        unitless,
        derive=derive_unitless,
        simulate=runs.units,
        reading="Without units: the same number when lengths are measured in another unit c and "
        "losses in another unit k, and the learning rate so that the iterates are the same.",
    ),
    Claim(
        "damian23/sec7.conserved-potential",
        cycles,
        derive=derive_cycles,
        simulate=runs.toy_steps,
        reading="The sentence recalls section 4.2: '|x_t|, y_t' are modelled by the flow of eq. "
        "(4), which conserves the potential of Lemma 3. So of a step of eq. (5): it keeps that "
        "potential to first order in eta and turns around the fixed point always in one direction "
        "(the triangle of the fixed point and the two states in the plane of log(|x|/delta) and y "
        "is never positively oriented). The map itself conserves no potential: a step raises that "
        "of Lemma 3 by 2 (eta y - log(1 + eta y)) + eta^2 (...) > 0, and its determinant at the "
        "fixed point, 1 + 2 eta^2 alpha > 1, makes it spiral out.",
    ),
]
