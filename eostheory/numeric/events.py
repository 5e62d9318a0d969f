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


class UnconvergedEigenpair(NumericEvent):
    """An eigenpair whose residual is above the tolerance when the products are used up."""

    def __init__(self, index: int, value: float, residual: float, wanted: float, used: int) -> None:
        super().__init__(
            f"eigenpair {index} (value {value:.6g}) has residual {residual:.3g}, not {wanted:.3g}, "
            f"after {used} Hessian-vector products; allow more products (maximum=), a larger "
            f"tolerance (tolerance=), or ask for more pairs (k=) when the next value is close"
        )
        self.index = index
        self.value = value
        self.residual = residual
        self.wanted = wanted
        self.used = used


class OutOfMemory(NumericEvent):
    """The device has no room for what was asked."""

    def __init__(self, what: str, device: str, reason: str) -> None:
        super().__init__(
            f"{what} does not fit into the memory of {device}; give the loss in smaller chunks "
            f"(chunk=), in float32, or on the CPU (device='cpu'): {reason}"
        )
        self.what = what
        self.device = device


class OutOfScale(NumericEvent, ValueError):
    """Numbers so large or small that products of two of them over- or underflow."""


class WrongDerivative(NumericEvent):
    """A derivative that autograd returns is not that of the function that was given."""

    def __init__(self, order: int, error: float, allowed: float) -> None:
        super().__init__(
            f"derivative {order} of the loss is off by {error:.3g} (relative), where differences "
            f"allow {allowed:.3g}; torch's fused layer_norm and training-mode batch_norm are wrong "
            f"there, so write norms from elementary operations; or the loss is not smooth"
        )
        self.order = order
        self.error = error
        self.allowed = allowed
