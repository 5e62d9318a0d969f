"""LaTeX form of a formula, for reading beside the paper's own."""

from __future__ import annotations

from fractions import Fraction

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

_NAMES = {
    "log": r"\log",
    "exp": r"\exp",
    "sign": r"\operatorname{sign}",
    "lambertw": r"W_0",
    "lambertwm1": r"W_{-1}",
    "sin": r"\sin",
    "cos": r"\cos",
    "tanh": r"\tanh",
}


def to_latex(expr: Expr) -> str:
    """``expr`` as LaTeX (mathematics mode, no delimiters)."""
    return _render(expr, _SUM)


def _render(expr: Expr, level: int) -> str:
    text, own = _parts(expr)
    return rf"\left({text}\right)" if own < level else text


def _number(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    sign = "-" if value < 0 else ""
    return rf"{sign}\tfrac{{{abs(value.numerator)}}}{{{value.denominator}}}"


def _product(factors: tuple[Expr, ...]) -> tuple[str, int]:
    sign = ""
    if isinstance(factors[0], Number) and factors[0].value < 0:
        sign = "-"
        rest = factors[1:]
        value = -factors[0].value
        factors = rest if value == 1 and rest else (Number(value), *rest)
    over: list[Expr] = []
    under: list[Expr] = []
    for factor in factors:
        if (
            isinstance(factor, Power)
            and isinstance(factor.exponent, Number)
            and factor.exponent.value < 0
        ):
            flipped = Number(-factor.exponent.value)
            under.append(factor.base if flipped.value == 1 else Power(factor.base, flipped))
        else:
            over.append(factor)
    if under:
        top = _product(tuple(over))[0] if over else "1"
        bottom = to_latex(under[0]) if len(under) == 1 else _product(tuple(under))[0]
        body, level = rf"\frac{{{top}}}{{{bottom}}}", _POWER
    else:
        pieces = [_render(f, _PRODUCT if len(over) == 1 else _POWER) for f in over]
        body = pieces[0]
        for piece in pieces[1:]:
            body += (r" \cdot " if piece[0].isdigit() else r" \, ") + piece
        level = _PRODUCT
    return sign + body, _SUM if sign else level


def _parts(expr: Expr) -> tuple[str, int]:
    match expr:
        case Number(value):
            return _number(value), _SUM if value < 0 else _ATOM
        case Symbol(name=name, latex=latex):
            plain = name.replace("_", r"\_")
            return latex or rf"\mathrm{{{plain}}}", _ATOM
        case Identity():
            return "I", _ATOM
        case Add(terms):
            text = _render(terms[0], _SUM)
            for term in terms[1:]:
                piece = _render(term, _SUM)
                text += f" {piece}" if piece.startswith("-") else f" + {piece}"
            return text, _SUM
        case Mul(factors):
            return _product(factors)
        case Power(base, exponent):
            if isinstance(exponent, Number) and exponent.value < 0:
                return _product((expr,))
            if isinstance(base, Norm | Dot):
                return f"{to_latex(base)}^{{{to_latex(exponent)}}}", _POWER
            return f"{_render(base, _ATOM)}^{{{to_latex(exponent)}}}", _POWER
        case MatMul(factors):
            return r" \, ".join(_render(f, _POWER) for f in factors), _PRODUCT
        case Transpose(arg):
            return rf"{_render(arg, _ATOM)}^{{\top}}", _POWER
        case Dot(left, right):
            return rf"\langle {to_latex(left)}, {to_latex(right)} \rangle", _ATOM
        case Norm(arg):
            return rf"\lVert {to_latex(arg)} \rVert", _ATOM
        case Trace(arg):
            return rf"\operatorname{{tr}}\left({to_latex(arg)}\right)", _ATOM
        case Outer(left, right):
            return rf"{_render(left, _POWER)} \, {_render(right, _ATOM)}^{{\top}}", _PRODUCT
        case Function("sqrt", arg):
            return rf"\sqrt{{{to_latex(arg)}}}", _ATOM
        case Function("abs", arg):
            return rf"\lvert {to_latex(arg)} \rvert", _ATOM
        case Function(name, arg):
            return rf"{_NAMES[name]}\left({to_latex(arg)}\right)", _ATOM
        case Apply(form, args):
            return rf"{form.latex or form.name}\left[{', '.join(map(to_latex, args))}\right]", _ATOM
    raise TypeError(f"no LaTeX form for {type(expr).__name__}")
