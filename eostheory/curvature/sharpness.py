"""The gradient of the sharpness, and whether third derivatives of a loss are right at all.

The gradient of a simple eigenvalue with unit eigenvector u is ``D^3 L(w)[u, u, .]`` (damian23,
section 4): a third reverse sweep, 5.9 gradients in all.  It needs no derivative of u.  An
eigenvector off by ``residual / gap`` puts it off by ``2 |D^3 L(w)[u, .]| residual / gap``.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from eostheory.curvature.products import Chunked, Products
from eostheory.numeric.autodiff import LossFunction
from eostheory.numeric.events import BecameNaN, WrongDerivative

SIZES = 8
"""Step sizes of the differences, each a quarter of the one before."""


def sharpness_gradient(loss: LossFunction | Chunked, w: Tensor, u: Tensor) -> Tensor:
    """``grad S(w)`` of shape (D,), for the unit eigenvector u (D,) of the sharpness S.

    Where :class:`Products` at w exist already, ``products.third(u, u)`` spares the graph.

    Raises:
        ValueError: u is not a unit vector of the shape of w.
        BecameNaN: it is not finite.
    """
    if u.shape != w.shape:
        raise ValueError(f"u has shape {tuple(u.shape)}; give that of w, {tuple(w.shape)}")
    length = float(torch.linalg.vector_norm(u))
    if not abs(length - 1) < 1e-3:
        raise ValueError(f"|u| is {length:.6g}; give a unit eigenvector")
    with Products(loss, w) as products:
        return products.third(u, u)


class DerivativeCheck(NamedTuple):
    """A derivative by autograd beside differences of the derivative below it.

    Attributes:
        order: of the derivative.
        error: ``|autograd - differences|``, relative to the larger of the two.
        allowed: what truncation and rounding of the differences explain, on the same scale.
        conclusive: whether the differences settled well enough to see an error of 1 %.
    """

    order: int
    error: float
    allowed: float
    conclusive: bool

    @property
    def wrong(self) -> bool:
        """The derivative is off by more than the differences explain."""
        return self.error > self.allowed

    def demand(self) -> None:
        """Raise :class:`WrongDerivative` if it is wrong."""
        if self.wrong:
            raise WrongDerivative(self.order, self.error, self.allowed)


def third_derivative_error(
    loss: LossFunction | Chunked, w: Tensor, direction: Tensor | None = None, *, seed: int = 0
) -> DerivativeCheck:
    """``D^3 L(w)[u, u, .]`` by autograd against differences of Hessian-vector products.

    Central differences along u at eight step sizes (from |w|/10 down, by quarters; those are left
    out at which a product is not finite, and the larger ones), extrapolated in pairs; the pair of
    neighbours that agree best is taken, and their disagreement plus the rounding of a product
    over the step is what the differences allow.

    Args:
        direction: (D,), u; a random direction if not given.
        seed: of the random direction.

    Raises:
        TypeError, ValueError: as :class:`Products`.
        BecameNaN: a product is not finite at w or at all but the two smallest steps.
    """
    u = _direction(w, direction, seed)
    with Products(loss, w) as products:
        exact = products.third(u, u)

    def product(at: Tensor) -> Tensor:
        with Products(loss, at) as there:
            return there(u)

    return _compare(3, exact, product, w, u)


def second_derivative_error(
    loss: LossFunction | Chunked, w: Tensor, direction: Tensor | None = None, *, seed: int = 0
) -> DerivativeCheck:
    """``Hess L(w) u`` by autograd against differences of gradients, as above.

    It fails where a part of the loss is hidden from autograd, and at kinks of the loss.
    """
    u = _direction(w, direction, seed)
    with Products(loss, w) as products:
        exact = products(u)

    def gradient(at: Tensor) -> Tensor:
        with Products(loss, at) as there:
            return there.gradient

    return _compare(2, exact, gradient, w, u)


def _direction(w: Tensor, given: Tensor | None, seed: int) -> Tensor:
    if given is None:
        generator = torch.Generator().manual_seed(seed)
        given = torch.randn(w.numel(), generator=generator, dtype=torch.float64).to(w)
    if given.shape != w.shape or given.dtype != w.dtype:
        raise ValueError(
            f"the direction is {given.dtype} of shape {tuple(given.shape)}; give {w.dtype} of "
            f"shape {tuple(w.shape)}"
        )
    length = torch.linalg.vector_norm(given)
    if not 0 < float(length) < torch.inf:
        raise ValueError(f"the direction has length {float(length)}; give one of finite length > 0")
    unit: Tensor = given / length
    return unit


def _compare(
    order: int, exact: Tensor, lower: Callable[[Tensor], Tensor], w: Tensor, u: Tensor
) -> DerivativeCheck:
    eps = torch.finfo(w.dtype).eps
    size = float(torch.linalg.vector_norm(w))
    step = 0.1 * size if size > 0 else 0.1
    slopes: list[Tensor] = []
    rounding: list[float] = []
    for _ in range(SIZES):
        ahead, behind = w + step * u, w - step * u
        # The step that was taken, not the one that was meant.
        taken = float(torch.dot((ahead - w).double() + (w - behind).double(), u.double()))
        step /= 4
        try:
            up, down = lower(ahead), lower(behind)
        except BecameNaN:
            # So far off the loss may have no value: of a logarithm, say.
            slopes.clear()
            rounding.clear()
            continue
        slopes.append((up - down) / taken)
        most = float(torch.linalg.vector_norm(up)) + float(torch.linalg.vector_norm(down))
        rounding.append(16 * eps * most / abs(taken))
    if len(slopes) < 3:
        raise BecameNaN(
            0, f"a derivative of order {order - 1} at a distance of {64 * step:.1e} to w"
        )
    better = [(16 * b - a) / 15 for a, b in pairwise(slopes)]
    choices = []
    for i, (a, b) in enumerate(pairwise(better)):
        spread = float(torch.linalg.vector_norm(a - b))
        choices.append((4 * spread + rounding[i + 2], i + 1))
    allowed, best = min(choices)
    found = float(torch.linalg.vector_norm(exact))
    whole = max(found, float(torch.linalg.vector_norm(better[best])))
    if whole == 0.0:
        return DerivativeCheck(order, 0.0, 0.0, True)
    error = float(torch.linalg.vector_norm(better[best] - exact)) / whole
    # What autograd itself rounds is of the size of a few hundred units.
    relative = allowed / whole + 1e3 * eps
    return DerivativeCheck(order, error, relative, relative < 1e-2)
