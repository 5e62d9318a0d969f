"""Quasi-RMSprop schedulers near the edge of stability (appendix K)."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from eostheory.claims import Claim
from eostheory.formula import Equation, Expr, OrderBound, Statement, log, scalar, sqrt

from ._notation import (
    C_b,
    alpha,
    beta,
    eta,
    gbar0,
    gbar1,
    moment0,
    moment1,
    mu,
    rate0,
    rate1,
    uhat0,
    uhat1,
    uhat2,
)
from ._orders import bound, letter, settle, sizes, taylor, unless

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.symbolic import Model

HALF = Fraction(1, 2)
poly = scalar("poly", r"\mathrm{poly}(\alpha)", positive=True)
o_of_one = scalar("o_of_one", "o(1)")

ONE = {
    "near_edge": "|mu^2 v_t - 1| <= alpha eta",
    "gradient": "|g_t| <= alpha eta",
    "decay": "beta = 1 - C_b eta^2 + O(eta^4)",
    "alpha": "alpha = (1/eta)^{o(1)}, and alpha >= 1",
}
TWO = {**ONE, "next_gradient": "|g_{t+1}| <= alpha eta"}
READING = (
    "alpha = (1/eta)^{o(1)} is read as 1 <= alpha <= eta^{-o(1)}, as Lemma H.9 writes it: the "
    "perturbation that Definition B.5 allows is of order eta^2 even where the gradient vanishes."
)
POLYNOMIAL = "poly(alpha) is a polynomial that bounds the scheduler's P on [0, alpha]."


def _scheduler(m: Model) -> None:
    """Definition B.5 along two steps, everything in terms of u_t, the gradients and letters."""
    m.uses("lyu22/def-B.5")
    sizes(m)
    bound(m, 1 / poly)
    bound(m, poly * eta, by="alpha")
    bound(m, alpha**8 / poly)
    wild = unless(m, "near_edge"), unless(m, "gradient"), unless(m, "decay")
    m.define(uhat0, alpha * letter(m, "u") * wild[0])
    m.define(gbar0, alpha * letter(m, "g") * wild[1])
    m.define(beta, 1 - C_b * eta**2 + wild[2] * eta**4 * letter(m, "b"))
    m.step("The moment is v_t = (1 + eta u_t)/mu^2 by the definition of u_t.")
    s = eta * uhat0
    m.define(moment0, (1 + s) / mu**2)
    gain = 1 - beta
    m.step(
        "Definition B.5 perturbs the rate by delta (1-beta)(1+g^2) "
        "and the moment by delta (1-beta)^2 P(g)."
    )
    m.define(rate0, mu * taylor(m, "inverse root", s, 2) + letter(m, "d") * gain * (1 + gbar0**2))
    m.define(moment1, beta * moment0 + gain * gbar0**2 + _noise(m, wild[1]) * gain**2)
    m.define(uhat1, (mu**2 * moment1 - 1) / eta)


def _noise(m: Model, wild: Expr) -> Expr:
    """The scheduler's freedom in the moment: a polynomial of the gradient's size."""
    return letter(m, "d") * poly * wild**4


def _two(m: Model) -> None:
    """A second step from the first one's moment."""
    _scheduler(m)
    wild = unless(m, "next_gradient")
    m.define(gbar1, alpha * letter(m, "g") * wild)
    gain = 1 - beta
    s = settle(m, eta * uhat1, alpha**2 * eta**2)
    m.step("u_{t+1} = O(alpha) by (29), so the same expansion serves at step t+1.")
    m.define(rate1, mu * taylor(m, "inverse root", s, 2) + letter(m, "d") * gain * (1 + gbar1**2))
    moment2 = beta * moment1 + gain * gbar1**2 + _noise(m, wild) * gain**2
    m.define(uhat2, (mu**2 * moment2 - 1) / eta)


def _moment(m: Model) -> None:
    """As :func:`_scheduler`, with the root of the moment kept whole."""
    m.uses("lyu22/def-B.5")
    sizes(m)
    wild = unless(m, "gradient"), unless(m, "decay")
    m.define(gbar0, alpha * letter(m, "g") * wild[0])
    m.define(beta, 1 - C_b * eta**2 + wild[1] * eta**4 * letter(m, "b"))
    bound(m, 1 / poly)
    bound(m, poly * eta, by="alpha")
    gain = 1 - beta
    m.define(rate0, 1 / sqrt(moment0) + letter(m, "d") * gain * (1 + gbar0**2))
    m.define(moment1, beta * moment0 + gain * gbar0**2 + _noise(m, wild[0]) * gain**2)


def _alpha(m: Model) -> None:
    """The exponent of alpha as a power of 1/eta is log(alpha)/log(1/eta)."""
    m.step("alpha = (1/eta)^s has the one solution s = log(alpha)/log(1/eta).")
    m.define(o_of_one, log(alpha) / log(1 / eta))


def _run(sample: Sample, ask: Collection[str], first: int = 12) -> None:
    """A drawn quasi-RMSprop scheduler fed two gradients, in exact fractions but for roots.

    ``first`` is -log2 of the largest base learning rate.
    """
    fractions = st.fractions(Fraction(1, 2), 2, max_denominator=16)
    signs = st.fractions(Fraction(1, 4), 1, max_denominator=16)
    c_b, big, more = (sample.draw(fractions, k) for k in ("C_b", "mu", "alpha"))
    size = 1 + more
    u, g0, g1, d1, d2 = (sample.draw(signs, k) for k in ("u", "g", "g next", "delta", "delta v"))
    turn = sample.draw(st.sampled_from([1, -1]), "sign of u")
    beta_4 = sample.draw(signs, "beta's fourth-order coefficient")
    held = {name: name not in ask or name == "alpha" or sample.holds(name) for name in TWO}
    near, grad, then, slow = (held[k] for k in ("near_edge", "gradient", "next_gradient", "decay"))
    for k in range(first, first + 7):
        step = Fraction(1, 2**k)
        far = 2 ** (k // 2)
        value = turn * u * size * (1 if near else far)
        bars = [g0 * size * (1 if grad else far), g1 * size * (1 if then else far)]
        fade = 1 - c_b * step**2 + beta_4 * step**4 if slow else 1 - c_b * step
        moments = [(1 + step * value) / big**2]
        rates = []
        for bar in bars:
            gain = 1 - fade
            rates.append(float(moments[-1]) ** -0.5 + float(d1 * gain * (1 + bar**2)))
            noise = d2 * gain**2 * (1 + bar**4)
            moments.append(fade * moments[-1] + gain * bar**2 + noise)
        hats = [(big**2 * v - 1) / step for v in moments]
        sample.observe(
            {
                eta: step, alpha: size, mu: big, C_b: c_b, beta: fade, poly: size**4,
                uhat0: hats[0], uhat1: hats[1], uhat2: hats[2], gbar0: bars[0], gbar1: bars[1],
                moment0: moments[0], moment1: moments[1], rate0: rates[0], rate1: rates[1],
            },
            scale=float(step),
        )  # fmt: skip


def _run_alpha(sample: Sample) -> None:
    """Powers of the logarithm of 1/eta, which every admissible alpha resembles."""
    k = sample.draw(st.integers(2, 40), "-log2 eta")
    value = math.log(2**k) ** sample.draw(st.integers(1, 3), "power")
    sample.observe(
        {eta: Fraction(1, 2**k), alpha: value, o_of_one: math.log(value) / (k * math.log(2))}
    )


eq28 = OrderBound(rate0, mu * (1 - HALF * eta * uhat0), alpha**2 * eta**2)
eq29 = OrderBound(uhat1, uhat0 + C_b * eta * (mu**2 * gbar0**2 - 1), alpha * eta**2)
eq30 = OrderBound(rate0, 1 / sqrt(moment0), alpha**2 * eta**2)
eq31 = OrderBound(moment1, beta * moment0 + (1 - beta) * gbar0**2, poly * eta**4)
undivided = OrderBound(
    eta * uhat1,
    eta * uhat0 + (1 - beta) * (mu**2 * gbar0**2 - eta * uhat0 - 1),
    poly * eta**4,
)
eq32 = OrderBound(rate1, mu * (1 - HALF * eta * uhat0), alpha**2 * eta**2)
eq33 = OrderBound(
    uhat2,
    uhat0 + C_b * eta * (mu**2 * gbar0**2 + mu**2 * gbar1**2 - 2),
    alpha * eta**2,
)


_Case = tuple[
    str, Statement | dict[str, Statement], Callable[["Model"], None], Collection[str], int
]

_CASES: list[_Case] = [
    ("lemma-K.1", {"28": eq28, "29": eq29}, _scheduler, ONE, 12),
    ("eq-28", eq28, _scheduler, ONE, 12),
    ("eq-29", eq29, _scheduler, ONE, 12),
    ("eq-30", eq30, _moment, ("gradient", "decay", "alpha"), 12),
    ("eq-31", eq31, _moment, ("gradient", "decay"), 4),
    ("lemma-K.1.p2", undivided, _scheduler, ("gradient", "decay"), 4),
    ("lemma-K.2", {"32": eq32, "33": eq33}, _two, TWO, 12),
    ("eq-32", eq32, _two, TWO, 12),
    ("eq-33", eq33, _two, TWO, 12),
]

CLAIMS = [
    *(
        Claim(
            f"lyu22/{name}",
            statement,
            {k: TWO[k] for k in needed},
            derive=derive,
            simulate=partial(_run, ask=needed, first=first),
            reading=POLYNOMIAL if name == "eq-31" else READING,
        )
        for name, statement, derive, needed, first in _CASES
    ),
    Claim(
        "lyu22/lemma-K.1.alpha",
        Equation(alpha, (1 / eta) ** o_of_one),
        derive=_alpha,
        simulate=_run_alpha,
        reading="o(1) is the exponent log(alpha)/log(1/eta), which tends to zero.",
    ),
]
