r"""Facts about the Polyak-Lojasiewicz condition, on the whole space and on the sphere.

Setting:  |grad L|^2/2 >= mu (L - L*) near a local minimizer; a manifold of minimizers on which the
          Hessian has constant rank; gradient flow.
Claims:   the condition holds near such a manifold (Theorem D.3's proof); gradient flow has finite
          length (Theorem D.4's proof); the condition in a shell around the sphere (Theorem D.6's
          proof); what section 4.1 says of it informally.
Source:   Lyu, Li, Arora, arXiv:2206.07085, section 4.1 and appendix D.3.

Found: the condition does not follow from convexity (|x|^4), but from strong convexity.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
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
    sqrt,
    vector,
)

from . import _pl_runs as runs
from ._gwsi import INVARIANT, D
from ._pl_runs import (
    C_3,
    K,
    distance,
    eps,
    gap,
    gap_convex,
    gap_start,
    grad,
    grad_convex,
    grad_far,
    hess,
    lam_big,
    lam_small,
    length,
    mu,
    point,
    root_rate,
    velocity,
    x,
)

if TYPE_CHECKING:
    from eostheory.symbolic import Model

zero = as_expr(0)
HALF = Fraction(1, 2)

# -------------------------------------------------------------------------------- statements
definition = Inequality(norm2(grad) / 2, ">=", mu * gap)
upper: dict[str, Statement] = {
    "Taylor": Inequality(gap, "<=", dot(x, hess @ x) + C_3 * norm(x) ** 3),
    "uniform": Inequality(
        dot(x, hess @ x) + C_3 * norm(x) ** 3, "<=", (lam_big + C_3 * eps) * norm2(x)
    ),
}
lower: dict[str, Statement] = {
    "Taylor": Inequality(norm2(grad), ">=", dot(x, hess @ (hess @ x)) - C_3 * norm(x) ** 3),
    "uniform": Inequality(
        dot(x, hess @ (hess @ x)) - C_3 * norm(x) ** 3,
        ">=",
        (lam_small**2 - C_3 * eps) * norm2(x),
    ),
}
constant: dict[str, Statement] = {
    "PL": Inequality(
        norm2(grad) / 2,
        ">=",
        (lam_small**2 - C_3 * eps) / (2 * (lam_big + C_3 * eps)) * gap,
    ),
    "positive": Inequality((lam_small**2 - C_3 * eps) / (2 * (lam_big + C_3 * eps)), ">", zero),
}
square_root: dict[str, Statement] = {
    "rate": Equation(root_rate, -HALF * gap ** (-HALF) * norm(grad) * norm(velocity)),
    "bound": Inequality(
        -HALF * gap ** (-HALF) * norm(grad) * norm(velocity),
        "<=",
        -sqrt(2 * mu) / 2 * norm(velocity),
    ),
}
finite_length: dict[str, Statement] = {
    "length": Inequality(sqrt(2 * mu) / 2 * length, "<=", sqrt(gap_start)),
    "order": Inequality(sqrt(gap_start), "<=", K * distance),
}
in_a_shell = Inequality(norm2(grad_far) / 2, ">=", mu / 2 * gap)
informal: dict[str, Statement] = {
    "gradient": Inequality(norm2(grad), ">=", mu**2 * distance**2),
    "weaker than convexity": Inequality(norm2(grad_convex) / 2, ">=", mu * gap_convex),
}


# -------------------------------------------------------------------------------- derivations
MANIFOLD = {
    "psd": "the points of the manifold are minimizers: H >= 0, with top eigenvalue lambda_max",
    "near": "theta is within epsilon of its nearest point on the manifold",
}
RANK = {"rank": "H has constant rank and theta - P(theta) is normal: H >= lambda_min there"}


def derive_definition(m: Model) -> None:
    """A quadratic loss with curvature at least mu satisfies it."""
    m.define(grad, hess @ x)
    m.define(gap, dot(x, hess @ x) / 2)
    m.assume(Inequality(dot(x, hess @ x), ">=", zero), by="curvature")
    m.step("H^2 >= mu H for a semidefinite H without eigenvalues in (0, mu)")
    m.assume(Inequality(norm2(hess @ x), ">=", mu * dot(x, hess @ x)), by="curvature")


def derive_upper(m: Model) -> None:
    """Taylor of third order at the nearest point, where the gradient vanishes."""
    rest = scalar("remainder")
    m.define(gap, HALF * dot(x, hess @ x) + rest)
    m.step("|remainder| <= C_3 |x|^3 by the third derivative on a compact set")
    m.assume(Inequality(rest, "<=", C_3 * norm(x) ** 3), by="taylor")
    m.assume(Inequality(dot(x, hess @ x), ">=", zero), by="psd")
    m.assume(Inequality(dot(x, hess @ x), "<=", lam_big * norm2(x)), by="psd")
    m.assume(Inequality(norm(x), "<=", eps), by="near")


def derive_lower(m: Model) -> None:
    """grad L = H x + r with |r| <= C |x|^2, so that |grad|^2 >= |H x|^2 - 2 lambda_max C |x|^3."""
    rest, second = vector("r", D), scalar("C", positive=True)
    m.define(grad, hess @ x + rest)
    m.define(C_3, 2 * lam_big * second)
    m.assume(Inequality(norm(rest), "<=", second * norm2(x)), by="taylor")
    m.assume(Inequality(norm(hess @ x), "<=", lam_big * norm(x)), by="psd")
    m.assume(Inequality(norm(x), "<=", eps), by="near")
    m.assume(Inequality(norm2(hess @ x), ">=", lam_small**2 * norm2(x)), by="rank")
    a, b, c = (scalar(k, nonnegative=True) for k in ("a_x", "b_x", "c_x"))
    m.step("<H x, r> >= -|H x| |r| >= -lambda_max C |x|^3")
    m.lemma(
        "product",
        Inequality(a * b, "<=", lam_big * second * c**3),
        given=[Inequality(a, "<=", lam_big * c), Inequality(b, "<=", second * c**2)],
        where={a: norm(hess @ x), b: norm(rest), c: norm(x)},
    )


def derive_constant(m: Model) -> None:
    """The quotient of both bounds."""
    m.uses("lyu22/thm-D.3.p2")
    m.uses("lyu22/thm-D.3.p3")
    m.assume(Inequality(gap, "<=", (lam_big + C_3 * eps) * norm2(x)), by="upper")
    m.assume(Inequality(norm2(grad), ">=", (lam_small**2 - C_3 * eps) * norm2(x)), by="lower")
    m.assume(Inequality(C_3 * eps, "<", lam_small**2), by="small")


def derive_square_root(m: Model) -> None:
    """The chain rule along the flow."""
    m.define(velocity, -grad)
    slope = dot(grad, velocity)
    m.step("d/dt of the gap is <grad, velocity>")
    m.define(root_rate, m.differentiate(sqrt(gap), gap, as_expr(1)) * slope)
    m.assume(Inequality(norm2(grad) / 2, ">=", mu * gap), by="pl")


def derive_length(m: Model) -> None:
    """The bound on the rate of the root integrated from 0 to T."""
    m.uses("lyu22/thm-D.4.p1")
    left = scalar("root_end", nonnegative=True)
    smooth = scalar("rho", positive=True)
    m.assume(Inequality(sqrt(2 * mu) / 2 * length, "<=", sqrt(gap_start) - left), by="integrated")
    m.step("the gradient vanishes at theta*, so that L - L* <= rho/2 |theta_0 - theta*|^2")
    m.assume(Inequality(gap_start, "<=", smooth / 2 * distance**2), by="smooth")
    m.define(K, sqrt(smooth / 2))


def derive_shell(m: Model) -> None:
    """grad L(w) = grad L(w/|w|)/|w|, and |w|^2 <= 2."""
    m.uses("lyu22/lemma-D.1")
    m.relation(grad, norm(point) * grad_far, by="scale_invariant")
    m.assume(Inequality(norm2(grad) / 2, ">=", mu * gap), by="pl")
    m.assume(Inequality(norm2(point), "<=", as_expr(2)), by="shell")
    m.assume(Inequality(norm2(point), ">=", as_expr(HALF)), by="shell")
    m.assume(Inequality(gap, ">=", zero), by="minimizer")


def derive_informal(m: Model) -> None:
    """PL with the length of the flow; and convexity between theta and the minimizer."""
    m.uses("lyu22/thm-D.4.p2")
    m.assume(Inequality(norm2(grad) / 2, ">=", mu * gap), by="pl")
    m.assume(Inequality(distance, "<=", length), by="pl")
    m.assume(Inequality(sqrt(2 * mu) / 2 * length, "<=", sqrt(gap)), by="pl")
    m.step("the flow is at least as long as the distance: L - L* >= mu/2 |theta - theta*|^2")
    m.lemma(
        "quadratic growth",
        Inequality(mu / 2 * distance**2, "<=", gap),
    )
    strong = mu / 2 * norm2(x) if "strongly" not in m.withheld else 0 * mu
    m.assume(Inequality(gap_convex + strong, "<=", dot(grad_convex, x)), by="convex")
    quartic = {x: (Fraction(1, 16),), grad_convex: (Fraction(4, 16**3),)}
    free = {gap: 1, distance: 0, length: 0, grad: (2,), mu: 1}
    if "strongly" in m.withheld and "convex" not in m.withheld:
        m.step("|x|^4 with the gradient 4 x^3: violated where 8 x^2 < mu, for any mu; here mu = 1")
        m.example({**free, **quartic, gap_convex: Fraction(1, 16**4)})


QUOTIENT = "(lambda_min**2 - C_3*eps)*(2*(lambda_max + C_3*eps))**(-1)*gap"
LACKS_HALF = {
    f"simulation:PL:right {QUOTIENT} {change}": "true: the bound on L lacks Taylor's factor 1/2, "
    "so that twice the constant serves"
    for change in ("x2", "x1.001")
} | {"simulation:positive:left lambda_min**2 x1/2": "epsilon is that small in the runs"}


CLAIMS = [
    Claim(
        "lyu22/def-D.2",
        definition,
        {"curvature": "a quadratic without curvatures in (0, mu), which is one example"},
        derive=derive_definition,
        simulate=runs.quadratic,
        reading="Well defined: quadratics with a gap in their spectrum satisfy it.",
    ),
    Claim(
        "lyu22/def-4.3",
        definition,
        {"curvature": "a quadratic without curvatures in (0, mu), which is one example"},
        derive=derive_definition,
        simulate=runs.quadratic,
        reading="Well defined: quadratics with a gap in their spectrum satisfy it.",
    ),
    Claim(
        "lyu22/thm-D.3.p2",
        upper,
        MANIFOLD | {"taylor": "L is C^3 on a compact set"},
        derive=derive_upper,
        simulate=runs.near_manifold,
        reading="The quadratic term is printed without its factor 1/2, which only weakens it.",
        waive={"Taylor:right dot(x, hess @ x) x1/2": "true: Taylor's formula has the factor 1/2"},
    ),
    Claim(
        "lyu22/thm-D.3.p3",
        lower,
        MANIFOLD | RANK | {"taylor": "L is C^3 on a compact set"},
        derive=derive_lower,
        simulate=runs.near_manifold,
    ),
    Claim(
        "lyu22/thm-D.3.p4",
        constant,
        {
            "upper": "the bound on L - L(P(theta))",
            "lower": "the bound on |grad L|^2",
            "small": "epsilon is small",
        },
        derive=derive_constant,
        simulate=partial(runs.near_manifold, largest=2.0**-7),
        reading="That the printed number is a PL constant, and positive.",
        waive=LACKS_HALF,
    ),
    Claim(
        "lyu22/thm-D.4.p1",
        square_root,
        {"pl": "the PL inequality"},
        derive=derive_square_root,
        simulate=runs.flow_rate,
    ),
    Claim(
        "lyu22/thm-D.4.p2",
        finite_length,
        {"integrated": "the bound before, integrated", "smooth": "L is C^2"},
        derive=derive_length,
        reading="O(|theta_0 - theta*|) with a constant K.",
    ),
    Claim(
        "lyu22/thm-D.6.p1",
        in_a_shell,
        INVARIANT
        | {
            "pl": "the mu-PL inequality on the sphere",
            "shell": "1/sqrt 2 <= |w| <= sqrt 2",
            "minimizer": "theta* is a minimizer",
        },
        derive=derive_shell,
        simulate=runs.shell,
        reading="U' as printed is not open, as its shell is closed; the inequality holds on it.",
    ),
    Claim(
        "lyu22/sec4.1.pl-remark",
        informal,
        {
            "pl": "the PL inequality (for the first part)",
            "convex": "L is convex: L(theta) - L* <= <grad L(theta), theta - theta*>",
        },
        corrected_hypotheses={"strongly": "L is mu-strongly convex"},
        derive=derive_informal,
        simulate=runs.convex,
        reading="'Strictly weaker than convexity': convexity implies it. 'Grows faster than a "
        "quadratic': its square is at least mu^2 |theta - theta*|^2. For |x|^4 no mu > 0 serves, "
        "near its minimizer or elsewhere; nor for the scale-invariant (w_1/|w|)^4 on the sphere.",
    ),
]
