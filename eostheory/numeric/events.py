"""What may end a trajectory before its time, as typed events."""

from __future__ import annotations


class NumericEvent(ArithmeticError):
    """A trajectory or a measurement that cannot go on; never a silent number."""


class Diverged(NumericEvent):
    """An iterate left every reasonable region."""

    def __init__(self, step: int, size: float) -> None:
        super().__init__(f"diverged at step {step}: |w| = {size:.3g}")
        self.step = step
        self.size = size


class BecameNaN(NumericEvent):
    """An iterate, loss or gradient is not a number or infinite."""

    def __init__(self, step: int, what: str) -> None:
        super().__init__(f"{what} is not finite at step {step}")
        self.step = step
        self.what = what


class RepeatedTopEigenvalue(NumericEvent):
    """The top eigenvalue is not simple to working accuracy, so it has no eigenvector."""

    def __init__(self, top: float, gap: float, error: float) -> None:
        super().__init__(
            f"top eigenvalue {top:.6g} is not simple: gap {gap:.3g}, "
            f"error of the matrix {error:.3g}"
        )
        self.top = top
        self.gap = gap
        self.error = error


class NoConvergence(NumericEvent):
    """An iteration or integration did not reach its accuracy."""

    def __init__(self, what: str, reached: float, wanted: float) -> None:
        super().__init__(f"{what} reached {reached:.3g}, not {wanted:.3g}")
        self.what = what
        self.reached = reached
        self.wanted = wanted
