"""The drifting phase: two steps of an aligned state (definition H.2, lemmas H.11, L.4 to L.6)."""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import Inequality, OrderBound, Statement, absolute, eye, norm2

from ._edge import draw_edge
from ._jets import quadratic
from ._notation import (
    P0,
    C_b,
    D,
    H,
    K,
    alpha,
    eta,
    gamma,
    gbar0,
    gbar1,
    glog,
    h0,
    h2,
    hhat2,
    loglam0,
    loglam2,
    mu,
    nzt0,
    nzt2,
    nzthat2,
    phi0,
    phi2,
    psi_v1,
    rate0,
    rate1,
    u0,
    u2,
    uhat2,
    x0,
    xhat2,
)
from ._states import contraction, two

if TYPE_CHECKING:
    from eostheory.symbolic import Model

Parts = dict[str, Statement]

HALF = Fraction(1, 2)
THIRD = alpha * h0**2 * eta**3
LINEAR = (eye(D) - rate1 * H) @ (eye(D) - rate0 * H) @ x0
SHRINK = (1 - Fraction(19, 10) * gamma) ** 2

EQUATIONS: dict[int, Statement] = {
    22: OrderBound(h2, (1 - 2 * eta * u0) * h0, alpha**2 * absolute(h0) * eta**2),
    23: Inequality(nzt2, "<=", SHRINK * nzt0 + K * h0**2 * eta**2),
    24: OrderBound(
        u2,
        u0 + 4 * eta * h0**2 * (2 * C_b + norm2(glog)) - 2 * eta * C_b,
        alpha * (1 + h0**2) * eta**2,
    ),
    25: OrderBound(phi2, phi0 - 2 * eta**2 * h0**2 * glog, THIRD),
    38: OrderBound(xhat2, LINEAR - eta**2 * h0**2 * psi_v1, THIRD),
    39: OrderBound(rate0, mu * (1 - HALF * eta * u0), alpha**2 * eta**2),
    40: OrderBound(rate1, mu * (1 - HALF * eta * u0), alpha**2 * eta**2),
    41: OrderBound(uhat2, u0 + 8 * C_b * eta * h0**2 - 2 * C_b * eta, alpha * (1 + h0**2) * eta**2),
    42: OrderBound(xhat2, LINEAR - quadratic(x0, False), THIRD),
    43: OrderBound(
        uhat2,
        u0 + C_b * eta * (mu**2 * gbar0**2 + mu**2 * gbar1**2 - 2),
        alpha * eta**2,
    ),
    44: OrderBound(hhat2, (1 - 2 * eta * u0) * h0, alpha**2 * absolute(h0) * eta**2),
    45: OrderBound(P0 @ xhat2, P0 @ x0 - 2 * eta**2 * h0**2 * glog, THIRD),
    46: Inequality(nzthat2, "<=", SHRINK * nzt0 + K * h0**2 * eta**2),
    47: OrderBound(loglam2, loglam0 - 2 * eta**2 * h0**2 * norm2(glog), THIRD),
}
"""The numbered equations of the drifting phase, as printed."""

HYPOTHESES = {
    "bounded": "the state is alpha-bounded: |x_t| <= alpha eta and |u_t| <= alpha",
    "aligned": "the state is at most O(|h_t| eta)-misaligned",
    "alpha": "1 <= alpha <= eta^{-o(1)}",
}
GAP = {"gap": "the relative eigenvalue gap is at least gamma_min"}
SIGN = "The sign of v_1 is chosen so that h_t > 0; |h_t| is printed where it matters."
CONSTANT = "O(...) in an inequality is K times its argument, with some constant K."
ABSORBED = (
    "the state is O(|h| eta)-misaligned, so that the first term is itself O(h^2 eta^2), and K "
    "stands for some constant: nothing that is measured distinguishes these"
)
LOOSE = {
    f"simulation:*{change}": ABSORBED
    for change in (
        "x2",
        "x1/2",
        "x1.001",
        "sign",
        "dropped",
        "+1",
        "-1",
        "-> nzt0",
        "-> K",
        "-> gamma",
        "-> h0",
    )
}
SAME_GRADIENTS = {
    "simulation:right gbar0 -> gbar1": (
        "for bounded h the two gradients of an aligned state agree in size up to the remainder"
    )
}
EXAMPLES = {"quick": 2, "default": 6, "thorough": 40}


def _derive(m: Model, sphere: bool, read: bool, inequality: bool) -> None:
    """Two steps of the generic loss's jet; for an inequality, the non-top part on top."""
    two(m, sphere, read)
    if inequality:
        contraction(m, h0**2 * eta**2, (nzthat2, 2), (nzt2, 2))


def _claim(
    name: str,
    numbers: Collection[int],
    sphere: bool = False,
    ask: Collection[str] = ("bounded", "aligned"),
) -> Claim:
    """The claim that consists of these equations."""
    unequal = not {23, 46}.isdisjoint(numbers)
    read = not {22, 24, 25, 47}.isdisjoint(numbers)
    parts: Parts = {str(k): EQUATIONS[k] for k in numbers}
    orders = set(numbers) - {23, 46}
    return Claim(
        f"lyu22/{name}",
        parts if len(parts) > 1 else next(iter(parts.values())),
        (HYPOTHESES if orders else {}) | (GAP if unequal else {}),
        derive=partial(_derive, sphere=sphere, read=read, inequality=unequal),
        simulate=partial(
            draw_edge, sphere=sphere, ask=ask if orders else (), fades=47 not in numbers
        ),
        waive=LOOSE if unequal else SAME_GRADIENTS if 43 in numbers else {},
        reading=f"{SIGN} {CONSTANT}" if unequal else SIGN,
        examples=EXAMPLES,
    )


CLAIMS = [
    *(_claim(f"eq-{k}", (k,)) for k in (22, 23, 24, 25, 38, 41, 44, 45, 46, 47)),
    *(_claim(f"eq-{k}", (k,), ask=("bounded",)) for k in (39, 40, 42, 43)),
    _claim("lemma-L.4", (38, 39, 40, 41)),
    _claim("lemma-L.5", (44, 45, 46)),
    _claim("lemma-L.6", (25, 47)),
    _claim("def-H.2.h", (22,)),
    _claim("def-H.2.u", (24,)),
    _claim("def-H.2.phi", (25,)),
    _claim("def-H.2", (22, 24, 25)),
    _claim("lemma-H.11.final", (22, 24, 25)),
]
