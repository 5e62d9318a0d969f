r"""Letters and hypotheses of section 3: residual, Gram matrix, its top direction, the output layer.

Everything holds for any number n of samples.  A letter without suffix is taken at time t, ``_next``
at time t+1.

    m = Model()
    residual(m)     # F = D + Y
    top(m)          # M v_1 = Lambda v_1, |v_1| = 1
    descend(m)      # D(t+1) = (I - eta M) D(t), by Assumption 3.2
    spectrum(m, u)  # the eigenvalues of M lie in [lambda_min, Lambda], told for the vector u

The spectral bounds are used in the form (Lambda - M)(M - lambda_min) >= 0, which says for a
symmetric M that every eigenvalue lies in [lambda_min, Lambda]; it is told for the vectors that an
argument needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eostheory.formula import Expr, Inequality, as_expr, dot, matrix, norm2, outer, scalar, vector

if TYPE_CHECKING:
    from eostheory.symbolic import Model

zero = as_expr(0)
one = as_expr(1)

# -------------------------------------------------------------------------------------- numbers
n = scalar("n", positive=True)
eta = scalar("eta", r"\eta", positive=True)
Lam = scalar("Lambda", r"\Lambda(t)")
lam_min = scalar("lambda_min", r"\lambda_{\min}(\mathbf M(t))")
alpha = scalar("alpha", r"\alpha")
eps = scalar("epsilon_2", r"\epsilon_2", nonnegative=True)
c = scalar("c", "c")
tau = scalar("tau", r"\tau")

# -------------------------------------------------------------------------------------- vectors
D = vector("D", "n", r"\mathbf D(t)")
D_next = vector("D_next", "n", r"\mathbf D(t+1)")
F = vector("F", "n", r"\mathbf F(t)")
Y = vector("Y", "n", r"\mathbf Y")
M = matrix("M", "n", "n", r"\mathbf M(t)", symmetric=True)
v1 = vector("v_1", "n", r"\mathbf v_1(t)")
v1_next = vector("v_1_next", "n", r"\mathbf v_1(t+1)")
R = vector("R", "n", r"\mathbf R(t)")
R_next = vector("R_next", "n", r"\mathbf R(t+1)")
A = vector("A", "m", r"\mathbf A(t)")
A_next = vector("A_next", "m", r"\mathbf A(t+1)")

FIRST_ORDER = {"first order": "Assumption 3.2: D and |A|^2 follow their first-order updates"}
EIGEN = {
    "eigenvector": "v_1 is the eigenvector of M for Lambda",
    "unit": "eigenvectors are of unit length",
}
PSD = {"psd": "the eigenvalues of M, a Gram matrix, lie in [0, Lambda]"}
SLOW = {"3.5(iii)": "Assumption 3.5 (iii): <v_1(t), v_1(t+1)> >= 1 - epsilon_2"}


def residual(m: Model) -> None:
    """Outputs, residual and labels."""
    m.define(F, D + Y)


def top(m: Model) -> None:
    """The top eigenpair of M."""
    m.relation(M @ v1, Lam * v1, by="eigenvector")
    m.relation(norm2(v1), 1, by="unit")


def descend(m: Model) -> None:
    """The first-order update of the residual."""
    step = D - eta * (M @ D)
    if "first order" in m.withheld:
        step = vector("D_other", "n")
    m.define(D_next, step)


def spectrum(m: Model, *tests: Expr, by: str = "psd", low: Expr = zero) -> None:
    """All eigenvalues of M lie in [low, Lambda], told for some vectors."""
    m.assume(Inequality(low, "<=", Lam), by=by)
    for u in tests:
        both = dot(Lam * u - M @ u, M @ u - low * u)
        m.assume(Inequality(both, ">=", zero), by=by)
        m.assume(Inequality(dot(u, M @ u), ">=", low * norm2(u)), by=by)
        m.assume(Inequality(dot(u, M @ u), "<=", Lam * norm2(u)), by=by)


def off(v: Expr, u: Expr) -> Expr:
    """(I - v v^T) u."""
    return u - dot(v, u) * v


def project(v: Expr) -> Expr:
    """v v^T."""
    return outer(v, v)
