"""Each check of a loss as one test of pytest."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn, TypeVar

if TYPE_CHECKING:
    from eostheory.check.engine import Examination
    from eostheory.check.report import Finding

_ARGUMENT = "loss_check"
NotApplicable = Literal["skip", "pass"]
Test = TypeVar("Test", bound=Callable[..., Any])


def parametrize_with_loss_checks(
    losses: Iterable[Any],
    *,
    not_applicable: NotApplicable = "skip",
    **keywords: Any,
) -> Callable[[Test], Test]:
    """Make each check of each loss one test, with the id ``loss/check``.

    ::

        @eostheory.parametrize_with_loss_checks([my_loss, {"loss": net, "data": (x, y)}])
        def test_my_loss(loss_check):
            loss_check()

    A check that fails, fails its test, which shows the counterexample and lines that reproduce it.
    One that is not applicable is skipped, with its reason; one that could not be decided is an
    expected failure (``x``), or fails with ``--loss-strict``.  What ``expected_failures`` names is
    an expected failure, and fails its test when it passes.  Checks share what they measure: runs
    of one loss are made once in a process, when the first test that needs them runs.

    Args:
        losses: each a loss; a mapping of arguments of :func:`~eostheory.check_loss`, ``loss`` among
            them; or a function without arguments that returns one of these, called when the first
            of its tests runs.
        not_applicable: ``"pass"`` where tests must not be skipped.
        keywords: arguments of :func:`~eostheory.check_loss` for all of them; a mapping's own come
            first, and the options ``--loss-profile`` and ``--loss-seed`` before both.

    Raises:
        TypeError: ``losses`` is one loss instead of a list.
        ValueError: no losses, or a check that there is not.
    """
    import pytest

    from eostheory.check.selection import select

    if isinstance(losses, str | Mapping) or not isinstance(losses, Iterable):
        raise TypeError(f"losses is {losses!r}; expected a list: [loss]")
    if not_applicable not in ("skip", "pass"):
        raise ValueError(f"not_applicable is {not_applicable!r}; expected 'skip' or 'pass'")
    cases = []
    for name, loss in _named(losses):
        own = {**keywords, **loss} if isinstance(loss, Mapping) else keywords
        shared = SharedExamination(name, loss, keywords)
        selected = select(
            own.get("checks"), own.get("exclude", ()), own.get("expected_failures") or {}
        )
        for check in selected:
            case = LossCheck(name, check, shared, not_applicable)
            cases.append(pytest.param(case, id=f"{name}/{check}"))
    if not cases:
        raise ValueError("no losses: there is nothing to test")
    mark = pytest.mark.parametrize(_ARGUMENT, cases)

    def decorate(test: Test) -> Test:
        if inspect.isfunction(test) and _ARGUMENT not in inspect.signature(test).parameters:
            raise TypeError(
                f"{test.__name__} has no argument {_ARGUMENT!r}; write\n"
                f"    def {test.__name__}({_ARGUMENT}):\n        {_ARGUMENT}()"
            )
        marked: Test = mark(test)
        return marked

    return decorate


class SharedExamination:
    """What was found about one loss, shared by its tests.

    Args:
        name: of the loss.
        source: as it was given; a factory is called when the first check is run.
        keywords: arguments of ``check_loss`` for all losses.
    """

    def __init__(self, name: str, source: Any, keywords: Mapping[str, Any]) -> None:
        self.name = name
        self._source = source
        self._keywords = dict(keywords)
        self._options: dict[str, Any] = {}
        self._made: Examination | None = None

    def choose(self, profile: str | None, seed: int | None) -> None:
        """Use the profile and the seed of the command line, where it has them."""
        given = {"profile": profile, "seed": seed}
        options = {key: value for key, value in given.items() if value is not None}
        if options != self._options:
            self.forget()
            self._options = options

    def finding(self, check: str) -> Finding | None:
        """What ``check`` finds; None where the arguments of this loss leave it out."""
        if self._made is None:
            self._made = self._make()
        return self._made.finding(check) if check in self._made.names else None

    def forget(self) -> None:
        """Free what was measured."""
        self._made = None

    def _make(self) -> Examination:
        from eostheory.check.engine import Examination
        from eostheory.check.targets import arguments_of

        arguments = arguments_of(self._source, self.name)
        return Examination(**{"name": self.name, **self._keywords, **arguments, **self._options})


class LossCheck:
    """One check of one loss: call it in the test.

    Args:
        loss_name, name: of the loss and of the check.
        strict: a check that could not be decided fails.
    """

    is_loss_check: ClassVar[bool] = True

    def __init__(
        self,
        loss_name: str,
        name: str,
        examination: SharedExamination,
        not_applicable: NotApplicable = "skip",
        strict: bool = False,
    ) -> None:
        self.loss_name = loss_name
        self.name = name
        self.examination = examination
        self.strict = strict
        self._not_applicable = not_applicable
        self._found: Finding | None = None

    def __repr__(self) -> str:
        return f"<check {self.name} of {self.loss_name}>"

    def __call__(self) -> None:
        """Run the check; ends the test as ``parametrize_with_loss_checks`` says."""
        __tracebackhide__ = True
        import pytest

        found = self._found = self.examination.finding(self.name)
        if found is None:
            pytest.skip("left out by the arguments of this loss")
        status = str(found.status)
        if found.error:
            pytest.fail(f"{self.name}: {found.message}\n{found.error}", pytrace=False)
        if found.unexpected:
            self._fail(found, status)
        if found.expected_failure is not None and status == "fail":
            pytest.xfail(found.expected_failure)
        if status == "not-applicable" and self._not_applicable == "skip":
            pytest.skip(found.message)
        if status == "unknown":
            if self.strict:
                self._fail(found, status)
            pytest.xfail(f"undecided: {found.message}")

    def _fail(self, found: Finding, status: str) -> NoReturn:
        __tracebackhide__ = True
        import pytest

        if status == "fail":
            pytest.fail(f"{self.name}: {found.message}", pytrace=False)
        if status == "unknown":
            pytest.fail(f"{self.name} could not be decided: {found.message}", pytrace=False)
        pytest.fail(
            f"[XPASS(strict)] {self.name} was expected to fail ({found.expected_failure}), but: "
            f"{found.message}",
            pytrace=False,
        )

    def sections(self) -> list[tuple[str, str]]:
        """Titles and texts that the report of a failure shows."""
        case = self._found.counterexample if self._found is not None else None
        if case is None:
            return []
        facts = {**case.inputs, **case.details}
        lines = "\n".join(f"{name} = {value}" for name, value in facts.items())
        found = [(f"counterexample of {self.loss_name}/{self.name}", lines)]
        if case.python:
            found.append(("reproduce", case.python))
        return found


def _named(losses: Iterable[Any]) -> list[tuple[str, Any]]:
    """Losses with names that differ, since names are ids of tests."""
    from eostheory.check.targets import name_of

    found: dict[str, Any] = {}
    for loss in losses:
        name = base = name_of(loss)
        number = 1
        while name in found:
            number += 1
            name = f"{base}-{number}"
        found[name] = loss
    return list(found.items())
