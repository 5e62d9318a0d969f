"""Losses whose derivatives by autograd are wrong, or are not there."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .entries import FAIL, NOT_APPLICABLE, PASS, PLAIN, enter, vector
from .valley import AT_THE_EDGE, broken, valley


def slope(w: Tensor) -> Tensor:
    """grad valley."""
    x, y, z = w[0], w[1], w[2]
    return torch.stack([(40 + y) * x, x**2 / 2 + y - 1, 3 * z])


class _Wrong(torch.autograd.Function):
    """Coordinate 1 of the gradient is off by 1e-6 of its size."""

    @staticmethod
    def forward(ctx: Any, w: Tensor) -> Tensor:
        ctx.save_for_backward(w)
        return valley(w)

    @staticmethod
    def backward(ctx: Any, out: Tensor) -> Tensor:  # type: ignore[override]
        (w,) = ctx.saved_tensors
        return out * slope(w) * vector(1, 1 + 1e-6, 1)


class _WrongTwice(torch.autograd.Function):
    """A right backward whose own graph misses x^2/2 in the second coordinate."""

    @staticmethod
    def forward(ctx: Any, w: Tensor) -> Tensor:
        ctx.save_for_backward(w)
        return valley(w)

    @staticmethod
    def backward(ctx: Any, out: Tensor) -> Tensor:  # type: ignore[override]
        (w,) = ctx.saved_tensors
        x, y, z = w[0], w[1], w[2]
        return out * torch.stack([(40 + y) * x, x.detach() ** 2 / 2 + y - 1, 3 * z])


class _Once(torch.autograd.Function):
    """A right backward that cannot be differentiated."""

    @staticmethod
    def forward(ctx: Any, w: Tensor) -> Tensor:
        ctx.save_for_backward(w)
        return valley(w)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, out: Tensor) -> Tensor:  # type: ignore[override]
        (w,) = ctx.saved_tensors
        return out * slope(w)


class _WrongThrice(torch.autograd.Function):
    """x^2 whose value is right, and whose third derivative is 2 instead of 0."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx: Any, out: Tensor) -> Tensor:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        return out * _Twice.apply(x)


class _Twice(torch.autograd.Function):
    """2 x with the slope 2 + 2 (x - x.detach()): right, but not its own slope."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return 2 * x

    @staticmethod
    def backward(ctx: Any, out: Tensor) -> Tensor:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        return out * (2 + 2 * (x - x.detach()))


def partly_detached(w: Tensor) -> Tensor:
    """The sharpness is taken for a constant: the slope in y lacks x^2/2."""
    x, y, z = w[0], w[1], w[2]
    return (40 + y.detach()) * x**2 / 2 + (y - 1) ** 2 / 2 + 3 * z**2 / 2


def hessian(w: Tensor) -> Tensor:
    x, y = float(w[0]), float(w[1])
    return torch.tensor([[40 + y, x, 0], [x, 1, 0], [0, 0, 3]], dtype=torch.float64)


broken("a graph cut by detach", lambda: lambda w: valley(w.detach()), "differentiable")
broken("partly detached", lambda: partly_detached, "gradient", says={"gradient": "1"})
broken(
    "a wrong gradient in one coordinate", lambda: _Wrong.apply, "gradient", says={"gradient": "1"}
)
# Its Hessian is not symmetric: [[40 + y, x, 0], [0, 1, 0], [0, 0, 3]].
broken("a wrong double backward", lambda: _WrongTwice.apply, "hessian")
broken("a backward for one use", lambda: _Once.apply, "hessian")
broken(
    "a wrong third derivative",
    lambda: lambda w: valley(w) + _WrongThrice.apply(w[2]),
    "third-derivative",
)
# The loss, and with it what is found beside derivatives, is that of "the valley".
enter(
    "the valley with its Hessian declared",
    lambda: valley,
    {"declared-hessian": PASS},
    **AT_THE_EDGE,
    hessian=hessian,
    checks="derivatives",
)
enter(
    "a declared Hessian that is wrong",
    lambda: valley,
    {"declared-hessian": FAIL},
    **AT_THE_EDGE,
    # A sign in one place, which symmetry does not show.
    hessian=lambda w: hessian(w) * torch.tensor([[1, -1, 1], [-1, 1, 1], [1, 1, 1]]),
    checks="derivatives",
)

# torch's fused layer_norm: the third derivative is another one (0.9 of its size off), the first two
# are right.  eps = 0.1 keeps the loss from being scale-invariant or singular.  It does not change
# under w -> w + c: its minimizers come as lines, of rank 3 of 4.
# Without the gains both directions that keep length and mean would have the same curvature at the
# minimizer.
TARGETS, GAINS = vector(0.5, -0.5, 0.3, -0.25), vector(1.0, 2.0, 0.5, 1.5)


def fused(w: Tensor) -> Tensor:
    return ((nn.functional.layer_norm(w, (4,), GAINS, eps=0.1) - TARGETS) ** 2).mean()


enter(
    "a fused layer_norm",
    lambda: fused,
    {**PLAIN, "third-derivative": FAIL},
    start=vector(1.0, -0.5, 0.25, 0.5),
)


def layer_norm(w: Tensor) -> Tensor:
    """The same from elementary operations, whose third derivative is right."""
    centred = w - w.mean()
    return centred / torch.sqrt((centred**2).mean() + 0.1)


# Gradient flow raises the sharpness from 0.7 to 15.3, with alpha > 0 until rounding.
# The sharpness is the same along a line of minimizers.  The Hessian damps grad S: the oscillation
# rests at 0.44 delta and not at delta, from long runs of gradient descent.
enter(
    "a layer_norm of elementary operations",
    lambda: lambda w: ((GAINS * layer_norm(w) - TARGETS) ** 2).mean(),
    {**PLAIN, "limiting-sharpness": NOT_APPLICABLE, "rms-drift": PASS},
    start=vector(1.0, -0.5, 0.25, 0.5),
)
