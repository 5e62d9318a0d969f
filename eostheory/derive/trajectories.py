"""From what was derived to what runs: results as recurrences for compiled trajectories."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import sympy
from sympy import Expr, Symbol

from eostheory.derive.errors import DerivationError
from eostheory.derive.flows import Flow, LossDerivatives
from eostheory.derive.losses import LossGeometry
from eostheory.derive.manifold import SharpnessFlow
from eostheory.derive.predicted import GeneralizedDynamics, PredictedDynamics
from eostheory.derive.result import Derived
from eostheory.derive.schedulers import Scheduler
from eostheory.trajectories import Recurrence
from eostheory.trajectories import rules as _rules
from eostheory.trajectories.rules_gradient import constants_of, observed, unused
from eostheory.trajectories.rules_schedulers import SQUARE
from eostheory.trajectories.rules_schedulers import Scheduler as Rule

Record = Mapping[str, object]
_Observables = tuple[tuple[str, Expr], ...]


def trajectory(
    derived: Derived,
    *,
    loss: Expr | None = None,
    variables: Sequence[Symbol] | None = None,
    sphere: bool = True,
    eta: object = None,
    weight_decay: object = None,
    record: Record | None = None,
) -> Recurrence:
    """The recurrence of a derived result, to be run by :mod:`eostheory.trajectories`.

    - a loss (``loss()``, ``batchnorm(X, y)``): gradient descent on it;
    - predicted dynamics: x and y where they close up, else the displacement;
      generalized ones: x and y;
    - a scheduler: its RMS-drift map over two steps, in h and u; with a ``loss`` and its
      ``variables``, (projected) gradient descent with the rate that was derived;
    - a flow, a sharpness-reduction flow: classical Runge-Kutta steps of the parameter ``dt``.

    Constants become parameters.

    Args:
        derived: what ``eostheory.derive`` returned.
        loss: what a scheduler's rate descends.
        variables: the variables of that loss.
        sphere: descend on the unit sphere; for a scheduler with a loss.
        eta: step size; by default that of the result, else the parameter ``eta``.
        weight_decay: as in ``gradient_descent``; for a loss.
        record: name and expression of each observable; the usual ones by default.

    Raises:
        DerivationError: for what has no trajectory (a formula of symbolic size, dynamics along a
            path of several reference points).
        ValueError, TypeError: as the rules in :mod:`eostheory.trajectories`.
    """
    if (loss is None) != (variables is None):
        raise DerivationError("a loss comes with its variables: give both or neither")
    if loss is not None and not isinstance(derived, Scheduler):
        raise DerivationError(f"a loss belongs to a scheduler; this is the {derived.title}")
    if _is_batchnorm(derived):
        weights, value = derived.weights, derived.loss  # type: ignore[attr-defined]
        return _rules.gradient_descent(value, weights, eta, weight_decay, record)
    unused_ones = [n for n, v in (("eta", eta), ("weight_decay", weight_decay)) if v is not None]
    if unused_ones and not isinstance(derived, LossGeometry | LossDerivatives):
        raise DerivationError(f"{unused_ones[0]} belongs to a loss; this is the {derived.title}")
    match derived:
        case LossGeometry():
            step = derived.eta if eta is None else eta
            return _rules.gradient_descent(derived.loss, derived.params, step, weight_decay, record)
        case LossDerivatives():
            return _rules.gradient_descent(derived.value, derived.params, eta, weight_decay, record)
        case PredictedDynamics() | GeneralizedDynamics():
            return _plane(derived, record)
        case Scheduler() if loss is None or variables is None:
            return _drift(derived, record)
        case Scheduler():
            rule = update_rule(derived)
            if sphere:
                return _rules.projected_gradient_descent(loss, variables, rule, record)
            return _rules.gradient_descent(loss, variables, record=record, scheduler=rule)
        case Flow():
            seen = () if derived.invariant is None else (("invariant", derived.invariant),)
            return _flow("flow", derived.coords, derived.speeds, seen, record)
        case SharpnessFlow():
            seen = (("sharpness", derived.sharpness),)
            return _flow(derived.title, derived.coords, derived.speeds, seen, record)
    raise DerivationError(f"the {derived.title or type(derived).__name__} has no trajectory")


def _is_batchnorm(derived: Derived) -> bool:
    """A BatchNormData; importing its module here would hide the function of that name."""
    return type(derived).__name__ == "BatchNormData"


def update_rule(scheduler: Scheduler, gradient: Symbol | None = None) -> Rule:
    """A derived scheduler as a rule for descents: its state is the moment estimate.

    A start of the moment is ``scheduler.moment`` at the start of the rule it was derived from.

    Args:
        scheduler: what ``derive.scheduler`` returned.
        gradient: the symbol of the gradient's norm it was derived with; needed only where no base
            learning rate was found.

    Raises:
        DerivationError: no base learning rate, and no gradient to write the rule in instead.
    """
    update = scheduler.moment_next
    moment = _letter(update, "v")
    rate = 1 / sympy.sqrt(moment) + scheduler.rate_error
    if scheduler.base is not None and scheduler.decay is not None:
        letter = _letter(update, "gbar")
        table = {letter: sympy.sqrt(SQUARE) / scheduler.base}
        if not isinstance(scheduler.decay, Symbol):
            # the moment is written with a letter for the decay rate
            table |= dict.fromkeys(_letters(update, "beta")[-1:], scheduler.decay)
    elif gradient is not None:
        table = {gradient: sympy.sqrt(SQUARE)}
    else:
        raise DerivationError(
            "no base learning rate was found for this rule; name the symbol of the gradient's "
            "norm (gradient=...)"
        )
    # subs, not xreplace: even powers of the norm become powers of its square
    return Rule("derived rate", rate.subs(table), (moment,), (update.subs(table),))


def _letters(expr: Expr, name: str) -> list[Symbol]:
    """Symbols called so, perhaps with ``_0`` behind the name; our own letter is the last."""
    found = (s for s in expr.free_symbols if re.fullmatch(rf"{name}(_0)*", str(s)))
    return sorted(found, key=lambda s: len(str(s)))


def _letter(expr: Expr, name: str) -> Symbol:
    found = _letters(expr, name)
    if not found:
        raise DerivationError(f"the recursion {expr} does not have the form of a moment estimate")
    return found[-1]


def _made(
    name: str,
    state: Sequence[Symbol],
    update: Sequence[Expr],
    record: Record | None,
    usual: _Observables,
    locals_: Sequence[tuple[Symbol, Expr]] = (),
) -> Recurrence:
    shown = tuple((k, _numeric(e)) for k, e in observed(record, lambda: usual))
    update = [_numeric(e) for e in update]
    locals_ = [(s, _numeric(e)) for s, e in locals_]
    inside = {*state, *(s for s, _ in locals_)}
    whole = (*update, *(e for _, e in locals_), *(e for _, e in shown))
    return Recurrence(
        name, tuple(state), tuple(update), constants_of(whole, inside), shown, tuple(locals_)
    )


def _numeric(expr: Expr) -> Expr:
    """With the roots of polynomials as numbers of forty digits."""
    roots = expr.atoms(sympy.CRootOf)
    return expr.xreplace({r: r.evalf(40) for r in roots}) if roots else expr


def _plane(derived: PredictedDynamics | GeneralizedDynamics, record: Record | None) -> Recurrence:
    x, y = derived.x, derived.y
    if derived.y_next is not None:
        usual: list[tuple[str, Expr]] = [(str(x), x), (str(y), y)]
        update = (derived.x_next, derived.y_next)
        return _made(derived.title, (x, y), update, record, tuple(usual))
    if isinstance(derived, GeneralizedDynamics):
        raise DerivationError(f"x and y do not close up: {derived._why('y_next')}")
    if len(derived.path) > 1:
        raise DerivationError(
            "the reference point moves along a path; a recurrence has the same step every time"
        )
    here, v = derived.path[0], sympy.Matrix(derived.displacement)
    plane = ((str(x), here.eigenvector.dot(v)), (str(y), here.transverse.dot(v)))
    usual = [*((str(s), s) for s in v), *plane]
    return _made(derived.title, derived.displacement, tuple(derived.step), record, tuple(usual))


def _drift(derived: Scheduler, record: Record | None) -> Recurrence:
    if derived.h_next is None or derived.u_next is None:
        raise DerivationError(f"no RMS-drift was derived: {derived._why('h_next')}")
    h, u = _letter(derived.u_next, "h"), _letter(derived.u_next, "u")
    usual = ((str(h), h), (str(u), u))
    return _made("RMS-drift", (h, u), (derived.h_next, derived.u_next), record, usual)


def _flow(
    name: str, coords: Sequence[Symbol], speeds: Any, more: _Observables, record: Record | None
) -> Recurrence:
    """Steps of the classical Runge-Kutta method of order four."""
    field = tuple(speeds)
    taken = {str(s) for e in (*field, *coords) for s in e.free_symbols}
    dt = Symbol(unused("dt", taken), positive=True)
    locals_: list[tuple[Symbol, Expr]] = []
    stages: list[list[Symbol]] = []
    for number, share in enumerate((None, sympy.Rational(1, 2), sympy.Rational(1, 2), 1), 1):
        at: dict[Symbol, Symbol] = {}
        if share is not None:
            for c, slope in zip(coords, stages[-1], strict=True):
                at[c] = Symbol(unused(f"at_{number}_{c}", taken), real=True)
                locals_.append((at[c], c + share * dt * slope))
        stages.append([Symbol(unused(f"slope_{number}_{c}", taken), real=True) for c in coords])
        locals_ += zip(stages[-1], (e.xreplace(at) for e in field), strict=True)
    update = [
        c + dt / 6 * (a + 2 * b + 2 * m + e) for c, a, b, m, e in zip(coords, *stages, strict=True)
    ]
    usual = (*((str(c), c) for c in coords), *more)
    return _made(name, coords, update, record, usual, locals_)
