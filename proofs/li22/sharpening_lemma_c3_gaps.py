r"""Lemma C.3: two steps in the bound of (G1) whose reasons do not suffice.

Setting:  as in ``sharpening_lemma_c3_first``.
Claims:   the requirement behind (A1) (p21.req) and the reduction of (A2) + (A3) to one (p22).
Source:   Li, Wang, Li, "Analyzing Sharpness along GD Trajectory", appendix C.2.

p21.req: the horizon bounds M*, not M~ = M* - Gamma, whose top eigenvalue exceeds 1/eta by at most
40/m, and on no run that we know; so the sign of its factor is left undecided.  What (A1) and (A5)
need is proved: each factor is at most 1 - eta lambda_i/n in absolute value.

p22: X^T X stands on different sides of the two sums, so that one is not the transpose of the other
and their norms differ (real runs show it at t = 2); the bound p23 of both is right all the same.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import torch

from eostheory.claims import Claim
from eostheory.formula import (
    Inequality,
    Statement,
    as_expr,
    dot,
    norm,
    norm2,
    outer,
    vector,
)

from . import _linear_net as net
from ._linear_net import A, D, F, Gamma, K, M_star, M_tilde, W, X, Y, d, eta, lam1, n, width
from ._sharpening import (
    HORIZON,
    WIDTH,
    Pi,
    R_w,
    constants,
    e,
    eigenvector,
    lam_i,
    norm_of,
    triangle,
    v_i,
)
from ._sharpening_runs import FAR, drawn, spectral
from .sharpening_lemma_c3_first import at_time_t, lam_tilde

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.symbolic import Model

Parts = dict[str, Statement]


u = vector("u", "n", r"\mathbf u")


norm_22 = norm_of("22", r"\big\|\sum_k\mathbf e\mathbf Y^\top\Pi_k\mathbf X^\top\mathbf X\big\|")


norm_33 = norm_of("33", r"\big\|\sum_k\Pi_k\mathbf Y\mathbf e^\top\mathbf X^\top\mathbf X\big\|")


norm_both = norm_of(
    "both",
    r"\|\sum_k(\mathbf e\mathbf Y^\top\Pi_k+\Pi_k\mathbf Y\mathbf e^\top)\mathbf X^\top\mathbf X\|",
)


requirement: Parts = {
    "nonnegative": Inequality(as_expr(0), "<=", 1 - eta * lam_tilde),
    "shrinks": Inequality(1 - eta * lam_tilde, "<=", 1 - eta * lam_i / n),
}


requirement_true: Parts = {
    "nearly": Inequality(-eta * R_w, "<=", 1 - eta * lam_tilde),
    "absolute value": Inequality(-(1 - eta * lam_i / n), "<=", 1 - eta * lam_tilde),
    "shrinks": requirement["shrinks"],
}


one_of_two = Inequality(
    4 * eta / (n**2 * width) * norm_both, "<=", 8 * eta / (n**2 * width) * norm_22
)


both_of_two = Inequality(
    4 * eta / (n**2 * width) * norm_both, "<=", 4 * eta / (n**2 * width) * (norm_22 + norm_33)
)


def derive_requirement(m: Model) -> None:
    """Properties 1 and 3 and the horizon, on an eigenvector of X^T X."""
    net.gram(m, following=False)
    constants(m)
    eigenvector(m, v_i, lam_i)
    m.define(F, net.output(A, W))
    m.define(D, F - Y)
    m.define(lam_tilde, dot(v_i, M_tilde @ v_i))
    m.step("at time 0 the horizon is eta lambda_max(M(0)) <= 1")
    m.assume(Inequality(2 * eta * (d + 1) * lam1, "<=", n * d), by="horizon")
    m.assume(Inequality(lam_i, "<=", lam1), by="spectrum")
    m.assume(Inequality(lam_tilde, ">=", lam_i / n), by="p13")
    m.assume(Inequality(eta * dot(v_i, M_star @ v_i), "<=", as_expr(1)), by="horizon")
    m.assume(Inequality(dot(v_i, Gamma @ v_i), "<=", R_w), by="property 1")
    m.assume(Inequality(dot(v_i, Gamma @ v_i), ">=", -R_w), by="property 1")
    m.assume(Inequality(norm2(A), ">=", width / 2), by="property 1")
    m.generic = False  # the weights are those of a run: meeting the bounds is not enough


def derive_one_of_two(m: Model) -> None:
    """At t = 2: e(0) = e(1) = 0, so that both sums have one term and norms are products."""
    w = Pi @ Y
    m.define(norm_22, norm(e) * norm(K @ w))
    m.define(norm_33, norm(w) * norm(K @ e))
    triangle(m, norm_both, norm_22, norm_33)
    m.relation(norm2(u), 1, by="top direction")
    m.define(norm_both, norm((outer(e, w) + outer(w, e)) @ K @ u))
    m.generic = False
    m.example(
        {
            n: 2,
            width: 1000,
            eta: Fraction(1, 6),
            X: ((2, 0), (0, 1)),
            Y: (1, 1),
            Pi: ((0, 0), (0, Fraction(1, 2))),
            e: (Fraction(1, 25), Fraction(1, 100)),
            u: (1, 0),
        }
    )


# ------------------------------------------------------------------------------------- runs


def after_two_steps(s: Sample) -> None:
    """t = 2, at a rate that all but solves the top direction in one step."""
    h = drawn(s, "fast")
    with h.run:
        error, moved, square = h.error(2), h.products[2] @ h.data.Y, h.square
        one, other = torch.outer(error, moved) @ square, torch.outer(moved, error) @ square
        found = {
            norm_22: spectral(h.run, one),
            norm_33: spectral(h.run, other),
            norm_both: spectral(h.run, one + other),
        }
        s.observe({**h.scalars(), **h.measured(found)})


ROOM = "the factor is nearly nonnegative: its bound from below has room"
CLAIMS = [
    Claim(
        "li22/lemma-C.3.p21.req",
        requirement,
        HORIZON
        | WIDTH
        | {"property 1": "|A|^2 >= m/2, ||Gamma|| <= R_w", "p13": "lambda_i(M~) >= lambda_i/n"},
        derive=derive_requirement,
        simulate=at_time_t,
        waive=FAR | {f"derivation:*{end}": ROOM for end in (") x1/2", "n**(-1) x2")},
        corrected=requirement_true,
        reading=(
            "from the properties of the lemma at time t: the horizon bounds M*, and M~ is "
            "M* - Gamma"
        ),
    ),
    Claim(
        "li22/lemma-C.3.p22",
        one_of_two,
        derive=derive_one_of_two,
        simulate=after_two_steps,
        waive=FAR,
        corrected=both_of_two,
        reading="at t = 2, where e(2) is the only error in the sums",
    ),
]
