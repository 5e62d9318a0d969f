"""Real scalar RMSprop in both forms: symbols and simulations of ``rmsprop_forms``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from eostheory.formula import scalar, vector

from ._gwsi import D, beta, eta, gbar, moment, moment_next, rate
from ._run import draw_loss, reader

if TYPE_CHECKING:
    from eostheory.agree import Sample

theta = vector("theta", D, r"\theta_t")
theta_next = vector("theta_next", D, r"\theta_{t+1}")
theta_next_scheduled = vector("theta_next_scheduled", D, r"\theta_{t+1}")
grad = vector("grad", D, r"\nabla\mathcal{L}(\theta_t)")
v = scalar("v_standard", "v_t", positive=True)
v_next = scalar("v_next_standard", "v_{t+1}", positive=True)
beta_min = scalar("beta_min", r"\beta_{\min}", positive=True)
delta_v = scalar("delta_v", r"\delta(\tilde v_t)")


def rmsprop(sample: Sample) -> None:
    """Three steps of both forms on one loss, each with its own state."""
    import torch

    from eostheory.numeric.autodiff import gradient
    from eostheory.numeric.rounding import RunningError

    drawn = draw_loss(sample, tilted=sample.draw(st.booleans(), "tilted"))
    loss, point = drawn.loss, drawn.loss.point(drawn.seed + 1, 1.5)
    step = sample.draw(st.integers(1, 64), "64 eta") / 64
    decay = sample.draw(st.integers(1, 127), "128 beta") / 128
    start = sample.draw(st.integers(1, 64), "16 v_0") / 16
    with RunningError() as running:
        read = reader(running)
        second = torch.as_tensor(start, dtype=torch.float64) * 1.0
        scaled = second / step**2
        here = other = point
        for _ in range(3):
            slope, slope_other = gradient(loss, here), gradient(loss, other)
            length = torch.sqrt(torch.dot(slope_other, slope_other)) / step
            speed = 1 / torch.sqrt(scaled)
            after, after_other = (
                here - step / torch.sqrt(second) * slope,
                other - speed * slope_other,
            )
            next_second = decay * second + (1 - decay) * torch.dot(slope, slope)
            next_scaled = decay * scaled + (1 - decay) * length**2
            found = {
                theta: read(here), grad: read(slope), v: read(second), v_next: read(next_second),
                theta_next: read(after), theta_next_scheduled: read(after_other),
                moment: read(scaled), moment_next: read(next_scaled), rate: read(speed),
                gbar: read(length),
            }  # fmt: skip
            sample.observe({eta: step, beta: decay, **found})
            here, other, second, scaled = after, after_other, next_second, next_scaled


def gwsi(sample: Sample) -> None:
    """Moments and gradients of any size, beta at and above its threshold."""
    low = sample.draw(st.integers(40, 126), "128 beta_min") / 128
    more = 2.0**-14 if sample.holds("beta_min") else -0.5 * low
    value = sample.draw(st.integers(1, 1024), "64 v") / 64
    size = sample.draw(st.integers(-8, 8), "log2 g")
    from eostheory.agree import Measured

    for decay in (low + more, (1 + low) / 2 if more > 0 else low / 4):
        for v_t in (value, 16.0, 0.25 / low):
            bound = 1 / (4 * low * v_t)
            sample.observe({beta: decay, beta_min: low, moment: v_t, gbar: 2.0**size,
                            delta_v: Measured(bound, 2.0**-51 * bound)})  # fmt: skip
