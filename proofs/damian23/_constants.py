"""Constants and sizes of the assumptions of section 5, as letters of appendix I.1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eostheory.formula import Inequality, as_expr, scalar, vector

from ._common import D, eta

if TYPE_CHECKING:
    from eostheory.symbolic import Model

zero = as_expr(0)
c = scalar("c", "c")
"""The constant of assumption 2, below 2."""
rho3 = scalar("rho_3", r"\rho_3", positive=True)
rho4 = scalar("rho_4", r"\rho_4", nonnegative=True)
gap = scalar("gap", r"\lambda_1 - \lambda_2", positive=True)
d = vector("d", D, r"\theta'-\theta")
"""From one point of a ball to another; the ball is convex."""

ASSUMPTION_2 = {"eigengap": "lambda_2 < c/eta at theta_t^dagger with c < 2 (Assumption 2)"}
ASSUMPTION_3 = {"third derivative": "|D^3 L|_op <= rho_3 (Assumption 3)"}
BALL = {"ball": "theta lies in S_t: within (2 - c)/(4 eta rho_3) of theta_t^dagger"}
RADIUS = (2 - c) / (4 * eta * rho3)


def below_two(m: Model) -> None:
    """The constant c."""
    m.assume(Inequality(c, "<", as_expr(2)), by="c < 2")


def wide_gap(m: Model) -> None:
    """What Lemma 12 shows of the eigengap on a ball."""
    m.uses("damian23/lemma-12.p1")
    m.assume(Inequality(gap, ">=", (2 - c) / (2 * eta)), by="eigengap")
