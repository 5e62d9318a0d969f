r"""Real runs in the phase of progressive sharpening, with the letters of ``_sharpening``.

    h = drawn(sample)                  # a run that meets the conditions of Lemma C.3
    with h.run:
        sample.observe({**h.letters(), ...})

The data are scaled so that the smallest width that Lemma C.3 allows is 40 to 400; the rate is
below n d/(2 (d+1) lambda_1), where eta lambda_max(M(0)) = 1; a run ends before
eta lambda_max(M*) exceeds 1.  Products and sums over time are computed as such, the Gram matrices
from Jacobians, e(t) as what it is: D(t) + prod (I - eta M~(j)) Y.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from eostheory.numeric.losses import Draw
from eostheory.numeric.rounding import RunningError

from . import _linear_net as net_letters
from . import _sharpening as letters
from ._linear_runs import UNIT, Data, Network, known

if TYPE_CHECKING:
    from eostheory.agree import Sample

Table = dict[Any, Any]

FAR = {
    "simulation:*": "no run comes near this bound, whose constants are the derivation's business"
}
"""Waives changed bounds that real runs still meet."""


@dataclass
class History:
    """One run: networks and Gram matrices at 0, ..., t+1, and products over time."""

    run: RunningError
    data: Data
    rate: float
    nets: list[Network] = field(default_factory=list)
    residuals: list[Tensor] = field(default_factory=list)
    grams: list[Tensor] = field(default_factory=list)
    star: list[Tensor] = field(default_factory=list)
    hidden: list[Tensor] = field(default_factory=list)
    tilde: list[Tensor] = field(default_factory=list)
    products: list[Tensor] = field(default_factory=list)
    star_products: list[Tensor] = field(default_factory=list)
    table: Table = field(default_factory=dict)

    @property
    def t(self) -> int:
        """The last time but one."""
        return len(self.nets) - 2

    @property
    def square(self) -> Tensor:
        """X^T X."""
        return self.data.X.T @ self.data.X

    @property
    def contraction(self) -> Tensor:
        """1 - eta lambda_r/n."""
        return 1 - self.rate * self.data.lam[-1] / len(self.data.Y)

    @property
    def labels(self) -> Tensor:
        """z_i = Y^T v_i."""
        return self.data.V.T @ self.data.Y

    def power(self, k: int) -> Tensor:
        """(1 - eta lambda_r/n)^k."""
        total = torch.ones((), dtype=torch.float64)
        for _ in range(k):
            total = total * self.contraction
        return total

    def error(self, k: int) -> Tensor:
        """e(k)."""
        return self.residuals[k] + self.products[k] @ self.data.Y

    def factors(self, k: int) -> Tensor:
        """p_i(k) for every direction."""
        return torch.stack([v @ self.products[k] @ v for v in self.data.V.T])

    def scalars(self) -> Table:
        """Sizes, constants and eigenvalues."""
        o, data = net_letters, self.data
        found = {
            o.lam1: data.lam[0],
            letters.lam_r: data.lam[-1],
            letters.c1: data.lam[0] / len(data.Y),
            letters.R_w: torch.tensor(40.0, dtype=torch.float64) / len(self.nets[0].A),
            letters.decay: self.power(self.t),
        }
        sizes = {o.n: len(data.Y), o.width: len(self.nets[0].A), o.d: len(data.X), o.eta: self.rate}
        return {**sizes, letters.t: self.t, **self.measured(found)}

    def letters(self) -> Table:
        """The vectors and matrices of a run at time t and t+1."""
        if self.table:
            return dict(self.table)
        o, here, after, t = net_letters, self.nets[self.t], self.nets[self.t + 1], self.t
        found = {
            o.X: self.data.X,
            o.Y: self.data.Y,
            o.v1: self.data.V[:, 0],
            o.A: here.A,
            o.W: here.W,
            o.D: self.residuals[t],
            o.F: self.residuals[t] + self.data.Y,
            o.A_next: after.A,
            o.D_next: self.residuals[t + 1],
            o.F_next: self.residuals[t + 1] + self.data.Y,
            o.M: self.grams[t],
            o.M_star: self.star[t],
            o.M_tilde: self.tilde[t],
            o.Gamma: self.hidden[t],
            o.Gamma_next: self.hidden[t + 1],
            letters.Pi: self.products[t],
            letters.Pi_next: self.products[t + 1],
            letters.e: self.error(t),
            letters.e_next: self.error(t + 1),
            letters.D_0: self.residuals[0],
            letters.v_r: self.data.V[:, -1],
        }
        self.table = {**self.scalars(), **self.measured(found)}
        return dict(self.table)

    def measured(self, table: Table) -> Table:
        """Each tensor with the bound of its error."""
        return {symbol: known(self.run, value) for symbol, value in table.items()}


def norm(x: Tensor) -> Tensor:
    """Euclidean norm, also of all entries of a matrix."""
    return (x * x).sum().sqrt()


def largest_singular_value(x: Tensor) -> float:
    """By numpy, without a bound of its error."""
    return float(np.linalg.norm(x.detach().numpy(), 2))


def total(terms: Iterable[Tensor]) -> Tensor:
    """The sum of scalars, or of matrices."""
    return torch.stack(list(terms)).sum(0)


def slowest_direction(x: Tensor) -> Tensor:
    """Unit eigenvector of the smallest eigenvalue of a symmetric matrix, by numpy."""
    return torch.from_numpy(np.linalg.eigh(x.detach().numpy())[1][:, 0].copy())


def top_eigenvector(x: Tensor) -> Tensor:
    """Unit eigenvector of the largest eigenvalue of a symmetric matrix, by numpy."""
    return torch.from_numpy(np.linalg.eigh(x.detach().numpy())[1][:, -1].copy())


def spectral(run: RunningError, x: Tensor) -> Tensor:
    """Norm of a matrix; its error is that of the matrix, and the solver's."""
    size = largest_singular_value(x)
    slack = float(np.linalg.norm(run.error(x).numpy())) + 64 * len(x) * UNIT * size
    return run.declare(torch.tensor(size, dtype=torch.float64), slack)


Kind = Literal["any", "single", "fast", "wide", "steep"]
"""Any run; one sample; a first step that all but solves the top direction; m = 2000, c_1 < 1;
inputs so large that the rate is tiny."""


def scaled_data(draw: Draw, run: RunningError, kind: Kind, smallest: float) -> Data:
    """Labels in the span of r eigenvectors; m >= 112 c_1 n^2/lambda_r^2 starts at ``smallest``."""
    count = 1 if kind == "single" else int(draw.uniform(2, 5, 1))
    rank = 2 if kind == "fast" else int(draw.uniform(1, min(count, 3) + 1, 1))
    inputs = rank + int(draw.uniform(0, 2, 1))
    labels = torch.sign(draw.normal(count))
    directions = draw.normal(count, rank)
    directions[:, 0] = labels
    right = torch.linalg.qr(directions)[0] @ draw.orthogonal(rank)
    right = right * torch.sign(right.T @ labels)
    left = draw.orthogonal(inputs)[:, :rank]
    lam = draw.uniform(0.3, 1.0, rank).sort(descending=True).values
    lam[0] = (4.0 if kind == "fast" else 2.1) * lam[0]
    lam = lam * (112 * lam[0] * count / (smallest * lam[-1] ** 2))
    run.declare(right, 64 * (count + rank) * UNIT)
    run.declare(left, 64 * inputs * UNIT)
    with run:
        return Data(left * lam.sqrt() @ right.T, labels, right, lam)


@lru_cache(maxsize=64)
def history(number: int, kind: Kind = "any") -> History:
    """The run of a number."""
    draw, run = Draw(number), RunningError()
    target = 2000.0 if kind == "wide" else (40.0, 100.0, 300.0)[number % 3]
    data = scaled_data(draw, run, kind, target / 500 if kind == "steep" else target)
    count, inputs = len(data.Y), len(data.X)
    half = int(target) // 2 + 1 + number % 2
    top = float(data.lam[0])
    low, high = (0.93, 0.96) if kind == "fast" else (0.3, 0.9)
    rate = float(draw.uniform(low, high, 1)) * count * inputs / (2 * (inputs + 1) * top)
    rows = torch.linalg.qr(draw.normal(half, inputs))[0]
    signs = torch.sign(draw.normal(half))
    run.declare(rows, 64 * half * UNIT)
    found = History(run, data, rate)
    with run:
        rows = rows * torch.tensor(half / inputs, dtype=torch.float64).sqrt()
        net = Network(data, torch.cat([signs, -signs]), torch.cat([rows, rows]))
        _go(found, net, 2 + {"fast": 0, "wide": number % 4}.get(kind, number % 6))
    return found


def _go(h: History, net: Network, steps: int) -> None:
    unit = torch.eye(len(h.data.Y), dtype=torch.float64)
    h.products.append(unit)
    h.star_products.append(unit)
    for step in range(steps + 1):
        residual, (gram, hidden) = net.D, net.grams()
        inner = torch.dot(residual, residual + h.data.Y)
        factor = 4 * h.rate / (len(h.data.Y) ** 2 * len(net.A))
        star = gram - factor * inner * h.square
        h.nets.append(net)
        h.residuals.append(residual)
        h.grams.append(gram)
        h.hidden.append(hidden)
        if step == steps or largest_singular_value(star) * h.rate > 1:
            break
        h.star.append(star)
        h.tilde.append(star - hidden)
        h.products.append((unit - h.rate * h.tilde[-1]) @ h.products[-1])
        h.star_products.append((unit - h.rate * star) @ h.star_products[-1])
        net = net.step(h.rate)


def drawn(sample: Sample, kind: Kind = "any") -> History:
    """A run for this instance; few of them, which all claims share."""
    number = int(sample.draw(st.integers(0, 19), "run"))
    h = history(number, kind)
    if h.t < 1:
        sample.reject("eta lambda_max(M*) exceeds 1 after the first step")
    return h
