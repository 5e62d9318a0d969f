r"""The proof idea of section 4.2.3: how far the projection moves in a cycle, and on average.

Setting:  x_t = theta_t - phi_t near the edge of stability, h_t = <x_t, v_1>; the appendix writes
          eta h_t for it, with eta = sqrt(2 eta_in).
Claims:   the drift of phi_t in a cycle of two steps, the learning rate that it amounts to, and the
          average of 2 h_t^2 over many cycles.
Source:   Lyu, Li, Arora, arXiv:2206.07085, section 4.2.3, against (25) and Lemma N.2.

Found: the drift is half of what is printed, and the average of 2 h_t^2 twice of it (with a missing
square besides).  Both factors cancel, so that the flow (3) is right.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from eostheory.claims import Claim
from eostheory.formula import OrderBound, as_expr, scalar, sqrt, vector

from ._edge import draw_edge
from ._notation import P0, B, D, H, T, alpha, eta, foot, glog, h0, lam, phi0, phi2, v1
from ._states import two
from ._transitions import K_0, C_b
from .drift import EXAMPLES, HYPOTHESES
from .energy_sum import SUM, M, Q, derive_sum

if TYPE_CHECKING:
    from eostheory.symbolic import Model

eta_in = scalar("eta_in", r"\eta_{\mathrm{in}}", positive=True)
slope = scalar("slope", r"\|\nabla_\Gamma\log\lambda_1^H\|_2", nonnegative=True)
average = scalar("average", r"\overline{2h_t^2}")
h = eta * h0
"""h_t of the main text."""

# -------------------------------------------------------------------------------- statements
REST = alpha**3 * eta**3
drift = OrderBound(phi2, phi0 - 4 * h**2 * glog, REST)
drift_corrected = OrderBound(phi2, phi0 - 2 * h**2 * glog, REST)
two_steps = OrderBound(phi2, phi0 - 2 * (2 * h**2) * glog, REST)
two_steps_corrected = OrderBound(phi2, phi0 - 2 * h**2 * glog, REST)
MANY = alpha**2 * eta**4 * M + alpha * eta / M
mean = OrderBound(average, 2 * eta_in / (4 + slope), MANY)
mean_corrected = OrderBound(average, 4 * eta_in / (4 + slope**2), MANY)


# -------------------------------------------------------------------------------- derivations
def derive_drift(m: Model) -> None:
    """Two steps from an aligned state on the sphere, and a loss with a valley that steepens.

    In the instance Gamma is a great circle through phi = e_1 along e_2, and v_1 = e_3 has the
    curvature 2, which grows along e_2.
    """
    two(m, sphere=True)
    if m.withheld:
        return
    flat = ((0, 0, 0),) * 3
    third = (
        ((0, 0, 0), (0, 0, 0), (0, 0, -4)),
        ((0, 0, 0), (0, 0, 0), (0, 0, 1)),
        ((0, 0, -4), (0, 0, 1), (-4, 1, 0)),
    )
    known: dict[Any, Any] = {H: ((0, 0, 0), (0, 0, 0), (0, 0, 2)), lam: 2, v1: (0, 0, 1)}
    known |= {P0: ((1, 0, 0), (0, 1, 0), (0, 0, 0)), T: third, B: (flat, flat, flat)}
    m.example({**known, foot: (1, 0, 0), phi0: (1, 0, 0), vector("off_axis", D): (0, 1, 0)})


def derive_average(m: Model) -> None:
    """Lemma N.2 with C_b = 2, hence K_0^2 = 4 + |grad|^2."""
    m.uses("lyu22/lemma-N.2")
    derive_sum(m)
    m.define(C_b, as_expr(2))
    m.define(K_0, sqrt(4 + slope**2))
    m.define(eta_in, eta**2 / 2)
    m.step("Q is the sum of the appendix's h^2 over M cycles; the sign of h_t alternates")
    m.define(average, 2 * eta**2 * Q / M)


CLAIMS = [
    Claim(
        "lyu22/sec4.2.3.drift",
        drift,
        HYPOTHESES,
        derive=derive_drift,
        simulate=partial(draw_edge, sphere=True, ask=("bounded", "aligned")),
        corrected=drift_corrected,
        examples=EXAMPLES,
        reading="h_t is printed eta h_t, as in the appendix, and eta_in^(1.5 - o(1)) is "
        "alpha^3 eta^3 with eta = sqrt(2 eta_in), alpha = eta^(-o(1)).",
    ),
    Claim(
        "lyu22/sec4.2.3.drift-lr",
        two_steps,
        HYPOTHESES,
        derive=derive_drift,
        simulate=partial(draw_edge, sphere=True, ask=("bounded", "aligned")),
        corrected=two_steps_corrected,
        examples=EXAMPLES,
        reading="Two steps of gradient descent on Gamma with the printed rate 2 h_t^2.",
    ),
    Claim(
        "lyu22/sec4.2.3.average",
        mean,
        SUM,
        derive=derive_average,
        corrected=mean_corrected,
        reading="The average over M cycles, to the order of Lemma N.2. The flow has the average of "
        "h_t^2, 2 eta_in/(4 + |grad|^2), for its rate.",
    ),
]
