"""Taylor data of a loss at a point: what the dynamics at the edge of stability are made of."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field

import torch
from torch import Tensor

from eostheory.curvature import Products, Tracker, third_derivative_error
from eostheory.numeric.autodiff import LossFunction
from eostheory.numeric.events import BecameNaN
from eostheory.numeric.objective import Objective
from eostheory.training.quantities import Coefficients, coefficients

Loss = LossFunction | Objective


@dataclass
class Center:
    """Taylor data of the loss at a point (damian23, definition 3).

    Attributes:
        products: Hessian-vector products there, with the point, loss and gradient.
        u: (D,) unit top eigenvector.
        slope: (D,) ``grad S = D^3 L[u, u, .]``.
        sharpness: S.
        next_value: second largest eigenvalue.
        residual: ``|H u - S u|``.
    """

    products: Products = field(repr=False)
    u: Tensor = field(repr=False)
    slope: Tensor = field(repr=False)
    sharpness: float
    next_value: float
    residual: float

    @property
    def point(self) -> Tensor:
        """(D,)."""
        return self.products.point

    @property
    def value(self) -> float:
        """The loss."""
        return float(self.products.value)

    @property
    def gradient(self) -> Tensor:
        """(D,) ``grad L``."""
        return self.products.gradient

    @property
    def across(self) -> Tensor:
        """(D,) ``grad S^perp``, the part of ``grad S`` orthogonal to u."""
        return self.slope - torch.dot(self.slope, self.u) * self.u

    @property
    def along(self) -> float:
        """``grad S . u``."""
        return float(torch.dot(self.slope, self.u))

    def coefficients(self, eta: float) -> Coefficients:
        """alpha, beta, delta, epsilon here."""
        return coefficients(self.gradient, self.slope, self.u, eta)

    def state(self) -> dict[str, Tensor | float]:
        """What :meth:`restored` needs."""
        return {
            "point": self.point,
            "u": self.u,
            "slope": self.slope,
            "sharpness": self.sharpness,
            "next_value": self.next_value,
            "residual": self.residual,
        }

    @classmethod
    def restored(cls, loss: Loss, state: dict[str, Tensor | float]) -> Center:
        """The center whose :meth:`state` this is."""
        point, u, slope = state["point"], state["u"], state["slope"]
        if not (isinstance(point, Tensor) and isinstance(u, Tensor) and isinstance(slope, Tensor)):
            raise TypeError("point, u and slope of a center are tensors")
        return cls(
            Products(loss, point), u.clone(), slope.clone(), float(state["sharpness"]),
            float(state["next_value"]), float(state["residual"]),
        )  # fmt: skip


def check_rate(eta: float) -> None:
    """Refuse a learning rate that is none.

    Raises:
        ValueError: not positive and finite.
    """
    if not (math.isfinite(eta) and eta > 0):
        raise ValueError(f"eta is {eta!r}, expected a positive learning rate")


def check_vector(v: Tensor, name: str, like: Tensor | None = None) -> Tensor:
    """``v`` itself when it is a flat tensor, of the shape and dtype of ``like`` if given.

    Raises:
        TypeError, ValueError: otherwise, naming what it is and what is expected.
    """
    if not isinstance(v, Tensor):
        raise TypeError(f"{name} is {type(v).__name__}, expected a flat tensor (D,)")
    if v.dim() != 1 or (like is not None and v.shape != like.shape):
        wanted = "(D,)" if like is None else str(tuple(like.shape))
        raise ValueError(f"{name} has shape {tuple(v.shape)}, expected {wanted}")
    if like is not None and v.dtype != like.dtype:
        raise TypeError(f"{name} is {v.dtype}, expected {like.dtype}: convert with .to()")
    return v


def demand_third_derivatives(loss: Loss, point: Tensor, direction: Tensor | None = None) -> None:
    """Compare the third derivative by autograd with differences of Hessian-vector products.

    Once per run: torch's own fused norms are wrong there, and nothing else would show it.

    Raises:
        WrongDerivative: they differ by more than the differences explain.
    """
    # Differences that leave the domain of the loss tell nothing.
    with suppress(BecameNaN):
        third_derivative_error(loss, point, direction).demand()


def expand(loss: Loss, point: Tensor, tracker: Tracker, step: int = 0) -> Center:
    """Taylor data at ``point``; the tracker keeps the sign of u from call to call.

    Raises:
        RepeatedTopEigenvalue: the top eigenvalue is not simple; the sharpness has no gradient.
        UnconvergedEigenpair, BecameNaN, OutOfMemory.
    """
    products = Products(loss, point, step=step)
    pair = tracker(products)
    u = pair.vectors[0]
    below = float(pair.values[1]) if len(pair.values) > 1 else pair.next_value
    slope = products.third(u, u)
    return Center(products, u, slope, float(pair.values[0]), below, float(pair.residuals[0]))
