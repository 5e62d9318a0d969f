r"""The proof of the PAC-Bayes bound with spherical sharpness, and its constants.

Setting:  a loss in [0, l_max] on the sphere, n samples, noise eps ~ N(0, sigma^2 I/D), delta in
          (0, 1]; h(sigma) = (1 + sqrt(ln n/D)) sigma <= 1/2.
Claims:   the proof of Theorem C.2 after the bound of Theorem C.1, step by step; Theorem C.2.
Source:   Lyu, Li, Arora, arXiv:2206.07085, appendix C.

Expectations are letters; what a step says of them (symmetry, moments, Taylor's formula) is a
hypothesis with a name.  Found: the last step of the proof adds l_max where the step before it has
l_max/sqrt(n); with that the theorem follows.  The bound by the trace needs no sign of the trace.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Inequality,
    Statement,
    as_expr,
    exp,
    log,
    norm2,
    scalar,
    sqrt,
    trace,
)

from ._pac_bayes_runs import (
    D,
    H,
    confidence,
    delta,
    eps,
    gap_theta,
    hh,
    inside,
    l_max,
    lam_1,
    log_n,
    loss_theta,
    n,
    noisy,
    rho_3,
    sigma,
    tail,
    unseen,
)
from .pac_bayes import HALF, SAMPLES, A, one, only_lemmas, sizes, zero

if TYPE_CHECKING:
    from eostheory.formula import Symbol
    from eostheory.symbolic import Model

ratio = log(n) / D

# -------------------------------------------------------------------------------- statements
first = sigma**2 * (1 + 2 * sqrt(log(sqrt(n)) / D) + 2 * (log(sqrt(n)) / D))
second = sigma**2 * (1 + sqrt(ratio)) ** 2
radius: dict[str, Statement] = {
    "event": Inequality(norm2(eps), "<=", first),
    "square": Inequality(first, "<=", second),
    "h": Equation(hh, (1 + sqrt(ratio)) * sigma),
    "bound": Inequality(second, "<=", hh**2),
    "half": Inequality(hh, "<=", one * HALF),
    "probability": Inequality(tail, "<=", 1 / sqrt(n)),
}
split = Inequality(noisy, "<=", l_max / sqrt(n) + inside)
cubic = Fraction(4, 3) * rho_3 * hh**3
taylor: dict[str, Statement] = {
    "trace": Inequality(inside, "<=", loss_theta + sigma**2 / (2 * D) * trace(H) + cubic),
    "top eigenvalue": Inequality(
        loss_theta + sigma**2 / (2 * D) * trace(H) + cubic,
        "<=",
        loss_theta + sigma**2 / 2 * lam_1 + cubic,
    ),
}
final_root = l_max * sqrt((D / sigma**2 + 2 * confidence) / (n - 1))
final_cubic = 16 * sigma**3 / 3 * rho_3 * (1 + (log_n / D) ** Fraction(3, 2))
assembly: dict[str, Statement] = {
    "root": Inequality(l_max * (sqrt(A / (2 * (n - 1))) + 1), "<=", final_root),
    "cubic": Inequality(cubic, "<=", final_cubic),
}
assembly_corrected: dict[str, Statement] = {
    **assembly,
    "root": Inequality(l_max * (sqrt(A / (2 * (n - 1))) + 1 / sqrt(n)), "<=", final_root),
}
bound = sigma**2 / 2 * lam_1 + final_cubic + final_root
theorem = Inequality(unseen - loss_theta, "<=", bound)
transferred = Inequality(gap_theta, "<=", bound)


# -------------------------------------------------------------------------------- derivations
SMALL = {"small": "sigma <= 1/(2 + 2 sqrt(ln n/D))"}


def derive_radius(m: Model) -> None:
    """The event of (12) at t = ln sqrt(n) does not occur."""
    m.uses("lyu22/eq-12")
    sizes(m)
    m.define(hh, sigma * (1 + sqrt(log(n) / D)))
    time = log(n) / 2
    m.assume(
        Inequality(norm2(eps) - sigma**2, "<=", 2 * sigma**2 * (sqrt(time / D) + time / D)),
        by="likely",
    )
    m.assume(Inequality(sigma, "<=", 1 / (2 + 2 * sqrt(ratio))), by="small")
    m.step("the event has a probability of at most exp(-t)")
    spare = scalar("u", nonnegative=True)
    m.define(tail, exp(-time) * exp(-spare))
    m.lemma("exponential", Inequality(exp(-spare), "<=", one))
    m.generic = False


def derive_split(m: Model) -> None:
    """Off the event the loss is at most l_max, with a probability of at most 1/sqrt n."""
    m.uses("lyu22/thm-C.2.p3")
    outside, chance = scalar("outside"), scalar("chance", nonnegative=True)
    m.define(noisy, inside + outside)
    m.assume(Inequality(outside, "<=", l_max * chance), by="bounded")
    m.assume(Inequality(chance, "<=", 1 / sqrt(n)), by="likely")


def derive_taylor(m: Model) -> None:
    """Moments inside and outside the event; the part outside makes up for a negative trace.

    On the event E[eps eps^T 1] = (q/D) I by symmetry.  Outside, the mean of the loss over the
    directions of eps is not negative, and at most L + (Tr/D) r^2/2 + (4/3) rho_3 r^3.
    """
    sizes(m)
    likely, q_out = scalar("p_in", nonnegative=True), scalar("q_out", nonnegative=True)
    k_in, k_out = scalar("k_in", nonnegative=True), scalar("k_out", nonnegative=True)
    rest, mean = scalar("rest"), scalar("mean_curvature", r"\mathrm{Tr}/D")
    third = Fraction(4, 3) * rho_3
    m.define(trace_letter := scalar("trace_H"), D * mean)
    m.relation(trace(H), trace_letter, by="letters")
    m.step("q = E[|eps|^2 1] = sigma^2 - q_out, k = E[|eps|^3 1] on the event, k_out outside")
    m.define(inside, likely * loss_theta + (sigma**2 - q_out) / (2 * D) * trace_letter + rest)
    m.assume(Inequality(rest, "<=", 8 * rho_3 * k_in / 6), by="third")
    m.assume(Inequality(likely, "<=", one), by="probability")
    m.assume(Inequality(loss_theta, ">=", zero), by="nonnegative")
    m.assume(Inequality(mean, "<=", lam_1), by="top")
    m.step("at a radius r <= 1/2: Taylor and L >= 0; beyond: the third derivative along theta")
    r = scalar("r", nonnegative=True)
    m.assume(Inequality(mean, ">=", -rho_3 / 2), by="invariant")
    m.assume(Inequality(r, ">=", one * HALF), by="far")
    far = Inequality(loss_theta + mean * r**2 / 2 + third * r**3, ">=", zero)
    if m.lemma("beyond one half", far).outcome == "holds":
        m.step("both integrated over the radii outside the event")
        outside = (1 - likely) * loss_theta + mean * q_out / 2 + third * k_out
        m.assume(Inequality(outside, ">=", zero), by="third")
    m.step("E|eps|^4 = sigma^4 (1 + 2/D) <= h^4, and Lyapunov: (E|eps|^3)^4 <= (E|eps|^4)^3")
    m.define(hh, (1 + sqrt(ratio)) * sigma)
    s, x, c = (scalar(k, nonnegative=True) for k in ("s_0", "x_0", "c_0"))
    fourth = sigma**4 * (1 + 2 / D)
    m.assume(Inequality((k_in + k_out) ** 4, "<=", fourth**3), by="lyapunov")
    m.lemma("log 2", Inequality(log(n), ">=", as_expr(Fraction(1, 3))))
    m.lemma(
        "fourth root",
        Inequality(1 + 2 * x, "<=", (1 + s) ** 4),
        given=[Inequality(s**2, ">=", x / 3)],
        where={s: sqrt(ratio), x: 1 / D},
    )
    m.lemma("fourth moment", Inequality(fourth, "<=", hh**4))
    m.lemma(
        "third moment",
        Inequality(x, "<=", c**3),
        given=[Inequality(x**4, "<=", s**3), Inequality(s, "<=", c**4)],
        where={x: k_in + k_out, c: hh, s: fourth},
    )
    m.lemma(
        "third order",
        Inequality(third * (k_in + k_out), "<=", cubic),
        given=[Inequality(k_in + k_out, "<=", hh**3)],
    )
    left, bent, y, z, u, v = (scalar(f"{k}_1") for k in "abyzuv")
    m.lemma(
        "what is outside",
        Inequality(z - left - bent, "<=", v),
        given=[
            Inequality(left + bent + y, ">=", zero),
            Inequality(z, "<=", u),
            Inequality(u + y, "<=", v),
        ],
        where={
            left: (1 - likely) * loss_theta,
            bent: mean * q_out / 2,
            y: third * k_out,
            z: rest,
            u: third * k_in,
            v: cubic,
        },
    )
    only_lemmas(m)
    if not m.withheld:
        m.step("an instance: in a high dimension |eps| is almost sigma, and h almost as small")
        moments = {k_in: Fraction(1, 64), k_out: 0, q_out: 0, likely: 1, rest: Fraction(1, 48)}
        known = {n: 2, delta: 1, D: 10**14, sigma: Fraction(1, 4), rho_3: 1, loss_theta: 1}
        m.example({**known, **moments, mean: 1, lam_1: 1, r: HALF, H: ((10**14,),)})


def constants(m: Model) -> None:
    """(1 + s)^3 <= 4 (1 + s^3); and 1/sqrt n <= sqrt(A/(2 (n - 1))), as A >= 2 D >= 2."""
    sizes(m)
    s, a, k = (
        scalar("s_0", nonnegative=True),
        scalar("a_0", positive=True),
        scalar("k_0", positive=True),
    )
    m.define(log_n, log(n))
    m.define(hh, (1 + sqrt(ratio)) * sigma)
    m.assume(Inequality(sigma, "<=", 1 / (2 + 2 * sqrt(ratio))), by="small")
    m.lemma("sigma", Inequality(sigma, "<=", one * HALF))
    m.lemma("power mean", Inequality((1 + s) ** 3, "<=", 4 * (1 + s**3)), where={s: sqrt(ratio)})
    m.lemma("A", Inequality(A, ">=", as_expr(2)))
    m.lemma(
        "root",
        Inequality(1 / sqrt(k), "<=", sqrt(a / (2 * (k - 1)))),
        given=[Inequality(a, ">=", as_expr(2)), Inequality(k, ">=", as_expr(2))],
        where={a: A, k: n},
    )


def derive_assembly(m: Model) -> None:
    """The constants, and instances on which the printed ones fail."""
    constants(m)
    if not m.withheld:
        m.step("an instance: A = 55, far below 2 (n - 1)")
        known = {n: 100, D: 1, sigma: Fraction(1, 10), confidence: 5}
        m.example({**known, rho_3: 1, l_max: 1})
        m.example({**known, n: 3, rho_3: 10**9, l_max: 1})


def derive_theorem(m: Model) -> None:
    """p2, p4 and p5 added up, and the constants of p6."""
    for step in (2, 4, 5, 6):
        m.uses(f"lyu22/thm-C.2.p{step}")
    constants(m)
    m.lemma("constants, root", assembly_corrected["root"])  # type: ignore[arg-type]
    m.lemma("constants, cubic", assembly_corrected["cubic"])  # type: ignore[arg-type]
    p2 = Inequality(unseen - noisy, "<=", l_max * sqrt(A / (2 * (n - 1))))
    p5 = Inequality(inside, "<=", loss_theta + sigma**2 / 2 * lam_1 + cubic)
    for fact in (p2, split, p5):
        m.assume(fact, by="steps")
    a, b, c, e, x, y, z = (scalar(k) for k in ("a_0", "b_0", "c_0", "e_0", "x_0", "y_0", "z_0"))
    m.lemma(
        "sum",
        Inequality(x, "<=", e + c + z),
        given=[
            Inequality(x, "<=", a + b + y),
            Inequality(y, "<=", e + c),
            Inequality(a + b, "<=", z),
        ],
        where={
            x: unseen - loss_theta,
            y: inside - loss_theta,
            a: l_max * sqrt(A / (2 * (n - 1))),
            b: l_max / sqrt(n),
            c: cubic,
            e: sigma**2 / 2 * lam_1,
            z: final_root,
        },
    )
    only_lemmas(m)
    if not m.withheld:
        m.step("instances in which the sharpness, or the third derivative, is all that counts")
        known: dict[Symbol, object] = {
            n: 2,
            delta: 1,
            D: 1,
            confidence: 1,
            sigma: Fraction(1, 8),
            loss_theta: 0,
        }
        known |= {rho_3: Fraction(1, 10**9), l_max: Fraction(1, 10**9), lam_1: 128}
        m.example({**known, inside: 1, noisy: 1, unseen: 1})
        known |= {n: 100, D: Fraction(4606, 1000), confidence: 5}
        known |= {rho_3: 384, l_max: Fraction(1, 10**9), lam_1: 0}
        reached = 8 - Fraction(1, 500)
        m.example({**known, inside: reached, noisy: reached, unseen: reached})


def derive_transfer(m: Model) -> None:
    """L(theta) <= E L(theta + eps)."""
    m.uses("lyu22/thm-C.2")
    at_theta = scalar("population_loss", r"\mathcal{L}(\theta)")
    m.define(gap_theta, at_theta - loss_theta)
    m.assume(theorem, by="theorem")
    m.assume(Inequality(unseen, ">=", at_theta), by="foret")


LETTERS = "Expectations and logarithms are letters; the hypotheses say what the step uses of them."
CLAIMS = [
    Claim(
        "lyu22/thm-C.2.p3",
        radius,
        SAMPLES | SMALL | {"likely": "the event of (12) at t = ln sqrt(n) does not occur"},
        derive=derive_radius,
        reading="With probability 1 - 1/sqrt n: the event of (12) has at most 1/sqrt n.",
    ),
    Claim(
        "lyu22/thm-C.2.p4",
        split,
        {"bounded": "the loss is at most l_max", "likely": "(12) at t = ln sqrt(n)"},
        derive=derive_split,
        reading=LETTERS,
    ),
    Claim(
        "lyu22/thm-C.2.p5",
        taylor,
        SAMPLES
        | {
            "third": "the third derivative is at most 8 rho_3 within 1/2 of the sphere",
            "nonnegative": "losses are not negative",
            "invariant": "scale invariance: the third derivative along theta is -2 H on the "
            "sphere, so that |Tr|/D <= rho_3/2",
            "top": "Tr/D <= lambda_1",
        },
        derive=derive_taylor,
        waive={"top eigenvalue:left sigma**2*(2*D)**(-1)*trace(H) x1/2": "true, as lambda_1 >= 0"},
        reading=LETTERS + " The trace may be negative, where q <= sigma^2 alone would not do.",
    ),
    Claim(
        "lyu22/thm-C.2.p6",
        assembly,
        SAMPLES | SMALL,
        derive=derive_assembly,
        corrected=assembly_corrected,
    ),
    Claim(
        "lyu22/thm-C.2",
        theorem,
        SAMPLES
        | SMALL
        | {
            "steps": "p2, p4 and the ends of the chain of p5",
        },
        derive=derive_theorem,
        waive={
            "right 2*ln_n_delta x1/2": "true: the last step of the proof leaves room",
            "left loss_theta -> unseen": "true: the bound is not negative",
        },
        reading=LETTERS,
    ),
    Claim(
        "lyu22/secC.foret-assumption",
        transferred,
        {"theorem": "Theorem C.2", "foret": "E L(theta + eps) >= L(theta)"},
        derive=derive_transfer,
        reading=LETTERS,
    ),
]
