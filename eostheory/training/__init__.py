"""Training dynamics of real models: gradient descent and its flows, measured and recorded.

Names are loaded when they are asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eostheory.training.center import Center, expand
    from eostheory.training.checkpoint import CheckpointError, digest
    from eostheory.training.constrained import (
        ConstrainedStep,
        ConstrainedTrajectory,
        Edge,
        EdgeNotReached,
        EigengapClosed,
        reach_edge,
    )
    from eostheory.training.descent import Tracked, gradient_descent
    from eostheory.training.deviation import Deviation, track_deviation
    from eostheory.training.flow import gradient_flow
    from eostheory.training.generalized import (
        Excess,
        GeneralizedDynamics,
        Limit,
        limiting_sharpness,
    )
    from eostheory.training.measure import Measurer, Missed
    from eostheory.training.minimizers import Minimizers, Slope
    from eostheory.training.phases import PhaseTracker, anomalies, four_phases
    from eostheory.training.predicted import (
        PredictedDynamics,
        Prediction,
        Transfers,
        advance,
        transfer,
    )
    from eostheory.training.projection import Projected, Projector, UnconvergedProjection, project
    from eostheory.training.quantities import (
        Coefficients,
        Displacement,
        Reference,
        coefficients,
        effective_learning_rate,
        is_scale_invariant,
        local_displacement,
    )
    from eostheory.training.record import Recorder, RecordError, Records, read_records
    from eostheory.training.reduction import compare_with_reduction_flow, sharpness_reduction_flow
    from eostheory.training.several import BlockReference, SeveralDynamics, block_reference
    from eostheory.training.several_losses import block_quartic
    from eostheory.training.several_top import TooManyUnstable, Top, TopPairs, aligned
    from eostheory.training.several_track import Unstable, compare_several, track_unstable

_WHERE = {
    "center": ("Center", "expand"),
    "checkpoint": (
        "CheckpointError",
        "digest",
    ),
    "constrained": (
        "ConstrainedStep",
        "ConstrainedTrajectory",
        "Edge",
        "EdgeNotReached",
        "EigengapClosed",
        "reach_edge",
    ),
    "descent": (
        "Tracked",
        "gradient_descent",
    ),
    "deviation": (
        "Deviation",
        "track_deviation",
    ),
    "flow": ("gradient_flow",),
    "generalized": (
        "Excess",
        "GeneralizedDynamics",
        "Limit",
        "limiting_sharpness",
    ),
    "measure": ("Measurer", "Missed"),
    "minimizers": (
        "Minimizers",
        "Slope",
    ),
    "phases": (
        "PhaseTracker",
        "anomalies",
        "four_phases",
    ),
    "predicted": (
        "PredictedDynamics",
        "Prediction",
        "Transfers",
        "advance",
        "transfer",
    ),
    "projection": ("Projected", "Projector", "UnconvergedProjection", "project"),
    "quantities": (
        "Coefficients",
        "Displacement",
        "Reference",
        "coefficients",
        "effective_learning_rate",
        "is_scale_invariant",
        "local_displacement",
    ),
    "record": (
        "RecordError",
        "Recorder",
        "Records",
        "read_records",
    ),
    "reduction": (
        "compare_with_reduction_flow",
        "sharpness_reduction_flow",
    ),
    "several": (
        "BlockReference",
        "SeveralDynamics",
        "block_reference",
    ),
    "several_losses": ("block_quartic",),
    "several_top": (
        "Top",
        "TooManyUnstable",
        "TopPairs",
        "aligned",
    ),
    "several_track": (
        "Unstable",
        "compare_several",
        "track_unstable",
    ),
}
_HOME = {name: module for module, names in _WHERE.items() for name in names}

__all__ = [
    "BlockReference",
    "Center",
    "CheckpointError",
    "Coefficients",
    "ConstrainedStep",
    "ConstrainedTrajectory",
    "Deviation",
    "Displacement",
    "Edge",
    "EdgeNotReached",
    "EigengapClosed",
    "Excess",
    "GeneralizedDynamics",
    "Limit",
    "Measurer",
    "Minimizers",
    "Missed",
    "PhaseTracker",
    "PredictedDynamics",
    "Prediction",
    "Projected",
    "Projector",
    "RecordError",
    "Recorder",
    "Records",
    "Reference",
    "SeveralDynamics",
    "Slope",
    "TooManyUnstable",
    "Top",
    "TopPairs",
    "Tracked",
    "Transfers",
    "UnconvergedProjection",
    "Unstable",
    "advance",
    "aligned",
    "anomalies",
    "block_quartic",
    "block_reference",
    "coefficients",
    "compare_several",
    "compare_with_reduction_flow",
    "digest",
    "effective_learning_rate",
    "expand",
    "four_phases",
    "gradient_descent",
    "gradient_flow",
    "is_scale_invariant",
    "limiting_sharpness",
    "local_displacement",
    "project",
    "reach_edge",
    "read_records",
    "sharpness_reduction_flow",
    "track_deviation",
    "track_unstable",
    "transfer",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
