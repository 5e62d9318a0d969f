"""The list of a paper's statements (``claims.yaml``): loaded strictly, wrong lists are refused."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import yaml

FILE_NAME = "claims.yaml"
KINDS = (
    "assumption",
    "conjecture",
    "corollary",
    "definition",
    "equation",
    "figure",
    "formula",
    "lemma",
    "proof-step",
    "proposition",
    "remark",
    "theorem",
)
CHECKS = ("asymptotic", "definition", "empirical", "existence", "identity", "inequality")
_TEXTS = ("id", "kind", "where", "says", "formula", "hypotheses", "check")
_FIELDS = (*_TEXTS, "needs")
# libyaml where PyYAML was built with it (20 times faster); both are safe loaders
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class CatalogueError(ValueError):
    """A claim list that cannot be used.  The message names file, line and field."""


@dataclass(frozen=True)
class CatalogueEntry:
    """One statement of a paper, as its list has it.

    Attributes:
        id: ``paper/local-name``.
        paper: the part of ``id`` before the slash.
        kind: one of :data:`KINDS`.
        where: place in the paper.
        says: the statement in a sentence.
        formula: LaTeX, as printed, mistakes included.
        hypotheses: what the paper assumes, as text.
        needs: ids of the statements this one rests on.
        check: one of :data:`CHECKS`.
        line: line of the entry in its file, for error messages.
    """

    id: str
    paper: str
    kind: str
    where: str
    says: str
    formula: str
    hypotheses: str
    needs: tuple[str, ...]
    check: str
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Catalogue:
    """All statements of one paper, in the order of the list."""

    paper: str
    path: Path
    entries: Mapping[str, CatalogueEntry]


def load_catalogue(path: Path | str) -> Catalogue:
    """Read ``claims.yaml`` (or the one in the folder ``path``).

    Raises:
        CatalogueError: unreadable file, broken YAML, unknown, missing, repeated or ill-typed
            field, duplicate id, ids of two papers in one list, a need that names an unknown id
            of the same paper, a cycle in ``needs``.
    """
    path = Path(path)
    if path.is_dir():
        path = path / FILE_NAME
    entries: dict[str, CatalogueEntry] = {}
    for node in _entry_nodes(path):
        entry = _entry(path, node)
        if entry.id in entries:
            first = entries[entry.id].line
            raise _error(path, entry.line, "id", f"{entry.id!r} is already on line {first}")
        entries[entry.id] = entry
    papers = sorted({e.paper for e in entries.values()})
    if len(papers) != 1:
        raise _error(path, 1, "id", f"one list describes one paper, but ids name {papers}")
    _refuse_unknown_needs(path, entries, known=entries)
    refuse_cycles(entries, path)
    return Catalogue(papers[0], path, MappingProxyType(entries))


def check_outside_needs(catalogues: Iterable[Catalogue], known: Iterable[str]) -> None:
    """Check the needs that cross papers, once every list is loaded.

    Args:
        catalogues: the lists of a run.
        known: ids of all lists, including lists that are only referred to.

    Raises:
        CatalogueError: a need that no list has, or a cycle through several papers.
    """
    catalogues = list(catalogues)
    ids = set(known)
    for catalogue in catalogues:
        for entry in catalogue.entries.values():
            for need in entry.needs:
                if need not in ids:
                    hint = nearest(need, ids)
                    raise _error(
                        catalogue.path,
                        entry.line,
                        "needs",
                        f"{entry.id!r} needs {need!r}, which no list has{hint}",
                    )
    merged = {e.id: e for c in catalogues for e in c.entries.values()}
    if catalogues:
        refuse_cycles(merged, catalogues[0].path)


def refuse_cycles(entries: Mapping[str, CatalogueEntry], path: Path) -> None:
    """Raise :class:`CatalogueError` with the whole cycle if ``needs`` has one."""
    finished: set[str] = set()
    for root in entries:
        trail: dict[str, None] = {}
        stack = [(root, iter(entries[root].needs))] if root not in finished else []
        while stack:
            name, needs = stack[-1]
            trail[name] = None
            for need in needs:
                if need in trail:
                    names = list(trail)
                    cycle = " -> ".join([*names[names.index(need) :], need])
                    raise _error(path, entries[name].line, "needs", f"cycle: {cycle}")
                if need in entries and need not in finished:
                    stack.append((need, iter(entries[need].needs)))
                    break
            else:
                stack.pop()
                trail.pop(name)
                finished.add(name)


def nearest(name: str, known: Iterable[str], count: int = 3) -> str:
    """``"; nearest: a, b"`` for an unknown name, or ``""`` when nothing is near."""
    found = nearest_ids(name, known, count)
    return f"; nearest: {', '.join(found)}" if found else ""


def nearest_ids(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Up to ``count`` known ids like ``name``; the paper's prefix may be missing or wrong."""
    ids = sorted(known)
    folded = {i.casefold(): i for i in ids}
    local: dict[str, list[str]] = {}
    for i in ids:
        local.setdefault(i.casefold().partition("/")[2], []).append(i)
    wanted = name.casefold()
    tail = wanted.rpartition("/")[2]
    found = local.get(tail, [])[:count]
    found += [folded[m] for m in difflib.get_close_matches(wanted, folded, count, 0.6)]
    found += [i for m in difflib.get_close_matches(tail, local, count, 0.6) for i in local[m]]
    return list(dict.fromkeys(found))[:count]


def _entry_nodes(path: Path) -> list[yaml.Node]:
    """The nodes of the list under ``claims:``; nodes keep their line numbers."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as reason:
        raise CatalogueError(f"{path}: cannot be read: {reason}") from reason
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as reason:
        mark = getattr(reason, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        problem = getattr(reason, "problem", None) or str(reason)
        raise CatalogueError(f"{path}:{line}: broken YAML: {problem}") from reason
    if not isinstance(root, yaml.MappingNode):
        raise CatalogueError(f"{path}:1: expected 'claims:' followed by a list of entries")
    found: list[yaml.Node] | None = None
    for key, value in root.value:
        if key.value != "claims":
            raise _error(path, _line(key), str(key.value), "unknown; a list has only 'claims'")
        if not isinstance(value, yaml.SequenceNode) or found is not None:
            raise _error(path, _line(value), "claims", "must be one list of entries")
        found = list(value.value)
    if not found:
        raise _error(path, 1, "claims", "the list is empty")
    return found


def _entry(path: Path, node: yaml.Node) -> CatalogueEntry:
    if not isinstance(node, yaml.MappingNode):
        raise CatalogueError(f"{path}:{_line(node)}: an entry must be a mapping of fields")
    values: dict[str, yaml.Node] = {}
    for key, value in node.value:
        if key.value not in _FIELDS:
            hint = nearest(str(key.value), _FIELDS, 1)
            raise _error(path, _line(key), str(key.value), f"unknown field{hint}")
        if key.value in values:
            raise _error(path, _line(key), str(key.value), "given twice in one entry")
        values[key.value] = value
    for name in _FIELDS:
        if name not in values:
            raise _error(path, _line(node), name, "missing")
    text = {name: _text(path, name, values[name]) for name in _TEXTS}
    needs = _needs(path, values["needs"])
    paper, slash, local = text["id"].partition("/")
    if not (paper and slash and local) or text["id"] != "".join(text["id"].split()):
        raise _error(
            path, _line(values["id"]), "id", f"{text['id']!r} is not of the form paper/name"
        )
    for name, allowed in (("kind", KINDS), ("check", CHECKS)):
        if text[name] not in allowed:
            raise _error(
                path,
                _line(values[name]),
                name,
                f"{text[name]!r} is none of {', '.join(allowed)}",
            )
    return CatalogueEntry(
        id=text["id"],
        paper=paper,
        kind=text["kind"],
        where=text["where"],
        says=text["says"],
        formula=text["formula"],
        hypotheses=text["hypotheses"],
        needs=needs,
        check=text["check"],
        line=_line(node),
    )


def _text(path: Path, name: str, node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _error(path, _line(node), name, "must be a text")
    value = str(node.value)
    # some statements are in words only, and many have no hypotheses of their own
    if name not in ("formula", "hypotheses") and not value.strip():
        raise _error(path, _line(node), name, "is empty")
    return value


def _needs(path: Path, node: yaml.Node) -> tuple[str, ...]:
    if not isinstance(node, yaml.SequenceNode):
        raise _error(path, _line(node), "needs", "must be a list of ids ([] for none)")
    found: list[str] = []
    for item in node.value:
        if not isinstance(item, yaml.ScalarNode) or not item.value:
            raise _error(path, _line(item), "needs", "must contain ids only")
        if item.value in found:
            raise _error(path, _line(item), "needs", f"{item.value!r} is listed twice")
        found.append(str(item.value))
    return tuple(found)


def _refuse_unknown_needs(
    path: Path, entries: Mapping[str, CatalogueEntry], known: Iterable[str]
) -> None:
    ids = set(known)
    papers = {e.paper for e in entries.values()}
    for entry in entries.values():
        for need in entry.needs:
            # other papers' ids are checked once those lists are loaded
            if need.partition("/")[0] in papers and need not in ids:
                raise _error(
                    path,
                    entry.line,
                    "needs",
                    f"{entry.id!r} needs {need!r}, which the list lacks{nearest(need, ids)}",
                )


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _error(path: Path, line: int, name: str, message: str) -> CatalogueError:
    return CatalogueError(f"{path}:{line}: field '{name}': {message}")
