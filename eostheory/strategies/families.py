"""Losses whose answers are known, made from few numbers: one function for each family."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from eostheory.numeric.losses import FAMILIES, Draw
from eostheory.numeric.losses import scale_invariant as _scale_invariant
from eostheory.numeric.manifolds import flat_manifold, spherical_manifold
from eostheory.numeric.toys import self_stabilising
from eostheory.strategies.loss import DrawnLoss, call
from eostheory.strategies.numbers import count, number
from eostheory.strategies.vectors import direction


def positive(name: str, value: object) -> float:
    """``value`` as a float.

    Raises:
        TypeError, ValueError: it is no finite number above zero.
    """
    found = number(name, value)
    if found <= 0:
        raise ValueError(f"{name} = {value!r} is not positive")
    return found


def self_stabilizing_loss(
    size: int = 3,
    learning_rate: float = 0.1,
    alpha: float = 1.0,
    beta: float = 1.0,
    seed: int | None = None,
) -> DrawnLoss:
    """A loss at the edge of stability that stabilizes itself (damian23, section 4).

    At its origin the sharpness is ``2 / learning_rate`` and simple, ``-<grad L, grad S> = alpha``
    and ``|grad S|^2 = beta``.

    Args:
        size: at least 3.
        learning_rate: at which the origin is at the edge; it is declared.
        seed: None for the toy of damian23 B, ``(2/eta + sqrt(beta) y) x^2/2 - alpha/sqrt(beta) y
            - z`` (further coordinates have curvature 1/eta); a number for a generic quartic.
    """
    count("size", size, 3, "u, grad S and one more direction")
    eta, a, b = (
        positive("learning_rate", learning_rate),
        positive("alpha", alpha),
        positive("beta", beta),
    )
    code = call("self_stabilizing_loss", size=size, learning_rate=eta, alpha=a, beta=b, seed=seed)
    declared = {"learning_rate": eta}
    # A tenth of the fixed point sqrt(2 alpha / beta) of the oscillation, for it to grow from.
    height = 0.1 * (2 * a / b) ** 0.5
    if seed is not None:
        made = self_stabilising(size, count("seed", seed, 0), eta, a, b, device="cpu")
        start = height * made.data["u"]
        name = "self-stabilizing quartic"
        return DrawnLoss(name, size, start, made.function, code, declared, dict(made.data))
    start = torch.zeros(size, dtype=torch.float64)
    start[0] = height

    def toy(w: Tensor) -> Tensor:
        x, y, z, rest = w[0], w[1], w[2], w[3:]
        value: Tensor = (2 / eta + b**0.5 * y) * x * x / 2 - a / b**0.5 * y - z
        return value + (rest * rest).sum() / (2 * eta)

    return DrawnLoss("self-stabilizing toy", size, start, toy, code, declared)


def scale_invariant_loss(
    family: str = "quadratic ratio", size: int = 2, seed: int = 0
) -> DrawnLoss:
    """A loss with ``L(c w) = L(w)`` for c > 0 (lyu22), declared so.

    Args:
        family: a key of :data:`eostheory.numeric.losses.FAMILIES`.
        size: at least 2.
        seed: of the data that it is made of.

    Raises:
        KeyError: no such family; the message lists those that there are.
    """
    count("size", size, 2, "a scale-invariant loss of one parameter is locally constant")
    made = _scale_invariant(family, size, count("seed", seed, 0), "cpu")
    code = call("scale_invariant_loss", family=family, size=size, seed=seed)
    declared = {"scale_invariant": True}
    return DrawnLoss(
        family, size, direction(size, 0), made.function, code, declared, dict(made.data)
    )


def _chart(minimizer: Callable[[Tensor], Tensor], dimension: int) -> Callable[[Tensor], Tensor]:
    """The chart, which says what it is a chart of when it is given something else."""

    def chart(t: Tensor) -> Tensor:
        if t.shape != (dimension,):
            raise ValueError(f"t has shape {tuple(t.shape)}, the chart takes ({dimension},)")
        return minimizer(t)

    return chart


def loss_with_manifold(
    size: int = 2,
    dimension: int = 1,
    bend: float = 1.0,
    growth: float = 1.0,
    seed: int | None = None,
) -> DrawnLoss:
    """A loss whose minimizers are a manifold that is known and declared.

    ``sum_j (1 + j) (y_j - bend |t|^2)^2 (1 + growth |t|^2) / 2`` of ``w = (t, y)``, so that the
    minimizers are a paraboloid along which the sharpness varies.

    Args:
        size: number D of parameters.
        dimension: of the manifold, of 1 to ``size - 1``.
        bend: of the manifold, 0 for a flat one.
        growth: of the curvature along the manifold, at least 0.
        seed: a number for a generic loss instead (bend and growth do not matter then).
    """
    count("size", size, 2, "one parameter along the manifold, one across")
    if not count("dimension", dimension, 1) < size:
        raise ValueError(f"dimension = {dimension} of the manifold is not below size = {size}")
    if seed is not None:
        made = flat_manifold(size, dimension, count("seed", seed, 0), "cpu")
        code = call("loss_with_manifold", size=size, dimension=dimension, seed=seed)
        start = made.minimizer(torch.ones(dimension, dtype=torch.float64))
        start = start + 0.1 * direction(size, 0)
        chart = {"manifold": _chart(made.minimizer, dimension)}
        return DrawnLoss("generic manifold", size, start, made.function, code, chart)
    b, g = number("bend", bend), number("growth", growth)
    if g < 0:
        raise ValueError(f"growth = {growth!r} is negative: the curvature would change its sign")
    code = call("loss_with_manifold", size=size, dimension=dimension, bend=b, growth=g)
    weights = torch.arange(1, size - dimension + 1, dtype=torch.float64)

    def function(w: Tensor) -> Tensor:
        t, y = w[:dimension], w[dimension:]
        along = (t * t).sum()
        value: Tensor = (weights * (y - b * along) ** 2).sum() * (1 + g * along) / 2
        return value

    def minimizer(t: Tensor) -> Tensor:
        heights = (b * (t * t).sum()).expand(size - dimension)
        return torch.cat([t, heights])

    start = torch.ones(size, dtype=torch.float64)
    start[dimension:] = b * dimension + 0.1
    return DrawnLoss(
        "paraboloid", size, start, function, code, {"manifold": _chart(minimizer, dimension)}
    )


def spherical_loss_with_manifold(size: int = 3, dimension: int = 2, seed: int = 0) -> DrawnLoss:
    """A scale-invariant loss whose minimizers on the sphere are a manifold of ``dimension - 1``.

    Args:
        size: number D of parameters.
        dimension: of the cone of minimizers, of 1 to ``size - 1``.
    """
    count("size", size, 2)
    if not count("dimension", dimension, 1) < size:
        raise ValueError(f"dimension = {dimension} of the cone is not below size = {size}")
    made = spherical_manifold(size, dimension, count("seed", seed, 0), "cpu")
    code = call("spherical_loss_with_manifold", size=size, dimension=dimension, seed=seed)
    start = made.minimizer(torch.ones(dimension, dtype=torch.float64)) + 0.1 * direction(size, 0)
    declared = {"scale_invariant": True}
    return DrawnLoss("spherical manifold", size, start, made.function, code, declared)


def two_layer_linear_loss(
    inputs: Sequence[Sequence[float]] = ((1.0,),),
    targets: Sequence[float] = (1.0,),
    width: int = 1,
) -> DrawnLoss:
    """``|A^T W x_i / sqrt(m) - y_i|^2`` in the mean, the network of li22 section 4.

    The parameters are A (m,), then W (m, d) row by row.

    Args:
        inputs: n examples of d numbers each.
        targets: n numbers; -1 and 1 in the paper.
        width: number m of hidden neurons.
    """
    count("width", width, 1)
    rows = [[number("inputs", x) for x in row] for row in inputs]
    wanted = [number("targets", y) for y in targets]
    if len(rows) != len(wanted) or not rows or len({len(row) for row in rows}) != 1 or not rows[0]:
        raise ValueError(
            f"inputs are {len(rows)} rows of lengths {sorted({len(row) for row in rows})}, targets "
            f"{len(wanted)} numbers: give n rows of one length, and n targets"
        )
    features = len(rows[0])
    x, y = torch.tensor(rows, dtype=torch.float64), torch.tensor(wanted, dtype=torch.float64)
    code = call("two_layer_linear_loss", inputs=rows, targets=wanted, width=width)

    def function(w: Tensor) -> Tensor:
        outer, inner = w[:width], w[width:].reshape(width, features)
        residual = (x @ (outer @ inner)) / width**0.5 - y
        value: Tensor = (residual * residual).mean()
        return value

    size = width * (1 + features)
    start = width**0.5 * direction(size, 0)
    data = {"inputs": x, "targets": y}
    return DrawnLoss("two-layer linear network", size, start, function, code, {}, data)


def quadratic_loss(curvatures: Sequence[float] = (1.0,), seed: int | None = None) -> DrawnLoss:
    """``w' H w / 2``, its Hessian declared.

    Args:
        curvatures: the eigenvalues of H.
        seed: of a rotation; None for a diagonal H.
    """
    values = [number("curvatures", c) for c in curvatures]
    if not values:
        raise ValueError("curvatures = () says nothing: give one number for each parameter")
    h = torch.diag(torch.tensor(values, dtype=torch.float64))
    if seed is not None:
        turn = Draw(count("seed", seed, 0), "cpu").orthogonal(len(values))
        h = turn @ h @ turn.T
        h = (h + h.T) / 2
    code = call("quadratic_loss", curvatures=values, seed=seed)
    start = torch.ones(len(values), dtype=torch.float64)

    def function(w: Tensor) -> Tensor:
        value: Tensor = torch.dot(w, h @ w) / 2
        return value

    declared = {"hessian": lambda w: h.clone()}
    return DrawnLoss("quadratic", len(values), start, function, code, declared, {"H": h})


SCALE_INVARIANT = tuple(FAMILIES)
"""The names that :func:`scale_invariant_loss` knows."""
