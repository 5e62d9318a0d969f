"""Formulas of symbolic size as sympy matrix expressions, and as torch functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sympy

from eostheory.derive.errors import DerivationError
from eostheory.formula import Expr, Symbol, symbols_of
from eostheory.formula.core import Add, Dim, Function, Mul, Number, Power
from eostheory.formula.tensors import Dot, Identity, MatMul, Norm, Outer, Trace, Transpose
from eostheory.symbolic.convert import to_sympy

if TYPE_CHECKING:
    from torch import Tensor


def to_matrix_expression(expr: Expr) -> Any:
    """The same formula with sympy's matrix symbols; a vector is a column."""
    match expr:
        case Symbol(dims=()):
            return to_sympy(expr)
        case Symbol():
            return sympy.MatrixSymbol(expr.name, *_sides(expr))
        case Number():
            return to_sympy(expr)
        case Identity(dim):
            return sympy.Identity(_side(dim))
        case Add(terms):
            parts = [to_matrix_expression(t) for t in terms]
            return sympy.Add(*parts) if expr.shape == () else sympy.MatAdd(*parts)
        case Mul(factors):
            parts = [to_matrix_expression(f) for f in factors]
            return sympy.Mul(*parts) if expr.shape == () else sympy.MatMul(*parts)
        case MatMul(factors):
            return sympy.MatMul(*(to_matrix_expression(f) for f in factors))
        case Transpose(arg):
            return to_matrix_expression(arg).T
        case Dot(left, right):
            return _scalar(to_matrix_expression(left).T * to_matrix_expression(right))
        case Norm(arg):
            inner = to_matrix_expression(arg)
            square = (
                _scalar(inner.T * inner) if len(arg.shape) == 1 else sympy.Trace(inner.T * inner)
            )
            return sympy.sqrt(square)
        case Trace(arg):
            return sympy.Trace(to_matrix_expression(arg))
        case Outer(left, right):
            return to_matrix_expression(left) * to_matrix_expression(right).T
        case Power(base, exponent):
            return to_matrix_expression(base) ** to_matrix_expression(exponent)
        case Function(name, arg):
            letter = Symbol("_argument", ())
            whole = to_sympy(Function(name, letter))
            return whole.subs(to_sympy(letter), to_matrix_expression(arg))
    raise TypeError(f"{expr} has no form in sympy")


def _scalar(matrix: Any) -> sympy.Expr:
    """The entry of a 1x1 matrix expression."""
    return matrix[0, 0] if matrix.shape == (1, 1) else matrix


def _sides(expr: Symbol) -> tuple[Any, Any]:
    rows, *columns = [_side(d) for d in expr.shape]
    return (rows, columns[0]) if columns else (rows, sympy.Integer(1))


def _side(dim: Dim) -> Any:
    if isinstance(dim, int):
        return sympy.Integer(dim)
    return sympy.Symbol(dim, integer=True, positive=True)


@dataclass(frozen=True)
class FormulaFunction:
    """A formula as a function of named tensors, each with leading batch sides.

    Scalars that count a side (``n``, ``width_m``) may be left out.
    """

    name: str
    expr: Expr

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the symbols, in order."""
        return tuple(sorted(s.name for s in symbols_of(self.expr)))

    @property
    def source(self) -> str:
        """The formula as torch source."""
        inputs = ", ".join(self.inputs)
        return (
            f"import torch\n\n\ndef {self.name}({inputs}):\n"
            f'    """Tensors of float64; leading sides are a batch."""\n'
            f"    return {_source(self.expr)}\n"
        )

    def __call__(self, **named: Any) -> Tensor:
        """The value.

        Raises:
            TypeError: for missing or unknown inputs, or shapes that do not fit.
        """
        import torch

        if unknown := set(named) - set(self.inputs):
            raise TypeError(f"{self.name} takes {', '.join(self.inputs)}, not {min(unknown)}")
        table: dict[str, Tensor] = {}
        sizes: dict[str, int] = {}
        for symbol in sorted(symbols_of(self.expr), key=lambda s: (not s.shape, s.name)):
            if symbol.name not in named and _counts(symbol) in sizes:
                table[symbol.name] = torch.tensor(
                    float(sizes[_counts(symbol)]), dtype=torch.float64
                )
                continue
            if symbol.name not in named:
                raise TypeError(f"{self.name} lacks {symbol.name}")
            value = torch.as_tensor(named[symbol.name], dtype=torch.float64)
            shape = value.shape[value.dim() - len(symbol.shape) :] if symbol.shape else ()
            if len(shape) != len(symbol.shape):
                raise TypeError(f"{symbol.name} has shape {tuple(value.shape)}, not {symbol.shape}")
            for side, have in zip(symbol.shape, shape, strict=True):
                want = side if isinstance(side, int) else sizes.setdefault(side, have)
                if want != have:
                    raise TypeError(f"{symbol.name} has a side of {have}, but {side} is {want}")
            table[symbol.name] = value
        result: Tensor = _value(self.expr, table, sizes)
        return result


def _counts(symbol: Symbol) -> str:
    """The side whose length a scalar is: ``n``, or ``m`` for ``width_m``."""
    return symbol.name.removeprefix("width_")


def exact_value(expr: Expr, values: Mapping[str, Any]) -> Any:
    """The exact value at sympy matrices and scalars; a vector is a column.

    Raises:
        DerivationError: for a missing value or a shape that does not fit.
    """
    sizes: dict[str, int] = {}
    for symbol in symbols_of(expr):
        if symbol.shape and symbol.name in values:
            matrix = values[symbol.name]
            have = matrix.shape if len(symbol.shape) == 2 else (matrix.shape[0],)
            for side, length in zip(symbol.shape, have, strict=True):
                want = side if isinstance(side, int) else sizes.setdefault(side, length)
                if want != length:
                    raise DerivationError(f"{symbol.name} has a side of {length}, {side} is {want}")
    table: dict[str, Any] = dict(values)
    for symbol in symbols_of(expr):
        if symbol.name not in table:
            if symbol.shape or _counts(symbol) not in sizes:
                raise DerivationError(f"{symbol.name} has no value")
            table[symbol.name] = sympy.Integer(sizes[_counts(symbol)])
    value = _exact(expr, table, sizes)
    expanded = value.applyfunc(sympy.expand) if expr.shape else sympy.expand(value)
    return sympy.ImmutableMatrix(expanded) if expr.shape else expanded


def _exact(expr: Expr, table: Mapping[str, Any], sizes: Mapping[str, int]) -> Any:
    def get(e: Expr) -> Any:
        return _exact(e, table, sizes)

    match expr:
        case Number():
            return to_sympy(expr)
        case Symbol():
            value = table[expr.name]
            return sympy.Matrix(value) if expr.shape else value
        case Identity(dim):
            return sympy.eye(dim if isinstance(dim, int) else sizes[dim])
        case Add(terms):
            total = get(terms[0])
            for term in terms[1:]:
                total = total + get(term)
            return total
        case Mul(factors) | MatMul(factors):
            product: Any = sympy.Integer(1)
            for factor in factors:
                product = product * get(factor)
            return product
        case Transpose(arg):
            return get(arg).T
        case Dot(left, right):
            return (get(left).T * get(right))[0]
        case Norm(arg):
            return sympy.sqrt(sum(e**2 for e in get(arg)))
        case Trace(arg):
            return get(arg).trace()
        case Outer(left, right):
            return get(left) * get(right).T
        case Power(base, exponent):
            return get(base) ** get(exponent)
        case Function(name, arg):
            letter = Symbol("_argument", ())
            return to_sympy(Function(name, letter)).subs(to_sympy(letter), get(arg))
    raise TypeError(f"{expr} has no exact value")


def formula_function(expr: Expr, name: str) -> FormulaFunction:
    """A formula of symbolic size as a torch function of its symbols, by name."""
    return FormulaFunction(name, expr)


def _value(expr: Expr, table: Mapping[str, Any], sizes: Mapping[str, int]) -> Any:
    import torch

    def get(e: Expr) -> Any:
        return _value(e, table, sizes)

    match expr:
        case Number(value):
            return torch.tensor(float(value), dtype=torch.float64)
        case Symbol():
            return table[expr.name]
        case Identity(dim):
            return torch.eye(dim if isinstance(dim, int) else sizes[dim], dtype=torch.float64)
        case Add(terms):
            return sum((get(t) for t in terms[1:]), get(terms[0]))
        case Mul(factors):
            total: Any = torch.tensor(1.0, dtype=torch.float64)
            for factor in factors:
                value = get(factor)
                if factor.shape == () and expr.shape:
                    value = value.reshape(*value.shape, *[1] * len(expr.shape))
                total = total * value
            return total
        case MatMul(factors):
            value = get(factors[-1])
            vector = len(factors[-1].shape) == 1
            value = value.unsqueeze(-1) if vector else value
            for factor in reversed(factors[:-1]):
                value = get(factor) @ value
            return value.squeeze(-1) if vector else value
        case Transpose(arg):
            return get(arg).mT
        case Dot(left, right):
            return (get(left) * get(right)).sum(-1)
        case Norm(arg):
            value = get(arg)
            sides = (-1,) if len(arg.shape) == 1 else (-2, -1)
            return (value * value).sum(sides).sqrt()
        case Trace(arg):
            return get(arg).diagonal(dim1=-2, dim2=-1).sum(-1)
        case Outer(left, right):
            return get(left).unsqueeze(-1) * get(right).unsqueeze(-2)
        case Power(base, exponent):
            return get(base) ** get(exponent)
        case Function(name, arg):
            return getattr(torch, name)(get(arg))
    raise TypeError(f"{expr} has no form in torch")


def _source(expr: Expr) -> str:
    match expr:
        case Number(value):
            return repr(float(value))
        case Symbol(name=name):
            return name
        case Identity(dim):
            return f"torch.eye({dim}, dtype=torch.float64)"
        case Add(terms):
            return "(" + " + ".join(map(_source, terms)) + ")"
        case Mul(factors):
            rank = len(expr.shape)
            index = f"[..., {', '.join(['None'] * rank)}]" if rank else ""
            parts = [
                _source(f)
                if f.shape or isinstance(f, Number) or not rank
                else f"({_source(f)}){index}"
                for f in factors
            ]
            return " * ".join(parts)
        case MatMul(factors):
            vector = len(factors[-1].shape) == 1
            parts = [_source(f) for f in factors]
            parts[-1] += "[..., None]" if vector else ""
            return "(" + " @ ".join(parts) + ")" + ("[..., 0]" if vector else "")
        case Transpose(arg):
            return f"{_source(arg)}.mT"
        case Dot(left, right):
            return f"({_source(left)} * {_source(right)}).sum(-1)"
        case Norm(arg):
            sides = "(-1,)" if len(arg.shape) == 1 else "(-2, -1)"
            return f"({_source(arg)} ** 2).sum({sides}).sqrt()"
        case Trace(arg):
            return f"{_source(arg)}.diagonal(dim1=-2, dim2=-1).sum(-1)"
        case Outer(left, right):
            return f"({_source(left)}[..., :, None] * {_source(right)}[..., None, :])"
        case Power(base, exponent):
            return f"({_source(base)}) ** ({_source(exponent)})"
        case Function(name, arg):
            return f"torch.{name}({_source(arg)})"
    raise TypeError(f"{expr} has no form in torch")
