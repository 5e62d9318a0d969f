r"""Sums along an RMS-drift process, and what a bounded energy says about a state (N, H.5).

Setting:  RMS-drift transitions (Definition H.2) between states with |h|, |u| <= alpha, every
          power of alpha times eta bounded; K^2 = 2 C_b + |grad_Gamma R|^2.
Claims:   u and phi telescope (N.2, N.4); the energy's change by the accumulated h^2 (N.3); the
          speed of the sharpness-reduction flow at the start (N.4); bounds from the energy (H.5).
Source:   Lyu, Li, Arora, arXiv:2206.07085, appendices H.5, H.6, N.1 and N.2.

Found: the flow's speed at the start is printed with C_b^2 for C_b, and without its minus sign;
Lemma N.4 needs a flow that starts at phi_0.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Expr,
    Inequality,
    OrderBound,
    Predicate,
    Statement,
    as_expr,
    exp,
    log,
    norm2,
    scalar,
    sqrt,
    vector,
)

from ._energy_estimates import (
    E_0,
    E_N,
    E_t,
    M,
    N,
    observe_chains,
    observe_speed,
    phi_0,
    phi_N,
    pulls,
    pushes,
    slope,
    speed,
    squares,
    u_0,
    u_M,
)
from ._orders import unless
from ._transitions import FEW, K_0, ZERO, C_b, alpha, eta, sizes

if TYPE_CHECKING:
    from eostheory.symbolic import Decision, Model

Parts = dict[str, Statement]
ONE = as_expr(1)
HALF = Fraction(1, 2)

BOUNDED = {"bounded": "every state is alpha-bounded", "alpha": "1 <= alpha <= eta^(-o(1))"}
HORIZON = {"horizon": "N <= M = O(1/eta^1.5)"}
START = {"start": "the flow starts at phi_0, up to O(alpha^2 eta)"}
MORE = {
    "simulation:*order M+1": "an order that is larger by the number of transitions says less",
    "simulation:*order N+1": "an order that is larger by the number of transitions says less",
    "simulation:*x1.001": "a thousandth of the sum is less than the remainders at these eta",
}
CLOSE = {"close": "|phi_0 - zeta(0)| = O(alpha^2 eta^(1/2)), as in Theorem H.23"}

u_abs, h_abs = scalar("u_abs", "|u|", nonnegative=True), scalar("h_abs", "|h|", positive=True)
length = scalar("length", r"\|x_t\|_2", nonnegative=True)
c, square = scalar("c", "c", positive=True), scalar("square", "h^2", positive=True)
T_1 = scalar("T_1", "T_1", positive=True)
place, flow = vector("place", "D", r"\phi_{T_1}"), vector("flow", "D", r"\zeta(T_1\eta^2)")
start = vector("start", "D", r"\zeta_0")
h_0, u_next = scalar("h_0", "h_t"), scalar("u_next", "u'_{t+2}")
phi_next = vector("phi_next", "D", r"\phi'_{t+2}")
K = scalar("K", "K", positive=True)

# ------------------------------------------------------------------------------- statements
telescoped_u = OrderBound(u_M - u_0, 4 * eta * pushes - 2 * eta * C_b * M, alpha**3 * eta**2 * M)
ends = OrderBound(u_M - u_0, ZERO, alpha)
crude = Inequality(E_t, "<=", E_0 + K * alpha**4 * eta**2 * M)
change = E_N - E_0
refined: Parts = {
    "Lemma N.1": OrderBound(change, ZERO, alpha**2 * eta**2 * (N + squares)),
    "Lemma N.2": OrderBound(
        change, ZERO, alpha**2 * eta**2 * (N + (N + alpha**2 * eta**2 * N**2 + alpha / eta))
    ),
    "horizon": OrderBound(change, ZERO, alpha**2 * eta**HALF),
}
telescoped_phi = OrderBound(phi_N - phi_0, -2 * eta**2 * pulls, alpha**3 * eta**3 * N)
speed_printed = OrderBound(C_b**2 / (2 * K_0**2) * slope, speed, alpha**2 * eta**HALF)
speed_corrected = OrderBound(-(C_b / (2 * K_0**2)) * slope, speed, alpha**2 * eta**HALF)
reduced, sharpness = scalar("R", r"R(\theta)"), scalar("lam", r"\lambda_1^H", positive=True)
gradient = vector("gradient", "D", r"\nabla\log\lambda_1^H(\theta)")
function = Predicate("one thing", (reduced, gradient), "are one thing")
zeta_N = vector("zeta_N", "D", r"\zeta(2N\eta^2)")


def matched(sign: int) -> Parts:
    """The last states of the process and of the flow; with the sign of the flow's speed."""
    return {
        "sum": OrderBound(phi_N, phi_0 + sign * (2 * eta**2 * N) * speed, alpha**2 * eta),
        "flow": OrderBound(phi_N, zeta_N, (eta**2 * N) ** 2 + alpha**2 * eta),
    }


tracks = OrderBound(phi_N - zeta_N, 0 * phi_N, alpha**2 * eta)
bounds: Parts = {
    "bounded u": Inequality(u_abs, "<=", c * alpha),
    "bounded h": Inequality(h_abs, "<=", c * alpha),
    "deviated": Inequality(length, ">=", eta * exp(-((c * alpha) ** 2))),
}
after_alignment = OrderBound(place - flow, 0 * place, alpha * eta)
local_constant = Equation(K_0, sqrt(2 * C_b + norm2(slope)))
transition: Parts = {
    "u": Equation(u_next, u_0 + 4 * eta * K_0**2 * h_0**2 - 2 * eta * C_b),
    "phi": Equation(phi_next, phi_0 - 2 * eta**2 * h_0**2 * slope),
}


# ------------------------------------------------------------------------------ derivations
def derive_u(m: Model) -> None:
    """M changes of u, each with its remainder alpha (1 + h^2) eta^2."""
    m.uses("lyu22/def-H.2.u")
    sizes(m)
    m.step("the changes add up to u_2M - u_0, their remainders to M times a mean")
    mean = scalar("mean", nonnegative=True)
    m.bound(mean / alpha**2, by="bounded")
    rest = m.landau("rest") * alpha * (1 + mean) * eta**2 * M
    m.define(u_M, u_0 + 4 * eta * pushes - 2 * eta * C_b * M + rest)


def derive_ends(m: Model) -> None:
    """The first and the last state."""
    m.uses("lyu22/def-H.1")
    for name in (u_0, u_M):
        m.bound(name / alpha, by="bounded")


def derive_crude(m: Model) -> None:
    """Induction over the transitions: a small energy bounds the next state, hence its change."""
    m.uses("lyu22/lemma-N.1")
    m.uses("lyu22/appH5.energy-bounds")
    before, done = scalar("E_before", "E(S_{t-2})"), scalar("done", "t/2-1", nonnegative=True)
    constant, mean, share = (scalar(k, nonnegative=True) for k in ("C", "h2", "share"))
    step = K * alpha**4 * eta**2
    m.assume(Inequality(E_0, "<=", alpha**2), by="energy")
    m.assume(Inequality(alpha, ">=", ONE), by="alpha")
    m.assume(Inequality(done + 1, "<=", M))
    m.step("M = O(1/eta^1.5) and alpha^2 = eta^(-o(1)): K alpha^2 eta^2 M <= 1 for small eta")
    m.assume(Inequality(K * alpha**2 * eta**2 * M, "<=", ONE), by="horizon")
    m.step("induction, trivial at t = 0: suppose E(S_{t-2}) <= E(S_0) + K alpha^4 eta^2 (t/2 - 1)")
    m.assume(Inequality(before, "<=", E_0 + step * done))
    m.step("so E(S_{t-2}) <= 2 alpha^2, and h^2 <= C alpha^2 by the bounds from the energy")
    if m.lemma("bounded", Inequality(before, "<=", 2 * alpha**2)).outcome == "holds":
        m.assume(Inequality(mean, "<=", constant * alpha**2))
    m.step("Lemma N.1: one transition changes the energy by C alpha^2 (1 + h^2) eta^2 at most")
    m.assume(Inequality(share, "<=", ONE))
    m.step("K stands for a constant that is large against C")
    m.assume(Inequality(K, ">=", constant * (1 + constant)))
    m.define(E_t, before + share * constant * alpha**2 * (1 + mean) * eta**2)


def derive_refined(m: Model) -> None:
    """The changes of Lemma N.1 added up, with the accumulated h^2 of Lemma N.2."""
    m.uses("lyu22/lemma-N.1")
    m.uses("lyu22/lemma-N.2")
    sizes(m)
    m.bound(N * eta ** Fraction(3, 2), by="horizon")
    m.bound(1 / N)
    total = m.landau("sum") * (N + alpha**2 * eta**2 * N**2 + alpha / eta)
    m.define(squares, total)
    m.define(E_N, E_0 + m.landau("change") * alpha**2 * eta**2 * (N + squares))


def derive_phi(m: Model) -> None:
    """N moves of phi, each with its remainder alpha h^2 eta^3."""
    m.uses("lyu22/def-H.2.phi")
    sizes(m)
    mean = scalar("mean", nonnegative=True)
    m.bound(mean / alpha**2, by="bounded")
    rest = alpha * mean * eta**3 * N * m.landau("rest", ("D",))
    m.define(phi_N, phi_0 - 2 * eta**2 * pulls + rest)


def derive_speed(m: Model) -> None:
    """The right side of the flow (8) at zeta(0), a little away from phi_0."""
    m.uses("lyu22/eq-8")
    sizes(m)
    m.bound(alpha**4 * eta)
    m.relation(norm2(slope), K_0**2 - 2 * C_b, by="K")
    reach = alpha**2 * eta**HALF * (1 if "close" not in m.withheld else 1 / (alpha**3 * eta**HALF))
    there = slope + reach * m.landau("turn", ("D",))
    m.step("zeta' = -g/(4 + 2|g|^2/C_b) = -C_b g/(2 (2 C_b + |g|^2)) at g = grad R(zeta(0))")
    excess = m.normal((norm2(there) - norm2(slope)) / K_0**2)
    inverse = m.taylor("1/(1+z)", excess, 1, small=alpha**2 * eta**HALF) / K_0**2
    m.define(speed, -(C_b / 2) * inverse * there)
    m.example({slope: (1, 0), K_0: 3, C_b: 4, alpha: 1, eta: Fraction(1, 64)})


def derive_reduced(m: Model) -> None:
    """The function whose gradient moves phi; a number is no vector."""
    m.uses("lyu22/def-H.2.phi")
    m.step("phi moves along grad log(lambda_1): that is the gradient of R, which is a number")
    m.define(reduced, log(sharpness))

    def one_thing(left: Expr, right: Expr) -> Decision:
        from eostheory.symbolic import Decision

        if left.shape != right.shape:
            shapes = {"left": str(left.shape), "right": str(right.shape)}
            return Decision("fails", method="shapes", witness={"how": "shapes", **shapes})
        return m.decide(Equation(left, right))

    m.predicate("one thing", one_thing)


def derive_match(m: Model) -> None:
    """N transitions against the flow over the same time."""
    m.uses("lyu22/lemma-N.4.p4")
    m.uses("lyu22/lemma-N.4.p5")
    sizes(m)
    m.bound(N * eta ** Fraction(3, 2), by="horizon")
    m.bound(1 / N)
    m.bound(alpha**12 * eta, by="alpha")
    gap, turn, rest, bend = (vector(k, "D") for k in ("gap", "turn", "rest", "bend"))
    m.step("the flow's speed at zeta(0) is -(C_b/(2 K_0^2)) grad R(phi_0), nearly")
    m.define(speed, -(C_b / (2 * K_0**2)) * slope + alpha**2 * eta**HALF * turn)
    m.define(phi_N, phi_0 - (C_b / K_0**2) * eta**2 * N * slope + alpha**2 * eta * rest)
    m.step("zeta(2 N eta^2) = zeta(0) + 2 N eta^2 zeta'(0) + O((eta^2 N)^2)")
    apart = 0 * gap if "start" not in m.withheld else alpha**2 * eta**HALF * gap
    m.define(zeta_N, phi_0 - apart + 2 * N * eta**2 * speed + (eta**2 * N) ** 2 * bend)
    m.example({
        slope: (1, 0), K_0: 3, C_b: 4, alpha: 1, eta: Fraction(1, 64), N: 512, phi_0: (0, 0),
        gap: (0, 1), turn: (0, 0), rest: (0, 0), bend: (0, 0),
    })  # fmt: skip


def derive_bounds(m: Model) -> None:
    """Each part of the energy is bounded below, and log h^2 <= h^2 - 1."""
    m.uses("lyu22/def-H.21")
    m.patience = 0.3
    growth, gradient = scalar("growth", positive=True), scalar("gradient", nonnegative=True)
    for of in (square, growth):
        if m.decide(Inequality(log(of), "<=", of - 1)).outcome != "holds":
            raise ArithmeticError("the logarithm is not below its tangent")
    floor = -((c * alpha) ** 2)
    m.step("write |h| as exp(-(c alpha)^2) times a factor; log |h| = log(factor) - (c alpha)^2")
    m.define(h_abs, exp(floor) * growth)
    level = log(growth) + floor
    m.step("log z <= z - 1 for z = h^2 and for the factor")
    m.assume(Inequality(2 * level + 1, "<=", h_abs**2))
    m.assume(Inequality(log(growth), "<=", growth - 1))
    total = HALF * u_abs**2 + (2 * C_b + gradient) * h_abs**2 - C_b * level
    m.assume(Inequality(total, "<=", alpha**2), by="energy")
    m.step("c is some constant: c >= 2 and c^2 C_b >= 1")
    m.assume(Inequality(c, ">=", as_expr(2)))
    m.assume(Inequality(c**2 * C_b, ">=", ONE))
    m.step("|x_t| >= |<v_1, x_t>| = |h_t| eta")
    m.define(length, h_abs * eta * (1 + scalar("longer", nonnegative=True)))


def derive_smooth(m: Model) -> None:
    """phi after the alignment phase, and the flow after the same time."""
    m.uses("lyu22/thm-H.10")
    sizes(m)
    m.step("phi_t = zeta_0 + O(alpha_max eta) at t = T_1, by Theorem H.10")
    m.define(place, start + alpha * eta * unless(m, "aligned") * m.landau("align", ("D",)))
    m.step("zeta(t eta^2) = zeta_0 + O(t eta^2), zeta being smooth, and T_1 = O(alpha_max^2)")
    m.bound(T_1 / alpha**2, by="time")
    m.bound(1 / T_1)
    m.define(flow, start + T_1 * eta**2 * m.landau("smooth", ("D",)))


def derive_transition(m: Model) -> None:
    """Definition H.2 with R for log lambda_1 and K for its constant."""
    m.uses("lyu22/def-H.2")
    m.define(K_0, sqrt(2 * C_b + norm2(slope)))
    m.define(u_next, u_0 + 4 * eta * h_0**2 * (2 * C_b + norm2(slope)) - 2 * eta * C_b)
    m.define(phi_next, phi_0 - 2 * eta**2 * h_0**2 * slope)


CLAIMS = [
    Claim(
        "lyu22/lemma-N.2.p1",
        telescoped_u,
        BOUNDED,
        derive=derive_u,
        simulate=partial(observe_chains, power=1.0),
        waive=MORE,
        examples=FEW,
    ),
    Claim(
        "lyu22/lemma-N.2.p3",
        ends,
        {"bounded": BOUNDED["bounded"]},
        derive=derive_ends,
    ),
    Claim(
        "lyu22/lemma-N.3.p1",
        crude,
        {"energy": "E(S_0) <= alpha^2", "alpha": BOUNDED["alpha"]} | HORIZON,
        derive=derive_crude,
    ),
    Claim(
        "lyu22/lemma-N.3.p2",
        refined,
        {"alpha": BOUNDED["alpha"]} | HORIZON,
        derive=derive_refined,
    ),
    Claim(
        "lyu22/lemma-N.4.p2",
        telescoped_phi,
        {"bounded": BOUNDED["bounded"]},
        derive=derive_phi,
        simulate=partial(observe_chains, power=1.0),
        waive=MORE,
        examples=FEW,
    ),
    Claim(
        "lyu22/lemma-N.4.p5",
        speed_printed,
        CLOSE | {"K": "K_0^2 = 2 C_b + |grad_Gamma R(phi_0)|^2"},
        derive=derive_speed,
        simulate=observe_speed,
        corrected=speed_corrected,
    ),
    Claim(
        "lyu22/appH5.energy-bounds",
        bounds,
        {"energy": "E(S) <= alpha^2"},
        derive=derive_bounds,
        waive={"*x1.001": "c is some constant; a thousandth less will do"},
        reading="O(alpha) is c alpha with some constant c, which depends on C_b alone.",
    ),
    Claim(
        "lyu22/thm-B.13.p3",
        after_alignment,
        {
            "aligned": "|phi_t - zeta_0| = O(alpha_max eta) at t = T_1",
            "time": "T_1 = O(alpha_max^2)",
            "alpha": BOUNDED["alpha"],
        },
        derive=derive_smooth,
        reading=(
            "The printed sentence ends after the norm, without saying how small it is; read with "
            "the bound of the line before, O(alpha_max eta). Here alpha is alpha_max."
        ),
    ),
    Claim(
        "lyu22/appN.R",
        function,
        derive=derive_reduced,
        corrected=Equation(reduced, log(sharpness)),
        reading="What follows takes the gradient of R for that of log lambda_1: R is a function.",
    ),
    Claim("lyu22/appN.K", local_constant, derive=derive_transition),
    Claim("lyu22/appN.transition", transition, derive=derive_transition),
    Claim(
        "lyu22/lemma-N.4.p6",
        matched(-1),
        HORIZON,
        derive=derive_match,
        corrected=matched(1),
        corrected_hypotheses=START,
        reading=(
            "The sign of the flow's speed is that of the step before, which is wrong; and the flow "
            "must start at phi_0, where Theorem H.23 lets it start O(alpha^2 eta^(1/2)) away."
        ),
    ),
    Claim(
        "lyu22/lemma-N.4",
        tracks,
        {"alpha": BOUNDED["alpha"]} | HORIZON,
        derive=derive_match,
        corrected_hypotheses=START,
        reading=(
            "At t = 2N for every N <= M. The setting of Theorem H.23 has phi_0 at a distance "
            "O(alpha^2 eta^(1/2)) of zeta(0), more than the lemma claims at t = 0."
        ),
    ),
]
