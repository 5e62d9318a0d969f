r"""The two-layer linear network at its symmetric start.

Setting:  a_{q+m/2} = -a_q = +-1, w_{q+m/2} = w_q, sum_{q <= m/2} w_q w_q^T = (m/2d) I.
Claims:   outputs, W^T W, output norm, Gamma and sharpness at time 0, the learning rate (5).
Source:   Li, Wang, Li, arXiv:2207.12678, appendix C.1, first lines of the proof of Lemma E.11.

The two halves of the neurons are told apart by E_1 and E_2 of shape (m/2, m), which pick them:
A = E_1^T s - E_2^T s and W = E_1^T H + E_2^T H.  Rows of H with sum_q w_q w_q^T = (m/2d) I exist
only if m/2 >= d, which the paper leaves unsaid (its widths are far larger).
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import torch
from hypothesis import strategies as st

from eostheory.agree import Measured
from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Inequality,
    as_expr,
    dot,
    eye,
    matrix,
    norm2,
    scalar,
    sqrt,
    vector,
)
from eostheory.numeric.rounding import RunningError

from ._linear_net import (
    A_0,
    W_0,
    Gamma,
    K,
    M,
    W,
    X,
    a,
    b,
    d,
    eta,
    gram,
    gram_matrix,
    hidden_deviation,
    lam1,
    n,
    output,
    v1,
    width,
)
from ._linear_runs import UNIT, draw_data, draw_network, draw_rate, known, seed_of, table
from .linear_kernel import later

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.symbolic import Model

# --------------------------------------------------------------------------------------- letters
F_0 = vector("F_0", "n", r"\mathbf F(0)")
Gamma_0 = matrix("Gamma_0", "n", "n", r"\boldsymbol\Gamma(0)", symmetric=True)
Lambda_0 = scalar("Lambda_0", r"\Lambda(0)")
first = matrix("E_1", "m/2", "m", r"\mathbf E_1")
second = matrix("E_2", "m/2", "m", r"\mathbf E_2")
signs = vector("s", "m/2", r"\mathbf s")
rows = matrix("H", "m/2", "d", r"\mathbf H")
e_q = vector("e_q", "m/2", r"\mathbf e_q")
a_q = scalar("a_q")
a_twin = scalar("a_twin", "a_{q+m/2}")
frame = matrix("Q", "m/2", "d", r"\mathbf Q")

# ------------------------------------------------------------------------------------ statements
zero = as_expr(0)
outer_start = {"signs": Equation(a_q**2, as_expr(1)), "antisymmetric": Equation(a_twin, -a_q)}
hidden_start = {
    "isotropic": Equation((first @ W_0).T @ (first @ W_0), width / (2 * d) * eye("d")),
    "duplicated": Equation(second @ W_0, first @ W_0),
}
at_start = {
    "outputs": Equation(dot(F_0, a), zero),
    "hidden weights": Equation(W_0.T @ W_0, width / d * eye("d")),
    "output weights": Equation(norm2(A_0), width),
}
no_Gamma = Equation(dot(a, Gamma_0 @ b), zero)
start_sharpness = Equation(Lambda_0, width * lam1 * (d + 1) / d * (2 / (width * n)))
rate_bound = Inequality(eta, "<", n * d / ((d + 1) * lam1))
hidden_part = {
    "start": Equation(X.T @ W_0.T @ W_0 @ X, width / d * K),
    "later": Equation(X.T @ W.T @ W @ X, width * n / 2 * Gamma + width / d * K),
}


# ----------------------------------------------------------------------------------- derivations
def symmetric_start(m: Model) -> None:
    """The symmetric initialisation; halves of the neurons are disjoint and together all."""
    for half in (first, second):
        m.relation(half @ half.T, eye("m/2"), by="halves")
    m.relation(first @ second.T, 0 * eye("m/2"), by="halves")
    m.relation(norm2(signs), width / 2, by="signs")
    m.relation(rows.T @ rows, width / (2 * d) * eye("d"), by="isotropic")
    m.define(A_0, first.T @ signs - second.T @ signs)
    m.define(W_0, first.T @ rows + second.T @ rows)
    m.example(example)


def example() -> dict[object, object]:
    """Four neurons, two inputs, two samples."""
    return {
        n: 2, width: 4, d: 2, eta: Fraction(1, 8), lam1: 4,
        first: ((1, 0, 0, 0), (0, 1, 0, 0)), second: ((0, 0, 1, 0), (0, 0, 0, 1)),
        signs: (1, -1), rows: ((1, 0), (0, 1)), X: ((2, 0), (0, 1)), v1: (1, 0),
    }  # fmt: skip


def derive_outer(m: Model) -> None:
    """The entries of one neuron and its twin."""
    symmetric_start(m)
    m.relation(dot(e_q, signs) ** 2, as_expr(1), by="signs")
    m.define(a_q, dot(e_q, first @ A_0))
    m.define(a_twin, dot(e_q, second @ A_0))


def derive_rows(m: Model) -> None:
    """Rows from d orthonormal columns, which exist when there are at least d pairs of neurons."""
    for half in (first, second):
        m.relation(half @ half.T, eye("m/2"), by="halves")
    m.relation(first @ second.T, 0 * eye("m/2"), by="halves")
    m.relation(frame.T @ frame, eye("d"), by="wide")
    m.define(rows, sqrt(width / (2 * d)) * frame)
    m.define(W_0, first.T @ rows + second.T @ rows)


def derive_start(m: Model) -> None:
    """Outputs and Gamma of the initial weights."""
    symmetric_start(m)
    m.define(F_0, output(A_0, W_0))
    m.define(Gamma_0, hidden_deviation(W_0))


def derive_sharpness(m: Model) -> None:
    """The eigenvalue of the initial Gram matrix at v_1: a positive multiple keeps the order."""
    symmetric_start(m)
    m.relation(K @ v1, lam1 * v1, by="eigenvector")
    m.relation(norm2(v1), 1, by="unit eigenvector")
    start = gram_matrix(A_0, W_0)
    factor = dot(v1, start @ v1) / lam1
    multiple = m.decide(Equation(start, factor * K)).outcome == "holds"
    if multiple and m.decide(Inequality(factor, ">", zero)).outcome == "holds":
        m.step("M(0) is a positive multiple of X^T X, so that v_1 is its top eigenvector")
        m.define(Lambda_0, factor * lam1)
    m.uses("li22/eq-8")


def derive_rate(m: Model) -> None:
    """Learning rates that put the initial sharpness below 2/eta."""
    derive_sharpness(m)
    m.assume(Inequality(Lambda_0, "<", 2 / eta), by="below the edge")


def derive_hidden(m: Model) -> None:
    """Gamma by its definition, at any time."""
    derive_start(m)
    gram(m, following=False)
    m.uses("li22/eq-10.b")


# ----------------------------------------------------------------------------------- simulations
def at_time_0(sample: Sample) -> None:
    """The real network with symmetric weights, and the sharpness from its spectrum."""
    observe_start(sample, 0.05, 0.95)


def at_a_rate(sample: Sample) -> None:
    """The same with rates below or above the bound (5) by a factor, often close to it."""
    off = 10.0 ** -sample.draw(st.integers(1, 5), "distance")
    if sample.holds("below the edge"):
        observe_start(sample, 1 - off, 1 - off)
    else:
        observe_start(sample, 1 + off, 1 + off)


def observe_start(sample: Sample, low: float, high: float) -> None:
    """Symmetric weights and a rate between multiples of the bound (5)."""
    with RunningError() as run:
        data = draw_data(sample, run)
        net = draw_network(sample, run, data, symmetric=True)
        rate = draw_rate(sample, data, low, high)
        measured = table(run, net, rate)
        half = len(net.A) // 2
        pick = np.eye(2 * half)
        ratio = torch.tensor(2.0 * len(data.X), dtype=torch.float64) / len(net.A)
        at = int(seed_of(sample, "which").uniform(0, half, 1))
        sharpness = largest(measured[M])
        found = {A_0: net.A, W_0: net.W, F_0: net.F, signs: net.A[:half], rows: net.W[:half]}
        found |= {a_q: net.A[at], a_twin: net.A[at + half]}
        found[frame] = net.W[:half] * ratio.sqrt()
        measured |= {symbol: known(run, value) for symbol, value in found.items()}
    measured[Gamma_0] = measured[Gamma]
    random = seed_of(sample, "any vectors")
    measured |= {a: random.normal(len(data.Y)), b: random.normal(len(data.Y))}
    measured |= {first: pick[:half], second: pick[half:], e_q: np.eye(half)[at]}
    sample.observe({**measured, Lambda_0: sharpness})


def largest(matrix: Measured) -> Measured:
    """The largest eigenvalue of a measured symmetric matrix (Weyl's bound)."""
    table = np.asarray(matrix.value)
    values = np.linalg.eigvalsh((table + table.T) / 2)
    own = 16 * len(table) * UNIT * float(np.abs(values).max())
    return Measured(float(values[-1]), own + float(np.linalg.norm(np.asarray(matrix.error))))


START = {
    "signs": "a_q = +-1",
    "isotropic": "the squares of the rows of half of the neurons add up to (m/2d) I",
}
EIGEN = {"eigenvector": "v_1 is an eigenvector of X^T X", "unit eigenvector": "|v_1| = 1"}
WIDE = {"wide": "m >= 2 d: fewer than d rows cannot have a multiple of I_d as sum of squares"}
HALVES = "E_1 and E_2 pick the first and the second half of the neurons."

SPECIAL = "a consequence: a special pair of vectors"
VANISHES = "A vector or matrix is zero if its products with all vectors are."

CLAIMS = [
    Claim(
        "li22/eq-C.init.1",
        outer_start,
        hypotheses={"signs": START["signs"]},
        derive=derive_outer,
        simulate=at_time_0,
        reading=HALVES,
    ),
    Claim(
        "li22/eq-C.init.2",
        hidden_start,
        hypotheses=WIDE,
        derive=derive_rows,
        simulate=at_time_0,
        reading=HALVES + " Such rows exist when there are at least d of them in each half.",
    ),
    Claim(
        "li22/formula-C.init.F0",
        at_start,
        hypotheses=START,
        derive=derive_start,
        simulate=at_time_0,
        reading=VANISHES,
        waive={"*a -> F_0": "a consequence: F(0) = 0"},
    ),
    Claim(
        "li22/formula-C.Lambda0",
        start_sharpness,
        hypotheses=START | EIGEN,
        derive=derive_sharpness,
        simulate=at_time_0,
    ),
    Claim(
        "li22/eq-5",
        rate_bound,
        hypotheses=START | EIGEN | {"below the edge": "Lambda(0) < 2/eta"},
        derive=derive_rate,
        simulate=at_a_rate,
    ),
    Claim(
        "li22/claim-C.Gamma0",
        no_Gamma,
        hypotheses={"isotropic": START["isotropic"]},
        derive=derive_start,
        simulate=at_time_0,
        reading=VANISHES,
        waive={"*a -> b": SPECIAL, "*b -> a": SPECIAL},
    ),
    Claim(
        "li22/lemma-E.11.p0",
        hidden_part,
        hypotheses={"isotropic": START["isotropic"]},
        derive=derive_hidden,
        simulate=later(),
        reading="Printed 'W^T W is initialized as (m/d) X^T X', of which the shapes differ; meant "
        "is X^T W^T W X, as in the formula that follows.",
    ),
]
