"""What the toy loss of appendix B does as a program: the simulations of ``toy_model``."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import strategies as st

from eostheory.agree import Measured, Sample, derivatives
from eostheory.agree.measured import as_array
from eostheory.numeric.events import RepeatedTopEigenvalue
from eostheory.numeric.losses import Draw

from ._flow import Table
from ._toy import Toy, constrained
from ._toy_letters import (
    P,
    S_down,
    S_t,
    S_up,
    e1,
    e2,
    e3,
    grad_S_t,
    grad_t,
    h,
    hess_t,
    loss,
    t,
    test,
    u_t,
    x,
    x_dagger,
    y,
    y_dagger,
    z,
    z_dagger,
)

UNIT = 2.0**-53


def seed_of(sample: Sample) -> int:
    """A seed for generic numbers."""
    return int(sample.draw(st.integers(0, 2**20), "seed"))


def loss_value(sample: Sample) -> None:
    """The value of the program at a drawn point."""
    toy = Toy.drawn(sample)
    at = Draw(seed_of(sample)).uniform(-1.5, 1.5, 3)
    value = derivatives.value(toy.loss, at)
    a, b, c = (float(v) for v in at)
    sample.observe({loss: value, x: a, y: b, z: c, **toy.table()})


def constrained_path(sample: Sample) -> None:
    """Projected gradient descent of eq. (2), with the projection found numerically."""
    toy = Toy.drawn(sample)
    path = constrained(toy.loss, torch.zeros(3, dtype=torch.float64), float(toy.eta), 5)
    for index, (at, residual) in enumerate(path, start=1):
        # each projection leaves its residual, each step a few roundings of its length
        off = index * (64 * UNIT * (1 + float(at.abs().max())) + 4 * residual)
        a, b, c = (Measured(float(v), off) for v in at)
        sample.observe({t: index, x_dagger: a, y_dagger: b, z_dagger: c, **toy.table()})


def above_and_below(sample: Sample) -> None:
    """The sharpness a little below and a little above the trajectory."""
    toy = Toy.drawn(sample)
    height = float(10.0 ** Draw(seed_of(sample)).uniform(-8.0, 0.0, 1)[0])
    found: Table = {}
    for symbol, level in ((S_down, -height), (S_up, height)):
        at = torch.tensor([0.0, level, 0.3], dtype=torch.float64)
        found[symbol] = sharpness(toy, at)
    sample.observe({h: height, **found, **toy.table()})


def on_line(sample: Sample) -> None:
    """Autograd at a point of the line x = 0 off the trajectory."""
    toy = Toy.drawn(sample)
    draw = Draw(seed_of(sample))
    edge = 2 / float(toy.eta) / float(toy.beta) ** 0.5
    low, high = (-0.9, 1.5) if sample.holds("near") else (-3.0, -1.1)
    height, depth = (float(v) for v in draw.uniform(low, high, 2))
    observe_jet(sample, toy, height * edge, depth)


def on_trajectory(sample: Sample) -> None:
    """Autograd at a point that projected gradient descent visits."""
    toy = Toy.drawn(sample)
    path = constrained(toy.loss, torch.zeros(3, dtype=torch.float64), float(toy.eta), 3)
    *_, (at, _) = path
    observe_jet(sample, toy, 0.0, float(at[2]))


def sharpness(toy: Toy, at: torch.Tensor) -> Measured:
    """The largest eigenvalue of the Hessian by autograd, simple or not (Weyl's bound)."""
    found = derivatives.hessian(toy.loss, at)
    spread = float(np.linalg.norm(as_array(found.error)))
    values = np.linalg.eigvalsh(as_array(found.value))
    return Measured(float(values[-1]), spread + 64 * UNIT * float(np.abs(values).max()))


def observe_jet(sample: Sample, toy: Toy, height: float, depth: float) -> None:
    """Gradient, Hessian, top eigenpair, sharpness gradient and projection at (0, y, z)."""
    at = torch.tensor([0.0, height, depth], dtype=torch.float64)
    try:
        found = derivatives.hessian(toy.loss, at)
        top = derivatives.top_eigenpair(found)
    except RepeatedTopEigenvalue:
        # no top eigenvector there, but still a sharpness
        sample.observe({S_t: sharpness(toy, at), y: height, **toy.table()})
        return
    direction = np.asarray(top.vector.value)
    slope = derivatives.gradient(toy.loss, at)
    along = torch.as_tensor(direction)
    bend = derivatives.third(toy.loss, at, along, along)
    # the eigenvector's own error enters the third derivative twice
    turned = float(np.linalg.norm(np.asarray(top.vector.error)))
    slack = 4 * float(toy.beta) ** 0.5 * turned
    bend = Measured(bend.value, np.asarray(bend.error) + slack)
    projector = np.eye(3)
    if np.any(bend.value):
        span = np.linalg.qr(np.stack([direction, np.asarray(bend.value)], 1))[0]
        projector = projector - span @ span.T
    sample.observe(
        {
            **toy.table(),
            e1: np.eye(3)[0],
            e2: np.eye(3)[1],
            e3: np.eye(3)[2],
            y: height,
            grad_t: slope,
            hess_t: found,
            S_t: top.value,
            u_t: top.vector,
            grad_S_t: bend,
            P: Measured(projector, np.full((3, 3), 64 * UNIT + 4 * turned + slack)),
            test: np.asarray(Draw(7).normal(3)),
        }
    )
