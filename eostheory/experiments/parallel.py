"""A loss whose data lie with several processes, each of which holds a share of the examples.

Every process calls the same functions with the same parameters.  Two operations, each the adjoint
of the other, make the whole differentiable as often as one likes:

- *replicate* hands the parameters to each share: the identity, whose adjoint adds up;
- *total* adds up the shares' values: whose adjoint is the identity on each.

So gradients and Hessian-vector products are sums over processes, by ``torch.distributed`` as it is,
and every process gets the same bits: what runs on one process runs on many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from eostheory.numeric.objective import Objective

LossFunction = Callable[[Tensor], Tensor]


class ProcessLost(RuntimeError):
    """Another process has ended, hangs, or holds something else: none can go on alone."""


@contextmanager
def together() -> Iterator[None]:
    """Within it, what ``torch.distributed`` raises says that another process was lost.

    Raises:
        ProcessLost: in its place.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise ProcessLost(f"another process of the run ended or hangs ({reason})") from error


class _Replicate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        found: Tensor = _Total.apply(gradients[0])  # type: ignore[no-untyped-call]
        return found


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.detach().clone()
        with together():
            dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        found: Tensor = _Replicate.apply(gradients[0])  # type: ignore[no-untyped-call]
        return found


def shared(share: LossFunction) -> LossFunction:
    """The loss of all processes from the ``share`` of this one.

    Args:
        share: this process's part of a loss that is a sum: flat (D,) -> scalar; the same
            operations in every process, on other data.

    Raises:
        RuntimeError: ``torch.distributed`` has not been initialised.
    """
    _place()

    def loss(w: Tensor) -> Tensor:
        here: Tensor = _Replicate.apply(w)  # type: ignore[no-untyped-call]
        found: Tensor = _Total.apply(share(here))  # type: ignore[no-untyped-call]
        return found

    return loss


def shared_objective(objective: Objective) -> Objective:
    """The objective whose chunks are dealt out to the processes, which evaluate them side by side.

    Its value and derivatives are those of ``objective``, up to the order of the sum; every process
    must make it from the same one, with at least as many chunks as processes for all to have work.

    Raises:
        RuntimeError: ``torch.distributed`` has not been initialised, or the processes were given
            different numbers of chunks or parameters.
    """
    rank, world = _place()
    chunks = tuple(objective.chunks)
    _same((objective.size, len(chunks)), "parameters and chunks")
    own = chunks[rank::world]
    rounds = -(-len(chunks) // world)

    def idle(w: Tensor) -> Tensor:
        # Takes part in the sums of the last round, as many and in the same order as the others:
        # its graph is theirs.
        return 0.0 * chunks[0](w)

    own += (idle,) * (rounds - len(own))
    return replace(objective, chunks=tuple(map(shared, own)), predictors=None, examples=())


def _place() -> tuple[int, int]:
    if not (dist.is_available() and dist.is_initialized()):
        raise RuntimeError(
            "torch.distributed is not initialised: call init_process_group, or start with torchrun"
        )
    return dist.get_rank(), dist.get_world_size()


def _same(numbers: tuple[int, ...], what: str) -> None:
    least = torch.tensor(numbers)
    most = -least
    with together():
        dist.all_reduce(least, dist.ReduceOp.MIN)
        dist.all_reduce(most, dist.ReduceOp.MIN)
    if not torch.equal(least, -most):
        raise RuntimeError(
            f"the processes disagree on {what}: this one has {numbers}, they range from "
            f"{least.tolist()} to {(-most).tolist()}"
        )
