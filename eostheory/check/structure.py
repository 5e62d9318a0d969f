"""Facts about a loss that several checks share: scale invariance, top eigenpairs, minimizers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from eostheory.check import batch
from eostheory.check.finding import Status
from eostheory.check.subject import LossFunction, Subject
from eostheory.curvature import Products, Tracker
from eostheory.numeric.autodiff import gradient
from eostheory.numeric.events import BecameNaN, NumericEvent

if TYPE_CHECKING:
    from eostheory.check.context import Context
    from eostheory.check.minimizer_search import Minimizer, Search

FACTORS = (2.0, 0.5, 3.0, 4.0, 0.25, 1.5, 10.0, 0.1)
"""Factors c tried in ``L(c w) = L(w)``."""

DENSE = 200
"""Parameters up to which the Hessian is dense."""

LARGE = 1000
"""Expression sizes up to which scale invariance is decided exactly."""


@dataclass(frozen=True)
class ScaleDifference:
    """The largest ``|L(c w) - L(w)|`` over a few random points.

    Args:
        relative: over ``max(|L|)`` and the spread of L over the points.
        norm: ``|w|`` at the worst of them.
    """

    relative: float
    difference: float
    factor: float
    norm: float

    @property
    def text(self) -> str:
        """The difference, as part of a sentence."""
        return f"L({self.factor:g} w) - L(w) = {self.difference:.3g}"


def scale_difference(
    loss: LossFunction, size: int, start: Tensor | None = None, seed: int = 0
) -> ScaleDifference | None:
    """How far the loss is from scale invariance at the start and at random points; None where no
    value is finite.  Never raises, whatever the loss does."""
    draw = torch.Generator().manual_seed(seed)
    points = [torch.randn(size, generator=draw, dtype=torch.float64) for _ in range(4)]
    if start is not None:
        # A large model has values near its start only.
        length = max(1.0, float(torch.linalg.vector_norm(start))) / math.sqrt(size)
        points = [start, *(start + 0.3 * length * p.to(start) for p in points[:3])]
        points = [p for p in points if bool(p.any())]
    rows: list[tuple[float, float, float, float]] = []
    for w in points:
        try:
            with torch.no_grad():
                here = float(loss(w.clone()))
                for c in FACTORS[:3]:
                    there = float(loss(c * w))
                    if math.isfinite(here) and math.isfinite(there):
                        rows.append((here, there, c, float(torch.linalg.vector_norm(w))))
        except Exception:  # `evaluates` reports it
            continue
    if not rows:
        return None
    values = [r[0] for r in rows]
    scale = max(max(map(abs, values)), max(values) - min(values), 1e-300)
    here, there, c, norm = max(rows, key=lambda r: abs(r[1] - r[0]))
    return ScaleDifference(abs(there - here) / scale, there - here, c, norm)


def looks_scale_invariant(
    loss: LossFunction, size: int, start: Tensor | None = None, seed: int = 0
) -> bool:
    """Whether ``L(c w) = L(w)`` roughly, at a few random points: enough to leave out the
    neighbourhood of 0, where such a loss has no value.  Never raises."""
    seen = scale_difference(loss, size, start, seed)
    return seen is not None and seen.relative <= 1e-6


def exact_scale_invariance(subject: Subject) -> bool | None:
    """For a sympy loss whether ``L(c w) = L(w)`` identically, by derivation; None if that cannot
    tell."""
    if subject.expression is None:
        return None
    import sympy

    from eostheory.derive import scale_invariance

    expression, variables = subject.expression
    try:
        if sympy.count_ops(expression) > LARGE:
            return None
        found = scale_invariance(expression, list(variables)).invariant
    except Exception:  # sympy raises whatever it likes on expressions that it cannot handle
        return None
    return None if found is None else bool(found)


@dataclass(frozen=True, eq=False)
class Top:
    """The top of the spectrum of the Hessian at a point.

    Args:
        point: (D,).
        value, next_value: the two largest eigenvalues (``-inf`` if D = 1).
        vector: (D,) unit eigenvector.
        error: an eigenvalue lies within that of ``value``: residual and rounding.
        gap_error: the same for the gap.
        size: largest eigenvalue in magnitude that was seen.
    """

    point: Tensor = field(repr=False)
    value: float
    next_value: float
    vector: Tensor = field(repr=False)
    error: float
    gap_error: float
    size: float

    @property
    def gap(self) -> float:
        """Eigengap."""
        return self.value - self.next_value

    @property
    def simple(self) -> bool:
        """The two largest eigenvalues differ by more than the errors."""
        return self.gap > self.gap_error


class Structure:
    """What is found out about the loss of a context; every fact when first asked for."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self._tops: dict[tuple[float, ...], Top] = {}
        self._tracker: Tracker | None = None

    # ------------------------------------------------------------------ scale invariance
    @cached_property
    def scale_difference(self) -> ScaleDifference | None:
        """See :func:`scale_difference`."""
        subject = self.ctx.subject
        return scale_difference(subject.loss, subject.size, subject.start, self.ctx.seed)

    @property
    def scale_invariant(self) -> bool:
        """What the check found; before it was run, what is declared or what random points say."""
        found = self.ctx.outcomes.get("scale-invariant")
        if found is not None:
            return found.status is Status.PASS
        declared = self.ctx.subject.declared.scale_invariant
        if declared is not None:
            return declared
        return self.scale_difference is not None and self.scale_difference.relative <= 1e-6

    @cached_property
    def base(self) -> Tensor:
        """(D,), the start; or, where it is stationary, a random point of its length."""
        subject = self.ctx.subject
        w = subject.start.detach().clone()
        if bool(w.any()):
            with suppress(BecameNaN):
                if bool(gradient(subject.loss, w).any()):
                    return w
        draw = self.ctx.generator("base")
        step = torch.randn(subject.size, generator=draw, dtype=torch.float64).to(w)
        length = max(1.0, float(torch.linalg.vector_norm(w)))
        moved = w + 0.5 * length * step / torch.linalg.vector_norm(step)
        unit: Tensor = step / torch.linalg.vector_norm(step)
        return moved if moved in subject.domain else unit

    # -------------------------------------------------------------------- top eigenpairs
    def top(self, w: Tensor, like: Top | None = None) -> Top:
        """The two largest eigenvalues at w (D,).

        Args:
            like: the top at a point near by that was asked for before: its rounding is taken over
                (dense), its eigenvectors are where the search begins (many parameters).

        Dense up to :data:`DENSE` parameters; else by Davidson's method, both to a relative
        residual of 1e-9.

        Raises:
            NumericEvent: not finite, or not converged.
            ValueError: no second derivative, or a matrix that is not symmetric.
        """
        key = _key(w)
        if key not in self._tops:
            if len(self._tops) > 256:
                self._tops.clear()
            self._tops[key] = self._top(w, like)
        return self._tops[key]

    def ahead(self, points: Sequence[Tensor], like: Top) -> None:
        """Find out what :meth:`top` will be asked for in one pass, where that can be done."""
        if len(self._tops) > 256:
            self._tops.clear()
        if not points or len(points[0]) > DENSE:
            return
        found = batch.hessians(self.ctx.subject.objective, torch.stack(list(points)))
        if found is not None:
            for w, matrix in zip(points, found, strict=True):
                self._tops.setdefault(_key(w), _dense_top(w, matrix, like.error))

    def _top(self, w: Tensor, like: Top | None) -> Top:
        loss = self.ctx.subject.objective
        if len(w) <= DENSE:
            if like is None:
                return _dense_top(w, *hessian(loss, w))
            return _dense_top(w, batch.hessian_at(loss, w), like.error)
        if like is None or self._tracker is None:
            # Every point is checked from a random start too, as crossings are what is looked for.
            self._tracker = Tracker(
                2, tolerance=1e-9, dense_below=DENSE, repeated="keep", cold_every=1
            )
        with Products(loss, w) as products:
            found = self._tracker(products)
        eps = torch.finfo(w.dtype).eps
        size = float(found.values.abs().max())
        rounding = 64 * math.sqrt(len(w)) * eps * size
        first, second = (float(r) for r in found.residuals)
        return Top(
            w, float(found.values[0]), float(found.values[1]), found.vectors[0], first + rounding,
            first + second + 2 * rounding, size,
        )  # fmt: skip

    @property
    def start_top(self) -> Top:
        """The top of the spectrum at the start."""
        return self.top(self.ctx.subject.start)

    @cached_property
    def start_size(self) -> float:
        """Largest eigenvalue of the Hessian in magnitude at the start (of few parameters)."""
        from eostheory.check.spectra import spectrum

        try:
            return spectrum(self.ctx.loss, self.base, False, noise=False).size
        except NumericEvent:
            return 0.0

    # ------------------------------------------------------------------------ minimizers
    @cached_property
    def search(self) -> Search:
        """Minimizers found from several starts."""
        from eostheory.check.minimizer_search import search

        return search(self.ctx)

    def minimizers(self) -> list[Tensor]:
        """Points (D,) at which the checks of the minimizer manifold were made; on the unit sphere
        for a scale-invariant loss."""
        return [m.point for m in self.found_minimizers]

    @property
    def found_minimizers(self) -> tuple[Minimizer, ...]:
        """The same with value, rank and eigenvalues."""
        return self.search.found

    @property
    def dimension(self) -> int | None:
        """Of the manifold of minimizers through the first of them; None where it is not known.

        For a scale-invariant loss that of its cone, D_Gamma of lyu22: one more than on the sphere.
        """
        found = self.found_minimizers
        return found[0].nullity if found else None


def _key(w: Tensor) -> tuple[float, ...]:
    return tuple(w.tolist()) if len(w) <= DENSE else (float(w.sum()), float(torch.dot(w, w)))


def _dense_top(w: Tensor, matrix: Tensor, noise: float) -> Top:
    values, vectors = torch.linalg.eigh(matrix)
    below = float(values[-2]) if len(w) > 1 else -math.inf
    return Top(
        w, float(values[-1]), below, vectors[:, -1].clone(), noise, 2 * noise,
        float(values.abs().max()),
    )  # fmt: skip


def hessian(loss: LossFunction, w: Tensor) -> tuple[Tensor, float]:
    """Dense ``Hess L(w)``, exactly symmetric, and what rounding may do to its 2-norm (estimated
    from w moved by its last digit)."""
    eps = torch.finfo(w.dtype).eps
    sign = torch.where(torch.arange(len(w), device=w.device) % 2 == 0, 1.0, -1.0).to(w)
    points = [w, *(w * (1 + turn * eps * sign) for turn in (1, -1))]
    together = batch.hessians(loss, torch.stack(points))
    found = [batch.hessian_at(loss, p) for p in points] if together is None else list(together)
    matrix, spread = found[0], 0.0
    for moved in found[1:]:
        spread = max(spread, float(torch.linalg.matrix_norm(moved - matrix)))
    size = float(torch.linalg.matrix_norm(matrix))
    return matrix, 8 * spread + 8 * math.sqrt(len(w)) * eps * size
