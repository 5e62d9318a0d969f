"""Hypotheses that theorems of several papers share, each declared once."""

from __future__ import annotations

from eostheory.check.hypotheses import Hypothesis, by_check, measured

C2 = measured(
    "C^2",
    "the loss is twice continuously differentiable",
    "class found by the check smooth, or derived from a sympy expression",
    lambda f: f.smooth(2),
    "smooth",
)
C3 = measured(
    "C^3",
    "the loss is three times continuously differentiable",
    "class found by the check smooth, or derived from a sympy expression",
    lambda f: f.smooth(3),
    "smooth",
)
C4 = measured(
    "C^4",
    "the loss is four times continuously differentiable",
    "class found by the check smooth (Lipschitz third derivative), or derived",
    lambda f: f.smooth(4),
    "smooth",
)
SCALE_INVARIANT = measured(
    "scale-invariant",
    "L(c w) = L(w) for all c > 0",
    "check scale-invariant",
    lambda f: f.sphere.scale_invariance(),
    "scale-invariant",
)
SIMPLE_TOP = by_check(
    "simple top eigenvalue",
    "the top eigenvalue of the Hessian is unique",
    "simple-top-eigenvalue",
)
MINIMIZER = measured(
    "local minimizer",
    "there is a local minimizer",
    "search from several starts",
    lambda f: f.sphere.minimizer(),
    "local-pl",
)
MANIFOLD = measured(
    "minimizer manifold",
    "Gamma is a manifold of local minimizers whose codimension is the rank of the Hessian",
    "check minimizer-manifold",
    lambda f: f.sphere.manifold(),
    "minimizer-manifold",
)
SIMPLE_ON_GAMMA = measured(
    "simple top eigenvalue on Gamma",
    "lambda_1 > lambda_2 for all theta in Gamma (assumptions 4.6, B.12)",
    "two largest eigenvalues at the minimizers that were found",
    lambda f: f.sphere.simple_at_minimizers(),
    "simple-top-eigenvalue",
)
PL = by_check(
    "local PL",
    "mu-Polyak-Lojasiewicz in a neighbourhood of a local minimizer",
    "local-pl",
    spare=("minimizer-manifold",),
)

ON_SPHERE: tuple[Hypothesis, ...] = (C4, SCALE_INVARIANT, MANIFOLD)
"""lyu22, assumption 4.5."""

IN_SPACE: tuple[Hypothesis, ...] = (C4, MANIFOLD)
"""lyu22, assumption B.11 (with a submanifold of R^D, not of the sphere as printed)."""
