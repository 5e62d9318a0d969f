"""What a check of a loss finds: a status, numbers, and the smallest case that shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from torch import Tensor


class Status(StrEnum):
    """How a check of a loss ended."""

    PASS = "pass"
    FAIL = "fail"
    NOT_APPLICABLE = "not-applicable"
    UNKNOWN = "unknown"


@dataclass(frozen=True, eq=False)
class Recipe:
    """A drawn tensor, and how to make it again in few characters.

    Args:
        tensor: the value.
        code: a Python expression for it; ``torch``, ``strategies`` and ``start`` are in scope.
        data: the same as JSON data, for replay.
    """

    tensor: Tensor = field(repr=False)
    code: str
    data: Mapping[str, Any] = field(repr=False)

    def __repr__(self) -> str:
        return self.code


@dataclass(frozen=True, eq=False)
class Counterexample:
    """The smallest inputs found on which a property is violated.

    Args:
        inputs: recipes and numbers by name (``w`` the point, ``u`` a direction, ``c`` a factor).
        details: further numbers that say what is wrong (a coordinate, the size of an error).
        python: lines that show the violation again.
    """

    inputs: Mapping[str, Recipe | float | int | str]
    details: Mapping[str, float | int | str] = field(default_factory=dict)
    python: str = ""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one check says about one loss.

    Args:
        message: one or two sentences; names the value and, for a failure, the remedy.
        measured, expected, tolerance: what was compared, where that is one number (or a word); the
            tolerance comes from the arithmetic, or from the theory's own error term.
        examples: inputs on which the property was decided.
        series: curves for a plot, by name, over ``series["step"]`` or another named abscissa.
    """

    status: Status
    message: str
    counterexample: Counterexample | None = None
    measured: float | str | None = None
    expected: float | str | None = None
    tolerance: float | None = None
    examples: int = 0
    series: Mapping[str, list[float]] = field(default_factory=dict)


def passed(message: str, **more: Any) -> Outcome:
    """The property holds on everything that was tried."""
    return Outcome(Status.PASS, message, **more)


def failed(message: str, **more: Any) -> Outcome:
    """The property is violated; ``counterexample=`` shows where."""
    return Outcome(Status.FAIL, message, **more)


def not_applicable(message: str, **more: Any) -> Outcome:
    """The property says nothing about this loss; the message says why."""
    return Outcome(Status.NOT_APPLICABLE, message, **more)


def unknown(message: str, **more: Any) -> Outcome:
    """Nothing could be decided; the message says what would decide it."""
    return Outcome(Status.UNKNOWN, message, **more)


class Violated(AssertionError):
    """Raised by the body of a property on inputs that violate it.

    Args:
        message: what is wrong, with the numbers.
        details: further numbers for the counterexample.
    """

    def __init__(
        self,
        message: str,
        *,
        measured: float | str | None = None,
        expected: float | str | None = None,
        tolerance: float | None = None,
        **details: float | int | str,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.measured = measured
        self.expected = expected
        self.tolerance = tolerance
        self.details = details


class InputError(ValueError):
    """What the user gave to draw inputs from (``points=``, ``domain=``) does not work; the message
    says what to do.  It ends the examination: no check could say anything."""


class Undecided(Exception):
    """Raised by the body of a property on inputs that do not tell; the argument says why."""
