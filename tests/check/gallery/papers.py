"""Examples of the papers, and losses of other shapes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from eostheory import strategies
from eostheory.numeric.losses import Draw
from eostheory.numeric.toys import self_stabilising

from .entries import (
    APPLIES,
    MODULE,
    NETWORK,
    NOT_APPLICABLE,
    PASS,
    PLAIN,
    SPHERICAL,
    UNBOUNDED,
    UNKNOWN,
    enter,
    vector,
)
from .valley import AT_THE_EDGE


def toy(w: Tensor) -> Tensor:
    """damian23 B with eta = 0.05, alpha = beta = 1; it has no minimum (y and z are linear)."""
    return (40 + w[1]) * w[0] ** 2 / 2 - w[1] - w[2]


enter(
    "damian23, the toy model of appendix B",
    lambda: toy,
    # Neither F nor the Hessian damps the oscillation: the determinant of its map at the fixed point
    # is 1 + (eta delta)^2 > 1, so that amplitudes grow slowly and there is no limit.
    {**PLAIN, **UNBOUNDED, "limiting-sharpness": NOT_APPLICABLE},
    # All assumptions hold exactly: lambda_2 = 0, rho_4 = 0, alpha/(|grad L| |grad S|) = 1/sqrt(2).
    applies={"damian23/thm-1": APPLIES, "damian23/lemma-4": APPLIES},
    **{**AT_THE_EDGE, "start": vector(0.1, -1.0, 0.0)},
)


GENERIC = self_stabilising(4, 3, 0.05, device="cpu")


# Section 4 of damian23 at the origin, all other third and fourth derivatives random; along u the
# fourth derivative of this seed is -0.24 (of seed 1 it is +0.09), so that F'' - F'/x = -0.08 x^2.
# Random third derivatives off u are what assumption 5 excludes: the prediction may lose its order.
# Unbounded below, as the fourth derivative is indefinite.  Neither F nor the Hessian damps the
# oscillation.
enter(
    "damian23, a generic quartic at the edge",
    lambda: GENERIC.function,
    {
        **PLAIN,
        **UNBOUNDED,
        "predicted-dynamics": (PASS, NOT_APPLICABLE),
        "limiting-sharpness": NOT_APPLICABLE,
    },
    # Half a unit of sharpness below the edge: |grad S| = 1, and alpha = 1 raises it.
    start=0.1 * GENERIC.data["u"] - 0.5 * GENERIC.data["gradS"],
    learning_rate=0.05,
)

# A^T W has to be the row that fits both examples: 2 equations in 6 unknowns, of rank 2 wherever
# they hold.
XOR = [[1.0, 0.5], [-0.5, 1.0]]
enter(
    "li22, a two-layer linear network",
    lambda: strategies.two_layer_linear_loss(XOR, [1.0, -1.0], 2),
    # The Hessian at the edge has an eigenvalue of -0.2, a tenth of the sharpness, which assumption
    # 5 excludes; gradient descent that is held there runs away after some 50 steps.
    {
        **PLAIN,
        **dict.fromkeys(("predicted-dynamics", "limiting-sharpness"), NOT_APPLICABLE),
        **dict.fromkeys(SPHERICAL, PASS),
    },
)


class TwoLayerLinear(nn.Module):
    """li22, section 4, as a module: f(x) = A^T W x / sqrt(m)."""

    def __init__(self, features: int, width: int, seed: int) -> None:
        super().__init__()
        draw = Draw(seed, "cpu")
        self.hidden = nn.Linear(features, width, bias=False)
        self.output = nn.Linear(width, 1, bias=False)
        with torch.no_grad():
            self.hidden.weight.copy_(draw.normal(width, features))
            self.output.weight.copy_(draw.normal(1, width))
        self.scale = width**-0.5

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.hidden(x)).squeeze(-1) * self.scale


enter(
    "li22, the network as a module",
    lambda: TwoLayerLinear(2, 4, 0),
    # Its sharpness hardly rises (3.1 to 3.3), and alpha changes its sign at the edge.
    {
        **MODULE,
        "progressive-sharpening": UNKNOWN,
        **dict.fromkeys((*SPHERICAL, *NETWORK), PASS),
    },
    data=(torch.tensor(XOR), torch.tensor([1.0, -1.0])),
    criterion=nn.MSELoss(),
)


# ------------------------------------------------------------------------------------- other shapes
def log_sum_exp(w: Tensor) -> Tensor:
    """Convex, with linear growth and one minimizer, 0, where the Hessian is (11/8 ...)."""
    x, y = w[0], w[1]
    return torch.logsumexp(torch.stack([x, -x, 2 * y + x / 2, -2 * y - x / 2]), 0)


# Gradient flow raises the sharpness from 1.0 to 2.2.  delta is 1: the loss along u is no parabola
# there, and the Hessian (its second eigenvalue is 0.46) damps grad S, so that the oscillation rests
# at 0.19 delta in long runs.
enter(
    "log-sum-exp",
    lambda: log_sum_exp,
    {
        **PLAIN,
        **dict.fromkeys(("predicted-dynamics", "limiting-sharpness"), NOT_APPLICABLE),
    },
    start=vector(1.0, 0.75),
)


ROWS = Draw(4, "cpu").normal(70, 70) / 70**0.5


def many(w: Tensor) -> Tensor:
    """sum log cosh <a_j, w> + |w|^2/200, strongly convex: one minimizer, 0."""
    return torch.log(torch.cosh(ROWS @ w)).sum() + torch.dot(w, w) / 200


# Beyond 64 fewer inputs are tried, and eigenpairs are those of iterations.
# Held at the edge, the projection of the constrained trajectory does not converge.
enter(
    "seventy parameters",
    lambda: many,
    {
        **PLAIN,
        "predicted-dynamics": (UNKNOWN, NOT_APPLICABLE),
        "limiting-sharpness": NOT_APPLICABLE,
    },
    size=70,
)
