"""Order bookkeeping by bounded letters: O(X) is an unknown bounded letter times X.

Taylor's theorem enters through :func:`taylor`, whose coefficients are computed, and smallness
through :func:`sizes`, which declares what the hypotheses make bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from itertools import count
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import sympy

from eostheory.formula import Expr, Number, Symbol, scalar, symbols_of
from eostheory.formula.core import Add, Mul, Shape, mul

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

_SIZED = frozenset({n.eta, n.alpha, n.r, n.h0, n.size, giant})


_granted: WeakKeyDictionary[Model, list[Expr]] = WeakKeyDictionary()


def bound(m: Model, monomial: Expr, by: str = "") -> None:
    """``monomial = O(1)``, remembered also where the hypothesis ``by`` is withheld."""
    m.bound(monomial, by=by)
    _granted.setdefault(m, []).append(monomial)


def letter(m: Model, stem: str, shape: Shape = ()) -> Symbol:
    """A fresh bounded unknown."""
    return m.landau(f"{stem}_{next(_fresh)}", shape)


def sizes(m: Model, *, powers: int = 12) -> None:
    """``1 <= alpha <= eta^{-o(1)}``: every power of alpha, times eta, is bounded."""
    bound(m, n.eta)
    bound(m, n.alpha / giant)
    bound(m, 1 / n.alpha, by="alpha")
    bound(m, n.alpha**powers * n.eta, by="alpha")


def unless(m: Model, *hypotheses: str) -> Expr:
    """One while the hypotheses are granted, else a factor that may be as large as it likes."""
    product: Expr = Number(Fraction(1))
    for hypothesis in hypotheses:
        if hypothesis in m.withheld:
            wild = scalar(f"wild_{hypothesis}", positive=True)
            m.bound(1 / wild)
            _granted.setdefault(m, []).append(wild)
            product = product * wild
    return product


def sized(symbol: Expr) -> bool:
    """Whether a symbol has a size of its own."""
    return isinstance(symbol, Symbol) and (symbol in _SIZED or symbol.name.startswith("wild_"))


def taylor(m: Model, curve: str, small: Expr, order: int) -> Expr:
    """Taylor polynomial of a curve at zero below ``order``, and a bounded letter times the rest.

    The remainder's letter is bounded because ``small`` tends to zero.
    """
    s = sympy.Symbol("s")
    series = sympy.series(CURVES[curve](s), s, 0, order).removeO()
    total: Expr = letter(m, "rest") * small**order
    for k in range(order):
        c = series.coeff(s, k)
        total = total + Number(Fraction(int(c.p), int(c.q))) * (
            small**k if k else Number(Fraction(1))
        )
    return total


def settle(m: Model, expr: Expr, order: Expr) -> Expr:
    """``expr`` with every term that is O(order) exchanged for one bounded letter times it.

    Where a hypothesis is withheld, terms that are small only by it become a letter that may be
    as large as it likes: nothing rests on them then, and expressions stay short.
    """
    kept: list[Expr] = []
    ranks: dict[tuple[Expr, ...], int] = {}
    for term in _monomials(m.normal(expr)):
        # Whether a term is small depends only on those of its factors that have a size.
        key = tuple(f for f in _factors(term) if any(map(sized, symbols_of(f))))
        if key not in ranks:
            ranks[key] = _rank(m, mul(1, *key), order)
        if not ranks[key]:
            kept.append(term)
    if 1 in ranks.values():
        kept.append(order * letter(m, "settled", expr.shape))
    if 2 in ranks.values():
        kept.append(order * unless(m, *sorted(m.withheld)) * letter(m, "unsettled", expr.shape))
    return kept[0] if len(kept) == 1 else Add(tuple(kept))


def _rank(m: Model, size: Expr, order: Expr) -> int:
    """1 for a product of sizes that is O(order), 2 if it is so by a withheld hypothesis, else 0."""
    known = [tuple(dict.fromkeys(fact for fact, _ in m.bounds))]
    if m.withheld:
        known.append(tuple(dict.fromkeys(_granted[m])))
    return next((i for i, k in enumerate(known, start=1) if _within(k, size, order)), 0)


@cache
def _within(facts: tuple[Expr, ...], size: Expr, order: Expr) -> bool:
    return _ruler(facts).is_order(size, order)


@cache
def _ruler(facts: tuple[Expr, ...]) -> Model:
    """A model that knows these bounds and nothing else."""
    from eostheory.symbolic import Model as Ruler

    model = Ruler()
    for fact in facts:
        model.bound(fact)
    return model


def _monomials(normal: Expr) -> Iterator[Expr]:
    """The terms of a normal form; a vector's scalar coefficient is a sum of its own."""
    for term in normal.terms if isinstance(normal, Add) else (normal,):
        factors = _factors(term)
        sums = [f for f in factors if isinstance(f, Add) and f.shape == ()]
        if not sums:
            yield term
            continue
        rest = [f for f in factors if f is not sums[0]]
        for part in sums[0].terms:
            yield mul(part, *rest)


def _factors(term: Expr) -> tuple[Expr, ...]:
    return term.factors if isinstance(term, Mul) else (term,)


def shared(m: Model, build: Callable[..., None], *args: bool) -> None:
    """What ``build`` derives, worked out once per process and set of withheld hypotheses."""
    source = _built(build, args, m.withheld)
    m.patterns |= source.patterns
    for form, by in source.kernel.words.symmetric_forms.items():
        m.fully_symmetric(form, by=by)
    for lhs, rhs, by in source.relations:
        m.relation(lhs, rhs, by=by)
    for symbol, value in source.kernel.definitions.items():
        m.define(symbol, value)
    m.bounds += source.bounds
    m.landaus |= source.landaus
    m.steps += source.steps
    m.rests_on += source.rests_on
    _granted[m] = [*_granted.get(m, []), *_granted.get(source, [])]


@cache
def _built(build: Callable[..., None], args: tuple[bool, ...], withheld: frozenset[str]) -> Model:
    from eostheory.symbolic import Model as Fresh

    model = Fresh(withheld=withheld)
    build(model, *args)
    return model
