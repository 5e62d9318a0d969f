"""From sympy to torch: a short program of elementary steps, printed as source or run as it is.

Nothing is compiled from text: :class:`TorchFunction` interprets the same list of steps that its
``source`` prints.  Equal sub-expressions are computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sympy

if TYPE_CHECKING:
    from torch import Tensor

_UNARY = {
    sympy.exp: "exp",
    sympy.log: "log",
    sympy.sin: "sin",
    sympy.cos: "cos",
    sympy.tan: "tan",
    sympy.sinh: "sinh",
    sympy.cosh: "cosh",
    sympy.tanh: "tanh",
    sympy.atan: "atan",
    sympy.Abs: "abs",
    sympy.sign: "sign",
}


class Unsupported(TypeError):
    """An expression without a torch form."""


@dataclass(frozen=True)
class Step:
    """``%k = operation(arguments)``; arguments are earlier steps, input names or floats."""

    operation: str
    arguments: tuple[int | str | float, ...]


@dataclass(frozen=True)
class TorchFunction:
    """A function of named float64 tensors of one (broadcast) batch shape.

    Args:
        name: of the printed function.
        inputs: names in the order of the positional arguments.
        steps: the program.
        outputs: indices of the steps that are the entries of the result.
        shape: of the result after the batch shape; ``()`` for a scalar.
    """

    name: str
    inputs: tuple[str, ...]
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]
    shape: tuple[int, ...]

    def __call__(self, *args: Any, **named: Any) -> Tensor:
        """The value: batch shape, then :attr:`shape`; differentiable by autograd.

        Raises:
            TypeError: for missing, doubled or unknown inputs.
        """
        import torch

        values = [
            v if isinstance(v, torch.Tensor) else torch.as_tensor(v, dtype=torch.float64)
            for v in self._bind(args, named)
        ]
        like = values[0] if values else torch.zeros((), dtype=torch.float64)
        table = dict(zip(self.inputs, values, strict=True))
        done: list[Any] = []
        for step in self.steps:
            operands = [
                table[a] if isinstance(a, str) else done[a] if isinstance(a, int) else a
                for a in step.arguments
            ]
            done.append(_run(torch, step.operation, operands, like))
        parts = [done[k] for k in self.outputs]
        entries: list[Tensor] = list(torch.broadcast_tensors(*parts, *values))[: len(parts)]  # type: ignore[no-untyped-call]
        if not self.shape:
            return entries[0]
        return torch.stack(entries, dim=-1).reshape(*entries[0].shape, *self.shape)

    def at(self, point: Any, **named: Any) -> Tensor:
        """As a call, with the leading inputs stacked in the last side of ``point``: (..., D)."""
        return self(*point.unbind(-1), **named)

    def _bind(self, args: Sequence[Any], named: dict[str, Any]) -> list[Any]:
        if len(args) > len(self.inputs):
            raise TypeError(f"{self.name} takes {', '.join(self.inputs)}, not {len(args)} values")
        table = dict(zip(self.inputs, args, strict=False))
        for key, value in named.items():
            if key not in self.inputs:
                raise TypeError(f"{self.name} has no input {key!r}: {', '.join(self.inputs)}")
            if key in table:
                raise TypeError(f"{self.name} got {key!r} twice")
            table[key] = value
        if missing := [k for k in self.inputs if k not in table]:
            raise TypeError(f"{self.name} lacks {', '.join(missing)}")
        return [table[k] for k in self.inputs]

    @property
    def source(self) -> str:
        """The same program as Python source."""
        inputs = {name: _identifier(name) for name in self.inputs}
        names: dict[int, str] = {}

        def operand(a: int | str | float) -> str:
            if isinstance(a, str):
                return inputs[a]
            return names[a] if isinstance(a, int) else repr(a)

        lines = ["import torch", "", ""]
        lines.append(f"def {self.name}({', '.join(inputs.values())}):")
        lines.append('    """float64 tensors of one (broadcast) batch shape."""')
        like = next(iter(inputs.values()), None)
        for k, step in enumerate(self.steps):
            if step.operation == "input" or (step.operation == "constant" and like):
                names[k] = operand(step.arguments[0])
                if not (step.operation == "constant" and k in self.outputs):
                    continue
            text = _text(step.operation, [operand(a) for a in step.arguments], like)
            names[k] = f"t{k}"
            lines.append(f"    t{k} = {text}")
        listed = ", ".join([*(names[k] for k in self.outputs), *inputs.values()])
        count = len(self.outputs)
        lines.append(f"    parts = torch.broadcast_tensors({listed})[:{count}]")
        if not self.shape:
            lines.append("    return parts[0]")
        elif len(self.shape) == 1:
            lines.append("    return torch.stack(parts, dim=-1)")
        else:
            shape = ", ".join(map(str, self.shape))
            lines.append("    flat = torch.stack(parts, dim=-1)")
            lines.append(f"    return flat.reshape(*flat.shape[:-1], {shape})")
        return "\n".join(lines) + "\n"


_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/"}


def _run(torch: Any, operation: str, operands: list[Any], like: Any) -> Any:
    match operation:
        case "constant":
            return torch.full((), operands[0], dtype=like.dtype, device=like.device)
        case "add":
            return operands[0] + operands[1]
        case "sub":
            return operands[0] - operands[1]
        case "mul":
            return operands[0] * operands[1]
        case "div":
            return operands[0] / operands[1]
        case "neg":
            return -operands[0]
        case "input":
            return operands[0]
        case "pow":
            return torch.pow(*operands)
    return getattr(torch, operation)(operands[0])


def _text(operation: str, operands: list[str], like: str | None) -> str:
    match operation:
        case "constant" if like is None:
            return f"torch.tensor({operands[0]}, dtype=torch.float64)"
        case "constant":
            return f"torch.full((), {operands[0]}, dtype={like}.dtype, device={like}.device)"
        case "add" | "sub" | "mul" | "div":
            return f"{operands[0]} {_INFIX[operation]} {operands[1]}"
        case "neg":
            return f"-{operands[0]}"
        case "input":
            return operands[0]
    return f"torch.{operation}({', '.join(operands)})"


def _identifier(name: str) -> str:
    import keyword

    text = "".join(c if c.isalnum() or c == "_" else "_" for c in name)
    return text + "_" if keyword.iskeyword(text) or not text.isidentifier() else text


class _Lowering:
    """Hash-consed steps."""

    def __init__(self, names: Callable[[sympy.Symbol], str]) -> None:
        self.steps: list[Step] = []
        self.index: dict[Step, int] = {}
        self.memo: dict[sympy.Basic, int] = {}
        self.names = names

    def emit(self, operation: str, *arguments: int | str | float) -> int:
        step = Step(operation, arguments)
        if step not in self.index:
            self.index[step] = len(self.steps)
            self.steps.append(step)
        return self.index[step]

    def lower(self, expr: sympy.Expr) -> int:
        found = self.memo.get(expr)
        if found is None:
            found = self.memo[expr] = self._lower(expr)
        return found

    def _lower(self, expr: sympy.Expr) -> int:
        if expr.is_Symbol:
            return self.emit("input", self.names(expr))
        if expr.is_number and not expr.has(sympy.I):
            return self.emit("constant", float(expr.evalf(25)))
        if expr.is_Add:
            return self._sum(expr)
        if expr.is_Mul:
            return self._product(expr)
        if expr.is_Pow:
            return self._power(*expr.args)
        for kind, name in _UNARY.items():
            if isinstance(expr, kind):
                return self.emit(name, self.lower(expr.args[0]))
        raise Unsupported(f"no torch form for {expr} ({type(expr).__name__})")

    def _sum(self, expr: sympy.Expr) -> int:
        total: int | None = None
        # positive terms first, so that a difference is one step
        terms = sorted(expr.as_ordered_terms(), key=lambda t: t.could_extract_minus_sign())
        for term in terms:
            minus = term.could_extract_minus_sign()
            value = self.lower(-term if minus and total is not None else term)
            if total is None:
                total = value
            else:
                total = self.emit("sub" if minus else "add", total, value)
        assert total is not None
        return total

    def _product(self, expr: sympy.Expr) -> int:
        over, under = [], []
        for factor in expr.as_ordered_factors():
            base, exponent = factor.as_base_exp()
            if exponent.is_Rational and exponent < 0:
                under.append(base**-exponent)
            elif factor.is_Rational and factor.q != 1:
                over.append(sympy.Integer(factor.p))
                under.append(sympy.Integer(factor.q))
            else:
                over.append(factor)
        over = [f for f in over if f != 1]
        negative = sympy.Integer(-1) in over
        if negative:
            over.remove(sympy.Integer(-1))
        top = self._chain(over or [sympy.Integer(1)])
        if under:
            top = self.emit("div", top, self._chain(under))
        return self.emit("neg", top) if negative else top

    def _chain(self, factors: list[sympy.Expr]) -> int:
        value = self.lower(factors[0])
        for factor in factors[1:]:
            value = self.emit("mul", value, self.lower(factor))
        return value

    def _power(self, base: sympy.Expr, exponent: sympy.Expr) -> int:
        if base == sympy.E:
            return self.emit("exp", self.lower(exponent))
        if exponent.is_Rational and exponent < 0:
            return self.emit("div", self.emit("constant", 1.0), self.lower(base**-exponent))
        value = self.lower(base)
        if exponent.is_Rational and exponent.q == 2 and exponent.p < 64:
            root = self.emit("sqrt", value)
            whole = (exponent.p - 1) // 2
            return self.emit("mul", self._whole(value, whole), root) if whole else root
        if exponent.is_Integer and exponent < 64:
            return self._whole(value, int(exponent))
        return self.emit("pow", value, self.lower(exponent))

    def _whole(self, value: int, exponent: int) -> int:
        """By repeated squaring."""
        if exponent == 1:
            return value
        half = self._whole(value, exponent // 2)
        square = self.emit("mul", half, half)
        return self.emit("mul", square, value) if exponent % 2 else square


def lower(
    value: sympy.Expr | sympy.MatrixBase | Sequence[sympy.Expr],
    inputs: Sequence[sympy.Symbol] = (),
    name: str = "derived",
) -> TorchFunction:
    """``value`` as a torch function of ``inputs``, then its other symbols in order of name.

    A matrix gives shape ``(rows, columns)``, a column ``(rows,)``, a sequence ``(length,)``.

    Raises:
        Unsupported: for what torch lacks, or two symbols of one name.
    """
    if isinstance(value, sympy.MatrixBase):
        entries = list(value)
        shape: tuple[int, ...] = value.shape if value.shape[1] != 1 else (value.shape[0],)
    elif isinstance(value, sympy.Expr):
        entries, shape = [value], ()
    elif isinstance(value, tuple | list) and all(isinstance(e, sympy.Expr) for e in value):
        entries, shape = list(value), (len(value),)
    else:
        raise Unsupported(f"{name} is no number, vector or matrix: {value}")
    free = set().union(*(e.free_symbols for e in entries)) - set(inputs)
    ordered = [*inputs, *sorted(free, key=lambda s: str(s.name))]
    names = [str(s.name) for s in ordered]
    if len(set(map(_identifier, names))) != len(names):
        raise Unsupported(f"two inputs share a name: {', '.join(names)}")
    program = _Lowering(lambda s: str(s.name))
    outputs = tuple(program.lower(e) for e in entries)
    return TorchFunction(_identifier(name), tuple(names), tuple(program.steps), outputs, shape)
