"""What the figures' claims share: medians of stretches, and 2 over the effective learning rate."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def medians(values: Array, pieces: int) -> Array:
    """Of equal stretches of a series, one after the other."""
    return np.array([np.median(piece) for piece in np.array_split(values, pieces)])


def edge(settings: Any, length: Array) -> Array:
    """2 over the effective learning rate of section 3, from the norm of the weights."""
    kept = 1 - settings.eta * settings.decay
    found: Array = 2 * kept * length**2 / settings.eta
    return found
