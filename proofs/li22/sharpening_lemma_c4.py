r"""Lemma C.4: the output norm grows while one decay factor lies strictly between 0 and 1.

Setting:  property 2 of Lemma C.3, D = -Pi Y + e; labels with z_i >= kappa sqrt(n) (C.2).
Claims:   the inner product expanded (p1) and bounded (p2, p3), and its sign (p4, the lemma).
Source:   Li, Wang, Li, "Analyzing Sharpness along GD Trajectory", appendix C.2.

p1: the products end at t-1, not at t.  p3: m >= 112 c_1 n^2/lambda_r^2 leaves 5 lambda_r/(14 c_1)
and 25 lambda_r^2/(196 c_1^2 n) of the error terms, not what is printed, which needs c_1 >= 1
(n >= 1 alone makes up for the other factor).
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import Equation, Inequality, Statement, as_expr, dot, norm2, scalar

from ._linear_net import D, F, M_tilde, Y, eta, lam1, n, width
from ._sharpening import WIDTH, Pi, Pi_next, c1, constants, e, lam_r, proved, unit
from ._sharpening_band import (
    EXPANSION,
    SQUARED_ERROR,
    a_1,
    best,
    chain,
    expanded,
    in_any_run,
    in_the_band,
    inner_product,
    kappa,
    linear,
    on_trajectories,
    p_i,
    quadratic,
    shares,
    small_error,
    spread,
    true_shares,
    width_in_errors,
    z_i,
)
from ._sharpening_runs import FAR

if TYPE_CHECKING:
    from eostheory.formula import Expr
    from eostheory.symbolic import Model

Parts = dict[str, Statement]

a_2 = scalar("a_2", positive=True)
others = scalar("others", r"\sum_{j\ne i}z_j^2p_j(1-p_j)", nonnegative=True)
least = scalar("least", r"\min\{a_1-a_1^2,a_2-a_2^2\}", positive=True)

# ------------------------------------------------------------------------------- statements
descent = -dot(D, F)


def _expansion(product: Expr) -> Statement:
    main = dot(Y, product @ (unit - product) @ Y)
    return Equation(descent, main + dot(Y, (2 * product - unit) @ e) - norm2(e))


errors = Inequality(descent, ">=", spread - linear - quadratic)
with_width = Inequality(spread - linear - quadratic, ">=", kappa**2 * n * best - shares())
with_width_true = Inequality(spread - linear - quadratic, ">=", kappa**2 * n * best - true_shares())
positive: Parts = {
    "band": Inequality(descent, ">=", kappa**2 * n * least - shares()),
    "sign": Inequality(kappa**2 * n * least - shares(), ">", as_expr(0)),
}
lemma = Inequality(descent, ">", as_expr(0))


# ------------------------------------------------------------------------------ derivations
def derive_expansion(m: Model) -> None:
    """Property 2 and F = D + Y."""
    expanded(m)
    m.define(Pi_next, (unit - eta * M_tilde) @ Pi)


def derive_errors(m: Model) -> None:
    """The expansion in the eigenbasis, and Cauchy-Schwarz."""
    constants(m)
    inner_product(m)
    small_error(m)


def one_direction(m: Model) -> None:
    """One direction of the sum; the others contribute nothing negative."""
    m.define(best, p_i * (1 - p_i))
    m.define(spread, others + z_i**2 * best)
    m.assume(Inequality(p_i, ">=", as_expr(0)), by="p21.req")
    m.assume(Inequality(p_i, "<=", as_expr(1)), by="p21.req")
    m.assume(Inequality(z_i**2, ">=", kappa**2 * n), by="assumption C.2")
    proved(m, "best direction", kappa**2 * n * best, z_i**2 * best)


def derive_width(m: Model) -> None:
    """The width in the error terms, with lambda_1 = c_1 n."""
    constants(m)
    one_direction(m)
    m.generic = False
    m.example(narrow)
    width_in_errors(m)
    chain(
        m,
        "together",
        (kappa**2 * n * best, z_i**2 * best),
        (linear, 5 * lam_r / (14 * c1)),
        (quadratic, 25 * lam_r**2 / (196 * c1**2 * n)),
        (as_expr(0), others),
    )


def narrow() -> dict[object, object]:
    """Rank one, c_1 = 1/10, enough samples, and the smallest width that is allowed."""
    return {
        n: 16,
        lam1: Fraction(8, 5),
        lam_r: Fraction(8, 5),
        width: 1120,
        kappa: 1,
        z_i: 4,
        p_i: Fraction(1, 2),
        others: 0,
    }


def in_band(m: Model) -> None:
    """(14) and the number of samples; p (1 - p) on [a_1, a_2] is smallest at an end."""
    m.assume(Inequality(p_i, ">=", a_1), by="(14)")
    m.assume(Inequality(p_i, "<=", a_2), by="(14)")
    m.assume(Inequality(a_2, "<", as_expr(1)), by="(14)")
    m.assume(Inequality(least, "<=", a_1 - a_1**2), by="minimum")
    m.assume(Inequality(least, "<=", a_2 - a_2**2), by="minimum")
    m.assume(Inequality(196 * kappa**2 * n * least, ">", 70 * lam_r + 25 * lam_r**2), by="samples")
    proved(m, "ends of the band", least, p_i * (1 - p_i))


def derive_positive(m: Model) -> None:
    """From (C.4)."""
    in_band(m)
    m.define(best, p_i * (1 - p_i))
    m.assume(Inequality(descent, ">=", kappa**2 * n * best - shares()), by="(C.4)")
    proved(m, "scaled", kappa**2 * n * least, kappa**2 * n * best)


def derive_lemma(m: Model) -> None:
    """The steps together; (C.4) needs c_1 >= 1, so that the printed form is left undecided."""
    constants(m)
    in_band(m)
    m.define(best, p_i * (1 - p_i))
    on_trajectories(m, D)
    m.assume(Inequality(descent, ">=", kappa**2 * n * best - true_shares()), by="p2, p3")
    m.assume(Inequality(c1, ">=", as_expr(1)), by="c_1")
    proved(m, "scaled", kappa**2 * n * least, kappa**2 * n * best)
    m.lemma("constants", Inequality(true_shares(), "<=", shares()))
    m.generic = False


BAND = {
    "(14)": "0 < a_1 <= p_i <= a_2 < 1",
    "minimum": "the minimum is at most either number",
    "samples": "n > (70 lambda_r + 25 lambda_r^2)/(196 kappa^2 min)",
}

CLAIMS = [
    Claim(
        "li22/lemma-C.4.p1",
        _expansion(Pi_next),
        derive=derive_expansion,
        simulate=in_any_run,
        waive=SQUARED_ERROR,
        corrected=_expansion(Pi),
    ),
    Claim(
        "li22/lemma-C.4.p2",
        errors,
        EXPANSION,
        derive=derive_errors,
        simulate=in_the_band,
        waive=FAR,
        reading="the sum over i is Y^T Pi (I - Pi) Y in the eigenbasis",
        rests_on=("li22/lemma-C.3.p21.req",),
    ),
    Claim(
        "li22/lemma-C.4.p3",
        with_width,
        WIDTH | {"assumption C.2": "z_i >= kappa sqrt(n)", "p21.req": "0 <= p_i <= 1"},
        derive=derive_width,
        simulate=in_the_band,
        waive=FAR,
        corrected=with_width_true,
        reading="i is the direction where the maximum is attained",
    ),
    Claim(
        "li22/lemma-C.4.p4",
        positive,
        BAND | {"(C.4)": "the bound (C.4)"},
        derive=derive_positive,
    ),
    Claim(
        "li22/lemma-C.4",
        lemma,
        WIDTH | BAND | {"p2, p3": "the bound that p2 and the width give, with c_1"},
        derive=derive_lemma,
        corrected_hypotheses={"c_1": "c_1 >= 1, that is lambda_1 >= n"},
        rests_on=("li22/lemma-C.4.p2", "li22/lemma-C.4.p4"),
    ),
]
