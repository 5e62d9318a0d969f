"""Losses that break one hypothesis: smoothness, a simple top eigenvalue, the sign of a number."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from eostheory import strategies

from .entries import (
    APPLIES,
    FAIL,
    FAILS,
    FUNCTION,
    NO_FAILURE,
    NOT_APPLICABLE,
    PASS,
    PLAIN,
    UNBOUNDED,
    enter,
    vector,
)
from .valley import AT_THE_EDGE, START, broken, valley


# --------------------------------------------------------------------------------------- smoothness
# Kinks in z at 0.3, away from the minimizer z = 0 and not on the domain's edge; one-sided
# derivatives are right on both sides, so that only `smooth` can tell.  The run crosses 0.3 once.
def with_z(term: Callable[[Tensor], Tensor]) -> Callable[[], Callable[[Tensor], Tensor]]:
    return lambda: lambda w: valley(w) + term(w[2] - 0.3)


broken("a ReLU kink", with_z(torch.relu), "smooth", says={"smooth": "C0"})
broken(
    "a discontinuous gradient",
    with_z(lambda s: torch.where(s > 0, 2 * s, s) ** 2 + torch.where(s > 0, s / 2, s / 4)),
    "smooth",
    says={"smooth": "C0"},
)
broken("a jump of the value", with_z(lambda s: 0.1 * (s > 0).double()), "smooth")
broken("C1 only", with_z(lambda s: torch.relu(s) ** 2), "smooth", says={"smooth": "C1"})
broken(
    "C2 only",
    with_z(lambda s: s.abs() ** 3),
    "smooth",
    says={"smooth": "C2"},
    # grad S needs a third derivative.
    applies={"damian23/lemma-2": FAILS, "damian23/thm-1": FAILS},
)
# Third derivative like |s|^(1/2): continuous, not Lipschitz.
broken("C3 only", with_z(lambda s: s.abs() ** 3.5), "smooth", says={"smooth": "C3"})
# Third derivative 24 |s|: Lipschitz, which is what damian23 asks for (assumption 3).
enter(
    "C3 with a Lipschitz third derivative", with_z(lambda s: s**3 * s.abs()), PLAIN, **AT_THE_EDGE
)


# ----------------------------------------------------------------------------------- top eigenvalue
def twin(w: Tensor) -> Tensor:
    """Two directions of sharpness 40 + y."""
    return (40 + w[1]) * (w[0] ** 2 + w[2] ** 2) / 2 + (w[1] - 1) ** 2 / 2


# On x = z = 0, where the run stays, the eigenvalues are 40 + y, 40 + y and 1.
broken("a double top eigenvalue", lambda: twin, "simple-top-eigenvalue", start=vector(0, -1, 0))
# All eigenvalues of a zero Hessian are equal; a linear loss has no minimizer.
enter(
    "a linear loss",
    lambda: lambda w: w[0] - 2 * w[1],
    {**PLAIN, **UNBOUNDED, "simple-top-eigenvalue": FAIL},
    size=2,
)
# Every statement about multiples of w holds for a constant; every point is a minimizer, rank 0.
enter(
    "a constant loss",
    lambda: lambda w: 0 * w.sum() + 3,
    {**FUNCTION, "simple-top-eigenvalue": FAIL},
    size=2,
)
# Without a graph there is nothing to differentiate, and no check of a derivative.
enter(
    "a constant loss without a graph",
    lambda: lambda w: torch.tensor(3.0, dtype=torch.float64),
    {**FUNCTION, "differentiable": NOT_APPLICABLE, "scale-invariant": NO_FAILURE},
    size=2,
)


# ------------------------------------------------------------------------ along the top eigenvector
# F(x) = c x^4: F'' - F'/x = 8 c x^2.  At delta = sqrt(2) that is 16 c = 0.8 of 40.  F adds
# eta F'(x) = O(s^3) to a step where the drive is s^2 alpha and |x| ~ s delta: O(s^2) in 1/epsilon ~
# 1/s steps, so that the errors of theorem 1 keep their order.  The amplitude a oscillates as
# a' = a (y + F'(a)/a) = a (y + a^2/5), y' = 1 - y - a^2/2 (in the time eta k), which rest at a^2 =
# 10/3, y = -2/3 with the slopes (4/3, a; -a, -1): their trace is positive, so that this repels and
# there is no limit.
broken(
    "a super-quadratic quartic",
    lambda: lambda w: valley(w) + 0.05 * w[0] ** 4,
    "sub-quadratic",
    besides={"limiting-sharpness": NOT_APPLICABLE},
)
# damian23 F's own example, F = -rho x^4/24 along u, with the rest of the toy of B: the limit is
# below 2/eta, by rho delta^2/3.
enter(
    "damian23, a sub-quadratic toy as in appendix F",
    lambda: lambda w: (40 + w[1]) * w[0] ** 2 / 2 - 0.05 * w[0] ** 4 - w[1] - w[2],
    {**PLAIN, **UNBOUNDED},
    **{**AT_THE_EDGE, "start": vector(0.1, -1.0, 0.0)},
)
# Where the Hessian damps grad S (here by 1), the orbit of period two is not at x = delta: with the
# drive s^2, y = 0.08 a^2 and a^2 = 2 (s^2 - y), a = 0.93 s delta however small s is.  The formula
# of appendix F leaves that out (section 4 has grad S in the kernel): it says nothing here.
enter(
    "a sub-quadratic valley",
    lambda: lambda w: valley(w) - 0.02 * w[0] ** 4,
    {**PLAIN, "limiting-sharpness": NOT_APPLICABLE},
    **AT_THE_EDGE,
)


# -------------------------------------------------------------------------------------------- alpha
def downhill(w: Tensor) -> Tensor:
    """y falls from -1 to -3, and the sharpness 40 + y with it: alpha = -(y + 3) < 0."""
    return (40 + w[1]) * w[0] ** 2 / 2 + (w[1] + 3) ** 2 / 2 + 3 * w[2] ** 2 / 2


enter(
    "negative alpha",
    lambda: downhill,
    {**PLAIN, "progressive-sharpening": FAIL},
    start=START,
    applies={"damian23/lemma-2": APPLIES, "damian23/lemma-4": FAILS, "damian23/thm-1": FAILS},
)
# grad S = 0, so that alpha = 0 everywhere: assumption 1 of damian23 asks for alpha > 0.
enter(
    "a quadratic",
    lambda: strategies.quadratic_loss([3.0, 1.0, 0.5]),
    {**PLAIN, "declared-hessian": PASS, "progressive-sharpening": FAIL},
)
# In one dimension grad S is along u: on the stable set S <= 2/eta, grad L . u = 0 nothing is left
# of the gradient, so that alpha = 0.  log cosh is sub-quadratic, with S = 1/cosh^2.
enter(
    "one parameter",
    lambda: lambda w: torch.log(torch.cosh(w[0])),
    {**PLAIN, "progressive-sharpening": FAIL},
    start=vector(1.0),
)
