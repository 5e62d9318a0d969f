r"""The two-layer linear network as a program: drawn data, autograd, real gradient descent.

    with RunningError() as run:
        data = draw_data(sample, run)                  # X of rank r, labels +-1 in its row space
        net = draw_network(sample, run, data)          # any weights, or symmetric=True
        rate = draw_rate(sample, data)
        for _ in range(3):
            net = net.step(rate)                       # GD on the loss, gradients by autograd
        sample.observe(table(run, net, rate))          # letters of _linear_net at t and t+1

No formula of the derivations is used: the Gram matrix is (2/n) J J^T with J by reverse sweeps.
Eigenvectors of X^T X are chosen first, X = sum_i sqrt(lambda_i) u_i v_i^T, so that spectrum,
labels and rank are as wanted; what rounding leaves of that is declared to ``run``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from eostheory.agree import Measured
from eostheory.numeric.losses import Draw
from eostheory.numeric.rounding import RunningError

from . import _linear_net as net_letters

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.formula import Symbol

UNIT = 2.0**-53
Table = dict["Symbol", Any]


@dataclass(frozen=True)
class Data:
    """Inputs X (d, n), labels Y (n,), eigenvectors V (n, r) and eigenvalues (r,) of X^T X."""

    X: Tensor
    Y: Tensor
    V: Tensor
    lam: Tensor


@dataclass(frozen=True)
class Network:
    """Weights A (m,) and W (m, d) on some data."""

    data: Data
    A: Tensor
    W: Tensor

    @property
    def F(self) -> Tensor:
        """Outputs on all samples."""
        return outputs(self.data, self.A, self.W)

    @property
    def D(self) -> Tensor:
        """Residual."""
        return self.F - self.data.Y

    def loss(self) -> Tensor:
        """Mean of the squared errors."""
        return mean_square(self.data, self.A, self.W)

    def gradients(self) -> tuple[Tensor, Tensor]:
        """Gradients of the loss with respect to A and W by autograd."""
        a, w = self._leaves()
        found = torch.autograd.grad(mean_square(self.data, a, w), (a, w))
        return found[0], found[1]

    def step(self, rate: float) -> Network:
        """The network after one step of gradient descent."""
        slope_a, slope_w = self.gradients()
        return Network(self.data, self.A - rate * slope_a, self.W - rate * slope_w)

    def jacobians(self) -> tuple[Tensor, Tensor]:
        """Derivatives of the n outputs, (n, m) and (n, m d), one reverse sweep each."""
        a, w = self._leaves()
        rows = [torch.autograd.grad(f, (a, w), retain_graph=True) for f in outputs(self.data, a, w)]
        return torch.stack([r[0] for r in rows]), torch.stack([r[1].reshape(-1) for r in rows])

    def grams(self) -> tuple[Tensor, Tensor]:
        """(2/n) J J^T, and the hidden layer's part of it less its value for W^T W = (m/d) I."""
        by_a, by_w = self.jacobians()
        count, inputs = len(self.data.Y), len(self.data.X)
        from_hidden = by_a @ by_a.T
        start = self.data.X.T @ self.data.X / inputs
        return 2 * (from_hidden + by_w @ by_w.T) / count, 2 * (from_hidden - start) / count

    def _leaves(self) -> tuple[Tensor, Tensor]:
        return self.A.detach().requires_grad_(True), self.W.detach().requires_grad_(True)


def outputs(data: Data, a: Tensor, w: Tensor) -> Tensor:
    """f(x_i) = sum_q a_q w_q x_i / sqrt(m) for every sample."""
    scale = torch.tensor(float(len(a)), dtype=torch.float64).sqrt()
    return a @ (w @ data.X) / scale


def mean_square(data: Data, a: Tensor, w: Tensor) -> Tensor:
    """The training loss."""
    residual = outputs(data, a, w) - data.Y
    return (residual * residual).sum() / len(data.Y)


def seed_of(sample: Sample, label: str = "seed") -> Draw:
    """A source of generic numbers."""
    return Draw(int(sample.draw(st.integers(0, 2**20), label)))


def orthonormal(columns: Tensor) -> Tensor:
    """Orthonormal columns of the same span, not tracked: declare their error."""
    return torch.from_numpy(np.linalg.qr(columns.numpy())[0].copy())


def draw_data(
    sample: Sample,
    run: RunningError,
    *,
    realizable: bool = True,
    gap: float = 1.2,
    sizes: tuple[int, int, int] | None = None,
) -> Data:
    """Labels +-1 and inputs of rank r whose Gram matrix has eigenvalues with a gap at the top.

    Call this and all that follows inside ``with run``.

    Args:
        run: tracks the rounding errors.
        realizable: the labels lie in the row space of X; else they need not.
        gap: lambda_1 is at least ``gap`` times lambda_2.
        sizes: n, d and r (default: drawn, n up to 6, d up to 4).
    """
    if sizes is None:
        count, inputs = sample.draw(st.integers(2, 6), "n"), sample.draw(st.integers(1, 4), "d")
        rank = sample.draw(st.integers(1, min(count - 1, inputs)), "r")
    else:
        count, inputs, rank = sizes
    draw = seed_of(sample, "data")
    labels = torch.sign(draw.normal(count))
    directions = draw.normal(count, rank)
    if realizable:
        directions[:, 0] = labels
    # orthonormal, and spanning the labels, up to the backward error of the factorisations
    right = run.fresh(orthonormal(directions) @ orthonormal(draw.normal(rank, rank)))
    run.declare(right, 64 * (count + rank) * UNIT)
    left = run.fresh(orthonormal(draw.normal(inputs, rank)))
    run.declare(left, 64 * inputs * UNIT)
    spread = sorted(draw.uniform(0.3, 1.0, rank).tolist(), reverse=True)
    spread[0] *= gap**0.5
    singular = torch.tensor([count**0.5 * x for x in spread], dtype=torch.float64)
    return Data((left * singular) @ right.T, labels, right, singular * singular)


def draw_network(
    sample: Sample, run: RunningError, data: Data, *, symmetric: bool = False, size: float = 1.0
) -> Network:
    """Weights on ``data``: the paper's symmetric initialisation, or any weights.

    With ``symmetric``, a_{q+m/2} = -a_q = +-1 and w_{q+m/2} = w_q with sum_q w_q w_q^T = (m/2d) I.
    """
    inputs = len(data.X)
    draw = seed_of(sample, "weights")
    if not symmetric:
        units = sample.draw(st.integers(1, 8), "m")
        return Network(data, size * draw.normal(units), size * draw.normal(units, inputs))
    half = sample.draw(st.integers(inputs, inputs + 4), "m/2")
    signs = torch.sign(draw.normal(half))
    rows = orthonormal(draw.normal(half, inputs))
    run.declare(rows, 64 * half * UNIT)
    # the sum over half of the neurons is (m / 2d) I
    rows = rows * (torch.tensor(float(half), dtype=torch.float64) / inputs).sqrt()
    return Network(data, torch.cat([signs, -signs]), torch.cat([rows, rows]))


def draw_rate(sample: Sample, data: Data, low: float = 0.05, high: float = 0.95) -> float:
    """A learning rate between ``low`` and ``high`` times the bound (5), n d / ((d+1) lambda_1)."""
    inputs, count = data.X.shape
    bound = count * inputs / ((inputs + 1) * float(data.lam[0]))
    return float(seed_of(sample, "rate").uniform(low, high, 1)) * bound


def known(run: RunningError, value: Tensor) -> Measured:
    """``value`` with the error bound that ``run`` has for it."""
    return Measured(value.detach().numpy().copy(), run.error(value).numpy())


def table(run: RunningError, net: Network, rate: float) -> Table:
    """Every letter of ``_linear_net`` at the network and after one step; call inside ``run``."""
    o, data = net_letters, net.data
    after = net.step(rate)
    slope_a, slope_w = net.gradients()
    (gram, hidden), (gram_next, hidden_next) = net.grams(), after.grams()
    inner = torch.dot(net.D, net.F)
    square = data.X.T @ data.X
    star = gram - 4 * rate / (len(data.Y) ** 2 * len(net.A)) * inner * square
    top = data.V[:, 0]
    found = {
        o.X: data.X,
        o.Y: data.Y,
        o.v1: top,
        o.lam1: data.lam[0],
        o.A: net.A,
        o.W: net.W,
        o.F: net.F,
        o.D: net.D,
        o.loss: net.loss(),
        o.grad_A: slope_a,
        o.grad_W: slope_w,
        o.A_next: after.A,
        o.W_next: after.W,
        o.F_next: after.F,
        o.D_next: after.D,
        o.M: gram,
        o.M_next: gram_next,
        o.M_star: star,
        o.Gamma: hidden,
        o.Gamma_next: hidden_next,
        o.M_tilde: star - hidden,
        o.R: net.D - torch.dot(top, net.D) * top,
        o.R_next: after.D - torch.dot(top, after.D) * top,
        o.Lambda_star: torch.dot(top, gram @ top),
        o.Lambda_star_next: torch.dot(top, gram_next @ top),
    }
    sizes = {o.n: len(data.Y), o.width: len(net.A), o.d: len(data.X), o.eta: rate}
    return {**sizes, **{symbol: known(run, value) for symbol, value in found.items()}}


def one_step(sample: Sample) -> None:
    """A simulation: any weights on drawn data after two steps, and the step that follows."""
    with RunningError() as run:
        data = draw_data(sample, run)
        net, rate = draw_network(sample, run, data), draw_rate(sample, data)
        net = net.step(rate).step(rate)
        sample.observe(table(run, net, rate))
