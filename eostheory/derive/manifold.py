"""A manifold of minimizers and the sharpness-reduction flow on it (lyu22, equation 8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import sympy
from sympy import ImmutableMatrix as Matrix

from eostheory.derive.eigen import top_pair
from eostheory.derive.errors import DerivationError
from eostheory.derive.judge import Judge, Scope, conditions, read
from eostheory.derive.losses import derivatives, parameters, smoothness
from eostheory.derive.result import Derived, Hypothesis, renamed
from eostheory.derive.schedulers import Scheduler


@dataclass(frozen=True)
class SharpnessFlow(Derived):
    """The flow that gradient descent with an adaptive rate follows along minimizers.

    ``sharpness`` is the top eigenvalue on the manifold, ``slope`` the gradient of its logarithm
    along the manifold (in the space of the parameters), ``kappa`` its squared norm, ``speeds`` the
    flow in the coordinates, ``velocity`` the same in the space of the parameters; time is
    ``eta^2`` times the number of steps.
    """

    title: ClassVar[str] = "sharpness-reduction flow"
    shown: ClassVar[Mapping[str, str]] = {
        "point": r"\zeta",
        "hessian": "H",
        "sharpness": r"\lambda_1",
        "slope": r"\nabla_\Gamma\log\lambda_1",
        "kappa": r"|\nabla_\Gamma\log\lambda_1|^2",
        "rate": r"\text{rate}",
        "speeds": r"\tfrac{ds}{d\tau}",
        "velocity": r"\tfrac{d\zeta}{d\tau}",
        "decrease": r"\tfrac{d\log\lambda_1}{d\tau}",
    }

    coords: tuple[sympy.Symbol, ...]
    point: Matrix
    hessian: Matrix
    sharpness: sympy.Expr
    slope: Matrix
    kappa: sympy.Expr
    rate: sympy.Expr
    speeds: Matrix
    velocity: Matrix
    decrease: sympy.Expr
    hypotheses: tuple[Hypothesis, ...]

    @property
    def params(self) -> tuple[sympy.Symbol, ...]:
        """The coordinates of the manifold."""
        return self.coords


def sharpness_flow(
    loss: sympy.Expr,
    params: Sequence[sympy.Symbol],
    *,
    at: Mapping[sympy.Symbol, Any],
    coords: Sequence[sympy.Symbol],
    scheduler: Scheduler | None = None,
    sphere: bool = False,
    given: Sequence[sympy.Basic] = (),
    top: sympy.Expr | None = None,
) -> SharpnessFlow:
    """Derive the flow on a parametrized manifold of minimizers.

    Args:
        loss: the loss; ``params`` its parameters, in order.
        at: every parameter as a function of the coordinates.
        coords: coordinates of the manifold.
        scheduler: the adaptive rate; RMSprop's with the constant ``C_b`` if left out.
        sphere: the dynamics is projected on the unit sphere; the loss must be scale-invariant.
        given: inequalities that may be used; they also say which part of the manifold is meant.
        top: the largest eigenvalue, where that depends on the symbols.

    Raises:
        DerivationError: when the points are no minimizers or the coordinates are degenerate.
    """
    given = conditions(given)
    params, point = parameters(params, at)
    chart, _ = parameters(coords, None)
    if missing := [p for p in params if p not in point]:
        raise DerivationError(f"the manifold gives no value for {missing[0]}")
    body = read(loss, "the loss")
    extra = [] if top is None else [read(top, "top")]
    scope = Scope([body, *params, *point.values(), *chart, *given, *extra])
    judge = Judge([scope.enter(c) for c in given])
    found = _flow(
        scope.enter(body),
        [scope.enter(p) for p in params],
        {scope.enter(k): scope.enter(v) for k, v in point.items()},
        [scope.enter(c) for c in chart],
        judge,
        _rate(scheduler),
        sphere,
        scope.enter(extra[0]) if extra else None,
    )
    result: SharpnessFlow = renamed(found, scope.outside)
    return result


_KAPPA = sympy.Symbol("_kappa", nonnegative=True)


def _rate(scheduler: Scheduler | None) -> sympy.Expr:
    """The factor of the flow in terms of ``kappa``."""
    if scheduler is None:
        c_b = sympy.Symbol("C_b", positive=True)
        return c_b / (4 * c_b + 2 * _KAPPA)
    if scheduler.flow_rate is None:
        raise DerivationError(f"this scheduler has no flow: {scheduler._why('flow_rate')}")
    return scheduler.flow_rate.xreplace({scheduler.kappa: _KAPPA})


def _flow(
    body: sympy.Expr,
    params: list[sympy.Symbol],
    point: dict[sympy.Symbol, sympy.Expr],
    coords: list[sympy.Symbol],
    judge: Judge,
    rate: sympy.Expr,
    sphere: bool,
    top: sympy.Expr | None,
) -> SharpnessFlow:
    smooth = smoothness(body, params, point, judge)
    gradient, hessian, _ = derivatives(body, params, point)
    if not judge.zeros(gradient):
        raise DerivationError("the gradient of the loss does not vanish on the manifold")
    hessian = judge.tidy_matrix(hessian)
    place = Matrix([point[p] for p in params])
    tangent = Matrix(place.jacobian(Matrix(coords)))
    metric = judge.tidy_matrix(tangent.T * tangent)
    volume = judge.tidy(metric.det())
    if judge.zero(volume):
        raise DerivationError("the coordinates are degenerate: their tangent vectors are dependent")
    if not judge.zeros(hessian * tangent):
        raise ArithmeticError("the Hessian does not vanish along the manifold")
    pair = top_pair(hessian, judge, top)
    value = judge.leave(pair.value)
    judge.algebraic = None
    value = judge.tidy(value)
    slopes = Matrix([judge.tidy(sympy.diff(value, c) / value) for c in coords])
    raised = judge.tidy_matrix(metric.inv() * slopes)
    slope = judge.tidy_matrix(tangent * raised)
    kappa = judge.tidy((slope.T * slope)[0])
    factor = judge.tidy(rate.subs(_KAPPA, kappa))
    flat = sum(1 for other in pair.below if judge.zero(other))
    allowed = len(coords) + (1 if sphere else 0)
    hypotheses = [
        *judge.inputs(),
        *smooth,
        Hypothesis("the loss is stationary on the manifold", "holds"),
        judge.hypothesis(
            "the coordinates are regular", sympy.Unequality(volume, 0, evaluate=False)
        ),
        Hypothesis(
            "the Hessian has full normal rank (Assumptions 4.5 and B.11)",
            "holds" if flat == allowed and _definite(pair.below, judge) else "unknown",
        ),
        *pair.hypotheses,
    ]
    if sphere:
        hypotheses += _on_sphere(body, params, place, judge)
    return SharpnessFlow(
        coords=tuple(coords),
        point=place,
        hessian=hessian,
        sharpness=value,
        slope=slope,
        kappa=kappa,
        rate=factor,
        speeds=judge.tidy_matrix(-factor * raised),
        velocity=judge.tidy_matrix(-factor * slope),
        decrease=judge.tidy(-factor * kappa),
        hypotheses=tuple(hypotheses),
    )


def _definite(values: Sequence[sympy.Expr], judge: Judge) -> bool:
    """Whether every eigenvalue that is not zero is positive."""
    return all(
        judge.zero(v) or judge.status(sympy.StrictGreaterThan(v, 0, evaluate=False)) == "holds"
        for v in values
    )


def _on_sphere(
    body: sympy.Expr, params: Sequence[sympy.Symbol], place: Matrix, judge: Judge
) -> list[Hypothesis]:
    factor = sympy.Symbol("_c", positive=True)
    change = body.subs({p: factor * p for p in params}, simultaneous=True) - body
    if not judge.zero(change):
        raise DerivationError("the loss is not scale-invariant, so that the sphere is not natural")
    if not judge.zero((place.T * place)[0] - 1):
        raise DerivationError("the manifold does not lie on the unit sphere")
    return [
        Hypothesis("the loss is scale-invariant", "holds"),
        Hypothesis("the manifold lies on the unit sphere", "holds"),
    ]
