"""Losses with any shape along the unstable direction: letters and runs of appendix F.

L(theta^dagger + x u + w) = L_0 + x^2/eta + F(x) + (<s, w>/2) x^2 + <g, w>, w orthogonal to u: the
excess F is arbitrary, and moving along w changes the sharpness by y = <s, w>.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from hypothesis import strategies as st
from scipy.optimize import brentq
from torch import Tensor

from eostheory.agree import Measured, Sample
from eostheory.formula import scalar, vector
from eostheory.numeric.losses import Draw

from ._common import D, beta, eta, sharpness, u, x, x_next, y
from ._flow import Table
from ._predicted import after, drawn_run, now, written_out

delta = scalar("delta", r"\delta_t", positive=True)
rho4 = scalar("rho_4", r"\rho_4", positive=True)
excess = scalar("F", "F_t(x)")
slope = scalar("F1", "F'(x)")
bend = scalar("F2", "F''(x)")
line = scalar("L_line", r"L(\theta_t^\dagger + xu_t)")
base = scalar("L_0", r"L(\theta_t^\dagger)")
grad_there = vector("grad_there", D, r"\nabla L(\theta_t^\dagger + v_t)")
grad_line = vector("grad_line", D, r"\nabla L(\theta_t^\dagger + xu_t)")
first_pull = scalar("F1_t", r"F'(\dot x_t)")

Shape = Callable[[Tensor], Tensor]
OFF = 2.0**-44


@dataclass(frozen=True)
class Excess:
    """One loss, in coordinates where u is the first axis."""

    eta: float
    shape: Shape
    g: Tensor
    s: Tensor
    base: float

    def loss(self, theta: Tensor) -> Tensor:
        """The loss at theta^dagger + theta."""
        a, w = theta[0], theta[1:]
        bent = torch.dot(self.s, w) / 2 * a * a
        return self.base + a * a / self.eta + self.shape(a) + bent + torch.dot(self.g, w)

    def gradient(self, theta: Tensor) -> Tensor:
        """By autograd."""
        at = theta.clone().requires_grad_()
        (found,) = torch.autograd.grad(self.loss(at), at)
        return found.detach()

    def jet(self, at: float) -> tuple[Measured, Measured, Measured]:
        """F, F' and F'' from its definition by autograd."""
        a = torch.tensor(at, dtype=torch.float64, requires_grad=True)
        zeros = torch.zeros(len(self.g), dtype=torch.float64)
        value = self.loss(torch.cat([a[None], zeros])) - self.base - a * a / self.eta
        (first,) = torch.autograd.grad(value, a, create_graph=True)
        (second,) = torch.autograd.grad(first, a, create_graph=True)
        return near(value), near(first), near(second)

    def move(self, theta: Tensor) -> Tensor:
        """A gradient step less the constrained one, which removes the drift of w along -g.

        What is left is the displacement's own step, with the drive delta^2/2 along s.
        """
        step = theta - self.eta * self.gradient(theta)
        ratio = torch.dot(self.g, self.s) / torch.dot(self.s, self.s)
        step[1:] += self.eta * (self.g - ratio * self.s)
        return step

    @property
    def width(self) -> float:
        """delta = sqrt(2 alpha/beta)."""
        return float((-2 * torch.dot(self.g, self.s) / torch.dot(self.s, self.s)).sqrt())

    def point(self, a: float, rise: float) -> Tensor:
        """The point with coordinates x and y."""
        w = rise * self.s / torch.dot(self.s, self.s)
        return torch.cat([torch.tensor([a], dtype=torch.float64), w])

    def height(self, theta: Tensor) -> float:
        """The coordinate y."""
        return float(torch.dot(self.s, theta[1:]))


def near(value: Tensor | float, scale: float = 1.0) -> Measured:
    """A number of order one after some ten roundings."""
    number = float(value.detach()) if isinstance(value, Tensor) else value
    return Measured(number, OFF * (scale + abs(number)))


def drawn(sample: Sample, shape: Shape | None = None) -> Excess:
    """A loss with a generic smooth excess, or the one given."""
    dim = sample.draw(st.integers(2, 9), "d")
    draw = Draw(sample.draw(st.integers(0, 2**20), "seed"))
    a, b, c = (float(v) for v in draw.uniform(-1.0, 1.0, 3))
    rate = float(draw.uniform(0.3, 1.5, 1)[0])
    g, s = draw.normal(dim - 1), draw.normal(dim - 1)
    if float(torch.dot(g, s)) > 0:
        g = -g
    # delta between 1/2 and 1.2
    s = s * (-2 * torch.dot(g, s)) / torch.dot(s, s) / float(draw.uniform(0.5, 1.2, 1)[0]) ** 2

    def generic(t: Tensor) -> Tensor:
        return a * t**4 / 24 + b * (torch.cos(t) - 1 + t * t / 2) + c * t**6 / 720

    return Excess(rate, shape or generic, g, s, c)


def numbers(loss: Excess, at: float) -> Table:
    """The jet of the excess at a place on the line."""
    value, first, second = loss.jet(at)
    start = torch.zeros(len(loss.g) + 1, dtype=torch.float64)
    start[0] = at
    return {eta: loss.eta, excess: value, slope: first, bend: second, base: loss.base,
            line: near(loss.loss(start)), x: at}  # fmt: skip


def on_the_line(sample: Sample) -> None:
    """The loss along u, against its quadratic model."""
    loss = drawn(sample)
    for at in (-1.3, 0.4, 1.1):
        sample.observe(numbers(loss, at))


def one_step(sample: Sample) -> None:
    """One gradient step from theta^dagger + x u + w."""
    loss = drawn(sample)
    draw = Draw(sample.draw(st.integers(0, 2**20), "point"))
    at, rise = (float(v) for v in draw.uniform(0.3, 1.2, 2))
    theta = loss.point(at, rise)
    if len(theta) > 2:
        side = draw.normal(len(theta) - 1)
        side = side - torch.dot(side, loss.s) / torch.dot(loss.s, loss.s) * loss.s
        theta[1:] += side
    axis = torch.zeros(len(theta), dtype=torch.float64)
    axis[0] = 1.0
    there = loss.gradient(theta)
    size = 1.0 + float(there.abs().max() + theta.abs().max())
    found: Table = {
        u: axis,
        y: near(loss.height(theta), size),
        x_next: near(theta[0] - loss.eta * there[0], size),
        grad_there: Measured(there.numpy(), np.full(len(theta), OFF * size)),
    }
    sample.observe({**numbers(loss, at), **found})


def period_two(sample: Sample, shape: Shape | None = None) -> None:
    """The orbit of period two of real displacement steps, found by bisection."""
    loss = drawn(sample, shape)
    observe_orbit(sample, loss)


def observe_orbit(sample: Sample, loss: Excess, more: Table | None = None) -> None:
    """Where a step leaves y as it is, and then where it turns x around."""

    def drift(a: float) -> float:
        return loss.height(loss.move(loss.point(a, 0.0)))

    place = float(brentq(drift, 0.2 * loss.width, 5 * loss.width, xtol=1e-14, rtol=1e-14))

    def turn(rise: float) -> float:
        return float(loss.move(loss.point(place, rise))[0]) + place

    rise = float(brentq(turn, -50.0 / loss.eta, 50.0 / loss.eta, xtol=1e-13, rtol=1e-14))
    theta = loss.point(place, rise)
    off = 1e-10 * (1 + place + abs(rise))
    at = theta.clone().requires_grad_()
    (first,) = torch.autograd.grad(loss.loss(at), at, create_graph=True)
    (second,) = torch.autograd.grad(first[0], at)
    _, pull, curve = loss.jet(place)
    table: Table = {
        eta: loss.eta,
        delta: near(loss.width),
        beta: near(torch.dot(loss.s, loss.s)),
        x: Measured(place, off),
        y: Measured(rise, off),
        slope: Measured(pull.value, off * (1 + abs(float(curve.value)))),
        bend: Measured(curve.value, 100 * off * (1 + abs(float(curve.value)))),
        sharpness: Measured(float(second[0]), 100 * off * (1 + abs(float(second[0])))),
    }
    sample.observe(table | (more or {}))


def quartic_orbit(sample: Sample) -> None:
    """The quartic excess of the paper's example."""
    draw = Draw(sample.draw(st.integers(0, 2**20), "rho_4"))
    for size in (float(draw.uniform(0.3, 3.0, 1)[0]), 1e-4):
        loss = drawn(sample, partial(quartic, size=size))
        observe_orbit(sample, loss, {rho4: size})


def quartic(t: Tensor, size: float) -> Tensor:
    """The paper's sub-quadratic example."""
    return -size * t**4 / 24


def power_orbit(sample: Sample) -> None:
    """F(x) = +-|x|^p, for which F'' = (p - 1) F'/x: above and below the threshold, and close."""
    draw = Draw(sample.draw(st.integers(0, 2**20), "powers"))
    for power, low, high in ((4.0, 0.4, 1.5), (4.0, 1.9, 2.5), (2.0003, 0.5, 2), (1.9997, 0.5, 2)):
        loss = drawn(sample, partial(powered, power=power, sign=float(draw.uniform(-1, 1, 1)[0])))
        width = float(draw.uniform(low, high, 1)[0])
        observe_orbit(sample, replace(loss, s=loss.s * (loss.width / width) ** 2))


def powered(t: Tensor, power: float, sign: float) -> Tensor:
    """A power of |t|."""
    return sign * t.abs() ** power


def quadratic_orbit(sample: Sample) -> None:
    """No excess."""
    period_two(sample, lambda t: 0 * t)


def wavy(sample: Sample, sign: float, convex: str, size: float = 1.0) -> Excess:
    """+-(t^4 - wave t^6 + t^8) has one sign; it bends both ways unless ``convex`` holds."""
    draw = Draw(sample.draw(st.integers(0, 2**20), "excess"))
    wave = float(draw.uniform(0.0, 0.5, 1)[0]) if sample.holds(convex) else 1.9

    def shape(t: Tensor) -> Tensor:
        return size * sign * (t**4 - wave * t**6 + t**8)

    loss = drawn(sample, shape)
    # delta = 0.7, where the curvature has the other sign if it has anywhere
    return replace(loss, s=loss.s * (loss.width / 0.7) ** 2)


def one_sided(sample: Sample, side: float) -> None:
    """Along the line, a sub-quadratic or super-quadratic loss (of the other kind if withheld)."""
    loss = wavy(sample, side if sample.holds("loss") else -side, "sharpness")
    for at in (0.005, 0.7, -1.0):
        sample.observe(numbers(loss, at))


def one_sided_orbit(sample: Sample, side: float) -> None:
    """The orbit of period two of such a loss, with delta where the curvature is lowest."""
    for size in (1.0, 1e-4):
        observe_orbit(sample, wavy(sample, side, "convex slope", size))


def generalised_run(sample: Sample) -> None:
    """The generalised predicted dynamics on real Taylor data, with F'(x) = sin(x) - x."""

    def pull(a: Measured) -> Measured:
        return Measured(np.sin(float(a.value)) - float(a.value), 2 * float(a.error) + OFF)

    along = sample.holds("start along u")
    run = drawn_run(sample, along=along, pull=pull)
    sample.observe({**written_out(run, along), first_pull: pull(run.x[2])})


def generalised_step(sample: Sample, pulled: bool = True) -> None:
    """One step of it; ``pulled`` is with an excess."""

    def pull(a: Measured) -> Measured:
        if not pulled:
            return Measured(0.0, 0.0)
        return Measured(np.sin(float(a.value)) - float(a.value), 2 * float(a.error) + OFF)

    run = drawn_run(sample, along=False, pull=pull)
    table = run.table(2, now) | run.table(3, after)
    sample.observe({eta: run.rate, **table, first_pull: pull(run.x[2])})
