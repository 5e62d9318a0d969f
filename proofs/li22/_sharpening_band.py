r"""Set-ups of Lemmas C.4 to C.6: the inner products of D and F after property 2.

D = -Pi Y + e with Pi v_i = p_i v_i; p_i is the product over j < t of 1 - eta lambda_i(M~(j)).
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import torch

from eostheory.formula import Inequality, as_expr, dot, norm, norm2, scalar, vector

from ._linear_net import D, F, Y, n, width
from ._sharpening import Pi, c1, e, lam_r, norm_of, proved
from ._sharpening_runs import Kind, drawn, spectral
from ._sharpening_runs import norm as length

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.formula import Expr, Symbol
    from eostheory.symbolic import Model

_rate = r"(1-\eta\lambda_{%s}(\widetilde{\mathbf M}(j)))"
p_1 = scalar("p_1", r"\prod_{j=0}^{t-1}" + _rate % "1")
p_i = scalar("p_i", r"\prod_{j=0}^{t-1}" + _rate % "i")
z_1, z_i = scalar("z_1"), scalar("z_i")
kappa = scalar("kappa", r"\kappa", positive=True)
epsilon = scalar("epsilon", r"\epsilon", positive=True)
chi = scalar("chi", r"\chi", positive=True)
a_1 = scalar("a_1", positive=True)
best = scalar("best", r"\max_i\{p_i(1-p_i)\}")
spread = scalar("spread", r"\sum_{i=1}^rz_i^2p_i(1-p_i)")
norm_e = norm_of("e", r"\|\mathbf e(t)\|")
largest = scalar("largest_p", r"\max_ip_i", nonnegative=True)
norm_product = norm_of(
    "product", r"\|\prod_{j=0}^{t-1}(\mathbf I_n-\eta\widetilde{\mathbf M}(j))\|"
)

linear = 40 * n**2 / (lam_r * width)
quadratic = 1600 * n**3 / (lam_r**2 * width**2)
"""What (E1) leaves of the error, times sqrt(n) and squared."""


def shares(scale: Expr | int = 1) -> Expr:
    """5 lambda_r/14 + 25 lambda_r^2/196, times a number; printed for the two above."""
    return scale * (5 * lam_r / 14 + 25 * lam_r**2 / 196)


def true_shares(scale: Expr | int = 1) -> Expr:
    """What the width makes of them, with lambda_1 = c_1 n."""
    return scale * (5 * lam_r / (14 * c1) + 25 * lam_r**2 / (196 * c1**2 * n))


EXPANSION = {
    "(E1)": "|e| <= 40 n^{3/2}/(lambda_r m)",
    "p21.req": "0 <= p_i <= 1, so that |(2 Pi - I) Y| <= |Y|",
}


def expanded(m: Model) -> None:
    """Property 2 and F = D + Y."""
    m.define(D, -(Pi @ Y) + e)
    m.define(F, D + Y)


def small_error(m: Model) -> None:
    """(E1) with R_w = 40/m."""
    m.assume(Inequality(norm(e), "<=", 40 * n ** Fraction(3, 2) / (lam_r * width)), by="(E1)")


def inner_product(m: Model) -> None:
    """-D^T F = (sum of z_i^2 p_i (1 - p_i)) + Y^T (2 Pi - I) e - |e|^2."""
    reflected = vector("reflected", "n", r"(2\Pi-\mathbf I)\mathbf Y")
    m.uses("li22/lemma-C.4.p1")
    m.relation(dot(D, F), norm2(e) - dot(reflected, e) - spread, by="property 2")
    m.assume(Inequality(norm2(reflected), "<=", n), by="p21.req")


def width_in_errors(m: Model) -> None:
    """m >= 112 c_1 n^2/lambda_r^2 in both error terms."""
    proved(m, "linear", linear, 5 * lam_r / (14 * c1))
    proved(m, "quadratic", quadratic, 25 * lam_r**2 / (196 * c1**2 * n))


def chain(m: Model, name: str, *pairs: tuple[Expr, Expr]) -> None:
    """The sum of bounds ``small <= large`` that are known, as one fact."""
    small = [scalar(f"small_{k}") for k in range(len(pairs))]
    large = [scalar(f"large_{k}") for k in range(len(pairs))]
    zero = as_expr(0)
    m.lemma(
        name,
        Inequality(sum(small, zero), "<=", sum(large, zero)),
        given=[Inequality(a, "<=", b) for a, b in zip(small, large, strict=True)],
        where=dict(zip(small + large, [a for a, _ in pairs] + [b for _, b in pairs], strict=True)),
    )


def on_trajectories(m: Model, quantity: Symbol) -> None:
    """``quantity`` is what a trajectory makes it: meeting the bounds makes no counterexample."""
    m.define(quantity, m.landau(f"{quantity.name}_of_a_trajectory", quantity.shape))


# ------------------------------------------------------------------------------------- runs
def in_the_band(s: Sample) -> None:
    """A wide network at time t: factors and labels."""
    _observed(s, "wide")


def in_any_run(s: Sample) -> None:
    """The same in a narrower network, whose error e(t) is larger."""
    _observed(s, "any")


TINY = "the square of the error shows above the roundings at later times only"
SQUARED_ERROR = {f"simulation:*{end}": TINY for end in ("**2 x2", "**2 x1.001", "**2 exponent +1")}


def _observed(s: Sample, kind: Kind) -> None:
    h = drawn(s, kind)
    with h.run:
        factors, signs = h.factors(h.t), h.labels
        shares_of = factors * (1 - factors)
        i = max(range(len(factors)), key=lambda k: float(shares_of[k]))
        root = torch.tensor(float(len(h.data.Y)), dtype=torch.float64).sqrt()
        top = max(factors, key=float)
        moved = h.products[h.t] @ h.data.Y
        found = {
            p_1: factors[0],
            p_i: factors[i],
            z_1: signs[0],
            z_i: signs[i],
            kappa: min(signs, key=float) / root,
            best: shares_of[i],
            spread: torch.dot(moved, h.data.Y - moved),
            norm_e: length(h.error(h.t)),
            epsilon: top * root,
            largest: top,
            norm_product: spectral(h.run, h.data.V.T @ h.products[h.t] @ h.data.V),
        }
        s.observe({**h.letters(), **h.measured(found)})
