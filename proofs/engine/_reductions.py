r"""Letters of the reductions, exact full steps, and real gradient descent by autograd.

A letter ending in ``_next`` is taken after a step of gradient descent with weight decay,
w' = (1 - eta lambda) w - eta grad L(w).
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import torch
from hypothesis import strategies as st

from eostheory.agree import Measured
from eostheory.formula import Expr, dot, eye, matrix, norm2, outer, scalar, sqrt, vector
from eostheory.numeric.losses import Draw

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from eostheory.agree import Sample
    from eostheory.numeric.rounding import RunningError
    from eostheory.symbolic import Model

UNIT = 2.0**-53

# ------------------------------------------------------------------------------------- numbers
n = scalar("n", positive=True)
width = scalar("m", positive=True)
eta = scalar("eta", r"\eta", positive=True)
lam = scalar("lambda", r"\lambda", nonnegative=True)
keep = 1 - eta * lam
loss = scalar("loss", "L")

# -------------------------------------------------------------------------- two-layer network
X = matrix("X", "d", "n", "X")
Y = vector("Y", "n", "Y")
U = matrix("U", "d", "r", "U")
V = matrix("V", "n", "r", "V")
Sigma = matrix("Sigma", "r", "r", r"\Sigma", symmetric=True)
A = vector("A", "m", "A_t")
W = matrix("W", "m", "d", "W_t")
A_next = vector("A_next", "m", "A_{t+1}")
W_next = matrix("W_next", "m", "d", "W_{t+1}")

N = scalar("N", "N_t", nonnegative=True)
N_next = scalar("N_next", "N_{t+1}", nonnegative=True)
p = vector("p", "d", "p_t")
p_next = vector("p_next", "d", "p_{t+1}")
S = matrix("S", "d", "d", "S_t", symmetric=True)
S_next = matrix("S_next", "d", "d", "S_{t+1}", symmetric=True)
u = vector("u", "d", "u_t")
"""The step that the data ask of the network's slope, over the root of the width."""

p_r = vector("p_r", "r", "U^T p_t")
p_r_next = vector("p_r_next", "r", "U^T p_{t+1}")
S_r = matrix("S_r", "r", "r", "U^T S_t U", symmetric=True)
S_r_next = matrix("S_r_next", "r", "r", "U^T S_{t+1} U", symmetric=True)
u_r = vector("u_r", "r", "U^T u_t")
z = vector("z", "r", "z")
q = vector("q", "d", "q")
"""``X D`` with the residual D."""


def output(a: Expr, w: Expr) -> Expr:
    """Outputs on all samples, X^T W^T A / sqrt(m)."""
    return 1 / sqrt(width) * (X.T @ w.T @ a)


def network_step(m: Model) -> None:
    """Loss of the network and a step of gradient descent with weight decay on it."""
    residual = output(A, W) - Y
    m.define(loss, norm2(residual) / n)
    m.step("gradients of the loss with respect to A and W, by differentiation")
    m.define(A_next, keep * A - eta * m.gradient(loss, A))
    m.define(W_next, keep * W - eta * m.gradient(loss, W))
    m.define(u, 2 * eta / (n * sqrt(width)) * (X @ residual))


def reduced_network(m: Model) -> None:
    """The reduced variables before and after the step."""
    m.define(N, norm2(A))
    m.define(N_next, norm2(A_next))
    m.define(p, W.T @ A)
    m.define(p_next, W_next.T @ A_next)
    m.define(S, W.T @ W)
    m.define(S_next, W_next.T @ W_next)


def singular_values(m: Model) -> None:
    """``X = U Sigma V^T`` with orthonormal columns in U and V."""
    m.relation(U.T @ U, eye("r"), by="orthonormal")
    m.relation(V.T @ V, eye("r"), by="orthonormal")
    m.define(X, U @ Sigma @ V.T)


# ------------------------------------------------------------------------ batch normalisation
Z = matrix("Z", "n", "d", "X")
mu = vector("mu", "d", r"\mu")
one = vector("one", "n", r"\mathbf{1}")
P = matrix("P", "n", "r", "P")
B = matrix("B", "d", "r", "V")
y = vector("y", "n", "y")
gamma = scalar("gamma", r"\gamma")
epsilon = scalar("epsilon", r"\epsilon", nonnegative=True)
gamma_next = scalar("gamma_next", r"\gamma_{t+1}")
beta_next = scalar("beta_next", r"\beta_{t+1}")
y_mean = scalar("y_mean", r"\bar y")
beta = scalar("beta", r"\beta")
w = vector("w", "d", "w_t")
w_next = vector("w_next", "d", "w_{t+1}")
s = vector("s", "r", "s_t")
s_next = vector("s_next", "r", "s_{t+1}")
seen = vector("seen", "r", "V^T w_t")
null = vector("null", "d", r"w^\perp_t")
null_next = vector("null_next", "d", r"w^\perp_{t+1}")
e = vector("e", "r", "e")
rest = scalar("rest", r"\ell")
way = vector("way", "d", r"\delta")
h = vector("h", "r", "h")
bend = scalar("bend", r"\delta^T \nabla^2 L(w) \delta")


def across(v: Expr) -> Expr:
    """``(I - V V^T) v``."""
    return v - B @ (B.T @ v)


def normalised(m: Model) -> Expr:
    """The loss of linear regression with batch normalisation, from the data."""
    m.relation(dot(one, one), n, by="sample size")
    m.relation(P.T @ P, eye("r"), by="orthonormal")
    m.relation(B.T @ B, eye("r"), by="orthonormal")
    m.relation(P.T @ one, 0, by="centred")
    m.define(Z, sqrt(n) * (P @ Sigma @ B.T) + outer(one, mu))
    scores = Z @ w
    centred = scores - dot(one, scores) / n * one
    outputs = gamma / sqrt(norm2(centred) / n + epsilon) * centred + beta * one
    return norm2(outputs - y) / n


def rotated(m: Model, shift: Expr = beta) -> None:
    """Coordinates of the weight and of the targets less a shift."""
    goal = 1 / sqrt(n) * (y - shift * one)
    m.define(s, Sigma @ (B.T @ w))
    m.define(seen, B.T @ w)
    m.define(null, across(w))
    m.define(e, P.T @ goal)
    m.define(rest, norm2(goal - P @ (P.T @ goal)))
    instance(m)


def instance(m: Model) -> None:
    """Four samples of three inputs, one of which is constant; the root is 3."""
    half = Fraction(1, 2)
    left: tuple[tuple[object, ...], ...] = ((half, half), (half, -half), (-half, half))
    left = (*left, (-half, -half))
    if "centred" in m.withheld:
        left = ((1, 0), (0, 1), (0, 0), (0, 0))
    if "orthonormal" in m.withheld:
        left = ((1, 2), (1, -1), (-1, 1), (-1, -2))
    m.example(
        {
            n: 4,
            one: (1, 1, 1, 1),
            P: left,
            B: ((1, 0), (0, 1), (0, 0)),
            Sigma: ((2, 1), (1, 1)),
            mu: (1, 2, 3),
            y: (1, 3, -2, 5),
            w: (0, 2, 1),
            way: (1, -1, 2),
            gamma: 2,
            beta: 1,
            # both roots are rational: of |s|^2 = 8 and of a variance of 4
            epsilon: Fraction(161, 16) if "centred" in m.withheld else 1,
            eta: half,
            lam: half,
        }
    )


# ---------------------------------------------------------------------------------- real steps
Table = dict[Any, Any]


def seed_of(sample: Sample, label: str = "seed") -> Draw:
    """A source of generic numbers."""
    return Draw(int(sample.draw(st.integers(0, 2**20), label)))


def known(run: RunningError, value: Tensor) -> Measured:
    """``value`` with the error bound that ``run`` has for it."""
    return Measured(value.detach().numpy().copy(), run.error(value).numpy())


def columns(run: RunningError, draw: Draw, rows: int, count: int, exact: bool) -> Tensor:
    """Orthonormal columns up to the backward error of the factorisation, or any columns."""
    return columns_of(run, draw.normal(rows, count), exact)


def columns_of(run: RunningError, entries: Tensor, exact: bool) -> Tensor:
    """Orthonormal columns of the same span, or the entries themselves."""
    if not exact:
        return run.fresh(entries)
    with torch._C._DisableTorchDispatch():
        found = torch.linalg.qr(entries.detach().clone())[0].clone()
    return run.declare(run.fresh(found), 256 * len(entries) * UNIT)


def descent(
    function: Callable[..., Tensor], weights: tuple[Tensor, ...], rate: Tensor, decay: Tensor
) -> tuple[Tensor, ...]:
    """One step of gradient descent with weight decay, gradients by autograd."""
    leaves = tuple(x.detach().clone().requires_grad_(True) for x in weights)
    slopes = torch.autograd.grad(function(*leaves), leaves)
    shrink = 1 - rate * decay
    return tuple(shrink * x.detach() - rate * g for x, g in zip(leaves, slopes, strict=True))


def number(sample: Sample, label: str, low: int, high: int, over: int) -> Tensor:
    """A drawn multiple of ``1/over``."""
    return torch.tensor(sample.draw(st.integers(low, high), label) / over, dtype=torch.float64)
