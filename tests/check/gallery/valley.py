"""A small loss that satisfies everything; most others are this one with one thing broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .entries import APPLIES, FAIL, FAILS, PLAIN, enter, vector

# (40 + y) x^2/2 + (y - 1)^2/2 + 3 z^2/2.  Sharpness 40 + y on x = 0, with u = e_x and grad S = e_y
# (beta = 1); gradient flow raises y from -1 to 1, past the edge 2/eta = 40 at y = 0, where alpha =
# -grad L . grad S = 1 - y = 1: epsilon = eta sqrt(alpha) = 0.05, delta = sqrt(2).  Exactly
# quadratic along u, so that the limit is 2/eta.  One minimizer, (0, 1, 0), with the eigenvalues 41,
# 3, 1: a manifold of dimension 0, mu = 1 in the limit.
START = vector(0.1, -1.0, 0.5)
AT_THE_EDGE: dict[str, Any] = {"start": START, "learning_rate": 0.05}


CURVATURES, ALONG_X, LOWEST = vector(40, 1, 3), vector(1, 0, 0), vector(0, 1, 0)


def valley(w: Tensor) -> Tensor:
    """In few operations, as it is evaluated millions of times, and in the precision of w."""
    v = w - LOWEST.to(w)
    return torch.dot(CURVATURES.to(w) + w[1] * ALONG_X.to(w), v * v) / 2


def broken(name: str, make: Callable[[], Any], check: str, /, **more: Any) -> None:
    """The valley with one thing broken: ``check`` fails and no other."""
    more = {**AT_THE_EDGE, **more}
    expected = {**PLAIN, check: FAIL, **more.pop("besides", {})}
    enter(name, make, expected, **more)


enter(
    "the valley",
    lambda: valley,
    {**PLAIN},
    **AT_THE_EDGE,
    # C^3, a simple top eigenvalue and alpha > 0; but it does change with the length of w.
    applies={
        "damian23/lemma-2": APPLIES,
        "damian23/lemma-4": APPLIES,
        "lyu22/lemma-3.1": FAILS,
        "lyu22/thm-4.7": FAILS,
    },
)
# Units do not matter.
enter(
    "the valley times 1e10",
    lambda: lambda w: 1e10 * valley(w),
    PLAIN,
    start=START,
    learning_rate=0.05e-10,
)
enter(
    "the valley times 1e-10",
    lambda: lambda w: 1e-10 * valley(w),
    PLAIN,
    start=START,
    learning_rate=0.05e10,
)
# A constant of 1e3 costs digits of the values only: 1e3 eps = 2e-13 against values of some 1.
enter("the valley far above zero", lambda: lambda w: valley(w) + 1e3, PLAIN, **AT_THE_EDGE)
