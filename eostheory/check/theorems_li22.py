"""The theorems of li22 (sharpness along the trajectory) and what they assume of a loss.

Section 3 is about networks with a linear output layer under assumptions 3.1 to 3.7, which are
taken literally: "D follows gradient flow" is not met by gradient descent, only nearly.
"""

from __future__ import annotations

from eostheory.check.hypotheses import Hypothesis, Theorem, chosen, measured, table

SETTING = measured(
    "network with squared error",
    "f(theta, x) is a real number, the loss is the mean squared error",
    "module, outputs and targets; a negative value of a function refutes it",
    lambda f: f.network.setting,
)
HEAD = measured(
    "linear output layer",
    "f(x) = A' h(W, x)",
    "outputs with twice the weights of the output layer",
    lambda f: f.network.output_layer(),
)
SIGNS = measured(
    "labels +1 and -1", "y_i = +-1", "the targets", lambda f: f.network.signs()
)  # fmt: skip
SILENT = measured(
    "F(0) = 0",
    "the outputs vanish at the start",
    "outputs at the start",
    lambda f: f.network.silent_start(),
)
FIRST_ORDER = measured(
    "assumption 3.2",
    "D(t+1) - D(t) = -eta M(t) D(t), |A(t+1)|^2 - |A(t)|^2 = -(4 eta/n) D(t).F(t)",
    "the first step of gradient descent",
    lambda f: f.network.first_order(),
)
FLOW = measured(
    "assumption 3.3",
    "D follows gradient flow while Lambda < 2/eta",
    "the first step of gradient descent against gradient flow",
    lambda f: f.network.flow(),
)
UPPER = measured(
    "assumption 3.4",
    "0 < Lambda(t) <= B/eta unless training diverges",
    "Gram matrix in the first steps",
    lambda f: f.network.bounded(),
)
FIXED = measured(
    "assumption 3.5 (i)",
    "the eigenvectors of M(t) are fixed",
    "commutator of M(0) and M(t) in the first steps",
    lambda f: f.network.fixed_eigenvectors(),
)
SLOW = measured(
    "assumption 3.5 (ii)",
    "F . dv_i/dt < lambda_i D . v_i for all i, condition (20)",
    "eigenvectors of M(t) in the first steps",
    lambda f: f.network.slow_eigenvectors(),
)
TOP_SLOW = measured(
    "assumption 3.5 (iii)",
    "<v_1(t), v_1(t+1)> >= 1 - eps_2",
    "top eigenvector of M(t) in the first steps; fails below 1/2",
    lambda f: f.network.top_turns_slowly(),
)
ON_TOP = measured(
    "assumption 3.6",
    "D . v_1 >= c sqrt(2 eps_2) |D| with c > 1 at every step of the phase (as corrected)",
    "residual when Phase II begins",
    lambda f: f.network.residual_on_top(),
)
OTHERS = measured(
    "assumption 3.7",
    "all eigenvalues of M(t) but the top one are below 1/eta",
    "Gram matrix in the first steps",
    lambda f: f.network.others_below(),
)
FULL = measured(
    "lambda_min(M) > 0",
    "the smallest eigenvalue of M(t) is above some lambda_r > 0",
    "Gram matrix in the first steps",
    lambda f: f.network.full_rank(),
)
NONZERO = measured(
    "D(0) . v_i(0) > 0",
    "the residual at the start has a part along every eigenvector",
    "Gram matrix at the start",
    lambda f: f.network.residual_signs(),
)
LONG = chosen(
    "|D| > |Y|", "the residual is longer than the labels", "for steps t with |D(t)| > |Y|"
)
BELOW = chosen("Lambda < 2/eta", "the sharpness is below 2/eta", "for steps t with Lambda < 2/eta")
PHASE_I = chosen("Phase I", "t is in Phase I", "for steps of Phase I")
RAISED = chosen(
    "Lambda = (2 + tau)/eta",
    "tau > 1/(1 - eps_2 - 1/c) - 1",
    "for steps at which the sharpness is that much above 2/eta",
)

LINEAR = measured(
    "two-layer linear network",
    "f(x) = A'W x/sqrt(m) with the mean squared error",
    "outputs at random weights; a function whose rays are no a - b s^2 + c s^4 is none",
    lambda f: f.linear.recognised(),
)
REALIZABLE = measured(
    "labels that weights fit",
    "Y' = A*'W* X for some A*, W*",
    "labels off the row space of X",
    lambda f: f.linear.realizable(),
)
SYMMETRIC = measured(
    "symmetric start",
    "a_q = +-1, the sum of w_q w_q' is (m/d) I, F(0) = 0",
    "the start",
    lambda f: f.linear.symmetric_start(),
)
RATE = measured(
    "learning rate (5)",
    "eta < n d/((d+1) lambda_1)",
    "learning rate and X'X",
    lambda f: f.linear.rate(),
)
GAP = measured(
    "assumption C.1",
    "lambda_i <= chi lambda_(i+1) for some chi, and lambda_1 >= 2 lambda_2, of X'X",
    "eigenvalues of X'X",
    lambda f: f.linear.gap(),
)
SPREAD = measured(
    "assumption C.2",
    "min z_i/sqrt(n) >= kappa = Omega(1/r)",
    "parts of the labels along the eigenvectors of X'X",
    lambda f: f.linear.labels_spread(),
)
GAMMA = measured(
    "assumption C.3",
    "|Gamma(t)| <= c_2/m at any time",
    "gradient descent in closed form, some hundred steps",
    lambda f: f.linear.gamma_bounded(),
)
COMPONENT = measured(
    "assumption C.4",
    "|D . v_1| > c_3 sqrt(n)/m when Phase II begins",
    "gradient descent in closed form, some hundred steps",
    lambda f: f.linear.top_component(),
)
SHARPNESS = measured(
    "assumption C.5",
    "Lambda <= (4/eta)(1 - beta)",
    "gradient descent in closed form, some hundred steps",
    lambda f: f.linear.sharpness_bounded(),
)
WIDE = measured(
    "wide enough",
    "m = Omega(c_1 n^2/lambda_r^2)",
    "m lambda_r^2/(c_1 n^2), held from the 112 of the proof on",
    lambda f: f.linear.width(named=False),
)
WIDE_112 = measured(
    "m >= 112 c_1 n^2/lambda_r^2",
    "m >= 112 c_1 n^2/lambda_r^2",
    "m, n and X'X",
    lambda f: f.linear.width(named=True),
)
MANY_C4 = measured(
    "n of lemma C.4",
    "n > (70 lambda_r + 25 lambda_r^2)/(196 kappa^2 min(a_1 - a_1^2, a_2 - a_2^2))",
    "n, X'X and the labels, for the best a_1, a_2",
    lambda f: f.linear.samples_c4(),
)
MANY_C6 = measured(
    "n of lemma C.6",
    "n > (70 lambda_r + 25 lambda_r^2)/(98 kappa^2 min(e^(-1/chi) - e^(-2/chi), "
    "eta c_1 (1 - eta c_1)))",
    "n, X'X, the labels and the learning rate",
    lambda f: f.linear.samples_c6(),
)
ACCURACY = chosen(
    "accuracy epsilon",
    "n = Omega(lambda_r^2/(kappa^4 epsilon^2)) for the epsilon at which the claim ends",
    "for epsilon large enough for this n, while |D|^2 >= O(epsilon^2) and |M*| <= 1/eta",
)
SIZES = measured(
    "n and m large enough",
    "n > C_1 lambda_r eta, m > max(C_2 d^2 n^2/lambda_r^2, C_3 eta) for some constants",
    "never held: the constants are not named",
    lambda f: f.linear.sizes(),
)
WIDE_C8 = measured(
    "m of lemma C.8",
    "m >= eta c_2 (d + 1)",
    "m, and c_2 of the run",
    lambda f: f.linear.width_c8(),
)
WIDE_C9 = measured(
    "m of lemma C.9",
    "m > 3 eta c_2/(2d/(d+1) - 2 c_5) and m > eta c_2/(2 beta - c_5)",
    "m, c_2 and beta of the run, small c_5",
    lambda f: f.linear.width_c9(),
)

NETWORK = (SETTING, SIGNS)
DATA: tuple[Hypothesis, ...] = (LINEAR, SIGNS, REALIZABLE, SYMMETRIC, RATE)
GROWTH = (*DATA, GAP, SPREAD, WIDE, ACCURACY)
BEFORE = (*DATA, WIDE_112)
EDGE = (*DATA, GAP, GAMMA, SHARPNESS, COMPONENT, SIZES)

THEOREMS: list[Theorem] = [
    *table(
        "li22",
        (*NETWORK, SILENT, FIXED, FLOW, PHASE_I),
        ("lemma-3.1", "residual and output have a negative product in Phase I"),
        ("lemma-E.1", "lemma 3.1"),
    ),
    *table(
        "li22",
        (*NETWORK, FIRST_ORDER, TOP_SLOW, ON_TOP, RAISED),
        ("lemma-3.2.a", "the residual's top component grows in a step above 2/eta"),
        ("lemma-3.2.b", "it grows geometrically"),
        ("lemma-3.2.d", "it grows from t_0 on"),
        ("lemma-E.2", "lemma 3.2"),
    ),
    *table(
        "li22",
        (*NETWORK, HEAD, FIRST_ORDER, LONG),
        ("prop-3.2", "the output layer shrinks while |D| > |Y|"),
        ("prop-E.2", "proposition 3.2"),
    ),
    *table("li22", (*NETWORK, BELOW), ("lemma-3.3", "I - eta M contracts below 2/eta")),
    *table(
        "li22",
        (*NETWORK, FIRST_ORDER, BELOW),
        ("lemma-3.3.b", "the residual shrinks below 2/eta"),
        ("lemma-E.3", "lemma 3.3"),
    ),
    *table(
        "li22",
        (*NETWORK, FIRST_ORDER, UPPER, TOP_SLOW),
        ("lemma-3.4", "R follows I - eta M up to the rotation of v_1"),
        ("lemma-E.4", "lemma 3.4"),
    ),
    *table(
        "li22",
        (*NETWORK, FIRST_ORDER, UPPER, TOP_SLOW, OTHERS, FULL),
        ("lemma-3.5", "R stays close to the auxiliary sequence"),
        ("lemma-E.5", "lemma 3.5"),
    ),
    *table(
        "li22",
        (*NETWORK, SILENT, FIRST_ORDER, FIXED, OTHERS, PHASE_I),
        ("lemma-E.6", "the auxiliary sequence has a negative product with itself plus labels"),
    ),
    *table(
        "li22",
        (*NETWORK, SILENT, FLOW, SLOW, NONZERO),
        ("lemma-E.7", "the product stays negative under slowly moving eigenvectors"),
    ),
    *table(
        "li22",
        GROWTH,
        ("thm-1", "progressive sharpening of two-layer linear networks"),
        ("thm-3", "the same, with all conditions"),
        ("thm-3.a", "the surrogate sharpness grows before t_0"),
        ("thm-3.b", "Gamma is O(1/m) before t_0"),
    ),
    *table(
        "li22",
        EDGE,
        ("thm-2.1", "a sharpness above the raised threshold comes back below it"),
        ("thm-2.2", "the top component grows above the raised threshold"),
        ("thm-2.3", "R stays close to its projected counterpart"),
        ("thm-4", "the same three, with all conditions"),
        ("thm-4.1", "sharpness returns below the raised threshold"),
        ("thm-4.2", "growth of the top component above it"),
        ("thm-4.3", "distance between R and its projected counterpart"),
        ("lemma-C.10", "distance between R and the projected sequence"),
        ("lemma-C.11", "growth of the top component"),
        ("lemma-C.12", "a large top component makes the surrogate sharpness drop"),
        ("lemma-C.13", "the sharpness falls back"),
    ),
    *table(
        "li22",
        (LINEAR,),
        ("lemma-C.1", "exact update of the residual"),
        ("lemma-C.2", "exact update of the Gram matrix"),
        ("lemma-C.7", "exact increment of the surrogate sharpness"),
        ("lemma-E.8", "lemma C.1"),
        ("lemma-E.9", "lemma C.2"),
        ("lemma-E.11", "lemma C.7"),
        ("lemma-E.12", "exact update of R"),
    ),
    *table(
        "li22",
        (LINEAR, REALIZABLE, SILENT),
        ("lemma-E.10", "labels and residual are orthogonal to the kernel of X"),
    ),
    *table(
        "li22",
        (*DATA, GAP, GAMMA),
        ("cor-C.1", "the top eigenvector of M is nearly v_1"),
        ("cor-C.2.a", "the top eigenvector of M is nearly v_1"),
    ),
    *table(
        "li22",
        (*DATA, GAMMA),
        ("cor-C.2.b", "the surrogate is within 2 c_2/m of the sharpness"),
    ),
    *table(
        "li22",
        BEFORE,
        ("lemma-C.3.1", "output norm and Gamma before 1/eta"),
        ("lemma-C.3.2", "the residual is a decoupled product plus a small error"),
        ("lemma-C.3.3", "smallest eigenvalues bounded below"),
    ),
    *table(
        "li22",
        (*BEFORE, GAP, SPREAD, MANY_C4),
        ("lemma-C.4", "negative product while a decay factor is strictly between 0 and 1"),
    ),
    *table(
        "li22", (*DATA, GAP), ("lemma-C.5", "the band condition holds on a time interval")
    ),
    *table(
        "li22",
        (*BEFORE, GAP, SPREAD, MANY_C6, ACCURACY),
        ("lemma-C.6", "the surrogate sharpness grows until the residual is small"),
    ),
    *table(
        "li22",
        (*DATA, GAMMA, WIDE_C8),
        ("lemma-C.8", "M* is nearly between consecutive Gram matrices"),
    ),
    *table(
        "li22",
        (*DATA, GAP, GAMMA, SHARPNESS),
        ("cor-C.3", "M* splits into a multiple of X'X and a small part"),
    ),
    *table(
        "li22",
        (*DATA, GAP, GAMMA, SHARPNESS, WIDE_C9),
        ("lemma-C.9", "the residual is O(sqrt(n m))"),
    ),
]  # fmt: skip

EXCLUDED = {
    "li22/lemma-3.2.c": "needs no loss: an inequality between tau, eps_2 and c",
    "li22/prop-3.1": "holds for every loss: |D| > |Y| gives D.F > 0 for F = D + Y, by algebra",
    "li22/prop-E.1": "holds for every loss: |D| > |Y| gives D.F > 0 for F = D + Y, by algebra",
}
