"""The low-dimensional models of the theory: predicted dynamics and the RMS-drift map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sympy
from sympy import Expr, Symbol

from eostheory.trajectories.lowering import compilable
from eostheory.trajectories.recurrence import Recurrence
from eostheory.trajectories.rules_gradient import (
    Problem,
    check_problem,
    constants_of,
    differentiated,
    expression,
    matrix,
    observed,
    symbol_for,
)
from eostheory.trajectories.rules_record import Record


def predicted_dynamics(
    eta: object = None,
    alpha: object = None,
    beta: object = None,
    record: Record | None = None,
    *,
    delta: object = None,
    decay: object = 0,
    excess: object = 0,
) -> Recurrence:
    """The predicted dynamics of damian23 in the plane of ``x = <u, v>`` and ``y = <grad S, v>``.

    ``x <- -(1 + eta y) x - eta F'(x)`` and
    ``y <- (1 - eta c) y + eta beta (delta^2 - x^2)/2`` with ``delta^2 = 2 alpha/beta``.  With
    c = 0 and F = 0 this is (3), and (5) for constant ``beta_{s->t}``; c is the eigenvalue of the
    Hessian along grad S, so that ``beta_{s->t} = beta (1 - eta c)^(t - s)``; F is the excess over
    the quadratic along u, (11).

    Args:
        eta: step size; the parameter ``eta`` by default, as below for the others.
        alpha: progressive sharpening coefficient ``-<grad L, grad S>``.
        beta: strength of the stabilisation ``|grad S|^2``.
        record: observables; by default x, y, ``loss`` (the excess ``x^2/eta + F(x)`` over the
            constrained trajectory) and ``sharpness`` (``2/eta + y + F''(x)``), as in Theorem 1.
        delta: the radius ``sqrt(2 alpha/beta)``, instead of alpha.
        decay: the eigenvalue c.
        excess: F as a function of a symbol called ``x``, for instance ``-rho_4*x**4/24``.

    Raises:
        ValueError: both alpha and delta, an excess that mentions ``y``, or one that cannot be
            compiled.
    """
    if alpha is not None and delta is not None:
        raise ValueError("alpha and delta are both given; they are tied by delta^2 = 2 alpha/beta")
    bend = expression(excess, "the excess F")
    x = next((s for s in bend.free_symbols if s.name == "x"), Symbol("x", real=True))
    y = Symbol("y", real=True)
    if any(s.name == "y" for s in bend.free_symbols):
        raise ValueError(f"the excess F is a function of x and constants, not of y: {bend}")
    step = symbol_for(eta, "eta", bend.free_symbols, "eta")
    stabilising = symbol_for(beta, "beta", bend.free_symbols, "beta")
    if delta is None:
        pull = symbol_for(alpha, "alpha", bend.free_symbols, "alpha") - stabilising * x**2 / 2
        force: tuple[Expr, ...] = (step, pull)
    else:
        radius = expression(delta, "delta")
        pull = stabilising / 2 * (radius**2 - x**2)
        force = (step, radius, stabilising)
    rate = expression(decay, "decay")
    kick = sympy.Integer(0) if bend == 0 else sympy.diff(bend, x)
    ordered: dict[Symbol, None] = {}
    for e in (*force, stabilising, rate, bend):
        ordered |= dict.fromkeys(constants_of((e,), (x, y)))

    def usual() -> Iterator[tuple[str, Expr]]:
        yield from (("x", x), ("y", y), ("loss", x**2 / step + bend))
        yield "sharpness", 2 / step + y + (sympy.diff(bend, x, 2) if bend != 0 else 0)

    return compilable(
        Recurrence(
            "predicted dynamics" if bend == 0 else "generalized predicted dynamics",
            (x, y),
            (-(1 + step * y) * x - step * kick, (1 - step * rate) * y + step * pull),
            tuple(ordered),
            observed(record, usual),
        )
    )


def rms_drift(
    log_sharpness: Expr | None = None,
    variables: Sequence[Symbol] = (),
    eta: object = None,
    c_b: object = None,
    record: Record | None = None,
    *,
    kappa: object = None,
    sphere: bool = False,
    metric: Any = None,
) -> Recurrence:
    """The RMS-drift map (lyu22, Definition H.2 without remainders); a step is two of the descent.

    ``h <- (1 - 2 eta u) h``,
    ``u <- u + 4 eta h^2 (2 C_b + |grad_Gamma R|^2) - 2 eta C_b`` and
    ``phi <- phi - 2 eta^2 h^2 grad_Gamma R``, with ``R = log lambda_1`` at phi on the manifold
    Gamma of minimizers.  h is the distance along the top eigenvector in units of eta, u the
    distance from the edge of stability.

    Args:
        log_sharpness: R in terms of the variables; without it phi stays where it is, and
            ``|grad_Gamma R|^2`` is the parameter ``kappa``.
        variables: coordinates of Gamma (or of the space around the unit sphere).
        eta: base learning rate; the parameter ``eta`` by default.
        c_b: the constant in ``beta = 1 - C_b eta^2``; the parameter ``C_b`` by default.
        record: observables; by default the state and, where it is given, ``log_sharpness``
            (``drift_energy`` has the energy of Definition H.21).
        kappa: a value for ``|grad_Gamma R|^2``, where no function R is given.
        sphere: the variables are coordinates of R^D, Gamma is the unit sphere in it: gradients
            are projected, and phi goes back to the sphere after the step.
        metric: Gram matrix of the coordinates, as a square sympy matrix in them (the first
            fundamental form of Gamma); orthonormal coordinates by default.

    Raises:
        TypeError, ValueError: as ``gradient_descent``; a metric of the wrong shape or not
            positive definite, or one together with ``sphere``; kappa together with a function R.
    """
    h, u = Symbol("h", real=True), Symbol("u", real=True)
    step = symbol_for(eta, "eta", (), "eta")
    pull = symbol_for(c_b, "C_b", (), "C_b")
    slopes: tuple[Expr, ...] = ()
    norm, level = sympy.Integer(0), sympy.Integer(0)
    place: tuple[Symbol, ...] = ()
    if log_sharpness is None:
        if variables or sphere or metric is not None:
            raise ValueError("variables, sphere and metric belong to a function log_sharpness")
        norm = symbol_for(kappa, "kappa", (), "kappa")
    else:
        if kappa is not None:
            raise ValueError("kappa is |grad R|^2 and follows from log_sharpness; give one of them")
        problem = check_problem(Problem(log_sharpness, tuple(variables), name="log lambda_1"))
        level, place = problem.loss, problem.variables
        if any(str(s) in ("h", "u") for s in (*place, *level.free_symbols)):
            raise ValueError("h and u are the drift state; give the coordinates other names")
        slopes, norm = _riemannian(problem, sphere, metric)
    k2 = Symbol("slope_square", real=True)
    shift = [p - 2 * step**2 * h**2 * s for p, s in zip(place, slopes, strict=True)]
    named = [(k2, norm)]
    if sphere:
        moved = [Symbol(f"moved_{p}", real=True) for p in place]
        named += zip(moved, shift, strict=True)
        size = sympy.sqrt(sympy.Add(*(m**2 for m in moved)))
        shift = [m / size for m in moved]
    ordered: dict[Symbol, None] = {}
    for e in (step, pull, norm, level):
        ordered |= dict.fromkeys(constants_of((e,), place))

    def usual() -> Iterator[tuple[str, Expr]]:
        yield from ((str(s), s) for s in (h, u, *place))
        if place:
            yield "log_sharpness", level

    drift = u + 4 * step * h**2 * (2 * pull + k2) - 2 * step * pull
    return compilable(
        Recurrence(
            "RMS-drift",
            (h, u, *place),
            ((1 - 2 * step * u) * h, drift, *shift),
            tuple(ordered),
            observed(record, usual),
            tuple(named),
        )
    )


def _riemannian(problem: Problem, sphere: bool, metric: Any) -> tuple[tuple[Expr, ...], Expr]:
    """The gradient on the manifold in its coordinates, and its squared length."""
    flat, place = differentiated(problem.loss, problem.variables), problem.variables
    if sphere and metric is not None:
        raise ValueError("the sphere has its own metric; leave one of sphere and metric out")
    if sphere:
        radial = sympy.Add(*(g * p for g, p in zip(flat, place, strict=True)))
        tangent = tuple(g - radial * p for g, p in zip(flat, place, strict=True))
        return tangent, sympy.Add(*(t**2 for t in tangent))
    if metric is None:
        return flat, sympy.Add(*(g**2 for g in flat))
    form = matrix(metric, "the metric")
    if form.shape != (len(place), len(place)):
        raise ValueError(
            f"the metric is {form.shape}; {len(place)} coordinates need a square of it"
        )
    if form != form.T:
        raise ValueError("the metric is not symmetric")
    if form.det() == 0:
        raise ValueError("the metric is singular")
    if form.is_positive_definite is False:
        raise ValueError("the metric is not positive definite; a length would be negative")
    inverse = form.inv()
    raised = tuple(
        sympy.factor(sympy.Add(*(inverse[i, j] * flat[j] for j in range(len(place)))))
        for i in range(len(place))
    )
    return raised, sympy.Add(*(r * g for r, g in zip(raised, flat, strict=True)))
