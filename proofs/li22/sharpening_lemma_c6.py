r"""Lemma C.6: the surrogate sharpness Lambda* = v_1^T M v_1 increases until the residual is small.

Setting:  Lemmas C.2 to C.5; labels with z_i >= kappa sqrt(n) (C.2); lambda_1 = c_1 n.
Claims:   the increment of Lambda* (sharp-dyn), its two parts from below (p1 to p6), the residual
          at the end (p8 to p10), the remark, (16), and the lemma.
Source:   Li, Wang, Li, "Analyzing Sharpness along GD Trajectory", appendix C.2.

The remark has a_2 = e^{(a_1-1)/chi} below e^{-1/chi}; it is above.  (16) does not follow from the
number of samples, not even with the minus that is printed for a plus: that number bounds a_1 and
e^{-1/chi} - e^{-2/chi}, not a_1 - a_1^2 and a_2 - a_2^2.  p3 and p10 use c_1 >= 1, as Lemma C.4
does.  p4 has the products end at t for t-1, and the sign of every factor turned.  p6 fails when the
first step leaves p_1 < eta c_1.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import torch

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Inequality,
    Statement,
    absolute,
    as_expr,
    dot,
    matrix,
    norm,
    norm2,
    scalar,
    sqrt,
)
from eostheory.numeric.rounding import RunningError

from . import _linear_net as net
from ._linear_net import (
    A,
    D,
    F,
    Lambda_star,
    Lambda_star_next,
    M_tilde,
    W,
    X,
    Y,
    eta,
    lam1,
    n,
    v1,
    width,
)
from ._linear_runs import draw_data, draw_network, draw_rate, table
from ._sharpening import (
    WIDTH,
    Pi,
    Pi_next,
    c1,
    constants,
    e,
    lam_r,
    unit,
)
from ._sharpening_band import (
    SQUARED_ERROR,
    best,
    expanded,
    in_any_run,
    in_the_band,
    kappa,
    linear,
    p_1,
    quadratic,
    shares,
    true_shares,
    width_in_errors,
    z_1,
)
from ._sharpening_runs import FAR, drawn

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.formula import Expr
    from eostheory.symbolic import Model

Parts = dict[str, Statement]


first = -dot(D, F) - dot(D, v1) * dot(F, v1)


curvature = norm2(W @ X @ D) + norm2(A) * lam1 * dot(D, v1) ** 2


second = 8 * eta**2 * lam1 / (width**2 * n**3) * curvature


# ------------------------------------------------------------------------------- statements
increment = Equation(
    Lambda_star_next - Lambda_star, 8 * eta * lam1 / (n**2 * width) * first + second
)


second_positive = Inequality(second, ">", as_expr(0))


top = -dot(D, v1) * dot(F, v1)


top_expanded = Equation(
    top,
    z_1**2 * p_1 * (1 - p_1) + z_1 * (2 * p_1 - 1) * dot(e, v1) - dot(e, v1) ** 2,
)


def _top_below(last: Expr) -> Parts:
    error = -absolute(z_1) * norm(e) - norm2(e)
    return {
        "terms": Inequality(top, ">=", error),
        "(E1)": Inequality(error, ">=", -linear - quadratic),
        "width": Inequality(-linear - quadratic, ">=", last),
    }


flipped = matrix(
    "Pi_flipped",
    "n",
    "n",
    r"\prod_{j=0}^t(\eta\widetilde{\mathbf M}(j)-\mathbf I_n)",
    symmetric=True,
)


def _first_expanded(product: Expr, crossed: Expr) -> Statement:
    main = dot(Y, product @ (unit - product) @ Y)
    return Equation(first, main + dot(Y, (2 * crossed - unit) @ e) - norm2(e) + top)


doubled = Inequality(first, ">=", kappa**2 * n * best - 5 * lam_r / 7 - 25 * lam_r**2 / 98)


both_shares = 5 * lam_r / 7 + 25 * lam_r**2 / 98


growth = Inequality(Lambda_star_next - Lambda_star, ">", as_expr(0))


# ------------------------------------------------------------------------------ derivations
def derive_increment(m: Model) -> None:
    """Both values of Lambda*, one step of gradient descent apart."""
    net.gradient_step(m)
    net.gram(m)
    net.top_direction(m)


def derive_second(m: Model) -> None:
    """Two squares; |A|^2 >= m/2 by property 1."""
    m.assume(Inequality(norm2(A), ">=", width / 2), by="property 1")
    m.assume(Inequality(dot(D, v1), "!=", as_expr(0)), by="top component")
    m.generic = False  # the residual is that of a run


def on_top(m: Model) -> None:
    """Property 2 on v_1."""
    expanded(m)
    m.relation(Pi @ v1, p_1 * v1, by="eigenvector")
    m.define(z_1, dot(Y, v1))


def derive_top_below(m: Model) -> None:
    """p2 with 0 <= p_1 <= 1 and Cauchy-Schwarz, then (E1) and the width."""
    constants(m)
    m.uses("li22/lemma-C.6.p2")
    part = scalar("part", r"\mathbf e^\top\mathbf v_1")
    value = z_1**2 * p_1 * (1 - p_1) + z_1 * (2 * p_1 - 1) * part - part**2
    m.relation(dot(D, v1) * dot(F, v1), -value, by="p2")
    m.assume(Inequality(p_1, ">=", as_expr(0)), by="p21.req")
    m.assume(Inequality(p_1, "<=", as_expr(1)), by="p21.req")
    m.assume(Inequality(absolute(part), "<=", norm(e)), by="unit eigenvector")
    m.assume(Inequality(absolute(z_1), "<=", sqrt(n)), by="labels")
    m.assume(Inequality(norm(e), "<=", 40 * n ** Fraction(3, 2) / (lam_r * width)), by="(E1)")
    width_in_errors(m)
    m.example(
        {
            n: 16,
            lam1: Fraction(8, 5),
            lam_r: Fraction(8, 5),
            width: 1122,
            p_1: 0,
            part: 0,
            z_1: 4,
            v1: (Fraction(1, 4),) * 16,
            e: (0,) * 16,
            D: (0,) * 16,
            F: (1,) * 16,
        }
    )


def derive_first_expanded(m: Model) -> None:
    """The expansion of C.4; every factor of the flipped product has the other sign."""
    expanded(m)
    m.define(Pi_next, (unit - eta * M_tilde) @ Pi)
    m.define(flipped, -Pi_next)  # t+1 factors


def derive_doubled(m: Model) -> None:
    """(C.4) and p3 added."""
    m.assume(Inequality(-dot(D, F), ">=", kappa**2 * n * best - shares()), by="(C.4)")
    m.assume(Inequality(top, ">=", -shares()), by="p3")


def derive_growth(m: Model) -> None:
    """The increment, its second part, and the first part from below in one direction."""
    constants(m)
    m.uses("li22/formula-C.2.sharp-dyn")
    part, rest = scalar("first", ""), scalar("second", nonnegative=True)
    m.define(Lambda_star, m.landau("start"))
    m.define(Lambda_star_next, Lambda_star + 8 * eta * lam1 / (n**2 * width) * part + rest)
    m.assume(Inequality(part, ">=", kappa**2 * n * best - true_shares(2)), by="p2 to p5")
    m.assume(Inequality(c1, ">=", as_expr(1)), by="c_1")
    m.assume(Inequality(kappa**2 * n * best, ">", both_shares), by="band")
    m.lemma("constants", Inequality(true_shares(2), "<=", both_shares))


# ------------------------------------------------------------------------------------- runs
def one_step(s: Sample) -> None:
    """Any weights on any data, and one step."""
    with RunningError() as run:
        data = draw_data(s, run)
        net_drawn = draw_network(s, run, data)
        s.observe(table(run, net_drawn, draw_rate(s, data)))


def at_even_time(s: Sample) -> None:
    """A run with an odd number of factors up to time t."""
    h = drawn(s)
    if h.t % 2:
        s.reject("t is odd")
    with h.run:
        unit_n = torch.eye(len(h.data.Y), dtype=torch.float64)
        turned = unit_n
        for k in range(h.t + 1):
            turned = (h.rate * h.tilde[k] - unit_n) @ turned
        s.observe({**h.letters(), **h.measured({flipped: turned})})


def increasing(s: Sample) -> None:
    """A run at a time when some factor is in the band, and the step after it."""
    h = drawn(s, "wide")
    with h.run:
        v, shares_of = h.data.V[:, 0], h.factors(h.t) * (1 - h.factors(h.t))
        least = float((min(h.labels, key=float) ** 2) * max(shares_of, key=float))
        small = float(h.data.lam[-1])
        if least <= 5 * small / 7 + 25 * small**2 / 98:
            s.reject("too few samples")
        forms = [v @ h.grams[k] @ v for k in (h.t, h.t + 1)]
        found = {Lambda_star: forms[0], Lambda_star_next: forms[1]}
        s.observe({**h.letters(), **h.measured(found)})


HALF = "half of what is above a negative bound is above it"
ALONE = "(C.4) alone gives it, with half of the constants"
SQUARES = "a changed sum of squares is positive all the same"


E1 = {"(E1)": "|e| <= 40 n^{3/2}/(lambda_r m)", "p21.req": "0 <= p_i <= 1"}


LABELS = {"labels": "y_i = +-1"}


MISSING = {
    "c_1": "c_1 >= 1",
    "band": "kappa^2 n p_i(1-p_i) > 5 lambda_r/7 + 25 lambda_r^2/98 for some i",
}


CLAIMS = [
    Claim("li22/formula-C.2.sharp-dyn", increment, derive=derive_increment, simulate=one_step),
    Claim(
        "li22/lemma-C.6.p1",
        second_positive,
        {"property 1": "|A|^2 >= m/2"},
        derive=derive_second,
        simulate=in_the_band,
        corrected_hypotheses={"top component": "D^T v_1 != 0"},
        waive=FAR | {"derivation:*": SQUARES},
        reading="strict; never negative is all that the proof needs",
    ),
    Claim(
        "li22/lemma-C.6.p2", top_expanded, derive=on_top, simulate=in_any_run, waive=SQUARED_ERROR
    ),
    Claim(
        "li22/lemma-C.6.p3",
        _top_below(-shares()),
        WIDTH | E1 | LABELS,
        derive=derive_top_below,
        simulate=in_the_band,
        waive=FAR | {"derivation:*F, v_1) x1/2": HALF},
        corrected=_top_below(-true_shares()),
        rests_on=("li22/lemma-C.3.p21.req",),
    ),
    Claim(
        "li22/lemma-C.6.p4",
        _first_expanded(Pi_next, flipped),
        derive=derive_first_expanded,
        simulate=at_even_time,
        waive=SQUARED_ERROR,
        reading="at even t; at odd t the flipped product has the right sign, and the wrong index",
        corrected=_first_expanded(Pi, Pi),
    ),
    Claim(
        "li22/lemma-C.6.p5",
        doubled,
        {"(C.4)": "the bound (C.4)", "p3": "the bound of p3"},
        derive=derive_doubled,
        waive={f"derivation:*F, v_1) {end}": ALONE for end in ("x1/2", "dropped")},
        reading="the two printed bounds added",
    ),
    Claim(
        "li22/lemma-C.6",
        growth,
        WIDTH | {"p2 to p5": "the lower bound of the first part, with c_1"},
        derive=derive_growth,
        simulate=increasing,
        waive=FAR,
        corrected_hypotheses=MISSING,
        rests_on=("li22/lemma-C.6.p5", "li22/eq-16"),
    ),
]
