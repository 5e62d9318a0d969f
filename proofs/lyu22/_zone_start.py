"""Symbols of a random start, its exact probabilities, and vectors for a triangle inequality."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from eostheory.agree import measured
from eostheory.formula import scalar, vector

from ._edge import Point, look
from ._notation import D
from ._valley import Array, Valley, valley

if TYPE_CHECKING:
    from eostheory.agree import Sample


def positive(name: str, latex: str = "") -> Any:
    """A positive scalar."""
    return scalar(name, latex or name, positive=True)


delta, r = positive("delta", r"\delta"), positive("r")
c, C, root = positive("c"), positive("C"), positive("root", r"\sqrt{\log(1/\delta)}")
dim = positive("dim", "D")
low = scalar("low", r"\Pr[r<c\,\delta\sigma_0]", nonnegative=True)
high = scalar("high", r"\Pr[r>C\sigma_0\sqrt{\log(1/\delta)}]", nonnegative=True)
top = scalar("top", r"\Pr[|\langle\hat x_0,v_1^H(\zeta_0)\rangle|<c\,\delta r]", nonnegative=True)
alpha_0, sigma_0 = positive("alpha_0", r"\alpha_0"), positive("sigma_0", r"\sigma_0")
height = scalar("height", r"|h_0|\eta", nonnegative=True)
length = scalar("length", r"\|x_0\|_2", nonnegative=True)
middle = scalar("middle", r"\|P_{NZT}^H(\phi_0)x_0\|_2", nonnegative=True)
u_0 = scalar("u_0", "u_0")
c_1, c_2, c_3 = (positive(f"c_{k}") for k in (1, 2, 3))
big = positive("C_0")
first = scalar("first", r"|\langle\hat x_0,v_1^H(\zeta_0)\rangle|", nonnegative=True)
second = scalar("second", r"|\langle\hat x_0-x_0,v_1^H(\zeta_0)\rangle|", nonnegative=True)
turned = scalar("turned", r"\|v_1^H(\zeta_0)-v_1^H(\phi_0)\|_2", nonnegative=True)
length_hat = scalar("length_hat", r"\|\hat x_0\|_2", nonnegative=True)
start, offset = vector("start", D, r"\hat x_0"), vector("offset", D, "x_0")
v_zeta = vector("v_zeta", D, r"v_1^H(\zeta_0)")


def simulate_radius(sample: Sample) -> None:
    """Exact chi distributions for constants as the derivation chooses them."""
    from scipy import stats

    size = sample.draw(st.integers(1, 40), "D")
    for k in range(1, 12):
        chance = 2.0**-k
        depth = 0.5 / size**0.5
        width = (2 + 16 * size) ** 0.5
        edge = -np.log(chance)
        sample.observe(
            {
                dim: size, delta: chance, c: measured(depth, 4), C: measured(width, 4),
                root: measured(edge**0.5, 4),
                low: measured(stats.chi2.cdf(size * (depth * chance) ** 2, size), 1000),
                high: measured(stats.chi2.sf(size * width**2 * edge, size), 10**6),
                top: measured(
                    stats.beta.cdf((depth / 2 * chance) ** 2, 0.5, (size - 1) / 2)
                    if size > 1 else 0.0, 1000,
                ),
            }
        )  # fmt: skip


def simulate_triangle(sample: Sample) -> None:
    """Starts near a drawn manifold of minimizers, and real gradient flow to it."""
    size = sample.draw(st.integers(3, 6), "D")
    rank = sample.draw(st.integers(2, size - 1), "rank")
    seed = sample.draw(st.integers(0, 10**6), "seed")
    loss = valley(False, size, rank, seed)
    unit = np.random.default_rng([seed, 37]).normal(size=size)
    here = look(loss, np.zeros(size))
    starts = _starts(loss, here, unit / np.linalg.norm(unit))
    for hat, foot in zip(starts, loss.project(starts), strict=True):
        there, away = look(loss, foot, here.v1), hat - foot
        scale = float(np.linalg.norm(hat))
        # The flow's end is known to 1e-8 of the square of the way to it.
        slack = (1e-8 * scale**2 + 1e-15 * scale) * 2.0**53
        found = {
            height: abs(away @ there.v1),
            first: abs(hat @ here.v1),
            second: abs(foot @ here.v1),
            turned: np.linalg.norm(here.v1 - there.v1),
            length_hat: scale,
        }
        sample.observe({k: measured(float(v), 60, slack) for k, v in found.items()})


def _starts(loss: Valley, here: Point, unit: Array) -> Array:
    """Generic starts; and starts that mostly point where v_1 turns, for which little is lost."""
    way = here.null @ unit / np.linalg.norm(here.null @ unit)
    probe = look(loss, loss.project(1e-4 * way[None])[0], here.v1)
    turn = here.middle @ (here.v1 - probe.v1)
    pace = np.linalg.norm(turn) / 1e-4
    along = turn / np.linalg.norm(turn)
    found = []
    for r in (2.0**-10, 2.0**-16):
        found += [r * unit, r * (0.1 * way + along + 0.3 * pace * r * here.v1)]
    return np.array(found)
