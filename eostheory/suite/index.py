"""Which script encodes which claim; a script that cannot be imported keeps its claims."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from eostheory.claims.catalogue import CatalogueEntry, nearest
from eostheory.claims.verdict import PROFILES
from eostheory.suite import worker
from eostheory.suite.cache import Cache
from eostheory.suite.crew import Crew, Outcome, Task
from eostheory.suite.errors import LoadError
from eostheory.suite.fingerprint import index_key
from eostheory.suite.library import Library
from eostheory.suite.scripts import digest_of


@dataclass(frozen=True)
class Encoding:
    """Where a claim is encoded.

    Attributes:
        digest: hash of the script and all it depends on.
        import_seconds: how long importing the script took.
        since: the least profile that judges the claim.
        error: traceback if the script cannot be imported.
    """

    folder: Path
    script: str
    digest: str
    budget: float = 0.0
    import_seconds: float = 0.0
    error: str = ""
    since: str = PROFILES[0]

    @property
    def group(self) -> str:
        """Claims of one script share a worker."""
        return str(self.folder / self.script)


@dataclass
class Index:
    """The encodings of a library.

    Attributes:
        claims: id -> encoding, for healthy and broken scripts.
        broken: script -> traceback, also for broken scripts whose claims nobody can name.
    """

    claims: dict[str, Encoding] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)


def build_index(library: Library, crew: Crew, cache: Cache) -> Index:
    """Import every script (in workers) that the cache does not know, and read what it encodes.

    Raises:
        LoadError: a claim encoded twice, or encoded but listed nowhere.
    """
    scripts = [(p.folder, name) for p in library.papers for name in p.scripts]
    digests = {key: digest_of(*key) for key in scripts}
    found: dict[tuple[Path, str], Mapping[str, object]] = {}
    tasks: list[Task] = []
    for folder, name in scripts:
        known = cache.get(index_key(folder / name, digests[folder, name]))
        if known is not None:
            found[folder, name] = known
            continue
        arguments = (str(folder), name)
        budget = worker.IMPORT_BUDGET
        tasks.append(Task(name, str(folder / name), worker.index_script, arguments, budget))

    def finished(outcome: Outcome) -> None:
        folder, name = Path(outcome.task.arguments[0]), str(outcome.task.arguments[1])
        value = outcome.value or {"claims": [], "seconds": 0.0, "error": outcome.failure}
        found[folder, name] = value
        if not value["error"]:
            cache.put(index_key(folder / name, digests[folder, name]), value)
            cache.put(_last_known_key(folder, name), {"claims": value["claims"]})

    crew.run(tasks, lambda task: None, finished)
    return _assemble(library, digests, found, cache)


def _assemble(
    library: Library,
    digests: Mapping[tuple[Path, str], str],
    found: Mapping[tuple[Path, str], Mapping[str, object]],
    cache: Cache,
) -> Index:
    index = Index()
    entries = library.entries
    for (folder, name), digest in digests.items():
        value = found[folder, name]
        if not value["error"]:
            seconds = _number(value["seconds"])
            for item in _items(value):
                budget, since = _number(item["budget"]), str(item.get("since", PROFILES[0]))
                new = Encoding(folder, name, digest, budget, seconds, since=since)
                _add(index, entries, str(item["id"]), new)
    for (folder, name), digest in digests.items():
        error = str(found[folder, name]["error"] or "")
        if error:
            index.broken[str(folder / name)] = error
            own = {i for i, e in entries.items() if e.paper == _paper_of(library, folder)}
            for claim in _claims_of_broken(folder, name, cache, own):
                index.claims.setdefault(claim, Encoding(folder, name, digest, error=error))
    return index


def _add(
    index: Index, entries: Mapping[str, CatalogueEntry], claim: str, encoding: Encoding
) -> None:
    path = encoding.folder / encoding.script
    if claim not in entries:
        raise LoadError(f"{path}: encodes {claim!r}, which no list has{nearest(claim, entries)}")
    if claim in index.claims:
        other = index.claims[claim]
        first = "itself" if other.group == str(path) else str(other.folder / other.script)
        raise LoadError(f"{path}: duplicate id {claim!r}: already encoded by {first}")
    index.claims[claim] = encoding


def _paper_of(library: Library, folder: Path) -> str:
    return next(p.name for p in library.papers if p.folder == folder)


def _items(value: Mapping[str, object]) -> list[Mapping[str, object]]:
    items = value.get("claims")
    return list(items) if isinstance(items, list) else []


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _last_known_key(folder: Path, name: str) -> str:
    return f"last-known:{folder / name}"


def _claims_of_broken(folder: Path, name: str, cache: Cache, listed: set[str]) -> list[str]:
    """Listed ids that a broken script encodes: as last imported, and as its text shows."""
    known = cache.get(_last_known_key(folder, name)) or {}
    remembered = [str(item["id"]) for item in _items(known)]
    text = (folder / name).read_text(encoding="utf-8", errors="replace")
    return [i for i in dict.fromkeys([*remembered, *_ids_in(text)]) if i in listed]


def _ids_in(text: str) -> Iterable[str]:
    """Ids given to ``Claim(...)`` in a source text, which may not be valid Python."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return re.findall(r"""\bClaim\(\s*(?:id\s*=\s*)?["']([^"'\n]+)["']""", text)
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "Claim":
            values = [*node.args[:1], *(k.value for k in node.keywords if k.arg == "id")]
            found.extend(str(v.value) for v in values if isinstance(v, ast.Constant))
    return found
