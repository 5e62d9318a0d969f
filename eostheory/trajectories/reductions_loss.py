"""Reductions of gradient descent on sympy losses: directions, dropped variables."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import sympy
from sympy import Expr, Float, Rational, Symbol

from eostheory.trajectories.recurrence import Recurrence
from eostheory.trajectories.reductions_base import (
    DECAY,
    ETA,
    Closed,
    Reduction,
)
from eostheory.trajectories.rules import gradient_descent, projected_gradient_descent
from eostheory.trajectories.rules_gradient import SMALL, Problem, check_problem
from eostheory.trajectories.rules_losses import self_stabilisation_toy
from eostheory.trajectories.rules_schedulers import weight_decay_scheduler

if TYPE_CHECKING:
    from torch import Tensor


def closes(recurrence: Recurrence, record: Sequence[str] | None = None) -> Recurrence:
    """The smallest recurrence that still carries what is recorded.

    Variables that neither the observables nor, through the update, any kept variable needs are
    left out: the ``z`` of damian23's toy, or the memory of a scheduler whose rate nobody uses.

    Args:
        recurrence: any recurrence.
        record: names of the observables to keep (default: all).

    Raises:
        ValueError: an unknown observable.
    """
    known = dict(recurrence.record)
    names = recurrence.observables if record is None else tuple(record)
    if unknown := [n for n in names if n not in known]:
        raise ValueError(
            f"{recurrence.name} records {', '.join(known)}, not {', '.join(unknown)}; name some of "
            "these, or build the recurrence with that observable"
        )
    meaning = dict(recurrence.locals)
    update = dict(zip(recurrence.state, recurrence.update, strict=True))
    needed: set[Symbol] = set()
    waiting: list[Symbol] = [s for n in names for s in known[n].free_symbols]
    while waiting:
        symbol = waiting.pop()
        if symbol in needed:
            continue
        needed.add(symbol)
        following = update.get(symbol, meaning.get(symbol))
        if following is not None:
            waiting.extend(sympy.Add(following).free_symbols)
    state = tuple(s for s in recurrence.state if s in needed)
    if not state:
        raise ValueError(f"{', '.join(names)} of {recurrence.name} depends on no state variable")
    return Recurrence(
        recurrence.name,
        state,
        tuple(update[s] for s in state),
        tuple(p for p in recurrence.parameters if p in needed),
        tuple((n, known[n]) for n in names),
        tuple((s, e) for s, e in recurrence.locals if s in needed),
    )


@dataclass(frozen=True, eq=False)
class _OfLoss(Reduction):
    """A dynamics on a sympy loss; ``values`` are the numbers of its constants."""

    problem: Problem
    values: Mapping[str, float] = field(default_factory=dict)

    @property
    def full(self) -> Mapping[str, tuple[int, ...]]:
        return {"w": (len(self.problem.variables),)}

    def loss(self, *full: Tensor) -> Tensor:
        (w,) = full
        p = self.problem
        table: dict[Expr, Tensor | float] = dict(zip(p.variables, w, strict=True))
        table |= {s: self.values[str(s)] for s in _constants(p) if str(s) in self.values}
        for symbol, meaning in p.definitions:
            table[symbol] = evaluated(meaning, table)
        found: Tensor = evaluated(p.loss, table) * w.new_ones(())
        return found

    def parameters(
        self, eta: float | Tensor, weight_decay: float | Tensor = 0.0
    ) -> dict[str, float | Tensor]:
        known = {str(p) for p in self.closed.parameters}
        found = super().parameters(eta, weight_decay)
        own = self.values.get("eta")
        if own is not None and (not isinstance(eta, int | float) or eta != own):
            raise ValueError(
                f"{self.name}: the step size of this loss is {own}, given {eta!r}; "
                "they are one number"
            )
        found |= {k: v for k, v in self.values.items() if k in known}
        return found


@dataclass(frozen=True, eq=False)
class DroppedVariables(_OfLoss):
    """Gradient descent on a loss of which the observables need some variables only."""

    record: tuple[str, ...] = ()
    more: Mapping[str, Expr] = field(default_factory=dict)

    @property
    def name(self) -> str:
        plain = self.problem.name.replace(" ", "_").replace("-", "_")
        return "_without_".join([plain, *(["_".join(self.dropped)] if self.dropped else [])])

    @property
    def model(self) -> str:
        return f"gradient descent on {self.problem.name} in {self._letters}"

    @property
    def _letters(self) -> str:
        return ", ".join(map(str, self.problem.variables))

    @property
    def hypotheses(self) -> tuple[str, ...]:
        return (f"the gradient along the kept variables does not depend on {self._gone}",)

    @property
    def dropped(self) -> tuple[str, ...]:
        """The variables that nothing kept depends on."""
        return tuple(str(v) for v in self.problem.variables if v not in self.state)

    @property
    def _gone(self) -> str:
        return ", ".join(self.dropped)

    @cached_property
    def closed(self) -> Closed:
        usual = dict(gradient_descent(self.problem).record)
        whole = gradient_descent(self.problem, record={**usual, **self.more})
        found = closes(whole, self.record)
        kept = set(found.state) | set(found.parameters)
        shown = {n: e for n, e in whole.record if sympy.Add(e).free_symbols <= kept}
        return Closed(found.state, found.update, found.parameters, shown, found.locals)

    def _reduced(self, *full: Tensor) -> Tensor:
        (w,) = full
        places = [self.problem.variables.index(s) for s in self.state]
        return w.movedim(-1, 0)[places]


@dataclass(frozen=True, eq=False)
class Sphere(_OfLoss):
    """GD with weight decay on a scale-invariant loss as (direction, |w|^2): lyu22, Lemma 3.1."""

    @property
    def name(self) -> str:
        return "scale_invariant"

    @property
    def model(self) -> str:
        return f"gradient descent with weight decay on {self.problem.name}, L(c w) = L(w)"

    @property
    def hypotheses(self) -> tuple[str, ...]:
        return ("L(c w) = L(w) for every c > 0", "eta * weight_decay < 1", "w is never zero")

    @cached_property
    def closed(self) -> Closed:
        scheduler = weight_decay_scheduler(ETA, DECAY)
        (square,) = scheduler.state
        found = projected_gradient_descent(self.problem, scheduler=scheduler)
        named = dict(found.record)
        slopes = {"loss", "sharpness"} & set(named)
        shown = {
            **{n: named[n] for n in sorted(slopes)},
            "norm2": square,
            "norm": sympy.sqrt(square),
            "effective_rate": scheduler.rate,
        }
        return Closed(found.state, found.update, found.parameters, shown, found.locals)

    def parameters(
        self, eta: float | Tensor, weight_decay: float | Tensor = 0.0
    ) -> dict[str, float | Tensor]:
        import torch

        reach = torch.as_tensor(eta) * torch.as_tensor(weight_decay)
        if bool((reach >= 1).any()):
            raise ValueError(
                f"{self.name}: eta * weight_decay reaches {float(reach.max()):.6g}; with 1 or more "
                "the direction turns round, and the reduction does not hold"
            )
        return super().parameters(eta, weight_decay)

    def _reduced(self, *full: Tensor) -> Tensor:
        import torch

        (w,) = full
        square = (w * w).sum(-1)
        if bool((square == 0).any()):
            raise ValueError(f"{self.name}: w is zero and has no direction; start elsewhere")
        return torch.cat([(w / torch.sqrt(square)[..., None]).movedim(-1, 0), square[None]])


def evaluated(expr: Expr, table: Mapping[Expr, Tensor | float]) -> Tensor:
    """A sympy expression in torch, differentiable.

    Raises:
        ValueError: a symbol without a value, or a function that torch does not have.
    """
    import torch

    def go(e: Expr) -> Tensor | float:
        if e in table:
            return table[e]
        if e.is_number:
            return float(e)
        parts = [go(a) for a in e.args]
        if e.is_Add or e.is_Mul:
            whole = parts[0]
            for part in parts[1:]:
                whole = whole + part if e.is_Add else whole * part
            return whole
        if e.is_Pow:
            base, exponent = parts
            if e.exp == Rational(1, 2):
                return torch.sqrt(torch.as_tensor(base, dtype=torch.float64))
            return base**exponent
        function = getattr(torch, type(e).__name__.lower(), None) if e.is_Function else None
        if function is None:
            raise ValueError(f"{e} has no value and no counterpart in torch; give it in values")
        applied: Tensor = function(*(torch.as_tensor(p, dtype=torch.float64) for p in parts))
        return applied

    return torch.as_tensor(go(expr), dtype=torch.float64)


def _constants(problem: Problem) -> set[Symbol]:
    written = [problem.loss, *(e for _, e in problem.definitions)]
    inside = {*problem.variables, *(s for s, _ in problem.definitions)}
    return {s for e in written for s in e.free_symbols} - inside


def dropped_variables(
    loss: Expr | Problem,
    variables: Sequence[Symbol] | None = None,
    record: Sequence[str] = (),
    *,
    values: Mapping[str, float] | None = None,
    more: Mapping[str, Expr] | None = None,
) -> DroppedVariables:
    """Gradient descent on a sympy loss in those variables that the observables need.

    Args:
        loss: an expression, or one of the built-in problems.
        variables: the symbols that move.
        record: observables that must be carried: variables, ``loss``, ``sharpness``, or ``more``.
        values: numbers of the loss's constants.
        more: further observables.
    """
    chosen = _problem(loss, variables)
    return DroppedVariables(chosen, dict(values or {}), tuple(record), dict(more or {}))


def self_stabilisation(eta: float, alpha: float, beta: float) -> DroppedVariables:
    """The toy of damian23's appendix B in (x, y): ``z(t) = z(0) + eta t`` drops out."""
    values = {"eta": float(eta), "alpha": float(alpha), "beta": float(beta)}
    return dropped_variables(self_stabilisation_toy(), record=("x", "y"), values=values)


def scale_invariant(
    loss: Expr | Problem,
    variables: Sequence[Symbol] | None = None,
    *,
    values: Mapping[str, float] | None = None,
) -> Sphere:
    """GD with weight decay on a scale-invariant sympy loss as projected GD with a scheduler.

    The state is the direction ``w/|w|`` and ``|w|^2`` (lyu22, Lemma 3.1).

    Raises:
        ValueError: a loss that is not scale-invariant, or that sympy cannot show to be.
    """
    problem = _problem(loss, variables)
    if not is_scale_invariant(problem):
        raise ValueError(
            f"{problem.name} is not known to be scale-invariant: <w, grad L(w)> is not zero; "
            "only a loss with L(c w) = L(w) closes in the direction and the norm"
        )
    return Sphere(problem, dict(values or {}))


def is_scale_invariant(problem: Problem) -> bool:
    """Whether ``L(c w) = L(w)`` for c > 0.

    Compared at a few points to forty digits; for a small loss sympy proves ``<w, grad L> = 0`` too.
    """
    rng = random.Random(1)
    constants = sorted(_constants(problem), key=str)
    for factor in (Rational(7, 3), Rational(1, 5)):
        w = {v: Rational(rng.randint(20, 90), 17) for v in problem.variables}
        fixed = {c: Rational(rng.randint(20, 90), 31) for c in constants}
        here = _digits(problem, {**w, **fixed})
        there = _digits(problem, {**{v: factor * x for v, x in w.items()}, **fixed})
        if not (here.is_number and abs(here - there) <= 1e-40 * (1 + abs(here))):
            return False
    if problem.definitions or problem.loss.count_ops() > SMALL:
        return True
    # positive letters: roots of squares are plain, and the identity is analytic
    letters = {v: Symbol(f"_{v}", positive=True) for v in problem.variables}
    inner = sympy.Add(*(v * sympy.diff(problem.loss, v) for v in problem.variables))
    return bool(sympy.simplify(inner.xreplace(letters)) == 0)


def _digits(problem: Problem, table: dict[Symbol, Expr]) -> Expr:
    """The loss at a point, to fifty digits."""

    def at(e: Expr) -> Expr:
        # the doubles of the data are meant exactly
        return sympy.N(e.xreplace({f: Rational(f) for f in e.atoms(Float)}).xreplace(table), 50)

    for symbol, meaning in problem.definitions:
        table[symbol] = at(meaning)
    return at(problem.loss)


def _problem(loss: Expr | Problem, variables: Sequence[Symbol] | None) -> Problem:
    if isinstance(loss, Problem):
        return check_problem(loss)
    return check_problem(Problem(loss, tuple(variables or ())))
