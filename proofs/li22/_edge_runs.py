r"""Real runs of the two-layer linear network for the edge-of-stability phase.

Labels, rates below (5), a gap of two at the top of the data's spectrum; a few steps of gradient
descent, then one more.  Norms and top eigenpairs of the measured matrices come from LAPACK, with
the measured roundings and its backward error as bounds; c_2 and beta are the best constants that
Assumptions C.3 and C.5 allow at the step, so that the bounds are tested where they are tightest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from eostheory.agree import Measured
from eostheory.numeric.rounding import RunningError

from . import _edge as edge
from . import _linear_net as net
from ._linear_runs import UNIT, draw_data, draw_network, draw_rate, known, seed_of, table

if TYPE_CHECKING:
    from eostheory.agree import Sample


SLACK = {
    "simulation:*": "a bound with room: runs that come close to it are rare, a run that breaks it "
    "would show; the derivation kills the mutant"
}
"""What runs cannot notice in a bound that they rarely reach."""


def spectrum(gram: Measured) -> tuple[Measured, Measured, Measured]:
    """Norm, largest eigenvalue and its unit eigenvector of a measured symmetric matrix."""
    value, error = np.asarray(gram.value), np.asarray(gram.error)
    values, vectors = np.linalg.eigh((value + value.T) / 2)
    size = float(np.abs(values).max())
    off = float(np.linalg.norm(error)) + 64 * len(value) * UNIT * size
    gap = float(values[-1] - values[-2]) if len(values) > 1 else np.inf
    turned = 2 * off / max(gap - 2 * off, off) + 64 * len(value) * UNIT
    return Measured(size, off), Measured(float(values[-1]), off), Measured(vectors[:, -1], turned)


def at_step(sample: Sample) -> None:
    """Two steps from any weights, and the step that follows, with all spectra."""
    with RunningError() as run:
        data = draw_data(sample, run, gap=2.0)
        network, rate = draw_network(sample, run, data), draw_rate(sample, data)
        network = network.step(rate).step(rate)
        found = table(run, network, rate)
        top, grams = data.V[:, 0], network.grams()
        along = torch.dot(top, (grams[0] - grams[1]) @ top) / data.lam[0]
        weight = float(seed_of(sample, "gamma*").uniform(0.5, 2.0, 1))
        square = data.X.T @ data.X
        star = (
            grams[0]
            - 4
            * rate
            / (len(data.Y) ** 2 * len(network.A))
            * torch.dot(network.D, network.F)
            * square
        )
        share = float(seed_of(sample, "k_s").uniform(0.0, 1.0, 1))
        mean = share * network.step(rate).grams()[0] + (1 - share) * grams[0]
        found |= {
            edge.k_s: share,
            edge.Gamma_rest: known(run, star - mean),
            edge.gamma: known(run, along),
            edge.gamma_star: weight,
            edge.Gamma_star: known(run, star - weight * square),
            edge.x: known(run, torch.dot(top, network.D)),
        }
    norm_now, norm_next = spectrum(found[net.Gamma])[0], spectrum(found[net.Gamma_next])[0]
    sharpness, direction = spectrum(found[net.M])[1:]
    count, units = len(data.Y), len(network.A)
    larger = norm_now if float(norm_now.value) >= float(norm_next.value) else norm_next
    found |= {
        edge.norm_Gamma: norm_now,
        edge.c2: larger * float(units),
        edge.Lambda: sharpness,
        edge.Lambda_next: spectrum(found[net.M_next])[1],
        edge.u: direction,
        edge.beta: -(sharpness * (rate / 4)) + 1.0,
        edge.w: seed_of(sample, "w").normal(count).numpy(),
    }
    if float(sharpness.value) * rate >= 4:
        sample.reject("the sharpness is beyond 4/eta")
    sample.observe(found)
