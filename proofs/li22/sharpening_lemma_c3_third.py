r"""Lemma C.3, last part of its proof: the bound of (G3), and the total 40/m.

Setting:  as in ``sharpening_lemma_c3_first``.
Claims:   (G3) by (G1) (p32, p33) and everything together (p34).
Source:   Li, Wang, Li, "Analyzing Sharpness along GD Trajectory", appendix C.2.

p33 uses eta (2/mn)|A|^2 lambda_1 <= 1, which the horizon gives where D^T F <= 0, and else only up
to the second-order term of M*.  No run is known on which it fails: it is left undecided, and
property 1 does without it (``sharpening_conclusions``).  The constants add up:
20/m + 56 c_1 n^2 R_w/(m lambda_r^2) <= 40/m exactly at the stated width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Inequality,
    Statement,
    as_expr,
    dot,
    norm2,
    scalar,
)

from . import _linear_net as net
from ._linear_net import A, D, F, Gamma, M_star, W, Y, eta, lam1, n, v1, width
from ._sharpening import (
    BY_INDUCTION,
    HORIZON,
    RATE,
    WIDTH,
    R_w,
    before,
    bounded_rate,
    constants,
    eigenvector,
    error_unit,
    labels,
    proved,
    running_sum,
)
from ._sharpening_runs import FAR
from .sharpening_lemma_c3_total import (
    INDUCTION,
    LABELS,
    OPERATOR,
    at_time_t,
    largest,
    norm_1,
    norm_2,
    norm_3,
    norm_DD,
    norm_G3,
)

if TYPE_CHECKING:
    from eostheory.symbolic import Model

Parts = dict[str, Statement]


_third = 8 * eta**2 / (n**3 * width**2)


pulled_out = Inequality(
    _third * norm_3,
    "<=",
    4 * eta / (n**2 * width) * eta * (2 / (width * n)) * (largest * lam1) * norm_DD,
)


third_part: Parts = {
    "horizon": Inequality(
        4 * eta / (n**2 * width) * eta * (2 / (width * n)) * (norm2(A) * lam1) * norm_DD,
        "<=",
        4 * eta / (n**2 * width) * norm_DD,
    ),
    "as (G1)": Inequality(4 * eta / (n**2 * width) * norm_DD, "<=", 4 / width + 16 * error_unit),
}


everything = Inequality(norm_1 + norm_2 + norm_G3, "<=", 40 / width)


def derive_pulled_out(m: Model) -> None:
    """The norm of a positive semidefinite sum is its value on a unit vector u."""
    a2, form = scalar("a2", r"\|\mathbf A(t)\|^2", nonnegative=True), scalar("form")
    heavy, light = running_sum("heavy", ""), running_sum("light", "")
    m.step("u^T S u for the sum with weights |A|^2 and for the sum without, one term more")
    m.define(heavy, before(heavy) + a2 * form**2)
    m.define(light, before(light) + form**2)
    m.assume(Inequality(before(heavy), ">=", as_expr(0)), by="induction")
    m.assume(Inequality(before(heavy), "<=", largest * before(light)), by="induction")
    m.assume(Inequality(a2, "<=", largest), by="largest")
    m.define(norm_3, heavy)
    m.assume(Inequality(light, "<=", lam1 * norm_DD), by="operator norm")
    proved(m, "last term", a2 * form**2, largest * form**2)
    proved(m, "weights", heavy, largest * light)
    proved(m, "norms", largest * light, largest * (lam1 * norm_DD))


def derive_third_part(m: Model) -> None:
    """Properties 1 and 3 and the horizon, on v_1; (A1) to (A4) for the second bound."""
    constants(m)
    bounded_rate(m)
    labels(m)
    net.gram(m, following=False)
    eigenvector(m, v1, lam1)
    m.define(F, net.output(A, W))
    m.define(D, F - Y)
    m.assume(Inequality(eta * dot(v1, M_star @ v1), "<=", as_expr(1)), by="horizon")
    m.assume(Inequality(dot(v1, Gamma @ v1), ">=", -R_w), by="property 1")
    m.assume(Inequality(norm2(A), ">=", width / 2), by="property 1")
    m.assume(Inequality(norm2(D), "<=", n), by="(D)")
    m.assume(Inequality(dot(D, F), "<=", as_expr(0)), by="descent")
    bound = 4 / width + 16 * error_unit
    m.assume(Inequality(4 * eta / (n**2 * width) * norm_DD, "<=", bound), by="(A1) to (A4)")
    m.generic = False  # the weights are those of a run: meeting the bounds is not enough


def derive_everything(m: Model) -> None:
    """The three bounds, R_w = 40/m and the width."""
    constants(m)
    m.assume(Inequality(norm_1, "<=", 8 / width + 32 * error_unit), by="(G1)")
    m.assume(Inequality(norm_2, "<=", 8 / width + 8 * error_unit), by="(G2)")
    m.assume(Inequality(norm_G3, "<=", 4 / width + 16 * error_unit), by="(G3)")


# ------------------------------------------------------------------------------------- runs


ORDER = "the bounds of (G1), (G2), (G3) decrease"
CLAIMS = [
    Claim(
        "li22/lemma-C.3.p32",
        pulled_out,
        INDUCTION | OPERATOR | {"largest": "|A(k)|^2 is at most its largest value"},
        derive=derive_pulled_out,
        simulate=at_time_t,
        waive=FAR,
        reading=BY_INDUCTION,
    ),
    Claim(
        "li22/lemma-C.3.p33",
        third_part,
        HORIZON
        | WIDTH
        | RATE
        | LABELS
        | {"property 1": "||Gamma|| <= R_w, |A|^2 >= m/2", "(D)": "|D|^2 <= n"}
        | {"(A1) to (A4)": "half of the bound of (G1)"},
        derive=derive_third_part,
        simulate=at_time_t,
        waive=FAR,
        corrected_hypotheses={"descent": "D^T F <= 0 when |A|^2 is largest"},
        reading="|A|^2 at the time when it is largest; from the properties of the lemma then",
    ),
    Claim(
        "li22/lemma-C.3.p34",
        everything,
        WIDTH | {"(G1)": "p26", "(G2)": "p31", "(G3)": "p33"},
        derive=derive_everything,
        simulate=at_time_t,
        waive={"*left norm_G1 -> norm_G2": ORDER, "*left norm_G2 -> norm_G3": ORDER} | FAR,
    ),
]
