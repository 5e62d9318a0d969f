"""A number that the paper prints, beside what the draws of a run show."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from eostheory.experiments.experiment import Finding

Array = npt.NDArray[np.float64]

ENOUGH = 10
"""Draws whose spread decides."""

DECADE = {n: (10 ** (n - 0.5), 10 ** (n + 0.5)) for n in (-14, -4)}
"""What a power of ten means that is printed as "about"."""


def as_printed(settings: Any) -> bool:
    """Whether every setting that the paper prints has its printed value."""
    return all(
        field.metadata["paper"] is None or getattr(settings, field.name) == field.metadata["paper"]
        for field in dataclasses.fields(settings)
    )


def beside(
    settings: Any,
    name: str,
    paper: str,
    printed: tuple[float, float],
    measured: Sequence[float],
    note: str = "",
) -> Finding:
    """The median of the draws; it agrees where the printed number lies within their spread.

    Args:
        printed: the least and the largest number that is printed as the paper has it.
        measured: one for each draw, infinite where it does not happen.
        note: more to be said.
    """
    known = [m for m in measured if math.isfinite(m)]
    if not known:
        return Finding(name, paper, "never", None, "no draw has reached the edge: take more steps")
    low, high = printed
    below, above = sum(m < low for m in known), sum(m > high for m in known)
    told = [
        f"{len(known)} draws: {min(known):.3g} to {max(known):.3g}; {below} below the printed "
        f"number, {len(known) - below - above} that round to it, {above} above"
    ]
    if len(known) < len(measured):
        told.append(f"{len(measured) - len(known)} draws have not reached the edge")
    told += [note] if note else []
    agrees: bool | None = min(known) <= high and low <= max(known)
    if not as_printed(settings):
        agrees = None
        told.append("not judged: other settings than the paper's")
    elif len(measured) < ENOUGH:
        agrees = None
        told.append(f"judged from {ENOUGH} draws on")
    return Finding(name, paper, float(np.median(known)), agrees, "; ".join(told))


def edge_start(loss: Array) -> int | None:
    """The first row at which a loss that was below 1e-8 exceeds 1e-6 again."""
    again = (np.minimum.accumulate(loss) < 1e-8) & (loss > 1e-6)
    return int(np.argmax(again)) if again.any() else None
