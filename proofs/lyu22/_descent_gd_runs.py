"""Real steps of gradient descent with weight decay near a minimizer: simulations of appendix G."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from eostheory.agree import Measured

from . import _descent_letters as d
from ._gwsi import eta_hat, lam_hat
from ._run import reader

if TYPE_CHECKING:
    from torch import Tensor

    from eostheory.agree import Sample
    from eostheory.numeric.autodiff import LossFunction

Table = dict[Any, Any]
EPSILON = 2.0**-17
"""Distance from the minimizer: cubic terms are then far below a thousandth."""


def ratio(weights: Tensor, tilt: float = 0.0) -> LossFunction:
    """A quotient of quadratic forms with the minimizer e_0, perhaps with a radial part."""

    def loss(v: Tensor) -> Tensor:
        square = (v * v).sum()
        return (weights * v * v).sum() / square + tilt * (square - 1)

    return loss


def top(loss: LossFunction, at: Tensor) -> float:
    """Top eigenvalue of a Hessian by autograd."""
    import torch

    from eostheory.numeric.autodiff import hessian

    return float(torch.linalg.eigvalsh(hessian(loss, at))[-1])


def near_minimizer(sample: Sample, tilt: float = 0.0) -> Iterator[tuple[LossFunction, Tensor]]:
    """Losses around e_0, round and with one steeper axis, and points close to it."""
    import torch

    dim = sample.draw(st.integers(3, 5), "D")
    scale = sample.draw(st.integers(4, 16), "8 a") / 8
    spread = scale * sample.draw(st.integers(4, 8), "2 spread/a") / 2
    for steeper, unit in ((0.0, 1.0), (spread, 1.0), (0.0, 2.0**20)):
        weights = torch.full((dim,), unit * scale, dtype=torch.float64)
        weights[0] = 0.0
        weights[-1] += steeper
        for axis in (1, dim - 1) if steeper else (1,):
            point = torch.zeros(dim, dtype=torch.float64)
            point[0], point[axis] = 1.0, EPSILON
            yield ratio(weights, tilt), point


def observe_step(
    sample: Sample, loss: LossFunction, point: Tensor, fraction: float, extra: Table
) -> None:
    """One real step with the rate ``fraction / lambda_max``, everything measured."""
    import torch

    from eostheory.numeric.autodiff import gradient
    from eostheory.numeric.dynamics import gd_step
    from eostheory.numeric.rounding import RunningError

    product = extra.pop("product", 2.0**-8)
    base = extra.pop("base", 0.0)
    eta = fraction / top(loss, point) * (1 - product) * float((point**2).sum())
    decay = product / eta
    with RunningError() as running:
        read = reader(running)
        length = torch.sqrt(torch.dot(point, point))
        unit = point / length
        slope = gradient(loss, unit)
        shrink = 1 - torch.as_tensor(eta, dtype=torch.float64) * decay
        speed = eta / (shrink * length * length)
        after = gd_step(loss, point, eta, decay)
        ahead = torch.sqrt(torch.dot(after, after))
        here, there = loss(unit), loss(after / ahead)
        free = unit - speed * slope
        found = {
            d.theta: read(unit),
            d.theta_next: read(after / ahead),
            d.g: read(slope),
            d.rate: read(speed),
            d.rate_next: read(eta / (shrink * ahead * ahead)),
            d.loss: read(base + here),
            d.loss_next: read(base + there),
            d.loss_unprojected: read(base + loss(free)),
            d.Psi: read(torch.sqrt(here.abs())),
            d.Psi_next: read(torch.sqrt(there.abs())),
        }
    places = [unit - k / 2 * speed.detach() * slope.detach() for k in range(3)]
    curves = [top(loss, x.detach()) for x in places]
    slack = 1e-12 + max(abs(a - b) for a, b in pairwise(curves))
    low = 2 * (extra.pop("smallest") - 2 * float(here))
    table: Table = {
        **found,
        eta_hat: eta,
        lam_hat: decay,
        d.loss_star: base,
        d.lam_max: Measured(max(curves), slack),
        d.mu: low * extra.pop("mu factor", 1.0),
        d.sharpness_theta: Measured(curves[0], slack),
        d.alpha: Measured(float(speed) / 2, 1e-15),
        d.sharpness_alpha: Measured(top(loss, places[1] / places[1].norm()), slack),
    }
    sample.observe({**table, **extra})


def least(loss: LossFunction, point: Tensor) -> float:
    """The smaller weight: half the smallest curvature across the minimizer."""
    import torch

    from eostheory.numeric.autodiff import hessian

    axis = torch.zeros_like(point)
    axis[0] = 1.0
    return float(torch.linalg.eigvalsh(hessian(loss, axis))[1]) / 2


def steps(sample: Sample) -> None:
    """Steps of all sizes, below and beyond 2/lambda_max, from losses of any level."""
    invariant = sample.holds("scale_invariant")
    for loss, point in near_minimizer(sample, 0.0 if invariant else 1.0):
        for fraction, base in ((2.0**-11, 0.0), (0.5, 3.0), (1.9, -3.0), (2.5, 0.0)):
            spot = point if invariant else point * 1.5
            known = {"smallest": least(loss, point), "base": base}
            observe_step(sample, loss, spot, fraction, known)


def rates(sample: Sample) -> None:
    """Stable steps, with no hypothesis violated."""
    for loss, point in near_minimizer(sample):
        for fraction, base in ((2.0**-11, 0.0), (0.5, 3.0), (1.9, -3.0)):
            known = {"smallest": least(loss, point), "base": base}
            observe_step(sample, loss, point, fraction, known)


def potential(sample: Sample) -> None:
    """The same, asked for the PL inequality and for stability."""
    pl, stable = sample.holds("pl"), sample.holds("stable")
    for loss, point in near_minimizer(sample):
        for fraction in (2.0**-11, 0.5, 1.9) if stable else (2.5,):
            known = {"smallest": least(loss, point), "mu factor": 1.0 if pl else 8.0}
            observe_step(sample, loss, point, fraction, known)


def pl(sample: Sample) -> None:
    """The PL inequality."""
    factor = 1.0 if sample.holds("pl") else 8.0
    for loss, point in near_minimizer(sample):
        known = {"smallest": least(loss, point), "mu factor": factor}
        observe_step(sample, loss, point, 0.5, known)


def smooth(sample: Sample) -> None:
    """rho_2 from the spectrum of the quotient: |H| <= top curvature near the minimizer."""
    factor = 1.0 if sample.holds("smooth") else 0.25
    for loss, point in near_minimizer(sample):
        rho = top(loss, point) * (1 + 2.0**-24) * factor
        for base in (0.0, 3.0, -3.0):
            known = {"smallest": least(loss, point), d.C_2: 2 * rho, d.rho_2: rho, "base": base}
            observe_step(sample, loss, point, 0.5, known)


def phases(sample: Sample) -> None:
    """Rates up to (2 - delta/4)/lambda_max, after a start at (2 - delta)/lambda_max."""
    factor = 1.0 if sample.holds("pl") else 8.0
    for loss, point in near_minimizer(sample):
        high = top(loss, point)
        for delta in (2.0**-9, 2.0**-3, 1.0):
            for fraction, base in ((0.5, 3.0), (1.0, -3.0), (2 - delta / 4 - 2.0**-24, 0.0)):
                known: Table = {"base": base}
                known |= {"smallest": least(loss, point), "mu factor": factor}
                known |= {d.delta: Measured(delta, 1e-9), d.rate_start: (2 - delta) / high}
                known |= {d.low: 1.5}
                observe_step(sample, loss, point, fraction, known)


def second_phase(sample: Sample) -> None:
    """Rates up to (2 - 2 C_1 sqrt(eta lambda))/lambda_max."""
    factor = 1.0 if sample.holds("pl") else 8.0
    for loss, point in near_minimizer(sample):
        for product in (2.0**-24, 2.0**-10):
            for c_1 in (1.0, 2.0):
                fraction = 2 - 2 * c_1 * math.sqrt(product) * (1 + 2.0**-14)
                known: Table = {"smallest": least(loss, point), "mu factor": factor}
                observe_step(
                    sample, loss, point, fraction, {**known, "product": product, d.C_1: c_1}
                )


def normalised(sample: Sample) -> None:
    """The normalised gradient after a few steps from t_0, with eta of Theorem B.7."""
    for loss, point in near_minimizer(sample):
        rho = top(loss, point) * (1 + 2.0**-24)
        product = 2.0**-8
        eta = math.sqrt(((1 - product) ** -4 - 1) / 2)
        start = float(loss(point / point.norm()))
        known: Table = {"smallest": least(loss, point), d.C_2: 2 * rho, d.eta: eta}
        known |= {d.loss_t0: Measured(start, 1e-13 * start), d.loss_zero: start / 4}
        from eostheory.numeric.autodiff import gradient

        size = float(gradient(loss, point / point.norm()).norm())
        known[d.gbar] = Measured(size / eta, 1e-12 * size / eta)
        observe_step(sample, loss, point, 0.5, known)
