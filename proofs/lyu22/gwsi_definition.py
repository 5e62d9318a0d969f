r"""The GWSI scheduler, and the law that makes its recursion the right one.

Setting:  a vector shrinks by a constant factor and takes a kick orthogonal to itself, inverse to
          its length, at every step; its rates fall off with its squared length.
Claim:    the rates are those of the scheduler of Definition B.6.
Source:   Lyu, Li, Arora, arXiv:2206.07085, appendix B.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from eostheory.claims import Claim
from eostheory.formula import Equation, dot, norm, norm2, scalar, sqrt, vector

from ._gwsi import D, beta, eta, gbar, moment, moment_next, rate, scheduler
from ._run import DIMENSIONS, reader

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.symbolic import Model

g = vector("g", D, "g_t")
gwsi = {
    "rate": Equation(rate, 1 / sqrt(moment)),
    "moment": Equation(moment_next, scheduler(moment, gbar, beta)),
    "gradient": Equation(gbar, norm(g) / eta),
}
kicked = vector("p", D, "p_t")
kick_size, rate_unit, excess = (scalar(x, positive=True) for x in ("s", "kappa", "b"))
KICKS = {"kicks": "the rates are those of a vector that shrinks and takes orthogonal kicks"}


def derive_kicks(m: Model) -> None:
    """The law behind the recursion: no loss, only a vector p that shrinks and is kicked sideways.

    p' = a p - s g / |p| with <g, p> = 0 and a = 1 / (1 + b) below one.  In direction it moves by
    g times s / (a |p|^2), so rates fall off with the squared length; kappa is their unit.
    """
    a, s, kappa, p = 1 / (1 + excess), kick_size, rate_unit, kicked
    after = a * p - (s / norm(p)) * g
    m.step("a vector shrinks by a and takes a kick orthogonal to it, inverse to its length")
    m.relation(dot(g, p), 0, by="kicks")
    m.define(rate, 1 / (kappa * norm2(p)))
    m.define(moment, kappa**2 * norm2(p) ** 2)
    m.define(moment_next, kappa**2 * norm2(after) ** 2)
    m.step("beta is what a step without a kick leaves of the moment")
    m.define(beta, a**4)
    m.step("eta is the unit of gradients in which the first-order weight of g^2 is 1 - beta")
    first_order = 2 * kappa**2 * a**2 * s**2
    m.define(eta, sqrt((1 - beta) / first_order))
    m.define(gbar, norm(g) * kappa * a * s * sqrt(2 / (1 - beta)))
    m.example({excess: 1, s: 3, kappa: 2, p: (3, 4),
               g: (4, -3) if "kicks" not in m.withheld else (1, 1)})  # fmt: skip


def simulate_kicks(sample: Sample) -> None:
    """A stream of random vectors kicks a real vector; its rates are reported in any unit."""
    import torch

    from eostheory.numeric.losses import Draw
    from eostheory.numeric.rounding import RunningError

    draw = Draw(sample.draw(st.integers(0, 10**6), "seed"), "cpu")
    dim = sample.draw(st.sampled_from(DIMENSIONS), "D")
    decay = sample.draw(st.integers(1, 255), "256 eta lambda") / 256
    unit = 2.0 ** sample.draw(st.integers(-3, 3), "log2 unit of rates")
    position = draw.normal(dim)
    for _ in range(4):
        with RunningError() as running:
            square = torch.dot(position, position)
            kick = draw.normal(dim)
            if sample.holds("kicks"):
                kick = kick - (torch.dot(kick, position) / square) * position
            after = (1 - decay) * position - kick / torch.sqrt(square)
            shrunk = torch.as_tensor(1 - decay, dtype=torch.float64)
            left = shrunk**4
            unit_eta = torch.sqrt((1 / left - 1) / 2) / unit
            length = torch.sqrt(torch.dot(kick, kick))
            found = {
                rate: 1 / (unit * shrunk * square),
                moment: (unit * shrunk * square) ** 2,
                moment_next: (unit * shrunk * torch.dot(after, after)) ** 2,
                beta: left,
                eta: unit_eta,
                gbar: length / unit_eta,
                g: kick,
                kicked: position,
                kick_size: torch.ones((), dtype=torch.float64),
                rate_unit: unit * shrunk,
                excess: 1 / shrunk - 1,
            }
            read = reader(running)
            sample.observe({symbol: read(value) for symbol, value in found.items()})
        position = after.detach().clone()


CLAIMS = [
    Claim(
        "lyu22/def-B.6",
        statement=gwsi,
        hypotheses=KICKS,
        derive=derive_kicks,
        simulate=simulate_kicks,
        reading="The law that makes this the right definition: the rates are those of any vector "
        "that shrinks by a factor and takes kicks orthogonal to it and inverse to its length.",
    ),
]
