r"""The descent lemma and the stable regime of section 4.1.

Setting:  theta' = Pi(theta - s g), s the effective rate, g = grad L(theta), <g, theta> = 0.
Claims:   the descent lemma (Lemma 4.1) and its proof; in what sense its curvature bounds the
          spherical sharpness; what section 4.1 reads off Theorem 4.2.
Source:   Lyu, Li, Arora, arXiv:2206.07085, section 4.1 and appendix G.1.

Found: the text after Theorem 4.2 states a smaller effective rate than the theorem.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import Equation, Inequality, Statement, as_expr, dot, norm2

from . import _descent_gd_runs as runs
from . import _descent_letters as d
from ._descent_letters import curve, descent, g, lam_max, loss, loss_next, pi, rate, rho_2, theta
from ._gwsi import INVARIANT, eta_hat, lam_hat

if TYPE_CHECKING:
    from eostheory.symbolic import Model

HALF = Fraction(1, 2)
product = eta_hat * lam_hat
FEW = {"quick": 1, "default": 6, "thorough": 30}

# -------------------------------------------------------------------------------- statements
taylor: dict[str, Statement] = {
    "projection": Equation(loss_next, d.loss_unprojected),
    "bound": Inequality(
        d.loss_unprojected,
        "<=",
        loss - dot(g, rate * g) + HALF * lam_max * norm2(rate * g),
    ),
}
sharpness_bound: dict[str, Statement] = {
    "at theta": Inequality(d.sharpness_theta, "<=", lam_max),
    "along the step": Inequality(d.sharpness_alpha, "<=", (1 + d.alpha**2 * norm2(g)) * lam_max),
}
text_of_42: dict[str, Statement] = {
    "gradient": Inequality(norm2(g), "<=", 8 * pi**4 * rho_2**2 * lam_hat * eta_hat),
    "rate": Inequality(rate, "<=", 1 / (pi**2 * rho_2)),
    "stable": Inequality(1 / (pi**2 * rho_2), "<", 2 / rho_2),
}
"""O(lambda eta) with the constant of the theorem, so that a wrong power would show."""
text_of_42_corrected: dict[str, Statement] = {
    "gradient": text_of_42["gradient"],
    "rate": Inequality(rate, "<=", 2 / (pi**2 * rho_2 * (1 - product))),
    "stable": Inequality(2 / (pi**2 * rho_2 * (1 - product)), "<", 2 / rho_2),
}


# -------------------------------------------------------------------------------- derivations
def derive_descent(m: Model) -> None:
    """Taylor along the step; the projection does not change the loss."""
    m.uses("lyu22/lemma-3.1")
    m.step("L(theta - s g) = L - s |g|^2 + s^2/2 <g, H g>, H somewhere on the step")
    m.define(d.loss_unprojected, loss - rate * norm2(g) + rate**2 / 2 * curve * norm2(g))
    m.assume(Inequality(curve, "<=", lam_max), by="supremum")
    if "scale_invariant" not in m.withheld:
        m.define(loss_next, d.loss_unprojected)


def derive_sharpness_bound(m: Model) -> None:
    """Spherical sharpness is |w|^2 times the sharpness at w; |theta - a g|^2 = 1 + a^2 |g|^2."""
    m.uses("lyu22/lemma-D.1")
    m.relation(norm2(theta), 1, by="unit")
    m.relation(dot(theta, g), 0, by="scale_invariant")
    m.define(d.sharpness_alpha, norm2(theta - d.alpha * g) * curve)
    for found in (curve, d.sharpness_theta):
        m.assume(Inequality(found, "<=", lam_max), by="supremum")
    if "scale_invariant" in m.withheld:
        table = {theta: (1, 0), g: (-1, 0), d.alpha: 1, curve: 1, lam_max: 1}
        m.example({**table, d.sharpness_theta: 1})


def derive_text(m: Model) -> None:
    """What Theorem 4.2 says of step t_0, and nothing else.

    The instance is a start at a stationary point with |w_0|^2 = pi^2 rho_2 eta: then T_0 = 0, hence
    t_0 = 0, and the rate is the largest that the theorem allows there.
    """
    m.uses("lyu22/thm-4.2")
    m.assume(Inequality(pi, ">", as_expr(3)), by="pi")
    m.assume(Inequality(pi, "<", as_expr(4)), by="pi")
    m.assume(text_of_42["gradient"], by="thm_4_2")  # type: ignore[arg-type]
    m.assume(text_of_42_corrected["rate"], by="thm_4_2")  # type: ignore[arg-type]
    m.assume(Inequality(product, "<=", as_expr(HALF)), by="thm_4_2")
    if not m.withheld:
        about = Fraction(22, 7)
        start = {eta_hat: 1, lam_hat: HALF, rho_2: 1, g: (0,), rate: 2 / about**2}
        m.example({**start, pi: about})


SUPREMUM = {"supremum": "lambda_max is the supremum along the step"}

CLAIMS = [
    Claim(
        "lyu22/lemma-4.1",
        descent,
        INVARIANT | SUPREMUM,
        derive=derive_descent,
        simulate=runs.steps,
        examples=FEW,
        reading="alpha in [0, rate] presupposes a rate >= 0, that is eta lambda < 1.",
    ),
    Claim(
        "lyu22/lemma-4.1.p1",
        taylor,
        INVARIANT | SUPREMUM,
        derive=derive_descent,
        simulate=runs.steps,
        examples=FEW,
    ),
    Claim(
        "lyu22/sec4.1.lammax-local",
        sharpness_bound,
        INVARIANT | SUPREMUM | {"unit": "theta is on the sphere"},
        derive=derive_sharpness_bound,
        simulate=runs.rates,
        examples=FEW,
    ),
    Claim(
        "lyu22/thm-4.2.text",
        text_of_42,
        {"thm_4_2": "what Theorem 4.2 says of step t_0", "pi": "3 < pi < 4"},
        derive=derive_text,
        corrected=text_of_42_corrected,
        waive={"stable:right 2*rho_2**(-1) x1/2": "true, too: 4/pi^2 < 1"},
        reading="What the text reads off Theorem 4.2, O(lambda eta) with the theorem's constant. "
        "With weight decay the theorem's own first rate may exceed what the text allows.",
    ),
]
