"""Real Hessians near a point on the edge: the simulation of ``lipschitz``."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import strategies as st

from eostheory.agree import Measured, Sample, derivatives
from eostheory.formula import matrix, vector
from eostheory.numeric import autodiff
from eostheory.numeric.losses import Draw

from ._common import D, T, u
from ._constants import d
from ._losses import drawn_loss
from ._section4_runs import exact

du = vector("du", D, r"\nabla u\,d")
inverse = matrix("inverse", D, D, r"(\lambda_1 I-\nabla^2 L)^\dagger", symmetric=True)


def turning(sample: Sample) -> None:
    """The derivative of the top eigenvector by differences."""
    loss = drawn_loss(sample, kernel=False, largest=6)
    draw = Draw(sample.draw(st.integers(0, 2**20), "direction"))
    along = draw.normal(loss.dim)
    along = along / along.norm()

    def axis(s: float) -> Measured:
        h = autodiff.hessian(loss.loss, loss.star + s * along)
        found = torch.linalg.eigh((h + h.T) / 2)[1][:, -1]
        found = found * torch.sign(torch.dot(found, loss.u))
        return Measured(found.numpy(), np.full(loss.dim, 2.0**-46))

    moved = derivatives.derivative(axis, step=2.0**-7)
    h = loss.h.numpy()
    table = np.linalg.pinv(2 / loss.eta * np.eye(loss.dim) - h, rcond=1e-9)
    off = Measured(table, np.full(table.shape, 2.0**-40 * (1 + np.abs(table).max())))
    sample.observe({u: exact(loss.u), d: exact(along), T: loss.t3.numpy(), du: moved, inverse: off})
