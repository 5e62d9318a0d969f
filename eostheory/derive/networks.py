"""Linear networks of any depth and any sizes: residual, Gram matrix, one step (li22, appendix C).

The network is ``F = c X^T W_1^T ... W_{k-1}^T A`` with ``c`` a product of ``1/sqrt(m_i)`` over
the hidden widths, the loss ``|F - Y|^2 / n``.  Everything is differentiated from the loss, for
symbolic sizes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from eostheory.derive.errors import DerivationError
from eostheory.derive.result import Derived, Hypothesis
from eostheory.formula import (
    Equation,
    Expr,
    Symbol,
    as_expr,
    dot,
    matrix,
    norm2,
    scalar,
    sqrt,
    substitute,
    vector,
)
from eostheory.symbolic import Model

_DEEPEST = 5
_GRAM_DEEPEST = 3
"""Up to here all orders of the next Gram matrix are derived; beyond, the first."""


@dataclass(frozen=True)
class LinearNetwork(Derived):
    """One step of gradient descent on a linear network, as formulas of symbolic size.

    ``gradients`` and ``updates`` are listed from the input layer to the output vector ``A``.
    ``gram`` is the matrix of ``dD/dt = -M D`` under gradient flow, ``M = (2/n) J J^T`` with the
    Jacobian J of the outputs; ``orders`` are the coefficients of the next residual in the step
    size (``D``, ``-M D``, ...), ``gram_orders`` those of the next Gram matrix from the first on.
    For two layers ``gram_star`` is the matrix with ``D(t+1) = (I - eta M*) D(t)``.
    ``output_norm_next`` is ``|A(t+1)|^2``.
    """

    title: ClassVar[str] = "linear network"
    shown: ClassVar[Mapping[str, str]] = {
        "outputs": r"\mathbf F",
        "residual": r"\mathbf D",
        "loss": r"\mathcal L",
        "gradients": r"\nabla\mathcal L",
        "updates": r"\theta(t+1)",
        "gram": r"\mathbf M",
        "orders": r"[\eta^k]\,\mathbf D(t+1)",
        "gram_star": r"\mathbf M^*",
        "gram_orders": r"[\eta^k]\,\mathbf M(t+1)",
        "output_norm_next": r"\|\mathbf A(t+1)\|^2",
    }

    depth: int
    weights: tuple[Symbol, ...]
    outputs: Expr
    residual: Expr
    loss: Expr
    gradients: tuple[Expr, ...]
    updates: tuple[Expr, ...]
    gram: Expr
    residual_next: Expr
    orders: tuple[Expr, ...]
    gram_star: Expr | None
    gram_orders: tuple[Expr, ...]
    output_norm_next: Expr
    hypotheses: tuple[Hypothesis, ...]

    def exact(self, name: str, **values: Any) -> Any:
        """One formula at sympy matrices (vectors are columns) of concrete sizes.

        The number of samples and the widths are read off the matrices; ``D`` is computed if the
        labels ``Y`` are given.
        """
        from eostheory.derive.formula_out import exact_value

        if "Y" in values and "D" not in values:
            values["D"] = exact_value(self.residual, values)
        found = self._value(name)
        if isinstance(found, tuple):
            return tuple(exact_value(f, values) for f in found)
        return exact_value(found, values)

    def _why(self, name: str) -> str:
        return "one matrix M* carries the whole step for two layers only"


def linear_network(depth: int = 2, *, normalized: bool = True) -> LinearNetwork:
    """Derive one step of gradient descent on a linear network with ``depth`` layers.

    Args:
        depth: number of layers, the output vector included; two is the network of li22.
        normalized: outputs carry ``1/sqrt(m)`` for every hidden width ``m``.

    Raises:
        DerivationError: for a depth below two or beyond what is practical.
    """
    if not isinstance(depth, int) or not 2 <= depth <= _DEEPEST:
        raise DerivationError(f"the depth is a number from 2 to {_DEEPEST}, not {depth!r}")
    return _Derivation(depth, normalized).run()


class _Derivation:
    """The network and its model."""

    def __init__(self, depth: int, normalized: bool) -> None:
        self.depth = depth
        self.model = Model()
        self.n = scalar("n", positive=True)
        self.eta = scalar("eta", r"\eta", positive=True)
        self.X = matrix("X", "d", "n", r"\mathbf X")
        self.Y = vector("Y", "n", r"\mathbf Y")
        names = ["m"] if depth == 2 else [f"m_{k}" for k in range(1, depth)]
        sizes = ["d", *names]
        self.hidden = [
            matrix(
                "W" if depth == 2 else f"W_{k}", sizes[k], sizes[k - 1],
                r"\mathbf W" if depth == 2 else rf"\mathbf W_{{{k}}}",
            )
            for k in range(1, depth)
        ]  # fmt: skip
        self.A = vector("A", sizes[-1], r"\mathbf A")
        self.weights: list[Symbol] = [*self.hidden, self.A]
        widths = [scalar(f"width_{name}", name, positive=True) for name in names]
        self.factor: Expr = as_expr(1)
        if normalized:
            self.factor = 1 / sqrt(widths[0])
            for width in widths[1:]:
                self.factor = self.factor / sqrt(width)
        self.normalized = normalized
        self.D = vector("D", "n", r"\mathbf D")

    def outputs(self) -> Expr:
        """The outputs on the data, with the weights as symbols."""
        value: Expr = self.A
        for weight in reversed(self.hidden):
            value = weight.T @ value
        return self.factor * (self.X.T @ value) if self.normalized else self.X.T @ value

    def run(self) -> LinearNetwork:
        m, n, eta = self.model, self.n, self.eta
        outputs = self.outputs()
        residual = outputs - self.Y
        loss = n**-1 * dot(residual, residual)
        gradients = [m.gradient(loss, w) for w in self.weights]
        short = [
            self._with_residual(g, w, residual)
            for g, w in zip(gradients, self.weights, strict=True)
        ]
        step: dict[Expr, Expr] = {w: w - eta * g for w, g in zip(self.weights, short, strict=True)}
        after = substitute(outputs, step) - self.Y
        orders = self._orders(after, residual)
        gram, applied = self._gram(outputs, short)
        self._check(orders[1], -applied)
        gram_next = substitute(gram, step)
        highest = 2 * (self.depth - 1) if self.depth <= _GRAM_DEEPEST else 1
        changes = [m.normal(self._coefficient(gram_next, k)) for k in range(1, highest + 1)]
        if highest > 1:
            whole: Expr = gram
            for k, change in enumerate(changes, start=1):
                whole = whole + eta**k * change
            self._check(gram_next, whole)
        norm_next = m.normal(norm2(self.A - eta * short[-1]))
        star = self._star(gram, after, residual) if self.depth == 2 else None
        widths = "; the network is divided by the roots of its widths" if self.normalized else ""
        return LinearNetwork(
            depth=self.depth,
            weights=tuple(self.weights),
            outputs=outputs,
            residual=residual,
            loss=loss,
            gradients=tuple(short),
            updates=tuple(step[w] for w in self.weights),
            gram=gram,
            residual_next=after,
            orders=tuple(orders),
            gram_star=star,
            gram_orders=tuple(changes),
            output_norm_next=norm_next,
            hypotheses=(
                Hypothesis(f"all sizes; the loss is |D|^2/n{widths}", "holds"),
                Hypothesis("D stands for the residual F - Y in all formulas", "holds"),
            ),
        )

    def _with_residual(self, gradient: Expr, weight: Symbol, residual: Expr) -> Expr:
        """The gradient in terms of ``D``: the loss is ``|D|^2/n``, so it is linear in ``D``."""
        m = self.model
        pairing = 2 * self.n**-1 * dot(self.D, self.outputs())
        found = m.normal(m.gradient(pairing, weight))
        self._check(substitute(found, {self.D: residual}), gradient)
        return found

    def _coefficient(self, expr: Expr, power: int) -> Expr:
        """The coefficient of ``eta**power`` of a polynomial in ``eta``."""
        m = self.model
        for k in range(power):
            expr = m.differentiate(expr, self.eta, as_expr(1)) / (k + 1)
        return substitute(m.normal(expr), {self.eta: as_expr(0)})

    def _orders(self, after: Expr, residual: Expr) -> list[Expr]:
        m = self.model
        found = [self.D, *(m.normal(self._coefficient(after, k)) for k in range(1, self.depth + 1))]
        whole: Expr = residual
        for k in range(1, self.depth + 1):
            whole = whole + self.eta**k * found[k]
        self._check(after, whole)
        return found

    def _gram(self, outputs: Expr, gradients: list[Expr]) -> tuple[Expr, Expr]:
        """``M`` with ``M D = dF[grad L]``, as a matrix: twice the derivative along the gradient."""
        m = self.model
        moved: Expr | None = None
        for weight, gradient in zip(self.weights, gradients, strict=True):
            part = m.differentiate(outputs, weight, gradient)
            moved = part if moved is None else moved + part
        assert moved is not None
        # moved is linear in D: M = d moved / d D, read off the quadratic form <D, moved>/2
        gram = m.normal(m.hessian(dot(self.D, moved) / 2, self.D))
        self._check(gram @ self.D, moved)
        return gram, m.normal(moved)

    def _star(self, gram: Expr, after: Expr, residual: Expr) -> Expr:
        """``M*`` of li22 (10): the second order acts as a multiple of ``X^T X``."""
        m, eta, n = self.model, self.eta, self.n
        outputs = self.outputs()
        second = self._coefficient(after, 2)
        scale = 4 * self.factor**2 / n**2 * dot(self.D, outputs)
        self._check(second, scale * (self.X.T @ (self.X @ self.D)))
        star = m.normal(gram - eta * scale * (self.X.T @ self.X))
        self._check(after, residual - eta * (star @ self.D))
        return star

    def _check(self, left: Expr, right: Expr) -> None:
        """An identity for all sizes, or an error of ours."""
        if self.model.decide(Equation(left, right), refute=False).outcome != "holds":
            raise ArithmeticError(f"{left} is not {right}")
