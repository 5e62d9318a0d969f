"""Sharpness reduction, from a loss to the figure (Lyu, Li and Arora, 2022).

A network with normalization layers computes the same function for w and for c w, so that only the
direction theta = w/|w| matters.  Gradient descent with weight decay then sets its own learning
rate: decay shrinks |w| and so raises the effective learning rate, until 2 over it meets the
spherical sharpness.  There the direction oscillates, and drifts along the minimizers to flatter
ones.  Run it with ``python examples/lyu22.py``; a folder given as an argument takes the figure,
else a temporary one.
"""

from __future__ import annotations

import math
import sys
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from eostheory.experiments import experiment, run
from eostheory.experiments.report import shown
from eostheory.numeric.autodiff import gradient, hessian
from eostheory.training import compare_with_reduction_flow

ETA, DECAY = 0.5, 0.002


def loss(w: Tensor) -> Tensor:
    """The paper's example of appendix F; its minimizers are x = y > 0, for every z."""
    x, y, _ = w
    value: Tensor = 2 - (x + y) / torch.sqrt(x * x - x * y + y * y)
    return value


def minimizer(height: float) -> Tensor:
    """The minimizer of length one with a given z."""
    side = math.sqrt((1 - height**2) / 2)
    return torch.tensor([side, side, height], dtype=torch.float64)


def scale_invariance() -> None:
    """1. L(c w) = L(w): gradient and sharpness depend on |w|, the spherical sharpness does not."""
    w = torch.tensor([0.3, 1.3, 1.2], dtype=torch.float64)
    print("1. At w and 2 w: the same loss, half the gradient, a quarter of the sharpness")
    for factor in (1, 2):
        at = factor * w
        sharpness = float(torch.linalg.eigvalsh(hessian(loss, at))[-1])
        print(
            f"   loss {float(loss(at)):.6f}   |gradient| {float(gradient(loss, at).norm()):.6f}"
            f"   sharpness {sharpness:8.5f}   spherical sharpness {sharpness * float(at @ at):.5f}"
        )
    # the gradient is orthogonal to w: without decay |w| could only grow
    assert abs(float(gradient(loss, w) @ w)) < 1e-12


def scheduler() -> None:
    """2. A step with weight decay is a step of the direction, at a rate set by gradients (GWSI)."""
    w = torch.tensor([0.3, 1.3, 1.2], dtype=torch.float64)
    theta, square = w / w.norm(), float(w @ w)
    kept = 1 - ETA * DECAY
    print("\n2. Gradient descent with weight decay, and projected descent that never sees w")
    print("   step   effective rate   difference: of the rates   of the directions")
    for step in range(6):
        effective = ETA / (kept * square)
        gaps = abs(effective - ETA / (kept * float(w @ w))), float((theta - w / w.norm()).norm())
        print(f"   {step:4} {effective:16.4f} {gaps[0]:26.1e} {gaps[1]:19.1e}")
        assert max(gaps) < 1e-12
        w = kept * w - ETA * gradient(loss, w)
        slope = gradient(loss, theta)
        # lemma E.1: large gradients lower the rate, and without them decay raises it
        square = kept**2 * square + ETA**2 / square * float(slope @ slope)
        theta = theta - effective * slope  # lemma 3.1
        theta = theta / theta.norm()


def drift() -> None:
    """3. At the edge of stability: descent beside the flow that reduces the sharpness."""
    near = minimizer(0.8)
    sharpness = float(torch.linalg.eigvalsh(hessian(loss, near))[-1])
    # as long as makes 2 over the effective rate the sharpness, and slightly beside the minimizer
    length = math.sqrt(ETA * sharpness / (2 * (1 - ETA * DECAY)))
    start = length * near + torch.tensor([0.01, -0.01, 0.0], dtype=torch.float64)
    found = compare_with_reduction_flow(loss, start, ETA, DECAY, 4000, every=400).records
    print("\n3. One step of descent is eta lambda of the flow's time (theorem 4.7)")
    print("   step   2/effective rate   spherical sharpness of the flow   distance from the flow")
    for row in range(len(found.rows)):
        at, rate = found["step"][row], 2 / found["effective learning rate"][row]
        flow, distance = found["flow sharpness"][row], found["distance"][row]
        print(f"   {at:4.0f} {rate:18.3f} {flow:33.3f} {distance:24.4f}")
    # far less than theorem 4.7 allows, (eta lambda)^(1/4) up to a constant
    assert found["distance"].max() < (ETA * DECAY) ** 0.25 / 4
    print("   at z = 0, where the flow ends, the spherical sharpness is least: 6")


def figure(folder: Path) -> None:
    """4. The paper's figure 4; in the shell: ``eostheory run lyu22/fig-4``."""
    outcome = run(experiment("lyu22/fig-4"), folder=folder, resume=True, plots=("png",))
    print("\n4. Figure 4, where decay is large enough to see the oscillation")
    for finding in outcome.findings:
        print(f"   {finding.name}: {shown(finding.measured)}; paper: {finding.paper}")
    print("   figure:", *outcome.plots)


if __name__ == "__main__":
    scale_invariance()
    scheduler()
    drift()
    figure(Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()) / "lyu22-fig-4")
