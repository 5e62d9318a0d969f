"""Gradient descent on a quadratic, every eigenvector of the Hessian on its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import sympy

from eostheory.trajectories.reductions_base import (
    DECAY,
    ETA,
    Closed,
    Coefficients,
    Reduction,
    finite,
    real,
)

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class EigenCoordinates(Reduction):
    """Gradient descent on ``w'Hw/2 - b'w``: every eigenvector of H on its own."""

    hessian: Tensor
    linear: Tensor
    values: Tensor = field(init=False, repr=False)
    """Eigenvalues of H, ascending."""
    vectors: Tensor = field(init=False, repr=False)
    """Eigenvectors, columns."""

    def __post_init__(self) -> None:
        import torch

        h, b = finite("entries of H", self.hessian), finite("entries of b", self.linear)
        if h.dim() != 2 or h.shape[0] != h.shape[1] or not torch.equal(h, h.mT):
            raise ValueError(
                f"H has shape {tuple(self.hessian.shape)}; expected a symmetric matrix, "
                "entry by entry: pass (H + H.T) / 2"
            )
        if not len(h) or b.shape != h.shape[:1]:
            raise ValueError(
                f"H has shape {tuple(h.shape)} and b {tuple(b.shape)}; expected (D, D) and (D,), "
                "D at least one"
            )
        values, vectors = torch.linalg.eigh(h)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "vectors", vectors)

    @property
    def name(self) -> str:
        return "quadratic"

    @property
    def model(self) -> str:
        return "gradient descent with weight decay on w'Hw/2 - b'w"

    @property
    def hypotheses(self) -> tuple[str, ...]:
        return ("H is symmetric",)

    @property
    def full(self) -> Mapping[str, tuple[int, ...]]:
        return {"w": (len(self.hessian),)}

    @cached_property
    def closed(self) -> Closed:
        coefficient = Coefficients(as_parameters=False)
        bends = coefficient("h", self.values.tolist())
        pulls = coefficient("b", (self.vectors.T @ self.linear.to(self.vectors)).tolist())
        c = [real(f"c_{i + 1}") for i in range(len(bends))]
        slopes = [h * x - b for h, x, b in zip(bends, c, pulls, strict=True)]
        parts = zip(bends, c, pulls, strict=True)
        return Closed(
            state=tuple(c),
            update=tuple((1 - ETA * DECAY) * x - ETA * g for x, g in zip(c, slopes, strict=True)),
            parameters=(ETA, DECAY),
            observables={
                "loss": sympy.Add(*(h * x**2 / 2 - b * x for h, x, b in parts)),
                "gradient_norm": sympy.sqrt(sympy.Add(*(g**2 for g in slopes))),
                "norm2": sympy.Add(*(x**2 for x in c)),
            },
        )

    def loss(self, *full: Tensor) -> Tensor:
        (w,) = full
        h, b = self.hessian.to(w), self.linear.to(w)
        return (w * (h @ w)).sum() / 2 - (b * w).sum()

    def _reduced(self, *full: Tensor) -> Tensor:
        (w,) = full
        return (w @ self.vectors.to(w.device)).movedim(-1, 0)


def quadratic(hessian: Tensor, linear: Tensor | None = None) -> EigenCoordinates:
    """GD with weight decay on ``w'Hw/2 - b'w`` per eigenvector of H.

    Args:
        hessian: H, (D, D) symmetric.
        linear: b, (D,), default zero.

    Raises:
        TypeError: no tensors of real numbers.
        ValueError: H is not symmetric, b has another size, or an entry is not finite.
    """
    return EigenCoordinates(hessian, hessian.new_zeros(len(hessian)) if linear is None else linear)
