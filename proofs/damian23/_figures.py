"""What claims about trained networks share: facts that hold at every record, and their counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from eostheory.formula import Equation, scalar

if TYPE_CHECKING:
    from eostheory.agree import Sample

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def always(name: str, among: str, fact: str) -> Equation:
    r"""That as many records show a fact as there are.

    Args:
        name: of the two counts.
        among: the records that are looked at, in LaTeX.
        fact: what each of them shows, in LaTeX.
    """
    return Equation(
        scalar(f"{name}_seen", rf"\#\{{{among}:\ {fact}\}}"),
        scalar(f"{name}_all", rf"\#\{{{among}\}}"),
    )


def observe(sample: Sample, facts: Mapping[Equation, Mask], more: Mapping[Any, Any]) -> None:
    """Observe both counts of each fact, and other symbols."""
    found: dict[Any, Any] = dict(more)
    for fact, seen in facts.items():
        if not seen.size:
            sample.reject(f"no record is left to judge {fact.lhs} by")
        found |= {fact.lhs: float(np.count_nonzero(seen)), fact.rhs: float(seen.size)}
    sample.observe(found)


def line(label: str, x: Array, y: Array, most: int = 300) -> dict[str, Any]:
    """A line of a plot, with at most so many points, where it is known."""
    known = np.isfinite(y)
    thin = slice(None, None, max(1, -(-int(known.sum()) // most)))
    return {"label": label, "x": x[known][thin], "y": y[known][thin]}
