"""Facts that hold at every record of a run, as statements about two counts.

An equation of counts is sharp: whatever is changed in it is noticed, also for a fact that is an
inequality at each record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from eostheory.agree.sample import Sample
from eostheory.formula import Equation, scalar

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

ONCE = {"quick": 1, "default": 1, "thorough": 1}
"""Instances per profile of a claim about one run."""


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


def observe_counts(
    sample: Sample, facts: Mapping[Equation, Mask], more: Mapping[Any, Any] | None = None
) -> None:
    """Observe both counts of each fact, and other symbols.

    Args:
        facts: made by :func:`always`, each with whether it was seen, (records,) bool.
        more: symbols and their values, as for ``sample.observe``.
    """
    found: dict[Any, Any] = dict(more or {})
    for fact, seen in facts.items():
        if not seen.size:
            sample.reject(f"no record is left to judge {fact.lhs} by")
        found |= {fact.lhs: float(np.count_nonzero(seen)), fact.rhs: float(seen.size)}
    sample.observe(found)


def line(label: str, x: Array, y: Array, most: int = 300) -> dict[str, Any]:
    """A line of a plot where it is finite, thinned to at most so many points."""
    known = np.isfinite(y)
    thin = slice(None, None, max(1, -(-int(known.sum()) // most)))
    return {"label": label, "x": x[known][thin], "y": y[known][thin]}
