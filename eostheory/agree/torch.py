"""Measured quantities from torch computations: the bounds of a running error analysis.

with Rounding() as rounding:
    g = gradient(loss, w)
    sample.observe({grad: rounding(g), point: rounding(w)})
"""

from __future__ import annotations

import torch
from torch import Tensor

from eostheory.agree.measured import Measured, as_array
from eostheory.numeric.rounding import RunningError


class Rounding(RunningError):
    """A running error analysis whose tensors can be taken as :class:`Measured`.

    Everything that torch computes inside the context (also through autograd, also by the
    functions of :mod:`eostheory.numeric`) carries a bound on its rounding error against the
    exact result from the same inputs.  Tensors made outside count as exact inputs.
    """

    def __call__(self, x: Tensor) -> Measured:
        """``x`` with its bound."""
        error = self.error(x)
        with torch._C._DisableTorchDispatch():
            value, bound = as_array(x), as_array(error)
        if value.ndim == 0:
            return Measured(float(value), float(bound))
        return Measured(value.copy(), bound.copy())
