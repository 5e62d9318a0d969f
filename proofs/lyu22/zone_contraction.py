r"""How much a step near the critical rate shrinks what is neither null nor top (appendix L.2).

Setting:  a minimizer whose non-zero, non-top Hessian eigenvalues lie in [gamma, 1 - gamma]
          lambda_1; mu = 2/lambda_1.
Claims:   Lemma L.1, the eigenvalues behind it, and the perturbed bound in the proof of Lemma L.2.
Source:   Lyu, Li, Arora, arXiv:2206.07085, appendix L.2.

Found: the perturbed bound is printed without the projection on its left side; with the top part
of the displacement left in, it is false.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from eostheory.agree import measured
from eostheory.claims import Claim
from eostheory.formula import (
    Expr,
    Inequality,
    Statement,
    as_expr,
    dot,
    eye,
    norm,
    norm2,
    scalar,
    vector,
)

from ._edge import look
from ._near import ROUNDINGS
from ._notation import PN0, D, H, gamma, lam, mu, rate0, x0
from ._valley import valley

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.symbolic import Model

Parts = dict[str, Statement]
ONE = as_expr(1)
SHARE = Fraction(19, 10)
lam_2 = scalar("lam_2", r"\lambda_2^H(\phi_t)", positive=True)
lam_last = scalar("lam_last", r"\lambda_{D-D_\Gamma}^H(\phi_t)", positive=True)
lam_i = scalar("lam_i", r"\lambda_i^H(\phi_t)", positive=True)
size = scalar("size_PU", r"\lVert P_{NZT}^H(\phi_t)(I-\mu_tH_t)\rVert_2", nonnegative=True)
axis = vector("axis", D, "e")

GAP = {"gap": "gamma_min <= gamma(phi_t), the relative eigenvalue gap"}
MIDDLE = {"middle": "lambda_i is neither zero nor the top eigenvalue"}
SMALL = {"small": "eta is so small that |eta~_t - mu_t| lambda_1 <= gamma_min/10"}
SPECTRUM = {"projection": "P_NZT projects on the eigenspaces that are neither null nor top"}
CODIMENSION = (
    "gamma_min is some lower bound of gamma; where Gamma has codimension one gamma is 1 and "
    "nothing is left to shrink: there gamma_min <= 1/2 must be chosen."
)

# ------------------------------------------------------------------------------- statements
lemma = Inequality(size, "<=", 1 - 2 * gamma)
located: Parts = {
    "below": Inequality(1 - 2 * lam_i / lam, ">=", -1 + 2 * gamma),
    "above": Inequality(1 - 2 * lam_i / lam, "<=", 1 - 2 * gamma),
}


def perturbed(left: Expr) -> Inequality:
    """A step near the critical rate shrinks ``left`` by 1 - 1.9 gamma."""
    return Inequality(norm(left), "<=", (1 - SHARE * gamma) * norm(PN0 @ x0))


whole_step = (eye(D) - rate0 * H) @ x0


# ------------------------------------------------------------------------------ derivations
def gap(m: Model) -> None:
    """gamma lambda_1 <= lambda_1 - lambda_2 and gamma lambda_1 <= lambda_{D - D_Gamma}."""
    m.step("gamma is the smaller of 1 - lambda_2/lambda_1 and lambda_{D-D_Gamma}/lambda_1")
    m.uses("lyu22/appH1.gamma")
    m.assume(Inequality(gamma * lam, "<=", lam - lam_2), by="gap")
    m.assume(Inequality(gamma * lam, "<=", lam_last), by="gap")
    m.step("a middle eigenvalue lies between these two")
    m.assume(Inequality(lam_i, "<=", lam_2), by="middle")
    m.assume(Inequality(lam_i, ">=", lam_last), by="middle")
    m.define(mu, 2 / lam)


def derive_norm(m: Model) -> None:
    """The norm of a symmetric matrix is attained at one of its eigenvectors."""
    gap(m)
    m.step("P_NZT and I - mu H are symmetric and commute: an eigenvector attains the norm")
    m.relation(H @ axis, lam_i * axis, by="middle")
    m.relation(PN0 @ axis, axis, by="middle")
    m.relation(norm2(axis), 1, by="middle")
    m.define(size, norm(PN0 @ ((eye(D) - mu * H) @ axis)))


def derive_perturbed(m: Model) -> None:
    """<(H - a) y, (b - H) y> >= 0 on the middle eigenspaces, a and b being their bounds."""
    low, high = gamma * lam, (1 - gamma) * lam
    y, rest = vector("middle", D, "y"), vector("rest", D, "w")
    m.step("x = y + w with y in the middle eigenspaces and w in the others, all invariant under H")
    m.define(x0, y + rest)
    for vectors, kept in ((y, y), (H @ y, H @ y), (rest, 0 * rest), (H @ rest, 0 * rest)):
        m.relation(PN0 @ vectors, kept, by="projection")
    m.step("each middle eigenvalue lies in [gamma, 1 - gamma] lambda_1")
    inside = dot(H @ y - low * y, high * y - H @ y)
    m.assume(Inequality(inside, ">=", 0 * ONE), by="gap")
    m.assume(Inequality(dot(y, H @ y), ">=", low * norm2(y)), by="gap")
    m.assume(Inequality(dot(y, H @ y), "<=", high * norm2(y)), by="gap")
    m.assume(Inequality(10 * (rate0 * lam - 2), "<=", gamma), by="small")
    m.assume(Inequality(10 * (2 - rate0 * lam), "<=", gamma), by="small")
    m.assume(Inequality(2 * gamma, "<=", ONE), by="gap")
    p, q, s = (scalar(k, nonnegative=True) for k in ("p", "q", "s"))
    low_p, high_p = gamma * lam * p, (1 - gamma) * lam * p
    square = (1 - SHARE * gamma) ** 2 * p
    m.lemma(
        "squares",
        Inequality(p - 2 * rate0 * q + rate0**2 * s, "<=", square),
        (
            Inequality(s, "<=", lam * q - gamma * (1 - gamma) * lam**2 * p),
            Inequality(q, ">=", low_p),
            Inequality(q, "<=", high_p),
            Inequality(10 * (rate0 * lam - 2), "<=", gamma),
            Inequality(10 * (2 - rate0 * lam), "<=", gamma),
            Inequality(2 * gamma, "<=", ONE),
        ),
        {p: norm2(y), q: dot(y, H @ y), s: norm2(H @ y)},
    )
    before, after = scalar("before", nonnegative=True), scalar("after", nonnegative=True)
    factor = 1 - SHARE * gamma
    m.lemma(
        "norms",
        Inequality(after, "<=", factor * before),
        (Inequality(after**2, "<=", factor**2 * before**2), Inequality(2 * gamma, "<=", ONE)),
        {before: norm(y), after: norm(y - rate0 * (H @ y))},
    )
    m.example({
        H: ((2, 0, 0), (0, 1, 0), (0, 0, 0)), PN0: ((0, 0, 0), (0, 1, 0), (0, 0, 0)),
        y: (0, 1, 0), rest: (1, 0, 0), lam: 2, rate0: 1, gamma: Fraction(1, 4),
    })  # fmt: skip


# ------------------------------------------------------------------------------ simulations
def simulate(sample: Sample, perturb: bool = False, largest: bool = False) -> None:
    """The spectrum at a drawn minimizer, and a linear step at a rate near the critical one."""
    dim = sample.draw(st.integers(4, 8), "dimension")
    rank = sample.draw(st.integers(2, dim - 2), "rank")
    seed = sample.draw(st.integers(0, 10**6), "loss")
    rng = np.random.default_rng([seed, 31])
    unit = sample.draw(st.sampled_from([0.125, 1.0]), "unit of curvature")
    at = look(valley(False, dim, rank, seed), np.zeros(dim))
    hessian, sharpness = unit * at.hessian, unit * at.lam
    values = np.linalg.eigvalsh(hessian)[-rank:]
    least = float(min(values[-1] - values[-2], values[0]) / values[-1])
    claimed = least if not perturb or sample.holds("gap") else 0.5
    off = claimed / 10 if not perturb or sample.holds("small") else 0.9
    off *= sample.draw(st.sampled_from([-1.0, -0.5, 0.5, 1.0]), "share of gamma/10")
    one = values[sample.draw(st.integers(0, rank - 2), "i")]
    if largest:
        one = max(values[:-1], key=lambda value: abs(1 - 2 * value / sharpness))
    shrink = at.middle @ (np.eye(dim) - 2 / sharpness * hessian)
    along = np.linalg.eigh(hessian)[1][:, -rank:-1] @ rng.normal(size=rank - 1)
    sample.observe(
        {
            lam: measured(sharpness, ROUNDINGS),
            lam_2: measured(values[-2], ROUNDINGS),
            lam_last: measured(values[0], ROUNDINGS),
            lam_i: measured(one, ROUNDINGS),
            gamma: measured(claimed, ROUNDINGS, 1.0),
            size: measured(np.linalg.norm(shrink, 2), ROUNDINGS, 1.0),
            H: measured(hessian, ROUNDINGS, 10.0),
            PN0: measured(at.middle, ROUNDINGS, 1.0),
            rate0: measured((2 + off) / sharpness, ROUNDINGS),
            x0: along + (rng.normal() * at.v1 if perturb else 0.0),
        }
    )


CLAIMS = [
    Claim(
        "lyu22/lemma-L.1",
        lemma,
        GAP | MIDDLE,
        derive=derive_norm,
        simulate=partial(simulate, largest=True),
        reading=CODIMENSION,
    ),
    Claim(
        "lyu22/lemma-L.1.p1",
        located,
        GAP | MIDDLE,
        derive=gap,
        simulate=simulate,
    ),
    Claim(
        "lyu22/lemma-L.2.p3",
        perturbed(whole_step),
        GAP | SMALL | SPECTRUM,
        derive=derive_perturbed,
        simulate=partial(simulate, perturb=True),
        corrected=perturbed(PN0 @ whole_step),
        waive={"simulation:*x1.001": "the drawn gaps are too large to show a thousandth"},
        reading=(
            "Printed without P_NZT on the left. Small eta means that the rate is close to mu_t. "
            + CODIMENSION
        ),
    ),
]
