r"""Hessian of linear regression with batch normalization at its minimizers (Lemma O.1).

Setting:  inputs with mean mu_x and covariance Sigma_x (weights 1/n); a batch-normalized linear
          model with the mean and deviation of the targets; Gamma is where it fits all of them.
Claims:   Gamma is the set of global minimizers on the sphere; on it
          H(w) = 2 |w~|^2 (Sigma_x - z z^T); the steps of the paper's proof one by one.
Source:   Lyu, Li, Arora, arXiv:2206.07085, appendix O.

The loss is differentiated twice as a formula in data of symbolic size; only the result is put on
Gamma.  Found: two steps of the proof use w~ without its factor sigma_y; the lemma stands.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from eostheory.claims import Claim
from eostheory.formula import Equation, Expr, dot, eye, norm2, outer, vector

from ._batch_norm import (
    MINIMIZER,
    SPHERE,
    Data,
    H,
    J,
    Observed,
    Sigma,
    X,
    Xt,
    batch_norm,
    centred_data,
    deviation,
    grad_i,
    jacobian,
    known,
    mu_x,
    mu_y,
    n,
    normalized,
    normalized_batch,
    on_drawn_data,
    on_gamma,
    on_sphere,
    one,
    q,
    q_i,
    sigma_y,
    statistics,
    w,
    w_Sigma,
    w_tilde,
    width,
    xt_i,
    y,
    z,
)

if TYPE_CHECKING:
    from torch import Tensor

    from eostheory.numeric.rounding import RunningError
    from eostheory.symbolic import Model

pick = vector("pick", "n", "e_i")

# ------------------------------------------------------------------------------- statements
lemma = {
    "Hessian": Equation(H, 2 * norm2(w_tilde) * (Sigma - outer(z, z))),
    "w~": Equation(w_tilde, sigma_y * w / w_Sigma),
    "z": Equation(z, n**-1 * (Xt.T @ q)),
}

gauss_newton = Equation(H, (2 / n) * (J.T @ J))

projector = eye("d") - Sigma @ outer(w, w) / w_Sigma**2
gradient_of_output = {
    "first": Equation(grad_i, (sigma_y / w_Sigma) * (projector @ xt_i)),
    "second": Equation(
        grad_i, (sigma_y / w_Sigma) * ((eye("d") - Sigma @ outer(w_tilde, w_tilde)) @ xt_i)
    ),
}
gradient_of_output_corrected = {
    "first": gradient_of_output["first"],
    "second": Equation(
        grad_i,
        (sigma_y / w_Sigma) * ((eye("d") - Sigma @ outer(w_tilde, w_tilde) / sigma_y**2) @ xt_i),
    ),
}

covariance_applied = {
    "first": Equation(Sigma @ w_tilde, n**-1 * (Xt.T @ (Xt @ w_tilde))),
    "second": Equation(Sigma @ w_tilde, n**-1 * (Xt.T @ q)),
    "z": Equation(z, n**-1 * (Xt.T @ q)),
}
covariance_applied_corrected = {
    **covariance_applied,
    "second": Equation(Sigma @ w_tilde, sigma_y * n**-1 * (Xt.T @ q)),
}

simplified_gradient = Equation(grad_i, (sigma_y / w_Sigma) * (xt_i - q_i * z))

rows = Xt - outer(q, z)
cross = Xt.T @ q
expanded = Xt.T @ Xt - outer(cross, z) - outer(z, cross) + norm2(q) * outer(z, z)
sum_of_products = {
    "sum": Equation(H, (2 * sigma_y**2 / (n * w_Sigma**2)) * (rows.T @ rows)),
    "expanded": Equation(H, (2 * sigma_y**2 / (n * w_Sigma**2)) * expanded),
    "simplified": Equation(H, (2 * sigma_y**2 / w_Sigma**2) * (Sigma - outer(z, z))),
}

norm_of_weight = Equation(sigma_y**2 / w_Sigma**2, norm2(w_tilde))


# ------------------------------------------------------------------------------ derivations
def model_output(at: Expr) -> Expr:
    """The model at an input, as batch normalization computes it."""
    return normalized(X @ w, dot(w, at), sigma_y, mu_y)


def derive_slopes(m: Model) -> None:
    """Slope of the model in its input, gradient and Jacobian in its weight, at any weight."""
    centred_data(m)
    m.define(w_Sigma, deviation(X @ w))
    x = vector("x", "d")
    m.define(w_tilde, m.gradient(model_output(x), x))
    m.define(xt_i, Xt.T @ pick)
    m.define(q_i, dot(q, pick))
    m.step("w~ is the gradient of the output in x, grad_i the gradient of the i-th output in w")
    m.define(grad_i, m.gradient(model_output(xt_i + mu_x), w))
    m.example(example_on_gamma)


def derive_weight(m: Model) -> None:
    """Slopes at a weight of unit norm."""
    derive_slopes(m)
    on_sphere(m)


def derive_on_gamma(m: Model) -> None:
    """The same at a weight of Gamma, with z the covariance of inputs and standardised outputs."""
    on_gamma(m)
    derive_slopes(m)
    outputs = normalized_batch(X @ w, sigma_y, mu_y)
    m.define(z, n**-1 * (sigma_y**-1 * (Xt.T @ outputs)))


def derive_hessian(m: Model) -> None:
    """Two derivatives of the loss, then the point is put on Gamma and on the sphere."""
    derive_on_gamma(m)
    on_sphere(m)
    outputs = normalized_batch(X @ w, sigma_y, mu_y)
    residual = outputs - y
    m.step("the loss is differentiated twice as a formula; the relations of Gamma enter after it")
    m.define(H, m.hessian(n**-1 * dot(residual, residual), w))
    standard = (Xt @ w) / w_Sigma
    m.define(J, (sigma_y / w_Sigma) * (Xt - n**-1 * outer(standard, Xt.T @ standard)))
    along = vector("along", "d")
    found = m.decide(Equation(J @ along, m.differentiate(outputs, w, along)))
    if found.outcome != "holds":
        raise ArithmeticError("the Jacobian is not the derivative of the outputs")


# ------------------------------------------------------------------------------ simulations
def model_outputs(data: Data) -> Callable[[Tensor], Tensor]:
    """The outputs on the data as a function of the weight."""
    centre, spread = statistics(data.y)

    def outputs(w: Tensor) -> Tensor:
        scores = data.X @ w
        return batch_norm(scores, scores, spread, centre)

    return outputs


def slopes(run: RunningError, data: Data) -> Observed:
    """Autograd through the forward pass: slope in the input, gradient of one output."""
    from eostheory.numeric.autodiff import gradient

    centre, spread = statistics(data.y)
    outputs = model_outputs(data)

    def at(x: Tensor) -> Tensor:
        return batch_norm(data.X @ data.w, x @ data.w, spread, centre)

    shifted = data.X - data.X.mean(0)
    scores = (data.y - centre) / spread
    return {
        grad_i: known(run, gradient(lambda w: outputs(w)[-1], data.w)),
        xt_i: known(run, shifted[-1]),
        q_i: known(run, scores[-1]),
        w_tilde: known(run, gradient(at, data.X[0])),
        z: known(run, shifted.T @ scores / data.size),
    }


def curvature(run: RunningError, data: Data) -> Observed:
    """The same and the autograd Hessian of the loss."""
    from eostheory.numeric.autodiff import hessian

    outputs = model_outputs(data)

    def loss(w: Tensor) -> Tensor:
        error = outputs(w) - data.y
        return (error * error).mean()

    return {**slopes(run, data), H: known(run, hessian(loss, data.w))}


def all_slopes(run: RunningError, data: Data) -> Observed:
    """Hessian of the loss and gradients of all outputs."""
    return {**curvature(run, data), J: known(run, jacobian(model_outputs(data), data.w))}


# ------------------------------------------------------------------------------ the claims
def example_on_gamma() -> dict[Any, Any]:
    """Four points in the plane, fitted by w = (1, 0); the deviation of the targets is 2."""
    quarter = Fraction(1, 4)
    return {
        n: 4,
        one: (1, 1, 1, 1),
        q: (1, 1, -1, -1),
        Xt: ((3, 1), (3, -1), (-3, 0), (-3, 0)),
        w: (1, 0),
        width: 3,
        mu_x: (quarter, 2),
        mu_y: 5,
        sigma_y: 2,
        pick: (1, 0, 0, 0),
    }


LEMMA_READING = "Gamma holds for every i in [n]; mean, covariance and deviations have weights 1/n"
_ONE_SUFFICES = "one of the two equal factors suffices: sum_i q_i (x_i - q_i z) = 0"
_ONE_FACTOR = (
    *(f"-outer(q, z) {change}" for change in ("x2", "x1/2", "x1.001", "sign", "dropped")),
    "-1 +1",
)

CLAIMS = [
    Claim(
        id="lyu22/lemma-O.1",
        statement=lemma,
        hypotheses=MINIMIZER | SPHERE,
        derive=derive_hessian,
        simulate=on_drawn_data(curvature, "minimizer", "sphere"),
        rests_on=("lyu22/eq-4",),
        reading=LEMMA_READING,
    ),
    Claim(
        id="lyu22/lemma-O.1.p2",
        statement=gauss_newton,
        hypotheses=MINIMIZER,
        derive=derive_hessian,
        simulate=on_drawn_data(all_slopes, "minimizer"),
        reading="the sum of outer products of gradients is J^T J, the rows of J being gradients",
    ),
    Claim(
        id="lyu22/lemma-O.1.p3",
        statement=gradient_of_output,
        corrected=gradient_of_output_corrected,
        derive=derive_slopes,
        simulate=on_drawn_data(slopes),
        rests_on=("lyu22/lemma-O.1.p1",),
    ),
    Claim(
        id="lyu22/lemma-O.1.p4",
        statement=covariance_applied,
        corrected=covariance_applied_corrected,
        hypotheses=MINIMIZER,
        derive=derive_on_gamma,
        simulate=on_drawn_data(slopes, "minimizer"),
        rests_on=("lyu22/eq-4", "lyu22/lemma-O.1.manifold"),
    ),
    Claim(
        id="lyu22/lemma-O.1.p5",
        statement=simplified_gradient,
        hypotheses=MINIMIZER,
        derive=derive_on_gamma,
        simulate=on_drawn_data(slopes, "minimizer"),
        rests_on=("lyu22/lemma-O.1.p3",),
    ),
    Claim(
        id="lyu22/lemma-O.1.p6",
        statement=sum_of_products,
        hypotheses=MINIMIZER,
        derive=derive_hessian,
        simulate=on_drawn_data(curvature, "minimizer"),
        rests_on=("lyu22/lemma-O.1.p5",),
        waive={f"sum:right {change}": _ONE_SUFFICES for change in _ONE_FACTOR},
    ),
    Claim(
        id="lyu22/lemma-O.1.p7",
        statement=norm_of_weight,
        hypotheses=SPHERE,
        derive=derive_weight,
        simulate=on_drawn_data(slopes, "sphere"),
        rests_on=("lyu22/eq-4",),
    ),
]
