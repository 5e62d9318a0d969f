"""Re-checking what ``decide`` answered, by code that does not share its search.

* normal form, signs, ladder, balls: both sides are evaluated entry by entry on exact instances of
  several sizes (:mod:`exact` knows nothing of words); one violation refutes the answer.
* cone: the weights of the certificate are checked by exact arithmetic on its own exponents.
* nlsat: the stored query is given to a fresh solver, which must say ``unsat`` again.
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
    if kind == "nlsat" and not check_unsat(decision.certificate["smt2"]):
        return False
    if isinstance(statement, Equation | Inequality):
        seen = _instances_agree(model, statement)
        return True if seen is None and kind == "nlsat" else seen
    return None


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
