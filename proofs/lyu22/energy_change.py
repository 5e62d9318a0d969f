r"""How much the energy changes in a transition of an RMS-drift process.

Setting:  RMS-drift transitions (Definition H.2) with |h|, |u| <= alpha and 1 <= alpha, every
          power of alpha times eta bounded; K^2 = 2 C_b + |grad log lambda|^2 is Lipschitz.
Claims:   E(S_2) - E(S_0) = O(alpha^2 (1 + h_0^2) eta^2) (Lemma N.1, with its proof's steps, two
          of which are wrong as printed).
Source:   Lyu, Li, Arora, arXiv:2206.07085, appendix N.1.

In the derivation every remainder is a bounded letter, and an order is a statement about exponents.
The simulation makes transitions whose remainders use up their bounds and halves eta.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import strategies as st

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    FormSymbol,
    OrderBound,
    Symbol,
    absolute,
    log,
    scalar,
)

from ._transitions import (
    HALF,
    K_0,
    ONE,
    ZERO,
    C_b,
    Kicks,
    Landscape,
    alpha,
    draw_landscape,
    energies,
    eta,
    sizes,
    transition,
)

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.symbolic import Model

slope_0 = scalar("slope_0", r"\|\nabla_\Gamma R(\phi_0)\|_2^2", nonnegative=True)
slope_2 = scalar("slope_2", r"\|\nabla_\Gamma R(\phi_2)\|_2^2", nonnegative=True)
REMAINDERS = ("rest_h", "rest_u", "drift", "rest_phi")
"""Numbers of order one, at most C_0: how a transition uses up what Definition H.2 allows."""


class Letters(NamedTuple):
    """The two states of a transition."""

    h_0: Symbol
    u_0: Symbol
    h_2: Symbol
    u_2: Symbol
    energy_0: Symbol
    energy_2: Symbol
    kinetic: Symbol
    stored: Symbol
    moved: Symbol
    logarithm: Symbol


def letters(mark: str) -> Letters:
    """States with a mark of their own, so that one claim can speak of two."""
    names = ("h_0", "u_0", "h_2", "u_2", "E_0", "E_2", "delta_1", "delta_2", "delta_3", "delta_4")
    latex = ("h_0", "u_0", "h_2", "u_2", "E(S_0)", "E(S_2)", r"\delta_1", r"\delta_2", r"\delta_3",
             r"\delta_4")  # fmt: skip
    return Letters(*(
        scalar(name + mark, tex, nonzero=name == "h_0")
        for name, tex in zip(names, latex, strict=True)
    ))  # fmt: skip


S = letters("")
SMALL, LARGE = letters("_small"), letters("_large")

# ------------------------------------------------------------------------------ statements
lemma_n1 = OrderBound(S.energy_2 - S.energy_0, ZERO, alpha**2 * (1 + S.h_0**2) * eta**2)
cases = {
    "|h_0| <= 2": OrderBound(SMALL.energy_2 - SMALL.energy_0, ZERO, alpha**2 * eta**2),
    "|h_0| > 2": OrderBound(
        LARGE.energy_2 - LARGE.energy_0, ZERO, alpha**2 * LARGE.h_0**2 * eta**2
    ),
}


def split(sign: int) -> Equation:
    """The four parts of the change, with the sign of the logarithm."""
    return Equation(
        S.energy_2 - S.energy_0,
        HALF * (S.u_2**2 - S.u_0**2)
        + K_0**2 * (S.h_2**2 - S.h_0**2)
        + (slope_2 - slope_0) * S.h_2**2
        + sign * (C_b * log(S.h_2 / S.h_0)),
    )


first_order_1 = 4 * eta * S.u_0 * S.h_0**2 * K_0**2 - 2 * eta * S.u_0 * C_b
p2 = OrderBound(S.kinetic, first_order_1, alpha**2 * (1 + S.h_0**2) * eta**2)
p3_printed = OrderBound(HALF * (S.u_2 - S.u_0) ** 2, ZERO, (S.h_0**2 * eta) ** 2)
p3_corrected = OrderBound(HALF * (S.u_2 - S.u_0) ** 2, ZERO, (1 + S.h_0**2) ** 2 * eta**2)
p4 = OrderBound(S.stored, -4 * eta * S.u_0 * S.h_0**2 * K_0**2, alpha**2 * S.h_0**2 * eta**2)
p5 = OrderBound(S.moved, ZERO, S.h_0**4 * eta**2)
p6 = OrderBound(S.logarithm, 2 * eta * S.u_0 * C_b, alpha**2 * eta**2)
p7 = Equation(
    4 * eta * S.u_0 * S.h_0**2 * K_0**2
    - 2 * eta * S.u_0 * C_b
    - 4 * eta * S.u_0 * S.h_0**2 * K_0**2
    + 2 * eta * C_b * S.u_0,
    ZERO,
)

HYPOTHESES = {
    "bounded": "|h_0| and |u_0| are at most alpha",
    "alpha": "1 <= alpha <= eta^(-o(1))",
    "transition": "S_0 -> S_2 is a C_0-RMS-drift transition",
    "zone": "the states are in the working zone, where |grad_Gamma R| is smooth",
}


# ------------------------------------------------------------------------------ derivation
def move(m: Model, s: Letters, mark: str = "") -> None:
    """One transition of Definition H.2 from ``s``, remainders as free numbers of order one."""
    loose = "transition" in m.withheld
    rest_h, rest_u, drift, rest_phi = (scalar(f"{name}{mark}") for name in REMAINDERS)
    m.bound(s.h_0 / alpha, by="bounded")
    m.bound(s.u_0 / alpha, by="bounded")
    relative = -2 * eta * s.u_0 + rest_h * (eta if loose else alpha**2 * eta**2)
    m.define(s.h_2, s.h_0 * (1 + relative))
    push = 4 * eta * s.h_0**2 * K_0**2 - 2 * eta * C_b
    m.define(s.u_2, s.u_0 + push + rest_u * (eta if loose else alpha * (1 + s.h_0**2) * eta**2))
    m.step("phi moves by O(h_0^2 eta^2), and |grad R|^2 is Lipschitz")
    still = ONE if "zone" in m.withheld else s.h_0**2 * eta**2
    change = (drift + rest_phi * alpha * eta) * still
    m.step("log|h_2| - log|h_0| = log(1 + z) with z = (h_2 - h_0)/h_0 small")
    grown = m.taylor("log(1+z)", m.normal(relative), 2, small=alpha * eta)
    m.define(s.kinetic, HALF * (s.u_2**2 - s.u_0**2))
    m.define(s.stored, K_0**2 * (s.h_2**2 - s.h_0**2))
    m.define(s.moved, change * s.h_2**2)
    m.define(s.logarithm, -C_b * grown)
    before = HALF * s.u_0**2 + K_0**2 * s.h_0**2 + C_b * log(1 / absolute(s.h_0))
    after_square = (K_0**2 + change) * s.h_2**2
    after = HALF * s.u_2**2 + after_square + C_b * (log(1 / absolute(s.h_0)) - grown)
    m.define(s.energy_0, before)
    m.define(s.energy_2, after)


def derive_change(m: Model) -> None:
    """Lemma N.1 and the orders of its proof."""
    m.uses("lyu22/def-H.2")
    m.uses("lyu22/def-H.21")
    sizes(m)
    move(m, S)
    example = {alpha: 2, C_b: 1, K_0: 2, eta: Fraction(1, 64), S.h_0: 1, S.u_0: 1}
    m.example({**example, **{scalar(name): 0 for name in REMAINDERS}})


def derive_cases(m: Model) -> None:
    """Small and large h apart."""
    m.uses("lyu22/lemma-N.1")
    sizes(m)
    m.bound(SMALL.h_0)
    m.bound(1 / LARGE.h_0)
    move(m, SMALL, "_small")
    move(m, LARGE, "_large")


def derive_split(m: Model) -> None:
    """Two states of one sign, and their energies by Definition H.21."""
    m.uses("lyu22/def-H.21")
    factor = scalar("q", positive=True)
    m.step("h_2 = q h_0 with q > 0: the same sign")
    m.define(S.h_2, factor * S.h_0)
    m.define(K_0, (2 * C_b + slope_0) ** Fraction(1, 2))
    for energy, size, speed, slope in (
        (S.energy_0, S.h_0, S.u_0, slope_0),
        (S.energy_2, S.h_2, S.u_2, slope_2),
    ):
        kinetic, stored = HALF * speed**2, (2 * C_b + slope) * size**2
        m.define(energy, kinetic + stored + C_b * log(1 / absolute(size)))
    m.example({factor: 2, S.h_0: 1, S.u_0: 1, S.u_2: 2, C_b: 1, slope_0: 2, slope_2: 1})


def derive_nothing(m: Model) -> None:
    """Plain algebra in the generators."""
    m.step("collect terms")
    m.example({S.h_0: 1, S.u_0: 1, eta: Fraction(1, 8), K_0: 1, C_b: 3})


# ------------------------------------------------------------------------------ simulation
def observe_transition(
    sample: Sample, s: Letters, land: Landscape, kicks: Kicks, top: float, share: float
) -> list[dict[Symbol | FormSymbol, Any]]:
    """One state, the same at every eta, and its transitions."""
    import math

    from eostheory.agree import measured

    label = f"u_0 / alpha ({s.h_0.name})"
    speed = top * sample.draw(st.sampled_from([-1.0, -0.5, 0.25, 0.75]), label)
    tables: list[dict[Symbol | FormSymbol, Any]] = []
    for k in range(6, 18):
        e = 2.0**-k
        size = share * top
        h_2, u_2, slope, later = transition(land, kicks, top, size, speed, e)
        k2 = 2 * land.c_b + slope
        scale = 4 * (1 + speed**2 + size**2) * (1 + k2)
        tables.append({
            alpha: top, C_b: land.c_b, eta: e, K_0: measured(k2, 40).sqrt(),
            s.h_0: size, s.u_0: speed, s.h_2: measured(h_2, 20), s.u_2: measured(u_2, 40, scale),
            slope_0: measured(slope, 40), slope_2: measured(later, 60),
            s.energy_0: energies(land, size, speed, slope),
            s.energy_2: energies(land, h_2, u_2, later),
            s.kinetic: measured((u_2**2 - speed**2) / 2, 60, scale),
            s.stored: measured(k2 * (h_2**2 - size**2), 60, scale),
            s.moved: measured((later - slope) * h_2**2, 80, scale),
            s.logarithm: measured(-land.c_b * math.log(h_2 / size), 40, 1 + land.c_b),
        })  # fmt: skip
    return tables


def simulate_change(sample: Sample) -> None:
    """One state at which eta is halved again and again; remainders use up their bounds."""
    land = draw_landscape(sample)
    top = sample.draw(st.sampled_from([1.0, 2.0, 4.0]), "alpha")
    names = ("rest of h", "rest of u", "rest of phi")
    shares = [sample.draw(st.sampled_from([-1.0, 1.0]), name) for name in names]
    kicks = Kicks(shares[0], shares[1], shares[2], not sample.holds("transition"))
    share = sample.draw(st.sampled_from([-1.0, -0.5, 0.25, 1.0]), "h_0 / alpha")
    for table in observe_transition(sample, S, land, kicks, top, share):
        sample.observe(table, scale=table[eta])


def simulate_cases(sample: Sample) -> None:
    """A small and a large h beside one another."""
    land = draw_landscape(sample)
    kicks = Kicks(1.0, -1.0, 1.0, wild=not sample.holds("transition"))
    small = observe_transition(sample, SMALL, land, kicks, 4.0, 0.25)
    large = observe_transition(sample, LARGE, land, kicks, 4.0, 0.75)
    for one, other in zip(small, large, strict=True):
        sample.observe({**one, **other}, scale=one[eta])


def simulate_identity(sample: Sample) -> None:
    """Any transitions: the split of the change is plain algebra."""
    land = draw_landscape(sample)
    share = sample.draw(st.sampled_from([-1.0, -0.5, 0.25, 1.0]), "h_0 / alpha")
    for table in observe_transition(sample, S, land, Kicks(1.0, -1.0, 1.0), 2.0, share)[:4]:
        sample.observe(table)


def simulate_shrinking(sample: Sample) -> None:
    """h_0 shrinks with eta, as a transition allows."""
    from eostheory.agree import measured

    land = draw_landscape(sample)
    kicks = Kicks(1.0, 1.0, 1.0, wild=not sample.holds("transition"))
    share = sample.draw(st.sampled_from([-1.0, 0.5, 1.0]), "h_0 / sqrt(eta)")
    for k in range(5, 13):
        e = 2.0**-k
        size, speed = share * e**0.5, 0.5
        _, u_2, slope, _ = transition(land, kicks, 1.0, size, speed, e)
        sample.observe({alpha: 1.0, eta: e, S.h_0: size, S.u_0: speed, C_b: land.c_b,
                        S.u_2: measured(u_2, 40, 4 + slope)}, scale=e)  # fmt: skip


ROUGH = {"transition": HYPOTHESES["transition"]}
CLAIMS = [
    Claim("lyu22/lemma-N.1", statement=lemma_n1, hypotheses=HYPOTHESES, derive=derive_change,
          simulate=simulate_change),
    Claim("lyu22/lemma-N.1.cases", statement=cases, hypotheses=HYPOTHESES, derive=derive_cases,
          simulate=simulate_cases),
    Claim("lyu22/lemma-N.1.p1", statement=split(1), corrected=split(-1), derive=derive_split,
          simulate=simulate_identity,
          reading="The energy contains C_b log(1/|h|), so its change contains -C_b log(h_2/h_0); "
          "the proof prints a plus here and uses the minus when it bounds this part."),
    Claim("lyu22/lemma-N.1.p2", statement=p2, hypotheses=HYPOTHESES, derive=derive_change,
          simulate=simulate_change),
    Claim("lyu22/lemma-N.1.p3", statement=p3_printed, corrected=p3_corrected, hypotheses=ROUGH,
          derive=derive_change, simulate=simulate_shrinking,
          reading="u changes by 4 eta h_0^2 K_0^2 - 2 eta C_b + ...: for small h_0 its square is "
          "of order eta^2, not (h_0^2 eta)^2. The sum of all parts is not affected."),
    Claim("lyu22/lemma-N.1.p4", statement=p4, hypotheses=HYPOTHESES, derive=derive_change,
          simulate=simulate_change),
    Claim("lyu22/lemma-N.1.p5", statement=p5, hypotheses=HYPOTHESES, derive=derive_change,
          simulate=simulate_change),
    Claim("lyu22/lemma-N.1.p6", statement=p6, hypotheses=HYPOTHESES, derive=derive_change,
          simulate=simulate_change,
          reading="delta_4 with the sign that the proof uses, -C_b log(1 + (h_2 - h_0)/h_0)."),
    Claim("lyu22/lemma-N.1.p7", statement=p7, derive=derive_nothing, simulate=simulate_identity),
]  # fmt: skip
