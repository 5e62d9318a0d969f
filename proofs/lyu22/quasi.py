r"""Gradient descent with weight decay as projected descent with a quasi-RMSprop scheduler.

Setting:  s = eta lambda is the intrinsic learning rate; the simple hyperparameters are
          eta = sqrt(2 s) and beta = 1 - 4 s, the exact ones of Theorem B.7 are eta' and beta'.
Claims:   Theorem B.9: the exact scheduler is a quasi-RMSprop scheduler with the simple
          hyperparameters; and the first steps of its proof, one of which is wrong as printed.
Source:   Lyu, Li, Arora, arXiv:2206.07085, appendices B.2 and E.2.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Inequality,
    OrderBound,
    Statement,
    absolute,
    as_expr,
    norm,
    norm2,
    scalar,
    sqrt,
)

from ._gwsi import (
    FEW,
    INVARIANT,
    beta,
    beta_exact,
    bound_c,
    effective_rate,
    either_sign,
    eta,
    eta_hat,
    gbar,
    ghat,
    grad_theta,
    grad_w,
    lam_hat,
    moment,
    moment_next,
    printed_eta,
    project,
    rate,
    real_step,
    scheduler,
    theta,
    theta_next,
    w,
    w_next,
)
from ._run import DIMENSIONS, Observed, reader

if TYPE_CHECKING:
    from torch import Tensor

    from eostheory.agree import Sample
    from eostheory.symbolic import Model

intrinsic = scalar("eta_in", r"\eta_{\mathrm{in}}", positive=True)
eta_exact = scalar("eta_exact", r"\eta'", positive=True)
ZERO, ONE = as_expr(0), as_expr(1)

# --------------------------------------------------- the two sets of hyperparameters (p1, p2)
p1_printed = {
    "beta'": Equation(beta_exact, (1 - as_expr(1) / 4 * (1 - beta)) ** 4),
    "eta'": Equation(eta_exact, sqrt((beta_exact - 1) / 2)),
}
p1_corrected = {**p1_printed, "eta'": Equation(eta_exact, printed_eta(beta_exact))}
half_life = 1 - as_expr(Fraction(1, 2)) ** Fraction(1, 4)
p2: dict[str, Statement] = {
    "beta'": OrderBound(beta_exact, beta, (1 - beta) ** 2),
    "beta' >= 1/2": Inequality(beta_exact, ">=", as_expr(1) / 2),
    "eta'": OrderBound(eta_exact / eta, ONE, 1 - beta),
    "g hat": Equation(ghat, eta / eta_exact * gbar),
    "difference": Equation(
        absolute(ghat**2 - gbar**2), absolute(1 - (eta / eta_exact) ** 2) * gbar**2
    ),
    "bound": Inequality(absolute(ghat**2 - gbar**2), "<=", bound_c * (1 - beta) * gbar**2),
}


def hyperparameters(m: Model, expanded: bool = False) -> None:
    """beta and eta as Theorem B.9 sets them, beta' and eta' as Theorem B.7 has them."""
    m.uses("lyu22/thm-B.7")
    m.step("one step with intrinsic rate s: the exact scheduler has beta' = (1 - s)^4")
    m.define(beta, 1 - 4 * intrinsic)
    m.define(eta, sqrt(2 * intrinsic))
    m.define(beta_exact, (1 - intrinsic) ** 4)
    m.step("eta' makes 2 beta' eta'^2 = 1 - beta' (proof of Theorem B.7)")
    square = (1 - beta_exact) / (2 * beta_exact)
    if expanded:
        m.step("as eta'^2 / eta^2 = 1 + z with z = O(s), the root is expanded once")
        z = m.normal(square / (2 * intrinsic) - 1)
        m.define(eta_exact, eta * m.taylor("sqrt(1+z)", z, 1, "root", small=intrinsic))
    else:
        m.define(eta_exact, sqrt(square))
    m.assume(Inequality(4 * intrinsic, "<", ONE), by="range")


def derive_hyperparameters(m: Model) -> None:
    """The hyperparameters alone."""
    hyperparameters(m)
    m.example({intrinsic: Fraction(1, 8)})


def derive_closeness(m: Model) -> None:
    """What is close when beta is close to 1."""
    m.bound(intrinsic, by="range")
    m.bound(1 / (1 - intrinsic), by="range")
    hyperparameters(m, expanded=True)
    length = scalar("length", r"\|g_t\|", nonnegative=True)
    m.define(gbar, length / eta)
    m.define(ghat, length / eta_exact)
    m.assume(Inequality(intrinsic, "<=", half_life), by="close")
    ratio = absolute(1 - (eta / eta_exact) ** 2)
    m.assume(Inequality(ratio, "<=", bound_c * (1 - beta)), by="C_0")
    # at s = 1/8 the square of eta'/eta is 3390/2401, and the remainder of its root is exact
    root = (sqrt(as_expr(Fraction(3390, 2401))) - 1) * Fraction(2401, 989)
    m.example({intrinsic: Fraction(1, 8), length: 1, next(iter(m.landaus)): root,
               bound_c: 2 if "C_0" not in m.withheld else Fraction(1, 8)})  # fmt: skip


def simulate_closeness(sample: Sample) -> None:
    """As below, with what the second step assumes."""
    observe_hyperparameters(sample, sample.holds("close"), sample.holds("C_0"))


def simulate_hyperparameters(sample: Sample) -> None:
    """Numbers: what a step without gradient leaves, and the unit of gradients."""
    observe_hyperparameters(sample, close=False, constant=True)


def observe_hyperparameters(sample: Sample, close: bool, constant: bool) -> None:
    """Hyperparameters for ever smaller s, and for s towards the largest allowed one."""
    import torch

    from eostheory.numeric.rounding import RunningError

    top = half_life_value() if close else 0.24
    length = 2.0 ** sample.draw(st.integers(-2, 2), "log2 |g|")
    slack = sample.draw(st.sampled_from([1.0, 1.5]), "slack")
    if not constant:
        slack = 0.5
    for k in range(2, 14):
        for s in (2.0**-k, top * (1 - 2.0 ** (-2 * k))):
            if s > top:
                continue
            size = length * 2.0 ** (-6 * (k % 2))
            with RunningError() as running:
                point = torch.tensor([1.0, 2.0], dtype=torch.float64)
                after = (1 - s) * point
                left = (torch.dot(after, after) / torch.dot(point, point)) ** 2
                simple = torch.sqrt(torch.tensor(2 * s, dtype=torch.float64))
                unit = torch.sqrt((1 / left - 1) / 2)
                apart = abs(1 - (simple / unit) ** 2) / (4 * s)
                found = {beta_exact: left, eta: simple, eta_exact: unit, gbar: size / simple,
                         ghat: size / unit, bound_c: slack * apart}  # fmt: skip
                read = reader(running)
                table: Observed = {symbol: read(value) for symbol, value in found.items()}
            scale = s if s == 2.0**-k else None
            sample.observe({intrinsic: s, beta: 1 - 4 * s, **table}, scale=scale)


def half_life_value() -> float:
    """The largest s with (1 - s)^4 at least 1/2, a little below."""
    return float(1 - 0.5**0.25) * (1 - 2.0**-50)


# ------------------------------------------------------------------------------ Theorem B.9
simple_eta, simple_beta = sqrt(2 * intrinsic), 1 - 4 * intrinsic
exact_beta = (1 - as_expr(1) / 4 * (1 - simple_beta)) ** 4
theorem_b9: dict[str, Statement] = {
    "space": Equation(simple_beta, 1 - 2 * eta**2),
    "range": Inequality(eta, "<", 1 / sqrt(as_expr(2))),
    "state": Equation(
        moment_next, scheduler(moment, norm(grad_theta) / printed_eta(exact_beta), exact_beta)
    ),
    "direction": Equation(theta_next, project(theta - (1 / sqrt(moment)) * grad_theta)),
    "quasi-RMSprop": OrderBound(
        moment_next,
        simple_beta * moment + (1 - simple_beta) * gbar**2,
        (4 * intrinsic) ** 2,
    ),
}


def derive_quasi(m: Model) -> None:
    """One exact step with v and gbar of order one, and the intrinsic rate small."""
    real_step(m, instances=False)
    m.uses("lyu22/lemma-3.1")
    m.step("choose eta_hat and lambda_hat so that the moment is v and the intrinsic rate s")
    m.define(eta_hat, (1 - intrinsic) * norm2(w) / sqrt(moment))
    m.define(lam_hat, intrinsic / eta_hat)
    m.define(rate, effective_rate(w))
    m.define(moment_next, 1 / effective_rate(w_next) ** 2)
    m.define(eta, sqrt(2 * intrinsic))
    m.step("gradients of size eta gbar")
    m.relation(norm2(grad_w), 2 * intrinsic * gbar**2 / norm2(w), by="scale_invariant")
    m.assume(Inequality(4 * intrinsic, "<", ONE), by="range")
    m.bound(intrinsic, by="range")
    small = Fraction(1, 8) if "range" not in m.withheld else Fraction(1, 2)
    size = Fraction(1, 50) if "range" not in m.withheld else Fraction(1, 25)
    m.example({intrinsic: small, moment: 1, gbar: 1, w: (3, 4), grad_w: (4 * size, -3 * size),
               grad_theta: (20 * size, -15 * size)})  # fmt: skip


def simulate_quasi(sample: Sample) -> None:
    """Real steps on losses scaled so that v and gbar stay fixed while s tends to zero."""
    import torch

    from eostheory.numeric.autodiff import gradient
    from eostheory.numeric.losses import FAMILIES, Loss, scale_invariant
    from eostheory.numeric.rounding import RunningError

    family = sample.draw(st.sampled_from(sorted(FAMILIES)), "family")
    loss = scale_invariant(
        family, sample.draw(st.sampled_from(DIMENSIONS), "D"),
        sample.draw(st.integers(0, 10**6), "seed"), device="cpu",
    )  # fmt: skip
    slope = loss.point(loss.seed + 2)
    tilt = 0.0 if sample.holds("scale_invariant") else 1.0
    point = loss.point(loss.seed + 1, 2.0 ** sample.draw(st.integers(-2, 2), "log2 |w|"))
    size = float(gradient(loss, point / point.norm()).norm())
    v = 2.0 ** sample.draw(st.integers(-2, 4), "log2 v")
    top = 0.25 - 2.0**-12 if sample.holds("range") else 0.6
    scales = [2.0**-k for k in range(3, 11)]
    share = sample.draw(st.sampled_from([0.5, 1.5, 2.0]), "gbar")
    for s in (*scales, top):
        strength = share * (2 * s) ** 0.5 / size
        with RunningError() as running:

            def function(x: Tensor, factor: float = strength) -> Tensor:
                return factor * loss(x) + tilt * (slope * x).sum()

            scaled = Loss("scaled", loss.dim, function)
            square = torch.dot(point, point)
            step = (1 - s) * square / v**0.5
            after = (1 - s) * point - step * gradient(scaled, point)
            direction = point / torch.sqrt(square)
            at = gradient(scaled, direction)
            simple = torch.sqrt(torch.tensor(2 * s, dtype=torch.float64))
            found = {
                moment: ((1 - s) * square / step) ** 2,
                moment_next: ((1 - s) * torch.dot(after, after) / step) ** 2,
                theta: direction,
                theta_next: after / torch.sqrt(torch.dot(after, after)),
                grad_theta: at,
                eta: simple,
                gbar: torch.sqrt(torch.dot(at, at)) / simple,
            }
            read = reader(running)
            table: Observed = {symbol: read(value) for symbol, value in found.items()}
        sample.observe({intrinsic: s, **table}, scale=s if s in scales else None)


RANGE = {"range": "0 < eta_in < 1/4"}
LAX = "the last bound is generous here: what the mutant says is true as well"
CLAIMS = [
    Claim(
        "lyu22/thm-B.9",
        examples=FEW,
        statement=theorem_b9,
        hypotheses={**INVARIANT, **RANGE},
        derive=derive_quasi,
        simulate=simulate_quasi,
        waive=either_sign("-sqrt(v)**(-1)*grad_theta", "direction:"),
        reading="'There is a quasi-RMSprop scheduler' is read with the construction of the proof: "
        "the exact scheduler of Theorem B.7 in the printed hyperparameters sets the rates; its "
        "moments obey the second inequality of Definition B.5 for bounded v and gbar.",
    ),
    Claim(
        "lyu22/thm-B.9.p1",
        statement=p1_printed,
        corrected=p1_corrected,
        hypotheses=RANGE,
        derive=derive_hyperparameters,
        simulate=simulate_hyperparameters,
        reading="beta' < 1, so the printed (beta' - 1)/2 is negative; Theorem B.7 has "
        "(1/beta - 1)/2 in this place, and the next lines of the proof use that.",
    ),
    Claim(
        "lyu22/thm-B.9.p2",
        examples=FEW,
        statement=p2,
        hypotheses={
            **RANGE,
            "close": "beta close to 1: eta_in <= 1 - 2^(-1/4)",
            "C_0": "|1 - (eta/eta')^2| <= C_0 (1 - beta)",
        },
        waive={
            f"{part}:order beta+1": "beta tends to 1: a factor beta changes no order"
            for part in ("beta'", "eta'")
        },
        derive=derive_closeness,
        simulate=simulate_closeness,
        reading="eta' as corrected in the step before.",
    ),
]
