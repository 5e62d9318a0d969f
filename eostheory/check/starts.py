"""Where real runs begin: a start that was given, or one that is found."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from eostheory.check.property import finite_at
from eostheory.check.subject import Domain, LossFunction

_TRIES = 50


def read_start(size: Any, start: Any) -> tuple[int, Tensor | None, str | None]:
    """Number of parameters, the start (D,) in float64 and code for it, from what was given.

    Raises:
        TypeError, ValueError: they describe no vector, or contradict each other.
    """
    if size is not None and (isinstance(size, bool) or not isinstance(size, int)):
        raise TypeError(f"size is {size!r} ({type(size).__name__}), expected an integer")
    if size is not None and size < 1:
        raise ValueError(f"size is {size}, expected at least 1")
    if start is None:
        assert size is not None  # a caller has one of them
        return size, None, None
    if not isinstance(start, Tensor):
        try:
            read = torch.as_tensor(start)
        except (TypeError, ValueError, RuntimeError) as reason:
            raise TypeError(
                f"start is {type(start).__name__}, expected a tensor (D,) in float64"
            ) from reason
        # a list has no precision of its own
        start = read if hasattr(start, "dtype") else torch.as_tensor(start, dtype=torch.float64)
    if start.dtype != torch.float64:
        raise TypeError(
            f"start is {str(start.dtype).removeprefix('torch.')}, expected float64, which resolves "
            "third derivatives: pass start.double()"
        )
    if start.dim() != 1:
        raise ValueError(
            f"start has shape {tuple(start.shape)}, expected a flat vector (D,): pass "
            "start.reshape(-1)"
        )
    if size is not None and len(start) != size:
        raise ValueError(f"size is {size}, but start has {len(start)} entries: leave size= out")
    if len(start) == 0:
        raise ValueError("start is empty: a loss needs at least one parameter")
    if not bool(torch.isfinite(start).all()):
        index = int((~torch.isfinite(start)).nonzero()[0])
        raise ValueError(f"start[{index}] is {float(start[index])}: it must be finite")
    return len(start), start.detach().clone(), _code(start)


def _code(start: Tensor) -> str | None:
    if len(start) > 16:
        return None
    numbers = ", ".join(f"{x:g}" if float(f"{x:g}") == x else repr(x) for x in start.tolist())
    return f"torch.tensor([{numbers}], dtype=torch.float64)"


def choose_start(loss: LossFunction, size: int, domain: Domain) -> tuple[Tensor, str]:
    """A point of the domain with few digits at which loss and gradient are finite, and code for
    it; the first that is only inside where there is none such.

    Raises:
        ValueError: no point of the domain was found.
    """
    from eostheory.strategies import direction
    from eostheory.strategies.vectors import FEW

    first: tuple[Tensor, str] | None = None
    low = domain.low if domain.low > -float("inf") else min(-2.0, domain.high - 4.0)
    high = domain.high if domain.high < float("inf") else max(2.0, low + 4.0)
    middle, half = (low + high) / 2, (high - low) / 2
    for seed in range(_TRIES):
        step = direction(size, seed) * size**0.5 * half / 2
        if size <= FEW:
            point = middle + step.clamp(-0.9 * half, 0.9 * half)
            point = torch.tensor([float(f"{x:.2g}") for x in point], dtype=torch.float64)
            code = str(_code(point))
        else:
            length = float(f"{size**0.5 * half / (4 if seed < _TRIES // 2 else 40):.2g}")
            point = middle + length * direction(size, seed)
            base = "" if middle == 0 else f"{middle!r} + "
            code = f"{base}{length!r} * strategies.direction({size}, seed={seed})"
        if point not in domain:
            continue
        first = first or (point, code)
        if finite_at(loss, point):
            return point, code
    if first is None:
        raise ValueError(
            f"none of {_TRIES} points between {low:g} and {high:g} lies in the domain: pass start="
        )
    return first


def looks_scale_invariant(loss: LossFunction, size: int, start: Tensor | None) -> bool:
    """Whether the loss has the same value at a few multiples of a few points.

    Only decides where to look: close to 0 such a loss has no value.
    """
    from eostheory.strategies import direction

    told = 0
    for seed in range(3):
        point = direction(size, seed) * size**0.5
        if start is not None:
            length = float(torch.linalg.vector_norm(start)) or 1.0
            point = start + length * direction(size, seed).to(start)
        values = []
        for factor in (1.0, 0.5, 3.0):
            try:
                with torch.no_grad():
                    values.append(float(loss((factor * point).clone())))
            except Exception:  # the check `evaluates` says so
                return False
        if not all(abs(v) < float("inf") for v in values):
            continue
        told += 1
        if max(values) - min(values) > 1e-9 * max(abs(v) for v in values):
            return False
    return told > 0
