"""Intermediate bounds: proved once, kept as facts, and generalised over fresh letters.

A lemma is the cut rule of the kernel.  With ``where`` it is proved for letters that stand for
arbitrary values under the ``given`` bounds only; its instance holds because each of these bounds,
and each trait of each letter, is proved for the values themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from eostheory.formula import Expr, Inequality, Symbol, as_expr, substitute, symbols_of
from eostheory.formula.statements import Relation
from eostheory.symbolic import relations
from eostheory.symbolic.decision import Decision

if TYPE_CHECKING:
    from eostheory.symbolic.model import Model

_TRAITS: dict[str, Relation] = {"positive": ">", "nonnegative": ">=", "nonzero": "!="}


def prove(
    model: Model,
    name: str,
    statement: Inequality,
    given: Sequence[Inequality],
    where: Mapping[Expr, Expr],
) -> Decision:
    """Prove ``statement``, from ``given`` alone if anything is given, and keep it as a fact.

    Raises:
        ValueError: for a name in use, or a letter of ``where`` that has a meaning already.
    """
    tag = f"lemma: {name}"
    if tag in model.lemmas or name in {by for _, by in model.assumptions}:
        raise ValueError(f"the name {name!r} is in use already; choose another")
    for letter in where:
        if not isinstance(letter, Symbol) or letter in model.kernel.definitions:
            raise ValueError(f"{letter} is no free symbol; a lemma needs a fresh letter")
    before, model.thorough = model.thorough, True
    try:
        decision = (
            _generalised(model, statement, given, where)
            if given or where
            else model.decide(statement, refute=False)
        )
    finally:
        model.thorough = before
    shown = statement.latex
    if decision.outcome != "holds":
        model.step(f"{name}: not proved ({'; '.join(decision.tried) or 'nothing tried'})", shown)
        return decision
    model.lemmas[tag] = (decision.used, decision.rigor)
    fact = Inequality(
        substitute(statement.lhs, dict(where)),
        statement.relation,
        substitute(statement.rhs, dict(where)),
    )
    model.facts.append((fact, tag))
    relations.learn(model, fact, tag)
    relations.learn_again(model)
    model.step(name, shown)
    return decision


def _generalised(
    model: Model,
    statement: Inequality,
    given: Sequence[Inequality],
    where: Mapping[Expr, Expr],
) -> Decision:
    """The statement for every value of its symbols that meets ``given`` and the traits."""
    scratch = type(model)()
    scratch.patience, scratch.thorough = model.patience, True
    premises: dict[str, Decision] = {}
    for number, premise in enumerate(given):
        scratch.assume(premise, by=f"given {number}")
        premises[f"given {number}"] = _instance(model, premise, where)
    exprs = [statement.lhs, statement.rhs, *(e for g in given for e in (g.lhs, g.rhs))]
    for symbol in sorted(frozenset().union(*map(symbols_of, exprs)), key=lambda s: s.name):
        # the traits of free symbols are part of the domain; those of others must be shown
        if symbol in where or symbol in model.kernel.definitions:
            for trait in symbol.traits & set(_TRAITS):
                bound = Inequality(symbol, _TRAITS[trait], as_expr(0))
                premises[f"{symbol.name} is {trait}"] = _instance(model, bound, where)
            if symbol.traits - set(_TRAITS) - {"symmetric", "real"}:
                raise ValueError(f"{symbol.name} stands for a value; drop {set(symbol.traits)}")
    for name, shown in premises.items():
        if shown.outcome != "holds":
            return Decision("undecided", tried=(f"the premise {name!r} is not proved",
                                                *shown.tried))  # fmt: skip
    decision = scratch.decide(statement, refute=False)
    if decision.outcome != "holds":
        return decision
    needed = [p for n, p in premises.items() if n in decision.used or not n.startswith("given")]
    return replace(
        decision,
        used=frozenset().union(*(p.used for p in needed)),
        rigor="certified" if any(p.rigor == "certified" for p in needed) else decision.rigor,
        certificate={
            "kind": "instance of a general bound",
            "general": decision.certificate,
            "premises": {n: p.certificate for n, p in premises.items()},
        },
    )


def _instance(model: Model, bound: Inequality, where: Mapping[Expr, Expr]) -> Decision:
    left, right = (substitute(side, dict(where)) for side in (bound.lhs, bound.rhs))
    return model.decide(Inequality(left, bound.relation, right), refute=False)


def unfold(model: Model, decision: Decision) -> Decision:
    """The answer with the hypotheses of the lemmas that it rests on in their place."""
    named = sorted(tag for tag in decision.used if tag in model.lemmas)
    if not named:
        return decision
    used = set(decision.used) - set(named)
    rigor = decision.rigor
    for tag in named:
        used |= model.lemmas[tag][0]
        if model.lemmas[tag][1] == "certified":
            rigor = "certified"
    certificate = {**decision.certificate, "lemmas": [t.removeprefix("lemma: ") for t in named]}
    return replace(decision, used=frozenset(used), rigor=rigor, certificate=certificate)
