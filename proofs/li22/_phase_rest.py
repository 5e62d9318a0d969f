r"""Letters of Lemmas 3.4, 3.5 and E.6, and the residual off the top direction as a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from hypothesis import strategies as st

from eostheory.formula import Expr, dot, matrix, scalar, vector
from eostheory.numeric.rounding import RunningError

from . import _phase as o
from ._linear_runs import known, seed_of
from ._phase_step import draw_frame, number, turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from eostheory.agree import Sample

B = scalar("B_Lambda", r"B_\Lambda")
B_D = scalar("B_D", "B_D", nonnegative=True)
delta = scalar("delta", r"\delta", nonnegative=True)
perp = vector("v_perp", "n", r"\mathbf v_\perp")
error = vector("e_1", "n", r"\mathbf e_1(t)")
prime = vector("R_prime", "n", r"\mathbf R'(t)")
prime_next = vector("R_prime_next", "n", r"\mathbf R'(t+1)")
prime_0 = vector("R_prime_0", "n", r"\mathbf R'(0)")
R_0 = vector("R_0", "n", r"\mathbf R(0)")
projected = matrix("M_prime", "n", "n", r"\mathbf M'(t)", symmetric=True)
lam_r = scalar("lambda_r", r"\lambda_r", positive=True)


def prime_step(z: Expr) -> Expr:
    """(I - eta M (I - v_1 v_1^T)) z."""
    return z - o.eta * (o.M @ (z - dot(o.v1, z) * o.v1))


def rest() -> Callable[[Sample], None]:
    """Two steps of D and R' in a turning frame; the second one is observed."""

    def off(axis: Tensor, z: Tensor) -> Tensor:
        return z - torch.dot(axis, z) * axis

    def simulate(sample: Sample) -> None:
        draw = seed_of(sample)
        size = sample.draw(st.integers(2, 5), "n")
        top = float(draw.uniform(1.6, 2.0, 1))
        bulk = sorted(draw.uniform(0.05, 0.9, size - 1).tolist(), reverse=True)
        with RunningError() as run:
            frame = draw_frame(run, draw, [top, *bulk])
            small = number(10.0 ** float(draw.uniform(-4.0, -1.0, 1)))
            old, new = frame.V[:, 0], turn(frame, small)
            residual = draw.normal(size)
            # R' starts off a direction that has turned since
            first = off(turn(frame, small, size - 1), residual)
            other = first - frame.rate * (frame.gram @ off(old, first))
            after = frame.step(residual)
            kept = off(old, residual)
            moved = off(new, after)
            bulk_gram = frame.gram @ (torch.eye(size, dtype=torch.float64) - torch.outer(old, old))
            found = {
                o.D: residual,
                o.D_next: after,
                o.M: frame.gram,
                o.v1: old,
                o.v1_next: new,
                o.Lam: frame.levels[0] / frame.rate,
                o.eta: frame.rate,
                o.eps: small,
                o.R: kept,
                o.R_next: moved,
                error: moved - frame.step(kept),
                B: number(2.0),
                B_D: torch.sqrt(torch.dot(residual, residual)),
                prime: first,
                prime_next: other,
                prime_0: first,
                R_0: first,
                projected: bulk_gram,
            }
            sample.observe({symbol: known(run, value) for symbol, value in found.items()})

    return simulate
