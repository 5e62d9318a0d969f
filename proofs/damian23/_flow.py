"""The limiting flow of eq. (4): letters, the field as formulas, and its integration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from eostheory.agree import Measured, Sample
from eostheory.formula import Expr, log, scalar
from eostheory.numeric.flows import Orbit, integrate
from eostheory.numeric.losses import Draw

from ._common import alpha, beta

if TYPE_CHECKING:
    from eostheory.symbolic.vectorfield import VectorField

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
    """Eq. (4) with numbers."""

    def __init__(self, a: float, b: float) -> None:
        self.a, self.b = a, b
        self.delta = float(np.sqrt(2 * a / b))

    @staticmethod
    def drawn(sample: Sample) -> Flow:
        """Generic parameters."""
        seed = sample.draw(st.integers(0, 2**20), "alpha, beta")
        a, b = Draw(seed).uniform(0.4, 2.5, 2)
        return Flow(float(a), float(b))

    def field(self, _: float, state: np.ndarray) -> list[float]:
        """The speeds."""
        x, y = state
        return [x * y, self.a - self.b * x * x / 2]

    def orbit(
        self,
        start: Sequence[float],
        times: Sequence[float] | np.ndarray,
        event: Callable[[float, np.ndarray], float] | None = None,
        direction: float = 0.0,
    ) -> Orbit:
        """The solution at the given times, with its error."""
        return integrate(self.field, start, times, event=event, direction=direction)

    def states(
        self, start: Sequence[float], times: Sequence[float] | np.ndarray
    ) -> list[tuple[Measured, Measured]]:
        """(X, Y) at the given times."""
        orbit = self.orbit(start, times)
        pairs = zip(orbit.states, orbit.error, strict=True)
        return [(Measured(float(s[0]), float(e)), Measured(float(s[1]), float(e))) for s, e in pairs]

    def period(self, start: Sequence[float]) -> float:
        """The time from the lowest X of an orbit to the next one."""
        # small orbits take 2 pi / sqrt(2 alpha), long ones grow with the root of the logarithm
        longest = 9.5 / np.sqrt(2 * self.a) * (1 + 0.25 * abs(np.log(start[0] / self.delta)))
        orbit = self.orbit(start, [0.0, longest], lambda _, s: s[1], direction=1.0)
        return float(next(t for t in orbit.crossings if t > 1e-6))

    @property
    def table(self) -> dict[Expr, float]:
        """The parameters as observations."""
        return {alpha: self.a, beta: self.b}
