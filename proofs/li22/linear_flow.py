r"""The two-layer linear network: the equations of appendix E.3, step by step.

Setting:  f(x) = A^T W x / sqrt(m), loss |D|^2/n, gradient descent with any learning rate, any
          weights, any data; where v_1 occurs it is a unit eigenvector of X^T X for lambda_1.
Claims:   residual and Gram matrix after a step (E.8, E.9), the kernel of the data (E.10), the
          change of Lambda* (E.11), the residual off the top direction (E.12).
Source:   Li, Wang, Li, arXiv:2207.12678, appendix E.3.

Every step is taken from the gradients of the loss, for all n, m and d.  The paper's rows D^T ...
are written as columns.

In the last display before "Note that" of Lemma E.11 the term R^T (m/d X^T X) R lacks the factor
eta/(mn) which it has one line earlier and in the conclusion (17), so that the slip does not spread.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import Equation, Expr, dot, eye, norm2, outer, sqrt

from ._linear_net import (
    A,
    A_next,
    D,
    D_next,
    F,
    Gamma,
    K,
    Lambda_star,
    Lambda_star_next,
    M,
    M_next,
    M_star,
    R,
    R_next,
    W,
    W_next,
    X,
    Y,
    d,
    eta,
    grad_A,
    gradient_step,
    gram,
    lam1,
    n,
    top_direction,
    v1,
    width,
)
from ._linear_runs import one_step

if TYPE_CHECKING:
    from eostheory.symbolic import Model

# ------------------------------------------------------------------------------- statements
dA, dW = A_next - A, W_next - W
second_order = eta**2 / (n**3 * width**2)
hidden = norm2(W @ X @ D)
"""D^T X^T W^T W X D."""

residual_update = Equation(
    D_next - D, -eta * (M @ D) + 4 * eta**2 / (n**2 * width) * dot(F, D) * (K @ D)
)
product_rule = Equation(
    D_next - D,
    1 / sqrt(width) * (X.T @ (W.T @ dA + dW.T @ A)) + 1 / sqrt(width) * (X.T @ dW.T @ dA),
)
inserted = Equation(
    D_next - D,
    2 * eta / (n * width) * (X.T @ (-(W.T @ W @ X @ D) - norm2(A) * (X @ D)))
    + 1
    / sqrt(width)
    * (2 * eta / (n * sqrt(width)))
    * (2 * eta / (n * sqrt(width)))
    * dot(W @ X @ D, A)
    * (K @ D),
)

cross = outer(F, D) @ K + K @ outer(D, F)
outer_term = 8 * second_order * norm2(A) * (K @ outer(D, D) @ K)
gram_update = Equation(
    M_next - M,
    -4 * eta / (n**2 * width) * (2 * dot(F, D) * K + cross)
    + 8 * second_order * hidden * K
    + outer_term,
)
gram_split = Equation(
    M_next - M,
    2 / (n * width) * (-4 * eta / n * dot(D, F) + eta**2 * norm2(grad_A)) * K
    + 2 / (n * width) * (X.T @ (dW.T @ W + W.T @ dW + dW.T @ dW) @ X),
)
gram_inserted = Equation(
    M_next - M,
    -8 * eta / (n**2 * width) * dot(D, F) * K
    + 8 * second_order * hidden * K
    - 4 * eta / (n**2 * width) * cross
    + outer_term,
)

D1, F1 = dot(D, v1), dot(F, v1)
step_factor = -8 * eta * lam1 / (n**2 * width)
quadratic = dot(R, (width / d * K) @ R)
shift = Lambda_star_next - Lambda_star
lambda_update = Equation(
    shift,
    step_factor
    * (
        dot(F, D)
        + F1 * D1
        - eta / 2 * D1**2 * Lambda_star
        - eta / 2 * dot(R, Gamma @ R)
        - eta * dot(R, Gamma @ outer(v1, v1) @ D)
        - eta / (width * n) * quadratic
    ),
)
lambda_increment = Equation(
    shift,
    -8 * eta / (n**2 * width) * (lam1 * dot(F, D) + lam1 * F1 * D1)
    + 8 * second_order * (lam1 * hidden + norm2(A) * lam1**2 * D1**2),
)
form_split = Equation(
    hidden,
    width / d * lam1 * D1**2 + width / d * dot(R, K @ R) + width * n / 2 * dot(D, Gamma @ D),
)
from_norm = {
    "without Gamma": Equation(
        lam1 * (width / d + norm2(A)), width * n / 2 * dot(v1, (M - Gamma) @ v1)
    ),
    "Lambda*": Equation(
        lam1 * (width / d + norm2(A)),
        width * n / 2 * Lambda_star - width * n / 2 * dot(v1, Gamma @ v1),
    ),
}
first_form = Equation(
    shift,
    step_factor
    * (
        dot(F, D)
        + F1 * D1
        - eta / (width * n) * D1**2 * (width / d + norm2(A)) * lam1
        - eta / (width * n) * (width / d) * dot(R, K @ R)
        - eta / 2 * dot(D, Gamma @ D)
    ),
)


def second_form(of_the_rest: Expr) -> Equation:
    """The second form, up to the weight of R^T (m/d X^T X) R."""
    bracket = (
        dot(F, D)
        + F1 * D1
        - eta / 2 * D1**2 * Lambda_star
        + eta / 2 * (dot(v1, Gamma @ v1) * D1**2 - dot(D, Gamma @ D))
        - of_the_rest
    )
    return Equation(shift, step_factor * bracket)


rearranged = Equation(
    dot(v1, Gamma @ v1) * D1**2 - dot(D, Gamma @ D),
    -dot(R, Gamma @ R) - 2 * dot(R, Gamma @ outer(v1, v1) @ D),
)

one = eye("n")
top = outer(v1, v1)
rest_update = Equation(R_next, (one - eta * M_star) @ R + eta * ((top @ Gamma - Gamma @ top) @ D))
commuted = Equation(
    R_next,
    (one - eta * M_star) @ R
    - top @ (one - eta * M_star) @ (one - top) @ D
    + (one - top) @ (one - eta * M_star) @ top @ D,
)
only_gamma = Equation(
    R_next,
    (one - eta * M_star) @ R
    - top @ (-eta * Gamma) @ (one - top) @ D
    + (one - top) @ (-eta * Gamma) @ top @ D,
)


# ------------------------------------------------------------------------------ derivations
def derive_step(m: Model) -> None:
    """A gradient step, and the Gram matrices before and after it."""
    gradient_step(m)
    gram(m)
    m.step("gradients of the loss with respect to A and W, by differentiation")
    m.uses("li22/eq-8")


def derive_top(m: Model) -> None:
    """The same along the top eigenvector of the data's Gram matrix."""
    derive_step(m)
    top_direction(m)
    m.uses("li22/eq-10.b")
    # two samples, one neuron, two inputs
    plane = {X: ((2, 0), (0, 1)), Y: (1, -1), v1: (1, 0), lam1: 4}
    m.example({n: 2, width: 1, d: 2, eta: Fraction(1, 2), A: (1,), W: ((1, 2),), **plane})


EIGEN = {
    "eigenvector": "v_1 is an eigenvector of X^T X for lambda_1",
    "unit eigenvector": "|v_1| = 1",
}
VECTOR = {"eigenvector": EIGEN["eigenvector"]}
DROPS_OUT = "true: v_1 v_1^T (I - v_1 v_1^T) = 0, so that a multiple of I between them drops out"
PROJECTIONS = {
    "*right D -> R": "true: I - v_1 v_1^T is a projection, so that it takes D and R to R",
    "*right I[n] x2": DROPS_OUT,
    "*right I[n] x1/2": DROPS_OUT,
    "*right I[n] x1.001": DROPS_OUT,
    "*right I[n] sign": DROPS_OUT,
    "*right I[n] dropped": DROPS_OUT,
}
ONLY_GAMMA = {
    "*right D -> R": PROJECTIONS["*right D -> R"],
    "*right Gamma -> M_star": "true: M* - Gamma is a multiple of X^T X and commutes with v_1 v_1^T",
}
COLUMNS = "Rows D^T ... of the paper are written as columns."

CLAIMS = [
    Claim(
        "li22/lemma-E.8", residual_update, derive=derive_step, simulate=one_step, reading=COLUMNS
    ),
    Claim(
        "li22/lemma-E.8.p1", product_rule, derive=derive_step, simulate=one_step, reading=COLUMNS
    ),
    Claim("li22/lemma-E.8.p2", inserted, derive=derive_step, simulate=one_step, reading=COLUMNS),
    Claim("li22/lemma-E.9", gram_update, derive=derive_step, simulate=one_step),
    Claim("li22/lemma-E.9.p1", gram_split, derive=derive_step, simulate=one_step),
    Claim("li22/lemma-E.9.p2", gram_inserted, derive=derive_step, simulate=one_step),
    Claim(
        "li22/lemma-E.11",
        lambda_update,
        hypotheses=EIGEN,
        derive=derive_top,
        simulate=one_step,
    ),
    Claim(
        "li22/lemma-E.11.p1",
        lambda_increment,
        hypotheses=EIGEN,
        derive=derive_top,
        simulate=one_step,
    ),
    Claim("li22/lemma-E.11.p2", form_split, hypotheses=EIGEN, derive=derive_top, simulate=one_step),
    Claim("li22/lemma-E.11.p3", from_norm, hypotheses=EIGEN, derive=derive_top, simulate=one_step),
    Claim("li22/lemma-E.11.p4", first_form, hypotheses=EIGEN, derive=derive_top, simulate=one_step),
    Claim(
        "li22/lemma-E.11.p5",
        second_form(quadratic),
        hypotheses=EIGEN,
        derive=derive_top,
        simulate=one_step,
        corrected=second_form(eta / (width * n) * quadratic),
    ),
    Claim(
        "li22/lemma-E.11.p6",
        rearranged,
        hypotheses={},
        derive=derive_top,
        simulate=one_step,
        reading="The first factor, printed v_1^T Gamma v_1^T, is the number v_1^T Gamma v_1.",
    ),
    Claim("li22/lemma-E.12", rest_update, hypotheses=VECTOR, derive=derive_top, simulate=one_step),
    Claim("li22/lemma-E.12.p1", commuted, derive=derive_top, simulate=one_step, waive=PROJECTIONS),
    Claim(
        "li22/lemma-E.12.p2",
        only_gamma,
        hypotheses=EIGEN,
        derive=derive_top,
        simulate=one_step,
        waive=ONLY_GAMMA,
    ),
]
