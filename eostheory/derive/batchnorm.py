"""A batch-normalized linear model: its Hessian on the manifold of minimizers (lyu22, section 5).

The loss is ``mean_i (sigma_y (<w, x_i> - mu_1)/sigma_1 + mu_y - y_i)^2``, in which mu_1, sigma_1
are the mean and deviation of the scores, mu_y, sigma_y those of the targets (weights 1/n).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, overload

import sympy
from sympy import ImmutableMatrix as Matrix

from eostheory.derive.eigen import top_value
from eostheory.derive.errors import DerivationError
from eostheory.derive.judge import Judge, Scope, read
from eostheory.derive.losses import derivatives
from eostheory.derive.result import Derived, Hypothesis, renamed
from eostheory.formula import Equation, Expr, dot, matrix, norm2, outer, scalar, sqrt, vector
from eostheory.symbolic import Model


@dataclass(frozen=True)
class BatchNorm(Derived):
    """For every number of samples and inputs; ``width`` is the deviation of the scores of w."""

    title: ClassVar[str] = "batch-normalized linear regression on its minimizers, all sizes"
    shown: ClassVar[Mapping[str, str]] = {
        "covariance": r"\Sigma_x",
        "z": "z",
        "w_tilde": r"\tilde w",
        "hessian": "H(w)",
    }

    loss: Expr
    covariance: Expr
    z: Expr
    w_tilde: Expr
    hessian: Expr
    hypotheses: tuple[Hypothesis, ...]


@dataclass(frozen=True)
class BatchNormData(Derived):
    """For one data set.

    The minimizers of unit deviation are ``flattest_scale * flattest + null_space @ c``; the
    Hessian at the unit vector in the direction of ``w`` is ``2 sigma_y^2 |w|^2 core`` with
    ``core = Sigma - z z^T``, so that the spherical sharpness is ``sharpness_on_manifold`` as a
    function of ``c``.  ``flattest`` is the direction of least sharpness.
    """

    title: ClassVar[str] = "batch-normalized linear regression on its minimizers"
    shown: ClassVar[Mapping[str, str]] = {
        "mean": r"\mu_x",
        "covariance": r"\Sigma_x",
        "sigma_y": r"\sigma_y",
        "z": "z",
        "core": r"\Sigma_x - zz^\top",
        "flattest": "w^*",
        "coefficients": r"\tilde w^*",
        "null_space": "N",
        "sharpness_on_manifold": r"\lambda_1^H(c)",
        "least_sharpness": r"\lambda_1^H(w^*)",
        "weight": "w",
        "hessian": "H(w)",
        "sharpness": r"\lambda_1^H(w)",
    }

    coordinates: tuple[sympy.Symbol, ...]
    loss: sympy.Expr
    weights: tuple[sympy.Symbol, ...]
    mean: Matrix
    covariance: Matrix
    sigma_y: sympy.Expr
    z: Matrix
    core: Matrix
    flattest: Matrix
    flattest_scale: sympy.Expr
    coefficients: Matrix
    null_space: Matrix | None
    sharpness_on_manifold: sympy.Expr
    least_sharpness: sympy.Expr
    weight: Matrix
    hessian: Matrix
    sharpness: sympy.Expr
    hypotheses: tuple[Hypothesis, ...]

    @property
    def params(self) -> tuple[sympy.Symbol, ...]:
        """Coordinates of the manifold of minimizers."""
        return self.coordinates

    def _why(self, name: str) -> str:
        return "the minimizer is unique up to its length"


@overload
def batchnorm() -> BatchNorm: ...


@overload
def batchnorm(X: Any, y: Sequence[Any], *, at: Sequence[Any] | None = None) -> BatchNormData: ...


def batchnorm(
    X: Any = None, y: Sequence[Any] | None = None, *, at: Sequence[Any] | None = None
) -> BatchNorm | BatchNormData:
    """The Hessian of a batch-normalized linear model on its minimizers.

    Args:
        X: inputs, one row for each sample, exact numbers or symbols; without data the formulas
            for all sizes are derived.
        y: targets.
        at: a minimizer, of any length; the flattest one if left out.

    Raises:
        DerivationError: when no weight fits the targets, or ``at`` does not.
    """
    if X is None or y is None:
        if X is not None or y is not None or at is not None:
            raise DerivationError("give both the inputs and the targets, or neither")
        return _all_sizes()
    return _for_data(X, y, at)


# ------------------------------------------------------------------------------ all sizes
def _all_sizes() -> BatchNorm:
    """Two derivatives of the loss as a formula; then w is put on the manifold and the sphere."""
    m = Model()
    n, width, sigma = (
        scalar("n", positive=True),
        scalar("width", "s", positive=True),
        scalar("sigma_y", r"\sigma_y", positive=True),
    )
    mu_y, mu_x = scalar("mu_y", r"\mu_y"), vector("mu_x", "d", r"\mu_x")
    one, q = vector("one", "n", r"\mathbf 1"), vector("q", "n")
    centred, w = matrix("Xt", "n", "d", r"\tilde X"), vector("w", "d")
    m.relation(dot(one, one), n, by="sample size")
    m.relation(centred.T @ one, 0, by="centring")
    m.relation(dot(one, q), 0, by="standard score")
    m.relation(norm2(q), n, by="standard score")
    m.relation(centred @ w, width * q, by="minimizer")
    m.relation(norm2(w), 1, by="sphere")
    inputs = centred + outer(one, mu_x)
    targets = mu_y * one + sigma * q
    scores = inputs @ w
    shifted = scores - (dot(one, scores) / n) * one
    outputs = (sigma / sqrt(norm2(shifted) / n)) * shifted + mu_y * one
    residual = outputs - targets
    loss = n**-1 * dot(residual, residual)
    covariance = n**-1 * (centred.T @ centred)
    z = n**-1 * (centred.T @ q)
    w_tilde = (sigma / width) * w
    gradient, hessian = m.gradient(loss, w), m.normal(m.hessian(loss, w))
    expected = 2 * norm2(w_tilde) * (covariance - outer(z, z))
    for left, right in ((gradient, 0 * w), (hessian, expected), (hessian @ w, 0 * w)):
        if m.decide(Equation(left, right), refute=False).outcome != "holds":
            raise ArithmeticError(f"{left} is not {right}")
    return BatchNorm(
        loss=loss,
        covariance=covariance,
        z=z,
        w_tilde=w_tilde,
        hessian=hessian,
        hypotheses=(
            Hypothesis("Xt are the centred inputs, q the standard scores of the targets", "given"),
            Hypothesis("w fits every target: Xt w = s q with s > 0", "given"),
            Hypothesis("|w| = 1", "given"),
            Hypothesis("the gradient vanishes, and H w = 0", "holds"),
            Hypothesis("H = 2 |w~|^2 (Sigma_x - z z^T)", "holds"),
        ),
    )


# --------------------------------------------------------------------------- one data set
def _for_data(X: Any, y: Sequence[Any], at: Sequence[Any] | None) -> BatchNormData:
    rows = X.tolist() if isinstance(X, sympy.MatrixBase) else [list(row) for row in X]
    if not rows or len(rows) != len(list(y)) or len({len(r) for r in rows}) != 1 or not rows[0]:
        raise DerivationError("the inputs need one row of one length for each target")
    table = [[read(e, "an input") for e in row] for row in rows]
    targets = [read(e, "a target") for e in y]
    weight = None if at is None else [read(e, "a weight") for e in at]
    if weight is not None and len(weight) != len(rows[0]):
        raise DerivationError(f"the weight has {len(weight)} entries, the inputs {len(rows[0])}")
    scope = Scope([e for row in table for e in row] + targets + (weight or []))
    found = _data(
        Matrix([[scope.enter(e) for e in row] for row in table]),
        Matrix([scope.enter(e) for e in targets]),
        None if weight is None else Matrix([scope.enter(e) for e in weight]),
        Judge(),
    )
    result: BatchNormData = renamed(found, scope.outside)
    return result


def _data(inputs: Matrix, targets: Matrix, at: Matrix | None, judge: Judge) -> BatchNormData:
    n, d = inputs.shape
    ones = sympy.ones(n, 1)
    mean = judge.tidy_matrix(inputs.T * ones / n)
    centred = judge.tidy_matrix(inputs - ones * mean.T)
    shifted = judge.tidy_matrix(targets - ones * (ones.T * targets)[0] / n)
    variance = judge.tidy((shifted.T * shifted)[0] / n)
    if judge.zero(variance):
        raise DerivationError("the targets are all equal: batch normalization is not defined")
    sigma = judge.root(variance)
    covariance = judge.tidy_matrix(centred.T * centred / n)
    z = judge.tidy_matrix(centred.T * shifted / (n * sigma))
    core = judge.tidy_matrix(covariance - centred.T * shifted * shifted.T * centred
                             / (n**2 * variance))  # fmt: skip
    least, null = _minimizers(centred, shifted, judge)
    norm2_least = judge.tidy((least.T * least)[0])
    top = top_value(core, judge, "Sigma_x - z z^T")
    # least fits with deviation sigma; at unit deviation it is least/sigma
    coords = sympy.symbols(f"c_1:{null.shape[1] + 1}", real=True) if null is not None else ()
    spread = norm2_least
    if null is not None:
        extra = null * Matrix(coords)
        spread = norm2_least + variance * sympy.expand((extra.T * extra)[0])
    weight = least if at is None else at
    scores = judge.tidy_matrix(centred * weight)
    size = judge.root(judge.tidy((scores.T * scores)[0] / n))
    fits = not judge.zero(size) and judge.zeros(sigma * scores - size * shifted)
    if not fits:
        raise DerivationError("the weight does not fit the targets: it is no minimizer")
    unit = judge.tidy_matrix(weight / judge.root(judge.tidy((weight.T * weight)[0])))
    letters = sympy.symbols(f"w_1:{d + 1}", real=True)
    loss = _loss(inputs, targets, letters, sigma)
    point = dict(zip(letters, unit, strict=True))
    gradient, hessian, _ = derivatives(loss, letters, point)
    hessian = judge.tidy_matrix(hessian)
    factor = judge.tidy(2 * variance * (weight.T * weight)[0] / size**2)
    if not judge.zeros(gradient) or not judge.zeros(hessian - factor * core):
        raise ArithmeticError("the Hessian of the loss is not the derived one")
    scaled = judge.tidy_matrix(least / judge.root(norm2_least))
    return BatchNormData(
        coordinates=tuple(coords),
        loss=loss,
        weights=tuple(letters),
        mean=mean,
        covariance=covariance,
        sigma_y=sigma,
        z=z,
        core=core,
        flattest=scaled,
        flattest_scale=judge.tidy(judge.root(norm2_least) / sigma),
        coefficients=least,
        null_space=null,
        sharpness_on_manifold=judge.tidy(2 * top * spread),
        least_sharpness=judge.tidy(2 * top * norm2_least),
        weight=unit,
        hessian=hessian,
        sharpness=judge.tidy(factor * top),
        hypotheses=(
            Hypothesis("some weight fits every target", "holds"),
            Hypothesis("the second derivative of the loss is 2 |w~|^2 (Sigma_x - z z^T)", "holds"),
        ),
    )


def _minimizers(centred: Matrix, shifted: Matrix, judge: Judge) -> tuple[Matrix, Matrix | None]:
    """The least-norm solution of ``Xt w = y - mean`` and a basis of the null space."""
    letters = sympy.symbols(f"_k1:{centred.shape[0] + 1}")
    gram = centred * centred.T
    solutions = sympy.linsolve((gram, shifted), *letters)
    if not solutions:
        raise DerivationError("no weight fits every target: the minimizers are no interpolation")
    (solution,) = solutions
    free = dict.fromkeys(letters, sympy.Integer(0))
    least = judge.tidy_matrix(centred.T * Matrix([s.subs(free) for s in solution]))
    if not judge.zeros(centred * least - shifted):
        raise DerivationError("no weight is known to fit every target")
    basis = centred.nullspace()
    if not basis:
        return least, None
    null = judge.tidy_matrix(sympy.Matrix.hstack(*basis))
    if not judge.zeros(null.T * least):
        raise ArithmeticError("the least-norm solution is not orthogonal to the null space")
    return least, null


def _loss(
    inputs: Matrix, targets: Matrix, letters: Sequence[sympy.Symbol], sigma: sympy.Expr
) -> sympy.Expr:
    """The loss as it is defined."""
    n = inputs.shape[0]
    scores = list(inputs * Matrix(letters))
    middle = sympy.Add(*scores) / n
    deviation = sympy.sqrt(sympy.Add(*((s - middle) ** 2 for s in scores)) / n)
    centre = sympy.Add(*targets) / n
    return sympy.Add(
        *(
            (sigma * (s - middle) / deviation + centre - t) ** 2
            for s, t in zip(scores, targets, strict=True)
        )
    ) / n  # fmt: skip
