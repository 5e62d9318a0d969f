"""Autograd near minimizers: symbols and simulations of ``pl_condition``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from eostheory.agree import Measured
from eostheory.formula import matrix, scalar, vector

from ._gwsi import D
from ._run import reader

if TYPE_CHECKING:
    from torch import Tensor

    from eostheory.agree import Sample

x = vector("x", D, r"(\theta-P(\theta))")
grad = vector("grad", D, r"\nabla\mathcal{L}(\theta)")
grad_far = vector("grad_far", D, r"\nabla\mathcal{L}(w)")
point = vector("w", D, "w")
velocity = vector("velocity", D, r"\tfrac{d\theta}{dt}")
hess = matrix("hess", D, D, r"\nabla^2\mathcal{L}(P(\theta))", symmetric=True)
gap = scalar("gap", r"(\mathcal{L}(\theta)-\mathcal{L}(\theta^*))", nonnegative=True)
gap_start = scalar("gap_0", r"(\mathcal{L}(\theta_0)-\mathcal{L}(\theta^*))", nonnegative=True)
root_rate = scalar("root_rate", r"\tfrac{d}{dt}(\mathcal{L}(\theta)-\mathcal{L}(\theta^*))^{1/2}")
length = scalar("length", r"\int_0^T\|\tfrac{d\theta}{d\tau}\|_2d\tau", nonnegative=True)
distance = scalar("distance", r"\|\theta-\theta^*\|_2", nonnegative=True)
grad_convex = vector("grad_convex", D, r"\nabla\mathcal{L}_{\mathrm c}(\theta)")
gap_convex = scalar(
    "gap_convex", r"(\mathcal{L}_{\mathrm c}(\theta)-\mathcal{L}_{\mathrm c}^*)", nonnegative=True
)
mu = scalar("mu", r"\mu", positive=True)
eps = scalar("eps", r"\epsilon", positive=True)
C_3 = scalar("C_3", positive=True)
lam_small = scalar("lambda_min", r"\lambda_{\min}", positive=True)
lam_big = scalar("lambda_max", r"\lambda_{\max}", positive=True)
K = scalar("K", positive=True)


def quadratic(sample: Sample) -> None:
    """Quadratics by autograd; the flattest direction alone makes the inequality tight."""
    import torch

    from eostheory.numeric.autodiff import gradient
    from eostheory.numeric.rounding import RunningError

    dim = sample.draw(st.integers(2, 8), "D")
    low = sample.draw(st.integers(1, 32), "8 mu") / 8
    spectrum = [0.0, low] + [low * (1 + k / 2) for k in range(1, dim - 1)]
    if not sample.holds("curvature"):
        spectrum[1] = low / 2
    weights = torch.tensor(spectrum, dtype=torch.float64)
    for along in (1, dim - 1):
        place = torch.zeros(dim, dtype=torch.float64)
        place[0], place[along] = 1.0, 0.75

        def loss(w: Tensor) -> Tensor:
            return (weights * w * w).sum() / 2

        with RunningError() as running:
            read = reader(running)
            known = {grad: read(gradient(loss, place)), gap: read(loss(place))}
        sample.observe({mu: low, x: place, hess: torch.diag(weights), **known})


def near_manifold(sample: Sample, largest: float = 16.0) -> None:
    """L = sum a_i x_i^2/2 (1 + b s) + k x_1^3 off an axis s of minimizers, by autograd."""
    import torch

    from eostheory.numeric.autodiff import gradient
    from eostheory.numeric.rounding import RunningError

    a = sample.draw(st.integers(4, 16), "8 lambda_min") / 8
    b = a + sample.draw(st.integers(0, 16), "8 gap") / 8
    cubic = sample.draw(st.integers(-8, 8), "8 k") / 8
    weights = torch.tensor([0.0, a, b], dtype=torch.float64)

    def loss(w: Tensor) -> Tensor:
        return (weights * w * w).sum() / 2 + cubic * (w[1] ** 3 + w[2] ** 3)

    third = 6 * b * abs(cubic) + 0.5
    for size in (largest, 2.0**-8, 2.0**-12):
        for along in ((size, 0.0), (0.0, size), (size / 2, -size / 2)):
            off = torch.tensor([0.0, *along], dtype=torch.float64)
            with RunningError() as running:
                read = reader(running)
                known = {grad: read(gradient(loss, off)), gap: read(loss(off))}
            reach = float(off.norm())
            table = {x: off, hess: torch.diag(weights), lam_small: a, lam_big: b, **known}
            sample.observe({**table, C_3: third + abs(cubic), eps: reach * (1 + 2.0**-20)})


def flow_rate(sample: Sample) -> None:
    """The root of a quadratic loss along its exact flow, by differences in time."""
    from eostheory.agree import derivatives

    low = sample.draw(st.integers(1, 16), "8 mu") / 8
    high = low + sample.draw(st.integers(0, 16), "8 more") / 8
    start = (1.0, sample.draw(st.sampled_from([0.0, 0.5, 1.0]), "steep part"))

    def root(t: float) -> Measured:
        value = low * (start[0] * math.exp(-low * t)) ** 2 / 2
        value += high * (start[1] * math.exp(-high * t)) ** 2 / 2
        return Measured(math.sqrt(value), 1e-15 * (1 + math.sqrt(value)))

    slope = [low * start[0], high * start[1]]
    value = (low * start[0] ** 2 + high * start[1] ** 2) / 2
    claimed = low if sample.holds("pl") else 4 * high
    sample.observe({grad: slope, velocity: [-s for s in slope], gap: value, mu: claimed,
                    root_rate: derivatives.derivative(root, step=2.0**-5)})  # fmt: skip


def shell(sample: Sample) -> None:
    """A quotient of quadratic forms in a shell around the sphere."""
    import torch

    from eostheory.numeric.autodiff import gradient
    from eostheory.numeric.rounding import RunningError

    a = sample.draw(st.integers(4, 16), "8 a") / 8
    dim = sample.draw(st.integers(2, 6), "D")
    weights = torch.full((dim,), a, dtype=torch.float64)
    weights[0] = 0.0
    near = torch.zeros(dim, dtype=torch.float64)
    near[0], near[1] = 1.0, 2.0**-10
    bowl = 0.0 if sample.holds("scale_invariant") else -0.25

    def loss(w: Tensor) -> Tensor:
        square = (w * w).sum()
        return (weights * w * w).sum() / square * square**bowl

    factor = 1.0 if sample.holds("pl") else 4.0
    sizes = (math.sqrt(2) * (1 - 2.0**-20), 1.0, 0.75) if sample.holds("shell") else (2.0,)
    for size in sizes:
        with RunningError() as running:
            read = reader(running)
            unit = near / torch.sqrt(torch.dot(near, near))
            far = size * unit
            value = loss(unit)
            known = {grad: read(gradient(loss, unit)), grad_far: read(gradient(loss, far)),
                     point: read(far), gap: read(value)}  # fmt: skip
        constant = 2 * (a - 2 * float(value))
        sample.observe({mu: constant * factor, **known})


def convex(sample: Sample) -> None:
    """Strongly convex quadratics, and |x|^4 when only convexity is asked for."""
    import torch

    from eostheory.numeric.autodiff import gradient
    from eostheory.numeric.rounding import RunningError

    dim = sample.draw(st.integers(2, 6), "D")
    low = sample.draw(st.integers(1, 16), "8 mu") / 8
    strongly, is_convex = sample.holds("strongly"), sample.holds("convex")
    factor = 1.0 if sample.holds("pl") else 4.0
    weights = torch.full((dim,), low, dtype=torch.float64)
    weights[1] *= 2

    def loss(w: Tensor) -> Tensor:
        if not strongly:
            return ((w * w).sum()) ** 2
        if not is_convex:
            return torch.sin(3 * w[0]) ** 2 * low / 18
        return (weights * w * w).sum() / 2

    place = torch.zeros(dim, dtype=torch.float64)
    for axis, size in ((0, 1.0), (1, 0.5)) if strongly and is_convex else ((0, 0.0625), (0, 0.5)):
        here = place.clone()
        here[axis] = size
        with RunningError() as running:
            read = reader(running)
            known = {grad_convex: read(gradient(loss, here)), gap_convex: read(loss(here))}
        # the first part is about a loss with the PL condition, here a quadratic
        slope = low / factor * here
        sample.observe({mu: low, distance: size, grad: slope, **known})
