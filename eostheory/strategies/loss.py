"""A loss that was drawn: what it computes, what is true of it, and how to make it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor


@dataclass(frozen=True, eq=False)
class DrawnLoss:
    """A loss of a flat float64 vector (D,), ready for ``eostheory.check_loss``.

    Args:
        name: what its family is called.
        size: number D of parameters.
        start: (D,) float64, a sensible place to begin a run.
        function: (D,) -> scalar.
        code: the expression that makes it again, with ``strategies`` in scope.
        declarations: true keyword arguments of ``check_loss`` (``scale_invariant``, ``manifold``,
            ``hessian``, ``learning_rate``).
        data: the tensors it is made of, by name.
    """

    name: str
    size: int
    start: Tensor = field(repr=False)
    function: Callable[[Tensor], Tensor] = field(repr=False)
    code: str
    declarations: Mapping[str, Any] = field(default_factory=dict, repr=False)
    data: Mapping[str, Tensor] = field(default_factory=dict, repr=False)

    def __call__(self, w: Tensor) -> Tensor:
        return self.function(w)

    def __repr__(self) -> str:
        return self.code


def call(name: str, **arguments: object) -> str:
    """The call ``strategies.name(...)``, numbers in as few characters as give them back."""
    return f"strategies.{name}({', '.join(f'{k}={_text(v)}' for k, v in arguments.items())})"


def _text(value: object) -> str:
    if isinstance(value, float):
        return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_text(v) for v in value) + "]"
    return repr(value)
