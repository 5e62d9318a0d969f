"""Derivatives of a loss by autograd, float64, without any formula of a paper.

A loss is a callable from a flat tensor of size D to a scalar tensor.  Norms and normalisations
inside it must be written from elementary operations: torch's fused ``layer_norm`` and
``batch_norm`` return wrong third derivatives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from eostheory.numeric.events import BecameNaN, RepeatedTopEigenvalue

LossFunction = Callable[[Tensor], Tensor]


class TopEigen(NamedTuple):
    """Top eigenvalue, its unit eigenvector (largest entry positive) and the gap below it."""

    value: Tensor
    vector: Tensor
    gap: Tensor


def _leaf(w: Tensor) -> Tensor:
    return w.detach().clone().requires_grad_(True)


def _finite(x: Tensor, what: str) -> Tensor:
    # The sum is finite iff every entry is, barring overflow, which is as bad.
    if not bool(torch.isfinite(x.detach()).all()):
        raise BecameNaN(0, what)
    return x


def _grad(out: Tensor, w: Tensor, graph: bool = False) -> Tensor:
    if not out.requires_grad:
        return torch.zeros_like(w)
    (found,) = torch.autograd.grad(out, w, create_graph=graph, allow_unused=True)
    return torch.zeros_like(w) if found is None else found


def value(loss: LossFunction, w: Tensor) -> Tensor:
    """``L(w)``, a scalar.

    Raises:
        BecameNaN: when it is not finite; so do all functions here.
    """
    return _finite(loss(w.detach()), "the loss")


def gradient(loss: LossFunction, w: Tensor) -> Tensor:
    """``grad L(w)`` of shape (D,)."""
    leaf = _leaf(w)
    return _finite(_grad(loss(leaf), leaf), "the gradient").detach()


def value_and_gradient(loss: LossFunction, w: Tensor) -> tuple[Tensor, Tensor]:
    """``L(w)`` and ``grad L(w)`` from one pass."""
    leaf = _leaf(w)
    out = loss(leaf)
    return _finite(out, "the loss").detach(), _finite(_grad(out, leaf), "the gradient").detach()


def hessian(loss: LossFunction, w: Tensor) -> Tensor:
    """Dense ``Hess L(w)`` of shape (D, D), row by row from the kept gradient graph."""
    leaf = _leaf(w)
    grad = _grad(loss(leaf), leaf, graph=True)
    if not grad.requires_grad:
        return torch.zeros(len(w), len(w), dtype=w.dtype, device=w.device)
    rows = [
        torch.autograd.grad(grad[i], leaf, retain_graph=True, allow_unused=True)[0]
        for i in range(len(w))
    ]
    table = torch.stack([torch.zeros_like(w) if r is None else r for r in rows])
    return _finite(table, "the Hessian").detach()


def hessian_vector(loss: LossFunction, w: Tensor, v: Tensor) -> Tensor:
    """``Hess L(w) v`` of shape (D,)."""
    leaf = _leaf(w)
    grad = _grad(loss(leaf), leaf, graph=True)
    return _finite(_grad(torch.dot(grad, v.detach()), leaf), "a Hessian product").detach()


def third(loss: LossFunction, w: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """``D^3 L(w)[a, b, .]`` of shape (D,): the third derivative contracted twice."""
    leaf = _leaf(w)
    grad = _grad(loss(leaf), leaf, graph=True)
    product = _grad(torch.dot(grad, a.detach()), leaf, graph=True)
    return _finite(_grad(torch.dot(product, b.detach()), leaf), "a third derivative").detach()


def third_tensor(loss: LossFunction, w: Tensor) -> Tensor:
    """Dense third derivative of shape (D, D, D); for small D."""
    size = len(w)
    leaf = _leaf(w)
    grad = _grad(loss(leaf), leaf, graph=True)
    table = torch.zeros(size, size, size, dtype=w.dtype, device=w.device)
    for i in range(size):
        row = _grad(grad[i], leaf, graph=True) if grad.requires_grad else torch.zeros_like(w)
        for j in range(i + 1):
            if row.requires_grad:
                cell = torch.autograd.grad(row[j], leaf, retain_graph=True, allow_unused=True)[0]
                if cell is not None:
                    table[i, j] = cell
                    table[j, i] = cell
    return _finite(table, "the third derivative").detach()


def top_eigenpair(matrix: Tensor, error: float = 0.0) -> TopEigen:
    """Top eigenpair of a symmetric (D, D) matrix that is known up to ``error`` (2-norm).

    Raises:
        RepeatedTopEigenvalue: when the gap does not exceed what rounding and ``error`` explain.
    """
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    size = len(values)
    gap = values[-1] - values[-2] if size > 1 else torch.full_like(values[-1], torch.inf)
    slack = 2 * error + 16 * size * 2.0**-53 * float(values.abs().max())
    if float(gap) <= 4 * slack:
        raise RepeatedTopEigenvalue(float(values[-1]), float(gap), slack)
    vector = vectors[:, -1]
    vector = vector * torch.sign(vector[vector.abs().argmax()])
    return TopEigen(values[-1], vector, gap)


def sharpness(loss: LossFunction, w: Tensor) -> Tensor:
    """Largest Hessian eigenvalue at ``w``."""
    values: Tensor = torch.linalg.eigvalsh(hessian(loss, w))
    return values[-1]
