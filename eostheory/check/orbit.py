"""The orbit of period two that gradient descent may come to rest on at the edge of stability.

At a point theta of the stable set the constrained trajectory is brought to rest by taking off the
part of the gradient that it follows: what is left, ``-(alpha / beta) grad S^perp``, only drives the
sharpness up.  Gradient descent around theta then shows whether the orbit ``(+-delta, y)`` attracts,
and what its sharpness is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from eostheory.check.tilted import tilted
from eostheory.curvature import Products
from eostheory.numeric.autodiff import LossFunction
from eostheory.numeric.dynamics import checked
from eostheory.numeric.objective import Objective
from eostheory.training.center import Center
from eostheory.training.generalized import Limit, limiting_sharpness

AWAY = 1.05
"""Where descent starts, in delta along u: near the orbit, and not on it."""

REST = 1e-3
"""Amplitudes that will change by less than this part of delta are at rest."""


@dataclass(frozen=True)
class Orbit:
    """What gradient descent does near the orbit.

    Args:
        scale: s; the drive is ``s^2`` times that of the loss.
        limit: what is predicted.
        kind: "attracts" (it came to rest), "approaches" (amplitudes come closer, not at rest yet),
            "leaves" (they go away, or no nearer).
        sharpness: two-step mean of ``u . H u`` at the end, u of theta.
        amplitude: mean of ``|u . v|`` over two steps at the end.
        damping: ``|H grad S^perp| / |grad S^perp|`` off u; 0 where that is rounding.
        epsilon: of this drive.
        series: amplitudes by step.
    """

    scale: float
    limit: Limit
    kind: str
    sharpness: float
    amplitude: float
    damping: float
    epsilon: float
    steps: int
    series: dict[str, list[float]] = field(repr=False)

    @property
    def change(self) -> float:
        """How far the limit is from 2/eta."""
        return self.limit.y + self.limit.second

    @property
    def error(self) -> float:
        """Measured less predicted."""
        return self.sharpness - self.limit.sharpness


def find_orbit(objective: Objective, center: Center, eta: float, scale: float, steps: int) -> Orbit:
    """Gradient descent with the drive ``s^2 alpha`` from near the orbit until it is at rest.

    Raises:
        BecameNaN, Diverged: descent leaves every reasonable region.
    """
    found = center.coefficients(eta)
    drive = -(scale**2 * found.alpha / found.beta) * center.across
    loss = tilted(objective, center, center.gradient - drive)
    limit = _limit(loss, center, drive, eta)
    theta, u, delta = center.point, center.u, limit.x
    w = theta + AWAY * delta * u
    sizes: list[float] = []
    kind, step = "", 0
    while step < steps and not kind:
        pair = []
        for _ in range(2):
            _, gradient = loss.value_and_gradient(w)
            w = checked(w - eta * gradient, step)
            pair.append(abs(float(torch.dot(u, w - theta))))
            step += 1
        sizes.append((pair[0] + pair[1]) / 2)
        if max(pair) > 3 * AWAY * delta:
            kind = "leaves"
        elif len(sizes) % 32 == 0 or step >= steps:
            kind = _settled(sizes, delta, cycle(scale * found.epsilon) // 2)
    last = [_rayleigh(loss, w, u)]
    _, gradient = loss.value_and_gradient(w)
    last.append(_rayleigh(loss, w - eta * gradient, u))
    return Orbit(
        scale, limit, kind or _trend(sizes), sum(last) / 2, sizes[-1],
        _damping(center), scale * found.epsilon, step,
        {"step": [2.0 * k for k in range(len(sizes))], "amplitude": sizes},
    )  # fmt: skip


def _limit(loss: Objective, center: Center, drive: Tensor, eta: float) -> Limit:
    with Products(loss, center.point) as products:
        held = Center(
            products, center.u, center.slope, center.sharpness, center.next_value, center.residual
        )
        return limiting_sharpness(loss, held, eta)


def _rayleigh(loss: LossFunction, w: Tensor, u: Tensor) -> float:
    with Products(loss, w) as products:
        return float(torch.dot(products(u), u))


def _swing(sizes: list[float]) -> float:
    return max(sizes) - min(sizes)


def _settled(sizes: list[float], delta: float, whole: int) -> str:
    """At rest when a whole cycle of the slow oscillation hardly moves, and all those to come, which
    are smaller by the same factor each as this one is than the one before, add up to little."""
    if len(sizes) < 2 * whole:
        return ""
    now, before = _swing(sizes[-whole:]), _swing(sizes[-2 * whole : -whole])
    if now <= 1e-3 * REST * delta:
        return "attracts"
    rest = now / (1 - now / before) if now < before else math.inf
    return "attracts" if rest <= REST * delta else ""


def _damping(center: Center) -> float:
    across = center.across
    image = center.products(across)
    image = image - torch.dot(image, center.u) * center.u
    length = float(torch.linalg.vector_norm(across))
    found = float(torch.linalg.vector_norm(image)) / length if length > 0 else 0.0
    # The residual of u leaves as much of the sharpness.
    return found if found > 1e-6 * center.sharpness else 0.0


def _trend(sizes: list[float]) -> str:
    """Whether the swings of the amplitude become smaller, third by third."""
    third = len(sizes) // 3
    if third < 16:
        return "approaches"
    swings = [_swing(sizes[k * third : (k + 1) * third]) for k in range(3)]
    return "approaches" if swings[2] < 0.9 * swings[1] < 0.81 * swings[0] else "leaves"


def cycle(epsilon: float) -> int:
    """Steps of a small oscillation around the fixed point: ``2 pi / (sqrt(2) epsilon)``."""
    return math.ceil(2 * math.pi / (math.sqrt(2) * epsilon))
