r"""The two-layer linear network of section 4 and appendix C: letters and exact definitions.

f(x) = A^T W x / sqrt(m), loss |F - Y|^2 / n, full-batch gradient descent.  Everything holds for all
n (samples), m (hidden neurons) and d (inputs): the Python name of the number m is ``width``.

A letter without suffix is taken at time t, ``_next`` at time t+1 and ``_0`` at time 0.

    m = Model()
    gradient_step(m)   # F, D, loss, its gradients and the step they make: A_next, ..., D_next
    gram(m)            # M, M_next, M_star, Gamma, M_tilde by (8) and (10)
    top_direction(m)   # X^T X v_1 = lambda_1 v_1, |v_1| = 1, and R = (I - v_1 v_1^T) D, Lambda*

``gradient_step`` takes its gradients from the loss by ``m.gradient``; ``gram_from_jacobian`` does
the same for the Gram matrix, and gives (8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eostheory.formula import (
    Expr,
    dot,
    matrix,
    norm2,
    scalar,
    sqrt,
    substitute,
    vector,
)

if TYPE_CHECKING:
    from eostheory.symbolic import Model


def at(letter: str, time: str = "t") -> str:
    """LaTeX of a bold letter at a time."""
    return rf"{letter}({time})"


# -------------------------------------------------------------------------------------- numbers
n = scalar("n", positive=True)
width = scalar("m", positive=True)
d = scalar("d", positive=True)
eta = scalar("eta", r"\eta", positive=True)

# ----------------------------------------------------------------------------------------- data
X = matrix("X", "d", "n", r"\mathbf X")
Y = vector("Y", "n", r"\mathbf Y")
v1 = vector("v_1", "n", r"\mathbf v_1")
lam1 = scalar("lambda_1", r"\lambda_1", positive=True)
K = X.T @ X
"""The Gram matrix of the data, spelled out."""

# -------------------------------------------------------------------------------------- network
A = vector("A", "m", at(r"\mathbf A"))
W = matrix("W", "m", "d", at(r"\mathbf W"))
F = vector("F", "n", at(r"\mathbf F"))
D = vector("D", "n", at(r"\mathbf D"))
loss = scalar("loss", at(r"\mathcal L"))
grad_A = vector("grad_A", "m", r"\frac{\partial\mathcal L}{\partial\mathbf A}")
grad_W = matrix("grad_W", "m", "d", r"\frac{\partial\mathcal L}{\partial\mathbf W}")

A_0 = vector("A_0", "m", at(r"\mathbf A", "0"))
W_0 = matrix("W_0", "m", "d", at(r"\mathbf W", "0"))
A_next = vector("A_next", "m", at(r"\mathbf A", "t+1"))
W_next = matrix("W_next", "m", "d", at(r"\mathbf W", "t+1"))
F_next = vector("F_next", "n", at(r"\mathbf F", "t+1"))
D_next = vector("D_next", "n", at(r"\mathbf D", "t+1"))

# -------------------------------------------------------------------------------- Gram matrices
M = matrix("M", "n", "n", at(r"\mathbf M"), symmetric=True)
M_next = matrix("M_next", "n", "n", at(r"\mathbf M", "t+1"), symmetric=True)
M_star = matrix("M_star", "n", "n", at(r"\mathbf M^*"), symmetric=True)
Gamma = matrix("Gamma", "n", "n", at(r"\boldsymbol\Gamma"), symmetric=True)
Gamma_next = matrix("Gamma_next", "n", "n", at(r"\boldsymbol\Gamma", "t+1"), symmetric=True)
M_tilde = matrix("M_tilde", "n", "n", at(r"\widetilde{\mathbf M}"), symmetric=True)

a, b, u = (vector(x, "n", rf"\mathbf {x}") for x in "abu")
"""Any vectors of samples, to test with: u for one of the kernel of X^T X."""

R = vector("R", "n", at(r"\mathbf R"))
R_next = vector("R_next", "n", at(r"\mathbf R", "t+1"))
Lambda_star = scalar("Lambda_star", at(r"\Lambda^*"))
Lambda_star_next = scalar("Lambda_star_next", at(r"\Lambda^*", "t+1"))


# ---------------------------------------------------------------------------------- definitions
def output(a: Expr, w: Expr) -> Expr:
    """The outputs on all samples, X^T W^T A / sqrt(m)."""
    return 1 / sqrt(width) * (X.T @ w.T @ a)


def network(m: Model) -> None:
    """Outputs, residual and loss at time t, and the loss's gradients."""
    m.define(F, output(A, W))
    m.define(D, F - Y)
    m.define(loss, norm2(D) / n)
    m.define(grad_A, m.gradient(loss, A))
    m.define(grad_W, m.gradient(loss, W))


def gradient_step(m: Model) -> None:
    """The network, one step of gradient descent on its loss, and the residual it leads to."""
    network(m)
    m.define(A_next, A - eta * grad_A)
    m.define(W_next, W - eta * grad_W)
    m.define(F_next, output(A_next, W_next))
    m.define(D_next, F_next - Y)


def gram_matrix(a: Expr, w: Expr) -> Expr:
    """The Gram matrix by (8)."""
    return 2 / (width * n) * (norm2(a) * K + X.T @ w.T @ w @ X)


def hidden_deviation(w: Expr) -> Expr:
    """Gamma by (10): the hidden layer's part of the Gram matrix less its initial value."""
    return 2 / (width * n) * (X.T @ w.T @ w @ X - width / d * K)


def gram(m: Model, following: bool = True) -> None:
    """M by (8); M*, Gamma and M~ by (10); M and Gamma after the step too if ``following``."""
    m.define(M, gram_matrix(A, W))
    m.define(M_star, M - 4 * eta / (n**2 * width) * dot(D, F) * K)
    m.define(Gamma, hidden_deviation(W))
    m.define(M_tilde, M_star - Gamma)
    if following:
        m.define(M_next, gram_matrix(A_next, W_next))
        m.define(Gamma_next, hidden_deviation(W_next))


def gram_from_jacobian(m: Model, a: Expr = A, w: Expr = W) -> Expr:
    """(2/n) J J^T of the outputs with respect to (A, W), by differentiation.

    J^T v is the gradient of <v, F>, so that (2/n) |J^T v|^2 is the quadratic form of the matrix.
    """
    v = vector("v_any", "n")
    along = dot(v, output(A, W))
    squares = norm2(m.gradient(along, A)) + norm2(m.gradient(along, W))
    found = m.hessian(1 / n * squares, v)
    return found if (a, w) == (A, W) else substitute(found, {A: a, W: w})


def top_direction(m: Model, following: bool = True) -> None:
    """The top eigenpair of X^T X, the residual's part R off it and Lambda* = v_1^T M v_1."""
    m.relation(K @ v1, lam1 * v1, by="eigenvector")
    m.relation(norm2(v1), 1, by="unit eigenvector")
    m.define(R, off_top(D))
    m.define(Lambda_star, dot(v1, M @ v1))
    if following:
        m.define(R_next, off_top(D_next))
        m.define(Lambda_star_next, dot(v1, M_next @ v1))


def off_top(v: Expr) -> Expr:
    """(I - v_1 v_1^T) v."""
    return v - dot(v1, v) * v1
