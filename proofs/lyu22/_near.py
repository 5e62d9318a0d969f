"""Real steps from a point near a drawn minimizer, at prescribed rates and small scales."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from hypothesis import strategies as st

from eostheory.agree import measured

from . import _notation as n
from ._edge import SCALES, Values, look, projection_bend, quadratic_term
from ._valley import Array, Valley, normalized, renormalized, valley

if TYPE_CHECKING:
    from eostheory.agree import Sample

ROUNDINGS = 2000
"""Operations behind an autograd third derivative or an eigenpair of these small losses."""


@dataclass(frozen=True)
class Near:
    """What is drawn: a loss, the sizes, and where in the hypotheses the instance sits."""

    sphere: bool
    dim: int
    rank: int
    seed: int
    alpha: float
    r: float
    close: bool = True
    critical: bool = True
    modest: bool = True


def step(loss: Valley, x: Array, rate: float) -> Array:
    """One gradient step by autograd; on the sphere the new point is normalized."""
    moved = x - rate * loss.gradient(x)
    if not loss.sphere:
        return moved
    return renormalized(moved / np.linalg.norm(loss.base + moved))


@cache
def steps(near: Near) -> tuple[Values, ...]:
    """Two real steps seen from the minimizer, one entry per scale."""
    loss = valley(near.sphere, near.dim, near.rank, near.seed)
    at = look(loss, np.zeros(loss.dim))
    third = loss.third(at.phi)
    rng = np.random.default_rng([near.seed, 11])
    direction = rng.normal(size=loss.dim)
    if loss.sphere:
        direction[-1] = 0.0
    direction /= np.linalg.norm(direction)
    off = rng.uniform(0.3, 1.0, size=2) * rng.choice([-1, 1], size=2)
    found = []
    for eta in SCALES:
        r = near.r if near.modest else near.r * eta**-0.7
        x = r * (eta if near.close else eta**0.3) * direction
        if loss.sphere:
            x = renormalized(x)
        # Away from the critical rate the top component would still be a fair instance, so the
        # rate leaves it by a fixed share.
        rates = 2 / at.lam + near.alpha * eta * off if near.critical else 1.8 / at.lam * off
        after = step(loss, x, rates[0])
        found.append(
            {
                "eta": eta,
                "alpha": near.alpha,
                "r": r,
                "lam": measured(at.lam, ROUNDINGS),
                "H": measured(at.hessian, ROUNDINGS, 10.0),
                "U": measured(np.eye(loss.dim) - 2 / at.lam * at.hessian, ROUNDINGS, 10.0),
                "T": third,
                "foot": loss.base,
                "rate0": rates[0],
                "rate1": rates[1],
                "step0": x,
                "step1": after,
                "step2": step(loss, after, rates[1]),
                "psi_x": measured(
                    quadratic_term(loss, at, third, x), ROUNDINGS, 20.0 * float(x @ x)
                ),
            }
        )
    return tuple(found)


def draw_near(sample: Sample, sphere: bool, ask: Collection[str] = ("near", "rate", "r")) -> None:
    """Observe two steps from a drawn point."""
    dim = sample.draw(st.integers(3, 6), "dimension")
    rank = (
        sample.draw(st.integers(2, dim - 1 - int(sphere)), "rank")
        if dim > 3
        else 1 + int(not sphere)
    )
    near = Near(
        sphere,
        dim,
        rank,
        sample.draw(st.integers(0, 10**6), "loss"),
        sample.draw(st.sampled_from([1.0, 1.5, 2.0]), "alpha"),
        sample.draw(st.sampled_from([0.5, 0.75, 1.0]), "r"),
        *(name not in ask or sample.holds(name) for name in ("near", "rate", "r")),
    )
    for values in steps(near):
        sample.observe({n.SYMBOLS[k]: v for k, v in values.items()}, scale=float(values["eta"]))


@cache
def spectrum(sphere: bool, dim: int, rank: int, seed: int) -> Values:
    """Derivatives at a drawn minimizer: by autograd, and through the eigensolver."""
    loss = valley(sphere, dim, rank, seed)
    at = look(loss, np.zeros(dim))
    full = loss.log_sharpness_gradient(at.phi)
    tangential = at.null @ full
    if sphere:
        tangential = tangential - (tangential @ loss.base) * loss.base
    third = loss.third(at.phi)
    known = {
        "lam": at.lam,
        "H": at.hessian,
        "P0": at.null,
        "v1": at.v1,
        "glog": tangential,
        "glog_full": full,
        "psi_v1": quadratic_term(loss, at, third, at.v1),
    }
    found = {k: measured(v, ROUNDINGS, 20.0) for k, v in known.items()}
    return found | {"foot": loss.base}


def draw_bend(sample: Sample) -> None:
    """Observe the second derivative of the gradient-flow projection at a drawn minimizer."""
    dim = sample.draw(st.integers(3, 5), "dimension")
    seed = sample.draw(st.integers(0, 10**6), "loss")
    values = spectrum(False, dim, dim - 2, seed)
    table = {n.SYMBOLS[k]: v for k, v in values.items()}
    sample.observe({**table, n.B: projection_bend(valley(False, dim, dim - 2, seed))})


def draw_spectrum(sample: Sample, sphere: bool) -> None:
    """Observe the derivatives at a drawn minimizer."""
    dim = sample.draw(st.integers(3, 8), "dimension")
    rank = sample.draw(st.integers(1, dim - 2), "rank")
    values = spectrum(sphere, dim, rank, sample.draw(st.integers(0, 10**6), "loss"))
    sample.observe({n.SYMBOLS[k]: v for k, v in values.items()})


@cache
def quadratic_part(sphere: bool, dim: int, rank: int, seed: int) -> Values:
    """What two real steps at the critical rate add to their linear parts, differentiated twice."""
    loss = valley(sphere, dim, rank, seed)
    at = look(loss, np.zeros(dim))
    direction = np.random.default_rng([seed, 13]).normal(size=dim)
    if sphere:
        direction[-1] = 0.0
    along, hessian = torch.tensor(direction), torch.tensor(at.hessian)
    place = normalized if sphere else torch.clone

    def linear(x: torch.Tensor) -> torch.Tensor:
        return x - 2 / at.lam * (hessian @ x)

    def excess(s: torch.Tensor) -> torch.Tensor:
        x = start = place(s * along)
        for _ in range(2):
            x = place(x - 2 / at.lam * torch.func.grad(loss.loss)(x))
        return x - linear(linear(start))

    twice = torch.func.jacrev(torch.func.jacrev(excess))(torch.tensor(0.0, dtype=torch.float64))
    return {
        "lam": measured(at.lam, ROUNDINGS),
        "H": measured(at.hessian, ROUNDINGS, 10.0),
        "U": measured(np.eye(dim) - 2 / at.lam * at.hessian, ROUNDINGS, 10.0),
        "T": loss.third(at.phi),
        "foot": loss.base,
        "step0": direction,
        "psi_x": measured(-0.5 * twice.numpy(), ROUNDINGS, 100.0),
    }


def draw_quadratic(sample: Sample, sphere: bool) -> None:
    """Observe the quadratic part of two steps at a drawn minimizer."""
    dim = sample.draw(st.integers(3, 6), "dimension")
    rank = sample.draw(st.integers(1, dim - 2), "rank")
    values = quadratic_part(sphere, dim, rank, sample.draw(st.integers(0, 10**6), "loss"))
    sample.observe({n.SYMBOLS[k]: v for k, v in values.items()})
