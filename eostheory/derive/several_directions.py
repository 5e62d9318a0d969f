"""Directions of which the block at the edge consists, and what must hold of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import sympy
from sympy import ImmutableMatrix as Matrix

from eostheory.derive.eigen import top_value
from eostheory.derive.errors import DerivationError
from eostheory.derive.judge import Judge
from eostheory.derive.result import Hypothesis, Status, short


def top_columns(hessian: Matrix, count: int, judge: Judge) -> list[sympy.MatrixBase]:
    """The top eigenvectors; eigenvalues that are equal come together."""
    size = hessian.shape[0]
    if not 1 <= count < size:
        raise DerivationError(f"{count} directions of {size} parameters; give 1 to {size - 1}")
    try:
        spaces = [(value, vectors) for value, _, vectors in sympy.Matrix(hessian).eigenvects()]
    except (NotImplementedError, sympy.polys.polyerrors.BasePolynomialError) as error:
        raise DerivationError(f"the eigenvectors were not found ({error}); give them") from error
    found: list[sympy.MatrixBase] = []
    while len(found) < count:
        top = next(
            (s for s in spaces if all(_at_least(s[0], other, judge) for other, _ in spaces)), None
        )
        if top is None:
            listed = ", ".join(str(value) for value, _ in spaces)
            raise DerivationError(
                f"which eigenvalue of the Hessian is the largest depends on the symbols: {listed}. "
                "Declare them positive, give conditions (given=...) or give the directions"
            )
        found += top[1]
        spaces.remove(top)
    if len(found) > count:
        raise DerivationError(
            f"an eigenvalue is repeated, so that the top {count} directions are not determined; "
            f"ask for {len(found)}, or give the directions"
        )
    return found


def _at_least(value: sympy.Expr, other: sympy.Expr, judge: Judge) -> bool:
    same = bool(value == other)
    return same or judge.status(sympy.GreaterThan(value, other, evaluate=False)) == "holds"


def orthonormal(columns: Sequence[sympy.MatrixBase], size: int, judge: Judge) -> Matrix:
    """The columns made orthonormal in their order (Gram and Schmidt)."""
    if not 1 <= len(columns) < size:
        raise DerivationError(f"{len(columns)} directions of {size} parameters; give fewer, not 0")
    found: list[sympy.MatrixBase] = []
    for number, column in enumerate(columns):
        if column.shape != (size, 1):
            raise DerivationError(
                f"direction {number + 1} has shape {column.shape}; a column of {size} was expected"
            )
        rest = column
        for unit in found:
            rest = rest - unit * (unit.T * column)[0]
        rest = judge.tidy_matrix(rest)
        if judge.zeros(rest):
            raise DerivationError(f"direction {number + 1} depends on those before it")
        norm = sympy.sqrt(judge.tidy((rest.T * rest)[0]))
        found.append(judge.tidy_matrix(rest / norm))
    return Matrix.hstack(*(Matrix(c) for c in found))


def standing(
    gradient: Matrix,
    hessian: Matrix,
    basis: Matrix,
    rest_of: Matrix,
    excess: Matrix,
    eta: sympy.Expr,
    judge: Judge,
) -> list[Hypothesis]:
    """What the reference point and the spectrum must meet, each checked."""
    status: Status = "unknown"
    text = "eigengap: no other eigenvalue of the Hessian reaches 2/eta"
    try:
        other = top_value(judge.tidy_matrix(rest_of * hessian * rest_of), judge, "the Hessian")
    except DerivationError:
        pass
    else:
        status = judge.status(sympy.StrictLessThan(other, 2 / eta, evaluate=False))
        text = f"eigengap: {short(other)} < 2/eta for all other eigenvalues of the Hessian"
    return [
        Hypothesis("the reference point: U^T grad L = 0", judge.all_zero(basis.T * gradient)),
        Hypothesis(
            "the block is at the edge: U^T H U = (2/eta) I (small differences are allowed)",
            judge.all_zero(excess),
        ),
        Hypothesis(text, status),
    ]


def semidefinite(matrix: Matrix, judge: Judge) -> Status:
    """Whether a symmetric matrix is positive semidefinite, by its principal minors."""
    found: Status = "holds"
    for size in range(1, matrix.shape[0] + 1):
        for rows in combinations(range(matrix.shape[0]), size):
            minor = judge.tidy(matrix.extract(rows, rows).det())
            status = judge.status(sympy.GreaterThan(minor, 0, evaluate=False))
            if status == "fails":
                return "fails"
            if status != "holds":
                found = "unknown"
    return found
