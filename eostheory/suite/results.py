"""Verdicts of earlier runs, claim by claim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eostheory.claims.catalogue import CatalogueEntry
from eostheory.claims.verdict import Verdict
from eostheory.suite.cache import Cache
from eostheory.suite.fingerprint import result_key
from eostheory.suite.index import Index
from eostheory.suite.records import NotARecord, Record, checked_record


@dataclass(frozen=True)
class Results:
    """The cached records that hold for these lists, scripts and settings."""

    cache: Cache
    entries: Mapping[str, CatalogueEntry]
    index: Index
    settings: Mapping[str, object]

    def get(self, name: str) -> Record | None:
        """The record of an encoded claim, if a run with equal inputs has judged it."""
        encoding = self.index.claims[name]
        found = self.cache.get(self._key(name)) if not encoding.error else None
        if found is None:
            return None
        try:
            return {**checked_record(self.entries[name], encoding.script, found), "cached": True}
        except NotARecord:
            return None

    def put(self, record: Record) -> None:
        """Keep a record.  Errors are not kept: the next run may have more time or memory."""
        if record["verdict"] != Verdict.ERROR:
            self.cache.put(self._key(str(record["id"])), record)

    def _key(self, name: str) -> str:
        return result_key(self.entries[name], self.index.claims[name].digest, self.settings)
