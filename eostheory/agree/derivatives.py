"""Measured derivatives: by autograd with running errors, and by differences.

The gradient of the sharpness is measured by differences of the sharpness itself, so that it owes
nothing to a formula for it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from eostheory.agree.measured import UNIT, Array, Measured, as_array
from eostheory.agree.torch import Rounding
from eostheory.numeric import autodiff
from eostheory.numeric.autodiff import LossFunction
from eostheory.numeric.flows import gradient_flow_limit


def value(loss: LossFunction, w: Tensor) -> Measured:
    """``L(w)`` with its rounding error, ``w`` taken as exact; so for all functions here."""
    with Rounding() as rounding:
        return rounding(autodiff.value(loss, w))


def gradient(loss: LossFunction, w: Tensor) -> Measured:
    """``grad L(w)``, shape (D,)."""
    with Rounding() as rounding:
        return rounding(autodiff.gradient(loss, w))


def hessian(loss: LossFunction, w: Tensor) -> Measured:
    """``Hess L(w)``, shape (D, D)."""
    with Rounding() as rounding:
        return rounding(autodiff.hessian(loss, w))


def third(loss: LossFunction, w: Tensor, a: Tensor, b: Tensor) -> Measured:
    """``D^3 L(w)[a, b, .]``, shape (D,)."""
    with Rounding() as rounding:
        return rounding(autodiff.third(loss, w, a, b))


def third_tensor(loss: LossFunction, w: Tensor) -> Measured:
    """``D^3 L(w)``, shape (D, D, D): what a multilinear map of arity 2 is best bound to."""
    with Rounding() as rounding:
        return rounding(autodiff.third_tensor(loss, w))


@dataclass(frozen=True)
class Top:
    """Top of a spectrum: value and unit vector with errors, gap and the full spectrum."""

    value: Measured
    vector: Measured
    gap: float
    spectrum: Measured


def top_eigenpair(matrix: Measured) -> Top:
    """Top eigenpair of a measured symmetric (D, D) matrix.

    The eigenvalues move by at most the 2-norm of the matrix's error (Weyl) plus the backward
    error of the symmetric eigensolver, taken as ``16 D u |A|``; the eigenvector turns by at most
    that over the gap (Davis and Kahan).

    Raises:
        RepeatedTopEigenvalue: when the gap does not exceed the error.
    """
    array = as_array(matrix.value)
    slack = float(np.linalg.norm(np.broadcast_to(as_array(matrix.error), array.shape)))
    table = torch.as_tensor((array + array.T) / 2)
    top = autodiff.top_eigenpair(table, slack)
    size = len(array)
    bound = slack + 16 * size * UNIT * float(np.linalg.norm(array, 2))
    gap = float(top.gap)
    turn = 2.0**0.5 * bound / (gap - 2 * bound) if size > 1 else 0.0
    spectrum = as_array(np.linalg.eigvalsh(array))
    return Top(
        Measured(float(top.value), bound),
        Measured(as_array(top.vector), np.full(size, turn + 8 * size * UNIT)),
        gap,
        Measured(spectrum, np.full(size, bound)),
    )


def sharpness(loss: LossFunction, w: Tensor) -> Measured:
    """Largest Hessian eigenvalue at ``w``."""
    return top_eigenpair(hessian(loss, w)).value


# Central differences of order eight: weights at 1, 2, 3 and 4 steps.
_WEIGHTS = (4 / 5, -1 / 5, 4 / 105, -1 / 280)


def derivative(function: Callable[[float], Measured], step: float = 2.0**-6) -> Measured:
    """``d/ds function(s)`` at s = 0 by central differences of order eight.

    Two step sizes are tried.  Truncation shrinks 2^8-fold from ``step`` to half of it, so the
    change between the two exceeds the error of the finer one as long as the step resolves the
    function; together with the errors of the values it is the error reported.
    """
    known = functools.cache(function)  # the two stencils share half of their points
    rough, _ = _difference(known, step)
    fine, noise = _difference(known, step / 2)
    error = np.abs(fine - rough) + noise
    if fine.ndim == 0:
        return Measured(float(fine), float(error))
    return Measured(fine, error)


def _difference(function: Callable[[float], Measured], step: float) -> tuple[Array, Array]:
    total: Array = np.zeros(())
    noise: Array = np.zeros(())
    for k, weight in enumerate(_WEIGHTS, start=1):
        for side in (1, -1):
            cell = function(side * k * step)
            value = as_array(cell.value)
            total = total + side * weight * value / step
            noise = noise + abs(weight) / step * (as_array(cell.error) + 8 * UNIT * np.abs(value))
    return total, noise


def sharpness_gradient(loss: LossFunction, w: Tensor, step: float = 2.0**-6) -> Measured:
    """``grad S(w)`` of shape (D,), by differences of the sharpness along every axis."""
    rows = []
    for axis in torch.eye(len(w), dtype=w.dtype, device=w.device):
        rows.append(derivative(lambda s, axis=axis: sharpness(loss, w + s * axis), step))  # type: ignore[misc]
    return Measured(
        np.array([r.value for r in rows]),
        np.array([r.error for r in rows]),
    )


def projection(
    loss: LossFunction, starts: Tensor, spherical: bool = False, rtol: float = 1e-10
) -> list[Measured]:
    """Limits of gradient flow from each row of ``starts``, shape (B, D) -> B vectors."""
    found = gradient_flow_limit(loss, starts, rtol=rtol, spherical=spherical)
    points, errors = as_array(found.points), as_array(found.error)
    return [Measured(p, np.full(len(p), float(e))) for p, e in zip(points, errors, strict=True)]
