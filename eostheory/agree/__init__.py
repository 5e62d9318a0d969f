"""Comparison of measurements with statements: error bounds, instances, orders."""

from eostheory.agree.compare import Comparison, compare, compare_derivation
from eostheory.agree.evaluate import evaluate
from eostheory.agree.functions import EvaluationError
from eostheory.agree.measured import (
    Measured,
    MeasureError,
    as_measured,
    exact,
    gamma,
    measured,
)
from eostheory.agree.record import Instance, Observation, Record
from eostheory.agree.sample import NotFinite, Rejected, Sample
from eostheory.agree.simulate import replay, shrink, simulate

__all__ = [
    "Comparison",
    "EvaluationError",
    "Instance",
    "MeasureError",
    "Measured",
    "NotFinite",
    "Observation",
    "Record",
    "Rejected",
    "Sample",
    "as_measured",
    "compare",
    "compare_derivation",
    "evaluate",
    "exact",
    "gamma",
    "measured",
    "replay",
    "shrink",
    "simulate",
]
