"""The bottom of the loss along the top eigenvector, and the excess over its quadratic model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from eostheory.check.bounds import bounded
from eostheory.check.finding import Undecided
from eostheory.check.subject import LossFunction
from eostheory.numeric.autodiff import gradient, hessian_vector, third
from eostheory.numeric.events import NumericEvent

if TYPE_CHECKING:
    from eostheory.check.structure import Structure


class Valley(NamedTuple):
    """The bottom of the loss along the top eigenvector, and how the loss bends there.

    Attributes:
        point, vector: (D,), w and u with ``grad L(w) . u = 0``.
        sharpness: S along u.
        cubic: third derivative along u.
        scale: largest curvature along u that was met; far above S at a quartic bottom.
    """

    point: Tensor
    vector: Tensor
    sharpness: float
    cubic: float
    scale: float


def valley(structure: Structure, w: Tensor) -> Valley:
    """The point with ``grad L . u = 0`` next to w, by line searches along the top eigenvector."""
    u: Tensor | None = None
    scale = 0.0
    for _ in range(6 if len(w) <= 200 else 3):
        try:
            top = structure.top(w)
        except NumericEvent as event:
            raise Undecided(str(event)) from event
        if not top.simple:
            raise Undecided("the top eigenvalue is repeated at the bottom of the valley")
        if u is not None and abs(float(torch.dot(u, top.vector))) > 1 - 1e-10:
            break
        u = top.vector
        w, seen = _bottom(structure.ctx.loss, w, u)
        scale = max(scale, seen)
    assert u is not None
    curvature = float(torch.dot(hessian_vector(structure.ctx.loss, w, u), u))
    cubic = float(torch.dot(third(structure.ctx.loss, w, u, u), u))
    return Valley(w, u, curvature, cubic, scale)


def _bottom(loss: LossFunction, w: Tensor, u: Tensor) -> tuple[Tensor, float]:
    """The minimum of the loss along u next to w, by Newton's method with steps of bounded length;
    and the largest curvature on the way."""
    reach = 0.1 * max(1.0, float(torch.linalg.vector_norm(w)))
    x, scale = 0.0, 0.0
    for _ in range(60):
        at = w + x * u
        try:
            image = hessian_vector(loss, at, u)
            slope = float(torch.dot(gradient(loss, at), u))
        except NumericEvent as event:
            raise Undecided(f"the loss is not finite along the top eigenvector: {event}") from event
        bend = float(torch.dot(image, u))
        scale = max(scale, abs(bend))
        # Below this a slope is rounding: a quartic bottom is flat there.
        if abs(slope) <= 1e-15 * scale * max(1.0, float(torch.linalg.vector_norm(at))):
            return at, scale
        step = -slope / bend if bend > 0 else -math.copysign(reach, slope)
        step = max(-reach, min(reach, step))
        x += step
        if abs(step) <= 1e-9 * max(1.0, abs(x)):
            return w + x * u, scale
    raise Undecided("the loss has no minimum along the top eigenvector within reach of the start")


def excess_bend(
    loss: LossFunction, valley: Valley, delta: float | None
) -> tuple[float, float, float, list[tuple[float, float]]] | None:
    """x, ``F'' - F'/x`` there, what rounding explains, and all (x, value) seen.

    At delta if given; else at the smallest x at which the value is far above rounding.
    """
    w, u = valley.point, valley.vector

    def compute(x: float) -> tuple[float, float]:
        def value(p: Tensor) -> Tensor:
            ahead, behind = p + x * u, p - x * u
            bend = torch.dot(hessian_vector(loss, ahead, u), u)
            bend = bend + torch.dot(hessian_vector(loss, behind, u), u)
            slope = torch.dot(gradient(loss, ahead) - gradient(loss, behind), u)
            return ((bend - slope / x) / 2).reshape(1)

        found = bounded(value, w, 2)
        # The step x u is rounded as well, which moves both terms by an ulp of the curvature.
        eps = torch.finfo(w.dtype).eps
        return float(found.value), found.error + 64 * eps * abs(valley.sharpness)

    largest = 0.5 * max(1.0, float(torch.linalg.vector_norm(w)) / math.sqrt(len(w)))
    count = 9 if len(w) <= 200 else 4
    sizes = [largest * 4.0**-k for k in range(count, -1, -1)]
    seen: list[tuple[float, float]] = []
    chosen: tuple[float, float, float] | None = None
    for x in [delta, *sizes] if delta else sizes:
        try:
            kappa, room = compute(x)
        except NumericEvent:
            continue
        seen.append((x, kappa))
        chosen = (x, kappa, room)
        if x == delta or abs(kappa) > 1e6 * room:
            break
    return None if chosen is None else (*chosen, seen)
