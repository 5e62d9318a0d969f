"""Gradient descent against the flow and the constrained trajectory: the runs of ``coupling``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from hypothesis import strategies as st

from eostheory.agree import Measured, Sample
from eostheory.formula import Symbol, scalar, vector
from eostheory.numeric.dynamics import gd, gd_step
from eostheory.numeric.losses import Draw

from ._common import D, delta, gradS, x, x_next, y, y_next
from ._corollary_runs import C_x, C_y
from ._flow import X0, Flow, Table, X, Y
from ._losses import SelfStabilising, drawn_loss
from ._section4_runs import at_reference
from ._toy import Toy, constrained
from .stages import cubic_loss, level, one_step

rate_X = scalar("rate_X", r"X'(t)")
rate_Y = scalar("rate_Y", r"Y'(t)")
flow_X = scalar("flow_X", r"X(\eta)", positive=True)
flow_Y = scalar("flow_Y", r"Y(\eta)")
late_x = scalar("late_x", r"x_{T/\eta}")
late_y = scalar("late_y", r"y_{T/\eta}")
late_X = scalar("late_X", "X(T)", positive=True)
late_Y = scalar("late_Y", "Y(T)")
apart = vector("apart", D, r"\theta_t - \theta_t^\dagger")
rest = vector("rest", D)
shift = vector("shift", D, r"\theta_t - \theta^*")


def equation_4(sample: Sample) -> None:
    """One real gradient step on a cubic loss in 2 to 50 dimensions."""
    loss = cubic_loss(sample)
    low, high = (-0.95, 2.0) if sample.holds("small step") else (-4.0, -1.1)
    place = level(sample, 0.2, 2.0, "x") * sample.draw(st.sampled_from([1.0, -1.0]), "side")
    found = one_step(sample, loss, place, level(sample, low, high, "y") / loss.eta)
    before, after, low_y, high_y = (measured(found, s) for s in (x, x_next, y, y_next))
    rates: Table = {
        rate_X: (modulus(after) - modulus(before)) / loss.eta,
        rate_Y: (high_y - low_y) / loss.eta,
    }
    sample.observe({**found, X: modulus(before), Y: low_y, **rates})


def measured(table: Table, symbol: Symbol) -> Measured:
    """An entry of a table that is a measurement."""
    found = table[symbol]
    assert isinstance(found, Measured)
    return found


def modulus(value: Measured) -> Measured:
    """The absolute value."""
    return Measured(abs(float(value.value)), float(value.error))


def follows(sample: Sample) -> None:
    """Gradient descent on the toy loss against eq. (4) integrated, as eta tends to zero."""
    flow = Flow.drawn(sample)
    draw = Draw(sample.draw(st.integers(0, 2**20), "start"))
    first = float(draw.uniform(0.3, 1.5, 1)[0]) * flow.delta
    height = float(draw.uniform(0.2, 0.8, 1)[0]) * flow.a**0.5
    end = 1.0 / flow.a**0.5
    for k in range(6):
        steps = 8 * 2**k
        rate = end / steps
        sample.observe(toy_against_flow(flow, first, height, rate, steps), scale=rate)
    four_stages(sample)


def toy_against_flow(flow: Flow, first: float, height: float, rate: float, steps: int) -> Table:
    """One step and ``steps`` steps of gradient descent, and the flow after the same times."""
    toy_, root = Toy(rate, flow.a, flow.b), flow.b**0.5
    start = torch.tensor([first, height / root, 0.0], dtype=torch.float64)
    path = [step.after for step in gd(toy_.loss, start, rate, steps)]

    def seen(theta: torch.Tensor, count: int) -> tuple[Measured, Measured]:
        # a few roundings per step, of numbers of order one
        off = 16 * count * 2.0**-53 * (2 + float(theta.abs().max()))
        return Measured(float(theta[0]), off), Measured(float(theta[1]) * root, off * (1 + root))

    (x1, y1), (xn, yn) = seen(path[0], 1), seen(path[-1], steps)
    soon, late = flow.states((first, height), [0.0, rate, rate * steps])[1:]
    return {
        **toy_.table(),
        X: first,
        Y: height,
        x_next: x1,
        y_next: y1,
        late_x: xn,
        late_y: yn,
        flow_X: soon[0],
        flow_Y: soon[1],
        late_X: late[0],
        late_Y: late[1],
    }


@lru_cache(maxsize=1)
def long_run() -> tuple[np.ndarray, np.ndarray]:
    """Gradient descent on the toy loss from (0.1, 0, 0): x_t and y_t over two cycles."""
    toy_ = Toy(0.02, 1.0, 1.0)
    start = torch.tensor([0.1, 0.0, 0.0], dtype=torch.float64)
    path = [step.w for step in gd(toy_.loss, start, 0.02, 620)]
    return np.array([float(w[0]) for w in path]), np.array([float(w[1]) for w in path])


def four_stages(sample: Sample) -> None:
    """Figures 2 and 3: the four stages in time, and around the level set of the flow."""
    xs, ys = long_run()
    steps = np.arange(len(xs))
    sample.plot(
        "gradient descent on the toy loss (eta sqrt(alpha) = 0.02): the four stages",
        "step",
        "|x| and y = S - 2/eta",
        [{"label": "|x|", "x": steps, "y": abs(xs)}, {"label": "y", "x": steps, "y": ys}],
    )
    flow = Flow(1.0, 1.0)
    states = flow.states((0.1, 0.0), np.linspace(0.0, flow.period((0.1, 0.0)), 160))
    sample.plot(
        "the same run around the level set of eq. (4)",
        "|x|",
        "y",
        [
            {"label": "gradient descent", "x": abs(xs), "y": ys},
            {"label": "eq. (4)", "x": [s[0].value for s in states],
             "y": [s[1].value for s in states]},
        ],
    )  # fmt: skip


def slow_losses(sample: Sample, epsilon: float = 0.02) -> Iterator[SelfStabilising]:
    """Two cubic losses with eta sqrt(alpha) = epsilon, one with delta = 0.005, one with delta = 50.

    The third derivative is scaled to delta, so that no unit of length is special, the gradient to
    epsilon.
    """
    loss = drawn_loss(sample, kernel=True, transverse=True, largest=8)
    alpha_ = (epsilon / loss.eta) ** 2
    for width in (0.005, 50.0):
        size = float((loss.t3 @ loss.u @ loss.u).norm())
        bent = (2 * alpha_) ** 0.5 / width / size * loss.t3
        scale = -alpha_ / float(torch.dot(loss.g, bent @ loss.u @ loss.u))
        yield replace(loss, g=scale * loss.g, t3=bent)


def descent(sample: Sample, loss: SelfStabilising, ell_: float) -> tuple[float, list[torch.Tensor]]:
    """delta and a bit more than one cycle of gradient descent from theta* + delta e^-ell u."""
    slope = loss.t3 @ loss.u @ loss.u
    a, b = -float(torch.dot(loss.g, slope)), float(torch.dot(slope, slope))
    flow = Flow(a, b)
    first = flow.delta * float(np.exp(-ell_))
    steps = int(1.1 * flow.period((first, 0.0)) / loss.eta)
    start = loss.star + first * loss.u
    if not sample.holds("start"):
        start = start + 5 * (a * (1 + ell_)) ** 0.5 * slope / b
    return flow.delta, [s.w for s in gd(loss.loss, start, loss.eta, steps)][:: max(1, steps // 60)]


def normalised(sample: Sample) -> None:
    """Gradient descent on a cubic loss over one cycle."""
    ell_, constant = level(sample, 0.8, 2.4, "ell"), Measured(2.0**0.5, 2.0**-52)
    for loss in slow_losses(sample):
        width, path = descent(sample, loss, ell_)
        slope = at_reference(loss)[gradS]
        for theta in path:
            about: Table = {
                gradS: slope,
                delta: width,
                X0: width * float(np.exp(-ell_)),
                C_y: constant,
            }
            sample.observe({**about, shift: theta - loss.star})


def tracking(sample: Sample) -> None:
    """Gradient descent against projected gradient descent, both run on the loss."""
    far = level(sample, 0.1, 4.0, "ell")
    for loss, ell_ in zip(slow_losses(sample), (far, 0.05 * far), strict=True):
        width, path = descent(sample, loss, ell_)
        stride = stride_of(path, loss)
        # the stable set and the gradient along it do not change from step to step: the
        # constrained trajectory is a straight line, of which two steps are run
        line = [at for at, _ in constrained(loss.loss, loss.star, loss.eta, 2)]
        if float((line[1] - 2 * line[0] + loss.star).norm()) > 1e-9 * float(loss.star.norm()):
            sample.reject("the constrained trajectory is not straight")
        for index, theta in enumerate(path):
            there = loss.star + stride * index * (line[0] - loss.star)
            about: Table = {delta: width, X0: width * float(np.exp(-ell_)), C_x: 2.0}
            sample.observe({**about, apart: theta - there})


def stride_of(path: list[torch.Tensor], loss: SelfStabilising) -> int:
    """How many steps lie between two points of a thinned path."""
    at, count = path[0], 0
    while not torch.equal(at, path[1]):
        at, count = gd_step(loss.loss, at, loss.eta), count + 1
    return count
