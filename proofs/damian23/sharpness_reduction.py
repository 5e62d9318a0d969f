r"""Gradient descent with weight decay on scale-invariant losses reduces the sharpness (appendix H).

Setting:  f(c theta) = f(theta), L = f + lambda |theta|^2/2, the problem min L subject to
          S <= 2/eta; sizes as eta tends to zero with eta lambda bounded away from 2.
Claims:   the chain of equivalent problems; orders of the third and fourth derivatives (Lemma 9);
          the conditions of section 5 at local minimisers (Lemma 6).
Source:   Damian, Nichani, Lee, arXiv:2209.15594, appendix H.

Found: eliminating the norm gives half the printed weight of S_f.  Lemma 9 is false for every f: at
a maximum of f on the sphere S_f = 0, so that S = lambda <= 4/eta at every norm, and the third
derivative, homogeneous of degree -3, is unbounded on the set.  It holds where S_f is bounded below.
Its proof has |theta| of order eta^(-1/2) for eta^(1/2) and theta for eta in two orders.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Expr,
    Inequality,
    OrderBound,
    Statement,
    as_expr,
    dot,
    norm,
    norm2,
    scalar,
    sqrt,
    vector,
)

from . import _homogeneous as h
from ._common import D, T, eta, gradL, gradS, sharpness, u
from ._homogeneous import INVARIANT, S_bar, S_f, S_f_bar, f_bar, lam, least, objective, r, theta
from ._homogeneous import alpha_ as alpha
from .scale_invariant import (
    COMPACT,
    SECOND,
    SLOPES,
    derive_alignment,
    derive_stationary,
    lemma_11_true,
    top_off_theta,
)

if TYPE_CHECKING:
    from eostheory.symbolic import Model

zero = as_expr(0)
bare = S_bar - lam
top = scalar("gap", r"4 - \eta\lambda", positive=True)
"""Of order one: eta lambda is bounded away from 2."""
flattest = scalar("S_min", r"S_f(\bar\theta)", positive=True)
third_bar = scalar("third_bar", r"\|\nabla^3 f(\bar\theta)\|", positive=True)
fourth_bar = scalar("fourth_bar", r"\|\nabla^4 f(\bar\theta)\|", positive=True)
slope_bar = scalar("slope_bar", r"\|P\nabla S - 2(S-\lambda)\bar\theta\|", positive=True)
free_radius = scalar("free_radius", "r", positive=True)
radius = scalar("radius", r"\|\theta\|", positive=True)
third = scalar("third", r"\|\nabla^3 L(\theta)\|", positive=True)
fourth = scalar("fourth", r"\|\nabla^4 L(\theta)\|", positive=True)
rho_3 = scalar("rho_3", r"\rho_3", positive=True)
rho_4 = scalar("rho_4", r"\rho_4", positive=True)
steepness = scalar("steepness", r"\|\nabla S(\theta)\|", positive=True)

# -------------------------------------------------------------------------------- statements
problem_f: dict[str, Statement] = {
    "objective": Equation(objective, f_bar + lam * norm2(theta) / 2),
    "constraint": Equation(sharpness - 2 / eta, S_f - (2 / eta - lam)),
}
problem_split: dict[str, Statement] = {
    "objective": Equation(objective, f_bar + lam * norm2(theta) / 2),
    "constraint": Equation(
        S_f - (2 / eta - lam), 1 / norm2(theta) * S_f_bar - (2 - eta * lam) / eta
    ),
}
penalised = Equation(least, f_bar + eta * lam / (2 - eta * lam) * S_f_bar)
penalised_true = Equation(least, f_bar + eta * lam / (2 * (2 - eta * lam)) * S_f_bar)


def power(base: Expr, numerator: int, denominator: int = 2) -> Expr:
    """``base^(numerator/denominator)``."""
    return base ** (as_expr(numerator) / denominator)


def theta_of(small: Expr, value: Expr) -> dict[str, Statement]:
    """``value = Theta(small)``."""
    return {
        "from above": OrderBound(value, zero, small),
        "from below": OrderBound(small, zero, value),
    }


radius_printed = theta_of(power(eta, -1), radius)
radius_true = theta_of(power(eta, 1), radius)
third_printed: dict[str, Statement] = {
    "homogeneous": Equation(third, third_bar / radius**3),
    "order": OrderBound(third, zero, power(radius, -3)),
}
third_true = {**third_printed, "order": OrderBound(third, zero, power(eta, -3))}
fourth_printed: dict[str, Statement] = {
    "homogeneous": Equation(fourth, fourth_bar / radius**4),
    "order": OrderBound(fourth, zero, radius**-2),
}
fourth_true = {**fourth_printed, "order": OrderBound(fourth, zero, eta**-2)}
lower_bound: dict[str, Statement] = {
    "norm": Equation(norm(T(u, u)), norm(gradS)),
    "bound": Inequality(norm(gradS), ">=", bare / r**3),
    **{f"order, {k}": v for k, v in theta_of(power(eta, -3), flattest / radius**3).items()},
}
fourth_order = OrderBound(rho_4, zero, eta * rho_3**2)
lemma_9: dict[str, Statement] = {
    "third, from above": OrderBound(rho_3, zero, power(eta, -3)),
    "third, from below": OrderBound(power(eta, -3), zero, rho_3),
    "fourth": OrderBound(rho_4, zero, eta**-2),
    "together": fourth_order,
}
steep_as_third = theta_of(rho_3, steepness)
across = Equation(dot(u, gradL), zero)
positive = Inequality(alpha, ">", zero)
aligned = {k: v for k, v in lemma_11_true.items() if k != "value"}
lemma_6: dict[str, Statement] = {
    "1": across,
    "2": fourth_order,
    "3": positive,
    **{f"4, {k}": v for k, v in aligned.items()},
    **{f"5, {k}": v for k, v in steep_as_third.items()},
}


# -------------------------------------------------------------------------------- derivation
def derive_problem(m: Model) -> None:
    """L and its sharpness at theta."""
    f_here = scalar("f_theta", r"f(\theta)")
    m.relation(f_here, f_bar, by="scale_invariant")
    m.define(objective, f_here + lam * norm2(theta) / 2)
    m.step("the Hessian of lambda |theta|^2/2 is lambda I")
    m.define(sharpness, S_f + lam)


def derive_split(m: Model) -> None:
    """The scaling of S_f."""
    derive_problem(m)
    m.uses("damian23/appH.spherical-sharpness")
    m.define(S_f, S_f_bar / norm2(theta))


def derive_least(m: Model) -> None:
    """The least norm that the constraint allows; the objective grows with the norm."""
    m.assume(Inequality(eta * lam, "<", as_expr(2)), by="eta lambda < 2")
    m.assume(Inequality(S_f_bar, ">", zero), by="S_f > 0")
    least_square = eta * S_f_bar / (2 - eta * lam)
    m.step("S_f/|theta|^2 <= (2 - eta lambda)/eta bounds |theta|^2 from below")
    m.define(least, f_bar + lam * least_square / 2)
    m.example({eta: 1, lam: 1, S_f_bar: 1, f_bar: 0})


def of_order_one(m: Model, *letters: Expr) -> None:
    """What depends on the direction alone, on lambda, or on eta lambda away from 2."""
    for letter in letters:
        m.bound(letter)
        m.bound(1 / letter)


def derive_radius(m: Model) -> None:
    """The norm where S = 4/eta in a direction with S_f > 0."""
    m.bound(eta)
    of_order_one(m, flattest, top, third_bar, fourth_bar)
    m.define(radius, sqrt(eta * flattest / top))
    m.step("S_f/|theta|^2 + lambda = 4/eta: |theta|^2 = eta S_f/(4 - eta lambda)")


def derive_homogeneous(m: Model) -> None:
    """f(theta) = f(c theta) with c = 1/|theta|, differentiated along a fixed direction."""
    derive_radius(m)
    s = scalar("s")
    for symbol, value, order, factorial in ((third, third_bar, 3, 6), (fourth, fourth_bar, 4, 24)):
        found: Expr = value * (s / radius) ** order / factorial
        for _ in range(order):
            found = m.differentiate(found, s, as_expr(1))
        m.define(symbol, found)
    m.step("lambda |theta|^2/2 has no third derivative")


def derive_suprema(m: Model) -> None:
    """The derivatives of f over the norm to the third and fourth power, where it is least."""
    m.uses("damian23/lemma-9.p2")
    m.uses("damian23/lemma-9.p3")
    derive_radius(m)
    found = third_bar / radius**3, fourth_bar / radius**4
    if "S_f bounded below" in m.withheld:
        m.step("where f is maximal on the sphere, S_f = 0 and S = lambda <= 4/eta at every norm")
        m.bound(free_radius)
        found = found[0] + third_bar / free_radius**3, found[1] + fourth_bar / free_radius**4
        m.step("a supremum is of the order of the sum of any two members that it bounds")
    m.define(rho_3, found[0])
    m.define(rho_4, found[1])


def derive_steepness(m: Model) -> None:
    """|grad S| at a minimiser on the edge, against rho_3."""
    derive_suprema(m)
    m.uses("damian23/lemma-8")
    edge_gap = scalar("edge_gap", r"2 - \eta\lambda", positive=True)
    here = scalar("S_here", r"S_f(\bar\theta)", positive=True)
    of_order_one(m, edge_gap, here, slope_bar)
    m.define(steepness, slope_bar / sqrt(eta * here / edge_gap) ** 3)


def derive_across(m: Model) -> None:
    """Corollary 3 at a local minimiser, where H_f is positive semidefinite and not zero."""
    m.uses("damian23/cor-3")
    m.define(gradL, lam * theta)
    h.direction(m)
    m.step("H_f is positive semidefinite and not zero: S_f > 0")
    top_off_theta(m, by="second order")


def derive_lower_bound(m: Model) -> None:
    """Lemmas 2 and 8."""
    m.uses("damian23/lemma-2")
    tangential = vector("tangential", D)
    radial = scalar("radial")
    m.relation(dot(theta, tangential), 0, by="split")
    m.define(h.grad_S_f_bar, tangential + radial * theta)
    h.sharpness_scaling(m)
    m.assume(Inequality(S_f_bar, ">", zero), by="S_f > 0")
    m.relation(T(u, u), gradS, by="Lemma 2")
    m.patience = 0.1
    derive_radius(m)


def derive_lemma_6(m: Model) -> None:
    """The five parts together."""
    for claim in ("cor-3", "lemma-9", "lemma-10", "lemma-11"):
        m.uses(f"damian23/{claim}")
    derive_alignment(m)
    top_off_theta(m, by="second order")
    derive_steepness(m)


# -------------------------------------------------------------------------------- claims
BELOW = {"S_f bounded below": "S_f(theta_bar) >= s_0 > 0 on the directions in question"}
NEAR = (
    "rho_3 and rho_4 are taken where S_f is bounded below, near the trajectory (footnote 5 of the "
    "paper), see Lemma 9. "
)
SIZES = (
    "lambda is fixed and eta tends to zero; what depends on the direction alone is of order one."
)
GROWS = "every order here tends to infinity as eta tends to zero, so that this says less"
WEAK = {
    f"*{change}": GROWS
    for change in ("right 0 +1", "right 0 -1", "order rho_3+1", "order steepness+1")
}
LOOSE = "the bound is not sharp: |grad S| is at least twice its right-hand side (Lemma 8)"
NOT_SHARP = {
    f"bound:{change}": LOOSE
    for change in (
        "right (S_bar - lambda)*(norm(theta)**3)**(-1) x2",
        "right (S_bar - lambda)*(norm(theta)**3)**(-1) x1.001",
        "left norm(grad_S) x1/2",
    )
} | {
    f"simulation:bound:{change}": LOOSE
    for change in (
        "right S_bar x1.001",
        "right S_bar x2",
        "right -lambda x1/2",
        "right -lambda dropped",
        "right -lambda sign",
        "right -1 +1",
        "right (norm(theta)**3)**(-1) exponent +1",
        "right norm(theta)**3 exponent +1",
        "right norm(theta)**3 exponent -1",
    )
}
eigenvector = partial(h.observe_eigenvector, asked="second order", name="size")
at_minimum = partial(h.observe_sharpness, at_minimum=True)

CLAIMS = [
    Claim(
        "damian23/appH.chain.p1",
        problem_f,
        hypotheses=INVARIANT,
        derive=derive_problem,
        simulate=h.observe_values,
        reading="Equivalent: the same objective and the same constraint at every theta.",
    ),
    Claim(
        "damian23/appH.chain.p2",
        problem_split,
        hypotheses=INVARIANT,
        derive=derive_split,
        simulate=h.observe_values,
        reading="Equivalent: the same objective and the same constraint at every theta.",
    ),
    Claim(
        "damian23/appH.chain.p3",
        penalised,
        derive=derive_least,
        simulate=h.observe_least,
        corrected=penalised_true,
        reading="For every direction, the least objective over all norms that meet the constraint "
        "(S_f > 0 and eta lambda < 2, without which no norm does or all do).",
        examples=SLOPES,
    ),
    Claim(
        "damian23/lemma-9.p1",
        radius_printed,
        derive=derive_radius,
        corrected=radius_true,
        reading=SIZES + " At equality, S = 4/eta; the assumption S < 4/eta gives '>' only.",
    ),
    Claim(
        "damian23/lemma-9.p2",
        third_printed,
        derive=derive_homogeneous,
        corrected=third_true,
        waive=WEAK,
        reading=SIZES + " 'O(theta^(-3/2))' is of the norm of theta; eta is meant.",
    ),
    Claim(
        "damian23/lemma-9.p3",
        fourth_printed,
        derive=derive_homogeneous,
        corrected=fourth_true,
        waive=WEAK,
        reading=SIZES + " 'O(theta^(-2))' is of the norm of theta; eta is meant.",
    ),
    Claim(
        "damian23/lemma-9.p4",
        lower_bound,
        derive=derive_lower_bound,
        simulate=h.observe_slope,
        waive=NOT_SHARP | WEAK,
        examples=SLOPES,
        reading="The order of the bound at S = 4/eta. " + SIZES,
    ),
    Claim(
        "damian23/lemma-9",
        lemma_9,
        derive=derive_suprema,
        corrected_hypotheses=BELOW,
        waive=WEAK,
        reading=SIZES + " The set is the one printed, {S <= 4/eta}. For f = -theta_2^2/|theta|^2 "
        "every (r, 0) lies in it, where S = lambda and the entry (1, 2, 2) of the third "
        "derivative is 4/r^3.",
    ),
    Claim(
        "damian23/lemma-6.1",
        across,
        hypotheses=SECOND,
        derive=derive_across,
        simulate=eigenvector,
        examples=SLOPES,
        reading="A local minimiser whose Hessian vanishes has no unique top eigenvector.",
    ),
    Claim("damian23/lemma-6.2", fourth_order, derive=derive_suprema, waive=WEAK, reading=NEAR),
    Claim(
        "damian23/lemma-6.3",
        positive,
        hypotheses=SECOND,
        derive=derive_stationary,
        simulate=at_minimum,
        examples=SLOPES,
        reading="The Hessian of f is non-vanishing, as section H.1 assumes.",
    ),
    Claim(
        "damian23/lemma-6.4",
        aligned,
        hypotheses=SECOND | COMPACT,
        derive=derive_alignment,
        simulate=at_minimum,
        examples=SLOPES,
        reading="'Theta(1)' as in Lemma 11.",
    ),
    Claim(
        "damian23/lemma-6.5",
        steep_as_third,
        derive=derive_steepness,
        waive=WEAK,
        reading=NEAR + SIZES,
    ),
    Claim(
        "damian23/lemma-6",
        lemma_6,
        hypotheses=SECOND | COMPACT,
        derive=derive_lemma_6,
        waive=WEAK,
        reading=NEAR + SIZES,
    ),
]
