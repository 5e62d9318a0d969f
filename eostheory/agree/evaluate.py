"""Value of a formula on measured quantities, with a running bound on its error.

Every node adds what its own rounding may do to what its arguments' errors may do, so the bound
holds for the formula as it is evaluated here, cancellation included.  All quantities carry a
leading batch axis: one pass evaluates a formula on every observation of an instance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from eostheory.agree.functions import EvaluationError, Val, function, power
from eostheory.agree.measured import TINY, UNIT, Array, Measured, as_array, exact, gamma
from eostheory.formula.nodes import (
    Add,
    Apply,
    Dim,
    Dot,
    Expr,
    FormSymbol,
    Function,
    Identity,
    MatMul,
    Mul,
    Norm,
    Number,
    Outer,
    Power,
    Symbol,
    Trace,
    Transpose,
    forms_of,
    symbols_of,
)

FormValue = Callable[..., Any] | Array | Measured
Table = Mapping[Any, Any]


@dataclass(frozen=True)
class Batch:
    """Several observations with the same symbols and sizes, stacked.

    Args:
        values: symbol -> stacked values and errors.
        forms: multilinear map -> its binding in each observation.
        sizes: symbolic size -> number.
        count: number of observations.
    """

    values: Mapping[Symbol, Val]
    forms: Mapping[FormSymbol, tuple[FormValue, ...]]
    sizes: Mapping[str, int]
    count: int
    memo: dict[Expr, Val] = field(default_factory=dict, compare=False)


def sizes_of(table: Table) -> dict[str, int]:
    """The symbolic sizes as the bound quantities have them.

    Raises:
        EvaluationError: a quantity of another shape than its symbol, or two sizes of one name.
    """
    sizes: dict[str, int] = {}

    def meet(name: str, dims: tuple[Dim, ...], shape: tuple[int, ...]) -> None:
        if len(dims) != len(shape):
            raise EvaluationError(
                f"{name} has shape {dims}, but was given a value of shape {shape}"
            )
        for dim, size in zip(dims, shape, strict=True):
            known = dim if isinstance(dim, int) else sizes.setdefault(dim, size)
            if known != size:
                raise EvaluationError(
                    f"{name} of shape {dims} was given a value of shape {shape}, "
                    f"but {dim} = {known}"
                )

    for key, value in table.items():
        if isinstance(key, Symbol):
            meet(key.name, key.shape, np.shape(exact(value).value))
        elif isinstance(value, Measured | np.ndarray) or hasattr(value, "detach"):
            meet(key.name, (key.dim,) * (key.arity + 1), np.shape(exact(value).value))
    return sizes


def stack(tables: list[Table]) -> Batch:
    """Observations with the same keys and sizes as one batch."""
    values: dict[Symbol, Val] = {}
    forms: dict[FormSymbol, tuple[FormValue, ...]] = {}
    for key in tables[0]:
        if isinstance(key, Symbol):
            cells = [exact(t[key]) for t in tables]
            value = np.stack([as_array(c.value) for c in cells])
            error = np.stack([np.broadcast_to(as_array(c.error), c.shape) for c in cells])
            values[key] = Val(value, error)
        else:
            forms[key] = tuple(t[key] for t in tables)
    return Batch(values, forms, sizes_of(tables[0]), len(tables))


def evaluate(expr: Expr, table: Table) -> Measured:
    """``expr`` on the quantities of ``table``, with a bound on the error.

    ``table`` gives each symbol a number, array, tensor (taken as exact) or :class:`Measured`;
    each multilinear map a dense array of ``arity + 1`` axes or a callable on arrays.

    Raises:
        EvaluationError: a symbol without value, sizes that disagree, a value outside the domain
            of a function.
    """
    needed: set[Symbol | FormSymbol] = {*symbols_of(expr), *forms_of(expr)}
    if missing := sorted(s.name for s in needed if s not in table):
        raise EvaluationError(f"{expr}: no value given for {', '.join(missing)}")
    batch = stack([dict(table)])
    value, error = evaluate_batch(expr, batch)
    if value.ndim == 1:
        return Measured(float(value[0]), float(error[0]))
    return Measured(value[0], np.broadcast_to(error, value.shape)[0].copy())


def evaluate_batch(expr: Expr, batch: Batch) -> Val:
    """Values and errors of ``expr`` on every observation; sub-expressions are remembered."""
    if (known := batch.memo.get(expr)) is not None:
        return known
    with np.errstate(all="ignore"):
        value, error = _node(expr, batch)
        # The bounds are computed in floating point too; this pays for their own rounding.
        error = error * (1 + 2.0**-40)
    if np.isnan(value).any():
        raise EvaluationError(f"{expr} has no real value on this instance")
    result = Val(value, np.where(np.isnan(error), np.inf, error))
    batch.memo[expr] = result
    return result


def _node(expr: Expr, batch: Batch) -> tuple[Array, Array]:
    match expr:
        case Number(number):
            return _number(number)
        case Symbol():
            if expr not in batch.values:
                raise EvaluationError(f"no value given for {expr.name}")
            return batch.values[expr]
        case Identity(dim):
            size = dim if isinstance(dim, int) else batch.sizes.get(dim)
            if size is None:
                raise EvaluationError(f"no observed quantity has the size {dim}")
            return np.eye(size)[None], np.zeros((1, size, size))
    parts = [evaluate_batch(c, batch) for c in expr.children]
    match expr:
        case Add():
            return _sum(parts)
        case Mul():
            return _product(parts)
        case Power(exponent=exponent):
            whole = exponent.value if isinstance(exponent, Number) else None
            return power(parts[0], parts[1], whole)
        case MatMul():
            return _chain(parts)
        case Transpose():
            return np.swapaxes(parts[0].value, 1, 2), np.swapaxes(parts[0].error, 1, 2)
        case Dot():
            return _contract("bi,bi->b", parts[0], parts[1], parts[0].value.shape[-1])
        case Outer():
            return _contract("bi,bj->bij", parts[0], parts[1], 1)
        case Norm():
            return _norm(parts[0])
        case Trace():
            value, error = parts[0]
            diagonal = np.abs(value).trace(axis1=1, axis2=2)
            return (
                value.trace(axis1=1, axis2=2),
                error.trace(axis1=1, axis2=2) + gamma(value.shape[-1]) * diagonal,
            )
        case Function(name=name):
            return function(name, parts[0])
        case Apply(form=form):
            return _apply(form, parts, batch)
    raise TypeError(f"no value for {type(expr).__name__}")


def _number(number: Fraction) -> tuple[Array, Array]:
    cell = exact(number)
    return np.array([cell.value]), np.array([cell.error])


def _fit(part: Val, ndim: int) -> Val:
    shape = (part.value.shape[0],) + (1,) * (ndim - 1)
    if part.value.ndim == ndim:
        return part
    return Val(part.value.reshape(shape), part.error.reshape(shape))


def _sum(parts: list[Val]) -> tuple[Array, Array]:
    value, error = parts[0]
    for term, slack in parts[1:]:
        value = value + term
        error = error + slack + UNIT * np.abs(value)
    return value, error


def _product(parts: list[Val]) -> tuple[Array, Array]:
    ndim = max(p.value.ndim for p in parts)
    value, error = _fit(parts[0], ndim)
    for factor in parts[1:]:
        other, slack = _fit(factor, ndim)
        error = np.abs(value) * slack + np.abs(other) * error + error * slack
        value = value * other
        error = error + UNIT * np.abs(value) + TINY
    return value, error


def _contract(signature: str, left: Val, right: Val, length: int) -> tuple[Array, Array]:
    value = np.einsum(signature, left.value, right.value)
    a, b = np.abs(left.value), np.abs(right.value)
    error = np.einsum(signature, a, right.error + gamma(length) * b)
    error = error + np.einsum(signature, left.error, b + right.error)
    return value, error + length * TINY


def _chain(parts: list[Val]) -> tuple[Array, Array]:
    # From the right, so that a chain ending in a vector costs matrix-vector products only.
    result = parts[-1]
    for part in reversed(parts[:-1]):
        signature = "bij,bj->bi" if result.value.ndim == 2 else "bij,bjk->bik"
        result = Val(*_contract(signature, part, result, part.value.shape[-1]))
    return result


def _norm(part: Val) -> tuple[Array, Array]:
    flat = part.value.reshape(part.value.shape[0], -1)
    slack = np.broadcast_to(part.error, part.value.shape).reshape(flat.shape)
    # Scaling by the largest entry keeps tiny and huge vectors from under- and overflowing.
    top = np.max(np.abs(flat), axis=1, initial=0.0)
    safe = np.where((top > 0) & np.isfinite(top), top, 1.0)
    value = safe * np.sqrt(np.sum((flat / safe[:, None]) ** 2, axis=1))
    return value, np.linalg.norm(slack, axis=1) + gamma(flat.shape[1] + 6) * value


def _apply(form: FormSymbol, parts: list[Val], batch: Batch) -> tuple[Array, Array]:
    if form not in batch.forms:
        raise EvaluationError(f"no value given for the multilinear map {form.name}")
    rows = [
        _apply_one(
            bound, [Val(p.value[i % len(p.value)], p.error[i % len(p.error)]) for p in parts]
        )
        for i, bound in enumerate(batch.forms[form])
    ]
    return np.stack([r.value for r in rows]), np.stack([r.error for r in rows])


def _apply_one(bound: FormValue, parts: list[Val]) -> Val:
    size = parts[0].value.shape[-1]
    if isinstance(bound, Measured | np.ndarray) or hasattr(bound, "detach"):
        cell = exact(bound)
        tensor, slack = as_array(cell.value), np.broadcast_to(as_array(cell.error), cell.shape)
        big, spread = np.abs(tensor), slack
        for value, error in reversed(parts):
            top = np.abs(value)
            spread = spread @ (top + error) + big @ (error + gamma(size) * top)
            tensor, big = tensor @ value, big @ top
        return Val(tensor, spread)
    outcome = exact(bound(*(p.value for p in parts)))
    error = np.broadcast_to(as_array(outcome.error), outcome.shape).copy()
    rng = np.random.default_rng(0)
    for axis, part in enumerate(parts):
        length = float(np.linalg.norm(part.error))
        if length == 0.0:
            continue
        # The map is linear in this argument.  Gaussian directions z have E|A z|^2 = |A|_F^2, so
        # 16 times the largest of four bounds the Frobenius norm but for odds below 1e-5
        # (reached when the map has rank one).
        probes = []
        for _ in range(4):
            args: list[Any] = [p.value for p in parts]
            args[axis] = rng.standard_normal(size)
            probes.append(float(np.linalg.norm(as_array(exact(bound(*args)).value))))
        error += 16 * max(probes) * length
    return Val(as_array(outcome.value), error)
