r"""What the edge-of-stability phase assumes, and the constants of Lemma C.11 (appendix C.3).

Setting:  D(t)^T v_1 at the start of phase II, the sharpness Lambda(t), constants c_2 to c_7.
Claims:   Assumptions C.4 and C.5, the constants rho*, rho and epsilon_1.
Source:   Li, Wang, Li, arXiv:2207.12678, appendix C.3.

Found: epsilon_1 = 2 eta (rho* - (c_2+c_6) c_7/(2 c_3)) is zero, as rho* is the number subtracted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import Equation, Inequality, Statement, absolute, as_expr, sqrt

from ._edge import BELOW, D1, Lambda, beta, c2, c3, c6, c7
from ._linear_net import eta, n, width
from .edge_growth import eps1, rho, rho_star

if TYPE_CHECKING:
    from eostheory.symbolic import Model

Parts = dict[str, Statement]

start = Inequality(absolute(D1), ">", c3 * sqrt(n) / width)
below = {
    "bound": Inequality(4 / eta * (1 - beta), ">=", Lambda),
    "beta": Inequality(beta, ">", as_expr(0)),
}
share = (c2 + c6) * c7 / (2 * c3)
constants: Parts = {
    "rho*": Equation(rho_star, share),
    "rho": Equation(rho, rho_star + eta / 2 * (5 * c2 + c6) / width),
    "epsilon_1": Equation(eps1, 2 * eta * (rho_star - share)),
}


def derive_start(m: Model) -> None:
    """An assumption is what it says."""
    m.assume(start, by="C.4")


def derive_below(m: Model) -> None:
    """An assumption is what it says: eta Lambda stays below 4 (1 - beta)."""
    m.assume(Inequality(eta * Lambda, "<=", 4 * (1 - beta)), by="C.5")


def derive_constants(m: Model) -> None:
    """The definitions as they stand; epsilon_1 comes out as zero."""
    m.define(rho_star, share)
    m.define(rho, share + eta * (5 * c2 + c6) / (2 * width))
    m.define(eps1, 2 * eta * rho_star - eta * (c2 + c6) * c7 / c3)
    m.step(f"epsilon_1 = {m.normal(eps1)}")


ZERO = "epsilon_1 = 0, whatever its first factor"

CLAIMS = [
    Claim(
        "li22/assumption-C.4",
        start,
        {"C.4": "|D^T v_1| > c_3 sqrt n/m at the start t_0 of phase II"},
        derive=derive_start,
        reading="At t = t_0. The proofs use it at the time of a step: see Lemma C.11.",
    ),
    Claim("li22/assumption-C.5", below, BELOW, derive=derive_below),
    Claim(
        "li22/lemma-C.11.const",
        constants,
        derive=derive_constants,
        waive={f"*2*c_3)**(-1)) {end}": ZERO for end in ("x2", "x1/2", "x1.001", "sign")}
        | {f"epsilon_1:right 2 {end}": ZERO for end in ("+1", "-1")},
        reading="epsilon_1 is zero by these definitions: rho* is the number that it subtracts.",
    ),
]
