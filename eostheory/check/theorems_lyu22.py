"""The theorems of lyu22 (sharpness reduction by normalization) and what they assume of a loss."""

from __future__ import annotations

from eostheory.check.conditions import (
    C2,
    C3,
    IN_SPACE,
    MANIFOLD,
    ON_SPHERE,
    PL,
    SCALE_INVARIANT,
    SIMPLE_ON_GAMMA,
)
from eostheory.check.hypotheses import Theorem, chosen, either, measured, open_question, table

RATE = measured(
    "eta lambda < 1",
    "1 - eta lambda is positive (missing in the paper)",
    "learning_rate= and weight_decay= if both were given",
    lambda f: f.weight_decay_times_rate(1.0),
)
RATE_HALF = measured(
    "eta lambda <= 1/2",
    "eta lambda <= 1/2",
    "learning_rate= and weight_decay= if both were given",
    lambda f: f.weight_decay_times_rate(0.5, strict=False),
)
RATE_QUARTER = measured(
    "eta lambda < 1/4",
    "the intrinsic learning rate eta lambda lies in (0, 1/4)",
    "learning_rate= and weight_decay= if both were given",
    lambda f: f.weight_decay_times_rate(0.25),
)
DECAY = measured(
    "weight decay is used",
    "weight decay lambda > 0",
    "weight_decay= if it was given",
    lambda f: f.weight_decay_used(),
)
FIRST_RATE = chosen(
    "small first effective rate",
    "effective learning rate at step 0 at most 1/(pi^2 rho_2 (1 - eta lambda))",
    "for starts so long that the first effective learning rate is that small",
)
SHARPER = measured(
    "rho_2 above lambda_1",
    "2/rho_2 < 2/lambda_1(theta*) with rho_2 = sup |Hess L| on the sphere",
    "eigenvalues at random points of the sphere and at minimizers",
    lambda f: f.sphere.sharper_elsewhere(),
)
BEGINS_NEAR = chosen(
    "begins near a minimizer",
    "|theta_t0 - theta*| = O((lambda eta)^(1/2)), effective learning rate at most 2/rho_2",
    "for runs that come that near to a minimizer, with sufficiently small lambda eta",
)
INITIAL = chosen(
    "initialization scheme",
    "direction (zeta_0 + xi)/|..| with Gaussian xi, norm such that 2/eta_0 is near lambda_1",
    "for starts drawn as in the paper, with small intrinsic learning rate, while the flow exists",
)
SCHEDULER = chosen(
    "quasi-RMSprop",
    "the effective learning rate is set by a quasi-RMSprop scheduler, 1 <= alpha_0 <= eta^-o(1)",
    "for this scheduler, with sufficiently small base learning rate, while the flow exists",
)
STATE = chosen(
    "state near Gamma",
    "the state is alpha-bounded (and aligned) in the working zone, eta is small",
    "for steps of the run at which the state is as the lemma says",
)
PROCESS = chosen(
    "RMS-drift process",
    "S_0, ..., S_2M is an O(1)-RMS-drift process in the working zone",
    "for such a process, which the oscillation of gradient descent is",
)
LINEAR_BN = measured(
    "linear regression with BN",
    "L(w) is linear regression behind batch normalization, targets of a linear model",
    "a fit of Sigma and Cov(x, y) to the loss",
    lambda f: f.sphere.linear_batch_norm(),
    "scale-invariant",
)
SAMPLED = open_question(
    "independent data",
    "the loss is the mean over independent samples of a bounded loss of one sample",
    "how the data were drawn, which the training loss does not show",
)

SPHERE = (*ON_SPHERE, SIMPLE_ON_GAMMA)
SPACE = (*IN_SPACE, SIMPLE_ON_GAMMA)
ANY = either(
    "setting of the process",
    "assumptions B.11 and B.12, or 4.5 and 4.6",
    SPACE,
    SPHERE,
)
STABLE = (C2, SCALE_INVARIANT, PL, DECAY, BEGINS_NEAR)

THEOREMS: list[Theorem] = [
    *table(
        "lyu22",
        (C2, SCALE_INVARIANT),
        ("lemma-D.1", "homogeneity of gradient and Hessian, Hess L w = -grad L"),
        ("lemma-4.1", "descent lemma for directions"),
        ("lemma-E.1", "recursion of the norm"),
    ),
    *table(
        "lyu22",
        (C2, SCALE_INVARIANT, RATE),
        ("lemma-3.1", "GD+WD is projected gradient descent with the effective learning rate"),
        ("thm-B.7", "the effective learning rate follows the GWSI recursion"),
    ),
    *table(
        "lyu22",
        (C2, SCALE_INVARIANT, DECAY, RATE_HALF, FIRST_RATE),
        ("thm-4.2", "some iterate has a small gradient"),
    ),
    *table(
        "lyu22",
        (*STABLE, SHARPER),
        ("thm-4.4", "GD+WD near a minimizer reaches the edge of stability"),
    ),
    *table(
        "lyu22",
        STABLE,
        ("lemma-G.1", "decrease of the potential"),
        ("lemma-G.2", "squared gradient bounded by the gap"),
    ),
    *table(
        "lyu22",
        (*SPHERE, DECAY, INITIAL),
        ("thm-4.7", "GD+WD tracks the sharpness-reduction flow"),
    ),
    *table(
        "lyu22",
        (LINEAR_BN,),
        ("thm-5.1", "the flow converges to the minimum-norm interpolator"),
        ("lemma-O.1", "Hessian of linear regression with BN at minimizers"),
    ),
    *table(
        "lyu22",
        (C2, SCALE_INVARIANT, DECAY, RATE_QUARTER),
        ("thm-B.9", "GD+WD as a quasi-RMSprop scheduler"),
    ),
    *table(
        "lyu22",
        (*SPHERE, SCHEDULER),
        ("thm-B.10", "projected gradient descent with quasi-RMSprop tracks the flow"),
    ),
    *table(
        "lyu22",
        (*SPACE, SCHEDULER),
        ("thm-B.13", "gradient descent with quasi-RMSprop tracks the flow"),
        ("cor-B.14", "scalar RMSprop tracks the flow"),
    ),
    *table(
        "lyu22",
        (C3, SAMPLED),
        ("thm-C.2", "generalization bound with spherical sharpness"),
    ),
    *table(
        "lyu22",
        (C3, MANIFOLD),
        ("thm-D.3", "PL near a compact part of the minimizer manifold"),
    ),
    *table("lyu22", (C2, PL), ("thm-D.4", "gradient flow from nearby converges nearby")),
    *table(
        "lyu22",
        (C3, SCALE_INVARIANT, MANIFOLD),
        ("thm-D.5", "PL near the minimizer manifold on the sphere"),
    ),
    *table(
        "lyu22",
        (C2, SCALE_INVARIANT, PL),
        ("thm-D.6", "gradient flow on the sphere converges nearby"),
    ),
    *table(
        "lyu22",
        SPACE,
        ("lemma-H.3", "working zone"),
        ("lemma-H.3.1", "compactness"),
        ("lemma-H.3.2", "PL on the outer zone"),
        ("lemma-H.3.3", "projection well defined on the inner zone"),
        ("lemma-H.3.4", "smoothness of the projection"),
        ("lemma-H.3.5", "uniform relative gap"),
        ("lemma-J.3", "quadratic term at the top eigenvector"),
        ("lemma-J.3.b", "no component along the top eigenvector"),
        ("lemma-J.3.c", "null-space component is twice the tangential gradient"),
    ),
    *table(
        "lyu22",
        (*SPACE, SCHEDULER, STATE),
        ("lemma-H.6", "null-space component of the displacement is quadratic"),
        ("lemma-H.8", "random initialization is good"),
        ("lemma-H.8.a", "bounded at time zero"),
        ("lemma-H.8.b", "deviated at time zero"),
        ("lemma-H.8.c", "not too misaligned at time zero"),
        ("lemma-H.8.d", "distance to the start of the flow"),
        ("lemma-H.9", "one step in the alignment phase"),
        ("lemma-H.9.zone", "the next iterate stays in the inner zone"),
        ("thm-H.10", "alignment is reached"),
        ("thm-H.10.b", "bounds kept until then"),
        ("lemma-H.11", "two steps in the drifting phase"),
        ("lemma-H.11.final", "they are an RMS-drift transition"),
        ("lemma-L.1", "spectral bound on the middle block"),
        ("lemma-L.2", "one step with the old projection"),
        ("lemma-L.3", "displacement of an aligned state"),
        ("lemma-L.4", "building blocks of two steps"),
        ("lemma-L.5", "components of the displacement over two steps"),
        ("lemma-L.6", "drift of the projection and of log-sharpness"),
    ),
    *table(
        "lyu22",
        SPHERE,
        ("lemma-H.12", "working zone on the sphere"),
        ("lemma-H.12.1", "compactness"),
        ("lemma-H.12.2", "PL on the outer zone"),
        ("lemma-H.12.3", "projection defined on the inner zone"),
        ("lemma-H.12.4", "smoothness of the projection"),
        ("lemma-H.12.5", "uniform relative gap"),
        ("lemma-J.6", "quadratic term at the top eigenvector, on the sphere"),
    ),
    *table(
        "lyu22",
        (*SPHERE, SCHEDULER, STATE),
        ("lemma-H.15", "null-space component is quadratic on the sphere"),
        ("lemma-H.17", "good initialization on the sphere"),
        ("lemma-H.18", "one step on the sphere"),
        ("thm-H.19", "alignment on the sphere"),
        ("lemma-H.20", "two steps on the sphere"),
        ("lemma-M.1", "building blocks on the sphere"),
        ("lemma-M.2", "drift on the sphere"),
    ),
    *table(
        "lyu22",
        (ANY, PROCESS),
        ("thm-H.22", "energy stays of the same order"),
        ("thm-H.23", "the process tracks the flow"),
        ("lemma-N.1", "energy change in one transition"),
        ("lemma-N.1.cases", "the same by size of h"),
        ("lemma-N.2", "accumulated h^2"),
        ("lemma-N.3", "energy over an intermediate horizon"),
        ("lemma-N.4", "tracking over an intermediate horizon"),
    ),
    *table(
        "lyu22",
        IN_SPACE,
        ("lemma-I.1", "derivative of the projection map at a minimizer"),
        ("lemma-I.2", "second derivative of the projection map"),
        ("lemma-I.3", "tangential part of the displacement is quadratic"),
    ),
    *table(
        "lyu22",
        (*IN_SPACE, STATE),
        ("lemma-J.1", "one step near a minimizer"),
        ("lemma-J.1.a", "zeroth order"),
        ("lemma-J.1.b", "first order"),
        ("lemma-J.1.c", "second order"),
        ("lemma-J.2", "two steps near a minimizer"),
    ),
    *table(
        "lyu22",
        ON_SPHERE,
        ("lemma-I.4", "derivative of the projection map on the sphere"),
        ("lemma-I.5", "second derivative on the sphere"),
        ("lemma-I.6", "tangential part quadratic on the sphere"),
    ),
    *table(
        "lyu22",
        (*ON_SPHERE, STATE),
        ("lemma-J.4", "one projected step near a minimizer"),
        ("lemma-J.4.b", "zeroth and first order"),
        ("lemma-J.4.c", "second order"),
        ("lemma-J.5", "two projected steps near a minimizer"),
    ),
]

EXCLUDED = {
    "lyu22/thm-C.1": "needs no property of the loss but boundedness: McAllester's theorem",
    "lyu22/lemma-C.3": "needs no loss: the divergence of two Gaussians",
    "lyu22/lemma-K.1": "needs no loss: a scheduler that is fed any gradients of that size",
    "lyu22/lemma-K.2": "needs no loss: a scheduler that is fed any gradients of that size",
}
