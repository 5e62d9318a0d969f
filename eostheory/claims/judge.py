"""The engine: three comparisons, a verdict, and the test that the verdict carries with it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from eostheory.claims.claim import Claim, Parts, symbols_in
from eostheory.claims.confirm import confirm
from eostheory.claims.score import score_derivation, score_simulation
from eostheory.claims.verdict import Leg, Legs, Verdict, combine, is_exact_form, verdict_of
from eostheory.formula import Equation, Statement, Symbol

if TYPE_CHECKING:
    from eostheory.agree import Comparison, Record
    from eostheory.claims.catalogue import CatalogueEntry
    from eostheory.symbolic import Decision, Model

_EXAMPLES = {"quick": 6, "default": 20, "thorough": 100}
_MUTANTS: dict[str, int | None] = {"quick": 12, "default": 48, "thorough": None}
_CONFIRM = {"quick": 0.0, "default": 0.7, "thorough": 5.0}
"""Seconds for turning one answer into a certificate that needs no solver; 0 for no second look."""
_LEG = {"holds": Leg.SAME, "fails": Leg.DIFFERS, "undecided": Leg.UNDECIDED}


@dataclass(frozen=True)
class Settings:
    """How thoroughly to judge.

    Args:
        profile: quick, default or thorough.
        seed: of the drawn instances.
        mutate: whether the statement is mutated, to test the verdict.
        simulate: without it the derivation judges alone, wherever there is one.
    """

    profile: str = "default"
    seed: int = 0
    mutate: bool = True
    simulate: bool = True

    def __post_init__(self) -> None:
        if self.profile not in _EXAMPLES:
            raise ValueError(f"profile {self.profile!r} is none of {', '.join(_EXAMPLES)}")


class WitnessError(RuntimeError):
    """A simulation that raised; the message holds its traceback."""


@dataclass
class Witnesses:
    """Both interpretations of a claim's symbols; each is made once and sees no statement."""

    claim: Claim
    settings: Settings
    _models: dict[frozenset[str], Model | None] = field(default_factory=dict)
    _records: dict[frozenset[str], Record | None] = field(default_factory=dict)

    @property
    def simulated(self) -> bool:
        """Whether a simulation takes part; it does where there is nothing else."""
        return self.settings.simulate or self.claim.derive is None

    def model(self, withheld: frozenset[str] = frozenset()) -> Model | None:
        """The derivation's interpretation, less the withheld hypotheses."""
        if self.claim.derive is None:
            return None
        if withheld not in self._models:
            from eostheory.symbolic import Model

            model = Model(withheld=withheld)
            self.claim.derive(model)
            self._models[withheld] = model
        return self._models[withheld]

    def record(self, withheld: frozenset[str] = frozenset(), share: float = 1.0) -> Record | None:
        """The simulation's interpretation on drawn instances."""
        if self.claim.simulate is None or not self.simulated:
            return None
        if withheld not in self._records:
            from eostheory.agree import simulate

            wanted = self.claim.examples.get(
                self.settings.profile, _EXAMPLES[self.settings.profile]
            )
            self._records[withheld] = simulate(
                self.claim.simulate,
                seed=self.settings.seed,
                examples=max(1, round(wanted * share)),
                profile=self.settings.profile,
                withheld=withheld,
            )
        return self._records[withheld]


@dataclass
class Judgement:
    """What the comparisons gave for one set of parts."""

    verdict: Verdict
    legs: Legs
    decisions: dict[str, Decision]
    comparisons: dict[str, Comparison]
    between: Comparison | None


def judge(claim: Claim, entry: CatalogueEntry, settings: Settings) -> dict[str, Any]:
    """The record of one claim (see the published report schema).

    Whatever a witness raises is the caller's to turn into an ``error`` record.
    """
    started = time.perf_counter()
    witnesses = Witnesses(claim, settings)
    missing = frozenset(claim.corrected_hypotheses)
    definition = entry.check == "definition"
    printed = compare_parts(witnesses, claim.parts, missing, definition)
    judged, parts, withheld = printed, claim.parts, missing
    corrected = None
    if claim.corrected_parts is not None:
        corrected = compare_parts(witnesses, claim.corrected_parts, frozenset(), definition)
        if printed.verdict is Verdict.REFUTED:
            judged, parts, withheld = corrected, claim.corrected_parts, frozenset()
    record = _blank(claim, entry)
    record.update(
        verdict=printed.verdict.value,
        legs={k: v.value for k, v in asdict(printed.legs).items()},
        witness=_witness(printed) if printed.verdict in _NEEDS_WITNESS else None,
        nature=_nature(claim, printed),
        replay=f"{claim.id}@{settings.profile}:{settings.seed}",
    )
    if claim.corrected_parts is not None and corrected is not None:
        record["corrected"] = {
            "latex": {name: part.latex for name, part in claim.corrected_parts.items()},
            "text": {name: str(part) for name, part in claim.corrected_parts.items()},
            "verdict": corrected.verdict.value,
            "hypothesis": "; ".join(claim.corrected_hypotheses.values()) or None,
        }
    model = witnesses.model(withheld)
    if model is not None:
        record["rests_on"] = sorted({*claim.rests_on, *model.rests_on})
    if seconds := _CONFIRM[settings.profile]:
        _second_look(record, witnesses, claim, printed, corrected, seconds)
    used: set[str] = set()
    for decision in judged.decisions.values():
        used |= decision.used
    if settings.mutate:
        limit = _MUTANTS[settings.profile]
        derivation, needed = score_derivation(witnesses, parts, judged, withheld, limit)
        simulation = score_simulation(witnesses, parts, judged, withheld, limit)
        record["mutants"] = {"derivation": derivation.as_json(), "simulation": simulation.as_json()}
        used |= needed
        if limit is None and (stale := set(claim.waive) - derivation.excused - simulation.excused):
            text = f"waivers that excuse nothing: {', '.join(sorted(stale))}"
            record["evidence"].append({"kind": "note", "witness": "derivation", "text": text})
    record["evidence"] = _evidence(witnesses, printed, missing) + record["evidence"]
    record["hypotheses_used"] = sorted(used & set(claim.hypotheses))
    record["hypotheses_unused"] = sorted(set(claim.hypotheses) - used) if model else []
    if record["witness"] is not None:
        record["python"] = _PYTHON.format(claim.id, settings.profile, settings.seed)
    record["seconds"] = round(time.perf_counter() - started, 3)
    return record


def _second_look(
    record: dict[str, Any],
    witnesses: Witnesses,
    claim: Claim,
    printed: Judgement,
    corrected: Judgement | None,
    seconds: float,
) -> None:
    """Re-check what was accepted or refuted; a contradiction is our bug, whatever the verdict."""
    looks = [(printed, claim.parts, frozenset(claim.corrected_hypotheses))]
    if corrected is not None and claim.corrected_parts is not None:
        looks.append((corrected, claim.corrected_parts, frozenset()))
    for judgement, parts, withheld in looks:
        model = witnesses.model(withheld)
        if model is None:
            continue
        confirmed, contradicted = confirm(model, parts, judgement.decisions, seconds)
        if contradicted:
            record["verdict"] = Verdict.CONFLICT.value
        for text in dict.fromkeys((*contradicted, *confirmed)):
            record["evidence"].append(_item("note", "derivation", text))


_PYTHON = """\
import eostheory

record = eostheory.judge({!r}, profile={!r}, seed={})
print(record["encoded_text"])
print(record["witness"])
"""
_NEEDS_WITNESS = {Verdict.REFUTED, Verdict.CONFLICT, Verdict.UNDECIDED}


def compare_parts(
    witnesses: Witnesses, parts: Parts, withheld: frozenset[str], definition: bool
) -> Judgement:
    """Both witnesses against every part, and against each other.

    Raises:
        WitnessError: the simulation raised, so that there is nothing to compare.
    """
    model, record = witnesses.model(withheld), witnesses.record(withheld)
    if record is not None and record.error is not None:
        raise WitnessError(f"the simulation raised an exception\n{record.error}")
    decisions = {name: model.decide(part) for name, part in parts.items()} if model else {}
    comparisons = _compare_all(parts, record)
    between = _compare_witnesses(model, record, parts, decisions)
    legs = Legs(
        combine([_LEG[d.outcome] for d in decisions.values()]),
        combine([Leg(c.outcome) for c in comparisons.values()]),
        Leg(between.outcome) if between else Leg.NONE,
    )
    if model is not None and model.satisfiable() is False:
        return Judgement(Verdict.VACUOUS, legs, decisions, comparisons, between)
    if record is not None and legs.simulation_statement is Leg.NONE:
        # A witness that was called and has nothing to say is no agreement.
        legs = Legs(legs.derivation_statement, Leg.UNDECIDED, legs.derivation_simulation)
    rigor = "proved"
    if any(d.rigor == "certified" for d in decisions.values()):
        rigor = "certified"
    contradiction = any(
        _contradict(part, decisions[name], comparisons[name])
        for name, part in parts.items()
        if name in decisions and name in comparisons
    )
    if contradiction:
        legs = replace(legs, derivation_simulation=Leg.DIFFERS)
    verdict = verdict_of(legs, rigor=rigor, definition=definition, exact_form=contradiction)
    return Judgement(verdict, legs, decisions, comparisons, between)


def _contradict(part: Statement, decision: Decision, comparison: Comparison) -> bool:
    """Whether the witnesses cannot both be right about one part.

    Judged part by part: another part that both find false must not hide it.  A bound can be false
    at an exact point and true at every drawn one; an equation or an order cannot.
    """
    if decision.outcome == "holds":
        return comparison.outcome == "differs"
    return decision.outcome == "fails" and comparison.outcome == "same" and is_exact_form(part)


def _compare_all(parts: Parts, record: Record | None) -> dict[str, Comparison]:
    if record is None:
        return {}
    from eostheory.agree import compare

    return {name: compare(part, record) for name, part in parts.items()}


def _compare_witnesses(
    model: Model | None, record: Record | None, parts: Parts, decisions: Mapping[str, Decision]
) -> Comparison | None:
    """Evaluate what was derived on what was observed: an error of ours shows here.

    Compared are the symbols that the derivation defines and, where a side of an equation is made
    of symbols known through relations only, the derivation's own right-hand side.
    """
    if model is None or record is None:
        return None
    from eostheory.agree import compare, compare_derivation

    wanted: frozenset[Symbol] = frozenset().union(*(symbols_in(p) for p in parts.values()))
    derived = {s: v for s in wanted if (v := model.derived(s)) is not None}
    if derived:
        return compare_derivation(derived, record)
    for name, part in parts.items():
        own = decisions[name].derived
        if isinstance(part, Equation) and own is not None and own != part.lhs:
            found = compare(Equation(part.lhs, own), record)
            if found.outcome != "none":
                return found
    return None


def _nature(claim: Claim, printed: Judgement) -> str | None:
    if printed.verdict is not Verdict.REFUTED:
        return None
    if claim.extraction:
        return "extraction"
    if claim.corrected is None and claim.corrected_hypotheses:
        return "hypothesis"
    return "conclusion"


def _witness(judgement: Judgement) -> dict[str, Any] | None:
    for name, decision in judgement.decisions.items():
        if decision.outcome == "fails" and decision.witness is not None:
            return {"part": name, "how": decision.method, **decision.witness}
    for name, comparison in judgement.comparisons.items():
        if comparison.outcome == "differs" and comparison.violation is not None:
            return {"part": name, "how": "simulation", **comparison.violation}
    if judgement.between is not None and judgement.between.violation is not None:
        return {"part": "", "how": "derivation against simulation", **judgement.between.violation}
    return None


def _evidence(
    witnesses: Witnesses, judgement: Judgement, withheld: frozenset[str]
) -> list[dict[str, Any]]:
    """What each witness did, in the order in which a reader wants it."""
    found: list[dict[str, Any]] = []
    model, record = witnesses.model(withheld), witnesses.record(withheld)
    if model is not None:
        for text, latex in model.steps:
            found.append(_item("step", "derivation", text, latex=latex))
        for name, decision in judgement.decisions.items():
            label = f"{name}: " if name else ""
            found.append(
                _item(
                    "certificate",
                    "derivation",
                    f"{label}{decision.outcome} by {decision.method}",
                    data=decision.certificate,
                    derived=str(decision.derived) if decision.derived is not None else None,
                    tried=list(decision.tried),
                )
            )
    if record is not None:
        for name, comparison in judgement.comparisons.items():
            label = f"{name}: " if name else ""
            found.append(_item(comparison.kind, "simulation", label + comparison.text))
        if judgement.between is not None:
            found.append(_item("count", "simulation", f"derived values: {judgement.between.text}"))
        found.extend(record.evidence)
    return found


def _item(kind: str, witness: str, text: str, **more: object) -> dict[str, Any]:
    return {"kind": kind, "witness": witness, "text": text, **{k: v for k, v in more.items() if v}}


def _blank(claim: Claim, entry: CatalogueEntry) -> dict[str, Any]:
    nothing: Mapping[str, Any] = {"killed": 0, "total": 0, "waived": 0, "survivors": []}
    return {
        "id": entry.id,
        "paper": entry.paper,
        "kind": entry.kind,
        "check": entry.check,
        "where": entry.where,
        "says": entry.says,
        "formula": entry.formula,
        "hypotheses": entry.hypotheses,
        "needs": list(entry.needs),
        "encoded": {name: part.latex for name, part in claim.parts.items()},
        "encoded_text": {name: str(part) for name, part in claim.parts.items()},
        "reading": claim.reading,
        "extraction": claim.extraction,
        "corrected": None,
        "witness": None,
        "nature": None,
        "rests_on": sorted(claim.rests_on),
        "hypotheses_used": [],
        "hypotheses_unused": [],
        "mutants": {"derivation": dict(nothing), "simulation": dict(nothing)},
        "evidence": [],
        "python": None,
        "error": None,
        "cached": False,
    }
