"""The top eigenpair of a symmetric matrix of scalars, exactly.

Everything about a simple eigenvalue follows from the adjugate of ``x I - H`` (computed with its
characteristic polynomial by the recursion of Faddeev and Le Verrier): its trace is the derivative
of the polynomial, and at a simple root it is a multiple of the projection on the eigenvector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy

from eostheory.derive.errors import DerivationError
from eostheory.derive.judge import Judge
from eostheory.derive.result import Hypothesis, short

_X = sympy.Symbol("_x", real=True)


class RepeatedTop(DerivationError):
    """The top eigenvalue is repeated, so that sharpness has no gradient and no direction."""


@dataclass(frozen=True)
class TopPair:
    """Top eigenvalue, eigenvector with its squared norm, projection, eigenvalues below.

    An irrational eigenvalue is a letter here; ``judge.leave`` gives its value back.
    """

    value: sympy.Expr
    column: sympy.ImmutableMatrix
    norm2: sympy.Expr
    projection: sympy.ImmutableMatrix
    below: tuple[sympy.Expr, ...]
    hypotheses: tuple[Hypothesis, ...]


def adjugate(matrix: sympy.MatrixBase) -> tuple[sympy.Expr, sympy.MatrixBase]:
    """Characteristic polynomial in ``_X`` and the adjugate of ``_X I - matrix``."""
    size = matrix.shape[0]
    identity = sympy.eye(size)
    coefficient: sympy.Expr = sympy.Integer(1)
    polynomial = _X**size
    step = sympy.zeros(size, size)
    total = sympy.zeros(size, size)
    for k in range(1, size + 1):
        step = (matrix * step + coefficient * identity).applyfunc(sympy.expand)
        total += _X ** (size - k) * step
        coefficient = sympy.expand(-(matrix * step).trace() / k)
        polynomial += coefficient * _X ** (size - k)
    return polynomial, total


def blocks(matrix: sympy.MatrixBase, judge: Judge) -> list[list[int]]:
    """Index sets between which all entries vanish."""
    size = matrix.shape[0]
    left = set(range(size))
    found = []
    while left:
        todo, own = [min(left)], []
        while todo:
            i = todo.pop()
            if i in left:
                left.remove(i)
                own.append(i)
                todo += [j for j in left if not judge.zero(matrix[i, j])]
        found.append(sorted(own))
    return found


def top_pair(
    matrix: sympy.MatrixBase, judge: Judge, top: sympy.Expr | None = None, what: str = "the Hessian"
) -> TopPair:
    """The top eigenpair of a symmetric matrix.

    Args:
        top: the eigenvalue to take; it is checked to be one, and that no other exceeds it becomes
            a hypothesis.

    Raises:
        RepeatedTop: the largest eigenvalue is not simple.
        DerivationError: it cannot be told which eigenvalue is the largest, or an eigenvalue has
            no closed form.
    """
    if not judge.zeros(matrix - matrix.T):
        raise DerivationError(f"{what} is not symmetric")
    parts = blocks(matrix, judge)
    roots: list[tuple[sympy.Expr, int]] = []
    for number, part in enumerate(parts):
        sub = matrix.extract(part, part)
        roots += [(r, number) for r in _eigenvalues(sub, judge, top is not None, what)]
    if top is not None:
        value, number = _given(matrix, parts, top, judge, what)
        others = _others(roots, value, judge)
    else:
        value, number, others = _largest(roots, judge, what)
    hypotheses = _order(value, others, judge, what)
    if top is not None and len(others) < matrix.shape[0] - 1:
        hypotheses = (
            *hypotheses,
            Hypothesis(f"no other eigenvalue of {what} reaches {value}"),
        )
    block = matrix.extract(parts[number], parts[number])
    polynomial, adjoint = adjugate(block)
    shown = _letter(polynomial, value, judge)
    projection = _projection(matrix.shape[0], parts[number], polynomial, adjoint, shown, judge)
    if projection is None:
        raise RepeatedTop(f"the top eigenvalue {value} of {what} is repeated")
    column, norm = _column(projection, judge)
    if not judge.zeros(matrix * column - shown * column):
        raise ArithmeticError("the eigenvector does not satisfy its equation")
    return TopPair(shown, column, norm, projection, tuple(others), hypotheses)


def top_value(matrix: sympy.MatrixBase, judge: Judge, what: str) -> sympy.Expr:
    """The largest eigenvalue, simple or not."""
    parts = blocks(matrix, judge)
    roots = [
        (r, k)
        for k, part in enumerate(parts)
        for r in _eigenvalues(matrix.extract(part, part), judge, False, what)
    ]
    value: sympy.Expr = _largest(roots, judge, what)[0]
    return value


def _letter(polynomial: sympy.Expr, value: sympy.Expr, judge: Judge) -> sympy.Expr:
    """A letter for an irrational eigenvalue, known to the judge; else the value itself."""
    if polynomial == _X - value or sympy.diff(polynomial, _X) == 1:
        return value
    roots = [p for p in value.atoms(sympy.Pow) if not p.exp.is_Integer and p.base != sympy.E]
    if all(p.base.is_Symbol and p.base.is_positive for p in roots) and not value.has(sympy.CRootOf):
        return value
    factor, root = value.as_coeff_Mul()
    if isinstance(root, sympy.CRootOf):  # sympy takes content out of the variable: 3*CRootOf(...)
        minimal = root.poly.as_expr().xreplace({root.poly.gen: _X / factor})
    elif sympy.degree(polynomial, _X) == 2:
        minimal = polynomial
    else:
        factors = (f for f, _ in sympy.factor_list(polynomial, _X)[1])
        minimal = next((f for f in factors if judge.zero(f.subs(_X, value))), None)
        if minimal is None:
            return value
    judge.adjoin(value, minimal, _X)
    return _X


# ---------------------------------------------------------------------- eigenvalues
def _eigenvalues(
    matrix: sympy.MatrixBase, judge: Judge, partial: bool, what: str
) -> list[sympy.Expr]:
    """With multiplicity; those of high degree only for rational entries.

    Args:
        partial: leave out what has no closed form instead of raising.
    """
    if matrix.shape == (1, 1):
        return [judge.tidy(matrix[0, 0])]
    if matrix.shape == (2, 2):
        half, det = matrix.trace() / 2, matrix.det()
        return _quadratic(-2 * half, det, judge)
    polynomial, _ = adjugate(matrix)
    if all(e.is_Rational for e in matrix):
        return list(sympy.Poly(polynomial, _X).real_roots())
    found: list[sympy.Expr] = []
    for factor, power in sympy.factor_list(polynomial, _X)[1]:
        poly = sympy.Poly(factor, _X)
        if poly.degree() == 0:
            continue
        if poly.degree() > 2:
            if partial:
                continue
            raise DerivationError(
                f"an eigenvalue of {what} is a root of a polynomial of degree {poly.degree()} "
                f"with parameters: {factor.subs(_X, sympy.Symbol('x'))}; give a rational point, or "
                "the eigenvalue (top=...)"
            )
        c = [judge.tidy(a / poly.LC()) for a in poly.all_coeffs()]
        own = [-c[1]] if len(c) == 2 else _quadratic(c[1], c[2], judge)
        found += own * power
    return found


def _quadratic(b: sympy.Expr, c: sympy.Expr, judge: Judge) -> list[sympy.Expr]:
    """Roots of ``x**2 + b x + c``, real because the matrix is symmetric; the larger one first."""
    square = judge.tidy(b**2 / 4 - c)
    root = judge.root(square)
    middle = judge.tidy(-b / 2)
    return [judge.tidy(sympy.expand(middle + root)), judge.tidy(sympy.expand(middle - root))]


def _largest(
    roots: Sequence[tuple[sympy.Expr, int]], judge: Judge, what: str
) -> tuple[sympy.Expr, int, list[sympy.Expr]]:
    """The one root that no other exceeds, its block, and the others."""
    for k, (value, number) in enumerate(roots):
        others = [r for i, (r, _) in enumerate(roots) if i != k]
        if all(_at_least(value, other, judge) for other in others):
            return value, number, others
    listed = ", ".join(dict.fromkeys(str(r) for r, _ in roots))
    raise DerivationError(
        f"which eigenvalue of {what} is the largest depends on the symbols: {listed}. Declare them "
        "positive, give conditions (given=...) or choose one (top=...)"
    )


def _at_least(value: sympy.Expr, other: sympy.Expr, judge: Judge) -> bool:
    if value == other:
        return True
    return judge.status(sympy.GreaterThan(value, other, evaluate=False)) == "holds"


def _order(
    value: sympy.Expr, others: Sequence[sympy.Expr], judge: Judge, what: str
) -> tuple[Hypothesis, ...]:
    found: list[Hypothesis] = []
    for other in dict.fromkeys(others):
        if judge.same(value, other):
            raise RepeatedTop(
                f"the top eigenvalue {value} of {what} is repeated: sharpness is not "
                "differentiable there and has no single direction"
            )
        status = judge.status(sympy.StrictGreaterThan(value, other, evaluate=False))
        text = f"{short(value)} > {short(other)}"
        found.append(Hypothesis(f"the top eigenvalue is simple: {text}", status))
    if any(h.status == "fails" for h in found):
        raise DerivationError(
            f"{value} is not the top eigenvalue of {what}: " + "; ".join(map(str, found))
        )
    return tuple(found)


def _given(
    matrix: sympy.MatrixBase, parts: list[list[int]], top: sympy.Expr, judge: Judge, what: str
) -> tuple[sympy.Expr, int]:
    matching = [
        number
        for number, part in enumerate(parts)
        if judge.zero(adjugate(matrix.extract(part, part))[0].subs(_X, top))
    ]
    if not matching:
        raise DerivationError(f"{top} is not known to be an eigenvalue of {what}")
    if len(matching) > 1:
        raise RepeatedTop(f"the eigenvalue {top} of {what} is repeated")
    return top, matching[0]


def _others(
    roots: Sequence[tuple[sympy.Expr, int]], value: sympy.Expr, judge: Judge
) -> list[sympy.Expr]:
    left = [r for r, _ in roots]
    for k, root in enumerate(left):
        if judge.same(root, value):
            return left[:k] + left[k + 1 :]
    return left


# --------------------------------------------------------------------- eigenvectors
def _projection(
    size: int,
    part: list[int],
    polynomial: sympy.Expr,
    adjoint: sympy.MatrixBase,
    value: sympy.Expr,
    judge: Judge,
) -> sympy.ImmutableMatrix | None:
    """The orthogonal projection on the eigenvector of a simple eigenvalue; None for another."""
    whole = sympy.zeros(size, size)
    slope = sympy.diff(polynomial, _X).subs(_X, value)
    if judge.zero(slope):
        return None
    for a, i in enumerate(part):
        for b, j in enumerate(part):
            whole[i, j] = judge.tidy(adjoint[a, b].subs(_X, value) / slope)
    if not judge.zero(whole.trace() - 1):
        raise ArithmeticError("the projection has the wrong rank")
    return sympy.ImmutableMatrix(whole)


def _column(projection: sympy.MatrixBase, judge: Judge) -> tuple[sympy.ImmutableMatrix, sympy.Expr]:
    """``(c, n)`` with ``u = c / sqrt(n)`` the unit eigenvector, and ``n`` its squared norm."""
    unsure: int | None = None
    for j in range(projection.shape[0]):
        entry = projection[j, j]
        if judge.zero(entry):
            continue
        if judge.status(sympy.StrictGreaterThan(entry, 0, evaluate=False)) == "holds":
            unsure = j
            break
        unsure = j if unsure is None else unsure
    assert unsure is not None
    return sympy.ImmutableMatrix(projection[:, unsure]), projection[unsure, unsure]
