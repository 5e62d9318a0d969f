"""Executable theory of the edge of stability.

The statements of the papers are data (:mod:`eostheory.formula`); each is judged by a derivation
(:mod:`eostheory.symbolic`) and a simulation (:mod:`eostheory.numeric`) that do not see each other.

PYTEST_DONT_REWRITE: there is nothing to rewrite here, and pytest, which looks at packages that
bring a plugin, would warn where this one was imported before it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eostheory import check, curvature, derive, strategies, training, trajectories
    from eostheory.agree import Sample
    from eostheory.api import judge, verify
    from eostheory.check.engine import check_loss
    from eostheory.check.parametrize import parametrize_with_loss_checks
    from eostheory.claims import Claim
    from eostheory.formula import Equation, Inequality, OrderBound, Predicate
    from eostheory.symbolic import Model

__version__ = "0.1.0"

_HOMES = {
    "Claim": "eostheory.claims",
    "Equation": "eostheory.formula",
    "Inequality": "eostheory.formula",
    "Model": "eostheory.symbolic",
    "OrderBound": "eostheory.formula",
    "Predicate": "eostheory.formula",
    "Sample": "eostheory.agree",
    "check_loss": "eostheory.check.engine",
    "judge": "eostheory.api",
    "parametrize_with_loss_checks": "eostheory.check.parametrize",
    "verify": "eostheory.api",
}

_MODULES = {"check", "curvature", "derive", "strategies", "training", "trajectories"}

__all__ = [
    "Claim",
    "Equation",
    "Inequality",
    "Model",
    "OrderBound",
    "Predicate",
    "Sample",
    "__version__",
    "check",
    "check_loss",
    "curvature",
    "derive",
    "judge",
    "parametrize_with_loss_checks",
    "strategies",
    "training",
    "trajectories",
    "verify",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: ``eostheory --help`` must not import torch."""
    if name in _MODULES:
        return importlib.import_module(f"eostheory.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'eostheory' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
