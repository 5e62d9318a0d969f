r"""Gradient descent on a quadratic loss.

Setting:  L(w) = w^T H w / 2 in any dimension D.
Claims:   the gradient (eq-1); the change of the loss in one step (lemma-1); the step along an
          eigenvector (lemma-2).
Source:   a paper of yours.

A statement is encoded exactly as printed.  Two witnesses, which see neither the statement nor each
other, give its symbols a meaning; the engine compares all three, and then changes the statement to
see whether both witnesses would have noticed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from hypothesis import strategies as st

from eostheory.agree import Measured
from eostheory.claims import Claim
from eostheory.formula import Equation, dot, matrix, norm2, scalar, vector
from eostheory.numeric.autodiff import gradient, value
from eostheory.numeric.dynamics import gd_step
from eostheory.numeric.rounding import RunningError

if TYPE_CHECKING:
    from torch import Tensor

    from eostheory.agree import Sample
    from eostheory.symbolic import Model

# The letters of the paper.  A dimension is a name ("D": any size) or a number.
w = vector("w", "D")
w_next = vector("w_next", "D", r"w - \eta \nabla L(w)")
g = vector("g", "D")
H = matrix("H", "D", "D", symmetric=True)
eta = scalar("eta", r"\eta", positive=True)
lam = scalar("lambda", r"\lambda")
loss = scalar("loss", "L(w)")
next_loss = scalar("next_loss", r"L(w - \eta g)")

EIGENVECTOR = {"eigenvector": "w is an eigenvector of H with eigenvalue lambda"}


def derive(m: Model) -> None:
    """What the letters are: definitions, and hypotheses by name.  No statement of the paper."""
    half = dot(w, H @ w) / 2
    m.define(loss, half)
    m.define(g, m.gradient(half, w))
    m.define(w_next, w - eta * g)
    m.define(next_loss, dot(w_next, H @ w_next) / 2)
    m.step("The gradient is differentiated from the loss, and the step is put into it.")


def derive_along_eigenvector(m: Model) -> None:
    """The same, and a hypothesis; the engine also withholds it, to see what depends on it."""
    derive(m)
    m.relation(H @ w, lam * w, by="eigenvector")


def simulate(s: Sample) -> None:
    """One drawn instance: run the real thing, and measure the letters with their error bounds."""
    dim = s.draw(st.integers(2, 12), "D")
    rate = s.draw(st.floats(0.01, 1.0), "eta")
    numbers = torch.Generator().manual_seed(s.draw(st.integers(0, 2**31), "seed"))
    entries = torch.randn(dim, dim, generator=numbers, dtype=torch.float64)
    hessian = torch.tril(entries) + torch.tril(entries, -1).T
    run_and_observe(s, hessian, torch.randn(dim, generator=numbers, dtype=torch.float64), rate)


def simulate_along_eigenvector(s: Sample) -> None:
    """An exact eigenvector: the last axis, which a block of zeros keeps apart from the others."""
    dim = s.draw(st.integers(2, 12), "D")
    rate = s.draw(st.floats(0.01, 1.0), "eta")
    numbers = torch.Generator().manual_seed(s.draw(st.integers(0, 2**31), "seed"))
    entries = torch.randn(dim, dim, generator=numbers, dtype=torch.float64)
    hessian = torch.tril(entries) + torch.tril(entries, -1).T
    start = torch.randn(dim, generator=numbers, dtype=torch.float64)
    if s.holds("eigenvector"):  # asked, so that the engine can also draw instances without it
        start[:-1] = 0
        hessian[:-1, -1] = hessian[-1, :-1] = 0
    run_and_observe(s, hessian, start, rate)


def run_and_observe(s: Sample, hessian: Tensor, start: Tensor, rate: float) -> None:
    """One step of gradient descent, with a bound on the rounding error of all that comes out."""

    def function(x: Tensor) -> Tensor:
        return torch.dot(x, hessian @ x) / 2

    with RunningError() as run:
        slope, after = gradient(function, start), gd_step(function, start, rate)
        before_step, after_step = value(function, start), value(function, after)

    def measured(x: Tensor) -> Measured:
        return Measured(x.detach().numpy(), run.error(x).numpy())

    s.observe(
        {
            w: start,
            H: hessian,
            eta: rate,
            lam: hessian[-1, -1],
            g: measured(slope),
            w_next: measured(after),
            loss: measured(before_step),
            next_loss: measured(after_step),
        }
    )


CLAIMS = [
    Claim(
        "PAPER/eq-1",
        Equation(g, H @ w),
        derive=derive,
        simulate=simulate,
    ),
    Claim(
        "PAPER/lemma-1",
        Equation(next_loss, loss - eta * norm2(g) + eta**2 / 2 * dot(g, H @ g)),
        derive=derive,
        simulate=simulate,
    ),
    Claim(
        "PAPER/lemma-2",
        Equation(w_next, (1 - eta * lam) * w),
        hypotheses=EIGENVECTOR,
        derive=derive_along_eigenvector,
        simulate=simulate_along_eigenvector,
    ),
]
