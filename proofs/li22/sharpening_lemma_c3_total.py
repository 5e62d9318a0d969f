r"""Lemma C.3, fifth part of its proof: the bound of (G2).

Setting:  as in ``sharpening_lemma_c3_first``; (E1) and its first line |e(k)| <= k eta sqrt(n)
          (1 - eta lambda_r/n)^{k-1} R_w.
Claims:   (G2) split into (A5) and (A6) (p27), their bounds (p28 to p30) and total (p31).
Source:   Li, Wang, Li, "Analyzing Sharpness along GD Trajectory", appendix C.2.

(A6) has lost its factor eta, which makes p27 false for eta > 1 and p29 false for eta < 1; with it
both hold.
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
    norm,
    norm2,
    scalar,
    sqrt,
    vector,
)

from ._linear_net import K, X, Y, eta, lam1, n, width
from ._sharpening import (
    BY_INDUCTION,
    R_w,
    before,
    c1,
    constants,
    decay,
    decaying,
    error_unit,
    labels,
    lam_i,
    lam_r,
    norm_of,
    running_sum,
    slowest,
    t,
    triangle,
)
from ._sharpening_runs import FAR, Kind, drawn, spectral
from ._sharpening_runs import norm as length
from ._sharpening_runs import total as sum_of

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.symbolic import Model

Parts = dict[str, Statement]


_square = r"\mathbf X^\top\mathbf X"


product_sum = vector("sum_product", "n", r"\sum_{k=0}^t\Pi_k\mathbf Y")


error_sum = vector("sum_error", "n", r"\sum_{k=0}^t\mathbf e(k)")


norm_G2 = norm_of(
    "G2", rf"\big\|\sum_k(\mathbf Y\mathbf D^\top{_square}+{_square}\mathbf D\mathbf Y^\top)\big\|"
)


norm_A5 = norm_of("A5", rf"\big\|\sum_k\mathbf Y\mathbf Y^\top\Pi_k{_square}\big\|")


norm_A6 = norm_of("A6", rf"\big\|\sum_k\mathbf Y\mathbf e(k)^\top{_square}\big\|")


power_i = scalar("power_i", r"(1-\eta\tfrac1n\lambda_i)^t", nonnegative=True)


powers_i = running_sum("powers_i", r"(1-\eta\tfrac1n\lambda_i)^k")


norm_s = norm_of("s", r"\big\|\sum_k\mathbf e(k)\big\|")


norm_e = norm_of("e", r"\|\mathbf e(t)\|")


powers = running_sum("powers", r"\big(1-\tfrac\eta n\lambda_r\big)^k")


weighted = running_sum("weighted", r"k\big(1-\tfrac\eta n\lambda_r\big)^{k-1}")


tails = running_sum("tails", r"\sum_{j=k}^{t-1}\big(1-\tfrac\eta n\lambda_r\big)^j")


norm_3 = norm_of(
    "3", rf"\big\|\sum_k\|\mathbf A\|^2{_square}\mathbf D\mathbf D^\top{_square}\big\|"
)


norm_DD = norm_of("DD", rf"\big\|\sum_k\mathbf D\mathbf D^\top{_square}\big\|")


total_2 = norm_of("total_2", r"\|\mathrm{(2)}\|")


norm_1, norm_2, norm_G3 = (norm_of(f"G{k}", rf"\|\mathrm{{(G{k})}}\|") for k in (1, 2, 3))


part_5, part_6 = (norm_of(f"part_{k}", rf"\|\mathrm{{(A{k})}}\|") for k in (5, 6))


largest = scalar("largest", r"\max_t\|\mathbf A(t)\|^2", nonnegative=True)


# ------------------------------------------------------------------------------- statements
_two = 8 / (n**2 * width)


def _split(power: int) -> Statement:
    """(G2) at most (A5) + (A6), where (A6) has the factor eta or not."""
    left = 4 / (n**2 * width) * eta * norm_G2
    return Inequality(left, "<=", _two * eta * norm_A5 + _two * eta**power * norm_A6)


fifth = Inequality(_two * eta * (norm2(Y) * (lam_i * powers_i)), "<=", 8 / width)


def _sixth(power: int) -> Parts:
    """The first lines of (A6), with eta to a power that was lost in them."""
    factor = _two * eta**power
    last = _two * sqrt(n) * eta * (eta * sqrt(n) * weighted * R_w) * (c1 * n)
    middle = factor * (norm(Y) * norm_s * (c1 * n))
    return {
        "norms": Inequality(factor * norm_A6, "<=", middle),
        "errors": Inequality(middle, "<=", last),
    }


_abel = 8 * c1 / width * eta**2 * tails * R_w


_geometric = 8 * c1 / width * eta**2 * (n / (eta * lam_r) * powers) * R_w


abel: Parts = {
    "Abel": Inequality(
        _two * sqrt(n) * eta * (eta * sqrt(n) * weighted * R_w) * (c1 * n), "<=", _abel
    ),
    "tails": Inequality(_abel, "<=", _geometric),
    "series": Inequality(_geometric, "<=", 8 * error_unit),
}


second_part = Inequality(total_2, "<=", 8 / width + 8 * error_unit)


# ------------------------------------------------------------------------------ derivations
def derive_split(m: Model) -> None:
    """Both sums are Y s^T X^T X and its transpose, s = sum D; norms of rank one are products."""
    m.step("the norm of Y w^T + w Y^T is at most 2|Y||w|, w = X^T X s")
    image_5, image_6 = norm(K @ product_sum), norm(K @ error_sum)
    m.define(norm_A5, norm(Y) * image_5)
    m.define(norm_A6, norm(Y) * image_6)
    image = norm(K @ (error_sum - product_sum))
    m.assume(Inequality(norm_G2, "<=", 2 * norm(Y) * image), by="rank one")
    triangle(m, image, image_5, image_6)
    m.generic = False
    m.example(
        {
            n: 1,
            width: 1792,
            eta: 2,
            X: ((Fraction(1, 4),),),
            Y: (1,),
            product_sum: (Fraction(3, 2),),
            error_sum: (Fraction(-1, 10),),
            norm_G2: Fraction(1, 5),
        }
    )


def derive_fifth(m: Model) -> None:
    """The norm of the sum is its value in the best direction i; one time more."""
    labels(m)
    m.assume(Inequality(eta * lam_i, "<", n), by="rate")
    m.assume(Inequality(power_i, "<=", as_expr(1)), by="rate")
    m.define(powers_i, before(powers_i) + power_i)
    m.assume(Inequality(before(powers_i), ">=", as_expr(0)), by="induction")
    m.assume(Inequality(eta * lam_i / n * before(powers_i), "<=", 1 - power_i), by="induction")


def derive_sixth(m: Model) -> None:
    """|X^T X s| <= c_1 n |s|, and the errors one by one."""
    labels(m)
    constants(m)
    decaying(m)
    weighted_term = scalar("term", r"t\big(1-\tfrac\eta n\lambda_r\big)^{t-1}", nonnegative=True)
    m.define(norm_A6, norm(Y) * norm_of("Ks", ""))
    m.assume(Inequality(norm_of("Ks", ""), "<=", c1 * n * norm_s), by="operator norm")
    m.define(weighted, before(weighted) + weighted_term)
    m.assume(Inequality(norm_e, "<=", eta * sqrt(n) * weighted_term * R_w), by="(E1)")
    earlier = norm_of("s_before", "")
    bound = eta * sqrt(n) * before(weighted) * R_w
    m.assume(Inequality(earlier, "<=", bound), by="induction")
    triangle(m, norm_s, earlier, norm_e)
    m.generic = False
    size = Fraction(1, 4) * Fraction(40, 448)
    m.example(
        {
            n: 1,
            width: 448,
            lam1: Fraction(1, 4),
            lam_r: Fraction(1, 4),
            eta: Fraction(1, 4),
            Y: (1,),
            decay: Fraction(15, 16) ** 2,
            before(weighted): 1,
            weighted_term: Fraction(15, 8),
            earlier: size,
            norm_e: Fraction(15, 8) * size,
            norm_s: Fraction(23, 8) * size,
            norm_of("Ks", ""): Fraction(23, 32) * size,
        }
    )


def derive_abel(m: Model) -> None:
    """Both double sums grow by t x^{t-1} in a step; the inner sum is (x^k - x^t)/(1 - x)."""
    constants(m)
    decaying(m)
    last = scalar("last", r"t\big(1-\tfrac\eta n\lambda_r\big)^{t-1}", nonnegative=True)
    m.define(weighted, before(weighted) + last)
    m.relation(before(weighted), tails - last, by="induction")
    final = scalar("final", r"\big(1-\tfrac\eta n\lambda_r\big)^t", nonnegative=True)
    m.step("summed over k, slowest times the inner sums is the sum of x^k less (t+1) x^t")
    m.relation(tails, (powers - (t + 1) * final) / slowest, by="inner sums")
    m.assume(Inequality(slowest * powers, "<=", as_expr(1)), by="series")


def derive_second_part(m: Model) -> None:
    """(A5) and (A6) added up."""
    constants(m)
    triangle(m, total_2, part_5, part_6)
    m.assume(Inequality(part_5, "<=", 8 / width), by="(A5)")
    m.assume(Inequality(part_6, "<=", 8 * error_unit), by="(A6)")


# ------------------------------------------------------------------------------------- runs
def at_time_t(s: Sample) -> None:
    """The sums over time of a run."""
    _observed(s, "any")


def at_a_tiny_rate(s: Sample) -> None:
    """The same with inputs so large that the rate is tiny."""
    _observed(s, "steep")


def _observed(s: Sample, kind: Kind) -> None:
    h = drawn(s, kind)
    with h.run:
        t, square, labels, gram = h.t, h.square, h.data.Y, h.run
        times = range(t + 1)
        power = [h.power(k) for k in times]
        moved = sum_of(h.products[k] @ labels for k in times)
        wrong = sum_of(h.error(k) for k in times)
        residual = sum_of(h.residuals[k] for k in times)
        top = 1 - h.rate * h.data.lam[0] / len(labels)
        outers = [torch.outer(x, x) @ square for x in h.residuals[: t + 1]]
        amounts = [(x.A * x.A).sum() for x in h.nets[: t + 1]]
        curves = sum_of(a * square @ x for a, x in zip(amounts, outers, strict=True))
        crossed, own = torch.outer(labels, residual) @ square, sum_of(outers)
        first = 4 * h.rate / (len(labels) ** 2 * len(h.nets[0].A))
        third = 8 * h.rate**2 / (len(labels) ** 3 * len(h.nets[0].A) ** 2)
        sizes = {
            norm_G2: spectral(gram, crossed + crossed.T),
            norm_A5: spectral(gram, torch.outer(labels, moved) @ square),
            norm_A6: spectral(gram, torch.outer(labels, wrong) @ square),
            norm_3: spectral(gram, curves),
            norm_DD: spectral(gram, own),
            norm_1: first * spectral(gram, own + own.T),
            norm_2: first * spectral(gram, crossed + crossed.T),
            norm_G3: third * spectral(gram, curves),
            total_2: first * spectral(gram, crossed + crossed.T),
        }
        zero = torch.zeros((), dtype=torch.float64)
        found = {
            **sizes,
            product_sum: moved,
            error_sum: wrong,
            norm_s: length(wrong),
            powers: sum_of(power),
            powers_i: sum_of(top**k for k in times),
            weighted: sum_of([zero, *(k * power[k - 1] for k in times if k)]),
            tails: sum_of([zero, *(power[j] for k in times for j in range(k, t))]),
            largest: max(amounts, key=float),
            lam_i: h.data.lam[0],
        }
        s.observe({**h.letters(), **h.measured(found)})


INDUCTION = {"induction": "the bounds for the sums that end one term earlier"}


LABELS = {"labels": "y_i = +-1"}


OPERATOR = {"operator norm": "||X^T X|| = lambda_1 = c_1 n, and ||S|| bounds S on unit vectors"}


WEAKER = "half of a sum of positive terms is smaller"
CLAIMS = [
    Claim(
        "li22/lemma-C.3.p27",
        _split(0),
        {"rank one": "the norm of Y w^T + w Y^T is at most 2|Y||w|"},
        derive=derive_split,
        simulate=at_time_t,
        waive=FAR,
        corrected=_split(1),
        reading="for every error e that the bound of property 2 allows; on runs, whose errors "
        "point against the product, the line holds all the same",
    ),
    Claim(
        "li22/lemma-C.3.p28",
        fifth,
        LABELS | INDUCTION | {"rate": "eta lambda_i < n"},
        derive=derive_fifth,
        simulate=at_time_t,
        waive=FAR,
        reading="i is the direction in which the norm of the sum is attained. " + BY_INDUCTION,
    ),
    Claim(
        "li22/lemma-C.3.p29",
        _sixth(0),
        LABELS | INDUCTION | OPERATOR | {"(E1)": "its unrolled line, k terms of it"},
        derive=derive_sixth,
        simulate=at_a_tiny_rate,
        waive=FAR,
        corrected=_sixth(1),
        reading=BY_INDUCTION,
    ),
    Claim(
        "li22/lemma-C.3.p30",
        abel,
        {"induction": "equality of the double sums at t-1"}
        | {"inner sums": "geometric sums from k to t-1", "series": "sum of (1-x)x^k at most 1"},
        derive=derive_abel,
        simulate=at_time_t,
        waive=FAR | {"derivation:*R_w x1/2": WEAKER},
        reading=BY_INDUCTION,
    ),
    Claim(
        "li22/lemma-C.3.p31",
        second_part,
        {"(A5)": "p28", "(A6)": "p30"},
        derive=derive_second_part,
        simulate=at_time_t,
        waive=FAR,
        rests_on=("li22/lemma-C.3.p27",),
    ),
]
