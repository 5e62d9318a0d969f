"""What a reduction is: fewer variables in which a dynamics closes, exactly.

A reduction maps the parameters of a model to a few numbers whose next values are functions of
themselves.  It says which dynamics it reduces, under which hypotheses, and what of the full model
it still gives without error.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sympy
from sympy import Expr, Float, Symbol

from eostheory.trajectories.recurrence import Recurrence

if TYPE_CHECKING:
    from torch import Tensor

ETA = Symbol("eta", positive=True)
DECAY = Symbol("weight_decay", nonnegative=True)


def real(name: str) -> Symbol:
    """A real variable."""
    return Symbol(name, real=True)


@dataclass(frozen=True)
class Closed:
    """A closed recurrence before it is chosen what to record."""

    state: tuple[Symbol, ...]
    update: tuple[Expr, ...]
    parameters: tuple[Symbol, ...]
    observables: Mapping[str, Expr]
    locals: tuple[tuple[Symbol, Expr], ...] = ()
    constants: Mapping[str, float] = field(default_factory=dict)
    """Values of those parameters that are data."""


@dataclass(frozen=True, eq=False)
class Reduction(ABC):
    """A dynamics on full tensors, and the recurrence in fewer variables that carries it.

    ``recurrence()`` is what :func:`simulate` runs, ``reduce`` gives its start, ``parameters``
    its parameters.  ``loss`` and ``step`` are the full model itself, by autograd, so that anybody
    can compare.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """What the recurrence is called."""

    @property
    @abstractmethod
    def model(self) -> str:
        """The full dynamics, in words."""

    @property
    @abstractmethod
    def hypotheses(self) -> tuple[str, ...]:
        """What must hold for the reduction to be exact."""

    @property
    @abstractmethod
    def full(self) -> Mapping[str, tuple[int, ...]]:
        """Name and shape of the tensors of the full model, in the order of ``reduce``."""

    @property
    @abstractmethod
    def closed(self) -> Closed:
        """State, update and observables in reduced variables."""

    @abstractmethod
    def loss(self, *full: Tensor) -> Tensor:
        """The loss of the full model, a scalar that can be differentiated."""

    @abstractmethod
    def _reduced(self, *full: Tensor) -> Tensor:
        """The reduced variables of checked tensors, ``(n_state, *batch)``."""

    @property
    def state(self) -> tuple[Symbol, ...]:
        """The reduced variables."""
        return self.closed.state

    @property
    def observables(self) -> Mapping[str, Expr]:
        """What the reduction gives exactly of the full dynamics, in reduced variables."""
        return self.closed.observables

    @property
    def full_size(self) -> int:
        """Number of variables of the full model."""
        total = 0
        for shape in self.full.values():
            count = 1
            for side in shape:
                count *= side
            total += count
        return total

    def reduce(self, *full: Tensor) -> Tensor:
        """The reduced variables of full tensors: a start of the recurrence.

        Args:
            full: the tensors of :attr:`full`, in that order, float64, each with the same leading
                batch sides (or none).

        Returns:
            ``(n_state, *batch)``.

        Raises:
            TypeError: something other than that many tensors.
            ValueError: shapes that do not fit.
        """
        self._check(full)
        return self._reduced(*full)

    def _check(self, full: tuple[Tensor, ...]) -> None:
        import torch

        wanted = ", ".join(f"{name} {shape}" for name, shape in self.full.items())
        if len(full) != len(self.full) or not all(isinstance(x, torch.Tensor) for x in full):
            raise TypeError(
                f"{self.name}: reduce takes the tensors {wanted}, not "
                f"{len(full)} argument(s) of {', '.join(type(x).__name__ for x in full)}"
            )
        batches = set()
        for (name, shape), x in zip(self.full.items(), full, strict=True):
            lead = x.dim() - len(shape)
            if lead < 0 or tuple(x.shape[lead:]) != shape:
                raise ValueError(
                    f"{self.name}: {name} has shape {tuple(x.shape)}; expected {shape}, "
                    "with any leading batch sides"
                )
            if x.dtype != torch.float64:
                raise ValueError(f"{self.name}: {name} is {x.dtype}; pass {name}.double()")
            batches.add(tuple(x.shape[:lead]))
        if len(batches) > 1:
            raise ValueError(f"{self.name}: batch sides differ: {sorted(batches)}")

    def recurrence(self, record: Sequence[str] | None = None) -> Recurrence:
        """The closed recurrence, recording the observables of these names.

        Args:
            record: names from :attr:`observables` or of state variables (default: every
                observable).

        Raises:
            ValueError: a name that the reduction does not give.
        """
        c = self.closed
        known = {**{str(s): s for s in c.state}, **c.observables}
        names = tuple(c.observables) if record is None else tuple(record)
        if unknown := [n for n in names if n not in known]:
            raise ValueError(
                f"{self.name}: {', '.join(unknown)} is not closed in the reduced variables; "
                f"known: {', '.join(known)}"
            )
        kept = tuple((name, known[name]) for name in names)
        return Recurrence(self.name, c.state, c.update, c.parameters, kept, c.locals)

    def parameters(
        self, eta: float | Tensor, weight_decay: float | Tensor = 0.0
    ) -> dict[str, float | Tensor]:
        """The recurrence's parameters by name: step size, weight decay and data.

        Raises:
            ValueError: a weight decay where the recurrence was built without one.
        """
        names = {str(p) for p in self.closed.parameters}
        found: dict[str, float | Tensor] = {**self.closed.constants}
        found["eta"] = eta
        if "weight_decay" in names:
            found["weight_decay"] = weight_decay
        elif not isinstance(weight_decay, int | float) or weight_decay != 0:
            raise ValueError(
                f"{self.name}: built without weight decay, given weight_decay={weight_decay!r}; "
                "build the reduction with decay=True"
            )
        return found

    def step(self, *full: Tensor, eta: float, weight_decay: float = 0.0) -> tuple[Tensor, ...]:
        """One step of the full dynamics, with the gradient of ``loss`` by autograd.

        Raises:
            TypeError, ValueError: as :meth:`reduce`; batch sides.
        """
        import torch

        self._check(full)
        if any(x.dim() > len(s) for x, s in zip(full, self.full.values(), strict=True)):
            raise ValueError(
                f"{self.name}: a step of the full model takes one set of weights at a time, given "
                f"{', '.join(str(tuple(x.shape)) for x in full)}"
            )
        leaves = [x.detach().requires_grad_(True) for x in full]
        slopes = torch.autograd.grad(self.loss(*leaves), leaves)
        keep = 1 - eta * weight_decay
        return tuple(keep * x.detach() - eta * g for x, g in zip(leaves, slopes, strict=True))


def top_eigenvalue(matrices: Tensor) -> Tensor:
    """Largest eigenvalue (...) of symmetric matrices (..., r, r); NaN where one is not finite.

    So that one trajectory that diverged does not cost the others theirs.
    """
    import torch

    well = torch.isfinite(matrices).all(-1).all(-1)
    kept = torch.where(well[..., None, None], matrices, torch.zeros_like(matrices))
    top: Tensor = torch.linalg.eigvalsh(kept)[..., -1]
    return torch.where(well, top, torch.full_like(top, torch.nan))


def finite(name: str, x: Tensor) -> Tensor:
    """Data of a model on the CPU, in float64.

    Raises:
        TypeError: not a tensor of real numbers.
        ValueError: an entry that is not finite.
    """
    import torch

    if not isinstance(x, torch.Tensor) or x.is_complex():
        what = f"of {x.dtype}" if isinstance(x, torch.Tensor) else type(x).__name__
        raise TypeError(f"the {name} are {what}; pass a tensor of real numbers")
    found = x.detach().to("cpu", torch.float64)
    if not bool(torch.isfinite(found).all()):
        where = tuple(int(i) for i in (~torch.isfinite(found)).nonzero()[0])
        raise ValueError(
            f"the {name} hold {float(found[where])} at {where}; leave that sample out or repair it"
        )
    return found


class Coefficients:
    """Numbers of the data: written into the formula, or parameters of the trajectory."""

    def __init__(self, as_parameters: bool) -> None:
        self.as_parameters = as_parameters
        self.values: dict[str, float] = {}
        self.symbols: list[Symbol] = []

    def __call__(self, name: str, values: Sequence[float]) -> list[Expr]:
        """One coefficient for each value, ``name_1``, ``name_2``, ..."""
        named = {f"{name}_{i}": float(v) for i, v in enumerate(values, start=1)}
        if not self.as_parameters:
            # sympy's Float keeps all 53 bits
            return [Float(v) for v in named.values()]
        self.values |= named
        symbols = [real(n) for n in named]
        self.symbols += symbols
        return [*symbols]


class Sums:
    """Sums as locals, each of a few terms, so that they are no long chain of additions."""

    def __init__(self, width: int = 4) -> None:
        self.width = width
        self.locals: list[tuple[Symbol, Expr]] = []

    def name(self, name: str, value: Expr) -> Symbol:
        """A local for an expression."""
        symbol = real(name)
        self.locals.append((symbol, value))
        return symbol

    def __call__(self, name: str, terms: Sequence[Expr]) -> Expr:
        """The sum under a name: a tree whose nodes add at most ``width`` terms."""
        level = list(terms)
        depth = 0
        while len(level) > self.width:
            parts = -(-len(level) // self.width)
            depth += 1
            # strided: neighbours in the state stay apart, parts have equal length
            level = [
                self.name(f"{name}_{depth}_{i}", sympy.Add(*level[i::parts])) for i in range(parts)
            ]
        return self.name(name, sympy.Add(*level))
