"""A second look at what the derivation accepted, by code that shares nothing with its search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eostheory.claims.claim import Parts

if TYPE_CHECKING:
    from eostheory.symbolic import Decision, Model

_HOW = {
    "positivstellensatz": "the identity was multiplied out",
    "cone": "the weights were checked",
    "nlsat": "a fresh solver answers the same",
    "normal form": "both sides agree exactly on instances of several sizes",
}


def confirm(
    model: Model, parts: Parts, decisions: dict[str, Decision], seconds: float
) -> tuple[list[str], list[str]]:
    """What was confirmed, and what was contradicted, in words.

    A solver's ``unsat`` becomes an identity that anyone can multiply out, when one is found within
    ``seconds``; ``decisions`` then carries it.
    """
    from eostheory.symbolic.positivstellensatz import certify
    from eostheory.symbolic.recheck import recheck

    confirmed, contradicted = [], []
    for name, decision in decisions.items():
        if decision.outcome == "undecided":
            continue
        if decision.certificate.get("kind") == "nlsat":
            identity = certify(decision.certificate["smt2"], seconds)
            if identity is not None:
                kept = {k: v for k, v in decision.certificate.items() if k == "lemmas"}
                decision.certificate = {**identity, **kept}
                decision.method = "nlsat (Z3), then as a sum of squares and products"
        answer = recheck(model, parts[name], decision)
        label = f"{name}: " if name else ""
        if answer is False:
            contradicted.append(f"{label}{decision.method} is contradicted by the re-check")
        elif answer:
            kind = str(decision.certificate.get("kind", ""))
            how = _HOW.get(kind, "no exact instance contradicts it")
            if decision.outcome == "fails":
                how = "the instance violates it again"
            confirmed.append(f"{label}re-checked: {how}")
    return confirmed, contradicted
