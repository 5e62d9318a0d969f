"""Hessian-vector products at one point, on a gradient graph that is kept while they last.

A product on the kept graph costs 1.8 gradients; a loss that comes in chunks keeps no graph (its
data may be larger than memory) and recomputes that of each chunk once per call, so that a block
of products shares the recomputation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

import torch
from torch import Tensor

from eostheory.numeric.autodiff import LossFunction
from eostheory.numeric.events import BecameNaN, OutOfMemory

SUPPORTED = (torch.float64, torch.float32)
"""Dtypes in which eigenvalues can be resolved."""


@runtime_checkable
class Chunked(Protocol):
    """A loss that is the sum of ``chunks``, each a function of the flat parameters."""

    @property
    def chunks(self) -> Sequence[LossFunction]:
        """The terms of the sum."""
        ...  # pragma: no cover


class SymmetricOperator(Protocol):
    """What a tracker multiplies with: a symmetric (D, D) matrix behind its products, counted."""

    count: int
    step: int
    point: Tensor

    @property
    def size(self) -> int:
        """D."""
        ...  # pragma: no cover

    def block(self, vectors: Tensor) -> Tensor:
        """(k, D) rows to the (k, D) rows of their products; counts as k."""
        ...  # pragma: no cover


class Products:
    """``v -> Hess L(w) v`` at one point, with the loss, its gradient and a count.

    Args:
        loss: a function of a flat (D,) tensor to a scalar, or an object with ``chunks`` (several
            such functions, whose sum it is).
        w: (D,) float64 or float32, the point.
        step: what events name as the step at which they happened.

    Attributes:
        value: the loss, a scalar.
        gradient: (D,).
        count: Hessian-vector products so far.

    The graph lives as long as the object, or until :meth:`close`, or to the end of a ``with``.

    Raises:
        TypeError: a dtype in which curvature is meaningless, or a loss that changes the dtype.
        ValueError: a point that is no flat vector, a loss that is not a scalar or does not depend
            on w through autograd, or has no second derivative there.
        BecameNaN: the loss, the gradient or a product is not finite.
        OutOfMemory: the graph does not fit on the device.
    """

    def __init__(self, loss: LossFunction | Chunked, w: Tensor, *, step: int = 0) -> None:
        check_point(w)
        self.point = w.detach().clone()
        self.step = step
        self.count = 0
        self._closed = False
        # Chunks are read anew in every sweep: a sequence may load its data while it is iterated.
        # Asking a protocol takes as long as a small loss itself.
        chunks = loss.chunks if hasattr(loss, "chunks") else (loss,)
        if not len(chunks):
            raise ValueError("the loss has no chunks; it needs at least one")
        self._chunks = chunks
        self._kept: _Graph | None = None
        with memory(w, "the graph of the gradient"):
            if len(chunks) == 1:
                only = next(iter(chunks))
                self._kept = _Graph(only, self.point)
                self.value, self.gradient = self._kept.value, self._kept.gradient.detach()
                linear = only if not self._kept.gradient.requires_grad else None
            else:
                self.value = torch.zeros((), dtype=w.dtype, device=w.device)
                self.gradient = torch.zeros_like(self.point)
                linear = None
                for chunk in chunks:
                    graph = _Graph(chunk, self.point, second=False)
                    self.value = self.value + graph.value
                    self.gradient = self.gradient + graph.gradient
        self._finite(self.value, "the loss")
        self._finite(self.gradient, "the gradient")
        if linear is not None:
            _check_linear(linear, self.point, self.gradient)

    @property
    def size(self) -> int:
        """Number D of parameters."""
        return len(self.point)

    @property
    def kept(self) -> bool:
        """Whether the graph of the gradient is kept (one chunk) or recomputed (several)."""
        return len(self._chunks) == 1

    def __call__(self, v: Tensor) -> Tensor:
        """``Hess L(w) v`` of shape (D,)."""
        if v.dim() != 1:
            raise ValueError(f"v has shape {tuple(v.shape)}; give (D,), or a (k, D) to block()")
        return self.block(v[None])[0]

    def block(self, vectors: Tensor) -> Tensor:
        """``V Hess L(w)`` of shape (k, D) for k vectors in rows; counts as k products."""
        self._check_open()
        if vectors.dim() != 2 or vectors.shape[1] != self.size:
            raise ValueError(f"vectors have shape {tuple(vectors.shape)}; give (k, {self.size})")
        if vectors.dtype != self.point.dtype or vectors.device != self.point.device:
            raise TypeError(
                f"vectors are {vectors.dtype} on {vectors.device}; the point is "
                f"{self.point.dtype} on {self.point.device}"
            )
        vectors = vectors.detach()
        total = torch.zeros_like(vectors)
        with memory(self.point, "a Hessian-vector product"):
            for graph in self._graphs():
                total = total + torch.stack([graph.product(v) for v in vectors])
                del graph
        self.count += len(vectors)
        return self._finite(total, "a Hessian-vector product")

    def third(self, a: Tensor, b: Tensor) -> Tensor:
        """``D^3 L(w)[a, b, .]`` of shape (D,): two more reverse sweeps over the gradient's graph.

        With both equal to the unit eigenvector of a simple eigenvalue this is the gradient of
        that eigenvalue.  Not counted as a product: it costs 5.9 gradients.
        """
        self._check_open()
        for name, v in (("a", a), ("b", b)):
            if v.shape != self.point.shape or v.dtype != self.point.dtype:
                raise ValueError(
                    f"{name} is {v.dtype} of shape {tuple(v.shape)}; give {self.point.dtype} "
                    f"of shape ({self.size},)"
                )
        total = torch.zeros_like(self.point)
        with memory(self.point, "a third derivative"):
            for graph in self._graphs():
                total = total + graph.third(a.detach(), b.detach())
                del graph
        return self._finite(total, "a third derivative")

    def close(self) -> None:
        """Free the graph now; value, gradient and count stay readable."""
        self._kept = None
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _graphs(self) -> Iterator[_Graph]:
        if self._kept is not None:
            yield self._kept
            return
        for chunk in self._chunks:
            yield _Graph(chunk, self.point)

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("these products are closed; make new ones: Products(loss, w)")

    def _finite(self, x: Tensor, what: str) -> Tensor:
        if not bool(torch.isfinite(x).all()):
            raise BecameNaN(self.step, what)
        return x


class _Graph:
    """The gradient of one chunk with its graph; nothing refers back, so it dies with its owner."""

    def __init__(self, loss: LossFunction, w: Tensor, second: bool = True) -> None:
        self.leaf = w.detach().clone().requires_grad_(True)
        out = loss(self.leaf)
        _check_loss(out, w)
        (gradient,) = torch.autograd.grad(out, self.leaf, create_graph=second, allow_unused=True)
        self.value = out.detach()
        self.gradient: Tensor = torch.zeros_like(w) if gradient is None else gradient

    def product(self, v: Tensor, graph: bool = False) -> Tensor:
        if not self.gradient.requires_grad:
            return torch.zeros_like(v)
        try:
            (found,) = torch.autograd.grad(
                self.gradient, self.leaf, v, retain_graph=True, create_graph=graph,
                allow_unused=True,
            )  # fmt: skip
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise ValueError(
                f"the loss has no second derivative through autograd: {error}; write it from "
                f"operations that can be differentiated twice"
            ) from error
        return torch.zeros_like(v) if found is None else found

    def third(self, a: Tensor, b: Tensor) -> Tensor:
        product = self.product(a, graph=True)
        if not product.requires_grad:
            return torch.zeros_like(a)
        (found,) = torch.autograd.grad(
            product, self.leaf, b, retain_graph=True, allow_unused=True
        )  # fmt: skip
        return torch.zeros_like(a) if found is None else found


def check_point(w: Tensor) -> None:
    """Refuse what is no flat vector in a dtype with curvature."""
    if not isinstance(w, Tensor):
        raise TypeError(f"w is {type(w).__name__}; give a flat tensor of the parameters")
    if w.dtype not in SUPPORTED:
        raise TypeError(
            f"w is {w.dtype}, in which curvature drowns in rounding; use float64 (w.double()), or "
            f"float32 where its 1e-7 is enough"
        )
    if w.dim() != 1 or not len(w):
        raise ValueError(f"w has shape {tuple(w.shape)}; give all parameters as one (D,), D > 0")


def _check_loss(out: object, w: Tensor) -> None:
    if not isinstance(out, Tensor):
        raise TypeError(f"the loss returned {type(out).__name__}; it must return a scalar tensor")
    if out.dim() != 0:
        raise ValueError(
            f"the loss returned shape {tuple(out.shape)}, no scalar; reduce it (.mean() or .sum())"
        )
    if out.dtype != w.dtype:
        raise TypeError(
            f"the loss is {out.dtype} at a {w.dtype} point; keep model and data in {w.dtype}"
        )
    if not out.requires_grad:
        raise ValueError(
            "the loss does not depend on w through autograd; is there a detach(), item(), numpy "
            "or no_grad inside, or does it read the parameters from elsewhere?"
        )


def _check_linear(loss: LossFunction, w: Tensor, gradient: Tensor) -> None:
    """A gradient without graph is right for a linear loss only: move and see."""
    sign = torch.where(torch.arange(len(w), device=w.device) % 3 == 0, -1.0, 1.0).to(w.dtype)
    moved = _Graph(loss, w + 0.125 * sign, second=False).gradient
    if not torch.equal(moved, gradient):
        raise ValueError(
            "the gradient of the loss has no graph, yet it changes with w: the loss cannot be "
            "differentiated twice through autograd (a custom backward, detach() or no_grad inside)"
        )


@contextmanager
def memory(w: Tensor, what: str) -> Iterator[None]:
    """Turn a device without room into a typed event."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(what, str(w.device), str(error).splitlines()[0]) from error
