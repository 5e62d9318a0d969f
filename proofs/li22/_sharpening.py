r"""Letters and set-ups of the progressive-sharpening phase (appendix C.2).

Everything is at time t; ``_next`` is t+1, ``_0`` is time 0 and ``_before`` a sum or product that
ends one step earlier.  Sums over time and products over time are letters with their recursion:
the bound at the earlier time is the induction hypothesis (an empty sum is its base), and the step
is proved.  On the null space of X^T X every product below is the identity; "norm" and "smallest
eigenvalue" are meant on the range of X^T X, where the residual stays (Lemma E.10).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from eostheory.formula import (
    Inequality,
    Symbol,
    as_expr,
    dot,
    eye,
    matrix,
    norm,
    norm2,
    scalar,
    vector,
)
from eostheory.symbolic import Model

from ._linear_net import K, Y, at, d, eta, lam1, n, width

if TYPE_CHECKING:
    from eostheory.formula import Expr

# ---------------------------------------------------------------------------------- constants
lam_r = scalar("lambda_r", r"\lambda_r", positive=True)
c1 = scalar("c_1", positive=True)
R_w = scalar("R_w", positive=True)
t = scalar("t", nonnegative=True)

slowest = eta * lam_r / n
contraction = 1 - slowest
"""The factor 1 - eta lambda_r/n by which the slowest direction shrinks in a step."""

error_unit = c1 * n**2 / (width * lam_r**2) * R_w
"""In whose multiples the parts of Gamma's bound are counted."""

decay = scalar("decay", r"\big(1-\tfrac{\eta\lambda_r}{n}\big)^t", positive=True)
"""Its t-th power."""

WIDTH = {"width": "m >= 112 c_1 n^2/lambda_r^2, where lambda_1 = c_1 n"}
HORIZON = {"horizon": "lambda_r/n <= M*(k) <= 1/eta for k <= t (property 3, and the horizon)"}
RATE = {"rate": "eta < n d/((d+1) lambda_1), (5)"}
ON_RANGE = (
    "norms of matrices and their smallest eigenvalues are on the range of X^T X, where the "
    "residual stays (Lemma E.10); off it the products are the identity"
)
BY_INDUCTION = "sums over time by induction: the empty sum is the base, the step is proved"

# ------------------------------------------------------------------------ vectors and products
e = vector("e", "n", at(r"\mathbf e"))
e_next = vector("e_next", "n", at(r"\mathbf e", "t+1"))
D_0 = vector("D_0", "n", at(r"\mathbf D", "0"))
_product = r"\prod_{j=0}^{%s}(\mathbf I_n-\eta\widetilde{\mathbf M}(j))"
Pi = matrix("Pi", "n", "n", _product % "t-1", symmetric=True)
Pi_next = matrix("Pi_next", "n", "n", _product % "t", symmetric=True)
unit = eye("n")

v_i = vector("v_i", "n", r"\mathbf v_i")
v_j = vector("v_j", "n", r"\mathbf v_{j'}")
v_r = vector("v_r", "n", r"\mathbf v_r")
lam_i = scalar("lambda_i", r"\lambda_i", positive=True)
lam_j = scalar("lambda_j", r"\lambda_{j'}", positive=True)


def running_sum(name: str, term: str) -> Symbol:
    """The sum of ``term`` over k = 0, ..., t."""
    return scalar(f"sum_{name}", rf"\sum_{{k=0}}^t{term}")


def running_matrix(name: str, term: str) -> Symbol:
    """The matrix sum of ``term`` over k = 0, ..., t."""
    return matrix(f"sum_{name}", "n", "n", rf"\sum_{{k=0}}^t{term}")


def before(total: Symbol) -> Symbol:
    """The same sum up to t-1."""
    earlier = total.latex.replace("^t", "^{t-1}", 1)
    return Symbol(f"{total.name}_before", total.shape, earlier, total.traits)


PATIENCE = 0.5
"""Seconds for one search: every step is small, and what is false is not found longer."""


# ------------------------------------------------------------------------------------ set-ups
def constants(m: Model) -> None:
    """lambda_1 = c_1 n, R_w = 40/m, the width condition and 0 < lambda_r <= lambda_1."""
    m.patience = PATIENCE
    m.define(c1, lam1 / n)
    m.define(R_w, 40 / width)
    m.assume(Inequality(lam_r, "<=", lam1), by="spectrum")
    m.assume(Inequality(width * lam_r**2, ">=", 112 * lam1 * n), by="width")
    m.assume(Inequality(n, ">=", as_expr(1)), by="samples")


def decaying(m: Model) -> None:
    """0 <= 1 - eta lambda_r/n < 1, and its power is in (0, 1]."""
    m.assume(Inequality(slowest, "<", as_expr(1)), by="horizon")
    m.assume(Inequality(decay, "<=", as_expr(1)), by="horizon")


def bounded_rate(m: Model) -> None:
    """The learning rate by (5)."""
    m.assume(Inequality(eta * (d + 1) * lam1, "<", n * d), by="rate")


def eigenvector(m: Model, v: Symbol, lam: Expr) -> None:
    """A unit eigenvector of X^T X."""
    m.relation(K @ v, lam * v, by="eigenvector")
    m.relation(norm2(v), 1, by="unit eigenvector")


def labels(m: Model) -> None:
    """Labels +-1: |Y|^2 = n."""
    m.relation(norm2(Y), n, by="labels")


def norm_of(name: str, latex: str) -> Symbol:
    """The norm of something, as a letter."""
    return scalar(f"norm_{name}", latex, nonnegative=True)


@cache
def _geometry() -> None:
    """What the next two functions assume, proved for vectors of every dimension.

    Raises:
        ArithmeticError: a proof fails.
    """
    m = Model()
    a, b = vector("a", "n"), vector("b", "n")
    triangle = m.decide(Inequality(norm(a + b), "<=", norm(a) + norm(b)))
    m.assume(Inequality(slowest, "<=", as_expr(1)))
    moved = b - a
    spectrum = (1 + slowest) * dot(b, moved) - slowest * norm2(b)
    m.assume(Inequality(norm2(moved), "<=", spectrum))
    damped = m.decide(Inequality(norm2(a), "<=", contraction**2 * norm2(b)))
    if (triangle.outcome, damped.outcome) != ("holds", "holds"):
        raise ArithmeticError("the triangle inequality or the contraction is not proved")


def triangle(m: Model, total: Expr, *parts: Expr) -> None:
    """The norm of a sum is at most the sum of the norms of its terms."""
    _geometry()
    m.assume(Inequality(total, "<=", sum(parts, start=as_expr(0))), by="triangle inequality")


def damped(m: Model, image: Expr, size: Expr) -> None:
    """|(I - eta M*) x| <= (1 - eta lambda_r/n)|x|, with letters for both norms.

    lambda_r/n <= M* <= 1/eta on the range, so that (M* - lambda_r/n)(1/eta - M*) is positive
    semidefinite; on the vector x this is all that the proof uses.
    """
    _geometry()
    m.assume(Inequality(image, "<=", contraction * size), by="horizon")


def proved(m: Model, name: str, small: Expr, large: Expr) -> None:
    """A step of the derivation: ``small <= large``, kept as a fact under ``name``.

    Raises:
        ArithmeticError: it is not proved although nothing is withheld.
    """
    if m.lemma(name, Inequality(small, "<=", large)).outcome != "holds" and not m.withheld:
        raise ArithmeticError(f"a step of the derivation is not proved: {name}")
