r"""Linear regression with batch normalization: the model and its loss.

Setting:  inputs x_1..x_n in R^d with mean mu_x and covariance Sigma_x (weights 1/n), targets y_i;
          the score w.x goes through a batch normalization with constants gamma and beta.
Claims:   the output has mean beta and variance gamma^2 whatever w is; the model is linear in x
          (eq. 4); with beta = mu_y and gamma = sigma_y its loss is the mean squared error.
Source:   Lyu, Li, Arora, arXiv:2206.07085, section 5 and the beginning of appendix O.

The derivation never starts from the formula it is to meet: the model is found as the affine
function of the score that has the wanted mean and variance, the loss from the correlation of
outputs and targets.  The simulation is a forward pass of batch normalization on drawn data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import Equation, dot, norm2, scalar, sqrt

from ._batch_norm import (
    Data,
    Observed,
    Sigma,
    X,
    any_data,
    batch_norm,
    beta,
    centred_data,
    deviation,
    gamma,
    known,
    loss,
    mean,
    mu_1,
    mu_x,
    mu_y,
    n,
    normalized,
    normalized_batch,
    on_drawn_data,
    one,
    output,
    output_i,
    outputs,
    q,
    sigma_1,
    sigma_y,
    statistics,
    w,
    w_Sigma,
    x,
    x_i,
    y,
)

if TYPE_CHECKING:
    from eostheory.numeric.rounding import RunningError
    from eostheory.symbolic import Model

output_mean = scalar("output_mean", r"\mathrm{mean}(\Phi)")
output_variance = scalar("output_variance", r"\mathrm{var}(\Phi)")

# ------------------------------------------------------------------------------- statements
model = Equation(output, gamma * (dot(w, x) - mu_1) / sigma_1 + beta)

effective_weight = gamma * w / sqrt(dot(w, Sigma @ w))
linear_model = Equation(output, dot(effective_weight, x) + (beta - dot(effective_weight, mu_x)))

output_moments = {
    "mean": Equation(output_mean, beta),
    "variance": Equation(output_variance, gamma**2),
}

training_loss = {
    "loss": Equation(loss, n**-1 * norm2(outputs - y)),
    "outputs": Equation(outputs, (gamma / sigma_1) * (X @ w - mu_1 * one) + beta * one),
    "beta": Equation(beta, mu_y),
    "gamma": Equation(gamma, sigma_y),
}

loss_of_lemma = Equation(loss, n**-1 * norm2(outputs - y))

output_of_lemma = Equation(output_i, sigma_y * dot(w / w_Sigma, x_i - mu_x) + mu_y)


# ------------------------------------------------------------------------------ derivations
def affine_normalization(m: Model) -> None:
    """The model as the increasing affine function of the score with given mean and variance."""
    any_data(m)
    scores = X @ w
    m.define(mu_1, mean(scores))
    m.define(sigma_1, deviation(scores))
    slope = gamma / sigma_1
    m.step(
        "an affine function a s + c of the score s has mean a mu_1 + c and deviation a sigma_1; "
        "mean beta and deviation gamma leave a = gamma / sigma_1 and c = beta - a mu_1"
    )
    m.define(output, slope * dot(w, x) + (beta - slope * mu_1))


def derive_moments(m: Model) -> None:
    """Mean and variance of the outputs on the data, from the data."""
    any_data(m)
    m.define(outputs, normalized_batch(X @ w, gamma, beta))
    m.define(output_mean, mean(outputs))
    m.define(output_variance, n**-1 * norm2(outputs) - output_mean**2)


def derive_loss(m: Model) -> None:
    """Two samples with one mean and deviation differ by twice what their correlation lacks."""
    centred_data(m)
    m.define(mu_1, mean(X @ w))
    m.define(sigma_1, deviation(X @ w))
    m.define(beta, mean(y))
    m.define(gamma, deviation(y))
    m.define(outputs, normalized_batch(X @ w, gamma, beta))
    m.step(
        "outputs and targets have mean mu_y and deviation sigma_y, so their mean squared "
        "difference is 2 sigma_y^2 (1 - correlation)",
        r"\mathcal{L}=2\sigma_y^2(1-\rho)",
    )
    correlation = n**-1 * dot(q, X @ w) / deviation(X @ w)
    m.define(loss, 2 * sigma_y**2 * (1 - correlation))


def derive_output(m: Model) -> None:
    """Output at a data point, by the statistics of the scores."""
    any_data(m)
    scores = X @ w
    m.define(w_Sigma, sqrt(dot(w, Sigma @ w)))
    m.step("w.x_i - mu_1 = w.(x_i - mu_x), and the deviation of the scores is |w| in Sigma_x")
    m.define(output_i, normalized(scores, dot(w, x_i), sigma_y, mu_y))


# ------------------------------------------------------------------------------ simulations
def forward_pass(run: RunningError, data: Data) -> Observed:
    """Batch normalization of one fresh input and of all data, with some scale and shift."""
    scores = data.X @ data.w
    point = run.fresh(data.X[0] - 2 * data.X[1])
    scale, shift = run.fresh(data.X[0, 0].abs() + 0.5), run.fresh(data.X[1, 1])
    first, second = statistics(batch_norm(scores, scores, scale, shift))
    return {
        x: point,
        gamma: scale,
        beta: shift,
        output: known(run, batch_norm(scores, point @ data.w, scale, shift)),
        output_mean: known(run, first),
        output_variance: known(run, second**2),
    }


def regression_loss(run: RunningError, data: Data) -> Observed:
    """The mean squared error of the normalized model that has the targets' mean and deviation."""
    centre, spread = statistics(data.y)
    scores = data.X @ data.w
    fitted = batch_norm(scores, scores, spread, centre)
    found_mean, found_spread = statistics(fitted)
    error = fitted - data.y
    return {
        outputs: known(run, fitted),
        loss: known(run, (error * error).mean()),
        beta: known(run, found_mean),
        gamma: known(run, found_spread),
        x_i: data.X[-1],
        output_i: known(run, fitted[-1]),
    }


CLAIMS = [
    Claim(
        id="lyu22/sec5.model",
        statement=model,
        derive=affine_normalization,
        simulate=on_drawn_data(forward_pass),
    ),
    Claim(
        id="lyu22/eq-4",
        statement=linear_model,
        derive=affine_normalization,
        simulate=on_drawn_data(forward_pass),
        rests_on=("lyu22/sec5.model",),
        reading="mean and covariance of the data have weights 1/n",
    ),
    Claim(
        id="lyu22/sec5.output-moments",
        statement=output_moments,
        derive=derive_moments,
        simulate=on_drawn_data(forward_pass),
        rests_on=("lyu22/sec5.model",),
    ),
    Claim(
        id="lyu22/sec5.loss",
        statement=training_loss,
        derive=derive_loss,
        simulate=on_drawn_data(regression_loss),
        rests_on=("lyu22/sec5.model",),
    ),
    Claim(
        id="lyu22/lemma-O.1.loss",
        statement=loss_of_lemma,
        derive=derive_loss,
        simulate=on_drawn_data(regression_loss),
        rests_on=("lyu22/sec5.model",),
        reading=(
            "the first argument is printed as w_i; no w_i exists, and section 5 has x_i in the "
            "same place"
        ),
    ),
    Claim(
        id="lyu22/lemma-O.1.p1",
        statement=output_of_lemma,
        derive=derive_output,
        simulate=on_drawn_data(regression_loss),
        rests_on=("lyu22/eq-4",),
        reading=(
            "the arguments are printed as (x; w, mu_y, sigma_y), against the order "
            "(x; w, gamma, beta) of section 5 and of the rest of the proof; they are read by name"
        ),
    ),
]
