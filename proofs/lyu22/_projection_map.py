"""Derivatives of the limit map of gradient flow, measured by flowing, and the space around it."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st
from scipy.linalg import expm

from eostheory.agree import Measured, measured
from eostheory.formula import matrix, vector

from . import _notation as n
from ._edge import Setting, edge, look, projection_bend
from ._near import ROUNDINGS, spectrum
from ._notation import D
from ._valley import Array, valley

if TYPE_CHECKING:
    from eostheory.agree import Sample

dPhi = matrix("dPhi", D, D, r"\partial\Phi_\phi")
PT = matrix("PT", D, D, r"P_{T_\phi(\Gamma)}", symmetric=True)
x = vector("x", D, "x")

REACHES = (8e-3, 4e-3, 2e-3)
"""Distances of difference quotients; those of flows are extrapolated twice."""


def _extrapolated(found: list[Array]) -> Measured:
    """The limit of quotients with even error terms; what extrapolation changed is the error."""
    once = [(4 * b - a) / 3 for a, b in pairwise(found)]
    best = (16 * once[1] - once[0]) / 15
    return Measured(best, np.full_like(best, float(np.abs(best - once[1]).max()) + 1e-10))


@cache
def slope_of_limit(sphere: bool, dim: int, rank: int, seed: int) -> Measured:
    """The Jacobian of the limit map at the base minimizer, by differences of real flows."""
    loss, eye = valley(sphere, dim, rank, seed), np.eye(dim)
    probes = np.concatenate([eye, -eye])
    # All flows are integrated together: the time goes into calls, not into their length.
    ends = loss.project(np.concatenate([reach * probes for reach in REACHES]), 1e-12, unit=False)
    parts = ends.reshape(len(REACHES), 2, dim, dim)
    return _extrapolated(
        [(up - down).T / (2 * reach) for reach, (up, down) in zip(REACHES, parts, strict=True)]
    )


def draw_slope(sample: Sample, sphere: bool) -> None:
    """Observe the limit map's Jacobian at a drawn minimizer, and projections."""
    dim, rank, seed = _shape(sample, 4)
    loss = valley(sphere, dim, rank, seed)
    known = look(loss, np.zeros(dim))
    # The constraints have orthogonal gradients, those of the residual; on the sphere also phi.
    rows = loss.rows.numpy()
    across = rows.T @ (rows / (rows**2).sum(1)[:, None])
    if sphere:
        across = across + np.outer(loss.base, loss.base)
    point = np.random.default_rng([seed, 29]).normal(size=dim)
    sample.observe(
        {
            x: point,
            n.foot: loss.base,
            dPhi: slope_of_limit(sphere, dim, rank, seed),
            n.P0: measured(known.null, ROUNDINGS, 20.0),
            PT: measured(np.eye(dim) - across, ROUNDINGS, 1.0),
        }
    )


def _shape(sample: Sample, top: int) -> tuple[int, int, int]:
    dim = sample.draw(st.integers(3, top), "dimension")
    rank = sample.draw(st.integers(1, dim - 2), "rank")
    return dim, rank, sample.draw(st.integers(0, 10**6), "loss")


def draw_spherical_bend(sample: Sample) -> None:
    """Observe the second derivative of the limit map at a drawn minimizer of the sphere."""
    dim, rank, seed = _shape(sample, 4)
    known = spectrum(True, dim, rank, seed)
    bend = projection_bend(valley(True, dim, rank, seed))
    sample.observe({n.SYMBOLS[k]: v for k, v in known.items()} | {n.B: bend})


def draw_state(sample: Sample) -> None:
    """Observe a real state off the manifold, at small scales, and the linearized flow there."""
    dim, rank, seed = _shape(sample, 6)
    setting = Setting(False, dim, rank, seed, aligned=False)
    for values in edge(setting)[0]:
        hessian = values["H"]
        time = 36.0 / float(np.linalg.eigvalsh(hessian)[-rank])
        table = {n.SYMBOLS[k]: v for k, v in values.items() if k in n.SYMBOLS}
        for k in ("H", "U", "P0", "v1", "lam", "mu", "h0"):
            table[n.SYMBOLS[k]] = measured(values[k], ROUNDINGS, 20.0)
        axes = np.linalg.eigh(hessian)[1][:, -rank:-1]
        table[n.PN0] = measured(axes @ axes.T, ROUNDINGS, 20.0)
        table[n.moment0] = measured(1 / values["rate0"] ** 2, 4)
        table[dPhi] = measured(expm(-time * hessian), ROUNDINGS, 20.0)
        sample.observe(table, scale=float(values["eta"]))
