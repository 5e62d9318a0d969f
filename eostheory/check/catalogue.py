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
)
"""Where the checks are defined."""


def all_checks() -> dict[str, Check]:
    """Every check by name, in the order in which they are run."""
    for module in MODULES:
        importlib.import_module(f"eostheory.check.{module}")
    return CHECKS
