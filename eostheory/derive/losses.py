"""From a loss: sharpness, its gradient, and the quantities of self-stabilization (damian23)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import sympy
from sympy import ImmutableMatrix as Matrix

from eostheory.derive.eigen import TopPair, top_pair
from eostheory.derive.errors import DerivationError, NotDerived
from eostheory.derive.judge import Judge, Scope, conditions, read
from eostheory.derive.result import Derived, Hypothesis, renamed, short

if TYPE_CHECKING:
    from eostheory.derive.predicted import GeneralizedDynamics, PredictedDynamics


@dataclass(frozen=True)
class LossGeometry(Derived):
    """Derivatives of a loss at a point, and what damian23 builds from them.

    ``alpha``, ``beta``, ``delta`` are Definition 4 (``alpha`` also Definition 2), ``epsilon`` is
    Definition 6, ``drift`` the direction ``-P^perp_{u, grad S} grad L`` in which the constrained
    trajectory moves (section 4.3).
    """

    title: ClassVar[str] = "geometry of the loss"
    shown: ClassVar[Mapping[str, str]] = {
        "value": "L",
        "gradient": r"\nabla L",
        "hessian": r"\nabla^2 L",
        "sharpness": "S",
        "eigenvector": "u",
        "sharpness_gradient": r"\nabla S",
        "alpha": r"\alpha",
        "beta": r"\beta",
        "delta": r"\delta",
        "epsilon": r"\epsilon",
        "drift": r"-P^{\perp}_{u,\nabla S}\nabla L",
    }

    loss: sympy.Expr
    params: tuple[sympy.Symbol, ...]
    point: Matrix
    eta: sympy.Expr | None
    value: sympy.Expr
    gradient: Matrix
    hessian: Matrix
    sharpness: sympy.Expr
    eigenvector: Matrix
    sharpness_gradient: Matrix
    alpha: sympy.Expr
    beta: sympy.Expr
    delta: sympy.Expr | None
    epsilon: sympy.Expr | None
    drift: Matrix | None
    given: tuple[sympy.Basic, ...]
    hypotheses: tuple[Hypothesis, ...]

    @property
    def transverse(self) -> Matrix:
        """``grad S`` without its part along the eigenvector."""
        u = self.eigenvector
        return Matrix(self.sharpness_gradient - u * (u.T * self.sharpness_gradient)[0])

    def predicted_dynamics(self, *following: LossGeometry) -> PredictedDynamics:
        """Definition 7 of damian23 along this point (and the ``following`` ones)."""
        from eostheory.derive.predicted import predicted_dynamics

        return predicted_dynamics(self, *following)

    def generalized_dynamics(self) -> GeneralizedDynamics:
        """Appendix F of damian23 at this point."""
        from eostheory.derive.predicted import generalized_dynamics

        return generalized_dynamics(self)

    def _why(self, name: str) -> str:
        if name == "epsilon":
            return "give the step size (eta=...)"
        return "grad S has no part orthogonal to the eigenvector (beta = 0)"

    def step_size(self) -> sympy.Expr:
        """The step size, or the reason why there is none."""
        if self.eta is None:
            raise NotDerived("this needs the step size: give eta to loss()")
        return self.eta


def loss(
    loss: sympy.Expr,
    params: Sequence[sympy.Symbol],
    *,
    at: Mapping[sympy.Symbol, Any] | None = None,
    eta: Any = None,
    given: Sequence[sympy.Basic] = (),
    top: sympy.Expr | None = None,
) -> LossGeometry:
    """Derive sharpness, its gradient, alpha, beta, delta, epsilon at a point.

    Args:
        loss: a sympy expression; symbols are read as real numbers.
        params: the parameters, in order; other symbols are constants.
        at: values (exact numbers or expressions) of some parameters; the others stay symbols.
        eta: the step size; then also epsilon, and whether the point lies on the stable set.
        given: inequalities that may be used, for instance ``[y > 0]``.
        top: which eigenvalue is the largest one, where that depends on the symbols.

    Raises:
        RepeatedTop: sharpness is not differentiable at the point.
        DerivationError: for anything else that cannot be derived.
    """
    given = conditions(given)
    params, table, values = _arguments(loss, params, at, eta, given, top)
    scope = Scope(values)
    inner = [scope.enter(p) for p in params]
    expr = scope.enter(read(loss, "the loss"))
    point = {scope.enter(k): scope.enter(v) for k, v in table.items()}
    step = None if eta is None else scope.enter(read(eta, "eta"))
    judge = Judge([scope.enter(c) for c in given])
    chosen = None if top is None else scope.enter(read(top, "top"))
    return renamed(  # type: ignore[no-any-return]
        _geometry(expr, inner, point, step, judge, chosen), scope.outside
    )


def _arguments(
    loss: Any, params: Sequence[Any], at: Any, eta: Any, given: Sequence[Any], top: Any
) -> tuple[list[sympy.Symbol], dict[sympy.Symbol, sympy.Expr], list[sympy.Basic]]:
    params, table = parameters(params, at)
    extra = [read(x, "an argument") for x in (eta, top) if x is not None]
    return params, table, [read(loss, "the loss"), *params, *table.values(), *extra, *given]


def parameters(
    params: Sequence[Any], at: Mapping[Any, Any] | None
) -> tuple[list[sympy.Symbol], dict[sympy.Symbol, sympy.Expr]]:
    """Checked parameters and the point."""
    params = list(params)
    if not params:
        raise DerivationError("a loss needs parameters")
    for p in params:
        if not isinstance(p, sympy.Symbol):
            raise DerivationError(f"parameter {p!r} is no sympy symbol")
    if len(set(params)) != len(params):
        raise DerivationError("a parameter is listed twice")
    if unknown := [k for k in at or {} if k not in params]:
        raise DerivationError(f"{unknown[0]} is given a value but is no parameter")
    return params, {k: read(v, f"the value of {k}") for k, v in (at or {}).items()}


def derivatives(
    expr: sympy.Expr, params: Sequence[sympy.Symbol], point: Mapping[sympy.Symbol, sympy.Expr]
) -> tuple[Matrix, Matrix, Callable[[], list[Matrix]]]:
    """Gradient, Hessian and (when called) the derivatives of the Hessian, at a point."""
    gradient = [sympy.diff(expr, p) for p in params]
    hessian = [[sympy.diff(g, q) for q in params] for g in gradient]

    def at(value: sympy.Expr) -> sympy.Expr:
        return value.subs(point, simultaneous=True) if point else value

    def third() -> list[Matrix]:
        return [Matrix([[at(sympy.diff(h, p)) for h in row] for row in hessian]) for p in params]

    return (
        Matrix([at(g) for g in gradient]),
        Matrix([[at(h) for h in row] for row in hessian]),
        third,
    )


_SMOOTH = (
    sympy.Add, sympy.Mul, sympy.Pow, sympy.exp, sympy.sin, sympy.cos, sympy.tanh, sympy.sinh,
    sympy.cosh, sympy.atan, sympy.erf,
)  # fmt: skip
"""What is analytic on the whole line (powers have conditions of their own)."""


def smoothness(
    expr: sympy.Expr,
    params: Sequence[sympy.Symbol],
    point: Mapping[sympy.Symbol, sympy.Expr],
    judge: Judge,
) -> tuple[Hypothesis, ...]:
    """What makes the expression analytic at a point: non-zero denominators, positive radicands."""
    found: dict[sympy.Basic, None] = {}
    other: dict[Hypothesis, None] = {}
    for node in sympy.preorder_traversal(expr):
        if node.is_Pow and not node.exp.is_Integer and node.base != sympy.E:
            found[sympy.StrictGreaterThan(node.base, 0, evaluate=False)] = None
        elif node.is_Pow and node.exp.is_negative:
            found[sympy.Unequality(node.base, 0, evaluate=False)] = None
        elif isinstance(node, sympy.log):
            found[sympy.StrictGreaterThan(node.args[0], 0, evaluate=False)] = None
        elif isinstance(node, sympy.Abs | sympy.sign):
            found[sympy.Unequality(node.args[0], 0, evaluate=False)] = None
        elif isinstance(node, sympy.tan):
            found[sympy.Unequality(sympy.cos(node.args[0]), 0, evaluate=False)] = None
        elif isinstance(node, sympy.Expr) and not node.is_Atom and not isinstance(node, _SMOOTH):
            other[Hypothesis(f"the loss is smooth: {short(node)} is, at the point")] = None
    hypotheses = [*other]
    for condition in found:
        left = condition.args[0].subs(point, simultaneous=True)
        if left.is_number and left.is_finite is False:
            raise DerivationError(f"the loss is not smooth at the point: {condition.args[0]}")
        here = condition.func(left, 0, evaluate=False)
        status = judge.status(here)
        if status == "fails":
            raise DerivationError(f"the loss is not smooth at the point: {here} fails")
        if status != "holds" or left.free_symbols & set(params):
            hypotheses.append(Hypothesis(f"the loss is smooth: {here}", status))
    return tuple(dict.fromkeys(hypotheses))


def _geometry(
    expr: sympy.Expr,
    params: Sequence[sympy.Symbol],
    point: dict[sympy.Symbol, sympy.Expr],
    eta: sympy.Expr | None,
    judge: Judge,
    top: sympy.Expr | None,
) -> LossGeometry:
    smooth = smoothness(expr, params, point, judge)
    gradient, hessian, lazy = derivatives(expr, params, point)
    third = lazy()
    gradient, hessian = judge.tidy_matrix(gradient), judge.tidy_matrix(hessian)
    pair = top_pair(hessian, judge, top)
    # implicit differentiation of det(x I - H(theta)) = 0 at a simple root, by Jacobi's formula
    # (d det = tr(adj d)): dx = tr(adj dH) / tr(adj), and adj / tr(adj) is the projection
    slope = Matrix([judge.tidy((pair.projection * d).trace()) for d in third])
    c = pair.column
    for entry, d in zip(slope, third, strict=True):
        if not judge.zero(entry - (c.T * d * c)[0] / pair.norm2):
            raise ArithmeticError("the two forms of the sharpness gradient differ")
    alpha = judge.tidy(-(gradient.T * slope)[0])
    side = judge.tidy_matrix(slope - pair.projection * slope)
    beta = judge.tidy((side.T * side)[0])
    flat = judge.zero(beta)
    delta = None if flat else sympy.sqrt(judge.tidy(2 * alpha / beta))
    epsilon = None if eta is None else judge.tidy(eta * sympy.sqrt(alpha))
    drift = None
    if not flat:
        rest = gradient - pair.projection * gradient - side * (side.T * gradient)[0] / beta
        drift = judge.tidy_matrix(-rest)
    hypotheses = (
        *judge.inputs(),
        *smooth,
        *pair.hypotheses,
        *_stable_set(gradient, pair, alpha, beta, eta, judge),
    )
    found = LossGeometry(
        loss=expr,
        params=tuple(params),
        point=Matrix([point.get(p, p) for p in params]),
        eta=eta,
        value=judge.tidy(expr.subs(point, simultaneous=True)),
        gradient=gradient,
        hessian=hessian,
        sharpness=pair.value,
        eigenvector=judge.tidy_matrix(c / sympy.sqrt(pair.norm2)),
        sharpness_gradient=slope,
        alpha=alpha,
        beta=beta,
        delta=delta,
        epsilon=epsilon,
        drift=drift,
        given=judge.given,
        hypotheses=hypotheses,
    )
    return leave(found, judge)


def leave(found: LossGeometry, judge: Judge) -> LossGeometry:
    """With the eigenvalue for its letter, shortened where that is cheap."""
    root = judge.algebraic
    if root is None:
        return found
    judge.algebraic = None
    clean: LossGeometry = renamed(found, {root.letter: root.value})
    return clean


def _stable_set(
    gradient: Matrix,
    pair: TopPair,
    alpha: sympy.Expr,
    beta: sympy.Expr,
    eta: sympy.Expr | None,
    judge: Judge,
) -> list[Hypothesis]:
    """The standing assumptions of damian23 at the point, each checked."""
    found = [
        judge.hypothesis("progressive sharpening (Assumption 1): alpha > 0", _positive(alpha)),
        judge.hypothesis("self-stabilization acts: beta > 0", _positive(beta)),
        judge.hypothesis(
            "the point is in the stable set: <grad L, u> = 0",
            sympy.Equality((gradient.T * pair.column)[0], 0, evaluate=False),
        ),
    ]
    if eta is not None:
        edge = sympy.Equality(pair.value, 2 / eta, evaluate=False)
        found.append(judge.hypothesis("the point is at the edge: S = 2/eta", edge))
        for other in dict.fromkeys(pair.below):
            below = sympy.StrictLessThan(other, 2 / eta, evaluate=False)
            text = f"eigengap (Assumption 2): {short(other)} < 2/eta"
            found.append(judge.hypothesis(text, below))
    return found


def _positive(expr: sympy.Expr) -> sympy.Basic:
    return sympy.StrictGreaterThan(expr, 0, evaluate=False)
