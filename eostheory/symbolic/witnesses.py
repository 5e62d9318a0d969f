"""Exact refutations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eostheory.formula import Statement

if TYPE_CHECKING:
    from eostheory.symbolic.model import Model


def refute(model: Model, statement: Statement) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """An exact counterexample and what was tried."""
    return None, ("no instance",)
