"""Scoring a verdict by its mutants: each witness must notice each change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eostheory.claims.claim import Claim, Parts
from eostheory.claims.mutate import Mutant, mutants
from eostheory.formula import Inequality, Statement
from eostheory.formula.statements import Relation

if TYPE_CHECKING:
    from eostheory.claims.judge import Judgement, Witnesses
    from eostheory.symbolic import Model


_WITHHELD = 1 / 2
"""Share of the instances on which a dropped hypothesis is tried: one violation is enough."""


@dataclass
class Score:
    """How many mutants a witness noticed, and which it did not."""

    killed: int = 0
    total: int = 0
    waived: int = 0
    survivors: list[dict[str, Any]] = field(default_factory=list)
    excused: set[str] = field(default_factory=set)

    def as_json(self) -> dict[str, Any]:
        """The form that reports carry."""
        return {
            "killed": self.killed,
            "total": self.total,
            "waived": self.waived,
            "survivors": self.survivors,
        }

    def add(self, key: str, statement: str, killed: bool, waiver: tuple[str, str] | None) -> None:
        """Count one mutant; ``waiver`` is the key and the reason that excuse it, if it survived."""
        self.total += 1
        if killed:
            self.killed += 1
            return
        if waiver is not None:
            self.waived += 1
            self.excused.add(waiver[0])
        reason = waiver[1] if waiver else None
        self.survivors.append({"mutant": key, "statement": statement, "reason": reason})


def score_derivation(
    witnesses: Witnesses,
    parts: Parts,
    judged: Judgement,
    withheld: frozenset[str],
    limit: int | None,
) -> tuple[Score, set[str]]:
    """The derivation's score, and the hypotheses without which it fails."""
    score, needed = Score(), set[str]()
    model = witnesses.model(withheld)
    holds = [d.outcome == "holds" for d in judged.decisions.values()]
    if model is None or not holds or not all(holds):
        return score, needed
    claim = witnesses.claim
    for name, part, mutant in _each(parts, limit):
        if _implied(model, part, mutant.statement):
            continue
        killed = model.decide(mutant.statement, refute=False).outcome != "holds"
        _count(score, claim, "derivation", name, mutant, killed)
    for hypothesis in {**claim.hypotheses, **claim.corrected_hypotheses}:
        if hypothesis in withheld:
            continue
        weaker = witnesses.model(withheld | {hypothesis})
        assert weaker is not None
        if any(weaker.decide(p, refute=False).outcome != "holds" for p in parts.values()):
            needed.add(hypothesis)
            score.add(f"without {hypothesis}", "", True, None)
    return score, needed


def score_simulation(
    witnesses: Witnesses,
    parts: Parts,
    judged: Judgement,
    withheld: frozenset[str],
    limit: int | None,
) -> Score:
    """The simulation's score."""
    from eostheory.agree import compare

    score = Score()
    record = witnesses.record(withheld)
    same = [c.outcome == "same" for c in judged.comparisons.values() if c.outcome != "none"]
    if record is None or not same or not all(same):
        return score
    claim, model = witnesses.claim, witnesses.model(withheld)
    for name, part, mutant in _each(parts, limit):
        if judged.comparisons[name].outcome == "none":
            continue
        if model is not None and _implied(model, part, mutant.statement):
            continue
        killed = compare(mutant.statement, record, first=True).outcome != "same"
        _count(score, claim, "simulation", name, mutant, killed)
    for hypothesis in sorted(record.asked - withheld):
        weaker = witnesses.record(withheld | {hypothesis}, share=_WITHHELD)
        assert weaker is not None
        killed = any(compare(p, weaker, first=True).outcome != "same" for p in parts.values())
        key = f"without {hypothesis}"
        score.add(key, "", killed, waiver(claim, "simulation", "", key))
    return score


def _each(parts: Parts, limit: int | None) -> Iterator[tuple[str, Statement, Mutant]]:
    share = None if limit is None else max(4, limit // len(parts))
    for name, part in parts.items():
        for mutant in mutants(part, share):
            yield name, part, mutant


def _implied(model: Model, part: Statement, mutant: Statement) -> bool:
    """Whether a changed bound only says less than the original, so that it stays true.

    A weaker bound is no test of a verdict.  It is recognised exactly: the changed side is on the
    lax side of the original one for every admissible value.
    """
    if not isinstance(part, Inequality) or not isinstance(mutant, Inequality):
        return False
    if part.relation != mutant.relation or part.relation == "!=":
        return False
    towards: Relation = "<=" if part.relation in ("<=", "<") else ">="
    if part.lhs == mutant.lhs:
        question = Inequality(part.rhs, towards, mutant.rhs)
    else:
        question = Inequality(mutant.lhs, towards, part.lhs)
    return model.decide(question, refute=False).outcome == "holds"


def _count(
    score: Score, claim: Claim, witness: str, part: str, mutant: Mutant, killed: bool
) -> None:
    key = f"{part}:{mutant.name}" if part else mutant.name
    score.add(key, str(mutant.statement), killed, waiver(claim, witness, part, mutant.name))


def waiver(claim: Claim, witness: str, part: str, name: str) -> tuple[str, str] | None:
    """The written waiver for a survivor: by exact name, or by ``kind`` after a star."""
    full = f"{part}:{name}" if part else name
    for key, reason in claim.waive.items():
        wanted = key
        for prefix in ("derivation:", "simulation:"):
            if key.startswith(prefix):
                wanted = key.removeprefix(prefix) if prefix == f"{witness}:" else ""
        if wanted and (
            wanted in (full, name) or (wanted.startswith("*") and full.endswith(wanted[1:]))
        ):
            return key, reason
    return None
