"""What the trajectory peers run: three models of the papers, their starts and step sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from eostheory.numeric.batchnorm import normalised_regression, regression_data
from eostheory.numeric.losses import Draw

Batched = Callable[[Tensor, Tensor], Tensor]
"""Loss of each trajectory, (B,), at states (n, B) and parameters (p, B)."""


@dataclass(frozen=True)
class Task:
    """Gradient descent on one loss for a batch of trajectories.

    Args:
        name: scale-invariant, toy or batch-norm.
        start: (n, B) float64.
        parameters: (p, B) float64; the step size is the first row.
        names: of the parameters.
        loss: see :data:`Batched`.
        decay: which parameter is the weight decay, or None.
        recorded: how many of the state's first rows are recorded.
        steps: of a timed run of the fast peers, a multiple of ``every``.
        slow: steps of a timed run of the torch loop.
        every: steps from record to record.
        data: tensors of the loss, by name.
    """

    name: str
    start: Tensor
    parameters: Tensor
    names: tuple[str, ...]
    loss: Batched = field(repr=False)
    decay: int | None
    recorded: int
    steps: int
    slow: int
    every: int
    data: dict[str, Tensor] = field(default_factory=dict, repr=False)

    @property
    def batch(self) -> int:
        """How many trajectories there are."""
        return int(self.start.shape[1])

    def records(self, steps: int | None = None) -> Tensor:
        """A buffer for what a run of that many steps records, in memory already."""
        count = (self.steps if steps is None else steps) // self.every
        return torch.zeros(count, self.recorded, self.batch, dtype=torch.float64)


def scale_invariant(batch: int, scale: float = 1.0) -> Task:
    """The three-dimensional scale-invariant loss of lyu22 F, with weight decay.

    Starts around the one of the figure, (0.3, 1.3, 1.2); step sizes and decays around its 0.5 and
    0.08, where no trajectory of the batch comes to rest on ``x == y`` exactly.

    Args:
        batch: number of trajectories.
        scale: factor for the numbers of steps.
    """
    draw = Draw(1)
    start = torch.tensor([[0.3], [1.3], [1.2]], dtype=torch.float64)
    if batch == 1:
        # z shrinks by 1 - eta lambda a step: with the figure's decay it is denormal too soon for a
        # long run.  This one oscillates about the minimizers all the time.
        parameters, steps = torch.tensor([[0.5], [0.003]], dtype=torch.float64), 150_000
    else:
        start = start * (1 + 0.1 * draw.uniform(-1.0, 1.0, 3, batch))
        parameters = torch.stack([draw.uniform(0.4, 0.5, batch), draw.uniform(0.06, 0.08, batch)])
        steps = 10_000

    def loss(w: Tensor, _: Tensor) -> Tensor:
        x, y, _z = w
        value: Tensor = 2 - (x + y) / torch.sqrt(x * x - x * y + y * y)
        return value

    return Task(
        "scale-invariant", start, parameters, ("eta", "lam"), loss, 1, 3,
        _hundreds(steps * scale), _hundreds(2_000 * scale), 100,
    )  # fmt: skip


def toy(batch: int, scale: float = 1.0, every: int = 100) -> Task:
    """The self-stabilisation toy of damian23 B, started below the edge."""
    draw = Draw(2)
    start = torch.stack(
        [draw.uniform(0.05, 0.3, batch), draw.uniform(-0.2, 0.0, batch), torch.zeros(batch)]
    ).double()
    parameters = torch.stack(
        [
            draw.uniform(5e-4, 1.5e-3, batch),
            draw.uniform(0.5, 2.0, batch),
            draw.uniform(0.5, 2.0, batch),
        ]
    )

    def loss(w: Tensor, p: Tensor) -> Tensor:
        (x, y, z), (eta, alpha, beta) = w, p
        root = torch.sqrt(beta)
        value: Tensor = (2 / eta + root * y) * x * x / 2 - alpha / root * y - z
        return value

    steps = 3_000_000 if batch == 1 else 60_000_000 // batch
    return Task(
        "toy", start, parameters, ("eta", "alpha", "beta"), loss, None, 2,
        _hundreds(steps * scale), _hundreds(2_000 * scale), every,
    )  # fmt: skip


def batch_norm(batch: int, scale: float = 1.0, dim: int = 40, count: int = 20) -> Task:
    """Linear regression with batch norm (lyu22, section 5 and Q.2), with weight decay.

    One data set; starts, and step sizes around the 0.5 of the figure, differ.  The state is w of
    the full model, (dim, B).
    """
    data = regression_data(3, dim, count, device="cpu")
    draw = Draw(4)
    start = draw.normal(dim, batch) / dim**0.5
    parameters = torch.stack([draw.uniform(0.3, 0.5, batch), torch.full((batch,), 2e-4)]).double()
    single = normalised_regression(data)
    targets = data.y - data.y.mean()

    def loss(w: Tensor, _: Tensor) -> Tensor:
        z = data.x @ w
        centred = z - z.mean(dim=0)
        deviation = torch.sqrt((centred * centred).mean(dim=0))
        size = torch.sqrt((targets * targets).mean())
        residual = size * centred / deviation - targets[:, None]
        return (residual * residual).mean(dim=0)

    steps = 50_000 if batch == 1 else 1_000_000 // batch
    if not torch.allclose(loss(start[:, :1], parameters)[0], single(start[:, 0]), rtol=1e-12):
        raise AssertionError("the batched loss is not the model of the numeric layer")
    return Task(
        "batch-norm", start, parameters, ("eta", "lam"), loss, 1, dim,
        _hundreds(steps * scale), _hundreds(500 * scale), 100,
        {"x": data.x, "y": data.y},
    )  # fmt: skip


def _hundreds(steps: float) -> int:
    return max(1, round(steps / 100)) * 100


def tasks(batches: tuple[int, int] = (1, 1024)) -> dict[str, Callable[[float], Task]]:
    """Every task by name, as ``toy/1024``; each takes the factor for its steps."""
    kinds = {"scale-invariant": scale_invariant, "toy": toy, "batch-norm": batch_norm}
    return {
        f"{name}/{batch}": partial(make, batch) for name, make in kinds.items() for batch in batches
    }
