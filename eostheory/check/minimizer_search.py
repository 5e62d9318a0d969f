"""Minimizers found from several starts, and the rank of the Hessian on the set of them.

A minimizer is polished until its gradient is zero to rounding.  Along what looks like the kernel
of its Hessian the set of minimizers is then followed for a short way: if critical points lie
there, it is a manifold whose dimension is that of the kernel; if not, the minimizer is degenerate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize
from torch import Tensor

from eostheory.check.bounds import bounded
from eostheory.check.charts import chart_points
from eostheory.check.spectra import Spectrum, spectrum
from eostheory.curvature import Products
from eostheory.numeric.autodiff import gradient
from eostheory.numeric.events import NumericEvent
from eostheory.numeric.objective import Objective

if TYPE_CHECKING:
    from eostheory.check.context import Context

DENSE = 300
"""Parameters up to which ranks are determined."""

WALK = 16
"""Parameters up to which the manifold is followed in search of a point of smaller rank."""

FAR = 50.0
"""Lengths of the start beyond which a run is taken to have no minimizer to go to."""


class Deficient(NamedTuple):
    """A minimizer at which the rank of the Hessian is not the codimension of the set."""

    point: Tensor
    text: str
    details: dict[str, float | int | str]


class NotFound(Exception):
    """No minimizer from this start, or none whose rank can be told; the argument says why."""


@dataclass(frozen=True, eq=False)
class Minimizer:
    """A minimizer and the spectrum of its Hessian.

    Args:
        point: (D,); of unit length for a scale-invariant loss.
        value: of the loss.
        nullity: dimension of the kernel of the Hessian; for a scale-invariant loss this counts the
            radial direction.
        smallest, largest: non-zero eigenvalues (0 where all vanish); ``next_largest`` the second.
        slowest: (D,), eigenvector of ``smallest``.
    """

    point: Tensor = field(repr=False)
    value: float
    nullity: int
    smallest: float
    largest: float
    next_largest: float
    slowest: Tensor = field(repr=False)

    @property
    def rank(self) -> int:
        """Of the Hessian."""
        return len(self.point) - self.nullity

    @property
    def gap(self) -> float:
        """Of the two largest eigenvalues."""
        return self.largest - self.next_largest


class Search(NamedTuple):
    """What was found.

    Attributes:
        found: regular minimizers.
        deficient: the first that is not regular.
        reasons: why starts led to none.
    """

    found: tuple[Minimizer, ...]
    deficient: Deficient | None
    reasons: tuple[str, ...]


def search(ctx: Context) -> Search:
    """Minimizers from the start and from random points of the domain."""
    from eostheory.check.minimizer_rank import examine

    if ctx.subject.declared.manifold is not None:
        return _on_chart(ctx)
    size = ctx.subject.size
    found: list[Minimizer] = []
    reasons: list[str] = []
    for w in _starts(ctx, 3 if size <= 4 else 2 if size <= 10 else 1):
        try:
            point = reach(ctx, w)
            _demand_inside(ctx, point)
            regular, deficient = examine(ctx, point, w)
        except (NotFound, NumericEvent, ValueError) as reason:
            reasons.append(str(reason))
            continue
        if regular is not None:
            found.append(regular)
        if deficient is not None:
            return Search(tuple(found), deficient, tuple(reasons))
    return Search(tuple(found), None, tuple(reasons))


def _demand_inside(ctx: Context, point: Tensor) -> None:
    """NotFound outside of a declared domain, or in the hole that is left out around 0 where scale
    invariance is declared; a scale-invariant loss has its minimizers on the sphere."""
    place = ctx.subject.domain
    if ctx.structure.scale_invariant:
        return
    length = float(torch.linalg.vector_norm(point))
    if place.declared and point not in place:
        raise NotFound(f"descent leaves the declared domain, to |w| = {length:.3g}")
    if length < place.hole:
        raise NotFound(
            f"descent ends next to 0, at |w| = {length:.3g}, which is left out where scale "
            "invariance is declared"
        )


def _on_chart(ctx: Context) -> Search:
    """Points of the declared manifold; whether they are minimizers is checked elsewhere."""
    from eostheory.check.minimizer_rank import minimizer

    if ctx.subject.size > DENSE:
        return Search((), None, (f"more than {DENSE} parameters",))
    found = []
    sphere = ctx.structure.scale_invariant
    for w in chart_points(ctx.subject, 3, ctx.seed):
        point = w / torch.linalg.vector_norm(w) if sphere else w
        here = spectrum(ctx.loss, point, sphere)
        zero = max(8 * here.noise, 1e-9 * here.size)
        found.append(minimizer(ctx, point, here, int((here.values > zero).sum())))
    return Search(tuple(found), None, ("the chart has no finite point in the domain",))


def _starts(ctx: Context, count: int) -> list[Tensor]:
    base = ctx.structure.base
    draw = ctx.generator("minimizers")
    reach = max(1.0, float(base.abs().max()))
    found = [base]
    for _ in range(20 * count):
        if len(found) == count:
            break
        step = 2 * torch.rand(len(base), generator=draw, dtype=torch.float64) - 1
        w = base + 0.5 * reach * step.to(base)
        if w in ctx.subject.domain:
            found.append(w)
    return found


def reach(ctx: Context, w: Tensor) -> Tensor:
    """The minimizer that descent from w ends in, its gradient zero to rounding.

    Raises:
        NotFound: none was reached; says why.
    """
    spherical = ctx.structure.scale_invariant
    for _ in range(3):
        w = _descend(ctx, w)
        if spherical:
            w = w / torch.linalg.vector_norm(w)
        if len(w) > DENSE:
            noise = bounded(lambda x: gradient(ctx.loss, x), w, 2).error
            left = float(gradient(ctx.loss, w).abs().max())
            if left > 10 * noise:
                raise NotFound(_still(left, w))
            raise NotFound(
                f"a critical point was reached, but ranks of Hessians of more than {DENSE} "
                "parameters are not computed; declare manifold="
            )
        w = _polish(ctx, w, spherical)
        found = _spectrum(ctx, w, spherical)
        if found.values[0] >= -max(found.noise, 1e-9 * found.size):
            return w
        # A saddle: off it, along the most negative direction.
        w = w + 0.1 * max(1.0, float(torch.linalg.vector_norm(w))) * found.vectors[:, 0]
    raise NotFound("descent stops at saddles only")


def _still(left: float, w: Tensor) -> str:
    return (
        f"descent did not end in a minimizer: the largest entry of the gradient is still "
        f"{left:.2g} at |w| = {float(torch.linalg.vector_norm(w)):.3g}"
    )


def _descend(ctx: Context, w: Tensor) -> Tensor:
    """L-BFGS from w, to the end of what values can tell."""
    objective: Objective = ctx.subject.objective
    limit = FAR * max(1.0, float(torch.linalg.vector_norm(w)))
    spherical = ctx.structure.scale_invariant

    def both(y: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        at = torch.from_numpy(y.copy()).to(w)
        length = float(np.linalg.norm(y))
        if not spherical and length > limit:
            raise NotFound(
                f"descent leads away, to |w| = {length:.3g}: the loss is unbounded below, or its "
                "minimum is not attained"
            )
        try:
            value, slope = objective.value_and_gradient(at)
        except NumericEvent:
            return 1e300, np.zeros_like(y)
        return float(value), slope.detach().cpu().to(torch.float64).numpy()

    large = len(w) > DENSE
    end = minimize(
        both, w.detach().cpu().to(torch.float64).numpy(), jac=True, method="L-BFGS-B",
        options={"maxiter": 100 if large else 400, "maxfun": 130 if large else 1000,
                 "ftol": 1e-17, "gtol": 1e-12, "maxcor": 20},
    )  # fmt: skip
    found: Tensor = torch.from_numpy(np.array(end.x)).to(w)
    return found


def _spectrum(ctx: Context, w: Tensor, spherical: bool, *, noise: bool = True) -> Spectrum:
    """The spectrum at w; NotFound where the Hessian is rounding beside that at the start."""
    try:
        return spectrum(ctx.loss, w, spherical, noise=noise)
    except ValueError:
        with Products(ctx.subject.objective, w) as products:
            matrix = products.block(torch.eye(len(w), dtype=w.dtype, device=w.device))
        off, size = float((matrix - matrix.T).abs().max()), ctx.structure.start_size
        if off > 1e3 * torch.finfo(w.dtype).eps * size:
            raise
        raise NotFound(
            f"the loss is saturated at |w| = {float(torch.linalg.vector_norm(w)):.3g}: its Hessian "
            f"({float(matrix.abs().max()):.2g}, where it is {size:.2g} at the start) is rounding; "
            "a minimum is not attained, or too flat to be told"
        ) from None


def _polish(ctx: Context, w: Tensor, spherical: bool) -> Tensor:
    """Newton's method in the directions that the gradient still has, down to rounding."""
    limit = FAR * max(1.0, float(torch.linalg.vector_norm(w)))
    noise = math.inf
    length = max(1.0, float(ctx.structure.base.abs().max()))
    eps = torch.finfo(w.dtype).eps
    size_at_start = ctx.structure.start_size
    for count in range(60):
        found = _spectrum(ctx, w, spherical, noise=count == 0)
        if count % 10 == 0:
            noise = bounded(lambda x: gradient(ctx.loss, x), w, 3).error
            # Coordinates are known to an ulp of the length scale, however close to 0 they are.
            noise = max(noise, eps * size_at_start * length)
        parts = found.vectors.T @ found.gradient
        size = float(parts.abs().max()) if len(parts) else 0.0
        if size <= noise:
            return w
        live = parts.abs() > noise
        floor = max(1e-14 * found.size, 1e-300)
        step = -found.vectors[:, live] @ (parts[live] / found.values[live].abs().clamp_min(floor))
        length = float(torch.linalg.vector_norm(step))
        most = 0.1 * max(1.0, float(torch.linalg.vector_norm(w)))
        step = step * min(1.0, most / length)
        for _ in range(10):
            after = w + step
            if spherical:
                after = after / torch.linalg.vector_norm(after)
            slope = gradient(ctx.loss, after)
            if float(torch.linalg.vector_norm(slope)) < float(torch.linalg.vector_norm(parts)):
                break
            step = step / 4
        else:
            # No step helps: this is the end, if it is near what rounding allows.
            if size <= 30 * noise:
                return w
            break
        w = after
        if float(torch.linalg.vector_norm(w)) > limit:
            break
    raise NotFound(_still(size, w))
