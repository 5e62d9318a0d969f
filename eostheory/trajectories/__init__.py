"""Compiled trajectories: from a sympy update rule to a fused loop over many starts."""

from __future__ import annotations

from eostheory.trajectories.recurrence import Recurrence

__all__ = ["Recurrence"]
