r"""One step of the constrained trajectory (Lemma 13).

Setting:  theta' = theta_t^dagger - eta grad L_t, theta_{t+1}^dagger its projection on M; the
          multipliers x, y of the conditions grad L . u = 0 and S <= 2/eta, and x', y' along the
          orthonormal vectors u and s = grad S^perp/|grad S^perp|.
Claims:   the length of the projection, its KKT conditions, the change of variables, the sizes of
          the multipliers, that the bound on the sharpness is active, and the assembled update.
Source:   Damian, Nichani, Lee, arXiv:2209.15594, appendix I.1.

O(x) is K x with some constant K.  Found: eq. (12) and the sizes after it are printed for x, y and
are about x', y'; the first form of the assembled update projects out grad S where it must be
grad S^perp.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Expr,
    Inequality,
    OrderBound,
    Statement,
    absolute,
    as_expr,
    dot,
    eye,
    matrix,
    norm,
    norm2,
    outer,
    scalar,
    sqrt,
    vector,
)

from . import _constrained_runs as runs
from ._common import D, alpha, eta, gradL, gradS, hess, sharpness, u
from ._constants import rho3, zero
from ._constrained_runs import (
    K,
    dagger,
    dagger_next,
    gamma,
    normal,
    perp,
    s,
    sharpness_next,
    size,
    target,
    turn,
    x,
    x_prime,
    y,
    y_prime,
)

if TYPE_CHECKING:
    from eostheory.symbolic import Model

K_prime = scalar("K_prime", "K'", positive=True)
epsilon = scalar("epsilon", r"\epsilon", positive=True)
kappa = scalar("kappa", r"\kappa", positive=True)
steep = scalar("steep", r"\|\nabla S_t^\perp\|", positive=True)
tilt = scalar("tilt", r"\nabla S_t\cdot u_t")
rest = vector("rest", D)
unit = vector("unit", D, r"\nabla L_t/\|\nabla L_t\|")
cosine, sine = scalar("cosine"), scalar("sine")
gradS_next = vector("gradS_next", D, r"\nabla S_{t+1}")
P_S = matrix("P_S", D, D, r"P_{\nabla S_t}^\perp", symmetric=True)
P_perp = matrix("P_S_perp", D, D, r"P_{\nabla S_t^\perp}^\perp", symmetric=True)
P_both = matrix("P_u_S", D, D, r"P_{u_t,\nabla S_t}^\perp", symmetric=True)

# -------------------------------------------------------------------------------- statements
nearest: dict[str, Statement] = {
    "nearest": Inequality(norm(dagger_next - target), "<=", norm(dagger - target)),
    "length": Equation(norm(dagger - target), eta * norm(gradL)),
}
kkt: dict[str, Statement] = {
    "multipliers": Equation(dagger_next, dagger - eta * gradL - x * normal - y * gradS_next),
    "normal": Equation(normal, sharpness_next * runs.u_next + turn.T @ runs.grad_next),
}
variables: dict[str, Statement] = {
    "x'": Equation(x_prime, x * sharpness + y * dot(gradS, u)),
    "y'": Equation(y_prime, y * norm(perp)),
    "x": Equation(x, (x_prime - y_prime * dot(gradS, u) / norm(perp)) / sharpness),
    "y": Equation(y, y_prime / norm(perp)),
}


def half(first: Expr, second: Expr) -> Expr:
    """Half the length of the vector of multipliers."""
    return sqrt(first**2 + second**2) / 2


error_small = Inequality(K * eta**2 * rho3 * size * (absolute(x) + absolute(y)), "<=", half(x, y))


def sizes(first: Expr, second: Expr) -> dict[str, Statement]:
    """The bounds on the multipliers."""
    return {
        "lower": Inequality(half(first, second), "<=", norm(dagger_next - target)),
        "upper": Inequality(norm(dagger_next - target), "<=", eta * norm(gradL)),
        "first": Inequality(absolute(first), "<=", 2 * eta * norm(gradL)),
        "second": Inequality(absolute(second), "<=", 2 * eta * norm(gradL)),
    }


active: dict[str, Statement] = {
    "Assumption 4": Inequality(
        K * epsilon**2 * rho3 * eta * size, "<=", K_prime * epsilon**2 * eta * alpha
    ),
    "epsilon small": Inequality(K_prime * epsilon**2 * eta * alpha, "<=", eta * alpha),
    "multiplier": Inequality(y_prime, ">", zero),
    "active": Equation(sharpness_next, 2 / eta),
}
order = epsilon**2 * eta * size
assembled_printed: dict[str, Statement] = {
    "first": OrderBound(dagger_next, dagger - eta * (P_S @ gradL), order),
    "second": OrderBound(dagger_next, dagger - eta * (P_both @ gradL), order),
}
assembled_true: dict[str, Statement] = {
    "first": OrderBound(dagger_next, dagger - eta * (P_perp @ gradL), order),
    "second": assembled_printed["second"],
}


# -------------------------------------------------------------------------------- derivation
def derive_nearest(m: Model) -> None:
    """theta_t^dagger lies in M itself, so the projection is not farther away."""
    m.define(target, dagger - eta * gradL)
    m.assume(Inequality(norm(dagger_next - target), "<=", eta * norm(gradL)), by="projection on M")
    m.patience = 0.2


def derive_kkt(m: Model) -> None:
    """The Lagrangian of the projection, and the derivative of grad L . u along any direction."""
    at, along = vector("at", D), vector("along", D)
    m.relation(hess @ runs.u_next, sharpness_next * runs.u_next, by="eigenvector")
    m.define(target, dagger - eta * gradL)
    lagrangian = norm2(at - target) / 2 + x * dot(normal, at) + y * dot(gradS_next, at)
    slope = m.gradient(lagrangian, at)
    m.step("the Lagrangian with linearised conditions is stationary at the projection")
    m.define(dagger_next, at - slope)
    rate = dot(hess @ along, runs.u_next) + dot(runs.grad_next, turn @ along)
    m.define(normal, m.gradient(rate, along))
    m.step("d(grad L . u) = (H d) . u + grad L . (grad u d)")


def derive_variables(m: Model) -> None:
    """Components of x S u + y grad S along u and s."""
    m.relation(norm2(u), 1, by="unit eigenvector")
    m.relation(dot(u, s), 0, by="orthonormal")
    m.relation(norm2(s), 1, by="orthonormal")
    m.define(perp, steep * s)
    m.define(gradS, tilt * u + steep * s)
    m.assume(Inequality(sharpness, ">", zero), by="on the edge")
    total = x * sharpness * u + y * gradS
    m.define(x_prime, dot(u, total))
    m.define(y_prime, dot(s, total))


def assumption_4(m: Model) -> None:
    """alpha >= gamma |grad L| |grad S^perp| and |grad S^perp| >= kappa rho_3."""
    m.assume(Inequality(alpha, ">=", gamma * size * steep), by="Assumption 4")
    m.assume(Inequality(steep, ">=", kappa * rho3), by="Assumption 4")
    m.lemma(
        "alpha from below",
        Inequality(alpha, ">=", gamma * kappa * size * rho3),
        given=(
            Inequality(alpha, ">=", gamma * size * steep),
            Inequality(steep, ">=", kappa * rho3),
        ),
    )


def derive_error(m: Model) -> None:
    """eta^2 rho_3 |grad L| <= epsilon^2/(gamma kappa), and |x| + |y| <= sqrt(2) |(x, y)|."""
    small = 8 * (K * eta**2 * alpha) ** 2
    m.assume(Inequality(small, "<=", (gamma * kappa) ** 2), by="epsilon small")
    m.step("epsilon^2 = eta^2 alpha; K epsilon^2 <= gamma kappa/sqrt(8)")
    assumption_4(m)
    share, level, top = (scalar(f"letter_{k}", positive=True) for k in range(3))
    m.lemma(
        "the share of the error",
        Inequality(8 * share**2, "<=", as_expr(1)),
        given=(
            Inequality(share * level, "<=", top),
            Inequality(8 * top**2, "<=", level**2),
        ),
        where={
            share: K * eta**2 * rho3 * size,
            level: gamma * kappa,
            top: K * eta**2 * alpha,
        },
    )


def derive_sizes(m: Model) -> None:
    """The projection moves by x' u + y' s and an error of at most half its length."""
    m.uses("damian23/eq-12")
    m.uses("damian23/lemma-13.p0")
    m.relation(norm2(u), 1, by="unit eigenvector")
    m.relation(dot(u, s), 0, by="orthonormal")
    m.relation(norm2(s), 1, by="orthonormal")
    m.uses("damian23/lemma-13.p4")
    length, heading = scalar("length", positive=True), vector("heading", D, "e")
    m.step("x' u + y' s is its length times a unit vector e in the span of u and s")
    m.relation(norm2(heading), 1, by="heading")
    m.relation(dot(s, heading) ** 2, 1 - dot(u, heading) ** 2, by="heading")
    m.define(x_prime, length * dot(u, heading))
    m.define(y_prime, length * dot(s, heading))
    m.define(x, eta / 2 * (x_prime - tilt * y_prime / steep))
    m.define(y, y_prime / steep)
    m.define(dagger_next, target - length * heading - rest)
    m.assume(Inequality(norm(rest), "<=", length / 2), by="eq. (12)")
    moved, reach = norm(dagger_next - target), eta * norm(gradL)
    m.assume(Inequality(moved, "<=", reach), by="projection on M")
    multipliers(m, heading, length)
    m.patience = 0.2
    m.step("the toy loss of appendix B with alpha = 1/2, sqrt(beta) = 1/4: y' = 2 and y = 8")
    m.example(
        {u: (1, 0), s: (0, 1), eta: 1, tilt: 0, steep: Fraction(1, 4), length: 2,
         heading: (0, 1), rest: (0, 0), target: (0, 2), gradL: (0, -2)}
    )  # fmt: skip


def multipliers(m: Model, heading: Expr, length: Expr) -> None:
    """|move| >= length/2 by Cauchy and Schwarz; then length <= 2 eta |grad L|."""
    total, part, error, whole, most = (scalar(f"letter_{k}") for k in range(5))
    found: dict[Expr, Expr] = {
        total: norm(dagger_next - target),
        part: dot(heading, rest),
        error: norm(rest),
        whole: length,
        most: eta * norm(gradL),
    }
    square = Inequality(total**2, ">=", whole**2 + 2 * whole * part + error**2)
    cauchy = Inequality(part, ">=", -error)
    at_most = Inequality(error, "<=", whole / 2)
    signs = [Inequality(letter, ">=", zero) for letter in (total, error, whole)]
    low = Inequality(whole, "<=", 2 * total)
    m.lemma("at least half", low, given=(square, cauchy, at_most, *signs), where=found)
    m.lemma(
        "length of (x', y')",
        Inequality(whole, "<=", 2 * most),
        given=(low, Inequality(total, "<=", most)),
        where=found,
    )


def derive_active(m: Model) -> None:
    """The expansion of the sharpness (lemma-13.p9), and complementary slackness."""
    m.uses("damian23/lemma-13.p9")
    assumption_4(m)
    m.define(K_prime, K / (gamma * kappa))
    m.assume(Inequality(K * epsilon**2, "<", gamma * kappa), by="epsilon small")
    error = scalar("error", r"O(\epsilon^2\rho_3\eta\|\nabla L_t\|)")
    m.assume(Inequality(alpha, ">", zero), by="Assumption 4")
    level = scalar("level_S", r"S_{t+1}")
    m.assume(Inequality(level, "<=", 2 / eta), by="projection on M")
    m.assume(Inequality(absolute(error), "<=", K * epsilon**2 * rho3 * eta * size), by="p9")
    m.define(y_prime, (2 / eta + eta * alpha + error - level) / steep)
    m.step("S_{t+1} = 2/eta + eta alpha - y' |grad S^perp| + error, solved for y'")
    if m.decide(Inequality(y_prime, ">", zero), refute=False).outcome == "holds":
        m.step("so the multiplier y = y'/|grad S^perp| is positive, and the bound is active")
        m.relation(sharpness_next, 2 / eta, by="complementary slackness")
    m.patience = 0.2


def assemble(m: Model) -> None:
    """The step with x' and y' inserted."""
    for number in (7, 8, 11):
        m.uses(f"damian23/lemma-13.p{number}")
    for a in (u, s, unit):
        m.relation(norm2(a), 1, by="unit vectors")
    m.relation(dot(u, s), 0, by="unit vectors")
    m.relation(dot(u, unit), 0, by="theta in M")
    m.bound(epsilon)
    m.define(gradL, size * unit)
    along = vector("along_S", D, r"\nabla S_t/\|\nabla S_t\|")
    m.relation(cosine**2, 1 - sine**2, by="unit vectors")
    m.define(along, cosine * s + sine * u)
    m.define(P_S, eye(D) - outer(along, along))
    m.step("grad S makes some angle with its part s orthogonal to u")
    m.define(P_perp, eye(D) - outer(s, s))
    m.define(P_both, eye(D) - outer(u, u) - outer(s, s))
    first = order * m.landau("x_error")
    second = -eta * dot(gradL, s) + order * m.landau("y_error")
    m.define(
        dagger_next,
        dagger - eta * gradL - first * u - second * s + order * m.landau("error", (D,)),
    )


def derive_assembled(m: Model) -> None:
    """The same, with grad S at an angle to its part s orthogonal to u."""
    assemble(m)
    m.example(
        {u: (1, 0, 0), s: (0, 1, 0), unit: (0, -1, 0), eta: 1, size: 1,
         cosine: Fraction(4, 5), sine: Fraction(3, 5), epsilon: Fraction(1, 100),
         dagger: (0, 0, 0)}
    )  # fmt: skip


# -------------------------------------------------------------------------------- claims
FOUR = {
    "Assumption 4": "alpha >= gamma |grad L| |grad S^perp| and |grad S^perp| >= kappa rho_3, "
    "gamma, kappa > 0 constants"
}
SMALL = {"epsilon small": "epsilon is below a constant of K, gamma and kappa"}
ACTIVE = (
    FOUR
    | SMALL
    | {"projection on M": "theta_{t+1}^dagger lies in M"}
    | {"complementary slackness": "y > 0 implies S_{t+1} = 2/eta"}
)
LANDAU = "O(...) in an inequality is K times its argument, with some constant K. "

CLAIMS = [
    Claim(
        "damian23/lemma-13.p0",
        nearest,
        hypotheses={"projection on M": "theta_{t+1}^dagger is a nearest point of M"},
        derive=derive_nearest,
        simulate=runs.projection,
        examples={"quick": 3, "default": 6},
    ),
    Claim(
        "damian23/lemma-13.p2",
        kkt,
        derive=derive_kkt,
        simulate=runs.normal_vector,
        examples={"quick": 2, "default": 5},
        reading="The multipliers x and y exist by the KKT theorem, since the gradients of the two "
        "conditions are independent for small epsilon; the display is their equation.",
    ),
    Claim(
        "damian23/lemma-13.p4",
        variables,
        derive=derive_variables,
        simulate=runs.variables,
    ),
    Claim(
        "damian23/eq-12",
        error_small,
        hypotheses=FOUR | SMALL,
        derive=derive_error,
        reading=LANDAU + "It holds for any two numbers, so for x', y', about which it is.",
    ),
    Claim(
        "damian23/lemma-13.p6",
        sizes(x, y),
        hypotheses={"projection on M": "the projection is at most eta |grad L| away"},
        derive=derive_sizes,
        corrected=sizes(x_prime, y_prime),
        reading="x, y = O(eta |grad L|) with the constant 2 that the display gives.",
    ),
    Claim(
        "damian23/lemma-13.p10",
        active,
        hypotheses=ACTIVE,
        derive=derive_active,
        reading=LANDAU + "'Sufficiently small' makes the second bound strict.",
    ),
    Claim(
        "damian23/lemma-13.p12",
        assembled_printed,
        hypotheses={"theta in M": "u . grad L = 0 at theta_t^dagger"},
        derive=derive_assembled,
        corrected=assembled_true,
        reading="The proof of Lemma 15 prints grad S^perp in this place. With it the second form "
        "follows from u . grad L = 0, as the text says.",
    ),
]
