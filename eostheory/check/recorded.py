"""A recorded violation, judged again from nothing: the same loss, check and inputs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eostheory.check.finding import Outcome, Recipe, Status, passed

if TYPE_CHECKING:
    from eostheory.check.context import Context
    from eostheory.check.property import Trial
    from eostheory.check.report import Finding
    from eostheory.check.subject import Domain, Subject

SCHEMA = "eostheory-loss-case/1"


class ReplayError(ValueError):
    """A case that cannot be judged again; the message says why and what to do."""


@dataclass(frozen=True, eq=False)
class Pinned:
    """Recorded inputs on which properties are run, instead of drawn ones.

    Args:
        inputs: values by name, recipes where they were tensors.
        details: what the violation was told with (a coordinate, the size of an error).
    """

    inputs: Mapping[str, Any]
    details: Mapping[str, Any] = field(default_factory=dict)

    def run(self, trial: Trial, inputs: Mapping[str, Any]) -> Outcome:
        """What the property says on the recorded inputs; others are passed over."""
        if set(inputs) != set(self.inputs):
            return passed("not part of the replay")
        drawn = dict(self.inputs)
        violation = trial.judge(drawn)
        if violation is not None:
            trial.minimal = (violation, drawn)
        return trial.outcome()


def case_of(context: Context, finding: Finding) -> dict[str, Any]:
    """All that :func:`replay` needs to judge ``finding`` again, as JSON data."""
    from eostheory.check.report import plain

    subject = context.subject
    shown = finding.counterexample
    inputs = {} if shown is None else shown.inputs
    domain = subject.domain
    return {
        "schema": SCHEMA,
        "check": finding.check,
        "name": subject.name,
        "kind": subject.kind,
        "size": subject.size,
        "target": subject.target,
        "expression": _formula(subject),
        "profile": context.profile.name,
        "seed": context.seed,
        "inputs": {
            k: dict(plain(v.data)) if isinstance(v, Recipe) else plain(v) for k, v in inputs.items()
        },
        "details": {} if shown is None else plain(shown.details),
        "start": _start_of(subject),
        "domain": {
            "low": plain(domain.low),
            "high": plain(domain.high),
            "hole": domain.hole,
            "radius": None if domain.center is None else plain(domain.radius),
            "declared": domain.declared,
        },
        "learning_rate": subject.learning_rate,
        "weight_decay": subject.weight_decay,
        "scale_invariant": subject.declared.scale_invariant,
        "outcomes": {name: str(o.status) for name, o in context.outcomes.items()},
    }


def _start_of(subject: Subject) -> list[float] | dict[str, Any]:
    """The start; beyond :data:`~eostheory.check.inputs.MANY` numbers what tells it from others."""
    from eostheory.check.inputs import MANY, fingerprint

    if subject.size <= MANY:
        found: list[float] = subject.start.tolist()
        return found
    return {"kind": "described", "size": subject.size, "sha256": fingerprint(subject.start)}


def replay(case: Mapping[str, Any] | str | Path, loss: Any = None, **described: Any) -> Finding:
    """Judge a recorded violation again.

    Args:
        case: ``finding["replay"]`` of a report in JSON, or the path of a file that holds it.
        loss: the loss, where it cannot be imported from its target.
        described: further arguments of :func:`~eostheory.check_loss` that describe it (``data``,
            ``criterion``, ``manifold``, ``hessian``), where they are not with the target.

    Returns:
        What the check says on exactly the recorded inputs; checks that look at whole runs make
        the run again.

    Raises:
        ReplayError: the case is broken, or its loss is not found or is another one.
    """
    from eostheory.check.catalogue import all_checks
    from eostheory.check.context import Context
    from eostheory.check.engine import judge
    from eostheory.check.profiles import profile_named
    from eostheory.check.report import Finding

    data = _read(case)
    checks = all_checks()
    if data["check"] not in checks:
        raise ReplayError(f"the case is of the check {data['check']!r}, which there is not")
    check = checks[data["check"]]
    subject = _subject(data, loss, described)
    inputs = _inputs(data["inputs"], subject)
    context = Context(
        subject,
        profile_named(data["profile"]),
        int(data["seed"]),
        {name: Outcome(Status(s), "as recorded") for name, s in data["outcomes"].items()},
        Pinned(inputs, data.get("details") or {}) if inputs else None,
    )
    outcome, error = judge(check, context)
    return Finding.of(check, outcome, error=error)


def _read(case: Mapping[str, Any] | str | Path) -> dict[str, Any]:
    if isinstance(case, Mapping):
        data: Any = dict(case)
    else:
        try:
            data = json.loads(Path(case).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as reason:
            raise ReplayError(f"{case}: cannot be read: {reason}") from reason
        except json.JSONDecodeError as reason:
            raise ReplayError(f"{case}: is no JSON: {reason}") from reason
    if isinstance(data, Mapping) and isinstance(data.get("replay"), Mapping):
        data = dict(data["replay"])
    if not isinstance(data, Mapping) or data.get("schema") != SCHEMA:
        raise ReplayError(
            f"this is no case of a loss: its schema is not {SCHEMA!r}; a case is the field "
            "'replay' of a failing finding in a JSON report"
        )
    lacking = [
        k
        for k in ("check", "seed", "profile", "inputs", "start", "outcomes", "domain")
        if k not in data
    ]
    if lacking:
        raise ReplayError(f"the case lacks {', '.join(lacking)}")
    return dict(data)


def _inputs(recorded: Mapping[str, Any], subject: Subject) -> dict[str, Any]:
    """The recorded inputs; none where one is only described (a point of a long run)."""
    from eostheory.check.inputs import remake

    found = {}
    for name, value in recorded.items():
        if not isinstance(value, Mapping):
            found[name] = float(value) if value in ("nan", "inf", "-inf") else value
            continue
        if value.get("kind") == "described":
            return {}
        try:
            made = remake(value, subject)
        except (KeyError, TypeError, ValueError) as reason:
            raise ReplayError(f"the input {name} of the case is broken: {reason}") from reason
        if name in ("w", "u", "v") and made.tensor.shape != (subject.size,):
            raise ReplayError(
                f"the input {name} of the case has {made.tensor.numel()} numbers, but the loss "
                f"takes {subject.size}: is it another loss, or another version of it?"
            )
        found[name] = made
    return found


def _subject(data: Mapping[str, Any], loss: Any, described: Mapping[str, Any]) -> Subject:
    from eostheory.check.normalise import make_subject

    arguments = dict(described)
    if loss is not None:
        arguments["loss"] = loss
    elif data.get("target"):
        from eostheory.check.targets import TargetError, load

        try:
            arguments = {**load(str(data["target"])).arguments, **arguments}
        except TargetError as reason:
            raise ReplayError(f"the loss cannot be imported again: {reason}") from reason
    elif data.get("expression"):
        arguments["loss"], arguments["variables"] = _parsed(data["expression"])
    else:
        raise ReplayError(
            f"the case does not say where its loss {data.get('name')!r} can be imported from: pass "
            "it, replay(case, loss), with what else describes it (data=, criterion=)"
        )
    own = arguments.get("start")
    for key in ("checks", "exclude", "expected_failures", "profile", "seed", "progress", "size"):
        arguments.pop(key, None)
    for key in ("learning_rate", "weight_decay", "scale_invariant", "start", "name", "target"):
        if data.get(key) is not None:
            arguments[key] = data[key]
    told = arguments.get("start") if isinstance(data["start"], Mapping) else None
    if told is not None:
        arguments["start"] = own
        if own is None and data.get("kind") != "module":
            arguments["size"] = told["size"]
    try:
        subject = make_subject(**arguments)
    except (TypeError, ValueError) as reason:
        raise ReplayError(f"the loss does not fit the case: {reason}") from reason
    if told is not None:
        _demand_same_start(subject, told)
    return dataclasses.replace(subject, domain=_domain(data["domain"], subject))


def _demand_same_start(subject: Subject, recorded: Mapping[str, Any]) -> None:
    from eostheory.check.inputs import fingerprint

    if subject.size != recorded["size"]:
        raise ReplayError(
            f"the loss has {subject.size} parameters, the case {recorded['size']}: is it another "
            "loss, or another version of it?"
        )
    if fingerprint(subject.start) != recorded["sha256"]:
        raise ReplayError(
            "the start is not that of the case, which is too long to be recorded: pass the same "
            "start=, or fix the seed with which the loss draws it"
        )


def _domain(data: Mapping[str, Any], subject: Subject) -> Domain:
    radius = data["radius"]
    return dataclasses.replace(
        subject.domain,
        low=float(data["low"]),
        high=float(data["high"]),
        hole=float(data["hole"]),
        center=None if radius is None else subject.start,
        radius=float("inf") if radius is None else float(radius),
        declared=bool(data["declared"]),
    )


def _formula(subject: Subject) -> dict[str, Any] | None:
    if subject.expression is None:
        return None
    expression, variables = subject.expression
    return {
        "formula": str(expression),
        "variables": [
            {"name": str(v), "positive": bool(v.is_positive), "negative": bool(v.is_negative)}
            for v in variables
        ],
    }


def _parsed(data: Mapping[str, Any]) -> tuple[Any, tuple[Any, ...]]:
    import sympy

    from eostheory.derive import parse

    described = data["variables"]
    positive = tuple(v["name"] for v in described if v.get("positive"))
    try:
        expression = parse(str(data["formula"]).replace("**", "^"), positive)
    except (TypeError, ValueError) as reason:
        raise ReplayError(
            f"the formula of the case cannot be read again ({reason}): pass it, replay(case, loss)"
        ) from reason
    read = {str(s): s for s in expression.free_symbols}
    variables = [read.get(v["name"], sympy.Symbol(v["name"], real=True)) for v in described]
    return expression, tuple(variables)
