"""Learning-rate schedulers that read gradients (lyu22, Definition B.2), as sympy rules."""

from __future__ import annotations

from dataclasses import dataclass

import sympy
from sympy import Expr, Symbol

from eostheory.trajectories.rules_gradient import constants_of, expression, symbol_for

SQUARE = Symbol("gradient_square", real=True)
"""The squared norm of the gradient at the iterate that the rate is about to move."""


@dataclass(frozen=True)
class Scheduler:
    """An effective learning rate with a memory of its own.

    Args:
        name: what it is called.
        rate: the rate of this step, in terms of the memory, of constants and of ``square``.
        state: the memory; its start is part of a trajectory's start.
        update: the memory after the step, in the same terms.
        square: the symbol that stands for the squared norm of this step's gradient.
        first: hyperparameters that a trajectory's parameters begin with; the others follow by
            name.

    Raises:
        TypeError: a memory or ``square`` that is not a symbol; a rate that is not an expression.
        ValueError: memory and updates of different number, or a rule that is not real.
    """

    name: str
    rate: Expr
    state: tuple[Symbol, ...] = ()
    update: tuple[Expr, ...] = ()
    square: Symbol = SQUARE
    first: tuple[Symbol, ...] = ()

    def __post_init__(self) -> None:
        for symbol in (*self.state, self.square):
            if not isinstance(symbol, Symbol):
                raise TypeError(f"{self.name}: {symbol!r} is not a sympy Symbol")
        if len(self.state) != len(self.update):
            raise ValueError(
                f"{self.name}: {len(self.state)} memory variables, {len(self.update)} updates"
            )
        object.__setattr__(self, "rate", expression(self.rate, f"the rate of {self.name}"))
        checked = (expression(e, f"an update of {self.name}") for e in self.update)
        object.__setattr__(self, "update", tuple(checked))

    @property
    def constants(self) -> tuple[Symbol, ...]:
        """Hyperparameters in the order of a trajectory's parameters."""
        found = constants_of((self.rate, *self.update), (*self.state, self.square))
        return tuple(dict.fromkeys((*(s for s in self.first if s in found), *found)))


def constant_rate(eta: object = None) -> Scheduler:
    """The same rate at every step: plain gradient descent."""
    return Scheduler("constant rate", symbol_for(eta, "eta", (), "eta"))


def rmsprop_scheduler(
    eta: object = None, beta: object = None, moment: Symbol | None = None
) -> Scheduler:
    """The RMSprop scheduler (lyu22, Definition B.3).

    ``rate = 1/sqrt(v)`` and ``v <- beta v + (1 - beta) |g|^2/eta^2``: the rate is that of the
    moment before the gradient enters it.

    Args:
        eta: base learning rate; a parameter ``eta`` by default.
        beta: decay rate; a parameter ``beta`` by default.
        moment: the symbol of the moment estimate; ``v`` by default.
    """
    v, rate, keep = _letters(eta, beta, moment)
    square = SQUARE / rate**2
    update = keep * v + (1 - keep) * square
    return Scheduler("RMSprop", 1 / sympy.sqrt(v), (v,), (update,), first=_first(rate, keep))


def gwsi_scheduler(
    eta: object = None, beta: object = None, moment: Symbol | None = None
) -> Scheduler:
    """The GWSI scheduler (lyu22, Definition B.6).

    RMSprop's moment and ``(1 - beta)^2 gbar^4/(4 beta v)`` more, ``gbar = |g|/eta``.  With
    ``beta = (1 - eta_hat lambda_hat)^4`` and ``eta = sqrt((1/beta - 1)/2)`` it is gradient
    descent with weight decay on a scale-invariant loss (Theorem B.7).

    Args:
        eta: base learning rate; a parameter ``eta`` by default.
        beta: decay rate; a parameter ``beta`` by default.
        moment: the symbol of the moment estimate; ``v`` by default.
    """
    v, rate, keep = _letters(eta, beta, moment)
    square = SQUARE / rate**2
    extra = (1 - keep) ** 2 / (4 * keep) * square**2 / v
    update = keep * v + (1 - keep) * square + extra
    return Scheduler("GWSI", 1 / sympy.sqrt(v), (v,), (update,), first=_first(rate, keep))


def quasi_rmsprop_scheduler(eta: object = None, moment: Symbol | None = None) -> Scheduler:
    """The quasi-RMSprop scheduler of gradient descent with weight decay (lyu22, Theorem B.9).

    For the base learning rate ``eta = sqrt(2 eta_hat lambda_hat)`` and ``beta = 1 - 2 eta^2``; its
    rates are those of :func:`gwsi_scheduler` at ``beta' = (1 - eta^2/2)^4``.  (Appendix E.2 prints
    ``eta' = sqrt((beta' - 1)/2)``; Theorem B.7 has ``1/beta'``, which is meant.)

    Args:
        eta: base learning rate in (0, 1/sqrt(2)); a parameter ``eta`` by default.
        moment: the symbol of the moment estimate; ``v`` by default.

    Raises:
        ValueError: a number outside that range.
    """
    v, rate, _ = _letters(eta, None, moment)
    if rate.is_number and not 0 < rate < 1 / sympy.sqrt(2):
        raise ValueError(f"eta = {rate}; quasi-RMSprop has a base learning rate in (0, 1/sqrt(2))")
    keep = (1 - rate**2 / 2) ** 4
    inner = gwsi_scheduler(sympy.sqrt((1 / keep - 1) / 2), keep, v)
    return Scheduler("quasi-RMSprop", inner.rate, inner.state, inner.update)


def weight_decay_scheduler(
    eta: object = None, weight_decay: object = None, norm_square: Symbol | None = None
) -> Scheduler:
    """The effective rate of gradient descent with weight decay on a scale-invariant loss.

    ``rate = eta/((1 - eta lambda) n)`` with ``n = |w|^2`` and
    ``n <- (1 - eta lambda)^2 n + eta^2 |g|^2/n``; g is the gradient at the direction w/|w|
    (lyu22, Lemma 3.1).  It is :func:`gwsi_scheduler` before its variables are changed.

    Args:
        eta: learning rate; a parameter ``eta`` by default.
        weight_decay: a parameter ``weight_decay`` by default.
        norm_square: the symbol of ``|w|^2``; ``norm_square`` by default.
    """
    n = Symbol("norm_square", positive=True) if norm_square is None else norm_square
    step = symbol_for(eta, "eta", (), "eta")
    decay = symbol_for(weight_decay, "weight_decay", (), "weight_decay")
    shrink = 1 - step * decay
    update = shrink**2 * n + step**2 * SQUARE / n
    rate = step / (shrink * n)
    return Scheduler("weight decay", rate, (n,), (update,), first=_first(step, decay))


def _letters(eta: object, beta: object, moment: Symbol | None) -> tuple[Symbol, Expr, Expr]:
    v = Symbol("v", positive=True) if moment is None else moment
    return v, symbol_for(eta, "eta", (), "eta"), symbol_for(beta, "beta", (), "beta")


def _first(*given: Expr) -> tuple[Symbol, ...]:
    return tuple(dict.fromkeys(s for e in given for s in constants_of((e,), ())))
