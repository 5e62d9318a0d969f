"""The lowest crossentropy of batch-normalized outputs, found by minimizing it (appendix R)."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize

from eostheory.agree import Measured, measured
from eostheory.formula import scalar, vector

if TYPE_CHECKING:
    from eostheory.agree import Sample

Array = NDArray[np.float64]

n = scalar("n", "n", positive=True)
C = scalar("C", "C", positive=True)
gamma = scalar("gamma", r"\gamma", positive=True)
beta = scalar("beta", r"\beta_k")
right, wrong = scalar("right", r"\Phi_{y_i}(x_i)"), scalar("wrong", r"\Phi_y(x_i)")
P_right = scalar("P_right", "P_{y_i}(x_i)", positive=True)
P_wrong = scalar("P_wrong", "P_y(x_i)", positive=True)
epsilon = scalar("epsilon", r"\epsilon", positive=True)
L_min = scalar("L_min", r"\mathcal{L}_{\min}")
one = vector("one", "n", "1")
y, outputs, scores = (vector(k, "n", tex) for k, tex in (
    ("y", "y_{:,k}"), ("outputs", r"\Phi_k"), ("scores", r"\bar F_k")))  # fmt: skip
mu_y = scalar("mu_y", r"\mu_y^{(k)}")
sigma_y = scalar("sigma_y", r"\sigma_y^{(k)}", positive=True)


class Minimum(NamedTuple):
    """Logits (n, C) at the lowest loss that was found, their labels, and that loss."""

    logits: Array
    labels: Array
    loss: float
    residue: float


@lru_cache(maxsize=256)
def lowest(classes: int, each: int, size: float, seed: int) -> Minimum:
    """Minimize the crossentropy over everything before the final batch normalization."""
    labels = torch.arange(classes).repeat_interleave(each)
    rng = np.random.default_rng([classes, each, seed])

    def logits(flat: torch.Tensor) -> torch.Tensor:
        before = flat.reshape(-1, classes)
        centred = before - before.mean(0)
        return size * centred / torch.sqrt((centred**2).mean(0))

    def value(flat: Array) -> tuple[float, Array]:
        point = torch.tensor(flat, requires_grad=True)
        loss = torch.nn.functional.cross_entropy(logits(point), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        assert point.grad is not None
        return float(loss.detach()), np.asarray(point.grad.numpy())

    best = None
    for _ in range(3):
        start = rng.normal(size=classes * each * classes)
        found = minimize(
            value, start, jac=True, method="L-BFGS-B",
            options={"maxiter": 3000, "ftol": 1e-16, "gtol": 1e-11},
        )  # fmt: skip
        if best is None or found.fun < best.fun:
            best = found
    assert best is not None
    at = torch.tensor(best.x)
    return Minimum(
        logits(at).numpy(), labels.numpy(), float(best.fun), float(np.abs(best.jac).max())
    )


def observe_minimum(sample: Sample, ten: bool = False) -> None:
    """Observe the outputs where the crossentropy is lowest."""
    classes = 10 if ten else sample.draw(st.integers(2, 5), "C")
    each = 1 if ten else sample.draw(st.integers(2, 3), "per class")
    size = 0.3 * math.log(91) if ten else sample.draw(st.sampled_from([0.5, 1.0, 1.5]), "gamma")
    found = lowest(classes, each, size, sample.draw(st.integers(0, 50), "seed"))
    # The loss is quadratic at its minimum: a gradient of 1e-8 leaves logits wrong by 1e-6.
    if found.residue > 1e-7:
        sample.reject("the minimization has not converged")
    slack = 1e-5
    i = sample.draw(st.integers(0, classes * each - 1), "i")
    label = int(found.labels[i])
    other = (label + 1) % classes
    odds = np.exp(found.logits[i] - found.logits[i].max())
    odds /= odds.sum()
    sample.observe(
        {
            C: classes,
            gamma: measured(size, 4),
            right: Measured(float(found.logits[i, label]), slack),
            wrong: Measured(float(found.logits[i, other]), slack),
            P_right: Measured(float(odds[label]), slack),
            P_wrong: Measured(float(odds[other]), slack * float(odds[other])),
            epsilon: Measured(float(classes * odds[other]), slack * classes * float(odds[other])),
            L_min: Measured(found.loss, 1e-9),
        }
    )


def observe_match(sample: Sample) -> None:
    """Observe targets and a batch-normalized output that fits them."""
    size = sample.draw(st.integers(2, 30), "n")
    rng = np.random.default_rng(sample.draw(st.integers(0, 10**6), "seed"))
    targets = rng.normal(size=size) * 2 + 1
    centre, spread = float(targets.mean()), float(targets.std())
    bars = (targets - centre) / spread
    top = float(np.abs(targets).max()) + 1
    found = np.linalg.lstsq(np.stack([bars, np.ones(size)], 1), targets, rcond=None)[0]
    sample.observe(
        {
            n: size,
            one: np.ones(size),
            y: targets,
            outputs: measured(targets, 20, top),
            scores: measured(bars, 8 * size, top / spread),
            gamma: measured(found[0], 400 * size, top),
            beta: measured(found[1], 400 * size, top),
            mu_y: measured(centre, 8 * size, top),
            sigma_y: measured(spread, 20 * size, top),
        }
    )
