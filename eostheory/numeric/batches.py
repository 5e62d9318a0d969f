"""Data of a module in chunks: from tensors, loaders, or whatever gives batches anew."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import torch
from torch import Tensor

Batch = tuple[Any, Any]
"""Inputs and targets, each a tensor or a tuple or dict of tensors."""

COARSE = (torch.float16, torch.bfloat16)


class Alone:
    """Within it a thread is alone; copies and pickles of its owner get a lock of their own."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def __reduce__(self) -> tuple[type[Alone], tuple[()]]:
        return Alone, ()


class _Streamed(Sequence[Batch]):
    """Batches that are read when they are asked for, from an iterable that is iterated anew.

    Asked for in order, each is read once per round; the one read last is at hand.
    """

    def __init__(self, source: Callable[[], Any], convert: Callable[[Any], Batch]) -> None:
        self._alone = Alone()
        self._source = source
        self._convert = convert
        self._length = sum(1 for _ in source())
        self._reader: Iterator[Any] = iter(())
        self._at = self._length - 1
        self._last: Batch | None = None

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Batch: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Batch]: ...
    def __getitem__(self, index: int | slice) -> Batch | Sequence[Batch]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        with self._alone:
            return self._read(range(len(self))[index])

    def _read(self, index: int) -> Batch:
        if index == self._at and self._last is not None:
            return self._last
        if index <= self._at or self._last is None:
            self._reader, self._at = iter(self._source()), -1
        self._last = None
        while self._at < index:
            try:
                batch = next(self._reader)
            except StopIteration:
                raise ValueError(
                    f"the data had {len(self)} batches, now only {self._at + 1}"
                ) from None
            self._at += 1
        self._last = self._convert(batch)
        return self._last


def batches_of(
    inputs: Any, targets: Any, chunk: int | None, dtype: torch.dtype, device: torch.device
) -> Sequence[Batch]:
    """The data in chunks, or the batches they come in; see
    :func:`eostheory.numeric.objective.module_objective`."""

    def convert(batch: Any) -> Batch:
        if not (isinstance(batch, tuple | list) and len(batch) == 2):
            raise TypeError(f"a batch is {type(batch).__name__}, expected a pair (inputs, targets)")
        return _place(batch[0], "inputs", dtype, device), _place(batch[1], "targets", dtype, device)

    if targets is None:
        if chunk is not None:
            raise ValueError(f"chunk={chunk} goes with tensors; batches are chunks already")
        if callable(inputs):
            batches = _Streamed(inputs, convert)
        elif isinstance(inputs, Tensor | dict) or not hasattr(inputs, "__iter__"):
            raise TypeError(
                f"without targets, inputs must be batches (inputs, targets), not "
                f"{type(inputs).__name__}"
            )
        elif iter(inputs) is inputs:
            raise TypeError(
                f"the batches are an iterator ({type(inputs).__name__}), which can be read only "
                "once: pass a list, a loader or a callable that returns an iterator"
            )
        else:
            batches = _Streamed(functools.partial(iter, inputs), convert)
        if len(batches) == 0:
            raise ValueError("there are no batches")
        return batches
    data, wanted = convert((inputs, targets))
    count = count_of(data)
    if count_of(wanted) != count:
        raise ValueError(f"{count} inputs, but {count_of(wanted)} targets")
    if count == 0:
        raise ValueError("there are no examples")
    if chunk is None:
        return [(data, wanted)]
    if chunk < 1 or chunk != int(chunk):
        raise ValueError(f"chunk is {chunk}, expected a whole number of examples, at least 1")
    chunk = int(chunk)
    cuts = [slice(i, min(i + chunk, count)) for i in range(0, count, chunk)]
    return [(part_of(data, part), part_of(wanted, part)) for part in cuts]


def _each(function: Callable[[Tensor], Tensor], data: Any) -> Any:
    if isinstance(data, Tensor):
        return function(data)
    if isinstance(data, dict):
        return {key: _each(function, value) for key, value in data.items()}
    if isinstance(data, tuple | list):
        return tuple(_each(function, value) for value in data)
    raise TypeError(
        f"data are {type(data).__name__}, expected a tensor, or a tuple or dict of tensors"
    )


def _place(data: Any, what: str, dtype: torch.dtype, device: torch.device) -> Any:
    def put(tensor: Tensor) -> Tensor:
        demand_real(tensor, what)
        demand_finite(tensor, what)
        return tensor.detach().to(device, dtype if tensor.is_floating_point() else tensor.dtype)

    return _each(put, data)


def part_of(data: Any, part: slice) -> Any:
    """The examples of ``data`` in ``part``, views of its tensors."""
    return _each(lambda tensor: tensor[part], data)


def count_of(data: Any) -> int:
    """How many examples the tensors of ``data`` hold, all equally many."""
    sizes: list[int] = []
    _each(lambda tensor: sizes.append(len(tensor)) or tensor, data)  # type: ignore[func-returns-value]
    if len(set(sizes)) != 1:
        raise ValueError(f"the tensors of one batch hold {sizes} examples, expected equally many")
    return sizes[0]


def demand_real(tensor: Tensor, what: str) -> None:
    """Refuse precisions that resolve no curvature, naming ``what`` has them."""
    if tensor.dtype in COARSE or tensor.is_complex():
        raise TypeError(
            f"{what}: {tensor.dtype}, which cannot resolve a curvature: convert with .double() "
            "(or .float())"
        )


def demand_finite(tensor: Tensor, what: str) -> None:
    """Refuse entries that are not finite, naming the first."""
    bad = ~torch.isfinite(tensor.detach())
    if bool(bad.any()):
        first = tuple(int(i) for i in bad.nonzero()[0])
        raise ValueError(f"{what}: {int(bad.sum())} entries are not finite, the first at {first}")
