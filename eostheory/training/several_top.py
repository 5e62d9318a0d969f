"""Top eigenvectors of which several matter: all near the edge, with a basis that is continuous."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from eostheory.curvature import Products, Tracker
from eostheory.numeric.events import NumericEvent


class TooManyUnstable(NumericEvent):
    """More eigenvalues are near the edge than the caller allowed for."""

    def __init__(self, step: int, most: int, value: float, edge: float) -> None:
        super().__init__(
            f"more than most = {most} eigenvalues are near the edge at step {step}: the next one "
            f"is {value:.6g}, the edge 2/eta is {edge:.6g}; raise most=, or narrow band="
        )
        self.step = step
        self.most = most
        self.value = value
        self.edge = edge


class Top(NamedTuple):
    """The top k eigenvalues (k,), descending, their vectors (k, D), and the value below them."""

    values: Tensor
    vectors: Tensor
    next_value: float


def aligned(vectors: Tensor, earlier: Tensor) -> Tensor:
    """The basis of the span of ``vectors`` that is closest to ``earlier`` (orthogonal Procrustes).

    Args:
        vectors: (k, D) orthonormal rows.
        earlier: (m, D) orthonormal rows, m <= k; rows beyond the m-th fill up the span.

    Eigenvectors turn quickly where eigenvalues come close; the span of all of them does not.
    """
    if len(earlier) > len(vectors):
        raise ValueError(
            f"{len(vectors)} vectors cannot be aligned with {len(earlier)}: give at least as many"
        )
    left, _, right = torch.linalg.svd(earlier @ vectors.T)
    turned: Tensor = (left @ right[: len(earlier)]) @ vectors
    return torch.cat([turned, right[len(earlier) :] @ vectors])


class TopPairs:
    """Finds top eigenpairs at one point after the other; k may differ from point to point.

    Args:
        dense_below: up to this many parameters the whole Hessian is formed.
        tolerance: of the residuals, see :class:`~eostheory.curvature.Tracker`.
    """

    def __init__(self, dense_below: int = 200, tolerance: float = 1e-8) -> None:
        self.dense_below = dense_below
        self.tolerance = tolerance
        self._tracker: Tracker | None = None

    def __call__(self, products: Products, k: int) -> Top:
        """The top k eigenpairs at the point of ``products``.

        Raises:
            UnconvergedEigenpair: see the tracker.
        """
        if self._tracker is None or self._tracker.k != k:
            # equal eigenvalues are welcome here: what counts is the span
            self._tracker = Tracker(
                k, tolerance=self.tolerance, dense_below=self.dense_below, repeated="keep"
            )
        found = self._tracker(products)
        return Top(found.values, found.vectors, found.next_value)

    def state(self) -> dict[str, Any]:
        """What later results depend on."""
        return {} if self._tracker is None else self._tracker.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a :meth:`state`, bit for bit."""
        self._tracker = Tracker.restored(state) if state else None

    def near_edge(self, products: Products, eta: float, band: float, most: int) -> Top:
        """All pairs with eigenvalues from ``(1 - band) 2/eta`` on, and at least one.

        Raises:
            TooManyUnstable: there are more than ``most``.
        """
        threshold = (1 - band) * 2 / eta
        k = 1 if self._tracker is None else min(self._tracker.k, products.size)
        top = self(products, k)
        while top.next_value >= threshold:
            if k >= most:
                raise TooManyUnstable(products.step, most, top.next_value, 2 / eta)
            k += 1
            top = self(products, k)
        count = max(1, int((top.values >= threshold).sum()))
        below = top.next_value if count == k else float(top.values[count])
        return Top(top.values[:count], top.vectors[:count], below)
