"""The limiting flow of eq. (4): letters, the field as formulas, and its integration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from eostheory.agree import Measured, Sample
from eostheory.formula import Expr, FormSymbol, Symbol, log, scalar
from eostheory.numeric.flows import Orbit, integrate
from eostheory.numeric.losses import Draw

from ._common import alpha, beta

if TYPE_CHECKING:
    from eostheory.symbolic.vectorfield import VectorField

Table = dict[Symbol | FormSymbol, object]
"""What one observation holds."""

X = scalar("X", "X", positive=True)
Y = scalar("Y", "Y")
X0 = scalar("X0", "X(0)", positive=True)
Y0 = scalar("Y0", "Y(0)")
Xt = scalar("Xt", "X(t)", positive=True)
Yt = scalar("Yt", "Y(t)")

SPEED_X = X * Y
SPEED_Y = alpha - beta * X**2 / 2
"""The right-hand sides of eq. (4), for the derivations."""


def h(z: Expr) -> Expr:
    """``h(z) = z - log z - 1`` of lemma 3."""
    return z - log(z) - 1


def g(x: Expr, y: Expr) -> Expr:
    """The quantity of lemma 3 as printed."""
    return h(beta * x**2 / (2 * alpha)) + y**2 / alpha


def field() -> VectorField:
    """Eq. (4) as a vector field."""
    from eostheory.symbolic.vectorfield import VectorField as Field

    return Field.of((X, Y), (SPEED_X, SPEED_Y))


# ------------------------------------------------------------------------------ simulation
class Flow:
    """Eq. (4) with numbers, integrated in (log X, Y): X may be as small as it likes."""

    def __init__(self, a: float, b: float) -> None:
        self.a, self.b = a, b
        self.delta = float(np.sqrt(2 * a / b))

    @staticmethod
    def drawn(sample: Sample) -> Flow:
        """Generic parameters."""
        draw = Draw(sample.draw(st.integers(0, 2**20), "alpha, beta"))
        a, b = 10 ** draw.uniform(-0.6, 0.6, 2)
        return Flow(float(a), float(b))

    def field(self, _: float, state: np.ndarray) -> list[float]:
        """The speeds of log X and Y."""
        return [state[1], self.a - self.b * np.exp(2 * state[0]) / 2]

    def orbit(
        self,
        start: tuple[float, float],
        times: Sequence[float] | np.ndarray,
        event: Callable[[float, np.ndarray], float] | None = None,
        direction: float = 0.0,
    ) -> Orbit:
        """(log X, Y) at the given times from (X, Y), with its error."""
        first = [float(np.log(start[0])), start[1]]
        return integrate(self.field, first, times, 1e-10, event=event, direction=direction)

    def states(
        self, start: tuple[float, float], times: Sequence[float] | np.ndarray
    ) -> list[tuple[Measured, Measured]]:
        """(X, Y) at the given times."""
        orbit = self.orbit(start, times)
        found = []
        for (log_x, y), error in zip(orbit.states, orbit.error, strict=True):
            x = float(np.exp(log_x))
            # exp and log near X carry a relative error of |log X| roundings
            slack = float(np.expm1(error + 2.0**-51 * (2 + abs(log_x))))
            found.append((Measured(x, x * slack), Measured(float(y), float(error))))
        return found

    def turns(self, lowest: float) -> np.ndarray:
        """Times in one period from (lowest, 0): |Y| largest, X largest, |Y| largest, the end."""
        level = float(np.log(self.delta))

        def either(_: float, s: np.ndarray) -> float:
            return float(s[1] * (s[0] - level))

        # leave the start, which is a turn itself
        soon = 1e-3 / float(np.sqrt(self.a))
        begin = self.orbit((lowest, 0.0), [0.0, soon]).states[-1]
        start = (float(np.exp(begin[0])), float(begin[1]))
        orbit = self.orbit(start, [0.0, self.longest(lowest)], either)
        return soon + orbit.crossings[:4]

    def period(self, start: tuple[float, float]) -> float:
        """The time from the lowest X of an orbit to the next one."""
        return float(self.turns(start[0])[3])

    def extreme(self, lowest: float, which: int) -> float:
        """max X (``which`` 0) or max |Y| (1) of the orbit through (lowest, 0)."""
        level = float(np.log(self.delta))

        def turn(_: float, s: np.ndarray) -> float:
            return float(s[0] - level if which else s[1])

        turn.terminal = True  # type: ignore[attr-defined]
        turn.direction = 1.0 if which else -1.0  # type: ignore[attr-defined]
        found = solve_ivp(
            self.field,
            (0.0, self.longest(lowest)),
            [np.log(lowest), 0.0],
            method="DOP853",
            rtol=1e-12,
            atol=1e-14,
            events=turn,
        )
        log_x, y = found.y_events[0][0]
        return float(y if which else np.exp(log_x))

    def longest(self, x: float) -> float:
        """More than one period of the orbit with lowest point ``x``.

        Small orbits take 2 pi / sqrt(2 alpha); periods grow with the root of log(delta/x).
        """
        root = float(np.sqrt(abs(np.log(x / self.delta))))
        return 9.5 / float(np.sqrt(2 * self.a)) * (1 + 0.6 * root)

    @property
    def table(self) -> Table:
        """The parameters as observations."""
        return {alpha: self.a, beta: self.b}
