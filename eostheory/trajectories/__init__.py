"""Compiled trajectories: from a sympy update rule to a fused loop over many starts."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eostheory.trajectories.lowering import lower
    from eostheory.trajectories.program import Program
    from eostheory.trajectories.recurrence import Recurrence
    from eostheory.trajectories.rules import (
        gradient_descent,
        projected_gradient_descent,
        recurrence_of,
        rmsprop,
    )
    from eostheory.trajectories.rules_gradient import (
        Problem,
    )
    from eostheory.trajectories.rules_losses import (
        batch_normalised_regression,
        linear_network,
        quadratic_ratio,
        self_stabilisation_toy,
        three_dimensional_example,
    )
    from eostheory.trajectories.rules_models import (
        predicted_dynamics,
        rms_drift,
    )
    from eostheory.trajectories.rules_record import (
        direction,
        drift_energy,
        effective_rate,
    )
    from eostheory.trajectories.rules_schedulers import (
        Scheduler,
        constant_rate,
        gwsi_scheduler,
        quasi_rmsprop_scheduler,
        rmsprop_scheduler,
        weight_decay_scheduler,
    )
    from eostheory.trajectories.run import Run, Status, load
    from eostheory.trajectories.simulation import Compiled, compile, simulate

_HOME = {
    "Compiled": "simulation",
    "Problem": "rules_gradient",
    "Program": "program",
    "Recurrence": "recurrence",
    "Run": "run",
    "Scheduler": "rules_schedulers",
    "Status": "run",
    "batch_normalised_regression": "rules_losses",
    "compile": "simulation",
    "constant_rate": "rules_schedulers",
    "direction": "rules_record",
    "drift_energy": "rules_record",
    "effective_rate": "rules_record",
    "gradient_descent": "rules",
    "gwsi_scheduler": "rules_schedulers",
    "linear_network": "rules_losses",
    "load": "run",
    "lower": "lowering",
    "predicted_dynamics": "rules_models",
    "projected_gradient_descent": "rules",
    "quadratic_ratio": "rules_losses",
    "quasi_rmsprop_scheduler": "rules_schedulers",
    "recurrence_of": "rules",
    "rms_drift": "rules_models",
    "rmsprop": "rules",
    "rmsprop_scheduler": "rules_schedulers",
    "self_stabilisation_toy": "rules_losses",
    "simulate": "simulation",
    "three_dimensional_example": "rules_losses",
    "weight_decay_scheduler": "rules_schedulers",
}

__all__ = [
    "Compiled",
    "Problem",
    "Program",
    "Recurrence",
    "Run",
    "Scheduler",
    "Status",
    "batch_normalised_regression",
    "compile",
    "constant_rate",
    "direction",
    "drift_energy",
    "effective_rate",
    "gradient_descent",
    "gwsi_scheduler",
    "linear_network",
    "load",
    "lower",
    "predicted_dynamics",
    "projected_gradient_descent",
    "quadratic_ratio",
    "quasi_rmsprop_scheduler",
    "recurrence_of",
    "rms_drift",
    "rmsprop",
    "rmsprop_scheduler",
    "self_stabilisation_toy",
    "simulate",
    "three_dimensional_example",
    "weight_decay_scheduler",
]


def __getattr__(name: str) -> Any:
    # torch, sympy and LLVM are imported by whoever first needs them
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value  # a submodule of that name must not stand for the function
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
