r"""Gradient descent with weight decay as gradient descent on the regularised loss.

Setting:  L~(w) = L(w) + (lambda/2) |w|^2 with a scale-invariant L, and eq. (1).
Claims:   both updates are one; the top eigenvalues differ by lambda; the recursion of |w|^2 and
          what it says of averages at the edge of stability; progressive sharpening.
Source:   Lyu, Li, Arora, arXiv:2206.07085, section 6 and appendix G.3.

Found: the recursion of the squared norm has a wrong sign, and the condition of progressive
sharpening compares a rate with a sharpness; the arguments survive.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Inequality,
    Statement,
    as_expr,
    dot,
    norm2,
    scalar,
    vector,
)

from . import _regularized_runs as runs
from ._gwsi import (
    FEW,
    INVARIANT,
    SHRINKS,
    D,
    eta_hat,
    grad_w,
    lam_hat,
    real_step,
    w,
    w_next,
)
from ._regularized_runs import (
    average_grad,
    average_loss,
    average_norm,
    grad_tilde,
    hess,
    lam_star,
    lam_tilde,
    lam_top,
    rate,
    rate_next,
    sum_grad,
    sum_norm,
)

if TYPE_CHECKING:
    from eostheory.symbolic import Model

zero = as_expr(0)
HALF = Fraction(1, 2)
product = eta_hat * lam_hat

# -------------------------------------------------------------------------------- statements
same_update = Equation(w - eta_hat * grad_tilde, (1 - product) * w - eta_hat * grad_w)
same_sharpness = Equation(eta_hat * lam_tilde, eta_hat * lam_top + product)
growth = norm2(w_next) - norm2(w)
recursion = Equation(growth, (2 - product) * product * norm2(w) + eta_hat**2 * norm2(grad_w))
recursion_corrected = Equation(
    growth, -((2 - product) * product) * norm2(w) + eta_hat**2 * norm2(grad_w)
)
gradient_sum = Inequality(sum_grad, "<=", 2 * lam_hat / eta_hat * sum_norm)
averages: dict[str, Statement] = {
    "gradients": Inequality(
        average_loss, "<=", eta_hat / 4 * (2 * lam_hat / eta_hat * average_norm)
    ),
    "regulariser": Equation(
        eta_hat / 4 * (2 * lam_hat / eta_hat * average_norm), lam_hat / 2 * average_norm
    ),
}
sharpening: dict[str, Statement] = {
    "increases": Inequality(rate_next, ">", rate),
    "until": Inequality(rate, "<", 2 / lam_star),
}


# -------------------------------------------------------------------------------- derivations
def derive_update(m: Model) -> None:
    """The gradient of the sum: that of L, a free vector, and that of the regulariser."""
    m.define(grad_tilde, grad_w + m.gradient(lam_hat / 2 * norm2(w), w))


def derive_sharpness(m: Model) -> None:
    """The Hessian of the regulariser shifts every Rayleigh quotient by lambda."""
    top = vector("v_1", D)
    m.relation(hess @ top, lam_top * top, by="eigenvector")
    m.relation(norm2(top), 1, by="unit")
    shifted = hess + m.hessian(lam_hat / 2 * norm2(w), w)
    m.step("the largest Rayleigh quotient of the sum is attained where that of H is")
    m.define(lam_tilde, dot(top, shifted @ top))


def derive_recursion(m: Model) -> None:
    """The exact step."""
    real_step(m)


def summed(m: Model) -> None:
    """The recursion of Lemma E.1 summed over the window, divided by eta^2."""
    m.uses("lyu22/lemma-E.1")
    first, last = (scalar(x, nonnegative=True) for x in ("norm2_T0", "norm2_T1"))
    m.assume(Inequality(product, "<", as_expr(1)), by="decay_below_one")
    m.step("eta^2 sum |grad|^2 = |w_{T1}|^2 - |w_{T0}|^2 + (2 - eta lambda) eta lambda sum |w|^2")
    m.define(sum_grad, (last - first + (2 - product) * product * sum_norm) / eta_hat**2)
    m.assume(Inequality(last, "<=", first), by="decreasing")
    m.assume(Inequality(sum_grad, ">=", zero), by="sum of squares")


def derive_sum(m: Model) -> None:
    """The boundary terms help when the norm has decreased."""
    summed(m)


def derive_averages(m: Model) -> None:
    """L = |grad|^2/(2 lambda_1) along the top eigenvector, with eta lambda_1 = 2."""
    summed(m)
    window = scalar("window", r"T_1-T_0", positive=True)
    curvature = scalar("curvature", r"\lambda_1(\nabla^2\mathcal{L}(w_t))", positive=True)
    m.step("near a minimizer, along the top eigenvector: L = |grad|^2/(2 lambda_1)")
    m.relation(curvature, 2 / eta_hat, by="edge")
    m.define(average_grad, sum_grad / window)
    m.define(average_norm, sum_norm / window)
    m.define(average_loss, average_grad / (2 * curvature))


def derive_sharpening(m: Model) -> None:
    """Eq. (14) with a small gradient; the rate is below the edge."""
    m.uses("lyu22/eq-14")
    gradient = scalar("G", r"\|\nabla\mathcal{L}(\theta_t)\|_2", nonnegative=True)
    size = scalar("norm2_w", r"\|w_t\|_2^2", positive=True)
    m.step("rate = eta/((1 - eta lambda)|w|^2), and |w|^2 by Lemma E.1")
    after = (1 - product) ** 2 * size + eta_hat**2 / size * gradient**2
    m.assume(Inequality(product, "<", as_expr(1)), by="decay_below_one")
    m.step("the threshold of Figure 3: below it weight decay wins")
    threshold = lam_hat * (2 - product) * size
    m.assume(Inequality(eta_hat / size * gradient**2, "<", threshold), by="small_gradient")
    m.lemma("the norm decreases", Inequality(after, "<", size))
    m.define(rate, eta_hat / ((1 - product) * size))
    m.define(rate_next, eta_hat / ((1 - product) * after))
    m.assume(Inequality(rate, "<", lam_star), by="below")
    m.assume(Inequality(rate, "<", 2 / lam_star), by="stable")
    table = {eta_hat: 1, lam_hat: HALF, size: HALF, gradient: 0}
    if "stable" in m.withheld and "below" not in m.withheld:
        m.example({**table, lam_star: 5})


CLAIMS = [
    Claim(
        "lyu22/sec6.regularized-loss",
        same_update,
        derive=derive_update,
        simulate=runs.update,
        examples=FEW,
        reading="The definition of L~ is tested by what it is for: gradient descent on it is "
        "eq. (1).",
    ),
    Claim(
        "lyu22/secG.3.reg-hessian",
        same_sharpness,
        derive=derive_sharpness,
        simulate=runs.sharpness,
        examples=FEW,
    ),
    Claim(
        "lyu22/secG.3.norm-recursion",
        recursion,
        INVARIANT,
        derive=derive_recursion,
        simulate=runs.norms,
        corrected=recursion_corrected,
        examples=FEW,
    ),
    Claim(
        "lyu22/secG.3.grad-average",
        gradient_sum,
        SHRINKS | {"decreasing": "the norm at T_1 is at most that at T_0"},
        derive=derive_sum,
        reading="'Long enough' is read as |w_{T_1}| <= |w_{T_0}|; then it holds with '<='.",
    ),
    Claim(
        "lyu22/secG.3.loss-average",
        averages,
        SHRINKS
        | {
            "decreasing": "the norm at T_1 is at most that at T_0",
            "edge": "eta lambda_1(Hess L(w_t)) = 2, for the paper's 'approximately'",
        },
        derive=derive_averages,
        reading="Each 'approximately' of the text is taken as an equation: the gradient is aligned "
        "with the top eigenvector, and the dynamics is at the edge.",
    ),
    Claim(
        "lyu22/secG.3.progressive-sharpening",
        sharpening,
        SHRINKS | {"below": "rate < lambda_1(theta*)", "small_gradient": "the gradient is small"},
        corrected_hypotheses={"stable": "rate < 2/lambda_1(theta*), which must be meant"},
        derive=derive_sharpening,
        waive={
            "until:right lambda_star**(-1) exponent +1": "true: rate < lambda_1 and rate < "
            "2/lambda_1 leave rate < sqrt 2"
        },
        reading="'Increases until it reaches 2/lambda_1' is read: it increases, and is below that "
        "value so far. The condition compares a rate with a sharpness: it is not invariant under "
        "L -> c L.",
    ),
]
