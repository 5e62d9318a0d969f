"""Letters of gradient descent with weight decay on a scale-invariant loss, and its exact step."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from eostheory.formula import (
    Expr,
    Inequality,
    Symbol,
    as_expr,
    dot,
    norm,
    norm2,
    scalar,
    sqrt,
    trace,
    vector,
)

if TYPE_CHECKING:
    from eostheory.symbolic import Model

D = "D"
"""Number of parameters: any."""

# One step of eq. (1): w' = (1 - eta lambda) w - eta grad L(w)
eta_hat = scalar("eta_hat", r"\hat\eta", positive=True)
lam_hat = scalar("lambda_hat", r"\hat\lambda", positive=True)
w = vector("w", D, "w_t")
w_next = vector("w_next", D, "w_{t+1}")
theta = vector("theta", D, r"\theta_t")
theta_next = vector("theta_next", D, r"\theta_{t+1}")
grad_w = vector("grad_w", D, r"\nabla\mathcal{L}(w_t)")
grad_theta = vector("grad_theta", D, r"\nabla\mathcal{L}(\theta_t)")

# The scheduler of Definition B.6
rate = scalar("rate", r"\tilde\eta_t")
rate_next = scalar("rate_next", r"\tilde\eta_{t+1}")
moment = scalar("v", r"\tilde v_t", positive=True)
moment_next = scalar("v_next", r"\tilde v_{t+1}", positive=True)
gbar = scalar("gbar", r"\bar g_t", nonnegative=True)
beta = scalar("beta", r"\beta", positive=True)
eta = scalar("eta", r"\eta", positive=True)

# The second set of hyperparameters in Theorem B.9
beta_exact = scalar("beta_exact", r"\beta'", positive=True)
ghat = scalar("ghat", r"\hat g_t", nonnegative=True)
bound_c = scalar("C_0", positive=True)

FEW = {"quick": 4, "default": 12}
"""Instances of claims whose every instance is a long run."""

INVARIANT = {"scale_invariant": "L(c w) = L(w) for every c > 0"}
SHRINKS = {"decay_below_one": "eta lambda < 1: weight decay shrinks w and does not reverse it"}


def either_sign(step: str, part: str = "") -> dict[str, str]:
    """Waivers for mutants inside ``|theta - step|`` that change a sign and nothing else."""
    why = "the gradient is orthogonal to theta: |theta + step| = |theta - step|"
    return {f"{part}right {term} sign": why for term in ("theta", step)}


def project(x: Expr) -> Expr:
    """The paper's projection onto the unit sphere, ``x / |x|``."""
    return (1 / norm(x)) * x


def effective_rate(point: Expr = w) -> Expr:
    """The effective learning rate as section 3 defines it."""
    return eta_hat / ((1 - eta_hat * lam_hat) * norm2(point))


def scheduler(v: Expr, g: Expr, decay: Expr) -> Expr:
    """The recursion of Definition B.6 as printed, for a normalised gradient norm ``g``."""
    return decay * v + (1 - decay) * g**2 + 1 / (4 * decay * v) * (1 - decay) ** 2 * g**4


def printed_eta(decay: Expr) -> Expr:
    """``eta`` of Theorem B.7 as printed."""
    return sqrt((decay**-1 - as_expr(1)) / 2)


def solved(m: Model, zero: Expr, letter: Symbol) -> Expr:
    """``letter`` from ``zero = k * letter + rest`` with a scalar ``k``, when ``zero`` vanishes."""
    probe = Symbol(f"probe_{letter.name}", letter.shape, traits=letter.traits)
    slope = m.differentiate(zero, letter, probe)
    if letter.shape == ():
        k = slope / probe
    elif len(letter.shape) == 1:
        k = dot(probe, slope) / norm2(probe)
    else:
        k = trace(probe.T @ slope) / trace(probe.T @ probe)
    rest = zero - m.differentiate(zero, letter, letter)
    return m.normal((-1 / k) * rest)


def real_step(m: Model, invariant: bool = True, instances: bool = True) -> None:
    """The update (1) from a free ``w`` and a free gradient, with what Lemma D.1 says of it."""
    m.step("one step of gradient descent with weight decay, w and its gradient free")
    m.define(w_next, (1 - eta_hat * lam_hat) * w - eta_hat * grad_w)
    m.define(theta, project(w))
    m.define(theta_next, project(w_next))
    if invariant:
        m.uses("lyu22/lemma-D.1")
        m.step("scale invariance: the gradient is orthogonal to w, and homogeneous of degree -1")
        m.relation(dot(grad_w, w), 0, by="scale_invariant")
        m.relation(grad_theta, norm(w) * grad_w, by="scale_invariant")
    m.assume(Inequality(1 - eta_hat * lam_hat, ">", as_expr(0)), by="decay_below_one")
    if instances:
        _examples(m)


def _examples(m: Model) -> None:
    """Exact instances: a step from (3, 4), and one whose decay reverses w."""
    table: dict[Symbol, object] = {w: (3, 4), eta_hat: 5, grad_w: (4, -3), grad_theta: (20, -15)}
    if "scale_invariant" in m.withheld:
        table |= {grad_w: (1, 2), grad_theta: (3, 1)}
    reversing = "decay_below_one" in m.withheld
    m.example({**table, lam_hat: Fraction(3, 10) if reversing else Fraction(1, 10)})
