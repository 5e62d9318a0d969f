"""Scale-invariant losses, ``L(c w) = L(w)`` for c > 0, of six unlike families.

Each family is a function of a dimension and a seed; everything random about a loss is drawn
from that seed.  All are smooth away from the origin (float64, elementary operations only).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from eostheory.numeric.device import default_device


@dataclass(frozen=True)
class Loss:
    """A loss on R^dim with the data it is made of.

    Args:
        name: what the family is called.
        dim: number of parameters D.
        function: flat tensor of size D -> scalar tensor.
        seed: the seed of its data.
        data: the tensors it is made of, by name.
    """

    name: str
    dim: int
    function: Callable[[Tensor], Tensor] = field(repr=False, compare=False)
    seed: int = 0
    data: dict[str, Tensor] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, w: Tensor) -> Tensor:
        return self.function(w)

    @property
    def device(self) -> torch.device:
        """Where the data live."""
        return next((t.device for t in self.data.values()), torch.device("cpu"))

    def point(self, seed: int, size: float = 1.0) -> Tensor:
        """A random direction of length ``size`` in parameter space."""
        draw = Draw(seed, self.device)
        direction = draw.normal(self.dim)
        unit: Tensor = direction / torch.sqrt(torch.dot(direction, direction))
        return size * unit


class Draw:
    """Random tensors from one seed: the same numbers on every device."""

    def __init__(self, seed: int, device: torch.device | str | None = None, size: int = 0) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._device = default_device(device, size)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal entries."""
        drawn = torch.randn(*shape, generator=self._generator, dtype=torch.float64)
        return drawn.to(self._device)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Uniform entries between ``low`` and ``high``."""
        drawn = torch.rand(*shape, generator=self._generator, dtype=torch.float64)
        return (low + (high - low) * drawn).to(self._device)

    def orthogonal(self, size: int) -> Tensor:
        """A random orthogonal matrix."""
        q, r = torch.linalg.qr(self.normal(size, size))
        turned: Tensor = q * torch.sign(torch.diagonal(r))
        return turned


Family = Callable[..., Loss]


def _unit(w: Tensor) -> Tensor:
    return w / torch.sqrt(torch.dot(w, w))


def quadratic_ratio(dim: int, seed: int, device: str | None = None) -> Loss:
    """``<w, A w> / <w, B w>`` with A symmetric and B positive definite."""
    draw = Draw(seed, device, dim)
    half, other = draw.normal(dim, dim), draw.normal(dim, dim)
    top = (half + half.T) / 2
    bottom = torch.eye(dim, dtype=top.dtype, device=top.device) + other @ other.T / dim
    data = {"A": top, "B": bottom}
    return Loss(
        "quadratic ratio",
        dim,
        lambda w: torch.dot(w, top @ w) / torch.dot(w, bottom @ w),
        seed,
        data,
    )


def weight_normalised_tanh(dim: int, seed: int, device: str | None = None) -> Loss:
    """Squared error of ``tanh(X w / |w|)`` against random targets."""
    draw = Draw(seed, device, dim)
    x = draw.normal(dim + 3, dim)
    y = draw.uniform(-1.0, 1.0, dim + 3)

    def function(w: Tensor) -> Tensor:
        residual = torch.tanh(x @ _unit(w)) - y
        return torch.dot(residual, residual) / len(y)

    return Loss("weight-normalised tanh", dim, function, seed, {"X": x, "y": y})


def batch_normalised_regression(dim: int, seed: int, device: str | None = None) -> Loss:
    """Squared error of a batch-normalised linear model (mean and variance over the data)."""
    draw = Draw(seed, device, dim)
    x = draw.normal(dim + 3, dim)
    y = draw.normal(dim + 3)

    def function(w: Tensor) -> Tensor:
        z = x @ w
        centred = z - z.mean()
        spread = torch.sqrt(torch.dot(centred, centred) / len(y))
        residual = centred / spread - y
        return torch.dot(residual, residual) / len(y)

    return Loss("batch-normalised regression", dim, function, seed, {"X": x, "y": y})


def homogeneous_network(dim: int, seed: int, device: str | None = None) -> Loss:
    """A two-layer network ``sum_j a_j (V_j . x)^2``, degree three, over ``|w|^3``, fitted to data.

    The parameters split into an outer weight and an inner block for each hidden unit.
    """
    draw = Draw(seed, device, dim)
    inputs = max(1, min(3, dim - 1))
    units = dim // (inputs + 1)
    x = draw.normal(inputs + 4, inputs)
    y = draw.normal(inputs + 4)
    rest = dim - units * (inputs + 1)
    tail = draw.normal(rest)

    def function(w: Tensor) -> Tensor:
        outer, inner = w[:units], w[units : units * (inputs + 1)].reshape(units, inputs)
        hidden = (x @ inner.T) ** 2
        size = torch.sqrt(torch.dot(w, w))
        out = (hidden @ outer + torch.dot(tail, w[dim - rest :]) ** 3) / size**3
        residual = out - y
        return torch.dot(residual, residual) / len(y)

    return Loss("homogeneous network", dim, function, seed, {"X": x, "y": y, "tail": tail})


def log_quartic_ratio(dim: int, seed: int, device: str | None = None) -> Loss:
    """``log(sum_i <a_i, w>^4) - log(<w, B w>^2)``: no bounded curvature scale."""
    draw = Draw(seed, device, dim)
    rows = draw.normal(dim + 2, dim)
    other = draw.normal(dim, dim)
    bottom = torch.eye(dim, dtype=rows.dtype, device=rows.device) + other @ other.T / dim

    def function(w: Tensor) -> Tensor:
        quartic = ((rows @ w) ** 4).sum()
        return torch.log(quartic) - 2 * torch.log(torch.dot(w, bottom @ w))

    return Loss("log-quartic ratio", dim, function, seed, {"a": rows, "B": bottom})


def cosine_embedding(dim: int, seed: int, device: str | None = None) -> Loss:
    """Logistic loss of the cosines between w and labelled points."""
    draw = Draw(seed, device, dim)
    x = draw.normal(dim + 3, dim)
    label = torch.sign(draw.normal(dim + 3))
    length = torch.sqrt((x * x).sum(1))

    def function(w: Tensor) -> Tensor:
        cosine = (x @ w) / (length * torch.sqrt(torch.dot(w, w)))
        return torch.log1p(torch.exp(-3 * label * cosine)).mean()

    return Loss("cosine embedding", dim, function, seed, {"X": x, "label": label})


FAMILIES: dict[str, Family] = {
    "quadratic ratio": quadratic_ratio,
    "weight-normalised tanh": weight_normalised_tanh,
    "batch-normalised regression": batch_normalised_regression,
    "homogeneous network": homogeneous_network,
    "log-quartic ratio": log_quartic_ratio,
    "cosine embedding": cosine_embedding,
}


def scale_invariant(
    family: str, dim: int, seed: int, device: str | torch.device | None = None
) -> Loss:
    """The loss of ``family`` (a key of :data:`FAMILIES`) with data drawn from ``seed``.

    Raises:
        KeyError: unknown family.
        ValueError: fewer than two dimensions, where a scale-invariant loss is locally constant.
    """
    if dim < 2:
        raise ValueError(f"dimension {dim}: a scale-invariant loss needs at least 2")
    if family not in FAMILIES:
        raise KeyError(f"unknown family {family!r}; known: {', '.join(FAMILIES)}")
    return FAMILIES[family](dim, seed, device)
