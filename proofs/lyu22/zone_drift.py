r"""What the proofs of the drifting phase say of h, the gradients and the displacement (L.3).

Setting:  two steps from an aligned state at the edge of stability; hats mark quantities that are
          read off at the projection phi_t of two steps before.
Claims:   the displacements differ by the drift of phi; the change of h that this causes; sizes of
          the two gradients.
Source:   Lyu, Li, Arora, arXiv:2206.07085, appendix L.3.

Found: the change of h lacks its factor 1/eta, and the second gradient's size its larger error;
(22) and (41) have room for both.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Expr,
    OrderBound,
    Statement,
    absolute,
    as_expr,
    dot,
    scalar,
    vector,
)

from ._notation import (
    D,
    alpha,
    eta,
    gbar0,
    gbar1,
    glog,
    h0,
    h2,
    hhat2,
    lam,
    mu,
    phi0,
    phi2,
    place2,
    top2,
    uhat2,
    v1,
    x2,
    xhat2,
)
from ._orders import bound, giant, sizes, unless
from ._zone_drift import draw_drift
from .drift import EXAMPLES, HYPOTHESES, SIGN, THIRD

if TYPE_CHECKING:
    from eostheory.symbolic import Model

Parts = dict[str, Statement]
ZERO = as_expr(0)
moment2 = scalar("moment2", r"\tilde v_{t+2}", positive=True)

# ------------------------------------------------------------------------------- statements
displacements: Parts = {
    "definitions": Equation(x2 - xhat2, phi0 - phi2),
    "drift": OrderBound(phi0 - phi2, 2 * eta**2 * h0**2 * glog, THIRD),
}
change = dot(x2, top2) - dot(xhat2, v1)
turned: Parts = {
    "in the displacements": Equation(h2 - hhat2, change),
    "order": OrderBound(change, ZERO, THIRD),
}
turned_corrected: Parts = {
    "in the displacements": Equation(h2 - hhat2, (1 / eta) * change),
    "order": OrderBound((1 / eta) * change, ZERO, alpha * h0**2 * eta**2),
}
squares: Parts = {
    "first": OrderBound(gbar0**2, lam**2 * h0**2, absolute(h0) ** 3 * eta),
    "second": OrderBound(gbar1**2, lam**2 * h0**2, absolute(h0) ** 3 * eta),
}
squares_corrected: Parts = {
    "first": squares["first"],
    "second": OrderBound(gbar1**2, lam**2 * h0**2, alpha * h0**2 * eta),
}
second_size = OrderBound(gbar1, lam * absolute(h0), h0**2 * eta)
second_size_corrected = OrderBound(gbar1, lam * absolute(h0), alpha * absolute(h0) * eta)


def two_steps_later(of: Expr) -> Parts:
    """The hatted quantities of two steps later, h read off a displacement."""
    return {
        "x": Equation(xhat2, place2 - phi0),
        "u": Equation(uhat2, (1 / eta) * (mu**2 * moment2 - 1)),
        "h": Equation(hhat2, (1 / eta) * dot(of, v1)),
    }


# ------------------------------------------------------------------------------ derivations
def derive_hats(m: Model) -> None:
    """The hidden variables of appendix H.1 with the projection of two steps before."""
    m.uses("lyu22/eq-15")
    m.step("in all three the place and the moment are new, phi, mu and v_1 those of step t")
    m.define(xhat2, place2 - phi0)
    m.define(x2, place2 - phi2)
    m.define(uhat2, (mu**2 * moment2 - 1) / eta)
    m.define(hhat2, dot(v1, place2 - phi0) / eta)


def derive_displacements(m: Model) -> None:
    """Both displacements end at theta_{t+2}; (25) says how far their starts are apart."""
    m.uses("lyu22/eq-25")
    sizes(m)
    bound(m, h0 / giant)
    bound(m, h0 / alpha, by="bounded")
    m.define(xhat2, place2 - phi0)
    m.define(x2, place2 - phi2)
    m.step("phi_{t+2} = phi_t - 2 eta^2 h^2 grad_Gamma log(lambda_1) + O(alpha h^2 eta^3)")
    rest = THIRD * unless(m, "bounded", "aligned") * vector("rest", D)
    m.define(phi2, phi0 - 2 * eta**2 * h0**2 * glog + rest)


def derive_turned(m: Model) -> None:
    """Two displacements of size h eta that differ by the drift, read off along two axes."""
    m.uses("lyu22/lemma-H.11.p0")
    sizes(m)
    bound(m, h0 / giant)
    bound(m, h0 / alpha, by="bounded")
    m.step("x_{t+2} = O(h eta); v_1 turns by O(h^2 eta^2), as far as phi moves")
    m.define(x2, h0 * eta * unless(m, "aligned") * vector("direction", D))
    m.define(top2, v1 + h0**2 * eta**2 * vector("turn", D))
    m.relation(dot(v1, glog), 0, by="tangent")
    m.relation(dot(v1, v1), 1, by="unit")
    rest = alpha * h0**2 * eta**3 * vector("rest", D)
    m.define(xhat2, x2 - 2 * eta**2 * h0**2 * glog - rest)
    m.define(h2, dot(x2, top2) / eta)
    m.define(hhat2, dot(xhat2, v1) / eta)


def derive_gradients(m: Model) -> None:
    """Both gradients' sizes; sqrt(a^2 + b^2) = a + b^2/(a + sqrt(a^2 + b^2))."""
    m.uses("lyu22/lemma-L.4.p3")
    sizes(m)
    bound(m, h0 / giant)
    bound(m, h0 / alpha, by="bounded")
    m.step("grad L(theta_t)/eta = lambda_1 h (v_1 + O(h eta))")
    m.step("grad L(theta_{t+1})/eta = lambda_1 h ((-1 + eta u + O(alpha^2 eta^2)) v_1 + O(h eta))")
    u = alpha * scalar("relative_u") * unless(m, "bounded")
    near = eta * u + alpha**2 * eta**2 * scalar("rate_rest")
    zeros: dict[Any, Any] = {}
    for name, turned in ((gbar0, 0 * eta), (gbar1, near)):
        along, across, inverse = (
            scalar(f"{k}_{name.name}") for k in ("along", "across", "inverse")
        )
        tilt = h0 * eta * unless(m, "aligned")
        m.define(name, lam * h0 * (1 - turned + tilt * along + tilt**2 * across**2 * inverse))
        zeros |= {along: 0, across: 0, inverse: Fraction(1, 2)}
    m.example({
        **zeros, scalar("relative_u"): 1, scalar("rate_rest"): 0, lam: 2, alpha: 1, h0: 1,
        eta: Fraction(1, 64),
    })  # fmt: skip


LARGER = "The rate is mu + O(alpha eta), which changes the second gradient by O(alpha |h| eta)."


def _claim(
    name: str,
    statement: Statement | Parts,
    derive: Callable[[Model], None],
    corrected: Statement | Parts | None = None,
    reading: str = "",
    ask: tuple[str, ...] | None = ("bounded", "aligned"),
) -> Claim:
    needs = ("bounded", "aligned")
    return Claim(
        f"lyu22/{name}",
        statement,
        {k: HYPOTHESES[k] for k in needs},
        derive=derive,
        simulate=None if ask is None else partial(draw_drift, ask=ask, fading=reading == LARGER),
        corrected=corrected,
        reading=f"{SIGN} {reading}".strip(),
        examples=EXAMPLES,
    )


CLAIMS = [
    _claim("lemma-H.11.p0", displacements, derive_displacements, ask=()),
    _claim(
        "lemma-H.11.p1",
        turned,
        derive_turned,
        turned_corrected,
        "h is the displacement's coordinate over eta; the printed chain forgets the 1/eta.",
        # The change is of the size of what the integrated flow leaves uncertain.
        ask=None,
    ),
    _claim(
        "lemma-L.4.p8",
        second_size,
        derive_gradients,
        second_size_corrected,
        LARGER,
        ask=("bounded",),
    ),
    _claim("lemma-L.4.p9", squares, derive_gradients, squares_corrected, LARGER),
    Claim(
        "lyu22/appL3.hhat",
        two_steps_later(x2),
        derive=derive_hats,
        corrected=two_steps_later(xhat2),
        reading=(
            "h is printed with x_{t+2} where its hatted version is meant: the proofs of Lemmas L.5 "
            "and H.11 use that one."
        ),
    ),
]
