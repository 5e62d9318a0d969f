"""Derive the theory for your own objects: losses, schedulers, batch norm, linear networks, flows.

Sympy goes in and comes out.  Results are exact, carry the hypotheses under which they hold (each
checked where it can be), and go to LaTeX, sympy and torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eostheory.derive.batchnorm import batchnorm
    from eostheory.derive.errors import DerivationError
    from eostheory.derive.flows import flow, hessian, scale_invariance, vector_field
    from eostheory.derive.grammar import FormulaError, parse
    from eostheory.derive.losses import LossGeometry, loss
    from eostheory.derive.manifold import sharpness_flow
    from eostheory.derive.networks import linear_network
    from eostheory.derive.result import Derived, Hypothesis
    from eostheory.derive.schedulers import scheduler
    from eostheory.derive.several import several_dynamics
    from eostheory.derive.trajectories import trajectory, update_rule

_HOMES = {
    "DerivationError": "errors",
    "Derived": "result",
    "FormulaError": "grammar",
    "Hypothesis": "result",
    "LossGeometry": "losses",
    "batchnorm": "batchnorm",
    "flow": "flows",
    "hessian": "flows",
    "linear_network": "networks",
    "loss": "losses",
    "parse": "grammar",
    "scheduler": "schedulers",
    "several_dynamics": "several",
    "sharpness_flow": "manifold",
    "scale_invariance": "flows",
    "trajectory": "trajectories",
    "update_rule": "trajectories",
    "vector_field": "flows",
}

__all__ = [
    "DerivationError",
    "Derived",
    "FormulaError",
    "Hypothesis",
    "LossGeometry",
    "batchnorm",
    "flow",
    "hessian",
    "linear_network",
    "loss",
    "parse",
    "scale_invariance",
    "scheduler",
    "several_dynamics",
    "sharpness_flow",
    "trajectory",
    "update_rule",
    "vector_field",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'eostheory.derive' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"eostheory.derive.{_HOMES[name]}"), name)
    # the module batchnorm has the name of its function; importing it has set the module here
    globals()[name] = value
    return value
