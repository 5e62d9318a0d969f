r"""The loss in three dimensions of figure 4 and appendix F.

Setting:  F(x, y, z) = 2 - (x + y)/sqrt(x^2 - x y + y^2), turned by an orthogonal matrix.
Claims:   F is scale-invariant; its minimizers on the sphere are where x = y > 0; its Hessian there,
          and the flattest of them.
Source:   Lyu, Li, Arora, arXiv:2206.07085, appendix F.

The derivation differentiates F twice as a formula.  (F has no value on the z-axis.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import Equation, Expr, Inequality, Statement, as_expr, scalar, sqrt

from . import _example_3d_runs as runs
from ._example_3d_runs import (
    H_xx,
    H_xy,
    H_xz,
    H_yy,
    H_yz,
    H_zz,
    c,
    flattest,
    loss,
    loss_scaled,
    loss_star,
    sharpness,
    x,
    y,
    z,
    z_other,
)

if TYPE_CHECKING:
    from eostheory.symbolic import Model

zero, one = as_expr(0), as_expr(1)


def F(a: Expr, b: Expr) -> Expr:
    """The loss as the appendix defines it; it does not contain z."""
    return 2 - (a + b) / sqrt(a**2 - a * b + b**2)


# -------------------------------------------------------------------------------- statements
definition: dict[str, Statement] = {
    "loss": Equation(loss, 2 - (x + y) / sqrt(x**2 - x * y + y**2)),
    "scale-invariant": Equation(loss_scaled, loss),
}
manifold: dict[str, Statement] = {
    "minimum": Inequality(loss, ">=", loss_star),
    "attained": Equation((loss - loss_star) * (2 * sqrt(x**2 - x * y + y**2) + x + y),
                         3 * (x - y) ** 2 / sqrt(x**2 - x * y + y**2)),
}  # fmt: skip
hessian: dict[str, Statement] = {
    "xx": Equation(H_xx, 3 / (x**2 + y**2)),
    "xy": Equation(H_xy, -3 / (x**2 + y**2)),
    "yy": Equation(H_yy, 3 / (x**2 + y**2)),
    "xz": Equation(H_xz, zero),
    "yz": Equation(H_yz, zero),
    "zz": Equation(H_zz, zero),
    "on the sphere": Equation(3 / (x**2 + y**2), 3 / (1 - z**2)),
}
flattest_point: dict[str, Statement] = {
    "sharpness": Equation(sharpness, 6 / (1 - z**2)),
    "monotone": Inequality(6 / (1 - z**2), "<", 6 / (1 - z_other**2)),
    "flattest": Inequality(flattest, "<=", sharpness),
    "at z = 0": Equation(flattest, as_expr(6)),
}


# -------------------------------------------------------------------------------- derivations
def derive_loss(m: Model) -> None:
    """F at (x, y, z) and at (c x, c y, c z)."""
    m.define(loss, F(x, y))
    m.define(loss_scaled, F(c * x, c * y))


def derive_manifold(m: Model) -> None:
    """4 (x^2 - x y + y^2) - (x + y)^2 = 3 (x - y)^2; the value at x = y > 0 is zero."""
    t = scalar("t", positive=True)
    m.assume(Inequality(x**2 - x * y + y**2, ">", zero), by="domain")
    m.define(loss, F(x, y))
    m.define(loss_star, F(t, t))
    m.step("F >= F* with equality where x = y and x + y > 0: there the second factor is positive")
    root = sqrt(x**2 - x * y + y**2)
    m.lemma("square", Inequality((x + y) ** 2, "<=", 4 * (x**2 - x * y + y**2)))
    m.lemma("root", Inequality(x + y, "<=", 2 * root))


def second(m: Model, a: Expr, b: Expr) -> Expr:
    """A second derivative of F, still away from Gamma."""
    return m.differentiate(m.differentiate(F(x, y), a, one), b, one)  # type: ignore[arg-type]


def derive_hessian(m: Model) -> None:
    """Two derivatives, and then x = y > 0 on the sphere."""
    entries = {H_xx: (x, x), H_xy: (x, y), H_yy: (y, y), H_xz: (x, z), H_yz: (y, z), H_zz: (z, z)}
    found = {letter: second(m, a, b) for letter, (a, b) in entries.items()}
    m.step("the derivatives are taken first; then y = x and 2 x^2 + z^2 = 1")
    from eostheory.formula import substitute

    for letter, value in found.items():
        m.define(letter, substitute(value, {y: x}))
    m.relation(y, x, by="gamma")
    m.relation(z**2, 1 - 2 * x**2, by="gamma")


def derive_flattest(m: Model) -> None:
    """The eigenvector (1, -1, 0)/sqrt 2; the trace is the only non-zero eigenvalue."""
    m.uses("lyu22/appF.hessian")
    m.step("H = 3/(1 - z^2) (e_1 - e_2)(e_1 - e_2)^T, and |e_1 - e_2|^2 = 2")
    m.define(sharpness, 2 * (3 / (1 - z**2)))
    m.define(flattest, 2 * (3 / (1 - zero)))
    m.assume(Inequality(z**2, "<", one), by="gamma")
    m.assume(Inequality(z_other**2, "<", one), by="gamma")
    m.assume(Inequality(z**2, "<", z_other**2), by="larger")


GAMMA = {"gamma": "the point lies on Gamma: x = y > 0 and x^2 + y^2 + z^2 = 1"}

CLAIMS = [
    Claim("lyu22/appF.loss", definition, derive=derive_loss, simulate=runs.values),
    Claim(
        "lyu22/appF.manifold",
        manifold,
        derive=derive_manifold,
        simulate=runs.values,
        reading="Minimizers on the sphere off the z-axis, where F has no value. The second part "
        "shows where the minimum is attained: x = y, and x + y > 0 for the factor not to vanish.",
    ),
    Claim("lyu22/appF.hessian", hessian, GAMMA, derive=derive_hessian, simulate=runs.hessian),
    Claim(
        "lyu22/appF.flattest",
        flattest_point,
        GAMMA | {"larger": "|z| is smaller at the one point than at the other"},
        derive=derive_flattest,
        simulate=runs.flattest_point,
    ),
]
