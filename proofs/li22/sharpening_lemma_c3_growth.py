r"""Lemma C.3, second part of its proof: the output norm and the smallest eigenvalues.

Setting:  as in ``sharpening_lemma_c3_residual``: the residual decays as in (D).
Claims:   the output norm loses at most half of its square (p8, p9), hence the bounds of the
          Gram matrices from below (p10 to p13) and Property 3.
Source:   Li, Wang, Li, "Analyzing Sharpness along GD Trajectory", appendix C.2.

The condition on the width is seven times (p8) and nearly five times (p11) what these steps need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from eostheory.claims import Claim
from eostheory.formula import Inequality, Statement, dot, norm, norm2, scalar, sqrt, vector

from . import _linear_net as net
from ._linear_net import (
    A,
    A_next,
    D,
    D_next,
    F,
    F_next,
    K,
    M_star,
    M_tilde,
    X,
    Y,
    at,
    eta,
    grad_A,
    n,
    width,
)
from ._sharpening import (
    BY_INDUCTION,
    HORIZON,
    ON_RANGE,
    RATE,
    WIDTH,
    before,
    bounded_rate,
    constants,
    decay,
    decaying,
    eigenvector,
    labels,
    lam_i,
    lam_r,
    running_sum,
    slowest,
    v_i,
    v_r,
)
from ._sharpening_runs import FAR, drawn, slowest_direction
from ._sharpening_runs import norm as length
from ._sharpening_runs import total as sum_of

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.symbolic import Model

Parts = dict[str, Statement]

A_0 = vector("A_0", "m", at(r"\mathbf A", "0"))
u = vector("u", "n", r"\mathbf u")
inner = running_sum("inner", r"\mathbf D(k)^\top(\mathbf D(k)+\mathbf Y)")
products = running_sum("products", r"(\|\mathbf D(k)\|^2+\|\mathbf D(k)\|\|\mathbf Y\|)")
sizes = running_sum("sizes", r"\|\mathbf D(k)\|")
powers = running_sum("powers", r"\big(1-\tfrac{\eta\lambda_r}n\big)^k")
lam_tilde = scalar("lam_tilde", r"\lambda_i(\widetilde{\mathbf M}(t+1))")
lam_r_tilde = scalar("lam_r_tilde", r"\lambda_r(\widetilde{\mathbf M}(t))")
lam_r_star = scalar("lam_r_star", r"\lambda_r(\mathbf M^*(t))")

# ------------------------------------------------------------------------------- statements
_factor = 4 * eta / n
accumulated: Parts = {
    "gradient term": Inequality(norm2(A_next) - norm2(A_0), ">=", -_factor * inner),
    "Cauchy-Schwarz": Inequality(-_factor * inner, ">=", -_factor * products),
    "sizes": Inequality(-_factor * products, ">=", -_factor * (2 * sqrt(n)) * sizes),
    "(D)": Inequality(-_factor * (2 * sqrt(n)) * sizes, ">=", -8 * eta / n * (n * powers)),
    "series": Inequality(-8 * eta / n * (n * powers), ">=", -8 * n / lam_r),
    "width": Inequality(-8 * n / lam_r, ">=", -width / 2),
}
output_norm = Inequality(norm2(A), ">=", width / 2)

_dropped = 2 / (width * n) * norm2(A) - 4 * eta / (n**2 * width) * dot(D, F)
hidden_part: Parts = {
    "M*": Inequality(dot(u, M_star @ u), ">=", _dropped * dot(u, K @ u)),
    "M~": Inequality(dot(u, M_tilde @ u), ">=", _dropped * dot(u, K @ u)),
}

_cross = 2 * eta / n
combined: Parts = {
    "bounds": Inequality(
        norm2(A_next) - norm2(A_0) - _cross * dot(D_next, F_next),
        ">=",
        -8 * n / lam_r - _cross * (sqrt(n) * (2 * sqrt(n))),
    ),
    "width": Inequality(-8 * n / lam_r - _cross * (sqrt(n) * (2 * sqrt(n))), ">=", -width / 2),
}

_main = 2 / (width * n) * (norm2(A) - _cross * dot(D, F))
below: Parts = {
    "hidden part": Inequality(dot(u, M_star @ u), ">=", _main * dot(u, K @ u)),
    "half": Inequality(_main * dot(u, K @ u), ">=", 1 / n * dot(u, K @ u)),
}
each_eigenvalue = Inequality(lam_tilde, ">=", lam_i / n)
property_3: Parts = {
    "M~": Inequality(lam_r_tilde, ">=", lam_r / n),
    "M*": Inequality(lam_r_star, ">=", lam_r / n),
}

LOOSE = "the width condition is several times what this step needs"
SLACK = {f"derivation:*{end}": LOOSE for end in (" x1/2", " x1.001", " x2", "2 +1", "8 -1")} | {
    "derivation:bounds:left A_next -> A_0": "no change at all is above a negative bound"
}


# ------------------------------------------------------------------------------ derivations
def derive_accumulated(m: Model) -> None:
    """The recursion (7) summed, then term by term."""
    constants(m)
    decaying(m)
    labels(m)
    m.uses("li22/eq-7")
    m.define(A_next, A - eta * grad_A)
    m.relation(dot(A, grad_A), 2 / n * dot(D + Y, D), by="gradient")
    m.assume(Inequality(norm(D), "<=", sqrt(n) * decay), by="(D)")
    for total, term in (
        (inner, dot(D, D + Y)),
        (products, norm2(D) + norm(D) * norm(Y)),
        (sizes, norm(D)),
        (powers, decay),
    ):
        m.define(total, before(total) + term)
    earlier = [
        Inequality(norm2(A) - norm2(A_0), ">=", -_factor * before(inner)),
        Inequality(before(inner), "<=", before(products)),
        Inequality(before(products), "<=", 2 * sqrt(n) * before(sizes)),
        Inequality(before(sizes), "<=", sqrt(n) * before(powers)),
        Inequality(slowest * before(powers), "<=", 1 - decay),
    ]
    for bound in earlier:
        m.assume(bound, by="induction")


def derive_norm(m: Model) -> None:
    """From (#) and the initial value."""
    m.relation(norm2(A_0), width, by="initialisation")
    m.assume(Inequality(norm2(A) - norm2(A_0), ">=", -width / 2), by="(#)")


def derive_hidden(m: Model) -> None:
    """The hidden layer's part is |W X u|^2, and (m/d)|X u|^2 in M~."""
    net.gram(m, following=False)


def derive_combined(m: Model) -> None:
    """(#) less the inner product, by Cauchy-Schwarz."""
    constants(m)
    bounded_rate(m)
    m.assume(Inequality(norm2(A_next) - norm2(A_0), ">=", -8 * n / lam_r), by="(#)")
    m.assume(Inequality(norm(D_next), "<=", sqrt(n)), by="(D)")
    m.assume(Inequality(norm(F_next), "<=", 2 * sqrt(n)), by="(D)")


def lower(m: Model) -> None:
    """The bound of p11 with |A(0)|^2 = m."""
    net.gram(m, following=False)
    m.relation(norm2(A_0), width, by="initialisation")
    bound = norm2(A) - norm2(A_0) - _cross * dot(D, F)
    m.assume(Inequality(bound, ">=", -width / 2), by="p11")


def derive_each(m: Model) -> None:
    """The quadratic forms at an eigenvector of X^T X, by (11)."""
    lower(m)
    eigenvector(m, v_i, lam_i)
    m.define(lam_tilde, dot(v_i, M_tilde @ v_i))


def derive_property_3(m: Model) -> None:
    """The smallest eigenvalue of M* is its quadratic form at some unit vector of the range."""
    lower(m)
    eigenvector(m, v_r, lam_r)
    m.relation(norm2(u), 1, by="unit vector")
    m.assume(Inequality(norm2(X @ u), ">=", lam_r), by="range")
    m.define(lam_r_tilde, dot(v_r, M_tilde @ v_r))
    m.define(lam_r_star, dot(u, M_star @ u))


# ------------------------------------------------------------------------------------- runs
def at_time_t(s: Sample) -> None:
    """A run, its sums over time, and the quadratic forms at time t (or t+1 where printed)."""
    h = drawn(s)
    with h.run:
        Y, power = h.data.Y, [h.power(k) for k in range(h.t + 1)]
        residuals = h.residuals[: h.t + 1]
        lengths = [length(D_k) for D_k in residuals]
        V, star = h.data.V, h.star[h.t]
        slow = h.run.fresh(V @ slowest_direction(V.T @ star @ V))
        found = {
            A_0: h.nets[0].A,
            inner: sum_of(torch.dot(x, x + Y) for x in residuals),
            products: sum_of(x * x + x * length(Y) for x in lengths),
            sizes: sum_of(lengths),
            powers: sum_of(power),
            u: slow,
            v_i: h.data.V[:, 0],
            lam_i: h.data.lam[0],
            lam_tilde: V[:, 0] @ h.tilde[h.t] @ V[:, 0],
            lam_r_tilde: V[:, -1] @ h.tilde[h.t] @ V[:, -1],
            lam_r_star: slow @ star @ slow,
        }
        s.observe({**h.letters(), **h.measured(found)})


START = {"initialisation": "|A(0)|^2 = m"}
CLAIMS = [
    Claim(
        "li22/lemma-C.3.p8",
        accumulated,
        WIDTH
        | HORIZON
        | {"(D)": "|D(k)| <= sqrt(n) (1 - eta lambda_r/n)^k", "labels": "|Y|^2 = n"}
        | {"induction": "the bounds for the sums up to t-1"},
        derive=derive_accumulated,
        simulate=at_time_t,
        waive=SLACK | FAR,
        reading=BY_INDUCTION,
    ),
    Claim(
        "li22/lemma-C.3.p9",
        output_norm,
        START | {"(#)": "|A(t)|^2 - |A(0)|^2 >= -m/2"},
        derive=derive_norm,
        simulate=at_time_t,
        waive=FAR,
    ),
    Claim("li22/lemma-C.3.p10", hidden_part, derive=derive_hidden, simulate=at_time_t, waive=FAR),
    Claim(
        "li22/lemma-C.3.p11",
        combined,
        WIDTH | RATE | {"(#)": "|A(t+1)|^2 - |A(0)|^2 >= -8n/lambda_r", "(D)": "p4"},
        derive=derive_combined,
        simulate=at_time_t,
        waive=SLACK | FAR,
    ),
    Claim(
        "li22/lemma-C.3.p12",
        below,
        START | {"p11": "the bound of p11"},
        derive=lower,
        simulate=at_time_t,
        waive=FAR,
    ),
    Claim(
        "li22/lemma-C.3.p13",
        each_eigenvalue,
        START | {"p11": "the bound of p11"},
        derive=derive_each,
        simulate=at_time_t,
        waive=FAR,
    ),
    Claim(
        "li22/lemma-C.3.3",
        property_3,
        START | {"p11": "the bound of p11", "range": "|X u|^2 >= lambda_r |u|^2 on the range"},
        derive=derive_property_3,
        simulate=at_time_t,
        waive=FAR,
        rests_on=("li22/lemma-C.3.p12", "li22/lemma-C.3.p13"),
        reading=ON_RANGE,
    ),
]
