r"""Gradient descent reaches the edge of stability: the algebra of section 4.1 and appendix G.

Setting:  theta' = Pi(theta - s g), s the effective rate, g = grad L(theta), <g, theta> = 0;
          Psi = sqrt(L - L*); the Polyak-Lojasiewicz inequality |g|^2/2 >= mu (L - L*).
Claims:   the square-root form of the descent lemma (Lemma G.1); |g|^2 <= C_2 (L - L*) (Lemma G.2);
          the steps of Theorem 4.4's proof.
Source:   Lyu, Li, Arora, arXiv:2206.07085, section 4.1 and appendix G.2.

Found: the bound on the normalised gradient lacks a square, and step 0 is written for t_0.  The
theorem survives.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Inequality,
    Statement,
    as_expr,
    dot,
    log,
    norm,
    norm2,
    scalar,
    sqrt,
)

from . import _descent_gd_runs as runs
from . import _descent_letters as d
from ._descent_helpers import grown_path, tight
from ._descent_letters import (
    C_1,
    C_2,
    Psi,
    Psi_next,
    Psi_t0,
    Psi_zero,
    delta,
    descent,
    eta,
    g,
    gbar,
    lam_max,
    loss,
    loss_next,
    loss_star,
    loss_t0,
    loss_zero,
    low,
    moved,
    mu,
    path,
    rate,
    rate_next,
    rate_start,
    rho_2,
    steps,
    theta,
    theta_next,
)
from ._gwsi import INVARIANT, SHRINKS, eta_hat, lam_hat

if TYPE_CHECKING:
    from eostheory.formula import Expr
    from eostheory.symbolic import Model

zero = as_expr(0)
HALF = Fraction(1, 2)
product = eta_hat * lam_hat

drop = (1 - rate * lam_max / 2) * rate * norm(g)
lemma_g1 = Inequality(Psi - Psi_next, ">=", sqrt(2 * mu) / 2 * drop)
square_roots: dict[str, Statement] = {
    "difference": Equation(Psi - Psi_next, (loss - loss_next) / (Psi + Psi_next)),
    "bound": Inequality(
        (loss - loss_next) / (Psi + Psi_next),
        ">=",
        (1 - rate * lam_max / 2) * rate * norm2(g) / (2 * Psi),
    ),
}
potential_pl = Inequality(norm(g), ">=", sqrt(2 * mu) * Psi)
lemma_g2 = Inequality(norm2(g), "<=", C_2 * (loss - loss_star))
first_phase: dict[str, Statement] = {
    "delta positive": Inequality(delta, ">", zero),
    "delta below two": Inequality(delta, "<", as_expr(2)),
    "decrease": Inequality(Psi - Psi_next, ">=", sqrt(2 * mu) / 16 * delta * rate * norm(g)),
}
telescoped: dict[str, Statement] = {
    "path": Inequality(sqrt(2 * mu) / 16 * delta * path, "<=", Psi_zero),
    "step": Inequality(norm(theta_next - theta), "<=", rate * norm(g)),
    "distance": Inequality(moved, "<=", path),
    "order": Inequality(path, "<=", d.K * sqrt(product)),
}
telescoped_corrected: dict[str, Statement] = {
    **telescoped,
    "path": Inequality(sqrt(2 * mu) / 16 * delta * path, "<=", Psi_t0),
}
normalised: dict[str, Statement] = {
    "definition": Equation(gbar, norm(g) / eta),
    "Lemma G.2": Inequality(norm(g) / eta, "<=", C_2 / eta * (loss - loss_star)),
    "monotone": Inequality(
        C_2 / eta * (loss - loss_star), "<=", C_2 / eta * (loss_zero - loss_star)
    ),
}
normalised_corrected: dict[str, Statement] = {
    "definition": Equation(gbar**2, norm2(g) / eta**2),
    "Lemma G.2": Inequality(norm2(g) / eta**2, "<=", C_2 / eta**2 * (loss - loss_star)),
    "monotone": Inequality(
        C_2 / eta**2 * (loss - loss_star), "<=", C_2 / eta**2 * (loss_t0 - loss_star)
    ),
}
speed: dict[str, Statement] = {
    "one step": Inequality(rate_next, "<=", (1 - product) ** -2 * rate),
    "number": Inequality(
        steps + 1, ">=", log((2 - delta / 4) / (2 - low)) * (1 - product) / (2 * product)
    ),
}
window: dict[str, Statement] = {
    "decrease": Inequality(loss_next, "<=", loss - delta * rate * norm2(g) / 8),
    "decay": Inequality(
        loss_next - loss_star, "<=", (1 - mu * delta * rate / 4) * (loss - loss_star)
    ),
}
second_phase: dict[str, Statement] = {
    "decrease": Inequality(
        Psi - Psi_next, ">=", sqrt(2 * mu) / 2 * C_1 * sqrt(product) * rate * norm(g)
    ),
    "path": Inequality(path, "<=", d.K * product ** Fraction(9, 2)),
}


# -------------------------------------------------------------------------------- derivations
def potential(m: Model) -> None:
    """Psi, the descent lemma with lambda_max, and the PL inequality, from free losses."""
    m.uses("lyu22/lemma-4.1")
    m.define(loss, loss_star + Psi**2)
    m.define(loss_next, loss_star + Psi_next**2)
    m.assume(Inequality(Psi, ">", zero), by="")
    m.assume(Inequality(mu * Psi**2, "<=", norm2(g) / 2), by="pl")
    m.assume(descent, by="descent")


def derive_g1(m: Model) -> None:
    """In letters: G = |g|, p = Psi, q = Psi'."""
    potential(m)
    m.assume(Inequality(rate * lam_max, "<", as_expr(2)), by="stable")
    lemma_potential(m)
    tight(m, HALF, {})


def lemma_potential(m: Model) -> None:
    """Psi - Psi' >= k s |g| sqrt(2 mu)/2, whatever is known to be at most 1 - s lambda_max/2."""
    root, size, k, s, p, q = (scalar(x, nonnegative=True) for x in "rGkspq")
    where: dict[Expr, Expr] = {
        root: sqrt(2 * mu),
        size: norm(g),
        k: 1 - rate * lam_max / 2,
        s: rate,
    }
    m.lemma("PL in the potential", potential_pl)
    m.lemma(
        "decrease of the potential",
        Inequality(2 * (p - q), ">=", root * k * s * size),
        given=[
            Inequality(q**2, "<=", p**2 - s * k * size**2),
            Inequality(root * p, "<=", size),
        ],
        where={**where, p: Psi, q: Psi_next},
    )


def derive_roots(m: Model) -> None:
    """Both forms of the difference."""
    potential(m)
    m.assume(Inequality(rate * lam_max, "<", as_expr(2)), by="stable")


def derive_pl(m: Model) -> None:
    """The PL inequality alone."""
    m.define(loss, loss_star + Psi**2)
    m.assume(Inequality(mu * (loss - loss_star), "<=", norm2(g) / 2), by="pl")


def derive_g2(m: Model) -> None:
    """A step of length 1/rho_2 cannot go below the minimum."""
    m.uses("lyu22/lemma-4.1")
    below = scalar("loss_below", r"\mathcal{L}(\theta-g/\rho_2)")
    m.step("the descent lemma for the step 1/rho_2, which stays near theta*")
    m.assume(Inequality(below, "<=", loss - norm2(g) / (2 * rho_2)), by="smooth")
    m.assume(Inequality(loss_star, "<=", below), by="minimizer")
    m.define(C_2, 2 * rho_2)


def derive_first_phase(m: Model) -> None:
    """1 - s lambda_max/2 >= delta/8 up to T_1."""
    potential(m)
    m.define(delta, 2 - rate_start * lam_max)
    m.assume(Inequality(rate_start * lam_max, "<", as_expr(2)), by="start")
    m.assume(Inequality(rate * lam_max, "<=", 2 - delta / 4), by="before_T1")
    if "before_T1" not in m.withheld:
        lemma_potential(m)
    tight(m, Fraction(1, 8), {rate_start: 1})


def derive_telescoped(m: Model) -> None:
    """The drops of the potential add up to at most its first value."""
    m.uses("lyu22/thm-4.4.p1")
    m.relation(norm2(theta), 1, by="unit")
    m.relation(dot(theta, g), 0, by="scale_invariant")
    free = theta - rate * g
    m.define(theta_next, (1 / norm(free)) * free)
    weight = sqrt(2 * mu) / 16 * delta
    m.assume(Inequality(weight * rate * norm(g), "<=", Psi - Psi_next), by="decrease")
    so_far = grown_path(m, weight, Psi_t0, "decrease")
    reached = scalar("moved_before", r"\|\theta_{t-1}-\theta_{t_0}\|_2", nonnegative=True)
    m.assume(Inequality(reached, "<=", so_far))
    one_step = telescoped["step"]
    m.lemma("one step", one_step)  # type: ignore[arg-type]
    m.assume(Inequality(moved, "<=", reached + norm(theta_next - theta)), by="triangle")
    start = scalar("K_start", "K_0", positive=True)
    m.assume(Inequality(Psi_t0, "<=", start * sqrt(product)), by="close")
    m.define(d.K, 16 * start / (sqrt(2 * mu) * delta))
    if not m.withheld:
        m.step("an instance: the loss has grown, at too large a rate, before t_0")
        known: dict[Any, Any] = {theta: (1, 0), g: (0, 1), rate: 1, mu: 8, delta: 1, eta_hat: 1}
        known |= {lam_hat: Fraction(1, 4), start: 2, so_far: 0, reached: 0, moved: HALF}
        m.example({**known, Psi_zero: Fraction(1, 8), Psi_t0: 1, Psi: 1, Psi_next: Fraction(3, 4)})


def derive_normalised(m: Model) -> None:
    """Lemma G.2 at step t, and the loss does not increase after t_0."""
    m.uses("lyu22/lemma-G.2")
    m.define(gbar, norm(g) / eta)
    m.assume(lemma_g2, by="lemma_G_2")
    m.assume(Inequality(loss, "<=", loss_t0), by="monotone")
    m.assume(Inequality(loss_star, "<=", loss), by="minimizer")


def derive_speed(m: Model) -> None:
    """Eq. (14) with gbar >= 0; N steps multiply the rate by at most (1 - eta lambda)^(-2N)."""
    m.uses("lyu22/eq-14")
    beta = (1 - product) ** 4
    m.assume(Inequality(product, "<", as_expr(1)), by="decay_below_one")
    moment = (
        beta * rate**-2 + (1 - beta) * gbar**2 + rate**2 / (4 * beta) * (1 - beta) ** 2 * gbar**4
    )
    m.define(rate_next, 1 / sqrt(moment))
    m.assume(Inequality(delta, "<", 4 * low), by="window")
    m.assume(Inequality(low, "<", as_expr(2)), by="window")
    m.step("from below the window to above it, steps + 1 steps multiply the rate by the ratio")
    x, ratio = product, log((2 - delta / 4) / (2 - low))
    m.assume(Inequality(ratio, "<=", -2 * (steps + 1) * log(1 - x)), by="crossing")
    m.lemma("logarithm", Inequality(-log(1 - x), "<=", x / (1 - x)))


def derive_window(m: Model) -> None:
    """The descent lemma with 1 - s lambda_max/2 >= delta/8, and PL."""
    m.uses("lyu22/lemma-4.1")
    m.assume(descent, by="descent")
    m.assume(Inequality(mu * (loss - loss_star), "<=", norm2(g) / 2), by="pl")
    m.assume(Inequality(rate * lam_max, "<=", 2 - delta / 4), by="window")
    m.assume(Inequality(loss_star, "<=", loss_next), by="minimizer")


def derive_second_phase(m: Model) -> None:
    """1 - s lambda_max/2 >= C_1 sqrt(eta lambda) up to T_2."""
    potential(m)
    m.assume(Inequality(rate * lam_max, "<", 2 - 2 * C_1 * sqrt(product)), by="before_T2")
    first, start = scalar("Psi_T1", nonnegative=True), scalar("K_0", positive=True)
    m.step("the loss at T_1 is L* + O((eta lambda)^10), so that Psi is K_0 (eta lambda)^5")
    m.assume(Inequality(first, "<=", start * product**5), by="small_loss")
    m.define(d.K, 2 * start / (sqrt(2 * mu) * C_1))
    if "before_T2" not in m.withheld:
        lemma_potential(m)
        m.lemma("decrease", second_phase["decrease"])  # type: ignore[arg-type]
    so_far = grown_path(m, sqrt(2 * mu) / 2 * C_1 * sqrt(product), first, "telescoped")
    small: dict[Any, Any] = {eta_hat: 1, lam_hat: Fraction(1, 256), C_1: 1, so_far: 0}
    tight(m, Fraction(1, 16) + Fraction(1, 2**16), {**small, first: 1, start: 256**5})


PL = {"pl": "the mu-PL inequality at theta_t"}
DESCENT = {"descent": "the descent lemma, with lambda_max for the supremum along the step"}
STABLE = {"stable": "the effective rate is below 2/lambda_max"}
FEW = {"quick": 1, "default": 6, "thorough": 30}
BY_SUM = "The sum over the steps is a letter that grows step by step: the bounds by induction on t."


CLAIMS = [
    Claim(
        "lyu22/lemma-G.1",
        lemma_g1,
        PL | DESCENT | STABLE,
        derive=derive_g1,
        simulate=runs.potential,
        examples=FEW,
    ),
    Claim(
        "lyu22/lemma-G.1.p1",
        square_roots,
        DESCENT | STABLE,
        derive=derive_roots,
        simulate=runs.rates,
        examples=FEW,
    ),
    Claim("lyu22/lemma-G.1.p2", potential_pl, PL, derive=derive_pl, simulate=runs.pl, examples=FEW),
    Claim(
        "lyu22/lemma-G.2",
        lemma_g2,
        {"smooth": "|H| <= rho_2", "minimizer": "theta* is a minimizer nearby"},
        derive=derive_g2,
        simulate=runs.smooth,
        examples=FEW,
    ),
    Claim(
        "lyu22/thm-4.4.p1",
        first_phase,
        PL | DESCENT | {"start": "rate_{t_0} < 2/lambda_max", "before_T1": "t < T_1"},
        derive=derive_first_phase,
        simulate=runs.phases,
        examples=FEW,
    ),
    Claim(
        "lyu22/thm-4.4.p2",
        telescoped,
        INVARIANT
        | {
            "unit": "on the sphere",
            "decrease": "the decrease of the potential at every step from t_0 on (p1)",
            "close": "near theta*",
        },
        derive=derive_telescoped,
        corrected=telescoped_corrected,
        reading=BY_SUM,
    ),
    Claim(
        "lyu22/thm-4.4.p3",
        normalised,
        {
            "lemma_G_2": "Lemma G.2",
            "monotone": "the loss has not increased since t_0",
            "minimizer": "theta* is a minimizer nearby",
        },
        derive=derive_normalised,
        simulate=runs.normalised,
        examples=FEW,
        corrected=normalised_corrected,
    ),
    Claim(
        "lyu22/thm-4.4.p5",
        speed,
        SHRINKS
        | {
            "window": "the window is one: delta/4 < c < 2",
            "crossing": "the rate passes the window: it is below it, and later above it",
        },
        derive=derive_speed,
        reading="Omega(1/(eta lambda)) with its constant: steps + 1 is at least the logarithm of "
        "the window's ratio times (1 - eta lambda)/(2 eta lambda).",
        waive={"*(2*eta_hat*lambda_hat)**(-1) x1/2": "says less: the logarithm is positive"},
    ),
    Claim(
        "lyu22/thm-4.4.p6",
        window,
        PL
        | DESCENT
        | {
            "window": "rate <= (2 - delta/4)/lambda_max",
            "minimizer": "theta* is a minimizer on U",
        },
        derive=derive_window,
        simulate=runs.phases,
        examples=FEW,
    ),
    Claim(
        "lyu22/thm-4.4.p9",
        second_phase,
        PL
        | DESCENT
        | {
            "before_T2": "t < T_2",
            "small_loss": "L(theta_{T_1}) = L* + O((eta lambda)^10)",
            "telescoped": "the first part holds at every step from T_1 on",
        },
        derive=derive_second_phase,
        simulate=runs.second_phase,
        examples=FEW,
        reading=BY_SUM,
    ),
]
