"""What is run: a recurrence in sympy, with named parameters and recorded observables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sympy
from sympy import Expr, Symbol


@dataclass(frozen=True)
class Recurrence:
    """``x_{t+1} = F(x_t; p)`` in real scalars, one trajectory for each start and parameter.

    Numbers may stand for expressions, and lists for tuples.

    Args:
        name: what it is called in messages and plots.
        state: the variables x, in the order of the rows of a start.
        update: the next value of each of them, in terms of state, parameters and locals.
        parameters: constants of a trajectory (step size, weight decay, ...).
        record: name and expression of each observable.  It is evaluated on the state after the
            step; by default the state itself.
        locals: names for intermediate expressions of the update, each in terms of what stands
            before it.  They keep a formula small whose expanded form would not be; observables
            do not see them.

    Raises:
        ValueError: sizes that do not fit, a name used twice, or a symbol that is defined nowhere.
        TypeError: something other than a symbol where one is needed.
    """

    name: str
    state: tuple[Symbol, ...]
    update: tuple[Expr, ...]
    parameters: tuple[Symbol, ...] = ()
    record: tuple[tuple[str, Expr], ...] = ()
    locals: tuple[tuple[Symbol, Expr], ...] = ()

    def __post_init__(self) -> None:
        own = {
            "state": tuple(self.state),
            "parameters": tuple(self.parameters),
            "update": tuple(self._expression("update", e) for e in self.update),
            "record": self._pairs("record") or tuple((str(s), s) for s in self.state),
            "locals": self._pairs("locals"),
        }
        for name, value in own.items():
            object.__setattr__(self, name, value)
        named = [*self.state, *self.parameters, *(s for s, _ in self.locals)]
        for symbol in named:
            if not isinstance(symbol, Symbol):
                raise TypeError(f"{self.name}: {symbol!r} is not a sympy Symbol")
        names = [str(s) for s in named]
        if doubled := sorted({n for n in names if names.count(n) > 1}):
            raise ValueError(f"{self.name}: {', '.join(doubled)} named twice")
        if not self.state:
            raise ValueError(f"{self.name}: a recurrence needs at least one state variable")
        if len(self.update) != len(self.state):
            raise ValueError(
                f"{self.name}: {len(self.state)} state variables, {len(self.update)} updates"
            )
        observed = [n for n, _ in self.record]
        if doubled := sorted({n for n in observed if observed.count(n) > 1}):
            raise ValueError(f"{self.name}: {', '.join(doubled)} recorded twice")
        known = {*self.state, *self.parameters}
        self._closed("record", (e for _, e in self.record), known)
        for symbol, expression in self.locals:
            self._closed(f"local {symbol}", (expression,), known)
            known.add(symbol)
        self._closed("update", self.update, known)

    def _expression(self, where: str, value: object) -> Expr:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return sympy.Number(value)
        if isinstance(value, Expr):
            return value
        raise TypeError(
            f"{self.name}: {where} has {value!r}, a {type(value).__name__}, where a real sympy "
            "expression is expected (a condition is one as Piecewise((1, condition), (0, True)))"
        )

    def _pairs(self, where: str) -> tuple[tuple[Any, Expr], ...]:
        pairs = tuple(getattr(self, where))
        if not all(isinstance(p, tuple | list) and len(p) == 2 for p in pairs):
            raise TypeError(f"{self.name}: {where} is not a tuple of pairs (name, expression)")
        return tuple((name, self._expression(f"{where} {name}", e)) for name, e in pairs)

    def _closed(self, where: str, expressions: Iterable[Expr], known: set[Symbol]) -> None:
        for expression in expressions:
            free = expression.free_symbols - known
            if free:
                listed = ", ".join(sorted(map(str, free)))
                alike = {str(s) for s in free} & {str(s) for s in known}
                remedy = (
                    f"the known {', '.join(sorted(alike))} has other assumptions (real=True?)"
                    if alike
                    else "add it to the parameters or give it a value"
                )
                raise ValueError(
                    f"{self.name}: {where} uses {listed}, which is neither state nor parameter; "
                    f"{remedy}"
                )

    @property
    def observables(self) -> tuple[str, ...]:
        """Names of what is recorded, in the order of a record's rows."""
        return tuple(name for name, _ in self.record)
