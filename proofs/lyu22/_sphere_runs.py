"""Losses with a known manifold of minimizers on the sphere: symbols and simulations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from eostheory.agree import Measured
from eostheory.formula import matrix, scalar, vector

from ._gwsi import D

if TYPE_CHECKING:
    from torch import Tensor

    from eostheory.agree import Sample

H = matrix("H", D, D, r"H(\theta)", symmetric=True)
P = matrix("P", D, D, r"P_{\mathsf T_\theta(\Gamma)}", symmetric=True)
theta = vector("theta", D, r"\theta")
tangent = vector("tangent", D, "a")
kernel = vector("kernel", D, r"x\in\ker H(\theta)")
radial = scalar("radial")
lam_1 = scalar("lambda_1", r"\lambda_1^H(\phi_t)")
lam_i = scalar("lambda_i", r"\lambda_i^H(\phi_t)")
rate = scalar("rate", r"\tilde\eta_t")
grad_log = vector("grad_log", D, r"\nabla_\Gamma\log\lambda_1^H(\zeta)")
decay_rate = scalar("decay_rate", r"\tfrac{d}{d\tau}\log\lambda_1^H(\zeta(\tau))")
flow = vector("flow", D, r"\tfrac{d}{d\tau}\zeta(\tau)")
flow_8 = vector("flow_8", D, r"\tfrac{d}{d\tau}\zeta(\tau)")
flow_10 = vector("flow_10", D, r"\tfrac{d}{d\tau}\hat\zeta(\tau)")
flow_doubled = vector("flow_doubled", D, r"\tfrac{d}{d\tau}\hat\zeta(2\tau)")
C_b = scalar("C_b", positive=True)
eta = scalar("eta", r"\eta", positive=True)
alpha = scalar("alpha", r"\eta_{\mathrm{in}}^{-o(1)}", positive=True)
size = scalar("size", r"\|x_t\|_2", nonnegative=True)
eta_in = scalar("eta_in", r"\eta_{\mathrm{in}}", positive=True)
beta = scalar("beta", r"\beta")


def valley(sample: Sample, radial_part: float, slope: float) -> tuple[dict[Any, Any], Tensor]:
    """Autograd Hessian of sum_i a_i w_i^2 / |w|^2 on the sphere, with its zeros in front."""
    import torch

    from eostheory.agree import derivatives
    from eostheory.numeric.losses import Draw

    zeros = sample.draw(st.integers(1, 3), "D_Gamma")
    dim = zeros + sample.draw(st.integers(1, 3), "rank")
    draw = Draw(sample.draw(st.integers(0, 10**6), "seed"), "cpu")
    weights = torch.cat(
        [torch.zeros(zeros, dtype=torch.float64), draw.uniform(0.5, 2.0, dim - zeros)]
    )
    point = torch.zeros(dim, dtype=torch.float64)
    point[0] = 1.0
    weights[1:zeros] = slope

    def loss(v: Tensor) -> Tensor:
        square = (v * v).sum()
        return (weights * v * v).sum() / square + radial_part * (square - 1) ** 2

    onto = torch.zeros((dim, dim), dtype=torch.float64)
    for k in range(1, zeros):
        onto[k, k] = 1.0
    bend = derivatives.hessian(loss, point)
    found = {H: bend, P: onto, theta: point, tangent: draw.normal(dim)}
    return found, draw.normal(dim)


def zeros(sample: Sample) -> None:
    """H by autograd on Gamma, applied to a tangent vector and to theta."""
    radial_part = 0.0 if sample.holds("scale_invariant") else 1.0
    slope = 0.0 if sample.holds("minimizers") else 0.5
    table, _ = valley(sample, radial_part, slope)
    if not sample.holds("psd"):
        table[H] = -1.0 * table[H]
    sample.observe(table)


def null_space(sample: Sample) -> None:
    """A vector of the numerical kernel of H."""
    import torch

    rank = sample.holds("rank")
    slope = 0.0 if sample.holds("minimizers") else 0.5
    table, weights = valley(sample, 0.0, slope)
    dim = len(weights)
    flat = dim if not rank else round(float(torch.trace(table[P]))) + 1
    vector_in = torch.zeros(dim, dtype=torch.float64)
    vector_in[:flat] = weights[:flat]
    sample.observe({**table, tangent: vector_in, kernel: vector_in, radial: float(vector_in[0])})


def power_method(sample: Sample) -> None:
    """Eigenvalues of I - rate H at the edge, from spectra of drawn semidefinite matrices."""
    low = 0 if sample.holds("psd") else -64
    top = sample.draw(st.integers(8, 64), "8 lambda_1")
    if sample.holds("simple"):
        other = sample.draw(st.one_of(st.integers(max(0, low), top - 1), st.just(top - 1)), "8 l_i")
        close = [0.0, other / 8, top / 8 * (1 - 2.0**-12)]
    else:
        close = [float(top) / 8]
    if low:
        close = [-1.0]
    edge = (2.0 if sample.holds("edge") else 2.5) / (top / 8)
    for value in close:
        sample.observe({lam_1: top / 8, lam_i: value, rate: Measured(edge, 2.0**-52 * edge)})


def decay(sample: Sample) -> None:
    """The log of a smooth function along real flow (3) on a plane, by differences in time."""
    import numpy as np

    from eostheory.agree import derivatives

    seed = sample.draw(st.integers(0, 10**6), "seed")
    numbers = np.random.default_rng(seed)
    dim = sample.draw(st.integers(2, 5), "D")
    scale = 2.0 ** sample.draw(st.integers(-2, 3), "log2 gradient")
    rows = numbers.normal(size=(dim, dim)) * scale / dim

    def log_sharpness(x: Any) -> float:
        return float(np.sum(np.cosh(rows @ x)) * 0.25)

    point = numbers.normal(size=dim) / 4
    slope = 0.25 * rows.T @ np.sinh(rows @ point)
    square = float(slope @ slope)
    velocity = -2 * slope / (4 + square)

    def along(s: float) -> Measured:
        found = log_sharpness(point + s * velocity)
        return Measured(found, 1e-14 * (1 + abs(found)))

    change = derivatives.derivative(along, step=2.0**-6)
    sample.observe({grad_log: Measured(slope, 1e-14 * (1 + abs(slope).max())), decay_rate: change})


def flows(sample: Sample) -> None:
    """Velocities of one drawn gradient under (3), (8) and (10), in floating point."""
    from eostheory.numeric.losses import Draw
    from eostheory.numeric.rounding import RunningError

    from ._run import reader

    draw = Draw(sample.draw(st.integers(0, 10**6), "seed"), "cpu")
    dim = sample.draw(st.integers(1, 8), "D")
    weight = sample.draw(st.integers(1, 32), "8 C_b") / 8
    slope = draw.normal(dim)
    with RunningError() as running:
        read = reader(running)
        square = (slope * slope).sum()
        half = slope * (-0.5) / (square * 0.5 + 2)
        found = {
            flow: read(slope * (-0.5) / (1 + square * 0.25)),
            flow_8: read((-slope * weight) / (4 * weight + 2 * square)),
            flow_10: read(half),
            flow_doubled: read(half + half),
        }
    sample.observe({grad_log: slope, C_b: weight, **found})


def edge_state(sample: Sample) -> None:
    """States at the limits of what alpha allows."""
    inner = 4.0 ** sample.draw(st.integers(-12, -4), "log4 eta_in")
    base = math.sqrt(2 * inner)
    most = sample.draw(st.integers(4, 16), "4 alpha") / 4 * min(1.0, 0.5 / (4 * base))
    top = sample.draw(st.integers(1, 32), "8 lambda_1") / 8
    factor = 1.0 if sample.holds("bounded") else 2.0
    for u in (-most, most, most / 3, -most / 1024):
        limit = abs(u) * (1 + 2.0**-40)
        found = 2 / top / math.sqrt(1 + base * factor * u)
        sample.observe({eta_in: inner, alpha: limit, lam_1: top,
                        size: Measured(factor * abs(u) * base, 2.0**-50 * most * base),
                        rate: Measured(found, 2.0**-50 * found)})  # fmt: skip


def moment(sample: Sample) -> None:
    """The hyperparameters of Theorem B.9 for a drawn intrinsic rate."""
    inner = sample.draw(st.integers(1, 255), "1024 eta_in") / 1024
    root = math.sqrt(2 * inner)
    sample.observe({eta_in: inner, eta: Measured(root, 2.0**-52), beta: 1 - 4 * inner})
