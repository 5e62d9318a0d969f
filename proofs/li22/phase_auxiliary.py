r"""The auxiliary sequence R': its spectrum, its sign (Lemma E.6) and its distance to R (Lemma 3.5).

Setting:  R'(0) = R(0), R'(t+1) = (I - eta M (I - v_1 v_1^T)) R'(t); all eigenvalues of M but the
top one
          below 1/eta (Assumption 3.7), and above lambda_r where the claim says so.
Claims:   the spectrum of M', the sign of R'^T (R' + Y) (Lemma E.6 with its proof), the steps of the
          proof of Lemma 3.5.
Source:   Li, Wang, Li, arXiv:2207.12678, sections 3.3.2 and 3.4, appendix E.1.

Found: M (I - v_1 v_1^T) has the eigenvalue 0 on v_1 besides those of M that remain, so that
I - eta M (I - v_1 v_1^T) contracts on the complement of v_1 only, not everywhere (E.5, first step).
From the recursion follows p(t+1) <= (1 - eta lambda_r) p(t), not the same for |p| (p may jump down
from 0); as p <= 0, this even gives 3 in place of 6.  In Lemma E.6 the start is R'(0) = -(I - v_1
v_1^T) Y, not +, and the last display has D^T F for R'^T (R' + Y).  The strict sign is read for
t > 0 (as in the proof), R'(0) not 0, and eigenvalues above lambda_r > 0, under which R' is defined.
"""

from __future__ import annotations

from fractions import Fraction
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
    eye,
    norm,
    norm2,
    outer,
    scalar,
    sqrt,
    vector,
)

from ._phase import EIGEN, D, F, Lam, M, Y, eps, eta, off, one, residual, top, v1, zero
from ._phase_flow import T, U, V
from ._phase_rest import B_D, B, lam_r, prime, prime_0, prime_next, prime_step

if TYPE_CHECKING:
    from eostheory.symbolic import Model

# --------------------------------------------------------------------------------------- letters
w = vector("w", "n", r"\mathbf w")
mu = scalar("mu", r"\mu")
low, high = scalar("lambda_n", r"\lambda_n"), scalar("lambda_2", r"\lambda_2")
v_i = vector("v_i", "n", r"\mathbf v_i")
lam_i = scalar("lambda_i", r"\lambda_i", nonnegative=True)
past = scalar("past", r"\prod_{j<t}(1-\eta\lambda_i(j))", positive=True)
R_0 = vector("R_0", "n", r"\mathbf R(0)")
D_0 = vector("D_0", "n", r"\mathbf D(0)")
gap = scalar("gap", r"\|\mathbf R(t)-\mathbf R'(t)\|", nonnegative=True)
gap_next = scalar("gap_next", r"\|\mathbf R(t+1)-\mathbf R'(t+1)\|", nonnegative=True)
p, p_next, p_0 = scalar("p", "p(t)"), scalar("p_next", "p(t+1)"), scalar("p_0", "p(0)")

# ------------------------------------------------------------------------------------ statements
below = Inequality(mu, "<", 1 / eta)
contracted = Inequality(norm(prime_step(w)), "<=", (1 - eta * lam_r) * norm(w))
spectrum_of_rest: dict[str, Statement] = {
    "above": Inequality(mu, ">", lam_r),
    "below": below,
    "norm": contracted,
}
drift = 3 * B_D * (B - 1) * sqrt(eps)
level = drift / (eta * lam_r)
shrinks = Inequality(absolute(p_next), "<=", absolute(p) * (1 - eta * lam_r))
shifted: dict[str, Statement] = {
    "p": Equation(p, gap - level),
    "step": shrinks,
    "all": Inequality(absolute(p), "<", absolute(p_0)),
}
shifted_corrected: dict[str, Statement] = {
    "p": Equation(p, gap - level),
    "step": Inequality(p_next, "<=", p * (1 - eta * lam_r)),
    "all": Inequality(absolute(p), "<=", absolute(p_0)),
}
constant = Inequality(gap, "<", 2 * drift / (eta * lam_r))

auxiliary = Inequality(dot(prime, prime + Y), "<", zero)
ratio = dot(prime_next, v_i) / dot(prime_0, v_i)
ratios: dict[str, Statement] = {
    "product": Equation(ratio, past * (1 - eta * lam_i)),
    "positive": Inequality(ratio, ">", zero),
    "below one": Inequality(ratio, "<", one),
    "v_1": Equation(dot(prime_next, v1), zero),
}


def start(sign: int) -> dict[str, Statement]:
    """The start of the sequence, with a sign before (I - v_1 v_1^T) Y."""
    return {
        "R": Equation(prime_0, R_0),
        "labels": Equation(R_0, sign * ((eye("n") - outer(v1, v1)) @ Y)),
        "components": Equation(dot(prime_0, v_i), -dot(Y, v_i)),
    }


coordinates, of_labels, at_start = V.T @ prime, V.T @ Y, V.T @ prime_0


def display(lhs: Expr) -> dict[str, Statement]:
    """The last display; the products with the ratio are multiplied out."""
    return {
        "sum": Equation(lhs, dot(coordinates, coordinates + of_labels)),
        "ratio": Equation(lhs, dot(coordinates, coordinates) - dot(coordinates, at_start)),
        "negative": Inequality(lhs, "<", zero),
    }


# ----------------------------------------------------------------------------------- derivations
def bulk(m: Model, z: Expr) -> None:
    """The eigenvalues of M on the complement of v_1 lie in [low, high], told for z in it."""
    both = dot(high * z - M @ z, M @ z - low * z)
    m.assume(Inequality(both, ">=", zero), by="3.7")
    m.assume(Inequality(dot(z, M @ z), ">=", low * norm2(z)), by="3.7")
    m.assume(Inequality(dot(z, M @ z), "<=", high * norm2(z)), by="3.7")
    m.assume(Inequality(high, "<", 1 / eta), by="3.7")
    m.assume(Inequality(low, "<=", high), by="3.7")


def rayleigh(m: Model) -> None:
    """The quadratic form of M' = M (I - v_1 v_1^T) at a unit vector w."""
    top(m)
    m.relation(norm2(w), 1, by="unit")
    m.define(mu, dot(w, M @ (w - dot(v1, w) * v1)))
    a, b = vector("a", "n"), vector("b", "n")
    m.lemma("w.v_1", Inequality(dot(a, b) ** 2, "<=", norm2(a) * norm2(b)), where={a: w, b: v1})
    bulk(m, off(v1, w))


def derive_below(m: Model) -> None:
    """Eigenvalues are values of the quadratic form at unit eigenvectors."""
    rayleigh(m)


def derive_spectrum(m: Model) -> None:
    """The same with lambda_min(M) > lambda_r; off v_1 if w is orthogonal to it."""
    m.relation(dot(w, v1), 0, by="orthogonal")
    rayleigh(m)
    m.assume(Inequality(low, ">", lam_r), by="lambda_r")
    if "orthogonal" not in m.withheld:
        a, b, x, y, z = (scalar(letter, nonnegative=True) for letter in "abxyz")
        known = (
            Inequality((high + low) * y - high * low * x - z, ">=", zero),
            Inequality(y, ">=", low * x),
            Inequality(y, "<=", high * x),
            Inequality(high, "<", 1 / eta),
            Inequality(low, "<=", high),
            Inequality(low, ">", lam_r),
        )
        m.lemma("w M w", Inequality(dot(w, M @ w), ">=", zero))
        place: dict[Expr, Expr] = {x: norm2(w), y: dot(w, M @ w), z: norm2(M @ w)}
        bound = Inequality(x - 2 * eta * y + eta**2 * z, "<=", (1 - eta * lam_r) ** 2 * x)
        m.lemma("squares", bound, given=known, where=place)
        m.lemma("rate", Inequality(1 - eta * lam_r, ">=", zero))
        root = (Inequality(a**2, "<=", (1 - eta * lam_r) ** 2 * b**2),
                Inequality(1 - eta * lam_r, ">=", zero))  # fmt: skip
        place = {a: norm(prime_step(w)), b: norm(w)}
        m.lemma("root", Inequality(a, "<=", (1 - eta * lam_r) * b), given=root, where=place)
    half = Fraction(1, 2)
    m.example({eta: 1, Lam: 2, M: ((2, 0), (0, half)), v1: (1, 0), low: half, high: half,
               lam_r: Fraction(1, 4),
               w: (1, 0) if "orthogonal" in m.withheld else (0, 1)})  # fmt: skip


def derive_shifted(m: Model) -> None:
    """The recursion of the distance, from R'(0) = R(0)."""
    m.define(p, gap - level)
    m.define(p_next, gap_next - level)
    m.define(p_0, -level)
    m.assume(Inequality(B, ">=", 2 * one), by="edge")
    m.assume(Inequality(eta * lam_r, "<", one), by="3.7")
    m.assume(Inequality(gap_next, "<=", gap * (1 - eta * lam_r) + drift), by="recursion")
    m.step("p(0) <= 0, and p <= 0 is kept by the step")
    m.assume(Inequality(gap, "<=", level), by="recursion")
    m.step("v_1 may stay where it is for some steps: then R = R' and p(t+1) = p(t) = p(0)")
    m.example({eta: 1, lam_r: Fraction(1, 2), B: 2, B_D: 1, eps: Fraction(1, 100), gap: 0,
               gap_next: 0})  # fmt: skip


def derive_constant(m: Model) -> None:
    """p(t) <= 0."""
    m.assume(Inequality(B, ">=", 2 * one), by="edge")
    m.assume(Inequality(gap, "<=", level), by="recursion")
    m.assume(Inequality(eps, ">", zero), by="epsilon_2")
    m.assume(Inequality(B_D, ">", zero), by="epsilon_2")
    m.step("without a turn, epsilon_2 = 0, the two sequences agree")
    turn = 0 if "epsilon_2" in m.withheld else Fraction(1, 100)
    m.example({eta: 1, lam_r: Fraction(1, 2), B: 2, B_D: 1, eps: turn, gap: 0})


def derive_ratios(m: Model) -> None:
    """One step of R' along v_i, i > 1, and along v_1."""
    m.relation(M @ v_i, lam_i * v_i, by="3.5(i)")
    m.relation(M @ v1, Lam * v1, by="3.5(i)")
    m.relation(dot(v1, v_i), 0, by="3.5(i)")
    m.define(prime_next, prime_step(prime))
    m.step("by induction the ratio is the product so far, which lies in (0, 1]")
    m.relation(dot(prime, v_i), past * dot(prime_0, v_i), by="induction")
    m.relation(dot(prime, v1), 0, by="induction")
    m.assume(Inequality(past, "<=", one), by="induction")
    m.assume(Inequality(dot(prime_0, v_i), "!=", zero), by="component")
    m.assume(Inequality(eta * lam_i, "<", one), by="3.7")
    m.assume(Inequality(lam_i, ">", zero), by="positive")
    level_i = 0 if "positive" in m.withheld else Fraction(1, 2)
    m.example({eta: 1, Lam: 2, lam_i: level_i, M: ((2, 0), (0, level_i)), v1: (1, 0), v_i: (0, 1),
               prime_0: (0, 1), prime: (0, 1), past: 1})  # fmt: skip


def derive_start(m: Model) -> None:
    """D(0) = -Y."""
    m.define(D_0, vector("D_start", "n") if "F(0)=0" in m.withheld else -Y)
    m.define(R_0, off(v1, D_0))
    m.define(prime_0, R_0)
    m.relation(dot(v1, v_i), 0, by="orthogonal")


def derive_auxiliary(m: Model) -> None:
    """All components at once: factors p_i in (0, 1] off v_1, and none along it."""
    residual(m)
    part = vector("Z", "n")
    along = scalar("z_1")
    m.relation(V.T @ V, eye("n"), by="frame")
    m.relation(V @ V.T, eye("n"), by="frame")
    m.step(
        "Y = Z + z_1 v_1 with Z orthogonal to v_1; R'(0) = -Z and R'(t) = -sum_i p_i (Z.v_i) v_i"
    )
    m.relation(T @ V.T @ v1, as_expr(0) * vector("any", "n"), by="v_1")
    m.relation(dot(part, v1), 0, by="v_1")
    m.relation(U @ U, eye("n") - T @ T, by="3.7")
    m.define(Y, part + along * v1)
    m.define(prime_0, -part)
    m.define(prime, -(V @ T @ T @ V.T @ part))
    k, low_p = scalar("k", positive=True), scalar("p", positive=True)
    moved = T @ V.T @ part
    m.step("off v_1 the p_i are positive by Assumption 3.7, and 1 - p_i >= eta lambda_r if t > 0")
    m.assume(Inequality(norm2(moved), ">=", low_p * norm2(part)), by="3.7")
    m.assume(Inequality(norm2(U @ moved), ">=", k * norm2(moved)), by="started")
    m.assume(Inequality(norm2(part), ">", zero), by="rest")
    m.lemma("sum of (1 - p_i) p_i (Y.v_i)^2", Inequality(norm2(U @ moved), ">=", zero))
    still = "started" in m.withheld
    a, b = (1, 0) if still else (Fraction(3, 5), Fraction(4, 5))
    least = Fraction(9, 25)
    m.example({V: ((1, 0), (0, 1)), v1: (1, 0), T: ((0, 0), (0, a)), U: ((1, 0), (0, b)),
               part: (0, 0 if "rest" in m.withheld else 1), along: 1, D: (1, 2), k: least,
               low_p: least})  # fmt: skip


# ---------------------------------------------------------------------------------------- claims
BULK = {"3.7": "Assumption 3.7: all eigenvalues but the top one are below 1/eta"}
ABOVE_R = {"lambda_r": "lambda_min(M) > lambda_r > 0"}
OFF = {"orthogonal": "w is orthogonal to v_1"}
EDGE = {"edge": "B_Lambda >= 2"}
RECURSION = {"recursion": "the step before: the recursion of the distance, from 0"}
FIXED = {"3.5(i)": "Assumption 3.5 (i): the eigenvectors are fixed and orthogonal"}
INDUCTION = {"induction": "the steps before t"}
FRAME = {"frame": "the eigenvectors are an orthonormal basis"}
SEQUENCE = FRAME | BULK | {"v_1": "R' has no component along v_1"}
STARTED = {
    "started": "t > 0, as in the proof, and lambda_min > lambda_r > 0, as where R' is defined",
    "rest": "R'(0) is not 0",
}
AFTER_ZERO = (
    "At t = 0 the sum is 0: R'(0)^T (R'(0) + Y) = |Z|^2 - Z^T Y with Z = (I - v_1 v_1^T) Y.  R' is "
    "'defined in Lemma 3.5', which has lambda_min > lambda_r > 0."
)

CLAIMS = [
    Claim(
        "li22/claim-3.3.Mprime",
        below,
        hypotheses=EIGEN | BULK,
        derive=derive_below,
        waive={"left mu x1/2": "weaker, as 1/eta is positive"},
        reading="mu is the value of the quadratic form of M' at any unit vector.",
    ),
    Claim(
        "li22/lemma-E.5.p1",
        spectrum_of_rest,
        hypotheses={"unit": EIGEN["unit"]} | BULK | ABOVE_R,
        derive=derive_spectrum,
        corrected_hypotheses=OFF,
        reading="mu is the value of the quadratic form at a unit vector; v_1 has the eigenvalue 0.",
    ),
    Claim(
        "li22/lemma-E.5.p3",
        shifted,
        hypotheses=EDGE | RECURSION,
        derive=derive_shifted,
        corrected=shifted_corrected,
    ),
    Claim(
        "li22/lemma-E.5.p4",
        constant,
        hypotheses=EDGE
        | RECURSION
        | {"epsilon_2": "epsilon_2 > 0 (after Assumption 3.6), B_D > 0"},
        derive=derive_constant,
        reading="The ends of the chain; its middle term, level + |p(0)|, equals the right end, so "
        "that the second '<' is '='.  3 in place of 6 holds too.",
        waive={"*x1/2": "true: 3 in place of 6 is enough", "*x2": "true: half of it is enough"},
    ),
    Claim(
        "li22/lemma-E.6.p1",
        ratios,
        hypotheses=FIXED
        | INDUCTION
        | BULK
        | {"positive": "lambda_i > lambda_r > 0, as in Lemma 3.5, where R' is defined"},
        derive=derive_ratios,
        reading="Shown for one more step, where Y.v_i is not 0.  The lambda_i >= 0 of the text "
        "alone would give a ratio in (0, 1].",
    ),
    Claim(
        "li22/lemma-E.6.p2",
        start(1),
        hypotheses={"F(0)=0": "the outputs vanish at time 0", "orthogonal": "v_i, i > 1"},
        derive=derive_start,
        corrected=start(-1),
    ),
    Claim(
        "li22/lemma-E.6.p3",
        display(dot(D, F)),
        hypotheses=SEQUENCE | STARTED,
        derive=derive_auxiliary,
        corrected=display(dot(prime, prime + Y)),
        reading="Sums over i > 1 are sums over all i: R' has no component along v_1.",
    ),
    *(
        Claim(
            f"li22/{name}",
            auxiliary,
            hypotheses=SEQUENCE | STARTED,
            derive=derive_auxiliary,
            reading=AFTER_ZERO,
        )
        for name in ("lemma-E.6", "claim-3.3.Rneg")
    ),
]
