r"""Variables in which gradient descent closes: linear regression with batch normalisation.

Setting:  gradient descent with weight decay, w' = (1 - eta lambda) w - eta grad L(w), for data of
          any size.
Claims:   the weight moves in rotated coordinates, each by its own number, also when gamma and beta
          are trained; the Hessian in these coordinates.

Every full step is differentiated from the loss and rotated; the statement has rotated variables
only.  The simulation is autograd on the full model.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from hypothesis import strategies as st

from eostheory.claims import Claim
from eostheory.formula import Equation, as_expr, dot, norm2, sqrt
from eostheory.numeric.rounding import RunningError

from . import _reductions as v
from ._reductions import (
    B,
    P,
    Sigma,
    Z,
    bend,
    beta,
    beta_next,
    e,
    epsilon,
    eta,
    gamma,
    gamma_next,
    h,
    keep,
    known,
    lam,
    loss,
    mu,
    n,
    null,
    null_next,
    one,
    rest,
    s,
    s_next,
    seed_of,
    seen,
    w,
    w_next,
    way,
    y,
    y_mean,
)

if TYPE_CHECKING:
    from torch import Tensor

    from eostheory.agree import Sample
    from eostheory.symbolic import Model

length = sqrt(norm2(s) + epsilon)
normalised = {
    "loss": Equation(loss, norm2(gamma / length * s - e) + rest),
    "s": Equation(
        s_next,
        keep * s
        + 2 * eta * gamma / length * (Sigma @ (Sigma @ (e - dot(e, s) / length**2 * s)))
        - 2 * eta * gamma**2 * epsilon / length**4 * (Sigma @ (Sigma @ s)),
    ),
    "null": Equation(null_next, keep * null),
    "coordinates": Equation(s, Sigma @ seen),
    "norm": Equation(norm2(w), norm2(seen) + norm2(null)),
}
normalised_bend = Equation(
    bend,
    2
    * gamma
    * (
        2 * dot(e, h) * dot(s, h) / length**3
        + dot(e, s) * norm2(h) / length**3
        - 3 * dot(e, s) * dot(s, h) ** 2 / length**5
    )
    + 2 * gamma**2 * epsilon * (norm2(h) / length**4 - 4 * dot(s, h) ** 2 / length**6),
)


trained = {
    "loss": Equation(loss, norm2(gamma / length * s - e) + (beta - y_mean) ** 2 + rest),
    "s": normalised["s"],
    "null": normalised["null"],
    "gamma": Equation(
        gamma_next,
        keep * gamma - 2 * eta * (gamma * norm2(s) / length**2 - dot(e, s) / length),
    ),
    "beta": Equation(beta_next, keep * beta - 2 * eta * (beta - y_mean)),
}


def derive_normalised(m: Model) -> None:
    """Data by their singular values; the step from the loss, rotated."""
    m.define(loss, v.normalised(m))
    v.rotated(m)
    m.define(w_next, keep * w - eta * m.gradient(loss, w))
    m.step("a step of gradient descent with weight decay, rotated")
    m.define(s_next, Sigma @ (B.T @ w_next))
    m.define(null_next, v.across(w_next))


def derive_trained(m: Model) -> None:
    """The same with gradients in gamma and beta; the targets by their mean."""
    m.define(loss, v.normalised(m))
    m.define(y_mean, dot(one, y) / n)
    v.rotated(m, y_mean)
    m.define(w_next, keep * w - eta * m.gradient(loss, w))
    m.define(gamma_next, keep * gamma - eta * m.differentiate(loss, gamma, as_expr(1)))
    m.define(beta_next, keep * beta - eta * m.differentiate(loss, beta, as_expr(1)))
    m.step("a step of gradient descent with weight decay on all of them, rotated")
    m.define(s_next, Sigma @ (B.T @ w_next))
    m.define(null_next, v.across(w_next))


def derive_bend(m: Model) -> None:
    """The loss differentiated twice along a direction."""
    m.define(loss, v.normalised(m))
    v.rotated(m)
    m.define(h, Sigma @ (B.T @ way))
    m.define(bend, m.differentiate(m.differentiate(loss, w, way), w, way))


def normalised_data(sample: Sample, run: RunningError, least: int = 1) -> v.Table:
    """Data of at least some rank with orthonormal factors, a weight, and some constants."""
    most = 5 if sample.profile == "quick" else 9
    count = sample.draw(st.integers(least + 1, most), "n")
    dim = sample.draw(st.integers(least, most), "d")
    rank = sample.draw(st.integers(least, min(count - 1, dim)), "r")
    draw = seed_of(sample)
    exact = sample.holds("orthonormal")
    ones = torch.ones(count, dtype=torch.float64)
    entries = draw.normal(count, rank)
    if sample.holds("centred"):
        entries = entries - entries.sum(0) / count
    left = v.columns_of(run, entries, exact)
    right = v.columns(run, draw, dim, rank, exact)
    middle = draw.normal(rank, rank)
    middle = run.fresh((middle + middle.T) / 2)
    root = torch.tensor(float(count), dtype=torch.float64).sqrt()
    shift = draw.normal(dim)
    return {
        one: ones,
        P: left,
        B: right,
        Sigma: middle,
        mu: shift,
        Z: root * (left @ middle @ right.T) + torch.outer(ones, shift),
        y: draw.normal(count),
        w: draw.normal(dim),
        gamma: v.number(sample, "8 gamma", 1, 16, 8),
        epsilon: v.number(sample, "8 epsilon", 0, 8, 8),
        beta: v.number(sample, "8 beta", -8, 8, 8),
        eta: v.number(sample, "64 eta", 1, 32, 64),
        lam: v.number(sample, "16 lambda", 0, 8, 16),
    }


def batch_norm_loss(
    t: v.Table, weight: Tensor, scale: Tensor | None = None, shift: Tensor | None = None
) -> Tensor:
    """The mean squared error of the normalised scores."""
    scale, shift = t[gamma] if scale is None else scale, t[beta] if shift is None else shift
    scores = t[Z] @ weight
    count = len(scores)
    centred = scores - scores.sum() / count
    deviation = ((centred * centred).sum() / count + t[epsilon]).sqrt()
    error = scale * centred / deviation + shift - t[y]
    value: Tensor = (error * error).sum() / count
    return value


def normalised_table(
    run: RunningError, t: v.Table, found: v.Table, shift: Tensor | None = None
) -> v.Table:
    """The letters of the data and of the weight's coordinates, with what was found."""
    root = torch.tensor(float(len(t[y])), dtype=torch.float64).sqrt()
    goal = (t[y] - (t[beta] if shift is None else shift)) / root
    aim = t[P].T @ goal
    missed = goal - t[P] @ aim
    seen_now = t[B].T @ t[w]
    table = {k: t[k] for k in (one, P, B, Sigma, mu, Z, y, w)}
    table |= {
        loss: batch_norm_loss(t, t[w]),
        s: t[Sigma] @ seen_now,
        seen: seen_now,
        null: t[w] - t[B] @ seen_now,
        e: aim,
        rest: (missed * missed).sum(),
        **found,
    }
    numbers = {n: len(t[y]), **{k: float(t[k]) for k in (gamma, beta, epsilon, eta, lam)}}
    return {**numbers, **{k: known(run, x) for k, x in table.items()}}


def simulate_normalised(sample: Sample) -> None:
    """Gradient descent with weight decay on the weight itself, by autograd."""
    with RunningError() as run:
        t = normalised_data(sample, run)
        for _ in range(sample.draw(st.integers(1, 3), "steps")):
            (after,) = v.descent(partial(batch_norm_loss, t), (t[w],), t[eta], t[lam])
            seen_after = t[B].T @ after
            found = {
                w_next: after,
                s_next: t[Sigma] @ seen_after,
                null_next: after - t[B] @ seen_after,
            }
            sample.observe(normalised_table(run, t, found))
            t[w] = run.fresh(after)


def simulate_trained(sample: Sample) -> None:
    """Gradient descent with weight decay on weight, gamma and beta, by autograd."""
    with RunningError() as run:
        t = normalised_data(sample, run)
        centre = t[y].sum() / len(t[y])
        for _ in range(sample.draw(st.integers(1, 3), "steps")):
            now = (t[w], t[gamma], t[beta])
            after = v.descent(partial(batch_norm_loss, t), now, t[eta], t[lam])
            seen_after = t[B].T @ after[0]
            found = {
                y_mean: centre,
                w_next: after[0],
                s_next: t[Sigma] @ seen_after,
                null_next: after[0] - t[B] @ seen_after,
                gamma_next: after[1],
                beta_next: after[2],
            }
            sample.observe(normalised_table(run, t, found, centre))
            t |= dict(zip((w, gamma, beta), map(run.fresh, after), strict=True))


def simulate_bend(sample: Sample) -> None:
    """The second derivative along a direction, by autograd twice."""
    with RunningError() as run:
        t = normalised_data(sample, run, least=2)  # in one dimension nothing bends
        along = seed_of(sample, "direction").normal(len(t[w]))
        leaf = t[w].detach().clone().requires_grad_(True)
        (slope,) = torch.autograd.grad(batch_norm_loss(t, leaf), leaf, create_graph=True)
        (second,) = torch.autograd.grad((slope * along).sum(), leaf)
        found = {way: along, h: t[Sigma] @ (t[B].T @ along), bend: (second * along).sum()}
        sample.observe(normalised_table(run, t, found))


ORTHONORMAL = {"orthonormal": "the columns of U and of V are orthonormal"}
CENTRED = {"centred": "P^T 1 = 0"}

CLAIMS = [
    Claim(
        "engine/batch-norm.step",
        normalised,
        hypotheses=ORTHONORMAL | CENTRED,
        derive=derive_normalised,
        simulate=simulate_normalised,
    ),
    Claim(
        "engine/batch-norm.affine",
        trained,
        hypotheses=ORTHONORMAL | CENTRED,
        derive=derive_trained,
        simulate=simulate_trained,
    ),
    Claim(
        "engine/batch-norm.hessian",
        normalised_bend,
        hypotheses=ORTHONORMAL,
        derive=derive_bend,
        simulate=simulate_bend,
    ),
]
