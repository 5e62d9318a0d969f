"""The rank of the Hessian on the set of minimizers around one of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from eostheory.check.bounds import bounded
from eostheory.check.minimizer_search import WALK, Deficient, Minimizer, NotFound
from eostheory.check.spectra import Spectrum, spectrum
from eostheory.curvature import Products
from eostheory.numeric.autodiff import gradient
from eostheory.numeric.events import NumericEvent

if TYPE_CHECKING:
    from eostheory.check.context import Context

CLEAR = 1e-4
"""Eigenvalues above this part of the Hessian's size are not zero."""


UNBOUNDED = 1e8
"""Growth of the Hessian on the way from the start: beyond it rounding of its largest eigenvalue is
of the size of all that the start knew."""

STEADY = 1e-2
"""A Hessian that rounding of w changes by more than this part of its size is not continuous."""


def examine(ctx: Context, w: Tensor, start: Tensor) -> tuple[Minimizer | None, Deficient | None]:
    """The minimizer w with its rank, or a point on the set around it where the rank is less.

    Args:
        start: (D,), where the size of the Hessian is taken for comparison.

    Raises:
        NotFound: the rank cannot be told.
    """
    around = Around(ctx, w, start)
    if around.here.size > UNBOUNDED * ctx.structure.start_size > 0:
        raise NotFound(
            f"descent leads to |w| = {float(torch.linalg.vector_norm(w)):.3g}, where the largest "
            f"eigenvalue is {around.here.size:.3g} ({ctx.structure.start_size:.3g} at the start): "
            "the curvature is not bounded there; declare domain= without that place"
        )
    if around.here.noise > STEADY * around.scale:
        raise NotFound(
            "the Hessian at the critical point changes by "
            f"{around.here.noise / around.scale:.0%} with the last digit of w: there is a kink, "
            "and no rank"
        )
    kernel = around.kernel()
    drop = around.not_tangent(kernel)
    if drop is not None:
        return None, drop
    here = around.here
    rank = len(here.values) - len(kernel)
    if len(kernel):
        around.back(rank, start)
    regular = minimizer(ctx, w, here, rank)
    if rank and len(kernel) and len(w) <= WALK:
        return regular, around.walk(rank)
    return regular, None


def minimizer(ctx: Context, w: Tensor, here: Spectrum, rank: int) -> Minimizer:
    """What the spectrum says, given the number of eigenvalues that are not zero."""
    values = here.values
    with torch.no_grad():
        value = float(ctx.loss(w))
    zero = torch.zeros_like(w)
    count = len(values)
    return Minimizer(
        point=w,
        value=value,
        nullity=len(w) - rank,
        smallest=float(values[count - rank]) if rank else 0.0,
        largest=float(values[-1]) if rank else 0.0,
        next_largest=float(values[-2]) if count > 1 else -math.inf,
        slowest=here.vectors[:, count - rank].clone() if rank else zero,
    )


class Around:
    """A minimizer, its spectrum and the set of minimizers next to it."""

    def __init__(self, ctx: Context, w: Tensor, start: Tensor) -> None:
        self.ctx, self.w = ctx, w
        self.spherical = ctx.structure.scale_invariant
        self.here = spectrum(ctx.loss, w, self.spherical)
        beside = start / torch.linalg.vector_norm(start) if self.spherical else start
        try:
            self.scale = max(self.here.size, spectrum(ctx.loss, beside, self.spherical).size)
        except NumericEvent:
            self.scale = self.here.size
        self.length = max(1.0, float(torch.linalg.vector_norm(w)))

    def on(self, w: Tensor) -> Tensor:
        """w itself, or its direction."""
        return w / torch.linalg.vector_norm(w) if self.spherical else w

    def noise(self, w: Tensor) -> float:
        """What rounding does to an entry of the gradient."""
        found = bounded(lambda x: gradient(self.ctx.loss, x), w, 3).error
        return max(found, torch.finfo(w.dtype).eps * self.ctx.structure.start_size * self.length)

    def kernel(self) -> Tensor:
        """(k, D): the eigenvectors whose eigenvalues are zero, or may be."""
        rows = []
        for value, vector in zip(self.here.values, self.here.vectors.T, strict=True):
            small = float(value) <= max(4 * self.here.noise, CLEAR * self.scale)
            if small and not self._steady(vector, float(value)):
                rows.append(vector)
        return torch.stack(rows) if rows else self.w.new_zeros(0, len(self.w))

    def _steady(self, v: Tensor, value: float) -> bool:
        """Whether a small eigenvalue is that of a non-degenerate minimizer: above rounding, and
        the same a little further.  At a degenerate one it changes by all of its size there."""
        if value <= 20 * self.here.noise or value <= 1e-13 * self.scale:
            return False
        for step in (1e-5, 1e-4):
            for sign in (1, -1):
                at = self.on(self.w + sign * step * self.length * v)
                with Products(self.ctx.loss, at) as products:
                    bend = float(torch.dot(products(v), v))
                if not 0.5 * value <= bend <= 2 * value:
                    return False
        return True

    def not_tangent(self, kernel: Tensor) -> Deficient | None:
        """None where the minimizers next to this one are a manifold tangent to the kernel.

        Raises:
            NotFound: some direction tells neither way.
        """
        count, rank = len(kernel), len(self.here.values) - len(kernel)
        draw = torch.Generator().manual_seed(1)
        for number in range(min(count + 1, 4) if count else 0):
            mix = torch.randn(count, generator=draw, dtype=torch.float64).to(kernel)
            if count == 1 and number:
                break
            v = (mix / torch.linalg.vector_norm(mix)) @ kernel
            rises = []
            for sign in (1, -1):
                moved = self.follow(self.w + sign * 0.05 * self.length * v, rank)
                left = gradient(self.ctx.loss, moved)
                size, noise = float(left.abs().max()), self.noise(moved)
                if size <= 30 * noise:
                    continue
                if self._off(moved, rank):
                    raise NotFound(
                        "the set of minimizers could not be followed along the kernel of the "
                        "Hessian: it is strongly curved, or nearly degenerate"
                    )
                rises.append((size, sign, moved))
            if not rises:
                continue
            if len(rises) == 2 and all(self._above(p) for _, _, p in rises):
                return self._degenerate(count, rank, v, rises[0][0])
            raise NotFound(
                f"at |w| = {float(torch.linalg.vector_norm(self.w)):.3g} the Hessian is zero to "
                "rounding in a direction in which the loss falls or stays: a minimum that is not "
                "attained, or a set of minimizers with a boundary"
            )
        return None

    def _above(self, p: Tensor) -> bool:
        with torch.no_grad():
            here = bounded(lambda x: self.ctx.loss(x).detach().reshape(1), self.w, 2)
            there = bounded(lambda x: self.ctx.loss(x).detach().reshape(1), p, 2)
        return float(there.value - here.value) > there.error + here.error

    def _degenerate(self, count: int, rank: int, v: Tensor, left: float) -> Deficient:
        bend = float(self.here.values[: max(count, 1)].abs().max())
        return Deficient(
            rounded(self.ctx, self.w, self.spherical),
            f"the Hessian has rank {rank} of {len(self.here.values)} at a minimizer (its "
            f"{count} smallest eigenvalue{'s are' * (count > 1) or ' is'} {bend:.1g} beside "
            f"{self.scale:.3g}), but {count} further dimension{'s' * (count > 1)} of minimizers "
            f"do{'es' * (count == 1)} not exist: 0.05 away along the kernel the gradient is "
            f"{left:.2g}, so the minimizer is degenerate",
            {"rank": rank, "kernel": count, "gradient": left},
        )

    def follow(self, p: Tensor, rank: int, steps: int = 40) -> Tensor:
        """Newton's method from p in the span of the ``rank`` top eigenvectors."""
        p = self.on(p)
        if rank == 0:
            return p
        last = math.inf
        for _ in range(steps):
            found = spectrum(self.ctx.loss, p, self.spherical, noise=False)
            values, vectors = found.values[-rank:], found.vectors[:, -rank:]
            floor = 1e-12 * max(found.size, 1e-300)
            step = vectors @ ((vectors.T @ found.gradient) / values.abs().clamp_min(floor))
            size = float(torch.linalg.vector_norm(step))
            most = 0.1 * self.length
            p = self.on(p - step * min(1.0, most / size) if size > 0 else p)
            if size <= 1e-15 * self.length or (size < 1e-9 and size >= 0.5 * last):
                break
            last = size
        return p

    def back(self, rank: int, start: Tensor) -> None:
        """Along the manifold towards where the search began.

        A loss that flattens out without a minimum has a gradient and a Hessian of zero to rounding
        far enough out; on the way back it has not.

        Raises:
            NotFound: the points on the way back are not critical.
        """
        p, goal = self.w, self.on(start)
        first = math.inf
        for _ in range(30):
            found = spectrum(self.ctx.loss, p, self.spherical, noise=False)
            kernel = found.vectors[:, : len(found.values) - rank]
            step = kernel @ (kernel.T @ (goal - p))
            size = float(torch.linalg.vector_norm(step))
            first = size if first == math.inf else first
            if size <= max(1e-2 * self.length, 0.5 * first):
                return
            for part in (0.3, 0.1, 0.02, 0.004):
                q = self.follow(p + step * min(1.0, part * self.length / size), rank)
                if float(gradient(self.ctx.loss, q).abs().max()) <= 100 * self.noise(q):
                    break
            else:
                break
            p = q
        raise NotFound(
            f"gradient and Hessian are zero to rounding at |w| = "
            f"{float(torch.linalg.vector_norm(self.w)):.3g}, where descent ended, but not next to "
            "it: the minimum is not attained, or the set of minimizers has a boundary there"
        )

    def _off(self, q: Tensor, rank: int) -> bool:
        """Whether the gradient at q lies across the manifold, so that :meth:`follow` failed."""
        found = spectrum(self.ctx.loss, q, self.spherical, noise=False)
        split = len(found.values) - rank
        along = torch.linalg.vector_norm(found.vectors[:, :split].T @ found.gradient)
        across = torch.linalg.vector_norm(found.vectors[:, split:].T @ found.gradient)
        return bool(across > along)

    def walk(self, rank: int) -> Deficient | None:
        """Along the manifold to where the smallest non-zero eigenvalue vanishes, if it does within
        the domain and not further away than the minimizer is large."""
        p, first = self.w, float(self.here.values[-rank])
        reach = max(1.0, float(self.ctx.structure.base.abs().max())) * 2
        for _ in range(15):
            found = spectrum(self.ctx.loss, p, self.spherical, noise=False)
            value = float(found.values[-rank])
            if value <= 1e-9 * first:
                return self._drop(p, rank, value, first)
            v, kernel = found.vectors[:, -rank], found.vectors[:, :-rank]
            with Products(self.ctx.loss, p) as products:
                slope = kernel.T @ products.third(v, v)
            size = float(torch.linalg.vector_norm(slope))
            if size <= 1e-9 * value:
                return None
            # Newton's method for a zero of the square root, which has simple ones.
            step = min(2 * value / size, 0.5 * self.length)
            better = None
            for _ in range(4):
                q = self.follow(p - step * kernel @ (slope / size), rank)
                after = float(spectrum(self.ctx.loss, q, self.spherical, noise=False).values[-rank])
                if after < 0.95 * value:
                    better = q
                    break
                step /= 3
            if better is None or float((better - self.w).abs().max()) > reach:
                return None
            if better not in self.ctx.subject.domain:
                return None
            p = better
        return None

    def _drop(self, p: Tensor, rank: int, value: float, first: float) -> Deficient | None:
        slope = gradient(self.ctx.loss, p)
        if float(slope.abs().max()) > 100 * self.noise(p):
            return None
        return Deficient(
            rounded(self.ctx, p, self.spherical),
            f"the rank of the Hessian on the set of minimizers is not constant: it is {rank} at "
            f"the minimizer next to the start and less here, where the smallest eigenvalue across "
            f"the set falls from {first:.3g} to {max(value, 0.0):.1g} (does the set cross itself?)",
            {"rank": rank, "eigenvalue": value},
        )


def rounded(ctx: Context, w: Tensor, spherical: bool) -> Tensor:
    """w with few digits, if that is as critical a point; w itself otherwise."""
    if spherical:
        return w
    before = float(gradient(ctx.loss, w).abs().max())
    for digits in (0, 1, 2, 3):
        short = torch.round(w, decimals=digits) + 0.0
        if short not in ctx.subject.domain:
            continue
        try:
            if float(gradient(ctx.loss, short).abs().max()) <= before:
                return short
        except NumericEvent:
            continue
    return w
