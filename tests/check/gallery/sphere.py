"""Losses that depend on the direction of the weights only, or nearly."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from eostheory import strategies
from eostheory.numeric.batchnorm import regression_data
from eostheory.numeric.losses import Draw, scale_invariant

from .entries import (
    APPLIES,
    FAIL,
    FAILS,
    FUNCTION,
    NOT_APPLICABLE,
    PASS,
    SPHERICAL,
    UNKNOWN,
    Expected,
    enter,
    vector,
)

# No limit is asked: where the oscillation is damped, the Hessian damps grad S with it.
SPHERE: Expected = {**FUNCTION, "limiting-sharpness": NOT_APPLICABLE}


SPECTRUM = vector(1, 2, 4)


def rayleigh(w: Tensor) -> Tensor:
    """<w, A w> / <w, w>: spectrum 1, 2, 4; minimizers +-e_0, isolated on the sphere."""
    return torch.dot(SPECTRUM * w, w) / torch.dot(w, w)


SLANTED = vector(1.0, 0.5, -0.75)
# Gradient flow raises the sharpness from 2.1 to 3.3.  Nothing damps its oscillation at the edge: in
# long runs amplitudes of 1.05 delta stay for thousands of steps, so that no limit can be asked.
ISOLATED: Expected = {
    **FUNCTION,
    "limiting-sharpness": NOT_APPLICABLE,
    **dict.fromkeys(SPHERICAL, NOT_APPLICABLE),
}
enter("a Rayleigh quotient", lambda: rayleigh, ISOLATED, start=SLANTED)
# Runs go as they do where it is found out.
enter(
    "a Rayleigh quotient, declared",
    lambda: rayleigh,
    {"declared-hessian": NOT_APPLICABLE},
    start=SLANTED,
    scale_invariant=True,
    exclude="prediction",
)
# In the direction e_0 the loss falls until the hole around 0: no minimizer is found.
NOT_QUITE: Expected = {**FUNCTION, "minimizer-manifold": UNKNOWN}
# Changes by 1e-9 |w|^2 with the length, against roundings of some 1e-16.  Without weight decay the
# run, which goes as slowly as gradient flow, ends below the edge.
enter(
    "not scale-invariant by a tiny term",
    lambda: lambda w: rayleigh(w) + 1e-9 * (w**2).sum(),
    {
        **NOT_QUITE,
        "scale-invariant": FAIL,
        # passes with the steps of a larger profile, which get there
        "small-epsilon": (UNKNOWN, PASS),
        "limiting-sharpness": NOT_APPLICABLE,
    },
    start=SLANTED,
    scale_invariant=True,
    applies={"lyu22/lemma-3.1": FAILS, "damian23/lemma-7": FAILS},
)
# At 0 it has no value, and nothing says that 0 should be left out.
enter(
    "not scale-invariant, not declared",
    lambda: lambda w: rayleigh(w) + 1e-3 * (w**2).sum(),
    {
        **NOT_QUITE,
        "scale-invariant": NOT_APPLICABLE,
        "limiting-sharpness": NOT_APPLICABLE,
    },
    start=SLANTED,
    domain=lambda w: float(torch.linalg.vector_norm(w)) >= 0.2,
)
# sqrt(|w|^2 + 1e-5) in place of |w|: at |w| = 1 the loss changes in the fifth digit.
enter(
    "a normalisation with an epsilon",
    lambda: lambda w: torch.dot(SPECTRUM * w, w) / (torch.dot(w, w) + 1e-5),
    {
        "declared-hessian": NOT_APPLICABLE,
        "scale-invariant": FAIL,
        "minimizer-manifold": UNKNOWN,
    },
    start=SLANTED,
    scale_invariant=True,
    exclude="prediction",
)
# One weight that no normalisation follows; the other three must not vanish together.
enter(
    "a bias outside of the normalisation",
    lambda: lambda w: rayleigh(w[:3]) + (w[3] - 1) ** 2,
    # The minimizers are the rays w_3 = 1, +-e_0, of curvature 2 along w_3: nothing drives a motion
    # along them.  Where the run comes to rest alpha is rounding.
    {
        **FUNCTION,
        "scale-invariant": FAIL,
        "progressive-sharpening": UNKNOWN,
        "sharpness-reduction-flow": NOT_APPLICABLE,
    },
    start=vector(1.0, 0.5, -0.75, 0.5),
    scale_invariant=True,
    domain=lambda w: float(torch.linalg.vector_norm(w[:3])) >= 0.2,
)

TURN = Draw(1, "cpu").orthogonal(3)


def figure_4(w: Tensor) -> Tensor:
    """lyu22 F: 2 - (x + y)/sqrt(x^2 - xy + y^2), turned; minimizers x = y > 0, where the Hessian is
    3/(x^2 + y^2) [[1, -1, 0], [-1, 1, 0], [0, 0, 0]]; flattest at z = 0."""
    x, y, _ = TURN @ w
    return 2 - (x + y) / torch.sqrt(x**2 - x * y + y**2)


def off_the_axis(w: Tensor) -> bool:
    """On the axis x = y = 0 the loss has no value."""
    x, y, _ = (TURN @ w).tolist()
    return math.hypot(x, y) >= 0.2


enter(
    "lyu22, the 3-D example of figure 4",
    lambda: figure_4,
    SPHERE,
    start=TURN.T @ vector(0.3, 1.3, 1.2),
    learning_rate=0.5,
    weight_decay=0.08,
    scale_invariant=True,
    domain=off_the_axis,
)


def batch_norm_regression() -> Callable[[Tensor], Tensor]:
    """lyu22, section 5: |BN(X w) - y|^2 / n with more dimensions than data, targets that can be
    fitted: the minimizers are X w = c y + b 1, c > 0, a manifold of dimension d - n + 1 on the
    sphere, where the Hessian has rank n - 2."""
    made = regression_data(3, dim=5, count=4, device="cpu")
    y = made.y - made.y.mean()
    y = y / y.square().mean().sqrt()
    # The mean over the examples is taken off the inputs, once.
    x, n = made.x - made.x.mean(0), len(y)

    def loss(w: Tensor) -> Tensor:
        z = x @ w
        r = z / (torch.linalg.vector_norm(z) / n**0.5) - y
        return torch.dot(r, r) / n

    return loss


enter(
    "lyu22, linear regression with batch normalisation",
    batch_norm_regression,
    # In 1152 steps the run is not at rest.
    {**SPHERE, "limiting-sharpness": (UNKNOWN, NOT_APPLICABLE)},
    applies={"lyu22/lemma-3.1": APPLIES},
    start=strategies.direction(5, 0),
    scale_invariant=True,
)
enter(
    "a weight-normalised model",
    lambda: scale_invariant("weight-normalised tanh", 4, 2, "cpu"),
    # An isolated minimizer; at the edge alpha changes its sign.
    {**ISOLATED, "progressive-sharpening": UNKNOWN},
    start=strategies.direction(4, 1),
    scale_invariant=True,
)
BENT, GROWS = vector(0.3, -0.2, 0), vector(0.3, 0.2, 0)


def bent_circle(w: Tensor) -> Tensor:
    """(z - 0.3 x^2 + 0.2 y^2)^2 (1 + 0.3 x + 0.2 y)/2 of w/|w| = (x, y, z): a closed curve of
    minimizers on the sphere, of rank 1, along which the sharpness varies."""
    v = w / torch.linalg.vector_norm(w)
    r = v[2] - torch.dot(BENT * v, v)
    return (1 + torch.dot(GROWS, v)) * r * r / 2


enter(
    "a manifold on the sphere",
    lambda: bent_circle,
    # In 1944 steps the run is not at rest.
    {**SPHERE, "limiting-sharpness": (UNKNOWN, NOT_APPLICABLE)},
    start=vector(1.0, 0.5, 0.75),
    scale_invariant=True,
)
