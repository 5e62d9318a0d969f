"""Run a simulation on instances drawn by Hypothesis, and shrink a violation."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as with_seed
from hypothesis.errors import Unsatisfiable, UnsatisfiedAssumption
from hypothesis.strategies import DataObject, data

from eostheory.agree.record import Instance, Record
from eostheory.agree.sample import NotFinite, Rejected, Sample
from eostheory.numeric.draws import no_local_constants

Simulation = Callable[[Sample], None]


class _Violated(AssertionError):
    """What Hypothesis shrinks."""


class _Finished(BaseException):
    """Ends a run at once; no Exception, so that Hypothesis neither repeats nor shrinks it."""


def _settings(examples: int, phases: tuple[Phase, ...]) -> settings:
    return settings(
        max_examples=examples,
        database=None,  # a run depends on its seed and on nothing that earlier runs left behind
        deadline=None,  # trajectories take what they take; the suite has budgets of its own
        # The health checks guard against slow or much-filtering tests.  Here slowness is the
        # suite's business and every rejected instance is counted and shown.
        suppress_health_check=list(HealthCheck),
        phases=phases,
        print_blob=False,
        verbosity=Verbosity.quiet,
    )


def simulate(
    function: Simulation,
    *,
    seed: int,
    examples: int,
    profile: str = "default",
    withheld: frozenset[str] = frozenset(),
) -> Record:
    """What ``function`` observes on ``examples`` instances; the same for the same ``seed``.

    An exception in ``function`` ends the run and is kept as the record's ``error``; typed
    events (divergence, not a number) and rejections end only their instance and are counted.
    """
    record = Record(seed=seed, examples=examples, profile=profile, withheld=withheld)

    def body(source: DataObject) -> None:
        _one(function, source, record)
        if record.error is not None or len(record.instances) == examples:
            raise _Finished

    with contextlib.suppress(_Finished):
        _drive(body, seed, _settings(examples, (Phase.generate,)))
    return record


def _drive(body: Callable[[DataObject], None], seed: int, options: settings) -> None:
    try:
        with no_local_constants():
            with_seed(seed)(options(given(data())(body)))()
    except Unsatisfiable:
        # Every instance was rejected: the record says so by having none.
        return


def _one(function: Simulation, source: DataObject, record: Record) -> Instance | None:
    """Run ``function`` on one instance and file the outcome in ``record``."""
    from eostheory.numeric.events import NumericEvent

    instance = Instance(number=len(record.instances))
    sample = Sample(source, instance, record.profile, record.withheld)
    try:
        function(sample)
    except UnsatisfiedAssumption:
        _reject(record, "assume()")
        raise
    except Rejected as refusal:
        _reject(record, str(refusal))
        raise UnsatisfiedAssumption(str(refusal)) from refusal
    except (NumericEvent, NotFinite) as event:
        record.events.append(
            {"event": type(event).__name__, "text": str(event), "draws": instance.draws}
        )
        _reject(record, type(event).__name__)
        raise UnsatisfiedAssumption(str(event)) from event
    except Exception:
        # Hypothesis steers by exceptions of its own (BaseException); what arrives here is a
        # mistake in the simulation.  Running it again would not help.
        record.error = traceback.format_exc()
        return None
    finally:
        record.asked |= sample.asked
    if not record.instances:
        record.evidence.extend(sample.evidence)
    record.instances.append(instance)
    return instance


def _reject(record: Record, reason: str) -> None:
    record.rejected += 1
    record.reasons[reason] = record.reasons.get(reason, 0) + 1


def shrink(
    function: Simulation,
    violated: Callable[[Record], bool],
    *,
    seed: int,
    examples: int,
    profile: str = "default",
    withheld: frozenset[str] = frozenset(),
) -> Instance | None:
    """The smallest instance on which ``violated`` holds, by Hypothesis' own shrinking.

    ``violated`` judges a record that holds a single instance.  None when no drawn instance
    violates.
    """
    found: list[Instance] = []

    def body(source: DataObject) -> None:
        record = Record(seed=seed, examples=1, profile=profile, withheld=withheld)
        instance = _one(function, source, record)
        if instance is not None and violated(record):
            found.append(instance)
            raise _Violated

    options = _settings(examples, (Phase.generate, Phase.target, Phase.shrink))
    try:
        _drive(body, seed, options)
    except _Violated:
        # Hypothesis ends by running its smallest example once more.
        return found[-1]
    return None


def replay(function: Simulation, number: int, **options: Any) -> Record:
    """The record of :func:`simulate` with ``options``, cut down to instance ``number``.

    Raises:
        LookupError: the run has no such instance.
    """
    record = simulate(function, **options)
    kept = [i for i in record.instances if i.number == number]
    if not kept:
        raise LookupError(
            f"no instance {number}: the run with seed {record.seed} accepted "
            f"{len(record.instances)} instances"
        )
    record.instances = kept
    return record
