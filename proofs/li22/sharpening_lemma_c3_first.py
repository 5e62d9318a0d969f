r"""Lemma C.3, fourth part of its proof: the bound of (G1), that is (A1) to (A4).

Setting:  D(k) = -prod Y + e(k) with |e(k)| <= n^{3/2} R_w/lambda_r, and every factor of the
          product in direction i at most 1 - eta lambda_i/n in absolute value.
Claims:   (A1) by geometric series (p20, p21), (A2) and (A3)
          (p23), (A4) (p24, p25) and their total (p26).
Source:   Li, Wang, Li, "Analyzing Sharpness along GD Trajectory", appendix C.2.

What (A1), (A5) and (E1) need of the decay factors, and what is wrong with the step from (A2) + (A3)
to one of them, is in ``sharpening_lemma_c3_gaps``.
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
    norm,
    scalar,
    sqrt,
)

from ._linear_net import Y, eta, n, width
from ._sharpening import (
    BY_INDUCTION,
    HORIZON,
    PATIENCE,
    R_w,
    before,
    c1,
    constants,
    decay,
    decaying,
    error_unit,
    labels,
    lam_i,
    lam_j,
    lam_r,
    norm_of,
    proved,
    running_sum,
    slowest,
    triangle,
    v_i,
)
from ._sharpening_runs import FAR, drawn, spectral
from ._sharpening_runs import norm as length
from ._sharpening_runs import total as sum_of

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.formula import Symbol
    from eostheory.symbolic import Model

Parts = dict[str, Statement]


z_i, z_j = scalar("z_i", nonzero=True), scalar("z_j", r"z_{j'}", nonzero=True)


p_i = scalar("p_i", r"\prod_{j=0}^{k-1}(1-\eta\lambda_i(\widetilde{\mathbf M}(j)))")


p_j = scalar("p_j", r"\prod_{j=0}^{k-1}(1-\eta\lambda_{j'}(\widetilde{\mathbf M}(j)))")


power_i = scalar("power_i", r"(1-\eta\frac1n\lambda_i)^k", nonnegative=True)


power_j = scalar("power_j", r"(1-\eta\frac1n\lambda_{j'})^k", nonnegative=True)


pp_sum = running_sum("pp", r"\prod_{j=0}^{k-1}(1-\eta\lambda_i)(1-\eta\lambda_{j'})")


power_sum = running_sum("power", r"(1-\eta\frac1n\lambda_i)^k(1-\eta\frac1n\lambda_{j'})^k")


powers = running_sum("powers", r"\big(1-\tfrac\eta n\lambda_r\big)^k")


def pair_sum(name: str, term: str) -> Symbol:
    """A sum over all pairs of directions."""
    return scalar(f"pairs_{name}", rf"\sum_{{i=1}}^r\sum_{{j'=1}}^r{term}", nonnegative=True)


def shorter(total: Symbol) -> Symbol:
    """The same sum less its last pair."""
    return scalar(f"{total.name}_before", total.latex + r"^{\mathrm{(before)}}", nonnegative=True)


exact_pairs = pair_sum(
    "exact", r"\big(\sum_{k=0}^t\prod_{j=0}^{k-1}(\cdot)z_iz_{j'}\lambda_{j'}\big)^2"
)


power_pairs = pair_sum("power", r"\Big(\sum_{k=0}^t(\cdot)^kz_iz_{j'}(\cdot)^k\lambda_{j'}\Big)^2")


series_pairs = pair_sum("series", r"z_i^2z_{j'}^2\lambda_{j'}^2\frac{\eta^2}{(\cdot)^2}")


label_pairs = pair_sum("labels", r"z_i^2z_{j'}^2")


first_factor = 4 / (n**2 * width)


loss_per_step = eta / n * (lam_i + lam_j) - eta**2 / n**2 * lam_i * lam_j


norm_23 = norm_of("23", r"\big\|\sum_k\mathbf e\mathbf Y^\top\Pi_k\mathbf X^\top\mathbf X\big\|")


norm_4 = norm_of("4", r"\big\|\sum_k\mathbf e\mathbf e^\top\mathbf X^\top\mathbf X\big\|")


norm_e = norm_of("e", r"\|\mathbf e(k)\|")


norm_D = norm_of("D", r"\|\mathbf D(k)\|")


norm_PY = norm_of("PY", r"\big\|\Pi_k\mathbf Y\big\|")


total = norm_of("G1", r"\|\mathrm{(1)}\|")


part_1, part_23, part_4 = (norm_of(f"A{k}", rf"\|\mathrm{{(A{k})}}\|") for k in ("1", "23", "4"))


lam_tilde = scalar("lam_tilde", r"\lambda_i(\widetilde{\mathbf M})")


# ------------------------------------------------------------------------------- statements
geometric: Parts = {
    "factors": Inequality(
        eta * first_factor * sqrt(exact_pairs), "<=", eta * first_factor * sqrt(power_pairs)
    ),
    "series": Inequality(
        eta * first_factor * sqrt(power_pairs), "<=", first_factor * sqrt(series_pairs)
    ),
}


first_total: Parts = {
    "labels": Inequality(
        first_factor * sqrt(series_pairs), "<=", first_factor * sqrt(norm(Y) ** 4 * n**2)
    ),
    "value": Equation(first_factor * sqrt(norm(Y) ** 4 * n**2), 4 / width),
    "with its counterpart": Inequality(2 * (first_factor * sqrt(series_pairs)), "<", 8 / width),
}


_error_size = n ** Fraction(3, 2) / lam_r * R_w


_crossed = 8 / (n**2 * width) * (eta * powers * sqrt(n)) * _error_size * (c1 * n)


crossed: Parts = {
    "sizes": Inequality(8 * eta / (n**2 * width) * norm_23, "<=", _crossed),
    "series": Inequality(_crossed, "<=", 8 * error_unit),
    "with its counterpart": Inequality(
        2 * (8 * eta / (n**2 * width) * norm_23), "<=", 16 * error_unit
    ),
}


second_error: Parts = {
    "triangle": Inequality(norm_e, "<=", norm_D + norm_PY),
    "decay": Inequality(norm_D + norm_PY, "<=", 2 * sqrt(n) * decay),
}


_squared = 4 * eta / (n**2 * width) * (2 * powers * sqrt(n)) * _error_size * (c1 * n)


squared: Parts = {
    "sizes": Inequality(4 * eta / (n**2 * width) * norm_4, "<=", _squared),
    "series": Inequality(_squared, "<=", 8 * error_unit),
    "with its counterpart": Inequality(
        2 * (4 * eta / (n**2 * width) * norm_4), "<=", 16 * error_unit
    ),
}


first_part = Inequality(total, "<=", 8 / width + 32 * error_unit)


# ------------------------------------------------------------------------------ derivations
def pairs(m: Model) -> None:
    """0 < eta lambda_i/n < 1 in both directions of a pair."""
    m.patience = PATIENCE
    for lam in (lam_i, lam_j):
        m.assume(Inequality(eta * lam, "<", n), by="rate")


def derive_geometric(m: Model) -> None:
    """One pair more; in it one time more of each of the two sums over k."""
    pairs(m)
    for p, power in ((p_i, power_i), (p_j, power_j)):
        m.assume(Inequality(p, ">=", -power), by="p21.req")
        m.assume(Inequality(p, "<=", power), by="p21.req")
    m.define(pp_sum, before(pp_sum) + p_i * p_j)
    m.define(power_sum, before(power_sum) + power_i * power_j)
    m.assume(Inequality(before(pp_sum), ">=", -before(power_sum)), by="induction")
    m.assume(Inequality(before(pp_sum), "<=", before(power_sum)), by="induction")
    series = before(power_sum) * loss_per_step
    m.step("power_i power_j = ((1 - a)(1 - b))^k, so that the sum has a closed form")
    m.assume(Inequality(series, "<=", 1 - power_i * power_j), by="induction")
    weight = z_i**2 * z_j**2 * lam_j**2
    m.define(exact_pairs, shorter(exact_pairs) + weight * pp_sum**2)
    m.define(power_pairs, shorter(power_pairs) + weight * power_sum**2)
    m.define(series_pairs, shorter(series_pairs) + weight * eta**2 / loss_per_step**2)
    m.assume(Inequality(shorter(exact_pairs), "<=", shorter(power_pairs)), by="induction")
    earlier = eta**2 * shorter(power_pairs)
    m.assume(Inequality(earlier, "<=", shorter(series_pairs)), by="induction")
    proved(m, "each term", p_i * p_j, power_i * power_j)
    proved(m, "each term from below", -p_i * p_j, power_i * power_j)
    proved(m, "each time", pp_sum, power_sum)
    proved(m, "each time from below", -pp_sum, power_sum)
    proved(m, "squares", pp_sum**2, power_sum**2)
    proved(m, "closed form", power_sum, 1 / loss_per_step)


def derive_first_total(m: Model) -> None:
    """One pair more: eta lambda_j'/(a + b - ab) <= n; the labels have |Y|^2 = n."""
    pairs(m)
    labels(m)
    m.assume(Inequality(shorter(series_pairs), "<=", n**2 * shorter(label_pairs)), by="induction")
    m.define(
        series_pairs,
        shorter(series_pairs) + z_i**2 * z_j**2 * lam_j**2 * eta**2 / loss_per_step**2,
    )
    m.step("the sum of z_i^2 z_j'^2 over all pairs is |Y|^4")
    m.relation(shorter(label_pairs), n**2 - z_i**2 * z_j**2, by="labels")
    quotient = lam_j * eta / loss_per_step
    proved(m, "each pair", quotient, n)


def series(m: Model) -> None:
    """The constants and the sum over k of (1 - eta lambda_r/n)^k, one time more."""
    constants(m)
    decaying(m)
    m.define(powers, before(powers) + decay)
    m.assume(Inequality(slowest * before(powers), "<=", 1 - decay), by="induction")
    proved(m, "geometric series", eta * powers, n / lam_r)


def derive_crossed(m: Model) -> None:
    """|sum e (X^T X Pi Y)^T|, one term more, with |X^T X w| <= c_1 n |w|."""
    series(m)
    before_23 = norm_of("23_before", "")
    m.assume(Inequality(norm_e, "<=", _error_size), by="(E1)")
    m.assume(Inequality(norm_PY, "<=", sqrt(n) * decay), by="product")
    bound = before(powers) * sqrt(n) * _error_size * (c1 * n)
    m.assume(Inequality(before_23, "<=", bound), by="induction")
    proved(m, "last term", norm_e * norm_PY, _error_size * sqrt(n) * decay)
    triangle(m, norm_23, before_23, norm_e * norm_PY * (c1 * n))


def derive_second_error(m: Model) -> None:
    """e = D + Pi Y, (D), and the same bound for the product."""
    triangle(m, norm_e, norm_D, norm_PY)
    m.assume(Inequality(norm_D, "<=", sqrt(n) * decay), by="(D)")
    m.assume(Inequality(norm_PY, "<=", sqrt(n) * decay), by="product")


def derive_squared(m: Model) -> None:
    """|sum e e^T X^T X|, one term more: one factor by (E1), the other by p24."""
    series(m)
    before_4 = norm_of("4_before", "")
    m.assume(Inequality(norm_e, "<=", _error_size), by="(E1)")
    m.assume(Inequality(norm_e, "<=", 2 * sqrt(n) * decay), by="p24")
    bound = 2 * before(powers) * sqrt(n) * _error_size * (c1 * n)
    m.assume(Inequality(before_4, "<=", bound), by="induction")
    proved(m, "last term", norm_e**2, _error_size * (2 * sqrt(n) * decay))
    triangle(m, norm_4, before_4, norm_e**2 * (c1 * n))


def derive_first_part(m: Model) -> None:
    """(A1) to (A4) added up."""
    constants(m)
    triangle(m, total, part_1, part_23, part_4)
    m.assume(Inequality(part_1, "<=", 8 / width), by="(A1)")
    m.assume(Inequality(part_23, "<=", 16 * error_unit), by="(A2), (A3)")
    m.assume(Inequality(part_4, "<=", 16 * error_unit), by="(A4)")


# ------------------------------------------------------------------------------------- runs
def at_time_t(s: Sample) -> None:
    """The sums over time and over pairs of directions of a run."""
    h = drawn(s)
    with h.run:
        t, V, square, labels = h.t, h.data.V, h.square, h.data.Y
        times = range(t + 1)
        rates = 1 - h.rate * h.data.lam / len(labels)
        factors = [h.factors(k) for k in times]
        decays = [rates**0 if k == 0 else rates**k for k in times]
        weight = torch.outer(h.labels, h.labels * h.data.lam)
        loss = 1 - torch.outer(rates, rates)
        step = sum_of(torch.outer(x, x) for x in decays)
        pairs_of = {
            exact_pairs: weight * sum_of(torch.outer(p, p) for p in factors),
            power_pairs: weight * step,
            series_pairs: weight * h.rate / loss,
        }
        errors = [h.error(k) for k in times]
        moved = [h.products[k] @ labels for k in times]
        crossed = sum_of(torch.outer(a, b) @ square for a, b in zip(errors, moved, strict=True))
        squared_errors = sum_of(torch.outer(a, a) @ square for a in errors)
        residuals = sum_of(torch.outer(x, x) @ square for x in h.residuals[: t + 1])
        found = {
            **{symbol: (x * x).sum() for symbol, x in pairs_of.items()},
            powers: sum_of(h.power(k) for k in times),
            norm_23: spectral(h.run, crossed),
            norm_4: spectral(h.run, squared_errors),
            norm_e: length(errors[t]),
            norm_D: length(h.residuals[t]),
            norm_PY: length(moved[t]),
            total: 4
            * h.rate
            / (len(labels) ** 2 * len(h.nets[0].A))
            * spectral(h.run, residuals + residuals.T),
            lam_tilde: V[:, 0] @ h.tilde[t] @ V[:, 0],
            v_i: V[:, 0],
            lam_i: h.data.lam[0],
        }
        s.observe({**h.letters(), **h.measured(found)})


INDUCTION = {"induction": "the bounds for the sums that end one term earlier"}


PRODUCT = {"product": "|Pi_k Y| <= sqrt(n)(1 - eta lambda_r/n)^k"}


E1 = {"(E1)": "|e(k)| <= n^{3/2} R_w/lambda_r"}


SMALL_N = "N is printed for n"


ALIKE = "both norms have the same bound"
CLAIMS = [
    Claim(
        "li22/lemma-C.3.p20",
        geometric,
        INDUCTION
        | {"rate": "eta lambda_i < n", "p21.req": "|p_i| <= (1 - eta lambda_i/n)^k, as corrected"},
        derive=derive_geometric,
        simulate=at_time_t,
        waive=FAR,
        reading="with the line before it. " + BY_INDUCTION,
        extraction="n^2/n^2 before lambda_i lambda_j' stands for eta^2/n^2, eta read as n",
        rests_on=("li22/lemma-C.3.p21.req",),
    ),
    Claim(
        "li22/lemma-C.3.p21",
        first_total,
        INDUCTION | {"rate": "eta lambda_i < n", "labels": "y_i = +-1"},
        derive=derive_first_total,
        simulate=at_time_t,
        waive=FAR,
        reading=BY_INDUCTION,
    ),
    Claim(
        "li22/lemma-C.3.p23",
        crossed,
        HORIZON | E1 | PRODUCT | INDUCTION,
        derive=derive_crossed,
        simulate=at_time_t,
        waive=FAR,
        reading=BY_INDUCTION,
        rests_on=("li22/lemma-C.3.p21.req",),
    ),
    Claim(
        "li22/lemma-C.3.p24",
        second_error,
        PRODUCT | {"(D)": "|D(k)| <= sqrt(n)(1 - eta lambda_r/n)^k"},
        derive=derive_second_error,
        simulate=at_time_t,
        waive=FAR
        | {f"derivation:decay:left norm_{x}": ALIKE for x in ("D -> norm_PY", "PY -> norm_D")},
        rests_on=("li22/lemma-C.3.p21.req",),
    ),
    Claim(
        "li22/lemma-C.3.p25",
        squared,
        HORIZON | E1 | INDUCTION | {"p24": "the second bound of the error"},
        derive=derive_squared,
        simulate=at_time_t,
        waive=FAR,
        reading=BY_INDUCTION,
        extraction=SMALL_N,
    ),
    Claim(
        "li22/lemma-C.3.p26",
        first_part,
        {"(A1)": "at most 8/m", "(A2), (A3)": "p23", "(A4)": "p25"},
        derive=derive_first_part,
        simulate=at_time_t,
        waive=FAR,
    ),
]
