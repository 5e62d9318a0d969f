"""Aligned states, the projection's expansions, chains of transitions (L.3, I.2, H.2)."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Inequality,
    OrderBound,
    Statement,
    scalar,
    vector,
)

from ._edge import draw_edge
from ._near import draw_bend
from ._notation import (
    P0,
    ZERO,
    B,
    D,
    H,
    Phi_phi,
    T,
    alpha,
    eta,
    glog,
    h0,
    lam,
    nzt0,
    nzt2,
    phi0,
    phi2,
    v1,
    x0,
    xhat2,
)
from ._orders import letter, unless
from ._states import aligned, contraction, settings, two
from .drift import EQUATIONS, EXAMPLES, GAP, HYPOTHESES, SIGN

if TYPE_CHECKING:
    from eostheory.symbolic import Model

Parts = dict[str, Statement]
HALF = Fraction(1, 2)


def _displacement(m: Model) -> None:
    """The displacement of an aligned state, from its three parts and their sizes."""
    settings(m, False)
    from eostheory.symbolic import Model as Scratch

    length, lead, c = (scalar(k, positive=True) for k in ("length", "lead", "c"))
    m.step(
        "The parts give |x| <= |h| eta + c (h eta)^2 + c |x|^2; |x| is small, so |x| <= 3 |h| eta."
    )
    scratch = Scratch()
    scratch.assume(Inequality(length, "<=", lead + c * lead**2 + c * length**2))
    scratch.assume(Inequality(4 * c * length, "<=", 1 + ZERO))
    scratch.assume(Inequality(4 * c * lead, "<=", 1 + ZERO))
    if scratch.decide(Inequality(length, "<=", 3 * lead)).outcome != "holds":
        raise ArithmeticError("the size equation of Lemma L.3 does not close")
    m.uses("lyu22/lemma-H.6")
    size = h0 * eta
    middle = size**2 * unless(m, "aligned") * letter(m, "middle", (D,))
    null = size**2 * unless(m, "aligned", "bounded") * letter(m, "null", (D,))
    m.define(x0, size * v1 + middle + null)


def _bend(m: Model) -> None:
    """The second derivative of the projection along v_1."""
    m.step(
        "2 d2Phi[H v, v] + dPhi T[v, v] = 0 with H v = lambda v and dPhi = P_0 gives "
        "d2Phi[v, v] = -P_0 T[v, v]/(2 lambda), which is not zero.",
    )
    m.relation(B(v1, v1), -(1 / (2 * lam)) * (P0 @ T(v1, v1)), by="flow")


def _fibre(m: Model) -> None:
    """Taylor's expansion of Phi at the state; the fibre of phi is invariant under the flow."""
    size = aligned(m, False)[1]
    m.step(
        "The fibre Phi = phi is invariant under the flow: writing its tangent part as q, "
        "2 lambda q = P_0 T[v, v] h^2 eta^2/2, so P_0 x = P_0 T[v, v] h^2 eta^2/(4 lambda)."
    )
    off = vector("off_axis", D)
    fibre = (1 / (4 * lam)) * (P0 @ T(v1, v1)) + size * letter(m, "fibre", (D,))
    m.relation(P0 @ off, fibre, by="flow")
    m.define(Phi_phi, phi0)
    _bend(m)


def _expanded(m: Model) -> None:
    """Taylor's expansion of Phi two steps later, where the displacement is O(|h| eta) again."""
    two(m, False, read=False)
    size = h0 * eta
    if m.is_order(xhat2, size):
        size_later = size
    else:
        size_later = size * unless(m, *sorted(m.withheld))
    m.step("Phi is C^3: its expansion at phi_t, and Phi(phi_t) = phi_t.")
    m.define(Phi_phi, phi0)
    linear = P0 @ xhat2 + HALF * B(xhat2, xhat2)
    m.define(phi2, phi0 + linear + size_later**3 * letter(m, "third", (D,)))


def _bends(m: Model) -> None:
    """The second-order terms before and after two steps."""
    two(m, False, read=False)
    _bend(m)
    m.example({**_example(), vector("off_axis", D): (0, 1)})


def _normal(m: Model) -> None:
    """The projection's second derivative alone."""
    settings(m, False)
    _bend(m)
    m.example(_example())


def _example() -> dict[Any, Any]:
    """A loss with a curved valley: (2 a^2 + a^2 b)/2 with b along the valley."""
    third = (((0, 1), (1, 0)), ((1, 0), (0, 0)))
    projected = (((0, Fraction(-1, 4)), (0, 0)), ((0, 0), (0, 0)))
    return {
        H: ((2, 0), (0, 0)),
        P0: ((0, 0), (0, 1)),
        v1: (1, 0),
        lam: 2,
        T: third,
        B: projected,
    }


def _chain(m: Model) -> None:
    """Two steps from an aligned state, which is aligned again."""
    two(m, False)
    share = scalar("share_before", nonnegative=True)
    m.define(nzt0, h0**2 * eta**2 * share * unless(m, "aligned"))
    contraction(m, h0**2 * eta**2, (nzt2, 2))
    m.step("The non-top part is O(h^2 eta^2) again, so that the next two steps are of the kind.")


def _expansion(at: Any, bent: Any) -> OrderBound:
    return OrderBound(at, Phi_phi + P0 @ bent + HALF * B(bent, bent), h0**3 * eta**3)


CUBE = h0**3 * eta**3
BENT = -HALF * h0**2 * eta**2 * glog
FIBRE = {
    "bounded": HYPOTHESES["bounded"],
    "aligned": HYPOTHESES["aligned"],
    "flow": "Phi is the limit of gradient flow",
}

CLAIMS = [
    Claim(
        "lyu22/lemma-L.3",
        OrderBound(x0, h0 * eta * v1, h0**2 * eta**2),
        {k: HYPOTHESES[k] for k in ("bounded", "aligned")},
        derive=_displacement,
        simulate=partial(draw_edge, sphere=False, ask=("aligned",)),
        reading=SIGN,
        examples=EXAMPLES,
    ),
    Claim(
        "lyu22/eq-48",
        _expansion(phi0, x0),
        {k: FIBRE[k] for k in ("aligned", "flow")},
        derive=_fibre,
        simulate=partial(draw_edge, sphere=False, ask=(), fades=False, bend=True),
        reading="The left side is Phi(theta_t), and Phi(phi_t) = phi_t.",
        examples=EXAMPLES,
    ),
    Claim(
        "lyu22/eq-49",
        _expansion(phi2, xhat2),
        {k: FIBRE[k] for k in ("aligned", "bounded")},
        derive=_expanded,
        simulate=partial(draw_edge, sphere=False, ask=(), fades=False, bend=True),
        examples=EXAMPLES,
    ),
    Claim(
        "lyu22/lemma-L.6.p3",
        {
            "before": OrderBound(B(x0, x0), 0 * x0, CUBE),
            "after": OrderBound(B(xhat2, xhat2), 0 * x0, CUBE),
        },
        {k: FIBRE[k] for k in ("aligned", "bounded", "flow")},
        derive=_bends,
        simulate=partial(draw_edge, sphere=False, ask=(), fades=False, bend=True),
        corrected={
            "before": OrderBound(B(x0, x0), BENT, CUBE),
            "after": OrderBound(
                B(xhat2, xhat2), -HALF * h0**2 * eta**2 * glog, alpha * h0**2 * eta**3
            ),
        },
        reading="The identity at v_1 itself is Lemma I.2.",
        examples=EXAMPLES,
    ),
    Claim(
        "lyu22/lemma-I.2",
        Equation(B(v1, v1), 0 * v1),
        {"flow": FIBRE["flow"]},
        derive=_normal,
        simulate=draw_bend,
        corrected=Equation(B(v1, v1), -HALF * glog),
        reading="At x = v_1, which is normal to the manifold.",
        examples=EXAMPLES,
    ),
    Claim(
        "lyu22/def-H.2.process",
        {
            "h": EQUATIONS[22],
            "u": EQUATIONS[24],
            "phi": EQUATIONS[25],
            "aligned again": OrderBound(nzt2, ZERO, h0**2 * eta**2),
        },
        HYPOTHESES | GAP,
        derive=_chain,
        simulate=partial(draw_edge, sphere=False, last=4),
        reading=f"{SIGN} Chained: each transition leaves a state that starts another one.",
        examples=EXAMPLES,
    ),
]
