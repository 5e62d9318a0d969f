"""Property-test a loss against the theory: which theorems apply, and do their predictions hold."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eostheory.check.engine import Examination, Interrupted, check_loss
    from eostheory.check.finding import Counterexample, InputError, Outcome, Recipe, Status
    from eostheory.check.parametrize import parametrize_with_loss_checks
    from eostheory.check.recorded import ReplayError, replay
    from eostheory.check.report import Finding, LossReport
    from eostheory.check.selection import UnknownCheck
    from eostheory.check.subject import Domain

_HOMES = {
    "Counterexample": "finding",
    "Domain": "subject",
    "Examination": "engine",
    "Finding": "report",
    "InputError": "finding",
    "Interrupted": "engine",
    "LossReport": "report",
    "Outcome": "finding",
    "Recipe": "finding",
    "ReplayError": "recorded",
    "Status": "finding",
    "UnknownCheck": "selection",
    "check_loss": "engine",
    "parametrize_with_loss_checks": "parametrize",
    "replay": "recorded",
}

__all__ = [
    "Counterexample",
    "Domain",
    "Examination",
    "Finding",
    "InputError",
    "Interrupted",
    "LossReport",
    "Outcome",
    "Recipe",
    "ReplayError",
    "Status",
    "UnknownCheck",
    "check_loss",
    "parametrize_with_loss_checks",
    "replay",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: a pytest plugin must not import torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'eostheory.check' has no attribute {name!r}")
    return getattr(importlib.import_module(f"eostheory.check.{_HOMES[name]}"), name)
