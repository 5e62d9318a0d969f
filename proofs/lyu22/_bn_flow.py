"""Simulations behind Theorem 5.1: points of Gamma, its flattest point, and the flow on it.

Nothing here knows how the sharpness depends on the weight: Hessians, their top eigenpairs and the
gradients of both come from autograd through the forward pass, tangent spaces from the Hessian.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from eostheory.formula import matrix, scalar, vector

from ._batch_norm import Data, draw_data, known, setting, statistics
from ._bn_landscape import ROUGH, Landscape, LeastNorm, rounded

if TYPE_CHECKING:
    from torch import Tensor

    from eostheory.agree import Sample
    from eostheory.numeric.rounding import RunningError

# ------------------------------------------------------------------------------------- symbols
limit = vector("limit", "d", r"\lim_{\tau\to\infty}\zeta(\tau)")
limit_Sigma = scalar("limit_Sigma", r"\lVert\lim\zeta\rVert_{\Sigma_x}", positive=True)
w_star = vector("w_star", "d", "w_*")
wt_star = vector("wt_star", "d", r"\tilde w_*")
lam_limit = scalar("lam_limit", r"\lambda_1^H(\lim\zeta)", positive=True)
lam_any = scalar("lam_any", r"\lambda_1^H(w)", positive=True)
rival = vector("rival", "d", "v")
b_rival = scalar("b_rival", "b")
stationary = vector("stationary", "d", r"w_{\nabla=0}")
grad_log_sharpness = vector("grad_log_sharpness", "d", r"\nabla_\Gamma\log\lambda_1^H(w)")
grad_log_norm = vector("grad_log_norm", "d", r"\nabla_\Gamma\log\lVert\tilde w\rVert_2^2")
grad_norm = vector("grad_norm", "d", r"\nabla_\Gamma\lVert\tilde w\rVert_2^2")
grad_at_star = vector("grad_at_star", "d", r"\nabla_\Gamma\lVert\tilde w\rVert_2^2(w_*)")
w_tilde_norm2 = scalar("w_tilde_norm2", r"\lVert\tilde w\rVert_2^2", positive=True)

P = matrix("P", "d", "d", r"P_{T_w\Gamma}", symmetric=True)

TIME, STEP = 14.0, 0.7
"""The flow is followed for this long, in Runge-Kutta steps of this size."""


def _noise(size: int, *seeds: int) -> Tensor:
    import torch

    generator = torch.Generator().manual_seed(sum(seeds))
    return torch.randn(size, generator=generator, dtype=torch.float64)


def _start(sample: Sample, run: RunningError, largest: tuple[int, int], wide: bool = False) -> Data:
    """Data with a weight on Gamma, or a rejection where Gamma is empty.

    ``wide``: more inputs than examples, so that Gamma is more than a point.
    """
    from hypothesis import strategies as st

    if not sample.holds("linear_targets"):
        sample.reject("targets that are not linear leave Gamma empty")
    # two examples give outputs of +-1 about their mean: no curvature, and no flow
    examples = sample.draw(st.integers(3, largest[0]), "n")
    sizes = examples, sample.draw(st.integers(2, largest[1]), "d")
    if wide:
        sizes = examples, examples + sizes[1] - 2
    return draw_data(sample, run, fitted=True, sizes=sizes)


def point_on_gamma(sample: Sample) -> None:
    """Gradients along Gamma at one of its points, of the sharpness and of the slope's norm."""
    import torch

    from eostheory.numeric.autodiff import gradient, third, third_tensor
    from eostheory.numeric.rounding import RunningError

    with RunningError() as run:
        data = _start(sample, run, (6, 5), wide=True)
    land = Landscape(data)
    top, tangent = land.curved(data.w)
    scale = float(torch.linalg.vector_norm(third_tensor(land.loss, data.w)))
    blur = 1e-12 * scale / float(top.gap) + 1e-12 / ROUGH
    with RunningError() as run:
        run.declare(tangent, blur / 4)
        turn = third(land.loss, data.w, top.vector, top.vector)
        run.declare(turn, run.error(turn) + blur * scale)
        table = setting(run, data)
        value = land.norm2(data.w)
        table[P] = known(run, tangent)
        table[grad_log_sharpness] = known(run, tangent @ turn / top.value)
        table[grad_log_norm] = known(
            run, tangent @ gradient(lambda v: torch.log(land.norm2(v)), data.w)
        )
        table[grad_norm] = known(run, tangent @ gradient(land.norm2, data.w))
        table[w_tilde_norm2] = known(run, value)
        sample.observe(table)


def any_stationary_point(sample: Sample) -> None:
    """A point where the gradient along Gamma vanishes, or any point when that is withheld."""
    # where Gamma is a single point its gradient vanishes throughout
    stationary_here = sample.holds("stationary")
    _stationary(sample, 4 if stationary_here else 0, wide=not stationary_here)


def stationary_point(sample: Sample) -> None:
    """A point where the gradient along Gamma vanishes."""
    _stationary(sample, 4)


def _stationary(sample: Sample, steps: int, wide: bool = False) -> None:
    """Newton on the slope's squared norm along Gamma, from a random point of it."""
    import torch

    from eostheory.numeric.autodiff import gradient, hessian
    from eostheory.numeric.rounding import RunningError

    with RunningError() as run:
        data = _start(sample, run, (12, 16), wide)
    land = Landscape(data)
    least = LeastNorm.of(data)
    best, kernel = least.point, least.kernel
    place = data.w + kernel @ _noise(kernel.shape[1], data.size)
    other = data.w + kernel @ _noise(kernel.shape[1], data.size, 1)
    moved = torch.zeros(())
    for _ in range(steps if kernel.shape[1] else 0):
        chart = lambda c, at=place: land.norm2(at + kernel @ c)  # noqa: E731
        zero = torch.zeros(kernel.shape[1], dtype=torch.float64)
        step = torch.linalg.solve(hessian(chart, zero), gradient(chart, zero))
        place, moved = place - kernel @ step, torch.linalg.vector_norm(step)
    length = torch.linalg.vector_norm(place)
    slack = 2 * float(moved / length) + least.slack
    with RunningError() as run:
        found = run.declare(place / length, slack)
        flattest = run.declare(best, slack)
        table = setting(run, data) | least.observed()
        slope, _ = land.linear(found)
        along = kernel @ (kernel.T @ gradient(land.norm2, flattest))
        along = along - flattest * (flattest * along).sum()
        table.update({stationary: known(run, found), w_star: known(run, flattest)})
        table.update({wt_star: known(run, slope), grad_at_star: known(run, along)})
        for point in (run.fresh(best), run.fresh(other)):
            run.declare(point, slack)
            rival_slope, rival_offset = land.linear(point)
            table.update({rival: known(run, rival_slope), b_rival: known(run, rival_offset)})
            sample.observe(table)


def follow(land: Landscape, start: Tensor) -> tuple[list[Tensor], float]:
    """The flow from ``start``, and how far its end may be from its limit.

    The bound sums the geometric series of the remaining steps at the measured ratio.
    """
    import torch

    path = [start]
    for _ in range(round(TIME / STEP)):
        here = path[-1]
        k1 = land.velocity(here)
        k2 = land.velocity(land.onto_gamma(here + STEP / 2 * k1))
        k3 = land.velocity(land.onto_gamma(here + STEP / 2 * k2))
        k4 = land.velocity(land.onto_gamma(here + STEP * k3))
        path.append(land.onto_gamma(here + STEP / 6 * (k1 + 2 * k2 + 2 * k3 + k4)))
    steps = [float(torch.linalg.vector_norm(b - a)) for a, b in pairwise(path)]
    ratio = min(0.9, steps[-1] / steps[-2]) if steps[-2] > 1e-13 else 0.0
    return path, 1.5 * steps[-1] * ratio / (1 - ratio)


def flow_from_a_start(sample: Sample) -> None:
    """Follow the flow from a random point of Gamma to its end."""
    import torch

    from eostheory.agree import Measured
    from eostheory.numeric.rounding import RunningError

    with RunningError() as run:
        data = _start(sample, run, (6, 8))
    land = Landscape(data)
    least = LeastNorm.of(data, 60.0)
    best, kernel = least.point, least.kernel
    start = land.onto_gamma(data.w + kernel @ _noise(kernel.shape[1], data.size))
    path, slack = follow(land, start)
    slack += least.slack
    end = path[-1]
    with RunningError() as run:
        run.declare(end, slack)
        table = setting(run, data) | least.observed()
        table[limit], table[w_star] = known(run, end), known(run, run.declare(best, slack))
        table[limit_Sigma] = known(run, statistics(data.X @ end)[1])
    lowest = land.curved(end)[0].value
    table[lam_limit] = Measured(float(lowest), 100 * slack * float(lowest))
    for point in (best, start):
        slope, offset = land.linear(point)
        table.update({rival: rounded(slope, slack), b_rival: rounded(offset, slack)})
        level = float(land.curved(point)[0].value)
        table[lam_any] = Measured(level, 100 * slack * level)
        sample.observe(table)
    distance = [float(torch.linalg.vector_norm(land.linear(p)[0] - land.linear(best)[0]))
                for p in path]  # fmt: skip
    times = [STEP * i for i in range(len(path))]
    sample.plot(
        "Distance of the linear model to the least-norm one along the flow",
        "time of the flow",
        "distance",
        [
            {"label": "distance", "x": times, "y": distance},
            {
                "label": "exp(-time)",
                "x": times,
                "y": [distance[0] * 2.718281828459045**-t for t in times],
                "style": "dashed",
            },
        ],
        yscale="log",
    )
