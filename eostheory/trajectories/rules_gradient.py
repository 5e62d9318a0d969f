"""Gradients of sympy losses that are cheap to run: few operations, shared ones named once."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy
from sympy import Dummy, Expr, Symbol

Locals = tuple[tuple[Symbol, Expr], ...]

SMALL = 120
"""Up to so many operations an expression is rewritten in search of a cheaper form."""


@dataclass(frozen=True)
class Problem:
    """A loss that knows its variables.

    Args:
        loss: the value, in terms of variables, constants and definitions.
        variables: what a trajectory moves.
        definitions: names of intermediate expressions, each in terms of what stands before it.
            A large loss (a mean over data, a network) stays small this way.
        name: what it is called.
    """

    loss: Expr
    variables: tuple[Symbol, ...]
    definitions: Locals = ()
    name: str = "loss"


def expression(value: object, what: str) -> Expr:
    """``value`` as a real sympy expression; numbers keep their exact value.

    Raises:
        TypeError: neither an expression nor a real number.
        ValueError: an expression that is not real and finite.
    """
    if isinstance(value, bool) or not isinstance(value, Expr | numbers.Real):
        raise TypeError(
            f"{what} is {value!r} of type {type(value).__name__}; "
            "give a sympy expression or a real number"
        )
    if isinstance(value, numbers.Rational):
        return sympy.Rational(int(value.numerator), int(value.denominator))
    if isinstance(value, numbers.Real):
        value = sympy.Float(float(value))
    assert isinstance(value, Expr)
    if getattr(value, "is_Matrix", False) or value.is_commutative is False:
        raise TypeError(f"{what} is {value}, a matrix; give a scalar expression")
    wrong = value.atoms(sympy.core.numbers.ImaginaryUnit)
    wrong |= {s for s in value.free_symbols if s.is_extended_real is False}
    if wrong:
        listed = ", ".join(sorted(map(str, wrong)))
        raise ValueError(f"{what} is not real: it contains {listed}")
    if value.has(sympy.nan, sympy.zoo, sympy.oo, -sympy.oo):
        raise ValueError(f"{what} is {value}, which is not finite")
    return value


def matrix(values: Any, what: str) -> sympy.Matrix:
    """A matrix of real expressions, from rows of numbers or expressions."""
    rows = values.tolist() if hasattr(values, "tolist") else values
    return sympy.Matrix([[expression(e, f"an entry of {what}") for e in row] for row in rows])


def check_problem(problem: Problem) -> Problem:
    """The same problem, if it can be differentiated.

    Raises:
        TypeError: a variable that is not a symbol, a loss that is not an expression.
        ValueError: no variables, one listed twice, or one that the loss writes with other
            assumptions; a loss that depends on no variable, or is not real.
    """
    loss = expression(problem.loss, "the loss")
    variables = tuple(problem.variables)
    for v in variables:
        if not isinstance(v, Symbol):
            raise TypeError(f"the variable {v!r} is not a sympy Symbol")
    if not variables:
        raise ValueError("a loss needs variables: name the symbols that move")
    if len(set(variables)) != len(variables):
        raise ValueError(f"a variable is listed twice: {', '.join(map(str, variables))}")
    definitions = tuple(
        (s, expression(e, f"the definition of {s}")) for s, e in problem.definitions
    )
    used = loss.free_symbols.union(*(e.free_symbols for _, e in definitions))
    by_name = {v.name: v for v in variables}
    for symbol in sorted(used - set(variables), key=str):
        if str(symbol) in by_name:
            raise ValueError(
                f"the variable {symbol} and the {symbol} of the loss are different symbols "
                "(other assumptions): use one symbol for both"
            )
    if not used & set(variables):
        raise ValueError(f"the loss {_short(loss)} depends on none of {', '.join(by_name)}")
    return Problem(loss, variables, definitions, problem.name)


def _short(expr: Expr) -> str:
    text = str(expr)
    return text if len(text) <= 60 else text[:57] + "..."


def constants_of(expressions: Iterable[Expr], known: Iterable[Symbol]) -> tuple[Symbol, ...]:
    """Symbols of the expressions that are not known, by name."""
    inside = set(known)
    found = {s for e in expressions for s in e.free_symbols if s not in inside}
    return tuple(sorted(found, key=str))


def read_as_real(symbols: Iterable[Symbol]) -> dict[Symbol, Dummy]:
    """Stand-ins that sympy knows to be real, for symbols that were not declared so."""
    return {s: Dummy(s.name, real=True) for s in symbols if not s.is_extended_real}


def cost(expressions: Iterable[Expr], constants: Iterable[Symbol]) -> int:
    """Operations per step: shared ones once, those of constants alone not at all."""
    fixed, seen = set(constants), set[Expr]()

    def varies(e: Expr) -> bool:
        return bool(e.free_symbols - fixed)

    def visit(e: Expr) -> int:
        if e in seen or not varies(e):
            return 0
        seen.add(e)
        inner = sum(visit(a) for a in e.args)
        if e.is_Add or e.is_Mul:
            moving = sum(varies(a) for a in e.args)
            # one more operand for everything constant; a sign is part of a subtraction
            still = [a for a in e.args if not varies(a) and a != -1]
            return inner + moving + bool(still) - 1
        if e.is_Pow and e.exp.is_Rational:
            whole = abs(int(e.exp))
            root = 4 if e.exp.q == 2 else 0
            return inner + max(whole - 1, 0) + root + (4 if e.exp < 0 else 0)
        return inner if e.is_Symbol else inner + 20

    return sum(visit(e) for e in expressions)


def gradient(problem: Problem) -> tuple[Locals, tuple[Expr, ...]]:
    """Locals and the entries of the gradient in terms of them.

    A small loss is differentiated as it stands; a large one backwards through its shared
    subexpressions, so that the whole gradient costs a few times what the loss does.
    """
    if not problem.definitions and problem.loss.count_ops() <= SMALL:
        return (), differentiated(problem.loss, problem.variables)
    return backwards(problem)


def differentiated(loss: Expr, variables: Sequence[Symbol]) -> tuple[Expr, ...]:
    """Partial derivatives, factored where that makes them cheaper (and more accurate)."""
    real = read_as_real(loss.free_symbols)
    back = {v: k for k, v in real.items()}
    inside = loss.xreplace(real)
    if floats := loss.atoms(sympy.Float):
        # polynomials with rounded coefficients have no reliable factors
        inside = inside.xreplace({f: sympy.Rational(float(f)) for f in floats})
    plain = [sympy.diff(inside, real.get(v, v)).xreplace(back) for v in variables]
    constants = loss.free_symbols - set(variables)
    if sum(e.count_ops() for e in plain) > 4 * SMALL:
        return tuple(plain)
    factored = [sympy.factor(e) for e in plain]
    return min((tuple(factored), tuple(plain)), key=lambda es: cost(es, constants))


def backwards(problem: Problem) -> tuple[Locals, tuple[Expr, ...]]:
    """Reverse accumulation over the definitions of a problem, or the shared parts of its loss."""
    taken = {str(s) for s in problem.loss.free_symbols | set(problem.variables)}
    for symbol, definition in problem.definitions:
        taken |= {str(symbol), *map(str, definition.free_symbols)}
    tape, value = _in_order(problem.definitions), problem.loss
    if not tape:
        names = (s for s in sympy.numbered_symbols("shared_") if str(s) not in taken)
        tape, (value,) = sympy.cse([value], symbols=names, optimizations=None, order="none")
        taken |= {str(s) for s, _ in tape}
    tracked = set(problem.variables)
    for symbol, definition in tape:
        if definition.free_symbols & tracked:
            tracked.add(symbol)
    slopes: dict[Symbol, list[Expr]] = {}

    def push(weight: Expr, expr: Expr) -> None:
        for symbol, slope in _slopes(expr, tracked):
            slopes.setdefault(symbol, []).append(_times(weight, slope))

    push(sympy.Integer(1), value)
    steps: list[tuple[Symbol, Expr]] = list(tape)
    for symbol, definition in reversed(tape):
        total = sympy.Add(*slopes.pop(symbol, []))
        if total == 0 or symbol not in tracked:
            continue
        if not total.is_Atom:
            weight = Symbol(unused(f"slope_{symbol}", taken))
            taken.add(str(weight))
            steps.append((weight, total))
            total = weight
        push(total, definition)
    return tuple(steps), tuple(sympy.Add(*slopes.get(v, [])) for v in problem.variables)


def _slopes(expr: Expr, tracked: set[Symbol]) -> list[tuple[Symbol, Expr]]:
    """Partial derivatives of an expression, term by term: few terms mention each symbol."""
    real = read_as_real(expr.free_symbols)
    back = {v: k for k, v in real.items()}
    found: dict[Symbol, list[Expr]] = {}
    for term in sympy.Add.make_args(expr):
        inside = None
        if term.is_Mul and len(term.args) == 2 and term.args[0].is_Number:
            factor, rest = term.args
            if rest in tracked:
                found.setdefault(rest, []).append(factor)
                continue
        for symbol in sorted(term.free_symbols & tracked, key=str):
            factor, rest = term.as_independent(symbol, as_Add=False)
            if rest == symbol:
                found.setdefault(symbol, []).append(factor)
                continue
            inside = term.xreplace(real) if inside is None else inside
            slope = sympy.diff(inside, real.get(symbol, symbol)).xreplace(back)
            found.setdefault(symbol, []).append(slope)
    return [(symbol, sympy.Add(*parts)) for symbol, parts in found.items()]


def _times(weight: Expr, slope: Expr) -> Expr:
    """The product, without sympy's look at every entry of the data where there is nothing to do."""
    if weight.is_Symbol and slope.is_Float and slope not in (0, 1, -1):
        return sympy.Mul(slope, weight, evaluate=False)
    return weight * slope


def unused(name: str, taken: Collection[str]) -> str:
    """The name, with underscores behind it where it is taken."""
    while name in taken:
        name += "_"
    return name


def _in_order(pairs: Sequence[tuple[Symbol, Expr]]) -> list[tuple[Symbol, Expr]]:
    """The same definitions, each after those it uses."""
    table = dict(pairs)
    done: dict[Symbol, Expr] = {}

    def visit(symbol: Symbol) -> None:
        stack = [symbol]
        while stack:
            here = stack[-1]
            waiting = [s for s in table[here].free_symbols if s in table and s not in done]
            if here in done or not waiting:
                done.setdefault(here, table[here])
                stack.pop()
            elif set(waiting) & set(stack):
                raise ValueError(f"the definition of {here} uses itself")
            else:
                stack += sorted(waiting, key=str)

    for symbol, _ in pairs:
        visit(symbol)
    return list(done.items())


def cheapest(
    entries: Sequence[Expr],
    combine: Callable[[Sequence[Expr]], tuple[Expr, ...]],
    constants: Iterable[Symbol],
) -> tuple[Expr, ...]:
    """The update made of gradient entries, multiplied out where terms cancel.

    Powers and products inside stay as they are: multiplying those out costs accuracy.
    """
    plain = combine(entries)
    if sum(e.count_ops() for e in plain) > 4 * SMALL:
        return plain
    fixed = tuple(constants)

    def better(e: Expr) -> Expr:
        flat = sympy.expand(e, deep=False, **_DISTRIBUTE)
        flat = sympy.expand_mul(e) if flat == e else flat
        return min((e, flat), key=lambda x: cost([x], fixed))

    chosen = tuple(map(better, plain))
    return min((plain, chosen), key=lambda es: cost(es, fixed))


_DISTRIBUTE = {
    "mul": True, "multinomial": False, "power_base": False, "power_exp": False, "log": False,
    "basic": False,
}  # fmt: skip


def symbol_for(value: object, name: str, among: Iterable[Symbol], what: str) -> Expr:
    """What was given, else the symbol of that name that is in use already, else a new one."""
    if value is not None:
        return expression(value, what)
    return next((s for s in among if s.name == name), Symbol(name, real=True))


def observed(
    record: Mapping[str, object] | None, default: Callable[[], Iterable[tuple[str, Expr]]]
) -> tuple[tuple[str, Expr], ...]:
    """The observables asked for, or the usual ones.

    Raises:
        TypeError: a record that is not a mapping from names to expressions.
    """
    if record is None:
        return tuple(default())
    if not isinstance(record, Mapping):
        raise TypeError(
            f"record is of type {type(record).__name__}; give a mapping from names to expressions"
        )
    return tuple((str(k), expression(e, f"the observable {k}")) for k, e in record.items())
