"""A loss as a function of one flat vector of parameters, and where each parameter lies in it.

An :class:`Objective` is a sum of chunks, each a callable from the flat vector to a scalar, so that
the full batch need not fit into memory: gradients are accumulated chunk by chunk and no graph
outlives its chunk.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from eostheory.numeric.autodiff import LossFunction
from eostheory.numeric.events import BecameNaN, OutOfMemory

PRECISIONS = (torch.float64, torch.float32)


@dataclass(frozen=True)
class Layout:
    """Where each parameter lies in the flat vector.

    Args:
        names: dotted names of the parameters that are trained; tied parameters appear once.
        shapes: their shapes, in the same order.
        output: name of the weight of the output layer, the last layer with a weight of two or more
            dimensions that a forward pass meets; None where there is none.
    """

    names: tuple[str, ...]
    shapes: tuple[torch.Size, ...]
    output: str | None = None

    @property
    def size(self) -> int:
        """Number D of parameters."""
        return sum(math.prod(shape) for shape in self.shapes)

    def slice(self, name: str) -> slice:
        """Where the entries of the parameter ``name`` lie.

        Raises:
            KeyError: no such parameter; the message lists those there are.
        """
        start = 0
        for known, shape in zip(self.names, self.shapes, strict=True):
            if known == name:
                return slice(start, start + math.prod(shape))
            start += math.prod(shape)
        raise KeyError(f"no parameter {name!r}; the parameters are {', '.join(self.names)}")

    def unflatten(self, w: Tensor) -> dict[str, Tensor]:
        """The parameters by name, as views of the flat vector ``w`` of shape (D,)."""
        parts = torch.split(w, [math.prod(shape) for shape in self.shapes])
        return {n: p.view(s) for n, p, s in zip(self.names, parts, self.shapes, strict=True)}

    def flatten(self, parameters: dict[str, Tensor]) -> Tensor:
        """The flat vector (D,) of parameters by name; undoes :meth:`unflatten`."""
        return torch.cat([parameters[name].reshape(-1) for name in self.names])

    def where(self, index: int) -> str:
        """The parameter that entry ``index`` of the flat vector belongs to, to name it."""
        return next(n for n in self.names if self.slice(n).start <= index < self.slice(n).stop)


@dataclass(frozen=True, eq=False)
class Objective:
    """A loss that is a sum of chunks, as a function of a flat vector w of shape (D,).

    It is a :data:`~eostheory.numeric.autodiff.LossFunction`, so that whatever takes one takes it;
    calling it keeps the graphs of all chunks, which :meth:`value_and_gradient` does not.

    Args:
        chunks: callables from w to a scalar whose sum is the loss; iterated once per evaluation,
            in order (a sequence that reads its data while it is iterated is fine).
        size: number D of parameters.
        dtype: float64 or float32.
        device: where w lives.
        layout: names and places of the parameters, for losses made from a module.
        predictors: callables from w to the outputs of the network on each chunk.
        examples: number of examples in each chunk, to say so in messages; may be empty.
    """

    chunks: Sequence[LossFunction]
    size: int
    dtype: torch.dtype = torch.float64
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    layout: Layout | None = None
    predictors: Sequence[Callable[[Tensor], Tensor]] | None = field(default=None, repr=False)
    examples: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.dtype not in PRECISIONS:
            raise TypeError(
                f"dtype is {self.dtype}, which cannot resolve a curvature: use torch.float64 "
                "(or torch.float32)"
            )
        if len(self.chunks) == 0:
            raise ValueError("an objective needs at least one chunk, got none")

    @classmethod
    def of(
        cls,
        loss: LossFunction | Objective,
        size: int,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> Objective:
        """``loss`` as an objective of one chunk; an objective is returned as it is."""
        if isinstance(loss, Objective):
            return loss
        return cls((loss,), size, dtype, torch.device(device))

    def check(self, w: Tensor) -> Tensor:
        """``w`` itself when it has the objective's shape, precision and device.

        Raises:
            ValueError, TypeError: otherwise, naming what it has and what is expected.
        """
        if w.shape != (self.size,):
            raise ValueError(
                f"the parameters have shape {tuple(w.shape)}, expected a flat vector "
                f"({self.size},)" + ("" if self.layout is None else "; see layout.flatten")
            )
        if w.dtype != self.dtype:
            raise TypeError(
                f"the parameters are {w.dtype}, the objective is {self.dtype}: "
                f"convert with .to({self.dtype})"
            )
        if w.device.type != self.device.type:
            raise ValueError(f"the parameters are on {w.device}, the objective on {self.device}")
        return w

    def __call__(self, w: Tensor) -> Tensor:
        """``L(w)``, a scalar that can be differentiated."""
        total: Tensor | None = None
        for part in self.parts(w):
            total = part if total is None else total + part
        assert total is not None
        return total

    def parts(self, w: Tensor) -> Iterator[Tensor]:
        """The summands of ``L(w)``, chunk by chunk.

        Raises:
            ValueError, TypeError: a summand that is not a scalar of the objective's precision.
        """
        self.check(w)
        for number, chunk in enumerate(self.chunks):
            out = chunk(w)
            if out.dim() != 0:
                raise ValueError(
                    f"the loss has shape {tuple(out.shape)}, expected a scalar: reduce it, with "
                    f".mean() or reduction='mean', say{self._chunk(number)}"
                )
            if out.dtype != self.dtype:
                raise TypeError(
                    f"the loss is {out.dtype}, expected {self.dtype}: something in it changes the "
                    f"precision (autocast, or a constant that is no buffer){self._chunk(number)}"
                )
            yield out

    def value_and_gradient(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """``L(w)``, a scalar, and ``grad L(w)`` of shape (D,), accumulated chunk by chunk.

        Raises:
            BecameNaN: one of them is not finite; names the chunk or the parameter.
            OutOfMemory: the device has no memory for a chunk; names the remedy.
        """
        leaf = w.detach().clone().requires_grad_(True)
        total = torch.zeros((), dtype=self.dtype, device=w.device)
        gradient = torch.zeros_like(leaf, requires_grad=False)
        with self.guarded():
            for number, out in enumerate(self.parts(leaf)):
                if not bool(torch.isfinite(out.detach())):
                    raise BecameNaN(0, f"the loss{self._chunk(number)}")
                if out.requires_grad:
                    (part,) = torch.autograd.grad(out, leaf, allow_unused=True)
                    if part is not None:
                        gradient += part
                total += out.detach()
                del out
        if not bool(torch.isfinite(gradient).all()):
            index = int((~torch.isfinite(gradient)).nonzero()[0])
            place = f"entry {index}" if self.layout is None else self.layout.where(index)
            raise BecameNaN(0, f"the gradient at {place}")
        return total, gradient

    def predictions(self, w: Tensor) -> Tensor:
        """Outputs of the network on all examples, (N, ...), differentiable in ``w``.

        Raises:
            ValueError: the objective was not made from a module.
        """
        if self.predictors is None:
            raise ValueError("this objective knows no network: make it with module_objective")
        self.check(w)
        return torch.cat([predict(w) for predict in self.predictors])

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Within it, a device without memory left raises the event
        :class:`~eostheory.numeric.events.OutOfMemory`, which names the remedy."""
        try:
            yield
        except torch.OutOfMemoryError as error:
            largest = max(self.examples, default=0)
            what = f"a chunk of {largest} examples" if largest else "a chunk of the loss"
            raise OutOfMemory(what, str(self.device), str(error).splitlines()[0]) from error

    def _chunk(self, number: int) -> str:
        return f" (chunk {number} of {len(self.chunks)})" if len(self.chunks) > 1 else ""
