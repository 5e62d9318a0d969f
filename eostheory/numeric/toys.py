"""Losses with prescribed derivatives at a point, and the self-stabilisation toy of damian23 B."""

from __future__ import annotations

import torch
from torch import Tensor

from eostheory.numeric.losses import Draw, Loss


def _tensor(x: object) -> Tensor:
    return torch.as_tensor(x, dtype=torch.float64)


def jet_loss(
    point: object,
    gradient: object,
    hessian: object,
    third: object | None = None,
    fourth: object | None = None,
    constant: float = 0.0,
    rotation: object | None = None,
) -> Loss:
    """The polynomial with the given derivatives at ``point``.

    ``L = c + g.d + d'Hd/2 + T[d, d, d]/6 + F[d, d, d, d]/24`` with ``d = R'(w - point)``; the
    rotation R (identity by default) moves the jet out of the coordinate axes.

    Args:
        point: (D,) base point theta*.
        gradient: (D,).
        hessian: (D, D) symmetric.
        third: (D, D, D) symmetric, or None for zero.
        fourth: (D, D, D, D) symmetric, or None for zero.

    Raises:
        ValueError: shapes that do not fit or a derivative that is not symmetric.
    """
    base, g, h = _tensor(point), _tensor(gradient), _tensor(hessian)
    t = None if third is None else _tensor(third)
    f = None if fourth is None else _tensor(fourth)
    turn = None if rotation is None else _tensor(rotation)
    size = len(base)
    for rank, x in ((1, g), (2, h), (3, t), (4, f)):
        if x is None:
            continue
        if tuple(x.shape) != (size,) * rank:
            raise ValueError(f"derivative {rank} has shape {tuple(x.shape)}; D = {size}")
        for axis in range(1, rank):
            if not torch.equal(x, x.transpose(0, axis)):
                raise ValueError(f"derivative {rank} is not symmetric")

    def function(w: Tensor) -> Tensor:
        # The jet follows its argument to whatever device that lives on.
        d = w - base.to(w.device)
        if turn is not None:
            d = d @ turn.to(w.device)
        total = constant + torch.dot(g.to(w.device), d) + torch.dot(d, h.to(w.device) @ d) / 2
        if t is not None:
            total = total + torch.dot(d, _contract(t.to(w.device), d) @ d) / 6
        if f is not None:
            square = _contract(_contract(f.to(w.device), d), d)
            total = total + torch.dot(d, square @ d) / 24
        return total

    return Loss("jet", size, function, 0, {"point": base})


def _contract(x: Tensor, d: Tensor) -> Tensor:
    """The last axis of ``x`` against ``d``."""
    return (x.reshape(-1, len(d)) @ d).reshape(x.shape[:-1])


def symmetric(x: Tensor) -> Tensor:
    """The symmetric part of a tensor of any rank, exactly symmetric."""
    from itertools import permutations

    rank = x.dim()
    total = torch.zeros_like(x)
    for order in permutations(range(rank)):
        total = total + x.permute(order)
    total = total / len(list(permutations(range(rank))))
    # Rounding depends on the order of summation; copy each sorted entry to its permutations.
    index = torch.cartesian_prod(*[torch.arange(x.shape[0], device=x.device)] * rank)
    index = index.reshape(-1, rank).sort(dim=1).values
    return total[tuple(index.T)].reshape(x.shape)


def self_stabilising(
    dim: int,
    seed: int,
    eta: float,
    alpha: float = 1.0,
    beta: float = 1.0,
    second: float = 0.5,
    device: str | None = None,
) -> Loss:
    """A generic quartic that meets section 4's standing assumptions of damian23 at the origin.

    Sharpness ``2/eta`` with a simple eigenvector u, ``grad S`` and ``grad L`` in the kernel of
    the Hessian and orthogonal to u, ``-<grad L, grad S> = alpha``, ``|grad S|^2 = beta``; the
    other eigenvalues lie in [0, second * 2/eta]; every other third and fourth derivative is free.
    Its ``data`` hold u, gradS, gradL.

    Raises:
        ValueError: fewer than 3 dimensions.
    """
    if dim < 3:
        raise ValueError(f"dimension {dim}: u, grad S and one more direction need 3")
    draw = Draw(seed, device)
    turn = draw.orthogonal(dim)
    # In these coordinates u = e_0 and grad S = sqrt(beta) e_1; e_2 is flat as well.
    values = torch.zeros(dim, dtype=torch.float64, device=turn.device)
    values[0] = 2 / eta
    values[3:] = draw.uniform(0.0, second * 2 / eta, dim - 3)
    third = symmetric(draw.normal(dim, dim, dim))
    slope = torch.zeros(dim, dtype=torch.float64, device=turn.device)
    slope[1] = beta**0.5
    for axis in (third[0, 0, :], third[0, :, 0], third[:, 0, 0]):
        axis.copy_(slope)
    fourth = symmetric(draw.normal(dim, dim, dim, dim))
    grad = torch.zeros(dim, dtype=torch.float64, device=turn.device)
    grad[1] = -alpha / beta**0.5
    grad[2] = draw.normal(1)[0]
    loss = jet_loss(torch.zeros_like(grad), grad, torch.diag(values), third, fourth, 0.0, turn)
    data = {"u": turn[:, 0], "gradS": turn @ slope, "gradL": turn @ grad, "rotation": turn}
    return Loss("self-stabilising quartic", dim, loss.function, seed, data)


def damian_toy(eta: float, alpha: float, beta: float, rotation: object | None = None) -> Loss:
    """``(2/eta + sqrt(beta) y) x^2/2 - alpha/sqrt(beta) y - z`` of ``(x, y, z)`` (damian23 B)."""
    turn = None if rotation is None else _tensor(rotation)

    def function(w: Tensor) -> Tensor:
        if turn is not None:
            w = w @ turn.to(w.device)
        x, y, z = w[0], w[1], w[2]
        # On tensors: a running error analysis must see these roundings.
        root = torch.sqrt(torch.as_tensor(beta, dtype=w.dtype, device=w.device))
        edge = 2 / torch.as_tensor(eta, dtype=w.dtype, device=w.device)
        value: Tensor = (edge + root * y) * x * x / 2 - alpha / root * y - z
        return value

    return Loss("damian23 toy", 3, function)
