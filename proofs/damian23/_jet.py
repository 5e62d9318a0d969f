"""A generic loss around the reference point: Taylor data, eigenpair, one gradient step.

Everything holds in any number of dimensions; remainders are Landau letters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eostheory.formula import (
    Equation,
    Expr,
    dot,
    eye,
    matrix,
    norm2,
    outer,
    substitute,
    to_latex,
    vector,
)

from ._common import (
    D,
    P,
    T,
    alpha,
    beta,
    eta,
    grad_theta,
    gradL,
    gradS,
    hess,
    q,
    r,
    sharpness,
    sharpness_star,
    star,
    theta,
    theta_next,
    u,
    v,
    x,
    x_next,
    xi,
    y,
    y_next,
)

if TYPE_CHECKING:
    from eostheory.symbolic import Model


def top_eigenpair(m: Model) -> None:
    """``H u = (2/eta) u``: the reference point lies on the edge of the stable set."""
    m.fully_symmetric(T)
    m.relation(hess @ u, (2 / eta) * u, by="edge of stability")
    m.relation(norm2(u), 1, by="unit eigenvector")


def sharpness_slope(m: Model, along: Expr) -> Expr:
    """The derivative of the sharpness in a direction, from the eigenvalue equation.

    Differentiate H u = S u: T(along, u) + H du = dS u + S du.  Paired with u, the terms with du
    cancel because H is symmetric.
    """
    du = vector("du", D, r"\dot u")
    paired = dot(u, T(along, u) + hess @ du) - (2 / eta) * dot(u, du)
    found = m.normal(paired)
    m.step("the eigenvalue equation, differentiated and paired with u", to_latex(found))
    return found


def sharpness_gradient(m: Model) -> Expr:
    """``grad S``: the vector that represents the derivative of the sharpness."""
    along = vector("along", D, r"\dot\theta")
    found = m.gradient(sharpness_slope(m, along), along)
    m.step("the gradient of the sharpness", f"\\nabla S = {to_latex(found)}")
    return found


def reference(m: Model) -> None:
    """Quantities at the reference point, derived; then the standing assumptions."""
    top_eigenpair(m)
    m.define(gradS, sharpness_gradient(m))
    m.define(alpha, -sharpness_slope(m, gradL))
    m.define(beta, norm2(gradS))
    standing(m)


def standing(m: Model) -> None:
    """The simplifying assumptions of section 4.

    The second contains the first, and more: for w in the kernel of H,
    (2/eta) <u, w> = <H u, w> = <u, H w> = 0.
    """
    m.relation(hess @ gradL, 0, by="kernel")
    m.relation(hess @ T(u, u), 0, by="kernel")
    m.relation(dot(u, gradL), 0, by="kernel")
    m.relation(dot(u, T(u, u)), 0, by="kernel")
    if "kernel" in m.withheld:
        m.relation(dot(u, T(u, u)), 0, by="perpendicular")
    m.step(
        "vectors in the kernel of H are orthogonal to u: (2/eta) <u, w> = <H u, w> = <u, H w> = 0; "
        "so grad S orthogonal to u is no assumption of its own"
    )


def displaced(m: Model) -> None:
    """``theta_t = theta* + r xi u + q v``, with v orthogonal to u and q at most of size r."""
    m.relation(dot(u, v), 0, by="v transverse to u")
    m.bound(r)
    m.bound(q / r)
    shift = r * xi * u + q * v
    m.define(theta, star + shift)
    m.define(x, dot(u, shift))
    m.define(y, dot(gradS, shift))


def shift_of(m: Model) -> Expr:
    """The displacement as a vector."""
    return r * xi * u + q * v


def gradient_there(m: Model, remainder: bool = True) -> Expr:
    """The gradient at ``theta_t``: Taylor's formula to third order of the loss."""
    shift = shift_of(m)
    found = gradL + hess @ shift + T(shift, shift) / 2
    if remainder:
        found = found + r**3 * m.landau("rho", (D,))
    m.step("Taylor's formula for the gradient, remainder of third order", to_latex(found))
    return found


def one_step(m: Model, remainder: bool = True) -> None:
    """One step of gradient descent and the coordinates after it."""
    m.define(grad_theta, gradient_there(m, remainder))
    shift = shift_of(m)
    m.define(theta_next, theta - eta * grad_theta)
    m.define(x_next, dot(u, shift - eta * grad_theta))
    m.define(y_next, dot(gradS, shift - eta * grad_theta))


def sharpness_there(m: Model) -> None:
    """The top eigenvalue at ``theta_t``, from the eigenvalue equation there.

    The eigenvector is u + r p with p orthogonal to u and bounded (the eigenvalue is simple), the
    Hessian is H + T(shift, .) + r^2 R with R bounded; paired with u the equation gives S.
    """
    turned = m.landau("p", (D,))
    m.relation(dot(u, turned), 0, by="normalisation of the eigenvector")
    rest = matrix("R", D, D, symmetric=True)
    vector_there = u + r * turned
    bent = hess @ vector_there + T(shift_of(m), vector_there) + r**2 * (rest @ vector_there)
    m.define(sharpness, dot(u, bent))
    m.step("the eigenvalue equation at theta_t, paired with u = u_t - r p", r"S(\theta_t)")


def transverse(m: Model) -> None:
    """The third derivative vanishes on pairs of vectors orthogonal to u (and nothing above it)."""
    by = "transverse"
    m.relation(dot(u, T(v, v)), 0, by=by)
    m.relation(dot(T(u, u), T(u, v)), 0, by=by)
    m.relation(dot(T(u, u), T(v, v)), 0, by=by)


def cubic_model(m: Model) -> None:
    """The cubic model in which section 4.1 works: displacement x u + v, no remainder.

    The third derivative enters only through grad S = T(u, u): what it does to pairs of vectors
    orthogonal to u is neglected (assumption 5 of section 5 says how small it must be).
    """
    m.uses("damian23/eq-3")
    top_eigenpair(m)
    m.define(gradS, sharpness_gradient(m))
    m.define(alpha, -sharpness_slope(m, gradL))
    m.define(beta, norm2(gradS))
    standing(m)
    m.relation(dot(u, v), 0, by="v transverse to u")
    transverse(m)
    shift = x * u + v
    m.define(y, dot(gradS, shift))
    step = shift - eta * (gradL + hess @ shift + T(shift, shift) / 2)
    m.define(x_next, dot(u, step))
    m.define(y_next, dot(gradS, step))


def scalar_map(m: Model) -> None:
    """The cubic model's step as a map of (x, y) alone.

    Both formulas are proved from the vectors, in every dimension, before they are used.
    """
    from eostheory.symbolic import Model as Vectors

    vectors = Vectors()
    cubic_model(vectors)
    m.uses("damian23/eq-3")
    for symbol, value in (
        (x_next, -x - eta * x * y),
        (y_next, y + eta * alpha - eta * beta * x**2 / 2),
    ):
        if vectors.decide(Equation(symbol, value)).outcome != "holds":
            raise AssertionError(f"the cubic model does not give {symbol} = {value}")
        m.define(symbol, value)
        m.step("one step of the cubic model, in any dimension", Equation(symbol, value).latex)


# -------------------------------------------------------------------------------- derivations
def derive_quantities(m: Model) -> None:
    """alpha and beta as rates of the sharpness along -grad L and along grad S."""
    m.fully_symmetric(T)
    m.relation(hess @ u, sharpness_star * u, by="eigenvector")
    m.relation(norm2(u), 1, by="unit eigenvector")
    along = vector("along", D, r"\dot\theta")
    du = vector("du", D, r"\dot u")
    paired = dot(u, T(along, u) + hess @ du) - sharpness_star * dot(u, du)
    m.define(gradS, m.gradient(m.normal(paired), along))
    rate = {direction: m.normal(substitute(paired, {along: direction})) for direction in RATES}
    m.define(alpha, -rate[gradL])
    m.define(beta, rate[gradS])
    m.step("alpha is the rate of the sharpness along -grad L", to_latex(m.normal(alpha)))
    m.step("beta is the rate of the sharpness along grad S", to_latex(m.normal(beta)))


def derive_assumptions(m: Model) -> None:
    """The assumptions as relations; what they say of the third derivative."""
    top_eigenpair(m)
    m.define(gradS, sharpness_gradient(m))
    standing(m)


def derive_coordinates(m: Model) -> None:
    """x from the splitting of the displacement, y as the change of the sharpness."""
    m.define(sharpness_star, 2 / eta)
    top_eigenpair(m)
    m.define(gradS, sharpness_gradient(m))
    m.relation(dot(u, v), 0, by="v transverse to u")
    shift = r * xi * u + q * v
    m.define(theta, star + shift)
    m.define(x, r * xi)
    m.define(y, sharpness_slope(m, shift))


def derive_sharpness(m: Model) -> None:
    """The sharpness at a displaced point; no standing assumption is needed."""
    m.define(sharpness_star, 2 / eta)
    top_eigenpair(m)
    m.define(gradS, sharpness_gradient(m))
    displaced(m)
    sharpness_there(m)


def derive_step(m: Model) -> None:
    """One step of gradient descent under the standing assumptions."""
    reference(m)
    displaced(m)
    one_step(m)


def derive_step_and_sharpness(m: Model) -> None:
    """One step, and the sharpness where it starts."""
    derive_step(m)
    sharpness_there(m)


def derive_orthogonal(m: Model) -> None:
    """One step, projected on the complement of u and grad S."""
    derive_step(m)
    m.relation(hess @ v, 0, by="kernel")
    m.bound(1 / norm2(gradS))
    m.define(P, eye(D) - outer(u, u) - (1 / norm2(gradS)) * outer(gradS, gradS))
    m.step("the transverse displacement lies in the kernel: it comes from grad L and grad S")


RATES = (gradL, gradS)
