"""Real steps beside the constrained trajectory, as epsilon tends to zero.

The loss of ``_losses`` with gradient s^2 g and the third derivative off u scaled by s, which makes
alpha = O(s^2), so that epsilon and delta are of order s (Assumptions 4 and 5); the displacement
starts at s times a fixed vector.  Gradient descent and projected gradient descent both run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from eostheory.agree import Measured, Sample
from eostheory.numeric.autodiff import gradient, hessian, third, top_eigenpair
from eostheory.numeric.losses import Draw

from ._common import eta, gradL, gradS, hess, u, x, y
from ._flow import Table
from ._losses import SelfStabilising, drawn_loss
from ._theorem1_letters import (
    E_next,
    E_t,
    delta_t,
    eps_next,
    epsilon,
    g,
    g_next,
    last,
    last_perp,
    mixed,
    now,
    perp,
    projected,
    rho_3,
    rho_4,
    size,
    slope,
    then,
    transverse,
    v,
    v_next,
    v_perp,
    width,
    x_last,
    x_next,
    y_next,
)
from ._toy import conditions

SCALES = tuple(2.0**-k for k in range(5, 10))
ROUNDING = 2.0**-46


@dataclass(frozen=True)
class Moment:
    """Both trajectories at one time, and Taylor data on the constrained one."""

    v: Tensor
    u: Tensor
    H: Tensor
    gradL: Tensor
    gradS: Tensor

    @property
    def P(self) -> Tensor:
        """The projection off u."""
        return torch.eye(len(self.u), dtype=self.u.dtype) - torch.outer(self.u, self.u)

    @property
    def perp(self) -> Tensor:
        """The part of grad S off u."""
        return self.P @ self.gradS

    @property
    def x(self) -> Tensor:
        """The coordinate along u."""
        return torch.dot(self.u, self.v)

    @property
    def y(self) -> Tensor:
        """The coordinate along grad S^perp."""
        return torch.dot(self.perp, self.v)

    @property
    def alpha(self) -> float:
        """Progressive sharpening."""
        return -float(torch.dot(self.gradL, self.gradS))

    @property
    def delta(self) -> float:
        """(2 alpha/beta)^(1/2)."""
        return math.sqrt(2 * self.alpha / float(torch.dot(self.perp, self.perp)))


@dataclass(frozen=True)
class Story:
    """Three times of one run at one scale."""

    scale: float
    loss: SelfStabilising
    moments: tuple[Moment, Moment, Moment]

    @property
    def epsilon(self) -> float:
        """The largest eta alpha^(1/2)."""
        return max(self.loss.eta * math.sqrt(m.alpha) for m in self.moments[:2])

    @property
    def delta(self) -> float:
        """The largest delta."""
        return max(m.delta for m in self.moments[:2])

    def error(self, k: int) -> float:
        """E_t of the paper at the k-th time."""
        ratio = float(self.moments[k].v.norm()) / self.delta
        return self.epsilon**2 * self.delta * max(1.0, ratio) ** 3


def known(value: Tensor | float) -> Measured:
    """A value with room for the roundings of a few steps and projections."""
    array = np.asarray(value, dtype=np.float64)
    return Measured(array if array.ndim else float(array), ROUNDING * (1e-3 + np.abs(array)))


def stories(sample: Sample) -> tuple[Story, ...]:
    """One drawn loss and start at ever smaller scales."""
    base = drawn_loss(sample, kernel=False, largest=4)
    seed = sample.draw(st.integers(0, 2**20), "start")
    key = (seed, base.eta, *(float(x) for x in base.t3.flatten()))
    if key not in _told:
        free = Draw(seed).normal(base.dim)
        off = free - torch.dot(free, base.u) * base.u
        _told[key] = tell(base, base.u + 0.7 * off / off.norm())
    story = _told[key]
    if story is None:
        sample.reject("grad S almost along u, or no progressive sharpening")
    return story or ()


_told: dict[tuple[float, ...], tuple[Story, ...] | None] = {}
"""Four claims look at the same runs."""


def tell(base: SelfStabilising, start: Tensor) -> tuple[Story, ...] | None:
    """The runs of one loss, None where Assumption 1 or 4 fails."""
    found = []
    turned = start - torch.dot(start, base.u) * base.u
    # some curvature off u, which a drawn loss may lack
    h = base.h + 0.3 / base.eta * torch.outer(turned, turned) / torch.dot(turned, turned)
    g = base.g - torch.dot(base.g, base.u) * base.u
    slope = base.t3 @ base.u @ base.u
    across = slope - torch.dot(slope, base.u) * base.u
    # grad L turned towards -grad S^perp: Assumption 4
    g = g * float(across.norm()) / float(g.norm()) / 2 - across
    if float(across.norm()) < 0.2:
        return None
    axis = base.u.abs() > 0.5
    count = axis[:, None, None].int() + axis[None, :, None].int() + axis[None, None, :].int()
    for s in SCALES:
        t3 = torch.where(count >= 2, base.t3, s * base.t3)
        loss = replace(base, h=h, g=s**2 * g, t3=t3, star=torch.zeros_like(g))
        story = Story(s, loss, moments(loss, s * start))
        if min(m.alpha for m in story.moments) <= 0:
            return None
        found.append(story)
    return tuple(found)


def moments(loss: SelfStabilising, v: Tensor) -> tuple[Moment, Moment, Moment]:
    """Gradient descent and projected gradient descent for two steps."""
    theta, at, axis = loss.star + v, loss.star, loss.u
    found = []
    for k in range(3):
        h = hessian(loss.loss, at)
        pair = top_eigenpair((h + h.T) / 2)
        axis = pair.vector if float(torch.dot(pair.vector, axis)) > 0 else -pair.vector
        slope = third(loss.loss, at, axis, axis)
        found.append(Moment(theta - at, axis, h, gradient(loss.loss, at), slope))
        theta = theta - loss.eta * gradient(loss.loss, theta)
        if k < 2:
            at = projected_step(loss, at)
    return found[0], found[1], found[2]


def projected_step(loss: SelfStabilising, start: Tensor) -> Tensor:
    """One step of eq. (2) where the sharpness stays on the edge: both conditions are equations."""
    target = start - loss.eta * gradient(loss.loss, start)
    at, moved = start, target - start
    for _ in range(12):
        values, rows = conditions(loss.loss, at, loss.eta)
        multiplier = torch.linalg.solve(rows @ rows.T, values + rows @ (target - at))
        new = target - rows.T @ multiplier
        done = float((new - at).norm()) <= 2.0**-50 * (1e-3 + float(moved.norm()))
        at = new
        if done:
            break
    return at


def from_real_steps(sample: Sample) -> None:
    """Gradient descent beside the constrained trajectory at ever smaller scales."""
    for story in stories(sample):
        loss, (zero, one, two) = story.loss, story.moments
        off = zero.P @ zero.v
        unit = zero.perp / zero.perp.norm()
        table: Table = {
            v: known(zero.v),
            v_next: known(one.v),
            v_perp: known(off),
            x: known(zero.x),
            y: known(zero.y),
            x_next: known(one.x),
            y_next: known(one.y),
            x_last: known(two.x),
            g: known(torch.dot(zero.gradS, zero.u)),
            g_next: known(torch.dot(one.gradS, one.u)),
            u: known(zero.u),
            hess: known(zero.H),
            gradL: known(zero.gradL),
            gradS: known(zero.gradS),
            perp: known(zero.perp),
            projected: known(zero.gradL - torch.dot(unit, zero.gradL) * unit),
            mixed: known(third(loss.loss, loss.star, zero.u, off)),
            transverse: known(third(loss.loss, loss.star, off, off)),
            delta_t: known(zero.delta),
            last_perp: known(two.P @ two.v),
            eps_next: known(loss.eta * one.alpha**0.5),
        }
        for moment, letters in ((zero, now), (one, then), (two, last)):
            table |= {
                letters.v: known(moment.v),
                letters.x: known(moment.x),
                letters.H: known(moment.H),
                letters.P: known(moment.P),
                letters.perp: known(moment.perp),
                letters.delta: known(moment.delta),
            }
        table |= {eta: loss.eta, rho_3: 1.0, rho_4: 1.0, size: float(zero.v.norm())}
        table |= {slope: float(zero.gradL.norm()), epsilon: story.epsilon, width: story.delta}
        table |= {E_t: story.error(0), E_next: story.error(1)}
        sample.observe(table, scale=story.scale)
