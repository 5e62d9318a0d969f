"""A loss and its derivatives at many points in one pass of torch, where the loss allows that.

An operation of torch on a few numbers takes as long as one on a few thousand, so that a line of
points costs little more than one point.  A batch only saves time: it is None wherever torch cannot
make one (data-dependent branches, an autograd function without a rule, several chunks), or where it
is not, to rounding, what single evaluations give; then the caller evaluates one by one.  Whether a
batch is made follows from the loss alone, never from the time it takes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from eostheory.curvature import Products, SymmetricOperator, Tracker, dense_hessian
from eostheory.curvature.tracker import Eigenpairs
from eostheory.numeric.autodiff import LossFunction, value_and_gradient
from eostheory.numeric.objective import Objective

LARGEST = 2**24
"""Bytes that a batch may keep for its backward pass."""

MANY = 1000
"""Parameters up to which there are batches: beyond, arithmetic takes longer than the calls."""

ROWS = 8
"""Parameters from which the rows of one Hessian are worth a batch."""

ROUNDINGS = 64
"""Roundings of the largest number of a batch that it may be off."""

LOOKED_AT = 2
"""Batches of each kind that are compared with single evaluations."""

FAILURES = 2
"""Batches that may fail before no more are tried."""


@dataclass(eq=False)
class _Known:
    """What is known about batches of one loss."""

    usable: bool
    footprint: int | None = None
    failures: int = 0
    compared: dict[str, int] = field(default_factory=dict)


_KNOWN: WeakKeyDictionary[Any, _Known] = WeakKeyDictionary()


def values(loss: LossFunction, points: Tensor) -> Tensor | None:
    """(n, D) to the values (n,), or None."""

    def compute(call: LossFunction) -> Tensor:
        with torch.no_grad():
            return torch.vmap(call)(points)

    return _made(loss, points, "values", compute, lambda w: _single(loss, w)[0])


def gradients(loss: LossFunction, points: Tensor) -> Tensor | None:
    """(n, D) to the gradients (n, D), or None; not finite where the value is not."""

    def compute(call: LossFunction) -> Tensor | None:
        found = _slopes(call, points, graph=False)
        if found is None:
            return None
        _, out, gradient = found
        return gradient.detach() + 0.0 * out.detach()[:, None]

    return _made(loss, points, "gradients", compute, lambda w: _single(loss, w)[1])


def along(loss: LossFunction, points: Tensor, u: Tensor) -> list[tuple[float, float]] | None:
    """(n, D) and a direction (D,) to n pairs of the value and the slope along u; NaN where value
    or gradient is not finite.  None where there is no batch."""

    def compute(call: LossFunction) -> Tensor | None:
        found = _slopes(call, points, graph=False)
        if found is None:
            return None
        _, out, gradient = found
        nothing = 0.0 * (out.detach() + gradient.sum(1))
        return torch.stack([out.detach() + nothing, gradient @ u + nothing], 1)

    def single(w: Tensor) -> Tensor:
        value, gradient = _single(loss, w)
        return torch.stack([value, torch.dot(gradient, u)])

    found = _made(loss, points, "along", compute, single)
    return None if found is None else [(row[0], row[1]) for row in found.tolist()]


def products(loss: LossFunction, points: Tensor, u: Tensor) -> Tensor | None:
    """(n, D) and a direction (D,) to the Hessian-vector products (n, D), or None."""

    def compute(call: LossFunction) -> Tensor | None:
        found = _slopes(call, points, graph=True)
        if found is None or not found[2].requires_grad:
            return None
        leaf, out, gradient = found
        (image,) = torch.autograd.grad(gradient, leaf, u.expand_as(points))
        return image + 0.0 * (out.detach()[:, None] + gradient.detach())

    def single(w: Tensor) -> Tensor:
        with Products(loss, w) as found:
            return found(u)

    return _made(loss, points, "products", compute, single)


def hessians(loss: LossFunction, points: Tensor) -> Tensor | None:
    """(n, D) to the Hessians (n, D, D), exactly symmetric; None also where one of them is not
    finite, or not symmetric, which a single one says better."""
    size = points.shape[1]

    def compute(call: LossFunction) -> Tensor | None:
        found = _slopes(call, points, graph=True)
        if found is None or not found[2].requires_grad:
            return None
        leaf, _, gradient = found
        eye = torch.eye(size, dtype=points.dtype, device=points.device)

        def row(direction: Tensor) -> Tensor:
            (image,) = torch.autograd.grad(
                gradient, leaf, direction.expand_as(points), retain_graph=True
            )
            return image

        return torch.vmap(row)(eye).transpose(0, 1)

    def single(w: Tensor) -> Tensor:
        with Products(loss, w) as found:
            return found.block(torch.eye(size, dtype=w.dtype, device=w.device))

    found = _made(loss, points, "hessians", compute, single, per=1 + size)
    if found is None or not bool(torch.isfinite(found).all()):
        return None
    largest = found.abs().amax((1, 2))
    off = (found - found.transpose(1, 2)).abs().amax((1, 2))
    if bool((off > 1e-9 * largest).any()) or bool(((largest < 1e-100) & (largest > 0)).any()):
        return None
    if bool((largest > 1e100).any()):
        return None
    return (found + found.transpose(1, 2)) / 2


def hessian_at(loss: LossFunction, w: Tensor) -> Tensor:
    """Dense ``Hess L(w)`` (D, D), in one pass where that can be.

    Raises:
        BecameNaN, ValueError: as :func:`~eostheory.curvature.dense_hessian`.
    """
    found = hessians(loss, w[None]) if len(w) >= ROWS else None
    if found is not None:
        return found[0]
    with Products(loss, w) as single:
        return dense_hessian(single)


class DenseTracker(Tracker):
    """A tracker of ``loss`` that makes the dense Hessian of few parameters in one pass."""

    def __init__(self, loss: LossFunction, k: int = 1, **options: Any) -> None:
        super().__init__(k, **options)
        self.loss = loss

    def __call__(self, products: SymmetricOperator) -> Eigenpairs:
        """The top pairs at the point of ``products``."""
        if ROWS <= products.size <= self.dense_below:
            found = hessians(self.loss, products.point[None])
            if found is not None:
                return super().__call__(_Table(found[0], products))
        return super().__call__(products)


class _Table:
    """A Hessian that is known, as an operator."""

    def __init__(self, matrix: Tensor, like: SymmetricOperator) -> None:
        self.matrix = matrix
        self.count, self.step, self.point = like.count, like.step, like.point

    @property
    def size(self) -> int:
        """D."""
        return len(self.matrix)

    def block(self, vectors: Tensor) -> Tensor:
        """(k, D) rows to the (k, D) rows of their products."""
        self.count += len(vectors)
        return vectors @ self.matrix


def _made(
    loss: LossFunction,
    points: Tensor,
    kind: str,
    compute: Callable[[LossFunction], Tensor | None],
    single: Callable[[Tensor], Tensor],
    per: int = 1,
) -> Tensor | None:
    known = _known(loss)
    if not known.usable or points.shape[1] > MANY:
        return None
    if known.footprint is None:
        known.footprint = _footprint(loss, points[0])
    if known.footprint * len(points) * per > LARGEST:
        return None
    try:
        with _quiet():
            found = compute(loss)
        if found is None or not _agrees(known, kind, points, found, single):
            known.usable = False
            return None
    except torch.OutOfMemoryError:
        raise
    except Exception:  # of torch or of the loss, of any kind; a single evaluation says it again
        known.failures += 1
        known.usable = known.failures < FAILURES
        return None
    return found


def _known(loss: LossFunction) -> _Known:
    try:
        known = _KNOWN.get(loss)
        if known is None:
            known = _KNOWN[loss] = _Known(not isinstance(loss, Objective) or len(loss.chunks) == 1)
    except TypeError:  # without hash or weak references
        return _Known(False)
    return known


def _single(loss: LossFunction, w: Tensor) -> tuple[Tensor, Tensor]:
    if isinstance(loss, Objective):
        return loss.value_and_gradient(w)
    return value_and_gradient(loss, w)


def _slopes(
    call: LossFunction, points: Tensor, graph: bool
) -> tuple[Tensor, Tensor, Tensor] | None:
    leaf = points.detach().clone().requires_grad_(True)
    out = torch.vmap(call)(leaf)
    if not out.requires_grad:
        return None
    # The rows do not meet, so that the gradient of the sum holds the gradients of all.
    (gradient,) = torch.autograd.grad(out.sum(), leaf, create_graph=graph, allow_unused=True)
    return None if gradient is None else (leaf, out, gradient)


def _footprint(loss: LossFunction, w: Tensor) -> int:
    """Bytes that one evaluation keeps for its backward pass; too many where it cannot be made."""
    kept: dict[int, int] = {}

    def keep(x: Tensor) -> Tensor:
        kept[x.data_ptr()] = x.numel() * x.element_size()
        return x

    try:
        with _quiet(), torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
            out = loss(w.detach().clone().requires_grad_(True))
        del out
    except torch.OutOfMemoryError:
        raise
    except Exception:  # of the loss, of any kind; a single evaluation says it again
        return LARGEST + 1
    return 8 * len(w) + sum(kept.values())


def _agrees(
    known: _Known,
    kind: str,
    points: Tensor,
    found: Tensor,
    single: Callable[[Tensor], Tensor],
) -> bool:
    """Whether single evaluations give the same, at a few points of the first batches."""
    if len(found) != len(points):
        return False
    if known.compared.get(kind, 0) >= LOOKED_AT:
        return True
    finite = torch.isfinite(found.reshape(len(found), -1)).all(1)
    looked = finite.nonzero()[:, 0].tolist()
    if not looked:
        return True
    known.compared[kind] = known.compared.get(kind, 0) + 1
    # Value and slope are of different sizes; the entries of one derivative make one vector.
    large = found[finite].abs()
    largest = large.amax(0) if kind == "along" else large.max()
    allowed = ROUNDINGS * torch.finfo(found.dtype).eps * largest
    for i in {looked[0], looked[len(looked) // 2], looked[-1]}:
        alone = single(points[i])
        if alone.shape != found[i].shape:
            return False
        if not bool(((alone - found[i]).abs() <= allowed).all()):
            return False
    return True


@contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings: torch's are about speed, and the loss says its own when it is alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
