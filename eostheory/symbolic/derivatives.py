"""Exact derivatives of formulas in vectors and matrices of symbolic size.

The derivative in a direction is taken on the formula, before any relation is applied: a relation
that holds at a point (``norm2(w) = 1``) says nothing about its neighbourhood.  Generators other
than the variable are constants.  Gradients and Hessians are read off the normal form, which is
linear in the direction.
"""

from __future__ import annotations

from fractions import Fraction

from flint import fmpq

from eostheory.formula import Expr, ShapeError, Symbol, as_expr, dot, exp, lambertw, log, sqrt
from eostheory.formula.core import Add, Function, Mul, Number, Power, add
from eostheory.formula.tensors import (
    Apply,
    Dot,
    Identity,
    MatMul,
    Norm,
    Outer,
    Trace,
    Transpose,
)
from eostheory.symbolic.letters import UNIT, Tensor, Word
from eostheory.symbolic.lower import Kernel
from eostheory.symbolic.scalars import Poly


def directional(kernel: Kernel, expr: Expr, wrt: Symbol, direction: Expr) -> Expr:
    """The derivative of ``expr`` at ``wrt`` along ``direction``, as a formula."""
    if wrt.shape != direction.shape:
        raise ShapeError(f"direction {direction} of shape {direction.shape} for {wrt.shape} {wrt}")
    if wrt in kernel.definitions:
        raise ValueError(f"{wrt} is defined as {kernel.definitions[wrt]}; differentiate by a free "
                         "symbol, or leave it undefined")  # fmt: skip
    memo: dict[Expr, Expr | None] = {}
    found = _derive(kernel, expr, wrt, direction, memo)
    return zero_like(expr) if found is None else found


def zero_like(expr: Expr) -> Expr:
    """Zero of the shape of ``expr``."""
    return Number(Fraction(0)) if expr.shape == () else Mul((Number(Fraction(0)), expr))


def _derive(
    kernel: Kernel, expr: Expr, wrt: Symbol, v: Expr, memo: dict[Expr, Expr | None]
) -> Expr | None:
    """The derivative, None when it vanishes."""
    if expr not in memo:
        memo[expr] = _node(kernel, expr, wrt, v, memo)
    return memo[expr]


def _node(
    kernel: Kernel, expr: Expr, wrt: Symbol, v: Expr, memo: dict[Expr, Expr | None]
) -> Expr | None:
    def d(part: Expr) -> Expr | None:
        return _derive(kernel, part, wrt, v, memo)

    match expr:
        case Symbol():
            if expr == wrt:
                return v
            definition = kernel.definitions.get(expr)
            return None if definition is None else d(definition)
        case Number() | Identity():
            return None
        case Power(base, exponent):
            return _sum([_power_base(base, exponent, d(base)), _power_exponent(expr, d(exponent))])
        case Norm(arg):
            inner = d(arg)
            if inner is None:
                return None
            if len(arg.shape) == 1:
                return dot(arg, inner) / expr
            return Trace(arg.T @ inner) / expr
        case Function(name, arg):
            inner = d(arg)
            return None if inner is None else _slope(name, arg, expr) * inner
        case Add(terms):
            return _sum([d(t) for t in terms])
        case Mul() | MatMul() | Dot() | Outer() | Transpose() | Trace() | Apply():
            # each of these is linear in every child
            pieces = []
            for i, child in enumerate(expr.children):
                inner = d(child)
                if inner is not None:
                    new = (*expr.children[:i], inner, *expr.children[i + 1 :])
                    pieces.append(expr.rebuild(new))
            return _sum([*pieces])
    raise TypeError(f"no derivative for {type(expr).__name__}: {expr}")


def _sum(parts: list[Expr | None]) -> Expr | None:
    present = [p for p in parts if p is not None]
    return add(*present) if present else None


def _power_base(base: Expr, exponent: Expr, inner: Expr | None) -> Expr | None:
    if inner is None:
        return None
    if isinstance(exponent, Number):
        if exponent.value == 1:
            return inner
        return exponent * Power(base, Number(exponent.value - 1)) * inner
    return exponent * Power(base, exponent - 1) * inner


def _power_exponent(expr: Power, inner: Expr | None) -> Expr | None:
    return None if inner is None else expr * log(expr.base) * inner


def _slope(name: str, arg: Expr, value: Expr) -> Expr:
    match name:
        case "log":
            return 1 / arg
        case "exp":
            return exp(arg)
        case "sqrt":
            return 1 / (2 * sqrt(arg))
        case "sin":
            return Function("cos", arg)
        case "cos":
            return -Function("sin", arg)
        case "tanh":
            return as_expr(1) - value**2
        case "abs":
            return value / arg
        case "lambertw" | "lambertwm1":
            w = lambertw(arg, 0 if name == "lambertw" else -1)
            return w / (arg * (1 + w))
    raise ValueError(f"{name} has no derivative everywhere; differentiate on a domain without it")


# ---------------------------------------------------------------- reading off a linear map
def riesz(kernel: Kernel, linear: Poly, letter: int) -> Tensor:
    """The ``G`` with ``linear = <G, letter>``, for a scalar that is linear in ``letter``."""
    words = kernel.words
    info = words.letters[letter]
    total = words.zero(info.row, info.col)
    for mono, c in linear.terms.items():
        inside = []
        for atom, exponent in mono:
            if letter in letters_of_atom(kernel, atom):
                inside.append((atom, exponent))
        if len(inside) != 1 or inside[0][1] != 1:
            raise ValueError("the expression is not linear in the direction")
        rest = tuple(item for item in mono if item != inside[0])
        coefficient = Poly(kernel.field, {rest: c})
        gradient = _read(kernel, inside[0][0], letter)
        total = total + gradient.scale(coefficient)
    return total


def letters_of_atom(kernel: Kernel, atom: int) -> set[int]:
    """Every letter, transposed ones as their column form, that an atom is made of."""
    info = kernel.field.atoms[atom]
    match info.kind:
        case "pair" | "trace":
            return letters_of_word(kernel, info.key)
        case "form":
            return letters_of_word(kernel, kernel.words.form_word(info.key))
        case "base" | "abs" | "sign":
            return letters_of_poly(kernel, info.key)
        case "function":
            return letters_of_poly(kernel, info.key[1])
        case "exp":
            return letters_of_poly(kernel, Poly(kernel.field, {info.key: fmpq(1)}))
        case "pow":
            inner, mono = info.key
            both = letters_of_poly(kernel, Poly(kernel.field, {mono: fmpq(1)}))
            return both | letters_of_poly(kernel, inner)
    return set()


def letters_of_poly(kernel: Kernel, poly: Poly) -> set[int]:
    """Every letter that a scalar is made of."""
    return {x for atom in poly.atoms() for x in letters_of_atom(kernel, atom)}


def letters_of_word(kernel: Kernel, word: Word) -> set[int]:
    """Every letter of a word, the arguments of forms included."""
    found: set[int] = set()
    for x in word:
        letter = kernel.words.letters[x]
        found.add(kernel.words.mate[x] if letter.transposed else x)
        for arg in letter.args:
            found |= letters_of_word(kernel, arg)
    return found


def _read(kernel: Kernel, atom: int, letter: int) -> Tensor:
    """The gradient of one pairing or trace with respect to a letter that it holds once."""
    info = kernel.field.atoms[atom]
    words = kernel.words
    if info.kind == "form":
        form, slots = info.key
        spots = [i for i, slot in enumerate(slots) if letter in letters_of_word(kernel, slot)]
        slot = slots[spots[0]]
        rest = slots[: spots[0]] + slots[spots[0] + 1 :]
        value = words.apply(form, tuple(words.word_tensor(s) for s in rest))
        if len(spots) != 1 or slot[-1] != letter:
            raise ValueError("the direction stands inside a nested form; contract it by hand")
        if len(slot) > 1:
            product = words.matmul(words.word_tensor(words.transposed_word(slot[:-1])), value)
            assert isinstance(product, Tensor)
            return product
        return value
    word: Word = info.key
    if info.kind not in ("pair", "trace"):
        raise ValueError("the expression is not linear in the direction")
    mate = words.mate[letter]
    for i, x in enumerate(word):
        if x in (letter, mate):
            # tr(p x q) = tr(q p x): the gradient is the transpose of q p, or q p for x transposed
            turned = word[i + 1 :] + word[:i]
            if x == letter:
                turned = words.transposed_word(turned)
            row, col = words.letters[letter].row, words.letters[letter].col
            if not turned:
                return words.identity(row)
            value_ = words.value(turned)
            if isinstance(value_, Poly):  # the pairing of a vector of one component
                raise ValueError("the expression is not linear in the direction")
            assert (value_.row, value_.col) == (row, col)
            return value_
    raise ValueError(
        "the direction stands inside a form that is not known to be fully symmetric: the gradient "
        "needs its adjoint. Declare fully_symmetric(form) if it is a derivative tensor"
    )


def strip(kernel: Kernel, linear: Tensor, letter: int) -> Tensor:
    """The matrix ``A`` with ``linear = A @ letter``, for a vector that is linear in ``letter``."""
    words = kernel.words
    info = words.letters[letter]
    total = words.zero(linear.row, info.row)
    for word, coefficient in linear.terms.items():
        held = letter in letters_of_word(kernel, word)
        if not held:
            covector = riesz(kernel, coefficient, letter)
            column = Tensor(linear.row, UNIT, {word: kernel.field.const(1)})
            product = words.matmul(column, words.transpose(covector))
            assert isinstance(product, Tensor)
            total = total + product
        elif word[-1] == letter and letter not in letters_of_word(kernel, word[:-1]):
            matrix = words.word_tensor(word[:-1]) if word[:-1] else words.identity(info.row)
            total = total + matrix.scale(coefficient)
        else:
            raise ValueError(
                "the second derivative holds a form with one open slot, which is no formula: "
                "use differentiate twice, along two directions"
            )
    return total
