r"""Orders of the terms in one step of the constrained trajectory (Lemma 13).

Setting:  the KKT conditions of the projection with multipliers x, y; sizes eta, G = |grad L_t| and
          epsilon, to which Assumption 4 ties rho_3: epsilon^2 = a eta^2 rho_3 G, |grad S^perp| =
          b rho_3, with a and b of order one.
Claims:   the steps of the proof that carry O(...), and the Lemma.
Source:   Damian, Nichani, Lee, arXiv:2209.15594, appendix I.1.

Remainders are bounded letters times what Lemma 12 gives.  The signs of x, x' and y' are free by
u -> -u and s -> -s; they are taken positive where the paper prints absolute values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    OrderBound,
    Statement,
    dot,
    matrix,
    norm2,
    scalar,
    vector,
)

from ._common import D, eta, gradL, hess, sharpness, u
from ._constants import rho3, zero
from ._constrained_runs import (
    dagger,
    dagger_next,
    grad_next,
    loss_next,
    s,
    sharpness_next,
    size,
    u_next,
)
from ._constrained_runs import loss_now as loss
from .constrained import ACTIVE, assemble, assembled_true, derive_active, epsilon

if TYPE_CHECKING:
    from eostheory.symbolic import Model

x = scalar("x_size", "x", positive=True)
y = scalar("y_size", "y", positive=True)
x_prime = scalar("x_prime_size", "x'", positive=True)
y_prime = scalar("y_prime_size", "y'", positive=True)
x_found = scalar("x_found", "x'")
y_found = scalar("y_found", "y'")
gradS = vector("grad_S_t", D, r"\nabla S_t")
alpha = scalar("alpha_t", r"\alpha_t")
steep = scalar("steep_t", r"\|\nabla S_t^\perp\|", positive=True)
tilt = scalar("tilt_share", "t")
share = scalar("a", "a", positive=True)
width = scalar("b", "b", positive=True)
step = vector("step_d", D, r"\theta_{t+1}^\dagger-\theta_t^\dagger")
reach = scalar("reach", r"\|\theta_{t+1}^\dagger-\theta_t^\dagger\|", positive=True)

# -------------------------------------------------------------------------------- statements
moved = OrderBound(
    dagger_next,
    dagger - eta * gradL - x * sharpness * u - y * gradS,
    (x * eta * rho3 + y * eta**2 * rho3**2) * size,
)
primed = dagger - eta * gradL - x_prime * u - y_prime * s
new_variables = OrderBound(dagger_next, primed, eta**2 * rho3 * size * (x_prime + y_prime))
small_error: dict[str, Statement] = {
    "first": OrderBound(dagger_next, primed, eta**3 * rho3 * size**2),
    "second": OrderBound(dagger_next, primed, epsilon**2 * eta * size),
}
orthogonality: dict[str, Statement] = {
    "split": Equation(
        dot(grad_next, u_next),
        dot(gradL, u) + dot(grad_next - gradL, u) + dot(grad_next, u_next - u),
    ),
    "value": OrderBound(dot(grad_next, u_next), -(x_prime * sharpness), epsilon**2 * size),
    "x'": OrderBound(x_found, zero, epsilon**2 * eta * size),
}
sharpness_there = OrderBound(
    sharpness_next,
    2 / eta + eta * alpha - y_prime * steep,
    epsilon**2 * rho3 * eta * size,
)
multiplier = OrderBound(y_found, -(eta * dot(gradL, s)), epsilon**2 * eta * size)
lemma_13: dict[str, Statement] = {
    "update": assembled_true["second"],
    "sharpness": Equation(sharpness_next, 2 / eta),
}
taylor = OrderBound(
    loss_next, loss + dot(gradL, step) + dot(step, hess @ step) / 2, rho3 * reach**3
)


# -------------------------------------------------------------------------------- derivation
def scales(m: Model, unit: bool = True) -> None:
    """Assumption 4 as equations between sizes, and an orthonormal pair u, s."""
    m.step("epsilon^2 = eta^2 alpha, alpha = a rho_3 |grad L|, |grad S^perp| = b rho_3")
    m.bound(epsilon)
    for letter in (share, width):
        m.bound(letter)
        m.bound(1 / letter)
    m.bound(tilt)
    m.define(rho3, epsilon**2 / (share * eta**2 * size))
    m.define(steep, width * rho3)
    for a in (u, s):
        m.relation(norm2(a), 1, by="orthonormal")
    m.relation(dot(u, s), 0, by="orthonormal")
    m.define(sharpness, 2 / eta)
    m.define(gradS, tilt * rho3 * u + steep * s)
    if unit:
        direction = vector("unit", D)
        m.relation(norm2(direction), 1, by="orthonormal")
        m.relation(dot(u, direction), 0, by="theta in M")
        m.define(gradL, size * direction)


def derive_moved(m: Model) -> None:
    """Lemma 12 between theta_t^dagger and theta_{t+1}^dagger, at most 2 eta |grad L| apart."""
    m.uses("damian23/lemma-12.4")
    m.uses("damian23/lemma-12.5")
    m.uses("damian23/lemma-13.p2")
    scales(m)
    far = eta * size
    top = sharpness + rho3 * far * m.landau("change_of_S")
    axis = u + eta * rho3 * far * m.landau("change_of_u", (D,))
    turned = eta * rho3 * size * m.landau("grad_u", (D,))
    slope = gradS + eta * rho3**2 * far * m.landau("change_of_grad_S", (D,))
    m.define(dagger_next, dagger - eta * gradL - x * (top * axis + turned) - y * slope)


def derive_new_variables(m: Model) -> None:
    """x and y through x' and y' (lemma-13.p4) in the error of p3."""
    m.uses("damian23/lemma-13.p3")
    m.uses("damian23/lemma-13.p4")
    scales(m)
    x_now = eta / 2 * (x_prime - y_prime * tilt / width)
    y_now = y_prime / steep
    first, second = m.landau("error_x", (D,)), m.landau("error_y", (D,))
    error = x_now * eta * rho3 * size * first + y_now * eta**2 * rho3**2 * size * second
    main = x_now * sharpness * u + y_now * gradS
    m.define(dagger_next, dagger - eta * gradL - main + error)


def derive_small_error(m: Model) -> None:
    """x' and y' are O(eta |grad L|)."""
    m.uses("damian23/lemma-13.p6")
    scales(m)
    sizes = eta * size * (m.landau("x_share") + m.landau("y_share"))
    m.define(dagger_next, primed + eta**2 * rho3 * size * sizes * m.landau("error", (D,)))


def derive_orthogonality(m: Model) -> None:
    """grad L . u at the two ends; it vanishes at both."""
    m.uses("damian23/lemma-13.p7")
    m.uses("damian23/lemma-12.4")
    scales(m)
    scaled = matrix("scaled", D, D, r"\eta\nabla^2 L", symmetric=True)
    m.relation(scaled @ u, 2 * u, by="eigenvector")
    m.define(hess, scaled / eta)
    m.bound(x_prime / (eta * size))
    m.bound(y_prime / (eta * size))
    d = -eta * gradL - x_prime * u - y_prime * s
    d = d + epsilon**2 * eta * size * m.landau("error", (D,))
    m.define(grad_next, gradL + hess @ d + rho3 * (eta * size) ** 2 * m.landau("bent", (D,)))
    m.define(u_next, u + eta * rho3 * eta * size * m.landau("turn", (D,)))
    m.define(x_found, eta / 2 * epsilon**2 * size * m.landau("rest"))
    m.step("the left-hand side is zero: x' S = O(epsilon^2 |grad L|)")


def derive_sharpness(m: Model) -> None:
    """Taylor's formula for S with the step of p7 and x' of p8."""
    m.uses("damian23/lemma-13.p8")
    m.uses("damian23/lemma-12.5")
    scales(m)
    m.define(alpha, -dot(gradL, gradS))
    d = -eta * gradL - y_prime * s
    d = d + epsilon**2 * eta * size * (m.landau("x_error") * u + m.landau("error", (D,)))
    remainder = eta * rho3**2 * (eta * size) ** 2 * m.landau("rest")
    m.define(sharpness_next, 2 / eta + dot(gradS, d) + remainder)


def derive_multiplier(m: Model) -> None:
    """The equation of p11, solved for y'."""
    m.uses("damian23/lemma-13.p10")
    scales(m)
    across = gradS - dot(u, gradS) * u
    rest = epsilon**2 * rho3 * eta * size * m.landau("rest")
    m.define(y_found, (-(eta * dot(gradL, across)) + rest) / steep)


def derive_lemma(m: Model) -> None:
    """The assembled update, and the active bound on the sharpness."""
    assemble(m)
    m.uses("damian23/sec3.constrained-init")
    m.uses("damian23/lemma-13.p10")
    m.step("S_0 = 2/eta by the choice of the time origin; from S_t = 2/eta to S_{t+1} = 2/eta:")
    derive_active(m)


def derive_taylor(m: Model) -> None:
    """Taylor's formula with the third derivative at a point of the step."""
    heading = vector("heading", D, "e")
    m.define(step, reach * heading)
    third = rho3 * reach**3 * m.landau("third")
    slope, bend = dot(gradL, heading), dot(heading, hess @ heading)
    m.define(loss_next, loss + reach * slope + reach**2 * bend / 2 + third / 6)


# -------------------------------------------------------------------------------- claims
edge_printed = Equation(sharpness, zero)
edge_true = Equation(sharpness, 2 / eta)


def derive_edge(m: Model) -> None:
    """theta_0^dagger is on the edge by the choice of the time origin."""
    m.uses("damian23/sec3.constrained-init")
    m.define(sharpness, 2 / eta)
    m.example({eta: 1})


STABLE = {
    f"split:right {term} {change}": "grad L_t . u_t = 0"
    for term in ("dot(grad_L, u)", "-grad_L")
    for change in ("x2", "x1/2", "x1.001", "sign", "dropped")
} | {"split:right -1 +1": "grad L_t . u_t = 0"}

CLAIMS = [
    Claim(
        "damian23/lemma-13.p1",
        edge_printed,
        derive=derive_edge,
        corrected=edge_true,
        reading="The hypothesis of the induction that proves S_t = 2/eta.",
    ),
    Claim("damian23/lemma-13.p3", moved, derive=derive_moved),
    Claim("damian23/lemma-13.p5", new_variables, derive=derive_new_variables),
    Claim("damian23/lemma-13.p7", small_error, derive=derive_small_error),
    Claim("damian23/lemma-13.p8", orthogonality, derive=derive_orthogonality, waive=STABLE),
    Claim("damian23/lemma-13.p9", sharpness_there, derive=derive_sharpness),
    Claim("damian23/lemma-13.p11", multiplier, derive=derive_multiplier),
    Claim(
        "damian23/lemma-13",
        lemma_13,
        hypotheses=ACTIVE,
        derive=derive_lemma,
        reading="S_t = 2/eta by induction over t: the start is the choice of the time origin, the "
        "step is judged.",
    ),
    Claim("damian23/lemma-14.p1", taylor, derive=derive_taylor),
]
