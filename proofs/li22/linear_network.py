r"""The two-layer linear network: its loss, its gradient step and its Gram matrices.

Setting:  f(x) = A^T W x / sqrt(m), loss |D|^2/n, gradient descent with any learning rate from any
          weights, on any data.
Claims:   the model and the data's spectrum, the gradient step neuron by neuron and in matrices
          (6), the output norm (7), the Gram matrix (8) and its relatives (10), (11), the residual
          (9), (12) and the Gram matrix after a step (Lemma C.2), the update rule of section 4.1.
Source:   Li, Wang, Li, arXiv:2207.12678, section 4.1 and appendix C.1.

The derivation differentiates the loss with respect to A and W and takes the Gram matrix from the
Jacobian of the outputs, all for every n, m and d.  The simulation runs autograd.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from eostheory.agree import Measured
from eostheory.claims import Claim
from eostheory.formula import Equation, dot, eye, matrix, norm2, outer, scalar, sqrt, vector
from eostheory.numeric.rounding import RunningError

from ._linear_net import (
    W_0,
    A,
    A_next,
    D,
    D_next,
    F,
    Gamma,
    K,
    M,
    M_star,
    M_tilde,
    W,
    W_next,
    X,
    Y,
    d,
    eta,
    grad_A,
    gradient_step,
    gram,
    gram_from_jacobian,
    loss,
    n,
    network,
    width,
)
from ._linear_runs import (
    UNIT,
    draw_data,
    draw_network,
    draw_rate,
    known,
    one_step,
    outputs,
    seed_of,
    table,
)
from .linear_flow import gram_update, residual_update

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.symbolic import Model

# ------------------------------------------------------------------------------------- letters
x = vector("x", "d", r"\mathbf x")
f_x = scalar("f_x", r"f(\mathbf x)")
e_q = vector("e_q", "m", r"\mathbf e_q")
a_q, a_q_next = scalar("a_q", "a_q(t)"), scalar("a_q_next", "a_q(t+1)")
w_q = vector("w_q", "d", r"\mathbf w_q(t)")
w_q_next = vector("w_q_next", "d", r"\mathbf w_q(t+1)")
slope_q = scalar("slope_q", r"\frac{\partial\mathcal L}{\partial a_q}")
V = matrix("V", "n", "r", r"\mathbf V")
U = matrix("U", "d", "r", r"\mathbf U")
S = matrix("S", "r", "r", r"\mathbf S", symmetric=True)
spectrum = matrix("spectrum", "r", "r", r"\operatorname{diag}(\lambda)", symmetric=True)
z = vector("z", "r", r"\mathbf z")
v_i = vector("v_i", "n", r"\mathbf v_i")
lam_i = scalar("lambda_i", r"\lambda_i", positive=True)
lam_tilde = scalar("lambda_tilde_i", r"\lambda_i(\widetilde{\mathbf M}(t))")

# ---------------------------------------------------------------------------------- statements
model = Equation(f_x, 1 / sqrt(width) * dot(A, W @ x))
data_spectrum = {
    "inputs": Equation(K, V @ spectrum @ V.T),
    "labels": Equation(Y, V @ z),
    "projections": Equation(z, V.T @ Y),
}
as_residual = {
    "squared errors": Equation(loss, 1 / n * norm2(F - Y)),
    "residual": Equation(loss, 1 / n * norm2(D)),
}
outer_weight = {
    "descent": Equation(a_q_next - a_q, -eta * slope_q),
    "explicit": Equation(a_q_next - a_q, -2 * eta / (n * sqrt(width)) * dot(F - Y, X.T @ w_q)),
}
hidden_neuron = Equation(w_q_next - w_q, -2 * eta / (n * sqrt(width)) * (a_q * (X @ (F - Y))))
matrix_form = {
    "A": Equation(A_next - A, -2 * eta / (n * sqrt(width)) * (W @ X @ D)),
    "W": Equation(W_next - W, -2 * eta / (n * sqrt(width)) * (outer(A, D) @ X.T)),
}
norm_change = norm2(A_next) - norm2(A)
norm_update = {
    "step": Equation(norm_change, -2 * eta * dot(A, grad_A) + eta**2 * norm2(grad_A)),
    "outputs": Equation(norm_change, -4 * eta / n * dot(F, D) + eta**2 * norm2(grad_A)),
}
gram_formula = Equation(M, 2 / (width * n) * (norm2(A) * K + X.T @ W.T @ W @ X))
M_star_printed = Equation(M_star, M - 4 * eta / (n**2 * width) * dot(D, F) * K)
Gamma_printed = Equation(Gamma, 2 / (width * n) * (X.T @ W.T @ W @ X - width / d * K))
M_tilde_printed = Equation(M_tilde, M_star - Gamma)
without_Gamma = {
    "difference": M_tilde_printed,
    "multiple": Equation(
        M_tilde, 2 / (width * n) * (norm2(A) + width / d - 2 * eta / n * dot(D, F)) * K
    ),
}
eigenvalue = Equation(lam_tilde, dot(v_i, M_tilde @ v_i))
residual_map = Equation(D_next, (eye("n") - eta * M_star) @ D)
update_rule = {
    "residual": residual_map,
    "M*": Equation(
        M_star,
        2 / (width * n) * (norm2(A) * K + X.T @ W.T @ W @ X)
        - 4 * eta / (n**2 * width) * dot(D, F) * K,
    ),
}


# ---------------------------------------------------------------------------------- derivations
def derive_model(m: Model) -> None:
    """f_x is the number by which the label of x enters the loss: the value of one more sample."""
    m.define(f_x, 1 / sqrt(width) * dot(x, W.T @ A))


def derive_data(m: Model) -> None:
    """A singular value decomposition of the inputs, and labels in their row space."""
    m.relation(U.T @ U, eye("r"), by="orthonormal")
    m.relation(V.T @ V, eye("r"), by="orthonormal")
    m.define(X, U @ S @ V.T)
    m.define(spectrum, S @ S)
    m.relation(Y, V @ z, by="labels in the range")
    m.step("X = U S V^T with orthonormal columns in U and V; labels in the span of V")


def derive_loss(m: Model) -> None:
    """The loss of the network."""
    network(m)


def derive_neuron(m: Model) -> None:
    """Row q of a gradient step, e_q being the q-th basis vector."""
    gradient_step(m)
    m.step("gradients of the loss with respect to A and W, by differentiation; their row q")
    m.define(slope_q, dot(e_q, grad_A))
    m.define(a_q, dot(e_q, A))
    m.define(a_q_next, dot(e_q, A_next))
    m.define(w_q, W.T @ e_q)
    m.define(w_q_next, W_next.T @ e_q)


def derive_step(m: Model) -> None:
    """A gradient step."""
    gradient_step(m)
    m.step("gradients of the loss with respect to A and W, by differentiation")


def derive_gram(m: Model) -> None:
    """(2/n) J J^T by differentiating the outputs."""
    network(m)
    m.define(M, gram_from_jacobian(m))
    m.step("(2/n) J J^T for all n, m, d, where J is the Jacobian of the outputs in (A, W)")
    m.uses("li22/eq-2.gram")


def derive_relatives(m: Model) -> None:
    """M from the Jacobian; Gamma as what W contributes beyond its start; M* as what moves D."""
    gradient_step(m)
    m.define(M, gram_from_jacobian(m))
    m.relation(W_0.T @ W_0, width / d * eye("d"), by="isotropic start")
    m.define(Gamma, 2 / (width * n) * (X.T @ (W.T @ W - W_0.T @ W_0) @ X))
    m.define(M_star, M - 4 * eta / (n**2 * width) * dot(D, F) * K)
    m.define(M_tilde, M_star - Gamma)
    m.uses("li22/eq-2.gram")


def derive_dynamics(m: Model) -> None:
    """A gradient step with the Gram matrices around it."""
    gradient_step(m)
    gram(m)
    m.uses("li22/eq-8")


def derive_eigenvalue(m: Model) -> None:
    """The factor by which M~ stretches an eigenvector of X^T X."""
    gradient_step(m)
    gram(m, following=False)
    m.relation(K @ v_i, lam_i * v_i, by="eigenvector")
    m.relation(norm2(v_i), 1, by="unit eigenvector")
    m.uses("li22/eq-11")
    factor = 2 / (width * n) * (norm2(A) + width / d - 2 * eta / n * dot(D, F)) * lam_i
    if m.decide(Equation(M_tilde @ v_i, factor * v_i)).outcome == "holds":
        m.step("M~ v_i is a multiple of v_i, for every eigenvector of X^T X")
        m.define(lam_tilde, factor)


# ---------------------------------------------------------------------------------- simulations
def more(sample: Sample) -> None:
    """A step of the real network, one of its neurons, one more input and the data's spectrum."""
    with RunningError() as run:
        data = draw_data(sample, run)
        net, rate = draw_network(sample, run, data), draw_rate(sample, data)
        net = net.step(rate)
        draw = seed_of(sample, "which")
        at = int(draw.uniform(0, len(net.A), 1))
        after, slopes = net.step(rate), net.gradients()
        new = draw.normal(len(data.X))
        found = {
            a_q: net.A[at],
            a_q_next: after.A[at],
            w_q: net.W[at],
            w_q_next: after.W[at],
            slope_q: slopes[0][at],
            x: new,
            f_x: outputs(replace(data, X=new.reshape(-1, 1)), net.A, net.W)[0],
            V: data.V,
            spectrum: data.lam.diag(),
            z: data.V.T @ data.Y,
        }
        which = int(draw.uniform(0, len(data.lam), 1))
        found |= {v_i: data.V[:, which], lam_i: data.lam[which]}
        basis = [float(i == at) for i in range(len(net.A))]
        measured = {symbol: known(run, value) for symbol, value in found.items()}
        measured |= table(run, net, rate)
        measured[lam_tilde] = eigenvalue_of(measured[M_tilde], which)
        sample.observe({**measured, e_q: basis})


def eigenvalue_of(matrix: Measured, which: int) -> Measured:
    """The eigenvalue of the ``which``-th eigenvector of X^T X for a multiple of X^T X."""
    table, error = np.asarray(matrix.value), np.asarray(matrix.error)
    values = np.linalg.eigvalsh((table + table.T) / 2)
    ordered = values[::-1] if np.trace(table) > 0 else values
    slack = float(np.linalg.norm(error)) + 16 * len(table) * UNIT * float(np.abs(values).max())
    return Measured(float(ordered[which]), slack)


EIGEN = {"eigenvector": "v_i is an eigenvector of X^T X", "unit eigenvector": "|v_i| = 1"}
ORTHONORMAL = {
    "orthonormal": "the eigenvectors v_i are orthonormal",
    "labels in the range": "Y lies in the range of X^T X",
}
COLUMNS = "The rows of the paper are written as columns."
SUM = "A sum over samples or neurons is written as an inner product; e_q is the q-th basis vector."
MATRIX = "Sums over i are written with the matrix V of the v_i and diag(lambda) of the lambda_i."

CLAIMS = [
    Claim("li22/def-4.model", model, derive=derive_model, simulate=more, reading=SUM),
    Claim(
        "li22/def-4.data",
        data_spectrum,
        hypotheses=ORTHONORMAL,
        derive=derive_data,
        simulate=more,
        reading=MATRIX,
    ),
    Claim("li22/eq-C.loss", as_residual, derive=derive_loss, simulate=one_step),
    Claim("li22/eq-C.gd.a", outer_weight, derive=derive_neuron, simulate=more, reading=SUM),
    Claim("li22/eq-C.gd.w", hidden_neuron, derive=derive_neuron, simulate=more, reading=SUM),
    Claim("li22/eq-6", matrix_form, derive=derive_step, simulate=one_step),
    Claim("li22/eq-7", norm_update, derive=derive_step, simulate=one_step),
    Claim("li22/eq-8", gram_formula, derive=derive_gram, simulate=one_step),
    Claim(
        "li22/lemma-C.1",
        residual_update,
        derive=derive_dynamics,
        simulate=one_step,
        reading=COLUMNS,
    ),
    Claim("li22/eq-10.a", M_star_printed, derive=derive_relatives, simulate=one_step),
    Claim("li22/eq-10.b", Gamma_printed, derive=derive_relatives, simulate=one_step),
    Claim("li22/eq-10.c", M_tilde_printed, derive=derive_relatives, simulate=one_step),
    Claim("li22/eq-11", without_Gamma, derive=derive_dynamics, simulate=one_step),
    Claim(
        "li22/claim-C.lambda-i",
        eigenvalue,
        hypotheses=EIGEN,
        derive=derive_eigenvalue,
        simulate=more,
        reading="lambda_i of the multiple of X^T X is its eigenvalue at v_i.",
    ),
    Claim("li22/eq-12", residual_map, derive=derive_dynamics, simulate=one_step),
    Claim("li22/lemma-C.2", gram_update, derive=derive_dynamics, simulate=one_step),
    Claim("li22/eq-4.update", update_rule, derive=derive_dynamics, simulate=one_step),
]
