"""Where an eigenvector of a slowly changing Hessian will be next, from where it was.

The changes of the vector are fitted by an autoregression, ``d(t) = sum_j c_j d(t - j)``, on its own
recent history, and the fit is carried one step on.  This extrapolates smooth motion (one root
near 1 per degree) and period-two oscillation (a root near -1) alike, and any growing or damped
mixture, without being told which regime it is in.

Where eigenvalues nearly cross, eigenvectors turn into one another fast, and no history of one of
them tells where it will be; their span moves on smoothly.  There the blocks are turned towards the
newest before they are carried on.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

RIDGE = 1e-9
"""Relative size of the noise in eigenvectors below which the fit does not chase it."""


MIXING = 0.05
"""Overlap of a row with what was another one a step before, above which they turn together."""

_LATELY = 3


def mixing(blocks: Sequence[Tensor], k: int) -> bool:
    """Whether one of the first k rows has lately turned towards another row."""
    for new, old in list(pairwise(blocks))[:_LATELY]:
        overlaps = (new[:k] @ old.T).abs()
        overlaps.diagonal().zero_()
        if float(overlaps.max()) > MIXING:
            return True
    return False


def predict_span(blocks: Sequence[Tensor], order: int = 4) -> Tensor:
    """The next rows (r, D), as a basis of their span, given earlier blocks, newest first."""
    turned = [blocks[0]]
    for block in blocks[1:]:
        overlaps = (turned[-1] @ block.T).to("cpu", torch.float64)
        left, _, right = torch.linalg.svd(overlaps)
        turned.append((left @ right).to(block) @ block)
    return torch.stack([_extrapolate(track, order) for track in torch.stack(turned, dim=1)])


def predict(blocks: Sequence[Tensor], order: int = 4) -> Tensor:
    """The next rows (r, D), given earlier blocks (r, D) of unit rows, newest first.

    Rows are followed by overlap, not by number: eigenvalues that cross exchange their places.
    """
    newest = blocks[0]
    rows = []
    for row in newest:
        track = [row]
        for block in blocks[1:]:
            overlaps = block @ track[-1]
            best = int(overlaps.abs().argmax())
            if float(overlaps[best].abs()) < 0.5:
                break
            track.append(block[best] if overlaps[best] > 0 else -block[best])
        rows.append(_extrapolate(torch.stack(track), order))
    return torch.stack(rows)


def _extrapolate(track: Tensor, order: int) -> Tensor:
    """The unit vector after ``track`` of shape (n, D), newest first."""
    if len(track) < 2:
        return track[0]
    changes = track[:-1] - track[1:]
    count = len(changes)
    order = min(order, count // 2)
    if order < 1:
        # One change only: carry it on when it is small, for a large one may turn back.
        small = bool(torch.linalg.vector_norm(changes[0]) < 0.1)
        return _unit(track[0] + changes[0]) if small else track[0]
    # Everything about the fit is in the triangular factor of the changes.
    _, triangle = torch.linalg.qr(changes.T)
    triangle = triangle.to("cpu", torch.float64)
    size = torch.linalg.matrix_norm(triangle)
    if not bool(size > 0):
        return track[0]
    left = [triangle[:, s + 1 : s + 1 + order] for s in range(count - order)]
    right = [triangle[:, s] for s in range(count - order)]
    left.append(RIDGE * size * torch.eye(order, dtype=torch.float64))
    right.append(torch.zeros(order, dtype=torch.float64))
    # By hand: lstsq gives other bits from call to call.
    q, r = torch.linalg.qr(torch.cat(left))
    fit = torch.linalg.solve_triangular(r, q.T @ torch.cat(right)[:, None], upper=True)[:, 0]
    return _unit(track[0] + fit.to(track) @ changes[:order])


def _unit(x: Tensor) -> Tensor:
    unit: Tensor = x / torch.linalg.vector_norm(x)
    return unit
