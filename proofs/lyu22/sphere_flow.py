r"""The manifold of minimizers on the sphere and the sharpness-reduction flows on it.

Setting:  Assumption 4.5: Gamma is a (D_Gamma - 1)-dimensional manifold of local minimizers on the
          sphere and H has rank D - D_Gamma on it; the flows (3), (8) and (10).
Claims:   the zero eigenvalues and the null space of H on Gamma; the eigenvalues of the power
          method; the rate of the log-sharpness along (3); (8) with C_b = 2 and the change of time.
Source:   Lyu, Li, Arora, arXiv:2206.07085, sections 4.2.1 to 4.2.3 and appendix B.3.1.

Found: the null space of H is one dimension larger than the tangent space of Gamma: scale
invariance adds theta itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Inequality,
    Statement,
    absolute,
    as_expr,
    dot,
    norm2,
    scalar,
    sqrt,
    substitute,
    vector,
)

from . import _sphere_runs as runs
from ._gwsi import D
from ._sphere_runs import (
    C_b,
    H,
    P,
    alpha,
    beta,
    decay_rate,
    eta,
    eta_in,
    flow,
    flow_8,
    flow_10,
    flow_doubled,
    grad_log,
    kernel,
    lam_1,
    lam_i,
    radial,
    rate,
    size,
    tangent,
    theta,
)

if TYPE_CHECKING:
    from eostheory.formula import Expr
    from eostheory.symbolic import Model

zero = as_expr(0)

# -------------------------------------------------------------------------------- statements
zero_eigenvalues: dict[str, Statement] = {
    "tangent": Equation(H @ (P @ tangent), 0 * theta),
    "radial": Equation(H @ theta, 0 * theta),
    "independent": Equation(dot(theta, P @ tangent), zero),
    "psd": Inequality(dot(tangent, H @ tangent), ">=", zero),
}
null_space: dict[str, Statement] = {
    "contains": Equation(H @ (P @ tangent), 0 * theta),
    "contained": Equation(kernel, P @ kernel),
}
null_space_corrected: dict[str, Statement] = {
    "contains": null_space["contains"],
    "contained": Equation(kernel, P @ kernel + dot(theta, kernel) * theta),
}
eigenvalues: dict[str, Statement] = {
    "top": Equation(1 - rate * lam_1, as_expr(-1)),
    "above -1": Inequality(1 - rate * lam_i, ">", as_expr(-1)),
    "at most 1": Inequality(1 - rate * lam_i, "<=", as_expr(1)),
}
sharpness_decay = Equation(decay_rate, -2 * norm2(grad_log) / (4 + norm2(grad_log)))
flow_three = Equation(flow, -2 * grad_log / (4 + norm2(grad_log)))
flow_eight = Equation(flow_8, -1 * grad_log / (4 + 2 / C_b * norm2(grad_log)))
edge_conditions: dict[str, Statement] = {
    "displacement": Inequality(size, "<=", sqrt(2) * alpha * sqrt(eta_in)),
    "rate": Inequality(
        absolute(rate - 2 / lam_1), "<=", 2 / lam_1 * sqrt(2) * alpha * sqrt(eta_in)
    ),
}
flow_ten = Equation(flow_10, -1 * grad_log / (4 + norm2(grad_log)))
same_flow = Equation(flow_doubled, -2 * grad_log / (4 + norm2(grad_log)))
decay_of_moment = Equation(beta, 1 - 2 * eta**2)


# -------------------------------------------------------------------------------- derivations
NOTHING = {f"*{change}": "a multiple of zero is zero" for change in ("x2", "x1/2", "x1.001")} | {
    "independent:left tangent -> theta": "P theta vanishes, too"
}
GAMMA = {
    "minimizers": "the points of Gamma are minimizers on the sphere: the gradient vanishes on it",
    "scale_invariant": "L(c w) = L(w) for every c > 0",
}
RANK = {"rank": "H has rank D - D_Gamma: nothing else is annihilated"}
PSD = {"psd": "the points of Gamma are local minimizers"}


def manifold(m: Model) -> None:
    """H annihilates the tangent space of Gamma, and theta by Lemma D.1."""
    m.uses("lyu22/lemma-D.1")
    m.step("P projects onto the tangent space of Gamma, which is tangent to the sphere")
    m.relation(P @ P, P, by="projector")
    m.relation(P @ theta, 0 * theta, by="projector")
    m.relation(norm2(theta), 1, by="unit")
    m.step("the gradient vanishes along Gamma; its derivative along Gamma is H P")
    m.relation(H @ P, 0 * H, by="minimizers")
    m.step("H theta = -grad L = 0")
    m.relation(H @ theta, 0 * theta, by="scale_invariant")


def derive_zero(m: Model) -> None:
    """D_Gamma - 1 tangent directions and theta: D_Gamma independent zeros; none is negative."""
    manifold(m)
    m.assume(Inequality(dot(tangent, H @ tangent), ">=", zero), by="psd")
    table = {P: ((1, 0, 0), (0, 0, 0), (0, 0, 0)), theta: (0, 1, 0), tangent: (1, 2, 3)}
    bent = ((1, 0, 0), (0, 0, 0), (0, 0, 1))
    if "minimizers" in m.withheld:
        m.example({**table, H: bent})
    elif "scale_invariant" in m.withheld:
        m.example({**table, H: ((0, 0, 0), (0, 1, 0), (0, 0, 1))})
    else:
        m.example({**table, H: ((0, 0, 0), (0, 0, 0), (0, 0, -1 if "psd" in m.withheld else 1))})


def derive_null_space(m: Model) -> None:
    """The kernel of H, of dimension D_Gamma by the rank, is spanned by the tangents and theta."""
    manifold(m)
    rest = vector("rest", D)
    general = P @ tangent + radial * theta
    if "rank" in m.withheld:
        m.relation(P @ rest, 0 * theta, by="projector")
        m.relation(dot(theta, rest), 0, by="projector")
        general = general + rest
    m.define(kernel, general)
    table = {P: ((1, 0, 0), (0, 0, 0), (0, 0, 0)), theta: (0, 1, 0), tangent: (1, 2, 3), radial: 2}
    last = 0 if "rank" in m.withheld else 1
    form = [[0, 0, 0], [0, 0, 0], [0, 0, last]]
    if "minimizers" in m.withheld:
        form[0][0] = 1
    if "scale_invariant" in m.withheld:
        form[1][1] = 1
    extra = {rest: (0, 0, 1)} if "rank" in m.withheld else {}
    m.example({**table, H: tuple(map(tuple, form)), **extra})


def derive_eigenvalues(m: Model) -> None:
    """The edge as an equation, a simple top eigenvalue and a semidefinite Hessian."""
    m.assume(Inequality(lam_1, ">", zero), by="positive")
    gap = scalar("gap_i", nonnegative=True)
    m.define(rate, (2 + (gap if "edge" in m.withheld else 0 * gap)) / lam_1)
    m.assume(Inequality(lam_i, "<", lam_1), by="simple")
    m.assume(Inequality(lam_i, ">=", zero), by="psd")


def derive_decay(m: Model) -> None:
    """The chain rule; grad_Gamma is the projection of the full gradient, the flow is tangent."""
    full = vector("grad_full", D, r"\nabla\log\lambda_1^H(\zeta)")
    m.uses("lyu22/eq-3")
    m.relation(P @ P, P, by="projector")
    m.define(grad_log, P @ full)
    m.define(decay_rate, dot(full, -2 * grad_log / (4 + norm2(grad_log))))


def general_flow(constant: Expr) -> Expr:
    """The right side of (8), with a weight for the squared gradient."""
    return -1 * grad_log / (4 + constant * norm2(grad_log))


def derive_flows(m: Model) -> None:
    """(8) as defined; (10) is (8) at C_b = 2; (3) runs twice as fast."""
    m.define(flow_8, general_flow(2 / C_b))
    at_two = substitute(general_flow(2 / C_b), {C_b: as_expr(2)})
    m.define(flow_10, at_two)
    m.define(flow, 2 * at_two)
    m.step("d/dtau of zeta_hat(2 tau) is twice the velocity of (10)")
    inner = scalar("tau")
    m.define(flow_doubled, m.differentiate(2 * inner, inner, as_expr(1)) * at_two)


def derive_edge(m: Model) -> None:
    """An alpha-bounded state: |x| <= alpha eta, |u| <= alpha, eta = sqrt(2 eta_in)."""
    m.uses("lyu22/def-H.13")
    z, small = scalar("eta_u", r"\eta u_t"), scalar("alpha_eta", r"\alpha\eta", positive=True)
    m.assume(Inequality(lam_1, ">", zero), by="positive")
    m.step("rate = 1/sqrt(v) with v (2/lambda_1)^2 = 1 + eta u, as u_t is defined")
    m.define(rate, 2 / lam_1 / sqrt(1 + z))
    m.define(alpha, small / sqrt(2 * eta_in))
    m.assume(Inequality(size, "<=", small), by="bounded")
    m.assume(Inequality(z, "<=", small), by="bounded")
    m.assume(Inequality(z, ">=", -small), by="bounded")
    m.assume(Inequality(small, "<=", as_expr(1) / 2), by="small_rate")


def derive_moment(m: Model) -> None:
    """The base rate and decay rate of Theorem B.9."""
    m.uses("lyu22/thm-B.9")
    m.define(beta, 1 - 4 * eta_in)
    m.define(eta, sqrt(2 * eta_in))


EDGE = {
    "edge": "the edge of stability: rate = 2/lambda_1, for the paper's 'approximately'",
    "simple": "Assumption 4.6: the top eigenvalue is simple",
    "psd": "phi is a local minimizer",
}

CLAIMS = [
    Claim(
        "lyu22/sec4.2.1.zero-eigs",
        zero_eigenvalues,
        GAMMA | PSD,
        derive=derive_zero,
        simulate=runs.zeros,
        waive=NOTHING,
        reading="D_Gamma independent vectors are annihilated, namely T_theta(Gamma), of dimension "
        "D_Gamma - 1, and theta; H is semidefinite, so that these are its smallest eigenvalues.",
    ),
    Claim(
        "lyu22/sec4.2.1.nullspace",
        null_space,
        GAMMA | RANK,
        derive=derive_null_space,
        simulate=runs.null_space,
        waive={k: v for k, v in NOTHING.items() if "independent" not in k}
        | {"contains:left H @ P @ tangent sign": "minus zero is zero"},
        corrected=null_space_corrected,
        reading="Gamma is a submanifold of the sphere (Assumption 4.5), of dimension D_Gamma - 1; "
        "the kernel of H has dimension D_Gamma. For the cone over Gamma the sentence is right.",
    ),
    Claim(
        "lyu22/sec4.2.3.eigs",
        eigenvalues,
        EDGE,
        derive=derive_eigenvalues,
        simulate=runs.power_method,
        reading="'Approximately -1' is taken at the edge itself. The text orders the eigenvalues "
        "of H(theta_t), a slip for H(phi_t), and means [0, lambda_1) by its range for i >= 2.",
    ),
    Claim(
        "lyu22/sec4.2.2.decay",
        sharpness_decay,
        derive=derive_decay,
        simulate=runs.decay,
        reading="The time is tau, printed t on the left.",
    ),
    Claim(
        "lyu22/sec4.2.3.eos-hyp",
        edge_conditions,
        {
            "bounded": "the state is alpha-bounded (Definition H.13)",
            "small_rate": "alpha eta <= 1/2, which holds for small eta_in",
        },
        derive=derive_edge,
        simulate=runs.edge_state,
        reading="eta_in^{1/2 - o(1)} is alpha eta_in^{1/2} with alpha = eta_in^{-o(1)}; both "
        "conditions follow from the induction hypothesis that the proof really carries.",
    ),
    Claim("lyu22/eq-3", flow_three, derive=derive_flows, simulate=runs.flows),
    Claim("lyu22/eq-8", flow_eight, derive=derive_flows, simulate=runs.flows),
    Claim("lyu22/eq-10", flow_ten, derive=derive_flows, simulate=runs.flows),
    Claim("lyu22/thm-4.7.p4", same_flow, derive=derive_flows, simulate=runs.flows),
    Claim(
        "lyu22/thm-4.7.p1",
        decay_of_moment,
        derive=derive_moment,
        simulate=runs.moment,
    ),
]
