"""Compiled trajectories: from a sympy update rule to a fused loop over many starts."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eostheory.trajectories.lowering import lower
    from eostheory.trajectories.program import Program
    from eostheory.trajectories.recurrence import Recurrence
    from eostheory.trajectories.run import Run, Status, load
    from eostheory.trajectories.simulation import Compiled, compile, simulate

_HOME = {
    "Compiled": "simulation",
    "Program": "program",
    "Recurrence": "recurrence",
    "Run": "run",
    "Status": "run",
    "compile": "simulation",
    "load": "run",
    "lower": "lowering",
    "simulate": "simulation",
}

__all__ = [
    "Compiled",
    "Program",
    "Recurrence",
    "Run",
    "Status",
    "compile",
    "load",
    "lower",
    "simulate",
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
