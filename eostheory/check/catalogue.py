"""All checks of a loss, in the order in which they are run."""

from __future__ import annotations

import importlib

from eostheory.check.registry import CHECKS, Check

MODULES = (
    "evaluation",
    "derivatives",
    "smoothness",
    "scale_checks",
    "eigen_checks",
    "manifold_checks",
    "predictions_sharpening",
    "predictions_dynamics",
    "predictions_flow",
    "predictions_phases",
)
"""Where the checks are defined."""

_HERE = __name__.rpartition(".")[0]


def all_checks() -> dict[str, Check]:
    """Every check by name, in the order in which they are run."""
    for module in MODULES:
        importlib.import_module(f"{_HERE}.{module}")
    places = {f"{_HERE}.{module}": number for number, module in enumerate(MODULES)}
    ordered = sorted(CHECKS.values(), key=lambda c: places.get(c.body.__module__, len(places)))
    return {check.name: check for check in ordered}
