"""What is listed, encoded and already known, without judging anything."""

from __future__ import annotations

from dataclasses import dataclass

from eostheory.claims.catalogue import CatalogueEntry
from eostheory.claims.verdict import Verdict
from eostheory.suite.cache import Cache
from eostheory.suite.crew import Crew
from eostheory.suite.errors import NothingSelected
from eostheory.suite.expectations import Expectation, default_verdict
from eostheory.suite.index import build_index
from eostheory.suite.library import load_library
from eostheory.suite.results import Results
from eostheory.suite.run import Request, usable_cores
from eostheory.suite.selection import select


@dataclass(frozen=True)
class Known:
    """One listed claim as far as it is known.

    Attributes:
        script: the file that encodes it, or ``None``.
        verdict: ``None`` if it is encoded but not judged yet with these settings.
    """

    entry: CatalogueEntry
    script: str | None
    expected: Expectation
    verdict: Verdict | None


def survey(request: Request) -> list[Known]:
    """The selected claims with the verdicts that the cache knows.

    Raises:
        LoadError, UnknownClaim, NothingSelected, ExpressionError: as :func:`run` does.
    """
    library = load_library(request.paths)
    entries = library.entries
    chosen = select(entries, request.selection)
    cache = Cache(request.cache)
    crew = Crew(request.jobs or usable_cores())
    try:
        index = build_index(library, crew, cache)
    except BaseException:
        crew.close(now=True)
        raise
    finally:
        crew.close()
    results = Results(cache, entries, index, request.settings)
    found: list[Known] = []
    for name in chosen:
        entry, encoding = entries[name], index.claims.get(name)
        usual = Expectation(default_verdict(entry, encoding is not None))
        expected = library.paper(entry.paper).expectations.get(name, usual)
        verdict: Verdict | None = Verdict.OPEN
        if encoding is not None:
            record = results.get(name)
            verdict = Verdict(record["verdict"]) if record else None
            verdict = Verdict.ERROR if encoding.error else verdict
        script = encoding.script if encoding else None
        found.append(Known(entry, script, expected, verdict))
    wanted = request.selection.verdicts
    found = [k for k in found if not wanted or k.verdict in wanted]
    if not found:
        raise NothingSelected("no selected claim is known to have this verdict; run verify first")
    return found
