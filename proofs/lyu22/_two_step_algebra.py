"""Symbols and measurements for the exact steps behind the two-step lemmas (appendix J)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from hypothesis import strategies as st

from eostheory.agree import Measured, measured
from eostheory.formula import matrix, scalar, vector

from . import _notation as n
from ._edge import SCALES, Values, look
from ._near import ROUNDINGS, quadratic_part, spectrum, step
from ._notation import D
from ._valley import Array, Valley, normalized, renormalized, valley

if TYPE_CHECKING:
    from eostheory.agree import Sample

V = matrix("V", D, D, r"V_\phi", symmetric=True)
grad_phi = vector("grad_phi", D, r"\nabla\mathcal{L}(\phi)")
grad_lam = vector("grad_lam", D, r"\nabla\lambda_1^H(\phi)")
lam_c = scalar("lam_c", r"\lambda_1^H(c\phi)", positive=True)
c = scalar("c", "c", positive=True)
radial = scalar("radial", r"\tfrac{\partial}{\partial c}\log\lambda_1^H(c\phi)|_{c=1}")
bent_x = vector("bent_x", D, r"\hat\psi_\phi(\hat x)")
bent_Ux = vector("bent_Ux", D, r"\hat\psi_\phi(U_\phi\hat x)")
theta = vector("theta", D, r"\theta_t")
grad = vector("grad", D, r"\nabla\mathcal{L}(\theta_t)")
hat = vector("hat", D, r"\hat\theta_{t+1}")
hat_norm = scalar("hat_norm", r"\lVert\hat\theta_{t+1}\rVert_2")

SYMBOLS = {
    x.name: x
    for x in (V, grad_phi, grad_lam, lam_c, c, radial, bent_x, bent_Ux, theta, grad, hat, hat_norm)
} | n.SYMBOLS


def multiples_of_zero(*terms: str) -> dict[str, str]:
    """Waivers for scaling a term that is zero."""
    changes = ("x2", "x1/2", "x1.001", "sign")
    return {
        f"*{term} {change}": "a multiple of zero is zero" for term in terms for change in changes
    }


@cache
def minimum(sphere: bool, dim: int, rank: int, seed: int) -> Values:
    """Derivatives at a drawn minimizer, by autograd and through the eigensolver."""
    loss = valley(sphere, dim, rank, seed)
    origin = np.zeros(dim)
    known = spectrum(sphere, dim, rank, seed)
    lam, hessian = known["lam"], known["H"]
    full = known["glog_full"]
    rates = np.random.default_rng([seed, 17]).uniform(0.5, 2.0, size=2)
    found = {
        "mu": 2.0 / lam,
        "U": Measured(np.eye(dim), 0.0) - 2.0 / lam * hessian,
        "V": Measured(2.0 * np.eye(dim), 0.0) - 2.0 / lam * hessian,
        "T": measured(loss.third(origin), ROUNDINGS, 20.0),
        "grad_phi": measured(loss.gradient(origin), ROUNDINGS, 20.0),
        "grad_lam": lam * full,
        "rate0": rates[0],
        "rate1": rates[1],
        "radial": measured(float(full.value @ loss.base), ROUNDINGS, 20.0),
        "x0": np.random.default_rng([seed, 19]).normal(size=dim),
    }
    return {**known, **found}


def draw_minimum(sample: Sample, sphere: bool) -> None:
    """Observe a drawn minimizer."""
    dim, rank, seed = _shape(sample)
    values = minimum(sphere, dim, rank, seed)
    sample.observe({SYMBOLS[k]: v for k, v in values.items()})


def draw_ray(sample: Sample) -> None:
    """Observe the sharpness along the ray through a drawn minimizer of the sphere."""
    dim, rank, seed = _shape(sample)
    values = minimum(True, dim, rank, seed)
    factor = sample.draw(st.sampled_from([0.5, 0.75, 1.25, 2.0]), "c")
    loss = valley(True, dim, rank, seed)
    there = look(loss, (factor - 1) * loss.base)
    slope = values["glog_full"]
    sample.observe(
        {
            n.lam: values["lam"],
            c: factor,
            lam_c: measured(there.lam, ROUNDINGS, 20.0),
            radial: measured(float(slope.value @ loss.base), ROUNDINGS, 20.0),
        }
    )


def _shape(sample: Sample) -> tuple[int, int, int]:
    dim = sample.draw(st.integers(3, 7), "dimension")
    rank = sample.draw(st.integers(1, dim - 2), "rank")
    return dim, rank, sample.draw(st.integers(0, 10**6), "loss")


@cache
def one_step_bends(sphere: bool, dim: int, rank: int, seed: int) -> Values:
    """The quadratic part of one real step at the critical rate, at x and at U x."""
    loss = valley(sphere, dim, rank, seed)
    values = quadratic_part(sphere, dim, rank, seed)
    at = look(loss, np.zeros(dim))
    turned = values["step0"] - 2 / at.lam * (at.hessian @ values["step0"])
    found = {"bent_x": values["step0"], "bent_Ux": turned}
    bends = {k: measured(_bend(loss, at.lam, v), ROUNDINGS, 100.0) for k, v in found.items()}
    return {**values, **bends, "mu": 2.0 / values["lam"]}


def _bend(loss: Valley, lam: float, along: Array) -> Array:
    """Minus half the second derivative of one step along a line, or along a curve of the sphere."""
    direction = torch.tensor(along)
    hessian = torch.tensor(loss.hessian(np.zeros(loss.dim)))
    place = normalized if loss.sphere else torch.clone

    def excess(s: torch.Tensor) -> torch.Tensor:
        x = place(s * direction)
        after = place(x - 2 / lam * torch.func.grad(loss.loss)(x))
        return after - (x - 2 / lam * (hessian @ x))

    twice = torch.func.jacrev(torch.func.jacrev(excess))(torch.tensor(0.0, dtype=torch.float64))
    return np.asarray(-0.5 * twice.numpy())


def draw_bends(sample: Sample, sphere: bool) -> None:
    """Observe the quadratic parts of one and of two real steps."""
    dim, rank, seed = _shape(sample)
    values = one_step_bends(sphere, dim, rank, seed)
    sample.observe({SYMBOLS[k]: v for k, v in values.items()})


def draw_norms(sample: Sample) -> None:
    """Observe real unprojected steps from points of the sphere near a minimizer."""
    dim, rank, seed = _shape(sample)
    loss = valley(True, dim, rank, seed)
    rng = np.random.default_rng([seed, 23])
    direction, share = rng.normal(size=dim), sample.draw(st.sampled_from([0.5, 1.0]), "r")
    rate = sample.draw(st.sampled_from([0.5, 0.75, 1.0]), "rate")
    for eta in SCALES:
        x = renormalized(share * eta * direction / np.linalg.norm(direction[:-1]))
        slope = loss.gradient(x)
        after = step(Valley(False, loss.rows, loss.bends, loss.waves), x, 0.0) - rate * slope
        excess = float(after @ after + 2 * loss.base @ after)
        sample.observe(
            {
                n.eta: eta,
                n.r: share,
                n.rate0: rate,
                theta: measured(loss.base + x, 4, 1.0),
                grad: measured(slope, 200, float(np.linalg.norm(slope))),
                hat: measured(loss.base + after, 8, 2.0),
                hat_norm: measured(1 + excess / (1 + np.sqrt(1 + excess)), 8, 1.0),
            },
            scale=eta,
        )
