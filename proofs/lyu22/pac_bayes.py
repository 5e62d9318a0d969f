r"""The PAC-Bayes bound with spherical sharpness.

Setting:  a loss in [0, l_max] on the sphere, n samples, noise eps ~ N(0, sigma^2 I/D), delta in
          (0, 1); h(sigma) = (1 + sqrt(ln n/D)) sigma <= 1/2.
Claims:   the PAC-Bayes theorem (Theorem C.1); the divergence of Gaussians (Lemma C.3), its value
          for the proof of Theorem C.2, and what Theorem C.1 says then; the chi-square tail (12).
Source:   Lyu, Li, Arora, arXiv:2206.07085, appendix C.

Expectations are letters; what a step says of them (Markov's inequality, a change of measure) is a
hypothesis with a name.
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
    dot,
    exp,
    log,
    norm2,
    scalar,
    sqrt,
    vector,
)

from . import _pac_bayes_runs as runs
from ._pac_bayes_runs import (
    D,
    confidence,
    delta,
    divergence,
    gap,
    gap_printed,
    l_max,
    mean_P,
    mean_Q,
    n,
    sigma,
    sigma_P,
    sigma_Q,
    t,
    tail,
    theta,
    threshold,
)

if TYPE_CHECKING:
    from eostheory.formula import Expr
    from eostheory.symbolic import Model

zero, one = as_expr(0), as_expr(1)
HALF = Fraction(1, 2)
A = D / (2 * sigma**2) + confidence

# -------------------------------------------------------------------------------- statements
pac_bayes = Inequality(
    gap_printed, "<=", l_max * sqrt((divergence + log(n / delta)) / (2 * (n - 1)))
)
gaussians = Equation(
    divergence,
    ((D * sigma_Q**2 + norm2(mean_P - mean_Q)) / sigma_P**2 - D + D * log(sigma_P**2 / sigma_Q**2))
    / 2,
)
chosen = Equation(divergence, D / (2 * sigma**2))
applied = Inequality(gap, "<=", l_max * sqrt((D / (2 * sigma**2) + confidence) / (2 * (n - 1))))
chi_square: dict[str, Statement] = {
    "event": Equation(threshold, 2 * sigma**2 * sqrt(t / D) + 2 * t * sigma**2 / D),
    "tail": Inequality(tail, "<=", exp(-t)),
}
# -------------------------------------------------------------------------------- derivations
SAMPLES = {"samples": "n >= 2, delta in (0, 1], D >= 1"}
MEASURE = {
    "change_of_measure": "KL(Q|P) >= E_Q f - ln E_P e^f (Donsker, Varadhan), and Jensen",
    "good_event": "E_P exp(2 (n - 1) gap^2/l_max^2) <= n/delta, with probability 1 - delta: by "
    "Hoeffding's lemma the mean over S of the exponential is at most sqrt(n); Fubini and Markov",
}


def sizes(m: Model) -> None:
    """The ranges of n, delta and D."""
    m.assume(Inequality(n, ">=", as_expr(2)), by="samples")
    m.assume(Inequality(delta, "<=", one), by="samples")
    m.assume(Inequality(D, ">=", one), by="samples")


def only_lemmas(m: Model) -> None:
    """The letters are moments, of which more is true than is declared: no search for values."""
    m.generic = False
    m.patience = 0.05


def derive_pac_bayes(m: Model) -> None:
    """2 (n - 1) E_Q[gap^2]/l_max^2 <= KL + ln E_P exp(...), and E_Q[gap]^2 <= E_Q[gap^2]."""
    sizes(m)
    second_moment = scalar("E_gap2", nonnegative=True)
    moment = scalar("E_P_exp", r"\mathbb{E}_P e^{f}", positive=True)
    spare = scalar("u", nonnegative=True)
    m.assume(
        Inequality(2 * (n - 1) * second_moment, "<=", l_max**2 * (divergence + log(moment))),
        by="change_of_measure",
    )
    m.assume(Inequality(gap_printed**2, "<=", second_moment), by="change_of_measure")
    m.assume(Inequality(divergence, ">=", zero), by="divergence")
    m.step("f = 2 (n - 1) gap^2/l_max^2, so that both signs of the gap are bounded")
    if "good_event" not in m.withheld:
        m.define(moment, n / delta * exp(-spare))
    root_from_square(m, gap_printed, divergence + log(n / delta))
    only_lemmas(m)
    if not m.withheld:
        reached = Fraction(920094337, 10**9)
        m.step("an instance: sqrt((1 + ln 2)/2) to nine digits")
        known = {n: 2, delta: 1, l_max: 1, divergence: 1, spare: 0, D: 1}
        m.example({**known, gap_printed: reached, second_moment: reached**2})


def root_from_square(m: Model, which: Expr, value: Expr) -> None:
    """gap^2 <= l^2 v/(2 (n - 1)) gives the root."""
    square = l_max**2 * value / (2 * (n - 1))
    m.lemma("square of the bound", Inequality(which**2, "<=", square))
    g, b = scalar("g_0"), scalar("b_0", nonnegative=True)
    m.lemma(
        "root of the bound",
        Inequality(g, "<=", b),
        given=[Inequality(g**2, "<=", b**2)],
        where={g: which, b: l_max * sqrt(value / (2 * (n - 1)))},
    )


def derive_gaussians(m: Model) -> None:
    """E ln(q/p): the expectation is linear, E|e|^2 = D and E<e, a> = 0 for a standard normal e."""
    noise = vector("e", "dim")
    m.step("x = mu_Q + sigma_Q e; ln(q/p) is linear in |e|^2 and e, whose means are D and 0")
    draw = mean_Q + sigma_Q * noise
    log_ratio = (
        norm2(draw - mean_P) / (2 * sigma_P**2)
        - norm2(draw - mean_Q) / (2 * sigma_Q**2)
        + D * log(sigma_P)
        - D * log(sigma_Q)
    )
    m.relation(norm2(noise), D, by="moments")
    m.relation(dot(noise, mean_P), 0, by="moments")
    m.relation(dot(noise, mean_Q), 0, by="moments")
    m.define(divergence, log_ratio)
    m.generic = False


def derive_chosen(m: Model) -> None:
    """Lemma C.3 with sigma_Q^2 = sigma_P^2 = sigma^2/D, mu_Q = theta and mu_P = 0."""
    m.uses("lyu22/lemma-C.3")
    spread = sigma**2 / D
    m.relation(norm2(theta), 1, by="unit")
    m.define(divergence, ((D * spread + norm2(theta)) / spread - D + D * log(spread / spread)) / 2)


def derive_applied(m: Model) -> None:
    """Theorem C.1 in its two-sided form, with the divergence of the proof."""
    m.uses("lyu22/thm-C.2.p1")
    sizes(m)
    m.uses("lyu22/thm-C.1")
    value = D / (2 * sigma**2) + confidence
    m.assume(Inequality(gap**2, "<=", l_max**2 * value / (2 * (n - 1))), by="pac_bayes")
    root_from_square(m, gap, value)


def derive_chi_square(m: Model) -> None:
    """Chernoff: chi = D |eps|^2/sigma^2 has E exp(s chi) = (1 - 2 s)^(-D/2)."""
    r = scalar("r", positive=True)
    m.define(t, D * r**2)
    m.define(threshold, sigma**2 / D * (2 * sqrt(D * t) + 2 * t))
    s = r / (1 + 2 * r)
    above = D * (1 + threshold / sigma**2)
    m.step("Markov's inequality for exp(s chi) at s = r/(1 + 2 r), r = sqrt(t/D)")
    exponent = -s * above - D / 2 * log(1 - 2 * s)
    k = scalar("r_0", nonnegative=True)
    of_log = Inequality(log(1 + 2 * k), "<=", 2 * k * (1 + k) / (1 + 2 * k))
    m.lemma("logarithm", of_log, where={k: r})
    if m.lemma("exponent", Inequality(exponent, "<=", -t)).outcome != "holds":
        return
    m.step("the tail is exp(-t - u), where u >= 0 is what the exponent and Markov leave over")
    spare = scalar("u", nonnegative=True)
    m.define(tail, exp(-t) * exp(-spare))
    m.lemma("exponential", Inequality(exp(-spare), "<=", one))
    m.generic = False  # u is what the tail makes it


CLAIMS = [
    Claim(
        "lyu22/thm-C.1",
        pac_bayes,
        SAMPLES | MEASURE,
        derive=derive_pac_bayes,
        waive={
            "left gap_printed x1/2": "true: the bound is not negative",
            "left gap_printed sign": "true: the proof bounds both signs",
        },
        reading="A cited theorem; derived from two standard facts, for both signs. Losses lie "
        "in [0, l_max].",
    ),
    Claim("lyu22/lemma-C.3", gaussians, derive=derive_gaussians, simulate=runs.gaussians),
    Claim(
        "lyu22/thm-C.2.p1",
        chosen,
        {"unit": "|theta| = 1"},
        derive=derive_chosen,
        simulate=runs.chosen,
    ),
    Claim(
        "lyu22/thm-C.2.p2",
        applied,
        SAMPLES | {"pac_bayes": "Theorem C.1, squared"},
        derive=derive_applied,
        reading="Theorem C.1 is printed for the opposite difference; its proof bounds the square.",
    ),
    Claim(
        "lyu22/eq-12",
        chi_square,
        derive=derive_chi_square,
        simulate=runs.chi_square,
        waive={
            "simulation:tail:right exp(-t) x1/2": "true: exp(-t)/2 - P[...] is positive at t = 0 "
            "(the median lies below the mean), tends to 0, and cannot fall before it rises: with "
            "r = sqrt(t/D) and Q = 1 + 2r + 2r^2, the log of the density in t over exp(-t) has the "
            "slope -2 D r^2/Q - (2 + 4r)/Q - 1/(r (1 + 2r)) < 0 in r"
        },
    ),
]
