"""Scale-invariant losses with weight decay: letters of appendix H, derivatives, and runs.

f(theta) = f(theta/|theta|) is differentiated by the chain rule, with its gradient, Hessian and
sharpness at theta/|theta| as unknowns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from hypothesis import strategies as st
from scipy.optimize import brentq
from torch import Tensor

from eostheory.agree import Measured, Sample, derivatives
from eostheory.agree.torch import Rounding
from eostheory.formula import (
    Expr,
    dot,
    eye,
    matrix,
    norm,
    norm2,
    outer,
    scalar,
    vector,
)
from eostheory.numeric import autodiff
from eostheory.numeric.autodiff import LossFunction
from eostheory.numeric.losses import Draw, Loss

from ._common import D, T, eta, gradL, gradS, hess, sharpness, u
from ._flow import Table
from ._section4_runs import exact, inner

if TYPE_CHECKING:
    from eostheory.symbolic import Model

theta = vector("theta", D, r"\theta")
unit = vector("theta_bar", D, r"\bar\theta")
lam = scalar("lambda", r"\lambda", positive=True)
P = matrix("P_theta", D, D, r"P_\theta^\perp", symmetric=True)
grad_bar = vector("grad_bar", D, r"\nabla f(\bar\theta)")
hess_bar = matrix("hess_bar", D, D, r"\nabla^2 f(\bar\theta)", symmetric=True)
grad_f = vector("grad_f", D, r"\nabla f(\theta)")
hess_f = matrix("hess_f", D, D, r"\nabla^2 f(\theta)", symmetric=True)
jacobian = matrix("jacobian", D, D, r"\nabla_\theta\bar\theta", symmetric=True)
S_f = scalar("S_f", r"S_f(\theta)")
S_f_bar = scalar("S_f_bar", r"S_f(\bar\theta)")
S_bar = scalar("S_bar", r"S(\bar\theta)")
grad_S_f = vector("grad_S_f", D, r"\nabla S_f(\theta)")
grad_S_f_bar = vector("grad_S_f_bar", D, r"\nabla S_f(\bar\theta)")
grad_S_bar = vector("grad_S_bar", D, r"\nabla S(\bar\theta)")
objective = scalar("L_theta", r"L(\theta)")
f_bar = scalar("f_bar", r"f(\bar\theta)")
least = scalar("least", r"\min_{|\theta|} L")
alpha_ = scalar("alpha", r"\alpha(\theta)")
r = norm(theta)

INVARIANT = {"scale_invariant": "f(c theta) = f(theta) for every c > 0"}
CRITICAL = {"critical": "theta is a critical point of f"}


# -------------------------------------------------------------------------------- derivation
def direction(m: Model) -> None:
    """The point on the sphere and the projection off it."""
    m.define(unit, theta / norm(theta))
    m.define(P, eye(D) - outer(theta, theta) / norm2(theta))


def turned(m: Model, along: Expr) -> Expr:
    """The derivative of theta/|theta|."""
    return m.differentiate(theta / norm(theta), theta, along)


def invariant(m: Model) -> None:
    """What scale invariance says of the derivatives at theta/|theta| (Euler's relations)."""
    m.step("f(c x) = f(x), differentiated in c at c = 1: x . grad f = 0; then in x: H x = -grad f")
    m.relation(dot(theta, grad_bar), 0, by="scale_invariant")
    m.relation(hess_bar @ theta, -norm(theta) * grad_bar, by="scale_invariant")


def chain_rule(m: Model) -> None:
    """Gradient and Hessian of f(theta/|theta|) at theta."""
    direction(m)
    y = vector("y", D)
    first = dot(grad_bar, turned(m, y))
    m.define(grad_f, m.gradient(first, y))
    m.step("the chain rule once, and again: the derivative of grad f(n) along y is H(n) Dn y")
    moved = turned(m, y)
    second = dot(hess_bar @ moved, moved) + dot(grad_bar, m.differentiate(moved, theta, y))
    m.define(hess_f, m.hessian(second / 2, y))


def critical(m: Model) -> None:
    """grad f = 0; scale invariance leaves no room for a radial part."""
    m.relation(grad_bar, 0 * theta, by="critical")


def regularised(m: Model) -> None:
    """L = f + lambda |theta|^2/2."""
    m.define(gradL, grad_f + m.gradient(lam * norm2(theta) / 2, theta))
    m.define(hess, hess_f + m.hessian(lam * norm2(theta) / 2, theta))


def sharpness_scaling(m: Model) -> None:
    """S_f(theta) = S_f(theta/|theta|)/|theta|^2 and its gradient by the chain rule."""
    direction(m)
    m.uses("damian23/lemma-8.p1")
    y = vector("y", D)
    size = norm2(theta)
    slope = dot(grad_S_f_bar, turned(m, y)) / size
    slope = slope + S_f_bar * m.differentiate(1 / size, theta, y)
    m.define(S_f, S_f_bar / size)
    m.define(grad_S_f, m.gradient(slope, y))
    m.step("the derivative of 1/|theta|^2 is -2 theta/|theta|^4")
    m.define(S_bar, S_f_bar + lam)
    m.define(grad_S_bar, grad_S_f_bar)
    m.define(sharpness, S_f + lam)
    m.define(gradS, grad_S_f)


# -------------------------------------------------------------------------------- simulation
@dataclass(frozen=True)
class Valley:
    """f = z.Mz/2 + (b.z)^3 + (c.z)^4 with z the components of Q theta/|theta| off the first.

    theta = r Q^T e_1 is a critical point, and Q^T (0, v) an eigenvector with M v = s v.
    """

    turn: Tensor
    M: Tensor
    b: Tensor
    c: Tensor
    tilt: float = 0.0
    decay: float = 0.0

    def f(self, theta: Tensor) -> Tensor:
        """The scale-invariant part (plus a linear function, if tilted)."""
        z = (self.turn[1:] @ theta) / torch.sqrt((theta * theta).sum())
        value = torch.dot(z, self.M @ z) / 2 + torch.dot(self.b, z) ** 3
        value = value + torch.dot(self.c, z) ** 4
        return value + self.tilt * theta.sum() if self.tilt else value

    def loss(self, theta: Tensor) -> Tensor:
        """With weight decay."""
        return self.f(theta) + self.decay / 2 * (theta * theta).sum()


def valley(sample: Sample, invariant_: bool = True, sign: float = 1.0) -> tuple[Valley, Draw]:
    """A drawn one with a minimum (or, with ``sign = -1``, a maximum)."""
    dim = sample.draw(st.integers(3, 5), "D")
    draw = Draw(sample.draw(st.integers(0, 2**20), "seed"))
    spin = draw.orthogonal(dim - 1)
    spectrum = draw.uniform(0.2, 1.0, dim - 1)
    spectrum[0] = 1.6
    bowl = sign * spin @ torch.diag(spectrum) @ spin.T
    decay = sample.draw(st.sampled_from([0.25, 0.5, 2.5]), "lambda")
    tilt = 0.0 if invariant_ else 0.5
    found = Valley(draw.orthogonal(dim), (bowl + bowl.T) / 2, draw.normal(dim - 1) / 2,
                   draw.normal(dim - 1) / 2, tilt, decay)  # fmt: skip
    return found, draw


def sphere(point: Tensor) -> tuple[Measured, Measured, Tensor]:
    """theta/|theta| measured, the projection off it, and its nearest floating-point vector."""
    with Rounding() as bounds:
        size = torch.sqrt((point * point).sum())
        on = bounds(point / size)
        off = bounds(torch.eye(len(point), dtype=torch.float64)
                     - torch.outer(point, point) / (point * point).sum())  # fmt: skip
    return on, off, torch.as_tensor(np.asarray(on.value))


def widened(value: Measured, share: float = 2.0**-44) -> Measured:
    """With room for the rounding of the point where it was measured."""
    array = np.asarray(value.value)
    more = np.asarray(value.error) + share * (1 + np.abs(array).max())
    return Measured(array if array.ndim else float(array), more if array.ndim else float(more))


def at_point(hills: Valley | Loss, point: Tensor) -> Table:
    """First and second derivatives of f at a point and at its direction."""
    function = hills.f if isinstance(hills, Valley) else hills
    on, off, near = sphere(point)
    return {
        theta: exact(point),
        unit: on,
        P: off,
        jacobian: derivative_of_direction(point),
        grad_f: derivatives.gradient(function, point),
        hess_f: derivatives.hessian(function, point),
        grad_bar: widened(derivatives.gradient(function, near)),
        hess_bar: widened(derivatives.hessian(function, near)),
    }


def derivative_of_direction(point: Tensor) -> Measured:
    """The Jacobian of normalisation by autograd."""
    found = torch.func.jacrev(lambda w: w / torch.sqrt((w * w).sum()))(point)
    return Measured(found.numpy(), 2.0**-46 * (1 + float(found.abs().max())))


def top_data(function: LossFunction, point: Tensor) -> tuple[Measured, Measured, Measured]:
    """Top eigenvalue, its eigenvector and its gradient D^3(u, u), by autograd.

    Sizes are of order ten and gaps of order one tenth; some ten thousand roundings are allowed.
    """
    h = autodiff.hessian(function, point)
    pair = autodiff.top_eigenpair((h + h.T) / 2)
    bend = autodiff.third(function, point, pair.vector, pair.vector)
    found = (pair.value, pair.vector, bend)
    top, axis, slope = (widened(Measured(t.numpy(), 0 * t.numpy()), 2.0**-38) for t in found)
    return top, axis, slope


def observe_point(sample: Sample) -> None:
    """Derivatives at a generic point."""
    hills, draw = valley(sample, sample.holds("scale_invariant"))
    point = 2.0 ** sample.draw(st.integers(-1, 1), "log2 size") * draw.normal(len(hills.turn))
    sample.observe(at_point(hills, point))


def observe_any_point(sample: Sample) -> None:
    """The same for claims that ask for nothing."""
    hills, draw = valley(sample)
    sample.observe(at_point(hills, draw.normal(len(hills.turn))))


def observe_critical(sample: Sample) -> None:
    """A critical point, or a generic one."""
    hills, draw = valley(sample)
    point = 1.5 * hills.turn[0] if sample.holds("critical") else draw.normal(len(hills.turn))
    table = at_point(hills, point)
    if sample.holds("critical"):
        table |= {k: widened(v) for k, v in table.items() if isinstance(v, Measured)}
    slope = widened(derivatives.gradient(hills.loss, point))
    more: Table = {lam: hills.decay, gradL: slope}
    more[hess] = derivatives.hessian(hills.loss, point)
    sample.observe({**table, **more})


def observe_eigenvector(sample: Sample, asked: str, name: str) -> None:
    """The top eigenvector at a minimum, or at a maximum if ``asked`` is withheld."""
    good = sample.holds(asked)
    hills, _ = valley(sample, sign=1.0 if good else -1.0)
    point = sample.draw(st.sampled_from([0.5, 1.0, 2.0]), name) * hills.turn[0]
    top = derivatives.top_eigenpair(derivatives.hessian(hills.loss, point))
    table: Table = {theta: exact(point), lam: hills.decay, u: widened(top.vector, 2.0**-40)}
    slope = widened(derivatives.gradient(hills.loss, point))
    sample.observe({**table, gradL: slope, eta: 2.0 / top.value})


def observe_sharpness(sample: Sample, at_minimum: bool = False) -> None:
    """Sharpness and its gradient at a point and at its direction."""
    hills, draw = valley(sample)
    size = sample.draw(st.sampled_from([0.5, 1.25, 2.0]), "size")
    base = hills.turn[0] if at_minimum else hills.turn[0] + 0.05 * draw.normal(len(hills.turn))
    point = size * base / base.norm()
    on, off, near = sphere(point)
    table: Table = {theta: exact(point), unit: on, P: off, lam: hills.decay}
    for function, value, rise, at in (
        (hills.f, S_f, grad_S_f, point),
        (hills.f, S_f_bar, grad_S_f_bar, near),
        (hills.loss, sharpness, gradS, point),
        (hills.loss, S_bar, grad_S_bar, near),
    ):
        top, _, bend = top_data(function, at)
        table |= {value: top, rise: bend}
    top, axis, _ = top_data(hills.loss, point)
    slope = widened(derivatives.gradient(hills.loss, point))
    table |= {u: axis, gradL: slope, eta: 2.0 / top}
    table[alpha_] = -1.0 * inner(slope, table[gradS])  # type: ignore[arg-type]
    sample.observe(table)


# -------------------------------------------------------------------------------- the problems
def observe_values(sample: Sample, invariant_matters: bool = True) -> None:
    """Objective and constraint of the constrained problem at a generic point."""
    good = not invariant_matters or sample.holds("scale_invariant")
    hills, draw = valley(sample, good)
    rate = sample.draw(st.sampled_from([0.2, 0.5, 1.0]), "eta")
    point = float(draw.uniform(0.5, 2.0, 1)[0]) * draw.normal(len(hills.turn))
    on, _, near = sphere(point)
    top, bare = top_data(hills.loss, point)[0], top_data(hills.f, point)[0]
    table: Table = {theta: exact(point), unit: on, lam: hills.decay, eta: rate}
    table |= {objective: widened(derivatives.value(hills.loss, point))}
    table |= {f_bar: widened(derivatives.value(hills.f, near))}
    table |= {sharpness: top, S_f: bare, S_f_bar: top_data(hills.f, near)[0]}
    sample.observe(table)


def observe_least(sample: Sample) -> None:
    """The least radius that meets the constraint in a direction, and the loss there."""
    hills, draw = valley(sample)
    rate = sample.draw(st.sampled_from([0.1, 0.25, 0.5]), "eta")
    on = hills.turn[0] + 0.05 * draw.normal(len(hills.turn))
    on = on / on.norm()

    def excess(radius: float) -> float:
        h = autodiff.hessian(hills.loss, radius * on)
        return float(autodiff.top_eigenpair((h + h.T) / 2).value) - 2 / rate

    radius = float(brentq(excess, 1e-2, 30.0, xtol=1e-13, rtol=1e-13))
    table: Table = {lam: hills.decay, eta: rate, S_f_bar: top_data(hills.f, on)[0]}
    table |= {f_bar: widened(derivatives.value(hills.f, on))}
    sample.observe({**table, least: widened(derivatives.value(hills.loss, radius * on), 2.0**-34)})


def observe_slope(sample: Sample) -> None:
    """The whole third derivative, and the gradient of the sharpness."""
    hills, draw = valley(sample)
    base = hills.turn[0] + 0.05 * draw.normal(len(hills.turn))
    point = sample.draw(st.sampled_from([0.75, 1.25]), "size") * base / base.norm()
    near = sphere(point)[2]
    _, axis, slope = top_data(hills.loss, point)
    dense = autodiff.third_tensor(hills.loss, point).numpy()
    off = Measured(dense, 2.0**-40 * (1 + np.abs(dense).max()))
    table: Table = {theta: exact(point), lam: hills.decay, u: axis, T: off, gradS: slope}
    sample.observe({**table, S_bar: top_data(hills.loss, near)[0]})
