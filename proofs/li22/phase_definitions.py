r"""Two definitions of section 3, and the data Gram matrix of centred samples.

Setting:  f(x) = A^T h(W, x); F(0) = 0; X_c = X - (mean) 1^T.
Claims:   the read-out, the vanishing start, lambda_min(X_c^T X_c) = 0.
Source:   Li, Wang, Li, arXiv:2207.12678, sections 3.2 and 3.3.2, appendix D.2.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from hypothesis import strategies as st

from eostheory.agree import Measured
from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Inequality,
    as_expr,
    dot,
    matrix,
    norm2,
    outer,
    scalar,
    vector,
)

from ._linear_runs import seed_of
from ._phase import A, Y, n, zero
from .output_norm import f_x, h_x, read_out

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.symbolic import Model

X = matrix("X", "d", "n", r"\mathbf X")
ones = vector("ones", "n", r"\mathbf 1")
F_0, D_0 = vector("F_0", "n", r"\mathbf F(0)"), vector("D_0", "n", r"\mathbf D(0)")
least = scalar("lambda_min", r"\lambda_{\min}(\mathbf X_c^\top\mathbf X_c)")

starts = {"F(0)": Equation(F_0, as_expr(0) * Y), "D(0)": Equation(D_0, -Y)}
singular = Equation(least, zero)


def derive_read_out(m: Model) -> None:
    """The last layer is linear in the features: its output is sum_q a_q h_q."""
    m.define(f_x, dot(h_x, A))


def derive_start(m: Model) -> None:
    """Outputs that vanish."""
    m.define(F_0, as_expr(0) * Y)
    m.define(D_0, F_0 - Y)


def derive_singular(m: Model) -> None:
    """The quadratic form of X_c^T X_c is never negative, and vanishes on the vector of ones."""
    m.relation(norm2(ones), n, by="ones")
    centred = X - outer(X @ ones, ones) / n
    u = vector("u", "n")
    if m.decide(Inequality(norm2(centred @ u), ">=", zero)).outcome != "holds":
        raise ArithmeticError("the quadratic form is negative")
    m.step("the least value of |X_c u|^2/|u|^2 is attained at u = 1, where it is 0")
    m.define(least, norm2(centred @ ones) / norm2(ones))


def simulate_singular(sample: Sample) -> None:
    """The smallest eigenvalue of the Gram matrix of drawn samples less their mean."""
    count, inputs = sample.draw(st.integers(1, 6), "n"), sample.draw(st.integers(1, 6), "d")
    data = seed_of(sample).normal(inputs, count)
    centred = data - data.mean(1, keepdim=True)
    gram = centred.T @ centred
    size = float(gram.abs().sum()) + 1.0
    # backward error of the eigensolver, and rounding of the matrix
    found = float(torch.linalg.eigvalsh(gram)[0])
    sample.observe({least: Measured(found, 64 * (count + inputs) * 2.0**-53 * size)})


CLAIMS = [
    Claim("li22/def-3.2.net", read_out, derive=derive_read_out),
    Claim(
        "li22/claim-3.3.F0",
        starts,
        derive=derive_start,
        waive={
            f"F(0):left F_0 {change}": "true: a multiple of 0"
            for change in ("x2", "x1/2", "x1.001", "sign")
        },
    ),
    Claim(
        "li22/remark-D.mean",
        singular,
        hypotheses={"ones": "1 is the vector of n ones"},
        derive=derive_singular,
        simulate=simulate_singular,
    ),
]
