r"""Phase I: the residual follows gradient flow from D(0) = -Y; the eigenvectors are fixed or turn.

Letters belong to a time t; ``v`` is any one eigenvector, lambda its eigenvalue, I the integral of
lambda from 0 to t.  All of them together are the columns of ``V``; diagonal matrices hold one
number per eigenvector:

    p     = diag(exp(-I_i)) = T T,   1 - p = U U   (both have entries in [0, 1])

so that a sum over eigenvectors of numbers g_i (Y.v_i)^2 is <V^T Y, diag(g) V^T Y>.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from hypothesis import strategies as st

from eostheory.agree import Measured
from eostheory.formula import (
    Equation,
    Inequality,
    as_expr,
    dot,
    exp,
    eye,
    matrix,
    norm2,
    scalar,
    vector,
)

from ._linear_runs import orthonormal, seed_of
from ._phase import D, F, M, Y, zero

if TYPE_CHECKING:
    from collections.abc import Callable

    from eostheory.agree import Sample
    from eostheory.symbolic import Model

v = vector("v_i", "n", r"\mathbf v_i")
v_dot = vector("v_i_dot", "n", r"\frac{d\mathbf v_i}{dt}")
lam = scalar("lambda_i", r"\lambda_i", nonnegative=True)
spent = scalar("I_i", r"\int_0^t\lambda_i", nonnegative=True)
D_0 = vector("D_0", "n", r"\mathbf D(0)")
rate = scalar("rate_i", r"\frac{d\mathbf D^\top\mathbf v_i}{dt}")
rate_F = scalar("rate_F_i", r"\frac{d\mathbf F^\top\mathbf v_i}{dt}")
V = matrix("V", "n", "n", r"\mathbf V")
P = matrix("P", "n", "n", r"\mathrm{diag}(e^{-\int_0^t\lambda_i})", symmetric=True)
T = matrix("T", "n", "n", symmetric=True)
U = matrix("U", "n", "n", symmetric=True)
Q = matrix("Q", "n", "n", symmetric=True)
elapsed = scalar("t", nonnegative=True)
lowest = scalar("p", positive=True)

FLOW = {"3.3": "Assumption 3.3: D follows gradient flow"}
FIXED = {"3.5(i)": "Assumption 3.5 (i): the eigenvectors are fixed"}
START = {"F(0)=0": "the outputs vanish at time 0"}
EIGEN_I = {"eigenvector": "v_i is an eigenvector of M for lambda_i"}
FRAME = {"frame": "the eigenvectors are an orthonormal basis"}
SOLVED = {"psd": "lambda_i >= 0"}
STARTED = {
    "started": "a time of Phase I at which the loss has decreased, |D(t)| < |D(0)| (section 3.1)"
}
SIGNS = {"signs": "the eigenvectors point inside the ball: -v_i^T Y >= 0"}


# ------------------------------------------------------------------------------------ derivations
def component(m: Model, fixed: bool = True) -> None:
    """The rates of D.v_i and F.v_i, by the product rule; the eigenvector is fixed or turns."""
    m.relation(M @ v, lam * v, by="eigenvector")
    speed = vector("D_speed", "n") if "3.3" in m.withheld else -(M @ D)
    if fixed:
        m.relation(v_dot, as_expr(0) * v, by="3.5(i)")
    turn = m.differentiate(dot(D, v), v, v_dot)
    m.define(rate, m.differentiate(dot(D, v), D, speed) + turn)
    outputs = dot(D + Y, v)
    m.define(rate_F, m.differentiate(outputs, D, speed) + m.differentiate(outputs, v, v_dot))


def solution(m: Model) -> None:
    """D.v_i as the solution of its equation: the candidate is checked."""
    start = vector("D_start", "n") if "F(0)=0" in m.withheld else -Y
    m.define(D_0, start)
    candidate = exp(-spent) * dot(D_0, v)
    m.step("D.v_i has rate -lambda_i D.v_i; its solution is exp(-I) D(0).v_i, I' = lambda_i")
    slope = m.differentiate(candidate, spent, lam)
    if m.decide(Equation(slope, -lam * candidate)).outcome != "holds":
        raise ArithmeticError("the candidate does not solve the equation")
    m.relation(dot(D, v), candidate, by="3.3")


def frame(m: Model) -> None:
    """An orthonormal basis of eigenvectors."""
    m.relation(V.T @ V, eye("n"), by="frame")
    m.relation(V @ V.T, eye("n"), by="frame")


def decayed(m: Model) -> None:
    """D after time t in all directions at once, with factors p_i = exp(-I_i) in (0, 1]."""
    frame(m)
    m.step("D(t) = -sum_i p_i (Y.v_i) v_i with p_i = exp(-I_i), as for one component")
    m.define(P, T @ T)
    m.relation(U @ U, eye("n") - T @ T, by="psd")
    m.step("p_i = T_i^2, and 1 - p_i = U_i^2 because lambda_i >= 0")
    m.define(D, -(V @ T @ T @ V.T @ Y))
    m.define(F, D + Y)
    labels = V.T @ Y
    m.assume(Inequality(norm2(U @ T @ labels), ">=", lowest * norm2(U @ labels)))
    m.step("the exponentials p_i are positive, the smallest one being p")
    m.assume(Inequality(norm2(D), "<", norm2(Y)), by="started")
    m.lemma("sum of (1 - p_i) (Y.v_i)^2", Inequality(norm2(U @ labels), ">=", zero))
    still = "started" in m.withheld
    sides = ((1, 0), (0, 1))
    # p = (9/25, 9/25), or no time has passed
    part = ((1, 0), (0, 1)) if still else (("3/5", 0), (0, "3/5"))
    rest = ((0, 0), (0, 0)) if still else (("4/5", 0), (0, "4/5"))
    m.example({V: sides, T: _exact(part), U: _exact(rest), Y: (1, -1), lowest: _least(part)})


def _exact(rows: tuple[tuple[int | str, ...], ...]) -> tuple[tuple[Any, ...], ...]:
    from fractions import Fraction

    return tuple(tuple(Fraction(x) for x in row) for row in rows)


def _least(rows: tuple[tuple[int | str, ...], ...]) -> Any:
    from fractions import Fraction

    return Fraction(rows[0][0]) ** 2


def slow_turn(m: Model) -> None:
    """F.v_i = t times a mean rate, by the mean value theorem; the rate is negative by (D1).

    q_i^2 > 0 is minus the mean rate over D.v_i > 0.
    """
    frame(m)
    m.step("F(0).v_i(0) = 0, so that F.v_i = t rate_i(xi_i) with 0 < xi_i < t; rate_i < 0 by (D1)")
    m.define(F, -elapsed * (V @ Q @ Q @ V.T @ D))
    m.define(Y, F - D)
    m.assume(Inequality(norm2(Q @ V.T @ D), ">", zero), by="(20)")
    m.assume(Inequality(elapsed, ">", zero), by="later")
    late = 0 if "later" in m.withheld else 1
    sides = ((1, 0), (0, 1))
    m.example({V: sides, Q: sides, D: (1, 2), elapsed: late})


# ------------------------------------------------------------------------------------ simulations
def run(*asked: str, turning: bool = False, worst: bool = False) -> Callable[[Sample], None]:
    """Gradient flow from D(0) = -Y with a drawn M(t); every letter at one time.

    Args:
        asked: hypotheses that an instance can violate.
        turning: eigenvectors turn, slowly enough for (20).
        worst: observe the direction in which (20) is closest to fail.
    """

    def simulate(sample: Sample) -> None:
        _simulate(sample, frozenset(asked), turning, worst)

    return simulate


def _simulate(sample: Sample, asked: frozenset[str], turning: bool, worst: bool) -> None:
    from eostheory.numeric.flows import integrate

    size = sample.draw(st.integers(2, 4), "n")
    draw = seed_of(sample)
    holds = {name: sample.holds(name) for name in sorted(asked)}
    time = 10.0 ** float(draw.uniform(-2.0, 0.0, 1))
    if not all(holds.get(name, True) for name in ("started", "later", "moved")):
        time = 0.0
    base = orthonormal(draw.normal(size, size)).numpy()
    labels = np.sign(draw.normal(size).numpy())
    base = base * np.where(labels @ base > 0, -1.0, 1.0)
    if not holds.get("signs", True):
        base = -base
    first, growth = draw.uniform(0.2, 2.0, size).numpy(), draw.uniform(0.0, 1.0, size).numpy()
    if not holds.get("positive", True):
        first, growth = 0 * first, 0 * growth
    omega = float(draw.uniform(-0.3, 0.3, 1)) if turning else 0.0
    if not (holds.get("(20)", True) and holds.get("3.5(i)", True)):
        omega = 25.0

    def turned(t: float, slope: bool = False) -> np.ndarray:
        cos, sin = np.cos(omega * t), np.sin(omega * t)
        block: np.ndarray = np.eye(size)
        block[:2, :2] = [[cos, -sin], [sin, cos]]
        if slope:
            block = np.zeros((size, size))
            block[:2, :2] = omega * np.array([[-sin, -cos], [cos, -sin]])
        return np.asarray(base @ block)

    def field(t: float, state: np.ndarray) -> np.ndarray:
        axes = turned(t)
        return np.asarray(-(axes @ ((first + growth * t) * (axes.T @ state))))

    start = -labels
    if not holds.get("F(0)=0", True):
        start = start + draw.normal(size).numpy()
    grid = np.linspace(0.0, time, 17) if time else np.zeros(1)
    if time:
        orbit = integrate(field, start, grid, 1e-11)
        states, slack = orbit.states, float(orbit.error.max()) + 1e-13
    else:
        states, slack = start[None, :], 0.0
    if turning and holds.get("(20)", True):
        for t, state in zip(grid, states, strict=True):
            along = state @ turned(float(t))
            push = (state + labels) @ turned(float(t), slope=True)
            if np.any(along <= 1e-3) or np.any(push >= (first + growth * t) * along - 1e-6):
                sample.reject("(20) fails, or a component of D has changed its sign")
    state, axes, slopes = states[-1], turned(time), turned(time, slope=True)
    rates = first + growth * time
    index = int(sample.draw(st.integers(0, size - 1), "i"))
    if worst:
        index = int(np.argmax((state + labels) @ slopes - rates * (state @ axes)))
    integrals = first * time + growth * time**2 / 2
    factors = np.exp(-integrals)
    gram = axes @ (rates[:, None] * axes.T)
    tiny = 2.0**-48 * (1 + abs(omega))
    where = Measured(state, slack)
    sample.observe(
        {
            D: where,
            # at time 0 both are exact
            F: Measured(state + labels, slack + tiny if time else 0.0),
            Y: labels,
            D_0: start,
            M: Measured(gram, 16 * tiny),
            V: Measured(axes, tiny),
            v: Measured(axes[:, index], tiny),
            v_dot: Measured(slopes[:, index], tiny * (1 + abs(omega))),
            lam: Measured(rates[index], tiny),
            spent: Measured(integrals[index], tiny if time else 0.0),
            P: Measured(np.diag(factors), tiny),
            elapsed: time,
            rate: _speed(field, turned, time, state, None, index, slack),
            rate_F: _speed(field, turned, time, state, labels, index, slack),
        }
    )


def _speed(
    field: Callable[[float, np.ndarray], np.ndarray],
    turned: Any,
    time: float,
    state: np.ndarray,
    labels: np.ndarray | None,
    index: int,
    slack: float,
) -> Measured:
    """The rate of D.v_i (or F.v_i with labels) by automatic differentiation in time."""
    after = torch.zeros((), dtype=torch.float64, requires_grad=True)
    moved = torch.from_numpy(state) + after * torch.from_numpy(field(time, state))
    if labels is not None:
        moved = moved + torch.from_numpy(labels)
    slope = torch.from_numpy(turned(time, slope=True)[:, index].copy())
    axis = torch.from_numpy(turned(time)[:, index].copy()) + after * slope
    found = float(torch.autograd.grad(torch.dot(moved, axis), after)[0])
    size = 1.0 + float(np.abs(state).sum()) + float(slope.abs().sum())
    return Measured(found, (16 * slack + 2.0**-44) * size**2)
