"""Predicted dynamics of several top directions at once (one of them: Definition 7 of damian23)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import sympy
from sympy import ImmutableMatrix as Matrix

from eostheory.derive.errors import DerivationError
from eostheory.derive.judge import Judge, Scope, conditions, read
from eostheory.derive.losses import derivatives, parameters, smoothness
from eostheory.derive.result import Derived, Hypothesis, renamed
from eostheory.derive.several_directions import orthonormal, semidefinite, standing, top_columns
from eostheory.symbolic.vectorfield import VectorField

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class SeveralDynamics(Derived):
    r"""One step of the displacement ``v`` from a reference point with k top directions.

    ``basis`` has the directions as columns, ``x = U^T v`` and ``Y`` is the block ``U^T H U`` at the
    displaced point less ``2/eta``.  Symmetric matrices are also read as vectors over ``pairs``
    (i, j) with i >= j: ``slopes[p]`` is the gradient of ``Y_ij`` across U and ``beta[p, q]`` the
    product of two of them.  ``alpha`` is the rate of Y along ``-grad L``, and ``covariance`` the
    solution of ``B[Sigma] = 2 A``: the mean of ``x x^T`` while Y stays bounded.  For k = 1 it is
    ``delta^2``.  ``drift`` is the direction in which the reference point itself moves.

    ``y_next`` (over ``pairs``) is there when the span of the slopes is invariant under the Hessian
    across U, with matrix ``decay``; otherwise Y remembers the past through :meth:`response`.
    ``speeds`` is the limit of small step sizes for ``((-1)^t x, Y)``.  ``fixed_point`` and
    ``invariant`` are there for directions that do not mix (``grad Y_ij = 0`` for i != j); those
    that do have no fixed point unless the covariance has rank one, and are not known to conserve
    anything.
    """

    title: ClassVar[str] = "predicted dynamics of several directions"
    shown: ClassVar[Mapping[str, str]] = {
        "basis": "U",
        "excess": "Y_0",
        "slopes": r"\nabla Y_{ij}",
        "alpha": "A",
        "beta": "B",
        "covariance": r"\Sigma",
        "drift": r"-P^{\perp}_{U,\nabla Y}\nabla L",
        "step": r"\mathrm{step}(v)",
        "x_next": "x_{t+1}",
        "y_next": "Y_{t+1}",
        "decay": "D",
        "speeds": "(X', Y')",
        "fixed_point": r"|x|_*",
        "invariant": "g(X, Y)",
    }

    displacement: tuple[sympy.Symbol, ...]
    x: tuple[sympy.Symbol, ...]
    y: tuple[sympy.Symbol, ...]
    pairs: Pairs
    eta: sympy.Expr
    basis: Matrix
    contraction: Matrix
    excess: Matrix
    slopes: tuple[Matrix, ...]
    alpha: Matrix
    beta: Matrix
    covariance: Matrix | None
    drift: Matrix
    step: Matrix
    x_next: Matrix
    y_next: Matrix | None
    decay: Matrix | None
    speeds: Matrix | None
    fixed_point: Matrix | None
    invariant: sympy.Expr | None
    hypotheses: tuple[Hypothesis, ...]

    @property
    def params(self) -> tuple[sympy.Symbol, ...]:
        """The displacement: the leading inputs of ``to_torch("step")``."""
        return self.displacement

    def response(self, start: int, end: int) -> Matrix:
        """``B_{s -> t}`` over pairs: the change of Y at ``end`` by an oscillation at ``start``.

        With the reference point at rest; for k = 1 it is ``beta_{s -> t}`` of Definition 4.
        """
        if not 0 <= start <= end:
            raise DerivationError(f"the response goes forward: 0 <= s <= t, not {start}, {end}")
        side = Matrix.hstack(*self.slopes)
        moved = side
        for _ in range(end - start):
            moved = self.contraction * moved
        return Matrix((side.T * moved).applyfunc(sympy.expand))

    def _why(self, name: str) -> str:
        if name == "covariance":
            return "the slopes of the block are dependent, so that it is not unique"
        if name in ("fixed_point", "invariant"):
            return "the directions mix, or the slopes are not in the kernel of the Hessian across U"
        return "the slopes are not invariant under the Hessian across U, so that Y has a memory"


def several_dynamics(
    loss: sympy.Expr,
    params: Sequence[sympy.Symbol],
    directions: int | Sequence[Any],
    *,
    eta: Any,
    at: Mapping[sympy.Symbol, Any] | None = None,
    given: Sequence[sympy.Basic] = (),
) -> SeveralDynamics:
    """Derive the predicted dynamics of several directions at a reference point.

    Args:
        loss: a sympy expression; symbols are read as real numbers.
        params: the parameters, in order; other symbols are constants.
        directions: how many of the top eigenvectors, or columns that span them (which may then
            have equal or irrational eigenvalues); they are made orthonormal in their order.
        eta: the step size.
        at: values of some parameters; the others stay symbols.
        given: inequalities that may be used.

    Raises:
        DerivationError: the directions are dependent or span no invariant subspace of the Hessian;
            or it cannot be told which eigenvectors are at the top.
    """
    given = conditions(given)
    params, table = parameters(params, at)
    columns = [] if isinstance(directions, int) else [sympy.Matrix(c) for c in directions]
    entries = [read(e, "an entry of a direction") for c in columns for e in c]
    step = read(eta, "eta")
    expr = read(loss, "the loss")
    scope = Scope([expr, *params, *table.values(), step, *given, *entries])
    judge = Judge([scope.enter(c) for c in given])
    inner = [scope.enter(p) for p in params]
    point = {scope.enter(k): scope.enter(v) for k, v in table.items()}
    expr = scope.enter(expr)
    smooth = smoothness(expr, inner, point, judge)
    gradient, hessian, third = derivatives(expr, inner, point)
    gradient, hessian = judge.tidy_matrix(gradient), judge.tidy_matrix(hessian)
    if isinstance(directions, int):
        columns = top_columns(hessian, directions, judge)
    else:
        columns = [c.applyfunc(scope.enter) for c in columns]
    basis = orthonormal(columns, len(params), judge)
    result = _dynamics(gradient, hessian, third(), basis, scope.enter(step), judge, smooth)
    clean: SeveralDynamics = renamed(result, scope.outside)
    return clean


# --------------------------------------------------------------------------------- dynamics
def _dynamics(
    gradient: Matrix,
    hessian: Matrix,
    third: Sequence[Matrix],
    basis: Matrix,
    eta: sympy.Expr,
    judge: Judge,
    smooth: tuple[Hypothesis, ...],
) -> SeveralDynamics:
    size, k = basis.shape
    rest_of = judge.tidy_matrix(sympy.eye(size) - basis * basis.T)
    if not judge.zeros(rest_of * hessian * basis):
        raise DerivationError("the directions span no invariant subspace of the Hessian")
    pairs: Pairs = tuple((i, j) for i in range(k) for j in range(i + 1))
    weight = [1 if i == j else 2 for i, j in pairs]
    excess = judge.tidy_matrix(basis.T * hessian * basis - 2 / eta * sympy.eye(k))
    slopes = []
    for i, j in pairs:
        bend = Matrix([(basis[:, i].T * d * basis[:, j])[0] for d in third])
        slopes.append(judge.tidy_matrix(rest_of * bend))
    side = Matrix.hstack(*slopes)
    rate = judge.tidy_matrix(-side.T * gradient)
    gram = judge.tidy_matrix(side.T * side)
    chosen = _independent(gram, judge)
    half = _half_covariance(gram, rate, weight, chosen, judge)
    everything = len(chosen) == len(pairs)

    v = sympy.symbols(f"v_1:{size + 1}", real=True)
    vector = Matrix(v)
    x = sympy.symbols(f"x_1:{k + 1}", real=True)
    y = tuple(sympy.Symbol(f"y_{i + 1}{j + 1}", real=True) for i, j in pairs)
    contraction = judge.tidy_matrix((sympy.eye(size) - eta * hessian) * rest_of)
    ahead = basis.T * vector
    pull = Matrix(
        [
            w * (c - ahead[i] * ahead[j] / 2)
            for (i, j), w, c in zip(pairs, weight, half, strict=True)
        ]
    )
    block_there = excess + _matrix(side.T * vector, pairs, k)
    step = contraction * vector + eta * side * pull
    step = step - basis * (sympy.eye(k) + eta * block_there) * ahead
    block = _matrix(Matrix(y), pairs, k)
    x_next = -(sympy.eye(k) + eta * block) * Matrix(x)
    drift = judge.tidy_matrix(-(rest_of * gradient + side * _weighted(half, weight)))

    decay = _decay(hessian, rest_of, side, gram, chosen, judge)
    start = Matrix([excess[i, j] for i, j in pairs])
    y_next = speeds = None
    single = _single(slopes, excess, pairs, decay, chosen, judge)
    sign = {"positive": True} if single else {"real": True}
    large = tuple(sympy.Symbol(f"X_{i + 1}", **sign) for i in range(k))
    if decay is not None:
        squares = Matrix([w * x[i] * x[j] for (i, j), w in zip(pairs, weight, strict=True)])
        force = -decay * (Matrix(y) - start) + rate - gram * squares / 2
        y_next = judge.tidy_matrix(Matrix(y) + eta * force)
        grown = dict(zip(x, large, strict=True))
        speeds = Matrix.vstack(Matrix(block * Matrix(large)), Matrix(force.xreplace(grown)))
    fixed_point = invariant = None
    if single:
        own = [half[p] for p, (i, j) in enumerate(pairs) if i == j]
        if all(judge.status(sympy.StrictGreaterThan(c, 0, evaluate=False)) != "fails" for c in own):
            fixed_point = Matrix([sympy.sqrt(judge.tidy(2 * c)) for c in own])
        invariant = _invariant(gram, own, large, y, pairs, speeds, judge)
    return SeveralDynamics(
        displacement=tuple(v),
        x=x,
        y=y,
        pairs=pairs,
        eta=eta,
        basis=basis,
        contraction=contraction,
        excess=excess,
        slopes=tuple(slopes),
        alpha=_matrix(rate, pairs, k),
        beta=gram,
        covariance=_matrix(2 * Matrix(half), pairs, k) if everything else None,
        drift=drift,
        step=judge.tidy_matrix(step),
        x_next=judge.tidy_matrix(x_next),
        y_next=y_next,
        decay=decay,
        speeds=speeds,
        fixed_point=fixed_point,
        invariant=invariant,
        hypotheses=(
            *judge.inputs(),
            *smooth,
            *standing(gradient, hessian, basis, rest_of, excess, eta, judge),
            Hypothesis(
                "the slopes of the block are independent, so that the covariance is unique",
                "holds" if everything else "fails",
            ),
            Hypothesis(
                "every direction stays at the edge: the covariance is positive semidefinite",
                semidefinite(_matrix(Matrix(half), pairs, k), judge) if everything else "unknown",
            ),
            Hypothesis(
                "the slopes of the block are invariant under P^perp H P^perp, so that x and Y "
                "close up",
                "unknown" if decay is None else "holds",
            ),
        ),
    )


def _matrix(values: sympy.MatrixBase, pairs: Pairs, k: int) -> Matrix:
    """The symmetric matrix of a vector over pairs."""
    found = sympy.zeros(k, k)
    for value, (i, j) in zip(values, pairs, strict=True):
        found[i, j] = found[j, i] = value
    return Matrix(found)


def _weighted(values: Sequence[sympy.Expr], weight: Sequence[int]) -> Matrix:
    return Matrix([w * c for w, c in zip(weight, values, strict=True)])


def _independent(gram: Matrix, judge: Judge) -> list[int]:
    """Indices of slopes that span all of them."""
    chosen: list[int] = []
    for p in range(gram.shape[0]):
        trial = [*chosen, p]
        if not judge.zero(judge.tidy(gram.extract(trial, trial).det())):
            chosen = trial
    return chosen


def _half_covariance(
    gram: Matrix, rate: Matrix, weight: Sequence[int], chosen: list[int], judge: Judge
) -> list[sympy.Expr]:
    """C with ``B[C] = A``, zero outside the chosen pairs."""
    half = [sympy.Integer(0)] * gram.shape[0]
    if chosen:
        solved = gram.extract(chosen, chosen).LUsolve(rate.extract(chosen, [0]))
        for p, value in zip(chosen, solved, strict=True):
            half[p] = judge.tidy(value / weight[p])
    if not judge.zeros(gram * _weighted(half, weight) - rate):
        raise ArithmeticError("B[C] = A was not solved")
    return half


def _decay(
    hessian: Matrix, rest_of: Matrix, side: Matrix, gram: Matrix, chosen: list[int], judge: Judge
) -> Matrix | None:
    """D with ``P H s_p = sum_q D_pq s_q``, if there is one."""
    moved = judge.tidy_matrix(rest_of * hessian * side)
    count = gram.shape[0]
    found = sympy.zeros(count, count)
    if chosen and not judge.zeros(moved):
        inner = gram.extract(chosen, chosen)
        solved = inner.LUsolve(side.extract(range(side.shape[0]), chosen).T * moved)
        for a, q in enumerate(chosen):
            for p in range(count):
                found[p, q] = judge.tidy(solved[a, p])
    decay = Matrix(found)
    return decay if judge.zeros(moved - side * decay.T) else None


def _single(
    slopes: Sequence[Matrix],
    excess: Matrix,
    pairs: Pairs,
    decay: Matrix | None,
    chosen: list[int],
    judge: Judge,
) -> bool:
    """Whether the directions do not mix, and nothing decays."""
    own = [p for p, (i, j) in enumerate(pairs) if i == j]
    mixed = [p for p in range(len(pairs)) if p not in own]
    return (
        decay is not None
        and judge.zeros(decay)
        and all(judge.zeros(slopes[p]) for p in mixed)
        and all(judge.zero(excess[pairs[p]]) for p in mixed)
        and chosen == own
    )


def _invariant(
    gram: Matrix,
    own: Sequence[sympy.Expr],
    large: Sequence[sympy.Symbol],
    y: Sequence[sympy.Symbol],
    pairs: Pairs,
    speeds: Matrix | None,
    judge: Judge,
) -> sympy.Expr:
    """``Y B^{-1} Y + |X|^2/2 - 2 sum C_ii log X_i``, conserved by directions that do not mix."""
    diagonal = [p for p, (i, j) in enumerate(pairs) if i == j]
    heights = Matrix([y[p] for p in diagonal])
    inverse = judge.tidy_matrix(gram.extract(diagonal, diagonal).inv())
    value = (heights.T * inverse * heights)[0] + sympy.Add(*(s**2 for s in large)) / 2
    value -= 2 * sympy.Add(*(c * sympy.log(s) for c, s in zip(own, large, strict=True)))
    assert speeds is not None
    still = {y[p]: 0 for p in range(len(pairs)) if p not in diagonal}
    flow = VectorField((*large, *y), tuple(speeds))
    if not judge.zero(sympy.expand(flow.along(value).subs(still))):
        raise ArithmeticError("the potential is not conserved")
    if not all(judge.zero(speeds[len(large) + p].subs(still)) for p in range(len(pairs))
               if p not in diagonal):  # fmt: skip
        raise ArithmeticError("directions that do not mix begin to")
    return value
