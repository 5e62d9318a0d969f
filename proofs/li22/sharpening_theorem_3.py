r"""Theorem 3, first part: the surrogate sharpness increases at every step before t_0.

Setting:  property 2 of Lemma C.3, D = -Pi Y + e with factors p_j; labels z_j >= kappa sqrt(n).
Claims:   thm-3.a, with constants in its orders of magnitude that may depend on c_1, chi and eta.
Source:   Li, Wang, Li, "Analyzing Sharpness along GD Trajectory", appendix C.2.

Lemma C.6 states the constants, and they need c_1 >= 1; the theorem leaves them open, so that
c_1 = lambda_1/n may be any constant.  Nor is the sign of 1 - eta lambda_1(M~) needed, which the
horizon of M* does not give (p21.req): with nu = eta R_w every factor is at least -nu, only the top
one can be negative as lambda_1 >= 2 lambda_2, and what a negative p_1 takes away is of the size of
the error terms, nu n <= 40 n^2/(lambda_r m).

The band: from t = 1 on p_1 <= 1 - eta c_1 (p13).  While p_1 >= a_1 = eps/sqrt(n), the direction is
the first one; afterwards it is the first i with p_i >= a_1, for which (15) gives
p_i <= e^{(a_1-1)/chi} (with a negative factor of p_1 the rates add up to more than one at once, so
that its proof stands).  If there were none, |D|^2 would be O(eps^2), that is t >= t_0.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import Inequality, absolute, as_expr, dot, norm, norm2, scalar, sqrt, vector
from eostheory.symbolic import Model

from ._linear_net import Lambda_star, Lambda_star_next, eta, lam1, n, width
from ._sharpening import WIDTH, R_w, bounded_rate, c1, constants, e, lam_r, proved
from ._sharpening_band import (
    a_1,
    chain,
    kappa,
    linear,
    p_1,
    p_i,
    quadratic,
    spread,
    width_in_errors,
    z_1,
    z_i,
)
from ._sharpening_runs import FAR
from .sharpening_lemma_c6 import growth, increasing

if TYPE_CHECKING:
    from eostheory.formula import Expr

a_2 = scalar("a_2", positive=True)
least = scalar("least", r"\min\{a_1-a_1^2,a_2-a_2^2\}", positive=True)
nu = scalar("nu", r"\eta R_w", nonnegative=True)
part = scalar(
    "first", r"-\mathbf D^\top\mathbf F-(\mathbf D^\top\mathbf v_1)(\mathbf F^\top\mathbf v_1)"
)
main = z_i**2 * p_i * (1 - p_i)
lost = Fraction(43, 14) * linear + quadratic
"""What the errors and a negative p_1 may take away, once in D^T F and once on v_1."""

needed = 2 * (Fraction(43, 14) * (5 * lam_r / (14 * c1)) + 25 * lam_r**2 / (196 * c1**2 * n))
"""The same at the width of Lemma C.3."""


@cache
def _cuts() -> None:
    """The first-order part from below, proved for all factors and errors that the bounds allow.

    Raises:
        ArithmeticError: a proof fails.
    """
    expansion(Model())
    sizes(Model())


def expansion(m: Model) -> None:
    """The two expansions (Lemma C.4, p1 and Lemma C.6, p2), term by term."""
    m.patience = 0.5
    reflected = vector("reflected", "n", r"(2\Pi-\mathbf I)\mathbf Y")
    others = scalar("others", nonnegative=True)
    own, on_top = scalar("own_p", r"p_1"), scalar("e_1", r"\mathbf e^\top\mathbf v_1")
    m.define(spread, others + own + main)
    m.assume(Inequality(own, ">=", -nu * (1 + nu) * n), by="a negative p_1")
    m.assume(Inequality(norm(reflected), "<=", (1 + 2 * nu) * sqrt(n)), by="factors")
    m.assume(Inequality(p_1, ">=", -nu), by="factors")
    m.assume(Inequality(p_1, "<=", as_expr(1)), by="factors")
    m.assume(Inequality(absolute(on_top), "<=", norm(e)), by="unit eigenvector")
    m.assume(Inequality(absolute(z_1), "<=", sqrt(n)), by="labels")
    crossed = (1 + 2 * nu) * sqrt(n) * norm(e)
    proved(m, "Cauchy-Schwarz", -dot(reflected, e), norm(reflected) * norm(e))
    proved(m, "crossed", norm(reflected) * norm(e), crossed)
    size, twist = scalar("size", nonnegative=True), scalar("twist")
    cases: dict[Expr, Expr] = {size: 1 + 2 * nu, twist: 2 * p_1 - 1}
    m.lemma("twist", Inequality(absolute(2 * p_1 - 1), "<=", 1 + 2 * nu))
    m.lemma("weight", Inequality(-p_1 * (1 - p_1), "<=", nu * (1 + nu)))
    x, y, u, v = (scalar(name, nonnegative=True) for name in ("x", "y", "u", "v"))
    bound = [
        Inequality(absolute(twist), "<=", size),
        Inequality(x, "<=", u),
        Inequality(y, "<=", v),
    ]
    m.lemma(
        "on v_1",
        Inequality(absolute(twist) * x * y, "<=", size * u * v),
        given=bound,
        where=cases | {x: absolute(z_1), y: absolute(on_top), u: sqrt(n), v: norm(e)},
    )
    proved(m, "label", z_1**2, n)
    proved(m, "main term on v_1", -(z_1**2) * p_1 * (1 - p_1), nu * (1 + nu) * n)
    proved(m, "square on v_1", on_top**2, norm2(e))
    proved(
        m,
        "all",
        main - (nu * (1 + nu) * n + crossed + norm2(e)),
        spread + dot(reflected, e) - norm2(e),
    )
    x, y, u = scalar("x"), scalar("y"), scalar("u")
    m.lemma(
        "sign of the crossed term",
        Inequality(-(absolute(x) * absolute(y) * absolute(u)), "<=", x * y * u),
        where={x: 2 * p_1 - 1, y: z_1, u: on_top},
    )
    pairs = (
        (-(z_1**2) * p_1 * (1 - p_1), nu * (1 + nu) * n),
        (absolute(2 * p_1 - 1) * absolute(z_1) * absolute(on_top), crossed),
        (-((2 * p_1 - 1) * z_1 * on_top), absolute(2 * p_1 - 1) * absolute(z_1) * absolute(on_top)),
        (on_top**2, norm2(e)),
    )
    chain(m, "top", *pairs)
    top = z_1**2 * p_1 * (1 - p_1) + z_1 * (2 * p_1 - 1) * on_top - on_top**2
    proved(m, "the whole top term", -top, nu * (1 + nu) * n + crossed + norm2(e))


def sizes(m: Model) -> None:
    """nu n, sqrt(n)|e| and |e|^2 in the units of (E1)."""
    constants(m)
    bounded_rate(m)
    m.define(nu, eta * R_w)
    m.assume(Inequality(norm(e), "<=", 40 * n ** Fraction(3, 2) / (lam_r * width)), by="(E1)")
    proved(m, "rate times top", eta * lam1, n)
    proved(m, "rate times bottom", eta * lam_r, n)
    proved(m, "negative factor", nu * n, linear)
    proved(m, "its share", nu, as_expr(Fraction(5, 14)))
    proved(m, "error", sqrt(n) * norm(e), linear)
    proved(m, "squared error", norm2(e), quadratic)
    x, y, w = (scalar(name, nonnegative=True) for name in ("x", "y", "w"))
    line, square = scalar("line", nonnegative=True), scalar("square")
    found = m.lemma(
        "together",
        Inequality(
            (1 + x) * y + (1 + 2 * x) * w + square, "<=", Fraction(43, 14) * line + quadratic
        ),
        given=[
            Inequality(x, "<=", as_expr(Fraction(5, 14))),
            Inequality(y, "<=", line),
            Inequality(w, "<=", line),
            Inequality(square, "<=", quadratic),
        ],
        where={x: nu, y: nu * n, w: sqrt(n) * norm(e), line: linear, square: norm2(e)},
    )
    if found.outcome != "holds":
        raise ArithmeticError("the errors do not add up")


def derive(m: Model) -> None:
    """The increment, its second part, and the first part from below in the band's direction."""
    _cuts()
    constants(m)
    m.uses("li22/formula-C.2.sharp-dyn")
    rest = scalar("second", nonnegative=True)
    m.define(Lambda_star, m.landau("start"))
    m.define(Lambda_star_next, Lambda_star + 8 * eta * lam1 / (n**2 * width) * part + rest)
    m.assume(Inequality(part, ">=", main - 2 * lost), by="property 2")
    m.assume(Inequality(z_i**2, ">=", kappa**2 * n), by="assumption C.2")
    m.assume(Inequality(p_i, ">=", a_1), by="band")
    m.assume(Inequality(p_i, "<=", a_2), by="band")
    m.assume(Inequality(a_2, "<", as_expr(1)), by="band")
    m.assume(Inequality(least, "<=", a_1 - a_1**2), by="minimum")
    m.assume(Inequality(least, "<=", a_2 - a_2**2), by="minimum")
    m.assume(Inequality(kappa**2 * n * least, ">", needed), by="samples")
    m.generic = False
    width_in_errors(m)
    proved(m, "ends of the band", least, p_i * (1 - p_i))
    x, y, u, v = (scalar(name, nonnegative=True) for name in ("x", "y", "u", "v"))
    m.lemma(
        "best direction",
        Inequality(u * x, "<=", v * y),
        given=[Inequality(x, "<=", y), Inequality(u, "<=", v)],
        where={x: least, y: p_i * (1 - p_i), u: kappa**2 * n, v: z_i**2},
    )
    proved(m, "errors", 2 * lost, needed)
    m.lemma("first part", Inequality(part, ">", as_expr(0)))


BAND = (
    "t >= 1 and t < t_0: a_1 <= p_i <= a_2 for some i, by p13 while p_1 >= a_1, then by (15); "
    "a_1 = eps/sqrt(n), a_2 = max{1 - eta c_1, e^{(a_1-1)/chi}}"
)
CLAIMS = [
    Claim(
        "li22/thm-3.a",
        growth,
        WIDTH
        | {
            "property 2": "D = -Pi Y + e with (E1), (5) and p_j >= -eta R_w, p_j >= 0 for j > 1",
            "assumption C.2": "z_i >= kappa sqrt(n)",
            "band": BAND,
            "minimum": "the minimum is at most either number",
            "samples": "n = Omega(...): kappa^2 n min exceeds what the errors take away",
        },
        derive=derive,
        simulate=increasing,
        waive=FAR,
        rests_on=tuple(
            f"li22/{name}"
            for name in ("lemma-C.3.2", "lemma-C.3.p13", "lemma-C.3.p21.req", "eq-15")
        ),
        reading=(
            "the constants in Omega may depend on c_1 = lambda_1/n, chi and eta; 112 c_1 is that "
            "of m; of p21.req the corrected form is used"
        ),
    ),
]
