"""Real runs of gradient descent with weight decay, measured with their rounding errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from eostheory.agree import Measured
from eostheory.formula import FormSymbol, Symbol

if TYPE_CHECKING:
    from torch import Tensor

    from eostheory.agree import Sample
    from eostheory.numeric.losses import Loss
    from eostheory.numeric.rounding import RunningError

Observed = dict[Symbol | FormSymbol, Any]
"""What an observation holds."""

DIMENSIONS = (2, 3, 5, 8, 13, 21, 34, 50)


@dataclass(frozen=True)
class Drawn:
    """A loss by its family, dimension and seed; ``tilted`` losses are not scale-invariant."""

    family: str
    dim: int
    seed: int
    tilted: bool = False

    @property
    def loss(self) -> Loss:
        """The loss itself; a tilted one has a linear function of w added."""
        from eostheory.numeric.losses import Draw, Loss, scale_invariant

        loss = scale_invariant(self.family, self.dim, self.seed, device="cpu")
        if not self.tilted:
            return loss
        slope = Draw(self.seed + 1, "cpu").normal(self.dim)
        return Loss(f"tilted {self.family}", self.dim, lambda v: loss(v) + (slope * v).sum())


@dataclass(frozen=True)
class Setup:
    """A loss, the length of the starting point and exact (dyadic) hyperparameters."""

    drawn: Drawn
    size: float
    eta: float
    decay: float

    @property
    def intrinsic(self) -> Fraction:
        """``eta * lambda`` without rounding."""
        return Fraction(self.eta) * Fraction(self.decay)


@dataclass(frozen=True)
class Step:
    """One step of the update from exactly known ``w``; every quantity with its error."""

    number: int
    w: Measured
    w_next: Measured
    theta: Measured
    theta_next: Measured
    grad_w: Measured
    grad_theta: Measured
    loss_theta: Measured
    rate: Measured
    rate_next: Measured


@dataclass(frozen=True)
class Run:
    """A run: its norms and effective rates at every step, and some steps looked at closely."""

    norms: tuple[float, ...]
    rates: tuple[float, ...]
    gradients: tuple[float, ...]
    steps: tuple[Step, ...]


def draw_loss(sample: Sample, tilted: bool) -> Drawn:
    """A loss of a drawn family and dimension."""
    from eostheory.numeric.losses import FAMILIES

    family = sample.draw(st.sampled_from(sorted(FAMILIES)), "family")
    dim = sample.draw(st.sampled_from(DIMENSIONS), "D")
    return Drawn(family, dim, sample.draw(st.integers(0, 10**6), "seed"), tilted)


def draw_setup(
    sample: Sample, *, tilted: bool = False, reversing: bool = False, at_most: float = 0.9
) -> Setup:
    """A loss, a start and hyperparameters: powers of two times small whole numbers.

    ``reversing`` asks for ``eta lambda`` between 1 and 2, otherwise it is at most ``at_most``.
    """
    drawn = draw_loss(sample, tilted)
    size = 2.0 ** sample.draw(st.integers(-2, 3), "log2 |w_0|")
    eta = size**2 * 2.0 ** sample.draw(st.integers(-5, 1), "log2 effective rate")
    low, high = (1100, 2000) if reversing else (1, int(1024 * at_most))
    intrinsic = sample.draw(st.integers(low, high), "1024 eta lambda") / 1024
    return Setup(drawn, size, eta, intrinsic / eta)


def length_of_run(sample: Sample, quick: int = 100) -> int:
    """How many steps a long run has in this profile."""
    return quick * {"quick": 1, "default": 4, "thorough": 20}[sample.profile]


@lru_cache(maxsize=512)
def run(setup: Setup, steps: int, looks: int = 5) -> Run:
    """The real update by autograd, ``steps`` times; ``looks`` steps spread over it in full.

    Claims that draw the same setup share the run.
    """
    from eostheory.numeric.dynamics import gd

    loss = setup.drawn.loss
    start = loss.point(setup.drawn.seed + 7, setup.size)
    picked = {round((steps - 1) * (k / (looks - 1)) ** 2) for k in range(looks)}
    norms, gradients, seen = [], [], []
    for number, step in enumerate(gd(loss, start, setup.eta, steps, setup.decay)):
        norms.append(float(step.w.norm()))
        gradients.append(float(step.grad.norm()) * norms[-1])
        if number in picked:
            seen.append(_measure(setup, loss, number, step.w))
    scale = setup.eta / (1 - float(setup.intrinsic))
    rates = tuple(scale / n**2 for n in norms)
    return Run(tuple(norms), rates, tuple(gradients), tuple(seen))


def reader(running: RunningError) -> Callable[[Tensor], Measured]:
    """What a tensor computed inside ``running`` amounts to: its value with its rounding error."""

    def read(x: Tensor) -> Measured:
        value, error = x.detach().numpy().copy(), running.error(x).numpy().copy()
        return Measured(value, error) if value.ndim else Measured(float(value), float(error))

    return read


def _measure(setup: Setup, loss: Loss, number: int, point: Tensor) -> Step:
    """Take the real step at ``point`` and measure it."""
    import torch

    from eostheory.numeric.autodiff import gradient
    from eostheory.numeric.dynamics import gd_step
    from eostheory.numeric.rounding import RunningError

    with RunningError() as running:
        after = gd_step(loss, point, setup.eta, setup.decay)
        before = torch.sqrt(torch.dot(point, point))
        length = torch.sqrt(torch.dot(after, after))
        theta = point / before
        # eta and lambda are dyadic: eta * lambda, hence this factor, is exact in float64.
        shrink = 1 - setup.eta * setup.decay
        found = (
            point,
            after,
            theta,
            after / length,
            gradient(loss, point),
            gradient(loss, theta),
            loss(theta),
            setup.eta / (shrink * before**2),
            setup.eta / (shrink * length**2),
        )
    return Step(number, *map(reader(running), found))
