r"""Fixed affine parameters of the final batch normalization, and label smoothing (appendix R).

Setting:  outputs Phi_k = gamma_k (F_k - mu_k)/sigma_k + beta_k over a training set of n points;
          for classification beta = 0, all gamma equal, C balanced classes, any F expressible.
Claims:   what matches the targets' moments; the logits, probabilities and loss at the minimum of
          the crossentropy; the strength of label smoothing, for gamma = (3/10) ln 91 and C = 10.
Source:   Lyu, Li, Arora, arXiv:2206.07085, appendices Q.1 and R.

The simulation minimizes the crossentropy numerically and knows nothing of the formulas.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Expr,
    Inequality,
    Statement,
    absolute,
    as_expr,
    dot,
    exp,
    log,
    norm,
    norm2,
    scalar,
    sqrt,
    vector,
)

from ._affine_bn import (
    C,
    L_min,
    P_right,
    P_wrong,
    beta,
    epsilon,
    gamma,
    mu_y,
    n,
    observe_match,
    observe_minimum,
    one,
    outputs,
    right,
    scores,
    sigma_y,
    wrong,
    y,
)
from ._two_step_algebra import multiples_of_zero

if TYPE_CHECKING:
    from eostheory.symbolic import Model

Parts = dict[str, Statement]
HALF = Fraction(1, 2)
ZERO = as_expr(0)
BALANCED = {"balanced": "each class has equally many samples"}
NORMALIZED = {"normalized": "the normalized outputs have mean zero and variance one"}
FITTED = {"fitted": "the outputs are the targets"}
TEN = {"gamma": "gamma = (3/10) ln 91", "ten": "C = 10"}
CLOSER = {
    f"*{x}": "the printed decimal is closer than rounding demands"
    for x in ("1/20000 x1/2", "943/10000) x2", "943/10000) x1.001", "1353/1000) x1.001")
}
spread = (C - 1) ** HALF + (C - 1) ** -HALF
margin = gamma * spread

# ------------------------------------------------------------------------------- statements
normalized: Parts = {
    "mean": Equation((1 / n) * dot(one, outputs), beta),
    "variance": Equation((1 / n) * norm2(outputs - beta * one), gamma**2),
}
reachable: Parts = {
    "mean": Equation((1 / n) * dot(one, outputs), ZERO),
    "variance": Equation((1 / n) * norm2(outputs), gamma**2),
}
match: Parts = {
    "beta": Equation(beta, mu_y),
    "mean": Equation(mu_y, (1 / n) * dot(one, y)),
    "gamma": Equation(gamma, sigma_y),
    "deviation": Equation(sigma_y, sqrt((1 / n) * norm2(y - mu_y * one))),
}
logits: Parts = {
    "correct": Equation(right, gamma * (C - 1) ** HALF),
    "wrong": Equation(wrong, -gamma * (C - 1) ** -HALF),
}
probabilities: Parts = {
    "correct": Equation(P_right, 1 / (1 + (C - 1) * exp(-margin))),
    "wrong": Equation(P_wrong, 1 / ((C - 1) + exp(margin))),
}
smoothing: Parts = {
    "strength": Equation(epsilon, C / ((C - 1) + exp(margin))),
    "wrong": Equation(P_wrong, epsilon / C),
    "correct": Equation(P_right, 1 - (1 - 1 / C) * epsilon),
}
strength = Equation(epsilon, as_expr(Fraction(1, 10)))
lowest = Equation(L_min, log(1 + (C - 1) * exp(-margin)))


def printed(value: Expr, digits: str, last: Fraction) -> Inequality:
    """A decimal as printed: off by half a unit of its last digit at most."""
    return Inequality(absolute(value - Fraction(digits)), "<=", as_expr(last / 2))


lowest_value: Parts = {
    "exact": Equation(L_min, log(as_expr(Fraction(100, 91)))),
    "decimal": printed(L_min, "0.0943", Fraction(1, 10**4)),
}
chosen: Parts = {
    "exact": Equation(gamma, Fraction(3, 10) * log(as_expr(91))),
    "decimal": printed(gamma, "1.353", Fraction(1, 10**3)),
}


# ------------------------------------------------------------------------------ derivations
def derive_output(m: Model, centred: bool = False) -> None:
    """The final batch normalization as a vector over the training set."""
    m.relation(norm2(one), n, by="size")
    m.relation(dot(one, scores), 0, by="normalized")
    m.relation(norm2(scores), n, by="normalized")
    if centred:
        m.define(beta, ZERO)
    m.define(outputs, gamma * scores + beta * one)
    m.generic = False
    bars = (1, -1, 1, -1) if "normalized" not in m.withheld else (1, 0, 1, 0)
    case = {n: 4, gamma: 2, one: (1,) * 4, scores: bars}
    m.example(case if centred else {**case, beta: 3})


def derive_match(m: Model) -> None:
    """Mean and deviation of targets that the output fits."""
    derive_output(m)
    if "fitted" not in m.withheld:
        m.define(y, outputs)
    else:
        m.generic = True
    m.define(mu_y, (1 / n) * dot(one, y))
    m.define(sigma_y, norm(y - mu_y * one) / sqrt(n))


def derive_logits(m: Model) -> None:
    """The columns that maximize the mean margin, by Jensen and Cauchy-Schwarz."""
    m.uses("lyu22/appR2.variance")
    m.assume(Inequality(C, ">", as_expr(1)))
    label = vector("label", "n", "1_k")
    m.relation(norm2(one), n, by="size")
    m.relation(norm2(label), n / C, by="balanced")
    m.relation(dot(one, label), n / C, by="balanced")
    m.step(
        "Jensen, twice: the loss is at least log(1 + (C-1) exp(-a)), where a is the mean over the "
        "samples of the correct logit less the mean of the wrong ones. All columns being centred, "
        "a = C/(C-1) sum_k <1_k, Phi_k>/n, and <1_k, Phi_k> = <1_k - 1/C, Phi_k>."
    )
    direction = label - one / C
    m.step(
        "Cauchy-Schwarz: at fixed length this is largest for Phi_k along 1_k - 1/C, for all k at "
        "once; then all wrong logits are equal and all margins too, and Jensen is an equality."
    )
    column = gamma * sqrt(n) / norm(direction) * direction
    own, other = vector("own", "n", "e_i"), vector("other", "n", "e_j")
    for sample, inside in ((own, 1), (other, 0)):
        m.relation(dot(sample, one), 1, by="sample")
        m.relation(dot(sample, label), inside, by="sample")
    m.define(right, dot(own, column))
    m.define(wrong, dot(other, column))
    m.step("softmax of one correct and C - 1 equal wrong logits")
    m.define(P_right, 1 / (1 + (C - 1) * exp(wrong - right)))
    m.define(P_wrong, 1 / (exp(right - wrong) + (C - 1)))
    m.step("smooth labels give each wrong class the probability epsilon/C")
    m.define(epsilon, C * P_wrong)
    m.define(L_min, -log(P_right))
    m.generic = False
    members = (1, 0, 0, 0, 0) if "balanced" not in m.withheld else (1, 1, 0, 0, 0)
    m.example({
        C: 5, n: 5, gamma: 1, one: (1,) * 5, label: members,
        own: (1, 0, 0, 0, 0), other: (0, 0, 1, 0, 0),
    })  # fmt: skip


def derive_ten(m: Model) -> None:
    """Ten classes and the paper's gamma."""
    m.uses("lyu22/eq-52")
    size = Fraction(3, 10) * log(as_expr(91))
    m.define(gamma, size if "gamma" not in m.withheld else scalar("any", positive=True))
    m.define(C, as_expr(10) if "ten" not in m.withheld else as_expr(9))
    m.step("3 + 1/3 = 10/3, so that the margin is ln 91")
    m.define(epsilon, C / ((C - 1) + exp(margin)))
    m.define(L_min, log(1 + (C - 1) * exp(-margin)))


def derive_chosen(m: Model) -> None:
    """The gamma at which ten classes are smoothed by 1/10."""
    m.uses("lyu22/appR2.eps")
    m.step("1/10 = 10/(9 + exp(10/3 gamma)) gives exp(10/3 gamma) = 91")
    m.define(gamma, Fraction(3, 10) * log(as_expr(10) / Fraction(1, 10) - 9))


def _minimum(name: str, statement: Statement | Parts, reading: str = "") -> Claim:
    return Claim(
        f"lyu22/{name}",
        statement,
        BALANCED,
        derive=derive_logits,
        simulate=observe_minimum,
        reading=reading,
    )


CLAIMS = [
    Claim(
        "lyu22/appR.def",
        normalized,
        NORMALIZED,
        derive=derive_output,
        simulate=observe_match,
        reading="What the definition makes of the outputs: mean beta and variance gamma^2.",
    ),
    Claim(
        "lyu22/appR1.match",
        match,
        FITTED | NORMALIZED,
        derive=derive_match,
        simulate=observe_match,
    ),
    Claim(
        "lyu22/appR2.variance",
        reachable,
        NORMALIZED,
        derive=partial(derive_output, centred=True),
        waive={f"*n**(-1) exponent {x}": "a multiple of zero is zero" for x in ("+1", "-1")}
        | multiples_of_zero("dot(one, outputs)"),
        reading="'Covariance gamma^2' is the variance of each output over the training set.",
    ),
    _minimum("appR2.logits", logits),
    _minimum("eq-51", probabilities),
    _minimum("appR2.eps", smoothing),
    Claim(
        "lyu22/appR2.eps-value",
        strength,
        TEN,
        derive=derive_ten,
        simulate=partial(observe_minimum, ten=True),
    ),
    _minimum("eq-52", lowest),
    Claim(
        "lyu22/appR2.Lmin-value",
        lowest_value,
        TEN,
        derive=derive_ten,
        simulate=partial(observe_minimum, ten=True),
        waive=CLOSER,
    ),
    Claim("lyu22/appQ1.gamma", chosen, derive=derive_chosen, waive=CLOSER),
]
