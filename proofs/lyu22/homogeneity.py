r"""Scale invariance: gradients, Hessians, flows and norms, and what weight decay adds to them.

Setting:  L(c w) = L(w) for every c > 0; w' = (1 - eta lambda) w - eta grad L(w), theta = w / |w|.
Claims:   the definitions of sections 1 and 3; homogeneity as section 1 prints it; eq. (2); the
          gradient flow with weight decay runs along the path of the flow without (section 5);
          a start at a minimizer only shrinks (section 4.2.2); when the norm grows (figure 3).
Source:   Lyu, Li, Arora, arXiv:2206.07085, sections 1, 3, 4 and 5.

Found: eq. (2) is Lemma 3.1 and needs eta lambda < 1 as it does.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Expr,
    Inequality,
    Statement,
    as_expr,
    dot,
    exp,
    log,
    matrix,
    norm,
    norm2,
    substitute,
)

from . import _homogeneity_runs as runs
from ._gwsi import (
    FEW,
    INVARIANT,
    SHRINKS,
    D,
    effective_rate,
    either_sign,
    eta_hat,
    grad_theta,
    grad_w,
    lam_hat,
    project,
    rate,
    real_step,
    theta,
    w,
    w_next,
)
from ._homogeneity_runs import (
    flow_alone,
    flow_decayed,
    grad_large,
    grad_small,
    hessian_theta,
    later,
    loss_cw,
    loss_w,
    number,
    start,
    w_large,
    w_small,
)
from .gwsi import (
    c,
    derive_step,
    differentiate_the_identity,
    grad_cw,
    hessian_cw,
    hessian_w,
    homogeneous_gradient,
    lemma_31,
    measure_derivatives,
    simulate_steps,
)

if TYPE_CHECKING:
    from eostheory.symbolic import Model

zero = as_expr(0)
bends = matrix("A", D, D, symmetric=True)

# -------------------------------------------------------------------------------- statements
invariance = Equation(loss_cw, loss_w)
update = Equation(w_next, (1 - eta_hat * lam_hat) * w - eta_hat * grad_w)
effective = Equation(rate, effective_rate())
gradient_of_direction: dict[str, Statement] = {
    "at the direction": Equation(grad_w, 1 / norm(w) * grad_theta),
    "proportional": Equation(norm(c * w) * grad_cw, norm(w) * grad_w),
}
hessian_of_direction: dict[str, Statement] = {
    "at the direction": Equation(hessian_w, 1 / norm2(w) * hessian_theta),
    "proportional": Equation(norm2(c * w) * hessian_cw, norm2(w) * hessian_w),
}
gradient_properties: dict[str, Statement] = {
    "homogeneous": homogeneous_gradient,
    "perpendicular": Equation(dot(grad_w, w), zero),
}
same_path: dict[str, Statement] = {
    "without decay": Equation(flow_alone, -(1 / norm2(w)) * grad_theta),
    "with decay": Equation(flow_decayed, -(1 / norm2(w)) * grad_theta),
}
only_shrinks = Equation(later, (1 - eta_hat * lam_hat) ** number * start)
norm_change: dict[str, Statement] = {
    "a": Inequality(norm2(w_small), "<", norm2(w)),
    "b": Inequality(norm2(w_large), ">", norm2(w)),
}

# -------------------------------------------------------------------------------- derivations
MINIMIZER = {"minimizer": "theta_0 is a local minimizer on the sphere"}
SIZES = {
    "small": "the gradient is small: eta |grad|^2 < lambda (2 - eta lambda) |w|^2",
    "large": "the gradient is large: eta |grad|^2 > lambda (2 - eta lambda) |w|^2",
}


def derive_invariance(m: Model) -> None:
    """A quotient of quadratic forms is scale-invariant; with a linear term it is not."""
    quotient = dot(w, bends @ w) / norm2(w)
    if "scale_invariant" in m.withheld:
        quotient = quotient + dot(grad_w, w)
        m.example({w: (1, 0), c: 2, grad_w: (1, 1), bends: ((1, 0), (0, 2))})
    m.define(loss_w, quotient)
    m.define(loss_cw, substitute(quotient, {w: c * w}))


def derive_update(m: Model) -> None:
    """A gradient step and a decay, both taken from w."""
    m.define(w_next, w + eta_hat * (-grad_w - lam_hat * w))


def derive_rate(m: Model) -> None:
    """The step of theta before the projection, measured along its gradient."""
    real_step(m)
    m.step("the update over (1 - eta lambda) |w| has the direction of theta_{t+1}")
    moved = theta - w_next / ((1 - eta_hat * lam_hat) * norm(w))
    m.define(rate, dot(moved, grad_theta) / norm2(grad_theta))


def derive_homogeneity(m: Model) -> None:
    """The identity L(c w) = L(w), differentiated, at c = 1/|w|."""
    differentiate_the_identity(m)
    if "scale_invariant" not in m.withheld:
        m.step("c = 1/|w| makes c w the direction of w")
        at: dict[Expr, Expr] = {c: 1 / norm(w)}
        m.define(grad_theta, substitute(m.normal(grad_cw), at))
        m.define(hessian_theta, substitute(m.normal(hessian_cw), at))


def derive_flow(m: Model) -> None:
    """The velocity of w / |w| along both flows."""
    m.uses("lyu22/lemma-D.1")
    m.relation(dot(grad_w, w), 0, by="scale_invariant")
    m.relation(grad_theta, norm(w) * grad_w, by="scale_invariant")
    m.define(flow_alone, m.differentiate(project(w), w, -grad_w))
    m.define(flow_decayed, m.differentiate(project(w), w, -grad_w - lam_hat * w))
    m.step("both directions solve d theta/ds = -grad L(theta) in the time ds = dt/|w|^2")
    table = {w: (3, 4), lam_hat: 1}
    if "scale_invariant" in m.withheld:
        m.example({**table, grad_w: (1, 1), grad_theta: (1, 0)})
    else:
        m.example({**table, grad_w: (4, -3), grad_theta: (20, -15)})


def derive_shrinking(m: Model) -> None:
    """Induction on t: the claim at t + 1 follows from the claim at t."""
    m.uses("lyu22/lemma-D.1")
    m.assume(Inequality(1 - eta_hat * lam_hat, ">", zero), by="decay_below_one")
    before = exp((number - 1) * log(1 - eta_hat * lam_hat)) * start
    m.step("the gradient is homogeneous and vanishes at theta_0, so along the whole ray")
    m.relation(grad_w, 0 * w, by="minimizer")
    m.define(later, (1 - eta_hat * lam_hat) * before - eta_hat * grad_w)


def derive_norms(m: Model) -> None:
    """The recursion of Lemma E.1 for a small and a large gradient at the same w."""
    m.uses("lyu22/lemma-D.1")
    for g, after, size in ((grad_small, w_small, "small"), (grad_large, w_large, "large")):
        m.define(after, (1 - eta_hat * lam_hat) * w - eta_hat * g)
        m.relation(dot(g, w), 0, by="scale_invariant")
        threshold = lam_hat * (2 - eta_hat * lam_hat) * norm2(w)
        low, high = eta_hat * norm2(g), threshold
        if size == "large":
            low, high = high, low
        m.assume(Inequality(low, "<", high), by=size)
    table = {w: (3, 4), eta_hat: 1, lam_hat: Fraction(1, 2)}
    sizes = {grad_small: (2, Fraction(-3, 2)), grad_large: (8, -6)}
    if "scale_invariant" in m.withheld:
        sizes = {grad_small: (-3, -3), grad_large: (5, 5)}
    if "small" in m.withheld:
        sizes[grad_small] = (8, -6)
    if "large" in m.withheld:
        sizes[grad_large] = (2, Fraction(-3, 2))
    m.example({**table, **sizes})


CLAIMS = [
    Claim(
        "lyu22/sec1.scale-invariance",
        invariance,
        INVARIANT,
        derive=derive_invariance,
        simulate=runs.simulate_values,
        examples=FEW,
        reading="Well defined: quotients of quadratic forms, and losses of nets, satisfy it.",
    ),
    Claim("lyu22/eq-1", update, derive=derive_update, simulate=runs.simulate_any, examples=FEW),
    Claim(
        "lyu22/sec3.effective-lr",
        effective,
        INVARIANT | SHRINKS,
        derive=derive_rate,
        simulate=runs.simulate_rate,
        examples=FEW,
        reading="The derivation reads the rate off the step of theta; the definition fits it.",
    ),
    Claim(
        "lyu22/sec1.grad-homogeneity",
        gradient_of_direction,
        INVARIANT,
        derive=derive_homogeneity,
        simulate=runs.simulate_directions,
        examples=FEW,
        reading="'Proportional': |w| times the gradient is the same along every ray.",
    ),
    Claim(
        "lyu22/sec1.hess-homogeneity",
        hessian_of_direction,
        INVARIANT,
        derive=derive_homogeneity,
        simulate=runs.simulate_directions,
        examples=FEW,
        reading="'Proportional': |w|^2 times the Hessian is the same along every ray.",
    ),
    Claim(
        "lyu22/sec3.grad-properties",
        gradient_properties,
        INVARIANT,
        derive=differentiate_the_identity,
        simulate=measure_derivatives,
        examples=FEW,
    ),
    Claim(
        "lyu22/eq-2",
        lemma_31,
        INVARIANT,
        corrected_hypotheses=SHRINKS,
        derive=derive_step,
        simulate=simulate_steps,
        waive=either_sign("-eta_hat*((1 - eta_hat*lambda_hat)*norm(w)**2)**(-1)*grad_theta"),
        examples=FEW,
        reading="Eq. (2) with the effective rate and Pi(x) = x / |x| written out: Lemma 3.1.",
    ),
    Claim(
        "lyu22/sec5.gf-rescaling",
        same_path,
        INVARIANT,
        derive=derive_flow,
        simulate=runs.simulate_flow,
        examples=FEW,
        reading="Both directions have the velocity -grad L(theta)/|w|^2: one path, run through at "
        "the speed 1/|w|^2, which is all that weight decay changes.",
    ),
    Claim(
        "lyu22/sec4.2.2.exact-start",
        only_shrinks,
        MINIMIZER | SHRINKS,
        derive=derive_shrinking,
        simulate=runs.simulate_shrinking,
        examples=FEW,
        reading="By induction: the derivation takes the step from t - 1 to t.",
    ),
    Claim(
        "lyu22/fig-3",
        norm_change,
        INVARIANT | SIZES,
        derive=derive_norms,
        simulate=runs.simulate_norms,
        examples=FEW,
        reading="What the sketch says, with its sizes made exact: (a) a small gradient, (b) a "
        "large one. The threshold is where Lemma E.1 keeps the norm.",
    ),
]
