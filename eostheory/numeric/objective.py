"""The loss of a torch module on its data, as a function of one flat vector of parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from eostheory.numeric.flat import Layout, Objective
from eostheory.numeric.modules import build

__all__ = ["Layout", "Objective", "module_objective"]


def module_objective(
    module: torch.nn.Module,
    criterion: Callable[[Any, Any], Tensor],
    inputs: Any,
    targets: Any = None,
    *,
    chunk: int | None = None,
    reduction: str | None = None,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
    output: str | None = None,
    probe: bool = True,
) -> tuple[Objective, Tensor]:
    """The loss of ``module`` on all of its data, and the parameters it has now.

    The module is copied: later changes to it do not reach the objective, and the objective does
    not change it.  Parameters that require no gradient and buffers keep their values.

    Args:
        criterion: ``criterion(module(inputs), targets)`` is the loss, a scalar.
        inputs: a tensor of examples (N, ...); a tuple of such tensors for a module of several
            arguments, or a dict for one of named arguments; or, when ``targets`` is None, batches
            ``(inputs, targets)`` that are read anew in every evaluation, for data larger than
            memory: a sequence, an iterable that can be iterated repeatedly in one order, or a
            callable that returns an iterator.
        targets: (N, ...), a tensor or a tuple or dict of tensors.
        chunk: examples per chunk; None for all at once.
        reduction: "mean" or "sum" over the examples; None to ask ``criterion.reduction``.  Only
            matters when there are several chunks, which are then weighted so that the whole is
            exactly the criterion on all examples (class weights and ignored targets of
            ``CrossEntropyLoss`` and ``NLLLoss`` included).
        dtype: float64 or float32; everything of floating point is converted.
        device: where to compute; None for
            :func:`~eostheory.numeric.device.default_device`.
        output: name of the weight of the output layer; None to find it.
        probe: whether to evaluate the loss and refuse one that is no smooth function of the
            parameters; False for a caller that judges this itself.

    Returns:
        The objective, and the flat start of shape (D,).

    Raises:
        TypeError: float16, bfloat16 or complex parameters or inputs.
        ValueError: a loss that is not a scalar, changes between two evaluations (dropout, shuffled
            batches), couples the examples of a batch although there are several chunks (batch
            norm in training mode), or does not depend on the parameters; data or parameters that
            are not finite; each with what to do.
    """
    return build(module, criterion, inputs, targets, chunk, reduction, dtype, device, output, probe)
