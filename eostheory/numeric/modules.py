"""From a torch module and its data to an objective: copies, checks, chunks and their weights."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.nn.utils.parametrize import is_parametrized

from eostheory.numeric.batches import (
    Alone,
    Batch,
    batches_of,
    count_of,
    demand_finite,
    demand_real,
    part_of,
)
from eostheory.numeric.device import default_device
from eostheory.numeric.events import BecameNaN
from eostheory.numeric.flat import PRECISIONS, Layout, Objective
from eostheory.numeric.norms import elementary_norms
from eostheory.numeric.probes import check_derivatives

Criterion = Callable[[Any, Any], Tensor]


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
    probe: bool = True,
) -> tuple[Objective, Tensor]:
    """See :func:`eostheory.numeric.objective.module_objective`."""
    if dtype not in PRECISIONS:
        raise TypeError(
            f"dtype is {dtype}, which cannot resolve a curvature: use torch.float64 "
            "(or torch.float32)"
        )
    if not isinstance(module, nn.Module):
        raise TypeError(f"the module is {type(module).__name__}, expected a torch.nn.Module")
    trained = {n: p for n, p in module.named_parameters() if p.requires_grad}
    if not trained:
        raise ValueError("the module has no parameter that requires a gradient: nothing to train")
    for name, parameter in trained.items():
        demand_real(parameter, f"parameter {name}")
        demand_finite(parameter, f"parameter {name}")
    size = sum(p.numel() for p in trained.values())
    place = default_device(device, size)
    network = _Network(module, tuple(trained), dtype, place)
    batches = batches_of(inputs, targets, chunk, dtype, place)
    if isinstance(criterion, nn.Module):
        criterion = copy.deepcopy(criterion).to(device=place, dtype=dtype)
    several = len(batches) > 1
    kind = _reduction(criterion, reduction) if several else "sum"
    counts, weights = [], []
    for data, wanted in batches:
        counts.append(count_of(data))
        weights.append(1.0 if kind == "sum" else _weight(criterion, wanted, count_of(data)))
    if kind == "mean":
        total = sum(weights)
        if total <= 0.0:
            raise ValueError(f"the weights of all examples add up to {total}: nothing to fit")
        weights = [weight / total for weight in weights]
    start = torch.cat([p.detach().reshape(-1).to(place, dtype) for p in trained.values()])
    last = network.last_weight(start, batches[0][0]) if output is None else output
    layout = Layout(tuple(trained), tuple(p.shape for p in trained.values()), last)
    if output is not None:
        layout.slice(output)  # raises for an unknown name
    network.layout = layout
    # A chunk whose targets are all ignored is left out: the criterion would be 0 / 0.
    kept = [i for i, weight in enumerate(weights) if weight != 0.0]
    objective = Objective(
        chunks=tuple(
            functools.partial(_loss, network, criterion, batches, i, weights[i]) for i in kept
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
    if not probe:
        return objective, start
    values = _probe(objective, network, start)
    if several:
        with objective.guarded():
            for i, value in zip(kept, values, strict=True):
                _splits(network, criterion, kind, start, batches[i], value / weights[i])
    if all(map(math.isfinite, values)):
        try:
            with objective.guarded():
                check_derivatives(objective.chunks[0], start)
        except BecameNaN as event:
            raise ValueError(
                f"the loss is finite at the start, but {event.what} is not: is it at a point like "
                "that of a root at zero, or does a torch.utils.checkpoint in the module read "
                "parameters outside of the forward pass (take it out, and give smaller chunks)?"
            ) from event
    return objective, start


class _Network:
    """A private copy of a module, called with parameters from a flat vector."""

    def __init__(
        self, module: nn.Module, names: tuple[str, ...], dtype: torch.dtype, device: torch.device
    ) -> None:
        self.module = copy.deepcopy(module).to(device=device, dtype=dtype)
        self.alone = Alone()
        self.buffers = {n: b.detach() for n, b in self.module.named_buffers()}
        # A module in training mode may write to its buffers (running means): it gets copies.
        self.writes = any(part.training for part in self.module.modules())
        own = dict(self.module.named_parameters())
        self.layout = Layout(names, tuple(own[name].shape for name in names))
        for name in names:
            # Whoever reads it instead of the flat vector shall not get a number.
            nothing = torch.full((), torch.nan, dtype=dtype, device=device)
            own[name].data = nothing.expand(own[name].shape)

    def __call__(self, w: Tensor, inputs: Any) -> Any:
        state = dict(self.layout.unflatten(w))
        state.update({n: b.clone() if self.writes else b for n, b in self.buffers.items()})
        arguments, named = _arguments(inputs)
        # While it is called, the module holds the parameters of this call.
        with self.alone, elementary_norms():
            return functional_call(self.module, state, arguments, named)

    def last_weight(self, w: Tensor, inputs: Any) -> str | None:
        """Name of the weight of the last layer that a forward pass goes through; None when that
        is not trained as it is (frozen, a function of other parameters, or several)."""
        met: list[str | None] = []
        known = {id(p): n for n, p in self.module.named_parameters() if n in self.layout.names}
        handles = []
        for part in self.module.modules():
            # Read from the dictionary: a weight that is computed may change state when it is.
            weight = part._parameters.get("weight")
            computed = isinstance(part, nn.RNNBase | nn.MultiheadAttention)
            if computed or is_parametrized(part, "weight"):
                name = None
            elif weight is not None and weight.dim() >= 2:
                name = known.get(id(weight))
            else:
                continue
            handles.append(part.register_forward_hook(_note(met, name)))
        try:
            with torch.no_grad():
                self(w, part_of(inputs, slice(0, 2)))
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


def _note(met: list[str | None], name: str | None) -> Callable[..., None]:
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


def _arguments(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(inputs, dict):
        return (), inputs
    return (inputs if isinstance(inputs, tuple) else (inputs,)), {}


def _reduction(criterion: Criterion, given: str | None) -> str:
    found = given
    if found is None:
        found = _setting(criterion, "reduction", "mean" if _counts_targets(criterion) else None)
    if found not in ("mean", "sum"):
        raise ValueError(
            f"several chunks, and the reduction of the criterion is {found!r}: pass "
            "reduction='mean' or reduction='sum', whichever it computes"
        )
    return str(found)


def _setting(criterion: Criterion, name: str, default: Any) -> Any:
    """An attribute of a criterion, or a keyword that a partial function was given."""
    if isinstance(criterion, functools.partial):
        return criterion.keywords.get(name, default)
    return getattr(criterion, name, default)


def _counts_targets(criterion: Criterion) -> bool:
    """Whether its mean divides by the weights of targets that are not ignored."""
    inner = criterion.func if isinstance(criterion, functools.partial) else criterion
    return isinstance(inner, nn.CrossEntropyLoss | nn.NLLLoss) or inner in (
        F.cross_entropy,
        F.nll_loss,
    )


def _weight(criterion: Criterion, targets: Any, count: int) -> float:
    """What a mean divides by: the number of examples, or what is left of their weights."""
    indices = isinstance(targets, Tensor) and not targets.is_floating_point()
    if _counts_targets(criterion) and indices:
        kept = targets[targets != _setting(criterion, "ignore_index", -100)]
        weight = _setting(criterion, "weight", None)
        return float(kept.numel() if weight is None else weight.to(kept.device)[kept].sum())
    return float(count)


def _probe(objective: Objective, network: _Network, start: Tensor) -> list[float]:
    """The chunks, evaluated twice: what is no function of the parameters alone is told at once."""
    leaf = start.clone().requires_grad_(True)
    with objective.guarded():
        try:
            first = [out.detach() for out in _depends(objective.parts(leaf))]
        except RuntimeError as error:
            if "dtype" in str(error) or "scalar type" in str(error):
                error.add_note(
                    f"parameters, buffers and inputs of floating point are {start.dtype} here: "
                    "tensors that are neither (plain attributes of the module, arguments of the "
                    "criterion) keep their precision; register them as buffers, or convert them"
                )
            raise
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
    return [float(a) for a in first]


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
    network: _Network, criterion: Criterion, kind: str, start: Tensor, batch: Batch, whole: float
) -> None:
    """Refuse a loss of a batch that is not the (weighted) sum of those of its two halves."""
    coupling = network.of_type(nn.modules.batchnorm._BatchNorm)
    remedy = "compute it in one chunk (chunk=None), or call module.eval()"
    if coupling:
        raise ValueError(
            f"{', '.join(coupling)} in training mode couples the examples of a batch, so that "
            f"chunks do not add up to the whole: {remedy}"
        )
    inputs, targets = batch
    count = count_of(inputs)
    if count < 2 or math.isnan(whole):
        return
    losses, weights = [], []
    with torch.no_grad():
        for part in (slice(0, count // 2), slice(count // 2, count)):
            x, y = part_of(inputs, part), part_of(targets, part)
            weight = 1.0 if kind == "sum" else _weight(criterion, y, count_of(x))
            if weight != 0.0:
                losses.append(float(_loss(network, criterion, [(x, y)], 0, 1.0, start)))
                weights.append(weight)
    rebuilt = sum(w * x for w, x in zip(weights, losses, strict=True))
    rebuilt /= 1.0 if kind == "sum" else sum(weights)
    slack = 1e3 * torch.finfo(start.dtype).eps * max(map(abs, [whole, *losses]))
    if not abs(rebuilt - whole) <= slack:
        raise ValueError(
            f"the loss of {count} examples is {whole:.9g}, but its two halves make "
            f"{rebuilt:.9g}: the criterion is no {kind} over examples, or the module couples the "
            f"examples of a batch: {remedy}, or pass the other reduction="
        )
