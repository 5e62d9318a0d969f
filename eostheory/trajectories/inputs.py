"""What a caller may hand in as start, parameters and buffer, and what is said when it is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from eostheory.trajectories.program import Program
from eostheory.trajectories.run import Status, Stretch

Rows = Tensor | Mapping[str, float | Tensor] | Sequence[float | Tensor]
"""Values by variable: (n,) or (n, B), or a number or (B,) for each name or in order."""


def count(name: str, value: object, least: int) -> None:
    """Raise unless ``value`` is an integer of at least ``least``."""
    if type(value) is int and value >= least:
        return
    if type(value) is not int:
        kind = type(value).__name__
        raise TypeError(f"{name} = {value!r} is {kind}, not an int: pass int() of it")
    raise ValueError(f"{name} = {value}; it is at least {least}")


def positive(name: str, value: object) -> float:
    """The number as a float; raise unless it is one above zero, which may be infinite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} = {value!r} is {type(value).__name__}, not a float")
    number = _float(name, value)
    if not number > 0:
        raise ValueError(f"{name} = {value!r} is not positive")
    return number


def _float(what: str, value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{what} is an integer too large for float64") from None


def _checked(what: str, value: Tensor) -> Tensor:
    if value.dtype != torch.float64:
        raise TypeError(
            f"{what} is {value.dtype}; trajectories are followed in float64: pass it .double()"
        )
    return value.detach() if value.requires_grad else value


def rows(what: str, names: Sequence[str], given: Rows, device: torch.device | None) -> Tensor:
    """The given values as (n,) or (n, B) float64."""
    if isinstance(given, Tensor):
        given = _checked(what, given)
        if given.dim() not in (1, 2) or given.shape[0] != len(names):
            raise ValueError(
                f"{what} has shape {tuple(given.shape)}; its rows are {', '.join(names)}: "
                f"({len(names)},) or ({len(names)}, B)"
            )
        if device is not None and device != given.device:
            raise ValueError(f"{what} is on {given.device} and the start on {device}")
        return given
    if isinstance(given, Mapping):
        unknown = [str(n) for n in given if n not in names]
        missing = [n for n in names if n not in given]
        if unknown or missing:
            raise ValueError(
                f"{what}: {', '.join(unknown) or 'nothing'} unknown, "
                f"{', '.join(missing) or 'nothing'} missing; there are {', '.join(names)}"
            )
        given = [given[n] for n in names]
    if not isinstance(given, list | tuple):
        raise TypeError(
            f"{what} is {type(given).__name__}: give a tensor (torch.from_numpy for an array), a "
            "mapping by name, a list or a tuple"
        )
    if len(given) != len(names):
        raise ValueError(f"{what} has {len(given)} values for {', '.join(names) or 'no names'}")
    if device is None:
        device = next((v.device for v in given if isinstance(v, Tensor)), torch.device("cpu"))
    columns = [_column(f"{what} {n}", v, device) for n, v in zip(names, given, strict=True)]
    if not columns:
        return torch.empty(0, dtype=torch.float64, device=device)
    batched = next((c for c in columns if c.dim()), columns[0])
    if any(c.dim() and c.shape != batched.shape for c in columns):
        sizes = ", ".join(f"{n}: {len(c)}" for n, c in zip(names, columns, strict=True) if c.dim())
        raise ValueError(f"{what} is for different numbers of trajectories ({sizes})")
    return torch.stack([c.expand_as(batched) for c in columns])


def _column(what: str, value: float | Tensor, device: torch.device) -> Tensor:
    if isinstance(value, Tensor):
        if value.dim() > 1:
            raise ValueError(f"{what} has shape {tuple(value.shape)}; it is a number or (B,)")
        return _checked(what, value).to(device)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(
            f"{what} = {value!r} is {type(value).__name__}, not a float, int or tensor: "
            "pass float() of it"
        )
    return torch.tensor(_float(what, value), dtype=torch.float64, device=device)


def columns(program: Program, start: Rows, parameters: Rows) -> tuple[Tensor, Tensor, bool]:
    """Start (n_state, B) and parameters (n_par, B), and whether there is one without that axis."""
    if type(start) is Tensor and type(parameters) is Tensor and _usual(program, start, parameters):
        return start, parameters, False
    state = rows("start", program.state, start, None)
    given = rows("parameters", program.parameters, parameters, state.device)
    size = _size_of(state, given)
    lanes = 1 if size is None else size
    if state.dim() == 1:
        state = state.unsqueeze(1).expand(-1, lanes)
    if given.dim() == 1:
        given = given.unsqueeze(1).expand(-1, lanes)
    return state, given, size is None


def _usual(program: Program, start: Tensor, parameters: Tensor) -> bool:
    """Whether both are just what is needed: nothing else is to be asked then."""
    if start.dim() != 2 or parameters.dim() != 2:
        return False
    (n, size), (m, also) = start.shape, parameters.shape
    return (
        n == len(program.state)
        and m == len(program.parameters)
        and size == also
        and start.dtype is torch.float64
        and parameters.dtype is torch.float64
        and start.device == parameters.device
        and not start.requires_grad
        and not parameters.requires_grad
    )


def _size_of(state: Tensor, parameters: Tensor) -> int | None:
    """The number of trajectories, or None for a single one without that axis."""
    if state.dim() == 1:
        return None if parameters.dim() == 1 else parameters.shape[1]
    size = state.shape[1]
    if parameters.dim() == 2 and parameters.shape[1] != size:
        raise ValueError(
            f"start is for {size} trajectories and parameters for {parameters.shape[1]}; give "
            "as many, or one of them without that axis"
        )
    return size


def buffer(out: Tensor, shape: tuple[int, int, int], single: bool, device: torch.device) -> Tensor:
    """The tensor handed in for records, if it can hold them."""
    if not isinstance(out, Tensor):
        raise TypeError(f"out is {type(out).__name__}, not a tensor")
    if out.dtype != torch.float64:
        raise TypeError(f"out is {out.dtype}; records are float64")
    if out.device != device:
        raise ValueError(f"out is on {out.device} and the start on {device}")
    if out.requires_grad:
        raise ValueError("out requires a gradient; records have none: pass out.detach()")
    if single and tuple(out.shape) == shape[:2]:
        out = out.unsqueeze(2)
    if tuple(out.shape) != shape:
        wanted = shape[:2] if single else shape
        raise ValueError(
            f"out has shape {tuple(out.shape)}; records are {wanted}: record, observable"
            + ("" if single else ", trajectory")
        )
    if not out.is_contiguous():
        raise ValueError("out is not contiguous; make it with torch.empty of that shape")
    return out


def reject(program: Program, stretch: Stretch) -> None:
    """Raise ValueError for a start or parameter that no trajectory can begin with."""
    alive = stretch.fates.status < Status.FIXED_POINT
    for what, names, values, bound in (
        ("start", program.state, stretch.state, stretch.bound),
        ("parameter", program.parameters, stretch.parameters, float("inf")),
    ):
        for name, row in zip(names, values, strict=True):
            bad = (alive & ~(row.abs() < bound)).nonzero()
            if len(bad):
                lane = int(bad[0])
                raise ValueError(
                    f"{program.name}: {what} {name} of trajectory {lane} is {row[lane].item()}; "
                    f"a finite number of size below {bound} is needed"
                )
