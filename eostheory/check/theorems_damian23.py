"""The theorems of damian23 (self-stabilization) and what they assume of a loss."""

from __future__ import annotations

from eostheory.check.conditions import C2, C3, C4, MINIMIZER, SCALE_INVARIANT, SIMPLE_TOP
from eostheory.check.hypotheses import Theorem, by_check, chosen, measured, table

BOUNDED = measured(
    "bounded sharpness",
    "S(theta) <= ell for all theta",
    "bounded domain, or a sympy polynomial of degree 2",
    lambda f: f.bounded_sharpness(),
    "smooth",
)
PROGRESSIVE = by_check(
    "assumption 1",
    "progressive sharpening: alpha(theta_t) > 0 on the constrained trajectory",
    "progressive-sharpening",
)
EIGENGAP = measured(
    "assumption 2",
    "lambda_2(Hess L) < c/eta with c < 2 on the constrained trajectory",
    "second eigenvalue at points of the constrained trajectory",
    lambda f: f.edge.eigengap(),
)
LIPSCHITZ = measured(
    "assumption 3: Lipschitz",
    "D^3 L is bounded and Lipschitz",
    "check smooth, or derived from a sympy expression",
    lambda f: f.lipschitz(),
    "smooth",
)
FOURTH = measured(
    "assumption 3",
    "D^3 L is bounded by rho_3 and rho_4-Lipschitz with rho_4 = O(eta rho_3^2) near the trajectory",
    "rho_4/(eta rho_3^2) at points of the constrained trajectory, held if at most 1",
    lambda f: f.edge.fourth_derivative(),
)
ALIGNED = measured(
    "assumption 4",
    "alpha/(|grad L| |grad S^perp|) = Theta(1) and |grad S^perp| = Theta(rho_3)",
    "both ratios at points of the constrained trajectory, held if nearer to 1 than to epsilon",
    lambda f: f.edge.alignment(),
)
OFF_TOP = measured(
    "assumption 5",
    "D^3 L and D^2 L off the top eigenvector, and lambda_min, are O(epsilon) of their norms",
    "three ratios at points of the constrained trajectory, held if at most epsilon",
    lambda f: f.edge.off_top(),
)
SMALL_EPSILON = by_check(
    "small epsilon", "epsilon = sup eta sqrt(alpha_t) is small", "small-epsilon"
)
AWAY = chosen(
    "|x| bounded below",
    "|x_t| >= c_1 delta for all t <= O(1/epsilon)",
    "for runs whose displacement along u is of order delta, not for the first steps at the edge, "
    "where it is still tiny",
)
ALONG_U = chosen(
    "start along u",
    "the displacement starts along the top eigenvector: P^perp v_0 = 0 (missing in the paper)",
    "for starts theta_0 that differ from the constrained trajectory along u only",
)
PROJECTED = measured(
    "gradient off u and grad S",
    "|grad L| <= K |P grad L| (missing in the paper)",
    "ratio at points of the constrained trajectory",
    lambda f: f.edge.projected_gradient(),
)
DECAY = measured(
    "weight decay",
    "L = f + lambda |theta|^2/2 with lambda > 0",
    "weight_decay= if it was given",
    lambda f: f.weight_decay_used(),
)
CURVED = measured(
    "Hessian not zero at minimizers",
    "f has a non-vanishing Hessian: the norm can be chosen so that S(theta) = 2/eta",
    "top eigenvalue at the minimizers that were found",
    lambda f: f.sphere.positive_at_minimizers(),
    "simple-top-eigenvalue",
)
CURVED_BELOW = measured(
    "S_f bounded below",
    "S_f >= s > 0 on the part of the sphere considered (missing in the paper)",
    "top eigenvalue at random points of the sphere",
    lambda f: f.sphere.sharpness_below(),
)
NEAR = chosen(
    "displacement within range",
    "|v_t| <= delta/epsilon; constants c_1, c_2 with |v_t| <= c_2 delta, |x_t| >= c_1 delta",
    "for steps at which the displacement is within these bounds",
)

EDGE = (C3, LIPSCHITZ, EIGENGAP, PROGRESSIVE, FOURTH, ALIGNED)
ALL = (*EDGE, OFF_TOP, SMALL_EPSILON)
AT_MINIMIZER = (C3, SCALE_INVARIANT, DECAY, MINIMIZER, CURVED)

THEOREMS: list[Theorem] = [
    *table("damian23", (C2, BOUNDED), ("lemma-1", "descent lemma")),
    *table("damian23", (C3, SIMPLE_TOP), ("lemma-2", "grad S = D^3 L[u, u, .]")),
    *table(
        "damian23",
        (C3, SIMPLE_TOP, PROGRESSIVE, ALONG_U),
        ("lemma-4", "predicted dynamics in the directions u and grad S"),
        ("lemma-5", "generalised predicted dynamics in the directions u and grad S"),
    ),
    *table(
        "damian23",
        (*ALL, AWAY),
        ("thm-1", "predicted dynamics give loss, sharpness and deviation of gradient descent"),
        ("thm-1.loss", "loss of gradient descent"),
        ("thm-1.sharpness", "sharpness of gradient descent"),
        ("thm-1.deviation", "position of gradient descent"),
    ),
    *table(
        "damian23",
        (*AT_MINIMIZER, SIMPLE_TOP, C4),
        ("lemma-6", "a scale-invariant loss with weight decay meets the conditions of section 5"),
    ),
    *table(
        "damian23",
        (*AT_MINIMIZER, SIMPLE_TOP),
        ("lemma-6.1", "grad L is orthogonal to u there"),
        ("lemma-6.3", "alpha > 0 there"),
        ("lemma-6.4", "grad L and grad S are aligned there"),
        ("lemma-6.5", "|grad S| = Theta(rho_3) there"),
        ("lemma-10", "alpha at a second-order stationary point"),
        ("lemma-11", "alignment at a second-order stationary point"),
    ),
    *table(
        "damian23",
        (*AT_MINIMIZER, C4),
        ("lemma-6.2", "rho_4 = O(eta rho_3^2)"),
    ),
    *table(
        "damian23",
        (C2, SCALE_INVARIANT),
        ("lemma-7", "gradient and Hessian of a scale-invariant loss from the sphere"),
        ("cor-2", "Hessian at a critical point"),
    ),
    *table(
        "damian23",
        AT_MINIMIZER,
        ("cor-3", "at a critical point u is orthogonal to the regularised gradient"),
    ),
    *table(
        "damian23",
        (C3, SCALE_INVARIANT, DECAY, SIMPLE_TOP),
        ("lemma-8", "gradient of the sharpness of the regularised loss"),
    ),
    *table(
        "damian23",
        (C4, SCALE_INVARIANT, DECAY, CURVED_BELOW),
        ("lemma-9", "orders of rho_3 and rho_4 where S <= 4/eta"),
    ),
    *table(
        "damian23",
        (C3, LIPSCHITZ, FOURTH),
        ("lemma-12.2", "the Hessian is rho_3-Lipschitz"),
        ("lemma-12.3", "its eigenvalues are rho_3-Lipschitz"),
    ),
    *table(
        "damian23",
        (C3, LIPSCHITZ, EIGENGAP, PROGRESSIVE, FOURTH),
        ("lemma-12.1", "the gradient is O(1/eta)-Lipschitz near the constrained trajectory"),
        ("lemma-12.4", "the top eigenvector is O(eta rho_3)-Lipschitz there"),
        ("lemma-12.5", "grad S is O(eta rho_3^2)-Lipschitz there"),
    ),
    *table(
        "damian23",
        (*EDGE, SMALL_EPSILON),
        ("lemma-13", "a step of the constrained trajectory to first order"),
    ),
    *table(
        "damian23",
        (*ALL, PROJECTED),
        ("lemma-14", "descent lemma of the constrained trajectory"),
    ),
    *table(
        "damian23",
        ALL,
        ("cor-4", "some constrained iterate is nearly stationary"),
        ("lemma-17", "the predicted displacement is O(delta)"),
    ),
    *table(
        "damian23",
        (*ALL, NEAR),
        ("lemma-15", "two true steps agree with two predicted steps to second order"),
        ("lemma-16", "true and predicted displacement stay close"),
    ),
]

EXCLUDED = {
    "damian23/lemma-3": "needs no loss: a quantity that the ODE (4) conserves for any alpha, beta",
    "damian23/cor-1": "needs no loss: bounds on the ODE (4) for any alpha, beta > 0",
    "damian23/cor-1.x-lower": "needs no loss: a bound on the ODE (4) for any alpha, beta > 0",
    "damian23/cor-1.x-upper": "needs no loss: a bound on the ODE (4) for any alpha, beta > 0",
    "damian23/cor-1.y": "needs no loss: a bound on the ODE (4) for any alpha, beta > 0",
}
