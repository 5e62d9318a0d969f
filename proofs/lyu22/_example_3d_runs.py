"""Autograd on the loss of figure 4: symbols and simulations of ``example_3d``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from eostheory.agree import Measured
from eostheory.formula import scalar

if TYPE_CHECKING:
    from torch import Tensor

    from eostheory.agree import Sample

x = scalar("x", positive=True)
y, z, z_other = (scalar(name) for name in ("y", "z", "z_other"))
c = scalar("c", positive=True)
loss = scalar("F", "F(x,y,z)")
loss_scaled = scalar("F_scaled", "F(cx,cy,cz)")
loss_star = scalar("F_star", r"\min F")
H_xx, H_xy, H_yy, H_xz, H_yz, H_zz = (
    scalar(f"H_{k}", f"H_{{{k}}}") for k in ("xx", "xy", "yy", "xz", "yz", "zz")
)
sharpness = scalar("sharpness", r"\lambda_1^H(x,y,z)")
flattest = scalar("flattest", r"\lambda_1^H(\zeta_*)")


def turned(sample: Sample) -> tuple[Tensor, Tensor]:
    """A random orthogonal matrix, as in the appendix, and its transpose."""
    from eostheory.numeric.losses import Draw

    turn = Draw(sample.draw(st.integers(0, 2**20), "seed of U")).orthogonal(3)
    return turn, turn.T


def figure_loss(turn: Tensor, w: Tensor) -> Tensor:
    """L(w) = F(U w)."""
    import torch

    v = turn @ w
    return 2 - (v[0] + v[1]) / torch.sqrt(v[0] ** 2 - v[0] * v[1] + v[1] ** 2)


def values(sample: Sample) -> None:
    """The loss at drawn points, at multiples, and its minimum over a fine circle."""
    import torch

    turn, back = turned(sample)
    number = st.integers(-32, 32)
    first = sample.draw(st.integers(1, 32), "16 x") / 16
    factor = sample.draw(st.sampled_from([0.25, 0.5, 3.0, 10.0]), "c")
    for second in (sample.draw(number, "16 y") / 16, first, first * (1 + 2.0**-10)):
        point = torch.tensor([first, second, sample.draw(number, "16 z") / 16], dtype=torch.float64)
        here = float(figure_loss(turn, back @ point))
        there = float(figure_loss(turn, factor * (back @ point)))
        off = 2.0**-44
        sample.observe({x: first, y: second, z: float(point[2]), c: factor,
                        loss: Measured(here, off), loss_scaled: Measured(there, off),
                        loss_star: Measured(lowest(turn, back), 2.0**-44)})  # fmt: skip


def lowest(turn: Tensor, back: Tensor) -> float:
    """The minimum of the loss over directions in the plane z = 0."""
    import torch

    angles = [math.pi * k / 16 for k in range(32)]
    points = [torch.tensor([math.cos(a), math.sin(a), 0.0], dtype=torch.float64) for a in angles]
    return min(float(figure_loss(turn, back @ p)) for p in points)


def on_gamma(height: float) -> Tensor:
    """The point of Gamma with the given z."""
    import torch

    side = math.sqrt((1 - height**2) / 2)
    return torch.tensor([side, side, height], dtype=torch.float64)


def bent(turn: Tensor, back: Tensor, height: float) -> Measured:
    """The Hessian of F on Gamma, from that of L by autograd."""
    from eostheory.numeric.autodiff import hessian

    found = hessian(lambda w: figure_loss(turn, w), back @ on_gamma(height))
    value = (turn @ found @ back).numpy()
    return Measured(value, np.full((3, 3), 2.0**-42 * (1 + abs(value).max())))


def hessian(sample: Sample) -> None:
    """Second derivatives of the turned loss on Gamma."""
    turn, back = turned(sample)
    height = sample.draw(st.integers(-15, 15), "16 z") / 16
    table = bent(turn, back, height)
    side = Measured(math.sqrt((1 - height**2) / 2), 2.0**-52)
    places = {H_xx: (0, 0), H_xy: (0, 1), H_yy: (1, 1), H_xz: (0, 2), H_yz: (1, 2), H_zz: (2, 2)}
    value, error = np.asarray(table.value), np.asarray(table.error)
    found = {k: Measured(float(value[p]), float(error[p])) for k, p in places.items()}
    sample.observe({x: side, y: side, z: height, **found})


def flattest_point(sample: Sample) -> None:
    """Top eigenvalues of the Hessian at two heights and at zero."""
    turn, back = turned(sample)
    low = sample.draw(st.integers(0, 14), "16 |z|") / 16
    for more in (2.0**-10, 2.0**-5, 0.0625):
        high = low + more
        a, b = (low, high) if sample.holds("larger") else (high, low)
        tops = {}
        for letter, height in ((sharpness, a), (flattest, 0.0)):
            value = float(np.linalg.eigvalsh(np.asarray(bent(turn, back, height).value))[-1])
            tops[letter] = Measured(value, 2.0**-40 * (1 + abs(value)))
        sample.observe({z: a, z_other: -b, **tops})
