"""What rounding may do to a computed quantity: a bound where every operation is modelled, and an
estimate from inputs moved by their last digit, where not.

The bound is that of :class:`~eostheory.numeric.rounding.RunningError`.  It knows worst cases only
and cannot see roundings outside of torch, so the estimate is always made as well: the bound is
taken between one and :data:`SLACK` times the estimate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from eostheory.numeric.rounding import RunningError

SLACK = 1e3
"""A running error bound beyond so many times the estimate is a worst case that does not happen."""

SPREADS = 8.0
"""Largest deviations seen that the estimate allows for."""


@dataclass(frozen=True, eq=False)
class Bounded:
    """A computed tensor and how far it may be from the exact one.

    Args:
        error: on every entry, the largest.
        modelled: every operation has a rounding model; otherwise ``error`` is an estimate.
    """

    value: Tensor
    error: float
    modelled: bool

    @property
    def how(self) -> str:
        """What ``error`` is, in words."""
        return "rounding explains at most" if self.modelled else "rounding makes an estimated"


def bounded(compute: Callable[[Tensor], Tensor], w: Tensor, samples: int = 6) -> Bounded:
    """``compute(w)`` with what rounding may have done to it; w itself counts as exact.

    Args:
        compute: a function of a flat tensor that stays on tensors from end to end.
        samples: inputs moved by their last digit.

    Raises:
        BecameNaN: where ``compute`` raises it.
    """
    value = compute(w)
    spread = 0.0
    draw = torch.Generator().manual_seed(0)
    eps = torch.finfo(w.dtype).eps
    for _ in range(samples):
        sign = torch.randint(0, 2, w.shape, generator=draw).to(w) * 2 - 1
        moved = compute(w * (1 + eps * sign))
        spread = max(spread, float((moved - value).abs().max()))
    size = float(value.abs().max()) if value.numel() else 0.0
    estimate = SPREADS * (spread + eps * size)
    try:
        with RunningError() as run:
            out = compute(run.fresh(w))
        worst = float(run.error(out).max())
    except NotImplementedError:
        return Bounded(value, estimate, False)
    return Bounded(value, max(estimate, min(worst, SLACK * estimate)), True)
