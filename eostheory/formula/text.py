"""Plain-text form of a formula, readable and unambiguous."""

from __future__ import annotations

from eostheory.formula.nodes import (
    Add,
    Apply,
    Dot,
    Expr,
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
)

_SUM, _PRODUCT, _POWER, _ATOM = range(4)


def to_text(expr: Expr) -> str:
    """``expr`` in Python-like notation."""
    return _render(expr, _SUM)


def _render(expr: Expr, level: int) -> str:
    text, own = _parts(expr)
    return f"({text})" if own < level else text


def _parts(expr: Expr) -> tuple[str, int]:
    match expr:
        case Number(value):
            if value < 0:
                return str(value), _SUM
            return str(value), _ATOM if value.denominator == 1 else _PRODUCT
        case Symbol(name=name):
            return name, _ATOM
        case Identity(dim):
            return f"I[{dim}]", _ATOM
        case Add(terms):
            pieces = [_render(t, _SUM) for t in terms]
            text = pieces[0]
            for piece in pieces[1:]:
                text += f" - {piece[1:]}" if piece.startswith("-") else f" + {piece}"
            return text, _SUM
        case Mul(factors):
            if isinstance(factors[0], Number) and factors[0].value == -1 and len(factors) > 1:
                return "-" + "*".join(_render(f, _PRODUCT + 1) for f in factors[1:]), _SUM
            head = _render(factors[0], _SUM if isinstance(factors[0], Number) else _PRODUCT + 1)
            tail = [_render(f, _PRODUCT + 1) for f in factors[1:]]
            return "*".join([head, *tail]), _SUM if head.startswith("-") else _PRODUCT
        case Power(base, exponent):
            return f"{_render(base, _ATOM)}**{_render(exponent, _ATOM)}", _POWER
        case MatMul(factors):
            return " @ ".join(_render(f, _POWER) for f in factors), _PRODUCT
        case Transpose(arg):
            return f"{_render(arg, _ATOM)}.T", _ATOM
        case Dot(left, right):
            return f"dot({to_text(left)}, {to_text(right)})", _ATOM
        case Norm(arg):
            return f"norm({to_text(arg)})", _ATOM
        case Trace(arg):
            return f"trace({to_text(arg)})", _ATOM
        case Outer(left, right):
            return f"outer({to_text(left)}, {to_text(right)})", _ATOM
        case Function(name, arg):
            return f"{name}({to_text(arg)})", _ATOM
        case Apply(form, args):
            return f"{form.name}[{', '.join(map(to_text, args))}]", _ATOM
    raise TypeError(f"no text form for {type(expr).__name__}")
