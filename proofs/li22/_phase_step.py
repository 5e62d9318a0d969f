r"""One step of the residual as a program: a drawn spectrum and frame, a turning top direction.

D(t+1) = D - eta M D with M = V diag(lambda) V^T, and v_1(t+1) = (1 - delta) v_1 + ... turned in a
plane with a drawn second direction.  What rounding leaves of the frame is declared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from hypothesis import strategies as st

from eostheory.numeric.rounding import RunningError

from . import _phase as o
from ._linear_runs import UNIT, known, orthonormal, seed_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from eostheory.agree import Sample
    from eostheory.formula import Symbol
    from eostheory.numeric.losses import Draw

Table = dict["Symbol", Any]


@dataclass(frozen=True)
class Frame:
    """Orthonormal columns V, eigenvalues times eta, and the learning rate."""

    V: Tensor
    levels: Tensor
    rate: Tensor

    @property
    def gram(self) -> Tensor:
        """M itself."""
        return (self.V * (self.levels / self.rate)) @ self.V.T

    def step(self, residual: Tensor) -> Tensor:
        """The first-order update of the residual."""
        return residual - self.rate * (self.gram @ residual)


def number(value: float) -> Tensor:
    """A float64 scalar."""
    return torch.tensor(value, dtype=torch.float64)


def draw_frame(run: RunningError, draw: Draw, levels: list[float]) -> Frame:
    """A random frame with eigenvalues ``levels / eta``, the first being the top one."""
    size = len(levels)
    axes = run.fresh(orthonormal(draw.normal(size, size)))
    run.declare(axes, 64 * size * UNIT)
    rate = number(float(draw.uniform(0.05, 0.5, 1)))
    return Frame(axes, torch.tensor(levels, dtype=torch.float64), rate)


def turn(frame: Frame, delta: Tensor, towards: int = 1) -> Tensor:
    """v_1 turned so that its inner product with the old one is 1 - delta."""
    side = torch.sqrt(2 * delta - delta * delta)
    return (1 - delta) * frame.V[:, 0] + side * frame.V[:, towards]


def growth(*asked: str, cancelled: bool = False) -> Callable[[Sample], None]:
    """A step with sharpness (2 + tau)/eta in which the top direction turns as badly as it can.

    All of the residual lies in the plane of the turn, where M is (2 + tau)/eta, so that the bound
    of Lemma 3.2 is nearly attained.
    """

    from . import phase_growth as p

    def simulate(sample: Sample) -> None:
        holds = {name: sample.holds(name) for name in asked}
        draw = seed_of(sample)
        size = sample.draw(st.integers(2, 4), "n")
        small = 2.0 ** -sample.draw(st.integers(6, 24), "-log2 epsilon_2")
        factor = float(draw.uniform(1.3, 3.0, 1))
        least = 1 / (1 - small - 1 / factor) - 1
        excess = least + float(draw.uniform(0.01, 1.0, 1))
        if not holds.get("rate", True):
            excess = least * float(draw.uniform(0.01, 0.2, 1))
        with RunningError() as run:
            tau, eps, c = number(excess), number(small), number(factor)
            frame = draw_frame(run, draw, [2 + excess] * 2 + [0.1] * (size - 2))
            side = torch.sqrt(2 * eps - eps * eps)
            # the component along v_1 for a unit component along the other direction of the plane
            if holds.get("large", not cancelled):
                wanted = c * torch.sqrt(2 * eps)
                top = wanted / torch.sqrt(1 - wanted * wanted) * (1 + 2.0**-20)
            else:
                top = side / (1 - eps)
            residual = top * frame.V[:, 0] - frame.V[:, 1]
            after, turned = frame.step(residual), turn(frame, eps)
            found = {
                p.x: torch.dot(residual, frame.V[:, 0]),
                p.x_next: torch.dot(after, turned),
                p.x_old: torch.dot(after, frame.V[:, 0]),
                p.size: torch.sqrt(torch.dot(residual, residual)),
                p.size_next: torch.sqrt(torch.dot(after, after)),
                o.D: residual,
                o.D_next: after,
                o.M: frame.gram,
                o.v1: frame.V[:, 0],
                o.v1_next: turned,
                o.Lam: (2 + tau) / frame.rate,
                o.eta: frame.rate,
                o.tau: tau,
                o.eps: eps,
                o.c: c,
            }
            sample.observe({symbol: known(run, value) for symbol, value in found.items()})

    return simulate


def descent(*asked: str) -> Callable[[Sample], None]:
    """A step below the edge with a drawn spectrum; u and D lie along extreme eigenvectors."""
    from . import phase_descent as p

    def simulate(sample: Sample) -> None:
        holds = {name: sample.holds(name) for name in asked}
        draw = seed_of(sample)
        size = sample.draw(st.integers(2, 5), "n")
        high = float(draw.uniform(0.2, 1.95, 1)) if holds.get("below", True) else 2.5
        spread = draw.uniform(0.05, 1.0, size).tolist()
        with RunningError() as run:
            found_levels = sorted((high * s / max(spread) for s in spread), reverse=True)
            drawn = draw_frame(run, draw, found_levels)
            # a rate above alpha, as well as below it
            frame = Frame(drawn.V, drawn.levels, 8 * drawn.rate)
            level = frame.levels
            least = torch.minimum(2 - level[0], level[-1]) / frame.rate
            if not holds.get("alpha", True):
                least = 2 * least
            # which end of the spectrum decides the rate
            end = 0 if float(2 - level[0]) < float(level[-1]) else size - 1
            test = frame.V[:, end] + 0.001 * draw.normal(size)
            vector, labels = (
                (0.02 * draw.normal(size) + 0.5 * frame.V[:, end]),
                torch.sign(draw.normal(size)),
            )
            first = frame.V[:, 0]
            after, along = frame.step(vector), torch.dot(first, vector)
            moved = torch.dot(first, after)
            target = torch.dot(first, labels)
            found = {
                o.D: vector,
                o.D_next: after,
                o.F: vector + labels,
                o.M: frame.gram,
                o.v1: first,
                o.R: vector - along * first,
                o.Lam: level[0] / frame.rate,
                o.lam_min: level[-1] / frame.rate,
                o.eta: frame.rate,
                o.alpha: least,
                p.u: test,
                p.w: along * first,
                p.V: frame.V,
                p.levels: torch.diag(level / frame.rate),
                p.x: along,
                p.x_next: moved,
                p.along: along * (along + target),
                p.along_next: moved * (moved + target),
            }
            table = {symbol: known(run, value) for symbol, value in found.items()}
        sample.observe({**table, o.Y: labels})

    return simulate
