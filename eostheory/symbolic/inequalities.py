"""Deciding inequalities: signs of factors, exact instances, nlsat, and calculus in one variable."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from eostheory.formula import Expr, Inequality, Number, Symbol, sqrt
from eostheory.symbolic.balls import sign_of_constant
from eostheory.symbolic.decision import Decision
from eostheory.symbolic.exact import Instance, InstanceError
from eostheory.symbolic.scalars import Poly, Undefined
from eostheory.symbolic.signs import SHOWS
from eostheory.symbolic.solving import NEGATED, Condition, Query, assumptions, relevant, solve

if TYPE_CHECKING:
    from eostheory.symbolic.model import Model


def decide_inequality(model: Model, statement: Inequality, refute: bool = True) -> Decision:
    """``holds`` by an exact argument, ``fails`` by an exact instance, else ``undecided``."""
    kernel = model.kernel
    outer, kernel.field.tags = kernel.field.tags, set()
    try:
        gap = kernel.scalar(statement.lhs) - kernel.scalar(statement.rhs)
        if kernel.field.is_zero(gap):
            gap = kernel.field.zero
        lowered = frozenset(kernel.field.tags)
        sign = kernel.signs.factored(gap)
        used = frozenset(kernel.field.tags - {""})
    finally:
        kernel.field.tags = outer
    if sign in SHOWS[statement.relation]:
        certificate = {"kind": "signs", "factors": _factors(model, gap)}
        return Decision("holds", "proved", "signs of the factors", certificate, used=used)
    if not any(model.free(statement.lhs, statement.rhs)):
        sign = sign_of_constant(kernel.field, gap)
        if sign in SHOWS[statement.relation]:
            certificate = {"kind": "balls", "boxes": "1"}
            return Decision("holds", "certified", "Arb ball of a constant", certificate, used=used)
    witness, tried = None, ["signs of the factors"]
    if refute:
        from eostheory.symbolic import witnesses

        witness, more = witnesses.refute(model, statement)
        tried += more
    if witness is not None:
        return Decision("fails", "proved", witness["how"], {}, witness, used=used,
                        tried=tuple(tried))  # fmt: skip
    goal = Condition(gap, NEGATED[statement.relation])
    pool = relevant(model, [goal], assumptions(model))
    try:
        query = solve(model, [goal, *pool], model.patience)
    except (ValueError, Undefined) as error:
        query = Query("unknown")
        tried.append(f"nlsat: {error}")
    named = (query.used | lowered) - {""}
    if query.verdict == "unsat":
        certificate = {"kind": "nlsat", "smt2": query.smt, "negated goal": "unsat"}
        return Decision("holds", "proved", "nlsat (Z3)", certificate, used=frozenset(named))
    tried.append(f"nlsat: {query.verdict} after {query.seconds:.2f} s")
    if query.verdict == "unknown" and model.thorough:
        from eostheory.symbolic.positivstellensatz import certify

        identity = certify(query.smt, model.patience)
        if identity is not None:
            return Decision("holds", "proved", "sum of squares", identity, used=frozenset(named))
        tried.append("sum of squares: none found")
    if query.verdict == "sat" and refute:
        witness = _realise(model, statement, query)
        if witness is not None:
            return Decision("fails", "proved", "nlsat, instance checked exactly", {}, witness,
                            used=used, tried=tuple(tried))  # fmt: skip
        tried.append("nlsat: its point is no exact instance of the derivation")
    from eostheory.symbolic.calculus import decide_by_calculus

    decision = decide_by_calculus(model, statement, gap, tried)
    if decision is not None:
        decision.used = frozenset((decision.used | lowered) - {""})
        return decision
    return Decision("undecided", used=used, tried=tuple(tried))


def _factors(model: Model, gap: Poly) -> list[str]:
    if not gap.terms:
        return ["0"]
    c, factors = model.kernel.powers.factor(gap)
    return [str(c), *(f"({model.lift.atom(a)})**({e})" for a, e in factors.items())]


# ------------------------------------------------------------------------- counterexamples
def _realise(model: Model, statement: Inequality, query: Query) -> dict[str, Any] | None:
    """An exact instance near what Z3 proposes, checked against everything."""
    from eostheory.symbolic.instances import check
    from eostheory.symbolic.witnesses import named_values, violation

    if model.free(statement.lhs, statement.rhs)[0] & model.landaus:
        return None
    field = model.kernel.field
    table: dict[Any, Any] = {}
    for atom, value in query.values.items():
        if field.atoms[atom].kind == "symbol":
            table[field.atoms[atom].key] = value
    for atom, (middle, square, side) in query.surds.items():
        if field.atoms[atom].kind == "symbol":
            table[field.atoms[atom].key] = Number(middle) + side * sqrt(Number(square))
    try:
        table |= _vectors(model, query)
        supply = model.supply()
        instance = supply.complete(table)
        check(model, instance)
        witness = violation(statement, instance)
    except (InstanceError, Undefined, ValueError):
        return None
    if witness is not None:
        witness["how"] = "nlsat, instance checked exactly"
        witness["values"] = named_values(model, instance, statement)
    return witness


def _vectors(model: Model, query: Query) -> dict[Symbol, Any]:
    """Vectors with the proposed Gram matrix: exact Cholesky, one component per vector."""
    words = model.kernel.words
    if any(len(v) != 1 or words.letters[v[0]].args for v in query.vectors):
        raise InstanceError("the vectors are products")
    groups: dict[Any, list[int]] = {}
    for (letter,) in query.vectors:
        groups.setdefault(words.letters[letter].row, []).append(letter)
    table: dict[Symbol, Any] = {}
    instance = Instance({}, {})
    for letters in groups.values():
        size = len(letters)
        gram = [[_entry(model, query, a, b) for b in letters] for a in letters]
        lower = [[Fraction(0)] * size for _ in range(size)]
        diagonal = [Fraction(0)] * size
        for j in range(size):
            diagonal[j] = gram[j][j] - sum(lower[j][k] ** 2 * diagonal[k] for k in range(j))
            lower[j][j] = Fraction(1)
            for i in range(j + 1, size):
                rest = gram[i][j] - sum(lower[i][k] * lower[j][k] * diagonal[k] for k in range(j))
                if diagonal[j] == 0 and rest != 0:
                    raise InstanceError("no vectors have this Gram matrix")
                lower[i][j] = rest / diagonal[j] if diagonal[j] else Fraction(0)
            if diagonal[j] < 0:
                raise InstanceError("no vectors have this Gram matrix")
        roots = [instance.evaluate(sqrt(Number(d))) for d in diagonal]
        for i, letter in enumerate(letters):
            symbol = words.letters[letter].symbol
            assert isinstance(symbol, Symbol)
            exact: list[Expr] = []
            for j in range(size):
                value = roots[j].scale(instance.constant(lower[i][j]).constant)
                exact.append(_constant_formula(instance, value))
            table[symbol] = tuple(exact)
    return table


def _constant_formula(instance: Instance, value: Poly) -> Expr:
    from eostheory.symbolic.lift import Lift

    return Lift(instance.kernel.field, instance.kernel.words).poly(value)


def _entry(model: Model, query: Query, a: int, b: int) -> Fraction:
    words, field = model.kernel.words, model.kernel.field
    value = words.value((words.mate[a], b))
    assert isinstance(value, Poly)
    total = Fraction(0)
    for mono, c in value.terms.items():
        part = Fraction(int(c.p), int(c.q))
        for atom, e in mono:
            if atom not in query.values or not isinstance(e, int):
                raise InstanceError(f"no value for {field.atoms[atom].kind}")
            part *= query.values[atom] ** e
        total += part
    return total


# ------------------------------------------------------------------------------ the domain
def satisfiable(model: Model) -> bool | None:
    """Whether the assumptions can hold together."""
    if not model.assumptions:
        return True
    try:
        if model.supply().instances():
            return True
    except Undefined:
        return None
    query = solve(model, assumptions(model), model.patience)
    return {"sat": True, "unsat": False}.get(query.verdict)


def oracle(model: Model, poly: Poly) -> tuple[str, frozenset[str]]:
    """The sign of ``poly`` by nlsat, for roots and logarithms; ``?`` when unknown."""
    pool = relevant(model, [Condition(poly, ">")], assumptions(model))
    if not pool and not any(model.kernel.field.atoms[a].traits for a in poly.atoms()):
        return "?", frozenset()
    for relation, sign in (("<=", "+"), (">=", "-")):
        try:
            query = solve(model, [Condition(poly, relation), *pool], 0.3)
        except (ValueError, Undefined):
            return "?", frozenset()
        if query.verdict == "unsat":
            return sign, query.used
    return "?", frozenset()
