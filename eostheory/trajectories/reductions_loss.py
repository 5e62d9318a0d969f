"""Reductions of gradient descent on sympy losses: directions, dropped variables, eigenvectors."""

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
    Coefficients,
    Reduction,
    finite,
    real,
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

    def _reduced(self, *full: Tensor) -> Tensor:
        import torch

        (w,) = full
        square = (w * w).sum(-1)
        return torch.cat([(w / torch.sqrt(square)[..., None]).movedim(-1, 0), square[None]])


@dataclass(frozen=True, eq=False)
class EigenCoordinates(Reduction):
    """Gradient descent on ``w'Hw/2 - b'w``: every eigenvector of H on its own."""

    hessian: Tensor
    linear: Tensor
    values: Tensor = field(init=False, repr=False)
    """Eigenvalues of H, ascending."""
    vectors: Tensor = field(init=False, repr=False)
    """Eigenvectors, columns."""

    def __post_init__(self) -> None:
        import torch

        h = finite("entries of H", self.hessian)
        if h.dim() != 2 or h.shape[0] != h.shape[1] or not torch.equal(h, h.mT):
            raise ValueError(
                f"H has shape {tuple(self.hessian.shape)}; expected a symmetric matrix, "
                "entry by entry: pass (H + H.T) / 2"
            )
        values, vectors = torch.linalg.eigh(h)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "vectors", vectors)

    @property
    def name(self) -> str:
        return "quadratic"

    @property
    def model(self) -> str:
        return "gradient descent with weight decay on w'Hw/2 - b'w"

    @property
    def hypotheses(self) -> tuple[str, ...]:
        return ("H is symmetric",)

    @property
    def full(self) -> Mapping[str, tuple[int, ...]]:
        return {"w": (len(self.hessian),)}

    @cached_property
    def closed(self) -> Closed:
        coefficient = Coefficients(as_parameters=False)
        bends = coefficient("h", self.values.tolist())
        pulls = coefficient("b", (self.vectors.T @ self.linear.to(self.vectors)).tolist())
        c = [real(f"c_{i + 1}") for i in range(len(bends))]
        slopes = [h * x - b for h, x, b in zip(bends, c, pulls, strict=True)]
        parts = zip(bends, c, pulls, strict=True)
        return Closed(
            state=tuple(c),
            update=tuple((1 - ETA * DECAY) * x - ETA * g for x, g in zip(c, slopes, strict=True)),
            parameters=(ETA, DECAY),
            observables={
                "loss": sympy.Add(*(h * x**2 / 2 - b * x for h, x, b in parts)),
                "gradient_norm": sympy.sqrt(sympy.Add(*(g**2 for g in slopes))),
                "norm2": sympy.Add(*(x**2 for x in c)),
            },
        )

    def loss(self, *full: Tensor) -> Tensor:
        (w,) = full
        h, b = self.hessian.to(w), self.linear.to(w)
        return (w * (h @ w)).sum() / 2 - (b * w).sum()

    def _reduced(self, *full: Tensor) -> Tensor:
        (w,) = full
        return (w @ self.vectors.to(w.device)).movedim(-1, 0)


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


def quadratic(hessian: Tensor, linear: Tensor | None = None) -> EigenCoordinates:
    """GD with weight decay on ``w'Hw/2 - b'w`` per eigenvector of H.

    Args:
        hessian: H, (D, D) symmetric.
        linear: b, (D,), default zero.

    Raises:
        ValueError: H is not symmetric.
    """
    return EigenCoordinates(hessian, hessian.new_zeros(len(hessian)) if linear is None else linear)


def _problem(loss: Expr | Problem, variables: Sequence[Symbol] | None) -> Problem:
    if isinstance(loss, Problem):
        return check_problem(loss)
    return check_problem(Problem(loss, tuple(variables or ())))
