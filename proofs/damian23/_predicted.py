"""The predicted dynamics of section 5 and appendix C: letters for four steps, and real runs.

Times are 0, 1, 2, 3 for formulas with all their sums and products written out, and t, t + 1 for
the step of the induction that carries them to every time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from eostheory.agree import Measured, Sample
from eostheory.formula import Expr, Symbol, dot, eye, matrix, norm2, scalar, vector
from eostheory.numeric import autodiff
from eostheory.numeric.losses import Draw

from ._common import D, eta
from ._flow import Table
from ._losses import drawn_loss
from ._section4_runs import exact, inner

if TYPE_CHECKING:
    from eostheory.symbolic import Model

TIMES = range(4)
Tail = Callable[["Time", "Time"], Expr]
"""The term along the next eigenvector."""


@dataclass(frozen=True)
class Time:
    """Everything that belongs to one time."""

    u: Symbol
    H: Symbol
    gradS: Symbol
    perp: Symbol
    P: Symbol
    A: Symbol
    delta: Symbol
    v: Symbol
    x: Symbol
    y: Symbol

    @staticmethod
    def named(name: str, index: str) -> Time:
        """The letters with this suffix and this printed index."""

        def at(letter: str) -> str:
            return f"{letter}_{{{index}}}"

        return Time(
            vector(f"u{name}", D, at("u")),
            matrix(f"H{name}", D, D, at(r"\nabla^2 L"), symmetric=True),
            vector(f"gradS{name}", D, at(r"\nabla S")),
            vector(f"gradS_perp{name}", D, at(r"\nabla S") + r"^\perp"),
            matrix(f"P{name}", D, D, rf"P_{{u_{{{index}}}}}^\perp", symmetric=True),
            matrix(f"A{name}", D, D, at("A")),
            scalar(f"delta{name}", at(r"\delta"), positive=True),
            vector(f"v{name}", D, at(r"\dot v")),
            scalar(f"x{name}", at(r"\dot x")),
            scalar(f"y{name}", at(r"\dot y")),
        )

    @property
    def drive(self) -> Expr:
        """``(delta^2 - x^2)/2``."""
        return (self.delta**2 - self.x**2) / 2

    @property
    def factor(self) -> Expr:
        """The matrix ``A`` as the paper defines it."""
        return (eye(D) - eta * self.H) @ self.P


first, second, third, fourth = at_times = tuple(Time.named(f"_{k}", str(k)) for k in TIMES)
now, after = Time.named("_t", "t"), Time.named("_next", "t+1")

v_0 = vector("v_start", D, "v_0")
before_sum = vector("sum_before", D, r"\sum_{s<t}[\cdot]")
whole_sum = vector("sum_now", D, r"\sum_{s\le t}[\cdot]")
responses = scalar("response_sum", r"\sum_{s\le t}\beta_{s\to t}\frac{\delta_s^2-\dot x_s^2}{2}")
x_before = scalar("x_before", r"(1+\eta\dot y_{t-1})\dot x_{t-1}")
response = {
    (s, t): scalar(f"beta_{s}_{t}", rf"\beta_{{{s}\to {t}}}")
    for s, t in ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2))
}
"""``beta_{s -> t}``."""


def update(t: Time, nxt: Time, tail: Expr | None = None) -> Expr:
    """The right-hand side of eq. (6); ``tail`` replaces the term along the next eigenvector."""
    along = -(((1 + eta * t.y) * t.x) * nxt.u) if tail is None else tail
    turned = nxt.P @ (eye(D) - eta * t.H) @ t.P @ t.v
    return turned + eta * t.drive * (nxt.P @ t.perp) + along


# -------------------------------------------------------------------------------- derivation
def frame(m: Model, *times: Time) -> None:
    """Unit eigenvectors, the projections off them, A, and the projected gradients of S.

    Of P only what makes it a projection off u is used; x, y and delta are coefficients.
    """
    for t in times:
        m.relation(norm2(t.u), 1, by="unit eigenvector")
        m.relation(t.P @ t.P, t.P, by="projection")
        m.relation(t.P @ t.u, 0 * t.u, by="projection")
        m.define(t.perp, t.P @ t.gradS)
        m.define(t.A, t.factor)


def iterate(m: Model, tail: Tail | None = None) -> None:
    """Eq. (6) three times from v_0, which lies along u_0 unless that is withheld."""
    frame(m, *at_times)
    m.define(first.v, v_0)
    m.relation(v_0, first.x * first.u, by="start along u")
    for t, nxt in pairwise(at_times):
        m.define(nxt.v, update(t, nxt, tail and tail(t, nxt)))
    m.define(second.y, dot(second.perp, second.v))
    m.define(fourth.y, dot(fourth.perp, fourth.v))
    m.step("eq. (6) from v_0, three times")
    m.example(in_the_plane(along="start along u" not in m.withheld))


def in_the_plane(along: bool) -> Table:
    """Eq. (6) in two dimensions with u_k = e_1, from a start that is along u_0 or not."""
    v = [Fraction(1), Fraction(0 if along else 1)]
    table: Table = {v_0: tuple(v), eta: 1, **on_axis(now), **on_axis(after), before_sum: (1, 2)}
    for t in at_times:
        x, y = v[0], v[1]
        table |= {**on_axis(t), t.x: x, t.y: y}
        v = [-(1 + y) * x, v[1] / 2 + (1 - x**2) / 2]
    return table | {now.x: 1, now.y: 1, x_before: -1}


def on_axis(t: Time) -> Table:
    """u = e_1, grad S = (1, 1), eta H = diag(2, 1/2), delta = 1."""
    return {
        t.u: (1, 0),
        t.P: ((0, 0), (0, 1)),
        t.H: ((2, 0), (0, Fraction(1, 2))),
        t.gradS: (1, 1),
        t.delta: 1,
    }


def induction(m: Model, tail: Tail | None = None) -> None:
    """Eq. (6) once, from a displacement of the form of eq. (9)."""
    frame(m, now, after)
    m.step("v_t has the form of eq. (9): eta P sum - (1 + eta y) x u, by induction")
    m.define(now.v, eta * (now.P @ before_sum) - x_before * now.u)
    m.define(after.v, update(now, after, tail and tail(now, after)))
    m.define(after.x, dot(after.u, after.v))
    m.define(after.y, dot(after.perp, after.v))
    m.define(whole_sum, now.A @ before_sum + now.drive * now.perp)
    m.step("every product of the sum at t - 1 gains the factor A_t on its left; s = t is new")


def define_responses(m: Model) -> None:
    """``beta_{s -> t}`` as definition 4 prints it."""

    def between(s: Time, *steps: Time, end: Time) -> Expr:
        moved: Expr = s.perp
        for t in steps:
            moved = t.factor @ moved
        return dot(end.perp, moved)

    m.define(response[0, 0], between(first, end=second))
    m.define(response[0, 1], between(first, second, end=third))
    m.define(response[0, 2], between(first, second, third, end=fourth))
    m.define(response[1, 2], between(second, third, end=fourth))
    m.define(response[2, 2], between(third, end=fourth))


# -------------------------------------------------------------------------------- simulation
def zeros(dim: int) -> Measured:
    """The zero vector."""
    return Measured(np.zeros(dim), np.zeros(dim))


@dataclass(frozen=True)
class Reading:
    """Taylor data of a loss at one point, by autograd."""

    u: Measured
    H: Measured
    gradS: Measured
    gradL: Measured

    @property
    def P(self) -> Measured:
        """The projection off u."""
        n = len(np.asarray(self.u.value))
        value, error = np.asarray(self.u.value), np.asarray(self.u.error)
        wide = np.outer(np.abs(value), error)
        off = wide + wide.T + np.outer(error, error) + 2.0**-50 * np.ones((n, n))
        return Measured(np.eye(n) - np.outer(value, value), off)


def taylor_data(sample: Sample, count: int, largest: int = 7) -> tuple[float, list[Reading]]:
    """Autograd on a drawn loss at points near its reference point (a stand-in for a trajectory).

    The dynamics take Taylor data as they are, so they are exact inputs here, save for u, which
    is of length one only up to rounding.
    """
    loss = drawn_loss(sample, kernel=False, largest=largest)
    draw = Draw(sample.draw(st.integers(0, 2**20), "points"))
    found = []
    for _ in range(count):
        point = loss.star + 0.1 / loss.dim * draw.normal(loss.dim)
        h = autodiff.hessian(loss.loss, point)
        pair = autodiff.top_eigenpair((h + h.T) / 2)
        slope = autodiff.third(loss.loss, point, pair.vector, pair.vector)
        axis = Measured(pair.vector.numpy(), np.full(loss.dim, 2.0**-50))
        gradient = autodiff.gradient(loss.loss, point)
        found.append(Reading(axis, exact((h + h.T) / 2), exact(slope), exact(gradient)))
    return loss.eta, found


def factor(rate: float, reading: Reading) -> Measured:
    """``A = (I - eta H) P``."""
    n = len(np.asarray(reading.u.value))
    return (Measured(np.eye(n), np.zeros((n, n))) - rate * reading.H) @ reading.P


class Run:
    """Eq. (6) iterated on Taylor data from a start, and everything it passes."""

    def __init__(
        self,
        rate: float,
        readings: list[Reading],
        widths: list[float],
        pull: Callable[[Measured], Measured] | None = None,
    ) -> None:
        self.pull = pull
        self.rate, self.readings, self.widths = rate, readings, widths
        self.perps = [r.P @ r.gradS for r in readings]
        self.factors = [factor(rate, r) for r in readings]
        self.v: list[Measured] = []
        self.x: list[Measured] = []
        self.y: list[Measured] = []
        self.drives: list[Measured] = []

    def start(self, v: Measured) -> None:
        """Run from ``v`` to the last time."""
        for k, reading in enumerate(self.readings):
            self.v.append(v)
            self.x.append(inner(reading.u, v))
            self.y.append(inner(self.perps[k], v))
            self.drives.append(0.5 * (self.widths[k] ** 2 - self.x[k] * self.x[k]))
            if k + 1 < len(self.readings):
                v = self.step(k, v)

    def step(self, k: int, v: Measured) -> Measured:
        """Eq. (6) from time k."""
        pulled = self.factors[k] @ v + (self.rate * self.drives[k]) * self.perps[k]
        kick = (1.0 + self.rate * self.y[k]) * self.x[k]
        if self.pull is not None:
            kick = kick + self.rate * self.pull(self.x[k])
        return self.readings[k + 1].P @ pulled - kick * self.readings[k + 1].u

    def chain(self, s: int, t: int) -> Measured:
        """``A_t ... A_{s+1} grad S_s^perp``: the product as a matrix first."""
        size = len(np.asarray(self.perps[s].value))
        product = Measured(np.eye(size), np.zeros((size, size)))
        for k in range(s + 1, t + 1):
            product = self.factors[k] @ product
        return product @ self.perps[s]

    def carried(self) -> Measured:
        """What is left of v_0 after three steps: eq. (9) at t - 1 holds with this term only."""
        left = self.v[0]
        for k in range(3):
            left = self.factors[k] @ left
        return left

    def table(self, k: int, letters: Time) -> Table:
        """The observations of time k under the given letters."""
        r = self.readings[k]
        return {
            letters.u: r.u,
            letters.H: r.H,
            letters.gradS: r.gradS,
            letters.perp: self.perps[k],
            letters.P: r.P,
            letters.A: self.factors[k],
            letters.delta: self.widths[k],
            letters.v: self.v[k],
            letters.x: self.x[k],
            letters.y: self.y[k],
        }


def drawn_run(
    sample: Sample, along: bool = True, pull: Callable[[Measured], Measured] | None = None
) -> Run:
    """Four steps on real Taylor data, from a start along u_0 or anywhere."""
    rate, readings = taylor_data(sample, len(TIMES))
    draw = Draw(sample.draw(st.integers(0, 2**20), "start"))
    widths = [float(w) for w in draw.uniform(0.3, 1.5, len(TIMES))]
    run = Run(rate, readings, widths, pull)
    axis = readings[0].u
    if along:
        run.start(float(draw.uniform(0.3, 1.2, 1)[0]) * axis)
    else:
        run.start(exact(draw.normal(len(np.asarray(axis.value)))))
    return run


def observe_run(sample: Sample, start_matters: bool = True) -> None:
    """The run at the written-out times, and its last step as the step of the induction."""
    along = not start_matters or sample.holds("start along u")
    sample.observe(written_out(drawn_run(sample, along=along), along))


def written_out(run: Run, along: bool) -> Table:
    """What one run gives for every letter."""
    table: Table = {eta: run.rate, v_0: run.v[0]}
    for k, letters in enumerate(at_times):
        table |= run.table(k, letters)
    table |= run.table(2, now) | run.table(3, after)
    for s, t in response:
        table[response[s, t]] = inner(run.perps[t + 1], run.chain(s, t))
    total = zeros(len(np.asarray(run.v[0].value)))
    for s in range(3):
        total = total + run.drives[s] * run.chain(s, 2)
    if not along:
        total = total + (1 / run.rate) * run.carried()
    answers = inner(run.perps[3], total)
    return table | {whole_sum: total, responses: answers}
