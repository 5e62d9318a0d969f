"""The instance that a simulation works on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from hypothesis import target as hypothesis_target
from hypothesis.strategies import DataObject, SearchStrategy

from eostheory.agree.evaluate import sizes_of
from eostheory.agree.functions import EvaluationError
from eostheory.agree.measured import Measured, MeasureError, as_array, exact
from eostheory.agree.record import Instance, Observation, Test
from eostheory.formula.nodes import FormSymbol, Symbol

T = TypeVar("T")


class Rejected(Exception):
    """The drawn instance does not meet the hypotheses."""


class NotFinite(ArithmeticError):
    """An observed quantity is infinite or not a number (a typed event, not an error)."""


class Sample:
    """One instance, drawn by Hypothesis, on which a simulation measures a claim's symbols.

    Args:
        data: Hypothesis' source of draws.
        instance: where the draws and observations go.
        profile: quick, default or thorough.
        withheld: hypotheses that this instance should violate.
    """

    def __init__(
        self, data: DataObject, instance: Instance, profile: str, withheld: frozenset[str]
    ) -> None:
        self._data = data
        self._instance = instance
        self.profile = profile
        self.withheld = withheld
        self.asked: set[str] = set()
        self.evidence: list[dict[str, Any]] = []

    def draw(self, strategy: SearchStrategy[T], label: str = "") -> T:
        """One value of ``strategy``, recorded under ``label`` for the report and for replay."""
        value: T = self._data.draw(strategy, label=label or None)
        name = label or f"draw {len(self._instance.draws) + 1}"
        while name in self._instance.draws:
            name += "'"
        self._instance.draws[name] = _printable(value)
        return value

    def holds(self, hypothesis: str) -> bool:
        """Whether the instance should meet ``hypothesis``.

        False when the engine withholds it: draw an instance that violates it then.
        """
        self.asked.add(hypothesis)
        return hypothesis not in self.withheld

    def reject(self, reason: str) -> None:
        """Give this instance up: it does not meet the hypotheses.

        Raises:
            Rejected: always.
        """
        raise Rejected(reason)

    def target(self, value: float, label: str = "") -> None:
        """Let Hypothesis look for instances with a large ``value`` (near-violations, say)."""
        if math.isfinite(value):
            hypothesis_target(float(value), label=label)

    def observe(
        self,
        table: Mapping[Any, Any],
        scale: float | None = None,
        series: str = "",
    ) -> None:
        """Record measured values of symbols, any number of times per instance.

        Each observation stands for itself: it holds every symbol of the statement (or part)
        that is to be judged on it.

        Args:
            table: symbol -> number, fraction, array, tensor (taken as exact: a drawn input) or
                :class:`Measured`; multilinear map -> callable or dense array.
            scale: value of the small parameter, for an order bound: the scales of one limit
                have everything else fixed.
            series: tells several limits on one instance apart.

        Raises:
            NotFinite: a quantity is infinite or not a number.
            EvaluationError: a quantity's shape is not its symbol's, or a key is no symbol.
        """
        kept: dict[Symbol | FormSymbol, Any] = {}
        for key, value in table.items():
            if not isinstance(key, Symbol | FormSymbol):
                raise EvaluationError(
                    f"{key!r} ({type(key).__name__}) cannot be observed: give a Symbol or a "
                    "multilinear map, and observe the parts of an expression one by one"
                )
            if isinstance(key, FormSymbol) and callable(value):
                kept[key] = value
                continue
            try:
                cell = exact(value)
            except MeasureError as problem:
                raise NotFinite(f"{key.name}: {problem}") from problem
            if not np.all(np.isfinite(cell.value)):
                raise NotFinite(f"{key.name} is infinite: {cell.value!r}")
            kept[key] = cell
        sizes_of(kept)
        if scale is not None and not (scale > 0 and math.isfinite(scale)):
            raise EvaluationError(f"scale {scale!r}: the small parameter must be positive")
        self._instance.observations.append(Observation(kept, scale, series))

    def predicate(self, name: str, test: Test) -> None:
        """Decide the predicate ``name`` on this instance's observations.

        ``test`` receives the :class:`Measured` arguments and answers True, False or None.
        """
        self._instance.tests[name] = test

    def note(self, text: str) -> None:
        """A line of evidence."""
        self.evidence.append({"kind": "note", "witness": "simulation", "text": text})

    def plot(
        self,
        title: str,
        xlabel: str,
        ylabel: str,
        series: Iterable[Mapping[str, Any]],
        xscale: str = "linear",
        yscale: str = "linear",
    ) -> None:
        """A plot as evidence; each series has ``label``, ``x``, ``y`` and perhaps ``style``."""
        lines = [
            {
                **{k: v for k, v in line.items() if k not in ("x", "y")},
                "x": _floats(line["x"]),
                "y": _floats(line["y"]),
            }
            for line in series
        ]
        self.evidence.append(
            {
                "kind": "plot",
                "witness": "simulation",
                "text": title,
                "title": title,
                "xlabel": xlabel,
                "ylabel": ylabel,
                "xscale": xscale,
                "yscale": yscale,
                "series": lines,
            }
        )


def _floats(values: Sequence[Any]) -> list[float | None]:
    array = as_array(values.value if isinstance(values, Measured) else values)
    # JSON has no NaN or infinity; a gap in the line is what a reader should see there.
    return [float(v) if math.isfinite(v) else None for v in np.atleast_1d(array)]


def _printable(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:197] + "..."


def describe(value: Measured | Callable[..., Any]) -> Any:
    """A measured value as JSON-able data (long arrays are cut)."""
    if not isinstance(value, Measured):
        return "map"
    array = np.asarray(value.value)
    if array.size > 60:
        return f"array of shape {array.shape}, norm {float(np.linalg.norm(array)):.6g}"
    return array.tolist()
