"""What ``check_loss`` returns: findings, which theorems apply, and how to show them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eostheory.check.finding import Counterexample, Outcome, Recipe, Status
from eostheory.suite.outcome import Exit

if TYPE_CHECKING:
    from eostheory.check.context import Context
    from eostheory.check.plots import Plot
    from eostheory.check.registry import Check

SCHEMA = "eostheory-loss-report/1"


@dataclass(frozen=True, eq=False)
class Finding:
    """What one check found about one loss.

    Args:
        check, group, summary: of the check; the summary is the property as a sentence.
        status: pass, fail, not-applicable or unknown.
        message: one or two sentences.
        counterexample: the smallest inputs found on which the property is violated.
        measured, expected, tolerance: what was compared, where that is one number (or a word).
        examples: inputs on which the property was decided.
        seconds: what it took.
        claims: ids of the statements that the check is about.
        expected_failure: the reason, where the user expects it to fail.
        series: curves, for :meth:`LossReport.plot`.
        error: the traceback of the check itself, where it broke down.
    """

    check: str
    group: str
    summary: str
    status: Status
    message: str
    counterexample: Counterexample | None = None
    measured: float | str | None = None
    expected: float | str | None = None
    tolerance: float | None = None
    examples: int = 0
    seconds: float = 0.0
    claims: tuple[str, ...] = ()
    expected_failure: str | None = None
    series: Mapping[str, list[float]] = field(default_factory=dict, repr=False)
    error: str = field(default="", repr=False)

    @classmethod
    def of(
        cls,
        check: Check,
        outcome: Outcome,
        *,
        seconds: float = 0.0,
        expected_failure: str | None = None,
        error: str = "",
    ) -> Finding:
        """What ``check`` says in ``outcome``."""
        return cls(
            check.name,
            check.group,
            check.summary,
            outcome.status,
            outcome.message,
            outcome.counterexample,
            outcome.measured,
            outcome.expected,
            outcome.tolerance,
            outcome.examples,
            seconds,
            check.claims,
            expected_failure,
            outcome.series,
            error,
        )

    @property
    def unexpected(self) -> bool:
        """A failure that nobody expected, or an expected one that did not come."""
        if self.expected_failure is not None:
            return self.status is Status.PASS
        return self.status is Status.FAIL

    def __str__(self) -> str:
        from eostheory.check.text import one

        return one(self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """As JSON data; numbers that JSON lacks are the texts nan, inf and -inf."""
        case = self.counterexample
        return {
            "check": self.check,
            "group": self.group,
            "summary": self.summary,
            "status": str(self.status),
            "message": self.message,
            "counterexample": None if case is None else _case(case),
            "measured": plain(self.measured),
            "expected": plain(self.expected),
            "tolerance": plain(self.tolerance),
            "examples": self.examples,
            "seconds": round(self.seconds, 3),
            "claims": list(self.claims),
            "expected_failure": self.expected_failure,
            "unexpected": self.unexpected,
            "series": {name: [plain(x) for x in xs] for name, xs in self.series.items()},
            "error": self.error or None,
        }


@dataclass(frozen=True, eq=False, repr=False)
class LossReport:
    """All that :func:`eostheory.check_loss` found; printing it shows it.

    Args:
        findings: of the selected checks, in the order in which they were run.
        also_run: of checks that the selected ones need.
        applicability: by claim id, whether a theorem applies to the loss.
        errors: tracebacks of what broke down beside the checks.
        interrupted: whether it was stopped; checks that were not run are absent then.
        complete: whether all checks were selected.
    """

    context: Context
    findings: tuple[Finding, ...]
    also_run: tuple[Finding, ...] = ()
    applicability: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    errors: tuple[str, ...] = ()
    interrupted: bool = False
    complete: bool = True

    def __getitem__(self, check: str) -> Finding:
        """The finding of a check.

        Raises:
            KeyError: it was not run; the message names the nearest that were.
        """
        from eostheory.claims.catalogue import nearest

        found = {f.check: f for f in (*self.findings, *self.also_run)}
        if check not in found:
            raise KeyError(f"no finding of {check!r}{nearest(check, found)}")
        return found[check]

    @property
    def failures(self) -> tuple[Finding, ...]:
        """Findings whose status is fail."""
        return tuple(f for f in self.findings if f.status is Status.FAIL)

    @property
    def ok(self) -> bool:
        """Whether everything is as expected."""
        return self.exit_code == Exit.AS_EXPECTED

    @property
    def exit_code(self) -> int:
        """0 all as expected, 1 not, 4 an error of ours, 130 interrupted; as on the command line."""
        return self.exit_code_for()

    def exit_code_for(self, *, strict: bool = False) -> int:
        """The exit code; with ``strict``, 3 where something could not be decided."""
        if self.interrupted:
            return int(Exit.INTERRUPTED)
        if self.errors or any(f.error for f in (*self.findings, *self.also_run)):
            return int(Exit.INTERNAL)
        if any(f.unexpected for f in self.findings):
            return int(Exit.UNEXPECTED)
        if strict and any(f.status is Status.UNKNOWN for f in self.findings):
            return int(Exit.BELOW_LEVEL)
        return int(Exit.AS_EXPECTED)

    def counts(self) -> dict[str, int]:
        """How many findings have each status."""
        found = Counter(str(f.status) for f in self.findings)
        return {str(status): found[str(status)] for status in Status}

    def as_dict(self) -> dict[str, Any]:
        """As JSON data, whose form is the schema ``eostheory-loss-report/1``."""
        from eostheory import __version__
        from eostheory.check.recorded import case_of

        subject = self.context.subject

        def told(finding: Finding) -> dict[str, Any]:
            failing = finding.status is Status.FAIL
            return {
                **finding.as_dict(),
                "replay": case_of(self.context, finding) if failing else None,
            }

        return {
            "schema": SCHEMA,
            "eostheory": __version__,
            "name": subject.name,
            "kind": subject.kind,
            "size": subject.size,
            "target": subject.target,
            "profile": self.context.profile.name,
            "seed": self.context.seed,
            "findings": [told(f) for f in self.findings],
            "also_run": [told(f) for f in self.also_run],
            "applicability": {name: _as_dict(a) for name, a in self.applicability.items()},
            "summary": {
                "exit_code": self.exit_code,
                "ok": self.ok,
                "seconds": round(self.seconds, 3),
                "interrupted": self.interrupted,
                "complete": self.complete,
                "counts": self.counts(),
                "errors": list(self.errors),
            },
        }

    def to_json(self) -> str:
        """:meth:`as_dict` as text."""
        import json

        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def html(self) -> str:
        """One self-contained ``<section>`` of HTML."""
        from eostheory.check.html import render

        return render(self.as_dict())

    def _repr_html_(self) -> str:
        return self.html()

    def plot(self, check: str) -> Plot:
        """The curves that a check recorded; shown by a notebook, saved with ``.save(path)``.

        Raises:
            KeyError: the check was not run.
            ValueError: it recorded no curves.
        """
        from eostheory.check.plots import Plot

        return Plot.of(self[check].as_dict())

    def __repr__(self) -> str:
        said = ", ".join(f"{n} {status}" for status, n in self.counts().items() if n)
        return f"<LossReport of {self.context.subject.name}: {said or 'nothing was run'}>"

    def text(self, *, full: bool = False) -> str:
        """What printing it shows; ``full`` lists every theorem and every check on its own."""
        from eostheory.check.text import render

        return render(self.as_dict(), full=full)

    def __str__(self) -> str:
        return self.text()


def plain(value: Any) -> Any:
    """A number as JSON can hold it."""
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, bool | int | float | str) or value is None:
        return value
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [plain(v) for v in value]
    one = value.numel() == 1 if hasattr(value, "numel") else getattr(value, "size", None) == 1
    return plain(value.item()) if one and hasattr(value, "item") else str(value)


def _case(case: Counterexample) -> dict[str, Any]:
    def told(value: Any) -> Any:
        if isinstance(value, Recipe):
            return {"code": value.code, "data": plain(value.data)}
        return plain(value)

    return {
        "inputs": {name: told(value) for name, value in case.inputs.items()},
        "details": plain(case.details),
        "python": case.python,
    }


def _as_dict(entry: Any) -> dict[str, Any]:
    """One entry of the applicability, whatever offers it."""
    import dataclasses

    if hasattr(entry, "as_dict"):
        found: dict[str, Any] = plain(entry.as_dict())
        return found
    return {f.name: plain(getattr(entry, f.name)) for f in dataclasses.fields(entry)}
