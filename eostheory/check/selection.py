"""Which checks a user means, and in which order they are run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from eostheory.check.registry import Check
from eostheory.claims.catalogue import nearest
from eostheory.suite.errors import NothingSelected


class UnknownCheck(ValueError):
    """A name that no check or group has; the message names the nearest."""


def select(
    checks: str | Sequence[str] | None = None,
    exclude: str | Sequence[str] = (),
    expected_failures: Mapping[str, str] | None = None,
) -> list[str]:
    """Names of the selected checks, in the order in which they are run.

    Args:
        checks: names, groups and globs (``scale-*``); None for all.
        exclude: the same, taken away.
        expected_failures: reasons by name, only looked at for unknown names.

    Raises:
        UnknownCheck: a name or a glob that fits no check.
        TypeError: something that is no name.
        NothingSelected: no check is left.
    """
    from eostheory.check.catalogue import all_checks

    known = all_checks()
    validate_expected(expected_failures, known)
    wanted = list(known) if checks is None else _matches(checks, "checks", known)
    left_out = set(_matches(exclude, "exclude", known))
    chosen = set(wanted) - left_out
    if not chosen:
        raise NothingSelected(
            f"no check is left of checks={_listed(checks)} without exclude={_listed(exclude)}"
        )
    return [name for name in known if name in chosen]


def validate_expected(expected: Mapping[str, str] | None, known: Mapping[str, Check]) -> None:
    """Refuse expected failures that name no check, or have no reason.

    Raises:
        UnknownCheck, TypeError, ValueError: as it says.
    """
    if expected is None:
        return
    if not isinstance(expected, Mapping):
        raise TypeError(
            f"expected_failures is {type(expected).__name__}, expected a mapping of names of "
            "checks to reasons: {'smooth': 'ReLU has kinks'}"
        )
    for name, reason in expected.items():
        if name not in known:
            raise UnknownCheck(f"expected_failures: no check {name!r}{nearest(str(name), known)}")
        if not isinstance(reason, str) or not reason.strip():
            raise ValueError(f"expected_failures[{name!r}] is {reason!r}: give the reason as text")


def needed(names: Iterable[str], known: Mapping[str, Check]) -> list[str]:
    """``names`` and all that they need, each after what it needs."""
    found: dict[str, None] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in found:
            return
        if name in path:
            raise ValueError(f"checks need each other: {' -> '.join((*path, name))}")
        for need in known[name].needs:
            if need not in known:
                raise ValueError(f"the check {name!r} needs {need!r}, which does not exist")
            visit(need, (*path, name))
        found[name] = None

    for name in names:
        visit(name, ())
    return list(found)


def _matches(given: str | Sequence[str], what: str, known: Mapping[str, Check]) -> list[str]:
    patterns = [given] if isinstance(given, str) else list(given)
    groups = {check.group for check in known.values()}
    found = []
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise TypeError(f"{what} has {pattern!r} ({type(pattern).__name__}), expected a name")
        fits = [n for n, c in known.items() if pattern in (n, c.group) or fnmatchcase(n, pattern)]
        if not fits:
            hint = nearest(pattern, [*known, *groups])
            raise UnknownCheck(f"{what}: no check or group {pattern!r}{hint}")
        found += fits
    return found


def _listed(given: str | Sequence[str] | None) -> str:
    return "all" if given is None else repr(given if isinstance(given, str) else list(given))
