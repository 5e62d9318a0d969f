r"""Variables in which gradient descent closes: a two-layer linear network of any size.

Setting:  gradient descent with weight decay, w' = (1 - eta lambda) w - eta grad L(w).
Claims:   the network moves in (|A|^2, W^T A, W^T W), and in the span of the data alone; what its
          Hessian is along directions made of the weights, and across them.

Every full step is differentiated from the loss and put into the reduced variables; the statement
has reduced variables only.  The simulation is autograd on the full model.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from hypothesis import strategies as st

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    as_expr,
    dot,
    matrix,
    norm2,
    outer,
    scalar,
    sqrt,
    substitute,
    vector,
)
from eostheory.numeric.autodiff import gradient
from eostheory.numeric.rounding import RunningError

from . import _reductions as v
from ._reductions import (
    A,
    A_next,
    N,
    N_next,
    S,
    S_next,
    S_r,
    S_r_next,
    Sigma,
    U,
    V,
    W,
    W_next,
    X,
    Y,
    eta,
    keep,
    known,
    lam,
    loss,
    n,
    p,
    p_next,
    p_r,
    p_r_next,
    q,
    seed_of,
    u,
    u_r,
    width,
    z,
)

if TYPE_CHECKING:
    from torch import Tensor

    from eostheory.agree import Sample
    from eostheory.formula import Expr
    from eostheory.symbolic import Model


def network_update(a2: Expr, a2n: Expr, along: Expr, alongn: Expr, gram: Expr, gramn: Expr,
                   step: Expr) -> dict[str, Equation]:  # fmt: skip
    """The update in (|A|^2, W^T A, W^T W) along a step, in either coordinates."""
    turned = outer(along, step) + outer(step, along)
    return {
        "|A|^2": Equation(a2n, keep**2 * a2 - 2 * keep * dot(along, step) + dot(step, gram @ step)),
        "W'A": Equation(
            alongn, keep**2 * along - keep * (gram @ step + a2 * step) + dot(along, step) * step
        ),
        "W'W": Equation(gramn, keep**2 * gram - keep * turned + a2 * outer(step, step)),
    }


fitted = 1 / sqrt(width) * (X.T @ p) - Y
network = {
    **network_update(N, N_next, p, p_next, S, S_next, u),
    "step": Equation(u, 2 * eta / (n * sqrt(width)) * (X @ fitted)),
    "loss": Equation(loss, norm2(fitted) / n),
}
fitted_r = 1 / sqrt(width) * (Sigma @ p_r) - z
in_span = {
    **network_update(N, N_next, p_r, p_r_next, S_r, S_r_next, u_r),
    "step": Equation(u_r, 2 * eta / (n * sqrt(width)) * (Sigma @ fitted_r)),
    "loss": Equation(loss, (norm2(fitted_r) + norm2(Y - V @ z)) / n),
}

alpha = scalar("alpha", r"\alpha")
s_w = vector("s_w", "d", "s")
t_w = vector("t_w", "d", "t")
R = matrix("R", "d", "d", "R")
b = vector("b", "m", "b")
c = vector("c", "d", "c")
inside = scalar("inside", r"\nabla^2 L[(\alpha A + W s, A t^T + W R)^2]")
outside = scalar("outside", r"\nabla^2 L[(b, b c^T)^2]")
change = N * t_w + R.T @ p + alpha * p + S @ s_w
curvature = {
    "inside": Equation(
        inside,
        2 / (n * width) * norm2(X.T @ change)
        + 4
        / (n * sqrt(width))
        * (
            alpha * N * dot(t_w, q)
            + alpha * dot(p, R @ q)
            + dot(s_w, p) * dot(t_w, q)
            + dot(s_w, S @ (R @ q))
        ),
    ),
    "outside": Equation(outside, 4 / (n * sqrt(width)) * norm2(b) * dot(c, q)),
}


def derive_network(m: Model) -> None:
    """The step put into the three Gram matrices."""
    v.network_step(m)
    v.reduced_network(m)


def derive_span(m: Model) -> None:
    """The same on the span of the data."""
    v.singular_values(m)
    derive_network(m)
    m.define(p_r, U.T @ p)
    m.define(p_r_next, U.T @ p_next)
    m.define(S_r, U.T @ S @ U)
    m.define(S_r_next, U.T @ S_next @ U)
    m.define(u_r, U.T @ u)
    m.define(z, V.T @ Y)


def derive_curvature(m: Model) -> None:
    """The second derivative of the loss along directions made of the weights, and across them."""
    derive_network(m)
    m.define(q, X @ (v.output(A, W) - Y))
    m.relation(dot(b, A), 0, by="across")
    m.relation(W.T @ b, 0 * p, by="across")

    def second(first: Expr, last: Expr) -> Expr:
        """Twice along (first, last)."""
        path = scalar("path")
        moved = v.output(A + path * first, W + path * last) - Y
        value = norm2(moved) / n
        one_step = m.differentiate(value, path, as_expr(1))
        return substitute(m.differentiate(one_step, path, as_expr(1)), {path: as_expr(0)})

    m.define(inside, second(alpha * A + W @ s_w, outer(A, t_w) + W @ R))
    m.define(outside, second(b, outer(b, c)))


def weights(sample: Sample, run: RunningError, asks: tuple[str, ...]) -> v.Table:
    """Drawn data, weights and rates of a network; in ``tensors`` by their letters."""
    most = 4 if sample.profile == "quick" else 7
    dims = {k: sample.draw(st.integers(1, most), k) for k in ("n", "d", "m")}
    if "across" in asks:
        dims["m"] += dims["d"] + 1  # wide enough for something to be across
    draw = seed_of(sample)
    if "orthonormal" in asks:
        rank = sample.draw(st.integers(1, min(dims["n"], dims["d"])), "r")
        exact = sample.holds("orthonormal")
        left, right = (v.columns(run, draw, dims[k], rank, exact) for k in ("d", "n"))
        middle = draw.normal(rank, rank)
        middle = run.fresh((middle + middle.T) / 2)
        found: v.Table = {U: left, V: right, Sigma: middle, X: left @ middle @ right.T}
    else:
        found = {X: draw.normal(dims["d"], dims["n"])}
    found |= {Y: draw.normal(dims["n"]), A: draw.normal(dims["m"])}
    found |= {W: draw.normal(dims["m"], dims["d"])}
    found |= {eta: v.number(sample, "64 eta", 1, 16, 64)}
    found |= {lam: v.number(sample, "16 lambda", 0, 8, 16)}
    return found


def mean_square(t: v.Table, a: Tensor, weight: Tensor) -> Tensor:
    """The training loss of the full network."""
    scale = torch.tensor(float(len(a)), dtype=torch.float64).sqrt()
    residual = a @ (weight @ t[X]) / scale - t[Y]
    value: Tensor = (residual * residual).sum() / len(t[Y])
    return value


def simulate_network(sample: Sample) -> None:
    """Gradient descent on all weights, three steps, and the Gram matrices after each."""
    descend(sample)


def simulate_span(sample: Sample) -> None:
    """The same, on the span of the data."""
    descend(sample, "orthonormal")


def descend(sample: Sample, *asks: str) -> None:
    """Steps of the full network."""
    with RunningError() as run:
        t = weights(sample, run, asks)
        for _ in range(sample.draw(st.integers(1, 3), "steps")):
            after = v.descent(partial(mean_square, t), (t[A], t[W]), t[eta], t[lam])
            t |= dict(zip((A_next, W_next), after, strict=True))
            sample.observe(network_table(run, t, "orthonormal" in asks))
            # the next step starts from these numbers as they are
            t |= {A: run.fresh(t[A_next]), W: run.fresh(t[W_next])}


def network_table(run: RunningError, t: v.Table, span: bool) -> v.Table:
    """Every letter at the weights and after the step."""
    root = torch.tensor(float(len(t[A])), dtype=torch.float64).sqrt()
    slope = (t[A] @ t[W]) / root

    def of_slope(x: Tensor) -> Tensor:
        residual = x @ t[X] - t[Y]
        value: Tensor = (residual * residual).sum() / len(t[Y])
        return value

    found = {k: t[k] for k in (X, Y, A, W, A_next, W_next)}
    found |= {
        loss: mean_square(t, t[A], t[W]),
        N: (t[A] * t[A]).sum(),
        N_next: (t[A_next] * t[A_next]).sum(),
        p: t[A] @ t[W],
        p_next: t[A_next] @ t[W_next],
        S: t[W].T @ t[W],
        S_next: t[W_next].T @ t[W_next],
        u: t[eta] / root * gradient(of_slope, slope),
    }
    if span:
        turn = t[U]
        found |= {U: t[U], V: t[V], Sigma: t[Sigma], z: t[V].T @ t[Y]}
        found |= {p_r: turn.T @ found[p], p_r_next: turn.T @ found[p_next]}
        found |= {S_r: turn.T @ found[S] @ turn, S_r_next: turn.T @ found[S_next] @ turn}
        found |= {u_r: turn.T @ found[u]}
    numbers = {n: len(t[Y]), width: len(t[A]), eta: float(t[eta]), lam: float(t[lam])}
    return {**numbers, **{k: known(run, x) for k, x in found.items()}}


def simulate_curvature(sample: Sample) -> None:
    """Hessian-vector products of the full network."""
    with RunningError() as run:
        t = weights(sample, run, ("across",))
        t |= {A: run.fresh(t[A]), W: run.fresh(t[W])}
        draw = seed_of(sample, "directions")
        d = len(t[X])
        t |= {alpha: draw.normal(1)[0], s_w: draw.normal(d), t_w: draw.normal(d)}
        t |= {R: draw.normal(d, d), c: draw.normal(d)}
        free = draw.normal(len(t[A]))
        if sample.holds("across"):
            across = complement(run, torch.cat([t[A][:, None], t[W]], 1))
            free = across * v.number(sample, "8 |b|", 1, 20, 8)
        along = (t[alpha] * t[A] + t[W] @ t[s_w], torch.outer(t[A], t[t_w]) + t[W] @ t[R])
        found = {k: t[k] for k in (X, Y, A, W, alpha, s_w, t_w, R, c)}
        found |= {
            b: free,
            N: (t[A] * t[A]).sum(),
            p: t[A] @ t[W],
            S: t[W].T @ t[W],
            q: t[X] @ (t[A] @ (t[W] @ t[X]) / torch.tensor(float(len(t[A]))).double().sqrt()
                       - t[Y]),
            inside: twice(t, along),
            outside: twice(t, (free, torch.outer(free, t[c]))),
        }  # fmt: skip
        numbers = {n: len(t[Y]), width: len(t[A])}
        sample.observe({**numbers, **{k: known(run, x) for k, x in found.items()}})


def complement(run: RunningError, taken: Tensor) -> Tensor:
    """A unit vector that no column of ``taken`` reaches; there are more rows than columns."""
    with torch._C._DisableTorchDispatch():
        found = torch.linalg.qr(taken.detach().clone(), mode="complete")[0][:, -1].clone()
    # its product with each column is below the backward error of the factorisation
    return run.declare(run.fresh(found), 512 * len(taken) * v.UNIT)


def twice(t: v.Table, along: tuple[Tensor, Tensor]) -> Tensor:
    """The second derivative of the loss along a direction, by autograd twice."""
    leaves = tuple(x.detach().clone().requires_grad_(True) for x in (t[A], t[W]))
    slopes = torch.autograd.grad(mean_square(t, *leaves), leaves, create_graph=True)
    first = (slopes[0] * along[0]).sum() + (slopes[1] * along[1]).sum()
    second = torch.autograd.grad(first, leaves)
    return (second[0] * along[0]).sum() + (second[1] * along[1]).sum()


ORTHONORMAL = {"orthonormal": "the columns of U and of V are orthonormal"}
ACROSS = {"across": "A^T b = 0 and W^T b = 0"}

CLAIMS = [
    Claim("engine/two-layer.step", network, derive=derive_network, simulate=simulate_network),
    Claim(
        "engine/two-layer.span",
        in_span,
        hypotheses=ORTHONORMAL,
        derive=derive_span,
        simulate=simulate_span,
    ),
    Claim(
        "engine/two-layer.hessian",
        curvature,
        hypotheses=ACROSS,
        derive=derive_curvature,
        simulate=simulate_curvature,
    ),
]
