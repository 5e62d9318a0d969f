r"""Letters of Lemmas 3.4, 3.5 and E.6, and the residual off the top direction as a program."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from hypothesis import strategies as st

from eostheory.formula import Expr, dot, matrix, scalar, vector
from eostheory.numeric.rounding import RunningError

from . import _phase as o
from ._linear_runs import known, seed_of
from ._phase_step import Frame, draw_frame, number, turn

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


def sequences() -> Callable[[Sample], None]:
    """D, R and R' over some steps at the edge in a turning frame; one observation per step.

    D along v_1 changes its sign at each step.  Where v_1 turns to and fro with it, what it loses
    adds up in R.
    """
    from . import phase_auxiliary as p
    from .phase_distance import c_r

    def simulate(sample: Sample) -> None:
        draw = seed_of(sample)
        size = sample.draw(st.integers(2, 4), "n")
        bulk = sorted(draw.uniform(0.02, 0.2, size - 1).tolist(), reverse=True)
        least = 0.9 * bulk[-1]
        small = 10.0 ** float(draw.uniform(-6.0, -3.0, 1))
        found = []
        with RunningError() as run:
            frame = draw_frame(run, draw, [float(draw.uniform(1.97, 2.0, 1)), *bulk])
            long = 2.0 ** sample.draw(st.integers(3, 6), "log2 of the residual")
            residual = long * (frame.V[:, 0] + 0.01 * draw.normal(size))
            other = residual - torch.dot(frame.V[:, 0], residual) * frame.V[:, 0]
            fro = -1.0 if sample.draw(st.integers(0, 4), "turns back unless 0") else 1.0
            side = 1.0
            gaps, lengths = [number(0.0)], []
            for _ in range(9):
                top = frame.V[:, 0]
                lengths.append(torch.sqrt(torch.dot(residual, residual)))
                other = other - frame.rate * (frame.gram @ (other - torch.dot(top, other) * top))
                residual = frame.step(residual)
                frame = turned(frame, number(small), side)
                side *= fro
                top = frame.V[:, 0]
                apart = residual - torch.dot(top, residual) * top - other
                gaps.append(torch.sqrt(torch.dot(apart, apart)))
            longest = max(lengths, key=float)
            rate = frame.rate
            for before, after in pairwise(gaps):
                found.append(
                    {
                        p.gap: before,
                        p.gap_next: after,
                        B: number(2.0),
                        B_D: longest,
                        o.eps: number(small),
                        o.eta: rate,
                        lam_r: number(least) / rate,
                        c_r: number(6.0),
                    }
                )
            for table in found:
                sample.observe({symbol: known(run, value) for symbol, value in table.items()})

    return simulate


def turned(frame: Frame, delta: Tensor, sign: float) -> Frame:
    """The frame turned in the plane of its first two axes."""
    side = sign * torch.sqrt(2 * delta - delta * delta)
    first, second = frame.V[:, 0], frame.V[:, 1]
    pair = [(1 - delta) * first + side * second, (1 - delta) * second - side * first]
    axes = torch.stack([*pair, *frame.V.T[2:]], 1)
    return Frame(axes, frame.levels, frame.rate)
