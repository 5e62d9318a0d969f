r"""Scalar RMSprop in two forms, and two schedulers that are quasi-RMSprop.

Setting:  v' = beta v + (1 - beta) |g|^2 and theta' = theta - eta/sqrt(v) g; the schedulers of
          Definitions B.3 and B.6.
Claims:   both forms of scalar RMSprop are one, with v/eta^2 for the moment; the RMSprop scheduler
          and the GWSI scheduler satisfy Definition B.5.
Source:   Lyu, Li, Arora, arXiv:2206.07085, appendices B.1 and B.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Inequality,
    Statement,
    absolute,
    as_expr,
    norm,
    norm2,
    scalar,
    sqrt,
)

from . import _rmsprop_runs as runs
from ._gwsi import beta, eta, gbar, moment, moment_next, rate, scheduler
from ._rmsprop_runs import (
    beta_min,
    delta_v,
    grad,
    theta,
    theta_next,
    theta_next_scheduled,
    v,
    v_next,
)

if TYPE_CHECKING:
    from eostheory.symbolic import Model

zero = as_expr(0)
poly = scalar("poly", r"P(\bar g_t)", nonnegative=True)

# -------------------------------------------------------------------------------- statements
eq_5 = Equation(theta_next, theta - (eta / sqrt(v)) * grad)
eq_6 = Equation(v_next, beta * v + (1 - beta) * norm2(grad))
rmsprop_scheduler: dict[str, Statement] = {
    "rate": Equation(rate, 1 / sqrt(moment)),
    "moment": Equation(moment_next, beta * moment + (1 - beta) * gbar**2),
    "gradient": Equation(gbar, norm(grad) / eta),
}
eq_7 = Equation(theta_next_scheduled, theta - rate * grad)
equivalence: dict[str, Statement] = {
    "moment": Equation(moment, v / eta**2),
    "next moment": Equation(moment_next, v_next / eta**2),
    "parameters": Equation(theta_next_scheduled, theta_next),
}
rms_is_quasi: dict[str, Statement] = {
    "rate": Equation(absolute(rate - 1 / sqrt(moment)), zero),
    "moment": Equation(absolute(moment_next - (beta * moment + (1 - beta) * gbar**2)), zero),
}
quasi_rmsprop: dict[str, Statement] = {
    "rate": Inequality(
        absolute(rate - 1 / sqrt(moment)), "<=", delta_v * (1 - beta) * (1 + gbar**2)
    ),
    "moment": Inequality(
        absolute(moment_next - (beta * moment + (1 - beta) * gbar**2)),
        "<=",
        delta_v * (1 - beta) ** 2 * poly,
    ),
}
gwsi_is_quasi = Inequality(
    1 / (4 * beta * moment) * (1 - beta) ** 2 * gbar**4, "<=", delta_v * (1 - beta) ** 2 * gbar**4
)


# -------------------------------------------------------------------------------- derivations
def derive_standard(m: Model) -> None:
    """The gradient divided by the root of an average of its squares, times eta."""
    m.define(theta_next, theta + eta * (-(v ** (-as_expr(1) / 2)) * grad))
    m.define(v_next, norm2(grad) + beta * (v - norm2(grad)))


def derive_alternative(m: Model) -> None:
    """The standard form in other units: the gradient in units of eta."""
    derive_standard(m)
    m.define(gbar, norm(grad) / eta)
    m.define(moment, v / eta**2)
    m.define(moment_next, v_next / eta**2)
    m.define(rate, eta / sqrt(v))
    m.define(theta_next_scheduled, theta_next)


def derive_equivalence(m: Model) -> None:
    """Definition B.3, started at v_0/eta^2, against (5) and (6)."""
    m.define(theta_next, theta - (eta / sqrt(v)) * grad)
    m.define(v_next, beta * v + (1 - beta) * norm2(grad))
    m.step("induction: the moment is v/eta^2 at step t; the same follows for step t + 1")
    m.define(moment, v / eta**2)
    m.define(gbar, norm(grad) / eta)
    m.define(moment_next, beta * moment + (1 - beta) * gbar**2)
    m.define(rate, 1 / sqrt(moment))
    m.define(theta_next_scheduled, theta - rate * grad)


def derive_quasi(m: Model) -> None:
    """Both left sides of Definition B.5 vanish."""
    m.uses("lyu22/def-B.3")
    m.define(rate, 1 / sqrt(moment))
    m.define(moment_next, beta * moment + (1 - beta) * gbar**2)


def derive_perturbed(m: Model) -> None:
    """A scheduler off by shares a and b, of at most one, of what the definition allows."""
    a, b = scalar("a"), scalar("b")
    allowed = delta_v * (1 - beta)
    m.define(rate, 1 / sqrt(moment) + a * allowed * (1 + gbar**2))
    m.define(moment_next, beta * moment + (1 - beta) * gbar**2 + b * allowed * (1 - beta) * poly)
    for share in (a, b):
        m.assume(Inequality(share, "<=", as_expr(1)), by="shares")
        m.assume(Inequality(share, ">=", -as_expr(1)), by="shares")
    m.assume(Inequality(beta, "<", as_expr(1)), by="beta")
    m.assume(Inequality(delta_v, ">=", zero), by="delta")


def derive_gwsi(m: Model) -> None:
    """delta(v) = 1/(4 beta_min v) and P(g) = g^4."""
    m.uses("lyu22/def-B.5")
    m.uses("lyu22/def-B.6")
    m.define(moment_next, scheduler(moment, gbar, beta))
    m.step("the rate is exact; the moment differs from RMSprop's by the printed term")
    m.define(delta_v, 1 / (4 * beta_min * moment))
    m.assume(Inequality(beta, ">", beta_min), by="beta_min")
    m.assume(Inequality(beta, "<", as_expr(1)), by="beta")


CLAIMS = [
    Claim("lyu22/eq-5", eq_5, derive=derive_standard, simulate=runs.rmsprop),
    Claim("lyu22/eq-6", eq_6, derive=derive_standard, simulate=runs.rmsprop),
    Claim("lyu22/def-B.1", {"5": eq_5, "6": eq_6}, derive=derive_standard, simulate=runs.rmsprop),
    Claim("lyu22/def-B.3", rmsprop_scheduler, derive=derive_alternative, simulate=runs.rmsprop),
    Claim("lyu22/eq-7", eq_7, derive=derive_alternative, simulate=runs.rmsprop),
    Claim("lyu22/def-B.4", eq_7, derive=derive_alternative, simulate=runs.rmsprop),
    Claim(
        "lyu22/def-B.5",
        quasi_rmsprop,
        derive=derive_perturbed,
        reading="Well defined: every perturbation within the bounds is such a scheduler. P(gbar) "
        "is a letter, non-negative for the bound to make sense.",
    ),
    Claim(
        "lyu22/secB.1.equivalence",
        equivalence,
        derive=derive_equivalence,
        simulate=runs.rmsprop,
    ),
    Claim(
        "lyu22/secB.1.rms-is-quasi",
        rms_is_quasi,
        derive=derive_quasi,
        simulate=runs.rmsprop,
        reading="delta = 0 in Definition B.5: the left sides of its bounds are zero.",
    ),
    Claim(
        "lyu22/secB.2.gwsi-is-quasi",
        gwsi_is_quasi,
        {"beta_min": "beta > beta_min"},
        derive=derive_gwsi,
        simulate=runs.gwsi,
        reading="With delta(v) = 1/(4 beta_min v), which is continuous, and P(g) = g^4; the rate "
        "of the GWSI scheduler is 1/sqrt(v) exactly.",
    ),
]
