"""The data of a built-in sympy problem, read back from its formulas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import sympy
from sympy import Expr, Symbol

from eostheory.trajectories.reductions_affine import affine_batch_norm
from eostheory.trajectories.reductions_batchnorm import linear_batch_norm
from eostheory.trajectories.reductions_linear import two_layer_linear
from eostheory.trajectories.rules_gradient import Problem

if TYPE_CHECKING:
    from torch import Tensor

    from eostheory.trajectories.reductions_base import Reduction


def of_network(problem: Problem) -> Reduction | None:
    """The reduction of ``linear_network(inputs, targets, width)`` with numbers for its data."""
    width = sum(str(v).startswith("a_") for v in problem.variables)
    slopes = [s for s, _ in problem.definitions if str(s).startswith("v_")]
    residuals = [e for s, e in problem.definitions if str(s).startswith("D_")]
    parts = _affine(residuals, slopes)
    if parts is None:
        return None
    rows, offsets = parts
    return two_layer_linear(width**0.5 * rows.T, -offsets, width)


def of_batch_norm(problem: Problem) -> Reduction | None:
    """The reduction of ``batch_normalised_regression(inputs, targets)`` with numbers for data."""
    meaning = dict(problem.definitions)
    scores = [s for s in meaning if str(s).startswith("z_")]
    widths = [s for s in meaning if str(s) == "deviation"]
    weights = [v for v in problem.variables if str(v).startswith("w_")]
    parts = _affine([meaning[s] for s in scores], weights)
    if parts is None or not widths:
        return None
    # with the deviation held, the loss is quadratic in each score: its two derivatives at zero
    # are 2 gamma (beta - y_i)/n and 2 gamma^2/n
    trained = [v for v in problem.variables if v not in weights]
    fixed = problem.loss.xreplace({widths[0]: sympy.Integer(1)})
    fixed = fixed.xreplace({v: sympy.Integer(str(v) == "gamma") for v in trained})
    none = dict.fromkeys(scores, sympy.Integer(0))
    slopes = [sympy.diff(fixed, s) for s in scores]
    count = len(scores)
    bend = sympy.diff(slopes[0], scores[0]) * count / 2
    first = [slope.xreplace(none) * count / 2 for slope in slopes]
    if not all(e.is_number for e in (bend, *first)) or bend == 0:
        return None  # with equal targets gamma is zero, and the loss a constant
    gamma = sympy.sqrt(bend)
    targets = _tensor([float(-e / gamma) for e in first])
    if trained:
        return affine_batch_norm(parts[0], targets)
    return linear_batch_norm(parts[0], targets, gamma=float(gamma), beta=0.0)


def _affine(
    expressions: Sequence[Expr], variables: Sequence[Symbol]
) -> tuple[Tensor, Tensor] | None:
    """Slopes (k, n_variables) and offsets (k,) of affine expressions; None if not of numbers."""
    none = dict.fromkeys(variables, sympy.Integer(0))
    slopes = [[sympy.diff(e, v) for v in variables] for e in expressions]
    offsets = [e.xreplace(none) for e in expressions]
    if not slopes or not all(e.is_number for row in (*slopes, offsets) for e in row):
        return None
    return (
        _tensor([[float(e) for e in row] for row in slopes]),
        _tensor([float(e) for e in offsets]),
    )


def _tensor(values: object) -> Tensor:
    import torch

    return torch.tensor(values, dtype=torch.float64)
