"""Deciding ``lhs = rhs + O(order)``: exact algebra, then cone membership of exponents."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from flint import fmpq

from eostheory.formula import Expr, OrderBound
from eostheory.symbolic.cone import direction, member
from eostheory.symbolic.decision import Decision
from eostheory.symbolic.equations import derived_side
from eostheory.symbolic.exact import InstanceError
from eostheory.symbolic.letters import Tensor, Word
from eostheory.symbolic.lower import Value
from eostheory.symbolic.scalars import Exponent, Monomial, Poly, Undefined
from eostheory.symbolic.sizes import Size, Sizes, Var, combine

if TYPE_CHECKING:
    from eostheory.symbolic.model import Model

_MOST_TERMS = 300
"""A difference of more terms than this is not searched for a counterexample."""

_UNNAMED = {"", "order one", "a sum is at least each positive term"}

Term = tuple[Word | None, Monomial, Any]


def facts_for(model: Model, expr: Expr, order: Expr) -> frozenset[str] | None:
    """The hypotheses by which ``expr = O(order)``, None when the bounds do not give it.

    Neither certificate nor refutation: fast.
    """
    kernel = model.kernel
    outer, kernel.field.tags = kernel.field.tags, set()
    try:
        value = kernel.lower(expr)
        bound = kernel.powers.canonical(kernel.scalar(order))
        used = set(kernel.field.tags)
    finally:
        kernel.field.tags = outer
    sizes = Sizes(model, bound)
    orders = tuple(sizes.lower(bound))
    wanted = {
        combine(size, sizes.word(word))
        for word, mono, _ in _terms(model, value)
        for size in sizes.monomial(mono)
    }
    facts = sizes.all_facts()
    plain = tuple(f for f, _ in facts)
    for size in wanted:
        weights = member(size, orders, plain)
        if weights is None:
            return None
        used |= {facts[i][1] for i, _ in weights.facts}
    return frozenset(used - _UNNAMED)


def decide_order(model: Model, statement: OrderBound, refute: bool = True) -> Decision:
    """``holds`` when every monomial of the difference is dominated by the order."""
    kernel = model.kernel
    outer, kernel.field.tags = kernel.field.tags, set()
    try:
        difference = kernel.minus(kernel.lower(statement.lhs), kernel.lower(statement.rhs))
        order = kernel.powers.canonical(kernel.scalar(statement.order))
        terms = _terms(model, difference)
        sizes = Sizes(model, order)
        orders = tuple(sizes.lower(order))
        used = set(kernel.field.tags)
    except ValueError as error:
        return Decision("undecided", tried=(str(error),))
    finally:
        kernel.field.tags = outer
    if not orders:
        return Decision("undecided", tried=("the order is zero",))
    wanted: dict[Size, Term] = {}
    for word, mono, c in terms:
        shape = sizes.word(word)
        for size in sizes.monomial(mono):
            wanted.setdefault(combine(size, shape), (word, mono, c))
    facts = sizes.all_facts()
    plain = tuple(f for f, _ in facts)
    cones = []
    worst: tuple[Size, Term] | None = None
    for size, term in wanted.items():
        weights = member(size, orders, plain)
        if weights is None:
            worst = (size, term)
            break
        cones.append((size, weights))
        used |= {facts[i][1] for i, _ in weights.facts}
    named = frozenset(used - _UNNAMED)
    derived = derived_side(model, statement.lhs)
    if worst is None:
        certificate = _certificate(model, cones, orders, facts)
        return Decision(
            "holds", "proved", "cone of exponents", certificate, None, derived, named
        )  # fmt: skip
    text = short(_formula(model, [worst[1]], difference))
    tried = [f"the term {text} is not known to be O({statement.order})"]
    witness = None
    if refute:
        witness = _refute(model, terms, difference, sizes, orders, plain, worst[0], tried)
    if witness is not None:
        return Decision(
            "fails", "proved", "a curve along which the bound fails", {}, witness, derived, named,
            tuple(dict.fromkeys(tried)),
        )  # fmt: skip
    tried = list(dict.fromkeys(tried))
    return Decision("undecided", "proved", "", {}, None, derived, named, tuple(tried))


def short(expr: object) -> str:
    """A formula in at most a line and a half."""
    text = str(expr)
    return text if len(text) <= 160 else text[:157] + "..."


def _terms(model: Model, difference: Value) -> list[Term]:
    return [
        (word, mono, c)
        for word, poly in model.kernel.parts(difference)
        for mono, c in model.kernel.powers.canonical(poly).terms.items()
    ]


def _formula(model: Model, terms: list[Term], like: Value) -> Any:
    field = model.kernel.field
    if isinstance(like, Poly):
        value: Value = field.sum(Poly(field, {m: c}) for _, m, c in terms)
        return model.lift.formula(value, ())
    grouped: dict[Word, Poly] = {}
    for word, mono, c in terms:
        assert word is not None
        part = Poly(field, {mono: c})
        grouped[word] = grouped[word] + part if word in grouped else part
    return model.lift.formula(Tensor(like.row, like.col, grouped), (like.row, like.col))


def _certificate(
    model: Model, cones: list[Any], orders: tuple[Size, ...], facts: Any
) -> dict[str, Any]:
    """Exponents by name, and the weights, for :func:`recheck.check_cone`."""

    def table(size: Size) -> dict[str, str]:
        return {_label(model, var): str(e) for var, e in size}

    return {
        "kind": "cone",
        "orders": [table(o) for o in orders],
        "facts": [table(f) for f, _ in facts],
        "monomials": [
            {
                "monomial": table(size),
                "orders": {str(j): str(w) for j, w in weights.orders},
                "facts": {str(i): str(w) for i, w in weights.facts},
            }
            for size, weights in cones
        ],
    }


def _label(model: Model, var: tuple[str, int]) -> str:
    if var[0] == "atom":
        return str(model.lift.atom(var[1]))
    return f"|{model.kernel.words.letters[var[1]].symbol.name}|"


# ------------------------------------------------------------------------------ refutation
def _refute(
    model: Model,
    terms: list[Term],
    difference: Value,
    sizes: Sizes,
    orders: tuple[Size, ...],
    facts: tuple[Size, ...],
    size: Size,
    tried: list[str],
) -> dict[str, Any] | None:
    """A curve in the sized symbols along which difference / order grows without bound."""
    if len(terms) > _MOST_TERMS:
        tried.append(f"no search for a curve: {len(terms)} terms")
        return None
    if not _independent(model, terms, sizes, tried):
        return None
    still = frozenset(v for s in (size, *orders, *facts) for v, _ in s if not _sized(sizes, v))
    rates = direction(size, orders, facts, still)
    if rates is None:
        tried.append("no curve separates the term from the order")
        return None
    groups: dict[Fraction, list[Term]] = {}
    for word, mono, c in terms:
        own = _one_size(sizes, mono)
        if own is None:
            tried.append("a root of a sum has no single size along a curve")
            return None
        total = combine(own, sizes.word(word))
        growth = _along(rates, total)
        groups.setdefault(growth, []).append((word, mono, c))
    limit = max(_along(rates, o) for o in orders)
    leading = _formula(model, groups[max(groups)], difference)
    if model.free(leading)[0] & model.landaus:
        tried.append("the leading terms hold remainder letters")
        return None
    deadline = time.process_time() + model.patience / 3
    for instance, table, origin in model.supply().instances():
        if time.process_time() > deadline:
            tried.append("no curve within the time allowed")
            break
        for growth in sorted(groups, reverse=True):
            if growth <= limit:
                break
            part = _formula(model, groups[growth], difference)
            if model.free(part)[0] & model.landaus:
                tried.append("the leading terms hold remainder letters")
                break
            try:
                value = instance.evaluate(part)
            except (InstanceError, Undefined) as error:
                tried.append(f"{origin}: {error}")
                break
            zero = instance.compare(value, _zeros(instance, value))
            if zero == "?":
                break
            if zero == "differ" and _assumptions_hold(model, instance, sizes, rates):
                return {
                    "how": "a curve along which the bound fails",
                    "curve": {_label(model, v): f"s**({-r})" for v, r in rates.items() if r},
                    "values": {
                        k.name: instance.text(instance.values[k])
                        for k in table
                        if k in instance.values
                    },
                    "lhs": f"difference = s**({-growth}) * {instance.text(value)} * (1 + o(1))",
                    "rhs": f"order = O(s**({-limit})) as s -> 0",
                }
    return None


def _along(rates: dict[Var, Exponent], size: Size) -> Fraction:
    """The growth of a monomial along the curve."""
    return sum((Fraction(rates.get(v, 0)) * e for v, e in size), Fraction(0))


def _one_size(sizes: Sizes, mono: Monomial) -> Size | None:
    found = set(sizes.monomial(mono))
    return found.pop() if len(found) == 1 else None


def _sized(sizes: Sizes, var: tuple[str, int]) -> bool:
    kind, index = var
    return index in (sizes.sized_letters if kind == "letter" else sizes.sized_atoms)


def _zeros(instance: Any, value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_zeros(instance, v) for v in value)
    return instance.kernel.field.zero


def _independent(model: Model, terms: list[Term], sizes: Sizes, tried: list[str]) -> bool:
    """Whether the sized quantities are free symbols, so that a curve in them is an instance."""
    field = model.kernel.field
    atoms = {a for _, mono, _ in terms for a, _ in mono} | sizes.sized_atoms
    for atom in atoms:
        kind = field.atoms[atom].kind
        if atom in sizes.sized_atoms and kind != "symbol":
            tried.append(f"{short(model.lift.atom(atom))} is no free symbol: no curve of instances")
            return False
        if atom in sizes.sized_atoms and "integer" in field.atoms[atom].traits:
            tried.append(f"{model.lift.atom(atom)} is a whole number: no curve of instances")
            return False
        if kind not in ("symbol", "pair", "form", "trace", "size", "prime") and sizes._holds_sized(
            atom
        ):
            name = short(model.lift.atom(atom))
            tried.append(f"{name} depends on small quantities: no exact curve")
            return False
    for lhs, rhs, name in model.relations:
        for side in (model.kernel.lower(rhs), model.kernel.lower(lhs)):
            for word, poly in model.kernel.parts(side):
                touched = poly.atoms() & sizes.sized_atoms
                if touched or sizes.word(word) or any(sizes._holds_sized(a) for a in poly.atoms()):
                    tried.append(f"the relation by {name} ties the small quantities")
                    return False
    return True


def _assumptions_hold(model: Model, instance: Any, sizes: Sizes, rates: Any) -> bool:
    """Whether every assumption holds along the curve, near its end."""
    field = model.kernel.field
    for condition, _ in model.assumptions:
        poly = model.kernel.scalar(condition.lhs) - model.kernel.scalar(condition.rhs)
        groups: dict[Fraction, Poly] = {}
        for mono, c in model.kernel.powers.canonical(poly).terms.items():
            if any(
                field.atoms[a].kind not in ("symbol", "pair", "form", "trace", "size", "prime")
                and sizes._holds_sized(a)
                for a, _ in mono
            ):
                return False
            own = _one_size(sizes, mono)
            if own is None:
                return False
            growth = _along(rates, own)
            part = Poly(field, {mono: fmpq(c)})
            groups[growth] = groups[growth] + part if growth in groups else part
        for growth in sorted(groups, reverse=True):
            sign = instance.sign(instance.evaluate(model.lift.poly(groups[growth])))
            if sign == "0":
                continue
            good = {">": "+", ">=": "+", "<": "-", "<=": "-"}.get(condition.relation)
            if sign == "?" or (good is not None and sign != good):
                return False
            break
        else:
            if condition.relation not in (">=", "<="):
                return False
    return True
