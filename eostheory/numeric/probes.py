"""A look at a loss before it is trusted: are its derivatives those of its values?"""

from __future__ import annotations

import torch
from torch import Tensor

from eostheory.numeric.autodiff import LossFunction, gradient, hessian_vector

SHARE = 1e-3
"""Part of a derivative by which it may miss its difference quotient."""


def check_derivatives(loss: LossFunction, w: Tensor) -> None:
    """Compare gradient and Hessian, along the gradient, with central differences.

    Catches what autograd cannot know: operations under ``no_grad`` that depend on the parameters
    (the power iteration of ``spectral_norm`` in training mode), custom and fused backwards that
    are wrong or end after one derivative.  Five gradients and two values, on smooth losses.

    Raises:
        ValueError: they differ, or there is no second derivative.
    """
    slope = gradient(loss, w)
    length = torch.linalg.vector_norm(slope)
    if not bool(length > 0):
        return
    along = slope / length
    eps = torch.finfo(w.dtype).eps
    try:
        curvature = hessian_vector(loss, w, along)
    except RuntimeError as error:
        raise ValueError(
            f"the loss has no second derivative through autograd ({error}): write it from "
            "operations that can be differentiated twice"
        ) from error
    widest = eps ** (1 / 3) * max(1.0, float(torch.linalg.vector_norm(w)))
    complaint = ""
    for h in (widest, widest / 16, widest / 256):
        ahead, back = w + h * along, w - h * along
        with torch.no_grad():
            up, down = float(loss(ahead)), float(loss(back))
        noise = 1000 * eps * (abs(up) + abs(down)) / h
        complaint = _compare("gradient", (up - down) / (2 * h) - length, length, noise)
        # Differences of float32 gradients say too little about a Hessian.
        if not complaint and w.dtype == torch.float64:
            turn = (gradient(loss, ahead) - gradient(loss, back)) / (2 * h)
            noise = 1000 * eps * float(length) * len(w) ** 0.5 / h
            complaint = _compare("Hessian", turn - curvature, curvature, noise)
        # A kink that one stencil steps over is not within a narrower one.
        if not complaint:
            return
    raise ValueError(complaint)


def _compare(what: str, missed: Tensor, found: Tensor, noise: float) -> str:
    size, error = (float(torch.linalg.vector_norm(x)) for x in (found, missed))
    share = SHARE if found.dtype == torch.float64 else 10 * SHARE
    if error <= share * size + noise:
        return ""
    return (
        f"the {what} misses the differences of the loss by {error / max(size, 1e-300):.2g} of "
        "its size: something in the loss is hidden from autograd (no_grad or detach on what "
        "depends on the parameters, a wrong custom backward, spectral_norm in training mode: "
        "call module.eval()), or the loss has a kink here"
    )
