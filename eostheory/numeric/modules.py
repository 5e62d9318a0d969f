"""From a torch module and its data to an objective: copies, checks, chunks and their weights."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import torch
from torch import Tensor, nn
from torch.func import functional_call

from eostheory.numeric.device import default_device
from eostheory.numeric.norms import elementary_norms
from eostheory.numeric.objective import PRECISIONS, Layout, Objective
from eostheory.numeric.probes import check_derivatives

Criterion = Callable[[Any, Any], Tensor]
Batch = tuple[Any, Any]

COARSE = (torch.float16, torch.bfloat16)


def build(
    module: nn.Module,
    criterion: Criterion,
    inputs: Any,
    targets: Any,
    chunk: int | None,
    reduction: str | None,
    dtype: torch.dtype,
    device: torch.device | str | None,
    output: str | None,
) -> tuple[Objective, Tensor]:
    """See :func:`eostheory.numeric.objective.module_objective`."""
    if dtype not in PRECISIONS:
        raise TypeError(
            f"dtype is {dtype}, which cannot resolve a curvature: use torch.float64 "
            "(or torch.float32)"
        )
    trained = {n: p for n, p in module.named_parameters() if p.requires_grad}
    if not trained:
        raise ValueError("the module has no parameter that requires a gradient: nothing to train")
    for name, parameter in trained.items():
        _real(parameter, f"parameter {name}")
        _finite(parameter, f"parameter {name}")
    size = sum(p.numel() for p in trained.values())
    place = default_device(device, size)
    network = _Network(module, tuple(trained), dtype, place)
    batches = _batches(inputs, targets, chunk, dtype, place)
    if isinstance(criterion, nn.Module):
        criterion = copy.deepcopy(criterion).to(device=place, dtype=dtype)
    several = len(batches) > 1
    kind = _reduction(criterion, reduction) if several else "sum"
    counts, weights = [], []
    for data, wanted in batches:
        counts.append(_count(data))
        weights.append(1.0 if kind == "sum" else _weight(criterion, wanted, _count(data)))
    if kind == "mean":
        total = sum(weights)
        if total <= 0.0:
            raise ValueError(f"the weights of all examples add up to {total}: nothing to fit")
        weights = [weight / total for weight in weights]
    start = torch.cat([p.detach().reshape(-1).to(place, dtype) for p in trained.values()])
    first_inputs, first_targets = batches[0]
    last = network.last_weight(start, first_inputs) if output is None else output
    layout = Layout(tuple(trained), tuple(p.shape for p in trained.values()), last)
    if output is not None:
        layout.slice(output)  # raises for an unknown name
    network.layout = layout
    objective = Objective(
        chunks=tuple(
            functools.partial(_loss, network, criterion, batches, i, weight)
            for i, weight in enumerate(weights)
            if weight != 0.0  # all targets ignored: the criterion would be 0 / 0
        ),
        size=size,
        dtype=dtype,
        device=place,
        layout=layout,
        predictors=tuple(
            functools.partial(_predict, network, batches, i) for i in range(len(batches))
        ),
        examples=tuple(counts),
    )
    _probe(objective, network, start)
    if several:
        _splits(network, criterion, kind, start, first_inputs, first_targets)
    with objective.guarded():
        if bool(torch.isfinite(objective.chunks[0](start))):
            check_derivatives(objective.chunks[0], start)
    return objective, start


class _Network:
    """A private copy of a module, called with parameters from a flat vector."""

    def __init__(
        self, module: nn.Module, names: tuple[str, ...], dtype: torch.dtype, device: torch.device
    ) -> None:
        self.module = copy.deepcopy(module).to(device=device, dtype=dtype)
        self.buffers = {n: b.detach() for n, b in self.module.named_buffers()}
        # A module in training mode may write to its buffers (running means): it gets copies.
        self.writes = any(part.training for part in self.module.modules())
        self.layout = Layout(names, tuple(p.shape for n, p in self._trained(names)))

    def _trained(self, names: tuple[str, ...]) -> Iterator[tuple[str, Tensor]]:
        found = dict(self.module.named_parameters())
        return ((name, found[name]) for name in names)

    def __call__(self, w: Tensor, inputs: Any) -> Any:
        state = dict(self.layout.unflatten(w))
        state.update({n: b.clone() if self.writes else b for n, b in self.buffers.items()})
        arguments, named = _arguments(inputs)
        with elementary_norms():
            return functional_call(self.module, state, arguments, named)

    def last_weight(self, w: Tensor, inputs: Any) -> str | None:
        """Name of the weight of the last layer that a forward pass goes through."""
        met: list[str] = []
        known = set(self.layout.names)
        handles = []
        for path, part in self.module.named_modules():
            name = f"{path}.weight" if path else "weight"
            weight = getattr(part, "weight", None)
            if name in known and isinstance(weight, Tensor) and weight.dim() >= 2:
                handles.append(part.register_forward_hook(_note(met, name)))
        try:
            with torch.no_grad():
                self(w, _cut(inputs, slice(0, 2)))
        except Exception:  # the probe after this one tells what is wrong with the module
            return None
        finally:
            for handle in handles:
                handle.remove()
        return met[-1] if met else None

    def of_type(self, *kinds: type[nn.Module]) -> list[str]:
        return [
            f"{path or 'the module'} ({type(part).__name__})"
            for path, part in self.module.named_modules()
            if isinstance(part, kinds) and part.training
        ]


def _note(met: list[str], name: str) -> Callable[..., None]:
    def hook(*_: Any) -> None:
        met.append(name)

    return hook


def _predict(network: _Network, batches: Sequence[Batch], index: int, w: Tensor) -> Tensor:
    found: Tensor = network(w, batches[index][0])
    return found


def _loss(
    network: _Network,
    criterion: Criterion,
    batches: Sequence[Batch],
    index: int,
    weight: float,
    w: Tensor,
) -> Tensor:
    inputs, targets = batches[index]
    with elementary_norms():
        out = criterion(network(w, inputs), targets)
    if not isinstance(out, Tensor):
        raise TypeError(f"the criterion returned {type(out).__name__}, expected a scalar tensor")
    return out if weight == 1.0 else weight * out


class _Streamed(Sequence[Batch]):
    """Batches that are read when they are asked for, from an iterable that is iterated anew.

    Asked for in order, each is read once per round; the one read last is at hand.
    """

    def __init__(self, source: Callable[[], Any], convert: Callable[[Any], Batch]) -> None:
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
        index = range(len(self))[index]
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


def _batches(
    inputs: Any, targets: Any, chunk: int | None, dtype: torch.dtype, device: torch.device
) -> Sequence[Batch]:
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
    count = _count(data)
    if _count(wanted) != count:
        raise ValueError(f"{count} inputs, but {_count(wanted)} targets")
    if count == 0:
        raise ValueError("there are no examples")
    if chunk is None or chunk >= count:
        return [(data, wanted)]
    if chunk < 1:
        raise ValueError(f"chunk is {chunk}, expected at least 1 example")
    cuts = [slice(i, min(i + chunk, count)) for i in range(0, count, chunk)]
    return [(_cut(data, part), _cut(wanted, part)) for part in cuts]


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
        _real(tensor, what)
        _finite(tensor, what)
        return tensor.detach().to(device, dtype if tensor.is_floating_point() else tensor.dtype)

    return _each(put, data)


def _cut(data: Any, part: slice) -> Any:
    return _each(lambda tensor: tensor[part], data)


def _count(data: Any) -> int:
    sizes: list[int] = []
    _each(lambda tensor: sizes.append(len(tensor)) or tensor, data)  # type: ignore[func-returns-value]
    if len(set(sizes)) != 1:
        raise ValueError(f"the tensors of one batch hold {sizes} examples, expected equally many")
    return sizes[0]


def _arguments(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(inputs, dict):
        return (), inputs
    return (inputs if isinstance(inputs, tuple) else (inputs,)), {}


def _real(tensor: Tensor, what: str) -> None:
    if tensor.dtype in COARSE or tensor.is_complex():
        raise TypeError(
            f"{what}: {tensor.dtype}, which cannot resolve a curvature: convert with .double() "
            "(or .float())"
        )


def _finite(tensor: Tensor, what: str) -> None:
    bad = ~torch.isfinite(tensor.detach())
    if bool(bad.any()):
        first = tuple(int(i) for i in bad.nonzero()[0])
        raise ValueError(f"{what}: {int(bad.sum())} entries are not finite, the first at {first}")


def _reduction(criterion: Criterion, given: str | None) -> str:
    found = given
    if found is None and isinstance(criterion, functools.partial):
        found = criterion.keywords.get("reduction")
    if found is None:
        found = getattr(criterion, "reduction", None)
    if found not in ("mean", "sum"):
        raise ValueError(
            f"several chunks, and the reduction of the criterion is {found!r}: pass "
            "reduction='mean' or reduction='sum', whichever it computes"
        )
    return str(found)


def _weight(criterion: Criterion, targets: Any, count: int) -> float:
    """What a mean divides by: the number of examples, or what is left of their weights."""
    indices = isinstance(targets, Tensor) and not targets.is_floating_point()
    if isinstance(criterion, nn.CrossEntropyLoss | nn.NLLLoss) and indices:
        kept = targets[targets != criterion.ignore_index]
        if criterion.weight is not None:
            return float(criterion.weight[kept].sum())
        return float(kept.numel())
    return float(count)


def _probe(objective: Objective, network: _Network, start: Tensor) -> None:
    """Evaluate twice: what is no function of the parameters alone is told at once."""
    leaf = start.clone().requires_grad_(True)
    with objective.guarded():
        first = [out.detach() for out in _depends(objective.parts(leaf))]
        # Again with gradients: kernels without them may round differently.
        second = [out.detach() for out in objective.parts(leaf)]
    slack = 0.0 if start.device.type == "cpu" else 64 * torch.finfo(start.dtype).eps
    for number, (a, b) in enumerate(zip(first, second, strict=True)):
        same = bool((a - b).abs() <= slack * a.abs()) or bool(a.isnan() & b.isnan())
        if not same and not torch.equal(a, b):
            noisy = network.of_type(nn.modules.dropout._DropoutNd, nn.RReLU)
            raise ValueError(
                f"two evaluations of the loss differ ({float(a):.17g} and {float(b):.17g}, chunk "
                f"{number}): it is not a function of the parameters. "
                + (
                    f"In training mode: {', '.join(noisy)}: call module.eval()"
                    if noisy
                    else "Take randomness and state out of it, and shuffling out of its batches"
                )
            )


def _depends(parts: Iterator[Tensor]) -> Iterator[Tensor]:
    found = False
    for part in parts:
        found = found or part.requires_grad
        yield part
    if not found:
        raise ValueError(
            "the loss does not depend on the parameters: is there a detach(), a no_grad() or an "
            "argmax between them?"
        )


def _splits(
    network: _Network, criterion: Criterion, kind: str, start: Tensor, inputs: Any, targets: Any
) -> None:
    """Refuse a loss of a batch that is not the (weighted) sum of those of its two parts."""
    coupling = network.of_type(nn.modules.batchnorm._BatchNorm)
    remedy = "compute it in one chunk (chunk=None), or call module.eval()"
    if coupling:
        raise ValueError(
            f"{', '.join(coupling)} in training mode couples the examples of a batch, so that "
            f"chunks do not add up to the whole: {remedy}"
        )
    count = min(_count(inputs), 64)
    if count < 2:
        return
    cut = count // 2
    ranges = (slice(0, count), slice(0, cut), slice(cut, count))
    losses, weights = [], []
    with torch.no_grad():
        for part in ranges:
            x, y = _cut(inputs, part), _cut(targets, part)
            losses.append(float(_loss(network, criterion, [(x, y)], 0, 1.0, start)))
            weights.append(1.0 if kind == "sum" else _weight(criterion, y, _count(x)))
    if kind == "sum":
        weights[0] = 1.0
    rebuilt = sum(w * x for w, x in zip(weights[1:], losses[1:], strict=True) if w) / weights[0]
    slack = 1e3 * torch.finfo(start.dtype).eps * max(map(abs, losses))
    if not abs(rebuilt - losses[0]) <= slack and losses[0] == losses[0]:
        raise ValueError(
            f"the loss of {count} examples is {losses[0]:.9g}, but its two halves make "
            f"{rebuilt:.9g}: the criterion is no {kind} over examples, or the module couples the "
            f"examples of a batch: {remedy}, or pass the other reduction="
        )
