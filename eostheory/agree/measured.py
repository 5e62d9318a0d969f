"""Numbers with a bound on how far from the truth they may be.

Every comparison of the agree layer is between two :class:`Measured` quantities, and the only
tolerance is the sum of their error bounds.  A bound comes from rounding analysis (Higham,
*Accuracy and Stability of Numerical Algorithms*, ch. 2 and 3), never from taste.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

UNIT = 2.0**-53
"""Unit roundoff of float64: a correctly rounded operation errs by at most ``UNIT * |result|``."""

TINY = 2.0**-1074
"""The smallest subnormal number: what a product may lose to underflow."""


class MeasureError(ValueError):
    """A quantity that cannot be measured: not a number, not real, or a negative error."""


@dataclass(frozen=True)
class Measured:
    """A float64 array (or number) with ``|true - value| <= error``, entry by entry.

    Args:
        value: shape of the quantity.
        error: same shape as ``value`` or a number; ``inf`` where nothing is known.
    """

    value: Array | float
    error: Array | float

    def __post_init__(self) -> None:
        if np.any(np.isnan(self.value)):
            raise MeasureError(f"a measured value is not a number: {self.value!r}")
        if np.any(np.isnan(self.error)) or np.any(np.asarray(self.error) < 0):
            raise MeasureError(f"error bound {self.error!r}: must be >= 0 everywhere")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value."""
        return np.shape(self.value)

    def _parts(self) -> tuple[Array, Array]:
        return as_array(self.value), as_array(self.error)

    # Arithmetic carries the bound, so that a simulation can combine what it measured.
    def __neg__(self) -> Measured:
        return Measured(-as_array(self.value), self.error)

    def __add__(self, other: Measured | float) -> Measured:
        a, ea = self._parts()
        b, eb = as_measured(other)._parts()
        value = a + b
        return Measured(value, _up(ea + eb + UNIT * np.abs(value)))

    def __radd__(self, other: float) -> Measured:
        return self + other

    def __sub__(self, other: Measured | float) -> Measured:
        return self + (-as_measured(other))

    def __rsub__(self, other: float) -> Measured:
        return (-self) + other

    def __mul__(self, other: Measured | float) -> Measured:
        a, ea = self._parts()
        b, eb = as_measured(other)._parts()
        value = a * b
        spread = np.abs(a) * eb + np.abs(b) * ea + ea * eb
        return Measured(value, _up(spread + UNIT * np.abs(value) + TINY))

    def __rmul__(self, other: float) -> Measured:
        return self * other

    def __truediv__(self, other: Measured | float) -> Measured:
        a, ea = self._parts()
        b, eb = as_measured(other)._parts()
        room = np.abs(b) - eb
        if np.any(room <= 0):
            raise MeasureError("division by a quantity that may be zero")
        value = a / b
        return Measured(value, _up((ea + np.abs(value) * eb) / room + UNIT * np.abs(value) + TINY))

    def __rtruediv__(self, other: float) -> Measured:
        return as_measured(other) / self

    def __matmul__(self, other: Measured) -> Measured:
        a, ea = self._parts()
        b, eb = as_measured(other)._parts()
        value = a @ b
        size = np.abs(a) @ (gamma(a.shape[-1]) * np.abs(b) + eb) + ea @ (np.abs(b) + eb)
        return Measured(value, _up(size + TINY))

    def sqrt(self) -> Measured:
        """Square root; the true value is taken to be non-negative."""
        a, ea = self._parts()
        value = np.sqrt(np.maximum(a, 0.0))
        low = np.sqrt(np.maximum(np.nextafter(a - ea, -np.inf), 0.0))
        return Measured(
            value,
            _up(
                np.maximum(value - low, np.sqrt(np.nextafter(a + ea, np.inf)) - value)
                + 4 * UNIT * np.sqrt(np.abs(a) + ea)
            ),
        )

    def norm(self) -> Measured:
        """Euclidean norm of all entries."""
        a, ea = self._parts()
        value = float(np.linalg.norm(a))
        slack = float(np.linalg.norm(np.broadcast_to(ea, a.shape)))
        return Measured(value, float(_up(slack + gamma(a.size + 4) * value)))


def _up(error: Any) -> Any:
    # The bound is itself computed in floating point with a handful of operations.
    return error * (1 + 2.0**-40)


def as_array(x: object) -> Array:
    """``x`` (number, sequence, numpy array or torch tensor on any device) as a float64 array.

    Raises:
        MeasureError: for a complex or non-numeric quantity.
    """
    if hasattr(x, "detach"):  # a torch tensor, without importing torch
        x = x.detach().to("cpu").numpy()
    array = np.asarray(x)
    if array.dtype == object:
        array = np.asarray([float(v) for v in array.ravel()]).reshape(array.shape)
    if array.dtype.kind not in "fiub":
        raise MeasureError(f"{array.dtype} quantity {x!r}: real numbers expected")
    return array.astype(np.float64, copy=False)


def gamma(ops: int) -> float:
    """Relative error bound ``n u / (1 - n u)`` of ``ops`` successive roundings."""
    if ops < 0:
        raise ValueError(f"{ops} operations: a count must not be negative")
    return ops * UNIT / (1 - ops * UNIT)


def exact(x: object) -> Measured:
    """``x`` as it stands: a drawn input, or a fraction with the error of its nearest float."""
    if isinstance(x, Measured):
        return x
    if isinstance(x, Fraction | int) and not isinstance(x, bool):
        value = float(x)
        gap = abs(Fraction(x) - Fraction(value))
        return Measured(value, 0.0 if gap == 0 else abs(value) * UNIT + TINY)
    array = as_array(x)
    return Measured(array.copy() if array.ndim else float(array), 0.0)


def measured(x: object, ops: int, magnitude: object | None = None) -> Measured:
    """``x`` as the result of ``ops`` successive float64 roundings on data of size ``magnitude``.

    The bound is ``gamma(ops) * magnitude``.  ``magnitude`` is the sum of the absolute values of
    the terms that were added up to make ``x`` (entry by entry or one number for all); without
    it ``|x|`` is taken, which is right for products and quotients only: a sum that cancels
    needs its ``magnitude``.  A dot product of length n counts n operations.
    """
    value = as_array(x)
    size = np.abs(value) if magnitude is None else np.abs(as_array(magnitude))
    error = _up(gamma(ops) * size + ops * TINY)
    if value.ndim == 0:
        return Measured(float(value), float(np.max(error)))
    return Measured(value.copy(), np.broadcast_to(error, value.shape).copy())


def as_measured(x: object) -> Measured:
    """A :class:`Measured` as it is; anything else through :func:`exact`."""
    return exact(x)
