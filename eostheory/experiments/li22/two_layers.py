"""Two-layer linear networks of li22 without biases, in coordinates that the data span.

``f(x) = c A'Wx``: of ``W`` only the part that acts on the span of the data moves or is seen, so
that inputs (n, d) of rank r become (n, r), exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from eostheory.experiments.session import Session
from eostheory.numeric.objective import Objective
from eostheory.training import gradient_descent

Observation = Callable[[int, Tensor], float]


@dataclass(frozen=True, eq=False)
class TwoLayers:
    """A network on its data, and where it starts.

    Args:
        singular: (r,) of the inputs, descending.
        labels: ``V'Y`` (r,), labels in the right singular vectors.
        rest: ``|Y - VV'Y|^2``, which no linear function fits.
        examples: n.
        outer: (m,), A at the start.
        inner: (m, r), W at the start, in the left singular vectors.
        factor: c, 1 or ``1/sqrt(m)``.
    """

    singular: Tensor
    labels: Tensor
    rest: float
    examples: int
    outer: Tensor
    inner: Tensor
    factor: float

    @classmethod
    def of(
        cls, inputs: Tensor, labels: Tensor, outer: Tensor, inner: Tensor, factor: float = 1.0
    ) -> TwoLayers:
        """From inputs (n, d), labels (n,) and weights (m,) and (m, d)."""
        v, sigma, u = torch.linalg.svd(inputs, full_matrices=False)
        # The rank as numpy and torch cut it.
        rank = int((sigma > max(inputs.shape) * torch.finfo(sigma.dtype).eps * sigma[0]).sum())
        v, sigma, u = v[:, :rank], sigma[:rank], u[:rank]
        z = v.T @ labels
        missed = labels - v @ z
        rest = float(torch.dot(missed, missed))
        return cls(sigma, z, rest, len(labels), outer, inner @ u.T, factor)

    @property
    def start(self) -> Tensor:
        """(m + m r,), A first."""
        return torch.cat([self.outer, self.inner.reshape(-1)])

    def split(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """A (m,) and W (m, r)."""
        m = len(self.outer)
        return w[:m], w[m:].view(m, -1)

    def loss(self, w: Tensor) -> Tensor:
        """``|D|^2/n``."""
        a, inner = self.split(w)
        residual = self.factor * self.singular * (a @ inner) - self.labels
        found: Tensor = (torch.dot(residual, residual) + self.rest) / self.examples
        return found

    def objective(self) -> Objective:
        """The loss for the engine."""
        return Objective.of(self.loss, len(self.start), torch.float64, self.start.device)

    def scaled(self, inner: Tensor) -> Tensor:
        """``(2c^2/n) X' inner X`` in the right singular vectors, (r, r)."""
        scale = 2 * self.factor**2 / self.examples
        return scale * self.singular[:, None] * inner * self.singular

    def sharpness(self, w: Tensor) -> float:
        """The largest eigenvalue of M (8)."""
        a, inner = self.split(w)
        eye = torch.eye(len(self.singular), dtype=w.dtype, device=w.device)
        matrix = self.scaled(torch.dot(a, a) * eye + inner.T @ inner)
        return float(torch.linalg.eigvalsh(matrix)[-1])

    def gamma(self, w: Tensor) -> float:
        """``|Gamma|`` with the start's Gram matrix of W in place of ``(m/d) I``."""
        _, inner = self.split(w)
        change = inner.T @ inner - self.inner.T @ self.inner
        return float(torch.linalg.eigvalsh(self.scaled(change)).abs().max())


def default_start(width: int, size: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """A (m,) and W (m, d) as PyTorch draws the weights of its linear layers."""

    def uniform(*shape: int) -> Tensor:
        bound = 1 / math.sqrt(shape[-1])
        return bound * (2 * torch.rand(*shape, generator=draw, dtype=torch.float64) - 1)

    inner = uniform(width, size)
    return uniform(width), inner


def symmetric_start(width: int, size: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """A (m,) of signs, W (m, d) normal with variance 1/d, both halves alike so that F(0) = 0."""
    half = width // 2
    signs = 2.0 * torch.randint(0, 2, (half,), generator=draw).to(torch.float64) - 1
    rows = torch.randn(half, size, generator=draw, dtype=torch.float64) / math.sqrt(size)
    return torch.cat([signs, -signs]), torch.cat([rows, rows])


def descend(
    session: Session,
    part: str,
    task: TwoLayers,
    eta: float,
    steps: int,
    *,
    every: int = 1,
    movement: bool = False,
) -> None:
    """Record a part: loss, ``sharpness`` of M and ``edge``, and with ``movement`` those of W.

    With ``movement`` there are ``gamma``, ``inner`` |W| and ``moved`` |W - W(0)|, the latter two
    on the span of the data.
    """
    if session.finished(part) is not None:
        return
    observe: dict[str, Observation] = {
        "edge": lambda *_: 2 / eta,
        "sharpness": lambda _, w: task.sharpness(w),
        "output norm": lambda _, w: float(torch.linalg.vector_norm(task.split(w)[0])),
    }
    if movement:
        observe["gamma"] = lambda _, w: task.gamma(w)
        observe["inner"] = lambda _, w: float(torch.linalg.matrix_norm(task.split(w)[1]))
        observe["moved"] = lambda _, w: float(
            torch.linalg.matrix_norm(task.split(w)[1] - task.inner)
        )
    with session.follow(part, steps // every + 1):
        gradient_descent(
            task.objective(),
            task.start,
            eta,
            steps,
            every=every,
            measure=(),
            observe=observe,
            **session.recording(part, checkpoint_every=1000),
        )
