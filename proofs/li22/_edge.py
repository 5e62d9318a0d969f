r"""Letters and set-ups of the edge-of-stability phase (appendix C.3).

Everything is at time t; ``_next`` is t+1.  A spectral norm is a number with its definition taken
on the vectors in play (``bounded``); "for every matrix norm" is "for every vector" in a statement.
The residual is split once: D = x v_1 + R with R orthogonal to v_1.

The paper uses c_3 twice (Assumption C.4 and Lemma C.9) and c_7 twice (Theorem 4 and after (19)):
here ``c3`` is that of Assumption C.4, ``c_D`` that of Lemma C.9 and ``c7`` that of (19).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from eostheory.formula import (
    Expr,
    Inequality,
    Symbol,
    dot,
    matrix,
    norm,
    norm2,
    scalar,
    vector,
)

from ._linear_net import (
    A,
    D,
    F,
    Gamma,
    K,
    Lambda_star,
    R,
    W,
    X,
    Y,
    at,
    d,
    eta,
    gradient_step,
    gram,
    lam1,
    n,
    top_direction,
    v1,
    width,
)

if TYPE_CHECKING:
    from eostheory.symbolic import Model

# ---------------------------------------------------------------------------------- constants
c2 = scalar("c_2", positive=True)
c3 = scalar("c_3", positive=True)
c5 = scalar("c_5", positive=True)
c6 = scalar("c_6", positive=True)
c7 = scalar("c_7", positive=True)
c_D = scalar("c_D", r"c_3", positive=True)
beta = scalar("beta", r"\beta", positive=True)
lam_r = scalar("lambda_r", r"\lambda_r", positive=True)
lam_i = scalar("lambda_i", r"\lambda_i", positive=True)

# -------------------------------------------------------------------------------- spectra
Lambda = scalar("Lambda", at(r"\Lambda"))
Lambda_next = scalar("Lambda_next", at(r"\Lambda", "t+1"))
gamma = scalar("gamma", at(r"\gamma"), positive=True)
gamma_star = scalar("gamma_star", at(r"\gamma^*"))
Gamma_star = matrix("Gamma_star", "n", "n", at(r"\boldsymbol\Gamma^*"), symmetric=True)
Gamma_rest = matrix("Gamma_rest", "n", "n", r"\boldsymbol\Gamma'(t)", symmetric=True)
norm_Gamma = scalar("norm_Gamma", r"\|\boldsymbol\Gamma(t)\|", nonnegative=True)
k_s = scalar("k_s", nonnegative=True)
u = vector("u", "n", r"\mathbf u")
w = vector("w", "n", r"\mathbf w")
x = scalar("x", at(r"\mathbf D") + r"^\top\mathbf v_1")

D1 = dot(D, v1)
F1 = dot(F, v1)
Y1 = dot(Y, v1)

# ------------------------------------------------------------------------------- hypotheses
SMALL_GAMMA = {"C.3": "Assumption C.3: |Gamma| <= c_2/m"}
BELOW = {"C.5": "Assumption C.5: Lambda <= 4 (1 - beta)/eta with beta > 0"}
RATE = {"(5)": "eta < n d/((d+1) lambda_1)"}
GAP = {"C.1": "lambda_1 >= 2 lambda_2 (Assumption C.1)"}
LABELS = {"labels": "labels are +-1: |Y|^2 = n"}

EIGENVECTOR = {"eigenvector": "v_1 is an eigenvector of X^T X for lambda_1"}
EIGEN = EIGENVECTOR | {"unit eigenvector": "|v_1| = 1"}

PATIENCE = 0.3
"""Seconds for one search of a solver: every step is small."""


# --------------------------------------------------------------------------------- statements
def increment(sharpness: Expr = Lambda_star) -> Expr:
    """The bracket of (17)."""
    return (
        dot(F, D)
        + F1 * D1
        - eta / 2 * D1**2 * sharpness
        - eta / 2 * dot(R, Gamma @ R)
        - eta * dot(R, Gamma @ (dot(v1, D) * v1))
        - eta / (width * n) * dot(R, (width / d * K) @ R)
    )


per_step = 8 * eta * lam1 / (width * n**2)
"""The factor in front of the bracket of (17), less its sign."""


# ----------------------------------------------------------------------------------- set-ups
def split(m: Model, following: bool = False) -> None:
    """D = x v_1 + R with R orthogonal to the unit vector v_1, and F = D + Y."""
    m.patience = PATIENCE
    m.relation(norm2(v1), 1, by="unit eigenvector")
    m.relation(dot(v1, R), 0, by="split")
    m.define(D, x * v1 + R)
    m.define(F, D + Y)


def network_step(m: Model) -> None:
    """A step of gradient descent on the loss, the Gram matrices and the top direction."""
    gradient_step(m)
    gram(m)
    top_direction(m)
    m.step("gradients of the loss with respect to A and W, by differentiation")
    # two samples, one neuron, two inputs
    plane = {X: ((2, 0), (0, 1)), Y: (1, -1), v1: (1, 0), lam1: 4}
    m.example({n: 2, width: 1, d: 2, eta: Fraction(1, 2), A: (1,), W: ((1, 2),), **plane})


def bounded(m: Model, matrix: Expr, bound: Expr, left: Expr, right: Expr, by: str) -> None:
    """The spectral norm's definition on two vectors: |l^T matrix r| <= bound |l||r|."""
    size = bound * norm(left) * norm(right)
    m.assume(Inequality(dot(left, matrix @ right), "<=", size), by=by)
    m.assume(Inequality(dot(left, matrix @ right), ">=", -size), by=by)


def proved(m: Model, name: str, small: Expr, large: Expr) -> bool:
    """A step of the derivation: ``small <= large``, kept as a fact under ``name``.

    False if it is not proved because something is withheld: nothing that follows will be either.
    """
    return known(m, name, Inequality(small, "<=", large))


def known(
    m: Model,
    name: str,
    statement: Inequality,
    given: Sequence[Inequality] = (),
    where: Mapping[Symbol, Expr] | None = None,
) -> bool:
    """``m.lemma``, as :func:`proved`.

    Raises:
        ArithmeticError: it is not proved although nothing is withheld.
    """
    table: dict[Expr, Expr] = dict((where or {}).items())
    usual = m.patience
    if not m.withheld:
        m.patience = 10 * PATIENCE  # a busy machine must not fail what is true
    outcome = m.lemma(name, statement, given, table).outcome
    m.patience = usual
    if outcome == "holds":
        return True
    if not m.withheld:
        raise ArithmeticError(f"a step of the derivation is not proved: {name}")
    return False


def rate_bound(m: Model) -> None:
    """(5), and d >= 1."""
    m.assume(Inequality(eta * lam1 * (d + 1), "<", n * d), by="(5)")


def summed(m: Model, name: str, *bounds: tuple[Expr, Expr]) -> bool:
    """The sum of bounds ``(small, large)`` that are known, as one fact."""
    small = [scalar(f"small_{i}") for i in range(len(bounds))]
    large = [scalar(f"large_{i}") for i in range(len(bounds))]
    left: Expr = small[0]
    right: Expr = large[0]
    for a, b in zip(small[1:], large[1:], strict=True):
        left, right = left + a, right + b
    where = {a: pair[0] for a, pair in zip(small, bounds, strict=True)}
    where |= {b: pair[1] for b, pair in zip(large, bounds, strict=True)}
    given = [Inequality(a, "<=", b) for a, b in zip(small, large, strict=True)]
    return known(m, name, Inequality(left, "<=", right), given, where)


def small_gamma(m: Model, matrix: Expr, bound: Expr, vec: Expr, by: str = "C.3") -> None:
    """The spectral norm's definition on one vector: |matrix vec| <= bound |vec|."""
    m.assume(Inequality(norm(matrix @ vec), "<=", bound * norm(vec)), by=by)


def triangle(m: Model, name: str, left: Expr, right: Expr) -> bool:
    """|left + right| <= |left| + |right|, as a fact."""
    one, other = vector("one_side", "n"), vector("other_side", "n")
    statement = Inequality(norm(one + other), "<=", norm(one) + norm(other))
    return known(m, name, statement, where={one: left, other: right})


def sharpness_below(m: Model) -> None:
    """Lambda* <= Lambda <= 4 (1 - beta)/eta."""
    m.uses("li22/cor-C.2.b")
    m.assume(Inequality(Lambda_star, "<=", Lambda), by="Rayleigh")
    m.assume(Inequality(eta * Lambda, "<=", 4 * (1 - beta)), by="C.5")


def weighted(m: Model, name: str, weight: Expr, small: Expr, large: Expr) -> bool:
    """weight * small <= weight * large, from a bound that is known and a weight >= 0."""
    k, a, b = (scalar(letter) for letter in ("weight", "small", "large"))
    given = [Inequality(a, "<=", b), Inequality(k, ">=", 0 * k)]
    return known(m, name, Inequality(k * a, "<=", k * b), given, {k: weight, a: small, b: large})
