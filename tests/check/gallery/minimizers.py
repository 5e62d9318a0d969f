"""Losses with sets of minimizers, of constant rank or not."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from eostheory import strategies

from .entries import (
    FAIL,
    NOT_APPLICABLE,
    PASS,
    PLAIN,
    SPHERICAL,
    UNKNOWN,
    Expected,
    enter,
    vector,
)
from .valley import AT_THE_EDGE, broken, valley


def on_a_line(w: Tensor) -> Tensor:
    """The valley with a free coordinate t, which changes the curvature across: minimizers are
    the line (0, 1, 0, t), the Hessian has rank 3 on it."""
    return valley(w[:3]) + w[3] ** 2 * w[2] ** 2 / 2


def line(t: Tensor) -> Tensor:
    zero = torch.zeros_like(t)
    return torch.cat([zero, zero + 1, zero, t])


def pinched(w: Tensor) -> Tensor:
    """The same without 3 z^2/2: at t = 0 the rank falls to 2."""
    x, y, z, t = w[0], w[1], w[2], w[3]
    return (40 + y) * x**2 / 2 + (y - 1) ** 2 / 2 + t**2 * z**2 / 2


# The minimizers are at y = 1, outside of what is near the start.
LINE: dict[str, Any] = {"start": vector(0.1, -1.0, 0.5, 0.7), "domain": (-2.0, 2.0)}
# The sharpness is 41 all along the line, so that nothing drives a motion along it: the flow rests.
# The oscillation across it, which rms-drift is about, does not need that.
ALONG: Expected = {**PLAIN, "rms-drift": PASS}
enter("a line of minimizers", lambda: on_a_line, ALONG, **{**AT_THE_EDGE, **LINE}, manifold=line)
# The same loss: what does not ask for minimizers is found there.
OF_MINIMIZERS = "minimizer-manifold", "local-pl", *SPHERICAL
enter(
    "a line that is not declared",
    lambda: on_a_line,
    {"sharpness-reduction-flow": NOT_APPLICABLE},
    **{**AT_THE_EDGE, **LINE},
    checks=OF_MINIMIZERS,
)
broken(
    "a manifold with changing rank",
    lambda: pinched,
    "minimizer-manifold",
    **LINE,
    manifold=line,
)
# Its points (0, 2, 0, t) have the slope y - 1 = 1.
enter(
    "a declared manifold that is wrong",
    lambda: on_a_line,
    {"minimizer-manifold": FAIL},
    **{**AT_THE_EDGE, **LINE},
    manifold=lambda t: line(t) + vector(0, 1, 0, 0),
    checks=OF_MINIMIZERS,
)
# z^4 instead of 3 z^2/2: (0, 1, 0) is isolated, its Hessian has rank 2 of 3.
broken(
    "a degenerate minimizer",
    lambda: lambda w: valley(w) - 3 * w[2] ** 2 / 2 + w[2] ** 4,
    "minimizer-manifold",
)
enter(
    "a paraboloid of minimizers",
    lambda: strategies.loss_with_manifold(3, 1),
    # Gradient flow raises the sharpness from 24 to 31, but ends so soon that descent with steps of
    # 2/sharpness misses the edge.
    {**PLAIN, "small-epsilon": UNKNOWN, **dict.fromkeys(SPHERICAL, PASS)},
)


def sine_valley(w: Tensor) -> Tensor:
    """(y - sin 2x)^2/2: |grad|^2 = r^2 (1 + 4 cos^2 2x) >= 2 L, PL with mu = 1 everywhere, and not
    convex.  Minimizers are the curve y = sin 2x, of rank 1 and sharpness 1 + 4 cos^2 2x."""
    return (w[1] - torch.sin(2 * w[0])) ** 2 / 2


enter(
    "PL and not convex",
    lambda: sine_valley,
    # alpha changes its sign along gradient flow.  From (0.3, 1.5) gradient flow ends at a minimizer
    # near which the error of the drift changes its sign too, so that its order cannot be told.
    {**PLAIN, "progressive-sharpening": UNKNOWN, **dict.fromkeys(SPHERICAL, PASS)},
    start=vector(0.7, 1.5),
)
