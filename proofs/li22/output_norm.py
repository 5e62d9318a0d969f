r"""The norm of the output layer: Gram matrix by layers, its flow, what a long residual does to it.

Setting:  f(x) = A^T h(W, x), any feature map h; loss |F - Y|^2/n, labels +-1.
Claims:   the decomposition of M (section 3.2), equation (2), Propositions 3.1 and 3.2 (with their
          proofs E.1, E.2), the growth of |A| in Phase I.
Source:   Li, Wang, Li, arXiv:2207.12678, sections 3.2 and 3.3.2, appendix E.1.

Section 3.2 writes M = J J^T (and, in line, J^T J with the Jacobian lying on its side); by its
definition M is (2/n) J J^T.  The proof of Proposition 3.1 writes F = D - Y for F = D + Y and has
"> 0 when |D| >= |Y|", where only |D| > |Y| gives a strict sign.  Both propositions are right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Expr,
    Inequality,
    Statement,
    dot,
    eye,
    matrix,
    norm,
    norm2,
    scalar,
    vector,
)

from ._phase import FIRST_ORDER, A, A_next, D, F, M, Y, eta, n, residual, zero
from ._phase_runs import long_residual, network, one_layer_step

if TYPE_CHECKING:
    from eostheory.symbolic import Model

# --------------------------------------------------------------------------------------- letters
J = matrix("J", "n", "q", r"\frac{\partial\mathbf F}{\partial\theta}")
J_side = matrix("J_side", "q", "n", r"\frac{\partial\mathbf F}{\partial\theta}")
J_A = matrix("J_A", "n", "m", r"\frac{\partial\mathbf F}{\partial\mathbf A}")
J_W = matrix("J_W", "n", "p", r"\frac{\partial\mathbf F}{\partial\mathbf W}")
M_A = matrix("M_A", "n", "n", r"\mathbf M_{\mathbf A}", symmetric=True)
M_W = matrix("M_W", "n", "n", r"\mathbf M_{\mathbf W}", symmetric=True)
take_A = matrix("take_A", "m", "q")
take_W = matrix("take_W", "p", "q")
f_x = scalar("f_x", r"f(\mathbf x)")
h_x = vector("h_x", "m", r"\mathbf h(\mathbf W,\mathbf x)")
H = matrix("H", "n", "m")
H_i = matrix("H_i", "m", "p", r"\frac{\partial h(\mathbf W,\mathbf x_i)}{\partial\mathbf W}")
H_j = matrix("H_j", "m", "p", r"\frac{\partial h(\mathbf W,\mathbf x_j)}{\partial\mathbf W}")
slope_i = vector("slope_i", "p", r"\frac{\partial f(\mathbf x_i)}{\partial\mathbf W}")
slope_j = vector("slope_j", "p", r"\frac{\partial f(\mathbf x_j)}{\partial\mathbf W}")
entry = scalar("M_W_ij", r"(M_W)_{ij}")
rate = scalar("rate", r"\frac{d\|\mathbf A\|^2}{dt}")
grad_A = vector("grad_A", "m", r"\frac{\partial\mathcal L}{\partial\mathbf A}")

# ------------------------------------------------------------------------------------ statements
read_out = Equation(f_x, dot(A, h_x))
inline = Equation(M, J_side.T @ J_side)
layers: dict[str, Statement] = {
    "whole": Equation(M, J @ J.T),
    "split": Equation(J @ J.T, J_A @ J_A.T + J_W @ J_W.T),
    "names": Equation(J_A @ J_A.T + J_W @ J_W.T, M_A + M_W),
}
layers_corrected = {**layers, "whole": Equation(M, 2 / n * (J @ J.T))}
entries = {
    "product": Equation(entry, dot(slope_i, slope_j)),
    "quadratic form": Equation(entry, dot(A, H_i @ (H_j.T @ A))),
}
flow = {
    "gradient": Equation(rate, -2 * dot(grad_A, A)),
    "Jacobian": Equation(rate, -(4 / n) * dot(D, J_A @ A)),
    "outputs": Equation(rate, -(4 / n) * dot(D, F)),
}
change = norm2(A_next) - norm2(A)
long_outputs = Inequality(dot(D, F), ">", zero)
significant = Inequality(change, "<", -(4 * eta / n) * (norm(D) - norm(Y)) ** 2)
grows = Inequality(change, ">", zero)
lower = norm2(D) - norm(D) * norm(Y)


def proof_of_sign(outputs: Expr) -> dict[str, Statement]:
    """The proof line of Proposition E.1, with F spelled out as ``outputs``."""
    return {
        "outputs": Equation(dot(D, F), dot(D, outputs)),
        "Cauchy": Inequality(dot(D, F), ">=", lower),
        "positive": Inequality(lower, ">", zero),
    }


proof_of_size: dict[str, Statement] = {
    "Cauchy": Inequality(dot(D, F), ">=", lower),
    "square": Inequality(lower, ">", (norm(D) - norm(Y)) ** 2),
}


# ----------------------------------------------------------------------------------- derivations
def derive_layers(m: Model) -> None:
    """The parameters theta = (A, W): every coordinate belongs to one of the two."""
    both = "theta = (A, W)"
    m.relation(take_W.T @ take_W, eye("q") - take_A.T @ take_A, by=both)
    m.step("J_A and J_W are the columns of J that belong to A and to W")
    m.define(J_A, J @ take_A.T)
    m.define(J_W, J @ take_W.T)
    m.define(M_A, J_A @ J_A.T)
    m.define(M_W, J_W @ J_W.T)
    m.define(M, 2 / n * (J @ J.T))
    m.define(J_side, J.T)
    m.uses("li22/eq-2.gram")
    m.example({n: 1, J: ((1, 2),), take_A: ((1, 0),),
               take_W: ((0, 1),) if both not in m.withheld else ((0, 3),)})  # fmt: skip


def derive_entries(m: Model) -> None:
    """Gradients in W of f = A^T h at two inputs; features to first order in W."""
    w, h_i, h_j = vector("w", "p"), vector("h_i", "m"), vector("h_j", "m")
    m.define(slope_i, m.gradient(dot(A, h_i + H_i @ w), w))
    m.define(slope_j, m.gradient(dot(A, h_j + H_j @ w), w))
    e_i, e_j = vector("e_i", "n"), vector("e_j", "n")
    m.relation(J_W.T @ e_i, slope_i, by="row i")
    m.relation(J_W.T @ e_j, slope_j, by="row j")
    m.step("the rows of the Jacobian are the gradients of the outputs; e_i, e_j pick two of them")
    m.define(M_W, J_W @ J_W.T)
    m.define(entry, dot(e_i, M_W @ e_j))
    m.generic = False


def derive_flow(m: Model) -> None:
    """Gradient flow of the loss of F = H A, the rows of H being the features."""
    m.define(F, H @ A)
    m.define(D, F - Y)
    m.define(J_A, H)
    along = vector("along", "m")
    if m.decide(Equation(J_A @ along, m.differentiate(F, A, along))).outcome != "holds":
        raise ArithmeticError("J_A is not the derivative of the outputs")
    m.define(grad_A, m.gradient(norm2(D) / n, A))
    m.step("gradient flow: A moves with velocity -grad_A L")
    m.define(rate, m.differentiate(norm2(A), A, -grad_A))


def derive_sign(m: Model) -> None:
    """A residual that is longer than the labels."""
    residual(m)
    m.assume(Inequality(norm(D), ">", norm(Y)), by="long")
    m.example({D: (-1, 0), Y: (1, 0)} if "long" in m.withheld else {D: (-2, 0), Y: (1, 0)})


def derive_proof(m: Model) -> None:
    """A residual that is at least as long as the labels."""
    residual(m)
    m.assume(Inequality(norm(D), ">=", norm(Y)), by="as long")
    m.assume(Inequality(norm(D), ">", norm(Y)), by="strict")
    m.example({D: (-1,), Y: (1,)} if "strict" in m.withheld else {D: (-2,), Y: (1,)})


def derive_size(m: Model) -> None:
    """The same, with labels +-1 and the first-order update of |A|^2."""
    residual(m)
    m.assume(Inequality(norm(D), ">", norm(Y)), by="long")
    m.relation(norm2(Y), n, by="labels")
    m.relation(norm2(A_next), norm2(A) - 4 * eta / n * dot(D, F), by="first order")


def derive_growth(m: Model) -> None:
    """Phase I: D^T F < 0, and the first-order update of |A|^2."""
    residual(m)
    m.assume(Inequality(dot(D, F), "<", zero), by="negative")
    m.relation(norm2(A_next), norm2(A) - 4 * eta / n * dot(D, F), by="first order")


# ---------------------------------------------------------------------------------------- claims
SQUARES = {
    "left D -> F": "true: F is not zero, since |D| = |Y| if it were",
    "left F -> D": "true: D is not zero, being longer than Y",
}
LONG = {"long": "|D(t)| > |Y|"}
LABELS = {"labels": "the labels are +-1, so that |Y|^2 = n"}
ROWS = {"row i": "row i of the Jacobian", "row j": "row j of the Jacobian"}
CLOSE = {
    "simulation:*(norm(D) - norm(Y))**2 x1.001": "only outputs along the labels and a thousand "
    "times as long come so close to equality"
}
TWO_OVER_N = "M is defined with the factor 2/n in section 2; the display leaves it out."

CLAIMS = [
    Claim(
        "li22/eq-3.2.M-inline",
        inline,
        derive=derive_layers,
        simulate=network,
        corrected=Equation(M, 2 / n * (J_side.T @ J_side)),
        reading="For the product to be n x n the Jacobian is read with one column per sample. "
        + TWO_OVER_N,
    ),
    Claim(
        "li22/eq-3.2.M-decomp",
        layers,
        hypotheses={"theta = (A, W)": "A and W are all parameters"},
        derive=derive_layers,
        simulate=network,
        corrected=layers_corrected,
        reading=TWO_OVER_N,
    ),
    Claim(
        "li22/eq-3.2.MW-entry", entries, hypotheses=ROWS, derive=derive_entries, simulate=network
    ),
    Claim("li22/eq-2", flow, derive=derive_flow, simulate=network),
    Claim(
        "li22/claim-3.3.I",
        grows,
        hypotheses=FIRST_ORDER | {"negative": "D^T F < 0"},
        derive=derive_growth,
        simulate=one_layer_step,
    ),
    Claim(
        "li22/prop-3.1",
        long_outputs,
        hypotheses=LONG,
        derive=derive_sign,
        simulate=long_residual,
        waive=SQUARES,
    ),
    Claim(
        "li22/prop-E.1",
        long_outputs,
        hypotheses=LONG,
        derive=derive_sign,
        simulate=long_residual,
        waive=SQUARES,
    ),
    Claim(
        "li22/prop-E.1.p1",
        proof_of_sign(D - Y),
        hypotheses={"as long": "|D(t)| >= |Y|"},
        derive=derive_proof,
        simulate=long_residual,
        corrected=proof_of_sign(D + Y),
        corrected_hypotheses={"strict": "|D(t)| > |Y|, as in the proposition"},
        reading="Y(t) is Y.",
    ),
    Claim(
        "li22/prop-3.2",
        significant,
        hypotheses=FIRST_ORDER | LONG | LABELS,
        derive=derive_size,
        simulate=long_residual,
        waive=CLOSE,
        reading="The inequality is strict because |Y| > 0.",
    ),
    Claim(
        "li22/prop-E.2",
        significant,
        hypotheses=FIRST_ORDER | LONG | LABELS,
        derive=derive_size,
        simulate=long_residual,
        waive=CLOSE,
        reading="The inequality is strict because |Y| > 0.",
    ),
    Claim(
        "li22/prop-E.2.p1",
        proof_of_size,
        hypotheses=LONG | LABELS,
        derive=derive_size,
        simulate=long_residual,
        waive=CLOSE,
        reading="The inequality is strict because |Y| > 0.",
    ),
]
