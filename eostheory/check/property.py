"""Try the body of a property on drawn inputs, and shrink those that violate it.

Hypothesis draws and shrinks.  What a body says about one input is remembered, so that every input
is judged once: a loss that changes between two calls cannot contradict itself here, and shrinking
ends after a number of calls that fits the size of the loss.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from eostheory.check.finding import (
    Counterexample,
    InputError,
    Outcome,
    Recipe,
    Undecided,
    Violated,
    failed,
    passed,
    unknown,
)
from eostheory.numeric.draws import no_local_constants
from eostheory.numeric.events import NumericEvent

if TYPE_CHECKING:
    from eostheory.check.context import Context

Body = Callable[..., Any]

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_MARK = "_left_the_loss"
_PLAIN = (int, float, str, bool)


def run_property(
    context: Context,
    body: Body,
    name: str,
    examples: int | None,
    inputs: Mapping[str, Any],
) -> Outcome:
    """See :meth:`eostheory.check.context.Context.property`."""
    trial = Trial(context, body, name)
    if context.pinned is not None:
        return context.pinned.run(trial, inputs)
    count = examples if examples is not None else context.profile.inputs(context.subject.size)
    search(trial, inputs, count)
    return trial.outcome()


@dataclass(eq=False)
class Trial:
    """What the inputs tried so far have told.

    Attributes:
        decided: inputs on which the body said yes or no.
        reasons: why other inputs did not tell.
        worst: the largest number that the body returned.
        known: the violation of each input, None where there is none.
        error: what the body itself broke down with.
        minimal: the last violation that Hypothesis held to be the smallest.
        fallback: a violation at the start, shown where there is no other.
        budget: calls that shrinking may still take; None while nothing is violated.
        wanted: inputs to try.
    """

    context: Context
    body: Body
    name: str
    decided: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    worst: float | None = None
    known: dict[Any, Violated | None] = field(default_factory=dict)
    error: Exception | None = None
    minimal: tuple[Violated, dict[str, Any]] | None = None
    fallback: tuple[Violated, dict[str, Any]] | None = None
    budget: int | None = None
    wanted: int = 1
    shortage: str = ""

    def judge(self, drawn: Mapping[str, Any]) -> Violated | None:
        """The violation on these inputs, if there is one."""
        key = tuple(_key(value) for value in drawn.values())
        if key in self.known:
            return self.known[key]
        if self.error is not None or self.budget == 0:
            return None
        if self.budget is not None:
            self.budget -= 1
        found = self.known[key] = self._judge(drawn)
        if found is not None and self.budget is None and not _at_start(drawn):
            self.budget = shrinking_budget(self.context.subject.size)
        return found

    def enough(self) -> bool:
        """Whether as many inputs as wanted were tried, and nothing is to be shrunk."""
        if self.error is not None:
            return True
        return self.budget is None and len(self.known) >= self.wanted

    def _judge(self, drawn: Mapping[str, Any]) -> Violated | None:
        values = {k: v.tensor if isinstance(v, Recipe) else v for k, v in drawn.items()}
        values = {k: v.clone() if isinstance(v, Tensor) else v for k, v in values.items()}
        try:
            told = self.body(**values)
        except Violated as violation:
            if not self._blames(drawn):
                return None
            self.decided += 1
            return violation.with_traceback(None)
        except Undecided as reason:
            self.reasons[str(reason)] += 1
        except InputError:
            raise
        except NumericEvent as event:
            self.reasons[str(event)] += 1
        except Exception as error:  # a loss raises what it likes; ours is told, by outcome()
            if from_loss(error):
                self.reasons[f"the loss raises {type(error).__name__}: {first_line(error)}"] += 1
            else:
                self.error = error
        else:
            self._count(told)
        return None

    def _count(self, told: Any) -> None:
        if told is None:
            self.decided += 1
            return
        number = float(told)
        if number != number:
            self.reasons["the measured number is not a number"] += 1
            return
        self.decided += 1
        self.worst = number if self.worst is None else max(self.worst, number)

    def _blames(self, drawn: Mapping[str, Any]) -> bool:
        """Whether a violation counts: not where the loss or its gradient is not finite."""
        from eostheory.check.registry import CHECKS

        known = CHECKS.get(self.name)
        if known is not None and known.group == "evaluation":
            return True
        size = self.context.subject.size
        for key, value in drawn.items():
            tensor = value.tensor if isinstance(value, Recipe) else value
            if key in ("u", "v") or not isinstance(tensor, Tensor) or tensor.shape != (size,):
                continue
            if not finite_at(self.context.loss, tensor):
                self.reasons["the loss or its gradient is not finite"] += 1
                return False
        return True

    def outcome(self) -> Outcome:
        """What all inputs together say."""
        if self.error is not None:
            raise self.error
        if (shown := self.minimal or self.fallback) is not None:
            return self._failed(*shown)
        silent = sum(self.reasons.values())
        why = _most_common(self.reasons)
        if not self.decided:
            return unknown(
                self.shortage or f"none of {silent} inputs told: {why}; other points= may tell"
            )
        message = f"holds on {_plural(self.decided, 'input')}"
        if silent:
            message += f"; {_plural(silent, 'input')} did not tell ({why})"
        return passed(message, measured=self.worst, examples=self.decided)

    def _failed(self, violation: Violated, drawn: dict[str, Any]) -> Outcome:
        from eostheory.check.reproduce import reproduce

        inputs = {k: _shown(v) for k, v in drawn.items()}
        details = dict(violation.details)
        return failed(
            violation.message,
            counterexample=Counterexample(
                inputs, details, reproduce(self.context, self.name, inputs, details)
            ),
            measured=violation.measured,
            expected=violation.expected,
            tolerance=violation.tolerance,
            examples=self.decided,
        )


class _Found(Exception):
    """Tells Hypothesis that an input violates the property."""


class _Enough(BaseException):
    """Ends a search; Hypothesis takes nothing that is no Exception for a failure."""


def search(trial: Trial, inputs: Mapping[str, Any], count: int) -> None:
    """Draw ``count`` inputs, and shrink the first that violates the property."""
    import warnings

    import hypothesis
    from hypothesis import HealthCheck, Phase, Verbosity, errors

    from eostheory.strategies.vectors import FEW

    trial.wanted = count
    written = trial.context.subject.size <= FEW

    def attempt(drawn: dict[str, Any]) -> None:
        if trial.enough():
            raise _Enough
        drawn = {key: drawn[key] for key in inputs}  # Hypothesis may draw in another order
        violation = trial.judge(drawn)
        if violation is not None and written and _at_start(drawn):
            # its numbers may be long: a point of few digits is shown where there is one
            trial.fallback = trial.fallback or (violation, drawn)
        elif violation is not None:
            trial.minimal = (violation, drawn)
            raise _Found

    test = hypothesis.given(hypothesis.strategies.fixed_dictionaries(dict(inputs)))(attempt)
    test = hypothesis.settings(
        # draws that were met before are not counted
        max_examples=max(1, 2 * count),
        database=None,
        deadline=None,
        derandomize=False,
        print_blob=False,
        report_multiple_bugs=False,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )(test)
    test = hypothesis.seed(zlib.crc32(f"{trial.context.seed}:{trial.name}".encode()))(test)
    try:
        with no_local_constants(), warnings.catch_warnings():
            warnings.simplefilter("ignore", errors.HypothesisWarning)
            test()
    except (_Found, _Enough, errors.Flaky):
        return
    except errors.Unsatisfiable:
        trial.shortage = (
            "no point of the domain was found by drawing: it is empty or very thin; "
            "give points= that lie in it"
        )
    except BaseExceptionGroup as group:
        if group.split(_Found)[1] is not None:
            raise


def _at_start(drawn: Mapping[str, Any]) -> bool:
    return any(isinstance(v, Recipe) and v.data.get("kind") == "start" for v in drawn.values())


def shrinking_budget(size: int) -> int:
    """Calls of the body that shrinking may take on a loss of ``size`` parameters."""
    if size <= 16:
        return 400
    return 100 if size <= 1000 else 30


def finite_at(loss: Callable[[Tensor], Tensor], w: Tensor) -> bool:
    """Whether the loss and its gradient are finite at ``w``; false where it raises."""
    leaf = w.detach().clone().requires_grad_(True)
    try:
        value = loss(leaf)
        if not bool(torch.isfinite(value.detach()).all()):
            return False
        if not value.requires_grad:
            return True
        (slope,) = torch.autograd.grad(value.sum(), leaf, allow_unused=True)
    except Exception:  # of the loss: evaluates and differentiable say so
        return False
    return slope is None or bool(torch.isfinite(slope).all())


def from_loss(error: BaseException) -> bool:
    """Whether an exception is the user's: it left the loss (see :func:`marked`), or one of its
    frames, a backward pass of theirs, is neither ours nor of a library that the checks call."""
    if getattr(error, _MARK, False):
        return True
    trace = error.__traceback__
    inside = False
    while trace is not None:
        path = os.path.abspath(trace.tb_frame.f_code.co_filename)
        inside = inside or path.startswith(_OURS)
        if inside and not path.startswith(_OURS) and not _of_library(path):
            return True
        trace = trace.tb_next
    return False


def no_bug(error: BaseException) -> bool:
    """Whether an exception may come of a strange loss, and need not be a mistake of a check: it is
    the user's, or of a kind that torch raises on numbers and shapes that do not work."""
    return from_loss(error) or isinstance(
        error, NumericEvent | ValueError | RuntimeError | ArithmeticError
    )


def marked(loss: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """``loss``, whose exceptions :func:`from_loss` knows again."""

    @functools.wraps(loss, updated=())
    def call(w: Tensor) -> Tensor:
        try:
            return loss(w)
        except Exception as error:  # all of them, and they go on
            with contextlib.suppress(AttributeError, TypeError):
                setattr(error, _MARK, True)
            raise

    return call


def _of_library(path: str) -> bool:
    if "site-packages" in path or "dist-packages" in path or path.startswith("<"):
        return True
    return path.startswith(os.path.dirname(os.path.abspath(os.__file__)) + os.sep) or any(
        path.startswith(prefix + os.sep + "lib") for prefix in {sys.prefix, sys.base_prefix}
    )


def first_line(error: BaseException) -> str:
    """The text of an exception without what follows its first line."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def _key(value: Any) -> Any:
    if isinstance(value, Recipe):
        return value.code
    if isinstance(value, Tensor):
        return (tuple(value.shape), tuple(value.reshape(-1).tolist()))
    if isinstance(value, tuple | list):
        return tuple(_key(v) for v in value)
    return repr(value)


def _shown(value: Any) -> Recipe | float | int | str:
    from eostheory.check.inputs import written_out

    if isinstance(value, (Recipe, *_PLAIN)):
        return value
    return written_out(value) if isinstance(value, Tensor) else repr(value)


def _most_common(reasons: Counter[str]) -> str:
    return reasons.most_common(1)[0][0] if reasons else "no input was drawn"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
