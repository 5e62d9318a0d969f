"""Re-checking what ``decide`` answered, by code that does not share its search.

* normal form, signs, ladder, balls: both sides are evaluated entry by entry on exact instances of
  several sizes (:mod:`exact` knows nothing of words); one violation refutes the answer.
* cone: the weights of the certificate are checked by exact arithmetic on its own exponents.
* nlsat: the stored query is given to a fresh solver, which must say ``unsat`` again.
* positivstellensatz: the identity is multiplied out, by SymPy's polynomials.
* an instance of a general bound: each part in its own way.
* witness: the stored instance is evaluated again.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from eostheory.formula import Equation, Inequality, Statement
from eostheory.symbolic.decision import Decision
from eostheory.symbolic.exact import InstanceError
from eostheory.symbolic.scalars import Undefined
from eostheory.symbolic.witnesses import violation

if TYPE_CHECKING:
    from eostheory.symbolic.model import Model


def recheck(model: Model, statement: Statement, decision: Decision) -> bool | None:
    """True when the answer is confirmed, False when it is contradicted, None when neither."""
    if decision.outcome == "fails":
        return _again_violated(model, statement) if decision.witness is not None else False
    if decision.outcome != "holds":
        return None
    kind = decision.certificate.get("kind")
    if kind == "cone":
        return check_cone(decision.certificate)
    confirmed = check_certificate(decision.certificate)
    if confirmed is False:
        return False
    if isinstance(statement, Equation | Inequality):
        seen = _instances_agree(model, statement)
        return confirmed if seen is None else seen
    return confirmed


def check_certificate(certificate: dict[str, Any]) -> bool | None:
    """Whether a certificate that needs no model is right; None when it is of another kind."""
    match certificate.get("kind"):
        case "cone":
            return check_cone(certificate)
        case "nlsat":
            return check_unsat(certificate["smt2"])
        case "positivstellensatz":
            return check_identity(certificate)
        case "instance of a general bound":
            parts = [certificate["general"], *certificate["premises"].values()]
            answers = [check_certificate(part) for part in parts]
            return False if False in answers else None
    return None


def check_identity(certificate: dict[str, Any]) -> bool:
    """Whether the terms add up to zero, may stand there, and one of them is positive.

    ``smt2`` must assert every condition that a term uses.
    """
    from sympy import Poly, Rational, symbols

    from eostheory.symbolic.smt import conditions

    def factors(name: str) -> dict[str, int]:
        powers: dict[str, int] = {}
        for part in () if name == "1" else name.split("*"):
            letter, _, e = part.partition("^")
            powers[letter] = powers.get(letter, 0) + int(e or 1)
        return powers

    tables = [c["poly"] for c in certificate["conditions"]]
    tables += [t["square"] for t in certificate["terms"]]
    tables += [{t["monomial"]: "1"} for t in certificate["terms"]]
    letters = sorted({v for table in tables for name in table for v in factors(name)})
    generators = symbols(letters) if letters else symbols(["unused"])

    def poly(table: dict[str, str]) -> Any:
        terms = {}
        for name, c in table.items():
            powers = factors(name)
            terms[tuple(powers.get(v, 0) for v in letters or ["unused"])] = Rational(c)
        return Poly(terms, *generators, domain="QQ")

    known = [poly(c["poly"]) for c in certificate["conditions"]]
    relations = [c["relation"] for c in certificate["conditions"]]
    asserted = {
        (frozenset((m, Fraction(c)) for m, c in sign.poly.items()), sign.relation)
        for sign in conditions(certificate["smt2"])
    }
    total, strict = poly({}), False
    for term in certificate["terms"]:
        weight, chosen = Fraction(term["weight"]), term["conditions"]
        for i in chosen:
            table = certificate["conditions"][i]["poly"]
            own = frozenset(
                (tuple(sorted(factors(m).items())), Fraction(c)) for m, c in table.items()
            )
            if (own, relations[i]) not in asserted:
                return False
        equation = any(relations[i] == "==" for i in chosen)
        if not equation and (weight < 0 or term["monomial"] != "1"):
            return False
        constant = set(term["square"]) == {"1"}
        if all(relations[i] == ">" for i in chosen) and constant and weight > 0:
            strict = True
        value = poly({term["monomial"]: term["weight"]}) * poly(term["square"]) ** 2
        for i in chosen:
            value = value * known[i]
        total = total + value
    return strict and total.is_zero


def _instances_agree(model: Model, statement: Equation | Inequality) -> bool | None:
    """Whether the statement holds exactly on every instance; None without one."""
    if model.free(statement.lhs, statement.rhs)[0] & model.landaus:
        return None
    confirmed = 0
    for instance, _, _ in model.supply().instances():
        try:
            if violation(statement, instance) is not None:
                return False
            if isinstance(statement, Equation):
                left, right = instance.evaluate(statement.lhs), instance.evaluate(statement.rhs)
                confirmed += instance.compare(left, right) == "same"
            else:
                confirmed += 1
        except (InstanceError, Undefined):
            continue
    return True if confirmed else None


def _again_violated(model: Model, statement: Statement) -> bool | None:
    if not isinstance(statement, Equation | Inequality):
        return None
    for instance, _, _ in model.supply().instances():
        try:
            if violation(statement, instance) is not None:
                return True
        except (InstanceError, Undefined):
            continue
    return None


def check_unsat(smt2: str) -> bool:
    """Whether a fresh solver finds the stored query unsatisfiable."""
    import z3

    solver = z3.SolverFor("QF_NRA")
    solver.set("timeout", 10_000)
    solver.from_string(smt2)
    return bool(solver.check() == z3.unsat)


def check_cone(certificate: dict[str, Any]) -> bool:
    """Whether the weights express every monomial by the orders and the bounded facts."""

    def exponents(table: dict[str, str]) -> dict[str, Fraction]:
        return {name: Fraction(e) for name, e in table.items()}

    orders = [exponents(o) for o in certificate["orders"]]
    facts = [exponents(f) for f in certificate["facts"]]
    for entry in certificate["monomials"]:
        theta = {int(j): Fraction(w) for j, w in entry["orders"].items()}
        cone = {int(i): Fraction(w) for i, w in entry["facts"].items()}
        if sum(theta.values()) != 1 or min((*theta.values(), *cone.values())) < 0:
            return False
        rest = exponents(entry["monomial"])
        for column, weights in ((orders, theta), (facts, cone)):
            for index, weight in weights.items():
                for name, e in column[index].items():
                    rest[name] = rest.get(name, Fraction(0)) - weight * e
        if any(rest.values()):
            return False
    return True
