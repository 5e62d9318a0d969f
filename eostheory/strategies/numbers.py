"""Numbers of few digits, the plainest first: what draws shrink to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

from hypothesis import strategies as st

Strategy = st.SearchStrategy

GRID = 600
"""About how many numbers a range is cut into: enough to be generic, few digits each."""

DIGITS = (0, 5, 1, -1, 2, -2, 3, -3, 4, -4)
"""What the last digit of a number may add to the others."""


def number(name: str, value: object) -> float:
    """``value`` as a float.

    Raises:
        TypeError, ValueError: it is no finite number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} = {value!r} is {type(value).__name__}, not a number")
    if not math.isfinite(value):
        raise ValueError(f"{name} = {value!r} is not finite: give a bound")
    return float(value)


def count(name: str, value: object, least: int, why: str = "") -> int:
    """``value`` itself.

    Raises:
        TypeError, ValueError: it is no integer of at least ``least``.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} = {value!r} is {type(value).__name__}, not an int")
    if value < least:
        raise ValueError(f"{name} = {value}; it is at least {least}" + (f": {why}" if why else ""))
    return value


def between(name: str, low: object, high: object) -> tuple[float, float]:
    """The bounds as floats.

    Raises:
        TypeError, ValueError: no numbers, or none between them.
    """
    bottom, top = number(f"{name}: low", low), number(f"{name}: high", high)
    if bottom > top:
        raise ValueError(f"{name}: no number is between low = {low!r} and high = {high!r}")
    return bottom, top


def _plainness(x: Fraction, unit: Fraction) -> tuple[object, ...]:
    """Sort key: 0, 1, -1, other integers, halves, then one digit more at a time."""
    if x == 0:
        return (0,)
    if abs(x) == unit:
        return (1, x < 0)
    if x % unit == 0:
        return (2, abs(x), x < 0)
    if (2 * x) % unit == 0:
        return (3, abs(x), x < 0)
    digits = 1
    while (x * 10**digits) % unit:
        digits += 1
    return (3 + digits, abs(x), x < 0)


@lru_cache(maxsize=256)
def _steps(low: float, high: float) -> tuple[Fraction, Fraction]:
    """The finest power of ten that cuts the range into some hundreds, and the plain unit."""
    step = Fraction(10) ** math.ceil(math.log10((high - low) / GRID))
    # 1 is plain wherever it can be seen; in wider ranges the step takes its place
    return step, max(Fraction(1), step)


def _grid(low: float, high: float, step: Fraction, unit: Fraction) -> list[Fraction]:
    """Multiples of the step between the bounds, plainest first."""
    first, last = math.ceil(Fraction(low) / step), math.floor(Fraction(high) / step)
    grid = [k * step for k in range(first, last + 1) if low <= float(k * step) <= high]
    return sorted(grid, key=lambda x: _plainness(x, unit))


@lru_cache(maxsize=256)
def plain_numbers(low: float, high: float) -> tuple[float, ...]:
    """The numbers of few digits between the bounds, plainest first; never empty.

    They are the multiples of the power of ten that cuts the range into some hundreds.
    """
    if low == high:
        return (low,)
    return tuple(map(float, _grid(low, high, *_steps(low, high)))) or (low, high)


@lru_cache(maxsize=256)
def plain(low: float, high: float) -> Strategy[float]:
    """One of :func:`plain_numbers`: a last digit, which shrinks to 0, and a coarse number."""
    if low == high:
        return st.just(low)
    step, unit = _steps(low, high)
    coarse = [int(x / step) for x in _grid(low, high, 10 * step, unit)]
    if len(coarse) < 2:
        return st.sampled_from(plain_numbers(low, high))
    values = {int(x / step): float(x) for x in _grid(low, high, step, unit)}

    def refined(drawn: tuple[int, int]) -> float:
        digit, number = drawn
        return values.get(number + digit, values[number])

    return st.tuples(st.sampled_from(DIGITS), st.sampled_from(coarse)).map(refined)


def shown(values: Sequence[float]) -> str:
    """The numbers as a Python list in as few characters as give them back exactly."""
    return "[" + ", ".join(f"{int(x)}" if x == int(x) else repr(x) for x in values) + "]"
