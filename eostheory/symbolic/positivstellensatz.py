r"""Proof certificates for the unsatisfiability of polynomial conditions.

A contradiction between conditions p_i > 0, p_i >= 0, p_i = 0 is an identity

    sum_k  c_k * m_k * q_k**2 * prod_i p_i**e_ik  =  0,     c_k > 0 rational,

with a monomial m_k (and c_k of any sign) beside equations only.  One term at least is a product of
strict conditions alone (the empty product is 1).  A linear program finds the terms; where it is
infeasible, its dual proposes squares that would help, which makes the search one over sums of
squares.  The coefficients are then solved for exactly.  The identity can be checked by multiplying
out polynomials (:func:`eostheory.symbolic.recheck.check_identity`).
"""

from __future__ import annotations

import time
from typing import Any

from eostheory.symbolic.products import COLUMNS, terms_of
from eostheory.symbolic.program import Program
from eostheory.symbolic.smt import Monomial, Sign, conditions, degree
from eostheory.symbolic.solving import limited


def certify(smt2: str, seconds: float = 1.0) -> dict[str, Any] | None:
    """A contradiction between the conditions of a query, or None when none was found in time."""
    deadline = time.process_time() + seconds
    known = _core(_distinct(conditions(smt2)), deadline)
    base = max((degree(c.poly) for c in known), default=0)
    for top in range(base, 2 * base + 2):
        program = Program(terms_of(known, top, deadline))
        if time.process_time() > deadline:
            return None
        weights = program.weights(deadline) or program.squares(known, deadline)
        if weights is not None:
            return {
                "kind": "positivstellensatz",
                "terms": [
                    {
                        "weight": str(w * term.sign),
                        "conditions": list(term.factors),
                        "monomial": _name(term.monomial),
                        "square": {_name(m): str(c) for m, c in term.square.items()},
                    }
                    for term, w in zip(program.terms, weights, strict=True)
                    if w
                ],
                "conditions": [
                    {"poly": {_name(m): str(c) for m, c in k.poly.items()}, "relation": k.relation}
                    for k in known
                ],
                "smt2": smt2,
            }
        if time.process_time() > deadline or len(program.terms) > COLUMNS:
            return None
    return None


def _distinct(known: list[Sign]) -> list[Sign]:
    """Every condition once, the strict form of it where both are there."""
    found: dict[tuple[Any, ...], Sign] = {}
    for sign in known:
        key = (tuple(sorted(sign.poly.items())), sign.relation == "==")
        if sign.relation == ">" or (sign.poly and key not in found):
            found[key] = sign
    return list(found.values())


def _name(mono: Monomial) -> str:
    return "*".join(f"{v}^{e}" if e > 1 else v for v, e in mono) or "1"


def _core(known: list[Sign], deadline: float) -> list[Sign]:
    """What Z3 needs for a contradiction: a smaller problem, no part of the proof."""
    import z3

    names = sorted({v for k in known for mono in k.poly for v, _ in mono})
    letters = {name: z3.Real(name) for name in names}

    def formula(sign: Sign) -> Any:
        total: Any = z3.RealVal(0)
        for mono, c in sign.poly.items():
            part: Any = z3.RealVal(f"{c.numerator}/{c.denominator}")
            for name, e in mono:
                for _ in range(e):
                    part = part * letters[name]
            total = total + part
        return {">": total > 0, ">=": total >= 0, "==": total == 0}[sign.relation]

    formulas = [formula(k) for k in known]
    kept = list(range(len(known)))
    # the long conditions are the expensive ones
    for i in sorted(kept, key=lambda i: (-degree(known[i].poly), -len(known[i].poly))):
        if time.process_time() > deadline:
            break
        solver = limited(0.1)
        solver.add(*(formulas[k] for k in kept if k != i))
        if solver.check() == z3.unsat:
            kept.remove(i)
    return [known[i] for i in kept]
