r"""Lemma C.3, first half of its proof: the base case, the residual and the error (E1).

Setting:  the two-layer linear network from its symmetric initialisation, until
          lambda_max(M*) exceeds 1/eta; X^T X has rank r and eigenvalues lambda_1, ..., lambda_r.
Claims:   the base case (p1), the residual as a product and its size (p2 to p4), the recursion of
          the error e(t) in D(t) = -prod (I - eta M~(j)) Y + e(t) and its bound (E1) (p5 to p7).
Source:   Li, Wang, Li, "Analyzing Sharpness along GD Trajectory", appendix C.2.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Inequality,
    Statement,
    as_expr,
    dot,
    eye,
    matrix,
    norm,
    norm2,
    scalar,
    sqrt,
    vector,
)
from eostheory.numeric.losses import Draw

from . import _linear_net as net
from ._linear_net import A, D, D_next, F, Gamma, K, M, M_star, M_tilde, W, X, Y, at, eta, n, width
from ._sharpening import (
    D_0,
    HORIZON,
    ON_RANGE,
    Pi,
    Pi_next,
    R_w,
    constants,
    contraction,
    damped,
    decay,
    decaying,
    e,
    e_next,
    eigenvector,
    labels,
    lam_r,
    norm_of,
    slowest,
    t,
    triangle,
    unit,
    v_r,
)
from ._sharpening_runs import FAR, drawn, spectral
from ._sharpening_runs import norm as norm_of_tensor

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.symbolic import Model

Parts = dict[str, Statement]

any_u = vector("u", "n", r"\mathbf u")
Q = matrix("Q", "n", "n", r"\prod_{k=0}^{t-1}(\mathbf I-\eta\mathbf M^*(k))")
Q_before = matrix("Q_before", "n", "n", r"\prod_{k=0}^{t-2}(\mathbf I-\eta\mathbf M^*(k))")
M_star_before = matrix("M_star_before", "n", "n", at(r"\mathbf M^*", "t-1"), symmetric=True)
D_before = vector("D_before", "n", at(r"\mathbf D", "t-1"))
norm_Q = scalar(
    "norm_Q", r"\big\|\prod_{k=0}^{t-1}(\mathbf I-\eta\mathbf M^*(k))\big\|", nonnegative=True
)

# ------------------------------------------------------------------------------- statements
_first = 2 / (n * width) * norm2(A) * K

base_case: Parts = {
    "M*": Equation(M_star, M),
    "M~": Equation(M_tilde, M),
    "semidefinite": Inequality(dot(any_u, M @ any_u), ">=", dot(any_u, _first @ any_u)),
    "eigenvalue": Equation(_first @ v_r, 2 * lam_r / n * v_r),
    "larger": Inequality(2 * lam_r / n, ">", lam_r / n),
}

residual_product: Parts = {
    "product": Equation(norm(D), norm(Q @ D_0)),
    "norm": Inequality(norm(Q @ D_0), "<=", norm_Q * norm(D_0)),
}

residual_decay: Parts = {
    "contraction": Inequality(norm_Q * norm(D_0), "<=", decay * norm(Y)),
    "value": Equation(decay * norm(Y), sqrt(n) * decay),
}

crude: Parts = {
    "residual": Inequality(norm(D), "<=", sqrt(n)),
    "output": Inequality(norm(F), "<=", 2 * sqrt(n)),
}

rearranged: Parts = {
    "split": Equation(D_next, (unit - eta * M_tilde) @ D - eta * Gamma @ D),
    "inserted": Equation(D_next, -(Pi_next @ Y) + (unit - eta * M_tilde) @ e - eta * Gamma @ D),
    "collected": Equation(
        D_next, -(Pi_next @ Y) + (unit - eta * M_star) @ e - eta * Gamma @ Pi @ D_0
    ),
}

error_recursion = Equation(e_next, (unit - eta * M_star) @ e - eta * Gamma @ Pi @ D_0)

norm_e = norm_of("e", r"\|\mathbf e(t)\|")
norm_e_next = norm_of("e_next", r"\|\mathbf e(t+1)\|")
kept = norm_of("kept", r"\|(\mathbf I-\eta\mathbf M^*(t))\mathbf e(t)\|")
start = norm_of("start", r"\big\|\prod(\mathbf I-\eta\widetilde{\mathbf M})\mathbf D(0)\big\|")
source = norm_of(
    "source", r"\big\|\boldsymbol\Gamma\prod(\mathbf I-\eta\widetilde{\mathbf M})\mathbf D(0)\big\|"
)
_unrolled = (t + 1) * eta * sqrt(n) * decay * R_w
_summed = sqrt(n) / (1 / n * lam_r) * R_w
error_bound: Parts = {
    "recursion": Inequality(norm_e_next, "<=", norm_e * contraction + eta * sqrt(n) * decay * R_w),
    "unrolled": Inequality(norm_e * contraction + eta * sqrt(n) * decay * R_w, "<=", _unrolled),
    "series": Inequality(_unrolled, "<=", _summed),
    "value": Inequality(_summed, "<=", 40 * n ** Fraction(3, 2) / (width * lam_r)),
}


# ------------------------------------------------------------------------------ derivations
def derive_base(m: Model) -> None:
    """The symmetric initialisation: F = 0, W^T W = (m/d) I, |A|^2 = m."""
    net.gram(m, following=False)
    m.relation(W.T @ A, 0, by="initialisation")
    m.relation(W.T @ W, width / net.d * eye("d"), by="initialisation")
    m.relation(norm2(A), width, by="initialisation")
    m.define(F, net.output(A, W))
    m.define(D, F - Y)
    eigenvector(m, v_r, lam_r)


def derive_product(m: Model) -> None:
    """By induction from the residual map (12)."""
    m.uses("li22/eq-12")
    m.define(D_before, Q_before @ D_0)
    m.define(D, (unit - eta * M_star_before) @ D_before)
    m.define(Q, (unit - eta * M_star_before) @ Q_before)
    m.assume(Inequality(norm2(Q @ D_0), "<=", norm_Q**2 * norm2(D_0)), by="operator norm")


def derive_decay(m: Model) -> None:
    """One more factor of the product, on a vector of length one where the norm is attained."""
    labels(m)
    earlier = scalar("decay_before", r"\big(1-\tfrac{\eta\lambda_r}{n}\big)^{t-1}", positive=True)
    decaying(m)
    w = norm_of("w", "")
    m.relation(D_0, -Y, by="initialisation")
    m.step("on a unit vector where the norm of the product is attained, one factor at a time")
    m.define(decay, contraction * earlier)
    m.assume(Inequality(w, "<=", earlier), by="induction")
    damped(m, norm_Q, w)


def derive_crude(m: Model) -> None:
    """From (D) and F = D + Y."""
    labels(m)
    m.define(F, D + Y)
    m.assume(Inequality(decay, "<=", as_expr(1)), by="horizon")
    m.assume(Inequality(norm2(D), "<=", n * decay**2), by="(D)")


def error(m: Model) -> None:
    """D = -Pi Y + e at time t and at t+1, D(0) = -Y, and the residual map (12)."""
    m.uses("li22/eq-12")
    m.define(M_star, M_tilde + Gamma)
    m.define(D, -(Pi @ Y) + e)
    m.define(D_next, (unit - eta * M_star) @ D)
    m.define(Pi_next, (unit - eta * M_tilde) @ Pi)
    m.relation(D_0, -Y, by="initialisation")
    m.define(e_next, D_next + Pi_next @ Y)


def derive_error_bound(m: Model) -> None:
    """One step of the recursion, then the recursion unrolled and summed, by induction on t."""
    constants(m)
    decaying(m)
    m.uses("li22/lemma-C.3.p6")
    m.step("e(t+1) is (I - eta M*) e(t) less eta Gamma applied to prod (I - eta M~(j)) D(0)")
    triangle(m, norm_e_next, kept, eta * source)
    damped(m, kept, norm_e)
    m.assume(Inequality(source, "<=", R_w * start), by="property 1")
    m.assume(Inequality(start, "<=", sqrt(n) * decay), by="product")
    unrolled = t * eta * sqrt(n) * decay * R_w
    m.assume(Inequality(norm_e * contraction, "<=", unrolled), by="induction")
    m.step("t x^(t-1) <= 1 + x + ... + x^(t-1) by induction on t")
    m.assume(Inequality(t * decay * slowest, "<=", (1 - decay) * contraction), by="induction")


# ------------------------------------------------------------------------------------- runs
def at_start(s: Sample) -> None:
    """A run at time 0."""
    h = drawn(s)
    with h.run:
        start = h.nets[0]
        found = {
            M: h.grams[0],
            M_star: h.star[0],
            M_tilde: h.tilde[0],
            A: start.A,
            X: h.data.X,
            v_r: h.data.V[:, -1],
        }
        some = Draw(int(s.draw(st.integers(0, 99), "u"))).normal(len(h.data.Y))
        s.observe({**h.scalars(), **h.measured(found), any_u: some})


def at_time_t(s: Sample) -> None:
    """A run at time t and t+1."""
    h = drawn(s)
    with h.run:
        V, product = h.data.V, h.star_products[h.t]
        found = {
            Q: product,
            norm_Q: spectral(h.run, V.T @ product @ V),
            norm_e: norm_of_tensor(h.error(h.t)),
            norm_e_next: norm_of_tensor(h.error(h.t + 1)),
        }
        s.observe({**h.letters(), **h.measured(found)})


TWICE = "2 lambda_r/n is twice lambda_r/n"
INDUCTION = {"induction": "the bounds up to time t-1"}
CLAIMS = [
    Claim(
        "li22/lemma-C.3.p1",
        base_case,
        {"initialisation": "symmetric: F = 0, W^T W = (m/d) I, |A|^2 = m"},
        derive=derive_base,
        simulate=at_start,
        waive={"*x1.001": TWICE, "simulation:larger:*": TWICE},
    ),
    Claim(
        "li22/lemma-C.3.p2",
        residual_product,
        {"operator norm": "the norm of a matrix bounds its value on a vector"},
        derive=derive_product,
        simulate=at_time_t,
        waive=FAR,
        reading="by induction from t-1",
    ),
    Claim(
        "li22/lemma-C.3.p3",
        residual_decay,
        HORIZON | INDUCTION | {"labels": "y_i = +-1"},
        derive=derive_decay,
        simulate=at_time_t,
        waive=FAR,
        reading=ON_RANGE,
    ),
    Claim(
        "li22/lemma-C.3.p4",
        crude,
        {"(D)": "|D(t)| <= sqrt(n)(1 - eta lambda_r/n)^t", "horizon": "that factor is below 1"},
        derive=derive_crude,
        simulate=at_time_t,
        waive=FAR,
    ),
    Claim(
        "li22/lemma-C.3.p5",
        rearranged,
        {"initialisation": "D(0) = -Y"},
        derive=error,
        simulate=at_time_t,
        reading="with the middle line of the paper's display",
    ),
    Claim(
        "li22/lemma-C.3.p6",
        error_recursion,
        {"initialisation": "D(0) = -Y"},
        derive=error,
        simulate=at_time_t,
        reading="e(t)(I - eta M*) is printed for (I - eta M*) e(t), e(t) being a column",
    ),
    Claim(
        "li22/lemma-C.3.p7",
        error_bound,
        HORIZON
        | INDUCTION
        | {
            "property 1": "||Gamma(t)|| <= R_w",
            "product": "the product shrinks Y at least like (1 - eta lambda_r/n)^t",
        },
        derive=derive_error_bound,
        simulate=at_time_t,
        waive=FAR,
        reading=(
            "the exponent t inside the sum over k is right: the k-th source term has shrunk by "
            "the factor to the t; so the sum is t+1 times it"
        ),
        rests_on=("li22/lemma-C.3.p21.req",),
    ),
]
