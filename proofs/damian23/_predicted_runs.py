"""Real runs for the definitions of section 5 and for special cases of the predicted dynamics."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import strategies as st

from eostheory.agree import Measured, Sample, derivatives
from eostheory.formula import scalar, vector
from eostheory.numeric.losses import Draw

from . import _predicted as p
from ._common import D, alpha, beta, eta, gradL, gradS, x, x_next, y, y_next
from ._flow import Table
from ._losses import drawn_loss
from ._predicted import Reading, Run, after, now, response, second, third
from ._section4_runs import exact, inner
from ._toy import Toy

at_rest = vector("gradS_rest", D, r"\nabla S^\perp")
u_one, u_two = vector("u_one", D, "u_1"), vector("u_two", D, "u_2")
step_now = vector("step_t", D, r"\mathrm{step}_t(v)")
epsilon = scalar("epsilon", r"\epsilon")
epsilon_scaled = scalar("epsilon_scaled", r"\epsilon'")
length = scalar("c", "c", positive=True)
height = scalar("k", "k", positive=True)
potential = scalar("g_t", r"g(|x_t|, y_t)")
turning = scalar("turning", r"a_t y_{t+1} - a_{t+1} y_t,\ a = \log(|x|/\delta)")
potential_next = scalar("g_next", r"g(|x_{t+1}|, y_{t+1})")


def steps(sample: Sample) -> None:
    """One step of eq. (6) on real Taylor data."""
    run = p.drawn_run(sample, along=False)
    table = run.table(2, now) | run.table(3, after)
    sample.observe({eta: run.rate, **table, step_now: run.step(2, run.v[2])})


def responses(sample: Sample) -> None:
    """A displacement grad S_s^perp carried along, and the sharpness it adds."""
    run = p.drawn_run(sample, along=False)
    table: Table = {eta: run.rate}
    for k, letters in enumerate(p.at_times):
        table |= run.table(k, letters)
    for s, t in response:
        moved = run.perps[s]
        for k in range(s + 1, t + 1):
            projected = run.readings[k].P @ moved
            moved = projected - run.rate * (run.readings[k].H @ projected)
        table[response[s, t]] = inner(run.perps[t + 1], moved)
    sample.observe(table)


def coefficients(sample: Sample) -> None:
    """alpha by differences of the sharpness along -grad L; beta and delta from autograd."""
    loss = drawn_loss(sample, kernel=False, largest=4)
    g = derivatives.gradient(loss.loss, loss.star)
    bend = derivatives.third(loss.loss, loss.star, loss.u, loss.u)
    slope = torch.as_tensor(np.asarray(g.value))

    def along(s: float) -> Measured:
        return derivatives.sharpness(loss.loss, loss.star - s / float(slope.norm()) * slope)

    rate = float(slope.norm()) * derivatives.derivative(along, step=2.0**-5)
    reading = Reading(exact(loss.u), exact(loss.h), bend, g)
    perp = reading.P @ bend
    size = inner(perp, perp)
    table: Table = {now.u: reading.u, now.P: reading.P, now.gradS: bend, now.perp: perp}
    wide = (2.0 * rate / size).sqrt()
    sample.observe({**table, gradL: g, alpha: rate, beta: size, now.delta: wide})


def flat_readings(draw: Draw, count: int, dim: int) -> tuple[float, Measured, list[Reading]]:
    """Hessians on the edge, all with one vector grad S in their kernel."""
    rate = float(draw.uniform(0.3, 2.0, 1)[0])
    bend = torch.zeros(dim, dtype=torch.float64)
    bend[0] = float(draw.uniform(0.5, 1.5, 1)[0])
    found = []
    for _ in range(count):
        axis = torch.zeros(dim, dtype=torch.float64)
        other = draw.normal(dim - 1)
        axis[1:] = other / other.norm()
        h = torch.zeros(dim, dim, dtype=torch.float64)
        part = draw.normal(dim - 1, dim - 1)
        h[1:, 1:] = 0.1 * (part + part.T)
        h = h + 2 / rate * torch.outer(axis, axis)
        unit = Measured(axis.numpy(), np.full(dim, 2.0**-50))
        found.append(Reading(unit, exact((h + h.T) / 2), exact(bend), exact(0 * bend)))
    return rate, exact(bend), found


def at_rest_run(sample: Sample) -> None:
    """Responses with one constant grad S, in the kernel of every Hessian or generic."""
    dim = sample.draw(st.integers(3, 8), "d")
    draw = Draw(sample.draw(st.integers(0, 2**20), "seed"))
    rate, bend, readings = flat_readings(draw, 4, dim)
    if not sample.holds("kernel"):
        bend = exact(draw.normal(dim))
        readings = [Reading(r.u, r.H, bend, r.gradL) for r in readings]
    run = Run(rate, readings, [1.0] * 4)
    perp = run.perps[0]
    table: Table = {eta: rate, gradS: bend, at_rest: perp, u_one: readings[1].u}
    table |= {u_two: readings[2].u, second.H: readings[1].H, third.H: readings[2].H}
    table |= {response[0, 0]: inner(run.perps[1], perp), beta: inner(bend, bend)}
    sample.observe({**table, response[0, 2]: inner(run.perps[3], run.chain(0, 2))})


def reduced(sample: Sample) -> None:
    """Eq. (6) run in the setting of section 4, from a start along u_0."""
    dim = sample.draw(st.integers(3, 8), "d")
    draw = Draw(sample.draw(st.integers(0, 2**20), "seed"))
    rate, bend, readings = flat_readings(draw, 4, dim)
    width = float(draw.uniform(0.3, 1.5, 1)[0])
    run = Run(rate, readings, [width] * 4)
    run.start(float(draw.uniform(0.2, 1.0, 1)[0]) * readings[0].u)
    size = inner(bend, bend)
    for k in range(3):
        table: Table = {eta: rate, beta: size, alpha: 0.5 * width**2 * size}
        table |= {x: run.x[k], y: run.y[k], x_next: run.x[k + 1], y_next: run.y[k + 1]}
        sample.observe(table)


def units(sample: Sample) -> None:
    """epsilon of a loss and of the same loss in other units, by autograd."""
    loss = drawn_loss(sample, kernel=True, largest=6)
    stretch = sample.draw(st.sampled_from([0.5, 1.5, 3.0]), "unit of length")
    factor = sample.draw(st.sampled_from([0.25, 1.25, 5.0]), "unit of loss")

    def scaled(theta: torch.Tensor) -> torch.Tensor:
        return factor * loss.loss(theta / stretch)

    found = []
    for function, point in ((loss.loss, loss.star), (scaled, stretch * loss.star)):
        g = derivatives.gradient(function, point)
        bend = derivatives.third(function, point, loss.u, loss.u)
        top = derivatives.sharpness(function, point)
        # the learning rate that puts the sharpness on the edge
        found.append(2.0 / top * (-1.0 * inner(g, bend)).sqrt())
    table: Table = {length: stretch, height: factor, eta: loss.eta}
    sample.observe({**table, epsilon: found[0], epsilon_scaled: found[1]})


def toy_steps(sample: Sample) -> None:
    """Real gradient steps on the toy loss, where eq. (5) has constant coefficients, as eta -> 0."""
    draw = Draw(sample.draw(st.integers(0, 2**20), "point"))
    drawn = Toy.drawn(sample)
    a, b, root = float(drawn.alpha), float(drawn.beta), float(drawn.beta) ** 0.5
    place, rise = float(draw.uniform(0.2, 1.5, 1)[0]), float(draw.uniform(-1.5, 1.5, 1)[0])
    width = (2 * a / b) ** 0.5
    for k in range(2, 9):
        toy = Toy(2.0**-k, a, b)
        theta = torch.tensor([place, rise / root, 0.0], dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(toy.loss(theta), theta)
        landed = (theta - toy.eta * slope).detach().numpy()
        end = float(landed[0]), float(landed[1]) * root
        off = 2.0**-46 * (1 + abs(landed).max() + rise**2) * (1 + root)
        table: Table = {**toy.table(), x: place, y: Measured(rise, off)}
        table |= {x_next: Measured(end[0], off), y_next: Measured(end[1], off)}
        for letter, (c, d) in ((potential, (place, rise)), (potential_next, end)):
            z = b * c**2 / (2 * a)
            value = z - np.log(z) - 1 + d**2 / a
            spread = off * (2 * b * abs(c) / a + 4 / abs(c) + 4 * abs(d) / a + 8)
            table[letter] = Measured(float(value), spread + 2.0**-46 * (1 + abs(value)))
        logs = [float(np.log(abs(c) / width)) for c in (place, end[0])]
        spread = off * (8 + abs(logs[0]) + abs(logs[1])) * (1 + abs(rise) + abs(end[1]))
        spread *= 1 + 1 / abs(place) + 1 / abs(end[0])
        table[turning] = Measured(logs[0] * end[1] - logs[1] * rise, spread)
        sample.observe(table, scale=float(toy.eta))
