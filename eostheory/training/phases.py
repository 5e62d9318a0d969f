"""The four phases of training at the edge of stability (li22, section 3.1), told row by row.

I: the sharpness is below 2/eta (progressive sharpening).  II: it is above and rising.  III: it is
above and falls.  IV: it is below again, until the loss is back to what it was right before
phase III; then I begins anew.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


class PhaseTracker:
    """Tells the phase of each row in turn, from its sharpness and loss.

    The sharpness oscillates with period two, so that what counts is its mean over two rows.  What
    the paper leaves open is settled so: once phase III has begun it lasts until the sharpness is
    below 2/eta; "around its value right before phase III" is at most the loss of the last row
    before it; and a sharpness that passes 2/eta again during IV begins II.

    Args:
        eta: learning rate.
    """

    def __init__(self, eta: float) -> None:
        if not eta > 0:
            raise ValueError(f"eta is {eta!r}, expected a positive learning rate")
        self.edge = 2 / eta
        self.phase = 0
        self._last = math.nan
        self._mean = math.nan
        self._level = math.inf
        self._loss = math.inf

    def __call__(self, sharpness: float, loss: float, movement: float | None = None) -> int:
        """The phase, 1 to 4, of the next row; 0 when the sharpness is not known (NaN).

        Args:
            movement: what tells rising from falling instead of the change of the sharpness, the
                change of the norm of the output layer, say (li22, assumption 3.1).
        """
        if math.isnan(sharpness) or math.isnan(loss):
            return 0
        mean = sharpness if math.isnan(self._last) else (sharpness + self._last) / 2
        change = mean - self._mean if movement is None else movement
        if mean < self.edge:
            if self.phase in (2, 3):
                # In a phase II that never turned into III the level is the loss before now.
                self._level = self._level if self.phase == 3 else self._loss
                self.phase = 4
            if self.phase != 4 or loss <= self._level:
                self.phase = 1
        elif self.phase == 3 or (self.phase == 2 and change < 0):
            if self.phase == 2:
                self._level = self._loss
            self.phase = 3
        else:
            self.phase = 2
        self._last, self._mean, self._loss = sharpness, mean, loss
        return self.phase

    def state(self) -> dict[str, float | int]:
        """What later phases depend on."""
        return {
            "edge": self.edge,
            "phase": self.phase,
            "last": self._last,
            "mean": self._mean,
            "level": self._level,
            "loss": self._loss,
        }

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> PhaseTracker:
        """The tracker whose :meth:`state` this is."""
        made = cls(1.0)
        made.edge, made.phase = float(state["edge"]), int(state["phase"])
        made._last, made._mean = float(state["last"]), float(state["mean"])
        made._level, made._loss = float(state["level"]), float(state["loss"])
        return made


def four_phases(
    sharpness: Iterable[float],
    loss: Iterable[float],
    eta: float,
    output: Iterable[float] | None = None,
) -> npt.NDArray[np.int64]:
    """The phases of recorded rows, (n,), each 1 to 4 (or 0 where the sharpness is NaN).

    Args:
        output: norms of the output layer; their change then tells rising from falling.
    """
    tracker = PhaseTracker(eta)
    found = []
    before = math.nan
    norms: Iterable[float | None] = _forever_none() if output is None else output
    for s, value, norm in zip(sharpness, loss, norms, strict=False):
        movement = None
        if norm is not None:
            movement = 0.0 if math.isnan(before) else float(norm) - before
            before = float(norm)
        found.append(tracker(float(s), float(value), movement))
    return np.array(found, dtype=np.int64)


def _forever_none() -> Iterable[None]:
    while True:
        yield None


def anomalies(
    sharpness: npt.ArrayLike, output: npt.ArrayLike
) -> tuple[npt.NDArray[np.int64], float]:
    """Rows from which sharpness and norm of the output layer move in opposite directions.

    Returns:
        Their indices, and their share of all steps (li22, section 3.2 and figure 2).
    """
    s = np.diff(np.asarray(sharpness, dtype=np.float64))
    a = np.diff(np.asarray(output, dtype=np.float64))
    opposite = np.flatnonzero(np.sign(s) != np.sign(a))
    return opposite, len(opposite) / max(1, len(s))
