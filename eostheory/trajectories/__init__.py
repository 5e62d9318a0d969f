"""Compiled trajectories: from a sympy update rule to a fused loop over many starts."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eostheory.trajectories.loading import load
    from eostheory.trajectories.lowering import lower
    from eostheory.trajectories.program import Program
    from eostheory.trajectories.recurrence import Recurrence
    from eostheory.trajectories.reductions import (
        AffineBatchNorm,
        DroppedVariables,
        EigenCoordinates,
        LinearBatchNorm,
        Reduction,
        Rotated,
        Sphere,
        TwoLayerLinear,
        affine_batch_norm,
        closes,
        commutes,
        dropped_variables,
        linear_batch_norm,
        operations,
        quadratic,
        reductions_of,
        scale_invariant,
        scale_invariant_3d,
        self_stabilisation,
        two_layer_linear,
    )
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
    from eostheory.trajectories.run import Run, Status
    from eostheory.trajectories.simulation import Compiled, compile, simulate

_HOME = {
    "AffineBatchNorm": "reductions",
    "Compiled": "simulation",
    "DroppedVariables": "reductions",
    "EigenCoordinates": "reductions",
    "LinearBatchNorm": "reductions",
    "Problem": "rules_gradient",
    "Program": "program",
    "Recurrence": "recurrence",
    "Reduction": "reductions",
    "Rotated": "reductions",
    "Run": "run",
    "Scheduler": "rules_schedulers",
    "Sphere": "reductions",
    "Status": "run",
    "TwoLayerLinear": "reductions",
    "affine_batch_norm": "reductions",
    "batch_normalised_regression": "rules_losses",
    "closes": "reductions",
    "commutes": "reductions",
    "compile": "simulation",
    "constant_rate": "rules_schedulers",
    "direction": "rules_record",
    "drift_energy": "rules_record",
    "dropped_variables": "reductions",
    "effective_rate": "rules_record",
    "gradient_descent": "rules",
    "gwsi_scheduler": "rules_schedulers",
    "linear_batch_norm": "reductions",
    "linear_network": "rules_losses",
    "load": "loading",
    "lower": "lowering",
    "operations": "reductions",
    "predicted_dynamics": "rules_models",
    "projected_gradient_descent": "rules",
    "quadratic": "reductions",
    "quadratic_ratio": "rules_losses",
    "quasi_rmsprop_scheduler": "rules_schedulers",
    "recurrence_of": "rules",
    "reductions_of": "reductions",
    "rms_drift": "rules_models",
    "rmsprop": "rules",
    "rmsprop_scheduler": "rules_schedulers",
    "scale_invariant": "reductions",
    "scale_invariant_3d": "reductions",
    "self_stabilisation": "reductions",
    "self_stabilisation_toy": "rules_losses",
    "simulate": "simulation",
    "three_dimensional_example": "rules_losses",
    "two_layer_linear": "reductions",
    "weight_decay_scheduler": "rules_schedulers",
}

__all__ = [
    "AffineBatchNorm",
    "Compiled",
    "DroppedVariables",
    "EigenCoordinates",
    "LinearBatchNorm",
    "Problem",
    "Program",
    "Recurrence",
    "Reduction",
    "Rotated",
    "Run",
    "Scheduler",
    "Sphere",
    "Status",
    "TwoLayerLinear",
    "affine_batch_norm",
    "batch_normalised_regression",
    "closes",
    "commutes",
    "compile",
    "constant_rate",
    "direction",
    "drift_energy",
    "dropped_variables",
    "effective_rate",
    "gradient_descent",
    "gwsi_scheduler",
    "linear_batch_norm",
    "linear_network",
    "load",
    "lower",
    "operations",
    "predicted_dynamics",
    "projected_gradient_descent",
    "quadratic",
    "quadratic_ratio",
    "quasi_rmsprop_scheduler",
    "recurrence_of",
    "reductions_of",
    "rms_drift",
    "rmsprop",
    "rmsprop_scheduler",
    "scale_invariant",
    "scale_invariant_3d",
    "self_stabilisation",
    "self_stabilisation_toy",
    "simulate",
    "three_dimensional_example",
    "two_layer_linear",
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
