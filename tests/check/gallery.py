"""Losses whose findings are known, and why.

Every entry says what must be found, worked out by hand from the statement of each check.  Most are
the same small loss, :func:`valley`, which satisfies everything, with one thing broken: then exactly
one check fails, and the checks that need it are not applicable.

A check that an entry does not mention has to pass, or to be not applicable because of one that it
needs.  A tuple of statuses leaves open what the theory leaves open, never a failure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from eostheory import strategies
from eostheory.numeric.batchnorm import regression_data
from eostheory.numeric.losses import Draw, scale_invariant
from eostheory.numeric.toys import self_stabilising

PASS, FAIL, NOT_APPLICABLE, UNKNOWN = "pass", "fail", "not-applicable", "unknown"
APPLIES, FAILS = "applies", "fails"
NO_FAILURE = (PASS, NOT_APPLICABLE, UNKNOWN)

Expected = Mapping[str, str | tuple[str, ...]]

PREDICTIONS = (
    "progressive-sharpening",
    "small-epsilon",
    "predicted-dynamics",
    "limiting-sharpness",
)
SPHERICAL = ("sharpness-reduction-flow", "rms-drift")
NETWORK = ("four-phases", "output-norm")

# A function of a flat vector has no output layer; what is not declared is not judged; and a loss
# that was not declared scale-invariant may well not be.
FUNCTION: Expected = dict.fromkeys((*NETWORK, "declared-hessian"), NOT_APPLICABLE)
# An isolated minimizer leaves nothing to move along.
PLAIN: Expected = {
    **FUNCTION,
    **dict.fromkeys(("scale-invariant", *SPHERICAL), NOT_APPLICABLE),
}
# Where the theory says nothing about the run (does it meet the edge? is alpha positive there?).
OPEN: Expected = dict.fromkeys((*PREDICTIONS, *SPHERICAL), NO_FAILURE)
# Of a loss that fails one of these no prediction is tried.
EARLY = (
    "evaluates",
    "deterministic",
    "pure",
    "double-precision",
    "differentiable",
    "gradient",
    "hessian",
)
# Without a lower bound there is no minimizer, which a search cannot prove.
UNBOUNDED: Expected = {
    "minimizer-manifold": UNKNOWN,
    **dict.fromkeys(SPHERICAL, (NOT_APPLICABLE, UNKNOWN)),
}


@dataclass(frozen=True)
class Entry:
    """A loss and what ``check_loss`` has to find.

    Args:
        make: the loss, anew (some of them have state).
        options: keyword arguments of ``check_loss``; data may be a function that loads them.
        expected: status, or statuses, of the checks that do not simply pass or fall with another.
        applies: verdicts on theorems, by id.
        says: words of the message of a check.
        cheap: takes less than three seconds.
        slow: takes minutes.
    """

    name: str
    make: Callable[[], Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    expected: Expected = field(default_factory=dict)
    applies: Mapping[str, str] = field(default_factory=dict)
    says: Mapping[str, str] = field(default_factory=dict)
    cheap: bool = False
    slow: bool = False

    def __str__(self) -> str:
        return self.name

    def arguments(self) -> dict[str, Any]:
        """The options, their data loaded."""
        given = dict(self.options)
        if callable(given.get("data")):
            given["data"] = given["data"]()
        return given


GALLERY: dict[str, Entry] = {}


def enter(name: str, make: Callable[[], Any], expected: Expected = PLAIN, /, **more: Any) -> None:
    """Put an entry into the gallery; ``more`` beyond the fields of an entry are options."""
    assert name not in GALLERY, name
    known = {k: more.pop(k) for k in ("applies", "says", "cheap", "slow") if k in more}
    GALLERY[name] = Entry(name, make, more, expected, **known)


def vector(*values: float) -> Tensor:
    """(D,) float64."""
    return torch.tensor(values, dtype=torch.float64)


# ----------------------------------------------------------------------- one that satisfies it all
# (40 + y) x^2/2 + (y - 1)^2/2 + 3 z^2/2.  Sharpness 40 + y on x = 0, with u = e_x and grad S = e_y
# (beta = 1); gradient flow raises y from -1 to 1, past the edge 2/eta = 40 at y = 0, where alpha =
# -grad L . grad S = 1 - y = 1: epsilon = eta sqrt(alpha) = 0.05, delta = sqrt(2).  Exactly
# quadratic along u, so that the limit is 2/eta.  One minimizer, (0, 1, 0), with the eigenvalues 41,
# 3, 1: a manifold of dimension 0, mu = 1 in the limit.
START = vector(0.1, -1.0, 0.5)
AT_THE_EDGE: dict[str, Any] = {"start": START, "learning_rate": 0.05}


def valley(w: Tensor) -> Tensor:
    x, y, z = w[0], w[1], w[2]
    return (40 + y) * x**2 / 2 + (y - 1) ** 2 / 2 + 3 * z**2 / 2


def broken(name: str, make: Callable[[], Any], check: str, /, **more: Any) -> None:
    """The valley with one thing broken: ``check`` fails and no other."""
    more = {**AT_THE_EDGE, "cheap": check in EARLY, **more}
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


# ------------------------------------------------------------------------------------- evaluation
class Dropout:
    """A loss with a mask that is drawn anew: a module left in training mode."""

    def __call__(self, w: Tensor) -> Tensor:
        return valley(w) + nn.functional.dropout(w, 0.5).square().sum() / 100


class Remembers:
    """A loss with a running mean, which every evaluation moves."""

    def __init__(self) -> None:
        self.mean = torch.zeros((), dtype=torch.float64)

    def __call__(self, w: Tensor) -> Tensor:
        self.mean = 0.9 * self.mean + 0.1 * w[2].detach()
        return valley(w) + (w[2] - self.mean) ** 2


def projects(w: Tensor) -> Tensor:
    """Keeps its weights in a box, by writing to them."""
    w.data.clamp_(-0.25, 0.25)
    return valley(w)


def raises(w: Tensor) -> Tensor:
    if float(w[2]) > 0.9:
        raise ValueError("z is too large")
    return valley(w)


def not_a_number_in_a_corner(w: Tensor) -> Tensor:
    # The run comes from z = 0.5 and goes to z = 0, so that it does not see the corner.
    return torch.where(w[2] > 0.9, math.nan, valley(w))


def single_constant(w: Tensor) -> Tensor:
    # 0.1 in float32 is 0.1 + 1.5e-9: the derivatives are right, of a slightly other loss.
    return valley(w) + (torch.tensor([0.1, 0.2, 0.3]) * w).square().sum() / 10


broken("stochastic dropout", Dropout, "deterministic")
broken("a running mean", Remembers, "deterministic")
broken("a projection in place", lambda: projects, "pure")
broken("NaN in a corner of the domain", lambda: not_a_number_in_a_corner, "finite")
broken("an exception at some points", lambda: raises, "evaluates", says={"evaluates": "z is too"})
broken("a value of shape (1, 1)", lambda: lambda w: valley(w).reshape(1, 1), "evaluates")
broken("a vector of values", lambda: lambda w: valley(w) * w, "evaluates")
broken("a Python float", lambda: lambda w: valley(w).item(), "evaluates")
broken("a complex value", lambda: lambda w: valley(w).to(torch.complex128), "evaluates")
broken("a float32 constant inside", lambda: single_constant, "double-precision")
broken("computed in float32", lambda: lambda w: valley(w.float()), "double-precision")
broken(
    "computed in float32 and returned in float64",
    lambda: lambda w: valley(w.float()).double(),
    "double-precision",
)


# ------------------------------------------------------------------------------------ derivatives
def slope(w: Tensor) -> Tensor:
    """grad valley."""
    x, y, z = w[0], w[1], w[2]
    return torch.stack([(40 + y) * x, x**2 / 2 + y - 1, 3 * z])


class _Wrong(torch.autograd.Function):
    """Coordinate 1 of the gradient is off by 1e-6 of its size."""

    @staticmethod
    def forward(ctx: Any, w: Tensor) -> Tensor:
        ctx.save_for_backward(w)
        return valley(w)

    @staticmethod
    def backward(ctx: Any, out: Tensor) -> Tensor:  # type: ignore[override]
        (w,) = ctx.saved_tensors
        return out * slope(w) * vector(1, 1 + 1e-6, 1)


class _WrongTwice(torch.autograd.Function):
    """A right backward whose own graph misses x^2/2 in the second coordinate."""

    @staticmethod
    def forward(ctx: Any, w: Tensor) -> Tensor:
        ctx.save_for_backward(w)
        return valley(w)

    @staticmethod
    def backward(ctx: Any, out: Tensor) -> Tensor:  # type: ignore[override]
        (w,) = ctx.saved_tensors
        x, y, z = w[0], w[1], w[2]
        return out * torch.stack([(40 + y) * x, x.detach() ** 2 / 2 + y - 1, 3 * z])


class _Once(torch.autograd.Function):
    """A right backward that cannot be differentiated."""

    @staticmethod
    def forward(ctx: Any, w: Tensor) -> Tensor:
        ctx.save_for_backward(w)
        return valley(w)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, out: Tensor) -> Tensor:  # type: ignore[override]
        (w,) = ctx.saved_tensors
        return out * slope(w)


class _WrongThrice(torch.autograd.Function):
    """x^2 whose value is right, and whose third derivative is 2 instead of 0."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx: Any, out: Tensor) -> Tensor:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        return out * _Twice.apply(x)


class _Twice(torch.autograd.Function):
    """2 x with the slope 2 + 2 (x - x.detach()): right, but not its own slope."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return 2 * x

    @staticmethod
    def backward(ctx: Any, out: Tensor) -> Tensor:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        return out * (2 + 2 * (x - x.detach()))


def partly_detached(w: Tensor) -> Tensor:
    """The sharpness is taken for a constant: the slope in y lacks x^2/2."""
    x, y, z = w[0], w[1], w[2]
    return (40 + y.detach()) * x**2 / 2 + (y - 1) ** 2 / 2 + 3 * z**2 / 2


def hessian(w: Tensor) -> Tensor:
    x, y = float(w[0]), float(w[1])
    return torch.tensor([[40 + y, x, 0], [x, 1, 0], [0, 0, 3]], dtype=torch.float64)


broken("a graph cut by detach", lambda: lambda w: valley(w.detach()), "differentiable")
broken("partly detached", lambda: partly_detached, "gradient", says={"gradient": "1"})
broken(
    "a wrong gradient in one coordinate", lambda: _Wrong.apply, "gradient", says={"gradient": "1"}
)
# Its Hessian is not symmetric: [[40 + y, x, 0], [0, 1, 0], [0, 0, 3]].
broken("a wrong double backward", lambda: _WrongTwice.apply, "hessian")
broken("a backward for one use", lambda: _Once.apply, "hessian")
broken(
    "a wrong third derivative",
    lambda: lambda w: valley(w) + _WrongThrice.apply(w[2]),
    "third-derivative",
)
enter(
    "the valley with its Hessian declared",
    lambda: valley,
    {**PLAIN, "declared-hessian": PASS},
    **AT_THE_EDGE,
    hessian=hessian,
)
broken(
    "a declared Hessian that is wrong",
    lambda: valley,
    "declared-hessian",
    # A sign in one place, which symmetry does not show.
    hessian=lambda w: hessian(w) * torch.tensor([[1, -1, 1], [-1, 1, 1], [1, 1, 1]]),
)

# torch's fused layer_norm: the third derivative is another one (0.9 of its size off), the first two
# are right.  eps = 0.1 keeps the loss from being scale-invariant or singular.  It does not change
# under w -> w + c: its minimizers come as lines, of rank 3 of 4.
# Without the gains both directions that keep length and mean would have the same curvature at the
# minimizer.
TARGETS, GAINS = vector(0.5, -0.5, 0.3, -0.25), vector(1.0, 2.0, 0.5, 1.5)


def fused(w: Tensor) -> Tensor:
    return ((nn.functional.layer_norm(w, (4,), GAINS, eps=0.1) - TARGETS) ** 2).mean()


enter(
    "a fused layer_norm",
    lambda: fused,
    {**PLAIN, "third-derivative": FAIL},
    start=vector(1.0, -0.5, 0.25, 0.5),
)


def layer_norm(w: Tensor) -> Tensor:
    """The same from elementary operations, whose third derivative is right."""
    centred = w - w.mean()
    return centred / torch.sqrt((centred**2).mean() + 0.1)


# Gradient flow raises the sharpness from 0.7 to 15.3, with alpha > 0 until rounding.
# The sharpness is the same along a line of minimizers.  The Hessian damps grad S: the oscillation
# rests at 0.44 delta and not at delta, from long runs of gradient descent.
enter(
    "a layer_norm of elementary operations",
    lambda: lambda w: ((GAINS * layer_norm(w) - TARGETS) ** 2).mean(),
    {**PLAIN, "limiting-sharpness": NOT_APPLICABLE, "rms-drift": PASS},
    start=vector(1.0, -0.5, 0.25, 0.5),
)


# ------------------------------------------------------------------------------------- smoothness
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


# -------------------------------------------------------------------------------- top eigenvalue
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


# --------------------------------------------------------------------- along the top eigenvector
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


# ------------------------------------------------------------------------------------------ alpha
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


# ------------------------------------------------------------------------------- sets of minimizers
def on_a_line(w: Tensor) -> Tensor:
    """The valley with a free coordinate t, which changes the curvature across: minimizers are
    the line (0, 1, 0, t), the Hessian has rank 3 on it."""
    return valley(w[:3]) + w[3] ** 2 * w[2] ** 2 / 2


def line(t: Tensor) -> Tensor:
    zero = torch.zeros_like(t)
    return torch.cat([zero, zero + 1, zero, t])


def pinched(w: Tensor) -> Tensor:
    """The same without 3 z^2/2: at t = 0 the rank falls to 2."""
    x, y, z, t = w[0], w[1], w[2], w[3]
    return (40 + y) * x**2 / 2 + (y - 1) ** 2 / 2 + t**2 * z**2 / 2


# The minimizers are at y = 1, outside of what is near the start.
LINE: dict[str, Any] = {"start": vector(0.1, -1.0, 0.5, 0.7), "domain": (-2.0, 2.0)}
# The sharpness is 41 all along the line, so that nothing drives a motion along it: the flow rests.
# The oscillation across it, which rms-drift is about, does not need that.
ALONG: Expected = {**PLAIN, "rms-drift": PASS}
enter("a line of minimizers", lambda: on_a_line, ALONG, **{**AT_THE_EDGE, **LINE}, manifold=line)
enter("a line that is not declared", lambda: on_a_line, ALONG, **{**AT_THE_EDGE, **LINE})
broken(
    "a manifold with changing rank",
    lambda: pinched,
    "minimizer-manifold",
    **LINE,
    manifold=line,
)
# Its points (0, 2, 0, t) have the slope y - 1 = 1.
broken(
    "a declared manifold that is wrong",
    lambda: on_a_line,
    "minimizer-manifold",
    **LINE,
    manifold=lambda t: line(t) + vector(0, 1, 0, 0),
)
# z^4 instead of 3 z^2/2: (0, 1, 0) is isolated, its Hessian has rank 2 of 3.
broken(
    "a degenerate minimizer",
    lambda: lambda w: valley(w) - 3 * w[2] ** 2 / 2 + w[2] ** 4,
    "minimizer-manifold",
)
enter(
    "a paraboloid of minimizers",
    lambda: strategies.loss_with_manifold(3, 1),
    # Gradient flow raises the sharpness from 24 to 31, but ends so soon that descent with steps of
    # 2/sharpness may miss every edge.
    {
        **PLAIN,
        **dict.fromkeys(PREDICTIONS[1:], NO_FAILURE),
        **dict.fromkeys(SPHERICAL, PASS),
    },
)


def sine_valley(w: Tensor) -> Tensor:
    """(y - sin 2x)^2/2: |grad|^2 = r^2 (1 + 4 cos^2 2x) >= 2 L, PL with mu = 1 everywhere, and not
    convex.  Minimizers are the curve y = sin 2x, of rank 1 and sharpness 1 + 4 cos^2 2x."""
    return (w[1] - torch.sin(2 * w[0])) ** 2 / 2


enter(
    "PL and not convex",
    lambda: sine_valley,
    # The sharpness falls along gradient flow, so that no edge is met.  Seen from some minimizers
    # the error of the drift changes its sign, and its order does not settle before rounding.
    {
        **PLAIN,
        **dict.fromkeys(PREDICTIONS, (NOT_APPLICABLE, UNKNOWN)),
        **dict.fromkeys(SPHERICAL, PASS),
        "rms-drift": (PASS, UNKNOWN),
        "sub-quadratic": (PASS, FAIL),
    },
    start=vector(0.3, 1.5),
)


# ------------------------------------------------------------------------------ scale invariance
SPHERE: Expected = {**FUNCTION, **OPEN}


def rayleigh(w: Tensor) -> Tensor:
    """<w, A w> / <w, w>: spectrum 1, 2, 4; minimizers +-e_0, isolated on the sphere."""
    return (vector(1, 2, 4) * w**2).sum() / (w**2).sum()


SLANTED = vector(1.0, 0.5, -0.75)
# Gradient flow raises the sharpness from 2.1 to 3.3.  Its oscillation at the edge is hardly damped:
# in long runs amplitudes of 1.05 delta stay for thousands of steps, so that no limit can be asked.
ISOLATED: Expected = {
    **FUNCTION,
    "limiting-sharpness": (NOT_APPLICABLE, UNKNOWN),
    **dict.fromkeys(SPHERICAL, NOT_APPLICABLE),
}
enter("a Rayleigh quotient", lambda: rayleigh, ISOLATED, start=SLANTED)
enter(
    "a Rayleigh quotient, declared",
    lambda: rayleigh,
    ISOLATED,
    start=SLANTED,
    scale_invariant=True,
)
# Changes by 1e-9 |w|^2 with the length, against roundings of some 1e-16.  (Of minimizers nothing is
# asked: in the direction e_0 the loss falls until the hole around 0, so slowly that a search may
# take its slope of 2e-9 |w| for none.)
TINY: Expected = {**FUNCTION, **OPEN, "minimizer-manifold": NO_FAILURE}
enter(
    "not scale-invariant by a tiny term",
    lambda: lambda w: rayleigh(w) + 1e-9 * (w**2).sum(),
    {**TINY, "scale-invariant": FAIL},
    start=SLANTED,
    scale_invariant=True,
    applies={"lyu22/lemma-3.1": FAILS, "damian23/lemma-7": FAILS},
)
# At 0 it has no value, and nothing says that 0 should be left out.
enter(
    "not scale-invariant, not declared",
    lambda: lambda w: rayleigh(w) + 1e-3 * (w**2).sum(),
    {**TINY, "scale-invariant": NOT_APPLICABLE},
    start=SLANTED,
    domain=lambda w: float(torch.linalg.vector_norm(w)) >= 0.2,
)
# sqrt(|w|^2 + 1e-5) in place of |w|: at |w| = 1 the loss changes in the fifth digit.
enter(
    "a normalisation with an epsilon",
    lambda: lambda w: (vector(1, 2, 4) * w**2).sum() / ((w**2).sum() + 1e-5),
    {**TINY, "scale-invariant": FAIL},
    start=SLANTED,
    scale_invariant=True,
)
# One weight that no normalisation follows; the other three must not vanish together.
enter(
    "a bias outside of the normalisation",
    lambda: lambda w: rayleigh(w[:3]) + (w[3] - 1) ** 2,
    {**TINY, "scale-invariant": FAIL},
    start=vector(1.0, 0.5, -0.75, 0.5),
    scale_invariant=True,
    domain=lambda w: float(torch.linalg.vector_norm(w[:3])) >= 0.2,
)

TURN = Draw(1, "cpu").orthogonal(3)


def figure_4(w: Tensor) -> Tensor:
    """lyu22 F: 2 - (x + y)/sqrt(x^2 - xy + y^2), turned; minimizers x = y > 0, where the Hessian is
    3/(x^2 + y^2) [[1, -1, 0], [-1, 1, 0], [0, 0, 0]]; flattest at z = 0."""
    x, y, _ = TURN @ w
    return 2 - (x + y) / torch.sqrt(x**2 - x * y + y**2)


def off_the_axis(w: Tensor) -> bool:
    """On the axis x = y = 0 the loss has no value."""
    x, y, _ = (TURN @ w).tolist()
    return math.hypot(x, y) >= 0.2


enter(
    "lyu22, the 3-D example of figure 4",
    lambda: figure_4,
    SPHERE,
    start=TURN.T @ vector(0.3, 1.3, 1.2),
    learning_rate=0.5,
    weight_decay=0.08,
    scale_invariant=True,
    domain=off_the_axis,
)


def batch_norm_regression() -> Callable[[Tensor], Tensor]:
    """lyu22, section 5: |BN(X w) - y|^2 / n with more dimensions than data, targets that can be
    fitted: the minimizers are X w = c y + b 1, c > 0, a manifold of dimension d - n + 1 on the
    sphere, where the Hessian has rank n - 2."""
    made = regression_data(3, dim=6, count=4, device="cpu")
    y = made.y - made.y.mean()
    y = y / y.square().mean().sqrt()

    def loss(w: Tensor) -> Tensor:
        z = made.x @ w
        z = z - z.mean()
        return (z / z.square().mean().sqrt() - y).square().mean()

    return loss


enter(
    "lyu22, linear regression with batch normalisation",
    batch_norm_regression,
    SPHERE,
    applies={"lyu22/lemma-3.1": APPLIES},
    start=strategies.direction(6, 0),
    scale_invariant=True,
)
enter(
    "a weight-normalised model",
    lambda: scale_invariant("weight-normalised tanh", 4, 2, "cpu"),
    SPHERE,
    start=strategies.direction(4, 1),
    scale_invariant=True,
)
enter(
    "a manifold on the sphere",
    lambda: strategies.spherical_loss_with_manifold(3, 2, 1),
    SPHERE,
)


# --------------------------------------------------------------------- the papers' other examples
def toy(w: Tensor) -> Tensor:
    """damian23 B with eta = 0.05, alpha = beta = 1; it has no minimum (y and z are linear)."""
    return (40 + w[1]) * w[0] ** 2 / 2 - w[1] - w[2]


enter(
    "damian23, the toy model of appendix B",
    lambda: toy,
    # Neither F nor the Hessian damps the oscillation: the determinant of its map at the fixed point
    # is 1 + (eta delta)^2 > 1, so that amplitudes grow slowly and there is no limit.
    {**PLAIN, **UNBOUNDED, "limiting-sharpness": NOT_APPLICABLE},
    # All assumptions hold exactly: lambda_2 = 0, rho_4 = 0, alpha/(|grad L| |grad S|) = 1/sqrt(2).
    applies={"damian23/thm-1": APPLIES, "damian23/lemma-4": APPLIES},
    **{**AT_THE_EDGE, "start": vector(0.1, -1.0, 0.0)},
)


GENERIC = self_stabilising(4, 3, 0.05, device="cpu")


# Section 4 of damian23 at the origin, all other third and fourth derivatives random; along u the
# fourth derivative of this seed is -0.24 (of seed 1 it is +0.09), so that F'' - F'/x = -0.08 x^2.
# Random third derivatives off u are what assumption 5 excludes: the prediction may lose its order.
# Unbounded below, as the fourth derivative is indefinite, with local minimizers perhaps.
enter(
    "damian23, a generic quartic at the edge",
    lambda: GENERIC.function,
    {
        **PLAIN,
        **dict.fromkeys(("predicted-dynamics", "limiting-sharpness", *SPHERICAL), NO_FAILURE),
        "minimizer-manifold": NO_FAILURE,
    },
    # Half a unit of sharpness below the edge: |grad S| = 1, and alpha = 1 raises it.
    start=0.1 * GENERIC.data["u"] - 0.5 * GENERIC.data["gradS"],
    learning_rate=0.05,
)

# A^T W has to be the row that fits both examples: 2 equations in 6 unknowns, of rank 2 wherever
# they hold.
XOR = [[1.0, 0.5], [-0.5, 1.0]]
enter(
    "li22, a two-layer linear network",
    lambda: strategies.two_layer_linear_loss(XOR, [1.0, -1.0], 2),
    # The Hessian at the edge has an eigenvalue of -0.2, a tenth of the sharpness, which assumption
    # 5 excludes; gradient descent that is held there runs away after some 50 steps.
    {
        **PLAIN,
        **dict.fromkeys(("predicted-dynamics", "limiting-sharpness"), NOT_APPLICABLE),
        **dict.fromkeys(SPHERICAL, PASS),
    },
)


class TwoLayerLinear(nn.Module):
    """li22, section 4, as a module: f(x) = A^T W x / sqrt(m)."""

    def __init__(self, features: int, width: int, seed: int) -> None:
        super().__init__()
        draw = Draw(seed, "cpu")
        self.hidden = nn.Linear(features, width, bias=False)
        self.output = nn.Linear(width, 1, bias=False)
        with torch.no_grad():
            self.hidden.weight.copy_(draw.normal(width, features))
            self.output.weight.copy_(draw.normal(1, width))
        self.scale = width**-0.5

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.hidden(x)).squeeze(-1) * self.scale


MODULE: Expected = {
    **OPEN,
    **dict.fromkeys(NETWORK, NO_FAILURE),
    "declared-hessian": NOT_APPLICABLE,
    "scale-invariant": NOT_APPLICABLE,
}
enter(
    "li22, the network as a module",
    lambda: TwoLayerLinear(2, 4, 0),
    # Its sharpness hardly rises (3.1 to 3.3): whether alpha stays positive at the edge is open.
    {**MODULE, **dict.fromkeys((*SPHERICAL, *NETWORK), PASS)},
    data=(torch.tensor(XOR), torch.tensor([1.0, -1.0])),
    criterion=nn.MSELoss(),
)


# ---------------------------------------------------------------------------------- other shapes
def log_sum_exp(w: Tensor) -> Tensor:
    """Convex, with linear growth and one minimizer, 0, where the Hessian is (11/8 ...)."""
    x, y = w[0], w[1]
    return torch.logsumexp(torch.stack([x, -x, 2 * y + x / 2, -2 * y - x / 2]), 0)


# Gradient flow raises the sharpness from 1.0 to 2.2.  delta is 1: the loss along u is no parabola
# there, and the Hessian (its second eigenvalue is 0.46) damps grad S, so that the oscillation rests
# at 0.19 delta in long runs.
enter(
    "log-sum-exp",
    lambda: log_sum_exp,
    {
        **PLAIN,
        "predicted-dynamics": (PASS, NOT_APPLICABLE),
        "limiting-sharpness": NOT_APPLICABLE,
    },
    start=vector(1.0, 0.75),
)


ROWS = Draw(4, "cpu").normal(100, 100) / 10


def hundred(w: Tensor) -> Tensor:
    """sum log cosh <a_j, w> + |w|^2/200, strongly convex: one minimizer, 0."""
    return torch.log(torch.cosh(ROWS @ w)).sum() + (w**2).sum() / 200


enter("a hundred parameters", lambda: hundred, {**PLAIN, **OPEN}, size=100)


# ----------------------------------------------------------------------------- three from outside
def digits(pooled: bool) -> tuple[Tensor, Tensor]:
    """scikit-learn's digits: all of them, or 100 averaged to 4 x 4 pixels."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    x, y = torch.tensor(images / 16, dtype=torch.float32), torch.tensor(labels)
    if pooled:
        x = nn.functional.avg_pool2d(x[:100].reshape(-1, 1, 8, 8), 2).reshape(-1, 16)
        y = y[:100]
    return x, y


def perceptron(*widths: int, activation: Callable[[], nn.Module] = nn.Tanh) -> nn.Module:
    """As ``nn.Linear`` initialises it."""
    layers: list[nn.Module] = []
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), activation()]
    return nn.Sequential(*layers[:-1])


# Separable data: the cross-entropy has no minimizer, its infimum is at infinity, which a search
# cannot prove.  li22 is about squared error.
CLASSIFIER: Expected = {
    **MODULE,
    "minimizer-manifold": UNKNOWN,
    **dict.fromkeys((*SPHERICAL, *NETWORK), NOT_APPLICABLE),
}
enter(
    "a digits classifier",
    lambda: perceptron(16, 6, 10),
    CLASSIFIER,
    data=lambda: digits(True),
    criterion=nn.CrossEntropyLoss(),
)
enter(
    "a digits classifier with ReLU",
    lambda: perceptron(16, 6, 10, activation=nn.ReLU),
    {**CLASSIFIER, "smooth": FAIL},
    data=lambda: digits(True),
    criterion=nn.CrossEntropyLoss(),
)
enter(
    "a digits classifier of full size",
    lambda: perceptron(64, 32, 10),
    CLASSIFIER,
    data=lambda: digits(False),
    criterion=nn.CrossEntropyLoss(),
    slow=True,
)


def weight_normed() -> nn.Module:
    from torch.nn.utils.parametrizations import weight_norm

    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(weight_norm(nn.Linear(2, 1)), nn.Tanh(), nn.Linear(1, 1))


def directions_do_not_vanish(w: Tensor) -> bool:
    """Bias, length g, direction v (2,), output weight, output bias: v / |v| needs |v| > 0."""
    return float(torch.linalg.vector_norm(w[2:4])) >= 0.2


# Scale-invariant in the direction v of the weights, not in their length g, nor in the biases.
INPUTS = Draw(5, "cpu").normal(6, 2).float()
enter(
    "a weight-normalised network",
    weight_normed,
    {**MODULE, "minimizer-manifold": NO_FAILURE},
    data=(INPUTS, torch.sin(2 * INPUTS[:, :1])),
    criterion=nn.MSELoss(),
    domain=directions_do_not_vanish,
)


class LogisticMatrixFactorization(nn.Module):
    """Johnson 2014: implicit feedback r_ui with the weights 1 + alpha r_ui, a bias per user and
    per item, and a penalty on the factors."""

    def __init__(self, users: int, items: int, rank: int) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(2)
            self.users, self.items = nn.Embedding(users, rank), nn.Embedding(items, rank)
            self.user_bias, self.item_bias = nn.Embedding(users, 1), nn.Embedding(items, 1)

    def forward(self, pairs: Tensor) -> Tensor:
        u, i = pairs[:, 0], pairs[:, 1]
        bias = self.user_bias(u) + self.item_bias(i)
        return (self.users(u) * self.items(i)).sum(-1) + bias.squeeze(-1)


class LogisticLoss(nn.Module):
    """Mean of the weighted logistic loss over the pairs."""

    def forward(self, score: Tensor, count: Tensor) -> Tensor:
        positive = 2.0 * count
        return ((1 + positive) * nn.functional.softplus(score) - positive * score).mean()


PAIRS = torch.cartesian_prod(torch.arange(3), torch.arange(2))
COUNTS = torch.tensor([2, 0, 1, 0, 3, 4.0])
# Biases and a factor fit any six scores.  (1 + p) s(x) = p where p > 0, but for p = 0 the score
# goes to minus infinity, so that again there is no minimizer.
enter(
    "logistic matrix factorization",
    lambda: LogisticMatrixFactorization(3, 2, 1),
    {
        **MODULE,
        "minimizer-manifold": UNKNOWN,
        **dict.fromkeys((*SPHERICAL, *NETWORK), NOT_APPLICABLE),
    },
    data=(PAIRS, COUNTS),
    criterion=LogisticLoss(),
)
