"""``check_loss``: run the checks on a loss and say what holds, which theorems apply, what fails."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from eostheory.check.finding import InputError, Outcome, Status, not_applicable, unknown
from eostheory.check.profiles import profile_named
from eostheory.check.selection import needed, select

if TYPE_CHECKING:
    import torch

    from eostheory.check.context import Context
    from eostheory.check.registry import Check
    from eostheory.check.report import Finding, LossReport

Progress = Callable[[int, int, str, "Finding | None"], object]
"""Called before a check with (checks done, checks in all, name, None), and after it with what it
found."""


_UNSTEADY = "not a function of the parameters."
"""How the engine refuses a module whose loss changes between two evaluations; then the remedy."""

_EVAL = "call module.eval()"


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during :func:`check_loss`; ``report`` says what was found until then."""

    def __init__(self, report: LossReport) -> None:
        super().__init__("interrupted; the report so far is in .report")
        self.report = report


def check_loss(
    loss: Any,
    data: Any = None,
    *,
    criterion: Callable[[Any, Any], torch.Tensor] | None = None,
    size: int | None = None,
    start: Any = None,
    variables: Sequence[Any] | None = None,
    learning_rate: float | None = None,
    weight_decay: float | None = None,
    domain: Any = None,
    points: Any = None,
    scale_invariant: bool | None = None,
    manifold: Callable[[torch.Tensor], torch.Tensor] | None = None,
    hessian: Callable[[torch.Tensor], torch.Tensor] | None = None,
    checks: str | Sequence[str] | None = None,
    exclude: str | Sequence[str] = (),
    expected_failures: Mapping[str, str] | None = None,
    profile: str = "default",
    seed: int = 0,
    progress: Progress | None = None,
    name: str | None = None,
    target: str | None = None,
) -> LossReport:
    """Property-test a loss against the theory.

    Args:
        loss: a function of a flat float64 tensor (D,) with a scalar value; a
            :class:`torch.nn.Module`, with ``data`` and ``criterion``; or a sympy expression.
        data: ``(inputs, targets)`` of a module, tensors (N, ...), or batches of such pairs.
        criterion: ``criterion(module(inputs), targets)`` is the loss.
        size: D, for a function; may be left out where ``start`` is given.
        start: where real runs begin, (D,) float64; chosen where it is not given.  For a formula
            also a mapping of variables to numbers.
        variables: of a formula, in the order of the flat tensor; None for its symbols by name.
        learning_rate, weight_decay: of the real runs; None to choose.
        domain: where properties are demanded: ``(low, high)`` for every coordinate, a function
            that says whether a point is inside, or a :class:`~eostheory.check.Domain`.  None for
            ``[-2, 2]`` everywhere, or what is near the start.
        points: generator of the points to try: a Hypothesis strategy of tensors (D,), tensors, or
            a function of a :class:`torch.Generator`.
        scale_invariant: declares ``L(c w) = L(w)`` for all c > 0; None to find out.
        manifold: declares minimizers: a function of t (k,) whose values (D,) are minimizers.
        hessian: declares the exact Hessian: a function of w whose values are (D, D).
        checks, exclude: names of checks, groups (``"structure"``) and globs.  What a selected
            check needs is run too, and not reported.
        expected_failures: reasons by name of check: what is expected to fail, and why.
        profile: quick, default or thorough.
        seed: fixes all draws.
        progress: see :data:`Progress`.
        name: how the report calls the loss.
        target: ``module:function`` or ``path.py:function``, where the loss can be imported from;
            None to find out.

    Returns:
        The report.  A loss that fails, raises or is not differentiable is a finding, no exception.

    Raises:
        TypeError, ValueError: arguments that describe no loss; each message names the value and
            the remedy.
        InputError: ``points`` or ``domain`` do not work when they are used.
        UnknownCheck: a check that there is not.
        NothingSelected: no check is left.
        Interrupted: on Ctrl-C; has the report of what was done.
    """
    examination = Examination(
        loss,
        data,
        criterion=criterion,
        size=size,
        start=start,
        variables=variables,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        domain=domain,
        points=points,
        scale_invariant=scale_invariant,
        manifold=manifold,
        hessian=hessian,
        checks=checks,
        exclude=exclude,
        expected_failures=expected_failures,
        profile=profile,
        seed=seed,
        name=name,
        target=target,
    )
    return examination.report(progress)


class Examination:
    """The checks of one loss, each run when it is asked for, and once.

    Arguments and errors are those of :func:`check_loss`; wrong names of checks are told at once,
    the loss is looked at when the first check is run.

    Attributes:
        names: of the selected checks, in the order in which they are run.
    """

    def __init__(
        self,
        loss: Any,
        data: Any = None,
        *,
        checks: str | Sequence[str] | None = None,
        exclude: str | Sequence[str] = (),
        expected_failures: Mapping[str, str] | None = None,
        profile: str = "default",
        seed: int = 0,
        progress: Progress | None = None,
        **described: Any,
    ) -> None:
        from eostheory.check.catalogue import all_checks

        self.names = select(checks, exclude, expected_failures)
        self._known: dict[str, Check] = all_checks()
        self._profile = profile_named(profile)
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise TypeError(f"seed is {seed!r} ({type(seed).__name__}), expected an integer")
        self._seed = seed
        self._expected = dict(expected_failures or {})
        self._described = {"loss": loss, "data": data, **described}
        self._progress = progress
        self._context: Context | None = None
        self._found: dict[str, Finding] = {}
        self._told = _Told()

    @property
    def context(self) -> Context:
        """What the checks are given.

        Raises:
            TypeError, ValueError: the arguments describe no loss.
        """
        if self._context is None:
            from eostheory.check.context import Context
            from eostheory.check.normalise import make_subject

            with _settled(self._seed), self._told():
                subject = make_subject(**self._described)
            self._context = Context(subject, self._profile, self._seed)
        return self._context

    def finding(self, name: str) -> Finding:
        """What the check ``name`` finds; what it needs is run before."""
        for each in needed([name], self._known):
            self._run(each)
        return self._found[name]

    def report(self, progress: Progress | None = None) -> LossReport:
        """Run all selected checks.

        Raises:
            Interrupted: on Ctrl-C.
        """
        tell = progress or self._progress or (lambda *_: None)
        begun = time.perf_counter()
        context = self.context
        plan = needed(self.names, self._known)
        try:
            for done, name in enumerate(plan):
                tell(done, len(plan), name, None)
                tell(done + 1, len(plan), name, self._run(name))
            applies, broken = self._applicability(context)
        except KeyboardInterrupt as stop:
            report = self._report(time.perf_counter() - begun, {}, (), interrupted=True)
            raise Interrupted(report) from stop
        return self._report(time.perf_counter() - begun, applies, broken)

    def _run(self, name: str) -> Finding:
        from eostheory.check.report import Finding

        if name in self._found:
            return self._found[name]
        check, context = self._known[name], self.context
        begun = time.perf_counter()
        error = ""
        missing = _missing(check, context.outcomes)
        if missing:
            outcome = not_applicable(missing)
        else:
            with self._told():
                outcome, error = judge(check, context)
        context.outcomes[name] = outcome
        found = self._found[name] = Finding.of(
            check,
            outcome,
            seconds=time.perf_counter() - begun,
            expected_failure=self._expected.get(name),
            error=error,
        )
        return found

    def _applicability(self, context: Context) -> tuple[dict[str, Any], tuple[str, ...]]:
        from eostheory.check.applicability import applicability

        try:
            with _settled(self._seed), self._told():
                return dict(applicability(context, context.outcomes)), ()
        except Exception:  # a mistake of ours, of any kind; what was found must not be lost
            return {}, (traceback.format_exc(),)

    def _report(
        self,
        seconds: float,
        applies: Mapping[str, Any],
        errors: tuple[str, ...],
        *,
        interrupted: bool = False,
    ) -> LossReport:
        from eostheory.check.report import LossReport

        chosen = set(self.names)
        found = [self._found[n] for n in self._known if n in self._found]
        return LossReport(
            context=self.context,
            findings=tuple(f for f in found if f.check in chosen),
            also_run=tuple(f for f in found if f.check not in chosen),
            applicability=dict(applies),
            seconds=seconds,
            errors=errors,
            interrupted=interrupted,
            complete=chosen == set(self._known),
        )


def _missing(check: Check, outcomes: Mapping[str, Outcome]) -> str:
    """Why a check is not applicable, or nothing."""
    said = {
        Status.FAIL: "failed",
        Status.UNKNOWN: "could not be decided",
        Status.NOT_APPLICABLE: "is not applicable",
    }
    for need in check.needs:
        status = outcomes[need].status
        if status is not Status.PASS:
            return f"needs {need}, which {said[status]}"
    return ""


def judge(check: Check, context: Context) -> tuple[Outcome, str]:
    """What a check says about a loss, whatever its needs; and its traceback where it broke down."""
    with _settled(context.seed):
        outcome, error = _outcome(check, context)
    return _completed(outcome, check, context), error


def _outcome(check: Check, context: Context) -> tuple[Outcome, str]:
    """What a check says, and the traceback where it broke down itself."""
    from eostheory.check.property import first_line, from_loss
    from eostheory.numeric.events import NumericEvent

    try:
        return check.body(context), ""
    except InputError:
        raise
    except NumericEvent as event:
        return unknown(f"{event}"), ""
    except Exception as error:  # of a loss, or a mistake of ours; the other checks go on
        what = f"{type(error).__name__}: {first_line(error)}"
        if from_loss(error):
            return unknown(f"the loss raises {what}; the check evaluates says more"), ""
        message = f"internal error of this check, please report it: {what}"
        return unknown(message), "".join(traceback.format_exception(error))


def _completed(outcome: Outcome, check: Check, context: Context) -> Outcome:
    """``outcome`` with the lines that show its counterexample, and what the module said."""
    import dataclasses

    from eostheory.check.reproduce import reproduce

    case = outcome.counterexample
    if case is not None and not case.python:
        lines = reproduce(context, check.name, case.inputs, case.details)
        outcome = dataclasses.replace(
            outcome, counterexample=dataclasses.replace(case, python=lines)
        )
    said = context.subject.refusal or ""
    if check.name == "deterministic" and outcome.status is Status.FAIL and _UNSTEADY in said:
        told, more = outcome.message.rstrip("."), said.partition(_UNSTEADY)[2].strip()
        if _EVAL in told:
            more = more.removesuffix(f": {_EVAL}")
        message = f"{told}{'' if told.endswith('?') else '.'} {more}"
        outcome = dataclasses.replace(outcome, message=message)
    return outcome


class _Told:
    """Within it every warning is shown once: a loss that warns is called hundreds of times, and
    whoever catches warnings in between (Hypothesis does) makes Python forget which were shown."""

    def __init__(self) -> None:
        self._known: set[tuple[str, str]] = set()

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        import warnings

        show: Callable[..., None] = warnings.showwarning

        def once(message: Any, category: Any, *more: Any, **named: Any) -> None:
            key = (str(message), category.__name__)
            if key not in self._known:
                self._known.add(key)
                show(message, category, *more, **named)

        warnings.showwarning = cast("Any", once)
        try:
            yield
        finally:
            warnings.showwarning = show


class _settled:
    """Within it gradients are recorded, and torch's own random numbers follow the seed."""

    def __init__(self, seed: int) -> None:
        import torch

        self._seed = seed % 2**63
        self._random = torch.random.fork_rng(devices=[])
        self._recorded = torch.enable_grad()

    def __enter__(self) -> None:
        import torch

        self._random.__enter__()
        self._recorded.__enter__()
        torch.manual_seed(self._seed)

    def __exit__(self, *what: Any) -> None:
        self._recorded.__exit__(*what)
        self._random.__exit__(*what)
