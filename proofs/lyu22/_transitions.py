"""Real transitions of an RMS-drift process on drawn landscapes; sizes for orders."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import strategies as st

from eostheory.formula import as_expr, scalar

if TYPE_CHECKING:
    from torch import Tensor

    from eostheory.agree import Measured, Sample
    from eostheory.symbolic import Model

alpha = scalar("alpha", r"\alpha", positive=True)
C_b = scalar("C_b", "C_b", positive=True)
K_0 = scalar("K_0", "K_0", positive=True)
eta = scalar("eta", r"\eta", positive=True)
FEW = {"quick": 3, "default": 10}
"""Instances of claims whose every instance is a long run."""

ZERO, ONE, HALF = as_expr(0), as_expr(1), as_expr(1) / 2


def sizes(m: Model) -> None:
    """1 <= alpha, and alpha to any power is smaller than 1/eta."""
    m.bound(1 / alpha, by="alpha")
    for k in range(5):
        m.bound(alpha**k * eta, by="alpha")


class Landscape(NamedTuple):
    """A drawn log-sharpness R on a flat or spherical manifold of minimizers, and C_b."""

    c_b: float
    dim: int
    seed: int
    sphere: bool
    steep: float = 1.0

    def slope(self, point: Tensor) -> Tensor:
        """grad_Gamma R by autograd."""
        import torch

        from eostheory.numeric.autodiff import gradient
        from eostheory.numeric.losses import Draw

        draw = Draw(self.seed, "cpu")
        bend, wave = draw.normal(self.dim, self.dim) / self.dim, draw.normal(self.dim)

        def log_sharpness(x: Tensor) -> Tensor:
            return self.steep * (torch.dot(x, bend @ x) / 2 + torch.sin(torch.dot(wave, x)))

        full: Tensor = gradient(log_sharpness, point)
        return full - torch.dot(full, point) * point if self.sphere else full

    def start(self) -> Tensor:
        """A point of the manifold."""
        from eostheory.numeric.losses import Draw

        point = Draw(self.seed + 1, "cpu").normal(self.dim)
        unit: Tensor = point / point.norm()
        return unit

    def retract(self, point: Tensor) -> Tensor:
        """Back to the manifold."""
        back: Tensor = point / point.norm() if self.sphere else point
        return back


def draw_landscape(sample: Sample) -> Landscape:
    """Flat or spherical, of 2 to 8 dimensions."""
    return Landscape(
        sample.draw(st.sampled_from([0.5, 1.0, 2.0]), "C_b"),
        sample.draw(st.sampled_from([2, 3, 8]), "D"),
        sample.draw(st.integers(0, 10**4), "seed"),
        sample.draw(st.booleans(), "sphere"),
    )


class Kicks(NamedTuple):
    """Which share of its bound each remainder takes; ``wild`` ignores the bounds."""

    on_h: float
    on_u: float
    on_phi: float
    wild: bool = False


@lru_cache(maxsize=4096)
def transition(
    land: Landscape, kicks: Kicks, top: float, size: float, speed: float, e: float
) -> tuple[float, ...]:
    """h_2, u_2 and the squared slopes before and after one transition; C_0 = 1."""
    point = land.start()
    gradient = land.slope(point)
    before = float(gradient @ gradient)
    k2 = 2 * land.c_b + before
    side = land.start().flip(0)
    after_h = (1 - 2 * e * speed) * size + kicks.on_h * top**2 * abs(size) * e**2
    after_u = speed + 4 * e * size**2 * k2 - 2 * e * land.c_b
    after_u += kicks.on_u * top * (1 + size**2) * e**2
    moved = point - 2 * e**2 * size**2 * gradient + kicks.on_phi * top * size**2 * e**3 * side
    if kicks.wild:
        after_h, after_u, moved = (
            after_h + size * e / 2,
            after_u + e**0.5,
            moved + 0.5 * e**0.5 * side,
        )
    final = land.slope(land.retract(moved))
    return after_h, after_u, before, float(final @ final)


def energies(land: Landscape, size: float, speed: float, slope: float) -> Measured:
    """Definition H.21 in floating point."""
    import math

    from eostheory.agree import measured

    parts = (speed**2 / 2, (2 * land.c_b + slope) * size**2, land.c_b * math.log(1 / abs(size)))
    return measured(sum(parts), 60, sum(abs(x) for x in parts) + 1)


class Path(NamedTuple):
    """u after each transition of a process, and the running sum of h^2; K_0^2 at its start."""

    speeds: list[float]
    sums: list[float]
    k2: float


@lru_cache(maxsize=512)
def process(
    land: Landscape, kicks: Kicks, top: float, size: float, speed: float, e: float, steps: int
) -> Path | None:
    """An RMS-drift process of ``steps`` transitions, None when it leaves its bounds.

    The slope of R is taken anew every few steps; phi moves so little meanwhile that the
    difference is one of the remainders that Definition H.2 allows.
    """
    point, first, k2 = land.start(), 0.0, 0.0
    gradient = land.slope(point)
    refresh = max(1, round(1 / (64 * e)))
    speeds, sums, total, waiting = [], [], 0.0, 0.0
    for t in range(steps):
        if t % refresh == 0:
            if t:
                point = land.retract(point - waiting * gradient)
            gradient, waiting = land.slope(point), 0.0
            k2 = 2 * land.c_b + float(gradient @ gradient)
            first = first or k2
        square = size * size
        total += square
        waiting += 2 * e**2 * square
        push = 4 * e * square * k2 - 2 * e * land.c_b + kicks.on_u * (1 + square) * e**2
        size, speed = (1 - 2 * e * speed + kicks.on_h * e**2) * size, speed + push
        if abs(size) > top or abs(speed) > top:
            return None
        speeds.append(speed)
        sums.append(total)
    return Path(speeds, sums, first)
