"""What is run: a recurrence in sympy, with named parameters and recorded observables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sympy
from sympy import Expr, Symbol


@dataclass(frozen=True)
class Recurrence:
    """``x_{t+1} = F(x_t; p)`` in real scalars, one trajectory for each start and parameter.

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
        if not self.record:
            object.__setattr__(self, "record", tuple((str(s), s) for s in self.state))
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

    def _closed(self, where: str, expressions: Iterable[Expr], known: set[Symbol]) -> None:
        for expression in expressions:
            free = sympy.Add(expression).free_symbols - known
            if free:
                listed = ", ".join(sorted(map(str, free)))
                raise ValueError(
                    f"{self.name}: {where} uses {listed}, which is neither state nor parameter; "
                    "add it to the parameters or give it a value"
                )

    @property
    def observables(self) -> tuple[str, ...]:
        """Names of what is recorded, in the order of a record's rows."""
        return tuple(name for name, _ in self.record)
