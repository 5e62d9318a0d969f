"""Autograd and real gradient steps on drawn losses: the simulations of ``section4``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from hypothesis import strategies as st

from eostheory.agree import Measured, Sample, derivatives
from eostheory.agree.torch import Rounding
from eostheory.numeric.autodiff import gradient
from eostheory.numeric.losses import Draw

from . import _common as c
from ._flow import Table
from ._losses import SelfStabilising, drawn_loss

SCALES = [4.0**-k for k in range(1, 7)]
POWERS = (1.0, 1.5, 2.0)
"""The transverse part is q = r^p: as large as the displacement, and dominated by it."""


def loss_for(sample: Sample, *needed: str, largest: int = 50) -> SelfStabilising:
    """A loss that meets the ``needed`` assumptions, less the withheld ones, and no others."""
    met = {name: sample.holds(name) for name in needed}
    return drawn_loss(sample, kernel=met.get("kernel", False), largest=largest)


def at_reference(loss: SelfStabilising) -> Table:
    """Taylor data at theta*, by autograd with their rounding errors."""
    g = derivatives.gradient(loss.loss, loss.star)
    bend = derivatives.third(loss.loss, loss.star, loss.u, loss.u)
    return {
        c.eta: loss.eta,
        c.star: loss.star,
        c.u: loss.u,
        c.gradL: g,
        c.gradS: bend,
        c.T: loss.t3.numpy(),
        c.alpha: -1.0 * inner(g, bend),
        c.beta: inner(bend, bend),
        c.sharpness_star: Measured(2 / loss.eta, 2.0**-52 / loss.eta),
    }


def inner(a: Measured, b: Measured) -> Measured:
    """Inner product of two measured vectors."""
    found = a @ b
    return Measured(float(found.value), float(found.error))


def from_star(loss: SelfStabilising, theta: torch.Tensor) -> Measured:
    """The displacement of a point."""
    return exact(theta) - exact(loss.star)


def exact(vector: torch.Tensor) -> Measured:
    """A vector that is what it is."""
    return Measured(vector.numpy(), np.zeros(len(vector)))


def tensor(value: Measured) -> torch.Tensor:
    """The value of a measured vector."""
    return torch.as_tensor(np.asarray(value.value))


# -------------------------------------------------------------------------------- definitions
def quantities(sample: Sample) -> None:
    """alpha and beta from difference quotients of the sharpness on generic losses."""
    loss = loss_for(sample, largest=3)
    h = derivatives.hessian(loss.loss, loss.star)
    table = at_reference(loss)
    g, bend = table[c.gradL], table[c.gradS]
    assert isinstance(g, Measured)
    assert isinstance(bend, Measured)
    pair = derivatives.top_eigenpair(h)
    table |= {c.hess: h, c.u: pair.vector, c.sharpness_star: pair.value}
    table[c.alpha] = -1.0 * sharpness_rate(loss, tensor(g))
    table[c.beta] = sharpness_rate(loss, tensor(bend))
    sample.observe(table)


def sharpness_rate(loss: SelfStabilising, direction: torch.Tensor) -> Measured:
    """The derivative of the sharpness at theta* along a direction, by differences."""
    size = float(direction.norm())
    unit = direction / size

    def along(s: float) -> Measured:
        return derivatives.sharpness(loss.loss, loss.star + s * unit)

    return size * derivatives.derivative(along, step=2.0**-5)


def assumptions(sample: Sample) -> None:
    """Autograd at the reference point of losses that meet the assumptions."""
    loss = loss_for(sample, "kernel", largest=8)
    h = derivatives.hessian(loss.loss, loss.star)
    probe = Draw(sample.draw(st.integers(0, 2**20), "vector a")).normal(loss.dim)
    sample.observe({**at_reference(loss), c.hess: h, c.probe: probe})


def coordinates(sample: Sample) -> None:
    """The displacement split by least squares; the first-order change of the sharpness."""
    loss = loss_for(sample, largest=4)
    point = loss.star + Draw(sample.draw(st.integers(0, 2**20), "point")).normal(loss.dim)
    shift = point - loss.star
    fit = np.linalg.lstsq(loss.u[:, None].numpy(), shift.numpy(), rcond=None)[0]
    off = 64 * loss.dim * 2.0**-53 * float(shift.norm() + loss.star.norm())
    found: Table = {c.x: Measured(float(fit[0]), off), c.y: sharpness_rate(loss, shift)}
    sample.observe({**at_reference(loss), c.theta: point, **found})


# -------------------------------------------------------------------------------- one step
def near(
    sample: Sample, loss: SelfStabilising, flat: bool = False
) -> Iterator[tuple[dict[str, object], torch.Tensor, Table]]:
    """Points theta* + r xi u + q v as r shrinks, one series for each power q = r^p."""
    xi = sample.draw(st.floats(0.5, 1.5), "xi")
    v = Draw(sample.draw(st.integers(0, 2**20), "direction v")).normal(loss.dim)
    if flat:
        v = loss.kernel.T @ (loss.kernel @ v)
    v = v - torch.dot(loss.u, v) * loss.u
    v = v / v.norm()
    table = at_reference(loss)
    for power in POWERS:
        for r in SCALES:
            q = r**power
            theta = loss.star + (r * xi * loss.u + q * v)
            limit: dict[str, object] = {"scale": r, "series": f"q = r^{power:g}"}
            yield limit, theta, {**table, c.r: r, c.q: q, c.theta: theta}


def stepped(loss: SelfStabilising, theta: torch.Tensor, table: Table) -> Table:
    """One real gradient step and the coordinates before and after it."""
    bend = table[c.gradS]
    assert isinstance(bend, Measured)
    with Rounding() as bounds:
        slope = gradient(loss.loss, theta)
        after = theta - loss.eta * slope
        slope_there, landed = bounds(slope), bounds(after)
    before, moved = from_star(loss, theta), landed - exact(loss.star)
    axis = exact(loss.u)
    return {
        c.grad_theta: slope_there,
        c.theta_next: landed,
        c.x: inner(axis, before),
        c.y: inner(bend, before),
        c.x_next: inner(axis, moved),
        c.y_next: inner(bend, moved),
    }


def sharpness_at(loss: SelfStabilising, theta: torch.Tensor) -> Measured:
    """The largest eigenvalue of the Hessian by autograd."""
    return derivatives.sharpness(loss.loss, theta)


def sharpness_near(sample: Sample) -> None:
    """The sharpness at points closer and closer to theta*; no assumption is needed."""
    loss = loss_for(sample, largest=4)
    for limit, theta, table in near(sample, loss):
        bend = table[c.gradS]
        assert isinstance(bend, Measured)
        y = inner(bend, from_star(loss, theta))
        table |= {c.y: y, c.sharpness: sharpness_at(loss, theta)}
        sample.observe(table, **limit)  # type: ignore[arg-type]


def steps_from(sample: Sample, loss: SelfStabilising) -> None:
    """One gradient step from points closer and closer to theta*."""
    for limit, theta, table in near(sample, loss):
        sample.observe({**table, **stepped(loss, theta, table)}, **limit)  # type: ignore[arg-type]


def step_anywhere(sample: Sample) -> None:
    """No assumption but the reference point on the edge."""
    steps_from(sample, loss_for(sample))


def step_kernel(sample: Sample) -> None:
    """Gradients in the kernel of the Hessian."""
    steps_from(sample, loss_for(sample, "kernel"))


def equation_3(sample: Sample) -> None:
    """The standing assumptions, of which the one on the kernel contains the other."""
    loss = loss_for(sample, "kernel")
    steps_from(sample, loss)
    note_transverse(sample, loss)


def step_and_sharpness(sample: Sample) -> None:
    """The same, with the sharpness where the step starts."""
    loss = loss_for(sample, "kernel", largest=4)
    for limit, theta, table in near(sample, loss):
        there: Table = {c.sharpness: sharpness_at(loss, theta)}
        found: Table = {**table, **stepped(loss, theta, table), **there}
        sample.observe(found, **limit)  # type: ignore[arg-type]


def orthogonal(sample: Sample) -> None:
    """One step, projected on the complement of u and grad S."""
    loss = loss_for(sample, "kernel")
    table = at_reference(loss)
    bend = table[c.gradS]
    assert isinstance(bend, Measured)
    span = np.linalg.qr(np.stack([loss.u.numpy(), np.asarray(bend.value)], 1))[0]
    tilt = float(np.linalg.norm(bend.error)) / float(np.linalg.norm(bend.value))
    off = np.full((loss.dim, loss.dim), 64 * loss.dim * 2.0**-53 + 4 * tilt)
    projector = Measured(np.eye(loss.dim) - span @ span.T, off)
    for limit, theta, here in near(sample, loss, flat="kernel" not in sample.withheld):
        found: Table = {**here, **stepped(loss, theta, here), c.P: projector}
        sample.observe(found, **limit)  # type: ignore[arg-type]


def note_transverse(sample: Sample, loss: SelfStabilising) -> None:
    """What eq. (3) misses when the transverse part is as large as the rest: not less than it keeps.

    Along q = r the error of the x-map is compared with the term eta x y that eq. (3) keeps.
    """
    v = loss.kernel.T @ Draw(3).normal(len(loss.kernel))
    v = v / v.norm()
    shares = []
    for r in SCALES:
        theta = loss.star + r * (loss.u + v)
        x_after = torch.dot(loss.u, theta - loss.star - loss.eta * gradient(loss.loss, theta))
        y = r * torch.dot(loss.t3 @ loss.u @ loss.u, v)
        shares.append(abs(float((x_after + (1 + loss.eta * y) * r) / (loss.eta * y * r))))
    sample.note(
        "error of the x-map of eq. (3) over the term eta x y, displacement r (u + v) with v in the "
        f"kernel, r = {SCALES[0]:g} ... {SCALES[-1]:g}: {', '.join(f'{s:.3g}' for s in shares)}. "
        "It does not tend to zero: <u, T(v, v)> is of the same order and is not excluded by the "
        "standing assumptions."
    )
