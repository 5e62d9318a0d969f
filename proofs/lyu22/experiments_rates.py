r"""What appendix P says about its experiments in formulas: rates, oscillation, and a ground truth.

Setting:  gradient descent with learning rate eta and weight decay lambda on a scale-invariant
          loss; at the edge, the two-step dynamics (22) of the oscillation h.
Claims:   the normalized ground truth has entries of second moment one; |h| grows where 2/rate is
          below the sharpness and shrinks where it is above; without decay the effective rate
          never grows; rates rescaled at fixed intrinsic rate.
Source:   Lyu, Li, Arora, arXiv:2206.07085, appendices P.1, P.3, P.5 and P.6.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from eostheory.agree import measured
from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Inequality,
    Statement,
    absolute,
    as_expr,
    dot,
    matrix,
    norm,
    norm2,
    scalar,
    sqrt,
    vector,
)

from ._notation import D, eta
from ._run import Setup, draw_loss, run

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.symbolic import Model

Parts = dict[str, Statement]
ZERO, ONE = as_expr(0), as_expr(1)

d = scalar("d", "d", positive=True)
truth, raw = matrix("truth", "d", "d", "M"), matrix("raw", "d", "d", r"\tilde M")
left, right = matrix("left", "d", "r", "U_*"), matrix("right", "d", "r", "V_*")

lam = scalar("lam", r"\lambda_1^H(\phi_t)", positive=True)
rate_low = scalar("rate_low", r"\tilde\eta_t^{>}", positive=True)
rate_high = scalar("rate_high", r"\tilde\eta_t^{<}", positive=True)
h = scalar("h", "h_t", nonzero=True)
h_low, h_high = scalar("h_low", "h_{t+2}^{>}"), scalar("h_high", "h_{t+2}^{<}")

eta_hat = scalar("eta_hat", r"\hat\eta", positive=True)
lam_hat = scalar("lam_hat", r"\hat\lambda", nonnegative=True)
eta_in = scalar("eta_in", r"\eta_{\mathrm{in}}", positive=True)
rate_0 = scalar("rate_0", r"\tilde\eta_t", positive=True)
rate_1 = scalar("rate_1", r"\tilde\eta_{t+1}", positive=True)

# ------------------------------------------------------------------------------- statements
ground_truth: Parts = {
    "product": Equation(raw, left @ right.T),
    "normalized": Equation(truth, d * norm(raw) ** -1 * raw),
    "second moment": Equation(d**-2 * norm2(truth), ONE),
}
sub_regimes: Parts = {
    "2/rate < sharpness": Inequality(absolute(h_low), ">", absolute(h)),
    "2/rate > sharpness": Inequality(absolute(h_high), "<", absolute(h)),
}
monotone = Inequality(rate_1, "<=", rate_0)
rescaled: Parts = {
    "intrinsic": Equation(eta_in, as_expr(Fraction(5, 10**5))),
    "decay": Equation(lam_hat, eta_in / eta_hat),
}


# ------------------------------------------------------------------------------ derivations
def derive_truth(m: Model) -> None:
    """The positive multiple of a product whose entries have second moment one."""
    m.define(raw, left @ right.T)
    m.step("d^2 entries: the factor s has s^2 |M~|_F^2 = d^2")
    m.define(truth, sqrt(d**2 / norm2(raw)) * raw)


def derive_regimes(m: Model) -> None:
    """The rate as a function of u, and the two-step dynamics (22) with its remainder."""
    m.uses("lyu22/eq-22")
    room = scalar("room", r"C_0\alpha^2\eta^2", nonnegative=True)
    m.step("eta~ = mu/sqrt(1 + eta u): 2/eta~ is below lambda_1 exactly where u < 0")
    for name, rate, after, relation in (
        ("low", rate_low, h_low, "<"),
        ("high", rate_high, h_high, ">"),
    ):
        u, rest = scalar(f"u_{name}"), scalar(f"rest_{name}")
        m.assume(Inequality(2 * eta * absolute(u), "<=", as_expr(Fraction(1, 2))))
        m.define(rate, 2 / lam / sqrt(1 + eta * u))
        if relation == "<":
            m.assume(Inequality(2 / rate, "<", lam), by="below")
        else:
            m.assume(Inequality(2 / rate, ">", lam), by="above")
        m.assume(Inequality(absolute(rest), "<=", room))
        m.assume(Inequality(2 * eta * absolute(u), ">", room), by="clear")
        m.define(after, (1 - 2 * eta * u + rest) * h)
    m.assume(Inequality(room, "<=", as_expr(Fraction(1, 2))))


def derive_monotone(m: Model) -> None:
    """One step without decay: the gradient is orthogonal to the weights, which grow."""
    m.uses("lyu22/lemma-E.1")
    w, g = vector("w", D), vector("g", D, r"\nabla\mathcal{L}(w)")
    m.relation(dot(g, w), 0, by="scale invariance")
    decay = ZERO if "no decay" not in m.withheld else lam_hat
    after = (1 - eta_hat * decay) * w - eta_hat * g
    m.assume(Inequality(eta_hat * decay, "<", ONE))
    m.assume(Inequality(norm2(w), ">", ZERO))
    m.assume(Inequality(norm2(after), ">", ZERO))
    for rate, place in ((rate_0, w), (rate_1, after)):
        m.define(rate, eta_hat / ((1 - eta_hat * decay) * norm2(place)))


def derive_rescaled(m: Model) -> None:
    """The decay is rescaled so that its product with the rate stays what it was."""
    m.step("the product is that of the first run, 0.1 times 5e-4")
    m.define(eta_in, as_expr(Fraction(1, 10) * Fraction(5, 10**4)))
    m.define(lam_hat, Fraction(1, 10) / eta_hat * Fraction(5, 10**4))


# ------------------------------------------------------------------------------ simulations
def simulate_truth(sample: Sample) -> None:
    """Uniform factors of rank two."""
    size = sample.draw(st.integers(2, 12), "d")
    rng = np.random.default_rng(sample.draw(st.integers(0, 10**6), "seed"))
    u, v = rng.uniform(-1, 1, size=(2, size, 2))
    product = u @ v.T
    moment = float((product**2).mean())
    sample.observe(
        {
            d: size,
            left: u,
            right: v,
            raw: measured(product, 4, 4.0),
            truth: measured(product / np.sqrt(moment), 4 * size**2, 4 / moment**0.5 + 4),
        }
    )


def simulate_regimes(sample: Sample) -> None:
    """Two real steps of scalar RMSprop across a valley, at rates above and below the edge."""
    sharp = sample.draw(st.sampled_from([0.5, 1.0, 2.0]), "sharpness")
    bend = sample.draw(st.sampled_from([-0.25, 0.25]), "bend")
    height = sample.draw(st.sampled_from([-0.8, 0.4, 0.6]), "h")
    speeds = [-1.0 if sample.holds("below") else 1.0, 1.0 if sample.holds("above") else -1.0]
    for k in range(8, 12):
        e = 2.0**-k
        after, rates = [], []
        for u in speeds if sample.holds("clear") else (-(e**4), e**4):
            x, moment = height * e, (1 + e * u) * (sharp / 2) ** 2
            rates.append(measured(moment, 4).sqrt())
            for _ in range(2):
                slope = sharp * x + bend * x**2
                x -= slope / moment**0.5
                moment += 2 * e**2 * ((slope / e) ** 2 - moment)
            after.append(measured(x / e, 60, 4.0))
        sample.observe(
            {
                eta: e,
                lam: sharp,
                h: height,
                h_low: after[0],
                h_high: after[1],
                rate_low: 1.0 / rates[0],
                rate_high: 1.0 / rates[1],
            }
        )


def simulate_monotone(sample: Sample) -> None:
    """Real runs without weight decay, or with it."""
    drawn = draw_loss(sample, not sample.holds("scale invariance"))
    size = 2.0 ** sample.draw(st.integers(-1, 3), "log2 |w_0|")
    rate = size**2 * 2.0 ** sample.draw(st.integers(-5, 0), "log2 effective rate")
    decay = 0.0 if sample.holds("no decay") else 0.25 / rate
    for s in run(Setup(drawn, size, rate, decay), 60).steps:
        sample.observe({eta_hat: rate, lam_hat: decay, rate_0: s.rate, rate_1: s.rate_next})


REGIMES = {
    "below": "2/rate is below the sharpness in the first case",
    "above": "2/rate is above the sharpness in the second case",
    "clear": "u is not so small that the remainder of (22) decides",
}
CLAIMS: list[Claim] = [
    Claim("lyu22/appP1.M", ground_truth, derive=derive_truth, simulate=simulate_truth),
    Claim(
        "lyu22/appP3.subregimes",
        sub_regimes,
        REGIMES,
        derive=derive_regimes,
        simulate=simulate_regimes,
        reading=(
            "From one even step to the next, for a scheduler's rate 1/sqrt(v~), where the distance "
            "from the edge exceeds the remainder of (22). The two cases have letters of their own."
        ),
    ),
    Claim(
        "lyu22/appP5.monotone",
        monotone,
        {"no decay": "the weight decay is zero", "scale invariance": "the loss is scale-invariant"},
        derive=derive_monotone,
        simulate=simulate_monotone,
    ),
    Claim("lyu22/appP6.setup", rescaled, derive=derive_rescaled),
]
