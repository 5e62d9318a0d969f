"""A quartic loss with k prescribed directions at the edge of stability, to measure orders on."""

from __future__ import annotations

import torch

from eostheory.numeric.losses import Draw, Loss
from eostheory.numeric.toys import jet_loss, symmetric


def block_quartic(
    k: int,
    seed: int,
    eta: float,
    eps: float,
    *,
    below: tuple[float, ...] | None = None,
    bulk: int = 2,
    second: float = 0.6,
) -> Loss:
    """A generic quartic whose Hessian at the origin has k eigenvalues near ``2/eta``.

    With ``s_ij = D^3 L[u_i, u_j, .]`` across the top directions: all ``s_ij`` and the gradient lie
    in the kernel of the Hessian, on which the third derivative vanishes (what damian23, section 4,
    assumes for k = 1); the gradient is ``-eps^2 sum C_ij s_ij`` with C positive definite, so that
    every direction sharpens and the limiting covariance is ``2 eps^2 C``.  Everything else is free.

    Args:
        k: number of directions, at least 1.
        seed: of what is drawn.
        eta: learning rate.
        eps: the small parameter: displacements, excess sharpness and inverse times are of its size.
        below: the top eigenvalues are ``2/eta - eps * below``; zero by default.
        bulk: number of other directions, with eigenvalues up to ``second * 2/eta``.

    Returns:
        A loss in ``k + k (k + 1)/2 + 1 + bulk`` parameters; its ``data`` hold ``basis`` (k, D),
        ``slopes`` (k, k, D) and ``C`` (k, k).

    Raises:
        ValueError: fewer than one direction, or as many gaps as there are no directions.
    """
    if k < 1:
        raise ValueError(f"k = {k} directions; at least 1")
    if below is not None and len(below) != k:
        raise ValueError(f"below has {len(below)} entries; give one for each of the {k} directions")
    draw = Draw(seed)
    flat = k * (k + 1) // 2 + 1
    dim = k + flat + bulk
    turn = draw.orthogonal(dim)
    values = torch.zeros(dim, dtype=torch.float64)
    values[:k] = 2 / eta
    if below is not None:
        values[:k] -= eps * torch.tensor(below, dtype=torch.float64)
    values[k + flat :] = draw.uniform(0.2, second, bulk) * (2 / eta)
    third = 0.5 * symmetric(draw.normal(dim, dim, dim))
    top, kernel, rest = slice(0, k), slice(k, k + flat), slice(k + flat, dim)
    third[top, top, rest] = 0.0
    third[top, rest, top] = 0.0
    third[rest, top, top] = 0.0
    third[kernel, kernel, kernel] = 0.0
    # orthonormal directions first, so that the slopes are far from dependent
    frame = draw.orthogonal(flat)
    count = 0
    for i in range(k):
        for j in range(i + 1):
            row = frame[count] + 0.3 * draw.normal(flat) / flat**0.5
            count += 1
            for a, b in ((i, j), (j, i)):
                third[a, b, kernel] = row
                third[a, kernel, b] = row
                third[kernel, a, b] = row
    mixing = 0.3 * draw.normal(k, k)
    weights = torch.eye(k, dtype=torch.float64) + mixing @ mixing.T
    grad = torch.zeros(dim, dtype=torch.float64)
    slopes = torch.zeros(k, k, dim, dtype=torch.float64)
    slopes[:, :, kernel] = third[top, top, kernel]
    grad = -(eps**2) * torch.einsum("ij,ijd->d", weights, slopes)
    fourth = symmetric(draw.normal(dim, dim, dim, dim))
    loss = jet_loss(torch.zeros_like(grad), grad, torch.diag(values), third, fourth, 0.0, turn)
    data = {"basis": turn[:, :k].T, "slopes": slopes @ turn.T, "C": weights}
    return Loss("quartic with several top directions", dim, loss.function, seed, data)
