r"""Networks and residuals of section 3 as programs.

A network f(x) = A^T tanh(W x) with gradients and Jacobians by autograd, and the linear iteration of
the residual with a drawn spectrum and a drawn frame of eigenvectors, whose errors are declared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from hypothesis import strategies as st

from eostheory.agree import Measured
from eostheory.numeric.rounding import RunningError

from . import _phase as o
from ._linear_runs import known, seed_of

if TYPE_CHECKING:
    from torch import Tensor

    from eostheory.agree import Sample
    from eostheory.formula import Symbol

Table = dict["Symbol", Any]


def features(w: Tensor, inputs: Tensor) -> Tensor:
    """tanh(W x) for every input, one row each."""
    return torch.tanh(inputs @ w.T)


def network(sample: Sample) -> None:
    """Every letter of section 3.2 on a drawn network with one hidden layer."""
    from . import output_norm as p

    count, width = sample.draw(st.integers(1, 4), "n"), sample.draw(st.integers(1, 4), "m")
    inputs = sample.draw(st.integers(1, 3), "d")
    draw = seed_of(sample)
    with RunningError() as run:
        x, labels = draw.normal(count, inputs), torch.sign(draw.normal(count))
        a = draw.normal(width).requires_grad_(True)
        w = draw.normal(width, inputs).requires_grad_(True)
        outputs = features(w, x) @ a
        loss = ((outputs - labels) * (outputs - labels)).sum() / count
        rows = [torch.autograd.grad(f, (a, w), retain_graph=True) for f in outputs]
        by_a = torch.stack([r[0] for r in rows])
        by_w = torch.stack([r[1].reshape(-1) for r in rows])
        whole = torch.cat([by_a, by_w], 1)
        slope = torch.autograd.grad(loss, (a, w))
        speed = torch.autograd.grad((a * a).sum(), a)[0]
        first, last = features_jacobian(w, x[0]), features_jacobian(w, x[-1])
        hidden = by_w @ by_w.T
        found = {
            o.M: 2 * (whole @ whole.T) / count,
            p.J: whole,
            p.J_side: whole.T,
            p.J_A: by_a,
            p.J_W: by_w,
            p.M_A: by_a @ by_a.T,
            p.M_W: hidden,
            p.H_i: first,
            p.H_j: last,
            p.slope_i: by_w[0],
            p.slope_j: by_w[-1],
            p.entry: hidden[0, -1],
            o.F: outputs,
            o.D: outputs - labels,
            p.grad_A: slope[0],
            p.rate: -torch.dot(speed, slope[0]),
        }
        table = {s: known(run, value) for s, value in found.items()}
        sample.observe({**table, o.A: a.detach(), o.Y: labels, o.n: count})


def features_jacobian(w: Tensor, at: Tensor) -> Tensor:
    """The derivative of the features at one input with respect to all of W."""
    values = torch.tanh(w @ at)
    rows = [torch.autograd.grad(h, w, retain_graph=True)[0].reshape(-1) for h in values]
    return torch.stack(rows)


def output_step(sample: Sample, sign: float, sizes: st.SearchStrategy[int]) -> None:
    """Outputs of a drawn network on one side of the labels, and the first-order step of |A|^2.

    The outputs have size 2^size; with ``sign`` -1 they point away from the labels.
    """
    count, width = sample.draw(st.integers(1, 5), "n"), sample.draw(st.integers(1, 4), "m")
    draw = seed_of(sample)
    size = 2.0 ** sample.draw(sizes, "log2 of the outputs")
    # a step that changes |A|^2 by a small part of it
    rate = min(1.0, size) * float(draw.uniform(0.01, 0.1, 1))
    with RunningError() as run:
        labels = torch.sign(draw.normal(count))
        x = draw.normal(count, 2)
        w = draw.normal(width, 2)
        a = draw.normal(width)
        if float(features(w, x) @ a @ labels) * sign < 0:
            a = -a
        a = (size * a).requires_grad_(True)
        outputs = features(w, x) @ a
        error = outputs - labels
        slope = torch.autograd.grad((error * error).sum() / count, a)[0]
        start = a.detach()
        square = torch.dot(start, start)
        after = square - 2 * rate * torch.dot(slope, start)
        if float(after) <= 0:
            sample.reject("the first-order update of |A|^2 is negative")
        moved = torch.sqrt(after / square) * start
        found = {o.F: outputs, o.D: error, o.A_next: moved, o.A: start}
        sample.observe(
            {**{s: known(run, value) for s, value in found.items()}, o.Y: labels}
            | {o.n: count, o.eta: rate}
        )


def one_layer_step(sample: Sample) -> None:
    """Outputs so small on the side of the labels that D^T F < 0."""
    output_step(sample, 1.0 if sample.holds("negative") else -1.0, st.integers(-9, -5))


def long_residual(sample: Sample) -> None:
    """Outputs that point away from the labels, so that |D| > |Y|."""
    output_step(sample, -1.0 if sample.holds("long") else 1.0, st.integers(-12, 14))


__all__ = ["Measured", "long_residual", "network", "one_layer_step", "output_step"]
