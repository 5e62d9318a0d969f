r"""Variables in which gradient descent closes: directions, two toys, eigenvectors.

Setting:  gradient descent with weight decay, w' = (1 - eta lambda) w - eta grad L(w).
Claims:   a scale-invariant loss moves in the direction and the squared norm (lyu22, Lemma 3.1 and
          E.1 together); damian23's toy moves in (x, y) and z drifts; lyu22's 3-D loss is the
          rotated batch normalisation with two coordinates; a quadratic moves in each eigenvector.

The derivation differentiates the loss; the simulation runs autograd on the full model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from hypothesis import strategies as st

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Expr,
    Inequality,
    as_expr,
    dot,
    matrix,
    norm,
    norm2,
    scalar,
    sqrt,
    vector,
)
from eostheory.numeric.autodiff import gradient
from eostheory.numeric.losses import FAMILIES, scale_invariant
from eostheory.numeric.rounding import RunningError
from eostheory.numeric.toys import damian_toy

from . import _reductions as v
from ._reductions import eta, keep, known, lam, loss, seed_of

if TYPE_CHECKING:
    from torch import Tensor

    from eostheory.agree import Sample
    from eostheory.symbolic import Model

# ------------------------------------------------------------------------ direction and norm
w = vector("w", "D", "w_t")
w_next = vector("w_next", "D", "w_{t+1}")
theta = vector("theta", "D", r"\theta_t")
theta_next = vector("theta_next", "D", r"\theta_{t+1}")
slope = vector("grad_theta", "D", r"\nabla L(\theta_t)")
slope_w = vector("grad_w", "D", r"\nabla L(w_t)")
square = scalar("norm_square", "n_t", positive=True)
square_next = scalar("norm_square_next", "n_{t+1}", nonnegative=True)
moved = theta - eta / (keep * square) * slope
sphere = {
    "direction": Equation(theta_next, 1 / norm(moved) * moved),
    "norm": Equation(square_next, keep**2 * square + eta**2 / square * norm2(slope)),
}
INVARIANT = {"scale_invariant": "L(c w) = L(w) for every c > 0"}
SHRINKS = {"decay_below_one": "eta lambda < 1"}


def derive_sphere(m: Model) -> None:
    """The step from a free w and a free gradient, with what scale invariance says of it."""
    m.define(w_next, keep * w - eta * slope_w)
    m.define(theta, 1 / norm(w) * w)
    m.define(theta_next, 1 / norm(w_next) * w_next)
    m.define(square, norm2(w))
    m.define(square_next, norm2(w_next))
    m.uses("lyu22/lemma-D.1")
    m.step("the gradient is orthogonal to w, and homogeneous of degree -1")
    m.relation(dot(slope_w, w), 0, by="scale_invariant")
    m.relation(slope, norm(w) * slope_w, by="scale_invariant")
    m.assume(Inequality(keep, ">", as_expr(0)), by="decay_below_one")
    table: dict[object, object] = {w: (3, 4), eta: 5, slope_w: (4, -3), slope: (20, -15), lam: 0}
    if "scale_invariant" in m.withheld:
        table |= {slope_w: (1, 2), slope: (3, 1)}
    if "decay_below_one" in m.withheld:
        table |= {lam: 1}
    m.example(table)


def simulate_sphere(sample: Sample) -> None:
    """Scale-invariant losses of six families; tilted or over-decayed where the engine asks."""
    family = sample.draw(st.sampled_from(sorted(FAMILIES)), "family")
    dim = sample.draw(st.sampled_from((2, 3, 5, 8)), "D")
    seed = sample.draw(st.integers(0, 10**6), "seed")
    invariant = scale_invariant(family, dim, seed, device="cpu")
    tilt = seed_of(sample, "tilt").normal(dim) * (not sample.holds("scale_invariant"))
    low, high = (0, 8) if sample.holds("decay_below_one") else (20, 30)

    def function(x: Tensor) -> Tensor:
        return invariant(x) + (tilt * x).sum()

    with RunningError() as run:
        rate = v.number(sample, "16 eta", 1, 32, 16)
        decay = v.number(sample, "16 eta lambda", low, high, 16) / rate
        decay = run.fresh(decay)
        point = run.fresh(invariant.point(seed + 1, 2.0 ** sample.draw(st.integers(-1, 2), "size")))
        for _ in range(sample.draw(st.integers(1, 3), "steps")):
            (after,) = v.descent(function, (point,), rate, decay)
            n0, n1 = ((x * x).sum() for x in (point, after))
            here = point / n0.sqrt()
            found = {
                w: point,
                w_next: after,
                theta: here,
                theta_next: after / n1.sqrt(),
                square: n0,
                square_next: n1,
                slope: gradient(function, here),
                slope_w: gradient(function, point),
            }
            numbers = {eta: float(rate), lam: float(decay)}
            sample.observe({**numbers, **{k: known(run, x) for k, x in found.items()}})
            point = run.fresh(after)


# -------------------------------------------------------------------------------------- toys
alpha = scalar("alpha", r"\alpha", positive=True)
beta = scalar("beta", r"\beta", positive=True)
x, y, z, x_next, y_next, z_next = (
    scalar(f"{letter}{end}", f"{letter}_{{{time}}}")
    for end, time in (("", "t"), ("_next", "t+1"))
    for letter in "xyz"
)
toy = {
    "x": Equation(x_next, -(1 + eta * sqrt(beta) * y) * x),
    "y": Equation(y_next, y + eta * (alpha / sqrt(beta) - sqrt(beta) / 2 * x**2)),
    "z": Equation(z_next, z + eta),
}

s_1, s_2 = scalar("s_1"), scalar("s_2")
s_1_next, s_2_next = scalar("s_1_next", "s_{1,t+1}"), scalar("s_2_next", "s_{2,t+1}")
length2 = s_1**2 + s_2**2
example = {
    "loss": Equation(loss, (s_1 / sqrt(length2) - 1) ** 2 + (s_2 / sqrt(length2)) ** 2),
    "first": Equation(s_1_next, keep * s_1 + eta / sqrt(length2) * (1 - s_1**2 / length2)),
    "second": Equation(s_2_next, keep * s_2 - 3 * eta / sqrt(length2) * (s_1 * s_2 / length2)),
    "third": Equation(z_next, keep * z),
}


def derive_toy(m: Model) -> None:
    """The loss of appendix B, differentiated."""
    m.define(loss, (2 / eta + sqrt(beta) * y) * x**2 / 2 - alpha / sqrt(beta) * y - z)
    for before, after in ((x, x_next), (y, y_next), (z, z_next)):
        m.define(after, before - eta * m.differentiate(loss, before, as_expr(1)))


def simulate_toy(sample: Sample) -> None:
    """Three steps on the toy by autograd."""
    with RunningError() as run:
        table = {
            eta: 2.0 ** -sample.draw(st.integers(1, 6), "-log2 eta"),
            alpha: sample.draw(st.integers(1, 16), "8 alpha") / 8,
            beta: sample.draw(st.integers(1, 16), "8 beta") / 8,
        }
        function = damian_toy(table[eta], table[alpha], table[beta])
        point = seed_of(sample).normal(3)
        rate, none = (torch.tensor(r, dtype=torch.float64) for r in (table[eta], 0.0))
        for _ in range(3):
            (after,) = v.descent(function, (point,), rate, none)
            found = dict(zip((x, y, z), point, strict=True))
            found |= dict(zip((x_next, y_next, z_next), after, strict=True))
            sample.observe({**table, **{k: known(run, t) for k, t in found.items()}})
            point = run.fresh(after)


def rotated(first: Expr, second: Expr) -> tuple[Expr, Expr]:
    """The coordinates of the 3-D loss."""
    return (first + second) / 2, sqrt(as_expr(3)) / 2 * (first - second)


def derive_example(m: Model) -> None:
    """The loss of appendix F, differentiated; the rotation put in."""
    m.define(loss, 2 - (x + y) / sqrt(x**2 - x * y + y**2))
    for before, after in ((x, x_next), (y, y_next), (z, z_next)):
        slope_here = m.differentiate(loss, before, as_expr(1))
        m.define(after, keep * before - eta * slope_here)
    for letters, point in (((s_1, s_2), (x, y)), ((s_1_next, s_2_next), (x_next, y_next))):
        for letter, value in zip(letters, rotated(*point), strict=True):
            m.define(letter, value)


def simulate_example(sample: Sample) -> None:
    """Three steps on the 3-D loss by autograd, its coordinates rotated."""

    def function(point: Tensor) -> Tensor:
        a, b, _ = point
        value: Tensor = 2 - (a + b) / (a * a - a * b + b * b).sqrt()
        return value

    with RunningError() as run:
        rate = v.number(sample, "16 eta", 1, 16, 16)
        decay = v.number(sample, "16 lambda", 0, 8, 16)
        point = seed_of(sample).normal(3)
        half = torch.tensor(0.75, dtype=torch.float64).sqrt()
        for _ in range(3):
            (after,) = v.descent(function, (point,), rate, decay)
            found = {loss: function(point)}
            found |= dict(zip((x, y, z), point, strict=True))
            found |= dict(zip((x_next, y_next, z_next), after, strict=True))
            for (first, second), at in (((s_1, s_2), point), ((s_1_next, s_2_next), after)):
                found |= {first: (at[0] + at[1]) / 2, second: half * (at[0] - at[1])}
            numbers = {eta: float(rate), lam: float(decay)}
            sample.observe({**numbers, **{k: known(run, t) for k, t in found.items()}})
            point = run.fresh(after)


# ------------------------------------------------------------------------------ eigenvectors
H = matrix("H", "D", "D", "H", symmetric=True)
b = vector("b", "D", "b")
axis = vector("v", "D", "v")
curvature = scalar("h", "h")
c = scalar("c", "c_t")
c_next = scalar("c_next", "c_{t+1}")
eigen = Equation(c_next, keep * c - eta * (curvature * c - dot(axis, b)))
EIGENVECTOR = {"eigenvector": "H v = h v"}


def derive_eigen(m: Model) -> None:
    """The step from the quadratic, along an eigenvector."""
    m.relation(H @ axis, curvature * axis, by="eigenvector")
    quadratic = dot(w, H @ w) / 2 - dot(b, w)
    m.define(w_next, keep * w - eta * m.gradient(quadratic, w))
    m.define(c, dot(axis, w))
    m.define(c_next, dot(axis, w_next))


def simulate_eigen(sample: Sample) -> None:
    """A matrix made with a wanted eigenvector, and a step by autograd."""
    dim = sample.draw(st.integers(2, 6), "D")
    draw = seed_of(sample)
    with RunningError() as run:
        direction = draw.normal(dim)
        free = draw.normal(dim, dim)
        bends = free + free.T
        top = draw.normal(1)[0]
        if sample.holds("eigenvector"):
            across = torch.eye(dim, dtype=torch.float64)
            across = across - torch.outer(direction, direction) / (direction * direction).sum()
            bends = across @ bends @ across
            bends = bends + top * torch.outer(direction, direction) / (direction**2).sum()
        point, pull = draw.normal(dim), draw.normal(dim)
        rate = v.number(sample, "64 eta", 1, 16, 64)
        decay = v.number(sample, "16 lambda", 0, 8, 16)

        def function(at: Tensor) -> Tensor:
            return (at * (bends @ at)).sum() / 2 - (pull * at).sum()

        (after,) = v.descent(function, (point,), rate, decay)
        found = {
            H: bends,
            b: pull,
            axis: direction,
            curvature: top,
            w: point,
            w_next: after,
            c: (direction * point).sum(),
            c_next: (direction * after).sum(),
        }
        numbers = {eta: float(rate), lam: float(decay)}
        sample.observe({**numbers, **{k: known(run, t) for k, t in found.items()}})


CLAIMS = [
    Claim(
        "engine/scale-invariant.step",
        sphere,
        hypotheses=INVARIANT | SHRINKS,
        derive=derive_sphere,
        simulate=simulate_sphere,
    ),
    Claim("engine/toy.step", toy, derive=derive_toy, simulate=simulate_toy),
    Claim(
        "engine/three-dimensional.step", example, derive=derive_example, simulate=simulate_example
    ),
    Claim(
        "engine/quadratic.step",
        eigen,
        hypotheses=EIGENVECTOR,
        derive=derive_eigen,
        simulate=simulate_eigen,
    ),
]
