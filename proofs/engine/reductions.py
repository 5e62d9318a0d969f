r"""Variables in which gradient descent closes.

Setting:  gradient descent with weight decay, w' = (1 - eta lambda) w - eta grad L(w), for models
          of any size.
Claims:   a two-layer linear network moves in (|A|^2, W^T A, W^T W), and in the span of the data
          alone; what its Hessian is there; linear regression with batch normalisation moves in
          rotated coordinates, each by its own number, and its Hessian; a scale-invariant loss in
          direction and norm; the toy of damian23 without z; the 3-D loss of lyu22 in two
          coordinates; a quadratic in each eigenvector.

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
    vector,
)
from eostheory.numeric.autodiff import gradient
from eostheory.numeric.rounding import RunningError

from . import _reductions as v
from ._reductions import (
    A,
    A_next,
    B,
    N,
    N_next,
    P,
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
    Z,
    bend,
    beta,
    beta_next,
    e,
    epsilon,
    eta,
    gamma,
    gamma_next,
    h,
    keep,
    known,
    lam,
    loss,
    mu,
    n,
    null,
    null_next,
    one,
    p,
    p_next,
    p_r,
    p_r_next,
    q,
    rest,
    s,
    s_next,
    seed_of,
    seen,
    u,
    u_r,
    w,
    w_next,
    way,
    width,
    y,
    y_mean,
    z,
)

if TYPE_CHECKING:
    from torch import Tensor

    from eostheory.agree import Sample
    from eostheory.formula import Expr
    from eostheory.symbolic import Model


# ------------------------------------------------------------------------- two-layer network
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
        from eostheory.formula import substitute

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


# ------------------------------------------------------------------------ batch normalisation
length = sqrt(norm2(s) + epsilon)
normalised = {
    "loss": Equation(loss, norm2(gamma / length * s - e) + rest),
    "s": Equation(
        s_next,
        keep * s
        + 2 * eta * gamma / length * (Sigma @ (Sigma @ (e - dot(e, s) / length**2 * s)))
        - 2 * eta * gamma**2 * epsilon / length**4 * (Sigma @ (Sigma @ s)),
    ),
    "null": Equation(null_next, keep * null),
    "coordinates": Equation(s, Sigma @ seen),
    "norm": Equation(norm2(w), norm2(seen) + norm2(null)),
}
normalised_bend = Equation(
    bend,
    2
    * gamma
    * (
        2 * dot(e, h) * dot(s, h) / length**3
        + dot(e, s) * norm2(h) / length**3
        - 3 * dot(e, s) * dot(s, h) ** 2 / length**5
    )
    + 2 * gamma**2 * epsilon * (norm2(h) / length**4 - 4 * dot(s, h) ** 2 / length**6),
)


trained = {
    "loss": Equation(loss, norm2(gamma / length * s - e) + (beta - y_mean) ** 2 + rest),
    "s": normalised["s"],
    "null": normalised["null"],
    "gamma": Equation(
        gamma_next,
        keep * gamma - 2 * eta * (gamma * norm2(s) / length**2 - dot(e, s) / length),
    ),
    "beta": Equation(beta_next, keep * beta - 2 * eta * (beta - y_mean)),
}


def derive_normalised(m: Model) -> None:
    """Data by their singular values; the step from the loss, rotated."""
    m.define(loss, v.normalised(m))
    v.rotated(m)
    m.define(w_next, keep * w - eta * m.gradient(loss, w))
    m.step("a step of gradient descent with weight decay, rotated")
    m.define(s_next, Sigma @ (B.T @ w_next))
    m.define(null_next, v.across(w_next))


def derive_trained(m: Model) -> None:
    """The same with gradients in gamma and beta; the targets by their mean."""
    m.define(loss, v.normalised(m))
    m.define(y_mean, dot(one, y) / n)
    v.rotated(m, y_mean)
    m.define(w_next, keep * w - eta * m.gradient(loss, w))
    m.define(gamma_next, keep * gamma - eta * m.differentiate(loss, gamma, as_expr(1)))
    m.define(beta_next, keep * beta - eta * m.differentiate(loss, beta, as_expr(1)))
    m.step("a step of gradient descent with weight decay on all of them, rotated")
    m.define(s_next, Sigma @ (B.T @ w_next))
    m.define(null_next, v.across(w_next))


def derive_bend(m: Model) -> None:
    """The loss differentiated twice along a direction."""
    m.define(loss, v.normalised(m))
    v.rotated(m)
    m.define(h, Sigma @ (B.T @ way))
    m.define(bend, m.differentiate(m.differentiate(loss, w, way), w, way))


def normalised_data(sample: Sample, run: RunningError, least: int = 1) -> v.Table:
    """Data of at least some rank with orthonormal factors, a weight, and some constants."""
    most = 5 if sample.profile == "quick" else 9
    count = sample.draw(st.integers(least + 1, most), "n")
    dim = sample.draw(st.integers(least, most), "d")
    rank = sample.draw(st.integers(least, min(count - 1, dim)), "r")
    draw = seed_of(sample)
    exact = sample.holds("orthonormal")
    ones = torch.ones(count, dtype=torch.float64)
    entries = draw.normal(count, rank)
    if sample.holds("centred"):
        entries = entries - entries.sum(0) / count
    left = v.columns_of(run, entries, exact)
    right = v.columns(run, draw, dim, rank, exact)
    middle = draw.normal(rank, rank)
    middle = run.fresh((middle + middle.T) / 2)
    root = torch.tensor(float(count), dtype=torch.float64).sqrt()
    shift = draw.normal(dim)
    return {
        one: ones,
        P: left,
        B: right,
        Sigma: middle,
        mu: shift,
        Z: root * (left @ middle @ right.T) + torch.outer(ones, shift),
        y: draw.normal(count),
        w: draw.normal(dim),
        gamma: v.number(sample, "8 gamma", 1, 16, 8),
        epsilon: v.number(sample, "8 epsilon", 0, 8, 8),
        beta: v.number(sample, "8 beta", -8, 8, 8),
        eta: v.number(sample, "64 eta", 1, 32, 64),
        lam: v.number(sample, "16 lambda", 0, 8, 16),
    }


def batch_norm_loss(
    t: v.Table, weight: Tensor, scale: Tensor | None = None, shift: Tensor | None = None
) -> Tensor:
    """The mean squared error of the normalised scores."""
    scale, shift = t[gamma] if scale is None else scale, t[beta] if shift is None else shift
    scores = t[Z] @ weight
    count = len(scores)
    centred = scores - scores.sum() / count
    deviation = ((centred * centred).sum() / count + t[epsilon]).sqrt()
    error = scale * centred / deviation + shift - t[y]
    value: Tensor = (error * error).sum() / count
    return value


def normalised_table(
    run: RunningError, t: v.Table, found: v.Table, shift: Tensor | None = None
) -> v.Table:
    """The letters of the data and of the weight's coordinates, with what was found."""
    root = torch.tensor(float(len(t[y])), dtype=torch.float64).sqrt()
    goal = (t[y] - (t[beta] if shift is None else shift)) / root
    aim = t[P].T @ goal
    missed = goal - t[P] @ aim
    seen_now = t[B].T @ t[w]
    table = {k: t[k] for k in (one, P, B, Sigma, mu, Z, y, w)}
    table |= {
        loss: batch_norm_loss(t, t[w]),
        s: t[Sigma] @ seen_now,
        seen: seen_now,
        null: t[w] - t[B] @ seen_now,
        e: aim,
        rest: (missed * missed).sum(),
        **found,
    }
    numbers = {n: len(t[y]), **{k: float(t[k]) for k in (gamma, beta, epsilon, eta, lam)}}
    return {**numbers, **{k: known(run, x) for k, x in table.items()}}


def simulate_normalised(sample: Sample) -> None:
    """Gradient descent with weight decay on the weight itself, by autograd."""
    with RunningError() as run:
        t = normalised_data(sample, run)
        for _ in range(sample.draw(st.integers(1, 3), "steps")):
            (after,) = v.descent(partial(batch_norm_loss, t), (t[w],), t[eta], t[lam])
            seen_after = t[B].T @ after
            found = {
                w_next: after,
                s_next: t[Sigma] @ seen_after,
                null_next: after - t[B] @ seen_after,
            }
            sample.observe(normalised_table(run, t, found))
            t[w] = run.fresh(after)


def simulate_trained(sample: Sample) -> None:
    """Gradient descent with weight decay on weight, gamma and beta, by autograd."""
    with RunningError() as run:
        t = normalised_data(sample, run)
        centre = t[y].sum() / len(t[y])
        for _ in range(sample.draw(st.integers(1, 3), "steps")):
            now = (t[w], t[gamma], t[beta])
            after = v.descent(partial(batch_norm_loss, t), now, t[eta], t[lam])
            seen_after = t[B].T @ after[0]
            found = {
                y_mean: centre,
                w_next: after[0],
                s_next: t[Sigma] @ seen_after,
                null_next: after[0] - t[B] @ seen_after,
                gamma_next: after[1],
                beta_next: after[2],
            }
            sample.observe(normalised_table(run, t, found, centre))
            t |= dict(zip((w, gamma, beta), map(run.fresh, after), strict=True))


def simulate_bend(sample: Sample) -> None:
    """The second derivative along a direction, by autograd twice."""
    with RunningError() as run:
        t = normalised_data(sample, run, least=2)  # in one dimension nothing bends
        along = seed_of(sample, "direction").normal(len(t[w]))
        leaf = t[w].detach().clone().requires_grad_(True)
        (slope,) = torch.autograd.grad(batch_norm_loss(t, leaf), leaf, create_graph=True)
        (second,) = torch.autograd.grad((slope * along).sum(), leaf)
        found = {way: along, h: t[Sigma] @ (t[B].T @ along), bend: (second * along).sum()}
        sample.observe(normalised_table(run, t, found))


# -------------------------------------------------------------------------------------- claims
ORTHONORMAL = {"orthonormal": "the columns of U and of V are orthonormal"}
CENTRED = {"centred": "P^T 1 = 0"}
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
    Claim(
        "engine/batch-norm.step",
        normalised,
        hypotheses=ORTHONORMAL | CENTRED,
        derive=derive_normalised,
        simulate=simulate_normalised,
    ),
    Claim(
        "engine/batch-norm.affine",
        trained,
        hypotheses=ORTHONORMAL | CENTRED,
        derive=derive_trained,
        simulate=simulate_trained,
    ),
    Claim(
        "engine/batch-norm.hessian",
        normalised_bend,
        hypotheses=ORTHONORMAL,
        derive=derive_bend,
        simulate=simulate_bend,
    ),
]
