r"""What the limiting flow of several directions conserves.

Setting:  x' = Y x and Y' = A - B[x x^T]/2: the sign of x, which flips at every step, is taken out.
Claims:   the balance of energy for any number of directions, when the slopes s_ij are orthonormal
          up to the factor sqrt(b); the potential of two directions that do not mix (s_12 = 0).

For one direction the second is Lemma 3 of damian23.  Directions that mix are not known to conserve
anything: the balance would need a function of x whose rate is <Y, B^{-1} A>, and there is one only
for quantities that several solutions carry together (log det, if B^{-1} A is a multiple of I).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from eostheory.agree import Measured, derivatives
from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Expr,
    Inequality,
    as_expr,
    log,
    matrix,
    norm2,
    outer,
    scalar,
    trace,
    vector,
)
from eostheory.numeric.flows import integrate
from eostheory.numeric.losses import Draw

if TYPE_CHECKING:
    from collections.abc import Callable

    from eostheory.agree import Sample
    from eostheory.symbolic import Model

# ---------------------------------------------------------------------------- any number of them
b = scalar("b", positive=True)
A = matrix("A", "k", "k", "A", symmetric=True)
Y = matrix("Y", "k", "k", "Y", symmetric=True)
x = vector("x", "k", "x")
energy_rate = scalar(
    "energy_rate", r"\frac{d}{dt}\left(\frac{\mathrm{tr} Y^2}{b}+\frac{|x|^2}2\right)"
)
balance = Equation(energy_rate, 2 / b * trace(A @ Y))


def derive_balance(m: Model) -> None:
    """The chain rule along the flow."""
    energy = trace(Y @ Y) / b + norm2(x) / 2
    along_y = m.differentiate(energy, Y, A - b / 2 * outer(x, x))
    m.define(energy_rate, along_y + m.differentiate(energy, x, Y @ x))
    m.step("what <Y, x x^T> takes from the first term it gives to the second")


def simulate_balance(sample: Sample) -> None:
    """Differences in time of the energy of an integrated flow."""
    k = sample.draw(st.integers(1, 4), "k")
    draw = Draw(sample.draw(st.integers(0, 2**20), "seed"))
    rate, height = (symmetric_part(draw.normal(k, k).numpy()) for _ in range(2))
    start, factor = draw.normal(k).numpy(), float(draw.uniform(0.5, 2.0, 1)[0])

    def field(_: float, state: np.ndarray) -> np.ndarray:
        here, bent = state[:k], state[k:].reshape(k, k)
        speed = rate - factor / 2 * np.outer(here, here)
        return np.concatenate([bent @ here, speed.reshape(-1)])

    def energy(state: Measured) -> Measured:
        squares = state * state
        first, second = parts(squares, k)
        return (1 / factor) * total(second) + 0.5 * total(first)

    measured = rate_along(field, np.concatenate([start, height.reshape(-1)]), energy)
    sample.observe({b: factor, A: rate, Y: height, x: start, energy_rate: measured})


# -------------------------------------------------------------------------- two that do not mix
b11, b12, b22 = (scalar(f"B_{i}", f"B_{{{i}}}") for i in ("11", "12", "22"))
alpha1, alpha2 = (scalar(f"alpha_{i}", rf"\alpha_{i}") for i in "12")
y1, y2 = (scalar(f"Y_{i}", f"Y_{i}") for i in "12")
x1, x2 = (scalar(f"x_{i}", f"x_{i}", positive=True) for i in "12")
height_rate = scalar("height_rate", r"\frac{d}{dt} Y^T B^{-1} Y")
width_rate = scalar("width_rate", r"\frac{d}{dt}\frac{x_1^2+x_2^2}2")
log_rate = scalar("log_rate", r"\frac{d}{dt}(c_1\log x_1^2+c_2\log x_2^2)")
conserved = Equation(height_rate + width_rate - log_rate, as_expr(0))


def over(first: Expr, second: Expr) -> tuple[Expr, Expr]:
    """``B^{-1}`` applied to a pair, by Cramer."""
    det = b11 * b22 - b12**2
    return (b22 * first - b12 * second) / det, (b11 * second - b12 * first) / det


def derive_potential(m: Model) -> None:
    """The chain rule along the flow, term by term."""
    m.uses("damian23/lemma-3")
    m.assume(Inequality(b11 * b22 - b12**2, ">", as_expr(0)))
    speeds = {
        y1: alpha1 - (b11 * x1**2 + b12 * x2**2) / 2,
        y2: alpha2 - (b12 * x1**2 + b22 * x2**2) / 2,
        x1: y1 * x1,
        x2: y2 * x2,
    }
    z1, z2 = over(y1, y2)
    c1, c2 = over(alpha1, alpha2)
    terms = {
        height_rate: y1 * z1 + y2 * z2,
        width_rate: (x1**2 + x2**2) / 2,
        log_rate: c1 * log(x1**2) + c2 * log(x2**2),
    }
    for symbol, term in terms.items():
        rate: Expr = as_expr(0)
        for letter, speed in speeds.items():
            rate = rate + m.differentiate(term, letter, as_expr(1)) * speed
        m.define(symbol, rate)


def simulate_potential(sample: Sample) -> None:
    """Differences in time along an integrated flow, in log x and Y."""
    draw = Draw(sample.draw(st.integers(0, 2**20), "seed"))
    slopes = draw.normal(3, 2).numpy()
    gram = slopes.T @ slopes
    alpha = draw.uniform(-1.0, 2.0, 2).numpy()
    start = np.concatenate([draw.uniform(-0.7, 0.7, 2).numpy(), draw.normal(2).numpy()])
    inverse = np.linalg.inv(gram)
    tilt = inverse @ alpha
    # the inverse errs by its condition number in roundings
    slack = 64 * float(np.linalg.cond(gram)) * 2.0**-53
    if slack > 1e-12:
        sample.reject("slopes that are almost parallel")

    def field(_: float, state: np.ndarray) -> np.ndarray:
        return np.concatenate([state[2:], alpha - gram @ np.exp(2 * state[:2]) / 2])

    def height(state: Measured) -> Measured:
        value, error = np.asarray(state.value)[2:], np.asarray(state.error)[2:]
        return quadratic(inverse, value, error, slack)

    def width(state: Measured) -> Measured:
        value, error = np.exp(2 * np.asarray(state.value)[:2]), np.asarray(state.error)[:2]
        return Measured(float(value.sum() / 2), float((value * (2 * error + 2.0**-50)).sum()))

    def logarithms(state: Measured) -> Measured:
        value, error = 2 * np.asarray(state.value)[:2], 2 * np.asarray(state.error)[:2]
        off = np.abs(tilt) @ error + slack * np.linalg.norm(tilt) * np.linalg.norm(value)
        return Measured(float(tilt @ value), float(off))

    rates = {
        symbol: rate_along(field, start, f)
        for symbol, f in ((height_rate, height), (width_rate, width), (log_rate, logarithms))
    }
    sizes = [Measured(float(s), float(s) * 2.0**-52) for s in np.exp(start[:2])]
    table = {b11: gram[0, 0], b12: gram[0, 1], b22: gram[1, 1], alpha1: alpha[0], alpha2: alpha[1]}
    sample.observe({**table, y1: start[2], y2: start[3], x1: sizes[0], x2: sizes[1], **rates})


# ------------------------------------------------------------------------------- measuring rates
def symmetric_part(table: np.ndarray) -> np.ndarray:
    """Exactly symmetric."""
    both: np.ndarray = np.tril(table) + np.tril(table, -1).T
    return both


def parts(state: Measured, k: int) -> tuple[Measured, Measured]:
    """The first k entries and the rest."""
    value, error = np.asarray(state.value), np.asarray(state.error)
    return Measured(value[:k], error[:k]), Measured(value[k:], error[k:])


def total(entries: Measured) -> Measured:
    """The sum, with its roundings."""
    value, error = np.asarray(entries.value), np.asarray(entries.error)
    slack = len(value) * 2.0**-52 * float(np.abs(value).sum())
    return Measured(float(value.sum()), float(error.sum()) + slack)


def quadratic(table: np.ndarray, value: np.ndarray, error: np.ndarray, slack: float) -> Measured:
    """``v^T M v`` for a matrix with a relative error."""
    wide = float(np.linalg.norm(table))
    size, off = float(np.linalg.norm(value)), float(np.linalg.norm(error))
    return Measured(
        float(value @ table @ value), wide * (2 * size * off + off**2 + slack * size**2)
    )


def rate_along(
    field: Callable[[float, np.ndarray], np.ndarray],
    start: np.ndarray,
    function: Callable[[Measured], Measured],
) -> Measured:
    """``d/dt function(state)`` at the start of an integrated solution."""

    def at(s: float) -> Measured:
        orbit = integrate(field, start, [0.0, s])
        return function(Measured(orbit.states[-1], np.full(len(start), float(orbit.error[-1]))))

    return derivatives.derivative(at, step=2.0**-5)


CLAIMS = [
    Claim(
        "engine/several.energy",
        balance,
        derive=derive_balance,
        simulate=simulate_balance,
    ),
    Claim(
        "engine/several.potential",
        conserved,
        derive=derive_potential,
        simulate=simulate_potential,
        reading="The three terms are measured one by one; c = B^{-1} alpha.",
    ),
]
