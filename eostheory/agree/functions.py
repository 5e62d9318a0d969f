"""Powers and named functions of scalars, with the error bounds of their values."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from scipy import special

from eostheory.agree.measured import TINY, UNIT, Array

LIBRARY = 8 * UNIT
"""Relative error of one library function (numpy's vector functions err by up to 4 ulp)."""


class EvaluationError(ValueError):
    """A formula that cannot be evaluated on the given quantities."""


class Val(NamedTuple):
    """Batch of values and error bounds; both of shape ``(B or 1, *shape)``."""

    value: Array
    error: Array


def _around(x: Array, e: Array) -> tuple[Array, Array]:
    """Ends of ``[x - e, x + e]``, rounded outwards: an error below the last digit counts too."""
    return np.nextafter(x - e, -np.inf), np.nextafter(x + e, np.inf)


def power(base: Val, exponent: Val, whole: Fraction | None) -> tuple[Array, Array]:
    """Value and error of ``base ** exponent``; ``whole`` is the exponent if it is a constant.

    Raises:
        EvaluationError: a negative number to a power that is not whole.
    """
    x, e = base
    p, slack = exponent
    if whole is not None and whole.denominator == 1:
        return _whole_power(x, e, int(whole))
    if np.any(x + e < 0):
        raise EvaluationError("a negative number to a power that is not whole")
    x = np.maximum(x, 0.0)
    value = np.power(x, p)
    low, high = _around(x, e)
    low = np.maximum(low, 0.0)
    ends = [np.power(b, q) for b in (low, high) for q in (p - slack, p + slack)]
    spread = np.max([np.abs(end - value) for end in ends], axis=0)
    biggest = np.max(np.abs([value, *ends]), axis=0)
    return value, spread + 2 * LIBRARY * biggest + TINY


def _whole_power(x: Array, e: Array, n: int) -> tuple[Array, Array]:
    if n == 0:
        return np.ones_like(x), np.zeros_like(x)
    if n == 1:
        value = x
    elif n == 2:
        value = x * x
    elif n == -1:
        value = 1 / x
    else:
        value = x ** float(n)
    size = np.abs(x)
    if n > 0:
        spread = n * e * (size + e) ** (n - 1)
    else:
        room = size - e
        spread = np.where(room > 0, -n * e * np.maximum(room, TINY) ** float(n - 1), np.inf)
        spread = np.where(e == 0, 0.0, spread)
    rounding = (UNIT if n in (1, 2, -1) else LIBRARY) * np.abs(value)
    return value, spread + (0.0 if n == 1 else rounding + TINY)


def _lambert(branch: int) -> Callable[[Array], Array]:
    return lambda x: np.real(special.lambertw(x, branch))


_MONOTONE: dict[str, tuple[Callable[[Array], Array], float, float]] = {
    # name: (function, lower end of its domain, relative error in units of UNIT)
    "log": (np.log, 0.0, 8.0),
    "exp": (np.exp, -np.inf, 8.0),
    "sqrt": (np.sqrt, 0.0, 1.0),
    "tanh": (np.tanh, -np.inf, 8.0),
    "lambertw": (_lambert(0), -1 / np.e, 64.0),
    "lambertwm1": (_lambert(-1), -1 / np.e, 64.0),
}


def function(name: str, arg: Val) -> tuple[Array, Array]:
    """Value and error of the named function.

    Raises:
        EvaluationError: an argument that lies outside the domain for certain.
    """
    x, e = arg
    if name == "abs":
        return np.abs(x), e
    if name == "sign":
        return np.sign(x), np.where((np.abs(x) > e) | (e == 0), 0.0, 2.0)
    if name in ("sin", "cos"):
        value = np.sin(x) if name == "sin" else np.cos(x)
        return value, np.minimum(e, 2.0) + LIBRARY
    monotone, floor, ulps = _MONOTONE[name]
    if np.any(x + e < floor) or (name == "lambertwm1" and np.any(x - e >= 0)):
        raise EvaluationError(f"{name} outside its domain")
    inside = np.maximum(x, floor)
    value = monotone(inside)
    # A monotone function errs most at the ends of the interval that holds its argument.
    low, high = _around(inside, e)
    ends = np.array([monotone(np.maximum(low, floor)), monotone(high)])
    spread = np.max(np.abs(ends - value), axis=0)
    spread = np.where(e == 0, 0.0, spread)
    size = np.where(np.isfinite(spread), np.abs(value) + spread, np.abs(value))
    rounding = ulps * UNIT * size
    if name.startswith("lambertw"):
        # Near the branch point -1/e rounding inside acts like an error of the argument.
        rounding = rounding + ulps * UNIT / np.maximum(np.abs(1 + value), np.sqrt(UNIT))
    return value, spread + rounding + TINY
