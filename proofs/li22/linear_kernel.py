r"""The two-layer linear network on the kernel of the data's Gram matrix.

Setting:  labels that some weights A*, W* realise; any weights, so those of every iteration.
Claims:   which labels some weights realise; labels and residual are orthogonal to every u with
          X^T X u = 0 (Lemma E.10), so that gradient descent stays in the range of X^T X.
Source:   Li, Wang, Li, arXiv:2207.12678, appendix C.1 and Lemma E.10.

The factor 1/sqrt(m) that Y^T = A*^T W* X lacks beside the model is absorbed in A*, W*.
F(0) = 0, which the paper's proof uses, is not needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from hypothesis import strategies as st

from eostheory.claims import Claim
from eostheory.formula import Equation, as_expr, dot, matrix, norm2, outer, vector
from eostheory.numeric.rounding import RunningError

from ._linear_net import (
    W_0,
    A,
    D,
    K,
    M,
    M_star,
    W,
    X,
    Y,
    a,
    d,
    eta,
    gram_from_jacobian,
    n,
    network,
    output,
    u,
    width,
)
from ._linear_runs import draw_data, draw_network, draw_rate, known, seed_of, table

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.formula import Expr
    from eostheory.symbolic import Model

zero = as_expr(0)
A_star = vector("A_target", "k", r"\mathbf A^*")
neuron = vector("neuron", "k", r"\mathbf e")
slope = vector("slope", "d", r"\mathbf b")
W_star = matrix("W_target", "k", "d", r"\mathbf W^*")
in_range = Equation(dot(D, u), zero)
realised = Equation(Y, X.T @ W_star.T @ A_star)
orthogonal = {"labels": Equation(dot(Y, u), zero), "residual": in_range}
on_kernel = {
    "M*": Equation(dot(a, M_star @ u), zero),
    "M": Equation(dot(a, M @ u), zero),
    "printed": Equation(M, 2 / (width * n) * (norm2(A) * K + X.T @ W.T @ W @ X)),
}


# ------------------------------------------------------------------------------- derivations
def kernel(m: Model) -> None:
    """A vector that X^T X kills is killed by X."""
    m.relation(K @ u, 0 * u, by="kernel")
    if m.decide(Equation(norm2(X @ u), zero)).outcome == "holds":
        m.step("|X u|^2 = u^T X^T X u = 0")
        m.relation(X @ u, 0 * (W.T @ A), by="kernel")
    plane = {X: ((1, 0), (0, 0)) if "kernel" not in m.withheld else ((1, 0), (0, 1)), u: (0, 1)}
    m.example({n: 2, width: 1, d: 2, eta: 1, A: (1,), W: ((1, 2),), **plane, **labels(m)})


def labels(m: Model) -> dict[Expr, object]:
    """Labels for the example: realised by one neuron, or by nothing."""
    return {A_star: (1,), W_star: ((1, 1),), Y: (1, int("realizable" in m.withheld))}


def derive_realised(m: Model) -> None:
    """One neuron with output weight 1 realises every linear function of the inputs."""
    m.relation(norm2(neuron), 1, by="one neuron")
    m.relation(Y, X.T @ slope, by="labels in the range")
    m.define(A_star, neuron)
    m.define(W_star, outer(neuron, slope))


def derive_kernel(m: Model) -> None:
    """Labels that the model class realises, and any weights: so at every iteration."""
    m.relation(Y, X.T @ W_star.T @ A_star, by="realizable")
    network(m)
    kernel(m)


def derive_on_kernel(m: Model) -> None:
    """M from the Jacobian and M* on the kernel."""
    network(m)
    m.define(M, gram_from_jacobian(m))
    m.define(M_star, M - 4 * eta / (n**2 * width) * dot(D, output(A, W)) * K)
    kernel(m)
    m.uses("li22/eq-10.a")


# ------------------------------------------------------------------------------- simulation
def later(*asks: str) -> Callable[[Sample], None]:
    """Steps of the real network from the symmetric start, beside a vector of the kernel."""

    def simulate(sample: Sample) -> None:
        with RunningError() as run:
            ours = "realizable" not in asks or sample.holds("realizable")
            data = draw_data(sample, run, realizable=ours)
            net = start = draw_network(sample, run, data, symmetric=True)
            rate = draw_rate(sample, data)
            for _ in range(sample.draw(st.integers(0, 3), "t")):
                net = net.step(rate)
            free, any_vector = (seed_of(sample, x).normal(len(data.Y)) for x in ("kernel", "any"))
            if "kernel" not in asks or sample.holds("kernel"):
                free = free - data.V @ (data.V.T @ free)
            measured = {**table(run, net, rate), u: known(run, free), W_0: known(run, start.W)}
        sample.observe({**measured, a: any_vector})

    return simulate


def realising(sample: Sample) -> None:
    """Weights that fit the labels best, spread over some neurons."""
    with RunningError() as run:
        data = draw_data(sample, run, realizable=sample.holds("labels in the range"))
        best = data.X @ (data.V @ ((data.V.T @ data.Y) / data.lam))
        free = seed_of(sample, "neurons").normal(sample.draw(st.integers(1, 4), "k"))
        unit = free / torch.dot(free, free).sqrt()
        values = {neuron: unit, slope: best, A_star: unit, W_star: torch.outer(unit, best)}
        measured = {symbol: known(run, value) for symbol, value in values.items()}
        sample.observe({**measured, X: known(run, data.X), Y: known(run, data.Y)})


KERNEL = {"kernel": "X^T X u = 0"}
REALIZABLE = {"realizable": "the labels are realised by some weights A*, W*"}
VANISHES = "A vector is zero if its products with all vectors are."
CONSEQUENCE = "true: M* and M vanish on the kernel, for any pair of vectors of which one is in it"
ON_KERNEL = {f"*:left {x}": CONSEQUENCE for x in ("a -> u", "M -> M_star", "M_star -> M")}

CLAIMS = [
    Claim(
        "li22/eq-C.target",
        realised,
        hypotheses={"labels in the range": "Y lies in the range of X^T"},
        derive=derive_realised,
        simulate=realising,
        reading="What the assumption asks for: it holds if and only if Y lies in the range of X^T.",
    ),
    Claim(
        "li22/claim-C.1.range",
        in_range,
        hypotheses=REALIZABLE | KERNEL,
        derive=derive_kernel,
        simulate=later("realizable", "kernel"),
        reading="The range of a symmetric matrix is what is orthogonal to its kernel.",
    ),
    Claim(
        "li22/lemma-E.10",
        orthogonal,
        hypotheses=REALIZABLE | KERNEL,
        derive=derive_kernel,
        simulate=later("realizable", "kernel"),
        reading="At any weights, hence at every iteration.",
    ),
    Claim(
        "li22/lemma-E.10.p1",
        on_kernel,
        hypotheses=KERNEL,
        derive=derive_on_kernel,
        simulate=later("kernel"),
        reading=VANISHES + " The printed form of M is compared as a matrix, before it meets u.",
        waive=ON_KERNEL,
    ),
]
