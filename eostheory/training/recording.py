"""Opening the records of a run on an objective: where it stands, and what tells it from others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eostheory.numeric.autodiff import LossFunction
from eostheory.numeric.events import BecameNaN
from eostheory.numeric.objective import Objective
from eostheory.training.checkpoint import digest
from eostheory.training.record import Recorder


def objective_at(loss: Objective | LossFunction, start: Tensor) -> Objective:
    """``loss`` as an objective that ``start`` is a point of.

    Raises:
        ValueError, TypeError: a start that is no flat vector of finite numbers, or not one of the
            objective.
    """
    if not isinstance(start, Tensor):
        raise TypeError(f"the start is {type(start).__name__}, expected a tensor (D,)")
    if start.dim() != 1 or len(start) == 0:
        raise ValueError(f"the start has shape {tuple(start.shape)}, expected a flat vector (D,)")
    objective = Objective.of(loss, len(start), start.dtype, start.device)
    objective.check(start)
    if not bool(torch.isfinite(start).all()):
        raise ValueError("the start has entries that are not finite")
    return objective


def open_recorder(
    objective: Objective,
    start: Tensor,
    columns: Sequence[str],
    settings: Mapping[str, Any],
    *,
    folder: Path | str | None,
    resume: bool,
    changed_code: bool,
    checkpoint_every: int | None,
) -> Recorder:
    """The recorder of a run from ``start``, whose configuration names objective and start too.

    Args:
        settings: what else the run depends on; its "kind" tells kinds of runs apart.
        columns, folder, resume, changed_code, checkpoint_every: of
            :class:`~eostheory.training.record.Recorder`, which says what is raised.
    """
    return Recorder(
        columns,
        folder,
        configuration={**settings, **fingerprint(objective, start)},
        resume=resume,
        changed_code=changed_code,
        checkpoint_every=checkpoint_every,
    )


def fingerprint(objective: Objective, start: Tensor) -> dict[str, Any]:
    """What tells an objective and a start from others, for the configuration of a run."""
    try:
        value, gradient = objective.value_and_gradient(start)
        data = digest(value, gradient)
    except BecameNaN:
        data = "not finite"
    return {
        "size": objective.size,
        "dtype": str(objective.dtype),
        "device": objective.device.type,
        "start": digest(start),
        "loss and gradient at the start": data,
    }
