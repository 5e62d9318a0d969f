"""Derivatives of a loss beside differences of the derivative below, and what these allow.

Central differences at many step sizes, each a quarter of the one before, are extrapolated twice.
Neighbours that agree say how much truncation is left, the measured noise of what is differenced
over the step says what rounding leaves, and the difference between the two sides, extrapolated to
step zero, says how much a kink at the point explains.  An error beyond all three is one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from eostheory.check import batch
from eostheory.check.property import no_bug
from eostheory.check.subject import Subject
from eostheory.curvature import Products
from eostheory.numeric.events import BecameNaN

LEVELS = 13
"""Step sizes, from a tenth of ``max(1, |w|)`` down to some 1e-8 of that."""

FINEST = 26
"""Noise is looked for from spacings of ``2^-26 max(1, |w|)`` on."""

SETTLED = 1e-2
"""A comparison tells when it would see an error of this share of the derivative."""

EPS = torch.finfo(torch.float64).eps

NO_GRAPH = "has no graph"
"""What :class:`Products` says of a gradient that changes, but not through autograd."""


@dataclass(eq=False)
class Sampled:
    """What is differenced along a line, as a function of the step; None where there is no value.

    Args:
        at: one value.
        many: the values at several steps in one pass, or None where there is no such way.
    """

    at: Callable[[float], Tensor | None]
    many: Callable[[Sequence[float]], list[Tensor | None] | None] | None = None
    known: dict[float, Tensor | None] = field(default_factory=dict)

    def __call__(self, t: float) -> Tensor | None:
        return self.known[t] if t in self.known else self.at(t)

    def ahead(self, steps: Sequence[float]) -> bool:
        """Compute what will be asked for in one pass; whether that can be done."""
        wanted = [t for t in dict.fromkeys(steps) if t not in self.known]
        if not wanted:
            return True
        found = self.many(wanted) if self.many is not None and len(wanted) > 1 else None
        if found is not None:
            self.known.update(zip(wanted, found, strict=True))
        return found is not None


def value_at(subject: Subject, w: Tensor) -> Tensor:
    """``L(w)`` without its graph, chunk by chunk."""
    leaf = w.detach().clone().requires_grad_(True)
    total = torch.zeros((), dtype=w.dtype, device=w.device)
    for part in subject.objective.parts(leaf):
        total = total + part.detach()
        del part
    return total


def gradient_at(subject: Subject, w: Tensor) -> Tensor:
    """``grad L(w)``; raises BecameNaN where it is not finite."""
    return subject.objective.value_and_gradient(w)[1]


def product_at(subject: Subject, w: Tensor, v: Tensor) -> Tensor:
    """``Hess L(w) v``; raises BecameNaN where it is not finite.

    A gradient without a graph counts as a constant one, as it is between the kinks of max(x, y).
    """
    try:
        with Products(subject.objective, w) as products:
            return products(v)
    except ValueError as error:
        if NO_GRAPH not in str(error):
            raise
        return torch.zeros_like(v)


def allowed_point(subject: Subject, w: Tensor) -> bool:
    """Whether a difference may look at ``w``: not beyond an edge that the user has declared."""
    return not subject.domain.declared or w in subject.domain


def sampler(
    subject: Subject,
    lower: Callable[[Tensor], Tensor],
    w: Tensor,
    u: Tensor,
    together: Callable[[Tensor], Tensor | None] | None = None,
) -> tuple[Sampled, Callable[[float], float]]:
    """``lower`` along the line w + t u, and the t that a point on it really has.

    Args:
        together: ``lower`` at points in rows, or None where it cannot be computed so.
    """

    def at(t: float) -> Tensor | None:
        point = w + t * u
        if not allowed_point(subject, point):
            return None
        try:
            found = lower(point)
        except BecameNaN:
            return None
        except Exception as error:  # beyond where a loss is defined it may do as it likes
            if not no_bug(error):
                raise
            return None
        return found if bool(torch.isfinite(found).all()) else None

    def many(steps: Sequence[float]) -> list[Tensor | None] | None:
        points = [w + t * u for t in steps]
        inside = [allowed_point(subject, x) for x in points]
        chosen = [x for x, ok in zip(points, inside, strict=True) if ok]
        if together is None or len(chosen) < 2:
            return None
        found = together(torch.stack(chosen))
        if found is None:
            return None
        usable = torch.isfinite(found.reshape(len(found), -1)).all(1).tolist()
        rows = iter([row if ok else None for row, ok in zip(found, usable, strict=True)])
        return [next(rows) if ok else None for ok in inside]

    def taken(t: float) -> float:
        return float(torch.dot(w + t * u - w, u) / torch.dot(u, u))

    return Sampled(at, many), taken


def value_along(subject: Subject, w: Tensor, u: Tensor) -> tuple[Sampled, Callable[[float], float]]:
    """:func:`sampler` of the values."""
    return sampler(
        subject, lambda x: value_at(subject, x), w, u, lambda x: batch.values(subject.objective, x)
    )


def gradient_along(
    subject: Subject, w: Tensor, u: Tensor
) -> tuple[Sampled, Callable[[float], float]]:
    """:func:`sampler` of the gradients."""
    return sampler(
        subject,
        lambda x: gradient_at(subject, x),
        w,
        u,
        lambda x: batch.gradients(subject.objective, x),
    )


def product_along(
    subject: Subject, w: Tensor, u: Tensor
) -> tuple[Sampled, Callable[[float], float]]:
    """:func:`sampler` of the products of the Hessian with u."""
    return sampler(
        subject,
        lambda x: product_at(subject, x, u),
        w,
        u,
        lambda x: batch.products(subject.objective, x, u),
    )


def beside(subject: Subject, w: Tensor) -> list[Tensor]:
    """Points next to ``w`` that no symmetry singles out.

    Inputs shrink to 0 and 1, where many kinks meet (all of a ReLU network at once): autograd picks
    a side of each, and what it adds up is none of the one-sided derivatives.  A wrong formula is
    wrong beside such a point as well.
    """
    way = torch.cos(0.7 + 2.3 * torch.arange(len(w), dtype=w.dtype, device=w.device))
    way = way * (scale_of(w) / torch.linalg.vector_norm(way))
    near = [w + part * way for part in (1e-2, -1e-2, 1e-3, -1e-3)]
    return [x for x in near if allowed_point(subject, x)][:2]


def length(x: Tensor) -> float:
    """Euclidean length of a scalar or a vector, also of huge and tiny ones."""
    most = float(x.abs().max()) if x.numel() else 0.0
    if most == 0.0 or not math.isfinite(most):
        return most
    return most * float(torch.linalg.vector_norm(x.reshape(-1) / most))


def steps_of(scale: float, *, finest: bool = True) -> list[float]:
    """Where :func:`compare` looks, and :func:`noise` first."""
    steps = [0.0, *(sign * step for step in _sizes(scale) for sign in (1, -1))]
    return steps + _around(scale * 2.0**-FINEST) if finest else steps


def _sizes(scale: float) -> list[float]:
    return [0.1 * scale * 4.0**-level for level in range(LEVELS)]


def _around(spacing: float) -> list[float]:
    return [(i - 3) * spacing for i in range(7)]


def noise(at: Sampled, scale: float) -> float:
    """How far neighbouring values of ``at`` scatter by rounding (Moré & Wild, ECnoise).

    Fourth differences over the smallest spacing at which values are no longer mostly equal: what
    is computed from large numbers that cancel moves in steps, which finer spacings do not see.
    Every entry has steps of its own, as those of a saturated softmax.
    """
    here = at(0.0)
    if here is None:
        return 0.0
    floor = 2 * EPS * here.abs().reshape(-1)
    found = torch.zeros_like(floor)
    left = torch.ones_like(floor, dtype=torch.bool)
    for power in range(FINEST, 5, -2):
        spacing = scale * 2.0**-power
        at.ahead(_around(spacing))
        values = [at(t) for t in _around(spacing)]
        if any(v is None for v in values):
            break
        row = torch.stack([v.reshape(-1) for v in values if v is not None])
        moves = (row[1:] - row[:-1]).abs()
        stuck = (moves == 0).sum(0) >= 3
        # The steps themselves; equal steps would show in no difference of higher order.
        steps = moves.masked_fill(moves == 0, math.inf).amin(0)
        steps = torch.where(left & stuck & torch.isfinite(steps), steps, 0.0)
        floor = torch.maximum(floor, steps)
        for _ in range(4):
            row = row[1:] - row[:-1]
        # A fourth difference of independent errors of size e is of size sqrt(70) e.
        found = torch.where(left & ~stuck, row.abs().amax(0) / math.sqrt(70), found)
        left = left & stuck
        if not bool(left.any()):
            break
        if power == FINEST:
            ends = [at(t * scale * 2.0**-6) for t in (-3.0, 2.0, 3.0)]
            if all(v is not None for v in ends):
                # What does not move far away either is constant.
                far = torch.stack([v.reshape(-1) for v in ends if v is not None])
                left = left & (far != here.reshape(-1)).any(0)
                if not bool(left.any()):
                    break
    return length(torch.maximum(floor, found))


@dataclass(frozen=True)
class Comparison:
    """A derivative by autograd beside differences.

    Args:
        found: the derivative by differences.
        error: ``|autograd - differences|``.
        allowed: what truncation, rounding and a kink at the point explain of it.
        size: of the derivative, the larger of both.
        told: whether ``allowed`` is small beside the derivative.
    """

    found: Tensor
    error: float
    allowed: float
    size: float
    told: bool

    @property
    def wrong(self) -> bool:
        """The derivative is off by more than the differences explain."""
        return self.error > self.allowed


def compare(
    exact: Tensor, at: Sampled, taken: Callable[[float], float], scale: float, scatter: float
) -> Comparison | None:
    """``exact``, the derivative at 0 of what ``at`` samples, against differences.

    Args:
        scale: the largest step is a tenth of it.
        scatter: of ``at``, see :func:`noise`.

    Returns:
        None where too few steps have a value on both sides.
    """
    at.ahead(steps_of(scale, finest=False))
    here = at(0.0)
    if here is None:
        return None
    rows: list[tuple[Tensor, Tensor]] = []
    steps: list[tuple[float, float]] = []
    for step in _sizes(scale):
        ahead, behind = at(step), at(-step)
        if ahead is None or behind is None:
            rows, steps = [], []
            continue
        forth, back = taken(step), -taken(-step)
        if not (forth > 0 and back > 0):
            break
        rows.append((ahead, behind))
        steps.append((forth, back))
    if len(steps) < 5:
        return None
    up = torch.stack([row[0] for row in rows]).reshape(len(rows), -1)
    down = torch.stack([row[1] for row in rows]).reshape(len(rows), -1)
    forth_, back_ = torch.tensor(steps, dtype=up.dtype).to(up)[:, :, None].unbind(1)
    middle = here.reshape(1, -1)
    slopes = (up - down) / (forth_ + back_)
    sides = (up - middle) / forth_ - (middle - down) / back_
    better = _extrapolate(_extrapolate(slopes, 16), 256)
    spreads = _lengths(better[:-1] - better[1:])
    kinks = _lengths(_extrapolate(_extrapolate(sides, 4), 64))
    best: tuple[float, int] | None = None
    for i in range(len(better) - 2):
        spread = max(spreads[i : i + 2])
        # Extrapolation weighs a kink at the point by at most its jump.
        kink = min(kinks[i : i + 3])
        allowed = 4 * spread + kink + 8 * scatter / (sum(steps[i + 3]) / 2)
        if best is None or allowed < best[0]:
            best = (allowed, i + 1)
    assert best is not None
    allowed, index = best
    found = better[index].reshape(here.shape)
    size = max(length(exact), length(found))
    # What autograd itself rounds is of the size of a few hundred units.
    allowed += 1e3 * EPS * size
    around = max(size, *_lengths(slopes), *_lengths(sides))
    told = allowed <= max(SETTLED * around, 1e-6 * length(here) / scale)
    return Comparison(found, length(exact - found), allowed, size, told)


def reliable(
    exact: Tensor, at: Sampled, taken: Callable[[float], float], scale: float, scatter: float
) -> Comparison | None:
    """As :func:`compare`; an error counts only where other step sizes find the same one."""
    first = compare(exact, at, taken, scale, scatter)
    if first is None or not first.wrong:
        return first
    for other in (0.43 * scale, 0.7 * scale):
        again = compare(exact, at, taken, other, scatter)
        if again is None:
            return None
        if not again.wrong or length(first.found - again.found) > first.error / 2:
            return Comparison(
                first.found, first.error, max(first.error, again.allowed), first.size, False
            )
    return first


def _extrapolate(rows: Tensor, factor: int) -> Tensor:
    return (factor * rows[1:] - rows[:-1]) / (factor - 1)


def _lengths(rows: Tensor) -> list[float]:
    """:func:`length` of each row."""
    most = rows.abs().amax(1, keepdim=True)
    safe = torch.where((most > 0) & torch.isfinite(most), most, 1.0)
    found = most[:, 0] * torch.linalg.vector_norm(rows / safe, dim=1)
    plain = (most[:, 0] == 0) | ~torch.isfinite(most[:, 0])
    answer: list[float] = torch.where(plain, most[:, 0], found).tolist()
    return answer


def scale_of(w: Tensor) -> float:
    """The size of steps around w."""
    return max(1.0, float(torch.linalg.vector_norm(w)))


def shown(x: Any, relative: float = 1.0) -> str:
    """A number in few digits, enough to tell it from one that is off by ``relative``."""
    digits = min(17, max(6, 2 - math.floor(math.log10(relative)))) if relative > 0 else 6
    return f"{float(x):.{digits}g}"
