"""The loss under test, whatever it came as, and what was declared about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from eostheory.numeric.objective import Objective

LossFunction = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Domain:
    """Where a loss is defined; a property is demanded there only.

    Args:
        low, high: bounds on every coordinate; infinite where there is none.
        contains: further condition on a point (D,), or None.
        hole: points shorter than this are outside (scale-invariant losses have no value at 0).
        center: of a further box (D,), or None.
        radius: half of a side of that box.
        declared: whether the user said so; otherwise it is only where we look.
    """

    low: float = -float("inf")
    high: float = float("inf")
    contains: Callable[[Tensor], bool] | None = None
    hole: float = 0.0
    center: Tensor | None = None
    radius: float = float("inf")
    declared: bool = False

    def __contains__(self, w: Tensor) -> bool:
        inside = bool((w >= self.low).all() and (w <= self.high).all())
        if inside and self.center is not None:
            inside = bool(((w - self.center).abs() <= self.radius * (1 + 1e-12)).all())
        if inside and self.hole > 0:
            inside = float(torch.linalg.vector_norm(w)) >= self.hole
        return inside and (self.contains is None or bool(self.contains(w)))


@dataclass(frozen=True, eq=False)
class Declarations:
    """What the user says about the loss; false declarations are findings.

    Args:
        scale_invariant: ``L(c w) = L(w)`` for c > 0; None for "find out".
        manifold: maps t of shape (k,) to a minimizer (D,), a chart of the manifold of minimizers.
        hessian: maps w (D,) to the exact Hessian (D, D).
    """

    scale_invariant: bool | None = None
    manifold: Callable[[Tensor], Tensor] | None = None
    hessian: Callable[[Tensor], Tensor] | None = None


@dataclass(frozen=True, eq=False)
class Subject:
    """A loss as the checks see it.

    Args:
        name: how reports call it.
        kind: function, module or sympy.
        loss: flat tensor (D,) -> scalar, what the user gave in all but its identity (for a
            module: its objective).
        objective: the same as :class:`Objective`.
        size: D.
        start: (D,) float64, where real runs begin.
        domain: where properties are demanded.
        learning_rate, weight_decay: of the real runs; None to choose.
        points: the user's generator of points (a Hypothesis strategy of tensors), or None.
        expression: the sympy expression and its variables, for kind sympy.
        target: how to import it again (``module:function``, ``path.py:function``), if known.
        direct: whether the target is the loss itself, not something that holds or makes it.
        refusal: why :func:`~eostheory.numeric.objective.module_objective` would not take the
            module; the checks show the same thing.
        module, criterion, inputs, targets: what the user gave, for kind module.
        start_code: a Python expression for ``start``, where it can be written in one line.
    """

    name: str
    kind: str
    loss: LossFunction = field(repr=False)
    objective: Objective = field(repr=False)
    size: int
    start: Tensor = field(repr=False)
    domain: Domain = field(default_factory=Domain)
    declared: Declarations = field(default_factory=Declarations)
    learning_rate: float | None = None
    weight_decay: float | None = None
    points: Any = None
    expression: tuple[Any, tuple[Any, ...]] | None = None
    target: str | None = None
    direct: bool = False
    refusal: str | None = None
    module: Any = field(default=None, repr=False)
    criterion: Any = field(default=None, repr=False)
    inputs: Any = field(default=None, repr=False)
    targets: Any = field(default=None, repr=False)
    start_code: str | None = None
