r"""Lemma C.6: the number of samples, the first direction, and the residual at the end.

Setting:  labels with z_i >= kappa sqrt(n) (C.2); lambda_1 = c_1 n; the band [a_1, a_2] of C.5.
Claims:   what the number of samples gives (remark, (16), p6) and the residual when every factor is
          below eps/sqrt(n) (p8 to p10).
Source:   Li, Wang, Li, "Analyzing Sharpness along GD Trajectory", appendix C.2.

The remark has a_2 = e^{(a_1-1)/chi} below e^{-1/chi}; it is above.  (16) does not follow from the
number of samples, not even with the minus that is printed for a plus: that number bounds a_1 and
e^{-1/chi} - e^{-2/chi}, not a_1 - a_1^2 and a_2 - a_2^2.  p10 uses c_1 >= 1, as Lemma C.4 does.
p6 fails when the first step leaves p_1 < eta c_1.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Inequality,
    Statement,
    as_expr,
    exp,
    norm2,
    scalar,
    sqrt,
)

from ._linear_net import (
    D,
    eta,
    lam1,
    n,
    width,
)
from ._sharpening import (
    ON_RANGE,
    c1,
    constants,
    lam_r,
    norm_of,
    proved,
    triangle,
)
from ._sharpening_band import (
    a_1,
    best,
    chi,
    epsilon,
    in_the_band,
    kappa,
    largest,
    norm_e,
    norm_product,
    p_1,
    quadratic,
)
from ._sharpening_runs import FAR
from .sharpening_lemma_c6 import E1, both_shares

if TYPE_CHECKING:
    from eostheory.formula import Expr
    from eostheory.symbolic import Model

Parts = dict[str, Statement]


a_2 = scalar("a_2", positive=True)


through_first: Parts = {
    "first direction": Inequality(
        kappa**2 * n * best - both_shares,
        ">=",
        kappa**2 * n * (1 - eta * c1) * (eta * c1) - both_shares,
    ),
    "sign": Inequality(kappa**2 * n * (1 - eta * c1) * (eta * c1) - both_shares, ">", as_expr(0)),
}


final_product = Inequality(norm_product, "<=", epsilon / sqrt(n))


at_the_end = n * largest**2 + 80 * n**2 / (lam_r * width) * largest + quadratic


final_residual = Inequality(norm2(D), "<=", at_the_end)


def _final_number(scale: Expr | int, samples: Expr | int) -> Statement:
    bound = epsilon**2 + 5 * epsilon * lam_r / (7 * scale * sqrt(n))
    return Inequality(at_the_end, "<", bound + 25 * lam_r**2 / (196 * samples * n))


def _remark(relation: str) -> Parts:
    return {
        "a_1": Equation(a_1, epsilon / sqrt(n)),
        "a_2": Equation(a_2, exp((a_1 - 1) / chi)),
        "below": Inequality(a_2, "<" if relation == "<" else ">", exp(-1 / chi)),
    }


def _sixteen(first_end: Expr, second_end: Expr, right: Expr) -> Parts:
    scaled = kappa**2 * n
    return {
        "a_1": Inequality(scaled * first_end, ">", right),
        "a_2": Inequality(scaled * second_end, ">", right),
        "rate": Inequality(scaled * ((1 - eta * c1) * (eta * c1)), ">", right),
    }


root = exp(-1 / chi)


sixteen = _sixteen(a_1 - a_1**2, a_2 - a_2**2, 5 * lam_r / 7 - 25 * lam_r**2 / 98)


sixteen_true = _sixteen(a_1, root - root**2, both_shares)


def derive_through_first(m: Model) -> None:
    """The first direction: p_1 <= 1 - eta c_1 from the first step on, and the number of samples."""
    m.define(c1, lam1 / n)
    m.assume(Inequality(best, ">=", p_1 * (1 - p_1)), by="maximum")
    m.assume(Inequality(p_1, "<=", 1 - eta * c1), by="p13")
    m.assume(Inequality(p_1, ">=", eta * c1), by="early")
    m.assume(Inequality(eta * c1, "<", as_expr(1)), by="rate")
    samples = 98 * kappa**2 * n * (eta * c1) * (1 - eta * c1)
    m.assume(Inequality(samples, ">", 70 * lam_r + 25 * lam_r**2), by="samples")
    proved(m, "p(1-p) between the ends", (1 - eta * c1) * (eta * c1), p_1 * (1 - p_1))
    proved(m, "best direction", kappa**2 * n * (1 - eta * c1) * (eta * c1), kappa**2 * n * best)
    m.generic = False
    if "early" in m.withheld:
        m.example(
            {
                n: 100,
                lam1: Fraction(1, 10),
                lam_r: Fraction(1, 10),
                eta: 240,
                kappa: 1,
                p_1: Fraction(1, 25),
                best: Fraction(24, 625),
            }
        )


def derive_final_product(m: Model) -> None:
    """The norm of a positive semidefinite matrix below a = eps/sqrt(n): |Pi u|^2 <= a u^T Pi u."""
    size = scalar("form", r"\mathbf u^\top\Pi\mathbf u", nonnegative=True)
    m.assume(Inequality(norm_product**2, "<=", epsilon / sqrt(n) * size), by="t_2")
    m.assume(Inequality(size, "<=", epsilon / sqrt(n)), by="t_2")


def derive_final_residual(m: Model) -> None:
    """The triangle inequality, |Pi Y| <= max p_i sqrt(n), and (E1)."""
    constants(m)
    moved, size = norm_of("PY", r"\|\Pi\mathbf Y\|"), norm_of("D", "")
    m.relation(norm2(D), size**2, by="size")
    triangle(m, size, moved, norm_e)
    m.assume(Inequality(moved, "<=", largest * sqrt(n)), by="p21.req")
    m.assume(Inequality(norm_e, "<=", 40 * n ** Fraction(3, 2) / (lam_r * width)), by="(E1)")


def derive_final_number(m: Model) -> None:
    """max p_i <= eps/sqrt(n), and the width."""
    constants(m)
    m.assume(Inequality(width * lam_r**2, ">", 112 * lam1 * n), by="strict width")
    m.assume(Inequality(largest, "<=", epsilon / sqrt(n)), by="t_2")
    m.generic = False
    m.example(
        {
            n: 16,
            lam1: Fraction(8, 5),
            lam_r: Fraction(8, 5),
            width: 1122,
            epsilon: 1,
            largest: Fraction(1, 4),
        }
    )


def derive_remark(m: Model) -> None:
    """a_1 is positive, so that (a_1 - 1)/chi is above -1/chi."""
    m.define(a_1, epsilon / sqrt(n))
    m.define(a_2, exp((a_1 - 1) / chi))
    w = scalar("w", positive=True)
    m.lemma("exp(-w) < 1", Inequality(exp(-w), "<", as_expr(1)), where={w: a_1 / chi})


def derive_sixteen(m: Model) -> None:
    """The two conditions on the number of samples."""
    m.define(c1, lam1 / n)
    m.define(a_1, epsilon / sqrt(n))
    m.define(a_2, exp((a_1 - 1) / chi))
    amount = 70 * lam_r + 25 * lam_r**2
    for end in (root - root**2, eta * c1 * (1 - eta * c1)):
        m.assume(Inequality(98 * kappa**2 * n * end, ">", amount), by="samples")
    m.assume(Inequality(98 * kappa**2 * epsilon * sqrt(n), ">", amount), by="samples")
    m.assume(Inequality(epsilon, "<", sqrt(n)), by="a_1")
    m.assume(Inequality(2 * eta * lam1, "<", n), by="rate")
    m.generic = False
    m.example(
        {
            n: 400,
            epsilon: 19,
            kappa: Fraction(3, 20),
            lam_r: 1,
            lam1: 100,
            eta: 1,
            chi: 2,
        }
    )


SAMPLES = {"samples": "the lower bound of n in the lemma"}


AT_END = {"t_2": "0 <= p_i <= eps/sqrt(n) for every i"}


CLAIMS = [
    Claim(
        "li22/lemma-C.6.p6",
        through_first,
        SAMPLES | {"maximum": "over i", "p13": "lambda_1(M~) >= lambda_1/n", "rate": "(5)"},
        derive=derive_through_first,
        corrected_hypotheses={"early": "p_1 >= eta c_1"},
        reading="from the first step on; the witness is that step with one direction and d = 1",
    ),
    Claim(
        "li22/lemma-C.6.p8",
        final_product,
        AT_END,
        derive=derive_final_product,
        simulate=in_the_band,
        waive=FAR,
        reading=ON_RANGE,
    ),
    Claim(
        "li22/lemma-C.6.p9",
        final_residual,
        E1,
        derive=derive_final_residual,
        simulate=in_the_band,
        waive=FAR,
        rests_on=("li22/lemma-C.3.p21.req",),
    ),
    Claim(
        "li22/lemma-C.6.p10",
        _final_number(1, 1),
        {"strict width": "m > 112 c_1 n^2/lambda_r^2"} | AT_END,
        derive=derive_final_number,
        simulate=in_the_band,
        waive=FAR,
        corrected=_final_number(c1, c1**2),
    ),
    Claim("li22/lemma-C.6.rem", _remark("<"), derive=derive_remark, corrected=_remark(">")),
    Claim(
        "li22/eq-16",
        sixteen,
        SAMPLES | {"a_1": "a_1 < 1", "rate": "2 eta lambda_1 < n (the horizon at time 0)"},
        derive=derive_sixteen,
        corrected=sixteen_true,
        reading="the minimum is above a number if each of the three is",
    ),
]
