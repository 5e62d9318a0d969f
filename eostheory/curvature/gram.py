"""The Gram matrix (neural tangent kernel) of a model's outputs, whole and by groups of parameters.

For outputs F(w) of length N the Gram matrix is ``scale J J'`` with ``J = dF/dw`` of shape (N, D);
li22 takes ``scale = 2/n``.  It is the sum of the matrices of the groups of parameters (output
layer ``M_A``, inner layers ``M_W``).  For the loss ``scale/2 |F - y|^2`` the Hessian is the
Gauss-Newton matrix ``scale J'J`` plus ``scale sum_i (F - y)_i Hess F_i``; the Gauss-Newton matrix
has the nonzero eigenvalues of the Gram matrix, so the sharpness is that of the Gram matrix up to
the norm of the second term, which vanishes where the model fits or is linear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from eostheory.curvature.products import check_point, memory
from eostheory.numeric.events import BecameNaN

Outputs = Callable[[Tensor], Tensor]
Group = slice | Sequence[slice]


class Gram(NamedTuple):
    """A Gram matrix and its parts.

    Attributes:
        matrix: (N, N), the sum of the parts.
        parts: (N, N) each, by name; what no named group covers is ``"rest"``.
    """

    matrix: Tensor
    parts: dict[str, Tensor]

    def top(self, k: int = 1, part: str | None = None) -> tuple[Tensor, Tensor]:
        """The k largest eigenvalues (k,), descending, and their eigenvectors (k, N) in rows."""
        matrix = self.matrix if part is None else self.parts[part]
        if not 1 <= k <= len(matrix):
            raise ValueError(f"k is {k}; give 1 to {len(matrix)}, the number of outputs")
        values, vectors = torch.linalg.eigh(matrix)
        return values.flip(0)[:k], vectors.T.flip(0)[:k].contiguous()


def gram_matrix(
    outputs: Outputs | Sequence[Outputs],
    w: Tensor,
    groups: Mapping[str, Group] | None = None,
    *,
    scale: float = 1.0,
    rows: int | None = None,
) -> Gram:
    """``scale J J'`` and its parts, from reverse sweeps, a block of rows of J at a time.

    Args:
        outputs: a function of w to outputs of any shape, or several, one per chunk of the data.
        w: (D,).
        groups: slices of w by name; they must not overlap.  A group with several slices takes a
            sequence of them.
        scale: 2/n for li22's M.
        rows: rows of J that are held at a time; all if not given.  With blocks of N/b rows the
            sweeps are repeated (b + 1) / 2 times, and memory is 2 N/b times D.

    Raises:
        TypeError, ValueError: a w that :class:`Products` refuses too.
        ValueError: overlapping groups, no outputs, or outputs that do not depend on w.
        BecameNaN: a derivative is not finite.
        OutOfMemory: a block does not fit; take fewer rows.
    """
    check_point(w)
    chunks = _chunks(outputs)
    masks = _masks(groups or {}, w)
    with memory(w, "the Gram matrix"):
        lengths = [int(chunk(w.detach()).numel()) for chunk in chunks]
        total = sum(lengths)
        if not total:
            raise ValueError("the outputs are empty; give at least one number")
        held = total if rows is None else rows
        if held < 1:
            raise ValueError(f"rows is {rows}; give at least 1")
        parts = {name: w.new_zeros(total, total) for name in masks}
        starts = range(0, total, held)
        for start in starts:
            mine = _jacobian(chunks, lengths, w, start, start + held)
            for other in starts:
                if other > start:
                    break
                same = other == start
                theirs = mine if same else _jacobian(chunks, lengths, w, other, other + held)
                for name, where in masks.items():
                    tile = scale * (mine[:, where] @ theirs[:, where].T)
                    if same:
                        tile = (tile + tile.T) / 2
                    parts[name][start : start + held, other : other + held] = tile
                    parts[name][other : other + held, start : start + held] = tile.T
    matrix = torch.stack(list(parts.values())).sum(0)
    return Gram(matrix, parts if groups else {})


class GaussNewtonProducts:
    """``v -> scale J'J v`` for outputs F(w): an operator for ``Tracker``, two sweeps a product.

    Its nonzero eigenvalues are those of the Gram matrix, of which no entry is formed; the Gram
    eigenvector is :meth:`outputs_along` the eigenvector.
    """

    def __init__(
        self, outputs: Outputs | Sequence[Outputs], w: Tensor, *, scale: float = 1.0, step: int = 0
    ) -> None:
        check_point(w)
        self.point = w.detach().clone()
        self.count = 0
        self.step = step
        self._chunks = _chunks(outputs)
        self._scale = scale
        # With one chunk the graph is kept for all products.
        self._kept = list(self._graphs()) if len(self._chunks) == 1 else None

    @property
    def size(self) -> int:
        """Number D of parameters."""
        return len(self.point)

    def block(self, vectors: Tensor) -> Tensor:
        """(k, D) rows to their products."""
        total = torch.zeros_like(vectors)
        with memory(self.point, "a Gauss-Newton product"):
            for graph in self._kept or self._graphs():
                images = [graph.back(graph.along(v)) for v in vectors]
                total = total + torch.stack(images)
        self.count += len(vectors)
        if not bool(torch.isfinite(total).all()):
            raise BecameNaN(self.step, "a Gauss-Newton product")
        return self._scale * total

    def outputs_along(self, v: Tensor) -> Tensor:
        """``J v`` of shape (N,)."""
        return torch.cat([graph.along(v) for graph in self._kept or self._graphs()])

    def _graphs(self) -> Iterator[_Linear]:
        for chunk in self._chunks:
            yield _Linear(chunk, self.point)


class _Linear:
    """The outputs of one chunk, linearised: ``J v`` by differentiating ``J'y`` in y."""

    def __init__(self, outputs: Outputs, w: Tensor) -> None:
        self.leaf = w.detach().clone().requires_grad_(True)
        self.out = _outputs(outputs, self.leaf)
        self.dual = torch.zeros_like(self.out).requires_grad_(True)
        (self.back_graph,) = torch.autograd.grad(
            self.out, self.leaf, self.dual, create_graph=True, allow_unused=False
        )

    def along(self, v: Tensor) -> Tensor:
        (found,) = torch.autograd.grad(self.back_graph, self.dual, v, retain_graph=True)
        return found

    def back(self, y: Tensor) -> Tensor:
        (found,) = torch.autograd.grad(self.out, self.leaf, y, retain_graph=True)
        return found


def _chunks(outputs: Outputs | Sequence[Outputs]) -> tuple[Outputs, ...]:
    chunks = (outputs,) if callable(outputs) else tuple(outputs)
    if not chunks:
        raise ValueError("there are no chunks of outputs; give at least one")
    return chunks


def _outputs(outputs: Outputs, leaf: Tensor) -> Tensor:
    found = outputs(leaf).reshape(-1)
    if not found.requires_grad:
        raise ValueError("the outputs do not depend on w through autograd")
    return found


def _jacobian(
    chunks: Sequence[Outputs], lengths: Sequence[int], w: Tensor, start: int, stop: int
) -> Tensor:
    """Rows ``start`` to ``stop`` of J."""
    found = []
    first = 0
    for chunk, length in zip(chunks, lengths, strict=True):
        low, high = max(start, first), min(stop, first + length)
        if low < high:
            leaf = w.detach().clone().requires_grad_(True)
            out = _outputs(chunk, leaf)
            for i in range(low - first, high - first):
                (row,) = torch.autograd.grad(out[i], leaf, retain_graph=True)
                found.append(row)
        first += length
    table = torch.stack(found)
    if not bool(torch.isfinite(table).all()):
        raise BecameNaN(0, "a derivative of the outputs")
    return table


def _masks(groups: Mapping[str, Group], w: Tensor) -> dict[str, Tensor]:
    """Boolean masks over w by name, the rest included when there is any."""
    taken = torch.zeros(len(w), dtype=torch.bool, device=w.device)
    masks = {}
    for name, group in groups.items():
        mask = torch.zeros_like(taken)
        for part in [group] if isinstance(group, slice) else group:
            mask[part] = True
        if bool((mask & taken).any()):
            raise ValueError(f"group {name!r} overlaps another one; groups must be disjoint")
        if name == "rest":
            raise ValueError("the name 'rest' is taken by what no group covers")
        masks[name] = mask
        taken |= mask
    if not bool(taken.all()):
        masks["rest"] = ~taken
    return masks
