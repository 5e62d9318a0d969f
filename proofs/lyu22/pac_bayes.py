r"""The PAC-Bayes bound with spherical sharpness.

Setting:  a loss in [0, l_max] on the sphere, n samples, noise eps ~ N(0, sigma^2 I/D), delta in
          (0, 1); h(sigma) = (1 + sqrt(ln n/D)) sigma <= 1/2.
Claims:   the divergence of Gaussians (Lemma C.3) and its value for the proof; the chi-square tail
          (12); the proof of Theorem C.2 step by step, and its constants.
Source:   Lyu, Li, Arora, arXiv:2206.07085, appendix C.

Expectations are letters; what a step says of them (symmetry, Markov's inequality, a change of
measure) is a hypothesis with a name.  Found: the last step of the proof adds l_max where the step
before it has l_max/sqrt(n); with that the theorem follows.
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
    trace,
    vector,
)

from . import _pac_bayes_runs as runs
from ._pac_bayes_runs import (
    D,
    H,
    confidence,
    delta,
    divergence,
    eps,
    gap,
    gap_theta,
    hh,
    inside,
    l_max,
    lam_1,
    log_n,
    loss_theta,
    mean_P,
    mean_Q,
    n,
    noisy,
    rho_3,
    sigma,
    sigma_P,
    sigma_Q,
    t,
    tail,
    theta,
    threshold,
    unseen,
)

if TYPE_CHECKING:
    from eostheory.formula import Expr
    from eostheory.symbolic import Model

zero, one = as_expr(0), as_expr(1)
HALF = Fraction(1, 2)
A = D / (2 * sigma**2) + confidence
ratio = log(n) / D

# -------------------------------------------------------------------------------- statements
pac_bayes = Inequality(gap, "<=", l_max * sqrt((divergence + confidence) / (2 * (n - 1))))
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
first = sigma**2 * (1 + 2 * sqrt(log(sqrt(n)) / D) + 2 * (log(sqrt(n)) / D))
second = sigma**2 * (1 + sqrt(ratio)) ** 2
radius: dict[str, Statement] = {
    "event": Inequality(norm2(eps), "<=", first),
    "square": Inequality(first, "<=", second),
    "h": Equation(hh, (1 + sqrt(ratio)) * sigma),
    "bound": Inequality(second, "<=", hh**2),
    "half": Inequality(hh, "<=", one * HALF),
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
SAMPLES = {"samples": "n >= 2, delta in (0, 1], D >= 1"}
SMALL = {"small": "sigma <= 1/(2 + 2 sqrt(ln n/D))"}
MEASURE = {
    "change_of_measure": "KL(Q|P) >= E_Q f - ln E_P e^f (Donsker, Varadhan), and Jensen",
    "good_event": "E_P exp(2 (n - 1) gap^2/l_max^2) <= n/delta, with probability 1 - delta "
    "(Hoeffding and Markov; the loss has values in [0, l_max])",
}


def sizes(m: Model) -> None:
    """The ranges of n, delta and D."""
    m.assume(Inequality(n, ">=", as_expr(2)), by="samples")
    m.assume(Inequality(delta, "<=", one), by="samples")
    m.assume(Inequality(D, ">=", one), by="samples")


def derive_pac_bayes(m: Model) -> None:
    """2 (n - 1) E_Q[gap^2]/l_max^2 <= KL + ln E_P exp(...), and E_Q[gap]^2 <= E_Q[gap^2]."""
    sizes(m)
    second_moment = scalar("E_gap2", nonnegative=True)
    log_moment = scalar("ln_E_P", r"\ln\mathbb{E}_P e^{f}")
    m.assume(
        Inequality(2 * (n - 1) * second_moment, "<=", l_max**2 * (divergence + log_moment)),
        by="change_of_measure",
    )
    m.assume(Inequality(gap**2, "<=", second_moment), by="change_of_measure")
    m.assume(Inequality(log_moment, "<=", confidence), by="good_event")
    m.assume(Inequality(divergence, ">=", zero), by="divergence")
    root_from_square(m, divergence + confidence)


def root_from_square(m: Model, value: Expr) -> None:
    """gap^2 <= l^2 v/(2 (n - 1)) gives the root."""
    square = l_max**2 * value / (2 * (n - 1))
    m.lemma("square of the bound", Inequality(gap**2, "<=", square))
    g, b = scalar("g_0"), scalar("b_0", nonnegative=True)
    m.lemma(
        "root of the bound",
        Inequality(g, "<=", b),
        given=[Inequality(g**2, "<=", b**2)],
        where={g: gap, b: l_max * sqrt(value / (2 * (n - 1)))},
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
    root_from_square(m, value)


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


def derive_split(m: Model) -> None:
    """Off the event the loss is at most l_max, with a probability of at most 1/sqrt n."""
    m.uses("lyu22/thm-C.2.p3")
    outside, chance = scalar("outside"), scalar("chance", nonnegative=True)
    m.define(noisy, inside + outside)
    m.assume(Inequality(outside, "<=", l_max * chance), by="bounded")
    m.assume(Inequality(chance, "<=", 1 / sqrt(n)), by="likely")


def derive_taylor(m: Model) -> None:
    """On the event E[eps eps^T] = (q/D) I by symmetry, and the third derivative is <= 8 rho_3."""
    likely, q = scalar("p_in", nonnegative=True), scalar("q_in", nonnegative=True)
    rest, mean = scalar("rest"), scalar("mean_curvature", r"\mathrm{Tr}/D")
    m.step("E[L 1] <= p L + <0, grad L> + q/(2 D) Tr + p 8 rho_3 h^3/6")
    m.define(trace_letter := scalar("trace_H"), D * mean)
    m.relation(trace(H), trace_letter, by="letters")
    m.define(inside, likely * loss_theta + q / (2 * D) * trace_letter + rest)
    m.assume(Inequality(rest, "<=", likely * 8 * rho_3 * hh**3 / 6), by="third")
    m.assume(Inequality(likely, "<=", one), by="probability")
    m.assume(Inequality(q, "<=", sigma**2), by="probability")
    m.assume(Inequality(loss_theta, ">=", zero), by="nonnegative")
    m.assume(Inequality(mean, ">=", zero), by="trace")
    m.assume(Inequality(mean, "<=", lam_1), by="top")


def derive_assembly(m: Model) -> None:
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
    if not m.withheld:
        m.step("an instance: A = 55, far below 2 (n - 1)")
        known = {n: 100, D: 1, sigma: Fraction(1, 10), confidence: 5}
        m.example({**known, rho_3: 1, l_max: 1})
        m.example({**known, n: 3, rho_3: 10**9, l_max: 1})


def derive_theorem(m: Model) -> None:
    """p2, p4 and p5 added up, and the constants of p6."""
    for step in (2, 4, 5, 6):
        m.uses(f"lyu22/thm-C.2.p{step}")
    sizes(m)
    cube = scalar("cube", r"\tfrac43\rho_3h^3", nonnegative=True)
    root = scalar("root", r"\ell_{\max}(\ldots+1/\sqrt n)", nonnegative=True)
    m.assume(Inequality(unseen - loss_theta, "<=", sigma**2 / 2 * lam_1 + cube + root), by="steps")
    m.assume(Inequality(cube, "<=", final_cubic), by="constants")
    m.assume(Inequality(root, "<=", final_root), by="constants")


def derive_transfer(m: Model) -> None:
    """L(theta) <= E L(theta + eps)."""
    m.uses("lyu22/thm-C.2")
    at_theta = scalar("population_loss", r"\mathcal{L}(\theta)")
    m.define(gap_theta, at_theta - loss_theta)
    m.assume(theorem, by="theorem")
    m.assume(Inequality(unseen, ">=", at_theta), by="foret")


NORMAL = {"moments": "e is standard normal: E|e|^2 = D and E e = 0"}
LETTERS = "Expectations and logarithms are letters; the hypotheses say what the step uses of them."
CLAIMS = [
    Claim(
        "lyu22/thm-C.1",
        pac_bayes,
        SAMPLES | MEASURE,
        derive=derive_pac_bayes,
        reading="A cited theorem; derived from two standard facts. Losses lie in [0, l_max].",
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
            "simulation:tail:right exp(-t) x1/2": "seems true: as t -> 0 the tail is that beyond "
            "the mean, below one half"
        },
    ),
    Claim(
        "lyu22/thm-C.2.p3",
        radius,
        SAMPLES | SMALL | {"likely": "the event of (12) at t = ln sqrt(n) does not occur"},
        derive=derive_radius,
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
        {
            "third": "the third derivative is at most 8 rho_3 within 1/2 of the sphere",
            "nonnegative": "losses are not negative",
            "trace": "Tr >= 0, as the text uses silently; the bound by lambda_1 needs it not",
            "top": "Tr/D <= lambda_1",
        },
        derive=derive_taylor,
        reading=LETTERS,
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
        | {
            "steps": "p2, p4 and p5 (without the middle of its chain) added up",
            "constants": "p6 as corrected, for sigma <= 1/(2 + 2 sqrt(ln n/D))",
        },
        derive=derive_theorem,
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
