"""Where a dynamics closes on fewer variables: the reductions, and how to find and check one.

    reduced = linear_batch_norm(X, y)                  # d weights become r <= min(n - 1, d) numbers
    start = reduced.reduce(w)                          # (n_state,) or (n_state, B)
    run = simulate(reduced.recurrence(["loss", "effective_rate"]), start,
                   reduced.parameters(eta=0.5, weight_decay=2e-4), steps=20_000)

Every reduction here is stated and judged like a claim of a paper in ``proofs/engine``: the reduced
update is derived from the loss for all sizes and compared with gradient descent on the full model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sympy
from sympy import Expr, Symbol

from eostheory.trajectories.lowering import lower
from eostheory.trajectories.recurrence import Recurrence
from eostheory.trajectories.reductions_affine import AffineBatchNorm, affine_batch_norm
from eostheory.trajectories.reductions_base import Reduction
from eostheory.trajectories.reductions_batchnorm import (
    LinearBatchNorm,
    Rotated,
    linear_batch_norm,
    scale_invariant_3d,
)
from eostheory.trajectories.reductions_linear import TwoLayerLinear, two_layer_linear
from eostheory.trajectories.reductions_loss import (
    DroppedVariables,
    Sphere,
    closes,
    dropped_variables,
    is_scale_invariant,
    scale_invariant,
    self_stabilisation,
)
from eostheory.trajectories.reductions_problem import of_batch_norm, of_network
from eostheory.trajectories.reductions_quadratic import EigenCoordinates, quadratic
from eostheory.trajectories.rules_gradient import Problem
from eostheory.trajectories.rules_losses import self_stabilisation_toy, three_dimensional_example

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "AffineBatchNorm",
    "DroppedVariables",
    "EigenCoordinates",
    "LinearBatchNorm",
    "Reduction",
    "Rotated",
    "Sphere",
    "TwoLayerLinear",
    "affine_batch_norm",
    "closes",
    "commutes",
    "dropped_variables",
    "linear_batch_norm",
    "operations",
    "quadratic",
    "reductions_of",
    "scale_invariant",
    "scale_invariant_3d",
    "self_stabilisation",
    "two_layer_linear",
]


def operations(recurrence: Recurrence) -> int:
    """Number of arithmetic operations of one compiled step, without what is done once."""
    return len(lower(recurrence).body)


def commutes(
    full: Recurrence, mapping: Mapping[Symbol, Expr], reduced: Recurrence
) -> dict[Symbol, Expr]:
    """Whether a map carries one recurrence to another: ``map(full step) = reduced step(map)``.

    Args:
        full: the recurrence in full variables.
        mapping: each reduced state variable in terms of the full ones (and parameters).
        reduced: the recurrence in reduced variables.

    Returns:
        The remainders that sympy does not simplify to zero, by state variable: empty if the
        reduction is exact.

    Raises:
        ValueError: a reduced state variable without an image.
    """
    if missing := [str(s) for s in reduced.state if s not in mapping]:
        raise ValueError(f"the map says nothing of {', '.join(missing)}")
    image = {s: mapping[s] for s in reduced.state}
    before = dict(zip(full.state, _spelled_out(full), strict=True))
    # a parameter is known by its name, whatever either side assumes of it
    ours = {str(p): p for p in full.parameters}
    shared = {p: ours.get(str(p), p) for p in reduced.parameters}
    found = {}
    for symbol, following in zip(reduced.state, _spelled_out(reduced), strict=True):
        meant = following.xreplace(shared).xreplace(image)
        rest = sympy.expand(image[symbol].xreplace(before) - meant)
        if rest != 0 and not rest.is_polynomial():
            rest = sympy.simplify(rest)
        if rest != 0:
            found[symbol] = rest
    return found


def _spelled_out(recurrence: Recurrence) -> list[Expr]:
    """The update without locals."""
    known: dict[Expr, Expr] = {}
    for symbol, expression in recurrence.locals:
        known[symbol] = expression.xreplace(known)
    return [e.xreplace(known) for e in recurrence.update]


def reductions_of(
    model: object,
    inputs: Tensor | None = None,
    targets: Tensor | None = None,
    *,
    variables: Sequence[Symbol] | None = None,
    values: Mapping[str, float] | None = None,
) -> tuple[Reduction, ...]:
    """The reductions that apply to gradient descent on a model, the smallest first.

    Args:
        model: data of a regression with batch normalisation (``numeric.batchnorm``), one of the
            batch-normalised losses of ``numeric``, a torch module of two bias-free linear layers
            with one output or of a bias-free linear layer and a batch normalisation, or a sympy
            loss (an expression with ``variables``, or a built-in problem).
        inputs: (n, d), for a module.
        targets: (n,) or (n, 1), for a module; the loss is the mean squared error.
        variables: of a sympy expression.
        values: numbers of the constants of a sympy loss.

    Returns:
        Empty where none of them is known to apply: that says nothing about others.

    Raises:
        TypeError: a model of another kind.
        ValueError: data whose shapes do not fit, or that the model cannot be trained on.
    """
    import torch

    from eostheory.numeric.batchnorm import RegressionData
    from eostheory.numeric.losses import Loss

    if isinstance(model, Problem):
        return _of_loss(model, dict(values or {}))
    if _is_expression(model):
        return _of_loss(Problem(model, tuple(variables or ())), dict(values or {}))
    if isinstance(model, RegressionData):
        return (linear_batch_norm(model.x, model.y),)
    if isinstance(model, Loss):
        if model.name == "normalised regression":
            return (linear_batch_norm(model.data["x"], model.data["y"]),)
        if model.name == "batch-normalised regression":
            return (linear_batch_norm(model.data["X"], model.data["y"], gamma=1.0, beta=0.0),)
        return ()
    if isinstance(model, torch.nn.Module):
        if inputs is None or targets is None:
            raise TypeError(
                "a module alone has no loss: pass reductions_of(module, inputs, targets)"
            )
        if inputs.dim() != 2 or targets.dim() not in (1, 2) or len(targets) != len(inputs):
            raise ValueError(
                f"inputs {tuple(inputs.shape)} and targets {tuple(targets.shape)}; expected (n, d) "
                "and (n,) or (n, 1): one sample per row"
            )
        return _of_module(model, inputs, targets.reshape(len(targets), -1))
    raise TypeError(
        f"{type(model).__name__} is no model that reductions are known for: pass a sympy loss, a "
        "torch module with data, or a regression of numeric.batchnorm"
    )


def _is_expression(model: object) -> bool:
    return isinstance(model, Expr)


def _of_loss(problem: Problem, values: dict[str, float]) -> tuple[Reduction, ...]:
    found: list[Reduction] = []
    toy = self_stabilisation_toy()
    if problem.loss == toy.loss and values.keys() >= {"eta", "alpha", "beta"}:
        found.append(self_stabilisation(values["eta"], values["alpha"], values["beta"]))
    if problem.loss == three_dimensional_example().loss:
        found.append(scale_invariant_3d())
    if problem.name == "two-layer linear network" and (network := of_network(problem)):
        return (network,)
    if problem.name == "batch-normalised regression" and (rotated := of_batch_norm(problem)):
        found.append(rotated)
    if is_scale_invariant(problem):
        found.append(scale_invariant(problem, values=values))
    return tuple(found)


def _trains_weight_only(layer: Any) -> bool:
    """A linear layer of which all of the weight and nothing else moves."""
    from torch import nn

    # not a subclass: a parametrized layer (weight norm, ...) moves otherwise
    plain = type(layer) is nn.Linear and layer.bias is None
    return plain and bool(layer.weight.requires_grad)


def _of_module(module: nn.Module, inputs: Tensor, targets: Tensor) -> tuple[Reduction, ...]:
    from torch import nn

    layers: list[Any] = [m for m in module.children() if not isinstance(m, nn.Identity)]
    if type(module) is not nn.Sequential or targets.shape[1] != 1 or len(layers) != 2:
        return ()
    first, second = layers
    if not _trains_weight_only(first):
        return ()
    y = targets[:, 0]
    if _trains_weight_only(second):
        if second.out_features != 1:
            return ()
        return (two_layer_linear(inputs.T, y, first.out_features, normalized=False),)
    if type(second) is nn.BatchNorm1d and second.training and first.out_features == 1:
        gamma, beta = second.weight, second.bias
        if second.affine and gamma.requires_grad and beta.requires_grad:
            return (affine_batch_norm(inputs, y, epsilon=second.eps),)
        if second.affine and (gamma.requires_grad or beta.requires_grad):
            return ()
        scale, shift = (float(gamma), float(beta)) if second.affine else (1.0, 0.0)
        return (linear_batch_norm(inputs, y, gamma=scale, beta=shift, epsilon=second.eps),)
    return ()
