r"""The general setting: loss, Hessian, Gram matrix and gradient flow of any network.

Setting:  n scalar outputs of a twice differentiable network with p parameters, squared error
          (any loss in the Gauss-Newton split).
Claims:   the objective, the Hessian as a mean and its Gauss-Newton split, the Gram matrix M and
          its duality with G, the residual under gradient flow (1), (23), the standing definitions.
Source:   Li, Wang, Li, arXiv:2207.12678, section 2 and appendix F.

The network enters a derivation by its jet, for all n and p.  A Hessian is compared by its
quadratic form along any direction delta, which determines it.

In section 2 the last member of the objective is printed with a comma, (f(theta, x_i), y_i)^2, in
place of the minus sign of the loss (z - y)^2 defined just before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import Equation, Inequality, Statement, dot, norm2, vector

from ._generic_net import (
    J_D,
    D,
    D_dot,
    F,
    G,
    J,
    Lambda,
    M,
    Y,
    any_v,
    bends,
    curvatures,
    delta,
    e_i,
    eigenvector_of_G,
    ell_i,
    f_i,
    first_order,
    g_i,
    grad_L,
    hess,
    lam,
    loss,
    loss_bends,
    losses,
    ones,
    second_along,
    second_order,
    slopes,
    spectra,
    tangent,
    theta,
    theta_dot,
    theta_next,
    u,
    v,
    y_i,
)
from ._linear_net import eta, n

if TYPE_CHECKING:
    from eostheory.formula import Expr
    from eostheory.symbolic import Model

# ----------------------------------------------------------------------------------- statements
squared_error = Equation(ell_i, (f_i - y_i) ** 2)
outputs: dict[str, Statement] = {
    "outputs": Equation(dot(e_i, F), f_i),
    "residual": Equation(D, F - Y),
}
objective = {
    "mean": Equation(loss, 1 / n * dot(ones, losses)),
    "squared errors": Equation(1 / n * dot(ones, losses), 1 / n * norm2(F - Y)),
}
stacked = Equation(J.T @ e_i, g_i)
gram = Equation(M, 2 / n * (J @ J.T))
sharpness: dict[str, Statement] = {
    "eigenvalue": Equation(M @ v, Lambda * v),
    "largest": Inequality(dot(any_v, M @ any_v), "<=", Lambda * norm2(any_v)),
}
duality = {
    "pushed": Equation(M @ (J @ u), J @ (G @ u)),
    "eigenvector": Equation(J @ (G @ u), lam * (J @ u)),
}
flow = {
    "chain rule": Equation(D_dot, J_D @ theta_dot),
    "descent": Equation(D_dot, -(J @ grad_L)),
    "residual": Equation(D_dot, -2 / n * (J @ J.T @ D)),
    "Gram": Equation(D_dot, -(M @ D)),
}
descent = Equation(theta_next, theta - eta * grad_L)
hessian_mean = Equation(dot(delta, hess @ delta), 1 / n * dot(ones, loss_bends))
gauss_newton = Equation(
    dot(delta, hess @ delta),
    1 / n * (dot(J @ delta, curvatures @ (J @ delta)) + dot(slopes, bends)),
)
fisher = Equation(G, 2 / n * (J.T @ J))


# ---------------------------------------------------------------------------------- derivations
def derive_loss(m: Model) -> None:
    """One sample's loss."""
    m.define(ell_i, (y_i - f_i) ** 2)


def derive_outputs(m: Model) -> None:
    """Outputs by their entries, residual by its labels."""
    m.define(f_i, dot(e_i, F))
    m.define(D, F - Y)


def derive_objective(m: Model) -> None:
    """The mean of the losses, which are the squares of the residual's entries."""
    m.define(loss, dot(ones, losses) / n)
    m.relation(dot(ones, losses), norm2(F - Y), by="squared error")


def derive_jacobian(m: Model) -> None:
    """Rows of the Jacobian: gradients of the outputs."""
    tangent(m)
    m.define(g_i, m.gradient(dot(e_i, F), theta))


def derive_gram(m: Model) -> None:
    """The quadratic form (2/n) |J^T v|^2."""
    tangent(m)
    probe = vector("probe", "n")
    m.define(M, m.hessian(1 / n * norm2(m.gradient(dot(probe, F), theta)), probe))


def derive_sharpness(m: Model) -> None:
    """The largest eigenvalue by what makes it that."""
    m.relation(M @ v, Lambda * v, by="eigenvalue")
    m.assume(Inequality(dot(any_v, M @ any_v), "<=", Lambda * norm2(any_v)), by="largest")


def derive_fisher(m: Model) -> None:
    """The Hessian of the squared error of the linearised network."""
    tangent(m)
    m.define(G, m.hessian(loss, theta))


def derive_duality(m: Model) -> None:
    """An eigenvector of G."""
    m.define(M, 2 / n * (J @ J.T))
    m.define(G, 2 / n * (J.T @ J))
    m.relation(J.T @ J @ u, n * lam / 2 * u, by="eigenvector")
    m.uses("li22/eq-2.gram")
    m.uses("li22/eq-F.G")


def derive_flow(m: Model) -> None:
    """The derivative of the residual along minus the gradient of the loss."""
    tangent(m)
    m.define(theta_dot, -grad_L)
    m.define(J_D, J)
    if m.decide(Equation(J_D @ delta, m.differentiate(D, theta, delta))).outcome == "holds":
        m.step("the labels do not move: D has the Jacobian of F")
    m.define(D_dot, m.differentiate(D, theta, theta_dot))
    m.define(M, 2 / n * (J @ J.T))
    m.step("only first derivatives of the network enter: its tangent at theta stands for it")
    m.uses("li22/eq-2.gram")


def derive_descent(m: Model) -> None:
    """One step along minus the gradient."""
    tangent(m)
    m.define(theta_next, theta + eta * m.gradient(-loss, theta))


def derive_hessian(m: Model) -> None:
    """Second derivative of the mean loss from those of the samples."""
    start, slope = vector("losses_0", "n"), vector("losses_1", "n")
    along = second_along(m, lambda s: dot(ones, start + s * slope + s**2 / 2 * loss_bends) / n)
    m.relation(dot(delta, hess @ delta), along, by="second derivative")


def derive_split(m: Model) -> None:
    """Jets of the outputs along delta and of the samples' losses in the outputs."""

    def mean_loss(s: Expr) -> Expr:
        moved = s * (J @ delta) + s**2 / 2 * bends
        return (dot(slopes, moved) + dot(moved, curvatures @ moved) / 2) / n

    m.relation(dot(delta, hess @ delta), second_along(m, mean_loss), by="second derivative")
    m.step("the loss along theta + s delta to second order, from the jets of f and of the loss")


EIGENVECTOR = {"eigenvector": "G u = lambda u"}
FORM = "Compared as quadratic forms along any direction delta, with the sums over i as products."
SUM = "The sum over the samples is a product with the vector of ones."

CLAIMS = [
    Claim("li22/def-2.ell", squared_error, derive=derive_loss, simulate=first_order),
    Claim("li22/def-2.FD", outputs, derive=derive_outputs, simulate=first_order),
    Claim(
        "li22/eq-2.loss",
        objective,
        derive=derive_objective,
        simulate=first_order,
        reading=SUM + " The comma in the printed (f(theta, x_i), y_i)^2 is read as the minus sign "
        "of the loss (z - y)^2, which the line before defines.",
    ),
    Claim("li22/eq-2.gram", gram, derive=derive_gram, simulate=first_order),
    Claim(
        "li22/def-2.sharpness",
        sharpness,
        derive=derive_sharpness,
        simulate=spectra,
        waive={"simulation:*": "a weaker bound; that the bound is attained is the other part"},
    ),
    Claim(
        "li22/eq-2.duality",
        duality,
        hypotheses=EIGENVECTOR,
        derive=derive_duality,
        simulate=eigenvector_of_G,
    ),
    Claim("li22/eq-1", flow, derive=derive_flow, simulate=first_order),
    Claim(
        "li22/eq-F.hess", hessian_mean, derive=derive_hessian, simulate=second_order, reading=FORM
    ),
    Claim("li22/eq-F.GN", gauss_newton, derive=derive_split, simulate=second_order, reading=FORM),
    Claim(
        "li22/eq-F.G",
        fisher,
        derive=derive_fisher,
        simulate=first_order,
        reading="The exact part: the matrix that is introduced. That its norm is close to that of "
        "the Hessian is an observation.",
    ),
    Claim("li22/claim-F.grad", stacked, derive=derive_jacobian, simulate=first_order),
    Claim("li22/eq-22", gram, derive=derive_gram, simulate=first_order),
    Claim(
        "li22/eq-F.dual",
        duality,
        hypotheses=EIGENVECTOR,
        derive=derive_duality,
        simulate=eigenvector_of_G,
    ),
    Claim("li22/eq-F.gd", descent, derive=derive_descent, simulate=first_order),
    Claim("li22/eq-23", flow, derive=derive_flow, simulate=first_order),
]
