r"""A random start is bounded, deviated and not too misaligned: the steps of Lemma H.8 (L.1).

Setting:  theta_0 = zeta_0 + xi with xi ~ N(0, sigma_0^2 I/D), sigma_0 between exp(-alpha_0^2) eta
          and alpha_0 eta; r = |xi|, and delta the probability that is given up.
Claims:   concentration and anti-concentration of r and of its top part; lower bounds for h_0; the
          start is bounded, deviated and at most O(1/delta)-misaligned.
Source:   Lyu, Li, Arora, arXiv:2206.07085, appendices B.3 and L.1.

Constants of O and Omega are letters; those that may depend on D are chosen in the derivation.
Found: three slips, none of which touches Lemma H.8.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from eostheory.claims import Claim
from eostheory.formula import (
    Expr,
    Inequality,
    OrderBound,
    Statement,
    absolute,
    as_expr,
    dot,
    exp,
    log,
    norm,
    scalar,
    sqrt,
    vector,
)

from ._notation import D, eta
from ._zone_start import (
    C,
    alpha_0,
    big,
    c,
    c_1,
    c_2,
    c_3,
    delta,
    dim,
    first,
    height,
    high,
    length,
    length_hat,
    low,
    middle,
    offset,
    positive,
    r,
    root,
    second,
    sigma_0,
    simulate_radius,
    simulate_triangle,
    start,
    top,
    turned,
    u_0,
    v_zeta,
)

if TYPE_CHECKING:
    from eostheory.symbolic import Model

Parts = dict[str, Statement]
ZERO, ONE = as_expr(0), as_expr(1)


# ------------------------------------------------------------------------------- statements
radius: Parts = {
    "not too small": Inequality(low, "<=", delta / 2),
    "not too large": Inequality(high, "<=", delta / 2),
}
top_part = Inequality(top, "<=", delta / 2)


def triangle(of: Expr) -> Inequality:
    """The lower bound for the top part, with the length ``of`` beside that of the turn."""
    return Inequality(height, ">=", first - second - of * turned)


orders: Parts = {
    "terms": Inequality(height, ">=", c_1 * delta * r - c_2 * r**2 - c_3 * r**2),
    "factored": Inequality(height, ">=", r * (c_1 * delta - (c_2 + c_3) * r)),
}
dominant = Inequality(height, ">=", (c_1 / 2) * (delta * r))
bounded: Parts = {
    "displacement": OrderBound(length, ZERO, alpha_0 * eta * root),
    "u": OrderBound(u_0, ZERO, alpha_0),
}
bounded_corrected: Parts = {**bounded, "u": OrderBound(u_0, ZERO, alpha_0 * root)}


def deviated(factor: Expr) -> Parts:
    """The chain of lower bounds, with what stands before delta^2 exp(-alpha_0^2)."""
    last = c * factor * delta**2 * exp(-(alpha_0**2))
    return {
        "projection": Inequality(length, ">=", height),
        "top": Inequality(height, ">=", c_1 * (delta * r)),
        "radius": Inequality(c_1 * (delta * r), ">=", last),
        "deviated": Inequality(last, ">=", eta * exp(-((C * (alpha_0 + root)) ** 2))),
    }


misaligned: Parts = {
    "projection": Inequality(middle, "<=", length),
    "radius": Inequality(length, "<=", c_2 * r),
    "top": Inequality(c_2 * r, "<=", (c_2 / c_1) / delta * height),
}


# ------------------------------------------------------------------------------ derivations
def derive_radius(m: Model) -> None:
    """One Gaussian coordinate near zero, and all of them far from it."""
    peak, share = positive("peak"), scalar("share", nonnegative=True)
    m.assume(Inequality(share, "<=", ONE))
    m.step(
        "|xi_1| <= r: Pr[r < s] <= Pr[|g| < s sqrt(D)/sigma_0] <= 2 s sqrt(D)/(sigma_0 sqrt 2pi)"
    )
    m.assume(Inequality(peak, "<=", as_expr(Fraction(2, 5))))
    m.step("c is chosen with c sqrt(D) <= 1/2; the density is at most 2/5")
    m.assume(Inequality(2 * c * sqrt(dim), "<=", ONE))
    m.define(low, share * 2 * peak * c * delta * sqrt(dim))
    m.step("if r > s some |g_i| exceeds s/sigma_0: Pr[r > s] <= 2 D exp(-s^2/(2 sigma_0^2))")
    growth = positive("growth")
    m.define(delta, exp(-(root**2)))
    m.define(high, share * 2 * dim * delta / growth)
    m.step("growth = exp((C^2/2 - 1) log(1/delta)) >= 1 + (C^2/2 - 1) log(1/delta)")
    m.assume(Inequality(growth, ">=", 1 + (C**2 / 2 - 1) * root**2))
    m.step("C is chosen with C^2/2 - 1 >= 8 D, and delta <= 1/2")
    m.assume(Inequality(C**2, ">=", 2 + 16 * dim))
    m.assume(Inequality(2 * root**2, ">=", ONE))
    m.patience, m.generic = 0.2, False
    m.example({
        peak: Fraction(2, 5), share: 1, c: Fraction(1, 2), dim: 1, root: 1, C: 5,
        growth: Fraction(25, 2),
    })  # fmt: skip


def derive_top(m: Model) -> None:
    """The top coordinate is independent of the others."""
    peak, share = positive("peak"), scalar("share", nonnegative=True)
    m.assume(Inequality(share, "<=", ONE))
    m.step("c delta <= 1/2: |g_1| < c delta |g| implies |g_1| < 2 c delta |g'|, g' the other ones")
    m.step("given g', the probability is at most 2 peak times the width; E|g'| <= sqrt(D)")
    m.assume(Inequality(peak, "<=", as_expr(Fraction(2, 5))))
    m.assume(Inequality(4 * c * sqrt(dim), "<=", ONE))
    m.patience, m.generic = 0.2, False
    quarter, half = Fraction(1, 4), Fraction(1, 2)
    m.example({peak: Fraction(2, 5), share: 1, c: quarter, dim: 1, delta: half})
    m.define(top, share * 2 * peak * 2 * c * delta * sqrt(dim))


def derive_triangle(m: Model) -> None:
    """<x_0, v'> = <x^_0, v> - <x^_0 - x_0, v> - <x_0, v - v'>, and Cauchy-Schwarz."""
    one, two, three = (scalar(k) for k in ("one", "two", "three"))
    size, turn = scalar("size", nonnegative=True), vector("turn", D, "v-v'")
    m.define(height, absolute(dot(offset, v_zeta - turn)))
    m.define(first, absolute(dot(start, v_zeta)))
    m.define(second, absolute(dot(start - offset, v_zeta)))
    for symbol, of in ((turned, turn), (length, offset), (length_hat, start)):
        m.define(symbol, norm(of))
    product = norm(offset) * norm(turn)
    m.lemma("Cauchy-Schwarz", Inequality(absolute(dot(offset, turn)), "<=", product))
    m.lemma(
        "triangle",
        Inequality(absolute(one - two - three), ">=", absolute(one) - absolute(two) - size),
        (Inequality(absolute(three), "<=", size),),
        {
            one: dot(start, v_zeta),
            two: dot(start - offset, v_zeta),
            three: dot(offset, turn),
            size: product,
        },
    )
    fifths = (Fraction(1, 5), Fraction(-3, 5))
    m.example({start: (1, 0), offset: (1, Fraction(-4, 3)), v_zeta: (1, 0), turn: fifths})


def derive_orders(m: Model) -> None:
    """The three terms with their orders."""
    m.uses("lyu22/lemma-H.8.p4")
    third = scalar("third", nonnegative=True)
    m.assume(Inequality(first, ">=", c_1 * delta * r), by="top")
    m.assume(Inequality(second, "<=", c_2 * r**2), by="projection")
    m.assume(Inequality(third, "<=", c_3 * r**2), by="smooth")
    m.assume(Inequality(height, ">=", first - second - third), by="triangle")


def derive_dominant(m: Model) -> None:
    """delta is large enough against r."""
    m.uses("lyu22/lemma-H.8.p5")
    root_eta = positive("root_eta")
    m.assume(Inequality(height, ">=", r * (c_1 * delta - (c_2 + c_3) * r)), by="orders")
    m.step("r <= C sigma_0 sqrt(log(1/delta)), sigma_0 <= alpha_0 eta, and delta >= eta")
    m.assume(Inequality(r, "<=", C * alpha_0 * eta * root_eta), by="radius")
    m.define(delta, big * alpha_0 * eta * root_eta)
    m.assume(Inequality(c_1 * big, ">=", 2 * (c_2 + c_3) * C), by="C_0")


def derive_bounded(m: Model) -> None:
    """The displacement, and the moment seen from phi_0 instead of zeta_0."""
    for small in (eta, alpha_0 * eta * root, 1 / alpha_0, 1 / root):
        m.bound(small)
    letters = [scalar(f"share_{k}") for k in range(5)]
    reach = alpha_0 * eta * root
    m.step("r = O(sigma_0 sqrt(log(1/delta))) = O(alpha_0 eta sqrt(log(1/delta)))")
    m.define(length, reach * letters[0] + reach**2 * letters[1])
    mu = positive("mu", r"\mu(\zeta_0)")
    m.step("1/sqrt(v_0) = mu(zeta_0) + O(alpha_0 eta), and mu(phi_0) = mu(zeta_0) + O(r)")
    there, rate = mu + reach * letters[2], mu + alpha_0 * eta * letters[3]
    m.step("mu(phi_0)^2 v_0 - 1 = (mu(phi_0) - rate)(mu(phi_0) + rate)/rate^2")
    inverse = positive("inverse")
    m.define(u_0, (there - rate) * (there + rate) * inverse / eta)
    m.example({
        **dict.fromkeys(letters, 0), letters[2]: 1, alpha_0: 1, root: 1, eta: Fraction(1, 64),
        mu: 1, inverse: 1,
    })  # fmt: skip


def derive_deviated(m: Model) -> None:
    """From the radius and the smallest sigma_0 to the exponential."""
    m.uses("lyu22/lemma-H.8.p6")
    m.patience = 0.1
    longer, more, wide = (scalar(k, nonnegative=True) for k in ("longer", "more", "wide"))
    growth, fits = positive("growth"), scalar("fits", nonnegative=True)
    m.define(delta, exp(-(root**2)))
    m.define(sigma_0, eta * exp(-(alpha_0**2)) * (1 + wide))
    floor = (C * (alpha_0 + root)) ** 2
    m.step("c stands for a constant that is smaller than c_1 c_2; C^2 >= 2 + log(1/c)")
    m.define(c, exp(2 * root**2 + alpha_0**2 - floor) * growth)
    m.assume(Inequality(log(growth), "<=", growth - 1))
    m.assume(Inequality(floor - 2 * root**2 - alpha_0**2 - log(growth), "<=", C**2 - 2))
    m.assume(Inequality(C**2, ">=", as_expr(2)))
    m.assume(Inequality(alpha_0, ">=", ONE))
    m.step("r >= c_2 delta sigma_0 with c_1 c_2 >= c")
    m.define(r, (c / c_1) * (1 + fits) * delta * sigma_0)
    m.define(height, c_1 * delta * r * (1 + more))
    m.define(length, height * (1 + longer))
    m.generic = False
    m.example(_smallest)


def _smallest() -> dict[Any, Any]:
    """The smallest sigma_0; the exponents are 16 - 2 - 1 - 11 = 2."""
    import sympy

    names = ("longer", "more", "wide", "fits")
    return {
        **{scalar(name, nonnegative=True): 0 for name in names},
        positive("growth"): sympy.exp(11), alpha_0: 1, root: 1, C: 2, c_1: 1,
        eta: Fraction(1, 64),
    }  # fmt: skip


def derive_misaligned(m: Model) -> None:
    """A projection is no longer than the whole, and the top part is not too short."""
    m.uses("lyu22/lemma-H.8.p6")
    share = scalar("share", nonnegative=True)
    m.assume(Inequality(share, "<=", ONE))
    m.define(middle, share * length)
    m.assume(Inequality(length, "<=", c_2 * r), by="radius")
    m.assume(Inequality(height, ">=", c_1 * (delta * r)), by="top")


ROOM = "the constants are chosen with room to spare"
MEANT = "Probabilities are read as: each of the two events fails with probability delta/2 at most."
CLAIMS = [
    Claim(
        "lyu22/lemma-H.8.p1",
        radius,
        derive=derive_radius,
        simulate=simulate_radius,
        reading=MEANT + " Constants may depend on D, and delta <= 1/2.",
        waive={"simulation:*x1/2": ROOM, "simulation:*exponent -1": ROOM, "simulation:*2 +1": ROOM}
        | {f"*{x}": ROOM for x in ("low x1.001", "high x2", "high x1.001")},
    ),
    Claim(
        "lyu22/lemma-H.8.p2",
        top_part,
        derive=derive_top,
        simulate=simulate_radius,
        reading=MEANT + " Constants may depend on D.",
        waive={f"*{x}": ROOM for x in ("x1/2", "exponent -1", "2 +1", "top x2", "top x1.001")},
    ),
    Claim(
        "lyu22/lemma-H.8.p4",
        triangle(length_hat),
        derive=derive_triangle,
        simulate=simulate_triangle,
        corrected=triangle(length),
        reading=(
            "As the triangle inequality that it is called, for any vectors: it gives the norm of "
            "x_0 in the last term, not that of x^_0. Both are O(r), so that the next line stands."
        ),
        waive={"simulation:*turned -> first": "only short vectors would show it"},
    ),
    Claim(
        "lyu22/lemma-H.8.p5",
        orders,
        {
            "top": "|<x^_0, v_1>| >= c_1 delta r",
            "projection": "|<x^_0 - x_0, v_1>| <= c_2 r^2",
            "smooth": "the last term is at most c_3 r^2, v_1 being smooth along Gamma",
            "triangle": "the lower bound of the step before",
        },
        derive=derive_orders,
        reading="Omega and O are letters c_1, c_2, c_3.",
        waive={"*x1/2": "half of a bound below says less, |h_0| not being negative"},
    ),
    Claim(
        "lyu22/lemma-H.8.p6",
        dominant,
        {
            "orders": "|h_0| eta >= r (c_1 delta - (c_2 + c_3) r)",
            "radius": "r <= C sigma_0 sqrt(log(1/delta)) with sigma_0 <= alpha_0 eta",
            "C_0": "C_0 is large",
        },
        derive=derive_dominant,
    ),
    Claim(
        "lyu22/lemma-H.8.p7",
        bounded,
        derive=derive_bounded,
        corrected=bounded_corrected,
        reading=(
            "The moment starts near the edge of zeta_0, and u_0 measures it from that of phi_0, "
            "which is O(alpha_0 eta sqrt(log(1/delta))) away: u_0 is larger by that root."
        ),
        waive={
            "*root+1": "a higher power of a large root says less",
            "*u:right 0 +1": "numbers are O(alpha_0 sqrt(log(1/delta))) too",
            "*u:right 0 -1": "numbers are O(alpha_0 sqrt(log(1/delta))) too",
        },
    ),
    Claim(
        "lyu22/lemma-H.8.p8",
        deviated(ONE),
        derive=derive_deviated,
        corrected=deviated(eta),
        reading="sigma_0 >= exp(-alpha_0^2) eta: the printed third bound lacks this eta.",
        waive={"*x2": ROOM, "*x1.001": ROOM},
    ),
    Claim(
        "lyu22/lemma-H.8.p9",
        misaligned,
        {"radius": "|x_0| <= c_2 r", "top": "|h_0| eta >= c_1 delta r"},
        derive=derive_misaligned,
    ),
]
