"""What a trajectory of a loss records unless it is told otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import sympy
from sympy import Expr, Symbol

from eostheory.trajectories.rules_gradient import (
    SMALL,
    Problem,
    cost,
    expression,
    read_as_real,
    symbol_for,
)

Record = Mapping[str, object]
"""Name and expression of each observable, in terms of state and parameters."""


def usual(problem: Problem) -> Iterator[tuple[str, Expr]]:
    """The variables, the loss, and the sharpness where its closed form is cheap."""
    names = {str(v) for v in problem.variables}
    yield from ((str(v), v) for v in problem.variables)
    whole = spelled_out(problem)
    found = [("loss", whole), ("sharpness", sharpness(whole, problem.variables))]
    yield from ((k, e) for k, e in found if e is not None and k not in names)


def spelled_out(problem: Problem) -> Expr | None:
    """The loss without its definitions, unless that is large."""
    sizes: dict[Symbol, int] = {}
    for symbol, definition in problem.definitions:
        sizes[symbol] = _size(definition, sizes)
    if _size(problem.loss, sizes) > 20 * SMALL:
        return None
    value = problem.loss
    for symbol, definition in reversed(problem.definitions):
        value = value.xreplace({symbol: definition})
    return value


def _size(expr: Expr, sizes: dict[Symbol, int]) -> int:
    """Operations after the symbols with sizes have been put in, about."""
    total = 0
    for node in sympy.preorder_traversal(expr):
        # sympy's own count looks for quotients, which takes long in sums of many terms
        total += sizes.get(node, 0) + (len(node.args) - 1 if len(node.args) > 1 else 0)
    return total


def sharpness(loss: Expr | None, among: Sequence[Symbol]) -> Expr | None:
    """The top eigenvalue of the Hessian, if it bends in at most two of the variables.

    None where no cheap closed form exists, or the loss is None.
    """
    if loss is None or loss.count_ops() > SMALL:
        return None
    real = read_as_real(loss.free_symbols)
    loss = loss.xreplace(real)
    variables = [real.get(v, v) for v in among]
    slopes = {v: d for v in variables if (d := sympy.diff(loss, v)) != 0}
    rows = {v: [sympy.diff(d, w) for w in slopes] for v, d in slopes.items()}
    bent = [v for v, row in rows.items() if any(e != 0 for e in row)]
    if not 1 <= len(bent) <= 2:
        return None
    constants = loss.free_symbols - set(variables)

    def entry(v: Symbol, w: Symbol) -> Expr:
        plain = sympy.diff(slopes[v], w)
        return min((sympy.factor(plain), plain), key=lambda e: cost([e], constants))

    top = entry(bent[0], bent[0])
    if len(bent) == 2:
        low, cross = entry(bent[1], bent[1]), entry(*bent)
        top = (top + low) / 2 + sympy.sqrt(((top - low) / 2) ** 2 + cross**2)
    if top.has(sympy.DiracDelta, sympy.Derivative, sympy.Subs):
        return None  # the loss has a kink
    if len(bent) < len(variables):
        # the Hessian vanishes along the other variables: the larger of top and 0, without a branch
        top = (top + sympy.Abs(top, evaluate=False)) / 2
    return top.xreplace({v: k for k, v in real.items()})


def direction(variables: Sequence[Symbol]) -> dict[str, Expr]:
    """Observables ``theta_x = x/|w|``, ...: where on the unit sphere the iterate points."""
    norm = sympy.sqrt(sympy.Add(*(v**2 for v in variables)))
    return {f"theta_{v}": v / norm for v in variables}


def effective_rate(
    variables: Sequence[Symbol], eta: object, weight_decay: object = 0
) -> dict[str, Expr]:
    """Observable ``effective rate = eta/((1 - eta lambda) |w|^2)`` (lyu22, Lemma 3.1).

    It is the learning rate of the direction under gradient descent with weight decay on a
    scale-invariant loss.
    """
    step, decay = expression(eta, "eta"), expression(weight_decay, "weight_decay")
    square = sympy.Add(*(v**2 for v in variables))
    return {"effective rate": step / ((1 - step * decay) * square)}


def drift_energy(c_b: object = None, slope_square: object = None) -> dict[str, Expr]:
    """Observable ``energy`` of an RMS-drift state (lyu22, Definition H.21), conserved by its flow.

    ``u^2/2 + (2 C_b + |grad R|^2) h^2 - C_b log|h|``.

    Args:
        c_b: the constant C_b; the parameter ``C_b`` by default.
        slope_square: ``|grad_Gamma log lambda_1|^2`` in terms of the coordinates; the parameter
            ``kappa`` by default.
    """
    h, u = Symbol("h", real=True), Symbol("u", real=True)
    pull = symbol_for(c_b, "C_b", (), "C_b")
    slope = symbol_for(slope_square, "kappa", (), "kappa")
    potential = (2 * pull + slope) * h**2 - pull * sympy.log(sympy.Abs(h))
    return {"energy": u**2 / 2 + potential}
