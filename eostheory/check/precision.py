"""Watches the operations of torch for numbers of lower precision that meet the parameters."""

from __future__ import annotations

import functools
import os
import sys
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

LOW = frozenset(
    getattr(torch, name)
    for name in ("float32", "float16", "bfloat16", "complex64", "complex32")
    if hasattr(torch, name)
)

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep

_FRESH = ("zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like", "new_")
"""Operations whose result carries the shape of a tensor, not its numbers."""


@dataclass(frozen=True)
class LowPrecision:
    """One operation in which a number of low precision meets the parameters.

    Args:
        operation: as torch calls it.
        dtype: the low precision.
        message: where, what and the remedy.
    """

    operation: str
    dtype: str
    message: str


def _forward(mode: Any, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    return mode.watch.carry(func, args, kwargs or {})


# torch's base class carries no annotations; made by hand, the subclass does not leak that.
@functools.cache
def _mode_class(compiler: bool) -> Any:
    """The mode; with the ``compiler`` kept away from it, where a compiled loss has loaded it."""
    inside: dict[str, Any] = {"__torch_dispatch__": _forward}
    if not compiler:
        # To keep it away would load it, which takes a second.
        inside["_should_skip_dynamo"] = classmethod(lambda cls: False)
    return type("_Mode", (TorchDispatchMode,), inside)


class Precision:
    """Within it, operations on what is computed from ``w`` are watched.

    Integers and booleans are no concern, nor is what never meets the parameters, nor a number of
    float32 that is exactly the one written (0, 1/2, 3): it changes nothing.

    Attributes:
        found: where low precision takes part, in the order of execution.
    """

    def __init__(self, w: Tensor) -> None:
        self.found: list[LowPrecision] = []
        self._mode = _mode_class("torch._dynamo" in sys.modules)()
        self._mode.watch = self
        # storages of what depends on w, kept alive so that no address is used twice
        self._from_w: dict[int, Tensor] = {}
        self._enter(w.detach())

    def __enter__(self) -> Self:
        self._mode.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._mode.__exit__(*exception)
        self._from_w.clear()

    def carry(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Execute one operation and look at what goes in and out; called by torch."""
        name = func._schema.name.removeprefix("aten::")
        inputs = _tensors((args, tuple(kwargs.values())))
        meets = any(self._depends(x) for x in inputs)
        out = func(*args, **kwargs)
        if not meets or name.startswith(_FRESH) or name == "detach":
            if meets and name == "detach":
                self._enter_all(out)
            return out
        results = [x for x in _tensors((out,)) if x.is_floating_point() or x.is_complex()]
        for x in results:
            self._enter(x)
        if results and not self.found:
            self._look(name, inputs, results)
        return out

    def _look(self, name: str, inputs: list[Tensor], results: list[Tensor]) -> None:
        for x in inputs:
            if x.dtype in LOW and not self._depends(x) and not _as_written(x):
                self._report(name, x, taken=True)
                return
        for x in results:
            if x.dtype in LOW:
                self._report(name, x, taken=False)
                return

    def _report(self, name: str, x: Tensor, taken: bool) -> None:
        place = _place()
        if taken and x.numel() == 1:
            number = complex(x.item()) if x.is_complex() else float(x)
            what = (
                f"takes the {_plain(x.dtype)} number {number!r} beside the parameters: write "
                "it as a Python number, or with dtype=torch.float64"
            )
        elif taken:
            what = (
                f"takes a {_plain(x.dtype)} tensor of shape {tuple(x.shape)} together with the "
                "parameters: convert it once, outside of the loss, with .double()"
            )
        else:
            what = (
                f"gives {_plain(x.dtype)} from float64 parameters: leave out .float() and .half(), "
                "autocast and buffers of that type, and make constants with dtype=torch.float64"
            )
        operation = f"torch's {name}" + (f" ({place})" if place else "")
        self.found.append(LowPrecision(name, _plain(x.dtype), f"{operation} {what}"))

    def _depends(self, x: Tensor) -> bool:
        return _address(x) in self._from_w

    def _enter(self, x: Tensor) -> None:
        self._from_w.setdefault(_address(x), x)

    def _enter_all(self, out: Any) -> None:
        for x in _tensors((out,)):
            self._enter(x)


def _address(x: Tensor) -> int:
    try:
        return int(x.untyped_storage()._cdata)
    except (NotImplementedError, RuntimeError):  # a tensor without a storage: sparse, say
        return id(x)


def _tensors(of: Any) -> list[Tensor]:
    if isinstance(of, Tensor):
        return [of]
    if isinstance(of, list | tuple):
        return [x for item in of for x in _tensors(item)]
    return []


def _as_written(x: Tensor) -> bool:
    """Whether its numbers in float32 are those in float64 too, as far as their digits tell."""
    if x.dtype != torch.float32 or x.numel() > 4096:
        return bool((x == x.round()).all()) if not x.is_complex() else False
    with torch._C._DisableTorchDispatch():
        single = x.detach().cpu().reshape(-1).numpy()
    return all(float(str(v)) == float(v) for v in single)


def _plain(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _place() -> str:
    """The line of the user's code that is being executed."""
    frame = sys._getframe(1)
    while frame is not None:
        path = os.path.abspath(frame.f_code.co_filename)
        if path.startswith(_OURS) and frame.f_code.co_name == "body":
            return ""
        ours = "site-packages" in path or path.startswith(_OURS)
        if not ours and not frame.f_code.co_filename.startswith("<"):
            return f"{os.path.basename(path)}:{frame.f_lineno}"
        if frame.f_back is None:
            return ""
        frame = frame.f_back
