"""Linear regression with batch normalization: symbols, exact settings and drawn instances.

Rows of X are the inputs x_i, entries of y the targets; ``one`` is the vector of n ones, so that a
mean is ``X.T @ one / n``.  Variances are over the whole data set with weight 1/n (footnote 3 of
section 5): with 1/(n-1) the norm of w in Sigma_x would not be the deviation of the scores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eostheory.formula import (
    Expr,
    FormSymbol,
    Symbol,
    dot,
    matrix,
    norm2,
    outer,
    scalar,
    sqrt,
    vector,
)

if TYPE_CHECKING:
    from torch import Tensor

    from eostheory.agree import Measured, Sample
    from eostheory.numeric.rounding import RunningError
    from eostheory.symbolic import Model

# ------------------------------------------------------------------------------------- symbols
n = scalar("n", positive=True)
gamma = scalar("gamma", r"\gamma", positive=True)
beta = scalar("beta", r"\beta")
mu_1 = scalar("mu_1", r"\mu_1")
sigma_1 = scalar("sigma_1", r"\sigma_1", positive=True)
mu_y = scalar("mu_y", r"\mu_y")
sigma_y = scalar("sigma_y", r"\sigma_y", positive=True)
y_i = scalar("y_i")
q_i = scalar("q_i")
output = scalar("output", r"\Phi(x;w,\gamma,\beta)")
output_i = scalar("output_i", r"\Phi(x_i;w,\sigma_y,\mu_y)")
loss = scalar("loss", r"\mathcal{L}(w)")
w_Sigma = scalar("w_Sigma", r"\lVert w\rVert_{\Sigma_x}", positive=True)
width = scalar("width", "s", positive=True)
b_tilde = scalar("b_tilde", r"\tilde b")

one = vector("one", "n", r"\mathbf{1}")
y = vector("y", "n")
q = vector("q", "n")
outputs = vector("outputs", "n", r"\Phi(X;w,\gamma,\beta)")
w = vector("w", "d")
x = vector("x", "d")
x_i = vector("x_i", "d")
xt_i = vector("xt_i", "d", r"\tilde x_i")
mu_x = vector("mu_x", "d", r"\mu_x")
w_tilde = vector("w_tilde", "d", r"\tilde w")
z = vector("z", "d")
grad_i = vector("grad_i", "d", r"\nabla_w\Phi(x_i;w,\sigma_y,\mu_y)")

X = matrix("X", "n", "d")
Xt = matrix("Xt", "n", "d", r"\tilde X")
J = matrix("J", "n", "d", r"\nabla_w\Phi(X;w,\sigma_y,\mu_y)")
Sigma = matrix("Sigma", "d", "d", r"\Sigma_x", symmetric=True)
H = matrix("H", "d", "d", "H(w)", symmetric=True)

MINIMIZER = {"minimizer": "w is a point of Gamma: the model fits every target"}
SPHERE = {"sphere": "w has unit norm"}


# ------------------------------------------------------------------------------ exact settings
def mean(values: Expr) -> Expr:
    """Mean of the entries of a vector of size n."""
    return dot(one, values) / n


def deviation(values: Expr) -> Expr:
    """Standard deviation of the entries, with weight 1/n."""
    return sqrt(norm2(values - mean(values) * one) / n)


def normalized(scores: Expr, at: Expr, scale: Expr, shift: Expr) -> Expr:
    """Batch normalization of the score ``at`` by the statistics of ``scores``."""
    return scale * (at - mean(scores)) / deviation(scores) + shift


def normalized_batch(scores: Expr, scale: Expr, shift: Expr) -> Expr:
    """Batch normalization of every one of ``scores``."""
    return (scale / deviation(scores)) * (scores - mean(scores) * one) + shift * one


def any_data(m: Model) -> None:
    """Inputs without any condition; their mean and covariance."""
    m.relation(dot(one, one), n, by="sample size")
    m.define(mu_x, X.T @ one * n**-1)
    shifted = X - outer(one, mu_x)
    m.define(Sigma, n**-1 * (shifted.T @ shifted))


def centred_data(m: Model) -> None:
    """Inputs as mean plus centred part, targets as mean plus deviation times standard score."""
    m.relation(dot(one, one), n, by="sample size")
    m.relation(Xt.T @ one, 0, by="centring")
    m.relation(dot(one, q), 0, by="standard score")
    m.relation(norm2(q), n, by="standard score")
    m.define(X, Xt + outer(one, mu_x))
    m.define(y, mu_y * one + sigma_y * q)
    m.define(Sigma, n**-1 * (Xt.T @ Xt))


def on_gamma(m: Model) -> None:
    """w fits every target: its centred scores are a positive multiple of the standard scores."""
    m.relation(Xt @ w, width * q, by="minimizer")


def on_sphere(m: Model) -> None:
    """w has unit norm."""
    m.relation(norm2(w), 1, by="sphere")


# --------------------------------------------------------------------------- drawn instances
@dataclass(frozen=True)
class Data:
    """Inputs X (n, d), targets y (n,) and a weight w (d,) of one instance, all float64."""

    X: Tensor
    y: Tensor
    w: Tensor

    @property
    def size(self) -> int:
        """Number of examples."""
        return len(self.y)


def draw_sizes(sample: Sample, largest: int = 30) -> tuple[int, int]:
    """Number of examples and of inputs, each 2 to ``largest``, in any ratio."""
    from hypothesis import strategies as st

    return sample.draw(st.integers(2, largest), "n"), sample.draw(st.integers(2, largest), "d")


def draw_data(
    sample: Sample,
    run: RunningError,
    *,
    fitted: bool = True,
    unit: bool = True,
    sizes: tuple[int, int] | None = None,
) -> Data:
    """Random inputs, a weight, and targets that are linear in the inputs.

    Args:
        run: tracks the rounding errors of what is computed here.
        fitted: the targets are a linear function of the scores of the weight, which puts it on
            Gamma; else of another direction.
        unit: the weight has unit norm.
        sizes: number of examples and of inputs (default: drawn).

    Every weight of Gamma arises so, whatever linear model made the targets: on the data the two
    agree.
    """
    import torch
    from hypothesis import strategies as st

    size, dim = sizes or draw_sizes(sample)
    generator = torch.Generator().manual_seed(sample.draw(st.integers(0, 2**32 - 1), "seed"))

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    inputs = run.fresh(normal(size, dim) * (0.2 + normal(dim).abs()) + normal(dim))
    direction, other = normal(dim), normal(dim)
    weight = direction / (direction * direction).sum().sqrt()
    truth = weight if fitted else weight + other
    targets = (0.3 + run.fresh(normal(1).abs())) * (inputs @ truth) + normal(1)
    return Data(inputs, targets, weight if unit else 1.7 * weight)


def batch_norm(scores: Tensor, at: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Batch normalization in training mode, from elementary operations, without epsilon."""
    centre = scores.mean()
    variance = ((scores - centre) ** 2).mean()
    return scale * (at - centre) / variance.sqrt() + shift


def statistics(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of a vector."""
    centre = values.mean()
    return centre, ((values - centre) ** 2).mean().sqrt()


def jacobian(outputs: Callable[[Tensor], Tensor], weight: Tensor) -> Tensor:
    """Gradients of all outputs, (n, d), one reverse sweep each."""
    import torch

    leaf = weight.detach().clone().requires_grad_(True)
    values = outputs(leaf)
    rows = [torch.autograd.grad(value, leaf, retain_graph=True)[0] for value in values]
    return torch.stack(rows)


Observed = dict["Symbol | FormSymbol", Any]


def known(run: RunningError, value: Tensor) -> Measured:
    """``value`` with the error bound that ``run`` has for it."""
    from eostheory.agree import Measured

    return Measured(value.detach().numpy().copy(), run.error(value).numpy())


def setting(run: RunningError, data: Data) -> Observed:
    """The symbols of the data and of the weight's scores, measured."""
    import torch

    centre = data.X.mean(0)
    shifted = data.X - centre
    target_mean, target_width = statistics(data.y)
    score_mean, score_width = statistics(data.X @ data.w)
    return {
        n: data.size,
        one: torch.ones(data.size, dtype=torch.float64),
        X: data.X,
        Xt: known(run, shifted),
        y: known(run, data.y),
        q: known(run, (data.y - target_mean) / target_width),
        w: known(run, data.w),
        mu_x: known(run, centre),
        Sigma: known(run, shifted.T @ shifted / data.size),
        mu_y: known(run, target_mean),
        sigma_y: known(run, target_width),
        mu_1: known(run, score_mean),
        sigma_1: known(run, score_width),
        w_Sigma: known(run, score_width),
        width: known(run, score_width),
    }


def on_drawn_data(
    measure: Callable[[RunningError, Data], Observed], *asks: str
) -> Callable[[Sample], None]:
    """A simulation: ``measure`` on one drawn instance, next to the symbols of its setting.

    ``asks`` names the hypotheses (``minimizer``, ``sphere``) that matter; without ``minimizer``
    the weight is any weight.
    """

    def simulate(sample: Sample) -> None:
        from eostheory.numeric.rounding import RunningError

        fitted = "minimizer" in asks and sample.holds("minimizer")
        unit = "sphere" not in asks or sample.holds("sphere")
        sizes = draw_sizes(sample, 12 if sample.profile == "quick" else 30)
        with RunningError() as run:
            data = draw_data(sample, run, fitted=fitted, unit=unit, sizes=sizes)
            table = setting(run, data)
            table.update(measure(run, data))
            sample.observe(table)

    return simulate
