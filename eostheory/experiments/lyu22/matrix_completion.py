"""Matrix completion with batch normalization (lyu22, appendix P.1), for figures 1, 7 and 12."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from eostheory.curvature import Tracker
from eostheory.experiments.experiment import setting
from eostheory.experiments.plots import label, legend, panels
from eostheory.numeric.objective import Objective
from eostheory.training import Records

Array = npt.NDArray[np.float64]
Observation = Callable[[int, Tensor], float]
PRECISIONS = {"float32": torch.float32, "float64": torch.float64}
SINGULAR = 10
"""Singular values that are drawn."""

UNSAID = (
    "The paper does not say how U and V start (here normal entries of variance 1/side, with which "
    "the edge begins where the paper's does; a larger start only takes longer to get there), nor "
    "the precision (here torch's default: rounding is what the oscillation grows from, so that "
    "it begins earlier and from a higher floor than in float64)"
)


@dataclass(frozen=True)
class Common:
    """Settings of all experiments of appendix P.1."""

    side: int = setting(50, "rows and columns of the matrix", paper=50, least=4, most=1000)
    rank: int = setting(2, "rank of the matrix", paper=2, least=1)
    eta: float = setting(0.1, "learning rate", paper=0.1, least=1e-6)
    decay: float = setting(0.01, "weight decay", paper=0.01, least=0.0)
    spread: float = setting(
        1.0, "deviation of the first entries of U and V, times the root of the side", least=1e-6
    )
    precision: str = setting(
        "float32", "of the arithmetic of the descent", choices=tuple(PRECISIONS)
    )

    def tracker(self) -> Tracker:
        """What follows the sharpness: to an accuracy that the precision allows near crossings."""
        tolerance = 3e-5 if self.precision == "float32" else 1e-8
        return Tracker(1, tolerance=tolerance, repeated="keep")

    def problem(self, seeds: Sequence[int], observations: int, device: torch.device) -> Completion:
        """One draw for each seed."""
        return Completion(self, seeds, observations, device)


class Completion:
    """Draws of a matrix, of its known entries and of a start, side by side.

    All draws move in one vector: the gradient of a sum of losses of separate parameters is the
    gradient of each.

    Args:
        settings: of any of the experiments.
        seeds: one for each draw.
        observations: how many entries are known.
        device: where tensors live.
    """

    def __init__(
        self, settings: Common, seeds: Sequence[int], observations: int, device: torch.device
    ) -> None:
        side = settings.side
        if not settings.rank <= side or not 1 <= observations <= side * side:
            raise ValueError(
                f"rank {settings.rank} and {observations} observations do not fit a matrix of "
                f"{side} x {side} entries"
            )
        self.dtype = PRECISIONS[settings.precision]
        drawn = [_drawn(seed, side, settings.rank, observations) for seed in seeds]
        truth, seen, start = (torch.stack(one).to(device) for one in zip(*drawn, strict=True))
        self.observations = observations
        self.truth, self.seen = truth, seen
        self.start = (settings.spread / math.sqrt(side) * start).to(self.dtype).reshape(-1)

    def objective(self) -> Objective:
        """The sum of the training losses of all draws."""
        constants = self._constants(self.dtype)
        return Objective.of(
            lambda w: self._losses(w, *constants).sum(),
            len(self.start),
            self.dtype,
            self.start.device,
        )

    def _constants(self, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        """Known entries (S, d, d) with zeros elsewhere, where they are, and gamma (S, 1, 1)."""
        seen = self.seen.to(dtype)
        known = self.truth.to(dtype) * seen
        return known, seen, self._moment(known)

    def _moment(self, known: Tensor) -> Tensor:
        """Root of the second moment over the known entries, (S, 1, 1)."""
        return torch.sqrt((known * known).sum((1, 2), keepdim=True) / self.observations)

    def _product(self, w: Tensor) -> Tensor:
        factors = w.reshape(self.truth.shape[0], 2, *self.truth.shape[1:])
        return factors[:, 0] @ factors[:, 1].transpose(1, 2)

    def _losses(self, w: Tensor, known: Tensor, seen: Tensor, gamma: Tensor) -> Tensor:
        product = self._product(w) * seen
        residual = product * (gamma / self._moment(product)) - known
        return (residual * residual).sum((1, 2)) / self.observations

    def observed(self, singular: int) -> dict[str, Observation]:
        """Columns: train loss, test loss and the first singular values of each draw, by its place;
        without a place where there is one draw only."""
        return _Watch(self, singular).columns()

    def row(self, w: Tensor, singular: int) -> Array:
        """(S, 2 + singular): train loss, test loss and singular values, in float64."""
        constants = self._constants(torch.float64)
        with torch.no_grad():
            w = w.to(torch.float64)
            train = self._losses(w, *constants)
            product = self._product(w)
            _, seen, gamma = constants
            recovered = product * (gamma / self._moment(product * seen))
            test = ((recovered - self.truth) ** 2).mean((1, 2))
            values = torch.linalg.svdvals(recovered)[:, :singular]
            found: Array = torch.cat([train[:, None], test[:, None], values], 1).cpu().numpy()
        return found


def _drawn(seed: int, side: int, rank: int, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """A normalized matrix, where it is known, and a start (2, side, side) of variance one."""
    draw = torch.Generator().manual_seed(seed)
    left, right = 2 * torch.rand(2, side, rank, generator=draw, dtype=torch.float64) - 1
    product = left @ right.T
    truth = product * (side / torch.linalg.matrix_norm(product))
    seen = torch.zeros(side * side, dtype=torch.bool)
    seen[torch.randperm(side * side, generator=draw)[:count]] = True
    start = torch.randn(2, side, side, generator=draw, dtype=torch.float64)
    return truth, seen.reshape(side, side), start


class _Watch:
    """The observations of a step, computed once for all columns."""

    def __init__(self, problem: Completion, singular: int) -> None:
        self.problem = problem
        singular = min(singular, problem.truth.shape[1])
        self.names = ("train loss", "test loss", *(f"s{i + 1}" for i in range(singular)))
        self._step = -1
        self._row: Array = np.zeros(0)

    def columns(self) -> dict[str, Observation]:
        draws = self.problem.truth.shape[0]
        return {
            name if draws == 1 else f"{name} {place}": self._column(place, index)
            for place in range(draws)
            for index, name in enumerate(self.names)
        }

    def _column(self, place: int, index: int) -> Observation:
        def value(step: int, w: Tensor) -> float:
            if step != self._step:
                self._step, self._row = step, self.problem.row(w, len(self.names) - 2)
            return float(self._row[place, index])

        return value


def edge(settings: Common, length: Array) -> Array:
    """2 over the effective learning rate."""
    found: Array = 2 * (1 - settings.eta * settings.decay) * length**2 / settings.eta
    return found


def four_panels(settings: Common, found: Records, begin: int = 0) -> Figure:
    """Test loss, train loss, spherical sharpness and singular values, as figures 1 and 12.

    Args:
        begin: the step at which the records begin.
    """
    figure, (a, b, c, d) = panels(2, 2, width=4.6)
    step = found["step"] + begin
    a.plot(step, found["test loss"], linewidth=1.0)
    label(a, "step", "test loss", "(a) test loss")
    b.semilogy(step, found["train loss"], linewidth=0.7)
    label(b, "step", "train loss", "(b) train loss")
    sharpness(c, settings, found, begin)
    label(c, "step", "", "(c) the edge of stability")
    legend(c)
    for index in range(SINGULAR):
        if f"s{index + 1}" in found:
            d.plot(step, found[f"s{index + 1}"], linewidth=0.8)
    label(d, "step", "", f"(d) top-{SINGULAR} singular values of the recovered matrix")
    return figure


def sharpness(axes: Axes, settings: Common, found: Records, begin: int = 0) -> None:
    """Spherical sharpness and 2 / effective learning rate, on a logarithmic axis."""
    step = found["step"] + begin
    axes.semilogy(step, found["spherical sharpness"], linewidth=0.9, label="spherical sharpness")
    rate = edge(settings, found["length"])
    axes.semilogy(step, rate, linewidth=0.9, label="2 / effective learning rate")
    axes.tick_params(which="minor", labelsize=7)
