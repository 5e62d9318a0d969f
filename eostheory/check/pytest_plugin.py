"""The pytest plugin: options, reports and shared runs of ``parametrize_with_loss_checks``.

It is loaded in every run of pytest, so that it imports neither torch nor anything else of
eostheory; tests that hold a check of a loss are known by the attribute ``is_loss_check``.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from eostheory.check.parametrize import LossCheck

_PROFILES = ("quick", "default", "thorough")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Enter our options."""
    group = parser.getgroup("eostheory", "property tests of losses (eostheory)")
    group.addoption(
        "--loss-profile",
        choices=_PROFILES,
        default=None,
        help="how hard losses are looked at; otherwise what the test says, or 'default'",
    )
    group.addoption(
        "--loss-seed",
        type=int,
        default=None,
        metavar="N",
        help="seed of the inputs that losses are tried on; otherwise what the test says, or 0",
    )
    group.addoption(
        "--loss-strict",
        action="store_true",
        help="a check of a loss that could not be decided fails",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Enter the markers that our tests carry."""
    lines = (
        "loss_check(name): one check of one loss, made by parametrize_with_loss_checks",
        "xdist_group(name): tests that --dist loadgroup keeps on one worker",
    )
    for line in lines:
        config.addinivalue_line("markers", line)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests; those of one loss share runs, so that one worker should get them."""
    for item in items:
        check = _check_of(item)
        if check is not None:
            item.add_marker(pytest.mark.loss_check(check.name))
            if item.get_closest_marker("xdist_group") is None:
                item.add_marker(pytest.mark.xdist_group(f"loss {check.loss_name}"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Hand the options to the check."""
    check = _check_of(item)
    if check is not None:
        option = item.config.option
        check.examination.choose(option.loss_profile, option.loss_seed)
        check.strict = option.loss_strict


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Forget what was measured of a loss once its tests are over."""
    check = _check_of(item)
    if check is not None:
        following = _check_of(nextitem) if nextitem is not None else None
        if following is None or following.examination is not check.examination:
            check.examination.forget()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the counterexample, and the lines that reproduce it, below a failure."""
    report = yield
    check = _check_of(item)
    if check is not None and call.when == "call" and call.excinfo is not None:
        report.sections.extend(check.sections())
    return report


def _check_of(item: pytest.Item) -> LossCheck | None:
    call = getattr(item, "callspec", None)
    values: dict[str, Any] = getattr(call, "params", {})
    for value in values.values():
        if getattr(type(value), "is_loss_check", False) is True:
            found: LossCheck = value
            return found
    return None
