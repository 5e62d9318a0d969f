"""Real RMS-drift processes whose every state is kept, for the estimates of appendix N."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from eostheory.agree import measured
from eostheory.formula import scalar, vector

from ._transitions import (
    K_0,
    C_b,
    Kicks,
    Landscape,
    alpha,
    draw_landscape,
    eta,
)

if TYPE_CHECKING:
    from eostheory.agree import Sample

Array = NDArray[np.float64]

u_0, u_M = scalar("u_0", "u_0"), scalar("u_M", "u_{2M}")
M, N = scalar("M", "M", positive=True), scalar("N", "N", positive=True)
pushes = scalar("pushes", r"\sum_{m=0}^{M-1}K_{2m}^2h_{2m}^2", nonnegative=True)
squares = scalar("squares", r"\sum_{m=0}^{N-1}h_{2m}^2", nonnegative=True)
E_0, E_t, E_N = scalar("E_0", "E(S_0)"), scalar("E_t", "E(S_t)"), scalar("E_N", "E(S_{2N})")
phi_0, phi_N = vector("phi_0", "D", r"\phi_0"), vector("phi_N", "D", r"\phi_{2N}")
pulls = vector("pulls", "D", r"\sum_{m=0}^{N-1}h_{2m}^2\nabla_\Gamma R(\phi_{2m})")
slope = vector("slope", "D", r"\nabla_\Gamma R(\phi_0)")
speed = vector("speed", "D", r"\tfrac{d}{dt}\zeta(0)")


class Chain(NamedTuple):
    """Sums over a process and its last state."""

    u: float
    square: float
    push: float
    pull: Array
    first: Array
    last: Array


@lru_cache(maxsize=512)
def chain(
    land: Landscape, kicks: Kicks, top: float, h: float, u: float, e: float, steps: int
) -> Chain | None:
    """Transitions with remainders that use up their bounds; None when a state leaves them."""
    point = start = land.start()
    square, push, pull = 0.0, 0.0, np.zeros(land.dim)
    gradient = land.slope(point)
    level = float(gradient @ gradient)
    side = land.start().flip(0)
    for t in range(steps):
        # phi moves by O(eta^2) per transition: a slope a few steps old is within the remainders.
        if t % 4 == 0:
            gradient = land.slope(point)
            level = float(gradient @ gradient)
        k2 = 2 * land.c_b + level
        square, push, pull = square + h * h, push + k2 * h * h, pull + h * h * gradient.numpy()
        kick = kicks.on_phi * top * h * h * e**3
        point = land.retract(point - 2 * e**2 * h * h * gradient + kick * side)
        rise = 4 * e * h * h * k2 - 2 * e * land.c_b + kicks.on_u * top * (1 + h * h) * e**2
        h, u = (1 - 2 * e * u) * h + kicks.on_h * top**2 * abs(h) * e**2, u + rise
        if max(abs(h), abs(u)) > top:
            return None
    return Chain(u, square, push, pull, start.numpy(), point.numpy())


def observe_chains(sample: Sample, power: float) -> None:
    """Observe processes of eta^-power transitions at ever smaller eta."""
    land = draw_landscape(sample)._replace(steep=0.5)
    shares = [sample.draw(st.sampled_from([-0.5, 0.5]), x) for x in ("on h", "on u", "on phi")]
    kicks = Kicks(shares[0], shares[1], shares[2])
    h = sample.draw(st.sampled_from([-0.5, 0.375, 0.625]), "h_0")
    u = sample.draw(st.sampled_from([-0.5, 0.25]), "u_0")
    for k in (4, 5, 6, 7):
        e = 2.0**-k
        steps = round(e**-power)
        found = chain(land, kicks, 3.0, h, u, e, steps)
        if found is None:
            sample.reject("a state is not alpha-bounded")
            return
        size = abs(found.u) + 4 * e * found.push + 2 * e * steps * land.c_b + 1
        sample.observe(
            {
                alpha: 3.0, eta: e, C_b: land.c_b, M: steps, N: steps, u_0: u,
                u_M: measured(found.u, 8 * steps + 40, size),
                pushes: measured(found.push, 40 + 4 * steps),
                phi_0: found.first,
                phi_N: measured(found.last, 4 * steps + 40, 2.0),
                pulls: measured(found.pull, 8 * steps + 40, 4.0 * found.square),
            },
            scale=e,
        )  # fmt: skip


def observe_speed(sample: Sample) -> None:
    """The right side of the flow (8) at points ever closer to phi_0, by autograd."""
    land = draw_landscape(sample)
    start, side = land.start(), land.start().flip(0)
    here = land.slope(start)
    level = float(here @ here)
    close = sample.holds("close")
    for k in range(8, 16):
        e = 2.0**-k
        there = land.slope(land.retract(start + 0.1 * (e if close else 1.0) ** 0.5 * side))
        fall = -there / (4 + 2 / land.c_b * float(there @ there))
        sample.observe(
            {
                alpha: 1.0, eta: e, C_b: land.c_b,
                K_0: measured(2 * land.c_b + level, 60).sqrt(),
                slope: measured(here, 60, 1.0 + level),
                speed: measured(fall, 120, 1.0 + level),
            },
            scale=e,
        )  # fmt: skip
