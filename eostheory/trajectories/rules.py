"""Update rules of the field as recurrences: from a sympy loss to what can be compiled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sympy
from sympy import Expr, Symbol

from eostheory.trajectories.lowering import compilable
from eostheory.trajectories.recurrence import Recurrence
from eostheory.trajectories.rules_gradient import (
    Problem,
    cheapest,
    check_problem,
    constants_of,
    expression,
    gradient,
    observed,
    symbol_for,
    unused,
)
from eostheory.trajectories.rules_record import Record, usual
from eostheory.trajectories.rules_schedulers import SQUARE, Scheduler


def gradient_descent(
    loss: Expr | Problem,
    variables: Sequence[Symbol] | None = None,
    eta: object = None,
    weight_decay: object = None,
    record: Record | None = None,
    *,
    parameters: Sequence[Symbol] | None = None,
    scheduler: Scheduler | None = None,
) -> Recurrence:
    """Gradient descent ``w <- (1 - eta lambda) w - eta grad L(w)``.

    Symbols of the loss that are no variables become parameters of the trajectory, as do the step
    size and the weight decay where they are not given; in the order step size, weight decay, the
    others by name.  A loss that mentions ``eta`` itself (the toy of damian23 does) means the step
    size, and has the number in its place where one is given.

    Args:
        loss: a sympy expression, or one of the built-in problems, which bring their variables.
        variables: the symbols that move; they are the state.
        eta: step size, a number or an expression; by default the parameter ``eta``.
        weight_decay: the coefficient lambda, a number or an expression, or True for a parameter
            ``weight_decay``; none by default.
        record: name and expression of each observable, on the state after the step; by default
            the variables, the loss, and the sharpness where its closed form is cheap.
        parameters: the parameters in the order wanted; every symbol must be among them.
        scheduler: sets the step size from the gradients instead of ``eta`` (lyu22 (7)); its
            memory joins the state.

    Raises:
        TypeError: something that is no expression, number or symbol.
        ValueError: a loss that is not real, uses an undefined symbol or a function that cannot be
            compiled, or depends on none of the variables.
    """
    problem = _problem(loss, variables)
    decay = _decay(weight_decay, problem)
    if scheduler is not None:
        if eta is not None:
            raise ValueError("both eta and a scheduler are given; the scheduler sets the step size")
        return _scheduled(problem, scheduler, decay, False, record, parameters)
    step = symbol_for(eta, "eta", _symbols(problem), "eta")
    _unlike_variables(problem, (step if eta is None else 0, decay if weight_decay is True else 0))
    if step.is_number:
        # the loss means this step size, too: two of them would be another dynamics
        problem = _with_step(problem, step)
    named, entries = gradient(problem)
    constants = _parameters((step, decay), problem, (), parameters)

    def move(slopes: Sequence[Expr]) -> tuple[Expr, ...]:
        pairs = zip(problem.variables, slopes, strict=True)
        return tuple(((1 - step * decay) * w - step * g) for w, g in pairs)

    update = move(entries) if named else cheapest(entries, move, constants)
    name = "gradient descent" if decay == 0 else "gradient descent with weight decay"
    return compilable(
        Recurrence(
            name,
            problem.variables,
            update,
            constants,
            observed(record, lambda: usual(problem)),
            named,
        )
    )


def projected_gradient_descent(
    loss: Expr | Problem,
    variables: Sequence[Symbol] | None = None,
    scheduler: Scheduler | None = None,
    record: Record | None = None,
    *,
    parameters: Sequence[Symbol] | None = None,
) -> Recurrence:
    """Gradient step and back to the unit sphere: ``theta <- Pi(theta - rate grad L(theta))``.

    Starts belong on the sphere: the first rate multiplies the gradient at the start as it is.

    Args:
        loss: a sympy expression, or one of the built-in problems.
        variables: the symbols that move; they and the scheduler's memory are the state.
        scheduler: where the rate comes from; a constant rate ``eta`` by default.
        record: observables; by default variables, memory, loss, sharpness where that is cheap, and
            the rate that the next step will use where it is known before its gradient.
        parameters: the parameters in the order wanted.

    Raises:
        TypeError, ValueError: as :func:`gradient_descent`; a memory that has a variable's name.
    """
    problem = _problem(loss, variables)
    if scheduler is None:
        eta = symbol_for(None, "eta", _symbols(problem), "eta")
        scheduler = Scheduler("constant rate", eta)
    return _scheduled(problem, scheduler, sympy.Integer(0), True, record, parameters)


def rmsprop(
    loss: Expr | Problem,
    variables: Sequence[Symbol] | None = None,
    eta: object = None,
    beta: object = None,
    record: Record | None = None,
    *,
    moment: Symbol | None = None,
    parameters: Sequence[Symbol] | None = None,
) -> Recurrence:
    """Scalar RMSprop, one rate for all variables (lyu22, Definition B.1).

    ``theta <- theta - eta/sqrt(v) grad L(theta)``, then ``v <- beta v + (1 - beta) |grad L|^2``:
    the iterate moves with the moment before the gradient enters it.

    Args:
        loss: a sympy expression, or one of the built-in problems.
        variables: the symbols that move; with the moment behind them they are the state.
        eta: base learning rate; the parameter ``eta`` by default.
        beta: decay rate of the moment; the parameter ``beta`` by default (if the loss has a
            constant of that name, it is the same one: then give another symbol).
        record: observables; by default variables, moment, loss, sharpness where that is cheap, and
            the effective rate of the next step.
        moment: the symbol of the second moment; ``v`` by default.
        parameters: the parameters in the order wanted.

    Raises:
        TypeError, ValueError: as :func:`gradient_descent`.
    """
    problem = _problem(loss, variables)
    step = symbol_for(eta, "eta", _symbols(problem), "eta")
    if beta is None and any(s.name == "beta" for s in _symbols(problem)):
        raise ValueError(
            "beta is the decay rate of RMSprop, and the loss has a constant beta: "
            "give the decay rate another symbol (beta=...)"
        )
    keep = symbol_for(beta, "beta", (), "beta")
    v = Symbol("v", positive=True) if moment is None else moment
    rule = Scheduler(
        "scalar RMSprop", step / sympy.sqrt(v), (v,), (keep * v + (1 - keep) * SQUARE,)
    )
    return _scheduled(problem, rule, sympy.Integer(0), False, record, parameters, (step, keep))


def recurrence_of(
    update: Mapping[Symbol, object],
    record: Record | None = None,
    *,
    locals: Sequence[tuple[Symbol, Expr]] = (),
    parameters: Sequence[Symbol] | None = None,
    name: str = "recurrence",
) -> Recurrence:
    """An update of one's own: the next value of each variable, in the order given.

    Args:
        update: variable -> its next value, in terms of variables, parameters and locals.
        record: observables; by default the variables.
        locals: names of intermediate expressions, each in terms of what stands before it.
        parameters: the parameters in the order wanted; by default the other symbols by name.
        name: what it is called.

    Raises:
        TypeError: a variable that is no symbol, or a value that is no expression.
        ValueError: an undefined symbol, or what cannot be compiled.
    """
    state = tuple(update)
    following = tuple(expression(e, f"the next {s}") for s, e in update.items())
    shown = observed(record, lambda: ((str(s), s) for s in state))
    if parameters is None:
        known = (*state, *(s for s, _ in locals))
        parameters = constants_of((*following, *(e for _, e in (*locals, *shown))), known)
    whole = Recurrence(name, state, following, tuple(parameters), shown, tuple(locals))
    return compilable(whole)


def _scheduled(
    problem: Problem,
    scheduler: Scheduler,
    decay: Expr,
    sphere: bool,
    record: Record | None,
    parameters: Sequence[Symbol] | None,
    first: Iterable[Expr] = (),
) -> Recurrence:
    """A step along the gradient with a scheduler's rate, back to the sphere if asked."""
    where = f"{'projected ' * sphere}gradient descent, {scheduler.name}"
    named = {str(s) for s in _symbols(problem)} | {str(v) for v in problem.variables}
    for symbol in (*scheduler.state, scheduler.square):
        if str(symbol) in named:
            raise ValueError(
                f"{where}: the scheduler's {symbol} has the name of a symbol of the loss; "
                "give one of them another name"
            )
    _unlike_variables(problem, scheduler.constants)
    steps, entries = gradient(problem)
    named |= {str(s) for s, _ in steps}
    inner = list(steps)

    def name(what: str, value: Expr) -> Expr:
        """A local for the value, unless it is one symbol or number."""
        if value.is_Atom:
            return value
        local = Symbol(unused(what, named), real=True)
        inner.append((local, value))
        return local

    slopes = [name(f"slope_of_{v}", g) for v, g in zip(problem.variables, entries, strict=True)]
    inner.append((scheduler.square, sympy.Add(*(g**2 for g in slopes))))
    rate = name("rate", scheduler.rate)
    keep = 1 - rate * decay
    update = [keep * w - rate * g for w, g in zip(problem.variables, slopes, strict=True)]
    if sphere:
        update = [name(f"moved_{v}", m) for v, m in zip(problem.variables, update, strict=True)]
        norm = sympy.sqrt(sympy.Add(*(m**2 for m in update)))
        update = [m / norm for m in update]

    def usually() -> Iterable[tuple[str, Expr]]:
        shown = dict(usual(problem))
        yield from ((str(v), v) for v in problem.variables)
        yield from ((str(s), s) for s in scheduler.state)
        yield from ((k, e) for k, e in shown.items() if k in ("loss", "sharpness"))
        if scheduler.state and not scheduler.rate.has(scheduler.square):
            yield "effective rate", scheduler.rate

    known = (*scheduler.state, scheduler.square)
    return compilable(
        Recurrence(
            where,
            (*problem.variables, *scheduler.state),
            (*update, *scheduler.update),
            _parameters((*first, *scheduler.constants, decay), problem, known, parameters),
            observed(record, usually),
            tuple(inner),
        )
    )


def _problem(loss: Expr | Problem, variables: Sequence[Symbol] | None) -> Problem:
    if isinstance(loss, Problem):
        if variables is not None and tuple(variables) != loss.variables:
            raise ValueError(f"{loss.name} brings its variables: {loss.variables}; leave them out")
        return check_problem(loss)
    if variables is None:
        raise ValueError("name the variables: the symbols of the loss that move")
    if isinstance(variables, Symbol):
        variables = (variables,)
    return check_problem(Problem(loss, tuple(variables)))


def _unlike_variables(problem: Problem, constants: Iterable[Expr | int]) -> None:
    """Refuse a variable that would be taken for a hyperparameter of its name."""
    if shared := [str(v) for v in problem.variables if v in set(constants)]:
        raise ValueError(
            f"the variable {', '.join(shared)} of the loss has the name of a hyperparameter; "
            "give one of them another symbol"
        )


def _with_step(problem: Problem, step: Expr) -> Problem:
    """The problem with a number for its symbol ``eta``."""
    table = {s: step for s in _symbols(problem) if s.name == "eta"}
    if not table:
        return problem
    meant = tuple((s, e.xreplace(table)) for s, e in problem.definitions)
    return Problem(problem.loss.xreplace(table), problem.variables, meant, problem.name)


def _decay(value: object, problem: Problem) -> Expr:
    if value is None or value is False:
        return sympy.Integer(0)
    given = None if value is True else value
    return symbol_for(given, "weight_decay", _symbols(problem), "weight_decay")


def _symbols(problem: Problem) -> tuple[Symbol, ...]:
    """Constants of a problem, by name."""
    defined = [s for s, _ in problem.definitions]
    whole = [problem.loss, *(e for _, e in problem.definitions)]
    return constants_of(whole, (*problem.variables, *defined))


def _parameters(
    first: Iterable[Expr],
    problem: Problem,
    known: Iterable[Symbol],
    wanted: Sequence[Symbol] | None,
) -> tuple[Symbol, ...]:
    """Symbols of ``first`` (in that order), then of the rest by name; or those wanted."""
    inside = {*problem.variables, *known}
    ordered = dict.fromkeys(s for e in first for s in constants_of((e,), inside))
    ordered |= dict.fromkeys(_symbols(problem))
    names = [str(s) for s in (*ordered, *inside)]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise ValueError(
            f"two symbols are called {', '.join(twice)} (they differ in their assumptions): "
            "use one, or another name"
        )
    if wanted is None:
        return tuple(ordered)
    if missing := [str(s) for s in ordered if s not in set(wanted)]:
        raise ValueError(
            f"undefined symbols: {', '.join(missing)}; add them to the parameters or variables"
        )
    return tuple(wanted)
