r"""A random start is bounded, deviated and not too misaligned: the steps of Lemma H.8 (L.1).

Setting:  theta_0 = zeta_0 + xi with xi ~ N(0, sigma_0^2 I/D), sigma_0 between exp(-alpha_0^2) eta
          and alpha_0 eta; r = |xi|, and delta the probability that is given up.
Claims:   concentration and anti-concentration of r and of its top part; lower bounds for h_0; the
          start is bounded, deviated and at most O(1/delta)-misaligned.
Source:   Lyu, Li, Arora, arXiv:2206.07085, appendices B.3 and L.1.

Constants of O and Omega are letters; those that may depend on D are chosen in the derivation.
Found: two slips, none of which touches Lemma H.8; a third, x^_0 for x_0 in the lower bound for
h_0, turns out to be true in the setting of the proof.
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
    norm,
    norm2,
    scalar,
    sqrt,
    substitute,
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
SPARE = ("longer", "more", "wide", "fits", "spare")
ZERO, ONE = as_expr(0), as_expr(1)


# ------------------------------------------------------------------------------- statements
radius: Parts = {
    "not too small": Inequality(low, "<=", delta / 2),
    "not too large": Inequality(high, "<=", delta / 2),
}
top_part = Inequality(top, "<=", delta / 2)


lower_bound = Inequality(height, ">=", first - second - length_hat * turned)
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
    """<x_0, v'> = <x_0, v> - <x_0, w> where w = v - v' is short and nearly orthogonal to v."""
    along = scalar("along", r"\langle x_0,v\rangle", nonnegative=True)
    side, turn = vector("side", D, "y"), vector("turn", D, "v-v'")
    m.step("the sign of v is chosen with <x_0, v> >= 0; x_0 = <x_0, v> v + y, y orthogonal to v")
    m.define(offset, along * v_zeta + side)
    m.relation(dot(side, v_zeta), 0, by="orthogonal")
    m.step("v and v' = v - w are unit vectors: <v, w> = |w|^2/2")
    m.relation(norm2(v_zeta), 1, by="unit")
    m.relation(dot(v_zeta, turn), norm2(turn) / 2, by="unit")
    m.define(height, absolute(dot(offset, v_zeta - turn)))
    m.define(first, absolute(dot(start, v_zeta)))
    m.define(second, absolute(dot(start - offset, v_zeta)))
    m.define(turned, norm(turn))
    m.define(length_hat, norm(start))
    m.step(
        "phi_0 - zeta_0 is P_0 x^_0 up to O(r^2) in the tangent space, and O(r^2) across it: "
        "|x_0|^2 = |x^_0 - (phi_0 - zeta_0)|^2 <= r^2 - |P_0 x^_0|^2/2 + O(r^4)"
    )
    s, w, y, h = (scalar(k, nonnegative=True) for k in ("s", "w", "y", "h"))
    f, p, q, t = (scalar(k) for k in ("f", "p", "q", "t"))
    longest = Inequality(s**2 + y**2, "<=", h**2 + c_3 * h**4)
    turns, large = Inequality(w, "<=", c_2 * h), Inequality(s, ">=", big * h**2)
    constants = Inequality(big, ">=", c_2 + c_3), Inequality(big, ">=", ONE)
    small = Inequality(c_3 * h**2, "<=", as_expr(3)), Inequality(c_2 * h, "<=", ONE)
    given = {"smooth": (longest, turns, *small), "C_0": (large, *constants)}
    meant: dict[Expr, Expr] = {s: along, w: norm(turn), y: norm(side), h: norm(start)}
    for name, facts in given.items():
        for fact in facts:
            lhs, rhs = (substitute(x, meant) for x in (fact.lhs, fact.rhs))
            m.assume(Inequality(lhs, fact.relation, rhs), by=name)
    room = Inequality(s**2, ">=", c_3 * h**4 + s * w * h)
    square = Inequality(y**2, "<=", (h - s * w / 2) ** 2)
    near, shorter = Inequality(s * w, "<=", 2 * h), Inequality(y, "<=", h - s * w / 2)
    m.lemma("room", room, (large, turns, *constants), meant)
    m.lemma("square", square, (room, longest), meant)
    m.lemma("near", near, (longest, turns, *small), meant)
    m.lemma("shorter", shorter, (square, near), meant)
    product = norm(side) * norm(turn)
    m.lemma("Cauchy-Schwarz", Inequality(absolute(dot(side, turn)), "<=", product))
    both = Inequality(absolute(s * w**2 / 2 + p), "<=", h * w)
    inner = Inequality(absolute(p), "<=", y * w)
    m.lemma("turn", both, (shorter, inner), meant | {p: dot(side, turn)})
    m.lemma(
        "triangle",
        Inequality(absolute(s - t), ">=", absolute(f) - absolute(f - s) - q),
        (Inequality(absolute(t), "<=", q),),
        {
            s: along,
            t: along * norm2(turn) / 2 + dot(side, turn),
            f: dot(start, v_zeta),
            q: norm(start) * norm(turn),
        },
    )


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
    for small in (eta, alpha_0**12 * eta, root**12 * eta, 1 / alpha_0, 1 / root):
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
    m.patience = 0.02
    longer, more, wide, fits, spare = (scalar(k, nonnegative=True) for k in SPARE)
    m.define(delta, exp(-(root**2)))
    m.define(sigma_0, eta * exp(-(alpha_0**2)) * (1 + wide))
    m.assume(Inequality(C**2, ">=", as_expr(2)))
    m.assume(Inequality(alpha_0, ">=", ONE))
    exponent = (C * (alpha_0 + root)) ** 2 - 2 * root**2 - alpha_0**2
    m.step("c stands for a constant that is smaller than c_1 c_2; C^2 >= 2 + log(1/c)")
    if m.decide(Inequality(exponent, ">=", C**2 - 2)).outcome == "holds":
        m.step("log(1/c) <= C^2 - 2 <= (C (alpha_0 + root))^2 - 2 root^2 - alpha_0^2")
        m.define(c, exp(-exponent) * (1 + spare))
    m.step("r >= c_2 delta sigma_0 with c_1 c_2 >= c")
    m.define(r, (c / c_1) * (1 + fits) * delta * sigma_0)
    m.define(height, c_1 * delta * r * (1 + more))
    m.define(length, height * (1 + longer))
    m.generic = False
    m.example(_smallest)


def _smallest() -> dict[Any, Any]:
    """The smallest sigma_0, and c = exp(-2): the exponent is 16 - 2 - 1 = 13."""
    import sympy

    zeros = {scalar(name, nonnegative=True): 0 for name in SPARE}
    room = {scalar("spare", nonnegative=True): sympy.exp(11) - 1}
    return {**zeros, **room, alpha_0: 1, root: 1, C: 2, c_1: 1, eta: Fraction(1, 64)}


def derive_misaligned(m: Model) -> None:
    """A projection is no longer than the whole, and the top part is not too short."""
    m.uses("lyu22/lemma-H.8.p6")
    share = scalar("share", nonnegative=True)
    m.assume(Inequality(share, "<=", ONE))
    m.define(middle, share * length)
    m.assume(Inequality(length, "<=", c_2 * r), by="radius")
    m.assume(Inequality(height, ">=", c_1 * (delta * r)), by="top")


FEW = {"quick": 1, "default": 4}
OUTWEIGHED = "in drawn valleys the last term leaves more room than the middle term takes"
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
        lower_bound,
        {
            "C_0": "C_0 is large: <x_0, v_1> >= K r^2 with K large, on the event of the proof",
            "smooth": (
                "Phi and v_1 are smooth: |x_0|^2 <= r^2 + c_3 r^4 and |v_1(zeta_0) - v_1(phi_0)| "
                "<= c_2 r, for r with c_3 r^2 <= 3 and c_2 r <= 1"
            ),
        },
        derive=derive_triangle,
        simulate=simulate_triangle,
        reading=(
            "For any vectors the triangle inequality has the norm of x_0 in its last term, where "
            "that of x^_0 is printed. In the setting of the proof the printed bound holds as well: "
            "x_0 is hardly longer than x^_0, and its part along v_1 makes up for the difference."
        ),
        waive={
            f"simulation:*{x}": OUTWEIGHED
            for x in (
                "-second x1/2",
                "-second sign",
                "-second dropped",
                "-1 +1",
                "second -> turned",
            )
        },
        examples=FEW,
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
        reading=(
            "sigma_0 >= exp(-alpha_0^2) eta: the printed third bound lacks this eta, so that no "
            "constant in its Omega will do as eta tends to zero."
        ),
        waive={"*x2": ROOM, "*x1.001": ROOM},
    ),
    Claim(
        "lyu22/lemma-H.8.p9",
        misaligned,
        {"radius": "|x_0| <= c_2 r", "top": "|h_0| eta >= c_1 delta r"},
        derive=derive_misaligned,
    ),
]
