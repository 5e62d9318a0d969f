"""The run behind figure 5: gradient descent with weight decay, many draws of the data at once.

Appendix Q.2 gives the data and the two hyperparameters.  What it leaves unsaid is chosen here, in
the open: the direction of the first weight is uniform on the sphere and its norm is one, there is
no epsilon in the normalization, numbers are float32 (torch's default), the test loss is the
expectation over fresh inputs, and a run has 20,000 steps (two units of the time of the flow).
The training loop is written out in numpy; ``gradient_gap`` compares it with autograd.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

Array = npt.NDArray[np.floating[Any]]

DIM, EXAMPLES = 40, 20
LEARNING_RATE, WEIGHT_DECAY = 0.5, 2e-4
EARLY = 1000
"""The step at which the figure's first numbers are read."""
STRIDE = 50
"""The test loss is recorded every so many steps."""


@dataclass(frozen=True)
class Problem:
    """Data of ``S`` draws: inputs (S, n, d), targets (S, n), true weights (S, d), biases (S,)."""

    inputs: Array
    targets: Array
    weights: Array
    biases: Array
    start: Array
    variances: Array

    @classmethod
    def draw(cls, seeds: Sequence[int]) -> Problem:
        """One draw per seed, as appendix Q.2 describes it."""
        variances = np.arange(1, DIM + 1) / DIM
        rows: list[tuple[Array, ...]] = []
        for seed in seeds:
            rng = np.random.default_rng(seed)
            truth = rng.normal(size=DIM)
            truth /= np.linalg.norm(truth)
            bias = np.sqrt(0.01) * rng.normal()
            inputs = rng.normal(size=(EXAMPLES, DIM)) * np.sqrt(variances)
            start = rng.normal(size=DIM)
            start /= np.linalg.norm(start)
            rows.append((inputs, inputs @ truth + bias, truth, np.asarray(bias), start))
        inputs, targets, weights, biases, start = (np.stack(c) for c in zip(*rows, strict=True))
        return cls(inputs, targets, weights, biases, start, variances)

    def test_loss(self, w: Array) -> Array:
        """Expected squared error of the normalized model on a fresh input, (S,); w is (S, d)."""
        slope, offset = self.linear_model(w)
        error = slope - self.weights
        return (error**2 @ self.variances) + (offset - self.biases) ** 2

    def linear_model(self, w: Array) -> tuple[Array, Array]:
        """Slope (S, d) and offset (S,) of the trained model."""
        scores = np.einsum("snd,sd->sn", self.inputs, w)
        slope = w * (self.targets.std(axis=1) / scores.std(axis=1))[:, None]
        return slope, self.targets.mean(axis=1) - (slope * self.inputs.mean(axis=1)).sum(axis=1)

    def least_norm(self) -> Array:
        """Slope of the least-norm interpolating model of each draw, (S, d), by lstsq."""
        shifted = self.inputs - self.inputs.mean(axis=1, keepdims=True)
        goals = self.targets - self.targets.mean(axis=1, keepdims=True)
        pairs = zip(shifted, goals, strict=True)
        return np.stack([np.linalg.lstsq(x, y, rcond=None)[0] for x, y in pairs])


@dataclass(frozen=True)
class Run:
    """What was recorded: losses and 2/effective LR (T, S); test losses and distances (T/STRIDE, S).

    ``path`` holds the weights (T, d) of one draw.
    """

    loss: Array
    edge: Array
    test: Array
    distance: Array
    path: Array

    def edge_start(self) -> Array:
        """First step of each draw at which a loss that was below 1e-8 exceeds 1e-6 again."""
        steps = np.arange(len(self.loss))[:, None]
        fitted = np.argmax(self.loss < 1e-8, axis=0)
        again = (self.loss > 1e-6) & (steps > fitted)
        return np.where(again.any(axis=0), np.argmax(again, axis=0), len(self.loss)).astype(float)


def loss_and_gradient(w: Array, x: Array, xt: Array, y: Array) -> tuple[Array, Array]:
    """Training loss (S,) and its gradient (S, d, 1), by hand.

    Shapes: w (S, d, 1), x (S, n, d), xt its transpose, y (S, n, 1); the precision is theirs.
    """
    spread, middle = y.std(axis=1, keepdims=True), y.mean(axis=1, keepdims=True)
    scores = x @ w
    scores = scores - scores.mean(axis=1, keepdims=True)
    width = np.sqrt((scores * scores).mean(axis=1, keepdims=True))
    normal = scores / width
    residual = spread * normal + middle - y
    up = residual * (spread * x.dtype.type(2 / y.shape[1]))
    back = up - up.mean(axis=1, keepdims=True)
    back = (back - normal * (up * normal).mean(axis=1, keepdims=True)) / width
    return (residual * residual).mean(axis=1)[:, 0], xt @ back


def gradient_gap(problem: Problem) -> float:
    """Largest relative difference between the hand-written gradient and autograd's."""
    x, y, w = problem.inputs, problem.targets[:, :, None], problem.start[:, :, None]
    _, by_hand = loss_and_gradient(w, x, np.swapaxes(x, 1, 2), y)
    point = torch.tensor(w, requires_grad=True)
    scores, goals = torch.tensor(x) @ point, torch.tensor(y)
    middle = scores.mean(1, keepdim=True)
    width = ((scores - middle) ** 2).mean(1, keepdim=True).sqrt()
    goal = goals.mean(1, keepdim=True)
    outputs = (scores - middle) / width * ((goals - goal) ** 2).mean(1, keepdim=True).sqrt() + goal
    (found,) = torch.autograd.grad(((outputs - goals) ** 2).mean(1).sum(), point)
    gap = np.abs(found.numpy() - by_hand).max(axis=(1, 2))
    return float((gap / np.abs(by_hand).max(axis=(1, 2))).max())


def train(problem: Problem, steps: int, watched: int, precision: type = np.float32) -> Run:
    """GD with weight decay, all draws side by side; the path of draw ``watched``."""
    x: Array = problem.inputs.astype(precision)
    xt = np.ascontiguousarray(np.swapaxes(x, 1, 2))
    y: Array = problem.targets.astype(precision)[:, :, None]
    w: Array = problem.start.astype(precision)[:, :, None]
    eta = precision(LEARNING_RATE)
    keep = precision(1) - eta * precision(WEIGHT_DECAY)
    draws = len(w)
    loss, edge = np.empty((steps, draws)), np.empty((steps, draws))
    path = np.empty((steps, DIM))
    goal = problem.least_norm()
    test, distance = [], []
    for t in range(steps):
        if t % STRIDE == 0:
            now = w[:, :, 0].astype(np.float64)
            test.append(problem.test_loss(now))
            distance.append(np.linalg.norm(problem.linear_model(now)[0] - goal, axis=1))
        loss[t], gradient = loss_and_gradient(w, x, xt, y)
        edge[t] = 2 * (w * w).sum(axis=1)[:, 0] / LEARNING_RATE
        path[t] = w[watched, :, 0]
        w = keep * w - eta * gradient
    return Run(loss, edge, np.array(test), np.array(distance), path)


@dataclass(frozen=True)
class Frames:
    """At some steps of one draw: the minimizer next to the weight, seen from the manifold.

    ``sharpness`` (F,) top Hessian eigenvalue at the minimizer, ``displacement`` (F,) component
    of direction minus minimizer along the top eigenvector, ``alignment`` (F,) its share.
    """

    sharpness: Array
    displacement: Array
    alignment: Array


def frames(problem: Problem, watched: int, weights: Array) -> Frames:
    """Minimizers by the recipe of appendix Q.3: projected GD on the sphere, LR 0.005, to 1e-8."""
    x = problem.inputs[watched][None]
    xt, y = np.swapaxes(x, 1, 2), problem.targets[watched][None, :, None]
    direction = weights / np.linalg.norm(weights, axis=1, keepdims=True)
    point = direction[:, :, None].copy()
    active = np.arange(len(point))
    for _ in range(100_000):
        loss, gradient = loss_and_gradient(point[active], x, xt, y)
        active, gradient = active[loss > 1e-8], gradient[loss > 1e-8]
        if not active.size:
            break
        moved = point[active] - 0.005 * gradient
        point[active] = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    minimizers = point[:, :, 0]
    sharpness, top = _sharpest(problem, watched, minimizers)
    offset = direction - minimizers
    along = (offset * top).sum(axis=1)
    # where the loss was below 1e-8 from the start there is no displacement to align
    length = np.maximum(np.linalg.norm(offset, axis=1), np.finfo(float).tiny)
    return Frames(sharpness, along, np.abs(along) / length)


def _sharpest(problem: Problem, watched: int, points: Array) -> tuple[Array, Array]:
    """Top eigenvalue (F,) and unit eigenvector (F, d) of the autograd Hessian at ``points``."""
    x = torch.tensor(problem.inputs[watched])
    y = torch.tensor(problem.targets[watched])
    goal, weights = y.mean(), torch.tensor(points, requires_grad=True)
    scores = weights @ x.T
    centred = scores - scores.mean(1, keepdim=True)
    width = (centred**2).mean(1, keepdim=True).sqrt()
    outputs = centred / width * ((y - goal) ** 2).mean().sqrt() + goal
    # the losses of the points are independent, so one sweep per coordinate serves them all
    loss = ((outputs - y) ** 2).mean(1).sum()
    (slope,) = torch.autograd.grad(loss, weights, create_graph=True)
    rows = [
        torch.autograd.grad(slope[:, i].sum(), weights, retain_graph=True)[0] for i in range(DIM)
    ]
    values, vectors = torch.linalg.eigh(torch.stack(rows, dim=1))
    top = vectors[:, :, -1].numpy()
    # an eigenvector is known up to its sign: keep it continuous along the path
    signs = np.where((top @ top[0]) < 0, -1.0, 1.0)
    return values[:, -1].numpy(), top * signs[:, None]
