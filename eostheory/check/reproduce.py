"""Lines of Python that show a violation again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from eostheory.check.finding import Recipe

if TYPE_CHECKING:
    from eostheory.check.context import Context


def reproduce(
    context: Context, name: str, inputs: Mapping[str, Any], details: Mapping[str, Any]
) -> str:
    """Lines that show again what ``name`` found on ``inputs``."""
    lines = []
    for key, value in inputs.items():
        lines.append(f"{key} = {value.code if isinstance(value, Recipe) else value!r}")
    return "\n".join(lines)
