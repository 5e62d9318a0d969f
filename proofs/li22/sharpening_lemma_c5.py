r"""Lemma C.5: some decay factor is in the band [a_1, a_2] during a whole interval of time.

Setting:  M~(j) is a multiple of X^T X, so that lambda_i(M~) <= chi lambda_{i+1}(M~) by C.1.
Claims:   (15) and the four inequalities of its proof.
Source:   Li, Wang, Li, "Analyzing Sharpness along GD Trajectory", appendix C.2.

p2 quotes Bernoulli's inequality without the condition that all x_i have one sign: (1 + 1)(1 - 1/2)
is less than 1 + 1 - 1/2.  It is used for numbers that are all negative.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import Inequality, Statement, as_expr, exp, log, scalar

from ._sharpening import BY_INDUCTION, proved
from ._sharpening_band import a_1, chi, p_i

if TYPE_CHECKING:
    from eostheory.formula import Expr
    from eostheory.symbolic import Model

Parts = dict[str, Statement]

steps = scalar("t", positive=True)
p_up = scalar("p_up", r"\prod_{j=0}^{t-1}(1-\eta\lambda_{i+1}(\widetilde{\mathbf M}(j)))")
p_up_before = scalar("p_up_before", nonnegative=True)
p_before = scalar("p_before", nonnegative=True)
slowed = scalar("slowed", r"\prod_{j=0}^{t-1}(1-\eta\lambda_i(\widetilde{\mathbf M}(j))/\chi)")
rates = scalar("rates", r"\sum_{j=0}^{t-1}\eta\lambda_i(\widetilde{\mathbf M}(j))")
rates_before = scalar("rates_before", nonnegative=True)
logs = scalar("logs", r"\sum_{j=0}^{t-1}\log(1-\eta\lambda_i(\widetilde{\mathbf M}(j))/\chi)")
logs_before = scalar("logs_before")
rate = scalar("rate", r"\eta\lambda_i(\widetilde{\mathbf M}(t-1))")
rate_up = scalar("rate_up", r"\eta\lambda_{i+1}(\widetilde{\mathbf M}(t-1))", positive=True)
factor = scalar("factor", r"1-\eta\lambda_i/\chi")
mean = scalar("mean", r"1-\sum\eta\lambda_i/(t\chi)")
bound = scalar("bound", r"1+(a_1-1)/(t\chi)")
product = scalar("product", r"(1+x_1)\cdots(1+x_n)")
product_before = scalar("product_before")
sum_x = scalar("sum_x", r"x_1+\dots+x_n")
sum_before = scalar("sum_before", r"x_1+\dots+x_{n-1}")
last_x = scalar("x_n")

# ------------------------------------------------------------------------------- statements
band = Inequality(p_up, "<", exp((a_1 - 1) / chi))
bernoulli = Inequality(product, ">=", 1 + sum_x)
sum_of_rates = Inequality(rates, ">", 1 - a_1)
_mean = 1 - rates / (steps * chi)
jensen = Inequality(logs, "<=", steps * log(_mean))
_bound = 1 + (a_1 - 1) / (steps * chi)
chain: Parts = {
    "slower": Inequality(p_up, "<=", slowed),
    "Jensen": Inequality(slowed, "<=", exp(steps * log(_mean))),
    "sum of rates": Inequality(exp(steps * log(_mean)), "<=", exp(steps * log(_bound))),
    "exponential": Inequality(exp(steps * log(_bound)), "<=", exp((a_1 - 1) / chi)),
}


# ------------------------------------------------------------------------------ derivations
def in_horizon(m: Model) -> None:
    """0 < eta lambda_i(M~) < 1 <= chi, and the same for i+1, by C.1."""
    m.assume(Inequality(rate, ">", as_expr(0)), by="horizon")
    m.assume(Inequality(rate, "<", as_expr(1)), by="horizon")
    m.assume(Inequality(chi, ">", as_expr(1)), by="assumption C.1")
    m.assume(Inequality(rate, "<=", chi * rate_up), by="assumption C.1")
    m.assume(Inequality(rate_up, "<=", rate), by="order")


def derive_bernoulli(m: Model) -> None:
    """One factor more; the product of two numbers of one sign is not negative."""
    m.define(product, product_before * (1 + last_x))
    m.define(sum_x, sum_before + last_x)
    m.assume(Inequality(last_x, ">=", as_expr(-1)), by="x_i >= -1")
    m.assume(Inequality(product_before, ">=", 1 + sum_before), by="induction")
    m.assume(Inequality(last_x * sum_before, ">=", as_expr(0)), by="one sign")
    m.generic = False
    if "one sign" in m.withheld:
        m.example({last_x: Fraction(-1, 2), sum_before: 1, product_before: 2})


def derive_rates(m: Model) -> None:
    """Bernoulli's inequality by induction, for the factors of the product."""
    m.define(p_i, p_before * (1 - rate))
    m.define(rates, rates_before + rate)
    m.assume(Inequality(rate, ">", as_expr(0)), by="horizon")
    m.assume(Inequality(rate, "<", as_expr(1)), by="horizon")
    m.assume(Inequality(p_before, ">=", 1 - rates_before), by="induction")
    m.assume(Inequality(p_i, "<", a_1), by="small product")


def factors(m: Model) -> None:
    """Letters for 1 - rate/chi and for the mean of all of these, both positive."""
    m.define(rate, chi * (1 - factor))
    m.define(rates, steps * chi * (1 - mean))
    m.assume(Inequality(factor, ">", as_expr(0)), by="horizon")
    m.assume(Inequality(mean, ">", as_expr(0)), by="horizon")


def derive_jensen(m: Model) -> None:
    """Below the tangent of the logarithm at the mean, one term at a time."""
    factors(m)
    m.define(logs, logs_before + log(factor))
    m.step("the other t-1 factors add up to t mean - factor; each logarithm is below the tangent")
    tangents = (steps - 1) * (log(mean) - 1) + (steps * mean - factor) / mean
    m.assume(Inequality(logs_before, "<=", tangents), by="induction")
    tangent_of_log(m, "tangent at the mean", factor / mean)


def tangent_of_log(m: Model, name: str, value: Expr) -> None:
    """log w <= w - 1."""
    w = scalar("w", positive=True)
    m.lemma(name, Inequality(log(w), "<=", w - 1), where={w: value})


def exponentials(m: Model, name: str, small: Expr, large: Expr, strict: bool = False) -> None:
    """exp(small) <= exp(large), as exp(small - large) <= 1."""
    w = scalar("w", positive=strict, nonnegative=not strict)
    one = as_expr(1)
    bound = Inequality(exp(-w), "<", one) if strict else Inequality(exp(-w), "<=", one)
    m.lemma(name, bound, where={w: large - small})


def derive_chain(m: Model) -> None:
    """The last factor of both products, then p4, the sum of the rates and 1 + y <= e^y."""
    factors(m)
    m.define(a_1, 1 + steps * chi * (bound - 1))
    m.define(p_up, p_up_before * (1 - rate_up))
    m.define(slowed, exp(logs_before) * factor)
    m.assume(Inequality(rate_up, ">=", 1 - factor), by="assumption C.1")
    m.assume(Inequality(rate_up, "<=", as_expr(1)), by="horizon")
    m.assume(Inequality(p_up_before, "<=", exp(logs_before)), by="induction")
    m.assume(Inequality(logs_before + log(factor), "<=", steps * log(mean)), by="p4")
    m.assume(Inequality(mean, "<", bound), by="p3")
    exponentials(m, "exponentials of p4", logs_before + log(factor), steps * log(mean))
    tangent_of_log(m, "logarithms", mean / bound)
    proved(m, "logarithms of the two", log(mean), log(bound))
    proved(m, "all of them", steps * log(mean), steps * log(bound))
    exponentials(m, "exponentials of the sums", steps * log(mean), steps * log(bound))
    tangent_of_log(m, "tangent at one", bound)
    proved(m, "t tangents", steps * log(bound), steps * (bound - 1))
    exponentials(m, "exponentials of the tangents", steps * log(bound), steps * (bound - 1))


def derive_band(m: Model) -> None:
    """Each factor is at most exp(-eta lambda_i/chi), and the rates add up to more than 1 - a_1."""
    in_horizon(m)
    m.define(p_up, p_up_before * (1 - rate_up))
    m.define(rates, rates_before + rate)
    m.assume(Inequality(p_up_before, "<=", exp(-rates_before / chi)), by="induction")
    m.assume(Inequality(rates, ">", 1 - a_1), by="p3")
    x = scalar("x", nonnegative=True)
    m.lemma("last factor", Inequality(1 - x, "<=", exp(-x)), where={x: rate / chi})
    exponentials(m, "rates", -rates / chi, (a_1 - 1) / chi, strict=True)
    proved(m, "last", 1 - rate_up, exp(-rate / chi))
    proved(m, "product", p_up, exp(-rates_before / chi) * exp(-rate / chi))


HORIZON = {"horizon": "0 < eta lambda_i(M~) < 1"}
GAP = {"assumption C.1": "lambda_i <= chi lambda_{i+1}, chi > 1"}
EARLIER = {"induction": "the bound for one factor less"}

CLAIMS = [
    Claim(
        "li22/eq-15",
        band,
        GAP | EARLIER | {"p3": "the rates add up to more than 1 - a_1, as p_i < a_1"},
        derive=derive_band,
        reading=BY_INDUCTION.replace("sums", "products and sums"),
        rests_on=("li22/lemma-C.5.p3", "li22/lemma-C.3.p21.req"),
    ),
    Claim(
        "li22/lemma-C.5.p2",
        bernoulli,
        {"x_i >= -1": "every x_i is at least -1", "induction": "the inequality for n-1 factors"},
        derive=derive_bernoulli,
        corrected_hypotheses={"one sign": "all x_i have the same sign"},
        reading="by induction on the number of factors",
    ),
    Claim(
        "li22/lemma-C.5.p3",
        sum_of_rates,
        HORIZON | {"small product": "p_i < a_1", "induction": "p_i >= 1 - sum for one factor less"},
        derive=derive_rates,
        rests_on=("li22/lemma-C.3.p21.req",),
    ),
    Claim(
        "li22/lemma-C.5.p4",
        jensen,
        {"horizon": "eta lambda_i(M~) < chi"}
        | {"induction": "the other logarithms are below the tangent at the mean"},
        derive=derive_jensen,
        rests_on=("li22/lemma-C.3.p21.req",),
    ),
    Claim(
        "li22/lemma-C.5.p5",
        chain,
        {"horizon": "0 < eta lambda_i(M~) <= 1"}
        | GAP
        | EARLIER
        | {"p3": "the sum of the rates exceeds 1 - a_1", "p4": "Jensen's inequality"},
        derive=derive_chain,
        rests_on=("li22/lemma-C.3.p21.req",),
    ),
]
