r"""Gamma is the set of global minimizers of batch-normalized linear regression.

Setting:  inputs with mean mu_x and covariance Sigma_x (weights 1/n), targets of a linear model; a
          batch-normalized linear model with the mean and deviation of the targets.
Claim:    a weight of the unit sphere is a global minimizer exactly if
          <w / |w|_Sigma, x_i - mu_x> = (y_i - mu_y) / sigma_y for every i (Lemma O.1).
Source:   Lyu, Li, Arora, arXiv:2206.07085, appendix O.

The derivation knows only that the loss is a mean of squares; the simulation finds minimizers by
Gauss-Newton from random weights.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from eostheory.claims import Claim
from eostheory.formula import Equation, as_expr, norm2, outer, scalar, vector

from ._batch_norm import (
    MINIMIZER,
    Data,
    X,
    Xt,
    batch_norm,
    centred_data,
    draw_data,
    draw_sizes,
    jacobian,
    known,
    mu_x,
    mu_y,
    n,
    normalized_batch,
    on_gamma,
    one,
    q,
    setting,
    sigma_y,
    statistics,
    w,
    width,
    y,
)

if TYPE_CHECKING:
    from torch import Tensor

    from eostheory.agree import Sample
    from eostheory.symbolic import Model

w_min = vector("w_min", "d", r"w_{\min}")
w_min_Sigma = scalar("w_min_Sigma", r"\lVert w_{\min}\rVert_{\Sigma_x}", positive=True)
loss_on_gamma = scalar("loss_on_gamma", r"\mathcal{L}(w)|_{w\in\Gamma}", nonnegative=True)
root_loss = scalar("root_loss", r"\sqrt{\mathcal{L}(w_{\min})}", nonnegative=True)
root_least = scalar("root_least", r"\sqrt{\min\mathcal{L}}", nonnegative=True)
direction = vector("direction", "n", "e")

# ------------------------------------------------------------------------------- statements
minimizers = {
    "minimizers lie on Gamma": Equation(
        (X - outer(one, mu_x)) @ (w_min / w_min_Sigma), (y - mu_y * one) / sigma_y
    ),
    "points of Gamma are minimizers": Equation(loss_on_gamma, as_expr(0)),
}


# ------------------------------------------------------------------------------- derivation
def example() -> dict[Any, Any]:
    """Four points in the plane, fitted by w = (1, 0)."""
    return {
        n: 4,
        one: (1, 1, 1, 1),
        q: (1, 1, -1, -1),
        Xt: ((3, 1), (3, -1), (-3, 0), (-3, 0)),
        mu_x: (Fraction(1, 4), 2),
        mu_y: 5,
        sigma_y: 2,
        w: (1, 0),
        width: 3,
        w_min: (1, 0),
        w_min_Sigma: 3,
        root_loss: 0,
        root_least: 0,
        direction: (1, 0, 0, 0),
    }


def derive_minimizers(m: Model) -> None:
    """The loss is a mean of squares with least value zero, so at a minimizer each of them is."""
    centred_data(m)
    m.relation(norm2(direction), 1, by="unit residual")
    miss = (n ** Fraction(1, 2) * root_loss) * direction
    m.example(example)
    m.relation(Xt @ w_min, w_min_Sigma * (q + miss / sigma_y), by="residual")
    residual = (sigma_y / w_min_Sigma) * (Xt @ w_min) + mu_y * one - y
    square = m.decide(Equation(n**-1 * norm2(residual), root_loss**2))
    if square.outcome != "holds":
        raise ArithmeticError("the residual is not the root of the loss times a unit vector")
    m.step("the residuals at w_min are sqrt(n L(w_min)) times a unit vector")
    m.relation(root_loss, root_least, by="least_loss")
    m.step("targets of a linear model are met exactly by its weight, so the least loss is 0")
    m.relation(root_least, 0, by="linear_targets")
    on_gamma(m)
    m.define(loss_on_gamma, n**-1 * norm2(normalized_batch(X @ w, sigma_y, mu_y) - y))


# ------------------------------------------------------------------------------- simulation
def search_minimizer(sample: Sample) -> None:
    """Gauss-Newton from a random weight, and the loss at a weight that fits by construction."""
    from eostheory.agree import Measured
    from eostheory.numeric.rounding import RunningError

    with RunningError() as run:
        linear, fitted = sample.holds("linear_targets"), sample.holds("minimizer")
        sizes = draw_sizes(sample, 20)
        if not linear:  # more examples than inputs, or every target is linear
            sizes = (sizes[0] + sizes[1] + 2, sizes[1])
        data = draw_data(sample, run, fitted=fitted, sizes=sizes)
        if not linear:
            data = Data(data.X, data.y + run.fresh(data.X[:, 0] ** 2), data.w)
        table = setting(run, data)
        error = batch_norm(data.X @ data.w, data.X @ data.w, *reversed(statistics(data.y))) - data.y
        table[loss_on_gamma] = known(run, (error * error).mean())
    weight, slack = descend(data, 200 if sample.holds("least_loss") else 0)
    table[w_min] = Measured(weight.numpy(), np.full(len(weight), slack))
    with RunningError() as run:
        run.declare(weight, slack)
        table[w_min_Sigma] = known(run, statistics(data.X @ weight)[1])
    sample.observe(table)


def descend(data: Data, steps: int) -> tuple[Tensor, float]:
    """A minimizer by Gauss-Newton on the outputs, with a bound on its distance to the exact one.

    Raises:
        Rejected: the search has not come to rest after ``steps`` steps.
    """
    import torch

    from eostheory.agree import Rejected

    centre, spread = statistics(data.y)

    def residual(w: Tensor) -> Tensor:
        scores = data.X @ w
        return batch_norm(scores, scores, spread, centre) - data.y

    generator = torch.Generator().manual_seed(data.size)
    weight = torch.randn(data.X.shape[1], generator=generator, dtype=torch.float64)
    if torch.dot(data.X @ weight - (data.X @ weight).mean(), data.y) < 0:
        weight = -weight
    weight = weight / torch.linalg.vector_norm(weight)
    bound = moved = 0.0
    for _ in range(steps):
        inverse = torch.linalg.pinv(jacobian(residual, weight), rtol=1e-11)
        step = inverse @ residual(weight)
        moved = float(torch.linalg.vector_norm(step))
        weight = weight - step
        weight = weight / torch.linalg.vector_norm(weight)
        # what rounding makes of the residual at the exact minimizer, carried to the weight
        reach = float(torch.linalg.matrix_norm(inverse, 2))
        bound = 64 * data.size * 2.0**-53 * reach * float(data.y.abs().max())
        if moved <= bound:
            break
    if moved > max(bound, 1e-12):
        raise Rejected("Gauss-Newton has not come to rest")
    if bound > 1e-8:
        raise Rejected("the data are nearly degenerate")
    return weight, bound + 2 * moved


CLAIMS = [
    Claim(
        id="lyu22/lemma-O.1.manifold",
        statement=minimizers,
        hypotheses={
            "least_loss": "w_min is a global minimizer of the loss",
            "linear_targets": "the targets are generated by a linear model",
        }
        | MINIMIZER,
        derive=derive_minimizers,
        simulate=search_minimizer,
        rests_on=("lyu22/lemma-O.1.loss", "lyu22/lemma-O.1.p1"),
        reading="equality of two sets: minimizers lie on Gamma, points of Gamma are minimizers",
    ),
]
