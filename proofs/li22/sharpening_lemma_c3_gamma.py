r"""Lemma C.3, third part of its proof: the recursion of Gamma, split and expanded.

Setting:  Gamma is the hidden layer's part of the Gram matrix less its initial value (10).
Claims:   its recursion (p14) summed (p15), split into (G1), (G2), (G3) (p16), the residual's outer
          product expanded into (A1) to (A4) (p17), and (A1) in the eigenbasis (p18, p19).
Source:   Li, Wang, Li, "Analyzing Sharpness along GD Trajectory", appendix C.2.

Two slips, neither of which reaches the conclusion, because only norms of the terms are used: the
first sum of p15 loses its sign inside the norm, and (A2) and (A3) carry a minus.  In our text of
p19 the square stands outside the double sum; we read it inside, as on the next line.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import torch

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Inequality,
    Statement,
    dot,
    eye,
    matrix,
    norm,
    norm2,
    outer,
    scalar,
    sqrt,
    trace,
    vector,
)
from eostheory.numeric.rounding import RunningError

from . import _linear_net as net
from ._linear_net import A, D, F, Gamma, Gamma_next, K, Y, at, eta, n, width
from ._linear_runs import draw_data, draw_network, draw_rate, table
from ._sharpening import (
    BY_INDUCTION,
    Pi,
    before,
    e,
    eigenvector,
    lam_i,
    lam_j,
    norm_of,
    running_matrix,
    running_sum,
    triangle,
    v_i,
    v_j,
)
from ._sharpening_runs import FAR, Kind, drawn, spectral
from ._sharpening_runs import total as sum_of

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.formula import Expr
    from eostheory.symbolic import Model


u = vector("u", "n", r"\mathbf u")
Gamma_0 = matrix("Gamma_0", "n", "n", at(r"\boldsymbol\Gamma", "0"), symmetric=True)


def _mixed(left: str) -> str:
    square = r"\mathbf X^\top\mathbf X"
    return rf"({left}\mathbf D^\top{square}+{square}\mathbf D{left}^\top)"


FD_sum = running_matrix("FD", _mixed(r"\mathbf F"))
DD_sum = running_matrix("DD", _mixed(r"\mathbf D"))
YD_sum = running_matrix("YD", _mixed(r"\mathbf Y"))
AD_sum = running_matrix(
    "AD", r"\|\mathbf A\|^2\mathbf X^\top\mathbf X\mathbf D\mathbf D^\top\mathbf X^\top\mathbf X"
)
first_sum = running_matrix("first", r"\Pi_k\mathbf Y\mathbf Y^\top\Pi_k\mathbf X^\top\mathbf X")
norm_change = norm_of("change", r"\|\boldsymbol\Gamma(t+1)-\boldsymbol\Gamma(0)\|")
norm_FD = norm_of("FD", r"\|\sum(\mathbf F\mathbf D^\top\mathbf X^\top\mathbf X+\dots)\|")
norm_1 = scalar("norm_1", r"\|\mathrm{(G1)}\|", nonnegative=True)
norm_2 = scalar("norm_2", r"\|\mathrm{(G2)}\|", nonnegative=True)
norm_3 = scalar("norm_3", r"\|\mathrm{(G3)}\|", nonnegative=True)
p_i = scalar("p_i", r"\prod_{j=0}^{k-1}(1-\eta\lambda_i(\widetilde{\mathbf M}(j)))")
p_j = scalar("p_j", r"\prod_{j=0}^{k-1}(1-\eta\lambda_{j'}(\widetilde{\mathbf M}(j)))")
z_i, z_j = scalar("z_i"), scalar("z_j", r"z_{j'}")
pp_sum = running_sum("pp", r"\prod_{j=0}^{k-1}(1-\eta\lambda_i)(1-\eta\lambda_{j'})")
coefficients = matrix("coefficients", "r", "r", r"\mathbf C")
basis = matrix("basis", "n", "r", r"\mathbf V")
frobenius = scalar("frobenius", r"\|\cdot\|_F", nonnegative=True)

first_factor = 4 * eta / (n**2 * width)
second_factor = 8 * eta**2 / (n**3 * width**2)


def mixed(left: Expr, right: Expr) -> Expr:
    """left right^T X^T X + X^T X right left^T."""
    return outer(left, right) @ K + K @ outer(right, left)


def curved() -> Expr:
    """|A|^2 X^T X D D^T X^T X."""
    return norm2(A) * (K @ outer(D, D) @ K)


# ------------------------------------------------------------------------------- statements
recursion = Equation(
    Gamma_next - Gamma,
    -(4 / (n**2 * width)) * eta * mixed(F, D) + second_factor * curved(),
)

change = norm((Gamma_next - Gamma_0) @ u)
summed = Equation(change, norm((first_factor * FD_sum + second_factor * AD_sum) @ u))
summed_true = Equation(change, norm((-first_factor * FD_sum + second_factor * AD_sum) @ u))

split = Inequality(
    norm_change, "<=", first_factor * norm_1 + first_factor * norm_2 + second_factor * norm_3
)


def _expanded(sign: int) -> Statement:
    crossed = outer(e, Y) @ Pi @ K, Pi @ outer(Y, e) @ K
    rest = outer(e, e) @ K
    return Equation(
        outer(D, D) @ K,
        Pi @ outer(Y, Y) @ Pi @ K + sign * crossed[0] + sign * crossed[1] + rest,
    )


entry = Equation(
    first_factor * dot(v_i, first_sum @ v_j), first_factor * (pp_sum * z_i * z_j * lam_j)
)
root = Equation(first_factor * frobenius, first_factor * sqrt(trace(coefficients.T @ coefficients)))


# ------------------------------------------------------------------------------ derivations
def derive_recursion(m: Model) -> None:
    """Both values of Gamma by (10), one step of gradient descent apart."""
    net.gradient_step(m)
    net.gram(m)


def sums(m: Model) -> None:
    """Each sum is the one before and the term of p14 at time t; F = D + Y."""
    m.uses("li22/lemma-C.3.p14")
    m.define(F, D + Y)
    for total, term in (
        (DD_sum, mixed(D, D)),
        (YD_sum, mixed(Y, D)),
        (FD_sum, mixed(F, D)),
        (AD_sum, curved()),
    ):
        m.define(total, before(total) + term)
    earlier = -first_factor * before(FD_sum) + second_factor * before(AD_sum)
    m.define(Gamma, Gamma_0 + earlier)
    step = -first_factor * mixed(F, D) + second_factor * curved()
    m.define(Gamma_next, Gamma + step)


def derive_summed(m: Model) -> None:
    """One sample and one input, where the norm of a matrix is an absolute value."""
    sums(m)
    m.generic = False
    m.example(
        {
            net.X: ((1,),),
            net.width: 2,
            n: 1,
            eta: Fraction(1, 4),
            A: (1, -1),
            D: (Fraction(-1, 2),),
            Y: (1,),
            u: (1,),
            Gamma_0: ((0,),),
            before(FD_sum): ((0,),),
            before(AD_sum): ((2,),),
        }
    )


def derive_split(m: Model) -> None:
    """The three sums on a unit vector: the operator norms, and twice the triangle inequality."""
    m.uses("li22/lemma-C.3.p15")
    m.step("F D^T = D D^T + Y D^T splits each term of the first sum")
    m.define(F, D + Y)
    if m.decide(Equation(mixed(F, D), mixed(D, D) + mixed(Y, D))).outcome != "holds":
        raise ArithmeticError("the first sum does not split")
    triangle(m, norm_change, first_factor * norm_FD, second_factor * norm_3)
    triangle(m, norm_FD, norm_1, norm_2)


def derive_expanded(m: Model) -> None:
    """From property 2: D = -Pi Y + e with a symmetric Pi."""
    m.define(D, -(Pi @ Y) + e)


def derive_entry(m: Model) -> None:
    """The coefficient of v_i v_j'^T, one more term of the sum at a time."""
    eigenvector(m, v_i, lam_i)
    eigenvector(m, v_j, lam_j)
    m.relation(Pi @ v_i, p_i * v_i, by="eigenvector")
    m.define(z_i, dot(v_i, Y))
    m.define(z_j, dot(v_j, Y))
    m.define(first_sum, before(first_sum) + Pi @ outer(Y, Y) @ Pi @ K)
    m.relation(Pi @ v_j, p_j * v_j, by="eigenvector")
    m.define(pp_sum, before(pp_sum) + p_i * p_j)
    earlier = before(pp_sum) * z_i * z_j * lam_j
    m.relation(dot(v_i, before(first_sum) @ v_j), earlier, by="induction")


def derive_root(m: Model) -> None:
    """The Frobenius norm of V C V^T with orthonormal columns V."""
    m.relation(basis.T @ basis, eye("r"), by="orthonormal")
    whole = basis @ coefficients @ basis.T
    m.define(frobenius, sqrt(trace(whole.T @ whole)))


# ------------------------------------------------------------------------------------- runs
def one_step(s: Sample) -> None:
    """Any weights on any data, and one step."""
    with RunningError() as run:
        found = draw_data(s, run)
        start = draw_network(s, run, found)
        s.observe(table(run, start, draw_rate(s, found)))


def _observed(s: Sample, kind: Kind) -> None:
    h = drawn(s, kind)
    with h.run:
        t, square, V, labels = h.t, h.square, h.data.V, h.data.Y
        first, crossed, own, curves, outers = [], [], [], [], []
        for k in range(t + 1):
            D_k, moved = h.residuals[k], h.products[k] @ labels
            first.append(torch.outer(h.residuals[k] + labels, D_k) @ square)
            crossed.append(torch.outer(labels, D_k) @ square)
            own.append(torch.outer(D_k, D_k) @ square)
            size = (h.nets[k].A * h.nets[k].A).sum()
            curves.append(size * square @ torch.outer(D_k, D_k) @ square)
            outers.append(torch.outer(moved, moved) @ square)
        FD, DD, YD = (sum_of(x) + sum_of(x).T for x in (first, own, crossed))
        factors = [h.factors(k) for k in range(t + 1)]
        last = len(h.data.lam) - 1
        change = h.hidden[t + 1] - h.hidden[0]
        found = {
            Gamma_0: h.hidden[0],
            FD_sum: FD,
            DD_sum: DD,
            YD_sum: YD,
            AD_sum: sum_of(curves),
            norm_change: spectral(h.run, change),
            norm_1: spectral(h.run, DD),
            norm_2: spectral(h.run, YD),
            norm_3: spectral(h.run, sum_of(curves)),
            first_sum: sum_of(outers),
            v_i: V[:, 0],
            v_j: V[:, last],
            lam_j: h.data.lam[last],
            z_i: h.labels[0],
            z_j: h.labels[last],
            pp_sum: sum_of(p[0] * p[last] for p in factors),
        }
        unit_u = torch.eye(len(labels), dtype=torch.float64)[0]
        s.observe({**h.letters(), **h.measured(found), u: unit_u})


def at_time_t(s: Sample) -> None:
    """The sums over time of a run."""
    _observed(s, "any")


def one_sample(s: Sample) -> None:
    """The same with one sample, where the norm of a matrix is an absolute value."""
    _observed(s, "single")


CLAIMS = [
    Claim("li22/lemma-C.3.p14", recursion, derive=derive_recursion, simulate=one_step),
    Claim(
        "li22/lemma-C.3.p15",
        summed,
        derive=derive_summed,
        simulate=one_sample,
        waive={"simulation:*": "with one sample n = 1, matrices are numbers, and Gamma(0) = 0"},
        corrected=summed_true,
        reading=(
            "the sums run over F(k), D(k), A(k); norms on each vector u (the refutation has one "
            "sample, where the norm is the absolute value)"
        ),
    ),
    Claim(
        "li22/lemma-C.3.p16",
        split,
        derive=derive_split,
        simulate=at_time_t,
        waive=FAR,
    ),
    Claim(
        "li22/lemma-C.3.p17",
        _expanded(1),
        derive=derive_expanded,
        simulate=at_time_t,
        waive={"simulation:*x1.001": "a thousandth of the squared error is below the roundings"},
        corrected=_expanded(-1),
    ),
    Claim(
        "li22/lemma-C.3.p18",
        entry,
        derive=derive_entry,
        simulate=at_time_t,
        reading="the coefficient of v_i v_j'^T for every pair; the product is over both factors. "
        + BY_INDUCTION,
    ),
    Claim(
        "li22/lemma-C.3.p19",
        root,
        derive=derive_root,
        reading="C holds the sums over k, so that the sum of their squares is the trace of C^T C",
        extraction=(
            "in our text the square stands outside the double sum; the line after it, which "
            "continues this one, has it inside, where it belongs"
        ),
    ),
]
