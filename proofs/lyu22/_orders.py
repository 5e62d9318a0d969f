"""Order bookkeeping by bounded letters: O(X) is an unknown bounded letter times X.

Taylor's theorem enters through :func:`taylor`, whose coefficients are computed, and smallness
through :func:`sizes`, which declares what the hypotheses make bounded.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import count
from typing import TYPE_CHECKING

import sympy

from eostheory.formula import Expr, Number, OrderBound, Symbol, scalar
from eostheory.formula.core import Add

from . import _notation as n

if TYPE_CHECKING:
    from eostheory.symbolic import Model

_fresh = count()

CURVES = {
    "inverse root": lambda s: 1 / sympy.sqrt(1 + s),
    "exponential": sympy.exp,
    "logarithm": lambda s: sympy.log(1 + s),
}
"""Functions smooth at zero whose expansions are used."""


giant = scalar("giant", positive=True)
"""Something that may be arbitrarily large; ``bound(r/giant)`` says that r need not be bounded."""


def letter(m: Model, stem: str, shape: tuple[str, ...] = ()) -> Symbol:
    """A fresh bounded unknown."""
    return m.landau(f"{stem}_{next(_fresh)}", shape)


def sizes(m: Model, *, powers: int = 12) -> None:
    """``1 <= alpha <= eta^{-o(1)}``: eta, 1/alpha and every power of alpha times eta are bounded."""
    m.bound(n.eta)
    m.bound(n.alpha / giant)
    m.bound(1 / n.alpha, by="alpha")
    m.bound(n.alpha**powers * n.eta, by="alpha")


def unless(m: Model, hypothesis: str) -> Expr:
    """One while ``hypothesis`` is granted, else a factor that may be as large as it likes."""
    if hypothesis not in m.withheld:
        return Number(Fraction(1))
    wild = scalar(f"wild_{hypothesis}", positive=True)
    m.bound(1 / wild)
    return wild


def taylor(m: Model, curve: str, small: Expr, order: int) -> Expr:
    """Taylor polynomial of a curve at zero below ``order``, and a bounded letter times the rest.

    The remainder's letter is bounded because ``small`` tends to zero.
    """
    s = sympy.Symbol("s")
    series = sympy.series(CURVES[curve](s), s, 0, order).removeO()
    total: Expr = letter(m, "rest") * small**order
    for k in range(order):
        c = series.coeff(s, k)
        total = total + Number(Fraction(int(c.p), int(c.q))) * (small**k if k else Number(Fraction(1)))
    return total


def settle(m: Model, expr: Expr, order: Expr) -> Expr:
    """``expr`` with every term that is O(order) exchanged for one bounded letter times it."""
    normal = m.normal(expr)
    kept: list[Expr] = []
    dropped = False
    for term in normal.terms if isinstance(normal, Add) else (normal,):
        zero = 0 * term if term.shape else Number(Fraction(0))
        if m.decide(OrderBound(term, zero, order)).outcome == "holds":
            dropped = True
        else:
            kept.append(term)
    if dropped:
        kept.append(order * letter(m, "settled", expr.shape))
    return kept[0] if len(kept) == 1 else Add(tuple(kept))
