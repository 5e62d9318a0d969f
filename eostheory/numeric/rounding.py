"""What rounding does to a torch computation, autograd included.

Inside ``with RunningError() as run:`` every operation that torch executes, forward and backward,
also updates a bound on how far its result is from the exact result of the same operations on
the same inputs (running error analysis: Higham, *Accuracy and Stability*, sec. 3.3).  So a
gradient of a gradient comes with a bound that nobody had to derive by hand:

    with RunningError() as run:
        g = gradient(loss, w)
    run.error(g)        # |g - exact gradient| <= this, entry by entry

Bounds live beside the storage of a tensor, hence views share them as they share the values.
Library functions (exp, tanh, ...) count 4 ulp, sums and products of length n ``gamma(n)``,
which holds for every order of summation and with fused multiply-add.  Underflow is not tracked.
Numbers that leave torch (``float(x)``, ``x.item()``) and come back count as exact, and so do
roundings of Python's own arithmetic: keep a computation on tensors from end to end.
"""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from eostheory.numeric.rounding_rules import RULES, VIEWS, Pair


class UnsupportedOperation(NotImplementedError):
    """An operation whose rounding error is not modelled; write it from elementary ones."""


def _forward(mode: Any, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    return mode.run.carry(func, args, kwargs or {})


# torch's base class carries no annotations; made by hand, the subclass does not leak that.
_Mode: Any = type(
    "_Mode",
    (TorchDispatchMode,),
    {
        "__torch_dispatch__": _forward,
        # Nothing here is ever compiled; saying so spares the import of the compiler (a second).
        "_should_skip_dynamo": classmethod(lambda cls: False),
    },
)


class RunningError:
    """Carries error bounds through all torch operations executed inside the context."""

    def __init__(self) -> None:
        self._mode = _Mode()
        self._mode.run = self
        # storage -> (error of each element, a tensor that keeps the storage alive)
        self._errors: dict[int, tuple[Tensor, Tensor]] = {}

    def __enter__(self) -> Self:
        self._mode.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._mode.__exit__(*exception)

    def error(self, x: Tensor) -> Tensor:
        """Bound on ``|x - exact x|``, of the shape of ``x``; zero for inputs."""
        with torch._C._DisableTorchDispatch():
            found = self._lookup(x.detach())
            if isinstance(found, Tensor):
                # The bound's own arithmetic is rounded as well.
                return found * (1 + 2.0**-20)
            return torch.zeros_like(x.detach())

    def declare(self, x: Tensor, error: Tensor | float) -> Tensor:
        """State the error that the input ``x`` already has; returns ``x``."""
        with torch._C._DisableTorchDispatch():
            bound = torch.as_tensor(error, dtype=x.dtype, device=x.device).expand(x.shape)
            self._store(x.detach(), bound)
        return x

    def fresh(self, x: Tensor) -> Tensor:
        """A detached copy of ``x`` that counts as exact: the start of another computation."""
        with torch._C._DisableTorchDispatch():
            return x.detach().clone()

    def _lookup(self, x: Tensor) -> Tensor | float:
        entry = self._errors.get(x.untyped_storage().data_ptr())
        if entry is None or not x.is_floating_point():
            return 0.0
        return entry[0].as_strided(x.size(), x.stride(), x.storage_offset())

    def _store(self, x: Tensor, error: Tensor | float) -> None:
        if not x.is_floating_point():
            return
        storage = x.untyped_storage()
        entry = self._errors.get(storage.data_ptr())
        if entry is None:
            size = storage.nbytes() // x.element_size()
            entry = (torch.zeros(size, dtype=x.dtype, device=x.device), x)
            self._errors[storage.data_ptr()] = entry
        view = entry[0].as_strided(x.size(), x.stride(), x.storage_offset())
        if isinstance(error, Tensor):
            view.copy_(torch.where(torch.isnan(error), torch.inf, error))
        else:
            view.fill_(error)

    def _pair(self, x: Any) -> Any:
        if isinstance(x, Tensor):
            return Pair(x, self._lookup(x))
        if isinstance(x, list | tuple):
            return [self._pair(item) for item in x]
        return x

    def carry(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Execute ``func`` and enter the bound of its result; called by torch.

        Raises:
            UnsupportedOperation: no rule for ``func``.
        """
        name = func._schema.name.removeprefix("aten::")
        if name in VIEWS:
            return func(*args, **kwargs)
        inplace = name.endswith("_")
        found = RULES.get(name) or RULES.get(name.rstrip("_"))
        if found is None:
            raise UnsupportedOperation(
                f"rounding of torch's {name!r} is not modelled: write it from elementary "
                "operations (sums, products, exp, ...)"
            )
        pairs = [self._pair(a) for a in args]
        if inplace:
            pairs[0].value = args[0].clone()
        extra = {k: self._pair(v) for k, v in kwargs.items()}
        out = func(*args, **kwargs)
        if isinstance(out, Tensor) and out.is_floating_point():
            functional = func
            if inplace and name != "copy_":
                functional = getattr(getattr(torch.ops.aten, name.rstrip("_")), func._overloadname)
            self._store(out, found(functional, out, *pairs, **extra))
        return out
