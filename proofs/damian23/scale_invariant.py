r"""Derivatives of scale-invariant losses with weight decay (Lemmas 7, 8, 10 and 11).

Setting:  f(c theta) = f(theta), L = f + lambda |theta|^2/2, theta_bar = theta/|theta|.
Claims:   gradient and Hessian from those at theta_bar (Lemma 7), at critical points (corollaries 2
          and 3); the gradient of the sharpness (Lemma 8); alpha and the alignment of the gradients
          at second-order stationary points (Lemmas 10, 11).
Source:   Damian, Nichani, Lee, arXiv:2209.15594, appendix H.1.

Found: the derivative of 1/|theta|^2 gives a factor 2 that Lemma 8 lacks, and with it Lemmas 10 and
11; corollary 3 is false at maxima, where theta itself is the top eigenvector; the middle of Lemma
11 repeats Lemma 10.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Inequality,
    Statement,
    as_expr,
    dot,
    eye,
    norm,
    norm2,
    outer,
    scalar,
    sqrt,
    vector,
)

from . import _homogeneous as h
from ._common import D, gradL, gradS, hess, sharpness, u
from ._homogeneous import (
    CRITICAL,
    INVARIANT,
    P,
    S_bar,
    S_f,
    S_f_bar,
    grad_bar,
    grad_f,
    grad_S_bar,
    grad_S_f,
    grad_S_f_bar,
    hess_bar,
    hess_f,
    jacobian,
    lam,
    r,
    theta,
    unit,
)
from ._homogeneous import alpha_ as alpha

if TYPE_CHECKING:
    from eostheory.symbolic import Model

zero = as_expr(0)
bare = S_bar - lam
across = P @ grad_S_bar

# -------------------------------------------------------------------------------- statements
normalisation = Equation(jacobian, P / r)
tangent = P @ grad_bar
lemma_7: dict[str, Statement] = {
    "gradient": Equation(grad_f, P @ grad_bar / r),
    "Hessian": Equation(
        hess_f, (P @ hess_bar @ P - outer(tangent, unit) - outer(unit, tangent)) / r**2
    ),
}
corollary_2 = Equation(hess_f, (P @ hess_bar @ P) / r**2)
corollary_3 = Equation(dot(u, gradL), zero)
top_across = Equation(dot(u, theta), zero)
regularised: dict[str, Statement] = {
    "Hessian": Equation(hess, hess_f + lam * eye(D)),
    "gradient": Equation(gradL, grad_f + lam * theta),
    "critical": Equation(grad_f + lam * theta, lam * theta),
}
scaling: dict[str, Statement] = {
    "Hessian": Equation(hess_f, hess_bar / r**2),
    "sharpness": Equation(S_f, S_f_bar / r**2),
}


def slope_f(factor: int) -> Statement:
    """The gradient of S_f, with the radial part times a factor."""
    return Equation(grad_S_f, (P @ grad_S_f_bar - factor * S_f_bar * unit) / r**3)


def slope(factor: int) -> Statement:
    """The gradient of S."""
    return Equation(gradS, (across - factor * bare * unit) / r**3)


def passage(factor: int) -> dict[str, Statement]:
    """From S_f to S."""
    return {"sharpness": Equation(sharpness, S_f + lam), "gradient": slope(factor)}


def sharpening(factor: int) -> dict[str, Statement]:
    """Lemma 10."""
    value = lam * bare / r**2
    value = value if factor == 1 else factor * value
    return {"value": Equation(alpha, value), "positive": Inequality(alpha, ">", zero)}


def sharpening_steps(factor: int) -> dict[str, Statement]:
    """The proof of Lemma 10."""
    radial = -(factor * bare * unit / r**3) if factor != 1 else -(bare * unit / r**3)
    value = lam * bare / r**2
    return {
        "definition": Equation(alpha, -dot(gradL, gradS)),
        "inserted": Equation(-dot(gradL, gradS), -dot(lam * theta, radial)),
        "product": Equation(-dot(lam * theta, radial), value if factor == 1 else factor * value),
    }


alignment = alpha / (norm(gradL) * norm(gradS))


def factors(factor: int) -> Statement:
    """The three factors in the proof of Lemma 11."""
    if factor == 1:
        width = sqrt(norm2(across) + bare**2)
        return Equation(alignment, lam * bare / r**2 * (1 / (lam * r)) * (r**3 / width))
    width = sqrt(norm2(across) + factor**2 * bare**2)
    return Equation(alignment, factor * lam * bare / r**2 * (1 / (lam * r)) * (r**3 / width))


def simplified(factor: int) -> Statement:
    """The last form of the alignment."""
    ratio = across / bare if factor == 1 else across / (factor * bare)
    return Equation(alignment, 1 / sqrt(1 + norm2(ratio)))


steep = scalar("C", "C", positive=True)
lemma_11_printed: dict[str, Statement] = {
    "value": Equation(alignment, lam * bare / r**2),
    "from above": Inequality(alignment, "<=", as_expr(1)),
    "from below": Inequality(alignment**2, ">=", 1 / (1 + steep**2)),
}
lemma_11_true: dict[str, Statement] = {**lemma_11_printed, "value": simplified(2)}


# -------------------------------------------------------------------------------- derivation
def derive_normalisation(m: Model) -> None:
    """The symmetric matrix J with y . J y = y . D(theta/|theta|) y for every y."""
    h.direction(m)
    y = vector("y", D)
    m.define(jacobian, m.hessian(dot(y, h.turned(m, y)) / 2, y))


def derive_lemma_7(m: Model) -> None:
    """The chain rule and Euler's relation."""
    h.chain_rule(m)
    h.invariant(m)


def derive_critical(m: Model) -> None:
    """The same at a critical point, with weight decay."""
    h.chain_rule(m)
    h.critical(m)
    h.regularised(m)


def derive_scaling(m: Model) -> None:
    """Top eigenvectors at theta_bar, applied to the Hessian at theta."""
    h.chain_rule(m)
    h.invariant(m)
    m.relation(norm2(u), 1, by="unit eigenvector")
    m.relation(hess_bar @ u, S_f_bar * u, by="eigenvector")
    m.define(S_f, dot(u, hess_f @ u))


def top_off_theta(m: Model, by: str) -> None:
    """H_f = P M P/|theta|^2 at a critical point, and its eigenvalue equation solved for u.

    Where S_f > 0, u = H_f u/S_f lies in the range of the projection off theta.
    """
    m.uses("damian23/cor-2")
    w = vector("w", D)
    m.relation(u, P @ hess_bar @ P @ w / (norm2(theta) * S_f), by=by)
    m.step("u = H_f u/S_f with H_f = P M P/|theta|^2 and S_f > 0; w stands for u on the right")


def derive_corollary_3(m: Model) -> None:
    """The top eigenvector off theta, where its eigenvalue is positive."""
    m.uses("damian23/cor-3.p2")
    m.define(gradL, lam * theta)
    h.direction(m)
    top_off_theta(m, by="not a maximum")
    if "not a maximum" in m.withheld:
        m.step("f = -theta_2^2/|theta|^2 at (1, 0): H_f = diag(0, -2), so that u = theta")
        m.example({u: (1, 0), theta: (1, 0), lam: 1})


def derive_slope(m: Model) -> None:
    """The chain rule for S_f(theta_bar)/|theta|^2."""
    h.sharpness_scaling(m)
    m.example({theta: (1, 0), h.grad_S_f_bar: (-2, 1), S_f_bar: 1, lam: 1})


def derive_stationary(m: Model) -> None:
    """At a second-order stationary point with a Hessian that does not vanish: S_f > 0."""
    derive_slope(m)
    m.assume(Inequality(S_f_bar, ">", zero), by="second order")
    m.define(gradL, lam * theta)
    m.define(alpha, -dot(gradL, gradS))


def derive_alignment(m: Model) -> None:
    """The same with the gradient of S_f at theta_bar split into its two parts."""
    tangential = vector("tangential", D)
    radial = scalar("radial")
    m.relation(dot(theta, tangential), 0, by="split")
    m.define(grad_S_f_bar, tangential + radial * theta)
    derive_stationary(m)
    bounded = Inequality(norm2(tangential), "<=", 4 * steep**2 * S_f_bar**2)
    m.assume(bounded, by="compactness")
    m.example({theta: (1, 0), tangential: (0, 1), radial: -2, S_f_bar: 1, lam: 1, steep: 1})


# -------------------------------------------------------------------------------- claims
NOT_MAXIMUM = {
    "not a maximum": "S_f(theta) > 0: the Hessian of f has a positive eigenvalue at theta"
}
SECOND = {"second order": "the Hessian of f is positive semidefinite at theta and does not vanish"}
COMPACT = {
    "compactness": "|P grad S(theta_bar)| <= 2 C (S(theta_bar) - lambda) for some constant C"
}
NOTHING = {
    f"{place} {change}": "grad f = 0 at a critical point"
    for place in ("gradient:right grad_f", "critical:left grad_f")
    for change in ("x2", "x1/2", "x1.001", "sign", "dropped")
}
SLOPES = {"quick": 3, "default": 8, "thorough": 30}
at_minimum = partial(h.observe_sharpness, at_minimum=True)
eigenvector = partial(h.observe_eigenvector, asked="not a maximum", name="size")

CLAIMS = [
    Claim(
        "damian23/lemma-7.p1",
        normalisation,
        derive=derive_normalisation,
        simulate=h.observe_any_point,
        examples=SLOPES,
    ),
    Claim(
        "damian23/lemma-7",
        lemma_7,
        hypotheses=INVARIANT,
        derive=derive_lemma_7,
        simulate=h.observe_point,
        examples=SLOPES,
    ),
    Claim(
        "damian23/cor-2",
        corollary_2,
        hypotheses=CRITICAL,
        derive=derive_critical,
        simulate=h.observe_critical,
        examples=SLOPES,
    ),
    Claim(
        "damian23/cor-3.p1",
        top_across,
        derive=derive_corollary_3,
        simulate=eigenvector,
        corrected_hypotheses=NOT_MAXIMUM,
        examples=SLOPES,
    ),
    Claim(
        "damian23/cor-3",
        corollary_3,
        derive=derive_corollary_3,
        simulate=eigenvector,
        corrected_hypotheses=NOT_MAXIMUM,
        examples=SLOPES,
    ),
    Claim(
        "damian23/cor-3.p2",
        regularised,
        hypotheses=CRITICAL,
        derive=derive_critical,
        simulate=h.observe_critical,
        waive=NOTHING,
        examples=SLOPES,
    ),
    Claim(
        "damian23/appH.spherical-sharpness",
        scaling["sharpness"],
        hypotheses=INVARIANT,
        derive=derive_scaling,
        simulate=h.observe_sharpness,
        examples=SLOPES,
    ),
    Claim(
        "damian23/lemma-8.p1",
        scaling,
        hypotheses=INVARIANT,
        derive=derive_scaling,
        simulate=h.observe_point,
        examples=SLOPES,
    ),
    Claim(
        "damian23/lemma-8.p2",
        slope_f(1),
        derive=derive_slope,
        simulate=h.observe_sharpness,
        corrected=slope_f(2),
        examples=SLOPES,
    ),
    Claim(
        "damian23/lemma-8.p3",
        passage(1),
        derive=derive_slope,
        simulate=h.observe_sharpness,
        corrected=passage(2),
        examples=SLOPES,
    ),
    Claim(
        "damian23/lemma-8",
        slope(1),
        derive=derive_slope,
        simulate=h.observe_sharpness,
        corrected=slope(2),
        examples=SLOPES,
    ),
    Claim(
        "damian23/lemma-10",
        sharpening(1),
        hypotheses=SECOND,
        derive=derive_stationary,
        simulate=at_minimum,
        corrected=sharpening(2),
        examples=SLOPES,
    ),
    Claim(
        "damian23/lemma-10.p1",
        sharpening_steps(1),
        derive=derive_stationary,
        simulate=at_minimum,
        corrected=sharpening_steps(2),
        examples=SLOPES,
    ),
    Claim(
        "damian23/lemma-11.p1",
        factors(1),
        hypotheses=SECOND,
        derive=derive_stationary,
        simulate=at_minimum,
        corrected=factors(2),
        examples=SLOPES,
    ),
    Claim(
        "damian23/lemma-11.p2",
        simplified(1),
        hypotheses=SECOND,
        derive=derive_stationary,
        simulate=at_minimum,
        corrected=simplified(2),
        examples=SLOPES,
    ),
    Claim(
        "damian23/lemma-11",
        lemma_11_printed,
        hypotheses=SECOND | COMPACT,
        derive=derive_alignment,
        simulate=at_minimum,
        corrected=lemma_11_true,
        examples=SLOPES,
        reading="'Theta(1)': at most one, and bounded below by 1/sqrt(1 + C^2) where |P grad S| <= "
        "2 C (S - lambda) on the sphere; such a C exists on the compact set of second-order "
        "stationary points of the sphere, where S - lambda > 0 is continuous.",
    ),
]
