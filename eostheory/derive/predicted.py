"""The predicted dynamics of damian23 (Definitions 7, 8) and the generalized ones (appendix F)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import sympy
from sympy import ImmutableMatrix as Matrix

from eostheory.derive.errors import DerivationError, NotDerived
from eostheory.derive.judge import Judge, Scope
from eostheory.derive.losses import LossGeometry
from eostheory.derive.result import Derived, Hypothesis, renamed
from eostheory.symbolic.vectorfield import VectorField, first_integral

_ROOT = sympy.Symbol("_x", real=True)


@dataclass(frozen=True)
class PredictedDynamics(Derived):
    """One step of the displacement ``v`` from the constrained trajectory, and its plane.

    ``x = <u, v>`` and ``y = <grad S^perp, v>`` close up (``y_next`` is there) when ``grad S^perp``
    is an eigenvector of ``P^perp H P^perp``, with eigenvalue ``decay``; otherwise ``y`` remembers
    the past through :meth:`beta`.  ``speeds`` is the limit of small step sizes for ``(|x|, y)``
    and ``invariant`` what it conserves.
    """

    title: ClassVar[str] = "predicted dynamics"
    shown: ClassVar[Mapping[str, str]] = {
        "step": r"\mathrm{step}(v)",
        "x_next": r"x_{t+1}",
        "y_next": r"y_{t+1}",
        "decay": "c",
        "fixed_point": r"(|x|, y)_*",
        "speeds": r"(X', Y')",
        "invariant": "g(X, Y)",
    }

    displacement: tuple[sympy.Symbol, ...]
    x: sympy.Symbol
    y: sympy.Symbol
    path: tuple[LossGeometry, ...]
    step: Matrix
    x_next: sympy.Expr
    y_next: sympy.Expr | None
    decay: sympy.Expr | None
    fixed_point: tuple[sympy.Expr, sympy.Expr]
    speeds: Matrix | None
    invariant: sympy.Expr | None
    hypotheses: tuple[Hypothesis, ...]

    @property
    def params(self) -> tuple[sympy.Symbol, ...]:
        """The displacement: the leading inputs of ``to_torch("step")``."""
        return self.displacement

    def beta(self, start: int, end: int) -> sympy.Expr:
        """``beta_{s -> t}`` of Definition 4: the change of sharpness after a displacement.

        The last reference point of the path stays in force after the path's end.
        """
        if not 0 <= start <= end:
            raise DerivationError(f"beta goes forward in time: 0 <= s <= t, not {start}, {end}")
        first = self._reference(start)
        vector = first.transverse
        for k in range(start + 1, end + 1):
            vector = _contraction(self._reference(k)) * vector
        return sympy.expand((self._reference(end + 1).transverse.T * vector)[0])

    def _reference(self, k: int) -> LossGeometry:
        return self.path[min(k, len(self.path) - 1)]

    def _why(self, name: str) -> str:
        return "grad S^perp is no eigenvector of the Hessian across u, so that y has a memory"


def _complement(here: LossGeometry) -> Matrix:
    u = here.eigenvector
    return Matrix(sympy.eye(u.shape[0]) - u * u.T)


def _contraction(here: LossGeometry) -> Matrix:
    """``(I - eta H) P^perp``."""
    identity = sympy.eye(here.hessian.shape[0])
    return Matrix((identity - here.step_size() * here.hessian) * _complement(here))


def _open(geometry: LossGeometry) -> tuple[LossGeometry, Judge, Scope]:
    """A geometry with real symbols, and a letter for a root that has no radicals."""
    values = [
        geometry.loss, *geometry.params, geometry.alpha, geometry.step_size(), *geometry.given,
    ]  # fmt: skip
    scope = Scope(values)
    inner: LossGeometry = renamed(geometry, scope.inside)
    judge = Judge(inner.given)
    roots = inner.sharpness.atoms(sympy.CRootOf)
    if roots:
        root = roots.pop()
        minimal = root.poly.as_expr().xreplace({root.poly.gen: _ROOT})
        judge.adjoin(root, minimal, _ROOT)
        inner = renamed(inner, {root: _ROOT})
    return inner, judge, scope


def predicted_dynamics(here: LossGeometry, *following: LossGeometry) -> PredictedDynamics:
    """Definitions 7 and 8 at a reference point; ``following`` are the next reference points.

    Raises:
        NotDerived: without a step size, or when ``beta = 0``.
    """
    if here.delta is None:
        raise NotDerived("grad S has no part orthogonal to u: nothing stabilizes (beta = 0)")
    if any(g.sharpness.has(sympy.CRootOf) for g in following):
        raise NotDerived("the sharpness of a later reference point has no radicals")
    inner, judge, scope = _open(here)
    back = {**scope.outside, **({} if judge.algebraic is None else {_ROOT: judge.algebraic.value})}
    after = inner if not following else renamed(following[0], scope.inside)
    eta = inner.step_size()
    size = len(inner.params)
    v = sympy.symbols(f"v_1:{size + 1}", real=True)
    x, y = sympy.symbols("x_t y_t", real=True)
    vector, u = Matrix(v), inner.eigenvector
    line = judge.tidy_matrix(u * u.T)
    turned = line if not following else judge.tidy_matrix(after.eigenvector * u.T)
    rest_of = Matrix(sympy.eye(size) - line)
    next_rest = rest_of if not following else _complement(after)
    side = judge.tidy_matrix(rest_of * inner.sharpness_gradient)
    square, across = (vector.T * line * vector)[0], (side.T * vector)[0]
    # Definition 8; <u, v>^2 = v^T u u^T v, and beta (delta^2 - x^2)/2 = alpha - beta x^2/2
    pull = judge.tidy(inner.alpha / inner.beta) - square / 2
    contraction = judge.tidy_matrix(next_rest * (sympy.eye(size) - eta * inner.hessian) * rest_of)
    push = judge.tidy_matrix(next_rest * side)
    step = contraction * vector + eta * push * pull - (1 + eta * across) * turned * vector
    x_next = -(1 + eta * y) * x
    # the rest lies across u, so that <u, step> = -(1 + eta y) x
    ahead = line if not following else after.eigenvector * after.eigenvector.T
    if not judge.zeros(ahead * next_rest) or not judge.zero(ahead.trace() - 1):
        raise ArithmeticError("the step does not have the sign-flipping form")
    moved = judge.tidy_matrix(rest_of * inner.hessian * side)
    decay = judge.tidy((side.T * moved)[0] / inner.beta)
    closed = not following and judge.zeros(moved - decay * side)
    y_next = speeds = invariant = None
    if closed:
        y_next = (1 - eta * decay) * y + eta * (inner.alpha - inner.beta * x**2 / 2)
        found = (side.T * contraction * vector)[0] - (1 - eta * decay) * across
        kept = (side.T * push)[0] - inner.beta, (side.T * line * vector)[0]
        if not all(judge.zero(sympy.expand(e)) for e in (found, *kept)):
            raise ArithmeticError("y does not close up")
        large = sympy.Symbol("X", positive=True), sympy.Symbol("Y", real=True)
        speeds = Matrix(
            [
                large[0] * large[1],
                -decay * large[1] + inner.alpha - inner.beta * large[0] ** 2 / 2,
            ]
        )
        if judge.zero(decay):
            invariant = _conserved().xreplace(
                {_A: inner.alpha, _B: inner.beta, _X: large[0], _Y: large[1]}
            )
    hypotheses = (
        *here.hypotheses,
        Hypothesis(
            "grad S^perp is an eigenvector of P^perp H P^perp, so that x and y close up",
            "unknown" if following else judge.all_zero(moved - decay * side),
        ),
    )
    result = PredictedDynamics(
        displacement=tuple(v),
        x=x,
        y=y,
        path=(here, *following),
        step=step if judge.algebraic else judge.tidy_matrix(step),
        x_next=judge.tidy(x_next),
        y_next=y_next,
        decay=decay if closed else None,
        fixed_point=(inner.delta, sympy.Integer(0)),
        speeds=speeds,
        invariant=invariant,
        hypotheses=hypotheses,
    )
    judge.algebraic = None
    clean: PredictedDynamics = renamed(result, back)
    return clean


_X, _Y = sympy.Symbol("_X", positive=True), sympy.Symbol("_Y", real=True)
_A, _B = sympy.symbols("_A _B", positive=True)


@cache
def _conserved() -> sympy.Expr:
    """What ``X' = X Y, Y' = a - b X^2/2`` conserves: searched, and accepted by the kernel."""
    found = first_integral(VectorField((_X, _Y), (_X * _Y, _A - _B * _X**2 / 2)))
    if found is None:
        raise ArithmeticError("the conserved quantity was not found")
    return found.value


def _positive(expr: sympy.Expr) -> sympy.Basic:
    return sympy.StrictGreaterThan(expr, 0, evaluate=False)


# ------------------------------------------------------------------------- generalized
@dataclass(frozen=True)
class GeneralizedDynamics(Derived):
    """Appendix F of damian23: a loss that is not quadratic along the top eigenvector.

    ``excess`` is ``F(x) = L(theta + x u) - L(theta) - x^2/eta`` (its even part), ``orbit`` the
    orbit of period two, ``limit_sharpness`` the sharpness there.  ``stability`` are the conditions
    for the orbit to attract (both eigenvalues of the linearized step inside the unit circle), and
    ``flow_stability`` those in the limit of small step sizes.
    """

    title: ClassVar[str] = "generalized predicted dynamics"
    shown: ClassVar[Mapping[str, str]] = {
        "excess": "F(x)",
        "x_next": r"x_{t+1}",
        "y_next": r"y_{t+1}",
        "orbit": r"(|x|, y)_*",
        "limit_sharpness": r"S_\infty",
        "stability": r"\text{stable}",
        "flow_stability": r"\text{stable for } \eta\to 0",
    }

    x: sympy.Symbol
    y: sympy.Symbol
    excess: sympy.Expr
    x_next: sympy.Expr
    y_next: sympy.Expr | None
    orbit: tuple[sympy.Expr, sympy.Expr]
    limit_sharpness: sympy.Expr
    stability: tuple[sympy.Basic, ...]
    flow_stability: tuple[sympy.Basic, ...]
    hypotheses: tuple[Hypothesis, ...]


def generalized_dynamics(here: LossGeometry) -> GeneralizedDynamics:
    """Appendix F at a reference point.

    Raises:
        NotDerived: without a step size, or when ``beta = 0``.
    """
    plain = predicted_dynamics(here)
    if here.sharpness.has(sympy.CRootOf):
        raise NotDerived(
            "the loss along an eigenvector that has no radicals is not derived; "
            "predicted_dynamics() is"
        )
    inner, judge, scope = _open(here)
    eta, delta = inner.step_size(), inner.delta
    assert delta is not None  # or predicted_dynamics would have said so
    x, y = plain.x, plain.y
    point = {
        p: value + x * slope
        for p, value, slope in zip(inner.params, inner.point, inner.eigenvector, strict=True)
    }
    whole = inner.loss.subs(point, simultaneous=True) - inner.value - x**2 / eta
    mirror = whole.subs(x, -x)
    even = judge.same(whole, mirror)
    excess = judge.tidy(whole if even else (whole + mirror) / 2)
    slope, bend = sympy.diff(excess, x), sympy.diff(excess, x, 2)
    at = {x: delta}
    height = judge.tidy(-slope.subs(at) / delta)
    tension = judge.tidy(bend.subs(at) - slope.subs(at) / delta)
    x_next = -(1 + eta * y) * x - eta * slope
    decay = None if plain.decay is None else renamed(plain.decay, scope.inside)
    exact = judge.zero(height) or (decay is not None and judge.zero(decay))
    y_next: sympy.Expr | None = None
    conditions: list[sympy.Basic] = []
    continuous: list[sympy.Basic] = []
    if decay is not None:
        y_next = (1 - eta * decay) * y + eta * (inner.alpha - inner.beta * x**2 / 2)
    if y_next is not None and exact:
        # linearize (|x|, y) -> (-x_next, y_next) at the orbit; Jury's conditions
        orbit = {x: delta, y: height}
        if not all(
            judge.zero(f) for f in (-x_next.subs(orbit) - delta, y_next.subs(orbit) - height)
        ):
            raise ArithmeticError("the orbit is not fixed")
        jacobian = Matrix(
            [[sympy.diff(f, w).subs(orbit) for w in (x, y)] for f in (-x_next, y_next)]
        )
        trace, det = judge.tidy(jacobian.trace()), judge.tidy(jacobian.det())
        jury = [1 - trace + det, 1 + trace + det, 1 - det]
        conditions = [_positive(judge.tidy(sympy.expand(e))) for e in jury]
        slow = [decay - tension, inner.beta * delta**2 - decay * tension]
        continuous = [_positive(judge.tidy(sympy.expand(e))) for e in slow]
    hypotheses = (
        *plain.hypotheses,
        Hypothesis(
            "F is even (its odd part, an oscillation of period two, is left out)",
            judge.identity([whole - mirror], [x]),
        ),
        Hypothesis(
            "grad S^perp is in the kernel of P^perp H P^perp (else the orbit is at delta only "
            "where F'(delta) = 0)",
            "holds" if exact else "unknown" if decay is None else judge.all_zero([decay * height]),
        ),
        *(judge.hypothesis(f"the orbit attracts: {c.args[0]} > 0", c) for c in conditions),
    )
    result = GeneralizedDynamics(
        x=x,
        y=y,
        excess=excess,
        x_next=judge.tidy(x_next),
        y_next=y_next,
        orbit=(delta, height),
        limit_sharpness=judge.tidy(2 / eta + height + bend.subs(at)),
        stability=tuple(conditions),
        flow_stability=tuple(continuous),
        hypotheses=hypotheses,
    )
    clean: GeneralizedDynamics = renamed(result, scope.outside)
    return clean
