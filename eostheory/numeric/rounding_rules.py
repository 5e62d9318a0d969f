"""How each torch operation passes errors on, and what its own rounding adds.

A rule receives the operation, its result and its arguments, every tensor among them as a
:class:`Pair`, and returns a bound on the error of the result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

UNIT = 2.0**-53
LIBRARY = 8 * UNIT
"""Relative error of one library function (vectorised ones err by up to 4 ulp)."""

Rule = Callable[..., Any]
RULES: dict[str, Rule] = {}


class Pair:
    """A value with a bound on its error; arithmetic carries both."""

    __slots__ = ("error", "value")

    def __init__(self, value: Any, error: Any = 0.0) -> None:
        self.value = value
        self.error = error

    def __add__(self, other: Pair) -> Pair:
        value = self.value + other.value
        return Pair(value, self.error + other.error + UNIT * abs(value))

    def __sub__(self, other: Pair) -> Pair:
        value = self.value - other.value
        return Pair(value, self.error + other.error + UNIT * abs(value))

    def __mul__(self, other: Pair) -> Pair:
        value = self.value * other.value
        spread = abs(self.value) * other.error + (abs(other.value) + other.error) * self.error
        return Pair(value, spread + UNIT * abs(value))

    def __truediv__(self, other: Pair) -> Pair:
        value = self.value / other.value
        room = torch.as_tensor(abs(other.value) - other.error)
        spread = (self.error + abs(value) * other.error) / room
        return Pair(value, torch.where(room > 0, spread, torch.inf) + UNIT * abs(value))


def as_pair(x: Any) -> Pair:
    """A Python number as an exact pair."""
    return x if isinstance(x, Pair) else Pair(x)


def gamma(n: int) -> float:
    """Relative error bound of ``n`` successive roundings."""
    return n * UNIT / (1 - n * UNIT)


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Enter a rule for the operations ``names`` of ATen."""

    def enter(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return enter


def full_error(x: Any) -> Any:
    """The error of a pair as a tensor of its shape; anything else as it is."""
    if not isinstance(x, Pair):
        return x
    if isinstance(x.error, Tensor):
        return x.error
    return torch.full_like(x.value, x.error)


def values(x: Any) -> Any:
    """Pairs exchanged for their values."""
    return x.value if isinstance(x, Pair) else x


def _errors(x: Any) -> Any:
    """Pairs exchanged for their errors, in nested lists too."""
    return [_errors(a) for a in x] if isinstance(x, list | tuple) else full_error(x)


@rule(
    *("clone", "_to_copy", "copy", "lift_fresh", "cat", "stack", "index", "index_select", "gather"),
    *("select_backward", "slice_backward", "diagonal_backward", "constant_pad_nd", "flip", "roll"),
    *("repeat", "tril", "triu", "_unsafe_view", "diag_embed", "unfold_backward", "take_along_dim"),
    *("as_strided_copy", "expand_copy", "index_put", "_index_put_impl", "scatter", "embedding"),
)
def structural(func: Any, _out: Any, *args: Any, **kwargs: Any) -> Any:
    """Entries are moved, never computed: errors move with them."""
    return func(*_errors(args), **kwargs)


@rule("copy_")
def _copy(_func: Any, out: Tensor, _target: Pair, source: Pair, *_rest: Any) -> Any:
    error = source.error
    return error.expand(out.shape) if isinstance(error, Tensor) else error


@rule("where")
def _where(_func: Any, _out: Any, mask: Pair, yes: Any, no: Any) -> Any:
    return torch.where(mask.value, as_pair(yes).error, as_pair(no).error)


@rule("masked_fill")
def _masked_fill(_func: Any, _out: Any, x: Pair, mask: Pair, _value: Any) -> Any:
    return torch.where(mask.value, 0.0, x.error)


@rule("neg", "abs")
def _same(_func: Any, _out: Any, x: Pair) -> Any:
    return x.error


@rule("sgn", "sign")
def _sign(_func: Any, _out: Any, x: Pair) -> Any:
    error = torch.as_tensor(x.error)
    return torch.where((abs(x.value) > error) | (error == 0), 0.0, 2.0)


@rule("relu", "clamp", "clamp_min", "clamp_max")
def _clamp(_func: Any, _out: Any, x: Pair, *_bounds: Any, **_kwargs: Any) -> Any:
    return x.error


@rule("maximum", "minimum")
def _extreme(_func: Any, _out: Any, a: Pair, b: Pair) -> Any:
    return torch.maximum(torch.as_tensor(a.error), torch.as_tensor(b.error))


@rule("threshold_backward")
def _threshold(func: Any, _out: Any, grad: Pair, x: Pair, threshold: Any) -> Any:
    return func(full_error(grad), x.value, threshold)


@rule("add", "sub", "rsub")
def _add(_func: Any, out: Tensor, a: Any, b: Any, scale: Any = 1, alpha: Any = 1) -> Any:
    factor = abs(alpha * scale)
    ea, eb = as_pair(a).error, as_pair(b).error
    extra = UNIT if factor == 1 else UNIT * (1 + factor)
    if factor != 1:
        return ea + factor * eb + extra * (abs(out) + abs(values(a)) + abs(values(b)))
    return ea + eb + UNIT * abs(out)


@rule("mul")
def _mul(_func: Any, _out: Any, a: Any, b: Any) -> Any:
    return (as_pair(a) * as_pair(b)).error


@rule("div")
def _div(_func: Any, _out: Any, a: Any, b: Any) -> Any:
    return (as_pair(a) / as_pair(b)).error


@rule("reciprocal")
def _reciprocal(_func: Any, _out: Any, x: Pair) -> Any:
    return (Pair(1.0) / x).error


@rule("addcmul")
def _addcmul(_func: Any, _out: Any, x: Pair, a: Pair, b: Pair, value: Any = 1) -> Any:
    return (x + as_pair(value) * (a * b)).error


@rule("addcdiv")
def _addcdiv(_func: Any, _out: Any, x: Pair, a: Pair, b: Pair, value: Any = 1) -> Any:
    return (x + as_pair(value) * (a / b)).error


@rule("pow")
def _pow(_func: Any, out: Tensor, base: Any, exponent: Any) -> Any:
    if isinstance(exponent, Pair) or not isinstance(base, Pair):
        raise NotImplementedError("a tensor as exponent")
    x, e, p = base.value, base.error, float(exponent)
    if p in (0.0, 1.0):
        return e if p else 0.0
    ulps = {2.0: 1.0, 3.0: 2.0, 0.5: 2.0, -1.0: 1.0, -0.5: 3.0, -2.0: 2.0}.get(p, 8.0)
    size = abs(x)
    far = size + e if p >= 1 else size - e
    slope = torch.where(
        far > 0, abs(p) * far.clamp_min(0.0) ** (p - 1), 0.0 if p >= 1 else torch.inf
    )
    spread = torch.where(torch.as_tensor(e) > 0, slope * e, 0.0)
    if p.is_integer() and p < 0:
        spread = torch.where((far <= 0) & (torch.as_tensor(e) > 0), torch.inf, spread)
    return spread + ulps * UNIT * abs(out)


def _unary(name: str, spread: Callable[[Tensor, Any, Tensor], Any], ulps: float = 8.0) -> None:
    @rule(name)
    def _entry(_func: Any, out: Tensor, x: Pair, *_rest: Any) -> Any:
        own = ulps * UNIT * abs(out)
        if not isinstance(x.error, Tensor) and x.error == 0.0:
            return own
        moved = spread(x.value, x.error, out)
        return moved + own + ulps * UNIT * moved


# x, e, f(x) -> bound on |f(x + d) - f(x)| for |d| <= e.
_unary("exp", lambda x, e, y: y * torch.expm1(e))
_unary("expm1", lambda x, e, y: torch.exp(x) * torch.expm1(e))
_unary("log", lambda x, e, y: -torch.log1p(-e / x))
_unary("log1p", lambda x, e, y: -torch.log1p(-e / (1 + x)))
_unary("sqrt", lambda x, e, y: e / (y + torch.sqrt((x - e).clamp_min(0.0))), ulps=2.0)
_unary("rsqrt", lambda x, e, y: e / 2 * (x - e).clamp_min(0.0) ** -1.5, ulps=4.0)
_unary("tanh", lambda x, e, y: e * (1 - y * y) + e * e)
_unary("sigmoid", lambda x, e, y: e * y * (1 - y) + e * e)
_unary("sin", lambda x, e, y: e * abs(torch.cos(x)) + e * e)
_unary("cos", lambda x, e, y: e * abs(torch.sin(x)) + e * e)
_unary("softplus", lambda x, e, y: e)
_unary("silu", lambda x, e, y: 1.1 * e)


@rule("tanh_backward")
def _tanh_backward(_func: Any, _out: Any, grad: Pair, out: Pair) -> Any:
    return (grad * (Pair(1.0) - out * out)).error


@rule("sigmoid_backward")
def _sigmoid_backward(_func: Any, _out: Any, grad: Pair, out: Pair) -> Any:
    return (grad * (Pair(1.0) - out) * out).error + 2 * UNIT * abs(grad.value * out.value)


@rule("softplus_backward")
def _softplus_backward(_func: Any, _out: Any, grad: Pair, x: Pair, *_rest: Any) -> Any:
    s = torch.sigmoid(x.value)
    return (grad * Pair(s, x.error * s * (1 - s) + x.error * x.error + 4 * LIBRARY * s)).error


def _contract(length: Callable[[Tensor, Tensor], int]) -> Rule:
    def apply(func: Any, _out: Any, a: Pair, b: Pair) -> Any:
        top, other = abs(a.value), abs(b.value)
        error = func(top, gamma(length(top, other)) * other + full_error(b))
        if isinstance(a.error, Tensor):
            error = error + func(a.error, other + full_error(b))
        return error

    return apply


for _name in ("mm", "mv", "dot", "vdot", "bmm"):
    rule(_name)(_contract(lambda a, b: a.shape[-1]))


@rule("addmm", "addmv")
def _addmm(
    _func: Any, out: Tensor, x: Pair, a: Pair, b: Pair, beta: Any = 1, alpha: Any = 1
) -> Any:
    if beta != 1 or alpha != 1:
        raise NotImplementedError("addmm with factors")
    top, other = abs(a.value), abs(b.value)
    n = top.shape[-1] + 1
    error = top @ (gamma(n) * other + full_error(b)) + full_error(a) @ (other + full_error(b))
    return error + x.error + gamma(n) * abs(x.value) + UNIT * abs(out)


@rule("sum", "mean", "cumsum")
def _sum(func: Any, out: Tensor, x: Pair, *args: Any, **kwargs: Any) -> Any:
    n = x.value.numel()
    moved = func(full_error(x), *args, **kwargs)
    return moved + gamma(n) * func(abs(x.value), *args, **kwargs) + UNIT * abs(out)


@rule("trace")
def _trace(_func: Any, _out: Any, x: Pair) -> Any:
    n = x.value.shape[0]
    return full_error(x).trace() + gamma(n) * abs(x.value).trace()


@rule("linalg_vector_norm")
def _norm(func: Any, out: Tensor, x: Pair, order: Any = 2, *args: Any, **kwargs: Any) -> Any:
    moved = func(full_error(x), order, *args, **kwargs)
    return moved + gamma(x.value.numel() + 4) * out


@rule("_log_softmax")
def _log_softmax(_func: Any, out: Tensor, x: Pair, dim: int, _half: Any) -> Any:
    most = full_error(x).amax(dim, keepdim=True)
    return 2 * most + gamma(x.value.shape[dim] + 16) * (1 + abs(out) + abs(x.value))


@rule("_log_softmax_backward_data")
def _log_softmax_backward(
    _func: Any, _out: Any, grad: Pair, out: Pair, dim: int, _dtype: Any
) -> Any:
    n = grad.value.shape[dim]
    total = grad.value.sum(dim, keepdim=True)
    slack = full_error(grad).sum(dim, keepdim=True)
    slack = slack + gamma(n) * abs(grad.value).sum(dim, keepdim=True)
    soft = torch.exp(out.value)
    moved = soft * torch.expm1(full_error(out)) + LIBRARY * soft
    return (grad - Pair(soft, moved) * Pair(total, slack)).error


@rule("logsumexp")
def _logsumexp(_func: Any, out: Tensor, x: Pair, dim: Any, keepdim: bool = False) -> Any:
    most = full_error(x).amax(dim, keepdim=keepdim)
    return most + gamma(x.value.numel() + 16) * (1 + abs(out))


# Results that depend on no entry (shapes, constants, masks): exact.
for _name in (
    *("zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full"),
    *("new_empty", "zeros", "ones", "full", "empty", "eye", "arange", "scalar_tensor", "fill"),
    *("zero", "new_empty_strided", "empty_strided", "eq", "ne", "lt", "le", "gt", "ge", "isnan"),
    *("logical_and", "logical_or", "logical_not", "bitwise_not", "isfinite", "equal", "argmax"),
    *("_local_scalar_dense", "item", "nonzero", "any", "all", "resize", "is_same_size"),
    *("tril_indices", "triu_indices", "argsort", "bitwise_and", "bitwise_or", "randn", "rand"),
):
    rule(_name)(lambda *_args, **_kwargs: 0.0)

# Views share the storage of their base, hence its errors.
VIEWS = frozenset(
    (
        *("view", "t", "transpose", "permute", "expand", "unsqueeze", "squeeze", "select", "slice"),
        *("alias", "detach", "as_strided", "_reshape_alias", "diagonal", "unbind", "split"),
        *("squeeze_", "unsqueeze_", "t_", "transpose_", "swapaxes_", "as_strided_", "detach_"),
        *("narrow", "unfold", "split_with_sizes", "movedim", "swapaxes", "set_data", "chunk"),
    )
)
