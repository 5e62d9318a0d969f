r"""The effective learning rate of gradient descent with weight decay is set by a GWSI scheduler.

Setting:  L(c w) = L(w) for c > 0, w' = (1 - eta lambda) w - eta grad L(w), theta = w / |w|,
          effective rate eta / ((1 - eta lambda)|w|^2).
Claims:   the scheduler of Definition B.6 reads the gradients at theta and puts out the effective
          rates (Theorem B.7, with its proof steps; eq. 14 is the same in the rates themselves).
Source:   Lyu, Li, Arora, arXiv:2206.07085, appendices B.2, E.1 and G.2.

The derivation squares the norm recursion of the exact step.  The simulation runs the update by
autograd for hundreds of steps and compares the effective rates with the recursion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Inequality,
    OrderBound,
    Statement,
    as_expr,
    norm,
    norm2,
    scalar,
    sqrt,
    substitute,
)

from ._gwsi import (
    FEW,
    INVARIANT,
    SHRINKS,
    beta,
    effective_rate,
    either_sign,
    eta,
    eta_hat,
    gbar,
    grad_theta,
    lam_hat,
    moment,
    moment_next,
    printed_eta,
    project,
    rate,
    rate_next,
    real_step,
    scheduler,
    theta,
    theta_next,
    w,
    w_next,
)
from ._run import Observed, Setup, draw_setup, length_of_run, reader, run

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.symbolic import Model

# ------------------------------------------------------------------------ Theorem B.7
v_0 = scalar("v_0", r"\tilde v_0", positive=True)
printed_beta = (1 - eta_hat * lam_hat) ** 4
theorem_b7: dict[str, Statement] = {
    "start": Equation(v_0, (1 - eta_hat * lam_hat) ** 2 * norm(w) ** 4 / eta_hat**2),
    "moment": Equation(
        moment_next, scheduler(moment, norm(grad_theta) / printed_eta(printed_beta), printed_beta)
    ),
    "rate": Equation(rate, 1 / sqrt(moment)),
    "direction": Equation(theta_next, project(theta - (1 / sqrt(moment)) * grad_theta)),
}
b7_p1 = Equation(
    norm(w_next) ** 4,
    (1 - eta_hat * lam_hat) ** 4 * norm(w) ** 4
    + 2 * (1 - eta_hat * lam_hat) ** 2 * eta_hat**2 * norm2(grad_theta)
    + eta_hat**4 / norm(w) ** 4 * norm(grad_theta) ** 4,
)
b7_p2: dict[str, Statement] = {
    "moment": Equation(moment, (1 - eta_hat * lam_hat) ** 2 / eta_hat**2 * norm(w) ** 4),
    "first line": Equation(moment_next, (1 - eta_hat * lam_hat) ** 2 / eta_hat**2 * b7_p1.rhs),
    "second line": Equation(
        moment_next,
        (1 - eta_hat * lam_hat) ** 4 * moment
        + 2 * (1 - eta_hat * lam_hat) ** 4 * norm2(grad_theta)
        + (1 - eta_hat * lam_hat) ** 2 * eta_hat**2 / norm(w) ** 4 * norm(grad_theta) ** 4,
    ),
    "last line": Equation(
        moment_next,
        beta * moment + 2 * beta * norm2(grad_theta) + beta / moment * norm(grad_theta) ** 4,
    ),
}
b7_p3: dict[str, Statement] = {
    "eta": Equation(eta, sqrt((1 - beta) / (2 * beta))),
    "first line": Equation(
        moment_next,
        beta * moment + 2 * beta * eta**2 * gbar**2 + beta / moment * eta**4 * gbar**4,
    ),
    "second line": Equation(moment_next, scheduler(moment, gbar, beta)),
}
eq_14: dict[str, Statement] = {
    "recursion": Equation(
        rate_next**-2,
        beta * rate**-2 + (1 - beta) * gbar**2 + rate**2 / (4 * beta) * (1 - beta) ** 2 * gbar**4,
    ),
    "beta": Equation(beta, (1 - lam_hat * eta_hat) ** 4),
    "eta": Equation(eta, printed_eta(beta)),
    "beta, at most": OrderBound(beta, as_expr(1), lam_hat * eta_hat),
    "beta, at least": Inequality(as_expr(15) / 8 * (lam_hat * eta_hat), "<=", 1 - beta),
    "eta, size": OrderBound(eta, as_expr(0), sqrt(lam_hat * eta_hat)),
}


def derive_rates(m: Model) -> None:
    """The effective rates of the exact step; beta and eta by what they do.

    beta is what a step without gradient leaves of the moment, eta the unit of gradients in which
    the first-order weight of the squared gradient is 1 - beta.
    """
    real_step(m)
    m.uses("lyu22/lemma-E.1")
    m.define(rate, effective_rate(w))
    m.define(rate_next, effective_rate(w_next))
    m.define(v_0, 1 / rate**2)
    m.define(moment, 1 / rate**2)
    m.define(moment_next, 1 / rate_next**2)
    m.step("without gradient the squared norm shrinks by (1 - eta lambda)^2, the moment by beta")
    shrunk = effective_rate((1 - eta_hat * lam_hat) * w)
    m.define(beta, rate**2 / shrunk**2)
    m.step("the first-order weight of |grad|^2 in the moment, by differentiating at zero")
    kick = scalar("kick", nonnegative=True)
    grown = ((1 - eta_hat * lam_hat) ** 2 * norm2(w) + eta_hat**2 / norm2(w) * kick) ** 2
    weight = m.differentiate(grown / (rate * norm2(w)) ** 2, kick, as_expr(1))
    first = substitute(weight, {kick: as_expr(0)})
    m.define(eta, sqrt((1 - beta) / first))
    m.define(gbar, norm(grad_theta) / eta)


def derive_small_rates(m: Model) -> None:
    """As :func:`derive_rates`, for eta lambda that tends to zero and is never above 1/2."""
    derive_rates(m)
    m.assume(Inequality(eta_hat * lam_hat, "<=", as_expr(1) / 2), by="small")
    m.bound(eta_hat * lam_hat, by="small")
    m.bound(1 / (1 - eta_hat * lam_hat), by="small")


def observe_rates(sample: Sample, setup: Setup) -> None:
    """Effective rates of a long run against the recursion, and the whole run as a picture."""
    found = run(setup, length_of_run(sample))
    left = (1 - float(setup.intrinsic)) ** 4
    from eostheory.agree import exact, measured

    decay = measured(left, 4)
    unit = ((1 / decay - 1) / 2).sqrt() if left < 1 else exact(1.0)
    for s in found.steps:
        sample.observe({eta_hat: setup.eta, lam_hat: setup.decay, w: s.w, w_next: s.w_next,
                        theta: s.theta, theta_next: s.theta_next, grad_theta: s.grad_theta,
                        rate: s.rate, rate_next: s.rate_next, v_0: 1 / (s.rate * s.rate),
                        moment: 1 / (s.rate * s.rate),
                        moment_next: 1 / (s.rate_next * s.rate_next), beta: decay, eta: unit,
                        gbar: s.grad_theta.norm() / unit})  # fmt: skip
    follow(sample, found.rates, found.gradients, left, float(unit.value))


def follow(
    sample: Sample,
    rates: tuple[float, ...],
    gradients: tuple[float, ...],
    left: float,
    unit: float,
) -> None:
    """Run the scheduler beside the update, from the same start, and report how far they part."""
    v = rates[0] ** -2
    followed = []
    for size in gradients:
        followed.append(v**-0.5)
        x = (size / unit) ** 2
        v = left * v + (1 - left) * x + ((1 - left) * x) ** 2 / (4 * left * v)
    apart = max(abs(a - b) / b for a, b in zip(rates, followed, strict=True))
    sample.note(
        f"{len(rates)} steps of the update beside the scheduler: the effective rates part by "
        f"{apart:.1e} of their size at most"
    )
    steps = list(range(len(rates)))
    sample.plot(
        "Effective learning rate: update and scheduler", "step t", "effective rate",
        [{"label": "update", "x": steps, "y": rates},
         {"label": "scheduler", "x": steps, "y": followed, "style": "--"}],
        yscale="log",
    )  # fmt: skip


def simulate_rates(sample: Sample) -> None:
    """Weight decay shrinks w, unless the engine withholds that."""
    tilted, reversing = not sample.holds("scale_invariant"), not sample.holds("decay_below_one")
    observe_rates(sample, draw_setup(sample, tilted=tilted, reversing=reversing))


def simulate_moments(sample: Sample) -> None:
    """The moments alone ask nothing of the decay below one."""
    observe_rates(sample, draw_setup(sample, tilted=not sample.holds("scale_invariant")))


def simulate_small_rates(sample: Sample) -> None:
    """Runs, and the decay of the moment without gradient for eta lambda towards 0 and 1/2."""
    import torch

    from eostheory.numeric.dynamics import gd_step
    from eostheory.numeric.rounding import RunningError

    tilted = not sample.holds("scale_invariant")
    observe_rates(sample, draw_setup(sample, tilted=tilted, at_most=0.5))
    decay = 2.0 ** sample.draw(st.integers(-3, 3), "log2 lambda")
    start = torch.tensor([3.0, 4.0], dtype=torch.float64)
    top = 0.5 if sample.holds("small") else 2.5
    for k in range(3, 13):
        for intrinsic in (2.0**-k, top * (1 - 2.0**-k)):
            with RunningError() as running:
                after = gd_step(lambda v: 0 * v.sum(), start, intrinsic / decay, decay)
                left = (torch.dot(after, after) / torch.dot(start, start)) ** 2
                found = {beta: left}
                if intrinsic < 0.5:
                    found[eta] = torch.sqrt((1 / left - 1) / 2)
                read = reader(running)
                table: Observed = {symbol: read(value) for symbol, value in found.items()}
            small = intrinsic if intrinsic < 0.2 else None
            sample.observe({eta_hat: intrinsic / decay, lam_hat: decay, **table}, scale=small)


CLAIMS = [
    Claim(
        "lyu22/thm-B.7",
        examples=FEW,
        statement=theorem_b7,
        hypotheses=INVARIANT,
        corrected_hypotheses=SHRINKS,
        derive=derive_rates,
        simulate=simulate_rates,
        waive=either_sign("-sqrt(v)**(-1)*grad_theta", "direction:"),
        reading="'Evolves exactly as the scheduler' is the recursion of Definition B.6 with the "
        "printed hyperparameters at every step, its start, its output and the update of the "
        "direction. The moments follow the recursion for every eta lambda other than 1; the "
        "output 1/sqrt(v) is the effective rate only if eta lambda < 1.",
    ),
    Claim(
        "lyu22/thm-B.7.p1",
        statement=b7_p1,
        hypotheses=INVARIANT,
        derive=derive_rates,
        simulate=simulate_moments,
    ),
    Claim(
        "lyu22/thm-B.7.p2",
        statement=b7_p2,
        hypotheses=INVARIANT,
        derive=derive_rates,
        simulate=simulate_moments,
    ),
    Claim(
        "lyu22/thm-B.7.p3",
        statement=b7_p3,
        hypotheses=INVARIANT,
        derive=derive_rates,
        simulate=simulate_moments,
    ),
    Claim(
        "lyu22/eq-14",
        examples=FEW,
        statement=eq_14,
        hypotheses={**INVARIANT, "small": "eta lambda small; at most 1/2 is enough"},
        derive=derive_small_rates,
        simulate=simulate_small_rates,
        reading="Theta(lambda eta) is two bounds: at most of that order, and at least 15/8 of it, "
        "which is the sharp constant for eta lambda up to 1/2.",
    ),
]
