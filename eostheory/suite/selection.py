"""Which of the listed claims a user means."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from eostheory.claims.catalogue import CatalogueEntry, nearest
from eostheory.claims.verdict import Verdict
from eostheory.suite.errors import NothingSelected, UnknownClaim


@dataclass(frozen=True)
class Selection:
    """A conjunction of conditions; an empty one holds for every claim.

    Attributes:
        patterns: ids, names of papers and globs (``lyu22/thm-*``); one of them must fit.
        expression: words joined by ``and``, ``or``, ``not`` and brackets; a word fits if the
            id, kind, place or summary contains it.
        verdicts: looked at after judging.
    """

    patterns: tuple[str, ...] = ()
    papers: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    expression: str = ""
    verdicts: tuple[Verdict, ...] = ()


class ExpressionError(ValueError):
    """A ``-k`` expression that cannot be read."""


def split_targets(targets: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Tell folders from ids: a folder exists, or is written like a path."""
    paths: list[Path] = []
    patterns: list[str] = []
    for target in targets:
        like_path = target.startswith((".", "/", "~")) or target.endswith(("/", "\\"))
        path = Path(target).expanduser()
        if like_path or path.is_dir() or path.is_absolute():
            paths.append(path)
        else:
            patterns.append(target)
    return paths, patterns


def select(entries: Mapping[str, CatalogueEntry], selection: Selection) -> list[str]:
    """Ids of the selected claims, in the order of the lists; verdicts are not looked at.

    Raises:
        UnknownClaim: an id or a paper that no list has, with the nearest ones.
        NothingSelected: conditions that no claim meets.
        ExpressionError: see :class:`ExpressionError`.
    """
    papers = dict.fromkeys(e.paper for e in entries.values())
    for paper in selection.papers:
        if paper not in papers:
            raise UnknownClaim(f"unknown paper {paper!r}; known: {', '.join(papers)}")
    for pattern in selection.patterns:
        if not is_glob(pattern) and pattern not in entries and pattern not in papers:
            raise UnknownClaim(f"unknown id {pattern!r}{nearest(pattern, entries)}")
    fits = parse_expression(selection.expression)
    chosen = [
        i
        for i, e in entries.items()
        if (not selection.patterns or any(_fits(p, e) for p in selection.patterns))
        and (not selection.papers or e.paper in selection.papers)
        and (not selection.kinds or e.kind in selection.kinds)
        and fits(" ".join((e.id, e.kind, e.check, e.where, e.says)).casefold())
    ]
    if not chosen:
        raise NothingSelected("no listed claim meets the selection; 'eostheory list' shows all")
    return chosen


def is_glob(pattern: str) -> bool:
    """Whether a pattern has wildcards."""
    return any(c in pattern for c in "*?[")


def _fits(pattern: str, entry: CatalogueEntry) -> bool:
    return pattern in (entry.id, entry.paper) or (
        is_glob(pattern) and fnmatchcase(entry.id, pattern)
    )


Test = Callable[[str], bool]


def parse_expression(text: str) -> Test:
    """``"lemma and not (proof or figure)"`` as a test of casefolded texts."""
    tokens = re.findall(r"[()]|[^\s()]+", text)
    if not tokens:
        return lambda _: True
    test, rest = _either(tokens, text)
    if rest:
        raise ExpressionError(f"-k {text!r}: unexpected {rest[0]!r}")
    return test


def _either(tokens: list[str], text: str) -> tuple[Test, list[str]]:
    test, tokens = _both(tokens, text)
    while tokens and tokens[0].casefold() == "or":
        other, tokens = _both(tokens[1:], text)
        test = _joined(any, test, other)
    return test, tokens


def _both(tokens: list[str], text: str) -> tuple[Test, list[str]]:
    test, tokens = _single(tokens, text)
    while tokens and tokens[0].casefold() == "and":
        other, tokens = _single(tokens[1:], text)
        test = _joined(all, test, other)
    return test, tokens


def _joined(how: Callable[[list[bool]], bool], one: Test, two: Test) -> Test:
    return lambda s: how([one(s), two(s)])


def _single(tokens: list[str], text: str) -> tuple[Test, list[str]]:
    if not tokens:
        raise ExpressionError(f"-k {text!r}: ends where a word is expected")
    head, rest = tokens[0].casefold(), tokens[1:]
    if head == "not":
        test, rest = _single(rest, text)
        return (lambda s: not test(s)), rest
    if head == "(":
        test, rest = _either(rest, text)
        if not rest or rest[0] != ")":
            raise ExpressionError(f"-k {text!r}: a bracket is not closed")
        return test, rest[1:]
    if head in ("and", "or", ")"):
        raise ExpressionError(f"-k {text!r}: {head!r} where a word is expected")
    return (lambda s: head in s), rest
