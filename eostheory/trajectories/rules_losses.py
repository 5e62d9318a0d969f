"""Losses that the papers and the field name, as sympy problems ready to run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy
from sympy import Expr, Rational, Symbol

from eostheory.trajectories.rules_gradient import Problem, expression, matrix


def _reals(names: str) -> tuple[Symbol, ...]:
    return tuple(Symbol(n, real=True) for n in names.split())


def self_stabilisation_toy() -> Problem:
    """``(2/eta + sqrt(beta) y) x^2/2 - alpha/sqrt(beta) y - z`` (damian23, appendix B).

    Its ``eta`` is the step size of the descent.
    """
    x, y, z = _reals("x y z")
    eta, alpha, beta = (Symbol(n, positive=True) for n in ("eta", "alpha", "beta"))
    root = sympy.sqrt(beta)
    loss = (2 / eta + root * y) * x**2 / 2 - alpha / root * y - z
    return Problem(loss, (x, y, z), name="self-stabilisation toy")


def three_dimensional_example() -> Problem:
    """``2 - (x + y)/sqrt(x^2 - x y + y^2)`` of (x, y, z), scale-invariant (lyu22, appendix F).

    Its minimizers are x = y > 0; the figure starts at (0.3, 1.3, 1.2) with step size 0.5 and
    weight decay 0.08.
    """
    x, y, z = _reals("x y z")
    loss = 2 - (x + y) / sympy.sqrt(x**2 - x * y + y**2)
    return Problem(loss, (x, y, z), name="three-dimensional example")


def quadratic_ratio(top: Any, bottom: Any) -> Problem:
    """``<w, A w>/<w, B w>``, scale-invariant, with symmetric A and positive definite B.

    Args:
        top: A, (D, D).
        bottom: B, (D, D).

    Raises:
        ValueError: shapes that do not fit.
    """
    a, b = matrix(top, "A"), matrix(bottom, "B")
    if a.shape != b.shape or a.rows != a.cols:
        raise ValueError(f"A is {a.shape} and B is {b.shape}; both must be (D, D)")
    w = sympy.Matrix(_numbered("w", a.rows))
    above, below = Symbol("numerator", real=True), Symbol("denominator", real=True)
    parts = ((above, (w.T * a * w)[0]), (below, (w.T * b * w)[0]))
    return Problem(above / below, tuple(w), parts, "quadratic ratio")


def linear_network(inputs: Any, targets: Sequence[object], width: int) -> Problem:
    """Two-layer linear network: ``|X'W'A/sqrt(m) - Y|^2/n`` (li22, section 4).

    Args:
        inputs: X as rows, (n, d), numbers or symbols; one datum is what the model of scalar
            weights ``(a w - 1)^2`` is.
        targets: Y, n numbers or symbols.
        width: the hidden width m; variables are a_1 ... a_m, w_1_1 ... w_m_d.

    Raises:
        ValueError: shapes that do not fit, or no hidden units.
    """
    x, y = _data(inputs, targets)
    if width < 1:
        raise ValueError(f"width {width}: a network needs at least one hidden unit")
    a = _numbered("a", width)
    w = [
        [Symbol(f"w_{q}_{j}", real=True) for j in range(1, x.cols + 1)] for q in range(1, width + 1)
    ]
    outer = _numbered("v", x.cols)
    definitions: list[tuple[Symbol, Expr]] = [
        (v, sympy.Add(*(a[q] * w[q][j] for q in range(width)))) for j, v in enumerate(outer)
    ]
    residuals = _numbered("D", x.rows)
    for i, residual in enumerate(residuals):
        score = sympy.Add(*(x[i, j] * v for j, v in enumerate(outer)))
        definitions.append((residual, score / sympy.sqrt(width) - y[i]))
    loss = sympy.Add(*(r**2 for r in residuals)) * Rational(1, x.rows)
    variables = (*a, *(s for row in w for s in row))
    return Problem(loss, variables, tuple(definitions), "two-layer linear network")


def batch_normalised_regression(
    inputs: Any, targets: Sequence[object], *, affine: bool = False
) -> Problem:
    """Linear regression with batch normalisation (lyu22, section 5).

    ``mean_i (gamma (w.x_i - mu_1)/sigma_1 + b - y_i)^2``, with mean and deviation of the scores
    over the data.

    Args:
        inputs: (n, d) numbers or symbols, one row for each datum.
        targets: n numbers or symbols.
        affine: gamma and b are variables too; else they are the deviation and the mean of the
            targets, which are optimal.

    Raises:
        ValueError: shapes that do not fit, or fewer than two data.
    """
    x, y = _data(inputs, targets)
    n = x.rows
    if n < 2:
        raise ValueError(f"{n} datum: batch normalisation needs at least two")
    w = _numbered("w", x.cols)
    mean = [sympy.Add(*(x[i, j] for i in range(n))) / n for j in range(x.cols)]
    centred = _numbered("z", n)
    definitions: list[tuple[Symbol, Expr]] = [
        (z, sympy.Add(*((x[i, j] - mean[j]) * w[j] for j in range(x.cols))))
        for i, z in enumerate(centred)
    ]
    width = Symbol("deviation", positive=True)
    spread = sympy.Add(*(z**2 for z in centred)) / n
    definitions.append((width, sympy.sqrt(spread)))
    if affine:
        gamma, offset = Symbol("gamma", real=True), Symbol("b", real=True)
        variables: tuple[Symbol, ...] = (*w, gamma, offset)
        shift: Expr = offset
        scale: Expr = gamma
    else:
        shift = sympy.Add(*y) / n
        scale = sympy.sqrt(sympy.Add(*((t - shift) ** 2 for t in y)) / n)
        variables = tuple(w)
    loss = sympy.Add(
        *((scale * z / width + (shift - t)) ** 2 for z, t in zip(centred, y, strict=True))
    )
    return Problem(loss / n, variables, tuple(definitions), "batch-normalised regression")


def _numbered(name: str, count: int) -> tuple[Symbol, ...]:
    return tuple(Symbol(f"{name}_{k}", real=True) for k in range(1, count + 1))


def _data(inputs: Any, targets: Any) -> tuple[sympy.Matrix, list[Expr]]:
    x = matrix(inputs, "the inputs")
    given = targets.tolist() if hasattr(targets, "tolist") else targets
    y = [expression(t, "a target") for t in given]
    if x.rows != len(y) or not y:
        raise ValueError(f"the inputs are {x.shape} and there are {len(y)} targets")
    return x, y
